//! Classes of samples on which a variable has the same value: what a donor may be drawn from.

use rand::Rng as _;
use samples::Rng;

/// The classes of some samples, and who is in them.
#[derive(Clone, Debug)]
pub(crate) struct Classes {
    /// The class of every sample.
    class: Vec<u32>,
    /// Samples sorted by class, and where each class starts.
    members: Vec<usize>,
    starts: Vec<usize>,
}

impl Classes {
    /// Classes of equal keys.
    pub(crate) fn from_keys<K: std::hash::Hash + Eq>(keys: impl IntoIterator<Item = K>) -> Self {
        let partition = samples::Partition::from_keys(keys);
        let mut starts = vec![0; partition.n_classes() + 1];
        for (class, size) in partition.sizes().into_iter().enumerate() {
            starts[class + 1] = starts[class] + size;
        }
        let mut next = starts.clone();
        let mut members = vec![0; partition.classes().len()];
        for (sample, &class) in partition.classes().iter().enumerate() {
            members[next[class as usize]] = sample;
            next[class as usize] += 1;
        }
        Self { class: partition.classes().to_vec(), members, starts }
    }

    /// For every sample a donor drawn uniformly, with replacement, from its whole class, itself included: so the
    /// distribution within a class is kept.
    pub(crate) fn draw(&self, rng: &mut Rng) -> Vec<usize> {
        let pick = |&class: &u32| {
            let range = self.starts[class as usize]..self.starts[class as usize + 1];
            self.members[rng.random_range(range)]
        };
        self.class.iter().map(pick).collect()
    }

    /// The sizes of all classes.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = usize> + '_ {
        self.starts.windows(2).map(|pair| pair[1] - pair[0])
    }
}

/// How large the classes are that donors were drawn from. Classes of one sample test nothing: the only donor is the
/// sample itself.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct ClassSizes {
    /// Classes, over all positions.
    pub classes: usize,
    /// Samples, over all positions.
    pub samples: usize,
    /// Samples that are alone in their class.
    pub alone: usize,
}

impl ClassSizes {
    pub(crate) fn add(&mut self, classes: &Classes) {
        for size in classes.sizes() {
            self.classes += 1;
            self.samples += size;
            self.alone += usize::from(size == 1);
        }
    }

    /// The share of samples that are alone in their class.
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
}
