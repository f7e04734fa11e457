//! Which component carries which variable, tested on inputs that played no part in reading it.
//!
//! The test is that the component determines the variable: the nearest neighbour, among fitting samples, of its output
//! on a held-out sample has the variable's value there. Where a component carries several variables, distances are
//! measured in the directions that are the variable's own. Numbers that take many values are read by an affine map
//! instead. The network runs as it is, neither hardened nor stepped.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::rc::Rc;

use dsl::{Env, Node, Term};
use graph::Network;
use rand::Rng as _;
use rustc_hash::FxHashMap;
use samples::{Batch, Column, Partition, rng};
use scrub::{Claim, ScrubConfig};

use super::Reading;
use super::program::Part;
use super::symbolic::Classes;
use super::trace::{Layout, Mat, run};
use super::variables::{VarId, Variable};
use super::wiring::Part as Component;
use crate::{Aligned, Config, Error, Hypothesis, claims};

/// Sequences that the read-out is fitted on, and as many to score it.
const SEQUENCES: usize = 300;

/// Dimensions that distances are measured in; components of more are projected at random.
const DIMENSIONS: usize = 24;

/// Nodes of a program without names whose parts are looked for.
const LARGEST: u64 = 20_000;

/// A share of held-out samples from which a site carries a variable.
const CARRIES: f64 = 0.99;

/// Fitting points of an affine map, and how far its value may be from the number.
pub(crate) const AFFINE_POINTS: usize = 800;
const AFFINE_ERROR: f64 = 5e-3;

/// The samples, the components' outputs there, and the nearest fitting point of every held-out point.
pub(super) struct Neighbours {
    fit: Batch,
    held_out: Batch,
    /// Per writer `[width, points]`; empty for those that carry nothing.
    train: Vec<Mat>,
    test: Vec<Mat>,
    seed: u64,
    nearest: RefCell<Known>,
}

/// The nearest points, by writer, and by variable where the writer carries several.
type Known = FxHashMap<(usize, Option<VarId>), Rc<Vec<usize>>>;

impl Neighbours {
    /// Runs the network on the samples.
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
        let mut values = |batch: &Batch| -> Vec<Mat> {
            let layout = Layout::of(batch, bos);
            let trace = run(&mut wiring, &layout, None, &mut |_, _| {});
            let of = |(value, &carries): (&Mat, &bool)| match carries {
                false => Mat::zeros(0, 0),
                true => value.select_columns(&layout.point_rows),
            };
            trace.values.iter().zip(&carries).map(of).collect()
        };
        let (train, test) = (values(&fit), values(&held_out));
        Self { fit, held_out, train, test, seed: config.seed, nearest: RefCell::default() }
    }

    /// The nearest fitting point of every held-out point, as a variable's carrier tells them apart.
    fn nearest(&self, reading: &Reading, id: VarId, writer: usize) -> Rc<Vec<usize>> {
        let others = others(reading, id, writer);
        let key = (writer, (!others.is_empty()).then_some(id));
        if let Some(known) = self.nearest.borrow().get(&key) {
            return Rc::clone(known);
        }
        let (train, test) = (&self.train[writer], &self.test[writer]);
        let directions = directions(&codes(&reading.dag.variables[id], writer), &others);
        let seen = |values: &Mat| directions.as_ref().map_or_else(|| values.clone(), |own| own.tr_mul(values));
        let (mut train, mut test) = (seen(train), seen(test));
        if train.nrows() > DIMENSIONS {
            let mut random = rng(self.seed, "transformer: projection");
            let projection = Mat::from_fn(DIMENSIONS, train.nrows(), |_, _| random.random_range(-1.0..1.0));
            (train, test) = (&projection * train, &projection * test);
        }
        let found = Rc::new(nearest(&train, &test));
        self.nearest.borrow_mut().insert(key, Rc::clone(&found));
        found
    }

    /// The share of held-out points whose value an affine map of the carrier's output gives; the map is fitted on the
    /// others.
    fn affine(&self, writer: usize, known: &Column, wanted: &Column) -> f64 {
        let numbers =
            |column: &Column| (0..column.n_points()).map(|p| column.value(p).as_f64()).collect::<Option<Vec<_>>>();
        let (Some(known), Some(wanted)) = (numbers(known), numbers(wanted)) else { return 0.0 };
        let with_one =
            |values: &Mat, n: usize| values.columns(0, n.min(values.ncols())).insert_row(values.nrows(), 1.0);
        let input = with_one(&self.train[writer], AFFINE_POINTS);
        let target = Mat::from_row_slice(1, input.ncols(), &known[..input.ncols()]);
        let Ok(inverse) = input.pseudo_inverse(1e-6) else { return 0.0 };
        let got = target * inverse * with_one(&self.test[writer], usize::MAX);
        let good = got.iter().zip(&wanted).filter(|(have, want)| (*have - *want).abs() < AFFINE_ERROR).count();
        good as f64 / wanted.len().max(1) as f64
    }
}

/// What a writer adds to the stream for each class of a variable that it carries.
fn codes(variable: &Variable, writer: usize) -> Mat {
    let other = variable.also.iter().find(|(also, _)| *also == writer);
    other.map_or_else(|| variable.codes.clone(), |(_, codes)| codes.clone())
}

/// The codes of the other variables that a writer carries.
fn others(reading: &Reading, id: VarId, writer: usize) -> Vec<Mat> {
    let variables = reading.dag.variables.iter().zip(reading.dag.needed()).enumerate();
    let here = variables.filter(|(other, (variable, needed))| {
        *other != id && *needed && variable.writers().any(|carrier| carrier == writer)
    });
    here.map(|(_, (variable, _))| codes(variable, writer)).collect()
}

/// The directions of a variable's codes that no other variable of the same writer uses; `None` if the others use some of
/// them, or there are no others.
fn directions(own: &Mat, others: &[Mat]) -> Option<Mat> {
    if others.is_empty() {
        return None;
    }
    let taken = orthonormal(&super::live::stack(&others.iter().map(Mat::transpose).collect::<Vec<_>>()).transpose());
    let rest = own - &taken * taken.tr_mul(own);
    let free = orthonormal(&rest);
    (free.ncols() == orthonormal(own).ncols()).then_some(free)
}

/// An orthonormal basis of the columns.
fn orthonormal(columns: &Mat) -> Mat {
    let svd = columns.clone().svd(true, false);
    let largest = svd.singular_values.iter().copied().fold(0.0, f64::max);
    let kept: Vec<usize> =
        (0..svd.singular_values.len()).filter(|&at| svd.singular_values[at] > 1e-5 * largest.max(1e-9)).collect();
    svd.u.map_or_else(|| Mat::zeros(columns.nrows(), 0), |u| u.select_columns(&kept))
}

/// The alignment of the parts of a program, and of what else carries one of its subterms.
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
    let mut covered = vec![false; reading.dag.variables.len()];
    let mut claim = |id: VarId, term: &Term, own: bool| -> Result<bool, Error> {
        let variable = &reading.dag.variables[id];
        if variable.writer.is_none() {
            return Ok(false);
        }
        let (known, wanted) = (evaluate(term, &neighbours.fit)?, evaluate(term, &neighbours.held_out)?);
        let mut carried = false;
        for writer in variable.writers() {
            let site = &reading.wiring.writers[writer].name;
            if aligned.iter().any(|known| known.site == *site && known.subterm == *term) {
                carried = true;
                continue;
            }
            let nearest = neighbours.nearest(reading, id, writer);
            let good = nearest.iter().zip(&wanted.codes).filter(|(near, code)| known.codes.get(**near) == Some(code));
            let (mut readout, mut fit) = ("partition", good.count() as f64 / wanted.codes.len().max(1) as f64);
            if fit < 1.0 {
                let affine = neighbours.affine(writer, &known, &wanted);
                (readout, fit) = if affine > fit { ("affine", affine) } else { (readout, fit) };
            }
            // What a reader makes of a variable need not be what the variable's carrier tells apart.
            if own || fit >= CARRIES {
                aligned.push(Aligned { subterm: term.clone(), site: site.clone(), readout, fit });
                carried |= fit >= CARRIES;
            }
        }
        Ok(carried)
    };
    for part in parts {
        covered[part.variable] |= claim(part.variable, &part.term, part.own)?;
    }
    // Recodings that the program folds into what reads them carry a subterm of it all the same.
    let classes = Classes::of(&reading.dag, &reading.domain, &neighbours.held_out);
    let needed = reading.dag.needed();
    let mut terms: Vec<(Term, Column)> = Vec::new();
    for id in (0..covered.len()).filter(|&id| needed[id] && !covered[id]) {
        if reading.dag.variables[id].writer.is_none() {
            continue;
        }
        if terms.is_empty() {
            for term in subterms(parts.iter().map(|part| &part.term)) {
                let column = evaluate(&term, &neighbours.held_out);
                terms.extend(column.ok().map(|column| (term, column)));
            }
        }
        let own = &classes.of[id];
        let term = terms.iter().find(|(_, column)| same_partition(own, &column.codes)).map(|(term, _)| term.clone());
        if let Some(term) = term {
            claim(id, &term, false)?;
        }
    }
    Ok(aligned)
}

/// Adds what is claimed of the writers of a circuit of which nothing was: such a one may carry something that the program,
/// which says it in other words or need not say it, has no part for. It is said to carry the parts of the program that it
/// determines, those that tell most apart, as long as scrubbing leaves the behaviour as it is with these claims too.
///
/// # Errors
/// A network that cannot be run.
pub(super) fn complete(network: &Network, config: &Config, hypothesis: &mut Hypothesis) -> Result<(), Error> {
    let Some(circuit) = hypothesis.circuit.clone() else { return Ok(()) };
    let is_claimed = |site: &str| hypothesis.alignment.iter().any(|own| own.site == site && own.fit > 0.0);
    let sites: BTreeSet<&str> =
        circuit.iter().map(|(from, _)| from.as_str()).filter(|site| !is_claimed(site)).collect();
    if sites.is_empty() {
        return Ok(());
    }
    let Some(program) = hypothesis.program.inlined(LARGEST) else { return Ok(()) };
    let terms = subterms([&program]);
    let possible: Vec<Claim> = sites
        .iter()
        .flat_map(|site| terms.iter().map(|term| Claim { subterm: term.clone(), site: (*site).to_owned() }))
        .collect();
    let failed = |error: scrub::Error| Error::Network(error.to_string());
    let shares =
        scrub::undetermined(network, config.language, &possible, Some(&circuit), config.seed).map_err(failed)?;
    let batch = network.domain.sample(SEQUENCES, &mut rng(config.seed, "transformer: alignment test"));
    let (points, vars) = (batch.points(), network.domain.columns(&batch));
    let env = Env { language: config.language, points: &points, vars: &vars, causal: network.is_causal() };
    let mut found: Vec<Aligned> = Vec::new();
    for (of_site, shares) in possible.chunks(terms.len().max(1)).zip(shares.chunks(terms.len().max(1))) {
        let mut determined: Vec<(Partition, &Claim, f64)> = Vec::new();
        for (claim, share) in of_site.iter().zip(shares).filter(|(_, share)| **share <= 1.0 - CARRIES) {
            let column = dsl::eval(&claim.subterm, &env).map_err(|error| Error::Term(error.to_string()))?;
            let partition = Partition::of(&column);
            if partition.n_classes() > 1 {
                determined.push((partition, claim, *share));
            }
        }
        determined.sort_by_key(|(partition, claim, _)| {
            (Reverse(partition.n_classes()), dsl::size(&claim.subterm, config.language))
        });
        let mut joint: Option<Partition> = None;
        for (partition, claim, share) in determined {
            let with = joint.as_ref().map_or_else(|| partition.clone(), |joint| joint.meet(&partition));
            if joint.as_ref().is_none_or(|joint| with.n_classes() > joint.n_classes()) {
                let Claim { subterm, site } = claim.clone();
                found.push(Aligned { subterm, site, readout: "partition", fit: 1.0 - share });
                joint = Some(with);
            }
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    let mut more = hypothesis.clone();
    more.alignment.extend(found);
    let settings = ScrubConfig { seed: config.seed, samples: SEQUENCES, controls: 0, ..ScrubConfig::default() };
    let scrubbed = scrub::scrub(network, config.language, &more.program, &claims(&more), Some(&circuit), &settings);
    if scrubbed.is_ok_and(|scrubbed| scrubbed.interval.0 >= CARRIES) {
        *hypothesis = more;
    }
    Ok(())
}

/// All subterms that vary, smallest first.
fn subterms<'a>(terms: impl IntoIterator<Item = &'a Term>) -> Vec<Term> {
    fn walk(term: &Term, all: &mut Vec<Term>) {
        if matches!(term.node(), Node::Const(_)) || all.contains(term) {
            return;
        }
        match term.node() {
            Node::App(_, args) => args.iter().for_each(|arg| walk(arg, all)),
            Node::Select { key, query, .. } => [key, query].into_iter().for_each(|side| walk(side, all)),
            _ => {}
        }
        all.push(term.clone());
    }
    let mut all = Vec::new();
    terms.into_iter().for_each(|term| walk(term, &mut all));
    all.retain(|term| !matches!(term.node(), Node::Select { .. }));
    all
}

/// Whether equal classes go with equal codes and different ones with different ones.
fn same_partition(classes: &[u32], codes: &[i64]) -> bool {
    let mut code_of: FxHashMap<u32, i64> = FxHashMap::default();
    let mut class_of: FxHashMap<i64, u32> = FxHashMap::default();
    classes.len() == codes.len()
        && classes.iter().zip(codes).all(|(&class, &code)| {
            *code_of.entry(class).or_insert(code) == code && *class_of.entry(code).or_insert(class) == class
        })
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
