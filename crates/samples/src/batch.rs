//! Batches of input sequences, and where their elements lie in a column.

use crate::Partition;

/// Input sequences. An element is `dim` integers: the numbers themselves, or one token id.
///
/// Every sequence has an *origin*, the position id of its first element, for networks with absolute positions that were
/// trained at random offsets; 0 unless said otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Batch {
    dim: usize,
    ids: Vec<i64>,
    offsets: Vec<usize>,
    origins: Vec<i64>,
}

impl Batch {
    /// An empty batch of sequences whose elements are `dim` integers each.
    pub fn new(dim: usize) -> Self {
        Self { dim, ids: Vec::new(), offsets: vec![0], origins: Vec::new() }
    }

    /// A batch from whole sequences, each flat: `dim` integers per element.
    pub fn from_sequences<S: AsRef<[i64]>>(dim: usize, sequences: impl IntoIterator<Item = S>) -> Self {
        let mut batch = Self::new(dim);
        for sequence in sequences {
            batch.push(sequence.as_ref());
        }
        batch
    }

    /// Appends a sequence, flat: `dim` integers per element; a rest that makes no whole element is dropped.
    pub fn push(&mut self, sequence: &[i64]) {
        self.push_at(sequence, 0);
    }

    /// Appends a sequence as [`Batch::push`] does, with the position id of its first element.
    pub fn push_at(&mut self, sequence: &[i64], origin: i64) {
        self.origins.push(origin);
        let n_elements = sequence.len() / self.dim.max(1);
        self.ids.extend_from_slice(&sequence[..n_elements * self.dim]);
        self.offsets.push(self.offsets[self.offsets.len() - 1] + n_elements);
    }

    /// Appends the sequences of another batch of the same `dim`.
    pub fn extend(&mut self, other: &Self) {
        for row in 0..other.n_sequences() {
            self.push_at(other.sequence(row), other.origin(row));
        }
    }

    /// Integers per element.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The number of sequences.
    pub fn n_sequences(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no sequence.
    pub fn is_empty(&self) -> bool {
        self.n_sequences() == 0
    }

    /// The sequence at `row`, flat: `dim` integers per element.
    pub fn sequence(&self, row: usize) -> &[i64] {
        &self.ids[self.offsets[row] * self.dim..self.offsets[row + 1] * self.dim]
    }

    /// The position id of the first element of the sequence at `row`.
    pub fn origin(&self, row: usize) -> i64 {
        self.origins[row]
    }

    /// Elements of the sequence at `row`.
    pub fn length(&self, row: usize) -> usize {
        self.offsets[row + 1] - self.offsets[row]
    }

    /// Coordinate `axis` of every element, over all points.
    pub fn coordinate(&self, axis: usize) -> Vec<i64> {
        self.ids.iter().skip(axis).step_by(self.dim).copied().collect()
    }

    /// Where the sequences lie in a column.
    pub fn points(&self) -> Points {
        Points { offsets: self.offsets.clone() }
    }

    /// Some of the sequences, in the order given.
    pub fn select(&self, rows: &[usize]) -> Self {
        let mut chosen = Self::new(self.dim);
        for &row in rows {
            chosen.push_at(self.sequence(row), self.origin(row));
        }
        chosen
    }

    /// Which sequences are equal, wherever they begin.
    pub fn equal_sequences(&self) -> Partition {
        Partition::from_keys((0..self.n_sequences()).map(|row| self.sequence(row)))
    }

    /// The rows that have each length, ascending by length: networks run rectangles.
    pub fn rows_by_length(&self) -> Vec<(usize, Vec<usize>)> {
        let mut groups: std::collections::BTreeMap<usize, Vec<usize>> = std::collections::BTreeMap::new();
        for row in 0..self.n_sequences() {
            groups.entry(self.length(row)).or_default().push(row);
        }
        groups.into_iter().collect()
    }
}

/// Where sequences lie in a column: the points of sequence `i` are `offsets[i] .. offsets[i + 1]`, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Points {
    offsets: Vec<usize>,
}

impl Points {
    /// Points of sequences with the given lengths.
    pub fn from_lengths(lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut offsets = vec![0];
        for length in lengths {
            offsets.push(offsets[offsets.len() - 1] + length);
        }
        Self { offsets }
    }

    /// The number of points.
    pub fn len(&self) -> usize {
        self.offsets[self.offsets.len() - 1]
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of sequences.
    pub fn n_sequences(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The points of the sequence at `row`.
    pub fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.offsets[row]..self.offsets[row + 1]
    }

    /// The points of every sequence in turn.
    pub fn ranges(&self) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        self.offsets.windows(2).map(|pair| pair[0]..pair[1])
    }

    /// The sequence and the position within it of a point.
    pub fn locate(&self, point: usize) -> (usize, usize) {
        let row = self.offsets.partition_point(|&start| start <= point) - 1;
        (row, point - self.offsets[row])
    }

    /// The length of the longest sequence.
    pub fn max_length(&self) -> usize {
        self.offsets.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
    }
}
