//! What was read from a network, for people: its variables, what tells their values apart, whom its heads select.

use std::fmt::Write as _;

use super::Reading;
use super::trace::Mat;
use super::variables::{Origin, Select, VarId, Variable};
use crate::{Config, Error};

/// Selections of more keys or queries are not drawn.
const DRAWN: usize = 24;

/// Values of a line of numbers that are shown.
const SHOWN: usize = 12;

/// The components that reach the output and the variables that they carry, in causal order.
///
/// For every variable: how many different vectors its component writes and how many dimensions they span; where they lie
/// on a line, at which places; what it is computed from; and, for a head, a picture of what it selects, one row for each
/// class of the query and one column for each class of the key.
///
/// # Errors
/// Where the network cannot be run, or has no reading of this kind.
pub fn describe(network: &graph::Network, config: &Config) -> Result<String, Error> {
    let batch = network.domain.sample(super::SEQUENCES, &mut samples::rng(config.seed, "transformer: structure"));
    let wiring = super::Wiring::of(network).map_err(Error::Unsupported)?;
    let reading = Reading::of(network, &wiring, &batch).map_err(Error::Unsupported)?;
    let needed = reading.dag.needed();
    let mut text = String::new();
    for id in (0..needed.len()).filter(|&id| needed[id]) {
        paragraph(&mut text, &reading, id);
    }
    let inputs: Vec<String> = reading.dag.readout.inputs.iter().map(|id| format!("v{id}")).collect();
    let _ = writeln!(text, "output: a function of {}", inputs.join(", "));
    Ok(text)
}

fn paragraph(text: &mut String, reading: &Reading, id: VarId) {
    let variable = &reading.dag.variables[id];
    let names: Vec<&str> = variable.writers().map(|writer| reading.wiring.writers[writer].name.as_str()).collect();
    let carrier = if names.is_empty() { "what a reader combines".to_owned() } else { names.join(" + ") };
    let _ = writeln!(text, "v{id}, {carrier}: {}", kind(variable));
    let rank = rank(&variable.codes);
    let _ =
        writeln!(text, "    {} different vectors in {rank} dimensions{}", variable.n_classes(), places(variable, rank));
    if let Origin::Width { select, .. } | Origin::Copy { select, .. } | Origin::Mean { select, .. } = &variable.origin {
        picture(text, select);
    }
}

fn kind(variable: &Variable) -> String {
    let side = |id: &Option<VarId>| id.map_or("all alike".to_owned(), |id| format!("v{id}"));
    let sides = |select: &Select| format!("keys by {}, queries by {}", side(&select.key), side(&select.query));
    match &variable.origin {
        Origin::Token => "the token".to_owned(),
        Origin::Position => "the index".to_owned(),
        Origin::Width { select, exists: false } => format!("how many are selected, {}", sides(select)),
        Origin::Width { select, exists: true } => format!("whether any is selected, {}", sides(select)),
        Origin::Copy { select, value } => format!("v{value} of the one selected, {}", sides(select)),
        Origin::Mean { select, value, .. } => format!("mean over those selected of v{value}, {}", sides(select)),
        Origin::Map { inputs, table } => {
            let inputs: Vec<String> = inputs.iter().map(|id| format!("v{id}")).collect();
            format!("a function of {}, {} combinations", inputs.join(" and "), table.len())
        }
    }
}

fn rank(codes: &Mat) -> usize {
    let values = codes.clone().svd(false, false).singular_values;
    let largest = values.iter().copied().fold(0.0, f64::max);
    values.iter().filter(|&&value| value > 1e-3 * largest).count()
}

/// Where vectors on a line lie, the first one at 1 and the limit of a count at 0, if it is that; else from 0 to 1.
fn places(variable: &Variable, rank: usize) -> String {
    if rank != 1 {
        return String::new();
    }
    let (first, last) = (variable.codes.column(0), variable.codes.column(variable.n_classes() - 1));
    let direction = first - last;
    let size = direction.norm_squared().max(1e-12);
    let along = |class: usize| (variable.codes.column(class) - last).dot(&direction) / size;
    // A count of n leaves 1/(1+n) of the attention to BOS.
    let end = match &variable.origin {
        Origin::Width { exists: false, .. } => 1.0 / variable.n_classes() as f64,
        _ => 0.0,
    };
    let shown = (0..variable.n_classes().min(SHOWN)).map(|class| format!("{:.3}", end + (1.0 - end) * along(class)));
    format!(", on a line at {}", shown.collect::<Vec<_>>().join(" "))
}

fn picture(text: &mut String, select: &Select) {
    let n_keys = select.table.first().map_or(0, Vec::len);
    if select.is_plain() {
        let which = if select.table.iter().flatten().any(|&chosen| chosen) { "all" } else { "none" };
        let _ = writeln!(text, "    selects {which}{}", if select.causal { " so far" } else { "" });
        return;
    }
    if n_keys > DRAWN || select.table.len() > DRAWN {
        return;
    }
    for row in &select.table {
        let row: Vec<&str> = row.iter().map(|&chosen| if chosen { "#" } else { "." }).collect();
        let _ = writeln!(text, "    {}", row.join(" "));
    }
}
