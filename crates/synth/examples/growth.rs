//! How a bank grows with the cost of terms: one line of CSV per cost.
//!
//!     cargo run --release -p synth --example growth -- 16 2000000
//!
//! Columns: the number of points, the cost, classes, terms tried, seconds, bytes. The arguments are the number of points and
//! the terms to try at most.

#![allow(clippy::print_stdout, reason = "an example prints")]

use std::time::Instant;

use dsl::Language;
use samples::{Column, Sort};
use synth::{Bank, BankConfig, Leaf, Limits, StopReason, Watch};

/// Columns that repeat nothing, as in the benchmark.
fn column(n_points: usize, factor: i64) -> Column {
    Column::new(Sort::Int, (0..n_points as i64).map(|i| (i * i * factor + i) % 23 - 7).collect())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let n_points = usize::try_from(arguments.next().unwrap_or(Ok(16))?)?;
    let max_candidates = arguments.next().unwrap_or(Ok(2_000_000))?;
    let language = Language::load_shipped("integers")?;
    let leaves = ["x", "y", "z"].iter().zip([3, 5, 11]);
    let leaves = leaves.map(|(name, factor)| Leaf::variable(&language, *name, column(n_points, factor))).collect();
    let mut bank = Bank::new(&language, &BankConfig::new(&language, leaves))?;
    println!("points,cost,classes,candidates,seconds,bytes");
    let start = Instant::now();
    for max_cost in 1.. {
        let limits = Limits { max_cost, max_classes: usize::MAX, max_candidates, max_bytes: usize::MAX };
        let stop = bank.run(&limits, &mut |_| Watch::Keep);
        let (classes, candidates, bytes) = (bank.len(), bank.n_candidates(), bank.bytes());
        println!("{n_points},{max_cost},{classes},{candidates},{:.6},{bytes}", start.elapsed().as_secs_f64());
        if stop != StopReason::Cost {
            break;
        }
    }
    Ok(())
}
