//! Simplification by equality saturation: the e-graph of proved equalities.
//!
//! Rules that were verified merge classes, nothing else does; the cheapest term under the language's cost comes out.
//! Conditions of rules are judged by an analysis of what values a class can have. The meaning is kept at every input,
//! undefined results included, as long as integers stay within 64 bits, which is the scope that rules are verified in.

pub(crate) mod abstraction;
mod book;
mod dag;
mod derive;
mod equalities;
mod explain;
mod extract;
mod graph;
mod rules;
mod run;
mod within;

use dsl::{Func, Language, Node, Scan, Term};
use samples::{Sort, Symbol, Value};

pub(crate) use abstraction::{Abstract, of_term};
pub use book::RuleBook;
pub use dag::{Dag, DagLimits};
pub(crate) use derive::merged;
pub use equalities::{EqualClass, Equalities, TermId};
pub use explain::{Ground, Step};
pub use extract::{AtomCost, COST_UNIT, Form, LanguageCost, TermCost, TermHead};
pub(crate) use graph::CONSTANT;
use graph::values_of;
pub use rules::RuleSet;

/// What is known of a variable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Known {
    pub(crate) name: Symbol,
    pub(crate) values: Abstract,
}

impl Known {
    /// An input of the program: it has a value at every point.
    pub fn input(name: impl Into<Symbol>, sort: Sort) -> Self {
        Self { name: name.into(), values: Abstract { defined: true, ..Abstract::top(sort) } }
    }

    /// An integer input within bounds.
    pub fn range(name: impl Into<Symbol>, low: i64, high: i64) -> Self {
        Self { name: name.into(), values: Abstract::range(Sort::Int, true, Some(low), Some(high)) }
    }

    /// An input within bounds, as far as they are known.
    pub(crate) fn within(name: impl Into<Symbol>, sort: Sort, low: Option<i64>, high: Option<i64>) -> Self {
        Self { name: name.into(), values: Abstract::range(sort, true, low, high) }
    }

    /// A variable that may be without a value.
    pub fn partial(name: impl Into<Symbol>, sort: Sort) -> Self {
        Self { name: name.into(), values: Abstract::top(sort) }
    }
}

/// How far saturation goes, for each part of a program by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SaturationLimits {
    /// Rounds of searching and applying all rules.
    pub max_rounds: usize,
    /// E-nodes.
    pub max_nodes: usize,
    /// Matches of one rule in one round; a rule that has more is left out for some rounds, twice as many each time.
    pub max_matches: usize,
}

impl SaturationLimits {
    /// Enough for programs of some twenty atoms: a tenth of a second.
    pub fn new() -> Self {
        Self { max_rounds: 8, max_nodes: 5_000, max_matches: 500 }
    }
}

impl Default for SaturationLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// Why saturation ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SaturationStop {
    /// No rule adds anything.
    Saturated,
    /// The limit of rounds.
    Rounds,
    /// The limit of nodes.
    Nodes,
}

/// A simplified term.
#[derive(Clone, PartialEq, Debug)]
pub struct Simplified {
    /// The cheapest term found; the given one where none is cheaper.
    pub term: Term,
    /// The worst end of the saturation of its parts.
    pub stop: SaturationStop,
    /// E-nodes of the largest part.
    pub n_nodes: usize,
    /// The parts that changed, with the rewrites from the old form to the new one; empty unless asked for.
    pub parts: Vec<Part>,
}

impl Simplified {
    /// The rewrites of all parts.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.parts.iter().flat_map(|part| &part.steps)
    }
}

/// A part of a program that was simplified by itself: an update or output of a scan, a binding, a body.
#[derive(Clone, PartialEq, Debug)]
pub struct Part {
    /// What it was.
    pub from: Term,
    /// What it became.
    pub to: Term,
    /// What is known of its variables, states and bindings included.
    pub known: Vec<Known>,
    /// The rewrites from one to the other, which [`crate::recheck`] checks.
    pub steps: Vec<Step>,
}

/// The cheapest term that verified rules show to be equal to a term: every scan's updates and outputs, every binding
/// and the rest are saturated each by itself, with what is known of the states.
pub fn simplify(
    term: &Term,
    language: &Language,
    rules: &RuleSet,
    known: &[Known],
    limits: &SaturationLimits,
) -> Simplified {
    run(term, language, rules, known, limits, false)
}

/// The same, with the chain of rewrites that leads from the old forms to the new ones. Takes some times as long.
pub fn simplify_explained(
    term: &Term,
    language: &Language,
    rules: &RuleSet,
    known: &[Known],
    limits: &SaturationLimits,
) -> Simplified {
    run(term, language, rules, known, limits, true)
}

fn run(
    term: &Term,
    language: &Language,
    rules: &RuleSet,
    known: &[Known],
    limits: &SaturationLimits,
    explained: bool,
) -> Simplified {
    let (stop, parts) = (SaturationStop::Saturated, Vec::new());
    let mut simplifier = Simplifier { language, rules, limits, explained, stop, n_nodes: 0, parts };
    let term = simplifier.program(term, known);
    let Simplifier { stop, n_nodes, parts, .. } = simplifier;
    Simplified { term, stop, n_nodes, parts }
}

struct Simplifier<'a> {
    language: &'a Language,
    rules: &'a RuleSet,
    limits: &'a SaturationLimits,
    explained: bool,
    stop: SaturationStop,
    n_nodes: usize,
    parts: Vec<Part>,
}

impl Simplifier<'_> {
    /// A term with structural forms, from the inside outwards.
    fn program(&mut self, term: &Term, known: &[Known]) -> Term {
        match term.node() {
            Node::Let(bindings, body) => {
                let mut known = known.to_vec();
                let mut simpler = Vec::with_capacity(bindings.len());
                for (name, bound) in bindings {
                    let bound = self.program(bound, &known);
                    known.extend(self.fact(*name, &bound, &known));
                    simpler.push((*name, bound));
                }
                let body = self.program(body, &known);
                Term::new(Node::Let(simpler, body))
            }
            Node::Scan(scan) => Term::new(Node::Scan(self.scan(scan, known))),
            _ => {
                let inner = self.inner(term, known);
                self.scalar(&inner, known)
            }
        }
    }

    fn fact(&self, name: Symbol, term: &Term, known: &[Known]) -> Option<Known> {
        values_of(self.language, term, known).map(|values| Known { name, values })
    }

    /// The same term with the structural forms within it simplified.
    fn inner(&mut self, term: &Term, known: &[Known]) -> Term {
        match term.node() {
            Node::Let(..) | Node::Scan(_) => self.program(term, known),
            Node::Var(_) | Node::Const(_) => term.clone(),
            Node::App(func, args) => Term::app(func.clone(), args.iter().map(|arg| self.inner(arg, known)).collect()),
            Node::Select { key, query, pred } => {
                let (key, query) = (self.inner(key, known), self.inner(query, known));
                let pred = self.predicate(pred, &key, &query, known);
                Term::new(Node::Select { key, query, pred })
            }
        }
    }

    fn predicate(&mut self, pred: &Func, key: &Term, query: &Term, known: &[Known]) -> Func {
        let Func::Lambda(params, body) = pred else { return pred.clone() };
        let facts: Option<Vec<Known>> =
            params.iter().zip([key, query]).map(|(&name, arg)| self.fact(name, arg, known)).collect();
        match facts {
            Some(facts) => Func::Lambda(params.clone(), self.program(body, &facts)),
            None => pred.clone(),
        }
    }

    fn scan(&mut self, scan: &Scan, known: &[Known]) -> Scan {
        let mut facts = known.to_vec();
        facts.extend(self.state_facts(scan, known));
        let states: Vec<(Symbol, Value, Term)> =
            scan.states.iter().map(|(name, init, update)| (*name, *init, self.program(update, &facts))).collect();
        let after: Vec<Known> = scan
            .states
            .iter()
            .filter_map(|(name, _, update)| self.fact(Symbol::new(&format!("{name}'")), update, &facts))
            .collect();
        facts.extend(after);
        let outputs = scan.outputs.iter().map(|output| self.program(output, &facts)).collect();
        Scan { states, outputs }
    }

    /// What is known of the states before any element: bounds that the initial values satisfy and the updates keep,
    /// found by iteration, with bounds that keep growing given up.
    fn state_facts(&self, scan: &Scan, known: &[Known]) -> Vec<Known> {
        const EXACT_ROUNDS: usize = 6;
        const ROUNDS: usize = 16;
        let vars: Vec<(Symbol, Sort)> = known.iter().map(|fact| (fact.name, fact.values.sort)).collect();
        let Some(mut facts) = scan
            .states
            .iter()
            .map(|(name, init, update)| {
                let values = match init.sort() {
                    Some(_) => Abstract::constant(*init),
                    None => dsl::sort_of(update, self.language, &vars).ok().map(Abstract::top),
                };
                values.map(|values| Known { name: *name, values })
            })
            .collect::<Option<Vec<Known>>>()
        else {
            return Vec::new();
        };
        for round in 0..ROUNDS {
            let mut scope = known.to_vec();
            scope.extend(facts.iter().copied());
            let mut stable = true;
            let mut next = facts.clone();
            for (fact, (_, _, update)) in next.iter_mut().zip(&scan.states) {
                let Some(updated) = values_of(self.language, update, &scope) else { return Vec::new() };
                if updated.sort != fact.values.sort {
                    return Vec::new();
                }
                let joined = fact.values.join(updated);
                if joined != fact.values {
                    stable = false;
                    fact.values = if round < EXACT_ROUNDS { joined } else { widen(fact.values, joined) };
                }
            }
            if stable {
                return facts;
            }
            facts = next;
        }
        facts.iter().map(|fact| Known { name: fact.name, values: Abstract::top(fact.values.sort) }).collect()
    }

    /// A term without scans or lets that matter: one e-graph.
    fn scalar(&mut self, term: &Term, known: &[Known]) -> Term {
        let mut store = Equalities::new(self.language, self.rules, known);
        if self.explained {
            store = store.with_explanations();
        }
        let root = store.add(term);
        self.stop = self.stop.max(store.saturate(self.limits));
        self.n_nodes = self.n_nodes.max(store.n_nodes());
        let cost = |term: &Term| dsl::cost(term, self.language);
        let simplest = store.tree(root, &LanguageCost(self.language)).map(|form| form.term);
        let simplest = simplest.filter(|found| cost(found) < cost(term)).unwrap_or_else(|| term.clone());
        if self.explained && simplest != *term {
            let steps = store.explain(term, &simplest).unwrap_or_default();
            let (from, to) = (term.clone(), simplest.clone());
            self.parts.push(Part { from, to, known: known.to_vec(), steps });
        }
        simplest
    }
}

/// Gives up the bounds that moved.
fn widen(old: Abstract, new: Abstract) -> Abstract {
    let keep = |old: Option<i64>, new: Option<i64>| new.filter(|_| old == new);
    Abstract::range(new.sort, new.defined, keep(old.low, new.low), keep(old.high, new.high))
}

#[cfg(test)]
mod tests;
