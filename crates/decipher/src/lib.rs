//! From a network to hypotheses: programs that compute what the network computes, with the sites that carry them.
//!
//! [`hypotheses`] dispatches on the kind of network; each family's reading lives in its own module. A hypothesis is a
//! claim and no verdict: the judges (`check`, `scrub`) get it and say what holds. Nothing here reads a clock or a file:
//! budgets count steps, and the caller's [`Config::deadline`] is the only way in which time can end a search.

pub mod causal;
mod holdout;
mod length;
pub mod mechanism;
pub mod recurrent;
mod rivals;
mod search;
pub mod transformer;
mod verdict;

use dsl::{Language, Term};
use graph::Network;
use samples::Batch;

pub use holdout::Halves;
pub use length::{BITS, Description, describe};
pub use rivals::{Rival, Rivals, Separation};
pub use search::{JudgeLimits, Mechanism, Outcome, Stage, Verdict, covers_domain, decipher, judge};
pub use verdict::{Judged, claims, judge_alignment, judge_claims};

/// A program with the sites of the network that carry its parts.
#[derive(Clone, Debug)]
pub struct Hypothesis {
    /// The program, in the language of [`Config::language`] only.
    pub program: Term,
    /// Which site carries which subterm, and how it is read there; subterms for which no site was found have fit 0.
    pub alignment: Vec<Aligned>,
    /// The edges between nodes that the program implies, by the nodes' names; absent for recurrent networks.
    pub circuit: Option<Vec<(String, String)>>,
    /// The strategy that found it, for reports.
    pub source: &'static str,
}

/// One subterm carried by one site.
#[derive(Clone, Debug)]
pub struct Aligned {
    /// A term that can be evaluated by itself over the domain's inputs. For a state of a scan it is that scan with the
    /// state after each element as its output.
    pub subterm: Term,
    /// The node that carries it: a node's name; `h[t]` stands for the hidden state after every element.
    pub site: String,
    /// How the site gives the subterm: `affine` (an affine map, then rounding) or `partition` (equal values of the site
    /// go with equal values of the subterm; nearest neighbour).
    pub readout: &'static str,
    /// The share of held-out samples on which the read-out gives the subterm's value.
    pub fit: f64,
}

/// What bounds a search, in steps and counts, so that the same seed gives the same answer on any machine.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Terms that one enumeration may try.
    pub candidates: u64,
    /// Classes of terms that one enumeration may keep.
    pub classes: usize,
    /// States of a behavioural machine.
    pub states: usize,
    /// Input sequences that fitting uses; judging uses as many fresh ones.
    pub samples: usize,
    /// Hypotheses returned at most.
    pub hypotheses: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { candidates: 20_000_000, classes: 400_000, states: 250, samples: 2_000, hypotheses: 4 }
    }
}

/// What a search is given beside the network.
#[derive(Clone)]
pub struct Config<'a> {
    /// The language of the programs.
    pub language: &'a Language,
    /// The seed of everything random.
    pub seed: u64,
    /// Bounds in steps.
    pub limits: Limits,
    /// True when time is up: the search then returns what it has.
    pub deadline: &'a (dyn Fn() -> bool + Sync),
    /// True when controls have to end: what they would have decided is undecided then. First asked when the first control begins.
    pub controls_late: &'a (dyn Fn() -> bool + Sync),
    /// The least share of counted outputs on which a hypothesis must agree with the network to be returned.
    pub min_agreement: f64,
    /// Is told, in a few words, what the search is at.
    pub progress: &'a (dyn Fn(&str) + Sync),
}

impl<'a> Config<'a> {
    /// The usual limits and no limit of time, all outputs asked for, seed 0.
    pub fn new(language: &'a Language) -> Self {
        Self {
            language,
            seed: 0,
            limits: Limits::default(),
            deadline: &|| false,
            controls_late: &|| false,
            min_agreement: 1.0,
            progress: &|_| {},
        }
    }
}

/// Why there are no hypotheses.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The network could not be run.
    #[error("the network could not be run: {0}")]
    Network(String),
    /// A term of the search could not be evaluated; a fault of the engine.
    #[error("a candidate could not be evaluated: {0}")]
    Term(String),
    /// Time was up before the network had been read; a search then returns what it has.
    #[error("time was up before the network had been read")]
    Late,
    /// There is no mechanism to verify.
    #[error("the network says the same on every input, so there is no mechanism to verify")]
    Constant,
    /// No strategy reads this kind of network.
    #[error("no strategy reads this kind of network: {0}")]
    Unsupported(String),
}

/// Elements that a sequence may have for samples to be as large as they are meant to be.
const USUAL_LENGTH: usize = 100;
/// Sequences of a sample of long ones, at least.
const FEWEST: usize = 50;

/// How many sequences of a length to draw where `n` of usual length would do: so many elements tell as much in fewer of them.
pub(crate) fn n_sequences(n: usize, length: usize) -> usize {
    (n * USUAL_LENGTH / length.max(USUAL_LENGTH)).max(FEWEST.min(n))
}

#[cfg(test)]
#[test]
fn samples_of_long_sequences_hold_as_many_elements() {
    let sizes = [10, 100, 200, 1_000_000].map(|length| n_sequences(2_000, length));
    assert_eq!(sizes, [2_000, 2_000, 1_000, FEWEST]);
    assert_eq!(n_sequences(20, 4_096), 20);
}

/// Candidates for what the network computes, best first: the shortest by the language's cost among those that agree
/// with the network at least as far as [`Config::min_agreement`] asks, on samples that played no part in finding them, and on
/// the inputs in `known`, which refuted others; causal language models are read from recorded inputs alone.
///
/// # Errors
/// Where the network cannot be run, or is of a kind that no strategy reads. Finding nothing is no error: the list is
/// empty then.
pub fn hypotheses(network: &Network, known: &Batch, config: &Config) -> Result<Vec<Hypothesis>, Error> {
    if network.recurrence().is_some() {
        recurrent::hypotheses(network, known, config)
    } else if network.family() == graph::Family::Gpt2 {
        causal::hypotheses(network, config)
    } else {
        transformer::hypotheses(network, known, config)
    }
}
