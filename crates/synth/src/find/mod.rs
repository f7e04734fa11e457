//! The functions that a DSL file asks for (`synth-fun`), found: a bank over the file's grammar at the examples, or at inputs
//! that stand for the meaning; then the answer held against the meaning itself.

mod constants;
mod holes;
mod inputs;
mod list;
#[cfg(test)]
mod tests;

use dsl::{
    EvalError, Func, Grammar, GrammarError, Kernel, Language, Node, Rule, SortPattern, Term, Wanted, WantedParam,
};
use samples::{Column, Sort, Symbol, Value, encode_value};
use smt::Solver;

pub use constants::{BoundScope, Tried};
pub use list::find_all;

use self::constants::{Hole, are_all_tried, fill};
use self::holes::{Filled, HoleSearch};
use self::inputs::Inputs;
use crate::bank::{BankConfig, BankError, Leaf, Limits, StopReason};
use crate::goal::Goal;
use crate::solve::{Outcome, Solution, SolveConfig, solve_until};
use crate::verify::{Verdict, VerifyLimits, check_rule, mentions_selection};

/// How far to look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FindConfig {
    /// The seed of the inputs drawn.
    pub seed: u64,
    /// Inputs that stand for a meaning whose inputs are too many to be run.
    pub n_points: usize,
    /// Where the search ends at the latest.
    pub limits: Limits,
    /// What a proof may cost.
    pub verify: VerifyLimits,
}

impl FindConfig {
    /// 64 inputs, up to 50 million candidates and a gigabyte.
    pub fn new(seed: u64) -> Self {
        let limits = Limits { max_cost: 100, max_classes: 20_000_000, max_candidates: 50_000_000, max_bytes: 1 << 30 };
        Self { seed, n_points: 64, limits, verify: VerifyLimits::new() }
    }
}

/// What is known of a term that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Evidence {
    /// It was run on all inputs that there are, so many.
    Exhaustive(usize),
    /// It equals the meaning, for these values.
    Proved(String),
    /// It equals the meaning on all inputs of this scope; more was not shown.
    Bounded(String),
    /// It is right at so many inputs; more was not shown, or not asked for.
    Sampled(usize),
}

/// How the search for a function ended.
#[derive(Clone, PartialEq, Debug)]
pub enum Finding {
    /// With a cheapest term.
    Solved {
        /// The term, over the function's parameters.
        term: Term,
        /// What it costs.
        cost: u32,
        /// No right term of the grammar costs less.
        lower_bound: u32,
        /// What is known of it.
        evidence: Evidence,
        /// Terms evaluated, and at how many inputs.
        n_candidates: u64,
        /// Inputs at which they were evaluated.
        n_points: usize,
    },
    /// There is no such term, for this reason.
    Infeasible(String),
    /// None was found before a limit was reached.
    Fail {
        /// The limit.
        limit: StopReason,
        /// No right term of the grammar costs less.
        lower_bound: u32,
    },
}

/// Why a search cannot be begun.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// There is no grammar of that kind over these parameters.
    #[error("the grammar cannot be used: {0}")]
    Grammar(#[from] GrammarError),
    /// The bank cannot hold it.
    #[error("cannot be searched: {0}")]
    Bank(#[from] BankError),
    /// The meaning cannot be run.
    #[error("the meaning cannot be run: {0}")]
    Meaning(#[from] EvalError),
    /// The meaning looks at other positions of a sequence.
    #[error("the meaning looks at other positions: a function is asked for at one point; give examples instead")]
    Sequences,
}

/// What a search for a function found, and what it speaks of.
#[derive(Clone, PartialEq, Debug)]
pub struct FindReport {
    /// How it ended.
    pub finding: Finding,
    /// Of which terms its bound on cost speaks.
    pub scope: BoundScope,
    /// The constants that were tried beside those listed.
    pub tried: Tried,
}

/// Candidates before shapes with holes are looked at, where constants may be solved for.
const CANDIDATES_FIRST: u64 = 500_000;
/// Filled shapes that the meaning may refute.
const MOST_REFUTED: usize = 64;

/// Looks for a cheapest term for a function that a file asks for. `deadline` says when it is too late.
///
/// Where the grammar lets constants be taken from samples, those of the examples and of the meaning are tried; where they
/// may be solved for, also those that make a shape right at all inputs, of shapes with up to three.
///
/// # Errors
/// A grammar or a meaning that cannot be used.
pub fn find(
    language: &Language,
    wanted: &Wanted,
    config: &FindConfig,
    solver: &mut Solver,
    deadline: &dyn Fn() -> bool,
) -> Result<FindReport, FindError> {
    let grammar = grammar_of(language, wanted)?;
    let task = Task { language, wanted, config, grammar: grammar.as_ref() };
    let mut holes = HoleSearch::new(task);
    let finding = task.find(&mut holes, solver, deadline)?;
    Ok(FindReport { finding, scope: task.scope(), tried: holes.tried })
}

/// The grammar that the terms for a function are of, if the file names one.
fn grammar_of(language: &Language, wanted: &Wanted) -> Result<Option<Grammar>, GrammarError> {
    let sorts: Vec<(Symbol, Sort)> = wanted.params.iter().map(|param| (param.name, param.sort)).collect();
    let named = |name: Symbol| language.grammar(name.as_str(), &sorts).ok_or(GrammarError::Empty)?;
    wanted.grammar.map(named).transpose()
}

/// What is to be found, where, and how far to look.
#[derive(Clone, Copy)]
struct Task<'a> {
    language: &'a Language,
    wanted: &'a Wanted,
    config: &'a FindConfig,
    grammar: Option<&'a Grammar>,
}

impl Task<'_> {
    fn find(
        self,
        holes: &mut HoleSearch<'_>,
        solver: &mut Solver,
        deadline: &dyn Fn() -> bool,
    ) -> Result<Finding, FindError> {
        let Self { language, wanted, config, .. } = self;
        let mut inputs = Inputs::new(language, wanted, config)?;
        let mut n_refuted = 0;
        loop {
            let first = if holes.is_any() { CANDIDATES_FIRST } else { u64::MAX };
            let limits = Limits { max_candidates: config.limits.max_candidates.min(first), ..config.limits };
            let mut outcome = self.search(&inputs, &holes.tried.constants, limits, deadline)?;
            let (bound, complete) = match &outcome {
                Outcome::Contradicted(a, b) => return Ok(Finding::Infeasible(inputs.contradiction(*a, *b))),
                Outcome::Solved(solution) => (solution.cost, solution.complete_cost),
                Outcome::NotFound { complete_cost, .. } => (config.limits.max_cost.saturating_add(1), *complete_cost),
            };
            let n_inputs = inputs.values.n_points();
            let mut filled = if n_refuted < MOST_REFUTED { holes.search(&inputs, bound, deadline)? } else { None };
            while let Some(Filled { term, cost, shape }) = filled {
                match self.judge(&term, &inputs, solver) {
                    Judged::Holds(evidence) => {
                        let lower_bound = (complete + 1).min(cost);
                        let (n_candidates, n_points) = (holes.tried.n_shapes, inputs.values.n_points());
                        return Ok(Finding::Solved { term, cost, lower_bound, evidence, n_candidates, n_points });
                    }
                    Judged::Fails(point) => {
                        inputs.add(language, wanted, &point)?;
                        n_refuted += 1;
                        filled = if n_refuted < MOST_REFUTED { holes.refill(&shape, &inputs)? } else { None };
                    }
                }
            }
            if inputs.values.n_points() > n_inputs {
                continue;
            }
            let was_cut =
                matches!(outcome, Outcome::NotFound { reason: StopReason::Candidates, .. }) && limits != config.limits;
            if holes.suggest() || was_cut {
                let limits = match &outcome {
                    Outcome::Solved(solution) => Limits { max_cost: solution.cost - 1, ..limits },
                    _ => config.limits,
                };
                outcome = match (self.search(&inputs, &holes.tried.constants, limits, deadline)?, outcome) {
                    // The bound is that of the search with all constants.
                    (Outcome::NotFound { complete_cost, .. }, Outcome::Solved(known)) => {
                        Outcome::Solved(Solution { complete_cost, ..known })
                    }
                    (new, _) => new,
                };
            }
            let solution = match outcome {
                Outcome::Solved(solution) => solution,
                Outcome::NotFound { is_exhausted: true, .. } if self.are_all_tried() => {
                    let reason = format!("no term is right at all of {} inputs", inputs.values.n_points());
                    return Ok(Finding::Infeasible(reason));
                }
                Outcome::NotFound { reason, complete_cost, .. } => {
                    return Ok(Finding::Fail { limit: reason, lower_bound: complete_cost + 1 });
                }
                Outcome::Contradicted(a, b) => return Ok(Finding::Infeasible(inputs.contradiction(a, b))),
            };
            match self.judge(&solution.term, &inputs, solver) {
                Judged::Holds(evidence) => {
                    let Solution { term, cost, complete_cost, n_candidates, n_points, .. } = solution;
                    let lower_bound = (complete_cost + 1).min(cost);
                    return Ok(Finding::Solved { term, cost, lower_bound, evidence, n_candidates, n_points });
                }
                Judged::Fails(point) => inputs.add(language, wanted, &point)?,
            }
        }
    }

    /// The cheapest term with some constants that is right at all inputs.
    fn search(
        self,
        inputs: &Inputs,
        constants: &[Value],
        limits: Limits,
        deadline: &dyn Fn() -> bool,
    ) -> Result<Outcome, FindError> {
        let bank = self.bank(&inputs.named(self.wanted), constants, &[]);
        // What lies beyond the finished level may not be a term of the grammar.
        let reach_beyond = bank.grammar.is_none();
        let search = SolveConfig { reach_beyond, minimal: true, ..SolveConfig::new(bank, limits) };
        Ok(solve_until(self.language, &Goal::exact(&inputs.values), &search, deadline)?)
    }

    /// What is to be enumerated.
    fn bank(self, vars: &[(Symbol, Column)], constants: &[Value], holes: &[(Hole, Column)]) -> BankConfig {
        let language = self.language;
        let n_points = vars.first().map_or(1, |(_, column)| column.n_points());
        let mut all: Vec<Leaf> = Vec::new();
        let hole = |(hole, column): &(Hole, Column)| Leaf {
            term: Term::var(hole.name),
            column: column.clone(),
            cost: hole.cost,
        };
        all.extend(holes.iter().map(hole));
        all.extend(constants.iter().filter_map(|&value| Leaf::constant(language, value, n_points)));
        if let Some(grammar) = self.grammar {
            let mut grammar = grammar.clone();
            fill(&mut grammar, &all);
            let vars = vars.iter().cloned().chain(holes.iter().map(|(hole, column)| (hole.name, column.clone())));
            return BankConfig::from_grammar(grammar, vars.collect());
        }
        let leaves = vars.iter().map(|(name, column)| Leaf::variable(language, *name, column.clone())).collect();
        let mut bank = BankConfig::new(language, leaves);
        all.retain(|leaf| bank.leaves.iter().all(|known| known.term != leaf.term));
        bank.leaves.extend(all);
        bank
    }

    /// Of which terms a bound on cost speaks.
    fn scope(self) -> BoundScope {
        BoundScope::of(self.grammar, |sort| are_all_tried(self.language, sort))
    }

    /// Whether there are no terms beside those tried: with other constants, or operators that look at other positions.
    fn are_all_tried(self) -> bool {
        let language = self.language;
        let is_passed_over = |operator: &dsl::Operator| mentions_selection(language, &operator.meaning);
        match self.scope() {
            BoundScope::Grammar => true,
            BoundScope::ConstantsTried => false,
            BoundScope::TermsTried => {
                language.constants.groups.iter().all(|group| are_all_tried(language, group.sort))
                    && !language.operators.iter().any(is_passed_over)
            }
        }
    }

    /// What is known of a term that is right at all inputs; or where it is wrong.
    fn judge(self, term: &Term, inputs: &Inputs, solver: &mut Solver) -> Judged {
        let Self { language, wanted, config, .. } = self;
        let n_inputs = inputs.values.n_points();
        let Some(meaning) = wanted.meaning.as_ref().filter(|_| !inputs.is_whole) else {
            let evidence = if inputs.is_whole { Evidence::Exhaustive(n_inputs) } else { Evidence::Sampled(n_inputs) };
            return Judged::Holds(evidence);
        };
        let rule = Rule {
            name: wanted.name,
            lhs: meaning.clone(),
            rhs: term.clone(),
            conditions: wanted.params.iter().flat_map(is_input).collect(),
            both_ways: false,
            params: wanted.params.iter().map(|param| (param.name, SortPattern::Sort(param.sort))).collect(),
            ruleset: None,
            assumed: false,
            place: wanted.place.clone(),
        };
        match check_rule(language, &rule, solver, &config.verify) {
            Verdict::Proved { scope } => Judged::Holds(Evidence::Proved(scope)),
            Verdict::Exhaustive { scope } => Judged::Holds(Evidence::Bounded(scope)),
            Verdict::Unsound { counterexample } => {
                let code = |(_, text): &(Symbol, String)| match dsl::parse_term(text, language, &[]).ok()?.node() {
                    Node::Const(value) => Some(encode_value(*value)),
                    _ => None,
                };
                let point: Option<Vec<i64>> = counterexample.values.iter().map(code).collect();
                let is_new = |point: &Vec<i64>| {
                    (0..n_inputs).all(|i| inputs.arguments.iter().zip(point).any(|(c, p)| c.codes[i] != *p))
                };
                point.filter(is_new).map_or(Judged::Holds(Evidence::Sampled(n_inputs)), Judged::Fails)
            }
            Verdict::Vacuous | Verdict::Undecided { .. } | Verdict::Assumed { .. } => {
                Judged::Holds(Evidence::Sampled(n_inputs))
            }
        }
    }
}

enum Judged {
    Holds(Evidence),
    /// At these arguments.
    Fails(Vec<i64>),
}

/// That a parameter has a value, in its range.
fn is_input(param: &WantedParam) -> Vec<Term> {
    let kernel = |kernel, args| Term::app(Func::Kernel(kernel), args);
    let own = Term::var(param.name);
    match param.range {
        None => vec![kernel(Kernel::Defined, vec![own])],
        Some((low, high)) => {
            vec![kernel(Kernel::Le, vec![Term::int(low), own.clone()]), kernel(Kernel::Le, vec![own, Term::int(high)])]
        }
    }
}
