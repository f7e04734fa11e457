//! Columns of values over sample inputs, and the domains that inputs are drawn from.
//!
//! This crate is the waist of the workspace. A site of a network and a term of a program are both a [`Column`]: one
//! value per *point*, where a point is one element of one input sequence. The side of the network and the side of
//! the program know nothing of each other and meet over columns.
//!
//! It holds no execution: how a network computes a column is the business of `graph`, how a term does that of `dsl`.

mod batch;
mod column;
mod domain;
mod partition;
mod symbol;
mod value;

pub use batch::{Batch, Points};
pub use column::{Column, UNDEFINED, decode_code, encode_value};
pub use domain::{Decode, Domain, DomainError, Elements, Rng, rng};
pub use partition::Partition;
pub use symbol::Symbol;
pub use value::{Sort, Value, mask};
