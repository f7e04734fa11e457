#!/usr/bin/env python3
"""False discovery: discovery.py MODELS OUT [--bin BINARY] [--again BINARY] [--limit SECONDS] [--threads N]
    [--family F]

Has the example `studies` make 200 networks without meaning, of the architectures of MODELS: recurrent and trained ones once
with weights drawn anew (Gaussian, with every tensor's own mean and spread) and once with every tensor's weights permuted;
compiled ones 106 times, in turn. Deciphers each, then has `studies` hold what was accepted against the network on all
inputs or 100,000 fresh ones, and repeat the interventions behind every verified mechanism. The inputs of trained
transformers are no domain to draw from; fresh ones are made after those recorded sequences that deciphering did not see
(`studies.drawn`), half of them in either way. OUT/rows.jsonl keeps the rows: a run that was stopped goes on. Prints a table
as Markdown. Needs numpy.
"""
import json
import os
import shutil
import subprocess

import numpy as np

import studies

# Fresh inputs of a trained transformer, and how many are run at once.
INPUTS, AT_ONCE = 100_000, 5_000


def plan(models):
    """(family, name, path, kind) of 200 networks."""
    of = {family: list(studies.folders(models, [family])) for family in studies.FAMILIES}
    for family in ("rnn", "trained"):
        for kind in ("drawn anew", "permuted"):
            for folder in of[family]:
                yield (*folder, kind)
    left = 200 - 2 * len(of["rnn"]) - 2 * len(of["trained"])
    for at in range(left):
        yield (*of["compiled"][at % len(of["compiled"])], "drawn anew" if at < left // 2 else "permuted")


def row_of(a, at, family, name, path, kind):
    net, out = (os.path.join(a.out, folder, f"{at:03}") for folder in ("networks", "results"))
    studies.copy_network(family, path, net)
    weights = os.path.join(net, "model.safetensors")
    command = [a.again, "meaningless", net, weights + ".new", "--seed", str(1000 * a.seed + at)]
    subprocess.run(command + ["--permuted"] * (kind == "permuted"), check=True)
    # What was copied may be read-only.
    os.replace(weights + ".new", weights)
    result = studies.decipher(a.bin, net, out, family, a.limit, ["--threads", str(a.threads)])
    row = {"at": at, "family": family, "name": name, "kind": kind}
    row |= {key: result.get(key) for key in ("verdict", "reason", "mechanism", "program", "size", "wall")}
    return row


def again(a, row):
    """What fresh inputs and fresh interventions say of an accepted program."""
    net, out = (os.path.join(a.out, folder, f"{row['at']:03}") for folder in ("networks", "results"))
    asked = studies.ASKED[row["family"]]
    if row["family"] == "trained":
        net = unseen(a, row, net)
    command = [a.again, "again", net, out, "--asked", asked]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return {"error": done.stderr.strip()[-200:]}
    found = json.loads(done.stdout)
    if row["family"] == "trained":
        found["drawn"] = on_drawn(a, row, net, os.path.join(out, "program.dsl"))
        found["right"] &= all(shares["share"] >= float(asked) for shares in found["drawn"].values())
    return found


def unseen(a, row, net):
    """The folder of a trained transformer with the recorded sequences that deciphering did not see."""
    path = os.path.join(a.models, row["family"], row["name"])
    task = json.load(open(os.path.join(path, "task.json")))
    other = net + ".unseen"
    shutil.rmtree(other, ignore_errors=True)
    shutil.copytree(net, other)
    target = os.path.join(other, "inputs.safetensors")
    os.remove(target)
    studies.save_tensors(target, studies.recorded(path, task, 1))
    return other


def on_drawn(a, row, net, program):
    """On what share of the sequences drawn after recorded ones network and program agree, and how many of them are distinct."""
    path = os.path.join(a.models, row["family"], row["name"])
    task = json.load(open(os.path.join(path, "task.json")))
    inputs, special = studies.recorded(path, task, 1), task["input"]["special"]
    fresh, found = os.path.join(a.out, "fresh"), {}
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(net, fresh)
    for how in studies.DRAWN:
        rng, wrong, run, seen = np.random.default_rng([a.seed, row["at"]]), 0, 0, set()
        for _ in range(INPUTS // len(studies.DRAWN) // AT_ONCE):
            batch = studies.drawn(inputs, special, how, AT_ONCE, rng)
            seen.update(map(bytes, np.concatenate([batch["tokens"], batch["position_ids"][:, :1]], 1)))
            target = os.path.join(fresh, "inputs.safetensors")
            if os.path.exists(target):
                os.remove(target)
            studies.save_tensors(target, batch)
            command = [a.bin, "check", fresh, program, "--format", "json", "-q", "--min-agreement", "0"]
            done = subprocess.run([*command, "--threads", str(a.threads)], capture_output=True, text=True)
            agreement = json.loads(done.stdout)["agreement"]
            wrong, run = wrong + agreement["mismatches"], run + agreement["sequences"]
        found[how] = {"sequences": run, "distinct": len(seen), "share": 1 - wrong / run}
    return found


def table(rows):
    print("| family | weights | networks | accepted | of these refuted afresh | verified | partial | unverified | "
          "undecided | verified and refuted afresh |\n|" + "---|" * 10)
    for family in studies.FAMILIES:
        for kind in ("drawn anew", "permuted"):
            here = [row for row in rows if (row["family"], row["kind"]) == (family, kind)]
            accepted = [row for row in here if row["verdict"] == "accepted"]
            count = lambda name: sum(row["mechanism"] == name for row in accepted)
            wrong = sum(not row["again"].get("right", False) for row in accepted)
            refuted = sum(row["mechanism"] == "verified" and row["again"].get("mechanism") != "stands" for row in accepted)
            print(f"| {family} | {kind} | {len(here)} | {len(accepted)} | {wrong} | {count('verified')} | "
                  f"{count('partial')} | {count('unverified')} | {count('undecided')} | {refuted} |")


def main():
    parser = studies.arguments()
    parser.add_argument("--again", default="target/debug/examples/studies")
    parser.add_argument("--limit", type=float, default=15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--family", choices=studies.FAMILIES, help="only these")
    parser.add_argument("--no-again", action="store_true", help="decipher only")
    a = parser.parse_args()
    os.makedirs(a.out, exist_ok=True)
    path = os.path.join(a.out, "rows.jsonl")
    rows = [json.loads(line) for line in open(path)] if os.path.exists(path) else []
    known = {row["at"] for row in rows}
    with open(path, "a") as keep:
        for at, of in enumerate(plan(a.models)):
            if at not in known and a.family in (None, of[0]):
                rows.append(row_of(a, at, *of))
                keep.write(json.dumps(rows[-1]) + "\n")
                keep.flush()
    if not a.no_again:
        for row in rows:
            if row["verdict"] == "accepted":
                row["again"] = again(a, row)
        json.dump(rows, open(os.path.join(a.out, "again.json"), "w"))
        table(rows)


if __name__ == "__main__":
    main()
