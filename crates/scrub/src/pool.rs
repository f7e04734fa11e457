//! The inputs that donors are drawn from, with the values of all nodes on them.
//!
//! A pool is a rectangle of sequences; shorter ones are padded on the right, which a causal network does not notice. A
//! *cell* is a place of the rectangle (sequence by sequence, BOS first where the network has one), a *point* an element
//! of a sequence: columns of terms have one value per point, values of nodes one row per cell.

use candle_core::{Device, Tensor};
use graph::{Graph, Matrix, Network, NodeId, Record, Trace};
use samples::{Batch, Points};

use crate::Error;
use crate::classes::Classes;
use crate::engine::EdgeHypothesis;
use crate::statistics::counts;

/// Inputs with the values of all nodes on them.
pub struct Pool {
    points: Points,
    /// Cells per sequence, and those of them before its first element.
    wide: usize,
    skip: usize,
    base: Trace,
    own: Matrix,
    /// The points whose output counts, sequence by sequence.
    counted: Vec<Vec<usize>>,
}

impl Pool {
    /// Runs a network on a batch. `scored` says for every point whether its output counts (all that the decoding reads
    /// where it is absent).
    ///
    /// # Errors
    /// A network that cannot be run, or that is not causal on sequences of different lengths.
    pub fn new(network: &Network, graph: &Graph, batch: &Batch, scored: Option<&[bool]>) -> Result<Self, Error> {
        let inputs = network.padded_inputs(batch).map_err(failed)?;
        let (n, wide) = inputs.shape();
        let output = graph.find("output").ok_or(Error::Unsupported("a graph without an output"))?;
        let base = graph.run(&inputs, &[], Record::All).map_err(failed)?;
        let own = base.matrix(output).map_err(failed)?;
        let points = batch.points();
        let skip = wide - points.max_length().min(wide);
        let mut pool = Self { points, wide, skip, base, own, counted: Vec::new() };
        let decode = &network.domain.decode;
        let counts = |point: &usize| {
            scored.is_none_or(|scored| scored.get(*point).copied().unwrap_or(false)) && counts(decode, pool.own(*point))
        };
        pool.counted = (0..n).map(|row| pool.points.range(row).filter(counts).collect()).collect();
        Ok(pool)
    }

    /// The number of sequences.
    pub fn n_sequences(&self) -> usize {
        self.points.n_sequences()
    }

    /// Where the sequences lie in a column.
    pub fn points(&self) -> &Points {
        &self.points
    }

    /// The number of cells.
    pub fn n_cells(&self) -> usize {
        self.points.n_sequences() * self.wide
    }

    /// The cell of a point.
    pub fn cell(&self, point: usize) -> usize {
        let (row, at) = self.points.locate(point);
        row * self.wide + self.skip + at
    }

    /// The points whose outputs count, sequence by sequence.
    pub fn counted(&self) -> &[Vec<usize>] {
        &self.counted
    }

    /// For every point whether its output counts.
    pub(crate) fn counts(&self) -> Vec<bool> {
        let mut counts = vec![false; self.points.len()];
        self.counted.iter().flatten().for_each(|&point| counts[point] = true);
        counts
    }

    /// The number of points whose outputs count.
    pub fn n_counted(&self) -> usize {
        self.counted.iter().map(Vec::len).sum()
    }

    /// The share of the outputs that count at whose cell every variable of a hypothesis has a donor beside the cell itself.
    pub fn tested(&self, hypothesis: &EdgeHypothesis) -> f64 {
        let tested = self.counted.iter().flatten().filter(|&&point| hypothesis.has_donors(self.cell(point)));
        tested.count() as f64 / self.n_counted().max(1) as f64
    }

    /// The same pool, where no others count.
    pub(crate) fn with_tested(mut self, hypothesis: &EdgeHypothesis) -> Self {
        let mut counted = std::mem::take(&mut self.counted);
        counted.iter_mut().for_each(|points| points.retain(|&point| hypothesis.has_donors(self.cell(point))));
        Self { counted, ..self }
    }

    /// The network's own raw output at a point.
    pub fn own(&self, point: usize) -> &[f32] {
        self.own.row(self.cell(point))
    }

    /// The network's own raw output at a cell.
    pub(crate) fn own_at(&self, cell: usize) -> &[f32] {
        self.own.row(cell)
    }

    /// The values of all nodes without replacement.
    pub fn base(&self) -> &Trace {
        &self.base
    }

    /// A node's own value `[N, T, width]`.
    ///
    /// # Errors
    /// A node of another graph.
    pub fn value(&self, node: NodeId) -> Result<&Tensor, Error> {
        self.base.value(node).ok_or_else(|| Error::Network(format!("node number {} has no value", node.0)))
    }

    /// Classes of equal keys, given for every point. BOS is a class of its own; padding is in none.
    pub fn classes<K: std::hash::Hash + Eq>(&self, keys: impl Fn(usize) -> K) -> Classes {
        let key = |cell: usize| {
            let (row, at) = (cell / self.wide, cell % self.wide);
            let range = self.points.range(row);
            match at.checked_sub(self.skip) {
                None => Some(None),
                Some(at) if at < range.len() => Some(Some(keys(range.start + at))),
                Some(_) => None,
            }
        };
        Classes::of(self.n_cells(), key)
    }

    /// The position of a point within its sequence.
    pub fn position(&self, point: usize) -> usize {
        self.points.locate(point).1
    }
}

/// The rows of a value `[N, T, width]` at the cells given: as many for each of N sequences as there are cells for it.
pub(crate) fn gather(value: &Tensor, donors: &[usize]) -> Result<Tensor, Error> {
    gather_for(value.dim(0).unwrap_or_default(), value, donors)
}

/// The same for another number of sequences than the value has.
pub(crate) fn gather_for(n: usize, value: &Tensor, donors: &[usize]) -> Result<Tensor, Error> {
    let tensor = |value: &Tensor| -> candle_core::Result<Tensor> {
        let (own, length, width) = value.dims3()?;
        let index: Vec<u32> = donors.iter().map(|&cell| cell as u32).collect();
        let index = Tensor::from_vec(index, donors.len(), &Device::Cpu)?;
        value.reshape((own * length, width))?.index_select(&index, 0)?.reshape((n, donors.len() / n.max(1), width))
    };
    tensor(value).map_err(|error| Error::Network(error.to_string()))
}

pub(crate) fn failed(error: graph::Error) -> Error {
    Error::Network(error.to_string())
}
