//! Scrubbing a recurrent network: the hidden state after every element carries the variables, and nothing else.
//!
//! The network unrolled in time is a chain, so the treeified computation of an output is a chain too: at every step the
//! state that the next step reads comes from another sequence on which the variables have the same values, and the
//! state that the read-out reads from one on which the program has the same output. Doing this for all sequences of a batch at once, step by step, gives
//! every sequence an independent draw at every occurrence.

use graph::{Matrix, Recurrence};
use rand::Rng as _;
use samples::Rng;

use crate::classes::{ClassSizes, Classes};

/// Raw outputs, step by step: `[n, outputs]` each.
pub(crate) type Steps = Vec<Matrix>;

/// Input elements, step by step: `[n, dim]` each.
pub(crate) fn elements(batch: &samples::Batch, length: usize) -> Steps {
    let (n, dim) = (batch.n_sequences(), batch.dim());
    (0..length)
        .map(|step| {
            let element = |row| batch.sequence(row)[step * dim..(step + 1) * dim].iter().map(|&v| v as f32);
            Matrix::new(n, dim, (0..n).flat_map(element).collect())
        })
        .collect()
}

/// The outputs as they are.
pub(crate) fn plain(net: &Recurrence, x: &[Matrix]) -> Steps {
    let mut state = net.initial(x.first().map_or(0, |m| m.rows));
    x.iter()
        .map(|x| {
            state = net.step(&state, x);
            net.readout(&state)
        })
        .collect()
}

/// The outputs when every state comes from a donor of its class at that step: the first class for the next step, the
/// second for the read-out.
pub(crate) fn scrubbed(net: &Recurrence, x: &[Matrix], classes: &[(Classes, Classes)], rng: &mut Rng) -> Steps {
    let mut state = net.initial(x.first().map_or(0, |m| m.rows));
    x.iter()
        .zip(classes)
        .map(|(x, (carried, shown))| {
            let next = net.step(&state, x);
            let output = net.readout(&next.select(&shown.draw(rng)));
            state = next.select(&carried.draw(rng));
            output
        })
        .collect()
}

/// Outputs as they are read: rounded where the domain says so.
pub(crate) fn read(mut steps: Steps, decode: &samples::Decode) -> Steps {
    if matches!(decode, samples::Decode::Round) {
        steps.iter_mut().for_each(|y| y.data.iter_mut().for_each(|v| *v = v.round()));
    }
    steps
}

/// Uniform sequences of `kinds` different elements of the domain, the same ones for all.
pub(crate) fn few_elements(network: &graph::Network, n: usize, kinds: usize, seed: u64) -> samples::Batch {
    let mut rng = samples::rng(seed, "scrub few elements");
    let length = check::longest_length(&network.domain);
    let chosen = network.domain.sample_of_length(1, kinds, &mut rng);
    let dim = chosen.dim();
    let pick = |rng: &mut Rng| -> Vec<i64> {
        (0..length)
            .flat_map(|_| chosen.sequence(0).chunks(dim).nth(rng.random_range(0..kinds)))
            .flatten()
            .copied()
            .collect()
    };
    samples::Batch::from_sequences(dim, (0..n).map(|_| pick(&mut rng)))
}

/// The sizes of the classes that the next step draws from.
pub(crate) fn sizes(classes: &[(Classes, Classes)]) -> ClassSizes {
    let mut sizes = ClassSizes::default();
    classes.iter().for_each(|(carried, _)| sizes.add(carried));
    sizes
}
