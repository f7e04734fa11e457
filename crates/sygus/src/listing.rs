//! More than one answer: all smallest solutions, and the best fit of every size.

use dsl::{NonterminalId, Term};
use synth::{Bank, BankConfig, ClassId, Limits, StopReason, Watch};

use crate::problem::Problem;
use crate::search::Solution;
use crate::solve::{Options, Session};
use crate::spec::Pointwise;
use crate::verify::Verification;

/// Solutions that are listed, at most.
const SOLUTION_LIMIT: usize = 200;
/// Candidates between two looks at the clock.
const SLICE: u64 = 200_000;
/// Alternatives of a class that are kept, so that terms are not lost.
const ALTERNATIVES: u8 = 100;

/// What a problem's function may be.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Verified solutions of least cost.
    pub solutions: Vec<Solution>,
    /// Whether there are no others of that cost, mirror images aside: else the limit that kept them away.
    pub complete: Result<(), String>,
    /// For every cost at which more inputs can be served than below it: a term that is right at most inputs.
    pub front: Vec<Fit>,
    /// Inputs that terms were held against.
    pub n_points: usize,
}

/// How well a term fits.
#[derive(Clone, Debug)]
pub struct Fit {
    /// The term.
    pub body: Term,
    /// Its cost.
    pub cost: u32,
    /// Inputs at which it is right.
    pub right: usize,
}

impl Fit {
    /// `(define-fun ...)` of the problem's function with the term as its body.
    pub fn definition(&self, problem: &Problem) -> String {
        crate::verify::definition(problem, 0, &self.body)
    }
}

/// Lists the solutions of a problem that [`crate::solve`] solved.
///
/// # Errors
/// A reason where the problem has several functions, or constraints that apply one at several points at once.
pub fn list(
    problem: &Problem,
    solution: &Solution,
    options: &Options,
    solver: &mut smt::Solver,
    is_late: &dyn Fn() -> bool,
) -> Result<Listing, String> {
    if problem.targets().len() > 1 {
        return Err("only problems with one objective are listed".to_owned());
    }
    let mut session = Session { problem, options, solver, is_late };
    let spec =
        session.spec().ok_or("only problems with one function, applied at one point in each constraint, are listed")?;
    let grammar = session.grammar_for(&spec);
    let variables = problem.functions[0].bindings(&spec.columns, spec.n_points().max(1));
    let config = BankConfig { alternatives: ALTERNATIVES, ..BankConfig::from_grammar(grammar, variables) };
    let mut bank = Bank::new(&problem.language, &config).map_err(|error| error.to_string())?;
    let mut found = Found { spec: &spec, best: 0, front: Vec::new(), right: Vec::new() };
    let mut complete = found.fill(&mut bank, solution.cost, options, is_late);
    if bank.cheapest_undefined().is_some() {
        complete = complete.and(Err("values beyond 64 bits, or divisions by zero".to_owned()));
    }
    let front = found.front.iter().map(|&(id, cost, right)| Fit { body: bank.term(id), cost, right }).collect();
    let mut solutions: Vec<Solution> = Vec::new();
    for &id in &found.right {
        let cost = bank.cost(id);
        if solutions.first().is_some_and(|first| first.cost < cost) {
            break;
        }
        let (bodies, are_all) = bank.terms(id, SOLUTION_LIMIT);
        if !are_all {
            complete = complete.and(Err("terms of one class".to_owned()));
        }
        for body in bodies {
            match session.verify_one(&body) {
                Verification::Valid => solutions.push(Solution { body, cost, ..solution.clone() }),
                Verification::Counterexample(_) => {}
                Verification::Unknown(reason) => complete = complete.and(Err(format!("the solver: {reason}"))),
            }
            if is_late() {
                complete = complete.and(Err("time".to_owned()));
                break;
            }
        }
    }
    if solutions.is_empty() {
        solutions.push(solution.clone());
        complete = complete.and(Err("terms that the bank does not reach".to_owned()));
    }
    Ok(Listing { solutions, complete, front, n_points: spec.n_points() })
}

/// What a bank shows as it fills.
struct Found<'a, 'p> {
    spec: &'a Pointwise<'p>,
    best: usize,
    front: Vec<(ClassId, u32, usize)>,
    /// Classes that are right at all points, cheapest first.
    right: Vec<ClassId>,
}

impl Found<'_, '_> {
    /// Fills a bank up to a cost; the limit that fired.
    fn fill(
        &mut self,
        bank: &mut Bank<'_>,
        max_cost: u32,
        options: &Options,
        is_late: &dyn Fn() -> bool,
    ) -> Result<(), String> {
        let most = options.limits.max_candidates;
        loop {
            let limits = Limits {
                max_cost,
                max_classes: options.limits.max_classes,
                max_candidates: most.min(bank.n_candidates() + SLICE),
                max_bytes: options.limits.max_bytes,
            };
            let reason = bank.run(&limits, &mut |found| {
                if found.nonterminal == NonterminalId(0) {
                    self.see(found.id, found.cost, &found.codes);
                }
                Watch::Keep
            });
            match reason {
                StopReason::Cost | StopReason::Closed => return Ok(()),
                StopReason::Candidates if bank.n_candidates() < most => {}
                other => return Err(other.to_string()),
            }
            if is_late() {
                return Err("time".to_owned());
            }
        }
    }

    fn see(&mut self, id: ClassId, cost: u32, codes: &[i64]) {
        let right = self.spec.accept.iter().zip(codes).filter(|(accept, code)| accept.contains(**code)).count();
        if right > self.best {
            self.best = right;
            self.front.retain(|&(_, known, _)| known < cost);
            self.front.push((id, cost, right));
        }
        if right == self.spec.n_points() {
            self.right.push(id);
        }
    }
}

/// All smallest solutions as SyGuS-IF prints answers, one after the other.
pub fn print_all(problem: &Problem, listing: &Listing) -> String {
    let cost = listing.solutions.first().map_or(0, |solution| solution.cost);
    let known = match &listing.complete {
        Ok(()) => "no others of that cost, mirror images aside".to_owned(),
        Err(limit) => format!("there may be others; stopped by: {limit}"),
    };
    let mut out = format!("; {} of cost {cost}, each proved for all inputs; {known}\n", listing.solutions.len());
    for solution in &listing.solutions {
        out.push_str(&format!("(\n{}\n)\n", solution.definition(problem, 0)));
    }
    out
}

/// The front of size and fit, smallest term first.
pub fn print_front(problem: &Problem, listing: &Listing) -> String {
    let block = |fit: &Fit| {
        let definition = fit.definition(problem);
        format!("; cost {}: right at {} of {} inputs\n(\n{definition}\n)\n", fit.cost, fit.right, listing.n_points)
    };
    listing.front.iter().map(block).collect()
}
