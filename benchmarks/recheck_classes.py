"""The part of recheck.py for transformers with hard attention: is every output what the program says, on all inputs of the domain?

Nothing of the proof file is believed but the program. For every length and position both sides become tables over *atoms*: the token
at a position, and how a selection is made up (how many keys of which kind of value). Numbers are intervals of doubles, widened after
every sum by what this script loses and, where the proof claims single precision, by what any order of summation in it may lose
(u = 2^-24 for every operand that is not 0; exponentials within 2^-20, as the proof assumes). Attention is bounded from the intervals
of the scores alone: the share that leaks to keys that are not selected, and how unequal those are that are. Network and program have
an atom in common where the same keys are selected with the same kinds of value, as functions of the same atoms.
"""
import itertools
import json
import math
import os
import re

import numpy as np

U64 = 2.0 ** -52
TIE, NUMBER = 1e-3, 1e-2            # outputs that are closer are not defined; numbers that stand for each other
CLEAR, LEVEL = 2.0, 0.5             # a score this far from that of BOS is clear; one this near is level with it
SAME = 1e-6                         # what an atom changes by less than this, relatively, is held within the interval
MAX_CELLS, MAX_WAYS, MAX_SHARED = 40_000, 400, 2_000


class Fails(Exception):
    """Why a proof is not established."""


# --- tables over atoms --------------------------------------------------------------------------------------------------
class Atoms:
    """The atoms of one length: their sizes, and the ways in which selections are made up."""

    def __init__(self):
        self.sizes, self.tokens, self.selections, self.ways, self.counts = [], {}, {}, {}, {}

    def token(self, position, size):
        if position not in self.tokens:
            self.tokens[position] = len(self.sizes)
            self.sizes.append(size)
        return self.tokens[position]

    def check(self, atoms):
        if math.prod(self.sizes[a] for a in atoms) > MAX_CELLS:
            raise Fails("something depends on too much at once")
        return tuple(sorted(atoms))

    def spread(self, table, atoms):
        """The array of a table with an axis of length 1 for every other atom of `atoms`."""
        own, array = table
        return array[tuple(slice(None) if a in own else None for a in atoms) + (...,)]

    def full(self, table, atoms):
        return np.broadcast_to(self.spread(table, atoms), [self.sizes[a] for a in atoms])

    @staticmethod
    def exact(table):
        """The same function of those atoms that matter to it."""
        atoms, array = table
        for axis in reversed(range(len(atoms))):
            first = array.take([0], axis)
            if (array == first).all():
                atoms, array = atoms[:axis] + atoms[axis + 1:], first.reshape(array.shape[:axis] + array.shape[axis + 1:])
        return atoms, array

    def selection(self, choices):
        """The atom of a selection, and the kinds that its numbers stand for; a choice is a table of 0 or a kind for one key."""
        order, renamed = {}, []
        for atoms, array in map(self.exact, choices):
            for kind in array.ravel():
                if kind and kind not in order:
                    order[kind] = len(order) + 1
            numbers = np.vectorize(lambda kind: order.get(kind, 0), otypes=[np.int32])(array)
            renamed.append((atoms, numbers))
        key = tuple((atoms, array.tobytes()) for atoms, array in renamed)
        if key not in self.selections:
            self.selections[key] = len(self.sizes)
            atom = len(self.sizes)
            self.ways[atom] = self.ranked(renamed, len(order)) or self.made(renamed, len(order))
            self.sizes.append(len(self.ways[atom]))
            if len(order) == 1:
                self.counts[atom] = renamed
        return self.selections[key], list(order)

    def ranked(self, choices, kinds):
        """The ways where exactly one key is selected, since its rank is a given number: ranks count the keys that come before in
        an order of all of them (of any two one comes first, and what is before something before a third is before that)."""
        before, wanted = [], set()
        for atoms, array in choices:
            rank = next((a for a in atoms if len(self.counts.get(a, ())) == len(choices)), None)
            if rank is None:
                return None
            here = np.moveaxis(array, atoms.index(rank), 0).reshape(self.sizes[rank], -1) > 0
            at = [k for k in range(len(here)) if here[k].any()]
            if len(at) != 1 or not here[at[0]].all() or self.ways[rank][at[0]][0] != "of":
                return None
            wanted.add(self.ways[rank][at[0]][1][0])
            before.append(self.counts[rank])
        # before[j][k]: whether key k is before key j. A key that counts itself is ranked from 1 on.
        n, holds = len(before), lambda test, *tables: test(*(self.full(t, self.check({a for own, _ in tables for a in own})) > 0 for t in tables)).all()
        itself = {table[1].tobytes() if not table[0] else b"?" for table in (before[j][j] for j in range(n))}
        if len(wanted) != 1 or len(itself) != 1 or b"?" in itself:
            return None
        place = wanted.pop() - int(before[0][0][1] > 0)
        try:
            total = all(holds(lambda a, b: a != b, before[j][k], before[k][j]) for j in range(n) for k in range(j))
            total = total and all(holds(lambda a, b, c: ~(a & b) | c, before[j][k], before[k][l], before[j][l])
                                  for j, k, l in itertools.permutations(range(n), 3))
        except Fails:
            return None
        if not total or not 0 <= place < n:
            return None
        possible = sorted({int(kind) for _, array in choices for kind in array.ravel()} - {0})
        return [("of", tuple(int(k == kind) for k in range(1, kinds + 1))) for kind in possible]

    def made(self, choices, kinds):
        """All ways in which a selection can be made up, and some that cannot: ('of', how many of every kind), ('only', kind)
        where numbers are not told apart, ('mixed',)."""
        often = [a for a in range(len(self.sizes)) if sum(a in atoms for atoms, _ in choices) > 1]
        if math.prod(self.sizes[a] for a in often) > MAX_SHARED:
            often = []
        possible = set()
        for point in itertools.product(*(range(self.sizes[a]) for a in often)):
            at = dict(zip(often, point))
            keys = []
            for atoms, array in choices:
                part = array[tuple(at.get(a, slice(None)) for a in atoms)]
                keys.append(tuple(sorted(set(np.ravel(part).tolist()))))
            possible.add(tuple(keys))
        counts = set()
        for keys in possible:
            now = {(0,) * kinds}
            for key in keys:
                now = {c[:k - 1] + (c[k - 1] + 1,) + c[k:] if k else c for c in now for k in key}
                if len(now) > MAX_WAYS:
                    break
            counts |= now
            if len(counts) > MAX_WAYS:
                break
        if len(counts) <= MAX_WAYS:
            return [("of", count) for count in sorted(counts)]
        ways = set()
        for keys in possible:
            if all(0 in key for key in keys):
                ways.add(("of", (0,) * kinds))
            for kind in range(1, kinds + 1):
                if any(kind in key for key in keys) and all(0 in key or kind in key for key in keys):
                    ways.add(("only", kind))
            picked = [set(key) - {0} for key in keys]
            if any(len(a | b) > 1 for a, b in itertools.combinations([p for p in picked if p], 2)):
                ways.add(("mixed",))
        return sorted(ways)


# --- the program ----------------------------------------------------------------------------------------------------------
class Text(str):
    """A constant of text."""


NONE = None  # the undefined value


def words(text):
    stack = [[]]
    for token in re.findall(r'"(?:[^"\\]|\\.)*"|[()]|;[^\n]*|[^\s()";]+', text):
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            stack[-1].append(done)
        elif token[0] == '"':
            stack[-1].append(Text(re.sub(r"\\(.)", r"\1", token[1:-1])))
        elif token[0] != ";":
            stack[-1].append(atom(token))
    if len(stack) != 1:
        raise Fails("parentheses do not match")
    return stack[0]


def atom(token):
    if re.fullmatch(r"-?\d+", token):
        return int(token)
    if re.fullmatch(r"-?\d+\.\d*(e-?\d+)?|-?\d+e-?\d+", token):
        return float(token)
    return {"true": True, "false": False}.get(token, token)


def number(v):
    if isinstance(v, (str, type(None))):
        raise Fails("arithmetic on something that is no number")
    return v


def strict(function):
    return lambda *v: NONE if any(x is NONE for x in v) else function(*v)


def whole(function):
    def checked(*v):
        out = function(*map(number, v))
        return NONE if isinstance(out, int) and not isinstance(out, bool) and not -2 ** 63 <= out < 2 ** 63 else out
    return strict(checked)


def logic(deciding):
    def decided(*v):
        if any(x is deciding for x in v):
            return deciding
        return NONE if any(x is NONE for x in v) else not deciding
    return decided


# What the operators of the shipped languages mean; a file that gives one of these names another meaning is not read.
OPERATORS = {
    "+": whole(lambda a, *b: sum(b, a)), "-": whole(lambda a, b: a - b), "*": whole(lambda *v: math.prod(v)), "neg": whole(lambda a: -a),
    "abs": whole(abs), "min": whole(min), "max": whole(max), "<": whole(lambda a, b: a < b), "<=": whole(lambda a, b: a <= b),
    ">": whole(lambda a, b: a > b), ">=": whole(lambda a, b: a >= b), "=": strict(lambda a, b: a == b), "!=": strict(lambda a, b: a != b),
    "not": strict(lambda a: not a), "and": logic(False), "or": logic(True), "xor": strict(lambda a, b: a != b),
    "//": whole(lambda a, b: a // b if b > 0 else NONE), "%": whole(lambda a, b: a % b if b > 0 else NONE),
    "isqrt": whole(lambda a: math.isqrt(a) if a >= 0 else NONE), "to_real": whole(float), "/": whole(lambda a, b: a / b if b != 0 else NONE),
    "ite": lambda c, a, b: NONE if c is NONE else a if c else b, "default": lambda a, b: b if a is NONE else a,
}
# What the files of the shipped languages say of further ones: parameters, meaning, and where they have one.
MEANINGS = {
    ">": "(a b) (> a b)", ">=": "(a b) (>= a b)", "to_real": "(a) (to_real a)", "/": "(a b) (/ a b) (distinct b 0.0)",
    "isqrt": "(a) (isqrt a) (>= a 0)", "selector_width": "(s) (width s)", "aggregate": "(s v) (copy s v)", "mean": "(s v) (mean s v)",
    "sel_and": "(s t) (sel_and s t)", "sel_or": "(s t) (sel_or s t)", "sel_not": "(s) (sel_not s)",
    "default": "(a b) (ite (defined a) a b)",
}


def elementary():
    """The tables that programs may name: sines, logarithms and the like at integers, as the language lists them."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "dsl", "elementary.dsl")
    with open(path) as file:
        forms = [form for form in words(file.read()) if form[:1] == ["define-table"]]
    cut = lambda form: form[4:next((k for k, part in enumerate(form) if isinstance(part, str) and part[:1] == ":"), len(form))]
    return {form[1]: finite(cut(form)) for form in forms}


def finite(entries):
    """A function that lists its arguments."""
    plain = lambda v: NONE if v == "none" and not isinstance(v, Text) else str(v) if isinstance(v, Text) else v
    listed = {tuple(map(plain, key)): plain(out) for key, out in entries}
    return lambda *v: listed.get(v, NONE)


def known_language(text):
    for form in words(text):
        if form[:1] == ["include"] and form[1] not in ("integers", "elementary"):
            raise Fails(f"the language includes {form[1]}, which is not known here")
        if form[:1] == ["define-fun"]:
            where = form[form.index(":when") + 1:][:1] if ":when" in form else []
            if [[name for name, _ in form[2]], form[4], *where] != words(MEANINGS.get(form[1], "")):
                raise Fails(f"the language gives {form[1]} a meaning that is not known here")
        elif form[:1] == ["define-table"]:
            raise Fails("the language has tables of its own")


class Program:
    def __init__(self, text, tokens, n, causal, atoms):
        self.tokens, self.n, self.causal, self.atoms, self.known = tokens, n, causal, atoms, {}
        self.term = words(text)[0]
        self.names, self.tables, self.bound = {}, elementary(), {}

    def constant(self, value):
        array = np.empty((), object)
        array[()] = value
        return (), array

    def value(self, term, at):
        key = (id(term), at) if isinstance(term, list) else None
        if key is None or key not in self.known:
            found = self.fresh(term, at)
            if key is None:
                return found
            self.known[key] = (found, term)
        return self.known[key][0]

    def fresh(self, term, at):
        if isinstance(term, Text) or not isinstance(term, (str, list)):
            return self.constant(str(term) if isinstance(term, Text) else term)
        if term == "tokens":
            array = np.empty(len(self.tokens), object)
            array[:] = self.tokens
            return (self.atoms.token(at, len(self.tokens)),), array
        if term == "indices":
            return self.constant(at)
        if term == "none":
            return self.constant(NONE)
        if isinstance(term, str):
            if term not in self.names:
                raise Fails(f"the name {term} is not known here")
            return self.value(self.names[term], at)
        if term[0] == "let":
            for name, bound in term[1]:
                if self.bound.setdefault(name, bound) is not bound or name in OPERATORS or name in MEANINGS:
                    raise Fails(f"the name {name} has two meanings")
                if isinstance(bound, list) and bound[0] == "table":
                    self.tables[name] = finite(bound[3:])
                else:
                    self.names[name] = bound
            return self.value(term[2], at)
        if term[0] in ("selector_width", "aggregate", "mean"):
            return self.gathered(term, at)
        return self.applied(self.function(term[0]), [self.value(argument, at) for argument in term[1:]])

    def function(self, f):
        if isinstance(f, str):
            found = self.tables.get(f) or OPERATORS.get(f)
            if found is None:
                raise Fails(f"the operator {f} is not known here")
            return found
        if f[0] == "table":
            return finite(f[3:])
        if f[0] != "lambda":
            raise Fails("a predicate that is not known here")

        def called(*values):
            names = dict(zip(f[1], values))

            def inside(term):
                if isinstance(term, Text):
                    return str(term)
                if isinstance(term, list):
                    return self.function(term[0])(*map(inside, term[1:]))
                if isinstance(term, str) and term != "none":
                    return names[term]
                return NONE if term == "none" else term
            return inside(f[2])
        return called

    def applied(self, function, arguments):
        atoms = self.atoms.check({a for own, _ in arguments for a in own})
        columns = [self.atoms.full(argument, atoms) for argument in arguments]
        out = np.empty([self.atoms.sizes[a] for a in atoms], object)
        for cell in np.ndindex(out.shape):
            out[cell] = function(*(column[cell] for column in columns))
        return self.atoms.exact((atoms, out))

    def selected(self, selector, at):
        """For every key whether it is selected."""
        if selector[0] == "select":
            query, predicate = self.value(selector[2], at), self.function(selector[3])
            positions = range(at + 1 if self.causal else self.n)
            return [self.applied(lambda k, q: predicate(k, q) is True, [self.value(selector[1], p), query]) for p in positions]
        parts = [self.selected(part, at) for part in selector[1:]]
        join = {"sel_and": lambda *v: all(v), "sel_or": lambda *v: any(v), "sel_not": lambda v: not v}.get(selector[0])
        if join is None:
            raise Fails("a selector that is not known here")
        return [self.applied(join, list(one)) for one in zip(*parts)]

    def gathered(self, term, at):
        chosen = self.selected(term[1], at)
        if term[0] == "selector_width":
            values = [self.constant(1)] * len(chosen)
        else:
            values = [self.value(term[2], position) for position in range(len(chosen))]
        distinct = []

        def kind(pick, v):
            if pick and v not in distinct:
                distinct.append(v)
            return 1 + distinct.index(v) if pick else 0
        choices = [self.applied(kind, [pick, v]) for pick, v in zip(chosen, values)]
        put = lambda parts: self.combined(term[0], parts)
        sometimes = [k for k, (_, array) in enumerate(choices) if any(c != 0 for c in array.ravel())]
        if len(sometimes) == 1 and all(c != 0 for c in choices[sometimes[0]][1].ravel()) and term[0] != "selector_width":
            return self.applied(lambda v: put([(v, 1)]), [values[sometimes[0]]])
        if all(array.ndim == 0 for _, array in choices):
            return self.constant(put([(distinct[array[()] - 1], 1) for _, array in choices if array[()]]))
        selection, kinds = self.atoms.selection(choices)
        kinds = [distinct[kind - 1] for kind in kinds]
        ways = self.atoms.ways[selection]
        out = np.empty(len(ways), object)
        for k, way in enumerate(ways):
            if way[0] == "of":
                out[k] = put([(kinds[i], n) for i, n in enumerate(way[1]) if n])
            elif way[0] == "only" and term[0] != "selector_width":
                out[k] = put([(kinds[way[1] - 1], 1)])
            elif term[0] == "aggregate" and not any(isinstance(v, float) for v in kinds):
                out[k] = NONE
            else:
                raise Fails("a selection can be made up in too many ways")
        return self.atoms.exact(((selection,), out))

    @staticmethod
    def combined(how, parts):
        n = sum(count for _, count in parts)
        if how == "selector_width":
            return n
        if how == "aggregate":
            if not parts or any(v is NONE for v, _ in parts):
                return NONE
            if all(v == parts[0][0] for v, _ in parts):
                return parts[0][0]
            if not isinstance(parts[0][0], float):
                return NONE
        if not parts:
            return 0.0
        if any(v is NONE for v, _ in parts):
            return NONE
        # Sums of fractions depend on their order in the last digits.
        if n > 1 and any(number(v) != int(v) for v, _ in parts):
            raise Fails("a mean of fractions")
        return sum(number(v) * count for v, count in parts) / n


# --- the network ----------------------------------------------------------------------------------------------------------
class Values:
    """Intervals of vectors, over atoms."""

    def __init__(self, atoms, lo, hi):
        self.atoms, self.lo, self.hi = atoms, lo, hi
        if not (np.isfinite(lo).all() and np.isfinite(hi).all()):
            raise Fails("numbers that are not finite")

    def sizes(self):
        return np.maximum(np.abs(self.lo), np.abs(self.hi)).reshape(-1, self.lo.shape[-1]).max(0)

    def hull(self):
        width = self.lo.shape[-1]
        return Values((), self.lo.reshape(-1, width).min(0), self.hi.reshape(-1, width).max(0))

    def reduced(self, slack):
        """The same over fewer atoms: those that change nothing by more than `slack` are held within the intervals."""
        atoms, lo, hi = self.atoms, self.lo, self.hi
        for axis in reversed(range(len(atoms))):
            low, high = lo.min(axis), hi.max(axis)
            if (high - low - (hi - lo).max(axis) <= slack).all():
                atoms, lo, hi = atoms[:axis] + atoms[axis + 1:], low, high
        return Values(atoms, lo, hi)

    def middle(self):
        """The middles of all intervals, as if these were all there is."""
        middle = (self.lo + self.hi) / 2
        return Values(self.atoms, middle, middle)

    def off(self):
        """How far any number of an interval is from its middle."""
        return np.maximum(self.hi - self.middle().lo, self.middle().lo - self.lo) * (1 + 4 * U64)

    def widened(self, by):
        """By so much to either side; by nothing, not at all."""
        lo, hi = np.nextafter(self.lo - by, -np.inf), np.nextafter(self.hi + by, np.inf)
        return Values(self.atoms, np.where(by == 0, self.lo, lo), np.where(by == 0, self.hi, hi))


def product(x, weight):
    """x W, with the rounding of this script."""
    up, down = np.maximum(weight, 0), np.minimum(weight, 0)
    lost = (weight.shape[0] + 4) * U64 * (np.maximum(np.abs(x.lo), np.abs(x.hi)) @ np.abs(weight))
    return Values(x.atoms, x.lo @ up + x.hi @ down, x.hi @ up + x.lo @ down).widened(lost)


class Net:
    """The nodes of a transformer, on sequences of one length."""

    def __init__(self, weights, config, bos, tokens, n, single, atoms):
        self.w, self.config, self.bos, self.tokens, self.n, self.atoms = weights, config, bos, tokens, n, atoms
        self.single, self.u = single, 2.0 ** -24 if single else 0.0
        self.tiny = 2.0 ** -149 if single else 0.0
        self.eta = 2.0 ** -20 + 8 * 2.0 ** -24 if single else 1e-13
        self.known = {}

    def sources(self, layer, mlp, at):
        """What the residual stream is the sum of, before a layer's attention, or before its MLP."""
        if (layer, mlp, at) not in self.known:
            if layer == 0 and not mlp:
                ids = [self.bos] if at == 0 else self.tokens
                rows = self.w["embed.W_E"][ids]
                atoms = () if at == 0 else (self.atoms.token(at - 1, len(ids)),)
                embed = Values(atoms, rows, rows) if at else Values((), rows[0], rows[0])
                place = self.w["pos_embed.W_pos"][at]
                found = [embed, Values((), place, place)]
            elif mlp:
                found = self.sources(layer, False, at) + [self.head(layer, h, at) for h in range(self.config["n_heads"])]
                found.append(self.constant(f"blocks.{layer}.attn.b_O"))
            else:
                found = list(self.sources(layer - 1, True, at))
                name = f"blocks.{layer - 1}.mlp."
                if name + "W_in" in self.w:
                    found.append(self.layer(found, *(self.w[name + part] for part in ("W_in", "b_in", "W_out"))))
                    found.append(self.constant(name + "b_out"))
            self.known[layer, mlp, at] = [x for x in found if x.lo.any() or x.hi.any()]
        return self.known[layer, mlp, at]

    def constant(self, name):
        return Values((), self.w[name], self.w[name])

    def read(self, sources, weight, bias):
        """The sum of the sources, times a matrix, plus a bias."""
        return self.summed([(source, product(source, weight)) for source in sources], weight, bias)

    def summed(self, sources, weight, bias):
        """The same of sources and what each of them is times the matrix, within the rounding of sums."""
        # Operands that are 0 lose nothing: of a sum only the others count, in each cell.
        nonzero = lambda x: ((x.lo != 0) | (x.hi != 0)).reshape(-1, len(weight)).astype(float)
        cells = [nonzero(x) for x, _ in sources]
        terms = sum(((one @ (weight != 0)).max(0) for one in cells), np.zeros(len(bias)))
        # They are no more than the numbers that are read, and what writes to one of these.
        writers = sum((one.max(0) for one in cells), np.zeros(len(weight)))
        read = (writers > 0)[:, None] & (weight != 0)
        terms = np.minimum(terms, read.sum(0) + (read * writers[:, None]).max(0, initial=0))
        per_size, tiny = 1.01 * (terms + 2) * self.u, (terms + 2) * self.tiny
        lost = lambda size: np.where((size > 0) & (terms > 0), per_size * size + tiny, 0.0)
        total = Values((), bias, bias).widened(lost(np.abs(bias)))
        for x, seen in sources:
            seen = seen.widened(lost(np.maximum(np.abs(x.lo), np.abs(x.hi)) @ np.abs(weight)))
            seen = seen.reduced(SAME * np.abs(seen.sizes()).max())
            atoms = self.atoms.check(set(total.atoms) | set(seen.atoms))
            add = lambda a, b: self.atoms.spread((total.atoms, a), atoms) + self.atoms.spread((seen.atoms, b), atoms)
            both = lambda x: np.maximum(np.abs(x.lo), np.abs(x.hi))
            either = np.minimum(self.atoms.spread((total.atoms, both(total)), atoms), self.atoms.spread((seen.atoms, both(seen)), atoms))
            # What is added to 0 stays as it is.
            total = Values(atoms, add(total.lo, seen.lo), add(total.hi, seen.hi)).widened(np.minimum(either, 1e-300))
        return total.reduced(SAME * total.sizes().max())

    def layer(self, sources, w_in, b_in, w_out):
        """What a hidden layer writes. Beside what its intervals give: a neuron that is on for all that a cell holds is what the
        middles of the sources give, within what is lost there, plus its weights times what the sources are off by; and that is the
        same for all neurons, so of what is written it counts as often as all of them together hand it on."""
        ranges, middles = self.read(sources, w_in, b_in), self.read([x.middle() for x in sources], w_in, b_in)
        atoms = self.atoms.check(set(ranges.atoms) | set(middles.atoms))
        shape = [self.atoms.sizes[a] for a in atoms]
        full = lambda own, array: np.broadcast_to(self.atoms.spread((own, array), atoms), shape + [array.shape[-1]])
        off = np.zeros(shape + [len(w_in)])
        for x in sources:
            away, own = x.off(), x.atoms
            for axis in reversed(range(len(own))):
                if own[axis] not in atoms:
                    away, own = away.max(axis), own[:axis] + own[axis + 1:]
            off = off + self.atoms.spread((own, away), atoms)
        lo, hi = full(ranges.atoms, ranges.lo), np.maximum(full(ranges.atoms, ranges.hi), 0)
        on = lo >= 0
        hidden = Values(atoms, np.maximum(lo, 0), hi)
        alone = Values(atoms, np.where(on, full(middles.atoms, middles.lo), hidden.lo), np.where(on, full(middles.atoms, middles.hi), hi))
        written, seen = product(hidden, w_out), product(alone, w_out)
        handed = np.zeros(shape + [w_out.shape[1]])
        kinds, which = np.unique(on.reshape(-1, on.shape[-1]), axis=0, return_inverse=True)
        for kind, pick in enumerate(kinds):
            cells = (which.reshape(-1) == kind).reshape(shape) if shape else ...
            through = np.abs(w_in[:, pick] @ w_out[pick]) + (pick.sum() + 4) * U64 * (np.abs(w_in[:, pick]) @ np.abs(w_out[pick]))
            handed[cells] = off[cells] @ through * (1 + 2 * len(w_in) * U64)
        seen = seen.widened(handed)
        seen = Values(atoms, np.maximum(seen.lo, written.lo), np.minimum(seen.hi, written.hi))
        return self.summed([(hidden, seen)], w_out, np.zeros(w_out.shape[1]))

    def head(self, layer, h, at):
        p = f"blocks.{layer}.attn."
        w_o = self.w[p + "W_O"][h]
        width = w_o.shape[1]
        if not w_o.any():
            return Values((), np.zeros(width), np.zeros(width))
        keys = range(at + 1 if self.config["attention_dir"] == "causal" else self.n + 1)
        read = lambda part, position: self.part(layer, h, part, position)
        written, size, any_of = [], np.zeros(width), np.zeros(len(w_o), bool)
        for key in keys:
            v = read("V", key)
            # What is written is a mean of what the keys write, and so are the sizes of its terms.
            most = np.maximum(np.abs(v.lo), np.abs(v.hi)).reshape(-1, len(w_o))
            size, any_of = np.maximum(size, (most @ np.abs(w_o)).max(0)), any_of | most.any(0)
            written.append(product(v, w_o))
        scale = max(w.sizes().max() for w in written)
        used = (any_of[:, None] & (w_o != 0)).sum(0)
        lost = np.where(used > 0, 1.01 * (used + 2 * len(keys) + 6) * self.u * size + (used + len(keys)) * self.tiny, 0.0)
        written = [w.reduced(SAME * scale).widened(lost) for w in written]
        low, high = np.min([w.hull().lo for w in written], 0), np.max([w.hull().hi for w in written], 0)
        whole = Values((), low, high)
        if all(not w.atoms for w in written) and (high - low <= SAME * scale + 2 * lost).all():
            return whole
        query, first = read("Q", at), read("K", 0).hull()
        scores = [self.score(query, read("K", key), first) for key in keys[1:]]
        return self.heard(written, scores, whole, SAME * scale)

    def part(self, layer, h, part, at):
        key = (layer, h, part, at)
        if key not in self.known:
            p = f"blocks.{layer}.attn."
            self.known[key] = self.read(self.sources(layer, False, at), self.w[p + "W_" + part][h], self.w[p + "b_" + part][h])
        return self.known[key]

    def score(self, q, k, first):
        """By how much a key's score exceeds that of BOS."""
        atoms = self.atoms.check(set(q.atoms) | set(k.atoms))
        spread = lambda x, array: self.atoms.spread((x.atoms, array), atoms)
        ql, qh = spread(q, q.lo), spread(q, q.hi)
        dl, dh = np.nextafter(spread(k, k.lo) - first.hi, -np.inf), np.nextafter(spread(k, k.hi) - first.lo, np.inf)
        ends = [ql * dl, ql * dh, qh * dl, qh * dh]
        most = np.maximum(np.abs(ql), np.abs(qh)) * (np.maximum(np.abs(spread(k, k.lo)), np.abs(spread(k, k.hi))) + np.maximum(np.abs(first.lo), np.abs(first.hi)))
        used = (most > 0).sum(-1)
        lost = most.sum(-1) * (1.01 * (used + 3) * self.u + (q.lo.shape[-1] + 6) * U64) + used * self.tiny
        scale = 1 / self.config.get("attn_scale", math.sqrt(q.lo.shape[-1])) if self.config.get("use_attn_scale", True) else 1.0
        lo = (np.minimum.reduce(ends).sum(-1) - lost) * scale
        hi = (np.maximum.reduce(ends).sum(-1) + lost) * scale
        # The softmax subtracts the greatest score, and rounds.
        round_off = (np.maximum(np.abs(lo), np.abs(hi))) * (4 * self.u + 8 * U64)
        found = Values(atoms, (lo - round_off)[..., None], (hi + round_off)[..., None])
        return found.reduced(2e-4)

    def heard(self, written, scores, whole, slack):
        half = np.nextafter((whole.hi - whole.lo) / 2, np.inf) * (1 + 1e-12)
        stands = []
        for s in scores:
            lo, hi = s.lo[..., 0], s.hi[..., 0]
            stand = np.where(lo >= CLEAR, 1, np.where(hi <= -CLEAR, -1, np.where((lo >= -LEVEL) & (hi <= LEVEL), 0, 9)))
            stands.append((s.atoms, stand))
        above = any((stand == 1).any() for _, stand in stands)
        if any((stand == 9).any() or above and (stand == 0).any() for _, stand in stands):
            found = whole if any(s.atoms for s in scores) else self.weighted(written, scores, whole, half)
            return self.leveled(written, scores, whole, half, slack) if found is whole else found
        wanted = 1 if above else 0
        picked = [(atoms, stand == wanted) for atoms, stand in stands]
        inner = [(s.lo[..., 0][pick].min(), s.hi[..., 0][pick].max()) for s, (_, pick) in zip(scores, picked) if pick.any()]
        outer = [s.hi[..., 0][~pick].max() for s, (_, pick) in zip(scores, picked) if not pick.all()]
        shares = Shares(inner, max(outer, default=-np.inf), len(written), above, self.eta)
        picked = [self.atoms.exact(pick) for pick in picked]
        if all(array.ndim == 0 for _, array in picked):
            chosen = [written[j + 1] for j, (_, array) in enumerate(picked) if array[()]]
            if (above and len(chosen) <= 1) or not any(w.atoms for w in chosen):
                members = chosen if above and chosen else chosen + [written[0]]
                atoms = self.atoms.check({a for w in members for a in w.atoms})
                mean = lambda side: sum(self.atoms.spread((w.atoms, getattr(w, side)), atoms) for w in members) / len(members)
                kinds = [tuple(map(float, np.ravel(w.lo))) + tuple(map(float, np.ravel(w.hi))) for w in chosen]
                counts = [kinds.count(kind) for kind in dict.fromkeys(kinds)]
                apart = np.max([w.off().reshape(-1, len(half)).max(0) for w in members], 0)
                around = shares.around(counts, half, apart) + 8 * U64 * np.maximum(np.abs(whole.lo), np.abs(whole.hi))
                return Values(atoms, mean("lo"), mean("hi")).widened(around)
        return self.counted(written, picked, whole, half, shares, above, slack)

    def weighted(self, written, scores, whole, half):
        """Scores that are neither clear nor level, but always the same: every key gets its own share."""
        low, high = (np.array([0.0] + [getattr(s, side)[0] for s in scores]) for side in ("lo", "hi"))
        low, high = np.exp(low - high.max() - self.eta) * (1 - 1e-14), np.exp(high - high.max() + self.eta) * (1 + 1e-14)
        if not (np.isfinite(high).all() and high.sum() > 0 and low.sum() > 0):
            return whole
        least, most = low / (low + high.sum() - high), high / (high + low.sum() - low)
        share = (least + most) / (least + most).sum()
        # What gets hardly anything is held within the interval.
        share[share.argmax()] += share[share < 1e-4].sum()
        share = np.where(share < 1e-4, 0.0, share)
        away = (np.maximum(share - least, most - share) * (1 + 1e-12)).sum() + 1e-14
        members = [(part, w) for part, w in zip(share, written) if part]
        if math.prod(self.atoms.sizes[a] for a in {a for _, w in members for a in w.atoms}) > MAX_CELLS:
            return whole
        atoms = self.atoms.check({a for _, w in members for a in w.atoms})
        mean = lambda side: sum(part * self.atoms.spread((w.atoms, getattr(w, side)), atoms) for part, w in members)
        around = away * half + 64 * U64 * np.maximum(np.abs(whole.lo), np.abs(whole.hi))
        return Values(atoms, mean("lo"), mean("hi")).widened(around)

    def leveled(self, written, scores, whole, half, slack):
        """Scores in a few intervals that are apart: how those of the highest ones are made up are selections of their own."""
        ends = sorted((pair for s in scores for pair in zip(s.hi.ravel(), s.lo.ravel())), reverse=True)
        levels = []
        for hi, lo in ends:
            if levels and hi >= levels[-1][0] - 0.25:
                levels[-1][0] = min(levels[-1][0], lo)
            else:
                levels.append([lo, hi])
        tables, top = [], max(0.0, levels[0][1])
        weigh = lambda level: (math.exp(level[0] - top - self.eta) * (1 - 1e-14), math.exp(level[1] - top + self.eta) * (1 + 1e-14))
        for level in levels[:3]:
            try:
                tables.append(self.at_level(written, scores, level, slack))
            except Fails:
                break
        if not tables:
            return whole
        atoms = self.atoms.check({a for own, _ in tables for a in own})
        spread = [np.broadcast_to(self.atoms.spread(table, atoms), [self.atoms.sizes[a] for a in atoms]) for table in tables]
        bos = written[0].hull()
        lo, hi = (np.zeros(spread[0].shape + half.shape) for _ in range(2))
        for cell in np.ndindex(spread[0].shape):
            groups, left = [(*weigh((0.0, 0.0)), bos.lo, bos.hi)], len(scores)
            for level, table in zip(levels, spread):
                for count, low, high in table[cell]:
                    groups.append((*(count * w for w in weigh(level)), low, high))
                    left -= count
            rest = max(left, 0) * weigh(levels[len(tables)])[1] if len(tables) < len(levels) else 0.0
            least, most = sum(g[0] for g in groups), sum(g[1] for g in groups) + rest
            low = np.array([g[0] / (g[0] + (most - g[1]) * (1 + 1e-12)) for g in groups])
            high = np.array([g[1] / (g[1] + (least - g[0]) * (1 - 1e-12)) for g in groups])
            share = (low + high) / (low + high).sum()
            away = (np.maximum(share - low, high - share) + 1e-14).sum() * (1 + 1e-12) + rest / (rest + least)
            middle = sum(part * (g[2] + g[3]) / 2 for part, g in zip(share, groups))
            apart = sum(part * (g[3] - g[2]) / 2 for part, g in zip(high, groups))
            around = away * half + apart * (1 + 1e-12) + 256 * U64 * np.maximum(np.abs(whole.lo), np.abs(whole.hi))
            lo[cell], hi[cell] = middle - around, middle + around
        return Values(atoms, lo, hi)

    def at_level(self, written, scores, level, slack):
        """How many keys of every kind have a score in an interval, as a table of lists."""
        picked = [self.atoms.exact((s.atoms, (level[0] <= s.lo[..., 0]) & (s.hi[..., 0] <= level[1]))) for s in scores]
        ever = [j for j, (_, pick) in enumerate(picked) if pick.any()]
        if len(ever) == 1 and picked[ever[0]][1].all():
            # One key that is always there: what it writes.
            w = written[ever[0] + 1]
            table = np.empty([self.atoms.sizes[a] for a in w.atoms], object)
            for cell in np.ndindex(table.shape):
                table[cell] = [(1, w.lo[cell], w.hi[cell])]
            return w.atoms, table
        kinds, choices = self.kinds(written, picked, slack)
        selection, order = self.atoms.selection(choices)
        ways = self.atoms.ways[selection]
        if any(way[0] != "of" for way in ways):
            raise Fails("a selection can be made up in too many ways")
        table = np.empty(len(ways), object)
        for k, way in enumerate(ways):
            table[k] = [(n, *kinds[order[i] - 1]) for i, n in enumerate(way[1]) if n]
        return (selection,), table

    def kinds(self, written, picked, slack):
        """The kinds of what is written by keys that are picked, and for every key which kind it is of, from 1 on, or 0."""
        kinds, choices = [], []
        for w, (atoms, pick) in zip(written[1:], picked):
            every = self.atoms.check(set(w.atoms) | set(atoms))
            shape = [self.atoms.sizes[a] for a in w.atoms]
            numbers = np.zeros(shape, np.int32)
            # A cell of what is written is of a kind only if it is ever selected.
            pick = self.atoms.full((atoms, pick), every)
            ever = pick.any(tuple(i for i, a in enumerate(every) if a not in w.atoms))
            for cell in np.ndindex(*shape):
                if not ever[cell]:
                    continue
                lo, hi = w.lo[cell], w.hi[cell]
                for k, (low, high) in enumerate(kinds):
                    # As good as the same, or not told apart.
                    if (np.maximum(low, lo) - np.minimum(high, hi)).max() <= 20 * slack:
                        break
                else:
                    k = len(kinds)
                    kinds.append((lo, hi))
                kinds[k] = (np.minimum(kinds[k][0], lo), np.maximum(kinds[k][1], hi))
                numbers[cell] = k + 1
            choices.append((every, np.where(pick, self.atoms.full((w.atoms, numbers), every), 0)))
        return kinds, choices

    def counted(self, written, picked, whole, half, shares, above, slack):
        kinds, choices = self.kinds(written, picked, slack)
        selection, order = self.atoms.selection(choices)
        ways = self.atoms.ways[selection]
        bos = written[0].hull()
        rounding = 64 * U64 * np.maximum(np.abs(whole.lo), np.abs(whole.hi))
        lo, hi = [], []
        for way in ways:
            if way[0] == "of":
                members = [(n, kinds[order[i] - 1]) for i, n in enumerate(way[1]) if n]
                n = sum(count for count, _ in members)
                if not (above and n):
                    members.append((1, (bos.lo, bos.hi)))
                total = sum(count for count, _ in members)
                apart = np.max([Values((), low, high).off() for _, (low, high) in members], 0)
                around = shares.around([count for count in way[1] if count], half, apart) + rounding
            elif way[0] == "only" and above:
                # All that are selected write the same: it does not matter which gets more.
                members, total, around = [(1, kinds[order[way[1] - 1] - 1])], 1, 2 * shares.leak(1) * half + rounding
            else:
                lo.append(whole.lo)
                hi.append(whole.hi)
                continue
            lo.append(sum(count / total * low for count, (low, _) in members) - around)
            hi.append(sum(count / total * high for count, (_, high) in members) + around)
        return Values((selection,), np.array(lo), np.array(hi))


class Shares:
    """How far the shares of attention may be from equal ones. Scores lie in intervals; exponentials are off by a factor of at most
    1 + eta, which is the same as scores that are off by eta."""

    def __init__(self, inner, outer, keys, above, eta):
        self.low, self.high = min((lo for lo, _ in inner), default=0.0), max((hi for _, hi in inner), default=0.0)
        self.outer, self.keys, self.above, self.eta = outer, keys, above, eta

    def leak(self, n):
        """The share that keys get at most that are not members, where `n` are selected, or at least so many."""
        rest = (self.keys - 1 - n) * math.exp(min(self.outer, 700.0)) if self.outer > -np.inf else 0.0
        if self.above and n:
            # BOS is no member, and has the score 0.
            weight = (1.0 + rest) * math.exp(-min(self.low, 700.0)) / n
        else:
            weight = rest / (1.0 + n * math.exp(max(self.low, -700.0)))
        weight *= math.exp(2 * self.eta) * (1 + 1e-12)
        return weight / (1 + weight) * (1 + 1e-12) + 1e-300

    def around(self, counts, half, apart):
        """How far what is written is from that of equal shares, where so many of every kind are selected: what a kind has above its
        due counts with how far kinds lie from the middle, what a key has with how far it is from the middle of its kind."""
        return self.away(counts) * half + self.away([1] * sum(counts)) * apart

    def away(self, counts):
        """The sum, at most, of how far what every kind gets is from what equal shares give it: twice what some kinds can have above
        their due, which is most where these have their greatest weights and all others their least. BOS is a kind of its own."""
        n = sum(counts)
        some = {0}
        for count in counts:
            some |= {k + count for k in some}
        bos = int(not (self.above and n))
        top = max(self.high, 0.0) if bos else self.high
        most, least = math.exp(self.high + self.eta - top), math.exp(max(self.low - self.eta - top, -700.0))
        own = math.exp(max(self.eta - top, -700.0)), math.exp(max(-self.eta - top, -700.0))
        beyond = 0.0
        for k, b in itertools.product(sorted(some), range(bos + 1)):
            up, down = k * most + b * own[0], (n - k) * least + (bos - b) * own[1]
            beyond = max(beyond, up / (up + down) - (k + b) / (n + bos))
        return (2 * beyond + 2 * self.leak(n)) * (1 + 1e-12) + 1e-14


# --- the comparison -------------------------------------------------------------------------------------------------------
def scalar(v):
    if isinstance(v, (bool, int, float, str)):
        return v
    raise Fails("a vocabulary of other values than texts and numbers")


def same(a, b):
    """Whether a value of the program stands for one of the network."""
    if b is NONE:
        return False
    if isinstance(a, str) or isinstance(b, str):
        return isinstance(a, str) and isinstance(b, str) and a == b
    return abs(a - b) <= 1e-6


def compare(outputs, said, values, atoms):
    """By how much outputs are told apart from those that would be read as something else, at least."""
    every = atoms.check(set(outputs.atoms) | set(said[0]))
    shape = [atoms.sizes[a] for a in every]
    lo = np.broadcast_to(atoms.spread((outputs.atoms, outputs.lo), every), shape + [outputs.lo.shape[-1]])
    hi = np.broadcast_to(atoms.spread((outputs.atoms, outputs.hi), every), shape + [outputs.lo.shape[-1]])
    program, margin = atoms.full(said, every), np.inf
    for cell in np.ndindex(*shape):
        low, high, wanted = lo[cell], hi[cell], program[cell]
        if values is None:
            if isinstance(wanted, (str, type(None))) or len(low) != 1:
                raise Fails("the program has no number")
            margin = min(margin, NUMBER * (1 - 1e-6) - max(high[0] - wanted, wanted - low[0]))
            continue
        for wrong in (k for k, v in enumerate(values) if not same(v, wanted)):
            # It does not lead where another output is larger, or so close that neither is read.
            others = np.delete(low, wrong)
            margin = min(margin, (others.max() if len(others) else -np.inf) - high[wrong] + TIE * 0.99)
    return margin


def check(config, task, weights, proof):
    """Whether a proof by classes holds; what is established."""
    known_language(proof["dsl"]["root"])
    if list(proof["dsl"]) != ["root"]:
        raise Fails("a language of several files")
    if config.get("normalization_type") is not None or config.get("act_fn") != "relu" or task["input"].get("bos_id") is None:
        raise Fails("only networks without normalisation, with ReLU and BOS")
    given, single = task["input"], {"float32": True, "real": False}[proof["arithmetic"]]
    outside = {given["bos_id"], given.get("pad_id")}
    ids = [k for k in range(len(given["vocab"])) if k not in outside]
    tokens = [scalar(given["vocab"][k]) for k in ids]
    if len({type(token) for token in tokens}) != 1 or isinstance(tokens[0], (bool, float)):
        raise Fails("tokens that are neither all texts nor all integers")
    least, most = given["length"]
    if given.get("constraint") is not None:
        most = min(most, len(tokens))
    if proof["scope"] != f"length <= {most}":
        raise Fails(f"the domain has lengths up to {most}; the proof says {proof['scope']}")
    causal = config["attention_dir"] == "causal"
    values = [scalar(v) for v in task["output"]["values"]] if task["output"]["kind"] == "categorical" else None
    margin, gap = np.inf, 0.0
    arithmetics = [single] if single or proof["gap"] is None else [False, True]
    # What stands at a position of a causal network does not depend on what follows.
    for n in [most] if causal else range(least, most + 1):
        atoms = Atoms()
        nets = [Net(weights, config, given["bos_id"], ids, n, how, atoms) for how in arithmetics]
        program = Program(proof["program"], tokens, n, causal, atoms)
        for at in range(n):
            said = program.value(program.term, at)
            for net in nets:
                outputs = net.read(net.sources(config["n_layers"], False, at + 1), weights["unembed.W_U"], weights["unembed.b_U"])
                gap = max(gap, float((outputs.hi - outputs.lo).max()))
                if net.single == single:
                    margin = min(margin, compare(outputs, said, values, atoms))
            if not margin > 0:
                raise Fails(f"an output may be another than the program's, at position {at} of {n}")
    claimed = proof["regions"]["classes"]
    if not margin >= claimed["margin"]:
        raise Fails(f"the outputs are the program's, but told apart by {margin:.9g} at least, not by {claimed['margin']:.9g}")
    if proof["gap"] is not None and not gap <= proof["gap"]:
        raise Fails(f"the outputs are the program's, but single precision may be off by {gap:.3g}, not {proof['gap']:.3g}")
    return f"holds: {proof['scope']}, {proof['arithmetic']}, outputs told apart by {margin:.4g}, within {gap:.2g}"
