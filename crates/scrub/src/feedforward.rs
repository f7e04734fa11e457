//! Scrubbing a transformer: every edge reads its writer's value from a donor.
//!
//! Readers are visited in the order of computation. What a reader reads from a writer comes, position by position, from
//! another input on which the writer's variables have the same values; from any other input where the hypothesis has
//! no such edge; from the same input where the writer carries no variable. Draws are independent for every edge and
//! position, and a donor's value was itself computed from its own draws: for every output this is a walk through the
//! treeified graph, up to donors that happen to be drawn twice from a finite batch.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use graph::{Graph, Intervention, NodeId, Record, RectInputs, Trace};
use rand::Rng as _;
use samples::Rng;

use crate::Error;
use crate::classes::Classes;

/// For every writer that carries variables, the classes of its values at every position; none at BOS, where a variable
/// has no value and any input may be the donor.
pub(crate) type Sites = BTreeMap<NodeId, Vec<Option<Classes>>>;

/// How one edge is treated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Edge {
    /// The writer's variables are kept.
    Kept,
    /// The hypothesis does not have the edge.
    Absent,
    /// The writer carries no variable: its value stays.
    Exact,
}

/// The plan of scrubbing one graph: which edges read what.
pub(crate) struct Plan<'a> {
    graph: &'a Graph,
    output: NodeId,
    /// Readers that do not depend on each other, group by group, with their edges.
    groups: Vec<Vec<(NodeId, NodeId, Edge)>>,
}

/// The name that a reader has in circuits: an MLP's inner node goes by the MLP's name.
fn circuit_name(graph: &Graph, reader: NodeId) -> &str {
    let name = graph.name(reader);
    name.strip_suffix(".post").unwrap_or(name)
}

/// Whether a node writes into the residual stream: `embed`, `pos_embed`, `aL.hH`, `mL`.
pub(crate) fn is_writer(name: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let head = name.strip_prefix('a').and_then(|rest| rest.split_once(".h"));
    name == "embed"
        || name == "pos_embed"
        || name.strip_prefix('m').is_some_and(digits)
        || head.is_some_and(|(layer, head)| digits(layer) && digits(head))
}

impl<'a> Plan<'a> {
    /// Plans the scrub: `carried` says which writers carry variables.
    pub(crate) fn new(
        graph: &'a Graph,
        carried: &dyn Fn(NodeId) -> bool,
        circuit: Option<&[(String, String)]>,
    ) -> Result<Self, Error> {
        let output = graph.find("output").ok_or(Error::Unsupported("a graph without an output"))?;
        let absent = |writer: NodeId, reader: NodeId| {
            circuit.is_some_and(|edges| {
                let (from, to) = (graph.name(writer), circuit_name(graph, reader));
                !edges.iter().any(|(a, b)| a == from && b == to)
            })
        };
        let mut groups: Vec<Vec<(NodeId, NodeId, Edge)>> = vec![Vec::new()];
        for reader in graph.nodes() {
            let writers: Vec<NodeId> =
                graph.parents(reader).into_iter().filter(|&parent| is_writer(graph.name(parent))).collect();
            // An MLP's own way from inside to its output, or a head's, is no edge between components.
            if writers.is_empty() || is_writer(graph.name(reader)) {
                continue;
            }
            let current = groups.last().map(|group| group.iter().map(|edge| edge.1).collect::<Vec<_>>());
            let pending = graph.downstream(current.unwrap_or_default());
            if writers.iter().any(|writer| pending[writer.index()]) {
                groups.push(Vec::new());
            }
            if let Some(group) = groups.last_mut() {
                group.extend(writers.into_iter().map(|writer| {
                    let edge = match (absent(writer, reader), carried(writer)) {
                        (true, _) => Edge::Absent,
                        (false, true) => Edge::Kept,
                        (false, false) => Edge::Exact,
                    };
                    (writer, reader, edge)
                }));
            }
        }
        Ok(Self { graph, output, groups })
    }

    /// Edges that are read from the same input, because their writer carries no variable.
    pub(crate) fn exact_edges(&self) -> Vec<(String, String)> {
        let edges = self.groups.iter().flatten().filter(|edge| edge.2 == Edge::Exact);
        edges.map(|e| (self.graph.name(e.0).to_owned(), circuit_name(self.graph, e.1).to_owned())).collect()
    }

    /// What a run costs, in forward passes, about.
    pub(crate) fn n_passes(&self) -> f64 {
        1.0 + self.groups.len() as f64 / 2.0
    }

    /// The values of all nodes without replacement.
    pub(crate) fn plain(&self, inputs: &RectInputs) -> Result<Trace, Error> {
        self.graph.run(inputs, &[], Record::All).map_err(network)
    }

    /// Raw outputs `[N * T, outputs]`.
    pub(crate) fn outputs(&self, trace: &Trace) -> Result<graph::Matrix, Error> {
        trace.matrix(self.output).map_err(network)
    }

    /// Runs with every edge scrubbed.
    pub(crate) fn scrubbed(&self, base: &Trace, sites: &Sites, rng: &mut Rng) -> Result<Trace, Error> {
        let (n, length) = base.inputs().shape();
        let mut trace = base.clone();
        for group in &self.groups {
            let mut interventions = Vec::new();
            for &(writer, reader, edge) in group {
                let donors: Vec<Vec<usize>> = match edge {
                    Edge::Exact => continue,
                    Edge::Absent => {
                        let any: Vec<usize> = (0..n).map(|_| rng.random_range(0..n)).collect();
                        vec![any; length]
                    }
                    Edge::Kept => {
                        let Some(classes) = sites.get(&writer) else { continue };
                        let draw = |class: &Option<Classes>| match class {
                            Some(class) => class.draw(rng),
                            None => (0..n).map(|_| rng.random_range(0..n)).collect(),
                        };
                        classes.iter().map(draw).collect()
                    }
                };
                let value = gather(&trace, writer, &donors)?;
                interventions.push(Intervention::edge(writer, reader, value));
            }
            if !interventions.is_empty() {
                trace = self.graph.rerun(&trace, &interventions).map_err(network)?;
            }
        }
        Ok(trace)
    }

    /// Runs with one node's value taken, at all positions, from other inputs.
    pub(crate) fn interchanged(&self, base: &Trace, node: NodeId, source: &[usize]) -> Result<Trace, Error> {
        let (_, length) = base.inputs().shape();
        let value = gather(base, node, &vec![source.to_vec(); length])?;
        self.graph.rerun(base, &[Intervention::node(node, value)]).map_err(network)
    }
}

/// A node's value with every (sequence, position) taken from the donor at that position.
fn gather(trace: &Trace, node: NodeId, donors: &[Vec<usize>]) -> Result<Tensor, Error> {
    let matrix = trace.matrix(node).map_err(network)?;
    let length = donors.len();
    let n = matrix.rows / length.max(1);
    let mut data = Vec::with_capacity(matrix.data.len());
    for row in 0..n {
        for (at, donors) in donors.iter().enumerate() {
            data.extend_from_slice(matrix.row(donors[row] * length + at));
        }
    }
    Tensor::from_vec(data, (n, length, matrix.cols), &Device::Cpu).map_err(|e| Error::Network(e.to_string()))
}

fn network(error: graph::Error) -> Error {
    Error::Network(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_go_by_their_names() {
        for name in ["embed", "pos_embed", "a0.h1", "a10.h12", "m3"] {
            assert!(is_writer(name), "{name}");
        }
        for name in ["a0.h1.q", "m0.post", "output", "tokens", "a0", "h[3]", "m", "a0.b"] {
            assert!(!is_writer(name), "{name}");
        }
    }
}
