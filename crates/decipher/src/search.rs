//! The synthesise-refute loop: hypotheses best first, each held against the network, the first that stands is taken.

use check::{Agreement, AskConfig, Asked, Beyond, CheckConfig, Conclusion, Counterexample, End, Proofs, ProveConfig};
use dsl::{Language, Term};
use graph::Network;
use samples::{Batch, Column, Decode, Elements};
use scrub::{CircuitReport, Interchange, Scrub, Standing, Variables};

use crate::causal::{self, Behaviour};
use crate::mechanism::{Mechanics, explain};
use crate::rivals::{Rivals, rivals};
use crate::verdict::{Judged, judge_alignment, test_circuit};
use crate::{Config, Description, Error, Halves, Hypothesis, describe, hypotheses, n_sequences};

/// What is concluded about behaviour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The program agrees with the network as far as the evidence says.
    Accepted,
    /// The search came to its end, and the best program that it found differs from the network.
    Refuted,
    /// Nothing is claimed: no program was found, or the search was cut.
    Undecided,
}

/// What is concluded about the alignment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mechanism {
    /// Scrubbing, interventions on every variable and controls all speak for it.
    Verified,
    /// They do for some variables.
    Partial,
    /// The evidence for more was not gathered, or speaks against it.
    Unverified,
    /// It hinges on controls that the time limit cut.
    Undecided,
}

/// Why a mechanism is undecided.
pub(crate) const CUT: &str = "undecided: controls cut by the time limit";

impl Mechanism {
    /// What is concluded by a rule that asks whether controls are beaten: undecided where it matters how those came out that
    /// the time limit cut.
    pub(crate) fn of(rule: impl Fn(fn(Standing) -> bool) -> Self) -> Self {
        let (most, least) =
            (rule(|standing| standing != Standing::Reached), rule(|standing| standing == Standing::Beaten));
        if most == least { most } else { Self::Undecided }
    }
}

/// The stages of the loop, announced as they begin: whoever holds a clock can time them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Finding hypotheses.
    Synth,
    /// Holding one against the network.
    Check,
    /// Testing its alignment.
    Scrub,
}

/// Settings of the judges.
#[derive(Clone, Copy, Debug)]
pub struct JudgeLimits {
    /// Domains with at most so many inputs are checked as a whole.
    pub exhaustive: usize,
    /// Multiply-adds that a sampled check may cost, about.
    pub check_budget: f64,
    /// Sequences that are scrubbed.
    pub scrub_samples: usize,
    /// Controls of scrubbing, at most.
    pub controls: usize,
    /// Multiply-adds that the search for a proof may cost, about.
    pub proof_budget: f64,
    /// What a solver may spend on one question of a proof, in its own units, where certificates do not reach.
    pub solver_budget: u32,
}

impl Default for JudgeLimits {
    fn default() -> Self {
        Self {
            exhaustive: check::EXHAUSTIVE_LIMIT,
            check_budget: 2e10,
            scrub_samples: 2048,
            controls: 99,
            proof_budget: 6e9,
            solver_budget: 3_000_000,
        }
    }
}

impl JudgeLimits {
    /// These, with fewer sequences where a recurrent network's are long.
    pub(crate) fn on(&self, network: &Network) -> Self {
        let scrub_samples = match network.recurrence() {
            Some(_) => n_sequences(self.scrub_samples, network.domain.length.1),
            None => self.scrub_samples,
        };
        Self { scrub_samples, ..*self }
    }
}

/// How deciphering ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// About behaviour.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub reason: String,
    /// About the alignment.
    pub mechanism: Mechanism,
    /// What is missing from a verified mechanism, in words; of accepted programs whose alignment could be tested.
    pub missing: Vec<String>,
    /// The hypothesis that the verdict speaks of.
    pub hypothesis: Option<Hypothesis>,
    /// How far its program agrees with the network.
    pub agreement: Option<Agreement>,
    /// What scrubbing its alignment showed, or why it was not done.
    pub scrub: Option<Result<Scrub, String>>,
    /// What interchanging the values of single sites showed; none for recurrent networks.
    pub interchange: Vec<Interchange>,
    /// What every edge of a causal transformer carries.
    pub mechanics: Option<Mechanics>,
    /// Causal language models: how far the network agrees with itself, and where the program parts from it.
    pub behaviour: Option<Behaviour>,
    /// Hypotheses that were held against the network.
    pub n_tried: usize,
    /// What interventions on the variables in the hidden state showed; of recurrent networks.
    pub variables: Option<Variables>,
    /// A proof that network and program agree; sought for recurrent networks and for transformers over tokens.
    pub proof: Option<Proofs>,
    /// Why there is none, of transformers: it is undecided beyond what was run.
    pub unproved: Option<String>,
    /// What a solver was asked where certificates prove nothing; of recurrent networks.
    pub asked: Option<Asked>,
    /// What inputs beyond the domain's lengths show; of recurrent networks.
    pub beyond: Option<Beyond>,
    /// Other programs that do the same on the inputs at hand; of accepted ones.
    pub rivals: Option<Rivals>,
    /// What ablations of the circuit showed; where the hypothesis names one.
    pub circuit: Option<CircuitReport>,
    /// What the hypothesis costs to write down, beside what it explains; of accepted ones.
    pub description: Option<Description>,
}

/// Inputs of the first, quick check of a hypothesis.
const QUICK_SAMPLES: usize = 500;

/// Deciphers a network: finds hypotheses and takes the first that passes the check, then tests its alignment.
///
/// # Errors
/// As [`hypotheses`], but for networks that no strategy reads, which are undecided; and where a judge cannot run what a strategy returned, which is a fault of the engine.
pub fn decipher(
    network: &Network,
    config: &Config<'_>,
    limits: &JudgeLimits,
    stage: &dyn Fn(Stage),
) -> Result<Outcome, Error> {
    let limits = &limits.on(network);
    if network.family() != graph::Family::Gpt2 {
        return concluded(network, None, config, limits, stage);
    }
    let halves = Halves::of(network, config.seed);
    let outcome = concluded(&halves.judge, Some(&halves), config, limits, stage)?;
    stage(Stage::Check);
    (config.progress)("the network against itself, and where the program parts from it");
    let accepted = outcome.hypothesis.as_ref().filter(|_| outcome.verdict == Verdict::Accepted);
    let behaviour = causal::behaviour(network, accepted.map(|hypothesis| &hypothesis.program), config)?;
    Ok(Outcome { behaviour: Some(behaviour), ..outcome })
}

/// `network` has the inputs that are judged on; with halves, hypotheses come from the other ones.
fn concluded(
    network: &Network,
    halves: Option<&Halves>,
    config: &Config<'_>,
    limits: &JudgeLimits,
    stage: &dyn Fn(Stage),
) -> Result<Outcome, Error> {
    let mut search = Search {
        network,
        halves,
        config,
        limits,
        stage,
        judged: Agreements::default(),
        tried: Vec::new(),
        best_refuted: None,
        open: None,
        refused: None,
        usual: None,
        known: Batch::new(network.domain.dim()),
    };
    for _ in 0..ROUNDS {
        let n_known = search.known.n_sequences();
        match search.round() {
            // A network that is out of reach is no error: nothing is claimed of it.
            Err(error @ Error::Unsupported(_)) => return Ok(blank(Verdict::Undecided, error.to_string(), 0)),
            Err(error) => return Err(error),
            Ok(Some(outcome)) => return Ok(outcome),
            // Without another input the same would be found again.
            Ok(None) if search.known.n_sequences() == n_known || (config.deadline)() => break,
            Ok(None) => {}
        }
    }
    search.unsuccessful()
}

/// Rounds of adding the inputs that refuted the programs of the round before.
const ROUNDS: usize = 4;

/// What a search has come to.
struct Search<'a> {
    network: &'a Network,
    halves: Option<&'a Halves>,
    config: &'a Config<'a>,
    limits: &'a JudgeLimits,
    stage: &'a dyn Fn(Stage),
    judged: Agreements,
    /// Programs that were looked at.
    tried: Vec<Term>,
    best_refuted: Option<Refuted>,
    /// The best program that what was run neither establishes nor refutes.
    open: Option<(Hypothesis, Agreement)>,
    /// A program that is no explanation, and why.
    refused: Option<(Hypothesis, String)>,
    /// A program that agrees on uniform inputs alone, with its agreement over all inputs and over these.
    usual: Option<(Hypothesis, Agreement, Agreement)>,
    /// Inputs of the domain on which a program differs that agrees with the network on all that were drawn.
    known: Batch,
}

/// A program that differs from the network more often than it may.
struct Refuted {
    hypothesis: Hypothesis,
    agreement: Agreement,
    /// What was found out beyond the inputs that were drawn, if it agrees on these.
    reach: Option<Reach>,
}

impl Search<'_> {
    /// Finds hypotheses and holds those that are new against the network: the first that stands.
    fn round(&mut self) -> Result<Option<Outcome>, Error> {
        let Self { network, halves, config, limits, stage, .. } = *self;
        stage(Stage::Synth);
        let found = hypotheses(halves.map_or(network, |halves| &halves.find), &self.known, config)?;
        stage(Stage::Check);
        let n_found = found.len();
        for (place, hypothesis) in found.iter().cloned().enumerate() {
            if self.tried.contains(&hypothesis.program) {
                continue;
            }
            self.tried.push(hypothesis.program.clone());
            (config.progress)(&format!("check: candidate {} of {n_found}", place + 1));
            if let Some(reason) = covers_domain(network, &hypothesis.program) {
                self.refused.get_or_insert((hypothesis, reason));
                continue;
            }
            let agreement = self.judged.of(network, &hypothesis.program, config, limits)?;
            match agreement.conclusion(config.min_agreement) {
                Conclusion::Reached => {}
                Conclusion::Open => {
                    self.note_open(hypothesis, agreement);
                    continue;
                }
                Conclusion::Missed => {
                    self.note(Refuted { hypothesis, agreement, reach: None });
                    continue;
                }
            }
            if let Some(halves) = halves.filter(|_| is_causal_language(network)) {
                stage(Stage::Scrub);
                (config.progress)("scrub");
                let rest = &found[place + 1..];
                let as_good = as_good(network, &hypothesis, &agreement, rest, &mut self.judged, (config, limits))?;
                let outcome = explained(halves, as_good, config, limits, place + 1)?;
                return Ok(Some(with_rivals(network, outcome, &found, config)));
            }
            match self.looked_into(hypothesis, agreement, &found)? {
                Ok(outcome) => return Ok(Some(outcome)),
                Err(refuted) => self.note(*refuted),
            }
        }
        Ok(None)
    }

    /// What is said of a program that agrees with the network on the inputs that were drawn: it stands, unless an input of the
    /// domain is found on which both differ, and so many may not.
    fn looked_into(
        &mut self,
        hypothesis: Hypothesis,
        agreement: Agreement,
        found: &[Hypothesis],
    ) -> Result<Result<Outcome, Box<Refuted>>, Error> {
        let Self { network, config, limits, stage, .. } = *self;
        let (least, drawn) = (config.min_agreement, agreement.inputs);
        let mut agreement = agreement;
        for row in 0..self.known.n_sequences() {
            if let Some(found) = self.difference(&hypothesis.program, &self.known.select(&[row]))? {
                agreement = agreement.with(&found);
            }
        }
        if !agreement.reaches(least) {
            return Ok(Err(Box::new(Refuted { hypothesis, agreement, reach: None })));
        }
        let reach = reach(network, &hypothesis.program, config, limits)?;
        let agreement = self.with_found(&hypothesis.program, agreement, reach.found().as_slice())?;
        if !agreement.reaches(least) {
            return Ok(Err(Box::new(Refuted { hypothesis, agreement, reach: Some(reach) })));
        }
        let outcome = stands(
            network,
            hypothesis.clone(),
            agreement.clone(),
            reach.clone(),
            (config, limits, stage),
            self.tried.len(),
        )?;
        let mut outcome = with_rivals(network, outcome, found, config);
        let separating = outcome.rivals.iter().flat_map(Rivals::inputs).collect::<Vec<_>>();
        let agreement = self.with_found(&hypothesis.program, agreement, &separating)?;
        if !agreement.reaches(least) {
            return Ok(Err(Box::new(Refuted { hypothesis, agreement, reach: Some(reach) })));
        }
        if agreement.inputs > drawn {
            outcome.reason.push_str("; they differ on an input that was looked for and found");
        } else if let Some(departs) = reach.departs_within(network) {
            outcome.reason.push_str(&departs);
        }
        outcome.agreement = Some(agreement);
        Ok(Ok(outcome))
    }

    /// An agreement with those inputs on which the two differ; they are known from then on.
    fn with_found(&mut self, program: &Term, mut agreement: Agreement, inputs: &[Batch]) -> Result<Agreement, Error> {
        for input in inputs {
            let is_known = (0..self.known.n_sequences()).any(|row| self.known.sequence(row) == input.sequence(0));
            if !is_known && let Some(found) = self.difference(program, input)? {
                self.known.extend(&found.input);
                agreement = agreement.with(&found);
            }
        }
        Ok(agreement)
    }

    /// Where a program and the network differ on an input of the domain, by more than rounding.
    fn difference(&self, program: &Term, input: &Batch) -> Result<Option<Counterexample>, Error> {
        let program = &reread(self.network, program, self.config.language)?;
        let found = check::difference(self.network, program, self.config.language, input);
        let found = found.map_err(|error| Error::Term(error.to_string()))?;
        Ok(found.filter(|found| found.is_within(&self.network.domain) && found.is_clear(self.network)))
    }

    /// Takes note of a program that may do what the network does.
    fn note_open(&mut self, hypothesis: Hypothesis, agreement: Agreement) {
        if self.open.as_ref().is_none_or(|(_, best)| agreement.share() > best.share()) {
            self.open = Some((hypothesis, agreement));
        }
    }

    /// Takes note of a program that is refuted.
    fn note(&mut self, refuted: Refuted) {
        let agreement = &refuted.agreement;
        let over = uniform_alone(self.network, agreement).filter(|over| over.reaches(self.config.min_agreement));
        if let Some(over) = over
            && self.usual.as_ref().is_none_or(|(_, best, _)| agreement.share() > best.share())
        {
            self.usual = Some((refuted.hypothesis.clone(), agreement.clone(), over));
        }
        if self.best_refuted.as_ref().is_none_or(|best| agreement.share() > best.agreement.share()) {
            self.best_refuted = Some(refuted);
        }
    }

    /// No program stands.
    fn unsuccessful(self) -> Result<Outcome, Error> {
        let Self { network, config, limits, stage, .. } = self;
        // Where some program agrees with all inputs that were drawn, those with structure are no kind of their own.
        if let Some((hypothesis, all, over)) = self.usual.filter(|_| self.known.is_empty()) {
            let reach = reach(network, &hypothesis.program, config, limits)?;
            let mut outcome = stands(network, hypothesis, over, reach, (config, limits, stage), self.tried.len())?;
            let share = structured_share(&all);
            outcome.reason.push_str(&format!(
                "; on inputs with structure (constant, of two elements, runs, palindromes) the network departs from it: they agree on a share of {share:.4}"
            ));
            return Ok(outcome);
        }
        if let Some((hypothesis, agreement)) = self.open {
            return Ok(left_open(hypothesis, agreement, config, self.tried.len()));
        }
        Ok(unsuccessful(self.best_refuted, self.refused, self.tried.len(), (config.deadline)()))
    }
}

/// An outcome with what is known of other programs.
fn with_rivals(network: &Network, outcome: Outcome, found: &[Hypothesis], config: &Config<'_>) -> Outcome {
    let Some(hypothesis) = outcome.hypothesis.as_ref().filter(|_| !(config.deadline)()) else { return outcome };
    (config.progress)("rivals");
    let rivals = Some(rivals(network, &hypothesis.program, found, config));
    Outcome { rivals, ..outcome }
}

/// The agreement over uniform inputs alone, of recurrent networks: trained on such inputs, one may be right on nearly
/// all of the domain and err on the few inputs that repeat themselves. A program that agrees on those as well is preferred.
fn uniform_alone(network: &Network, agreement: &Agreement) -> Option<Agreement> {
    network.recurrence()?;
    agreement.over_uniform()
}

/// The share of outputs that agree among those of inputs with structure.
fn structured_share(all: &Agreement) -> f64 {
    let uniform = all.uniform.unwrap_or_default();
    let outputs = all.tally.outputs.saturating_sub(uniform.outputs);
    let wrong = all.tally.wrong_outputs.saturating_sub(uniform.wrong_outputs);
    1.0 - wrong as f64 / outputs.max(1) as f64
}

/// What is said of a hypothesis whose program agrees with the network: its alignment, and how far it reaches.
fn stands(
    network: &Network,
    hypothesis: Hypothesis,
    agreement: Agreement,
    Reach { proof, unproved, asked, beyond }: Reach,
    (config, limits, stage): (&Config<'_>, &JudgeLimits, &dyn Fn(Stage)),
    n_tried: usize,
) -> Result<Outcome, Error> {
    stage(Stage::Scrub);
    (config.progress)("scrub");
    let judged = judge_alignment(network, &hypothesis, config, limits);
    let circuit = test_circuit(network, &hypothesis, config);
    let outcome =
        Outcome { proof, unproved, asked, beyond, circuit, ..accepted(hypothesis, agreement, judged, n_tried) };
    Ok(described_by_length(network, outcome, config))
}

/// Whether the program, read again from its printed form, does what the network does: a quick look at few inputs, then
/// all that the limits allow.
///
/// # Errors
/// A program that cannot be evaluated or read again.
pub fn judge(network: &Network, program: &Term, config: &Config<'_>, limits: &JudgeLimits) -> Result<Agreement, Error> {
    judge_at(network, program, config, limits, CONFIDENCE)
}

/// The confidence of error bounds.
const CONFIDENCE: f64 = 0.99;

/// The confidence at which the `nth` program (from 1) is judged that is held against the same inputs, so that the bounds of all
/// of them, however many follow, hold together with [`CONFIDENCE`]: what it leaves is spent in parts of `1 / (n (n + 1))`, whose
/// sum is 1.
fn confidence_of(nth: usize) -> f64 {
    1.0 - (1.0 - CONFIDENCE) / (nth as f64 * (nth as f64 + 1.0))
}

/// As [`judge`], with an error bound of some confidence.
fn judge_at(
    network: &Network,
    program: &Term,
    config: &Config<'_>,
    limits: &JudgeLimits,
    confidence: f64,
) -> Result<Agreement, Error> {
    let program = &reread(network, program, config.language)?;
    let quick = CheckConfig {
        seed: config.seed,
        exhaustive_limit: 0,
        samples: QUICK_SAMPLES,
        // A hypothesis that misses the share on few inputs by bad luck is judged on many.
        min_agreement: 1.0 - 4.0 * (1.0 - config.min_agreement),
        confidence,
        deadline: config.deadline,
    };
    // Recorded inputs are all that there are: few of them are looked at no sooner.
    if !matches!(network.domain.elements, samples::Elements::Recorded { .. }) {
        let first =
            check::agreement(network, program, config.language, &quick).map_err(|e| Error::Term(e.to_string()))?;
        let missed = |agreement: &Agreement| agreement.conclusion(quick.min_agreement) == Conclusion::Missed;
        if missed(&first) && uniform_alone(network, &first).is_none_or(|over| missed(&over)) {
            return Ok(first);
        }
    }
    let full = CheckConfig {
        exhaustive_limit: limits.exhaustive,
        samples: n_samples(network, limits.check_budget),
        min_agreement: config.min_agreement,
        ..quick
    };
    check::agreement(network, program, config.language, &full).map_err(|e| Error::Term(e.to_string()))
}

/// Agreements of programs, by what these say on recorded inputs: those that say the same there are judged once. Their error
/// bounds hold together.
#[derive(Default)]
struct Agreements {
    n_judged: usize,
    known: Vec<(Vec<Column>, Agreement)>,
}

impl Agreements {
    /// As [`judge`].
    fn of(
        &mut self,
        network: &Network,
        program: &Term,
        config: &Config<'_>,
        limits: &JudgeLimits,
    ) -> Result<Agreement, Error> {
        let says = match &network.domain.elements {
            Elements::Recorded { inputs, .. } => {
                let again = reread(network, program, config.language)?;
                let says = check::run_program(network, &again, config.language)(inputs);
                Some(says.map_err(|error| Error::Term(error.to_string()))?)
            }
            _ => None,
        };
        if let Some((_, agreement)) = self.known.iter().find(|(other, _)| Some(other) == says.as_ref()) {
            return Ok(agreement.clone());
        }
        self.n_judged += 1;
        let mut agreement = judge_at(network, program, config, limits, confidence_of(self.n_judged))?;
        if agreement.kind == check::Kind::Sampled {
            agreement.confidence = CONFIDENCE;
        }
        self.known.extend(says.map(|says| (says, agreement.clone())));
        Ok(agreement)
    }
}

/// How many times the domain's greatest length longer inputs have, up to this length.
const LONGER: usize = 10;
const LONG: usize = 5_000;

/// How far beyond what was run a program holds.
#[derive(Clone, Default)]
struct Reach {
    proof: Option<Proofs>,
    unproved: Option<String>,
    asked: Option<Asked>,
    beyond: Option<Beyond>,
}

impl Reach {
    /// The input on which the solver finds that program and network differ.
    fn found(&self) -> Option<Batch> {
        match self.asked.as_ref().map(|asked| &asked.end) {
            Some(End::Differs { found, .. }) => Some(found.input.clone()),
            _ => None,
        }
    }

    /// What is said of a departure on an input no longer than those of the domain. Networks that were trained on random inputs
    /// have such inputs, which few of the domain's are and a search along the closest outputs finds; what agrees with the
    /// network on all that were drawn is no less what it computes.
    fn departs_within(&self, network: &Network) -> Option<String> {
        let departure = self.beyond.as_ref()?.departure.as_ref().filter(|found| found.is_within(&network.domain))?;
        let length = departure.input.length(0);
        Some(format!("; a search for inputs that the network reads wrongly found one, of {length} elements"))
    }
}

/// How far beyond what was run the program holds: a proof, and inputs beyond the domain's lengths.
fn reach(network: &Network, program: &Term, config: &Config<'_>, limits: &JudgeLimits) -> Result<Reach, Error> {
    let program = &reread(network, program, config.language)?;
    if network.recurrence().is_none() {
        (config.progress)("proof");
        let proof = check::follow(network, program, config.language, config.deadline);
        return Ok(match proof {
            Ok(best) => Reach { proof: Some(Proofs { best, float32: None }), ..Reach::default() },
            Err(refused) => Reach { unproved: Some(refused.to_string()), ..Reach::default() },
        });
    }
    let longest = check::longest_length(&network.domain);
    let length = (LONGER * longest).min(LONG.max(longest));
    (config.progress)("longer inputs");
    let beyond = check::beyond(network, program, config.language, length, (config.seed, config.deadline))
        .map_err(|error| Error::Term(error.to_string()))?;
    (config.progress)("proof");
    let departure = beyond.as_ref().and_then(|beyond| beyond.departure.as_ref());
    let settings = ProveConfig {
        seed: config.seed,
        work: limits.proof_budget,
        length,
        refuted_beyond: departure.map(|departure| departure.position),
        deadline: config.deadline,
    };
    let refuted_beyond = settings.refuted_beyond.unwrap_or(usize::MAX);
    let proof = check::prove(network, program, config.language, &settings);
    // A solver is asked about the lengths of the domain where certificates say nothing: where they get to some length,
    // elements and states can be listed, and the solver, which knows no better than to list them too, gets less far.
    let length = longest.min(refuted_beyond);
    if length == 0 || proof.as_ref().is_some_and(|proof| proof.covers(1)) || (config.deadline)() {
        return Ok(Reach { proof, beyond, ..Reach::default() });
    }
    (config.progress)("proof by a solver");
    let question = AskConfig { length, resources: limits.solver_budget, deadline: config.deadline };
    // Networks and programs that are not of the kind that is asked about have no answer.
    let asked = check::ask(network, program, config.language, &question).ok();
    let answered = asked.as_ref().and_then(Asked::proofs);
    Ok(Reach { proof: Proofs::further(proof, answered), asked, beyond, unproved: None })
}

/// Sequences of a sampled check where they are not long.
const MOST_SAMPLES: usize = 40_000;

/// Sequences of a sampled check that a budget of multiply-adds allows.
fn n_samples(network: &Network, budget: f64) -> usize {
    let length = network.domain.length.1 as f64;
    let n = (budget / (network.n_parameters() as f64 * length).max(1.0)) as usize;
    n.clamp(1_000, 10_000).min(n_sequences(MOST_SAMPLES, network.domain.length.1))
}

/// The program as a reader of its printed form gets it.
fn reread(network: &Network, program: &Term, language: &Language) -> Result<Term, Error> {
    let text = dsl::print(program, language);
    let term = dsl::parse_term(&text, language, &network.domain.inputs());
    term.map_err(|error| Error::Term(format!("the printed program cannot be read again: {error}")))
}

/// Why a program is a table of the whole domain, if it is one: its tables list at least half as many entries as the
/// domain has inputs, so that it says no less than a list of the outputs would.
pub fn covers_domain(network: &Network, program: &Term) -> Option<String> {
    let entries: usize = dsl::tables(program).iter().map(|table| table.entries.len()).sum();
    let inputs = network.domain.n_inputs()?;
    (entries > 0 && 2.0 * entries as f64 >= inputs).then(|| {
        format!(
            "the program found lists {entries} table entries for a domain of {inputs} inputs: a table, no explanation"
        )
    })
}

fn accepted(hypothesis: Hypothesis, agreement: Agreement, judged: Judged, n_tried: usize) -> Outcome {
    let mut reason = format!(
        "the program agrees with the network on {} of {} {}",
        agreement.inputs - agreement.mismatches,
        agreement.inputs,
        described(&agreement),
    );
    if judged.mechanism == Mechanism::Undecided {
        reason.push_str(&format!("; mechanism {CUT}"));
    }
    Outcome {
        mechanism: judged.mechanism,
        missing: judged.missing,
        hypothesis: Some(hypothesis),
        agreement: Some(agreement),
        scrub: Some(judged.scrub),
        interchange: judged.interchange,
        variables: judged.variables,
        ..blank(Verdict::Accepted, reason, n_tried)
    }
}

/// Whether a network is one whose mechanism is looked for edge by edge: a causal transformer over recorded sequences.
pub(crate) fn is_causal_language(network: &Network) -> bool {
    network.recurrence().is_none()
        && network.is_causal()
        && matches!(network.domain.decode, Decode::NextToken | Decode::LegalTokens)
}

/// Programs that agree with the network as far as an accepted one does, that one first: behaviour does not tell them
/// apart, what the network carries may.
fn as_good(
    network: &Network,
    first: &Hypothesis,
    agreement: &Agreement,
    rest: &[Hypothesis],
    judged: &mut Agreements,
    (config, limits): (&Config<'_>, &JudgeLimits),
) -> Result<Vec<(Hypothesis, Agreement)>, Error> {
    let mut rivals = vec![(first.clone(), agreement.clone())];
    for hypothesis in rest {
        let other = judged.of(network, &hypothesis.program, config, limits)?;
        if other.mismatches <= agreement.mismatches && covers_domain(network, &hypothesis.program).is_none() {
            rivals.push((hypothesis.clone(), other));
        }
    }
    Ok(rivals)
}

/// The program of some whose mechanism is found, with that mechanism; the first where there is none.
fn explained(
    halves: &Halves,
    mut rivals: Vec<(Hypothesis, Agreement)>,
    config: &Config<'_>,
    limits: &JudgeLimits,
    n_tried: usize,
) -> Result<Outcome, Error> {
    let programs: Vec<Term> = rivals.iter().map(|(hypothesis, _)| hypothesis.program.clone()).collect();
    let (place, found) = match explain(halves, &programs, config) {
        Ok(found) => found,
        Err(error) => {
            let (hypothesis, agreement) = rivals.swap_remove(0);
            return Ok(accepted(hypothesis, agreement, Judged::untested(error.to_string()), n_tried));
        }
    };
    let (mut hypothesis, agreement) = rivals.swap_remove(place);
    hypothesis.program = said_once(halves, &hypothesis.program, &agreement, config, limits)?;
    hypothesis.alignment = found.alignment(config.language, &halves.judge.domain.inputs());
    hypothesis.circuit = Some(found.circuit.clone());
    let judged = Judged::explained(&found);
    let circuit = test_circuit(&halves.judge, &hypothesis, config);
    let outcome = Outcome { mechanics: Some(found), circuit, ..accepted(hypothesis, agreement, judged, n_tried) };
    Ok(described_by_length(&halves.judge, outcome, config))
}

/// An outcome with the lengths of what is claimed and of what that explains; what is too rich is not verified.
fn described_by_length(network: &Network, mut outcome: Outcome, config: &Config<'_>) -> Outcome {
    if let (Some(hypothesis), Some(agreement)) = (&outcome.hypothesis, &outcome.agreement) {
        outcome.description = describe(network, hypothesis, agreement, outcome.mechanics.as_ref(), config);
    }
    if let Some(description) = &outcome.description {
        let capped = description.cap(outcome.mechanism);
        if capped != outcome.mechanism {
            outcome.mechanism = capped;
            outcome.missing.push("the hypothesis is too rich for what it explains".to_owned());
        }
    }
    outcome
}

/// An accepted program with names for what it repeats, if that is no other program.
fn said_once(
    halves: &Halves,
    program: &Term,
    agreement: &Agreement,
    config: &Config<'_>,
    limits: &JudgeLimits,
) -> Result<Term, Error> {
    let shared = causal::share(program);
    let inputs = halves.judge.domain.inputs();
    // A name may be taken already in a language of the user's own.
    if dsl::parse_term(&dsl::print(&shared, config.language), config.language, &inputs).is_err() {
        return Ok(program.clone());
    }
    let again = judge(&halves.judge, &shared, config, limits)?;
    Ok(if again.mismatches == agreement.mismatches { shared } else { program.clone() })
}

fn described(agreement: &Agreement) -> &'static str {
    match (agreement.kind, agreement.unit) {
        (check::Kind::Exhaustive, _) => "outputs that count, over all inputs of the domain",
        (check::Kind::Sampled, check::Unit::Outputs) => "outputs that count, over fresh random inputs",
        (check::Kind::Sampled, check::Unit::Sequences) => "recorded sequences that played no part in finding it",
    }
}

/// What is said of a program that does what the network does on what was run, which is too little to say so of other inputs.
fn left_open(hypothesis: Hypothesis, agreement: Agreement, config: &Config<'_>, n_tried: usize) -> Outcome {
    let Agreement { inputs, mismatches, error_bound, confidence, .. } = agreement;
    let what = described(&agreement);
    let reason = format!(
        "the program agrees with the network on {} of {inputs} {what}, of which a share of {} is asked for; it is open \
         whether it does so on others, of which as many as a share of {error_bound:.4} may differ at {confidence} confidence: \
         more inputs would decide{}",
        inputs - mismatches,
        config.min_agreement,
        if (config.deadline)() { CUT_SEARCH } else { "" },
    );
    let outcome = blank(Verdict::Undecided, reason, n_tried);
    Outcome { hypothesis: Some(hypothesis), agreement: Some(agreement), ..outcome }
}

/// What is said of a search that ended early.
const CUT_SEARCH: &str = "; the search was cut by the time limit";

/// What is said where no program stands. A search that was cut refutes nothing: what it would have found next might stand.
fn unsuccessful(
    refuted: Option<Refuted>,
    refused: Option<(Hypothesis, String)>,
    n_tried: usize,
    late: bool,
) -> Outcome {
    let time = if late { CUT_SEARCH } else { "" };
    if let Some((hypothesis, reason)) = refused {
        let outcome = blank(Verdict::Undecided, format!("{reason}{time}"), n_tried);
        return Outcome { hypothesis: Some(hypothesis), ..outcome };
    }
    let Some(Refuted { hypothesis, agreement, reach }) = refuted else {
        return blank(
            Verdict::Undecided,
            format!("no program was found within the limits of the search{time}"),
            n_tried,
        );
    };
    let share = agreement.share();
    let best = match reach {
        Some(_) => {
            "agrees on all inputs that were drawn as far as asked, and differs on one that was looked for".to_owned()
        }
        None => format!("agrees on a share of {share:.4} of what was compared"),
    };
    let verdict = if late { Verdict::Undecided } else { Verdict::Refuted };
    let reason = format!("{n_tried} candidates differ from the network; the best {best}{time}");
    // What is proved of shorter inputs is no proof of a program that is not claimed.
    let Reach { asked, beyond, .. } = reach.unwrap_or_default();
    let outcome = blank(verdict, reason, n_tried);
    Outcome { hypothesis: Some(hypothesis), agreement: Some(agreement), asked, beyond, ..outcome }
}

/// An outcome without a hypothesis.
fn blank(verdict: Verdict, reason: String, n_tried: usize) -> Outcome {
    Outcome {
        verdict,
        reason,
        mechanism: Mechanism::Unverified,
        missing: Vec::new(),
        hypothesis: None,
        agreement: None,
        scrub: None,
        interchange: Vec::new(),
        mechanics: None,
        behaviour: None,
        n_tried,
        variables: None,
        proof: None,
        unproved: None,
        asked: None,
        beyond: None,
        rivals: None,
        circuit: None,
        description: None,
    }
}

#[cfg(test)]
mod tests {
    use check::{Kind, Tally, Unit};

    use super::*;

    #[test]
    fn bounds_of_all_programs_hold_together() {
        let spent: f64 = (1..100_000).map(|nth| 1.0 - confidence_of(nth)).sum();
        assert!(spent <= 1.0 - CONFIDENCE && spent > 0.99 * (1.0 - CONFIDENCE), "{spent}");
        let bound = |nth| check::clopper_pearson_upper(0, 10_000, confidence_of(nth));
        assert!(bound(1) < bound(2) && bound(2) < bound(500));
    }

    /// A program that is wrong on one of two outputs.
    fn refuted() -> Refuted {
        let agreement = Agreement {
            kind: Kind::Sampled,
            unit: Unit::Outputs,
            inputs: 2,
            mismatches: 1,
            tally: Tally::default(),
            uniform: None,
            error_bound: 1.0,
            confidence: 0.99,
            complete: true,
            hurried: false,
            counterexample: None,
        };
        let hypothesis =
            Hypothesis { program: Term::int(1), alignment: Vec::new(), circuit: None, source: "a strategy" };
        Refuted { hypothesis, agreement, reach: None }
    }

    #[test]
    fn a_search_that_was_cut_refutes_nothing() {
        let ended = unsuccessful(Some(refuted()), None, 3, false);
        assert_eq!((ended.verdict, ended.hypothesis.is_some()), (Verdict::Refuted, true));
        let cut = unsuccessful(Some(refuted()), None, 3, true);
        assert_eq!((cut.verdict, cut.hypothesis.is_some()), (Verdict::Undecided, true), "the best is named");
        assert!(cut.reason.contains("a share of 0.5000") && cut.reason.contains("time limit"), "{}", cut.reason);
        assert_eq!(unsuccessful(None, None, 0, false).verdict, Verdict::Undecided);
    }
}
