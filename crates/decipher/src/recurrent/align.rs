//! Where a program's variables live: which of them the hidden state determines, and how.
//!
//! The test of alignment is "equal hidden states go with equal values": a nearest neighbour among half of the sequences
//! predicts the value in the other half. An affine read-out is the stronger claim. Hidden states are whitened first, so
//! that the basis does not matter.

use dsl::{Env, Language, Node, Scan, Term};
use nalgebra::{DMatrix, DVector, SymmetricEigen};
use samples::{Column, Domain, Symbol, UNDEFINED};

use super::oracle::Recording;
use crate::{Aligned, Error};

/// Points on either side of the split.
pub(crate) const POINTS: usize = 1200;
/// Points to learn from where so many do not suffice: where a value lies in many small regions, neighbours must be near.
const MORE_POINTS: usize = 16 * POINTS;
/// The share of points at which the nearest of few neighbours must be right for no more to be asked.
const DETERMINED: f64 = 0.995;
/// Directions whose variance is below this share of the largest are dropped: they hold rounding noise.
const NEGLIGIBLE: f64 = 1e-9;
/// Hidden values beyond this count as this.
const LARGEST: f32 = 1e15;
/// The share of points at which an affine read-out, rounded, has to be right to be claimed.
const AFFINE: f64 = 0.999;
/// The node that holds the hidden state, at every step.
const SITE: &str = "h[t]";

/// The alignment of every state of a program's scan, or of the output of a program without state.
///
/// # Errors
/// Where the program cannot be evaluated.
pub(crate) fn align(
    recording: &Recording,
    program: &Term,
    language: &Language,
    domain: &Domain,
) -> Result<Vec<Aligned>, Error> {
    aligned(recording, variables(program), language, domain)
}

/// The terms for the states of a program's scan; the output of a program without state.
pub(crate) fn variables(program: &Term) -> Vec<Term> {
    let Node::Scan(scan) = program.node() else { return vec![program.clone()] };
    let variable = |name: Symbol| {
        let outputs = vec![Term::var(super::build::primed(name))];
        Term::new(Node::Scan(Scan { states: scan.states.clone(), outputs }))
    };
    scan.states.iter().map(|state| variable(state.0)).collect()
}

/// How the hidden state gives some terms.
///
/// # Errors
/// Where a term cannot be evaluated.
pub(crate) fn aligned(
    recording: &Recording,
    subterms: Vec<Term>,
    language: &Language,
    domain: &Domain,
) -> Result<Vec<Aligned>, Error> {
    let batch = recording.batch();
    let (points, vars) = (batch.points(), domain.columns(&batch));
    let env = Env { language, points: &points, vars: &vars, causal: true };
    let sites = Sites::of(recording, POINTS);
    let more = std::cell::OnceCell::new();
    subterms
        .into_iter()
        .map(|subterm| {
            let column = dsl::eval(&subterm, &env).map_err(|e| Error::Term(e.to_string()))?;
            let (readout, mut fit) = sites.read(&column);
            if fit < DETERMINED && recording.n_points() > 4 * POINTS {
                fit = fit.max(more.get_or_init(|| Sites::of(recording, MORE_POINTS)).nearest(&column));
            }
            Ok(Aligned { subterm, site: SITE.to_owned(), readout, fit })
        })
        .collect()
}

/// Whitened hidden states at two disjoint sets of points.
struct Sites {
    learn: Vec<usize>,
    test: Vec<usize>,
    /// Per point of `learn`, then of `test`.
    states: Vec<Vec<f64>>,
}

impl Sites {
    /// At most about so many points to learn from.
    fn of(recording: &Recording, most: usize) -> Self {
        let half = |parity: usize, most: usize| -> Vec<usize> {
            let rows = (0..recording.n).filter(|row| row % 2 == parity);
            let all: Vec<usize> = rows.flat_map(|row| row * recording.length..(row + 1) * recording.length).collect();
            // A stride that has no factor in common with the length visits every position.
            let common = |mut a: usize, mut b: usize| {
                while b > 0 {
                    (a, b) = (b, a % b);
                }
                a
            };
            let least = (all.len() / most).max(1);
            let stride = (least..).find(|&stride| common(stride, recording.length) == 1).unwrap_or(least);
            all.into_iter().step_by(stride).collect()
        };
        let (learn, test) = (half(0, most), half(1, POINTS));
        let states = whiten(learn.iter().chain(&test).map(|&point| recording.state(point)).collect());
        Self { learn, test, states }
    }

    /// The strongest read-out that holds, and the share of test points on which it is right.
    fn read(&self, column: &Column) -> (&'static str, f64) {
        let affine = self.affine(column);
        if affine >= AFFINE { ("affine", affine) } else { ("partition", self.nearest(column)) }
    }

    fn affine(&self, column: &Column) -> f64 {
        let Some(width) = self.states.first().map(|s| s.len() + 1) else { return 0.0 };
        let (mut gram, mut moment) = (DMatrix::<f64>::zeros(width, width), DVector::<f64>::zeros(width));
        let row = |state: &[f64]| DVector::from_iterator(width, state.iter().copied().chain([1.0]));
        for (state, &point) in self.states.iter().zip(&self.learn) {
            if column.codes[point] != UNDEFINED {
                let row = row(state);
                gram += &row * row.transpose();
                moment += &row * column.value(point).as_f64().unwrap_or(0.0);
            }
        }
        let Ok(weights) = gram.svd(true, true).solve(&moment, 1e-9) else { return 0.0 };
        let right = |(state, &point): (&Vec<f64>, &usize)| {
            let value = column.value(point).as_f64();
            value.is_some_and(|value| (weights.dot(&row(state)) - value).abs() < 0.5)
        };
        self.share(right)
    }

    fn nearest(&self, column: &Column) -> f64 {
        let learn = &self.states[..self.learn.len()];
        let right = |(state, &point): (&Vec<f64>, &usize)| {
            let distance = |other: &[f64]| -> f64 { state.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum() };
            let nearest = (0..learn.len()).min_by(|&a, &b| distance(&learn[a]).total_cmp(&distance(&learn[b])));
            nearest.is_some_and(|i| column.codes[self.learn[i]] == column.codes[point])
        };
        self.share(right)
    }

    fn share(&self, right: impl Fn((&Vec<f64>, &usize)) -> bool) -> f64 {
        let test = self.states[self.learn.len()..].iter().zip(&self.test);
        test.filter(|&pair| right(pair)).count() as f64 / self.test.len().max(1) as f64
    }
}

/// Rows turned and scaled to unit covariance, negligible directions dropped.
fn whiten(rows: Vec<&[f32]>) -> Vec<Vec<f64>> {
    let Some(width) = rows.first().map(|row| row.len()) else { return Vec::new() };
    // What left the range of numbers tells nothing apart, and would spoil the covariance.
    let value = |v: f32| if v.is_finite() { f64::from(v.clamp(-LARGEST, LARGEST)) } else { 0.0 };
    let n = rows.len() as f64;
    let mean: Vec<f64> = (0..width).map(|i| rows.iter().map(|row| value(row[i])).sum::<f64>() / n).collect();
    let centred: Vec<Vec<f64>> =
        rows.iter().map(|row| row.iter().zip(&mean).map(|(&v, m)| value(v) - m).collect()).collect();
    let mut covariance = DMatrix::<f64>::zeros(width, width);
    for row in &centred {
        let row = DVector::from_column_slice(row);
        covariance += &row * row.transpose() / n;
    }
    let eigen = SymmetricEigen::new(covariance);
    let largest = eigen.eigenvalues.max();
    let kept: Vec<usize> =
        (0..width).filter(|&i| largest > 0.0 && eigen.eigenvalues[i] > largest * NEGLIGIBLE).collect();
    let project = |row: &Vec<f64>, i: usize| {
        let direction = eigen.eigenvectors.column(i);
        row.iter().zip(direction.iter()).map(|(a, b)| a * b).sum::<f64>() / eigen.eigenvalues[i].sqrt()
    };
    centred.iter().map(|row| kept.iter().map(|&i| project(row, i)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whitening_forgets_the_basis() {
        let rows: [[f32; 2]; 4] = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]];
        let turned: Vec<[f32; 2]> = rows.iter().map(|[a, b]| [3.0 * a + b, a + b]).collect();
        let distances = |rows: Vec<&[f32]>| {
            let white = whiten(rows);
            let square = |a: &Vec<f64>, b: &Vec<f64>| -> f64 { a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum() };
            (square(&white[0], &white[1]), square(&white[0], &white[3]))
        };
        let plain = distances(rows.iter().map(|r| r.as_slice()).collect());
        let other = distances(turned.iter().map(|r| r.as_slice()).collect());
        assert!((plain.0 - other.0).abs() < 1e-6 && (plain.1 - other.1).abs() < 1e-6);
    }
}
