//! Where a network and its program part: one threshold on one number that predicts it, or the statement that there is none.
//!
//! A trained network errs at long lengths, over large gaps, at positions that training hardly saw. The rule is sought on one
//! half of the sequences and counts only if it holds on the other.

use samples::{Column, Symbol, UNDEFINED};

use super::study::Study;

/// Fewer errors than this have no rule.
const LEAST: usize = 8;
/// A rule must gather so large a share of the errors of the other half.
const CAUGHT: f64 = 0.7;
/// Errors must be so many times as frequent where the rule says.
const TIMES: f64 = 4.0;

/// Outputs at which network and program differ, and what predicts them.
#[derive(Clone, PartialEq, Debug)]
pub struct Errors {
    /// Outputs that count.
    pub outputs: usize,
    /// Those at which both differ.
    pub wrong: usize,
    /// Sequences with one of them.
    pub sequences: usize,
    /// A rule that predicts them, if one was found.
    pub rule: Option<Rule>,
}

/// Errors lie where a number is at least, or at most, a threshold. Shares are of sequences that played no part in finding it.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    /// The number, in words.
    pub number: &'static str,
    /// Whether errors lie from the threshold on, else up to it.
    pub above: bool,
    /// The threshold.
    pub threshold: i64,
    /// The share of the errors that lie there.
    pub caught: f64,
    /// The share of the outputs there that are errors.
    pub rate: f64,
    /// The same elsewhere.
    pub elsewhere: f64,
}

/// A number at every output that counts; none where it does not apply.
type Feature = (&'static str, Vec<Option<i64>>);

/// Compares the output with a program's values.
pub(super) fn errors(study: &Study<'_>, values: &Column) -> Errors {
    let counted = study.counted();
    let wrong: Vec<bool> = counted.iter().map(|&point| values.codes[point] != study.output.codes[point]).collect();
    let sequences = study.agreeing(values).into_iter().flatten().filter(|same| !same).count();
    let n_wrong = wrong.iter().filter(|&&wrong| wrong).count();
    let rule = if n_wrong < LEAST { None } else { rule(study, &counted, values, &wrong) };
    Errors { outputs: counted.len(), wrong: n_wrong, sequences, rule }
}

fn rule(study: &Study<'_>, counted: &[usize], values: &Column, wrong: &[bool]) -> Option<Rule> {
    let is_first: Vec<bool> = counted.iter().map(|&point| study.points.locate(point).0.is_multiple_of(2)).collect();
    let half = |first: bool, numbers: &[Option<i64>]| -> Vec<(i64, bool)> {
        let own = (0..counted.len()).filter(|&i| is_first[i] == first);
        own.filter_map(|i| numbers[i].map(|number| (number, wrong[i]))).collect()
    };
    let mut best: Option<(f64, Rule)> = None;
    for (number, numbers) in features(study, counted, values) {
        let (fitted, held) = (half(true, &numbers), half(false, &numbers));
        let all = (0..counted.len()).filter(|&i| !is_first[i] && wrong[i]).count();
        let Some((gain, above, threshold)) = split(fitted) else { continue };
        let Some(rule) = tested(&held, number, above, threshold, all) else { continue };
        if best.as_ref().is_none_or(|(other, _)| gain > *other) {
            best = Some((gain, rule));
        }
    }
    best.map(|(_, rule)| rule)
}

/// The threshold that tells most about errors: its gain in bits, the side on which they lie, the threshold.
fn split(mut points: Vec<(i64, bool)>) -> Option<(f64, bool, i64)> {
    points.sort_unstable();
    let total = points.iter().filter(|(_, wrong)| *wrong).count();
    let entropy = |errors: usize, n: usize| {
        let share = errors as f64 / n.max(1) as f64;
        let part = |p: f64| if p > 0.0 { -p * p.log2() } else { 0.0 };
        n as f64 * (part(share) + part(1.0 - share))
    };
    let whole = entropy(total, points.len());
    let (mut below, mut errors) = (0, 0);
    let mut best: Option<(f64, bool, i64)> = None;
    for group in points.chunk_by(|a, b| a.0 == b.0) {
        if below > 0 {
            let (rest, rest_errors) = (points.len() - below, total - errors);
            let gain = whole - entropy(errors, below) - entropy(rest_errors, rest);
            let above = rest_errors as f64 / rest as f64 > errors as f64 / below as f64;
            // Up to a threshold means up to the value before this one.
            if best.is_none_or(|(other, ..)| gain > other) {
                best = Some((gain, above, if above { group[0].0 } else { points[below - 1].0 }));
            }
        }
        below += group.len();
        errors += group.iter().filter(|(_, wrong)| *wrong).count();
    }
    best
}

/// The rule with its shares on other sequences, if it holds there.
fn tested(points: &[(i64, bool)], number: &'static str, above: bool, threshold: i64, all: usize) -> Option<Rule> {
    let inside = |value: i64| if above { value >= threshold } else { value <= threshold };
    let (mut n, mut errors) = ([0_usize; 2], [0_usize; 2]);
    for &(value, wrong) in points {
        n[usize::from(inside(value))] += 1;
        errors[usize::from(inside(value))] += usize::from(wrong);
    }
    let share = |a: usize, b: usize| a as f64 / b.max(1) as f64;
    let (caught, rate, elsewhere) = (share(errors[1], all), share(errors[1], n[1]), share(errors[0], n[0]));
    let holds = errors[1] * 2 >= LEAST && caught >= CAUGHT && rate >= TIMES * elsewhere;
    holds.then_some(Rule { number, above, threshold, caught, rate, elsewhere })
}

fn features(study: &Study<'_>, counted: &[usize], values: &Column) -> Vec<Feature> {
    let tokens = &study.tokens().codes;
    let number = |code: i64| {
        let text = if code == UNDEFINED { None } else { Symbol::from_code(code) };
        text.and_then(|symbol| symbol.as_str().parse::<i64>().ok())
    };
    let located: Vec<(usize, usize)> = counted.iter().map(|&point| study.points.locate(point)).collect();
    let each = |f: &dyn Fn(usize, (usize, usize)) -> Option<i64>| -> Vec<Option<i64>> {
        counted.iter().zip(&located).map(|(&point, &place)| f(point, place)).collect()
    };
    let begin = |row: usize| study.points.range(row).find(|&point| study.scored[point]);
    let before = |row: usize| begin(row).map(|first| (first - study.points.range(row).start) as i64);
    let length = |row: usize| study.batch.length(row) as i64;
    let answer = |point: usize, row: usize| begin(row).map(|first| point as i64 - first as i64);
    let gap = |point: usize| Some((number(values.codes[point])? - number(tokens[point])?).abs());
    vec![
        ("index in the sequence", each(&|_, (_, index)| Some(index as i64))),
        ("length of the sequence", each(&|_, (row, _)| Some(length(row)))),
        ("elements before the first output", each(&|_, (row, _)| before(row))),
        ("absolute position", each(&|_, (row, index)| Some(study.batch.origin(row) + index as i64))),
        ("absolute position of the first element", each(&|_, (row, _)| Some(study.batch.origin(row)))),
        ("gap between this token and the next", each(&|point, _| gap(point))),
        ("outputs before this one", each(&|point, (row, _)| answer(point, row))),
        (
            "outputs after this one",
            each(&|point, (row, _)| Some(study.points.range(row).end as i64 - 1 - point as i64)),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_found_on_either_side() {
        let above: Vec<(i64, bool)> = (0..200).map(|i| (i, i >= 150 && i % 2 == 0)).collect();
        let (_, is_above, threshold) = split(above.clone()).expect("it splits");
        assert_eq!((is_above, threshold), (true, 150));
        let rule = tested(&above, "index", true, threshold, 25).expect("it holds");
        assert_eq!((rule.caught, rule.rate, rule.elsewhere), (1.0, 0.5, 0.0));
        let (_, is_above, threshold) = split((0..200).map(|i| (i, i < 20)).collect()).expect("it splits");
        assert_eq!((is_above, threshold), (false, 19));
    }

    #[test]
    fn errors_without_a_rule_have_none() {
        let scattered: Vec<(i64, bool)> = (0..400).map(|i| (i, i * 7 % 31 == 3)).collect();
        let (_, above, threshold) = split(scattered.clone()).expect("some threshold is best");
        let all = scattered.iter().filter(|(_, wrong)| *wrong).count();
        assert_eq!(tested(&scattered, "index", above, threshold, all), None);
        assert_eq!(split(vec![(1, true), (1, false)]), None);
    }
}
