//! The graph of variables evaluated on inputs, in classes alone: what combinations occur, on many inputs, cheaply.

use rustc_hash::FxHashMap;
use samples::{Batch, Domain};

use super::variables::{Dag, Origin, Select, VarId};

/// The class of a point where the graph does not say: a combination of classes that no table lists.
pub(super) const UNKNOWN: u32 = u32::MAX;

/// The classes of every variable at the points of a batch; empty for variables that the output does not need.
pub(super) struct Classes {
    /// Per variable, one class per point.
    pub(super) of: Vec<Vec<u32>>,
    /// Ranges of the points of each sequence.
    pub(super) sequences: Vec<std::ops::Range<usize>>,
    /// The number of points.
    pub(super) n_points: usize,
}

impl Classes {
    /// Evaluates the graph.
    pub(super) fn of(dag: &Dag, domain: &Domain, batch: &Batch) -> Self {
        let points = batch.points();
        let sequences: Vec<std::ops::Range<usize>> = points.ranges().collect();
        let mut all = Self { of: Vec::with_capacity(dag.variables.len()), sequences, n_points: points.len() };
        let needed = dag.needed();
        for (id, variable) in dag.variables.iter().enumerate() {
            let classes = match &variable.origin {
                _ if !needed[id] => Vec::new(),
                Origin::Token => tokens(domain, batch),
                Origin::Position => all.sequences.iter().flat_map(|range| 0..range.len() as u32).collect(),
                Origin::Width { select, exists } => {
                    let most = if *exists { 1 } else { variable.n_classes() - 1 };
                    all.per_query(select, |keys| keys.count().min(most) as u32)
                }
                Origin::Copy { select, value } => {
                    let (none, of) = ((variable.n_classes() - 1) as u32, &all.of[*value]);
                    all.per_query(select, |keys| keys.map(|key| of[key]).last().unwrap_or(none))
                }
                Origin::Mean { select, value, numbers, means } => {
                    let of = &all.of[*value];
                    all.per_query(select, |keys| {
                        let (mut sum, mut n) = (0.0, 0.0);
                        for key in keys {
                            sum += numbers.get(of[key] as usize).copied().unwrap_or(0.0);
                            n += 1.0;
                        }
                        let mean = if n > 0.0 { sum / n } else { 0.0 };
                        let at = means.partition_point(|&m| m < mean - 1e-9);
                        if means.get(at).is_some_and(|&m| (m - mean).abs() < 1e-8) { at as u32 } else { UNKNOWN }
                    })
                }
                Origin::Map { inputs, table } => all.mapped(inputs, table),
            };
            all.of.push(classes);
        }
        all
    }

    /// The classes of several variables at a point; `None` where one is unknown.
    pub(super) fn tuple(&self, variables: &[VarId], point: usize) -> Option<Vec<u32>> {
        let tuple: Vec<u32> = variables.iter().map(|&id| self.of[id][point]).collect();
        (!tuple.contains(&UNKNOWN)).then_some(tuple)
    }

    fn mapped(&self, inputs: &[VarId], table: &FxHashMap<Vec<u32>, u32>) -> Vec<u32> {
        let mut tuple = vec![0; inputs.len()];
        (0..self.n_points)
            .map(|point| {
                for (place, &id) in inputs.iter().enumerate() {
                    tuple[place] = self.of[id][point];
                }
                table.get(&tuple).copied().unwrap_or(UNKNOWN)
            })
            .collect()
    }

    fn per_query(&self, select: &Select, answer: impl Fn(&mut dyn Iterator<Item = usize>) -> u32) -> Vec<u32> {
        let class = |variable: Option<VarId>, point: usize| variable.map_or(0, |id| self.of[id][point] as usize);
        let mut classes = vec![UNKNOWN; self.n_points];
        for range in &self.sequences {
            for query in range.clone() {
                let Some(row) = select.table.get(class(select.query, query)) else { continue };
                let end = if select.causal { query + 1 } else { range.end };
                let chosen = |&key: &usize| row.get(class(select.key, key)).copied().unwrap_or(false);
                classes[query] = answer(&mut (range.start..end).filter(chosen));
            }
        }
        classes
    }
}

fn tokens(domain: &Domain, batch: &Batch) -> Vec<u32> {
    let place: FxHashMap<i64, u32> =
        domain.alphabet().into_iter().enumerate().map(|(at, id)| (id, at as u32)).collect();
    batch.coordinate(0).into_iter().map(|id| place.get(&id).copied().unwrap_or(UNKNOWN)).collect()
}
