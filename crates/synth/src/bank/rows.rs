//! Rows of equal length in chunks that never move: what grows to hundreds of megabytes is not copied while it does, and what
//! is allocated is nearly what is used.

/// A power of two below which the items of a chunk stay.
const CHUNK_ITEMS: usize = 1 << 14;

/// A sequence of rows.
#[derive(Debug)]
pub(super) struct Rows<T> {
    /// Items in a row.
    stride: usize,
    /// A chunk holds two to the power of this many rows.
    shift: u32,
    /// All but the first, which grows like any vector, are allocated in full.
    chunks: Vec<Vec<T>>,
    len: usize,
}

impl<T> Rows<T> {
    /// No rows, for rows of some length.
    pub(super) fn new(stride: usize) -> Self {
        let shift = (CHUNK_ITEMS / stride.max(1)).max(1).ilog2();
        Self { stride, shift, chunks: vec![Vec::new()], len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Memory allocated.
    pub(super) fn bytes(&self) -> usize {
        let later = (self.chunks.len() - 1) * (self.stride << self.shift);
        (self.chunks[0].capacity() + later) * size_of::<T>()
    }

    /// Forgets the rows.
    pub(super) fn clear(&mut self) {
        self.chunks.truncate(1);
        self.chunks[0].clear();
        self.len = 0;
    }

    /// Where to append the items of one more row.
    pub(super) fn append(&mut self) -> &mut Vec<T> {
        let chunk = self.len >> self.shift;
        if chunk == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(self.stride << self.shift));
        }
        self.len += 1;
        &mut self.chunks[chunk]
    }

    fn start(&self, row: usize) -> usize {
        (row & ((1 << self.shift) - 1)) * self.stride
    }

    pub(super) fn row(&self, row: usize) -> &[T] {
        let start = self.start(row);
        &self.chunks[row >> self.shift][start..start + self.stride]
    }

    pub(super) fn row_mut(&mut self, row: usize) -> &mut [T] {
        let start = self.start(row);
        &mut self.chunks[row >> self.shift][start..start + self.stride]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_whatever_their_length() {
        for stride in [0, 1, 3, 64, CHUNK_ITEMS, CHUNK_ITEMS + 1] {
            let mut rows = Rows::new(stride);
            let n = if stride < 64 { 2 * CHUNK_ITEMS + 5 } else { 5 * CHUNK_ITEMS / stride + 3 };
            for i in 0..n {
                rows.append().extend((0..stride).map(|k| i * 7 + k));
            }
            assert_eq!(rows.len(), n);
            for i in 0..n {
                assert!(rows.row(i).iter().copied().eq((0..stride).map(|k| i * 7 + k)), "row {i} of {stride}");
            }
            rows.clear();
            assert_eq!(rows.len(), 0);
            rows.append().extend(std::iter::repeat_n(9, stride));
            assert_eq!(rows.row(0), vec![9; stride]);
        }
    }

    #[test]
    fn few_rows_take_little_and_many_nearly_what_they_use() {
        let mut rows = Rows::new(4);
        for i in 0..1_000_000_u32 {
            rows.append().extend([i; 4]);
            let used = rows.len() * 16;
            assert!(rows.bytes() <= 2 * used + 64 && rows.bytes() <= used + (1 << 20), "{} for {used}", rows.bytes());
        }
    }
}
