//! Functions by cases: lists of conditions, each with a simple term for where it holds.
//!
//! A bank over arithmetic alone is small enough to reach terms that a bank over everything does not. Of its terms those
//! count that have the wanted value at many points; conditions are comparisons between its cheap ones. A decision list
//! is then grown greedily, several at once (a beam): always a condition whose whole set of points one term explains
//! (Rivest 1987 on decision lists; the covering of points by terms as in Alur et al. 2017).

use dsl::{Kernel, Language, OpId, Term};
use samples::{Sort, UNDEFINED, Value, decode_code, encode_value};
use synth::{Bank, BankConfig, Leaf, Limits, Watch, mask};

/// Candidates of the bank over arithmetic.
const CANDIDATES: u64 = 250_000;
const CLASSES: usize = 60_000;
/// Terms and conditions that are looked at.
const TERMS: usize = 250;
const SIDES: usize = 60;
const FAR_SIDES: usize = 1_500;
const CONDITIONS: usize = 12_000;
/// Cases of a list at most, and lists that are grown at once.
const CASES: usize = 4;
const BEAM: usize = 24;

/// A set of points.
type Mask = Vec<u64>;

/// A term with the points at which it has the wanted value.
struct Branch {
    term: Term,
    cost: u32,
    fits: Mask,
}

/// A condition with the points where it holds and those where it has a value at all.
struct Condition {
    term: Term,
    cost: u32,
    holds: Mask,
    defined: Mask,
}

/// A list that explains all points but those open.
#[derive(Clone)]
struct List {
    /// Conditions and branches, by their places.
    cases: Vec<(usize, usize)>,
    open: Mask,
    n_open: u32,
    cost: u32,
}

/// A list of cases that has the wanted codes wherever they are given, not costlier than `bound`.
///
/// Columns are those of the leaves; arithmetic is done with `leaves` alone, `constants` only stand beside it.
pub(super) fn piecewise(
    language: &Language,
    leaves: &[Leaf],
    constants: &[Leaf],
    sort: Sort,
    codes: &[Option<i64>],
    bound: u32,
) -> Option<Term> {
    let ite = synth::ite_operator(language, None)?;
    let own = language.op(ite).cost;
    let mut banks = Terms::of(language, leaves)?;
    for leaf in constants {
        banks.all.push((leaf.term.clone(), leaf.cost, leaf.column.sort, leaf.column.codes.clone()));
    }
    banks.all.sort_by_key(|(_, cost, _, _)| *cost);
    let conditions = conditions(language, &banks, codes);
    let branches = branches(&banks, &conditions, sort, codes);
    let all = mask(codes.iter().map(Option::is_some));
    let n_points = count(&all);
    let mut beam = vec![List { cases: Vec::new(), n_open: n_points, open: all, cost: 0 }];
    let mut best: Option<(u32, List, usize)> = None;
    for _ in 0..=CASES {
        for list in &beam {
            let last = branches.iter().position(|branch| subset(&list.open, &branch.fits));
            if let Some(last) = last {
                let cost = list.cost + branches[last].cost;
                if cost <= bound && best.as_ref().is_none_or(|(least, _, _)| cost < *least) {
                    best = Some((cost, list.clone(), last));
                }
            }
        }
        let limit = best.as_ref().map_or(bound, |(cost, _, _)| *cost);
        beam = beam.iter().flat_map(|list| grown(list, &branches, &conditions, own, limit)).collect();
        beam = chosen(beam, n_points);
    }
    let (_, list, last) = best?;
    let last = branches[last].term.clone();
    Some(list.cases.iter().rev().fold(last, |rest, &(condition, branch)| {
        Term::op(ite, vec![conditions[condition].term.clone(), branches[branch].term.clone(), rest])
    }))
}

/// The lists with one more case.
fn grown(list: &List, branches: &[Branch], conditions: &[Condition], ite: u32, limit: u32) -> Vec<List> {
    let mut found: Vec<List> = Vec::new();
    for (place, condition) in conditions.iter().enumerate() {
        if list.cost + ite + condition.cost >= limit || !subset(&list.open, &condition.defined) {
            continue;
        }
        let here: Mask = list.open.iter().zip(&condition.holds).map(|(a, b)| a & b).collect();
        let n_here = count(&here);
        if n_here == 0 || n_here == list.n_open {
            continue;
        }
        let Some(branch) = branches.iter().position(|branch| subset(&here, &branch.fits)) else { continue };
        let cost = list.cost + ite + condition.cost + branches[branch].cost;
        if cost >= limit {
            continue;
        }
        let open = list.open.iter().zip(&here).map(|(a, b)| a & !b).collect();
        let cases = list.cases.iter().copied().chain([(place, branch)]).collect();
        found.push(List { cases, open, n_open: list.n_open - n_here, cost });
    }
    let n = list.n_open;
    chosen(found, n)
}

/// The lists to go on with: those that leave the least open, and those that explain the most for their cost.
fn chosen(mut lists: Vec<List>, n_points: u32) -> Vec<List> {
    lists.sort_by_key(|list| (list.n_open, list.cost));
    lists.dedup_by(|a, b| a.open == b.open);
    let rate = |list: &List| u64::from(list.cost) * 1_000_000 / u64::from(n_points - list.n_open.min(n_points) + 1);
    let mut kept = lists.split_off(lists.len().min(BEAM / 2));
    kept.sort_by_key(|list| (rate(list), list.n_open));
    kept.truncate(BEAM / 2);
    lists.extend(kept);
    lists
}

/// Terms with cost, sort and codes.
struct Terms {
    all: Vec<(Term, u32, Sort, Vec<i64>)>,
}

impl Terms {
    /// The leaves, and arithmetic over them.
    fn of(language: &Language, leaves: &[Leaf]) -> Option<Self> {
        let kernels = [Kernel::Add, Kernel::Sub, Kernel::Mul, Kernel::Div, Kernel::Mod];
        let operators: Vec<OpId> = kernels.iter().filter_map(|&kernel| language.kernel_operator(kernel)).collect();
        let config = BankConfig {
            grammar: None,
            operators: Some(operators),
            extra: Vec::new(),
            leaves: leaves.to_vec(),
            sorts: None,
            alternatives: 0,
        };
        let mut bank = Bank::new(language, &config).ok()?;
        let limits = Limits { max_cost: 12, max_classes: CLASSES, max_candidates: CANDIDATES, max_bytes: 1 << 27 };
        bank.run(&limits, &mut |_| Watch::Keep);
        let classes = bank.classes().map(|found| (bank.term(found.id), found.cost, found.sort, found.codes.to_vec()));
        Some(Self { all: classes.collect() })
    }
}

/// Terms by the points where they fit, cheapest first, without those that a cheaper one covers.
fn branches(terms: &Terms, conditions: &[Condition], sort: Sort, codes: &[Option<i64>]) -> Vec<Branch> {
    let mut kept: Vec<Branch> = Vec::new();
    let mut add = |term: Term, cost: u32, fits: Mask| {
        let covered = |other: &Branch| subset(&fits, &other.fits);
        if kept.len() < TERMS && count(&fits) > 0 && !kept.iter().any(covered) {
            kept.push(Branch { term, cost, fits });
        }
    };
    if sort == Sort::Bool {
        for value in [false, true] {
            let code = encode_value(Value::Bool(value));
            add(Term::constant(Value::Bool(value)), 1, mask(codes.iter().map(|want| *want == Some(code))));
        }
        let wanted = mask(codes.iter().map(|want| *want == Some(encode_value(Value::Bool(true)))));
        for condition in conditions {
            let agree = condition.holds.iter().zip(&wanted).zip(&condition.defined);
            add(condition.term.clone(), condition.cost, agree.map(|((h, w), d)| !(h ^ w) & d).collect());
        }
    }
    for (term, cost, _, have) in terms.all.iter().filter(|(_, _, of, _)| *of == sort) {
        add(term.clone(), *cost, mask(codes.iter().zip(have).map(|(want, have)| *want == Some(*have))));
    }
    kept
}

/// Comparisons of cheap terms, cheapest first, no two alike where it matters.
fn conditions(language: &Language, terms: &Terms, codes: &[Option<i64>]) -> Vec<Condition> {
    let kernels = [Kernel::Eq, Kernel::Lt, Kernel::Le];
    let operators: Vec<(Kernel, OpId)> =
        kernels.iter().filter_map(|&kernel| Some((kernel, language.kernel_operator(kernel)?))).collect();
    let mut per_sort = std::collections::BTreeMap::<Sort, usize>::new();
    let sides: Vec<&(Term, u32, Sort, Vec<i64>)> = terms
        .all
        .iter()
        .filter(|(_, _, sort, _)| {
            let n = per_sort.entry(*sort).or_default();
            *n += 1;
            *n <= FAR_SIDES
        })
        .collect();
    // Any two of the cheapest, and any with a variable or a constant.
    let mut pairs: Vec<(u32, usize, usize, usize)> = Vec::new();
    for (a, (_, cost_a, sort_a, _)) in sides.iter().enumerate() {
        for (b, (_, cost_b, sort_b, _)) in sides.iter().enumerate() {
            if *cost_a > 1 && *cost_b > 1 && (a >= SIDES || b >= SIDES) {
                continue;
            }
            for (at, (kernel, op)) in operators.iter().enumerate() {
                let ordered = *kernel != Kernel::Eq;
                let sensible = if ordered { matches!(sort_a, Sort::Int | Sort::Real) && a != b } else { a < b };
                if sort_a == sort_b && sensible {
                    pairs.push((language.op(*op).cost + cost_a + cost_b, a, b, at));
                }
            }
        }
    }
    pairs.sort_unstable();
    let mut seen = rustc_hash::FxHashSet::default();
    let mut found = Vec::new();
    let truths = terms.all.iter().filter(|(_, _, sort, _)| *sort == Sort::Bool);
    for (term, cost, _, have) in truths {
        let holds = mask(have.iter().map(|&code| code == 1));
        let defined = mask(have.iter().map(|&code| code != UNDEFINED));
        found.push(Condition { term: term.clone(), cost: *cost, holds, defined });
    }
    for (cost, a, b, at) in pairs {
        if found.len() >= CONDITIONS {
            break;
        }
        let ((term_a, _, sort, x), (term_b, _, _, y)) = (sides[a], sides[b]);
        let (kernel, op) = operators[at];
        let truth = |point: usize| {
            codes[point].is_some()
                && super::program::compare(kernel, decode_code(*sort, x[point]), decode_code(*sort, y[point]))
        };
        let holds = mask((0..codes.len()).map(truth));
        let defined = mask((0..codes.len()).map(|point| x[point] != UNDEFINED && y[point] != UNDEFINED));
        if count(&holds) > 0 && seen.insert((holds.clone(), defined.clone())) {
            found.push(Condition { term: Term::op(op, vec![term_a.clone(), term_b.clone()]), cost, holds, defined });
        }
    }
    found
}

fn count(mask: &Mask) -> u32 {
    mask.iter().map(|word| word.count_ones()).sum()
}

fn subset(a: &Mask, b: &Mask) -> bool {
    a.iter().zip(b).all(|(a, b)| a & !b == 0)
}

#[cfg(test)]
mod tests {
    use samples::Column;

    use super::*;

    fn language() -> Language {
        let include = |name: &str| Language::shipped(name).map(str::to_owned);
        Language::parse("rasp", Language::shipped("rasp").expect("shipped"), &include).expect("it parses")
    }

    fn found(wanted: impl Fn(i64, i64) -> Option<i64>) -> Option<String> {
        let language = language();
        let points: Vec<(i64, i64)> = (3..=9).flat_map(|n| (0..n).map(move |i| (i, n))).collect();
        let column = |of: fn(&(i64, i64)) -> i64| Column::new(Sort::Int, points.iter().map(of).collect());
        let mut leaves =
            vec![Leaf::variable(&language, "i", column(|p| p.0)), Leaf::variable(&language, "n", column(|p| p.1))];
        leaves.extend([0, 1, 2].iter().filter_map(|&v| Leaf::constant(&language, Value::Int(v), points.len())));
        let codes: Vec<Option<i64>> = points.iter().map(|&(i, n)| wanted(i, n)).collect();
        piecewise(&language, &leaves, &[], Sort::Int, &codes, 60).map(|term| dsl::print(&term, &language))
    }

    #[test]
    fn one_case_for_odd_and_one_for_even() {
        let term = found(|i, n| Some(if i % 2 == 0 { i } else { 2 * (n / 2) - i })).expect("two cases");
        assert!(term.starts_with("(ite (= ") && term.contains("(% "), "{term}");
    }

    #[test]
    fn the_halves_change_places() {
        let half = |i: i64, n: i64| match (i < n / 2, i >= n - n / 2) {
            (true, _) => i + n - n / 2,
            (_, true) => i - (n - n / 2),
            _ => i,
        };
        let term = found(|i, n| Some(half(i, n))).expect("three cases");
        assert_eq!(term.matches("(ite").count(), 2, "{term}");
    }

    #[test]
    fn chance_has_no_cases() {
        let mixed = |i: i64, n: i64| (i * 7919 + n * 104_729) % 101 * 31 % 53;
        assert_eq!(found(|i, n| Some(mixed(i, n))), None);
    }
}
