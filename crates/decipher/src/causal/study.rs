//! What is known of a causal network before any program: its inputs, its outputs, and the yardstick.
//!
//! A program sees tokens alone, the network sees absolute positions as well: no program can be expected to match it better
//! than it matches itself at other positions. That share is the yardstick, and it is measured first.

use dsl::{Env, Term};
use graph::Network;
use rand::Rng as _;
use samples::{Batch, Column, Elements, Points, Symbol, UNDEFINED, Value, rng};

use crate::{Config, Error};

/// Sequences that are looked at.
const SEQUENCES: usize = 1_000;

/// Inputs with what the network makes of them.
pub(super) struct Study<'a> {
    pub(super) network: &'a Network,
    pub(super) batch: Batch,
    pub(super) points: Points,
    /// What a program sees.
    pub(super) vars: Vec<(Symbol, Column)>,
    /// The network's decoded output.
    pub(super) output: Column,
    /// Whether the output counts.
    pub(super) scored: Vec<bool>,
}

/// What a program of tokens can be measured by.
#[derive(Clone, PartialEq, Debug)]
pub struct Yardstick {
    /// Sequences that were run again at other positions.
    pub sequences: usize,
    /// The share of them with the same output wherever it counts.
    pub self_agreement: f64,
    /// The entropy of the outputs that count, in bits. 0: the network is constant.
    pub entropy: f64,
}

impl<'a> Study<'a> {
    /// Runs the network on the recorded inputs, or on drawn ones where there are none.
    ///
    /// # Errors
    /// Where the network cannot be run, or its output is no single column.
    pub(super) fn of(network: &'a Network, config: &Config) -> Result<Self, Error> {
        let (batch, scored) = match &network.domain.elements {
            Elements::Recorded { inputs, scored, .. } => {
                let rows: Vec<usize> = (0..inputs.n_sequences().min(SEQUENCES)).collect();
                let n_points = rows.iter().map(|&row| inputs.length(row)).sum();
                (inputs.select(&rows), scored.iter().copied().take(n_points).collect())
            }
            _ => {
                let batch = network.domain.sample(SEQUENCES / 2, &mut rng(config.seed, "causal: inputs"));
                let n = batch.points().len();
                (batch, vec![true; n])
            }
        };
        Ok(Self::with(network, batch, scored)?.trimmed())
    }

    /// A study whose outputs are known.
    #[cfg(test)]
    pub(super) fn known(network: &'a Network, batch: Batch, outputs: Vec<i64>, scored: Vec<bool>) -> Self {
        let (points, vars) = (batch.points(), network.domain.columns(&batch));
        let output = Column::new(samples::Sort::Symbol, outputs);
        Self { network, batch, points, vars, output, scored }
    }

    fn with(network: &'a Network, batch: Batch, mut scored: Vec<bool>) -> Result<Self, Error> {
        let mut outputs = network.outputs(&batch).map_err(|error| Error::Network(error.to_string()))?;
        let output = outputs.pop().ok_or_else(|| Error::Network("it has no output".to_owned()))?;
        for (scored, &code) in scored.iter_mut().zip(&output.codes) {
            *scored &= code != UNDEFINED;
        }
        let (points, vars) = (batch.points(), network.domain.columns(&batch));
        Ok(Self { network, batch, points, vars, output, scored })
    }

    /// Inputs made of the recorded ones: the beginning of one and the end of another. Where outputs count at all elements,
    /// the network says something of each; where they follow a separator there are none, since the answer is a part of
    /// the input.
    ///
    /// # Errors
    /// Where the network cannot be run.
    pub(super) fn recombined(&self, n: usize, longest: usize, config: &Config) -> Result<Option<Self>, Error> {
        let ranges: Vec<std::ops::Range<usize>> = self.points.ranges().collect();
        let whole = |range: &std::ops::Range<usize>| range.clone().all(|point| self.scored[point]);
        if ranges.is_empty() || !ranges.iter().all(whole) {
            return Ok(None);
        }
        let mut rng = rng(config.seed, "causal: recombined");
        let reached = self.reached();
        let mut batch = Batch::new(self.batch.dim());
        for _ in 0..n {
            let [first, second] = [0; 2].map(|_| rng.random_range(0..ranges.len()));
            let (a, b) = (self.batch.sequence(first), self.batch.sequence(second));
            // The first element opens every sequence.
            let begin = rng.random_range(1..=a.len().min(longest / 2));
            let rest = &b[rng.random_range(1..=b.len())..];
            let mut sequence = a[..begin].to_vec();
            sequence.extend(rest.iter().take(longest - begin));
            sequence.truncate(usize::try_from(reached).unwrap_or(0).max(1));
            let origin = self.batch.origin(first).min(self.batch.origin(second));
            batch.push_at(&sequence, origin.min(reached - sequence.len() as i64).max(0));
        }
        let n_points = batch.points().len();
        Self::with(self.network, batch, vec![true; n_points]).map(Some)
    }

    /// The same without what follows the last output that counts, and without sequences in which none does.
    fn trimmed(self) -> Self {
        let end = |range: std::ops::Range<usize>| {
            let last = range.clone().rev().find(|&point| self.scored[point]);
            last.map_or(0, |last| last + 1 - range.start)
        };
        let ends: Vec<usize> = self.points.ranges().map(end).collect();
        let rows: Vec<usize> = (0..ends.len()).filter(|&row| ends[row] > 0).collect();
        let lengths: Vec<usize> = rows.iter().map(|&row| ends[row]).collect();
        self.rows(&rows).cut(&lengths)
    }

    /// Some of the sequences, in the order given.
    pub(super) fn rows(&self, rows: &[usize]) -> Self {
        let points: Vec<usize> = rows.iter().flat_map(|&row| self.points.range(row)).collect();
        let batch = self.batch.select(rows);
        self.at(&points, batch)
    }

    /// The same with every sequence cut to at most so many elements: a causal network's outputs do not change by that.
    pub(super) fn cut(&self, lengths: &[usize]) -> Self {
        let kept = |row: usize| {
            let range = self.points.range(row);
            range.start..range.end.min(range.start + lengths[row])
        };
        let points: Vec<usize> = (0..self.points.n_sequences()).flat_map(kept).collect();
        let mut batch = Batch::new(self.batch.dim());
        for (row, &length) in lengths.iter().enumerate() {
            let sequence = self.batch.sequence(row);
            batch.push_at(&sequence[..sequence.len().min(length)], self.batch.origin(row));
        }
        self.at(&points, batch)
    }

    /// What is known at some of the points, which are those of a batch.
    fn at(&self, points: &[usize], batch: Batch) -> Self {
        Self {
            network: self.network,
            points: batch.points(),
            vars: self.vars.iter().map(|(name, column)| (*name, column.select(points))).collect(),
            output: self.output.select(points),
            scored: points.iter().map(|&point| self.scored[point]).collect(),
            batch,
        }
    }

    /// The values of a term on the inputs.
    pub(super) fn values(&self, term: &Term, config: &Config) -> Result<Column, Error> {
        let env = Env { language: config.language, points: &self.points, vars: &self.vars, causal: true };
        dsl::eval(term, &env).map_err(|error| Error::Term(error.to_string()))
    }

    /// The tokens of the vocabulary, in order.
    pub(super) fn vocabulary(&self) -> Vec<Symbol> {
        match &self.network.domain.elements {
            Elements::Recorded { vocab, .. } | Elements::Tokens { vocab, .. } => vocab
                .iter()
                .filter_map(|&value| if let Value::Symbol(token) = value { Some(token) } else { None })
                .collect(),
            Elements::Integers { .. } => Vec::new(),
        }
    }

    /// The token at every point.
    pub(super) fn tokens(&self) -> &Column {
        &self.vars[0].1
    }

    /// The points that count.
    pub(super) fn counted(&self) -> Vec<usize> {
        (0..self.points.len()).filter(|&point| self.scored[point]).collect()
    }

    /// Whether a column agrees with the output wherever it counts, sequence by sequence; none where nothing counts.
    pub(super) fn agreeing(&self, values: &Column) -> Vec<Option<bool>> {
        let same = |point: usize| values.codes[point] == self.output.codes[point];
        self.points
            .ranges()
            .map(|range| {
                let mut counted = range.filter(|&point| self.scored[point]).peekable();
                counted.peek().is_some().then(|| counted.all(same))
            })
            .collect()
    }

    /// The share of sequences on which a column agrees with the output wherever it counts.
    pub(super) fn agreement(&self, values: &Column) -> f64 {
        let rows: Vec<bool> = self.agreeing(values).into_iter().flatten().collect();
        rows.iter().filter(|&&same| same).count() as f64 / rows.len().max(1) as f64
    }

    /// The position after the last one that the inputs reach: what lies beyond is untrained, or not there.
    fn reached(&self) -> i64 {
        let rows = 0..self.batch.n_sequences();
        rows.map(|row| self.batch.origin(row) + self.batch.length(row) as i64).max().unwrap_or(0)
    }

    /// Measures the network against itself at other positions.
    ///
    /// # Errors
    /// Where the network cannot be run.
    pub(super) fn yardstick(&self, config: &Config) -> Result<Yardstick, Error> {
        let room = usize::try_from(self.reached()).unwrap_or(0);
        let mut rng = rng(config.seed, "causal: origins");
        let mut moved = Batch::new(self.batch.dim());
        for row in 0..self.batch.n_sequences() {
            let free = room.saturating_sub(self.batch.length(row));
            moved.push_at(self.batch.sequence(row), rng.random_range(0..=free as i64));
        }
        let again = Self::with(self.network, moved, self.scored.clone())?;
        let counted: Vec<i64> = self.counted().into_iter().map(|point| self.output.codes[point]).collect();
        Ok(Yardstick {
            sequences: self.batch.n_sequences(),
            self_agreement: self.agreement(&again.output),
            entropy: entropy(&counted),
        })
    }
}

/// The entropy of the values in bits.
pub(super) fn entropy(codes: &[i64]) -> f64 {
    let mut sorted = codes.to_vec();
    sorted.sort_unstable();
    let n = sorted.len() as f64;
    let share = |group: &[i64]| group.len() as f64 / n;
    // Negative zero is zero.
    sorted.chunk_by(|a, b| a == b).map(|group| -share(group) * share(group).log2()).sum::<f64>().max(0.0)
}
