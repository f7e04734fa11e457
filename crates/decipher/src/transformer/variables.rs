//! The variables that a transformer carries, as a graph of finite functions: what each component computes from what
//! it reads, in terms of classes instead of directions.

use nalgebra::DVector;
use rustc_hash::FxHashMap;
use samples::Value;

use super::trace::Mat;

/// A variable of the graph; variables come in causal order.
pub(super) type VarId = usize;

/// One variable: a finite set of classes, each with the vector that its writer adds to the stream.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    /// The writer that carries it; `None` for a combination that a reader makes of several variables.
    pub(super) writer: Option<usize>,
    /// Other writers that carry the same variable, with what each of them adds to the stream for every class.
    pub(super) also: Vec<(usize, Mat)>,
    /// How it comes about.
    pub(super) origin: Origin,
    /// `[width, classes]`: each class's contribution, less the mean over the samples.
    pub(super) codes: Mat,
    /// The class at every sample point.
    pub(super) classes: Vec<u32>,
}

/// How a variable comes about.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Origin {
    /// The token; class = place in the alphabet.
    Token,
    /// The index of the element, from 0; class = index.
    Position,
    /// How many keys are selected; class = the number, if `exists` only whether there is one.
    Width {
        /// What selects.
        select: Select,
        /// Whether the head tells no more than empty from not empty.
        exists: bool,
    },
    /// The value that the selected keys share; one more class where none is selected.
    Copy {
        /// What selects.
        select: Select,
        /// The variable whose class is copied.
        value: VarId,
    },
    /// The mean over the selected keys of a number that belongs to each class of `value`; 0 where none is selected.
    Mean {
        /// What selects.
        select: Select,
        /// The variable that is averaged.
        value: VarId,
        /// The number of each class of `value`.
        numbers: Vec<f64>,
        /// The number of each class of this variable.
        means: Vec<f64>,
    },
    /// A finite function of other variables.
    Map {
        /// The arguments.
        inputs: Vec<VarId>,
        /// The class for each tuple of the arguments' classes.
        table: FxHashMap<Vec<u32>, u32>,
    },
}

/// Which keys a query selects, in terms of classes.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Select {
    /// The variable at the key; `None` if all keys are alike.
    pub(super) key: Option<VarId>,
    /// The variable at the query; `None` if all queries are alike.
    pub(super) query: Option<VarId>,
    /// Whether a query of class `q` selects a key of class `k`: `table[q][k]`.
    pub(super) table: Vec<Vec<bool>>,
    /// Whether only keys up to the query are seen.
    pub(super) causal: bool,
}

impl Origin {
    /// Whether the two are the same function of the same variables, class by class; means may be in other units.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let in_units = |a: &[f64], b: &[f64]| {
            let largest = |all: &[f64]| all.iter().map(|n| n.abs()).fold(1e-9, f64::max);
            let (unit, top) = (largest(b) / largest(a), largest(b));
            a.len() == b.len() && a.iter().zip(b).all(|(x, y)| (x * unit - y).abs() < 1e-4 * top)
        };
        match (self, other) {
            (
                Self::Mean { select, value, numbers, means },
                Self::Mean { select: other_select, value: other_value, numbers: other_numbers, means: other_means },
            ) => {
                select == other_select
                    && value == other_value
                    && in_units(numbers, other_numbers)
                    && in_units(means, other_means)
            }
            _ => self == other,
        }
    }
}

impl Select {
    /// Whether every key is selected by every query, or none by any.
    pub(super) fn is_plain(&self) -> bool {
        let mut all = self.table.iter().flatten();
        let first = all.next().copied().unwrap_or(false);
        all.all(|&chosen| chosen == first)
    }
}

impl Variable {
    /// The number of classes.
    pub(super) fn n_classes(&self) -> usize {
        self.codes.ncols()
    }

    /// All writers that carry it, in causal order.
    pub(super) fn writers(&self) -> impl Iterator<Item = usize> {
        self.writer.into_iter().chain(self.also.iter().map(|(writer, _)| *writer))
    }

    /// `[width, classes]`: what those of `reads` that carry it add up to.
    pub(super) fn codes_in(&self, reads: &[usize]) -> Mat {
        let mut codes = match self.writer {
            Some(writer) if !reads.contains(&writer) => Mat::zeros(self.codes.nrows(), self.codes.ncols()),
            _ => self.codes.clone(),
        };
        for (_, more) in self.also.iter().filter(|(writer, _)| reads.contains(writer)) {
            codes += more;
        }
        codes
    }

    /// The variables that this one is computed from.
    pub(super) fn parents(&self) -> Vec<VarId> {
        let of = |select: &Select| select.key.into_iter().chain(select.query).collect::<Vec<_>>();
        match &self.origin {
            Origin::Token | Origin::Position => Vec::new(),
            Origin::Width { select, .. } => of(select),
            Origin::Copy { select, value } | Origin::Mean { select, value, .. } => {
                let mut all = of(select);
                all.push(*value);
                all
            }
            Origin::Map { inputs, .. } => inputs.clone(),
        }
    }
}

/// What the network puts out, as a function of variables.
#[derive(Clone, Debug)]
pub(super) struct Readout {
    /// The arguments.
    pub(super) inputs: Vec<VarId>,
    /// The decoded output for each tuple of the arguments' classes.
    pub(super) table: FxHashMap<Vec<u32>, Value>,
}

/// All variables, the output, and where the classes were seen.
#[derive(Clone, Debug)]
pub(super) struct Dag {
    /// In causal order.
    pub(super) variables: Vec<Variable>,
    /// The output.
    pub(super) readout: Readout,
    /// The sequences' ranges of sample points.
    pub(super) sequences: Vec<std::ops::Range<usize>>,
}

impl Dag {
    /// Entries of all the tables that the output depends on.
    pub(super) fn n_entries(&self) -> usize {
        let needed = self.needed();
        let entries = |variable: &Variable| match &variable.origin {
            Origin::Map { table, .. } => table.len(),
            Origin::Token | Origin::Position => 0,
            Origin::Width { select, .. } | Origin::Copy { select, .. } | Origin::Mean { select, .. } => {
                select.table.iter().map(Vec::len).sum()
            }
        };
        let own: usize = self.variables.iter().zip(needed).filter(|(_, needed)| *needed).map(|(v, _)| entries(v)).sum();
        own + self.readout.table.len()
    }

    /// The variables that the output depends on.
    pub(super) fn needed(&self) -> Vec<bool> {
        let mut needed = vec![false; self.variables.len()];
        for &input in &self.readout.inputs {
            needed[input] = true;
        }
        for id in (0..self.variables.len()).rev() {
            if needed[id] {
                for parent in self.variables[id].parents() {
                    needed[parent] = true;
                }
            }
        }
        needed
    }
}

/// Groups equal columns of `codes`, as seen through `view` (rows = what readers read): the group of every column, in
/// order of first appearance, and one column of each group. Columns are equal that differ by less than a share `equal` of
/// the spread.
pub(super) fn cluster(codes: &Mat, view: &Mat, equal: f64) -> (Vec<u32>, Vec<usize>) {
    let seen = view * codes;
    let spread = seen.row_iter().map(|row| row.max() - row.min()).fold(0.0, f64::max);
    let tolerance = (equal * spread).max(1e-6);
    let mut leaders: Vec<usize> = Vec::new();
    // Buckets of the first coordinates keep the search short where there are hundreds of classes.
    let groups = (0..seen.ncols())
        .map(|column| {
            let same = |&leader: &usize| {
                seen.column(leader).iter().zip(seen.column(column).iter()).all(|(a, b)| (a - b).abs() <= tolerance)
            };
            let at = leaders.iter().position(same).unwrap_or_else(|| {
                leaders.push(column);
                leaders.len() - 1
            });
            at as u32
        })
        .collect();
    (groups, leaders)
}

/// Takes the mean over the samples away from the codes.
pub(super) fn centre(codes: &mut Mat, classes: &[u32]) -> DVector<f64> {
    let mut counts = vec![0.0_f64; codes.ncols()];
    for &class in classes {
        counts[class as usize] += 1.0;
    }
    let mut mean = DVector::zeros(codes.nrows());
    for (class, count) in counts.iter().enumerate() {
        mean.axpy(count / classes.len().max(1) as f64, &codes.column(class), 1.0);
    }
    for mut column in codes.column_iter_mut() {
        column -= &mean;
    }
    mean
}

/// Every tuple of classes of the given sizes if there are at most `limit`, else `None`.
pub(super) fn product(sizes: &[usize], limit: usize) -> Option<Vec<Vec<u32>>> {
    let total = sizes.iter().try_fold(1_usize, |total, &size| total.checked_mul(size).filter(|&t| t <= limit))?;
    let mut all = Vec::with_capacity(total);
    for mut index in 0..total {
        let mut tuple = vec![0; sizes.len()];
        for (place, &size) in sizes.iter().enumerate().rev() {
            tuple[place] = (index % size) as u32;
            index /= size;
        }
        all.push(tuple);
    }
    Some(all)
}

/// The distinct tuples of classes that the samples show, in order of first appearance.
pub(super) fn observed(columns: &[&[u32]], n_points: usize) -> Vec<Vec<u32>> {
    let mut seen = rustc_hash::FxHashSet::default();
    let tuple = |point: usize| columns.iter().map(|column| column[point]).collect::<Vec<u32>>();
    (0..n_points).map(tuple).filter(|tuple| seen.insert(tuple.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_count_in_order() {
        assert_eq!(product(&[2, 2], 4).expect("small"), [[0, 0], [0, 1], [1, 0], [1, 1]]);
        assert_eq!(product(&[2, 3], 5), None);
    }

    #[test]
    fn clusters_see_what_the_view_sees() {
        let codes = Mat::from_row_slice(2, 3, &[0.0, 1.0, 0.0, 5.0, 5.0, 9.0]);
        assert_eq!(cluster(&codes, &Mat::from_row_slice(1, 2, &[1.0, 0.0]), 1e-3).0, [0, 1, 0]);
        assert_eq!(cluster(&codes, &Mat::identity(2, 2), 1e-3).0, [0, 1, 2]);
    }
}
