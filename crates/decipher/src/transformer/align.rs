//! Which component carries which variable, tested on inputs that played no part in reading it.
//!
//! The test is that the component determines the variable: the nearest neighbour, among fitting samples, of its output
//! on a held-out sample has the variable's value there. The network runs as it is, neither hardened nor stepped.

use dsl::{Env, Term};
use graph::Network;
use rand::Rng as _;
use samples::{Batch, rng};

use super::Reading;
use super::program::Part;
use super::trace::{Layout, Mat, run};
use super::wiring::Part as Component;
use crate::{Aligned, Config, Error};

/// Sequences that the read-out is fitted on, and as many to score it.
const SEQUENCES: usize = 300;

/// Dimensions that distances are measured in; components of more are projected at random.
const DIMENSIONS: usize = 24;

/// The samples and, per component, the nearest fitting point of every held-out point.
pub(super) struct Neighbours {
    fit: Batch,
    held_out: Batch,
    /// Per writer; empty for those that carry nothing.
    nearest: Vec<Vec<usize>>,
}

impl Neighbours {
    /// Runs the network and finds the neighbours.
    pub(super) fn of(reading: &Reading, network: &Network, config: &Config) -> Self {
        let domain = &network.domain;
        let fit = domain.sample(SEQUENCES, &mut rng(config.seed, "transformer: alignment fit"));
        let held_out = domain.sample(SEQUENCES, &mut rng(config.seed, "transformer: alignment test"));
        let bos = network.feeding().and_then(|feeding| feeding.bos).map(|bos| bos as usize);
        let mut wiring = reading.wiring.clone();
        for writer in &mut wiring.writers {
            if let Component::Mlp(mlp) = &mut writer.part {
                mlp.steps.clear();
            }
        }
        let mut carries = vec![false; wiring.writers.len()];
        for (variable, needed) in reading.dag.variables.iter().zip(reading.dag.needed()) {
            if needed {
                variable.writers().for_each(|writer| carries[writer] = true);
            }
        }
        let width = wiring.width;
        let mut random = rng(config.seed, "transformer: projection");
        let projection =
            (width > DIMENSIONS).then(|| Mat::from_fn(DIMENSIONS, width, |_, _| random.random_range(-1.0..1.0)));
        let mut values = |batch: &Batch| -> Vec<Mat> {
            let layout = Layout::of(batch, bos);
            let trace = run(&mut wiring, &layout, None, &mut |_, _| {});
            let of = |(value, &carries): (&Mat, &bool)| match (&projection, carries) {
                (_, false) => Mat::zeros(0, 0),
                (Some(projection), true) => projection * value.select_columns(&layout.point_rows),
                (None, true) => value.select_columns(&layout.point_rows),
            };
            trace.values.iter().zip(&carries).map(of).collect()
        };
        let (train, test) = (values(&fit), values(&held_out));
        let nearest = train.iter().zip(&test).map(|(train, test)| nearest(train, test)).collect();
        Self { fit, held_out, nearest }
    }
}

/// The alignment of the parts of a program.
///
/// # Errors
/// If a term cannot be evaluated: a fault of the engine.
pub(super) fn alignment(
    reading: &Reading,
    network: &Network,
    config: &Config,
    neighbours: &Neighbours,
    parts: &[Part],
) -> Result<Vec<Aligned>, Error> {
    let evaluate = |term: &Term, batch: &Batch| {
        let (points, vars) = (batch.points(), network.domain.columns(batch));
        let env = Env { language: config.language, points: &points, vars: &vars, causal: network.is_causal() };
        dsl::eval(term, &env).map_err(|error| Error::Term(error.to_string()))
    };
    let mut aligned: Vec<Aligned> = Vec::new();
    for part in parts {
        let variable = &reading.dag.variables[part.variable];
        if variable.writer.is_none() {
            continue;
        }
        let (known, wanted) = (evaluate(&part.term, &neighbours.fit)?, evaluate(&part.term, &neighbours.held_out)?);
        for writer in variable.writers() {
            let site = &reading.wiring.writers[writer].name;
            if aligned.iter().any(|known| known.site == *site && known.subterm == part.term) {
                continue;
            }
            let pairs = neighbours.nearest[writer].iter().zip(&wanted.codes);
            let good = pairs.filter(|(near, code)| known.codes.get(**near) == Some(code)).count();
            let fit = good as f64 / wanted.codes.len().max(1) as f64;
            // What a reader makes of a variable need not be what the variable's carrier tells apart.
            if part.own || fit >= 0.99 {
                aligned.push(Aligned { subterm: part.term.clone(), site: site.clone(), readout: "partition", fit });
            }
        }
    }
    Ok(aligned)
}

/// The nearest training column of every test column.
fn nearest(train: &Mat, test: &Mat) -> Vec<usize> {
    // One representative per distinct value keeps the search short.
    let scale = train.iter().fold(1e-9_f64, |most, v| most.max(v.abs()));
    let key = |values: &Mat, column: usize| -> Vec<i64> {
        values.column(column).iter().map(|v| (v / scale * 1e4).round() as i64).collect()
    };
    let mut seen = rustc_hash::FxHashSet::default();
    let chosen: Vec<usize> = (0..train.ncols()).filter(|&column| seen.insert(key(train, column))).collect();
    let mut memo: rustc_hash::FxHashMap<Vec<i64>, usize> = rustc_hash::FxHashMap::default();
    (0..test.ncols())
        .map(|column| {
            *memo.entry(key(test, column)).or_insert_with(|| {
                let distance = |&other: &usize| {
                    train
                        .column(other)
                        .iter()
                        .zip(test.column(column).iter())
                        .map(|(a, b)| (a - b) * (a - b))
                        .sum::<f64>()
                };
                let best = chosen.iter().map(|at| (distance(at), *at)).min_by(|a, b| a.0.total_cmp(&b.0));
                best.map_or(usize::MAX, |(_, at)| at)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_the_nearest() {
        let train = Mat::from_row_slice(1, 3, &[0.0, 1.0, 5.0]);
        assert_eq!(nearest(&train, &Mat::from_row_slice(1, 4, &[0.2, 4.0, 0.9, -3.0])), [0, 2, 1, 0]);
    }
}
