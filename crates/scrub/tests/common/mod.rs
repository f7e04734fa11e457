//! Tensors for hand-built networks.

use graph::{Device, Tensor};
use rand::Rng as _;
use samples::Rng;

/// Numbers in a shape.
pub(crate) fn tensor(data: Vec<f32>, shape: &[usize]) -> Tensor {
    Tensor::from_vec(data, shape, &Device::Cpu).expect("the shape fits")
}

/// Random weights between -1 and 1.
pub(crate) fn random(rng: &mut Rng, shape: &[usize]) -> Tensor {
    tensor((0..shape.iter().product()).map(|_| rng.random_range(-1.0..1.0)).collect(), shape)
}
