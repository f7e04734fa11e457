//! Proofs about transformers whose attention is hard: every output, over all inputs of the domain, without running them.
//!
//! For one length and one position the value of every node is followed as a table: for every way to choose the few things
//! that it depends on (an *atom*: the token at some position, or how a selection is made up) a vector with a radius. MLPs
//! are evaluated on all combinations of what their inputs depend on. For attention the scores of all combinations of query
//! and key are bounded; where every key's score is clearly above that of BOS, level with it, or clearly below, what the
//! softmax makes of them is bounded too, so that a head copies from one known position, or depends on how many keys are
//! selected and with what values; and so it is where scores lie at a few levels, though none be clear. A selection is an
//! atom of its own, known by its function: which keys are selected with which class of value, as functions of atoms.
//!
//! The program is followed in the same way, and its selections are atoms too. Where network and program select alike they
//! come to the same atoms, and the outputs are compared for all combinations of these. Atoms are taken to be
//! independent: combinations that never occur may fail, and nothing is proved then.
//!
//! Radii count roundings, so that a proof holds for single precision in any order of summation as well as for exact arithmetic.

mod atoms;
mod attention;
mod behind;
mod network;
mod program;
#[cfg(test)]
mod tests;
mod values;

use std::sync::Arc;

use dsl::{Language, Term};
use graph::{Graph, Matrix, Network, NodeId};
use rustc_hash::FxHashMap;
use samples::{Column, Decode, Elements, decode_code};

use super::{Arithmetic, Proof, Refused, Regions};
use crate::agrees;
use atoms::{Atoms, union};
use network::Net;
use program::{Codes, Reader};
use values::Values;

/// What following all positions of all lengths showed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Classes {
    /// By how much, at least, outputs are told apart from those that would be read as something else.
    pub margin: f64,
    /// Outputs that were compared: combinations, positions and lengths.
    pub cells: usize,
}

/// Positions of the longest sequence, at most.
const MAX_LENGTH: usize = 64;

/// Nodes of a program without names, at most.
const MAX_NODES: u64 = 20_000;

/// Multiply-adds that following takes at most, about.
const MAX_WORK: f64 = 2e10;

/// Proves that a transformer computes a program on all inputs of its domain, if it can; gives up once time is up.
///
/// # Errors
/// Why it cannot.
pub fn follow(
    network: &Network,
    program: &Term,
    language: &Language,
    deadline: &(dyn Fn() -> bool + Sync),
) -> Result<Proof, Refused> {
    let length = Some(crate::longest_length(&network.domain));
    let proof = |arithmetic: Arithmetic| {
        let (classes, single) = followed(network, program, language, arithmetic, deadline)?;
        let gap = if arithmetic == Arithmetic::Float32 { Ok(single) } else { gap(network, deadline) };
        Ok(Proof { arithmetic, length, gap, regions: Regions::Classes(classes) })
    };
    // What fails in single precision for another reason than rounding fails over the reals for the same.
    proof(Arithmetic::Float32).or_else(|_: Refused| proof(Arithmetic::Real))
}

/// Checks such a proof: nothing of it is believed.
pub(super) fn verify(
    network: &Network,
    program: &Term,
    language: &Language,
    (proof, claimed): (&Proof, &Classes),
) -> Result<(), Refused> {
    if proof.length != Some(crate::longest_length(&network.domain)) {
        return Err(Refused::Shape("its scope is not that of the domain"));
    }
    let (found, single) = followed(network, program, language, proof.arithmetic, &|| false)?;
    if let Ok(claimed) = proof.gap {
        let gap = if proof.arithmetic == Arithmetic::Float32 { Ok(single) } else { gap(network, &|| false) };
        super::claims(claimed, gap)?;
    }
    // A digit may be lost in a file.
    if claimed.margin > found.margin * (1.0 + 1e-5) {
        return Err(Refused::Fails(format!(
            "outputs are told apart by {:e}, not by {:e}",
            found.margin, claimed.margin
        )));
    }
    if claimed.cells != found.cells {
        return Err(Refused::Fails(format!("{} outputs are compared, not {}", found.cells, claimed.cells)));
    }
    Ok(())
}

/// How far an output in single precision is at most from the same in exact arithmetic: both lie in the same cell. Of programs
/// nothing is asked.
///
/// # Errors
/// Why no bound is known.
fn gap(network: &Network, deadline: &(dyn Fn() -> bool + Sync)) -> Result<f64, &'static str> {
    let subject = Subject::new(network).map_err(|_| "the network is of a kind that is not followed")?;
    let (mut left, mut widest) = (MAX_WORK, 0.0_f64);
    for length in network.domain.length.0..=subject.longest {
        let mut atoms = Atoms::default();
        let mut net = subject.net(length, true, left);
        for at in 1..=length {
            if deadline() {
                return Err("the time was up");
            }
            let seen =
                net.value(subject.output, at, &mut atoms).ok_or("the network is not followed in single precision")?;
            widest = seen.radius.iter().copied().fold(widest, f64::max);
        }
        left = net.left();
    }
    Ok(2.0 * widest)
}

/// What following both shows, and how far an output is at most from another evaluation of the same in the arithmetic given or
/// exactly.
fn followed(
    network: &Network,
    program: &Term,
    language: &Language,
    arithmetic: Arithmetic,
    deadline: &(dyn Fn() -> bool + Sync),
) -> Result<(Classes, f64), Refused> {
    let subject = Subject::new(network)?;
    let sort = dsl::sort_of(program, language, &network.domain.inputs());
    let sort = sort.map_err(|error| Refused::Program(error.to_string()))?;
    let program =
        program.inlined(MAX_NODES).ok_or_else(|| Refused::Program("it is too large without names".to_owned()))?;
    let single = arithmetic == Arithmetic::Float32;
    let mut left = MAX_WORK;
    let mut found = Classes { margin: f64::INFINITY, cells: 0 };
    let mut widest = 0.0_f64;
    for length in network.domain.length.0..=subject.longest {
        let mut atoms = Atoms::default();
        let mut reader = Reader {
            language,
            tokens: subject.column.codes.clone(),
            token_sort: subject.column.sort,
            length,
            causal: network.is_causal(),
            known: FxHashMap::default(),
        };
        let mut net = subject.net(length, single, left);
        for at in 0..length {
            if deadline() {
                return Err(Refused::Fails("the time was up".to_owned()));
            }
            let place = || format!("at position {at} of {length}");
            let said = reader
                .term(&program, at, &mut atoms)
                .filter(|said| said.sort == sort)
                .ok_or_else(|| Refused::Program(format!("it is not followed {}", place())))?;
            let seen = net
                .value(subject.output, at + 1, &mut atoms)
                .ok_or_else(|| Refused::Fails(format!("the network is not followed {}", place())))?;
            widest = seen.radius.iter().copied().fold(widest, f64::max);
            compare(&network.domain.decode, &seen, &said, &atoms, &mut found)
                .map_err(|reason| Refused::Fails(format!("{reason} {}", place())))?;
        }
        left = net.left();
    }
    // The same bound holds for both arithmetics, so they differ by no more than twice.
    Ok((found, 2.0 * widest))
}

/// What is followed of a network.
struct Subject {
    graph: Arc<Graph>,
    output: NodeId,
    bos: usize,
    longest: usize,
    /// Token ids that inputs hold, and what a program sees of them.
    tokens: Vec<usize>,
    column: Column,
    matrices: FxHashMap<(NodeId, &'static str), Matrix>,
}

impl Subject {
    fn new(network: &Network) -> Result<Self, Refused> {
        let Elements::Tokens { bos: Some(bos), .. } = network.domain.elements else {
            return Err(Refused::Unsupported("inputs that are no tokens after BOS"));
        };
        let longest = crate::longest_length(&network.domain);
        if longest > MAX_LENGTH {
            return Err(Refused::Unsupported("sequences that are too long"));
        }
        let graph = network.graph(longest);
        let output = graph.find("output").ok_or(Refused::Unsupported("no output"))?;
        let alphabet = network.domain.alphabet();
        let tokens: Vec<usize> = alphabet
            .iter()
            .map(|&token| usize::try_from(token))
            .collect::<Result<_, _>>()
            .map_err(|_| Refused::Shape("a token below 0"))?;
        let batch = samples::Batch::from_sequences(1, [&alphabet]);
        let columns = network.domain.columns(&batch);
        let column = columns.into_iter().find(|(name, _)| name.as_str() == "tokens").map(|(_, column)| column);
        let column = column.ok_or(Refused::Shape("inputs without tokens"))?;
        let mut matrices = FxHashMap::default();
        for id in graph.nodes() {
            for (name, _) in graph.op(id).parameters() {
                let matrix = graph.op(id).matrix(name).map_err(|error| Refused::Fails(error.to_string()))?;
                let matrix = matrix.ok_or(Refused::Shape("a parameter that is missing"))?;
                if matrix.data.iter().any(|number| !number.is_finite()) {
                    return Err(Refused::Unsupported("numbers that are not finite"));
                }
                matrices.insert((id, name), matrix);
            }
        }
        Ok(Self { graph, output, bos, longest, tokens, column, matrices })
    }

    fn net(&self, length: usize, single: bool, left: f64) -> Net<'_> {
        Net::new(&self.graph, (length + 1, self.bos), &self.tokens, single, &self.matrices, left)
    }
}

/// Whether outputs are read as what the program says, for all combinations of what either depends on.
fn compare(
    decode: &Decode,
    seen: &Values,
    said: &Codes,
    atoms: &Atoms,
    found: &mut Classes,
) -> Result<(), &'static str> {
    let all = union([&seen.atoms[..], &said.table.atoms[..]]);
    atoms.cells(&all).ok_or("the output depends on too much")?;
    let (outputs, codes) = (atoms.places(&all, &seen.atoms), atoms.places(&all, &said.table.atoms));
    for (output, code) in outputs.into_iter().zip(codes) {
        let (center, radius) = seen.cell(output);
        let program = decode_code(said.sort, said.table.cells[code]);
        let margin = match decode {
            Decode::Number => {
                let ([c], [r]) = (center, radius) else { return Err("the output is no number") };
                let value = program.as_f64().ok_or("the program has no value")?;
                Decode::NUMBER * (1.0 - 1e-6) - (c - value).abs() - r
            }
            Decode::Argmax(values) => {
                let stands = |class: usize| values.get(class).is_some_and(|&value| agrees(decode, value, program));
                // No other class may lead: another output is larger, or so close that neither is read.
                let other = |class: usize| {
                    let behind = |by: usize| (center[by] - radius[by]) - (center[class] + radius[class]);
                    let most =
                        (0..center.len()).filter(|&by| by != class).map(behind).fold(f64::NEG_INFINITY, f64::max);
                    most + Decode::TIE * 0.99
                };
                (0..center.len()).filter(|&class| !stands(class)).map(other).fold(f64::INFINITY, f64::min)
            }
            _ => return Err("the output is neither a number nor a class"),
        };
        if margin.is_nan() || margin <= 0.0 {
            return Err("an output may be another than the program's");
        }
        found.margin = found.margin.min(margin);
        found.cells += 1;
    }
    Ok(())
}
