//! Proofs of recurrent networks as files: written by `decipher`, checked by `check --proof`, refused where changed.

use serde_json::{Value as Json, json};

use crate::harness::{network, run, write};

#[test]
fn a_proof_holds_from_its_file_and_is_refused_where_it_was_changed() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let model = network("saturating_counter");
    let done = run("decipher {0} --out {1} --format json", &[&model, out.path()]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let result = done.json();
    let scope = result["evidence"]["proof"]["scope"].as_str().expect("a scope").to_owned();
    let length: u64 = scope.strip_prefix("length <= ").expect("this network departs later").parse().expect("a number");
    assert!(length >= 8, "{scope}");
    let beyond = &result["evidence"]["beyond"];
    let departure = beyond["departure"]["position"].as_u64().expect("it departs from its program on a long input");
    assert!(departure >= length, "no proof reaches beyond a difference");

    let path = out.path().join("proof.json");
    let check = |path: &std::path::Path| run("check --proof {0} {1} --format json", &[path, &model]);
    let held = check(&path);
    assert_eq!((held.code, &held.json()["verdict"]), (0, &json!("holds")), "{}", held.stderr);
    assert_eq!(held.json()["proof"]["scope"], json!(scope));

    let proof: Json = serde_json::from_str(&std::fs::read_to_string(&path).expect("written")).expect("JSON");
    let refused = |pointer: &str, value: Json| {
        let mut changed = proof.clone();
        *changed.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        let changed = write(out.path(), "changed.json", changed.to_string());
        let done = check(&changed);
        assert_eq!((done.code, &done.json()["verdict"]), (3, &json!("refused")), "{pointer}: {}", done.stderr);
        assert!(!done.json()["reason"].as_str().unwrap_or_default().is_empty());
    };
    refused("/scope", json!(format!("length <= {}", departure + 1)));
    refused("/scope", json!("all lengths"));
    refused("/scope", json!("every length"));
    refused("/arithmetic", json!("bfloat16"));
    refused("/kind", json!("trust me"));
    refused("/program", json!("(scan ((y 0 (min (max (+ y x) 0) 3))) (+ y' 1))"));
    refused("/program", json!("(scan ((y 0 (min (max (+ y x) 0) 2))) y')"));
    refused("/regions/boxes/nodes/1/state", json!([7]));
    refused("/regions/boxes/nodes/0/next", json!([0, 0, 0]));

    let mut broken = proof.clone();
    broken["regions"] = json!({"spheres": []});
    let broken = write(out.path(), "broken.json", broken.to_string());
    let done = check(&broken);
    assert_eq!((done.code, done.stdout.as_str()), (1, ""));
    assert!(done.stderr.contains("proof.json"), "{}", done.stderr);
    let both = run("check --proof {0} {1} {2}", &[&path, &model, &out.path().join("program.dsl")]);
    assert_eq!(both.code, 2, "a program and a proof at once");
}
