//! What the two families of transformers share: the graph of blocks over a residual stream.

use std::sync::Arc;

use graph::{Activation, Graph, NodeId, Norm, Op, Tensor};

use crate::LoadError;
use crate::json::At;

/// Edges that a graph may have.
const EDGES: usize = 1 << 23;

/// Names of activation functions in configuration files.
pub(crate) const ACTIVATIONS: [(&str, Activation); 8] = [
    ("relu", Activation::Relu),
    ("gelu", Activation::Gelu),
    ("gelu_new", Activation::GeluTanh),
    ("gelu_pytorch_tanh", Activation::GeluTanh),
    ("silu", Activation::Silu),
    ("swish", Activation::Silu),
    ("tanh", Activation::Tanh),
    ("sigmoid", Activation::Sigmoid),
];

/// One attention head.
pub(crate) struct Head {
    /// `[d_model, d_head]` and `[d_head]` for q, k and v.
    pub(crate) qkv: [(Tensor, Option<Tensor>); 3],
    /// `[d_head, d_model]`
    pub(crate) w_o: Tensor,
}

/// The attention heads of one layer.
pub(crate) struct Attention {
    pub(crate) norm: Option<Arc<Norm>>,
    pub(crate) heads: Vec<Head>,
    /// Added once, whatever the heads do.
    pub(crate) bias: Option<Tensor>,
    pub(crate) scale: f32,
    pub(crate) causal: bool,
}

/// The MLP of one layer.
pub(crate) struct Mlp {
    pub(crate) norm: Option<Arc<Norm>>,
    pub(crate) w_in: Tensor,
    pub(crate) b_in: Option<Tensor>,
    pub(crate) activation: Activation,
    pub(crate) w_out: Tensor,
    pub(crate) b_out: Option<Tensor>,
}

/// A graph under construction: all writers to the residual stream so far.
pub(crate) struct Stream {
    graph: Graph,
    writers: Vec<NodeId>,
}

impl Stream {
    /// The sum of token and position embeddings.
    pub(crate) fn new(embed: Tensor, pos_embed: Tensor) -> Self {
        let mut graph = Graph::new();
        let tokens = graph.add("tokens", Op::Tokens, vec![]);
        let positions = graph.add("positions", Op::Positions, vec![]);
        let embed = graph.add("embed", Op::Lookup { table: embed }, vec![vec![tokens]]);
        let pos_embed = graph.add("pos_embed", Op::Lookup { table: pos_embed }, vec![vec![positions]]);
        Self { graph, writers: vec![embed, pos_embed] }
    }

    pub(crate) fn attention(&mut self, layer: usize, attention: Attention) {
        let read = self.writers.clone();
        let Attention { norm, heads, bias, scale, causal } = attention;
        for (index, Head { qkv, w_o }) in heads.into_iter().enumerate() {
            let name = format!("a{layer}.h{index}");
            let mut slot = |slot: &str, (weight, bias): (Tensor, Option<Tensor>)| {
                let op = Op::Linear { weight, bias, norm: norm.clone() };
                self.graph.add(format!("{name}.{slot}"), op, vec![read.clone()])
            };
            let [q, k, v] = qkv;
            let (q, k, v) = (slot("q", q), slot("k", k), slot("v", v));
            let op = Op::Pattern { scale, causal };
            let pattern = self.graph.add(format!("{name}.pattern"), op, vec![vec![q], vec![k]]);
            let head = self.graph.add(name, Op::Mix { w_o }, vec![vec![pattern], vec![v]]);
            self.writers.push(head);
        }
        if let Some(vector) = bias {
            let constant = self.graph.add(format!("a{layer}.bias"), Op::Constant { vector }, vec![]);
            self.writers.push(constant);
        }
    }

    pub(crate) fn mlp(&mut self, layer: usize, mlp: Mlp) {
        let Mlp { norm, w_in, b_in, activation, w_out, b_out } = mlp;
        let op = Op::Hidden { weight: w_in, bias: b_in, activation, norm };
        let post = self.graph.add(format!("m{layer}.post"), op, vec![self.writers.clone()]);
        let op = Op::Linear { weight: w_out, bias: b_out, norm: None };
        let out = self.graph.add(format!("m{layer}"), op, vec![vec![post]]);
        self.writers.push(out);
    }

    pub(crate) fn output(mut self, weight: Tensor, bias: Option<Tensor>, norm: Option<Arc<Norm>>) -> Graph {
        self.graph.add("output", Op::Linear { weight, bias, norm }, vec![self.writers]);
        self.graph
    }
}

/// Fails where a graph of so many layers and heads would have too many edges.
pub(crate) fn check_size(config: &At, n_layers: usize, n_heads: usize) -> Result<(), LoadError> {
    let readers = n_layers.saturating_mul(3 * n_heads + 1) + 1;
    let writers = n_layers.saturating_mul(n_heads + 2) + 2;
    let edges = readers.saturating_mul(writers);
    if edges > EDGES {
        return Err(LoadError::Limit { file: config.file, what: "edges between heads", limit: EDGES, found: edges });
    }
    Ok(())
}

/// A bias, or none where all its numbers are zero.
pub(crate) fn unless_zero(numbers: Vec<f32>) -> Result<Option<Tensor>, LoadError> {
    if numbers.iter().all(|&number| number == 0.0) {
        return Ok(None);
    }
    let n = numbers.len();
    crate::tensors::tensor(numbers, &[n]).map(Some)
}
