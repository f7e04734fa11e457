//! How far a recurrent network in single precision is from the same network over the reals.
//!
//! A forward error analysis (Higham 2002, chapter 3) in which errors are affine forms too: beside the range of every number, a
//! form over the inputs, goes one of how far its value in single precision, in any order of summation, is from the exact one,
//! over the roundings that went into it. So what one step adds and a later one takes away again cancels, as it does in the
//! network. A sum carries on the errors of its terms times their weights; an activation carries one on by how steep it is
//! between the two values; a product by the other factor; each adds its own rounding.

use std::convert::Infallible;
use std::ops::Range;

use graph::{Activation, Affine, Encoding, Network, Recurrence};
use samples::Elements;

use super::Late;
use super::boxes::carried;
use super::forms::{ACTIVATION, Forms, Piece, SINGLE, TINY, UP};
use super::walk::{self, Walk};

/// Inputs up to this are single-precision numbers.
pub(super) const EXACT_INPUT: u64 = 1 << 24;
/// More than one operation's rounding in single precision, relatively.
const ROUNDING: f64 = 2.0 * SINGLE;

/// Symbols in use.
#[derive(Clone, Copy, Default)]
pub(super) struct Symbols {
    /// Of where numbers lie.
    pub(super) forms: usize,
    /// Of how far off they are.
    pub(super) errors: usize,
}

/// Numbers that a network computes.
#[derive(Clone)]
pub(super) struct Numbers {
    /// Where they lie in exact arithmetic.
    pub(super) forms: Forms,
    /// How far each is from that in single precision, in any order of summation.
    errors: Forms,
}

impl Numbers {
    /// Numbers without errors.
    pub(super) fn exact(forms: Forms) -> Self {
        Self { errors: Forms::exact(vec![0.0; forms.len()], 0), forms }
    }

    pub(super) fn len(&self) -> usize {
        self.forms.len()
    }

    pub(super) fn joined(self, then: Self) -> Self {
        Self { forms: self.forms.joined(then.forms), errors: self.errors.joined(then.errors) }
    }

    pub(super) fn part(&self, range: Range<usize>) -> Self {
        Self { forms: self.forms.part(range.clone()), errors: self.errors.part(range) }
    }

    /// How far a number is at most from the same one in single precision.
    pub(super) fn off(&self, i: usize) -> f64 {
        size_of(&self.errors, i)
    }

    /// The greatest of all numbers' errors.
    pub(super) fn most_off(&self) -> f64 {
        (0..self.len()).map(|i| self.off(i)).fold(0.0, f64::max)
    }

    /// Whether everything is a finite number.
    pub(super) fn is_finite(&self) -> bool {
        self.forms.is_finite() && self.errors.is_finite()
    }

    /// The same with errors in few symbols, from which a further step goes on.
    pub(super) fn with_errors_carried(self, symbols: &mut Symbols) -> Self {
        let errors = carried(self.errors);
        symbols.errors = errors.width;
        Self { errors, ..self }
    }

    /// The greatest value of a number, in either arithmetic.
    fn size(&self, i: usize) -> f64 {
        size_of(&self.forms, i) + self.off(i)
    }

    /// Adds what evaluating a number may be off by itself.
    fn round(&mut self, i: usize, own: f64) {
        self.errors.error[i] = (self.errors.error[i] + own) * UP;
    }

    /// `x W + b`, of several layers that each read their part of x, in order, as one sum.
    pub(super) fn sum(&self, layers: &[&Affine]) -> Self {
        let mut sum = Self { forms: self.forms.sum(layers), errors: self.errors.product(layers) };
        let terms = (self.len() + layers.len() + 1) as f64;
        let sizes: Vec<f64> = (0..self.len()).map(|i| self.size(i)).collect();
        for o in 0..sum.len() {
            let weights = layers.iter().flat_map(|layer| layer.weight.data.iter().skip(o).step_by(layer.weight.cols));
            let products: f64 = weights.zip(&sizes).map(|(&w, size)| f64::from(w).abs() * size).sum();
            let biases: f64 = layers.iter().map(|layer| f64::from(layer.bias[o]).abs()).sum();
            sum.round(o, 1.01 * terms * SINGLE * (products + biases) + terms * TINY);
        }
        sum
    }

    pub(super) fn activate(&mut self, activation: Activation, symbols: &mut Symbols) {
        let before: Vec<f64> = (0..self.len()).map(|i| self.size(i)).collect();
        let carried = |i: usize| {
            let ((lo, hi), off) = (self.forms.range(i), self.off(i));
            let (least, most) = steepness(activation, (lo - off, hi + off));
            Piece { slope: f64::midpoint(least, most), shift: 0.0, half: (most - least) / 2.0 * off * UP, single: 0.0 }
        };
        let pieces = (0..self.len()).map(carried).collect();
        self.errors.relax(pieces, &mut symbols.errors);
        self.forms.activate(activation, &mut symbols.forms);
        if activation != Activation::Relu {
            for (i, before) in before.into_iter().enumerate() {
                self.round(i, ACTIVATION * self.size(i) + TINY * (1.0 + before));
            }
        }
    }

    fn plus(self, other: Self) -> Self {
        let sizes: Vec<f64> = (0..self.len()).map(|i| self.size(i) + other.size(i)).collect();
        let mut sum = Self { forms: self.forms.plus(other.forms, 1.0), errors: self.errors.plus(other.errors, 1.0) };
        sizes.into_iter().enumerate().for_each(|(i, size)| sum.round(i, ROUNDING * size + TINY));
        sum
    }

    fn times(self, other: Self) -> Self {
        let (a, b) = (&self, &other);
        // Of a b: the error of each factor times the middle of the other one's range, and what that leaves.
        let left = |i: usize| {
            let second = a.forms.radius(i) * b.off(i) + b.forms.radius(i) * a.off(i) + a.off(i) * b.off(i);
            second + ROUNDING * a.size(i) * b.size(i) + TINY
        };
        let left: Vec<f64> = (0..a.len()).map(left).collect();
        let errors = b.errors.clone().scaled(&a.forms.center).plus(a.errors.clone().scaled(&b.forms.center), 1.0);
        let mut product = Self { forms: self.forms.times(other.forms), errors };
        left.into_iter().enumerate().for_each(|(i, left)| product.round(i, left));
        product
    }

    fn between(z: Self, a: Self, b: Self) -> Self {
        let apart = b.errors.clone().plus(a.errors.clone(), -1.0);
        let left = |i: usize| {
            let second = (z.forms.radius(i) + z.off(i)) * size_of(&apart, i)
                + z.off(i) * (a.forms.radius(i) + b.forms.radius(i));
            // 1 - z or b - a, two products and a sum of them.
            let (z, a, b) = (z.size(i), a.size(i), b.size(i));
            second + 4.0 * ROUNDING * ((1.0 + z) * a + z * b) + 4.0 * TINY * (1.0 + a + b)
        };
        let left: Vec<f64> = (0..z.len()).map(left).collect();
        let across: Vec<f64> = b.forms.center.iter().zip(&a.forms.center).map(|(b, a)| b - a).collect();
        let errors = a.errors.clone().plus(apart.scaled(&z.forms.center), 1.0);
        let errors = errors.plus(z.errors.scaled(&across), 1.0);
        let mut found = Self { forms: Forms::between(z.forms, a.forms, b.forms), errors };
        left.into_iter().enumerate().for_each(|(i, left)| found.round(i, left));
        found
    }
}

/// The greatest value of a number.
fn size_of(forms: &Forms, i: usize) -> f64 {
    let (lo, hi) = forms.range(i);
    lo.abs().max(hi.abs())
}

/// Makes up for the rounding of derivatives.
const SLACK: f64 = 1e-9;

/// Between what an activation's derivative lies on a range.
fn steepness(activation: Activation, (lo, hi): (f64, f64)) -> (f64, f64) {
    // Those of S-shaped functions fall off on both sides of 0.
    let falling = |derivative: &dyn Fn(f64) -> f64| {
        let nearest = if lo <= 0.0 && hi >= 0.0 { 0.0 } else { lo.abs().min(hi.abs()) };
        (derivative(lo.abs().max(hi.abs())) - SLACK, derivative(nearest) + SLACK)
    };
    match activation {
        Activation::Relu if lo >= 0.0 => (1.0, 1.0),
        Activation::Relu if hi <= 0.0 => (0.0, 0.0),
        Activation::Relu => (0.0, 1.0),
        Activation::Tanh => falling(&|x| 1.0 - x.tanh().powi(2)),
        Activation::Sigmoid => falling(&|x| {
            let s = 1.0 / (1.0 + (-x).exp());
            s * (1.0 - s)
        }),
        // The extremes, each at one point and its mirror image, are -0.0998 and 1.0998, -0.1290 and 1.1290.
        Activation::Silu => (-0.1, 1.1),
        Activation::Gelu | Activation::GeluTanh => (-0.13, 1.13),
    }
}

/// An element as it is fed: every coordinate anywhere in a range.
pub(super) fn fed(net: &Recurrence, [lo, hi]: [i64; 2], symbols: &mut Symbols) -> Numbers {
    let ranges = match net.encoding() {
        Encoding::Scalar => vec![(lo as f64, hi as f64); net.dim()],
        Encoding::OneHot { width, .. } => vec![(0.0, 1.0); net.dim() * width],
    };
    let mut forms = Forms::exact(ranges.iter().map(|&(lo, hi)| f64::midpoint(lo, hi)).collect(), 0);
    forms.widen(symbols.forms + ranges.len());
    for (i, (lo, hi)) in ranges.iter().enumerate() {
        let at = i * forms.width + symbols.forms + i;
        forms.coef[at] = (hi - lo) / 2.0;
    }
    symbols.forms += ranges.len();
    Numbers::exact(forms)
}

/// How far an output in single precision is at most from the same in exact arithmetic, over all sequences of so many elements of
/// the domain or fewer.
///
/// # Errors
/// Why no bound is known.
pub(super) fn gap(network: &Network, length: usize, late: Late<'_>) -> Result<f64, &'static str> {
    let net = network.recurrence().ok_or("no recurrence")?;
    let Elements::Integers { lo, hi, .. } = network.domain.elements else { return Err("inputs that are no integers") };
    if lo.unsigned_abs().max(hi.unsigned_abs()) > EXACT_INPUT {
        return Err("inputs beyond 2^24");
    }
    let mut hidden = Numbers::exact(Forms::exact(vec![0.0; net.hidden_dim()], 0));
    let (mut gap, mut follow) = (0.0_f64, Follow(Symbols::default()));
    for _ in 0..length {
        if late() {
            return Err("time was up");
        }
        let fed = fed(net, [lo, hi], &mut follow.0);
        let Ok(next) = walk::step(&mut follow, net, &hidden, fed);
        let Ok(outputs) = walk::read(&mut follow, net, &next);
        gap = gap.max(outputs.most_off());
        if !(gap.is_finite() && next.is_finite() && outputs.is_finite()) {
            return Err("the domain is too wide: numbers grow beyond what is followed");
        }
        hidden = next.with_errors_carried(&mut follow.0);
        hidden.forms = carried(hidden.forms);
        follow.0.forms = hidden.forms.width;
    }
    Ok(gap)
}

/// Follows numbers and their errors.
struct Follow(Symbols);

impl Walk for Follow {
    type Numbers = Numbers;
    type Error = Infallible;

    fn joined(&mut self, first: Numbers, then: Numbers) -> Numbers {
        first.joined(then)
    }

    fn part(&mut self, of: &Numbers, range: Range<usize>) -> Numbers {
        of.part(range)
    }

    fn sum(&mut self, x: &Numbers, layers: &[&Affine]) -> Result<Numbers, Infallible> {
        Ok(x.sum(layers))
    }

    fn activate(&mut self, mut x: Numbers, activation: Activation) -> Result<Numbers, Infallible> {
        x.activate(activation, &mut self.0);
        Ok(x)
    }

    fn plus(&mut self, a: Numbers, b: Numbers) -> Result<Numbers, Infallible> {
        Ok(a.plus(b))
    }

    fn times(&mut self, a: Numbers, b: Numbers) -> Result<Numbers, Infallible> {
        Ok(a.times(b))
    }

    fn between(&mut self, z: Numbers, a: Numbers, b: Numbers) -> Result<Numbers, Infallible> {
        Ok(Numbers::between(z, a, b))
    }
}

#[cfg(test)]
mod tests {
    use graph::{Cell, Mlp};
    use proptest::prelude::*;
    use samples::rng;

    use super::super::trial::{Kind, Trial};
    use super::*;

    /// How large numbers may be whose terms all have the same sign.
    fn magnitude(mlp: &Mlp, value: &[f64]) -> Vec<f64> {
        mlp.layers.iter().fold(value.to_vec(), |value, layer| {
            let weight = |i: usize, o: usize| f64::from(layer.weight.data[i * layer.weight.cols + o]).abs();
            let sum = |o: usize| value.iter().enumerate().map(|(i, v)| weight(i, o) * v).sum::<f64>();
            (0..layer.weight.cols).map(|o| f64::from(layer.bias[o]).abs() + sum(o)).collect()
        })
    }

    /// The greatest output in such a sense, after five steps.
    fn greatest(net: &Recurrence, cell: &Mlp) -> f64 {
        let (mut state, mut greatest) = (vec![0.0; 4], 0.0_f64);
        for _ in 0..5 {
            state.push(20.0);
            state = magnitude(cell, &state);
            greatest = greatest.max(magnitude(net.readout_mlp(), &state)[0]);
        }
        greatest
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// Single precision, in random orders of summation and as networks are run, stays within the gap of (nearly) exact
        /// arithmetic. The gap is not far beyond what every layer's rounding may come to (Higham 2002, section 3.1: as many units
        /// as there are terms, of the sum of magnitudes); where gates keep numbers small it is far
        /// below what outputs differ by.
        #[test]
        fn single_precision_stays_within_the_gap(seed in 0_u64..1_000_000, kind in 0_usize..4, which in 0_usize..4) {
            let mut rng = rng(seed, "gap");
            let kind = [Kind::Mlp, Kind::Elman, Kind::Gru, Kind::Lstm][kind];
            let activation = [Activation::Relu, Activation::Tanh, Activation::Sigmoid, Activation::Silu][which];
            // Gated cells get weights as large as torch draws them for four units.
            let span = if matches!(kind, Kind::Gru | Kind::Lstm) { 0.5 } else { 1.0 };
            let trial = Trial::new(kind, activation, span, &mut rng);
            let network = &trial.network;
            let gap = gap(network, 5, &|| false).expect("a bound");
            let batch = network.domain.sample_of_length(50, 5, &mut rng);
            let single = network.raw_outputs(&batch).expect("runs");
            for row in 0..50 {
                let any_order = trial.in_single(batch.sequence(row), &mut rng);
                for (step, (_, y)) in trial.in_double(batch.sequence(row)).into_iter().enumerate() {
                    for other in [f64::from(single.row(row * 5 + step)[0]), any_order[step]] {
                        let off = (other - y).abs();
                        prop_assert!(off <= gap, "{off} > {gap}");
                    }
                }
            }
            let net = network.recurrence().expect("it is one");
            match net.cell() {
                Cell::Mlp(cell) => {
                    let (n_layers, unit) = (12.0, 8.0 * SINGLE + ACTIVATION);
                    let most = 2.0 * n_layers * unit * greatest(net, cell);
                    prop_assert!(gap <= most, "{gap} > {most}");
                }
                Cell::Elman(..) => {}
                Cell::Gru(_) | Cell::Lstm(_) => prop_assert!(gap < 0.1, "{gap}"),
            }
        }
    }
}
