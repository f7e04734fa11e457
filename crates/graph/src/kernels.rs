//! The numerical kernels behind the operations, on CPU tensors of single precision.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::Norm;

/// A function on every row (last dimension) of a tensor, in one pass.
struct RowMap<F>(F);

impl<F: Fn(usize, &mut [f32]) + Send + Sync> CustomOp1 for RowMap<F> {
    fn name(&self) -> &'static str {
        "row-map"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (start, end) =
            layout.contiguous_offsets().ok_or_else(|| candle_core::Error::RequiresContiguous { op: "row-map" }.bt())?;
        let mut data = storage.as_slice::<f32>()?[start..end].to_vec();
        let width = layout.dims().last().copied().unwrap_or(1).max(1);
        for (index, row) in data.chunks_exact_mut(width).enumerate() {
            (self.0)(index, row);
        }
        Ok((CpuStorage::F32(data), layout.shape().clone()))
    }
}

/// Applies `f(row index, row)` to every row of a tensor.
pub(crate) fn map_rows(tensor: &Tensor, f: impl Fn(usize, &mut [f32]) + Send + Sync) -> Result<Tensor> {
    tensor.contiguous()?.apply_op1_no_bwd(&RowMap(f))
}

/// `x weight`: the last dimension of `x` is contracted with the first of `weight` `[in, out]`.
pub(crate) fn multiply(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let mut dims = x.dims().to_vec();
    let inner = dims.pop().unwrap_or(1);
    let rows = dims.iter().product::<usize>();
    dims.push(weight.dim(1)?);
    x.reshape((rows, inner))?.matmul(weight)?.reshape(dims)
}

/// Layer normalisation of every row; sums in double precision.
pub(crate) fn normalise(x: &Tensor, norm: &Norm) -> Result<Tensor> {
    let (weight, bias) = (norm.weight.to_vec1::<f32>()?, norm.bias.to_vec1::<f32>()?);
    let eps = f64::from(norm.eps);
    map_rows(x, |_, row| {
        let n = row.len() as f64;
        let mean = row.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let variance = row.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        let scale = 1.0 / (variance + eps).sqrt();
        for ((v, w), b) in row.iter_mut().zip(&weight).zip(&bias) {
            *v = ((f64::from(*v) - mean) * scale) as f32 * w + b;
        }
    })
}

/// Attention patterns: softmax over the last dimension of `q k^T / scale`; `q` and `k` are `[N, T, d]`.
pub(crate) fn attention(q: &Tensor, k: &Tensor, scale: f32, causal: bool) -> Result<Tensor> {
    let logits = q.contiguous()?.matmul(&k.transpose(1, 2)?.contiguous()?)?;
    let length = logits.dim(1)?;
    map_rows(&logits, |index, row| {
        let visible = if causal { index % length + 1 } else { row.len() };
        let (seen, hidden) = row.split_at_mut(visible.min(length));
        hidden.fill(0.0);
        softmax(seen, 1.0 / scale);
    })
}

fn softmax(row: &mut [f32], factor: f32) {
    let mut max = f32::NEG_INFINITY;
    for v in row.iter_mut() {
        *v *= factor;
        max = max.max(*v);
    }
    let mut sum = 0.0;
    for v in row.iter_mut() {
        *v = (*v - max).exp();
        sum += *v;
    }
    let inverse = 1.0 / sum;
    row.iter_mut().for_each(|v| *v *= inverse);
}
