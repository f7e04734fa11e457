//! What scrubbing costs: ten variables on two layers of four heads, `d_model` 64, 16 positions; by variant, by samples, by
//! depth and by the number of variables.

use graph::{Activation, Device, Family, Feeding, Graph, Network, Op, Tensor};
use rand::Rng as _;
use samples::{Batch, Decode, Domain, Elements, Rng, Value, rng};
use scrub::{Components, EdgeHypothesis, Pool, Scrubber, Treatment};

const TOKENS: usize = 8;
const POSITIONS: usize = 16;
const WIDTH: usize = 64;

fn main() {
    divan::main();
}

fn random(rng: &mut Rng, shape: &[usize]) -> Tensor {
    let scale = 1.0 / (shape[0] as f32).sqrt();
    let numbers = (0..shape.iter().product()).map(|_| rng.random_range(-scale..scale)).collect();
    Tensor::from_vec(numbers, shape, &Device::Cpu).expect("the shape fits")
}

fn network(layers: usize) -> Network {
    let rng = &mut rng(0, "weights");
    let mut graph = Graph::new();
    let tokens = graph.add("tokens", Op::Tokens, vec![]);
    let positions = graph.add("positions", Op::Positions, vec![]);
    let embed = graph.add("embed", Op::Lookup { table: random(rng, &[TOKENS, WIDTH]) }, vec![vec![tokens]]);
    let place = graph.add("pos_embed", Op::Lookup { table: random(rng, &[POSITIONS, WIDTH]) }, vec![vec![positions]]);
    let mut writers = vec![embed, place];
    for layer in 0..layers {
        let read = writers.clone();
        for head in 0..4 {
            let name = format!("a{layer}.h{head}");
            let [q, k, v] = ["q", "k", "v"].map(|slot| {
                let op = Op::Linear { weight: random(rng, &[WIDTH, 16]), bias: None, norm: None };
                graph.add(format!("{name}.{slot}"), op, vec![read.clone()])
            });
            let op = Op::Pattern { scale: 4.0, causal: true };
            let pattern = graph.add(format!("{name}.pattern"), op, vec![vec![q], vec![k]]);
            let head = graph.add(name, Op::Mix { w_o: random(rng, &[16, WIDTH]) }, vec![vec![pattern], vec![v]]);
            writers.push(head);
        }
        let weight = random(rng, &[WIDTH, 4 * WIDTH]);
        let op = Op::Hidden { weight, bias: None, activation: Activation::Relu, norm: None };
        let post = graph.add(format!("m{layer}.post"), op, vec![writers.clone()]);
        let op = Op::Linear { weight: random(rng, &[4 * WIDTH, WIDTH]), bias: None, norm: None };
        writers.push(graph.add(format!("m{layer}"), op, vec![vec![post]]));
    }
    let op = Op::Linear { weight: random(rng, &[WIDTH, TOKENS]), bias: None, norm: None };
    graph.add("output", op, vec![writers]);
    let vocab: Vec<Value> = (0..TOKENS as i64).map(Value::Int).collect();
    let elements = Elements::Tokens { vocab: vocab.clone(), bos: None, pad: None, distinct: false };
    let domain = Domain { elements, length: (POSITIONS, POSITIONS), decode: Decode::Argmax(vocab), n_outputs: 1 };
    let feeding = Feeding { n_tokens: TOKENS, n_positions: POSITIONS, bos: None };
    Network::transformer(domain, Family::HookedTransformer, graph, feeding).expect("it has an output")
}

/// The last `variables` writers carry one variable each to all that reads them; all other edges between components are cut.
fn scrub(bencher: divan::Bencher<'_, '_>, layers: usize, samples: usize, variables: usize, treeified: bool) {
    let network = network(layers);
    let graph = network.graph(0);
    let components = Components::new(&graph).expect("it has an output");
    let batch: Batch = network.domain.sample_uniform(samples, &mut rng(1, "inputs"));
    let pool = Pool::new(&network, &graph, &batch, None).expect("inputs fit");
    let scrubber = Scrubber::new(&graph, &components, &pool);
    let tokens = batch.coordinate(0);
    let mut hypothesis = EdgeHypothesis::new(pool.classes(|point| pool.position(point)));
    let writers: Vec<_> = components.writers().iter().rev().take(variables).copied().collect();
    for (variable, &writer) in writers.iter().enumerate() {
        hypothesis
            .classes
            .push(pool.classes(|point| (pool.position(point), tokens[point] % (2 + variable as i64 % 4))));
        let edges = components.edges().iter().filter(|edge| edge.0 == writer);
        hypothesis.edges.extend(edges.map(|&edge| (edge, Treatment::Class { variable, joint: false })));
    }
    for &edge in components.edges() {
        hypothesis.edges.entry(edge).or_insert(Treatment::Cut);
    }
    bencher.bench_local(|| {
        let rng = &mut rng(2, "donors");
        match treeified {
            true => scrubber.treeified(&hypothesis, usize::MAX, rng),
            false => scrubber.shared_noise(&hypothesis, rng),
        }
    });
}

#[divan::bench(args = [512, 1024, 2048, 4096], sample_count = 3, sample_size = 1)]
fn shared_noise(bencher: divan::Bencher<'_, '_>, samples: usize) {
    scrub(bencher, 2, samples, 10, false);
}

#[divan::bench(args = [512, 1024, 2048, 4096], sample_count = 3, sample_size = 1)]
fn treeified(bencher: divan::Bencher<'_, '_>, samples: usize) {
    scrub(bencher, 2, samples, 10, true);
}

#[divan::bench(args = [1, 2, 3], sample_count = 3, sample_size = 1)]
fn treeified_by_layers(bencher: divan::Bencher<'_, '_>, layers: usize) {
    scrub(bencher, layers, 128, 5 * layers, true);
}

#[divan::bench(args = [2, 4, 6, 8, 10], sample_count = 3, sample_size = 1)]
fn treeified_by_variables(bencher: divan::Bencher<'_, '_>, variables: usize) {
    scrub(bencher, 2, 1024, variables, true);
}

#[divan::bench(args = [1, 2, 3], sample_count = 3, sample_size = 1)]
fn shared_noise_by_layers(bencher: divan::Bencher<'_, '_>, layers: usize) {
    scrub(bencher, layers, 1024, 5 * layers, false);
}

#[divan::bench(args = [2, 4, 6, 8, 10], sample_count = 3, sample_size = 1)]
fn shared_noise_by_variables(bencher: divan::Bencher<'_, '_>, variables: usize) {
    scrub(bencher, 2, 1024, variables, false);
}
