//! Programs of causal language models, from behaviour.
//!
//! 1. [`study`]: the inputs that the domain shows, what the network makes of them, and the yardstick: how far the network
//!    agrees with itself at other positions.
//! 2. [`targets`]: the output in pieces, one column per role of a position and per token or value.
//! 3. [`search`]: terms for all pieces from one bank, on short sequences, tolerant of the network's own errors.
//! 4. [`assemble`]: candidates held against long sequences, and joined to one program.

mod assemble;
mod search;
mod study;
mod targets;

use graph::Network;
use samples::rng;

pub use study::Yardstick;

use crate::{Config, Error, Hypothesis};
use study::Study;
use targets::Role;

/// Points of the search; where answers follow a separator there are few that count.
const POINTS: usize = 900;
const WHOLE_POINTS: usize = 1_300;
/// Sequences with a separator are taken whole up to this length.
const WHOLE: usize = 44;
/// Sequences are cut to so many elements for the search, in turn.
const LENGTHS: [usize; 5] = [24, 12, 48, 32, 64];

/// Candidates for what a causal transformer computes, best first.
///
/// # Errors
/// Where the network cannot be run.
pub fn hypotheses(network: &Network, config: &Config) -> Result<Vec<Hypothesis>, Error> {
    (config.progress)("running the network on its inputs");
    let study = Study::of(network, config)?;
    let roles = targets::roles(&study);
    let separator = roles.iter().find_map(|role| role.token);
    let sample = sample(&study, &roles, config);
    let on_sample = targets::roles(&sample);
    let (plans, pieces) = targets::plans(&sample, &on_sample);
    let noise = 1.0 - study.yardstick(config)?.self_agreement;
    // Errors gather in long sequences: per output of a short one there are fewer.
    let candidates = search::candidates(&sample, &pieces, separator, noise / 50.0, config)?;
    assemble::hypotheses(&study, &on_sample, &plans, &candidates, config)
}

/// Short sequences, no one the beginning of another, with as many points as a search can bear.
fn sample<'a>(study: &Study<'a>, roles: &[Role], config: &Config) -> Study<'a> {
    use rand::seq::SliceRandom as _;
    let mut rows: Vec<usize> = (0..study.points.n_sequences()).collect();
    rows.shuffle(&mut rng(config.seed, "causal: sample"));
    let is_whole = roles.iter().any(|role| role.token.is_some());
    let mut chosen: Vec<(usize, usize)> = Vec::new();
    let mut n_points = 0;
    let room = if is_whole { WHOLE_POINTS } else { POINTS };
    for row in rows {
        let longest = LENGTHS[chosen.len() % LENGTHS.len()];
        let length = study.batch.length(row);
        // What follows a separator speaks of all before it: such sequences are taken whole or not at all.
        if is_whole && length > WHOLE {
            continue;
        }
        let length = if is_whole { length } else { length.min(longest) };
        let begin = &study.batch.sequence(row)[..length];
        if chosen.iter().any(|&(other, n)| study.batch.sequence(other)[..n].starts_with(begin)) {
            continue;
        }
        chosen.retain(|&(other, n)| {
            let is_begin = begin.starts_with(&study.batch.sequence(other)[..n]);
            n_points -= if is_begin { n } else { 0 };
            !is_begin
        });
        if n_points + length > room && !chosen.is_empty() {
            continue;
        }
        n_points += length;
        chosen.push((row, length));
    }
    let (rows, lengths): (Vec<usize>, Vec<usize>) = chosen.into_iter().unzip();
    study.rows(&rows).cut(&lengths)
}
