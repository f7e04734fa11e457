//! Attention networks built from a program, operator by operator.
//!
//! Every variable of the program is one-hot in a block of residual dimensions of its own. A selection is a head whose
//! scores are high where the predicate holds, low where it does not, and in between at BOS, which therefore takes all the
//! attention where nothing is selected and contributes nothing (the construction of Lindner et al., Tracr, 2023,
//! section 3, simplified). A count is a head in which BOS scores like a selected key, so that it gets 1/(1+n) of the
//! attention, and neurons that decode this number by steep ramps. A map is an MLP with one neuron per tuple of values. In
//! the end the residual stream is turned
//! by a random rotation, so that no direction is labelled by where it points.

use nalgebra::DMatrix;
use rand::Rng as _;
use samples::Rng;
use serde_json::json;

use crate::folder::{Folder, FolderError, Weights};

/// The residual dimensions of one variable: one for each of its values.
#[derive(Clone, Copy, Debug)]
pub struct Basis {
    start: usize,
    size: usize,
}

/// Builds a `hooked_transformer` folder from the steps of a program over tokens.
pub struct AttentionBuilder {
    vocab: Vec<serde_json::Value>,
    max_length: usize,
    d_model: usize,
    heads: Vec<Head>,
    mlps: Vec<Mlp>,
    n_layers: usize,
}

/// A condition on the key and the query of a selection: pairs of their values.
pub struct Condition {
    key: Basis,
    query: Basis,
    selected: Vec<(usize, usize)>,
}

impl Condition {
    /// Holds where `predicate(key, query)` does.
    pub fn new(key: Basis, query: Basis, predicate: impl Fn(usize, usize) -> bool) -> Self {
        let pairs = (0..key.size).flat_map(|k| (0..query.size).map(move |q| (k, q)));
        Self { key, query, selected: pairs.filter(|&(k, q)| predicate(k, q)).collect() }
    }
}

/// One selection, by conditions that must all hold, with the variable that it copies; a count copies none.
struct Head {
    layer: usize,
    conditions: Vec<Condition>,
    value: Option<Basis>,
    out: Basis,
}

impl Head {
    fn n_keys(&self) -> usize {
        self.conditions.iter().map(|condition| condition.key.size).sum()
    }
}

/// What some neurons compute.
enum Neurons {
    /// A function of two variables, the first of which may have no value.
    Map { inputs: [Basis; 2], entries: Vec<(Option<usize>, usize, usize)> },
    /// A function of one variable, which may have no value.
    Recode { input: Basis, entries: Vec<(Option<usize>, usize)> },
    /// n from 1/(1+n), up to the greatest count.
    Decode { share: Basis },
}

impl Neurons {
    fn n(&self, max_length: usize) -> usize {
        match self {
            Self::Map { entries, .. } => entries.len(),
            Self::Recode { entries, .. } => entries.len(),
            Self::Decode { .. } => 2 * max_length + 1,
        }
    }
}

/// Some neurons of a layer.
struct Mlp {
    layer: usize,
    neurons: Neurons,
    out: Basis,
}

/// The residual dimension that is one everywhere.
const ONE: usize = 0;
/// The residual dimension that is one at BOS alone.
const BOS: usize = 1;
/// The first residual dimension of the program's variables.
const FIRST_FREE: usize = 2;
/// The score of a selected key; BOS scores half of it.
const SCORE: f32 = 60.0;
/// How steep the ramps are that decode counts.
const SLOPE: f32 = 200.0;

impl AttentionBuilder {
    /// Starts with the variables of the domain: `tokens` over `vocab` and `indices` below `max_length`.
    pub fn new(vocab: &[&str], max_length: usize) -> (Self, Basis, Basis) {
        Self::over(vocab.iter().map(|&token| token.into()).collect(), max_length)
    }

    /// The same over the numbers from 0 to below `n_tokens`.
    pub fn numeric(n_tokens: usize, max_length: usize) -> (Self, Basis, Basis) {
        Self::over((0..n_tokens).map(Into::into).collect(), max_length)
    }

    fn over(vocab: Vec<serde_json::Value>, max_length: usize) -> (Self, Basis, Basis) {
        let tokens = Basis { start: FIRST_FREE, size: vocab.len() };
        let indices = Basis { start: FIRST_FREE + vocab.len(), size: max_length };
        let builder = Self {
            max_length,
            d_model: FIRST_FREE + vocab.len() + max_length,
            vocab,
            heads: Vec::new(),
            mlps: Vec::new(),
            n_layers: 0,
        };
        (builder, tokens, indices)
    }

    fn allocate(&mut self, size: usize) -> Basis {
        let basis = Basis { start: self.d_model, size };
        self.d_model += size;
        basis
    }

    /// The value of `value` at the position whose `key` stands in `predicate(key, query)` to this position's `query`:
    /// their mixture where there are several, no value where there is none. A head of its own in `layer`.
    pub fn aggregate(
        &mut self,
        layer: usize,
        (key, query): (Basis, Basis),
        value: Basis,
        predicate: impl Fn(usize, usize) -> bool,
    ) -> Basis {
        self.aggregate_where(layer, vec![Condition::new(key, query, predicate)], value)
    }

    /// The same where several conditions hold at once, on as many variables of key and query.
    pub fn aggregate_where(&mut self, layer: usize, conditions: Vec<Condition>, value: Basis) -> Basis {
        let out = self.allocate(value.size);
        self.heads.push(Head { layer, conditions, value: Some(value), out });
        self.n_layers = self.n_layers.max(layer + 1);
        out
    }

    /// The number of positions where all conditions hold, from 0 to the greatest length: a head and neurons in `layer`.
    pub fn count(&mut self, layer: usize, conditions: Vec<Condition>) -> Basis {
        let share = self.allocate(1);
        let out = self.allocate(self.max_length + 1);
        self.heads.push(Head { layer, conditions, value: None, out: share });
        self.mlps.push(Mlp { layer, neurons: Neurons::Decode { share }, out });
        self.n_layers = self.n_layers.max(layer + 1);
        out
    }

    /// The variable with `n_values` values that `map` makes of two others in the MLP of `layer`; the first has no value
    /// where nothing was selected.
    pub fn map(
        &mut self,
        layer: usize,
        inputs: [Basis; 2],
        n_values: usize,
        map: impl Fn(Option<usize>, usize) -> usize,
    ) -> Basis {
        let firsts = (0..inputs[0].size).map(Some).chain([None]);
        let pairs = firsts.flat_map(|a| (0..inputs[1].size).map(move |b| (a, b)));
        let entries = pairs.map(|(a, b)| (a, b, map(a, b))).collect();
        self.neurons(layer, Neurons::Map { inputs, entries }, n_values)
    }

    /// The variable with `n_values` values that `map` makes of another in the MLP of `layer`.
    pub fn recode(
        &mut self,
        layer: usize,
        input: Basis,
        n_values: usize,
        map: impl Fn(Option<usize>) -> usize,
    ) -> Basis {
        let entries = (0..input.size).map(Some).chain([None]).map(|value| (value, map(value))).collect();
        self.neurons(layer, Neurons::Recode { input, entries }, n_values)
    }

    fn neurons(&mut self, layer: usize, neurons: Neurons, n_values: usize) -> Basis {
        let out = self.allocate(n_values);
        self.mlps.push(Mlp { layer, neurons, out });
        self.n_layers = self.n_layers.max(layer + 1);
        out
    }

    /// The model folder of the network whose output is the variable `output`, which takes the listed values.
    ///
    /// # Errors
    /// Serialisation of the weights failed.
    pub fn finish(
        self,
        name: &str,
        output: Basis,
        values: &[serde_json::Value],
        rng: &mut Rng,
    ) -> Result<Folder, FolderError> {
        let mut tensors = Tensors { rotation: random_rotation(self.d_model, rng), weights: Weights::new() };
        self.embeddings(&mut tensors);
        for layer in 0..self.n_layers {
            self.attention(layer, &mut tensors);
            self.mlp(layer, &mut tensors);
        }
        let mut unembed = DMatrix::zeros(self.d_model, output.size);
        for value in 0..output.size {
            unembed[(output.start + value, value)] = 1.0;
        }
        tensors.reads("unembed.W_U", &[], &[unembed]);
        tensors.bias("unembed.b_U", &[output.size]);
        Folder::new(&tensors.weights, &self.config(output), &self.task(name, values))
    }

    fn d_vocab(&self) -> usize {
        self.vocab.len() + 2
    }

    fn n_heads(&self) -> usize {
        (0..self.n_layers).map(|layer| self.heads_of(layer).count()).max().unwrap_or(0).max(1)
    }

    fn heads_of(&self, layer: usize) -> impl Iterator<Item = &Head> {
        self.heads.iter().filter(move |head| head.layer == layer)
    }

    fn d_head(&self) -> usize {
        let size = |head: &Head| (head.n_keys() + 1).max(head.value.map_or(1, |value| value.size));
        self.heads.iter().map(size).max().unwrap_or(1)
    }

    fn d_mlp(&self) -> usize {
        let in_layer = |layer: usize| {
            let here = self.mlps.iter().filter(move |mlp| mlp.layer == layer);
            here.map(|mlp| mlp.neurons.n(self.max_length)).sum::<usize>()
        };
        (0..self.n_layers).map(in_layer).max().unwrap_or(0).max(1)
    }

    fn embeddings(&self, tensors: &mut Tensors) {
        let mut embed = DMatrix::zeros(self.d_vocab(), self.d_model);
        for token in 0..self.vocab.len() {
            embed[(token, ONE)] = 1.0;
            embed[(token, FIRST_FREE + token)] = 1.0;
        }
        embed[(self.vocab.len(), ONE)] = 1.0;
        embed[(self.vocab.len(), BOS)] = 1.0;
        tensors.writes("embed.W_E", &[self.d_vocab()], &embed);
        let mut positions = DMatrix::zeros(self.max_length + 1, self.d_model);
        for index in 0..self.max_length {
            positions[(index + 1, FIRST_FREE + self.vocab.len() + index)] = 1.0;
        }
        tensors.writes("pos_embed.W_pos", &[self.max_length + 1], &positions);
    }

    fn attention(&self, layer: usize, tensors: &mut Tensors) {
        let (n_heads, d_head, d_model) = (self.n_heads(), self.d_head(), self.d_model);
        let zeros = || vec![DMatrix::zeros(d_model, d_head); n_heads];
        let (mut w_q, mut w_k, mut w_v) = (zeros(), zeros(), zeros());
        let mut w_o = DMatrix::zeros(n_heads * d_head, d_model);
        let score = SCORE * (d_head as f32).sqrt();
        for (slot, head) in self.heads_of(layer).enumerate() {
            let mut at = 0;
            for condition in &head.conditions {
                for &(key, query) in &condition.selected {
                    w_q[slot][(condition.query.start + query, at + key)] = score;
                }
                for key in 0..condition.key.size {
                    w_k[slot][(condition.key.start + key, at + key)] = 1.0;
                }
                at += condition.key.size;
            }
            // BOS scores like a selected key where keys are counted, else half a condition less.
            let all = head.conditions.len() as f32;
            w_q[slot][(ONE, at)] = score * if head.value.is_some() { all - 0.5 } else { all };
            w_k[slot][(BOS, at)] = 1.0;
            let Some(value) = head.value else {
                w_v[slot][(BOS, 0)] = 1.0;
                w_o[(slot * d_head, head.out.start)] = 1.0;
                continue;
            };
            for place in 0..value.size {
                w_v[slot][(value.start + place, place)] = 1.0;
                w_o[(slot * d_head + place, head.out.start + place)] = 1.0;
            }
        }
        let name = |part: &str| format!("blocks.{layer}.attn.{part}");
        for (part, matrices) in [("W_Q", &w_q), ("W_K", &w_k), ("W_V", &w_v)] {
            tensors.reads(&name(part), &[n_heads], matrices);
        }
        for part in ["b_Q", "b_K", "b_V"] {
            tensors.bias(&name(part), &[n_heads, d_head]);
        }
        tensors.writes(&name("W_O"), &[n_heads, d_head], &w_o);
        tensors.bias(&name("b_O"), &[d_model]);
    }

    fn mlp(&self, layer: usize, tensors: &mut Tensors) {
        let (d_mlp, d_model) = (self.d_mlp(), self.d_model);
        let (mut w_in, mut b_in) = (DMatrix::zeros(d_model, d_mlp), vec![0.0; d_mlp]);
        let mut w_out = DMatrix::zeros(d_mlp, d_model);
        let mut at = 0;
        for mlp in self.mlps.iter().filter(|mlp| mlp.layer == layer) {
            let mut neurons = Columns { w_in: &mut w_in, b_in: &mut b_in, w_out: &mut w_out, at, out: mlp.out };
            match &mlp.neurons {
                Neurons::Map { inputs, entries } => neurons.map(*inputs, entries),
                Neurons::Recode { input, entries } => neurons.recode(*input, entries),
                Neurons::Decode { share } => neurons.decode(*share, self.max_length),
            }
            at += mlp.neurons.n(self.max_length);
        }
        let name = |part: &str| format!("blocks.{layer}.mlp.{part}");
        tensors.reads(&name("W_in"), &[], &[w_in]);
        tensors.weights.insert(name("b_in"), (vec![d_mlp], b_in));
        tensors.writes(&name("W_out"), &[d_mlp], &w_out);
        tensors.bias(&name("b_out"), &[d_model]);
    }

    fn config(&self, output: Basis) -> serde_json::Value {
        json!({
            "model_type": "hooked_transformer", "n_layers": self.n_layers, "d_model": self.d_model,
            "n_ctx": self.max_length + 1, "d_head": self.d_head(), "n_heads": self.n_heads(), "d_mlp": self.d_mlp(),
            "act_fn": "relu", "d_vocab": self.d_vocab(), "d_vocab_out": output.size, "normalization_type": null,
            "attention_dir": "bidirectional", "attn_scale": (self.d_head() as f64).sqrt(), "use_attn_scale": true,
            "positional_embedding_type": "standard", "gated_mlp": false, "final_rms": false, "attn_only": false,
            "default_prepend_bos": false, "dtype": "float32",
        })
    }

    fn task(&self, name: &str, values: &[serde_json::Value]) -> serde_json::Value {
        let vocab: Vec<serde_json::Value> =
            self.vocab.iter().cloned().chain(["BOS", "PAD"].map(serde_json::Value::from)).collect();
        json!({
            "name": name,
            "input": {
                "kind": "tokens", "vocab": vocab, "bos": "BOS", "pad": "PAD", "bos_id": self.vocab.len(),
                "pad_id": self.vocab.len() + 1, "length": [1, self.max_length], "constraint": null,
            },
            "output": { "kind": "categorical", "values": values, "decode": "argmax" },
            "attention_dir": "bidirectional",
        })
    }
}

/// Neurons of a layer from `at` on, and the variable that they write.
struct Columns<'a> {
    w_in: &'a mut DMatrix<f32>,
    b_in: &'a mut [f32],
    w_out: &'a mut DMatrix<f32>,
    at: usize,
    out: Basis,
}

impl Columns<'_> {
    /// On for exactly one pair: both parts present, or the second present and no first at all.
    fn map(&mut self, [first, second]: [Basis; 2], entries: &[(Option<usize>, usize, usize)]) {
        for (neuron, &(a, b, to)) in (self.at..).zip(entries) {
            self.w_in[(second.start + b, neuron)] = 1.0;
            if let Some(a) = a {
                self.w_in[(first.start + a, neuron)] = 1.0;
                self.b_in[neuron] = -1.0;
            } else {
                (0..first.size).for_each(|other| self.w_in[(first.start + other, neuron)] = -1.0);
            }
            self.w_out[(neuron, self.out.start + to)] = 1.0;
        }
    }

    /// On for one value, or where there is none, at BOS never.
    fn recode(&mut self, input: Basis, entries: &[(Option<usize>, usize)]) {
        for (neuron, &(value, to)) in (self.at..).zip(entries) {
            match value {
                Some(value) => self.w_in[(input.start + value, neuron)] = 1.0,
                None => {
                    (0..input.size).for_each(|other| self.w_in[(input.start + other, neuron)] = -1.0);
                    self.w_in[(ONE, neuron)] = 1.0;
                    self.w_in[(BOS, neuron)] = -1.0;
                }
            }
            self.w_out[(neuron, self.out.start + to)] = 1.0;
        }
    }

    /// The greatest count everywhere; from 1/(1+n) up, one step moves it from n+1 to n. Nothing at BOS.
    fn decode(&mut self, share: Basis, max_length: usize) {
        let last = self.at + 2 * max_length;
        self.w_in[(ONE, last)] = 1.0;
        self.w_in[(BOS, last)] = -1.0;
        self.w_out[(last, self.out.start + max_length)] = 1.0;
        for n in 0..max_length {
            let threshold = 0.5 / (1.0 + n as f32) + 0.5 / (2.0 + n as f32);
            for (neuron, offset, sign) in [(self.at + 2 * n, 1.0, 1.0), (self.at + 2 * n + 1, 0.0, -1.0)] {
                self.w_in[(share.start, neuron)] = SLOPE;
                self.w_in[(BOS, neuron)] = -2.0 * SLOPE;
                self.b_in[neuron] = offset - SLOPE * threshold;
                self.w_out[(neuron, self.out.start + n)] = sign;
                self.w_out[(neuron, self.out.start + n + 1)] = -sign;
            }
        }
    }
}

/// Tensors by name, turned by a rotation of the residual stream as they are put in.
struct Tensors {
    rotation: DMatrix<f32>,
    weights: Weights,
}

impl Tensors {
    /// A tensor `[..lead, d_model]` that writes to the residual stream.
    fn writes(&mut self, name: &str, lead: &[usize], matrix: &DMatrix<f32>) {
        let shape = [lead, &[self.rotation.nrows()]].concat();
        self.weights.insert(name.to_owned(), (shape, row_major(&(matrix * &self.rotation))));
    }

    /// A tensor `[..lead, d_model, n]` that reads from the residual stream, one matrix for each of `lead`.
    fn reads(&mut self, name: &str, lead: &[usize], matrices: &[DMatrix<f32>]) {
        let shape = [lead, &[self.rotation.nrows(), matrices[0].ncols()]].concat();
        let data = matrices.iter().flat_map(|matrix| row_major(&(self.rotation.transpose() * matrix))).collect();
        self.weights.insert(name.to_owned(), (shape, data));
    }

    /// A bias of zeros.
    fn bias(&mut self, name: &str, shape: &[usize]) {
        self.weights.insert(name.to_owned(), (shape.to_vec(), vec![0.0; shape.iter().product()]));
    }
}

fn row_major(matrix: &DMatrix<f32>) -> Vec<f32> {
    matrix.row_iter().flat_map(|row| row.iter().copied().collect::<Vec<_>>()).collect()
}

/// An orthogonal matrix, from the QR decomposition of a matrix of uniform draws.
fn random_rotation(n: usize, rng: &mut Rng) -> DMatrix<f32> {
    let draws = DMatrix::from_fn(n, n, |_, _| rng.random_range(-1.0_f64..1.0));
    draws.qr().q().map(|v| v as f32)
}
