//! Where the radii of a hidden layer come from, so that what its neurons have in common cancels in what is read of them.

use graph::Matrix;
use rustc_hash::FxHashMap;

use crate::proof::forms::UP;

/// The radii of a layer, cell by cell, in parts: how far the numbers that it reads are off, times its weights, and what every
/// neuron is off by for itself. In each cell the layer is an affine form (Comba and Stolfi 1993) with a symbol for every number that
/// is read, which an evaluation computes once for all neurons: of a neuron that is on for all that its cell holds, ReLU hands it on
/// as it is. Of two ramps that tell counts apart each is off by what is read times its slope; what is written of their
/// difference is not.
#[derive(Clone, Debug)]
pub(super) struct Behind {
    /// Radii of the numbers that are read.
    read: Vec<f64>,
    /// What is left of the radius of every neuron, roundings and what was merged; where it is not on, all of the radius.
    own: Vec<f64>,
    /// Which neurons are on for all that a cell holds; once the layer is computed.
    on: Vec<bool>,
}

impl Behind {
    pub(super) fn new(read: Vec<f64>, own: Vec<f64>) -> Self {
        Self { read, own, on: Vec::new() }
    }

    /// With further errors of neurons' own.
    pub(super) fn with_errors(mut self, errors: &[f64]) -> Self {
        self.own.iter_mut().zip(errors).for_each(|(own, error)| *own = (*own + error) * UP);
        self
    }

    /// The same over fewer cells, whose centres are moved by so much.
    pub(super) fn merged(&self, places: &[usize], moved: &[f64]) -> Self {
        let n = moved.len() * places.len() / self.own.len().max(1);
        let own = greatest(&self.own, places, n).into_iter().zip(moved).map(|(own, moved)| (own + moved) * UP);
        Self::new(greatest(&self.read, places, n), own.collect())
    }

    /// Of two parts of a sum: for every cell of it a cell of either. The sum itself is rounded.
    pub(super) fn plus(&self, other: &Self, (left, right): (&[usize], &[usize]), sum: &[f64]) -> Self {
        let (n, width) = (left.len().max(1), sum.len() / left.len().max(1));
        let rows = self.read.len() * width / self.own.len().max(1);
        let (mut read, mut own) = (Vec::with_capacity(n * rows), Vec::with_capacity(n * width));
        for (cell, (l, r)) in left.iter().zip(right).enumerate() {
            read.extend((0..rows).map(|j| (self.read[l * rows + j] + other.read[r * rows + j]) * UP));
            let rounding = |k: usize| 2e-16 * sum[cell * width + k].abs();
            own.extend((0..width).map(|k| (self.own[l * width + k] + other.own[r * width + k] + rounding(k)) * UP));
        }
        Self::new(read, own)
    }

    /// After ReLU: the neurons that are on, and the radii of all.
    pub(super) fn activated(mut self, on: Vec<bool>, radii: &[f64]) -> Self {
        for ((own, radius), _) in self.own.iter_mut().zip(radii).zip(&on).filter(|(_, on)| !**on) {
            *own = *radius;
        }
        Self { on, ..self }
    }

    /// Narrows the radii of what is read of the layer by `outer`, which reads its inputs by `inner`; as far as a number of
    /// multiply-adds goes. Returns how many it took.
    pub(super) fn narrow(&self, radii: &mut [f64], (inner, outer): (&Matrix, &Matrix), most: f64) -> f64 {
        let (rows, width, cols) = (inner.rows, inner.cols, outer.cols);
        let n = self.own.len() / width.max(1);
        let noisy: Vec<usize> = (0..rows).filter(|&j| (0..n).any(|cell| self.read[cell * rows + j] > 0.0)).collect();
        let mut known: FxHashMap<&[bool], Vec<f64>> = FxHashMap::default();
        let mut spent = 0.0;
        for cell in 0..n {
            let on = &self.on[cell * width..(cell + 1) * width];
            let cost = ((noisy.len() + width) * cols) as f64;
            let steep = if known.contains_key(on) { 0.0 } else { (noisy.len() * width * cols) as f64 };
            if spent + cost + steep > most {
                break;
            }
            spent += cost + steep;
            let slopes = known.entry(on).or_insert_with(|| slopes((inner, outer), on, &noisy));
            let mut radius = vec![0.0; cols];
            for (&j, slopes) in noisy.iter().zip(slopes.chunks(cols)) {
                let read = self.read[cell * rows + j];
                radius.iter_mut().zip(slopes).for_each(|(radius, slope)| *radius += read * slope);
            }
            for (i, own) in self.own[cell * width..(cell + 1) * width].iter().enumerate().filter(|(_, own)| **own > 0.0)
            {
                radius.iter_mut().zip(outer.row(i)).for_each(|(radius, w)| *radius += own * f64::from(*w).abs());
            }
            for (known, radius) in radii[cell * cols..(cell + 1) * cols].iter_mut().zip(radius) {
                *known = known.min(radius * UP);
            }
        }
        spent
    }
}

/// How much, at most, what is written changes with each of the numbers that are read, through the neurons that are on.
fn slopes((inner, outer): (&Matrix, &Matrix), on: &[bool], of: &[usize]) -> Vec<f64> {
    let mut all = Vec::with_capacity(of.len() * outer.cols);
    for &j in of {
        let (mut slopes, mut sizes) = (vec![0.0_f64; outer.cols], vec![0.0_f64; outer.cols]);
        let weights = inner.row(j).iter().zip(on).enumerate().filter(|(_, (w, on))| **on && **w != 0.0);
        for (i, (&w, _)) in weights {
            for (o, &v) in outer.row(i).iter().enumerate() {
                let product = f64::from(w) * f64::from(v);
                slopes[o] += product;
                sizes[o] += product.abs();
            }
        }
        // Products of numbers in single precision are exact, their sum is not (Higham 2002, section 4.2).
        let rounding = 1.2e-16 * on.len() as f64;
        all.extend(slopes.iter().zip(&sizes).map(|(slope, size)| (slope.abs() + rounding * size) * UP));
    }
    all
}

/// Of cells that are merged, the greatest numbers.
fn greatest(numbers: &[f64], places: &[usize], n: usize) -> Vec<f64> {
    let width = numbers.len() / places.len().max(1);
    let mut most = vec![0.0_f64; n * width];
    for (cell, place) in places.iter().enumerate() {
        for k in 0..width {
            most[place * width + k] = most[place * width + k].max(numbers[cell * width + k]);
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::Rng as _;
    use samples::rng;

    use super::*;

    const ROWS: usize = 3;
    const WIDTH: usize = 6;
    const COLS: usize = 2;

    fn under(weight: &Matrix, numbers: &[f64], term: impl Fn(f64) -> f64) -> Vec<f64> {
        let sum = |o: usize| numbers.iter().enumerate().map(|(i, v)| v * term(f64::from(weight.at(i, o)))).sum();
        (0..weight.cols).map(sum).collect()
    }

    proptest! {
        /// Whatever a layer reads within the radii, and whatever its neurons are off by, what is written stays within what is said.
        #[test]
        fn what_is_written_stays_within_what_is_said(seed in 0_u64..1_000_000) {
            let mut rng = rng(seed, "layer");
            let mut matrix = |rows: usize, cols: usize| {
                Matrix::new(rows, cols, (0..rows * cols).map(|_| rng.random_range(-2.0_f32..2.0)).collect())
            };
            let (inner, outer) = (matrix(ROWS, WIDTH), matrix(WIDTH, COLS));
            let mut numbers = |n: usize, lo: f64, hi: f64| -> Vec<f64> { (0..n).map(|_| rng.random_range(lo..hi)).collect() };
            let (x, bias) = (numbers(ROWS, -1.0, 1.0), numbers(WIDTH, -1.0, 1.0));
            let (read, own) = (numbers(ROWS, 0.0, 0.3), numbers(WIDTH, 0.0, 0.1));
            let mut center: Vec<f64> = under(&inner, &x, |w| w).iter().zip(&bias).map(|(z, b)| z + b).collect();
            let mut radius: Vec<f64> = under(&inner, &read, f64::abs).iter().zip(&own).map(|(r, own)| r + own).collect();
            let on: Vec<bool> = center.iter().zip(&radius).map(|(c, r)| c - r >= 0.0).collect();
            for i in (0..WIDTH).filter(|&i| !on[i]) {
                let hi = (center[i] + radius[i]).max(0.0);
                (center[i], radius[i]) = (hi / 2.0, hi / 2.0);
            }
            let behind = Behind::new(read.clone(), own.clone()).activated(on, &radius);
            let by_ranges = under(&outer, &radius, f64::abs);
            let mut said = vec![f64::INFINITY; COLS];
            behind.narrow(&mut said, (&inner, &outer), 1e9);
            let nominal = under(&outer, &center, |w| w);
            for _ in 0..50 {
                let mut around = |radii: &[f64]| -> Vec<f64> { radii.iter().zip(numbers(radii.len(), -1.0, 1.0)).map(|(r, e)| r * e.signum()).collect() };
                let (e, d) = (around(&read), around(&own));
                let moved: Vec<f64> = x.iter().zip(&e).map(|(x, e)| x + e).collect();
                let sums = under(&inner, &moved, |w| w);
                let hidden: Vec<f64> = (0..WIDTH).map(|i| (sums[i] + bias[i] + d[i]).max(0.0)).collect();
                for (o, written) in under(&outer, &hidden, |w| w).into_iter().enumerate() {
                    let off = (written - nominal[o]).abs();
                    prop_assert!(off <= said[o] + 1e-12, "{off} > {}", said[o]);
                    prop_assert!(said[o] <= by_ranges[o] + 1e-7, "{} beyond ranges alone, {}", said[o], by_ranges[o]);
                }
            }
        }
    }

    #[test]
    fn what_two_steep_ramps_have_in_common_cancels() {
        let (inner, outer) = (Matrix::new(1, 2, vec![100.0, 100.0]), Matrix::new(2, 1, vec![1.0, -1.0]));
        let behind = Behind::new(vec![1e-3], vec![0.0; 2]).activated(vec![true; 2], &[0.1; 2]);
        let mut radius = [0.2];
        assert!(behind.narrow(&mut radius, (&inner, &outer), 100.0) <= 100.0);
        assert!(radius[0] < 1e-12, "{radius:?}");
        // Without work to spend nothing is gained.
        let mut radius = [0.2];
        assert_eq!((behind.narrow(&mut radius, (&inner, &outer), 1.0), radius), (0.0, [0.2]));
    }
}
