#!/usr/bin/env python3
"""Print a Markdown table from what a grader wrote with --json: table.py RESULTS.json

One row per network: verdict, program with its size beside the truth's, tables left, agreement with the network on the
grader's inputs, kind of evidence, recovered fraction under scrubbing, mechanism, seconds. Needs Python 3 alone.
"""
import json
import sys


def cell(value):
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def short(program, limit=100):
    text = " ".join((program or "").split())
    text = text if len(text) <= limit else text[: limit - 3] + "..."
    return "`" + text.replace("|", "\\|") + "`" if text else ""


def main():
    rows = json.load(open(sys.argv[1]))
    circuits = any("edges_exact" in row for row in rows)
    head = ["network", "result", "program", "size", "truth", "tables", "agreement", "evidence", "scrub", "mechanism"]
    head += ["circuit"] * circuits + ["seconds"]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        evidence = row.get("evidence") or {}
        agreement, scrub = evidence.get("agreement") or {}, evidence.get("scrub") or {}
        cells = [row["name"], row["result"], short(row.get("program")), row.get("size"), row.get("truth_size"),
                 len(row.get("tables") or []), row.get("network"), agreement.get("kind"), scrub.get("recovered"),
                 row.get("mechanism")]
        if circuits:
            cells.append("exact" if row.get("edges_exact") else "/".join(map(str, row.get("edges", []))))
        print("| " + " | ".join(map(cell, cells)) + f" | {row['seconds']:.1f} |")


if __name__ == "__main__":
    main()
