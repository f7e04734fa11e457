//! Verification of a language's rules and facts.
//!
//! Every rule is first run on all small inputs: that finds most mistakes, with small counterexamples, by the evaluator
//! itself. Where all values of all variables were run, that is the proof. Other scalar rules are then proved by Z3 for all
//! values, definedness included; rules about selectors, and those that Z3 cannot decide, rest on the inputs that were run. Verdicts say which it was and over what scope.

mod operators;
mod scope;

use std::collections::BTreeSet;

use dsl::{Language, Place, Rule, SortPattern};
use samples::{Sort, Symbol};
use smt::{Answer, Solver};

pub use operators::{CheckReport, Extent, OperatorReport, check_operators, run_checks};
pub use scope::Counterexample;
use scope::{Trial, try_all};
pub(crate) use scope::{mentions_selection, model_code};

/// How much work a rule may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VerifyLimits {
    /// What Z3 may spend on a question.
    pub solver: smt::Limits,
    /// Inputs (combinations of values, or sequences) that a rule is run on.
    pub max_inputs: usize,
}

impl VerifyLimits {
    /// A fifth of a second for a hard rule. Most proofs need a third of the resources or less, and the others much more
    /// than all: so the verdicts do not hang on the few percent by which Z3's own count varies with where its objects lie.
    pub fn new() -> Self {
        Self { solver: smt::Limits { resources: 200_000, timeout_ms: None }, max_inputs: 10_000 }
    }
}

impl Default for VerifyLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// What is known of a rule.
#[derive(Clone, PartialEq, Debug)]
pub enum Verdict {
    /// It holds for all values in the scope.
    Proved {
        /// Of what values that is said.
        scope: String,
    },
    /// It held for every input in the scope; more was not shown.
    Exhaustive {
        /// What was run.
        scope: String,
    },
    /// Nothing was shown, and the file says that it is to be accepted all the same.
    Assumed {
        /// Why nothing was shown.
        reason: String,
    },
    /// It does not hold.
    Unsound {
        /// Where it fails.
        counterexample: Counterexample,
    },
    /// Its conditions are never true.
    Vacuous,
    /// Nothing was shown, for this reason.
    Undecided {
        /// Why.
        reason: String,
    },
}

impl Verdict {
    /// Whether it was shown for all values: such rules alone make terms equal without a word on what that rests on.
    pub fn is_proved(&self) -> bool {
        matches!(self, Self::Proved { .. })
    }

    /// Whether nothing speaks against the rule: it was proved, held on every input of a stated scope, or is assumed. Who uses
    /// one that is not proved says so.
    pub fn holds(&self) -> bool {
        matches!(self, Self::Proved { .. } | Self::Exhaustive { .. } | Self::Assumed { .. })
    }

    /// The weaker of two verdicts on instances of one rule.
    fn and(self, other: Self) -> Self {
        let rank = |verdict: &Self| match verdict {
            Self::Proved { .. } => 0,
            Self::Exhaustive { .. } => 1,
            Self::Assumed { .. } => 2,
            Self::Vacuous => 3,
            Self::Undecided { .. } => 4,
            Self::Unsound { .. } => 5,
        };
        let scopes = match (&self, &other) {
            (Self::Exhaustive { scope: a }, Self::Exhaustive { scope: b }) if a != b => {
                return Self::Exhaustive { scope: format!("{a}; {b}") };
            }
            _ => (self, other),
        };
        if rank(&scopes.0) >= rank(&scopes.1) { scopes.0 } else { scopes.1 }
    }
}

/// What was found of one rule or fact.
#[derive(Clone, PartialEq, Debug)]
pub struct RuleReport {
    /// The name of the rule; `OPERATOR-FACT` for facts.
    pub rule: Symbol,
    /// Whether it is a fact stated of an operator.
    pub is_fact: bool,
    /// Where it is written.
    pub place: Place,
    /// What was found, at every choice of sorts.
    pub verdict: Verdict,
}

/// Verifies every rule and every fact of a language, in its order. The same language gets the same reports as long
/// as no proof needs almost exactly the resources that the solver is given.
pub fn check_language(language: &Language, solver: &mut Solver, limits: &VerifyLimits) -> Vec<RuleReport> {
    let facts = language.operators().flat_map(|(id, _)| language.fact_rules(id)).map(|rule| (rule, true));
    let rules = language.rules.iter().cloned().map(|rule| (rule, false));
    facts
        .chain(rules)
        .map(|(rule, is_fact)| {
            let verdict = check_rule(language, &rule, solver, limits);
            RuleReport { rule: rule.name, is_fact, place: rule.place.clone(), verdict }
        })
        .collect()
}

/// The widths at which rules about bit-vectors of every width are verified, beside those of the file. That many widths
/// agree proves nothing of the others (-1 is divisible by 3 at all of these but 1): such rules are used at these alone.
const WIDTHS: [u8; 6] = [1, 4, 8, 16, 32, 64];

/// The widths at which rules of a language are verified, and may be used.
pub(crate) fn verified_widths(language: &Language) -> BTreeSet<u8> {
    let width = |sort: Sort| if let Sort::BitVec(width) = sort { Some(width) } else { None };
    let pattern = |pattern: SortPattern| if let SortPattern::Sort(sort) = pattern { width(sort) } else { None };
    let of_operators = language.operators().flat_map(|(_, own)| own.params.iter().map(|p| p.1).chain([own.result]));
    let of_constants = language.constants.groups.iter().filter_map(|group| width(group.sort));
    WIDTHS.into_iter().chain(of_constants).chain(of_operators.filter_map(pattern)).collect()
}

/// Verifies one rule at every choice of sorts for its variables.
pub fn check_rule(language: &Language, rule: &Rule, solver: &mut Solver, limits: &VerifyLimits) -> Verdict {
    let mut sorts = vec![Sort::Bool, Sort::Int, Sort::Real, Sort::Symbol];
    if language.has_bit_vectors() {
        sorts.extend(verified_widths(language).into_iter().map(Sort::BitVec));
    }
    sorts.extend(language.enums.iter().map(|enumeration| Sort::Enum(enumeration.name)));
    let instances = rule.instances(&sorts);
    let verdicts = instances.iter().map(|params| check_instance(language, rule, params, solver, limits));
    // A rule whose sorts do not fit the operators at some choice is no rule there.
    match verdicts.flatten().reduce(Verdict::and) {
        Some(Verdict::Proved { .. }) => {
            let all: Vec<(Symbol, Sort)> = instances.into_iter().flatten().collect();
            Verdict::Proved { scope: proof_scope(&all, Sort::Bool) }
        }
        Some(Verdict::Undecided { reason }) if rule.assumed => Verdict::Assumed { reason },
        Some(verdict) => verdict,
        None => Verdict::Undecided { reason: "no choice of sorts fits both sides".to_owned() },
    }
}

/// The verdict at one choice of sorts; `None` where both sides do not have one sort.
fn check_instance(
    language: &Language,
    rule: &Rule,
    params: &[(Symbol, Sort)],
    solver: &mut Solver,
    limits: &VerifyLimits,
) -> Option<Verdict> {
    let left = dsl::sort_of(&rule.lhs, language, params).ok()?;
    let right = dsl::sort_of(&rule.rhs, language, params).ok()?;
    if left != right {
        return None;
    }
    let trial = try_all(language, rule, params, limits.max_inputs);
    let (scope, n_applicable) = match trial {
        Trial::Fails(counterexample) => return Some(Verdict::Unsound { counterexample }),
        // Reals are run with rounding, which is not what is claimed of them.
        Trial::Holds { complete: true, n_applicable, .. } if left != Sort::Real => {
            let proved = Verdict::Proved { scope: proof_scope(params, left) };
            return Some(if n_applicable > 0 { proved } else { Verdict::Vacuous });
        }
        Trial::Holds { scope, n_applicable, .. } => (scope, n_applicable),
        Trial::Failed(reason) => return Some(Verdict::Undecided { reason }),
    };
    let exhaustive = Verdict::Exhaustive { scope };
    let Ok(text) = dsl::smt_rule(language, rule, params) else {
        return Some(if n_applicable > 0 { exhaustive } else { Verdict::Vacuous });
    };
    let text = text.replace("(check-sat)", "");
    Some(match solver.check_sat(&text, limits.solver) {
        Ok(Answer::Unsat) if n_applicable > 0 => Verdict::Proved { scope: proof_scope(params, left) },
        // True of nothing that was run: true of nothing at all, or of rare inputs that Z3 may know.
        Ok(Answer::Unsat) => premises(language, rule, params, solver, limits, left),
        Ok(Answer::Sat(model)) => match scope::confirm(language, rule, params, &model) {
            Some(counterexample) => Verdict::Unsound { counterexample },
            None => {
                let values: Vec<String> = model.values().map(|(name, value)| format!("{name} = {value}")).collect();
                let reason = format!("the solver doubts it at {}, evaluation does not confirm", values.join(", "));
                Verdict::Undecided { reason }
            }
        },
        Ok(Answer::Unknown(_)) if n_applicable > 0 => exhaustive,
        Ok(Answer::Unknown(reason)) => Verdict::Undecided { reason },
        Err(error) => Verdict::Undecided { reason: error.to_string() },
    })
}

/// A rule that holds, and whose conditions were true of no input that was run.
fn premises(
    language: &Language,
    rule: &Rule,
    params: &[(Symbol, Sort)],
    solver: &mut Solver,
    limits: &VerifyLimits,
    sort: Sort,
) -> Verdict {
    let mut script = dsl::SmtScript::new(language);
    let declared = params.iter().try_for_each(|&(name, sort)| script.declare(name, sort, true));
    let encoded = declared.and_then(|()| {
        rule.conditions.iter().try_for_each(|condition| {
            let condition = script.encode(condition)?;
            script.push(format!("(assert (and {} {}))", condition.defined, condition.value));
            Ok(())
        })
    });
    if let Err(error) = encoded {
        return Verdict::Undecided { reason: error.to_string() };
    }
    match solver.check_sat(&script.text(), limits.solver) {
        Ok(Answer::Unsat) => Verdict::Vacuous,
        Ok(Answer::Sat(_)) => Verdict::Proved { scope: proof_scope(params, sort) },
        Ok(Answer::Unknown(reason)) => Verdict::Undecided { reason },
        Err(error) => Verdict::Undecided { reason: error.to_string() },
    }
}

/// Of what a proof by Z3 speaks.
fn proof_scope(params: &[(Symbol, Sort)], result: Sort) -> String {
    let sorts = || params.iter().map(|(_, sort)| *sort).chain([result]);
    let mut scope = vec!["all values, undefined included".to_owned()];
    let mut widths: Vec<u8> =
        sorts().filter_map(|sort| if let Sort::BitVec(width) = sort { Some(width) } else { None }).collect();
    widths.sort_unstable();
    widths.dedup();
    if !widths.is_empty() {
        let widths: Vec<String> = widths.iter().map(u8::to_string).collect();
        scope = vec![format!("all bit-vectors of {} bits", widths.join(", "))];
    }
    if sorts().any(|sort| sort == Sort::Int) {
        scope.push("integers without overflow".to_owned());
    }
    if sorts().any(|sort| sort == Sort::Real) {
        scope.push("reals without rounding".to_owned());
    }
    scope.join(", ")
}

#[cfg(test)]
mod tests;
