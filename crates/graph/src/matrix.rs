//! Plain matrices of single-precision numbers: what leaves this crate.

use candle_core::{DType, Tensor};

use crate::Error;

/// A matrix of `rows` by `cols` numbers, row by row.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Matrix {
    /// The number of rows.
    pub rows: usize,
    /// The number of columns.
    pub cols: usize,
    /// `rows * cols` numbers, row by row.
    pub data: Vec<f32>,
}

impl Matrix {
    /// A matrix of zeros.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self { rows, cols, data: vec![0.0; rows * cols] }
    }

    /// A matrix from its numbers, row by row.
    ///
    /// # Panics
    /// If there are not `rows * cols` numbers.
    pub fn new(rows: usize, cols: usize, data: Vec<f32>) -> Self {
        assert_eq!(data.len(), rows * cols, "a matrix of {rows} by {cols}");
        Self { rows, cols, data }
    }

    /// The row at `index`.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.data[index * self.cols..(index + 1) * self.cols]
    }

    /// The row at `index`, to be changed.
    pub fn row_mut(&mut self, index: usize) -> &mut [f32] {
        &mut self.data[index * self.cols..(index + 1) * self.cols]
    }

    /// All rows in turn.
    pub fn iter_rows(&self) -> impl ExactSizeIterator<Item = &[f32]> + '_ {
        (0..self.rows).map(|index| self.row(index))
    }

    /// The number at a row and a column.
    pub fn at(&self, row: usize, col: usize) -> f32 {
        self.data[row * self.cols + col]
    }

    /// Some of the rows, in the order given.
    pub fn select(&self, rows: &[usize]) -> Self {
        let mut data = Vec::with_capacity(rows.len() * self.cols);
        for &row in rows {
            data.extend_from_slice(self.row(row));
        }
        Self { rows: rows.len(), cols: self.cols, data }
    }

    /// The matrix with rows and columns exchanged.
    pub fn transposed(&self) -> Self {
        let data = (0..self.cols).flat_map(|col| (0..self.rows).map(move |row| self.at(row, col))).collect();
        Self { rows: self.cols, cols: self.rows, data }
    }

    /// The product `self * other`, summed in double precision.
    ///
    /// # Panics
    /// If the inner dimensions differ.
    pub fn times(&self, other: &Self) -> Self {
        assert_eq!(self.cols, other.rows, "inner dimensions of a product");
        let mut data = Vec::with_capacity(self.rows * other.cols);
        let mut sums = vec![0.0_f64; other.cols];
        for row in self.iter_rows() {
            sums.fill(0.0);
            for (&a, line) in row.iter().zip(other.iter_rows()) {
                if a != 0.0 {
                    for (sum, &b) in sums.iter_mut().zip(line) {
                        *sum += f64::from(a) * f64::from(b);
                    }
                }
            }
            data.extend(sums.iter().map(|&sum| sum as f32));
        }
        Self { rows: self.rows, cols: other.cols, data }
    }

    /// A tensor's numbers: the last dimension becomes the columns, all others the rows; a vector is one row.
    ///
    /// # Errors
    /// If the tensor's numbers cannot be read as single precision.
    pub fn from_tensor(tensor: &Tensor) -> Result<Self, Error> {
        let cols = tensor.dims().last().copied().unwrap_or(1);
        let rows = tensor.elem_count().checked_div(cols).unwrap_or(0);
        let data = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        Ok(Self { rows, cols, data })
    }

    /// The tensor `[rows, cols]` of the same numbers.
    ///
    /// # Errors
    /// None in practice; the signature follows the tensor library.
    pub fn to_tensor(&self) -> Result<Tensor, Error> {
        Ok(Tensor::from_slice(&self.data, (self.rows, self.cols), &candle_core::Device::Cpu)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_transposes() {
        let a = Matrix::new(2, 3, vec![1., 2., 3., 4., 5., 6.]);
        let product = a.times(&a.transposed());
        assert_eq!(product, Matrix::new(2, 2, vec![14., 32., 32., 77.]));
        assert_eq!(Matrix::from_tensor(&a.to_tensor().expect("small")).expect("small"), a);
        assert_eq!(a.select(&[1, 1]).data, [4., 5., 6., 4., 5., 6.]);
    }
}
