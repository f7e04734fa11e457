//! Domains: the inputs that a network is meant for, and how its outputs are decoded.

use rand::Rng as _;
use rand::SeedableRng as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};

use crate::{Batch, Column, Sort, Symbol, Value, encode_value};

/// The generator behind everything random. Streams of one seed are independent.
pub type Rng = rand_chacha::ChaCha8Rng;

/// The generator for a seed and a named purpose, so that drawing more for one purpose never shifts another.
pub fn rng(seed: u64, purpose: &str) -> Rng {
    // FNV-1a: stable over platforms and releases, which std's hashers do not promise.
    let stream = purpose
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut rng = Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// What an input element can be.
#[derive(Clone, PartialEq, Debug)]
pub enum Elements {
    /// `dim` integers, each within `lo ..= hi`.
    Integers {
        /// Numbers per element.
        dim: usize,
        /// The least value of every coordinate.
        lo: i64,
        /// The greatest value of every coordinate.
        hi: i64,
    },
    /// One token of a vocabulary.
    Tokens {
        /// The value of every token id; see [`Domain::atoms`] for how JSON values become these.
        vocab: Vec<Value>,
        /// The token that the network wants before every sequence; not part of a batch.
        bos: Option<usize>,
        /// A token that no input holds.
        pad: Option<usize>,
        /// Whether the tokens of a sequence must all differ.
        distinct: bool,
    },
    /// Sequences like those given: nothing else is known of the domain.
    Recorded {
        /// The value of every token id.
        vocab: Vec<Value>,
        /// The inputs given, special tokens included, with their origins.
        inputs: Batch,
        /// Whether the output counts, per point of `inputs`.
        scored: Vec<bool>,
    },
}

/// How the outputs of a network are read as values.
#[derive(Clone, PartialEq, Debug)]
pub enum Decode {
    /// Every raw output is rounded to the nearest integer.
    Round,
    /// The index of the largest output names the value. Where the two largest differ by less than [`Decode::TIE`] the output
    /// is undefined and does not count.
    Argmax(Vec<Value>),
    /// The single output is the number; equal within [`Decode::NUMBER`].
    Number,
    /// The largest output names the next token.
    NextToken,
    /// Every token whose output is positive may come next.
    LegalTokens,
}

impl Decode {
    /// Where the two largest of a category's outputs are closer than this, none of them is the largest.
    pub const TIE: f64 = 1e-3;
    /// Numbers that differ by no more are the same output.
    pub const NUMBER: f64 = 1e-2;
}

/// The inputs that a network is meant for, and how its outputs are decoded.
#[derive(Clone, PartialEq, Debug)]
pub struct Domain {
    /// What an element can be.
    pub elements: Elements,
    /// The least and the greatest number of elements of a sequence.
    pub length: (usize, usize),
    /// How outputs are read.
    pub decode: Decode,
    /// Raw outputs per element: columns of the decoded output for [`Decode::Round`], else 1.
    pub n_outputs: usize,
}

/// What is wrong with a domain.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum DomainError {
    /// The range of lengths is empty or too large.
    #[error("the lengths {min} to {max} are not a range within 1 to {limit}")]
    Length {
        /// Given.
        min: usize,
        /// Given.
        max: usize,
        /// The greatest length that is accepted.
        limit: usize,
    },
    /// The range of values is empty.
    #[error("the value range {lo} to {hi} is empty or wider than 2^20")]
    Range {
        /// Given.
        lo: i64,
        /// Given.
        hi: i64,
    },
    /// No token is left to make inputs of.
    #[error("the vocabulary has no token beside BOS and PAD")]
    Vocabulary,
    /// All-different sequences of the length asked for do not exist.
    #[error("sequences of {length} different tokens cannot be made of {tokens} tokens")]
    Distinct {
        /// The least length.
        length: usize,
        /// Tokens at hand.
        tokens: usize,
    },
}

/// The greatest sequence length that is accepted from a file.
const LENGTH_LIMIT: usize = 4096;
/// The widest range of values that is accepted from a file: [`Domain::alphabet`] lists it.
const RANGE_LIMIT: i64 = 1 << 20;

impl Domain {
    /// Checks that inputs can be drawn.
    ///
    /// # Errors
    /// Ranges that are empty or beyond the limits, or a vocabulary that cannot fill a sequence.
    pub fn validate(&self) -> Result<(), DomainError> {
        let (min, max) = self.length;
        if min == 0 || min > max || max > LENGTH_LIMIT {
            return Err(DomainError::Length { min, max, limit: LENGTH_LIMIT });
        }
        match &self.elements {
            Elements::Integers { lo, hi, .. } if lo > hi || hi.saturating_sub(*lo) >= RANGE_LIMIT => {
                Err(DomainError::Range { lo: *lo, hi: *hi })
            }
            Elements::Tokens { distinct, .. } => match self.alphabet().len() {
                0 => Err(DomainError::Vocabulary),
                tokens if *distinct && tokens < min => Err(DomainError::Distinct { length: min, tokens }),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// The sort that a list of JSON values has, and the values in it: all booleans, all integers, all numbers, else
    /// symbols. A string's symbol is its text; any other JSON value in a list of symbols is the symbol `#json:` with
    /// its text.
    pub fn atoms(list: &[serde_json::Value]) -> (Sort, Vec<Value>) {
        use serde_json::Value as Json;
        if !list.is_empty() && list.iter().all(Json::is_boolean) {
            return (Sort::Bool, list.iter().map(|v| Value::Bool(v.as_bool().unwrap_or(false))).collect());
        }
        if !list.is_empty() && list.iter().all(|v| v.as_i64().is_some()) {
            return (Sort::Int, list.iter().map(|v| Value::Int(v.as_i64().unwrap_or(0))).collect());
        }
        if !list.is_empty() && list.iter().all(Json::is_number) {
            return (Sort::Real, list.iter().map(|v| Value::Real(v.as_f64().unwrap_or(0.0))).collect());
        }
        let symbol = |v: &Json| match v {
            Json::String(text) => Value::Symbol(Symbol::new(text)),
            other => Value::Symbol(Symbol::new(&format!("#json:{other}"))),
        };
        (Sort::Symbol, list.iter().map(symbol).collect())
    }

    /// Integers per element.
    pub fn dim(&self) -> usize {
        match self.elements {
            Elements::Integers { dim, .. } => dim,
            _ => 1,
        }
    }

    /// What a program sees of a batch: the names that its inputs have in programs, and their columns. Integers: `x`, or
    /// `x0`, `x1`, ... where an element has several; tokens: `tokens` and `indices` (from 0).
    pub fn columns(&self, batch: &Batch) -> Vec<(Symbol, Column)> {
        let vocab = match &self.elements {
            Elements::Integers { dim, .. } => {
                let name = |axis| if *dim == 1 { "x".to_owned() } else { format!("x{axis}") };
                let column = |axis| Column::new(Sort::Int, batch.coordinate(axis));
                return (0..*dim).map(|axis| (Symbol::new(&name(axis)), column(axis))).collect();
            }
            Elements::Tokens { vocab, .. } | Elements::Recorded { vocab, .. } => vocab,
        };
        let sort = vocab_sort(vocab);
        let codes: Vec<i64> = vocab.iter().map(|&value| encode_value(value)).collect();
        let code = |id: i64| usize::try_from(id).ok().and_then(|id| codes.get(id)).copied().unwrap_or(crate::UNDEFINED);
        let tokens = batch.coordinate(0).into_iter().map(code).collect();
        let indices = batch.points().ranges().flat_map(|range| 0..range.len() as i64).collect();
        vec![
            (Symbol::new("tokens"), Column::new(sort, tokens)),
            (Symbol::new("indices"), Column::new(Sort::Int, indices)),
        ]
    }

    /// The names and sorts of a program's inputs, as [`Domain::columns`] gives them.
    pub fn inputs(&self) -> Vec<(Symbol, Sort)> {
        self.columns(&Batch::new(self.dim())).into_iter().map(|(name, column)| (name, column.sort)).collect()
    }

    /// The sort of a decoded output.
    pub fn output_sort(&self) -> Sort {
        match &self.decode {
            Decode::Round => Sort::Int,
            Decode::Number => Sort::Real,
            Decode::Argmax(values) => vocab_sort(values),
            Decode::NextToken | Decode::LegalTokens => Sort::Symbol,
        }
    }

    /// The values that a coordinate of an element can take in an input: numbers, or token ids without BOS and PAD.
    pub fn alphabet(&self) -> Vec<i64> {
        match &self.elements {
            Elements::Integers { lo, hi, .. } => (*lo..=*hi).collect(),
            Elements::Tokens { vocab, bos, pad, .. } => {
                (0..vocab.len()).filter(|id| Some(*id) != *bos && Some(*id) != *pad).map(|id| id as i64).collect()
            }
            Elements::Recorded { inputs, .. } => {
                let mut ids = inputs.coordinate(0);
                ids.sort_unstable();
                ids.dedup();
                ids
            }
        }
    }

    /// The greatest length of a sequence that can be made.
    fn max_length(&self) -> usize {
        match &self.elements {
            Elements::Tokens { distinct: true, .. } => self.length.1.min(self.alphabet().len()),
            _ => self.length.1,
        }
    }

    /// The number of inputs, as a float (it overflows any integer soon); `None` where it is not known.
    pub fn n_inputs(&self) -> Option<f64> {
        let k = match &self.elements {
            Elements::Integers { dim, lo, hi } => ((hi - lo + 1) as f64).powi(i32::try_from(*dim).unwrap_or(i32::MAX)),
            Elements::Tokens { .. } => self.alphabet().len() as f64,
            Elements::Recorded { .. } => return None,
        };
        let distinct = matches!(self.elements, Elements::Tokens { distinct: true, .. });
        let of_length = |n: usize| (0..n).map(|i| if distinct { (k - i as f64).max(0.0) } else { k }).product::<f64>();
        Some((self.length.0..=self.max_length()).map(of_length).sum())
    }

    /// Every input, shortest first, if there are at most `limit` of them.
    pub fn enumerate(&self, limit: usize) -> Option<Batch> {
        if self.n_inputs().is_none_or(|n| n > limit as f64) {
            return None;
        }
        let alphabet = self.alphabet();
        let distinct = matches!(self.elements, Elements::Tokens { distinct: true, .. });
        let mut batch = Batch::new(self.dim());
        for length in self.length.0..=self.max_length() {
            let digits = length * self.dim();
            let mut counter = vec![0_usize; digits];
            loop {
                let sequence: Vec<i64> = counter.iter().map(|&d| alphabet[d]).collect();
                let repeats = distinct && (1..digits).any(|i| counter[..i].contains(&counter[i]));
                if !repeats {
                    batch.push(&sequence);
                }
                let Some(place) = counter.iter().rposition(|&d| d + 1 < alphabet.len()) else { break };
                counter[place] += 1;
                counter[place + 1..].fill(0);
            }
        }
        Some(batch)
    }

    /// `n` inputs of all lengths in turn: half of them uniform, half with structure (constant, two-symbol, runs,
    /// palindromic, nearly constant, prefix of a palindrome), since uniform draws hardly ever show rare values.
    pub fn sample(&self, n: usize, rng: &mut Rng) -> Batch {
        let lengths = self.max_length() - self.length.0 + 1;
        self.draw(n, rng, |i| self.length.0 + i % lengths, true)
    }

    /// `n` inputs of the greatest length, half of them with structure, as [`Domain::sample`] makes them.
    pub fn sample_longest(&self, n: usize, rng: &mut Rng) -> Batch {
        self.draw(n, rng, |_| self.max_length(), true)
    }

    /// `n` uniform inputs of all lengths in turn.
    pub fn sample_uniform(&self, n: usize, rng: &mut Rng) -> Batch {
        let lengths = self.max_length() - self.length.0 + 1;
        self.draw(n, rng, |i| self.length.0 + i % lengths, false)
    }

    /// `n` uniform inputs of a given length, which may lie beyond the domain's lengths (recorded domains: as recorded).
    pub fn sample_of_length(&self, n: usize, length: usize, rng: &mut Rng) -> Batch {
        self.draw(n, rng, |_| length, false)
    }

    fn draw(&self, n: usize, rng: &mut Rng, length: impl Fn(usize) -> usize, structured: bool) -> Batch {
        let mut batch = Batch::new(self.dim());
        if let Elements::Recorded { inputs, .. } = &self.elements {
            for _ in 0..n {
                let row = rng.random_range(0..inputs.n_sequences());
                batch.push_at(inputs.sequence(row), inputs.origin(row));
            }
            return batch;
        }
        let alphabet = self.alphabet();
        let distinct = matches!(self.elements, Elements::Tokens { distinct: true, .. });
        for i in 0..n {
            let length = length(i);
            let sequence = if distinct {
                let mut shuffled = alphabet.clone();
                shuffled.shuffle(rng);
                shuffled.truncate(length);
                shuffled
            } else if structured && rng.random_bool(0.5) {
                structured_sequence(&alphabet, self.dim(), length, rng)
            } else {
                uniform(&alphabet, self.dim() * length, rng)
            };
            batch.push(&sequence);
        }
        batch
    }
}

/// The sort of a vocabulary whose special tokens may be strings beside numbers: that of the first value that is no
/// symbol, else `Symbol`.
fn vocab_sort(values: &[Value]) -> Sort {
    values.iter().filter_map(|value| value.sort()).find(|&sort| sort != Sort::Symbol).unwrap_or(Sort::Symbol)
}

fn uniform(alphabet: &[i64], n: usize, rng: &mut Rng) -> Vec<i64> {
    (0..n).map(|_| alphabet.choose(rng).copied().unwrap_or(0)).collect()
}

/// One sequence with a structure that uniform draws rarely have.
fn structured_sequence(alphabet: &[i64], dim: usize, length: usize, rng: &mut Rng) -> Vec<i64> {
    let element = |rng: &mut Rng| uniform(alphabet, dim, rng);
    let (a, b) = (element(rng), element(rng));
    let elements: Vec<Vec<i64>> = match rng.random_range(0..6) {
        0 => vec![a; length],
        1 => (0..length).map(|_| if rng.random_bool(0.5) { a.clone() } else { b.clone() }).collect(),
        2 => {
            let mut current = a;
            let step = |_| {
                if rng.random_bool(0.3) {
                    current = element(rng);
                }
                current.clone()
            };
            (0..length).map(step).collect()
        }
        3 => {
            let half: Vec<Vec<i64>> = (0..length.div_ceil(2)).map(|_| element(rng)).collect();
            (0..length).map(|i| half[i.min(length - 1 - i)].clone()).collect()
        }
        4 => {
            let odd = rng.random_range(0..length.max(1));
            (0..length).map(|i| if i == odd { b.clone() } else { a.clone() }).collect()
        }
        _ => {
            let prefix = rng.random_range(1..=length.max(1));
            let mut sequence: Vec<Vec<i64>> = (0..length).map(|_| element(rng)).collect();
            for i in 0..prefix / 2 {
                sequence[prefix - 1 - i] = sequence[i].clone();
            }
            sequence
        }
    };
    elements.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(distinct: bool) -> Domain {
        Domain {
            elements: Elements::Tokens {
                vocab: ["a", "b", "c", "BOS"].iter().map(|t| Value::Symbol((*t).into())).collect(),
                bos: Some(3),
                pad: None,
                distinct,
            },
            length: (1, 3),
            decode: Decode::Argmax(vec![]),
            n_outputs: 1,
        }
    }

    #[test]
    fn enumeration_counts_what_it_lists() {
        for distinct in [false, true] {
            let domain = tokens(distinct);
            let all = domain.enumerate(1000).expect("small");
            assert_eq!(all.n_sequences() as f64, domain.n_inputs().expect("finite"));
        }
        assert_eq!(tokens(false).enumerate(38), None);
    }

    #[test]
    fn ranges_that_cannot_be_listed_are_refused() {
        let of_range = |lo, hi| Domain { elements: Elements::Integers { dim: 1, lo, hi }, ..tokens(false) };
        assert_eq!(of_range(-100, 100).validate(), Ok(()));
        for (lo, hi) in [(1, 0), (0, 1 << 20), (i64::MIN, i64::MAX)] {
            assert_eq!(of_range(lo, hi).validate(), Err(DomainError::Range { lo, hi }));
        }
    }

    #[test]
    fn draws_are_reproducible_and_legal() {
        let domain = tokens(true);
        let draw = || domain.sample(50, &mut rng(3, "test"));
        assert_eq!(draw(), draw());
        for row in 0..50 {
            let mut seen = draw().sequence(row).to_vec();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), draw().length(row));
        }
    }
}
