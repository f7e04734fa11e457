//! Properties of random terms: printing and reading, evaluation, Python.

use std::io::Write as _;
use std::process::{Command, Stdio};

use rand::Rng as _;
use samples::{Column, Points, Sort, Symbol, UNDEFINED, Value, rng};

use crate::{
    Env, Func, Language, PythonOutput, Term, apply, eval, eval_program, parse_term, pretty, print, program_sorts,
    python,
};

use super::generate::Generator;
use super::shipped;

fn inputs(name: &str) -> Vec<(Symbol, Sort)> {
    match name {
        "rasp" | "sequences" => vec![("tokens".into(), Sort::Symbol), ("indices".into(), Sort::Int)],
        "bitvectors" | "frames" => vec![("x0".into(), Sort::BitVec(8)), ("x1".into(), Sort::BitVec(64))],
        _ => vec![("x0".into(), Sort::Int), ("x1".into(), Sort::Int)],
    }
}

/// Random sequences, as points and a column for each input.
fn batch(name: &str, rng: &mut samples::Rng) -> (Points, Vec<(Symbol, Column)>) {
    let points = Points::from_lengths((0..6).map(|_| rng.random_range(0..6)));
    let columns = inputs(name)
        .into_iter()
        .map(|(name, sort)| {
            let codes = points.ranges().flat_map(|range| 0..range.len() as i64);
            let codes = codes
                .map(|index| match (name.as_str(), sort) {
                    ("indices", _) => index,
                    (_, Sort::Int) => rng.random_range(-2..5),
                    (_, Sort::BitVec(width)) => super::generate::bits(width, rng),
                    _ => Symbol::new(["a", "b", "c"][rng.random_range(0..3)]).code(),
                })
                .collect();
            (name, Column::new(sort, codes))
        })
        .collect();
    (points, columns)
}

#[test]
fn printed_programs_read_back_as_they_were() {
    for name in ["recurrent", "rasp", "sequences", "bitvectors", "frames"] {
        let language = shipped(name);
        let vars = inputs(name);
        let mut generator = Generator::new(&language, rng(1, name), &vars);
        for fuel in (0..6).cycle().take(600) {
            let term = generator.program(fuel);
            for text in [print(&term, &language), pretty(&term, &language)] {
                match parse_term(&text, &language, &vars) {
                    Ok(read) => assert_eq!(read, term, "{text}"),
                    Err(problems) => panic!("{text}\n{problems}"),
                }
            }
        }
    }
}

#[test]
fn pretty_text_is_narrow_and_says_the_same() {
    let language = shipped("rasp");
    let vars = inputs("rasp");
    let mut generator = Generator::new(&language, rng(2, "pretty"), &vars);
    for _ in 0..100 {
        let term = generator.program(6);
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").replace(" )", ")");
        assert_eq!(words(&pretty(&term, &language)), words(&print(&term, &language)));
    }
}

#[test]
fn operators_mean_what_their_meaning_means() {
    check_operators("rasp", &[Sort::Bool, Sort::Int, Sort::Real, Sort::Symbol]);
    check_operators("bitvectors", &[Sort::Bool, Sort::BitVec(1), Sort::BitVec(8), Sort::BitVec(64)]);
    check_operators("frames", &[Sort::BitVec(8), Sort::BitVec(64)]);
}

fn check_operators(name: &str, sorts: &[Sort]) {
    let language = shipped(name);
    let mut rng = rng(3, "operators");
    let n = 200;
    for (id, operator) in language.operators() {
        for (params, _) in operator.instances(sorts) {
            if params.contains(&Sort::Selector) {
                continue;
            }
            let mut generator = Generator::new(&language, rng.clone(), &[]);
            rng.random::<u64>();
            let columns: Vec<Column> = params
                .iter()
                .map(|&sort| {
                    let total = language.has_bit_vectors();
                    let codes = (0..n).map(|i| {
                        if i % 7 == 0 && !total { UNDEFINED } else { samples::encode_value(generator.value(sort)) }
                    });
                    Column::new(sort, codes.collect())
                })
                .collect();
            let by_apply = apply(&language, &Func::Op(id), &columns.iter().collect::<Vec<_>>()).expect("pointwise");
            let vars: Vec<(Symbol, Column)> =
                operator.params.iter().map(|(name, _)| *name).zip(columns.iter().cloned()).collect();
            let points = Points::from_lengths(vec![1; n]);
            let env = Env { language: &language, points: &points, vars: &vars, causal: false };
            let use_of = Term::op(id, operator.params.iter().map(|(name, _)| Term::var(*name)).collect());
            assert_eq!(eval(&use_of, &env).expect("evaluates").codes, by_apply.codes, "{}", operator.name);
            let meaning = eval(&operator.meaning, &env).expect("evaluates");
            let condition = operator.condition.as_ref().map(|condition| eval(condition, &env).expect("evaluates"));
            for point in 0..n {
                let holds = condition.as_ref().is_none_or(|condition| condition.codes[point] == 1);
                let expected = if holds { meaning.codes[point] } else { UNDEFINED };
                assert_eq!(by_apply.codes[point], expected, "{}", operator.name);
            }
        }
    }
}

#[test]
fn a_batch_is_evaluated_as_its_sequences_are() {
    let language = shipped("rasp");
    let vars = inputs("rasp");
    let mut rng = rng(4, "batches");
    let mut generator = Generator::new(&language, rng.clone(), &vars);
    for causal in [false, true].into_iter().cycle().take(200) {
        let term = generator.program(5);
        let (points, columns) = batch("rasp", &mut rng);
        let env = Env { language: &language, points: &points, vars: &columns, causal };
        let whole = eval(&term, &env).expect("evaluates");
        for range in points.ranges() {
            let chosen: Vec<usize> = range.clone().collect();
            let own: Vec<(Symbol, Column)> = columns.iter().map(|(name, c)| (*name, c.select(&chosen))).collect();
            let points = Points::from_lengths([range.len()]);
            let env = Env { language: &language, points: &points, vars: &own, causal };
            let alone = eval(&term, &env).expect("evaluates");
            assert_eq!(alone.codes, whole.codes[range], "{}", print(&term, &language));
        }
    }
}

/// A value of an output as Python prints it in the test's own format.
fn expected(value: Value, integers: bool) -> String {
    match value {
        Value::Undefined => "None".to_owned(),
        Value::Bool(b) if integers => u8::from(b).to_string(),
        Value::Bool(b) => if b { "True" } else { "False" }.to_owned(),
        Value::Int(i) => i.to_string(),
        Value::BitVec { bits, .. } => bits.to_string(),
        Value::Real(r) => format!("r{:.6}", if r == 0.0 { 0.0 } else { r }),
        Value::Symbol(s) | Value::Enum(_, s) => format!("s{}", s.as_str().replace(['"', '\\'], "_")),
    }
}

/// Runs Python text; `None` where there is no Python.
fn run_python(script: &str) -> Option<String> {
    let spawned = Command::new("python3").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = spawned else { return None };
    child.stdin.take()?.write_all(script.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).ok()
}

fn check_python(name: &str, n_programs: usize) {
    let language: Language = shipped(name);
    let vars = inputs(name);
    let mut rng = rng(5, name);
    let mut generator = Generator::new(&language, rng.clone(), &vars);
    let mut script = String::from(
        "def show(v):\n    if isinstance(v, list):\n        return [show(e) for e in v]\n    if isinstance(v, float):\n        \
         return 'r%.6f' % (v + 0.0)\n    if isinstance(v, str):\n        return 's' + v.replace('\"', '_').replace('\\\\', '_')\n    return str(v)\n\n",
    );
    let mut lines: Vec<(String, String)> = Vec::new();
    for i in 0..n_programs {
        let output = PythonOutput { integers: i % 2 == 0, causal: i % 3 == 0 };
        let term = generator.program(i % 6);
        let text = python(&term, &language, &vars, output).expect("has a sort");
        let n_outputs = program_sorts(&term, &language, &vars).expect("has a sort").len();
        let (points, columns) = batch(name, &mut rng);
        let env = Env { language: &language, points: &points, vars: &columns, causal: output.causal };
        let values = eval_program(&term, &env).expect("evaluates");
        script.push_str(&format!("scope = {{}}\nexec({text:?}, scope)\n"));
        for range in points.ranges() {
            let element = |point: usize| match name {
                "rasp" | "sequences" => {
                    format!("'{}'", Symbol::from_code(columns[0].1.codes[point]).expect("a symbol"))
                }
                "bitvectors" | "frames" => {
                    format!("[{}, {}]", columns[0].1.codes[point], columns[1].1.codes[point] as u64)
                }
                _ => format!("[{}, {}]", columns[0].1.codes[point], columns[1].1.codes[point]),
            };
            let sequence: Vec<String> = range.clone().map(element).collect();
            script.push_str(&format!("print(show(scope['run']([{}])))\n", sequence.join(", ")));
            let rows: Vec<String> = range
                .map(|point| {
                    let row: Vec<String> = values
                        .iter()
                        .map(|column| format!("'{}'", expected(column.value(point), output.integers)))
                        .collect();
                    if n_outputs == 1 { row[0].clone() } else { format!("[{}]", row.join(", ")) }
                })
                .collect();
            lines.push((format!("[{}]", rows.join(", ")), format!("{}\n{text}", print(&term, &language))));
        }
    }
    let Some(printed) = run_python(&script) else {
        return skipped("python3 is not there: Python text was not run");
    };
    assert_eq!(printed.lines().count(), lines.len());
    for (found, (expected, text)) in printed.lines().zip(&lines) {
        assert_eq!(found, expected, "{text}");
    }
}

#[allow(clippy::print_stderr, reason = "a test that does not run says so")]
fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

#[test]
fn python_computes_what_recurrent_programs_do() {
    check_python("recurrent", 300);
}

#[test]
fn python_computes_what_programs_about_bit_vectors_do() {
    check_python("bitvectors", 600);
    check_python("frames", 300);
}

#[test]
fn python_computes_what_rasp_programs_do() {
    check_python("rasp", 300);
}

#[test]
fn python_computes_what_programs_over_token_sequences_do() {
    check_python("sequences", 150);
}
