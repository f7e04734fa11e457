//! Sorts and single values.

use std::fmt;

use crate::{Symbol, UNDEFINED};

/// The sort of a term or of a column.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Sort {
    /// Truth values.
    Bool,
    /// Integers, within 64 bits; what leaves them is undefined.
    Int,
    /// Real numbers, as floating point rounded to 40 bits of mantissa (see [`crate::Column`]).
    Real,
    /// Atoms of the domain's vocabulary, written as string literals.
    Symbol,
    /// Bit-vectors of a width from 1 to 64. Every one has a value: none is ever undefined.
    BitVec(u8),
    /// A finite enumeration declared in a DSL file, by name; its values are its constructors' names.
    Enum(Symbol),
    /// A set of positions of the sequence, one set per point: what attention selects.
    Selector,
}

impl Sort {
    /// The greatest width of a bit-vector.
    pub const MAX_WIDTH: u8 = 64;

    /// Whether a code of this sort stands for no value. Bit-vectors use every code; selectors have none either.
    pub fn is_undefined(self, code: i64) -> bool {
        code == UNDEFINED && !matches!(self, Self::BitVec(_) | Self::Selector)
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("Bool"),
            Self::Int => f.write_str("Int"),
            Self::Real => f.write_str("Real"),
            Self::Symbol => f.write_str("Symbol"),
            Self::BitVec(width) => write!(f, "(_ BitVec {width})"),
            Self::Enum(name) => write!(f, "{name}"),
            Self::Selector => f.write_str("Selector"),
        }
    }
}

/// One value. Selectors have no value of their own: they exist only as columns.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value {
    /// No value: a partial operator outside its domain, an empty selection, an output that does not count.
    Undefined,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A finite real number.
    Real(f64),
    /// An atom of the vocabulary.
    Symbol(Symbol),
    /// A bit-vector.
    BitVec {
        /// The number of bits, from 1 to 64.
        width: u8,
        /// The bits, the first one lowest; those beyond the width are 0.
        bits: u64,
    },
    /// A value of a declared enumeration: (enumeration, constructor).
    Enum(Symbol, Symbol),
}

impl Value {
    /// The bit-vector of a width (1 to 64) with the lowest bits of a number.
    pub fn bit_vec(width: u8, bits: u64) -> Self {
        Self::BitVec { width, bits: bits & mask(width) }
    }

    /// The sort, or `None` for [`Value::Undefined`], which belongs to every sort.
    pub fn sort(self) -> Option<Sort> {
        Some(match self {
            Self::Undefined => return None,
            Self::Bool(_) => Sort::Bool,
            Self::Int(_) => Sort::Int,
            Self::Real(_) => Sort::Real,
            Self::Symbol(_) => Sort::Symbol,
            Self::BitVec { width, .. } => Sort::BitVec(width),
            Self::Enum(name, _) => Sort::Enum(name),
        })
    }

    /// The number that this value is, where it is one (booleans count as 0 and 1).
    pub fn as_f64(self) -> Option<f64> {
        match self {
            Self::Bool(b) => Some(f64::from(u8::from(b))),
            // Exact up to 2^53; beyond that the nearest double is what a network could hold anyway.
            Self::Int(i) => Some(i as f64),
            Self::Real(r) => Some(r),
            _ => None,
        }
    }
}

/// The word whose lowest `width` bits are set.
pub fn mask(width: u8) -> u64 {
    u64::MAX >> (u32::from(Sort::MAX_WIDTH.saturating_sub(width))).min(63)
}
