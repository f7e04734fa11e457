//! Columns of codes, each as narrow as its greatest code allows: truth values, small enumerations and small integers take
//! a byte per point, reals eight.

use std::borrow::Cow;

use samples::UNDEFINED;

/// Where a column lies: which width, and which row of that width.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place(u32);

/// Two bits of a place say which width.
const WIDTH_BITS: u32 = 2;

/// Columns of one length, in four vectors: one for every width.
#[derive(Debug)]
pub(super) struct Columns {
    n_points: usize,
    bytes: Vec<i8>,
    halves: Vec<i16>,
    words: Vec<i32>,
    wide: Vec<i64>,
}

/// A width. Its least number stands for [`UNDEFINED`], as it does for codes.
trait Narrow: Copy {
    const UNDEFINED: Self;
    fn pack(code: i64) -> Self;
    fn unpack(self) -> i64;
}

macro_rules! narrow {
    ($($width:ty),*) => {$(
        impl Narrow for $width {
            const UNDEFINED: Self = <$width>::MIN;

            fn pack(code: i64) -> Self {
                if code == UNDEFINED { Self::UNDEFINED } else { code as Self }
            }

            fn unpack(self) -> i64 {
                if self == Self::UNDEFINED { UNDEFINED } else { i64::from(self) }
            }
        }
    )*};
}
narrow!(i8, i16, i32);

/// Appends with capacities that grow by a sixteenth, not to double: what is allocated is nearly what is used.
pub(super) fn extend<T: Copy>(vec: &mut Vec<T>, items: &[T]) {
    reserve(vec, items.len());
    vec.extend_from_slice(items);
}

pub(super) fn reserve<T>(vec: &mut Vec<T>, n: usize) {
    if vec.len() + n > vec.capacity() {
        vec.reserve_exact(n.max(vec.capacity() / 16).max(64));
    }
}

fn push<T: Narrow>(vec: &mut Vec<T>, codes: &[i64]) {
    reserve(vec, codes.len());
    vec.extend(codes.iter().map(|&code| T::pack(code)));
}

fn read<T: Narrow>(row: &[T], out: &mut [i64]) {
    for (o, &code) in out.iter_mut().zip(row) {
        *o = code.unpack();
    }
}

fn equals<T: Narrow>(row: &[T], codes: &[i64]) -> bool {
    // Without an early end: columns that are compared are nearly always equal.
    row.iter().zip(codes).fold(0, |differences, (&a, &b)| differences | (a.unpack() ^ b)) == 0
}

impl Columns {
    pub(super) fn new(n_points: usize) -> Self {
        Self { n_points, bytes: Vec::new(), halves: Vec::new(), words: Vec::new(), wide: Vec::new() }
    }

    pub(super) fn n_points(&self) -> usize {
        self.n_points
    }

    /// Memory allocated.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.capacity()
            + self.halves.capacity() * size_of::<i16>()
            + self.words.capacity() * size_of::<i32>()
            + self.wide.capacity() * size_of::<i64>()
    }

    /// Appends a column.
    pub(super) fn push(&mut self, codes: &[i64]) -> Place {
        debug_assert_eq!(codes.len(), self.n_points, "a column has one entry per point");
        // A number and its complement need equally many bits.
        let magnitude = |&code: &i64| if code == UNDEFINED { 0 } else { (code ^ (code >> 63)) as u64 };
        let greatest = codes.iter().map(magnitude).max().unwrap_or(0);
        // The least number of a width is taken, and with it its complement, the greatest.
        let (width, len) = if greatest < i8::MAX as u64 {
            push(&mut self.bytes, codes);
            (0, self.bytes.len())
        } else if greatest < i16::MAX as u64 {
            push(&mut self.halves, codes);
            (1, self.halves.len())
        } else if greatest < i32::MAX as u64 {
            push(&mut self.words, codes);
            (2, self.words.len())
        } else {
            extend(&mut self.wide, codes);
            (3, self.wide.len())
        };
        let row = u32::try_from(len.checked_div(self.n_points).map_or(0, |n_rows| n_rows - 1));
        let row = row.ok().filter(|row| row.leading_zeros() >= WIDTH_BITS).expect("the limit of classes is below 2^30");
        Place(row << WIDTH_BITS | width)
    }

    fn range(&self, place: Place) -> std::ops::Range<usize> {
        let start = (place.0 >> WIDTH_BITS) as usize * self.n_points;
        start..start + self.n_points
    }

    /// Writes a column to `out`.
    pub(super) fn read(&self, place: Place, out: &mut [i64]) {
        let range = self.range(place);
        match place.0 % (1 << WIDTH_BITS) {
            0 => read(&self.bytes[range], out),
            1 => read(&self.halves[range], out),
            2 => read(&self.words[range], out),
            _ => out.copy_from_slice(&self.wide[range]),
        }
    }

    /// A column; owned where it lies packed.
    pub(super) fn get(&self, place: Place) -> Cow<'_, [i64]> {
        if place.0 % (1 << WIDTH_BITS) == 3 {
            return Cow::Borrowed(&self.wide[self.range(place)]);
        }
        let mut codes = vec![0; self.n_points];
        self.read(place, &mut codes);
        Cow::Owned(codes)
    }

    /// Whether a column has these codes.
    pub(super) fn equals(&self, place: Place, codes: &[i64]) -> bool {
        let range = self.range(place);
        match place.0 % (1 << WIDTH_BITS) {
            0 => equals(&self.bytes[range], codes),
            1 => equals(&self.halves[range], codes),
            2 => equals(&self.words[range], codes),
            _ => self.wide[range] == *codes,
        }
    }
}

#[cfg(test)]
mod tests {
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
            assert_eq!(*columns.get(*place), *column);
            for (other, _) in &places {
                assert_eq!(columns.equals(*place, other), column == other, "{column:?} {other:?}");
            }
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
        assert!(columns.get(place).is_empty() && columns.equals(place, &[]));
    }
}
