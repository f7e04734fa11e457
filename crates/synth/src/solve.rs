//! A goal solved with counterexamples: enumeration at few points, verified at all.

use dsl::{Language, NonterminalId, OpId, Term};
use rustc_hash::{FxHashMap, FxHasher};
use samples::Column;
use std::hash::{Hash, Hasher};

use crate::bank::{Bank, BankConfig, BankError, ClassId, Found, Leaf, Limits, StopReason, Watch};
use crate::goal::Goal;
use crate::top::{Topped, UnifyLimits, invert, ite_operator, unify};

/// How to look for a term.
#[derive(Clone, Debug)]
pub struct SolveConfig {
    /// What to enumerate; its leaves have columns over all points of the goal.
    pub bank: BankConfig,
    /// Where to end at the latest.
    pub limits: Limits,
    /// How many points the search begins with.
    pub first_points: usize,
    /// How many counterexamples a refuted candidate contributes at most.
    pub more_points: usize,
    /// Whether to look one operator beyond the finished level by inversion and by one `ite`.
    pub reach_beyond: bool,
    /// Whether to go on, once a term is found one operator beyond the finished level, until nothing cheaper can be.
    pub minimal: bool,
}

impl SolveConfig {
    /// Begins with 32 points, adds 4 for each refuted candidate, takes the first term found.
    pub fn new(bank: BankConfig, limits: Limits) -> Self {
        Self { bank, limits, first_points: 32, more_points: 4, reach_beyond: true, minimal: false }
    }
}

/// A term that has the goal's values at all points.
#[derive(Clone, Debug)]
pub struct Solution {
    /// The term.
    pub term: Term,
    /// Its cost.
    pub cost: u32,
    /// Other terms of the same class, as they were met; not yet verified at all points.
    pub alternatives: Vec<Term>,
    /// Every term of this cost or less was tried, and none but those reported fits.
    pub complete_cost: u32,
    /// Terms evaluated.
    pub n_candidates: u64,
    /// Points at which terms were evaluated in the end.
    pub n_points: usize,
}

impl Solution {
    /// Whether no term of the profile is cheaper.
    pub fn is_minimal(&self) -> bool {
        self.complete_cost + 1 >= self.cost
    }
}

/// How a search ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// With a term.
    Solved(Solution),
    /// No function of the leaves has the goal's values: they agree at these two points, the goal does not.
    Contradicted(usize, usize),
    /// Without a term.
    NotFound {
        /// Why it ended.
        reason: StopReason,
        /// Every term of this cost or less was tried.
        complete_cost: u32,
        /// Every term of any cost was.
        is_exhausted: bool,
    },
}

impl Outcome {
    /// The solution, if there is one.
    pub fn solution(self) -> Option<Solution> {
        match self {
            Self::Solved(solution) => Some(solution),
            _ => None,
        }
    }
}

/// Looks for a cheapest term with the goal's values at every point: exhaustively by cost on a few points, each hit
/// verified at all, refuted hits adding points.
///
/// # Errors
/// As [`Bank::new`].
pub fn solve(language: &Language, goal: &Goal, config: &SolveConfig) -> Result<Outcome, BankError> {
    solve_until(language, goal, config, &|| false)
}

/// As [`solve`], ending as well when `deadline` says so.
pub(crate) fn solve_until(
    language: &Language,
    goal: &Goal,
    config: &SolveConfig,
    deadline: &dyn Fn() -> bool,
) -> Result<Outcome, BankError> {
    for (i, leaf) in config.bank.leaves.iter().enumerate() {
        if leaf.column.n_points() != goal.n_points() {
            return Err(BankError::Lengths { leaf: i, expected: goal.n_points(), found: leaf.column.n_points() });
        }
    }
    let points = match distinct_points(&config.bank.leaves, goal) {
        Ok(points) => points,
        Err((a, b)) => return Ok(Outcome::Contradicted(a, b)),
    };
    Search::new(language, goal, config, &points)?.run(deadline)
}

/// One point for each combination of leaf values at which the goal matters.
fn distinct_points(leaves: &[Leaf], goal: &Goal) -> Result<Vec<usize>, (usize, usize)> {
    let mut seen: FxHashMap<Vec<i64>, usize> = FxHashMap::default();
    let mut points = Vec::new();
    for (point, want) in goal.codes.iter().enumerate() {
        let Some(want) = want else { continue };
        let row: Vec<i64> = leaves.iter().map(|leaf| leaf.column.codes[point]).collect();
        match seen.get(&row) {
            None => {
                seen.insert(row, point);
                points.push(point);
            }
            Some(&first) if goal.codes[first] != Some(*want) => return Err((first, point)),
            Some(_) => {}
        }
    }
    Ok(points)
}

/// A mixed order of points, the first `n` of which show every value of the goal as far as they can.
pub(crate) fn first_points(points: &[usize], goal: &Goal, n: usize) -> Vec<usize> {
    let mut mixed: Vec<(u64, usize)> = points
        .iter()
        .map(|&point| {
            let mut hasher = FxHasher::default();
            (point, 0x5eed_u64).hash(&mut hasher);
            (hasher.finish(), point)
        })
        .collect();
    mixed.sort_unstable();
    let mut count: FxHashMap<Option<i64>, usize> = FxHashMap::default();
    let mut ranked: Vec<(usize, usize, usize)> = mixed
        .into_iter()
        .enumerate()
        .map(|(order, (_, point))| {
            let n = count.entry(goal.codes[point]).or_insert(0);
            *n += 1;
            // The k-th point of a value competes with twice its rank in the mixed order: rare values come early.
            (if *n <= 2 { *n } else { 2 + order }, order, point)
        })
        .collect();
    ranked.sort_unstable();
    let mut chosen: Vec<usize> = ranked.into_iter().take(n).map(|(_, _, point)| point).collect();
    chosen.sort_unstable();
    chosen
}

struct Search<'a> {
    config: &'a SolveConfig,
    bank: Bank<'a>,
    /// Candidates of earlier banks.
    n_candidates: u64,
    /// The leaves' columns at the points that matter, for verification, and the goal there.
    reference: Vec<Column>,
    reference_goal: Goal,
    /// Indices into the reference that the bank uses, in the bank's order.
    used: Vec<usize>,
    operators: Vec<OpId>,
    ite: Option<OpId>,
    best: Option<(u32, Term, Vec<Term>)>,
}

enum Step {
    Solved,
    Refined,
}

impl<'a> Search<'a> {
    fn new(
        language: &'a Language,
        goal: &'a Goal,
        config: &'a SolveConfig,
        points: &[usize],
    ) -> Result<Self, BankError> {
        let reference: Vec<Column> = config.bank.leaves.iter().map(|leaf| leaf.column.select(points)).collect();
        let reference_goal = goal.select(points);
        let all: Vec<usize> = (0..points.len()).collect();
        let used = first_points(&all, &reference_goal, config.first_points);
        let bank = bank(language, config, &reference, &used)?;
        let operators = match &config.bank.operators {
            Some(operators) => operators.clone(),
            None => language.operators().map(|(id, _)| id).collect(),
        };
        let ite = ite_operator(language, Some(&operators));
        Ok(Self { config, bank, n_candidates: 0, reference, reference_goal, used, operators, ite, best: None })
    }

    fn run(mut self, deadline: &dyn Fn() -> bool) -> Result<Outcome, BankError> {
        /// Banks that may be begun again for the sake of what is said of cheaper terms; each begins with more points.
        const BANKS: usize = 8;
        let mut reason = self.climb(deadline)?;
        for _ in 1..BANKS {
            if !self.config.minimal || !self.forgot_what_counts(reason) || deadline() {
                break;
            }
            self.begin_again()?;
            reason = self.climb(deadline)?;
        }
        let complete_cost = self.bank.complete_cost();
        let n_candidates = self.n_candidates + self.bank.n_candidates();
        let Some((cost, term, alternatives)) = self.best else {
            let is_exhausted = reason == StopReason::Closed && !self.bank.is_forgetful();
            return Ok(Outcome::NotFound { reason, complete_cost, is_exhausted });
        };
        let n_points = self.bank.n_points();
        Ok(Outcome::Solved(Solution { term, cost, alternatives, complete_cost, n_candidates, n_points }))
    }

    /// Whether more could be said of cheaper terms if the bank had not forgotten any.
    fn forgot_what_counts(&self, reason: StopReason) -> bool {
        let is_settled = |complete: u32| self.best.as_ref().is_some_and(|(cost, _, _)| complete + 1 >= *cost);
        let was_built = match reason {
            StopReason::Cost | StopReason::Watch => self.best.is_none() || is_settled(self.bank.built_cost()),
            reason => reason == StopReason::Closed,
        };
        self.bank.is_forgetful() && !is_settled(self.bank.complete_cost()) && was_built
    }

    /// An empty bank that looks at all points in use from the start.
    fn begin_again(&mut self) -> Result<(), BankError> {
        self.n_candidates += self.bank.n_candidates();
        self.bank = bank(self.bank.language(), self.config, &self.reference, &self.used)?;
        Ok(())
    }

    /// Builds terms, cost by cost, until there is one or a limit is reached.
    fn climb(&mut self, deadline: &dyn Fn() -> bool) -> Result<StopReason, BankError> {
        for cost in 1..=self.config.limits.max_cost {
            if self.best.as_ref().is_some_and(|(best, _, _)| *best <= cost || !self.config.minimal) {
                break;
            }
            let reason = self.level(cost, deadline)?;
            if self.best.as_ref().is_some_and(|(best, _, _)| *best <= cost) {
                break;
            }
            if self.config.reach_beyond {
                self.beyond()?;
            }
            if reason != StopReason::Cost {
                return Ok(reason);
            }
        }
        Ok(StopReason::Cost)
    }

    /// The nonterminal of whole terms, where a grammar says so.
    fn start(&self) -> Option<NonterminalId> {
        self.config.bank.grammar.as_ref().map(|_| NonterminalId(0))
    }

    /// Builds the terms of a cost; ends early at a verified hit.
    fn level(&mut self, cost: u32, deadline: &dyn Fn() -> bool) -> Result<StopReason, BankError> {
        let limits = Limits { max_cost: cost, ..self.config.limits };
        loop {
            let goal = self.reference_goal.select(&self.used);
            let mut hits: Vec<ClassId> = Vec::new();
            let start = self.start();
            let reason = self.bank.run_until(&limits, deadline, &mut |found| watch(found, start, &goal, &mut hits));
            if hits.is_empty() {
                return Ok(reason);
            }
            if let Step::Solved = self.examine(hits)? {
                return Ok(StopReason::Watch);
            }
        }
    }

    /// Verifies hits; appends counterexamples until no hit is left.
    fn examine(&mut self, mut hits: Vec<ClassId>) -> Result<Step, BankError> {
        while !hits.is_empty() {
            hits.sort_by_key(|&id| (self.bank.cost(id), id));
            let mut wrong: Vec<usize> = Vec::new();
            for &id in &hits {
                let codes = self.bank.evaluate(id, &self.reference)?;
                let missed = self.mismatches(&codes);
                let cost = self.bank.cost(id);
                if missed.is_empty() {
                    if self.best.as_ref().is_none_or(|(best, _, _)| cost < *best) {
                        self.best = Some((cost, self.bank.term(id), self.bank.alternatives(id)));
                    }
                    return Ok(Step::Solved);
                }
                wrong.extend(missed);
            }
            hits = self.append(wrong)?;
        }
        Ok(Step::Refined)
    }

    /// Some of the points at which codes over the reference are not those wanted.
    fn mismatches(&self, codes: &[i64]) -> Vec<usize> {
        let wanted = self.reference_goal.codes.iter().zip(codes).enumerate();
        let all: Vec<usize> =
            wanted.filter(|(_, (want, have))| want.is_some_and(|w| w != **have)).map(|(point, _)| point).collect();
        let n = self.config.more_points.max(1).min(all.len());
        (0..n).map(|i| all[i * all.len() / n]).collect()
    }

    /// Adds points; the classes that fit the goal at all points now used.
    fn append(&mut self, mut points: Vec<usize>) -> Result<Vec<ClassId>, BankError> {
        points.sort_unstable();
        points.dedup();
        points.retain(|point| !self.used.contains(point));
        let columns: Vec<Column> = self.reference.iter().map(|column| column.select(&points)).collect();
        self.used.extend(points);
        let goal = self.reference_goal.select(&self.used);
        let mut hits = Vec::new();
        let start = self.start();
        self.bank.append_points(&columns, &mut |found| watch(found, start, &goal, &mut hits))?;
        Ok(hits)
    }

    /// Looks one operator beyond the classes there are.
    fn beyond(&mut self) -> Result<(), BankError> {
        // Every refuted candidate adds a point, so this ends; the bound is for goals that only a table fits.
        for _ in 0..64 {
            let most = self.config.limits.max_cost.saturating_add(1);
            let bound = self.best.as_ref().map_or(most, |(cost, _, _)| most.min(*cost));
            let goal = self.reference_goal.select(&self.used);
            let inverted = invert(&self.bank, &goal, &self.operators, bound);
            let bound = inverted.as_ref().map_or(bound, |topped| topped.cost);
            let unified = self.ite.and_then(|ite| unify(&self.bank, &goal, ite, bound, &UnifyLimits::new()));
            let Some(topped) = unified.or(inverted) else { return Ok(()) };
            let Some(codes) = self.evaluate_topped(&topped)? else { return Ok(()) };
            let missed = self.mismatches(&codes);
            if missed.is_empty() {
                self.best = Some((topped.cost, topped.term(&self.bank), Vec::new()));
                return Ok(());
            }
            let hits = self.append(missed)?;
            if let Step::Solved = self.examine(hits)? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn evaluate_topped(&self, topped: &Topped) -> Result<Option<Vec<i64>>, BankError> {
        let columns: Vec<Column> = topped
            .args
            .iter()
            .map(|&arg| Ok(Column::new(self.bank.class(arg).sort, self.bank.evaluate(arg, &self.reference)?)))
            .collect::<Result<_, BankError>>()?;
        let refs: Vec<&Column> = columns.iter().collect();
        let func = dsl::Func::Op(topped.op);
        Ok(dsl::apply(self.bank.language(), &func, &refs).ok().map(|column| column.codes))
    }
}

/// A bank at some of the points.
fn bank<'a>(
    language: &'a Language,
    config: &SolveConfig,
    reference: &[Column],
    used: &[usize],
) -> Result<Bank<'a>, BankError> {
    let mut own = config.bank.clone();
    for (leaf, column) in own.leaves.iter_mut().zip(reference) {
        leaf.column = column.select(used);
    }
    Bank::new(language, &own)
}

fn watch(found: &Found<'_>, start: Option<NonterminalId>, goal: &Goal, hits: &mut Vec<ClassId>) -> Watch {
    let is_whole = start.is_none_or(|start| found.nonterminal == start);
    if is_whole && found.sort == goal.sort && goal.accepts(&found.codes) {
        hits.push(found.id);
        return Watch::Stop;
    }
    Watch::Keep
}

#[cfg(test)]
mod tests {
    use dsl::Kernel;
    use samples::Sort;

    use super::*;
    use crate::testing::{integers, interpret, variable};

    /// All pairs of small numbers.
    fn grid() -> (Vec<i64>, Vec<i64>) {
        (-6..=6).flat_map(|x| (-6..=6).map(move |y| (x, y))).unzip()
    }

    #[track_caller]
    fn check(operators: &[&str], f: impl Fn(i64, i64) -> i64, reach_beyond: bool, expected: &str) {
        let language = integers();
        let (x, y) = grid();
        let leaves = vec![variable(&language, "x", &x), variable(&language, "y", &y)];
        let bank = BankConfig::new(&language, leaves).with_operators(&language, operators);
        let want: Vec<i64> = x.iter().zip(&y).map(|(&x, &y)| f(x, y)).collect();
        let goal = Goal::exact(&Column::new(Sort::Int, want.clone()));
        let limits = Limits { max_candidates: 200_000, ..Limits::new(20) };
        let config = SolveConfig { reach_beyond, first_points: 4, minimal: true, ..SolveConfig::new(bank, limits) };
        let outcome = solve(&language, &goal, &config).unwrap();
        let Outcome::Solved(solution) = outcome else { panic!("{outcome:?}") };
        assert_eq!(dsl::print(&solution.term, &language), expected);
        assert_eq!(interpret(&language, &solution.term, &[("x", &x), ("y", &y)]), want);
        assert_eq!(dsl::cost(&solution.term, &language), f64::from(solution.cost));
    }

    #[test]
    fn few_points_are_enough_with_counterexamples() {
        for reach_beyond in [false, true] {
            check(&["+", "*", "<", "max"], |x, y| x * x + y, reach_beyond, "(+ (* x x) y)");
            check(&["+", "-", "max"], |x, y| (x - y).abs(), reach_beyond, "(max (- x y) (- y x))");
            check(&["+", "ite", "<"], |x, y| if x < y { x } else { y + 1 }, reach_beyond, "(ite (< x y) x (+ y 1))");
        }
    }

    #[test]
    fn one_choice_is_found_beyond_the_finished_level() {
        let operators = ["+", "*", "ite", "<", "="];
        let f = |x: i64, y: i64| if x * x < y + 2 { x + y + y } else { x * y + 2 };
        check(&operators, f, true, "(ite (< (* x x) (+ y 2)) (+ (+ x y) y) (+ (* x y) 2))");
        // Not beyond the limit of cost.
        let language = integers();
        let (x, y) = grid();
        let leaves = vec![variable(&language, "x", &x), variable(&language, "y", &y)];
        let bank = BankConfig::new(&language, leaves).with_operators(&language, &operators);
        let codes = x.iter().zip(&y).map(|(&x, &y)| Some(f(x, y))).collect();
        let config = SolveConfig::new(bank, Limits { max_candidates: 200_000, ..Limits::new(12) });
        let outcome = solve(&language, &Goal { sort: Sort::Int, codes }, &config).unwrap();
        assert!(matches!(outcome, Outcome::NotFound { .. }), "{outcome:?}");
    }

    #[test]
    fn points_that_do_not_matter_do_not() {
        let language = integers();
        let x: Vec<i64> = (0..40).collect();
        let bank = BankConfig::new(&language, vec![variable(&language, "x", &x)]);
        let codes = x.iter().map(|&x| (x < 10).then_some(x.min(9))).collect();
        let config = SolveConfig::new(bank, Limits::new(5));
        let outcome = solve(&language, &Goal { sort: Sort::Int, codes }, &config).unwrap();
        let solution = outcome.solution().expect("x is enough");
        assert_eq!(dsl::print(&solution.term, &language), "x");
        assert!(solution.is_minimal());
    }

    #[test]
    fn what_is_no_function_is_refused_at_once() {
        let language = integers();
        let bank = BankConfig::new(&language, vec![variable(&language, "x", &[1, 2, 1])]);
        let goal = Goal { sort: Sort::Int, codes: vec![Some(1), Some(2), Some(3)] };
        let config = SolveConfig::new(bank, Limits::new(5));
        let outcome = solve(&language, &goal, &config).unwrap();
        assert!(matches!(outcome, Outcome::Contradicted(0, 2)), "{outcome:?}");
    }

    #[test]
    fn failure_says_what_was_tried() {
        let language = integers();
        let x: Vec<i64> = (0..30).collect();
        let bank = BankConfig::new(&language, vec![variable(&language, "x", &x)]).with_operators(&language, &["+"]);
        let goal = Goal::exact(&Column::new(Sort::Int, x.iter().map(|x| x * x).collect()));
        let config = SolveConfig::new(bank, Limits::new(4));
        let outcome = solve(&language, &goal, &config).unwrap();
        assert!(
            matches!(outcome, Outcome::NotFound { reason: StopReason::Cost, complete_cost: 4, is_exhausted: false }),
            "{outcome:?}"
        );
    }

    #[test]
    fn ite_is_used_only_if_the_profile_has_it() {
        let language = integers();
        let plus = [language.operator("+").unwrap()];
        assert_eq!(ite_operator(&language, Some(&plus)), None);
        assert_eq!(ite_operator(&language, None), language.kernel_operator(Kernel::Ite));
    }
}
