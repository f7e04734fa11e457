//! The language of programs: sorts, operators, rules, terms.
//!
//! A [`Language`] is what a DSL file defines; a [`Term`] is a program in it or a part of one. An operator's meaning is
//! given once, in the file, by means of the few functions of the [`Kernel`]. Everything here derives from that meaning:
//! evaluation on whole columns ([`eval`]), sorts ([`sort_of`]), printing ([`print()`]), Python ([`python`]), SMT-LIB
//! ([`smt_rule`], [`SmtScript`]).
//!
//! The crate knows nothing of networks, and takes text and columns, never paths.

mod cost;
mod diagnostic;
mod eval;
mod format;
mod infer;
mod kernel;
mod language;
mod parse;
mod print;
mod python;
mod sexpr;
mod smt;
mod term;
#[cfg(test)]
mod tests;

pub use cost::{cost, size};
pub use diagnostic::{Diagnostic, Diagnostics, Place, Span};
pub use eval::{Env, EvalError, apply, apply_in, apply_select, eval, eval_program};
pub use format::format;
pub use infer::{SortError, SortError as TypeError, program_sorts, sort_of};
pub use kernel::{Kernel, SortClass};
pub use language::{ConstantGroup, Constants, Enumeration, Facts, Form, Language, OpId, Operator, Rule, SortPattern};
pub use parse::{parse_program, parse_term};
pub use print::{pretty, print, print_value, tables};
pub use python::{PythonOutput, python};
pub use smt::{SmtError, SmtScript, SmtTerm, smt_difference, smt_rule};
pub use term::{Func, Node, Scan, Table, Term};

/// The reference of DSL files and programs: every construct with an example that the tests run.
pub const REFERENCE: &str = include_str!("../../../dsl/REFERENCE.md");
