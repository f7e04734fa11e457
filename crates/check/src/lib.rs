//! Agreement of a program with a network: is this what the network computes?
//!
//! [`agreement`] runs both on every input of the domain where there are at most [`CheckConfig::exhaustive_limit`] of
//! them, else on fresh random ones, and counts. What was counted is the claim: nothing here decides that a program is
//! "right", a threshold on the counts does. A disagreement comes back shrunk ([`shrink`]).
//!
//! This crate gets a program and never makes one; it knows nothing of how programs are found.

mod beyond;
mod bound;
mod compare;
mod difference;
mod machine;
mod mutants;
mod product;
mod proof;
mod random;
mod shrink;

use dsl::{Env, Language, Term};
use graph::Network;
use rayon::prelude::*;
use samples::{Batch, Column, Decode, Domain, Elements, Value, rng};

pub use beyond::{Beyond, beyond};
pub use bound::{binomial_cdf, clopper_pearson_lower, clopper_pearson_upper, hoeffding_upper};
pub use compare::{Tally, agrees, compare};
pub use difference::difference;
pub use machine::{Machine, Stepped, integer, primed};
pub use mutants::{Change, Mutant, mutants};
pub use product::{Product, product};
pub use proof::{
    Arithmetic, AskConfig, Asked, BoxNode, Boxes, Classes, End, Moving, Proof, Proofs, ProveConfig, Question, Refused,
    Regions, alphabet, ask, follow, prove, verify,
};
pub use random::RandomTerms;
pub use shrink::shrink;

/// How much to check.
#[derive(Clone, Copy)]
pub struct CheckConfig<'a> {
    /// The seed of the inputs drawn; the streams are not those of deciphering.
    pub seed: u64,
    /// Domains with at most so many inputs are run as a whole.
    pub exhaustive_limit: usize,
    /// Inputs drawn where the domain is larger: so many uniform ones, and as many with structure.
    pub samples: usize,
    /// The least share of what counts on which both must agree; checking ends early once it is out of reach.
    pub min_agreement: f64,
    /// The confidence of the error bound of a sampled check.
    pub confidence: f64,
    /// True once time is up: an exhaustive run is then given up for a sampled one, and that ends with the sequences that were
    /// run, some of each kind.
    pub deadline: &'a (dyn Fn() -> bool + Sync),
}

/// The default number of inputs that are run exhaustively.
pub const EXHAUSTIVE_LIMIT: usize = 1_000_000;

impl Default for CheckConfig<'_> {
    fn default() -> Self {
        Self {
            seed: 0,
            exhaustive_limit: EXHAUSTIVE_LIMIT,
            samples: 10_000,
            min_agreement: 1.0,
            confidence: 0.99,
            deadline: &|| false,
        }
    }
}

/// Which inputs were run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// All of the domain's.
    Exhaustive,
    /// Some, drawn at random or recorded with the network.
    Sampled,
}

/// What [`Agreement::inputs`] counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Outputs that count, one per element at most.
    Outputs,
    /// Whole sequences, for domains that are known by recorded inputs.
    Sequences,
}

/// What follows from the inputs that were run about an agreement that is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conclusion {
    /// It is reached, as far as such inputs can show.
    Reached,
    /// It is reached on what was run, which is too little to say so of other inputs.
    Open,
    /// It is not reached.
    Missed,
}

/// The share of inputs that, where none is seen on which both differ, may still be such: a bound above says nothing.
const TOO_WIDE: f64 = 0.5;

/// How far a program and a network agree.
#[derive(Clone, PartialEq, Debug)]
pub struct Agreement {
    /// Which inputs were run.
    pub kind: Kind,
    /// What `inputs` and `mismatches` count.
    pub unit: Unit,
    /// Counted outputs (or sequences) that were compared.
    pub inputs: u64,
    /// Those on which both differ.
    pub mismatches: u64,
    /// All counts, over all inputs that were run.
    pub tally: Tally,
    /// The counts over those that were drawn uniformly, of a sampled check that ran all of them; the error bound speaks
    /// of these.
    pub uniform: Option<Tally>,
    /// An upper bound on the share of the domain's sequences on which both differ somewhere: that share itself where
    /// all were run, else Clopper and Pearson's bound for uniform sequences, every length alike, or for recorded
    /// ones; where some of these are equal, that of Hoeffding for each different one. 1 after an early end.
    pub error_bound: f64,
    /// The confidence of the bound.
    pub confidence: f64,
    /// False where the agreement asked for was out of reach before all was run.
    pub complete: bool,
    /// Whether an exhaustive check was given up because time was up.
    pub hurried: bool,
    /// An input on which both differ: one that was drawn, made small, or one that was found by looking for it.
    pub counterexample: Option<Counterexample>,
}

impl Agreement {
    /// The share of what counts on which both agree; 0 where nothing counts.
    pub fn share(&self) -> f64 {
        share(self.inputs, self.mismatches)
    }

    /// What follows about the agreement that is asked for. A sample on which both differ nowhere says as much as one of its size
    /// can; where they differ somewhere, it has to show, at its confidence, that they do not do so more often than they may.
    pub fn conclusion(&self, min_agreement: f64) -> Conclusion {
        let may_differ = 1.0 - min_agreement;
        let over_uniform = self.uniform.map(|tally| (tally, counts(self.unit, tally)));
        let all = (self.tally, (self.inputs, self.mismatches));
        let mut over = std::iter::once(all).chain(over_uniform);
        if !self.complete || !over.clone().all(|(_, (inputs, mismatches))| share(inputs, mismatches) >= min_agreement) {
            return Conclusion::Missed;
        }
        let is_shown = match (self.kind, self.unit) {
            (Kind::Exhaustive, _) => true,
            (Kind::Sampled, Unit::Sequences) if self.mismatches == 0 => self.error_bound <= may_differ.max(TOO_WIDE),
            (Kind::Sampled, Unit::Sequences) => self.error_bound <= may_differ,
            (Kind::Sampled, Unit::Outputs) => {
                over.all(|(tally, (inputs, _))| self.wrong_outputs_at_most(&tally) <= may_differ * inputs as f64)
            }
        };
        if is_shown { Conclusion::Reached } else { Conclusion::Open }
    }

    /// Whether that is [`Conclusion::Reached`].
    pub fn reaches(&self, min_agreement: f64) -> bool {
        self.conclusion(min_agreement) == Conclusion::Reached
    }

    /// A bound on the wrong outputs that as many inputs have in the mean, from those that were seen: more sequences may be wrong,
    /// each in as many outputs as those that were. (Outputs of one sequence are no independent trials.)
    fn wrong_outputs_at_most(&self, tally: &Tally) -> f64 {
        let each = tally.wrong_outputs as f64 / tally.wrong_sequences.max(1) as f64;
        let rate = clopper_pearson_upper(tally.wrong_sequences, tally.sequences, self.confidence);
        each * rate * tally.sequences as f64
    }

    /// The same over the uniform inputs alone, which measure the share of the domain's inputs; of a sampled check that
    /// ran all of them.
    pub fn over_uniform(&self) -> Option<Self> {
        let tally = self.uniform?;
        let (inputs, mismatches) = counts(self.unit, tally);
        Some(Self { tally, inputs, mismatches, complete: true, ..self.clone() })
    }

    /// The same with one more output that was compared, of an input that was looked for because both differ on it. The error
    /// bound, which speaks of random inputs, stays. Where all inputs were run, this one was counted already.
    #[must_use]
    pub fn with(mut self, found: &Counterexample) -> Self {
        if self.kind == Kind::Sampled {
            self.inputs += 1;
            self.mismatches += 1;
            let one = Tally { outputs: 1, wrong_outputs: 1, sequences: 1, wrong_sequences: 1, uncounted: 0 };
            self.tally = self.tally.plus(one);
        }
        self.counterexample.get_or_insert_with(|| found.clone());
        self
    }
}

/// An input on which a program and a network differ.
#[derive(Clone, PartialEq, Debug)]
pub struct Counterexample {
    /// One sequence.
    pub input: Batch,
    /// The element at which the outputs differ.
    pub position: usize,
    /// The network's output there, one value per output column.
    pub network: Vec<Value>,
    /// The program's.
    pub program: Vec<Value>,
}

/// What kept a program from being compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The network could not be run.
    #[error("the network cannot be run: {0}")]
    Network(String),
    /// The program could not be evaluated.
    #[error("the program cannot be evaluated: {0}")]
    Program(String),
    /// The program has another number of outputs than the network.
    #[error("the program has {program} outputs per element, the network has {network}")]
    Outputs {
        /// Of the program.
        program: usize,
        /// Of the network.
        network: usize,
    },
}

/// Something with values on inputs: a network or a program.
pub type Oracle<'a> = &'a (dyn Fn(&Batch) -> Result<Vec<Column>, Error> + Sync);

/// Compares a program with a network.
///
/// # Errors
/// A program that cannot be evaluated on the domain's inputs, or with another number of outputs; a network that cannot
/// be run.
pub fn agreement(
    network: &Network,
    program: &Term,
    language: &Language,
    config: &CheckConfig<'_>,
) -> Result<Agreement, Error> {
    agreement_of(
        &network.domain,
        network.is_causal(),
        &run_network(network),
        &run_program(network, program, language),
        config,
    )
}

/// A network's decoded outputs.
pub fn run_network(network: &Network) -> impl Fn(&Batch) -> Result<Vec<Column>, Error> + Sync {
    |batch| network.outputs(batch).map_err(|error| Error::Network(error.to_string()))
}

/// A program's outputs on the inputs of a network.
pub fn run_program<'a>(
    network: &'a Network,
    program: &'a Term,
    language: &'a Language,
) -> impl Fn(&Batch) -> Result<Vec<Column>, Error> + Sync + 'a {
    move |batch| {
        let vars = network.domain.columns(batch);
        let env = Env { language, points: &batch.points(), vars: &vars, causal: network.is_causal() };
        dsl::eval_program(program, &env).map_err(|error| Error::Program(error.to_string()))
    }
}

/// Compares two oracles over a domain; `causal` says that no output depends on later elements, so that the longest
/// sequences show all that shorter ones can.
///
/// # Errors
/// Whatever the oracles return, and different numbers of outputs.
pub fn agreement_of(
    domain: &Domain,
    causal: bool,
    network: Oracle<'_>,
    program: Oracle<'_>,
    config: &CheckConfig<'_>,
) -> Result<Agreement, Error> {
    let judge = Judge { domain, network, program, config };
    if let Elements::Recorded { inputs, scored, .. } = &domain.elements {
        let run = judge.run(inputs, Some(scored), WhenLate::GoOn, config.min_agreement)?.unwrap_or_default();
        let bound = if run.complete { recorded_bound(inputs, &run, config.confidence) } else { 1.0 };
        return judge.agreement(Kind::Sampled, Unit::Sequences, run, None, (bound, config.confidence), false);
    }
    let longest = Domain { length: (longest_length(domain), longest_length(domain)), ..domain.clone() };
    let domain = if causal { &longest } else { domain };
    let mut hurried = false;
    if let Some(all) = domain.enumerate(config.exhaustive_limit) {
        match judge.run(&all, None, WhenLate::GiveUp, config.min_agreement)? {
            Some(run) => {
                let bound =
                    if run.complete { 1.0 - share(run.tally.sequences, run.tally.wrong_sequences) } else { 1.0 };
                return judge.agreement(Kind::Exhaustive, Unit::Outputs, run, None, (bound, 1.0), false);
            }
            None => hurried = true,
        }
    }
    let uniform = domain.sample_uniform(config.samples, &mut rng(config.seed, "check uniform"));
    let structured = domain.sample(config.samples, &mut rng(config.seed, "check structured"));
    let run = judge.run(&uniform, None, WhenLate::Stop, config.min_agreement)?.unwrap_or_default();
    let bound = match run.complete {
        true => clopper_pearson_upper(run.tally.wrong_sequences, run.tally.sequences, config.confidence),
        false => 1.0,
    };
    let uniform_tally = run.complete.then_some(run.tally);
    let run = if run.complete {
        run.plus(judge.run(&structured, None, WhenLate::Stop, config.min_agreement)?.unwrap_or_default())
    } else {
        run
    };
    judge.agreement(Kind::Sampled, Unit::Outputs, run, uniform_tally, (bound, config.confidence), hurried)
}

/// A bound on the share of sequences like some recorded ones on which both differ. Copies tell nothing more: each different
/// sequence is one trial, and as wrong as the share of its copies, which begin at different positions, that are.
fn recorded_bound(inputs: &Batch, run: &Run, confidence: f64) -> f64 {
    let (equal, Tally { sequences, wrong_sequences, .. }) = (inputs.equal_sequences(), run.tally);
    let different = equal.n_classes() as u64;
    if different >= sequences {
        return clopper_pearson_upper(wrong_sequences, sequences, confidence);
    }
    let sizes = equal.sizes();
    let share = |&row: &usize| 1.0 / sizes[equal.classes()[row] as usize] as f64;
    hoeffding_upper(run.wrong_rows.iter().map(share).sum(), different, confidence)
}

/// The greatest length of a sequence that the domain has.
pub fn longest_length(domain: &Domain) -> usize {
    match &domain.elements {
        Elements::Tokens { distinct: true, .. } => domain.length.1.min(domain.alphabet().len()),
        _ => domain.length.1,
    }
}

fn share(inputs: u64, mismatches: u64) -> f64 {
    if inputs == 0 { 0.0 } else { 1.0 - mismatches as f64 / inputs as f64 }
}

fn counts(unit: Unit, tally: Tally) -> (u64, u64) {
    match unit {
        Unit::Outputs => (tally.outputs, tally.wrong_outputs),
        Unit::Sequences => (tally.sequences, tally.wrong_sequences),
    }
}

/// Sequences run at a time, fewer where they hold more elements than this, and runs in flight between two looks at the
/// clock: fixed, so that the answer is the same on any number of threads.
const CHUNK: usize = 1024;
const CHUNK_POINTS: usize = 1 << 17;
const WAVE: usize = 8;

/// What a run does once time is up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WhenLate {
    /// It runs to its end.
    GoOn,
    /// It ends with what was run, one chunk at least.
    Stop,
    /// It ends with nothing.
    GiveUp,
}

struct Judge<'a> {
    domain: &'a Domain,
    network: Oracle<'a>,
    program: Oracle<'a>,
    config: &'a CheckConfig<'a>,
}

/// What came of running some inputs.
#[derive(Clone)]
struct Run {
    tally: Tally,
    complete: bool,
    /// A sequence on which both differ, and where: the shortest one of the first chunk that has any.
    wrong: Option<(Batch, usize)>,
    /// All sequences on which both differ.
    wrong_rows: Vec<usize>,
}

impl Default for Run {
    fn default() -> Self {
        Self { tally: Tally::default(), complete: true, wrong: None, wrong_rows: Vec::new() }
    }
}

impl Run {
    fn plus(mut self, other: Self) -> Self {
        self.wrong_rows.extend(other.wrong_rows);
        Self {
            tally: self.tally.plus(other.tally),
            complete: self.complete && other.complete,
            wrong: self.wrong.or(other.wrong),
            wrong_rows: self.wrong_rows,
        }
    }
}

impl Judge<'_> {
    /// Runs all sequences of a batch in chunks, until `least` is out of reach. `None` where it was given up.
    fn run(&self, batch: &Batch, scored: Option<&[bool]>, late: WhenLate, least: f64) -> Result<Option<Run>, Error> {
        let rows: Vec<usize> = (0..batch.n_sequences()).collect();
        let points = batch.points();
        let chunk = (CHUNK_POINTS / points.max_length().max(1)).clamp(1, CHUNK);
        let chunks: Vec<&[usize]> = rows.chunks(chunk).collect();
        let (mut total, mut n_run) = (Run::default(), 0);
        let by_sequence = scored.is_some();
        let possible = if by_sequence { batch.n_sequences() } else { points.len() } as f64;
        for (wave, group) in chunks.chunks(WAVE).enumerate() {
            match late {
                WhenLate::GiveUp if (self.config.deadline)() => return Ok(None),
                WhenLate::Stop if wave > 0 && (self.config.deadline)() => break,
                _ => {}
            }
            // The first chunk alone: most wrong programs fall there.
            let parts = if wave == 0 { group.split_at(1) } else { group.split_at(0) };
            for part in [parts.0, parts.1] {
                let run_chunk = |rows: &&[usize]| {
                    let chosen = scored
                        .map(|s| rows.iter().flat_map(|&r| s[points.range(r)].iter().copied()).collect::<Vec<_>>());
                    let mut run = self.run_chunk(&batch.select(rows), chosen.as_deref())?;
                    run.wrong_rows.iter_mut().for_each(|row| *row = rows[*row]);
                    Ok(run)
                };
                let runs: Vec<Result<Run, Error>> = part.par_iter().map(run_chunk).collect();
                for run in runs {
                    total = total.plus(run?);
                }
                n_run += part.len();
                let unit = if by_sequence { Unit::Sequences } else { Unit::Outputs };
                if counts(unit, total.tally).1 as f64 > (1.0 - least) * possible {
                    total.complete = n_run == chunks.len();
                    return Ok(Some(total));
                }
            }
        }
        Ok(Some(total))
    }

    fn run_chunk(&self, batch: &Batch, scored: Option<&[bool]>) -> Result<Run, Error> {
        let (network, program) = self.outputs(batch)?;
        let points = batch.points();
        let (tally, wrong) = compare(&self.domain.decode, &points, &network, &program, scored);
        let places: Vec<(usize, usize)> = wrong.into_iter().map(|point| points.locate(point)).collect();
        let shortest = places.iter().copied().min_by_key(|&(row, at)| (batch.length(row), at));
        let wrong = shortest.map(|(row, at)| (batch.select(&[row]), at));
        let mut wrong_rows: Vec<usize> = places.into_iter().map(|(row, _)| row).collect();
        wrong_rows.dedup();
        Ok(Run { tally, complete: true, wrong, wrong_rows })
    }

    /// The outputs of both on a batch, as many columns each.
    fn outputs(&self, batch: &Batch) -> Result<(Vec<Column>, Vec<Column>), Error> {
        let (network, program) = ((self.network)(batch)?, (self.program)(batch)?);
        if network.len() != program.len() {
            return Err(Error::Outputs { program: program.len(), network: network.len() });
        }
        Ok((network, program))
    }

    fn agreement(
        &self,
        kind: Kind,
        unit: Unit,
        run: Run,
        uniform: Option<Tally>,
        (error_bound, confidence): (f64, f64),
        hurried: bool,
    ) -> Result<Agreement, Error> {
        let (inputs, mismatches) = counts(unit, run.tally);
        let counterexample = match run.wrong {
            Some((input, position)) => Some(self.counterexample(input, position)?),
            None => None,
        };
        Ok(Agreement {
            kind,
            unit,
            inputs,
            mismatches,
            tally: run.tally,
            uniform,
            error_bound,
            confidence,
            complete: run.complete,
            hurried,
            counterexample,
        })
    }

    fn counterexample(&self, input: Batch, position: usize) -> Result<Counterexample, Error> {
        let (input, position) = shrink(self.domain, input, position, &mut |batch| {
            // Once time is up it stays as large as it is.
            if (self.config.deadline)() {
                return Ok(Vec::new());
            }
            let (network, program) = self.outputs(batch)?;
            Ok(compare(&self.domain.decode, &batch.points(), &network, &program, None).1)
        })?;
        let (network, program) = self.outputs(&input)?;
        let at = |columns: &[Column]| columns.iter().map(|column| column.value(position)).collect();
        Ok(Counterexample { network: at(&network), program: at(&program), input, position })
    }
}

/// The name that a decoding has in reports.
pub fn tolerance_in_words(decode: &Decode) -> &'static str {
    match decode {
        Decode::Round => "integers after rounding",
        Decode::Number => "numbers within 0.01",
        Decode::Argmax(_) | Decode::NextToken => "the value with the largest output",
        Decode::LegalTokens => "the set of values with a positive output",
    }
}

#[cfg(test)]
mod tests {
    use samples::Sort;

    use super::*;

    #[test]
    fn copies_of_recorded_inputs_add_no_confidence() {
        let bound = |copies: usize, wrong: i64| {
            let inputs = Batch::from_sequences(1, (0..20 * copies as i64).map(|n| [n % 20]));
            let scored = vec![true; inputs.n_sequences()];
            let vocab = (0..20).map(Value::Int).collect();
            let elements = Elements::Recorded { vocab, inputs, scored };
            let domain = Domain { elements, length: (1, 1), decode: Decode::Round, n_outputs: 1 };
            let same = |batch: &Batch| Ok(vec![Column::new(Sort::Int, batch.coordinate(0))]);
            let other = |batch: &Batch| {
                let codes = batch.coordinate(0).iter().map(|&code| if code < wrong { -1 } else { code }).collect();
                Ok(vec![Column::new(Sort::Int, codes)])
            };
            let config = CheckConfig { min_agreement: 0.5, ..CheckConfig::default() };
            let found = agreement_of(&domain, true, &same, &other, &config).expect("both run");
            assert_eq!((found.inputs, found.mismatches), (20 * copies as u64, wrong as u64 * copies as u64));
            found.error_bound
        };
        assert_eq!(bound(1, 0), clopper_pearson_upper(0, 20, 0.99));
        assert!((bound(50, 0) - bound(1, 0)).abs() < 1e-9);
        assert_eq!(bound(1, 3), clopper_pearson_upper(3, 20, 0.99));
        let shares = hoeffding_upper(3.0, 20, 0.99);
        assert!((bound(50, 3) - shares).abs() < 1e-9, "as many of the different ones are wrong");
    }

    /// An agreement on sequences of one output each; of sampled ones, so many are recorded as different.
    fn seen(kind: Kind, unit: Unit, inputs: u64, mismatches: u64) -> Agreement {
        Agreement {
            kind,
            unit,
            inputs,
            mismatches,
            tally: Tally {
                outputs: inputs,
                wrong_outputs: mismatches,
                sequences: inputs,
                wrong_sequences: mismatches,
                uncounted: 0,
            },
            uniform: None,
            error_bound: clopper_pearson_upper(mismatches, inputs, 0.99),
            confidence: 0.99,
            complete: true,
            hurried: false,
            counterexample: None,
        }
    }

    #[test]
    fn a_sample_with_mismatches_has_to_show_that_they_are_rare_enough() {
        for unit in [Unit::Outputs, Unit::Sequences] {
            let conclusion = |inputs, mismatches| seen(Kind::Sampled, unit, inputs, mismatches).conclusion(0.99);
            assert_eq!(conclusion(246, 3), Conclusion::Missed);
            assert_eq!(conclusion(246, 2), Conclusion::Open, "of others 3.4 % may differ");
            assert_eq!(conclusion(246, 0), Conclusion::Reached, "no sample of this size says more");
            assert_eq!(conclusion(5_000, 40), Conclusion::Open);
            assert_eq!(conclusion(50_000, 400), Conclusion::Reached);
        }
        assert_eq!(seen(Kind::Exhaustive, Unit::Outputs, 246, 2).conclusion(0.99), Conclusion::Reached);
    }

    #[test]
    fn a_handful_of_recorded_sequences_shows_nothing() {
        let conclusion = |inputs| seen(Kind::Sampled, Unit::Sequences, inputs, 0).conclusion(1.0);
        assert_eq!((conclusion(6), conclusion(7)), (Conclusion::Open, Conclusion::Reached));
    }
}
