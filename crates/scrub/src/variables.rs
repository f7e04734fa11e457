//! Interchange interventions on the hidden state of a recurrent network: put the part of another sequence's state that
//! carries a variable into this one's, go on with this one's inputs, and see whether the network says what the program
//! says when it is continued from the state with that variable changed.
//!
//! A variable with an affine read-out is carried by a direction: the way in which the hidden state changes where the
//! variable changes and the others do not, as least squares see it. Other variables are exchanged with the whole
//! state, between sequences on which all others agree. Exchanging whole states of any two sequences tests all
//! variables together. Every test has controls: the same swap with the donors of other pairs.

use std::collections::BTreeMap;

use check::{Machine, agrees};
use graph::{Matrix, Network, Recurrence};
use nalgebra::{DMatrix, SymmetricEigen};
use rand::Rng as _;
use samples::{Column, Rng, Sort, Symbol, UNDEFINED, rng};

use crate::controls::{Controls, Draws, Extent};
use crate::statistics::p_value;
use crate::{Error, ScrubConfig};

/// What is exchanged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// The component along the direction that carries the variable.
    Direction,
    /// The whole hidden state.
    State,
}

/// What exchanging one variable, or all of them, showed.
#[derive(Clone, PartialEq, Debug)]
pub struct Exchange {
    /// The variable; `None` for all together.
    pub variable: Option<Symbol>,
    /// What was exchanged.
    pub part: Part,
    /// Outputs compared, after the exchange.
    pub outputs: usize,
    /// The share on which the network says what the program says.
    pub accuracy: f64,
    /// Outputs that the exchange changes, by the program.
    pub changed: usize,
    /// The accuracy on these; 0 where there are none.
    pub changed_accuracy: f64,
    /// The same accuracy, on average, with the hidden states of other pairs' donors.
    pub control: f64,
    /// The chance that such a control does as well.
    pub p_value: f64,
}

/// What the hidden state carries beside the program's state and outputs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Beside {
    /// Directions of the hidden space in which states differ.
    pub directions: usize,
    /// Those along which more than [`UNEXPLAINED`] of the variance is left where the program's state and outputs are
    /// known.
    pub unexplained: usize,
    /// The greatest share of the variance left along a direction.
    pub most: f64,
    /// Whether state and outputs explain by their classes of equal values; else by least squares, where there are too many.
    pub by_class: bool,
}

/// What interventions on the variables of a recurrent network showed.
#[derive(Clone, PartialEq, Debug)]
pub struct Variables {
    /// For every variable of the program one; for all together one more.
    pub exchanges: Vec<Exchange>,
    /// What else the hidden state carries.
    pub beside: Beside,
    /// Every variable along the direction of every other one: accuracies on changed outputs, held against the least that
    /// variables have along their own. Absent where no two variables have a direction.
    pub directions: Option<Controls>,
}

/// The share of variance along a direction from which on it counts as unexplained.
pub const UNEXPLAINED: f64 = 0.01;
/// Sequences that are recorded; half of them for fitting directions. They are no longer than this: what an exchange changes
/// shows before.
const SEQUENCES: usize = 600;
const LONGEST: usize = 128;
/// Pairs of every test.
const PAIRS: usize = 400;
/// Controls of every test.
const CONTROLS: usize = 39;
/// Directions with less than this share of the largest variance hold rounding noise.
const NEGLIGIBLE: f64 = 1e-9;
/// The share of points at which an affine read-out must be right to be used.
const AFFINE: f64 = 0.999;
/// Hidden numbers beyond this count as this.
const LARGEST: f32 = 1e15;

/// Exchanges every variable of a program in turn, and all together.
///
/// # Errors
/// A network that is not recurrent, a program that is no machine, or one that cannot be evaluated.
pub fn variables(network: &Network, machine: &Machine<'_>, config: &ScrubConfig) -> Result<Variables, Error> {
    let net = network.recurrence().ok_or(Error::Unsupported("no recurrence"))?;
    let test = Test::new(network, net, machine, config)?;
    let directions = test.directions();
    let mut exchanges = Vec::new();
    for (variable, &name) in machine.names().iter().enumerate() {
        let mut tried = Vec::new();
        if let Some(direction) = &directions[variable] {
            let pairs = test.pairs(variable, false, config.seed);
            tried.push(test.swap(&pairs, Some((variable, name)), Some(direction), (config.seed, CONTROLS))?);
        }
        if tried.iter().all(|swap: &Exchange| swap.changed_accuracy < 0.99) {
            let pairs = test.pairs(variable, true, config.seed);
            tried.push(test.swap(&pairs, Some((variable, name)), None, (config.seed, CONTROLS))?);
        }
        let better = |a: &Exchange, b: &Exchange| {
            a.changed_accuracy.total_cmp(&b.changed_accuracy).then(a.changed.cmp(&b.changed))
        };
        exchanges.extend(tried.into_iter().max_by(better));
    }
    let others = test.other_directions(&directions, &exchanges, config)?;
    let pairs = test.any_pairs(config.seed);
    exchanges.push(test.swap(&pairs, None, None, (config.seed, CONTROLS))?);
    Ok(Variables { exchanges, beside: test.beside(), directions: others })
}

/// A place in the recording: a sequence and an element.
type At = (usize, usize);

/// Where a base and its donor stand, and for how many elements both can go on as they were recorded.
#[derive(Clone, Copy)]
struct Pair {
    base: At,
    donor: At,
    steps: usize,
}

/// A recording with the program's state beside the network's.
struct Test<'a> {
    network: &'a Network,
    net: &'a Recurrence,
    machine: &'a Machine<'a>,
    n: usize,
    length: usize,
    dim: usize,
    inputs: Vec<i64>,
    /// Hidden states after every element.
    hidden: Vec<Matrix>,
    /// The program's states after every element: variable by variable, sequence by sequence.
    states: Vec<Vec<Vec<i64>>>,
    /// The program's outputs at every element.
    outputs: Vec<Vec<Column>>,
}

impl<'a> Test<'a> {
    fn new(
        network: &'a Network,
        net: &'a Recurrence,
        machine: &'a Machine<'a>,
        config: &ScrubConfig<'_>,
    ) -> Result<Self, Error> {
        let length = check::longest_length(&network.domain).min(LONGEST);
        let batch = network.domain.sample_of_length(SEQUENCES, length, &mut rng(config.seed, "interchange inputs"));
        let (n, dim) = (batch.n_sequences(), batch.dim());
        let mut test = Self {
            network,
            net,
            machine,
            n,
            length,
            dim,
            inputs: (0..n).flat_map(|row| batch.sequence(row).to_vec()).collect(),
            hidden: Vec::new(),
            states: Vec::new(),
            outputs: Vec::new(),
        };
        let (mut h, mut s) = (net.initial(n), machine.initial().iter().map(|&code| vec![code; n]).collect::<Vec<_>>());
        for t in 0..length {
            let at: Vec<At> = (0..n).map(|row| (row, t)).collect();
            let (x, columns) = test.elements(&at);
            h = net.step(&h, &x);
            let stepped = machine.step(&s, &columns).map_err(|error| Error::Term(error.to_string()))?;
            s = stepped.states;
            test.hidden.push(h.clone());
            test.states.push(s.clone());
            test.outputs.push(stepped.outputs);
        }
        Ok(test)
    }

    /// The elements at some places: as numbers, and as columns.
    fn elements(&self, at: &[At]) -> (Matrix, Vec<Vec<i64>>) {
        let value = |&(row, t): &At, axis: usize| self.inputs[(row * self.length + t) * self.dim + axis];
        let numbers = at.iter().flat_map(|at| (0..self.dim).map(move |axis| value(at, axis) as f32)).collect();
        let columns = (0..self.dim).map(|axis| at.iter().map(|at| value(at, axis)).collect()).collect();
        (Matrix::new(at.len(), self.dim, numbers), columns)
    }

    fn state(&self, (row, t): At) -> Vec<i64> {
        self.states[t].iter().map(|column| column[row]).collect()
    }

    fn number(&self, variable: usize, (row, t): At) -> Option<f64> {
        let sort = self.machine.sorts()[variable];
        let code = self.states[t][variable][row];
        match sort {
            Sort::Int | Sort::Bool if code != UNDEFINED => Some(code as f64),
            Sort::Real => Column::new(sort, vec![code]).value(0).as_f64(),
            _ => None,
        }
    }

    /// Places of one half of the sequences; those that one step follows.
    fn half(&self, parity: usize) -> Vec<At> {
        let rows = (0..self.n).filter(|row| row % 2 == parity);
        rows.flat_map(|row| (0..self.length).map(move |t| (row, t))).collect()
    }

    /// For every variable with an affine read-out: its weights, and the direction in which the hidden state moves where
    /// it alone changes.
    fn directions(&self) -> Vec<Option<Direction>> {
        let n_variables = self.machine.names().len();
        let mut none = Vec::new();
        none.resize_with(n_variables, || None);
        let (learn, held_out) = (self.half(0), self.half(1));
        let stride = (learn.len() / 1500).max(1);
        let thin = |places: Vec<At>| -> Vec<At> {
            // A stride without common factor with the length visits every position.
            let stride = (stride..).find(|s| !self.length.is_multiple_of(*s) || *s == 1).unwrap_or(1);
            places.into_iter().step_by(stride).collect()
        };
        let (learn, held_out) = (thin(learn), thin(held_out));
        let numbers = |places: &[At]| -> Option<DMatrix<f64>> {
            let values: Option<Vec<f64>> =
                places.iter().flat_map(|&at| (0..n_variables).map(move |v| self.number(v, at))).collect();
            Some(DMatrix::from_row_slice(places.len(), n_variables, &values?))
        };
        let hidden = |places: &[At]| {
            let d = self.net.hidden_dim();
            DMatrix::from_fn(places.len(), d, |i, j| clamped(self.hidden[places[i].1].at(places[i].0, j)))
        };
        let (Some(s), Some(s_test)) = (numbers(&learn), numbers(&held_out)) else { return none };
        let (h, h_test) = (hidden(&learn), hidden(&held_out));
        let (Some(read), Some(moves)) = (least_squares(&h, &s), least_squares(&s, &h)) else { return none };
        let right = |variable: usize| {
            let guess = |row: usize| {
                let dot: f64 = (0..h_test.ncols()).map(|j| h_test[(row, j)] * read[(j, variable)]).sum();
                dot + read[(h_test.ncols(), variable)]
            };
            let hits = (0..h_test.nrows()).filter(|&row| (guess(row) - s_test[(row, variable)]).abs() < 0.5).count();
            hits as f64 >= AFFINE * h_test.nrows() as f64
        };
        let all: Vec<bool> = (0..n_variables).map(right).collect();
        let direction = |variable: usize| Direction {
            read: (0..h.ncols()).map(|j| read[(j, variable)]).collect(),
            moves: (0..h.ncols()).map(|j| moves[(variable, j)]).collect(),
        };
        (0..n_variables).map(|variable| all[variable].then(|| direction(variable))).collect()
    }

    /// Pairs that differ in a variable; `alone`: and in no other.
    fn pairs(&self, variable: usize, alone: bool, seed: u64) -> Vec<Pair> {
        let mut rng = rng(seed, &format!("interchange pairs {variable} {alone}"));
        let places: Vec<At> = self.half(1).into_iter().filter(|at| at.1 + 1 < self.length).collect();
        let mut groups: BTreeMap<Vec<i64>, Vec<At>> = BTreeMap::new();
        for &at in &places {
            let mut key = self.state(at);
            if alone {
                key[variable] = 0;
            } else {
                key.clear();
            }
            groups.entry(key).or_default().push(at);
        }
        let groups: Vec<Vec<At>> = groups.into_values().collect();
        let mut pairs = Vec::new();
        let own = |at: At| self.states[at.1][variable][at.0];
        for _ in 0..40 * PAIRS {
            if pairs.len() == PAIRS || places.is_empty() {
                break;
            }
            // Groups by size: every place is as likely as any other.
            let mut pick = rng.random_range(0..places.len());
            let group = groups.iter().find(|group| {
                let here = pick < group.len();
                pick = pick.wrapping_sub(if here { 0 } else { group.len() });
                here
            });
            let Some(group) = group else { break };
            let (base, donor) = (group[rng.random_range(0..group.len())], group[rng.random_range(0..group.len())]);
            if own(base) != own(donor) {
                pairs.push(self.pair(base, donor));
            }
        }
        pairs
    }

    /// Pairs of any two places, half of them at the same element.
    fn any_pairs(&self, seed: u64) -> Vec<Pair> {
        let mut rng = rng(seed, "interchange pairs");
        let rows: Vec<usize> = (0..self.n).filter(|row| row % 2 == 1).collect();
        if self.length < 2 || rows.is_empty() {
            return Vec::new();
        }
        let draw = |rng: &mut Rng| (rows[rng.random_range(0..rows.len())], rng.random_range(0..self.length - 1));
        (0..PAIRS)
            .map(|i| {
                let (base, mut donor) = (draw(&mut rng), draw(&mut rng));
                if i % 2 == 0 {
                    donor.1 = base.1;
                }
                self.pair(base, donor)
            })
            .collect()
    }

    /// Both go on for as many elements as the lengths of the domain leave to either.
    fn pair(&self, base: At, donor: At) -> Pair {
        Pair { base, donor, steps: self.length - 1 - base.1.max(donor.1) }
    }

    /// Every variable that was exchanged along a direction of its own, along those of the others. Directions that are read in
    /// the same way are one, and left out.
    fn other_directions(
        &self,
        directions: &[Option<Direction>],
        exchanges: &[Exchange],
        config: &ScrubConfig<'_>,
    ) -> Result<Option<Controls>, Error> {
        let own = |name: Symbol| {
            exchanges.iter().find(|e| e.variable == Some(name) && e.part == Part::Direction).map(|e| e.changed_accuracy)
        };
        let named = directions.iter().zip(self.machine.names()).enumerate();
        let along: Vec<(usize, Symbol, &Direction, f64)> = named
            .filter_map(|(place, (direction, &name))| Some((place, name, direction.as_ref()?, own(name)?)))
            .collect();
        if along.len() < 2 || config.controls == 0 {
            return Ok(None);
        }
        let observed = along.iter().map(|own| own.3).fold(f64::INFINITY, f64::min);
        let pairs = (0..along.len()).flat_map(|a| (0..along.len()).map(move |b| (a, b))).filter(|(a, b)| a != b);
        let (alike, different): (Vec<_>, Vec<_>) = pairs.partition(|&(a, b)| along[a].2.is_read_like(along[b].2));
        if different.is_empty() {
            return Ok(None);
        }
        let draws = Draws { n: different.len(), extent: Extent::All, seed: config.seed, late: config.late };
        let other = |draw: usize| {
            let (variable, name, ..) = along[different[draw].0];
            let pairs = self.pairs(variable, false, config.seed);
            let direction = along[different[draw].1].2;
            let found = self.swap(&pairs, Some((variable, name)), Some(direction), (config.seed, 0))?;
            Ok(Some(found.changed_accuracy))
        };
        let found = draws.run(observed, other)?;
        Ok(Some(found.without(alike.len())))
    }

    /// Exchanges and goes on, and compares with the program and with some controls.
    fn swap(
        &self,
        pairs: &[Pair],
        variable: Option<(usize, Symbol)>,
        direction: Option<&Direction>,
        (seed, n_controls): (u64, usize),
    ) -> Result<Exchange, Error> {
        let own: Vec<Vec<i64>> = pairs.iter().map(|pair| self.state(pair.base)).collect();
        let target = |pair: &Pair, own: &Vec<i64>| -> Vec<i64> {
            let donor = self.state(pair.donor);
            match variable {
                None => donor,
                Some((variable, _)) => {
                    let mut state = own.clone();
                    state[variable] = donor[variable];
                    state
                }
            }
        };
        let targets: Vec<Vec<i64>> = pairs.iter().zip(&own).map(|(pair, own)| target(pair, own)).collect();
        let expected = self.continued(pairs, &targets)?;
        let unchanged = self.continued(pairs, &own)?;
        let score = |donors: &[At]| {
            let got = self.run(pairs, donors, direction);
            self.count(pairs, &got, &expected, &unchanged)
        };
        let donors: Vec<At> = pairs.iter().map(|pair| pair.donor).collect();
        let [outputs, right, changed, changed_right] = score(&donors);
        let share = |a: usize, b: usize| if b == 0 { 0.0 } else { a as f64 / b as f64 };
        let observed = share(changed_right, changed);
        let mut rng = rng(seed, &format!("interchange controls {:?}", variable.map(|(v, _)| v)));
        let controls: Vec<f64> = (0..if changed == 0 { 0 } else { n_controls })
            .map(|_| {
                let shift: Vec<At> = (0..donors.len()).map(|_| donors[rng.random_range(0..donors.len())]).collect();
                let [_, _, changed, right] = score(&shift);
                share(right, changed)
            })
            .collect();
        Ok(Exchange {
            variable: variable.map(|(_, name)| name),
            part: if direction.is_some() { Part::Direction } else { Part::State },
            outputs,
            accuracy: share(right, outputs),
            changed,
            changed_accuracy: observed,
            control: controls.iter().fold(0.0, |sum, value| sum + value) / controls.len().max(1) as f64,
            p_value: p_value(observed, &controls),
        })
    }

    /// The program's outputs from given states on, with the bases' inputs; one step after the other.
    fn continued(&self, pairs: &[Pair], states: &[Vec<i64>]) -> Result<Vec<Vec<Column>>, Error> {
        let longest = pairs.iter().map(|pair| pair.steps).max().unwrap_or(0);
        let n_variables = self.machine.names().len();
        let mut columns: Vec<Vec<i64>> =
            (0..n_variables).map(|k| states.iter().map(|state| state[k]).collect()).collect();
        let mut outputs = Vec::with_capacity(longest);
        for step in 1..=longest {
            let stepped = self
                .machine
                .step(&columns, &self.elements(&self.later(pairs, step)).1)
                .map_err(|error| Error::Term(error.to_string()))?;
            columns = stepped.states;
            outputs.push(stepped.outputs);
        }
        Ok(outputs)
    }

    /// Where the bases are some elements later; pairs that have ended stay at the last one.
    fn later(&self, pairs: &[Pair], step: usize) -> Vec<At> {
        pairs.iter().map(|pair| (pair.base.0, (pair.base.1 + step).min(self.length - 1))).collect()
    }

    /// The network's outputs after the exchange.
    fn run(&self, pairs: &[Pair], donors: &[At], direction: Option<&Direction>) -> Vec<Vec<Column>> {
        let d = self.net.hidden_dim();
        let longest = pairs.iter().map(|pair| pair.steps).max().unwrap_or(0);
        let mut h = Matrix::zeros(pairs.len(), d);
        for (i, (pair, donor)) in pairs.iter().zip(donors).enumerate() {
            let (a, b) = (self.hidden[pair.base.1].row(pair.base.0), self.hidden[donor.1].row(donor.0));
            let row = h.row_mut(i);
            match direction {
                None => row.copy_from_slice(b),
                Some(direction) => {
                    let difference: f64 = direction
                        .read
                        .iter()
                        .zip(a.iter().zip(b))
                        .map(|(w, (&a, &b))| w * (f64::from(b) - f64::from(a)))
                        .sum();
                    for ((to, &a), &m) in row.iter_mut().zip(a).zip(&direction.moves) {
                        *to = (f64::from(a) + m * difference) as f32;
                    }
                }
            }
        }
        (1..=longest)
            .map(|step| {
                h = self.net.step(&h, &self.elements(&self.later(pairs, step)).0);
                self.network.decode(&self.net.readout(&h))
            })
            .collect()
    }

    /// Outputs; right ones; changed ones; right ones among these.
    fn count(
        &self,
        pairs: &[Pair],
        got: &[Vec<Column>],
        expected: &[Vec<Column>],
        unchanged: &[Vec<Column>],
    ) -> [usize; 4] {
        let decode = &self.network.domain.decode;
        let mut counts = [0; 4];
        for (step, ((got, expected), unchanged)) in got.iter().zip(expected).zip(unchanged).enumerate() {
            for (i, _) in pairs.iter().enumerate().filter(|(_, pair)| step < pair.steps) {
                if got.iter().any(|column| column.codes[i] == UNDEFINED) {
                    continue;
                }
                let right = got.iter().zip(expected).all(|(a, b)| agrees(decode, a.value(i), b.value(i)));
                let changed = expected.iter().zip(unchanged).any(|(a, b)| a.codes[i] != b.codes[i]);
                counts[0] += 1;
                counts[1] += usize::from(right);
                counts[2] += usize::from(changed);
                counts[3] += usize::from(right && changed);
            }
        }
        counts
    }

    /// How much of the hidden state's variance is left where the program's state and outputs are known.
    fn beside(&self) -> Beside {
        let places: Vec<At> = self.half(0).into_iter().chain(self.half(1)).collect();
        let d = self.net.hidden_dim();
        let rows: Vec<Vec<f64>> =
            places.iter().map(|&(row, t)| self.hidden[t].row(row).iter().map(|&v| clamped(v)).collect()).collect();
        let key = |&(row, t): &At| -> Vec<i64> {
            let outputs = self.outputs[t].iter().map(|column| column.codes[row]);
            self.state((row, t)).into_iter().chain(outputs).collect()
        };
        let keys: Vec<Vec<i64>> = places.iter().map(key).collect();
        let mut classes: BTreeMap<&[i64], Vec<usize>> = BTreeMap::new();
        for (i, key) in keys.iter().enumerate() {
            classes.entry(key).or_default().push(i);
        }
        let by_class = classes.len() * 8 <= rows.len();
        let total = centred(&rows, [(0..rows.len()).collect()].iter());
        let left = if by_class {
            centred(&rows, classes.values())
        } else {
            let numbers = DMatrix::from_fn(rows.len(), keys[0].len(), |i, j| keys[i][j] as f64);
            let hidden = DMatrix::from_fn(rows.len(), d, |i, j| rows[i][j]);
            match least_squares(&numbers, &hidden) {
                Some(fit) => residual(&numbers, &hidden, &fit),
                None => total.clone(),
            }
        };
        let shares = relative(&total, &left);
        Beside {
            directions: shares.len(),
            unexplained: shares.iter().filter(|&&share| share > UNEXPLAINED).count(),
            most: shares.iter().copied().fold(0.0, f64::max),
            by_class,
        }
    }
}

/// How a variable is read from the hidden state, and how the state moves with it.
struct Direction {
    read: Vec<f64>,
    moves: Vec<f64>,
}

/// Directions whose read-outs enclose an angle with a greater cosine are one.
const ALIKE: f64 = 0.99;

impl Direction {
    /// Whether two variables are read from the hidden state in the same way, but for a factor.
    fn is_read_like(&self, other: &Self) -> bool {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let (a, b) = (&self.read, &other.read);
        dot(a, b).abs() > ALIKE * (dot(a, a) * dot(b, b)).sqrt()
    }
}

fn clamped(value: f32) -> f64 {
    // What left the range of numbers tells nothing apart, and would spoil every mean.
    if value.is_finite() { f64::from(value.clamp(-LARGEST, LARGEST)) } else { 0.0 }
}

/// `[inputs + 1, outputs]`: the affine map from the rows of one matrix to those of another, of least norm.
fn least_squares(from: &DMatrix<f64>, to: &DMatrix<f64>) -> Option<DMatrix<f64>> {
    let wide = from.clone().insert_column(from.ncols(), 1.0);
    let scale: Vec<f64> = (0..wide.ncols()).map(|j| wide.column(j).amax().max(1e-300)).collect();
    let scaled = DMatrix::from_fn(wide.nrows(), wide.ncols(), |i, j| wide[(i, j)] / scale[j]);
    let solution = scaled.svd(true, true).solve(to, 1e-9).ok()?;
    Some(DMatrix::from_fn(solution.nrows(), solution.ncols(), |i, j| solution[(i, j)] / scale[i]))
}

/// The scatter of rows around the mean of their class.
fn centred<'a>(rows: &[Vec<f64>], classes: impl Iterator<Item = &'a Vec<usize>>) -> DMatrix<f64> {
    let d = rows.first().map_or(0, Vec::len);
    let mut scatter = DMatrix::zeros(d, d);
    for members in classes {
        let n = members.len() as f64;
        let mean: Vec<f64> = (0..d).map(|j| members.iter().map(|&i| rows[i][j]).sum::<f64>() / n).collect();
        for &i in members {
            let difference = nalgebra::DVector::from_iterator(d, rows[i].iter().zip(&mean).map(|(a, b)| a - b));
            scatter += &difference * difference.transpose();
        }
    }
    scatter
}

/// The scatter of what a fit leaves.
fn residual(from: &DMatrix<f64>, to: &DMatrix<f64>, fit: &DMatrix<f64>) -> DMatrix<f64> {
    let left = to - from.clone().insert_column(from.ncols(), 1.0) * fit;
    left.transpose() * left
}

/// The generalised eigenvalues of one scatter relative to another, in the directions in which that is not negligible.
fn relative(total: &DMatrix<f64>, left: &DMatrix<f64>) -> Vec<f64> {
    let eigen = SymmetricEigen::new(total.clone());
    let largest = eigen.eigenvalues.iter().copied().fold(0.0, f64::max);
    let kept: Vec<usize> = (0..eigen.eigenvalues.len())
        .filter(|&i| largest > 0.0 && eigen.eigenvalues[i] > largest * NEGLIGIBLE)
        .collect();
    // A state that never varies has no directions.
    if kept.is_empty() {
        return Vec::new();
    }
    let white = DMatrix::from_fn(total.nrows(), kept.len(), |i, k| {
        eigen.eigenvectors[(i, kept[k])] / eigen.eigenvalues[kept[k]].sqrt()
    });
    let inner = white.transpose() * left * &white;
    SymmetricEigen::new(inner).eigenvalues.iter().map(|share| share.clamp(0.0, 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_never_varies_has_no_directions() {
        let nothing = DMatrix::zeros(3, 3);
        assert_eq!(relative(&nothing, &nothing), [0.0; 0]);
        let one = DMatrix::from_diagonal_element(1, 1, 4.0);
        assert_eq!(relative(&one, &(&one * 0.25)), [0.25]);
    }
}
