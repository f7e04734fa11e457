//! Goals: the columns that terms are wanted for.

use samples::{Column, Sort};

/// A column that a term is wanted for; where it is `None`, any value will do, undefined included.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Goal {
    /// The sort of the term.
    pub sort: Sort,
    /// The value at each point.
    pub codes: Vec<Option<i64>>,
}

impl Goal {
    /// The goal of having exactly these values, undefined ones included.
    pub fn exact(column: &Column) -> Self {
        Self { sort: column.sort, codes: column.codes.iter().map(|&code| Some(code)).collect() }
    }

    /// The goal of having these values where they are defined.
    pub fn where_defined(column: &Column) -> Self {
        Self {
            sort: column.sort,
            codes: column.codes.iter().map(|&c| (!column.sort.is_undefined(c)).then_some(c)).collect(),
        }
    }

    /// The number of points.
    pub fn n_points(&self) -> usize {
        self.codes.len()
    }

    /// Whether a column of codes has the values wanted.
    pub fn accepts(&self, codes: &[i64]) -> bool {
        self.first_mismatch(codes).is_none()
    }

    /// The first point at which a column of codes has not the value wanted.
    pub fn first_mismatch(&self, codes: &[i64]) -> Option<usize> {
        self.codes.iter().zip(codes).position(|(want, have)| want.is_some_and(|want| want != *have))
    }

    /// The goal at some of the points, in the order given.
    pub fn select(&self, points: &[usize]) -> Self {
        Self { sort: self.sort, codes: points.iter().map(|&point| self.codes[point]).collect() }
    }
}
