//! How a causal transformer computes what a program says: which edges matter, what each of them carries, and how far
//! interventions bear that out.

mod controls;
mod features;
mod flat;
mod sample;
mod search;
mod selectors;
mod swap;

use dsl::{Language, Term};
use graph::{Graph, Network, NodeId};
use samples::{Sort, Symbol, rng};
use scrub::{
    ClassSizes, Components, Edge, Effect, Families, Interchange, Loss, Scrub, ScrubConfig, Scrubber, Standing, Variant,
    circuit_name,
};

use crate::search::CUT;
use crate::{Aligned, Config, Error, Halves, Mechanism};
use controls::Test;
use features::Feature;
use flat::Flat;
use sample::{Half, Sample};
use search::{Found, Search};
pub use selectors::{Example, Selected};
use selectors::{Selectors, Setting};
use swap::{Site, Swaps};

/// Multiply-adds that one forward pass of the search may cost, about.
const PASS: f64 = 6e8;
/// Points of a sample.
const POINTS: (usize, usize) = (1_500, 4_000);
/// Seeds that the joint scrub is repeated with.
const SEEDS: u64 = 3;
/// What the joint scrub must keep: sequences as they are, and the recovered fraction.
const LEAST: (f64, f64) = (0.95, 0.98);
/// Programs that are tried, where a network is small and where it is not.
const RIVALS: (usize, usize) = (6, 2);
/// The accuracy of interchanges from which on no other program is looked at, and what makes one better than another.
const SURE: f64 = 0.98;
const CLEARLY: f64 = 0.01;
/// Edges times parameters of a small network.
const SMALL: f64 = 1e6;
/// Heads whose selectors are looked for.
const HEADS: usize = 16;
/// A writer and a reader, by name.
pub type NamedEdge = (String, String);

/// What some edges carry.
#[derive(Clone, Debug)]
pub struct CarriedTerms {
    /// The edges.
    pub edges: Vec<NamedEdge>,
    /// What donors agree on, terms over the program's inputs.
    pub terms: Vec<Term>,
}

/// A variable at a site.
#[derive(Clone, Debug)]
pub struct Joined {
    /// What is carried, terms over the program's inputs.
    pub terms: Vec<Term>,
    /// What donors agreed on beside the part of the sequence.
    pub agree: Vec<Term>,
    /// The writers that carry it, by name.
    pub writers: Vec<String>,
    /// What interchanging it showed.
    pub interchange: Interchange,
    /// The accuracy on changed outputs where the network gets other donors than the program: right by chance. 1 where
    /// the interchange does not speak for the variable anyway.
    pub control: f64,
    /// The information in what the program says under it, in bits, to whom positions are known.
    pub bits: f64,
    /// Whether that speaks for it.
    pub passes: bool,
}

/// What is known about the mechanism.
#[derive(Clone, Debug)]
pub struct Mechanics {
    /// The edges that matter, by name.
    pub circuit: Vec<NamedEdge>,
    /// Edges of the graph.
    pub n_edges: usize,
    /// Every edge with the terms that donors agree on.
    pub carried: Vec<CarriedTerms>,
    /// Edges between components for which no variable was found, or none that was tested.
    pub exact: Vec<NamedEdge>,
    /// The joint scrub on inputs that played no part in the search, per seed: shared noise.
    pub scrubs: Vec<Effect>,
    /// The treeified one, where it is affordable.
    pub treeified: Option<Effect>,
    /// How large the classes were, over all edges.
    pub classes: ClassSizes,
    /// The share of outputs at which every variable had a donor beside the input itself.
    pub tested: f64,
    /// Variables, with the sites that carry them.
    pub sites: Vec<Joined>,
    /// What the heads select whose outputs matter.
    pub selectors: Vec<Selected>,
    /// What the network does on inputs of their own with all selectors that fit in the places of the patterns.
    pub selected: Option<Effect>,
    /// What hypotheses without content reach.
    pub controls: Families,
    /// What follows.
    pub mechanism: Mechanism,
    /// What is missing, in words.
    pub reasons: Vec<String>,
}

impl Mechanics {
    /// The joint scrub with the seed on which it did worst.
    pub fn scrub(&self) -> Scrub {
        let least = self.scrubs.iter().min_by(|a, b| a.recovered.total_cmp(&b.recovered));
        let effect = least.copied().unwrap_or(Effect::NONE);
        Scrub {
            variant: Variant::SharedNoise,
            recovered: effect.recovered,
            interval: effect.interval,
            samples: effect.sequences,
            loss: Loss::Divergence,
            matches: effect.matches,
            sequence_matches: effect.sequence_matches,
            tail: effect.tail,
            worst: effect.worst,
            classes: self.classes,
            tested: self.tested,
            exact_edges: self.exact.clone(),
            controls: self.controls,
        }
    }

    /// Which writer carries which subterm, as far as the terms can be written down in the language; the fit is the
    /// accuracy of interchange on outputs that it changes, 0 where that does not speak for it.
    pub fn alignment(&self, language: &Language, inputs: &[(Symbol, Sort)]) -> Vec<Aligned> {
        let mut alignment = Vec::new();
        for site in &self.sites {
            for subterm in site.terms.iter().filter(|term| is_writable(term, language, inputs)) {
                alignment.extend(site.writers.iter().map(|writer| Aligned {
                    subterm: subterm.clone(),
                    site: writer.clone(),
                    readout: "partition",
                    fit: if site.passes { site.interchange.changed_accuracy } else { 0.0 },
                }));
            }
        }
        alignment
    }
}

/// Whether a term can be read again from its printed form: steps within an operator's meaning cannot.
fn is_writable(term: &Term, language: &Language, inputs: &[(Symbol, Sort)]) -> bool {
    dsl::parse_term(&dsl::print(term, language), language, inputs).is_ok()
}

/// What was found for one program on the inputs that are searched with.
struct Plan {
    flat: Flat,
    features: Vec<Feature>,
    found: Found,
    sites: Vec<Site>,
    selectors: Selectors,
}

impl Plan {
    /// Edges that nothing speaks for, and variables that interchange speaks against (or, if there are none, that): fewer are
    /// better.
    fn missing(&self) -> (usize, usize) {
        let failed = self.sites.iter().filter(|site| !site.passes()).count();
        (self.found.exact.len(), failed + usize::from(self.sites.is_empty()))
    }

    /// The least accuracy of the interchanges.
    fn least(&self) -> f64 {
        self.sites.iter().map(|site| site.result.changed_accuracy).fold(1.0, f64::min)
    }

    /// Whether nothing is missing, and so clearly that no other program need be looked at.
    fn is_sure(&self) -> bool {
        self.missing() == (0, 0) && self.least() >= SURE
    }

    fn is_better(&self, other: &Self) -> bool {
        self.missing() < other.missing() || self.missing() == other.missing() && self.least() > other.least() + CLEARLY
    }
}

/// Explains how a network computes what one of some programs says, which agree with it equally: the first whose variables
/// the network carries, else the one of which it carries most. Found on the inputs of one network, confirmed on those of
/// the other, which is the same network. Returns the place of the program.
///
/// # Errors
/// A network or a program that cannot be run. That nothing is found is no error.
pub fn explain(networks: &Halves, programs: &[Term], config: &Config<'_>) -> Result<(usize, Mechanics), Error> {
    let network = &networks.find;
    let graph = network.graph(0);
    let components = Components::new(&graph).map_err(failed)?;
    let n_points = ((PASS / network.n_parameters() as f64) as usize).clamp(POINTS.0, POINTS.1);
    let explore = Sample::draw(network, &graph, Half::Explore, n_points, config)?;
    let scrubber = Scrubber::new(&graph, &components, &explore.pool);
    let mut cut = None;
    let is_small = components.edges().len() as f64 * network.n_parameters() as f64 <= SMALL;
    let first = programs.first().ok_or_else(|| Error::Term("there is no program to explain".to_owned()))?;
    let mut best = (0, planned(network, &scrubber, &explore, first, &mut cut, config)?);
    let others = if is_small && !best.1.is_sure() {
        promising(network, &scrubber, &explore, programs, &best.1, config)?
    } else {
        (1..programs.len()).collect()
    };
    for place in others.into_iter().take(if is_small { RIVALS.0 } else { RIVALS.1 } - 1) {
        // In a network that is not small another look costs too much to be taken for what is good already.
        let enough = if is_small { best.1.is_sure() } else { best.1.missing() == (0, 0) };
        if enough || (config.deadline)() {
            break;
        }
        let plan = planned(network, &scrubber, &explore, &programs[place], &mut cut, config)?;
        if plan.is_better(&best.1) {
            best = (place, plan);
        }
    }
    let (place, mut plan) = best;
    (config.progress)("mechanism: selectors");
    let of_heads = |node: &NodeId| graph.find(&format!("{}.pattern", graph.name(*node))).is_some();
    let matters = |node: &NodeId| components.edges().iter().any(|e| e.0 == *node && !plan.found.cut.contains(e));
    let heads: Vec<NodeId> =
        components.writers().iter().copied().filter(|node| of_heads(node) && matters(node)).take(HEADS).collect();
    let decode = &network.domain.decode;
    let setting = Setting { scrubber: &scrubber, sample: &explore, decode, config };
    plan.selectors = setting.fit(&heads, &plan.features)?;
    (config.progress)("mechanism: other inputs");
    let confirm = Sample::draw(&networks.judge, &graph, Half::Confirm, n_points, config)?;
    Ok((place, confirmed(&networks.judge, (&graph, &components), &plan, &confirm, config)?))
}

/// The programs but the first, those first whose steps do best where those of the first were not found, or hardly: wherever
/// that is, the step of a program that does best in an interchange there.
fn promising(
    network: &Network,
    scrubber: &Scrubber<'_>,
    explore: &Sample,
    programs: &[Term],
    plan: &Plan,
    config: &Config<'_>,
) -> Result<Vec<usize>, Error> {
    (config.progress)("mechanism: steps of other programs");
    let mut scored: Vec<(f64, usize)> = Vec::new();
    for (place, program) in programs.iter().enumerate().skip(1) {
        let flat = Flat::new(program, explore.inputs(config))?;
        let (features, columns) = features::features(&flat, explore, explore.inputs(config))?;
        let found = &plan.found;
        let (flat, features, columns) = (&flat, &features, columns.as_slice());
        let swaps = Swaps { network, scrubber, sample: explore, flat, features, columns, found, config };
        let mut least: f64 = 1.0;
        for edges in swaps.open(&plan.sites, SURE) {
            least = least.min(swaps.best_step(&edges)?);
        }
        scored.push((least, place));
        if (config.deadline)() {
            break;
        }
    }
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    Ok(scored.into_iter().map(|(_, place)| place).collect())
}

/// What the edges carry if the network computes what a program says, and how each variable is best interchanged. Which
/// edges matter is no question of the program: `cut` is filled once.
fn planned(
    network: &Network,
    scrubber: &Scrubber<'_>,
    explore: &Sample,
    program: &Term,
    cut: &mut Option<Vec<Edge>>,
    config: &Config<'_>,
) -> Result<Plan, Error> {
    let flat = Flat::new(program, explore.inputs(config))?;
    let (features, columns) = features::features(&flat, explore, explore.inputs(config))?;
    let decode = &network.domain.decode;
    let search = Search { scrubber, sample: explore, decode, features: &features, columns: &columns, config };
    let cut = match cut {
        Some(cut) => cut.clone(),
        None => {
            (config.progress)("mechanism: cutting edges");
            cut.insert(search.cut()?).clone()
        }
    };
    (config.progress)("mechanism: joining variables to edges");
    let found = search.settle(search.join(cut)?)?;
    (config.progress)("mechanism: interventions");
    let swaps = Swaps {
        network,
        scrubber,
        sample: explore,
        flat: &flat,
        features: &features,
        columns: &columns,
        found: &found,
        config,
    };
    let sites = swaps.sites()?;
    Ok(Plan { flat, features, found, sites, selectors: Selectors::default() })
}

/// A plan on inputs that played no part in making it.
fn confirmed(
    network: &Network,
    (graph, components): (&Graph, &Components),
    plan: &Plan,
    confirm: &Sample,
    config: &Config<'_>,
) -> Result<Mechanics, Error> {
    let (flat, features, found) = (&plan.flat, &plan.features, &plan.found);
    let decode = &network.domain.decode;
    let columns = features::values(features, flat, confirm.inputs(config))?;
    let scrubber = Scrubber::new(graph, components, &confirm.pool);
    let hypothesis = found.on(confirm, &columns);
    let measure = |outputs: &graph::Matrix, seed: u64| {
        let settings = ScrubConfig { seed, ..ScrubConfig::default() };
        scrub::effect(decode, &confirm.pool, &confirm.roles, outputs, &settings).map_err(failed)
    };
    let mut scrubs = Vec::new();
    for seed in config.seed..config.seed + SEEDS {
        let outputs = scrubber.shared_noise(&hypothesis, &mut rng(seed, "mechanism: joint scrub")).map_err(failed)?;
        scrubs.push(measure(&outputs, seed)?);
    }
    let treeified = match scrubber.treeified(&hypothesis, 128, &mut rng(config.seed, "mechanism: treeified")) {
        Ok(outputs) => Some(measure(&outputs, config.seed)?),
        Err(scrub::Error::TooDeep { .. }) => None,
        Err(error) => return Err(failed(error)),
    };
    let swaps =
        Swaps { network, scrubber: &scrubber, sample: confirm, flat, features, columns: &columns, found, config };
    let sites: Vec<Site> = plan.sites.iter().map(|site| swaps.again(site)).collect::<Result<_, _>>()?;
    let setting = Setting { scrubber: &scrubber, sample: confirm, decode, config };
    let selected = setting.together(&plan.selectors)?;
    let parts = Parts { graph, features, found };
    let exact = parts.untested(&found.alone(confirm, &columns), &sites);
    let joined: Vec<Joined> = sites.iter().map(|site| parts.joined(site)).collect();
    let reasons = missing(&scrubs, treeified.as_ref(), &exact, &joined);
    (config.progress)("mechanism: controls");
    let observed = scrubs.iter().map(|effect| effect.recovered).fold(f64::INFINITY, f64::min);
    let mut claimed: Vec<usize> = sites.iter().flat_map(|site| site.variable.iter().copied()).collect();
    claimed.sort_unstable();
    claimed.dedup();
    let test =
        Test { network, scrubber: &scrubber, confirm, hypothesis: &hypothesis, found, claimed, observed, config };
    // Where something is missing anyway, what the other families say can decide nothing.
    let controls = if reasons.is_empty() { test.controls(features, &columns)? } else { test.permuted_alone()? };
    let (mechanism, reasons) = conclude(reasons, &joined, &controls);
    Ok(Mechanics {
        circuit: parts.circuit(components),
        n_edges: components.edges().len(),
        carried: parts.carried(),
        exact,
        scrubs,
        treeified,
        classes: hypothesis.sizes(),
        tested: confirm.pool.tested(&hypothesis),
        sites: joined,
        selectors: plan.selectors.found.clone(),
        selected,
        controls,
        mechanism,
        reasons,
    })
}

fn failed(error: scrub::Error) -> Error {
    match error {
        scrub::Error::Constant => Error::Constant,
        other => Error::Network(other.to_string()),
    }
}

/// What was found, in words.
struct Parts<'a> {
    graph: &'a Graph,
    features: &'a [Feature],
    found: &'a Found,
}

impl Parts<'_> {
    fn edge(&self, edge: &Edge) -> NamedEdge {
        (self.graph.name(edge.0).to_owned(), circuit_name(self.graph, edge.1).to_owned())
    }

    fn circuit(&self, components: &Components) -> Vec<NamedEdge> {
        let kept = components.edges().iter().filter(|edge| !self.found.cut.contains(edge));
        kept.map(|edge| self.edge(edge)).collect()
    }

    fn terms(&self, key: &[usize]) -> Vec<Term> {
        key.iter().map(|&feature| self.features[feature].term.clone()).collect()
    }

    fn carried(&self) -> Vec<CarriedTerms> {
        let one = |carried: &search::Carried| CarriedTerms {
            edges: carried.edges.iter().map(|edge| self.edge(edge)).collect(),
            terms: self.terms(&carried.key),
        };
        self.found.carried.iter().map(one).collect()
    }

    /// Edges that no evidence speaks of: without a variable, or with classes in which too many inputs are `alone` to be
    /// tested by scrubbing, and in no interchange that passes. What an embedding is read for is the input itself, and no
    /// claim.
    fn untested(&self, alone: &[Edge], sites: &[Site]) -> Vec<NamedEdge> {
        let is_input = |node: NodeId| self.graph.name(node).ends_with("embed");
        let interchanged = |edge: &Edge| sites.iter().any(|site| site.passes() && site.edges().contains(edge));
        let edges = self.found.exact.iter().chain(alone);
        edges.filter(|edge| !is_input(edge.0) && !interchanged(edge)).map(|edge| self.edge(edge)).collect()
    }

    fn joined(&self, site: &Site) -> Joined {
        Joined {
            terms: self.terms(&site.variable),
            agree: self.terms(&site.agree),
            writers: site.writers.iter().map(|&node| self.graph.name(node).to_owned()).collect(),
            interchange: site.result.clone(),
            control: site.control,
            bits: site.bits,
            passes: site.passes(),
        }
    }
}

/// What is missing from a verified mechanism before controls are asked, in words.
fn missing(scrubs: &[Effect], treeified: Option<&Effect>, exact: &[NamedEdge], sites: &[Joined]) -> Vec<String> {
    let mut reasons = Vec::new();
    let worst = |of: &dyn Fn(&Effect) -> f64| scrubs.iter().chain(treeified).map(of).fold(f64::INFINITY, f64::min);
    let (matches, recovered) = (worst(&|e| e.sequence_matches), worst(&|e| e.recovered));
    let holds = matches >= LEAST.0 && recovered >= LEAST.1;
    if !holds {
        reasons.push(format!(
            "the joint scrub leaves {matches:.3} of the sequences as they are and recovers {recovered:.3}, short of {} and {}",
            LEAST.0, LEAST.1
        ));
    }
    if !exact.is_empty() {
        reasons.push(format!("no evidence speaks of what {} edges carry", exact.len()));
    }
    let failed = sites.iter().filter(|site| !site.passes).count();
    if failed > 0 {
        reasons.push(format!("interchanging {failed} of {} variables does not do what the program says", sites.len()));
    }
    if sites.is_empty() {
        reasons.push("no variable of the program was found at any site".to_owned());
    }
    reasons
}

/// What the evidence establishes, and what is missing.
fn conclude(mut reasons: Vec<String>, sites: &[Joined], controls: &Families) -> (Mechanism, Vec<String>) {
    let (stands, passed) = (reasons.is_empty(), sites.iter().any(|site| site.passes));
    let mechanism = Mechanism::of(|beaten| {
        match (stands && beaten(controls.standing()), passed && beaten(controls.columns.standing())) {
            (true, _) => Mechanism::Verified,
            (false, true) => Mechanism::Partial,
            (false, false) => Mechanism::Unverified,
        }
    });
    match controls.standing() {
        Standing::Beaten => {}
        Standing::Reached => reasons.push("controls without content reach as much".to_owned()),
        Standing::Cut => reasons.push(CUT.to_owned()),
    }
    (mechanism, reasons)
}
