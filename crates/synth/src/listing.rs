//! More than one answer: all right terms of least cost, and the best fit of every cost.

use dsl::{Language, Term};

use crate::bank::{Bank, BankConfig, BankError, ClassId, Found, Limits, StopReason, Watch};
use crate::find::BoundScope;

/// Terms that are listed as right, at most.
pub const MOST_LISTED: usize = 200;
/// Alternatives of a class that are kept, so that terms are not lost.
const ALTERNATIVES: u8 = 100;
/// Times that listing begins, each with more inputs.
const PASSES: usize = 8;

/// What terms are listed for.
pub trait Question {
    /// What is known of a term that is right.
    type Evidence;

    /// What to enumerate, with columns of the inputs looked at.
    fn bank(&self) -> BankConfig;

    /// Inputs looked at.
    fn n_points(&self) -> usize;

    /// Whether a class is one of whole terms.
    fn is_whole(&self, found: &Found<'_>) -> bool;

    /// Whether a value is right at an input.
    fn is_right(&self, point: usize, code: i64) -> bool;

    /// Whether a term that is right at all inputs looked at is right at all that there are.
    fn judge(&mut self, term: &Term) -> Ruling<Self::Evidence>;
}

/// What a [`Question`] says of a term.
#[derive(Clone, PartialEq, Debug)]
pub enum Ruling<E> {
    /// It is right.
    Right(E),
    /// It is wrong at an input that is looked at from now on.
    Refined,
    /// It is wrong.
    Wrong,
    /// That is not known, for this reason.
    Unknown(String),
}

/// What there is beside one solution.
#[derive(Clone, PartialEq, Debug)]
pub struct Listing<E> {
    /// Right terms of the least cost that has any, at most [`MOST_LISTED`], and what is known of each.
    pub solutions: Vec<(Term, E)>,
    /// What each of them costs.
    pub cost: u32,
    /// Whether there are no others of that cost, and none cheaper, mirror images aside: else the limit that kept them away.
    pub complete: Result<(), String>,
    /// For every cost at which more inputs can be served than below it: a term that is right at most inputs.
    pub front: Vec<Fit>,
    /// Inputs that the front was held against.
    pub n_points: usize,
    /// The least cost of a term that has no value at some input.
    pub cheapest_undefined: Option<u32>,
}

/// How well a term fits.
#[derive(Clone, PartialEq, Debug)]
pub struct Fit {
    /// The term.
    pub term: Term,
    /// Its cost.
    pub cost: u32,
    /// Inputs at which it is right.
    pub right: usize,
}

impl<E> Listing<E> {
    /// Whether there are others, in words, of a search among some terms.
    pub fn completeness(&self, scope: BoundScope) -> String {
        match &self.complete {
            Ok(()) => format!("no others of that cost{}, mirror images aside", scope.among()),
            Err(limit) => format!("there may be others; stopped by: {limit}"),
        }
    }

    /// Notes a limit that may have kept others away; the first one counts.
    pub fn stopped_by(&mut self, limit: &str) {
        if self.complete.is_ok() {
            self.complete = Err(limit.to_owned());
        }
    }
}

/// Lists what answers a question as well as a known solution, which costs `limits.max_cost`: everything up to that cost is
/// enumerated. `is_late` says when time is up.
///
/// # Errors
/// As [`Bank::new`].
pub fn list<Q: Question>(
    language: &Language,
    question: &mut Q,
    known: (Term, Q::Evidence),
    limits: &Limits,
    is_late: &dyn Fn() -> bool,
) -> Result<Listing<Q::Evidence>, BankError> {
    let mut passes_left = PASSES;
    loop {
        passes_left -= 1;
        let mut pass = Pass::run(language, question, limits, is_late)?;
        let begins_again = pass.judge(question, passes_left > 0, is_late);
        if begins_again && !is_late() {
            continue;
        }
        let mut listing = pass.listing;
        if begins_again {
            listing.stopped_by("time");
        }
        if listing.solutions.is_empty() {
            listing.solutions.push(known);
            listing.cost = limits.max_cost;
            listing.stopped_by("terms that the bank does not reach");
        }
        return Ok(listing);
    }
}

/// One filled bank.
struct Pass<'l, E> {
    bank: Bank<'l>,
    /// Classes that are right at all inputs looked at, cheapest first.
    right: Vec<ClassId>,
    listing: Listing<E>,
}

impl<'l, E> Pass<'l, E> {
    fn run<Q: Question<Evidence = E>>(
        language: &'l Language,
        question: &Q,
        limits: &Limits,
        is_late: &dyn Fn() -> bool,
    ) -> Result<Self, BankError> {
        let mut bank = Bank::new(language, &BankConfig { alternatives: ALTERNATIVES, ..question.bank() })?;
        let n_points = question.n_points();
        let (mut front, mut right): (Vec<(ClassId, u32, usize)>, _) = (Vec::new(), Vec::new());
        let reason = bank.run_until(limits, is_late, &mut |found| {
            if !question.is_whole(found) {
                return Watch::Keep;
            }
            let n_right =
                found.codes.iter().enumerate().filter(|&(point, &code)| question.is_right(point, code)).count();
            if front.last().is_none_or(|&(_, _, best)| n_right > best) && n_right > 0 {
                front.retain(|&(_, known, _)| known < found.cost);
                front.push((found.id, found.cost, n_right));
            }
            if n_right == n_points {
                right.push(found.id);
            }
            Watch::Keep
        });
        let complete = match reason {
            StopReason::Cost | StopReason::Closed => Ok(()),
            other => Err(other.to_string()),
        };
        let front = front.iter().map(|&(id, cost, right)| Fit { term: bank.term(id), cost, right }).collect();
        let cheapest_undefined = bank.cheapest_undefined();
        let listing = Listing { solutions: Vec::new(), cost: 0, complete, front, n_points, cheapest_undefined };
        Ok(Self { bank, right, listing })
    }

    /// Lists the cheapest terms that are right everywhere; whether that is to begin again with more inputs, if it may.
    fn judge<Q: Question<Evidence = E>>(
        &mut self,
        question: &mut Q,
        may_begin_again: bool,
        is_late: &dyn Fn() -> bool,
    ) -> bool {
        let Self { bank, right, listing } = self;
        for &id in right.iter() {
            if !listing.solutions.is_empty() && listing.cost < bank.cost(id) {
                break;
            }
            let (terms, are_all) = bank.terms(id, MOST_LISTED - listing.solutions.len());
            for term in terms {
                if is_late() {
                    listing.stopped_by("time");
                    return false;
                }
                match question.judge(&term) {
                    Ruling::Right(evidence) => {
                        listing.cost = bank.cost(id);
                        listing.solutions.push((term, evidence));
                    }
                    Ruling::Refined if may_begin_again => return true,
                    // A costlier term of its class may be right.
                    Ruling::Refined | Ruling::Wrong => listing.stopped_by("inputs that tell too few terms apart"),
                    Ruling::Unknown(reason) => listing.stopped_by(&format!("the solver: {reason}")),
                }
            }
            if !are_all {
                let is_full = listing.solutions.len() == MOST_LISTED;
                listing.stopped_by(&if is_full {
                    format!("{MOST_LISTED} listed")
                } else {
                    "terms of one class".to_owned()
                });
            }
        }
        false
    }
}
