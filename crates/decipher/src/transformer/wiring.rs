//! A transformer's components and what they read, taken from the operations of its computation graph.

use graph::{Network, NodeId, Op};
use nalgebra::DVector;

use super::trace::Mat;

/// The components that write to the residual stream, in causal order, and the read-out.
#[derive(Clone, Debug)]
pub(super) struct Wiring {
    /// The width of the residual stream.
    pub(super) width: usize,
    /// In causal order.
    pub(super) writers: Vec<Writer>,
    /// The unembedding.
    pub(super) readout: Slot,
}

/// A component that writes to the residual stream.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    /// The node's name: `embed`, `pos_embed`, `aL.hH`, `mL`.
    pub(super) name: String,
    /// What it computes.
    pub(super) part: Part,
}

/// What a writer computes.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// `[width, tokens]`.
    Tokens(Mat),
    /// `[width, positions]`.
    Positions(Mat),
    /// The same everywhere.
    Constant(DVector<f64>),
    /// An attention head.
    Head(Head),
    /// A hidden layer.
    Mlp(Mlp),
}

/// An affine reading of a sum of writers.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    /// `[out, width]`.
    pub(super) weight: Mat,
    /// `[out]`.
    pub(super) bias: DVector<f64>,
    /// The writers that are read.
    pub(super) reads: Vec<usize>,
}

/// An attention head.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// Queries.
    pub(super) q: Slot,
    /// Keys.
    pub(super) k: Slot,
    /// Values.
    pub(super) v: Slot,
    /// `[width, d_head]`.
    pub(super) out: Mat,
    /// The divisor of the logits.
    pub(super) scale: f64,
    /// Whether queries see only keys up to their own position.
    pub(super) causal: bool,
}

/// A layer of hidden units with ReLU.
#[derive(Clone, Debug)]
pub(super) struct Mlp {
    /// Pre-activations.
    pub(super) hidden: Slot,
    /// `[width, units]`.
    pub(super) out: Mat,
    /// `[width]`.
    pub(super) bias: DVector<f64>,
    /// Pairs of units whose ramp is taken as a step.
    pub(super) steps: Vec<Step>,
}

/// A pair of hidden units that make a ramp between two plateaus.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The unit that fires first.
    pub(super) lead: usize,
    /// The unit that stops the rise.
    pub(super) other: usize,
    /// How fast `lead` rises.
    pub(super) lead_slope: f64,
    /// How fast `other` rises.
    pub(super) other_slope: f64,
    /// The distance of the two breakpoints.
    pub(super) width: f64,
}

impl Step {
    /// How far up the ramp two activations are: 0 at the foot, 1 at the top.
    pub(super) fn share(&self, lead: f64, other: f64) -> f64 {
        (lead / self.lead_slope - other / self.other_slope) / self.width
    }
}

impl Head {
    /// Whether it never adds anything but a constant.
    pub(super) fn is_dead(&self) -> bool {
        (&self.out * &self.v.weight).amax() < 1e-9
    }
}

impl Mlp {
    /// Whether it never adds anything but its bias.
    pub(super) fn is_dead(&self) -> bool {
        self.out.amax() < 1e-9
    }

    /// Pre-activations to activations, in place; one column per row of the batch.
    pub(super) fn activate(&self, pre: &mut Mat) {
        pre.apply(|v| *v = v.max(0.0));
        for step in &self.steps {
            for column in 0..pre.ncols() {
                let share = step.share(pre[(step.lead, column)], pre[(step.other, column)]);
                pre[(step.lead, column)] = share.round() * step.width * step.lead_slope;
                pre[(step.other, column)] = 0.0;
            }
        }
    }
}

/// Why a network has no wiring of this kind.
pub(super) type Unreadable = String;

impl Wiring {
    /// The components of a transformer without normalisation, with ReLU layers.
    ///
    /// # Errors
    /// In words, what is not of that kind.
    pub(super) fn of(network: &Network) -> Result<Self, Unreadable> {
        let graph = network.graph(0);
        let output = graph.find("output").ok_or("no output")?;
        let mut wiring = Self { width: 0, writers: Vec::new(), readout: Slot::empty() };
        // The place of every node that writes.
        let mut place = vec![None; graph.n_nodes()];
        for id in graph.nodes() {
            let part = match graph.op(id) {
                _ if id == output => None,
                op @ Op::Lookup { .. } => {
                    let table = parameter(op, "table")?.transpose();
                    wiring.width = table.nrows();
                    let source = graph.parents(id).first().map(|&parent| graph.op(parent));
                    match source {
                        Some(Op::Tokens) => Some(Part::Tokens(table)),
                        Some(Op::Positions) => Some(Part::Positions(table)),
                        _ => {
                            return Err(format!("{} looks up something else than tokens or positions", graph.name(id)));
                        }
                    }
                }
                op @ Op::Constant { .. } => Some(Part::Constant(parameter(op, "vector")?.row(0).transpose())),
                op @ Op::Mix { .. } => {
                    let slots = graph.slots(id);
                    let (Some([pattern]), Some([v])) = (slots.first().map(|s| &s[..]), slots.get(1).map(|s| &s[..]))
                    else {
                        return Err(format!("{} mixes several patterns", graph.name(id)));
                    };
                    let Op::Pattern { scale, causal } = graph.op(*pattern) else {
                        return Err(format!("{} has no attention pattern", graph.name(id)));
                    };
                    let inputs = graph.parents(*pattern);
                    let [q, k] = inputs[..] else { return Err(format!("{} has no q and k", graph.name(id))) };
                    let slot = |node: NodeId| Slot::of(&graph, node, &place);
                    Some(Part::Head(Head {
                        q: slot(q)?,
                        k: slot(k)?,
                        v: slot(*v)?,
                        out: parameter(op, "w_o")?.transpose(),
                        scale: f64::from(*scale),
                        causal: *causal,
                    }))
                }
                // A linear map of one hidden layer writes; other linear maps are the inputs of heads.
                op @ Op::Linear { .. } => match graph.parents(id)[..] {
                    [hidden] => match graph.op(hidden) {
                        Op::Hidden { activation: graph::Activation::Relu, .. } => {
                            let out = parameter(op, "weight")?.transpose();
                            let bias = bias(op, out.nrows())?;
                            let hidden = Slot::of(&graph, hidden, &place)?;
                            Some(Part::Mlp(Mlp { hidden, out, bias, steps: Vec::new() }))
                        }
                        Op::Hidden { activation, .. } => {
                            return Err(format!("the activation is {}", activation.name()));
                        }
                        _ => None,
                    },
                    _ => None,
                },
                _ => None,
            };
            if let Some(part) = part {
                place[id.index()] = Some(wiring.writers.len());
                wiring.writers.push(Writer { name: graph.name(id).to_owned(), part });
            }
        }
        wiring.readout = Slot::of(&graph, output, &place)?;
        Ok(wiring)
    }
}

impl Slot {
    fn empty() -> Self {
        Self { weight: Mat::zeros(0, 0), bias: DVector::zeros(0), reads: Vec::new() }
    }

    fn of(graph: &graph::Graph, node: NodeId, place: &[Option<usize>]) -> Result<Self, Unreadable> {
        let op = graph.op(node);
        if op.norm().is_some() {
            return Err(format!("{} normalises what it reads", graph.name(node)));
        }
        let weight = parameter(op, "weight")?.transpose();
        let parents = graph.parents(node);
        let reads = parents.iter().map(|parent| place[parent.index()].ok_or("a reader of no writer".to_owned()));
        Ok(Self { bias: bias(op, weight.nrows())?, reads: reads.collect::<Result<_, _>>()?, weight })
    }
}

fn parameter(op: &Op, name: &str) -> Result<Mat, Unreadable> {
    let matrix = op.matrix(name).map_err(|error| error.to_string())?;
    let matrix = matrix.ok_or_else(|| format!("an operation {} without {name}", op.kind()))?;
    Ok(Mat::from_row_iterator(matrix.rows, matrix.cols, matrix.data.iter().map(|&v| f64::from(v))))
}

fn bias(op: &Op, n: usize) -> Result<DVector<f64>, Unreadable> {
    let matrix = op.matrix("bias").map_err(|error| error.to_string())?;
    Ok(matrix.map_or_else(|| DVector::zeros(n), |m| DVector::from_iterator(n, m.data.iter().map(|&v| f64::from(v)))))
}
