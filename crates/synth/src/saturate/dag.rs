//! Extraction with sharing: the cheapest choice of one form per class, where what is used twice is paid for once.
//!
//! A first choice comes from trees, a better one from sets of choices that are merged bottom up; branch and bound then
//! improves it until it is shown to be the best or the steps run out. Sharing makes the problem NP-hard, so the answer
//! says which of the two it was.

use std::collections::{BTreeMap, BTreeSet};

use dsl::{Node, Term};
use samples::Symbol;

use super::extract::{Edge, Make, TermHead};
use super::graph::Heads;

/// How long the best sharing is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DagLimits {
    /// Partial choices that branch and bound looks at, and classes that merging goes through.
    pub max_steps: usize,
    /// Classes that matter, beyond which branch and bound is not tried.
    pub max_classes: usize,
}

impl DagLimits {
    /// Enough for e-graphs of some hundred classes: a second.
    pub fn new() -> Self {
        Self { max_steps: 200_000, max_classes: 500 }
    }
}

impl Default for DagLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// A term of a class whose equal parts are shared.
#[derive(Clone, PartialEq, Debug)]
pub struct Dag {
    /// The term. Parts that are used more than once, variables and constants apart, are bound by `let` where the language
    /// has that form; else they are repeated.
    pub term: Term,
    /// What it costs in thousandths of a unit, each different part once, variables and constants included; bindings are
    /// free.
    pub cost: u64,
    /// Whether no choice of one form per class is cheaper; if not, that is unknown.
    pub is_optimal: bool,
}

/// For each class that is used, the edge that makes its term.
type Choice = BTreeMap<usize, usize>;

/// The best choice found for a class.
pub(super) struct Chosen {
    choice: Choice,
    cost: u64,
    is_optimal: bool,
}

/// The cheapest choice that makes a term of the root; nothing where the class has no finite term.
pub(super) fn choose(edges: &[Edge], n_classes: usize, root: usize, limits: &DagLimits) -> Option<Chosen> {
    let graph = Graph::new(edges, n_classes);
    let trees = graph.trees();
    trees[root]?;
    let start = graph.greedy(&trees, root, limits.max_steps);
    let cost = graph.cost(&start, root);
    let kept = graph.pruned(root, cost);
    let n_left = graph.reachable(&kept, root).len();
    let mut search =
        Search { graph: &graph, kept, trees: &trees, best: start, best_cost: cost, steps: 0, limits, root };
    let is_optimal =
        n_left <= limits.max_classes && search.descend(&mut Choice::new(), &BTreeSet::from([root])).is_some();
    Some(Chosen { choice: search.best, cost: search.best_cost, is_optimal })
}

impl Chosen {
    /// The term of the choice.
    pub(super) fn into_dag(self, heads: &Heads<'_>, edges: &[Edge], root: usize) -> Dag {
        let mut builder = Builder { heads, edges, choice: &self.choice, terms: BTreeMap::new(), bound: Vec::new() };
        let shared = if heads.language.has_form(dsl::Form::Let) { builder.shared(root) } else { BTreeSet::new() };
        let mut names = Names { heads, taken: self.words(heads, edges), next: 0 };
        let body = builder.term(root, &shared, &mut names);
        let bound = builder.bound;
        let term = if bound.is_empty() { body } else { Term::new(Node::Let(bound, body)) };
        Dag { term, cost: self.cost, is_optimal: self.is_optimal }
    }
}

impl Chosen {
    /// The words of what is not looked into: variables, scans, predicates.
    fn words(&self, heads: &Heads<'_>, edges: &[Edge]) -> BTreeSet<Symbol> {
        let text = |edge: &usize| match &edges[*edge].make {
            Make::Leaf(term) => dsl::print(term, heads.language),
            Make::Node(head) => match heads.view(*head) {
                TermHead::Apply(func) | TermHead::Select(func) => {
                    dsl::print(&Term::app(func.clone(), Vec::new()), heads.language)
                }
                TermHead::Leaf(_) | TermHead::Op(_) => String::new(),
            },
            Make::Same => String::new(),
        };
        let texts = self.choice.values().map(text);
        let is_apart = |c: char| c.is_whitespace() || "()".contains(c);
        texts.flat_map(|text| text.split(is_apart).map(Symbol::new).collect::<Vec<_>>()).collect()
    }
}

struct Graph<'a> {
    edges: &'a [Edge],
    /// The edges that make a term of each class.
    of: Vec<Vec<usize>>,
}

impl<'a> Graph<'a> {
    fn new(edges: &'a [Edge], n_classes: usize) -> Self {
        let mut of = vec![Vec::new(); n_classes];
        for (index, edge) in edges.iter().enumerate().filter(|(_, edge)| !edge.sources.contains(&edge.target)) {
            of[edge.target].push(index);
        }
        Self { edges, of }
    }

    fn is_constant(&self, edge: usize) -> bool {
        matches!(&self.edges[edge].make, Make::Leaf(term) if matches!(term.node(), Node::Const(_)))
    }

    /// What an edge costs beside its sources, given the choices for those; none yet is no charge yet.
    fn own_cost(&self, edge: usize, choice: &Choice) -> u64 {
        let edge = &self.edges[edge];
        let charges = edge.sources.iter().zip(&edge.charges);
        let is_charged = |source| choice.get(source).is_some_and(|&made| !self.is_constant(made));
        let charged = charges.filter(|(source, _)| is_charged(*source)).map(|(_, &charge)| charge);
        charged.fold(edge.cost, u64::saturating_add)
    }

    /// The least of what the edges of each class give from the values of their sources, computed until nothing changes.
    fn least(&self, combine: impl Fn(&Edge, &[u64]) -> u64) -> Vec<Option<u64>> {
        let mut least: Vec<Option<u64>> = vec![None; self.of.len()];
        loop {
            let mut stable = true;
            for edge in self.edges {
                let sources: Option<Vec<u64>> = edge.sources.iter().map(|&source| least[source]).collect();
                let Some(sources) = sources else { continue };
                let value = combine(edge, &sources);
                if least[edge.target].is_none_or(|old| value < old) {
                    least[edge.target] = Some(value);
                    stable = false;
                }
            }
            if stable {
                return least;
            }
        }
    }

    /// The cheapest trees of all classes, every charge counted.
    fn trees(&self) -> Vec<Option<u64>> {
        let tree = |edge: &Edge, sources: &[u64]| {
            sources.iter().chain(&edge.charges).fold(edge.cost, |sum, &more| sum.saturating_add(more))
        };
        self.least(tree)
    }

    /// The classes that a choice uses, sources before what is made of them.
    fn used(&self, choice: &Choice, root: usize) -> Vec<usize> {
        let (mut used, mut seen, mut stack) = (Vec::new(), BTreeSet::new(), vec![(root, false)]);
        while let Some((class, is_left)) = stack.pop() {
            if is_left {
                used.push(class);
            } else if seen.insert(class) {
                stack.push((class, true));
                let sources = choice.get(&class).map_or(&[][..], |&edge| &self.edges[edge].sources);
                stack.extend(sources.iter().rev().map(|&source| (source, false)));
            }
        }
        used
    }

    /// What a choice costs.
    fn cost(&self, choice: &Choice, root: usize) -> u64 {
        let own = |class: usize| choice.get(&class).map_or(0, |&edge| self.own_cost(edge, choice));
        self.used(choice, root).into_iter().map(own).fold(0, u64::saturating_add)
    }

    /// Choices for all classes in the order of their trees, each the cheapest that the sets of its sources give together.
    fn greedy(&self, trees: &[Option<u64>], root: usize, max_steps: usize) -> Choice {
        let mut order: Vec<usize> = (0..self.of.len()).filter(|&class| trees[class].is_some()).collect();
        order.sort_by_key(|&class| (trees[class], class));
        let mut sets: Vec<Option<Choice>> = vec![None; self.of.len()];
        let mut steps = 0;
        for class in order {
            let mut best: Option<(u64, Choice)> = None;
            for &edge in &self.of[class] {
                // Out of steps: the first edge that works is taken, which keeps the choice complete.
                if best.is_some() && steps > max_steps {
                    break;
                }
                let Some(merged) = self.merged(edge, &sets) else { continue };
                steps += merged.len();
                let cost = self.cost(&merged, class);
                if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                    best = Some((cost, merged));
                }
            }
            sets[class] = best.map(|(_, choice)| choice);
            if class == root {
                break;
            }
        }
        sets.swap_remove(root).unwrap_or_default()
    }

    /// The choices of an edge's sources together, the first one's where they differ. Each of them holds all that it uses, so
    /// that what is taken from a later one never leads back into it.
    fn merged(&self, edge: usize, sets: &[Option<Choice>]) -> Option<Choice> {
        let target = self.edges[edge].target;
        let mut merged = Choice::new();
        for &source in &self.edges[edge].sources {
            for (&class, &made) in sets[source].as_ref()? {
                merged.entry(class).or_insert(made);
            }
        }
        if merged.insert(target, edge).is_some() {
            return None;
        }
        let used = self.used(&merged, target);
        Some(used.into_iter().filter_map(|class| Some((class, *merged.get(&class)?))).collect())
    }

    /// The edges of each class that a choice cheaper than the given cost could use.
    fn pruned(&self, root: usize, cost: u64) -> Vec<Vec<usize>> {
        let path = |edge: &Edge, sources: &[u64]| edge.cost.saturating_add(sources.iter().copied().max().unwrap_or(0));
        let paths = self.least(path);
        let kept = |(class, of_class): (usize, &Vec<usize>)| -> Vec<usize> {
            let may_help = |edge: usize| {
                let sources: Option<Vec<u64>> = self.edges[edge].sources.iter().map(|&source| paths[source]).collect();
                let least = sources.map(|sources| path(&self.edges[edge], &sources));
                least.is_some_and(|least| if class == root { least < cost } else { least <= cost })
            };
            let is_dominated = |place: usize| {
                let rivals = of_class.iter().enumerate().filter(|(other, _)| *other != place);
                rivals.into_iter().any(|(other, &rival)| self.dominates((other, rival), (place, of_class[place])))
            };
            let places = (0..of_class.len()).filter(|&place| may_help(of_class[place]) && !is_dominated(place));
            places.map(|place| of_class[place]).collect()
        };
        self.of.iter().enumerate().map(kept).collect()
    }

    /// Whether an edge is never worse than another of its class, and precedes it where they are equally good.
    fn dominates(&self, (place, edge): (usize, usize), (other_place, other): (usize, usize)) -> bool {
        let most =
            |edge: usize| self.edges[edge].charges.iter().fold(self.edges[edge].cost, |a, &b| a.saturating_add(b));
        let within = |a: usize, b: usize| {
            let (a, b) = (&self.edges[a].sources, &self.edges[b].sources);
            a.iter().all(|source| b.contains(source))
        };
        let not_worse = |a: usize, b: usize| {
            most(a) <= self.edges[b].cost && within(a, b) && (self.is_constant(a) || !self.is_constant(b))
        };
        not_worse(edge, other) && (place < other_place || !not_worse(other, edge))
    }

    fn reachable(&self, kept: &[Vec<usize>], root: usize) -> BTreeSet<usize> {
        let (mut seen, mut stack) = (BTreeSet::new(), vec![root]);
        while let Some(class) = stack.pop() {
            if seen.insert(class) {
                stack.extend(kept[class].iter().flat_map(|&edge| self.edges[edge].sources.iter().copied()));
            }
        }
        seen
    }
}

/// Branch and bound over the classes that are needed and have no form yet.
struct Search<'a> {
    graph: &'a Graph<'a>,
    kept: Vec<Vec<usize>>,
    trees: &'a [Option<u64>],
    best: Choice,
    best_cost: u64,
    steps: usize,
    limits: &'a DagLimits,
    root: usize,
}

impl Search<'_> {
    /// Looks at everything below a partial choice; nothing if the steps run out before.
    fn descend(&mut self, choice: &mut Choice, open: &BTreeSet<usize>) -> Option<()> {
        self.steps += 1;
        if self.steps > self.limits.max_steps {
            return None;
        }
        let made = choice.values().map(|&edge| self.graph.own_cost(edge, choice)).fold(0, u64::saturating_add);
        let least = |class: &usize| self.kept[*class].iter().map(|&edge| self.graph.edges[edge].cost).min();
        let Some(rest) = open.iter().map(least).sum::<Option<u64>>() else { return Some(()) };
        if made.saturating_add(rest) >= self.best_cost {
            return Some(());
        }
        let Some(class) = open.iter().copied().min_by_key(|&class| (self.kept[class].len(), class)) else {
            debug_assert_eq!(self.graph.used(choice, self.root).len(), choice.len());
            (self.best, self.best_cost) = (choice.clone(), made);
            return Some(());
        };
        for edge in self.in_order(class, choice) {
            let sources = &self.graph.edges[edge].sources;
            if sources.iter().any(|&source| self.graph.used(choice, source).contains(&class)) {
                continue;
            }
            choice.insert(class, edge);
            let mut open = open.clone();
            open.remove(&class);
            open.extend(sources.iter().copied().filter(|source| !choice.contains_key(source)));
            self.descend(choice, &open)?;
            choice.remove(&class);
        }
        Some(())
    }

    /// The edges of a class, those first that look cheapest beside what is there.
    fn in_order(&self, class: usize, choice: &Choice) -> Vec<usize> {
        let promise = |edge: usize| {
            let sources: BTreeSet<usize> = self.graph.edges[edge].sources.iter().copied().collect();
            let new = sources.into_iter().filter(|source| !choice.contains_key(source));
            new.fold(self.graph.own_cost(edge, choice), |sum, source| {
                sum.saturating_add(self.trees[source].unwrap_or(u64::MAX))
            })
        };
        let mut edges = self.kept[class].clone();
        edges.sort_by_key(|&edge| (promise(edge), edge));
        edges
    }
}

/// Makes the term of a choice.
struct Builder<'a, 'l> {
    heads: &'a Heads<'l>,
    edges: &'a [Edge],
    choice: &'a Choice,
    terms: BTreeMap<usize, Term>,
    bound: Vec<(Symbol, Term)>,
}

impl Builder<'_, '_> {
    /// The classes that are used more than once and are no leaves.
    fn shared(&self, root: usize) -> BTreeSet<usize> {
        let (mut uses, mut stack) = (BTreeMap::<usize, usize>::new(), vec![root]);
        while let Some(class) = stack.pop() {
            let n = uses.entry(class).or_default();
            *n += 1;
            if *n == 1 {
                stack.extend(self.choice.get(&class).map_or(&[][..], |&edge| &self.edges[edge].sources));
            }
        }
        let is_leaf = |class: &usize| self.choice.get(class).is_none_or(|&edge| self.edges[edge].sources.is_empty());
        uses.into_iter().filter(|(class, n)| *n > 1 && !is_leaf(class)).map(|(class, _)| class).collect()
    }

    fn term(&mut self, class: usize, shared: &BTreeSet<usize>, names: &mut Names<'_, '_>) -> Term {
        if let Some(term) = self.terms.get(&class) {
            return term.clone();
        }
        let Some(&index) = self.choice.get(&class) else { return Term::constant(samples::Value::Undefined) };
        let edge = &self.edges[index];
        let mut children: Vec<Term> = edge.sources.iter().map(|&source| self.term(source, shared, names)).collect();
        let mut term = match &edge.make {
            Make::Leaf(term) => term.clone(),
            Make::Node(head) => self.heads.rebuild(*head, children),
            Make::Same => children.pop().unwrap_or_else(|| Term::constant(samples::Value::Undefined)),
        };
        if shared.contains(&class) {
            let name = names.fresh();
            self.bound.push((name, term));
            term = Term::var(name);
        }
        self.terms.insert(class, term.clone());
        term
    }
}

/// Names for bindings that mean nothing else.
struct Names<'a, 'l> {
    heads: &'a Heads<'l>,
    taken: BTreeSet<Symbol>,
    next: usize,
}

impl Names<'_, '_> {
    fn fresh(&mut self) -> Symbol {
        loop {
            self.next += 1;
            let text = format!("t{}", self.next);
            let name = Symbol::new(&text);
            let language = self.heads.language;
            let is_value = language.enums.iter().any(|own| own.values.contains(&name));
            if !self.taken.contains(&name) && language.operator(&text).is_none() && !is_value {
                return name;
            }
        }
    }
}

#[cfg(test)]
#[path = "dag_tests.rs"]
mod tests;
