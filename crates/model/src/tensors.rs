//! Tensors of a safetensors file, taken by name with the shape that the configuration implies.

use std::collections::BTreeMap;

use graph::{DType, Device, Matrix, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::{File, LoadError};

/// Parameters that are accepted in all.
const PARAMETERS: usize = 1 << 29;
/// Tensors that are accepted in all.
const TENSORS: usize = 1 << 16;

/// The tensors of one file that were not taken yet.
pub(crate) struct Tensors<'a> {
    file: File,
    left: BTreeMap<String, TensorView<'a>>,
    taken: usize,
}

impl<'a> Tensors<'a> {
    pub(crate) fn parse(file: File, bytes: &'a [u8]) -> Result<Self, LoadError> {
        let header = |error: safetensors::SafeTensorError| LoadError::Header { file, message: error.to_string() };
        let parsed = SafeTensors::deserialize(bytes).map_err(header)?;
        if parsed.len() > TENSORS {
            return Err(LoadError::Limit { file, what: "tensors", limit: TENSORS, found: parsed.len() });
        }
        let left: BTreeMap<String, TensorView<'a>> =
            parsed.iter().map(|(name, view)| (name.to_owned(), view)).collect();
        let total = left.values().fold(0_usize, |sum, view| sum.saturating_add(view.shape().iter().product()));
        if total > PARAMETERS {
            return Err(LoadError::Limit { file, what: "parameters", limit: PARAMETERS, found: total });
        }
        Ok(Self { file, left, taken: 0 })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    fn take_view(&mut self, name: &str, shape: &[usize]) -> Result<TensorView<'a>, LoadError> {
        let file = self.file;
        let Some(view) = self.left.remove(name) else {
            let names: Vec<&str> = self.left.keys().take(4).map(String::as_str).collect();
            let more = if self.left.len() > names.len() { ", ..." } else { "" };
            let found = if names.is_empty() { "no other tensor".to_owned() } else { names.join(", ") + more };
            return Err(LoadError::MissingTensor { file, tensor: name.to_owned(), expected: shape.to_vec(), found });
        };
        if view.shape() != shape {
            let (tensor, expected, found) = (name.to_owned(), shape.to_vec(), view.shape().to_vec());
            return Err(LoadError::Shape { file, tensor, expected, found });
        }
        self.taken += shape.iter().product::<usize>();
        Ok(view)
    }

    /// The numbers of a tensor of real numbers.
    pub(crate) fn numbers(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        let file = self.file;
        let view = self.take_view(name, shape)?;
        let through = |dtype| -> Result<Vec<f32>, LoadError> {
            let read = Tensor::from_raw_buffer(view.data(), dtype, shape, &Device::Cpu)
                .and_then(|tensor| tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1());
            read.map_err(|error| LoadError::Graph(error.into()))
        };
        let numbers = match view.dtype() {
            Dtype::F32 => view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
            Dtype::F64 => through(DType::F64)?,
            Dtype::F16 => through(DType::F16)?,
            Dtype::BF16 => through(DType::BF16)?,
            other => {
                let (tensor, found) = (name.to_owned(), format!("{other:?}"));
                return Err(LoadError::Dtype { file, tensor, expected: "F32, F64, F16 or BF16", found });
            }
        };
        match numbers.iter().position(|number| !number.is_finite()) {
            Some(index) => Err(LoadError::NotFinite { file, tensor: name.to_owned(), found: numbers[index], index }),
            None => Ok(numbers),
        }
    }

    /// A tensor of real numbers.
    pub(crate) fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, LoadError> {
        let numbers = self.numbers(name, shape)?;
        tensor(numbers, shape)
    }

    /// A tensor `[rows, cols]` as a matrix.
    pub(crate) fn matrix(&mut self, name: &str, rows: usize, cols: usize) -> Result<Matrix, LoadError> {
        Ok(Matrix::new(rows, cols, self.numbers(name, &[rows, cols])?))
    }

    /// The numbers of a two-dimensional tensor of integers, with its shape.
    pub(crate) fn integers(&mut self, name: &'static str) -> Result<(usize, usize, Vec<i64>), LoadError> {
        let file = self.file;
        let shape = self.left.get(name).map(|view| view.shape().to_vec()).unwrap_or_default();
        let &[rows, cols] = shape.as_slice() else {
            if self.left.contains_key(name) {
                let tensor = name.to_owned();
                return Err(LoadError::Key {
                    file,
                    key: tensor,
                    expected: "two dimensions, [N, T]".to_owned(),
                    found: format!("{shape:?}"),
                    help: None,
                });
            }
            self.take_view(name, &[])?;
            return Ok((0, 0, Vec::new()));
        };
        let view = self.take_view(name, &shape)?;
        let data = view.data();
        let integers = match view.dtype() {
            Dtype::I64 => data.chunks_exact(8).map(|b| i64::from_le_bytes(std::array::from_fn(|i| b[i]))).collect(),
            Dtype::I32 => {
                data.chunks_exact(4).map(|b| i64::from(i32::from_le_bytes(std::array::from_fn(|i| b[i])))).collect()
            }
            Dtype::I16 => data.chunks_exact(2).map(|b| i64::from(i16::from_le_bytes([b[0], b[1]]))).collect(),
            Dtype::U8 | Dtype::BOOL => data.iter().map(|&b| i64::from(b)).collect(),
            other => {
                let (tensor, found) = (name.to_owned(), format!("{other:?}"));
                return Err(LoadError::Dtype { file, tensor, expected: "I64, I32, I16, U8 or BOOL", found });
            }
        };
        Ok((rows, cols, integers))
    }

    /// How many numbers were taken. Fails if a tensor was not, unless `ignored` says that it is known to mean nothing.
    pub(crate) fn finish(self, ignored: impl Fn(&str) -> bool) -> Result<usize, LoadError> {
        match self.left.into_iter().find(|(name, _)| !ignored(name)) {
            Some((tensor, view)) => {
                Err(LoadError::UnexpectedTensor { file: self.file, tensor, found: view.shape().to_vec() })
            }
            None => Ok(self.taken),
        }
    }
}

/// A tensor from its numbers.
pub(crate) fn tensor(numbers: Vec<f32>, shape: &[usize]) -> Result<Tensor, LoadError> {
    Tensor::from_vec(numbers, shape, &Device::Cpu).map_err(|error| LoadError::Graph(error.into()))
}
