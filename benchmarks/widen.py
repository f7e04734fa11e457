#!/usr/bin/env python3
"""Write copies of recurrent networks with dead and duplicated units: widen.py MODELS OUT [--hidden N] [--seed S]

Every folder under MODELS whose config.json names an `mlp` cell is copied to OUT with a hidden state of N units (default 32) and
twice as many units between the layers of f and g: half of the new units are duplicates, whose outgoing weights are
split at random with the unit that they repeat, the others are dead (always 0), with random outgoing weights. The copy
computes what the original does, up to rounding. Needs Python 3 alone.
"""
import argparse
import json
import os
import random
import shutil
import struct


def load(path):
    raw = open(path, "rb").read()
    (n,) = struct.unpack("<Q", raw[:8])
    tensors = {}
    for name, t in json.loads(raw[8 : 8 + n]).items():
        if name != "__metadata__":
            a, b = t["data_offsets"]
            data = list(struct.unpack(f"<{(b - a) // 4}f", raw[8 + n + a : 8 + n + b]))
            shape = t["shape"]
            rows = [data[i * shape[1] : (i + 1) * shape[1]] for i in range(shape[0])] if len(shape) == 2 else data
            tensors[name] = rows
    return tensors


def save(path, tensors):
    head, blobs, at = {}, [], 0
    for name, t in tensors.items():
        flat = [v for row in t for v in row] if isinstance(t[0], list) else t
        shape = [len(t), len(t[0])] if isinstance(t[0], list) else [len(t)]
        blob = struct.pack(f"<{len(flat)}f", *flat)
        head[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    open(path, "wb").write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def plan(old, new, rng):
    """What every new unit repeats; None for a dead one."""
    return [rng.randrange(old) if rng.random() < 0.5 else None for _ in range(new - old)]


def grow_out(weight, bias, extra):
    """More units of a layer: rows and biases."""
    for source in extra:
        weight.append(list(weight[source]) if source is not None else [0.0] * len(weight[0]))
        bias.append(bias[source] if source is not None else 0.0)


def grow_in(weight, at, extra, rng):
    """Their outgoing weights, as columns behind the first `at`."""
    for row in weight:
        more = []
        for source in extra:
            if source is None:
                more.append(rng.uniform(-1, 1))
            else:
                share = rng.uniform(0.2, 0.8)
                more.append(row[source] * share)
                row[source] *= 1 - share
        row[at:at] = more


def widen(tensors, config, hidden, rng):
    d = config["hidden_dim"]
    for name, key in (("hmlp", "hidden"), ("ymlp", "output")):
        width = config[f"{key}_mlp_width"]
        for k in range(config[f"{key}_mlp_depth"] - 1):
            extra = plan(width, 2 * width, rng)
            grow_out(tensors[f"{name}.layers.{k}.weight"], tensors[f"{name}.layers.{k}.bias"], extra)
            grow_in(tensors[f"{name}.layers.{k + 1}.weight"], width, extra, rng)
        config[f"{key}_mlp_width"] = 2 * width
    extra = plan(d, max(hidden, d), rng)
    last = config["hidden_mlp_depth"] - 1
    grow_out(tensors[f"hmlp.layers.{last}.weight"], tensors[f"hmlp.layers.{last}.bias"], extra)
    # The hidden state comes first in what f reads, the input after it.
    grow_in(tensors["hmlp.layers.0.weight"], d, extra, rng)
    grow_in(tensors["ymlp.layers.0.weight"], d, extra, rng)
    config["hidden_dim"] = max(hidden, d)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models")
    parser.add_argument("out")
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for name in sorted(os.listdir(args.models)):
        folder = os.path.join(args.models, name)
        path = os.path.join(folder, "config.json")
        if not os.path.exists(path):
            continue
        config = json.load(open(path))
        if config.get("cell") != "mlp":
            continue
        rng = random.Random(f"{args.seed} {name}")
        tensors = load(os.path.join(folder, "model.safetensors"))
        widen(tensors, config, args.hidden, rng)
        out = os.path.join(args.out, name)
        os.makedirs(out, exist_ok=True)
        for file in os.listdir(folder):
            if file not in ("model.safetensors", "config.json"):
                shutil.copyfile(os.path.join(folder, file), os.path.join(out, file))
        save(os.path.join(out, "model.safetensors"), tensors)
        json.dump(config, open(os.path.join(out, "config.json"), "w"), indent=2)


if __name__ == "__main__":
    main()
