//! What hypotheses without content reach, and how far the observed one is beyond that.

use graph::Matrix;
use rand::seq::SliceRandom as _;
use rayon::prelude::*;
use samples::{Decode, Rng, rng};

use crate::engine::{EdgeHypothesis, Scrubber, Treatment, Variant};
use crate::statistics::{holm, p_value, pool_losses, recovered};
use crate::{Classes, Error};

/// What a family of controls reached.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Controls {
    /// How many were run.
    pub draws: usize,
    /// The mean recovered fraction.
    pub null_mean: f64,
    /// The greatest.
    pub null_best: f64,
    /// The chance that a control recovers at least as much, the observation counted among them.
    pub p_value: f64,
    /// The p-value after Holm's correction for all families of controls of the same hypothesis.
    pub corrected: f64,
}

impl Controls {
    /// Compares an observed fraction with those of controls.
    pub fn of(observed: f64, nulls: &[f64]) -> Self {
        let p_value = p_value(observed, nulls);
        Self {
            draws: nulls.len(),
            null_mean: nulls.iter().sum::<f64>() / nulls.len().max(1) as f64,
            null_best: nulls.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            p_value,
            corrected: p_value,
        }
    }
}

/// Corrects the p-values of the families that were run.
pub(crate) fn corrected(columns: Controls, circuits: Option<Controls>) -> (Controls, Option<Controls>) {
    let Some(circuits) = circuits else { return (columns, None) };
    let p = holm(&[columns.p_value, circuits.p_value]);
    (Controls { corrected: p[0], ..columns }, Some(Controls { corrected: p[1], ..circuits }))
}

/// How many controls are drawn, from which seed, and what ends them sooner: then there are fewer, which says less.
#[derive(Clone, Copy)]
pub struct Draws<'a> {
    /// Controls.
    pub n: usize,
    /// The seed of everything random.
    pub seed: u64,
    /// True when time is up.
    pub late: &'a (dyn Fn() -> bool + Sync),
}

impl Draws<'_> {
    /// What all controls reach that are run, in their order.
    fn run(&self, control: impl Fn(usize) -> Result<Option<f64>, Error> + Sync) -> Result<Vec<f64>, Error> {
        let timely = |draw: usize| if (self.late)() { Ok(None) } else { control(draw) };
        let nulls: Vec<Option<f64>> = (0..self.n).into_par_iter().map(timely).collect::<Result<_, _>>()?;
        Ok(nulls.into_iter().flatten().collect())
    }
}

/// The same hypothesis with the values of all variables permuted over the cells of each role, by one permutation for
/// all of them: classes of the same sizes that mean nothing.
///
/// # Errors
/// A graph that cannot be run.
pub fn permuted_columns(
    scrubber: &Scrubber<'_>,
    decode: &Decode,
    hypothesis: &EdgeHypothesis,
    variant: Variant,
    observed: f64,
    draws: &Draws<'_>,
) -> Result<Controls, Error> {
    let seed = draws.seed;
    let partner = hypothesis.roles.permute(&mut rng(seed, "scrub shuffle"));
    let control = |draw: usize| -> Result<Option<f64>, Error> {
        let mut rng = rng(seed, &format!("scrub control {draw}"));
        let permutation = hypothesis.roles.permute(&mut rng);
        let classes = hypothesis.classes.iter().map(|classes| classes.permuted(&permutation)).collect();
        let permuted = EdgeHypothesis { classes, ..hypothesis.clone() };
        let outputs = match variant {
            Variant::Treeified => scrubber.treeified(&permuted, usize::MAX, &mut rng)?,
            Variant::SharedNoise => scrubber.shared_noise(&permuted, &mut rng)?,
        };
        Ok(recovered(&pool_losses(decode, scrubber.pool(), &partner, &outputs)))
    };
    Ok(Controls::of(observed, &draws.run(control)?))
}

/// What the circuit of a hypothesis recovers when all its edges are exact and all others cut, beside what random circuits
/// with as many edges do.
///
/// # Errors
/// A graph that cannot be run.
pub fn random_circuits(
    scrubber: &Scrubber<'_>,
    decode: &Decode,
    hypothesis: &EdgeHypothesis,
    draws: &Draws<'_>,
) -> Result<Controls, Error> {
    let seed = draws.seed;
    let edges = scrubber.components().edges();
    let kept: Vec<bool> = edges.iter().map(|&edge| hypothesis.treatment(edge) != Treatment::Cut).collect();
    let partner = hypothesis.roles.permute(&mut rng(seed, "scrub shuffle"));
    let share = |outputs: &Matrix| recovered(&pool_losses(decode, scrubber.pool(), &partner, outputs));
    let run = |kept: &[bool], rng: &mut Rng| -> Result<Option<f64>, Error> {
        let mut circuit = EdgeHypothesis::new(hypothesis.roles.clone());
        circuit.ablation = hypothesis.ablation;
        let cut = edges.iter().zip(kept).filter(|(_, kept)| !**kept);
        circuit.edges = cut.map(|(&edge, _)| (edge, Treatment::Cut)).collect();
        Ok(share(&scrubber.shared_noise(&circuit, rng)?))
    };
    let observed = run(&kept, &mut rng(seed, "scrub circuit"))?.ok_or(Error::Constant)?;
    let control = |draw: usize| {
        let mut rng = rng(seed, &format!("scrub random circuit {draw}"));
        let mut random = kept.clone();
        random.shuffle(&mut rng);
        run(&random, &mut rng)
    };
    Ok(Controls::of(observed, &draws.run(control)?))
}

impl Classes {
    /// The classes with every cell in that of another one.
    fn permuted(&self, permutation: &[usize]) -> Self {
        Self::of(permutation.len(), |cell| self.class_of(permutation[cell]))
    }
}
