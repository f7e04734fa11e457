//! SyGuS-IF problems: read, solve, verify, print.
//!
//! [`Problem::parse`] reads SyGuS-IF 2.1, [`solve`] looks for bodies of the functions, smallest first, and has every
//! answer verified by the solver against the file's own text, [`print()`] writes the answer.

mod accept;
mod cases;
mod choice;
mod clauses;
mod conjunction;
mod inversion;
mod joint;
mod listing;
mod logic;
mod mask;
mod polynomial;
mod problem;
mod read;
mod sampling;
mod search;
mod simple;
mod solve;
mod spec;
mod template;
mod theory;
mod tree;
mod values;
mod verify;
mod weight;

pub use listing::{Listing, list, print_all, print_front};
pub use problem::{Application, Logic, Objective, Problem, SynthFun, Weight, WeightBound, WeightSum};
pub use search::{SearchLimits, Solution};
pub use solve::{Answer, Options, Unsolved, print, solve};
pub use verify::definition;
