//! Observations: which values of some variables went with which value of an output.

use rustc_hash::FxHashMap;
use samples::Symbol;

/// Distinct values of some variables, with the output that most points showed for each.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    /// The variables.
    pub names: Vec<Symbol>,
    /// Per variable, its value in every row.
    pub columns: Vec<Vec<i64>>,
    /// The output in every row.
    pub goal: Vec<i64>,
    /// How many points each row stands for.
    pub weight: Vec<u32>,
    /// The share of points that their row's output covers.
    pub determinism: f64,
}

impl Rows {
    /// Collects points: `values` gives the variables' values, `goal` the output, at each point of `points`.
    pub(crate) fn of(
        names: Vec<Symbol>,
        points: impl Iterator<Item = usize>,
        values: impl Fn(usize) -> Vec<i64>,
        goal: impl Fn(usize) -> i64,
    ) -> Self {
        let mut index: FxHashMap<Vec<i64>, usize> = FxHashMap::default();
        let mut keys: Vec<Vec<i64>> = Vec::new();
        let mut votes: Vec<Vec<(i64, u32)>> = Vec::new();
        for point in points {
            let key = values(point);
            let row = *index.entry(key).or_insert_with_key(|key| {
                keys.push(key.clone());
                votes.push(Vec::new());
                keys.len() - 1
            });
            let value = goal(point);
            match votes[row].iter_mut().find(|(seen, _)| *seen == value) {
                Some((_, n)) => *n += 1,
                None => votes[row].push((value, 1)),
            }
        }
        let winner = |row: &Vec<(i64, u32)>| {
            row.iter().copied().max_by_key(|&(value, n)| (n, std::cmp::Reverse(value))).unwrap_or((0, 0))
        };
        let winners: Vec<(i64, u32)> = votes.iter().map(winner).collect();
        let weight: Vec<u32> = votes.iter().map(|row| row.iter().map(|(_, n)| n).sum()).collect();
        let total: u64 = weight.iter().map(|&w| u64::from(w)).sum();
        let covered: u64 = winners.iter().map(|&(_, n)| u64::from(n)).sum();
        Self {
            columns: (0..names.len()).map(|i| keys.iter().map(|key| key[i]).collect()).collect(),
            names,
            goal: winners.iter().map(|&(value, _)| value).collect(),
            weight,
            determinism: if total == 0 { 0.0 } else { covered as f64 / total as f64 },
        }
    }

    /// The number of rows.
    pub(crate) fn len(&self) -> usize {
        self.goal.len()
    }

    /// The number of points.
    pub(crate) fn n_points(&self) -> u64 {
        self.weight.iter().map(|&w| u64::from(w)).sum()
    }

    /// Points per row: where it is near 1, that the rows determine the output says nothing.
    pub(crate) fn collisions(&self) -> f64 {
        self.n_points() as f64 / self.len().max(1) as f64
    }

    /// Some of the rows.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        Self {
            names: self.names.clone(),
            columns: self.columns.iter().map(|column| rows.iter().map(|&r| column[r]).collect()).collect(),
            goal: rows.iter().map(|&r| self.goal[r]).collect(),
            weight: rows.iter().map(|&r| self.weight[r]).collect(),
            determinism: self.determinism,
        }
    }

    /// The same rows with another goal.
    pub(crate) fn with_goal(&self, goal: Vec<i64>) -> Self {
        Self { goal, ..self.clone() }
    }

    /// The distinct outputs, ascending.
    pub(crate) fn values(&self) -> Vec<i64> {
        let mut values = self.goal.clone();
        values.sort_unstable();
        values.dedup();
        values
    }

    /// The share of points whose output a column of values gives.
    pub(crate) fn agreement(&self, codes: &[i64]) -> f64 {
        let right: u64 = codes
            .iter()
            .zip(&self.goal)
            .zip(&self.weight)
            .filter(|((code, goal), _)| code == goal)
            .map(|(_, &weight)| u64::from(weight))
            .sum();
        right as f64 / self.n_points().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_majority_decides_a_row() {
        let xs = [1, 1, 1, 2];
        let ys = [5, 5, 6, 7];
        let rows = Rows::of(vec![Symbol::new("x")], 0..4, |p| vec![xs[p]], |p| ys[p]);
        assert_eq!((rows.goal.clone(), rows.weight.clone()), (vec![5, 7], vec![3, 1]));
        assert_eq!(rows.determinism, 0.75);
        assert_eq!(rows.agreement(&[5, 0]), 0.75);
    }
}
