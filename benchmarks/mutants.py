#!/usr/bin/env python3
"""Mutation study of the judges: mutants.py MODELS OUT [--bin BINARY] [--studies BINARY] [--own DIR] [--part I/N]

Deciphers the recurrent and compiled networks of MODELS, and the networks of the project's own, and has the example
`studies` (`cargo build -p ventris --example studies`) change programs, weights and alignments in one place and hold every
mutant that does something else before the judges, as deciphering does. OUT keeps what is done: a run that was stopped goes
on. Prints a table as Markdown and ends with 1 where a mutant got through. Needs numpy.
"""
import json
import os
import subprocess
import sys

import studies


def cases(a):
    for family, name, path in studies.folders(a.models, ("rnn", "compiled")):
        yield family, name, path
    for name in sorted(os.listdir(a.own)):
        yield "own", name, os.path.join(a.own, name)


def study(a, family, name, path):
    """The row of one network."""
    net, out = (os.path.join(a.out, folder, f"{family}-{name}") for folder in ("networks", "results"))
    if not os.path.exists(os.path.join(out, "result.json")):
        studies.copy_network(family, path, net)
        of = "compiled" if family == "own" else family
        studies.decipher(a.bin, net, out, of, 120, ["--threads", str(a.threads)])
    if not os.path.exists(os.path.join(out, "hypothesis.json")):
        return {"skipped": "no accepted program"}
    command = [a.studies, "mutants", net, out, "--programs", str(a.programs), "--networks", str(a.networks),
               "--alignments", str(a.alignments)]
    env = {**os.environ, "RAYON_NUM_THREADS": str(a.threads)}
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=1200)
    except subprocess.TimeoutExpired:
        return {"skipped": "it took more than 20 minutes"}
    return json.loads(done.stdout) if done.returncode == 0 else {"skipped": done.stderr.strip()[-300:]}


def table(rows):
    """Prints the counts; the number of mutants that got through."""
    kinds = {"Operator": "program: an operator", "Constant": "program: a constant", "Argument": "program: an argument",
             "Entry": "program: an entry of a table"}
    lines, leaks = [], []
    for family in ("rnn", "compiled", "own"):
        here = [row for row in rows if row["family"] == family and "skipped" not in row]
        for kind, words in kinds.items():
            counts = [row["programs"][kind] for row in here if kind in row["programs"]]
            lines.append((family, words, counts))
        lines.append((family, "network: a weight", [row["networks"] for row in here]))
        moved = [row["alignments"] for row in here if row["alignments"]["before"] == "Verified"]
        lines.append((family, "alignment: a variable", [
            {"judged": m["judged"], "alike": 0, "accepted": m["verified"], "proved": 0} for m in moved]))
        for row in here:
            for where in (*row["programs"].values(), row["networks"], row["alignments"]):
                before = row["alignments"]["before"] == "Verified"
                leaks += [(row["name"], leak) for leak in where["leaks"] if where is not row["alignments"] or before]
    print("| networks | changed | mutants judged | alike, not judged | accepted or verified | called proved |\n" + "|---" * 6 + "|")
    total = [0, 0, 0, 0]
    for family, words, counts in lines:
        numbers = [sum(c[key] for c in counts) for key in ("judged", "alike", "accepted", "proved")]
        if numbers[0] or numbers[1]:
            total = [a + b for a, b in zip(total, numbers)]
            print(f"| {family} | {words} | " + " | ".join(map(str, numbers)) + " |")
    print("| all | | " + " | ".join(f"**{n}**" for n in total) + " |\n")
    done = sum("skipped" not in row for row in rows)
    print(f"{done} networks; left out: " + (", ".join(f"{r['name']} ({r['skipped']})" for r in rows if "skipped" in r) or "none"))
    for name, leak in leaks:
        print(f"\n* got through: {name}: `{json.dumps(leak)}`")
    return len(leaks)


def main():
    parser = studies.arguments()
    parser.add_argument("--own", default="benchmarks/networks")
    parser.add_argument("--studies", default="target/debug/examples/studies")
    parser.add_argument("--programs", type=int, default=80)
    parser.add_argument("--networks", type=int, default=70)
    parser.add_argument("--alignments", type=int, default=3)
    parser.add_argument("--part", default="0/1", help="I/N: only every Nth network, from the Ith on, beside other runs")
    parser.add_argument("--table", action="store_true", help="print what is there")
    a = parser.parse_args()
    os.makedirs(a.out, exist_ok=True)
    part, parts = map(int, a.part.split("/"))
    files = [os.path.join(a.out, name) for name in sorted(os.listdir(a.out)) if name.endswith(".jsonl")]
    rows = [json.loads(line) for path in files for line in open(path)]
    known = {(row["family"], row["name"]) for row in rows}
    with open(os.path.join(a.out, f"rows{part}.jsonl"), "a") as keep:
        for family, name, folder in list(cases(a))[part::parts] if not a.table else ():
            if (family, name) not in known:
                rows.append({"family": family, "name": name, **study(a, family, name, folder)})
                keep.write(json.dumps(rows[-1]) + "\n")
                keep.flush()
    sys.exit(1 if table(rows) else 0)


if __name__ == "__main__":
    main()
