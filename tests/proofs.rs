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

/// A folder with the network max(x0, x1) = relu(x0 - x1) + relu(x1 + 500) - 500 on a million pairs of numbers.
fn larger() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tensors: [(&str, &[usize], &[f32]); 6] = [
        ("hmlp.layers.0.weight", &[2, 3], &[0., 1., -1., 0., 0., 1.]),
        ("hmlp.layers.0.bias", &[2], &[0., 500.]),
        ("hmlp.layers.1.weight", &[1, 2], &[1., 1.]),
        ("hmlp.layers.1.bias", &[1], &[-500.]),
        ("ymlp.layers.0.weight", &[1, 1], &[1.]),
        ("ymlp.layers.0.bias", &[1], &[0.]),
    ];
    let mut header = serde_json::Map::new();
    let mut data: Vec<u8> = Vec::new();
    for (name, shape, numbers) in tensors {
        let start = data.len();
        data.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        let entry = json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()] });
        header.insert(name.to_owned(), entry);
    }
    let header = Json::Object(header).to_string();
    let size = u64::try_from(header.len()).expect("small").to_le_bytes();
    write(folder.path(), "model.safetensors", [&size[..], header.as_bytes(), &data].concat());
    let config = json!({
        "model_type": "rnn", "cell": "mlp", "input_dim": 2, "hidden_dim": 1, "output_dim": 1, "hidden_mlp_depth": 2,
        "hidden_mlp_width": 2, "output_mlp_depth": 1, "output_mlp_width": 0, "activation": "relu", "h0": "zeros"
    });
    write(folder.path(), "config.json", config.to_string());
    let input = json!({ "kind": "integers", "dim": 2, "range": [-500, 500], "encoding": "scalar", "length": 4 });
    let task =
        json!({ "name": "larger", "input": input, "output": { "kind": "integers", "dim": 1, "decode": "round" } });
    write(folder.path(), "task.json", task.to_string());
    folder
}

#[test]
fn a_proof_by_a_solver_is_asked_again_from_its_file() {
    let (out, model) = (tempfile::tempdir().expect("a temporary folder"), larger());
    let done = run("decipher {0} --out {1} --format json", &[model.path(), out.path()]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let evidence = done.json()["evidence"].clone();
    assert_eq!(evidence["agreement"]["kind"], json!("sampled"), "there are too many inputs to run");
    assert_eq!(evidence["solver"], json!({ "proved": "all lengths", "answer": "proved" }));
    assert_eq!(
        (&evidence["proof"]["scope"], &evidence["proof"]["arithmetic"]),
        (&json!("all lengths"), &json!("float32"))
    );
    let path = out.path().join("proof.json");
    let check = |path: &std::path::Path| run("check --proof {0} {1} --format json", &[path, model.path()]);
    let held = check(&path);
    assert_eq!((held.code, &held.json()["verdict"]), (0, &json!("holds")), "{}", held.stderr);

    let proof: Json = serde_json::from_str(&std::fs::read_to_string(&path).expect("written")).expect("JSON");
    let text = proof["regions"]["question"]["text"].as_str().expect("a question").to_owned();
    let refused = |pointer: &str, value: Json| {
        let mut changed = proof.clone();
        *changed.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        let done = check(&write(out.path(), "changed.json", changed.to_string()));
        assert_eq!((done.code, &done.json()["verdict"]), (3, &json!("refused")), "{pointer}: {}", done.stderr);
    };
    refused("/program", json!("(min x0 x1)"));
    refused("/program", json!("(max x0 (max x1 -499))"));
    refused("/regions/question/text", json!("(assert false)"));
    refused("/regions/question/text", json!(text.replace("500", "400")));
    refused("/regions/question/gap", json!(0.0));
    refused("/regions/question/resources", json!(1));
    refused("/arithmetic", json!("real"));
    refused("/kind", json!("induction over boxes of hidden states"));
}

#[test]
fn a_transformer_is_followed_again_from_its_file() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let model = network("same_as_first");
    let done = run("decipher {0} --out {1} --format json", &[&model, out.path()]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let evidence = &done.json()["evidence"]["proof"];
    assert_eq!((&evidence["scope"], &evidence["arithmetic"]), (&json!("length <= 6"), &json!("float32")));
    assert!(evidence["gap"].as_f64().is_some_and(|gap| 0.0 < gap && gap < 0.01), "{evidence}");
    let path = out.path().join("proof.json");
    let check = |path: &std::path::Path| run("check --proof {0} {1} --format json", &[path, &model]);
    let held = check(&path);
    assert_eq!((held.code, &held.json()["verdict"]), (0, &json!("holds")), "{}", held.stderr);

    let proof: Json = serde_json::from_str(&std::fs::read_to_string(&path).expect("written")).expect("JSON");
    let refused = |pointer: &str, value: Json| {
        let mut changed = proof.clone();
        *changed.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
        let done = check(&write(out.path(), "changed.json", changed.to_string()));
        assert_eq!((done.code, &done.json()["verdict"]), (3, &json!("refused")), "{pointer}: {}", done.stderr);
    };
    refused("/program", json!("(= tokens (aggregate (select indices 1 =) tokens))"));
    refused("/scope", json!("length <= 7"));
    refused("/scope", json!("all lengths"));
    refused("/regions/classes/gap", json!(0.0));
    refused("/regions/classes/margin", json!(3.0));
    refused("/regions/classes/cells", json!(1));
    let other = run("check --proof {0} {1}", &[&path, &network("saturating_counter")]);
    assert_ne!(other.code, 0, "another network");
}
