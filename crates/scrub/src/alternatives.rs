//! Alternatives to a hypothesis of the same form: its variables at other sites, or other terms of the same size at its sites.
//!
//! What is measured of an alternative is what a mechanism must show that needs no intervention of its own: every site
//! determines what is claimed of it, and the behaviour is recovered when all claims are scrubbed together. The least of the
//! two is held against that of the hypothesis. Measuring ends where an alternative is beaten, so what is reported of them
//! is an upper bound. All of it runs on the recorded values of the pool, with shared noise: the hypothesis is measured in
//! the same way.
//!
//! An alternative that says as much as the hypothesis is no control. Classes that refine those of the variable pass
//! whatever they mean, and a random term may well be the variable in other words: such draws are left out and counted.

use std::collections::{BTreeMap, BTreeSet};

use check::RandomTerms;
use dsl::{Env, Language, Term};
use graph::{Network, NodeId};
use rand::Rng as _;
use samples::{Batch, Column, Decode, Rng, rng};

use crate::classes::Classes;
use crate::controls::{Controls, Draws, Extent};
use crate::determined::{equal_rows, mixed};
use crate::engine::{EdgeHypothesis, Scrubber, Treatment};
use crate::statistics::{pool_losses, recovered};
use crate::{Error, Pool};

/// A hypothesis that stands beside the one that is tested.
pub enum Alternative {
    /// Its sites determine what it claims of them at this share of the points only, the worst of them, which is short of what
    /// is observed: no more need be known.
    Undetermined(f64),
    /// What it says of every edge, and that share (1 where it is not asked).
    Whole(EdgeHypothesis, f64),
}

/// What alternatives reach, each the least of what is determined and what is recovered with shared noise. `alternative` makes
/// that of a draw; `None` leaves the draw out.
///
/// # Errors
/// A graph that cannot be run.
pub fn alternatives(
    scrubber: &Scrubber<'_>,
    decode: &Decode,
    observed: f64,
    purpose: &str,
    draws: &Draws<'_>,
    alternative: &(dyn Fn(usize) -> Option<Alternative> + Sync),
) -> Result<Controls, Error> {
    let control = |draw: usize| match alternative(draw) {
        None => Ok(None),
        Some(Alternative::Undetermined(determined)) => Ok(Some(determined)),
        Some(Alternative::Whole(hypothesis, determined)) => {
            let share = share(scrubber, decode, &hypothesis, draws.seed, &format!("{purpose} {draw}"))?;
            Ok(share.map(|share| share.min(determined)))
        }
    };
    draws.run(observed, control)
}

/// What a hypothesis recovers with shared noise, with draws of a stream of its own.
pub(crate) fn share(
    scrubber: &Scrubber<'_>,
    decode: &Decode,
    hypothesis: &EdgeHypothesis,
    seed: u64,
    stream: &str,
) -> Result<Option<f64>, Error> {
    let partner = hypothesis.roles.permute(&mut rng(seed, "scrub shuffle"));
    let outputs = scrubber.shared_noise(hypothesis, &mut rng(seed, stream))?;
    Ok(recovered(&pool_losses(decode, scrubber.pool(), &partner, &outputs)))
}

/// What is claimed of one site.
pub(crate) struct Claimed {
    pub(crate) writer: NodeId,
    pub(crate) terms: Vec<Term>,
    pub(crate) columns: Vec<Column>,
}

/// Which points some columns tell apart: at all positions, and the classes within roles.
struct Told {
    keys: Vec<i64>,
    classes: Classes,
}

impl Told {
    fn of(pool: &Pool, positions: &[u32], columns: &[Column]) -> Self {
        let keys = match columns {
            [column] => column.codes.clone(),
            columns => {
                let key = |point: usize| -> Vec<i64> { columns.iter().map(|column| column.codes[point]).collect() };
                let all = samples::Partition::from_keys((0..positions.len()).map(key));
                all.classes().iter().map(|&class| i64::from(class)).collect()
            }
        };
        let classes = pool.classes(|point| (positions[point], keys[point]));
        Self { keys, classes }
    }
}

/// A hypothesis about sites with what its alternatives are made from.
pub(crate) struct Sites<'a> {
    scrubber: &'a Scrubber<'a>,
    decode: &'a Decode,
    hypothesis: &'a EdgeHypothesis,
    claimed: &'a [Claimed],
    told: Vec<Told>,
    /// The position of every point.
    positions: Vec<u32>,
    /// For every writer the points that it is looked at, and the groups of these that have the same value there.
    equal: BTreeMap<NodeId, (Vec<usize>, Vec<usize>)>,
    /// Writers that are read in place, see [`crate::claimed`], and which points count.
    in_place: BTreeSet<NodeId>,
    counts: Classes,
    observed: f64,
}

impl<'a> Sites<'a> {
    /// `hypothesis` has one variable for every site, in the order of `claimed`; `recovered` is what it recovers with shared
    /// noise. What is said of writers that are read `in_place` is said of points that count.
    pub(crate) fn new(
        scrubber: &'a Scrubber<'a>,
        decode: &'a Decode,
        hypothesis: &'a EdgeHypothesis,
        (claimed, in_place): (&'a [Claimed], BTreeSet<NodeId>),
        recovered: f64,
    ) -> Result<Self, Error> {
        let pool = scrubber.pool();
        let counts = pool.counts();
        let positions: Vec<u32> = (0..pool.points().len()).map(|point| pool.position(point) as u32).collect();
        let told: Vec<Told> = claimed.iter().map(|claim| Told::of(pool, &positions, &claim.columns)).collect();
        let mut equal = BTreeMap::new();
        for &writer in scrubber.components().writers() {
            let value = pool.base().matrix(writer).map_err(crate::pool::failed)?;
            let points: Vec<usize> =
                (0..positions.len()).filter(|&point| counts[point] || !in_place.contains(&writer)).collect();
            let cells: Vec<usize> = points.iter().map(|&point| pool.cell(point)).collect();
            equal.insert(writer, (points, equal_rows(&value.select(&cells))));
        }
        let counts = pool.classes(|point| counts[point]);
        let mut sites =
            Self { scrubber, decode, hypothesis, claimed, told, positions, equal, in_place, counts, observed: 0.0 };
        let determined = claimed.iter().zip(&sites.told).map(|(claim, told)| sites.determined(told, claim.writer));
        let determined = determined.fold(1.0, f64::min);
        sites.observed = recovered.min(determined);
        Ok(sites)
    }

    /// The share of points at which a writer's value goes with one value of a variable alone.
    fn determined(&self, told: &Told, writer: NodeId) -> f64 {
        self.equal.get(&writer).map_or(0.0, |(points, groups)| {
            let keys: Vec<i64> = points.iter().map(|&point| told.keys[point]).collect();
            1.0 - mixed(groups, &keys)
        })
    }

    /// The classes of inputs with equal values of what is said of a writer.
    fn classes(&self, told: &Classes, writer: NodeId) -> Classes {
        if self.in_place.contains(&writer) { told.meet(&self.counts) } else { told.clone() }
    }

    /// The same variables, every one of them at a writer drawn at random; all alternatives where there are no more than
    /// draws. `None` where no other writer is there.
    ///
    /// # Errors
    /// A graph that cannot be run.
    pub(crate) fn elsewhere(&self, draws: &Draws<'_>) -> Result<Option<Controls>, Error> {
        let writers = self.scrubber.components().writers();
        let (n, k) = (writers.len(), self.claimed.len());
        let own: Vec<usize> =
            self.claimed.iter().filter_map(|claim| writers.iter().position(|w| *w == claim.writer)).collect();
        if n < 2 || own.len() != k || k == 0 {
            return Ok(None);
        }
        let all = (n as f64).powi(k as i32) - 1.0;
        let exhaustive = all <= draws.n as f64;
        let places = |draw: usize| -> Vec<usize> {
            if exhaustive {
                let mut code = draw + 1;
                let digit = |at: &usize| {
                    let place = (at + code % n) % n;
                    code /= n;
                    place
                };
                return own.iter().map(digit).collect();
            }
            let mut rng = rng(draws.seed, &format!("scrub alignment {draw}"));
            loop {
                let drawn: Vec<usize> = (0..k).map(|_| rng.random_range(0..n)).collect();
                if drawn != own {
                    return drawn;
                }
            }
        };
        let fits: Vec<Vec<f64>> =
            self.told.iter().map(|told| writers.iter().map(|&w| self.determined(told, w)).collect()).collect();
        let says: Vec<bool> = (0..k).map(|claim| self.says_something(claim)).collect();
        let alternative = |draw: usize| {
            let places = places(draw);
            let determined = places.iter().enumerate().map(|(claim, &place)| fits[claim][place]).fold(1.0, f64::min);
            // Where a site is left with nothing, less is said; what then is not determined need not be scrubbed.
            if determined < self.observed && (0..k).any(|claim| says[claim] && !places.contains(&own[claim])) {
                return Some(Alternative::Undetermined(determined));
            }
            Some(Alternative::Whole(self.moved(&places, &own)?, determined))
        };
        let extent = if exhaustive { Extent::All } else { Extent::Sample };
        let draws = Draws { n: if exhaustive { all as usize } else { draws.n }, extent, ..*draws };
        alternatives(self.scrubber, self.decode, self.observed, "scrub alignment", &draws, &alternative).map(Some)
    }

    /// Whether what is claimed of a site tells any inputs of one role apart. A variable that is the same on all of them (a length,
    /// where all inputs have one length) says no more than that nothing is carried.
    fn says_something(&self, claim: usize) -> bool {
        !self.hypothesis.roles.refines(&self.told[claim].classes)
    }

    /// The hypothesis with its variables at other writers, by their places; what carries nothing any more is cut, what
    /// carries something new carries it to all its readers. `None` where no site says less than before.
    fn moved(&self, places: &[usize], own: &[usize]) -> Option<EdgeHypothesis> {
        let writers = self.scrubber.components().writers();
        let here = |place: usize| -> Vec<usize> { (0..places.len()).filter(|&claim| places[claim] == place).collect() };
        let joint = |claims: &[usize]| -> Option<Classes> {
            let mut classes = claims.iter().map(|&claim| self.told[claim].classes.clone());
            let first = classes.next()?;
            Some(classes.fold(first, |all, other| all.meet(&other)))
        };
        let mut hypothesis = self.hypothesis.clone();
        let mut says_less = false;
        for (place, &writer) in writers.iter().enumerate() {
            let (before, now) = (own.iter().position(|&at| at == place), here(place));
            if now.iter().copied().eq(before) {
                continue;
            }
            let classes = joint(&now);
            if let Some(claim) = before {
                says_less = says_less
                    || match &classes {
                        Some(classes) => !classes.refines(&self.told[claim].classes),
                        None => self.says_something(claim),
                    };
            }
            let treatment = match classes {
                Some(classes) => {
                    hypothesis.classes.push(self.classes(&classes, writer));
                    Treatment::Class { variable: hypothesis.classes.len() - 1, joint: false }
                }
                None if before.is_some() => Treatment::Cut,
                None => continue,
            };
            let edges = self.scrubber.components().edges().iter().filter(|edge| edge.0 == writer);
            hypothesis.edges.extend(edges.map(|&edge| (edge, treatment)));
        }
        says_less.then_some(hypothesis)
    }

    /// Random terms of the same sorts and about the same cost in the place of all variables, where there are such that tell
    /// inputs apart and say neither as much as the variable nor more. `None` where there are none for any site.
    ///
    /// # Errors
    /// A graph that cannot be run.
    pub(crate) fn programs(
        &self,
        network: &Network,
        language: &Language,
        batch: &Batch,
        draws: &Draws<'_>,
    ) -> Result<Option<Controls>, Error> {
        let (points, vars) = (batch.points(), network.domain.columns(batch));
        let env = Env { language, points: &points, vars: &vars, causal: network.is_causal() };
        let mut random = RandomControls::new(RandomTerms::new(language, &network.domain), draws);
        let mut pools: Vec<Vec<(Told, f64)>> = Vec::with_capacity(self.claimed.len());
        for (place, claim) in self.claimed.iter().enumerate() {
            let told = |terms: &[Term]| -> Option<Told> {
                let columns = terms.iter().map(|term| dsl::eval(term, &env).ok()).collect::<Option<Vec<Column>>>()?;
                Some(Told::of(self.scrubber.pool(), &self.positions, &columns))
            };
            let beside = (&self.told[place].classes, &self.hypothesis.roles);
            let stream = &mut rng(draws.seed, &format!("scrub random terms {place}"));
            let kept = random.draw(&claim.terms, beside, stream, &told, &|told| &told.classes);
            let fitted = |told: Told| {
                let fits = self.determined(&told, claim.writer);
                (told, fits)
            };
            pools.push(kept.into_iter().map(fitted).collect());
        }
        if pools.iter().all(Vec::is_empty) && !(draws.late)() {
            return Ok(None);
        }
        let draws = &independent(&pools, draws);
        let alternative = |draw: usize| {
            let drawn: Vec<Option<&(Told, f64)>> = pools.iter().map(|pool| pool.iter().cycle().nth(draw)).collect();
            let determined = drawn.iter().flatten().map(|(_, fits)| *fits).fold(1.0, f64::min);
            if determined < self.observed {
                return Some(Alternative::Undetermined(determined));
            }
            let mut hypothesis = self.hypothesis.clone();
            for ((classes, claim), drawn) in hypothesis.classes.iter_mut().zip(self.claimed).zip(drawn) {
                if let Some((told, _)) = drawn {
                    *classes = self.classes(&told.classes, claim.writer);
                }
            }
            Some(Alternative::Whole(hypothesis, determined))
        };
        let found = alternatives(self.scrubber, self.decode, self.observed, "scrub program", draws, &alternative)?;
        Ok(Some(found.without(random.dropped)))
    }
}

/// Random terms that are drawn for each that is kept, at most.
const DRAWN: usize = 4;

/// Random terms in the place of what is claimed, of which those are kept that are controls.
pub struct RandomControls<'a, 'd> {
    terms: RandomTerms<'a>,
    most: usize,
    late: &'d (dyn Fn() -> bool + Sync),
    /// How many were left out because they say as much as what they stand for.
    pub dropped: usize,
}

impl<'a, 'd> RandomControls<'a, 'd> {
    /// Keeps one of every place for each draw, as far as there are.
    pub fn new(terms: RandomTerms<'a>, draws: &Draws<'d>) -> Self {
        Self { terms, most: draws.n, late: draws.late, dropped: 0 }
    }

    /// What is kept in the place of some terms with classes of their own, beside what is known of the inputs anyway. `made` makes
    /// of drawn terms what is kept, `classes` says which inputs that tells apart.
    pub fn draw<T>(
        &mut self,
        like: &[Term],
        (own, known): (&Classes, &Classes),
        rng: &mut Rng,
        made: &dyn Fn(&[Term]) -> Option<T>,
        classes: &dyn Fn(&T) -> &Classes,
    ) -> Vec<T> {
        let mut kept = Vec::new();
        for _ in 0..self.most * DRAWN {
            if kept.len() == self.most || (self.late)() {
                break;
            }
            let terms = like.iter().map(|term| self.terms.like(term, 0, rng)).collect::<Option<Vec<Term>>>();
            let Some(terms) = terms else { break };
            let Some(found) = made(&terms) else { continue };
            match usable(classes(&found), own, known) {
                Usable::Control => kept.push(found),
                Usable::SaysAsMuch => self.dropped += 1,
                Usable::SaysNothing => {}
            }
        }
        kept
    }
}

/// As many draws as alternatives can be made of what was drawn for every place, each with a term of its own somewhere: more
/// would repeat what others have shown, and make rare what was only drawn once.
pub fn independent<'d, T>(pools: &[Vec<T>], draws: &Draws<'d>) -> Draws<'d> {
    let n = pools.iter().map(Vec::len).max().unwrap_or(0).min(draws.n);
    Draws { n, extent: if n < draws.n { Extent::Few } else { draws.extent }, ..*draws }
}

/// What becomes of random classes in the place of others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Usable {
    /// They are a control.
    Control,
    /// They refine the others, or tell more apart than these: they would pass whatever they mean.
    SaysAsMuch,
    /// They are the same on all inputs of a role: what is carried would be nothing.
    SaysNothing,
}

/// Whether random classes may stand in the place of a variable's as a control.
pub(crate) fn usable(random: &Classes, own: &Classes, roles: &Classes) -> Usable {
    if roles.refines(random) {
        Usable::SaysNothing
    } else if random.refines(own) || random.entropy() > own.entropy() + 1e-9 {
        Usable::SaysAsMuch
    } else {
        Usable::Control
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_less_and_something_is_a_control() {
        let of = |keys: [i64; 6]| Classes::from_keys(keys);
        let (own, roles) = (of([0, 0, 1, 1, 2, 2]), of([0; 6]));
        let judged = |keys: [i64; 6]| usable(&of(keys), &own, &roles);
        assert_eq!(judged([5, 5, 3, 3, 4, 4]), Usable::SaysAsMuch, "the same under other names");
        assert_eq!(judged([0, 1, 2, 2, 3, 3]), Usable::SaysAsMuch, "finer");
        assert_eq!(judged([0, 1, 2, 3, 4, 4]), Usable::SaysAsMuch, "more is told apart");
        assert_eq!(judged([7; 6]), Usable::SaysNothing);
        assert_eq!(judged([0, 1, 0, 1, 0, 1]), Usable::Control);
        assert_eq!(judged([0, 0, 0, 0, 1, 1]), Usable::Control, "coarser");
    }
}
