//! What stands beside a hypothesis as a control: its variables at other sites, random terms in their place.

use dsl::{Language, Term};
use graph::{Activation, Device, Family, Feeding, Graph, Network, Op, Tensor};
use samples::{Decode, Domain, Elements, Value};
use scrub::{Claim, Scrub, ScrubConfig, Standing, scrub};

const TOKENS: usize = 8;

fn tensor(data: Vec<f32>, shape: &[usize]) -> Tensor {
    Tensor::from_vec(data, shape, &Device::Cpu).expect("the shape fits")
}

/// Says for each of some numbers below eight whether it is above 3: the embedding is the number, an MLP the answer.
fn above_three(length: usize) -> Network {
    let mut graph = Graph::new();
    let tokens = graph.add("tokens", Op::Tokens, vec![]);
    let numbers: Vec<f32> = (0..TOKENS).flat_map(|token| [token as f32, 1.0, 0.0]).collect();
    let embed = graph.add("embed", Op::Lookup { table: tensor(numbers, &[TOKENS, 3]) }, vec![vec![tokens]]);
    // max(0, x - 3) and max(0, x - 4), whose difference is the answer.
    let weight = tensor(vec![1.0, 1.0, -3.0, -4.0, 0.0, 0.0], &[3, 2]);
    let op = Op::Hidden { weight, bias: None, activation: Activation::Relu, norm: None };
    let post = graph.add("m0.post", op, vec![vec![embed]]);
    let weight = tensor(vec![0.0, 0.0, 1.0, 0.0, 0.0, -1.0], &[2, 3]);
    let mlp = graph.add("m0", Op::Linear { weight, bias: None, norm: None }, vec![vec![post]]);
    let weight = tensor(vec![0.0, 0.0, 0.5, 0.0, 0.0, 1.0], &[3, 2]);
    graph.add("output", Op::Linear { weight, bias: None, norm: None }, vec![vec![embed, mlp]]);
    let vocab = (0..TOKENS as i64).map(Value::Int).collect();
    let elements = Elements::Tokens { vocab, bos: None, pad: None, distinct: false };
    let decode = Decode::Argmax(vec![Value::Bool(false), Value::Bool(true)]);
    let domain = Domain { elements, length: (length, length), decode, n_outputs: 1 };
    let feeding = Feeding { n_tokens: TOKENS, n_positions: length, bos: None };
    Network::transformer(domain, Family::HookedTransformer, graph, feeding).expect("it has an output")
}

fn scrubbed(network: &Network, claims: &[(&str, &str)]) -> Scrub {
    let language = Language::load_shipped("rasp").expect("it is shipped");
    let read = |text: &str| dsl::parse_term(text, &language, &network.domain.inputs()).expect(text);
    let program: Term = read("(< 3 tokens)");
    let claims: Vec<Claim> =
        claims.iter().map(|(term, site)| Claim { subterm: read(term), site: (*site).to_owned() }).collect();
    scrub(network, &language, &program, &claims, None, &ScrubConfig::default()).expect("outputs differ")
}

#[test]
fn the_true_variables_do_better_at_their_sites_than_at_others_and_than_random_terms() {
    let found = scrubbed(&above_three(1), &[("tokens", "embed"), ("(< 3 tokens)", "m0")]);
    let alignments = found.controls.alignments.expect("there are two sites");
    // Two variables at two sites in three other ways: both at one, both at the other, exchanged. An MLP with the token passes
    // by scrubbing alone.
    assert_eq!((alignments.draws, alignments.extent, alignments.as_good), (3, scrub::Extent::All, 0), "{alignments:?}");
    let programs = found.controls.programs.expect("there are other truth values");
    assert_eq!(programs.as_good, 0, "{programs:?}");
    assert!(programs.dropped > 0, "some random terms are the variable itself: {programs:?}");
    assert_eq!(found.controls.standing(), Standing::Beaten, "{:?}", found.controls);
}

#[test]
fn a_wrong_variable_is_no_better_than_random_ones() {
    let found = scrubbed(&above_three(1), &[("tokens", "embed"), ("(= 5 tokens)", "m0")]);
    let programs = found.controls.programs.expect("there are other truth values");
    assert!(programs.as_good > 0, "(< 3 tokens) is among them: {programs:?}");
    assert_eq!(found.controls.standing(), Standing::Reached);
}

#[test]
fn a_variable_that_is_the_same_on_all_inputs_may_stand_anywhere() {
    // Nothing selects anything: at another site, or at none, that says what it says here.
    let with_constant = scrubbed(
        &above_three(2),
        &[("tokens", "embed"), ("(< 3 tokens)", "m0"), ("(selector_width (select 0 1 =))", "embed")],
    );
    let plain = scrubbed(&above_three(2), &[("tokens", "embed"), ("(< 3 tokens)", "m0")]);
    for found in [with_constant, plain] {
        let alignments = found.controls.alignments.expect("there are two sites");
        assert_eq!(alignments.as_good, 0, "{alignments:?}");
        assert_eq!(found.controls.standing(), Standing::Beaten, "{:?}", found.controls);
    }
}

#[test]
fn what_the_time_limit_cuts_decides_nothing() {
    let language = Language::load_shipped("rasp").expect("it is shipped");
    let network = above_three(1);
    let read = |text: &str| dsl::parse_term(text, &language, &network.domain.inputs()).expect(text);
    let claims = [Claim { subterm: read("(< 3 tokens)"), site: "m0".to_owned() }];
    let config = ScrubConfig { late: &|| true, ..ScrubConfig::default() };
    let found = scrub(&network, &language, &read("(< 3 tokens)"), &claims, None, &config).expect("outputs differ");
    assert_eq!(found.controls.standing(), Standing::Cut, "{:?}", found.controls);
}
