//! What the judges' evidence establishes of an alignment.

use check::Machine;
use graph::Network;
use scrub::{CircuitReport, Claim, Exchange, Families, Interchange, Scrub, ScrubConfig, Standing, Variables};

use crate::mechanism::{Mechanics, explain};
use crate::search::{CUT, is_causal_language};
use crate::{Config, Halves, Hypothesis, JudgeLimits, Mechanism};

/// What was measured of an alignment, and what follows.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What scrubbing all sites showed, or why it was not done.
    pub scrub: Result<Scrub, String>,
    /// What interchanging the values of single sites showed; none for recurrent networks.
    pub interchange: Vec<Interchange>,
    /// What exchanging the variables in the hidden state showed; of recurrent networks.
    pub variables: Option<Variables>,
    /// What follows.
    pub mechanism: Mechanism,
    /// What is missing from a verified mechanism, in words; why nothing could be measured is in `scrub`.
    pub missing: Vec<String>,
}

impl Judged {
    /// Nothing could be measured.
    pub(crate) fn untested(reason: String) -> Self {
        Self {
            scrub: Err(reason),
            interchange: Vec::new(),
            variables: None,
            mechanism: Mechanism::Unverified,
            missing: Vec::new(),
        }
    }

    /// What was found edge by edge.
    pub(crate) fn explained(found: &Mechanics) -> Self {
        let interchange = found.sites.iter().map(|site| site.interchange.clone()).collect();
        let (mechanism, missing) = (found.mechanism, found.reasons.clone());
        Self { scrub: Ok(found.scrub()), interchange, variables: None, mechanism, missing }
    }
}

/// Judges the alignment of a hypothesis from elsewhere as deciphering does its own. In causal transformers over recorded
/// sequences, what carries the variables of the program is looked for anew, since what a site seems to carry by itself is
/// too weak a test there; what the hypothesis claims has to be among what is found.
pub fn judge_claims(network: &Network, hypothesis: &Hypothesis, config: &Config<'_>, limits: &JudgeLimits) -> Judged {
    if !is_causal_language(network) {
        return judge_alignment(network, hypothesis, config, &limits.on(network));
    }
    let halves = Halves::of(network, config.seed);
    let found = match explain(&halves, std::slice::from_ref(&hypothesis.program), config) {
        Ok((_, found)) => found,
        Err(error) => return Judged::untested(error.to_string()),
    };
    let carried = found.alignment(config.language, &network.domain.inputs());
    let is_carried = |claim: &Claim| {
        carried.iter().any(|own| own.fit > 0.0 && own.site == claim.site && own.subterm == claim.subterm)
    };
    let judged = Judged::explained(&found);
    match (judged.mechanism, claims(hypothesis).iter().all(is_carried)) {
        (Mechanism::Verified, false) => Judged {
            mechanism: Mechanism::Partial,
            missing: vec!["some of what is claimed is not among what is found".to_owned()],
            ..judged
        },
        _ => judged,
    }
}

/// Tests an alignment by scrubbing and interventions, as deciphering does. Causal transformers over recorded sequences are
/// tested edge by edge instead, see [`crate::mechanism::explain`].
pub fn judge_alignment(
    network: &Network,
    hypothesis: &Hypothesis,
    config: &Config<'_>,
    limits: &JudgeLimits,
) -> Judged {
    let mut scrub = scrub_alignment(network, hypothesis, config, limits);
    let interchange = interchange_alignment(network, hypothesis, config, limits);
    let variables = exchange_variables(network, hypothesis, config, limits);
    if let (Ok(scrub), Some(directions)) = (&mut scrub, variables.as_ref().and_then(|found| found.directions)) {
        let Families { columns, circuits, programs, .. } = scrub.controls;
        scrub.controls = Families::new(columns, circuits, Some(directions), programs);
    }
    let (mechanism, missing) = match &variables {
        Some(variables) => {
            // What cannot be read is not determined.
            let determined = crate::recurrent::determined(network, hypothesis, config).unwrap_or_default();
            recurrent_mechanism(&determined, &scrub, variables)
        }
        None => {
            let (claims, circuit) = (claims(hypothesis), hypothesis.circuit.as_deref());
            let undetermined = scrub::undetermined(network, config.language, &claims, circuit, config.seed);
            // What cannot be evaluated is not determined.
            let holds = |sites: Vec<f64>| sites.iter().map(|&share| share <= UNDETERMINED).collect::<Vec<bool>>();
            mechanism(hypothesis, &undetermined.map(holds).unwrap_or_default(), &scrub, &interchange)
        }
    };
    Judged { scrub, interchange, variables, mechanism, missing }
}

/// Tests the circuit of a hypothesis by ablation; where it names none, or that cannot be done, there is no evidence.
pub(crate) fn test_circuit(network: &Network, hypothesis: &Hypothesis, config: &Config<'_>) -> Option<CircuitReport> {
    let circuit = hypothesis.circuit.as_deref().filter(|_| !(config.deadline)())?;
    (config.progress)("circuit");
    scrub::test_circuit(network, circuit, config.seed).ok()
}

/// Scrubs what the alignment claims, or says why not.
fn scrub_alignment(
    network: &Network,
    hypothesis: &Hypothesis,
    config: &Config<'_>,
    limits: &JudgeLimits,
) -> Result<Scrub, String> {
    let settings = scrub_settings(config, limits);
    let circuit = hypothesis.circuit.as_deref();
    scrub::scrub(network, config.language, &hypothesis.program, &claims(hypothesis), circuit, &settings)
        .map_err(|error| error.to_string())
}

fn scrub_settings<'a>(config: &Config<'a>, limits: &JudgeLimits) -> ScrubConfig<'a> {
    ScrubConfig {
        seed: config.seed,
        samples: limits.scrub_samples,
        controls: limits.controls,
        late: config.controls_late,
        ..ScrubConfig::default()
    }
}

/// Interchanges the values of single sites; where that cannot be done there is no evidence, which is no error.
fn interchange_alignment(
    network: &Network,
    hypothesis: &Hypothesis,
    config: &Config<'_>,
    limits: &JudgeLimits,
) -> Vec<Interchange> {
    let settings = scrub_settings(config, limits);
    let (claims, circuit) = (claims(hypothesis), hypothesis.circuit.as_deref());
    scrub::interchange(network, config.language, &hypothesis.program, &claims, circuit, &settings).unwrap_or_default()
}

/// Exchanges the variables of a recurrent network's program; where that cannot be done there is no evidence.
fn exchange_variables(
    network: &Network,
    hypothesis: &Hypothesis,
    config: &Config<'_>,
    limits: &JudgeLimits,
) -> Option<Variables> {
    network.recurrence()?;
    let machine = Machine::new(&hypothesis.program, config.language, &network.domain)?;
    scrub::variables(network, &machine, &scrub_settings(config, limits)).ok()
}

/// What the alignment of a hypothesis claims: subterms for which a site was found.
pub fn claims(hypothesis: &Hypothesis) -> Vec<Claim> {
    let carried = hypothesis.alignment.iter().filter(|aligned| aligned.fit > 0.0);
    carried.map(|aligned| Claim { subterm: aligned.subterm.clone(), site: aligned.site.clone() }).collect()
}

/// The least recovered fraction (the lower end of its interval) and the least interchange accuracy that speak for a
/// mechanism.
const LEAST_RECOVERED: f64 = 0.95;
const LEAST_ACCURACY: f64 = 0.99;
/// The least share of the outputs that values replaced by others' say something of.
const LEAST_TESTED: f64 = 0.5;
/// The share of points that may share a site's value with points at which the variable is another.
const UNDETERMINED: f64 = 0.01;
/// Outputs that an interchange must change for its accuracy to say anything.
const LEAST_CHANGED: usize = 50;

/// What the evidence establishes of the alignment, and what is missing. Scrubbing all sites at once must recover the behaviour,
/// beat its controls, and say something of most outputs; then every site counts that
/// determines its variables and whose interchange moves the output as the program says. All sites but those of which the
/// program says that nothing depends on them, which is so, beyond every family of controls: verified; some, beyond permuted
/// columns: partial. An edge of which nothing is claimed is no gap where nothing depends on its writer.
fn mechanism(
    hypothesis: &Hypothesis,
    determined: &[bool],
    scrub: &Result<Scrub, String>,
    interchange: &[Interchange],
) -> (Mechanism, Vec<String>) {
    let Ok(scrub) = scrub else { return (Mechanism::Unverified, Vec::new()) };
    let mut missing = short_of(scrub);
    let stands = missing.is_empty() && scrub.controls.columns.null_mean < scrub.interval.0;
    let claims = claims(hypothesis);
    let mut sites: Vec<&str> = claims.iter().map(|claim| claim.site.as_str()).collect();
    sites.sort_unstable();
    sites.dedup();
    let determines = |site: &str| {
        let here = claims.iter().enumerate().filter(|(_, claim)| claim.site == site);
        here.map(|(place, _)| place).all(|place| determined.get(place).copied().unwrap_or(false))
    };
    let mut passed = 0;
    for site in &sites {
        if !determines(site) {
            missing.push(format!("{site} has equal values where what is claimed of it differs"));
            continue;
        }
        match interchange.iter().find(|found| found.site == *site) {
            None => missing.push(format!("{site} was not interchanged")),
            Some(found) if moves(found) => passed += 1,
            Some(found) if stays(found) => {}
            Some(found) => missing.push(unmoved(found)),
        }
    }
    let homeless = hypothesis.alignment.iter().filter(|aligned| aligned.fit == 0.0).count();
    if homeless > 0 {
        missing.push(format!("of {homeless} parts of the program no site was found"));
    }
    let untested = |(from, _): &&(String, String)| !interchange.iter().any(|found| found.site == *from && stays(found));
    let edges = scrub.exact_edges.iter().filter(untested).map(|(from, to)| format!("{from} -> {to}"));
    let edges: Vec<String> = edges.collect();
    if !edges.is_empty() {
        missing.push(format!("no evidence speaks of what these edges carry: {}", edges.join(", ")));
    }
    let controls = &scrub.controls;
    let all = missing.is_empty();
    missing.extend(reached(controls));
    let mechanism = Mechanism::of(|beaten| match (stands && beaten(controls.columns.standing()), passed) {
        (false, _) | (true, 0) => Mechanism::Unverified,
        (true, _) if all && beaten(controls.standing()) => Mechanism::Verified,
        _ => Mechanism::Partial,
    });
    (mechanism, missing)
}

/// What a scrub falls short of.
fn short_of(scrub: &Scrub) -> Vec<String> {
    let mut missing = Vec::new();
    if scrub.interval.0 < LEAST_RECOVERED {
        missing.push(format!(
            "scrubbing recovers {:.3} of the behaviour, which may be {:.3}, short of {LEAST_RECOVERED}",
            scrub.recovered, scrub.interval.0
        ));
    }
    if scrub.tested < LEAST_TESTED {
        missing.push(format!(
            "values had others to be replaced by at {:.3} of the outputs, short of {LEAST_TESTED}",
            scrub.tested
        ));
    }
    missing
}

/// The families of controls that are not beaten.
fn reached(controls: &Families) -> Vec<String> {
    let families = [
        ("permuted variables", Some(&controls.columns)),
        ("random circuits", controls.circuits.as_ref()),
        ("variables at other sites", controls.alignments.as_ref()),
        ("random terms", controls.programs.as_ref()),
    ];
    let said = families.into_iter().filter_map(|(name, family)| match family?.standing() {
        Standing::Beaten => None,
        Standing::Reached => Some(format!("controls reach as much: {name}")),
        Standing::Cut => Some(format!("{CUT}: {name}")),
    });
    said.collect()
}

/// Why an interchange does not speak for its site.
fn unmoved(found: &Interchange) -> String {
    let Interchange { site, accuracy, changed, changed_accuracy, inert, .. } = found;
    if *inert {
        return format!(
            "the program computes nothing from {site}, and other values there leave {accuracy:.3} of the outputs"
        );
    }
    if *changed < LEAST_CHANGED {
        return format!("by the program, interchanging {site} changes {changed} outputs, fewer than {LEAST_CHANGED}");
    }
    format!(
        "interchanging {site} does what the program says in {accuracy:.3} of the outputs, {changed_accuracy:.3} of those that change"
    )
}

/// Whether an interchange moves the output as the program says, often enough to be no accident.
fn moves(interchange: &Interchange) -> bool {
    interchange.accuracy >= LEAST_ACCURACY
        && interchange.changed >= LEAST_CHANGED
        && interchange.changed_accuracy >= LEAST_ACCURACY
}

/// Whether nothing depends on a site, as the hypothesis says: the outputs stay as they are whatever stands there.
fn stays(interchange: &Interchange) -> bool {
    interchange.inert && interchange.accuracy >= LEAST_ACCURACY && interchange.outputs >= LEAST_CHANGED
}

/// What the evidence establishes of the alignment of a recurrent network. A variable counts where the hidden state
/// determines it, as measured here whatever the hypothesis claims, and exchanging it moves the outputs as the program says, which exchanges with other donors do not.
/// All of them, scrubbing all at once with donors that are not mostly the samples themselves, and exchanging whole
/// states: verified; some variables: partial. A program without variables claims that nothing is carried on, and that
/// scrubbing tests.
fn recurrent_mechanism(
    determined: &[bool],
    scrub: &Result<Scrub, String>,
    variables: &Variables,
) -> (Mechanism, Vec<String>) {
    let is_determined = |place: usize| determined.get(place).copied().unwrap_or(false);
    let (joint, single): (Vec<&Exchange>, Vec<&Exchange>) =
        variables.exchanges.iter().partition(|e| e.variable.is_none());
    let mut missing = Vec::new();
    let mut passed = 0;
    for (place, exchange) in single.iter().enumerate() {
        let name = exchange.variable.map_or_else(String::new, |name| name.to_string());
        match (is_determined(place), exchanged(exchange)) {
            (true, true) => passed += 1,
            (false, _) => missing.push(format!("the hidden state does not determine {name}")),
            (true, false) => missing.push(unexchanged(exchange, &name)),
        }
    }
    if determined.is_empty() || determined.len() > single.len() && !determined.iter().all(|&holds| holds) {
        missing.push("the hidden state does not determine all that the program carries on".to_owned());
    }
    let refuted: Vec<String> = joint
        .iter()
        .filter(|exchange| exchange.outputs > 0 && exchange.accuracy < LEAST_ACCURACY)
        .map(|exchange| {
            format!("exchanging whole states does what the program says in {:.3} of the outputs", exchange.accuracy)
        })
        .collect();
    // Outputs that are the same for all inputs leave nothing to recover; exchanges between elements still do.
    let (scrubbed, contradicted) = match scrub {
        Ok(scrub) => {
            let sound = scrub.tested >= LEAST_TESTED;
            let stands = (scrub.interval.0 >= LEAST_RECOVERED).then(|| scrub.controls.standing());
            (stands.filter(|_| sound), sound && scrub.interval.0 < LEAST_RECOVERED)
        }
        Err(_) => (None, false),
    };
    let all = missing.is_empty();
    let is_refuted = contradicted || !refuted.is_empty();
    missing.extend(refuted);
    if let Ok(scrub) = scrub {
        missing.extend(short_of(scrub));
        missing.extend(reached(&scrub.controls));
    }
    let mechanism = Mechanism::of(|beaten| match (is_refuted, all && scrubbed.is_some_and(beaten), passed) {
        (true, _, _) => Mechanism::Unverified,
        (false, true, _) => Mechanism::Verified,
        (false, false, 0) => Mechanism::Unverified,
        (false, false, _) => Mechanism::Partial,
    });
    (mechanism, missing)
}

/// Why an exchange does not speak for its variable.
fn unexchanged(exchange: &Exchange, name: &str) -> String {
    let Exchange { accuracy, changed, changed_accuracy, p_value, .. } = exchange;
    if *changed < LEAST_CHANGED {
        return format!(
            "by the program, exchanging {name} alone changes {changed} outputs, fewer than {LEAST_CHANGED}"
        );
    }
    format!(
        "exchanging {name} does what the program says in {accuracy:.3} of the outputs, {changed_accuracy:.3} of those that \
         change (p = {p_value:.3} beside other donors)"
    )
}

/// Whether an exchange moves the outputs as the program says, often enough to be no accident.
fn exchanged(exchange: &Exchange) -> bool {
    exchange.accuracy >= LEAST_ACCURACY
        && exchange.changed >= LEAST_CHANGED
        && exchange.changed_accuracy >= LEAST_ACCURACY
        && exchange.p_value <= 0.05
}
