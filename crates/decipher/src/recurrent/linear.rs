//! Linear recurrences with rational coefficients: autoregression on the rounded outputs.
//!
//! `y[t] = c + sum a_i y[t-i] + sum b_j x[t-j]`, fitted by least squares, fewest lags first. Because the data are
//! integers, the coefficients of a true recurrence come out exact to many digits, and are snapped to rationals with a
//! small denominator; the snapped recurrence then has to reproduce the recording when it runs freely.

use dsl::{Kernel, Term};
use nalgebra::{DMatrix, DVector};
use samples::Symbol;

use super::build::{Build, State, lagged, primed};
use super::oracle::Recording;

const MAX_OUTPUT_LAG: usize = 4;
const MAX_INPUT_LAG: usize = 8;
/// Points that coefficients are fitted to, far more than there are coefficients; a sequence is taken whole.
const MOST_POINTS: usize = 200_000;
const MAX_DENOMINATOR: i64 = 12;
/// Constants beyond this are no constants that anybody wrote.
const MAX_CONSTANT: f64 = 1e12;
/// How far a coefficient may lie from the rational it stands for, times the denominator.
const SNAP: f64 = 0.02;

/// A recurrence for all outputs: `den * y = constant + sum of coefficients * variables`, rounded down.
struct Recurrence {
    output_lags: usize,
    input_lags: usize,
    /// Per output: factors of `y` lags (lag-major), then of `x` lags 0.. (lag-major), the constant, the denominator.
    rows: Vec<Row>,
    /// Values of `y` lags and of `x` lags 1.. before the first element.
    initial: Vec<i64>,
}

struct Row {
    factors: Vec<i64>,
    constant: i64,
    denominator: i64,
}

/// The program of the shortest linear recurrence that reproduces at least `min_agreement` of a recording.
pub(crate) fn search(
    recording: &Recording,
    inputs: &[Symbol],
    build: Build,
    min_agreement: f64,
    deadline: &(dyn Fn() -> bool + Sync),
) -> Option<Term> {
    let max_lag = MAX_INPUT_LAG.min(recording.length.saturating_sub(2));
    let regression = Regression::of(recording, max_lag);
    let mut orders: Vec<(usize, usize)> =
        (0..=MAX_OUTPUT_LAG.min(max_lag)).flat_map(|p| (0..=max_lag + 1).map(move |q| (p, q))).collect();
    orders.sort_by_key(|&(p, q)| (p * recording.n_outputs + q * recording.dim, p));
    orders.into_iter().take_while(|_| !deadline()).find_map(|(p, q)| {
        let rows = regression.fit(recording, p, q)?;
        let mut recurrence = Recurrence { output_lags: p, input_lags: q, rows, initial: Vec::new() };
        recurrence.start(recording, min_agreement)?;
        recurrence.program(inputs, build)
    })
}

/// Moments of all lags, of which every order takes its part.
struct Regression {
    max_lag: usize,
    gram: DMatrix<f64>,
    targets: DMatrix<f64>,
    n_outputs: usize,
    dim: usize,
}

impl Regression {
    /// Columns: 1, `y` lags 1.. (lag-major), `x` lags 0.. (lag-major), over the points that have all lags.
    fn of(recording: &Recording, max_lag: usize) -> Self {
        let (n_outputs, dim) = (recording.n_outputs, recording.dim);
        let width = 1 + MAX_OUTPUT_LAG * n_outputs + (max_lag + 1) * dim;
        let (mut gram, mut targets) = (DMatrix::zeros(width, width), DMatrix::zeros(width, n_outputs));
        let mut row = vec![0.0; width];
        let n_sequences = recording.n.min(MOST_POINTS / recording.length.max(1)).max(1);
        for sequence in 0..n_sequences.min(recording.n) {
            for t in max_lag.max(1)..recording.length {
                let at = |lag: usize| (sequence * recording.length + t).checked_sub(lag).filter(|_| t >= lag);
                row[0] = 1.0;
                for lag in 1..=MAX_OUTPUT_LAG {
                    for k in 0..n_outputs {
                        row[1 + (lag - 1) * n_outputs + k] =
                            at(lag).map_or(0.0, |p| recording.outputs[p * n_outputs + k] as f64);
                    }
                }
                for lag in 0..=max_lag {
                    for axis in 0..dim {
                        row[1 + MAX_OUTPUT_LAG * n_outputs + lag * dim + axis] =
                            at(lag).map_or(0.0, |p| recording.inputs[p * dim + axis] as f64);
                    }
                }
                for i in 0..width {
                    for j in 0..=i {
                        gram[(i, j)] += row[i] * row[j];
                    }
                    for k in 0..n_outputs {
                        targets[(i, k)] +=
                            row[i] * recording.outputs[(sequence * recording.length + t) * n_outputs + k] as f64;
                    }
                }
            }
        }
        gram.fill_upper_triangle_with_lower_triangle();
        Self { max_lag, gram, targets, n_outputs, dim }
    }

    /// The snapped coefficients of one order, if every output has some.
    fn fit(&self, recording: &Recording, p: usize, q: usize) -> Option<Vec<Row>> {
        let first_input = 1 + MAX_OUTPUT_LAG * self.n_outputs;
        let columns: Vec<usize> =
            std::iter::once(0).chain(1..=p * self.n_outputs).chain(first_input..first_input + q * self.dim).collect();
        let scale: Vec<f64> = columns.iter().map(|&c| self.gram[(c, c)].sqrt().max(1e-9)).collect();
        let n = columns.len();
        let gram = DMatrix::from_fn(n, n, |i, j| self.gram[(columns[i], columns[j])] / (scale[i] * scale[j]));
        let svd = gram.svd(true, true);
        (0..self.n_outputs)
            .map(|k| {
                let target = DVector::from_fn(n, |i, _| self.targets[(columns[i], k)] / scale[i]);
                let solution = svd.solve(&target, 1e-12).ok()?;
                let raw: Vec<f64> = (0..n).map(|i| solution[i] / scale[i]).collect();
                self.snap(recording, &raw, p, q, k)
            })
            .collect()
    }

    /// The rational row nearest to `raw`, if it reproduces the outputs from the recorded lags.
    fn snap(&self, recording: &Recording, raw: &[f64], p: usize, q: usize, k: usize) -> Option<Row> {
        (1..=MAX_DENOMINATOR).find_map(|denominator| {
            let scaled = raw[1..].iter().map(|v| v * denominator as f64);
            let factors: Vec<i64> = scaled
                .map(|v| ((v - v.round()).abs() < SNAP && v.abs() < 1e6).then(|| v.round() as i64))
                .collect::<Option<_>>()?;
            if !raw[0].is_finite() || raw[0].abs() > MAX_CONSTANT {
                return None;
            }
            // The constant takes up the rounding: whatever reproduces the outputs will do, the nearest to the fit first.
            let centre = (raw[0] * denominator as f64).round() as i64 + denominator / 2;
            let offsets = (0..=2 * denominator).map(|i| if i % 2 == 0 { -(i / 2) } else { (i + 1) / 2 });
            let mut rows =
                offsets.map(|offset| Row { factors: factors.clone(), constant: centre + offset, denominator });
            rows.find(|row| row.predicts(recording, self.max_lag.max(1), p, q, k))
        })
    }
}

impl Row {
    /// The output from the values of its variables.
    fn value(&self, variables: &[i64]) -> Option<i64> {
        let mut sum = self.constant;
        for (factor, value) in self.factors.iter().zip(variables) {
            sum = sum.checked_add(factor.checked_mul(*value)?)?;
        }
        Some(sum.div_euclid(self.denominator))
    }

    /// Whether the recorded lags give nearly all recorded outputs, from element `first` on.
    fn predicts(&self, recording: &Recording, first: usize, p: usize, q: usize, k: usize) -> bool {
        let allowed = recording.n * (recording.length - first) / 500;
        let mut wrong = 0;
        for sequence in 0..recording.n {
            for t in first..recording.length {
                let point = sequence * recording.length + t;
                let outputs = (1..=p).flat_map(|lag| {
                    let at = (point - lag.min(t)) * recording.n_outputs;
                    recording.outputs[at..at + recording.n_outputs].iter()
                });
                let inputs = (0..q).flat_map(|lag| recording.element(sequence, t - lag).iter());
                let variables: Vec<i64> = outputs.chain(inputs).copied().collect();
                wrong +=
                    usize::from(self.value(&variables) != Some(recording.outputs[point * recording.n_outputs + k]));
                if wrong > allowed {
                    return false;
                }
            }
        }
        true
    }
}

impl Recurrence {
    /// Variables before the first element: `y` lags, then `x` lags 1...
    fn n_initial(&self, recording: &Recording) -> usize {
        self.output_lags * recording.n_outputs + self.input_lags.saturating_sub(1) * recording.dim
    }

    /// Outputs of a free run of one sequence from given initial values; shorter where a number leaves 64 bits.
    fn run(&self, recording: &Recording, sequence: usize, initial: &[i64]) -> Vec<i64> {
        let (n_outputs, dim) = (recording.n_outputs, recording.dim);
        let split = self.output_lags * n_outputs;
        let (mut outputs, mut inputs) = (initial[..split].to_vec(), initial[split..].to_vec());
        let mut all = Vec::with_capacity(recording.length * n_outputs);
        for t in 0..recording.length {
            let mut window = recording.element(sequence, t).to_vec();
            window.extend_from_slice(&inputs);
            window.truncate(self.input_lags * dim);
            let variables: Vec<i64> = outputs.iter().chain(&window).copied().collect();
            let Some(y) = self.rows.iter().map(|row| row.value(&variables)).collect::<Option<Vec<i64>>>() else {
                return all;
            };
            all.extend_from_slice(&y);
            outputs.splice(0..0, y);
            outputs.truncate(split);
            window.truncate(self.input_lags.saturating_sub(1) * dim);
            inputs = window;
        }
        all
    }

    fn agreement(&self, recording: &Recording, initial: &[i64]) -> f64 {
        let width = recording.length * recording.n_outputs;
        let good: usize = (0..recording.n)
            .map(|sequence| {
                let run = self.run(recording, sequence, initial);
                run.iter().zip(&recording.outputs[sequence * width..]).filter(|(a, b)| a == b).count()
            })
            .sum();
        good as f64 / recording.outputs.len().max(1) as f64
    }

    /// Finds initial values with which the free run reproduces the recording: zeros, else those that least squares
    /// gives for the first outputs, which depend on them linearly.
    fn start(&mut self, recording: &Recording, min_agreement: f64) -> Option<()> {
        let n = self.n_initial(recording);
        let zeros = vec![0; n];
        if self.agreement(recording, &zeros) >= min_agreement {
            self.initial = zeros;
            return Some(());
        }
        if self.rows.iter().any(|row| row.denominator != 1) || n == 0 || recording.n == 0 {
            return None;
        }
        let base = self.run(recording, 0, &zeros);
        let effect = |i: usize| {
            let mut unit = zeros.clone();
            unit[i] = 1;
            self.run(recording, 0, &unit)
        };
        let effects: Vec<Vec<i64>> = (0..n).map(effect).collect();
        let matrix = DMatrix::from_fn(base.len(), n, |t, i| {
            effects[i].get(t).unwrap_or(&base[t]).saturating_sub(base[t]) as f64
        });
        // The same shift in every sequence: the median over some of them ignores the network's own errors.
        let width = recording.length * recording.n_outputs;
        let runs: Vec<Vec<i64>> =
            (0..recording.n.min(25)).map(|sequence| self.run(recording, sequence, &zeros)).collect();
        let shift = DVector::from_fn(base.len(), |t, _| {
            let mut shifts: Vec<i64> = runs
                .iter()
                .enumerate()
                .map(|(sequence, run)| {
                    recording.outputs[sequence * width + t].saturating_sub(run.get(t).copied().unwrap_or(0))
                })
                .collect();
            shifts.sort_unstable();
            shifts[shifts.len() / 2] as f64
        });
        let solution = matrix.svd(true, true).solve(&shift, 1e-9).ok()?;
        let initial: Vec<i64> = solution.iter().map(|v| v.round() as i64).collect();
        if self.agreement(recording, &initial) < min_agreement {
            return None;
        }
        self.initial = initial;
        Some(())
    }

    fn program(&self, inputs: &[Symbol], build: Build) -> Option<Term> {
        let n_outputs = self.rows.len();
        let outputs: Vec<Symbol> = (0..n_outputs)
            .map(|k| Symbol::new(&if n_outputs == 1 { "y".to_owned() } else { format!("y{k}") }))
            .collect();
        let output_lags = (1..=self.output_lags).flat_map(|lag| outputs.iter().map(move |&y| lagged(y, lag - 1)));
        let input_lags = (0..self.input_lags).flat_map(|lag| inputs.iter().map(move |&x| lagged(x, lag)));
        let variables: Vec<Symbol> = output_lags.chain(input_lags).collect();
        let values: Vec<Term> = self.rows.iter().map(|row| row.term(&variables, build)).collect::<Option<_>>()?;

        let mut states = Vec::new();
        let split = self.output_lags * n_outputs;
        for (at, &name) in variables[..split].iter().enumerate() {
            let update = if at < n_outputs { values[at].clone() } else { Term::var(variables[at - n_outputs]) };
            states.push(State { name, init: self.initial[at], update });
        }
        let lags = variables[split..].iter().enumerate().skip(inputs.len());
        for (at, &name) in lags {
            let update = Term::var(variables[split + at - inputs.len()]);
            states.push(State { name, init: self.initial[split + at - inputs.len()], update });
        }
        let is_state = |k: usize| self.output_lags > 0 && self.uses_output(k);
        let results =
            (0..n_outputs).map(|k| if is_state(k) { Term::var(primed(outputs[k])) } else { values[k].clone() });
        build.program(&states, results.collect())
    }

    /// Whether a lag of output `k` occurs in any row.
    fn uses_output(&self, k: usize) -> bool {
        let n = self.rows.len();
        let lags = |row: &Row| (0..self.output_lags).any(|lag| row.factors[lag * n + k] != 0);
        self.rows.iter().any(lags)
    }
}

impl Row {
    fn term(&self, variables: &[Symbol], build: Build) -> Option<Term> {
        let terms: Vec<(i64, Term)> = self.factors.iter().zip(variables).map(|(&f, &v)| (f, Term::var(v))).collect();
        let sum = build.weighted_sum(&terms, self.constant)?;
        if self.denominator == 1 {
            Some(sum)
        } else {
            build.kernel(Kernel::Div, vec![sum, Term::int(self.denominator)])
        }
    }
}
