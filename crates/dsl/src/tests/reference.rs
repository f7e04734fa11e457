//! Every example of the reference does what the reference says.

use samples::{Column, Points, Sort, Symbol, Value};

use crate::{Env, Language, REFERENCE, eval, parse_term, print_value};

use super::shipped;

/// Fenced blocks of the reference: what they are marked as, and their text.
fn blocks() -> Vec<(String, String)> {
    let mut parts = REFERENCE.split("```");
    let mut blocks = Vec::new();
    // Text and blocks take turns; a double backquote in the text is no fence.
    while let (Some(_), Some(block)) = (parts.next(), parts.next()) {
        let (mark, text) = block.split_once('\n').expect("a fence has a mark");
        blocks.push((mark.to_owned(), text.to_owned()));
    }
    blocks
}

fn values(language: &Language, program: &str) -> String {
    let vars = [("tokens".into(), Sort::Symbol), ("indices".into(), Sort::Int), ("x".into(), Sort::Int)];
    let term = parse_term(program, language, &vars).unwrap_or_else(|problems| panic!("{problems}"));
    let tokens = ["a", "b", "a"].map(|token| Symbol::new(token).code()).to_vec();
    let columns: Vec<(Symbol, Column)> = vec![
        (vars[0].0, Column::new(Sort::Symbol, tokens)),
        (vars[1].0, Column::new(Sort::Int, vec![0, 1, 2])),
        (vars[2].0, Column::new(Sort::Int, vec![3, 1, 2])),
    ];
    let points = Points::from_lengths([3]);
    let env = Env { language, points: &points, vars: &columns, causal: false };
    let column = eval(&term, &env).expect("evaluates");
    (0..3).map(|point| print_value(column.value(point))).collect::<Vec<_>>().join(" ")
}

fn tests_of_its_own_pass(language: &Language) {
    let points = Points::from_lengths([1]);
    let env = Env { language, points: &points, vars: &[], causal: false };
    for check in &language.checks {
        let value = eval(&check.term, &env).expect("evaluates").value(0);
        assert_eq!(value == Value::Bool(true), check.holds, "{}", crate::print(&check.term, language));
    }
}

#[test]
fn examples_do_what_they_say() {
    let include = |name: &str| Language::shipped(name).map(str::to_owned);
    let mut n_run = 0;
    for (mark, text) in blocks() {
        match mark.split_once(' ').unwrap_or((&mark, "")) {
            ("dsl", _) => match Language::parse("reference", &text, &include) {
                Ok(language) => {
                    assert!(language.warnings.is_empty(), "{text}");
                    tests_of_its_own_pass(&language);
                }
                Err(problems) => panic!("{problems}"),
            },
            ("refused", _) => {
                let problems = Language::parse("reference", &text, &include).expect_err("is refused");
                let n_definitions = text.lines().filter(|line| !line.starts_with("(include")).count();
                assert_eq!(problems.items.len(), n_definitions, "{problems}");
            }
            ("program", name) => drop(values(&shipped(name), &text)),
            ("value", name) => {
                let (program, expected) = text.trim_end().rsplit_once('\n').expect("a program and its values");
                assert_eq!(values(&shipped(name), program), expected, "{program}");
            }
            _ => panic!("a block marked {mark}"),
        }
        n_run += 1;
    }
    assert!(n_run > 15, "{n_run}");
}

/// The kernel's table names every function.
#[test]
fn every_kernel_function_is_described() {
    for kernel in crate::Kernel::all() {
        let described = REFERENCE
            .lines()
            .filter(|line| line.starts_with("| `"))
            .any(|line| line.split('`').nth(1).is_some_and(|names| names.split(' ').any(|name| name == kernel.name())));
        assert!(described, "{}", kernel.name());
    }
}
