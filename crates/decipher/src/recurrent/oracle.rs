//! The network as an oracle: something that can be run, cloned and continued.
//!
//! Strategies see behaviour through this trait alone, never coordinates, so that the basis of the hidden space cannot
//! matter; tests put closures in its place.

use samples::{Batch, Column, Sort, UNDEFINED};

use crate::Error;

/// A recurrent machine with real-valued outputs that stand for integers.
pub trait Oracle: Sync {
    /// Integers per input element.
    fn dim(&self) -> usize;
    /// Numbers in a hidden state.
    fn hidden_dim(&self) -> usize;
    /// Numbers in an output.
    fn n_outputs(&self) -> usize;
    /// `n` copies of the state before the first element, row after row.
    fn initial(&self, n: usize) -> Vec<f32>;
    /// The states after reading one element each: `hidden` is `[n, hidden_dim]`, `inputs` is `[n, dim]`.
    ///
    /// # Errors
    /// Where the network cannot be run.
    fn step(&self, hidden: &[f32], inputs: &[i64]) -> Result<Vec<f32>, Error>;
    /// The outputs `[n, n_outputs]` in states `[n, hidden_dim]`.
    ///
    /// # Errors
    /// Where the network cannot be run.
    fn readout(&self, hidden: &[f32]) -> Result<Vec<f32>, Error>;
}

/// The distance from an integer at which a raw output no longer says which integer it means.
pub(crate) const VAGUE: f32 = 0.35;

/// What an oracle did on a rectangle of input sequences.
pub(crate) struct Recording {
    /// Sequences.
    pub n: usize,
    /// Elements of each.
    pub length: usize,
    /// Integers per element.
    pub dim: usize,
    /// Outputs per element.
    pub n_outputs: usize,
    /// Numbers per hidden state.
    pub hidden_dim: usize,
    /// `[n, length, dim]`.
    pub inputs: Vec<i64>,
    /// `[n, length, n_outputs]`, rounded.
    pub outputs: Vec<i64>,
    /// `[n, length, n_outputs]`, whether the raw output lay within [`VAGUE`] of an integer.
    pub clear: Vec<bool>,
    /// `[n, length, hidden_dim]`: the states after each element.
    pub hidden: Vec<f32>,
}

impl Recording {
    /// Runs sequences of one length.
    pub(crate) fn of(oracle: &dyn Oracle, batch: &Batch) -> Result<Self, Error> {
        let n = batch.n_sequences();
        let length = batch.points().max_length();
        let (dim, width, n_outputs) = (oracle.dim(), oracle.hidden_dim(), oracle.n_outputs());
        let mut recording = Self {
            n,
            length,
            dim,
            n_outputs,
            hidden_dim: width,
            inputs: (0..n).flat_map(|row| batch.sequence(row).iter().copied()).collect(),
            outputs: vec![0; n * length * n_outputs],
            clear: vec![false; n * length * n_outputs],
            hidden: vec![0.0; n * length * width],
        };
        if recording.inputs.len() != n * length * dim {
            return Err(Error::Network("sequences of one length were expected".to_owned()));
        }
        let mut hidden = oracle.initial(n);
        for t in 0..length {
            let x: Vec<i64> = (0..n).flat_map(|row| recording.element(row, t).to_vec()).collect();
            hidden = oracle.step(&hidden, &x)?;
            let raw = oracle.readout(&hidden)?;
            for row in 0..n {
                let point = row * length + t;
                recording.hidden[point * width..(point + 1) * width]
                    .copy_from_slice(&hidden[row * width..(row + 1) * width]);
                for k in 0..n_outputs {
                    let value = raw[row * n_outputs + k];
                    recording.outputs[point * n_outputs + k] = round(value);
                    recording.clear[point * n_outputs + k] = is_clear(value);
                }
            }
        }
        Ok(recording)
    }

    /// The number of points: elements of all sequences.
    pub(crate) fn n_points(&self) -> usize {
        self.n * self.length
    }

    /// The element at `t` of sequence `row`.
    pub(crate) fn element(&self, row: usize, t: usize) -> &[i64] {
        let at = (row * self.length + t) * self.dim;
        &self.inputs[at..at + self.dim]
    }

    /// Output `k`, rounded, per point.
    pub(crate) fn output(&self, k: usize) -> Vec<i64> {
        self.outputs.iter().skip(k).step_by(self.n_outputs).copied().collect()
    }

    /// The hidden state after the element at a point.
    pub(crate) fn state(&self, point: usize) -> &[f32] {
        &self.hidden[point * self.hidden_dim..(point + 1) * self.hidden_dim]
    }

    /// The input sequences.
    pub(crate) fn batch(&self) -> Batch {
        Batch::from_sequences(self.dim, self.inputs.chunks(self.length * self.dim))
    }

    /// The share of outputs that columns of a program give; those that the network does not define do not count.
    pub(crate) fn agreement(&self, columns: &[Column]) -> f64 {
        if columns.len() != self.n_outputs || self.n_points() == 0 {
            return 0.0;
        }
        let outputs: Vec<Vec<i64>> = (0..self.n_outputs).map(|k| self.output(k)).collect();
        let good: usize = columns.iter().zip(&outputs).map(|(column, output)| n_equal(column, output)).sum();
        let counted = self.outputs.iter().filter(|&&output| output != UNDEFINED).count();
        good as f64 / counted.max(1) as f64
    }
}

/// At how many points a column of a program gives an integer output; booleans stand for 0 and 1.
fn n_equal(column: &Column, output: &[i64]) -> usize {
    match column.sort {
        Sort::Int | Sort::Bool => column.codes.iter().zip(output).filter(|&(a, b)| a == b && *b != UNDEFINED).count(),
        Sort::Real => {
            let near =
                |point: usize, want: i64| column.value(point).as_f64().is_some_and(|v| (v - want as f64).abs() < 1e-6);
            output.iter().enumerate().filter(|&(point, &want)| near(point, want)).count()
        }
        _ => 0,
    }
}

/// The nearest integer; what is no finite number within 64 bits is an integer that nothing else is.
pub(crate) fn round(value: f32) -> i64 {
    if value.is_finite() && value.abs() < 9e18 { f64::from(value).round_ties_even() as i64 } else { UNDEFINED }
}

/// Whether a raw output says which integer it means.
pub(crate) fn is_clear(value: f32) -> bool {
    value.is_finite() && (value - value.round()).abs() < VAGUE
}

#[cfg(test)]
pub(crate) mod fake {
    //! Oracles made of closures.

    use super::{Error, Oracle};

    /// A machine with integer states: `step(state, x) -> (state, outputs)`. The hidden vector is the state followed by
    /// the last outputs, both turned by a fixed shear so that no coordinate shows a variable by itself.
    pub(crate) struct Fake<F> {
        pub(crate) dim: usize,
        pub(crate) initial: Vec<i64>,
        pub(crate) n_outputs: usize,
        pub(crate) step: F,
    }

    impl<F: Fn(&[i64], &[i64]) -> (Vec<i64>, Vec<i64>) + Sync> Fake<F> {
        fn shear(row: &[f32]) -> Vec<f32> {
            let mut out = row.to_vec();
            for i in 1..out.len() {
                out[i] += 0.5 * out[i - 1];
            }
            out
        }

        fn unshear(row: &[f32]) -> Vec<f32> {
            let mut out = row.to_vec();
            for i in (1..out.len()).rev() {
                out[i] -= 0.5 * row[i - 1];
            }
            out
        }
    }

    impl<F: Fn(&[i64], &[i64]) -> (Vec<i64>, Vec<i64>) + Sync> Oracle for Fake<F> {
        fn dim(&self) -> usize {
            self.dim
        }
        fn hidden_dim(&self) -> usize {
            self.initial.len() + self.n_outputs
        }
        fn n_outputs(&self) -> usize {
            self.n_outputs
        }
        fn initial(&self, n: usize) -> Vec<f32> {
            let mut row: Vec<f32> = self.initial.iter().map(|&v| v as f32).collect();
            row.resize(self.hidden_dim(), 0.0);
            Self::shear(&row).repeat(n)
        }
        fn step(&self, hidden: &[f32], inputs: &[i64]) -> Result<Vec<f32>, Error> {
            let rows = hidden.chunks(self.hidden_dim()).zip(inputs.chunks(self.dim));
            Ok(rows
                .flat_map(|(row, x)| {
                    let state: Vec<i64> =
                        Self::unshear(row)[..self.initial.len()].iter().map(|v| v.round() as i64).collect();
                    let (state, outputs) = (self.step)(&state, x);
                    let row: Vec<f32> = state.iter().chain(&outputs).map(|&v| v as f32).collect();
                    Self::shear(&row)
                })
                .collect())
        }
        fn readout(&self, hidden: &[f32]) -> Result<Vec<f32>, Error> {
            let rows = hidden.chunks(self.hidden_dim());
            Ok(rows.flat_map(|row| Self::unshear(row)[self.initial.len()..].to_vec()).collect())
        }
    }
}
