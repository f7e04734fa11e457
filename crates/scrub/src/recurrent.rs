//! Scrubbing a recurrent network: the hidden state after every element carries the variables, and nothing else.
//!
//! The network unrolled in time is a chain, so the treeified computation of an output is a chain too: at every step the
//! state that the next step reads comes from another sequence on which the variables have the same values, and the
//! state that the read-out reads from one on which the program has the same output. Doing this for all sequences of a batch at once, step by step, gives
//! every sequence an independent draw at every occurrence.

use graph::{Matrix, Recurrence};
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

/// The sizes of the classes that the next step draws from.
pub(crate) fn sizes(classes: &[(Classes, Classes)]) -> ClassSizes {
    let mut sizes = ClassSizes::default();
    classes.iter().for_each(|(carried, _)| sizes.add(carried));
    sizes
}
