//! Extraction within a grammar: the cheapest term of a class that a grammar derives.
//!
//! Equal terms need not be derivable together, so the search runs over pairs of a class and a nonterminal.

use dsl::{Grammar, NonterminalId, Production, Term};
use samples::decode_code;

use super::extract::{Edge, Form, Make, Vertices, cheapest};
use super::graph::{EGraph, Head, Heads};

/// The cheapest term of a class that the start of a grammar derives, under the grammar's costs.
pub(super) fn within(egraph: &EGraph<'_>, id: egg::Id, grammar: &Grammar) -> Option<Form> {
    let vertices = Vertices::of(egraph);
    let n = grammar.nonterminals.len();
    if n == 0 {
        return None;
    }
    let place = |class: usize, nonterminal: NonterminalId| class * n + nonterminal.0 as usize;
    let mut edges = Vec::new();
    for (i, nonterminal) in grammar.nonterminals.iter().enumerate() {
        let own = NonterminalId(i as u32);
        for production in &nonterminal.productions {
            match production {
                Production::Leaf { term, cost } => {
                    let class = Heads::class_of_leaf(egraph, term).map(|id| vertices.get(egraph, id));
                    edges.extend(class.map(|class| leaf(place(class, own), term.clone(), *cost)));
                }
                Production::Apply { func, args, cost } => {
                    let head = egraph.analysis.heads.find_func(func);
                    for (class, node) in head.into_iter().flat_map(|head| nodes(egraph, &vertices, head, args.len())) {
                        let children = node.iter().zip(args);
                        let sources = children.map(|(&c, &arg)| place(vertices.get(egraph, c), arg)).collect();
                        let make = head.map_or(Make::Same, Make::Node);
                        let target = place(class, own);
                        edges.push(Edge { target, sources, cost: units(*cost), charges: Vec::new(), make });
                    }
                }
                Production::Chain(other) => edges.extend((0..vertices.ids.len()).map(|class| Edge {
                    target: place(class, own),
                    sources: vec![place(class, *other)],
                    cost: 0,
                    charges: Vec::new(),
                    make: Make::Same,
                })),
                Production::AnyConstant { cost } => {
                    for (class, &id) in vertices.ids.iter().enumerate() {
                        let known =
                            egraph[id].data.values.filter(|known| known.defined && known.sort == nonterminal.sort);
                        if let Some((code, known)) = known.and_then(|known| Some((known.constant?, known))) {
                            let term = Term::constant(decode_code(known.sort, code));
                            edges.push(leaf(place(class, own), term, *cost));
                        }
                    }
                }
            }
        }
    }
    let goal = place(vertices.get(egraph, id), NonterminalId(0));
    let mut found = cheapest(&egraph.analysis.heads, &edges, vertices.ids.len() * n, 1, Some(goal));
    found.swap_remove(goal).into_iter().next()
}

fn units(cost: u32) -> u64 {
    u64::from(cost) * super::extract::COST_UNIT
}

fn leaf(target: usize, term: Term, cost: u32) -> Edge {
    Edge { target, sources: Vec::new(), cost: units(cost), charges: Vec::new(), make: Make::Leaf(term) }
}

/// The nodes with a head, as class and children.
fn nodes<'e>(
    egraph: &'e EGraph<'_>,
    vertices: &'e Vertices,
    head: Head,
    arity: usize,
) -> impl Iterator<Item = (usize, &'e [egg::Id])> {
    vertices.ids.iter().enumerate().flat_map(move |(class, &id)| {
        let nodes = egraph[id].iter().filter(move |node| node.head == head && node.children.len() == arity);
        nodes.map(move |node| (class, node.children.as_slice()))
    })
}
