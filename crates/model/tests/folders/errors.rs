//! Every way a model folder can be wrong has its own error, which names file, place, expectation and finding.

use model::{File, LoadError, ModelFiles};
use serde_json::{Value, json};

use crate::build::{Folder, gated, gpt2, hooked, raw_safetensors, rnn};

fn refuse(what: &str, folder: &Folder) -> LoadError {
    refuse_files(what, &folder.files())
}

fn refuse_files(what: &str, files: &ModelFiles) -> LoadError {
    match model::load(files) {
        Ok(_) => panic!("{what}: loaded"),
        Err(error) => {
            assert!(!error.help().is_empty(), "{what}: no help");
            error
        }
    }
}

#[test]
fn sound_folders_load() {
    for (name, folder) in [("rnn", rnn()), ("hooked", hooked()), ("gpt2", gpt2()), ("lstm", gated("lstm", 2, 0))] {
        let network = folder.load().unwrap_or_else(|error| panic!("{name}: {error}"));
        let batch = network.domain.sample(10, &mut samples::rng(0, "sound"));
        let total: usize = folder.weights.values().map(|(_, numbers)| numbers.len()).sum();
        assert_eq!(network.n_parameters(), total, "{name}");
        assert_eq!(network.outputs(&batch).expect("runs")[0].n_points(), batch.points().len());
    }
}

/// Changes of one key, and what is said about them.
#[test]
fn wrong_keys_are_named() {
    let cases: Vec<(Folder, &str, Value, &str)> = vec![
        // (folder, "file/path/to/key", new value, message)
        (
            rnn(),
            "config/model_type",
            json!("mamba"),
            "config.json: model_type: expected \"rnn\" or \"hooked_transformer\" or \"gpt2\", found \"mamba\"",
        ),
        (
            rnn(),
            "config/model_type",
            json!(null),
            "config.json: model_type: expected \"rnn\" or \"hooked_transformer\" or \"gpt2\", found nothing",
        ),
        (
            rnn(),
            "config/hidden_dim",
            json!("three"),
            "config.json: hidden_dim: expected an integer within 1 to 16384, found \"three\"",
        ),
        (
            rnn(),
            "config/hidden_dim",
            json!(1e300),
            "config.json: hidden_dim: expected an integer within 1 to 16384, found 1e+300",
        ),
        (
            rnn(),
            "config/hidden_dim",
            json!(999_999_999_999_u64),
            "config.json: hidden_dim: expected an integer within 1 to 16384, found 999999999999",
        ),
        (
            rnn(),
            "config/hidden_dim",
            json!(-3),
            "config.json: hidden_dim: expected an integer within 1 to 16384, found -3",
        ),
        (
            rnn(),
            "config/hidden_mlp_depth",
            json!(1_000_000),
            "config.json: hidden_mlp_depth: expected an integer within 1 to 256, found 1000000",
        ),
        (
            rnn(),
            "config/activation",
            json!("mish"),
            "config.json: activation: expected \"relu\" or \"tanh\" or \"sigmoid\" or \"silu\", found \"mish\"",
        ),
        (
            rnn(),
            "config/cell",
            json!("mgu"),
            "config.json: cell: expected \"mlp\" or \"elman\" or \"gru\" or \"lstm\", found \"mgu\"",
        ),
        (rnn(), "config/h0", json!("learned"), "config.json: h0: expected \"zeros\", found \"learned\""),
        (
            rnn(),
            "config/input_dim",
            json!(4),
            "config.json: input_dim is 4, but input in task.json says an element of 2 numbers",
        ),
        (rnn(), "config/output_dim", json!(3), "task.json: output.dim is 2, but output_dim in config.json says 3"),
        (rnn(), "task/input/kind", json!("tokens"), "task.json: input.kind: expected \"integers\", found \"tokens\""),
        (
            rnn(),
            "task/input/range",
            json!([3, -2]),
            "task.json: input.range: expected [least, greatest] within -16777216 to 16777216, found [3,-2]",
        ),
        (
            rnn(),
            "task/input/range",
            json!([0, 1e18]),
            "task.json: input.range: expected [least, greatest] within -16777216 to 16777216, found [0,1e+18]",
        ),
        (
            rnn(),
            "task/input/length",
            json!(0),
            "task.json: input.length: expected an integer within 1 to 4096, found 0",
        ),
        (
            rnn(),
            "task/input/length",
            json!([1, 100_000]),
            "task.json: input.length: expected [least, greatest] within 1 to 4096, found [1,100000]",
        ),
        (
            rnn(),
            "task/input/encoding",
            json!("binary"),
            "task.json: input.encoding: expected \"scalar\" or \"one_hot\", found \"binary\"",
        ),
        (
            rnn(),
            "task/input/encoding",
            json!("one_hot"),
            "config.json: input_dim is 2, but input in task.json says an element of 12 numbers",
        ),
        (rnn(), "task/input", json!(null), "task.json: input.kind: expected \"integers\", found nothing"),
        (
            rnn(),
            "task/output/decode",
            json!("argmax"),
            "task.json: output.decode: expected \"round\", found \"argmax\"",
        ),
        (
            gated("gru", 1, 0),
            "config/bidirectional",
            json!(true),
            "config.json: bidirectional: expected false (both directions at once is no recurrence), found true",
        ),
        (
            gated("gru", 2, 0),
            "config/num_layers",
            json!(1),
            "config.json: num_layers is 1, but model.safetensors says 2 layers",
        ),
        (hooked(), "config/n_heads", json!(0), "config.json: n_heads: expected an integer within 1 to 1024, found 0"),
        (
            hooked(),
            "config/attn_scale",
            json!(0),
            "config.json: attn_scale: expected a positive number, or -1 for the square root of d_head, found 0",
        ),
        (
            hooked(),
            "config/attention_dir",
            json!("sideways"),
            "config.json: attention_dir: expected \"causal\" or \"bidirectional\", found \"sideways\"",
        ),
        (
            hooked(),
            "config/attention_dir",
            json!("bidirectional"),
            "task.json: attention_dir is \"causal\", but attention_dir in config.json says \"bidirectional\"",
        ),
        (
            hooked(),
            "config/gated_mlp",
            json!(true),
            "config.json: gated_mlp: expected false (gated MLPs are not supported), found true",
        ),
        (
            hooked(),
            "config/normalization_type",
            json!("RMS"),
            "config.json: normalization_type: expected \"LN\" or \"LNPre\", found \"RMS\"",
        ),
        (
            hooked(),
            "config/positional_embedding_type",
            json!("rotary"),
            "config.json: positional_embedding_type: expected \"standard\", found \"rotary\"",
        ),
        (
            hooked(),
            "task/input/vocab",
            json!(["BOS", "PAD", 1]),
            "task.json: input.vocab is [\"BOS\",\"PAD\",1], but the embedding in model.safetensors says 5 tokens",
        ),
        (
            hooked(),
            "task/input/vocab",
            json!(["BOS", "PAD", 1, 1, 2]),
            "task.json: input.vocab: expected every token once, found 1",
        ),
        (hooked(), "task/input/bos_id", json!(2), "task.json: input.bos_id is 2, but input.bos in task.json says 0"),
        (
            hooked(),
            "task/input/bos",
            json!("START"),
            "task.json: input.bos: expected a token of input.vocab, found \"START\"",
        ),
        (
            hooked(),
            "task/input/pad_id",
            json!(17),
            "task.json: input.pad_id: expected an integer within 0 to 4, found 17",
        ),
        (
            hooked(),
            "task/input/length",
            json!([1, 5]),
            "task.json: input.length is [1,5], but n_ctx in config.json says 5 positions, BOS included",
        ),
        (
            hooked(),
            "task/input/constraint",
            json!("sorted"),
            "task.json: input.constraint: expected \"all tokens distinct\", found \"sorted\"",
        ),
        (
            hooked(),
            "task/output/values",
            json!([1, 2, 3]),
            "task.json: output.values is [1,2,3], but d_vocab_out in config.json says 2 values",
        ),
        (
            hooked(),
            "task/output/kind",
            json!("numerical"),
            "task.json: output.decode: expected \"read\" or \"number\", found \"argmax\"",
        ),
        (
            gpt2(),
            "config/n_head",
            json!(3),
            "config.json: n_head is 3, but n_embd in config.json says 4, which it must divide",
        ),
        (
            gpt2(),
            "config/activation_function",
            json!("mish"),
            "config.json: activation_function: expected \"relu\" or \"gelu\" or \"gelu_new\" or \"gelu_pytorch_tanh\" or \"silu\" or \"swish\" or \"tanh\" or \"sigmoid\", found \"mish\"",
        ),
        (
            gpt2(),
            "config/n_positions",
            json!(1_000_000_000),
            "config.json: n_positions: expected an integer within 1 to 4096, found 1000000000",
        ),
        (
            gpt2(),
            "task/output/kind",
            json!("classes"),
            "task.json: output.kind: expected \"next_token\" or \"legal_next_tokens\", found \"classes\"",
        ),
        (
            gpt2(),
            "task/input/special",
            json!({"pad": 9}),
            "task.json: input.special.pad: expected an integer within 0 to 3, found 9",
        ),
        (
            gpt2(),
            "task/attention_dir",
            json!("bidirectional"),
            "task.json: attention_dir: expected \"causal\", found \"bidirectional\"",
        ),
    ];
    for (mut folder, path, value, message) in cases {
        let (file, key) = path.split_once('/').expect("file/key");
        let root = if file == "config" { &mut folder.config } else { &mut folder.task };
        let (parent, last) = key.rsplit_once('/').map_or(("", key), |(parent, last)| (parent, last));
        let parent = if parent.is_empty() { root } else { root.pointer_mut(&format!("/{parent}")).expect(path) };
        parent[last] = value;
        assert_eq!(refuse(path, &folder).to_string(), message);
    }
}

#[test]
fn wrong_tensors_are_named() {
    let mut missing = hooked();
    missing.weights.remove("blocks.0.mlp.W_in");
    assert_eq!(
        refuse("missing", &missing).to_string(),
        "model.safetensors: the tensor blocks.0.mlp.W_in is missing: expected the shape [4, 3]"
    );
    let mut shape = rnn();
    shape.weights.insert("hmlp.layers.1.weight".to_owned(), (vec![4, 3], vec![0.0; 12]));
    assert_eq!(
        refuse("shape", &shape).to_string(),
        "model.safetensors: the tensor hmlp.layers.1.weight has the wrong shape: expected [3, 4], found [4, 3]"
    );
    let mut unexpected = gpt2();
    unexpected.weights.insert("transformer.h.1.ln_1.weight".to_owned(), (vec![4], vec![1.0; 4]));
    assert_eq!(
        refuse("unexpected", &unexpected).to_string(),
        "model.safetensors: the tensor transformer.h.1.ln_1.weight [4] belongs to no part of the network that config.json \
         describes"
    );
    for (value, text) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let mut filled = hooked();
        filled.weights.get_mut("blocks.0.attn.W_K").expect("there").1[7] = value;
        assert_eq!(
            refuse("not finite", &filled).to_string(),
            format!(
                "model.safetensors: the tensor blocks.0.attn.W_K holds a number that is not finite: expected finite \
                 numbers, found {text} at index 7"
            )
        );
    }
    let mut untied = gpt2();
    untied.weights.insert("lm_head.weight".to_owned(), (vec![4, 4], vec![0.5; 16]));
    let error = refuse("untied", &untied).to_string();
    assert!(error.contains("tie_word_embeddings"), "{error}");
    untied.config["tie_word_embeddings"] = json!(false);
    untied.load().expect("an unembedding of its own");
    let mut files = rnn().files();
    files.weights = crate::build::safetensors(&rnn().weights, "I32", |v| (*v as i32).to_le_bytes().to_vec());
    assert_eq!(
        refuse_files("dtype", &files).to_string(),
        "model.safetensors: the tensor hmlp.layers.0.weight has the wrong kind of numbers: expected F32, F64, F16 or BF16, \
         found I32"
    );
}

#[test]
fn other_kinds_of_floats_are_read() {
    let folder = rnn();
    let batch = folder.load().expect("sound").domain.sample(20, &mut samples::rng(0, "floats"));
    let outputs = |files: &ModelFiles| model::load(files).expect("sound").raw_outputs(&batch).expect("runs");
    let expected = outputs(&folder.files());
    let mut files = folder.files();
    files.weights = crate::build::safetensors(&folder.weights, "F64", |v| f64::from(*v).to_le_bytes().to_vec());
    assert_eq!(outputs(&files), expected);
    // A BF16 is the upper half of an F32.
    files.weights = crate::build::safetensors(&folder.weights, "BF16", |v| v.to_le_bytes()[2..].to_vec());
    let rounded = outputs(&files);
    assert!(expected.data.iter().zip(&rounded.data).all(|(a, b)| (a - b).abs() < 0.1 * (1.0 + a.abs())));
}

#[test]
fn wrong_files_are_named() {
    let files = rnn().files();
    let with = |change: &dyn Fn(&mut ModelFiles)| {
        let mut files = files.clone();
        change(&mut files);
        refuse_files("files", &files)
    };
    let error = with(&|files| files.task = None);
    assert_eq!(error.to_string(), "task.json is missing");
    assert!(error.help().contains(r#""range": [0, 9]"#), "{}", error.help());
    let error = with(&|files| files.config.truncate(20));
    assert!(error.to_string().starts_with("config.json is not JSON: EOF while parsing"), "{error}");
    let error = with(&|files| files.config = b"[1]".to_vec());
    assert_eq!(error.to_string(), "config.json: the file: expected an object, found [1]");
    let error = with(&|files| files.task = Some(b"{\"input\": \xff}".to_vec()));
    assert_eq!(error.to_string(), "task.json is not text: expected UTF-8, found the byte 0xff at offset 10");
    let error = with(&|files| files.config = vec![b' '; (1 << 20) + 1]);
    assert_eq!(error.to_string(), "config.json is too large: expected at most 1048576 bytes, found 1048577");
    // Brackets within brackets must not exhaust the stack.
    let error = with(&|files| files.task = Some(vec![b'['; 1 << 20]));
    assert!(matches!(error, LoadError::Json { file: File::Task, .. }), "{error}");
    for cut in [0, 4, 8, 60, files.weights.len() - 1] {
        let error = with(&|files| files.weights.truncate(cut));
        assert!(matches!(error, LoadError::Header { file: File::Weights, .. }), "cut at {cut}: {error}");
    }
    let mut other = hooked().files();
    other.inputs = gpt2().files().inputs;
    let error = refuse_files("inputs", &other).to_string();
    assert!(
        error.starts_with("config.json: model_type is \"hooked_transformer\", but inputs.safetensors says"),
        "{error}"
    );
}

#[test]
fn hostile_headers_are_refused() {
    let huge = u64::MAX / 8;
    let cases = [
        // A header length beyond the file.
        [u64::MAX.to_le_bytes().to_vec(), vec![0; 64]].concat(),
        [(1_u64 << 40).to_le_bytes().to_vec(), vec![b'{'; 64]].concat(),
        raw_safetensors("not json", &[]),
        raw_safetensors("{\"a\": 3}", &[]),
        // Shapes whose product overflows, or that the data does not have.
        raw_safetensors(
            &format!("{{\"a\":{{\"dtype\":\"F32\",\"shape\":[{huge},{huge}],\"data_offsets\":[0,8]}}}}"),
            &[0; 8],
        ),
        raw_safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[1000000000],\"data_offsets\":[0,4000000000]}}", &[0; 8]),
        raw_safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", &[0; 8]),
        raw_safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", &[0; 12]),
        // Two tensors over the same bytes.
        raw_safetensors(
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2],\
             \"data_offsets\":[0,8]}}",
            &[0; 8],
        ),
        // Bytes that belong to no tensor.
        raw_safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", &[0; 64]),
        raw_safetensors("{\"a\":{\"dtype\":\"F99\",\"shape\":[1],\"data_offsets\":[0,4]}}", &[0; 4]),
    ];
    for (index, weights) in cases.into_iter().enumerate() {
        let error = refuse_files("header", &ModelFiles { weights, ..rnn().files() });
        assert!(matches!(error, LoadError::Header { file: File::Weights, .. }), "case {index}: {error}");
    }
    // No element, but an impossible shape.
    let weights =
        raw_safetensors(&format!("{{\"a\":{{\"dtype\":\"F32\",\"shape\":[0,{huge}],\"data_offsets\":[0,0]}}}}"), &[]);
    let error = refuse_files("empty", &ModelFiles { weights, ..rnn().files() });
    assert!(matches!(error, LoadError::MissingTensor { .. } | LoadError::Header { .. }), "{error}");
}

#[test]
fn wrong_recorded_inputs_are_named() {
    let spoil = |tensor: &str, row: usize, at: usize, value: i64| {
        let mut folder = gpt2();
        let inputs = folder.inputs.as_mut().expect("recorded");
        inputs.get_mut(tensor).expect("there").1[row * 4 + at] = value;
        refuse(tensor, &folder).to_string()
    };
    assert_eq!(
        spoil("tokens", 1, 1, 77),
        "inputs.safetensors: tokens, row 1: expected token ids within 0 to 3, padding at the end alone, found 77"
    );
    assert_eq!(
        spoil("tokens", 0, 1, 3),
        "inputs.safetensors: tokens, row 0: expected token ids within 0 to 3, padding at the end alone, found 3"
    );
    assert_eq!(
        spoil("tokens", 0, 1, -1),
        "inputs.safetensors: tokens, row 0: expected token ids within 0 to 3, padding at the end alone, found -1"
    );
    assert_eq!(
        spoil("position_ids", 0, 1, 3),
        "inputs.safetensors: position_ids, row 0: expected 1 at index 1, found 3"
    );
    assert_eq!(
        spoil("position_ids", 1, 0, i64::MAX),
        format!(
            "inputs.safetensors: position_ids, row 1: expected positions within 0 to 5, found 2 positions from {} on",
            i64::MAX
        )
    );
    let mut folder = gpt2();
    folder.inputs.as_mut().expect("recorded").remove("scored");
    assert!(refuse("scored", &folder).to_string().starts_with("inputs.safetensors: the tensor scored is missing"));
    let mut folder = gpt2();
    folder.inputs.as_mut().expect("recorded").insert("scored".to_owned(), (vec![2, 4], vec![0; 8]));
    assert!(refuse("scored", &folder).to_string().contains("expected an output that counts, found none in any row"));
    let mut folder = gpt2();
    folder.inputs.as_mut().expect("recorded").insert("scored".to_owned(), (vec![8], vec![0; 8]));
    assert!(refuse("scored", &folder).to_string().contains("two dimensions"));
}

/// Recorded inputs lose their padding and keep their offsets.
#[test]
fn recorded_inputs_become_the_domain() {
    let network = gpt2().load().expect("sound");
    let samples::Elements::Recorded { inputs, scored, .. } = &network.domain.elements else { panic!("recorded") };
    assert_eq!((inputs.sequence(0), inputs.sequence(1)), (&[2, 0, 1][..], &[2, 1][..]));
    assert_eq!((inputs.origin(0), inputs.origin(1)), (0, 3));
    assert_eq!(scored, &[false, true, true, true, true]);
    assert_eq!(network.domain.length, (2, 3));
    let mut plain = gpt2();
    plain.inputs = None;
    let network = plain.load().expect("sound");
    assert_eq!(network.domain.length, (1, 4));
}

#[test]
fn vocabularies_mix_numbers_and_special_strings() {
    let network = hooked().load().expect("sound");
    let samples::Elements::Tokens { vocab, bos, pad, .. } = &network.domain.elements else { panic!("tokens") };
    use samples::Value::{Int, Symbol};
    assert_eq!(vocab, &[Symbol("BOS".into()), Symbol("PAD".into()), Int(3), Int(1), Int(2)]);
    assert_eq!((*bos, *pad), (Some(0), Some(1)));
}
