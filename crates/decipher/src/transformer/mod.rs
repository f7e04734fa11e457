//! Reading transformers from their structure.
//!
//! For networks without normalisation and with ReLU layers whose components carry finite sets of values, such as those
//! that Tracr compiles, in any basis of the residual stream:
//!
//! 1. [`trace`]: every component's own output on samples, with attention hardened and ramps taken as steps
//!    ([`ramps`]); it must leave every output as it was. All thresholds come from an allowance for noise ([`tolerance`]),
//!    the smallest with which the reading gives the network's outputs.
//! 2. [`live`]: the slice that reaches the output, through the directions in which it is read.
//! 3. [`build`], [`heads`]: variables with classes and, from the weights, the finite functions between them.
//! 4. [`labels`], [`program`]: values for the classes, and a program of selects, counts, copies, means and tables.
//! 5. [`expressions`], [`search`], [`piecewise`]: tables replaced by expressions of the language, where a shorter one is
//!    found; [`simplify`]: these in the cheapest form that proved rules lead to.
//! 6. [`circuit`]: the edges between components that this takes.

mod align;
mod build;
mod circuit;
mod describe;
mod expressions;
mod heads;
mod labels;
mod live;
mod piecewise;
mod program;
mod ramps;
mod search;
mod simplify;
mod symbolic;
#[cfg(test)]
mod tests;
mod tolerance;
mod trace;
mod variables;
mod wiring;

use dsl::Env;
use graph::Network;
use samples::{Batch, Column, Decode, Domain, Value, decode_code, rng};

pub(crate) use align::AFFINE_POINTS;
pub use describe::describe;

use crate::{Config, Error, Hypothesis};
use build::outputs;
use tolerance::{RUNGS, Tolerance};
use trace::{Layout, Trace};
use variables::Dag;
use wiring::{Part, Wiring};

/// Sequences that are traced. Tables come from the weights, so that samples need only show what is read at all.
const SEQUENCES: usize = 600;

/// Sequences on which a program is held against the network before it is returned.
const FRESH: usize = 2_000;

/// Sequences on which the combinations of classes that occur are seen.
const OCCURRING: usize = 4_000;

/// Domains of up to so many inputs are seen in full instead.
const EXHAUSTIVE: usize = 6_000;

/// The share of hazy readings (see [`live::Live::haze`]) from which the weights count as noisy.
const HAZE: f64 = 0.3;

/// Rounds of adding the inputs that refuted the programs of the round before.
const ROUNDS: usize = 3;

/// Candidates for what a transformer computes, best first; they are held against the inputs in `known` beside random ones.
///
/// A network of another kind has none.
///
/// # Errors
/// Where the network cannot be run.
pub fn hypotheses(network: &Network, known: &Batch, config: &Config) -> Result<Vec<Hypothesis>, Error> {
    let mut batch = network.domain.sample(SEQUENCES, &mut rng(config.seed, "transformer: structure"));
    batch.extend(known);
    let mut fresh = network.domain.sample(FRESH, &mut rng(config.seed, "transformer: fresh"));
    fresh.extend(known);
    let truth = network.outputs(&fresh).map_err(|error| Error::Network(error.to_string()))?;
    let mut found = Vec::new();
    let wiring = match Wiring::of(network) {
        Ok(wiring) => wiring,
        Err(why) => {
            (config.progress)(&format!("no structural reading: {why}"));
            return Ok(found);
        }
    };
    for _ in 0..ROUNDS {
        (config.progress)("reading the network's structure");
        let reading = match Reading::of(network, &wiring, &batch) {
            Ok(reading) => reading,
            Err(why) => {
                (config.progress)(&why);
                return Ok(found);
            }
        };
        let mut refuting: Vec<usize> = Vec::new();
        let mut perfect = false;
        let mut neighbours = None;
        for candidate in reading.candidates(config) {
            let (agreement, wrong) = agreement(network, &candidate.term, config, &fresh, &truth[0])?;
            (config.progress)(&format!("{} agrees with {agreement:.4} of the outputs", candidate.source));
            perfect |= wrong.is_empty();
            refuting.extend(wrong.into_iter().take(50));
            if agreement >= config.min_agreement {
                let neighbours = neighbours.get_or_insert_with(|| align::Neighbours::of(&reading, network, config));
                found.push(reading.hypothesis(network, config, neighbours, candidate)?);
            }
        }
        if perfect || (config.deadline)() {
            break;
        }
        refuting.sort_unstable();
        refuting.dedup();
        batch.extend(&fresh.select(&refuting));
    }
    found.sort_by_key(|hypothesis| dsl::size(&hypothesis.program, config.language));
    found.dedup_by(|a, b| a.program == b.program);
    found.truncate(config.limits.hypotheses);
    Ok(found)
}

/// A program, before it has been held against anything.
struct Candidate {
    term: dsl::Term,
    parts: Vec<program::Part>,
    source: &'static str,
}

/// What was read from a network.
struct Reading {
    wiring: Wiring,
    layout: Layout,
    trace: Trace,
    dag: Dag,
    domain: Domain,
    tolerance: Tolerance,
}

impl Reading {
    /// Traces, hardens, slices and builds the variables.
    ///
    /// # Errors
    /// In words, what has no reading.
    fn of(network: &Network, wiring: &Wiring, batch: &Batch) -> Result<Self, String> {
        let domain = &network.domain;
        let bos = network.feeding().and_then(|feeding| feeding.bos).map(|bos| bos as usize);
        let layout = Layout::of(batch, bos);
        let mut soft = wiring.clone();
        let soft = trace::run(&mut soft, &layout, None, &mut |_, _| {});
        let wanted = outputs(&soft, &layout, &domain.decode);
        let sliced = live::slice(wiring, &soft, &layout, &domain.decode, Tolerance::exact());
        let rungs = if sliced.haze > HAZE { &RUNGS[1..] } else { &RUNGS[..] };
        let mut best: Option<(usize, usize, Self)> = None;
        let mut failure = String::new();
        for &noise in rungs {
            match Self::with(wiring, &layout, domain, &wanted, Tolerance::of(noise)) {
                Err(why) if failure.is_empty() => failure = why,
                Err(_) => {}
                Ok(reading) => {
                    let have = build::outputs_of(&reading.dag);
                    let wrong = wanted.iter().zip(&have).filter(|(a, b)| counts_as_different(**a, **b)).count();
                    let (wrong, entries) = (wrong * 1000 / wanted.len().max(1), reading.dag.n_entries());
                    // Of readings that are as right, one that allows more must be much smaller: it may merge what differs.
                    let better = |(least, size, _): &(usize, usize, Self)| {
                        wrong < *least || (wrong == *least && 2 * entries < *size)
                    };
                    if best.as_ref().is_none_or(better) {
                        best = Some((wrong, entries, reading));
                    }
                    if noise == 0.0 && wrong == 0 {
                        break;
                    }
                }
            }
        }
        best.map(|(_, _, reading)| reading).ok_or(failure)
    }

    /// A reading with one allowance for noise.
    fn with(
        wiring: &Wiring,
        layout: &Layout,
        domain: &Domain,
        wanted: &[Value],
        tolerance: Tolerance,
    ) -> Result<Self, String> {
        let mut wiring = wiring.clone();
        let trace = hardened(&mut wiring, layout, &domain.decode, wanted, tolerance)?;
        let live = live::slice(&wiring, &trace, layout, &domain.decode, tolerance);
        let dag = build::dag(&wiring, &trace, layout, &live, domain, tolerance)?;
        Ok(Self { wiring, layout: layout.clone(), trace, dag, domain: domain.clone(), tolerance })
    }

    fn candidates(&self, config: &Config) -> Vec<Candidate> {
        let (labels, free) = labels::labels(&self.dag, &self.domain);
        let tables = program::program(&self.dag, &labels, config.language, &program::Expressions::default());
        let tables = tables.map(|p| Candidate { term: p.term, parts: p.parts, source: "transformer: tables" });
        (config.progress)("looking for expressions in place of tables");
        let inputs = self.domain.enumerate(EXHAUSTIVE).unwrap_or_else(|| {
            self.domain.sample(OCCURRING, &mut rng(config.seed, "transformer: combinations that occur"))
        });
        let classes = symbolic::Classes::of(&self.dag, &self.domain, &inputs);
        let mut named = labels;
        let found = expressions::expressions(
            &self.dag,
            (&mut named, free),
            &self.domain,
            config.language,
            &classes,
            config.deadline,
        );
        let found = simplify::simplified(found, &named, config.language);
        let readable = program::program(&self.dag, &named, config.language, &found);
        let readable = readable.map(|p| Candidate { term: p.term, parts: p.parts, source: "transformer: expressions" });
        readable.into_iter().chain(tables).collect()
    }

    fn hypothesis(
        &self,
        network: &Network,
        config: &Config,
        neighbours: &align::Neighbours,
        candidate: Candidate,
    ) -> Result<Hypothesis, Error> {
        let mut hypothesis = Hypothesis {
            alignment: align::alignment(self, network, config, neighbours, &candidate.parts)?,
            program: candidate.term,
            circuit: Some(circuit::edges(&self.wiring, &self.trace, &self.layout, &self.domain.decode, self.tolerance)),
            source: candidate.source,
        };
        align::complete(network, config, &mut hypothesis)?;
        Ok(hypothesis)
    }
}

/// A trace with hard attention and steps for ramps, if that leaves every output as wanted; the steps are kept in the
/// wiring.
fn hardened(
    wiring: &mut Wiring,
    layout: &Layout,
    decode: &Decode,
    wanted: &[Value],
    tolerance: Tolerance,
) -> Result<Trace, String> {
    let as_wanted = |trace: &Trace| {
        let have = outputs(trace, layout, decode);
        let differ = wanted.iter().zip(&have).filter(|(a, b)| !same_output(**a, **b)).count();
        differ as f64 <= 1e-3 * wanted.len() as f64
    };
    let mut stepped = |mlp: &mut wiring::Mlp, pre: &trace::Mat| {
        mlp.steps = ramps::steps(mlp, pre, &layout.point_rows, tolerance);
    };
    let hard = trace::run(wiring, layout, Some(tolerance), &mut stepped);
    if as_wanted(&hard) {
        return Ok(hard);
    }
    for writer in &mut wiring.writers {
        if let Part::Mlp(mlp) = &mut writer.part {
            mlp.steps.clear();
        }
    }
    let hard = trace::run(wiring, layout, Some(tolerance), &mut |_, _| {});
    if as_wanted(&hard) { Ok(hard) } else { Err("attention cannot be hardened without changing outputs".to_owned()) }
}

/// Whether an output that counts is not what it should be.
fn counts_as_different(wanted: Value, have: Value) -> bool {
    wanted != Value::Undefined && !same_output(wanted, have)
}

/// Whether two decoded outputs agree: numbers within [`Decode::NUMBER`].
fn same_output(a: Value, b: Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= Decode::NUMBER,
        _ => a == b,
    }
}

/// The share of counted outputs on which a program agrees with the network, and the sequences on which it does not.
fn agreement(
    network: &Network,
    term: &dsl::Term,
    config: &Config,
    batch: &Batch,
    truth: &Column,
) -> Result<(f64, Vec<usize>), Error> {
    let points = batch.points();
    let vars = network.domain.columns(batch);
    let env = Env { language: config.language, points: &points, vars: &vars, causal: network.is_causal() };
    let have = dsl::eval(term, &env).map_err(|error| Error::Term(error.to_string()))?;
    let (mut counted, mut good, mut wrong) = (0_usize, 0_usize, Vec::new());
    for (row, range) in points.ranges().enumerate() {
        let mut right = true;
        for point in range {
            let want = decode_code(truth.sort, truth.codes[point]);
            if want == Value::Undefined {
                continue;
            }
            counted += 1;
            let same = same_output(want, have.value(point));
            good += usize::from(same);
            right &= same;
        }
        if !right {
            wrong.push(row);
        }
    }
    Ok((if counted == 0 { 1.0 } else { good as f64 / counted as f64 }, wrong))
}
