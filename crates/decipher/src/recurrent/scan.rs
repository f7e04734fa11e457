//! Scans with one state whose meaning falls out of the search.
//!
//! Updates `e(s, x)` are enumerated over a grid of states and inputs, whatever the state may stand for. An update is run
//! from a few initial values over sample sequences; it is kept if the pair (state before, input) decides the output, which
//! hardly any wrong update survives for more than a few elements. The output expression is then searched over the
//! state before, the state after and the input. Redundant codes of the state are allowed: no naming is enumerated.

use dsl::{Kernel, OpId, Term};
use rand::seq::SliceRandom as _;
use samples::{Column, Sort, Symbol, rng};
use synth::StopReason;
use synth::Watch;

use super::Task;
use super::build::{State, primed};
use super::mealy::Machine;
use super::rows::Rows;
use super::scalar::Code;
use super::solve::{Budget, bank, limits};
use crate::Error;

/// Cells of the grid of states and inputs on which updates are told apart.
const CELLS: usize = 72;
/// Sequences that an update is run over, and how many more for each element of the alphabet.
const SEQUENCES: usize = 100;
const SEQUENCES_PER_SYMBOL: usize = 20;
/// States beyond this are not followed: what grows like this is a numeral, and has its own strategy.
const MAX_STATE: i64 = 127;
/// Updates for which outputs are searched.
const MAX_UPDATES: usize = 40;
/// Programs proposed, and by how much they may cost more than the cheapest: the hidden state may carry the state of one
/// and not of another.
const MAX_PROGRAMS: usize = 5;
const SLACK: f64 = 3.0;
/// Where fewer last inputs decide the output, a state would only hold them.
const MIN_WINDOW: usize = 3;
/// Points per (state, input) that must at least be seen for the pair to say anything.
const REPEATS: usize = 3;

const PROFILES: &[&[Kernel]] = {
    use Kernel::{Abs, Add, Div, Eq, Ite, Lt, Max, Min, Mod, Mul, Sub};
    &[&[Add, Sub, Mul, Mod, Div], &[Add, Sub, Lt, Max, Min, Abs], &[Add, Sub, Lt, Eq, Ite]]
};

/// Programs with one integer state, for alphabets of few elements.
pub(crate) fn search(task: &Task, effort: usize) -> Result<Vec<Term>, Error> {
    if task.invariances.window.is_some_and(|k| (1..MIN_WINDOW).contains(&k)) {
        return Ok(Vec::new());
    }
    if task.recording.n_outputs != 1 || task.symbols().is_none() || !task.build().language.has_form(dsl::Form::Scan) {
        return Ok(Vec::new());
    }
    let machine = task.machine()?;
    let walks = Walks::of(task, machine);
    let state = Symbol::new("s");
    let mut updates = Vec::new();
    for profile in PROFILES {
        updates.extend(enumerate(task, machine, state, profile, effort, &walks));
    }
    let build = task.build();
    updates.sort_by(|a: &Update, b| build.cost(&a.term).total_cmp(&build.cost(&b.term)));
    let mut found: Vec<(Term, f64)> = Vec::new();
    for update in updates.into_iter().take(MAX_UPDATES) {
        if (task.config.deadline)() {
            break;
        }
        let least = found.iter().map(|(_, cost)| *cost).fold(f64::INFINITY, f64::min);
        let room = least + SLACK - build.cost(&update.term);
        if room < 1.0 {
            break;
        }
        let budget = Budget { candidates: 60_000, max_cost: (room as u32).min(14), agreement: task.enough };
        let rows = walks.rows(task, state, &update);
        let Some(output) = task.express(&rows, &[Sort::Int, Sort::Bool], budget) else { continue };
        let cost = build.cost(&update.term) + task.cost_of_output(&output, &rows.names);
        let states = [State { name: state, init: update.init, update: update.term }];
        let Some(program) = build.program(&states, vec![output]) else { continue };
        if task.fits(&program)? {
            found.push((program, cost));
        }
    }
    found.sort_by(|a, b| a.1.total_cmp(&b.1));
    found.truncate(MAX_PROGRAMS);
    Ok(found.into_iter().map(|(program, _)| program).collect())
}

/// An update that passed, with the initial value.
struct Update {
    term: Term,
    code: Code,
    init: i64,
}

/// Sequences with the outputs that a program has to explain.
struct Walks {
    n: usize,
    length: usize,
    /// Per point: the element's values, its number in the alphabet, the output, whether the output counts.
    points: Vec<Point>,
    n_symbols: usize,
    /// Points that may contradict.
    allowed: usize,
}

struct Point {
    element: Vec<i64>,
    symbol: usize,
    output: i64,
    counts: bool,
}

impl Walks {
    fn of(task: &Task, machine: Option<&Machine>) -> Self {
        let recording = &task.recording;
        let symbols = task.symbols().unwrap_or_default();
        let n = (SEQUENCES + SEQUENCES_PER_SYMBOL * symbols.len()).min(recording.n);
        let mut points = Vec::with_capacity(n * recording.length);
        for row in 0..n {
            let word: Vec<usize> = (0..recording.length)
                .map(|t| symbols.iter().position(|s| s == recording.element(row, t)).unwrap_or(0))
                .collect();
            // The machine, where there is one, answers without the network's errors.
            let clean = machine.map(|machine| machine.run(&word));
            for (t, symbol) in word.into_iter().enumerate() {
                let at = row * recording.length + t;
                points.push(Point {
                    element: recording.element(row, t).to_vec(),
                    symbol,
                    output: clean.as_ref().map_or(recording.outputs[at], |outputs| outputs[t][0]),
                    counts: clean.is_some() || recording.clear[at],
                });
            }
        }
        let allowed = if machine.is_some() { 0 } else { points.len() / 500 };
        Self { n, length: recording.length, points, n_symbols: symbols.len(), allowed }
    }

    /// Whether (state, input) decides the output along all sequences, but for the points that may contradict.
    fn functional(&self, code: &Code, init: i64, scratch: &mut Scratch) -> bool {
        scratch.begin(self.n_symbols);
        let (mut wrong, mut seen, mut keys) = (0, 0, 0);
        for row in 0..self.n {
            let mut state = init;
            for point in &self.points[row * self.length..(row + 1) * self.length] {
                if point.counts {
                    seen += 1;
                    match scratch.tally(state, point.symbol, point.output) {
                        Tally::First => keys += 1,
                        Tally::Same => {}
                        Tally::Other => wrong += 1,
                        Tally::Overruled => {}
                    }
                    if wrong > self.allowed {
                        return false;
                    }
                }
                scratch.variables.clear();
                scratch.variables.push(state);
                scratch.variables.extend_from_slice(&point.element);
                state = code.run(&scratch.variables, &mut scratch.stack);
                if !(-MAX_STATE..=MAX_STATE).contains(&state) {
                    return false;
                }
            }
            // Fresh pairs all along contradict nothing.
            if row == self.n / 4 && keys * 2 > seen {
                return false;
            }
        }
        keys * REPEATS <= seen
    }

    /// What the output has to be, by state before, state after and input.
    fn rows(&self, task: &Task, state: Symbol, update: &Update) -> Rows {
        let mut names = vec![state, primed(state)];
        names.extend_from_slice(&task.inputs);
        let mut stack = Vec::new();
        let mut values = Vec::with_capacity(self.points.len());
        for row in 0..self.n {
            let mut s = update.init;
            for point in &self.points[row * self.length..(row + 1) * self.length] {
                let mut variables = vec![s];
                variables.extend_from_slice(&point.element);
                let next = update.code.run(&variables, &mut stack);
                variables.insert(1, next);
                values.push(variables);
                s = next;
            }
        }
        let points = (0..self.points.len()).filter(|&p| self.points[p].counts);
        Rows::of(names, points, |p| values[p].clone(), |p| self.points[p].output)
    }
}

/// Scratch of the functional test: what was seen for each (state, symbol).
#[derive(Default)]
struct Scratch {
    table: Vec<Seen>,
    n_symbols: usize,
    stamp: u32,
    variables: Vec<i64>,
    stack: Vec<i64>,
}

/// The output that most points of a (state, symbol) show, how many, and how many show another; valid where the stamp is
/// current.
#[derive(Clone, Copy, Default)]
struct Seen {
    stamp: u32,
    same: u32,
    other: u32,
    output: i64,
}

/// What a point adds to what was seen.
enum Tally {
    First,
    Same,
    /// One more point that contradicts.
    Other,
    /// Those that contradicted are now the most: as many contradict as before.
    Overruled,
}

impl Scratch {
    fn begin(&mut self, n_symbols: usize) {
        self.n_symbols = n_symbols;
        self.table.resize((2 * MAX_STATE as usize + 1) * n_symbols, Seen::default());
        self.stamp += 1;
    }

    /// Adds a point. What came first has no say over what comes more often: networks err. Outputs other than the most
    /// frequent one are not told apart, so that of three or more outputs too few count as contradictions.
    fn tally(&mut self, state: i64, symbol: usize, output: i64) -> Tally {
        let row = usize::try_from(state + MAX_STATE).unwrap_or(0);
        let seen = &mut self.table[row * self.n_symbols + symbol];
        if seen.stamp != self.stamp {
            *seen = Seen { stamp: self.stamp, same: 1, other: 0, output };
            return Tally::First;
        }
        if seen.output == output {
            seen.same += 1;
            return Tally::Same;
        }
        if seen.other < seen.same {
            seen.other += 1;
            return Tally::Other;
        }
        *seen = Seen { stamp: self.stamp, same: seen.other + 1, other: seen.same, output };
        Tally::Overruled
    }
}

/// Enumerates updates and keeps those that pass.
fn enumerate(
    task: &Task,
    machine: Option<&Machine>,
    state: Symbol,
    kernels: &[Kernel],
    effort: usize,
    walks: &Walks,
) -> Vec<Update> {
    let language = task.build().language;
    let belongs = |kernel: Option<Kernel>| kernel.is_none_or(|k| kernels.contains(&k));
    let operators: Vec<OpId> = language.operators().filter(|(_, op)| belongs(op.kernel())).map(|(id, _)| id).collect();
    let mut names = vec![state];
    names.extend_from_slice(&task.inputs);
    let solver = task.solver();
    let Some(mut bank) = bank(&solver, grid(task, machine, &names), Some(&operators)) else { return Vec::new() };
    let candidates = [300_000, 1_500_000, 4_000_000][effort.min(2)];
    let mut limits = limits(Budget { candidates, max_cost: 1, agreement: 1.0 });
    limits.max_classes = [60_000, 250_000, 450_000][effort.min(2)];
    let (mut scratch, mut passed, mut next) = (Scratch::default(), Vec::new(), 0);
    loop {
        let stop = bank.run(&limits, &mut |_| Watch::Keep);
        let fresh: Vec<synth::ClassId> =
            bank.classes().skip(next).filter(|found| found.sort == Sort::Int).map(|found| found.id).collect();
        next = bank.len();
        for id in fresh {
            let term = bank.term(id);
            let Some(code) = Code::of(&term, language, &names) else { continue };
            let init = [0, 1].into_iter().find(|&init| walks.functional(&code, init, &mut scratch));
            passed.extend(init.map(|init| Update { term, code, init }));
        }
        if stop != StopReason::Cost || passed.len() >= MAX_UPDATES || (task.config.deadline)() {
            return passed;
        }
        limits.max_cost += 1;
    }
}

/// Columns of the state and the inputs at cells of the grid.
fn grid(task: &Task, machine: Option<&Machine>, names: &[Symbol]) -> Vec<(Symbol, Column)> {
    let symbols = task.symbols().unwrap_or_default();
    let states = match machine {
        Some(machine) => -2..=(2 * machine.n_states() as i64 + 2).max(2 * task.range()[1] + 3),
        None => -(task.recording.length as i64) - 2..=task.recording.length as i64 + 2,
    };
    let mut cells: Vec<Vec<i64>> =
        states.flat_map(|s| symbols.iter().map(move |x| [&[s], x.as_slice()].concat())).collect();
    cells.shuffle(&mut rng(task.config.seed, "recurrent grid"));
    cells.truncate(CELLS);
    let column = |i: usize| Column::new(Sort::Int, cells.iter().map(|cell| cell[i]).collect());
    names.iter().enumerate().map(|(i, &name)| (name, column(i))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_comes_first_is_outvoted() {
        let mut scratch = Scratch::default();
        scratch.begin(2);
        let outputs = [7, 0, 0, 0, 3, 0, 0];
        let contradictions = outputs.iter().filter(|&&output| matches!(scratch.tally(-5, 1, output), Tally::Other));
        assert_eq!(contradictions.count(), 2, "7 and 3");
        assert!(matches!(scratch.tally(-5, 0, 7), Tally::First), "another input");
        scratch.begin(2);
        assert!(matches!(scratch.tally(-5, 1, 7), Tally::First), "another update");
    }
}
