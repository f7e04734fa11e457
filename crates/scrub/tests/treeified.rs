//! The engine against causal scrubbing written down literally: a recursion over the treeified graph, one draw at a time,
//! in double precision, on networks small enough for it.

mod common;

use std::collections::BTreeMap;

use graph::{Activation, Family, Feeding, Graph, Matrix, Network, NodeId, Op, Tensor};
use rand::Rng as _;
use samples::{Batch, Decode, Domain, Elements, Rng, Value, rng};
use scrub::{Ablation, Components, Edge, EdgeHypothesis, Pool, Scrubber, Treatment};

use common::{random, tensor};

const TOKENS: usize = 4;
const WIDTH: usize = 4;

fn network(graph: Graph) -> Network {
    let vocab = (0..TOKENS as i64).map(Value::Int).collect();
    let elements = Elements::Tokens { vocab, bos: None, pad: None, distinct: false };
    let domain = Domain { elements, length: (3, 3), decode: Decode::Number, n_outputs: 1 };
    let feeding = Feeding { n_tokens: TOKENS, n_positions: 8, bos: None };
    Network::transformer(domain, Family::HookedTransformer, graph, feeding).expect("it has an output")
}

/// Two layers of one head and one MLP each, with random weights.
fn two_layers(seed: u64) -> Graph {
    let rng = &mut rng(seed, "weights");
    let mut graph = Graph::new();
    let tokens = graph.add("tokens", Op::Tokens, vec![]);
    let positions = graph.add("positions", Op::Positions, vec![]);
    let embed = graph.add("embed", Op::Lookup { table: random(rng, &[TOKENS, WIDTH]) }, vec![vec![tokens]]);
    let place = graph.add("pos_embed", Op::Lookup { table: random(rng, &[8, WIDTH]) }, vec![vec![positions]]);
    let mut writers = vec![embed, place];
    for layer in 0..2 {
        let slots: Vec<NodeId> = ["q", "k", "v"]
            .map(|slot| {
                let op = Op::Linear { weight: random(rng, &[WIDTH, 2]), bias: None, norm: None };
                graph.add(format!("a{layer}.h0.{slot}"), op, vec![writers.clone()])
            })
            .to_vec();
        let op = Op::Pattern { scale: 0.5, causal: true };
        let pattern = graph.add(format!("a{layer}.h0.pattern"), op, vec![vec![slots[0]], vec![slots[1]]]);
        let w_o = random(rng, &[2, WIDTH]);
        let head = graph.add(format!("a{layer}.h0"), Op::Mix { w_o }, vec![vec![pattern], vec![slots[2]]]);
        writers.push(head);
        let op = Op::Hidden { weight: random(rng, &[WIDTH, 5]), bias: None, activation: Activation::Relu, norm: None };
        let post = graph.add(format!("m{layer}.post"), op, vec![writers.clone()]);
        let op = Op::Linear { weight: random(rng, &[5, WIDTH]), bias: None, norm: None };
        writers.push(graph.add(format!("m{layer}"), op, vec![vec![post]]));
    }
    let op = Op::Linear { weight: random(rng, &[WIDTH, 1]), bias: None, norm: None };
    graph.add("output", op, vec![writers]);
    graph
}

/// The reference: one draw at a time.
struct Literal<'a> {
    graph: &'a Graph,
    components: &'a Components,
    batch: &'a Batch,
    pool: &'a Pool,
    hypothesis: &'a EdgeHypothesis,
    parameters: BTreeMap<NodeId, Vec<Vec<f64>>>,
}

fn rows(tensor: &Tensor) -> Vec<Vec<f64>> {
    let matrix = Matrix::from_tensor(tensor).expect("numbers");
    matrix.iter_rows().map(|row| row.iter().map(|&v| f64::from(v)).collect()).collect()
}

fn apply(x: &[f64], weight: &[Vec<f64>]) -> Vec<f64> {
    (0..weight[0].len()).map(|col| x.iter().zip(weight).map(|(x, row)| x * row[col]).sum()).collect()
}

impl Literal<'_> {
    fn weight(&self, name: &str) -> &[Vec<f64>] {
        &self.parameters[&self.graph.find(name).expect("a node of that name")]
    }

    /// A writer's value at a point; the clean one where `clean`.
    fn value(&self, writer: NodeId, point: usize, clean: bool, rng: &mut Rng) -> Vec<f64> {
        let name = self.graph.name(writer).to_owned();
        let (row, at) = self.batch.points().locate(point);
        match name.as_str() {
            "embed" => self.weight(&name)[self.batch.sequence(row)[at] as usize].clone(),
            "pos_embed" => self.weight(&name)[at].clone(),
            head if head.starts_with('a') => {
                let slot = |slot: &str, point: usize, rng: &mut Rng| {
                    let name = format!("{head}.{slot}");
                    apply(&self.read(&name, point, clean, rng), self.weight(&name))
                };
                let q = slot("q", point, rng);
                let keys: Vec<Vec<f64>> = (0..=at).map(|s| slot("k", point - at + s, rng)).collect();
                let values: Vec<Vec<f64>> = (0..=at).map(|s| slot("v", point - at + s, rng)).collect();
                let scores: Vec<f64> =
                    keys.iter().map(|k| (k.iter().zip(&q).map(|(a, b)| a * b).sum::<f64>() / 0.5).exp()).collect();
                let total: f64 = scores.iter().sum();
                let mixed: Vec<f64> = (0..values[0].len())
                    .map(|i| scores.iter().zip(&values).map(|(s, v)| s / total * v[i]).sum())
                    .collect();
                apply(&mixed, self.weight(head))
            }
            mlp => {
                let name = format!("{mlp}.post");
                let hidden = apply(&self.read(&name, point, clean, rng), self.weight(&name));
                apply(&hidden.iter().map(|v| v.max(0.0)).collect::<Vec<_>>(), self.weight(mlp))
            }
        }
    }

    fn read(&self, reader: &str, point: usize, clean: bool, rng: &mut Rng) -> Vec<f64> {
        let reader = self.graph.find(reader).expect("a node of that name");
        let mut sum = vec![0.0; WIDTH];
        let pick = |classes: &scrub::Classes, rng: &mut Rng| {
            let peers = classes.peers(self.pool.cell(point));
            peers[rng.random_range(0..peers.len())]
        };
        for &(writer, _) in self.components.edges().iter().filter(|edge| edge.1 == reader) {
            let value = match self.hypothesis.treatment((writer, reader)) {
                _ if clean => self.value(writer, point, true, rng),
                Treatment::Exact => self.value(writer, point, false, rng),
                Treatment::Cut => self.value(writer, pick(&self.hypothesis.roles, rng), true, rng),
                Treatment::Class { variable, .. } => {
                    self.value(writer, pick(&self.hypothesis.classes[variable], rng), false, rng)
                }
            };
            sum.iter_mut().zip(value).for_each(|(sum, v)| *sum += v);
        }
        sum
    }

    fn output(&self, point: usize, clean: bool, rng: &mut Rng) -> f64 {
        apply(&self.read("output", point, clean, rng), self.weight("output"))[0]
    }
}

fn all_inputs() -> Batch {
    let digits = |i: usize| [i % TOKENS, i / TOKENS % TOKENS, i / TOKENS / TOKENS].map(|d| d as i64);
    Batch::from_sequences(1, (0..TOKENS.pow(3)).map(digits))
}

/// Mean and standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt())
}

/// Some hypotheses: some edges cut, some carrying one of two variables, some exact.
fn hypotheses(graph: &Graph, components: &Components, pool: &Pool, batch: &Batch) -> Vec<EdgeHypothesis> {
    let token = |point: usize| {
        let (row, at) = batch.points().locate(point);
        batch.sequence(row)[at]
    };
    let parity = pool.classes(|point| (pool.position(point), token(point) % 2));
    let exact = pool.classes(|point| (pool.position(point), token(point)));
    (0..4)
        .map(|seed| {
            let rng = &mut rng(seed, "hypothesis");
            let mut hypothesis = EdgeHypothesis::new(pool.classes(|point| pool.position(point)));
            hypothesis.classes = vec![parity.clone(), exact.clone()];
            for &edge in components.edges() {
                let late = graph.name(edge.1) == "output" || graph.name(edge.1).contains('1');
                let treatment = match rng.random_range(0..4) {
                    0 if late => Treatment::Cut,
                    1 => Treatment::Exact,
                    other => Treatment::Class { variable: usize::from(other % 2 == 0), joint: false },
                };
                hypothesis.edges.insert(edge, treatment);
            }
            hypothesis
        })
        .collect()
}

#[test]
fn treeified_scrubbing_agrees_with_the_definition() {
    let network = network(two_layers(3));
    let graph = network.graph(0);
    let components = Components::new(&graph).expect("it has an output");
    let batch = all_inputs();
    let pool = Pool::new(&network, &graph, &batch, None).expect("inputs fit");
    let scrubber = Scrubber::new(&graph, &components, &pool);
    let parameters = graph.nodes().filter_map(|node| Some((node, rows(graph.op(node).parameters().first()?.1))));
    let parameters: BTreeMap<NodeId, Vec<Vec<f64>>> = parameters.collect();
    for (index, hypothesis) in hypotheses(&graph, &components, &pool, &batch).iter().enumerate() {
        let literal = Literal {
            graph: &graph,
            components: &components,
            batch: &batch,
            pool: &pool,
            hypothesis,
            parameters: parameters.clone(),
        };
        let mut rng = rng(11, "literal");
        let own: Vec<f64> = (0..pool.points().len()).map(|point| literal.output(point, true, &mut rng)).collect();
        for (point, own) in own.iter().enumerate() {
            assert!((own - f64::from(pool.own(point)[0])).abs() < 1e-4, "the reference is another network");
        }
        // Only the last position, where most is read: the squared change of the output, and the output itself.
        let last: Vec<usize> = (0..batch.n_sequences()).map(|row| 3 * row + 2).collect();
        let (mut expected, mut found) = ([const { Vec::new() }; 2], [const { Vec::new() }; 2]);
        for _ in 0..60 {
            for &point in &last {
                let got = literal.output(point, false, &mut rng);
                expected[0].push((got - own[point]).powi(2));
                expected[1].push(got * own[point]);
            }
        }
        for seed in 0..300 {
            let mut rng = samples::rng(seed, "engine");
            let outputs = scrubber.treeified(hypothesis, 10_000, &mut rng).expect("small enough");
            let of = |f: &dyn Fn(f64, f64) -> f64| {
                let each = last.iter().map(|&point| f(f64::from(outputs.row(pool.cell(point))[0]), own[point]));
                each.sum::<f64>() / last.len() as f64
            };
            found[0].push(of(&|got, own| (got - own).powi(2)));
            found[1].push(of(&|got, own| got * own));
        }
        for (expected, found) in expected.iter().zip(&found) {
            let ((a, a_error), (b, b_error)) = (mean(expected), mean(found));
            assert!(a.abs() > 1e-3, "hypothesis {index} tests nothing");
            let error = a_error.hypot(b_error);
            assert!((a - b).abs() < 4.0 * error, "hypothesis {index}: {a} and {b}, standard error {error}");
            assert!(error < 0.1 * a.abs().max(0.5), "hypothesis {index}: {error} is too coarse to show anything");
        }
    }
}

/// A network whose first MLP copies the token's number; the output reads it once as it is and once negated by the second
/// MLP, beside the token itself.
fn cancelling() -> Graph {
    let mut graph = Graph::new();
    let tokens = graph.add("tokens", Op::Tokens, vec![]);
    let table = tensor(vec![0., 0., 1., 0., 2., 0., 3., 0.], &[TOKENS, 2]);
    let embed = graph.add("embed", Op::Lookup { table }, vec![vec![tokens]]);
    let mut writers = vec![embed];
    for (layer, (read, sign)) in [([1., 0.], 1.), ([0., 1.], -1.)].into_iter().enumerate() {
        let op =
            Op::Hidden { weight: tensor(read.to_vec(), &[2, 1]), bias: None, activation: Activation::Relu, norm: None };
        let post = graph.add(format!("m{layer}.post"), op, vec![writers.clone()]);
        let op = Op::Linear { weight: tensor(vec![0., sign], &[1, 2]), bias: None, norm: None };
        writers.push(graph.add(format!("m{layer}"), op, vec![vec![post]]));
    }
    let op = Op::Linear { weight: tensor(vec![1., 1.], &[2, 1]), bias: None, norm: None };
    graph.add("output", op, vec![writers]);
    graph
}

#[test]
fn shared_noise_cancels_where_independent_draws_do_not() {
    let network = network(cancelling());
    let graph = network.graph(0);
    let components = Components::new(&graph).expect("it has an output");
    let batch = all_inputs();
    let pool = Pool::new(&network, &graph, &batch, None).expect("inputs fit");
    let scrubber = Scrubber::new(&graph, &components, &pool);
    let mut hypothesis = EdgeHypothesis::new(pool.classes(|point| pool.position(point)));
    let edge = |from: &str, to: &str| -> Edge { (graph.find(from).expect("a node"), graph.find(to).expect("a node")) };
    hypothesis.edges.insert(edge("embed", "m0.post"), Treatment::Cut);
    let config = scrub::ScrubConfig::default();
    let recovered = |outputs: Matrix| {
        scrub::effect(&Decode::Number, &pool, &hypothesis.roles, &outputs, &config).expect("it varies").recovered
    };
    let shared = scrubber.shared_noise(&hypothesis, &mut rng(0, "test")).expect("it runs");
    assert!((recovered(shared) - 1.0).abs() < 1e-6);
    let independent = scrubber.treeified(&hypothesis, 100, &mut rng(0, "test")).expect("it runs");
    assert!(recovered(independent) < 0.5, "two draws differ");
}

#[test]
fn what_is_cut_is_replaced_as_the_ablation_says() {
    let network = network(cancelling());
    let graph = network.graph(0);
    let components = Components::new(&graph).expect("it has an output");
    let batch = all_inputs();
    let pool = Pool::new(&network, &graph, &batch, None).expect("inputs fit");
    let scrubber = Scrubber::new(&graph, &components, &pool);
    let mut hypothesis = EdgeHypothesis::new(pool.classes(|point| pool.position(point)));
    hypothesis.edges.insert((graph.find("embed").expect("a node"), components.output()), Treatment::Cut);
    for (ablation, value) in [(Ablation::Zero, 0.0), (Ablation::Mean, 1.5)] {
        hypothesis.ablation = ablation;
        let outputs = scrubber.shared_noise(&hypothesis, &mut rng(0, "test")).expect("it runs");
        assert!(outputs.data.iter().all(|v| (v - value).abs() < 1e-6), "{ablation:?}");
    }
    hypothesis.ablation = Ablation::Resample;
    let outputs = scrubber.shared_noise(&hypothesis, &mut rng(0, "test")).expect("it runs");
    let mut seen: Vec<i64> = outputs.data.iter().map(|v| v.round() as i64).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [0, 1, 2, 3]);
}

#[test]
fn too_many_occurrences_are_refused_before_they_are_run() {
    let network = network(two_layers(1));
    let graph = network.graph(0);
    let components = Components::new(&graph).expect("it has an output");
    let pool = Pool::new(&network, &graph, &all_inputs(), None).expect("inputs fit");
    let scrubber = Scrubber::new(&graph, &components, &pool);
    let mut hypothesis = EdgeHypothesis::new(pool.classes(|point| pool.position(point)));
    hypothesis.classes.push(hypothesis.roles.clone());
    assert_eq!(scrubber.occurrences(&hypothesis), 0.0);
    for &edge in components.edges() {
        hypothesis.edges.insert(edge, Treatment::Class { variable: 0, joint: false });
    }
    // The output once, m1 once, a1 for both of these; m0 and a0 occur more often, but donors come from four versions.
    assert_eq!(scrubber.occurrences(&hypothesis), 1.0 + 1.0 + 2.0 + 4.0 + 4.0);
    assert!(scrubber.treeified(&hypothesis, 10, &mut rng(0, "test")).is_err());
    // Exact edges share their input with the reader: every occurrence is one of its own.
    let cut = components.edges().iter().filter(|edge| graph.name(edge.0).ends_with("embed"));
    hypothesis.edges = cut.map(|&edge| (edge, Treatment::Cut)).collect();
    assert_eq!(scrubber.occurrences(&hypothesis), 1.0 + 1.0 + 2.0 + (2.0 + 6.0) + (2.0 + 6.0 + 8.0));
}
