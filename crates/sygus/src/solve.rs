//! Solving a problem: its functions, those that constraints tie together at once.

use std::cell::RefCell;

use dsl::{Func, Grammar, Kernel, Node, NonterminalId, Production, Term};
use samples::{Symbol, Value, decode_code};
use smt::Solver;
use synth::{BankError, BoundScope, Closure, ClosureLimits};

use crate::joint::{Joint, JointJudge, NO_FURTHER_TERMS, Patience};
use crate::problem::{Problem, WeightBound, WeightSum, is_weighted};
use crate::sampling::{constants, sample};
use crate::search::{Effort, Failure, Judge, Search, SearchLimits, Solution, Stopped, wanted};
use crate::simple::simple;
use crate::spec::{Pointwise, conjuncts, hints, names};
use crate::template::{self, Means};
use crate::tree::Conditional;
use crate::verify::Verification;
use crate::weight::{self, Tariff};
use crate::{choice, logic, polynomial, theory, verify};

/// How a problem is to be solved.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The seed of everything random.
    pub seed: u64,
    /// How far the search goes.
    pub limits: SearchLimits,
    /// What the solver may spend on one question.
    pub solver: smt::Limits,
}

impl Options {
    /// With a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, limits: SearchLimits::new(), solver: smt::Limits { resources: 20_000_000, timeout_ms: None } }
    }
}

/// What came out.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A verified body for every function, in the order of the problem.
    Solved(Vec<Solution>),
    /// There is no solution, for this reason.
    Infeasible(String),
    /// None was found before a limit fired.
    Fail(Unsolved),
}

/// What is known where no solution was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsolved {
    /// The limit that fired.
    pub limit: String,
    /// The functions that were looked for, by number.
    pub functions: Vec<usize>,
    /// Bodies of these functions that solve the problem cost no less in sum: 1 where nothing is known.
    pub lower_bound: u32,
    /// Of which terms the bound speaks.
    pub scope: BoundScope,
}

impl Unsolved {
    /// A reason beside which nothing is known.
    fn new(limit: impl Into<String>) -> Self {
        Self { limit: limit.into(), functions: Vec::new(), lower_bound: 1, scope: BoundScope::Grammar }
    }

    /// What is known of the cost of solutions, in words; nothing where that goes without saying.
    pub fn bound(&self, problem: &Problem) -> Option<String> {
        let among = self.scope.among();
        let names: Vec<&str> = self.functions.iter().map(|&index| problem.functions[index].name.as_str()).collect();
        let (names, bound) = (names.join(", "), self.lower_bound);
        if bound as usize <= self.functions.len().max(1) {
            return None;
        }
        Some(match (self.functions.len(), problem.functions.len()) {
            (_, 1) => format!("no solution{among} costs less than {bound}"),
            (1, _) => format!("no solution for {names}{among} costs less than {bound}"),
            _ => format!("no solution for {names}{among} costs less than {bound} in sum"),
        })
    }
}

/// Valuations that candidates are held against before the solver sees them.
const N_VALUATIONS: usize = 240;

/// Solves a problem. `is_late` says when time is up.
pub fn solve(problem: &Problem, options: &Options, solver: &mut Solver, is_late: &dyn Fn() -> bool) -> Answer {
    let mut solutions = match solve_charged(problem, options, solver, is_late) {
        Answer::Solved(solutions) => solutions,
        other => return other,
    };
    let targets = problem.objective.as_ref().map_or(&[][..], |objective| &objective.targets);
    for n in 2..=targets.len() {
        let sums: Vec<&WeightSum> = targets[..n].iter().collect();
        let known = sums.iter().map(|sum| problem.value(sum, &written(&solutions))).collect::<Option<Vec<_>>>();
        let tariff = known.and_then(|known| Tariff::of_order(&sums, &known));
        let mut charged = problem.clone();
        if !tariff.is_some_and(|tariff| charged.charge(&tariff)) {
            return Answer::Fail(Unsolved::new("objectives that are too great to be put in order"));
        }
        match solve_charged(&charged, options, solver, is_late) {
            Answer::Solved(better) => solutions = better,
            Answer::Infeasible(reason) => return Answer::Infeasible(reason),
            Answer::Fail(_) => {
                solutions.iter_mut().for_each(|solution| solution.lower_bound = 1);
                break;
            }
        }
    }
    match broken_bound(problem, &solutions) {
        None => Answer::Solved(solutions),
        Some((reason, true)) => Answer::Infeasible(reason),
        Some((reason, false)) => Answer::Fail(Unsolved::new(reason)),
    }
}

/// Solves a problem with the costs that its productions have.
fn solve_charged(problem: &Problem, options: &Options, solver: &mut Solver, is_late: &dyn Fn() -> bool) -> Answer {
    if let Some(answer) = constraints_alone(problem, options, solver) {
        return answer;
    }
    let mut solutions: Vec<Option<Solution>> = vec![None; problem.functions.len()];
    for component in components(problem) {
        let mut session = Session { problem, options, solver: &mut *solver, is_late };
        match session.component(&component) {
            Ok(found) => {
                for (index, solution) in component.into_iter().zip(found) {
                    solutions[index] = Some(solution);
                }
            }
            Err(Failure::Infeasible(reason)) => return Answer::Infeasible(reason),
            Err(Failure::Limit(Stopped { limit, lower_bound, scope })) => {
                return Answer::Fail(Unsolved { limit, functions: component, lower_bound, scope });
            }
        }
    }
    Answer::Solved(solutions.into_iter().flatten().collect())
}

/// What there is to say where constraints that mention no function to find do not hold.
fn constraints_alone(problem: &Problem, options: &Options, solver: &mut Solver) -> Option<Answer> {
    let mentions_none = |formula: &Term| functions_of(problem, formula).is_empty();
    // What is assumed of functions is not known before they are; then verification has the word.
    if !problem.constraints.iter().any(mentions_none) || !problem.assumptions.iter().all(mentions_none) {
        return None;
    }
    match verify::verify(problem, &[], &bodies(problem, &[], &[]), solver, options.solver) {
        Verification::Valid => None,
        Verification::Counterexample(valuation) => {
            let values = problem.variables.iter().zip(&valuation);
            let shown = theory::valuation(values.map(|(&(name, sort), &code)| (name, decode_code(sort, code))));
            let at = if shown.is_empty() { shown } else { format!(": {shown}") };
            Some(Answer::Infeasible(format!("a constraint that mentions no function to find does not hold{at}")))
        }
        Verification::Unknown(reason) => {
            let limit = format!("a constraint that mentions no function to find was not proved: {reason}");
            Some(Answer::Fail(Unsolved::new(limit)))
        }
    }
}

fn written(solutions: &[Solution]) -> Vec<Term> {
    solutions.iter().map(|solution| solution.body.clone()).collect()
}

/// The first weight bound that solutions break, and whether it is known that all do.
fn broken_bound(problem: &Problem, solutions: &[Solution]) -> Option<(String, bool)> {
    problem.weight_bounds.iter().find_map(|bound| {
        let value = problem.value(&bound.sum, &written(solutions))?;
        let reason = || format!("the weights bounded by {} come to {value} in the solution found", bound.most);
        (value > bound.most).then(|| (reason(), exceeds(problem, bound, solutions)))
    })
}

/// Whether no solution keeps a bound: then all would cost less than was shown that any costs. That can only be said if the
/// bounded sum is what was made small, and leaves no room for terms of any number of nodes.
fn exceeds(problem: &Problem, bound: &WeightBound, solutions: &[Solution]) -> bool {
    let is_bounded = |function: usize| bound.sum.weights.iter().any(|(weight, _)| weight.function == function);
    // Functions that constraints tie together are known to be minimal in sum.
    let involved: Vec<usize> = components(problem)
        .into_iter()
        .filter(|component| component.iter().any(|&function| is_bounded(function)))
        .flatten()
        .collect();
    let is_said = problem.targets() == [bound.sum.clone()]
        && involved.iter().all(|&index| is_bounded(index) && solutions[index].scope == BoundScope::Grammar);
    let shown: i64 = involved.iter().map(|&index| i64::from(solutions[index].lower_bound)).sum();
    let most = problem.most_nodes(&bound.sum, bound.most).and_then(|nodes| {
        let charges = bound.most.checked_mul(i64::from(weight::UNIT))?;
        charges.checked_add(nodes)
    });
    is_said && most.is_some_and(|most| shown > most)
}

/// Functions that constraints mention together, in order.
fn components(problem: &Problem) -> Vec<Vec<usize>> {
    let mut label: Vec<usize> = (0..problem.functions.len()).collect();
    // What an assumption says of a function is granted wherever it is granted.
    let all: Vec<usize> = (0..problem.functions.len()).collect();
    let assumed = problem.assumptions.iter().any(|own| !functions_of(problem, own).is_empty()).then_some(all);
    let constrained = problem.constraints.iter().map(|constraint| functions_of(problem, constraint));
    for used in constrained.chain(assumed) {
        if let Some(&first) = used.first() {
            let target = label[first];
            for &other in &used[1..] {
                let from = label[other];
                label.iter_mut().filter(|own| **own == from).for_each(|own| *own = target);
            }
        }
    }
    let mut components: Vec<Vec<usize>> = Vec::new();
    for function in 0..label.len() {
        match components.iter_mut().find(|component| label[component[0]] == label[function]) {
            Some(component) => component.push(function),
            None => components.push(vec![function]),
        }
    }
    components
}

/// The functions to find that a formula applies, also within arguments.
fn functions_of(problem: &Problem, formula: &Term) -> Vec<usize> {
    let mut functions = Vec::new();
    let mut open = names(formula);
    while let Some(name) = open.pop() {
        let Some(application) = problem.applications.iter().find(|own| own.name == name) else { continue };
        if !functions.contains(&application.function) {
            functions.push(application.function);
        }
        open.extend(application.args.iter().flat_map(names));
    }
    functions
}

/// What solving needs throughout.
pub(crate) struct Session<'a, 'p> {
    pub(crate) problem: &'p Problem,
    pub(crate) options: &'a Options,
    pub(crate) solver: &'a mut Solver,
    pub(crate) is_late: &'a dyn Fn() -> bool,
}

impl<'p> Session<'_, 'p> {
    /// The conjuncts that mention functions, assumptions granted.
    fn formulas_of(&self, component: &[usize]) -> Vec<Term> {
        let all = conjuncts(&self.problem.constraints);
        let own = |formula: &Term| functions_of(self.problem, formula).iter().any(|index| component.contains(index));
        let mentioned = all.into_iter().filter(own);
        if self.problem.assumptions.is_empty() {
            return mentioned.collect();
        }
        let granted = theory::conjunction(&self.problem.assumptions);
        mentioned.map(|formula| theory::apply(Kernel::Implies, vec![granted.clone(), formula])).collect()
    }

    /// What is asked of the only function of a problem, point by point; `None` if there are others, or it cannot be said so.
    pub(crate) fn spec(&self) -> Option<Pointwise<'p>> {
        let formulas = self.formulas_of(&[0]);
        if self.problem.functions.len() == 1 { self.pointwise_spec(0, &formulas) } else { None }
    }

    fn pointwise_spec(&self, function: usize, formulas: &[Term]) -> Option<Pointwise<'p>> {
        let mut spec = Pointwise::new(self.problem, function, formulas)?;
        let own: Vec<Symbol> = spec.variables().iter().map(|(name, _)| *name).collect();
        let constants = constants(formulas);
        let valuations = sample(&self.problem.variables, &own, &constants, N_VALUATIONS, self.options.seed);
        spec.add(&valuations).map(|_| spec)
    }

    /// The grammar that is searched for the function of a specification.
    pub(crate) fn grammar_for(&self, spec: &Pointwise<'_>) -> Grammar {
        let formulas = self.formulas_of(&[spec.function]);
        let mut wanted = wanted(spec);
        let function = &self.problem.functions[spec.function];
        if function.bound_scope(&function.grammar) == BoundScope::ConstantsTried {
            wanted.extend(constants(&polynomial::fits(spec, self.problem.logic.degree(), self.options.seed)));
        }
        self.grammar(spec.function, &formulas, &wanted)
    }

    /// Whether a body of the only function is right for all inputs.
    pub(crate) fn verify_one(&mut self, body: &Term) -> Verification {
        verify::verify(self.problem, &[0], std::slice::from_ref(body), self.solver, part(self.options.solver))
    }

    fn component(&mut self, component: &[usize]) -> Result<Vec<Solution>, Failure> {
        let formulas = self.formulas_of(component);
        if let [function] = component
            && let Some(spec) = self.pointwise_spec(*function, &formulas)
        {
            return self.pointwise(spec, &formulas).map(|solution| vec![solution]);
        }
        let file_constants = constants(&formulas);
        let relevant: Vec<Symbol> = self.problem.variables.iter().map(|(name, _)| *name).collect();
        let seed = self.options.seed;
        let valuations = sample(&self.problem.variables, &relevant, &file_constants, N_VALUATIONS, seed);
        self.jointly(component, &formulas, valuations)
    }

    fn grammar(&self, function: usize, formulas: &[Term], wanted: &[Value]) -> Grammar {
        let own = &self.problem.functions[function];
        let file = constants(formulas);
        let mut grammar = match own.has_grammar {
            true => own.grammar.clone(),
            false => logic::grammar(self.problem.logic, own, &file, &logic::divisors(self.problem, formulas)),
        };
        give_constants(&mut grammar, &file, wanted);
        grammar
    }

    fn pointwise(&mut self, mut spec: Pointwise<'_>, formulas: &[Term]) -> Result<Solution, Failure> {
        let problem = self.problem;
        let index = spec.function;
        let function = &problem.functions[index];
        let grammar = self.grammar_for(&spec);
        let mut hints = hints(problem, index, formulas);
        if !function.has_grammar {
            hints = simpler(&hints);
        }
        for fit in polynomial::fits(&spec, problem.logic.degree(), self.options.seed) {
            if !hints.contains(&fit) {
                hints.push(fit);
            }
        }
        hints.retain(|hint| !function.has_grammar || grammar.derived_from(hint).contains(&true));
        if is_weighted(&grammar) {
            hints.clear();
        }
        let (solver, options, is_late) = (RefCell::new(&mut *self.solver), self.options, self.is_late);
        let mut verify = |body: &Term, effort: Effort| {
            let limits = if effort == Effort::Full { options.solver } else { part(options.solver) };
            let bodies = bodies(problem, &[index], std::slice::from_ref(body));
            verify::verify(problem, &[index], &bodies, &mut solver.borrow_mut(), limits)
        };
        let mut choose = || {
            let own = choice::problem(problem, function).filter(|_| !is_weighted(&grammar))?;
            let limits = SearchLimits { max_candidates: CHOICE_PATIENCE, improve: 0, ..options.limits };
            match solve_charged(&own, &Options { limits, ..*options }, &mut solver.borrow_mut(), is_late) {
                Answer::Solved(solutions) => solutions.first().map(|found| choice::conditional(&own, &found.body)),
                _ => None,
            }
        };
        let mut judge = Judge { verify: &mut verify, is_late };
        strategies(&mut spec, &grammar, &hints, options.limits, &mut choose, &mut judge)
    }

    fn jointly(
        &mut self,
        component: &[usize],
        formulas: &[Term],
        valuations: Vec<Vec<i64>>,
    ) -> Result<Vec<Solution>, Failure> {
        let problem = self.problem;
        let grammars = component.iter().map(|&function| self.grammar(function, formulas, &[])).collect();
        let mut joint = Joint::new(problem, component, grammars, formulas, valuations.clone(), self.options.limits)?;
        let patience = if joint.takes_conjunctions() { CLAUSES_PATIENCE } else { JOINT_PATIENCE };
        let first = self.try_jointly(&mut joint, component, patience, u32::MAX);
        if !is_spent(&first) {
            return self.settled(joint, component, formulas, first);
        }
        let found = match self.conjoin(&mut joint, component, formulas)? {
            Some(body) => Some(vec![body]),
            None => {
                let limits = part(part(self.options.solver));
                let mut means = Means { solver: &mut *self.solver, limits, is_late: self.is_late };
                template::solve(problem, component, &valuations, &mut means)
            }
        };
        let Some(known) = found.filter(|bodies| joint.derive(bodies)) else {
            return self.try_jointly(&mut joint, component, Patience::ENDLESS, u32::MAX);
        };
        let known = joint.solutions(known);
        let below = known.iter().map(|solution| solution.cost).sum();
        let mut smaller = joint.afresh(formulas)?;
        self.try_jointly(&mut smaller, component, JOINT_IMPROVE, below).or(Ok(known))
    }

    /// The outcome of a search with what banks that have forgotten nothing say of cheaper bodies.
    fn settled(
        &mut self,
        mut joint: Joint<'_>,
        component: &[usize],
        formulas: &[Term],
        mut outcome: Result<Vec<Solution>, Failure>,
    ) -> Result<Vec<Solution>, Failure> {
        /// Searches that may be begun again; each begins with more valuations.
        const SEARCHES: usize = 8;
        for _ in 1..SEARCHES {
            let (patience, below) = match &outcome {
                Ok(known) if known.iter().any(|own| own.lower_bound < own.cost) => {
                    (JOINT_IMPROVE, known.iter().map(|own| own.cost).sum())
                }
                Err(Failure::Limit(stopped)) if stopped.limit == NO_FURTHER_TERMS => (Patience::ENDLESS, u32::MAX),
                _ => break,
            };
            if !joint.is_forgetful() || (self.is_late)() {
                break;
            }
            joint = joint.afresh(formulas)?;
            match (self.try_jointly(&mut joint, component, patience, below), &mut outcome) {
                (Err(Failure::Limit(_)), Ok(known)) if joint.refutes_below(below) => {
                    known.iter_mut().for_each(|own| own.lower_bound = own.cost);
                }
                (Err(_), Ok(_)) => {}
                (new, _) => outcome = new,
            }
        }
        outcome
    }

    /// A conjunction for the only function of a component.
    fn conjoin(
        &mut self,
        joint: &mut Joint<'_>,
        component: &[usize],
        formulas: &[Term],
    ) -> Result<Option<Term>, Failure> {
        let &[index] = component else { return Ok(None) };
        let (problem, solver, limits) = (self.problem, &mut *self.solver, part(self.options.solver));
        let mut verify =
            |own: &[Term]| verify::verify(problem, component, &bodies(problem, component, own), solver, limits);
        let mut judge =
            JointJudge { verify: &mut verify, is_late: self.is_late, patience: CONJUNCTION_PATIENCE, below: u32::MAX };
        joint.conjoin(&conditions(problem, index, formulas), &mut judge)
    }

    fn try_jointly(
        &mut self,
        joint: &mut Joint<'_>,
        component: &[usize],
        patience: Patience,
        below: u32,
    ) -> Result<Vec<Solution>, Failure> {
        let (problem, solver, limits) = (self.problem, &mut *self.solver, self.options.solver);
        let mut verify =
            |own: &[Term]| verify::verify(problem, component, &bodies(problem, component, own), solver, limits);
        joint.run(&mut JointJudge { verify: &mut verify, is_late: self.is_late, patience, below })
    }
}

fn is_spent<T>(outcome: &Result<T, Failure>) -> bool {
    matches!(outcome, Err(Failure::Limit(stopped)) if stopped.limit == "candidates")
}

/// Conditions over a function's parameters that formulas mention, and their negations, as far as the grammar has them.
fn conditions(problem: &Problem, index: usize, formulas: &[Term]) -> Vec<Term> {
    let function = &problem.functions[index];
    let expanded: Vec<Term> = formulas.iter().map(|formula| theory::expand(formula, &problem.language)).collect();
    let mut all = hints(problem, index, &expanded);
    all.retain(|term| dsl::sort_of(term, &problem.language, &function.params) == Ok(samples::Sort::Bool));
    all = all.into_iter().flat_map(|term| [theory::apply(Kernel::Not, vec![term.clone()]), term]).collect();
    if function.has_grammar {
        all.retain(|term| function.grammar.derives(term));
        return all;
    }
    simpler(&all)
}

/// Simple forms of terms, each once, those that are no variables or constants.
fn simpler(terms: &[Term]) -> Vec<Term> {
    let mut out: Vec<Term> = Vec::new();
    for new in terms.iter().map(simple).filter(|new| matches!(new.node(), Node::App(..))) {
        if !out.contains(&new) {
            out.push(new);
        }
    }
    out
}

/// A twentieth of the solver's resources.
fn part(limits: smt::Limits) -> smt::Limits {
    smt::Limits { resources: limits.resources / 20, ..limits }
}

/// Work after which shapes with holes are tried, and before that conjunctions where they may be learned.
const JOINT_PATIENCE: Patience = Patience { checks: 100_000, ..Patience::ENDLESS };
const CLAUSES_PATIENCE: Patience = Patience { checks: 30_000, candidates: 100_000, questions: 60 };
/// Work for conjunctions.
const CONJUNCTION_PATIENCE: Patience = Patience { candidates: 300_000, ..Patience::ENDLESS };
/// Work for a smaller solution than these.
const JOINT_IMPROVE: Patience = Patience { checks: 1_000_000, candidates: 1_000_000, questions: 300 };

/// Candidates for building a choice, fewer than [`PATIENCE`]: that needs none itself.
const CHOICE_PATIENCE: u64 = 1_000_000;

/// Candidates for a smaller solution than one with a choice that was built.
const CHOICE_IMPROVE: u64 = 3 * PATIENCE;

/// Candidates after which choices are built, and parts of the grammar are searched by themselves.
const PATIENCE: u64 = 3_000_000;

/// The search with the whole grammar; where that takes long, with a choice that the grammar can build, or parts of it, whose
/// banks reach further, for a first solution that the whole then makes smaller.
fn strategies(
    spec: &mut Pointwise<'_>,
    grammar: &Grammar,
    hints: &[Term],
    limits: SearchLimits,
    choose: &mut dyn FnMut() -> Option<Conditional>,
    judge: &mut Judge<'_>,
) -> Result<Solution, Failure> {
    let failed = |error: BankError| Failure::limit(error.to_string());
    let priced = |terms: &[Term]| terms.iter().map(|term| (term.clone(), theory::nodes(term) as u32)).collect();
    let mut known: Vec<(Term, u32)> = priced(hints);
    let first = SearchLimits { max_candidates: limits.max_candidates.min(PATIENCE), ..limits };
    let outcome = Search::new(spec, grammar, hints, first).map_err(failed)?.run(&known, judge);
    let is_minimal = matches!(&outcome, Ok(solution) if solution.lower_bound == solution.cost);
    let is_infeasible = matches!(&outcome, Err(Failure::Infeasible(_)));
    if !is_minimal
        && !is_infeasible
        && let Some(closed) = closed(spec, grammar, judge)
    {
        return closed;
    }
    if !is_spent(&outcome) || limits.max_candidates <= PATIENCE {
        return outcome;
    }
    let own = SearchLimits { max_candidates: PATIENCE, improve: 0, ..limits };
    let choice = choose();
    let (others, helpful) = match choice {
        Some(_) => (vec![grammar.clone()], hints),
        None => (parts(grammar), &[][..]),
    };
    for other in &others {
        let mut search = Search::new(spec, other, helpful, own).map_err(failed)?.with_choice(choice.clone());
        if let Ok(solution) = search.run(&[], judge) {
            known.push((solution.body, solution.cost));
            break;
        }
    }
    // Trees over a choice repeat its arguments: there may well be a much smaller solution.
    let improve = if choice.is_some() { limits.improve.saturating_add(CHOICE_IMPROVE) } else { limits.improve };
    let limits = SearchLimits { improve, ..limits };
    let last = Search::new(spec, grammar, hints, limits).map_err(failed)?.with_choice(choice).run(&known, judge);
    match (last, outcome) {
        // What the first search showed stays known, however early the last one ended.
        (Err(Failure::Limit(last)), Err(Failure::Limit(first))) if first.lower_bound > last.lower_bound => {
            Err(Failure::Limit(Stopped { limit: last.limit, ..first }))
        }
        (last, _) => last,
    }
}

/// A smallest body from all functions that a Boolean grammar has on few points; `None` where there are too many points,
/// other sorts, or no time.
fn closed(spec: &Pointwise<'_>, grammar: &Grammar, judge: &mut Judge<'_>) -> Option<Result<Solution, Failure>> {
    let function = &spec.problem.functions[spec.function];
    let n = spec.n_points();
    let variables = function.bindings(&spec.columns, n);
    let language = &spec.problem.language;
    let closure = Closure::new(language, grammar, &variables, &ClosureLimits::new(), judge.is_late).ok()?;
    let is_right = |table: u16| (0..n).all(|point| spec.accept[point].contains(i64::from(table >> point & 1)));
    let (n_candidates, n_points) = (closure.n_candidates(), n);
    let Some((cost, body)) = closure.cheapest(NonterminalId(0), is_right) else {
        let reason = format!("no term of the grammar is right at {n} inputs");
        return closure.is_complete().then_some(Err(Failure::Infeasible(reason)));
    };
    // The points may not be all inputs: then the solver has the last word.
    let scope = function.bound_scope(grammar);
    let is_proved = matches!((judge.verify)(&body, Effort::Full), Verification::Valid);
    is_proved.then_some(Ok(Solution { body, cost, lower_bound: cost, scope, n_candidates, n_points }))
}

/// The grammar without one of its functions, for each of them, as long as the start still derives something.
fn parts(grammar: &Grammar) -> Vec<Grammar> {
    let mut funcs: Vec<Func> = Vec::new();
    for production in grammar.nonterminals.iter().flat_map(|own| &own.productions) {
        if let Production::Apply { func, .. } = production
            && !funcs.contains(func)
        {
            funcs.push(func.clone());
        }
    }
    let without = |func: &Func| {
        let mut part = grammar.clone();
        for own in &mut part.nonterminals {
            own.productions.retain(|p| !matches!(p, Production::Apply { func: own, .. } if own == func));
        }
        part
    };
    let parts = funcs.iter().map(without);
    parts.filter(|part| part.productive().first().copied().unwrap_or(false)).collect()
}

/// Leaves for `(Constant S)`: constants of the file and values wanted, small numbers, and the negatives of all these.
fn give_constants(grammar: &mut Grammar, file: &[Value], wanted: &[Value]) {
    for own in &mut grammar.nonterminals {
        let sort = own.sort;
        let is_open = own.productions.iter().any(|production| matches!(production, Production::AnyConstant { .. }));
        if !is_open {
            continue;
        }
        let small = (-2..=16).map(Value::Int);
        let all = [Value::Bool(false), Value::Bool(true)].into_iter().chain(small);
        let given = || file.iter().chain(wanted).copied();
        let negative = |value| match value {
            Value::Int(number) => number.checked_neg().map(Value::Int),
            _ => None,
        };
        for value in all.chain(given()).chain(given().filter_map(negative)) {
            let leaf = Production::Leaf { term: Term::constant(value), cost: 1 };
            if value.sort() == Some(sort) && !own.productions.contains(&leaf) {
                own.productions.push(leaf);
            }
        }
    }
}

/// A body for every function: those of a component, anything for the others.
pub(crate) fn bodies(problem: &Problem, component: &[usize], own: &[Term]) -> Vec<Term> {
    let body = |function: usize| match component.iter().position(|&known| known == function) {
        Some(slot) => own[slot].clone(),
        None => placeholder(problem, function),
    };
    (0..problem.functions.len()).map(body).collect()
}

/// Any term of a function's sort, for constraints that do not mention it.
pub(crate) fn placeholder(problem: &Problem, index: usize) -> Term {
    Term::constant(match problem.functions[index].sort {
        samples::Sort::Bool => Value::Bool(false),
        samples::Sort::BitVec(width) => Value::bit_vec(width, 0),
        _ => Value::Int(0),
    })
}

impl Solution {
    /// `(define-fun ...)` of the function that this solves.
    pub fn definition(&self, problem: &Problem, function: usize) -> String {
        verify::definition(problem, function, &self.body)
    }

    /// What is known of cheaper solutions, in words.
    pub fn bound(&self) -> String {
        let known = if self.lower_bound == self.cost { "minimal" } else { "not known to be minimal" };
        let among = self.scope.among();
        format!("{known}: no solution{among} costs less than {}", self.lower_bound)
    }

    /// Nodes of the body of a function as [`Solution::definition`] writes it: every operator, variable and literal is one.
    pub fn nodes(&self, problem: &Problem, function: usize) -> usize {
        verify::written_nodes(problem, function, &self.body)
    }
}

/// The answer as SyGuS-IF prints it: comments, then `define-fun`s, or `infeasible`, or `fail`.
pub fn print(problem: &Problem, answer: &Answer) -> String {
    match answer {
        Answer::Infeasible(reason) => format!("; {reason}\ninfeasible\n"),
        Answer::Fail(unsolved) => {
            let bound = unsolved.bound(problem).map_or_else(String::new, |bound| format!("; {bound}"));
            format!("; stopped by: {}{bound}\nfail\n", unsolved.limit)
        }
        Answer::Solved(solutions) => {
            let mut out = String::new();
            for (index, solution) in solutions.iter().enumerate() {
                let function = &problem.functions[index];
                let weights = (0..problem.weights.len()).filter(|&attribute| function.has_weight(attribute));
                let weights = weights.map(|attribute| {
                    let weight = function.weight(attribute, &solution.body).unwrap_or_default();
                    format!("{} {weight}, ", problem.weights[attribute])
                });
                out.push_str(&format!(
                    "; {}: proved for all inputs; {} nodes, {}cost {}, {}\n",
                    function.name,
                    solution.nodes(problem, index),
                    weights.collect::<String>(),
                    solution.cost,
                    solution.bound(),
                ));
            }
            out.push_str("(\n");
            if let Some(objective) = &problem.objective {
                let bodies = written(solutions);
                let values = objective.terms.iter().map(|sum| problem.value(sum, &bodies).unwrap_or_default());
                let values = values.map(|value| theory::literal(Value::Int(value)));
                out.push_str(&format!("({})\n", values.collect::<Vec<_>>().join(" ")));
            }
            for (index, solution) in solutions.iter().enumerate() {
                out.push_str(&solution.definition(problem, index));
                out.push('\n');
            }
            out.push_str(")\n");
            out
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The greatest of three, with nothing but sums and a partial choice.
    const GREATEST: &str = "(set-logic LIA)
        (define-fun qm ((a Int) (b Int)) Int (ite (< a 0) b a))
        (synth-fun f ((x Int) (y Int) (z Int)) Int ((S Int)) ((S Int (x y z 0 1 (- S S) (+ S S) (qm S S)))))
        (declare-var x Int) (declare-var y Int) (declare-var z Int)
        (constraint (= (f x y z) (ite (and (>= x y) (>= x z)) x (ite (>= y z) y z))))
        (check-synth)";

    /// The parity of five, with no gates but these.
    const PARITY: &str = "(set-logic LIA)
        (synth-fun f ((a Bool) (b Bool) (c Bool) (d Bool) (e Bool)) Bool
            ((S Bool)) ((S Bool (a b c d e (and S S) (or S S) (not S)))))
        (declare-var a Bool) (declare-var b Bool) (declare-var c Bool) (declare-var d Bool) (declare-var e Bool)
        (constraint (= (f a b c d e) (xor a (xor b (xor c (xor d e))))))
        (check-synth)";

    #[test]
    fn trees_have_a_choice_that_the_grammar_can_build() {
        check_choice(GREATEST);
        check_choice(PARITY);
    }

    /// A few candidates are enough with a choice, and not without.
    #[track_caller]
    fn check_choice(text: &str) {
        let problem = Problem::parse("case.sl", text).expect("well-formed");
        let options = Options::new(0);
        let mut solver = Solver::in_one_context();
        let own = choice::problem(&problem, &problem.functions[0]).expect("there is no choice by itself");
        let Answer::Solved(found) = solve_charged(&own, &options, &mut solver, &|| false) else { panic!("solved") };
        let choice = choice::conditional(&own, &found[0].body);
        assert!(choice.is_whole());
        let mut session = Session { problem: &problem, options: &options, solver: &mut solver, is_late: &|| false };
        let mut spec = session.spec().expect("one application");
        let grammar = session.grammar_for(&spec);
        let mut verify = |body: &Term, _| session.verify_one(body);
        let mut judge = Judge { verify: &mut verify, is_late: &|| false };
        let limits = SearchLimits { max_candidates: 20_000, ..options.limits };
        let mut solve = |choice| {
            Search::new(&mut spec, &grammar, &[], limits).expect("small").with_choice(choice).run(&[], &mut judge)
        };
        let solution = solve(Some(choice)).expect("a tree is found");
        assert!(grammar.derives(&solution.body));
        assert_eq!(solution.cost as usize, theory::nodes(&solution.body), "arguments that stand twice cost twice");
        assert!(solve(None).is_err(), "no term of that size is right");
    }

    #[test]
    fn a_grammar_with_a_choice_is_asked_for_no_other() {
        let text = GREATEST.replace("(qm S S)", "(qm S S) (ite (<= S S) S S)");
        let problem = Problem::parse("case.sl", &text).expect("well-formed");
        assert!(choice::problem(&problem, &problem.functions[0]).is_none());
    }
}
