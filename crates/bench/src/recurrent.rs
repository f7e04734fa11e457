//! Training of small recurrent networks on what a program computes.

use candle_core::{Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use rand::Rng as _;
use samples::{Batch, Column, Domain, Elements, Rng, rng};
use serde_json::json;

use crate::folder::{Folder, FolderError, Weights};

/// How to train a network `h[t] = f([h[t-1], x[t]])`, `y[t] = g(h[t])` with `f` and `g` ReLU networks.
#[derive(Clone, Debug)]
pub struct TrainConfig {
    /// Units of the hidden state.
    pub hidden: usize,
    /// Units between the two layers of `f`.
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

/// How training ended.
#[derive(Clone, Debug)]
pub struct TrainReport {
    /// Mean squared error of the last step.
    pub loss: f32,
    /// The largest absolute error on 2,000 fresh sequences.
    pub worst: f32,
}

/// The trainable parameters; layers are (weight `[out, in]`, bias `[out]`).
struct Cell {
    layers: [(Var, Var); 2],
    readout: (Var, Var),
}

impl Cell {
    fn new(dim: usize, config: &TrainConfig, n_outputs: usize, rng: &mut Rng) -> Result<Self, candle_core::Error> {
        let mut layer = |inputs: usize, outputs: usize| -> Result<(Var, Var), candle_core::Error> {
            let bound = 1.0 / (inputs as f32).sqrt();
            let mut draw = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.random_range(-bound..bound)).collect() };
            let weight = Var::from_vec(draw(inputs * outputs), (outputs, inputs), &Device::Cpu)?;
            let bias = Var::from_vec(draw(outputs), outputs, &Device::Cpu)?;
            Ok((weight, bias))
        };
        let first = layer(config.hidden + dim, config.width)?;
        let second = layer(config.width, config.hidden)?;
        let readout = layer(config.hidden, n_outputs)?;
        Ok(Self { layers: [first, second], readout })
    }

    /// Raw outputs `[n, time, outputs]` for inputs `[n, time, dim]`.
    fn forward(&self, x: &Tensor, hidden: usize) -> Result<Tensor, candle_core::Error> {
        let (n, time, _) = x.dims3()?;
        let affine = |z: &Tensor, (w, b): &(Var, Var)| z.matmul(&w.t()?)?.broadcast_add(b);
        let mut h = Tensor::zeros((n, hidden), x.dtype(), x.device())?;
        let mut outputs = Vec::with_capacity(time);
        for t in 0..time {
            let z = Tensor::cat(&[&h, &x.narrow(1, t, 1)?.squeeze(1)?], 1)?;
            h = affine(&affine(&z, &self.layers[0])?.relu()?, &self.layers[1])?;
            outputs.push(affine(&h, &self.readout)?);
        }
        Tensor::stack(&outputs, 1)
    }

    fn vars(&self) -> Vec<Var> {
        let both = |(w, b): &(Var, Var)| [w.clone(), b.clone()];
        self.layers.iter().chain([&self.readout]).flat_map(both).collect()
    }
}

/// Trains a network to compute `program` on a domain of integers and returns its model folder.
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
    let cell = Cell::new(domain.dim(), config, domain.n_outputs, &mut rng)?;
    let mut optimizer =
        AdamW::new(cell.vars(), ParamsAdamW { lr: config.learning_rate, weight_decay: 0.0, ..ParamsAdamW::default() })?;
    let mut loss_value = f32::INFINITY;
    for step in 0..config.steps {
        let (x, y) = example(domain, program, config.batch, &mut rng)?;
        let loss = (cell.forward(&x, config.hidden)? - y)?.sqr()?.mean_all()?;
        let fraction = step as f64 / config.steps as f64;
        optimizer.set_learning_rate(config.learning_rate * (1.0 - 0.99 * fraction));
        optimizer.backward_step(&loss)?;
        loss_value = loss.to_scalar()?;
    }
    let (x, y) = example(domain, program, 2000, &mut rng)?;
    let worst = (cell.forward(&x, config.hidden)? - y)?.abs()?.flatten_all()?.max(0)?.to_scalar()?;
    Ok((folder(name, domain, &cell, config)?, TrainReport { loss: loss_value, worst }))
}

/// Inputs `[n, time, dim]` and what the program makes of them `[n, time, outputs]`.
fn example(
    domain: &Domain,
    program: &dyn Fn(&Batch) -> Vec<Column>,
    n: usize,
    rng: &mut Rng,
) -> Result<(Tensor, Tensor), candle_core::Error> {
    let batch = domain.sample_longest(n, rng);
    let time = domain.length.1;
    let x: Vec<f32> = (0..n).flat_map(|row| batch.sequence(row).iter().map(|&v| v as f32)).collect();
    let columns = program(&batch);
    let y: Vec<f32> = (0..n * time).flat_map(|point| columns.iter().map(move |c| c.codes[point] as f32)).collect();
    let x = Tensor::from_vec(x, (n, time, domain.dim()), &Device::Cpu)?;
    Ok((x, Tensor::from_vec(y, (n, time, columns.len()), &Device::Cpu)?))
}

fn folder(name: &str, domain: &Domain, cell: &Cell, config: &TrainConfig) -> Result<Folder, FolderError> {
    let mut weights = Weights::new();
    let named =
        [("hmlp.layers.0", &cell.layers[0]), ("hmlp.layers.1", &cell.layers[1]), ("ymlp.layers.0", &cell.readout)];
    for (prefix, (weight, bias)) in named {
        for (part, var) in [("weight", weight), ("bias", bias)] {
            weights.insert(format!("{prefix}.{part}"), (var.dims().to_vec(), var.flatten_all()?.to_vec1()?));
        }
    }
    let (lo, hi) = match domain.elements {
        Elements::Integers { lo, hi, .. } => (lo, hi),
        _ => (0, 0),
    };
    let config = json!({
        "model_type": "rnn", "cell": "mlp", "input_dim": domain.dim(), "hidden_dim": config.hidden,
        "output_dim": domain.n_outputs, "hidden_mlp_depth": 2, "hidden_mlp_width": config.width, "output_mlp_depth": 1,
        "output_mlp_width": 0, "activation": "relu", "h0": "zeros",
    });
    let task = json!({
        "name": name,
        "input": {
            "kind": "integers", "dim": domain.dim(), "range": [lo, hi], "encoding": "scalar", "length": domain.length.1,
        },
        "output": { "kind": "integers", "dim": domain.n_outputs, "decode": "round" },
    });
    Folder::new(&weights, &config, &task)
}
