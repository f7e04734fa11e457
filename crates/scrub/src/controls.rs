//! What hypotheses without content reach, and how far the observed one is beyond that.

use graph::{Matrix, NodeId};
use rand::seq::SliceRandom as _;
use rayon::prelude::*;
use samples::{Decode, Rng, rng};

use crate::components::Edge;
use crate::engine::{EdgeHypothesis, Scrubber, Treatment, Variant};
use crate::pool::failed;
use crate::statistics::{holm, p_value, pool_losses, recovered};
use crate::{Classes, Error, Pool};

/// The level at which a family of controls counts as beaten, after correction for all families.
const LEVEL: f64 = 0.05;
/// Controls that are run before it is asked whether more are needed: enough for some threads, and a number of its own, so that
/// what is run depends on no machine.
const BLOCK: usize = 8;

/// Two values are the same where they differ by less than this share of the largest one.
const ROUNDING: f32 = 1e-5;
/// Edges of a small circuit, of which it is seen one by one whether they are needed.
const SMALL: usize = 16;

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
    /// The chance that a control reaches at least as much: the observation counted among them where all were run, else as
    /// Besag and Clifford (1991) give it for a sequence that ends with the control that settles the matter.
    pub p_value: f64,
    /// The p-value after Holm's correction for all families of controls of the same hypothesis; families that the time limit
    /// cut count as ones that reach as much.
    pub corrected: f64,
    /// The same where these count as beaten.
    at_best: f64,
    /// Draws that were left out: they say as much as the hypothesis or more, so that they are no controls.
    pub dropped: usize,
    /// What they are of all that there might be.
    pub extent: Extent,
    /// Whether the rest was not run because of those that reach as much: it could change nothing.
    pub settled: bool,
    /// Whether the time limit cut them before all were run, or enough to settle the matter.
    pub late: bool,
}

/// What a family of controls is of all that there might be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// A sample, as large as was asked for: of it a level can be asked.
    Sample,
    /// All different ones that could be drawn, fewer than were asked for.
    Few,
    /// All alternatives of their kind.
    All,
}

/// What a family of controls says of the observation, or all families do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It is beyond them.
    Beaten,
    /// They reach as much.
    Reached,
    /// The time limit cut them before either was known.
    Cut,
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
            at_best: p_value,
            dropped: 0,
            extent: Extent::Sample,
            settled: false,
            late: false,
        }
    }

    /// Whether the observation is beyond them: a sample is beaten at the 5 % level, after correction for all families. Of
    /// all alternatives that there are, every one has to be worse: where there are few, no level can be reached, and
    /// nothing has to be inferred. The same is asked of the few that could be drawn, which say no more than they do. Where
    /// there is none, nothing can be permuted. What the time limit cut is neither beaten nor not, so that no verdict
    /// depends on the speed of a machine; nor is what only the correction for such families decides.
    pub fn standing(&self) -> Standing {
        let beyond = |p_value: f64| self.draws > 0 && p_value <= LEVEL;
        match self.extent {
            _ if self.late => Standing::Cut,
            Extent::Sample if beyond(self.corrected) => Standing::Beaten,
            Extent::Sample if beyond(self.at_best) => Standing::Cut,
            Extent::Few | Extent::All if self.draws > 0 && self.as_good == 0 => Standing::Beaten,
            _ => Standing::Reached,
        }
    }

    /// These, where drawing ended with one that reaches as much: of so many such among so many draws (Besag and Clifford 1991).
    fn stopped(self) -> Self {
        let p_value = self.as_good as f64 / self.draws.max(1) as f64;
        Self { p_value, corrected: p_value, at_best: p_value, settled: true, ..self }
    }

    /// These, where fewer than were asked for could be drawn.
    pub(crate) fn of_few(self, asked: usize) -> Self {
        let is_few = self.extent == Extent::Sample && self.draws < asked && !self.settled && !self.late;
        Self { extent: if is_few { Extent::Few } else { self.extent }, ..self }
    }

    /// These, with what was left out.
    pub fn without(self, dropped: usize) -> Self {
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
    /// Puts families together; their p-values are corrected for all of them that are samples. Of the last two those without
    /// members are absent.
    pub fn new(
        columns: Controls,
        circuits: Option<Controls>,
        alignments: Option<Controls>,
        programs: Option<Controls>,
    ) -> Self {
        let [alignments, programs] = [alignments, programs].map(|found| found.filter(|f| f.draws > 0 || f.late));
        let mut families = Self { columns, circuits, alignments, programs };
        let holm = |of_late: f64| {
            let sampled = families.all().filter(|f| f.extent == Extent::Sample);
            holm(&sampled.map(|f| if f.late { of_late } else { f.p_value }).collect::<Vec<f64>>()).into_iter()
        };
        let mut corrected = holm(1.0).zip(holm(0.0));
        let all = [Some(&mut families.columns), families.circuits.as_mut(), families.alignments.as_mut()];
        for family in
            all.into_iter().chain([families.programs.as_mut()]).flatten().filter(|f| f.extent == Extent::Sample)
        {
            (family.corrected, family.at_best) = corrected.next().unwrap_or((1.0, 1.0));
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
    pub fn standing(&self) -> Standing {
        let any = |standing: Standing| self.all().any(|family| family.standing() == standing);
        match (any(Standing::Reached), any(Standing::Cut)) {
            (true, _) => Standing::Reached,
            (false, true) => Standing::Cut,
            (false, false) => Standing::Beaten,
        }
    }
}

/// How many controls are drawn, from which seed, and what cuts them.
#[derive(Clone, Copy)]
pub struct Draws<'a> {
    /// Controls.
    pub n: usize,
    /// What these are of all that there might be.
    pub extent: Extent,
    /// The seed of everything random.
    pub seed: u64,
    /// True when time is up.
    pub late: &'a (dyn Fn() -> bool + Sync),
}

impl Draws<'_> {
    /// What controls reach, held against the observation in their order until so many reach as much that the rest can change
    /// nothing. `None` leaves a draw out.
    pub(crate) fn run(
        &self,
        observed: f64,
        control: impl Fn(usize) -> Result<Option<f64>, Error> + Sync,
    ) -> Result<Controls, Error> {
        let (mut nulls, mut dropped) = (Vec::with_capacity(self.n), 0);
        let end =
            |nulls: &[f64], dropped: usize| Controls { dropped, extent: self.extent, ..Controls::of(observed, nulls) };
        let timely = |draw: usize| if (self.late)() { Ok(None) } else { control(draw).map(Some) };
        for first in (0..self.n).step_by(BLOCK) {
            let block = (first..self.n.min(first + BLOCK)).into_par_iter().map(timely);
            for drawn in block.collect::<Result<Vec<Option<Option<f64>>>, Error>>()? {
                let Some(drawn) = drawn else { return Ok(Controls { late: true, ..end(&nulls, dropped) }) };
                dropped += usize::from(drawn.is_none());
                nulls.extend(drawn);
                let found = end(&nulls, dropped);
                if drawn.is_some() && found.as_good == self.enough() {
                    return Ok(found.stopped());
                }
            }
        }
        Ok(end(&nulls, dropped))
    }

    /// How many controls that reach as much settle that they are not beaten: one of all that there are or could be drawn, of a sample so many
    /// that their p-value is above the level wherever drawing ends with the last of them.
    fn enough(&self) -> usize {
        if self.extent == Extent::Sample { (LEVEL * self.n as f64) as usize + 1 } else { 1 }
    }
}

/// The same hypothesis with the values of all variables permuted `among` cells that are alike, such as those of one role, by
/// one permutation for all of them: classes of the same sizes that mean nothing.
///
/// # Errors
/// A graph that cannot be run.
pub fn permuted_columns(
    scrubber: &Scrubber<'_>,
    decode: &Decode,
    (hypothesis, among): (&EdgeHypothesis, &Classes),
    variant: Variant,
    observed: f64,
    draws: &Draws<'_>,
) -> Result<Controls, Error> {
    let seed = draws.seed;
    let partner = hypothesis.roles.permute(&mut rng(seed, "scrub shuffle"));
    let control = |draw: usize| -> Result<Option<f64>, Error> {
        let mut rng = rng(seed, &format!("scrub control {draw}"));
        let permutation = among.permute(&mut rng);
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

/// What the circuit of a hypothesis recovers when all its edges are exact and all others cut, beside what other circuits
/// with as many edges do: all of them where there are few, random ones else; `None` where there are none. Edges whose writer
/// has the same value on all inputs that play a role are neither counted nor changed, since cutting them changes nothing; nor
/// are, of a small circuit, edges that can be cut alone without any change: a circuit with another one in their place is no
/// alternative.
///
/// # Errors
/// A graph that cannot be run.
pub fn random_circuits(
    scrubber: &Scrubber<'_>,
    decode: &Decode,
    hypothesis: &EdgeHypothesis,
    draws: &Draws<'_>,
) -> Result<Option<Controls>, Error> {
    let seed = draws.seed;
    let edges = scrubber.components().edges();
    let mut varying = Vec::new();
    for &writer in scrubber.components().writers() {
        if varies(scrubber.pool(), writer, &hypothesis.roles)? {
            varying.push(writer);
        }
    }
    let is_kept = |edge: &Edge| hypothesis.treatment(*edge) != Treatment::Cut;
    let without = |cut: &[Edge], rng: &mut Rng| -> Result<Matrix, Error> {
        let mut circuit = EdgeHypothesis::new(hypothesis.roles.clone());
        circuit.ablation = hypothesis.ablation;
        circuit.edges = cut.iter().map(|&edge| (edge, Treatment::Cut)).collect();
        scrubber.shared_noise(&circuit, rng)
    };
    let (mut tested, mut others): (Vec<Edge>, Vec<Edge>) = edges.iter().partition(|edge| varying.contains(&edge.0));
    if tested.iter().filter(|edge| is_kept(edge)).count() <= SMALL {
        let clean = without(&[], &mut rng(seed, "scrub circuit"))?;
        let most = clean.data.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
        let mut needed = Vec::new();
        for edge in tested.iter().filter(|edge| is_kept(edge)) {
            let outputs = without(&[*edge], &mut rng(seed, "scrub circuit"))?;
            if outputs.data.iter().zip(&clean.data).any(|(a, b)| (a - b).abs() > ROUNDING * most) {
                needed.push(*edge);
            }
        }
        let is_tested = |edge: &Edge| !is_kept(edge) || needed.contains(edge);
        let (left, unneeded) = tested.into_iter().partition(is_tested);
        tested = left;
        others.extend::<Vec<Edge>>(unneeded);
    }
    let kept: Vec<bool> = tested.iter().map(is_kept).collect();
    let all = other_choices(&kept, draws.n);
    if all.as_ref().is_some_and(Vec::is_empty) {
        return Ok(None);
    }
    let partner = hypothesis.roles.permute(&mut rng(seed, "scrub shuffle"));
    let share = |outputs: &Matrix| recovered(&pool_losses(decode, scrubber.pool(), &partner, outputs));
    let run = |kept: &[bool], rng: &mut Rng| -> Result<Option<f64>, Error> {
        let cut = tested.iter().zip(kept).filter(|(_, kept)| !**kept).map(|(edge, _)| edge);
        let cut: Vec<Edge> = cut.chain(others.iter().filter(|edge| !is_kept(edge))).copied().collect();
        Ok(share(&without(&cut, rng)?))
    };
    let observed = run(&kept, &mut rng(seed, "scrub circuit"))?.ok_or(Error::Constant)?;
    let control = |draw: usize| {
        let mut rng = rng(seed, &format!("scrub random circuit {draw}"));
        match &all {
            Some(all) => run(&all[draw], &mut rng),
            None => {
                let mut random = kept.clone();
                while random == kept {
                    random.shuffle(&mut rng);
                }
                run(&random, &mut rng)
            }
        }
    };
    let draws = match &all {
        Some(all) => Draws { n: all.len(), extent: Extent::All, ..*draws },
        None => *draws,
    };
    draws.run(observed, control).map(Some)
}

/// Whether a writer has different values on inputs that play the same role: by more than rounding, beside its largest number.
fn varies(pool: &Pool, writer: NodeId, roles: &Classes) -> Result<bool, Error> {
    let values = Matrix::from_tensor(pool.value(writer)?).map_err(failed)?;
    let most = values.data.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
    let differs = |cell: usize, other: usize| {
        values.row(cell).iter().zip(values.row(other)).any(|(a, b)| (a - b).abs() > ROUNDING * most)
    };
    Ok((0..values.rows).any(|cell| roles.peers(cell).first().is_some_and(|&first| differs(cell, first))))
}

/// All other ways to choose as many of some things; `None` where there are more than `most`.
fn other_choices(chosen: &[bool], most: usize) -> Option<Vec<Vec<bool>>> {
    fn go(places: &mut Vec<bool>, n: usize, left: usize, found: &mut Vec<Vec<bool>>, most: usize) {
        if found.len() > most + 1 {
            return;
        }
        if places.len() == n {
            found.push(places.clone());
            return;
        }
        for is_chosen in [true, false] {
            let left = left.checked_sub(usize::from(is_chosen)).filter(|&left| left < n - places.len());
            if let Some(left) = left {
                places.push(is_chosen);
                go(places, n, left, found, most);
                places.pop();
            }
        }
    }
    let mut found = Vec::new();
    let n_chosen = chosen.iter().filter(|&&is| is).count();
    go(&mut Vec::new(), chosen.len(), n_chosen, &mut found, most);
    found.retain(|other| other != chosen);
    (found.len() <= most).then_some(found)
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
    use crate::independent;

    fn sample(observed: f64, n: usize) -> Controls {
        Controls::of(observed, &vec![0.0; n])
    }

    #[test]
    fn samples_are_corrected_for_each_other_and_enumerations_are_not() {
        let all = Controls { extent: Extent::All, ..sample(1.0, 3) };
        let families = Families::new(sample(1.0, 39), Some(sample(1.0, 39)), Some(all), None);
        assert_eq!((families.columns.corrected, families.alignments.map(|f| f.corrected)), (0.05, Some(0.25)));
        assert_eq!(families.standing(), Standing::Beaten);
        let three = |n: usize| Families::new(sample(1.0, 39), Some(sample(1.0, 39)), None, Some(sample(1.0, n)));
        assert_eq!(three(39).standing(), Standing::Reached, "{:?}", three(39));
        assert_eq!(three(99).standing(), Standing::Beaten);
    }

    #[test]
    fn one_alternative_of_all_that_is_as_good_is_enough() {
        let all = |observed: f64| Controls { extent: Extent::All, ..Controls::of(observed, &[0.3, 0.9]) };
        assert_eq!((all(0.95).standing(), all(0.9).standing()), (Standing::Beaten, Standing::Reached));
        assert_eq!(Controls { late: true, ..all(0.95) }.standing(), Standing::Cut, "not all were run");
        assert_eq!(sample(1.0, 0).standing(), Standing::Reached, "nothing was run");
    }

    #[test]
    fn of_few_that_could_be_drawn_every_one_is_worse_and_no_level_is_asked() {
        let few = |observed: f64| Controls::of(observed, &[0.3, 0.9]).of_few(39);
        assert_eq!((few(0.95).standing(), few(0.9).standing()), (Standing::Beaten, Standing::Reached));
        assert_eq!(few(0.95).p_value, 1.0 / 3.0, "what two draws say and no more");
        assert_eq!(sample(1.0, 39).of_few(39).extent, Extent::Sample);
        // The others are not corrected for it, nor is it there without members.
        let families = |programs: Controls| Families::new(sample(1.0, 39), Some(sample(1.0, 39)), None, Some(programs));
        assert_eq!(families(few(0.95)).columns.corrected, 0.05);
        assert_eq!(families(sample(1.0, 0).of_few(39)).programs, None);
        let pools = [vec![1; 7], vec![2; 3], Vec::new()];
        let draws = |n: usize| independent(&pools, &Draws { n, extent: Extent::Sample, seed: 0, late: &|| false });
        assert_eq!((draws(7).n, draws(7).extent), (7, Extent::Sample));
        assert_eq!((draws(8).n, draws(8).extent), (7, Extent::Few), "no more than were drawn for some place");
    }

    #[test]
    fn what_was_cut_is_undecided_where_it_matters() {
        let cut = Controls { late: true, ..sample(1.0, 79) };
        let beside = |columns: Controls| Families::new(columns, Some(cut), None, None);
        assert_eq!(beside(sample(1.0, 39)).standing(), Standing::Cut, "however many were run");
        assert_eq!(beside(sample(1.0, 39)).columns.standing(), Standing::Beaten);
        assert_eq!(beside(sample(1.0, 29)).columns.standing(), Standing::Cut, "beaten if the other is, by 1/30");
        assert_eq!(beside(sample(0.0, 39)).standing(), Standing::Reached, "whatever becomes of the other");
    }

    #[test]
    fn what_ends_early_says_so() {
        let draws = Draws { n: 5, extent: Extent::Sample, seed: 0, late: &|| true };
        let found = draws.run(1.0, |_| Ok(Some(0.0))).expect("nothing fails");
        assert!(found.late && found.draws == 0 && found.p_value == 1.0);
        assert!(!Draws { late: &|| false, ..draws }.run(1.0, |_| Ok(Some(0.0))).expect("nothing fails").late);
    }

    #[test]
    fn drawing_ends_where_the_rest_can_change_nothing() {
        for n in 1..200 {
            let draws = Draws { n, extent: Extent::Sample, seed: 0, late: &|| false };
            for every in [1, 7, 20, 25, 60, n + 1] {
                let control = |draw: usize| Ok(Some(f64::from(u8::from(draw % every == every - 1))));
                let found = draws.run(1.0, control).expect("nothing fails");
                let as_good = n / every;
                let all = (as_good + 1) as f64 / (n + 1) as f64;
                // The verdict is that of all draws, and what is counted ends with the last that reaches as much.
                assert!(!found.settled || all > LEVEL && found.p_value > LEVEL, "{n} {every} {found:?}");
                assert!(found.settled || (found.draws, found.as_good) == (n, as_good), "{n} {every} {found:?}");
                assert!(!found.settled || found.draws == found.as_good * every, "{n} {every} {found:?}");
            }
        }
        let all = Draws { n: 9, extent: Extent::All, seed: 0, late: &|| false };
        let found = all.run(1.0, |draw| Ok((draw > 0).then_some(1.0))).expect("nothing fails");
        assert_eq!((found.draws, found.dropped, found.settled, found.standing()), (1, 1, true, Standing::Reached));
    }

    #[test]
    fn stopped_p_values_are_as_rare_as_they_say() {
        // Of a hypothesis that is no better than its controls: the share of runs that end with p at most 0.2 is at most 0.2.
        let runs = 4000;
        let low = (0..runs).filter(|&seed| {
            let mut values = rng(seed, "test");
            let drawn: Vec<f64> = (0..40).map(|_| rand::Rng::random(&mut values)).collect();
            let draws = Draws { n: 39, extent: Extent::Sample, seed, late: &|| false };
            draws.run(drawn[39], |draw| Ok(Some(drawn[draw]))).expect("nothing fails").p_value <= 0.2
        });
        assert!(low.count() as f64 <= 0.22 * runs as f64);
    }

    #[test]
    fn all_other_choices_are_listed_where_there_are_few() {
        let others = |chosen: &[bool], most| other_choices(chosen, most).map(|found| found.len());
        assert_eq!(others(&[true, true, false, false], 5), Some(5));
        assert_eq!(others(&[true, true, false, false], 4), None);
        assert_eq!(others(&[true, true], 9), Some(0), "nothing else can be chosen");
        assert_eq!(others(&[], 9), Some(0));
        let many: Vec<bool> = (0..200).map(|place| place % 2 == 0).collect();
        assert_eq!(others(&many, 39), None, "too many to list");
        let found = other_choices(&[false, true, false], 9).expect("there are few");
        assert_eq!(found, [[true, false, false], [false, false, true]]);
    }
}
