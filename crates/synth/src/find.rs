//! The functions that a DSL file asks for (`synth-fun`), found: a bank over the file's grammar at the examples, or at inputs
//! that stand for the meaning; then the answer held against the meaning itself.

use std::collections::BTreeSet;

use dsl::{
    Env, EvalError, Func, Grammar, GrammarError, Kernel, Language, Node, Production, Rule, SortPattern, Term, Wanted,
    WantedParam,
};
use rand::Rng as _;
use samples::{Column, Points, Rng, Sort, Symbol, Value, encode_value};
use smt::Solver;

use crate::bank::{BankConfig, BankError, Leaf, Limits, StopReason};
use crate::goal::Goal;
use crate::solve::{Outcome, Solution, SolveConfig, solve_until};
use crate::verify::{Verdict, VerifyLimits, check_rule, mentions_selection};

/// How far to look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FindConfig {
    /// The seed of the inputs drawn.
    pub seed: u64,
    /// Inputs that stand for a meaning whose inputs are too many to be run.
    pub n_points: usize,
    /// Where the search ends at the latest.
    pub limits: Limits,
    /// What a proof may cost.
    pub verify: VerifyLimits,
}

impl FindConfig {
    /// 64 inputs, up to 50 million candidates and a gigabyte.
    pub fn new(seed: u64) -> Self {
        let limits = Limits { max_cost: 100, max_classes: 20_000_000, max_candidates: 50_000_000, max_bytes: 1 << 30 };
        Self { seed, n_points: 64, limits, verify: VerifyLimits::new() }
    }
}

/// What is known of a term that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Evidence {
    /// It was run on all inputs that there are, so many.
    Exhaustive(usize),
    /// It equals the meaning, for these values.
    Proved(String),
    /// It equals the meaning on all inputs of this scope; more was not shown.
    Bounded(String),
    /// It is right at so many inputs; more was not shown, or not asked for.
    Sampled(usize),
}

/// How the search for a function ended.
#[derive(Clone, PartialEq, Debug)]
pub enum Finding {
    /// With a cheapest term.
    Solved {
        /// The term, over the function's parameters.
        term: Term,
        /// What it costs.
        cost: u32,
        /// No right term of the grammar costs less.
        lower_bound: u32,
        /// What is known of it.
        evidence: Evidence,
        /// Terms evaluated, and at how many inputs.
        n_candidates: u64,
        /// Inputs at which they were evaluated.
        n_points: usize,
    },
    /// There is no such term, for this reason.
    Infeasible(String),
    /// None was found before a limit was reached.
    Fail {
        /// The limit.
        limit: StopReason,
        /// No right term of the grammar costs less.
        lower_bound: u32,
    },
}

/// Why a search cannot be begun.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// There is no grammar of that kind over these parameters.
    #[error("the grammar cannot be used: {0}")]
    Grammar(#[from] GrammarError),
    /// The bank cannot hold it.
    #[error("cannot be searched: {0}")]
    Bank(#[from] BankError),
    /// The meaning cannot be run.
    #[error("the meaning cannot be run: {0}")]
    Meaning(#[from] EvalError),
    /// The meaning looks at other positions of a sequence.
    #[error("the meaning looks at other positions: a function is asked for at one point; give examples instead")]
    Sequences,
}

/// Looks for a cheapest term for a function that a file asks for. `deadline` says when it is too late.
///
/// Where the grammar lets constants be taken from samples or solved for, those of the examples and of the meaning are tried;
/// bounds speak of these.
///
/// # Errors
/// A grammar or a meaning that cannot be used.
pub fn find(
    language: &Language,
    wanted: &Wanted,
    config: &FindConfig,
    solver: &mut Solver,
    deadline: &dyn Fn() -> bool,
) -> Result<Finding, FindError> {
    let mut inputs = Inputs::new(language, wanted, config)?;
    let constants = constants(language, wanted);
    loop {
        let (goal, vars) = (Goal::exact(&inputs.values), inputs.named(wanted));
        let bank = bank(language, wanted, &vars, &constants)?;
        // What lies beyond the finished level may not be a term of the grammar.
        let reach_beyond = bank.grammar.is_none();
        let search = SolveConfig { reach_beyond, minimal: true, ..SolveConfig::new(bank, config.limits) };
        let solution = match solve_until(language, &goal, &search, deadline)? {
            Outcome::Solved(solution) => solution,
            Outcome::Contradicted(a, b) => return Ok(Finding::Infeasible(inputs.contradiction(a, b))),
            Outcome::NotFound(StopReason::Closed, Some(_)) if !is_open(language, wanted) => {
                let reason = format!("no term is right at all of {} inputs", goal.n_points());
                return Ok(Finding::Infeasible(reason));
            }
            Outcome::NotFound(reason, complete) => {
                return Ok(Finding::Fail { limit: reason, lower_bound: complete.map_or(1, |cost| cost + 1) });
            }
        };
        match evidence(language, wanted, &solution, &inputs, (solver, config)) {
            Judged::Holds(evidence) => {
                let Solution { term, cost, complete_cost, n_candidates, n_points, .. } = solution;
                let lower_bound = complete_cost.map_or(1, |complete| (complete + 1).min(cost));
                return Ok(Finding::Solved { term, cost, lower_bound, evidence, n_candidates, n_points });
            }
            Judged::Fails(point) => inputs.add(language, wanted, &point)?,
        }
    }
}

/// Whether there are terms beside those tried: other constants, or operators that look at other positions.
fn is_open(language: &Language, wanted: &Wanted) -> bool {
    let is_passed_over = |operator: &dsl::Operator| mentions_selection(language, &operator.meaning);
    language.constants.groups.iter().any(|group| group.from_samples || group.solve)
        || (wanted.grammar.is_none() && language.operators.iter().any(is_passed_over))
}

/// What is to be enumerated.
fn bank(
    language: &Language,
    wanted: &Wanted,
    vars: &[(Symbol, Column)],
    constants: &[Value],
) -> Result<BankConfig, FindError> {
    let n_points = vars.first().map_or(1, |(_, column)| column.n_points());
    let Some(name) = wanted.grammar else {
        let leaves = vars.iter().map(|(name, column)| Leaf::variable(language, *name, column.clone())).collect();
        let mut bank = BankConfig::new(language, leaves);
        let new = constants.iter().filter(|value| bank.leaves.iter().all(|leaf| leaf.term != Term::constant(**value)));
        let new: Vec<Leaf> = new.filter_map(|&value| Leaf::constant(language, value, n_points)).collect();
        bank.leaves.extend(new);
        return Ok(bank);
    };
    let sorts: Vec<(Symbol, Sort)> = vars.iter().map(|(name, column)| (*name, column.sort)).collect();
    let mut grammar = language.grammar(name.as_str(), &sorts).ok_or(GrammarError::Empty)??;
    fill(&mut grammar, language, constants);
    Ok(BankConfig::from_grammar(grammar, vars.to_vec()))
}

/// Puts constants in the places for any.
fn fill(grammar: &mut Grammar, language: &Language, constants: &[Value]) {
    for own in &mut grammar.nonterminals {
        if !own.productions.iter().any(|production| matches!(production, Production::AnyConstant { .. })) {
            continue;
        }
        for &value in constants.iter().filter(|value| value.sort() == Some(own.sort)) {
            let term = Term::constant(value);
            let is_there =
                own.productions.iter().any(|p| matches!(p, Production::Leaf { term: own, .. } if *own == term));
            if !is_there {
                own.productions.push(Production::Leaf { term, cost: language.constants.cost(value).max(1) });
            }
        }
    }
}

/// Constants beside those listed that are tried.
const MOST_CONSTANTS: usize = 32;

/// The constants of the examples and of the meaning, of sorts that may have others than those listed.
fn constants(language: &Language, wanted: &Wanted) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    literals(wanted.meaning.as_ref(), &mut all);
    all.extend(wanted.examples.iter().map(|(_, value)| *value));
    all.extend(wanted.examples.iter().flat_map(|(arguments, _)| arguments.iter().copied()));
    let mut different: Vec<Value> = Vec::new();
    for value in all {
        let is_open = value.sort().is_some_and(|sort| language.constants.open_cost(sort).is_some());
        if is_open && !different.contains(&value) && different.len() < MOST_CONSTANTS {
            different.push(value);
        }
    }
    different
}

fn literals(term: Option<&Term>, found: &mut Vec<Value>) {
    match term.map(Term::node) {
        Some(Node::Const(value)) => found.push(*value),
        Some(Node::App(_, args)) => args.iter().for_each(|arg| literals(Some(arg), found)),
        Some(Node::Let(bindings, body)) => {
            bindings.iter().for_each(|(_, bound)| literals(Some(bound), found));
            literals(Some(body), found);
        }
        _ => {}
    }
}

/// Inputs of the function that are looked at, and its values there.
struct Inputs {
    arguments: Vec<Column>,
    values: Column,
    /// Whether there are no others.
    is_whole: bool,
}

/// The most inputs that are run for being all that there are.
const MOST_INPUTS: usize = 1 << 16;

impl Inputs {
    fn new(language: &Language, wanted: &Wanted, config: &FindConfig) -> Result<Self, FindError> {
        let domains: Option<Vec<Vec<i64>>> = wanted.params.iter().map(|param| domain(language, param)).collect();
        let n_inputs = |domains: &[Vec<i64>]| domains.iter().fold(1_usize, |n, domain| n.saturating_mul(domain.len()));
        let domains = domains.filter(|domains| n_inputs(domains) <= MOST_INPUTS);
        if wanted.meaning.is_none() {
            let given = |i: usize| wanted.examples.iter().map(|(arguments, _)| encode_value(arguments[i])).collect();
            let columns = wanted.params.iter().enumerate();
            let arguments: Vec<Column> = columns.map(|(i, param)| Column::new(param.sort, given(i))).collect();
            let codes = wanted.examples.iter().map(|(_, value)| encode_value(*value)).collect();
            let is_whole = domains.is_some_and(|domains| {
                let row = |(arguments, _): &(Vec<Value>, Value)| -> Vec<i64> {
                    arguments.iter().map(|&value| encode_value(value)).collect()
                };
                let is_input = |row: &Vec<i64>| row.iter().zip(&domains).all(|(code, domain)| domain.contains(code));
                let rows: BTreeSet<Vec<i64>> = wanted.examples.iter().map(row).filter(is_input).collect();
                n_inputs(&domains) == rows.len()
            });
            return Ok(Self { arguments, values: Column::new(wanted.result, codes), is_whole });
        }
        let arguments = match &domains {
            Some(domains) => product(wanted, domains),
            None => {
                let mut rng = samples::rng(config.seed, "inputs of a function that is asked for");
                let draw = |param: &WantedParam| {
                    Column::new(param.sort, (0..config.n_points).map(|i| value(language, param, i, &mut rng)).collect())
                };
                wanted.params.iter().map(draw).collect()
            }
        };
        let mut inputs =
            Self { values: Column::new(wanted.result, Vec::new()), arguments, is_whole: domains.is_some() };
        inputs.run(language, wanted)?;
        Ok(inputs)
    }

    fn named(&self, wanted: &Wanted) -> Vec<(Symbol, Column)> {
        wanted.params.iter().map(|param| param.name).zip(self.arguments.iter().cloned()).collect()
    }

    /// Runs the meaning.
    fn run(&mut self, language: &Language, wanted: &Wanted) -> Result<(), FindError> {
        let Some(meaning) = &wanted.meaning else { return Ok(()) };
        if mentions_selection(language, meaning) {
            return Err(FindError::Sequences);
        }
        let n_points = self.arguments.first().map_or(1, Column::n_points);
        let (points, vars) = (Points::from_lengths([n_points]), self.named(wanted));
        self.values = dsl::eval(meaning, &Env { language, points: &points, vars: &vars, causal: false })?;
        Ok(())
    }

    fn add(&mut self, language: &Language, wanted: &Wanted, point: &[i64]) -> Result<(), FindError> {
        self.arguments.iter_mut().zip(point).for_each(|(column, &code)| column.codes.push(code));
        self.run(language, wanted)
    }

    fn contradiction(&self, a: usize, b: usize) -> String {
        let text = |point: usize| {
            let shown = |column: &Column| dsl::print_value(column.value(point));
            let arguments: Vec<String> = self.arguments.iter().map(shown).collect();
            (arguments.join(" "), shown(&self.values))
        };
        let ((arguments, first), (_, second)) = (text(a), text(b));
        format!("two examples have the arguments {arguments}, and the values {first} and {second}")
    }
}

/// All values of a sort, if they are few.
fn domain(language: &Language, param: &WantedParam) -> Option<Vec<i64>> {
    match (param.sort, param.range) {
        (Sort::Int, Some((low, high))) => Some((low..=high).collect()),
        (Sort::Bool, _) => Some(vec![0, 1]),
        (Sort::BitVec(width), _) if width <= 16 => Some((0..1 << width).collect()),
        (Sort::Enum(name), _) => {
            let declared = language.enums.iter().find(|declared| declared.name == name)?;
            Some(declared.values.iter().map(|value| value.code()).collect())
        }
        _ => None,
    }
}

/// One column for each parameter, of all combinations.
fn product(wanted: &Wanted, domains: &[Vec<i64>]) -> Vec<Column> {
    let n_points: usize = domains.iter().map(Vec::len).product();
    let mut repeat = 1;
    let column = |(domain, param): (&Vec<i64>, &WantedParam)| {
        let codes = (0..n_points).map(|point| domain[point / repeat % domain.len()]).collect();
        repeat *= domain.len();
        Column::new(param.sort, codes)
    };
    domains.iter().zip(&wanted.params).map(column).collect()
}

/// The value of a parameter at a drawn input: of numbers every other one is small.
fn value(language: &Language, param: &WantedParam, index: usize, rng: &mut Rng) -> i64 {
    if let Some(all) = domain(language, param).filter(|all| !all.is_empty()) {
        return all[rng.random_range(0..all.len())];
    }
    let number =
        |rng: &mut Rng| if index.is_multiple_of(2) { rng.random_range(-3..=3) } else { rng.random_range(-99..=99) };
    match param.sort {
        Sort::Real => encode_value(Value::Real(number(rng) as f64 / 2.0)),
        Sort::Symbol => Symbol::new(["a", "b", "c"][rng.random_range(0..3)]).code(),
        Sort::BitVec(width) if index.is_multiple_of(2) => rng.random_range(-3..=3_i64) & samples::mask(width) as i64,
        Sort::BitVec(width) => (rng.random::<u64>() & samples::mask(width)) as i64,
        _ => number(rng),
    }
}

enum Judged {
    Holds(Evidence),
    /// At these arguments.
    Fails(Vec<i64>),
}

/// What is known of a solution; or where it is wrong.
fn evidence(
    language: &Language,
    wanted: &Wanted,
    solution: &Solution,
    inputs: &Inputs,
    (solver, config): (&mut Solver, &FindConfig),
) -> Judged {
    let n_inputs = inputs.values.n_points();
    let Some(meaning) = wanted.meaning.as_ref().filter(|_| !inputs.is_whole) else {
        let evidence = if inputs.is_whole { Evidence::Exhaustive(n_inputs) } else { Evidence::Sampled(n_inputs) };
        return Judged::Holds(evidence);
    };
    let rule = Rule {
        name: wanted.name,
        lhs: meaning.clone(),
        rhs: solution.term.clone(),
        conditions: wanted.params.iter().flat_map(is_input).collect(),
        both_ways: false,
        params: wanted.params.iter().map(|param| (param.name, SortPattern::Sort(param.sort))).collect(),
        ruleset: None,
        assumed: false,
        place: wanted.place.clone(),
    };
    match check_rule(language, &rule, solver, &config.verify) {
        Verdict::Proved { scope } => Judged::Holds(Evidence::Proved(scope)),
        Verdict::Exhaustive { scope } => Judged::Holds(Evidence::Bounded(scope)),
        Verdict::Unsound { counterexample } => {
            let code = |(_, text): &(Symbol, String)| match dsl::parse_term(text, language, &[]).ok()?.node() {
                Node::Const(value) => Some(encode_value(*value)),
                _ => None,
            };
            let point: Option<Vec<i64>> = counterexample.values.iter().map(code).collect();
            let is_new = |point: &Vec<i64>| {
                (0..n_inputs).all(|i| inputs.arguments.iter().zip(point).any(|(c, p)| c.codes[i] != *p))
            };
            point.filter(is_new).map_or(Judged::Holds(Evidence::Sampled(n_inputs)), Judged::Fails)
        }
        Verdict::Vacuous | Verdict::Undecided { .. } | Verdict::Assumed { .. } => {
            Judged::Holds(Evidence::Sampled(n_inputs))
        }
    }
}

/// That a parameter has a value, in its range.
fn is_input(param: &WantedParam) -> Vec<Term> {
    let kernel = |kernel, args| Term::app(Func::Kernel(kernel), args);
    let own = Term::var(param.name);
    match param.range {
        None => vec![kernel(Kernel::Defined, vec![own])],
        Some((low, high)) => {
            vec![kernel(Kernel::Le, vec![Term::int(low), own.clone()]), kernel(Kernel::Le, vec![own, Term::int(high)])]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::language;

    const OWN: &str = "
        (declare-datatype Light ((red) (green) (yellow)))
        (constants Light red green yellow :cost 1)
        (constants Int 0 1 2 :cost 1)
        (define-table next (Light) Light ((red) green) ((green) yellow) ((yellow) red) :cost 1)
        (define-fun + ((a Int) (b Int)) Int (+ a b) :cost 1 :commutative)
        (define-fun * ((a Int) (b Int)) Int (* a b) :cost 1 :commutative)
        (define-fun max ((a Int) (b Int)) Int (max a b) :cost 1)
        (define-fun same ((a Light) (b Light)) Bool (= a b) :cost 1)
        (define-fun choose ((c Bool) (a Light) (b Light)) Light (ite c a b) :cost 2)
        (grammar once (Start Light ((Variable Light) (next Start))) :at-most ((next 1)))";

    fn found(wanted: &str) -> Finding {
        let language = language(&format!("{OWN}\n{wanted}"));
        let config = FindConfig::new(0);
        find(&language, &language.wanted[0], &config, &mut Solver::new(), &|| false).expect("can be searched")
    }

    #[track_caller]
    fn check(wanted: &str, expected: &str, is_known: fn(&Evidence) -> bool) {
        let language = language(OWN);
        let Finding::Solved { term, cost, lower_bound, evidence, .. } = found(wanted) else {
            panic!("{:?}", found(wanted))
        };
        assert_eq!(dsl::print(&term, &language), expected);
        assert!(is_known(&evidence), "{evidence:?}");
        assert_eq!(cost, lower_bound, "minimal");
    }

    #[test]
    fn examples_of_all_inputs_are_exhaustive_and_others_are_not() {
        let all = "(synth-fun f ((l Light)) Light :examples ((red) yellow) ((green) red) ((yellow) green))";
        check(all, "(next (next l))", |evidence| *evidence == Evidence::Exhaustive(3));
        let some = "(synth-fun f ((l Light)) Light :examples ((red) yellow) ((green) red))";
        check(some, "(next (next l))", |evidence| *evidence == Evidence::Sampled(2));
        // That there is no value is no value.
        let none = "(synth-fun f ((l Light)) Light :examples ((red) yellow) ((green) red) ((none) none))";
        check(none, "(next (next l))", |evidence| *evidence == Evidence::Sampled(3));
    }

    #[test]
    fn meanings_are_proved_and_counterexamples_refine_the_search() {
        let sum = "(synth-fun f ((x Int) (y Int)) Int :means (+ x y y))";
        check(sum, "(+ (+ y y) x)", |evidence| matches!(evidence, Evidence::Proved(_)));
        // No drawn input tells this from x.
        let far = "(synth-fun f ((x Int)) Int :means (ite (= x 123456) (- x 1) x))";
        assert!(!matches!(found(far), Finding::Solved { .. }));
        let within = "(synth-fun f ((x (range 0 50))) Int :means (ite (= x 123456) (- x 1) x))";
        check(within, "x", |evidence| *evidence == Evidence::Exhaustive(51));
    }

    #[test]
    fn grammars_and_contradictions_make_functions_impossible() {
        let twice = "(synth-fun f ((l Light)) Light :grammar once :means (next (next l)))";
        assert!(matches!(found(twice), Finding::Infeasible(_)), "{:?}", found(twice));
        let two = "(synth-fun f ((l Light)) Light :examples ((red) red) ((red) green))";
        let Finding::Infeasible(reason) = found(two) else { panic!("{:?}", found(two)) };
        assert_eq!(reason, "two examples have the arguments red, and the values red and green");
    }

    #[test]
    fn a_limit_that_fires_is_named() {
        let language = language(&format!("{OWN} (synth-fun f ((x Int)) Int :means (- x 1))"));
        let config =
            FindConfig { limits: Limits { max_candidates: 1000, ..FindConfig::new(0).limits }, ..FindConfig::new(0) };
        let find =
            |deadline: &dyn Fn() -> bool| find(&language, &language.wanted[0], &config, &mut Solver::new(), deadline);
        let Ok(Finding::Fail { limit, lower_bound }) = find(&|| false) else { panic!("a limit fires") };
        assert!(limit == StopReason::Candidates && lower_bound > 2, "{limit} {lower_bound}");
        assert!(matches!(find(&|| true), Ok(Finding::Fail { limit: StopReason::Deadline, .. })));
    }
}
