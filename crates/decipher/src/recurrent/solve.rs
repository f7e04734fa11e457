//! From observations to an expression: enumeration by the bank with counterexamples (CEGIS), in several small profiles of
//! operators rather than one that holds them all.
//!
//! A bank over all operators overflows long before it reaches what a small one finds at once; the profiles here are
//! sets of kernel functions, looked up in the user's language, and every operator of the language that is no kernel
//! function is in all of them.

use dsl::{Kernel, OpId, Term};
use samples::{Column, Sort, Symbol, Value};
use synth::{Bank, BankConfig, Leaf, Limits, StopReason, Watch};

use super::build::Build;
use super::rows::Rows;

/// The kernel functions of each profile; the last one holds every operator.
const PROFILES: &[&[Kernel]] = {
    use Kernel::{Abs, Add, And, Distinct, Div, Eq, Isqrt, Ite, Le, Lt, Max, Min, Mod, Mul, Neg, Not, Or, Sub, Xor};
    &[
        &[Add, Sub, Neg, Mul, Abs],
        &[Add, Sub, Mod, Div, Mul],
        &[Lt, Le, Max, Min],
        &[Add, Lt, Le, Max, Min, Sub],
        &[Eq, Distinct, And, Or, Xor, Not, Lt],
        &[Isqrt, Mul, Eq],
        &[Isqrt, Mul, Eq, Sub, Mod],
        &[Ite, Lt, Eq, Add, Sub],
    ]
};

/// Rows that the bank sees at first, and how many counterexamples join them at a time.
const FIRST_ROWS: usize = 40;
const MORE_ROWS: usize = 6;
const MAX_ROUNDS: usize = 12;
/// Outputs of more values are not taken apart value by value.
const MAX_DECIDED: usize = 8;
/// Choices between two expressions: rows that parts are compared on, terms tried for parts and for each condition,
/// parts kept, pairs of them for which a condition is searched.
const CHOICE_ROWS: usize = 200;
const CHOICE_CANDIDATES: u64 = 30_000;
const CHOICE_PARTS: usize = 120;
const CHOICE_PAIRS: usize = 6;

/// How much a search may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Terms tried per profile.
    pub candidates: u64,
    /// Terms of greater cost are not built.
    pub max_cost: u32,
    /// The share of points on which an expression must be right.
    pub agreement: f64,
}

/// Searches for expressions over a language.
pub(crate) struct Solver<'a> {
    pub build: Build<'a>,
    /// Constants that come from the data (alphabet, number of states), beside those that the language lists.
    pub constants: Vec<i64>,
    pub deadline: &'a (dyn Fn() -> bool + Sync),
}

impl Solver<'_> {
    /// The cheapest expression of one of the sorts over the rows' variables that any profile finds; truth values stand for 1 and 0.
    pub(crate) fn solve(&self, rows: &Rows, sorts: &[Sort], budget: Budget) -> Option<Term> {
        if rows.len() == 0 {
            return None;
        }
        if let [only] = rows.values()[..] {
            let constant = sorts.contains(&Sort::Int).then(|| Term::int(only));
            let truth = (only == 0 || only == 1).then(|| Term::constant(Value::Bool(only == 1)));
            return constant.or(truth);
        }
        let mut best: Option<(Term, u32)> = None;
        for profile in self.profiles() {
            let max_cost = best.as_ref().map_or(budget.max_cost, |(_, cost)| cost - 1);
            if (self.deadline)() || max_cost == 0 {
                break;
            }
            let found = self.enumerate(rows, sorts, profile.as_deref(), Budget { max_cost, ..budget });
            best = found.or(best);
        }
        best.map(|(term, _)| term)
    }

    /// A decision list for outputs of few values: the greatest value where one condition holds, else the next where
    /// another does on the rows that are left, and so on.
    pub(crate) fn decide(&self, rows: &Rows, budget: Budget) -> Option<Term> {
        let values = rows.values();
        if !(2..=MAX_DECIDED).contains(&values.len()) {
            return None;
        }
        let mut left: Vec<usize> = (0..rows.len()).collect();
        let mut cases = Vec::new();
        for &value in values[1..].iter().rev() {
            let part = rows.select(&left);
            let condition = part.with_goal(part.goal.iter().map(|&goal| i64::from(goal == value)).collect());
            cases.push((self.solve(&condition, &[Sort::Bool], budget)?, value));
            left.retain(|&row| rows.goal[row] != value);
        }
        let last = Term::int(values[0]);
        cases.into_iter().rev().try_fold(last, |rest, (condition, value)| {
            self.build.kernel(Kernel::Ite, vec![condition, Term::int(value), rest])
        })
    }

    /// A choice between two expressions that together give all outputs: small sums are enumerated without regard to the
    /// goal, pairs that cover it are found by what each gets right, and the condition is searched where they differ
    /// (unification of decision trees, Alur et al. 2017, with one condition).
    pub(crate) fn choose(&self, rows: &Rows, budget: Budget) -> Option<Term> {
        self.build.language.kernel_operator(Kernel::Ite)?;
        let mut heavy: Vec<usize> = (0..rows.len()).collect();
        heavy.sort_by_key(|&row| std::cmp::Reverse(rows.weight[row]));
        heavy.truncate(CHOICE_ROWS);
        let part = rows.select(&heavy);
        let sums: Vec<OpId> = self.profiles().into_iter().flatten().next()?;
        let mut bank = self.bank(&part, Some(&sums))?;
        let limits = Limits { max_candidates: CHOICE_CANDIDATES, ..limits(budget) };
        bank.run(&limits, &mut |_| Watch::Keep);
        let mut partial: Vec<(synth::ClassId, u32, Vec<bool>, usize)> = Vec::new();
        for found in bank.classes().filter(|found| found.sort == Sort::Int) {
            let right: Vec<bool> = found.codes.iter().zip(&part.goal).map(|(a, b)| a == b).collect();
            let n = right.iter().filter(|&&r| r).count();
            if n * 10 >= part.len() && partial.iter().all(|(_, _, known, _)| *known != right) {
                partial.push((found.id, found.cost, right, n));
            }
        }
        partial.sort_by_key(|(_, _, _, n)| std::cmp::Reverse(*n));
        partial.truncate(CHOICE_PARTS);
        let spare = part.len() / 500;
        let mut pairs: Vec<(u32, usize, usize)> = Vec::new();
        for (i, a) in partial.iter().enumerate() {
            for (j, b) in partial.iter().enumerate().skip(i + 1) {
                if a.2.iter().zip(&b.2).filter(|(a, b)| !**a && !**b).count() <= spare {
                    pairs.push((a.1 + b.1, i, j));
                }
            }
        }
        pairs.sort_unstable();
        pairs.truncate(CHOICE_PAIRS);
        let whole = self.columns(rows);
        let mut best: Option<(Term, f64)> = None;
        for (_, i, j) in pairs {
            let [a, b] = [i, j].map(|k| bank.evaluate(partial[k].0, &whole).unwrap_or_default());
            let right = |codes: &[i64], row: usize| codes.get(row) == Some(&rows.goal[row]);
            let differ: Vec<usize> = (0..rows.len()).filter(|&r| right(&a, r) != right(&b, r)).collect();
            let part = rows.select(&differ);
            let condition = part.with_goal(differ.iter().map(|&r| i64::from(right(&a, r))).collect());
            let budget = Budget { candidates: budget.candidates.min(CHOICE_CANDIDATES), ..budget };
            let Some(condition) = self.solve(&condition, &[Sort::Bool], budget) else { continue };
            let terms = vec![condition, bank.term(partial[i].0), bank.term(partial[j].0)];
            let Some(term) = self.build.kernel(Kernel::Ite, terms) else { continue };
            let cost = self.build.cost(&term);
            if best.as_ref().is_none_or(|(_, least)| cost < *least) {
                best = Some((term, cost));
            }
        }
        best.map(|(term, _)| term)
    }

    /// Operators per profile, duplicates left out; `None` is the whole language.
    fn profiles(&self) -> Vec<Option<Vec<OpId>>> {
        let language = self.build.language;
        let mut profiles: Vec<Option<Vec<OpId>>> = Vec::new();
        for kernels in PROFILES {
            let belongs = |kernel: Option<Kernel>| kernel.is_none_or(|k| kernels.contains(&k));
            let operators = language.operators().filter(|(_, op)| belongs(op.kernel())).map(|(id, _)| id);
            let profile = Some(operators.collect());
            if !profiles.contains(&profile) {
                profiles.push(profile);
            }
        }
        profiles.push(None);
        profiles
    }

    /// The first, hence cheapest, expression of one profile that agrees on enough of the rows.
    fn enumerate(
        &self,
        rows: &Rows,
        sorts: &[Sort],
        operators: Option<&[OpId]>,
        budget: Budget,
    ) -> Option<(Term, u32)> {
        let mut shown = first_rows(rows);
        let whole = self.columns(rows);
        let mut spent = 0;
        for _ in 0..MAX_ROUNDS {
            let part = rows.select(&shown);
            let mut bank = self.bank(&part, operators)?;
            let limits = Limits { max_candidates: budget.candidates.saturating_sub(spent), ..limits(budget) };
            let wrong = loop {
                let mut hit = None;
                let stop = bank.run(&limits, &mut |found| {
                    if sorts.contains(&found.sort) && found.codes == part.goal {
                        hit = Some((found.id, found.cost));
                        return Watch::Stop;
                    }
                    Watch::Keep
                });
                let (id, cost) = hit?;
                let codes = bank.evaluate(id, &whole).ok()?;
                if rows.agreement(&codes) >= budget.agreement {
                    return Some((bank.term(id), cost));
                }
                if stop != StopReason::Watch {
                    return None;
                }
                let wrong = counterexamples(rows, &codes, &shown);
                if !wrong.is_empty() {
                    break wrong;
                }
            };
            spent += bank.n_candidates() / 2;
            shown.extend(wrong);
        }
        None
    }

    /// All variables of the rows as columns.
    fn columns(&self, rows: &Rows) -> Vec<Column> {
        rows.columns.iter().map(|codes| Column::new(Sort::Int, codes.clone())).collect()
    }

    fn bank(&self, rows: &Rows, operators: Option<&[OpId]>) -> Option<Bank<'_>> {
        let variables = rows.names.iter().zip(self.columns(rows)).map(|(&name, column)| (name, column)).collect();
        bank(self, variables, operators)
    }
}

/// A bank over some variables, with the constants that the language lists and those of the task.
pub(crate) fn bank<'a>(
    solver: &Solver<'a>,
    variables: Vec<(Symbol, Column)>,
    operators: Option<&[OpId]>,
) -> Option<Bank<'a>> {
    let language = solver.build.language;
    let n_points = variables.first().map_or(0, |(_, column)| column.n_points());
    let leaves = variables.into_iter().map(|(name, column)| Leaf::variable(language, name, column)).collect();
    let mut config = BankConfig::new(language, leaves);
    if language.constants.from_samples(Sort::Int) {
        for &value in &solver.constants {
            let known = config.leaves.iter().any(|leaf| leaf.term == Term::int(value));
            if !known {
                config.leaves.extend(Leaf::constant(language, Value::Int(value), n_points));
            }
        }
    }
    config.operators = operators.map(<[OpId]>::to_vec);
    config.sorts = Some(vec![Sort::Int, Sort::Bool]);
    config.alternatives = 0;
    Bank::new(language, &config).ok()
}

/// The bank's limits for a budget.
pub(crate) fn limits(budget: Budget) -> Limits {
    Limits { max_cost: budget.max_cost, max_classes: 600_000, max_candidates: budget.candidates, max_bytes: 1 << 28 }
}

/// Rows to begin with: the heaviest ones, whose output is surest, then others evenly spread, and each output twice.
fn first_rows(rows: &Rows) -> Vec<usize> {
    let mut by_weight: Vec<usize> = (0..rows.len()).collect();
    by_weight.sort_by_key(|&row| std::cmp::Reverse(rows.weight[row]));
    if rows.len() <= FIRST_ROWS {
        return by_weight;
    }
    let mut chosen: Vec<usize> = by_weight[..FIRST_ROWS / 2].to_vec();
    let values = rows.values();
    if values.len() <= FIRST_ROWS / 4 {
        for value in values {
            let mut of_value = by_weight.iter().filter(|&&row| rows.goal[row] == value && !chosen.contains(&row));
            let some: Vec<usize> = of_value.by_ref().take(2).copied().collect();
            chosen.extend(some);
        }
    }
    let stride = (rows.len() / (FIRST_ROWS / 2)).max(1);
    for &row in by_weight.iter().step_by(stride) {
        if chosen.len() < FIRST_ROWS && !chosen.contains(&row) {
            chosen.push(row);
        }
    }
    chosen
}

/// Rows that values get wrong, the heaviest first.
fn counterexamples(rows: &Rows, codes: &[i64], shown: &[usize]) -> Vec<usize> {
    let mut wrong: Vec<usize> = (0..rows.len()).filter(|&r| codes[r] != rows.goal[r] && !shown.contains(&r)).collect();
    wrong.sort_by_key(|&row| std::cmp::Reverse(rows.weight[row]));
    wrong.truncate(MORE_ROWS);
    wrong
}

#[cfg(test)]
mod tests {
    use dsl::Language;

    use super::*;

    const BUDGET: Budget = Budget { candidates: 200_000, max_cost: 20, agreement: 1.0 };

    fn language(text: &str) -> Language {
        Language::parse("test", text, &|name| Language::shipped(name).map(str::to_owned)).expect("parses")
    }

    /// Rows over all pairs of numbers below `n`.
    fn pairs(n: i64, goal: impl Fn(i64, i64) -> i64) -> Rows {
        let size = usize::try_from(n * n).expect("positive");
        let pair = |point: usize| (point as i64 / n, point as i64 % n);
        let values = |point: usize| vec![pair(point).0, pair(point).1];
        Rows::of(vec![Symbol::new("a"), Symbol::new("b")], 0..size, values, |point| goal(pair(point).0, pair(point).1))
    }

    #[track_caller]
    fn check(text: &str, expected: &str, solve: impl Fn(&Solver) -> Option<Term>) {
        let language = language(text);
        let solver = Solver { build: Build { language: &language }, constants: vec![9], deadline: &|| false };
        let term = solve(&solver).expect("solved");
        assert_eq!(dsl::print(&term, &language), expected);
    }

    #[test]
    fn counterexamples_lead_from_a_part_to_the_whole() {
        // Only one of the 400 rows tells the sum from the bounded sum; it is not among the first.
        let rows = pairs(20, |a, b| (a + b).min(37));
        let language = language("(include \"recurrent\")");
        let solver = Solver { build: Build { language: &language }, constants: vec![37], deadline: &|| false };
        let term = solver.solve(&rows, &[Sort::Int], BUDGET).expect("solved");
        assert!(dsl::print(&term, &language).contains("min"));
    }

    #[test]
    fn truth_values_stand_for_numbers() {
        let rows = pairs(6, |a, b| i64::from(a < b));
        check("(include \"recurrent\")", "(< a b)", |solver| solver.solve(&rows, &[Sort::Int, Sort::Bool], BUDGET));
    }

    #[test]
    fn a_choice_is_put_together_from_its_parts() {
        let rows = pairs(12, |a, b| if a + b < 9 { a + b } else { a - b - 9 });
        let language = language("(include \"recurrent\")");
        let solver = Solver { build: Build { language: &language }, constants: vec![9], deadline: &|| false };
        let term = solver.choose(&rows, BUDGET).expect("solved");
        let text = dsl::print(&term, &language);
        assert!(text.starts_with("(ite (") && text.contains("(+ a b)"), "{text}");
    }

    #[test]
    fn a_decision_list_goes_value_by_value() {
        let rows = pairs(6, |a, b| if a < b { 2 } else { i64::from(b < a) });
        check("(include \"recurrent\")", "(ite (< a b) 2 (ite (< b a) 1 0))", |solver| solver.decide(&rows, BUDGET));
    }
}
