//! The computation graph: nodes are tensors, edges are uses.

use petgraph::graph::{DiGraph, NodeIndex};
use rustc_hash::FxHashMap;

use crate::Op;
use crate::kernels::{Compact, Sums};

/// A node of one graph. Ids ascend from sources to outputs: parents have smaller ids than their readers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The id as an index from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One node: what it computes, and from what.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) op: Op,
    /// For every slot of the operation the nodes whose sum it reads.
    pub(crate) slots: Vec<Vec<NodeId>>,
    /// For every slot the shared sum it reads, where more than one node writes into it.
    pub(crate) sums: Vec<Option<usize>>,
    /// The size of the last dimension, where it does not depend on the input.
    pub(crate) width: Option<usize>,
    /// The weight without rows and columns of zeros, where that is much smaller.
    pub(crate) compact: Option<Compact>,
}

impl Node {
    /// Whether the value is the same whatever the node reads: an unused head or MLP.
    pub(crate) fn ignores_input(&self) -> bool {
        self.compact.as_ref().is_some_and(Compact::is_zero)
    }
}

/// A set of writers whose sum some nodes read; written once, computed once.
#[derive(Clone, Debug)]
pub(crate) struct Sum {
    pub(crate) writers: Vec<NodeId>,
    /// The longest other sum that this one continues.
    pub(crate) prefix: Option<usize>,
}

/// A computation graph: a directed acyclic graph of operations.
///
/// An edge means that the reader uses the writer's value. Where several nodes write into one slot of a reader, the slot
/// holds their sum: so in a transformer, whose residual stream is the sum of all writers so far, an edge is one
/// writer's contribution to one reader.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    dag: DiGraph<Node, usize>,
    names: FxHashMap<String, NodeId>,
    sums: Vec<Sum>,
    normalised: bool,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node that reads, in every slot, the sum of the nodes listed there.
    ///
    /// # Panics
    /// If a parent is not in the graph yet or the name is taken: graphs are built by code, not from files.
    pub fn add(&mut self, name: impl Into<String>, op: Op, slots: Vec<Vec<NodeId>>) -> NodeId {
        let name = name.into();
        let id = NodeId(u32::try_from(self.dag.node_count()).expect("fewer than 2^32 nodes"));
        assert!(slots.iter().flatten().all(|parent| *parent < id), "parents of {name} come first");
        let sums = slots.iter().map(|writers| (writers.len() > 1).then(|| self.sum(writers))).collect();
        let width = width(&op);
        let compact = match &op {
            Op::Linear { weight, .. } | Op::Hidden { weight, .. } => Compact::of(weight),
            Op::Mix { w_o } => Compact::of(w_o),
            _ => None,
        };
        self.normalised |= op.norm().is_some();
        let at = self.dag.add_node(Node { name: name.clone(), op, slots: slots.clone(), sums, width, compact });
        for (slot, writers) in slots.iter().enumerate() {
            for parent in writers {
                self.dag.add_edge(NodeIndex::new(parent.index()), at, slot);
            }
        }
        let before = self.names.insert(name, id);
        assert!(before.is_none(), "node names differ");
        id
    }

    fn sum(&mut self, writers: &[NodeId]) -> usize {
        if let Some(known) = self.sums.iter().position(|sum| sum.writers == writers) {
            return known;
        }
        let prefix = (0..self.sums.len())
            .filter(|&i| writers.starts_with(&self.sums[i].writers))
            .max_by_key(|&i| self.sums[i].writers.len());
        self.sums.push(Sum { writers: writers.to_vec(), prefix });
        self.sums.len() - 1
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.dag[NodeIndex::new(id.index())]
    }

    pub(crate) fn precision(&self) -> Sums {
        if self.normalised { Sums::Single } else { Sums::Double }
    }

    pub(crate) fn sums(&self) -> &[Sum] {
        &self.sums
    }

    /// The graph as petgraph has it: node indices equal [`NodeId`]s, edge weights are slots.
    pub fn petgraph(&self) -> DiGraph<&str, usize> {
        self.dag.map(|_, node| node.name.as_str(), |_, slot| *slot)
    }

    /// The number of nodes.
    pub fn n_nodes(&self) -> usize {
        self.dag.node_count()
    }

    /// All nodes, parents before their readers.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = NodeId> + ExactSizeIterator + use<> {
        // Ids are handed out as u32, so the count fits.
        (0..self.dag.node_count() as u32).map(NodeId)
    }

    /// A node's name.
    pub fn name(&self, id: NodeId) -> &str {
        &self.node(id).name
    }

    /// The node of a name.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.names.get(name).copied()
    }

    /// What a node computes.
    pub fn op(&self, id: NodeId) -> &Op {
        &self.node(id).op
    }

    /// The nodes that a node reads, slot by slot, in order.
    pub fn parents(&self, id: NodeId) -> Vec<NodeId> {
        self.node(id).slots.concat()
    }

    /// For every slot of a node's operation, the nodes whose sum it reads.
    pub fn slots(&self, id: NodeId) -> &[Vec<NodeId>] {
        &self.node(id).slots
    }

    /// The nodes that read a node, ascending.
    pub fn children(&self, id: NodeId) -> Vec<NodeId> {
        let mut children: Vec<NodeId> =
            self.dag.neighbors(NodeIndex::new(id.index())).map(|at| NodeId(at.index() as u32)).collect();
        children.sort_unstable();
        children.dedup();
        children
    }

    /// All edges as (writer, reader), ordered by reader.
    pub fn edges(&self) -> Vec<(NodeId, NodeId)> {
        self.nodes().flat_map(|id| self.parents(id).into_iter().map(move |parent| (parent, id))).collect()
    }

    /// Whether `from` is read by `to`.
    pub fn has_edge(&self, from: NodeId, to: NodeId) -> bool {
        self.node(to).slots.iter().flatten().any(|parent| *parent == from)
    }

    /// The size of the last dimension of a node's value; `None` for attention patterns, where it is the length.
    pub fn width(&self, id: NodeId) -> Option<usize> {
        self.node(id).width
    }

    /// A node's shape for people: `[N, T, 24]`.
    pub fn shape(&self, id: NodeId) -> String {
        let node = self.node(id);
        match (&node.op, node.width) {
            (Op::Tokens | Op::Positions, _) => "[N, T]".to_owned(),
            (Op::Pattern { .. }, _) => "[N, T, T]".to_owned(),
            (Op::Input { .. } | Op::Cell(_) | Op::Readout(_), Some(width)) => format!("[N, {width}]"),
            (_, Some(width)) => format!("[N, T, {width}]"),
            (_, None) => "[N, T, ?]".to_owned(),
        }
    }

    /// The number of parameters of a node.
    pub fn n_parameters(&self, id: NodeId) -> usize {
        self.node(id).op.n_parameters()
    }

    /// For every node, whether it depends on one of the given ones (which are included).
    pub fn downstream(&self, of: impl IntoIterator<Item = NodeId>) -> Vec<bool> {
        let mut reached = vec![false; self.n_nodes()];
        for id in of {
            reached[id.index()] = true;
        }
        for id in self.nodes() {
            if self.node(id).slots.iter().flatten().any(|parent| reached[parent.index()]) {
                reached[id.index()] = true;
            }
        }
        reached
    }

    /// Sets the width of a source node, which its operation does not tell.
    pub(crate) fn set_width(&mut self, id: NodeId, width: usize) {
        self.dag[NodeIndex::new(id.index())].width = Some(width);
    }
}

fn width(op: &Op) -> Option<usize> {
    match op {
        Op::Tokens | Op::Positions => Some(1),
        Op::Input { .. } | Op::Pattern { .. } => None,
        Op::Lookup { table } => table.dims().last().copied(),
        Op::Linear { weight, .. } | Op::Hidden { weight, .. } => weight.dims().last().copied(),
        Op::Mix { w_o } => w_o.dims().last().copied(),
        Op::Constant { vector } => vector.dims().last().copied(),
        Op::Cell(recurrence) => Some(recurrence.hidden_dim()),
        Op::Readout(recurrence) => Some(recurrence.n_outputs()),
    }
}
