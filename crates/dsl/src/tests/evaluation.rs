//! Evaluation of programs, from text to values.

use samples::{Batch, Column, Sort, Symbol, Value};

use crate::{Env, eval, parse_term};

use super::shipped;

/// Values of a program on sequences of integers, with inputs `x` and `indices`.
#[track_caller]
fn run(language: &str, program: &str, causal: bool, sequences: &[&[i64]]) -> Vec<Vec<Value>> {
    let language = shipped(language);
    let vars = [("x".into(), Sort::Int), ("indices".into(), Sort::Int)];
    let term = parse_term(program, &language, &vars).unwrap_or_else(|problems| panic!("{problems}"));
    let batch = Batch::from_sequences(1, sequences);
    let points = batch.points();
    let indices = points.ranges().flat_map(|range| 0..range.len() as i64).collect();
    let vars: Vec<(Symbol, Column)> = vec![
        ("x".into(), Column::new(Sort::Int, batch.coordinate(0))),
        ("indices".into(), Column::new(Sort::Int, indices)),
    ];
    let column = eval(&term, &Env { language: &language, points: &points, vars: &vars, causal }).expect("evaluates");
    points.ranges().map(|range| range.map(|point| column.value(point)).collect()).collect()
}

#[track_caller]
fn check(language: &str, program: &str, sequence: &[i64], expected: &[Option<i64>]) {
    let values = run(language, program, false, &[sequence]);
    let expected: Vec<Value> = expected.iter().map(|v| v.map_or(Value::Undefined, Value::Int)).collect();
    assert_eq!(values[0], expected);
}

#[test]
fn a_scan_carries_state() {
    check("recurrent", "(scan ((s 0 (+ s x))) s')", &[1, 2, 3], &[Some(1), Some(3), Some(6)]);
    check("recurrent", "(scan ((s 0 (+ s x))) s)", &[1, 2, 3], &[Some(0), Some(1), Some(3)]);
    // All states are updated at once.
    check("recurrent", "(scan ((a 0 b) (b 1 (+ a b))) a')", &[0; 5], &[Some(1), Some(1), Some(2), Some(3), Some(5)]);
    check("recurrent", "(scan ((s none x)) s)", &[4, 5], &[None, Some(4)]);
}

#[test]
fn sequences_of_a_batch_do_not_mix() {
    let values = run("recurrent", "(scan ((s 0 (max s x))) s')", false, &[&[3], &[1, 2, 1], &[], &[0, 5]]);
    let ints = |list: &[i64]| list.iter().map(|&i| Value::Int(i)).collect::<Vec<_>>();
    assert_eq!(values, vec![ints(&[3]), ints(&[1, 2, 2]), ints(&[]), ints(&[0, 5])]);
}

#[test]
fn selections_look_at_other_positions() {
    check("rasp", "(selector_width (select x x =))", &[7, 8, 7], &[Some(2), Some(1), Some(2)]);
    check("rasp", "(aggregate (select indices (- indices 1) =) x)", &[7, 8, 9], &[None, Some(7), Some(8)]);
    check(
        "rasp",
        "(selector_width (select x indices (lambda (k q) (< k (* q 2)))))",
        &[0, 1, 2],
        &[Some(0), Some(2), Some(3)],
    );
    let values = run("rasp", "(mean (select indices indices <=) (= x 1))", true, &[&[1, 0, 1, 1]]);
    assert_eq!(
        values[0],
        [1.0, 0.5, 2.0 / 3.0, 0.75].map(|r| samples::decode_code(Sort::Real, samples::encode_value(Value::Real(r))))
    );
}

#[test]
fn partial_operators_are_undefined_outside_their_domain() {
    check("recurrent", "(% 7 x)", &[3, 0, -3], &[Some(1), None, None]);
    check("recurrent", "(ite (= x 0) 5 (// 7 x))", &[2, 0], &[Some(3), Some(5)]);
    check("recurrent", "(* x x)", &[i64::MAX, 3], &[None, Some(9)]);
    check(
        "recurrent",
        "(let ((t (table (Int) Int ((1) 10) ((none) 20)))) (t (% 1 x)))",
        &[2, 0, 1],
        &[Some(10), Some(20), None],
    );
}

#[test]
fn elementary_functions_have_their_values() {
    type Function = fn(f64) -> f64;
    let functions: [(&str, Function); 13] = [
        ("sqrt", f64::sqrt),
        ("cbrt", f64::cbrt),
        ("exp", f64::exp),
        ("ln", f64::ln),
        ("log2", f64::log2),
        ("log10", f64::log10),
        ("sin", f64::sin),
        ("cos", f64::cos),
        ("tan", f64::tan),
        ("atan", f64::atan),
        ("sinh", f64::sinh),
        ("cosh", f64::cosh),
        ("tanh", f64::tanh),
    ];
    let arguments: Vec<i64> = (-31..=31).collect();
    for (name, function) in functions {
        let values = run("rasp", &format!("({name} x)"), false, &[&arguments]);
        for (&x, &found) in arguments.iter().zip(&values[0]) {
            let expected = function(x as f64);
            let listed = x.abs() <= 30 && expected.is_finite();
            let close = found.as_f64().is_some_and(|found| (found - expected).abs() <= 1e-11 * expected.abs());
            assert!(if listed { close } else { found == Value::Undefined }, "({name} {x}) = {found:?}");
        }
    }
}
