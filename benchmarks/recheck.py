#!/usr/bin/env python3
"""Check proofs without anything of Ventris: recheck.py MODEL PROOF.json [...more pairs]

PROOF.json is as `ventris decipher --out` writes it, MODEL the folder of the network: of a recurrent network (`mlp`, Elman, GRU or
LSTM cell) whose proof is a certificate of boxes or of a box that moves with the state, for all lengths or up to one, or of a
transformer with hard attention (see recheck_classes.py). Weights, domain, program text and certificate are read here. The program
of a recurrent network is stepped by an evaluator of its own, and the network's images are enclosed by zonotopes of its own, in
double precision with an allowance for every sum: that of any evaluation in single precision where the proof claims it
(u = 2^-24; activations other than ReLU within 2^-20, as the proof assumes), else that of this script's own rounding. How far
single precision may be from exact arithmetic, `gap`, is bounded anew. Prints `holds` or the first reason why not, one line per
proof, and exits with 1 if any does not hold. Needs Python 3 and numpy.
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
from recheck_classes import Fails, Text, known_language, scalar, words

OWN = 2.0 ** -48  # more than what this script's own sums lose, relatively, per term
SINGLE = 2.0 ** -24
ACTIVATION = 2.0 ** -20  # what activations other than ReLU may be off by in single precision, relatively
TINY = 1.2e-38  # the least normal number of single precision: what underflow may lose
MAX_PASSED = 64
MAX_STEPS = 100_000


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
    if isinstance(term, Text):
        return str(term)
    if isinstance(term, int):
        return int(term)
    if isinstance(term, str):
        if term not in names:
            raise Fails(f"the name {term} is not known here")
        return names[term]
    if term[0] == "let":
        inner = dict(names)
        for name, bound in term[1]:
            inner[name] = value(bound, inner)
        return value(term[2], inner)
    if term[0] not in OPERATORS:
        raise Fails(f"the operator {term[0]} is not known here")
    found = OPERATORS[term[0]](*(value(argument, names) for argument in term[1:]))
    return found if isinstance(found, (Row, str)) else int(found)


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
    """centre + generators, every generator with a factor within -1 to 1 of its own, by which numbers know each other."""

    symbols = itertools.count()

    def __init__(self, centre, generators, symbols):
        self.centre, self.generators, self.symbols = np.asarray(centre, float), generators, symbols

    @staticmethod
    def exact(centre):
        return Zonotope(centre, np.zeros((len(centre), 0)), np.zeros(0, int))

    @staticmethod
    def within(centre, radii):
        return Zonotope.exact(centre).with_errors(np.asarray(radii, float))

    def radius(self):
        return np.abs(self.generators).sum(1) * (1 + OWN * (2 + self.generators.shape[1]))

    def ends(self):
        r = self.radius() + OWN * np.abs(self.centre)
        return self.centre - r, self.centre + r

    def size(self):
        return np.abs(self.centre) + self.radius()

    def with_errors(self, errors):
        used = np.nonzero(errors)[0]
        more = np.zeros((len(errors), len(used)))
        more[used, np.arange(len(used))] = errors[used]
        new = np.array([next(Zonotope.symbols) for _ in used], int)
        return Zonotope(self.centre, np.concatenate([self.generators, more], 1), np.concatenate([self.symbols, new]))

    def over(self, symbols):
        """The generators over some symbols, its own among them."""
        out = np.zeros((len(self.centre), len(symbols)))
        out[:, np.searchsorted(symbols, self.symbols)] = self.generators
        return out

    def joined(self, other):
        symbols = np.union1d(self.symbols, other.symbols)
        return Zonotope(np.append(self.centre, other.centre), np.concatenate([self.over(symbols), other.over(symbols)]), symbols)

    def part(self, where):
        return Zonotope(self.centre[where], self.generators[where], self.symbols)

    def affine(self, weight, biases, u):
        """weight * self and all biases, as one sum."""
        size = np.abs(weight) @ self.size() + sum(map(np.abs, biases))
        terms = weight.shape[1] + len(biases) + 1
        out = Zonotope(weight @ self.centre + sum(biases), weight @ self.generators, self.symbols)
        own = OWN * (terms + self.generators.shape[1])
        return out.with_errors(size * (1.01 * terms * u + own) + terms * TINY * (u > 0))

    def scaled(self, factors):
        return Zonotope(self.centre * factors, self.generators * np.asarray(factors)[:, None], self.symbols)

    def plus(self, other, u):
        symbols = np.union1d(self.symbols, other.symbols)
        out = Zonotope(self.centre + other.centre, self.over(symbols) + other.over(symbols), symbols)
        return out.with_errors((self.size() + other.size()) * (1.01 * u + OWN) + TINY * (u > 0))

    def times(self, other, u):
        """Number by number: c d + c B + d A + A B, the last within the product of the radii."""
        first, second = other.scaled(self.centre), self.scaled(other.centre)
        symbols = np.union1d(first.symbols, second.symbols)
        out = Zonotope(self.centre * other.centre, first.over(symbols) + second.over(symbols), symbols)
        size = self.size() * other.size()
        return out.with_errors(self.radius() * other.radius() * (1 + OWN) + size * (1.01 * u + OWN) + TINY * (u > 0))

    def between(self, other, share, u):
        """(1 - share) self + share other, for shares within 0 to 1; evaluated like this, or as (other - self) share + self."""
        out = share.times(other.plus(self.scaled(-np.ones(len(self.centre))), 0.0), 0.0).plus(self, 0.0)
        size = (1 + share.size()) * self.size() + share.size() * other.size()
        return out.with_errors(size * 5 * u + 5 * TINY * (u > 0))

    def activated(self, name, u):
        if name == "relu":
            return self.relu()
        if name == "silu":
            return self.times(self.activated("sigmoid", u), u)
        value, slope = SQUASHING[name]
        low, high = self.ends()
        # With the lesser slope of the two ends, the least on the range, what remains grows: it lies between its values at the ends.
        least = np.maximum(np.minimum(slope(low), slope(high)) * (1 - 1e-9) - 1e-15, 0.0)
        left, right = value(low) - least * low, value(high) - least * high
        half = np.abs(right - left) / 2 + 64 * OWN * (1 + least * (np.abs(low) + np.abs(high)))
        out = Zonotope(least * self.centre + (left + right) / 2, least[:, None] * self.generators, self.symbols)
        return out.with_errors(half + (ACTIVATION * np.maximum(np.abs(value(low)), np.abs(value(high))) + TINY) * (u > 0))

    def relu(self):
        low, high = self.ends()
        crossing = (low < 0) & (high > 0)
        slope = np.where(high <= 0, 0.0, 1.0)
        slope[crossing] = high[crossing] / (high[crossing] - low[crossing])
        # On [low, high] the function exceeds slope * x by 0 to the greater of its excesses at 0 and at the ends.
        excess = np.where(crossing, np.maximum(np.maximum(-slope * low, high - slope * high), 0) * (1 + 1e-12), 0.0)
        slack = np.where(crossing, OWN * 8 * self.size(), 0.0)
        out = Zonotope(slope * self.centre + excess / 2, slope[:, None] * self.generators, self.symbols)
        return out.with_errors(excess / 2 + slack)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.clip(x, -700, 700)))


SQUASHING = {"tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2), "sigmoid": (sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x)))}


class Rounded:
    """Numbers in exact arithmetic beside how far each is from that in single precision, in any order of summation. Errors are
    zonotopes over the roundings that went into them, so that what one step adds and another takes away cancels. `u` of the
    operations is not asked: it is that of single precision here."""

    def __init__(self, exact, errors):
        self.exact, self.errors = exact, errors

    @staticmethod
    def of(exact):
        return Rounded(exact, Zonotope.exact(np.zeros(len(exact.centre))))

    def off(self):
        return self.errors.size()

    def size(self):
        return self.exact.size() + self.off()

    def joined(self, other):
        return Rounded(self.exact.joined(other.exact), self.errors.joined(other.errors))

    def part(self, where):
        return Rounded(self.exact.part(where), self.errors.part(where))

    def affine(self, weight, biases, _):
        terms = weight.shape[1] + len(biases) + 1
        own = (np.abs(weight) @ self.size() + sum(map(np.abs, biases))) * 1.01 * terms * SINGLE + terms * TINY
        return Rounded(self.exact.affine(weight, biases, 0.0), self.errors.affine(weight, [], 0.0).with_errors(own))

    def plus(self, other, _):
        own = (self.size() + other.size()) * 1.01 * SINGLE + TINY
        return Rounded(self.exact.plus(other.exact, 0.0), self.errors.plus(other.errors, 0.0).with_errors(own))

    def times(self, other, _):
        """(a + e)(b + f) - a b = a f + b e + e f, with a and b their centres within their radii."""
        errors = other.errors.scaled(self.exact.centre).plus(self.errors.scaled(other.exact.centre), 0.0)
        left = self.exact.radius() * other.off() + other.exact.radius() * self.off() + self.off() * other.off()
        own = left * (1 + OWN) + self.size() * other.size() * 1.01 * SINGLE + TINY
        return Rounded(self.exact.times(other.exact, 0.0), errors.with_errors(own))

    def between(self, other, share, _):
        apart = Rounded(other.exact.plus(self.exact.scaled(-np.ones(len(self.exact.centre))), 0.0),
                        other.errors.plus(self.errors.scaled(-np.ones(len(self.exact.centre))), 0.0))
        moved = share.times(apart, 0.0)
        own = ((1 + share.size()) * self.size() + share.size() * other.size()) * 5 * SINGLE + 5 * TINY
        exact = self.exact.between(other.exact, share.exact, 0.0)
        return Rounded(exact, self.errors.plus(moved.errors, 0.0).with_errors(own))

    def activated(self, name, u):
        if name == "silu":
            return self.times(self.activated("sigmoid", u), u)
        (low, high), off = self.exact.ends(), self.off()
        low, high = low - off, high + off
        if name == "relu":
            least, most = np.where(low >= 0, 1.0, 0.0), np.where(high <= 0, 0.0, 1.0)
        else:
            slope = SQUASHING[name][1]
            nearest = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
            least, most = slope(np.maximum(np.abs(low), np.abs(high))) - 1e-9, slope(nearest) + 1e-9
        out = Rounded(self.exact.activated(name, 0.0), self.errors.scaled((least + most) / 2))
        own = (most - least) / 2 * off * (1 + OWN)
        if name != "relu":
            own = own + ACTIVATION * out.size() + TINY * (1 + self.size())
        return Rounded(out.exact, out.errors.with_errors(own))


class Net:
    """What a recurrent network makes of numbers, zonotopes or such with their errors."""

    def __init__(self, folder, single):
        config = json.load(open(os.path.join(folder, "config.json")))
        task = json.load(open(os.path.join(folder, "task.json")))
        self.weights, self.cell, self.u = tensors(os.path.join(folder, "model.safetensors")), config.get("cell"), SINGLE if single else 0.0
        if self.cell not in GATES or config.get("bidirectional") or config.get("h0", "zeros") != "zeros":
            raise Fails("only `mlp`, Elman, GRU and LSTM cells that start from zeros are checked here")
        self.activation = config.get("activation")
        self.inner = config.get("nonlinearity", self.activation)
        self.readout = self.mlp("y")
        self.layers = self.mlp("h") if self.cell == "mlp" else self.gated(config)
        if not self.readout or not self.layers:
            raise Fails("layers are missing")
        gated = 0 if self.cell == "mlp" else len(self.layers) * self.layers[0][1].shape[1]
        self.d = {"mlp": config["hidden_dim"], "lstm": 2 * gated}.get(self.cell, gated)
        named = {self.activation} if self.cell == "mlp" and len(self.layers) > 1 or len(self.readout) > 1 else set()
        if not named | ({self.inner} if self.cell == "elman" else set()) <= {"relu", "silu", *SQUASHING}:
            raise Fails("an activation that is not known here")
        given, said = task["input"], task["output"]
        self.range, self.dim, self.one_hot = tuple(given["range"]), given["dim"], given.get("encoding", "scalar") == "one_hot"
        if given.get("encoding", "scalar") not in ("scalar", "one_hot") or given["kind"] != "integers":
            raise Fails("inputs of a kind that is not checked here")
        if max(map(abs, self.range)) > 2 ** 24:
            raise Fails("inputs that single precision does not hold")
        if said["kind"] not in ("integers", "categorical"):
            raise Fails("outputs that are neither rounded nor classes")
        self.values = [scalar(v) for v in said["values"]] if said["kind"] == "categorical" else None
        self.longest = given["length"][1] if isinstance(given["length"], list) else given["length"]

    def mlp(self, part):
        name = lambda k, of: f"{part}mlp.layers.{k}.{of}"
        depth = itertools.takewhile(lambda k: name(k, "weight") in self.weights, itertools.count())
        return [(self.weights[name(k, "weight")], self.weights[name(k, "bias")]) for k in depth]

    def gated(self, config):
        """Of every layer the weights that read the input and the state, and their biases."""
        layers, n = [], config["hidden_dim"] * GATES[self.cell]
        for k in itertools.takewhile(lambda k: f"rnn.weight_ih_l{k}" in self.weights, itertools.count()):
            of = lambda part: self.weights[f"rnn.{part}_l{k}"]
            biases = [of(part) if config.get("bias", True) else np.zeros(n) for part in ("bias_ih", "bias_hh")]
            layers.append((of("weight_ih"), of("weight_hh"), *biases))
        return layers

    def through(self, layers, z):
        for k, (weight, bias) in enumerate(layers):
            z = (z.activated(self.activation, self.u) if k else z).affine(weight, [bias], self.u)
        return z

    def read(self, state):
        top = self.layers[-1][1].shape[1] if self.cell != "mlp" else self.d
        end = self.d // 2 if self.cell == "lstm" else self.d
        return self.through(self.readout, state.part(slice(end - top, end)))

    def step(self, state, fed):
        if self.cell == "mlp":
            return self.through(self.layers, state.joined(fed))
        u, m, hs, cs, below = self.u, self.layers[0][1].shape[1], [], [], fed
        for k, (of_input, of_state, bias_input, bias_state) in enumerate(self.layers):
            h, size = state.part(slice(k * m, (k + 1) * m)), len(below.centre if isinstance(below, Zonotope) else below.exact.centre)
            # Both products as one sum: summation in any order includes those of the parts.
            weight = np.concatenate([of_input, of_state], 1)
            if weight.shape[1] != size + m:
                raise Fails("layers that do not fit")
            gates = below.joined(h).affine(weight, [bias_input, bias_state], u)
            gate = lambda j: gates.part(slice(j * m, (j + 1) * m))
            if self.cell == "elman":
                below = gates.activated(self.inner, u)
            elif self.cell == "gru":
                r, z = gate(0).activated("sigmoid", u), gate(1).activated("sigmoid", u)
                last = slice(2 * m, 3 * m)
                reset = r.times(h.affine(of_state[last], [bias_state[last]], u), u)
                new = below.affine(of_input[last], [bias_input[last]], u).plus(reset, u).activated("tanh", u)
                below = new.between(h, z, u)
            else:
                c = state.part(slice(self.d // 2 + k * m, self.d // 2 + (k + 1) * m))
                i, f, o = (gate(j).activated("sigmoid", u) for j in (0, 1, 3))
                cell = f.times(c, u).plus(i.times(gate(2).activated("tanh", u), u), u)
                below = o.times(cell.activated("tanh", u), u)
                cs.append(cell)
            hs.append(below)
        whole = hs + cs
        for part in whole[1:]:
            whole[0] = whole[0].joined(part)
        return whole[0]

    def fed(self, element):
        if not self.one_hot:
            return np.array(element, float)
        return np.concatenate([[float(v - self.range[0] == k) for k in range(self.range[1] - self.range[0] + 1)] for v in element])

    def gap(self, length):
        """How far an output in single precision is at most from the same in exact arithmetic."""
        low, high = (0.0, 1.0) if self.one_hot else self.range
        n = self.dim * (self.range[1] - self.range[0] + 1) if self.one_hot else self.dim
        state, most = Rounded.of(Zonotope.exact(np.zeros(self.d))), 0.0
        for _ in range(length):
            fed = Rounded.of(Zonotope.within(np.full(n, (low + high) / 2), np.full(n, (high - low) / 2)))
            state = self.step(state, fed)
            off = self.read(state).off()
            if not np.isfinite(off).all():
                raise Fails("no bound on rounding errors is known")
            most = max(most, float(off.max()))
        return most

    def margin(self, y, outputs):
        """How far outputs are at least from being read as something else than a program's: negative where they may be."""
        if self.values is None:
            if len(outputs) != len(y.centre) or any(isinstance(v, str) for v in outputs):
                return -np.inf
            return float((0.5 - 1e-12 * (1 + np.abs(outputs).astype(float)) - np.abs(y.centre - outputs) - y.radius()).min())
        own = [k for k, v in enumerate(self.values) if len(outputs) == 1 and (v == outputs[0] if isinstance(v, str) or isinstance(outputs[0], str)
                                                                             else float(v) == outputs[0])]
        if len(own) != 1:
            return -np.inf
        lead = np.delete(-np.eye(len(self.values)), own[0], 0)
        lead[:, own[0]] = 1.0
        apart = y.affine(lead, [], 0.0)
        return float((apart.centre - apart.radius()).min()) if len(lead) else np.inf


GATES = {"mlp": 0, "elman": 1, "gru": 3, "lstm": 4}


# --- the certificate --------------------------------------------------------------------------------------------------
def check(folder, path):
    proof = json.load(open(path))
    if "classes" in proof["regions"]:
        config, task = (json.load(open(os.path.join(folder, name))) for name in ("config.json", "task.json"))
        return recheck_classes.check(config, task, tensors(os.path.join(folder, "model.safetensors")), proof)
    known_language(proof["dsl"]["root"])
    if list(proof["dsl"]) != ["root"]:
        raise Fails("a language of several files")
    net, program = Net(folder, {"float32": True, "real": False}[proof["arithmetic"]]), Program(proof["program"])
    length = None
    if proof["scope"] != "all lengths":
        length = int(proof["scope"].removeprefix("length <= "))
        if not 0 < length <= MAX_STEPS:
            raise Fails("a length that is not followed here")
    off = ""
    if proof["gap"] is not None:
        gap = net.gap(min(net.longest, length or net.longest))
        if proof["arithmetic"] == "float32" and net.values is None:
            # In either arithmetic an output is within a half of the program's.
            gap = min(gap, 1.0)
        if not gap <= proof["gap"] * (1 + 1e-5):
            raise Fails(f"single precision may be off by {gap:.6g}, not {proof['gap']:.6g}")
        off = f", off by {gap:.2g} at most"
    regions = proof["regions"]
    if "moving" in regions:
        how = f"a box that moves, {Moving(net, program, regions['moving']).check(length)} steps"
    elif "boxes" in regions:
        how = f"{Boxed(net, program, regions['boxes']).check(length)} nodes"
    else:
        raise Fails(f"not checked here: {proof['kind']}")
    return f"holds: {proof['scope']}, {proof['arithmetic']}{off}, {how}"


def within(q, r, box):
    """All h whose coordinates Q h lie in the box: h = R u + (I - R Q) h for R near the inverse of Q."""
    d, box = len(q), np.array(box)
    centre = box.mean(1)
    half = np.maximum(box[:, 1] - centre, centre - box[:, 0]) * (1 + OWN)
    lost = np.abs(np.eye(d) - r @ q).sum(1).max() + d * OWN * (1 + (np.abs(r) @ np.abs(q)).sum(1).max())
    size = (np.abs(r) @ (np.abs(centre) + half)).max()
    if lost >= 0.1:
        raise Fails("a basis cannot be inverted")
    return Zonotope.within(centre, half).affine(r, [], 0.0).with_errors(np.full(d, (lost + d * OWN) * size / (1 - lost) * 1.01))


class Moving:
    """h = M s + offset + e with coordinates Q e in a box, for the program's states s (further ones among them). A step takes that to
    the same with the next offset: what network and program have in common cancels symbol by symbol."""

    def __init__(self, net, program, given):
        self.net, self.d, self.given = net, net.d, given
        if net.one_hot or net.values is not None:
            raise Fails("a box that moves with numbers that are not fed or read as they are")
        self.updates, self.outputs = program.rules(net.dim)
        self.n = len(self.updates)
        if len(given["matrix"]) != self.d * self.n or any(len(offset) != self.d for offset in given["offsets"]):
            raise Fails("matrix and offsets have another size than the hidden state")
        self.matrix, self.basis = (np.array(given[key]).reshape(self.d, -1) for key in ("matrix", "basis"))
        self.inverse = np.linalg.inv(self.basis)
        self.offsets = np.array(given["offsets"])
        self.initial = program.initial + [0] * (self.n - len(program.initial))

    def coordinates(self, e):
        return np.stack(e.affine(self.basis, [], 0.0).ends(), 1).tolist()

    def less(self, z, known, rows, scale):
        """z less affine functions of states and inputs, as many times as `scale` says for each number."""
        rows = np.array(rows, float)
        weights = scale @ rows
        lost = np.abs(scale) @ np.abs(rows) @ np.append(known.size(), 1.0) * OWN * (len(rows) + 2)
        return z.plus(known.affine(-weights[:, :-1], [-weights[:, -1]], 0.0), 0.0).with_errors(lost)

    def step(self, states, box, before, after):
        """The ranges of states and the box after a step; fails where an output may be another than the program's."""
        ranges = states + [self.net.range] * self.net.dim
        ends = np.array(ranges, float)
        known = Zonotope.within(ends.mean(1), (ends[:, 1] - ends[:, 0]) / 2)
        h = known.part(slice(self.n)).affine(self.matrix, [before], 0.0).plus(within(self.basis, self.inverse, box), 0.0)
        h = self.net.step(h, known.part(slice(self.n, None)))
        y = self.net.read(h)
        if len(y.centre) != len(self.outputs):
            raise Fails("the program has another number of outputs")
        off = self.less(y, known, self.outputs, np.eye(len(self.outputs)))
        if not (np.abs(off.centre) + off.radius() < 0.5 - 1e-9).all():
            raise Fails("an output may be another than the program's")
        moved = h.plus(Zonotope.exact(-after), 0.0)
        next_states = []
        for row in self.updates:
            spans = [sorted((a * low, a * high)) for a, (low, high) in zip(row, ranges + [(1, 1)])]
            next_states.append((sum(low for low, _ in spans), sum(high for _, high in spans)))
        if any(max(abs(low), abs(high)) > 2 ** 50 for low, high in next_states):
            raise Fails("states beyond what is followed")
        return next_states, self.coordinates(self.less(moved, known, self.updates, self.matrix))

    def check(self, length):
        start = Zonotope.exact(self.initial).affine(-self.matrix, [-self.offsets[0]], 0.0)
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


class Boxed:
    """Nodes, each with a state of the program, a box of hidden states (or none, where what comes is followed on as it is), and the node
    that every element leads to."""

    def __init__(self, net, program, given):
        self.net, self.program, self.nodes, self.pieces = net, program, given["nodes"], given["pieces"]
        self.alphabet = list(itertools.product(range(net.range[0], net.range[1] + 1), repeat=net.dim))
        self.bases = [np.array(basis).reshape(net.d, net.d) for basis in given["bases"]]
        self.inverse = [np.linalg.inv(basis) for basis in self.bases]
        self.stepped = {}
        if self.nodes[0]["state"] != program.initial:
            raise Fails("the first node is not where sequences start")

    def inside(self, node, box):
        if not box:
            return Zonotope.exact(np.zeros(self.net.d))
        return within(self.bases[node["basis"]], self.inverse[node["basis"]], box)

    def coordinates(self, node, h):
        return np.stack(h.affine(self.bases[node["basis"]], [], 0.0).ends(), 1)

    def image(self, at, place, now):
        """Where the states of a node go with an element; fails where the output may be another than the program's."""
        node, element = self.nodes[at], self.alphabet[place]
        if (at, place) not in self.stepped:
            self.stepped[at, place] = self.program.step(node["state"], element)
        after, outputs = self.stepped[at, place]
        h = self.net.step(now, Zonotope.exact(self.net.fed(element)))
        if not self.net.margin(self.net.read(h), outputs) > 0:
            raise Fails(f"from node {at}, with element {element}, the output may be another than the program's")
        if not node["next"]:
            return h, None
        if len(node["next"]) != len(self.alphabet):
            raise Fails(f"node {at} does not lead somewhere with every element")
        if after != self.nodes[node["next"][place]]["state"]:
            raise Fails(f"node {at} and element {element} lead to another state of the program than node {node['next'][place]}'s")
        return h, node["next"][place]

    def check(self, length):
        self.closed() if length is None else self.followed(length)
        return len(self.nodes)

    def followed(self, length):
        """Boxes for every number of elements, from the start."""
        now = {0: []}
        for step in range(1, length + 1):
            after = {}
            for at, box in sorted(now.items()):
                start = self.inside(self.nodes[at], box)
                for place in range(len(self.alphabet)):
                    h, to = self.image(at, place, start)
                    if step == length:
                        continue
                    if to is None:
                        raise Fails(f"node {at} leads nowhere after {step} elements")
                    box = self.coordinates(self.nodes[to], h)
                    known = after.get(to, box)
                    after[to] = np.stack([np.minimum(known[:, 0], box[:, 0]), np.maximum(known[:, 1], box[:, 1])], 1)
            now = {at: box.tolist() for at, box in after.items()}

    def closed(self):
        """Every box is mapped into the next ones."""
        if any(not low <= 0 <= high for low, high in self.nodes[0]["region"]):
            raise Fails("the first node is not where sequences start")
        for at, node in enumerate(self.nodes):
            if at and not node["region"]:
                continue
            for part in self.cut(node["region"]):
                self.follow(at, self.inside(node, part), 0)

    def follow(self, at, now, passed):
        if passed > MAX_PASSED:
            raise Fails("too many nodes without a region follow each other")
        for place in range(len(self.alphabet)):
            h, to = self.image(at, place, now)
            if to is None:
                raise Fails(f"node {at} leads nowhere")
            if not self.nodes[to]["region"]:
                self.follow(to, h, passed + 1)
                continue
            box, arrived = np.array(self.nodes[to]["region"]), self.coordinates(self.nodes[to], h)
            if not ((box[:, 0] <= arrived[:, 0]) & (arrived[:, 1] <= box[:, 1])).all():
                raise Fails(f"node {at} is not mapped into node {to} by element {self.alphabet[place]}")

    def cut(self, box):
        """Into pieces along the widest side."""
        widest = max(range(len(box)), key=lambda i: box[i][1] - box[i][0], default=None)
        if widest is None or self.pieces <= 1 or box[widest][1] == box[widest][0]:
            return [box]
        marks = np.linspace(*box[widest], self.pieces + 1)
        marks[-1] = box[widest][1]
        return [box[:widest] + [[marks[k], marks[k + 1]]] + box[widest + 1:] for k in range(self.pieces)]


MALFORMED = (Fails, KeyError, ValueError, IndexError, TypeError, AttributeError, OSError, np.linalg.LinAlgError)


def main():
    given, bad = sys.argv[1:], 0
    if not given or len(given) % 2:
        sys.exit(__doc__)
    for folder, path in zip(given[::2], given[1::2]):
        try:
            print(f"{os.path.basename(folder.rstrip('/'))}: {check(folder, path)}", flush=True)
        except MALFORMED as reason:
            bad += 1
            what = reason if isinstance(reason, Fails) else f"network or proof have another form than is known here: {reason!r}"
            print(f"{os.path.basename(folder.rstrip('/'))}: not established: {what}", flush=True)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
