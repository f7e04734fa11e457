//! Programs over a short history: the last inputs (a window), or the last inputs and outputs.
//!
//! The history is a shift register, `(scan ((x_1 0 x) (x_2 0 x_1)) ...)`; the last output is a state whose update is the
//! output expression itself. Which values stand before the first element is tried out afterwards.

use dsl::Term;
use samples::{Sort, Symbol, UNDEFINED};

use super::Task;
use super::build::{State, lagged, primed};
use super::rows::Rows;
use super::solve::Budget;
use crate::Error;

/// Output lags and input lags (the present input is lag 0) of the histories tried, beside the window.
const HISTORIES: [(usize, usize); 4] = [(1, 1), (1, 2), (2, 1), (1, 3)];
/// The longest window given to the enumeration.
const MAX_ENUMERATED_WINDOW: usize = 6;
/// The share of points that the majority output of the rows must cover.
const DETERMINISM: f64 = 0.998;
/// Points per row below which that rows decide the output says little.
const FEW_COLLISIONS: f64 = 1.2;

/// Programs over the last inputs, where the network forgets everything before them.
pub(crate) fn window(task: &Task, effort: usize) -> Result<Vec<Term>, Error> {
    match task.invariances.window {
        Some(k) if (1..=MAX_ENUMERATED_WINDOW).contains(&k) => Ok(search(task, 0, k, effort)?.unwrap_or_default()),
        _ => Ok(Vec::new()),
    }
}

/// Programs over the last inputs and the last outputs.
pub(crate) fn feedback(task: &Task, effort: usize) -> Result<Vec<Term>, Error> {
    if task.invariances.window.is_some_and(|k| k > 0) {
        return Ok(Vec::new());
    }
    for (output_lags, input_lags) in HISTORIES {
        // A longer history than one that decides the output is a greater search for the same answer.
        if let Some(found) = search(task, output_lags, input_lags, effort)? {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// Programs over one history; `None` where it does not decide the output.
fn search(task: &Task, output_lags: usize, input_lags: usize, effort: usize) -> Result<Option<Vec<Term>>, Error> {
    let history = History::new(task, output_lags, input_lags);
    let (mut outputs, mut decided) = (Vec::new(), true);
    for k in 0..task.recording.n_outputs {
        let rows = history.rows(task, k);
        if rows.determinism < DETERMINISM {
            return Ok(None);
        }
        decided &= rows.collisions() >= FEW_COLLISIONS;
        // Where rows hardly repeat, that they determine the output says nothing: look less far.
        let effort = if rows.collisions() < FEW_COLLISIONS { 0 } else { effort };
        let sorts: &[Sort] = if output_lags > 0 { &[Sort::Int] } else { &[Sort::Int, Sort::Bool] };
        let budget = Budget { agreement: task.enough, ..task.budget(effort) };
        let solver = task.solver();
        let output = task.express(&rows, sorts, budget).or_else(|| solver.choose(&rows, budget));
        outputs.extend(output);
        if outputs.len() == k {
            break;
        }
    }
    if outputs.len() < task.recording.n_outputs {
        return Ok(decided.then(Vec::new));
    }
    let found = history.start(task, &outputs)?;
    Ok((decided || found.is_some()).then(|| found.into_iter().collect()))
}

/// The variables of a history.
struct History {
    output_lags: usize,
    input_lags: usize,
    /// Lags of outputs (lag 1 is the state that holds the last output), then of inputs; lag-major.
    names: Vec<Symbol>,
}

impl History {
    fn new(task: &Task, output_lags: usize, input_lags: usize) -> Self {
        let outputs = task.output_names();
        let of_outputs = (1..=output_lags).flat_map(|lag| outputs.iter().map(move |&y| lagged(y, lag - 1)));
        let of_inputs = (0..input_lags).flat_map(|lag| task.inputs.iter().map(move |&x| lagged(x, lag)));
        Self { output_lags, input_lags, names: of_outputs.chain(of_inputs).collect() }
    }

    /// The first element that has the whole history.
    fn first(&self) -> usize {
        self.output_lags.max(self.input_lags.saturating_sub(1))
    }

    fn rows(&self, task: &Task, k: usize) -> Rows {
        let recording = &task.recording;
        let (length, width) = (recording.length, recording.n_outputs);
        let points = (0..recording.n_points()).filter(|p| p % length >= self.first());
        let values = |point: usize| {
            let outputs = (1..=self.output_lags)
                .flat_map(|lag| &recording.outputs[(point - lag) * width..(point - lag + 1) * width]);
            let inputs = (0..self.input_lags).flat_map(|lag| recording.element(point / length, point % length - lag));
            outputs.chain(inputs).copied().collect()
        };
        let counted = |&point: &usize| recording.clear[point * width + k];
        Rows::of(self.names.clone(), points.filter(counted), values, |point| recording.outputs[point * width + k])
    }

    /// The program, with the values before the first element under which it reproduces the recording.
    fn start(&self, task: &Task, outputs: &[Term]) -> Result<Option<Term>, Error> {
        let build = task.build();
        let width = outputs.len();
        let split = self.output_lags * width;
        let used: Vec<Symbol> = outputs.iter().flat_map(super::build::variables).collect();
        let fed_back = self.names[..split].iter().any(|name| used.contains(name));
        let results: Vec<Term> = if fed_back {
            self.names[..width].iter().map(|&y| Term::var(primed(y))).collect()
        } else {
            outputs.to_vec()
        };
        let [lo, hi] = task.range();
        let mut starts = vec![0, 1, -1, lo, hi, lo - 1, hi + 1];
        let outputs_seen = task.recording.outputs.iter().copied().filter(|&y| y != UNDEFINED);
        starts.extend(outputs_seen.clone().min());
        starts.extend(outputs_seen.max());
        let mut tried: Vec<(i64, i64)> = Vec::new();
        for &of_outputs in &starts {
            for &of_inputs in &starts {
                let pair = (if split > 0 { of_outputs } else { 0 }, if self.input_lags > 1 { of_inputs } else { 0 });
                if tried.contains(&pair) {
                    continue;
                }
                tried.push(pair);
                let state = |(at, &name): (usize, &Symbol)| {
                    let (init, update) = if at < split {
                        (pair.0, if at < width { outputs[at].clone() } else { Term::var(self.names[at - width]) })
                    } else {
                        (pair.1, Term::var(self.names[at - task.inputs.len()]))
                    };
                    State { name, init, update }
                };
                let inputs_now = split..split + task.inputs.len();
                let states: Vec<State> =
                    self.names.iter().enumerate().filter(|(at, _)| !inputs_now.contains(at)).map(state).collect();
                let Some(program) = build.program(&states, results.clone()) else { return Ok(None) };
                if task.fits(&program)? {
                    return Ok(Some(program));
                }
            }
        }
        Ok(None)
    }
}
