//! A solver that takes SMT-LIB text and answers unsatisfiable, satisfiable or unknown.
//!
//! The border to Z3 is text on purpose: what was asked can be printed, cached and asked again of another solver. Limits
//! count Z3's own resource units, so that the same question gets the same answer on any machine; every question is asked
//! in a fresh context, so that the answer does not depend on what was asked before, unless one context is asked for
//! ([`Solver::in_one_context`]).
//!
//! This crate knows nothing of terms, rules or networks: `dsl` prints the text, `synth` and `check` read the answers.
//!
//! ```
//! use smt::{Answer, Limits, Solver, Validity};
//!
//! let mut solver = Solver::new();
//! let limits = Limits { resources: 100_000, timeout_ms: None };
//! let answer = solver.check_sat("(declare-const a Int) (assert (= (+ a a) 6))", limits)?;
//! let Answer::Sat(model) = answer else { panic!("{answer:?}") };
//! assert_eq!(model.int("a"), Some(3));
//! assert_eq!(solver.valid("(declare-const a Int)", "(<= (- a 1) a)", limits)?, Validity::Valid);
//! # Ok::<(), smt::Error>(())
//! ```

mod model;
mod solver;

pub use model::Model;
pub use solver::{Answer, Error, Limits, Solver, Validity};
