//! Parts of definitions: parameters, facts, and the checks of what is defined.

use samples::{Sort, Symbol, Value};

use crate::diagnostic::Span;
use crate::infer::{Infer, Ty, infer_rule};
use crate::kernel::Kernel;
use crate::language::{Facts, Language, SortPattern};
use crate::sexpr::{Kind, Sexpr};
use crate::term::{Func, Term};

use super::term::TermParser;

/// Different sorts that may be chosen for one operator or rule: whoever checks them tries all.
const SORT_VARIABLE_LIMIT: usize = 5;

/// `:key value ...` after the positional parts of a form.
pub(super) struct Attributes<'s> {
    pub(super) entries: Vec<(&'s str, Span, &'s [Sexpr])>,
}

impl<'s> Attributes<'s> {
    pub(super) fn get(&self, key: &str) -> Option<&'s [Sexpr]> {
        self.entries.iter().find(|(own, _, _)| *own == key).map(|(_, _, values)| *values)
    }
}

/// Integers that a range may hold: whoever checks them runs through all.
const RANGE_LIMIT: i64 = 10_000;

/// What is wrong with a range.
#[derive(Clone, Copy)]
pub(super) enum RangeProblem {
    /// It has not two integers.
    Shape,
    /// The first is above the second.
    Empty(i64, i64),
    /// There are too many between them.
    Long,
}

impl RangeProblem {
    pub(super) fn report(self, parser: &mut TermParser<'_>, span: Span) {
        let (message, expected) = match self {
            Self::Shape => ("this is no range", "(range LOW HIGH), two integers".to_owned()),
            Self::Empty(low, high) => {
                ("a range that holds nothing", format!("the lower end first: (range {high} {low})"))
            }
            Self::Long => {
                ("a range of too many integers", format!("at most {RANGE_LIMIT}; or Int, with the ends in a condition"))
            }
        };
        parser.report(span, message).expected = Some(expected);
    }
}

/// `(range LOW HIGH)`: `None` if it is something else.
pub(super) fn range(item: &Sexpr) -> Option<Result<(i64, i64), RangeProblem>> {
    let list = item.list().filter(|list| list.first().and_then(Sexpr::symbol) == Some("range"))?;
    Some(match *list {
        [_, Sexpr { kind: Kind::Int(low), .. }, Sexpr { kind: Kind::Int(high), .. }] => match high.checked_sub(low) {
            Some(n) if n < 0 => Err(RangeProblem::Empty(low, high)),
            Some(n) if n < RANGE_LIMIT => Ok((low, high)),
            None if high < low => Err(RangeProblem::Empty(low, high)),
            _ => Err(RangeProblem::Long),
        },
        _ => Err(RangeProblem::Shape),
    })
}

/// A sort, and the range where it is one of integers: `(range LOW HIGH)`.
pub(super) fn sort_or_range(parser: &mut TermParser<'_>, item: &Sexpr) -> (Option<SortPattern>, Option<(i64, i64)>) {
    match (item.symbol(), range(item)) {
        (Some(name), _) if name.starts_with('\'') && name.len() > 1 => {
            (Some(SortPattern::Var(Symbol::new(name))), None)
        }
        (_, Some(Ok(range))) => (Some(SortPattern::Sort(Sort::Int)), Some(range)),
        (_, Some(Err(problem))) => {
            problem.report(parser, item.span);
            (None, None)
        }
        _ => (parser.sort(item).map(SortPattern::Sort), None),
    }
}

/// Whether a term is defined and within a range.
pub(super) fn in_range(term: &Term, (low, high): (i64, i64)) -> Term {
    let at_most = |a: Term, b: Term| Term::app(Func::Kernel(Kernel::Le), vec![a, b]);
    both(at_most(Term::int(low), term.clone()), at_most(term.clone(), Term::int(high)))
}

/// Whether both of two conditions hold.
pub(super) fn both(a: Term, b: Term) -> Term {
    Term::app(Func::Kernel(Kernel::And), vec![a, b])
}

/// Names and sorts of parameters.
type Parameters = Vec<(Symbol, SortPattern)>;

/// Names of parameters that have a range, with its ends.
type Ranges = Vec<(Symbol, (i64, i64))>;

/// `((NAME SORT) ...)`, and the ranges of those parameters that have one.
pub(super) fn parameters(parser: &mut TermParser<'_>, item: &Sexpr) -> (Parameters, Ranges) {
    let (mut params, mut ranges): (Parameters, Ranges) = (Vec::new(), Vec::new());
    let Some(list) = item.list() else {
        parser.report(item.span, "parameters belong here").expected = Some("((NAME SORT) ...)".to_owned());
        return (params, ranges);
    };
    if let Some(entry) = list.iter().find(|entry| entry.list().is_none()) {
        // `(x Int)` in place of `((x Int))`: one mistake, whatever it leaves unknown.
        parser.report(entry.span, "this is no parameter").expected = Some("((NAME SORT) ...)".to_owned());
        parser.broken.extend(list.iter().filter_map(Sexpr::symbol).map(Symbol::new));
        return (params, ranges);
    }
    for entry in list {
        match entry.list() {
            Some([Sexpr { kind: Kind::Symbol(name), span }, sort]) => {
                let name = Symbol::new(name);
                if params.iter().any(|(other, _)| *other == name) {
                    parser.report(*span, format!("the parameter {name} is there twice"));
                }
                let (sort, range) = sort_or_range(parser, sort);
                params.push((name, sort.unwrap_or_else(unknown_sort)));
                ranges.extend(range.map(|range| (name, range)));
            }
            _ => {
                parser.report(entry.span, "this is no parameter").expected = Some("(NAME SORT)".to_owned());
                parser.broken.extend(entry.list().into_iter().flatten().filter_map(Sexpr::symbol).map(Symbol::new));
            }
        }
    }
    (params, ranges)
}

/// What stands for a sort that is wrong, which was reported.
pub(super) fn unknown_sort() -> SortPattern {
    SortPattern::Var(Symbol::new("'unknown"))
}

/// Checks that a meaning has the sort that is declared, for every choice of the sort variables.
pub(super) fn check_definition(
    parser: &mut TermParser<'_>,
    language: &Language,
    params: &[(Symbol, SortPattern)],
    result: SortPattern,
    (meaning, meaning_item): (&Term, &Sexpr),
    (condition, condition_item): (Option<&Term>, Option<&Sexpr>),
) {
    let mut infer = Infer::new(language);
    let mut choice: Vec<(Symbol, Ty)> = Vec::new();
    for &(name, pattern) in params {
        let ty = infer.pattern(pattern, &mut choice);
        infer.bind(name, ty);
    }
    let expected = infer.pattern(result, &mut choice);
    let found = infer.infer(meaning);
    infer.expect(meaning, found, expected, || "the meaning".to_owned());
    if let Some(condition) = condition {
        let found = infer.infer(condition);
        infer.expect(condition, found, Ty::Sort(Sort::Bool), || "the condition".to_owned());
    }
    parser.report_sorts(&infer, condition_item.map_or(meaning_item.span, |_| meaning_item.span));
    if choice.len() > SORT_VARIABLE_LIMIT {
        parser.report(meaning_item.span, "too many sort variables").expected =
            Some(format!("at most {SORT_VARIABLE_LIMIT}"));
    }
    if infer.errors.is_empty() {
        let mut seen: Vec<Ty> = Vec::new();
        for (name, ty) in choice {
            let resolved = infer.unifier.resolve(ty);
            let class = infer.unifier.class(ty);
            if class != Some(SortPattern::class_of(name)) || seen.contains(&resolved) {
                let found = match seen.contains(&resolved) {
                    true => "the sort of another variable".to_owned(),
                    false => infer.unifier.show(ty),
                };
                let report = parser.report(meaning_item.span, format!("the meaning does not fit every {name}"));
                report.expected = Some(SortPattern::class_of(name).to_string());
                report.found = Some(found);
                report.hint =
                    Some("'N... stands for Int or Real, 'M... for Bool, Int or Real, 'BV... for a bit-vector, others for any".to_owned());
            }
            seen.push(resolved);
        }
    }
}

/// `:charge ((PARAM N) ...)`.
pub(super) fn charges(
    parser: &mut TermParser<'_>,
    attributes: &Attributes<'_>,
    params: &[(Symbol, SortPattern)],
) -> Vec<u32> {
    let mut charges = vec![0; params.len()];
    let Some(values) = attributes.get("charge") else { return charges };
    let entries = match values {
        [only] => only.list().unwrap_or(&[]),
        _ => values,
    };
    for entry in entries {
        let parts = match entry.list() {
            Some([Sexpr { kind: Kind::Symbol(name), .. }, Sexpr { kind: Kind::Int(n), .. }]) => {
                params.iter().position(|(param, _)| param.as_str() == name).zip(u32::try_from(*n).ok())
            }
            _ => None,
        };
        match parts {
            Some((index, n)) if n <= 1_000_000 => charges[index] = n,
            _ => {
                parser.report(entry.span, "this is no charge").expected =
                    Some("(PARAM N), what is charged where that argument is no constant".to_owned());
            }
        }
    }
    charges
}

/// `:assumed (FACT ...)`: keywords of facts that the same definition states.
fn assumed(parser: &mut TermParser<'_>, attributes: &Attributes<'_>) -> Vec<Symbol> {
    let Some(values) = attributes.get("assumed") else { return Vec::new() };
    let items = match values {
        [Sexpr { kind: Kind::List(list), .. }] => list,
        items => items,
    };
    let mut names = Vec::new();
    for item in items {
        match item.symbol().filter(|name| FACTS.contains(name) && attributes.get(name).is_some()) {
            Some(name) => names.push(Symbol::new(name)),
            None => {
                let report = parser.report(item.span, "this is no fact that the definition states");
                report.expected = Some(":assumed (FACT ...) with facts such as commutative".to_owned());
                report.found = Some(item.describe());
            }
        }
    }
    names
}

/// The keywords that state facts.
pub(super) const FACTS: [&str; 6] = ["commutative", "associative", "idempotent", "involution", "unit", "zero"];

pub(super) fn facts(
    parser: &mut TermParser<'_>,
    attributes: &Attributes<'_>,
    params: &[(Symbol, SortPattern)],
    result: Option<SortPattern>,
    whole: Span,
) -> Facts {
    let mut facts = Facts::default();
    for (key, span, values) in &attributes.entries {
        let arity = match *key {
            "involution" => 1,
            "commutative" | "associative" | "idempotent" | "unit" | "zero" => 2,
            _ => continue,
        };
        let sorts_fit = params.len() == arity
            && params.windows(2).all(|pair| pair[0].1 == pair[1].1)
            && (*key == "commutative" || params.first().map(|p| p.1) == result);
        if !sorts_fit {
            let report = parser.report(*span, format!(":{key} does not fit these sorts"));
            report.expected = Some(format!("{arity} parameters of one sort, and such a result"));
            continue;
        }
        let value = match (*values, *key) {
            ([], "unit" | "zero") => {
                parser.report(*span, format!(":{key} names a value"));
                None
            }
            ([only], "unit" | "zero") => parser.expect_value(only),
            ([], _) => None,
            _ => {
                parser.report(whole, format!(":{key} has too many values"));
                None
            }
        };
        if let (Some(sort), Some(result)) = (value.and_then(Value::sort), result)
            && !result.admits(sort)
        {
            parser.report(*span, format!(":{key} names a value of the sort")).expected = Some(result.to_string());
        }
        match *key {
            "commutative" => facts.commutative = true,
            "associative" => facts.associative = true,
            "idempotent" => facts.idempotent = true,
            "involution" => facts.involution = true,
            "unit" => facts.unit = value,
            _ => facts.zero = value,
        }
    }
    facts.assumed = assumed(parser, attributes);
    facts
}

/// Sorts of the variables of a rule; both sides must have one sort and the conditions must be truth values.
pub(super) fn rule_sorts(
    parser: &mut TermParser<'_>,
    language: &Language,
    variables: &[Symbol],
    sides: (&Term, &Term),
    conditions: &[Term],
    whole: Span,
) -> Vec<(Symbol, SortPattern)> {
    let (infer, types) = infer_rule(language, variables, sides, conditions);
    parser.report_sorts(&infer, whole);
    let params = infer.patterns(variables, &types);
    let mut different: Vec<Symbol> = Vec::new();
    for (_, pattern) in &params {
        if let SortPattern::Var(name) = pattern
            && !different.contains(name)
        {
            different.push(*name);
        }
    }
    if different.len() > SORT_VARIABLE_LIMIT {
        parser.report(whole, "the variables may have too many different sorts").expected =
            Some(format!("at most {SORT_VARIABLE_LIMIT}"));
    }
    params
}
