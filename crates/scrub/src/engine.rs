//! Scrubbing a transformer, edge by edge, in two variants.
//!
//! An [`EdgeHypothesis`] says of every edge what its reader may rely on: the writer's own value (exact), the value of a
//! variable (any donor on which the variable is the same is as good), or nothing (cut). [`Scrubber::treeified`] is causal
//! scrubbing as defined by Chan et al. (2022): every occurrence of a node in the tree that the graph unfolds to draws
//! its own donors, and what a donor's value is computed from is drawn again. [`Scrubber::shared_noise`] evaluates every
//! node once, with one draw per edge: one forward pass, in which readers of the same writer see the same noise.
//!
//! Both draw from a finite pool, one donor per edge and cell. So within one occurrence the same donor may serve several
//! cells, and brings the same draws along; as the pool grows this vanishes.
//!
//! The root is evaluated on the reference input with its own label: donors of what the output reads are drawn for that
//! input, and the loss is that of its own output.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{Device, Tensor};
use graph::{Graph, Intervention, Matrix, NodeId};
use rand::Rng as _;
use samples::Rng;

use crate::Error;
use crate::classes::{ClassSizes, Classes};
use crate::components::{Components, Edge};
use crate::pool::{Pool, failed, gather};

/// What a reader may rely on in what it reads from a writer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Treatment {
    /// The writer on the same input. Nothing is claimed of the edge, and nothing tested but what lies before it.
    Exact,
    /// Nothing: the writer's value comes from any input.
    Cut,
    /// A variable: the writer's value comes from an input on which the variable is the same.
    Class {
        /// The variable, an index into [`EdgeHypothesis::classes`].
        variable: usize,
        /// Whether all edges of the reader with this variable share their donor: writers that carry it together.
        joint: bool,
    },
}

/// What is put in the place of an edge that is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ablation {
    /// Zero.
    Zero,
    /// The mean over the cells that a donor could come from.
    Mean,
    /// The writer's own value on another input.
    Resample,
}

/// How draws were made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Variant {
    /// An independent draw for every occurrence of a node in the treeified graph.
    Treeified,
    /// One draw per edge in one forward pass: readers of one writer see the same noise.
    SharedNoise,
}

/// A hypothesis about every edge of a graph.
#[derive(Clone, Debug)]
pub struct EdgeHypothesis {
    /// The classes of the variables.
    pub classes: Vec<Classes>,
    /// Where the donors of a cut edge come from: cells that play the same role (a position, or a part of the sequence).
    pub roles: Classes,
    /// How edges are treated; edges that are not listed are exact.
    pub edges: BTreeMap<Edge, Treatment>,
    /// What stands for an edge that is cut.
    pub ablation: Ablation,
}

impl EdgeHypothesis {
    /// A hypothesis that leaves every edge as it is.
    pub fn new(roles: Classes) -> Self {
        Self { classes: Vec::new(), roles, edges: BTreeMap::new(), ablation: Ablation::Resample }
    }

    /// How an edge is treated.
    pub fn treatment(&self, edge: Edge) -> Treatment {
        self.edges.get(&edge).copied().unwrap_or(Treatment::Exact)
    }

    /// Edges that carry a variable.
    pub fn carried(&self) -> impl Iterator<Item = (Edge, usize)> + '_ {
        self.edges.iter().filter_map(|(&edge, &treatment)| match treatment {
            Treatment::Class { variable, .. } => Some((edge, variable)),
            _ => None,
        })
    }

    /// The sizes of the classes of all edges that carry a variable.
    pub fn sizes(&self) -> ClassSizes {
        let mut sizes = ClassSizes::default();
        self.carried().for_each(|(_, variable)| sizes.add(&self.classes[variable]));
        sizes
    }
}

/// A graph with a pool of inputs, ready to be scrubbed.
pub struct Scrubber<'a> {
    graph: &'a Graph,
    components: &'a Components,
    pool: &'a Pool,
}

/// One forward pass with one draw per edge.
#[derive(Clone, Debug)]
pub struct Pass {
    seed: u64,
    /// The value of every writer and of the output; none where it is the clean one.
    values: BTreeMap<NodeId, Value>,
}

/// How donors of an edge are drawn.
type Draw<'d> = &'d dyn Fn(&Classes, Edge, &mut Rng) -> Vec<usize>;

/// What a node's value is, as readers see it: the clean one where it is absent.
type Value = Option<Tensor>;

impl<'a> Scrubber<'a> {
    /// Puts a graph and a pool together.
    pub fn new(graph: &'a Graph, components: &'a Components, pool: &'a Pool) -> Self {
        Self { graph, components, pool }
    }

    /// The pool.
    pub fn pool(&self) -> &'a Pool {
        self.pool
    }

    /// The components of the graph.
    pub fn components(&self) -> &'a Components {
        self.components
    }

    /// The graph.
    pub fn graph(&self) -> &'a Graph {
        self.graph
    }

    /// The raw outputs `[cells, outputs]` of one forward pass with one draw per edge, a permutation within classes.
    ///
    /// # Errors
    /// A graph that cannot be run.
    pub fn shared_noise(&self, hypothesis: &EdgeHypothesis, rng: &mut Rng) -> Result<Matrix, Error> {
        self.output(self.pass(hypothesis, rng)?.values.remove(&self.components.output()).flatten())
    }

    /// The same pass with the values of all writers, from which [`Scrubber::resumed`] goes on.
    ///
    /// # Errors
    /// A graph that cannot be run.
    pub fn pass(&self, hypothesis: &EdgeHypothesis, rng: &mut Rng) -> Result<Pass, Error> {
        let mut pass = Pass { seed: rng.random(), values: BTreeMap::new() };
        for &writer in self.components.writers().iter().chain([&self.components.output()]) {
            let value = self.noisy(writer, hypothesis, &pass)?;
            pass.values.insert(writer, value);
        }
        Ok(pass)
    }

    /// The raw outputs of a pass with the same draws, for a hypothesis that differs in the treatment of the edges
    /// `changed` alone: what does not lie after one of them is taken from the pass.
    ///
    /// # Errors
    /// A graph that cannot be run.
    pub fn resumed(&self, pass: &Pass, hypothesis: &EdgeHypothesis, changed: &[Edge]) -> Result<Matrix, Error> {
        let mut pass = pass.clone();
        let mut affected: BTreeSet<NodeId> = BTreeSet::new();
        for &writer in self.components.writers().iter().chain([&self.components.output()]) {
            if self.reads(writer).any(|edge| changed.contains(&edge) || affected.contains(&edge.0)) {
                affected.insert(writer);
                let value = self.noisy(writer, hypothesis, &pass)?;
                pass.values.insert(writer, value);
            }
        }
        self.output(pass.values.remove(&self.components.output()).flatten())
    }

    /// A writer's value in a pass that has those of all writers before it.
    fn noisy(&self, writer: NodeId, hypothesis: &EdgeHypothesis, pass: &Pass) -> Result<Value, Error> {
        // Every edge has a stream of its own, so that what one edge is given does not change the draws of another.
        let permute = |classes: &Classes, (writer, reader): Edge, _: &mut Rng| {
            classes.permute(&mut samples::rng(pass.seed, &format!("edge {} {}", writer.0, reader.0)))
        };
        let source = |writer: NodeId, _: &mut Rng| Ok(pass.values.get(&writer).cloned().flatten());
        // Nothing is drawn from this one.
        let mut unused = samples::rng(pass.seed, "pass");
        self.evaluate(writer, hypothesis, &permute, &mut unused, &mut { source })
    }

    /// The raw outputs `[cells, outputs]` where every occurrence of a node draws for itself.
    ///
    /// # Errors
    /// A graph that cannot be run; more occurrences than `limit`, see [`Scrubber::occurrences`].
    pub fn treeified(&self, hypothesis: &EdgeHypothesis, limit: usize, rng: &mut Rng) -> Result<Matrix, Error> {
        let found = self.occurrences(hypothesis);
        if found > limit as f64 {
            return Err(Error::TooDeep { found, limit });
        }
        let disturbed = self.disturbed(hypothesis);
        let value = self.occurrence(self.components.output(), hypothesis, &disturbed, rng)?;
        self.output(value)
    }

    /// How often the treeified graph evaluates a node, leaves and undisturbed nodes left out.
    pub fn occurrences(&self, hypothesis: &EdgeHypothesis) -> f64 {
        let disturbed = self.disturbed(hypothesis);
        let mut counts: BTreeMap<NodeId, f64> = BTreeMap::from([(self.components.output(), 1.0)]);
        let writers = self.components.writers().iter().rev();
        for node in [self.components.output()].iter().chain(writers) {
            let here = counts.get(node).copied().unwrap_or(0.0);
            for edge in self.reads(*node).filter(|edge| hypothesis.treatment(*edge) != Treatment::Cut) {
                if disturbed.contains(&edge.0) {
                    *counts.entry(edge.0).or_insert(0.0) += here;
                }
            }
        }
        disturbed.iter().map(|node| counts.get(node).copied().unwrap_or(0.0)).sum()
    }

    /// The edges that a node (a writer or the output) reads.
    fn reads(&self, node: NodeId) -> impl Iterator<Item = Edge> + '_ {
        let inside = self.components.inside(node);
        self.components.edges().iter().copied().filter(move |edge| inside.contains(&edge.1))
    }

    /// Nodes whose value under a hypothesis is not the clean one.
    fn disturbed(&self, hypothesis: &EdgeHypothesis) -> BTreeSet<NodeId> {
        let mut disturbed = BTreeSet::new();
        for &node in self.components.writers().iter().chain([&self.components.output()]) {
            let touched = |edge: Edge| hypothesis.treatment(edge) != Treatment::Exact || disturbed.contains(&edge.0);
            if self.reads(node).any(touched) {
                disturbed.insert(node);
            }
        }
        disturbed
    }

    /// The value of one occurrence of a node, for every cell as its reference.
    fn occurrence(
        &self,
        node: NodeId,
        hypothesis: &EdgeHypothesis,
        disturbed: &BTreeSet<NodeId>,
        rng: &mut Rng,
    ) -> Result<Value, Error> {
        if !disturbed.contains(&node) {
            return Ok(None);
        }
        let mut source = |writer: NodeId, rng: &mut Rng| self.occurrence(writer, hypothesis, disturbed, rng);
        self.evaluate(node, hypothesis, &|classes, _, rng| classes.draw(rng), rng, &mut source)
    }

    /// A node's value when all its readers read as the hypothesis says; `source` gives the value of a writer. `None`
    /// where nothing differs from the clean run.
    fn evaluate(
        &self,
        node: NodeId,
        hypothesis: &EdgeHypothesis,
        draw: Draw<'_>,
        rng: &mut Rng,
        source: &mut dyn FnMut(NodeId, &mut Rng) -> Result<Value, Error>,
    ) -> Result<Value, Error> {
        let mut interventions = Vec::new();
        let mut joint: BTreeMap<(NodeId, usize), Vec<usize>> = BTreeMap::new();
        for edge in self.reads(node) {
            let (writer, reader) = edge;
            let value = match hypothesis.treatment(edge) {
                Treatment::Exact => source(writer, rng)?,
                Treatment::Cut => Some(self.cut(edge, hypothesis, draw, rng)?),
                Treatment::Class { variable, joint: together } => {
                    let classes = hypothesis.classes.get(variable).ok_or(Error::Unsupported("an unknown variable"))?;
                    let donors = match joint.get(&(reader, variable)) {
                        Some(donors) if together => donors.clone(),
                        _ => draw(classes, edge, rng),
                    };
                    let value = match source(writer, rng)? {
                        Some(value) => gather(&value, &donors)?,
                        None => gather(self.pool.value(writer)?, &donors)?,
                    };
                    if together {
                        joint.insert((reader, variable), donors);
                    }
                    Some(value)
                }
            };
            interventions.extend(value.map(|value| Intervention::edge(writer, reader, value)));
        }
        if interventions.is_empty() {
            return Ok(None);
        }
        self.graph.value_with(self.pool.base(), &interventions, node).map(Some).map_err(failed)
    }

    /// What stands for a writer where its edge is cut: its clean value elsewhere.
    fn cut(&self, edge: Edge, hypothesis: &EdgeHypothesis, draw: Draw<'_>, rng: &mut Rng) -> Result<Tensor, Error> {
        let value = self.pool.value(edge.0)?;
        match hypothesis.ablation {
            Ablation::Resample => gather(value, &draw(&hypothesis.roles, edge, rng)),
            Ablation::Zero => value.zeros_like().map_err(|error| Error::Network(error.to_string())),
            Ablation::Mean => means(value, &hypothesis.roles),
        }
    }

    /// The raw outputs when what some edges carry comes, cell by cell, from the donors given; all else is clean.
    ///
    /// # Errors
    /// Edges that the graph does not have.
    pub fn interchanged(&self, edges: &[(Edge, &[usize])]) -> Result<Matrix, Error> {
        let mut interventions = Vec::new();
        for ((writer, reader), donors) in edges {
            let value = gather(self.pool.value(*writer)?, donors)?;
            interventions.push(Intervention::edge(*writer, *reader, value));
        }
        let output = self.components.output();
        let value = self.graph.value_with(self.pool.base(), &interventions, output).map_err(failed)?;
        Matrix::from_tensor(&value).map_err(failed)
    }

    /// The raw outputs when some nodes have other values `[cells, width]`; all else follows from the clean run.
    ///
    /// # Errors
    /// Nodes that the graph does not have, values of another shape.
    pub fn replaced(&self, values: &[(NodeId, Matrix)]) -> Result<Matrix, Error> {
        let mut interventions = Vec::new();
        for (node, value) in values {
            let shape = self.pool.value(*node)?.shape().clone();
            let value = Tensor::from_vec(value.data.clone(), shape, &Device::Cpu);
            interventions.push(Intervention::node(*node, value.map_err(|error| Error::Network(error.to_string()))?));
        }
        let output = self.components.output();
        let value = self.graph.value_with(self.pool.base(), &interventions, output).map_err(failed)?;
        Matrix::from_tensor(&value).map_err(failed)
    }

    fn output(&self, value: Value) -> Result<Matrix, Error> {
        match value {
            Some(value) => Matrix::from_tensor(&value).map_err(failed),
            None => Matrix::from_tensor(self.pool.value(self.components.output())?).map_err(failed),
        }
    }
}

/// For every cell the mean of a value over the cell's class; cells in no class keep their own.
fn means(value: &Tensor, classes: &Classes) -> Result<Tensor, Error> {
    let shape = value.shape().clone();
    let mut matrix = Matrix::from_tensor(value).map_err(failed)?;
    let mut done = vec![false; matrix.rows];
    for cell in 0..matrix.rows {
        let peers = classes.peers(cell);
        if done[cell] || peers.is_empty() {
            continue;
        }
        let mut mean = vec![0.0_f64; matrix.cols];
        for &peer in peers {
            mean.iter_mut().zip(matrix.row(peer)).for_each(|(sum, &v)| *sum += f64::from(v));
        }
        for &peer in peers {
            done[peer] = true;
            matrix.row_mut(peer).iter_mut().zip(&mean).for_each(|(v, sum)| *v = (sum / peers.len() as f64) as f32);
        }
    }
    Tensor::from_vec(matrix.data, shape, &Device::Cpu).map_err(|error| Error::Network(error.to_string()))
}
