//! Reading recurrent networks from their behaviour.
//!
//! The network is an oracle that can be run, cloned and continued ([`Oracle`]); every strategy proposes programs of the
//! form `(scan ((s INIT UPDATE) ...) OUTPUT ...)` from what it does, never from coordinates. Cheap strategies come
//! first; whatever they propose is judged alike, on fresh samples, and the cheapest program in the user's language wins,
//! where every output that it gets wrong counts against it. A table of the network's finite machine is the last resort.
//! Only then does the hidden state matter: [`align`] says which variables it carries.

mod align;
mod build;
mod classes;
mod features;
mod history;
mod invariance;
mod linear;
#[cfg(test)]
mod machines;
mod mealy;
mod oracle;
mod polish;
mod rows;
mod scalar;
mod scan;
mod solve;

use std::cell::OnceCell;

use dsl::{Env, Term};
use graph::{Matrix, Network, Recurrence};
use samples::{Batch, Domain, Elements, Sort, Symbol, UNDEFINED, rng};
use synth::{Known, RuleBook, SaturationLimits, VerifyLimits};

pub(crate) use align::POINTS as AFFINE_POINTS;
pub use oracle::Oracle;

use crate::{Aligned, Config, Error, Hypothesis, n_sequences};
use build::Build;
use classes::Classes;
use invariance::Invariances;
use oracle::Recording;
use rows::Rows;
use solve::{Budget, Solver};

/// What a wrong output costs, in units of the language's cost, per share of outputs: at one in two thousand, ten units.
const COST_OF_ERRORS: f64 = 20_000.0;
/// Outputs that range over so many numbers suggest no constants.
const MANY_OUTPUTS: i64 = 16;
/// The last resort.
const TABLE: &str = "table";
/// What a variable costs that the hidden state does not carry at all.
const COST_OF_ABSENCE: f64 = 20.0;
/// The fit from which on a variable counts as carried.
const CARRIED: f64 = 0.9;
/// Standard deviations by which a sample may fall short of the agreement asked for.
const DEVIATIONS: f64 = 3.0;
/// Agreement from which on a candidate is not doubted.
const EXACT: f64 = 0.9998;

/// Which claims of a hypothesis name, in their order, the program's own variables and hold, by the reading of hidden states
/// on inputs that played no part in finding it.
///
/// # Errors
/// Where the network or a term cannot be run.
pub(crate) fn determined(network: &Network, hypothesis: &Hypothesis, config: &Config) -> Result<Vec<bool>, Error> {
    let Some(running) = Running::of(network) else { return Ok(Vec::new()) };
    let n = n_sequences(config.limits.samples, network.domain.length.1);
    let batch = network.domain.sample_longest(n, &mut rng(config.seed, "recurrent verdict"));
    let recording = Recording::of(&running, &batch)?;
    let terms = hypothesis.alignment.iter().map(|claim| claim.subterm.clone()).collect();
    let read = align::aligned(&recording, terms, config.language, &network.domain)?;
    let own = align::variables(&hypothesis.program);
    let holds = |(place, claim): (usize, &Aligned)| {
        own.get(place) == Some(&claim.subterm) && claim.fit.min(hypothesis.alignment[place].fit) >= DETERMINED
    };
    Ok(read.iter().enumerate().map(holds).collect())
}

/// The fit from which on the hidden state determines a variable.
const DETERMINED: f64 = 0.99;

/// Candidates for what a recurrent network computes, best first; they are held against the inputs in `known` beside
/// random ones.
///
/// # Errors
/// Where the network is not recurrent, its inputs are not integers, or it cannot be run.
pub fn hypotheses(network: &Network, known: &Batch, config: &Config) -> Result<Vec<Hypothesis>, Error> {
    let Some(running) = Running::of(network) else {
        return Err(Error::Unsupported("no recurrence in the network".to_owned()));
    };
    of_oracle(&running, &network.domain, known, config)
}

/// Candidates for what an oracle computes over a domain of integers, best first; see [`hypotheses`].
///
/// # Errors
/// Where the inputs are not integers, or the oracle cannot be run.
pub fn of_oracle(
    oracle: &dyn Oracle,
    domain: &Domain,
    known: &Batch,
    config: &Config,
) -> Result<Vec<Hypothesis>, Error> {
    let Elements::Integers { .. } = domain.elements else {
        return Err(Error::Unsupported("recurrent networks over tokens".to_owned()));
    };
    let oracle = &Timely { oracle, deadline: config.deadline };
    let mut task = match Task::new(oracle, domain, known, config) {
        Err(Error::Late) => return Ok(Vec::new()),
        task => task?,
    };
    let mut candidates = climb(&task)?;
    if task.enough < 1.0 && !candidates.iter().any(Candidate::is_carried) {
        // The samples may have more errors in them than the network makes: what falls short by so little is judged again, on
        // a larger sample, by whoever accepts.
        task.relax();
        candidates.extend(climb(&task)?);
    }
    if candidates.is_empty()
        && let Some(machine) = task.machine()?
        && let Some(program) = machine.tables(&task.inputs, task.build())
    {
        candidates.extend(task.judge(program, TABLE)?);
    }
    candidates.sort_by(|a, b| a.price.total_cmp(&b.price));
    if let Some(best) = candidates.first()
        && best.source != TABLE
        && let Some(program) = polish::polish(&task, &best.program)?
        && let Some(polished) = task.judge(program, best.source)?
        && polished.price < best.price
    {
        candidates[0] = polished;
    }
    if let Some(best) = candidates.first()
        && best.source != TABLE
        && let Some(simplified) = task.judge(task.simplified(&best.program), best.source)?
        && simplified.price < best.price
    {
        candidates[0] = simplified;
    }
    let mut programs: Vec<Term> = Vec::new();
    candidates.retain(|c| {
        let fresh = !programs.contains(&c.program);
        programs.push(c.program.clone());
        fresh
    });
    candidates.truncate(config.limits.hypotheses);
    let hypothesis = |candidate: Candidate| Hypothesis {
        program: candidate.program,
        alignment: candidate.alignment,
        circuit: None,
        source: candidate.source,
    };
    Ok(candidates.into_iter().map(hypothesis).collect())
}

/// What the strategies find, rung by rung of effort until there is something.
fn climb(task: &Task) -> Result<Vec<Candidate>, Error> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for effort in 0..RUNGS {
        for strategy in STRATEGIES.iter().filter(|strategy| effort < strategy.rungs) {
            let enough = |candidate: &Candidate| {
                candidate.is_sound() && candidate.price <= strategy.enough + task.cost_of_naming()
            };
            if (task.config.deadline)() || candidates.iter().any(enough) {
                continue;
            }
            (task.config.progress)(strategy.name);
            for program in (strategy.search)(task, effort)? {
                candidates.extend(task.judge(program, strategy.name)?);
            }
        }
        if !candidates.is_empty() {
            break;
        }
    }
    Ok(candidates)
}

/// A program that was judged.
struct Candidate {
    program: Term,
    source: &'static str,
    alignment: Vec<Aligned>,
    /// The language's cost, what its errors cost, and what variables cost that the hidden state does not carry.
    price: f64,
    agreement: f64,
}

impl Candidate {
    /// Whether it is as good as a program can be: then costly strategies need not run.
    fn is_sound(&self) -> bool {
        self.agreement >= EXACT && self.is_carried()
    }

    /// Whether the hidden state carries all of its variables.
    fn is_carried(&self) -> bool {
        self.alignment.iter().all(|aligned| aligned.fit >= CARRIED)
    }
}

/// One way to propose programs.
struct Strategy {
    name: &'static str,
    /// At how many of the rungs of effort it has something to add.
    rungs: usize,
    /// It is passed over where something exact that costs at most so much was found before.
    enough: f64,
    search: fn(&Task, usize) -> Result<Vec<Term>, Error>,
}

/// No candidate makes the strategy superfluous.
const NEVER: f64 = 0.0;
/// About a scan with one state, in units of cost.
const SMALL: f64 = 20.0;
/// Any candidate does.
const LARGE: f64 = f64::INFINITY;

/// In the order in which they run, at each rung of effort.
const STRATEGIES: &[Strategy] = &[
    Strategy { name: "linear recurrence", rungs: 1, enough: NEVER, search: |task, _| Ok(task.linear()) },
    Strategy { name: "window", rungs: 3, enough: NEVER, search: history::window },
    Strategy { name: "input and output history", rungs: 3, enough: NEVER, search: history::feedback },
    Strategy { name: "running aggregates", rungs: 3, enough: SMALL, search: features::aggregates },
    Strategy { name: "counts", rungs: 3, enough: SMALL, search: features::counts },
    Strategy { name: "scan", rungs: 3, enough: SMALL, search: scan::search },
    Strategy { name: "numerals", rungs: 3, enough: LARGE, search: features::numerals },
];

/// Rungs of effort: all strategies run at one before any runs at the next.
const RUNGS: usize = 3;

/// What all strategies share.
struct Task<'a> {
    oracle: &'a dyn Oracle,
    domain: &'a Domain,
    config: &'a Config<'a>,
    /// The names of the program's inputs.
    inputs: Vec<Symbol>,
    invariances: Invariances,
    /// What candidates are fitted on.
    recording: Recording,
    /// What they are judged on.
    fresh: Recording,
    machine: OnceCell<Option<mealy::Machine>>,
    /// What outputs stand for, where they are classes.
    classes: Option<Classes>,
    /// The agreement with samples from which on a program is proposed.
    enough: f64,
}

impl<'a> Task<'a> {
    fn new(oracle: &'a dyn Oracle, domain: &'a Domain, known: &Batch, config: &'a Config<'a>) -> Result<Self, Error> {
        let n = n_sequences(config.limits.samples, domain.length.1);
        let structured = is_clear_on_structure(oracle, domain, config.seed)?;
        let draw = |purpose: &str, n: usize| draw(domain, structured, n, &mut rng(config.seed, purpose));
        let known = lengthened(known, domain.length.1);
        let record = |purpose: &str, n: usize| {
            let mut batch = draw(purpose, n);
            batch.extend(&known);
            Recording::of(oracle, &batch)
        };
        Ok(Self {
            oracle,
            domain,
            config,
            inputs: domain.inputs().into_iter().map(|(name, _)| name).collect(),
            invariances: Invariances::of(oracle, domain, structured, config.seed)?,
            recording: record("recurrent fit", n)?,
            fresh: record("recurrent judge", n)?,
            machine: OnceCell::new(),
            classes: Classes::of(&domain.decode),
            enough: config.min_agreement,
        })
    }

    /// Lowers what agreement with samples is enough, by what samples of this size may be off. The errors of a sequence hang
    /// together, so that it is sequences that are counted.
    fn relax(&mut self) {
        let wanted = self.config.min_agreement;
        let deviation = (wanted * (1.0 - wanted) / self.recording.n.max(1) as f64).sqrt();
        self.enough = wanted - DEVIATIONS * deviation;
        if self.machine.get().is_some_and(Option::is_none) {
            self.machine = OnceCell::new();
        }
    }

    fn build(&self) -> Build<'a> {
        Build { language: self.config.language }
    }

    fn solver(&self) -> Solver<'a> {
        Solver { build: self.build(), constants: self.constants(), deadline: self.config.deadline }
    }

    /// The cheapest expression that is found for an output. Where outputs are names, it may be a condition for each of them:
    /// the numbers that stand for names have no meaning that an expression for all could have.
    fn express(&self, rows: &Rows, sorts: &[Sort], budget: Budget) -> Option<Term> {
        let solver = self.solver();
        let whole = solver.solve(rows, sorts, budget);
        let Some(classes) = self.classes.as_ref().filter(|classes| classes.are_names()) else { return whole };
        let cost = |term: &Term| classes.cost_of(term, &rows.names, self.build());
        let by_name = solver.decide(rows, budget);
        [whole, by_name].into_iter().flatten().min_by(|a, b| cost(a).total_cmp(&cost(b)))
    }

    /// What an output over some variables costs in a program.
    fn cost_of_output(&self, output: &Term, names: &[Symbol]) -> f64 {
        match &self.classes {
            Some(classes) => classes.cost_of(output, names, self.build()),
            None => self.build().cost(output),
        }
    }

    /// What it costs to say which class a number stands for.
    fn cost_of_naming(&self) -> f64 {
        let number = self.output_names()[0];
        let cost = |classes: &Classes| classes.cost_of(&Term::var(number), &[number], self.build());
        let named = self.classes.as_ref().map(cost).filter(|cost| cost.is_finite());
        named.map_or(0.0, |cost| cost - self.build().cost(&Term::var(number)))
    }

    /// What an enumeration may cost at a rung of effort.
    fn budget(&self, effort: usize) -> Budget {
        let candidates = [60_000, 400_000, self.config.limits.candidates / 16][effort.min(2)];
        Budget { candidates, max_cost: 40, agreement: self.enough }
    }

    /// The least and the greatest number in an input.
    fn range(&self) -> [i64; 2] {
        match self.domain.elements {
            Elements::Integers { lo, hi, .. } => [lo, hi],
            _ => [0, 0],
        }
    }

    /// Constants that the task suggests: the ends and the size of the alphabet, the ends of the outputs where they are
    /// few, the number of states.
    fn constants(&self) -> Vec<i64> {
        let [lo, hi] = self.range();
        let mut constants = vec![hi - lo + 1, hi, lo];
        let outputs = &self.recording.outputs;
        let seen = || outputs.iter().copied().filter(|&output| output != UNDEFINED);
        if let (Some(least), Some(most)) = (seen().min(), seen().max())
            && (0..MANY_OUTPUTS).contains(&most.saturating_sub(least))
        {
            constants.extend([least, most]);
        }
        constants.extend(self.machine.get().and_then(Option::as_ref).map(|machine| machine.n_states() as i64));
        constants.sort_unstable();
        constants.dedup();
        constants
    }

    /// The elements of the alphabet, where there are few.
    fn symbols(&self) -> Option<Vec<Vec<i64>>> {
        let [lo, hi] = self.range();
        // The alphabet of a wide range is never listed.
        let few = hi.saturating_sub(lo) < mealy::MAX_SYMBOLS as i64;
        few.then(|| mealy::elements(&self.domain.alphabet(), self.oracle.dim())).flatten()
    }

    /// The names of states that hold outputs.
    fn output_names(&self) -> Vec<Symbol> {
        let n = self.recording.n_outputs;
        (0..n).map(|k| Symbol::new(&if n == 1 { "y".to_owned() } else { format!("y{k}") })).collect()
    }

    fn linear(&self) -> Vec<Term> {
        linear::search(&self.recording, &self.inputs, self.build(), self.enough, self.config.deadline)
            .into_iter()
            .collect()
    }

    /// Whether a program reproduces enough of the recording.
    fn fits(&self, program: &Term) -> Result<bool, Error> {
        let columns = self.evaluate(program, &self.recording.batch())?;
        Ok(self.recording.agreement(&columns) >= self.enough)
    }

    /// The cheapest form of a program that the language's rules, each verified when it is used, show to be equal to it.
    fn simplified(&self, program: &Term) -> Term {
        let Elements::Integers { lo, hi, .. } = self.domain.elements else { return program.clone() };
        let known: Vec<Known> = self.inputs.iter().map(|&name| Known::range(name, lo, hi)).collect();
        let mut rules = RuleBook::new(self.config.language, VerifyLimits::new());
        rules.simplify(program, &known, &SaturationLimits::new()).term
    }

    /// The candidate that a program makes, if it agrees with the network on fresh samples.
    fn judge(&self, program: Term, source: &'static str) -> Result<Option<Candidate>, Error> {
        let Some(program) = self.named(program) else { return Ok(None) };
        let columns = self.evaluate(&program, &self.fresh.batch())?;
        let agreement = self.fresh.agreement(&columns);
        if agreement < self.enough {
            return Ok(None);
        }
        let alignment = align::align(&self.fresh, &program, self.config.language, self.domain)?;
        let absent: f64 = alignment.iter().map(|aligned| COST_OF_ABSENCE * (1.0 - aligned.fit)).sum();
        let price = self.build().cost(&program) + COST_OF_ERRORS * (1.0 - agreement) + absent;
        Ok(Some(Candidate { program, source, alignment, price, agreement }))
    }

    /// The program with classes for the numbers that strategies see in their place.
    fn named(&self, program: Term) -> Option<Term> {
        match &self.classes {
            Some(classes) => classes.named(&program, &self.domain.inputs(), self.build()),
            None => Some(program),
        }
    }

    /// What a program says, classes as numbers.
    fn evaluate(&self, program: &Term, batch: &Batch) -> Result<Vec<samples::Column>, Error> {
        let (points, vars) = (batch.points(), self.domain.columns(batch));
        let env = Env { language: self.config.language, points: &points, vars: &vars, causal: true };
        let columns = dsl::eval_program(program, &env).map_err(|e| Error::Term(e.to_string()))?;
        Ok(match &self.classes {
            Some(classes) => columns.iter().map(|column| classes.numbers(column)).collect(),
            None => columns,
        })
    }

    /// The finite machine that the network behaves as, if it is one; learnt when first asked for.
    fn machine(&self) -> Result<Option<&mealy::Machine>, Error> {
        if self.machine.get().is_none() {
            (self.config.progress)("finite machine");
            let Config { limits, seed, .. } = self.config;
            let learn = |symbols: Vec<Vec<i64>>| {
                mealy::learn(self.oracle, &self.recording, &symbols, limits.states, self.enough, *seed)
            };
            let machine = match self.symbols().map(learn).transpose() {
                Err(Error::Late) => None,
                learnt => learnt?.flatten(),
            };
            return Ok(self.machine.get_or_init(|| machine).as_ref());
        }
        Ok(self.machine.get().and_then(Option::as_ref))
    }
}

/// How many times more outputs may lie far from an integer on inputs with structure than on uniform ones, beside a share.
const VAGUER: f64 = 4.0;
const VAGUE_SHARE: f64 = 0.002;

/// Inputs of the greatest length, half of them with structure where the network is as sure of those as of others.
fn draw(domain: &Domain, structured: bool, n: usize, rng: &mut samples::Rng) -> Batch {
    if structured { domain.sample_longest(n, rng) } else { domain.sample_of_length(n, domain.length.1, rng) }
}

/// Sequences of one length that begin with those given, each repeated as often as that takes: what came before tells the
/// same of a network that reads from left to right.
fn lengthened(batch: &Batch, length: usize) -> Batch {
    let rows = (0..batch.n_sequences()).map(|row| batch.sequence(row)).filter(|sequence| !sequence.is_empty());
    Batch::from_sequences(
        batch.dim(),
        rows.map(|row| row.iter().copied().cycle().take(length * batch.dim()).collect::<Vec<i64>>()),
    )
}

/// Whether outputs on inputs with structure lie near integers as often as on uniform ones. Where they do not, the network
/// was hardly trained on the former, and what it does there says nothing of what it computes.
fn is_clear_on_structure(oracle: &dyn Oracle, domain: &Domain, seed: u64) -> Result<bool, Error> {
    let vague = |structured: bool| -> Result<f64, Error> {
        let n = n_sequences(1000, domain.length.1);
        let batch = draw(domain, structured, n, &mut rng(seed, "recurrent clarity"));
        let clear = Recording::of(oracle, &batch)?.clear;
        Ok(clear.iter().filter(|&&clear| !clear).count() as f64 / clear.len().max(1) as f64)
    };
    Ok(vague(true)? <= VAGUE_SHARE + VAGUER * vague(false)?)
}

/// An oracle that takes no step once time is up.
struct Timely<'a> {
    oracle: &'a dyn Oracle,
    deadline: &'a (dyn Fn() -> bool + Sync),
}

impl Oracle for Timely<'_> {
    fn dim(&self) -> usize {
        self.oracle.dim()
    }

    fn hidden_dim(&self) -> usize {
        self.oracle.hidden_dim()
    }

    fn n_outputs(&self) -> usize {
        self.oracle.n_outputs()
    }

    fn initial(&self, n: usize) -> Vec<f32> {
        self.oracle.initial(n)
    }

    fn step(&self, hidden: &[f32], inputs: &[i64]) -> Result<Vec<f32>, Error> {
        if (self.deadline)() { Err(Error::Late) } else { self.oracle.step(hidden, inputs) }
    }

    fn readout(&self, hidden: &[f32]) -> Result<Vec<f32>, Error> {
        self.oracle.readout(hidden)
    }
}

/// A network's recurrence as an oracle.
struct Running<'a> {
    network: &'a Network,
    recurrence: &'a Recurrence,
    classes: Option<Classes>,
}

impl<'a> Running<'a> {
    /// `None` where the network is not recurrent.
    fn of(network: &'a Network) -> Option<Self> {
        Some(Self { network, recurrence: network.recurrence()?, classes: Classes::of(&network.domain.decode) })
    }
}

impl Oracle for Running<'_> {
    fn dim(&self) -> usize {
        self.recurrence.dim()
    }

    fn hidden_dim(&self) -> usize {
        self.recurrence.hidden_dim()
    }

    fn n_outputs(&self) -> usize {
        if self.classes.is_some() { 1 } else { self.recurrence.n_outputs() }
    }

    fn initial(&self, n: usize) -> Vec<f32> {
        self.recurrence.initial(n).data
    }

    fn step(&self, hidden: &[f32], inputs: &[i64]) -> Result<Vec<f32>, Error> {
        let n = hidden.len() / self.hidden_dim().max(1);
        // Inputs are small numbers: exact in single precision up to 2^24.
        let x = Matrix::new(n, self.dim(), inputs.iter().map(|&v| v as f32).collect());
        Ok(self.recurrence.step(&Matrix::new(n, self.hidden_dim(), hidden.to_vec()), &x).data)
    }

    fn readout(&self, hidden: &[f32]) -> Result<Vec<f32>, Error> {
        let n = hidden.len() / self.hidden_dim().max(1);
        let raw = self.recurrence.readout(&Matrix::new(n, self.hidden_dim(), hidden.to_vec()));
        let Some(classes) = &self.classes else { return Ok(raw.data) };
        // A class that does not count is no number.
        let number = |&code: &i64| classes.number(code).map_or(f32::NAN, |number| number as f32);
        Ok(self.network.decode(&raw).iter().flat_map(|column| column.codes.iter().map(number)).collect())
    }
}

#[cfg(test)]
fn test_domain(dim: usize, lo: i64, hi: i64, length: usize) -> Domain {
    Domain {
        elements: Elements::Integers { dim, lo, hi },
        length: (1, length),
        decode: samples::Decode::Round,
        n_outputs: 1,
    }
}
