//! Elman, GRU and LSTM cells as torch.nn defines them, against plain loops in double precision.

use graph::{Intervention, Matrix, Record};
use samples::{Batch, rng};

use crate::build::{Folder, gated, rnn};

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// A tensor of the folder times a vector.
fn times(folder: &Folder, name: &str, x: &[f64]) -> Vec<f64> {
    let (shape, data) = &folder.weights[name];
    assert_eq!(shape[1], x.len(), "{name}");
    (0..shape[0]).map(|o| (0..shape[1]).map(|i| f64::from(data[o * shape[1] + i]) * x[i]).sum()).collect()
}

fn plus(folder: &Folder, name: &str, x: Vec<f64>) -> Vec<f64> {
    x.iter().zip(&folder.weights[name].1).map(|(x, &b)| x + f64::from(b)).collect()
}

fn affine(folder: &Folder, name: &str, x: &[f64]) -> Vec<f64> {
    plus(folder, &format!("{name}.bias"), times(folder, &format!("{name}.weight"), x))
}

/// The outputs of a `gated` folder for one sequence of pairs of numbers within -1 to 1.
fn reference(folder: &Folder, cell: &str, layers: usize, sequence: &[i64]) -> Vec<f64> {
    let (mut h, mut c) = (vec![vec![0.0; 4]; layers], vec![vec![0.0; 4]; layers]);
    let mut outputs = Vec::new();
    for element in sequence.chunks(2) {
        let mut below: Vec<f64> =
            element.iter().flat_map(|&v| (-1..=1).map(move |u| if u == v { 1.0 } else { 0.0 })).collect();
        for l in 0..layers {
            let input =
                plus(folder, &format!("rnn.bias_ih_l{l}"), times(folder, &format!("rnn.weight_ih_l{l}"), &below));
            let hidden =
                plus(folder, &format!("rnn.bias_hh_l{l}"), times(folder, &format!("rnn.weight_hh_l{l}"), &h[l]));
            let both = |gate: usize, i: usize| input[gate * 4 + i] + hidden[gate * 4 + i];
            for i in 0..4 {
                below.resize(4, 0.0);
                below[i] = match cell {
                    "elman" => both(0, i).tanh(),
                    "gru" => {
                        let (r, z) = (sigmoid(both(0, i)), sigmoid(both(1, i)));
                        let candidate = (input[8 + i] + r * hidden[8 + i]).tanh();
                        (1.0 - z) * candidate + z * h[l][i]
                    }
                    _ => {
                        c[l][i] = sigmoid(both(1, i)) * c[l][i] + sigmoid(both(0, i)) * both(2, i).tanh();
                        sigmoid(both(3, i)) * c[l][i].tanh()
                    }
                };
            }
            below.truncate(4);
            h[l].clone_from(&below);
        }
        let between: Vec<f64> = affine(folder, "ymlp.layers.0", &below).iter().map(|v| v.tanh()).collect();
        outputs.extend(affine(folder, "ymlp.layers.1", &between));
    }
    outputs
}

#[test]
fn cells_compute_what_torch_defines() {
    for cell in ["elman", "gru", "lstm"] {
        for layers in 1..=3 {
            let folder = gated(cell, layers, layers as u64);
            let network = folder.load().unwrap_or_else(|error| panic!("{cell}: {error}"));
            // More sequences than one block holds, of several lengths.
            let batch = network.domain.sample(300, &mut rng(0, "cells"));
            let y = network.raw_outputs(&batch).expect("runs");
            let mut worst = 0.0_f64;
            for row in 0..batch.n_sequences() {
                let expected = reference(&folder, cell, layers, batch.sequence(row));
                for (point, expected) in batch.points().range(row).zip(expected) {
                    worst = worst.max((f64::from(y.at(point, 0)) - expected).abs());
                }
            }
            assert!(worst < 1e-5, "{cell} of {layers} layers: {worst:e}");
        }
    }
}

/// The unrolled graph, step by step calls and rollouts are one computation.
#[test]
fn unrolled_graphs_equal_rollouts() {
    for folder in [rnn(), gated("elman", 2, 0), gated("gru", 1, 0), gated("lstm", 2, 0)] {
        let network = folder.load().expect("sound");
        let recurrence = network.recurrence().expect("recurrent");
        let batch = network.domain.sample_of_length(20, 4, &mut rng(0, "unrolled"));
        let graph = network.graph(4);
        let trace = network.trace(&batch).expect("runs");
        let y = network.raw_outputs(&batch).expect("runs");
        let mut state = recurrence.initial(20);
        for step in 0..4 {
            let x = trace.matrix(graph.find(&format!("x[{step}]")).expect("x")).expect("recorded");
            state = recurrence.step(&state, &x);
            assert_eq!(state, trace.matrix(graph.find(&format!("h[{step}]")).expect("h")).expect("recorded"));
            let out = trace.matrix(graph.find(&format!("y[{step}]")).expect("y")).expect("recorded");
            let points: Vec<usize> = (0..20).map(|row| row * 4 + step).collect();
            assert_eq!(out, y.select(&points));
            assert_eq!(out, recurrence.readout(&state));
        }
    }
}

/// A state put in the place of another leads where the other sequence would have led.
#[test]
fn a_replaced_state_continues_as_the_other_sequence() {
    let network = rnn().load().expect("sound");
    let batch = network.domain.sample_of_length(30, 5, &mut rng(0, "swap"));
    let graph = network.graph(5);
    let find = |name: &str| graph.find(name).expect("unrolled");
    let trace = network.trace(&batch).expect("runs");
    // Sequence i continues from the state of sequence i + 1 after two steps, with its own later elements.
    let rows: Vec<usize> = (0..30).map(|i| (i + 1) % 30).collect();
    let h = trace.matrix(find("h[1]")).expect("recorded").select(&rows);
    let patch = Intervention::node(find("h[1]"), h.to_tensor().expect("small"));
    let patched = graph.rerun(&trace, std::slice::from_ref(&patch)).expect("runs");
    let spliced =
        Batch::from_sequences(2, (0..30).map(|i| [&batch.sequence(rows[i])[..4], &batch.sequence(i)[4..]].concat()));
    let y: Matrix = network.raw_outputs(&spliced).expect("runs");
    for step in 1..5 {
        let points: Vec<usize> = (0..30).map(|row| row * 5 + step).collect();
        assert_eq!(patched.matrix(find(&format!("y[{step}]"))).expect("recorded"), y.select(&points));
    }
    assert_eq!(patched.n_computed(), 3 + 4, "three states and four outputs");
    let only = graph.run(trace.inputs(), &[patch], Record::Nodes(&[find("y[4]")])).expect("runs");
    assert_eq!(only.n_computed(), 3 + 3 + 1, "three elements, three states, one output");
}
