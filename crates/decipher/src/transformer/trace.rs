//! Running a wired transformer with every component's own output kept, softly or with hardened attention.

use nalgebra::{DMatrix, DVector};
use samples::Batch;

use super::tolerance::Tolerance;
use super::wiring::{Head, Part, Slot, Wiring};

/// A matrix whose columns are rows of activations: one column per position of a sequence, or per class.
pub(super) type Mat = DMatrix<f64>;

/// Where the positions of a batch lie: every sequence is a run of rows, BOS first where there is one.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// Rows of every sequence.
    pub(super) sequences: Vec<std::ops::Range<usize>>,
    /// The token id of every row.
    pub(super) tokens: Vec<usize>,
    /// The position id of every row.
    pub(super) positions: Vec<usize>,
    /// The rows that hold BOS, one per sequence; empty without BOS.
    pub(super) bos_rows: Vec<usize>,
    /// The row of every point (an element of an input sequence).
    pub(super) point_rows: Vec<usize>,
}

impl Layout {
    /// The rows of a batch's sequences with BOS put in front.
    pub(super) fn of(batch: &Batch, bos: Option<usize>) -> Self {
        let mut layout = Self {
            sequences: Vec::new(),
            tokens: Vec::new(),
            positions: Vec::new(),
            bos_rows: Vec::new(),
            point_rows: Vec::new(),
        };
        for index in 0..batch.n_sequences() {
            let start = layout.tokens.len();
            if let Some(bos) = bos {
                layout.bos_rows.push(start);
                layout.tokens.push(bos);
            }
            for &id in batch.sequence(index) {
                layout.point_rows.push(layout.tokens.len());
                layout.tokens.push(usize::try_from(id).unwrap_or(0));
            }
            let origin = usize::try_from(batch.origin(index)).unwrap_or(0);
            layout.positions.extend((0..layout.tokens.len() - start).map(|i| origin + i));
            layout.sequences.push(start..layout.tokens.len());
        }
        layout
    }

    /// The number of rows.
    pub(super) fn n_rows(&self) -> usize {
        self.tokens.len()
    }
}

/// Every component's own output at every row, and the read-out.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    /// One matrix `[width, rows]` per writer.
    pub(super) values: Vec<Mat>,
    /// `[outputs, rows]`.
    pub(super) output: Mat,
}

impl Trace {
    /// What a slot reads: the sum of its writers.
    pub(super) fn sum(&self, reads: &[usize], width: usize, rows: usize) -> Mat {
        let mut sum = Mat::zeros(width, rows);
        for &writer in reads {
            if self.values[writer].ncols() == rows {
                sum += &self.values[writer];
            }
        }
        sum
    }

    /// A writer's mean over the points.
    pub(super) fn mean(&self, writer: usize, rows: &[usize]) -> DVector<f64> {
        mean_of(&self.values[writer], rows)
    }
}

/// The mean of some columns.
pub(super) fn mean_of(values: &Mat, columns: &[usize]) -> DVector<f64> {
    let mut mean = DVector::zeros(values.nrows());
    for &column in columns {
        mean += values.column(column);
    }
    mean / columns.len().max(1) as f64
}

/// Applies an affine slot to a sum of writers.
pub(super) fn apply(slot: &Slot, input: &Mat) -> Mat {
    let mut out = &slot.weight * input;
    for mut column in out.column_iter_mut() {
        column += &slot.bias;
    }
    out
}

/// Runs the network, component by component in causal order. With `hard`, attention is uniform over the keys whose logits
/// are level with the largest. `visit` sees each hidden layer's pre-activations before they are used, and may
/// change how that layer's ramps are taken.
pub(super) fn run(
    wiring: &mut Wiring,
    layout: &Layout,
    hard: Option<Tolerance>,
    visit: &mut dyn FnMut(&mut super::wiring::Mlp, &Mat),
) -> Trace {
    let (width, rows) = (wiring.width, layout.n_rows());
    let mut trace = Trace { values: Vec::with_capacity(wiring.writers.len()), output: Mat::zeros(0, 0) };
    for index in 0..wiring.writers.len() {
        let value = match &mut wiring.writers[index].part {
            Part::Tokens(table) => lookup(table, &layout.tokens),
            Part::Positions(table) => lookup(table, &layout.positions),
            Part::Constant(vector) => Mat::from_fn(width, rows, |row, _| vector[row]),
            Part::Head(head) if head.is_dead() => Mat::zeros(width, rows),
            Part::Head(head) => attend(head, &trace, layout, width, hard),
            Part::Mlp(mlp) if mlp.is_dead() => Mat::from_fn(width, rows, |row, _| mlp.bias[row]),
            Part::Mlp(mlp) => {
                let mut pre = apply(&mlp.hidden, &trace.sum(&mlp.hidden.reads, width, rows));
                visit(mlp, &pre);
                mlp.activate(&mut pre);
                let mut out = &mlp.out * pre;
                for mut column in out.column_iter_mut() {
                    column += &mlp.bias;
                }
                out
            }
        };
        trace.values.push(value);
    }
    trace.output = apply(&wiring.readout, &trace.sum(&wiring.readout.reads, width, rows));
    trace
}

fn lookup(table: &Mat, ids: &[usize]) -> Mat {
    let mut out = Mat::zeros(table.nrows(), ids.len());
    for (column, &id) in ids.iter().enumerate() {
        if id < table.ncols() {
            out.set_column(column, &table.column(id));
        }
    }
    out
}

fn attend(head: &Head, trace: &Trace, layout: &Layout, width: usize, hard: Option<Tolerance>) -> Mat {
    let read = |slot: &Slot| apply(slot, &trace.sum(&slot.reads, width, layout.n_rows()));
    let (queries, keys, values) = (read(&head.q), read(&head.k), read(&head.v));
    let mut mixed = Mat::zeros(values.nrows(), layout.n_rows());
    let mut all_scores: Vec<Mat> = Vec::with_capacity(layout.sequences.len());
    let mut range = 0.0_f64;
    for rows in &layout.sequences {
        let (start, n) = (rows.start, rows.len());
        let scores = keys.columns(start, n).tr_mul(&queries.columns(start, n)) / head.scale;
        range = scores.column_iter().map(|column| column.max() - column.min()).fold(range, f64::max);
        all_scores.push(scores);
    }
    let level = hard.map(|tolerance| tolerance.level(range));
    for (rows, mut scores) in layout.sequences.iter().zip(all_scores) {
        let (start, n) = (rows.start, rows.len());
        for query in 0..n {
            let seen = if head.causal { query + 1 } else { n };
            let mut column = scores.column_mut(query);
            let top = column.rows(0, seen).max();
            let mut total = 0.0;
            for key in 0..n {
                let weight = match level {
                    _ if key >= seen => 0.0,
                    Some(level) => f64::from(u8::from(column[key] > top - level)),
                    None => (column[key] - top).exp(),
                };
                column[key] = weight;
                total += weight;
            }
            column /= total;
        }
        mixed.columns_mut(start, n).gemm(1.0, &values.columns(start, n), &scores, 0.0);
    }
    &head.out * mixed
}
