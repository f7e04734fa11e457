//! Recovered fractions, bootstrap intervals, p-values.

use rand::Rng as _;
use samples::{Decode, Rng};

/// The losses of one sequence, each a mean over its counted outputs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Losses {
    /// Of the scrubbed outputs against the network's own.
    pub(crate) scrubbed: f64,
    /// Of another input's outputs against the network's own.
    pub(crate) shuffled: f64,
    /// The share of outputs that scrubbing left as they were, after decoding.
    pub(crate) matches: f64,
}

/// `1 - L(scrubbed) / L(shuffled)`, unclipped: 1 where scrubbing changes nothing, 0 where it does as much harm as
/// pairing every input with another one's outputs. `None` where the outputs hardly differ between inputs, so that there
/// is nothing to recover.
pub(crate) fn recovered(losses: &[Losses]) -> Option<f64> {
    let shuffled: f64 = losses.iter().map(|l| l.shuffled).sum();
    let scrubbed: f64 = losses.iter().map(|l| l.scrubbed).sum();
    (shuffled > 1e-9 * losses.len() as f64).then(|| 1.0 - scrubbed / shuffled)
}

/// The central 95 % of the recovered fraction over `n` bootstrap resamples of the sequences.
pub(crate) fn interval(losses: &[Losses], n: usize, rng: &mut Rng) -> Option<(f64, f64)> {
    let mut values: Vec<f64> = (0..n)
        .filter_map(|_| {
            let drawn: Vec<Losses> = losses.iter().map(|_| losses[rng.random_range(0..losses.len())]).collect();
            recovered(&drawn)
        })
        .collect();
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values.get(((values.len() as f64 - 1.0).max(0.0) * share).round() as usize).copied();
    at(0.025).zip(at(0.975))
}

/// The chance that a control does at least as well, counted with the observation itself (Davison and Hinkley 1997):
/// never 0, whatever the number of controls.
pub(crate) fn p_value(observed: f64, controls: &[f64]) -> f64 {
    let as_good = controls.iter().filter(|&&value| value >= observed).count();
    (as_good + 1) as f64 / (controls.len() + 1) as f64
}

/// What the loss of an output is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// The squared difference of the raw outputs: for numbers.
    Squared,
    /// 1 where the decoded output differs, else 0: for categories.
    Changed,
}

impl Loss {
    /// The loss that goes with a decoding.
    pub fn of(decode: &Decode) -> Self {
        match decode {
            Decode::Round | Decode::Number => Self::Squared,
            Decode::Argmax(_) | Decode::NextToken | Decode::LegalTokens => Self::Changed,
        }
    }

    /// The loss of raw outputs `got` where the network's own are `own`.
    pub(crate) fn between(self, decode: &Decode, own: &[f32], got: &[f32]) -> f64 {
        match self {
            Self::Squared => {
                own.iter().zip(got).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum::<f64>()
                    / own.len() as f64
            }
            Self::Changed => f64::from(u8::from(!same_output(decode, own, got))),
        }
    }
}

/// Whether raw outputs decode to the same value.
pub(crate) fn same_output(decode: &Decode, own: &[f32], got: &[f32]) -> bool {
    match decode {
        Decode::Round => own.iter().zip(got).all(|(a, b)| a.round() == b.round()),
        Decode::Number => own.iter().zip(got).all(|(a, b)| (a - b).abs() <= 1e-2),
        Decode::Argmax(_) => top(own) == top(got) && counts(decode, got),
        Decode::NextToken => top(own) == top(got),
        Decode::LegalTokens => own.iter().zip(got).all(|(&a, &b)| (a > 0.0) == (b > 0.0)),
    }
}

/// Whether an output counts: all finite, and the two largest of a category at least 1e-3 apart.
pub(crate) fn counts(decode: &Decode, raw: &[f32]) -> bool {
    if raw.iter().any(|v| !v.is_finite()) {
        return false;
    }
    let Decode::Argmax(_) = decode else { return true };
    let best = top(raw);
    raw.iter().enumerate().all(|(i, &v)| i == best || raw[best] - v >= 1e-3)
}

/// The index of the largest number, the first of equals.
fn top(raw: &[f32]) -> usize {
    (1..raw.len()).fold(0, |best, i| if raw[i] > raw[best] { i } else { best })
}

/// Losses per sequence: `own`, `scrubbed` and `shuffled` give the raw outputs at (sequence, position).
pub(crate) fn losses<'a>(
    decode: &Decode,
    n_sequences: usize,
    length: usize,
    own: impl Fn(usize, usize) -> &'a [f32],
    scrubbed: impl Fn(usize, usize) -> &'a [f32],
    partner: &[usize],
) -> Vec<Losses> {
    let loss = Loss::of(decode);
    let of_sequence = |row: usize| {
        let mut sum = Losses::default();
        let mut counted = 0.0;
        for at in (0..length).filter(|&at| counts(decode, own(row, at))) {
            counted += 1.0;
            sum.scrubbed += loss.between(decode, own(row, at), scrubbed(row, at));
            sum.shuffled += loss.between(decode, own(row, at), own(partner[row], at));
            sum.matches += f64::from(u8::from(same_output(decode, own(row, at), scrubbed(row, at))));
        }
        (counted > 0.0).then(|| Losses {
            scrubbed: sum.scrubbed / counted,
            shuffled: sum.shuffled / counted,
            matches: sum.matches / counted,
        })
    };
    (0..n_sequences).filter_map(of_sequence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recovered_fraction_is_not_clipped() {
        let loss = |scrubbed| Losses { scrubbed, shuffled: 2.0, matches: 0.0 };
        assert_eq!(recovered(&[loss(0.0), loss(0.0)]), Some(1.0));
        assert_eq!(recovered(&[loss(2.0), loss(2.0)]), Some(0.0));
        assert_eq!(recovered(&[loss(3.0), loss(3.0)]), Some(-0.5));
        assert_eq!(recovered(&[Losses::default()]), None);
    }

    #[test]
    fn intervals_hold_the_estimate_and_shrink() {
        let some = |n: usize| -> Vec<Losses> {
            (0..n).map(|i| Losses { scrubbed: f64::from(u8::from(i % 4 == 0)), shuffled: 1.0, matches: 0.0 }).collect()
        };
        let width = |n: usize| {
            let (low, high) = interval(&some(n), 500, &mut samples::rng(1, "test")).expect("losses differ");
            assert!(low <= 0.75 && 0.75 <= high);
            high - low
        };
        assert!(width(1000) < width(50));
    }

    #[test]
    fn p_values_count_the_observation() {
        assert_eq!(p_value(1.0, &[0.1, 0.2, 0.3]), 0.25);
        assert_eq!(p_value(0.2, &[0.1, 0.2, 0.3]), 0.75);
    }
}
