//! The solver: Z3 behind SMT-LIB text, with a cache in front.

use std::sync::mpsc::{Receiver, Sender, channel};

use rustc_hash::FxHashMap;

use crate::Model;

/// How much work a question may cost.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Limits {
    /// Z3's resource units: deterministic, some millions a second. A first attempt of at most 10,000 units is not counted.
    pub resources: u32,
    /// A limit of time for each attempt in milliseconds, if one must be kept; the answer then depends on the machine.
    pub timeout_ms: Option<u32>,
}

/// What the solver found out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Nothing satisfies the assertions.
    Unsat,
    /// These values do.
    Sat(Model),
    /// Neither was shown; the solver's reason, such as a limit that fired.
    Unknown(String),
}

/// Whether a formula holds for all values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Validity {
    /// It does.
    Valid,
    /// It fails for these values.
    Counterexample(Model),
    /// Neither was shown; the solver's reason.
    Unknown(String),
}

/// Why a question could not be asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// The solver did not accept the text as SMT-LIB.
    #[error("the solver rejects the SMT-LIB text `{text}`")]
    Rejected {
        /// The text, shortened.
        text: String,
    },
}

/// The name of the constant asserted with every question: without it, text that does not parse would look like a
/// question without assertions, which is satisfiable.
const SENTINEL: &str = "ventris-sentinel";

/// A solver with a cache of its answers.
#[derive(Debug, Default)]
pub struct Solver {
    cache: FxHashMap<(String, Limits), Answer>,
    n_asked: usize,
    /// Where questions share a context.
    shared: Option<Worker>,
}

impl Solver {
    /// A solver with an empty cache, which asks every question in a context of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// A solver that asks all questions in one context. Making a context costs more than most questions; but what the
    /// limits allow may depend on the questions asked before, so the order of questions must be the same in every run.
    pub fn in_one_context() -> Self {
        Self { shared: Some(Worker::new()), ..Self::default() }
    }

    /// The number of questions that the cache did not answer.
    pub fn n_asked(&self) -> usize {
        self.n_asked
    }

    /// Whether the assertions in `text` (SMT-LIB declarations, definitions and `assert`s, no `check-sat`) can be satisfied.
    ///
    /// # Errors
    /// [`Error::Rejected`] when the text does not parse or does not type.
    pub fn check_sat(&mut self, text: &str, limits: Limits) -> Result<Answer, Error> {
        let key = (text.to_owned(), limits);
        if let Some(answer) = self.cache.get(&key) {
            return Ok(answer.clone());
        }
        let answer = match &self.shared {
            Some(worker) => ask(worker, text, limits)?,
            None => ask(&Worker::new(), text, limits)?,
        };
        self.n_asked += 1;
        self.cache.insert(key, answer.clone());
        Ok(answer)
    }

    /// Whether `formula` holds for all values of the constants that `declarations` declare (and constrain).
    ///
    /// # Errors
    /// As [`Solver::check_sat`].
    pub fn valid(&mut self, declarations: &str, formula: &str, limits: Limits) -> Result<Validity, Error> {
        Ok(match self.check_sat(&format!("{declarations}\n(assert (not {formula}))"), limits)? {
            Answer::Unsat => Validity::Valid,
            Answer::Sat(model) => Validity::Counterexample(model),
            Answer::Unknown(reason) => Validity::Unknown(reason),
        })
    }
}

/// A thread that answers questions. Z3's contexts belong to threads, each made when its thread first uses it: a thread is
/// a context. (Replacing a thread's context would make two.)
#[derive(Debug)]
struct Worker {
    questions: Sender<(String, Limits)>,
    answers: Receiver<Option<Answer>>,
}

impl Worker {
    fn new() -> Self {
        let (questions, inbox) = channel::<(String, Limits)>();
        let (outbox, answers) = channel();
        std::thread::spawn(move || {
            // Ends when either side is gone.
            while let Ok((source, limits)) = inbox.recv() {
                if outbox.send(ask_here(source, limits)).is_err() {
                    return;
                }
            }
        });
        Self { questions, answers }
    }
}

fn ask(worker: &Worker, text: &str, limits: Limits) -> Result<Answer, Error> {
    let rejected = || Error::Rejected { text: text.chars().take(400).collect() };
    if text.contains('\0') {
        return Err(rejected());
    }
    // The sentinel comes first, so that text which closes too many parentheses cannot hide behind it.
    let source = format!("(declare-const |{SENTINEL}| Bool) (assert |{SENTINEL}|)\n{text}\n");
    let answer = worker.questions.send((source, limits)).ok().and_then(|()| worker.answers.recv().ok());
    // A thread that is gone has answered nothing.
    answer.unwrap_or_else(|| Some(Answer::Unknown("the solver's thread ended".to_owned()))).ok_or_else(rejected)
}

/// Resource units for the first attempt at a question, by Z3's general solver alone: most questions here need less, and
/// setting up the strategies that Z3 tries by default costs more than answering them.
const QUICK: u32 = 10_000;

/// Where these stand there is no such attempt: with products and remainders of unknowns the general solver may compute with ever
/// greater numbers for minutes (the units do not count their digits), while the default strategies notice.
const NONLINEAR: [&str; 3] = ["(* ", "(div ", "(mod "];

/// Asks in this thread's context; `None` where the text is rejected.
fn ask_here(source: String, limits: Limits) -> Option<Answer> {
    if !NONLINEAR.iter().any(|operator| source.contains(operator)) {
        let quick = z3::Tactic::new("smt").solver();
        match check(&quick, source.clone(), Limits { resources: limits.resources.min(QUICK), ..limits })? {
            Answer::Unknown(_) => {}
            answer => return Some(answer),
        }
    }
    check(&z3::Solver::new(), source, limits)
}

/// Asks `solver`, which has no assertions yet; `None` where the text is rejected.
fn check(solver: &z3::Solver, source: String, limits: Limits) -> Option<Answer> {
    let mut params = z3::Params::new();
    params.set_u32("rlimit", limits.resources);
    if let Some(timeout) = limits.timeout_ms {
        params.set_u32("timeout", timeout);
    }
    solver.set_params(&params);
    solver.from_string(source);
    if solver.get_assertions().is_empty() {
        return None;
    }
    Some(match solver.check() {
        z3::SatResult::Unsat => Answer::Unsat,
        z3::SatResult::Sat => match solver.get_model() {
            Some(model) => Answer::Sat(Model::parse(&model.to_string(), SENTINEL)),
            None => Answer::Unknown("no model".to_owned()),
        },
        z3::SatResult::Unknown => Answer::Unknown(solver.get_reason_unknown().unwrap_or_default()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { resources: 1_000_000, timeout_ms: None };

    #[test]
    fn distinguishes_the_three_answers() {
        let mut solver = Solver::new();
        let unsat = solver.check_sat("(declare-const a Int) (assert (and (> a 0) (< a 1)))", LIMITS).unwrap();
        assert_eq!(unsat, Answer::Unsat);
        let sat = solver.check_sat("(declare-const a Int) (assert (and (> a 0) (< a 2)))", LIMITS).unwrap();
        let Answer::Sat(model) = sat else { panic!("{sat:?}") };
        assert_eq!(model.int("a"), Some(1));
        // Fermat for cubes: out of reach, so the resource limit must fire.
        let hard =
            "(declare-const a Int) (declare-const b Int) (declare-const c Int) (assert (and (> a 0) (> b 0) (> c 0)
                    (= (+ (* a a a) (* b b b)) (* c c c))))";
        let unknown = solver.check_sat(hard, Limits { resources: 20_000, timeout_ms: None }).unwrap();
        assert!(matches!(unknown, Answer::Unknown(_)), "{unknown:?}");
    }

    #[test]
    fn text_that_does_not_parse_is_an_error_and_no_model() {
        let mut solver = Solver::new();
        for text in ["(assert (= a 1))", "(declare-const a Int) (assert (= a true))", "(assert", "(assert true))", "\0"]
        {
            assert!(matches!(solver.check_sat(text, LIMITS), Err(Error::Rejected { .. })), "{text}");
        }
    }

    /// For 1 and 2, a square leaves the same remainder; the general solver alone does not come back.
    #[test]
    fn limits_hold_where_numbers_grow() {
        let declarations = "(declare-const a Int) (declare-const b Int) (assert (and (> b 0) (<= b 2)))";
        let answer = Solver::new().valid(declarations, "(= (mod (* a a) b) (mod a b))", LIMITS).unwrap();
        assert!(!matches!(answer, Validity::Counterexample(_)), "{answer:?}");
    }

    #[test]
    fn division_follows_smt_lib() {
        let mut solver = Solver::new();
        let decls = "(declare-const a Int) (declare-const b Int)";
        let euclid = "(=> (distinct b 0) (and (= a (+ (* b (div a b)) (mod a b))) (<= 0 (mod a b))))";
        let instance = format!("(assert (= b (- 3))) {decls}");
        assert!(solver.valid(&instance, euclid, LIMITS).is_err(), "use before declaration");
        let instance = format!("{decls} (assert (= b (- 3)))");
        assert_eq!(solver.valid(&instance, euclid, LIMITS).unwrap(), Validity::Valid);
        let refuted = solver.valid(decls, "(= (- a b) (- b a))", LIMITS).unwrap();
        let Validity::Counterexample(model) = refuted else { panic!("{refuted:?}") };
        assert_ne!(model.int("a").unwrap_or(0), model.int("b").unwrap_or(0));
    }

    #[test]
    fn questions_that_share_a_context_do_not_see_each_other() {
        let mut solver = Solver::in_one_context();
        let unsat = solver.check_sat("(declare-const a Int) (assert (and (> a 0) (< a 1)))", LIMITS).unwrap();
        assert_eq!(unsat, Answer::Unsat);
        let other =
            solver.check_sat("(declare-const a Bool) (define-fun f () Bool a) (assert (not f))", LIMITS).unwrap();
        assert!(matches!(&other, Answer::Sat(model) if model.bool("a") == Some(false)), "{other:?}");
        assert!(solver.check_sat("(assert f)", LIMITS).is_err(), "definitions are gone");
        let again = solver.check_sat("(declare-const a Int) (assert (> a 0))", LIMITS).unwrap();
        assert!(matches!(again, Answer::Sat(_)));
    }

    #[test]
    fn asks_once() {
        let mut solver = Solver::new();
        let text =
            "(declare-datatypes ((Color 0)) (((red) (green)))) (declare-const c Color) (assert (distinct c red))";
        let first = solver.check_sat(text, LIMITS).unwrap();
        let Answer::Sat(model) = &first else { panic!("{first:?}") };
        assert_eq!(model.value("c"), Some("green"));
        assert_eq!(solver.check_sat(text, LIMITS).unwrap(), first);
        assert_eq!(solver.n_asked(), 1);
    }
}
