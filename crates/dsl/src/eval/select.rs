//! Selections as bit masks: one bit per position, `width` words per point.

use std::ops::Range;

use rustc_hash::FxHashMap;
use samples::{Sort, UNDEFINED, Value, encode_value};

use crate::kernel::Kernel;

use super::{EvalError, Lane, Space};

/// Kernel functions of selectors.
pub(super) fn apply(
    kernel: Kernel,
    args: &[Lane<'_>],
    space: &Space<'_>,
    out: &mut Vec<i64>,
) -> Result<(Sort, usize), EvalError> {
    let selector = args[0];
    let wrong = |lane: Lane<'_>| EvalError::WrongSort { func: kernel.name().into(), found: lane.sort };
    if selector.sort != Sort::Selector {
        return Err(wrong(selector));
    }
    match kernel {
        Kernel::Width => {
            let count = |words: &[i64]| words.iter().map(|word| i64::from(word.count_ones())).sum::<i64>();
            out.extend(selector.codes.chunks(selector.width.max(1)).map(count));
            return Ok((Sort::Int, 1));
        }
        Kernel::SelAnd | Kernel::SelOr => {
            let other = args[1];
            if other.sort != Sort::Selector || other.width != selector.width {
                return Err(wrong(other));
            }
            let both = selector.codes.iter().zip(other.codes);
            if kernel == Kernel::SelAnd {
                out.extend(both.map(|(a, b)| a & b));
            } else {
                out.extend(both.map(|(a, b)| a | b));
            }
            return Ok((Sort::Selector, selector.width));
        }
        _ => {}
    }
    let ranges = space.ranges.ok_or_else(|| EvalError::NotPointwise(kernel.name().into()))?;
    if kernel == Kernel::SelNot {
        for range in ranges {
            for point in range.clone() {
                let visible = if space.causal { point - range.start + 1 } else { range.len() };
                let words = &selector.codes[point * selector.width..(point + 1) * selector.width];
                out.extend(words.iter().enumerate().map(|(w, word)| !word & low_bits(visible, w)));
            }
        }
        return Ok((Sort::Selector, selector.width));
    }
    let values = args[1];
    let needs_number = matches!(kernel, Kernel::Mean | Kernel::Least | Kernel::Greatest);
    let no_number = matches!(values.sort, Sort::Symbol | Sort::Enum(_));
    if matches!(values.sort, Sort::Selector | Sort::BitVec(_)) || (needs_number && no_number) {
        return Err(wrong(values));
    }
    for range in ranges {
        for point in range.clone() {
            let words = &selector.codes[point * selector.width..(point + 1) * selector.width];
            let own = &values.codes[range.clone()];
            out.push(match kernel {
                Kernel::Copy => copy(words, own, values.sort),
                Kernel::Mean => mean(words, own, values.sort),
                Kernel::Mode => mode(words, own),
                _ => extreme(words, own, values.sort, kernel == Kernel::Least),
            });
        }
    }
    Ok((if kernel == Kernel::Mean { Sort::Real } else { values.sort }, 1))
}

/// The positions of a mask, ascending.
fn positions(words: &[i64]) -> impl Iterator<Item = usize> + '_ {
    words.iter().enumerate().flat_map(|(w, &word)| {
        let mut rest = word as u64;
        std::iter::from_fn(move || {
            let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
            rest &= rest - 1;
            Some(64 * w + bit)
        })
    })
}

/// Word `w` of the mask of the first `n` positions.
fn low_bits(n: usize, w: usize) -> i64 {
    match n.saturating_sub(64 * w) {
        0 => 0,
        bits if bits >= 64 => -1,
        bits => (1 << bits) - 1,
    }
}

fn copy(words: &[i64], values: &[i64], sort: Sort) -> i64 {
    let mut chosen = positions(words).map(|position| values[position]);
    let Some(first) = chosen.next() else { return UNDEFINED };
    if first != UNDEFINED && chosen.all(|value| value == first) {
        return first;
    }
    if sort == Sort::Real { mean(words, values, sort) } else { UNDEFINED }
}

fn mean(words: &[i64], values: &[i64], sort: Sort) -> i64 {
    let (mut sum, mut n) = (0.0, 0_u32);
    for position in positions(words) {
        let code = values[position];
        if code == UNDEFINED {
            return UNDEFINED;
        }
        sum += if sort == Sort::Real { f64::from_bits(code as u64) } else { code as f64 };
        n += 1;
    }
    if n == 0 { 0 } else { encode_value(Value::Real(sum / f64::from(n))) }
}

/// The least or the greatest of the defined values; undefined where there is none.
fn extreme(words: &[i64], values: &[i64], sort: Sort, least: bool) -> i64 {
    let chosen = positions(words).map(|position| values[position]).filter(|&code| code != UNDEFINED);
    // The codes of reals are not in the order of the reals.
    let before = |a: i64, b: i64| match sort {
        Sort::Real => (f64::from_bits(a as u64) < f64::from_bits(b as u64)) == least,
        _ => (a < b) == least,
    };
    chosen.reduce(|best, code| if code != best && before(code, best) { code } else { best }).unwrap_or(UNDEFINED)
}

/// The most frequent of the defined values, of several the one that comes first; undefined where there is none.
fn mode(words: &[i64], values: &[i64]) -> i64 {
    let mut counts: Vec<(i64, u32)> = Vec::new();
    let mut places: FxHashMap<i64, usize> = FxHashMap::default();
    for code in positions(words).map(|position| values[position]).filter(|&code| code != UNDEFINED) {
        let place = *places.entry(code).or_insert_with(|| {
            counts.push((code, 0));
            counts.len() - 1
        });
        counts[place].1 += 1;
    }
    let best = counts.iter().map(|(_, n)| *n).max();
    counts.iter().find(|(_, n)| Some(*n) == best).map_or(UNDEFINED, |(code, _)| *code)
}

/// The masks of a select, for a predicate that compares codes directly.
pub(super) fn compare(
    key: &[i64],
    query: &[i64],
    ranges: &[Range<usize>],
    causal: bool,
    width: usize,
    test: impl Fn(i64, i64) -> bool,
    out: &mut Vec<i64>,
) {
    out.clear();
    for range in ranges {
        let keys = &key[range.clone()];
        for (position, &q) in query[range.clone()].iter().enumerate() {
            let visible = if causal { position + 1 } else { keys.len() };
            let base = out.len();
            out.resize(base + width, 0);
            if q == UNDEFINED {
                continue;
            }
            for (words, mask) in keys[..visible].chunks(64).zip(&mut out[base..]) {
                let mut bits = 0_u64;
                for (j, &k) in words.iter().enumerate() {
                    bits |= u64::from(k != UNDEFINED && test(k, q)) << j;
                }
                *mask = bits as i64;
            }
        }
    }
}

/// The masks of a select whose predicate is given by the set of pairs (key, query) that it holds of: as a matrix over
/// dense ids of the different codes.
pub(super) fn by_matrix(
    (key, query): (&[u32], &[u32]),
    (matrix, n_queries): (&[bool], usize),
    ranges: &[Range<usize>],
    causal: bool,
    width: usize,
    out: &mut Vec<i64>,
) {
    out.clear();
    for range in ranges {
        let keys = &key[range.clone()];
        for (position, &q) in query[range.clone()].iter().enumerate() {
            let visible = if causal { position + 1 } else { keys.len() };
            let base = out.len();
            out.resize(base + width, 0);
            for (words, mask) in keys[..visible].chunks(64).zip(&mut out[base..]) {
                let mut bits = 0_u64;
                for (j, &k) in words.iter().enumerate() {
                    bits |= u64::from(matrix[k as usize * n_queries + q as usize]) << j;
                }
                *mask = bits as i64;
            }
        }
    }
}

/// Dense ids of the different codes of a column, in order of first appearance.
pub(super) fn dense(codes: &[i64]) -> (Vec<u32>, Vec<i64>) {
    let mut ids: FxHashMap<i64, u32> = FxHashMap::default();
    let mut different = Vec::new();
    let dense = codes
        .iter()
        .map(|&code| {
            *ids.entry(code).or_insert_with(|| {
                different.push(code);
                different.len() as u32 - 1
            })
        })
        .collect();
    (dense, different)
}
