//! Small sound folders, to be run or to be spoiled.

use std::collections::BTreeMap;

use model::{LoadError, ModelFiles};
use rand::Rng as _;
use serde_json::{Value, json};

/// Tensors by name: shape and numbers.
pub(crate) type Tensors<T> = BTreeMap<String, (Vec<usize>, Vec<T>)>;

/// A folder in memory.
#[derive(Clone)]
pub(crate) struct Folder {
    pub(crate) config: Value,
    pub(crate) task: Value,
    pub(crate) weights: Tensors<f32>,
    /// inputs.safetensors: tokens, position_ids, scored.
    pub(crate) inputs: Option<Tensors<i64>>,
}

/// A safetensors file of these tensors.
pub(crate) fn safetensors<T>(tensors: &Tensors<T>, dtype: &str, bytes: impl Fn(&T) -> Vec<u8>) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, (shape, numbers)) in tensors {
        let start = data.len();
        data.extend(numbers.iter().flat_map(&bytes));
        header.insert(name.clone(), json!({"dtype": dtype, "shape": shape, "data_offsets": [start, data.len()]}));
    }
    raw_safetensors(&Value::Object(header).to_string(), &data)
}

/// A file with this header, right or wrong.
pub(crate) fn raw_safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let mut header = header.as_bytes().to_vec();
    header.resize(header.len().next_multiple_of(8), b' ');
    [&(header.len() as u64).to_le_bytes(), header.as_slice(), data].concat()
}

impl Folder {
    pub(crate) fn files(&self) -> ModelFiles {
        ModelFiles {
            config: self.config.to_string().into_bytes(),
            task: Some(self.task.to_string().into_bytes()),
            weights: safetensors(&self.weights, "F32", |v| v.to_le_bytes().to_vec()),
            inputs: self.inputs.as_ref().map(|inputs| safetensors(inputs, "I64", |v| v.to_le_bytes().to_vec())),
        }
    }

    pub(crate) fn load(&self) -> Result<graph::Network, LoadError> {
        model::load(&self.files())
    }

    fn fill(mut self, shapes: Vec<(String, Vec<usize>)>, seed: u64) -> Self {
        let rng = &mut samples::rng(seed, "weights");
        for (name, shape) in shapes {
            let numbers = (0..shape.iter().product()).map(|_| rng.random_range(-0.8..0.8)).collect();
            self.weights.insert(name, (shape, numbers));
        }
        self
    }
}

/// An `rnn` with an MLP cell: 2 numbers a step, state of 3, 2 outputs.
pub(crate) fn rnn() -> Folder {
    let folder = Folder {
        config: json!({"model_type": "rnn", "cell": "mlp", "input_dim": 2, "hidden_dim": 3, "output_dim": 2,
            "hidden_mlp_depth": 2, "hidden_mlp_width": 4, "output_mlp_depth": 1, "output_mlp_width": 0,
            "activation": "relu", "h0": "zeros"}),
        task: json!({"input": {"kind": "integers", "dim": 2, "range": [-2, 3], "encoding": "scalar", "length": 5},
            "output": {"kind": "integers", "dim": 2, "decode": "round"}}),
        weights: BTreeMap::new(),
        inputs: None,
    };
    let shapes = [
        ("hmlp.layers.0.weight", vec![4, 5]),
        ("hmlp.layers.0.bias", vec![4]),
        ("hmlp.layers.1.weight", vec![3, 4]),
        ("hmlp.layers.1.bias", vec![3]),
        ("ymlp.layers.0.weight", vec![2, 3]),
        ("ymlp.layers.0.bias", vec![2]),
    ];
    folder.fill(shapes.map(|(name, shape)| (name.to_owned(), shape)).to_vec(), 1)
}

/// A recurrent network with one of torch.nn's cells, fed unit vectors, with a read-out of two layers.
pub(crate) fn gated(cell: &str, layers: usize, seed: u64) -> Folder {
    let gates = match cell {
        "elman" => 1,
        "gru" => 3,
        _ => 4,
    };
    let (input, hidden) = (2 * 3, 4);
    let folder = Folder {
        config: json!({"model_type": "rnn", "cell": cell, "input_dim": input, "hidden_dim": hidden, "output_dim": 1,
            "output_mlp_depth": 2, "output_mlp_width": 5, "activation": "tanh", "h0": "zeros", "num_layers": layers}),
        task: json!({"input": {"kind": "integers", "dim": 2, "range": [-1, 1], "encoding": "one_hot", "length": [2, 6]},
            "output": {"kind": "integers", "dim": 1, "decode": "round"}}),
        weights: BTreeMap::new(),
        inputs: None,
    };
    let mut shapes = Vec::new();
    for layer in 0..layers {
        let below = if layer == 0 { input } else { hidden };
        shapes.push((format!("rnn.weight_ih_l{layer}"), vec![gates * hidden, below]));
        shapes.push((format!("rnn.weight_hh_l{layer}"), vec![gates * hidden, hidden]));
        shapes.push((format!("rnn.bias_ih_l{layer}"), vec![gates * hidden]));
        shapes.push((format!("rnn.bias_hh_l{layer}"), vec![gates * hidden]));
    }
    for (name, shape) in [("0.weight", vec![5, 4]), ("0.bias", vec![5]), ("1.weight", vec![1, 5]), ("1.bias", vec![1])]
    {
        shapes.push((format!("ymlp.layers.{name}"), shape));
    }
    folder.fill(shapes, seed)
}

/// A `hooked_transformer` of one layer and two heads.
pub(crate) fn hooked() -> Folder {
    let folder = Folder {
        config: json!({"model_type": "hooked_transformer", "n_layers": 1, "d_model": 4, "n_ctx": 5, "d_head": 2,
            "n_heads": 2, "d_mlp": 3, "act_fn": "relu", "d_vocab": 5, "d_vocab_out": 2, "normalization_type": null,
            "attention_dir": "causal", "attn_scale": 1.5, "use_attn_scale": true,
            "positional_embedding_type": "standard", "gated_mlp": false, "final_rms": false, "attn_only": false}),
        task: json!({"input": {"kind": "tokens", "vocab": ["BOS", "PAD", 3, 1, 2], "bos": "BOS", "pad": "PAD",
                "bos_id": 0, "pad_id": 1, "length": [1, 4], "constraint": null},
            "output": {"kind": "categorical", "values": [false, true], "decode": "argmax"},
            "attention_dir": "causal"}),
        weights: BTreeMap::new(),
        inputs: None,
    };
    let mut shapes = vec![
        ("embed.W_E".to_owned(), vec![5, 4]),
        ("pos_embed.W_pos".to_owned(), vec![5, 4]),
        ("unembed.W_U".to_owned(), vec![4, 2]),
        ("unembed.b_U".to_owned(), vec![2]),
    ];
    for (name, shape) in [
        ("attn.W_Q", vec![2, 4, 2]),
        ("attn.W_K", vec![2, 4, 2]),
        ("attn.W_V", vec![2, 4, 2]),
        ("attn.W_O", vec![2, 2, 4]),
        ("attn.b_Q", vec![2, 2]),
        ("attn.b_K", vec![2, 2]),
        ("attn.b_V", vec![2, 2]),
        ("attn.b_O", vec![4]),
        ("mlp.W_in", vec![4, 3]),
        ("mlp.b_in", vec![3]),
        ("mlp.W_out", vec![3, 4]),
        ("mlp.b_out", vec![4]),
    ] {
        shapes.push((format!("blocks.0.{name}"), shape));
    }
    folder.fill(shapes, 2)
}

/// A `gpt2` of one layer and two heads, with two recorded inputs.
pub(crate) fn gpt2() -> Folder {
    let inputs = [
        ("tokens", vec![2, 0, 1, 3, 2, 1, 3, 3]),
        ("position_ids", vec![0, 1, 2, 2, 3, 4, 4, 4]),
        ("scored", vec![0, 1, 1, 0, 1, 1, 0, 0]),
    ];
    let folder = Folder {
        config: json!({"model_type": "gpt2", "n_layer": 1, "n_head": 2, "n_embd": 4, "n_positions": 6, "n_inner": null,
            "vocab_size": 4, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5}),
        task: json!({"input": {"kind": "tokens", "vocab": ["a", "b", "<bos>", "<pad>"],
                "special": {"bos": 2, "pad": 3}, "length": [1, 4]},
            "output": {"kind": "next_token", "decode": "argmax"}, "attention_dir": "causal"}),
        weights: BTreeMap::new(),
        inputs: Some(inputs.into_iter().map(|(name, ids)| (name.to_owned(), (vec![2, 4], ids))).collect()),
    };
    let mut shapes = vec![("wte.weight", vec![4, 4]), ("wpe.weight", vec![6, 4])];
    for (name, shape) in [
        ("h.0.ln_1.weight", vec![4]),
        ("h.0.ln_1.bias", vec![4]),
        ("h.0.ln_2.weight", vec![4]),
        ("h.0.ln_2.bias", vec![4]),
        ("h.0.attn.c_attn.weight", vec![4, 12]),
        ("h.0.attn.c_attn.bias", vec![12]),
        ("h.0.attn.c_proj.weight", vec![4, 4]),
        ("h.0.attn.c_proj.bias", vec![4]),
        ("h.0.mlp.c_fc.weight", vec![4, 16]),
        ("h.0.mlp.c_fc.bias", vec![16]),
        ("h.0.mlp.c_proj.weight", vec![16, 4]),
        ("h.0.mlp.c_proj.bias", vec![4]),
        ("ln_f.weight", vec![4]),
        ("ln_f.bias", vec![4]),
    ] {
        shapes.push((name, shape));
    }
    folder.fill(shapes.into_iter().map(|(name, shape)| (format!("transformer.{name}"), shape)).collect(), 3)
}
