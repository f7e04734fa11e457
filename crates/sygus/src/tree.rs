//! Decision trees over the terms and predicates of a bank, and some beside it (Alur et al., TACAS 2017), cheapest first.
//!
//! A leaf is a term that is right at all points that reach it. A split is a production that chooses between two of its
//! arguments: `ite`, or any function of the file with such a meaning, also where the condition is made of a branch
//! itself, as in `or` and `and`. Branch and bound over sets of points: widths 1, 2, 4, ... limit how many splits are tried at a node, so that a
//! first tree comes soon; when no width was needed, the tree is a cheapest one over what the bank holds.

use std::borrow::Cow;
use std::rc::Rc;

use dsl::{Func, Grammar, Kernel, Language, Node, NonterminalId, Production, Term};
use rustc_hash::{FxHashMap, FxHashSet};
use samples::{Column, Sort, Symbol};
use synth::{Bank, ClassId};

use crate::mask::Mask;
use crate::spec::evaluate;
use crate::theory;

/// Leaves and splits that are considered for one nonterminal, cheapest first.
const LEAF_LIMIT: usize = 600;
const SPLIT_LIMIT: usize = 3000;

/// A production that chooses between two of its arguments, or a term of the grammar that does.
#[derive(Clone, Debug)]
pub(crate) struct Conditional {
    /// The choice over [`argument`]s.
    term: Term,
    args: Vec<NonterminalId>,
    /// How often each argument stands in the term.
    times: Vec<u32>,
    /// What it costs without its arguments.
    cost: u32,
    /// Position of the argument that is the value where the condition holds, and of the other one.
    branches: [usize; 2],
    /// Position of the argument that the condition is made of; perhaps that of a branch.
    deciding: usize,
    /// The condition over [`argument`]s.
    condition: Term,
}

impl Conditional {
    /// A term over three arguments of the start, the first of which decides between the others by a condition.
    pub(crate) fn new(term: Term, condition: Term) -> Self {
        let count = |i| occurrences(&term, argument(i));
        let times = vec![count(0), count(1), count(2)];
        let cost = (theory::nodes(&term) as u32).saturating_sub(times.iter().sum());
        Self { term, args: vec![NonterminalId(0); 3], times, cost, branches: [1, 2], deciding: 0, condition }
    }

    /// Whether any condition can decide between any branches.
    pub(crate) fn is_whole(&self) -> bool {
        !self.branches.contains(&self.deciding)
    }
}

fn occurrences(term: &Term, name: Symbol) -> u32 {
    match term.node() {
        Node::Var(own) => u32::from(*own == name),
        Node::App(_, args) => args.iter().map(|arg| occurrences(arg, name)).sum(),
        _ => 0,
    }
}

/// The name that stands for an argument.
pub(crate) fn argument(position: usize) -> Symbol {
    Symbol::new(&format!("argument {position}"))
}

/// The nonterminals whose terms are terms of one, itself included.
pub(crate) fn chained(grammar: &Grammar, id: NonterminalId) -> Vec<NonterminalId> {
    let mut all = vec![id];
    let mut next = 0;
    while let Some(&at) = all.get(next) {
        for production in &grammar.nonterminal(at).productions {
            if let Production::Chain(to) = production
                && !all.contains(to)
            {
                all.push(*to);
            }
        }
        next += 1;
    }
    all
}

/// The conditional productions of a nonterminal.
pub(crate) fn conditionals(grammar: &Grammar, language: &Language, id: NonterminalId) -> Vec<Conditional> {
    let all = chained(grammar, id);
    let productions = all.iter().flat_map(|&id| &grammar.nonterminal(id).productions);
    productions
        .filter_map(|production| match production {
            Production::Apply { func, args, cost } => conditional(language, func, args, *cost),
            _ => None,
        })
        .collect()
}

fn conditional(language: &Language, func: &Func, args: &[NonterminalId], cost: u32) -> Option<Conditional> {
    let params: Vec<Term> = (0..args.len()).map(|i| Term::var(argument(i))).collect();
    let term = Term::app(func.clone(), params);
    let meaning = theory::expand(&term, language);
    let Node::App(Func::Kernel(kernel), parts) = meaning.node() else { return None };
    // `(or a b)` is `(ite a a b)`, `(and a b)` is `(ite a b a)`.
    let (condition, a, b) = match (kernel, parts.as_slice()) {
        (Kernel::Ite, [condition, a, b]) => (condition, a, b),
        (Kernel::Or, [a, b]) => (a, a, b),
        (Kernel::And, [a, b]) => (a, b, a),
        _ => return None,
    };
    let position = |term: &Term| match term.node() {
        Node::Var(name) => (0..args.len()).find(|&i| argument(i) == *name),
        _ => None,
    };
    let branches = [position(a)?, position(b)?];
    let used = crate::spec::names(condition);
    let deciding = match used.as_slice() {
        [name] => (0..args.len()).find(|&i| argument(i) == *name)?,
        _ => return None,
    };
    let others = (0..args.len()).all(|i| branches.contains(&i) || i == deciding);
    let is_split = branches[0] != branches[1] && others;
    is_split.then(|| Conditional {
        term,
        args: args.to_vec(),
        times: vec![1; args.len()],
        cost,
        branches,
        deciding,
        condition: condition.clone(),
    })
}

/// A term beside the bank that trees may be made of.
#[derive(Clone, Debug)]
pub(crate) struct Extra {
    pub(crate) term: Term,
    pub(crate) cost: u32,
    pub(crate) nonterminal: NonterminalId,
    /// Its values at the bank's points.
    pub(crate) column: Column,
}

/// What trees are made of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Piece {
    Class(ClassId),
    /// A term beside the bank.
    Extra(usize),
}

/// A piece with its cost and values.
struct Known<'b> {
    piece: Piece,
    cost: u32,
    sort: Sort,
    codes: Cow<'b, [i64]>,
}

/// The pieces of a nonterminal, cheapest first.
fn pieces<'b>(bank: &'b Bank<'_>, extras: &'b [Extra], id: NonterminalId) -> Vec<Known<'b>> {
    let classes = bank.classes_of(id).map(|found| {
        let piece = Piece::Class(found.id);
        Known { piece, cost: found.cost, sort: found.sort, codes: found.codes }
    });
    let own = extras.iter().enumerate().filter(|(_, extra)| extra.nonterminal == id).map(|(index, extra)| {
        let codes = Cow::Borrowed(extra.column.codes.as_slice());
        Known { piece: Piece::Extra(index), cost: extra.cost, sort: extra.column.sort, codes }
    });
    let mut all: Vec<Known<'_>> = classes.chain(own).collect();
    all.sort_by_key(|known| known.cost);
    all
}

/// A tree over pieces.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(Piece),
    /// The conditional, the piece that decides, and the subtrees of the branches; the one that decides has none.
    Split(usize, Piece, [Option<Rc<Tree>>; 2]),
}

/// A tree found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) term: Term,
    pub(crate) cost: u32,
}

/// A term and where it is right.
struct Leaf {
    piece: Piece,
    cost: u32,
    right: Mask,
}

struct Split {
    /// Index of the conditional.
    conditional: usize,
    piece: Piece,
    /// With the production's own cost.
    cost: u32,
    holds: Mask,
    /// Where the branch that decides is right, and which one it is.
    fixed: Option<(usize, Mask)>,
}

/// What trees at a nonterminal are made of.
#[derive(Default)]
struct Parts {
    leaves: Vec<Leaf>,
    splits: Vec<Split>,
    least_leaf: u32,
    least_split: u32,
    /// For each point, the points that one leaf can be right at together with it.
    together: Vec<Mask>,
}

/// The search for trees over what a bank holds.
pub(crate) struct Forest<'a> {
    bank: &'a Bank<'a>,
    extras: &'a [Extra],
    conditionals: Vec<Conditional>,
    parts: FxHashMap<NonterminalId, Parts>,
    width: usize,
    n_nodes: u64,
    max_nodes: u64,
    /// Whether the width kept a split from being tried.
    cut: bool,
    memo: FxHashMap<(NonterminalId, Mask), Entry>,
}

#[derive(Clone, Default)]
struct Entry {
    /// No tree is cheaper than this.
    lower: u32,
    best: Option<(u32, Rc<Tree>)>,
}

impl<'a> Forest<'a> {
    /// Gathers leaves and splits for the start of a grammar. `right` says at which of the bank's points a column is right.
    pub(crate) fn new(
        bank: &'a Bank<'a>,
        extras: &'a [Extra],
        grammar: &Grammar,
        choice: Option<&Conditional>,
        n_points: usize,
        right: &dyn Fn(&[i64]) -> Mask,
    ) -> Option<Self> {
        let start = NonterminalId(0);
        let mut forest = Self {
            bank,
            extras,
            conditionals: Vec::new(),
            parts: FxHashMap::default(),
            width: 1,
            n_nodes: 0,
            max_nodes: 0,
            cut: false,
            memo: FxHashMap::default(),
        };
        let mut open = vec![start];
        while let Some(id) = open.pop() {
            if forest.parts.contains_key(&id) {
                continue;
            }
            let mut own = conditionals(grammar, bank.language(), id);
            if id == start {
                own.extend(choice.cloned());
            }
            let mut parts = Parts { leaves: leaves(&pieces(bank, extras, id), right), ..Parts::default() };
            for conditional in own {
                for branch in conditional.branches {
                    open.push(conditional.args[branch]);
                }
                let index = forest.conditionals.len();
                let deciding = pieces(bank, extras, conditional.args[conditional.deciding]);
                parts.splits.extend(splits(bank.language(), &deciding, &conditional, index, n_points, right));
                forest.conditionals.push(conditional);
            }
            parts.finish(n_points);
            forest.parts.insert(id, parts);
        }
        forest.parts.get(&start).is_some_and(|parts| !parts.splits.is_empty()).then_some(forest)
    }

    /// The cheapest tree below a bound that is right at all points, as far as a number of nodes goes; whether it is
    /// known that none is cheaper.
    pub(crate) fn search(&mut self, n_points: usize, bound: u32, max_nodes: u64) -> (Option<Found>, bool) {
        let all = Mask::first(n_points);
        let start = NonterminalId(0);
        self.max_nodes = max_nodes;
        let mut best: Option<(u32, Rc<Tree>)> = None;
        let mut width = 1;
        loop {
            self.memo.clear();
            self.width = width;
            self.cut = false;
            let limit = best.as_ref().map_or(bound, |(cost, _)| *cost);
            if let Some(found) = self.best(start, all, limit) {
                best = Some(found);
            }
            let is_spent = self.n_nodes >= self.max_nodes;
            if !self.cut || is_spent {
                let found = best.map(|(cost, tree)| Found { term: self.term(&tree), cost });
                return (found, !is_spent);
            }
            width *= 2;
        }
    }

    fn term(&self, tree: &Tree) -> Term {
        match tree {
            Tree::Leaf(piece) => self.piece(*piece),
            Tree::Split(index, piece, branches) => {
                let conditional = &self.conditionals[*index];
                let arg = |i: usize| {
                    let branch = conditional.branches.iter().position(|&at| at == i);
                    match branch.and_then(|branch| branches[branch].as_ref()) {
                        Some(subtree) => self.term(subtree),
                        None => self.piece(*piece),
                    }
                };
                let args: Vec<Term> = (0..conditional.args.len()).map(arg).collect();
                let position = |name| (0..args.len()).find(|&i| argument(i) == name);
                conditional.term.substitute(&|name| position(name).map(|i| args[i].clone()))
            }
        }
    }

    fn piece(&self, piece: Piece) -> Term {
        match piece {
            Piece::Class(class) => self.bank.term(class),
            Piece::Extra(index) => self.extras[index].term.clone(),
        }
    }

    fn best(&mut self, id: NonterminalId, points: Mask, bound: u32) -> Option<(u32, Rc<Tree>)> {
        let known = self.memo.get(&(id, points)).cloned().unwrap_or_default();
        if let Some((cost, tree)) = &known.best
            && *cost <= known.lower
        {
            return (*cost < bound).then(|| (*cost, tree.clone()));
        }
        if known.lower >= bound {
            return None;
        }
        self.n_nodes += 1;
        let parts = &self.parts[&id];
        let leaf = parts.leaves.iter().find(|leaf| points.is_within(leaf.right));
        let mut best = leaf.map(|leaf| (leaf.cost, Rc::new(Tree::Leaf(leaf.piece)))).filter(|(cost, _)| *cost < bound);
        let mut limit = best.as_ref().map_or(bound, |(cost, _)| *cost);
        let candidates = self.candidates(id, points, limit);
        for candidate in candidates {
            if self.n_nodes >= self.max_nodes {
                break;
            }
            let left = limit.saturating_sub(candidate.cost);
            let conditional = &self.conditionals[candidate.conditional];
            let ids = conditional.branches.map(|at| conditional.args[at]);
            let times = conditional.branches.map(|at| conditional.times[at]);
            let lower =
                [0, 1].map(|i| candidate.sides[i].map_or(0, |side| self.lower(ids[i], side).saturating_mul(times[i])));
            if lower[0].saturating_add(lower[1]) >= left {
                continue;
            }
            let mut trees = [None, None];
            let mut cost = candidate.cost;
            let mut fits = true;
            for i in 0..2 {
                let Some(side) = candidate.sides[i] else { continue };
                let rest = if i == 0 { lower[1] } else { 0 };
                let left = limit.saturating_sub(cost.saturating_add(rest));
                match self.best(ids[i], side, left.div_ceil(times[i].max(1))) {
                    Some((own, tree)) => {
                        cost += own * times[i];
                        trees[i] = Some(tree);
                    }
                    None => {
                        fits = false;
                        break;
                    }
                }
            }
            if fits && cost < limit {
                limit = cost;
                best = Some((cost, Rc::new(Tree::Split(candidate.conditional, candidate.piece, trees))));
            }
        }
        let entry = self.memo.entry((id, points)).or_default();
        entry.lower = entry.lower.max(limit.min(bound));
        if let Some(found) = &best {
            entry.best = Some(found.clone());
        }
        best
    }

    /// What trees at these points cost at least.
    fn lower(&self, id: NonterminalId, points: Mask) -> u32 {
        let parts = &self.parts[&id];
        let known = self.memo.get(&(id, points)).map_or(0, |entry| entry.lower);
        // Points of which no two can share a leaf need a leaf each.
        let (mut rest, mut n_leaves) = (points, 0);
        while let Some(point) = rest.lowest() {
            n_leaves += 1;
            rest = rest.without(parts.together[point]).without(std::iter::once(point).collect());
        }
        let apart = n_leaves * parts.least_leaf + (n_leaves.max(1) - 1) * parts.least_split;
        known.max(apart)
    }

    /// The splits that are worth trying, best first.
    fn candidates(&mut self, id: NonterminalId, points: Mask, limit: u32) -> Vec<Candidate> {
        let parts = &self.parts[&id];
        if parts.least_split.saturating_add(parts.least_leaf) >= limit {
            return Vec::new();
        }
        let mut kept: FxHashSet<Mask> = FxHashSet::default();
        let mut all: Vec<Candidate> = Vec::new();
        let strongest = parts.strongest(points);
        for split in &parts.splits {
            if split.cost + parts.least_leaf >= limit {
                break;
            }
            let holds = points.and(split.holds);
            let fails = points.without(split.holds);
            if holds.is_empty() || fails.is_empty() {
                continue;
            }
            let mut sides = [Some(holds), Some(fails)];
            if let Some((branch, right)) = split.fixed {
                if sides[branch].is_some_and(|side| !side.is_within(right)) {
                    continue;
                }
                sides[branch] = None;
            } else if !kept.insert(if holds.lowest() == points.lowest() { holds } else { fails }) {
                // Splits come cheapest first: another one with the same sides is of no use.
                continue;
            }
            let missed = missed(&strongest, holds, fails);
            let missed: u32 = (0..2).map(|i| sides[i].map_or(0, |_| missed[i])).sum();
            all.push(Candidate {
                conditional: split.conditional,
                piece: split.piece,
                cost: split.cost,
                sides,
                // A point that is missed needs another split and leaf, or a share of one.
                rank: split.cost + missed * (parts.least_split + parts.least_leaf) / 2,
            });
        }
        let order = |own: &Candidate| (own.rank, own.piece, own.cost, own.conditional);
        if all.len() > self.width {
            self.cut = true;
            all.select_nth_unstable_by_key(self.width, order);
            all.truncate(self.width);
        }
        all.sort_unstable_by_key(order);
        all
    }
}

/// How many points of the two sides of a split are missed by the leaf that is right at most of them; the strongest leaves of all
/// these points are given, with the number of points at which they are right.
fn missed(strongest: &[(u32, &Leaf)], holds: Mask, fails: Mask) -> [u32; 2] {
    let mut most = [0, 0];
    for &(n, leaf) in strongest {
        // No leaf is right at more points of a side than of the whole.
        if n <= most[0].min(most[1]) {
            break;
        }
        let n_holds = holds.and(leaf.right).len();
        most = [most[0].max(n_holds), most[1].max(n - n_holds)];
    }
    [holds.len() - most[0], fails.len() - most[1]]
}

struct Candidate {
    conditional: usize,
    piece: Piece,
    cost: u32,
    /// Points for the branches that are trees.
    sides: [Option<Mask>; 2],
    rank: u32,
}

impl Parts {
    fn finish(&mut self, n_points: usize) {
        self.splits.sort_by_key(|split| (split.cost, split.piece));
        self.splits.truncate(SPLIT_LIMIT);
        self.least_leaf = self.leaves.first().map_or(1, |leaf| leaf.cost);
        self.least_split = self.splits.first().map_or(1, |split| split.cost);
        self.together = vec![Mask::default(); n_points];
        for (point, together) in self.together.iter_mut().enumerate() {
            let own: Mask = std::iter::once(point).collect();
            for leaf in self.leaves.iter().filter(|leaf| own.is_within(leaf.right)) {
                *together = together.or(leaf.right);
            }
        }
    }

    /// The leaves that are right at most of some points, and at how many.
    fn strongest(&self, points: Mask) -> Vec<(u32, &Leaf)> {
        const N: usize = 24;
        let mut all: Vec<(u32, &Leaf)> =
            self.leaves.iter().map(|leaf| (leaf.right.and(points).len(), leaf)).filter(|(n, _)| *n > 0).collect();
        all.sort_by_key(|(n, leaf)| (std::cmp::Reverse(*n), leaf.cost, leaf.piece));
        all.truncate(N);
        all
    }
}

/// Terms of a nonterminal by where they are right, without those that a cheaper one outdoes.
fn leaves(pieces: &[Known<'_>], right: &dyn Fn(&[i64]) -> Mask) -> Vec<Leaf> {
    let mut cheapest: FxHashMap<Mask, ()> = FxHashMap::default();
    let mut kept: Vec<Leaf> = Vec::new();
    for known in pieces {
        let mask = right(&known.codes);
        if mask.is_empty() || cheapest.insert(mask, ()).is_some() {
            continue;
        }
        if kept.len() < LEAF_LIMIT && !kept.iter().any(|leaf| mask.is_within(leaf.right)) {
            kept.push(Leaf { piece: known.piece, cost: known.cost, right: mask });
        }
    }
    kept
}

/// The splits of a conditional, cheapest first, one for every set of points that it tells apart.
fn splits(
    language: &Language,
    pieces: &[Known<'_>],
    conditional: &Conditional,
    index: usize,
    n_points: usize,
    right: &dyn Fn(&[i64]) -> Mask,
) -> Vec<Split> {
    let fixed = conditional.branches.iter().position(|&at| at == conditional.deciding);
    let mut known: FxHashMap<(Mask, Mask), ()> = FxHashMap::default();
    let mut splits = Vec::new();
    let name = argument(conditional.deciding);
    let is_plain = matches!(conditional.condition.node(), Node::Var(_));
    let all = Mask::first(n_points);
    for block in pieces.chunks(1024) {
        // Many classes at once: the evaluator has a price per call.
        let truths = if is_plain {
            None
        } else {
            let codes = block.iter().flat_map(|own| own.codes.iter().copied()).collect();
            let vars = [(name, Column::new(block[0].sort, codes))];
            match evaluate(&conditional.condition, language, &vars, block.len() * n_points) {
                Some(column) => Some(column.codes),
                None => continue,
            }
        };
        for (i, own) in block.iter().enumerate() {
            let codes = truths.as_ref().map_or(&*own.codes, |truths| &truths[i * n_points..(i + 1) * n_points]);
            if codes.iter().any(|&code| code != 0 && code != 1) {
                continue;
            }
            let holds: Mask = (0..n_points).filter(|&point| codes[point] == 1).collect();
            if holds.is_empty() || holds == all {
                continue;
            }
            let fixed = fixed.map(|branch| (branch, right(&own.codes)));
            if known.insert((holds, fixed.map_or(Mask::default(), |(_, mask)| mask)), ()).is_none() {
                let cost = conditional.cost + conditional.times[conditional.deciding] * own.cost;
                splits.push(Split { conditional: index, piece: own.piece, cost, holds, fixed });
            }
        }
        if splits.len() > 4 * SPLIT_LIMIT {
            break;
        }
    }
    splits
}
