//! Two programs with states, side by side: are they the same on all inputs of any length, and if not, on which shortest
//! input do they differ?

use std::collections::BTreeMap;

use samples::{Batch, Column, Decode, UNDEFINED};

use crate::machine::{Machine, Stepped};
use crate::{Error, agrees};

/// What following two machines together showed.
#[derive(Clone, PartialEq, Debug)]
pub enum Product {
    /// They have the same outputs on inputs of any length over the alphabet: all pairs of states that are reached were
    /// followed.
    Equal {
        /// Pairs of states.
        pairs: usize,
    },
    /// They differ at the last element of this input, and on no shorter one.
    Differ(Batch),
    /// There are more pairs of states than were followed.
    Open {
        /// Those that were.
        pairs: usize,
    },
}

/// The states of both machines; the pair that they were reached from, and by which element.
type Pair = (Vec<i64>, Option<(usize, usize)>);

/// Pairs of states that are stepped at a time, times elements.
const WAVE: usize = 1 << 14;

/// Follows two machines over an alphabet, breadth first, up to a number of pairs of states. Outputs at which the first is
/// undefined do not count.
///
/// # Errors
/// A machine that cannot be evaluated.
pub fn product(
    a: &Machine<'_>,
    b: &Machine<'_>,
    decode: &Decode,
    alphabet: &[Vec<i64>],
    limit: usize,
) -> Result<Product, Error> {
    let dim = alphabet.first().map_or(0, Vec::len);
    if dim == 0 {
        return Ok(Product::Open { pairs: 0 });
    }
    let start = [a.initial(), b.initial()].concat();
    let mut known: BTreeMap<Vec<i64>, usize> = BTreeMap::from([(start.clone(), 0)]);
    let mut pairs: Vec<Pair> = vec![(start, None)];
    let mut done = 0;
    while done < pairs.len() {
        let wave = (pairs.len() - done).min((WAVE / alphabet.len()).max(1));
        let states: Vec<Vec<i64>> = pairs[done..done + wave].iter().map(|pair| pair.0.clone()).collect();
        let split = a.initial().len();
        let of_a = stepped(a, &states, 0..split, alphabet)?;
        let of_b = stepped(b, &states, split..split + b.initial().len(), alphabet)?;
        for at in 0..wave * alphabet.len() {
            let (from, element) = (done + at / alphabet.len(), at % alphabet.len());
            if differ(decode, &of_a.outputs, &of_b.outputs, at) {
                return Ok(Product::Differ(path(&pairs, from, element, alphabet)));
            }
            let next: Vec<i64> = of_a.states.iter().chain(&of_b.states).map(|column| column[at]).collect();
            if !known.contains_key(&next) {
                if pairs.len() >= limit {
                    return Ok(Product::Open { pairs: pairs.len() });
                }
                known.insert(next.clone(), pairs.len());
                pairs.push((next, Some((from, element))));
            }
        }
        done += wave;
    }
    Ok(Product::Equal { pairs: pairs.len() })
}

/// One step of a machine from all states with all elements; its states are a part of those given.
fn stepped(
    machine: &Machine<'_>,
    states: &[Vec<i64>],
    part: std::ops::Range<usize>,
    alphabet: &[Vec<i64>],
) -> Result<Stepped, Error> {
    let column = |k: usize| states.iter().flat_map(|state| std::iter::repeat_n(state[k], alphabet.len())).collect();
    let states_in: Vec<Vec<i64>> = part.map(column).collect();
    let axis = |axis: usize| states.iter().flat_map(|_| alphabet.iter().map(move |element| element[axis])).collect();
    let elements: Vec<Vec<i64>> = (0..alphabet[0].len()).map(axis).collect();
    machine.step(&states_in, &elements)
}

fn differ(decode: &Decode, a: &[Column], b: &[Column], at: usize) -> bool {
    let counts = a.iter().all(|column| column.codes[at] != UNDEFINED);
    counts && (a.len() != b.len() || a.iter().zip(b).any(|(a, b)| !agrees(decode, a.value(at), b.value(at))))
}

/// The input that leads to a pair, and an element after it.
fn path(pairs: &[Pair], mut from: usize, element: usize, alphabet: &[Vec<i64>]) -> Batch {
    let mut elements = vec![element];
    while let Some((before, element)) = pairs[from].1 {
        elements.push(element);
        from = before;
    }
    let sequence: Vec<i64> = elements.iter().rev().flat_map(|&element| alphabet[element].clone()).collect();
    Batch::from_sequences(alphabet[0].len(), [sequence])
}

#[cfg(test)]
mod tests {
    use dsl::Language;
    use samples::{Domain, Elements};

    use super::*;

    #[track_caller]
    fn follow(a: &str, b: &str) -> Product {
        let language = Language::load_shipped("recurrent").expect("it is shipped");
        let elements = Elements::Integers { dim: 1, lo: 0, hi: 1 };
        let domain = Domain { elements, length: (1, 4), decode: Decode::Round, n_outputs: 1 };
        let machine = |text: &str| {
            let term = dsl::parse_term(text, &language, &domain.inputs()).expect(text);
            Machine::new(&term, &language, &domain).expect("a machine")
        };
        product(&machine(a), &machine(b), &Decode::Round, &[vec![0], vec![1]], 100).expect("it runs")
    }

    #[test]
    fn machines_are_equal_or_differ_on_a_shortest_input() {
        let parity = "(scan ((s 0 (% (+ s x) 2))) s')";
        assert_eq!(follow(parity, "(scan ((s 0 (% (- s x) 2))) s')"), Product::Equal { pairs: 2 });
        // Counting to three and parity part at the third one.
        let three = "(scan ((s 0 (% (+ s x) 4))) (ite (< s' 3) (% s' 2) 0))";
        assert_eq!(follow(parity, three), Product::Differ(Batch::from_sequences(1, [[1, 1, 1]])));
        let sum = "(scan ((s 0 (+ s x))) s')";
        assert!(matches!(follow(sum, "(scan ((s 0 (+ x s))) s')"), Product::Open { .. }));
    }
}
