//! The hypothesis about every edge, found step by step under a joint scrub.
//!
//! First edges that do not matter are cut, those that do least first. Then, from the output backwards, every edge that is
//! left gets the coarsest variable that keeps the output what it is, with all that was decided before in force: tested
//! one by one against the unscrubbed rest, redundancy would let every edge pass with too coarse a variable, and all of
//! them together fail. Last, the whole is held against draws that nothing was chosen on, and what costs too much is refined.

use std::collections::BTreeMap;

use samples::{Column, Decode, rng};
use scrub::{Classes, Edge, EdgeHypothesis, Effect, Pass, ScrubConfig, Scrubber, Treatment};

use super::features::{Feature, Kind};
use super::sample::Sample;
use crate::{Config, Error};

/// How far scrubbing may change the output while edges are cut, and in the end: shares of sequences that stay as they are
/// and recovered fractions.
const CUT: (f64, f64) = (0.98, 0.99);
const LEAST: (f64, f64) = (0.965, 0.983);
/// How much one edge may take: first little, for what adds up over many edges; where no variable does, more.
const STEPS: [(f64, f64); 2] = [(0.004, 0.002), (0.015, 0.006)];
/// Graphs with more edges are cut coarsely first.
const FEW: usize = 30;
/// Draws that a variable must pass with.
const STREAMS: [&str; 2] = ["mechanism: draws", "mechanism: other draws"];
/// Draws of a last look.
const LOOKS: usize = 4;
/// How clear of what the judgement asks the whole has to be in a last look, and what a piece has to cost there to be refined:
/// shares of what lies between that and a perfect scrub.
const CLEAR: f64 = 0.6;
const WORTH: f64 = 0.08;
/// At most so many looks are taken, cuts looked at (those made last cost most), pieces tried to be refined in a look, and
/// variables tried for one of them.
const ROUNDS: usize = 4;
const CUTS: usize = 24;
const TRIED: usize = 3;
const KEYS: usize = 16;
/// A variable with more of its samples alone in their classes is taken only where nothing coarser does.
pub(super) const VACUOUS: f64 = 0.25;

/// What one edge or some edges together carry.
#[derive(Clone, Debug)]
pub(super) struct Carried {
    pub(super) edges: Vec<Edge>,
    /// Indices of features.
    pub(super) key: Vec<usize>,
    /// Whether the edges draw from one donor.
    pub(super) joint: bool,
    pub(super) vacuous: f64,
}

/// What was found about the edges.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) cut: Vec<Edge>,
    pub(super) carried: Vec<Carried>,
    /// Edges for which no variable was found.
    pub(super) exact: Vec<Edge>,
}

impl Found {
    /// The hypothesis as classes over a sample.
    pub(super) fn on(&self, sample: &Sample, columns: &[Column]) -> EdgeHypothesis {
        let mut hypothesis = EdgeHypothesis::new(sample.roles.clone());
        for &edge in &self.cut {
            hypothesis.edges.insert(edge, Treatment::Cut);
        }
        for carried in &self.carried {
            let key: Vec<&Column> = carried.key.iter().map(|&feature| &columns[feature]).collect();
            let treatment = Treatment::Class { variable: hypothesis.classes.len(), joint: carried.joint };
            hypothesis.classes.push(sample.classes(&key));
            for &edge in &carried.edges {
                hypothesis.edges.insert(edge, treatment);
            }
        }
        hypothesis
    }

    /// The edges in whose classes too many inputs are alone for scrubbing to test anything.
    pub(super) fn alone(&self, sample: &Sample, columns: &[Column]) -> Vec<Edge> {
        let is_vacuous = |carried: &&Carried| {
            let key: Vec<&Column> = carried.key.iter().map(|&feature| &columns[feature]).collect();
            let mut sizes = scrub::ClassSizes::default();
            sizes.add(&sample.classes(&key));
            sizes.vacuous_share() > VACUOUS
        };
        self.carried.iter().filter(is_vacuous).flat_map(|carried| carried.edges.iter().copied()).collect()
    }

    /// What could be too coarse: what edges carry, and the edges that were cut last, whose variable says nothing.
    fn pieces(&self) -> Vec<Carried> {
        let cut = |&edge: &Edge| Carried { edges: vec![edge], key: vec![], joint: false, vacuous: 0.0 };
        self.cut.iter().rev().take(CUTS).map(cut).chain(self.carried.iter().cloned()).collect()
    }

    /// The same with another variable, or none, in the place of a piece's.
    fn with(&self, piece: &Carried, key: Option<Vec<usize>>) -> Self {
        let mut found = self.clone();
        let place = found.carried.iter().position(|carried| carried.edges == piece.edges);
        found.cut.retain(|edge| !piece.edges.contains(edge));
        found.carried.retain(|carried| carried.edges != piece.edges);
        match key {
            Some(key) => found.carried.insert(place.unwrap_or(found.carried.len()), Carried { key, ..piece.clone() }),
            None => found.exact.extend(&piece.edges),
        }
        found
    }
}

/// A hypothesis with a pass under it, from which those that differ in few edges go on.
struct Base {
    hypothesis: EdgeHypothesis,
    pass: Pass,
}

pub(super) struct Search<'a> {
    pub(super) scrubber: &'a Scrubber<'a>,
    pub(super) sample: &'a Sample,
    pub(super) decode: &'a Decode,
    pub(super) features: &'a [Feature],
    pub(super) columns: &'a [Column],
    pub(super) config: &'a Config<'a>,
}

impl Search<'_> {
    /// A hypothesis in force, with draws that depend on the seed, the stream and the edge alone.
    fn base(&self, hypothesis: EdgeHypothesis, stream: &str) -> Result<Base, Error> {
        let pass = self.scrubber.pass(&hypothesis, &mut rng(self.config.seed, stream)).map_err(super::failed)?;
        Ok(Base { hypothesis, pass })
    }

    /// What some edges' treatment does to the output beside a base.
    fn effect(&self, base: &Base, hypothesis: &EdgeHypothesis, changed: &[Edge]) -> Result<Effect, Error> {
        let outputs = self.scrubber.resumed(&base.pass, hypothesis, changed);
        let settings = ScrubConfig { seed: self.config.seed, bootstrap: 0, ..ScrubConfig::default() };
        outputs
            .and_then(|outputs| scrub::effect(self.decode, &self.sample.pool, &self.sample.roles, &outputs, &settings))
            .map_err(super::failed)
    }

    fn late(&self) -> bool {
        (self.config.deadline)()
    }

    /// Cuts what does not matter: whole writers and whole readers first, then edge by edge, those that do least first.
    pub(super) fn cut(&self) -> Result<Vec<Edge>, Error> {
        let components = self.scrubber.components();
        let edges = components.edges();
        let of = |chosen: &dyn Fn(&Edge) -> bool| edges.iter().copied().filter(chosen).collect::<Vec<Edge>>();
        let mut sets: Vec<Vec<Edge>> = components.writers().iter().map(|&writer| of(&|e| e.0 == writer)).collect();
        sets.extend(components.readers().iter().map(|&reader| of(&|e| e.1 == reader)));
        let chosen = match edges.len() > FEW {
            true => self.cut_sets(Vec::new(), sets)?,
            false => Vec::new(),
        };
        let rest = edges.iter().filter(|edge| !chosen.contains(edge)).map(|&edge| vec![edge]).collect();
        self.cut_sets(chosen, rest)
    }

    /// Cuts as many sets of edges as can be, those that do least first.
    fn cut_sets(&self, chosen: Vec<Edge>, sets: Vec<Vec<Edge>>) -> Result<Vec<Edge>, Error> {
        let of = |cut: &[Edge]| {
            let mut hypothesis = EdgeHypothesis::new(self.sample.roles.clone());
            hypothesis.edges = cut.iter().map(|&edge| (edge, Treatment::Cut)).collect();
            hypothesis
        };
        let mut bases = Vec::with_capacity(STREAMS.len());
        for stream in STREAMS {
            bases.push(self.base(of(&chosen), stream)?);
        }
        let cutting = |base: &Base, cut: &[Edge]| {
            let is_new = |edge: &Edge| base.hypothesis.treatment(*edge) != Treatment::Cut;
            let more: Vec<Edge> = cut.iter().copied().filter(is_new).collect();
            self.effect(base, &of(cut), &more)
        };
        let mut order: Vec<(f64, Vec<Edge>)> = Vec::with_capacity(sets.len());
        for set in sets.into_iter().filter(|set| !set.is_empty()) {
            if self.late() {
                return Ok(chosen);
            }
            let effect = cutting(&bases[0], &[chosen.as_slice(), &set].concat())?;
            // What fails alone fails in company, but for accidents.
            if good(&effect, CUT) {
                order.push((effect.recovered, set));
            }
        }
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let order: Vec<Vec<Edge>> = order.into_iter().map(|(_, set)| set).collect();
        // What passes with one draw only passes by the draw.
        let mut passes = |cut: &[Edge]| {
            for base in &bases {
                if !good(&cutting(base, cut)?, CUT) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        self.longest(chosen, &order, &mut passes)
    }

    /// As many of some sets, in order, as pass together: runs of them by bisection, those that fail left out.
    fn longest(
        &self,
        mut chosen: Vec<Edge>,
        order: &[Vec<Edge>],
        passes: &mut dyn FnMut(&[Edge]) -> Result<bool, Error>,
    ) -> Result<Vec<Edge>, Error> {
        let (mut at, mut step) = (0, order.len());
        while at < order.len() && !self.late() {
            step = step.min(order.len() - at);
            let mut tried = chosen.clone();
            tried.extend(order[at..at + step].iter().flatten().filter(|edge| !chosen.contains(edge)));
            if passes(&tried)? {
                (chosen, at, step) = (tried, at + step, 2 * step);
            } else if step == 1 {
                at += 1;
            } else {
                step = step.div_ceil(2);
            }
        }
        Ok(chosen)
    }

    /// Finds what every edge carries that is not cut.
    pub(super) fn join(&self, cut: Vec<Edge>) -> Result<Found, Error> {
        let mut found = Found { cut, ..Found::default() };
        let components = self.scrubber.components();
        for &reader in components.readers().iter().rev() {
            let mut edges: Vec<Edge> =
                components.edges().iter().copied().filter(|e| e.1 == reader && !found.cut.contains(e)).collect();
            edges.reverse();
            let mut failed = Vec::new();
            for edge in edges {
                if self.late() {
                    failed.push(edge);
                    continue;
                }
                match self.variable(&found, &[edge], false)? {
                    Some(carried) => found.carried.push(carried),
                    None => failed.push(edge),
                }
            }
            self.together(&mut found, failed)?;
        }
        Ok(found)
    }

    /// Edges that carry no variable each: the heads of a layer may carry one together.
    fn together(&self, found: &mut Found, failed: Vec<Edge>) -> Result<(), Error> {
        let name = |edge: &Edge| self.scrubber.graph().name(edge.0).to_owned();
        let mut layers: BTreeMap<String, Vec<Edge>> = BTreeMap::new();
        for edge in &failed {
            if let Some((layer, _)) = name(edge).split_once(".h") {
                layers.entry(layer.to_owned()).or_default().push(*edge);
            }
        }
        let mut left = failed;
        for (layer, some) in layers {
            let reader = some[0].1;
            let of_layer = |carried: &Carried| {
                carried.edges.iter().any(|e| e.1 == reader && name(e).split_once(".h").is_some_and(|(l, _)| l == layer))
            };
            let mut all = some.clone();
            all.extend(found.carried.iter().filter(|c| of_layer(c)).flat_map(|c| c.edges.clone()));
            all.sort_unstable();
            if all.len() < 2 || self.late() {
                continue;
            }
            let without =
                Found { carried: found.carried.iter().filter(|c| !of_layer(c)).cloned().collect(), ..found.clone() };
            if let Some(carried) = self.variable(&without, &all, true)? {
                *found = without;
                left.retain(|edge| !all.contains(edge));
                found.carried.push(carried);
            }
        }
        found.exact.extend(left);
        Ok(())
    }

    /// The coarsest variable that some edges can carry, with what was found before in force.
    fn variable(&self, found: &Found, edges: &[Edge], joint: bool) -> Result<Option<Carried>, Error> {
        let base = found.on(self.sample, self.columns);
        let mut bases = Vec::with_capacity(STREAMS.len());
        for stream in STREAMS {
            let base = self.base(base.clone(), stream)?;
            let before = self.effect(&base, &base.hypothesis, &[])?;
            bases.push((base, before));
        }
        for step in STEPS {
            let least = |before: &Effect| {
                // Among few sequences one near a margin must not decide.
                let share = step.0.max(1.01 / before.sequences.max(1) as f64);
                ((before.sequence_matches - share).max(LEAST.0), (before.recovered - step.1).max(LEAST.1))
            };
            let passes = |key: &[usize]| -> Result<bool, Error> {
                let mut hypothesis = base.clone();
                let treatment = Treatment::Class { variable: hypothesis.classes.len(), joint };
                hypothesis.classes.push(self.classes(key));
                hypothesis.edges.extend(edges.iter().map(|&edge| (edge, treatment)));
                for (base, before) in &bases {
                    if !good(&self.effect(base, &hypothesis, edges)?, least(before)) {
                        return Ok(false);
                    }
                }
                Ok(true)
            };
            // Where all that is known of an input does not do, less does not.
            let all: Vec<usize> = (0..self.features.len()).collect();
            if passes(&all)?
                && let Some(carried) = self.coarsest(edges, joint, &passes)?
            {
                return Ok(Some(carried));
            }
        }
        Ok(None)
    }

    fn coarsest(
        &self,
        edges: &[Edge],
        joint: bool,
        passes: &dyn Fn(&[usize]) -> Result<bool, Error>,
    ) -> Result<Option<Carried>, Error> {
        let carried = |key: Vec<usize>| {
            let vacuous = self.vacuous(&key);
            Carried { edges: edges.to_vec(), key, joint, vacuous }
        };
        if let Some(input) = self.input(edges[0]) {
            for key in self.of_input(input) {
                if passes(&key)? {
                    return Ok(Some(carried(key)));
                }
            }
            return Ok(None);
        }
        let mut vacuous = None;
        for key in self.ladder() {
            if self.late() {
                return Ok(None);
            }
            if passes(&key)? {
                let carried = carried(key);
                if carried.vacuous <= VACUOUS {
                    return Ok(Some(carried));
                }
                vacuous.get_or_insert(carried);
            }
        }
        if vacuous.is_some() {
            return Ok(vacuous);
        }
        self.descend(passes, &carried)
    }

    /// Single features, the inputs among them, those given the token, those given token and position: each kind coarsest
    /// first.
    fn ladder(&self) -> Vec<Vec<usize>> {
        let (token, index) = (self.given("tokens"), self.given("indices"));
        let mut keys = Vec::new();
        for given in [vec![], vec![token], vec![token, index]] {
            let given: Vec<usize> = given.into_iter().flatten().collect();
            let useful = |place: &usize| {
                self.features[*place].kind == Kind::Program && (given.is_empty() || !self.features[*place].local)
            };
            let places = (0..self.features.len()).filter(useful);
            let key = |place: usize| given.iter().copied().chain([place]).collect::<Vec<usize>>();
            let mut tier: Vec<Vec<usize>> = places.map(key).collect();
            if given.is_empty() {
                tier.extend([token, index].into_iter().flatten().map(|f| vec![f]));
            }
            // Of two that say the same beside the inputs that of the position comes first: it is there from the start.
            tier.sort_by_cached_key(|key| {
                let is_placed = key.iter().any(|&f| self.features[f].placed);
                ((1e9 * self.classes(key).entropy()).round() as i64, !is_placed, key.clone())
            });
            keys.extend(tier);
        }
        // The output, told apart further than the program needs.
        let bank = (0..self.features.len()).filter(|&f| self.features[f].kind == Kind::Bank);
        keys.extend(bank.map(|feature| vec![0, feature]));
        keys
    }

    fn given(&self, name: &str) -> Option<usize> {
        self.features.iter().position(|feature| feature.kind == Kind::Given && feature.name == name)
    }

    /// All features together, then without those that are not needed.
    fn descend(
        &self,
        passes: &dyn Fn(&[usize]) -> Result<bool, Error>,
        carried: &dyn Fn(Vec<usize>) -> Carried,
    ) -> Result<Option<Carried>, Error> {
        let mut key: Vec<usize> = (0..self.features.len()).collect();
        if !passes(&key)? {
            return Ok(None);
        }
        // The inputs' own columns are dropped first: what they add is seldom a variable.
        for feature in (0..self.features.len()).rev() {
            if self.late() {
                break;
            }
            let rest: Vec<usize> = key.iter().copied().filter(|&other| other != feature).collect();
            if self.classes(&rest).n_classes() == self.classes(&key).n_classes() || passes(&rest)? {
                key = rest;
            }
        }
        let says = key.iter().any(|&feature| self.features[feature].kind == Kind::Program);
        let carried = carried(key);
        Ok((says && carried.vacuous <= VACUOUS).then_some(carried))
    }

    /// The input of the program that an edge's writer embeds.
    fn input(&self, (writer, _): Edge) -> Option<&'static str> {
        match self.scrubber.graph().name(writer) {
            "embed" => Some("tokens"),
            "pos_embed" => Some("indices"),
            _ => None,
        }
    }

    /// What may be read from the embedding of an input, coarsest first: less than the input, where that is enough. The input
    /// itself is no variable.
    fn of_input(&self, input: &str) -> Vec<Vec<usize>> {
        let is_read = |&place: &usize| match input {
            "tokens" => self.features[place].local,
            _ => self.features[place].placed,
        };
        let mut keys: Vec<usize> = (0..self.features.len()).filter(is_read).collect();
        keys.sort_by(|&a, &b| self.classes(&[a]).entropy().total_cmp(&self.classes(&[b]).entropy()).then(a.cmp(&b)));
        keys.into_iter().chain(self.given(input)).map(|place| vec![place]).collect()
    }

    /// Looks again with draws that nothing was chosen on: those on which every variable did well enough speak too well of them
    /// together. What costs most is refined, until the whole is clear of what the judgement asks.
    pub(super) fn settle(&self, mut found: Found) -> Result<Found, Error> {
        for round in 0..ROUNDS {
            let (bases, margin) = self.look(&found, round)?;
            if margin >= CLEAR || self.late() {
                break;
            }
            let mut costs = Vec::new();
            for piece in found.pieces().into_iter().filter(|piece| !self.says_all(piece)) {
                if self.late() {
                    return Ok(found);
                }
                let without = found.with(&piece, None).on(self.sample, self.columns);
                costs.push((self.margin(&bases, &without, &piece.edges)? - margin, piece));
            }
            costs.retain(|(cost, _)| *cost >= WORTH);
            costs.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.edges.cmp(&b.1.edges)));
            let mut finer = None;
            for (cost, piece) in costs.into_iter().take(TRIED) {
                // What is left of the cost must not be worth another refinement, and be the lesser half.
                let least = margin + (cost - WORTH).max(cost / 2.0);
                finer = self.finer(&found, &piece, &bases, least)?;
                if finer.is_some() {
                    break;
                }
            }
            let Some(finer) = finer else { break };
            found = finer;
        }
        Ok(found)
    }

    /// The same with the coarsest finer variable in a piece's place that comes `least` far from what the judgement asks.
    fn finer(&self, found: &Found, piece: &Carried, bases: &[Base], least: f64) -> Result<Option<Found>, Error> {
        let own = self.classes(&piece.key).entropy();
        let finer = |key: &Vec<usize>| self.classes(key).entropy() > own;
        let input = self.input(piece.edges[0]);
        let keys = input.map_or_else(|| self.ladder(), |input| self.of_input(input));
        // All that is read from an embedding is no claim that could go untested.
        let keys = keys.into_iter().filter(finer).take(KEYS).map(Some).chain(input.map(|_| None));
        for key in keys {
            if self.late() {
                return Ok(None);
            }
            let vacuous = key.as_ref().map_or(0.0, |key| self.vacuous(key));
            let finer = found.with(&Carried { vacuous, ..piece.clone() }, key);
            let hypothesis = finer.on(self.sample, self.columns);
            if vacuous <= VACUOUS && self.margin(bases, &hypothesis, &piece.edges)? >= least {
                return Ok(Some(finer));
            }
        }
        Ok(None)
    }

    /// What was found in force with draws of this round, and its margin.
    fn look(&self, found: &Found, round: usize) -> Result<(Vec<Base>, f64), Error> {
        let hypothesis = found.on(self.sample, self.columns);
        let draws = (0..LOOKS).map(|look| format!("mechanism: last look {round}, draw {look}"));
        let bases = draws.map(|stream| self.base(hypothesis.clone(), &stream)).collect::<Result<Vec<_>, _>>()?;
        let margin = self.margin(&bases, &hypothesis, &[])?;
        Ok((bases, margin))
    }

    /// How far a hypothesis is on average from what the judgement asks, as a share of the way to a perfect one.
    fn margin(&self, bases: &[Base], hypothesis: &EdgeHypothesis, changed: &[Edge]) -> Result<f64, Error> {
        let mut total = (0.0, 0.0);
        for base in bases {
            let effect = self.effect(base, hypothesis, changed)?;
            total = (total.0 + effect.sequence_matches, total.1 + effect.recovered);
        }
        let share = |total: f64, asked: f64| (total / bases.len() as f64 - asked) / (1.0 - asked);
        Ok(share(total.0, super::LEAST.0).min(share(total.1, super::LEAST.1)))
    }

    /// Whether nothing finer can change anything: a token has one embedding.
    fn says_all(&self, piece: &Carried) -> bool {
        self.input(piece.edges[0]) == Some("tokens") && self.given("tokens").is_some_and(|token| piece.key == [token])
    }

    fn vacuous(&self, key: &[usize]) -> f64 {
        let mut sizes = scrub::ClassSizes::default();
        sizes.add(&self.classes(key));
        sizes.vacuous_share()
    }

    fn classes(&self, key: &[usize]) -> Classes {
        let columns: Vec<&Column> = key.iter().map(|&feature| &self.columns[feature]).collect();
        self.sample.classes(&columns)
    }
}

fn good(effect: &Effect, least: (f64, f64)) -> bool {
    effect.sequence_matches >= least.0 && effect.recovered >= least.1
}

#[cfg(test)]
mod tests {
    use dsl::Language;
    use scrub::Components;

    use super::super::features::features;
    use super::super::flat::Flat;
    use super::super::sample::Half;
    use super::*;

    const SAYS: &str =
        "(or (and (= tokens \"a\") (= indices 1)) (and (= tokens \"b\") (or (= indices 0) (= indices 2))))";

    /// The last look at a network that says whether the token is `a` or `b`, before index 3, and at an index of other parity
    /// than the token's number: what its last layer hands to the output before and after, by name.
    #[track_caller]
    fn check(key: &[&str], expected: &[&str]) {
        let folder = bench::programs::two_in_one_layer().expect("it is built");
        let files = model::ModelFiles {
            config: folder.config.into_bytes(),
            task: Some(folder.task.into_bytes()),
            weights: folder.weights,
            inputs: None,
        };
        let mut network = model::load(&files).expect("it loads");
        network.domain.length = (6, 6);
        let language = Language::load_shipped("sequences").expect("it is shipped");
        let config = Config { min_agreement: 0.5, ..Config::new(&language) };
        let graph = network.graph(0);
        let components = Components::new(&graph).expect("it has an output");
        let sample = Sample::draw(&network, &graph, Half::Explore, 1_500, &config).expect("it runs");
        let inputs = sample.inputs(&config);
        let sorts: Vec<_> = inputs.vars.iter().map(|(name, column)| (*name, column.sort)).collect();
        let program = dsl::parse_term(SAYS, &language, &sorts).expect("it parses");
        let flat = Flat::new(&program, inputs).expect("it has a value");
        let (features, columns) = features(&flat, &sample, inputs).expect("it has values");
        let scrubber = Scrubber::new(&graph, &components, &sample.pool);
        let decode = &network.domain.decode;
        let search = Search {
            scrubber: &scrubber,
            sample: &sample,
            decode,
            features: &features,
            columns: &columns,
            config: &config,
        };
        let text = |feature: &usize| dsl::print(&features[*feature].term, &language);
        let is_last = |edge: &&Edge| (graph.name(edge.0), graph.name(edge.1)) == ("m1", "output");
        let last = *components.edges().iter().find(is_last).expect("its last layer is read");
        let piece = Carried { edges: vec![last], key: Vec::new(), joint: false, vacuous: 0.0 };
        let key = (0..features.len()).filter(|feature| key.contains(&text(feature).as_str())).collect::<Vec<_>>();
        let before = match key.is_empty() {
            true => Found { cut: vec![last], ..Found::default() },
            false => Found::default().with(&piece, Some(key)),
        };
        let after = search.settle(before).expect("it runs");
        assert!(after.cut.is_empty() && after.exact.is_empty());
        let [carried] = after.carried.as_slice() else { panic!("{:?}", after.carried) };
        assert_eq!(carried.key.iter().map(text).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_too_coarse_is_refined_in_the_last_look() {
        let (whole, half) = (SAYS, "(and (= tokens \"b\") (or (= indices 0) (= indices 2)))");
        check(&[half], &[whole]);
        check(&[], &[whole]);
        check(&[whole], &[whole]);
        // What is finer than needed is no concern of this look.
        check(&["tokens", "indices"], &["tokens", "indices"]);
    }
}
