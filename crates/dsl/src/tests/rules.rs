//! The shipped rules and facts hold on a grid of small values, undefined included.

use samples::{Column, Points, Sort, Symbol, UNDEFINED, Value, encode_value};

use crate::{Env, Func, Language, Node, Rule, Term, eval, print};

use super::shipped;

/// Codes that a variable takes.
fn values(sort: Sort) -> Vec<i64> {
    let values: Vec<Value> = match sort {
        Sort::Bool => vec![Value::Undefined, Value::Bool(false), Value::Bool(true)],
        Sort::Int => std::iter::once(Value::Undefined).chain((-4..=5).map(Value::Int)).collect(),
        Sort::Real => vec![Value::Undefined, Value::Real(-1.5), Value::Real(0.0), Value::Real(0.5), Value::Real(1.0)],
        Sort::Symbol => vec![Value::Undefined, Value::Symbol("a".into()), Value::Symbol("b".into())],
        Sort::BitVec(width) => {
            let top = samples::mask(width);
            [0, 1, 2, 5, top, top / 2, top / 2 + 1].map(|bits| Value::bit_vec(width, bits)).to_vec()
        }
        Sort::Enum(_) | Sort::Selector => Vec::new(),
    };
    values.into_iter().map(encode_value).collect()
}

fn looks_around(term: &Term) -> bool {
    match term.node() {
        Node::Select { .. } => true,
        Node::App(Func::Op(_), args) => args.iter().any(looks_around),
        _ => false,
    }
}

/// Checks a rule of scalars pointwise; returns on how many points its conditions held and its sides were defined.
fn check_pointwise(language: &Language, rule: &Rule, params: &[(Symbol, Sort)]) -> Result<usize, String> {
    let mut columns: Vec<Vec<i64>> = vec![Vec::new(); params.len()];
    let mut domains: Vec<Vec<i64>> = params.iter().map(|(_, sort)| values(*sort)).collect();
    if language.has_bit_vectors() {
        domains.iter_mut().zip(params).for_each(|(codes, (_, sort))| codes.retain(|code| !sort.is_undefined(*code)));
    }
    let n: usize = domains.iter().map(Vec::len).product();
    for point in 0..n {
        let mut rest = point;
        for (column, domain) in columns.iter_mut().zip(&domains) {
            column.push(domain[rest % domain.len()]);
            rest /= domain.len();
        }
    }
    let vars: Vec<(Symbol, Column)> =
        params.iter().zip(columns).map(|((name, sort), codes)| (*name, Column::new(*sort, codes))).collect();
    let points = Points::from_lengths(vec![1; n]);
    let env = Env { language, points: &points, vars: &vars, causal: false };
    let run = |term: &Term| match eval(term, &env) {
        Ok(column) => column.codes,
        Err(error) => panic!("{}: {} {error}", rule.name, print(term, language)),
    };
    let (left, right) = (run(&rule.lhs), run(&rule.rhs));
    let conditions: Vec<Vec<i64>> = rule.conditions.iter().map(run).collect();
    let mut n_counted = 0;
    for point in 0..n {
        if conditions.iter().any(|condition| condition[point] != 1) {
            continue;
        }
        let at: Vec<String> = vars.iter().map(|(name, column)| format!("{name} = {:?}", column.value(point))).collect();
        if left[point] != right[point] {
            return Err(format!("{} is wrong at {}", rule.name, at.join(", ")));
        }
        n_counted += usize::from(left[point] != UNDEFINED || language.has_bit_vectors());
    }
    Ok(n_counted)
}

/// Checks a rule about selectors on all sequences of three positions, for a few selectors and all binary values.
fn check_sequences(language: &Language, rule: &Rule, params: &[(Symbol, Sort)], causal: bool) {
    let n_positions = 3_usize;
    let mut digits: Vec<usize> = Vec::new();
    for (_, sort) in params {
        // A selector is three masks of three bits; a value is one of three at each position.
        digits.extend(if *sort == Sort::Selector { [8; 3] } else { [3; 3] });
    }
    let n: usize = digits.iter().product();
    let step = (n / 20_000).max(1) | 1;
    let mut columns: Vec<Vec<i64>> = vec![Vec::new(); params.len()];
    let mut n_sequences = 0;
    for code in (0..n).step_by(step) {
        n_sequences += 1;
        let mut rest = code;
        for (i, &base) in digits.iter().enumerate() {
            let digit = (rest % base) as i64;
            rest /= base;
            let (param, position) = (i / n_positions, i % n_positions);
            columns[param].push(match params[param].1 {
                Sort::Selector if causal => digit & ((2 << position) - 1),
                Sort::Selector => digit,
                sort => values(sort)[digit as usize],
            });
        }
    }
    let points = Points::from_lengths(vec![n_positions; n_sequences]);
    let vars: Vec<(Symbol, Column)> =
        params.iter().zip(columns).map(|((name, sort), codes)| (*name, Column::new(*sort, codes))).collect();
    let env = Env { language, points: &points, vars: &vars, causal };
    let run = |term: &Term| match eval(term, &env) {
        Ok(column) => column.codes,
        Err(error) => panic!("{}: {} {error}", rule.name, print(term, language)),
    };
    assert_eq!(run(&rule.lhs), run(&rule.rhs), "{}", rule.name);
}

fn check_language(name: &str) {
    let language = shipped(name);
    assert!(language.warnings.is_empty(), "{:?}", language.warnings);
    let mut wrong: Vec<String> = Vec::new();
    let facts = language.operators().flat_map(|(id, _)| language.fact_rules(id));
    for rule in language.rules.iter().cloned().chain(facts) {
        let sorts = match language.has_bit_vectors() {
            true => vec![Sort::Bool, Sort::BitVec(1), Sort::BitVec(8), Sort::BitVec(64)],
            false => vec![Sort::Bool, Sort::Int, Sort::Real, Sort::Symbol],
        };
        for params in rule.instances(&[&sorts[..], &[Sort::Selector]].concat()) {
            let of_selectors = params.iter().any(|(_, sort)| *sort == Sort::Selector);
            if of_selectors || looks_around(&rule.lhs) || looks_around(&rule.rhs) {
                check_sequences(&language, &rule, &params, false);
                check_sequences(&language, &rule, &params, true);
            } else {
                match check_pointwise(&language, &rule, &params) {
                    Ok(0) => wrong.push(format!("{} says nothing", rule.name)),
                    Ok(_) => {}
                    Err(message) => wrong.push(message),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_rules_of_recurrent_programs_hold() {
    check_language("recurrent");
}

#[test]
fn the_rules_of_bit_vectors_hold() {
    check_language("bitvectors");
}

#[test]
fn the_rules_of_rasp_hold() {
    check_language("rasp");
}
