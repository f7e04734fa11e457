//! Tests of grammars: what they derive, and what they refuse.

use samples::{Sort, Symbol};

use crate::{Grammar, GrammarError, Language, Production, parse_term};

const TEXT: &str = "
    (constants Int 0 1 :cost 1)
    (form let)
    (define-fun + ((a Int) (b Int)) Int (+ a b))
    (define-fun * ((a Int) (b Int)) Int (* a b) :cost 2)
    (define-fun % ((a Int) (b Int)) Int (mod a b) :cost 2 :charge ((b 4)))
    (define-fun < ((a Int) (b Int)) Bool (< a b))
    (define-fun ite ((c Bool) (a 'A) (b 'A)) 'A (ite c a b))";

fn language() -> Language {
    Language::parse("test", TEXT, &|_| None).unwrap_or_else(|problems| panic!("{problems}"))
}

fn vars() -> Vec<(Symbol, Sort)> {
    vec![("x".into(), Sort::Int), ("y".into(), Sort::Int)]
}

/// `Start ::= x | (+ Start 1) | (ite (< Start y) Start (* 1 2))`.
fn nested(language: &Language) -> Grammar {
    let mut grammar = Grammar::default();
    let start = grammar.add("Start", Sort::Int);
    for text in ["x", "(+ Start 1)", "(ite (< Start y) Start (* 1 2))"] {
        add(&mut grammar, start, text, language, None).expect("fits");
    }
    grammar
}

fn add(
    grammar: &mut Grammar,
    id: crate::NonterminalId,
    text: &str,
    language: &Language,
    cost: Option<u32>,
) -> Result<(), GrammarError> {
    let names: Vec<_> = vars().into_iter().chain(grammar.nonterminals.iter().map(|n| (n.name, n.sort))).collect();
    let term = parse_term(text, language, &names).unwrap_or_else(|problems| panic!("{problems}"));
    grammar.production(id, &term, language, &vars(), cost)
}

#[test]
fn nested_productions_derive_what_they_say() {
    let language = language();
    let grammar = nested(&language);
    let derives = |text: &str| grammar.derives(&parse_term(text, &language, &vars()).expect("is read"));
    for text in [
        "x",
        "(+ x 1)",
        "(+ (+ x 1) 1)",
        "(ite (< (+ x 1) y) x (* 1 2))",
        "(let ((a (+ x 1)) (b y)) (ite (< a b) a (* 1 2)))",
        "(let ((x (+ x 1))) (+ x 1))",
    ] {
        assert!(derives(text), "{text}");
    }
    for text in ["y", "1", "(+ x 0)", "(+ 1 x)", "(ite (< x x) x (* 1 2))", "(* 1 2)", "(let ((a y)) (+ a 1))"] {
        assert!(!derives(text), "{text}");
    }
    // The constant 1 occurs twice and is one nonterminal.
    assert_eq!(grammar.nonterminals.len(), 6, "{grammar:#?}");
}

#[test]
fn parts_cost_what_the_language_says_or_what_is_given() {
    let language = language();
    let mut grammar = Grammar::default();
    let start = grammar.add("Start", Sort::Int);
    let own = |grammar: &Grammar| match grammar.nonterminals[0].productions.last() {
        Some(Production::Apply { cost, .. } | Production::Leaf { cost, .. }) => *cost,
        other => panic!("{other:?}"),
    };
    for (text, cost, expected) in [
        ("(% x Start)", None, 6),
        ("(% x 1)", None, 2),
        ("(% Start 1)", Some(7), 6),
        ("(* (+ x y) (+ x x))", Some(7), 1),
        ("x", Some(3), 3),
    ] {
        add(&mut grammar, start, text, &language, cost).expect("fits");
        assert_eq!(own(&grammar), expected, "{text}");
    }
    for (text, cost) in [("(* (+ x y) x)", 4), ("Start", 2)] {
        let error = add(&mut grammar, start, text, &language, Some(cost)).expect_err("too cheap");
        assert!(matches!(error, GrammarError::Cost { .. }), "{error}");
    }
}

#[test]
fn sorts_and_forms_are_checked() {
    let language = language();
    let mut grammar = Grammar::default();
    let start = grammar.add("Start", Sort::Int);
    let error = add(&mut grammar, start, "(< x y)", &language, None).expect_err("a truth value");
    assert_eq!(error.to_string(), "a production of Start has the sort Bool, expected Int");
    let error = add(&mut grammar, start, "(let ((a x)) (+ a a))", &language, None).expect_err("a let");
    assert_eq!(error.to_string(), "a production of Start holds a let, expected functions, variables and constants");
    assert!(grammar.nonterminals[0].productions.is_empty());
}

#[test]
fn any_constant_is_a_part_like_others() {
    let language = language();
    let mut grammar = Grammar::default();
    let start = grammar.add("Start", Sort::Int);
    grammar.any_constant(Sort::Int, 2);
    add(&mut grammar, start, "(+ x |(Constant Int)|)", &language, None).expect("fits");
    let derives = |text: &str| grammar.derives(&parse_term(text, &language, &vars()).expect("is read"));
    assert!(derives("(+ x 99)") && !derives("(+ x y)") && !derives("99"));
    assert_eq!(grammar.productive(), [true, true, true]);
}
