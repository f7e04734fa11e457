#!/usr/bin/env python3
"""Plots how the bank grows with the cost of terms: classes, time and memory, for 16 and for 64 points.

    python3 benchmarks/growth.py [--candidates 2000000] [--out benchmarks/results]

runs the example `growth` of the crate `synth` (which it builds) and writes growth.svg and growth.md there.
"""
import argparse
import csv
import io
import math
import pathlib
import subprocess

POINTS = [16, 64]
COLOURS = {16: "#1f6fb2", 64: "#c1502e"}
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 270, 220, 52, 36, 24


def measure(points, candidates):
    command = ["cargo", "run", "--release", "--quiet", "-p", "synth", "--example", "growth", "--"]
    text = subprocess.run(command + [str(points), str(candidates)], capture_output=True, text=True, check=True).stdout
    return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(io.StringIO(text))]


def panel(x0, title, key, series):
    """One plot with a logarithmic scale: `key` over cost, a line for each number of points."""
    rows = [row for rows in series.values() for row in rows if row[key] > 0]
    low = math.floor(math.log10(min(row[key] for row in rows)))
    high = math.ceil(math.log10(max(row[key] for row in rows)))
    high = max(high, low + 1)
    most = max(row["cost"] for row in rows)
    plot_width, plot_height = WIDTH - LEFT - 12, HEIGHT - BOTTOM - TOP

    def x(cost):
        return x0 + LEFT + plot_width * (cost - 1) / max(most - 1, 1)

    def y(value):
        return TOP + plot_height * (1 - (math.log10(value) - low) / (high - low))

    parts = [f'<text x="{x0 + LEFT}" y="{TOP - 8}" font-weight="bold">{title}</text>']
    for power in range(low, high + 1):
        at = y(10.0**power)
        parts.append(f'<line x1="{x0 + LEFT}" x2="{x0 + LEFT + plot_width}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{x0 + LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">1e{power}</text>')
    for cost in range(1, int(most) + 1):
        parts.append(f'<text x="{x(cost):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{cost}</text>')
    parts.append(f'<text x="{x0 + LEFT + plot_width / 2}" y="{HEIGHT - 4}" text-anchor="middle">cost of terms</text>')
    for points, rows in series.items():
        line = " ".join(f"{x(row['cost']):.1f},{y(row[key]):.1f}" for row in rows if row[key] > 0)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[points]}" stroke-width="2"/>')
    return "\n".join(parts)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--candidates", type=int, default=2_000_000)
    arguments.add_argument("--out", type=pathlib.Path, default=pathlib.Path("benchmarks/results"))
    arguments = arguments.parse_args()
    series = {points: measure(points, arguments.candidates) for points in POINTS}
    panels = [("classes", "classes"), ("seconds", "seconds"), ("bytes", "bytes")]
    drawn = [panel(i * WIDTH, title, key, series) for i, (title, key) in enumerate(panels)]
    legend = " ".join(
        f'<tspan fill="{COLOURS[points]}">{points} points</tspan>' for points in POINTS
    )
    size = f'width="{WIDTH * len(panels)}" height="{HEIGHT + 20}"'
    (arguments.out / "growth.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">\n'
        + '<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(drawn)
        + f'\n<text x="{LEFT}" y="{HEIGHT + 14}">{legend}</text>\n</svg>\n'
    )
    lines = [
        "# How the bank grows",
        "",
        "Terms over three variables of `integers.dsl`, by ascending cost. Written by `python3 benchmarks/growth.py`; the last row of",
        "each part ends at the limit of terms tried, not at the end of its cost.",
        "",
        "![classes, seconds and bytes over the cost of terms](growth.svg)",
        "",
        "| points | cost | classes | terms tried | seconds | bytes for a class |",
        "|---|---|---|---|---|---|",
    ]
    for points, rows in series.items():
        for row in rows:
            share = row["bytes"] / max(row["classes"], 1)
            numbers = f"{int(row['classes']):,} | {int(row['candidates']):,} | {row['seconds']:.3f} | {share:.0f}"
            lines.append(f"| {points} | {int(row['cost'])} | {numbers} |")
    (arguments.out / "growth.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
