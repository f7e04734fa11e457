//! What the last output does not depend on: tests of the network as an oracle, which steer the other strategies.
//!
//! Each test runs pairs of sequences that differ in one way only and compares the last rounded outputs. Networks err now
//! and then, so that a share of [`HOLDS`] counts as true.

use rand::Rng as _;
use rand::seq::SliceRandom as _;
use samples::{Batch, Domain, Rng, rng};

use super::oracle::{Oracle, Recording};
use crate::{Error, n_sequences};

/// The share of pairs that must agree.
const HOLDS: f64 = 0.998;
/// Pairs per test.
const PAIRS: usize = 600;
/// The longest window that is looked for.
pub(crate) const MAX_WINDOW: usize = 8;

/// Invariances of the last output.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Invariances {
    /// The least number of last elements that decide the output, if it is at most [`MAX_WINDOW`].
    pub window: Option<usize>,
    /// Whether the order of the elements before the last is of no importance.
    pub commutative: bool,
    /// Whether the output is the same for the reversed sequence.
    pub reversible: bool,
}

impl Invariances {
    /// Tests an oracle on sequences of the domain's greatest length, half of them with structure if asked for.
    ///
    /// # Errors
    /// Where the network cannot be run.
    pub(crate) fn of(oracle: &dyn Oracle, domain: &Domain, structured: bool, seed: u64) -> Result<Self, Error> {
        let mut rng = rng(seed, "recurrent invariances");
        let length = domain.length.1;
        let n = n_sequences(PAIRS, length);
        let base = super::draw(domain, structured, n, &mut rng);
        let donors = super::draw(domain, structured, n, &mut rng);
        let dim = oracle.dim();
        let last = |batch: &Batch| -> Result<Last, Error> { Last::of(oracle, batch) };
        let reference = last(&base)?;
        let agrees = |other: &Batch| -> Result<bool, Error> { Ok(reference.agreement(&last(other)?) >= HOLDS) };

        let mut window = None;
        for k in 0..=MAX_WINDOW.min(length.saturating_sub(1)) {
            let cut = (length - k) * dim;
            if agrees(&rows((n, dim), |row| [&donors.sequence(row)[..cut], &base.sequence(row)[cut..]].concat()))? {
                window = Some(k);
                break;
            }
        }
        let commutative = agrees(&rows((n, dim), |row| permuted_prefix(base.sequence(row), dim, &mut rng)))?;
        let reversible = agrees(&rows((n, dim), |row| reversed(base.sequence(row), dim)))?;
        Ok(Self { window, commutative, reversible })
    }
}

fn rows((n, dim): (usize, usize), mut sequence: impl FnMut(usize) -> Vec<i64>) -> Batch {
    Batch::from_sequences(dim, (0..n).map(&mut sequence))
}

/// All but the last element in another order; half of the time only two neighbours change places, which shows what a
/// full shuffle averages away.
fn permuted_prefix(sequence: &[i64], dim: usize, rng: &mut Rng) -> Vec<i64> {
    let mut elements: Vec<Vec<i64>> = sequence.chunks(dim).map(<[i64]>::to_vec).collect();
    let n = elements.len();
    if n > 2 {
        if rng.random_bool(0.5) {
            elements[..n - 1].shuffle(rng);
        } else {
            let at = rng.random_range(0..n - 2);
            elements.swap(at, at + 1);
        }
    }
    elements.concat()
}

fn reversed(sequence: &[i64], dim: usize) -> Vec<i64> {
    sequence.chunks(dim).rev().flatten().copied().collect()
}

/// The last outputs of sequences.
struct Last {
    outputs: Vec<(i64, bool)>,
}

impl Last {
    fn of(oracle: &dyn Oracle, batch: &Batch) -> Result<Self, Error> {
        let recording = Recording::of(oracle, batch)?;
        let (length, width) = (recording.length, recording.n_outputs);
        let outputs = (0..recording.n)
            .flat_map(|row| {
                let at = (row * length + length - 1) * width;
                (at..at + width).map(|i| (recording.outputs[i], recording.clear[i])).collect::<Vec<_>>()
            })
            .collect();
        Ok(Self { outputs })
    }

    /// The share of equal outputs among those that are clear on both sides.
    fn agreement(&self, other: &Self) -> f64 {
        let clear = self.outputs.iter().zip(&other.outputs).filter(|(a, b)| a.1 && b.1);
        let (mut n, mut equal) = (0_usize, 0_usize);
        for (a, b) in clear {
            n += 1;
            equal += usize::from(a.0 == b.0);
        }
        if n == 0 { 0.0 } else { equal as f64 / n as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::oracle::fake::Fake;
    use super::super::test_domain;
    use super::*;

    #[track_caller]
    fn check(window: Option<usize>, commutative: bool, reversible: bool, oracle: &dyn Oracle) {
        let found = Invariances::of(oracle, &test_domain(1, 0, 3, 8), true, 1).expect("runs");
        assert_eq!(found, Invariances { window, commutative, reversible });
    }

    #[test]
    fn a_window_is_as_long_as_what_it_needs() {
        let previous =
            Fake { dim: 1, initial: vec![0], n_outputs: 1, step: |s: &[i64], x: &[i64]| (vec![x[0]], vec![s[0]]) };
        check(Some(2), false, false, &previous);
    }

    #[test]
    fn a_sum_is_commutative_and_has_no_window() {
        let sum = Fake {
            dim: 1,
            initial: vec![0],
            n_outputs: 1,
            step: |s: &[i64], x: &[i64]| (vec![s[0] + x[0]], vec![s[0] + x[0]]),
        };
        check(None, true, true, &sum);
    }
}
