//! Makes the networks under `benchmarks/networks` again, from their seeds: all, or the trained ones of a name.

use std::path::Path;

use bench::{AttentionBuilder, Between, CellKind, TrainConfig, train_recurrent};
use samples::{Batch, Column, Decode, Domain, Elements, Sort, Symbol, UNDEFINED, Value, rng};

#[expect(clippy::print_stderr, reason = "a command-line example reports how training went")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: make_networks FOLDER [NAME]")?;
    let (folder, only) = (Path::new(&folder), std::env::args().nth(2));

    for case in CASES.iter().filter(|case| only.as_ref().is_none_or(|name| name == case.name)) {
        let elements = Elements::Integers { dim: case.dim, lo: case.range.0, hi: case.range.1 };
        let decode = match case.classes {
            [] => Decode::Round,
            classes => Decode::Argmax(classes.iter().map(|&name| Value::Symbol(name.into())).collect()),
        };
        let domain = Domain { elements, length: (case.length, case.length), decode, n_outputs: case.n_outputs };
        let (network, report) = train_recurrent(case.name, &domain, &|batch| run(case, batch), &(case.config)())?;
        eprintln!("{}: loss {:.2e}, worst error {:.3}", case.name, report.loss, report.worst);
        network.write(&folder.join(case.name))?;
    }

    if only.is_some() {
        return Ok(());
    }
    let (mut builder, tokens, indices) = AttentionBuilder::new(&["a", "b", "c", "d"], 6);
    let first = builder.aggregate(0, (indices, indices), tokens, |key, _| key == 0);
    let same = builder.map(0, [first, tokens], 2, |first, token| usize::from(first == Some(token)));
    let values = [serde_json::json!(false), serde_json::json!(true)];
    builder.finish("same_as_first", same, &values, &mut rng(0, "rotation"))?.write(&folder.join("same_as_first"))?;
    Ok(())
}

/// From a program's state and an element to the next state and the outputs.
type Step = fn([i64; 2], &[i64]) -> ([i64; 2], Vec<i64>);

/// A network to train: its domain, and the step of its program from (state, element) to (state, outputs); where there are
/// classes, the output is one of these by its place.
struct Case {
    name: &'static str,
    dim: usize,
    range: (i64, i64),
    length: usize,
    n_outputs: usize,
    classes: &'static [&'static str],
    step: Step,
    config: fn() -> TrainConfig,
}

const CASES: &[Case] = &[
    // Counts up and down between 0 and 3.
    Case {
        name: "saturating_counter",
        dim: 1,
        range: (-1, 1),
        length: 12,
        n_outputs: 1,
        classes: &[],
        step: |s, x| {
            let count = (s[0] + x[0]).clamp(0, 3);
            ([count, 0], vec![count])
        },
        config: TrainConfig::default,
    },
    // Which way one faces after turns to the left and to the right.
    Case {
        name: "compass",
        dim: 1,
        range: (-1, 1),
        length: 10,
        n_outputs: 1,
        classes: &["north", "east", "south", "west"],
        step: |s, x| {
            let quarters = (s[0] + x[0]).rem_euclid(4);
            ([quarters, 0], vec![quarters])
        },
        config: || TrainConfig {
            cell: CellKind::Gru,
            one_hot: true,
            hidden: 10,
            learning_rate: 1e-2,
            ..TrainConfig::default()
        },
    },
    // Is the element another than the last one?
    Case {
        name: "change_elman",
        dim: 1,
        range: (0, 1),
        length: 10,
        n_outputs: 1,
        classes: &[],
        step: |s, x| ([x[0], 0], vec![i64::from(x[0] != s[0])]),
        config: || TrainConfig {
            cell: CellKind::Elman,
            activation: Between::Tanh,
            hidden: 8,
            learning_rate: 1e-2,
            ..TrainConfig::default()
        },
    },
    // The greatest element so far, fed as unit vectors.
    Case {
        name: "maximum_gru",
        dim: 1,
        range: (0, 3),
        length: 10,
        n_outputs: 1,
        classes: &[],
        step: |s, x| ([s[0].max(x[0]), 0], vec![s[0].max(x[0])]),
        config: || TrainConfig {
            cell: CellKind::Gru,
            one_hot: true,
            hidden: 8,
            learning_rate: 1e-2,
            ..TrainConfig::default()
        },
    },
    // Whether a 2 was seen since the last 0.
    Case {
        name: "latch_lstm",
        dim: 1,
        range: (0, 2),
        length: 10,
        n_outputs: 1,
        classes: &[],
        step: |s, x| {
            let on = match x[0] {
                0 => 0,
                2 => 1,
                _ => s[0],
            };
            ([on, 0], vec![on])
        },
        config: || TrainConfig { cell: CellKind::Lstm, hidden: 6, learning_rate: 1e-2, ..TrainConfig::default() },
    },
    // Adds two numbers bit by bit: the bit of the sum, and the carry.
    Case {
        name: "adder_silu",
        dim: 2,
        range: (0, 1),
        length: 10,
        n_outputs: 2,
        classes: &[],
        step: |s, x| {
            let sum = s[0] + x[0] + x[1];
            ([sum / 2, 0], vec![sum % 2, sum / 2])
        },
        config: || TrainConfig { activation: Between::Silu, learning_rate: 1e-2, ..TrainConfig::default() },
    },
];

/// What a case's program makes of inputs.
fn run(case: &Case, batch: &Batch) -> Vec<Column> {
    let mut codes = vec![Vec::new(); case.n_outputs];
    for row in 0..batch.n_sequences() {
        let mut state = [0; 2];
        for element in batch.sequence(row).chunks(case.dim) {
            let (next, outputs) = (case.step)(state, element);
            state = next;
            codes.iter_mut().zip(outputs).for_each(|(column, value)| column.push(value));
        }
    }
    let named = |place: i64| usize::try_from(place).ok().and_then(|place| case.classes.get(place));
    let column = |codes: Vec<i64>| match case.classes {
        [] => Column::new(Sort::Int, codes),
        _ => {
            let symbols =
                codes.into_iter().map(|place| named(place).map_or(UNDEFINED, |&name| Symbol::new(name).code()));
            Column::new(Sort::Symbol, symbols.collect())
        }
    };
    codes.into_iter().map(column).collect()
}
