//! Making a counterexample small: fewer elements, simpler values.

use samples::{Batch, Domain, Elements};

/// Rounds of shrinking at most; each takes away or simplifies at least one element.
const ROUNDS: usize = 200;
/// Where the sequences that one round tries would have more elements than this together, elements are taken away by the block,
/// so many of which make up a sequence.
const ROUND_ELEMENTS: usize = 1 << 14;
const BLOCKS: usize = 16;
/// Elements of the sequences that all rounds try, about.
const ELEMENTS: usize = 1 << 23;

/// Shrinks a sequence on which something is wrong at `position` to a smaller one on which something is still wrong.
///
/// `wrong` gives the points of a batch that are wrong. Elements are cut off behind the wrong one, then dropped (from
/// the front first), then replaced by simpler ones (numbers nearer to zero, earlier tokens), as long as the domain
/// allows the sequence. Recorded domains allow no other sequences than theirs: there nothing is changed.
///
/// # Errors
/// Whatever `wrong` returns.
pub fn shrink<E>(
    domain: &Domain,
    input: Batch,
    position: usize,
    wrong: &mut dyn FnMut(&Batch) -> Result<Vec<usize>, E>,
) -> Result<(Batch, usize), E> {
    if matches!(domain.elements, Elements::Recorded { .. }) {
        return Ok((input, position));
    }
    let (mut input, mut position, mut spent) = (input, position, 0);
    for _ in 0..ROUNDS {
        let candidates = smaller(domain, input.sequence(0), position);
        if candidates.is_empty() || spent > ELEMENTS {
            break;
        }
        let batch = Batch::from_sequences(input.dim(), &candidates);
        let points = batch.points();
        spent += points.len();
        // Candidates stand in order of preference, and points in order of candidates.
        let Some(&point) = wrong(&batch)?.first() else { break };
        let (row, at) = points.locate(point);
        (input, position) = (batch.select(&[row]), at);
    }
    Ok((input, position))
}

/// Kinds of candidates for every element: without it, moved, and with up to four other values.
const KINDS: usize = 6;

/// Sequences that are simpler than this one, simplest first. Of long ones elements are taken away by the block, so that few
/// sequences are tried.
fn smaller(domain: &Domain, sequence: &[i64], position: usize) -> Vec<Vec<i64>> {
    let dim = domain.dim().max(1);
    let n_elements = sequence.len() / dim;
    let one_by_one = KINDS * n_elements * n_elements <= ROUND_ELEMENTS;
    let block = if one_by_one { 1 } else { n_elements.div_ceil(BLOCKS) };
    let blocks = |end: usize| (0..end).step_by(block).map(move |at| at..(at + block).min(end));
    let mut found = Vec::new();
    if position + 1 < n_elements {
        found.push(sequence[..(position + 1) * dim].to_vec());
    }
    for block in blocks(n_elements) {
        let mut shorter = sequence.to_vec();
        shorter.drain(block.start * dim..block.end * dim);
        found.push(shorter);
    }
    if n_elements == domain.length.0 {
        // Nothing can be dropped: what stands before the wrong element can at least move behind it, as something simple.
        for block in blocks(position + 1) {
            let mut moved = sequence.to_vec();
            moved.drain(block.start * dim..block.end * dim);
            moved.extend(std::iter::repeat_n(simplest_value(domain), block.len() * dim));
            found.push(moved);
        }
    }
    for place in (0..sequence.len()).step_by(block) {
        for value in simpler_values(domain, sequence[place]) {
            let mut changed = sequence.to_vec();
            changed[place] = value;
            found.push(changed);
        }
    }
    found.retain(|candidate| candidate != sequence && is_legal(domain, candidate));
    found
}

/// The value that reads simplest.
fn simplest_value(domain: &Domain) -> i64 {
    match &domain.elements {
        Elements::Integers { lo, hi, .. } => 0.clamp(*lo, *hi),
        _ => domain.alphabet().first().copied().unwrap_or(0),
    }
}

/// Values that read simpler than `value`: nearer to zero, or earlier in the vocabulary; a few steps at most, since
/// shrinking comes back for more.
fn simpler_values(domain: &Domain, value: i64) -> Vec<i64> {
    let mut values = match &domain.elements {
        Elements::Integers { lo, hi, .. } => {
            let zero = 0.clamp(*lo, *hi);
            vec![zero, 1.clamp(*lo, *hi), zero + (value - zero) / 2, value - (value - zero).signum()]
        }
        _ => {
            let alphabet = domain.alphabet();
            let rank = alphabet.iter().position(|&id| id == value).unwrap_or(0);
            [0, 1, rank / 2, rank.saturating_sub(1)].iter().filter_map(|&r| alphabet.get(r).copied()).collect()
        }
    };
    let simplicity = |v: i64| (v.unsigned_abs(), v < 0);
    values.retain(|&v| simplicity(v) < simplicity(value));
    values.sort_by_key(|&v| simplicity(v));
    values.dedup();
    values
}

fn is_legal(domain: &Domain, sequence: &[i64]) -> bool {
    let n_elements = sequence.len() / domain.dim().max(1);
    if n_elements < domain.length.0.max(1) || n_elements > domain.length.1 {
        return false;
    }
    match &domain.elements {
        Elements::Tokens { distinct: true, .. } => (1..sequence.len()).all(|i| !sequence[..i].contains(&sequence[i])),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use samples::Decode;

    use super::*;

    fn integers(length: (usize, usize)) -> Domain {
        Domain { elements: Elements::Integers { dim: 1, lo: -10, hi: 50 }, length, decode: Decode::Round, n_outputs: 1 }
    }

    #[track_caller]
    fn check(domain: &Domain, wrong: impl Fn(&[i64]) -> Option<usize>, input: &[i64], expected: &[i64]) {
        let mut points = |batch: &Batch| {
            let starts = batch.points();
            let of_row = |row| wrong(batch.sequence(row)).map(|at| starts.range(row).start + at);
            Ok::<_, ()>((0..batch.n_sequences()).filter_map(of_row).collect())
        };
        let position = wrong(input).expect("the input is wrong");
        let (small, at) = shrink(domain, Batch::from_sequences(1, [input]), position, &mut points).expect("no error");
        assert_eq!(small.sequence(0), expected);
        assert_eq!(wrong(expected), Some(at));
    }

    #[test]
    fn keeps_what_matters() {
        let large = |s: &[i64]| s.iter().position(|&v| v > 30);
        check(&integers((1, 9)), large, &[4, 7, 50, 3, 2], &[31]);
        check(&integers((3, 9)), large, &[4, 7, 50, 3, 2], &[31, 0, 0]);
        let falling = |s: &[i64]| (1..s.len()).find(|&i| s[i] < s[i - 1]);
        check(&integers((1, 9)), falling, &[4, 7, 50, 3, 2], &[1, 0]);
    }

    #[test]
    fn moves_the_mistake_forward_where_nothing_can_be_dropped() {
        let third = |s: &[i64]| {
            let counts = (1..=s.len()).map(|n| s[..n].iter().filter(|&&v| v == 1).count());
            counts.clone().position(|count| count == 3)
        };
        check(&integers((6, 6)), third, &[0, 1, 0, 1, 0, 1], &[1, 1, 1, 0, 0, 0]);
    }

    #[test]
    fn long_sequences_shrink_by_the_block() {
        let mut input = vec![3; 4096];
        input[2048] = 40;
        assert!(smaller(&integers((1, 4096)), &input, 2048).len() <= KINDS * BLOCKS);
        check(&integers((1, 4096)), |s| s.iter().position(|&v| v > 30), &input, &[31]);
    }

    #[test]
    fn stays_in_the_domain() {
        let mut domain = integers((2, 4));
        domain.elements = Elements::Tokens {
            vocab: (0..5).map(samples::Value::Int).collect(),
            bos: Some(0),
            pad: None,
            distinct: true,
        };
        check(&domain, |s| s.iter().position(|&v| v == 3), &[4, 3, 2, 1], &[3, 1]);
    }
}
