//! Snapshots of messages and of printed forms.

use samples::{Sort, Symbol};

use crate::{Language, PythonOutput, parse_term, pretty, print, python, smt_rule};

use super::shipped;

fn vars() -> Vec<(Symbol, Sort)> {
    vec![("tokens".into(), Sort::Symbol), ("indices".into(), Sort::Int), ("x".into(), Sort::Int)]
}

/// What is said of programs that are wrong.
fn complaints(language: &Language, programs: &[&str]) -> String {
    let complain = |program: &&str| match parse_term(program, language, &vars()) {
        Ok(_) => format!("{program}\n\nACCEPTED"),
        Err(problems) => problems.to_string(),
    };
    programs.iter().map(complain).collect::<Vec<_>>().join("\n\n----\n\n")
}

/// What is said of a DSL file that is wrong.
fn refused(text: &str) -> String {
    let include = |name: &str| Language::shipped(name).map(str::to_owned);
    match Language::parse("my.dsl", text, &include) {
        Ok(language) => language.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn programs_that_are_wrong() {
    let programs = [
        "(+ x",
        "(+ x 1))",
        "",
        "(+ x y)",
        "(+ x token)",
        "(plus x 1)",
        "(mod x 2)",
        "(+ x 1 2)",
        "(- x)",
        "(+ x \"a\")",
        "(ite x 1 2)",
        "(ite (< x 1) 1 0.5)",
        "(+ (not x) (and tokens true))",
        "(scan ((s 0 (+ s x))) s)",
        "(select x x =)",
        "(aggregate x x)",
        "(aggregate (select x tokens =) x)",
        "(aggregate (select x tokens (lambda (k q) (< k indices))) x)",
        "(let ((t (table (Int) Int ((1) 2) ((1) 3) ((2 3) 4) ((5) \"a\")))) (t x))",
        "(let ((a)) a)",
        "(select x x (lambda (k) true))",
        "(selector_width (select x x (lambda (k q) (+ k q))))",
        "99999999999999999999",
        "\"open",
        "(+ x {)",
    ];
    insta::assert_snapshot!(complaints(&shipped("rasp"), &programs));
}

#[test]
fn scans_that_are_wrong() {
    let programs = [
        "(scan ((s 0 (< s x))) s')",
        "(scan ((s 0)) s')",
        "(scan ((s x x)) s')",
        "(scan ((s 0 s')) s')",
        "(scan ((s 0 s) (s 1 s)) s')",
        "(scan ((s 0 s)))",
        "(+ 1 (scan () x x))",
        "(select x x =)",
    ];
    insta::assert_snapshot!(complaints(&shipped("recurrent"), &programs));
}

#[test]
fn files_that_are_wrong() {
    let text = r#"
(include "integers")
(define-fun twice ((a Int)) Int (+ a b))
(define-fun thrice ((a Int)) Bool (* a 3))
(define-fun less ((a 'A) (b 'A)) Bool (< a b))
(define-fun same ((a 'A) (b 'B)) Bool (= a b))
(define-fun + ((a Int) (b Int)) Int (+ a b))
(define-fun let ((a Int)) Int a)
(define-fun cheap ((a Int)) Int a :cost 0)
(define-fun odd ((a Int)) Int a :costs 1 :commutative)
(define-fun part ((a Int)) Int a :when (+ a 1))
(define-fn f ((a Int)) Int a)
(declare-datatype Color ((red) (green) (red)))
(constants Colour red)
(constants Int 0 true (range 5 1))
(form loop)
(rewrite 3 (+ a 0) a)
(rewrite swap (- a b) (- b c))
(rewrite sorts (+ a 1) (< a 1))
(rewrite any a a)
(birewrite both (- a a) 0)
(define-table next (Color) Color ((red) green) ((blue) red))
(without plus)
"#;
    insta::assert_snapshot!(refused(text));
}

/// Files as they are written by who is new to the format, each with one mistake: one message says what it is.
#[test]
fn one_mistake_is_one_message() {
    let color = "(declare-datatype Color ((red) (green) (blue)))\n";
    let files = [
        "(include \"integers\")\n(define-fun clamp ((a Int)) Int (max 0 (min a 3))\n(define-fun twice ((a Int)) Int (+ a a))\n(check (= (twice 1) 2))",
        "(define-fun clamp ((a Int))) Int (max 0 (min a 3)))\n(define-fun f ((a Int)) Int (clamp a))",
        "(define-fun clamp ((a Int) (low Int) (high Int)) Int (max low (min a high)))\n(define-fun to3 ((a Int)) Int (clamp a 3))\n(define-fun f ((a Int)) Int (to3 a))",
        &format!(
            "{color}(define-table next (Color) Color ((red) green) ((green) bleu))\n(define-fun next2 ((c Color)) Color (next (next c)))\n(check (= (next red) green))\n(rewrite n (next (next2 c)) c)\n(grammar g (Start Color ((Variable Color) (next Start))))\n(synth-fun f ((c Color)) Color :grammar g :means c)\n(without next)"
        ),
        &format!("{color}(define-table next (Color) Color (red green) (green blue) (blue red))"),
        "(define-table next Int Int ((1) 2))",
        "(declare-datatype Pair ((pair (size Int) (end Bool))))\n(define-fun f ((p Pair)) Bool (end p))\n(constants Pair none)\n(rewrite r (pair (size p) (end p)) p)\n(declare-sequence Word Pair 2)\n(check (= (Word.length Word[]) 0))",
        "(define-fun fact ((n Int)) Int (ite (= n 0) 1 (* n (fact (- n 1)))))\n(check (= (fact 3) 6))",
        "(define-fun even ((n Int)) Bool (ite (= n 0) true (odd (- n 1))))\n(define-fun odd ((n Int)) Bool (ite (= n 0) false (even (- n 1))))",
        "(define-fun f (x Int) Int (+ x 1))",
        "(define-fun f ((x Int)) (+ x 1))",
        "(define-fun f ((x Int)) Int (x + 1))",
        "(define-fun f ((x Int)) Int (if (> x 0) x 0))",
        "(define-fun f ((x Int)) Bool (== x 1))",
        "(include \"integers\")\n(rewrite (mod a 1) 0)",
        "(include \"integers\")\n(define-fun f ((a Int) (b Int)) Int (+ a b) :comutative)",
        "(datatype Color (red) (green))\n(constants Color red green)",
        "(define f ((x Int)) Int x)\n(define-fun g ((x Int)) Int (f x))",
        "(include \"integer\")\n(define-fun f ((x Int)) Int (plus x 2))\n(rewrite q (add a b) (add b a))\n(constants Time late)",
        "(include \"integers\")\n(grammar g (Start Int (x (plus Start Start))))\n(synth-fun f ((x Int)) Int :grammar g :examples ((1) 2))",
        "(set-logic LIA)",
        "(scan ((s 0 (+ s x))) s')",
        "(form scan 2)",
        "(define-fun f ((a (range 4 0))) Int a)",
        "(declare-datatype Wide ((wide (at (range 0 10000)))))",
        "(constants Bool true (range 0 3))",
        "(define-fun f ((a (_ BitVec 8))) (_ BitVec 4) ((_ extract 8 5) a))",
        "(define-fun f ((a (_ BitVec 8))) (_ BitVec 4) ((_ extract 0 3) a))",
        "(define-fun f ((a (_ BitVec 8))) (_ BitVec 4) ((_ extract 3) a))",
        "(define-fun f ((a (_ BitVec 8))) (_ BitVec 4) (extract 3 0 a))",
        "(define-fun f ((a (_ BitVec 8))) (_ BitVec 4) ((_ extract 3 0) a a))",
        "(include \"bitvectors\")\n(rewrite ((_ extract 3 0) a) a)",
        "(constants (_ BitVec 8) #xfg #x0f)",
        &format!("{color}(declare-datatype Color ((black) (white)))\n(constants Color black)"),
        &format!("{color}(declare-datatype Light ((red) (off)))\n(constants Light off)"),
        "(declare-datatype Bool ((yes) (no)))",
        "(define-table t (Int) Int ((1) 2) ((1) 3))",
    ];
    let mut shown = String::new();
    for text in files {
        let include = |name: &str| Language::shipped(name).map(str::to_owned);
        let (n, messages) = match Language::parse("my.dsl", text, &include) {
            Ok(language) => (language.warnings.len(), refused(text)),
            Err(problems) => (problems.items.len(), problems.to_string()),
        };
        assert_eq!(n, 1, "{text}\n{messages}");
        shown.push_str(&format!("{messages}\n\n----\n\n"));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn includes_that_go_in_a_circle_are_refused() {
    let a = "(include \"b\")\n(define-fun one ((a Int)) Int (+ a 1))\n";
    let b = "(include \"a\")\n(define-fun two ((a Int)) Int (one (one a)))\n";
    let include = |name: &str| Some(if name == "a" { a } else { b }.to_owned());
    insta::assert_snapshot!(Language::parse("a.dsl", a, &include).expect_err("they do"), @r#"
    error: a is being read already: includes go in a circle
     --> b:1:10
      |
    1 | (include "a")
      |          ^^^
      = found: a.dsl includes b includes a
      = hint: put what both files need into a third one, which both include
    "#);
    let root = Language::parse("c.dsl", "(include \"a\")", &include).expect_err("they do");
    assert!(root.items[0].to_string().contains("found: a includes b includes a"), "{root}");
    assert_eq!(root.items.len(), 1, "{root}");
    // Two ways to one file are no circle.
    let both = "(include \"left\")\n(include \"right\")\n";
    let shared = |name: &str| {
        Some(if name == "base" { "(define-fun f ((a Int)) Int a)" } else { "(include \"base\")" }.to_owned())
    };
    assert_eq!(Language::parse("both.dsl", both, &shared).expect("is a language").operators.len(), 1);
}

#[test]
fn grammars_that_are_wrong() {
    let text = r#"
(include "integers")
(grammar)
(grammar a)
(grammar a :sort Color)
(grammar a (Start Int))
(grammar a (Start Int ()))
(grammar a (Start Int (x)) (Start Int (y)))
(grammar a (Start Int ((+ Start true))))
(grammar a (Start Int ((plus Start 1))))
(grammar a (Start Int ((! (+ x (* y 2)) :cost 3) (! x :weight 3))))
(grammar a (Start Int ((let ((b x)) (+ b b)) (Constant))))
(grammar a (Start Int ((+ Start Start))))
(grammar a (Start Int (x (+ Start Start))) :must-use (*))
(grammar a (Start Int (x (+ Start Start)) :at-most ((x 0))))
(grammar a :sort Int :at-most ((+ many)) :no-nesting ((+ * -)) :must-use (3) :at-least ((+ 2)))
(grammar fine :sort Int :must-use (x))
(grammar fine :sort Int)
"#;
    insta::assert_snapshot!(refused(text));
}

#[test]
fn rules_about_operators_that_are_not_there_are_passed_over() {
    insta::assert_snapshot!(refused("(include \"booleans\")\n(rewrite mod-one (% a 1) 0)\n"));
    let language = Language::parse("my.dsl", "(include \"integers\")\n(without % ite)", &|name| {
        Language::shipped(name).map(str::to_owned)
    })
    .expect("is a language");
    assert!(language.operator("%").is_none() && language.operator("//").is_some());
    let rules: Vec<String> = language.rules.iter().map(|rule| print(&rule.lhs, &language)).collect();
    assert!(rules.iter().all(|rule| !rule.contains('%') && !rule.contains("ite")) && rules.len() > 40);
    // What was taken away on purpose is not warned of.
    let text = "(include \"integers\")\n(without %)\n(rewrite mod-one (% a 1) 0)";
    assert_eq!(refused(text), "");
}

/// Programs in all printed forms.
#[test]
fn printed_forms() {
    let cases = [
        ("recurrent", "(scan ((s 0 (% (+ s x) 15))) (ite (< s' x) 1 0))"),
        ("recurrent", "(scan ((c 0 (// (+ c (+ x x)) 2)) (p none x)) (% (+ c x) 2) p')"),
        (
            "rasp",
            "(let ((code (table (Symbol) Int ((\"a\") 1) ((\"#json:{\\\"tuple\\\":[1,2]}\") 2) ((none) 0)))
                   (n (selector_width (select tokens tokens =))))
               (ite (< 1 n) (code (aggregate (select indices (- indices 1) =) tokens)) (* n n)))",
        ),
        (
            "rasp",
            "(let ((t (table (Int) Symbol ((0) \"zero\") ((1) \"one\") ((2) \"two\") ((3) \"three\") ((4) \"four\")
                       ((5) \"five\") ((6) \"six\") ((7) \"seven\") ((8) \"eight\") ((9) \"nine\")))) (t indices))",
        ),
        ("rasp", "(mean (select indices indices (lambda (k q) (and (<= k q) (!= k 0)))) (= tokens \"x\"))"),
        ("rasp", "(default (aggregate (sel_not (select x (% x 3) <)) x) (// x indices))"),
    ];
    let mut text = String::new();
    for (name, program) in cases {
        let language = shipped(name);
        let term = parse_term(program, &language, &vars()).unwrap_or_else(|problems| panic!("{problems}"));
        let vars: Vec<(Symbol, Sort)> = if name == "rasp" { vars()[..2].to_vec() } else { vars()[2..].to_vec() };
        let vars =
            if program.contains(" x ") && name == "rasp" { [("x".into(), Sort::Int), vars[1]].to_vec() } else { vars };
        let output = PythonOutput { integers: name == "recurrent", causal: false };
        let python = python(&term, &language, &vars, output).unwrap_or_else(|error| panic!("{error}"));
        let size = crate::size(&term, &language);
        let cost = crate::cost(&term, &language);
        let printed = (print(&term, &language), pretty(&term, &language));
        text.push_str(&format!("{}\n\n{}\n\nsize {size}, cost {cost}\n\n{python}\n----\n", printed.0, printed.1));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn rules_as_smt_lib() {
    let language = shipped("integers");
    let texts = ["and-not", "div-mod", "ite-same", "min-absorb"].map(|name| {
        let rule = language.rules.iter().find(|rule| rule.name.as_str() == name).expect("a rule");
        let params = rule.instances(&[Sort::Bool, Sort::Int]).pop().expect("an instance");
        format!("; {name}\n{}", smt_rule(&language, rule, &params).unwrap_or_else(|error| panic!("{error}")))
    });
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn what_may_be_undefined_beside_bit_vectors() {
    let text = r#"
(include "bitvectors")
(declare-datatype Color ((red) (green)))
(define-fun // ((a Int) (b Int)) Int (div a b))
(define-fun safe ((a 'BV) (b 'BV)) 'BV (bvudiv a b) :when (bvult a b))
(define-fun gone ((a (_ BitVec 8))) (_ BitVec 8) none)
(define-table some (Bool) (_ BitVec 8) ((true) #x01))
(define-table every (Bool) (_ BitVec 8) ((true) #x01) ((false) #x02))
(define-fun wide ((a (_ BitVec 65))) Bool true)
(define-fun mixed ((a 'BV) (b (_ BitVec 8))) 'BV (bvand a b))
(define-fun number ((a 'BV)) Bool (< a a))
(constants (_ BitVec 8) #x0 #x00 1)
(constants (_ BitVec 8) #x00000000000000001)
"#;
    let programs = ["(bvand x #x0f)", "(ite none #x01 #x02)", "(bvand b #x0f)", "(bvand b #x0)", "(bvand b #xyz)"];
    let language = shipped("bitvectors");
    let complain = |program: &&str| match parse_term(
        program,
        &language,
        &[("b".into(), Sort::BitVec(8)), ("x".into(), Sort::Int)],
    ) {
        Ok(term) => print(&term, &language),
        Err(problems) => problems.to_string(),
    };
    let programs: Vec<String> = programs.iter().map(complain).collect();
    let elsewhere = parse_term("(= #x01 #x02)", &shipped("integers"), &[]).expect_err("is refused");
    insta::assert_snapshot!(format!("{}\n\n----\n\n{}\n\n{elsewhere}", refused(text), programs.join("\n\n")));
}

#[test]
fn claims_and_checks_that_are_wrong() {
    let text = r#"
(include "integers")
(check (= (+ x 1) 2))
(fail (+ 1 1))
(check (plus 1 1))
(define-fun f ((a Int) (b Int)) Int (+ a b) :commutative :assumed (associative))
(define-fun g ((a Int)) Int (g a) :total yes)
(rewrite (+ a 0) a :name)
(rewrite (+ a 0) a :ruleset 3 :assumed no)
(rewrite one (+ a 0) a)
(rewrite (+ 0 a) a :name one)
"#;
    insta::assert_snapshot!(refused(text));
}

#[test]
fn functions_to_be_found_that_are_wrong() {
    let text = r#"
(include "integers")
(grammar flags :sort Bool)
(synth-fun f ((x Int)) Int)
(synth-fun + ((x Int)) Int :means x)
(synth-fun f ((x Ints)) Int :means x)
(synth-fun f ((x (range 3 1))) Int :means x)
(synth-fun f ((x 'A)) 'A :means x)
(synth-fun f ((s Selector)) Int :means (width s))
(synth-fun f ((x Int)) Int :means (f x) :examples ((1) 2))
(synth-fun f ((x Int)) Int :means (= x y))
(synth-fun f ((x Int)) Int :examples ((1 2) 3) ((true) 1) (1 1))
(synth-fun f ((x Int)) Int :grammar flags :means x)
(synth-fun f ((x Int)) Int :grammar nowhere :examples ((1) 2))
(synth-fun f ((x Int)) Int :examples ((1) 2))
(synth-fun f ((x Int)) Int :examples ((1) 2))
"#;
    insta::assert_snapshot!(refused(text));
}

#[test]
fn rules_without_a_name_are_called_by_their_place() {
    let text =
        "(include \"integers\")\n(rewrite (+ a (neg a)) 0 :when (defined a))\n  (rewrite (+ a a) (* 2 a) :ruleset r)\n";
    let include = |name: &str| Language::shipped(name).map(str::to_owned);
    let language = Language::parse("some/folder/my.dsl", text, &include).expect("is a language");
    let names: Vec<&str> = language.rules.iter().rev().take(2).map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["my:3:3", "my:2:1"]);
    assert_eq!(language.rules.last().and_then(|rule| rule.ruleset), Some("r".into()));
}
