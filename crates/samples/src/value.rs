//! Sorts and single values.

use std::fmt;

use crate::Symbol;

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
    /// A finite enumeration declared in a DSL file, by name; its values are its constructors' names.
    Enum(Symbol),
    /// A set of positions of the sequence, one set per point: what attention selects.
    Selector,
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("Bool"),
            Self::Int => f.write_str("Int"),
            Self::Real => f.write_str("Real"),
            Self::Symbol => f.write_str("Symbol"),
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
    /// A value of a declared enumeration: (enumeration, constructor).
    Enum(Symbol, Symbol),
}

impl Value {
    /// The sort, or `None` for [`Value::Undefined`], which belongs to every sort.
    pub fn sort(self) -> Option<Sort> {
        Some(match self {
            Self::Undefined => return None,
            Self::Bool(_) => Sort::Bool,
            Self::Int(_) => Sort::Int,
            Self::Real(_) => Sort::Real,
            Self::Symbol(_) => Sort::Symbol,
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
