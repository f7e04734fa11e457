//! The numerical kernels behind the operations, on CPU tensors of single precision.

use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Storage, Tensor};

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

/// The sum of tensors of one shape, added one after the other; `None` without a tensor.
pub(crate) fn sum(tensors: &[Tensor]) -> Result<Option<Tensor>> {
    let Some((first, rest)) = tensors.split_first() else { return Ok(None) };
    if rest.is_empty() {
        return Ok(Some(first.clone()));
    }
    let mut total: Vec<f32> = Vec::new();
    with_slice(first, |values| total.extend_from_slice(values))?;
    for tensor in rest {
        if tensor.dims() != first.dims() {
            let (lhs, rhs) = (first.shape().clone(), tensor.shape().clone());
            return Err(candle_core::Error::ShapeMismatchBinaryOp { lhs, rhs, op: "sum" }.bt());
        }
        with_slice(tensor, |values| total.iter_mut().zip(values).for_each(|(a, b)| *a += b))?;
    }
    Tensor::from_vec(total, first.shape(), &Device::Cpu).map(Some)
}

/// Looks at the numbers of a tensor.
fn with_slice<R>(tensor: &Tensor, look: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else { candle_core::bail!("a tensor that is not in main memory") };
    let (start, end) =
        layout.contiguous_offsets().ok_or_else(|| candle_core::Error::RequiresContiguous { op: "with-slice" }.bt())?;
    Ok(look(&storage.as_slice::<f32>()?[start..end]))
}

/// A weight matrix without its rows and columns of zeros, where leaving those out saves most of the work. Compiled
/// networks and pruned ones consist mostly of such.
#[derive(Clone, Debug)]
pub(crate) struct Compact {
    /// Rows that are not all zero: inputs that matter.
    rows: Vec<usize>,
    /// Columns that are not all zero: outputs that depend on the input.
    cols: Vec<usize>,
    /// What is left, `[rows, cols]`; `None` where nothing is.
    weight: Option<Tensor>,
}

impl Compact {
    /// The compact form of a weight `[in, out]`, where it saves at least half of the work.
    pub(crate) fn of(weight: &Tensor) -> Option<Self> {
        let (n_rows, n_cols) = weight.dims2().ok()?;
        let mut used = (vec![false; n_rows], vec![false; n_cols]);
        let data = weight.flatten_all().ok()?.to_vec1::<f32>().ok()?;
        for (row, line) in data.chunks(n_cols.max(1)).enumerate() {
            for (col, _) in line.iter().enumerate().filter(|(_, v)| **v != 0.0) {
                used.0[row] = true;
                used.1[col] = true;
            }
        }
        let rows: Vec<usize> = (0..n_rows).filter(|&row| used.0[row]).collect();
        let cols: Vec<usize> = (0..n_cols).filter(|&col| used.1[col]).collect();
        if 2 * rows.len() * cols.len() > n_rows * n_cols {
            return None;
        }
        let left: Vec<f32> = rows
            .iter()
            .flat_map(|row| cols.iter().map(move |col| (row, col)))
            .map(|(row, col)| data[row * n_cols + col])
            .collect();
        let weight = match left.is_empty() {
            true => None,
            false => Some(Tensor::from_vec(left, (rows.len(), cols.len()), &Device::Cpu).ok()?),
        };
        Some(Self { rows, cols, weight })
    }

    /// Whether the product is zero whatever the input.
    pub(crate) fn is_zero(&self) -> bool {
        self.weight.is_none()
    }
}

/// `x weight`: the last dimension of `x` is contracted with the first of `weight` `[in, out]`.
pub(crate) fn multiply(x: &Tensor, weight: &Tensor, compact: Option<&Compact>, sums: Sums) -> Result<Tensor> {
    let mut dims = x.dims().to_vec();
    let inner = dims.pop().unwrap_or(1);
    let n = dims.iter().product::<usize>();
    let out = weight.dim(1)?;
    dims.push(out);
    let Some(Compact { rows, cols, weight: left }) = compact else {
        return product(x, n, inner, weight, sums)?.reshape(dims);
    };
    let mut full = vec![0.0; n * out];
    if let Some(left) = left {
        let product = product(&columns(x, rows)?, n, rows.len(), left, sums)?;
        with_slice(&product, |values| {
            for (to, from) in full.chunks_exact_mut(out).zip(values.chunks_exact(cols.len())) {
                for (&col, &value) in cols.iter().zip(from) {
                    to[col] = value;
                }
            }
        })?;
    }
    Tensor::from_vec(full, dims, &Device::Cpu)
}

/// Multiplications above which the tensor library's product is faster than [`times`]: it asks the operating system for
/// the number of processors on every call.
const LARGE: usize = 1 << 19;

/// In which precision the sums of large products are kept; those of small ones always in double precision.
///
/// Compiled networks add and subtract steep ramps whose difference is what counts: in single precision errors of a
/// thousandth come out. Where every layer is normalised nothing is that steep, and single precision is faster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sums {
    Single,
    Double,
}

/// `[n, inner] weight`, for an `x` of these many numbers in any shape.
fn product(x: &Tensor, n: usize, inner: usize, weight: &Tensor, sums: Sums) -> Result<Tensor> {
    let out = weight.dim(1)?;
    if n * inner * out > LARGE {
        let x = x.reshape((n, inner))?;
        return match sums {
            Sums::Single => x.matmul(weight),
            Sums::Double => x.to_dtype(DType::F64)?.matmul(&weight.to_dtype(DType::F64)?)?.to_dtype(DType::F32),
        };
    }
    let mut total = vec![0.0; n * out];
    with_slice(weight, |w| with_slice(x, |x| times(x, inner, w, out, &mut total)))??;
    Tensor::from_vec(total, (n, out), &Device::Cpu)
}

/// Writes the product of `x` `[_, inner]` and `w` `[inner, out]` to `product` `[_, out]`; sums in double precision.
fn times(x: &[f32], inner: usize, w: &[f32], out: usize, product: &mut [f32]) {
    if inner == 0 || out == 0 {
        return;
    }
    let mut sums = vec![0.0_f64; out];
    for (to, row) in product.chunks_exact_mut(out).zip(x.chunks_exact(inner)) {
        sums.fill(0.0);
        let (fours, rest) = row.as_chunks::<4>();
        let (w_fours, w_rest) = w.split_at(fours.len() * 4 * out);
        // Four rows of weights at a time: one load and one store of the sum for eight operations.
        for (four, w) in fours.iter().zip(w_fours.chunks_exact(4 * out)) {
            if *four == [0.0; 4] {
                continue;
            }
            let [a, b, c, d] = four.map(f64::from);
            let (w_a, w) = w.split_at(out);
            let (w_b, w) = w.split_at(out);
            let (w_c, w_d) = w.split_at(out);
            for ((((to, wa), wb), wc), wd) in sums.iter_mut().zip(w_a).zip(w_b).zip(w_c).zip(w_d) {
                *to += a * f64::from(*wa) + b * f64::from(*wb) + c * f64::from(*wc) + d * f64::from(*wd);
            }
        }
        for (a, w) in rest.iter().zip(w_rest.chunks_exact(out)) {
            sums.iter_mut().zip(w).for_each(|(to, w)| *to += f64::from(*a) * f64::from(*w));
        }
        to.iter_mut().zip(&sums).for_each(|(to, sum)| *to = *sum as f32);
    }
}

/// `pattern v`, sequence by sequence, for `[N, T, T]` and `[N, T, d]`.
fn weigh(pattern: &Tensor, v: &Tensor) -> Result<Tensor> {
    let (n, length, width) = v.dims3()?;
    if length * length * width > LARGE {
        return pattern.matmul(v);
    }
    let mut total = vec![0.0; n * length * width];
    with_slice(pattern, |pattern| {
        with_slice(v, |v| {
            let patterns = pattern.chunks_exact((length * length).max(1));
            let size = (length * width).max(1);
            for ((to, pattern), v) in total.chunks_exact_mut(size).zip(patterns).zip(v.chunks_exact(size)) {
                times(pattern, length, v, width, to);
            }
        })
    })??;
    Tensor::from_vec(total, (n, length, width), &Device::Cpu)
}

/// The inner product, in four interleaved sums of double precision that become vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f64; 4];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    for (a, b) in a.iter().zip(b) {
        for i in 0..4 {
            sums[i] += f64::from(a[i]) * f64::from(b[i]);
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    (sums.iter().sum::<f64>() + rest) as f32
}

/// Some of the columns (last dimension) of a tensor.
fn columns(x: &Tensor, chosen: &[usize]) -> Result<Tensor> {
    let mut dims = x.dims().to_vec();
    let width = dims.pop().unwrap_or(1).max(1);
    dims.push(chosen.len());
    let mut picked = Vec::with_capacity(dims.iter().product());
    with_slice(x, |values| {
        for row in values.chunks_exact(width) {
            picked.extend(chosen.iter().map(|&col| row[col]));
        }
    })?;
    Tensor::from_vec(picked, dims, &Device::Cpu)
}

/// `pattern v w_o`, for `[N, T, T]`, `[N, T, d_head]` and `[d_head, d_model]`.
pub(crate) fn mix(pattern: &Tensor, v: &Tensor, w_o: &Tensor, compact: Option<&Compact>, sums: Sums) -> Result<Tensor> {
    let pattern = pattern.contiguous()?;
    match compact {
        Some(Compact { rows, cols, weight: Some(left) }) => {
            let mixed = weigh(&pattern, &columns(v, rows)?)?;
            let (all, cols) = ((0..rows.len()).collect(), cols.clone());
            let compact = Compact { rows: all, cols, weight: Some(left.clone()) };
            multiply(&mixed, w_o, Some(&compact), sums)
        }
        _ => multiply(&weigh(&pattern, &v.contiguous()?)?, w_o, compact, sums),
    }
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
    let (n, length, width) = q.dims3()?;
    if k.dims() != q.dims() {
        let (lhs, rhs) = (q.shape().clone(), k.shape().clone());
        return Err(candle_core::Error::ShapeMismatchBinaryOp { lhs, rhs, op: "attention" }.bt());
    }
    let visible = |query: usize| if causal { query + 1 } else { length };
    if length * length * width > LARGE {
        let logits = q.contiguous()?.matmul(&k.transpose(1, 2)?.contiguous()?)?;
        return map_rows(&logits, |index, row| {
            let (seen, hidden) = row.split_at_mut(visible(index % length));
            hidden.fill(0.0);
            softmax(seen, scale);
        });
    }
    let mut patterns = vec![0.0; n * length * length];
    with_slice(q, |q| {
        with_slice(k, |k| {
            for (index, row) in patterns.chunks_exact_mut(length.max(1)).enumerate() {
                let (sequence, query) = (index / length, index % length);
                let q = &q[index * width..(index + 1) * width];
                let seen = &mut row[..visible(query)];
                for (key, logit) in seen.iter_mut().enumerate() {
                    let at = sequence * length + key;
                    *logit = dot(q, &k[at * width..(at + 1) * width]);
                }
                softmax(seen, scale);
            }
        })
    })??;
    Tensor::from_vec(patterns, (n, length, length), &Device::Cpu)
}

/// Softmax of logits divided by `scale`.
fn softmax(row: &mut [f32], scale: f32) {
    let mut max = f32::NEG_INFINITY;
    for v in row.iter_mut() {
        *v /= scale;
        max = max.max(*v);
    }
    let mut sum = 0.0_f64;
    for v in row.iter_mut() {
        *v = (*v - max).exp();
        sum += f64::from(*v);
    }
    row.iter_mut().for_each(|v| *v = (f64::from(*v) / sum) as f32);
}
