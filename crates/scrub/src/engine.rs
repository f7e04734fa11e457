//! Scrubbing a transformer, edge by edge, in two variants.
//!
//! An [`EdgeHypothesis`] says of every edge what its reader may rely on: the writer's own value (exact), the value of a
//! variable (any donor on which the variable is the same is as good), or nothing (cut). [`Scrubber::treeified`] is causal
//! scrubbing as defined by Chan et al. (2022): every occurrence of a node in the tree that the graph unfolds to draws
//! its own donors, and what a donor's value is computed from is drawn again. [`Scrubber::shared_noise`] evaluates every
//! node once, with one draw per edge: one forward pass, in which readers of the same writer see the same noise.
//!
//! Both draw from a finite pool, one donor per edge and cell. So within one occurrence the same donor may serve several
//! cells, and brings the same draws along; as the pool grows this vanishes. For the same reason donors need not be computed
//! for every occurrence of their node: they are drawn from a few independent versions of it ([`VERSIONS`]), each with a
//! draw for every cell. So the cost grows with the edges of the graph, not with those of the tree.
//!
//! The root is evaluated on the reference input with its own label: donors of what the output reads are drawn for that
//! input, and the loss is that of its own output.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use candle_core::{Device, Tensor};
use graph::{Graph, Intervention, Matrix, NodeId, Record};
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

    /// Whether every variable that an edge carries has a donor beside a cell itself. Where one has not, its edges stay as they
    /// are, and an output that is left as it was is no evidence.
    pub fn has_donors(&self, cell: usize) -> bool {
        self.carried().all(|(_, variable)| self.classes[variable].has_donor(cell))
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

/// For what a writer's value is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reading {
    /// For the reader's own input.
    Same,
    /// For donors that the reader draws.
    Donor,
}

/// Independent versions of a node that donors are drawn from: readers share a draw only where they chance upon the same
/// version and the same donor in it, which becomes the rarer the larger the classes are.
const VERSIONS: usize = 4;

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
        let needed = self.needed(hypothesis);
        self.output(self.run(hypothesis, &needed, rng)?.values.remove(&self.components.output()).flatten())
    }

    /// The writers, and the output, whose value under a hypothesis reaches the output: what is cut is read clean.
    fn needed(&self, hypothesis: &EdgeHypothesis) -> BTreeSet<NodeId> {
        let mut needed = BTreeSet::from([self.components.output()]);
        for node in [self.components.output()].iter().chain(self.components.writers().iter().rev()) {
            if needed.contains(node) {
                let read = self.reads(*node).filter(|edge| hypothesis.treatment(*edge) != Treatment::Cut);
                needed.extend(read.map(|edge| edge.0).collect::<Vec<NodeId>>());
            }
        }
        needed
    }

    /// The same pass with the values of all writers, from which [`Scrubber::resumed`] goes on.
    ///
    /// # Errors
    /// A graph that cannot be run.
    pub fn pass(&self, hypothesis: &EdgeHypothesis, rng: &mut Rng) -> Result<Pass, Error> {
        let all = self.components.writers().iter().copied().chain([self.components.output()]).collect();
        self.run(hypothesis, &all, rng)
    }

    /// A pass with the values of some nodes.
    fn run(&self, hypothesis: &EdgeHypothesis, nodes: &BTreeSet<NodeId>, rng: &mut Rng) -> Result<Pass, Error> {
        let mut pass = Pass { seed: rng.random(), values: BTreeMap::new() };
        let order = self.components.writers().iter().copied().chain([self.components.output()]);
        for node in order.filter(|node| nodes.contains(node)) {
            let value = self.noisy(node, hypothesis, &pass)?;
            pass.values.insert(node, value);
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
        let source = |writer: NodeId, _: Reading, _: &mut Rng| Ok(pass.values.get(&writer).cloned().flatten());
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
        let mut tree =
            Tree { scrubber: self, hypothesis, disturbed: self.disturbed(hypothesis), banks: BTreeMap::new() };
        let value = tree.occurrence(self.components.output(), rng)?;
        self.output(value)
    }

    /// How often a node is evaluated for the treeified graph, leaves and undisturbed nodes left out: as often as it occurs,
    /// but for occurrences that donors are drawn from no more than [`VERSIONS`] times.
    pub fn occurrences(&self, hypothesis: &EdgeHypothesis) -> f64 {
        let disturbed = self.disturbed(hypothesis);
        let mut same: BTreeMap<NodeId, f64> = BTreeMap::from([(self.components.output(), 1.0)]);
        let mut donors: BTreeMap<NodeId, f64> = BTreeMap::new();
        let evaluations = |node: &NodeId, same: &BTreeMap<NodeId, f64>, donors: &BTreeMap<NodeId, f64>| {
            let of = |counts: &BTreeMap<NodeId, f64>| counts.get(node).copied().unwrap_or(0.0);
            of(same) + of(donors).min(VERSIONS as f64)
        };
        let writers = self.components.writers().iter().rev();
        for node in [self.components.output()].iter().chain(writers) {
            let here = evaluations(node, &same, &donors);
            for edge in self.reads(*node).filter(|edge| disturbed.contains(&edge.0)) {
                match hypothesis.treatment(edge) {
                    Treatment::Exact => *same.entry(edge.0).or_insert(0.0) += here,
                    Treatment::Class { .. } => *donors.entry(edge.0).or_insert(0.0) += here,
                    Treatment::Cut => {}
                }
            }
        }
        disturbed.iter().map(|node| evaluations(node, &same, &donors)).sum()
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

    /// A node's value when all its readers read as the hypothesis says; `source` gives the value of a writer. `None`
    /// where nothing differs from the clean run.
    fn evaluate(
        &self,
        node: NodeId,
        hypothesis: &EdgeHypothesis,
        draw: Draw<'_>,
        rng: &mut Rng,
        source: &mut dyn FnMut(NodeId, Reading, &mut Rng) -> Result<Value, Error>,
    ) -> Result<Value, Error> {
        let mut differs = false;
        let mut slots = Vec::new();
        for &reader in self.components.inside(node) {
            let (parts, touched) = self.read(reader, hypothesis, draw, rng, source)?;
            differs |= touched;
            slots.push((reader, parts));
        }
        if !differs {
            return Ok(None);
        }
        self.computed(node, &slots).map(Some)
    }

    /// A node's value from what its readers read. A few sequences at a time, so that what is added up and multiplied stays in
    /// the processor's cache.
    fn computed(&self, node: NodeId, slots: &[(NodeId, Vec<Part>)]) -> Result<Tensor, Error> {
        let graph_failed = |error: candle_core::Error| Error::Network(error.to_string());
        let inputs = self.pool.base().inputs();
        let (n, wide) = inputs.shape();
        let step = (CELLS / wide.max(1)).max(1);
        let mut total: Vec<f32> = Vec::new();
        for start in (0..n).step_by(step) {
            let rows = start..(start + step).min(n);
            let mut interventions = Vec::with_capacity(slots.len());
            for (reader, parts) in slots {
                let value = sum_of(parts, rows.clone(), wide).map_err(graph_failed)?;
                interventions.push(Intervention::input(*reader, value));
            }
            let inputs = inputs.narrow(rows).map_err(failed)?;
            let trace = self.graph.run(&inputs, &interventions, Record::Nodes(&[node])).map_err(failed)?;
            let value = trace.value(node).ok_or(Error::Unsupported("a node without a value"))?;
            let data = value.flatten_all().and_then(|value| value.to_vec1::<f32>()).map_err(graph_failed)?;
            total.reserve(data.len() * (n - start).div_ceil(step));
            total.extend_from_slice(&data);
        }
        let width = total.len() / (n * wide).max(1);
        Tensor::from_vec(total, (n, wide, width), &Device::Cpu).map_err(graph_failed)
    }

    /// What a reader reads as the hypothesis says, and whether that differs from the clean run.
    fn read(
        &self,
        reader: NodeId,
        hypothesis: &EdgeHypothesis,
        draw: Draw<'_>,
        rng: &mut Rng,
        source: &mut dyn FnMut(NodeId, Reading, &mut Rng) -> Result<Value, Error>,
    ) -> Result<(Vec<Part>, bool), Error> {
        let mut parts: Vec<Part> = Vec::new();
        let mut joint: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut differs = false;
        for &writer in self.graph.slots(reader).first().into_iter().flatten() {
            let edge = (writer, reader);
            // What is no component, a constant, is the same on every input.
            let is_edge = self.components.writers().contains(&writer);
            let treatment = if is_edge { hypothesis.treatment(edge) } else { Treatment::Exact };
            let clean = || self.pool.value(writer).cloned();
            differs |= treatment != Treatment::Exact;
            match treatment {
                Treatment::Exact if !is_edge => parts.push((clean()?, None)),
                Treatment::Exact => {
                    let value = source(writer, Reading::Same, rng)?;
                    differs |= value.is_some();
                    parts.push((value.map_or_else(clean, Ok)?, None));
                }
                Treatment::Cut => match hypothesis.ablation {
                    Ablation::Resample => parts.push((clean()?, Some(draw(&hypothesis.roles, edge, rng)))),
                    Ablation::Zero => parts.push((clean()?, Some(Vec::new()))),
                    Ablation::Mean => parts.push((means(self.pool.value(writer)?, &hypothesis.roles)?, None)),
                },
                Treatment::Class { variable, joint: together } => {
                    let classes = hypothesis.classes.get(variable).ok_or(Error::Unsupported("an unknown variable"))?;
                    let donors = match joint.get(&variable) {
                        Some(donors) if together => donors.clone(),
                        _ => draw(classes, edge, rng),
                    };
                    if together {
                        joint.insert(variable, donors.clone());
                    }
                    let value = source(writer, Reading::Donor, rng)?;
                    parts.push((value.map_or_else(clean, Ok)?, Some(donors)));
                }
            }
        }
        Ok((parts, differs))
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

/// The treeified graph, as far as it has been evaluated.
struct Tree<'t, 'a> {
    scrubber: &'t Scrubber<'a>,
    hypothesis: &'t EdgeHypothesis,
    disturbed: BTreeSet<NodeId>,
    /// Versions of a node that donors are drawn from, and how often they were.
    banks: BTreeMap<NodeId, (Vec<Value>, usize)>,
}

impl Tree<'_, '_> {
    /// The value of one occurrence of a node, for every cell as its reference.
    fn occurrence(&mut self, node: NodeId, rng: &mut Rng) -> Result<Value, Error> {
        if !self.disturbed.contains(&node) {
            return Ok(None);
        }
        let (scrubber, hypothesis) = (self.scrubber, self.hypothesis);
        let mut source = |writer: NodeId, reading: Reading, rng: &mut Rng| match reading {
            Reading::Same => self.occurrence(writer, rng),
            Reading::Donor => self.version(writer, rng),
        };
        scrubber.evaluate(node, hypothesis, &|classes, _, rng| classes.draw(rng), rng, &mut source)
    }

    /// One of the versions of a node that donors are drawn from, in turn.
    fn version(&mut self, node: NodeId, rng: &mut Rng) -> Result<Value, Error> {
        let known = self.banks.get(&node).map_or(0, |bank| bank.0.len());
        if known < VERSIONS {
            let value = self.occurrence(node, rng)?;
            let bank = self.banks.entry(node).or_default();
            bank.0.push(value.clone());
            return Ok(value);
        }
        let Some((versions, used)) = self.banks.get_mut(&node) else { return Ok(None) };
        *used += 1;
        Ok(versions[(*used - 1) % VERSIONS].clone())
    }
}

/// A value that is read, and the cells that its rows come from: its own where none are given; nothing is read where the
/// list is empty.
type Part = (Tensor, Option<Vec<usize>>);

/// Cells that are computed at a time, about.
const CELLS: usize = 1024;
/// Numbers of a row that are added up at a time.
const LANES: usize = 16;

/// The sum of what is read at all cells of some sequences.
fn sum_of(parts: &[Part], rows: Range<usize>, wide: usize) -> candle_core::Result<Tensor> {
    let width = parts.first().and_then(|(value, _)| value.dims().last().copied()).unwrap_or(0).max(1);
    let cells = rows.start * wide..rows.end * wide;
    let held: Vec<_> = parts.iter().map(|(value, _)| value.storage_and_layout()).collect();
    let mut sources: Vec<(&[f32], Option<&[usize]>)> = Vec::with_capacity(parts.len());
    for ((storage, layout), (_, donors)) in held.iter().zip(parts) {
        let candle_core::Storage::Cpu(storage) = &**storage else { candle_core::bail!("values in main memory") };
        let Some((start, end)) = layout.contiguous_offsets() else { candle_core::bail!("values in a row") };
        if donors.as_ref().is_none_or(|donors| !donors.is_empty()) {
            sources.push((&storage.as_slice::<f32>()?[start..end], donors.as_deref()));
        }
    }
    // Cell by cell, since rows come from far apart, and some numbers of all of them at a time, whose sum stays in registers: a
    // row of sums that is read and written again for every source takes half as long again.
    let mut total = vec![0.0_f32; cells.len() * width];
    let mut read: Vec<&[f32]> = Vec::with_capacity(sources.len());
    for (cell, row) in cells.zip(total.chunks_exact_mut(width)) {
        read.clear();
        read.extend(sources.iter().map(|(values, donors)| {
            let from = donors.map_or(cell, |donors| donors[cell]) * width;
            &values[from..from + width]
        }));
        let (blocks, rest) = row.as_chunks_mut::<LANES>();
        let whole = blocks.len() * LANES;
        for (place, to) in blocks.iter_mut().enumerate() {
            let mut sums = [0.0_f32; LANES];
            for from in read.iter().filter_map(|from| from[place * LANES..].first_chunk::<LANES>()) {
                sums.iter_mut().zip(from).for_each(|(sum, v)| *sum += v);
            }
            *to = sums;
        }
        for from in &read {
            rest.iter_mut().zip(&from[whole..]).for_each(|(sum, v)| *sum += v);
        }
    }
    Tensor::from_vec(total, (rows.len(), wide, width), &Device::Cpu)
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
