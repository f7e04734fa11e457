//! Columns: one value per point, as flat 64-bit codes.

use crate::{Sort, Symbol, Value};

/// The code of an undefined value, in every sort that has one; see [`Sort::is_undefined`].
pub const UNDEFINED: i64 = i64::MIN;

/// One value per point, as 64-bit codes, so that equality, hashing and partitioning are the same loop for every sort.
///
/// | sort | code |
/// |---|---|
/// | `Bool` | 0 or 1 |
/// | `Int` | the number |
/// | `Real` | the bits of the double, its mantissa rounded to 40 bits, so that sums in another order compare equal |
/// | `Symbol`, `Enum` | [`Symbol::code`] |
/// | `BitVec` | the bits as a 64-bit number |
/// | `Selector` | `width` words per point: bit j of word w is set where position 64 w + j is selected |
///
/// [`UNDEFINED`] stands for an undefined value in all sorts but `BitVec` and `Selector`, which have none.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Column {
    /// The sort of every value.
    pub sort: Sort,
    /// Words per point: 1, except for selectors over more than 64 positions.
    pub width: usize,
    /// The codes, `width` per point.
    pub codes: Vec<i64>,
}

impl Column {
    /// A column of a scalar sort from its codes.
    pub fn new(sort: Sort, codes: Vec<i64>) -> Self {
        Self { sort, width: 1, codes }
    }

    /// The same value at each of `n_points` points.
    pub fn constant(sort: Sort, value: Value, n_points: usize) -> Self {
        Self::new(sort, vec![encode_value(value); n_points])
    }

    /// The number of points.
    pub fn n_points(&self) -> usize {
        self.codes.len() / self.width
    }

    /// The value at a point; [`Value::Undefined`] for selectors.
    pub fn value(&self, point: usize) -> Value {
        if self.sort == Sort::Selector { Value::Undefined } else { decode_code(self.sort, self.codes[point]) }
    }

    /// The column at some of the points, in the order given.
    pub fn select(&self, points: &[usize]) -> Self {
        let mut codes = Vec::with_capacity(points.len() * self.width);
        for &point in points {
            codes.extend_from_slice(&self.codes[point * self.width..(point + 1) * self.width]);
        }
        Self { sort: self.sort, width: self.width, codes }
    }
}

/// Mantissa bits of a double that a `Real` code drops.
const DROPPED_BITS: u32 = 12;

/// The code of a value. Reals that are not finite are undefined.
pub fn encode_value(value: Value) -> i64 {
    match value {
        Value::Undefined => UNDEFINED,
        Value::Bool(b) => i64::from(b),
        Value::Int(i) => i,
        Value::Real(r) if !r.is_finite() => UNDEFINED,
        Value::Real(r) => {
            let half = 1_u64 << (DROPPED_BITS - 1);
            let rounded = (r.to_bits().wrapping_add(half)) >> DROPPED_BITS << DROPPED_BITS;
            // Negative zero is zero; its bit pattern would also be the code of "undefined".
            if rounded << 1 == 0 { 0 } else { rounded as i64 }
        }
        Value::BitVec { bits, .. } => bits as i64,
        Value::Symbol(s) | Value::Enum(_, s) => s.code(),
    }
}

/// The value that a code stands for in a column of `sort`; [`Value::Undefined`] for selectors.
pub fn decode_code(sort: Sort, code: i64) -> Value {
    if sort.is_undefined(code) {
        return Value::Undefined;
    }
    match sort {
        Sort::Bool => Value::Bool(code != 0),
        Sort::Int => Value::Int(code),
        Sort::Real => Value::Real(f64::from_bits(code as u64)),
        Sort::Symbol => Symbol::from_code(code).map_or(Value::Undefined, Value::Symbol),
        Sort::BitVec(width) => Value::bit_vec(width, code as u64),
        Sort::Enum(name) => Symbol::from_code(code).map_or(Value::Undefined, |s| Value::Enum(name, s)),
        Sort::Selector => Value::Undefined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_codes_forget_the_order_of_summation() {
        let a = 0.1 + 0.2 + 0.3;
        let b = 0.3 + 0.2 + 0.1;
        assert_ne!(f64::to_bits(a), f64::to_bits(b));
        assert_eq!(encode_value(Value::Real(a)), encode_value(Value::Real(b)));
        assert_eq!(encode_value(Value::Real(-0.0)), encode_value(Value::Real(0.0)));
        assert_eq!(encode_value(Value::Real(f64::NAN)), UNDEFINED);
    }

    #[test]
    fn values_survive_their_codes() {
        let bits = [(8, 0x80), (64, 1 << 63), (64, u64::MAX), (1, 1)].map(|(width, bits)| Value::bit_vec(width, bits));
        let others = [Value::Bool(true), Value::Int(-7), Value::Real(0.5), Value::Symbol("a".into()), Value::Undefined];
        for value in bits.into_iter().chain(others) {
            let sort = value.sort().unwrap_or(Sort::Int);
            assert_eq!(decode_code(sort, encode_value(value)), value);
        }
    }
}
