//! Causal scrubbing: does the network compute it this way?
//!
//! A hypothesis says which site of the network carries which variable of a program. If that is so, a site's value can
//! be replaced by its value on any other input on which the variable is the same, and the output must not change
//! (Chan et al. 2022). [`scrub`] does this to all sites at once and reports how much of the network's behaviour is
//! recovered, with a bootstrap interval, and beside it how much is recovered when the variables' values are permuted
//! over the inputs: what an alignment without content reaches.
//!
//! Underneath lies a verifier for hypotheses about single edges, [`Scrubber`] over a [`Pool`], that decides nothing: what
//! is claimed about which edge is its caller's business, what happens then is measured ([`effect`]).
//!
//! This crate gets an alignment and never makes one. Extensionally equal variables are not told apart, and a variable
//! that is different on every input passes vacuously: class sizes are reported for that.

mod alternatives;
mod circuit;
mod classes;
mod components;
mod controls;
mod determined;
mod engine;
mod interchange;
mod occurrences;
mod pool;
mod recurrent;
mod statistics;
mod variables;

use std::collections::BTreeMap;

use dsl::{Env, Language, Node, Scan, Term};
use graph::{Graph, Matrix, Network, NodeId, Recurrence};
use samples::{Batch, Column, Decode, Domain, Rng, UNDEFINED, rng};

pub use alternatives::{Alternative, RandomControls, alternatives, independent};
use alternatives::{Claimed, Sites, Usable, share, usable};
pub use circuit::{Ablated, CircuitConfig, CircuitReport, CircuitTests, circuit_tests, test_circuit};
pub use classes::{ClassSizes, Classes};
use components::is_writer;
pub use components::{Components, Edge, circuit_name};
pub use controls::{Controls, Draws, Extent, Families, Standing, permuted_columns, random_circuits};
use determined::is_read_in_place;
pub use determined::undetermined;
pub use engine::{Ablation, EdgeHypothesis, Pass, Scrubber, Treatment, Variant};
pub use interchange::{Along, Interchange, Swap, along, counterfactual, interchange, partners};
pub use pool::Pool;
use recurrent::Chain;
use statistics::pool_losses;
pub use statistics::{Effect, Loss, holm};
pub use variables::{Beside, Exchange, Part, UNEXPLAINED, Variables, variables};

/// One claim of an alignment: a site carries the value of a term.
#[derive(Clone, Debug)]
pub struct Claim {
    /// A term over the domain's inputs.
    pub subterm: Term,
    /// A node's name; `h[t]` stands for the hidden state after every element.
    pub site: String,
}

/// How much to scrub.
#[derive(Clone, Copy)]
pub struct ScrubConfig<'a> {
    /// The seed of inputs, donors and controls.
    pub seed: u64,
    /// Input sequences.
    pub samples: usize,
    /// Controls of a kind at most.
    pub controls: usize,
    /// Bootstrap resamples of the interval.
    pub bootstrap: usize,
    /// True when controls have had their time.
    pub late: &'a (dyn Fn() -> bool + Sync),
}

impl Default for ScrubConfig<'_> {
    fn default() -> Self {
        Self { seed: 0, samples: 2048, controls: 99, bootstrap: 1000, late: &|| false }
    }
}

/// What scrubbing showed.
#[derive(Clone, PartialEq, Debug)]
pub struct Scrub {
    /// How draws were made.
    pub variant: Variant,
    /// `1 - L(scrubbed) / L(shuffled)`, unclipped.
    pub recovered: f64,
    /// Its central 95 % over bootstrap resamples of the sequences.
    pub interval: (f64, f64),
    /// Sequences.
    pub samples: usize,
    /// What L is.
    pub loss: Loss,
    /// The share of outputs that scrubbing left as they were, after decoding.
    pub matches: f64,
    /// The share of sequences that scrubbing left as they were, after decoding.
    pub sequence_matches: f64,
    /// The loss that 95 % of the sequences stay below, relative to the mean shuffled loss.
    pub tail: f64,
    /// The loss of the worst sequence, relative to the mean shuffled loss.
    pub worst: f64,
    /// How large the classes were that donors were drawn from.
    pub classes: ClassSizes,
    /// The share of outputs for which there were donors beside the inputs themselves. Others say nothing, and the rest of
    /// this speaks of these alone.
    pub tested: f64,
    /// Edges that were not tested, because their writer carries no variable.
    pub exact_edges: Vec<(String, String)>,
    /// What hypotheses without content reach.
    pub controls: Families,
}

/// Why nothing was scrubbed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No claim was made.
    #[error("the alignment names no site")]
    Empty,
    /// A claim names a node that the network does not have.
    #[error("the network has no site `{site}`; expected {expected}")]
    Site {
        /// As claimed.
        site: String,
        /// What it could have been.
        expected: String,
    },
    /// A term of the alignment could not be evaluated.
    #[error("the aligned term cannot be evaluated: {0}")]
    Term(String),
    /// The network could not be run.
    #[error("the network cannot be run: {0}")]
    Network(String),
    /// All outputs are the same.
    #[error("the outputs hardly differ between inputs, so there is nothing to recover")]
    Constant,
    /// No value can be replaced.
    #[error(
        "no other input has the same values of the variables, so there is nothing to replace and nothing is tested"
    )]
    Vacuous,
    /// The treeified graph is too large.
    #[error("the treeified graph evaluates {found} nodes, at most {limit} are allowed; use the shared-noise variant")]
    TooDeep {
        /// Evaluations.
        found: f64,
        /// Allowed.
        limit: usize,
    },
    /// Networks of this kind are not scrubbed.
    #[error("scrubbing of this kind of network is not supported: {0}")]
    Unsupported(&'static str),
}

/// The site that stands for the hidden state after every element.
pub const STATE_SITE: &str = "h[t]";

/// Scrubs all claims of an alignment at once.
///
/// # Errors
/// An alignment that names no site, or one that the network does not have; terms that cannot be evaluated; a network
/// whose outputs are the same on all inputs.
pub fn scrub(
    network: &Network,
    language: &Language,
    program: &Term,
    claims: &[Claim],
    circuit: Option<&[(String, String)]>,
    config: &ScrubConfig<'_>,
) -> Result<Scrub, Error> {
    let Some(net) = network.recurrence() else {
        if claims.is_empty() {
            return Err(Error::Empty);
        }
        return scrub_graph(network, language, claims, circuit, config);
    };
    if let Some(claim) = claims.iter().find(|claim| claim.site != STATE_SITE) {
        return Err(Error::Site { site: claim.site.clone(), expected: format!("`{STATE_SITE}`") });
    }
    scrub_states(network, net, language, program, claims, config)
}

/// The share of samples without a donor from which on a scrub of a recurrent network looks for others.
const VACUOUS: f64 = 0.2;

/// Uniform inputs of the greatest length, or some recorded inputs of the commonest length.
fn inputs(network: &Network, n: usize, seed: u64) -> Batch {
    inputs_of_length(network, n, check::longest_length(&network.domain), seed)
}

/// Uniform inputs of a length, or some recorded inputs of the commonest length.
fn inputs_of_length(network: &Network, n: usize, length: usize, seed: u64) -> Batch {
    let domain = &network.domain;
    if let samples::Elements::Recorded { inputs, .. } = &domain.elements {
        let groups = inputs.rows_by_length();
        let rows =
            groups.iter().max_by_key(|(_, rows)| rows.len()).map(|(_, rows)| rows.as_slice()).unwrap_or_default();
        return inputs.select(&rows[..rows.len().min(n)]);
    }
    domain.sample_of_length(n, length, &mut rng(seed, "scrub inputs"))
}

/// The share of outputs beside the commonest one of their position below which uniform inputs say too little.
const RARE: f64 = 0.05;
/// Inputs among which such are chosen that have other outputs, for every one that is wanted.
const CHOICE: usize = 8;

/// Inputs as [`inputs_of_length`] draws them, unless the network says the same on nearly all of these: half of them are then
/// chosen among many, half of which have structure, for an output that is not the commonest one of its position.
///
/// # Errors
/// A network that cannot be run.
fn telling_inputs(network: &Network, n: usize, length: usize, seed: u64) -> Result<Batch, Error> {
    let usual = inputs_of_length(network, n, length, seed);
    if matches!(network.domain.elements, samples::Elements::Recorded { .. }) {
        return Ok(usual);
    }
    let (share, _) = uncommon(network, &usual, length)?;
    if share >= RARE {
        return Ok(usual);
    }
    let domain = Domain { length: (length, length), ..network.domain.clone() };
    let many = domain.sample(CHOICE * n, &mut rng(seed, "scrub choice"));
    let (_, mut rows) = uncommon(network, &many, length)?;
    rows.truncate(n / 2);
    let mut batch = many.select(&rows);
    batch.extend(&usual.select(&(0..n - rows.len()).collect::<Vec<_>>()));
    Ok(batch)
}

/// The share of a network's outputs, on sequences of one length, that are not the commonest one of their position, and the
/// sequences that have one.
fn uncommon(network: &Network, batch: &Batch, length: usize) -> Result<(f64, Vec<usize>), Error> {
    let outputs = network.outputs(batch).map_err(pool::failed)?;
    let n = batch.n_sequences();
    let mut rows = vec![0; n];
    for column in &outputs {
        for position in 0..length {
            let codes: Vec<i64> = (0..n).map(|row| column.codes[row * length + position]).collect();
            let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
            codes.iter().filter(|&&code| code != UNDEFINED).for_each(|&code| *counts.entry(code).or_default() += 1);
            let common = counts.into_iter().max_by_key(|&(_, count)| count).map(|(code, _)| code);
            for (row, code) in codes.into_iter().enumerate().filter(|&(_, code)| code != UNDEFINED) {
                rows[row] += usize::from(Some(code) != common);
            }
        }
    }
    let all = (n * length * outputs.len()).max(1);
    let share = rows.iter().sum::<usize>() as f64 / all as f64;
    Ok((share, (0..n).filter(|&row| rows[row] > 0).collect()))
}

/// What scrubbing some edges did to the outputs `[cells, outputs]` of a pool. An output is paired, for comparison, with
/// that of another cell of its role.
///
/// # Errors
/// [`Error::Constant`], [`Error::Vacuous`].
pub fn effect(
    decode: &Decode,
    pool: &Pool,
    roles: &Classes,
    outputs: &Matrix,
    config: &ScrubConfig<'_>,
) -> Result<Effect, Error> {
    let partner = roles.permute(&mut rng(config.seed, "scrub shuffle"));
    let losses = pool_losses(decode, pool, &partner, outputs);
    Effect::of(&losses, config.bootstrap, &mut rng(config.seed, "scrub bootstrap"))
}

/// Multiply-adds that one scrub of a transformer may cost, about: fewer sequences are run where it is large.
const GRAPH_BUDGET: f64 = 1e8;
/// Sequences that a transformer is scrubbed on, at least.
const LEAST: usize = 128;
/// Controls of transformers run on one of so many of the sequences: what they reach is far from what is observed, if that is
/// to be beaten.
const CONTROL_SHARE: usize = 8;
/// Those of recurrent networks on one of so many, and on how many at least: fewer sequences meet in fewer states.
const STATES_SHARE: usize = 4;
const LEAST_STATES: usize = 512;
/// Evaluations of nodes that the treeified variant may take; beyond, noise is shared.
const OCCURRENCES: usize = 512;
/// Controls of the kinds that cost a scrub of the network each: two of 39 draws can both be beaten at the 5 % level after
/// Holm's correction, beside others of [`CHEAP`].
const CONTROLS: usize = 39;
/// Controls of the kinds of which most are beaten before they are run.
const CHEAP: usize = 99;

/// Scrubs at the greatest length at which the outputs differ between inputs at all, and values have others to be replaced by.
fn scrub_graph(
    network: &Network,
    language: &Language,
    claims: &[Claim],
    circuit: Option<&[(String, String)]>,
    config: &ScrubConfig<'_>,
) -> Result<Scrub, Error> {
    let longest = check::longest_length(&network.domain);
    let shortest = match &network.domain.elements {
        samples::Elements::Recorded { .. } => longest,
        _ => network.domain.length.0.min(longest),
    };
    let mut found = Err(Error::Constant);
    for length in (shortest..=longest).rev() {
        found = scrub_at(network, language, claims, circuit, length, config);
        if !matches!(found, Err(Error::Constant | Error::Vacuous)) {
            break;
        }
    }
    found
}

/// A hypothesis on some input sequences.
struct Posed {
    batch: Batch,
    /// The values of all claimed terms.
    columns: Vec<Column>,
    /// It counts the outputs that the hypothesis says something of.
    pool: Pool,
    hypothesis: EdgeHypothesis,
    /// Their share.
    tested: f64,
}

fn scrub_at(
    network: &Network,
    language: &Language,
    claims: &[Claim],
    circuit: Option<&[(String, String)]>,
    length: usize,
    config: &ScrubConfig<'_>,
) -> Result<Scrub, Error> {
    let graph = network.graph(0);
    let components = Components::new(&graph)?;
    let nodes = claim_nodes(&graph, claims)?;
    let per_sequence = network.n_parameters() as f64 * length as f64 * 2.0;
    let n = ((GRAPH_BUDGET / per_sequence.max(1.0)) as usize).clamp(LEAST, (config.samples / 2).max(LEAST));
    let posed = |n: usize| -> Result<Posed, Error> {
        let batch = telling_inputs(network, n, length, config.seed)?;
        let columns = evaluate(network, language, claims, &batch)?;
        let pool = Pool::new(network, &graph, &batch, None)?;
        let hypothesis = claimed(&graph, &components, &pool, &nodes, &columns, circuit);
        let tested = pool.tested(&hypothesis);
        Ok(Posed { batch, columns, pool: pool.with_tested(&hypothesis), hypothesis, tested })
    };
    let all = posed(n)?;
    let Posed { pool, hypothesis, .. } = &all;
    let scrubber = Scrubber::new(&graph, &components, pool);
    let variant = match scrubber.occurrences(hypothesis) <= OCCURRENCES as f64 {
        true => Variant::Treeified,
        false => Variant::SharedNoise,
    };
    let run = |hypothesis: &EdgeHypothesis, rng: &mut Rng| match variant {
        Variant::Treeified => scrubber.treeified(hypothesis, OCCURRENCES, rng),
        Variant::SharedNoise => scrubber.shared_noise(hypothesis, rng),
    };
    let decode = &network.domain.decode;
    let outputs = run(hypothesis, &mut rng(config.seed, "scrub donors"))?;
    let effect = effect(decode, pool, &hypothesis.roles, &outputs, config)?;
    // Controls run with shared noise and on fewer sequences, which is cheap, and so does what they are held against.
    let controls = |Posed { batch, columns, pool, hypothesis, .. }: &Posed| -> Result<Families, Error> {
        let scrubber = Scrubber::new(&graph, &components, pool);
        let draws =
            Draws { n: CONTROLS.min(config.controls), extent: Extent::Sample, seed: config.seed, late: config.late };
        let observed = share(&scrubber, decode, hypothesis, config.seed, "scrub controls")?.ok_or(Error::Constant)?;
        // Classes of what is read in place are of places that count, and stay so.
        let counts = pool.counts();
        let among = hypothesis.roles.meet(&pool.classes(|point| counts[point]));
        let permuted =
            permuted_columns(&scrubber, decode, (hypothesis, &among), Variant::SharedNoise, observed, &draws)?;
        let circuits = match circuit.is_some() {
            true => random_circuits(&scrubber, decode, hypothesis, &draws)?,
            false => None,
        };
        let cheap = Draws { n: CHEAP.min(config.controls), ..draws };
        let claimed = claimed_sites(claims, &nodes, columns);
        let (alignments, programs) = match cheap.n {
            0 => (None, None),
            _ => {
                let in_place = |writer: &NodeId| is_read_in_place(circuit, graph.name(*writer));
                let in_place = components.writers().iter().copied().filter(in_place).collect();
                let sites = Sites::new(&scrubber, decode, hypothesis, (&claimed, in_place), observed)?;
                (sites.elsewhere(&cheap)?, sites.programs(network, language, batch, &cheap)?)
            }
        };
        Ok(Families::new(permuted, circuits, alignments, programs))
    };
    let controls = on_few(&all, n, (n / CONTROL_SHARE).max(LEAST), posed, controls)?;
    let exact = |edge: &&Edge| hypothesis.treatment(**edge) == Treatment::Exact;
    let name = |edge: &Edge| (graph.name(edge.0).to_owned(), circuit_name(&graph, edge.1).to_owned());
    Ok(Scrub {
        variant,
        recovered: effect.recovered,
        interval: effect.interval,
        samples: effect.sequences,
        loss: Loss::of(decode),
        matches: effect.matches,
        sequence_matches: effect.sequence_matches,
        tail: effect.tail,
        worst: effect.worst,
        classes: hypothesis.sizes(),
        tested: all.tested,
        exact_edges: components.edges().iter().filter(exact).map(name).collect(),
        controls,
    })
}

/// The hypothesis that writers carry the variables claimed of them to all their readers in the circuit, position by
/// position; where no circuit is given, to all. What is read at its own place alone is claimed of places whose output
/// counts, and gets donors from such.
fn claimed(
    graph: &Graph,
    components: &Components,
    pool: &Pool,
    nodes: &[NodeId],
    columns: &[Column],
    circuit: Option<&[(String, String)]>,
) -> EdgeHypothesis {
    let mut hypothesis = EdgeHypothesis::new(pool.classes(|point| pool.position(point)));
    let mut writers = nodes.to_vec();
    writers.sort_unstable();
    writers.dedup();
    let counts = pool.counts();
    for writer in &writers {
        let in_place = is_read_in_place(circuit, graph.name(*writer));
        let here: Vec<&Column> = columns.iter().zip(nodes).filter(|(_, at)| *at == writer).map(|(c, _)| c).collect();
        let key = |point: usize| -> Vec<i64> {
            let codes = here.iter().map(|column| column.codes.get(point).copied().unwrap_or(UNDEFINED));
            let place = [pool.position(point) as i64, i64::from(in_place && counts[point])];
            place.into_iter().chain(codes).collect()
        };
        hypothesis.classes.push(pool.classes(key));
    }
    for &edge in components.edges() {
        let (from, to) = (graph.name(edge.0), circuit_name(graph, edge.1));
        let absent = circuit.is_some_and(|edges| !edges.iter().any(|(a, b)| a == from && b == to));
        let treatment = match (absent, writers.binary_search(&edge.0)) {
            (true, _) => Treatment::Cut,
            (false, Ok(variable)) => Treatment::Class { variable, joint: false },
            (false, Err(_)) => Treatment::Exact,
        };
        hypothesis.edges.insert(edge, treatment);
    }
    hypothesis
}

/// What is claimed of every site, in the order of the hypothesis's variables.
fn claimed_sites(claims: &[Claim], nodes: &[NodeId], columns: &[Column]) -> Vec<Claimed> {
    let mut sites: BTreeMap<NodeId, Claimed> = BTreeMap::new();
    for ((claim, &writer), column) in claims.iter().zip(nodes).zip(columns) {
        let site = sites.entry(writer).or_insert(Claimed { writer, terms: Vec::new(), columns: Vec::new() });
        site.terms.push(claim.subterm.clone());
        site.columns.push(column.clone());
    }
    sites.into_values().collect()
}

/// The node that every claim names.
fn claim_nodes(graph: &graph::Graph, claims: &[Claim]) -> Result<Vec<NodeId>, Error> {
    let node = |claim: &Claim| {
        let found = graph.find(&claim.site).filter(|_| is_writer(&claim.site));
        found.ok_or_else(|| {
            let names: Vec<&str> = graph.nodes().map(|id| graph.name(id)).filter(|n| is_writer(n)).collect();
            Error::Site { site: claim.site.clone(), expected: names.join(", ") }
        })
    };
    claims.iter().map(node).collect()
}

/// The values of all claimed terms on a batch.
fn evaluate(network: &Network, language: &Language, claims: &[Claim], batch: &Batch) -> Result<Vec<Column>, Error> {
    let vars = network.domain.columns(batch);
    let env = Env { language, points: &batch.points(), vars: &vars, causal: network.is_causal() };
    let value = |claim: &Claim| dsl::eval(&claim.subterm, &env).map_err(|error| Error::Term(error.to_string()));
    claims.iter().map(value).collect()
}

/// Scrubs the states of a recurrent network: what the next step reads by the claimed variables, what the read-out reads by the
/// program's outputs.
///
/// # Errors
/// [`Error::Constant`]; terms that cannot be evaluated.
fn scrub_states(
    network: &Network,
    net: &Recurrence,
    language: &Language,
    program: &Term,
    claims: &[Claim],
    config: &ScrubConfig<'_>,
) -> Result<Scrub, Error> {
    // A program without states carries nothing from step to step; what it claims of a state is its output there.
    let carries = matches!(program.node(), Node::Scan(scan) if !scan.states.is_empty());
    let decode = &network.domain.decode;
    let posed = |batch: Batch| -> Result<Chain<'_>, Error> {
        let carried = if carries { evaluate(network, language, claims, &batch)? } else { Vec::new() };
        let env = Env { language, points: &batch.points(), vars: &network.domain.columns(&batch), causal: true };
        let shown = dsl::eval_program(program, &env).map_err(|error| Error::Term(error.to_string()))?;
        Ok(Chain::new(net, decode, batch, carried, shown, config.seed))
    };
    let mut chain = posed(inputs(network, config.samples, config.seed))?;
    let mut classes = chain.sizes();
    // Where states hardly ever repeat there are no donors; sequences of few different elements meet in more states.
    for kinds in [3, 2] {
        if classes.vacuous_share() < VACUOUS {
            break;
        }
        let few = posed(recurrent::few_elements(network, config.samples, kinds, config.seed))?;
        let of_few = few.sizes();
        if of_few.vacuous_share() < classes.vacuous_share() && few.effect(0).is_ok() {
            (chain, classes) = (few, of_few);
        }
    }
    let effect = chain.effect(config.bootstrap)?;
    let controls = |chain: &Chain<'_>| {
        let random =
            |more: usize, rng: &mut Rng| random_states(network, language, program, claims, chain.batch(), (more, rng));
        chain.controls(if carries { Some(&random) } else { None }, config)
    };
    let few = (chain.batch().n_sequences() / STATES_SHARE).max(LEAST_STATES);
    let controls = on_few(&chain, chain.batch().n_sequences(), few, |few| posed(chain.first(few)), controls)?;
    Ok(Scrub {
        variant: Variant::Treeified,
        recovered: effect.recovered,
        interval: effect.interval,
        samples: effect.sequences,
        loss: Loss::of(decode),
        matches: effect.matches,
        sequence_matches: effect.sequence_matches,
        tail: effect.tail,
        worst: effect.worst,
        classes,
        tested: 1.0 - classes.vacuous_share(),
        exact_edges: Vec::new(),
        controls,
    })
}

/// What controls reach on fewer sequences, which is cheap and so far from what is observed that no more are needed; on all
/// where there are no fewer, or these have equal outputs though more have not.
fn on_few<P>(
    all: &P,
    n: usize,
    few: usize,
    posed: impl FnOnce(usize) -> Result<P, Error>,
    controls: impl Fn(&P) -> Result<Families, Error>,
) -> Result<Families, Error> {
    let found = if few < n { controls(&posed(few)?) } else { Err(Error::Constant) };
    match found {
        Err(Error::Constant) => controls(all),
        found => found,
    }
}

/// The states that some claims name, of a random machine with the same states.
fn random_states(
    network: &Network,
    language: &Language,
    program: &Term,
    claims: &[Claim],
    batch: &Batch,
    (more, rng): (usize, &mut Rng),
) -> Option<Vec<Column>> {
    let drawn = check::RandomTerms::new(language, &network.domain).like(program, more, rng)?;
    let Node::Scan(machine) = drawn.node() else { return None };
    let shown = |claim: &Claim| match claim.subterm.node() {
        Node::Scan(scan) if scan.states.len() == machine.states.len() => Some(scan.outputs.clone()),
        _ => None,
    };
    let outputs = claims.iter().map(shown).collect::<Option<Vec<Vec<Term>>>>()?.concat();
    let scan = Term::new(Node::Scan(Scan { states: machine.states.clone(), outputs }));
    let env = Env { language, points: &batch.points(), vars: &network.domain.columns(batch), causal: true };
    dsl::eval_program(&scan, &env).ok()
}

#[cfg(test)]
mod tests;
