//! Every file under `tests/cases` is a test: its lines `; expect: TEXT` must stand in what comes out.

use std::path::{Path, PathBuf};

use smt::Solver;
use sygus::{Answer, Options, Problem, print, solve};

fn cases(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(folder);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("the folder exists").map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "a run without cases shows nothing");
    files
}

#[track_caller]
fn check(path: &Path, text: &str, output: &str) {
    let expected: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("; expect: ")).collect();
    assert!(!expected.is_empty(), "{}: says what to expect", path.display());
    for line in expected {
        assert!(output.contains(line), "{}: expected {line}, found\n{output}", path.display());
    }
}

fn answer(text: &str, seed: u64) -> (Answer, String) {
    let problem = Problem::parse("case.sl", text).unwrap_or_else(|error| panic!("{error}"));
    let answer = solve(&problem, &Options::new(seed), &mut Solver::new(), &|| false);
    let output = print(&problem, &answer);
    (answer, output)
}

#[test]
fn problems_are_solved() {
    for path in cases("solved") {
        let text = std::fs::read_to_string(&path).expect("readable");
        let (answer, output) = answer(&text, 0);
        assert!(matches!(answer, Answer::Solved(_)), "{}: {output}", path.display());
        check(&path, &text, &output);
    }
}

#[test]
fn what_has_no_solution_is_said_to_have_none() {
    for path in cases("unsolved") {
        let text = std::fs::read_to_string(&path).expect("readable");
        check(&path, &text, &answer(&text, 0).1);
    }
}

#[test]
fn mistakes_are_underlined() {
    for path in cases("refused") {
        let text = std::fs::read_to_string(&path).expect("readable");
        let error = Problem::parse("case.sl", &text).expect_err("the file is wrong").to_string();
        check(&path, &text, &error);
        assert!(error.contains("case.sl:") && error.contains('^'), "{error}");
    }
}

#[test]
fn the_same_seed_gives_the_same_answer_and_every_seed_a_right_one() {
    let path = cases("solved").into_iter().find(|path| path.ends_with("greatest.sl")).expect("the case is there");
    let text = std::fs::read_to_string(path).expect("readable");
    assert_eq!(answer(&text, 3).1, answer(&text, 3).1);
    for seed in 0..4 {
        assert!(matches!(answer(&text, seed).0, Answer::Solved(_)), "seed {seed}");
    }
}

#[test]
fn a_limit_that_fires_is_named() {
    let text = "(set-logic LIA)
        (synth-fun f ((x Int)) Int ((I Int)) ((I Int (x 1 (+ I I)))))
        (declare-var x Int) (constraint (= (f x) (- 0 x))) (check-synth)";
    let problem = Problem::parse("case.sl", text).expect("well-formed");
    let mut options = Options::new(0);
    options.limits.max_candidates = 2000;
    let answer = solve(&problem, &options, &mut Solver::new(), &|| false);
    assert!(matches!(&answer, Answer::Fail(reason) if reason == "candidates"), "{answer:?}");
    let answer = solve(&problem, &Options::new(0), &mut Solver::new(), &|| true);
    assert!(matches!(&answer, Answer::Fail(reason) if reason == "time"), "{answer:?}");
}
