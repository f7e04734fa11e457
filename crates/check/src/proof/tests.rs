//! Networks whose program is known by construction: what is proved of them, and what is refused.

use graph::{Activation, Affine, Cell, Encoding, GateLayer, Matrix, Mlp};
use samples::{Domain, Elements};

use super::*;
use crate::{beyond, run_network};

fn affine(rows: usize, cols: usize, weight: &[f32], bias: &[f32]) -> Affine {
    Affine { weight: Matrix::new(rows, cols, weight.to_vec()), bias: bias.to_vec() }
}

fn domain(lo: i64, hi: i64) -> Domain {
    Domain { elements: Elements::Integers { dim: 1, lo, hi }, length: (6, 6), decode: Decode::Round, n_outputs: 1 }
}

fn network(domain: Domain, cell: Cell, readout: Mlp) -> Network {
    Network::recurrent(domain, graph::Recurrence::new(cell, readout, Encoding::Scalar, 1).expect("shapes fit"))
}

/// h' = step(z) - step(z - 1) for z = h + x, with steps of slope 2: the parity of the inputs, flat around every state.
fn parity() -> Network {
    let first = affine(2, 4, &[2., 2., 2., 2., 2., 2., 2., 2.], &[-0.5, -1.5, -2.5, -3.5]);
    let second = affine(4, 1, &[1., -1., -1., 1.], &[0.0]);
    let relu = |layers| Mlp { layers, activation: Activation::Relu };
    network(domain(0, 1), Cell::Mlp(relu(vec![first, second])), relu(vec![affine(1, 1, &[1.0], &[0.1])]))
}

/// h' = (x, h0): the output is the sum of the last two inputs, or that of all of them where `keep` is 1.
fn sums(keep: f32) -> Network {
    let relu = |layers| Mlp { layers, activation: Activation::Relu };
    let step = affine(3, 2, &[keep, 1., 0., 0., 1., 0.], &[0.0, 0.0]);
    let weights = if keep == 0.0 { [1.0, 1.0] } else { [1.0, 0.0] };
    network(domain(-50, 50), Cell::Mlp(relu(vec![step])), relu(vec![affine(2, 1, &weights, &[0.0])]))
}

fn language() -> Language {
    Language::load_shipped("recurrent").expect("shipped")
}

fn program(text: &str, network: &Network) -> Term {
    dsl::parse_term(text, &language(), &network.domain.inputs()).expect("sound")
}

fn config() -> ProveConfig<'static> {
    ProveConfig { seed: 0, work: 2e8, length: 60, refuted_beyond: None, deadline: &|| false }
}

fn found(network: &Network, text: &str) -> Option<Proof> {
    prove(network, &program(text, network), &language(), &config()).map(|proofs| proofs.best)
}

const PARITY: &str = "(scan ((s 0 (% (+ s x) 2))) s')";
const LAST_TWO: &str = "(scan ((x_1 0 x)) (+ x x_1))";
const SUM: &str = "(scan ((s 0 (+ s x))) s')";

#[test]
fn a_finite_machine_is_proved_for_all_lengths_in_single_precision() {
    let proof = found(&parity(), PARITY).expect("the network is flat around its states");
    assert_eq!((proof.length, proof.arithmetic), (None, Arithmetic::Float32));
    assert!(matches!(proof.regions, Regions::Boxes(_)));
}

/// [`parity`], beside a spiral that turns by 45 degrees and shrinks by a tenth in every step, pushed by the inputs, which
/// the output reads faintly: no box around it is mapped into itself in one step, whatever the basis.
fn spiral() -> Network {
    let turn = 0.9 * std::f32::consts::FRAC_1_SQRT_2;
    #[rustfmt::skip]
    let first = affine(4, 7, &[
        2., 2., 2., 2., 0., 0., 0.,
        0., 0., 0., 0., 1., 0., 0.,
        0., 0., 0., 0., 0., 1., 0.,
        2., 2., 2., 2., 0., 0., 1.,
    ], &[-0.5, -1.5, -2.5, -3.5, 10., 10., 0.]);
    #[rustfmt::skip]
    let second = affine(7, 3, &[
        1., 0., 0.,
        -1., 0., 0.,
        -1., 0., 0.,
        1., 0., 0.,
        0., turn, turn,
        0., -turn, turn,
        0., 0.1, 0.,
    ], &[0., 0., -20. * turn]);
    let relu = |layers| Mlp { layers, activation: Activation::Relu };
    network(domain(0, 1), Cell::Mlp(relu(vec![first, second])), relu(vec![affine(3, 1, &[1., 0.02, 0.02], &[0.])]))
}

#[test]
fn what_shrinks_only_over_several_steps_is_followed_over_them() {
    let Proof { length, regions: Regions::Boxes(boxes), .. } = found(&spiral(), PARITY).expect("forgets") else {
        panic!("boxes were expected");
    };
    assert_eq!(length, None);
    assert!(boxes.nodes.iter().skip(1).any(|node| node.region.is_empty()), "some nodes are passed through");
    // A region too small for what arrives after several steps is refused.
    let gap = Err("none is claimed");
    let proof =
        |regions| Proof { arithmetic: Arithmetic::Float32, length: None, gap, regions: Regions::Boxes(regions) };
    let check = |boxes: Boxes| verify(&spiral(), &program(PARITY, &spiral()), &language(), &proof(boxes));
    assert_eq!(check(boxes.clone()), Ok(()));
    let mut small = boxes.clone();
    let at = small.nodes.iter().rposition(|node| !node.region.is_empty()).expect("regions");
    small.nodes[at].region.iter_mut().for_each(|side| *side = [side[0] / 2.0, side[1] / 2.0]);
    assert!(matches!(check(small), Err(Refused::Fails(_))));
    // Nothing is proved of nodes that never reach a region.
    let mut endless = boxes;
    endless.nodes.iter_mut().for_each(|node| node.region.clear());
    assert!(matches!(check(endless), Err(Refused::Shape(_))));
}

#[test]
fn a_wide_window_is_proved_without_listing_its_states() {
    let proof = found(&sums(0.0), LAST_TWO).expect("linear");
    assert_eq!((proof.length, proof.arithmetic), (None, Arithmetic::Float32));
    assert!(matches!(proof.regions, Regions::Moving(_)));
}

/// h' = 1 - h + x / 2^30: the parity of the index, with a trace of the inputs that is never forgotten.
#[test]
fn a_drift_that_inputs_cause_is_bounded_for_a_long_time() {
    let relu = |layers| Mlp { layers, activation: Activation::Relu };
    let step = affine(2, 1, &[-1.0, 1.0 / 1_073_741_824.0], &[1.0]);
    let network = network(domain(0, 1), Cell::Mlp(relu(vec![step])), relu(vec![affine(1, 1, &[-1.0], &[1.0])]));
    let proof = found(&network, "(scan ((y 1 (- 1 y))) y')").expect("nearly exact");
    assert!(proof.length.expect("it drifts") > 1_000, "{:?}", proof.length);
}

#[test]
fn an_unbounded_sum_is_proved_for_a_length_only() {
    let proof = found(&sums(1.0), SUM).expect("exact for a while");
    let length = proof.length.expect("single precision cannot count for ever");
    assert!(length >= 100, "{length}");
    let longer = Proof { length: Some(20 * length), ..proof };
    let network = sums(1.0);
    assert!(matches!(verify(&network, &program(SUM, &network), &language(), &longer), Err(Refused::Fails(_))));
}

#[test]
fn what_is_not_so_is_not_proved() {
    // How long each is right: the outputs after no, one or two elements.
    let wrong = [
        ("(scan ((s 0 (% (+ s x) 2))) (- 1 s'))", 0),
        ("(scan ((s 1 (% (+ s x) 2))) s')", 0),
        ("x", 1),
        ("(scan ((s 0 (max s x))) s')", 1),
        ("(scan ((x_1 0 x)) (!= x x_1))", 2),
    ];
    for (text, right) in wrong {
        let length = found(&parity(), text).map_or(0, |proof| proof.length.unwrap_or(usize::MAX));
        assert!(length <= right, "{text}: {length}");
    }
    assert_eq!(found(&sums(0.0), "(scan ((x_1 0 x)) (- x x_1))").and_then(|proof| proof.length), Some(1));
}

#[test]
fn certificates_that_were_tampered_with_are_refused() {
    let network = parity();
    let term = program(PARITY, &network);
    let proof = found(&network, PARITY).expect("proved");
    let Regions::Boxes(boxes) = proof.regions.clone() else { panic!("boxes") };
    let refused = |change: &dyn Fn(&mut Boxes)| {
        let mut changed = boxes.clone();
        change(&mut changed);
        let changed = Proof { regions: Regions::Boxes(changed), ..proof.clone() };
        assert!(verify(&network, &term, &language(), &changed).is_err(), "{changed:?}");
    };
    refused(&|boxes| boxes.nodes.clear());
    refused(&|boxes| boxes.nodes[0].state = vec![1]);
    refused(&|boxes| boxes.nodes[1].state = vec![1 - boxes.nodes[1].state[0]]);
    refused(&|boxes| boxes.nodes[0].next.reverse());
    refused(&|boxes| boxes.nodes[0].next[1] = 1_000_000);
    refused(&|boxes| boxes.nodes[1].basis = 7);
    refused(&|boxes| boxes.nodes[1].region = Vec::new());
    refused(&|boxes| boxes.nodes[1].region = vec![[0.4, 0.6]]);
    refused(&|boxes| boxes.nodes[1].region = vec![[f64::NAN, f64::NAN]]);
    refused(&|boxes| boxes.nodes.iter_mut().for_each(|node| node.region = vec![[-0.6, 1.6]]));
    refused(&|boxes| boxes.bases[0] = vec![2.0]);
    // The same certificate for another program, and for another network.
    let other = program("(scan ((s 0 (% (+ s x) 2))) (- 1 s'))", &network);
    assert!(verify(&network, &other, &language(), &proof).is_err());
    let cell = parity().recurrence().expect("recurrent").cell().clone();
    let readout = Mlp { layers: vec![affine(1, 1, &[1.0], &[0.6])], activation: Activation::Relu };
    let shifted = super::tests::network(domain(0, 1), cell, readout);
    assert!(verify(&shifted, &term, &language(), &proof).is_err());
}

#[test]
fn a_moving_box_that_was_tampered_with_is_refused() {
    let network = sums(0.0);
    let term = program(LAST_TWO, &network);
    let proof = found(&network, LAST_TWO).expect("proved");
    let Regions::Moving(moving) = proof.regions.clone() else { panic!("moving") };
    let refused = |change: &dyn Fn(&mut Moving)| {
        let mut changed = moving.clone();
        change(&mut changed);
        let changed = Proof { regions: Regions::Moving(changed), ..proof.clone() };
        assert!(verify(&network, &term, &language(), &changed).is_err());
    };
    refused(&|moving| moving.matrix[0] += 0.1);
    refused(&|moving| moving.offsets.iter_mut().for_each(|offset| offset[0] += 1.0));
    refused(&|moving| moving.offsets.clear());
    refused(&|moving| moving.region.iter_mut().for_each(|side| *side = [0.0, 0.0]));
    refused(&|moving| moving.region.iter_mut().for_each(|side| *side = [-9.0, 9.0]));
    refused(&|moving| moving.ranges[0] = [0, 1]);
    refused(&|moving| moving.basis[0] = 0.5);
    let other = program("(scan ((x_1 0 x)) (+ x (+ x_1 1)))", &network);
    assert!(verify(&network, &other, &language(), &proof).is_err());
}

/// A network that forgets everything in two steps maps a box onto its very bounds, unless the box has room.
#[test]
fn a_moving_box_leaves_room_for_other_roundings() {
    let network = sums(0.0);
    let proof = found(&network, LAST_TWO).expect("proved");
    let Regions::Moving(mut moving) = proof.regions.clone() else { panic!("moving") };
    for side in &mut moving.region {
        let less = 2e-7 * (side[1] - side[0]);
        *side = [side[0] + less, side[1] - less];
    }
    let narrower = Proof { regions: Regions::Moving(moving), ..proof };
    assert_eq!(verify(&network, &program(LAST_TWO, &network), &language(), &narrower), Ok(()));
}

/// A gated cell that forgets everything: the output is the sign of the input.
#[test]
fn cells_with_gates_are_proved_too() {
    let input = affine(1, 3, &[0.0, 0.0, 30.0], &[0.0, -30.0, 0.0]);
    let hidden = affine(1, 3, &[0.0, 0.0, 0.1], &[0.0, 0.0, 0.0]);
    let cell = Cell::Gru(vec![GateLayer { input, hidden }]);
    let readout = Mlp { layers: vec![affine(1, 1, &[1.0], &[0.0])], activation: Activation::Tanh };
    let network = network(domain(-1, 1), cell, readout);
    let proof = found(&network, "x").expect("a state for every input");
    assert_eq!(proof.length, None);
}

#[test]
fn the_shortest_difference_is_found() {
    // A leak: the sum of all inputs loses a hundredth at every step, so that 50 is read as 49 once it has lost 0.5.
    let network = sums(0.99);
    let term = program(SUM, &network);
    let shown = beyond(&network, &term, &language(), 60, (0, &|| false)).expect("runs").expect("recurrent");
    let departure = shown.departure.expect("it leaks");
    assert_eq!(departure.position, 2, "{departure:?}");
    let config = ProveConfig { refuted_beyond: Some(departure.position), ..config() };
    let proofs = prove(&network, &term, &language(), &config).expect("two elements are right");
    assert_eq!(proofs.float32(), Some(1), "50 and 50 lose exactly a half");
}

// --- proofs by a solver ---------------------------------------------------------------------------------------------

/// h' = max(x0, x1), by a layer that keeps nothing: -500 to 500, more pairs than a certificate lists.
fn larger(bend: f32) -> Network {
    let relu = |layers| Mlp { layers, activation: Activation::Relu };
    let first = affine(3, 2, &[0., 0., 1., 0., -1., 1.], &[0.0, 500.0]);
    let second = affine(2, 1, &[bend, 1.0], &[-500.0]);
    let domain = Domain { elements: Elements::Integers { dim: 2, lo: -500, hi: 500 }, ..domain(0, 1) };
    let cell = Cell::Mlp(relu(vec![first, second]));
    let readout = relu(vec![affine(1, 1, &[1.0], &[0.0])]);
    Network::recurrent(domain, graph::Recurrence::new(cell, readout, Encoding::Scalar, 2).expect("shapes fit"))
}

/// h' = max(h, x) for x from 0 to `hi`: neither listed nor affine.
fn running_maximum(hi: i64) -> Network {
    let relu = |layers| Mlp { layers, activation: Activation::Relu };
    let first = affine(2, 2, &[-1., 1., 1., 0.], &[0.0, 0.0]);
    let second = affine(2, 1, &[1.0, 1.0], &[0.0]);
    network(domain(0, hi), Cell::Mlp(relu(vec![first, second])), relu(vec![affine(1, 1, &[1.0], &[0.1])]))
}

const MAXIMUM: &str = "(scan ((y 0 (max y x))) y')";

fn asking(length: usize) -> AskConfig<'static> {
    AskConfig { length, resources: 5_000_000, deadline: &|| false }
}

fn asked(network: &Network, text: &str, length: usize) -> Asked {
    ask(network, &program(text, network), &language(), &asking(length)).expect("piecewise linear")
}

#[test]
fn a_solver_proves_what_no_certificate_lists() {
    let network = larger(1.0);
    assert!(found(&network, "(max x0 x1)").is_none(), "a million pairs, and the program is not affine");
    let Asked { best: Some(proof), float32: None, end: End::Reached } = asked(&network, "(max x0 x1)", 6) else {
        panic!("a proof was expected");
    };
    assert_eq!((proof.length, proof.arithmetic), (None, Arithmetic::Float32));
    assert_eq!(verify(&network, &program("(max x0 x1)", &network), &language(), &proof), Ok(()));

    let network = running_maximum(2000);
    let Asked { best: Some(proof), end: End::Reached, .. } = asked(&network, MAXIMUM, 5) else {
        panic!("a proof was expected");
    };
    assert_eq!((proof.length, proof.arithmetic), (Some(5), Arithmetic::Float32));
    assert_eq!(verify(&network, &program(MAXIMUM, &network), &language(), &proof), Ok(()));
}

#[test]
fn mutants_of_program_and_network_are_never_proved_and_an_input_shows_why() {
    let differs = |network: &Network, text: &str| {
        let Asked { end: End::Differs { found, clear: true }, .. } = asked(network, text, 4) else {
            panic!("{text} is not what the network computes");
        };
        assert_ne!(found.network, found.program);
        let run = run_network(network)(&found.input).expect("runs");
        assert_eq!(run[0].value(found.position), found.network[0], "the input was run");
    };
    let network = running_maximum(2000);
    for mutant in [
        "(scan ((y 0 (min y x))) y')",
        "(scan ((y 1 (max y x))) y')",
        "(scan ((y 0 (max y x))) y)",
        "(scan ((y 0 (max y (min x 1999)))) y')",
        "(scan ((y 0 (max y x))) (ite (= y' 777) 0 y'))",
        "(scan ((y 0 (max y x))) (// (* y' 5) (- 1234 y')))",
    ] {
        differs(&network, mutant);
    }
    differs(&larger(0.998), "(max x0 x1)");
    assert!(matches!(asked(&larger(1.0), "(max x0 (max x1 -499))", 1).end, End::Differs { .. }));
}

#[test]
fn a_limit_of_the_solver_is_undecided() {
    let network = running_maximum(2000);
    let config = AskConfig { resources: 20, ..asking(4) };
    let asked = ask(&network, &program(MAXIMUM, &network), &language(), &config).expect("piecewise linear");
    assert!(asked.best.is_none());
    assert!(matches!(asked.end, End::Undecided { length: 1, .. }), "{:?}", asked.end);
    let config = AskConfig { deadline: &|| true, ..asking(4) };
    let asked = ask(&network, &program(MAXIMUM, &network), &language(), &config).expect("piecewise linear");
    assert!(matches!((asked.best, asked.end), (None, End::Undecided { .. })));
}

#[test]
fn a_question_that_was_changed_is_refused() {
    let network = running_maximum(300);
    let term = program(MAXIMUM, &network);
    let proof = asked(&network, MAXIMUM, 3).best.expect("a proof");
    let Regions::Question(question) = &proof.regions else { panic!("a question was expected") };
    let refused = |proof: Proof| verify(&network, &term, &language(), &proof).is_err();
    let with = |question: Question| Proof { regions: Regions::Question(question), ..proof.clone() };
    assert!(!refused(proof.clone()));
    assert!(refused(Proof { length: Some(4), ..proof.clone() }));
    assert!(refused(Proof { length: None, ..proof.clone() }));
    assert!(refused(Proof { length: Some(usize::MAX), ..proof.clone() }));
    assert!(refused(Proof { arithmetic: Arithmetic::Real, ..proof.clone() }));
    assert!(refused(Proof { gap: proof.gap.map(|gap| gap / 2.0), ..proof.clone() }));
    assert!(refused(with(Question { text: format!("{}(assert false)\n", question.text), ..question.clone() })));
    assert!(refused(with(Question { resources: 10, ..question.clone() })), "the solver does not get to an answer");
    // The same text does not do for another program or network.
    let other = program("(scan ((y 0 (max y (+ x 1)))) y')", &network);
    assert!(verify(&network, &other, &language(), &proof).is_err());
    assert!(verify(&running_maximum(301), &term, &language(), &proof).is_err());
}

/// What is exactly on the border of rounding differs over the reals, and no run shows it.
#[test]
fn a_difference_over_the_reals_alone_is_told_apart() {
    let relu = |layers| Mlp { layers, activation: Activation::Relu };
    let cell = Cell::Mlp(relu(vec![affine(2, 1, &[0., 1.], &[0.0])]));
    let network = network(domain(1, 9000), cell, relu(vec![affine(1, 1, &[1.0], &[-0.5])]));
    let asked = asked(&network, "x", 1);
    assert!(asked.best.is_none());
    assert!(matches!(asked.end, End::DiffersOverReals(_)), "{:?}", asked.end);
}

#[test]
fn what_may_leave_64_bits_or_is_not_piecewise_linear_is_not_asked() {
    let network = running_maximum(2000);
    let cube = "(scan ((y 0 (* x (* x x)))) (% (* y' y') 2))";
    assert!(matches!(ask(&network, &program(cube, &network), &language(), &asking(2)), Err(Refused::Program(_))));
    let smooth = |layers| Mlp { layers, activation: Activation::Tanh };
    let cell = Cell::Mlp(smooth(vec![affine(2, 1, &[0., 1.], &[0.0]), affine(1, 1, &[1.], &[0.0])]));
    let tanh = super::tests::network(domain(0, 1), cell, smooth(vec![affine(1, 1, &[1.0], &[0.0])]));
    assert!(matches!(ask(&tanh, &program("x", &tanh), &language(), &asking(2)), Err(Refused::Unsupported(_))));
}
