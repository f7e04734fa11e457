//! What a node of a computation graph computes, and with which parameters.

use std::sync::Arc;

use candle_core::Tensor;

use crate::{Error, Matrix, Recurrence};

/// A function of single numbers between layers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Activation {
    /// max(x, 0)
    Relu,
    /// Hyperbolic tangent.
    Tanh,
    /// 1 / (1 + exp(-x))
    Sigmoid,
    /// x * sigmoid(x)
    Silu,
    /// The tanh approximation of the Gaussian error linear unit (`gelu_new`, `gelu_pytorch_tanh`).
    GeluTanh,
    /// The Gaussian error linear unit, x * Phi(x).
    Gelu,
}

impl Activation {
    /// The name in files and listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Tanh => "tanh",
            Self::Sigmoid => "sigmoid",
            Self::Silu => "silu",
            Self::GeluTanh => "gelu_new",
            Self::Gelu => "gelu",
        }
    }

    /// The function's value.
    pub fn apply(self, x: f32) -> f32 {
        match self {
            Self::Relu => x.max(0.0),
            Self::Tanh => x.tanh(),
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Self::Silu => x / (1.0 + (-x).exp()),
            Self::GeluTanh => {
                // 0.5 x (1 + tanh(u)) is x sigmoid(2 u), and one exponential is faster than a hyperbolic tangent.
                let factor = 2.0 * (2.0 / std::f32::consts::PI).sqrt();
                x / (1.0 + (-factor * (x + 0.044_715 * x * x * x)).exp())
            }
            Self::Gelu => {
                let x = f64::from(x);
                (0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2))) as f32
            }
        }
    }

    /// Applies the function to every number.
    pub fn apply_all(self, values: &mut [f32]) {
        match self {
            // The branch-free case that the compiler turns into vector instructions.
            Self::Relu => values.iter_mut().for_each(|v| *v = v.max(0.0)),
            _ => values.iter_mut().for_each(|v| *v = self.apply(*v)),
        }
    }
}

/// The error function: Taylor series near zero, else the continued fraction of its complement (Abramowitz and Stegun
/// 7.1.5 and 7.1.14).
fn erf(x: f64) -> f64 {
    let a = x.abs();
    let value = if a < 2.5 {
        let (mut term, mut sum) = (a, a);
        for n in 1..60 {
            let n = f64::from(n);
            term *= -a * a / n;
            sum += term / (2.0 * n + 1.0);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    } else {
        let mut fraction = a;
        for n in (1..=40).rev() {
            fraction = a + f64::from(n) / 2.0 / fraction;
        }
        1.0 - (-a * a).exp() / std::f64::consts::PI.sqrt() / fraction
    };
    value.copysign(x)
}

/// Layer normalisation of what a node reads: (x - mean) / sqrt(variance + eps) * weight + bias.
#[derive(Clone, Debug)]
pub struct Norm {
    /// `[d_model]`
    pub weight: Tensor,
    /// `[d_model]`
    pub bias: Tensor,
    /// Added to the variance.
    pub eps: f32,
}

/// What a node computes. Shapes are those of one batch of N inputs, T positions each (BOS included).
///
/// A slot that several nodes write into reads their sum: see [`crate::Graph::slots`].
#[derive(Clone, Debug)]
pub enum Op {
    /// Token ids `[N, T]`, from the input.
    Tokens,
    /// Position ids `[N, T]`, from the input.
    Positions,
    /// Rows of a table `[n, width]`, one per id: `[N, T, width]`.
    Lookup {
        /// `[n, width]`
        table: Tensor,
    },
    /// `norm(x) weight + bias`: `[N, T, out]`.
    Linear {
        /// `[in, out]`
        weight: Tensor,
        /// `[out]`
        bias: Option<Tensor>,
        /// Applied to what is read.
        norm: Option<Arc<Norm>>,
    },
    /// Slots q and k; softmax over the keys of `q k^T / scale`: `[N, T, T]`, row = query.
    Pattern {
        /// The divisor of the attention logits.
        scale: f32,
        /// Whether a query sees only keys at its own position and before.
        causal: bool,
    },
    /// Slots pattern and v; `pattern v w_o`: `[N, T, d_model]`.
    Mix {
        /// `[d_head, d_model]`
        w_o: Tensor,
    },
    /// `activation(norm(x) weight + bias)`: `[N, T, d_mlp]`.
    Hidden {
        /// `[in, d_mlp]`
        weight: Tensor,
        /// `[d_mlp]`
        bias: Option<Tensor>,
        /// Applied to the sum.
        activation: Activation,
        /// Applied to what is read.
        norm: Option<Arc<Norm>>,
    },
    /// The same vector everywhere: `[N, T, d_model]`.
    Constant {
        /// `[d_model]`
        vector: Tensor,
    },
    /// The input element at one step of a recurrent network, as numbers: `[N, dim]`.
    Input {
        /// Counted from 0.
        step: usize,
    },
    /// Slots previous state and input element; the state after one step `[N, state_dim]`. The slot of the previous
    /// state is empty at the first step: the state is zero.
    Cell(Arc<Recurrence>),
    /// The output of a recurrent network read from a state: `[N, n_outputs]`.
    Readout(Arc<Recurrence>),
}

impl Op {
    /// The name of the kind of operation.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Positions => "positions",
            Self::Lookup { .. } => "lookup",
            Self::Linear { .. } => "linear",
            Self::Pattern { .. } => "pattern",
            Self::Mix { .. } => "mix",
            Self::Hidden { .. } => "hidden",
            Self::Constant { .. } => "constant",
            Self::Input { .. } => "input",
            Self::Cell(_) => "cell",
            Self::Readout(_) => "readout",
        }
    }

    /// Parameters by name, in a fixed order. A recurrent network's parameters belong to its [`Recurrence`].
    pub fn parameters(&self) -> Vec<(&'static str, &Tensor)> {
        fn normed<'a>(
            weight: &'a Tensor,
            bias: &'a Option<Tensor>,
            norm: &'a Option<Arc<Norm>>,
        ) -> Vec<(&'static str, &'a Tensor)> {
            let mut all = vec![("weight", weight)];
            all.extend(bias.as_ref().map(|bias| ("bias", bias)));
            all.extend(norm.iter().flat_map(|norm| [("norm.weight", &norm.weight), ("norm.bias", &norm.bias)]));
            all
        }
        match self {
            Self::Lookup { table } => vec![("table", table)],
            Self::Linear { weight, bias, norm } | Self::Hidden { weight, bias, norm, .. } => normed(weight, bias, norm),
            Self::Mix { w_o } => vec![("w_o", w_o)],
            Self::Constant { vector } => vec![("vector", vector)],
            _ => Vec::new(),
        }
    }

    /// A parameter as a plain matrix (a vector is one row); `None` where the operation has no such parameter.
    ///
    /// # Errors
    /// If the parameter's numbers cannot be read.
    pub fn matrix(&self, parameter: &str) -> Result<Option<Matrix>, Error> {
        let found = self.parameters().into_iter().find(|(name, _)| *name == parameter);
        found.map(|(_, tensor)| Matrix::from_tensor(tensor)).transpose()
    }

    /// The normalisation of what is read, if any.
    pub fn norm(&self) -> Option<&Arc<Norm>> {
        match self {
            Self::Linear { norm, .. } | Self::Hidden { norm, .. } => norm.as_ref(),
            _ => None,
        }
    }

    /// The number of parameters, those of a normalisation included (every reader counts its own).
    pub fn n_parameters(&self) -> usize {
        match self {
            Self::Cell(recurrence) => recurrence.cell_parameters(),
            Self::Readout(recurrence) => recurrence.readout_parameters(),
            _ => self.parameters().iter().map(|(_, tensor)| tensor.elem_count()).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erf_matches_known_values() {
        for (x, y) in
            [(0.0, 0.0), (0.5, 0.520_499_877_8), (1.0, 0.842_700_792_9), (2.4, 0.999_311_486_1), (3.0, 0.999_977_909_5)]
        {
            assert!((erf(x) - y).abs() < 1e-9, "{x}");
            assert!((erf(-x) + y).abs() < 1e-9, "-{x}");
        }
    }
}
