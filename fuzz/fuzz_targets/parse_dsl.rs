//! Any text as a DSL file and as a program: an answer or diagnostics, never a panic; what is accepted prints, reads back,
//! evaluates and formats.
//!
//! The first byte chooses: a DSL file, a program in the shipped language for recurrent networks, or one in RASP.

#![no_main]

use std::sync::LazyLock;

use dsl::{Env, Language, PythonOutput};
use libfuzzer_sys::fuzz_target;
use samples::{Column, Points, Sort, Symbol};

fn include(name: &str) -> Option<String> {
    Language::shipped(name).map(str::to_owned)
}

static RECURRENT: LazyLock<Language> = LazyLock::new(|| Language::load_shipped("recurrent").expect("shipped"));
static RASP: LazyLock<Language> = LazyLock::new(|| Language::load_shipped("rasp").expect("shipped"));

fn file(text: &str) {
    match Language::parse("fuzz", text, &include) {
        Err(problems) => assert!(!problems.items.is_empty() && !problems.to_string().is_empty()),
        Ok(language) => {
            for (id, operator) in language.operators() {
                assert!(operator.cost > 0);
                let facts = language.fact_rules(id);
                for rule in facts.iter().chain(&language.rules).filter(|rule| rule.place.origin == "fuzz") {
                    for params in rule.instances(&[Sort::Bool, Sort::Int, Sort::Real]).iter().take(4) {
                        let _ = dsl::smt_rule(&language, rule, params);
                    }
                }
            }
        }
    }
    if let Ok(formatted) = dsl::format("fuzz", text) {
        assert_eq!(dsl::format("fuzz", &formatted).as_ref(), Ok(&formatted));
    }
}

fn program(text: &str, language: &Language) {
    let vars: [(Symbol, Sort); 3] =
        [("tokens".into(), Sort::Symbol), ("indices".into(), Sort::Int), ("x".into(), Sort::Int)];
    let term = match dsl::parse_term(text, language, &vars) {
        Err(problems) => {
            assert!(!problems.to_string().is_empty());
            return;
        }
        Ok(term) => term,
    };
    for printed in [dsl::print(&term, language), dsl::pretty(&term, language)] {
        match dsl::parse_term(&printed, language, &vars) {
            Ok(read) => assert_eq!(dsl::print(&read, language), dsl::print(&term, language)),
            Err(problems) => panic!("{printed}\n{problems}"),
        }
    }
    assert!(dsl::size(&term, language) > 0 && dsl::cost(&term, language) > 0.0);
    let points = Points::from_lengths([3, 1]);
    let tokens = ["a", "b", "a", "c"].map(|token| Symbol::new(token).code()).to_vec();
    let columns = [
        (vars[0].0, Column::new(Sort::Symbol, tokens)),
        (vars[1].0, Column::new(Sort::Int, vec![0, 1, 2, 0])),
        (vars[2].0, Column::new(Sort::Int, vec![5, -1, i64::MAX, 0])),
    ];
    for causal in [false, true] {
        let env = Env { language, points: &points, vars: &columns, causal };
        let values = dsl::eval_program(&term, &env);
        assert!(values.is_ok_and(|columns| columns.iter().all(|column| column.n_points() == 4)));
        let output = PythonOutput { integers: causal, causal };
        assert!(dsl::python(&term, language, &vars, output).is_ok());
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    match first % 3 {
        0 => file(text),
        1 => program(text, &RECURRENT),
        _ => program(text, &RASP),
    }
});
