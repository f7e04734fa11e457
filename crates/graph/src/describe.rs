//! Computation graphs for people and other programs: a table, DOT, and plain records to serialise.

use std::fmt::Write as _;

use crate::{Graph, NodeId, Op};

/// One node of a graph, for printing.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct NodeSummary {
    /// The name, as circuits and alignments use it.
    pub name: String,
    /// The kind of operation.
    pub op: &'static str,
    /// What distinguishes this operation from others of its kind: the activation, the normalisation, the mask.
    pub detail: String,
    /// The value's shape: N inputs, T positions.
    pub shape: String,
    /// The number of parameters.
    pub n_parameters: usize,
}

/// One edge of a graph, for printing.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct EdgeSummary {
    /// The writer.
    pub from: String,
    /// The reader.
    pub to: String,
    /// The slot of the reader's operation: what several writers put into one slot is summed.
    pub slot: &'static str,
}

/// A graph as plain records.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Summary {
    /// All nodes, parents before their readers.
    pub nodes: Vec<NodeSummary>,
    /// All edges, ordered by reader.
    pub edges: Vec<EdgeSummary>,
}

/// Writers that a table names before it counts them.
const NAMED: usize = 4;

impl Graph {
    /// The graph as plain records.
    pub fn summary(&self) -> Summary {
        let edges = self.nodes().flat_map(|id| {
            self.slots(id).iter().enumerate().flat_map(move |(slot, writers)| {
                writers.iter().map(move |&writer| EdgeSummary {
                    from: self.name(writer).to_owned(),
                    to: self.name(id).to_owned(),
                    slot: slot_name(self.op(id), slot),
                })
            })
        });
        Summary { nodes: self.nodes().map(|id| self.node_summary(id)).collect(), edges: edges.collect() }
    }

    fn node_summary(&self, id: NodeId) -> NodeSummary {
        NodeSummary {
            name: self.name(id).to_owned(),
            op: self.op(id).kind(),
            detail: detail(self.op(id)),
            shape: self.shape(id),
            n_parameters: self.n_parameters(id),
        }
    }

    /// A table of all nodes: name, operation, shape, parameters, and what each reads.
    pub fn describe(&self) -> String {
        let header = ["node", "op", "shape", "parameters", "reads"].map(str::to_owned);
        let row = |id: NodeId| {
            let node = self.node_summary(id);
            let op = if node.detail.is_empty() { node.op.to_owned() } else { format!("{} ({})", node.op, node.detail) };
            let parameters = if node.n_parameters == 0 { String::new() } else { node.n_parameters.to_string() };
            [node.name, op, node.shape, parameters, self.reads(id)]
        };
        let rows: Vec<[String; 5]> = std::iter::once(header).chain(self.nodes().map(row)).collect();
        let widths: [usize; 5] =
            std::array::from_fn(|col| rows.iter().map(|row| row[col].chars().count()).max().unwrap_or(0));
        let mut text = String::new();
        for [name, op, shape, parameters, reads] in &rows {
            let line = format!(
                "{name:<0$}  {op:<1$}  {shape:<2$}  {parameters:>3$}  {reads}",
                widths[0], widths[1], widths[2], widths[3]
            );
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn reads(&self, id: NodeId) -> String {
        let slots = self.slots(id).iter().enumerate().map(|(index, writers)| {
            let names: Vec<&str> = writers.iter().map(|&writer| self.name(writer)).collect();
            let sum = match names.as_slice() {
                [] => "zero".to_owned(),
                _ if names.len() <= NAMED => names.join(" + "),
                [first, second, .., last] => format!("{first} + {second} + ... + {last} ({} writers)", names.len()),
                _ => names.join(" + "),
            };
            let slot = slot_name(self.op(id), index);
            if self.slots(id).len() > 1 { format!("{slot}: {sum}") } else { sum }
        });
        slots.collect::<Vec<_>>().join("; ")
    }

    /// The graph in the DOT language of Graphviz. An edge into a slot of several is labelled with the slot's name.
    pub fn dot(&self) -> String {
        let mut text =
            String::from("digraph network {\n  rankdir = BT;\n  node [shape = box, fontname = monospace];\n");
        for id in self.nodes() {
            let node = self.node_summary(id);
            let label = escape(&format!("{}\n{} {}", node.name, node.op, node.shape));
            // Writing to a string cannot fail.
            _ = writeln!(text, "  \"{}\" [label = \"{label}\"];", escape(&node.name));
        }
        for edge in self.summary().edges {
            let label = match edge.slot {
                "" => String::new(),
                slot => format!(" [label = \"{slot}\"]"),
            };
            _ = writeln!(text, "  \"{}\" -> \"{}\"{label};", escape(&edge.from), escape(&edge.to));
        }
        text.push_str("}\n");
        text
    }
}

/// The name of a slot; empty where the operation has one slot only.
fn slot_name(op: &Op, slot: usize) -> &'static str {
    match (op, slot) {
        (Op::Pattern { .. }, 0) => "q",
        (Op::Pattern { .. }, _) => "k",
        (Op::Mix { .. }, 0) => "pattern",
        (Op::Mix { .. }, _) => "v",
        (Op::Cell(_), 0) => "state",
        (Op::Cell(_), _) => "x",
        _ => "",
    }
}

fn detail(op: &Op) -> String {
    let norm = if op.norm().is_some() { "layer norm" } else { "" };
    match op {
        Op::Hidden { activation, .. } if norm.is_empty() => activation.name().to_owned(),
        Op::Hidden { activation, .. } => format!("{norm}, {}", activation.name()),
        Op::Linear { .. } => norm.to_owned(),
        Op::Pattern { causal, .. } => if *causal { "causal" } else { "bidirectional" }.to_owned(),
        _ => String::new(),
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};

    use super::*;

    fn zeros(rows: usize, cols: usize) -> Tensor {
        Tensor::zeros((rows, cols), DType::F32, &Device::Cpu).expect("small")
    }

    #[test]
    fn a_graph_prints_as_table_and_dot() {
        let mut graph = Graph::new();
        let tokens = graph.add("tokens", Op::Tokens, vec![]);
        let embed = graph.add("embed", Op::Lookup { table: zeros(3, 4) }, vec![vec![tokens]]);
        let linear = |out| Op::Linear { weight: zeros(4, out), bias: None, norm: None };
        let q = graph.add("a0.h0.q", linear(2), vec![vec![embed]]);
        let k = graph.add("a0.h0.k", linear(2), vec![vec![embed]]);
        graph.add("a0.h0.pattern", Op::Pattern { scale: 1.0, causal: true }, vec![vec![q], vec![k]]);
        graph.add("output", linear(5), vec![vec![embed, q]]);
        let expected = "\
node           op                shape      parameters  reads
tokens         tokens            [N, T]
embed          lookup            [N, T, 4]          12  tokens
a0.h0.q        linear            [N, T, 2]           8  embed
a0.h0.k        linear            [N, T, 2]           8  embed
a0.h0.pattern  pattern (causal)  [N, T, T]              q: a0.h0.q; k: a0.h0.k
output         linear            [N, T, 5]          20  embed + a0.h0.q
";
        assert_eq!(graph.describe(), expected);
        let dot = graph.dot();
        assert!(dot.contains("  \"a0.h0.q\" -> \"a0.h0.pattern\" [label = \"q\"];\n"), "{dot}");
        assert!(dot.contains("  \"embed\" [label = \"embed\\nlookup [N, T, 4]\"];\n"), "{dot}");
        let summary = graph.summary();
        assert_eq!((summary.nodes.len(), summary.edges.len()), (6, 7));
    }
}
