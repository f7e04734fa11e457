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
    refused("/gap", json!(1e-12));
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

/// A layer: rows of weights, and as many biases.
pub(crate) type Layer<'a> = (&'a [&'a [f32]], &'a [f32]);

/// A folder with a network on pairs of numbers in a range: one hidden number, by ReLU layers from itself and the pair, is the
/// output.
pub(crate) fn pairs([lo, hi]: [i64; 2], layers: &[Layer<'_>]) -> tempfile::TempDir {
    let readout: Layer<'_> = (&[&[1.0]], &[0.0]);
    let named = layers.iter().enumerate().map(|(k, layer)| (format!("hmlp.layers.{k}"), layer));
    let tensors = named.chain([("ymlp.layers.0".to_owned(), &readout)]).flat_map(|(name, (weight, bias))| {
        let weight = (format!("{name}.weight"), vec![weight.len(), weight[0].len()], weight.concat());
        [weight, (format!("{name}.bias"), vec![bias.len()], bias.to_vec())]
    });
    let config = json!({
        "model_type": "rnn", "cell": "mlp", "input_dim": 2, "hidden_dim": 1, "output_dim": 1, "hidden_mlp_depth": layers.len(),
        "hidden_mlp_width": layers[0].1.len(), "output_mlp_depth": 1, "output_mlp_width": 0, "activation": "relu", "h0": "zeros"
    });
    recurrent(
        &config,
        json!({ "kind": "integers", "dim": 2, "range": [lo, hi], "encoding": "scalar", "length": 4 }),
        tensors,
    )
}

/// A recurrent network with such tensors (name, shape, numbers), whose outputs are rounded.
pub(crate) fn recurrent(
    config: &Json,
    input: Json,
    tensors: impl IntoIterator<Item = (String, Vec<usize>, Vec<f32>)>,
) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut header = serde_json::Map::new();
    let mut data: Vec<u8> = Vec::new();
    for (name, shape, numbers) in tensors {
        let start = data.len();
        data.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        header.insert(name, json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()] }));
    }
    let header = Json::Object(header).to_string();
    let size = u64::try_from(header.len()).expect("small").to_le_bytes();
    write(folder.path(), "model.safetensors", [&size[..], header.as_bytes(), &data].concat());
    write(folder.path(), "config.json", config.to_string());
    let task = json!({ "name": "made", "input": input, "output": { "kind": "integers", "dim": 1, "decode": "round" } });
    write(folder.path(), "task.json", task.to_string());
    folder
}

/// max(x0, x1) = relu(x0 - x1) + relu(x1 + 500) - 500 on a million pairs of numbers.
fn larger() -> tempfile::TempDir {
    pairs([-500, 500], &[(&[&[0., 1., -1.], &[0., 0., 1.]], &[0., 500.]), (&[&[1., 1.]], &[-500.])])
}

/// x0 >= x1, as relu(x0 - x1 + 1) - relu(x0 - x1): of 40 thousand million pairs few are equal.
fn at_least() -> tempfile::TempDir {
    pairs([-100_000, 100_000], &[(&[&[0., 1., -1.], &[0., 1., -1.]], &[1., 0.]), (&[&[1., -1.]], &[0.])])
}

/// max(x0, x1), and 3 more at the one pair (137, -21) of 16 million.
fn with_an_exception() -> tempfile::TempDir {
    let ends: [&[f32]; 6] =
        [&[0., 1., -1.], &[0., 0., 1.], &[0., 1., 0.], &[0., -1., 0.], &[0., 0., 1.], &[0., 0., -1.]];
    let none: &[f32] = &[0.; 6];
    let joined: [&[f32]; 6] = [&[1., 1., 0., 0., 0., 0.], &[0., 0., -1., -1., -1., -1.], none, none, none, none];
    let layers: [Layer<'_>; 3] = [
        (&ends, &[0., 2000., -137., 137., 21., -21.]),
        (&joined, &[0., 1., 0., 0., 0., 0.]),
        (&[&[1., 3., 0., 0., 0., 0.]], &[-2000.]),
    ];
    pairs([-2000, 2000], &layers)
}

#[test]
fn an_input_that_a_solver_finds_refutes_a_program_and_the_search_goes_on() {
    let model = at_least();
    let done = run("decipher {0} --format json", &[model.path()]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let result = done.json();
    // `(< x1 x0)` agrees with the network on all inputs that are drawn, and is cheaper.
    assert_eq!(result["program"], json!("(<= x1 x0)"), "{result:#}");
    assert_eq!(
        (&result["verdict"], &result["evidence"]["proof"]["scope"]),
        (&json!("accepted"), &json!("all lengths"))
    );
}

#[test]
fn one_input_is_enough_to_refute_agreement_on_all_and_not_to_refute_a_share() {
    let model = with_an_exception();
    let done = run("decipher {0} --format json --time-limit 60", &[model.path()]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    let result = done.json();
    let found = json!({ "input": [[137, -21]], "position": 0, "network": 140, "program": 137 });
    assert_eq!((&result["verdict"], &result["program"]), (&json!("refuted"), &json!("(max x0 x1)")), "{result:#}");
    assert_eq!(result["evidence"]["agreement"]["counterexample"], found);
    assert_eq!(result["evidence"]["solver"]["counterexample"], found);
    assert_eq!(
        (&result["evidence"]["proof"], &result["evidence"]["agreement"]["mismatches"]),
        (&Json::Null, &json!(1))
    );

    let done = run("decipher {0} --format json --min-agreement 0.99", &[model.path()]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let result = done.json();
    let agreement = &result["evidence"]["agreement"];
    assert_eq!((&agreement["kind"], &agreement["counterexample"]), (&json!("sampled"), &found), "{result:#}");
    assert_eq!(result["evidence"]["proof"], Json::Null);
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
    refused("/gap", json!(0.0));
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
    refused("/gap", json!(0.0));
    refused("/regions/classes/margin", json!(3.0));
    refused("/regions/classes/cells", json!(1));
    let other = run("check --proof {0} {1}", &[&path, &network("saturating_counter")]);
    assert_ne!(other.code, 0, "another network");
}
