//! More than one answer: all smallest solutions, and the best fit of every size.

use dsl::{Grammar, NonterminalId, Term};
use synth::{BankConfig, Found, Limits, Question, Ruling};

use crate::problem::Problem;
use crate::search::Solution;
use crate::solve::{Options, Session};
use crate::spec::Pointwise;
use crate::verify::{Verification, definition};

/// What a problem's function may be: verified solutions of least cost, and terms that are right at some of the points.
pub type Listing = synth::Listing<()>;

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
    let session = Session { problem, options, solver, is_late };
    let spec =
        session.spec().ok_or("only problems with one function, applied at one point in each constraint, are listed")?;
    let grammar = session.grammar_for(&spec);
    let mut bodies = Bodies { session, spec, grammar };
    let limits = Limits {
        max_cost: solution.cost,
        max_classes: options.limits.max_classes,
        max_candidates: options.limits.max_candidates,
        max_bytes: options.limits.max_bytes,
    };
    let known = (solution.body.clone(), ());
    let mut listing =
        synth::list(&problem.language, &mut bodies, known, &limits, is_late).map_err(|error| error.to_string())?;
    if listing.cheapest_undefined.is_some() {
        listing.stopped_by("values beyond 64 bits, or divisions by zero");
    }
    Ok(listing)
}

/// The bodies of the only function of a problem.
struct Bodies<'a, 'p> {
    session: Session<'a, 'p>,
    spec: Pointwise<'p>,
    grammar: Grammar,
}

impl Question for Bodies<'_, '_> {
    type Evidence = ();

    fn bank(&self) -> BankConfig {
        let function = &self.session.problem.functions[0];
        let variables = function.bindings(&self.spec.columns, self.spec.n_points().max(1));
        BankConfig::from_grammar(self.grammar.clone(), variables)
    }

    fn n_points(&self) -> usize {
        self.spec.n_points()
    }

    fn is_whole(&self, found: &Found<'_>) -> bool {
        found.nonterminal == NonterminalId(0)
    }

    fn is_right(&self, point: usize, code: i64) -> bool {
        self.spec.accept.get(point).is_some_and(|accept| accept.contains(code))
    }

    fn judge(&mut self, body: &Term) -> Ruling<()> {
        match self.session.verify_one(body) {
            Verification::Valid => Ruling::Right(()),
            Verification::Unknown(reason) => Ruling::Unknown(reason),
            Verification::Counterexample(valuation) => match self.spec.add(&[valuation]) {
                Some(changed) if !changed.is_empty() => Ruling::Refined,
                _ => Ruling::Wrong,
            },
        }
    }
}

/// All smallest solutions as SyGuS-IF prints answers, one after the other.
pub fn print_all(problem: &Problem, solution: &Solution, listing: &Listing) -> String {
    let (n, cost) = (listing.solutions.len(), listing.cost);
    // A listing without gaps has seen all that is cheaper.
    let lower_bound = if listing.complete.is_ok() { cost } else { solution.lower_bound };
    let bound = Solution { cost, lower_bound, ..solution.clone() }.bound();
    let known = listing.completeness(solution.scope);
    let mut out = format!("; {n} of cost {cost}, each proved for all inputs; {known}; {bound}\n");
    for (body, ()) in &listing.solutions {
        out.push_str(&format!("(\n{}\n)\n", definition(problem, 0, body)));
    }
    out
}

/// The front of size and fit, smallest term first.
pub fn print_front(problem: &Problem, listing: &Listing) -> String {
    let block = |fit: &synth::Fit| {
        let definition = definition(problem, 0, &fit.term);
        format!("; cost {}: right at {} of {} inputs\n(\n{definition}\n)\n", fit.cost, fit.right, listing.n_points)
    };
    listing.front.iter().map(block).collect()
}
