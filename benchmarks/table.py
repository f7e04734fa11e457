#!/usr/bin/env python3
"""Print a Markdown table from what a grader wrote with --json: table.py RESULTS.json [PEER.csv]

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


def recurrent(rows, peer):
    """Rows of recurrent networks: variables confirmed by exchange, proof, departure, and who solved the task by what was
    published (PEER.csv: name, mips_solved, gpt4_solved)."""
    published = {}
    if peer:
        for line in open(peer).read().split()[1:]:
            name, mips, gpt4 = line.split(",")
            published[name] = [who for who, solved in (("MIPS", mips), ("GPT-4", gpt4)) if solved == "True"]
    head = ["network", "result", "program", "size", "truth", "exchanged", "mechanism", "proof", "regions",
            "departs after", "seconds", "solved by"]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    counts = {}
    for row in rows:
        evidence = row.get("evidence") or {}
        proof, beyond = evidence.get("proof") or {}, evidence.get("beyond") or {}
        single = [i for i in evidence.get("interchange") or [] if "variable" in i]
        moved = [i for i in single if i["accuracy"] >= 0.99 and i["changed"] >= 50 and i["changed_accuracy"] >= 0.99
                 and i["p_value"] <= 0.05]
        departure = beyond.get("departure")
        scope = proof.get("scope", "none")
        if proof.get("arithmetic") == "real":
            scope += " (real; float32 " + proof.get("float32", "none") + ")"
        late = str(departure["position"] + 1) + (" (shortest)" if beyond.get("shortest") else "") if departure else ""
        kind = "all lengths" if scope.startswith("all") else "a length" if scope != "none" else "none"
        counts[kind] = counts.get(kind, 0) + 1
        counts["mechanism " + str(row.get("mechanism"))] = counts.get("mechanism " + str(row.get("mechanism")), 0) + 1
        cells = [row["name"], row["result"], short(row.get("program")), row.get("size"), row.get("truth_size"),
                 f"{len(moved)}/{len(single)}", row.get("mechanism"), scope, proof.get("regions"), late]
        by = ", ".join(published.get(row["name"], [])) if peer else ""
        print("| " + " | ".join(map(cell, cells)) + f" | {row['seconds']:.1f} | {by} |")
    print("\n" + "; ".join(f"{key}: {n}" for key, n in sorted(counts.items())))


def main():
    rows = json.load(open(sys.argv[1]))
    if any("beyond" in (row.get("evidence") or {}) for row in rows):
        return recurrent(rows, sys.argv[2] if len(sys.argv) > 2 else None)
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
