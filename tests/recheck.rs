//! `benchmarks/recheck.py`, which checks proofs with nothing of Ventris: it confirms those that hold, and none that was changed.

use std::path::Path;
use std::process::Command;

use serde_json::{Value as Json, json};

use crate::harness::{copy_of, network, root, run, skipped, write};
use crate::proofs::pairs;

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
    refused("/scope", json!("length <= 4"));
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
