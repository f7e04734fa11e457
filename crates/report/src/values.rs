//! Values and inputs as JSON.

use samples::{Batch, Domain, Elements, Value};
use serde_json::Value as Json;

/// A value as it stands in task.json: numbers, truth values, strings; `null` where it is undefined.
pub fn value_json(value: Value) -> Json {
    match value {
        Value::Undefined => Json::Null,
        Value::Bool(b) => b.into(),
        Value::Int(i) => i.into(),
        Value::BitVec { bits, .. } => bits.into(),
        Value::Real(r) => r.into(),
        Value::Symbol(s) => match s.as_str().strip_prefix("#json:") {
            Some(text) => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
            None => s.as_str().into(),
        },
        Value::Enum(_, s) => s.as_str().into(),
    }
}

/// One sequence of a batch as the list that `program.py` and `ventris run` take.
pub fn input_json(domain: &Domain, batch: &Batch, row: usize) -> Json {
    let sequence = batch.sequence(row);
    match &domain.elements {
        Elements::Integers { dim: 1, .. } => sequence.to_vec().into(),
        Elements::Integers { dim, .. } => sequence.chunks(*dim).map(|element| Json::from(element.to_vec())).collect(),
        Elements::Tokens { vocab, .. } | Elements::Recorded { vocab, .. } => {
            let token = |&id: &i64| usize::try_from(id).ok().and_then(|id| vocab.get(id)).copied();
            sequence.iter().map(|id| token(id).map_or(Json::Null, value_json)).collect()
        }
    }
}

/// A measured number without digits that mean nothing.
pub(crate) fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    format!("{value:.6e}").parse().unwrap_or(value)
}
