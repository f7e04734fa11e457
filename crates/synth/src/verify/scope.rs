//! Running a rule on all inputs of a small scope.

use dsl::{Env, Language, Rule, Term};
use samples::{Column, Points, Sort, Symbol, UNDEFINED, Value, decode_code, encode_value};
use smt::Model;

/// An input on which the two sides of a rule differ.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counterexample {
    /// Every variable with its value; for rules about selectors, with its values along a sequence.
    pub values: Vec<(Symbol, String)>,
    /// The value of the left side.
    pub left: String,
    /// The value of the right side.
    pub right: String,
}

impl std::fmt::Display for Counterexample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let values: Vec<String> = self.values.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        write!(f, "{}: the left side is {}, the right side {}", values.join(", "), self.left, self.right)
    }
}

/// How a trial ended.
pub(crate) enum Trial {
    /// The sides agree on every input where the conditions are true; that is how many points.
    Holds {
        scope: String,
        n_applicable: usize,
        /// Whether these were all inputs that there are.
        complete: bool,
    },
    Fails(Counterexample),
    /// The rule could not be run.
    Failed(String),
}

/// Runs both sides on all combinations of small values, or on all short sequences where selectors are involved.
pub(crate) fn try_all(language: &Language, rule: &Rule, params: &[(Symbol, Sort)], max_inputs: usize) -> Trial {
    if params.iter().any(|(_, sort)| *sort == Sort::Selector) || looks_around(language, rule) {
        return try_sequences(language, rule, params, max_inputs);
    }
    let domains = scalar_domains(language, params, max_inputs);
    let n_points: usize = domains.iter().map(Vec::len).product();
    let mut vars = Vec::with_capacity(params.len());
    let mut repeat = 1;
    for (&(name, sort), domain) in params.iter().zip(&domains) {
        let codes = (0..n_points).map(|point| domain[point / repeat % domain.len()]).collect();
        repeat *= domain.len();
        vars.push((name, Column::new(sort, codes)));
    }
    let points = Points::from_lengths([n_points]);
    match compare(language, rule, &points, &vars, false) {
        Err(reason) => Trial::Failed(reason),
        Ok((_, Some(point))) => Trial::Fails(describe(language, rule, &points, &vars, false, point)),
        Ok((n_applicable, None)) => {
            let scope = scope_text(language, params, &domains);
            let complete = !params.is_empty()
                && params.iter().zip(&domains).all(|((_, sort), domain)| is_whole(language, *sort, domain.len()));
            Trial::Holds { scope, n_applicable, complete }
        }
    }
}

/// Whether a side of the rule looks at other positions.
fn looks_around(language: &Language, rule: &Rule) -> bool {
    [&rule.lhs, &rule.rhs].into_iter().chain(&rule.conditions).any(|term| mentions_selection(language, term))
}

/// Whether a term looks at other positions.
pub(crate) fn mentions_selection(language: &Language, term: &Term) -> bool {
    match term.node() {
        dsl::Node::Select { .. } | dsl::Node::Scan(_) => true,
        dsl::Node::Var(_) | dsl::Node::Const(_) => false,
        dsl::Node::Let(bindings, body) => {
            bindings.iter().any(|(_, bound)| mentions_selection(language, bound)) || mentions_selection(language, body)
        }
        dsl::Node::App(func, args) => {
            let own = match func {
                dsl::Func::Kernel(kernel) => !kernel.is_pointwise(),
                dsl::Func::Op(id) => mentions_selection(language, &language.op(*id).meaning),
                dsl::Func::Lambda(_, body) => mentions_selection(language, body),
                dsl::Func::Table(_) => false,
            };
            own || args.iter().any(|arg| mentions_selection(language, arg))
        }
    }
}

/// Inputs that a rule may be run on for the sake of running all values of finite sorts; beyond, some are left out.
const MAX_INPUTS: usize = 1 << 20;

/// The values that a variable of a scalar sort runs through: undefined first, then outward from zero, as many as all
/// variables together may take.
fn scalar_domains(language: &Language, params: &[(Symbol, Sort)], max_inputs: usize) -> Vec<Vec<i64>> {
    let n_numbers = params.iter().filter(|(_, sort)| matches!(sort, Sort::Int | Sort::Real)).count();
    let fixed: usize = params
        .iter()
        .filter(|(_, sort)| !matches!(sort, Sort::Int | Sort::Real))
        .fold(1, |n: usize, (_, s)| n.saturating_mul(domain(language, *s, 0).len()));
    let mut radius: usize = 1;
    while n_numbers > 0
        && radius < 30
        && fixed.saturating_mul((2 * radius + 4).saturating_pow(n_numbers as u32)) <= max_inputs
    {
        radius += 1;
    }
    let mut domains: Vec<Vec<i64>> = params.iter().map(|(_, sort)| domain(language, *sort, radius)).collect();
    let n_inputs = |domains: &[Vec<i64>]| domains.iter().fold(1_usize, |n, domain| n.saturating_mul(domain.len()));
    while n_inputs(&domains) > max_inputs.max(MAX_INPUTS) {
        let Some(longest) = domains.iter_mut().max_by_key(|domain| domain.len()).filter(|d| d.len() > 2) else { break };
        let mut is_kept = false;
        longest.retain(|_| {
            is_kept = !is_kept;
            is_kept
        });
    }
    domains
}

/// Whether so many values are all of a sort.
fn is_whole(language: &Language, sort: Sort, n: usize) -> bool {
    match sort {
        Sort::Bool | Sort::Enum(_) => n == domain(language, sort, 0).len(),
        Sort::BitVec(width) => width <= 3 && n == 1 << width,
        Sort::Int | Sort::Real | Sort::Symbol | Sort::Selector => false,
    }
}

/// The values of a sort: numbers up to a radius, everything of a finite sort, two symbols; and undefined.
fn domain(language: &Language, sort: Sort, radius: usize) -> Vec<i64> {
    // In a language with bit-vectors everything has a value.
    let mut codes = if language.has_bit_vectors() { Vec::new() } else { vec![UNDEFINED] };
    let radius = radius as i64;
    match sort {
        Sort::BitVec(width) => codes.extend(bit_vectors(width)),
        Sort::Bool => codes.extend([0, 1]),
        Sort::Int => codes.extend((0..=radius).flat_map(|n| if n == 0 { vec![0] } else { vec![n, -n] })),
        // Halves: sums and products of few of them are exact.
        Sort::Real => codes.extend(
            (0..=radius)
                .flat_map(|n| if n == 0 { vec![0] } else { vec![n, -n] })
                .map(|n| encode_value(Value::Real(n as f64 / 2.0))),
        ),
        Sort::Symbol => codes.extend(["a", "b"].map(|text| Symbol::new(text).code())),
        Sort::Enum(name) => {
            let declared = language.enums.iter().find(|enumeration| enumeration.name == name);
            codes.extend(declared.into_iter().flat_map(|enumeration| &enumeration.values).map(|value| value.code()));
        }
        Sort::Selector => {}
    }
    codes
}

/// All bit-vectors of up to 3 bits; of wider ones those at the ends of the unsigned and of the signed order, and some in
/// between.
fn bit_vectors(width: u8) -> Vec<i64> {
    let top = samples::mask(width);
    if width <= 3 {
        return (0..=top).map(|bits| bits as i64).collect();
    }
    let sign = top / 2;
    let few = [0, 1, 2, top, sign, sign + 1, 0x5555_5555_5555_5555 & top];
    few.map(|bits| bits as i64).to_vec()
}

fn scope_text(language: &Language, params: &[(Symbol, Sort)], domains: &[Vec<i64>]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for ((_, sort), domain) in params.iter().zip(domains) {
        let radius = domain.iter().filter(|&&code| code != UNDEFINED).count() / 2;
        let part = match sort {
            Sort::Int => format!("integers from -{radius} to {radius}"),
            Sort::Real => format!("halves from -{0} to {0}", radius as f64 / 2.0),
            Sort::Symbol => "two symbols".to_owned(),
            Sort::Bool => "both truth values".to_owned(),
            Sort::Enum(name) if is_whole(language, *sort, domain.len()) => format!("all of {name}"),
            Sort::Enum(name) => format!("{} values of {name}", domain.len()),
            Sort::BitVec(width) if *width <= 3 => format!("all bit-vectors of {width} bits"),
            Sort::BitVec(width) => format!("{} bit-vectors of {width} bits", domain.len()),
            Sort::Selector => "all selectors".to_owned(),
        };
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    if domains.iter().zip(params).any(|(domain, (_, sort))| domain.iter().any(|&code| sort.is_undefined(code))) {
        parts.push("undefined values".to_owned());
    }
    parts.join(", ")
}

/// Columns of both sides: how many points the conditions hold at, and the first such point where the sides differ.
fn compare(
    language: &Language,
    rule: &Rule,
    points: &Points,
    vars: &[(Symbol, Column)],
    causal: bool,
) -> Result<(usize, Option<usize>), String> {
    let env = Env { language, points, vars, causal };
    let eval = |term: &Term| dsl::eval(term, &env).map_err(|error| error.to_string());
    let mut applies = vec![true; points.len()];
    for condition in &rule.conditions {
        for (applies, code) in applies.iter_mut().zip(eval(condition)?.codes) {
            *applies &= code == 1;
        }
    }
    let (left, right) = (eval(&rule.lhs)?, eval(&rule.rhs)?);
    if left.sort != right.sort || left.width != right.width {
        return Err(format!("the sides have sorts {} and {}", left.sort, right.sort));
    }
    let differs = |point: usize| {
        let words = point * left.width..(point + 1) * left.width;
        let (a, b) = (&left.codes[words.clone()], &right.codes[words]);
        if left.sort == Sort::Real { !close(a[0], b[0]) } else { a != b }
    };
    let n_applicable = applies.iter().filter(|&&applies| applies).count();
    Ok((n_applicable, (0..points.len()).find(|&point| applies[point] && differs(point))))
}

/// Equality of reals up to rounding.
fn close(a: i64, b: i64) -> bool {
    if a == UNDEFINED || b == UNDEFINED {
        return a == b;
    }
    let (a, b) = (f64::from_bits(a as u64), f64::from_bits(b as u64));
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

/// The counterexample at a point.
fn describe(
    language: &Language,
    rule: &Rule,
    points: &Points,
    vars: &[(Symbol, Column)],
    causal: bool,
    point: usize,
) -> Counterexample {
    let env = Env { language, points, vars, causal };
    let (row, position) = points.locate(point);
    let range = points.range(row);
    let around = vars.iter().any(|(_, column)| column.sort == Sort::Selector) || range.len() < points.len();
    let shown = |column: &Column| {
        if !around {
            return at(column, point);
        }
        let values: Vec<String> = range.clone().map(|p| at(column, p)).collect();
        format!("[{}]", values.join(" "))
    };
    let side = |term: &Term| dsl::eval(term, &env).map_or_else(|error| error.to_string(), |column| at(&column, point));
    let mut values: Vec<(Symbol, String)> = vars.iter().map(|(name, column)| (*name, shown(column))).collect();
    if around {
        values.push((Symbol::new("position"), position.to_string()));
    }
    if causal {
        values.push((Symbol::new("causal"), "true".to_owned()));
    }
    Counterexample { values, left: side(&rule.lhs), right: side(&rule.rhs) }
}

/// A value as text; the positions selected, of a selector.
fn at(column: &Column, point: usize) -> String {
    if column.sort == Sort::Selector {
        let word = column.codes[point * column.width];
        let positions: Vec<String> = (0..64).filter(|bit| word >> bit & 1 == 1).map(|bit| bit.to_string()).collect();
        return format!("{{{}}}", positions.join(","));
    }
    dsl::print_value(decode_code(column.sort, column.codes[point]))
}

/// Runs a rule about selectors on all short sequences: every selector, every assignment of few values to positions; in a
/// causal context too.
fn try_sequences(language: &Language, rule: &Rule, params: &[(Symbol, Sort)], max_inputs: usize) -> Trial {
    let mut n_applicable = 0;
    let mut longest = 0;
    for length in 1..=3_usize {
        let choices: Vec<usize> = params
            .iter()
            .map(|(_, sort)| match sort {
                Sort::Selector => 1 << (length * length),
                _ => values_along(language, *sort).len().pow(length as u32),
            })
            .collect();
        let total = choices.iter().try_fold(1_usize, |product, &n| product.checked_mul(n));
        let Some(total) = total.filter(|&total| total <= max_inputs.max(1 << 12) || length == 1) else { break };
        longest = length;
        for causal in [false, true] {
            let points = Points::from_lengths(std::iter::repeat_n(length, total));
            let vars = sequence_columns(language, params, &choices, length, total, causal);
            match compare(language, rule, &points, &vars, causal) {
                Err(reason) => return Trial::Failed(reason),
                Ok((_, Some(point))) => return Trial::Fails(describe(language, rule, &points, &vars, causal, point)),
                Ok((n, None)) => n_applicable += n,
            }
        }
    }
    let scope = format!("all sequences up to length {longest} over few values, all selectors, causal and not");
    Trial::Holds { scope, n_applicable, complete: false }
}

/// The values that a variable takes at a position of a sequence.
fn values_along(language: &Language, sort: Sort) -> Vec<i64> {
    match sort {
        Sort::Int => vec![UNDEFINED, 0, 1, 2],
        Sort::Real => vec![UNDEFINED, 0, encode_value(Value::Real(1.0)), encode_value(Value::Real(0.5))],
        _ => domain(language, sort, 0),
    }
}

fn sequence_columns(
    language: &Language,
    params: &[(Symbol, Sort)],
    choices: &[usize],
    length: usize,
    total: usize,
    causal: bool,
) -> Vec<(Symbol, Column)> {
    let mut repeat = 1;
    let mut vars = Vec::with_capacity(params.len());
    for (&(name, sort), &n_choices) in params.iter().zip(choices) {
        let domain = values_along(language, sort);
        let mut codes = Vec::with_capacity(total * length);
        for input in 0..total {
            let mut choice = input / repeat % n_choices;
            for position in 0..length {
                if sort == Sort::Selector {
                    let row = choice & ((1 << length) - 1);
                    choice >>= length;
                    let visible = if causal { (1 << (position + 1)) - 1 } else { usize::MAX };
                    codes.push((row & visible) as i64);
                } else {
                    codes.push(domain[choice % domain.len()]);
                    choice /= domain.len();
                }
            }
        }
        repeat *= n_choices;
        vars.push((name, Column::new(sort, codes)));
    }
    vars
}

/// Runs a rule at the values of a solver's model; the counterexample, if it is one.
pub(crate) fn confirm(
    language: &Language,
    rule: &Rule,
    params: &[(Symbol, Sort)],
    model: &Model,
) -> Option<Counterexample> {
    let mut vars = Vec::with_capacity(params.len());
    for &(name, sort) in params {
        let is_undefined = model.bool(&format!("{name}.defined")) == Some(false);
        let code = if is_undefined { UNDEFINED } else { model_code(language, model, name.as_str(), sort)? };
        vars.push((name, Column::new(sort, vec![code])));
    }
    let points = Points::from_lengths([1]);
    let (_, differs) = compare(language, rule, &points, &vars, false).ok()?;
    differs.map(|point| describe(language, rule, &points, &vars, false, point))
}

/// The code of the value that a model gives a variable; some value where it gives none, none where the value does not fit.
pub(crate) fn model_code(language: &Language, model: &Model, name: &str, sort: Sort) -> Option<i64> {
    Some(match sort {
        Sort::Bool => i64::from(model.bool(name).unwrap_or(false)),
        Sort::Int if model.value(name).is_none() => 0,
        Sort::Int => model.int(name)?,
        Sort::Real => encode_value(Value::Real(if model.value(name).is_none() { 0.0 } else { model.real(name)? })),
        Sort::Symbol => Symbol::new(model.value(name).unwrap_or("a")).code(),
        Sort::Enum(declared) => {
            let values = &language.enums.iter().find(|enumeration| enumeration.name == declared)?.values;
            let value = match model.value(name) {
                Some(text) => *values.iter().find(|value| value.as_str() == text.trim_matches('|'))?,
                None => *values.first()?,
            };
            value.code()
        }
        Sort::BitVec(_) => model.value(name).map_or(Some(0), model_bits)?,
        Sort::Selector => return None,
    })
}

/// A bit-vector as solvers print it.
fn model_bits(text: &str) -> Option<i64> {
    let bits = match text.strip_prefix("#x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => u64::from_str_radix(text.strip_prefix("#b")?, 2),
    };
    bits.ok().map(|bits| bits as i64)
}
