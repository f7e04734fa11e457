#!/usr/bin/env python3
"""Check proofs without anything of Ventris: recheck.py MODEL PROOF.json [...more pairs]

PROOF.json is as `ventris decipher --out` writes it, MODEL the folder of the network: of an `mlp` network with ReLU whose proof is a
certificate of boxes for all lengths, or of a box that moves with the state for all lengths or up to one, or of a transformer with
hard attention (see recheck_classes.py). Weights, domain, program text and certificate are read here. The program of a recurrent network is stepped by an evaluator of its own, and
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
from fractions import Fraction

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
    found = OPERATORS[term[0]](*(value(argument, names) for argument in term[1:]))
    return found if isinstance(found, Row) else int(found)


class Row:
    """An affine function with integer coefficients, the last of them its constant. What is not affine raises a TypeError."""

    def __init__(self, coefficients):
        self.coefficients = tuple(coefficients)

    def __add__(self, other):
        if not isinstance(other, Row):
            other = Row([0] * (len(self.coefficients) - 1) + [other])
        return Row(map(sum, zip(self.coefficients, other.coefficients)))

    def __mul__(self, factor):
        if isinstance(factor, Row):
            raise TypeError("a product of two")
        return Row(c * factor for c in self.coefficients)

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -other

    def __rsub__(self, other):
        return -self + other

    def __eq__(self, other):
        raise TypeError("a comparison")

    def __bool__(self):
        raise TypeError("a condition")

    __radd__, __rmul__ = __add__, __mul__


class Program:
    def __init__(self, text):
        term = words(text)[0]
        scan = term if isinstance(term, list) and term[0] == "scan" else ["scan", [], term]
        self.states, self.outputs = scan[1], scan[2:]
        self.initial = [value(init, {}) for _, init, _ in self.states]

    def step(self, state, element):
        names = {f"x{i}": v for i, v in enumerate(element)} | {"x": element[0]}
        names.update({name: v for (name, _, _), v in zip(self.states, state)})
        after = [value(update, names) for _, _, update in self.states]
        names.update({name + "'": v for (name, _, _), v in zip(self.states, after)})
        return after, [value(output, names) for output in self.outputs]

    def rules(self, dim):
        """Updates and outputs as affine functions of states, inputs and 1; further states are those outputs and inputs at the
        last element that do not follow from the states before them."""
        n = len(self.states)
        unit = lambda at: Row(int(i == at) for i in range(n + dim + 1))
        constant = lambda c: c if isinstance(c, Row) else Row([0] * (n + dim) + [c])
        try:
            updates, outputs = self.step([unit(i) for i in range(n)], [unit(n + i) for i in range(dim)])
        except TypeError as reason:
            raise Fails(f"the program is not affine: {reason}") from None
        updates, outputs = [[list(constant(row).coefficients) for row in rows] for rows in (updates, outputs)]
        for row in outputs + [list(unit(n + i).coefficients) for i in range(dim)]:
            linear = [kept[:-1] for kept in updates]
            if rank(linear + [row[:-1]]) > rank(linear):
                updates.append(row)
        more = [0] * (len(updates) - n)
        return ([row[:n] + more + row[n:] for row in rows] for rows in (updates, outputs))


def rank(rows):
    """Of integer rows, exactly."""
    rows, found = [[Fraction(v) for v in row] for row in rows], 0
    for column in range(len(rows[0]) if rows else 0):
        pivot = next((i for i in range(found, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        for i in range(found + 1, len(rows)):
            factor = rows[i][column] / rows[found][column]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[found])]
        found += 1
    return found


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
        self.range, self.dim = (lo, hi), given["dim"]
        if max(abs(lo), abs(hi)) > 2 ** 24:
            raise Fails("inputs that single precision does not hold")

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
    net, program = Net(folder, proof["arithmetic"] == "float32"), Program(proof["program"])
    if "moving" in proof["regions"]:
        moving, bound = proof["regions"]["moving"], proof["scope"].removeprefix("length <= ")
        steps = Moving(net, program, moving).check(None if proof["scope"] == "all lengths" else int(bound))
        return f"holds: {proof['scope']}, {proof['arithmetic']}, a box that moves, {steps} steps"
    if proof["scope"] != "all lengths" or "boxes" not in proof["regions"]:
        raise Fails(f"not checked here: {proof['kind']}, {proof['scope']}")
    nodes = check_boxes(net, program, proof["regions"]["boxes"])
    return f"holds: {proof['scope']}, {proof['arithmetic']}, {nodes} nodes"


def within(q, r, box):
    """All h whose coordinates Q h lie in the box: h = R u + (I - R Q) h for R near the inverse of Q."""
    d, box = len(q), np.array(box)
    centre = box.mean(1)
    half = np.maximum(box[:, 1] - centre, centre - box[:, 0]) * (1 + OWN)
    lost = np.abs(np.eye(d) - r @ q).sum(1).max() + d * OWN * (1 + (np.abs(r) @ np.abs(q)).sum(1).max())
    size = (np.abs(r) @ (np.abs(centre) + half)).max()
    if lost >= 0.1:
        raise Fails("a basis cannot be inverted")
    return Zonotope(r @ centre, r * half).with_errors(np.full(d, (lost + d * OWN) * size / (1 - lost) * 1.01))


class Moving:
    """h = M s + offset + e with coordinates Q e in a box, for the program's states s (further ones among them). A step takes that to
    the same with the next offset: what network and program have in common cancels symbol by symbol."""

    def __init__(self, net, program, given):
        self.net, self.d, self.given = net, net.d, given
        self.updates, self.outputs = program.rules(net.dim)
        self.n = len(self.updates)
        if len(given["matrix"]) != self.d * self.n or any(len(offset) != self.d for offset in given["offsets"]):
            raise Fails("matrix and offsets have another size than the hidden state")
        self.matrix, self.basis = (np.array(given[key]).reshape(self.d, -1) for key in ("matrix", "basis"))
        self.inverse = np.linalg.inv(self.basis)
        self.offsets = np.array(given["offsets"])
        self.initial = program.initial + [0] * (self.n - len(program.initial))

    def coordinates(self, e):
        u = e.affine(self.basis, np.zeros(self.d), 0.0)
        return [[c - r, c + r] for c, r in zip(u.centre, u.radius())]

    def less(self, z, rows, scale):
        """z less affine functions of states and inputs, as many times as `scale` says for each number: the first symbols of
        z are those of states and inputs."""
        weights = scale @ np.array(rows, float)
        middle, half = self.symbols
        size = np.abs(scale) @ np.abs(np.array(rows, float)) @ np.append(np.abs(middle) + half, 1.0) + np.abs(z.centre) + z.radius()
        generators = z.generators.copy()
        generators[:, :len(half)] -= weights[:, :-1] * half
        centre = z.centre - weights @ np.append(middle, 1.0)
        return Zonotope(centre, generators).with_errors(OWN * (weights.shape[1] + len(rows) + 4) * size)

    def step(self, states, box, before, after):
        """The ranges of states and the box after a step; fails where an output may be another than the program's."""
        d, ranges = self.d, states + [self.net.range] * self.net.dim
        ends = np.array(ranges, float)
        middle, half = ends.mean(1), (ends[:, 1] - ends[:, 0]) / 2
        self.symbols = middle, half
        e = within(self.basis, self.inverse, box)
        zeros = np.zeros((d, self.net.dim))
        generators = np.concatenate([self.matrix * half[:self.n], zeros, e.generators], 1)
        size = np.abs(self.matrix) @ (np.abs(middle) + half)[:self.n] + np.abs(before) + np.abs(e.centre)
        h = Zonotope(self.matrix @ middle[:self.n] + before + e.centre, generators).with_errors(OWN * (self.n + 4) * size)
        fed = h.and_exact(middle[self.n:])
        fed.generators[d + np.arange(self.net.dim), self.n + np.arange(self.net.dim)] = half[self.n:]
        h = self.net.run(self.net.f, fed)
        y = self.net.run(self.net.g, h)
        off = self.less(y, self.outputs, np.eye(len(self.outputs))) if len(self.outputs) == len(y.centre) else None
        if off is None or not (np.abs(off.centre) + off.radius() < 0.5 - 1e-9).all():
            raise Fails("an output may be another than the program's")
        moved = Zonotope(h.centre - after, h.generators).with_errors(OWN * (np.abs(h.centre) + np.abs(after)))
        next_states = []
        for row in self.updates:
            spans = [sorted((a * low, a * high)) for a, (low, high) in zip(row, ranges + [(1, 1)])]
            next_states.append((sum(low for low, _ in spans), sum(high for _, high in spans)))
        if any(max(abs(low), abs(high)) > 2 ** 50 for low, high in next_states):
            raise Fails("states beyond what is followed")
        return next_states, self.coordinates(self.less(moved, self.updates, self.matrix))

    def check(self, length):
        first = -(self.matrix @ np.array(self.initial, float)) - self.offsets[0]
        size = np.abs(self.matrix) @ np.abs(np.array(self.initial, float)) + np.abs(self.offsets[0])
        start = Zonotope(first, np.zeros((self.d, 0))).with_errors(OWN * (self.n + 2) * size)
        states, box = [(s, s) for s in self.initial], self.coordinates(start)
        at = lambda step: self.offsets[min(step, len(self.offsets) - 1)]
        steps = len(self.offsets) - 1 if length is None else length
        for step in range(steps):
            states, box = self.step(states, box, at(step), at(step + 1))
        if length is not None:
            return steps
        region, ranges = self.given["region"], [tuple(r) for r in self.given["ranges"]]
        inside = lambda inner, outer: len(inner) == len(outer) and all(c <= a and b <= d for (a, b), (c, d) in zip(inner, outer))
        if not (inside(states, ranges) and inside(box, region)):
            raise Fails("the first steps do not lead into the region")
        states, box = self.step(ranges, region, at(steps), at(steps))
        if not (inside(states, ranges) and inside(box, region)):
            raise Fails("the region is not mapped into itself")
        return steps + 1


def check_boxes(net, program, boxes):
    alphabet = list(itertools.product(range(net.range[0], net.range[1] + 1), repeat=net.dim))
    nodes, d = boxes["nodes"], net.d
    bases = [np.array(b).reshape(d, d) for b in boxes["bases"]]
    inverse = [np.linalg.inv(b) for b in bases]
    if nodes[0]["state"] != program.initial or any(not low <= 0 <= high for low, high in nodes[0]["region"]):
        raise Fails("the first node is not where sequences start")

    def inside(node, box):
        if not box:
            return Zonotope(np.zeros(d), np.zeros((d, 0)))
        return within(bases[node["basis"]], inverse[node["basis"]], box)

    def follow(at, state, now, passed):
        node = nodes[at]
        if len(node["next"]) != len(alphabet) or passed > MAX_PASSED:
            raise Fails(f"node {at} does not lead to a region with every element")
        for element, to in zip(alphabet, node["next"]):
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
    return len(nodes)


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
