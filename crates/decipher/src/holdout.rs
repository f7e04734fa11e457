//! Recorded inputs in two halves: one on which hypotheses are found, ranked and chosen, one on which they are judged.
//!
//! What was chosen among many on some inputs looks better there than it is. Where inputs are drawn afresh the judges draw
//! their own; recorded ones are all that there are, so that half of them are kept from everything before the judgement. Equal
//! sequences stay together: a copy of what a hypothesis was found on tells nothing of it.

use graph::Network;
use rand::seq::SliceRandom as _;
use samples::{Batch, Elements, rng};

/// A network with the inputs that hypotheses are found on, and the same with those that they are judged on.
#[derive(Clone, Debug)]
pub struct Halves {
    /// For finding and choosing.
    pub find: Network,
    /// For judging.
    pub judge: Network,
}

impl Halves {
    /// Divides the recorded inputs at random, as many different ones in each; other domains are as they are in both.
    pub fn of(network: &Network, seed: u64) -> Self {
        let (mut find, mut judge) = (network.clone(), network.clone());
        if let Elements::Recorded { inputs, .. } = &network.domain.elements
            && let Some((first, second)) = divided(inputs, seed)
        {
            find.domain.elements = some(&network.domain.elements, &first);
            judge.domain.elements = some(&network.domain.elements, &second);
        }
        Self { find, judge }
    }
}

/// The rows of two halves with as many different sequences each, up to one; `None` where all are equal.
fn divided(inputs: &Batch, seed: u64) -> Option<(Vec<usize>, Vec<usize>)> {
    let equal = inputs.equal_sequences();
    let mut order: Vec<usize> = (0..equal.n_classes()).collect();
    order.shuffle(&mut rng(seed, "halves of the recorded inputs"));
    let mut is_first = vec![false; order.len()];
    order[..order.len() / 2].iter().for_each(|&class| is_first[class] = true);
    let halves = (0..inputs.n_sequences()).partition(|&row| is_first[equal.classes()[row] as usize]);
    (order.len() > 1).then_some(halves)
}

/// Some of the recorded sequences; other domains as they are.
fn some(elements: &Elements, rows: &[usize]) -> Elements {
    let Elements::Recorded { vocab, inputs, scored } = elements else { return elements.clone() };
    let points = inputs.points();
    let scored = rows.iter().flat_map(|&row| points.range(row)).filter_map(|point| scored.get(point).copied());
    Elements::Recorded { vocab: vocab.clone(), inputs: inputs.select(rows), scored: scored.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sequences_stay_together() {
        let sequences: Vec<Vec<i64>> = (0..40).map(|row| vec![row % 10, row % 5]).collect();
        let inputs = Batch::from_sequences(1, sequences);
        let (find, judge) = divided(&inputs, 3).expect("there are several");
        assert_eq!((find.len(), judge.len()), (20, 20));
        let says = |rows: &[usize]| inputs.select(rows).equal_sequences().n_classes();
        assert_eq!((says(&find), says(&judge)), (5, 5));
        assert!(divided(&inputs.select(&[0, 10, 20]), 3).is_none());
    }

    #[test]
    fn halves_keep_each_sequence_with_what_counts_of_it() {
        let sequences: Vec<Vec<i64>> = (1..=9).map(|n| (0..n).collect()).collect();
        let inputs = Batch::from_sequences(1, sequences);
        let points = inputs.points();
        // What counts is the last element of each.
        let scored = (0..points.len()).map(|point| points.range(points.locate(point).0).end == point + 1).collect();
        let all = Elements::Recorded { vocab: Vec::new(), inputs, scored };
        let Elements::Recorded { inputs, scored, .. } = some(&all, &[1, 4, 8]) else { panic!("they stay recorded") };
        assert_eq!((0..3).map(|row| inputs.length(row)).collect::<Vec<_>>(), [2, 5, 9]);
        let counted: Vec<usize> = (0..scored.len()).filter(|&point| scored[point]).collect();
        assert_eq!(counted, [1, 6, 15]);
    }
}
