#!/usr/bin/env python3
"""Check proofs without anything of Ventris: recheck.py MODEL PROOF.json [...more pairs]

PROOF.json is as `ventris decipher --out` writes it, MODEL the folder of the network: of an `mlp` network with ReLU whose proof is a
certificate of boxes for all lengths, or of a transformer with hard attention (see recheck_classes.py). Weights, domain, program text and
certificate are read here. The program of a recurrent network is stepped by an evaluator of its own, and
the network's images are enclosed by zonotopes of its own, in double precision with an allowance for every sum: that of any
evaluation in single precision where the proof claims it (u = 2^-24), else that of this script's own rounding. Prints `holds` or the first
reason why not, one line per proof, and exits with 1 if any does not hold. Needs Python 3 and numpy.
"""
import itertools
import json
import math
import os
import struct
import sys

import numpy as np

import recheck_classes
from recheck_classes import Fails, words

OWN = 2.0 ** -48  # more than what this script's own sums lose, relatively, per term
MAX_PASSED = 64


# --- the program ------------------------------------------------------------------------------------------------------
def divide(a, b, part):
    if b <= 0:
        raise Fails("a divisor that is not positive")
    return divmod(a, b)[part]


OPERATORS = {
    "+": lambda *v: sum(v), "-": lambda a, b: a - b, "*": lambda *v: math.prod(v), "neg": lambda a: -a, "abs": abs,
    "min": min, "max": max, "<": lambda a, b: int(a < b), "<=": lambda a, b: int(a <= b), "=": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b), "not": lambda a: 1 - a, "and": lambda *v: int(all(v)), "or": lambda *v: int(any(v)),
    "xor": lambda a, b: a ^ b, "//": lambda a, b: divide(a, b, 0), "%": lambda a, b: divide(a, b, 1), "isqrt": math.isqrt,
    "ite": lambda c, a, b: a if c else b,
}


def value(term, names):
    if isinstance(term, int):
        return int(term)
    if isinstance(term, str):
        return names[term]
    if term[0] == "let":
        inner = dict(names)
        for name, bound in term[1]:
            inner[name] = value(bound, inner)
        return value(term[2], inner)
    if term[0] not in OPERATORS:
        raise Fails(f"the operator {term[0]} is not known here")
    return int(OPERATORS[term[0]](*(value(argument, names) for argument in term[1:])))


class Program:
    def __init__(self, text):
        term = words(text)[0]
        scan = term if isinstance(term, list) and term[0] == "scan" else ["scan", [], term]
        self.states, self.outputs = scan[1], scan[2:]
        self.initial = [value(init, {}) for _, init, _ in self.states]

    def step(self, state, element):
        names = {f"x{i}": v for i, v in enumerate(element)}
        names["x"] = element[0]
        names.update({name: v for (name, _, _), v in zip(self.states, state)})
        after = [value(update, names) for _, _, update in self.states]
        names.update({name + "'": v for (name, _, _), v in zip(self.states, after)})
        return after, [value(output, names) for output in self.outputs]


# --- the network ------------------------------------------------------------------------------------------------------
def tensors(path):
    raw = open(path, "rb").read()
    (size,) = struct.unpack("<Q", raw[:8])
    out = {}
    for name, t in json.loads(raw[8:8 + size]).items():
        if name != "__metadata__":
            if t["dtype"] != "F32":
                raise Fails(f"{name} is not of single precision")
            a, b = t["data_offsets"]
            out[name] = np.frombuffer(raw[8 + size + a:8 + size + b], np.float32).reshape(t["shape"]).astype(float)
    return out


class Zonotope:
    """centre + generators, every generator with a factor within -1 to 1."""

    def __init__(self, centre, generators):
        self.centre, self.generators = centre, generators

    def radius(self):
        return np.abs(self.generators).sum(1) * (1 + OWN * (2 + self.generators.shape[1]))

    def with_errors(self, errors):
        used = np.nonzero(errors)[0]
        more = np.zeros((len(errors), len(used)))
        more[used, np.arange(len(used))] = errors[used]
        return Zonotope(self.centre, np.concatenate([self.generators, more], 1))

    def affine(self, weight, bias, u):
        size = np.abs(weight) @ (np.abs(self.centre) + self.radius()) + np.abs(bias)
        terms = weight.shape[1] + 2
        out = Zonotope(weight @ self.centre + bias, weight @ self.generators)
        # Underflow of single precision is below 1e-44 per term.
        own = OWN * (terms + self.generators.shape[1])
        return out.with_errors(size * (1.01 * terms * u + own) + terms * 1e-44 * (u > 0))

    def relu(self):
        r = self.radius()
        low, high = self.centre - r, self.centre + r
        crossing = (low < 0) & (high > 0)
        slope = np.where(high <= 0, 0.0, 1.0)
        slope[crossing] = high[crossing] / (high[crossing] - low[crossing])
        # On [low, high] the function exceeds slope * x by 0 to the greater of its excesses at 0 and at the ends.
        excess = np.where(crossing, np.maximum(np.maximum(-slope * low, high - slope * high), 0) * (1 + 1e-12), 0.0)
        centre = slope * self.centre + excess / 2
        slack = np.where(crossing, OWN * 8 * (np.abs(self.centre) + r), 0.0)
        return Zonotope(centre, slope[:, None] * self.generators).with_errors(excess / 2 + slack)

    def and_exact(self, numbers):
        zeros = np.zeros((len(numbers), self.generators.shape[1]))
        return Zonotope(np.append(self.centre, numbers), np.concatenate([self.generators, zeros]))


class Net:
    def __init__(self, folder, single):
        config = json.load(open(os.path.join(folder, "config.json")))
        if config.get("cell") != "mlp" or config.get("activation") != "relu":
            raise Fails("only `mlp` cells with ReLU are checked here")
        weights = tensors(os.path.join(folder, "model.safetensors"))
        layers = lambda part: [(weights[f"{part}mlp.layers.{k}.weight"], weights[f"{part}mlp.layers.{k}.bias"])
                               for k in itertools.takewhile(lambda k: f"{part}mlp.layers.{k}.weight" in weights, itertools.count())]
        self.f, self.g, self.u = layers("h"), layers("y"), 2.0 ** -24 if single else 0.0
        self.d = config["hidden_dim"]
        given = json.load(open(os.path.join(folder, "task.json")))["input"]
        lo, hi = given["range"]
        if given.get("encoding", "scalar") != "scalar":
            raise Fails("only inputs that are fed as they are")
        self.alphabet = list(itertools.product(range(lo, hi + 1), repeat=given["dim"]))

    def run(self, layers, z):
        for k, (weight, bias) in enumerate(layers):
            z = (z.relu() if k else z).affine(weight, bias, self.u)
        return z


# --- the certificate --------------------------------------------------------------------------------------------------
def check(folder, path):
    proof = json.load(open(path))
    if "classes" in proof["regions"]:
        config, task = (json.load(open(os.path.join(folder, name))) for name in ("config.json", "task.json"))
        return recheck_classes.check(config, task, tensors(os.path.join(folder, "model.safetensors")), proof)
    if proof["scope"] != "all lengths" or "boxes" not in proof["regions"]:
        raise Fails(f"not checked here: {proof['kind']}, {proof['scope']}")
    net, program, boxes = Net(folder, proof["arithmetic"] == "float32"), Program(proof["program"]), proof["regions"]["boxes"]
    nodes, d = boxes["nodes"], net.d
    bases = [np.array(b).reshape(d, d) for b in boxes["bases"]]
    inverse = [np.linalg.inv(b) for b in bases]
    if nodes[0]["state"] != program.initial or any(not low <= 0 <= high for low, high in nodes[0]["region"]):
        raise Fails("the first node is not where sequences start")

    def inside(node, box):
        """All h whose coordinates Q h lie in the box: h = R u + (I - R Q) h for R near the inverse of Q."""
        if not box:
            return Zonotope(np.zeros(d), np.zeros((d, 0)))
        box = np.array(box)
        q, r = bases[node["basis"]], inverse[node["basis"]]
        centre = box.mean(1)
        half = np.maximum(box[:, 1] - centre, centre - box[:, 0]) * (1 + OWN)
        lost = np.abs(np.eye(d) - r @ q).sum(1).max() + d * OWN * (1 + (np.abs(r) @ np.abs(q)).sum(1).max())
        size = (np.abs(r) @ (np.abs(centre) + half)).max()
        if lost >= 0.1:
            raise Fails("a basis cannot be inverted")
        return Zonotope(r @ centre, r * half).with_errors(np.full(d, (lost + d * OWN) * size / (1 - lost) * 1.01))

    def follow(at, state, now, passed):
        node = nodes[at]
        if len(node["next"]) != len(net.alphabet) or passed > MAX_PASSED:
            raise Fails(f"node {at} does not lead to a region with every element")
        for element, to in zip(net.alphabet, node["next"]):
            after, outputs = program.step(state, element)
            if after != nodes[to]["state"]:
                raise Fails(f"node {at} and element {element} lead to another state of the program than node {to}'s")
            h = net.run(net.f, now.and_exact(np.array(element, float)))
            y = net.run(net.g, h)
            if len(outputs) != len(y.centre) or not (np.abs(y.centre - outputs) + y.radius() < 0.5 - 1e-12).all():
                raise Fails(f"from node {at}, with element {element}, the output may be another than the program's")
            if not nodes[to]["region"]:
                follow(to, after, h, passed + 1)
                continue
            u = h.affine(bases[nodes[to]["basis"]], np.zeros(d), 0.0)
            box, radius = np.array(nodes[to]["region"]), u.radius()
            if not ((box[:, 0] <= u.centre - radius) & (u.centre + radius <= box[:, 1])).all():
                raise Fails(f"node {at} is not mapped into node {to} by element {element}")

    for at, node in enumerate(nodes):
        if at and not node["region"]:
            continue
        box = node["region"]
        widest = max(range(d), key=lambda i: box[i][1] - box[i][0]) if box else 0
        pieces = boxes["pieces"] if box and box[widest][1] > box[widest][0] else 1
        marks = np.linspace(*box[widest], pieces + 1) if box else [0, 0]
        for k in range(pieces):
            part = [list(side) for side in box]
            if box:
                low, high = (marks[k], marks[k + 1]) if pieces > 1 else box[widest]
                part[widest] = [min(low, box[widest][1]), high]
            follow(at, node["state"], inside(node, part), 0)
    return f"holds: {proof['scope']}, {proof['arithmetic']}, {len(nodes)} nodes"


def main():
    given, bad = sys.argv[1:], 0
    if not given or len(given) % 2:
        sys.exit(__doc__)
    for folder, path in zip(given[::2], given[1::2]):
        try:
            print(f"{os.path.basename(folder.rstrip('/'))}: {check(folder, path)}", flush=True)
        except Fails as reason:
            bad += 1
            print(f"{os.path.basename(folder.rstrip('/'))}: not established: {reason}", flush=True)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
