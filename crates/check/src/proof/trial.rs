//! Random recurrent networks for tests, and what they compute in double precision and, in any order of summation, in single.

use std::convert::Infallible;
use std::ops::Range;

use graph::{Activation, Affine, Cell, Encoding, GateLayer, Matrix, Mlp, Network, Recurrence};
use rand::Rng as _;
use rand::seq::SliceRandom as _;
use samples::{Decode, Domain, Elements, Rng};

use super::walk::{self, Walk};

/// What kind of cell a network has.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Mlp,
    Elman,
    Gru,
    Lstm,
}

/// A network with four hidden units in a layer and one output, over sequences of five integers within 20.
pub(super) struct Trial {
    pub(super) network: Network,
}

impl Trial {
    /// Weights and biases are uniform within `span`.
    pub(super) fn new(kind: Kind, activation: Activation, span: f32, rng: &mut Rng) -> Self {
        let mut layer = |from: usize, to: usize| {
            let mut draw = |n: usize| (0..n).map(|_| rng.random_range(-span..span)).collect::<Vec<f32>>();
            Affine { weight: Matrix::new(from, to, draw(from * to)), bias: draw(to) }
        };
        let mut layers = |gates: usize| -> Vec<GateLayer> {
            [1, 4].map(|from| GateLayer { input: layer(from, 4 * gates), hidden: layer(4, 4 * gates) }).to_vec()
        };
        let cell = match kind {
            Kind::Mlp => Cell::Mlp(Mlp { layers: vec![layer(5, 6), layer(6, 4)], activation }),
            Kind::Elman => Cell::Elman(layers(1), activation),
            Kind::Gru => Cell::Gru(layers(3)),
            Kind::Lstm => Cell::Lstm(layers(4)),
        };
        let readout = Mlp { layers: vec![layer(4, 3), layer(3, 1)], activation };
        let elements = Elements::Integers { dim: 1, lo: -20, hi: 20 };
        let domain = Domain { elements, length: (5, 5), decode: Decode::Round, n_outputs: 1 };
        let net = Recurrence::new(cell, readout, Encoding::Scalar, 1).expect("fits");
        Self { network: Network::recurrent(domain, net) }
    }

    /// State and output after every element.
    pub(super) fn in_double(&self, sequence: &[i64]) -> Vec<(Vec<f64>, f64)> {
        self.run(sequence, &mut Plain { orders: None })
    }

    /// The output after every element in single precision, every sum in a random order.
    pub(super) fn in_single(&self, sequence: &[i64], rng: &mut Rng) -> Vec<f64> {
        self.run(sequence, &mut Plain { orders: Some(rng) }).into_iter().map(|(_, y)| y).collect()
    }

    fn run(&self, sequence: &[i64], plain: &mut Plain<'_>) -> Vec<(Vec<f64>, f64)> {
        let net = self.network.recurrence().expect("it is recurrent");
        let mut state = vec![0.0; net.hidden_dim()];
        let mut step = |&x: &i64| {
            let Ok(next) = walk::step(plain, net, &state, vec![x as f64]);
            let Ok(y) = walk::read(plain, net, &next);
            state = next.clone();
            (next, y[0])
        };
        sequence.iter().map(&mut step).collect()
    }
}

/// Computes in double precision, or in single with sums in random orders.
struct Plain<'r> {
    orders: Option<&'r mut Rng>,
}

impl Plain<'_> {
    fn rounded(&self, value: f64) -> f64 {
        // Rounding what two numbers in single precision give in double is what single precision gives (Figueroa 1995).
        if self.orders.is_some() { f64::from(value as f32) } else { value }
    }

    fn each(&self, a: &[f64], b: &[f64], of: impl Fn(f64, f64) -> f64) -> Vec<f64> {
        a.iter().zip(b).map(|(&a, &b)| self.rounded(of(a, b))).collect()
    }
}

impl Walk for Plain<'_> {
    type Numbers = Vec<f64>;
    type Error = Infallible;

    fn joined(&mut self, first: Vec<f64>, then: Vec<f64>) -> Vec<f64> {
        [first, then].concat()
    }

    fn part(&mut self, of: &Vec<f64>, range: Range<usize>) -> Vec<f64> {
        of[range].to_vec()
    }

    fn sum(&mut self, x: &Vec<f64>, layers: &[&Affine]) -> Result<Vec<f64>, Infallible> {
        let column = |o: usize| {
            let weights = layers.iter().flat_map(|layer| layer.weight.data.iter().skip(o).step_by(layer.weight.cols));
            let products = weights.zip(x).map(|(&w, x)| self.rounded(f64::from(w) * x));
            let mut terms: Vec<f64> = products.chain(layers.iter().map(|layer| f64::from(layer.bias[o]))).collect();
            if let Some(rng) = &mut self.orders {
                terms.shuffle(rng);
            }
            terms.into_iter().fold(0.0, |sum, term| self.rounded(sum + term))
        };
        Ok((0..layers[0].weight.cols).map(column).collect())
    }

    fn activate(&mut self, x: Vec<f64>, activation: Activation) -> Result<Vec<f64>, Infallible> {
        let apply = |x: f64| match (activation, self.orders.is_some()) {
            (_, true) => f64::from(activation.apply(x as f32)),
            (Activation::Tanh, _) => x.tanh(),
            (Activation::Sigmoid, _) => 1.0 / (1.0 + (-x).exp()),
            (Activation::Silu, _) => x / (1.0 + (-x).exp()),
            _ => x.max(0.0),
        };
        Ok(x.into_iter().map(apply).collect())
    }

    fn plus(&mut self, a: Vec<f64>, b: Vec<f64>) -> Result<Vec<f64>, Infallible> {
        Ok(self.each(&a, &b, |a, b| a + b))
    }

    fn times(&mut self, a: Vec<f64>, b: Vec<f64>) -> Result<Vec<f64>, Infallible> {
        Ok(self.each(&a, &b, |a, b| a * b))
    }

    fn between(&mut self, z: Vec<f64>, a: Vec<f64>, b: Vec<f64>) -> Result<Vec<f64>, Infallible> {
        let other = self.orders.as_mut().is_some_and(|rng| rng.random());
        if other {
            let across = self.each(&b, &a, |b, a| b - a);
            let moved = self.each(&across, &z, |across, z| across * z);
            return Ok(self.each(&moved, &a, |moved, a| moved + a));
        }
        let rest: Vec<f64> = z.iter().map(|z| self.rounded(1.0 - z)).collect();
        let (from, to) = (self.each(&rest, &a, |z, a| z * a), self.each(&z, &b, |z, b| z * b));
        Ok(self.each(&from, &to, |a, b| a + b))
    }
}
