"""What the studies of the judges share: arguments, model folders, their tensors, runs of ventris. Needs numpy."""
import argparse
import json
import os
import shutil
import struct
import subprocess
import time

import numpy as np

DTYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64, "I32": np.int32, "U8": np.uint8}
NAMES = {np.dtype(of): name for name, of in DTYPES.items()}
FAMILIES = ("rnn", "compiled", "trained")
# The least agreement that is asked for, by family: trained transformers make errors of their own.
ASKED = {"rnn": "0.999", "compiled": "0.999", "trained": "0.99"}


def load_tensors(path):
    raw = open(path, "rb").read()
    (n,) = struct.unpack("<Q", raw[:8])
    tensors = {}
    for name, t in json.loads(raw[8 : 8 + n]).items():
        if name != "__metadata__":
            a, b = t["data_offsets"]
            tensors[name] = np.frombuffer(raw[8 + n + a : 8 + n + b], DTYPES[t["dtype"]]).reshape(t["shape"])
    return tensors


def save_tensors(path, tensors):
    head, blobs, at = {}, [], 0
    for name, t in tensors.items():
        blob = np.ascontiguousarray(t).tobytes()
        head[name] = {"dtype": NAMES[t.dtype], "shape": list(t.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def arguments():
    """A parser of the arguments that every study takes: models, out, the binary, its threads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("models")
    parser.add_argument("out")
    parser.add_argument("--bin", default="target/debug/ventris")
    parser.add_argument("--threads", type=int, default=1)
    return parser


def folders(models, families=FAMILIES):
    """(family, name, path) of every model folder."""
    for family in families:
        for name in sorted(os.listdir(os.path.join(models, family))):
            path = os.path.join(models, family, name)
            if os.path.exists(os.path.join(path, "config.json")):
                yield family, name, path


def recorded(path, task, half):
    """The recorded inputs of a trained transformer: the first (0) or the second (1) half of its evaluation set."""
    z = np.load(os.path.join(path, "eval_paper.npz"))
    middle = len(z["tokens"]) // 2
    rows = slice(0, middle) if half == 0 else slice(middle, None)
    tokens = z["tokens"][rows].astype(np.int64)
    last = (tokens != task["input"]["special"]["pad"]).sum(1)[:, None] - 1
    positions = z["offset"][rows, None].astype(np.int64) + np.minimum(np.arange(tokens.shape[1]), last)
    return {"tokens": tokens, "position_ids": positions, "scored": z["scored"][rows].astype(np.uint8)}


DRAWN = ("pairs", "uniform")


def drawn(inputs, special, how, n, rng):
    """So many sequences after the recorded ones: each has the length, the special tokens and the scored positions of one of
    these, and begins anywhere in the range of positions that they reach. Its other tokens are drawn, one after the other, as
    they follow each other in what is recorded (`pairs`), or uniformly from all that occur there (`uniform`)."""
    tokens = inputs["tokens"]
    ordinary = ~np.isin(tokens, list(special.values()))
    values = np.unique(tokens[ordinary])
    rows = rng.integers(len(tokens), size=n)
    new, free = tokens[rows], ordinary[rows]
    if how == "uniform":
        new[free] = rng.choice(values, free.sum())
    else:
        follows = np.zeros((tokens.max() + 1, len(values)))
        at = ordinary[:, 1:]
        np.add.at(follows, (tokens[:, :-1][at], np.searchsorted(values, tokens[:, 1:][at])), 1)
        # What nothing follows is followed by anything.
        follows[follows.sum(1) == 0] = 1
        up_to = np.cumsum(follows, 1) / follows.sum(1, keepdims=True)
        for t in range(1, new.shape[1]):
            place = (up_to[new[:, t - 1]] < rng.random(n)[:, None]).sum(1)
            new[:, t] = np.where(free[:, t], values[np.minimum(place, len(values) - 1)], new[:, t])
    last = (new != special["pad"]).sum(1)[:, None] - 1
    start = (rng.random((n, 1)) * (inputs["position_ids"].max() - last + 1)).astype(np.int64)
    positions = start + np.minimum(np.arange(new.shape[1]), last)
    return {"tokens": new, "position_ids": positions, "scored": inputs["scored"][rows]}


def copy_network(family, path, to, tensors=None):
    """A model folder as a user has it: no truth, no samples; with other weights where some are given."""
    os.makedirs(to, exist_ok=True)
    shutil.copy(os.path.join(path, "config.json"), to)
    task = json.load(open(os.path.join(path, "task.json")))
    given = {key: task[key] for key in ("input", "output", "attention_dir") if key in task}
    json.dump({"name": "model", **given}, open(os.path.join(to, "task.json"), "w"))
    if tensors is None:
        shutil.copy(os.path.join(path, "model.safetensors"), to)
    else:
        save_tensors(os.path.join(to, "model.safetensors"), tensors)
    inputs = os.path.join(path, "inputs.safetensors")
    if family == "trained":
        save_tensors(os.path.join(to, "inputs.safetensors"), recorded(path, task, 0))
    elif os.path.exists(inputs):
        shutil.copy(inputs, to)


def decipher(binary, network, out, family, seconds, extra=()):
    """Runs `ventris decipher`; its result with the wall-clock time, or what went wrong."""
    command = [binary, "decipher", network, "--out", out, "--format", "json", "-q", "--time-limit", str(seconds),
               "--min-agreement", ASKED[family], *extra]
    start = time.time()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20 * seconds)
    except subprocess.TimeoutExpired:
        return {"verdict": "timeout", "wall": time.time() - start}
    wall = time.time() - start
    try:
        return {**json.loads(done.stdout), "wall": wall}
    except ValueError:
        return {"verdict": "error", "reason": (done.stderr.strip().splitlines() or ["no output"])[-1], "wall": wall}
