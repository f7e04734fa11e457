//! Whole readings of small networks built by hand, their residual stream turned at random.

use dsl::Language;
use graph::{Activation, Device, Family, Feeding, Graph, Network, Op, Tensor};
use rand::Rng as _;
use samples::{Decode, Domain, Elements, Value, rng};

use super::trace::Mat;
use crate::{Config, Hypothesis};

/// Residual dimensions: tokens a, b, c; BOS; one everywhere else; positions; what the head writes; what the layer does.
const BOS: usize = 3;
const ONE: usize = 4;
const POSITION: usize = 5;
const HEAD: usize = 10;
const LAYER: usize = 13;
const WIDTH: usize = 18;
const LENGTH: usize = 4;

/// The largest logit of a selected key.
const SCORE: f64 = 100.0;

/// Weights of a network with one head and one layer, in the basis above.
struct Weights {
    q: Mat,
    k: Mat,
    v: Mat,
    o: Mat,
    hidden: Mat,
    out: Mat,
    read: Mat,
    values: Vec<Value>,
}

fn matrix(rows: usize, cols: usize, entries: &[(usize, usize, f64)]) -> Mat {
    let mut m = Mat::zeros(rows, cols);
    entries.iter().for_each(|&(row, col, value)| m[(row, col)] = value);
    m
}

/// Copies the token before; nothing at the first position.
fn previous() -> Weights {
    let q: Vec<_> = (1..=LENGTH).map(|p| (POSITION + p, p, SCORE)).chain([(ONE, 0, SCORE / 2.0)]).collect();
    let k: Vec<_> = (1..LENGTH).map(|p| (POSITION + p, p + 1, 1.0)).chain([(BOS, 0, 1.0)]).collect();
    let each = |from: usize, to: usize| (0..3).map(|t| (from + t, to + t, 1.0)).collect::<Vec<_>>();
    Weights {
        q: matrix(WIDTH, LENGTH + 1, &q),
        k: matrix(WIDTH, LENGTH + 1, &k),
        v: matrix(WIDTH, 3, &each(0, 0)),
        o: matrix(3, WIDTH, &each(0, HEAD)),
        hidden: Mat::zeros(WIDTH, 1),
        out: Mat::zeros(1, WIDTH),
        read: matrix(WIDTH, 3, &each(HEAD, 0)),
        values: ["a", "b", "c"].map(|t| Value::Symbol(t.into())).to_vec(),
    }
}

/// Counts the a's: BOS gets 1/(1+n) of the attention, which the layer decodes by ramps that are wider than the last gap.
fn count() -> Weights {
    let mut hidden = Vec::new();
    let mut out = Vec::new();
    let slope = 25.0;
    for n in 0..LENGTH {
        let threshold = (1.0 / (1.0 + n as f64) + 1.0 / (2.0 + n as f64)) / 2.0;
        for (unit, offset, sign) in [(2 * n, 1.0, 1.0), (2 * n + 1, 0.0, -1.0)] {
            hidden.push((HEAD, unit, slope));
            hidden.push((ONE, unit, offset - slope * threshold));
            out.push((unit, LAYER + n, sign));
            out.push((unit, LAYER + n + 1, -sign));
        }
    }
    let mut weights = Weights {
        q: matrix(WIDTH, 1, &[(ONE, 0, SCORE)]),
        k: matrix(WIDTH, 1, &[(0, 0, 1.0), (BOS, 0, 1.0)]),
        v: matrix(WIDTH, 1, &[(BOS, 0, 1.0)]),
        o: matrix(1, WIDTH, &[(0, HEAD, 1.0)]),
        hidden: matrix(WIDTH, 2 * LENGTH + 1, &hidden),
        out: matrix(2 * LENGTH + 1, WIDTH, &out),
        read: matrix(WIDTH, LENGTH + 1, &(0..=LENGTH).map(|n| (LAYER + n, n, 1.0)).collect::<Vec<_>>()),
        values: (0..=LENGTH as i64).map(Value::Int).collect(),
    };
    // The value without any step is the greatest number.
    weights.hidden[(ONE, 2 * LENGTH)] = 1.0;
    weights.out[(2 * LENGTH, LAYER + LENGTH)] = 1.0;
    weights
}

fn network(weights: &Weights) -> Network {
    let mut random = rng(7, "test: rotation");
    let turn = Mat::from_fn(WIDTH, WIDTH, |_, _| random.random_range(-1.0..1.0)).qr().q();
    let tensor = |m: &Mat| {
        let rows: Vec<f32> = m.transpose().iter().map(|&v| v as f32).collect();
        Tensor::from_vec(rows, (m.nrows(), m.ncols()), &Device::Cpu).expect("small")
    };
    let writes = |m: &Mat| tensor(&(m * &turn));
    let reads = |m: &Mat| Op::Linear { weight: tensor(&(turn.transpose() * m)), bias: None, norm: None };
    let embed: Vec<_> = (0..4).map(|t| (t, t, 1.0)).chain((0..3).map(|t| (t, ONE, 1.0))).collect();
    let place: Vec<_> = (0..=LENGTH).map(|p| (p, POSITION + p, 1.0)).collect();
    let mut g = Graph::new();
    let tokens = g.add("tokens", Op::Tokens, vec![]);
    let positions = g.add("positions", Op::Positions, vec![]);
    let embed = g.add("embed", Op::Lookup { table: writes(&matrix(4, WIDTH, &embed)) }, vec![vec![tokens]]);
    let place =
        g.add("pos_embed", Op::Lookup { table: writes(&matrix(LENGTH + 1, WIDTH, &place)) }, vec![vec![positions]]);
    let mut stream = vec![embed, place];
    let q = g.add("a0.h0.q", reads(&weights.q), vec![stream.clone()]);
    let k = g.add("a0.h0.k", reads(&weights.k), vec![stream.clone()]);
    let v = g.add("a0.h0.v", reads(&weights.v), vec![stream.clone()]);
    let pattern = g.add("a0.h0.pattern", Op::Pattern { scale: 1.0, causal: false }, vec![vec![q], vec![k]]);
    stream.push(g.add("a0.h0", Op::Mix { w_o: writes(&weights.o) }, vec![vec![pattern], vec![v]]));
    let weight = tensor(&(turn.transpose() * &weights.hidden));
    let hidden = Op::Hidden { weight, bias: None, activation: Activation::Relu, norm: None };
    let hidden = g.add("m0.post", hidden, vec![stream.clone()]);
    stream.push(g.add("m0", Op::Linear { weight: writes(&weights.out), bias: None, norm: None }, vec![vec![hidden]]));
    g.add("output", reads(&weights.read), vec![stream]);
    let domain = Domain {
        elements: Elements::Tokens {
            vocab: ["a", "b", "c", "BOS"].map(|t| Value::Symbol(t.into())).to_vec(),
            bos: Some(3),
            pad: None,
            distinct: false,
        },
        length: (1, LENGTH),
        decode: Decode::Argmax(weights.values.clone()),
        n_outputs: 1,
    };
    let feeding = Feeding { n_tokens: 4, n_positions: LENGTH + 1, bos: Some(3) };
    Network::transformer(domain, Family::HookedTransformer, g, feeding).expect("it has an output")
}

fn rasp(without: &[&str]) -> Language {
    let include = |name: &str| {
        let text = Language::shipped(name)?;
        let kept = text.lines().filter(|line| !without.iter().any(|part| line.starts_with(part)));
        Some(kept.collect::<Vec<_>>().join("\n"))
    };
    Language::parse("rasp", &include("rasp").expect("shipped"), &include).expect("it parses")
}

fn read(weights: &Weights, language: &Language) -> Vec<Hypothesis> {
    let config = Config::new(language);
    super::hypotheses(&network(weights), &samples::Batch::new(1), &config).expect("it runs")
}

fn edges(hypothesis: &Hypothesis) -> Vec<String> {
    hypothesis.circuit.iter().flatten().map(|(from, to)| format!("{from} {to}")).collect()
}

#[test]
fn a_head_that_copies_is_read_with_its_circuit() {
    let language = rasp(&[]);
    let best = &read(&previous(), &language)[0];
    assert_eq!(dsl::print(&best.program, &language), "(aggregate (select indices (- indices 1) =) tokens)");
    assert_eq!(edges(best), ["a0.h0 output", "embed a0.h0.v", "pos_embed a0.h0.k", "pos_embed a0.h0.q"]);
    assert!(best.alignment.iter().any(|a| a.site == "a0.h0" && a.subterm == best.program && a.fit == 1.0));
}

#[test]
fn a_count_is_decoded_through_blended_ramps() {
    let language = rasp(&[]);
    let best = &read(&count(), &language)[0];
    assert_eq!(dsl::print(&best.program, &language), "(selector_width (select tokens \"a\" =))");
    // The unit that is on for every token, and not at BOS, is a constant function of the token.
    assert_eq!(edges(best), ["a0.h0 m0", "embed a0.h0.k", "embed a0.h0.q", "embed m0", "m0 output"]);
}

#[test]
fn programs_keep_to_the_language() {
    let language = rasp(&["(define-fun - ", "(form table"]);
    let found = read(&previous(), &language);
    assert!(!found.is_empty());
    for hypothesis in &found {
        let text = dsl::print(&hypothesis.program, &language);
        assert!(!text.contains("(- ") && !text.contains("table"), "{text}");
    }
}
