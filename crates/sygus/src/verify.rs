//! Verification: the file's own text with the answers in place of the functions, given to the solver.
//!
//! The text is that of the file, not a rendering of what was read, so a mistake in reading shows.

use std::fmt::Write as _;

use dsl::Term;
use dsl::sexpr::quote_symbol;
use samples::{Sort, decode_code, encode_value};
use smt::{Answer, Limits, Model, Solver};

use crate::problem::{Problem, ScriptItem};
use crate::simple::simple;
use crate::spec::names;
use crate::theory;

/// What the solver says of an answer.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Verification {
    /// It satisfies the constraints for all values.
    Valid,
    /// It does not for this valuation.
    Counterexample(Vec<i64>),
    /// The solver gave up, or names a value beyond 64 bits.
    Unknown(String),
}

/// Whether the bodies satisfy the constraints that mention some functions, or none at all.
pub(crate) fn verify(
    problem: &Problem,
    functions: &[usize],
    bodies: &[Term],
    solver: &mut Solver,
    limits: Limits,
) -> Verification {
    let text = script(problem, functions, bodies);
    match solver.check_sat(&text, limits) {
        Ok(Answer::Unsat) => Verification::Valid,
        Ok(Answer::Sat(model)) => match valuation(problem, &model) {
            Some(valuation) => Verification::Counterexample(valuation),
            None => Verification::Unknown("a counterexample beyond 64 bits".to_owned()),
        },
        Ok(Answer::Unknown(reason)) => Verification::Unknown(reason),
        Err(error) => Verification::Unknown(error.to_string()),
    }
}

/// The file as SMT-LIB has it.
struct Script<'p> {
    /// Declarations and definitions.
    text: String,
    /// What has to hold of some functions.
    constraints: Vec<&'p str>,
    /// What is granted.
    assumptions: Vec<&'p str>,
}

impl<'p> Script<'p> {
    /// With definitions of all functions to find, and the constraints that mention some of them, or none at all.
    fn new(problem: &'p Problem, functions: &[usize], define: &dyn Fn(usize) -> String) -> Self {
        let mut script = Self { text: String::new(), constraints: Vec::new(), assumptions: Vec::new() };
        let mut formulas = problem.constraints.iter();
        let is_own = |term: &Term| {
            let names = names(term);
            let mut used = problem.applications.iter().filter(|own| names.contains(&own.name)).peekable();
            used.peek().is_none() || used.any(|own| functions.contains(&own.function))
        };
        for item in &problem.script {
            match item {
                ScriptItem::Text(line) => script.text.push_str(line),
                ScriptItem::Function(index) => script.text.push_str(&define(*index)),
                ScriptItem::Constraint(formula) => {
                    if formulas.next().is_some_and(is_own) {
                        script.constraints.push(formula);
                    }
                }
                ScriptItem::Assumption(formula) => script.assumptions.push(formula),
            }
            script.text.push('\n');
        }
        script
    }
}

/// The SMT-LIB question whether a constraint can be violated.
fn script(problem: &Problem, functions: &[usize], bodies: &[Term]) -> String {
    let define = |index: usize| definition(problem, index, &bodies[index]);
    let Script { mut text, constraints, assumptions } = Script::new(problem, functions, &define);
    for formula in assumptions {
        let _ = writeln!(text, "(assert {formula})");
    }
    let _ = writeln!(text, "(assert (not (and true {})))", constraints.join("\n"));
    text
}

/// SMT-LIB assertions that the constraints hold at some valuations.
pub(crate) fn instances(
    problem: &Problem,
    functions: &[usize],
    define: &dyn Fn(usize) -> String,
    valuations: &[Vec<i64>],
) -> String {
    let Script { mut text, constraints, assumptions } = Script::new(problem, functions, define);
    let formula = format!("(=> (and true {}) (and true {}))", assumptions.join("\n"), constraints.join("\n"));
    for valuation in valuations {
        let values = problem.variables.iter().zip(valuation).map(|((name, sort), &code)| {
            format!("({} {})", quote_symbol(name.as_str()), theory::literal(decode_code(*sort, code)))
        });
        let values: String = values.collect();
        let _ = match values.is_empty() {
            true => writeln!(text, "(assert {formula})"),
            false => writeln!(text, "(assert (let ({values}) {formula}))"),
        };
    }
    text
}

/// `(define-fun NAME (PARAMS) SORT BODY)`: the body as it is where there is a grammar, else in a simple form.
pub fn definition(problem: &Problem, index: usize, body: &Term) -> String {
    let body = match problem.functions[index].has_grammar {
        true => theory::print(body, &problem.language),
        false => theory::print_joined(&simple(body), &problem.language),
    };
    definition_of(problem, index, &body)
}

/// The nodes of a body as [`definition`] writes it.
pub(crate) fn written_nodes(problem: &Problem, index: usize, body: &Term) -> usize {
    match problem.functions[index].has_grammar {
        true => theory::nodes(body),
        false => theory::joined_nodes(&simple(body)),
    }
}

/// The same with a body as text.
pub(crate) fn definition_of(problem: &Problem, index: usize, body: &str) -> String {
    let function = &problem.functions[index];
    let params: Vec<String> =
        function.params.iter().map(|(name, sort)| format!("({} {sort})", quote_symbol(name.as_str()))).collect();
    let (name, sort) = (quote_symbol(function.name.as_str()), function.sort);
    format!("(define-fun {name} ({}) {sort} {body})", params.join(" "))
}

/// The codes of the variables in a model; those that are absent do not matter.
fn valuation(problem: &Problem, model: &Model) -> Option<Vec<i64>> {
    let code = |(name, sort): &(samples::Symbol, Sort)| {
        let name = name.as_str();
        match (model.value(name), sort) {
            (None, _) => Some(0),
            (Some(_), Sort::Int) => model.int(name),
            (Some(_), Sort::Bool) => model.bool(name).map(crate::accept::truth),
            (Some(text), Sort::BitVec(width)) => {
                let bits = match text.strip_prefix("#x") {
                    Some(digits) => u64::from_str_radix(digits, 16).ok()?,
                    None => u64::from_str_radix(text.strip_prefix("#b")?, 2).ok()?,
                };
                Some(encode_value(samples::Value::bit_vec(*width, bits)))
            }
            _ => None,
        }
    };
    problem.variables.iter().map(code).collect()
}
