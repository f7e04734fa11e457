//! Partitions of points: what a column or a site tells apart, whatever it calls it.

use rustc_hash::FxHashMap;

use crate::Column;

/// A partition of points into classes, canonical: classes are numbered in order of first appearance, so that two
/// columns that tell the same points apart have equal partitions.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Partition {
    classes: Vec<u32>,
    n_classes: u32,
}

impl Partition {
    /// The partition that equal keys induce.
    pub fn from_keys<K: std::hash::Hash + Eq>(keys: impl IntoIterator<Item = K>) -> Self {
        let mut seen: FxHashMap<K, u32> = FxHashMap::default();
        let mut n_classes = 0;
        let classes = keys
            .into_iter()
            .map(|key| {
                *seen.entry(key).or_insert_with(|| {
                    n_classes += 1;
                    n_classes - 1
                })
            })
            .collect();
        Self { classes, n_classes }
    }

    /// The partition that a column's values induce.
    pub fn of(column: &Column) -> Self {
        Self::from_keys(column.codes.chunks(column.width))
    }

    /// The class of every point.
    pub fn classes(&self) -> &[u32] {
        &self.classes
    }

    /// The number of classes.
    pub fn n_classes(&self) -> usize {
        self.n_classes as usize
    }

    /// Whether every class of `self` lies within one class of `other`: `self` determines `other`.
    pub fn refines(&self, other: &Self) -> bool {
        let mut image = vec![u32::MAX; self.n_classes()];
        self.classes.iter().zip(&other.classes).all(|(&class, &coarse)| {
            let seen = &mut image[class as usize];
            if *seen == u32::MAX {
                *seen = coarse;
            }
            *seen == coarse
        })
    }

    /// The coarsest partition that refines both.
    pub fn meet(&self, other: &Self) -> Self {
        Self::from_keys(self.classes.iter().zip(&other.classes))
    }

    /// The number of points in every class.
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.n_classes()];
        for &class in &self.classes {
            sizes[class as usize] += 1;
        }
        sizes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_ignore_names() {
        let a = Partition::from_keys([7, 7, 1, 7]);
        let b = Partition::from_keys(["x", "x", "y", "x"]);
        assert_eq!(a, b);
        let fine = Partition::from_keys([0, 1, 2, 0]);
        assert!(fine.refines(&a));
        assert!(!a.refines(&fine));
        assert_eq!(a.meet(&fine), fine);
    }
}
