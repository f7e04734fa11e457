//! Weights: `declare-weight`, `(_ w f)` in constraints, `optimize-synth`.
//!
//! Where the standard (SyGuS-IF 2.1, arXiv 2312.06001) leaves open what terms to optimise may be and what attributes there
//! are, these are read: linear sums of weights, each to be least (`:min`, also the default) or greatest (`:max`), several in
//! the order in which they matter (`:lexico`).

use dsl::sexpr::{Kind, Sexpr};
use samples::Symbol;

use crate::problem::{Objective, Weight, WeightBound, WeightSum};

use super::Reader;

/// Weight attributes that a file may have.
const WEIGHT_LIMIT: usize = 16;

/// `(declare-weight NAME :default N)`.
pub(super) fn declare(reader: &mut Reader<'_>, item: &Sexpr, rest: &[Sexpr]) {
    let expected = "(declare-weight NAME), perhaps with :default N";
    let Some((name, attributes)) = rest.split_first().and_then(|(name, rest)| Some((name.symbol()?, rest))) else {
        return reader.report(item.span, "a weight has a name", expected);
    };
    if !reader.problem.functions.is_empty() {
        return reader.report(item.span, "a weight is declared before functions to find", "another order");
    }
    if reader.attribute(name).is_some() || reader.problem.weights.len() >= WEIGHT_LIMIT {
        return reader.report(item.span, format!("the weight {name} is there already"), "another name, at most 16");
    }
    let default = match attributes {
        [] => Some(0),
        [key, Sexpr { kind: Kind::Int(value), .. }] if key.keyword() == Some("default") => u32::try_from(*value).ok(),
        _ => None,
    };
    let Some(default) = default else { return reader.report(item.span, "not the attributes of a weight", expected) };
    reader.problem.weights.push(Symbol::new(name));
    reader.default_weights.push(default);
}

/// A comparison of sums of weights that bounds them: `(<= (_ w f) N)` and its like. `None` if the formula mentions no
/// weight; else the bound, or nothing with a report where it is none.
pub(super) fn bound(reader: &mut Reader<'_>, formula: &Sexpr) -> Option<Option<WeightBound>> {
    if !mentions_weight(reader, formula) {
        return None;
    }
    let bound = read_bound(reader, formula);
    if bound.is_none() {
        let expected = "(<= SUM SUM), such that weights have positive factors where they are bounded";
        reader.report(formula.span, "weights are bounded from above only", expected);
    }
    Some(bound)
}

fn mentions_weight(reader: &Reader<'_>, item: &Sexpr) -> bool {
    weight(reader, item).is_some()
        || item.list().is_some_and(|items| items.iter().any(|own| mentions_weight(reader, own)))
}

fn read_bound(reader: &Reader<'_>, formula: &Sexpr) -> Option<WeightBound> {
    let [head, left, right] = formula.list()? else { return None };
    let (left, right) = (linear(reader, left)?, linear(reader, right)?);
    let (small, great, strict) = match head.symbol()? {
        "<=" => (left, right, 0),
        "<" => (left, right, 1),
        ">=" => (right, left, 0),
        ">" => (right, left, 1),
        _ => return None,
    };
    let mut sum = small.plus(&great, -1)?;
    let most = sum.constant.checked_neg()?.checked_sub(strict)?;
    sum.constant = 0;
    sum.weights.iter().all(|(_, factor)| *factor > 0).then_some(WeightBound { sum, most })
}

/// The weight that `(_ w f)` is.
fn weight(reader: &Reader<'_>, item: &Sexpr) -> Option<Weight> {
    let [underscore, attribute, function] = item.list()? else { return None };
    if underscore.symbol() != Some("_") {
        return None;
    }
    let attribute = reader.attribute(attribute.symbol()?)?;
    let name = Symbol::new(function.symbol()?);
    let function = reader.problem.functions.iter().position(|own| own.name == name)?;
    Some(Weight { attribute, function })
}

/// `(optimize-synth (SUM ...) :lexico)`, each sum as it is or as `(! SUM :min)`.
pub(super) fn objective(reader: &mut Reader<'_>, item: &Sexpr, rest: &[Sexpr]) -> Option<Objective> {
    let expected =
        "(optimize-synth (SUM ...)) with sums of weights (_ w f) and numbers, perhaps :min, :max, :lexico, :pareto";
    let terms = rest.split_first().and_then(|(terms, rest)| Some((terms.list()?, rest)));
    let Some((terms, attributes)) = terms.filter(|(terms, _)| !terms.is_empty()) else {
        reader.report(item.span, "not an objective that is supported", expected);
        return None;
    };
    let mut is_greatest = false;
    for key in attributes {
        match key.keyword() {
            // What is best in order is on the Pareto front: a solution that is better in one sum is worse in an earlier one.
            Some("min" | "lexico" | "pareto") => {}
            Some("max") => is_greatest = true,
            _ => {
                reader.report(key.span, "not an attribute that is supported", expected);
                return None;
            }
        }
    }
    let mut objective = Objective { terms: Vec::new(), targets: Vec::new() };
    for term in terms {
        let (own, is_greatest) = directed(term, is_greatest);
        let Some(sum) = linear(reader, own) else {
            reader.report(term.span, "an objective is a sum of weights, times whole numbers", expected);
            return None;
        };
        let target = WeightSum::default().plus(&sum, if is_greatest { -1 } else { 1 });
        match target.filter(|target| target.weights.iter().all(|(_, factor)| *factor > 0)) {
            Some(target) => objective.targets.push(WeightSum { constant: 0, ..target }),
            None => {
                // There need not be a heaviest solution, and a search for small ones does not come to it.
                reader.report(term.span, "weights can be made small, not great", expected);
                return None;
            }
        }
        objective.terms.push(sum);
    }
    Some(objective)
}

/// The term of `(! TERM :min)`, and whether it is to be greatest.
fn directed(item: &Sexpr, is_greatest: bool) -> (&Sexpr, bool) {
    match item.list() {
        Some([bang, term, key]) if bang.symbol() == Some("!") => match key.keyword() {
            Some("min") => (term, false),
            Some("max") => (term, true),
            _ => (item, is_greatest),
        },
        _ => (item, is_greatest),
    }
}

/// A linear sum of weights; `None` if a term is none, or leaves 64 bits.
fn linear(reader: &Reader<'_>, item: &Sexpr) -> Option<WeightSum> {
    if let Some(weight) = weight(reader, item) {
        return Some(WeightSum { weights: vec![(weight, 1)], constant: 0 });
    }
    if let Kind::Int(constant) = item.kind {
        return Some(WeightSum { weights: Vec::new(), constant });
    }
    let (head, rest) = item.list()?.split_first()?;
    let parts: Vec<WeightSum> = rest.iter().map(|part| linear(reader, part)).collect::<Option<_>>()?;
    let (first, others) = parts.split_first()?;
    match (head.symbol()?, others) {
        ("+", _) => others.iter().try_fold(first.clone(), |sum, part| sum.plus(part, 1)),
        ("-", []) => WeightSum::default().plus(first, -1),
        ("-", _) => others.iter().try_fold(first.clone(), |sum, part| sum.plus(part, -1)),
        ("*", _) => others.iter().try_fold(first.clone(), |product, part| match (&product, part) {
            (factor, sum) | (sum, factor) if factor.weights.is_empty() => {
                WeightSum::default().plus(sum, factor.constant)
            }
            _ => None,
        }),
        _ => None,
    }
}

impl WeightSum {
    /// This and another one, times a factor.
    fn plus(mut self, other: &Self, by: i64) -> Option<Self> {
        for (weight, factor) in &other.weights {
            let factor = factor.checked_mul(by)?;
            match self.weights.iter_mut().find(|(own, _)| own == weight) {
                Some((_, known)) => *known = known.checked_add(factor)?,
                None => self.weights.push((*weight, factor)),
            }
        }
        self.weights.retain(|(_, factor)| *factor != 0);
        self.constant = self.constant.checked_add(other.constant.checked_mul(by)?)?;
        Some(self)
    }
}
