//! From a hardened trace to the graph of variables, component by component in causal order.
//!
//! Samples only say what is read at all, what is constant and which tuples occur; what a table answers comes from the
//! weights, so that combinations no sample shows are right too.

use nalgebra::DVector;
use rustc_hash::FxHashMap;
use samples::{Decode, Domain, Value};

use super::heads::Build;
use super::live::{Live, SlotViews, varying};
use super::tolerance::Tolerance;
use super::trace::{Layout, Mat, Trace};
use super::variables::{Dag, Origin, Readout, VarId, cluster};
use super::wiring::{Mlp, Part, Wiring};

/// Builds the variables of everything live.
///
/// # Errors
/// What a component does that has no reading, in words.
pub(super) fn dag(
    wiring: &Wiring,
    trace: &Trace,
    layout: &Layout,
    live: &Live,
    domain: &Domain,
    tolerance: Tolerance,
) -> Result<Dag, String> {
    let n = wiring.writers.len();
    let mut start = 0;
    let sequences = layout
        .sequences
        .iter()
        .map(|rows| {
            let n = rows.len() - usize::from(!layout.bos_rows.is_empty());
            start += n;
            start - n..start
        })
        .collect();
    let mut build = Build {
        variables: Vec::new(),
        of_writer: vec![Vec::new(); n],
        means: (0..n).map(|writer| trace.mean(writer, &layout.point_rows)).collect(),
        bos: (0..n).map(|writer| trace.mean(writer, &layout.bos_rows)).collect(),
        sequences,
        n_points: layout.point_rows.len(),
        max_length: domain.length.1,
        tolerance,
    };
    for writer in 0..n {
        let Some(view) = &live.views[writer] else { continue };
        match (&wiring.writers[writer].part, &live.slots[writer]) {
            (Part::Tokens(table), _) => tokens(&mut build, writer, table, layout, domain),
            (Part::Positions(table), _) => positions(&mut build, writer, table, layout, domain),
            (Part::Head(head), SlotViews::Head { q, k, v }) => {
                build.head(writer, head, (q, k, v)).map_err(|why| format!("{}: {why}", wiring.writers[writer].name))?
            }
            (Part::Mlp(mlp), SlotViews::Hidden { units, view: hidden }) => {
                layer(&mut build, writer, mlp, units, hidden, view)
            }
            _ => {}
        }
    }
    let readout = readout(&build, wiring, &live.readout, &domain.decode);
    Ok(Dag { variables: build.variables, readout, sequences: build.sequences })
}

fn tokens(build: &mut Build, writer: usize, table: &Mat, layout: &Layout, domain: &Domain) {
    let alphabet: Vec<usize> = domain.alphabet().iter().filter_map(|&id| usize::try_from(id).ok()).collect();
    let place: FxHashMap<usize, u32> = alphabet.iter().enumerate().map(|(at, &id)| (id, at as u32)).collect();
    let classes = layout.point_rows.iter().map(|&row| place.get(&layout.tokens[row]).copied().unwrap_or(0)).collect();
    build.push(writer, Origin::Token, table.select_columns(&alphabet), classes);
}

fn positions(build: &mut Build, writer: usize, table: &Mat, layout: &Layout, domain: &Domain) {
    let first = usize::from(!layout.bos_rows.is_empty());
    let columns: Vec<usize> = (first..(first + domain.length.1).min(table.ncols())).collect();
    let classes = layout.point_rows.iter().map(|&row| (layout.positions[row] - first) as u32).collect();
    build.push(writer, Origin::Position, table.select_columns(&columns), classes);
}

/// The variables of a hidden layer: its units grouped by what they read.
fn layer(build: &mut Build, writer: usize, mlp: &Mlp, units: &[usize], hidden: &Mat, view: &Mat) {
    let mut reads: Vec<Vec<VarId>> = vec![Vec::new(); units.len()];
    for id in build.carried(&mlp.hidden.reads) {
        let codes = build.variables[id].codes_in(&mlp.hidden.reads);
        for unit in varying(hidden, &codes, None, build.tolerance.read()) {
            reads[unit].push(id);
        }
    }
    let mut atoms: Vec<(Vec<VarId>, Vec<usize>)> = Vec::new();
    for (at, read) in reads.into_iter().enumerate() {
        if read.is_empty() {
            continue;
        }
        match atoms.iter_mut().find(|(inputs, _)| *inputs == read) {
            Some((_, members)) => members.push(units[at]),
            None => atoms.push((read, vec![units[at]])),
        }
    }
    let base = &mlp.hidden.weight * build.base(&mlp.hidden.reads, false) + &mlp.hidden.bias;
    for (inputs, members) in atoms {
        atom(build, writer, mlp, &base, inputs, &members, view);
    }
}

/// One variable: what the units `members`, which read `inputs`, add to the stream.
fn atom(
    build: &mut Build,
    writer: usize,
    mlp: &Mlp,
    base: &DVector<f64>,
    inputs: Vec<VarId>,
    members: &[usize],
    view: &Mat,
) {
    let tuples = build.tuples(&inputs);
    let own = restricted(mlp, members);
    let weight = mlp.hidden.weight.select_rows(members);
    let contributions: Vec<Mat> =
        inputs.iter().map(|&id| &weight * build.variables[id].codes_in(&mlp.hidden.reads)).collect();
    let base = base.select_rows(members);
    let mut pre = Mat::zeros(members.len(), tuples.len());
    for (at, tuple) in tuples.iter().enumerate() {
        let mut sum = base.clone();
        for (part, &class) in contributions.iter().zip(tuple) {
            sum += part.column(class as usize);
        }
        pre.set_column(at, &sum);
    }
    own.activate(&mut pre);
    let codes = &own.out * pre;
    let (groups, leaders) = cluster(&codes, view, build.tolerance.equal());
    if leaders.len() < 2 {
        return;
    }
    let table: FxHashMap<Vec<u32>, u32> = tuples.into_iter().zip(groups).collect();
    let classes = build.look_up(&inputs, &table);
    build.push(writer, Origin::Map { inputs, table }, codes.select_columns(&leaders), classes);
}

/// A layer with only some of its units, renumbered.
fn restricted(mlp: &Mlp, members: &[usize]) -> Mlp {
    let place = |unit: usize| members.iter().position(|&member| member == unit);
    let steps = mlp.steps.iter().filter_map(|step| {
        let (lead, other) = (place(step.lead)?, place(step.other)?);
        Some(super::wiring::Step { lead, other, ..step.clone() })
    });
    Mlp {
        hidden: mlp.hidden.clone(),
        out: mlp.out.select_columns(members),
        bias: mlp.bias.clone(),
        steps: steps.collect(),
    }
}

fn readout(build: &Build, wiring: &Wiring, view: &Mat, decode: &Decode) -> Readout {
    let slot = &wiring.readout;
    let inputs = build.read(&slot.reads, view);
    let tuples = build.tuples(&inputs);
    let base = &slot.weight * build.base(&slot.reads, false) + &slot.bias;
    let parts: Vec<Mat> = inputs.iter().map(|&id| &slot.weight * build.variables[id].codes_in(&slot.reads)).collect();
    let table = tuples
        .into_iter()
        .map(|tuple| {
            let mut logits = base.clone();
            for (part, &class) in parts.iter().zip(&tuple) {
                logits += part.column(class as usize);
            }
            let value = decoded(logits.as_slice(), decode);
            (tuple, value)
        })
        .collect();
    Readout { inputs, table }
}

/// What the variables say the outputs of the samples are.
pub(super) fn outputs_of(dag: &Dag) -> Vec<Value> {
    let readout = &dag.readout;
    let n_points = dag.sequences.last().map_or(0, |range| range.end);
    let mut tuple = vec![0; readout.inputs.len()];
    (0..n_points)
        .map(|point| {
            for (place, &id) in readout.inputs.iter().enumerate() {
                tuple[place] = dag.variables[id].classes[point];
            }
            readout.table.get(&tuple).copied().unwrap_or(Value::Undefined)
        })
        .collect()
}

/// The value that raw outputs stand for.
pub(super) fn decoded(raw: &[f64], decode: &Decode) -> Value {
    let best = || {
        let at = (0..raw.len()).max_by(|&a, &b| raw[a].total_cmp(&raw[b]).then(b.cmp(&a)))?;
        let tied = raw.iter().enumerate().any(|(other, &v)| other != at && raw[at] - v < Decode::TIE);
        (!tied).then_some(at)
    };
    match decode {
        Decode::Number => raw.first().map_or(Value::Undefined, |&v| Value::Real(neat(v))),
        Decode::Round => raw.first().map_or(Value::Undefined, |&v| Value::Int(v.round() as i64)),
        Decode::Argmax(values) => best().and_then(|at| values.get(at)).copied().unwrap_or(Value::Undefined),
        Decode::NextToken | Decode::LegalTokens => Value::Undefined,
    }
}

/// A number without the noise of float arithmetic.
pub(super) fn neat(v: f64) -> f64 {
    let whole = v.round();
    if (v - whole).abs() < 1e-3 { whole + 0.0 } else { (v * 1e5).round() / 1e5 }
}

/// The decoded output for the samples of a trace.
pub(super) fn outputs(trace: &Trace, layout: &Layout, decode: &Decode) -> Vec<Value> {
    layout.point_rows.iter().map(|&row| decoded(trace.output.column(row).as_slice(), decode)).collect()
}
