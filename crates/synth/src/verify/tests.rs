//! Tests of verification: sound rules pass, broken ones are refused with a counterexample.

use dsl::Language;
use smt::Solver;

use super::{Extent, RuleReport, Verdict, VerifyLimits, check_language, check_operators, run_checks};
use crate::testing::language;

fn reports(language: &Language) -> Vec<RuleReport> {
    check_language(language, &mut Solver::new(), &VerifyLimits::new())
}

/// The verdict on one rule over integers, truth values and selectors.
#[track_caller]
fn verdict(rule: &str) -> Verdict {
    let text = format!(
        "(define-fun + ((a 'N) (b 'N)) 'N (+ a b))
         (define-fun - ((a 'N) (b 'N)) 'N (- a b))
         (define-fun * ((a 'N) (b 'N)) 'N (* a b))
         (define-fun // ((a Int) (b Int)) Int (div a b))
         (define-fun % ((a Int) (b Int)) Int (mod a b))
         (define-fun ite ((c Bool) (a 'A) (b 'A)) 'A (ite c a b))
         (define-fun = ((a 'A) (b 'A)) Bool (= a b))
         (define-fun < ((a 'N) (b 'N)) Bool (< a b))
         (define-fun and ((a Bool) (b Bool)) Bool (and a b))
         (define-fun width ((s Selector)) Int (width s))
         (define-fun sel_and ((s Selector) (t Selector)) Selector (sel_and s t))
         (define-fun sel_not ((s Selector)) Selector (sel_not s))
         (define-fun copy ((s Selector) (v 'A)) 'A (copy s v))
         (rewrite it {rule})"
    );
    let reports = reports(&language(&text));
    let [report] = &reports[..] else { panic!("{reports:?}") };
    report.verdict.clone()
}

#[track_caller]
fn refused(rule: &str) -> String {
    match verdict(rule) {
        Verdict::Unsound { counterexample } => counterexample.to_string(),
        other => panic!("{rule}: {other:?}"),
    }
}

#[test]
fn sound_rules_are_proved() {
    for rule in ["(+ a b) (+ b a)", "(- (+ a b) b) a :when (defined b)", "(ite (= a b) a b) b :when (defined a)"] {
        let verdict = verdict(rule);
        assert!(matches!(verdict, Verdict::Proved { .. }), "{rule}: {verdict:?}");
    }
}

#[test]
fn broken_rules_are_refused_with_a_counterexample() {
    let text = refused("(- a b) (- b a)");
    assert!(text.starts_with("a = 0, b = 1") || text.starts_with("a = 1, b = 0"), "{text}");
    // Far from zero: only the solver knows.
    let text = refused("(< a 1000) (< a 1001)");
    assert!(text.contains("1000"), "{text}");
}

#[test]
fn definedness_counts() {
    let text = refused("(% (* a b) b) 0 :when (defined a)");
    assert!(text.contains("b = 0") || text.contains("b = none"), "{text}");
    assert!(text.contains("the left side is none"), "{text}");
    refused("(- a a) 0");
    assert!(matches!(verdict("(- a a) 0 :when (defined a)"), Verdict::Proved { .. }));
    refused("(// (* a b) b) a");
    assert!(verdict("(// (* a b) b) a :when ((defined b) (< 0 b))").holds());
}

#[test]
fn what_the_solver_cannot_decide_rests_on_a_stated_scope() {
    let verdict = verdict("(% (* (% a b) (% c b)) b) (% (* a c) b)");
    match verdict {
        Verdict::Exhaustive { scope } => assert!(scope.contains("integers from -"), "{scope}"),
        Verdict::Proved { .. } => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn premises_must_be_satisfiable() {
    assert_eq!(verdict("(+ a 0) 7 :when ((< a 0) (< 0 a))"), Verdict::Vacuous);
    // Satisfiable, but by nothing small.
    assert!(matches!(verdict("(+ a 0) a :when (< 5000 a)"), Verdict::Proved { .. }));
}

#[test]
fn selectors_are_run_on_short_sequences() {
    let sound = verdict("(sel_not (sel_not s)) s");
    assert!(matches!(&sound, Verdict::Exhaustive { scope } if scope.contains("length")), "{sound:?}");
    assert!(verdict("(sel_and s t) (sel_and t s)").holds());
    let text = refused("(width (sel_and s t)) (width s)");
    assert!(text.contains('{'), "{text}");
    refused("(copy s v) v");
}

#[test]
fn every_shipped_rule_holds() {
    let mut n_proved = 0;
    let mut solver = Solver::new();
    // The others are included.
    for name in ["recurrent", "rasp", "bitvectors"] {
        let language = language(Language::shipped(name).unwrap());
        for report in check_language(&language, &mut solver, &VerifyLimits::new()) {
            assert!(report.verdict.holds(), "{name}: {} {:?}", report.rule, report.verdict);
            let proved = matches!(report.verdict, Verdict::Proved { .. });
            // Total functions of finitely many values: nothing is left to samples.
            assert!(proved || name != "bitvectors", "{} {:?}", report.rule, report.verdict);
            n_proved += usize::from(proved);
        }
    }
    assert!(n_proved > 100, "{n_proved}");
}

#[test]
fn reports_are_the_same_every_time() {
    let language = language(Language::shipped("booleans").unwrap());
    assert_eq!(reports(&language), reports(&language));
}

#[test]
fn assumed_rules_are_accepted_unproved_but_never_against_a_counterexample() {
    assert!(matches!(verdict("(+ a b) (+ b a) :assumed"), Verdict::Proved { .. }));
    assert!(matches!(verdict("(- a b) (- b a) :assumed"), Verdict::Unsound { .. }));
    assert_eq!(verdict("(+ a 0) 7 :when ((< a 0) (< 0 a)) :assumed"), Verdict::Vacuous);
    // True of nothing that is run, and too hard for the solver.
    let hard = "(+ a (+ b c)) a :when ((= (+ (* a (* a a)) (* b (* b b))) (* c (* c c))) (< 5000 a) (< 5000 b))";
    let undecided = verdict(hard);
    assert!(matches!(undecided, Verdict::Undecided { .. }), "{undecided:?}");
    let assumed = verdict(&format!("{hard} :assumed"));
    assert!(matches!(assumed, Verdict::Assumed { .. }) && assumed.holds(), "{assumed:?}");
}

#[test]
fn operators_are_total_or_say_where_not() {
    let language = language(
        "(declare-datatype Color ((red) (green) (blue)))
         (define-table next (Color) Color ((red) green) ((green) blue) ((blue) red))
         (define-table warm (Color) Bool ((red) true) ((blue) false) :total)
         (define-fun + ((a Int) (b Int)) Int (+ a b))
         (define-fun half ((a Int)) Int (div a 2))
         (define-fun // ((a Int) (b Int)) Int (div a b) :total)
         (define-fun root ((a Int)) Int (isqrt a) :when (< 100000 a))
         (define-fun width ((s Selector)) Int (width s))
         (define-fun copy ((s Selector) (v 'A)) 'A (copy s v))",
    );
    let reports = check_operators(&language, &mut Solver::new(), &VerifyLimits::new());
    let found = |name: &str| reports.iter().find(|report| report.name.as_str() == name).expect("reported");
    for name in ["next", "+", "half"] {
        assert!(matches!(found(name).extent, Extent::Total { proved: true, .. }), "{:?}", found(name));
    }
    assert!(matches!(found("width").extent, Extent::Total { proved: false, .. }), "{:?}", found("width"));
    assert_eq!(found("warm").extent, Extent::Partial { witness: "a1 = green".to_owned() });
    assert_eq!(found("//").extent, Extent::Partial { witness: "a = 0, b = 0".to_owned() });
    for name in ["root", "copy"] {
        assert!(matches!(found(name).extent, Extent::Partial { .. }), "{:?}", found(name));
    }
    let wrong: Vec<&str> = reports.iter().filter(|report| !report.holds()).map(|report| report.name.as_str()).collect();
    assert_eq!(wrong, ["warm", "//"]);
}

#[test]
fn files_test_themselves() {
    let language = language(
        "(define-fun + ((a Int) (b Int)) Int (- a b))
         (define-fun // ((a Int) (b Int)) Int (div a b))
         (check (= (+ 5 2) 3) (defined (// 1 2)) (= (+ 1 1) 2))
         (fail (= (+ 5 2) 7) (= (// 1 0) 0) (= (+ 5 2) 3))
         (fail (check (= 1 2)))",
    );
    let passed: Vec<bool> = run_checks(&language).iter().map(|report| report.passed).collect();
    assert_eq!(passed, [true, true, false, true, true, false, true]);
}

#[test]
fn what_sorts_with_parts_say_of_themselves_holds() {
    let language = language(
        "(declare-datatype Color ((red) (green) (blue)))
         (declare-datatype Pair ((pair (size (range 0 3)) (color Color))))
         (declare-datatype Found ((nothing) (found (what Pair)) (seen (how_often (range 1 2)))))
         (declare-sequence Word Color 2)
         (rewrite last-of-push (Word.last (Word.push w c)) c :when (defined (Word.push w c)))
         (rewrite wrong (Word.first (Word.push w c)) c :when (defined (Word.push w c)))",
    );
    let reports = reports(&language);
    let wrong: Vec<&str> = reports.iter().filter(|r| !r.verdict.holds()).map(|r| r.rule.as_str()).collect();
    assert_eq!(wrong, ["wrong"]);
    assert_eq!(reports.len(), 7, "{reports:?}");
}

#[test]
fn rules_over_finite_sorts_are_proved_by_running_them() {
    let steps: String = (0..40).map(|i| format!("((s{i}) s{})", (i + 1) % 40)).collect::<Vec<_>>().join(" ");
    let names: String = (0..40).map(|i| format!("(s{i})")).collect();
    // As an assertion the nested tables take Z3 minutes, which its resources do not count.
    let rule = |times: usize| format!("(rewrite r {}a{} (next a))", "(next ".repeat(times), ")".repeat(times));
    let text = |times: usize| {
        format!("(declare-datatype Step ({names})) (define-table next (Step) Step {steps} :total) {}", rule(times))
    };
    let mut solver = Solver::new();
    let checked = |times: usize, solver: &mut Solver| {
        check_language(&language(&text(times)), solver, &VerifyLimits::new()).remove(0).verdict
    };
    let verdict = checked(41, &mut solver);
    assert!(matches!(&verdict, Verdict::Proved { scope } if scope == "all values, undefined included"), "{verdict:?}");
    assert!(matches!(checked(40, &mut solver), Verdict::Unsound { .. }));
    assert_eq!(solver.n_asked(), 0);
}

#[test]
fn large_finite_sorts_are_run_in_part() {
    let text = "(declare-sequence Word (range 0 8) 3)
        (define-fun pick ((a Word) (b Word)) Word (ite (= a b) b a))
        (rewrite r (pick (pick (pick (pick (pick a b) c) d) e) f) (pick (pick (pick (pick (pick a c) b) d) e) f))";
    let verdict = &reports(&language(text))[0].verdict;
    assert!(verdict.holds(), "{verdict:?}");
}
