//! `benchmarks/recheck.py`, which checks proofs with nothing of Ventris: it confirms those that hold, and none that was changed.

use std::path::Path;
use std::process::Command;

use serde_json::{Value as Json, json};

use crate::harness::{copy_of, network, root, run, skipped, write};
use crate::proofs::{pairs, recurrent};

/// Whether Python is there with what the script needs; says so where it is not.
fn has_python() -> bool {
    let found = Command::new("python3").args(["-c", "import numpy"]).output().is_ok_and(|out| out.status.success());
    if !found {
        skipped!("recheck.py: no python3 with numpy");
    }
    found
}

/// What the script says, and whether it confirms the proof.
fn recheck(model: &Path, proof: &Path) -> (bool, String) {
    let script = root().join("benchmarks/recheck.py");
    let out = Command::new("python3").arg(script).args([model, proof]).output().expect("python3 runs");
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.code().is_some_and(|code| code <= 1) && !stderr.contains("Traceback"), "{said}{stderr}");
    (out.status.success(), said)
}

/// The proof that `decipher` finds of a model, confirmed by the script; and what tells whether it confirms a changed one.
fn confirmed<'a>(model: &'a Path, out: &'a Path) -> impl Fn(&str, Json) -> String + 'a {
    let done = run("decipher {0} --out {1} --format json", &[model, out]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let path = out.join("proof.json");
    let (holds, said) = recheck(model, &path);
    assert!(holds && said.contains("holds"), "{said}");
    let proof: Json = serde_json::from_str(&std::fs::read_to_string(&path).expect("written")).expect("JSON");
    move |pointer, value| {
        let mut changed = proof.clone();
        *changed.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        let (holds, said) = recheck(model, &write(out, "changed.json", changed.to_string()));
        assert!(!holds && said.contains("not established"), "{pointer}: {said}");
        said
    }
}

#[test]
fn a_proof_of_a_transformer_is_confirmed_and_no_changed_one_is() {
    if !has_python() {
        return;
    }
    let (model, out) = (network("same_as_first"), tempfile::tempdir().expect("a temporary folder"));
    let refused = confirmed(&model, out.path());
    refused("/scope", json!("length <= 7"));
    refused("/regions/classes/margin", json!(3.0));
    let single = refused("/gap", json!(0.0));
    assert!(single.contains("single precision"), "{single}");
    refused("/program", json!("(= tokens (aggregate (select indices 1 =) tokens))"));
    refused("/program", json!("(!= tokens (aggregate (select indices 0 =) tokens))"));
    refused("/program", json!("(mystery tokens)"));
    // Another meaning for a name that the program uses.
    refused("/dsl/root", json!("(include \"integers\") (define-fun aggregate ((s Selector) (v 'A)) 'A v)"));
}

#[test]
fn a_network_with_other_weights_is_not_confirmed() {
    if !has_python() {
        return;
    }
    let (model, out) = (network("same_as_first"), tempfile::tempdir().expect("a temporary folder"));
    let _ = confirmed(&model, out.path());
    let (copy, path) = (copy_of("same_as_first"), out.path().join("proof.json"));
    let weights = copy.path().join("model.safetensors");
    let mut bytes = std::fs::read(&weights).expect("read");
    let header = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes"));
    let names: Json = serde_json::from_slice(&bytes[8..8 + header as usize]).expect("a header");
    let [from, to] = [0, 1].map(|end| names["unembed.W_U"]["data_offsets"][end].as_u64().expect("an offset") as usize);
    let start = 8 + header as usize;
    for number in bytes[start + from..start + to].chunks_mut(4) {
        // The output is turned around.
        number[3] ^= 0x80;
    }
    std::fs::write(&weights, bytes).expect("written");
    let (holds, said) = recheck(copy.path(), &path);
    assert!(!holds && said.contains("not established"), "{said}");
}

#[test]
fn a_proof_of_a_recurrent_network_is_confirmed_and_no_changed_one_is() {
    if !has_python() {
        return;
    }
    // max(x0, x1).
    let model = pairs([-5, 5], &[(&[&[0., 1., -1.], &[0., 0., 1.]], &[0., 5.]), (&[&[1., 1.]], &[-5.])]);
    let out = tempfile::tempdir().expect("a temporary folder");
    let refused = confirmed(model.path(), out.path());
    refused("/program", json!("(min x0 x1)"));
    refused("/scope", json!("length <= many"));
    refused("/regions/boxes/nodes/0/region", json!([[0.0, 1.0]]));
}

#[test]
fn a_proof_by_a_box_that_moves_is_confirmed_and_no_changed_one_is() {
    if !has_python() {
        return;
    }
    // The sum of x0 - x1 so far: two million pairs are not listed.
    let model = pairs([-700, 700], &[(&[&[1., 1., -1.]], &[0.])]);
    let out = tempfile::tempdir().expect("a temporary folder");
    let refused = confirmed(model.path(), out.path());
    refused("/program", json!("(scan ((y 0 (+ y (+ x0 x1)))) y')"));
    refused("/program", json!("(scan ((y 0 (max y (- x0 x1)))) y')"));
    refused("/regions/moving/matrix/0", json!(2.0));
    refused("/scope", json!("all lengths"));
}

/// The element before this one, by two units: the first knows this element, the second what the first one knew. Unit 0 is far
/// below 0 for a 0 and far above for a 1; gates are open or shut by their biases, so that a cell is `tanh` of these sums, or near it.
fn previous(cell: &str, gates: &[f32], candidate: usize) -> tempfile::TempDir {
    let n = 2 * gates.len();
    let (mut of_input, mut of_state, mut bias) = (vec![0.0; n], vec![0.0; 2 * n], Vec::new());
    bias.extend(gates.iter().flat_map(|&gate| [gate, gate]));
    let at = 2 * candidate;
    of_input[at] = 20.0;
    of_state[2 * (at + 1)] = 20.0;
    (bias[at], bias[at + 1]) = (-10.0, -10.0);
    let shapes = [("rnn.weight_ih_l0", vec![n, 1], of_input), ("rnn.weight_hh_l0", vec![n, 2], of_state)];
    let biases = [("rnn.bias_ih_l0", vec![n], bias), ("rnn.bias_hh_l0", vec![n], vec![0.0; n])];
    let readout = [("ymlp.layers.0.weight", vec![1, 2], vec![0.0, 0.6]), ("ymlp.layers.0.bias", vec![1], vec![0.5])];
    let tensors = shapes.into_iter().chain(biases).chain(readout);
    let config = json!({
        "model_type": "rnn", "cell": cell, "input_dim": 1, "hidden_dim": 2, "output_dim": 1, "output_mlp_depth": 1,
        "output_mlp_width": 0, "nonlinearity": "tanh", "h0": "zeros"
    });
    let input = json!({ "kind": "integers", "dim": 1, "range": [0, 1], "encoding": "scalar", "length": 8 });
    recurrent(&config, input, tensors.map(|(name, shape, numbers)| (name.to_owned(), shape, numbers)))
}

#[test]
fn proofs_of_cells_with_gates_are_confirmed_and_no_changed_ones_are() {
    if !has_python() {
        return;
    }
    let open = 12.0;
    // Elman; GRU with r open and z shut; LSTM with i and o open and f shut.
    let cells: [(&str, &[f32], usize); 3] =
        [("elman", &[0.0], 0), ("gru", &[open, -open, 0.0], 2), ("lstm", &[open, -open, 0.0, open], 2)];
    for (cell, gates, candidate) in cells {
        let (model, out) = (previous(cell, gates, candidate), tempfile::tempdir().expect("a temporary folder"));
        let refused = confirmed(model.path(), out.path());
        refused("/program", json!("(scan ((s 0 x)) (- 1 s))"));
        refused("/regions/boxes/nodes/0/next", json!([0, 0]));
        let single = refused("/gap", json!(1e-12));
        assert!(single.contains("single precision"), "{cell}: {single}");
    }
}

#[test]
fn a_proof_up_to_a_length_is_confirmed_up_to_there() {
    if !has_python() {
        return;
    }
    let (model, out) = (network("saturating_counter"), tempfile::tempdir().expect("a temporary folder"));
    let refused = confirmed(&model, out.path());
    refused("/scope", json!("length <= 500"));
    refused("/scope", json!("all lengths"));
    refused("/scope", json!("length <= many"));
    // Another meaning for a name that programs use.
    refused("/dsl/root", json!("(include \"integers\") (define-fun isqrt ((a Int)) Int (isqrt a) :when (>= a 9))"));
}
