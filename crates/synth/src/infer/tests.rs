use super::*;
use crate::testing::language;

fn inferred(text: &str, size: u32) -> (Language, Inferred) {
    let language = language(text);
    let found = infer(&language, &InferConfig::new(size), &mut Solver::new(), &mut |_| true);
    (language, found)
}

const SMALL: &str = "
    (constants Bool false true :cost 1)
    (define-fun not ((a Bool)) Bool (not a) :cost 1)
    (define-fun and ((a Bool) (b Bool)) Bool (and a b) :cost 1)";

/// Every law in `laws`, written as rules, follows from what is inferred for `text`; those in `wrong` do not.
#[track_caller]
fn check(text: &str, size: u32, laws: &str, wrong: &str) {
    let (_, found) = inferred(text, size);
    let with_laws = language(&format!("{text}\n{laws}\n{wrong}"));
    let n_laws = laws.lines().filter(|line| line.contains("rewrite")).count();
    for (i, rule) in with_laws.rules.iter().enumerate() {
        let derived = derives(&with_laws, &found.rule_set(), rule, &SaturationLimits::new());
        assert_eq!(derived, i < n_laws, "{}", rule.name);
    }
    assert!(n_laws > 0);
}

#[test]
fn laws_of_conjunction_and_negation_follow() {
    check(
        SMALL,
        3,
        "(rewrite involution (not (not a)) a)
         (rewrite commutative (and a b) (and b a))
         (rewrite associative (and (and a b) c) (and a (and b c)))
         (rewrite idempotent (and a a) a)
         (rewrite unit (and true a) a)
         (rewrite zero (and false a) false)
         (rewrite contradiction (and (not a) a) false :when (defined a))
         (rewrite absorbs (not (and (not a) (not (and a b)))) a :when ((defined a) (defined b)))",
        "(rewrite undefined (and a (not a)) false)
         (rewrite drops (and a b) a)",
    );
}

#[test]
fn the_set_is_small_and_every_rule_is_proved() {
    let (_, found) = inferred(SMALL, 3);
    assert!(found.rules.iter().all(|inferred| matches!(inferred.verdict, Verdict::Proved { .. })));
    assert!((5..=20).contains(&found.rules.len()), "{}", found.rules.len());
    for (i, inferred) in found.rules.iter().enumerate() {
        let before = RuleSet { rules: found.rules[..i].iter().map(|before| before.rule.clone()).collect() };
        let limits = InferConfig::new(3).derivation;
        assert!(!derives(&language(SMALL), &before, &inferred.rule, &limits), "{}", inferred.rule.name);
    }
}

#[test]
fn rules_hold_where_values_are_missing_and_divisors_are_not_positive() {
    check(
        "(constants Int 0 1 :cost 1)
         (define-fun < ((a Int) (b Int)) Bool (< a b))
         (define-fun % ((a Int) (b Int)) Int (mod a b) :when (> b 0))",
        3,
        "(rewrite one (% a 1) 0 :when (defined a))
         (rewrite twice (% (% a b) b) (% a b))
         (rewrite below (< (% a b) b) true :when ((defined a) (< 0 b)))
         (rewrite irreflexive (< a a) false :when (defined a))",
        "(rewrite self (% a a) 0 :when (defined a))
         (rewrite everywhere (< (% a b) b) true)",
    );
}

#[test]
fn a_rule_is_not_repeated_under_conditions_that_imply_its_own() {
    let text = "(constants Int 0 :cost 1)
         (define-fun < ((a Int) (b Int)) Bool (< a b))
         (define-fun <= ((a Int) (b Int)) Bool (<= a b))
         (define-fun min ((a Int) (b Int)) Int (min a b))";
    let (language, found) = inferred(text, 3);
    let lines: Vec<String> = found.rules.iter().map(|rule| rule.line(&language, "r")).collect();
    let of_least: Vec<&String> =
        lines.iter().filter(|line| line.contains("(min a b)") && line.contains(":when")).collect();
    assert_eq!(of_least, ["(rewrite r (min a b) a :when ((<= a b)))"]);
}

#[test]
fn a_finite_sort_has_rules_of_its_own() {
    check(
        "(declare-datatype Color ((red) (green) (blue)))
         (constants Color red :cost 1)
         (define-table next (Color) Color ((red) green) ((green) blue) ((blue) red) :cost 1)",
        4,
        "(rewrite round (next (next (next a))) a)",
        "(rewrite half (next (next a)) a)",
    );
}

#[test]
fn lines_are_rules_that_the_language_accepts() {
    let (own, found) = inferred(SMALL, 3);
    let lines: Vec<String> =
        found.rules.iter().enumerate().map(|(i, rule)| rule.line(&own, &format!("r{i}"))).collect();
    let read = language(&format!("{SMALL}\n{}", lines.join("\n")));
    assert_eq!(read.rules.len(), found.rules.len());
    for (read, inferred) in read.rules.iter().zip(&found.rules) {
        assert_eq!(
            (&read.lhs, &read.rhs, &read.params),
            (&inferred.rule.lhs, &inferred.rule.rhs, &inferred.rule.params)
        );
    }
}

#[test]
fn it_stops_when_told_and_says_so() {
    let language = language(SMALL);
    let found = infer(&language, &InferConfig::new(4), &mut Solver::new(), &mut |what| !what.contains("3 atoms"));
    assert!(found.limits.contains("time"));
    assert!(found.rules.len() < inferred(SMALL, 4).1.rules.len());
}

#[test]
fn keys_tell_meanings_apart_and_ignore_rules() {
    let key = |text: &str| infer_key(&language(text), &InferConfig::new(3));
    assert_eq!(key(SMALL), key(&format!("; a comment\n{SMALL} (rewrite r (not true) false)")));
    assert_ne!(key(SMALL), key(&SMALL.replace("(and a b) :cost", "(or a b) :cost")));
    assert_ne!(key(SMALL), infer_key(&language(SMALL), &InferConfig::new(4)));
}
