//! Sets of vectors as affine forms, and what a network makes of them, with every rounding counted.
//!
//! A number is known as `c + sum a_k e_k + r e`, where the symbols `e_k` within -1 to 1 are shared by all numbers and
//! `e` is its own (Comba and Stolfi 1993; for networks Singh et al. 2018). Coefficients are double precision numbers;
//! their own rounding is covered by the radius `r`, which also covers single-precision evaluation of the network in
//! any order of summation: a sum of n products differs from the exact one by at most `gamma(n)` times the sum of the
//! absolute products (Higham 2002, section 3.1), with or without fused operations. Activations other than ReLU are
//! taken to be computed within [`ACTIVATION`] of their exact value, relatively.

use std::convert::Infallible;
use std::ops::Range;

use graph::{Activation, Affine, Encoding, Recurrence};

use super::walk::{self, Walk};

/// Half an ulp of single precision, relatively.
pub(super) const SINGLE: f64 = 1.0 / 16_777_216.0;
/// More than any error of double-precision arithmetic on a handful of numbers, relatively.
const DOUBLE: f64 = 1e-15;
/// The relative error allowed to an activation in single precision: 16 half ulps. The libraries in use stay within a few ulps for
/// what they are computed from (`expf` 1, `tanhf` 2 or 3: Innocente and Zimmermann, Accuracy of Mathematical Functions in
/// Single, Double, Double Extended, and Quadruple Precision; the glibc manual, Errors in Math Functions); a sigmoid takes an
/// exponential, a sum and a quotient.
pub(super) const ACTIVATION: f64 = 16.0 * SINGLE;
/// The least normal number of single precision: the absolute error of an underflow, also where the hardware flushes what is
/// smaller to zero, and of a sigmoid whose exponential overflows.
pub(super) const TINY: f64 = 1.2e-38;
/// Makes up for the rounding of radii, which are sums of non-negative numbers.
pub(super) const UP: f64 = 1.0 + 1e-9;

/// Numbers as affine forms over shared symbols.
#[derive(Clone, Debug)]
pub(crate) struct Forms {
    /// Shared symbols.
    pub width: usize,
    /// The centre of every number.
    pub center: Vec<f64>,
    /// `width` coefficients for every number.
    pub coef: Vec<f64>,
    /// The radius of every number's own symbol.
    pub error: Vec<f64>,
    /// Whether what is computed from these numbers is computed in single precision; else in exact arithmetic.
    pub single: bool,
}

impl Forms {
    /// Exact numbers.
    pub(crate) fn exact(center: Vec<f64>, width: usize) -> Self {
        let n = center.len();
        Self { width, center, coef: vec![0.0; n * width], error: vec![0.0; n], single: false }
    }

    /// The same numbers, from which a network goes on in single precision or in exact arithmetic.
    pub(crate) fn computed(mut self, single: bool) -> Self {
        self.single = single;
        self
    }

    /// How many numbers.
    pub(crate) fn len(&self) -> usize {
        self.center.len()
    }

    /// The coefficients of a number.
    pub(crate) fn row(&self, i: usize) -> &[f64] {
        &self.coef[i * self.width..(i + 1) * self.width]
    }

    /// The greatest distance of a number from its centre.
    pub(crate) fn radius(&self, i: usize) -> f64 {
        (self.row(i).iter().map(|a| a.abs()).sum::<f64>() + self.error[i]) * UP
    }

    /// The range of a number.
    pub(crate) fn range(&self, i: usize) -> (f64, f64) {
        let (c, r) = (self.center[i], self.radius(i));
        let slack = DOUBLE * (c.abs() + r);
        (c - r - slack, c + r + slack)
    }

    /// Whether everything is a finite number.
    pub(crate) fn is_finite(&self) -> bool {
        self.center.iter().chain(&self.coef).chain(&self.error).all(|v| v.is_finite())
    }

    /// These numbers and then others over the same symbols.
    pub(super) fn joined(mut self, mut other: Self) -> Self {
        let width = self.width.max(other.width);
        self.widen(width);
        other.widen(width);
        self.center.extend(other.center);
        self.coef.extend(other.coef);
        self.error.extend(other.error);
        self.single |= other.single;
        self
    }

    /// Makes room for more symbols.
    pub(super) fn widen(&mut self, width: usize) {
        if width > self.width {
            let (n, old) = (self.len(), self.width);
            let mut coef = vec![0.0; n * width];
            for i in 0..n {
                coef[i * width..i * width + old].copy_from_slice(&self.coef[i * old..(i + 1) * old]);
            }
            (self.coef, self.width) = (coef, width);
        }
    }

    /// Some of the numbers.
    pub(crate) fn part(&self, range: std::ops::Range<usize>) -> Self {
        Self {
            width: self.width,
            center: self.center[range.clone()].to_vec(),
            coef: self.coef[range.start * self.width..range.end * self.width].to_vec(),
            error: self.error[range].to_vec(),
            single: self.single,
        }
    }

    /// The same set with every number's own radius as a shared symbol, so that later steps know whose it is; of the
    /// symbols at most `most` stay, the least are covered by radii again.
    pub(crate) fn promoted(mut self, most: usize) -> Self {
        let (n, width) = (self.len(), self.width);
        let mut size: Vec<(f64, usize)> = (0..width).map(|k| ((0..n).map(|i| self.row(i)[k].abs()).sum(), k)).collect();
        size.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        size.retain(|&(size, _)| size > 0.0);
        let kept: Vec<usize> = size.iter().take(most.saturating_sub(n)).map(|&(_, k)| k).collect();
        let dropped: Vec<usize> = size.iter().skip(kept.len()).map(|&(_, k)| k).collect();
        let mut coef = vec![0.0; n * (kept.len() + n)];
        for i in 0..n {
            let row = self.row(i);
            let rest: f64 = dropped.iter().map(|&k| row[k].abs()).sum();
            let to = &mut coef[i * (kept.len() + n)..(i + 1) * (kept.len() + n)];
            to.iter_mut().zip(&kept).for_each(|(to, &k)| *to = row[k]);
            to[kept.len() + i] = (self.error[i] + rest) * UP;
        }
        (self.coef, self.width) = (coef, kept.len() + n);
        self.error.iter_mut().for_each(|error| *error = 0.0);
        self
    }

    /// `weight` is `[in, out]`, of any numbers; the result has the error of evaluation in single precision where
    /// `single`, else that of this computation alone.
    pub(crate) fn linear(&self, weight: impl Fn(usize, usize) -> f64, bias: &[f64], single: bool) -> Self {
        let sizes: Vec<f64> = bias.iter().map(|bias| bias.abs()).collect();
        self.summed(weight, (bias, &sizes, 1), single)
    }

    /// The same where every bias is the sum of so many, with the sum of their sizes.
    fn summed(
        &self,
        weight: impl Fn(usize, usize) -> f64,
        (bias, bias_sizes, biases): (&[f64], &[f64], usize),
        single: bool,
    ) -> Self {
        let (n, m) = (self.len(), self.width);
        let terms = (n + biases + 1) as f64;
        let gamma = if single { 1.01 * terms * SINGLE } else { 0.0 } + (terms + m as f64 + 2.0) * DOUBLE;
        let size: Vec<f64> = (0..n).map(|i| self.center[i].abs() + self.radius(i)).collect();
        let mut out = Self::exact(bias.to_vec(), m).computed(self.single);
        for (o, &bias_size) in bias_sizes.iter().enumerate() {
            let (mut carried, mut total) = (0.0, bias_size);
            let row = &mut out.coef[o * m..(o + 1) * m];
            for (i, size) in size.iter().enumerate() {
                let w = weight(i, o);
                if w == 0.0 {
                    continue;
                }
                out.center[o] += w * self.center[i];
                row.iter_mut().zip(&self.coef[i * m..(i + 1) * m]).for_each(|(to, a)| *to += w * a);
                carried += w.abs() * self.error[i];
                total += w.abs() * size;
            }
            let tiny = if single { terms * TINY } else { 0.0 };
            out.error[o] = (carried + gamma * total + tiny) * UP;
        }
        out
    }

    /// `x W + b`, of several layers that each read their part of x, in order, as one sum.
    pub(super) fn sum(&self, layers: &[&Affine]) -> Self {
        let bias = |of: &dyn Fn(f64) -> f64| -> Vec<f64> {
            let cols = layers.first().map_or(0, |layer| layer.bias.len());
            (0..cols).map(|o| layers.iter().map(|layer| of(f64::from(layer.bias[o]))).sum()).collect()
        };
        self.weighed(layers, (&bias(&|b| b), &bias(&f64::abs), layers.len()))
    }

    /// The same without the biases.
    pub(super) fn product(&self, layers: &[&Affine]) -> Self {
        let none = vec![0.0; layers.first().map_or(0, |layer| layer.bias.len())];
        self.weighed(layers, (&none, &none, 0))
    }

    fn weighed(&self, layers: &[&Affine], biases: (&[f64], &[f64], usize)) -> Self {
        let cols = layers.first().map_or(1, |layer| layer.weight.cols);
        let rows: Vec<&[f32]> = layers.iter().flat_map(|layer| layer.weight.data.chunks(cols)).collect();
        self.summed(|i, o| f64::from(rows[i][o]), biases, self.single)
    }

    /// Replaces every number by `slope` times itself plus `shift`, within `half`, which gets a symbol of its own:
    /// the next of those that nothing else in this computation uses.
    pub(super) fn relax(&mut self, pieces: Vec<Piece>, fresh: &mut usize) {
        let mut symbol = *fresh;
        *fresh += pieces.iter().filter(|piece| piece.half > 0.0).count();
        self.widen(*fresh);
        for (i, piece) in pieces.into_iter().enumerate() {
            let size = self.center[i].abs() + self.radius(i);
            self.center[i] = piece.slope * self.center[i] + piece.shift;
            let row = &mut self.coef[i * self.width..(i + 1) * self.width];
            row.iter_mut().for_each(|a| *a *= piece.slope);
            let rounding = if piece.shift == 0.0 && (piece.slope == 1.0 || piece.slope == 0.0) {
                0.0
            } else {
                4.0 * DOUBLE * (size * piece.slope.abs() + piece.shift.abs())
            };
            let single = if self.single { piece.single } else { 0.0 };
            self.error[i] = (self.error[i] * piece.slope.abs() + rounding + single) * UP;
            if piece.half > 0.0 {
                row[symbol] = piece.half * UP;
                symbol += 1;
            }
        }
    }

    pub(super) fn activate(&mut self, activation: Activation, fresh: &mut usize) {
        let pieces = (0..self.len()).map(|i| piece(activation, self.range(i))).collect();
        self.relax(pieces, fresh);
    }

    /// Gives two sets of numbers the same symbols and the less precise arithmetic; the symbols, and the relative error of
    /// one operation in single precision.
    fn meet(&mut self, other: &mut Self) -> (usize, f64) {
        let width = self.width.max(other.width);
        self.widen(width);
        other.widen(width);
        self.single |= other.single;
        (width, if self.single { 2.0 * SINGLE } else { 0.0 })
    }

    /// Products, number by number; what is of second order goes to each number's own radius.
    pub(super) fn times(mut self, mut other: Self) -> Self {
        let (width, single) = self.meet(&mut other);
        for i in 0..self.len() {
            let (a, b) = (self.center[i], other.center[i]);
            let (ra, rb) = (self.radius(i), other.radius(i));
            let size = (a.abs() + ra) * (b.abs() + rb);
            let second = (ra * rb + a.abs() * other.error[i] + b.abs() * self.error[i]) * UP;
            for k in 0..width {
                let at = i * width + k;
                self.coef[at] = a * other.coef[at] + b * self.coef[at];
            }
            self.center[i] = a * b;
            self.error[i] = (second + size * (single + (width as f64 + 4.0) * DOUBLE) + TINY) * UP;
        }
        self
    }

    /// Sums, number by number; `sign` is 1 or -1.
    pub(super) fn plus(mut self, mut other: Self, sign: f64) -> Self {
        let (width, single) = self.meet(&mut other);
        for i in 0..self.len() {
            let size = self.center[i].abs() + self.radius(i) + other.center[i].abs() + other.radius(i);
            self.center[i] += sign * other.center[i];
            for k in 0..width {
                self.coef[i * width + k] += sign * other.coef[i * width + k];
            }
            self.error[i] = (self.error[i] + other.error[i] + size * (single + 2.0 * DOUBLE) + TINY) * UP;
        }
        self
    }

    /// `(1 - z) a + z b`, number by number, for `z` from 0 to 1.
    pub(super) fn between(z: Self, a: Self, b: Self) -> Self {
        let hulls: Vec<(f64, f64)> = (0..a.len())
            .map(|i| {
                let ((a_lo, a_hi), (b_lo, b_hi)) = (a.range(i), b.range(i));
                (a_lo.min(b_lo), a_hi.max(b_hi))
            })
            .collect();
        let rest = Self::exact(vec![1.0; z.len()], z.width).computed(z.single).plus(z.clone(), -1.0);
        let mut found = rest.times(a).plus(z.times(b), 1.0);
        for (i, (lo, hi)) in hulls.into_iter().enumerate() {
            found.keep_within(i, (lo, hi));
        }
        found
    }

    /// Where a number lies within a range in exact arithmetic, of which its form knows less, the range is all that is known of it;
    /// evaluated by a handful of operations in single precision it may leave it by their rounding.
    fn keep_within(&mut self, i: usize, (lo, hi): (f64, f64)) {
        let size = lo.abs().max(hi.abs());
        let rounding = if self.single { 16.0 * SINGLE * size + 16.0 * TINY } else { 0.0 };
        let radius = (hi - lo) / 2.0 + rounding + 4.0 * DOUBLE * size;
        if radius < self.radius(i) {
            self.center[i] = f64::midpoint(lo, hi);
            self.coef[i * self.width..(i + 1) * self.width].fill(0.0);
            self.error[i] = radius * UP;
        }
    }

    /// Every number times a factor of its own.
    pub(super) fn scaled(mut self, by: &[f64]) -> Self {
        for (i, &by) in by.iter().enumerate() {
            let size = self.center[i].abs() + self.radius(i);
            self.center[i] *= by;
            self.coef[i * self.width..(i + 1) * self.width].iter_mut().for_each(|a| *a *= by);
            self.error[i] = (self.error[i] * by.abs() + 2.0 * DOUBLE * size * by.abs()) * UP;
        }
        self
    }
}

/// What an activation does on a range: `slope * x + shift`, within `half`; `single` is the error of computing it.
pub(super) struct Piece {
    pub(super) slope: f64,
    pub(super) shift: f64,
    pub(super) half: f64,
    pub(super) single: f64,
}

fn piece(activation: Activation, (lo, hi): (f64, f64)) -> Piece {
    match activation {
        Activation::Relu if lo >= 0.0 => Piece { slope: 1.0, shift: 0.0, half: 0.0, single: 0.0 },
        Activation::Relu if hi <= 0.0 => Piece { slope: 0.0, shift: 0.0, half: 0.0, single: 0.0 },
        Activation::Relu => {
            // The function lies between slope * x and a parallel through the higher of its values at the two ends.
            let slope = (hi / (hi - lo)).clamp(0.0, 1.0);
            let top = (-slope * lo).max(hi - slope * hi) * UP;
            Piece { slope, shift: top / 2.0, half: top / 2.0 * UP, single: 0.0 }
        }
        Activation::Tanh => squashing((lo, hi), f64::tanh, |t| 1.0 - t * t),
        Activation::Sigmoid => squashing((lo, hi), |x| 1.0 / (1.0 + (-x).exp()), |s| s * (1.0 - s)),
        Activation::Silu => silu(lo, hi),
        // No cell has these; the whole line holds everything.
        Activation::Gelu | Activation::GeluTanh => Piece { slope: 0.0, shift: 0.0, half: f64::INFINITY, single: 0.0 },
    }
}

/// An S-shaped function that grows everywhere: with the lesser of the slopes at the two ends, which is the least on
/// the range, what remains grows too and lies between its values at the ends.
fn squashing((lo, hi): (f64, f64), f: impl Fn(f64) -> f64, slope_at: impl Fn(f64) -> f64) -> Piece {
    let (low, high) = (f(lo), f(hi));
    let slope = ((slope_at(low).min(slope_at(high)) - 4.0 * DOUBLE) * (1.0 - 1e-9)).max(0.0);
    let (p, q) = (low - slope * lo, high - slope * hi);
    let slack = 8.0 * DOUBLE * (1.0 + slope * (lo.abs() + hi.abs()));
    let single = ACTIVATION * low.abs().max(high.abs()) + TINY;
    Piece { slope, shift: (p + q) / 2.0, half: ((q - p).abs() / 2.0 + slack) * UP, single }
}

/// x sigmoid(x): by Taylor's theorem on narrow ranges, where its second derivative is at most a half; else its range.
fn silu(lo: f64, hi: f64) -> Piece {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let f = |x: f64| x * sigmoid(x);
    let (middle, radius) = ((lo + hi) / 2.0, (hi - lo) / 2.0 * UP + DOUBLE * (lo.abs() + hi.abs()));
    let single = ACTIVATION * lo.abs().max(hi.abs()) + TINY;
    let slack = 16.0 * DOUBLE * (1.0 + lo.abs().max(hi.abs()));
    if radius <= 1.0 {
        let s = sigmoid(middle);
        let slope = s + middle * s * (1.0 - s);
        return Piece { slope, shift: f(middle) - slope * middle, half: 0.25 * radius * radius * UP + slack, single };
    }
    // Its one minimum is at about -1.27846, of about -0.278465.
    let least = if lo < -1.278 && hi > -1.279 { -0.278_465 } else { f(lo).min(f(hi)) };
    let most = f(lo).max(f(hi));
    Piece { slope: 0.0, shift: (least + most) / 2.0, half: ((most - least) / 2.0 + slack) * UP, single }
}

/// An input element as it is fed, exactly.
pub(crate) fn fed(net: &Recurrence, element: &[i64], width: usize) -> Forms {
    let numbers = match net.encoding() {
        Encoding::Scalar => element.iter().map(|&v| v as f64).collect(),
        Encoding::OneHot { lo, width } => {
            let unit = |&v: &i64| (0..width).map(move |k| f64::from(u8::from(i64::try_from(k) == Ok(v - lo))));
            element.iter().flat_map(unit).collect()
        }
    };
    Forms::exact(numbers, width)
}

/// The states after a step.
pub(crate) fn step(net: &Recurrence, state: &Forms, fed: Forms) -> Forms {
    let mut follow = Follow { fresh: state.width.max(fed.width) };
    let Ok(next) = walk::step(&mut follow, net, state, fed);
    next
}

/// The outputs in states.
pub(crate) fn read(net: &Recurrence, state: &Forms) -> Forms {
    let Ok(outputs) = walk::read(&mut Follow { fresh: state.width }, net, state);
    outputs
}

/// Follows forms; what relaxes an activation gets symbols from `fresh` on.
struct Follow {
    fresh: usize,
}

impl Walk for Follow {
    type Numbers = Forms;
    type Error = Infallible;

    fn joined(&mut self, first: Forms, then: Forms) -> Forms {
        first.joined(then)
    }

    fn part(&mut self, of: &Forms, range: Range<usize>) -> Forms {
        of.part(range)
    }

    fn sum(&mut self, x: &Forms, layers: &[&Affine]) -> Result<Forms, Infallible> {
        Ok(x.sum(layers))
    }

    fn activate(&mut self, mut x: Forms, activation: Activation) -> Result<Forms, Infallible> {
        x.activate(activation, &mut self.fresh);
        Ok(x)
    }

    fn plus(&mut self, a: Forms, b: Forms) -> Result<Forms, Infallible> {
        Ok(a.plus(b, 1.0))
    }

    fn times(&mut self, a: Forms, b: Forms) -> Result<Forms, Infallible> {
        Ok(a.times(b))
    }

    fn between(&mut self, z: Forms, a: Forms, b: Forms) -> Result<Forms, Infallible> {
        Ok(Forms::between(z, a, b))
    }
}

#[cfg(test)]
mod tests {
    use graph::{Cell, GateLayer, Matrix, Mlp};
    use proptest::prelude::*;
    use rand::Rng as _;

    use super::*;

    fn layer(rng: &mut samples::Rng, from: usize, to: usize, scale: f32) -> Affine {
        let mut draw = |n: usize| (0..n).map(|_| rng.random_range(-scale..scale)).collect::<Vec<f32>>();
        Affine { weight: Matrix::new(from, to, draw(from * to)), bias: draw(to) }
    }

    fn network(kind: usize, activation: Activation, rng: &mut samples::Rng) -> Recurrence {
        let gates = [0, 1, 3, 4][kind];
        let mut gated =
            |from| GateLayer { input: layer(rng, from, gates * 3, 1.0), hidden: layer(rng, 3, gates * 3, 1.0) };
        let cell = match kind {
            1 => Cell::Elman(vec![gated(2), gated(3)], activation),
            2 => Cell::Gru(vec![gated(2), gated(3)]),
            3 => Cell::Lstm(vec![gated(2), gated(3)]),
            _ => Cell::Mlp(Mlp { layers: vec![layer(rng, 5, 6, 1.0), layer(rng, 6, 3, 1.0)], activation }),
        };
        let readout = Mlp { layers: vec![layer(rng, 3, 4, 1.0), layer(rng, 4, 2, 1.0)], activation };
        Recurrence::new(cell, readout, Encoding::Scalar, 2).expect("shapes fit")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever point of a set the network starts from, single precision ends within what the forms say.
        #[test]
        fn single_precision_stays_within(seed in 0_u64..1_000_000, kind in 0_usize..4, which in 0_usize..4, size in -3.0_f64..1.0) {
            let mut rng = samples::rng(seed, "forms");
            let activation = [Activation::Relu, Activation::Tanh, Activation::Sigmoid, Activation::Silu][which];
            let net = network(kind, activation, &mut rng);
            let d = net.hidden_dim();
            let mut forms = Forms::exact((0..d).map(|_| rng.random_range(-1.0..1.0)).collect(), d).computed(true);
            let scale = 10_f64.powf(size);
            forms.coef.iter_mut().for_each(|a| *a = scale * rng.random_range(-1.0..1.0));
            let element = [rng.random_range(-2..=2_i64), rng.random_range(-2..=2)];
            let next = step(&net, &forms, fed(&net, &element, 0));
            let y = read(&net, &next);
            let n = 40;
            let mut points = Matrix::zeros(n, d);
            for row in 0..n {
                let at: Vec<f64> = (0..d).map(|_| if row % 2 == 0 { rng.random_range(-1.0..1.0) } else if rng.random() { 1.0 } else { -1.0 }).collect();
                for i in 0..d {
                    let exact: f64 = forms.center[i] + forms.row(i).iter().zip(&at).map(|(a, e)| a * e).sum::<f64>();
                    points.row_mut(row)[i] = exact as f32;
                }
            }
            // The points themselves were rounded to single precision.
            for i in 0..d {
                forms.error[i] += 1e-6 * (1.0 + forms.radius(i));
            }
            let (next_wide, x) = (step(&net, &forms, fed(&net, &element, 0)), Matrix::new(n, 2, element.iter().map(|&v| v as f32).cycle().take(2 * n).collect()));
            let got = net.step(&points, &x);
            let out = net.readout(&got);
            let y_wide = read(&net, &next_wide);
            for row in 0..n {
                for i in 0..d {
                    let (lo, hi) = next_wide.range(i);
                    prop_assert!((lo..=hi).contains(&f64::from(got.at(row, i))), "{} not in {lo} .. {hi}", got.at(row, i));
                }
                for o in 0..2 {
                    let (lo, hi) = y_wide.range(o);
                    prop_assert!((lo..=hi).contains(&f64::from(out.at(row, o))), "{} not in {lo} .. {hi}", out.at(row, o));
                }
            }
            // A point alone is known almost exactly.
            let point = step(&net, &Forms::exact(forms.center.clone(), 0).computed(true), fed(&net, &element, 0));
            prop_assert!((0..d).all(|i| point.radius(i) < 1e-4), "{point:?}");
            let exact = step(&net, &Forms::exact(forms.center.clone(), 0), fed(&net, &element, 0));
            prop_assert!((0..d).all(|i| exact.radius(i) < 1e-9), "{exact:?}");
            prop_assert!((0..2).all(|o| y.radius(o).is_finite()));
        }
    }
}
