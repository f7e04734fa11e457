//! `ventris synth` on files: what it prints, and how it ends.

use std::path::PathBuf;

use crate::harness::{root, run, skipped, write};

fn case(path: &str) -> PathBuf {
    root().join("crates/sygus/tests/cases").join(path)
}

#[test]
fn a_problem_is_solved_as_text_and_as_json() {
    let done = run("synth {0}", &[&case("solved/lowest_bit.sl")]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.starts_with("; f: proved for all inputs; 4 nodes, cost 4, minimal"), "{}", done.stdout);
    assert!(done.stdout.contains("(define-fun f ((x (_ BitVec 16))) (_ BitVec 16) (bvand "), "{}", done.stdout);
    let done = run("synth {0} --format json", &[&case("solved/two.sl")]);
    let result = done.json();
    assert_eq!(result["status"], "solved");
    assert_eq!(result["functions"].as_array().map(Vec::len), Some(2));
    assert_eq!(result["functions"][0]["nodes"], 6);
    assert_eq!(result["functions"][0]["lower_bound"], result["functions"][0]["cost"]);
}

#[test]
fn what_is_not_solved_says_why_and_has_a_code_of_its_own() {
    let done = run("synth {0}", &[&case("unsolved/infeasible.sl")]);
    assert_eq!((done.code, done.stdout.lines().last()), (3, Some("infeasible")), "{}", done.stdout);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = "(set-logic LIA)
        (synth-fun f ((x Int)) Int ((I Int)) ((I Int (x 1 (+ I I)))))
        (declare-var x Int) (constraint (= (f x) (- 0 x))) (check-synth)";
    let hopeless = write(folder.path(), "hopeless.sl", text);
    let done = run("synth {0} --time-limit 0.5", &[&hopeless]);
    assert_eq!((done.code, done.stdout.lines().last()), (3, Some("fail")), "{}", done.stdout);
    assert!(done.stdout.starts_with("; stopped by: time; no solution costs less than "), "{}", done.stdout);
    for limit in ["classes", "memory"] {
        let done = run(&format!("synth {{0}} --max-{limit} 1"), &[&hopeless]);
        assert!(done.code == 3 && done.stdout.starts_with(&format!("; stopped by: {limit}")), "{}", done.stdout);
    }
    let result = run("synth {0} --time-limit 0.5 --format json", &[&hopeless]).json();
    assert_eq!((&result["status"], &result["reason"]), (&"fail".into(), &"time".into()));
    assert_eq!(result["unsolved"][0]["functions"], serde_json::json!(["f"]));
    assert!(result["unsolved"][0]["lower_bound"].as_u64().is_some_and(|bound| bound > 10), "{result}");
    let text = "(set-logic LIA) (synth-fun f ((x Int) (y Int)) Int) (declare-var x Int)
        (constraint (> (f x 3) (* x x))) (constraint (< (f x 3) 5)) (check-synth)";
    let impossible = write(folder.path(), "impossible.sl", text);
    let done = run("synth {0}", &[&impossible]);
    assert!(done.stdout.starts_with("; no value is right for x = "), "{}", done.stdout);
    assert!(done.stdout.ends_with(", y = 3\ninfeasible\n"), "{}", done.stdout);
    assert!(done.stderr.contains("warning: the logic LIA has no products of unknowns"), "{}", done.stderr);
    assert_eq!(run("synth {0} --quiet", &[&impossible]).stderr, "");
    let done = run("synth {0}", &[&case("refused/sorts.sl")]);
    assert_eq!((done.code, done.stdout.as_str()), (1, ""));
    assert!(done.stderr.contains("sorts.sl:5:"), "{}", done.stderr);
}

#[test]
fn all_smallest_solutions_and_the_front_are_listed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = "(set-logic LIA)
        (synth-fun f ((x Int) (y Int)) Int ((I Int)) ((I Int (x y 0 1 (+ I I) (- I I)))))
        (declare-var x Int) (declare-var y Int)
        (constraint (= (f x y) (- (+ x 1) y))) (check-synth)";
    let problem = write(folder.path(), "p.sl", text);
    let done = run("synth {0} --all", &[&problem]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.starts_with("; 5 of cost 5, each proved for all inputs; no others"), "{}", done.stdout);
    for body in ["(- 1 (- y x))", "(- x (- y 1))"] {
        assert!(done.stdout.contains(body), "{body}: {}", done.stdout);
    }
    assert!(done.stdout.contains("; minimal: no solution costs less than 5\n"), "{}", done.stdout);
    let result = run("synth {0} --all --front --format json", &[&problem]).json();
    assert_eq!(result["all"]["definitions"].as_array().map(Vec::len), Some(5));
    assert!(result["all"]["stopped_by"].is_null());
    let front = result["front"].as_array().expect("a list");
    let of = |key: &str| front.iter().map(|fit| fit[key].as_u64().expect("a number")).collect::<Vec<_>>();
    assert!(of("cost").is_sorted_by(|a, b| a < b) && of("right").is_sorted_by(|a, b| a < b), "{front:?}");
    assert_eq!(front.last().map(|fit| fit["right"] == fit["inputs"]), Some(true));
    let done = run("synth {0} --all", &[&case("solved/two.sl")]);
    assert!(
        done.code == 0 && done.stdout.starts_with("; not listed: only problems with one function"),
        "{}",
        done.stdout
    );
}

#[test]
fn threads_do_not_change_an_answer() {
    let one = run("synth {0} --threads 1", &[&case("solved/greatest.sl")]);
    let two = run("synth {0} --threads 2", &[&case("solved/greatest.sl")]);
    assert_eq!(one.stdout, two.stdout);
}

/// A few problems of the shared set, each of another kind.
#[test]
fn shared_problems_are_solved() {
    for name in ["clia_max2", "gen_qm_loop_1", "hd_03_d1", "pbebv_PRE_132_100", "own_bracket_step"] {
        let path = root().join("../shared/sygus/problems").join(format!("{name}.sl"));
        if !path.exists() {
            skipped!("no {}", path.display());
            continue;
        }
        let done = run("synth {0} --time-limit 120", &[&path]);
        assert_eq!(done.code, 0, "{name}: {}{}", done.stdout, done.stderr);
    }
}

#[test]
fn functions_of_a_dsl_file_are_found_under_its_grammar_and_costs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::copy(root().join("dsl/examples/lights.dsl"), folder.path().join("lights.dsl")).expect("is copied");
    let text = "(include \"lights\")
        (synth-fun keep ((l Light) (m Light)) Light :grammar controller :means (ite (may_drive m) l (next l)))
        (synth-fun back ((l Light)) Light :examples ((red) yellow) ((green) red))";
    let own = write(folder.path(), "own.dsl", text);
    let done = run("synth {0}", &[&own]);
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (
            0,
            "; keep: right at all 9 inputs; cost 7, minimal: no term of the grammar controller costs less than 7
(define-fun keep ((l Light) (m Light)) Light (choose (may_drive m) l (next l)))
; back: right at 2 inputs, more is not known; cost 3, minimal: no term of the operators and constants tried costs less than 3
(define-fun back ((l Light)) Light (next (next l)))
"
        ),
        "{}",
        done.stderr
    );
    let result = run("synth {0} --format json", &[&own]).json();
    assert_eq!((&result["status"], result["functions"].as_array().map(Vec::len)), (&"solved".into(), Some(2)));
    assert_eq!(result["functions"][0]["evidence"], "exhaustive");
    assert_eq!(result["functions"][1]["evidence"], "sampled");
}

#[test]
fn all_terms_for_functions_of_a_dsl_file_and_the_front_are_listed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = "(constants Int 0 1 5 :cost 1)
        (define-fun + ((a Int) (b Int)) Int (+ a b) :cost 1 :commutative)
        (define-fun - ((a Int) (b Int)) Int (- a b) :cost 1)
        (define-fun * ((a Int) (b Int)) Int (* a b) :cost 2 :commutative)
        (define-fun % ((a Int) (b Int)) Int (mod a b) :when (> b 0) :cost 1)
        (grammar sums (Start Int ((Variable Int) (Constant Int) (+ Start Start) (- Start Start))))
        (synth-fun f ((x Int) (y Int)) Int :grammar sums :means (- (+ x 1) y))
        (synth-fun g ((x Int)) Int :examples ((1) 1) ((2) 4) ((3) 9) ((5) 0))";
    let own = write(folder.path(), "own.dsl", text);
    let done = run("synth {0} --all --front", &[&own]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let first = "; f: 5 of cost 5; no others of that cost, mirror images aside; \
                 minimal: no term of the grammar sums costs less than 5\n; proved: ";
    assert!(done.stdout.starts_with(first), "{}", done.stdout);
    for body in ["(- 1 (- y x))", "(- x (- y 1))"] {
        assert!(done.stdout.contains(&format!("(define-fun f ((x Int) (y Int)) Int {body})")), "{}", done.stdout);
    }
    let front = "; g: cost 4: right at 3 of 4 inputs\n(define-fun g ((x Int)) Int (* x x))\n; g: cost ";
    assert!(done.stdout.contains(front), "{}", done.stdout);
    let result = run("synth {0} --all --front --format json", &[&own]).json();
    let functions = &result["functions"];
    assert_eq!(functions[0]["all"]["definitions"].as_array().map(Vec::len), Some(5));
    assert_eq!((&functions[0]["all"]["evidence"], &functions[0]["all"]["cost"]), (&"proved".into(), &5.into()));
    assert!(functions[0]["all"]["stopped_by"].is_null());
    let last = functions[1]["front"].as_array().and_then(|front| front.last()).expect("a front");
    assert_eq!((&last["right"], &last["inputs"]), (&4.into(), &4.into()));
    assert_eq!(functions[1]["all"]["evidence"], "sampled");
    // What is not found has nothing to list.
    let two = "(include \"integers\") (synth-fun f ((x Int)) Int :examples ((1) 2) ((1) 3))";
    let done = run("synth {0} --all --front", &[&write(folder.path(), "two.dsl", two)]);
    assert!(done.code == 3 && done.stdout.starts_with("; f: infeasible: "), "{}", done.stdout);
}

#[test]
fn functions_of_a_dsl_file_that_are_not_found_say_why() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let two = "(synth-fun f ((x Int)) Int :examples ((1) 2) ((1) 3))";
    let two = write(folder.path(), "two.dsl", format!("(include \"integers\") {two}"));
    let done = run("synth {0}", &[&two]);
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (3, "; f: infeasible: two examples have the arguments 1, and the values 2 and 3\n")
    );
    let hard = "(synth-fun f ((x Int) (y Int)) Int :means (* (isqrt (abs (* x y))) (isqrt (abs (- x y)))))
        (synth-fun g ((x Int)) Int :means (+ x 1))";
    let hard = write(folder.path(), "hard.dsl", format!("(include \"integers\") {hard}"));
    let done = run("synth {0} --time-limit 1", &[&hard]);
    assert_eq!(done.code, 3);
    assert!(done.stdout.starts_with("; f: fail, stopped by: time; no term of the operators"), "{}", done.stdout);
    assert!(done.stdout.contains("(define-fun g "), "each function has its share of the time: {}", done.stdout);
    let none = write(folder.path(), "none.dsl", "(include \"integers\")");
    let done = run("synth {0}", &[&none]);
    assert_eq!((done.code, done.stdout.as_str()), (1, ""));
    assert!(done.stderr.contains("asks for no function"), "{}", done.stderr);
}

#[test]
fn constants_of_a_dsl_file_that_no_example_has_are_solved_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = "(include \"integers\") (constants Int 0 1 :cost 1 :solve)
        (grammar lines (Start Int ((+ (* (Constant Int) x) (Constant Int)))))
        (synth-fun fee ((x Int)) Int :grammar lines :examples ((1) 1048) ((2) 1085) ((5) 1196) ((-3) 900))";
    let own = write(folder.path(), "own.dsl", text);
    let done = run("synth {0}", &[&own]);
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert!(done.stdout.contains("with the constants tried costs less than"), "{}", done.stdout);
    assert!(done.stdout.contains("\n; constants tried: those listed, 1048 1085 "), "{}", done.stdout);
    assert!(done.stdout.ends_with("(define-fun fee ((x Int)) Int (+ (* 37 x) 1011))\n"), "{}", done.stdout);
    let result = run("synth {0} --format json", &[&own]).json();
    let function = &result["functions"][0];
    assert_eq!((&function["bound_scope"], &function["evidence"]), (&"constants_tried".into(), &"sampled".into()));
    assert!(function["constants"]["shapes"].as_u64().is_some_and(|n| n > 0), "{function}");
    // Modulo 2^16, and proved against the meaning.
    let text = "(include \"bitvectors\") (constants (_ BitVec 16) #x0001 :cost 1 :solve)
        (grammar steps (Start (_ BitVec 16) ((bvadd (bvmul x (Constant (_ BitVec 16))) (Constant (_ BitVec 16))))))
        (synth-fun step ((x (_ BitVec 16))) (_ BitVec 16) :grammar steps :means (bvneg (bvsub (bvmul x #x3039) #x00ff)))";
    let done = run("synth {0}", &[&write(folder.path(), "bits.dsl", text)]);
    assert!(done.stdout.starts_with("; step: right at all 65536 inputs; "), "{}{}", done.stdout, done.stderr);
    assert!(done.stdout.ends_with("(bvadd (bvmul x #xcfc7) #x00ff))\n"), "{}", done.stdout);
}
