//! Valuations to begin with: all of them where there are few, else corners, small numbers, constants of the file and
//! random ones.

use dsl::{Node, Term};
use rand::Rng as _;
use samples::{Rng, Sort, Symbol, Value, mask, rng};

/// Inputs up to which all of them are taken.
const ALL_LIMIT: u64 = 1 << 12;

/// The constants in formulas, by first occurrence.
pub(crate) fn constants(formulas: &[Term]) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    let mut seen = rustc_hash::FxHashSet::default();
    let mut stack: Vec<Term> = formulas.iter().rev().cloned().collect();
    while let Some(term) = stack.pop() {
        if !seen.insert(term.address()) {
            continue;
        }
        match term.node() {
            Node::Const(value) if !out.contains(value) => out.push(*value),
            Node::App(_, args) => stack.extend(args.iter().rev().cloned()),
            _ => {}
        }
    }
    out
}

/// About `n` valuations, a code for each variable, the same for the same seed; all of them where there are few. Variables
/// that do not matter get one value only.
pub(crate) fn sample(
    variables: &[(Symbol, Sort)],
    relevant: &[Symbol],
    constants: &[Value],
    n: usize,
    seed: u64,
) -> Vec<Vec<i64>> {
    let matters = |name: &Symbol| relevant.contains(name);
    let size = |(name, sort): &(Symbol, Sort)| match sort {
        _ if !matters(name) => Some(1),
        Sort::Bool => Some(2),
        Sort::BitVec(width) => 1_u64.checked_shl(u32::from(*width)),
        _ => None,
    };
    let total = variables.iter().map(size).try_fold(1_u64, |total, size| total.checked_mul(size?));
    if let Some(total) = total.filter(|&total| total <= ALL_LIMIT) {
        let row = |mut number: u64| {
            let digits = variables.iter().map(|variable| {
                let base = size(variable).unwrap_or(1);
                let digit = (number % base) as i64;
                number /= base;
                digit
            });
            digits.collect()
        };
        return (0..total).map(row).collect();
    }
    let mut rng = rng(seed, "sygus valuations");
    let pools: Vec<Vec<i64>> = variables.iter().map(|(_, sort)| pool(*sort, constants)).collect();
    let mut valuations: Vec<Vec<i64>> = Vec::new();
    // The same value everywhere: ties and orders are decided there.
    for i in 0..pools.iter().map(Vec::len).max().unwrap_or(0).min(n / 8) {
        valuations.push(pools.iter().map(|pool| pool[i % pool.len()]).collect());
    }
    while valuations.len() < n {
        // Values close together, of the pool, from anywhere, or in order.
        let style = valuations.len() % 4;
        let centre = rng.random_range(-8..=8);
        let row = variables.iter().zip(&pools).map(|((_, sort), pool)| match (style, sort) {
            (_, Sort::Bool) => rng.random_range(0..2),
            (0, Sort::Int) => centre + rng.random_range(-3..=3),
            (1, _) => pool[rng.random_range(0..pool.len())],
            (_, Sort::Int) => rng.random_range(-60..=60),
            (_, Sort::BitVec(width)) => (rng.random::<u64>() & mask(*width)) as i64,
            _ => 0,
        });
        let mut row: Vec<i64> = row.collect();
        if style == 3 {
            put_in_order(&mut row, variables, &mut rng);
        }
        valuations.push(row);
    }
    for row in &mut valuations {
        for ((name, _), code) in variables.iter().zip(row.iter_mut()) {
            if !matters(name) {
                *code = 0;
            }
        }
    }
    valuations.sort_unstable();
    valuations.dedup();
    // Sorted rows would put all extremes of the first variable first.
    for i in (1..valuations.len()).rev() {
        valuations.swap(i, rng.random_range(0..=i));
    }
    valuations
}

/// Sorts the integers of a row but for one, often the first or the last: of many variables, drawn ones are next to never in the
/// order that constraints on arrays ask for.
fn put_in_order(row: &mut [i64], variables: &[(Symbol, Sort)], rng: &mut Rng) {
    let mut integers: Vec<usize> = (0..row.len()).filter(|&i| variables[i].1 == Sort::Int).collect();
    if integers.is_empty() {
        return;
    }
    let last = integers.len() - 1;
    integers.remove(match rng.random_range(0..3) {
        0 => 0,
        1 => last,
        _ => rng.random_range(0..=last),
    });
    let mut values: Vec<i64> = integers.iter().map(|&i| row[i]).collect();
    values.sort_unstable();
    integers.into_iter().zip(values).for_each(|(i, value)| row[i] = value);
}

/// Values of a sort that are worth trying.
fn pool(sort: Sort, constants: &[Value]) -> Vec<i64> {
    let mut pool = match sort {
        Sort::Bool => vec![0, 1],
        Sort::BitVec(width) => {
            let all = mask(width);
            let top = 1_u64 << (width - 1);
            let mut values =
                vec![0, 1, all, top, top - 1, 2 & all, 3 & all, (all - 1) & all, 0x5555_5555_5555_5555 & all];
            values.extend((0..width).step_by(5).map(|shift| 1_u64 << shift));
            values.into_iter().map(|bits| bits as i64).collect()
        }
        _ => vec![0, 1, -1, 2, -2, 3, 5, 10, -10],
    };
    for value in constants {
        match (value, sort) {
            (Value::Int(i), Sort::Int) => {
                pool.extend([Some(*i), i.checked_add(1), i.checked_sub(1), i.checked_neg()].into_iter().flatten());
            }
            (Value::BitVec { width, bits }, Sort::BitVec(own)) if *width == own => {
                let near = [*bits, bits.wrapping_add(1), bits.wrapping_sub(1)];
                pool.extend(near.map(|bits| (bits & mask(own)) as i64));
            }
            _ => {}
        }
    }
    pool.retain(|&code| matches!(sort, Sort::BitVec(_)) || code.unsigned_abs() < 1 << 40);
    let mut kept: Vec<i64> = Vec::new();
    for code in pool {
        if !kept.contains(&code) {
            kept.push(code);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_valuations_of_many_integers_are_in_order_but_for_one() {
        let variables: Vec<(Symbol, Sort)> = (0..12).map(|i| (Symbol::new(&format!("x{i}")), Sort::Int)).collect();
        let relevant: Vec<Symbol> = variables.iter().map(|(name, _)| *name).collect();
        let rows = sample(&variables, &relevant, &[], 240, 0);
        let is_apart = |row: &&Vec<i64>| row[..11].iter().any(|&x| x != row[0]) && row[..11].is_sorted();
        let (ordered, above): (Vec<_>, Vec<_>) = rows.iter().filter(is_apart).partition(|row| row[11] < row[10]);
        assert!(ordered.len() > 8, "{} rows leave the last one out", ordered.len());
        assert!(!above.is_empty());
        assert_eq!(rows, sample(&variables, &relevant, &[], 240, 0));
    }
}
