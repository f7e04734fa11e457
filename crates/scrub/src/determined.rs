//! Whether a site determines the variable that is claimed of it: equal values there must go with equal values of the
//! variable. Donors from the same position cannot tell: a variable that is a function of the position is the same on all of
//! them, whatever the site carries.

use std::collections::BTreeMap;

use dsl::Language;
use graph::{Matrix, Network};
use samples::{Column, rng};

use crate::{Claim, Error, claim_nodes, evaluate};

/// Sequences that are looked at.
const SEQUENCES: usize = 1_000;
/// Values of a site count as equal where no number differs by more than this share of the largest there.
const EQUAL: f32 = 1e-4;

/// For every claim about a transformer the share of points at which its site has a value that it also has where the variable
/// is another: 0 where the site determines the variable, as far as the sample shows.
///
/// # Errors
/// As [`crate::scrub`].
pub fn undetermined(network: &Network, language: &Language, claims: &[Claim], seed: u64) -> Result<Vec<f64>, Error> {
    let graph = network.graph(0);
    let nodes = claim_nodes(&graph, claims)?;
    let batch = network.domain.sample(SEQUENCES, &mut rng(seed, "scrub determined"));
    let columns = evaluate(network, language, claims, &batch)?;
    let mut sites = nodes.clone();
    sites.sort_unstable();
    sites.dedup();
    let values = network.activations(&batch, &sites).map_err(crate::pool::failed)?;
    let groups: Vec<Vec<usize>> = values.iter().map(|value| equal_rows(&value.points)).collect();
    let of = |(node, column): (&graph::NodeId, &Column)| {
        let site = sites.binary_search(node).unwrap_or_default();
        mixed(&groups[site], &column.codes)
    };
    Ok(nodes.iter().zip(&columns).map(of).collect())
}

/// For every row the number of its group of equal rows.
pub(crate) fn equal_rows(values: &Matrix) -> Vec<usize> {
    let most = values.data.iter().fold(0.0_f32, |most, v| most.max(v.abs())).max(f32::MIN_POSITIVE);
    let mut known: BTreeMap<Vec<i64>, usize> = BTreeMap::new();
    let key = |row: &[f32]| row.iter().map(|v| (v / (EQUAL * most)).round() as i64).collect();
    values
        .iter_rows()
        .map(|row| {
            let next = known.len();
            *known.entry(key(row)).or_insert(next)
        })
        .collect()
}

/// The share of points whose group holds another value too.
pub(crate) fn mixed(groups: &[usize], codes: &[i64]) -> f64 {
    let mut first: BTreeMap<usize, (i64, bool)> = BTreeMap::new();
    for (group, &code) in groups.iter().zip(codes) {
        let (value, mixed) = first.entry(*group).or_insert((code, false));
        *mixed |= *value != code;
    }
    let n = groups.iter().filter(|group| first.get(group).is_some_and(|(_, mixed)| *mixed)).count();
    n as f64 / groups.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_that_is_the_same_for_two_values_determines_neither() {
        let site = Matrix::new(5, 2, vec![1.0, 0.0, 1.0, 1e-6, 0.0, 1.0, 0.0, 1.0, 0.5, 0.5]);
        let groups = equal_rows(&site);
        assert_eq!(groups, [0, 0, 1, 1, 2]);
        let share = |codes: [i64; 5]| mixed(&groups, &codes);
        assert_eq!(share([7, 7, 3, 3, 3]), 0.0);
        assert_eq!(share([7, 8, 3, 3, 1]), 0.4);
    }
}
