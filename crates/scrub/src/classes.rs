//! Classes of cells on which a variable has the same value: what a donor may be drawn from.

use rand::Rng as _;
use rand::seq::SliceRandom as _;
use samples::{Partition, Rng};

/// The classes of some cells, and who is in them.
#[derive(Clone, Debug)]
pub struct Classes {
    /// The class of every cell; [`NONE`] for cells that are in none.
    class: Vec<u32>,
    /// Cells sorted by class, and where each class starts.
    members: Vec<usize>,
    starts: Vec<usize>,
}

/// The class of a cell that is in none: it is its own only donor, and no donor for others.
const NONE: u32 = u32::MAX;

impl Classes {
    /// Classes of equal keys.
    pub fn from_keys<K: std::hash::Hash + Eq>(keys: impl IntoIterator<Item = K>) -> Self {
        let keys: Vec<Option<K>> = keys.into_iter().map(Some).collect();
        Self::of_keys(keys)
    }

    /// Classes of equal keys of `n` cells; a cell without a key is in no class.
    pub(crate) fn of<K: std::hash::Hash + Eq>(n: usize, key: impl Fn(usize) -> Option<K>) -> Self {
        Self::of_keys((0..n).map(key).collect())
    }

    fn of_keys<K: std::hash::Hash + Eq>(keys: Vec<Option<K>>) -> Self {
        let inside: Vec<usize> = (0..keys.len()).filter(|&cell| keys[cell].is_some()).collect();
        let mut class = vec![NONE; keys.len()];
        let partition = Partition::from_keys(keys.into_iter().flatten());
        let mut starts = vec![0; partition.n_classes() + 1];
        for (class, size) in partition.sizes().into_iter().enumerate() {
            starts[class + 1] = starts[class] + size;
        }
        let mut next = starts.clone();
        let mut members = vec![0; inside.len()];
        for (&cell, &of) in inside.iter().zip(partition.classes()) {
            class[cell] = of;
            members[next[of as usize]] = cell;
            next[of as usize] += 1;
        }
        Self { class, members, starts }
    }

    /// The number of classes.
    pub fn n_classes(&self) -> usize {
        self.starts.len() - 1
    }

    /// The number of a cell's class, if it is in one.
    pub fn class_of(&self, cell: usize) -> Option<u32> {
        Some(self.class[cell]).filter(|&class| class != NONE)
    }

    /// The cells in a cell's class, itself included; none for a cell that is in none.
    pub fn peers(&self, cell: usize) -> &[usize] {
        match self.class[cell] {
            NONE => &[],
            class => &self.members[self.starts[class as usize]..self.starts[class as usize + 1]],
        }
    }

    /// Whether a cell has a donor beside itself, so that replacing its value tests anything.
    pub fn has_donor(&self, cell: usize) -> bool {
        self.peers(cell).len() > 1
    }

    /// For every cell a donor drawn uniformly, with replacement, from its whole class, itself included: so the
    /// distribution within a class is kept.
    pub fn draw(&self, rng: &mut Rng) -> Vec<usize> {
        let pick = |cell: usize| match self.peers(cell) {
            [] => cell,
            peers => peers[rng.random_range(0..peers.len())],
        };
        (0..self.class.len()).map(pick).collect()
    }

    /// For every cell a donor from its class such that every cell is a donor once: a random permutation within classes.
    pub fn permute(&self, rng: &mut Rng) -> Vec<usize> {
        let mut donors: Vec<usize> = (0..self.class.len()).collect();
        let mut shuffled = Vec::new();
        for range in self.starts.windows(2) {
            let members = &self.members[range[0]..range[1]];
            shuffled.clear();
            shuffled.extend_from_slice(members);
            shuffled.shuffle(rng);
            for (&cell, &donor) in members.iter().zip(&shuffled) {
                donors[cell] = donor;
            }
        }
        donors
    }

    /// The sizes of all classes.
    pub fn sizes(&self) -> impl Iterator<Item = usize> + '_ {
        self.starts.windows(2).map(|pair| pair[1] - pair[0])
    }

    /// Classes that are equal where both are: every class within one of each.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        let key = |cell: usize| {
            let pair = (self.class[cell], *other.class.get(cell)?);
            (pair.0 != NONE && pair.1 != NONE).then_some(pair)
        };
        Self::of(self.class.len(), key)
    }

    /// Whether every class lies within one of the other's: whoever knows this one knows the other.
    pub fn refines(&self, other: &Self) -> bool {
        self.meet(other).n_classes() == self.n_classes()
    }

    /// The entropy, in bits, of the class of a random cell.
    pub fn entropy(&self) -> f64 {
        let n = self.members.len().max(1) as f64;
        -self.sizes().map(|size| size as f64 / n).map(|share| share * share.log2()).sum::<f64>()
    }
}

/// How large the classes are that donors were drawn from. Classes of one sample test nothing: the only donor is the
/// sample itself.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct ClassSizes {
    /// Classes, over all edges or positions.
    pub classes: usize,
    /// Samples, over all edges or positions.
    pub samples: usize,
    /// Samples that are alone in their class.
    pub alone: usize,
}

impl ClassSizes {
    /// Counts further classes.
    pub fn add(&mut self, classes: &Classes) {
        for size in classes.sizes() {
            self.classes += 1;
            self.samples += size;
            self.alone += usize::from(size == 1);
        }
    }

    /// The share of samples that are alone in their class; 1 where there are none.
    pub fn vacuous_share(&self) -> f64 {
        if self.samples == 0 { 1.0 } else { self.alone as f64 / self.samples as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn donors_share_the_class() {
        let keys = [3, 1, 3, 2, 1, 3];
        let classes = Classes::from_keys(keys);
        let mut rng = samples::rng(0, "test");
        let mut other = false;
        for _ in 0..20 {
            let donors = classes.draw(&mut rng);
            assert!(donors.iter().enumerate().all(|(sample, &donor)| keys[sample] == keys[donor]));
            other |= donors[0] != 0;
        }
        assert!(other);
        let mut sizes = ClassSizes::default();
        sizes.add(&classes);
        assert_eq!(sizes, ClassSizes { classes: 3, samples: 6, alone: 1 });
    }

    #[test]
    fn permutations_use_every_donor_once_and_leave_what_is_in_no_class() {
        let keys = [Some(1), None, Some(1), Some(2), None, Some(1)];
        let classes = Classes::of(keys.len(), |cell| keys[cell]);
        for seed in 0..20 {
            let mut donors = classes.permute(&mut samples::rng(seed, "test"));
            assert_eq!((donors[1], donors[4], donors[3]), (1, 4, 3));
            assert!(donors.iter().enumerate().all(|(cell, &donor)| keys[cell] == keys[donor]));
            donors.sort_unstable();
            assert_eq!(donors, [0, 1, 2, 3, 4, 5]);
        }
        assert!(classes.peers(1).is_empty());
    }
}
