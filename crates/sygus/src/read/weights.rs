//! Weights: `declare-weight`, `(_ w f)` in constraints, `optimize-synth`.

use dsl::sexpr::{Kind, Sexpr};
use samples::Symbol;

use crate::problem::{WeightBound, WeightSum};

use super::Reader;

/// `(declare-weight NAME :default N)`.
pub(super) fn declare(reader: &mut Reader<'_>, item: &Sexpr, rest: &[Sexpr]) {
    let expected = "(declare-weight NAME), perhaps with :default N";
    let Some((name, attributes)) = rest.split_first().and_then(|(name, rest)| Some((name.symbol()?, rest))) else {
        return reader.report(item.span, "a weight has a name", expected);
    };
    if !reader.problem.functions.is_empty() {
        return reader.report(item.span, "a weight is declared before functions to find", "another order");
    }
    if reader.declared_weight.is_some() {
        return reader.report(item.span, "a second weight: only one is supported", "one declare-weight");
    }
    let default = match attributes {
        [] => Some(0),
        [key, Sexpr { kind: Kind::Int(value), .. }] if key.keyword() == Some("default") => u32::try_from(*value).ok(),
        _ => None,
    };
    let Some(default) = default else { return reader.report(item.span, "not the attributes of a weight", expected) };
    reader.weights.insert(name.to_owned(), default);
    reader.declared_weight = Some(name.to_owned());
}

/// `(<= (_ w f) N)` and its like; `None` if the formula is another one.
pub(super) fn bound(reader: &Reader<'_>, formula: &Sexpr) -> Option<WeightBound> {
    let [head, left, right] = formula.list()? else { return None };
    let (relation, symbol, number) = match (head.symbol()?, &left.kind, &right.kind) {
        (relation, _, Kind::Int(number)) => (relation, left, *number),
        (">=", Kind::Int(number), _) => ("<=", right, *number),
        (">", Kind::Int(number), _) => ("<", right, *number),
        _ => return None,
    };
    let function = weight_symbol(reader, symbol)?;
    let most = match relation {
        "<=" => number,
        "<" => number - 1,
        _ => return None,
    };
    u32::try_from(most).ok().map(|most| WeightBound { function, most })
}

/// The function of `(_ w f)`.
fn weight_symbol(reader: &Reader<'_>, item: &Sexpr) -> Option<usize> {
    let [underscore, weight, function] = item.list()? else { return None };
    let known = underscore.symbol() == Some("_") && reader.weights.contains_key(weight.symbol()?);
    let name = Symbol::new(function.symbol()?);
    known.then(|| reader.problem.functions.iter().position(|own| own.name == name)).flatten()
}

/// The terms of `(optimize-synth (TERM ...) :min ...)`.
pub(super) fn objective(reader: &mut Reader<'_>, item: &Sexpr, rest: &[Sexpr]) -> Option<Vec<WeightSum>> {
    let expected = "(optimize-synth (SUM) :min) with a sum of weights (_ w f) and numbers";
    let Some(([term], attributes)) = rest.split_first().and_then(|(terms, rest)| Some((terms.list()?, rest))) else {
        reader.report(item.span, "not an objective that is supported", expected);
        return None;
    };
    let mut sum = WeightSum { weights: Vec::new(), constant: 0 };
    if !add(reader, unmarked(term), 1, &mut sum) || sum.weights.iter().any(|(_, factor)| *factor != 1) {
        reader.report(term.span, "an objective is a sum of weights to be least", expected);
        return None;
    }
    if let Some(other) = attributes.iter().find(|key| !matches!(key.keyword(), Some("min" | "lexico"))) {
        reader.report(other.span, "not an attribute that is supported", expected);
        return None;
    }
    Some(vec![sum])
}

/// The term of `(! TERM :min)`.
fn unmarked(item: &Sexpr) -> &Sexpr {
    match item.list() {
        Some([bang, term, key]) if bang.symbol() == Some("!") && key.keyword() == Some("min") => term,
        _ => item,
    }
}

/// Adds a term, times a factor, to a sum; false if it is none of weights.
fn add(reader: &Reader<'_>, item: &Sexpr, factor: i64, sum: &mut WeightSum) -> bool {
    if let Some(function) = weight_symbol(reader, item) {
        sum.weights.push((function, factor));
        return true;
    }
    match &item.kind {
        Kind::Int(value) => {
            sum.constant = sum.constant.saturating_add(value.saturating_mul(factor));
            true
        }
        Kind::List(items) => match items.as_slice() {
            [plus, rest @ ..] if plus.symbol() == Some("+") => rest.iter().all(|part| add(reader, part, factor, sum)),
            _ => false,
        },
        _ => false,
    }
}
