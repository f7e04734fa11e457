//! Running loaded networks on ragged batches, and on inputs that they cannot take.

use graph::Op;
use samples::{Batch, rng};

use crate::build::{Folder, gated, gpt2, hooked, rnn};

/// Every output of a ragged batch is that of its sequence alone.
#[test]
fn ragged_batches_equal_single_sequences() {
    for folder in [rnn(), gated("gru", 2, 0), hooked(), gpt2()] {
        let network = folder.load().expect("sound");
        let batch = network.domain.sample(60, &mut rng(0, "ragged"));
        let all = network.raw_outputs(&batch).expect("runs");
        for row in 0..batch.n_sequences() {
            let one = network.raw_outputs(&batch.select(&[row])).expect("runs");
            for (point, alone) in batch.points().range(row).zip(one.iter_rows()) {
                for (a, b) in all.row(point).iter().zip(alone) {
                    assert!((a - b).abs() < 1e-5, "{a} {b}");
                }
            }
        }
        let graph = network.graph(3);
        let nodes: Vec<_> = graph.nodes().collect();
        let values = network.activations(&batch, &nodes).expect("runs");
        assert!(values.iter().all(|value| value.points.rows == batch.points().len()));
        assert!(network.raw_outputs(&Batch::new(batch.dim())).expect("nothing to run").data.is_empty());
    }
}

/// Patterns of shorter sequences are padded with zeros; the rows of BOS are told apart.
#[test]
fn patterns_over_ragged_batches() {
    let network = hooked().load().expect("sound");
    let graph = network.graph(0);
    let pattern = graph.find("a0.h1.pattern").expect("there");
    assert!(matches!(graph.op(pattern), Op::Pattern { causal: true, .. }));
    let batch = Batch::from_sequences(1, [vec![2, 3], vec![4, 2, 3, 2]]);
    let values = &network.activations(&batch, &[pattern]).expect("runs")[0];
    // Two tokens and BOS: a query sees itself, what is before it, and BOS.
    let seen: Vec<usize> = values.points.iter_rows().map(|row| row.iter().filter(|v| **v > 0.0).count()).collect();
    assert_eq!((values.points.cols, seen), (5, vec![2, 3, 2, 3, 4, 5]));
    assert!(values.points.iter_rows().all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-6));
    let bos = values.bos.as_ref().expect("these networks have one");
    assert!(bos.iter_rows().all(|row| row == [1.0, 0.0, 0.0, 0.0, 0.0]));
}

/// A network with absolute positions sees the origin of a sequence.
#[test]
fn origins_move_positions() {
    let network = gpt2().load().expect("sound");
    let mut batch = Batch::new(1);
    for origin in 0..3 {
        batch.push_at(&[2, 0, 1], origin);
    }
    let y = network.raw_outputs(&batch).expect("runs");
    assert_ne!(y.row(0), y.row(3));
    batch.push_at(&[2, 0, 1], 4);
    let error = network.raw_outputs(&batch).expect_err("six positions");
    assert_eq!(error.to_string(), "a sequence of 3 elements at origin 4 does not fit the network's 6 positions");
}

fn refused(folder: &Folder, batch: &Batch) -> String {
    folder.load().expect("sound").raw_outputs(batch).expect_err("unfit").to_string()
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let one = |sequence: &[i64]| Batch::from_sequences(1, [sequence]);
    assert_eq!(refused(&hooked(), &one(&[2, 5])), "there is no token 5: the network has 5");
    assert_eq!(refused(&hooked(), &one(&[-1])), "there is no token -1: the network has 5");
    assert_eq!(
        refused(&hooked(), &one(&[2; 5])),
        "a sequence of 5 elements at origin 0 does not fit the network's 4 positions"
    );
    assert_eq!(refused(&rnn(), &one(&[2])), "the network reads 2 numbers per element, the inputs have 1");
    let ragged = Batch::from_sequences(1, [vec![2], vec![2, 3]]);
    let error = hooked().load().expect("sound").rect_inputs(&ragged).expect_err("two lengths").to_string();
    assert_eq!(error, "the inputs do not fit this network: it wants sequences of one length");
}

/// Layer normalisation with weights of one and no bias is normalisation without weights.
#[test]
fn folded_and_explicit_normalisation_agree() {
    let mut explicit = hooked();
    explicit.config["normalization_type"] = "LN".into();
    for name in ["blocks.0.ln1", "blocks.0.ln2", "ln_final"] {
        explicit.weights.insert(format!("{name}.w"), (vec![4], vec![1.0; 4]));
        explicit.weights.insert(format!("{name}.b"), (vec![4], vec![0.0; 4]));
    }
    let mut folded = hooked();
    folded.config["normalization_type"] = "LNPre".into();
    let batch = Batch::from_sequences(1, [vec![2, 3, 4], vec![4, 4, 2]]);
    let outputs = |folder: &Folder| folder.load().expect("sound").raw_outputs(&batch).expect("runs");
    assert_eq!(outputs(&explicit), outputs(&folded));
    assert_ne!(outputs(&explicit), outputs(&hooked()));
}
