//! How a causal transformer computes what a program says: which edges matter, what each of them carries, and how far
//! interventions bear that out.

mod features;
mod flat;
mod sample;
mod search;
mod swap;

use dsl::{Language, Term};
use graph::{Graph, Network, NodeId};
use samples::{Sort, Symbol, rng};
use scrub::{
    ClassSizes, Components, Controls, Edge, Effect, Interchange, Loss, Scrub, ScrubConfig, Scrubber, Variant,
    circuit_name,
};

use crate::{Aligned, Config, Error, Mechanism};
use features::Feature;
use flat::Flat;
use sample::{Half, Sample};
use search::{Found, Search};
use swap::{Site, Swaps};

/// Multiply-adds that one forward pass of the search may cost, about.
const PASS: f64 = 6e8;
/// Points of a sample.
const POINTS: (usize, usize) = (1_500, 4_000);
/// Seeds that the joint scrub is repeated with.
const SEEDS: u64 = 3;
/// What the joint scrub must keep: sequences as they are, and the recovered fraction.
const LEAST: (f64, f64) = (0.95, 0.98);
/// Controls of each kind.
const CONTROLS: usize = 39;

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
    /// Edges between components for which no variable was found.
    pub exact: Vec<NamedEdge>,
    /// The joint scrub on inputs that played no part in the search, per seed: shared noise.
    pub scrubs: Vec<Effect>,
    /// The treeified one, where it is affordable.
    pub treeified: Option<Effect>,
    /// How large the classes were, over all edges.
    pub classes: ClassSizes,
    /// Variables, with the sites that carry them.
    pub sites: Vec<Joined>,
    /// Permuted variables.
    pub controls: Controls,
    /// Random circuits.
    pub circuits: Controls,
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
            exact_edges: self.exact.clone(),
            controls: self.controls,
            circuits: Some(self.circuits),
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

/// Explains how a network computes what a program says.
///
/// # Errors
/// A network or a program that cannot be run. That nothing is found is no error.
pub fn explain(network: &Network, program: &Term, config: &Config<'_>) -> Result<Mechanics, Error> {
    let graph = network.graph(0);
    let components = Components::new(&graph).map_err(failed)?;
    let n_points = ((PASS / network.n_parameters() as f64) as usize).clamp(POINTS.0, POINTS.1);
    let explore = Sample::draw(network, &graph, Half::Explore, n_points, config)?;
    let flat = Flat::new(program, explore.inputs(config))?;
    let (features, columns) = features::features(&flat, &explore, explore.inputs(config))?;
    let scrubber = Scrubber::new(&graph, &components, &explore.pool);
    let decode = &network.domain.decode;
    let search =
        Search { scrubber: &scrubber, sample: &explore, decode, features: &features, columns: &columns, config };
    (config.progress)("mechanism: cutting edges");
    let cut = search.cut()?;
    (config.progress)("mechanism: joining variables to edges");
    let found = search.join(cut)?;
    (config.progress)("mechanism: interventions");
    let confirm = Sample::draw(network, &graph, Half::Confirm, n_points, config)?;
    let columns = features::values(&features, &flat, confirm.inputs(config))?;
    let scrubber = Scrubber::new(&graph, &components, &confirm.pool);
    let hypothesis = found.on(&confirm, &columns);
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
    let swaps = Swaps {
        network,
        scrubber: &scrubber,
        sample: &confirm,
        flat: &flat,
        features: &features,
        columns: &columns,
        found: &found,
        config,
    };
    let sites = swaps.sites()?;
    (config.progress)("mechanism: controls");
    // Without controls nothing is verified.
    let draws = if (config.deadline)() { 0 } else { CONTROLS };
    let observed = scrubs.iter().map(|effect| effect.recovered).fold(f64::INFINITY, f64::min);
    let noise = Variant::SharedNoise;
    let controls =
        scrub::permuted_columns(&scrubber, decode, &hypothesis, noise, draws, observed, config.seed).map_err(failed)?;
    let circuits = scrub::random_circuits(&scrubber, decode, &hypothesis, draws, config.seed).map_err(failed)?;
    let corrected = scrub::holm(&[controls.p_value, circuits.p_value]);
    let controls = Controls { corrected: corrected[0], ..controls };
    let circuits = Controls { corrected: corrected[1], ..circuits };
    let parts = Parts { graph: &graph, features: &features, found: &found };
    let exact = parts.untested();
    let joined: Vec<Joined> = sites.iter().map(|site| parts.joined(site)).collect();
    let (mechanism, reasons) = conclude(&scrubs, treeified.as_ref(), &exact, &joined, &[controls, circuits]);
    Ok(Mechanics {
        circuit: parts.circuit(&components),
        n_edges: components.edges().len(),
        carried: parts.carried(),
        exact,
        scrubs,
        treeified,
        classes: hypothesis.sizes(),
        sites: joined,
        controls,
        circuits,
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

    /// Edges without a variable; what an embedding is read for is the input itself, and no claim.
    fn untested(&self) -> Vec<NamedEdge> {
        let is_input = |node: NodeId| self.graph.name(node).ends_with("embed");
        self.found.exact.iter().filter(|edge| !is_input(edge.0)).map(|edge| self.edge(edge)).collect()
    }

    fn joined(&self, site: &Site) -> Joined {
        Joined {
            terms: self.terms(&site.variable),
            agree: self.terms(&site.agree),
            writers: site.writers.iter().map(|&node| self.graph.name(node).to_owned()).collect(),
            interchange: site.result.clone(),
            passes: site.passes(),
        }
    }
}

/// What the evidence establishes, and what is missing.
fn conclude(
    scrubs: &[Effect],
    treeified: Option<&Effect>,
    exact: &[NamedEdge],
    sites: &[Joined],
    controls: &[Controls],
) -> (Mechanism, Vec<String>) {
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
        reasons.push(format!("no variable was found for {} edges", exact.len()));
    }
    let failed = sites.iter().filter(|site| !site.passes).count();
    if failed > 0 {
        reasons.push(format!("interchanging {failed} of {} variables does not do what the program says", sites.len()));
    }
    if sites.is_empty() {
        reasons.push("no variable of the program was found at any site".to_owned());
    }
    if controls.iter().any(|controls| controls.draws == 0) {
        reasons.push("time was up before controls were run".to_owned());
    }
    let beaten = controls.iter().all(|controls| controls.corrected <= 0.05);
    if !beaten {
        reasons.push("controls without content reach as much".to_owned());
    }
    let passed = sites.iter().any(|site| site.passes);
    let mechanism = match (reasons.is_empty(), passed && controls[0].corrected <= 0.05) {
        (true, _) => Mechanism::Verified,
        (false, true) => Mechanism::Partial,
        (false, false) => Mechanism::Unverified,
    };
    (mechanism, reasons)
}
