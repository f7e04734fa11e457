//! Properties of runs with replaced values, on random transformers, against a plain implementation in double precision.

use std::collections::BTreeMap;
use std::sync::Arc;

use graph::{Activation, Device, Graph, Intervention, Matrix, NodeId, Norm, Op, Place, Record, RectInputs, Tensor};
use proptest::prelude::*;
use rand::Rng as _;
use samples::{Rng, rng};

const TOKENS: usize = 5;
const POSITIONS: usize = 6;
const WIDTH: usize = 4;

#[derive(Clone, Copy, Debug)]
struct Shape {
    layers: usize,
    heads: usize,
    causal: bool,
    norm: bool,
    seed: u64,
    n: usize,
    length: usize,
}

prop_compose! {
    fn shapes()(layers in 1..3_usize, heads in 1..3_usize, causal: bool, norm: bool, seed: u64, n in 1..4_usize,
                length in 1..=POSITIONS) -> Shape {
        Shape { layers, heads, causal, norm, seed, n, length }
    }
}

fn random(rng: &mut Rng, shape: &[usize]) -> Tensor {
    let numbers: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(-1.0..1.0)).collect();
    Tensor::from_vec(numbers, shape, &Device::Cpu).expect("shape")
}

/// A random transformer: blocks of attention and MLP over a residual stream.
fn transformer(shape: Shape) -> Graph {
    let rng = &mut rng(shape.seed, "weights");
    let norm = |rng: &mut Rng| {
        let (weight, bias) = (random(rng, &[WIDTH]), random(rng, &[WIDTH]));
        shape.norm.then(|| Arc::new(Norm { weight, bias, eps: 1e-5 }))
    };
    let mut graph = Graph::new();
    let tokens = graph.add("tokens", Op::Tokens, vec![]);
    let positions = graph.add("positions", Op::Positions, vec![]);
    let embed = graph.add("embed", Op::Lookup { table: random(rng, &[TOKENS, WIDTH]) }, vec![vec![tokens]]);
    let place = graph.add("pos_embed", Op::Lookup { table: random(rng, &[POSITIONS, WIDTH]) }, vec![vec![positions]]);
    let mut writers = vec![embed, place];
    for layer in 0..shape.layers {
        let (read, ln) = (writers.clone(), norm(rng));
        for head in 0..shape.heads {
            let mut slots = Vec::new();
            for slot in ["q", "k", "v"] {
                let op =
                    Op::Linear { weight: random(rng, &[WIDTH, 3]), bias: Some(random(rng, &[3])), norm: ln.clone() };
                slots.push(graph.add(format!("a{layer}.h{head}.{slot}"), op, vec![read.clone()]));
            }
            let op = Op::Pattern { scale: 0.7, causal: shape.causal };
            let pattern = graph.add(format!("a{layer}.h{head}.pattern"), op, vec![vec![slots[0]], vec![slots[1]]]);
            let op = Op::Mix { w_o: random(rng, &[3, WIDTH]) };
            writers.push(graph.add(format!("a{layer}.h{head}"), op, vec![vec![pattern], vec![slots[2]]]));
        }
        let op = Op::Constant { vector: random(rng, &[WIDTH]) };
        writers.push(graph.add(format!("a{layer}.bias"), op, vec![]));
        let op = Op::Hidden {
            weight: random(rng, &[WIDTH, 5]),
            bias: Some(random(rng, &[5])),
            activation: if shape.norm { Activation::GeluTanh } else { Activation::Relu },
            norm: norm(rng),
        };
        let post = graph.add(format!("m{layer}.post"), op, vec![writers.clone()]);
        let op = Op::Linear { weight: random(rng, &[5, WIDTH]), bias: None, norm: None };
        writers.push(graph.add(format!("m{layer}"), op, vec![vec![post]]));
    }
    let op = Op::Linear { weight: random(rng, &[WIDTH, 3]), bias: None, norm: norm(rng) };
    graph.add("output", op, vec![writers]);
    graph
}

fn inputs(shape: Shape) -> RectInputs {
    let rng = &mut rng(shape.seed, "inputs");
    let ids: Vec<u32> = (0..shape.n * shape.length).map(|_| rng.random_range(0..TOKENS as u32)).collect();
    let places: Vec<u32> = (0..shape.n * shape.length).map(|i| (i % shape.length) as u32).collect();
    let tensor = |ids| Tensor::from_vec(ids, (shape.n, shape.length), &Device::Cpu).expect("shape");
    RectInputs::Tokens { tokens: tensor(ids), positions: tensor(places) }
}

/// Some replacements: at nodes and at edges, of full shape or broadcast.
fn replacements(shape: Shape, graph: &Graph, purpose: &str) -> Vec<Intervention> {
    let rng = &mut rng(shape.seed, purpose);
    let places: Vec<Place> = (0..rng.random_range(1..4))
        .map(|_| {
            let edges = graph.edges();
            let nodes: Vec<NodeId> = graph.nodes().filter(|id| id.0 > 1).collect();
            if rng.random_bool(0.5) {
                Place::Node(nodes[rng.random_range(0..nodes.len())])
            } else {
                let mut edge = edges[rng.random_range(0..edges.len())];
                while edge.0.0 < 2 {
                    edge = edges[rng.random_range(0..edges.len())];
                }
                Place::Edge(edge.0, edge.1)
            }
        })
        .collect();
    places
        .into_iter()
        .map(|place| {
            let of = match place {
                Place::Node(id) | Place::Edge(id, _) | Place::Input(id) => id,
            };
            let width = graph.width(of).unwrap_or(shape.length);
            let value = match rng.random_bool(0.5) {
                true => random(rng, &[width]),
                false => random(rng, &[shape.n, shape.length, width]),
            };
            Intervention { place, value }
        })
        .collect()
}

fn matrix(tensor: &Tensor) -> Matrix {
    Matrix::from_tensor(tensor).expect("numbers")
}

/// The values of all nodes, computed by plain loops in double precision: `[n * length][width]`.
fn reference(graph: &Graph, shape: Shape, replaced: &[Intervention]) -> Vec<Vec<Vec<f64>>> {
    let RectInputs::Tokens { tokens, positions } = inputs(shape) else { panic!("tokens") };
    let rows = shape.n * shape.length;
    let ids = |t: &Tensor| t.flatten_all().expect("flat").to_vec1::<u32>().expect("ids");
    let mut nodes: BTreeMap<NodeId, &Tensor> = BTreeMap::new();
    let mut edges: BTreeMap<(NodeId, NodeId), &Tensor> = BTreeMap::new();
    for intervention in replaced {
        match intervention.place {
            Place::Node(id) => _ = nodes.insert(id, &intervention.value),
            Place::Edge(from, to) => _ = edges.insert((from, to), &intervention.value),
            Place::Input(_) => panic!("none is made here"),
        }
    }
    let full = |value: &Tensor| -> Vec<Vec<f64>> {
        let value = matrix(value);
        (0..rows).map(|i| value.row(i % value.rows).iter().map(|&v| f64::from(v)).collect()).collect()
    };
    let affine = |x: &[f64], weight: &Tensor, bias: Option<&Tensor>| -> Vec<f64> {
        let (weight, bias) = (matrix(weight), bias.map(matrix));
        (0..weight.cols)
            .map(|o| {
                let start = bias.as_ref().map_or(0.0, |b| f64::from(b.data[o]));
                start + x.iter().enumerate().map(|(k, v)| v * f64::from(weight.at(k, o))).sum::<f64>()
            })
            .collect()
    };
    let normed = |x: &[f64], norm: Option<&Arc<Norm>>| -> Vec<f64> {
        let Some(norm) = norm else { return x.to_vec() };
        let (w, b) = (matrix(&norm.weight), matrix(&norm.bias));
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / x.len() as f64;
        let scale = (variance + f64::from(norm.eps)).sqrt();
        (0..x.len()).map(|i| (x[i] - mean) / scale * f64::from(w.data[i]) + f64::from(b.data[i])).collect()
    };
    let mut values: Vec<Vec<Vec<f64>>> = Vec::new();
    for id in graph.nodes() {
        if let Some(value) = nodes.get(&id) {
            values.push(full(value));
            continue;
        }
        let read = |slot: usize| -> Vec<Vec<f64>> {
            let mut total: Option<Vec<Vec<f64>>> = None;
            for &writer in &graph.slots(id)[slot] {
                let value = edges.get(&(writer, id)).map_or_else(|| values[writer.index()].clone(), |v| full(v));
                total = Some(match total {
                    None => value,
                    Some(sum) => {
                        sum.iter().zip(&value).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect()
                    }
                });
            }
            total.expect("a writer")
        };
        values.push(match graph.op(id) {
            Op::Tokens => ids(&tokens).iter().map(|&i| vec![f64::from(i)]).collect(),
            Op::Positions => ids(&positions).iter().map(|&i| vec![f64::from(i)]).collect(),
            Op::Lookup { table } => {
                let table = matrix(table);
                read(0).iter().map(|i| table.row(i[0] as usize).iter().map(|&v| f64::from(v)).collect()).collect()
            }
            Op::Linear { weight, bias, norm } => {
                read(0).iter().map(|x| affine(&normed(x, norm.as_ref()), weight, bias.as_ref())).collect()
            }
            Op::Hidden { weight, bias, activation, norm } => read(0)
                .iter()
                .map(|x| affine(&normed(x, norm.as_ref()), weight, bias.as_ref()))
                .map(|z| z.iter().map(|&v| f64::from(activation.apply(v as f32))).collect())
                .collect(),
            Op::Pattern { scale, causal } => {
                let (q, k) = (read(0), read(1));
                (0..rows)
                    .map(|row| {
                        let (first, at) = (row - row % shape.length, row % shape.length);
                        let weight = |j: usize| {
                            let dot: f64 = q[row].iter().zip(&k[first + j]).map(|(a, b)| a * b).sum();
                            if *causal && j > at { 0.0 } else { (dot / f64::from(*scale)).exp() }
                        };
                        let weights: Vec<f64> = (0..shape.length).map(weight).collect();
                        weights.iter().map(|w| w / weights.iter().sum::<f64>()).collect()
                    })
                    .collect()
            }
            Op::Mix { w_o } => {
                let (pattern, v) = (read(0), read(1));
                (0..rows)
                    .map(|row| {
                        let first = row - row % shape.length;
                        let mixed: Vec<f64> = (0..v[row].len())
                            .map(|d| (0..shape.length).map(|j| pattern[row][j] * v[first + j][d]).sum())
                            .collect();
                        affine(&mixed, w_o, None)
                    })
                    .collect()
            }
            Op::Constant { vector } => full(vector),
            other => panic!("{} in a transformer", other.kind()),
        });
    }
    values
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    matrix(tensor).data.iter().map(|v| v.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// A run with replacements is what a plain implementation computes, node by node.
    #[test]
    fn a_patched_run_is_the_plain_computation_with_the_patch(shape in shapes()) {
        let graph = transformer(shape);
        let patch = replacements(shape, &graph, "patch");
        for patch in [&[], patch.as_slice()] {
            let trace = graph.run(&inputs(shape), patch, Record::All).expect("runs");
            let expected = reference(&graph, shape, patch);
            for id in graph.nodes().filter(|id| id.0 > 1) {
                let found = trace.matrix(id).expect("recorded");
                for (row, expected) in found.iter_rows().zip(&expected[id.index()]) {
                    for (a, b) in row.iter().zip(expected) {
                        prop_assert!((f64::from(*a) - b).abs() <= 2e-4 * (1.0 + b.abs()), "{}: {a} {b}", graph.name(id));
                    }
                }
            }
        }
    }

    /// Running again from a trace gives bit for bit what a run from the start gives, and computes only what lies
    /// downstream; so does a second rerun on top of the first.
    #[test]
    fn reruns_equal_runs_and_compute_only_descendants(shape in shapes()) {
        let graph = transformer(shape);
        let (inputs, mut patch) = (inputs(shape), replacements(shape, &graph, "patch"));
        let mut trace = graph.run(&inputs, &[], Record::All).expect("runs");
        prop_assert_eq!(trace.n_computed(), graph.n_nodes());
        let mut applied: Vec<Intervention> = Vec::new();
        patch.extend(replacements(shape, &graph, "more"));
        for intervention in patch {
            let again = graph.rerun(&trace, std::slice::from_ref(&intervention)).expect("runs");
            applied.retain(|old| old.place != intervention.place);
            applied.push(intervention.clone());
            let whole = graph.run(&inputs, &applied, Record::All).expect("runs");
            let root = match intervention.place { Place::Node(id) | Place::Edge(_, id) | Place::Input(id) => id };
            let downstream = graph.downstream([root]);
            let replaced = |id: NodeId| applied.iter().any(|old| old.place == Place::Node(id));
            let expected = graph.nodes().filter(|&id| downstream[id.index()] && !replaced(id)).count();
            prop_assert_eq!(again.n_computed(), expected);
            for id in graph.nodes() {
                let (a, b) = (again.value(id).expect("recorded"), whole.value(id).expect("recorded"));
                prop_assert_eq!(bits(a), bits(b), "{}", graph.name(id));
                if !downstream[id.index()] {
                    prop_assert_eq!(a.id(), trace.value(id).expect("recorded").id(), "{}", graph.name(id));
                }
            }
            trace = again;
        }
    }

    /// A value in its own place changes nothing, not even the last bit.
    #[test]
    fn replacing_by_the_own_value_changes_nothing(shape in shapes()) {
        let graph = transformer(shape);
        let base = graph.run(&inputs(shape), &[], Record::All).expect("runs");
        let own = |id: NodeId| base.value(id).expect("recorded").clone();
        let edges: Vec<_> = graph.edges().into_iter().map(|(a, b)| Intervention::edge(a, b, own(a))).collect();
        let nodes: Vec<_> = graph.nodes().filter(|id| id.0 % 3 == 0).map(|id| Intervention::node(id, own(id))).collect();
        for patch in [edges, nodes] {
            for each in patch.chunks(1).chain([patch.as_slice()]) {
                let again = graph.rerun(&base, each).expect("runs");
                for id in graph.nodes() {
                    prop_assert_eq!(bits(again.value(id).expect("recorded")), bits(&own(id)), "{}", graph.name(id));
                }
            }
        }
    }

    /// What a reader reads is the sum of its writers' contributions.
    #[test]
    fn contributions_add_up(shape in shapes()) {
        let graph = transformer(Shape { norm: false, ..shape });
        let trace = graph.run(&inputs(shape), &[], Record::All).expect("runs");
        for id in graph.nodes() {
            let Op::Linear { weight, bias, .. } = graph.op(id) else { continue };
            let weight = matrix(weight);
            let mut total = Matrix::zeros(shape.n * shape.length, weight.cols);
            for parent in graph.parents(id) {
                let part = trace.matrix(parent).expect("recorded").times(&weight);
                total.data.iter_mut().zip(&part.data).for_each(|(a, b)| *a += b);
            }
            if let Some(bias) = bias {
                let bias = matrix(bias);
                (0..total.rows).for_each(|row| total.row_mut(row).iter_mut().zip(&bias.data).for_each(|(a, b)| *a += b));
            }
            let found = trace.matrix(id).expect("recorded");
            for (a, b) in found.data.iter().zip(&total.data) {
                prop_assert!((a - b).abs() <= 1e-4 * (1.0 + b.abs()), "{}: {a} {b}", graph.name(id));
            }
        }
    }

    /// Recording a few nodes gives the same values as recording all.
    #[test]
    fn a_whole_input_is_the_sum_of_its_edges(shape in shapes()) {
        let graph = transformer(shape);
        let reader = graph.find("output").expect("there");
        let rng = &mut rng(shape.seed, "edges");
        let values: Vec<(NodeId, Tensor)> = graph.slots(reader)[0]
            .iter()
            .map(|&writer| (writer, random(rng, &[shape.n, shape.length, graph.width(writer).expect("a writer")])))
            .collect();
        let edges: Vec<_> = values.iter().map(|(writer, v)| Intervention::edge(*writer, reader, v.clone())).collect();
        let mut parts = values.iter().map(|(_, value)| value.clone());
        let first = parts.next().expect("something is read");
        let sum = parts.fold(first, |sum, value| (sum + value).expect("one shape"));
        let run = |inputs: &RectInputs, patch: &[Intervention]| {
            let trace = graph.run(inputs, patch, Record::Nodes(&[reader])).expect("runs");
            (bits(trace.value(reader).expect("recorded")), trace.n_computed())
        };
        let inputs = inputs(shape);
        let (by_edges, _) = run(&inputs, &edges);
        let (by_input, n_computed) = run(&inputs, &[Intervention::input(reader, sum.clone())]);
        prop_assert_eq!(&by_edges, &by_input);
        prop_assert_eq!(n_computed, 1, "nothing that is not read is computed");
        let last = inputs.narrow(shape.n - 1..shape.n).expect("there is one");
        let sum = sum.narrow(0, shape.n - 1, 1).expect("there is one");
        let (of_last, _) = run(&last, &[Intervention::input(reader, sum)]);
        prop_assert_eq!(&by_edges[by_edges.len() - of_last.len()..], &of_last[..]);
    }

    #[test]
    fn recording_less_changes_nothing(shape in shapes()) {
        let graph = transformer(shape);
        let (inputs, patch) = (inputs(shape), replacements(shape, &graph, "patch"));
        let all = graph.run(&inputs, &patch, Record::All).expect("runs");
        let chosen: Vec<NodeId> = graph.nodes().filter(|id| id.0 % 4 == 3).collect();
        let some = graph.run(&inputs, &patch, Record::Nodes(&chosen)).expect("runs");
        for id in graph.nodes() {
            match some.value(id) {
                Some(value) => prop_assert_eq!(bits(value), bits(all.value(id).expect("recorded"))),
                None => prop_assert!(!chosen.contains(&id)),
            }
        }
    }
}

#[test]
fn wrong_places_and_shapes_are_refused() {
    let shape = Shape { layers: 1, heads: 1, causal: true, norm: false, seed: 0, n: 2, length: 3 };
    let graph = transformer(shape);
    let find = |name| graph.find(name).expect("there");
    let run =
        |patch: Intervention| graph.run(&inputs(shape), &[patch], Record::All).map(|_| ()).map_err(|e| e.to_string());
    let value = Tensor::zeros(7, graph::DType::F32, &Device::Cpu).expect("small");
    let error = run(Intervention::node(find("m0"), value.clone())).expect_err("7 is not 4");
    assert_eq!(error, "a replacement for m0 must have the shape [2, 3, 4], or broadcast to it, and has [7]");
    let error = run(Intervention::edge(find("m0"), find("embed"), value.clone())).expect_err("no such edge");
    assert!(error.starts_with("there is no edge"), "{error}");
    let error = run(Intervention::node(NodeId(999), value)).expect_err("no such node");
    assert!(error.contains("999"), "{error}");
}
