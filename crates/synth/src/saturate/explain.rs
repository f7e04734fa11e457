//! Explanations: the chain of rewrites from one form of a term to another.

use dsl::Term;
use egg::{FlatTerm, RecExpr};
use samples::Symbol;

use super::Known;
use super::graph::{EGraph, ENode, Heads, flatten};
use super::rules::BACKWARDS;

/// One rewrite of a part of a term.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// The rule, or `constant` where a term that has one value was replaced by it.
    pub rule: Symbol,
    /// Whether the rule was used from left to right.
    pub forward: bool,
    /// The whole term after the step.
    pub term: Term,
}

/// The steps from one term to another that is in the same class.
pub(crate) fn steps(egraph: &mut EGraph<'_>, from: &Term, to: &Term, known: &[Known]) -> Vec<Step> {
    let [from, to] = [from, to].map(|term| {
        let mut nodes = RecExpr::default();
        flatten(&mut egraph.analysis.heads, term, known, &mut nodes);
        nodes
    });
    let mut explanation = egraph.explain_equivalence(&from, &to);
    let heads = &egraph.analysis.heads;
    explanation
        .make_flat_explanation()
        .iter()
        .filter_map(|flat| {
            let (name, forward) = rewrite_of(flat)?;
            let (name, forward) = match name.strip_suffix(BACKWARDS) {
                Some(name) => (name, !forward),
                None => (name, forward),
            };
            Some(Step { rule: Symbol::new(name), forward, term: term_of(heads, flat) })
        })
        .collect()
}

/// The rewrite that a flat term was reached by: it is marked somewhere within.
fn rewrite_of(flat: &FlatTerm<ENode>) -> Option<(&'static str, bool)> {
    if let Some(rule) = flat.forward_rule {
        return Some((rule.as_str(), true));
    }
    if let Some(rule) = flat.backward_rule {
        return Some((rule.as_str(), false));
    }
    flat.children.iter().find_map(rewrite_of)
}

fn term_of(heads: &Heads<'_>, flat: &FlatTerm<ENode>) -> Term {
    heads.rebuild(flat.node.head, flat.children.iter().map(|child| term_of(heads, child)).collect())
}
