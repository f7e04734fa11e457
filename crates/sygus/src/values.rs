//! Sets of values of one sort, as ranges of codes.

use samples::Sort;

/// A set of codes: disjoint ranges in ascending order, bounds included.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Values(Vec<(i64, i64)>);

/// Ranges that are kept; a set of more is given up.
const RANGE_LIMIT: usize = 256;

impl Values {
    /// All values of a sort. For bit-vectors codes beyond the width are in it too, which does no harm: none occurs.
    pub(crate) fn all(sort: Sort) -> Self {
        Self(vec![match sort {
            Sort::Bool => (0, 1),
            Sort::BitVec(_) => (i64::MIN, i64::MAX),
            // The least number is the code of the undefined value.
            _ => (i64::MIN + 1, i64::MAX),
        }])
    }

    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn one(code: i64) -> Self {
        Self(vec![(code, code)])
    }

    /// All codes within bounds; none if they cross.
    pub(crate) fn range(low: i64, high: i64) -> Self {
        Self(if low <= high { vec![(low, high)] } else { Vec::new() })
    }

    pub(crate) fn contains(&self, code: i64) -> bool {
        match self.0.as_slice() {
            [(low, high)] => (*low..=*high).contains(&code),
            ranges => ranges.iter().any(|&(low, high)| (low..=high).contains(&code)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value, if there is just one.
    pub(crate) fn single(&self) -> Option<i64> {
        match self.0.as_slice() {
            [(low, high)] if low == high => Some(*low),
            _ => None,
        }
    }

    /// The bounds of the ranges, as values worth trying.
    pub(crate) fn bounds(&self) -> impl Iterator<Item = i64> + '_ {
        self.0.iter().flat_map(|&(low, high)| [low, high])
    }

    pub(crate) fn intersect(&self, other: &Self) -> Self {
        let mut out = Vec::new();
        let (mut i, mut j) = (0, 0);
        while i < self.0.len() && j < other.0.len() {
            let (a, b) = (self.0[i], other.0[j]);
            let (low, high) = (a.0.max(b.0), a.1.min(b.1));
            if low <= high {
                out.push((low, high));
            }
            if a.1 < b.1 {
                i += 1;
            } else {
                j += 1;
            }
        }
        Self(out)
    }

    /// The values of a sort that are not in the set.
    pub(crate) fn complement(&self, sort: Sort) -> Self {
        let Some(&(first, last)) = Self::all(sort).0.first() else { return Self::none() };
        let mut out = Vec::new();
        let mut next = Some(first);
        for &(low, high) in &self.0 {
            if let Some(start) = next
                && start < low
            {
                out.push((start, low - 1));
            }
            next = high.checked_add(1).filter(|&after| after <= last);
        }
        if let Some(start) = next {
            out.push((start, last));
        }
        Self(out)
    }

    pub(crate) fn union(&self, other: &Self, sort: Sort) -> Self {
        self.complement(sort).intersect(&other.complement(sort)).complement(sort)
    }

    /// Whether the set has become too large to be kept.
    pub(crate) fn is_unwieldy(&self) -> bool {
        self.0.len() > RANGE_LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_what_their_members_say() {
        let sort = Sort::Int;
        let sets = [
            Values::none(),
            Values::all(sort),
            Values::one(3),
            Values::range(-2, 4),
            Values::one(3).complement(sort),
            Values::range(5, i64::MAX),
            Values::range(-2, 4).union(&Values::range(7, 9), sort),
        ];
        let codes = [i64::MIN + 1, -3, -2, 0, 2, 3, 4, 5, 7, 9, 10, i64::MAX];
        for a in &sets {
            for &code in &codes {
                assert_eq!(a.complement(sort).contains(code), !a.contains(code), "{a:?} {code}");
                for b in &sets {
                    assert_eq!(a.intersect(b).contains(code), a.contains(code) && b.contains(code), "{a:?} {b:?}");
                    assert_eq!(a.union(b, sort).contains(code), a.contains(code) || b.contains(code), "{a:?} {b:?}");
                }
            }
        }
    }
}
