//! What hypotheses without content reach beside the one that was found, on inputs that played no part in finding it.

use check::RandomTerms;
use dsl::Term;
use graph::Network;
use rand::seq::SliceRandom as _;
use samples::{Column, rng};
use scrub::{
    Alternative, Classes, Controls, Draws, EdgeHypothesis, Extent, Families, RandomControls, Scrubber, Variant,
    alternatives,
};

use super::features::{Feature, Kind};
use super::sample::{POSITIONS, Sample};
use super::search::{Carried, Found};
use super::{Error, failed};
use crate::Config;

/// Controls of the first two families and of the others. With none as good as the hypothesis these are the fewest with which all
/// four are beaten at the 5 % level together: Holm's correction takes the least p-value, 1/80, four times, and the greatest
/// two, 1/40, at most twice. Where one is as good some tens more would change nothing, and each costs passes of the network.
const CONTROLS: usize = 39;
const ALTERNATIVES: usize = 79;

/// A hypothesis on a sample, with what its joint scrub recovered at the worst.
pub(super) struct Test<'a> {
    pub(super) network: &'a Network,
    pub(super) scrubber: &'a Scrubber<'a>,
    pub(super) confirm: &'a Sample,
    pub(super) hypothesis: &'a EdgeHypothesis,
    pub(super) found: &'a Found,
    /// The steps of the program that are interchanged at sites: what the alignment claims.
    pub(super) claimed: Vec<usize>,
    pub(super) observed: f64,
    pub(super) config: &'a Config<'a>,
}

impl Test<'_> {
    /// All families of controls.
    ///
    /// # Errors
    /// A network that cannot be run.
    pub(super) fn controls(&self, features: &[Feature], columns: &[Column]) -> Result<Families, Error> {
        let circuits =
            scrub::random_circuits(self.scrubber, &self.network.domain.decode, self.hypothesis, &self.draws(CONTROLS));
        let draws = self.draws(ALTERNATIVES);
        let (alignments, programs) = (self.elsewhere(columns, &draws)?, self.programs(features, columns, &draws)?);
        Ok(Families::new(self.permuted()?, circuits.map_err(failed)?, alignments, programs))
    }

    /// Permuted columns alone.
    ///
    /// # Errors
    /// A network that cannot be run.
    pub(super) fn permuted_alone(&self) -> Result<Families, Error> {
        Ok(Families::new(self.permuted()?, None, None, None))
    }

    fn permuted(&self) -> Result<Controls, Error> {
        let (decode, noise, draws) = (&self.network.domain.decode, Variant::SharedNoise, self.draws(CONTROLS));
        scrub::permuted_columns(
            self.scrubber,
            decode,
            (self.hypothesis, &self.hypothesis.roles),
            noise,
            self.observed,
            &draws,
        )
        .map_err(failed)
    }

    fn draws(&self, n: usize) -> Draws<'_> {
        Draws { n, extent: Extent::Sample, seed: self.config.seed, late: self.config.controls_late }
    }

    /// The variables of the edges in another order: what some edges carried others are said to carry. All orders where there
    /// are few; `None` where all say the same of the program. An order in which every edge is still said to carry all that the
    /// alignment claims of it moves nothing but what it carries besides, and is left out.
    fn elsewhere(&self, columns: &[Column], draws: &Draws<'_>) -> Result<Option<Controls>, Error> {
        let n = self.found.carried.len();
        let orders = (1..=n).fold(1.0, |all, n| all * n as f64);
        if n < 2 {
            return Ok(None);
        }
        let exhaustive = orders - 1.0 <= draws.n as f64;
        let order = |draw: usize| -> Vec<usize> {
            let mut order: Vec<usize> = (0..n).collect();
            if exhaustive {
                return nth_order(order, draw + 1);
            }
            order.shuffle(&mut rng(draws.seed, &format!("mechanism: other sites {draw}")));
            order
        };
        let of_claims = |carried: &Carried| {
            let steps: Vec<&Column> =
                carried.key.iter().filter(|f| self.claimed.contains(f)).map(|&f| &columns[f]).collect();
            self.confirm.classes(&steps)
        };
        let claimed: Vec<Classes> = self.found.carried.iter().map(of_claims).collect();
        let alternative = |draw: usize| {
            let order = order(draw);
            let own = &self.hypothesis.classes;
            let says_less = (0..n).any(|place| !own[order[place]].refines(&claimed[place]));
            let classes = order.iter().map(|&from| own[from].clone()).collect();
            says_less.then(|| Alternative::Whole(EdgeHypothesis { classes, ..self.hypothesis.clone() }, 1.0))
        };
        let extent = if exhaustive { Extent::All } else { Extent::Sample };
        let draws = Draws { n: if exhaustive { orders as usize - 1 } else { draws.n }, extent, ..*draws };
        let found = self.reach("mechanism: other sites", &draws, &alternative)?;
        Ok(Some(found))
    }

    /// Random terms in the place of the steps of the program that edges carry; what they carry of the inputs stays.
    fn programs(&self, features: &[Feature], columns: &[Column], draws: &Draws<'_>) -> Result<Option<Controls>, Error> {
        let inputs = self.confirm.inputs(self.config);
        let classes = |given: &[usize], random: &[Column]| -> Classes {
            let key: Vec<&Column> = given.iter().map(|&f| &columns[f]).chain(random).collect();
            self.confirm.classes(&key)
        };
        let terms = RandomTerms::new(self.config.language, &self.network.domain);
        let (mut random, mut pools) = (RandomControls::new(terms, draws), Vec::new());
        for (place, carried) in self.found.carried.iter().enumerate() {
            let (steps, given): (Vec<usize>, Vec<usize>) =
                carried.key.iter().copied().partition(|&f| features[f].kind == Kind::Program);
            if steps.is_empty() {
                pools.push(Vec::new());
                continue;
            }
            let like: Vec<Term> = steps.iter().map(|&f| of_index(&features[f].term)).collect();
            let made = |terms: &[Term]| -> Option<Classes> {
                let values: Result<Vec<Column>, Error> =
                    terms.iter().map(|term| inputs.eval(term, inputs.vars)).collect();
                Some(classes(&given, &values.ok()?))
            };
            // What is known of the inputs anyway is what a random term has to say something beyond.
            let beside = (&self.hypothesis.classes[place], &classes(&given, &[]));
            let stream = &mut rng(draws.seed, &format!("mechanism: random terms {place}"));
            pools.push(random.draw(&like, beside, stream, &made, &|classes| classes));
        }
        if pools.iter().all(Vec::is_empty) && !(draws.late)() {
            return Ok(None);
        }
        let draws = &scrub::independent(&pools, draws);
        let alternative = |draw: usize| {
            let mut hypothesis = self.hypothesis.clone();
            for (classes, pool) in hypothesis.classes.iter_mut().zip(&pools) {
                if let Some(drawn) = pool.iter().cycle().nth(draw) {
                    classes.clone_from(drawn);
                }
            }
            Some(Alternative::Whole(hypothesis, 1.0))
        };
        let found = self.reach("mechanism: random program", draws, &alternative)?;
        Ok(Some(found.without(random.dropped)))
    }

    fn reach(
        &self,
        purpose: &str,
        draws: &Draws<'_>,
        alternative: &(dyn Fn(usize) -> Option<Alternative> + Sync),
    ) -> Result<Controls, Error> {
        let decode = &self.network.domain.decode;
        alternatives(self.scrubber, decode, self.observed, purpose, draws, alternative).map_err(failed)
    }
}

/// A term with the index in the place of the absolute position, which is no input of programs: as long, and of the same sort.
fn of_index(term: &Term) -> Term {
    term.substitute(&|name| (name.as_str() == POSITIONS).then(|| Term::var("indices")))
}

/// An order of some numbers, by its place among all of them; the first is that in which they are given.
fn nth_order(mut left: Vec<usize>, mut place: usize) -> Vec<usize> {
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let at = place % left.len();
        place /= left.len();
        order.push(left.remove(at));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_has_a_place() {
        let orders: std::collections::BTreeSet<Vec<usize>> =
            (0..24).map(|place| nth_order((0..4).collect(), place)).collect();
        assert_eq!(orders.len(), 24);
        assert_eq!(nth_order((0..4).collect(), 0), [0, 1, 2, 3]);
    }
}
