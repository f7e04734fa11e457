//! Tests of circuits: some edges of a graph that are claimed to do all the work.
//!
//! Faithfulness and completeness are reported under every way of ablating the other edges, because conclusions swing with
//! that choice. The three tests are those of Shi et al. (2024): is the circuit's score the model's (equivalence), does the
//! rest know nothing of it (independence), does every edge do more than a random one would (minimality).

use graph::{Matrix, Network};
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use samples::{Decode, rng};

use crate::components::{Components, Edge, circuit_name};
use crate::engine::{Ablation, EdgeHypothesis, Scrubber, Treatment};
use crate::statistics::{Losses, holm, pool_losses};
use crate::{Classes, Error, Pool};

/// How much to test.
#[derive(Clone, Copy, Debug)]
pub struct CircuitConfig {
    /// The seed of draws and permutations.
    pub seed: u64,
    /// How far from one half the chance of a higher score may be, in the equivalence test.
    pub epsilon: f64,
    /// The share of reference edges that an edge must do more than, in the minimality test.
    pub quantile: f64,
    /// Reference edges.
    pub references: usize,
    /// Permutations of the independence test.
    pub permutations: usize,
}

impl Default for CircuitConfig {
    fn default() -> Self {
        Self { seed: 0, epsilon: 0.1, quantile: 0.9, references: 100, permutations: 200 }
    }
}

/// What one way of ablating shows.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Ablated {
    /// What stands for the edges that are cut.
    pub ablation: Ablation,
    /// `1 - L(circuit) / L(nothing)`: 1 where the circuit does all. `NaN` where cutting everything changes nothing.
    pub faithfulness: f64,
    /// The same for all other edges: 0 where nothing is missing from the circuit.
    pub complement: f64,
}

/// The results for one circuit.
#[derive(Clone, PartialEq, Debug)]
pub struct CircuitTests {
    /// Faithfulness and completeness under every ablation.
    pub ablations: Vec<Ablated>,
    /// The chance of scores as one-sided as these if the circuit's are as often above the model's as below, within
    /// epsilon. Small: not equivalent. 1 where no score differs.
    pub equivalence: f64,
    /// Sequences whose score differs.
    pub differing: usize,
    /// The chance of as much dependence between the scores of the rest and of the model if there is none. Small: the rest
    /// knows something, and the circuit is incomplete.
    pub independence: f64,
    /// For every edge of the circuit the chance, corrected by Holm for all of them, of so few references below it if it
    /// does more than the quantile of them. Small: the edge is not needed.
    pub minimality: Vec<(Edge, f64)>,
}

impl CircuitTests {
    /// The least and the greatest faithfulness over the ablations.
    pub fn faithfulness(&self) -> (f64, f64) {
        let values = self.ablations.iter().map(|a| a.faithfulness).filter(|v| !v.is_nan());
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)))
    }
}

/// Runs all tests of a circuit.
///
/// # Errors
/// A graph that cannot be run.
pub fn circuit_tests(
    scrubber: &Scrubber<'_>,
    decode: &Decode,
    roles: &Classes,
    circuit: &[Edge],
    config: &CircuitConfig,
) -> Result<CircuitTests, Error> {
    let runner = Runner { scrubber, decode, roles, partner: roles.permute(&mut rng(config.seed, "circuit shuffle")) };
    let all = scrubber.components().edges();
    let rest: Vec<Edge> = all.iter().copied().filter(|edge| !circuit.contains(edge)).collect();
    let mut ablations = Vec::new();
    for ablation in [Ablation::Zero, Ablation::Mean, Ablation::Resample] {
        let loss = |kept: &[Edge]| -> Result<f64, Error> { Ok(runner.loss(&runner.run(kept, ablation, config.seed)?)) };
        let nothing = loss(&[])?;
        let share = |loss: f64| if nothing > 0.0 { 1.0 - loss / nothing } else { f64::NAN };
        ablations.push(Ablated { ablation, faithfulness: share(loss(circuit)?), complement: share(loss(&rest)?) });
    }
    let resampled = |kept: &[Edge]| runner.run(kept, Ablation::Resample, config.seed);
    let (own, of_circuit) = (resampled(all)?, resampled(circuit)?);
    let of_rest = runner.projections(&resampled(&rest)?, config.seed);
    let (equivalence, differing) = equivalence(&runner.scores(&own), &runner.scores(&of_circuit), config.epsilon);
    Ok(CircuitTests {
        ablations,
        equivalence,
        differing,
        independence: independence(&of_rest, &runner.projections(&own, config.seed), config),
        minimality: minimality(&runner, circuit, &rest, config)?,
    })
}

/// The tests of a circuit that is given by names.
#[derive(Clone, PartialEq, Debug)]
pub struct CircuitReport {
    /// What was found.
    pub tests: CircuitTests,
    /// Sequences.
    pub sequences: usize,
    /// Edges of the circuit, and of the graph.
    pub edges: (usize, usize),
    /// Random edges that those of the circuit were held against.
    pub references: usize,
    /// Edges that do no more than most random ones, at 5 % after correction.
    pub unneeded: Vec<(String, String)>,
}

/// Sequences that circuits are tested on.
const SEQUENCES: usize = 128;
/// Multiply-adds that the tests may cost, about, and the least number of reference edges: below some 30 the minimality test
/// can hardly reject.
const BUDGET: f64 = 2e9;
const REFERENCES: usize = 30;

/// Runs all tests of a circuit that is given by the names of its edges.
///
/// # Errors
/// A graph that cannot be run, or whose outputs are the same on all inputs.
pub fn test_circuit(network: &Network, circuit: &[(String, String)], seed: u64) -> Result<CircuitReport, Error> {
    let graph = network.graph(0);
    let components = Components::new(&graph)?;
    let length = check::longest_length(&network.domain);
    let batch = crate::inputs_of_length(network, SEQUENCES, length, seed);
    let pool = Pool::new(network, &graph, &batch, None)?;
    let scrubber = Scrubber::new(&graph, &components, &pool);
    let roles = pool.classes(|point| pool.position(point));
    let name = |edge: &Edge| (graph.name(edge.0).to_owned(), circuit_name(&graph, edge.1).to_owned());
    let named: Vec<Edge> = components.edges().iter().copied().filter(|edge| circuit.contains(&name(edge))).collect();
    let pass = network.n_parameters() as f64 * 2.0 * batch.points().len() as f64;
    let affordable = (BUDGET / pass.max(1.0)) as usize;
    let references = affordable.saturating_sub(named.len()).clamp(REFERENCES, 100);
    let config = CircuitConfig { seed, references, ..CircuitConfig::default() };
    let tests = circuit_tests(&scrubber, &network.domain.decode, &roles, &named, &config)?;
    let unneeded = tests.minimality.iter().filter(|(_, p)| *p <= 0.05).map(|(edge, _)| name(edge)).collect();
    let sequences = pool.counted().iter().filter(|points| !points.is_empty()).count();
    Ok(CircuitReport { tests, sequences, edges: (named.len(), components.edges().len()), references, unneeded })
}

struct Runner<'a> {
    scrubber: &'a Scrubber<'a>,
    decode: &'a Decode,
    roles: &'a Classes,
    partner: Vec<usize>,
}

impl Runner<'_> {
    /// The outputs with some edges exact and all others cut.
    fn run(&self, kept: &[Edge], ablation: Ablation, seed: u64) -> Result<Matrix, Error> {
        let mut hypothesis = EdgeHypothesis { ablation, ..EdgeHypothesis::new(self.roles.clone()) };
        let edges = self.scrubber.components().edges().iter();
        hypothesis.edges = edges.filter(|edge| !kept.contains(edge)).map(|&edge| (edge, Treatment::Cut)).collect();
        self.scrubber.shared_noise(&hypothesis, &mut rng(seed, "circuit draws"))
    }

    fn losses(&self, outputs: &Matrix) -> Vec<Losses> {
        pool_losses(self.decode, self.scrubber.pool(), &self.partner, outputs)
    }

    fn loss(&self, outputs: &Matrix) -> f64 {
        let losses = self.losses(outputs);
        losses.iter().map(|l| l.scrubbed).sum::<f64>() / losses.len().max(1) as f64
    }

    /// For every sequence its outputs seen from a random direction. The margin of the network's own choice will not do to
    /// ask whether the rest knows that choice: it knows it itself.
    fn projections(&self, outputs: &Matrix, seed: u64) -> Vec<f64> {
        use rand::Rng as _;
        let mut rng = rng(seed, "circuit direction");
        let direction: Vec<f64> = (0..outputs.cols).map(|_| rng.random_range(-1.0..1.0)).collect();
        let pool = self.scrubber.pool();
        let seen = |point: &usize| {
            let row = outputs.row(pool.cell(*point));
            row.iter().zip(&direction).map(|(&v, d)| f64::from(v) * d).sum::<f64>()
        };
        let of = |points: &Vec<usize>| points.iter().map(seen).sum::<f64>() / points.len() as f64;
        pool.counted().iter().filter(|points| !points.is_empty()).map(of).collect()
    }

    /// For every sequence how strongly, on average, the outputs say what the network says.
    fn scores(&self, outputs: &Matrix) -> Vec<f64> {
        let pool: &Pool = self.scrubber.pool();
        let score = |point: &usize| margin(self.decode, pool.own(*point), outputs.row(pool.cell(*point)));
        let of = |points: &Vec<usize>| points.iter().map(score).sum::<f64>() / points.len() as f64;
        pool.counted().iter().filter(|points| !points.is_empty()).map(of).collect()
    }
}

/// How far raw outputs say what the network's own say: the margin of its choice; a number itself.
fn margin(decode: &Decode, own: &[f32], got: &[f32]) -> f64 {
    match decode {
        Decode::Round | Decode::Number => got.iter().map(|&v| f64::from(v)).sum(),
        Decode::LegalTokens => {
            own.iter().zip(got).map(|(&a, &b)| f64::from(b) * f64::from(a.signum())).sum::<f64>() / own.len() as f64
        }
        Decode::Argmax(_) | Decode::NextToken => {
            let chosen = (1..own.len()).fold(0, |best, i| if own[i] > own[best] { i } else { best });
            let others = got.iter().enumerate().filter(|(i, _)| *i != chosen).map(|(_, &v)| v);
            f64::from(got[chosen]) - f64::from(others.fold(f32::NEG_INFINITY, f32::max))
        }
    }
}

/// The p-value of the equivalence test, and how many scores differ.
fn equivalence(model: &[f64], circuit: &[f64], epsilon: f64) -> (f64, usize) {
    let differences = model.iter().zip(circuit).map(|(m, c)| c - m).filter(|d| d.abs() > 1e-6);
    let (mut n, mut above) = (0_u64, 0_u64);
    for difference in differences {
        n += 1;
        above += u64::from(difference > 0.0);
    }
    if n == 0 {
        return (1.0, 0);
    }
    let distance = (above as f64 / n as f64 - 0.5).abs();
    let beyond = |j: &u64| (*j as f64 / n as f64 - 0.5).abs() >= distance - 1e-12;
    let p: f64 = (0..=n).filter(beyond).map(|j| binomial(n, j, 0.5 + epsilon)).sum();
    (p.min(1.0), n as usize)
}

/// The chance of `k` successes of `n`.
fn binomial(n: u64, k: u64, p: f64) -> f64 {
    let ln_choose: f64 = (1..=k).map(|i| (((n - k + i) as f64) / i as f64).ln()).sum();
    (ln_choose + k as f64 * p.ln() + (n - k) as f64 * (1.0 - p).ln()).exp()
}

/// Scores that the independence test compares at most: its cost is their square.
const SCORES: usize = 200;

/// The p-value of the independence of two scores: the Hilbert-Schmidt independence criterion with Gaussian kernels, whose
/// widths are the median distances, against permutations.
fn independence(rest: &[f64], model: &[f64], config: &CircuitConfig) -> f64 {
    let n = rest.len().min(model.len()).min(SCORES);
    let (k, l) = (centred(&rest[..n]), centred(&model[..n]));
    let dependence = |order: &[usize]| -> f64 {
        (0..n).map(|i| (0..n).map(|j| k[i * n + j] * l[order[i] * n + order[j]]).sum::<f64>()).sum()
    };
    let mut order: Vec<usize> = (0..n).collect();
    let observed = dependence(&order);
    let mut rng = rng(config.seed, "circuit independence");
    let mut as_much = 1;
    for _ in 0..config.permutations {
        order.shuffle(&mut rng);
        as_much += usize::from(dependence(&order) >= observed - 1e-12);
    }
    as_much as f64 / (config.permutations + 1) as f64
}

/// The doubly centred kernel matrix of some scores.
fn centred(scores: &[f64]) -> Vec<f64> {
    let n = scores.len();
    let mut distances: Vec<f64> =
        (0..n).flat_map(|i| (0..i).map(move |j| (i, j))).map(|(i, j)| (scores[i] - scores[j]).abs()).collect();
    distances.sort_by(f64::total_cmp);
    let width = distances.get(distances.len() / 2).copied().unwrap_or(1.0).max(1e-12);
    let kernel = |i: usize, j: usize| (-((scores[i] - scores[j]) / width).powi(2) / 2.0).exp();
    let mut matrix: Vec<f64> = (0..n * n).map(|at| kernel(at / n, at % n)).collect();
    let means: Vec<f64> = matrix.chunks(n.max(1)).map(|row| row.iter().sum::<f64>() / n as f64).collect();
    let mean = means.iter().sum::<f64>() / n.max(1) as f64;
    for at in 0..n * n {
        matrix[at] += mean - means[at / n] - means[at % n];
    }
    matrix
}

/// For every edge of the circuit, what taking it away does beside what taking away a random edge, added before, does.
fn minimality(
    runner: &Runner<'_>,
    circuit: &[Edge],
    rest: &[Edge],
    config: &CircuitConfig,
) -> Result<Vec<(Edge, f64)>, Error> {
    if rest.is_empty() || circuit.is_empty() {
        return Ok(circuit.iter().map(|&edge| (edge, 1.0)).collect());
    }
    let loss =
        |kept: &[Edge]| -> Result<f64, Error> { Ok(runner.loss(&runner.run(kept, Ablation::Resample, config.seed)?)) };
    let whole = loss(circuit)?;
    let mut rng = rng(config.seed, "circuit references");
    let mut references = Vec::with_capacity(config.references);
    let mut known = std::collections::BTreeMap::new();
    for _ in 0..config.references {
        let Some(&extra) = rest.choose(&mut rng) else { break };
        let change = match known.get(&extra) {
            Some(&change) => change,
            None => (loss(&[circuit, &[extra]].concat())? - whole).abs(),
        };
        known.insert(extra, change);
        references.push(change);
    }
    let n = references.len() as u64;
    let mut p_values = Vec::with_capacity(circuit.len());
    for edge in circuit {
        let without: Vec<Edge> = circuit.iter().copied().filter(|other| other != edge).collect();
        let change = (loss(&without)? - whole).abs();
        let above = references.iter().filter(|&&reference| change > reference).count() as u64;
        p_values.push((0..=above).map(|j| binomial(n, j, config.quantile)).sum::<f64>().min(1.0));
    }
    Ok(circuit.iter().copied().zip(holm(&p_values)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equivalence_follows_the_definition() {
        // 8 of 10 above: |j - 5| >= 3 under a chance of 0.6, summed by hand from the binomial.
        let model = vec![0.0; 10];
        let circuit: Vec<f64> = (0..10).map(|i| if i < 8 { 1.0 } else { -1.0 }).collect();
        let by_hand: f64 = [0, 1, 2, 8, 9, 10].map(|j| binomial(10, j, 0.6)).iter().sum();
        let (p, n) = equivalence(&model, &circuit, 0.1);
        assert!((p - by_hand).abs() < 1e-12 && n == 10);
        assert_eq!(equivalence(&model, &model, 0.1), (1.0, 0));
        assert!(equivalence(&[0.0; 200], &[1.0; 200], 0.1).0 < 1e-6);
        assert!(((0..=10).map(|j| binomial(10, j, 0.3)).sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn dependence_is_seen_where_correlation_is_none() {
        let x: Vec<f64> = (0..80).map(|i| f64::from(i) / 40.0 - 1.0).collect();
        let square: Vec<f64> = x.iter().map(|v| v * v).collect();
        let config = CircuitConfig::default();
        assert!(independence(&square, &x, &config) < 0.01);
        let mut noise = x.clone();
        noise.shuffle(&mut rng(3, "test"));
        assert!(independence(&noise, &x, &config) > 0.05);
    }
}
