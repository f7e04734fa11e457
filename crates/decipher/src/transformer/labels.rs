//! Values for classes: what a variable's classes are called in a program.
//!
//! Tokens, indices, counts and means have values of their own, and copies those of what they copy. The classes of a
//! finite function have none. They take those that its reader wants (the output's values, the numbers that are
//! averaged), so that the reader needs no table of its own, else numbers from 0.

use rustc_hash::FxHashSet;
use samples::{Domain, Elements, Sort, Value, encode_value};

use super::variables::{Dag, Origin, VarId};

/// The classes' values, for every variable.
pub(super) type Labels = Vec<Vec<Value>>;

/// For every variable, whether its values are numbers without a meaning, that any others may replace.
pub(super) type Free = Vec<bool>;

/// Who reads a variable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Use {
    /// The output.
    Readout,
    /// A head, as key or query.
    Select,
    /// A head, as what it copies or averages.
    Value(VarId),
    /// A finite function.
    Map(VarId),
}

/// The readers of every variable, among those needed.
pub(super) fn uses(dag: &Dag) -> Vec<Vec<Use>> {
    let mut uses = vec![Vec::new(); dag.variables.len()];
    for &input in &dag.readout.inputs {
        uses[input].push(Use::Readout);
    }
    let needed = dag.needed();
    for (id, variable) in dag.variables.iter().enumerate().filter(|(id, _)| needed[*id]) {
        match &variable.origin {
            Origin::Token | Origin::Position => {}
            Origin::Map { inputs, .. } => inputs.iter().for_each(|&input| uses[input].push(Use::Map(id))),
            Origin::Width { select, .. } => {
                select.key.into_iter().chain(select.query).for_each(|v| uses[v].push(Use::Select))
            }
            Origin::Copy { select, value } | Origin::Mean { select, value, .. } => {
                select.key.into_iter().chain(select.query).for_each(|v| uses[v].push(Use::Select));
                uses[*value].push(Use::Value(id));
            }
        }
    }
    uses
}

/// Values for all classes.
pub(super) fn labels(dag: &Dag, domain: &Domain) -> (Labels, Free) {
    let uses = uses(dag);
    let mut wanted: Vec<Option<Vec<Value>>> = vec![None; dag.variables.len()];
    if let [input] = dag.readout.inputs[..] {
        let value = |class: usize| dag.readout.table.get(&vec![class as u32]).copied().unwrap_or(Value::Undefined);
        wanted[input] = Some((0..dag.variables[input].n_classes()).map(value).collect());
    }
    for id in (0..dag.variables.len()).rev() {
        match &dag.variables[id].origin {
            Origin::Copy { value, .. } => {
                if let Some(values) = wanted[id].clone()
                    && let Some((Value::Undefined, values)) = values.split_last()
                {
                    wanted[*value] = Some(values.to_vec());
                }
            }
            Origin::Mean { value, numbers, .. } => {
                wanted[*value] = Some(numbers.iter().map(|&n| number(n)).collect());
            }
            _ => {}
        }
    }
    let mut labels: Labels = Vec::with_capacity(dag.variables.len());
    let mut free = vec![false; dag.variables.len()];
    for (id, variable) in dag.variables.iter().enumerate() {
        let n = variable.n_classes();
        labels.push(match &variable.origin {
            Origin::Token => tokens(domain),
            Origin::Position => (0..n as i64).map(Value::Int).collect(),
            Origin::Width { exists: true, .. } => vec![Value::Bool(false), Value::Bool(true)],
            Origin::Width { .. } => (0..n as i64).map(Value::Int).collect(),
            Origin::Copy { value, .. } => {
                let mut values = labels[*value].clone();
                values.push(Value::Undefined);
                values
            }
            Origin::Mean { means, .. } => means.iter().map(|&m| Value::Real(m)).collect(),
            Origin::Map { .. } => match wanted[id].take() {
                Some(values) if uses[id].len() < 2 || all_differ(&values) => values,
                _ => {
                    free[id] = true;
                    (0..n as i64).map(Value::Int).collect()
                }
            },
        });
        let sort = sort_of_values(&labels[id]);
        for value in &mut labels[id] {
            if let (Value::Int(i), Sort::Real) = (*value, sort) {
                *value = Value::Real(i as f64);
            }
        }
    }
    (labels, free)
}

/// A number as the simplest value that it is.
pub(super) fn number(n: f64) -> Value {
    if (n - n.round()).abs() < 1e-9 { Value::Int(n.round() as i64) } else { Value::Real(n) }
}

/// The sort of a list of values: that of the first that is defined, `Real` if it holds reals beside integers.
pub(super) fn sort_of_values(values: &[Value]) -> Sort {
    if values.iter().any(|v| matches!(v, Value::Real(_))) {
        return Sort::Real;
    }
    values.iter().find_map(|value| value.sort()).unwrap_or(Sort::Int)
}

/// Whether no two values are equal and none is undefined.
fn all_differ(values: &[Value]) -> bool {
    let mut seen = FxHashSet::default();
    values.iter().all(|&value| value != Value::Undefined && seen.insert(encode_value(value)))
}

fn tokens(domain: &Domain) -> Vec<Value> {
    let Elements::Tokens { vocab, .. } = &domain.elements else { return Vec::new() };
    domain.alphabet().iter().filter_map(|&id| usize::try_from(id).ok().and_then(|id| vocab.get(id))).copied().collect()
}
