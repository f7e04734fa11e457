#!/usr/bin/env python3
"""Print a Markdown table of trained transformers: trained.py RESULTS.json [peer.csv]

RESULTS.json is what the grader wrote with --json for the family `trained`; peer.csv (name, peer_match, peer_lines) holds the
figures that a published study reports for the same networks. One row per network: result, program with its size, match with
the network on the grader's sequences beside the network's agreement with itself at other positions and the peer's match,
what is said of the errors, mechanism, seconds. Needs Python 3 alone.
"""
import csv
import json
import sys

from table import cell, short


def said(evidence):
    yardstick, errors = evidence.get("yardstick") or {}, evidence.get("errors") or {}
    if yardstick.get("constant"):
        return "the network is constant"
    return errors.get("explanation", "")


def main():
    rows = json.load(open(sys.argv[1]))
    peer = {row["name"]: row for row in csv.DictReader(open(sys.argv[2]))} if len(sys.argv) > 2 else {}
    head = ["network", "result", "program", "size", "peer's lines", "match", "self-agreement", "peer's match", "errors",
            "mechanism", "seconds"]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        other = peer.get(row["name"], {})
        match = float(other["peer_match"]) if other.get("peer_match") else None
        cells = [row["name"], row["result"], short(row.get("program"), 140), row.get("size"), other.get("peer_lines"),
                 row.get("network"), row.get("self_agreement"), match, said(row.get("evidence") or {}),
                 row.get("mechanism")]
        print("| " + " | ".join(map(cell, cells)) + f" | {row['seconds']:.1f} |")


if __name__ == "__main__":
    main()
