//! Programs of causal language models, from behaviour.
//!
//! 1. [`study`]: the inputs that the domain shows, what the network makes of them, and the yardstick: how far the network
//!    agrees with itself at other positions.
//! 2. [`targets`]: the output in pieces, one column per role of a position and per token or value.
//! 3. [`search`]: terms for all pieces from one bank, on short sequences, tolerant of the network's own errors.
//! 4. [`assemble`]: candidates held against long sequences, and joined to one program.

mod assemble;
mod errors;
mod search;
mod share;
mod study;
mod targets;
#[cfg(test)]
mod tests;

use dsl::Term;
use graph::Network;
use samples::rng;

pub use errors::{Errors, Rule};
pub(crate) use share::share;
pub use study::Yardstick;

use crate::{Config, Error, Hypothesis};
use study::Study;
use targets::Role;

/// Points of the search; where answers follow a separator there are few that count.
const POINTS: usize = 900;
const WHOLE_POINTS: usize = 1_300;
/// Sequences with a separator are taken whole up to this length.
const WHOLE: usize = 44;
/// Rounds of searching with the sequences on which the programs of the round before fail.
const ROUNDS: usize = 2;
/// A program that misses so small a share beyond what is expected needs no further round.
const SLACK: f64 = 0.015;
/// Programs returned at least, where there are so many: what the network carries tells them apart.
const PROGRAMS: usize = 24;
/// Elements of a refuting sequence that are kept after the one that refutes.
const AFTER: usize = 4;
/// Sequences are cut to so many elements for the search, in turn.
const LENGTHS: [usize; 5] = [24, 12, 48, 32, 64];

/// What a causal network does, whatever the verdict.
#[derive(Clone, PartialEq, Debug)]
pub struct Behaviour {
    /// What a program of tokens can be measured by.
    pub yardstick: Yardstick,
    /// Where network and program part; none without a program.
    pub errors: Option<Errors>,
}

/// Measures a network against itself, and explains where a program parts from it.
///
/// # Errors
/// Where network or program cannot be run.
pub fn behaviour(network: &Network, program: Option<&Term>, config: &Config) -> Result<Behaviour, Error> {
    let study = Study::of(network, config)?;
    let yardstick = study.yardstick(config)?;
    let errors = match program {
        Some(program) => Some(errors::errors(&study, &study.values(program, config)?)),
        None => None,
    };
    Ok(Behaviour { yardstick, errors })
}

/// Sequences that are made to tell terms apart that agree on all recorded ones, and their greatest length.
const MADE: usize = 200;
const MADE_LENGTH: usize = 40;

/// Candidates for what a causal transformer computes, best first.
///
/// # Errors
/// Where the network cannot be run.
pub fn hypotheses(network: &Network, config: &Config) -> Result<Vec<Hypothesis>, Error> {
    (config.progress)("running the network on its inputs");
    let study = Study::of(network, config)?;
    let noise = 1.0 - study.yardstick(config)?.self_agreement;
    let made = study.recombined(MADE, MADE_LENGTH, config)?;
    explained(&study, made, noise, config)
}

/// Programs for what a study shows; `noise` is the share of sequences on which no program is expected to be right. Where the
/// first ones fail on more sequences than that, those are searched with as well.
fn explained(
    study: &Study<'_>,
    made: Option<Study<'_>>,
    noise: f64,
    config: &Config,
) -> Result<Vec<Hypothesis>, Error> {
    let roles = targets::roles(study);
    let separator = roles.iter().find_map(|role| role.token);
    let mut found: Vec<(f64, Hypothesis)> = Vec::new();
    let mut refuting: Vec<(usize, usize)> = Vec::new();
    for round in 0..ROUNDS {
        let sample = sample(study, &roles, &refuting, config);
        let on_sample = targets::roles(&sample);
        let (plans, pieces) = targets::plans(&sample, &on_sample, round > 0);
        // Errors gather in long sequences: per output of a short one there are fewer.
        let candidates = search::candidates(&sample, &pieces, separator, noise / 50.0, config)?;
        found.extend(assemble::hypotheses(study, made.as_ref(), &on_sample, &plans, &candidates, config)?);
        // The sort is stable: of those that agree equally the order of the assembly stays.
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        let Some((agreement, best)) = found.first() else { break };
        if *agreement >= 1.0 - noise - SLACK || round + 1 == ROUNDS || (config.deadline)() {
            break;
        }
        refuting = failures(study, &study.values(&best.program, config)?);
    }
    let mut programs: Vec<Hypothesis> = Vec::new();
    for (_, hypothesis) in found {
        if programs.iter().all(|other| other.program != hypothesis.program) {
            programs.push(hypothesis);
        }
    }
    programs.truncate(PROGRAMS.max(config.limits.hypotheses));
    Ok(programs)
}

/// The sequences on which a column differs from the output, shortest first, and how many of their elements show it.
fn failures(study: &Study<'_>, values: &samples::Column) -> Vec<(usize, usize)> {
    let wrong = |point: &usize| study.scored[*point] && values.codes[*point] != study.output.codes[*point];
    let first = |range: std::ops::Range<usize>| range.clone().find(wrong).map(|point| point - range.start);
    let rows = study.points.ranges().enumerate();
    let mut found: Vec<(usize, usize)> =
        rows.filter_map(|(row, range)| Some((row, first(range)? + 1 + AFTER))).collect();
    found.sort_by_key(|&(row, length)| (length.min(study.batch.length(row)), row));
    found
}

/// Short sequences, no one the beginning of another, with as many points as a search can bear: up to half of them from
/// sequences that are preferred, cut to lengths of their own.
fn sample<'a>(study: &Study<'a>, roles: &[Role], preferred: &[(usize, usize)], config: &Config) -> Study<'a> {
    use rand::seq::SliceRandom as _;
    let mut rows: Vec<usize> = (0..study.points.n_sequences()).collect();
    rows.shuffle(&mut rng(config.seed, "causal: sample"));
    let is_whole = roles.iter().any(|role| role.token.is_some());
    let room = if is_whole { WHOLE_POINTS } else { POINTS };
    let mut choice = Choice { study, chosen: Vec::new() };
    for &(row, length) in preferred {
        // What follows a separator speaks of all before it: such sequences are taken whole or not at all.
        let length = if is_whole { study.batch.length(row) } else { length };
        if length <= 2 * WHOLE + AFTER {
            choice.offer(row, length, room / 2);
        }
    }
    for (place, row) in rows.into_iter().enumerate() {
        let length = if is_whole { study.batch.length(row) } else { LENGTHS[place % LENGTHS.len()] };
        if length <= WHOLE || !is_whole {
            choice.offer(row, length, room);
        }
    }
    let (rows, lengths): (Vec<usize>, Vec<usize>) = choice.chosen.into_iter().unzip();
    study.rows(&rows).cut(&lengths)
}

/// Sequences that are chosen, with their lengths.
struct Choice<'s, 'n> {
    study: &'s Study<'n>,
    chosen: Vec<(usize, usize)>,
}

impl Choice<'_, '_> {
    /// Takes a sequence if there is room, unless it is the beginning of another; those that are its beginning go.
    fn offer(&mut self, row: usize, length: usize, room: usize) {
        let batch = &self.study.batch;
        let length = length.min(batch.length(row));
        let begin = &batch.sequence(row)[..length];
        if self.chosen.iter().any(|&(other, n)| batch.sequence(other)[..n].starts_with(begin)) {
            return;
        }
        let stays = |&(other, n): &(usize, usize)| !begin.starts_with(&batch.sequence(other)[..n]);
        let n_points: usize = self.chosen.iter().filter(|chosen| stays(chosen)).map(|(_, n)| n).sum();
        if n_points + length > room && n_points > 0 {
            return;
        }
        self.chosen.retain(stays);
        self.chosen.push((row, length));
    }
}
