//! Columns of codes, packed: each as narrow as its greatest code allows. Truth values, small enumerations and small integers
//! take a byte per point, reals eight. What compares, hashes or keeps columns does so on the packed words, of which there are
//! up to eight times fewer than codes.

use super::rows::Rows;

/// Where a column lies: which width, and which row of that width.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place(u32);

/// Two bits of a place say which width.
const WIDTH_BITS: u32 = 2;

/// Bytes per point take 2 to the power of the width.
const WIDTHS: usize = 1 << WIDTH_BITS;

/// A packed column. Two columns are equal where their packed forms are: the width is the least possible.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed<'a> {
    width: u8,
    words: &'a [u64],
}

/// Columns of one length, a row each, by their width.
#[derive(Debug)]
pub(super) struct Columns {
    n_points: usize,
    rows: [Rows<u64>; WIDTHS],
}

/// Small numbers for small codes of either sign, and zero for [`samples::UNDEFINED`]: one more than the zigzag encoding.
fn encode(code: i64) -> u64 {
    (((code << 1) ^ (code >> 63)) as u64).wrapping_add(1)
}

fn decode(number: u64) -> i64 {
    let zigzag = number.wrapping_sub(1);
    (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64)
}

/// The encoded codes, `PER` of them in a word; `of` makes a word of the numbers.
fn pack<const PER: usize>(codes: &[i64], words: &mut Vec<u64>, of: impl Fn([u64; PER]) -> u64) {
    let (whole, rest) = codes.as_chunks::<PER>();
    words.extend(whole.iter().map(|codes| of(codes.map(encode))));
    if !rest.is_empty() {
        let mut last = [0; PER];
        for (number, &code) in last.iter_mut().zip(rest) {
            *number = encode(code);
        }
        words.push(of(last));
    }
}

/// The codes of words, `PER` in each; `of` makes numbers of a word.
fn unpack<const PER: usize>(words: &[u64], out: &mut [i64], of: impl Fn(u64) -> [u64; PER]) {
    let (whole, rest) = out.as_chunks_mut::<PER>();
    for (codes, &word) in whole.iter_mut().zip(words) {
        *codes = of(word).map(decode);
    }
    if let Some(&last) = words.last() {
        for (code, number) in rest.iter_mut().zip(of(last)) {
            *code = decode(number);
        }
    }
}

fn bytes_to_word(numbers: [u64; 8]) -> u64 {
    u64::from_le_bytes(numbers.map(|number| number as u8))
}

fn word_to_bytes(word: u64) -> [u64; 8] {
    word.to_le_bytes().map(u64::from)
}

fn halves_to_word([a, b, c, d]: [u64; 4]) -> u64 {
    a | b << 16 | c << 32 | d << 48
}

fn word_to_halves(word: u64) -> [u64; 4] {
    [0, 16, 32, 48].map(|bits| word >> bits & 0xFFFF)
}

impl Packed<'_> {
    /// Whether the columns are the same, of equal lengths.
    pub(super) fn is(self, other: Self) -> bool {
        // Without an early end: columns that are compared are nearly always equal.
        let differences = self.words.iter().zip(other.words).fold(0, |all, (a, b)| all | (a ^ b));
        self.width == other.width && differences == 0
    }

    /// Multilinear hashing: the sum of the words, each times an odd key, and the width.
    pub(super) fn hash(self, keys: &[u64]) -> u64 {
        let products = self.words.iter().zip(keys).map(|(word, key)| word.wrapping_mul(*key));
        products.fold(u64::from(self.width) << 40, u64::wrapping_add)
    }
}

impl Default for Columns {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Columns {
    pub(super) fn new(n_points: usize) -> Self {
        // As many words as hold the points, each in two to the power of the width bytes.
        let rows = std::array::from_fn(|width| Rows::new((n_points << width).div_ceil(size_of::<u64>())));
        Self { n_points, rows }
    }

    /// One column.
    pub(super) fn of(codes: &[i64]) -> (Self, Place) {
        let mut columns = Self::new(codes.len());
        let place = columns.push(codes);
        (columns, place)
    }

    pub(super) fn n_points(&self) -> usize {
        self.n_points
    }

    /// Memory allocated.
    pub(super) fn bytes(&self) -> usize {
        self.rows.iter().map(Rows::bytes).sum()
    }

    /// Forgets all columns, for columns of some length.
    pub(super) fn clear(&mut self, n_points: usize) {
        if n_points == self.n_points {
            self.rows.iter_mut().for_each(Rows::clear);
        } else {
            *self = Self::new(n_points);
        }
    }

    /// Appends a column.
    pub(super) fn push(&mut self, codes: &[i64]) -> Place {
        debug_assert_eq!(codes.len(), self.n_points, "a column has one entry per point");
        let bits = 64 - codes.iter().fold(0, |all, &code| all | encode(code)).leading_zeros();
        let width = match bits {
            0..=8 => 0,
            9..=16 => 1,
            17..=32 => 2,
            _ => 3,
        };
        let words = self.rows[usize::from(width)].append();
        match width {
            0 => pack(codes, words, bytes_to_word),
            1 => pack(codes, words, halves_to_word),
            2 => pack(codes, words, |[a, b]| a | b << 32),
            _ => pack(codes, words, |[a]| a),
        }
        self.last(width)
    }

    /// Appends a column that is packed.
    pub(super) fn push_packed(&mut self, packed: Packed<'_>) -> Place {
        self.rows[usize::from(packed.width)].append().extend_from_slice(packed.words);
        self.last(packed.width)
    }

    /// Where the last column of a width lies.
    fn last(&self, width: u8) -> Place {
        let row = self.rows[usize::from(width)].len() - 1;
        let row = u32::try_from(row).ok().filter(|row| row.leading_zeros() >= WIDTH_BITS);
        Place(row.expect("the limit of classes is below 2^30") << WIDTH_BITS | u32::from(width))
    }

    /// A column as it lies.
    pub(super) fn packed(&self, place: Place) -> Packed<'_> {
        let width = (place.0 % WIDTHS as u32) as u8;
        Packed { width, words: self.rows[usize::from(width)].row((place.0 >> WIDTH_BITS) as usize) }
    }

    /// Writes a column to `out`.
    pub(super) fn read(&self, place: Place, out: &mut [i64]) {
        let Packed { width, words } = self.packed(place);
        match width {
            0 => unpack(words, out, word_to_bytes),
            1 => unpack(words, out, word_to_halves),
            2 => unpack(words, out, |word| [word & u64::from(u32::MAX), word >> 32]),
            _ => unpack(words, out, |word| [word]),
        }
    }

    /// The codes of a column.
    pub(super) fn get(&self, place: Place) -> Vec<i64> {
        let mut codes = vec![0; self.n_points];
        self.read(place, &mut codes);
        codes
    }
}

#[cfg(test)]
mod tests {
    use samples::UNDEFINED;

    use super::*;

    #[test]
    fn columns_come_back_as_they_were_whatever_their_width() {
        let edges = [7, 8, 15, 16, 31, 32, 62].map(|bits| 1_i64 << bits);
        let mut codes: Vec<i64> = vec![UNDEFINED, UNDEFINED + 1, i64::MAX, 0, 1, -1];
        codes.extend(edges.iter().flat_map(|&edge| [edge - 2, edge - 1, edge, -edge - 1, -edge, 1 - edge, 2 - edge]));
        let mut columns = Columns::new(3);
        let mut places = Vec::new();
        for &code in &codes {
            for other in [0, UNDEFINED] {
                places.push(([code, 5, other], columns.push(&[code, 5, other])));
            }
        }
        let mut out = [0; 3];
        for (column, place) in &places {
            columns.read(*place, &mut out);
            assert_eq!(out, *column);
            assert_eq!(columns.get(*place), column);
            let packed = columns.packed(*place);
            for (other, at) in &places {
                assert_eq!(packed.is(columns.packed(*at)), column == other, "{column:?} {other:?}");
            }
            let mut others = Columns::new(3);
            let place = others.push_packed(packed);
            assert_eq!(others.get(place), column);
        }
    }

    #[test]
    fn small_codes_take_a_byte_each() {
        let mut columns = Columns::new(64);
        for i in 0..1_000 {
            columns.push(&[i % 2; 64]);
        }
        assert!(columns.bytes() < 70_000, "{}", columns.bytes());
    }

    #[test]
    fn there_may_be_no_points() {
        let mut columns = Columns::new(0);
        let place = columns.push(&[]);
        assert!(columns.get(place).is_empty() && columns.packed(place).is(columns.packed(columns.last(0))));
    }
}
