//! Extraction: the cheapest term of a class under the language's cost, as a tree.

use std::cmp::Ordering;

use dsl::{Language, Node, Term};
use egg::Id;
use rustc_hash::FxHashMap;

use super::graph::{EGraph, ENode, Head};

/// The cheapest node of every class.
pub(crate) struct Extractor<'e, 'l> {
    egraph: &'e EGraph<'l>,
    best: FxHashMap<Id, Best>,
}

#[derive(Clone)]
struct Best {
    cost: u64,
    is_constant: bool,
    term: Term,
    /// The printed form, to break ties the same way whatever the ids are.
    text: String,
}

impl<'e, 'l> Extractor<'e, 'l> {
    /// Finds the cheapest terms of all classes, by relaxation to a fixpoint. Costs are positive, so cycles cannot pay.
    pub(crate) fn new(egraph: &'e EGraph<'l>) -> Self {
        let mut extractor = Self { egraph, best: FxHashMap::default() };
        let mut ids: Vec<Id> = egraph.classes().map(|class| class.id).collect();
        ids.sort_unstable();
        loop {
            let mut changed = false;
            for &id in &ids {
                for node in egraph[id].iter() {
                    let Some(candidate) = extractor.candidate(node) else { continue };
                    let better = match extractor.best.get(&id) {
                        Some(best) => compare(&candidate, best) == Ordering::Less,
                        None => true,
                    };
                    if better {
                        extractor.best.insert(id, candidate);
                        changed = true;
                    }
                }
            }
            if !changed {
                return extractor;
            }
        }
    }

    fn candidate(&self, node: &ENode) -> Option<Best> {
        let children: Vec<&Best> =
            node.children.iter().map(|&child| self.best.get(&self.egraph.find(child))).collect::<Option<_>>()?;
        let heads = &self.egraph.analysis.heads;
        let own = head_cost(heads.language, node.head, &children, |leaf| heads.leaf_term(leaf).clone());
        let cost = children.iter().fold(own, |cost, child| cost.saturating_add(child.cost));
        let term = heads.rebuild(node.head, children.iter().map(|child| child.term.clone()).collect());
        let is_constant = matches!(term.node(), Node::Const(_));
        let mut text = match node.head {
            Head::Op(id) => format!("({}", heads.language.op(id).name),
            // Constants last: (+ x 1).
            Head::Leaf(_) if is_constant => format!("~{}", dsl::print(&term, heads.language)),
            Head::Leaf(_) => dsl::print(&term, heads.language),
            Head::Form(form) => format!("(~{form}"),
        };
        for child in &children {
            text.push(' ');
            text.push_str(&child.text);
        }
        Some(Best { cost, is_constant, term, text })
    }

    /// The cheapest term of a class, with its cost in thousandths.
    pub(crate) fn term(&self, id: Id) -> Option<(Term, u64)> {
        self.best.get(&self.egraph.find(id)).map(|best| (best.term.clone(), best.cost))
    }
}

/// Costs in thousandths, so that they are integers and compare exactly.
const UNIT: f64 = 1_000.0;

fn head_cost(language: &Language, head: Head, children: &[&Best], leaf_term: impl Fn(u32) -> Term) -> u64 {
    match head {
        Head::Op(id) => {
            let operator = language.op(id);
            let charges = operator.charges.iter().zip(children).filter(|(_, child)| !child.is_constant);
            let cost = u64::from(operator.cost) + charges.map(|(&charge, _)| u64::from(charge)).sum::<u64>();
            cost * UNIT as u64
        }
        Head::Leaf(leaf) => (dsl::cost(&leaf_term(leaf), language) * UNIT).round() as u64,
        // Every form costs the same in every term of the graph: no rule makes or removes one.
        Head::Form(_) => UNIT as u64,
    }
}

/// Cheaper first, then shorter, then by text.
fn compare(a: &Best, b: &Best) -> Ordering {
    (a.cost, a.text.len(), &a.text).cmp(&(b.cost, b.text.len(), &b.text))
}
