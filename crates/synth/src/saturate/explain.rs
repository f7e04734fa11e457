//! Explanations: the chain of rewrites from one form of a term to another.

use dsl::{Language, Node, Rule, Term};
use egg::{FlatTerm, RecExpr};
use samples::Symbol;

use crate::place::subterm;

use super::abstraction::{Abstract, of_term};
use super::graph::{CONSTANT, EGraph, ENode, Heads, flatten};
use super::rules::BACKWARDS;
use super::{Known, RuleSet};

/// One rewrite of a part of a term.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// The rule, or `constant` where a term that has one value was replaced by it.
    pub rule: Symbol,
    /// Whether the rule was used from left to right.
    pub forward: bool,
    /// Where: which argument of the term, which argument of that, and so on.
    pub position: Vec<usize>,
    /// The terms that the variables of the rule stand for.
    pub substitution: Vec<(Symbol, Term)>,
    /// Terms that show more of what the rule's variables stand for than these themselves do, where that is needed for the
    /// conditions of the rule.
    pub grounds: Vec<Ground>,
    /// The whole term after the step.
    pub term: Term,
}

impl Step {
    /// The rules of the step and of what it rests on, with repetitions.
    pub fn rules(&self) -> Vec<Symbol> {
        let grounds = self.grounds.iter().flat_map(|ground| &ground.steps);
        std::iter::once(self.rule).chain(grounds.flat_map(Self::rules)).collect()
    }
}

/// A term that is equal to what a variable of a rule stands for, and of whose values more is known.
#[derive(Clone, PartialEq, Debug)]
pub struct Ground {
    /// The variable; `constant` for the term that was replaced by its only value.
    pub variable: Symbol,
    /// The equal term.
    pub term: Term,
    /// How the variable's term becomes this one.
    pub steps: Vec<Step>,
}

/// The steps from one term to another that is in the same class.
pub(crate) fn steps(egraph: &mut EGraph<'_>, rules: &RuleSet, from: &Term, to: &Term, known: &[Known]) -> Vec<Step> {
    let nodes = [from, to].map(|term| {
        let mut nodes = RecExpr::default();
        flatten(&mut egraph.analysis.heads, term, known, &mut nodes);
        nodes
    });
    let mut explanation = egraph.explain_equivalence(&nodes[0], &nodes[1]);
    let heads = &egraph.analysis.heads;
    let mut before = from.clone();
    let mut steps = Vec::new();
    for flat in explanation.make_flat_explanation().iter() {
        let mut position = Vec::new();
        let Some((name, forward)) = rewrite_of(flat, &mut position) else { continue };
        let (name, forward) = match name.strip_suffix(BACKWARDS) {
            Some(name) => (name, !forward),
            None => (name, forward),
        };
        let (rule, term) = (Symbol::new(name), term_of(heads, flat));
        if term == before {
            continue;
        }
        let parts = [subterm(&before, &position), subterm(&term, &position)];
        let [left, right] = if forward { parts } else { [parts[1], parts[0]] };
        let written = rules.rules.iter().find(|written| written.name == rule && name != CONSTANT);
        let substitution = match (written, left, right) {
            (Some(written), Some(left), Some(right)) => substitution(written, left, right),
            _ => Vec::new(),
        };
        before = term.clone();
        steps.push(Step { rule, forward, position, substitution, grounds: Vec::new(), term });
    }
    without_detours(from, steps)
}

/// A chain without the steps that lead back to a term that was there before.
fn without_detours(from: &Term, steps: Vec<Step>) -> Vec<Step> {
    let mut direct: Vec<Step> = Vec::with_capacity(steps.len());
    for step in steps {
        if step.term == *from {
            direct.clear();
        } else if let Some(place) = direct.iter().position(|earlier| earlier.term == step.term) {
            direct.truncate(place + 1);
        } else {
            direct.push(step);
        }
    }
    direct
}

/// The rewrite that a flat term was reached by: it is marked somewhere within.
fn rewrite_of(flat: &FlatTerm<ENode>, position: &mut Vec<usize>) -> Option<(&'static str, bool)> {
    if let Some(rule) = flat.forward_rule {
        return Some((rule.as_str(), true));
    }
    if let Some(rule) = flat.backward_rule {
        return Some((rule.as_str(), false));
    }
    for (i, child) in flat.children.iter().enumerate() {
        position.push(i);
        if let Some(found) = rewrite_of(child, position) {
            return Some(found);
        }
        position.pop();
    }
    None
}

fn term_of(heads: &Heads<'_>, flat: &FlatTerm<ENode>) -> Term {
    heads.rebuild(flat.node.head, flat.children.iter().map(|child| term_of(heads, child)).collect())
}

/// What a step's applicability hangs on: the variables with their terms, if they alone do not show it.
pub(crate) fn open_questions(
    language: &Language,
    rules: &RuleSet,
    known: &[Known],
    before: &Term,
    step: &Step,
) -> Vec<(Symbol, Term)> {
    let scope: Vec<(Symbol, Abstract)> = known.iter().map(|fact| (fact.name, fact.values)).collect();
    if step.rule == Symbol::new(CONSTANT) {
        let left = subterm(if step.forward { before } else { &step.term }, &step.position);
        let shown = |known: Abstract| known.defined && known.constant.is_some();
        let open = left.filter(|left| !of_term(language, left, &scope).is_some_and(shown));
        return open.map(|left| (step.rule, left.clone())).into_iter().collect();
    }
    let Some(rule) = rules.rules.iter().find(|rule| rule.name == step.rule) else { return Vec::new() };
    let facts: Vec<(Symbol, Abstract)> = step
        .substitution
        .iter()
        .filter_map(|(name, term)| of_term(language, term, &scope).map(|facts| (*name, facts)))
        .collect();
    let holds = |condition: &Term| of_term(language, condition, &facts).is_some_and(|known| known.is_true());
    if rule.conditions.iter().all(holds) { Vec::new() } else { step.substitution.clone() }
}

/// What the variables of a rule stand for, where its sides are two given terms.
fn substitution(rule: &Rule, left: &Term, right: &Term) -> Vec<(Symbol, Term)> {
    let mut found = Vec::new();
    bind(&rule.lhs, left, &mut found);
    bind(&rule.rhs, right, &mut found);
    found
}

fn bind(pattern: &Term, term: &Term, found: &mut Vec<(Symbol, Term)>) {
    match (pattern.node(), term.node()) {
        (Node::Var(name), _) if found.iter().all(|(other, _)| other != name) => found.push((*name, term.clone())),
        (Node::App(_, patterns), Node::App(_, args)) => {
            patterns.iter().zip(args).for_each(|(pattern, arg)| bind(pattern, arg, found));
        }
        _ => {}
    }
}
