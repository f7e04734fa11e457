//! Small sets of points.

/// Points that a set can hold.
pub(crate) const CAPACITY: usize = 256;
const WORDS: usize = CAPACITY / 64;

/// A set of points below [`CAPACITY`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub(crate) struct Mask([u64; WORDS]);

impl Mask {
    /// The first `n` points.
    pub(crate) fn first(n: usize) -> Self {
        (0..n.min(CAPACITY)).collect()
    }

    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }

    pub(crate) fn len(self) -> u32 {
        // Counting a word takes a dozen instructions, and most sets are of few points.
        let (first, others) = (self.0[0].count_ones(), &self.0[1..]);
        if others.iter().all(|&word| word == 0) {
            first
        } else {
            first + others.iter().map(|word| word.count_ones()).sum::<u32>()
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] & other.0[i]))
    }

    pub(crate) fn without(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] & !other.0[i]))
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] | other.0[i]))
    }

    pub(crate) fn is_within(self, other: Self) -> bool {
        self.without(other).is_empty()
    }

    /// The first point of the set.
    pub(crate) fn lowest(self) -> Option<usize> {
        let word = self.0.iter().position(|&word| word != 0)?;
        Some(word * 64 + self.0[word].trailing_zeros() as usize)
    }
}

impl FromIterator<usize> for Mask {
    fn from_iter<I: IntoIterator<Item = usize>>(points: I) -> Self {
        let mut mask = Self::default();
        for point in points {
            mask.0[point / 64] |= 1 << (point % 64);
        }
        mask
    }
}
