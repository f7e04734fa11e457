//! Candidates a second of the bank and of the closure, deduplication included: `cargo bench -p synth`.

use divan::Bencher;
use divan::counter::ItemsCount;
use dsl::{Func, Grammar, Language, NonterminalId, Production, Term};
use samples::{Column, Sort, Symbol};
use synth::{Bank, BankConfig, Closure, ClosureLimits, Leaf, Limits, Watch};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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

const CONNECTIVES: &str = "
    (define-fun not ((a Bool)) Bool (not a))
    (define-fun and ((a Bool) (b Bool)) Bool (and a b))
    (define-fun or ((a Bool) (b Bool)) Bool (or a b))
    (define-fun xor ((a Bool) (b Bool)) Bool (xor a b))
";

/// All terms over four variables and some connectives.
fn connected(language: &Language, connectives: &[&str]) -> Grammar {
    let mut grammar = Grammar::default();
    let start = grammar.add("B", Sort::Bool);
    let leaves = ["a", "b", "c", "d"].map(|name| Production::Leaf { term: Term::var(name), cost: 1 });
    let apply = connectives.iter().filter_map(|name| {
        let id = language.operator(name)?;
        let args: Vec<NonterminalId> = vec![start; language.op(id).params.len()];
        Some(Production::Apply { func: Func::Op(id), args, cost: 1 })
    });
    grammar.nonterminals[0].productions = leaves.into_iter().chain(apply).collect();
    grammar
}

/// Every function of four variables: 65,536 of them, and every pair of arguments tried at every cost.
#[divan::bench(args = [&["not", "and"][..], &["not", "and", "or", "xor"]])]
fn closure(bencher: Bencher<'_, '_>, connectives: &[&str]) {
    let language = Language::parse("bench", CONNECTIVES, &|_| None).expect("the language is well-formed");
    let grammar = connected(&language, connectives);
    let column = |place: usize| Column::new(Sort::Bool, (0..16).map(|point: i64| point >> place & 1).collect());
    let variables: Vec<(Symbol, Column)> =
        ["a", "b", "c", "d"].iter().enumerate().map(|(place, name)| (Symbol::new(name), column(place))).collect();
    let close = || Closure::new(&language, &grammar, &variables, &ClosureLimits::new(), &|| false);
    let n_candidates = close().expect("everything is Boolean").n_candidates();
    bencher.counter(ItemsCount::new(n_candidates)).bench_local(close);
}
