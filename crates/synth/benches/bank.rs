//! Candidates a second of the bank, deduplication included: `cargo bench -p synth`.

use divan::Bencher;
use divan::counter::ItemsCount;
use dsl::Language;
use samples::{Column, Sort};
use synth::{Bank, BankConfig, Leaf, Limits, Watch};

const LANGUAGE: &str = "
    (constants Int 0 1 2)
    (define-fun + ((a Int) (b Int)) Int (+ a b))
    (define-fun - ((a Int) (b Int)) Int (- a b))
    (define-fun * ((a Int) (b Int)) Int (* a b))
    (define-fun % ((a Int) (b Int)) Int (mod a b) :when (> b 0))
    (define-fun max ((a Int) (b Int)) Int (max a b))
    (define-fun < ((a Int) (b Int)) Bool (< a b))
    (define-fun ite ((c Bool) (a Int) (b Int)) Int (ite c a b))
";

fn main() {
    divan::main();
}

/// A column of small numbers that repeats nothing.
fn column(n_points: usize, factor: i64) -> Column {
    Column::new(Sort::Int, (0..n_points as i64).map(|i| (i * i * factor + i) % 23 - 7).collect())
}

fn enumerate(bencher: Bencher<'_, '_>, n_points: usize, operators: &[&str]) {
    let language = Language::parse("bench", LANGUAGE, &|_| None).expect("the language is well-formed");
    let limits = Limits { max_cost: 12, max_classes: usize::MAX, max_candidates: 1_000_000, max_bytes: usize::MAX };
    bencher.counter(ItemsCount::new(limits.max_candidates)).bench_local(|| {
        let leaves = ["x", "y", "z"].iter().zip([3, 5, 11]);
        let leaves = leaves.map(|(name, factor)| Leaf::variable(&language, *name, column(n_points, factor))).collect();
        let config = BankConfig::new(&language, leaves).with_operators(&language, operators);
        let mut bank = Bank::new(&language, &config).expect("columns have equal lengths");
        bank.run(&limits, &mut |_| Watch::Keep);
        bank.len()
    });
}

#[divan::bench(args = [16, 64, 256])]
fn small_profile(bencher: Bencher<'_, '_>, n_points: usize) {
    enumerate(bencher, n_points, &["+", "*", "<", "max"]);
}

#[divan::bench(args = [16, 64, 256])]
fn all_operators(bencher: Bencher<'_, '_>, n_points: usize) {
    enumerate(bencher, n_points, &["+", "-", "*", "%", "max", "<", "ite"]);
}
