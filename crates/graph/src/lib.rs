//! Computation graphs of networks, their execution and interventions.
//!
//! A [`Network`] is a computation [`Graph`] (or a [`Recurrence`] that unrolls to one) with the domain it is meant for.
//! Everything after the loader works on this alone: a new family of networks is one new builder.
//!
//! Nodes are tensors, edges are uses. In a transformer the residual stream is no node: every node that reads it reads
//! the sum of all writers so far, so that an edge is one writer's contribution to one reader, and attention inputs are
//! the separate nodes `aL.hH.q`, `.k`, `.v`. Recording and replacing are two uses of one run: see [`Graph::run`].

mod decode;
mod describe;
mod graph;
mod kernels;
mod matrix;
mod network;
mod op;
mod recurrence;
mod run;

pub use candle_core::{DType, Device, Tensor};

pub use describe::{EdgeSummary, NodeSummary, Summary};
pub use graph::{Graph, NodeId};
pub use matrix::Matrix;
pub use network::{Activations, Family, Feeding, Network, vocabulary};
pub use op::{Activation, Norm, Op};
pub use recurrence::{Affine, Cell, Encoding, GateLayer, Mlp, Recurrence};
pub use run::{Intervention, Place, Record, RectInputs, Trace};

/// What can go wrong when a graph is run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The tensor library refused an operation.
    #[error("a tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// The inputs are not what the source nodes want.
    #[error("the inputs do not fit this network: it wants {0}")]
    Inputs(&'static str),
    /// Elements of another size than the network reads.
    #[error("the network reads {expected} numbers per element, the inputs have {found}")]
    Dim {
        /// Numbers per element that the network reads.
        expected: usize,
        /// Numbers per element of the batch.
        found: usize,
    },
    /// A sequence beyond the network's positions.
    #[error("a sequence of {length} elements at origin {origin} does not fit the network's {limit} positions")]
    TooLong {
        /// Elements of the sequence.
        length: usize,
        /// The position of its first element.
        origin: i64,
        /// Positions that the network has for elements.
        limit: usize,
    },
    /// A token that the network does not have.
    #[error("there is no token {id}: the network has {limit}")]
    Token {
        /// Given.
        id: i64,
        /// The number of tokens.
        limit: usize,
    },
    /// A node id of another graph.
    #[error("there is no node number {}", .0.0)]
    NoNode(NodeId),
    /// An edge that is not in the graph.
    #[error("there is no edge from node number {} to node number {}", .0.0, .1.0)]
    NoEdge(NodeId, NodeId),
    /// A value that was not recorded.
    #[error("node number {} was not recorded", .0.0)]
    NotRecorded(NodeId),
    /// A slot without a writer where the operation needs one.
    #[error("node number {} reads nothing", .0.0)]
    EmptySlot(NodeId),
    /// A graph without the node `output`.
    #[error("the graph has no node named output")]
    NoOutput,
    /// A replacement of the wrong shape.
    #[error("a replacement for {node} must have the shape {expected:?}, or broadcast to it, and has {found:?}")]
    Replacement {
        /// The node's name.
        node: String,
        /// The shape of its value.
        expected: Vec<usize>,
        /// The shape given.
        found: Vec<usize>,
    },
}
