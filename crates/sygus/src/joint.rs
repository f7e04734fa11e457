//! Functions that constraints tie together: several of them, or one that is applied at several points at once.
//!
//! Bodies are enumerated by total cost, one bank for each function over all points at which it is applied, and held
//! against valuations of the variables; counterexamples add valuations. Invariants and functional equations are of this
//! kind.

mod conjoin;

use dsl::{Facts, Func, Grammar, Language, NonterminalId, OpId, Operator, Place, SortPattern, Term};
use rustc_hash::{FxHashMap, FxHashSet};
use samples::{Column, Sort, Symbol};
use synth::{Bank, BankConfig, BoundScope, ClassId, Limits, StopReason, Watch};

use crate::clauses::{APPLICATION_LIMIT, Clauses};
use crate::problem::{Problem, is_weighted};
use crate::search::{Failure, SearchLimits, Solution, Stopped};
use crate::spec::{evaluate, names, sorts};
use crate::theory;
use crate::verify::Verification;

/// Valuations to begin with.
const FIRST_VALUATIONS: usize = 24;
/// Combinations of bodies that are tried between two looks at the clock.
const SLICE: u64 = 10_000;

/// A limit: banks are closed, and do not know whether that is all.
pub(crate) const NO_FURTHER_TERMS: &str = "the grammars have no further terms";

/// What a joint search needs from outside.
pub(crate) struct JointJudge<'a> {
    /// Whether bodies, one for each function of the search, are right for all inputs.
    pub(crate) verify: &'a mut dyn FnMut(&[Term]) -> Verification,
    /// Whether time is up.
    pub(crate) is_late: &'a dyn Fn() -> bool,
    /// What the search may do, since it began.
    pub(crate) patience: Patience,
    /// Bodies of this total cost are known.
    pub(crate) below: u32,
}

/// Work that a search may do before others are tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Combinations of bodies that are held against the constraints.
    pub(crate) checks: u64,
    /// Candidates of one bank.
    pub(crate) candidates: u64,
    /// Bodies that the solver is asked about.
    pub(crate) questions: u64,
}

impl Patience {
    /// Without end.
    pub(crate) const ENDLESS: Self = Self { checks: u64::MAX, candidates: u64::MAX, questions: u64::MAX };
}

/// A constraint over the variables and applications, as one operator.
struct Formula {
    operator: OpId,
    params: Vec<Symbol>,
    /// How many of the functions, in the order of the search, have to be known.
    needs: usize,
}

pub(crate) struct Joint<'p> {
    problem: &'p Problem,
    functions: Vec<usize>,
    grammars: Vec<Grammar>,
    /// The problem's language with the formulas as operators.
    language: Language,
    formulas: Vec<Formula>,
    /// Valuations that are looked at, and the others.
    active: Vec<Vec<i64>>,
    reserve: Vec<Vec<i64>>,
    /// For each function, its points by arguments.
    points: Vec<FxHashMap<Vec<i64>, usize>>,
    /// For each application with arguments that no function to find has a part in: the point at each valuation.
    places: Vec<Option<Vec<usize>>>,
    banks: Vec<Bank<'p>>,
    /// What the formulas ask of the only function, if that is a truth value, at the active valuations.
    clauses: Option<Clauses>,
    limits: SearchLimits,
    n_checks: u64,
    n_questions: u64,
    /// The least total cost of bodies that the solver could not decide.
    least_open: Option<u32>,
    /// Total cost up to which all bodies were refuted.
    refuted: u32,
}

enum Step {
    Solved(Vec<(Term, u32)>),
    /// Valuations were added.
    Refined,
    Exhausted,
    Late,
}

impl JointJudge<'_> {
    fn is_over(&self, n_checks: u64) -> bool {
        n_checks >= self.patience.checks || (self.is_late)()
    }
}

impl<'p> Joint<'p> {
    /// A search over some of a problem's functions, in order.
    pub(crate) fn new(
        problem: &'p Problem,
        functions: &[usize],
        grammars: Vec<Grammar>,
        formulas: &[Term],
        valuations: Vec<Vec<i64>>,
        limits: SearchLimits,
    ) -> Result<Self, Failure> {
        let mut joint = Self {
            problem,
            functions: functions.to_vec(),
            grammars,
            language: problem.language.clone(),
            formulas: Vec::new(),
            active: Vec::new(),
            reserve: Vec::new(),
            points: vec![FxHashMap::default(); functions.len()],
            places: vec![None; problem.applications.len()],
            banks: Vec::new(),
            clauses: None,
            limits,
            n_checks: 0,
            n_questions: 0,
            least_open: None,
            refuted: 0,
        };
        joint.formulas = formulas.iter().map(|formula| joint.formula(formula)).collect();
        joint.formulas.sort_by_key(|formula| formula.needs);
        joint.clauses = joint.has_clauses().then(Clauses::default);
        let mut valuations = valuations;
        joint.reserve = valuations.split_off(FIRST_VALUATIONS.min(valuations.len()));
        for slot in 0..functions.len() {
            let config = joint.bank_config(slot);
            let bank = Bank::new(&problem.language, &config).map_err(|error| Failure::limit(error.to_string()))?;
            joint.banks.push(bank);
        }
        joint.activate(valuations)?;
        Ok(joint)
    }

    /// The same search at its beginning, with all valuations that are looked at: a bank that has seen them from the start
    /// has forgotten no term that they split off.
    pub(crate) fn afresh(&self, formulas: &[Term]) -> Result<Self, Failure> {
        let (grammars, valuations) = (self.grammars.clone(), self.active.clone());
        let mut new = Self::new(self.problem, &self.functions, grammars, formulas, valuations, self.limits)?;
        new.refuted = self.refuted;
        let rest = std::mem::replace(&mut new.reserve, self.reserve.clone());
        new.activate(rest)?;
        Ok(new)
    }

    fn slot(&self, function: usize) -> Option<usize> {
        self.functions.iter().position(|&own| own == function)
    }

    fn formula(&mut self, term: &Term) -> Formula {
        let used = names(term);
        let all = sorts(self.problem);
        let params: Vec<(Symbol, Sort)> = all.into_iter().filter(|(name, _)| used.contains(name)).collect();
        let needs = self.problem.applications.iter().filter(|own| used.contains(&own.name));
        let needs = needs.filter_map(|own| self.slot(own.function)).max().map_or(0, |slot| slot + 1);
        let operator = self.language.define(Operator {
            name: Symbol::new(&format!("formula {}", self.language.operators.len())),
            params: params.iter().map(|&(name, sort)| (name, SortPattern::Sort(sort))).collect(),
            result: SortPattern::Sort(Sort::Bool),
            meaning: term.clone(),
            condition: None,
            cost: 1,
            charges: vec![0; params.len()],
            facts: Facts::default(),
            total: false,
            place: Place::default(),
        });
        Formula { operator, params: params.into_iter().map(|(name, _)| name).collect(), needs }
    }

    /// A bank that looks at one point where everything is 0, so that it has one.
    fn bank_config(&mut self, slot: usize) -> BankConfig {
        let function = &self.problem.functions[self.functions[slot]];
        let args: Vec<i64> = function.params.iter().map(|_| 0).collect();
        self.points[slot].insert(args, 0);
        let params: Vec<Column> = function.params.iter().map(|&(_, sort)| Column::new(sort, vec![0])).collect();
        let variables = function.bindings(&params, 1);
        BankConfig { alternatives: 2, ..BankConfig::from_grammar(self.grammars[slot].clone(), variables) }
    }

    fn variables(&self, valuations: &[Vec<i64>]) -> Vec<(Symbol, Column)> {
        let column = |(v, &(name, sort)): (usize, &(Symbol, Sort))| {
            (name, Column::new(sort, valuations.iter().map(|row| row[v]).collect()))
        };
        self.problem.variables.iter().enumerate().map(column).collect()
    }

    /// Whether conjunctions can be learned of what is asked.
    pub(crate) fn takes_conjunctions(&self) -> bool {
        self.clauses.as_ref().is_some_and(|clauses| clauses.examples().is_some())
    }

    /// Whether formulas can be turned into clauses: there is one function, a truth value, and not applied to its own values.
    fn has_clauses(&self) -> bool {
        let &[function] = self.functions.as_slice() else { return false };
        let is_application = |name: &Symbol| self.problem.applications.iter().any(|own| own.name == *name);
        let is_plain = |args: &[Term]| !args.iter().flat_map(names).any(|name| is_application(&name));
        self.problem.functions[function].sort == Sort::Bool
            && self.problem.applications.iter().all(|own| own.function == function && is_plain(&own.args))
            && self.formulas.iter().all(|formula| self.applications_in(formula).len() <= APPLICATION_LIMIT)
    }

    /// The numbers of the applications that a formula mentions.
    fn applications_in(&self, formula: &Formula) -> Vec<usize> {
        let all = self.problem.applications.iter().enumerate();
        all.filter(|(_, own)| formula.params.contains(&own.name)).map(|(number, _)| number).collect()
    }

    /// Clauses for the active valuations from a number on.
    fn state(&mut self, first: usize) {
        let Some(mut clauses) = self.clauses.take() else { return };
        let vars = self.variables(&self.active[first..]);
        let n = self.active.len() - first;
        for formula in &self.formulas {
            let own = self.applications_in(formula);
            // The formula's values for every combination of the applications' values.
            let values = (0..1_usize << own.len()).map(|values| {
                let value = |i: usize| Column::new(Sort::Bool, vec![(values >> i & 1) as i64; n]);
                let known: Vec<(Symbol, Column)> =
                    own.iter().enumerate().map(|(i, &at)| (self.problem.applications[at].name, value(i))).collect();
                self.holds(formula, &vars, &known)
            });
            let Some(values) = values.collect::<Option<Vec<_>>>() else { return };
            let places: Option<Vec<&Vec<usize>>> = own.iter().map(|&at| self.places[at].as_ref()).collect();
            let Some(places) = places else { return };
            for row in 0..n {
                let points: Vec<usize> = places.iter().map(|place| place[first + row]).collect();
                // What is not known forbids nothing.
                clauses.add(&points, &|combination| values[combination][row] != 0);
            }
        }
        self.clauses = Some(clauses);
    }

    /// Those of some valuations at which all arguments have values of 64 bits.
    fn within_reach(&self, mut valuations: Vec<Vec<i64>>) -> Vec<Vec<i64>> {
        let (vars, n) = (self.variables(&valuations), valuations.len());
        let args = self.problem.applications.iter().flat_map(|own| &own.args);
        let columns: Vec<Column> = args.filter_map(|arg| evaluate(arg, &self.problem.language, &vars, n)).collect();
        let mut row = 0;
        valuations.retain(|_| {
            row += 1;
            columns.iter().all(|column| !column.sort.is_undefined(column.codes[row - 1]))
        });
        valuations
    }

    /// Looks at more valuations: their points are added to the banks.
    fn activate(&mut self, valuations: Vec<Vec<i64>>) -> Result<(), Failure> {
        let error = |_| Failure::limit("points that the bank does not take");
        let known = self.active.len();
        self.active.extend(self.within_reach(valuations));
        let vars = self.variables(&self.active);
        let n = self.active.len();
        let mut fresh: Vec<Vec<Vec<i64>>> = vec![Vec::new(); self.functions.len()];
        for (number, application) in self.problem.applications.iter().enumerate() {
            let Some(slot) = self.slot(application.function) else { continue };
            let is_application = |name: &Symbol| self.problem.applications.iter().any(|own| own.name == *name);
            if application.args.iter().flat_map(names).any(|name| is_application(&name)) {
                continue;
            }
            let columns: Option<Vec<Column>> =
                application.args.iter().map(|arg| evaluate(arg, &self.problem.language, &vars, n)).collect();
            let Some(columns) = columns else { continue };
            let mut places = Vec::with_capacity(n);
            for row in 0..n {
                let args: Vec<i64> = columns.iter().map(|column| column.codes[row]).collect();
                let next = self.points[slot].len();
                let place = *self.points[slot].entry(args.clone()).or_insert(next);
                if place == next {
                    fresh[slot].push(args);
                }
                places.push(place);
            }
            self.places[number] = Some(places);
        }
        self.state(known);
        for (slot, rows) in fresh.into_iter().enumerate() {
            if rows.is_empty() {
                continue;
            }
            let function = &self.problem.functions[self.functions[slot]];
            let params = function.params.iter().enumerate();
            let columns: Vec<Column> =
                params.map(|(i, (_, sort))| Column::new(*sort, rows.iter().map(|row| row[i]).collect())).collect();
            let bound = function.bindings(&columns, rows.len());
            let columns: Vec<Column> = bound.into_iter().map(|(_, column)| column).collect();
            self.banks[slot].append_points(&columns, &mut |_| Watch::Keep).map_err(error)?;
        }
        Ok(())
    }

    /// Looks for bodies of least total cost; a search that was stopped can go on.
    pub(crate) fn run(&mut self, judge: &mut JointJudge<'_>) -> Result<Vec<Solution>, Failure> {
        let n = self.functions.len() as u32;
        let mut total = n;
        let mut is_closed = vec![false; self.functions.len()];
        loop {
            if total >= judge.below {
                return Err(self.stopped("cost"));
            }
            for (slot, closed) in is_closed.iter_mut().enumerate() {
                *closed = self.fill(slot, total - (n - 1), judge)?;
            }
            match self.level(total, judge)? {
                Step::Solved(bodies) => {
                    let n_candidates = self.banks.iter().map(Bank::n_candidates).sum::<u64>() + self.n_checks;
                    let is_minimal = self.refutes_below(total);
                    let solution = |(slot, (body, cost)): (usize, (Term, u32))| {
                        let n_points = self.banks[slot].n_points();
                        let scope = self.scope(slot);
                        let lower_bound = if is_minimal { cost } else { 1 };
                        Solution { body, cost, lower_bound, scope, n_candidates, n_points }
                    };
                    return Ok(bodies.into_iter().enumerate().map(solution).collect());
                }
                // What was wrong before stays wrong, but banks may have split: from the start again, which is fast.
                Step::Refined => total = n,
                Step::Late => {
                    let reason = if (judge.is_late)() { "time" } else { "candidates" };
                    return Err(self.stopped(reason));
                }
                Step::Exhausted => {
                    if self.refutes_below(total + 1) {
                        self.refuted = self.refuted.max(total);
                    }
                    let greatest: u32 = self.banks.iter().map(greatest_cost).sum();
                    if total > greatest && is_closed.iter().all(|&closed| closed) {
                        return Err(self.exhausted());
                    }
                    if (judge.is_late)() {
                        return Err(self.stopped("time"));
                    }
                    total += 1;
                }
            }
        }
    }

    /// Whether every combination of bodies of lower total cost was refuted: a bank that forgot terms which points split off
    /// later does not know, nor do values that are not known.
    pub(crate) fn refutes_below(&self, total: u32) -> bool {
        let n = self.functions.len() as u32;
        let is_known = |bank: &Bank<'_>| bank.complete_cost() + n >= total;
        self.least_open.is_none_or(|open| open >= total) && self.banks.iter().all(is_known)
    }

    /// Whether banks forgot terms.
    pub(crate) fn is_forgetful(&self) -> bool {
        self.banks.iter().any(Bank::is_forgetful)
    }

    /// Whether bodies that were found elsewhere are terms of the grammars, each costing its nodes.
    pub(crate) fn derive(&self, bodies: &[Term]) -> bool {
        let own = |slot: usize| {
            let (function, grammar) = (&self.problem.functions[self.functions[slot]], &self.grammars[slot]);
            !function.has_grammar || (grammar.derives(&bodies[slot]) && !is_weighted(grammar))
        };
        (0..bodies.len()).all(own)
    }

    /// Verified bodies that were found elsewhere, of which no bound is known.
    pub(crate) fn solutions(&self, bodies: Vec<Term>) -> Vec<Solution> {
        let n_candidates = self.banks.iter().map(Bank::n_candidates).sum::<u64>() + self.n_checks;
        let solution = |(slot, body): (usize, Term)| {
            let (cost, n_points) = (theory::nodes(&body) as u32, self.banks[slot].n_points());
            Solution { body, cost, lower_bound: 1, scope: self.scope(slot), n_candidates, n_points }
        };
        bodies.into_iter().enumerate().map(solution).collect()
    }

    /// A limit that was reached, with what was refuted before.
    fn stopped(&self, limit: &str) -> Failure {
        let scopes = (0..self.banks.len()).map(|slot| self.scope(slot));
        let scope = scopes.max().unwrap_or(BoundScope::Grammar);
        Failure::Limit(Stopped { limit: limit.to_owned(), lower_bound: self.refuted + 1, scope })
    }

    /// All values that the grammars have were tried.
    fn exhausted(&self) -> Failure {
        let are_all = (0..self.banks.len()).all(|slot| self.scope(slot) != BoundScope::ConstantsTried);
        if !are_all {
            return self.stopped("the grammars have no further terms of the constants tried");
        }
        if self.least_open.is_some() || self.is_forgetful() {
            return self.stopped(NO_FURTHER_TERMS);
        }
        let n = self.active.len();
        Failure::Infeasible(format!("no terms of the grammars are right at {n} valuations"))
    }

    fn scope(&self, slot: usize) -> BoundScope {
        self.problem.functions[self.functions[slot]].bound_scope(&self.grammars[slot])
    }

    /// Completes a bank up to a cost; whether it is closed.
    fn fill(&mut self, slot: usize, cost: u32, judge: &JointJudge<'_>) -> Result<bool, Failure> {
        loop {
            let bank = &mut self.banks[slot];
            let most = self.limits.max_candidates.min(judge.patience.candidates);
            let limits = Limits {
                max_cost: cost,
                max_classes: self.limits.max_classes,
                max_candidates: most.min(bank.n_candidates() + 200_000),
                max_bytes: self.limits.max_bytes,
            };
            match bank.run(&limits, &mut |_| Watch::Keep) {
                StopReason::Cost => return Ok(false),
                StopReason::Closed => return Ok(true),
                StopReason::Candidates if bank.n_candidates() < most => {}
                other => return Err(self.stopped(&other.to_string())),
            }
            if (judge.is_late)() {
                return Err(self.stopped("time"));
            }
        }
    }

    /// Tries all bodies of a total cost.
    fn level(&mut self, total: u32, judge: &mut JointJudge<'_>) -> Result<Step, Failure> {
        let mut undecided: FxHashSet<Vec<ClassId>> = FxHashSet::default();
        loop {
            let mut chosen = Vec::new();
            let vars = self.variables(&self.active);
            let hit = match self.descend(total, &mut chosen, &vars, &undecided, judge) {
                Some(Some(hit)) => hit,
                Some(None) => return Ok(Step::Late),
                None => return Ok(Step::Exhausted),
            };
            let bodies: Vec<Term> = hit.iter().zip(&self.banks).map(|(&class, bank)| bank.term(class)).collect();
            let wrong = self.wrong_in_reserve(&bodies);
            if !wrong.is_empty() {
                self.activate(wrong)?;
                return Ok(Step::Refined);
            }
            if judge.is_over(self.n_checks) || self.n_questions >= judge.patience.questions {
                return Ok(Step::Late);
            }
            self.n_questions += 1;
            match (judge.verify)(&bodies) {
                Verification::Valid => {
                    let costs = hit.iter().zip(&self.banks).map(|(&class, bank)| bank.cost(class));
                    return Ok(Step::Solved(bodies.into_iter().zip(costs).collect()));
                }
                Verification::Counterexample(valuation)
                    if !self.active.contains(&valuation) && !self.within_reach(vec![valuation.clone()]).is_empty() =>
                {
                    self.activate(vec![valuation])?;
                    return Ok(Step::Refined);
                }
                _ => {
                    self.least_open = Some(self.least_open.map_or(total, |open| open.min(total)));
                    undecided.insert(hit);
                }
            }
        }
    }

    /// The first bodies of a cost that are right at the active valuations; the inner `None` when time is up.
    fn descend(
        &mut self,
        rest: u32,
        chosen: &mut Vec<ClassId>,
        vars: &[(Symbol, Column)],
        undecided: &FxHashSet<Vec<ClassId>>,
        judge: &JointJudge<'_>,
    ) -> Option<Option<Vec<ClassId>>> {
        let slot = chosen.len();
        if slot == self.functions.len() {
            return (rest == 0 && !undecided.contains(chosen)).then(|| Some(chosen.clone()));
        }
        let after = (self.functions.len() - slot - 1) as u32;
        let is_last = after == 0;
        let classes: Vec<(ClassId, u32)> = self.banks[slot]
            .ids_of(NonterminalId(0))
            .filter(|&(_, cost)| if is_last { cost == rest } else { cost + after <= rest })
            .collect();
        for (class, cost) in classes {
            chosen.push(class);
            self.n_checks += 1;
            if self.n_checks.is_multiple_of(SLICE) && judge.is_over(self.n_checks) {
                return Some(None);
            }
            match self.is_right(chosen, vars) {
                Some(true) => {
                    if let Some(found) = self.descend(rest - cost, chosen, vars, undecided, judge) {
                        return Some(found);
                    }
                }
                Some(false) => {}
                None => self.leave_open(chosen, rest - cost),
            }
            chosen.pop();
        }
        None
    }

    /// Bodies that cost as much, with others of what is left, may be right: no bound goes beyond their cost.
    fn leave_open(&mut self, chosen: &[ClassId], rest: u32) {
        let total = rest + chosen.iter().zip(&self.banks).map(|(&class, bank)| bank.cost(class)).sum::<u32>();
        self.least_open = Some(self.least_open.map_or(total, |open| open.min(total)));
    }

    /// Whether the formulas that became known with the last class chosen hold at the active valuations; `None` if they are
    /// false nowhere and not known somewhere, where values go beyond 64 bits or numbers are divided by zero.
    fn is_right(&self, chosen: &[ClassId], vars: &[(Symbol, Column)]) -> Option<bool> {
        if let (Some(clauses), &[class]) = (&self.clauses, chosen) {
            return clauses.admit(&self.banks[0].class(class).codes);
        }
        let mut known: Vec<(Symbol, Column)> = Vec::new();
        for (number, application) in self.problem.applications.iter().enumerate() {
            let Some(slot) = self.slot(application.function).filter(|&slot| slot < chosen.len()) else { continue };
            let bank = &self.banks[slot];
            let column = match &self.places[number] {
                Some(places) => {
                    let class = bank.class(chosen[slot]);
                    Some(Column::new(class.sort, places.iter().map(|&place| class.codes[place]).collect()))
                }
                None => self.apply(number, &bank.term(chosen[slot]), vars, &known, self.active.len()),
            };
            match column {
                Some(column) => known.push((application.name, column)),
                // An argument is of a function that comes later.
                None => continue,
            }
        }
        let mut is_known = true;
        for formula in self.formulas.iter().filter(|formula| formula.needs == chosen.len()) {
            let Some(codes) = self.holds(formula, vars, &known) else { continue };
            if codes.contains(&0) {
                return Some(false);
            }
            is_known &= codes.iter().all(|&code| code == 1);
        }
        is_known.then_some(true)
    }

    /// The values of an application, given those of the variables and of the applications within it.
    fn apply(
        &self,
        number: usize,
        body: &Term,
        vars: &[(Symbol, Column)],
        known: &[(Symbol, Column)],
        n: usize,
    ) -> Option<Column> {
        let application = &self.problem.applications[number];
        let function = &self.problem.functions[application.function];
        let scope: Vec<(Symbol, Column)> = vars.iter().chain(known).cloned().collect();
        let args = application.args.iter().map(|arg| evaluate(arg, &self.problem.language, &scope, n));
        let inner = function.bindings(&args.collect::<Option<Vec<_>>>()?, n);
        evaluate(body, &self.problem.language, &inner, n)
    }

    /// Where a formula holds; `None` if it cannot be said yet.
    fn holds(&self, formula: &Formula, vars: &[(Symbol, Column)], known: &[(Symbol, Column)]) -> Option<Vec<i64>> {
        let find = |name: &Symbol| vars.iter().chain(known).find(|(own, _)| own == name).map(|(_, column)| column);
        let columns: Vec<&Column> = formula.params.iter().map(find).collect::<Option<_>>()?;
        dsl::apply(&self.language, &Func::Op(formula.operator), &columns).ok().map(|column| column.codes)
    }

    /// Some of the valuations in reserve at which bodies are wrong.
    fn wrong_in_reserve(&mut self, bodies: &[Term]) -> Vec<Vec<i64>> {
        let vars = self.variables(&self.reserve);
        let n = self.reserve.len();
        let mut known: Vec<(Symbol, Column)> = Vec::new();
        for (number, application) in self.problem.applications.iter().enumerate() {
            let Some(slot) = self.slot(application.function) else { continue };
            if let Some(column) = self.apply(number, &bodies[slot], &vars, &known, n) {
                known.push((application.name, column));
            }
        }
        let mut wrong: Vec<usize> = Vec::new();
        for formula in &self.formulas {
            let codes = self.holds(formula, &vars, &known).unwrap_or_default();
            wrong.extend((0..codes.len()).filter(|&row| codes[row] == 0).take(2));
        }
        wrong.sort_unstable();
        wrong.dedup();
        wrong.truncate(4);
        wrong.into_iter().rev().map(|row| self.reserve.swap_remove(row)).collect()
    }
}

/// The greatest cost of a class of the start.
fn greatest_cost(bank: &Bank<'_>) -> u32 {
    bank.ids_of(NonterminalId(0)).map(|(_, cost)| cost).max().unwrap_or(0)
}
