//! Tests of grammars: what they derive, and what they refuse.

use samples::{Sort, Symbol};

use crate::{Demand, Grammar, GrammarError, Language, Production, Restriction, Used, parse_term};

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

/// All terms over some leaves with at most `n` operators.
fn terms(language: &Language, n: usize) -> Vec<(Sort, crate::Term)> {
    let leaves = ["x", "y", "0", "1"].map(|text| (Sort::Int, parse_term(text, language, &vars()).expect("is read")));
    let mut levels = vec![leaves.to_vec()];
    for size in 1..=n {
        let mut level = Vec::new();
        for (id, operator) in language.operators() {
            for (params, result) in operator.instances(&[Sort::Int, Sort::Bool]) {
                fill(&levels, &params, size - 1, &mut Vec::new(), &mut |args| {
                    level.push((result, crate::Term::op(id, args.to_vec())));
                });
            }
        }
        levels.push(level);
    }
    levels.concat()
}

/// Arguments of these sorts with so many operators in all.
fn fill(
    levels: &[Vec<(Sort, crate::Term)>],
    params: &[Sort],
    size: usize,
    args: &mut Vec<crate::Term>,
    run: &mut dyn FnMut(&[crate::Term]),
) {
    let Some((param, rest)) = params.split_first() else {
        if size == 0 {
            run(args);
        }
        return;
    };
    for own in 0..=size {
        for (sort, term) in &levels[own] {
            if sort == param {
                args.push(term.clone());
                fill(levels, rest, size - own, args, run);
                args.pop();
            }
        }
    }
}

/// How often something is used in a term.
fn uses(term: &crate::Term, used: Used) -> u32 {
    let (own, args): (bool, &[crate::Term]) = match term.node() {
        crate::Node::App(crate::Func::Op(id), args) => (used == Used::Op(*id), args),
        crate::Node::Var(name) => (used == Used::Var(*name), &[]),
        _ => (false, &[]),
    };
    args.iter().map(|arg| uses(arg, used)).sum::<u32>() + u32::from(own)
}

/// The restriction by its words.
fn satisfies(term: &crate::Term, demand: &Demand) -> bool {
    match *demand {
        Demand::MustUse(used) => uses(term, used) > 0,
        Demand::AtMost(used, k) => uses(term, used) <= k,
        Demand::NoNesting(outer, inner) => match term.node() {
            crate::Node::App(func, args) => {
                let is_outer = matches!(func, crate::Func::Op(id) if outer == Used::Op(*id));
                args.iter().all(|arg| satisfies(arg, demand) && !(is_outer && uses(arg, inner) > 0))
            }
            _ => true,
        },
    }
}

#[test]
fn restricted_grammars_derive_what_satisfies_the_restrictions_and_nothing_else() {
    let language = language();
    let op = |name: &str| Used::Op(language.operator(name).expect("there"));
    let x = Used::Var("x".into());
    let all = [
        Demand::MustUse(x),
        Demand::MustUse(op("*")),
        Demand::AtMost(op("+"), 1),
        Demand::AtMost(x, 0),
        Demand::AtMost(x, 2),
        Demand::NoNesting(op("+"), op("+")),
        Demand::NoNesting(op("ite"), op("<")),
        Demand::NoNesting(op("*"), x),
    ];
    let whole = Grammar::from_language(&language, Sort::Int, &vars()).expect("not empty");
    let small: Vec<_> = terms(&language, 3).into_iter().filter(|(sort, _)| *sort == Sort::Int).collect();
    assert!(small.len() > 1000, "{}", small.len());
    assert!(small.iter().all(|(_, term)| whole.derives(term)));
    for (i, first) in all.iter().enumerate() {
        for second in &all[i..] {
            let pair = [first, second].map(|demand| Restriction { within: None, demand: demand.clone() });
            let grammar = match whole.restricted(&pair) {
                Ok(grammar) => grammar,
                Err(error) => {
                    assert_eq!(
                        (first, second, error),
                        (&Demand::MustUse(x), &Demand::AtMost(x, 0), GrammarError::Empty)
                    );
                    continue;
                }
            };
            let mut n_derived = 0;
            for (_, term) in small.iter().step_by(7) {
                let expected = satisfies(term, first) && satisfies(term, second);
                assert_eq!(grammar.derives(term), expected, "{}: {pair:?}", crate::print(term, &language));
                n_derived += usize::from(expected);
            }
            assert!(n_derived > 0, "{pair:?}");
        }
    }
}

#[test]
fn a_restriction_of_a_nonterminal_holds_for_each_of_its_terms() {
    let text = format!(
        "{TEXT} (grammar g (Start Int (x 0 (ite B Start Start)))
                          (B Bool ((< S S)) :must-use (x) :at-most ((+ 1)))
                          (S Int ((Variable Int) (Constant Int) (+ S S))))"
    );
    let language = Language::parse("test", &text, &|_| None).unwrap_or_else(|problems| panic!("{problems}"));
    let grammar = language.grammar("g", &vars()).expect("there").expect("not empty");
    let derives = |text: &str| grammar.derives(&parse_term(text, &language, &vars()).expect("is read"));
    for text in ["x", "0", "(ite (< x y) x (ite (< (+ x 1) y) x 0))", "(ite (< 1 (+ y x)) 0 0)"] {
        assert!(derives(text), "{text}");
    }
    for text in ["y", "(ite (< y 1) x x)", "(ite (< x (+ y (+ y y))) x x)", "(ite (< x y) x (ite (< y y) x x))"] {
        assert!(!derives(text), "{text}");
    }
    assert!(language.grammar("h", &vars()).is_none());
}

#[test]
fn the_grammar_of_a_language_costs_what_its_terms_cost() {
    let language = language();
    let grammar = Grammar::from_language(&language, Sort::Int, &vars()).expect("not empty");
    for (sort, term) in terms(&language, 2) {
        let start = grammar.nonterminals.iter().position(|own| own.name.as_str() == sort.to_string()).expect("a sort");
        let found = least_cost(&grammar, start, &term);
        assert_eq!(found.map(f64::from), Some(crate::cost(&term, &language)), "{}", crate::print(&term, &language));
    }
}

/// What a nonterminal's cheapest derivation of a term costs.
fn least_cost(grammar: &Grammar, nonterminal: usize, term: &crate::Term) -> Option<u32> {
    let ways = grammar.nonterminals[nonterminal].productions.iter().filter_map(|production| match production {
        Production::Leaf { term: own, cost } => (own == term).then_some(*cost),
        Production::Chain(id) => least_cost(grammar, id.0 as usize, term),
        Production::Apply { func, args, cost } => match term.node() {
            crate::Node::App(own, terms) if own == func => args
                .iter()
                .zip(terms)
                .try_fold(*cost, |sum, (id, arg)| Some(sum + least_cost(grammar, id.0 as usize, arg)?)),
            _ => None,
        },
        Production::AnyConstant { .. } => None,
    });
    ways.min()
}

#[test]
fn products_that_grow_too_large_are_refused() {
    let language = language();
    let whole = Grammar::from_language(&language, Sort::Int, &vars()).expect("not empty");
    let many = ["+", "*", "%", "<", "ite"].map(|name| Restriction {
        within: None,
        demand: Demand::AtMost(Used::Op(language.operator(name).expect("there")), 100),
    });
    let error = whole.restricted(&many).expect_err("too large");
    assert!(error.to_string().contains("fewer or smaller restrictions"), "{error}");
}
