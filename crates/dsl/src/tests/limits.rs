//! Texts that would exhaust the stack, the memory or one's patience are refused.

use samples::{Column, Points, Sort};

use crate::{Env, Language, eval, format, parse_term};

use super::shipped;

fn refused(text: &str) -> String {
    match Language::parse("test", text, &|_| None) {
        Ok(_) => panic!("accepted"),
        Err(problems) => {
            assert!(problems.items.len() <= 100);
            problems.items[0].message.clone()
        }
    }
}

#[test]
fn nesting_is_limited() {
    let deep = "(".repeat(100_000);
    assert_eq!(refused(&deep), "lists nested more than 256 deep");
    assert!(format("test", &deep).is_err());
    let nested = |n: usize| format!("{}x{}", "(neg ".repeat(n), ")".repeat(n));
    let language = shipped("integers");
    let vars = [("x".into(), Sort::Int)];
    assert!(parse_term(&nested(257), &language, &vars).is_err());
    assert!(parse_term(&nested(256), &language, &vars).is_ok());
}

#[test]
fn meanings_cannot_explode() {
    let doubling: Vec<String> =
        (1..60).map(|i| format!("(define-fun f{i} ((a Int)) Int (f{} (f{} a)))", i - 1, i - 1)).collect();
    let text = format!("(define-fun f0 ((a Int)) Int (+ a 1))\n{}", doubling.join("\n"));
    assert_eq!(refused(&text), "the meaning is too large, once operators in it are replaced by theirs");
    let chain: Vec<String> = (1..2000).map(|i| format!("(define-fun f{i} ((a Int)) Int (f{} a))", i - 1)).collect();
    let text = format!("(define-fun f0 ((a Int)) Int (+ a 1))\n{}", chain.join("\n"));
    assert_eq!(refused(&text), "the meaning is too large, once operators in it are replaced by theirs");
}

/// The deepest program over the deepest operator that are accepted run on the stack of a thread.
#[test]
fn what_is_accepted_runs() {
    let chain = |n: usize| {
        let longer: Vec<String> = (1..=n).map(|i| format!("(define-fun f{i} ((a Int)) Int (f{} a))", i - 1)).collect();
        let text = format!("(define-fun f0 ((a Int)) Int (+ a 1))\n{}", longer.join("\n"));
        Language::parse("test", &text, &|_| None)
    };
    let (mut n, mut refused) = (1, 2000);
    while n + 1 < refused {
        let middle = (n + refused) / 2;
        if chain(middle).is_ok() { n = middle } else { refused = middle }
    }
    let language = chain(n).expect("accepted");
    let program = format!("{}x{}", format!("(f{n} ").repeat(256), ")".repeat(256));
    let vars = [("x".into(), Sort::Int)];
    let term = parse_term(&program, &language, &vars).expect("accepted");
    let points = Points::from_lengths([1]);
    let vars = [("x".into(), Column::new(Sort::Int, vec![1]))];
    let env = Env { language: &language, points: &points, vars: &vars, causal: false };
    assert_eq!(eval(&term, &env).expect("evaluates").codes, [257]);
}

#[test]
fn long_lines_of_errors_are_reported_in_part() {
    let text = "(form nothing) ".repeat(50_000);
    assert_eq!(refused(&text), "there is no such form");
    let text = ") ".repeat(300_000);
    assert_eq!(refused(&text), "a closing parenthesis without its opening one");
    let text = "\u{1} ".repeat(300_000);
    assert_eq!(refused(&text), "the character '\\u{1}' has no meaning here");
    let rules: String = (0..3000).map(|i| format!("(rewrite r{i} (f a) a)\n")).collect();
    let language = Language::parse("test", &rules, &|_| None).expect("rules about nothing are passed over");
    assert_eq!(language.warnings.len(), 3000);
}
