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
    let answer = solve(&problem, &Options::new(seed), &mut Solver::in_one_context(), &|| false);
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
    let answer = solve(&problem, &options, &mut Solver::in_one_context(), &|| false);
    assert!(matches!(&answer, Answer::Fail(unsolved) if unsolved.limit == "candidates"), "{answer:?}");
    let answer = solve(&problem, &Options::new(0), &mut Solver::in_one_context(), &|| true);
    assert!(matches!(&answer, Answer::Fail(unsolved) if unsolved.limit == "time"), "{answer:?}");
}

/// What levels that were finished say of cost.
#[test]
fn a_limit_that_fires_leaves_a_bound_on_cost() {
    let one = "(set-logic LIA)
        (synth-fun f ((x Int)) Int ((I Int)) ((I Int (x 1 (+ I I)))))
        (declare-var x Int) (constraint (= (f x) (- 0 x))) (check-synth)";
    // Every body costs an odd number of nodes, and all are wrong.
    assert!(bound(one, 2000) >= 9, "{}", bound(one, 2000));
    assert!(bound(one, 20_000) > bound(one, 2000));
    let two = "(set-logic LIA)
        (synth-fun f ((x Int)) Int ((I Int)) ((I Int (x 1 (+ I I)))))
        (synth-fun g ((x Int)) Int ((I Int)) ((I Int (x 1 (+ I I)))))
        (declare-var x Int) (constraint (= (+ (f x) (g x)) (- 0 x))) (check-synth)";
    assert!(bound(two, 2000) >= 6, "{}", bound(two, 2000));
    // What may be right bounds what is said: x + x + x + x + x costs nine.
    let nine = "(set-logic LIA)
        (synth-fun f ((x Int)) Int ((I Int)) ((I Int (x 1 (+ I I)))))
        (declare-var x Int) (constraint (= (f x) (* 5 x))) (check-synth)";
    for most in [1, 2, 5, 10, 20] {
        let problem = Problem::parse("case.sl", nine).expect("well-formed");
        let mut options = Options::new(0);
        options.limits.max_candidates = most;
        match solve(&problem, &options, &mut Solver::in_one_context(), &|| false) {
            Answer::Fail(unsolved) => assert!(unsolved.lower_bound <= 9, "{unsolved:?}"),
            Answer::Solved(found) => assert!(found[0].lower_bound <= 9, "{found:?}"),
            Answer::Infeasible(reason) => panic!("{reason}"),
        }
    }
}

fn bound(text: &str, max_candidates: u64) -> u32 {
    let problem = Problem::parse("case.sl", text).expect("well-formed");
    let mut options = Options::new(0);
    options.limits.max_candidates = max_candidates;
    match solve(&problem, &options, &mut Solver::in_one_context(), &|| false) {
        Answer::Fail(unsolved) => unsolved.lower_bound,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_logic_does_not_have_is_told_and_read() {
    let check = |text: &str, expected: Option<&str>| {
        let problem = Problem::parse("case.sl", text).unwrap_or_else(|error| panic!("{error}"));
        let said: Vec<String> = problem.warnings.iter().map(|warning| warning.to_string()).collect();
        match expected {
            None => assert!(said.is_empty(), "{said:?}"),
            Some(expected) => assert!(said.len() == 1 && said[0].contains(expected), "{said:?}"),
        }
    };
    let square = |logic: &str, value: &str| {
        format!(
            "(set-logic {logic}) (define-fun times ((a Int) (b Int)) Int (* a b)) (synth-fun f ((x Int)) Int)
            (declare-var x Int) (constraint (= (f x) {value})) (constraint (= (f x) {value})) (check-synth)"
        )
    };
    let told = "case.sl:2:45\n  |\n2 |             (declare-var x Int) (constraint (= (f x) (* x x)))";
    check(&square("LIA", "(* x x)"), Some(told));
    check(&square("LIA", "(times x x)"), Some("the logic LIA has no products of unknowns"));
    check(&square("LIA", "(div 7 x)"), Some("the logic LIA has no products of unknowns, nor quotients"));
    check(&square("LIA", "(+ (times 2 x) (* (* 3 3) x) (div x 2))"), None);
    check(&square("NIA", "(* x x)"), None);
    check(&square("BV", "x"), Some("the logic BV has no integers"));
    check("(set-logic LIA) (synth-fun f ((x (_ BitVec 4))) Bool) (check-synth)", Some("has no bit-vectors"));
}

/// Pieces of the files deleted, doubled and exchanged: an answer or a report, never a panic, and in bounded time.
#[test]
fn damaged_files_are_read_or_refused() {
    let mut state = 7_usize;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below.max(1)
    };
    let (mut n_read, mut n_refused) = (0, 0);
    for path in ["solved", "unsolved", "refused"].into_iter().flat_map(cases) {
        let text = std::fs::read_to_string(&path).expect("readable");
        let words: Vec<&str> = text.split_inclusive([' ', '(', ')', '\n']).collect();
        for _ in 0..150 {
            let mut damaged = words.clone();
            for _ in 0..=next(3) {
                let (from, to) = (next(damaged.len()), next(damaged.len()));
                match next(3) {
                    0 => drop(damaged.remove(from)),
                    1 => damaged.insert(to, damaged[from]),
                    _ => damaged.swap(from, to),
                }
            }
            match Problem::parse("damaged.sl", &damaged.concat()) {
                Ok(_) => n_read += 1,
                Err(error) => {
                    assert!(!error.items.is_empty());
                    n_refused += 1;
                }
            }
        }
    }
    assert!(n_read > 100 && n_refused > 100, "{n_read} read, {n_refused} refused");
}

#[test]
fn definitions_that_double_are_refused_in_time() {
    let mut text = String::from("(set-logic LIA)\n(define-fun f0 ((x Int)) Int (+ x x))\n");
    for i in 1..60 {
        text += &format!("(define-fun f{i} ((x Int)) Int (f{} (f{} x)))\n", i - 1, i - 1);
    }
    text += "(synth-fun f ((x Int)) Int)\n(check-synth)\n";
    let error = Problem::parse("doubling.sl", &text).expect_err("too large").to_string();
    assert!(error.contains("too large a term") || error.contains("too many applications"), "{error}");
}
