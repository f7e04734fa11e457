//! Ordered rewriting: a rule is applied where its result is smaller in the order of terms. What it can reduce need not
//! be enumerated, and a candidate whose sides it joins says nothing new.

use std::cmp::Ordering;

use dsl::SortPattern;
use rustc_hash::FxHashMap;
use samples::{Sort, Symbol};

use super::terms::{Head, TermId, Terms, bind};

/// A condition of a candidate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Condition {
    /// A variable has a value.
    Defined(usize),
    /// A term is true.
    Holds(TermId),
}

/// Two terms that are equal wherever the conditions hold. The left one is the greater.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Equation {
    pub(super) left: TermId,
    pub(super) right: TermId,
    pub(super) conditions: Vec<Condition>,
}

/// What may be taken for granted while rewriting.
#[derive(Clone, Default, Debug)]
pub(super) struct Facts {
    /// Variables that have a value, one bit each.
    pub(super) defined: u64,
    /// Terms that are true.
    pub(super) holds: Vec<TermId>,
}

struct Known {
    equation: Equation,
    patterns: Vec<(usize, SortPattern)>,
}

/// Equations that were shown to hold, by the head of the side that is matched.
#[derive(Default)]
pub(super) struct Rewriter {
    known: Vec<Known>,
    by_head: FxHashMap<Head, Vec<(usize, bool)>>,
}

/// Steps that one normalisation may take.
const FUEL: u32 = 300;

impl Rewriter {
    /// Adds an equation with the sorts that its variables may have.
    pub(super) fn add(&mut self, terms: &Terms<'_>, equation: Equation, patterns: Vec<(usize, SortPattern)>) {
        let index = self.known.len();
        self.by_head.entry(terms.head(equation.left)).or_default().push((index, false));
        let same_variables = terms.vars(equation.left) == terms.vars(equation.right);
        if same_variables && matches!(terms.head(equation.right), Head::Op(_)) {
            self.by_head.entry(terms.head(equation.right)).or_default().push((index, true));
        }
        self.known.push(Known { equation, patterns });
    }

    /// Whether both sides of an equation have the same normal form under its conditions and the facts.
    pub(super) fn joins(&self, terms: &mut Terms<'_>, equation: &Equation, facts: &Facts) -> bool {
        let left = self.normalise(terms, equation.left, facts);
        left == self.normalise(terms, equation.right, facts)
    }

    /// The normal form of a term.
    pub(super) fn normalise(&self, terms: &mut Terms<'_>, term: TermId, facts: &Facts) -> TermId {
        self.descend(terms, term, facts, &mut { FUEL })
    }

    fn descend(&self, terms: &mut Terms<'_>, mut term: TermId, facts: &Facts, fuel: &mut u32) -> TermId {
        loop {
            if let Head::Op(op) = terms.head(term) {
                let old = terms.children(term).to_vec();
                let new: Vec<TermId> = old.iter().map(|&child| self.descend(terms, child, facts, fuel)).collect();
                if new != old {
                    term = terms.op(op, new).unwrap_or(term);
                }
            }
            match self.reduce(terms, term, facts) {
                Some(smaller) if *fuel > 0 => {
                    *fuel -= 1;
                    term = smaller;
                }
                _ => return term,
            }
        }
    }

    /// A smaller term that an equation at the root leads to.
    pub(super) fn reduce(&self, terms: &mut Terms<'_>, term: TermId, facts: &Facts) -> Option<TermId> {
        let candidates = self.by_head.get(&terms.head(term))?;
        for &(index, backwards) in candidates {
            let Known { equation, patterns } = &self.known[index];
            let (from, to) = if backwards { (equation.right, equation.left) } else { (equation.left, equation.right) };
            if terms.size(from) > terms.size(term) {
                continue;
            }
            let mut matched = Match::default();
            if !matched.matches(terms, from, term) || !matched.sorts_fit(terms, patterns) {
                continue;
            }
            let Some(result) = matched.build(terms, to) else { continue };
            if terms.compare(result, term) == Ordering::Less
                && equation.conditions.iter().all(|condition| matched.holds(terms, *condition, facts))
            {
                return Some(result);
            }
        }
        None
    }
}

/// What the variables of a pattern stand for.
#[derive(Default)]
struct Match {
    bound: Vec<(usize, TermId)>,
}

impl Match {
    fn get(&self, var: usize) -> Option<TermId> {
        self.bound.iter().find(|(other, _)| *other == var).map(|(_, term)| *term)
    }

    fn matches(&mut self, terms: &Terms<'_>, pattern: TermId, term: TermId) -> bool {
        match terms.head(pattern) {
            Head::Var(index) => match self.get(usize::from(index)) {
                Some(bound) => bound == term,
                None => {
                    self.bound.push((usize::from(index), term));
                    true
                }
            },
            head => {
                let (inner, outer) = (terms.children(pattern), terms.children(term));
                head == terms.head(term)
                    && inner.len() == outer.len()
                    && inner.iter().zip(outer).all(|(&a, &b)| self.matches(terms, a, b))
            }
        }
    }

    fn sorts_fit(&self, terms: &Terms<'_>, patterns: &[(usize, SortPattern)]) -> bool {
        let mut choice: Vec<(Symbol, Sort)> = Vec::new();
        patterns.iter().all(|&(var, pattern)| {
            self.get(var).is_none_or(|term| bind(pattern, terms.sort(term), &mut choice).is_some())
        })
    }

    fn build(&self, terms: &mut Terms<'_>, pattern: TermId) -> Option<TermId> {
        match terms.head(pattern) {
            Head::Var(index) => self.get(usize::from(index)),
            Head::Const(_) => Some(pattern),
            Head::Op(op) => {
                let children = terms.children(pattern).to_vec();
                let children = children.into_iter().map(|child| self.build(terms, child)).collect::<Option<_>>()?;
                terms.op(op, children)
            }
        }
    }

    fn holds(&self, terms: &mut Terms<'_>, condition: Condition, facts: &Facts) -> bool {
        let within = |terms: &Terms<'_>, term: TermId| terms.vars(term) & !facts.defined == 0;
        match condition {
            Condition::Defined(var) => self.get(var).is_some_and(|term| terms.is_total(term) && within(terms, term)),
            Condition::Holds(pattern) => self
                .build(terms, pattern)
                .is_some_and(|term| facts.holds.contains(&term) || (terms.is_true(term) && within(terms, term))),
        }
    }
}
