//! Recovered fractions, bootstrap intervals, p-values.

use graph::Matrix;
use rand::Rng as _;
use samples::{Decode, Rng};

use crate::Error;
use crate::pool::Pool;

/// The losses of one sequence, each a mean over its counted outputs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Losses {
    /// Of the scrubbed outputs against the network's own.
    pub(crate) scrubbed: f64,
    /// Of another input's outputs against the network's own.
    pub(crate) shuffled: f64,
    /// Outputs that scrubbing left as they were, after decoding.
    pub(crate) matched: usize,
    /// Outputs counted.
    pub(crate) outputs: usize,
}

/// What replacing values did to a network's outputs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Effect {
    /// `1 - L(scrubbed) / L(shuffled)`, unclipped: 1 where nothing changes, 0 where as much harm is done as by pairing
    /// every input with another one's outputs.
    pub recovered: f64,
    /// Its central 95 % over bootstrap resamples of the sequences.
    pub interval: (f64, f64),
    /// Sequences with a counted output.
    pub sequences: usize,
    /// Counted outputs.
    pub outputs: usize,
    /// The share of outputs left as they were, after decoding.
    pub matches: f64,
    /// The share of sequences with all outputs left as they were.
    pub sequence_matches: f64,
    /// The loss that 95 % of the sequences stay below, relative to the mean shuffled loss.
    pub tail: f64,
    /// The loss of the worst sequence, relative to the mean shuffled loss.
    pub worst: f64,
}

impl Effect {
    /// No output was compared.
    pub const NONE: Self = Self {
        recovered: 0.0,
        interval: (0.0, 0.0),
        sequences: 0,
        outputs: 0,
        matches: 0.0,
        sequence_matches: 0.0,
        tail: 0.0,
        worst: 0.0,
    };

    /// Puts together the losses of all sequences.
    ///
    /// # Errors
    /// [`Error::Vacuous`] where there are none, [`Error::Constant`] where the outputs hardly differ between inputs.
    pub(crate) fn of(losses: &[Losses], bootstrap: usize, rng: &mut Rng) -> Result<Self, Error> {
        if losses.is_empty() {
            return Err(Error::Vacuous);
        }
        let value = recovered(losses).ok_or(Error::Constant)?;
        let interval =
            if bootstrap == 0 { (value, value) } else { interval(losses, bootstrap, rng).ok_or(Error::Constant)? };
        let n = losses.len() as f64;
        let shuffled = losses.iter().map(|l| l.shuffled).sum::<f64>() / n;
        let mut sorted: Vec<f64> = losses.iter().map(|l| l.scrubbed).collect();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| sorted[((n - 1.0) * share).ceil() as usize] / shuffled;
        let outputs: usize = losses.iter().map(|l| l.outputs).sum();
        Ok(Self {
            recovered: value,
            interval,
            sequences: losses.len(),
            outputs,
            matches: losses.iter().map(|l| l.matched).sum::<usize>() as f64 / outputs.max(1) as f64,
            sequence_matches: losses.iter().filter(|l| l.matched == l.outputs).count() as f64 / n,
            tail: at(0.95),
            worst: at(1.0),
        })
    }
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
    /// The divergence of the output's distribution from the network's own (Kullback and Leibler), for next tokens; the
    /// sum of those of its bits, for sets of tokens.
    Divergence,
}

impl Loss {
    /// The loss that goes with a decoding.
    pub fn of(decode: &Decode) -> Self {
        match decode {
            Decode::Round | Decode::Number => Self::Squared,
            Decode::Argmax(_) => Self::Changed,
            Decode::NextToken | Decode::LegalTokens => Self::Divergence,
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
            Self::Divergence if matches!(decode, Decode::LegalTokens) => {
                own.iter().zip(got).map(|(&a, &b)| bit_divergence(f64::from(a), f64::from(b))).sum()
            }
            Self::Divergence => divergence(own, got),
        }
    }
}

/// The divergence of two distributions given by logits.
fn divergence(own: &[f32], got: &[f32]) -> f64 {
    let normaliser = |logits: &[f32]| {
        let most = logits.iter().fold(f64::NEG_INFINITY, |most, &v| most.max(f64::from(v)));
        most + logits.iter().map(|&v| (f64::from(v) - most).exp()).sum::<f64>().ln()
    };
    let (of_own, of_got) = (normaliser(own), normaliser(got));
    let part = |(&a, &b): (&f32, &f32)| {
        let (a, b) = (f64::from(a) - of_own, f64::from(b) - of_got);
        a.exp() * (a - b)
    };
    own.iter().zip(got).map(part).sum::<f64>().max(0.0)
}

/// The divergence of two truth values given by the logits of their chances.
fn bit_divergence(own: f64, got: f64) -> f64 {
    // ln(sigmoid(x)), without overflow.
    let ln = |x: f64| -(-x.abs()).exp().ln_1p() + x.min(0.0);
    let chance = 1.0 / (1.0 + (-own).exp());
    (chance * (ln(own) - ln(got)) + (1.0 - chance) * (ln(-own) - ln(-got))).max(0.0)
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

/// Whether an output counts: all finite, and the two largest of a category at least [`Decode::TIE`] apart.
pub(crate) fn counts(decode: &Decode, raw: &[f32]) -> bool {
    if raw.iter().any(|v| !v.is_finite()) {
        return false;
    }
    let Decode::Argmax(_) = decode else { return true };
    let best = top(raw);
    raw.iter().enumerate().all(|(i, &v)| i == best || raw[best] - v >= Decode::TIE as f32)
}

/// The index of the largest number, the first of equals.
fn top(raw: &[f32]) -> usize {
    (1..raw.len()).fold(0, |best, i| if raw[i] > raw[best] { i } else { best })
}

/// Losses per sequence: `own` and `scrubbed` give the raw outputs at (sequence, position), `tested` those that count.
pub(crate) fn losses<'a>(
    decode: &Decode,
    n_sequences: usize,
    length: usize,
    own: impl Fn(usize, usize) -> &'a [f32],
    scrubbed: impl Fn(usize, usize) -> &'a [f32],
    tested: impl Fn(usize, usize) -> bool,
    partner: &[usize],
) -> Vec<Losses> {
    let loss = Loss::of(decode);
    let of_sequence = |row: usize| {
        let mut sum = Losses::default();
        let mut counted = 0.0;
        for at in (0..length).filter(|&at| tested(row, at) && counts(decode, own(row, at))) {
            counted += 1.0;
            sum.scrubbed += loss.between(decode, own(row, at), scrubbed(row, at));
            sum.shuffled += loss.between(decode, own(row, at), own(partner[row], at));
            sum.matched += usize::from(same_output(decode, own(row, at), scrubbed(row, at)));
            sum.outputs += 1;
        }
        (counted > 0.0).then(|| Losses { scrubbed: sum.scrubbed / counted, shuffled: sum.shuffled / counted, ..sum })
    };
    (0..n_sequences).filter_map(of_sequence).collect()
}

/// Losses per sequence of a pool: `partner` names for every cell the one whose output it is paired with.
pub(crate) fn pool_losses(decode: &Decode, pool: &Pool, partner: &[usize], outputs: &Matrix) -> Vec<Losses> {
    let loss = Loss::of(decode);
    let of_sequence = |points: &Vec<usize>| {
        let mut sum = Losses { outputs: points.len(), ..Losses::default() };
        for &point in points {
            let (own, cell) = (pool.own(point), pool.cell(point));
            let got = outputs.row(cell);
            sum.scrubbed += loss.between(decode, own, got);
            sum.shuffled += loss.between(decode, own, pool.own_at(partner[cell]));
            sum.matched += usize::from(same_output(decode, own, got));
        }
        let n = points.len() as f64;
        Losses { scrubbed: sum.scrubbed / n, shuffled: sum.shuffled / n, ..sum }
    };
    pool.counted().iter().filter(|points| !points.is_empty()).map(of_sequence).collect()
}

/// Holm's correction (1979) of some p-values: each is the least level at which the step-down procedure rejects it.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]).then(a.cmp(&b)));
    let mut corrected = vec![1.0; p_values.len()];
    let mut least: f64 = 0.0;
    for (rank, &at) in order.iter().enumerate() {
        least = least.max((p_values[at] * (p_values.len() - rank) as f64).min(1.0));
        corrected[at] = least;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recovered_fraction_is_not_clipped() {
        let loss = |scrubbed| Losses { scrubbed, shuffled: 2.0, ..Losses::default() };
        assert_eq!(recovered(&[loss(0.0), loss(0.0)]), Some(1.0));
        assert_eq!(recovered(&[loss(2.0), loss(2.0)]), Some(0.0));
        assert_eq!(recovered(&[loss(3.0), loss(3.0)]), Some(-0.5));
        assert_eq!(recovered(&[Losses::default()]), None);
    }

    #[test]
    fn intervals_hold_the_estimate_and_shrink() {
        let some = |n: usize| -> Vec<Losses> {
            (0..n)
                .map(|i| Losses { scrubbed: f64::from(u8::from(i % 4 == 0)), shuffled: 1.0, ..Losses::default() })
                .collect()
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

    #[test]
    fn holm_corrects_step_by_step() {
        // By hand: 0.01 * 3, then max(0.03, 0.02 * 2), then max(0.04, 0.5).
        assert_eq!(holm(&[0.02, 0.5, 0.01]), [0.04, 0.5, 0.03]);
        assert_eq!(holm(&[0.4, 0.9]), [0.8, 0.9]);
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn divergences_vanish_where_nothing_changes_and_follow_the_definition() {
        let (own, got) = ([1.0, -2.0, 0.5], [0.0, 0.0, 3.0]);
        let by_hand = |own: &[f32], got: &[f32]| {
            let p = |x: &[f32], i: usize| f64::from(x[i]).exp() / x.iter().map(|&v| f64::from(v).exp()).sum::<f64>();
            (0..own.len()).map(|i| p(own, i) * (p(own, i) / p(got, i)).ln()).sum::<f64>()
        };
        assert!((Loss::Divergence.between(&Decode::NextToken, &own, &got) - by_hand(&own, &got)).abs() < 1e-9);
        let bits: f64 = own.iter().zip(&got).map(|(&a, &b)| by_hand(&[a, 0.0], &[b, 0.0])).sum();
        assert!((Loss::Divergence.between(&Decode::LegalTokens, &own, &got) - bits).abs() < 1e-9);
        for decode in [Decode::NextToken, Decode::LegalTokens] {
            assert_eq!(Loss::Divergence.between(&decode, &own, &own), 0.0);
            assert!(Loss::Divergence.between(&decode, &[90.0, -90.0], &[-90.0, 90.0]).is_finite());
        }
    }

    #[test]
    fn tails_show_what_the_mean_hides() {
        let mut losses = vec![Losses { scrubbed: 0.0, shuffled: 1.0, matched: 2, outputs: 2 }; 99];
        losses.push(Losses { scrubbed: 3.0, shuffled: 1.0, matched: 1, outputs: 2 });
        let effect = Effect::of(&losses, 100, &mut samples::rng(0, "test")).expect("losses differ");
        assert!((effect.recovered - 0.97).abs() < 1e-12);
        assert_eq!((effect.tail, effect.worst), (0.0, 3.0));
        assert_eq!((effect.matches, effect.sequence_matches), (199.0 / 200.0, 0.99));
    }
}
