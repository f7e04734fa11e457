//! Where operators have a value, and the tests that a file holds of itself.

use dsl::{Env, Func, Kernel, Language, OpId, Place, Rule, SelfTest, SortPattern, Term};
use samples::{Points, Sort, Symbol};
use smt::Solver;

use super::{Counterexample, Verdict, VerifyLimits, check_rule};

/// Where an operator has a value, of arguments that have one.
#[derive(Clone, PartialEq, Debug)]
pub enum Extent {
    /// Everywhere.
    Total {
        /// Whether that was proved, or held on every input of the scope.
        proved: bool,
        /// Of what values that is said.
        scope: String,
    },
    /// Not everywhere.
    Partial {
        /// Arguments of which it has no value.
        witness: String,
    },
    /// Not known, for this reason.
    Undecided {
        /// Why.
        reason: String,
    },
}

/// What was found of an operator.
#[derive(Clone, PartialEq, Debug)]
pub struct OperatorReport {
    /// Its name.
    pub name: Symbol,
    /// Where it is written.
    pub place: Place,
    /// Where it has a value.
    pub extent: Extent,
    /// Whether the file claims that it is total.
    pub claimed_total: bool,
}

impl OperatorReport {
    /// Whether what the file claims is so.
    pub fn holds(&self) -> bool {
        !self.claimed_total || matches!(self.extent, Extent::Total { .. })
    }
}

/// Finds for every operator whether it is total. Meanings end in any case: no operator is defined by itself.
pub fn check_operators(language: &Language, solver: &mut Solver, limits: &VerifyLimits) -> Vec<OperatorReport> {
    let report = |(id, operator): (OpId, &dsl::Operator)| OperatorReport {
        name: operator.name,
        place: operator.place.clone(),
        extent: extent(language, id, solver, limits),
        claimed_total: operator.total,
    };
    language.operators().map(report).collect()
}

fn extent(language: &Language, id: OpId, solver: &mut Solver, limits: &VerifyLimits) -> Extent {
    let operator = language.op(id);
    if operator.result == SortPattern::Sort(Sort::Selector) {
        return Extent::Total { proved: true, scope: "selectors always have a value".to_owned() };
    }
    match check_rule(language, &totality(operator, id), solver, limits) {
        Verdict::Proved { scope } => Extent::Total { proved: true, scope },
        Verdict::Exhaustive { scope } => Extent::Total { proved: false, scope },
        Verdict::Unsound { counterexample } => Extent::Partial { witness: arguments(&counterexample) },
        Verdict::Vacuous => Extent::Undecided { reason: "its arguments never have values".to_owned() },
        Verdict::Undecided { reason } | Verdict::Assumed { reason } => Extent::Undecided { reason },
    }
}

/// That the operator is total, as a rule: it is defined where its arguments are.
fn totality(operator: &dsl::Operator, id: OpId) -> Rule {
    let defined = |term: Term| Term::app(Func::Kernel(Kernel::Defined), vec![term]);
    let args = operator.params.iter().map(|(name, _)| Term::var(*name)).collect();
    let scalars = operator.params.iter().filter(|(_, sort)| *sort != SortPattern::Sort(Sort::Selector));
    Rule {
        name: Symbol::new(&format!("{}-total", operator.name)),
        lhs: defined(Term::op(id, args)),
        rhs: Term::constant(samples::Value::Bool(true)),
        conditions: scalars.map(|(name, _)| defined(Term::var(*name))).collect(),
        both_ways: false,
        params: operator.params.clone(),
        ruleset: None,
        assumed: false,
        place: operator.place.clone(),
    }
}

fn arguments(counterexample: &Counterexample) -> String {
    let values: Vec<String> = counterexample.values.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    values.join(", ")
}

/// What a test of a file came to.
#[derive(Clone, PartialEq, Debug)]
pub struct CheckReport {
    /// The test.
    pub check: SelfTest,
    /// Whether it came out as the file says.
    pub passed: bool,
    /// The value of its term.
    pub value: String,
}

/// Runs the tests that a file holds of itself.
pub fn run_checks(language: &Language) -> Vec<CheckReport> {
    let points = Points::from_lengths([1]);
    let env = Env { language, points: &points, vars: &[], causal: false };
    let run = |check: &SelfTest| {
        let (is_true, value) = match dsl::eval(&check.term, &env) {
            Ok(column) => (column.codes.first() == Some(&1), dsl::print_value(column.value(0))),
            Err(error) => (false, error.to_string()),
        };
        CheckReport { passed: is_true == check.holds, check: check.clone(), value }
    };
    language.checks.iter().map(run).collect()
}
