//! Recurrent networks: `hmlp.layers.K`, or torch.nn's `rnn.weight_ih_lK`, with the read-out `ymlp.layers.K`.

use graph::{Activation, Affine, Cell, Encoding, GateLayer, Mlp, Network, Recurrence};

use crate::json::At;
use crate::task::{self, Feed};
use crate::tensors::Tensors;
use crate::{File, LoadError};

/// Units of a layer.
const WIDTH: usize = 1 << 14;
/// Layers of one kind.
const DEPTH: usize = 256;

const ACTIVATIONS: [(&str, Activation); 4] = [
    ("relu", Activation::Relu),
    ("tanh", Activation::Tanh),
    ("sigmoid", Activation::Sigmoid),
    ("silu", Activation::Silu),
];

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Mlp,
    Elman,
    Gru,
    Lstm,
}

/// Builds the network from its configuration, task and weights.
pub(crate) fn load(config: &At, task: Option<At>, mut weights: Tensors) -> Result<Network, LoadError> {
    let kinds = [("mlp", Kind::Mlp), ("elman", Kind::Elman), ("gru", Kind::Gru), ("lstm", Kind::Lstm)];
    let kind = config.get("cell").one_of(&kinds)?;
    let input_dim = config.get("input_dim").count(1..=WIDTH)?;
    let hidden_dim = config.get("hidden_dim").count(1..=WIDTH)?;
    let output_dim = config.get("output_dim").count(1..=WIDTH)?;
    if let Some(at) = Some(config.get("h0")).filter(|at| !at.is_absent()) {
        at.one_of(&[("zeros", ())])?;
    }
    let task = task.ok_or_else(|| task::missing("rnn"))?;
    let (domain, feed) = task::integers(&task, output_dim)?;
    let samples::Elements::Integers { dim, lo, hi } = domain.elements else {
        return Err(task.get("input").get("kind").wrong("\"integers\""));
    };
    let (encoding, fed) = match feed {
        Feed::Scalar => (Encoding::Scalar, dim),
        Feed::OneHot => {
            let width = usize::try_from(hi - lo + 1).unwrap_or(usize::MAX);
            (Encoding::OneHot { lo, width }, dim.saturating_mul(width))
        }
    };
    if fed != input_dim {
        let numbers = format!("an element of {fed} numbers");
        return Err(config.get("input_dim").contradicts("input in task.json", numbers));
    }
    let y_depth = config.get("output_mlp_depth").count(1..=DEPTH)?;
    let activation = || config.get("activation").one_of(&ACTIVATIONS);
    let cell = match kind {
        Kind::Mlp => {
            let depth = config.get("hidden_mlp_depth").count(1..=DEPTH)?;
            let width = config.get("hidden_mlp_width");
            let dims = dims(hidden_dim + input_dim, &width, depth, hidden_dim)?;
            Cell::Mlp(Mlp { layers: layers(&mut weights, "hmlp", &dims)?, activation: activation()? })
        }
        Kind::Elman => {
            let at = config.get("nonlinearity");
            let inner = if at.is_absent() { activation()? } else { at.one_of(&ACTIVATIONS)? };
            Cell::Elman(gated(config, &mut weights, 1, input_dim, hidden_dim)?, inner)
        }
        Kind::Gru => Cell::Gru(gated(config, &mut weights, 3, input_dim, hidden_dim)?),
        Kind::Lstm => Cell::Lstm(gated(config, &mut weights, 4, input_dim, hidden_dim)?),
    };
    let width = config.get("output_mlp_width");
    let layers = layers(&mut weights, "ymlp", &dims(hidden_dim, &width, y_depth, output_dim)?)?;
    // Without a second layer nothing lies between layers, and the key is not needed.
    let between = if y_depth > 1 { activation()? } else { Activation::Relu };
    let readout = Mlp { layers, activation: between };
    let n_parameters = weights.finish(|_| false)?;
    let recurrence = Recurrence::new(cell, readout, encoding, dim)
        .ok_or_else(|| config.get("cell").wrong("parts whose shapes fit together"))?;
    Ok(Network::recurrent(domain, recurrence).with_n_parameters(n_parameters))
}

/// Sizes of the layers of an MLP from the input to the output.
fn dims(input: usize, width: &At, depth: usize, output: usize) -> Result<Vec<usize>, LoadError> {
    let mut dims = vec![input];
    if depth > 1 {
        dims.extend(vec![width.count(1..=WIDTH)?; depth - 1]);
    }
    dims.push(output);
    Ok(dims)
}

fn layers(weights: &mut Tensors, name: &str, dims: &[usize]) -> Result<Vec<Affine>, LoadError> {
    let layer = |(k, pair): (usize, &[usize])| {
        let weight = weights.matrix(&format!("{name}.layers.{k}.weight"), pair[1], pair[0])?.transposed();
        let bias = weights.numbers(&format!("{name}.layers.{k}.bias"), &[pair[1]])?;
        Ok(Affine { weight, bias })
    };
    dims.windows(2).enumerate().map(layer).collect()
}

/// The layers of torch.nn's RNN, GRU or LSTM; as many as the file holds, or as config.json says.
fn gated(
    config: &At,
    weights: &mut Tensors,
    gates: usize,
    input: usize,
    hidden: usize,
) -> Result<Vec<GateLayer>, LoadError> {
    let name = |part: &str, k: usize| format!("rnn.{part}_l{k}");
    let present = (0..DEPTH).take_while(|&k| weights.has(&name("weight_ih", k))).count().max(1);
    let mut depth = present;
    for key in ["num_layers", "n_layers"] {
        let at = config.get(key);
        if !at.is_absent() {
            depth = at.count(1..=DEPTH)?;
            if depth < present {
                return Err(at.contradicts(File::Weights.name(), format!("{present} layers")));
            }
        }
    }
    config.get("bidirectional").must_be(&false.into(), "both directions at once is no recurrence")?;
    let biased = config.get("bias").flag(true)?;
    let mut layers = Vec::with_capacity(depth);
    let mut below = input;
    for k in 0..depth {
        let out = gates * hidden;
        let mut part = |weight: &str, bias: &str, from: usize| {
            let weight = weights.matrix(&name(weight, k), out, from)?.transposed();
            let bias = if biased { weights.numbers(&name(bias, k), &[out])? } else { vec![0.0; out] };
            Ok::<_, LoadError>(Affine { weight, bias })
        };
        let input = part("weight_ih", "bias_ih", below)?;
        let hidden_part = part("weight_hh", "bias_hh", hidden)?;
        layers.push(GateLayer { input, hidden: hidden_part });
        below = hidden;
    }
    Ok(layers)
}
