//! Tests of simplification.

use dsl::{Env, Language, Node, Term};
use rand::Rng as _;
use samples::{Column, Points, Sort, Symbol, UNDEFINED, rng};

use super::{Known, RuleSet, SaturationLimits, SaturationStop, simplify};

fn shipped(name: &str) -> Language {
    let include = |name: &str| Language::shipped(name).map(str::to_owned);
    Language::parse(name, Language::shipped(name).unwrap(), &include).unwrap_or_else(|problems| panic!("{problems}"))
}

fn inputs() -> Vec<Known> {
    vec![
        Known::input("x", Sort::Int),
        Known::input("y", Sort::Int),
        Known::range("d", 0, 9),
        Known::input("p", Sort::Bool),
        Known::partial("u", Sort::Int),
    ]
}

fn sorts() -> Vec<(Symbol, Sort)> {
    inputs().iter().map(|fact| (fact.name, fact.values.sort)).collect()
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let language = shipped("recurrent");
    let term = dsl::parse_term(text, &language, &sorts()).unwrap_or_else(|problems| panic!("{problems}"));
    let rules = RuleSet::assumed(&language);
    let simple = simplify(&term, &language, &rules, &inputs(), &SaturationLimits::new());
    assert_eq!(dsl::print(&simple.term, &language), expected);
}

#[test]
fn arithmetic_gets_shorter() {
    check("(+ x 0)", "x");
    check("(- (+ x y) y)", "x");
    check("(+ (- x 1) 1)", "x");
    check("(not (not p))", "p");
    check("(ite (< x y) x y)", "(min x y)");
    check("(+ 1 x)", "(+ x 1)");
    check("(* (+ 1 1) x)", "(+ x x)");
}

#[test]
fn conditions_are_respected() {
    check("(% (% x 5) 5)", "(% x 5)");
    check("(% d 10)", "d");
    check("(% d 9)", "(% d 9)");
    check("(- d d)", "0");
    check("(- u u)", "(- u u)");
    check("(// (% x 5) 5)", "0");
    check("(// (% x y) y)", "(// (% x y) y)");
}

#[test]
fn scans_are_simplified_with_what_their_states_can_be() {
    check(
        "(scan ((s 0 (% (+ (% s 15) x) 15))) (ite (< (% s' 15) x) 1 0))",
        "(scan ((s 0 (% (+ s x) 15))) (ite (< s' x) 1 0))",
    );
    check("(scan ((s 0 (+ s 1))) (max s 0))", "(scan ((s 0 (+ s 1))) s)");
    check("(scan ((s 0 (- s 1))) (max s -2))", "(scan ((s 0 (- s 1))) (max s -2))");
}

#[test]
fn without_rules_nothing_but_constants_changes() {
    let language = shipped("integers");
    let term = dsl::parse_term("(+ (- x x) (+ 1 1))", &language, &sorts()).unwrap();
    let simple = simplify(&term, &language, &RuleSet::empty(), &inputs(), &SaturationLimits::new());
    assert_eq!(dsl::print(&simple.term, &language), "(+ (- x x) 2)");
    assert_eq!(simple.stop, SaturationStop::Saturated);
}

/// A random term over x, y, d, u and small constants.
fn random_term(language: &Language, sort: Sort, depth: u32, rng: &mut samples::Rng) -> Term {
    if depth == 0 || rng.random_range(0..5) == 0 {
        return match sort {
            Sort::Int => match rng.random_range(0..6) {
                0 => Term::var("x"),
                1 => Term::var("y"),
                2 => Term::var("d"),
                3 => Term::var("u"),
                _ => Term::int(rng.random_range(-1..4)),
            },
            _ => match rng.random_range(0..3) {
                0 => Term::constant(samples::Value::Bool(rng.random())),
                _ => Term::var("p"),
            },
        };
    }
    let all: Vec<(dsl::OpId, Vec<Sort>)> = language
        .operators()
        .flat_map(|(id, op)| op.instances(&[Sort::Int, Sort::Bool]).into_iter().map(move |instance| (id, instance)))
        .filter(|(_, (_, result))| *result == sort)
        .map(|(id, (params, _))| (id, params))
        .collect();
    let (id, params) = &all[rng.random_range(0..all.len())];
    Term::op(*id, params.iter().map(|&param| random_term(language, param, depth - 1, rng)).collect())
}

#[test]
fn extraction_never_changes_the_evaluators_answer() {
    let language = shipped("recurrent");
    let rules = RuleSet::assumed(&language);
    let mut rng = rng(0, "extraction");
    let n_points = 60;
    let points = Points::from_lengths([n_points]);
    let mut column = |sort: Sort, low: i64, high: i64, partial: bool| {
        let codes = (0..n_points)
            .map(|_| if partial && rng.random_range(0..3) == 0 { UNDEFINED } else { rng.random_range(low..=high) });
        Column::new(sort, codes.collect())
    };
    let columns = [
        column(Sort::Int, -9, 9, false),
        column(Sort::Int, -3, 12, false),
        column(Sort::Int, 0, 9, false),
        column(Sort::Bool, 0, 1, false),
        column(Sort::Int, -4, 4, true),
    ];
    let vars: Vec<(Symbol, Column)> = inputs().iter().map(|fact| fact.name).zip(columns).collect();
    let mut rng = samples::rng(1, "extraction");
    let env = Env { language: &language, points: &points, vars: &vars, causal: false };
    let limits = SaturationLimits { max_rounds: 5, max_nodes: 2_000, max_matches: 200 };
    let (mut n_shorter, mut n_defined) = (0, 0);
    for round in 0..300 {
        let sort = if round % 3 == 0 { Sort::Bool } else { Sort::Int };
        let term = random_term(&language, sort, 4, &mut rng);
        let simple = simplify(&term, &language, &rules, &inputs(), &limits).term;
        let (before, after) = (dsl::eval(&term, &env).unwrap(), dsl::eval(&simple, &env).unwrap());
        let texts = (dsl::print(&term, &language), dsl::print(&simple, &language));
        assert_eq!(before.codes, after.codes, "{} became {}", texts.0, texts.1);
        assert!(dsl::cost(&simple, &language) <= dsl::cost(&term, &language), "{} became {}", texts.0, texts.1);
        n_shorter += usize::from(dsl::size(&simple, &language) < dsl::size(&term, &language));
        n_defined += usize::from(before.codes.iter().any(|&code| code != UNDEFINED));
        assert!(matches!(simple.node(), Node::App(..) | Node::Var(_) | Node::Const(_)));
    }
    assert!(n_shorter > 50 && n_defined > 100, "{n_shorter} {n_defined}");
}

/// Every step of an explanation keeps the values.
#[test]
fn explanations_lead_from_the_old_form_to_the_new_one() {
    let language = shipped("recurrent");
    let rules = RuleSet::assumed(&language);
    let points = Points::from_lengths([40]);
    let codes = |a: i64, b: i64| (0..40).map(|i| (i * a) % b - b / 3).collect();
    let vars: Vec<(Symbol, Column)> = [("x", 7, 11), ("y", 5, 13)]
        .map(|(name, a, b)| (Symbol::new(name), Column::new(Sort::Int, codes(a, b))))
        .to_vec();
    let env = Env { language: &language, points: &points, vars: &vars, causal: false };
    for text in ["(- (+ x y) y)", "(ite (not (< x y)) y (+ x 0))", "(% (+ (% x 7) y) 7)"] {
        let term = dsl::parse_term(text, &language, &sorts()).unwrap();
        let simple = super::simplify_explained(&term, &language, &rules, &inputs(), &SaturationLimits::new());
        let values = dsl::eval(&term, &env).unwrap();
        assert!(!simple.steps.is_empty(), "{text}");
        for step in &simple.steps {
            let after = dsl::eval(&step.term, &env).unwrap();
            assert_eq!(after, values, "{} in {text}", step.rule);
        }
        let last = simple.steps.last().map(|step| dsl::print(&step.term, &language));
        assert_eq!(last, Some(dsl::print(&simple.term, &language)));
    }
}

#[test]
fn a_rule_that_does_not_hold_is_not_used() {
    let text = "(constants Int 0 1)
        (define-fun + ((a Int) (b Int)) Int (+ a b) :commutative :unit 0)
        (define-fun - ((a Int) (b Int)) Int (- a b))
        (rewrite sub-add (- (+ a b) b) a :when (defined b))
        (rewrite wrong (- a b) a)
        (rewrite not-used (- a b) (+ a b))";
    let language = crate::testing::language(text);
    let mut book = super::RuleBook::new(&language, crate::VerifyLimits::new());
    for (text, expected) in [("(+ (- (+ x y) y) 0)", "x"), ("(+ 0 (- x y))", "(- x y)")] {
        let term = dsl::parse_term(text, &language, &sorts()).unwrap();
        let simple = book.simplify(&term, &inputs(), &SaturationLimits::new());
        assert_eq!(dsl::print(&simple.term, &language), expected);
        assert!(simple.steps.iter().all(|step| step.rule != Symbol::new("wrong")));
    }
    let verdict = |name: &str| book.verdicts().get(&Symbol::new(name)).map(crate::Verdict::holds);
    assert_eq!(verdict("wrong"), Some(false), "{:?}", book.verdicts());
    assert_eq!(verdict("sub-add"), Some(true));
}
