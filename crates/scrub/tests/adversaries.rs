//! Subnetworks that do a task and mean nothing, and circuits that are too small, too large or right.

mod common;

use graph::{Activation, Family, Feeding, Graph, Matrix, Network, NodeId, Op};
use rand::Rng as _;
use samples::{Batch, Decode, Domain, Elements, Value, rng};
use scrub::{
    CircuitConfig, Components, Edge, EdgeHypothesis, Pool, ScrubConfig, Scrubber, Treatment, Variant, circuit_tests,
};

use common::{random, tensor};

const TOKENS: usize = 16;
const UNITS: usize = 40;

/// One output against zero: the network says 1 where it is positive.
fn network(graph: Graph) -> Network {
    let vocab = (0..TOKENS as i64).map(Value::Int).collect();
    let elements = Elements::Tokens { vocab, bos: None, pad: None, distinct: false };
    let decode = Decode::Argmax(vec![Value::Int(0), Value::Int(1)]);
    let domain = Domain { elements, length: (1, 1), decode, n_outputs: 1 };
    let feeding = Feeding { n_tokens: TOKENS, n_positions: 1, bos: None };
    Network::transformer(domain, Family::HookedTransformer, graph, feeding).expect("it has an output")
}

/// A random network: many small MLPs over the token's random embedding, a random read-out of those that are kept.
fn random_network(seed: u64, kept: &[bool]) -> Graph {
    let rng = &mut rng(seed, "random network");
    let mut graph = Graph::new();
    let tokens = graph.add("tokens", Op::Tokens, vec![]);
    let embed = graph.add("embed", Op::Lookup { table: random(rng, &[TOKENS, 6]) }, vec![vec![tokens]]);
    let mut writers = Vec::new();
    for (unit, &kept) in kept.iter().enumerate() {
        let op = Op::Hidden { weight: random(rng, &[6, 3]), bias: None, activation: Activation::Relu, norm: None };
        let post = graph.add(format!("m{unit}.post"), op, vec![vec![embed]]);
        let op = Op::Linear { weight: random(rng, &[3, 6]), bias: None, norm: None };
        let writer = graph.add(format!("m{unit}"), op, vec![vec![post]]);
        if kept {
            writers.push(writer);
        }
    }
    let read: Vec<f32> = (0..6).flat_map(|_| [0.0, rng.random_range(-1.0..1.0)]).collect();
    graph.add("output", Op::Linear { weight: tensor(read, &[6, 2]), bias: None, norm: None }, vec![writers]);
    graph
}

/// The tokens, each many times, so that every class has donors.
fn inputs() -> Batch {
    Batch::from_sequences(1, (0..TOKENS * 20).map(|i| [(i % TOKENS) as i64]))
}

/// A task without rhyme or reason.
fn label(token: i64) -> bool {
    [1, 2, 5, 6, 7, 11, 12, 14].contains(&token)
}

/// Edge-popup (Ramanujan et al. 2020): weights stay random, a score per edge is trained by passing gradients straight
/// through to it, the edges with the highest scores are kept.
fn edge_popup(seed: u64) -> Vec<bool> {
    let graph = random_network(seed, &[true; UNITS]);
    let output = graph.find("output").expect("it has an output");
    let batch = Batch::from_sequences(1, (0..TOKENS as i64).map(|token| [token]));
    let trace = network(graph.clone()).trace(&batch).expect("it runs");
    let Op::Linear { weight, .. } = graph.op(output) else { panic!("the output is linear") };
    let read = Matrix::from_tensor(weight).expect("numbers");
    // What every unit adds to the output on every token.
    let adds: Vec<Vec<f32>> = (0..UNITS)
        .map(|unit| {
            let value = trace.matrix(graph.find(&format!("m{unit}")).expect("a unit")).expect("recorded");
            value.iter_rows().map(|row| row.iter().zip(read.iter_rows()).map(|(v, w)| v * w[1]).sum()).collect()
        })
        .collect();
    let rng = &mut rng(seed, "scores");
    let mut scores: Vec<f32> = (0..UNITS).map(|_| rng.random_range(0.0..0.1)).collect();
    let choose = |scores: &[f32]| {
        let mut order: Vec<usize> = (0..UNITS).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let mut kept = vec![false; UNITS];
        order[..UNITS / 2].iter().for_each(|&unit| kept[unit] = true);
        kept
    };
    let right = |kept: &[bool]| {
        let sum = |token: usize| (0..UNITS).filter(|&u| kept[u]).map(|u| adds[u][token]).sum::<f32>();
        (0..TOKENS).filter(|&token| (sum(token) > 0.0) == label(token as i64)).count()
    };
    let mut best = choose(&scores);
    for _ in 0..4000 {
        let kept = choose(&scores);
        if right(&kept) > right(&best) {
            best.clone_from(&kept);
        }
        for token in 0..TOKENS {
            let sum: f32 = (0..UNITS).filter(|&u| kept[u]).map(|u| adds[u][token]).sum();
            let wanted = if label(token as i64) { 1.0 } else { 0.0 };
            let slope = 1.0 / (1.0 + (-sum).exp()) - wanted;
            scores.iter_mut().zip(&adds).for_each(|(score, adds)| *score -= 0.002 * slope * adds[token]);
        }
    }
    best
}

#[test]
fn a_pruned_random_network_may_do_a_task_and_is_no_mechanism() {
    let found = (0..40).map(|seed| (seed, edge_popup(seed))).find(|(seed, kept)| {
        let outputs = network(random_network(*seed, kept)).outputs(&inputs()).expect("it runs");
        let batch = inputs();
        (0..batch.n_sequences())
            .all(|row| outputs[0].value(row) == Value::Int(i64::from(label(batch.sequence(row)[0]))))
    });
    let (seed, kept) = found.expect("some random network holds a subnetwork that does the task");
    let network = network(random_network(seed, &kept));
    let graph = network.graph(0);
    let components = Components::new(&graph).expect("it has an output");
    let batch = inputs();
    let pool = Pool::new(&network, &graph, &batch, None).expect("inputs fit");
    let scrubber = Scrubber::new(&graph, &components, &pool);
    // The hypothesis that makes sense of it: every unit says what the label is.
    let mut hypothesis = EdgeHypothesis::new(pool.classes(|point| pool.position(point)));
    hypothesis.classes.push(pool.classes(|row| label(batch.sequence(row)[0])));
    for &edge in components.edges().iter().filter(|edge| edge.1 == components.output()) {
        hypothesis.edges.insert(edge, Treatment::Class { variable: 0, joint: false });
    }
    let decode = &network.domain.decode;
    let config = ScrubConfig::default();
    for treeified in [false, true] {
        let rng = &mut rng(1, "test");
        let outputs = match treeified {
            true => scrubber.treeified(&hypothesis, 1000, rng),
            false => scrubber.shared_noise(&hypothesis, rng),
        };
        let outputs = outputs.expect("it runs");
        let effect = scrub::effect(decode, &pool, &hypothesis.roles, &outputs, &config).expect("outputs differ");
        assert!(effect.interval.1 < 0.95, "it does the task and must not pass: {effect:?}");
        assert!(effect.worst > 0.5, "{effect:?}");
    }
    // The same with its units taken as one: they do carry the label, together with the token, and that is no claim of
    // this hypothesis; permuted columns are beaten by any hypothesis that knows the label.
    let noise = Variant::SharedNoise;
    let draws = scrub::Draws { n: 19, extent: scrub::Extent::Sample, seed: 0, late: &|| false };
    let controls = scrub::permuted_columns(&scrubber, decode, (&hypothesis, &hypothesis.roles), noise, 0.5, &draws)
        .expect("it runs");
    let none = scrub::Draws { late: &|| true, ..draws };
    let late = scrub::permuted_columns(&scrubber, decode, (&hypothesis, &hypothesis.roles), noise, 0.5, &none)
        .expect("it runs");
    assert_eq!((late.draws, late.p_value), (0, 1.0), "nothing is beaten where nothing was run");
    assert!(controls.null_best < 0.5, "{controls:?}");
}

/// The output is 1 where both of the first two bits of the token are; further units are read with weight zero.
fn known(graph: &mut Graph) -> [Edge; 4] {
    let tokens = graph.add("tokens", Op::Tokens, vec![]);
    let table = (0..TOKENS).flat_map(|t| [0, 1, 2, 3].map(|bit| (t >> bit & 1) as f32)).collect();
    let embed = graph.add("embed", Op::Lookup { table: tensor(table, &[TOKENS, 4]) }, vec![vec![tokens]]);
    let writers: Vec<NodeId> = (0..4)
        .map(|unit| {
            let mut pick = vec![0.0; 4];
            pick[unit] = 1.0;
            let op = Op::Hidden { weight: tensor(pick, &[4, 1]), bias: None, activation: Activation::Relu, norm: None };
            let post = graph.add(format!("m{unit}.post"), op, vec![vec![embed]]);
            let mut back = vec![0.0; 4];
            back[unit] = 1.0;
            let op = Op::Linear { weight: tensor(back, &[1, 4]), bias: None, norm: None };
            graph.add(format!("m{unit}"), op, vec![vec![post]])
        })
        .collect();
    let read = vec![0.0, 2.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    let op = Op::Linear { weight: tensor(read, &[4, 2]), bias: Some(tensor(vec![2.5, 0.0], &[2])), norm: None };
    let output = graph.add("output", op, vec![writers.clone()]);
    [0, 1, 2, 3].map(|unit| (writers[unit], output))
}

#[test]
fn circuits_are_told_apart() {
    let mut graph = Graph::new();
    let [first, second, idle, _] = known(&mut graph);
    let network = network(graph);
    let graph = network.graph(0);
    let components = Components::new(&graph).expect("it has an output");
    let batch = inputs();
    let pool = Pool::new(&network, &graph, &batch, None).expect("inputs fit");
    let scrubber = Scrubber::new(&graph, &components, &pool);
    let roles = pool.classes(|point| pool.position(point));
    let test = |edges: &[Edge]| {
        // A unit's own way in belongs to it.
        let within = |edge: &&Edge| edges.iter().any(|(unit, _)| components.inside(*unit).contains(&edge.1));
        let circuit: Vec<Edge> = components.edges().iter().filter(within).chain(edges).copied().collect();
        circuit_tests(&scrubber, &network.domain.decode, &roles, &circuit, &CircuitConfig::default()).expect("it runs")
    };
    let right = test(&[first, second]);
    assert_eq!(right.faithfulness(), (1.0, 1.0), "whatever the ablation");
    assert_eq!((right.equivalence, right.differing), (1.0, 0));
    assert!(right.independence > 0.05, "{right:?}");
    assert!(right.minimality.iter().filter(|(edge, _)| edge.1 == components.output()).all(|(_, p)| *p > 0.05));
    let small = test(&[second]);
    assert!(small.faithfulness().0 < 0.9 && small.independence < 0.05, "{small:?}");
    assert!(small.differing > 0);
    let large = test(&[first, second, idle]);
    assert_eq!(large.faithfulness(), (1.0, 1.0));
    let of_idle = large.minimality.iter().find(|(edge, _)| *edge == idle).map(|(_, p)| *p);
    assert!(of_idle.is_some_and(|p| p < 0.05), "{large:?}");
}

#[test]
fn the_true_hypothesis_recovers_all_and_an_empty_one_nothing() {
    let mut graph = Graph::new();
    let [first, second, ..] = known(&mut graph);
    let network = network(graph);
    let graph = network.graph(0);
    let components = Components::new(&graph).expect("it has an output");
    let batch = inputs();
    let pool = Pool::new(&network, &graph, &batch, None).expect("inputs fit");
    let scrubber = Scrubber::new(&graph, &components, &pool);
    let mut empty = EdgeHypothesis::new(pool.classes(|point| pool.position(point)));
    empty.edges = components.edges().iter().map(|&edge| (edge, Treatment::Cut)).collect();
    let mut right = empty.clone();
    for (bit, edge) in [first, second].into_iter().enumerate() {
        right.classes.push(pool.classes(|row| batch.sequence(row)[0] >> bit & 1));
        right.edges.insert(edge, Treatment::Class { variable: bit, joint: false });
        let way_in = components.edges().iter().find(|other| components.inside(edge.0).contains(&other.1));
        right.edges.remove(way_in.expect("it reads the token"));
    }
    let config = ScrubConfig::default();
    let recovered = |hypothesis: &EdgeHypothesis, treeified: bool, seed: u64| {
        let rng = &mut rng(seed, "test");
        let outputs = match treeified {
            true => scrubber.treeified(hypothesis, 1000, rng),
            false => scrubber.shared_noise(hypothesis, rng),
        };
        let outputs = outputs.expect("it runs");
        scrub::effect(&network.domain.decode, &pool, &hypothesis.roles, &outputs, &config).expect("it varies").recovered
    };
    for treeified in [false, true] {
        assert_eq!(recovered(&right, treeified, 1), 1.0);
        let mean = (0..20).map(|seed| recovered(&empty, treeified, seed)).sum::<f64>() / 20.0;
        assert!(mean.abs() < 0.06, "{mean}");
    }
}

/// The output is 1 where the token's first bit is, by way of the second unit. The first unit writes the bit where nobody
/// reads it, and a constant where the output would read it.
fn dormant(graph: &mut Graph) -> [NodeId; 2] {
    let tokens = graph.add("tokens", Op::Tokens, vec![]);
    let table = (0..TOKENS).flat_map(|t| [(t & 1) as f32, 1.0]).collect();
    let embed = graph.add("embed", Op::Lookup { table: tensor(table, &[TOKENS, 2]) }, vec![vec![tokens]]);
    let units = [("m0", vec![1.0, 0.0, 0.0, 0.0]), ("m1", vec![0.0, 0.0, 1.0, 0.0])];
    let writers = units.map(|(name, back)| {
        let op = Op::Hidden {
            weight: tensor(vec![1.0, 0.0, 0.0, 1.0], &[2, 2]),
            bias: None,
            activation: Activation::Relu,
            norm: None,
        };
        let post = graph.add(format!("{name}.post"), op, vec![vec![embed]]);
        // From (bit, 1) to (bit unread, dormant, carried, nothing).
        let weight = tensor([back, vec![0.0; 4]].concat(), &[2, 4]);
        graph.add(name, Op::Linear { weight, bias: None, norm: None }, vec![vec![post]])
    });
    let read = vec![0.0, 0.0, 0.0, 2.0, 0.0, 2.0, 0.0, 0.0];
    let op = Op::Linear { weight: tensor(read, &[4, 2]), bias: Some(tensor(vec![0.5, 0.0], &[2])), norm: None };
    graph.add("output", op, vec![writers.to_vec()]);
    writers
}

/// Makelov et al. (2023): a direction that lies half in what correlates with a variable and is not read, half in what is
/// read and never varies, sets the output as the variable says, though its site does not carry it.
#[test]
fn a_direction_through_a_dormant_path_is_flagged() {
    let mut graph = Graph::new();
    let [site, _] = dormant(&mut graph);
    let network = network(graph);
    let graph = network.graph(0);
    let components = Components::new(&graph).expect("it has an output");
    let batch = inputs();
    let pool = Pool::new(&network, &graph, &batch, None).expect("inputs fit");
    let scrubber = Scrubber::new(&graph, &components, &pool);
    let bit = |row: usize| batch.sequence(row)[0] & 1;
    let n = batch.n_sequences();
    // Bases without the bit; donors with it.
    let donors: Vec<usize> = (0..n).map(|row| if bit(row) == 0 { row + 1 } else { row }).collect();
    let column = |value: &dyn Fn(usize) -> i64| samples::Column::new(samples::Sort::Int, (0..n).map(value).collect());
    let (expected, unchanged) = ([column(&|row| bit(donors[row]))], [column(&bit)]);
    let edges = [(site, components.output())];
    let swap = scrub::Swap { edges: &edges, donors: &donors, expected: &expected, unchanged: &unchanged };
    let own = Matrix::from_tensor(pool.value(site).expect("it was run")).expect("numbers");
    let direction = [std::f32::consts::FRAC_1_SQRT_2, std::f32::consts::FRAC_1_SQRT_2, 0.0, 0.0];
    let along = scrub::along(&scrubber, &network, &swap, &direction).expect("it runs");
    assert_eq!((along.result.changed, along.result.changed_accuracy), (n / 2, 1.0), "it sets the output: {along:?}");
    assert_eq!(along.whole.changed_accuracy, 0.0, "the site does not: {along:?}");
    assert!(along.is_illusion());
    assert!(own.iter_rows().all(|row| row[1] == 0.0), "the part that is read is dormant");
    // The direction in which the second unit carries the bit is none.
    let carrier = graph.find("m1").expect("a unit");
    let edges = [(carrier, components.output())];
    let swap = scrub::Swap { edges: &edges, ..swap };
    let along = scrub::along(&scrubber, &network, &swap, &[0.0, 0.0, 1.0, 0.0]).expect("it runs");
    assert_eq!((along.result.changed_accuracy, along.whole.changed_accuracy), (1.0, 1.0));
    assert!(!along.is_illusion());
}
