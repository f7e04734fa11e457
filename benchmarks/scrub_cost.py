#!/usr/bin/env python3
"""What scrubbing costs: scrub_cost.py BENCH [--out benchmarks/results] [--runs N]

BENCH is the binary that `cargo bench -p scrub --profile dev --no-run` names (benches/scrub.rs): two layers of four heads, d_model
64, 16 positions, ten variables, unless a case says otherwise. Every case is run once and N more times on one thread; the
difference in processor time (user and system) is what one scrub costs, whatever else the machine is doing. Writes scrub.md,
a table with how cost grows (the exponent of a power law through first and last), and scrub.svg. Needs Python 3 alone.
"""
import argparse
import math
import os
import subprocess

CASES = [
    ("shared_noise", "samples, shared noise", [512, 1024, 2048, 4096]),
    ("treeified", "samples, treeified", [512, 1024, 2048, 4096]),
    ("shared_noise_by_layers", "layers (five variables each), shared noise, 1024 samples", [1, 2, 3]),
    ("treeified_by_layers", "layers (five variables each), treeified, 128 samples", [1, 2, 3]),
    ("shared_noise_by_variables", "variables, shared noise, 1024 samples", [2, 4, 6, 8, 10]),
    ("treeified_by_variables", "variables, treeified, 1024 samples", [2, 4, 6, 8, 10]),
]


def cpu(bench, case, argument, samples):
    """Processor seconds of a run with so many scrubs."""
    env = {**os.environ, "RAYON_NUM_THREADS": "1"}
    command = [bench, "--bench", "--sample-count", str(samples), f"scrub::{case}::{argument}|{case}.{argument}$"]
    child = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    if status != 0:
        raise SystemExit(f"{case} {argument} ended with {status}")
    return used.ru_utime + used.ru_stime


def plot(path, rows):
    """One curve per case, both axes logarithmic, every case by its largest argument."""
    from math import log10

    width, height, left = 640, 360, 70
    colours = ["#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#b8860b", "#555555"]
    seconds = [s for _, _, points in rows for _, s in points]
    low, high = log10(min(seconds)) - 0.1, log10(max(seconds)) + 0.1
    x = lambda v, most: left + (width - left - 20) * (1 + log10(v / most) / log10(10))
    y = lambda s: 20 + (height - 70) * (high - log10(s)) / (high - low)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height + 18 * len(rows) + 8}" font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>']
    for power in range(-3, 3):
        for digit in (1, 2, 5):
            s = digit * 10.0**power
            if low <= log10(s) <= high:
                out.append(f'<line x1="{left}" x2="{width - 20}" y1="{y(s):.1f}" y2="{y(s):.1f}" stroke="#ddd"/>')
                out.append(f'<text x="{left - 6}" y="{y(s) + 4:.1f}" text-anchor="end">{s:g} s</text>')
    for share in (0.1, 0.2, 0.5, 1.0):
        at = x(share, 1.0)
        out.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="20" y2="{height - 50}" stroke="#eee"/>')
        out.append(f'<text x="{at:.1f}" y="{height - 34}" text-anchor="middle">{share:g}</text>')
    out.append(f'<text x="{(left + width) / 2:.0f}" y="{height - 14}" text-anchor="middle">argument, as a share of its greatest</text>')
    for (_, words, points), colour in zip(rows, colours):
        most = points[-1][0]
        line = " ".join(f"{x(v, most):.1f},{y(s):.1f}" for v, s in points)
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{x(v, most):.1f}" cy="{y(s):.1f}" r="3" fill="{colour}"/>' for v, s in points]
    for at, ((_, words, points), colour) in enumerate(zip(rows, colours)):
        out.append(f'<rect x="{left}" y="{height + 18 * at - 4}" width="12" height="4" fill="{colour}"/>')
        out.append(f'<text x="{left + 18}" y="{height + 18 * at + 2}">{words}: up to {points[-1][0]}</text>')
    open(path, "w").write("\n".join(out + ["</svg>", ""]))


def page(rows, runs):
    """The results as Markdown."""
    lines = [
        "# What scrubbing costs",
        "",
        "Two layers of four heads, `d_model` 64, 16 positions and ten variables, unless a row says otherwise; seconds of processor time of",
        "one scrub on one thread, development build. Written by",
        "",
        "    cargo bench -p scrub --profile dev --no-run",
        f"    python3 benchmarks/scrub_cost.py BINARY --runs {runs}",
        "",
        "with the binary that the first names. *Grows as* is the exponent of a power law through the first and the last value.",
        "",
        "![seconds over what grows](scrub.svg)",
        "",
        "| what grows | values | seconds | grows as |",
        "|---|---|---|---|",
    ]
    for _, words, points in rows:
        (first, low), (last, high) = points[0], points[-1]
        power = math.log(high / low) / math.log(last / first)
        values, seconds = ", ".join(str(v) for v, _ in points), ", ".join(f"{s:.2f}" for _, s in points)
        lines.append(f"| {words} | {values} | {seconds} | {power:.2f} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bench")
    parser.add_argument("--out", default="benchmarks/results")
    parser.add_argument("--runs", type=int, default=2)
    a = parser.parse_args()
    rows = []
    for case, words, arguments in CASES:
        points = []
        for argument in arguments:
            seconds = (cpu(a.bench, case, argument, 1 + a.runs) - cpu(a.bench, case, argument, 1)) / a.runs
            points.append((argument, max(seconds, 1e-3)))
            print(f"{words}: {argument}: {seconds:.2f} s", flush=True)
        rows.append((case, words, points))
    plot(os.path.join(a.out, "scrub.svg"), rows)
    with open(os.path.join(a.out, "scrub.md"), "w") as out:
        out.write(page(rows, a.runs))


if __name__ == "__main__":
    main()
