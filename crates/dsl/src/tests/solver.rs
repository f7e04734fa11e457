//! SMT-LIB text says what evaluation computes, at random points.

use samples::{Column, Points, Sort, Symbol, Value, rng};
use smt::{Answer, Limits, Solver};

use crate::{Env, Language, SmtError, SmtScript, Term, eval, print};

use super::generate::Generator;
use super::shipped;

/// The assertion that a term has another value than evaluation says, at one point.
fn refutation(language: &Language, term: &Term, vars: &[(Symbol, Sort)], point: &[Value]) -> Option<String> {
    let columns: Vec<(Symbol, Column)> =
        vars.iter().zip(point).map(|(&(name, sort), &value)| (name, Column::constant(sort, value, 1))).collect();
    let points = Points::from_lengths([1]);
    let env = Env { language, points: &points, vars: &columns, causal: false };
    let value = eval(term, &env).expect("evaluates").value(0);
    let mut script = SmtScript::new(language);
    for &(name, sort) in vars {
        script.declare(name, sort, true).expect("scalar");
    }
    let encoded = match script.encode(term) {
        Err(SmtError::NotScalar(_)) => return None,
        encoded => encoded.expect("is encoded"),
    };
    for (&(name, _), &value) in vars.iter().zip(point) {
        let variable = script.encode(&Term::var(name)).expect("declared");
        let constant = script.encode(&Term::constant(value)).expect("a constant");
        script.push(format!("(assert (= {} {}))", variable.defined, constant.defined));
        if value != Value::Undefined {
            script.push(format!("(assert (= {} {}))", variable.value, constant.value));
        }
    }
    let constant = script.encode(&Term::constant(value)).expect("a constant");
    script.push(if value == Value::Undefined {
        format!("(assert {})", encoded.defined)
    } else {
        format!("(assert (not (and {} (= {} {}))))", encoded.defined, encoded.value, constant.value)
    });
    Some(script.text())
}

fn check(name: &str, vars: &[(Symbol, Sort)], sorts: &[Sort]) {
    let language = shipped(name);
    let mut generator = Generator::new(&language, rng(7, name), vars);
    let mut solver = Solver::new();
    let limits = Limits { resources: 200_000, timeout_ms: None };
    let (mut n_agreed, mut n_unknown) = (0, 0);
    for i in 0..120 {
        let term = generator.scalar(sorts[i % sorts.len()], i % 5);
        let point: Vec<Value> = vars
            .iter()
            .map(|&(_, sort)| {
                if generator.draw(0.15) && !language.has_bit_vectors() {
                    Value::Undefined
                } else {
                    generator.value(sort)
                }
            })
            .collect();
        let Some(text) = refutation(&language, &term, vars, &point) else { continue };
        match solver.check_sat(&text, limits).unwrap_or_else(|error| panic!("{error}\n{text}")) {
            Answer::Unsat => n_agreed += 1,
            Answer::Unknown(_) => n_unknown += 1,
            Answer::Sat(_) => panic!("{} at {point:?}\n{text}", print(&term, &language)),
        }
    }
    assert!(n_agreed > 70 && n_unknown < 10, "{n_agreed} agree, {n_unknown} unknown");
}

#[test]
fn text_of_integer_terms_agrees_with_evaluation() {
    check("recurrent", &[("x".into(), Sort::Int), ("b".into(), Sort::Bool)], &[Sort::Int, Sort::Bool]);
}

#[test]
fn text_of_terms_about_bit_vectors_agrees_with_evaluation() {
    let vars = [("a".into(), Sort::BitVec(8)), ("b".into(), Sort::BitVec(64)), ("c".into(), Sort::Bool)];
    check("bitvectors", &vars, &[Sort::BitVec(8), Sort::Bool, Sort::BitVec(64)]);
    check("frames", &vars, &[Sort::BitVec(8), Sort::BitVec(64)]);
}

/// Reals are rounded in evaluation and exact in SMT-LIB, so that sums and products may differ; symbols do not.
#[test]
fn text_of_symbol_terms_agrees_with_evaluation() {
    check("rasp", &[("tokens".into(), Sort::Symbol), ("x".into(), Sort::Int)], &[Sort::Symbol, Sort::Bool]);
}
