//! Proofs that a network computes a program, beyond the inputs that were run.
//!
//! A [`Proof`] is a certificate: regions of hidden states, one or several for every state of the program, such that
//! every input element maps each region into a region of the program's next state, and every state in a region is
//! decoded as the program's output (an inductive invariant: all lengths); or what is needed to compute such regions
//! step by step up to a length. [`prove`] searches for one and is not trusted: what is claimed is what [`verify`]
//! confirms, from the certificate, the network and the program alone.
//!
//! Proofs speak of any evaluation in single or higher precision, in any order of summation, or of exact arithmetic alone
//! ([`Arithmetic`]); see [`forms`] for how roundings are counted.

mod boxes;
mod classes;
mod forms;
mod gap;
mod linear;
mod question;
mod rule;
mod search;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trial;
mod walk;

use dsl::{Language, Term};
use graph::{Network, Recurrence};
use samples::{Decode, Value, encode_value};

use crate::{Counterexample, Machine, integer};
use forms::Forms;

pub use boxes::alphabet;
pub use classes::{Classes, follow};
pub use question::{AskConfig, Asked, End, Question, ask};
pub use search::{Proofs, ProveConfig, prove};

/// How the network computes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arithmetic {
    /// In single or higher precision, or exactly: any evaluation, in any order of summation.
    Float32,
    /// Exactly, over the reals.
    Real,
}

/// A certificate that a network computes a program.
#[derive(Clone, PartialEq, Debug)]
pub struct Proof {
    /// For networks that compute like this.
    pub arithmetic: Arithmetic,
    /// For sequences of at most so many elements; `None` for all lengths.
    pub length: Option<usize>,
    /// How far an output in single precision is at most from the same in exact arithmetic, over those inputs of the domain that
    /// the proof is about; or why no bound is claimed.
    pub gap: Result<f64, &'static str>,
    /// Where the hidden states lie.
    pub regions: Regions,
}

/// The gap of a certificate that is still searched for.
const LATER: &str = "none was asked for";

impl Proof {
    /// The sequences of the domain that the proof is about have at most so many elements.
    fn within(&self, network: &Network) -> usize {
        let longest = crate::longest_length(&network.domain);
        self.length.map_or(longest, |length| length.min(longest))
    }

    /// What bound on the outputs' rounding errors may be claimed; of recurrent networks.
    fn gap_of(&self, network: &Network, late: Late<'_>) -> Result<f64, &'static str> {
        let gap = gap::gap(network, self.within(network), late);
        match (self.arithmetic, &network.domain.decode) {
            // In either arithmetic an output is within a half of the program's.
            (Arithmetic::Float32, Decode::Round) => Ok(gap.map_or(1.0, |gap| gap.min(1.0))),
            _ => gap,
        }
    }

    /// The same with that bound.
    fn with_gap(self, network: &Network, late: Late<'_>) -> Self {
        Self { gap: self.gap_of(network, late), ..self }
    }
}

/// Where the hidden states lie.
#[derive(Clone, PartialEq, Debug)]
pub enum Regions {
    /// Boxes, for every state of the program some.
    Boxes(Boxes),
    /// One box that moves with the program's state.
    Moving(Moving),
    /// None are named: a solver finds no input that is read wrongly.
    Question(Question),
    /// None: of transformers, what outputs depend on was followed through the network and through the program.
    Classes(Classes),
}

/// Boxes of hidden states, for programs whose states can be listed.
#[derive(Clone, PartialEq, Debug)]
pub struct Boxes {
    /// Bases of the hidden space: `d * d` numbers, row by row, rows nearly orthonormal.
    pub bases: Vec<Vec<f64>>,
    /// Into how many pieces regions are cut to be followed, along their widest side; 1 for none.
    pub pieces: usize,
    /// The first is where sequences start.
    pub nodes: Vec<BoxNode>,
}

/// A set of hidden states in which the program is in one state.
#[derive(Clone, PartialEq, Debug)]
pub struct BoxNode {
    /// The codes of the program's state.
    pub state: Vec<i64>,
    /// Which basis the region is a box in.
    pub basis: usize,
    /// The least and the greatest coordinate in that basis; of proofs for all lengths only. Empty for the first node
    /// where that is the initial state alone, and for nodes that are passed through: what reaches them is followed on
    /// to the next regions as it is, so that what several steps forget together need not be forgotten by each.
    pub region: Vec<[f64; 2]>,
    /// For every element of the alphabet, in order, the node that it leads to; empty where no sequence of the proof goes on.
    pub next: Vec<usize>,
}

/// A box that moves affinely with the program's state, for programs with affine updates: `h = M s + offset + Q^T u`.
#[derive(Clone, PartialEq, Debug)]
pub struct Moving {
    /// `d * n` numbers, row by row, for `n` state variables: the program's, and those outputs and inputs at the last
    /// element that do not follow from them.
    pub matrix: Vec<f64>,
    /// The offset after each of the first steps; the last one is also that of all later ones.
    pub offsets: Vec<Vec<f64>>,
    /// The basis Q: `d * d` numbers, row by row, rows nearly orthonormal.
    pub basis: Vec<f64>,
    /// The coordinates u from the last offset on; of proofs for all lengths only.
    pub region: Vec<[f64; 2]>,
    /// The least and the greatest value of every state variable; of proofs for all lengths only.
    pub ranges: Vec<[i64; 2]>,
}

/// Why a certificate proves nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// The network is not recurrent, or its inputs or outputs are of a kind that is not proved.
    #[error("nothing is proved about networks of this kind: {0}")]
    Unsupported(&'static str),
    /// The program is no scan over integers, or cannot be evaluated.
    #[error("the program is no machine with a state: {0}")]
    Program(String),
    /// The certificate does not fit the network or the program.
    #[error("the certificate does not fit: {0}")]
    Shape(&'static str),
    /// It fits and does not hold.
    #[error("the certificate does not hold: {0}")]
    Fails(String),
    /// Time was up before it was checked.
    #[error("the certificate was not checked: time was up")]
    Late,
}

/// True once time is up.
type Late<'a> = &'a (dyn Fn() -> bool + Sync);

/// Whether a certificate proves that the network computes the program, over the network's alphabet.
///
/// # Errors
/// The first reason why it does not.
pub fn verify(network: &Network, program: &Term, language: &Language, proof: &Proof) -> Result<(), Refused> {
    verify_in_time(network, program, language, proof, &|| false)
}

/// As [`verify`]; boxes are [`Refused::Late`] once time is up.
fn verify_in_time(
    network: &Network,
    program: &Term,
    language: &Language,
    proof: &Proof,
    late: Late<'_>,
) -> Result<(), Refused> {
    if let Regions::Classes(classes) = &proof.regions {
        return classes::verify(network, program, language, (proof, classes));
    }
    let net = network.recurrence().ok_or(Refused::Unsupported("no recurrence"))?;
    let machine = Machine::new(program, language, &network.domain)
        .ok_or_else(|| Refused::Program("it looks at other positions than its own".to_owned()))?;
    let decoder = Decoder::of(&network.domain.decode)?;
    if let Ok(claimed) = proof.gap {
        claims(claimed, proof.gap_of(network, late))?;
    }
    let claim = (proof.length, proof.arithmetic == Arithmetic::Float32);
    match &proof.regions {
        Regions::Boxes(regions) => boxes::verify(net, network, &machine, &decoder, regions, claim, late),
        Regions::Moving(moving) => linear::verify(net, network, &machine, &decoder, moving, claim),
        Regions::Question(question) => {
            question::verify(network, program, language, question, (proof.length, proof.arithmetic))
        }
        Regions::Classes(_) => Err(Refused::Unsupported("a recurrence, by classes")),
    }
}

/// Whether a bound on rounding errors may be claimed.
fn claims(claimed: f64, found: Result<f64, &'static str>) -> Result<(), Refused> {
    match found {
        Err(reason) => Err(Refused::Fails(format!("no bound on rounding errors is known: {reason}"))),
        // A digit may be lost in a file; what is no number bounds nothing.
        Ok(gap) if claimed >= gap * (1.0 - 1e-5) => Ok(()),
        Ok(gap) => Err(Refused::Fails(format!("the bound on rounding errors is {gap:e}, not {claimed:e}"))),
    }
}

/// How outputs are read, in terms of ranges.
pub(crate) enum Decoder {
    /// Each rounded.
    Round,
    /// The largest names the value with this code.
    Argmax(Vec<i64>),
}

impl Decoder {
    fn of(decode: &Decode) -> Result<Self, Refused> {
        match decode {
            Decode::Round => Ok(Self::Round),
            Decode::Argmax(values) => Ok(Self::Argmax(values.iter().map(|&value| class_code(value)).collect())),
            _ => Err(Refused::Unsupported("outputs that are neither rounded nor classes")),
        }
    }

    /// How far outputs are, at least, from being decoded as something else than the program's outputs at a point:
    /// negative where they may be.
    fn margin(&self, y: &Forms, outputs: &[samples::Column], point: usize) -> f64 {
        match self {
            Self::Round => {
                if outputs.len() != y.len() {
                    return f64::NEG_INFINITY;
                }
                let margin = |(k, column): (usize, &samples::Column)| match integer(column, point) {
                    Some(value) => rounding_margin(y, k, value as f64),
                    None => f64::NEG_INFINITY,
                };
                outputs.iter().enumerate().map(margin).fold(f64::INFINITY, f64::min)
            }
            Self::Argmax(codes) => {
                let [column] = outputs else { return f64::NEG_INFINITY };
                let Some(own) = codes.iter().position(|&code| code == class_code(column.value(point))) else {
                    return f64::NEG_INFINITY;
                };
                (0..y.len()).filter(|&k| k != own).map(|k| lead(y, own, k)).fold(f64::INFINITY, f64::min)
            }
        }
    }

    /// Whether outputs are decoded as something else than a program's, wherever in their ranges they are.
    fn excludes(&self, y: &Forms, program: &[Value]) -> bool {
        match self {
            Self::Round => program.iter().zip(0..y.len()).any(|(value, k)| {
                let (lo, hi) = y.range(k);
                value.as_f64().is_none_or(|value| lo > value + 0.5 || hi < value - 0.5)
            }),
            Self::Argmax(codes) => {
                let own = program.first().and_then(|&value| codes.iter().position(|&code| code == class_code(value)));
                own.is_none_or(|own| (0..y.len()).any(|k| k != own && lead(y, k, own) > 0.0))
            }
        }
    }
}

/// Whether every evaluation of a network in single precision is read as something else than a program's output, where both
/// were found to differ.
pub(crate) fn surely_otherwise(net: &Recurrence, decode: &Decode, found: &Counterexample) -> bool {
    let Ok(decoder) = Decoder::of(decode) else { return false };
    let mut hidden = Forms::exact(vec![0.0; net.hidden_dim()], 0).computed(true);
    for element in found.input.sequence(0).chunks(net.dim()).take(found.position + 1) {
        hidden = boxes::carried(forms::step(net, &hidden, forms::fed(net, element, 0)));
    }
    decoder.excludes(&forms::read(net, &hidden), &found.program)
}

/// How far output `k` stays from rounding to another integer than `value`.
pub(crate) fn rounding_margin(y: &Forms, k: usize, value: f64) -> f64 {
    let (lo, hi) = y.range(k);
    let margin = 0.5 - (hi - value).max(value - lo);
    if margin.is_finite() { margin - 1e-12 * value.abs() } else { f64::NEG_INFINITY }
}

/// By how much one output exceeds another at least.
fn lead(y: &Forms, own: usize, other: usize) -> f64 {
    let spread: f64 = y.row(own).iter().zip(y.row(other)).map(|(a, b)| (a - b).abs()).sum();
    let size = y.center[own].abs() + y.center[other].abs() + y.radius(own) + y.radius(other);
    let lead = y.center[own] - y.center[other] - spread - y.error[own] - y.error[other] - 1e-12 * size;
    if lead.is_finite() { lead } else { f64::NEG_INFINITY }
}

/// Truth values and the numbers 0 and 1 name the same classes as their texts do in a file.
fn class_code(value: Value) -> i64 {
    match value {
        Value::Bool(b) => i64::from(b),
        Value::Real(r) if r.fract() == 0.0 && r.abs() < 9e15 => r as i64,
        other => encode_value(other),
    }
}
