//! The bank: enumeration of terms by cost over classes of terms with equal values.
//!
//! A [`Bank`] holds one representative for every *class*: the terms of one nonterminal (without a grammar, of one sort) that have the same
//! values at the sample points (observational equivalence; Udupa et al. 2013, Albarghouthi et al. 2013). Terms are built from
//! representatives alone, by ascending cost, so the first term of a class is a cheapest one, and a class that is not
//! there has no term up to the cost that was finished. Equality here is equality *on the points*, nothing more: proved
//! equalities live in the e-graph.
//!
//! New points split classes; the bank keeps some of the terms that a class absorbed, so that it can go on instead of
//! starting again.

mod block;
mod closure;
mod columns;
mod config;
mod enumerate;
#[cfg(test)]
mod grammar_tests;
mod primitive;
mod production;
mod queue;
mod rows;
mod space;
mod store;
#[cfg(test)]
mod tests;

pub use closure::{Closure, ClosureLimits, MAX_CLOSURE_POINTS};
pub use config::{BankConfig, BankError, Found, Limits, StopReason, Watch};
pub use enumerate::Bank;
pub(crate) use primitive::Primitive;
pub use production::{Extra, Leaf};

/// A class of a [`Bank`]: its index, in order of discovery.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ClassId(pub u32);
