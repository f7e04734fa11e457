//! How far a recurrent network in single precision is from the same network over the reals.
//!
//! A forward error analysis (Higham 2002, chapter 3): beside the range of every number, which is an affine form over the inputs,
//! goes a bound on how far its value in single precision, in any order of summation, may be from the exact one. A sum carries on
//! the bounds of its terms times their weights and adds its own rounding; an activation carries them on as far as it is steep.

use graph::{Activation, Affine, Cell, Encoding, Mlp, Network, Recurrence};
use samples::Elements;

use super::boxes::carried;
use super::forms::{ACTIVATION, Forms, SINGLE, TINY, UP};

/// Inputs up to this are single-precision numbers.
pub(super) const EXACT_INPUT: u64 = 1 << 24;

/// Numbers that a network computes.
#[derive(Clone)]
pub(super) struct Numbers {
    /// Where they lie in exact arithmetic.
    pub(super) forms: Forms,
    /// How far each is at most from the same number in single precision, in any order of summation.
    pub(super) error: Vec<f64>,
}

impl Numbers {
    /// Zeros, without error.
    pub(super) fn zeros(n: usize) -> Self {
        Self { forms: Forms::exact(vec![0.0; n], 0), error: vec![0.0; n] }
    }

    pub(super) fn joined(mut self, other: Self) -> Self {
        self.error.extend(other.error);
        Self { forms: self.forms.joined(other.forms), error: self.error }
    }

    pub(super) fn part(&self, range: std::ops::Range<usize>) -> Self {
        Self { forms: self.forms.part(range.clone()), error: self.error[range].to_vec() }
    }

    /// The greatest value of a number, in either arithmetic.
    fn size(&self, i: usize) -> f64 {
        let (lo, hi) = self.forms.range(i);
        lo.abs().max(hi.abs()) + self.error[i]
    }

    /// `x W + b`, of several layers that each read their part of x, in order, as one sum: summation in any order includes
    /// those of the parts.
    pub(super) fn sum(&self, layers: &[&Affine]) -> Self {
        let Some(cols) = layers.first().map(|layer| layer.weight.cols) else { return self.clone() };
        let rows: Vec<&[f32]> = layers.iter().flat_map(|layer| layer.weight.data.chunks(cols)).collect();
        let bias = |o: usize| layers.iter().map(|layer| f64::from(layer.bias[o])).sum::<f64>();
        let biases: Vec<f64> = (0..cols).map(bias).collect();
        let forms = self.forms.linear(|i, o| f64::from(rows[i][o]), &biases, false);
        let terms = (self.error.len() + layers.len() + 1) as f64;
        let gamma = 1.01 * terms * SINGLE;
        let error = |o: usize| {
            let mut total: f64 = layers.iter().map(|layer| f64::from(layer.bias[o]).abs()).sum();
            let mut carried = 0.0;
            for (i, row) in rows.iter().enumerate().filter(|(_, row)| row[o] != 0.0) {
                let w = f64::from(row[o]).abs();
                carried += w * self.error[i];
                total += w * self.size(i);
            }
            // The last factor covers this sum's own rounding in double precision.
            (carried + gamma * total + terms * TINY) * UP
        };
        Self { forms, error: (0..cols).map(error).collect() }
    }

    pub(super) fn activate(&mut self, activation: Activation, symbols: &mut usize) {
        self.forms.activate(activation, symbols);
        // How steep it is at most, and the relative error of computing it.
        let (slope, own) = match activation {
            Activation::Relu => (1.0, 0.0),
            Activation::Tanh => (1.0, ACTIVATION),
            Activation::Sigmoid => (0.25, ACTIVATION),
            Activation::Silu => (1.1, ACTIVATION),
            // No cell has these.
            Activation::Gelu | Activation::GeluTanh => (f64::INFINITY, 0.0),
        };
        for i in 0..self.error.len() {
            self.error[i] *= slope;
            self.error[i] = (self.error[i] + own * self.size(i) + if own > 0.0 { TINY } else { 0.0 }) * UP;
        }
    }

    fn mlp(&self, mlp: &Mlp, symbols: &mut usize) -> Self {
        let mut value = self.clone();
        for (k, layer) in mlp.layers.iter().enumerate() {
            if k > 0 {
                value.activate(mlp.activation, symbols);
            }
            value = value.sum(&[layer]);
        }
        value
    }
}

/// An element as it is fed: every coordinate anywhere in a range.
pub(super) fn fed(net: &Recurrence, [lo, hi]: [i64; 2], symbols: &mut usize) -> Numbers {
    let ranges = match net.encoding() {
        Encoding::Scalar => vec![(lo as f64, hi as f64); net.dim()],
        Encoding::OneHot { width, .. } => vec![(0.0, 1.0); net.dim() * width],
    };
    let mut forms = Forms::exact(ranges.iter().map(|(lo, hi)| (lo + hi) / 2.0).collect(), 0);
    forms.widen(*symbols + ranges.len());
    for (i, (lo, hi)) in ranges.iter().enumerate() {
        let at = i * forms.width + *symbols + i;
        forms.coef[at] = (hi - lo) / 2.0;
    }
    *symbols += ranges.len();
    Numbers { forms, error: vec![0.0; ranges.len()] }
}

/// How far an output in single precision is at most from the same in exact arithmetic, over all sequences of so many elements of
/// the domain or fewer.
///
/// # Errors
/// Why no bound is known.
pub(super) fn gap(network: &Network, length: usize) -> Result<f64, &'static str> {
    let net = network.recurrence().ok_or("no recurrence")?;
    let Elements::Integers { lo, hi, .. } = network.domain.elements else { return Err("inputs that are no integers") };
    if lo.unsigned_abs().max(hi.unsigned_abs()) > EXACT_INPUT {
        return Err("inputs beyond 2^24");
    }
    let mut hidden = Numbers::zeros(net.hidden_dim());
    let mut gap = 0.0_f64;
    for _ in 0..length {
        let mut symbols = hidden.forms.width;
        let fed = fed(net, [lo, hi], &mut symbols);
        hidden = stepped(net, &hidden, fed, &mut symbols)?;
        let outputs = hidden.part(net.top()).mlp(net.readout_mlp(), &mut symbols);
        gap = outputs.error.iter().copied().fold(gap, f64::max);
        if !(gap.is_finite() && hidden.forms.is_finite() && outputs.forms.is_finite()) {
            return Err("the domain is too wide: numbers grow beyond what is followed");
        }
        hidden.forms = carried(hidden.forms);
    }
    Ok(gap)
}

fn stepped(net: &Recurrence, hidden: &Numbers, fed: Numbers, symbols: &mut usize) -> Result<Numbers, &'static str> {
    match net.cell() {
        Cell::Mlp(mlp) => Ok(hidden.clone().joined(fed).mlp(mlp, symbols)),
        Cell::Elman(layers, activation) => {
            let (mut below, mut start) = (fed, 0);
            let mut next: Option<Numbers> = None;
            for layer in layers {
                let size = layer.hidden.weight.rows;
                below = hidden.part(start..start + size).joined(below).sum(&[&layer.hidden, &layer.input]);
                below.activate(*activation, symbols);
                next = Some(match next {
                    None => below.clone(),
                    Some(next) => next.joined(below.clone()),
                });
                start += size;
            }
            next.ok_or("no layers")
        }
        Cell::Gru(_) | Cell::Lstm(_) => Err("errors are not followed through gates"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use samples::rng;

    use super::super::trial::Trial;
    use super::*;

    /// How large numbers may be whose terms all have the same sign.
    fn magnitude(mlp: &Mlp, value: &[f64]) -> Vec<f64> {
        mlp.layers.iter().fold(value.to_vec(), |value, layer| {
            let weight = |i: usize, o: usize| f64::from(layer.weight.data[i * layer.weight.cols + o]).abs();
            let sum = |o: usize| value.iter().enumerate().map(|(i, v)| weight(i, o) * v).sum::<f64>();
            (0..layer.weight.cols).map(|o| f64::from(layer.bias[o]).abs() + sum(o)).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// Single precision stays within the gap of (nearly) exact arithmetic, and the gap is not far beyond what every layer's
        /// rounding may come to (Higham 2002, section 3.1: as many units as there are terms, of the sum of magnitudes).
        #[test]
        fn single_precision_stays_within_the_gap(seed in 0_u64..1_000_000, tanh in any::<bool>()) {
            let mut rng = rng(seed, "gap");
            let activation = if tanh { Activation::Tanh } else { Activation::Relu };
            let trial = Trial::new(activation, 1.0, &mut rng);
            let Trial { cell, readout, network } = &trial;
            let gap = gap(network, 5).expect("a bound");
            let batch = network.domain.sample_of_length(50, 5, &mut rng);
            let single = network.raw_outputs(&batch).expect("runs");
            for row in 0..50 {
                for (step, (_, y)) in trial.in_double(batch.sequence(row)).into_iter().enumerate() {
                    let off = (f64::from(single.row(row * 5 + step)[0]) - y).abs();
                    prop_assert!(off <= gap, "{off} > {gap}");
                }
            }
            let (mut state, mut greatest) = (vec![0.0; 4], 0.0_f64);
            for _ in 0..5 {
                state.push(20.0);
                state = magnitude(cell, &state);
                greatest = greatest.max(magnitude(readout, &state)[0]);
            }
            let (n_layers, unit) = (12.0, 8.0 * SINGLE + ACTIVATION);
            prop_assert!(gap <= 2.0 * n_layers * unit * greatest, "{gap} of {greatest}");
        }
    }
}
