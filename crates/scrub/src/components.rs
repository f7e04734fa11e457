//! The components of a transformer's graph: what writes into the residual stream, what reads it, and the edges between.

use std::collections::BTreeMap;

use graph::{Graph, NodeId, Op};

use crate::Error;

/// An edge from a writer to a reader.
pub type Edge = (NodeId, NodeId);

/// Writers, readers and edges of a graph.
///
/// Writers are the embeddings, attention heads and MLPs; readers are the attention inputs `aL.hH.q`, `.k`, `.v`, the
/// hidden layers of MLPs and the output. Constants are neither: what they write is the same on every input.
#[derive(Clone, Debug)]
pub struct Components {
    writers: Vec<NodeId>,
    readers: Vec<NodeId>,
    edges: Vec<Edge>,
    /// The readers that a writer computes its value from; none for embeddings.
    inside: BTreeMap<NodeId, Vec<NodeId>>,
    output: NodeId,
}

/// Whether a name is that of a node that writes into the residual stream: `embed`, `pos_embed`, `aL.hH`, `mL`.
pub(crate) fn is_writer(name: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let head = name.strip_prefix('a').and_then(|rest| rest.split_once(".h"));
    name == "embed"
        || name == "pos_embed"
        || name.strip_prefix('m').is_some_and(digits)
        || head.is_some_and(|(layer, head)| digits(layer) && digits(head))
}

/// The name that a reader has in circuits: an MLP's inner node goes by the MLP's name.
pub fn circuit_name(graph: &Graph, reader: NodeId) -> &str {
    let name = graph.name(reader);
    name.strip_suffix(".post").unwrap_or(name)
}

impl Components {
    /// The components of a graph.
    ///
    /// # Errors
    /// A graph without a node `output`.
    pub fn new(graph: &Graph) -> Result<Self, Error> {
        let output = graph.find("output").ok_or(Error::Unsupported("a graph without an output"))?;
        let writers: Vec<NodeId> = graph.nodes().filter(|&node| is_writer(graph.name(node))).collect();
        let mut readers = Vec::new();
        let mut edges = Vec::new();
        for reader in graph.nodes().filter(|node| !writers.contains(node)) {
            let before = edges.len();
            edges.extend(graph.parents(reader).into_iter().filter(|w| writers.contains(w)).map(|w| (w, reader)));
            if edges.len() > before {
                readers.push(reader);
            }
        }
        let inside = writers.iter().map(|&writer| (writer, readers_within(graph, writer, &readers))).collect();
        Ok(Self { writers, readers, edges, inside, output })
    }

    /// Everything that writes into the residual stream, in the order of computation.
    pub fn writers(&self) -> &[NodeId] {
        &self.writers
    }

    /// Everything that reads it, in the order of computation.
    pub fn readers(&self) -> &[NodeId] {
        &self.readers
    }

    /// All edges, ordered by reader.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The node whose value is the network's output.
    pub fn output(&self) -> NodeId {
        self.output
    }

    /// The readers that a writer computes its value from (the output: itself).
    pub fn inside(&self, node: NodeId) -> &[NodeId] {
        match self.inside.get(&node) {
            Some(readers) => readers,
            None => std::slice::from_ref(&self.output),
        }
    }

    /// The writer that a reader belongs to; the output is its own.
    pub fn owner(&self, reader: NodeId) -> NodeId {
        let owner = self.inside.iter().find(|(_, inside)| inside.contains(&reader));
        owner.map_or(reader, |(writer, _)| *writer)
    }
}

/// The readers on which a writer depends without another writer between.
fn readers_within(graph: &Graph, writer: NodeId, readers: &[NodeId]) -> Vec<NodeId> {
    let mut found = Vec::new();
    let mut pending = graph.parents(writer);
    while let Some(node) = pending.pop() {
        if readers.contains(&node) {
            found.push(node);
        } else if !matches!(graph.op(node), Op::Tokens | Op::Positions) {
            pending.extend(graph.parents(node));
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_go_by_their_names() {
        for name in ["embed", "pos_embed", "a0.h1", "a10.h12", "m3"] {
            assert!(is_writer(name), "{name}");
        }
        for name in ["a0.h1.q", "m0.post", "output", "tokens", "a0", "h[3]", "m", "a0.bias", "a0.b"] {
            assert!(!is_writer(name), "{name}");
        }
    }
}
