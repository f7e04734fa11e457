//! Makes the networks under `benchmarks/networks` again, from their seeds.

use std::path::Path;

use bench::{AttentionBuilder, TrainConfig, train_recurrent};
use samples::{Batch, Column, Decode, Domain, Elements, Sort, rng};

#[expect(clippy::print_stderr, reason = "a command-line example reports how training went")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: make_networks FOLDER")?;
    let folder = Path::new(&folder);

    let domain = Domain {
        elements: Elements::Integers { dim: 1, lo: -1, hi: 1 },
        length: (12, 12),
        decode: Decode::Round,
        n_outputs: 1,
    };
    let config = TrainConfig { hidden: 4, width: 16, batch: 128, steps: 4000, learning_rate: 3e-3, seed: 0 };
    let (network, report) = train_recurrent("saturating_counter", &domain, &saturating_counter, &config)?;
    eprintln!("saturating_counter: loss {:.2e}, worst error {:.3}", report.loss, report.worst);
    network.write(&folder.join("saturating_counter"))?;

    let (mut builder, tokens, indices) = AttentionBuilder::new(&["a", "b", "c", "d"], 6);
    let first = builder.aggregate(0, (indices, indices), tokens, |key, _| key == 0);
    let same = builder.map(0, [first, tokens], 2, |first, token| usize::from(first == Some(token)));
    let values = [serde_json::json!(false), serde_json::json!(true)];
    builder.finish("same_as_first", same, &values, &mut rng(0, "rotation"))?.write(&folder.join("same_as_first"))?;
    Ok(())
}

/// Counts up and down between 0 and 3.
fn saturating_counter(batch: &Batch) -> Vec<Column> {
    let mut codes = Vec::new();
    for row in 0..batch.n_sequences() {
        let mut count = 0;
        for &x in batch.sequence(row) {
            count = (count + x).clamp(0, 3);
            codes.push(count);
        }
    }
    vec![Column::new(Sort::Int, codes)]
}
