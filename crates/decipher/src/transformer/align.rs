//! Which component carries which variable, tested on inputs that played no part in reading it.

use dsl::Env;
use graph::Network;
use samples::{Batch, rng};

use super::Reading;
use super::trace::{Layout, Mat, run};
use super::variables::Origin;
use crate::{Aligned, Config, Error};

/// Sequences that the read-out is fitted on, and as many to score it.
const SEQUENCES: usize = 150;

/// The alignment of the variables whose terms are given.
///
/// # Errors
/// If a term cannot be evaluated: a fault of the engine.
pub(super) fn alignment(
    reading: &Reading,
    network: &Network,
    config: &Config,
    parts: &[Option<dsl::Term>],
) -> Result<Vec<Aligned>, Error> {
    let domain = &network.domain;
    let fit = domain.sample(SEQUENCES, &mut rng(config.seed, "transformer: alignment fit"));
    let held_out = domain.sample(SEQUENCES, &mut rng(config.seed, "transformer: alignment test"));
    let bos = network.feeding().and_then(|feeding| feeding.bos).map(|bos| bos as usize);
    let mut wiring = reading.wiring.clone();
    for writer in &mut wiring.writers {
        if let super::wiring::Part::Mlp(mlp) = &mut writer.part {
            mlp.steps.clear();
        }
    }
    let mut values = |batch: &Batch| {
        let layout = Layout::of(batch, bos);
        let trace = run(&mut wiring, &layout, false, &mut |_, _| {});
        trace.values.iter().map(|value| value.select_columns(&layout.point_rows)).collect::<Vec<Mat>>()
    };
    let (train, test) = (values(&fit), values(&held_out));
    let evaluate = |term: &dsl::Term, batch: &Batch| {
        let (points, vars) = (batch.points(), domain.columns(batch));
        let env = Env { language: config.language, points: &points, vars: &vars, causal: network.is_causal() };
        dsl::eval(term, &env).map_err(|error| Error::Term(error.to_string()))
    };
    let mut aligned = Vec::new();
    for (id, variable) in reading.dag.variables.iter().enumerate() {
        let Some(writer) = variable.writer else { continue };
        let natural = match variable.origin {
            Origin::Token => Some(dsl::Term::var("tokens")),
            Origin::Position => Some(dsl::Term::var("indices")),
            _ => None,
        };
        let Some(term) = natural.filter(|_| reading.dag.needed()[id]).or_else(|| parts.get(id).cloned().flatten())
        else {
            continue;
        };
        let (known, wanted) = (evaluate(&term, &fit)?, evaluate(&term, &held_out)?);
        let score = nearest(&train[writer], &known.codes, &test[writer], &wanted.codes);
        aligned.push(Aligned {
            subterm: term,
            site: reading.wiring.writers[writer].name.clone(),
            readout: "partition",
            fit: score,
        });
    }
    Ok(aligned)
}

/// The share of test columns whose nearest training column has the same code.
fn nearest(train: &Mat, known: &[i64], test: &Mat, wanted: &[i64]) -> f64 {
    // One representative per distinct value keeps the search short.
    let scale = train.amax().max(1e-9);
    let key = |values: &Mat, column: usize| -> Vec<i64> {
        values.column(column).iter().map(|v| (v / scale * 1e4).round() as i64).collect()
    };
    let mut seen = rustc_hash::FxHashSet::default();
    let chosen: Vec<usize> = (0..train.ncols()).filter(|&column| seen.insert(key(train, column))).collect();
    let mut memo: rustc_hash::FxHashMap<Vec<i64>, i64> = rustc_hash::FxHashMap::default();
    let good = (0..test.ncols())
        .filter(|&column| {
            let code = *memo.entry(key(test, column)).or_insert_with(|| {
                let distance = |&other: &usize| (train.column(other) - test.column(column)).norm_squared();
                let best = chosen.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
                best.map_or(i64::MAX, |&at| known[at])
            });
            code == wanted[column]
        })
        .count();
    good as f64 / test.ncols().max(1) as f64
}
