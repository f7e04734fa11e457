//! Small synthesis problems over classes: a term for a column, or for whatever a condition accepts.

use super::piecewise::piecewise;
use dsl::{Kernel, Language, Term};
use samples::{Column, Sort, Symbol, Value};
use synth::{Bank, BankConfig, Goal, Leaf, SolveConfig, Watch, solve};

/// What one search may cost: candidates that are tried, with few constants and again with more. A hundred points and a
/// million candidates take a fraction of a second.
const CANDIDATES: u64 = 800_000;
/// Candidates for functions of one variable with few values.
const FEW_CANDIDATES: u64 = 300_000;

/// Variables whose value 0 is looked at as a case of its own.
const ZERO_CASES: usize = 2;

const CLASSES: usize = 200_000;
/// The cost of a term at most; the limits on candidates end a search long before, but a choice between two terms that were
/// found may cost as much as both.
const COST: u32 = 32;

/// Candidates of a search whose condition is costlier than a comparison of columns.
const RELATION_CANDIDATES: u64 = 300_000;

/// A problem's variables: one column per name, one row per combination of values that occurs.
pub(super) struct Space<'a> {
    pub(super) language: &'a Language,
    pub(super) columns: Vec<(Symbol, Column)>,
    /// Constants beyond those that the language lists.
    pub(super) constants: Vec<Value>,
    pub(super) n_points: usize,
}

impl Space<'_> {
    /// What is enumerated for a goal of a sort; with few constants those that the language lists, symbols, and the greatest
    /// number.
    fn config(&self, goal: Sort, few: bool) -> BankConfig {
        let mut leaves: Vec<Leaf> =
            self.columns.iter().map(|(name, column)| Leaf::variable(self.language, *name, column.clone())).collect();
        let mut constants: Vec<Value> = Vec::new();
        let listed = self.language.constants.groups.iter().flat_map(|group| self.language.constants.values(group.sort));
        let greatest = self.constants.iter().filter_map(|v| v.as_f64()).fold(f64::NEG_INFINITY, f64::max);
        let kept = |value: &&Value| {
            !few || matches!(value, Value::Symbol(_) | Value::Bool(_)) || value.as_f64() == Some(greatest)
        };
        let sorts = self.sorts(goal);
        for value in listed.chain(self.constants.iter().filter(kept).copied()) {
            // Constants of a sort that neither variables nor the goal have only widen the search.
            let has_use = |sort| sorts.as_ref().is_none_or(|sorts| sorts.contains(&sort));
            if !constants.contains(&value) && value.sort().is_some_and(has_use) {
                constants.push(value);
            }
        }
        leaves.extend(constants.into_iter().filter_map(|value| Leaf::constant(self.language, value, self.n_points)));
        BankConfig { grammar: None, operators: None, extra: Vec::new(), leaves, sorts, alternatives: 2 }
    }

    /// The sorts of terms: any, but real numbers only where some are given or wanted. What integers say by way of real
    /// numbers, they say without; the detour only widens the search.
    fn sorts(&self, goal: Sort) -> Option<Vec<Sort>> {
        let given = self.columns.iter().map(|(_, column)| column.sort);
        let given = given.chain(self.constants.iter().filter_map(|value| value.sort())).chain([goal]);
        let mut sorts: Vec<Sort> = given.chain([Sort::Bool, Sort::Int]).collect();
        if sorts.contains(&Sort::Real) {
            return None;
        }
        sorts.sort_unstable();
        sorts.dedup();
        Some(sorts)
    }

    /// A cheapest term with the values wanted, not costlier than `bound`: with few constants or with all, whichever gives the
    /// cheaper one.
    pub(super) fn value(&self, sort: Sort, codes: Vec<Option<i64>>, bound: u32) -> Option<Term> {
        let goal = Goal { sort, codes };
        let find = |few: bool, bound: u32| {
            let limits = synth::Limits {
                max_cost: COST.min(bound),
                max_classes: CLASSES,
                // A function of one variable with few values is met early or is a table.
                max_candidates: if self.columns.len() == 1 && self.n_points < 64 { FEW_CANDIDATES } else { CANDIDATES },
                max_bytes: 1 << 27,
            };
            let config = SolveConfig::new(self.config(sort, few), limits);
            let solution = solve(self.language, &goal, &config).ok()?.solution()?;
            (solution.cost <= bound).then_some((solution.cost, solution.term))
        };
        let with_all = find(false, bound);
        // Few constants reach further, and of two that cost the same the one with listed constants reads better.
        let with_few = find(true, with_all.as_ref().map_or(bound, |(cost, _)| *cost));
        let found = with_few.or(with_all).map(|(_, term)| term).or_else(|| self.but_for_zero(&goal, bound));
        found.or_else(|| {
            let leaves = self.config(sort, true).leaves;
            let mut others = self.config(sort, false).leaves;
            others.retain(|leaf| !leaves.iter().any(|known| known.term == leaf.term));
            piecewise(self.language, &leaves, &others, sort, &goal.codes, bound)
        })
    }

    /// A term for the points where no variable is 0, where quotients and remainders have a value, and constants for the rest.
    fn but_for_zero(&self, goal: &Goal, bound: u32) -> Option<Term> {
        let ite = synth::ite_operator(self.language, None)?;
        let eq = self.language.kernel_operator(Kernel::Eq)?;
        let cases = self.columns.iter().filter(|(_, column)| column.sort == Sort::Int && column.codes.contains(&0));
        cases.take(ZERO_CASES).find_map(|(name, column)| {
            let at_zero = |point: &usize| column.codes[*point] == 0;
            let there: Vec<i64> = (0..self.n_points).filter(at_zero).filter_map(|point| goal.codes[point]).collect();
            let constant = *there.first().filter(|first| there.iter().all(|code| code == *first))?;
            let mut rest = goal.clone();
            (0..self.n_points).filter(at_zero).for_each(|point| rest.codes[point] = None);
            let limits = synth::Limits {
                max_cost: COST.min(bound),
                max_classes: CLASSES,
                max_candidates: FEW_CANDIDATES,
                max_bytes: 1 << 27,
            };
            let mut bank = self.config(goal.sort, true);
            let kernels = [Kernel::Add, Kernel::Sub, Kernel::Mul, Kernel::Div, Kernel::Mod, Kernel::Eq, Kernel::Lt];
            let more = [Kernel::Ite, Kernel::ToReal, Kernel::RealDiv];
            let operators = kernels.iter().chain(&more).filter_map(|&kernel| self.language.kernel_operator(kernel));
            bank.operators = Some(operators.collect());
            let solution = solve(self.language, &rest, &SolveConfig::new(bank, limits)).ok()?.solution()?;
            let condition = Term::op(eq, vec![Term::var(*name), Term::int(0)]);
            let constant = Term::constant(samples::decode_code(goal.sort, constant));
            let own = self.language.op(ite).cost + self.language.op(eq).cost + 3;
            (own + solution.cost <= bound).then(|| Term::op(ite, vec![condition, constant, solution.term]))
        })
    }

    /// A cheapest term that a condition on sort and codes accepts, not costlier than `bound`. Terms are real where `goal` is.
    pub(super) fn accepted(
        &self,
        goal: Sort,
        bound: u32,
        mut accept: impl FnMut(Sort, &[i64]) -> bool,
    ) -> Option<Term> {
        let mut bank = Bank::new(self.language, &self.config(goal, false)).ok()?;
        let limits = synth::Limits {
            max_cost: COST.min(bound),
            max_classes: CLASSES,
            max_candidates: RELATION_CANDIDATES,
            max_bytes: 1 << 27,
        };
        let mut hit = None;
        bank.run(&limits, &mut |found| {
            // The condition may keep what it saw last: it must not be asked again.
            if hit.is_none() && accept(found.sort, &found.codes) {
                hit = Some(found.id);
                return Watch::Stop;
            }
            Watch::Keep
        });
        hit.map(|id| bank.term(id))
    }
}
