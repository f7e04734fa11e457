//! The search for one function: a bank of terms by cost, decision trees over it, and counterexamples.

use dsl::{Grammar, NonterminalId, Production, Term};
use rustc_hash::FxHashSet;
use samples::{Column, Sort, Value};
use synth::{Bank, BankConfig, BankError, BoundScope, ClassId, Leaf, Limits, StopReason, Watch};

use crate::cases::by_cases;
use crate::inversion::inverted;
use crate::mask::{CAPACITY, Mask};
use crate::problem::is_weighted;
use crate::spec::Pointwise;
use crate::theory;
use crate::tree::{Conditional, Extra, Forest};
use crate::verify::Verification;

/// Candidates between two looks at the clock.
const SLICE: u64 = 200_000;
/// Candidates and points after which any solution is welcome.
const CASES_AFTER: (u64, usize) = (20_000, 48);
/// Points that the bank begins with.
const FIRST_POINTS: usize = 12;
/// Banks that may be begun again for the sake of what is said of cheaper terms; each begins with more points.
const BANKS: usize = 8;
/// Points that are added when a candidate fails.
const MORE_POINTS: usize = 4;

/// How much work a search may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SearchLimits {
    /// Candidates of one bank.
    pub max_candidates: u64,
    /// Classes of one bank.
    pub max_classes: usize,
    /// Memory of one bank.
    pub max_bytes: usize,
    /// Candidates for making a solution smaller once there is one, beside as many as were needed to find it.
    pub improve: u64,
}

impl SearchLimits {
    /// What fits a machine with some gigabytes.
    pub fn new() -> Self {
        Self { max_candidates: 2_000_000_000, max_classes: 20_000_000, max_bytes: 4 << 30, improve: 15_000 }
    }
}

impl Default for SearchLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a search ended without a solution.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    /// No term has the values wanted at some points: the problem has no solution in the grammar.
    Infeasible(String),
    /// A limit was reached.
    Limit(Stopped),
}

/// Which limit ended a search, and what was known then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Stopped {
    /// The limit.
    pub(crate) limit: String,
    /// No solution costs less, of several functions in sum: 1 where nothing is known.
    pub(crate) lower_bound: u32,
    /// Of which terms the bound speaks.
    pub(crate) scope: BoundScope,
}

impl Failure {
    /// A limit that was reached while nothing was known.
    pub(crate) fn limit(limit: impl Into<String>) -> Self {
        Self::Limit(Stopped { limit: limit.into(), lower_bound: 1, scope: BoundScope::Grammar })
    }
}

/// A solution for one function.
#[derive(Clone, Debug)]
pub struct Solution {
    /// The body.
    pub body: Term,
    /// Its cost.
    pub cost: u32,
    /// No term of lower cost is right, among those that `scope` names.
    pub lower_bound: u32,
    /// Of which terms the bound speaks.
    pub scope: BoundScope,
    /// Candidates that were evaluated.
    pub n_candidates: u64,
    /// Points that the bank looked at.
    pub n_points: usize,
}

/// What a search needs from outside.
pub(crate) struct Judge<'a> {
    /// Whether a body is right for all inputs, with a share of the solver's resources.
    pub(crate) verify: &'a mut dyn FnMut(&Term, Effort) -> Verification,
    /// Whether time is up.
    pub(crate) is_late: &'a dyn Fn() -> bool,
}

/// What a verification may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effort {
    /// All that the solver is allowed.
    Full,
    /// A twentieth: a smaller answer that is hard to verify is of less use than one that others can check too.
    Part,
}

pub(crate) struct Search<'s, 'p> {
    spec: &'s mut Pointwise<'p>,
    grammar: Grammar,
    /// Whether the grammar charges for weights.
    is_weighted: bool,
    /// Terms over the parameters that may help.
    hints: Vec<Term>,
    tried_cases: bool,
    /// The hints that the grammar derives, for trees; without a grammar they are leaves of the bank too.
    extras: Vec<Extra>,
    bank: Bank<'p>,
    /// A conditional that the grammar can build.
    choice: Option<Conditional>,
    /// The points that the bank looks at, in its order.
    active: Vec<usize>,
    limits: SearchLimits,
    best: Option<(u32, Term)>,
    /// Candidates that the solver could not decide.
    undecided: FxHashSet<String>,
    /// The least cost of one.
    least_open: Option<u32>,
    /// Candidates when the best was found.
    found_at: u64,
    /// Whether the bank has no further values at the active points.
    is_closed: bool,
    /// Whether this is not the first bank.
    is_again: bool,
    /// Candidates of earlier banks.
    n_candidates: u64,
}

enum Step {
    /// The level is complete.
    Done,
    Solved,
    Stopped(StopReason),
    Late,
}

enum Exam {
    Right,
    /// Points were added.
    Wrong,
    /// Nothing could be learned.
    Open,
}

impl<'s, 'p> Search<'s, 'p> {
    /// A search with a grammar. `hints` are terms over the parameters that may help.
    pub(crate) fn new(
        spec: &'s mut Pointwise<'p>,
        grammar: &Grammar,
        hints: &[Term],
        limits: SearchLimits,
    ) -> Result<Self, BankError> {
        let function = &spec.problem.functions[spec.function];
        let is_weighted = is_weighted(grammar);
        let mut grammar = grammar.clone();
        let active = first_points(spec);
        let extras = extras(spec, &grammar, hints, &active);
        if !function.has_grammar {
            for extra in &extras {
                let leaf = Production::Leaf { term: extra.term.clone(), cost: extra.cost };
                grammar.nonterminals[extra.nonterminal.0 as usize].productions.push(leaf);
            }
        }
        let bank = bank(spec, &grammar, &extras, &active)?;
        let undecided = FxHashSet::default();
        Ok(Self {
            spec,
            grammar,
            is_weighted,
            hints: hints.to_vec(),
            tried_cases: false,
            extras,
            bank,
            choice: None,
            active,
            limits,
            best: None,
            undecided,
            least_open: None,
            found_at: 0,
            is_closed: false,
            is_again: false,
            n_candidates: 0,
        })
    }

    /// With a conditional that the grammar can build.
    pub(crate) fn with_choice(self, choice: Option<Conditional>) -> Self {
        Self { choice, ..self }
    }

    /// Looks for a smallest body; `known` are terms that may be right, with what they cost at most.
    pub(crate) fn run(&mut self, known: &[(Term, u32)], judge: &mut Judge<'_>) -> Result<Solution, Failure> {
        let (language, function) = (&self.spec.problem.language, &self.spec.problem.functions[self.spec.function]);
        let grammar = function.has_grammar.then(|| self.grammar.clone());
        let own = known.iter().filter(|(term, _)| match &grammar {
            Some(grammar) => grammar.derives(term),
            None => dsl::sort_of(term, language, &function.params) == Ok(function.sort),
        });
        own.for_each(|(term, cost)| self.offer(term, *cost, judge));
        let mut reason = self.climb(judge)?;
        for _ in 1..BANKS {
            if !self.forgot_what_counts() || (judge.is_late)() || self.begin_again().is_err() {
                break;
            }
            reason = self.climb(judge)?;
        }
        let (n_candidates, n_points) = (self.n_candidates + self.bank.n_candidates(), self.bank.n_points());
        match self.best.take() {
            Some((cost, body)) => {
                let searched = if self.is_exhausted() { cost } else { (self.bank.complete_cost() + 1).min(cost) };
                let lower_bound = self.least_open(searched);
                Ok(Solution { body, cost, lower_bound, scope: self.scope(), n_candidates, n_points })
            }
            None if self.is_exhausted()
                && self.least_open(u32::MAX) == u32::MAX
                && self.scope() != BoundScope::ConstantsTried =>
            {
                let n = self.active.len();
                Err(Failure::Infeasible(format!("no term of the grammar is right at {n} inputs")))
            }
            None => Err(Failure::Limit(Stopped {
                limit: if reason.is_empty() { "candidates".to_owned() } else { reason },
                lower_bound: self.least_open(self.bank.complete_cost() + 1),
                scope: self.scope(),
            })),
        }
    }

    /// Whether the bank holds every value that a term can have at the active points.
    fn is_exhausted(&self) -> bool {
        self.is_closed && !self.bank.is_forgetful()
    }

    /// Whether more could be said of cheaper terms if the bank had not forgotten any.
    fn forgot_what_counts(&self) -> bool {
        let is_settled = |complete: u32| self.best.as_ref().is_some_and(|(cost, _)| complete + 1 >= *cost);
        let was_built = self.is_closed || is_settled(self.bank.built_cost());
        self.bank.is_forgetful() && !is_settled(self.bank.complete_cost()) && was_built && self.least_open.is_none()
    }

    /// An empty bank that looks at all active points from the start; for what it says of cheaper terms, so that nothing but
    /// levels is looked at.
    fn begin_again(&mut self) -> Result<(), BankError> {
        let spent = self.bank.n_candidates();
        self.n_candidates += spent;
        self.found_at = spent;
        self.is_closed = false;
        self.is_again = true;
        self.bank = bank(self.spec, &self.grammar, &self.extras, &self.active)?;
        Ok(())
    }

    /// No bound goes beyond the cost of a term that may be right: a candidate that the solver could not decide, one that points
    /// split off and time was too short to look at, or one whose values are not known at some point, because they go beyond
    /// 64 bits or a division by zero has part in them.
    fn least_open(&self, most: u32) -> u32 {
        let split_off = self.hits(most.saturating_sub(1)).first().map(|&hit| self.bank.cost(hit));
        let open = [self.least_open, split_off, self.bank.cheapest_undefined()].into_iter().flatten();
        open.fold(most, u32::min)
    }

    /// Builds terms, cost by cost, until there is a smallest that is right; why it ended, if not for that.
    fn climb(&mut self, judge: &mut Judge<'_>) -> Result<String, Failure> {
        let mut level = 1;
        let mut seen = (0, 0);
        loop {
            if let Some(point) = self.spec.contradiction() {
                return Err(Failure::Infeasible(format!("no value is right{}", self.show_point(point))));
            }
            if self.best.as_ref().is_some_and(|(cost, _)| *cost <= level) {
                return Ok(String::new());
            }
            match self.level(level, judge) {
                Step::Done => {}
                Step::Solved => return Ok(String::new()),
                Step::Late => return Ok("time".to_owned()),
                Step::Stopped(StopReason::Closed) => {
                    self.is_closed = true;
                    self.trees(judge);
                    return Ok("the grammar has no further term".to_owned());
                }
                Step::Stopped(reason) => {
                    self.trees(judge);
                    return Ok(reason.to_string());
                }
            }
            if self.is_again {
                if (judge.is_late)() {
                    return Ok("time".to_owned());
                }
                level += 1;
                continue;
            }
            // Where weights are charged most levels are empty.
            let now = (self.bank.len(), self.active.len());
            if std::mem::replace(&mut seen, now) == now && self.is_weighted && !(judge.is_late)() {
                level += 1;
                continue;
            }
            self.trees(judge);
            let spent = self.bank.n_candidates();
            // A solution that is known to be smallest needs no other.
            let is_settled = self.best.as_ref().is_some_and(|(cost, _)| *cost <= level + 1);
            let is_stuck = spent >= CASES_AFTER.0 || self.active.len() >= CASES_AFTER.1;
            if !is_settled && (self.best.is_some() || is_stuck) {
                self.invert(level, judge);
                self.cases(judge);
            }
            if self.best.is_some() {
                self.shrink(judge);
            }
            if self.best.is_some() && spent >= self.most_candidates() {
                return Ok(String::new());
            }
            if (judge.is_late)() {
                return Ok("time".to_owned());
            }
            level += 1;
        }
    }

    fn scope(&self) -> BoundScope {
        self.spec.problem.functions[self.spec.function].bound_scope(&self.grammar)
    }

    fn show_point(&self, point: usize) -> String {
        let params = self.spec.problem.functions[self.spec.function].params.iter().zip(&self.spec.columns);
        let values = theory::valuation(params.map(|(&(name, _), column)| (name, column.value(point))));
        if values.is_empty() { values } else { format!(" for {values}") }
    }

    /// A term that is known to be right, or may be.
    fn offer(&mut self, term: &Term, cost: u32, judge: &mut Judge<'_>) {
        if self.best.as_ref().is_none_or(|(best, _)| cost < *best) && matches!(self.examine(term, judge), Exam::Right) {
            self.accept(cost, term.clone());
        }
    }

    fn accept(&mut self, cost: u32, term: Term) {
        if self.best.is_none() {
            self.found_at = self.bank.n_candidates();
        }
        if self.best.as_ref().is_none_or(|(best, _)| cost < *best) {
            self.best = Some((cost, term));
        }
    }

    /// Candidates that the search may come to: for a smaller solution, as many as for the first one and some more.
    fn most_candidates(&self) -> u64 {
        let improved = self.found_at.saturating_mul(2).saturating_add(self.limits.improve);
        if self.best.is_some() { improved.min(self.limits.max_candidates) } else { self.limits.max_candidates }
    }

    /// Builds the terms of a cost; ends at a verified one.
    fn level(&mut self, level: u32, judge: &mut Judge<'_>) -> Step {
        let mut refused: FxHashSet<ClassId> = FxHashSet::default();
        loop {
            let limits = Limits {
                max_cost: level,
                max_classes: self.limits.max_classes,
                max_candidates: self.most_candidates().min(self.bank.n_candidates() + SLICE),
                max_bytes: self.limits.max_bytes,
            };
            let mut hits: Vec<ClassId> = Vec::new();
            let (spec, active) = (&*self.spec, &self.active);
            let reason = self.bank.run(&limits, &mut |found| {
                if found.nonterminal == NonterminalId(0) && is_right(spec, active, &found.codes) {
                    hits.push(found.id);
                    return Watch::Stop;
                }
                Watch::Keep
            });
            while let Some(hit) = hits.pop() {
                if !refused.insert(hit) {
                    continue;
                }
                let (cost, term) = (self.bank.cost(hit), self.bank.term(hit));
                match self.examine(&term, judge) {
                    Exam::Right => {
                        self.accept(cost, term);
                        return Step::Solved;
                    }
                    Exam::Open => self.leave_open(cost),
                    Exam::Wrong => {
                        // What split off, or was right at fewer points before, may be right now.
                        refused.clear();
                        hits = self.hits(level);
                        hits.reverse();
                    }
                }
            }
            match reason {
                StopReason::Cost => return Step::Done,
                StopReason::Watch => {}
                StopReason::Candidates if self.bank.n_candidates() < self.most_candidates() => {}
                other => return Step::Stopped(other),
            }
            if (judge.is_late)() {
                return Step::Late;
            }
        }
    }

    /// The classes of the start that are right at all active points, cheapest first.
    fn hits(&self, most: u32) -> Vec<ClassId> {
        let all = self.bank.classes_of(NonterminalId(0)).take_while(|found| found.cost <= most);
        all.filter(|found| is_right(self.spec, &self.active, &found.codes)).map(|found| found.id).collect()
    }

    /// A candidate of this cost may be right: no bound goes beyond it.
    fn leave_open(&mut self, cost: u32) {
        self.least_open = Some(self.least_open.map_or(cost, |open| open.min(cost)));
    }

    /// Holds a term against all points, then gives it to the solver.
    fn examine(&mut self, term: &Term, judge: &mut Judge<'_>) -> Exam {
        let Some(values) = self.spec.evaluate(term, &self.spec.columns) else { return Exam::Open };
        let wrong: Vec<usize> =
            (0..self.spec.n_points()).filter(|&point| !self.spec.accept[point].contains(values.codes[point])).collect();
        if !wrong.is_empty() {
            return self.activate(&wrong);
        }
        if self.is_harder(term) {
            return Exam::Open;
        }
        let text = theory::print(term, &self.spec.problem.language);
        if self.undecided.contains(&text) {
            return Exam::Open;
        }
        let effort = if self.best.is_some() { Effort::Part } else { Effort::Full };
        match (judge.verify)(term, effort) {
            Verification::Valid => Exam::Right,
            Verification::Counterexample(valuation) => match self.spec.add(&[valuation]) {
                Some(changed) if !changed.is_empty() => self.activate(&changed),
                _ => {
                    self.undecided.insert(text);
                    Exam::Open
                }
            },
            Verification::Unknown(_) => {
                self.undecided.insert(text);
                Exam::Open
            }
        }
    }

    /// Whether a term has more products of wide bit-vectors than the best one: few solvers say what holds of these.
    fn is_harder(&self, term: &Term) -> bool {
        /// Below this products are small circuits.
        const WIDE: u8 = 16;
        let Some((_, best)) = &self.best else { return false };
        let problem = self.spec.problem;
        let sorts = problem.functions[self.spec.function].params.iter().map(|(_, sort)| *sort);
        let is_wide = sorts.chain([self.spec.sort()]).any(|sort| matches!(sort, Sort::BitVec(width) if width >= WIDE));
        let products = |term| theory::products(term, &problem.language);
        is_wide && products(term) > products(best)
    }

    /// Has the bank look at some of these points too.
    fn activate(&mut self, points: &[usize]) -> Exam {
        let is_known = points.iter().any(|point| self.active.contains(point));
        let fresh: Vec<usize> = points.iter().copied().filter(|point| !self.active.contains(point)).collect();
        let n = MORE_POINTS.min(fresh.len());
        let new: Vec<usize> = (0..n).map(|i| fresh[i * fresh.len() / n]).collect();
        if new.is_empty() {
            // The point is there already: fewer values are right than before.
            return if is_known { Exam::Wrong } else { Exam::Open };
        }
        let at_new = self.spec.columns_at(&new);
        let own: Option<Vec<Column>> =
            self.extras.iter().map(|extra| self.spec.evaluate(&extra.term, &at_new)).collect();
        let Some(own) = own else { return Exam::Open };
        for (extra, column) in self.extras.iter_mut().zip(&own) {
            extra.column.codes.extend(&column.codes);
        }
        let leaves = leaves(self.spec, &self.extras, own, &new);
        let columns: Vec<Column> = leaves.into_iter().map(|leaf| leaf.column).collect();
        self.active.extend(&new);
        self.is_closed = false;
        match self.bank.append_points(&columns, &mut |_| Watch::Keep) {
            Ok(()) => Exam::Wrong,
            Err(_) => Exam::Open,
        }
    }

    /// Looks for decision trees over the bank that are cheaper than the best solution.
    fn trees(&mut self, judge: &mut Judge<'_>) {
        const ROUNDS: usize = 200;
        for _ in 0..ROUNDS {
            let n = self.active.len();
            // Beyond the capacity trees would not learn from counterexamples; and with many, cases come first.
            if n > CAPACITY || (n >= CASES_AFTER.1 && !self.tried_cases) {
                return;
            }
            let bound = self.best.as_ref().map_or(u32::MAX / 4, |(cost, _)| *cost);
            let found = {
                let (spec, active) = (&*self.spec, &self.active);
                let right =
                    |codes: &[i64]| -> Mask { (0..n).filter(|&i| spec.accept[active[i]].contains(codes[i])).collect() };
                let Some(mut forest) =
                    Forest::new(&self.bank, &self.extras, &self.grammar, self.choice.as_ref(), n, &right)
                else {
                    return;
                };
                let effort = 300 + self.bank.n_candidates() / 100;
                forest.search(n, bound, effort).0
            };
            let Some(found) = found else { return };
            match self.examine(&found.term, judge) {
                Exam::Right => return self.accept(found.cost, found.term),
                Exam::Wrong => {}
                Exam::Open => return self.leave_open(found.cost),
            }
            if (judge.is_late)() {
                return;
            }
        }
    }

    /// Looks for a term one operator beyond the bank, where every point has but one right value.
    fn invert(&mut self, level: u32, judge: &mut Judge<'_>) {
        const ROUNDS: usize = 20;
        for _ in 0..ROUNDS {
            let wanted = self.active.iter().map(|&point| self.spec.accept[point].single()).collect::<Option<Vec<_>>>();
            let bound = self.best.as_ref().map_or(u32::MAX, |(cost, _)| *cost);
            // The bank comes to the next level by itself.
            let found = wanted.and_then(|wanted| inverted(&self.bank, &self.grammar, &wanted, bound));
            let Some((cost, term)) = found.filter(|(cost, _)| *cost > level + 1) else { return };
            match self.examine(&term, judge) {
                Exam::Right => return self.accept(cost, term),
                Exam::Wrong => {}
                Exam::Open => return self.leave_open(cost),
            }
            if (judge.is_late)() {
                return;
            }
        }
    }

    /// The solution by cases, once.
    fn cases(&mut self, judge: &mut Judge<'_>) {
        if std::mem::replace(&mut self.tried_cases, true) || self.is_weighted {
            return;
        }
        let bound = self.best.as_ref().map(|(cost, _)| *cost);
        let Some(term) = by_cases(self.spec, &self.hints, bound, judge) else { return };
        if !self.spec.problem.functions[self.spec.function].has_grammar || self.grammar.derives(&term) {
            self.accept(theory::nodes(&term) as u32, term);
        }
    }

    /// Replaces parts of the best solution by cheaper terms with the same values at the active points.
    fn shrink(&mut self, judge: &mut Judge<'_>) {
        // Where weights are charged, nodes say nothing.
        let Some((cost, term)) = self.best.clone().filter(|_| !self.is_weighted) else { return };
        let columns = self.spec.columns_at(&self.active);
        let smaller = self.smaller(&term, NonterminalId(0), &columns);
        let own = theory::nodes(&smaller) as u32;
        if own < cost && theory::nodes(&term) as u32 == cost && matches!(self.examine(&smaller, judge), Exam::Right) {
            self.accept(own, smaller);
        }
    }

    fn smaller(&self, term: &Term, id: NonterminalId, columns: &[Column]) -> Term {
        let known = self.spec.evaluate(term, columns).and_then(|column| self.bank.find_in(id, &column.codes));
        if let Some(class) = known
            && (self.bank.cost(class) as usize) < theory::nodes(term)
        {
            return self.bank.term(class);
        }
        let dsl::Node::App(func, args) = term.node() else { return term.clone() };
        let all = crate::tree::chained(&self.grammar, id);
        let mut productions = all.iter().flat_map(|&id| &self.grammar.nonterminal(id).productions);
        let ids = productions.find_map(|production| match production {
            Production::Apply { func: own, args: ids, .. } if own == func && ids.len() == args.len() => {
                Some(ids.clone())
            }
            _ => None,
        });
        let Some(ids) = ids else { return term.clone() };
        let args: Vec<Term> = args.iter().zip(&ids).map(|(arg, &id)| self.smaller(arg, id, columns)).collect();
        let new = Term::app(func.clone(), args);
        if self.grammar.derives(&new) { new } else { term.clone() }
    }
}

/// An empty bank at points.
fn bank<'p>(
    spec: &Pointwise<'p>,
    grammar: &Grammar,
    extras: &[Extra],
    active: &[usize],
) -> Result<Bank<'p>, BankError> {
    let columns = extras.iter().map(|extra| extra.column.clone()).collect();
    let config = BankConfig {
        leaves: leaves(spec, extras, columns, active),
        alternatives: 6,
        ..BankConfig::from_grammar(grammar.clone(), Vec::new())
    };
    Bank::new(&spec.problem.language, &config)
}

fn is_right(spec: &Pointwise<'_>, active: &[usize], codes: &[i64]) -> bool {
    active.iter().zip(codes).all(|(&point, &code)| spec.accept[point].contains(code))
}

/// The hints that a grammar derives, for each nonterminal that does; without a file's grammar, that of their sort.
fn extras(spec: &Pointwise<'_>, grammar: &Grammar, hints: &[Term], points: &[usize]) -> Vec<Extra> {
    let function = &spec.problem.functions[spec.function];
    let columns = spec.columns_at(points);
    let mut extras = Vec::new();
    for hint in hints {
        let Some(column) = spec.evaluate(hint, &columns) else { continue };
        let is_from: Vec<bool> = match function.has_grammar {
            true => grammar.derived_from(hint),
            false => grammar.nonterminals.iter().map(|own| own.sort == column.sort).collect(),
        };
        // Without a grammar there are nonterminals of one sort for special uses, which come last.
        let n = if function.has_grammar { is_from.len() } else { 1 };
        for index in (0..is_from.len()).filter(|&index| is_from[index]).take(n) {
            let (cost, nonterminal) = (theory::nodes(hint) as u32, NonterminalId(index as u32));
            extras.push(Extra { term: hint.clone(), cost, nonterminal, column: column.clone() });
        }
    }
    extras
}

/// The leaves of the bank at points: parameters, named constants and, without a grammar, hints, whose columns are given.
fn leaves(spec: &Pointwise<'_>, extras: &[Extra], columns: Vec<Column>, points: &[usize]) -> Vec<Leaf> {
    let function = &spec.problem.functions[spec.function];
    let leaf = |(name, column)| Leaf { term: Term::var(name), column, cost: 1 };
    let bindings = function.bindings(&spec.columns_at(points), points.len().max(1));
    let mut all: Vec<Leaf> = bindings.into_iter().map(leaf).collect();
    if !function.has_grammar {
        let extra = |(extra, column): (&Extra, Column)| Leaf { term: extra.term.clone(), column, cost: 1 };
        all.extend(extras.iter().zip(columns).map(extra));
    }
    all
}

/// Points to begin with: few, with different values wanted.
fn first_points(spec: &Pointwise<'_>) -> Vec<usize> {
    let n = spec.n_points();
    if n <= FIRST_POINTS {
        return (0..n).collect();
    }
    let mut seen: Vec<(Option<i64>, usize)> = Vec::new();
    let mut ranked: Vec<(usize, usize)> = (0..n)
        .map(|point| {
            let key = spec.accept[point].single();
            let count = match seen.iter_mut().find(|(own, _)| *own == key) {
                Some((_, count)) => {
                    *count += 1;
                    *count
                }
                None => {
                    seen.push((key, 0));
                    0
                }
            };
            (count, point)
        })
        .collect();
    ranked.sort_unstable();
    let mut chosen: Vec<usize> = ranked.into_iter().take(FIRST_POINTS).map(|(_, point)| point).collect();
    chosen.sort_unstable();
    chosen
}

/// The values wanted, as constants for `(Constant S)`.
pub(crate) fn wanted(spec: &Pointwise<'_>) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::new();
    for accept in &spec.accept {
        for code in accept.bounds().filter(|code| code.unsigned_abs() < 1 << 40) {
            let value = samples::decode_code(spec.sort(), code);
            if value.sort().is_some() && !values.contains(&value) && values.len() < 64 {
                values.push(value);
            }
        }
    }
    values
}
