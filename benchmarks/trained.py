#!/usr/bin/env python3
"""Print Markdown tables of trained transformers: trained.py RESULTS.json... [--peer PEER.csv]

Each RESULTS.json is what the grader wrote with --json for the family `trained`; PEER.csv (name, peer_match, peer_lines) holds the
figures that a published study reports for the same networks. The first table has the program of every network: result, size, match
on the grader's sequences beside the network's agreement with itself at other positions and the peer's match, what is said of the
errors, seconds. The second has its mechanism, measured on inputs that played no part in finding it: recovered fraction and
sequences that stay as they are under the joint scrub, the same with permuted variables, the least accuracy of interchange on
changed outputs beside what is right by chance, heads whose patterns selectors replace and the sequences that stay as they are
then, and what is missing from a verified mechanism. Needs Python 3 alone.
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


def table(head, rows):
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for cells in rows:
        print("| " + " | ".join(map(cell, cells)) + " |")
    print()


def program(row, peer):
    other = peer.get(row["name"], {})
    match = float(other["peer_match"]) if other.get("peer_match") else None
    return [row["name"], row["result"], short(row.get("program"), 140), row.get("size"), other.get("peer_lines"),
            row.get("network"), row.get("self_agreement"), match, said(row.get("evidence") or {}), f"{row['seconds']:.0f}"]


def mechanism(row):
    evidence = row.get("evidence") or {}
    scrub, controls, edges = (evidence.get(key) or {} for key in ("scrub", "controls", "edges"))
    variables = edges.get("variables") or []
    worst = min(variables, key=lambda variable: variable["accuracy"], default={})
    selectors, selected = edges.get("selectors") or [], edges.get("selected") or {}
    heads = f"{sum(found['passes'] for found in selectors)} of {len(selectors)}" if selectors else None
    missing = evidence.get("missing") or ([evidence["scrub_skipped"]] if evidence.get("scrub_skipped") else [])
    return [row["name"], row.get("mechanism"), scrub.get("recovered"), scrub.get("sequence_matches"), controls.get("null_mean"),
            len(variables) or None, worst.get("accuracy"), worst.get("by_chance"), heads, selected.get("sequence_matches"),
            "; ".join(missing)]


def main():
    files, peer = sys.argv[1:], {}
    if "--peer" in files:
        at = files.index("--peer")
        peer = {row["name"]: row for row in csv.DictReader(open(files[at + 1]))}
        del files[at:at + 2]
    rows = sorted((row for file in files for row in json.load(open(file))), key=lambda row: row["name"])
    table(["network", "result", "program", "size", "peer's lines", "match", "self-agreement", "peer's match", "errors", "seconds"],
          [program(row, peer) for row in rows])
    table(["network", "mechanism", "recovered", "sequences kept", "recovered, permuted variables", "variables",
           "interchange, least", "by chance", "heads replaced", "sequences kept then", "missing"], [mechanism(row) for row in rows])


if __name__ == "__main__":
    main()
