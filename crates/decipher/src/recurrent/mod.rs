//! Reading recurrent networks from their behaviour.
//!
//! The network is an oracle that can be run, cloned and continued ([`Oracle`]); every strategy proposes programs of the
//! form `(scan ((s INIT UPDATE) ...) OUTPUT ...)` from what it does, never from coordinates. Cheap strategies come
//! first; whatever they propose is judged alike, on fresh samples, and the cheapest program in the user's language wins,
//! where every output that it gets wrong counts against it. A table of the network's finite machine is the last resort.
//! Only then does the hidden state matter: [`align`] says which variables it carries.

mod align;
mod build;
mod invariance;
mod linear;
mod mealy;
mod oracle;
mod scalar;

use dsl::{Env, Term};
use graph::{Matrix, Network, Recurrence};
use samples::{Batch, Domain, Elements, Symbol, rng};

pub use oracle::Oracle;

use crate::{Config, Error, Hypothesis};
use build::Build;
use invariance::Invariances;
use oracle::Recording;

/// What a wrong output costs, in units of the language's cost, per share of outputs: at one in two thousand, ten units.
const COST_OF_ERRORS: f64 = 20_000.0;

/// Candidates for what a recurrent network computes, best first.
///
/// # Errors
/// Where the network is not recurrent, its inputs are not integers, or it cannot be run.
pub fn hypotheses(network: &Network, config: &Config) -> Result<Vec<Hypothesis>, Error> {
    let Some(recurrence) = network.recurrence() else {
        return Err(Error::Unsupported("no recurrence in the network".to_owned()));
    };
    of_oracle(&Running { recurrence }, &network.domain, config)
}

/// Candidates for what an oracle computes over a domain of integers, best first.
///
/// # Errors
/// Where the inputs are not integers, or the oracle cannot be run.
pub fn of_oracle(oracle: &dyn Oracle, domain: &Domain, config: &Config) -> Result<Vec<Hypothesis>, Error> {
    let Elements::Integers { .. } = domain.elements else {
        return Err(Error::Unsupported("recurrent networks over tokens".to_owned()));
    };
    let task = Task::new(oracle, domain, config)?;
    let mut candidates: Vec<Candidate> = Vec::new();
    for strategy in STRATEGIES {
        if (config.deadline)() || !(strategy.wanted)(&task, best(&candidates)) {
            continue;
        }
        (config.progress)(strategy.name);
        for program in (strategy.search)(&task)? {
            if let Some(candidate) = task.judge(program, strategy.name)? {
                candidates.push(candidate);
            }
        }
    }
    candidates.sort_by(|a, b| a.price.total_cmp(&b.price));
    let mut programs: Vec<Term> = Vec::new();
    candidates.retain(|c| {
        let fresh = !programs.contains(&c.program);
        programs.push(c.program.clone());
        fresh
    });
    candidates.truncate(config.limits.hypotheses);
    let held_out = task.record("recurrent alignment", config.limits.samples.min(1_000))?;
    candidates
        .into_iter()
        .map(|candidate| {
            let alignment = align::align(&held_out, &candidate.program, config.language, domain)?;
            Ok(Hypothesis { program: candidate.program, alignment, circuit: None, source: candidate.source })
        })
        .collect()
}

/// A program that was judged.
struct Candidate {
    program: Term,
    source: &'static str,
    /// The language's cost, and what its errors cost.
    price: f64,
}

fn best(candidates: &[Candidate]) -> Option<f64> {
    candidates.iter().map(|candidate| candidate.price).min_by(f64::total_cmp)
}

/// One way to propose programs.
struct Strategy {
    name: &'static str,
    /// Whether to run it, given the price of the best candidate so far.
    wanted: fn(&Task, Option<f64>) -> bool,
    search: fn(&Task) -> Result<Vec<Term>, Error>,
}

/// In the order in which they run.
const STRATEGIES: &[Strategy] = &[
    Strategy {
        name: "linear recurrence",
        wanted: |_, _| true,
        search: |task| {
            let agreement = task.config.min_agreement;
            Ok(linear::search(&task.recording, &task.inputs, task.build(), agreement).into_iter().collect())
        },
    },
    Strategy { name: "table", wanted: |_, best| best.is_none(), search: |task| task.table() },
];

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
}

impl<'a> Task<'a> {
    fn new(oracle: &'a dyn Oracle, domain: &'a Domain, config: &'a Config<'a>) -> Result<Self, Error> {
        let record = |purpose: &str, n: usize| {
            let batch = domain.sample_longest(n, &mut rng(config.seed, purpose));
            Recording::of(oracle, &batch)
        };
        let n = config.limits.samples;
        Ok(Self {
            oracle,
            domain,
            config,
            inputs: domain.inputs().into_iter().map(|(name, _)| name).collect(),
            invariances: Invariances::of(oracle, domain, config.seed)?,
            recording: record("recurrent fit", n)?,
            fresh: record("recurrent judge", n)?,
        })
    }

    fn build(&self) -> Build<'a> {
        Build { language: self.config.language }
    }

    fn record(&self, purpose: &str, n: usize) -> Result<Recording, Error> {
        let batch = self.domain.sample_longest(n, &mut rng(self.config.seed, purpose));
        Recording::of(self.oracle, &batch)
    }

    /// The candidate that a program makes, if it agrees with the network on fresh samples.
    fn judge(&self, program: Term, source: &'static str) -> Result<Option<Candidate>, Error> {
        let columns = self.evaluate(&program, &self.fresh.batch())?;
        let agreement = self.fresh.agreement(&columns);
        if agreement < self.config.min_agreement {
            return Ok(None);
        }
        let price = self.build().cost(&program) + COST_OF_ERRORS * (1.0 - agreement);
        Ok(Some(Candidate { program, source, price }))
    }

    fn evaluate(&self, program: &Term, batch: &Batch) -> Result<Vec<samples::Column>, Error> {
        let (points, vars) = (batch.points(), self.domain.columns(batch));
        let env = Env { language: self.config.language, points: &points, vars: &vars, causal: true };
        dsl::eval_program(program, &env).map_err(|e| Error::Term(e.to_string()))
    }

    /// The finite machine, where there is one.
    fn machine(&self) -> Result<Option<mealy::Machine>, Error> {
        let alphabet = self.domain.alphabet();
        let Some(symbols) = mealy::elements(&alphabet, self.oracle.dim()) else { return Ok(None) };
        let Config { limits, min_agreement, seed, .. } = self.config;
        mealy::learn(self.oracle, &self.recording, &symbols, limits.states, *min_agreement, *seed)
    }

    fn table(&self) -> Result<Vec<Term>, Error> {
        Ok(self.machine()?.and_then(|machine| machine.tables(&self.inputs, self.build())).into_iter().collect())
    }
}

/// A network's recurrence as an oracle.
struct Running<'a> {
    recurrence: &'a Recurrence,
}

impl Oracle for Running<'_> {
    fn dim(&self) -> usize {
        self.recurrence.dim()
    }

    fn hidden_dim(&self) -> usize {
        self.recurrence.hidden_dim()
    }

    fn n_outputs(&self) -> usize {
        self.recurrence.n_outputs()
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
        Ok(self.recurrence.readout(&Matrix::new(n, self.hidden_dim(), hidden.to_vec())).data)
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
