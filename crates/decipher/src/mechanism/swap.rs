//! Interchange interventions for the variables that were found: single writers, then the heads of a layer, then all heads.

use std::collections::BTreeMap;

use graph::{Network, NodeId};
use samples::{Column, Symbol, rng};
use scrub::{Classes, Edge, Interchange, Scrubber, Swap};

use super::features::{Feature, Kind};
use super::flat::Flat;
use super::sample::Sample;
use super::search::{Carried, Found};
use crate::{Config, Error};

/// The accuracy on changed outputs that speaks for a variable, and how many there must be.
pub(super) const ACCURATE: f64 = 0.95;
pub(super) const CHANGED: usize = 50;

/// Other names of a variable that are tried.
const OTHERS: usize = 4;
/// Names of variables that are tried where nothing else speaks of an edge.
const NAMES: usize = 8;
/// Draws until a donor with a given value is given up.
const TRIES: usize = 40;

/// What the network may say of the program's answers with donors that the program did not get.
pub(super) const BY_CHANCE: f64 = 0.9;

/// A set of writers, what they carry together, and what interchanging it showed.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// Features of the program.
    pub(super) variable: Vec<usize>,
    pub(super) writers: Vec<NodeId>,
    /// Inputs that donors agree on.
    pub(super) agree: Vec<usize>,
    pub(super) result: Interchange,
    /// The accuracy where the network gets other donors than the program, drawn in the same way: what is right by chance.
    pub(super) control: f64,
    /// The information in the program's answers, in bits, to whom positions are known; 0 unless accurate.
    pub(super) bits: f64,
    place: Place,
    way: Way,
}

impl Site {
    pub(super) fn passes(&self) -> bool {
        self.result.changed >= CHANGED && self.result.changed_accuracy >= ACCURATE && self.control <= BY_CHANCE
    }

    /// The edges that were interchanged.
    pub(super) fn edges(&self) -> &[Edge] {
        &self.place.edges
    }
}

/// Edges, and all that is interchanged with what they carry.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Place {
    edges: Vec<Edge>,
    key: Vec<usize>,
}

/// What an interchange shows: itself, the accuracy with donors that the program did not get, the information in the answers.
struct Shown {
    result: Interchange,
    control: f64,
    bits: f64,
}

/// Where donors come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// Anywhere, for all positions at once.
    All,
    /// The other positions of the same sequence, for all of them at once: what relates positions to each other stays
    /// possible.
    Within,
    /// Anywhere, for one position of every sequence.
    One,
    /// Anywhere, with the same value of the variable from some position of every sequence on.
    From,
}

pub(super) struct Swaps<'a> {
    pub(super) network: &'a Network,
    pub(super) scrubber: &'a Scrubber<'a>,
    pub(super) sample: &'a Sample,
    pub(super) flat: &'a Flat,
    pub(super) features: &'a [Feature],
    pub(super) columns: &'a [Column],
    pub(super) found: &'a Found,
    pub(super) config: &'a Config<'a>,
}

impl Swaps<'_> {
    /// The same interchange on other inputs.
    ///
    /// # Errors
    /// A program or a network that cannot be run.
    pub(super) fn again(&self, site: &Site) -> Result<Site, Error> {
        let shown = self.interchange(&site.place.edges, &site.writers, &site.place.key, &site.agree, site.way)?;
        let Shown { result, control, bits } = shown;
        Ok(Site { result, control, bits, ..site.clone() })
    }

    /// For every variable that some edges carry, the first place at which interchanging it does what the program says, or
    /// the best that was tried: on its edges from one writer, on all its edges, on all edges of one writer with all that it
    /// carries, on those of the heads of a layer, or of all heads that carry it. Inputs are no variables.
    pub(super) fn sites(&self) -> Result<Vec<Site>, Error> {
        let mut variables: BTreeMap<Vec<usize>, Vec<Edge>> = BTreeMap::new();
        let mut carried_by: BTreeMap<NodeId, Vec<usize>> = BTreeMap::new();
        for carried in &self.found.carried {
            let key: Vec<usize> = carried.key.iter().copied().filter(|&f| self.is_program(f)).collect();
            for &edge in carried.edges.iter().filter(|edge| !self.name(edge.0).ends_with("embed")) {
                variables.entry(key.clone()).or_default().push(edge);
                carried_by.entry(edge.0).or_default().extend(&key);
            }
        }
        let mut sites = Vec::new();
        for (key, edges) in variables.iter().filter(|(key, _)| !key.is_empty()) {
            let mut best: Option<Site> = None;
            let mut names = vec![key.clone()];
            names.extend(self.others(key));
            'names: for name in &names {
                for place in self.places(name, edges, &carried_by) {
                    if best.as_ref().is_some_and(Site::passes) || (self.config.deadline)() {
                        break 'names;
                    }
                    let site = self.best(&place)?.map(|site| Site { variable: name.clone(), ..site });
                    let better = |site: &Site| best.as_ref().is_none_or(|best| score(site) > score(best));
                    best = site.filter(better).or(best);
                }
            }
            sites.extend(best);
        }
        if sites.is_empty() {
            sites.extend(self.pointwise()?);
        }
        self.untested(&mut sites)?;
        Ok(sites)
    }

    /// A program that speaks of every point by itself has nothing between its input and its output that one position could
    /// hand to another: its variable is the token. All that matters and reads tokens, heads too, gets those of the same sequence
    /// in another order (else of other points), while positions stay, and the network has to say what the program says of
    /// those tokens.
    fn pointwise(&self) -> Result<Option<Site>, Error> {
        let is_local = |f: usize| self.features[f].kind != Kind::Program || self.features[f].local;
        let speaks_of_tokens = self.flat.is_pointwise(self.config.language) && (0..self.features.len()).all(is_local);
        let Some(tokens) = (0..self.features.len()).find(|&f| self.is_given(f, "tokens")) else { return Ok(None) };
        // A head may matter as one more reader of the token.
        let of_token = |carried: &Carried| {
            let is_input = carried.edges.iter().all(|edge| self.name(edge.0).ends_with("embed"));
            is_input || carried.key.iter().all(|&f| self.features[f].local)
        };
        if !speaks_of_tokens || !self.found.carried.iter().all(of_token) {
            return Ok(None);
        }
        let kept = self.scrubber.components().edges().iter().copied().filter(|edge| !self.found.cut.contains(edge));
        let place = Place { edges: kept.filter(|edge| self.name(edge.0) == "embed").collect(), key: vec![tokens] };
        match self.site(&place, Way::Within)?.filter(Site::passes) {
            Some(site) => Ok(Some(site)),
            None => self.best(&place),
        }
    }

    /// Adds variables that interchange speaks for at writers of edges that neither scrubbing nor another variable tests: all
    /// that a writer (or the heads of its layer, or all heads) says, as any of the steps that are carried elsewhere. One that
    /// fails is no claim, and the edges stay untested.
    fn untested(&self, sites: &mut Vec<Site>) -> Result<(), Error> {
        let components = self.scrubber.components();
        let kept: Vec<Edge> =
            components.edges().iter().copied().filter(|edge| !self.found.cut.contains(edge)).collect();
        let mut edges = self.found.exact.clone();
        edges.extend(self.found.alone(self.sample, self.columns));
        edges.retain(|edge| !self.name(edge.0).ends_with("embed"));
        edges.sort_unstable();
        let names = self.names();
        let heads: Vec<NodeId> = components.writers().iter().copied().filter(|&w| self.layer(w).is_some()).collect();
        for edge in edges {
            if sites.iter().any(|site| site.passes() && site.edges().contains(&edge)) {
                continue;
            }
            let peers = heads.iter().copied().filter(|&head| self.layer(head) == self.layer(edge.0)).collect();
            let mut groups = vec![vec![edge.0]];
            groups.extend(self.layer(edge.0).is_some().then(|| [peers, heads.clone()]).into_iter().flatten());
            groups.dedup();
            let places = groups.iter().flat_map(|group| names.iter().map(move |name| (group, name)));
            for (group, name) in places {
                if (self.config.deadline)() {
                    return Ok(());
                }
                let edges = kept.iter().copied().filter(|edge| group.contains(&edge.0)).collect();
                let site = self.best(&Place { edges, key: name.clone() })?;
                if let Some(site) = site.filter(Site::passes) {
                    sites.push(site);
                    break;
                }
            }
        }
        Ok(())
    }

    /// The edges of the sites whose interchange does not reach an accuracy, and all edges of writers of whose edges nothing
    /// speaks.
    pub(super) fn open(&self, sites: &[Site], accuracy: f64) -> Vec<Vec<Edge>> {
        let is_weak = |site: &&Site| !site.passes() || site.result.changed_accuracy < accuracy;
        let mut open: Vec<Vec<Edge>> = sites.iter().filter(is_weak).map(|site| site.edges().to_vec()).collect();
        let mut writers: Vec<NodeId> = self.found.exact.iter().map(|edge| edge.0).collect();
        writers.retain(|&writer| !self.name(writer).ends_with("embed"));
        writers.sort_unstable();
        writers.dedup();
        let edges = self.scrubber.components().edges();
        let kept = |writer: NodeId| {
            edges.iter().copied().filter(|e| e.0 == writer && !self.found.cut.contains(e)).collect::<Vec<Edge>>()
        };
        open.extend(writers.into_iter().map(kept));
        open.dedup();
        open
    }

    /// The accuracy of the best interchange of one step of the program on some edges.
    pub(super) fn best_step(&self, edges: &[Edge]) -> Result<f64, Error> {
        let mut best: f64 = 0.0;
        for feature in (0..self.features.len()).filter(|&f| self.is_program(f)) {
            let site = self.best(&Place { edges: edges.to_vec(), key: vec![feature] })?;
            // Right by chance is no better than wrong.
            best = best.max(site.filter(Site::passes).map_or(0.0, |site| site.result.changed_accuracy));
            if best >= 1.0 || (self.config.deadline)() {
                break;
            }
        }
        Ok(best)
    }

    /// What is carried anywhere, and what determines it.
    fn names(&self) -> Vec<Vec<usize>> {
        let mut names: Vec<Vec<usize>> = Vec::new();
        let keys = self.found.carried.iter().map(|carried| carried.key.as_slice()).chain([[0].as_slice()]);
        for key in keys {
            let key: Vec<usize> =
                key.iter().copied().filter(|&f| f < self.features.len() && self.is_program(f)).collect();
            if key.is_empty() || names.contains(&key) {
                continue;
            }
            names.push(key.clone());
            names.extend(self.others(&key));
        }
        let mut distinct: Vec<Vec<usize>> = Vec::new();
        for name in names {
            if !distinct.contains(&name) {
                distinct.push(name);
            }
        }
        distinct.truncate(NAMES);
        distinct
    }

    /// The layer of a head.
    fn layer(&self, node: NodeId) -> Option<String> {
        self.name(node).split_once(".h").map(|(layer, _)| layer.to_owned())
    }

    /// Other steps of the program that determine a variable given the token, or given token and index where one of the two is
    /// a matter of the position: on the inputs at hand they are as good a name for what is carried, and the program may say
    /// something else of what follows from them.
    fn others(&self, key: &[usize]) -> Vec<Vec<usize>> {
        let inputs = |names: &[&str]| -> Vec<usize> {
            (0..self.features.len()).filter(|&f| names.iter().any(|name| self.is_given(f, name))).collect()
        };
        let (token, both) = (inputs(&["tokens"]), inputs(&["tokens", "indices"]));
        let is_placed = |f: usize| self.features[f].placed;
        let classes = |key: &[usize]| self.sample.classes(&key.iter().map(|&f| &self.columns[f]).collect::<Vec<_>>());
        let own = classes(key);
        let determines = |&feature: &usize| {
            let given = if is_placed(feature) || key.iter().any(|&f| is_placed(f)) { &both } else { &token };
            let other = classes(&[given.as_slice(), &[feature]].concat());
            self.is_program(feature) && key != [feature] && other.meet(&own).n_classes() == other.n_classes()
        };
        let mut others: Vec<usize> = (0..self.features.len()).filter(determines).collect();
        others.sort_by(|&a, &b| classes(&[a]).entropy().total_cmp(&classes(&[b]).entropy()));
        others.into_iter().take(OTHERS).map(|feature| vec![feature]).collect()
    }

    /// Where a variable may be interchanged, smallest first.
    fn places(&self, key: &[usize], edges: &[Edge], carried_by: &BTreeMap<NodeId, Vec<usize>>) -> Vec<Place> {
        let layer = |node: NodeId| self.layer(node);
        let mut writers: Vec<NodeId> = edges.iter().map(|edge| edge.0).collect();
        writers.sort_unstable();
        writers.dedup();
        let of = |writers: &[NodeId]| {
            let mut key: Vec<usize> = writers.iter().filter_map(|w| carried_by.get(w)).flatten().copied().collect();
            key.sort_unstable();
            key.dedup();
            let kept = self.scrubber.components().edges().iter().copied();
            Place {
                edges: kept.filter(|edge| writers.contains(&edge.0) && !self.found.cut.contains(edge)).collect(),
                key,
            }
        };
        let own = |writer: NodeId| Place {
            edges: edges.iter().copied().filter(|edge| edge.0 == writer).collect(),
            key: key.to_vec(),
        };
        let mut places: Vec<Place> = writers.iter().map(|&writer| own(writer)).collect();
        places.push(Place { edges: edges.to_vec(), key: key.to_vec() });
        // What a writer adds to what its reader has from the token already is interchanged with it.
        let of_inputs =
            self.found.carried.iter().filter(|carried| carried.key == key).flat_map(|carried| &carried.edges);
        let mut with_inputs: Vec<Edge> = of_inputs.chain(edges).copied().collect();
        with_inputs.sort_unstable();
        with_inputs.dedup();
        places.push(Place { edges: with_inputs, key: key.to_vec() });
        places.extend(writers.iter().map(|&writer| of(&[writer])));
        let heads: Vec<NodeId> = writers.iter().copied().filter(|&writer| layer(writer).is_some()).collect();
        let mut layers: Vec<String> = heads.iter().filter_map(|&head| layer(head)).collect();
        layers.dedup();
        for name in layers {
            let all = carried_by.keys().copied().filter(|&node| layer(node).as_ref() == Some(&name));
            places.push(of(&all.collect::<Vec<_>>()));
        }
        if !heads.is_empty() {
            places.push(of(&heads));
        }
        let mut distinct: Vec<Place> = Vec::new();
        for place in places {
            if !place.edges.is_empty() && !distinct.contains(&place) {
                distinct.push(place);
            }
        }
        distinct
    }

    /// The interchange at a place that does best, in several ways.
    fn best(&self, place: &Place) -> Result<Option<Site>, Error> {
        let mut best: Option<Site> = None;
        for way in [Way::All, Way::Within, Way::From, Way::One] {
            let site = self.site(place, way)?;
            let better = |site: &Site| best.as_ref().is_none_or(|best| score(site) > score(best));
            best = site.filter(better).or(best);
            if best.as_ref().is_some_and(Site::passes) {
                break;
            }
        }
        Ok(best)
    }

    fn name(&self, node: NodeId) -> &str {
        self.scrubber.graph().name(node)
    }

    fn is_program(&self, feature: usize) -> bool {
        self.features[feature].kind == Kind::Program
    }

    /// Interchanges what is carried at a place, with donors that agree on more and more of the inputs.
    fn site(&self, place: &Place, way: Way) -> Result<Option<Site>, Error> {
        let token: Vec<usize> = (0..self.features.len()).filter(|&f| self.is_given(f, "tokens")).collect();
        let index: Vec<usize> = (0..self.features.len()).filter(|&f| self.is_given(f, "indices")).collect();
        let is_placed = |&f: &usize| self.features[f].placed && !place.key.contains(&f);
        let placed: Vec<usize> = (0..self.features.len()).filter(is_placed).collect();
        let mut sets = match way {
            Way::Within => vec![Vec::new()],
            _ => vec![Vec::new(), token.clone(), [token, index].concat()],
        };
        if way != Way::Within && !placed.is_empty() {
            sets.push(placed);
        }
        let mut writers: Vec<NodeId> = place.edges.iter().map(|edge| edge.0).collect();
        writers.sort_unstable();
        writers.dedup();
        let mut best: Option<Site> = None;
        for agree in sets {
            let Shown { result, control, bits } = self.interchange(&place.edges, &writers, &place.key, &agree, way)?;
            let (variable, writers, place) = (place.key.clone(), writers.clone(), place.clone());
            let site = Site { variable, writers, agree, result, control, bits, place, way };
            if best.as_ref().is_none_or(|best| score(&site) > score(best)) {
                best = Some(site);
            }
        }
        Ok(best)
    }

    fn is_given(&self, feature: usize, name: &str) -> bool {
        self.features[feature].kind == Kind::Given && self.features[feature].name == name
    }

    /// What interchanging shows.
    fn interchange(
        &self,
        edges: &[Edge],
        writers: &[NodeId],
        key: &[usize],
        agree: &[usize],
        way: Way,
    ) -> Result<Shown, Error> {
        let pool = &self.sample.pool;
        let mut rng = rng(self.config.seed, "mechanism: interchange");
        let donors = self.donors(key, agree, way, &mut rng);
        let mut point_of = vec![0; pool.n_cells()];
        (0..self.sample.points.len()).for_each(|point| point_of[pool.cell(point)] = point);
        let sources: Vec<usize> =
            (0..self.sample.points.len()).map(|point| point_of[donors[pool.cell(point)]]).collect();
        let inputs = self.sample.inputs(self.config);
        let (columns, unchanged) = self.flat.run(inputs, &[])?;
        let names = key.iter().flat_map(|&f| self.features[f].same.iter().chain([&self.features[f].step]));
        let taken =
            |name: &Symbol| columns.iter().find(|(other, _)| other == name).map(|(_, column)| column.select(&sources));
        let replaced: Vec<(Symbol, Column)> = names.filter_map(|name| Some((*name, taken(name)?))).collect();
        let unchanged = [unchanged];
        let expected = [self.flat.run(inputs, &replaced)?.1];
        let names: Vec<&str> = writers.iter().map(|node| self.scrubber.graph().name(*node)).collect();
        let swapped = |donors: &[usize]| {
            let swap = Swap { edges, donors, expected: &expected, unchanged: &unchanged };
            scrub::counterfactual(self.scrubber, self.network, &names.join("+"), &swap).map_err(super::failed)
        };
        let result = swapped(&donors)?;
        let others = self.strangers(&donors, agree, way, &mut rng);
        // Only what speaks for a variable needs to be held against chance.
        let speaks = result.changed >= CHANGED && result.changed_accuracy >= ACCURATE;
        let control = if speaks { swapped(&others)?.changed_accuracy } else { 1.0 };
        let bits = if speaks { self.information(&expected, &donors) } else { 0.0 };
        Ok(Shown { result, control, bits })
    }

    /// The information in answers, in bits, where outputs count and something else was carried: positions are known.
    fn information(&self, answers: &[Column], donors: &[usize]) -> f64 {
        let pool = &self.sample.pool;
        let counted: Vec<usize> = pool.counted().iter().flatten().copied().collect();
        let moved = |&point: &usize| donors[pool.cell(point)] != pool.cell(point);
        let at: Vec<usize> = counted.into_iter().filter(moved).collect();
        at.len() as f64 * crate::length::entropy(answers, &self.sample.points, &at)
    }

    /// For every cell that has a donor another one that agrees with it as the donor does, drawn whatever it carries.
    fn strangers(&self, donors: &[usize], agree: &[usize], way: Way, rng: &mut samples::Rng) -> Vec<usize> {
        let drawn = self.agreeing(agree, way).permute(rng);
        donors
            .iter()
            .zip(drawn)
            .enumerate()
            .map(|(cell, (&donor, other))| if donor == cell { cell } else { other })
            .collect()
    }

    /// Cells that may stand for each other.
    fn agreeing(&self, agree: &[usize], way: Way) -> Classes {
        let columns: Vec<&Column> = agree.iter().map(|&f| &self.columns[f]).collect();
        let agreeing = self.sample.classes(&columns);
        match way {
            Way::Within => agreeing.meet(&self.sample.pool.classes(|point| self.sample.points.locate(point).0)),
            _ => agreeing,
        }
    }

    /// For every cell the one that it gets its value from.
    fn donors(&self, key: &[usize], agree: &[usize], way: Way, rng: &mut samples::Rng) -> Vec<usize> {
        let pool = &self.sample.pool;
        let agreeing = self.agreeing(agree, way);
        let columns: Vec<&Column> = key.iter().map(|&f| &self.columns[f]).collect();
        let differing = self.sample.classes(&columns);
        let mut donors = match way {
            Way::Within => agreeing.permute(rng),
            _ => scrub::partners(&agreeing, &differing, pool.n_cells(), rng),
        };
        match way {
            Way::One => self.only_one(&mut donors, rng),
            Way::From => self.onwards(&mut donors, &agreeing, &differing, rng),
            Way::All | Way::Within => {}
        }
        donors
    }
}

impl Swaps<'_> {
    /// Leaves one donor per sequence, at a random one of the positions that have one.
    fn only_one(&self, donors: &mut [usize], rng: &mut samples::Rng) {
        use rand::seq::IndexedRandom as _;
        for range in self.sample.points.ranges() {
            let cells: Vec<usize> = range.map(|point| self.sample.pool.cell(point)).collect();
            let moved: Vec<usize> = cells.iter().copied().filter(|&cell| donors[cell] != cell).collect();
            let chosen = moved.choose(rng).copied();
            cells.into_iter().filter(|&cell| Some(cell) != chosen).for_each(|cell| donors[cell] = cell);
        }
    }

    /// Leaves the donors from a random one of the positions that have one on, and gives all of them the first one's value
    /// of the variable.
    fn onwards(&self, donors: &mut [usize], agree: &Classes, differ: &Classes, rng: &mut samples::Rng) {
        use rand::Rng as _;
        use rand::seq::IndexedRandom as _;
        for range in self.sample.points.ranges() {
            let cells: Vec<usize> = range.map(|point| self.sample.pool.cell(point)).collect();
            let moved: Vec<usize> = cells.iter().copied().filter(|&cell| donors[cell] != cell).collect();
            let first = moved.choose(rng).copied();
            let value = first.and_then(|cell| differ.class_of(donors[cell]));
            for cell in cells {
                let peers = agree.peers(cell);
                let mut drawn =
                    (0..TRIES).filter(|_| !peers.is_empty()).map(|_| peers[rng.random_range(0..peers.len())]);
                let donor = drawn.find(|&peer| differ.class_of(peer) == value);
                donors[cell] = donor.filter(|_| first.is_some_and(|first| cell >= first)).unwrap_or(cell);
            }
        }
    }
}

/// Enough changed outputs first, then accuracy on them.
fn score(site: &Site) -> f64 {
    if site.result.changed >= CHANGED { site.result.changed_accuracy } else { -1.0 }
}
