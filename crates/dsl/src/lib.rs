//! The language of programs: sorts, operators, rules, terms.
//!
//! A [`Language`] is what a DSL file defines; a [`Term`] is a program in it or a part of one. An operator's meaning is
//! given once, in the file, by means of the few functions of the [`Kernel`]. Everything here derives from that meaning:
//! evaluation on whole columns ([`eval`]), sorts ([`sort_of`]), printing ([`print()`]), Python ([`python`]), SMT-LIB
//! ([`smt_rule`], [`SmtScript`]).
//!
//! The crate knows nothing of networks, and takes text and columns, never paths.
//!
//! ```
//! use dsl::{Env, Language, eval, parse_term, pretty};
//! use samples::{Batch, Column, Sort};
//!
//! let language = Language::load_shipped("recurrent")?;
//! let program = parse_term("(scan ((s 0 (% (+ s x) 15))) (ite (< s' x) 1 0))", &language, &[("x".into(), Sort::Int)])?;
//!
//! let batch = Batch::from_sequences(1, [[7, 9, 3]]);
//! let vars = [("x".into(), Column::new(Sort::Int, batch.coordinate(0)))];
//! let env = Env { language: &language, points: &batch.points(), vars: &vars, causal: false };
//! assert_eq!(eval(&program, &env)?.codes, [0, 1, 0]);
//!
//! let problems = parse_term("(mod x 2)", &language, &[("x".into(), Sort::Int)]).unwrap_err();
//! assert!(problems.to_string().contains("unknown operator mod"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bits;
mod cost;
mod diagnostic;
mod eval;
mod format;
mod grammar;
mod infer;
mod kernel;
mod language;
mod parse;
mod print;
mod python;
pub mod sexpr;
mod smt;
mod term;
#[cfg(test)]
mod tests;
mod total;
mod walk;

pub use bits::{BitOp, Reshape, signed};
pub use cost::{cost, size};
pub use diagnostic::{Diagnostic, Diagnostics, Place, Source, Span, line_starts};
pub use eval::{Env, EvalError, apply, apply_in, apply_select, eval, eval_program};
pub use format::format;
pub use grammar::{
    Demand, Grammar, GrammarDefinition, GrammarError, Nonterminal, NonterminalDefinition, NonterminalId, Production,
    Restriction, Used,
};
pub use infer::{SortError, SortError as TypeError, general_sorts, program_sorts, sort_of};
pub use kernel::{Kernel, SortClass};
pub use language::{
    ConstantGroup, Constants, Enumeration, Facts, Form, Language, OpId, Operator, Rule, SelfTest, SortPattern, Wanted,
    WantedParam,
};
pub use parse::{parse_program, parse_sort, parse_term};
pub use print::{pretty, print, print_value, tables};
pub use python::{PythonOutput, python};
pub use smt::{SmtError, SmtScript, SmtTerm, smt_difference, smt_rule};
pub use term::{Func, Node, Scan, Table, Term};

/// The reference of DSL files and programs: every construct with an example that the tests run.
pub const REFERENCE: &str = include_str!("../../../dsl/REFERENCE.md");
