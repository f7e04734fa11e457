#!/usr/bin/env python3
"""A table of results on SyGuS-IF problems, from the CSV that the shared script compare.py writes.

usage: sygus.py RESULTS.csv > benchmarks/results/sygus.md
"""
import csv
import sys


def main():
    with open(sys.argv[1], newline="") as file:
        rows = list(csv.DictReader(file))
    solvers = sorted({row["solver"] for row in rows})
    by = {(row["solver"], row["name"]): row for row in rows}
    print("# SyGuS-IF problems, one row each\n")
    print("Made by `python3 benchmarks/sygus.py RESULTS.csv`; nodes count operators, variables and literals; seconds are CPU\n"
          "seconds on one thread, limit 20.\n")
    print("| problem | " + " | ".join(f"{s}: nodes | seconds" for s in solvers) + " |")
    print("|---|" + "---|---|" * len(solvers))
    for name in sorted({row["name"] for row in rows}):
        cells = []
        for solver in solvers:
            row = by.get((solver, name), {})
            solved = row.get("status") == "solved"
            proved = "" if row.get("verified") == "yes" else " (not verified by the script)"
            cells += [row["nodes"] + proved if solved else row.get("status", "-"), row.get("seconds", "-")]
        print(f"| {name} | " + " | ".join(cells) + " |")


main()
