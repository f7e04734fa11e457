//! Identities that scrubbing must show on networks whose mechanism is known.

use graph::{Activation, Affine, Cell, Encoding, Matrix, Mlp, Recurrence};
use samples::{Batch, Column, Decode, Domain, Elements, Sort};

use super::*;

/// Keeps the last two inputs, outputs their sum; a third unit sums all inputs and nobody reads it.
fn last_two() -> Recurrence {
    let linear = |rows, cols, data: &[f32]| Mlp {
        layers: vec![Affine { weight: Matrix::new(rows, cols, data.to_vec()), bias: vec![0.0; cols] }],
        activation: Activation::Relu,
    };
    #[rustfmt::skip]
    let step = linear(4, 3, &[
        0., 1., 0.,
        0., 0., 0.,
        0., 0., 1.,
        1., 0., 1.,
    ]);
    Recurrence::new(Cell::Mlp(step), linear(3, 1, &[1., 1., 0.]), Encoding::Scalar, 1).expect("shapes fit")
}

fn inputs() -> Batch {
    let domain = Domain {
        elements: Elements::Integers { dim: 1, lo: 0, hi: 3 },
        length: (6, 6),
        decode: Decode::Round,
        n_outputs: 1,
    };
    domain.sample_uniform(600, &mut rng(5, "test"))
}

fn column(value: impl Fn(&[i64], usize) -> i64) -> Column {
    let batch = inputs();
    let of_row = |row| {
        let sequence = batch.sequence(row).to_vec();
        (0..6).map(|at| value(&sequence, at)).collect::<Vec<_>>()
    };
    Column::new(Sort::Int, (0..batch.n_sequences()).flat_map(of_row).collect())
}

/// What scrubbing reaches, the sizes of the classes, and controls.
fn run(carried: &[Column]) -> (Effect, ClassSizes, Families) {
    let config = ScrubConfig { controls: 19, ..ScrubConfig::default() };
    let shown = column(|x, at| x[at] + if at == 0 { 0 } else { x[at - 1] });
    let net = last_two();
    let chain = Chain::new(&net, &Decode::Round, inputs(), carried.to_vec(), vec![shown], 0);
    let effect = chain.effect(config.bootstrap).expect("outputs differ");
    (effect, chain.sizes(), chain.controls(None, &config).expect("outputs differ"))
}

#[test]
fn the_true_hypothesis_recovers_everything_and_beats_its_controls() {
    let (effect, classes, controls) = run(&[column(|x, at| x[at])]);
    assert_eq!((effect.recovered, effect.interval, effect.matches), (1.0, (1.0, 1.0), 1.0));
    assert_eq!(controls.columns.p_value, 1.0 / 20.0);
    assert!((controls.columns.null_mean - 0.5).abs() < 0.2, "{controls:?}");
    assert_eq!(classes.vacuous_share(), 0.0);
}

#[test]
fn without_a_variable_half_is_lost() {
    // The output has the right current input and a random previous one.
    for carried in [vec![], vec![column(|_, _| 0)]] {
        let (effect, _, controls) = run(&carried);
        assert!((effect.recovered - 0.5).abs() < 0.2, "{effect:?}");
        // Where nothing is claimed to be carried, controls permute the outputs, and do worse.
        assert_eq!(controls.columns.p_value > 0.05, !carried.is_empty());
    }
}

#[test]
fn a_variable_that_names_every_input_is_vacuous() {
    let named = column(|x, _| x.iter().fold(0, |name, v| 4 * name + v));
    let (_, classes, _) = run(std::slice::from_ref(&named));
    assert!(classes.vacuous_share() > 0.5, "{classes:?}");
    let net = last_two();
    // Inputs that are all different, and the last of them twice.
    let batch = Batch::from_sequences(1, [[0_i64, 1, 2], [1, 1, 0], [2, 0, 3], [3, 2, 1], [3, 2, 1]]);
    let name = |row: i64| [row.min(3); 3];
    let own = Column::new(Sort::Int, (0..5).flat_map(name).collect());
    let chain = |rows: &[usize]| {
        let points: Vec<usize> = rows.iter().flat_map(|row| 3 * row..3 * row + 3).collect();
        let own = own.select(&points);
        Chain::new(&net, &Decode::Round, batch.select(rows), vec![own.clone()], vec![own], 0).effect(0)
    };
    assert!(matches!(chain(&[0, 1, 2, 3]), Err(Error::Vacuous)));
    let effect = chain(&[0, 1, 2, 3, 4]).expect("one has a donor");
    assert_eq!((effect.sequences, effect.outputs), (2, 4), "the first output of a sequence reads no state");
}
