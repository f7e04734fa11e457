//! Symbols as texts: decimal numerals and JSON lists.

use rustc_hash::FxHashMap;
use samples::{Symbol, UNDEFINED};

use super::Lane;

/// Numerals have at most six digits, so that a search cannot fill the memory with texts.
const NUMERALS: u64 = 1_000_000;

/// The integer that each symbol writes.
pub(super) fn numbers(symbols: Lane<'_>, out: &mut Vec<i64>) {
    each(symbols.codes, out, |code| Symbol::from_code(code).and_then(number));
}

/// The symbol that writes each integer.
pub(super) fn numerals(numbers: Lane<'_>, out: &mut Vec<i64>) {
    each(numbers.codes, out, |n| (n.unsigned_abs() < NUMERALS).then(|| Symbol::new(&n.to_string()).code()));
}

/// Each list with an item at its end.
pub(super) fn lists(lists: Lane<'_>, items: Lane<'_>, out: &mut Vec<i64>) {
    let mut known: FxHashMap<(i64, i64), i64> = FxHashMap::default();
    out.extend(lists.codes.iter().zip(items.codes).map(|(&list, &item)| {
        if list == UNDEFINED || item == UNDEFINED {
            return UNDEFINED;
        }
        *known.entry((list, item)).or_insert_with(|| appended(list, item).unwrap_or(UNDEFINED))
    }));
}

/// A function of single codes, each different code once.
fn each(codes: &[i64], out: &mut Vec<i64>, f: impl Fn(i64) -> Option<i64>) {
    let mut known: FxHashMap<i64, i64> = FxHashMap::default();
    out.extend(codes.iter().map(|&code| match code {
        UNDEFINED => UNDEFINED,
        _ => *known.entry(code).or_insert_with(|| f(code).unwrap_or(UNDEFINED)),
    }));
}

fn number(symbol: Symbol) -> Option<i64> {
    let number: i64 = symbol.as_str().parse().ok()?;
    // Leading zeros and signs make other texts.
    (number.unsigned_abs() < NUMERALS && number.to_string() == symbol.as_str()).then_some(number)
}

fn appended(list: i64, item: i64) -> Option<i64> {
    let (list, item) = (Symbol::from_code(list)?, Symbol::from_code(item)?);
    let inner = list.as_str().strip_prefix("#json:[")?.strip_suffix(']')?;
    let comma = if inner.is_empty() { "" } else { "," };
    Some(Symbol::new(&format!("#json:[{inner}{comma}{}]", item.json())).code())
}

#[cfg(test)]
mod tests {
    use samples::Sort;

    use super::*;

    fn texts(codes: Vec<i64>) -> Vec<Option<&'static str>> {
        codes.into_iter().map(|code| Symbol::from_code(code).map(Symbol::as_str)).collect()
    }

    #[test]
    fn only_canonical_numerals_are_numbers() {
        let symbols: Vec<i64> =
            ["7", "-12", "007", "+7", "-0", "", "a", "1000000"].map(|t| Symbol::new(t).code()).to_vec();
        let mut out = Vec::new();
        numbers(Lane { sort: Sort::Symbol, width: 1, codes: &symbols }, &mut out);
        assert_eq!(out[..2], [7, -12]);
        assert!(out[2..].iter().all(|&code| code == UNDEFINED), "{out:?}");
        let mut back = Vec::new();
        numerals(Lane { sort: Sort::Int, width: 1, codes: &[7, -12, 1_000_000, UNDEFINED] }, &mut back);
        assert_eq!(texts(back), [Some("7"), Some("-12"), None, None]);
    }

    #[test]
    fn lists_grow_at_their_end() {
        let [empty, one, none] = ["#json:[]", "#json:[\"a\"]", "a"].map(|text| Symbol::new(text).code());
        let item = Symbol::new("b\"").code();
        let mut out = Vec::new();
        let (l, i) = ([empty, one, none], [item; 3]);
        lists(
            Lane { sort: Sort::Symbol, width: 1, codes: &l },
            Lane { sort: Sort::Symbol, width: 1, codes: &i },
            &mut out,
        );
        assert_eq!(texts(out), [Some("#json:[\"b\\\"\"]"), Some("#json:[\"a\",\"b\\\"\"]"), None]);
    }
}
