//! What hypotheses without content reach, and how far the observed one is beyond that.

use std::sync::atomic::{AtomicBool, Ordering};

use graph::Matrix;
use rand::seq::SliceRandom as _;
use rayon::prelude::*;
use samples::{Decode, Rng, rng};

use crate::engine::{EdgeHypothesis, Scrubber, Treatment, Variant};
use crate::statistics::{holm, p_value, pool_losses, recovered};
use crate::{Classes, Error};

/// The level at which a family of controls counts as beaten, after correction for all families.
const LEVEL: f64 = 0.05;

/// What a family of controls reached.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Controls {
    /// How many were run.
    pub draws: usize,
    /// What they reach on average: the recovered fraction, or where more is asked the least of what was measured.
    pub null_mean: f64,
    /// The greatest.
    pub null_best: f64,
    /// How many reach at least as much as the observation.
    pub as_good: usize,
    /// The chance that a control reaches at least as much, the observation counted among them.
    pub p_value: f64,
    /// The p-value after Holm's correction for all families of controls of the same hypothesis.
    pub corrected: f64,
    /// Draws that were left out: they say as much as the hypothesis or more, so that they are no controls.
    pub dropped: usize,
    /// Whether these are all alternatives of their kind, and not a sample of them.
    pub exhaustive: bool,
    /// Whether time was up before all were run.
    pub late: bool,
}

impl Controls {
    /// Compares an observed value with those of controls.
    pub fn of(observed: f64, nulls: &[f64]) -> Self {
        let p_value = p_value(observed, nulls);
        Self {
            draws: nulls.len(),
            null_mean: nulls.iter().sum::<f64>() / nulls.len().max(1) as f64,
            null_best: nulls.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            as_good: nulls.iter().filter(|&&value| value >= observed).count(),
            p_value,
            corrected: p_value,
            dropped: 0,
            exhaustive: false,
            late: false,
        }
    }

    /// Whether the observation is beyond them: a sample is beaten at the 5 % level, after correction for all families. Of
    /// all alternatives that there are, every one has to be worse: where there are few, no level can be reached, and
    /// nothing has to be inferred. Where there is none, nothing can be permuted.
    pub fn beaten(&self) -> bool {
        match self.exhaustive {
            true => self.as_good == 0 && !self.late,
            false => self.draws > 0 && self.corrected <= LEVEL,
        }
    }

    /// These, with what was left out.
    pub(crate) fn without(self, dropped: usize) -> Self {
        Self { dropped, ..self }
    }
}

/// All families of controls of one hypothesis.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Families {
    /// The same hypothesis with the variables' values permuted over the inputs: classes of the same sizes, without meaning.
    pub columns: Controls,
    /// As many edges at random, where the hypothesis names a circuit.
    pub circuits: Option<Controls>,
    /// The same variables at other sites, where there are several.
    pub alignments: Option<Controls>,
    /// Random terms of the same sort and cost in the place of the variables, where there are any.
    pub programs: Option<Controls>,
}

impl Families {
    /// Puts families together; their p-values are corrected for all of them that are samples.
    pub fn new(
        columns: Controls,
        circuits: Option<Controls>,
        alignments: Option<Controls>,
        programs: Option<Controls>,
    ) -> Self {
        let mut families = Self { columns, circuits, alignments, programs };
        let sampled: Vec<f64> = families.all().filter(|f| !f.exhaustive).map(|family| family.p_value).collect();
        let mut corrected = holm(&sampled).into_iter();
        let all = [Some(&mut families.columns), families.circuits.as_mut(), families.alignments.as_mut()];
        for family in all.into_iter().chain([families.programs.as_mut()]).flatten().filter(|f| !f.exhaustive) {
            family.corrected = corrected.next().unwrap_or(1.0);
        }
        families
    }

    /// Those that were run.
    pub fn all(&self) -> impl Iterator<Item = &Controls> {
        [Some(&self.columns), self.circuits.as_ref(), self.alignments.as_ref(), self.programs.as_ref()]
            .into_iter()
            .flatten()
    }

    /// Whether the observation is beyond every family.
    pub fn beaten(&self) -> bool {
        self.all().all(Controls::beaten)
    }

    /// Whether time was up before all were run.
    pub fn late(&self) -> bool {
        self.all().any(|family| family.late)
    }
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
    /// What all controls reach that are run, in their order, held against the observation.
    pub(crate) fn run(
        &self,
        observed: f64,
        control: impl Fn(usize) -> Result<Option<f64>, Error> + Sync,
    ) -> Result<Controls, Error> {
        let ended = AtomicBool::new(false);
        let timely = |draw: usize| match (self.late)() {
            true => {
                ended.store(true, Ordering::Relaxed);
                Ok(None)
            }
            false => control(draw),
        };
        let nulls: Vec<Option<f64>> = (0..self.n).into_par_iter().map(timely).collect::<Result<_, _>>()?;
        let nulls: Vec<f64> = nulls.into_iter().flatten().collect();
        Ok(Controls { late: ended.into_inner(), ..Controls::of(observed, &nulls) })
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
    draws.run(observed, control)
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
    draws.run(observed, control)
}

impl Classes {
    /// The classes with every cell in that of another one.
    fn permuted(&self, permutation: &[usize]) -> Self {
        Self::of(permutation.len(), |cell| self.class_of(permutation[cell]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(observed: f64, n: usize) -> Controls {
        Controls::of(observed, &vec![0.0; n])
    }

    #[test]
    fn samples_are_corrected_for_each_other_and_enumerations_are_not() {
        let all = Controls { exhaustive: true, ..sample(1.0, 3) };
        let families = Families::new(sample(1.0, 39), Some(sample(1.0, 39)), Some(all), None);
        assert_eq!((families.columns.corrected, families.alignments.map(|f| f.corrected)), (0.05, Some(0.25)));
        assert!(families.beaten());
        let three = Families::new(sample(1.0, 39), Some(sample(1.0, 39)), None, Some(sample(1.0, 39)));
        assert!(!three.beaten(), "{three:?}");
        assert!(Families::new(sample(1.0, 39), Some(sample(1.0, 39)), None, Some(sample(1.0, 99))).beaten());
    }

    #[test]
    fn one_alternative_of_all_that_is_as_good_is_enough() {
        let all = |observed: f64| Controls { exhaustive: true, ..Controls::of(observed, &[0.3, 0.9]) };
        assert!(all(0.95).beaten() && !all(0.9).beaten());
        assert!(!Controls { late: true, ..all(0.95) }.beaten(), "not all were run");
        assert!(!sample(1.0, 0).beaten(), "nothing was run");
    }

    #[test]
    fn what_ends_early_says_so() {
        let draws = Draws { n: 5, seed: 0, late: &|| true };
        let found = draws.run(1.0, |_| Ok(Some(0.0))).expect("nothing fails");
        assert!(found.late && found.draws == 0 && found.p_value == 1.0);
        assert!(!Draws { late: &|| false, ..draws }.run(1.0, |_| Ok(Some(0.0))).expect("nothing fails").late);
    }
}
