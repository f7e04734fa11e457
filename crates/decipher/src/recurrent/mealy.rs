//! The finite machine that the network behaves as, learnt with the network as an oracle.
//!
//! Breadth first from the initial state. Two hidden vectors are the same state if they answer alike on a set of test
//! words: all short ones, and random ones of some lengths (the rows of an observation table, Angluin 1987, with a fixed
//! set of suffixes). The output is on the transition (Mealy). Networks err: answers that lie far from an integer do not
//! count, and a ladder of allowances says what share of the others may differ.

use std::collections::BTreeMap;
use std::sync::Arc;

use dsl::{Form, Func, Table, Term};
use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use samples::{Rng, Sort, Symbol, UNDEFINED, Value, rng};

use super::build::{Build, State, primed};
use super::oracle::{Oracle, Recording, is_clear, round};
use crate::Error;

/// Shares of test words on which the answers of one state may differ, tried in turn.
const LADDER: [f64; 4] = [0.0, 0.002, 0.01, 0.03];
/// Short words are tested exhaustively while there are at most so many.
const SHORT_WORDS: usize = 260;
/// Random test words of each length.
const RANDOM_WORDS: usize = 60;
/// Elements of the longest of these: what a longer word would tell apart is hardly met.
const LONGEST_WORD: usize = 64;
/// Elements that the alphabet may have.
pub(crate) const MAX_SYMBOLS: usize = 64;
/// Steps of the network, times the square of its hidden size, that learning may cost.
const MAX_WORK: f64 = 1e10;
/// Smaller hidden sizes count as this one: the layers between are wider than the state.
const LEAST_WIDTH: f64 = 16.0;
/// Hidden vectors tested at once.
const CHUNK: usize = 128;

/// A finite machine with its output on the transitions; state 0 is the initial one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Machine {
    /// The input elements.
    pub symbols: Vec<Vec<i64>>,
    /// `next[state][symbol]`.
    pub next: Vec<Vec<usize>>,
    /// `output[state][symbol][k]`.
    pub output: Vec<Vec<Vec<i64>>>,
}

/// All elements over an alphabet of numbers, if there are at most [`MAX_SYMBOLS`].
pub(crate) fn elements(alphabet: &[i64], dim: usize) -> Option<Vec<Vec<i64>>> {
    let mut all = vec![Vec::new()];
    for _ in 0..dim {
        if all.len() * alphabet.len() > MAX_SYMBOLS {
            return None;
        }
        all = all.iter().flat_map(|e| alphabet.iter().map(move |&v| [e.as_slice(), &[v]].concat())).collect();
    }
    Some(all)
}

/// Learns the machine; `None` where it does not close within `max_states`, or agrees with the recording on less than
/// `min_agreement` of the outputs on every rung of the ladder.
///
/// # Errors
/// Where the network cannot be run.
pub(crate) fn learn(
    oracle: &dyn Oracle,
    recording: &Recording,
    symbols: &[Vec<i64>],
    max_states: usize,
    min_agreement: f64,
    seed: u64,
) -> Result<Option<Machine>, Error> {
    let mut rng = rng(seed, "recurrent test words");
    let words = Words::new(symbols, recording.length.min(LONGEST_WORD), &mut rng);
    let answers = Answers { oracle, words: &words };
    // A machine that does not close at the greatest allowance closes at none.
    let [first, .., last] = LADDER;
    let limit = |allowance: f64| answers.explore(allowance, max_states, 2 * recording.length);
    if limit(first)?.is_none() && limit(last)?.is_none() {
        return Ok(None);
    }
    for allowance in LADDER {
        if let Some(machine) = limit(allowance)? {
            let mut machine = machine;
            machine.follow_majority(recording);
            let machine = machine.minimised();
            if machine.agreement(recording) >= min_agreement {
                return Ok(Some(machine));
            }
        }
    }
    Ok(None)
}

/// Test words as a tree: each node is a word, its parent the word without the last symbol.
struct Words<'a> {
    symbols: &'a [Vec<i64>],
    /// (parent, symbol) per node, ascending by depth; `None` is the empty word.
    nodes: Vec<(Option<usize>, usize)>,
    /// Where each depth begins in `nodes`.
    depths: Vec<usize>,
}

impl<'a> Words<'a> {
    fn new(symbols: &'a [Vec<i64>], length: usize, rng: &mut Rng) -> Self {
        let mut words: Vec<Vec<usize>> = vec![vec![]];
        let mut level = words.clone();
        loop {
            level = level.iter().flat_map(|w| (0..symbols.len()).map(move |a| [w.as_slice(), &[a]].concat())).collect();
            words.extend_from_slice(&level);
            if words.len() * symbols.len() > SHORT_WORDS {
                break;
            }
        }
        for length in [3, 6, length] {
            for i in 0..RANDOM_WORDS {
                words.push(random_word(symbols.len(), length, i % 2 == 0, rng));
            }
        }
        Self::of(symbols, &words)
    }

    fn of(symbols: &'a [Vec<i64>], words: &[Vec<usize>]) -> Self {
        let longest = words.iter().map(Vec::len).max().unwrap_or(0);
        let (mut nodes, mut depths) = (Vec::new(), vec![0]);
        let mut known: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
        for depth in 1..=longest {
            for word in words.iter().filter(|word| word.len() >= depth) {
                let prefix = word[..depth].to_vec();
                if !known.contains_key(&prefix) {
                    nodes.push((known.get(&prefix[..depth - 1]).copied(), prefix[depth - 1]));
                    known.insert(prefix, nodes.len() - 1);
                }
            }
            depths.push(nodes.len());
        }
        Self { symbols, nodes, depths }
    }
}

/// Uniform, or of two symbols only: long runs show what a uniform word averages away.
fn random_word(n_symbols: usize, length: usize, uniform: bool, rng: &mut Rng) -> Vec<usize> {
    let all: Vec<usize> = (0..n_symbols).collect();
    let few: Vec<usize> = (0..2).map(|_| rng.random_range(0..n_symbols)).collect();
    let from = if uniform { &all } else { &few };
    (0..length).filter_map(|_| from.choose(rng).copied()).collect()
}

/// The answer that lay too far from an integer.
const NO_ANSWER: i64 = i64::MAX;

struct Answers<'a> {
    oracle: &'a dyn Oracle,
    words: &'a Words<'a>,
}

impl Answers<'_> {
    /// The answers of hidden vectors on every word: `[n, words * outputs]`.
    fn of(&self, hidden: &[f32]) -> Result<Vec<Vec<i64>>, Error> {
        let (width, n_outputs) = (self.oracle.hidden_dim(), self.oracle.n_outputs());
        let n = hidden.len() / width;
        let mut answers = vec![vec![NO_ANSWER; self.words.nodes.len() * n_outputs]; n];
        let mut above: Vec<f32> = hidden.to_vec();
        let mut above_start = 0;
        for depth in 1..self.words.depths.len() {
            let range = self.words.depths[depth - 1]..self.words.depths[depth];
            // Layout: node-major, so that the states of one word lie together.
            let mut from = Vec::with_capacity(range.len() * n * width);
            let mut inputs = Vec::with_capacity(range.len() * n * self.oracle.dim());
            for &(parent, symbol) in &self.words.nodes[range.clone()] {
                let block = parent.map_or(0, |p| p - above_start);
                from.extend_from_slice(&above[block * n * width..(block + 1) * n * width]);
                for _ in 0..n {
                    inputs.extend_from_slice(&self.words.symbols[symbol]);
                }
            }
            above = self.oracle.step(&from, &inputs)?;
            let raw = self.oracle.readout(&above)?;
            for (at, node) in range.clone().enumerate() {
                for (row, answer) in answers.iter_mut().enumerate() {
                    for k in 0..n_outputs {
                        let value = raw[(at * n + row) * n_outputs + k];
                        if is_clear(value) {
                            answer[node * n_outputs + k] = round(value);
                        }
                    }
                }
            }
            above_start = range.start;
        }
        Ok(answers)
    }

    /// The machine at one allowance, if it closes.
    fn explore(&self, allowance: f64, max_states: usize, max_depth: usize) -> Result<Option<Machine>, Error> {
        let (width, symbols) = (self.oracle.hidden_dim(), self.words.symbols);
        let start = self.oracle.initial(1);
        let mut signatures = self.of(&start)?;
        let mut hidden = start;
        let mut machine = Machine { symbols: symbols.to_vec(), next: Vec::new(), output: Vec::new() };
        let mut depth_ends = 1;
        let per_child = self.words.nodes.len() as f64 * (width as f64).max(LEAST_WIDTH).powi(2);
        let mut work = 0.0;
        let mut depth = 0;
        while machine.next.len() < signatures.len() {
            if machine.next.len() == depth_ends {
                depth += 1;
                depth_ends = signatures.len();
                if depth > max_depth {
                    return Ok(None);
                }
            }
            let first = machine.next.len();
            let last = depth_ends.min(first + (CHUNK / symbols.len()).max(1));
            let from: Vec<f32> =
                (first..last).flat_map(|s| hidden[s * width..(s + 1) * width].repeat(symbols.len())).collect();
            let inputs: Vec<i64> = (first..last).flat_map(|_| symbols.concat()).collect();
            let children = self.oracle.step(&from, &inputs)?;
            let raw = self.oracle.readout(&children)?;
            let outputs: Vec<Vec<i64>> =
                raw.chunks(self.oracle.n_outputs()).map(|o| o.iter().map(|&v| round(v)).collect()).collect();
            work += outputs.len() as f64 * per_child;
            if work > MAX_WORK {
                return Ok(None);
            }
            let answers = self.of(&children)?;
            let mut targets = Vec::with_capacity(answers.len());
            for (child, answer) in answers.into_iter().enumerate() {
                let known = nearest(&signatures, &answer, allowance);
                targets.push(known.unwrap_or(signatures.len()));
                if known.is_none() {
                    if signatures.len() == max_states {
                        return Ok(None);
                    }
                    signatures.push(answer);
                    hidden.extend_from_slice(&children[child * width..(child + 1) * width]);
                }
            }
            machine.next.extend(targets.chunks(symbols.len()).map(<[usize]>::to_vec));
            machine.output.extend(outputs.chunks(symbols.len()).map(<[Vec<i64>]>::to_vec));
        }
        Ok(Some(machine))
    }
}

/// The known state whose answers differ least, if they differ on at most the allowed share.
fn nearest(signatures: &[Vec<i64>], answer: &[i64], allowance: f64) -> Option<usize> {
    let allowed = (answer.len() as f64 * allowance) as usize;
    let mut best: Option<(usize, usize)> = None;
    for (state, signature) in signatures.iter().enumerate() {
        let limit = best.map_or(allowed, |(_, least)| least);
        let mut differ = 0;
        for (a, b) in signature.iter().zip(answer) {
            differ += usize::from(a != b && *a != NO_ANSWER && *b != NO_ANSWER);
            if differ > limit {
                break;
            }
        }
        if differ <= limit && best.is_none_or(|(_, least)| differ < least) {
            best = Some((state, differ));
            if differ == 0 {
                break;
            }
        }
    }
    best.map(|(state, _)| state)
}

impl Machine {
    /// The number of states.
    pub(crate) fn n_states(&self) -> usize {
        self.next.len()
    }

    /// The outputs on a sequence of symbols.
    pub(crate) fn run(&self, word: &[usize]) -> Vec<Vec<i64>> {
        let mut state = 0;
        let step = |&symbol: &usize| {
            let output = self.output[state][symbol].clone();
            state = self.next[state][symbol];
            output
        };
        word.iter().map(step).collect()
    }

    /// (state, symbol) at every point of a recording.
    fn trace(&self, recording: &Recording) -> Vec<(usize, usize)> {
        let mut trace = Vec::with_capacity(recording.n_points());
        let index: BTreeMap<&[i64], usize> = self.symbols.iter().enumerate().map(|(i, s)| (s.as_slice(), i)).collect();
        for row in 0..recording.n {
            let mut state = 0;
            for t in 0..recording.length {
                let symbol = index.get(recording.element(row, t)).copied().unwrap_or(0);
                trace.push((state, symbol));
                state = self.next[state][symbol];
            }
        }
        trace
    }

    /// Gives every transition the output that most recorded points show.
    fn follow_majority(&mut self, recording: &Recording) {
        let width = recording.n_outputs;
        let mut votes: BTreeMap<(usize, usize, usize, i64), usize> = BTreeMap::new();
        for (point, (state, symbol)) in self.trace(recording).into_iter().enumerate() {
            for k in 0..width {
                *votes.entry((state, symbol, k, recording.outputs[point * width + k])).or_default() += 1;
            }
        }
        let mut best: BTreeMap<(usize, usize, usize), (usize, i64)> = BTreeMap::new();
        for ((state, symbol, k, value), n) in votes {
            let entry = best.entry((state, symbol, k)).or_insert((0, 0));
            if n > entry.0 {
                *entry = (n, value);
            }
        }
        for ((state, symbol, k), (_, value)) in best {
            self.output[state][symbol][k] = value;
        }
    }

    /// The share of recorded outputs that the machine gives.
    pub(crate) fn agreement(&self, recording: &Recording) -> f64 {
        let width = recording.n_outputs;
        let good: usize = self
            .trace(recording)
            .into_iter()
            .enumerate()
            .map(|(point, (state, symbol))| {
                let want = &recording.outputs[point * width..(point + 1) * width];
                self.output[state][symbol].iter().zip(want).filter(|&(a, b)| a == b && *b != UNDEFINED).count()
            })
            .sum();
        let counted = recording.outputs.iter().filter(|&&output| output != UNDEFINED).count();
        good as f64 / counted.max(1) as f64
    }

    /// The machine with equivalent states merged (Moore's refinement), states numbered breadth first.
    fn minimised(&self) -> Self {
        let number = |keys: Vec<Vec<i64>>| -> (Vec<usize>, usize) {
            let partition = samples::Partition::from_keys(keys);
            (partition.classes().iter().map(|&c| c as usize).collect(), partition.n_classes())
        };
        let (mut class, mut n) = number(self.output.iter().map(|row| row.concat()).collect());
        loop {
            let keys = (0..self.n_states()).map(|state| {
                let targets = self.next[state].iter().map(|&t| class[t] as i64);
                std::iter::once(class[state] as i64).chain(targets).collect()
            });
            let (finer, n_finer) = number(keys.collect());
            let stable = n_finer == n;
            (class, n) = (finer, n_finer);
            if stable {
                break;
            }
        }
        let mut order = vec![class[0]];
        let mut machine = Self { symbols: self.symbols.clone(), next: Vec::new(), output: Vec::new() };
        let mut at = 0;
        while at < order.len() {
            let Some(state) = class.iter().position(|&c| c == order[at]) else { break };
            let targets = self.next[state].iter().map(|&target| {
                order.iter().position(|&c| c == class[target]).unwrap_or_else(|| {
                    order.push(class[target]);
                    order.len() - 1
                })
            });
            machine.next.push(targets.collect());
            machine.output.push(self.output[state].clone());
            at += 1;
        }
        machine
    }

    /// The machine as a program with tables: the last resort, and reported as what it is.
    pub(crate) fn tables(&self, inputs: &[Symbol], build: Build) -> Option<Term> {
        if !build.language.has_form(Form::Table) {
            return None;
        }
        let state = Symbol::new("s");
        let n_outputs = self.output.first()?.first()?.len();
        if self.n_states() == 1 {
            let entry = |k: usize| move |symbol: usize| self.output[0][symbol][k];
            let outputs = (0..n_outputs).map(|k| self.table(&format!("out{k}"), inputs, &entry(k)));
            return build.program(&[], outputs.collect());
        }
        let next = |s: usize, symbol: usize| self.next[s][symbol] as i64;
        let update = self.state_table("next", inputs, state, &next);
        let outputs = (0..n_outputs).map(|k| self.output_table(&format!("out{k}"), k, inputs, state));
        build.program(&[State { name: state, init: 0, update }], outputs.collect())
    }

    /// An output as a table of the state after the element where that decides it, else of state and element.
    fn output_table(&self, name: &str, k: usize, inputs: &[Symbol], state: Symbol) -> Term {
        let mut by_target: BTreeMap<usize, i64> = BTreeMap::new();
        let mut decided = true;
        for s in 0..self.n_states() {
            for symbol in 0..self.symbols.len() {
                let value = self.output[s][symbol][k];
                decided &= *by_target.entry(self.next[s][symbol]).or_insert(value) == value;
            }
        }
        if !decided {
            return self.state_table(name, inputs, state, &|s, symbol| self.output[s][symbol][k]);
        }
        let entries = by_target.into_iter().map(|(s, value)| (vec![Value::Int(s as i64)], Value::Int(value))).collect();
        let table = Table { name: Symbol::new(name), params: vec![Sort::Int], result: Sort::Int, entries };
        Term::app(Func::Table(Arc::new(table)), vec![Term::var(primed(state))])
    }

    fn state_table(&self, name: &str, inputs: &[Symbol], state: Symbol, value: &dyn Fn(usize, usize) -> i64) -> Term {
        let entries = (0..self.n_states()).flat_map(|s| {
            self.symbols.iter().enumerate().map(move |(symbol, element)| {
                let key = std::iter::once(s as i64).chain(element.iter().copied()).map(Value::Int).collect();
                (key, Value::Int(value(s, symbol)))
            })
        });
        let table = Table {
            name: Symbol::new(name),
            params: vec![Sort::Int; 1 + inputs.len()],
            result: Sort::Int,
            entries: entries.collect(),
        };
        let args = std::iter::once(state).chain(inputs.iter().copied()).map(Term::var);
        Term::app(Func::Table(Arc::new(table)), args.collect())
    }

    fn table(&self, name: &str, inputs: &[Symbol], value: &dyn Fn(usize) -> i64) -> Term {
        let entries =
            self.symbols.iter().enumerate().map(|(symbol, element)| {
                (element.iter().copied().map(Value::Int).collect(), Value::Int(value(symbol)))
            });
        let table = Table {
            name: Symbol::new(name),
            params: vec![Sort::Int; inputs.len()],
            result: Sort::Int,
            entries: entries.collect(),
        };
        Term::app(Func::Table(Arc::new(table)), inputs.iter().map(|&x| Term::var(x)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::oracle::fake::Fake;
    use super::super::test_domain;
    use super::*;

    fn machine_of(oracle: &dyn Oracle, alphabet: &[i64]) -> Option<Machine> {
        let domain = test_domain(oracle.dim(), alphabet[0], alphabet[alphabet.len() - 1], 8);
        let batch = domain.sample_longest(300, &mut rng(1, "test"));
        let recording = Recording::of(oracle, &batch).expect("runs");
        let symbols = elements(alphabet, oracle.dim()).expect("few");
        learn(oracle, &recording, &symbols, 50, 0.999, 1).expect("runs")
    }

    #[test]
    fn a_redundant_state_is_merged() {
        // Counts modulo 6, shows modulo 3.
        let oracle = Fake {
            dim: 1,
            initial: vec![0],
            n_outputs: 1,
            step: |s: &[i64], x: &[i64]| (vec![(s[0] + x[0]) % 6], vec![(s[0] + x[0]) % 3]),
        };
        let machine = machine_of(&oracle, &[0, 1]).expect("closes");
        assert_eq!(machine.n_states(), 3);
        assert_eq!(machine.run(&[1, 1, 0, 1]), [[1], [2], [2], [0]].map(|o| o.to_vec()));
    }

    #[test]
    fn an_unbounded_count_does_not_close() {
        let oracle = Fake {
            dim: 1,
            initial: vec![0],
            n_outputs: 1,
            step: |s: &[i64], x: &[i64]| (vec![s[0] + x[0]], vec![s[0] + x[0]]),
        };
        assert_eq!(machine_of(&oracle, &[0, 1]), None);
    }
}
