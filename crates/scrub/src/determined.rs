//! Whether a site determines the variable that is claimed of it: equal values there must go with equal values of the
//! variable. Donors from the same position cannot tell: a variable that is a function of the position is the same on all of
//! them, whatever the site carries.

use std::collections::{BTreeMap, BTreeSet};

use dsl::Language;
use graph::{Matrix, Network, NodeId};
use samples::{Column, Sort, UNDEFINED, rng};

use crate::{Claim, Error, claim_nodes, evaluate};

/// Sequences that are looked at.
const SEQUENCES: usize = 1_000;
/// Values of a site count as equal where no number differs by more than this share of the largest there.
const EQUAL: f32 = 1e-4;
/// A program's real numbers count as equal where they differ by less: what is computed in another order is the same.
const EXACT: f64 = 1e-9;

/// For every claim about a transformer the share of points at which its site has a value that it also has where the variable
/// is another: 0 where the site determines the variable, as far as the sample shows. A site that in the circuit no attention
/// head reads, nor what reads it, matters to the output at its own place alone: only places whose output counts are looked at.
///
/// # Errors
/// As [`crate::scrub`].
pub fn undetermined(
    network: &Network,
    language: &Language,
    claims: &[Claim],
    circuit: Option<&[(String, String)]>,
    seed: u64,
) -> Result<Vec<f64>, Error> {
    let graph = network.graph(0);
    let nodes = claim_nodes(&graph, claims)?;
    let batch = network.domain.sample(SEQUENCES, &mut rng(seed, "scrub determined"));
    let columns = evaluate(network, language, claims, &batch)?;
    let mut sites = nodes.clone();
    sites.sort_unstable();
    sites.dedup();
    let values = network.activations(&batch, &sites).map_err(crate::pool::failed)?;
    let outputs = network.outputs(&batch).map_err(crate::pool::failed)?;
    let all: Vec<usize> = (0..batch.points().len()).collect();
    let counted = |&point: &usize| outputs.iter().all(|column| column.codes[point] != UNDEFINED);
    let counted: Vec<usize> = all.iter().copied().filter(counted).collect();
    let looked_at = |site: NodeId| if is_read_in_place(circuit, graph.name(site)) { &counted } else { &all };
    let groups: Vec<Vec<usize>> =
        sites.iter().zip(&values).map(|(&site, value)| equal_rows(&value.points.select(looked_at(site)))).collect();
    let of = |(&node, column): (&NodeId, &Column)| {
        let site = sites.binary_search(&node).unwrap_or_default();
        mixed(&groups[site], &told(&column.select(looked_at(node))))
    };
    Ok(nodes.iter().zip(&columns).map(of).collect())
}

/// Whether what a site writes gets to the output through MLPs alone, by a circuit; without one nothing is known.
pub(crate) fn is_read_in_place(circuit: Option<&[(String, String)]>, site: &str) -> bool {
    let Some(edges) = circuit else { return false };
    let (mut pending, mut seen) = (vec![site], BTreeSet::from([site]));
    while let Some(writer) = pending.pop() {
        for (_, reader) in edges.iter().filter(|(from, _)| from == writer) {
            if reader.contains('.') {
                return false;
            }
            if seen.insert(reader) {
                pending.push(reader);
            }
        }
    }
    seen.contains("output")
}

/// What tells a column's values apart: numbers that differ by rounding are the same.
fn told(column: &Column) -> Vec<i64> {
    if column.sort != Sort::Real {
        return column.codes.clone();
    }
    let number = |point: usize| column.value(point).as_f64();
    (0..column.n_points()).map(|point| number(point).map_or(UNDEFINED, |v| (v / EXACT).round() as i64)).collect()
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
    fn sites_that_no_head_reads_are_read_in_place() {
        let edges: Vec<(String, String)> =
            [("embed", "m0"), ("embed", "a1.h0.k"), ("m0", "m1"), ("a1.h0", "m1"), ("m1", "output"), ("m2", "m2")]
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .to_vec();
        let in_place = |site: &str| is_read_in_place(Some(&edges), site);
        assert_eq!(["embed", "m0", "a1.h0", "m1", "m2", "m3"].map(in_place), [false, true, true, true, false, false]);
    }

    #[test]
    fn real_numbers_are_told_apart_beyond_rounding() {
        let column = |values: &[f64]| {
            Column::new(Sort::Real, values.iter().map(|&v| samples::encode_value(samples::Value::Real(v))).collect())
        };
        let codes = told(&column(&[0.1 + 0.2, 0.3, 0.31, f64::NAN]));
        assert_eq!((codes[0] == codes[1], codes[1] == codes[2]), (true, false));
    }

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
