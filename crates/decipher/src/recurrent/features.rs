//! Programs over features of the whole past that are known in advance: running sums, extremes, counts of each element,
//! and the past read as a numeral, forwards and backwards.
//!
//! The features are scans of their own; only the output expression is searched. Counts are for networks that do not
//! mind the order of their inputs; a palindrome is where the two numerals are equal.

use dsl::{Kernel, Term};
use samples::{Sort, Symbol};

use super::Task;
use super::build::{State, primed};
use super::rows::Rows;
use super::scalar::Code;
use super::solve::Budget;
use crate::Error;

/// Alphabets of at most so many numbers have their elements counted one by one.
const MAX_COUNTED: i64 = 5;
/// The share of points that the majority output of the rows must cover.
const DETERMINISM: f64 = 0.998;

/// Running totals, extremes and the number of elements.
pub(crate) fn aggregates(task: &Task, effort: usize) -> Result<Vec<Term>, Error> {
    if task.invariances.window.is_some_and(|k| k > 0) {
        return Ok(Vec::new());
    }
    let build = task.build();
    let [lo, hi] = task.range();
    let mut sets: Vec<Vec<Option<State>>> = Vec::new();
    let count = || state("n", 0, build.weighted_sum(&[(1, Term::var("n"))], 1));
    let total = |x: Symbol| {
        let name = format!("total_{x}");
        let terms = [(1, Term::var(name.as_str())), (1, Term::var(x))];
        state(&name, 0, build.weighted_sum(&terms, 0))
    };
    let extreme = |name: &str, init: i64, kernel: Kernel, x: Symbol| {
        let name = format!("{name}_{x}");
        state(&name, init, build.kernel(kernel, vec![Term::var(name.as_str()), Term::var(x)]))
    };
    sets.push(task.inputs.iter().map(|&x| total(x)).chain([count()]).collect());
    sets.push(
        task.inputs
            .iter()
            .flat_map(|&x| [extreme("most", lo, Kernel::Max, x), extreme("least", hi, Kernel::Min, x)])
            .collect(),
    );
    sets.push(vec![count()]);
    for set in sets {
        let states: Vec<State> = set.into_iter().flatten().collect();
        let found = over(task, &states, effort)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// How often each number of a small alphabet has come.
pub(crate) fn counts(task: &Task, effort: usize) -> Result<Vec<Term>, Error> {
    let [x] = task.inputs[..] else { return Ok(Vec::new()) };
    let [lo, hi] = task.range();
    if hi.saturating_sub(lo) >= MAX_COUNTED || task.invariances.window.is_some() || !task.invariances.commutative {
        return Ok(Vec::new());
    }
    let alphabet: Vec<i64> = (lo..=hi).collect();
    let states: Vec<State> = alphabet.iter().filter_map(|&value| counter(task, x, value, &alphabet)).collect();
    over(task, &states, effort)
}

/// A state that counts how often `x` was `value`.
fn counter(task: &Task, x: Symbol, value: i64, alphabet: &[i64]) -> Option<State> {
    let build = task.build();
    let name = Symbol::new(&format!("n{value}").replace('-', "m"));
    let more = build.weighted_sum(&[(1, Term::var(name))], 1)?;
    let equal = build.kernel(Kernel::Eq, vec![Term::var(x), Term::int(value)]);
    let by_case = equal.and_then(|equal| build.kernel(Kernel::Ite, vec![equal, more, Term::var(name)]));
    let is_value = |point: usize| i64::from(alphabet[point] == value);
    let rows = Rows::of(vec![x], 0..alphabet.len(), |point| vec![alphabet[point]], is_value);
    let budget = Budget { candidates: 20_000, max_cost: 8, agreement: 1.0 };
    let one = task.solver().solve(&rows, &[Sort::Int], budget);
    let by_sum = one.and_then(|one| build.weighted_sum(&[(1, Term::var(name)), (1, one)], 0));
    let update = build.cheaper(by_sum, by_case)?;
    Some(State { name, init: 0, update })
}

/// The past as a numeral in base of the alphabet's size, read forwards and backwards.
pub(crate) fn numerals(task: &Task, effort: usize) -> Result<Vec<Term>, Error> {
    let build = task.build();
    let [x] = task.inputs[..] else { return Ok(Vec::new()) };
    let [lo, hi] = task.range();
    let base = hi - lo + 1;
    let bits = task.recording.length as f64 * (base as f64).log2();
    if task.invariances.commutative || task.invariances.window.is_some() || bits > 60.0 || base < 2 {
        return Ok(Vec::new());
    }
    let digit = build.weighted_sum(&[(1, Term::var(x))], -lo);
    let forwards = digit.clone().and_then(|digit| build.weighted_sum(&[(base, Term::var("forwards")), (1, digit)], 0));
    let product = digit.and_then(|digit| build.kernel(Kernel::Mul, vec![Term::var("place"), digit]));
    let backwards = product.and_then(|product| build.weighted_sum(&[(1, Term::var("backwards")), (1, product)], 0));
    let place = build.weighted_sum(&[(base, Term::var("place"))], 0);
    let states: Vec<State> =
        [state("forwards", 0, forwards), state("backwards", 0, backwards), state("place", 1, place)]
            .into_iter()
            .flatten()
            .collect();
    if states.len() < 3 {
        return Ok(Vec::new());
    }
    over(task, &states, effort)
}

fn state(name: &str, init: i64, update: Option<Term>) -> Option<State> {
    Some(State { name: Symbol::new(name), init, update: update? })
}

/// Programs whose outputs are expressions over the inputs and the states after the element.
fn over(task: &Task, states: &[State], effort: usize) -> Result<Vec<Term>, Error> {
    let build = task.build();
    let Some(values) = run(task, states) else { return Ok(Vec::new()) };
    let recording = &task.recording;
    let names: Vec<Symbol> = task.inputs.iter().copied().chain(states.iter().map(|state| primed(state.name))).collect();
    let mut outputs = Vec::new();
    for k in 0..recording.n_outputs {
        let at = |point: usize| point * recording.n_outputs + k;
        let points = (0..recording.n_points()).filter(|&point| recording.clear[at(point)]);
        let variables = |point: usize| {
            let inputs = recording.element(point / recording.length, point % recording.length);
            inputs.iter().copied().chain(values.iter().map(|column| column[point])).collect()
        };
        let rows = Rows::of(names.clone(), points, variables, |point| recording.outputs[at(point)]);
        if rows.determinism < DETERMINISM {
            return Ok(Vec::new());
        }
        let budget = Budget { agreement: task.enough, ..task.budget(effort) };
        let sorts = [Sort::Int, Sort::Bool];
        let solver = task.solver();
        // Few values: the conditions for each are smaller than an expression for all.
        let whole = || solver.solve(&rows, &sorts, budget);
        let output = if rows.values().len() > 2 { solver.decide(&rows, budget).or_else(whole) } else { whole() };
        let Some(output) = output else { return Ok(Vec::new()) };
        outputs.push(output);
    }
    Ok(build.program(states, outputs).into_iter().collect())
}

/// The values of states after each point of the recording.
fn run(task: &Task, states: &[State]) -> Option<Vec<Vec<i64>>> {
    let recording = &task.recording;
    let names: Vec<Symbol> = states.iter().map(|state| state.name).chain(task.inputs.iter().copied()).collect();
    let language = task.build().language;
    let codes: Vec<Code> =
        states.iter().map(|state| Code::of(&state.update, language, &names)).collect::<Option<_>>()?;
    let mut values = vec![Vec::with_capacity(recording.n_points()); states.len()];
    let mut stack = Vec::new();
    for row in 0..recording.n {
        let mut now: Vec<i64> = states.iter().map(|state| state.init).collect();
        for t in 0..recording.length {
            let variables: Vec<i64> = now.iter().chain(recording.element(row, t)).copied().collect();
            now = codes.iter().map(|code| code.run(&variables, &mut stack)).collect();
            now.iter().zip(&mut values).for_each(|(&value, column)| column.push(value));
        }
    }
    Some(values)
}
