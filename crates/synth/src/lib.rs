//! Program synthesis: the bank of enumerated terms, goals, and how they are met.
//!
//! * [`Bank`] enumerates terms by cost, one per class of equal values at the sample points;
//! * [`solve`] meets a [`Goal`] with counterexamples: few points first, verified at all;
//! * [`find`] finds the functions that a DSL file asks for, [`find_all`] all of least cost;
//! * [`list`] lists what a [`Question`] has for answers beside one that is known;
//! * [`invert`] and [`unify`] look one operator beyond a bank;
//! * [`simplify`] saturates an e-graph with verified rules and extracts the cheapest term;
//! * [`Equalities`] is that e-graph as a store: which terms are proved equal, and which is the cheapest,
//!   as a tree or with equal parts shared;
//! * [`recheck`] checks an explanation without the e-graph;
//! * [`infer`] finds rules from an operator's meaning alone, [`derives`] says what a set of rules implies;
//! * [`check_language`] verifies every rule and fact of a language.
//!
//! Equality on samples lives in the bank alone, proved equality in the e-graph alone. This crate knows nothing of networks: goals are columns.

mod bank;
mod find;
mod goal;
mod infer;
mod linear;
mod listing;
mod place;
mod recheck;
mod saturate;
mod solve;
#[cfg(test)]
mod testing;
mod top;
mod verify;

pub use bank::{
    Bank, BankConfig, BankError, ClassId, Closure, ClosureLimits, Extra, Found, Leaf, Limits, MAX_CLOSURE_POINTS,
    StopReason, Watch,
};
pub use find::{BoundScope, Evidence, FindConfig, FindError, FindReport, Finding, Tried, find, find_all};
pub use goal::Goal;
pub use infer::{InferConfig, Inferred, InferredRule, derives, infer, infer_key};
pub use listing::{Fit, Listing, MOST_LISTED, Question, Ruling, list};
pub use recheck::{CheckError, Checked, recheck};
pub use saturate::{
    AtomCost, COST_UNIT, Dag, DagLimits, EqualClass, Equalities, Form, Ground, Known, LanguageCost, Part, RuleBook,
    RuleSet, SaturationLimits, SaturationStop, Simplified, Step, TermCost, TermHead, TermId, simplify,
    simplify_explained,
};
pub use solve::{Outcome, Solution, SolveConfig, solve};
pub use top::{Topped, UnifyLimits, invert, ite_operator, mask, unify};
pub use verify::{
    CheckReport, Counterexample, Extent, OperatorReport, RuleReport, Verdict, VerifyLimits, check_language,
    check_operators, check_rule, run_checks,
};
