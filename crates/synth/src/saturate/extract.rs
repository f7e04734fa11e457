//! Extraction of trees: the cheapest terms of a class, by Knuth's generalisation of Dijkstra's algorithm.
//!
//! The graph is one of hyperedges: a vertex is a class (or a class and a nonterminal), an edge makes a term of its target
//! from terms of its sources. Terms are found in order of cost, so that the first term of a vertex is the cheapest, the
//! second the next, and so on; costs of edges with sources are positive or, where a nonterminal stands for another, zero.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use dsl::{Func, Language, Node, OpId, Term};
use rustc_hash::{FxHashMap, FxHashSet};

use super::equalities::EqualClass;
use super::graph::{EGraph, ENode, Head, Heads};

/// The unit of cost of a language, in the thousandths that [`TermCost`] counts in.
pub const COST_UNIT: u64 = 1_000;

/// The head of a term, as a cost sees it.
#[derive(Clone, Copy, Debug)]
pub enum TermHead<'a> {
    /// A term that is not looked into: a variable, a constant, a scan.
    Leaf(&'a Term),
    /// An operator.
    Op(OpId),
    /// Another function that is applied.
    Apply(&'a Func),
    /// A selection by a predicate.
    Select(&'a Func),
}

/// What terms cost, in thousandths of a unit.
pub trait TermCost {
    /// The cost of a head without its arguments; of what is no leaf, at least 1.
    fn head(&self, head: TermHead<'_>) -> u64;

    /// What an operator costs in addition for each argument that is no constant.
    fn charges(&self, _op: OpId) -> Vec<u64> {
        Vec::new()
    }

    /// What every subterm of a class costs in addition, if it is no leaf: for clients who want terms whose parts have
    /// some property that equal terms share, such as being carried by a network.
    fn surcharge(&self, _class: EqualClass) -> u64 {
        0
    }
}

/// The cost by the language.
#[derive(Clone, Copy, Debug)]
pub struct LanguageCost<'l>(pub &'l Language);

impl TermCost for LanguageCost<'_> {
    fn head(&self, head: TermHead<'_>) -> u64 {
        let language = self.0;
        let variable = || Term::var("_");
        let own = match head {
            TermHead::Leaf(term) => dsl::cost(term, language),
            TermHead::Op(id) => f64::from(language.op(id).cost),
            TermHead::Apply(func) => dsl::cost(&Term::app(func.clone(), Vec::new()), language),
            TermHead::Select(pred) => {
                let whole = Term::new(Node::Select { key: variable(), query: variable(), pred: pred.clone() });
                dsl::cost(&whole, language) - 2.0 * f64::from(language.variable_cost)
            }
        };
        (own * COST_UNIT as f64).round().max(1.0) as u64
    }

    fn charges(&self, op: OpId) -> Vec<u64> {
        self.0.op(op).charges.iter().map(|&charge| u64::from(charge) * COST_UNIT).collect()
    }
}

/// The number of atoms.
#[derive(Clone, Copy, Debug)]
pub struct AtomCost<'l>(pub &'l Language);

impl TermCost for AtomCost<'_> {
    fn head(&self, head: TermHead<'_>) -> u64 {
        match head {
            TermHead::Leaf(term) => dsl::size(term, self.0) as u64 * COST_UNIT,
            _ => COST_UNIT,
        }
    }
}

/// A term of a class with its cost.
#[derive(Clone, PartialEq, Debug)]
pub struct Form {
    /// The term.
    pub term: Term,
    /// Its cost in thousandths of a unit.
    pub cost: u64,
}

/// How the term of an edge is made from those of its sources.
pub(super) enum Make {
    Leaf(Term),
    Node(Head),
    /// The term of the only source.
    Same,
}

pub(super) struct Edge {
    pub(super) target: usize,
    pub(super) sources: Vec<usize>,
    pub(super) cost: u64,
    /// Beside the cost, for each source whose term is no constant; empty for none.
    pub(super) charges: Vec<u64>,
    pub(super) make: Make,
}

struct Known {
    term: Term,
    cost: u64,
    size: u64,
    is_constant: bool,
    /// The place in the order in which terms were found: the order of terms of equal cost.
    order: u32,
}

/// Cost, atoms, the head's place among the heads, the children's places: a total order of terms that does not depend on
/// the numbers of classes. The last two say which edge with which terms of its sources.
type Entry = Reverse<(u64, u64, u32, Vec<u32>, usize, Vec<usize>)>;

/// An edge, and for each of its sources which of its terms.
type Picked = (usize, Vec<usize>);

struct Search<'a, 'l> {
    heads: &'a Heads<'l>,
    edges: &'a [Edge],
    /// For each vertex, the edges that it is a source of.
    uses: Vec<Vec<usize>>,
    ranks: Vec<u32>,
    found: Vec<Vec<Known>>,
    queue: BinaryHeap<Entry>,
    seen: FxHashSet<Picked>,
    /// What becomes usable with a certain term of a vertex: an edge with its picks.
    waiting: FxHashMap<(usize, usize), Vec<Picked>>,
}

/// The `n` cheapest terms of every vertex, or as many as are found until the goal has as many.
pub(super) fn cheapest(
    heads: &Heads<'_>,
    edges: &[Edge],
    n_vertices: usize,
    n: usize,
    goal: Option<usize>,
) -> Vec<Vec<Form>> {
    let mut uses = vec![Vec::new(); n_vertices];
    for (index, edge) in edges.iter().enumerate() {
        for &source in &edge.sources {
            if uses[source].last() != Some(&index) {
                uses[source].push(index);
            }
        }
    }
    let mut search = Search {
        heads,
        edges,
        uses,
        ranks: ranks(heads, edges),
        found: (0..n_vertices).map(|_| Vec::new()).collect(),
        queue: BinaryHeap::new(),
        seen: FxHashSet::default(),
        waiting: FxHashMap::default(),
    };
    for (index, _) in edges.iter().enumerate().filter(|(_, edge)| edge.sources.is_empty()) {
        search.push(index, Vec::new());
    }
    search.run(n, goal);
    let forms = |known: Vec<Known>| known.into_iter().take(n).map(|k| Form { term: k.term, cost: k.cost }).collect();
    search.found.into_iter().map(forms).collect()
}

impl Search<'_, '_> {
    fn run(&mut self, n: usize, goal: Option<usize>) {
        let mut order = 0;
        while let Some(Reverse((cost, size, _, _, index, picks))) = self.queue.pop() {
            let target = self.edges[index].target;
            let term = self.term(index, &picks);
            let is_constant = matches!(term.node(), Node::Const(_));
            self.next(index, &picks);
            // A constant is kept in any case: operators charge for arguments that are none.
            if self.found[target].len() >= n && !(is_constant && self.found[target].len() == n) {
                continue;
            }
            self.found[target].push(Known { term, cost, size, is_constant, order });
            order += 1;
            self.use_newest(target);
            if goal.is_some_and(|goal| self.found[goal].len() >= n) {
                return;
            }
        }
    }

    fn term(&self, index: usize, picks: &[usize]) -> Term {
        let edge = &self.edges[index];
        let mut children = edge.sources.iter().zip(picks).map(|(&source, &pick)| self.found[source][pick].term.clone());
        match &edge.make {
            Make::Leaf(term) => term.clone(),
            Make::Node(head) => self.heads.rebuild(*head, children.collect()),
            Make::Same => children.next().unwrap_or_else(|| Term::constant(samples::Value::Undefined)),
        }
    }

    /// Queues the edges that the newest term of a vertex makes usable, or cheaper.
    fn use_newest(&mut self, vertex: usize) {
        let place = self.found[vertex].len() - 1;
        for (index, picks) in self.waiting.remove(&(vertex, place)).unwrap_or_default() {
            self.push(index, picks);
        }
        if place == 0 || self.found[vertex][place].is_constant {
            for index in self.uses[vertex].clone() {
                self.seed(index);
            }
        }
    }

    /// Queues an edge with the first terms of its sources, and with constants where others are charged for.
    fn seed(&mut self, index: usize) {
        let edge = &self.edges[index];
        if edge.sources.iter().any(|&source| self.found[source].is_empty()) {
            return;
        }
        let mut all = vec![Vec::with_capacity(edge.sources.len())];
        for (i, &source) in edge.sources.iter().enumerate() {
            let charged = edge.charges.get(i).is_some_and(|&charge| charge > 0);
            let constant = self.found[source].iter().position(|known| known.is_constant).filter(|_| charged);
            let choices: Vec<usize> = [Some(0), constant.filter(|&place| place > 0)].into_iter().flatten().collect();
            all = all
                .into_iter()
                .flat_map(|picks: Vec<usize>| choices.iter().map(move |&c| [picks.as_slice(), &[c]].concat()))
                .collect();
        }
        all.into_iter().for_each(|picks| self.push(index, picks));
    }

    /// Queues the edge with the next term of each of its sources in turn, as soon as that is found.
    fn next(&mut self, index: usize, picks: &[usize]) {
        for (i, &source) in self.edges[index].sources.iter().enumerate() {
            let mut next = picks.to_vec();
            next[i] += 1;
            if next[i] < self.found[source].len() {
                self.push(index, next);
            } else {
                self.waiting.entry((source, next[i])).or_default().push((index, next));
            }
        }
    }

    fn push(&mut self, index: usize, picks: Vec<usize>) {
        let edge = &self.edges[index];
        let children: Option<Vec<&Known>> =
            edge.sources.iter().zip(&picks).map(|(&source, &pick)| self.found[source].get(pick)).collect();
        let Some(children) = children else { return };
        if !self.seen.insert((index, picks.clone())) {
            return;
        }
        let mut cost = edge.cost;
        for (i, child) in children.iter().enumerate() {
            let charge = edge.charges.get(i).copied().filter(|_| !child.is_constant).unwrap_or(0);
            cost = cost.saturating_add(child.cost).saturating_add(charge);
        }
        let own = u64::from(!matches!(edge.make, Make::Same));
        let size = children.iter().fold(own, |size, child| size.saturating_add(child.size));
        let orders = children.iter().map(|child| child.order).collect();
        self.queue.push(Reverse((cost, size, self.ranks[index], orders, index, picks)));
    }
}

/// The places of the edges' heads: variables, then operators by name, then the rest, constants last.
fn ranks(heads: &Heads<'_>, edges: &[Edge]) -> Vec<u32> {
    let name = |edge: &Edge| match &edge.make {
        Make::Same => (0, 0, String::new()),
        Make::Leaf(term) => {
            let text = dsl::print(term, heads.language);
            let kind = if matches!(term.node(), Node::Const(_)) { 4 } else { 1 };
            (kind, text.len(), text)
        }
        Make::Node(Head::Op(id)) => {
            let name = heads.language.op(*id).name.to_string();
            (2, name.len(), name)
        }
        Make::Node(Head::Form(form) | Head::Leaf(form)) => (3, *form as usize, String::new()),
    };
    let names: Vec<(u8, usize, String)> = edges.iter().map(name).collect();
    let mut sorted: Vec<&(u8, usize, String)> = names.iter().collect();
    sorted.sort();
    sorted.dedup();
    names.iter().map(|name| sorted.binary_search(&name).unwrap_or(0) as u32).collect()
}

/// The classes of an e-graph as vertices and its nodes as edges.
pub(super) struct Vertices {
    pub(super) ids: Vec<egg::Id>,
    index: FxHashMap<egg::Id, usize>,
}

impl Vertices {
    /// All classes, in a fixed order.
    pub(super) fn of(egraph: &EGraph<'_>) -> Self {
        let mut ids: Vec<egg::Id> = egraph.classes().map(|class| class.id).collect();
        ids.sort_unstable();
        let index = ids.iter().enumerate().map(|(place, &id)| (id, place)).collect();
        Self { ids, index }
    }

    /// The vertex of a class.
    pub(super) fn get(&self, egraph: &EGraph<'_>, id: egg::Id) -> usize {
        self.index[&egraph.find(id)]
    }
}

/// The edges of an e-graph under a cost.
pub(super) fn edges(egraph: &EGraph<'_>, vertices: &Vertices, cost: &dyn TermCost) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (target, &id) in vertices.ids.iter().enumerate() {
        let surcharge = cost.surcharge(EqualClass(id));
        for node in egraph[id].iter() {
            edges.push(edge(egraph, vertices, target, node, cost, surcharge));
        }
    }
    edges
}

fn edge(
    egraph: &EGraph<'_>,
    vertices: &Vertices,
    target: usize,
    node: &ENode,
    cost: &dyn TermCost,
    surcharge: u64,
) -> Edge {
    let heads = &egraph.analysis.heads;
    let view = heads.view(node.head);
    let own = cost.head(view);
    let (make, cost, charges) = match view {
        TermHead::Leaf(term) => (Make::Leaf(term.clone()), own, Vec::new()),
        TermHead::Op(id) => (Make::Node(node.head), own.max(1).saturating_add(surcharge), cost.charges(id)),
        _ => (Make::Node(node.head), own.max(1).saturating_add(surcharge), Vec::new()),
    };
    let sources = node.children.iter().map(|&child| vertices.get(egraph, child)).collect();
    Edge { target, sources, cost, charges, make }
}
