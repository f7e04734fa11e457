//! Recurrent networks: one step, the read-out, and fast rollouts over many sequences.
//!
//! Inside, values lie feature by feature (all sequences of a block side by side), so that the small matrices of these
//! networks are multiplied by vector instructions over sequences. A number never depends on which other sequences are
//! in the batch.

use crate::{Activation, Matrix};

/// An affine map: `x weight + bias`.
#[derive(Clone, Debug, PartialEq)]
pub struct Affine {
    /// `[in, out]`
    pub weight: Matrix,
    /// `[out]`
    pub bias: Vec<f32>,
}

/// Affine maps with an activation between them, none after the last.
#[derive(Clone, Debug, PartialEq)]
pub struct Mlp {
    /// At least one.
    pub layers: Vec<Affine>,
    /// Between layers.
    pub activation: Activation,
}

/// One layer of an Elman, GRU or LSTM network, in torch.nn's convention: `[in, gates * hidden]` for both weights.
#[derive(Clone, Debug, PartialEq)]
pub struct GateLayer {
    /// `weight_ih` transposed, `bias_ih`.
    pub input: Affine,
    /// `weight_hh` transposed, `bias_hh`.
    pub hidden: Affine,
}

/// How the state follows from the previous state and the input.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// h' = mlp([h, x])
    Mlp(Mlp),
    /// h' = activation(x W_ih + b_ih + h W_hh + b_hh), layer upon layer.
    Elman(Vec<GateLayer>, Activation),
    /// Gates r, z, n as in torch.nn.GRU.
    Gru(Vec<GateLayer>),
    /// Gates i, f, g, o as in torch.nn.LSTM; the state holds all h, then all c.
    Lstm(Vec<GateLayer>),
}

/// How an input element is fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Every number as it is.
    Scalar,
    /// Every number as a unit vector of `width` entries; `lo` is the first. A number outside gives the zero vector.
    OneHot {
        /// The number whose unit vector is the first.
        lo: i64,
        /// How many numbers there are.
        width: usize,
    },
}

/// A recurrent network: state `[state_dim]`, zero at the start; the output is read after every step.
///
/// The state of a network of several layers is that of all layers, one after the other (LSTM: all h, then all c).
#[derive(Clone, Debug, PartialEq)]
pub struct Recurrence {
    cell: Cell,
    readout: Mlp,
    encoding: Encoding,
    dim: usize,
    state_dim: usize,
    /// Where in the state the read-out reads.
    top: std::ops::Range<usize>,
}

/// Sequences that are computed side by side.
const BLOCK: usize = 256;

impl Recurrence {
    /// A recurrent network that reads `dim` numbers a step. `None` where the shapes of the parts do not fit together.
    pub fn new(cell: Cell, readout: Mlp, encoding: Encoding, dim: usize) -> Option<Self> {
        let fed = match encoding {
            Encoding::Scalar => dim,
            Encoding::OneHot { width, .. } => dim.checked_mul(width)?,
        };
        let (state_dim, top) = match &cell {
            Cell::Mlp(mlp) => {
                let state = mlp.out_dim()?;
                (mlp.fits(state.checked_add(fed)?)?).then_some((state, 0..state))?
            }
            Cell::Elman(layers, _) => stacked(layers, 1, fed)?,
            Cell::Gru(layers) => stacked(layers, 3, fed)?,
            Cell::Lstm(layers) => {
                let (all, top) = stacked(layers, 4, fed)?;
                (2 * all, top)
            }
        };
        (readout.fits(top.len())? && dim > 0).then_some(())?;
        Some(Self { cell, readout, encoding, dim, state_dim, top })
    }

    /// Numbers per input element.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The size of the state.
    pub fn hidden_dim(&self) -> usize {
        self.state_dim
    }

    /// The number of raw outputs per step.
    pub fn n_outputs(&self) -> usize {
        self.readout.out_dim().unwrap_or(0)
    }

    /// How the state is updated.
    pub fn cell(&self) -> &Cell {
        &self.cell
    }

    /// How the output is read from the part [`Recurrence::top`] of the state.
    pub fn readout_mlp(&self) -> &Mlp {
        &self.readout
    }

    /// The part of the state that the read-out reads: the h of the last layer.
    pub fn top(&self) -> std::ops::Range<usize> {
        self.top.clone()
    }

    /// How input elements are fed.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The same network with other names for the numbers that it reads: it does on `lo + i` what it did on `lo + order[i]`.
    /// Numbers are then fed as unit vectors. `None` where `order` does not go with how they are fed now.
    pub fn renamed(&self, lo: i64, order: &[usize]) -> Option<Self> {
        let width = order.len();
        // What the network got of one number under its old name: rows of the weights that read it.
        let row = |weight: &Matrix, first: usize, axis: usize, number: usize| -> Vec<f32> {
            match self.encoding {
                Encoding::Scalar => {
                    let value = (lo + number as i64) as f32;
                    weight.row(first + axis).iter().map(|w| w * value).collect()
                }
                Encoding::OneHot { .. } => weight.row(first + axis * width + number).to_vec(),
            }
        };
        if matches!(self.encoding, Encoding::OneHot { lo: own, width: all } if own != lo || all != width) {
            return None;
        }
        let fed = |affine: &Affine, first: usize| -> Affine {
            let mut data = affine.weight.data[..first * affine.weight.cols].to_vec();
            for axis in 0..self.dim {
                order.iter().for_each(|&number| data.extend(row(&affine.weight, first, axis, number)));
            }
            let rows = first + self.dim * width;
            Affine { weight: Matrix::new(rows, affine.weight.cols, data), bias: affine.bias.clone() }
        };
        let layers = |layers: &[GateLayer]| {
            let mut layers = layers.to_vec();
            if let Some(first) = layers.first_mut() {
                first.input = fed(&first.input, 0);
            }
            layers
        };
        let cell = match &self.cell {
            Cell::Mlp(mlp) => {
                let mut mlp = mlp.clone();
                // The state comes first.
                *mlp.layers.first_mut()? = fed(mlp.layers.first()?, self.state_dim);
                Cell::Mlp(mlp)
            }
            Cell::Elman(all, activation) => Cell::Elman(layers(all), *activation),
            Cell::Gru(all) => Cell::Gru(layers(all)),
            Cell::Lstm(all) => Cell::Lstm(layers(all)),
        };
        Self::new(cell, self.readout.clone(), Encoding::OneHot { lo, width }, self.dim)
    }

    /// The number of parameters of the update.
    pub fn cell_parameters(&self) -> usize {
        match &self.cell {
            Cell::Mlp(mlp) => mlp.n_parameters(),
            Cell::Elman(layers, _) | Cell::Gru(layers) | Cell::Lstm(layers) => {
                layers.iter().map(|layer| layer.input.n_parameters() + layer.hidden.n_parameters()).sum()
            }
        }
    }

    /// The number of parameters of the read-out.
    pub fn readout_parameters(&self) -> usize {
        self.readout.n_parameters()
    }

    /// The states before the first step: `[n, state_dim]`, zero.
    pub fn initial(&self, n: usize) -> Matrix {
        Matrix::zeros(n, self.state_dim)
    }

    /// The states after one step, from states `[n, state_dim]` and input elements `[n, dim]` as numbers.
    ///
    /// # Panics
    /// If the shapes are not those.
    pub fn step(&self, state: &Matrix, x: &Matrix) -> Matrix {
        assert_eq!((state.rows, state.cols, x.cols), (x.rows, self.state_dim, self.dim), "shapes of a step");
        let mut next = Matrix::zeros(state.rows, self.state_dim);
        for start in (0..state.rows).step_by(BLOCK) {
            let n = BLOCK.min(state.rows - start);
            let block = self.advance(&gather(state, start, n), &gather(x, start, n), n);
            scatter(&block, &mut next, n, |i| start + i);
        }
        next
    }

    /// The outputs `[n, n_outputs]` read from states `[n, state_dim]`.
    ///
    /// # Panics
    /// If the states have another size.
    pub fn readout(&self, state: &Matrix) -> Matrix {
        assert_eq!(state.cols, self.state_dim, "size of a state");
        let mut y = Matrix::zeros(state.rows, self.n_outputs());
        for start in (0..state.rows).step_by(BLOCK) {
            let n = BLOCK.min(state.rows - start);
            scatter(&self.read(&gather(state, start, n), n), &mut y, n, |i| start + i);
        }
        y
    }

    /// Outputs and, if asked for, states after every step of sequences of `length` elements: `element(row, step)` is
    /// the input element, `point(row, step)` the row of the results it goes to.
    pub(crate) fn roll<'a>(
        &self,
        n_rows: usize,
        length: usize,
        element: impl Fn(usize, usize) -> &'a [i64],
        point: impl Fn(usize, usize) -> usize,
        y: &mut Matrix,
        mut states: Option<&mut Matrix>,
    ) {
        for start in (0..n_rows).step_by(BLOCK) {
            let n = BLOCK.min(n_rows - start);
            let mut state = vec![0.0; self.state_dim * n];
            let mut x = vec![0.0; self.dim * n];
            for step in 0..length {
                for i in 0..n {
                    for (axis, &value) in element(start + i, step).iter().enumerate() {
                        // Inputs are small numbers: exact in single precision up to 2^24.
                        x[axis * n + i] = value as f32;
                    }
                }
                state = self.advance(&state, &x, n);
                scatter(&self.read(&state, n), y, n, |i| point(start + i, step));
                if let Some(states) = states.as_deref_mut() {
                    scatter(&state, states, n, |i| point(start + i, step));
                }
            }
        }
    }

    /// One step of a block, feature by feature.
    fn advance(&self, state: &[f32], x: &[f32], n: usize) -> Vec<f32> {
        let fed = self.encode(x, n);
        match &self.cell {
            Cell::Mlp(mlp) => mlp.forward(&[state, &fed].concat(), n),
            Cell::Elman(layers, activation) => {
                let mut next = Vec::with_capacity(state.len());
                let mut below = fed;
                for (layer, h) in layers.iter().zip(split(layers, state, n)) {
                    let mut sum = layer.input.forward(&below, n);
                    add(&mut sum, &layer.hidden.forward(h, n));
                    activation.apply_all(&mut sum);
                    next.extend_from_slice(&sum);
                    below = sum;
                }
                next
            }
            Cell::Gru(layers) => {
                let mut next = Vec::with_capacity(state.len());
                let mut below = fed;
                for (layer, h) in layers.iter().zip(split(layers, state, n)) {
                    let (gi, gh) = (layer.input.forward(&below, n), layer.hidden.forward(h, n));
                    let m = h.len();
                    below = (0..m)
                        .map(|i| {
                            let r = Activation::Sigmoid.apply(gi[i] + gh[i]);
                            let z = Activation::Sigmoid.apply(gi[m + i] + gh[m + i]);
                            let candidate = (gi[2 * m + i] + r * gh[2 * m + i]).tanh();
                            (1.0 - z) * candidate + z * h[i]
                        })
                        .collect();
                    next.extend_from_slice(&below);
                }
                next
            }
            Cell::Lstm(layers) => {
                let (hs, cs) = state.split_at(state.len() / 2);
                let (mut next_h, mut next_c) = (Vec::with_capacity(state.len()), Vec::with_capacity(cs.len()));
                let mut below = fed;
                for ((layer, h), c) in layers.iter().zip(split(layers, hs, n)).zip(split(layers, cs, n)) {
                    let mut gates = layer.input.forward(&below, n);
                    add(&mut gates, &layer.hidden.forward(h, n));
                    let m = h.len();
                    let sigmoid = |i: usize| Activation::Sigmoid.apply(gates[i]);
                    let cell: Vec<f32> =
                        (0..m).map(|i| sigmoid(m + i) * c[i] + sigmoid(i) * gates[2 * m + i].tanh()).collect();
                    below = (0..m).map(|i| sigmoid(3 * m + i) * cell[i].tanh()).collect();
                    next_h.extend_from_slice(&below);
                    next_c.extend_from_slice(&cell);
                }
                next_h.extend_from_slice(&next_c);
                next_h
            }
        }
    }

    fn read(&self, state: &[f32], n: usize) -> Vec<f32> {
        self.readout.forward(&state[self.top.start * n..self.top.end * n], n)
    }

    fn encode(&self, x: &[f32], n: usize) -> Vec<f32> {
        match self.encoding {
            Encoding::Scalar => x.to_vec(),
            Encoding::OneHot { lo, width } => {
                let mut fed = vec![0.0; self.dim * width * n];
                for (axis, values) in x.chunks(n).enumerate() {
                    for (i, &value) in values.iter().enumerate() {
                        let place = value as i64 - lo;
                        if let Ok(place) = usize::try_from(place)
                            && place < width
                        {
                            fed[(axis * width + place) * n + i] = 1.0;
                        }
                    }
                }
                fed
            }
        }
    }
}

/// The size of all layers' h, and where the last one lies, if the shapes fit together.
fn stacked(layers: &[GateLayer], gates: usize, fed: usize) -> Option<(usize, std::ops::Range<usize>)> {
    let (mut below, mut total) = (fed, 0_usize);
    for layer in layers {
        let hidden = layer.hidden.weight.rows;
        let out = hidden.checked_mul(gates)?;
        let fits = layer.input.weight.rows == below
            && layer.input.weight.cols == out
            && layer.hidden.weight.cols == out
            && layer.input.bias.len() == out
            && layer.hidden.bias.len() == out
            && hidden > 0;
        fits.then_some(())?;
        below = hidden;
        total = total.checked_add(hidden)?;
    }
    (total > 0).then_some((total, total - below..total))
}

/// Every layer's part of a block of stacked states.
fn split<'a>(layers: &'a [GateLayer], state: &'a [f32], n: usize) -> impl Iterator<Item = &'a [f32]> + 'a {
    layers.iter().scan(state, move |rest, layer| {
        let (h, tail) = rest.split_at(layer.hidden.weight.rows * n);
        *rest = tail;
        Some(h)
    })
}

fn add(sum: &mut [f32], other: &[f32]) {
    sum.iter_mut().zip(other).for_each(|(a, b)| *a += b);
}

/// `n` rows from `start` on, feature by feature.
fn gather(matrix: &Matrix, start: usize, n: usize) -> Vec<f32> {
    (0..matrix.cols).flat_map(|col| (start..start + n).map(move |row| matrix.at(row, col))).collect()
}

/// Writes a block back, row by row.
fn scatter(block: &[f32], matrix: &mut Matrix, n: usize, row: impl Fn(usize) -> usize) {
    let cols = matrix.cols;
    for i in 0..n {
        let start = row(i) * cols;
        for (col, to) in matrix.data[start..start + cols].iter_mut().enumerate() {
            *to = block[col * n + i];
        }
    }
}

impl Affine {
    /// The number of parameters.
    pub fn n_parameters(&self) -> usize {
        self.weight.data.len() + self.bias.len()
    }

    /// `x` holds `weight.rows` features of `n` numbers each; so does the result, with `weight.cols`.
    fn forward(&self, x: &[f32], n: usize) -> Vec<f32> {
        let Matrix { rows, cols, data } = &self.weight;
        let mut out = Vec::with_capacity(cols * n);
        for (o, &bias) in self.bias.iter().enumerate() {
            out.resize(out.len() + n, bias);
            let to = &mut out[o * n..(o + 1) * n];
            let mut k = 0;
            // Four features at a time: one load and one store of the sum for eight operations.
            while k + 4 <= *rows {
                let w: [f32; 4] = std::array::from_fn(|j| data[(k + j) * cols + o]);
                let (x0, rest) = x[k * n..(k + 4) * n].split_at(n);
                let (x1, rest) = rest.split_at(n);
                let (x2, x3) = rest.split_at(n);
                for ((((to, a), b), c), d) in to.iter_mut().zip(x0).zip(x1).zip(x2).zip(x3) {
                    *to += w[0] * a + w[1] * b + w[2] * c + w[3] * d;
                }
                k += 4;
            }
            while k < *rows {
                let w = data[k * cols + o];
                to.iter_mut().zip(&x[k * n..(k + 1) * n]).for_each(|(to, a)| *to += w * a);
                k += 1;
            }
        }
        out
    }
}

impl Mlp {
    /// The number of outputs.
    pub fn out_dim(&self) -> Option<usize> {
        self.layers.last().map(|layer| layer.weight.cols)
    }

    /// The number of parameters.
    pub fn n_parameters(&self) -> usize {
        self.layers.iter().map(Affine::n_parameters).sum()
    }

    /// Whether the layers fit each other and an input of `in_dim`; `None` without a layer.
    fn fits(&self, in_dim: usize) -> Option<bool> {
        let mut below = in_dim;
        self.layers.last()?;
        Some(self.layers.iter().all(|layer| {
            let fits = layer.weight.rows == below && layer.weight.cols == layer.bias.len() && layer.weight.cols > 0;
            below = layer.weight.cols;
            fits
        }))
    }

    fn forward(&self, x: &[f32], n: usize) -> Vec<f32> {
        let mut layers = self.layers.iter();
        let mut value = layers.next().map_or_else(Vec::new, |first| first.forward(x, n));
        for layer in layers {
            self.activation.apply_all(&mut value);
            value = layer.forward(&value, n);
        }
        value
    }
}
