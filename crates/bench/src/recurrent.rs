//! Training of small recurrent networks on what a program computes.

use candle_core::{D, Device, Tensor, Var};
use candle_nn::loss::cross_entropy;
use candle_nn::ops::{sigmoid, softmax};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use rand::Rng as _;
use samples::{Batch, Column, Decode, Domain, Elements, Rng, Value, encode_value, rng};
use serde_json::json;

use crate::folder::{Folder, FolderError, Weights};

/// How the hidden state is updated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CellKind {
    /// An MLP of two layers over state and input.
    Mlp,
    /// torch.nn.RNN.
    Elman,
    /// torch.nn.GRU.
    Gru,
    /// torch.nn.LSTM.
    Lstm,
}

/// What lies between layers, and in an Elman cell after its one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Between {
    /// max(x, 0)
    Relu,
    /// tanh
    Tanh,
    /// The logistic function.
    Sigmoid,
    /// x * sigmoid(x)
    Silu,
}

/// How to train a network `h[t] = f(h[t-1], x[t])`, `y[t] = g(h[t])` with an affine `g`.
#[derive(Clone, Debug)]
pub struct TrainConfig {
    /// What f is.
    pub cell: CellKind,
    /// The activation.
    pub activation: Between,
    /// Whether inputs are fed as unit vectors.
    pub one_hot: bool,
    /// Units of the hidden state.
    pub hidden: usize,
    /// Units between the two layers of an MLP.
    pub width: usize,
    /// Sequences per step.
    pub batch: usize,
    /// Steps at most.
    pub steps: usize,
    /// The learning rate at the start; it falls linearly to a hundredth.
    pub learning_rate: f64,
    /// Seeds initial weights and batches.
    pub seed: u64,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            cell: CellKind::Mlp,
            activation: Between::Relu,
            one_hot: false,
            hidden: 4,
            width: 16,
            batch: 128,
            steps: 4000,
            learning_rate: 3e-3,
            seed: 0,
        }
    }
}

/// How training ended.
#[derive(Clone, Debug)]
pub struct TrainReport {
    /// Mean squared error of the last step; cross-entropy of classes.
    pub loss: f32,
    /// The largest absolute error on 2,000 fresh sequences; of classes the largest chance of another class.
    pub worst: f32,
}

/// The trainable parameters; layers are (weight `[out, in]`, bias `[out]`): two of an MLP, or those of input and state.
struct Cell {
    kind: CellKind,
    activation: Between,
    hidden: usize,
    layers: [(Var, Var); 2],
    readout: (Var, Var),
}

impl Cell {
    fn new(fed: usize, config: &TrainConfig, n_outputs: usize, rng: &mut Rng) -> Result<Self, candle_core::Error> {
        let mut layer = |inputs: usize, outputs: usize| -> Result<(Var, Var), candle_core::Error> {
            let bound = 1.0 / (inputs as f32).sqrt();
            let mut draw = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.random_range(-bound..bound)).collect() };
            let weight = Var::from_vec(draw(inputs * outputs), (outputs, inputs), &Device::Cpu)?;
            let bias = Var::from_vec(draw(outputs), outputs, &Device::Cpu)?;
            Ok((weight, bias))
        };
        let h = config.hidden;
        let gates = match config.cell {
            CellKind::Mlp | CellKind::Elman => 1,
            CellKind::Gru => 3,
            CellKind::Lstm => 4,
        };
        let (first, second) = match config.cell {
            CellKind::Mlp => (layer(h + fed, config.width)?, layer(config.width, h)?),
            _ => (layer(fed, gates * h)?, layer(h, gates * h)?),
        };
        let readout = layer(h, n_outputs)?;
        Ok(Self { kind: config.cell, activation: config.activation, hidden: h, layers: [first, second], readout })
    }

    fn activate(&self, x: &Tensor) -> Result<Tensor, candle_core::Error> {
        match self.activation {
            Between::Relu => x.relu(),
            Between::Tanh => x.tanh(),
            Between::Sigmoid => sigmoid(x),
            Between::Silu => x.silu(),
        }
    }

    /// The next state (and cell, of an LSTM) from the last one and an element `[n, fed]`.
    fn step(&self, h: &Tensor, c: &Tensor, x: &Tensor) -> Result<(Tensor, Tensor), candle_core::Error> {
        let [first, second] = &self.layers;
        if self.kind == CellKind::Mlp {
            let inner = self.activate(&affine(&Tensor::cat(&[h, x], 1)?, first)?)?;
            return Ok((affine(&inner, second)?, c.clone()));
        }
        let (gi, gh) = (affine(x, first)?, affine(h, second)?);
        let gate = |of: &Tensor, k: usize| of.narrow(1, k * self.hidden, self.hidden);
        match self.kind {
            CellKind::Gru => {
                let r = sigmoid(&(gate(&gi, 0)? + gate(&gh, 0)?)?)?;
                let z = sigmoid(&(gate(&gi, 1)? + gate(&gh, 1)?)?)?;
                let candidate = (gate(&gi, 2)? + (r * gate(&gh, 2)?)?)?.tanh()?;
                Ok((((1.0 - &z)? * candidate)?.add(&(z * h)?)?, c.clone()))
            }
            CellKind::Lstm => {
                let all = (gi + gh)?;
                let cell =
                    ((sigmoid(&gate(&all, 1)?)? * c)? + (sigmoid(&gate(&all, 0)?)? * gate(&all, 2)?.tanh()?)?)?;
                Ok(((sigmoid(&gate(&all, 3)?)? * cell.tanh()?)?, cell))
            }
            _ => Ok((self.activate(&(gi + gh)?)?, c.clone())),
        }
    }

    /// Raw outputs `[n, time, outputs]` for fed inputs `[n, time, fed]`.
    fn forward(&self, x: &Tensor) -> Result<Tensor, candle_core::Error> {
        let (n, time, _) = x.dims3()?;
        let mut h = Tensor::zeros((n, self.hidden), x.dtype(), x.device())?;
        let mut c = h.clone();
        let mut outputs = Vec::with_capacity(time);
        for t in 0..time {
            (h, c) = self.step(&h, &c, &x.narrow(1, t, 1)?.squeeze(1)?)?;
            outputs.push(affine(&h, &self.readout)?);
        }
        Tensor::stack(&outputs, 1)
    }

    fn vars(&self) -> Vec<Var> {
        let both = |(w, b): &(Var, Var)| [w.clone(), b.clone()];
        self.layers.iter().chain([&self.readout]).flat_map(both).collect()
    }
}

fn affine(z: &Tensor, (w, b): &(Var, Var)) -> Result<Tensor, candle_core::Error> {
    z.matmul(&w.t()?)?.broadcast_add(b)
}

/// Trains a network to compute `program` on a domain of integers and returns its model folder. Outputs are the numbers
/// themselves, or one logit for every class.
///
/// # Errors
/// A tensor operation or the serialisation failed.
pub fn train_recurrent(
    name: &str,
    domain: &Domain,
    program: &dyn Fn(&Batch) -> Vec<Column>,
    config: &TrainConfig,
) -> Result<(Folder, TrainReport), FolderError> {
    let mut rng = rng(config.seed, "train");
    let cell = Cell::new(fed(domain, config), config, raw_outputs(domain), &mut rng)?;
    let mut optimizer =
        AdamW::new(cell.vars(), ParamsAdamW { lr: config.learning_rate, weight_decay: 0.0, ..ParamsAdamW::default() })?;
    let mut loss_value = f32::INFINITY;
    for step in 0..config.steps {
        let (x, y) = example(domain, program, config.batch, config, &mut rng)?;
        let loss = loss(domain, &cell.forward(&x)?, &y)?;
        let fraction = step as f64 / config.steps as f64;
        optimizer.set_learning_rate(config.learning_rate * (1.0 - 0.99 * fraction));
        optimizer.backward_step(&loss)?;
        loss_value = loss.to_scalar()?;
    }
    let (x, y) = example(domain, program, 2000, config, &mut rng)?;
    let worst = worst(domain, &cell.forward(&x)?, &y)?.flatten_all()?.max(0)?.to_scalar()?;
    Ok((folder(name, domain, &cell, config)?, TrainReport { loss: loss_value, worst }))
}

/// Numbers that are read from a state.
fn raw_outputs(domain: &Domain) -> usize {
    if let Decode::Argmax(values) = &domain.decode { values.len() } else { domain.n_outputs }
}

/// What training makes small.
fn loss(domain: &Domain, raw: &Tensor, wanted: &Tensor) -> Result<Tensor, candle_core::Error> {
    if let Decode::Argmax(_) = domain.decode {
        return cross_entropy(&raw.flatten_to(1)?, &wanted.flatten_all()?);
    }
    (raw - wanted)?.sqr()?.mean_all()
}

/// How far every output is off.
fn worst(domain: &Domain, raw: &Tensor, wanted: &Tensor) -> Result<Tensor, candle_core::Error> {
    if let Decode::Argmax(_) = domain.decode {
        return 1.0 - softmax(raw, D::Minus1)?.gather(wanted, D::Minus1)?;
    }
    (raw - wanted)?.abs()
}

fn range(domain: &Domain) -> (i64, i64) {
    match domain.elements {
        Elements::Integers { lo, hi, .. } => (lo, hi),
        _ => (0, 0),
    }
}

/// Numbers that an element is fed as.
fn fed(domain: &Domain, config: &TrainConfig) -> usize {
    let (lo, hi) = range(domain);
    domain.dim() * if config.one_hot { (hi - lo + 1) as usize } else { 1 }
}

/// Inputs `[n, time, fed]` and what the program makes of them `[n, time, outputs]`: numbers, or the place of a class.
fn example(
    domain: &Domain,
    program: &dyn Fn(&Batch) -> Vec<Column>,
    n: usize,
    config: &TrainConfig,
    rng: &mut Rng,
) -> Result<(Tensor, Tensor), candle_core::Error> {
    let batch = domain.sample_longest(n, rng);
    let time = domain.length.1;
    let (lo, hi) = range(domain);
    let numbers = |&v: &i64| -> Vec<f32> {
        if config.one_hot { (lo..=hi).map(|u| f32::from(u8::from(u == v))).collect() } else { vec![v as f32] }
    };
    let x: Vec<f32> = (0..n).flat_map(|row| batch.sequence(row).iter().flat_map(numbers)).collect();
    let columns = program(&batch);
    let y = (0..n * time).flat_map(|point| columns.iter().map(move |column| column.codes[point]));
    let x = Tensor::from_vec(x, (n, time, fed(domain, config)), &Device::Cpu)?;
    let shape = (n, time, columns.len());
    let y = match &domain.decode {
        Decode::Argmax(values) => {
            let place = |code: i64| values.iter().position(|&value| encode_value(value) == code).unwrap_or(0) as u32;
            Tensor::from_vec(y.map(place).collect::<Vec<u32>>(), shape, &Device::Cpu)?
        }
        _ => Tensor::from_vec(y.map(|code| code as f32).collect::<Vec<f32>>(), shape, &Device::Cpu)?,
    };
    Ok((x, y))
}

fn folder(name: &str, domain: &Domain, cell: &Cell, config: &TrainConfig) -> Result<Folder, FolderError> {
    let mut weights = Weights::new();
    let parts = match config.cell {
        CellKind::Mlp => ["hmlp.layers.0.weight", "hmlp.layers.0.bias", "hmlp.layers.1.weight", "hmlp.layers.1.bias"],
        _ => ["rnn.weight_ih_l0", "rnn.bias_ih_l0", "rnn.weight_hh_l0", "rnn.bias_hh_l0"],
    };
    let names = parts.into_iter().chain(["ymlp.layers.0.weight", "ymlp.layers.0.bias"]);
    for (name, var) in names.zip(cell.vars()) {
        weights.insert(name.to_owned(), (var.dims().to_vec(), var.flatten_all()?.to_vec1()?));
    }
    let (lo, hi) = range(domain);
    let mut described = json!({
        "model_type": "rnn", "cell": "mlp", "input_dim": fed(domain, config), "hidden_dim": config.hidden,
        "output_dim": raw_outputs(domain), "hidden_mlp_depth": 2, "hidden_mlp_width": config.width, "output_mlp_depth": 1,
        "output_mlp_width": 0, "activation": activation_name(config.activation), "h0": "zeros",
    });
    if config.cell != CellKind::Mlp {
        described["cell"] = match config.cell {
            CellKind::Gru => "gru",
            CellKind::Lstm => "lstm",
            _ => "elman",
        }
        .into();
        if let Some(keys) = described.as_object_mut() {
            keys.shift_remove("hidden_mlp_depth");
            keys.shift_remove("hidden_mlp_width");
        }
    }
    let encoding = if config.one_hot { "one_hot" } else { "scalar" };
    let task = json!({
        "name": name,
        "input": {
            "kind": "integers", "dim": domain.dim(), "range": [lo, hi], "encoding": encoding, "length": domain.length.1,
        },
        "output": match &domain.decode {
            Decode::Argmax(values) => {
                json!({ "kind": "categorical", "values": values.iter().map(text).collect::<Vec<_>>(), "decode": "argmax" })
            }
            _ => json!({ "kind": "integers", "dim": domain.n_outputs, "decode": "round" }),
        },
    });
    Folder::new(&weights, &described, &task)
}

/// A class as task.json names it.
fn text(class: &Value) -> serde_json::Value {
    match class {
        Value::Bool(truth) => (*truth).into(),
        Value::Int(number) => (*number).into(),
        Value::Symbol(name) => name.as_str().into(),
        _ => serde_json::Value::Null,
    }
}

fn activation_name(activation: Between) -> &'static str {
    match activation {
        Between::Relu => "relu",
        Between::Tanh => "tanh",
        Between::Sigmoid => "sigmoid",
        Between::Silu => "silu",
    }
}
