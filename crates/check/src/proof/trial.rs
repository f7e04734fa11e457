//! Random recurrent networks for tests, and what they compute in double precision.

use graph::{Activation, Affine, Cell, Encoding, Matrix, Mlp, Network, Recurrence};
use rand::Rng as _;
use samples::{Decode, Domain, Elements, Rng};

/// A network with four hidden units and one output, over sequences of five integers within 20.
pub(super) struct Trial {
    pub(super) cell: Mlp,
    pub(super) readout: Mlp,
    pub(super) network: Network,
}

impl Trial {
    /// Weights and biases are uniform within `span`.
    pub(super) fn new(activation: Activation, span: f32, rng: &mut Rng) -> Self {
        let mut layer = |from: usize, to: usize| {
            let mut draw = |n: usize| (0..n).map(|_| rng.random_range(-span..span)).collect::<Vec<f32>>();
            Affine { weight: Matrix::new(from, to, draw(from * to)), bias: draw(to) }
        };
        let cell = Mlp { layers: vec![layer(5, 6), layer(6, 4)], activation };
        let readout = Mlp { layers: vec![layer(4, 3), layer(3, 1)], activation };
        let elements = Elements::Integers { dim: 1, lo: -20, hi: 20 };
        let domain = Domain { elements, length: (5, 5), decode: Decode::Round, n_outputs: 1 };
        let net = Recurrence::new(Cell::Mlp(cell.clone()), readout.clone(), Encoding::Scalar, 1).expect("fits");
        Self { cell, readout, network: Network::recurrent(domain, net) }
    }

    /// Hidden state and output after every element.
    pub(super) fn in_double(&self, sequence: &[i64]) -> Vec<(Vec<f64>, f64)> {
        let mut state = vec![0.0; 4];
        let mut step = |&x: &i64| {
            state.push(x as f64);
            state = in_double(&self.cell, std::mem::take(&mut state));
            (state.clone(), in_double(&self.readout, state.clone())[0])
        };
        sequence.iter().map(&mut step).collect()
    }
}

fn in_double(mlp: &Mlp, mut value: Vec<f64>) -> Vec<f64> {
    for (k, layer) in mlp.layers.iter().enumerate() {
        if k > 0 {
            value.iter_mut().for_each(|v| *v = if mlp.activation == Activation::Tanh { v.tanh() } else { v.max(0.0) });
        }
        let column = |o: usize| {
            let weight = |i: usize| f64::from(layer.weight.data[i * layer.weight.cols + o]);
            f64::from(layer.bias[o]) + value.iter().enumerate().map(|(i, v)| weight(i) * v).sum::<f64>()
        };
        value = (0..layer.weight.cols).map(column).collect();
    }
    value
}
