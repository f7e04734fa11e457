//! What the tests of this crate share.

use dsl::{Env, Language, Term};
use samples::{Column, Points, Sort, Symbol};

use crate::bank::Leaf;

/// Integers and truth values, written for the tests: the shipped DSLs may change.
const INTEGERS: &str = "
    (constants Int 0 1 2 :cost 1)
    (define-fun + ((a Int) (b Int)) Int (+ a b) :commutative :associative :unit 0)
    (define-fun - ((a Int) (b Int)) Int (- a b))
    (define-fun * ((a Int) (b Int)) Int (* a b) :commutative :associative :unit 1 :zero 0)
    (define-fun % ((a Int) (b Int)) Int (mod a b) :when (> b 0) :charge ((b 2)))
    (define-fun // ((a Int) (b Int)) Int (div a b) :when (> b 0) :charge ((b 2)))
    (define-fun max ((a Int) (b Int)) Int (max a b) :commutative :associative :idempotent)
    (define-fun min ((a Int) (b Int)) Int (min a b) :commutative :associative :idempotent)
    (define-fun abs ((a Int)) Int (abs a))
    (define-fun < ((a Int) (b Int)) Bool (< a b))
    (define-fun = ((a 'A) (b 'A)) Bool (= a b) :commutative)
    (define-fun and ((a Bool) (b Bool)) Bool (and a b) :commutative :associative :idempotent)
    (define-fun not ((a Bool)) Bool (not a) :involution)
    (define-fun ite ((c Bool) (a 'A) (b 'A)) 'A (ite c a b))
    (define-fun clamp ((a Int)) Int (max 0 (min a 9)) :cost 2)
";

/// The tests' language.
pub(crate) fn integers() -> Language {
    language(INTEGERS)
}

/// A language from its text.
#[track_caller]
pub(crate) fn language(text: &str) -> Language {
    let include = |name: &str| Language::shipped(name).map(str::to_owned);
    Language::parse("test", text, &include).unwrap_or_else(|problems| panic!("{problems}"))
}

/// An integer variable.
pub(crate) fn variable(language: &Language, name: &str, codes: &[i64]) -> Leaf {
    Leaf::variable(language, name, Column::new(Sort::Int, codes.to_vec()))
}

/// Evaluates a term by `dsl`'s interpreter.
#[track_caller]
pub(crate) fn interpret(language: &Language, term: &Term, variables: &[(&str, &[i64])]) -> Vec<i64> {
    let n_points = variables[0].1.len();
    let points = Points::from_lengths([n_points]);
    let vars: Vec<(Symbol, Column)> =
        variables.iter().map(|(name, codes)| (Symbol::new(name), Column::new(Sort::Int, codes.to_vec()))).collect();
    let env = Env { language, points: &points, vars: &vars, causal: false };
    dsl::eval(term, &env).unwrap_or_else(|error| panic!("{error}")).codes
}
