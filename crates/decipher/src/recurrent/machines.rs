//! Tests over exact machines: the class of tasks that the strategies are for, each under its own name.

use std::io::Write as _;

use dsl::Language;
use samples::{Decode, Domain, Elements};

use super::of_oracle;
use super::oracle::{Oracle, fake::Fake};
use crate::{Config, Limits};

type Step = fn(&[i64], &[i64]) -> (Vec<i64>, Vec<i64>);

/// A machine: name, numbers per element, their range, initial state, step, the size at most that its program may have.
type Case = (&'static str, usize, (i64, i64), &'static [i64], Step, usize);

fn bit(condition: bool) -> Vec<i64> {
    vec![i64::from(condition)]
}

/// The state is the last inputs, the latest first.
fn shift(s: &[i64], x: &[i64]) -> Vec<i64> {
    let mut next = vec![x[0]];
    next.extend_from_slice(&s[..s.len() - 1]);
    next
}

fn adder(base: i64, s: &[i64], x: &[i64]) -> (Vec<i64>, Vec<i64>) {
    let sum = s[0] + x[0] + x[1];
    (vec![sum / base], vec![sum % base])
}

fn divider(by: i64, s: &[i64], x: &[i64]) -> (Vec<i64>, Vec<i64>) {
    let rest = 2 * s[0] + x[0];
    (vec![rest % by], vec![rest / by])
}

fn sum_mod(k: i64, s: &[i64], x: &[i64]) -> (Vec<i64>, Vec<i64>) {
    let sum = (s[0] + x[0]) % k;
    (vec![sum], vec![sum])
}

fn most_frequent(s: &[i64], x: &[i64]) -> (Vec<i64>, Vec<i64>) {
    let mut counts = s.to_vec();
    counts[x[0] as usize] += 1;
    let most = counts.iter().copied().max().unwrap_or(0);
    let first = counts.iter().position(|&c| c == most).unwrap_or(0);
    (counts, vec![first as i64])
}

const CASES: &[Case] = &[
    ("add in base 4", 2, (0, 3), &[0], |s, x| adder(4, s, x), 12),
    ("add in base 6", 2, (0, 5), &[0], |s, x| adder(6, s, x), 12),
    ("exclusive or", 2, (0, 1), &[0], |_, x| (vec![0], vec![x[0] ^ x[1]]), 5),
    ("not", 1, (0, 1), &[0], |_, x| (vec![0], vec![1 - x[0]]), 3),
    ("parity of the last 3", 1, (0, 1), &[0; 2], |s, x| (shift(s, x), vec![(s[0] + s[1] + x[0]) % 2]), 14),
    ("parity of all", 1, (0, 1), &[0], |s, x| sum_mod(2, s, x), 8),
    ("parity of zeros", 1, (0, 1), &[0], |s, x| (vec![(s[0] + 1 - x[0]) % 2], vec![(s[0] + 1 - x[0]) % 2]), 12),
    ("sum of the last 3", 1, (0, 99), &[0; 2], |s, x| (shift(s, x), vec![s[0] + s[1] + x[0]]), 12),
    ("sum of the last 7", 1, (0, 99), &[0; 6], |s, x| (shift(s, x), vec![s.iter().sum::<i64>() + x[0]]), 32),
    ("five ago", 1, (0, 99), &[0; 5], |s, x| (shift(s, x), vec![s[4]]), 17),
    ("equal to the last", 1, (0, 9), &[-1], |s, x| (shift(s, x), bit(s[0] == x[0])), 8),
    ("absolute value", 1, (-100, 99), &[0], |_, x| (vec![0], vec![x[0].abs()]), 3),
    ("difference of absolute values", 1, (-100, 99), &[0], |s, x| (shift(s, x), vec![x[0].abs() - s[0].abs()]), 9),
    ("minimum", 1, (0, 99), &[100], |s, x| (vec![s[0].min(x[0])], vec![s[0].min(x[0])]), 8),
    ("majority of two", 1, (0, 1), &[0], |s, x| (vec![s[0] + 2 * x[0] - 1], bit(s[0] + 2 * x[0] > 1)), 14),
    ("majority of four", 1, (0, 3), &[0; 4], most_frequent, 70),
    ("even", 1, (0, 99), &[0], |_, x| (vec![0], bit(x[0] % 2 == 0)), 6),
    (
        "brackets, balanced so far",
        1,
        (0, 1),
        &[0],
        |s, x| {
            let depth = if s[0] < 0 { -1 } else { s[0] + 1 - 2 * x[0] };
            (vec![depth], bit(depth == 0))
        },
        24,
    ),
    ("alternating in the last 3", 1, (0, 1), &[0; 2], |s, x| (shift(s, x), bit(x[0] != s[0] && s[0] != s[1])), 16),
    ("shift right", 1, (0, 1), &[0], |s, x| (shift(s, x), vec![s[0]]), 6),
    ("parity of products", 2, (0, 1), &[0], |s, x| sum_mod(2, s, &[x[0] * x[1]]), 12),
    ("divide by 3", 1, (0, 1), &[0], |s, x| divider(3, s, x), 18),
    ("divide by 7", 1, (0, 1), &[0], |s, x| divider(7, s, x), 18),
    ("add modulo 3", 1, (0, 2), &[0], |s, x| sum_mod(3, s, x), 8),
    ("add modulo 5", 1, (0, 4), &[0], |s, x| sum_mod(5, s, x), 8),
    ("add modulo 7", 1, (0, 6), &[0], |s, x| sum_mod(7, s, x), 8),
    (
        "falling body",
        1,
        (-10, 10),
        &[0, 0],
        |s, x| (vec![s[0] + x[0] - 1, s[1] + s[0] + x[0] - 1], vec![s[1] + s[0] + x[0] - 1]),
        18,
    ),
    (
        "spring",
        1,
        (-10, 10),
        &[0, 0],
        |s, x| {
            let speed = s[0] + x[0] - s[1];
            (vec![speed, s[1] + speed], vec![s[1] + speed])
        },
        14,
    ),
    (
        "first seen",
        1,
        (0, 9),
        &[-1],
        |s, x| (vec![if s[0] < 0 { x[0] } else { s[0] }], vec![if s[0] < 0 { x[0] } else { s[0] }]),
        16,
    ),
    ("a one was seen", 1, (0, 1), &[0], |s, x| (vec![s[0] | x[0]], vec![s[0] | x[0]]), 8),
    (
        "greatest difference",
        1,
        (0, 9),
        &[9, 0],
        |s, x| (vec![s[0].min(x[0]), s[1].max(x[0])], vec![s[1].max(x[0]) - s[0].min(x[0])]),
        16,
    ),
    (
        "divisible by 3 in binary",
        1,
        (0, 1),
        &[0],
        |s, x| (vec![(2 * s[0] + x[0]) % 3], bit((2 * s[0] + x[0]) % 3 == 0)),
        16,
    ),
    ("new record", 1, (0, 9), &[-1], |s, x| (vec![s[0].max(x[0])], bit(x[0] > s[0])), 12),
    ("run length", 1, (0, 1), &[0], |s, x| (vec![(s[0] + 1) * x[0]], vec![(s[0] + 1) * x[0]]), 10),
    ("saturating count", 1, (0, 1), &[0], |s, x| (vec![(s[0] + x[0]).min(3)], vec![(s[0] + x[0]).min(3)]), 10),
    (
        "square of the sum modulo 5",
        1,
        (0, 4),
        &[0],
        |s, x| (vec![(s[0] + x[0]) % 5], vec![(s[0] + x[0]) * (s[0] + x[0]) % 5]),
        16,
    ),
    ("base 5 product by 3", 1, (0, 4), &[0], |s, x| (vec![(3 * x[0] + s[0]) / 5], vec![(3 * x[0] + s[0]) % 5]), 16),
    (
        "median of the last 3",
        1,
        (0, 9),
        &[0; 2],
        |s, x| {
            let mut all = [s[0], s[1], x[0]];
            all.sort_unstable();
            (shift(s, x), vec![all[1]])
        },
        24,
    ),
];

pub(super) fn language(text: &str) -> Language {
    Language::parse("test", text, &|name| Language::shipped(name).map(str::to_owned)).expect("parses")
}

/// What was found for a machine.
struct Answer {
    text: String,
    size: usize,
    source: &'static str,
    /// The read-outs of the aligned variables and their fits.
    readouts: Vec<(&'static str, f64)>,
}

/// The best program for an oracle whose inputs lie in a range.
fn solve(
    oracle: &dyn Oracle,
    (lo, hi): (i64, i64),
    language: &Language,
    late: &(dyn Fn() -> bool + Sync),
) -> Option<Answer> {
    let domain = Domain {
        elements: Elements::Integers { dim: oracle.dim(), lo, hi },
        length: (10, 10),
        decode: Decode::Round,
        n_outputs: oracle.n_outputs(),
    };
    let limits = Limits { hypotheses: 1, ..Limits::default() };
    let start = std::time::Instant::now();
    let progress = |what: &str| {
        if std::env::var_os("CASE").is_some() {
            let _ = writeln!(std::io::stderr(), "{:6.2} s  {what}", start.elapsed().as_secs_f64());
        }
    };
    let config =
        Config { seed: 1, limits, deadline: late, min_agreement: 0.999, progress: &progress, ..Config::new(language) };
    let found = of_oracle(oracle, &domain, &samples::Batch::new(oracle.dim()), &config).expect("runs");
    let best = found.first()?;
    Some(Answer {
        text: dsl::print(&best.program, language),
        size: dsl::size(&best.program, language),
        source: best.source,
        readouts: best.alignment.iter().map(|aligned| (aligned.readout, aligned.fit)).collect(),
    })
}

fn decipher(case: &Case, language: &Language) -> Option<Answer> {
    let &(_, dim, range, initial, step, _) = case;
    let oracle = Fake { dim, initial: initial.to_vec(), n_outputs: 1, step };
    solve(&oracle, range, language, &|| false)
}

fn case(name: &str) -> &'static Case {
    CASES.iter().find(|case| case.0 == name).expect("a case of that name")
}

#[test]
fn the_class_of_tasks() {
    let language = language("(include \"recurrent\")");
    let only = std::env::var("CASE").unwrap_or_default();
    let mut failures = Vec::new();
    for case in CASES.iter().filter(|case| case.0.contains(&only)) {
        let start = std::time::Instant::now();
        let found = decipher(case, &language);
        let text = match &found {
            Some(Answer { text, size, source, .. }) => format!("{size:3} ({source}) {text}"),
            None => "nothing".to_owned(),
        };
        let _ = writeln!(std::io::stderr(), "{:6.2} s  {:32} {text}", start.elapsed().as_secs_f64(), case.0);
        let good = |answer: Answer| answer.size <= case.5 && answer.source != "table";
        if !found.is_some_and(good) {
            failures.push(case.0);
        }
    }
    assert!(failures.is_empty(), "not solved within their size: {failures:?}");
}

/// Programs hold no operator that the language lacks.
#[test]
fn deleted_operators_are_done_without() {
    let no_remainder = language("(include \"recurrent\") (without %)");
    let answer = decipher(case("add modulo 3"), &no_remainder).expect("solved");
    assert!(answer.source != "table" && !answer.text.contains('%'), "{}", answer.text);
    let no_choice = language("(include \"recurrent\") (without ite)");
    for name in ["saturating count", "alternating in the last 3", "divide by 3"] {
        let answer = decipher(case(name), &no_choice).expect("solved");
        assert!(!answer.text.contains("ite"), "{}", answer.text);
    }
    let no_scan = language("(include \"integers\")");
    assert_eq!(decipher(case("exclusive or"), &no_scan).expect("solved").text, "(!= x0 x1)");
    assert!(decipher(case("sum of the last 3"), &no_scan).is_none());
}

/// A user's own operator is used where that is shorter, in what is enumerated and in what is built by hand.
#[test]
fn added_operators_are_used() {
    let own = "(include \"recurrent\")
        (define-fun twice ((a Int)) Int (+ a a) :cost 1)
        (define-fun carry ((s Int)) Int (// s 4) :cost 1)";
    let language = language(own);
    assert!(decipher(case("falling body"), &language).expect("solved").text.contains("twice"));
    assert!(decipher(case("add in base 4"), &language).expect("solved").text.contains("carry"));
}

#[test]
fn the_same_seed_gives_the_same_program() {
    let language = language("(include \"recurrent\")");
    let run = || decipher(case("add in base 4"), &language).expect("solved");
    let (a, b) = (run(), run());
    assert_eq!((a.text, a.readouts), (b.text, b.readouts));
}

/// Two outputs that feed on each other, and values other than zero before the first element.
#[test]
fn coupled_recurrences_are_linear() {
    let step = |s: &[i64], x: &[i64]| {
        let next = vec![s[0] - s[1] + x[0], s[0] + s[1] + x[1]];
        (next.clone(), next)
    };
    let oracle = Fake { dim: 2, initial: vec![1, 2], n_outputs: 2, step };
    let answer = solve(&oracle, (-3, 3), &language("(include \"recurrent\")"), &|| false).expect("solved");
    assert_eq!(answer.source, "linear recurrence");
    assert!(answer.text.contains("(y0 1 ") && answer.text.contains("(y1 2 "), "{}", answer.text);
    assert!(answer.readouts.iter().all(|&(readout, fit)| readout == "affine" && fit == 1.0));
}

/// One output in two thousand is wrong; the program behind it is found all the same.
#[test]
fn errors_of_the_network_are_not_explained() {
    let step = |s: &[i64], x: &[i64]| {
        let sum = (s[0] + x[0]) % 5;
        let hash = (s[1] * 31 + x[0] + 7) % 10_007;
        (vec![sum, hash], vec![if hash % 1999 == 17 { (sum + 1) % 5 } else { sum }])
    };
    let oracle = Fake { dim: 1, initial: vec![0, 0], n_outputs: 1, step };
    let answer = solve(&oracle, (0, 4), &language("(include \"recurrent\")"), &|| false).expect("solved");
    assert!(answer.size <= 9, "{}", answer.text);
}

/// A network that overflows is searched in vain, and without harm.
#[test]
fn numbers_out_of_range_do_no_harm() {
    struct Broken;
    impl Oracle for Broken {
        fn dim(&self) -> usize {
            1
        }
        fn hidden_dim(&self) -> usize {
            2
        }
        fn n_outputs(&self) -> usize {
            1
        }
        fn initial(&self, n: usize) -> Vec<f32> {
            vec![1.0; 2 * n]
        }
        fn step(&self, hidden: &[f32], inputs: &[i64]) -> Result<Vec<f32>, crate::Error> {
            let rows = hidden.chunks(2).zip(inputs);
            Ok(rows.flat_map(|(h, &x)| [h[0] * 1e12 * (x - 1) as f32, h[0] - h[0] * 3.0]).collect())
        }
        fn readout(&self, hidden: &[f32]) -> Result<Vec<f32>, crate::Error> {
            Ok(hidden.chunks(2).map(|h| h[0] * h[1]).collect())
        }
    }
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let late = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 100;
    let _ = solve(&Broken, (0, 3), &language("(include \"recurrent\")"), &late);
}

/// A machine without rhyme or reason comes out as its table, and says so. The search is cut short by counting.
#[test]
fn a_table_is_the_last_resort() {
    const NEXT: [[i64; 3]; 5] = [[1, 4, 2], [3, 0, 4], [2, 3, 0], [0, 1, 3], [4, 2, 1]];
    const SHOWN: [[i64; 3]; 5] = [[7, 1, 40], [2, 9, 3], [11, 0, 5], [6, 23, 1], [17, 4, 8]];
    let step = |s: &[i64], x: &[i64]| {
        let (state, symbol) = (s[0] as usize, x[0] as usize);
        (vec![NEXT[state][symbol]], vec![SHOWN[state][symbol]])
    };
    let oracle = Fake { dim: 1, initial: vec![0], n_outputs: 1, step };
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let late = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 400;
    let answer = solve(&oracle, (0, 2), &language("(include \"recurrent\")"), &late).expect("a table");
    assert_eq!(answer.source, "table");
    assert!(answer.text.contains("table") && answer.readouts[0].1 > 0.99, "{}", answer.text);
}
