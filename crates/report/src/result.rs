//! What commands print, as structures.

use check::{Agreement, Beyond, Counterexample, Kind, Proofs, Unit};
use decipher::mechanism::{CarriedTerms, Joined, Mechanics};
use decipher::{Judged, Mechanism, Outcome, Rivals, Separation, Verdict};
use dsl::{Language, Term};
use samples::Domain;
use scrub::{
    Ablation, Beside, CircuitReport, Controls, Exchange, Extent, Interchange, Loss, Part, Scrub, Standing, Variables,
    Variant,
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::hypothesis::alignment;
use crate::proof::{proof_evidence, solver_evidence};
use crate::values::{input_json, rounded, value_json};

/// What `ventris decipher` prints.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DecipherResult {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// The model as it was named.
    pub model: String,
    /// `accepted`, `refuted` or `undecided`: about behaviour.
    pub verdict: &'static str,
    /// Why.
    pub reason: String,
    /// `verified`, `partial` or `unverified`: about the alignment.
    pub mechanism: &'static str,
    /// The program.
    pub program: Option<String>,
    /// Atoms of the printed program.
    pub size: Option<usize>,
    /// What it costs in the language.
    pub cost: Option<f64>,
    /// The finite tables in it.
    pub tables: Vec<TableReport>,
    /// Which site carries which subterm.
    pub alignment: Vec<Aligned>,
    /// The edges that the program implies; absent for recurrent networks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit: Option<Vec<(String, String)>>,
    /// What was measured.
    pub evidence: Evidence,
    /// Wall-clock time of every stage.
    pub seconds: Seconds,
    /// The files written, by what they hold.
    pub files: Files,
}

/// A finite function of a program.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct TableReport {
    /// Its name.
    pub name: String,
    /// How many arguments it lists.
    pub entries: usize,
}

/// A subterm carried by a site.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aligned {
    /// A term over the inputs.
    pub subterm: String,
    /// A node's name.
    pub site: String,
    /// How it is read there.
    pub readout: String,
    /// How well, on held-out samples.
    pub fit: f64,
}

/// What was measured about a hypothesis; `null` is what was not measured.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Evidence {
    /// Agreement of program and network.
    pub agreement: Option<AgreementEvidence>,
    /// A proof: its kind, scope and arithmetic, and how many regions it has.
    pub proof: Option<Json>,
    /// Why there is no proof, of transformers over tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unproved: Option<String>,
    /// What a solver answered, where it was asked: how far it proved, and why no further.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub solver: Option<Json>,
    /// What inputs beyond the domain's lengths show; of recurrent networks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beyond: Option<BeyondEvidence>,
    /// What is missing from a verified mechanism, where one was tested.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Causal scrubbing.
    pub scrub: Option<ScrubEvidence>,
    /// Why there was no scrubbing, where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scrub_skipped: Option<String>,
    /// What scrubbing reaches without content.
    pub controls: Option<ControlsEvidence>,
    /// The whole procedure on networks without meaning, where it was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub full_controls: Vec<FullControl>,
    /// Interchange interventions, one for every site of the alignment and of the circuit.
    pub interchange: Vec<InterchangeEvidence>,
    /// What the edges of a causal transformer carry, where its mechanism was looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edges: Option<EdgesEvidence>,
    /// What the hidden state of a recurrent network carries beside the program's state and outputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<BesideEvidence>,
    /// Tests of the circuit by ablation, where the hypothesis names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit: Option<CircuitEvidence>,
    /// Other programs that do the same on the inputs at hand; of accepted programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rivals: Option<RivalsEvidence>,
    /// What the hypothesis costs to write down, beside what it explains; of accepted programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<DescriptionEvidence>,
    /// What is known of shorter programs.
    pub minimality: Option<Json>,
    /// Causal language models: the network against itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yardstick: Option<YardstickEvidence>,
    /// Causal language models: where network and program part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<ErrorsEvidence>,
}

/// See [`decipher::causal::Yardstick`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct YardstickEvidence {
    /// Sequences that were run again at other positions.
    pub sequences: usize,
    /// The share of them with the same output wherever it counts: about what a program of tokens alone can reach.
    pub self_agreement: f64,
    /// The entropy of the outputs that count, in bits.
    pub entropy: f64,
    /// Whether all outputs that count are the same: then nothing is there to be explained.
    pub constant: bool,
}

/// See [`decipher::causal::Errors`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ErrorsEvidence {
    /// Outputs that count.
    pub outputs: usize,
    /// Those at which network and program differ.
    pub wrong: usize,
    /// Sequences with one of them.
    pub sequences: usize,
    /// Where they lie, in a sentence.
    pub explanation: String,
    /// The rule that predicts them; `null` where none was found.
    pub rule: Option<ErrorRule>,
}

/// See [`decipher::causal::Rule`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ErrorRule {
    /// The number that the rule is about.
    pub number: &'static str,
    /// `at least` or `at most` the threshold.
    pub side: &'static str,
    /// The threshold.
    pub threshold: i64,
    /// The share of the errors that lie there, on sequences that played no part in finding the rule.
    pub caught: f64,
    /// The share of the outputs there that are errors.
    pub rate: f64,
    /// The same elsewhere.
    pub elsewhere: f64,
}

impl YardstickEvidence {
    fn new(yardstick: &decipher::causal::Yardstick) -> Self {
        Self {
            sequences: yardstick.sequences,
            self_agreement: rounded(yardstick.self_agreement),
            entropy: rounded(yardstick.entropy),
            constant: yardstick.entropy == 0.0,
        }
    }
}

impl ErrorsEvidence {
    fn new(errors: &decipher::causal::Errors) -> Self {
        let rule = errors.rule.as_ref().map(|rule| ErrorRule {
            number: rule.number,
            side: if rule.above { "at least" } else { "at most" },
            threshold: rule.threshold,
            caught: rounded(rule.caught),
            rate: rounded(rule.rate),
            elsewhere: rounded(rule.elsewhere),
        });
        let explanation = match &rule {
            _ if errors.wrong == 0 => "there are none".to_owned(),
            None => "no rule was found that predicts them".to_owned(),
            Some(r) => format!(
                "{:.0} % of them lie where the {} is {} {}: {:.2} % of the outputs there, {:.3} % elsewhere",
                100.0 * r.caught,
                r.number,
                r.side,
                r.threshold,
                100.0 * r.rate,
                100.0 * r.elsewhere
            ),
        };
        Self { outputs: errors.outputs, wrong: errors.wrong, sequences: errors.sequences, explanation, rule }
    }
}

/// See [`decipher::mechanism::Mechanics`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct EdgesEvidence {
    /// Edges of the network.
    pub all: usize,
    /// Those that matter.
    pub kept: usize,
    /// What the others' readers may rely on: any donor that agrees on these terms is as good.
    pub carried: Vec<CarriedReport>,
    /// Variables with the sites that carry them, and what interchanging them showed on inputs of its own.
    pub variables: Vec<VariableReport>,
    /// What the heads select whose outputs matter.
    pub selectors: Vec<SelectorReport>,
    /// What the network does with all selectors that fit in the places of the patterns, on inputs of their own.
    pub selected: Option<SelectedEvidence>,
}

/// See [`decipher::mechanism::Selected`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SelectorReport {
    /// The head.
    pub head: String,
    /// Which keys are related to which queries, a selector; `null`: positions by themselves decide.
    pub relation: Option<String>,
    /// Whether weights go by the tokens at key and query.
    pub by_token: bool,
    /// Weights of the table.
    pub entries: usize,
    /// The share of sequences that stay as they are with the selector in the place of the pattern, where it was fitted.
    pub sequence_matches: f64,
    /// The recovered fraction there.
    pub recovered: f64,
    /// Whether that is near enough to be put to the test.
    pub passes: bool,
    /// A short sequence, the head's weights on it (query by key), and the selector's.
    pub example: ExampleReport,
}

/// See [`decipher::mechanism::Example`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ExampleReport {
    /// The sequence.
    pub tokens: Vec<Json>,
    /// The head's weights.
    pub pattern: Vec<Vec<f64>>,
    /// The selector's.
    pub selector: Vec<Vec<f64>>,
}

/// What remains with selectors in the places of patterns.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SelectedEvidence {
    /// Heads.
    pub heads: usize,
    /// Sequences.
    pub sequences: usize,
    /// The share of them that stay as they are.
    pub sequence_matches: f64,
    /// The recovered fraction.
    pub recovered: f64,
}

impl SelectorReport {
    fn new(found: &decipher::mechanism::Selected, language: &Language) -> Self {
        let token = |&code: &i64| samples::Symbol::from_code(code).map_or(Json::Null, |s| Json::from(s.as_str()));
        let rows = |rows: &[Vec<f32>]| -> Vec<Vec<f64>> {
            // Two digits are enough for a picture.
            let digits = |&v: &f32| (f64::from(v) * 100.0).round() / 100.0;
            rows.iter().map(|row| row.iter().map(digits).collect()).collect()
        };
        Self {
            head: found.head.clone(),
            relation: found.relation.as_ref().map(|term| dsl::print(term, language)),
            by_token: found.by_token,
            entries: found.entries,
            sequence_matches: rounded(found.fitted.sequence_matches),
            recovered: rounded(found.fitted.recovered),
            passes: found.passes,
            example: ExampleReport {
                tokens: found.example.tokens.iter().map(token).collect(),
                pattern: rows(&found.example.pattern),
                selector: rows(&found.example.selector),
            },
        }
    }
}

/// See [`decipher::mechanism::Joined`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct VariableReport {
    /// Terms over the inputs.
    pub terms: Vec<String>,
    /// The writers that carry them together.
    pub writers: Vec<String>,
    /// What donors agreed on beside the part of the sequence.
    pub agree: Vec<String>,
    /// Outputs that the program says change.
    pub changed: usize,
    /// The share of them on which the network follows the program.
    pub accuracy: f64,
    /// The same with donors that the program did not get; 1 where the accuracy is too low to be compared.
    pub by_chance: f64,
    /// Whether this speaks for the variable.
    pub passes: bool,
}

/// Edges with what they carry.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CarriedReport {
    /// Writer and reader.
    pub edges: Vec<(String, String)>,
    /// Terms over the inputs.
    pub terms: Vec<String>,
}

impl EdgesEvidence {
    fn new(found: &Mechanics, language: &Language) -> Self {
        let one = |carried: &CarriedTerms| CarriedReport {
            edges: carried.edges.clone(),
            terms: carried.terms.iter().map(|term| dsl::print(term, language)).collect(),
        };
        Self {
            all: found.n_edges,
            kept: found.circuit.len(),
            carried: found.carried.iter().map(one).collect(),
            variables: found.sites.iter().map(|site| VariableReport::new(site, language)).collect(),
            selectors: found.selectors.iter().map(|selected| SelectorReport::new(selected, language)).collect(),
            selected: found.selected.map(|effect| SelectedEvidence {
                heads: found.selectors.iter().filter(|selected| selected.passes).count(),
                sequences: effect.sequences,
                sequence_matches: rounded(effect.sequence_matches),
                recovered: rounded(effect.recovered),
            }),
        }
    }
}

impl VariableReport {
    fn new(site: &Joined, language: &Language) -> Self {
        let printed = |terms: &[dsl::Term]| terms.iter().map(|term| dsl::print(term, language)).collect();
        Self {
            terms: printed(&site.terms),
            writers: site.writers.clone(),
            agree: printed(&site.agree),
            changed: site.interchange.changed,
            accuracy: rounded(site.interchange.changed_accuracy),
            by_chance: rounded(site.control),
            passes: site.passes,
        }
    }
}

/// See [`check::Agreement`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AgreementEvidence {
    /// `exhaustive` or `sampled`.
    pub kind: &'static str,
    /// Counted outputs (or sequences) compared.
    pub inputs: u64,
    /// Those that differ.
    pub mismatches: u64,
    /// What is counted: `outputs` or `sequences`.
    pub unit: &'static str,
    /// Sequences that were run and have a counted output.
    pub sequences: u64,
    /// An upper bound on the share of sequences with a difference.
    pub error_bound: f64,
    /// The confidence of the bound.
    pub confidence: f64,
    /// Whether all that was planned was run.
    pub complete: bool,
    /// A small input on which both differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterexample: Option<CounterexampleReport>,
}

/// See [`check::Beyond`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct BeyondEvidence {
    /// Elements of the sequences.
    pub length: usize,
    /// Sequences that were run.
    pub sequences: usize,
    /// Counted outputs of the uniform ones.
    pub outputs: u64,
    /// Those at which program and network differ.
    pub mismatches: u64,
    /// The shortest input found on which they differ.
    pub departure: Option<CounterexampleReport>,
    /// Whether it is proved that no shorter input does.
    pub shortest: bool,
}

impl BeyondEvidence {
    fn new(beyond: &Beyond, proved: Option<usize>, domain: &Domain) -> Self {
        let departure = beyond.departure.as_ref();
        Self {
            length: beyond.length,
            sequences: beyond.sequences,
            outputs: beyond.outputs,
            mismatches: beyond.mismatches,
            departure: departure.map(|c| counterexample(c, domain)),
            shortest: departure.is_some_and(|c| proved.is_some_and(|length| length >= c.position)),
        }
    }
}

/// An input on which program and network differ.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CounterexampleReport {
    /// The sequence.
    pub input: Json,
    /// The element, from 0.
    pub position: usize,
    /// What the network says there.
    pub network: Json,
    /// What the program says there.
    pub program: Json,
}

/// See [`scrub::Scrub`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ScrubEvidence {
    /// The recovered fraction, unclipped.
    pub recovered: f64,
    /// Its central 95 % over bootstrap resamples.
    pub interval: (f64, f64),
    /// Sequences.
    pub samples: usize,
    /// `treeified`: an independent draw for every occurrence; `shared noise`: one draw per edge in one forward pass.
    pub variant: &'static str,
    /// What the fraction is of: `squared` difference, `changed` outputs, or `divergence` of distributions.
    pub loss: &'static str,
    /// The share of outputs left as they were.
    pub matches: f64,
    /// The share of sequences with all outputs left as they were.
    pub sequence_matches: f64,
    /// The loss that 95 % of the sequences stay below, over the mean shuffled loss.
    pub tail: f64,
    /// The loss of the worst sequence, over the mean shuffled loss.
    pub worst: f64,
    /// Classes that donors were drawn from, over all positions.
    pub classes: usize,
    /// The share of samples alone in their class, which tests nothing.
    pub vacuous: f64,
    /// The share of outputs for which there were donors beside the inputs themselves; all else speaks of these alone.
    pub tested: f64,
    /// Edges of the circuit that were not tested, because their writer carries no variable.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub untested: Vec<(String, String)>,
}

/// See [`scrub::Families`]: variables permuted over the inputs, and beside them the other families that were run.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ControlsEvidence {
    /// The variables' values permuted over the inputs.
    #[serde(flatten)]
    pub columns: FamilyEvidence,
    /// Whether the hypothesis is beyond all families.
    pub beaten: bool,
    /// Random circuits with as many edges, where the hypothesis names a circuit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuits: Option<FamilyEvidence>,
    /// The same variables at other sites, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alignments: Option<FamilyEvidence>,
    /// Random terms in the place of the variables, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub programs: Option<FamilyEvidence>,
}

/// What deciphering makes of the same network without what training gave it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FullControl {
    /// How the meaning was taken away.
    pub kind: &'static str,
    /// `accepted`, `refuted` or `undecided`; `failed` where the network could not be run.
    pub verdict: &'static str,
    /// `verified`, `partial` or `unverified`.
    pub mechanism: &'static str,
    /// The share of what counts on which the program found agrees with this network; `null` where there is none.
    pub agreement: Option<f64>,
    /// The program found, or the closest.
    pub program: Option<String>,
    /// Whether that is the program found for the network itself: then it says nothing of what was trained.
    pub same_program: bool,
}

impl FullControl {
    /// What is printed of a control beside the outcome for the network itself.
    pub fn new(
        kind: &'static str,
        other: Result<&Outcome, &decipher::Error>,
        own: &Outcome,
        language: &Language,
    ) -> Self {
        let program = |outcome: &Outcome| outcome.hypothesis.as_ref().map(|h| dsl::print(&h.program, language));
        match other {
            Err(_) => Self {
                kind,
                verdict: "failed",
                mechanism: mechanism_name(Mechanism::Unverified),
                agreement: None,
                program: None,
                same_program: false,
            },
            Ok(other) => Self {
                kind,
                verdict: verdict_name(other.verdict),
                mechanism: mechanism_name(other.mechanism),
                agreement: other.agreement.as_ref().map(|agreement| rounded(agreement.share())),
                program: program(other),
                same_program: other.verdict == Verdict::Accepted && program(other) == program(own),
            },
        }
    }
}

/// See [`scrub::Controls`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FamilyEvidence {
    /// What was made meaningless.
    pub kind: &'static str,
    /// How many were run.
    pub draws: usize,
    /// What they reach on average.
    pub null_mean: f64,
    /// How many reach as much as the hypothesis.
    pub as_good: usize,
    /// The chance that one reaches as much as the hypothesis.
    pub p_value: f64,
    /// The same after Holm's correction for all families that are samples.
    pub corrected: f64,
    /// Draws left out because they say as much as the hypothesis.
    #[serde(skip_serializing_if = "is_zero")]
    pub dropped: usize,
    /// Whether these are all of their kind, and not a sample.
    #[serde(skip_serializing_if = "is_false")]
    pub exhaustive: bool,
    /// Whether no more could be drawn, so that every one has to be worse and no level is asked for.
    #[serde(skip_serializing_if = "is_false")]
    pub few: bool,
    /// Whether the rest was not run because of those that reach as much: it could change nothing.
    #[serde(skip_serializing_if = "is_false")]
    pub settled: bool,
    /// Whether the time limit cut them.
    #[serde(skip_serializing_if = "is_false")]
    pub ended_early: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(n: &usize) -> bool {
    *n == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// See [`scrub::Interchange`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct InterchangeEvidence {
    /// The site whose value was taken from another input.
    pub site: String,
    /// In recurrent networks, the variable of the program that was exchanged; all of them where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// In recurrent networks, what was exchanged: the component along a `direction`, or the whole `state`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<&'static str>,
    /// Outputs counted.
    pub outputs: usize,
    /// The share on which the network said what the program says of it.
    pub accuracy: f64,
    /// Outputs that the intervention changes, by the program.
    pub changed: usize,
    /// The accuracy on these.
    pub changed_accuracy: f64,
    /// Whether the program computes nothing from what is claimed of the site, so that outputs have to stay as they are.
    pub inert: bool,
    /// The same with donors of other pairs, on average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<f64>,
    /// The chance that such a control does as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
}

/// See [`scrub::Beside`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct BesideEvidence {
    /// Directions of the hidden space in which states differ.
    pub directions: usize,
    /// Those along which more than 1 % of the variance is left where the program's state and outputs are known.
    pub unexplained: usize,
    /// The greatest share left along a direction.
    pub most: f64,
    /// How state and outputs explain: by `classes` of equal values, or by `least squares`.
    pub by: &'static str,
}

impl InterchangeEvidence {
    fn of_variable(exchange: &Exchange) -> Self {
        Self {
            site: scrub::STATE_SITE.to_owned(),
            variable: exchange.variable.map(|name| name.to_string()),
            part: Some(match exchange.part {
                Part::Direction => "direction",
                Part::State => "state",
            }),
            outputs: exchange.outputs,
            accuracy: rounded(exchange.accuracy),
            changed: exchange.changed,
            changed_accuracy: rounded(exchange.changed_accuracy),
            inert: false,
            control: Some(rounded(exchange.control)),
            p_value: Some(rounded(exchange.p_value)),
        }
    }

    fn new(interchange: &Interchange) -> Self {
        Self {
            site: interchange.site.clone(),
            variable: None,
            part: None,
            outputs: interchange.outputs,
            accuracy: rounded(interchange.accuracy),
            changed: interchange.changed,
            changed_accuracy: rounded(interchange.changed_accuracy),
            inert: interchange.inert,
            control: None,
            p_value: None,
        }
    }
}

/// Wall-clock seconds of every stage.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Seconds {
    /// Reading the model.
    pub trace: f64,
    /// Finding hypotheses.
    pub synth: f64,
    /// Comparing with the network.
    pub check: f64,
    /// Testing the alignment.
    pub scrub: f64,
    /// What controls took of that, from the first to the last.
    pub controls: f64,
}

/// Files written, as paths.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Files {
    /// The program in its DSL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The program in Python.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<String>,
    /// Program, alignment and language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hypothesis: Option<String>,
    /// The certificate of a proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
    /// This object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

impl DecipherResult {
    /// What is printed of an outcome.
    pub fn new(
        model: &str,
        domain: &Domain,
        outcome: &Outcome,
        language: &Language,
        seconds: Seconds,
        files: Files,
    ) -> Self {
        let hypothesis = outcome.hypothesis.as_ref();
        let program = hypothesis.map(|h| &h.program);
        let scrub = outcome.scrub.as_ref();
        let done = scrub.and_then(|scrub| scrub.as_ref().ok());
        Self {
            schema: crate::SCHEMA,
            model: model.to_owned(),
            verdict: verdict_name(outcome.verdict),
            reason: outcome.reason.clone(),
            mechanism: mechanism_name(outcome.mechanism),
            program: program.map(|p| dsl::print(p, language)),
            size: program.map(|p| dsl::size(p, language)),
            cost: program.map(|p| rounded(dsl::cost(p, language))),
            tables: program.map(table_reports).unwrap_or_default(),
            alignment: hypothesis.map(|h| alignment(h, language)).unwrap_or_default(),
            circuit: hypothesis.and_then(|h| h.circuit.clone()),
            evidence: Evidence {
                agreement: outcome.agreement.as_ref().map(|a| AgreementEvidence::new(a, domain)),
                scrub: done.map(ScrubEvidence::new),
                scrub_skipped: scrub.and_then(|scrub| scrub.as_ref().err().cloned()),
                controls: done.map(ControlsEvidence::new),
                full_controls: Vec::new(),
                missing: outcome.missing.clone(),
                edges: outcome.mechanics.as_ref().map(|found| EdgesEvidence::new(found, language)),
                yardstick: outcome.behaviour.as_ref().map(|b| YardstickEvidence::new(&b.yardstick)),
                errors: outcome.behaviour.as_ref().and_then(|b| b.errors.as_ref()).map(ErrorsEvidence::new),
                interchange: interchanges(&outcome.interchange, outcome.variables.as_ref()),
                beside: outcome.variables.as_ref().map(|variables| BesideEvidence::new(&variables.beside)),
                proof: outcome.proof.as_ref().map(|proofs| proof_evidence(proofs, domain)),
                unproved: outcome.unproved.clone(),
                solver: outcome.asked.as_ref().map(|asked| solver_evidence(asked, domain)),
                beyond: outcome.beyond.as_ref().map(|beyond| {
                    BeyondEvidence::new(beyond, outcome.proof.as_ref().and_then(Proofs::float32), domain)
                }),
                circuit: outcome.circuit.as_ref().map(CircuitEvidence::new),
                rivals: outcome.rivals.as_ref().map(|rivals| RivalsEvidence::new(rivals, domain, language)),
                description: outcome.description.as_ref().map(DescriptionEvidence::new),
                minimality: None,
            },
            seconds,
            files,
        }
    }

    /// The same with what was found on networks without meaning.
    #[must_use]
    pub fn with_controls(mut self, full: Vec<FullControl>) -> Self {
        self.evidence.full_controls = full;
        self
    }
}

fn interchanges(sites: &[Interchange], variables: Option<&Variables>) -> Vec<InterchangeEvidence> {
    let variables = variables.iter().flat_map(|variables| &variables.exchanges);
    let sites = sites.iter().map(InterchangeEvidence::new);
    sites.chain(variables.map(InterchangeEvidence::of_variable)).collect()
}

/// See [`scrub::CircuitReport`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CircuitEvidence {
    /// Edges that were tested.
    pub edges: usize,
    /// Edges of the network.
    pub all: usize,
    /// Sequences.
    pub sequences: usize,
    /// What was put in the place of all other edges, and what that showed.
    pub ablations: Vec<AblationEvidence>,
    /// The chance of scores as one-sided as the circuit's against the network's if they are equivalent.
    pub equivalence: f64,
    /// The chance of as much dependence between the rest and the network if there is none.
    pub independence: f64,
    /// Random edges that those of the circuit were held against.
    pub references: usize,
    /// Edges that do no more than most random ones.
    pub unneeded: Vec<(String, String)>,
}

/// See [`scrub::Ablated`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AblationEvidence {
    /// `zero`, `mean` or `resample`.
    pub ablation: &'static str,
    /// 1 where the circuit does all; absent where cutting everything changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faithfulness: Option<f64>,
    /// The same for the other edges: 0 where nothing is missing from the circuit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complement: Option<f64>,
}

impl CircuitEvidence {
    fn new(report: &CircuitReport) -> Self {
        let share = |value: f64| value.is_finite().then(|| rounded(value));
        let one = |ablated: &scrub::Ablated| AblationEvidence {
            ablation: match ablated.ablation {
                Ablation::Zero => "zero",
                Ablation::Mean => "mean",
                Ablation::Resample => "resample",
            },
            faithfulness: share(ablated.faithfulness),
            complement: share(ablated.complement),
        };
        Self {
            edges: report.edges.0,
            all: report.edges.1,
            sequences: report.sequences,
            ablations: report.tests.ablations.iter().map(one).collect(),
            equivalence: rounded(report.tests.equivalence),
            independence: rounded(report.tests.independence),
            references: report.references,
            unneeded: report.unneeded.clone(),
        }
    }
}

/// See [`decipher::Description`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DescriptionEvidence {
    /// Bits of the program.
    pub program_bits: f64,
    /// Bits of the alignment.
    pub alignment_bits: f64,
    /// Bits of the outputs that the program was held against, by an ideal code that knows positions.
    pub data_bits: f64,
    /// Numbers fitted for the alignment.
    pub parameters: usize,
    /// Reasons to call the hypothesis too rich; its mechanism is not verified then.
    pub over_rich: Vec<String>,
}

impl DescriptionEvidence {
    fn new(description: &decipher::Description) -> Self {
        Self {
            program_bits: rounded(description.program),
            alignment_bits: rounded(description.alignment),
            data_bits: rounded(description.data),
            parameters: description.parameters,
            over_rich: description.over_rich.clone(),
        }
    }
}

/// See [`decipher::Rivals`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct RivalsEvidence {
    /// Programs that were looked at: others of the search, and the accepted one with one change.
    pub considered: usize,
    /// Those that are no worse on a sample.
    pub surviving: usize,
    /// Survivors that are shown to be equal to the accepted program.
    pub equal: usize,
    /// Some of the other survivors.
    pub others: Vec<RivalEvidence>,
}

/// See [`decipher::Rival`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct RivalEvidence {
    /// The program.
    pub program: String,
    /// An input on which it differs from the accepted one, which was run; null where none was found.
    pub separated_by: Option<CounterexampleReport>,
    /// What the rival says there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rival: Option<Json>,
    /// Whether the input is one of the domain's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<bool>,
    /// Sequences among which none was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub none_in: Option<u64>,
}

impl RivalsEvidence {
    fn new(rivals: &Rivals, domain: &Domain, language: &Language) -> Self {
        let one = |rival: &decipher::Rival| {
            let program = dsl::print(&rival.program, language);
            match &rival.separation {
                Separation::Input { input, rival, within } => RivalEvidence {
                    program,
                    separated_by: Some(counterexample(input, domain)),
                    rival: Some(one_or_all(rival)),
                    within: Some(*within),
                    none_in: None,
                },
                Separation::None { sequences } => {
                    RivalEvidence { program, separated_by: None, rival: None, within: None, none_in: Some(*sequences) }
                }
            }
        };
        Self {
            considered: rivals.considered,
            surviving: rivals.surviving,
            equal: rivals.equal,
            others: rivals.others.iter().map(one).collect(),
        }
    }
}

impl BesideEvidence {
    fn new(beside: &Beside) -> Self {
        Self {
            directions: beside.directions,
            unexplained: beside.unexplained,
            most: rounded(beside.most),
            by: if beside.by_class { "classes" } else { "least squares" },
        }
    }
}

fn mechanism_name(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::Verified => "verified",
        Mechanism::Partial => "partial",
        Mechanism::Unverified => "unverified",
        Mechanism::Undecided => "undecided",
    }
}

/// The name of a verdict.
pub(crate) fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted => "accepted",
        Verdict::Refuted => "refuted",
        Verdict::Undecided => "undecided",
    }
}

impl AgreementEvidence {
    /// What is printed of an agreement.
    pub fn new(agreement: &Agreement, domain: &Domain) -> Self {
        Self {
            kind: match agreement.kind {
                Kind::Exhaustive => "exhaustive",
                Kind::Sampled => "sampled",
            },
            inputs: agreement.inputs,
            mismatches: agreement.mismatches,
            unit: match agreement.unit {
                Unit::Outputs => "outputs",
                Unit::Sequences => "sequences",
            },
            sequences: agreement.tally.sequences,
            error_bound: rounded(agreement.error_bound),
            confidence: agreement.confidence,
            complete: agreement.complete,
            counterexample: agreement.counterexample.as_ref().map(|c| counterexample(c, domain)),
        }
    }
}

/// One value, or the list of several.
fn one_or_all(values: &[samples::Value]) -> Json {
    match values {
        [one] => value_json(*one),
        all => all.iter().map(|&v| value_json(v)).collect(),
    }
}

/// What is printed of an input on which two differ.
pub(crate) fn counterexample(c: &Counterexample, domain: &Domain) -> CounterexampleReport {
    CounterexampleReport {
        input: input_json(domain, &c.input, 0),
        position: c.position,
        network: one_or_all(&c.network),
        program: one_or_all(&c.program),
    }
}

impl ScrubEvidence {
    /// What is printed of scrubbing.
    pub fn new(scrub: &Scrub) -> Self {
        Self {
            recovered: rounded(scrub.recovered),
            interval: (rounded(scrub.interval.0), rounded(scrub.interval.1)),
            samples: scrub.samples,
            variant: match scrub.variant {
                Variant::Treeified => "treeified",
                Variant::SharedNoise => "shared noise",
            },
            loss: match scrub.loss {
                Loss::Squared => "squared",
                Loss::Changed => "changed",
                Loss::Divergence => "divergence",
            },
            matches: rounded(scrub.matches),
            sequence_matches: rounded(scrub.sequence_matches),
            tail: rounded(scrub.tail),
            worst: rounded(scrub.worst),
            classes: scrub.classes.classes,
            vacuous: rounded(scrub.classes.vacuous_share()),
            tested: rounded(scrub.tested),
            untested: scrub.exact_edges.clone(),
        }
    }
}

impl ControlsEvidence {
    /// What is printed of the controls.
    pub fn new(scrub: &Scrub) -> Self {
        let families = &scrub.controls;
        let of = |family: &Option<Controls>, kind| family.as_ref().map(|family| FamilyEvidence::new(kind, family));
        Self {
            columns: FamilyEvidence::new("variables permuted over inputs", &families.columns),
            beaten: families.standing() == Standing::Beaten,
            circuits: of(&families.circuits, "random circuits of the same size"),
            alignments: of(&families.alignments, "variables at other sites"),
            programs: of(&families.programs, "random terms in the place of the variables"),
        }
    }

    /// All families, the permuted columns first.
    pub(crate) fn families(&self) -> impl Iterator<Item = &FamilyEvidence> {
        [Some(&self.columns), self.circuits.as_ref(), self.alignments.as_ref(), self.programs.as_ref()]
            .into_iter()
            .flatten()
    }
}

impl FamilyEvidence {
    fn new(kind: &'static str, controls: &Controls) -> Self {
        Self {
            kind,
            draws: controls.draws,
            null_mean: rounded(controls.null_mean),
            as_good: controls.as_good,
            p_value: rounded(controls.p_value),
            corrected: rounded(controls.corrected),
            dropped: controls.dropped,
            exhaustive: controls.extent == Extent::All,
            few: controls.extent == Extent::Few,
            settled: controls.settled,
            ended_early: controls.late,
        }
    }
}

/// What `ventris check` prints.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CheckResult {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// The model as it was named.
    pub model: String,
    /// The program.
    pub program: String,
    /// `accepted`, `refuted`, or `undecided` where what was run is too little to tell.
    pub verdict: &'static str,
    /// How far both agree.
    pub agreement: AgreementEvidence,
}

/// What `ventris check --proof` prints.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ProofCheckResult {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// The model as it was named.
    pub model: String,
    /// The program.
    pub program: String,
    /// `holds` or `refused`.
    pub verdict: &'static str,
    /// What is proved where it holds: kind, scope, arithmetic.
    pub proof: Json,
    /// Why it is refused.
    pub reason: Option<String>,
}

/// What `ventris scrub` prints.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ScrubResult {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// The model as it was named.
    pub model: String,
    /// `accepted`, `refuted` or `undecided`.
    pub verdict: &'static str,
    /// Why.
    pub reason: &'static str,
    /// As of [`DecipherResult`].
    pub mechanism: &'static str,
    /// What is missing from a verified mechanism.
    pub missing: Vec<String>,
    /// What scrubbing showed.
    pub scrub: ScrubEvidence,
    /// What it shows without content.
    pub controls: ControlsEvidence,
    /// Interchange interventions, site by site, or exchanges of variables in the hidden state.
    pub interchange: Vec<InterchangeEvidence>,
}

impl ScrubResult {
    /// What is printed of a hypothesis that was judged.
    pub fn new(model: &str, (verdict, reason): (&'static str, &'static str), judged: &Judged, scrub: &Scrub) -> Self {
        Self {
            schema: crate::SCHEMA,
            model: model.to_owned(),
            verdict,
            reason,
            mechanism: mechanism_name(judged.mechanism),
            missing: judged.missing.clone(),
            scrub: ScrubEvidence::new(scrub),
            controls: ControlsEvidence::new(scrub),
            interchange: interchanges(&judged.interchange, judged.variables.as_ref()),
        }
    }
}

fn table_reports(program: &Term) -> Vec<TableReport> {
    let tables = dsl::tables(program);
    tables.iter().map(|t| TableReport { name: t.name.to_string(), entries: t.entries.len() }).collect()
}

/// What `ventris trace` prints.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct TraceResult {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// The model as it was named.
    pub model: String,
    /// The family of networks.
    pub family: &'static str,
    /// The number of parameters, each counted once.
    pub n_parameters: usize,
    /// Nodes and edges; of a recurrent network its first steps.
    #[serde(flatten)]
    pub graph: graph::Summary,
}

/// What `ventris dsl check` prints.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DslCheckResult {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// The file as it was named.
    pub file: String,
    /// Operators, those of included files among them.
    pub n_operators: usize,
    /// Whether every rule and fact was proved, held on every input of its scope or is assumed, every operator that is
    /// said to be total is, and every test of the file passed.
    pub sound: bool,
    /// Every rule and fact.
    pub rules: Vec<RuleResult>,
    /// Every operator.
    pub operators: Vec<OperatorResult>,
    /// The tests that the file holds of itself.
    pub checks: Vec<SelfTestResult>,
}

/// What was found of a rule or fact.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct RuleResult {
    /// Its name.
    pub name: String,
    /// `rule` or `fact`.
    pub kind: &'static str,
    /// The file that it is written in, as its include names it.
    pub file: String,
    /// Where it is written.
    pub place: String,
    /// `proved`, `exhaustive`, `assumed`, `unsound`, `vacuous` or `undecided`.
    pub status: &'static str,
    /// The scope, the counterexample or the reason.
    pub detail: String,
    /// Of what may not be used: the place underlined, as in an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub underlined: Option<String>,
}

/// What was found of an operator.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct OperatorResult {
    /// Its name.
    pub name: String,
    /// Where it is written.
    pub place: String,
    /// `total`, `partial` or `undecided`: whether it has a value wherever its arguments do.
    pub status: &'static str,
    /// How that is known, or arguments of which it has no value.
    pub detail: String,
    /// Whether what the file claims of it is so.
    pub holds: bool,
    /// Where it is not: the claim underlined, as in an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub underlined: Option<String>,
}

/// What a test of a DSL file came to.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SelfTestResult {
    /// `check` or `fail`.
    pub kind: &'static str,
    /// Its term.
    pub term: String,
    /// Where it is written.
    pub place: String,
    /// The value of the term.
    pub value: String,
    /// Whether that is what the file says.
    pub passed: bool,
    /// Where it did not pass: the test underlined, as in an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub underlined: Option<String>,
}

/// What `ventris dsl infer` prints.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct InferResult {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// The file as it was named.
    pub file: String,
    /// In the order in which they were chosen.
    pub rules: Vec<InferredRuleResult>,
    /// Pairs of terms with equal values that were looked at.
    pub candidates: usize,
    /// Those that rules chosen before them imply.
    pub derived: usize,
    /// Those that verification refuted.
    pub refuted: usize,
    /// Those that verification could not decide.
    pub undecided: usize,
    /// Limits that cut the enumeration short: `terms` or `time`.
    pub limits: Vec<String>,
}

/// A rule that was inferred.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct InferredRuleResult {
    /// Its name.
    pub name: String,
    /// The rule as it stands in a DSL file.
    pub text: String,
    /// `proved`, or `exhaustive` over a stated scope.
    pub status: String,
    /// The scope.
    pub detail: String,
}

/// What `ventris synth` prints.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SynthResult {
    /// [`crate::SCHEMA`].
    pub schema: u32,
    /// The file as it was named.
    pub file: String,
    /// `solved`, `infeasible` or `fail`.
    pub status: &'static str,
    /// Why there is no solution, the limit that fired, or why solutions are not listed.
    pub reason: Option<String>,
    /// The functions found, in the order of the file.
    pub functions: Vec<SynthFunction>,
    /// What is known of those that were not found before a limit fired.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unsolved: Vec<SynthBound>,
    /// All smallest solutions, where they were asked for; of DSL files they are with each function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all: Option<SynthAll>,
    /// The front of size and fit, where it was asked for; of DSL files it is with each function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub front: Option<Vec<SynthFit>>,
}

/// What is known of functions that were not found.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SynthBound {
    /// Their names; several that constraints tie together.
    pub functions: Vec<String>,
    /// No bodies of these functions that solve the problem cost less, in sum.
    pub lower_bound: u32,
    /// Of which terms the bound speaks, as [`SynthFunction::bound_scope`].
    pub bound_scope: &'static str,
}

/// All cheapest solutions of a problem, or for a function.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SynthAll {
    /// `(define-fun ...)` each.
    pub definitions: Vec<String>,
    /// What is known of every one of them, at least: as [`SynthFunction::evidence`].
    pub evidence: &'static str,
    /// What each costs.
    pub cost: u32,
    /// The limit that may have kept others away; null where there are none among the terms that `bound_scope` names, mirror
    /// images aside.
    pub stopped_by: Option<String>,
}

/// The term of a size that is right at most inputs.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SynthFit {
    /// `(define-fun ...)`.
    pub definition: String,
    /// What the body costs.
    pub cost: u32,
    /// Inputs at which it is right.
    pub right: usize,
    /// Inputs that it was held against.
    pub inputs: usize,
}

/// A function that was found.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SynthFunction {
    /// Its name.
    pub name: String,
    /// `(define-fun ...)`.
    pub definition: String,
    /// `proved`: of SyGuS-IF problems nothing else is printed. Of DSL files also `exhaustive` (run on all inputs), `bounded`
    /// (on all of a scope) and `sampled`.
    pub evidence: &'static str,
    /// Operators, variables and literals of the body.
    pub nodes: usize,
    /// What the body costs; 64 times the weight plus the nodes where there are weights.
    pub cost: u32,
    /// No solution costs less, among the terms that `bound_scope` names.
    pub lower_bound: u32,
    /// `grammar`: all terms of the file's grammar; `constants_tried`: those with the constants that were tried, where the
    /// grammar has `(Constant S)`; `terms_tried`: those with the operators and constants that were tried, where there is
    /// no grammar.
    pub bound_scope: &'static str,
    /// Candidates that were evaluated.
    pub candidates: u64,
    /// Inputs that they were evaluated at.
    pub points: usize,
    /// The constants that were tried beside those listed, of functions of DSL files that may have others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constants: Option<SynthConstants>,
    /// All terms of least cost for a function of a DSL file, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all: Option<SynthAll>,
    /// The front of cost and fit for a function of a DSL file, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub front: Option<Vec<SynthFit>>,
}

/// Constants that a search tried beside those that a DSL file lists.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SynthConstants {
    /// Those of the examples and the meaning, all members of finite sorts, and some that shapes suggest.
    pub tried: Vec<String>,
    /// Shapes, terms with places for constants, whose constants were solved for.
    pub shapes: u64,
    /// Places in one of them, at most.
    pub holes: usize,
    /// Shapes that the solver was asked about, since they are not linear.
    pub asked: u64,
}
