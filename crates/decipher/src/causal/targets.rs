//! What is to be explained, piece by piece: one column per role of a position and per bit or value of the output.
//!
//! A program for all of the output at once is deep; the pieces are shallow. Roles come from the inputs alone: a token that
//! every sequence holds, and at which the outputs that count begin, divides positions into those at it and those after it.

use std::collections::BTreeSet;

use samples::{Decode, Symbol};

use super::study::Study;

/// Alphabets of up to so many values are also explained value by value.
const FEW: usize = 4;

/// Positions of one kind.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Role {
    /// The token that stands there; none: all other tokens.
    pub(super) token: Option<i64>,
    pub(super) points: Vec<usize>,
}

/// A column to be found, at some points.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Target {
    /// Truth values (0 and 1), else symbols.
    pub(super) is_bool: bool,
    pub(super) points: Vec<usize>,
    /// One code per point.
    pub(super) codes: Vec<i64>,
}

/// How a role's output is made of targets, by their indices.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Plan {
    /// Always this value.
    Constant(i64),
    /// A set of tokens: in order, each always there, or there where the target is true.
    Set(Vec<(Symbol, Option<usize>)>),
    /// The value of a target.
    Value(usize),
    /// This value where the target is true, else the rest.
    Unless(i64, usize, Box<Plan>),
    /// The first plan right after this token, the second elsewhere.
    Begin(i64, Box<Plan>, Box<Plan>),
    /// Whichever explains better.
    Either(Box<Plan>, Box<Plan>),
}

/// The roles of positions that count: at the separator and after it, where there is one, else one role.
pub(super) fn roles(study: &Study) -> Vec<Role> {
    let tokens = &study.tokens().codes;
    let counted = study.counted();
    let whole = |points: Vec<usize>| vec![Role { token: None, points }];
    if study.network.domain.decode == Decode::LegalTokens {
        return whole(counted);
    }
    let first: BTreeSet<i64> = study
        .points
        .ranges()
        .filter_map(|mut range| range.find(|&point| study.scored[point]).map(|point| tokens[point]))
        .collect();
    let (Some(&separator), 1) = (first.first(), first.len()) else { return whole(counted) };
    let (at, after): (Vec<usize>, Vec<usize>) = counted.into_iter().partition(|&point| tokens[point] == separator);
    let mut roles = Vec::new();
    if !after.is_empty() {
        roles.push(Role { token: None, points: after });
    }
    roles.push(Role { token: Some(separator), points: at });
    roles
}

/// The plan of every role, and the targets that they speak of. `begins` says that answers may begin in a way of their own:
/// what goes by more than one element before it has nothing to go by there.
pub(super) fn plans(study: &Study, roles: &[Role], begins: bool) -> (Vec<Plan>, Vec<Target>) {
    let mut targets = Vec::new();
    let read = inputs_before_answers(study);
    let separator = roles.iter().find_map(|role| role.token).filter(|_| begins);
    let plan = |role: &Role| match (&study.network.domain.decode, separator) {
        (Decode::LegalTokens, _) => set_plan(study, &role.points, &mut targets),
        (_, Some(separator)) if role.token.is_none() => {
            let (first, rest) = beginning(study, separator, &role.points);
            let [first, rest] = [first, rest].map(|points| Box::new(value_plan(study, &points, &read, &mut targets)));
            Plan::Begin(separator, first, rest)
        }
        _ => value_plan(study, &role.points, &read, &mut targets),
    };
    (roles.iter().map(plan).collect(), targets)
}

/// Some points that follow a token at once, and the others.
pub(super) fn beginning(study: &Study, token: i64, points: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let tokens = &study.tokens().codes;
    let follows = |&point: &usize| study.points.locate(point).1 > 0 && tokens[point - 1] == token;
    points.iter().copied().partition(follows)
}

/// The tokens at positions that count or before them: what is never among them ends a sequence.
fn inputs_before_answers(study: &Study) -> BTreeSet<i64> {
    let tokens = &study.tokens().codes;
    let read = study.points.ranges().flat_map(|range| {
        let last = range.clone().rev().find(|&point| study.scored[point]);
        range.start..last.map_or(range.start, |last| last + 1)
    });
    read.map(|point| tokens[point]).collect()
}

fn outputs(study: &Study, points: &[usize]) -> Vec<i64> {
    points.iter().map(|&point| study.output.codes[point]).collect()
}

fn push(targets: &mut Vec<Target>, target: Target) -> usize {
    targets.push(target);
    targets.len() - 1
}

/// Whether a list holds a token.
pub(super) fn holds(list: &str, token: Symbol) -> bool {
    let text = token.json();
    let inner = list.strip_prefix("#json:[").and_then(|text| text.strip_suffix(']')).unwrap_or("");
    let begins = |at: usize| at == 0 || inner[..at].ends_with(',');
    let ends = |at: usize| at == inner.len() || inner[at..].starts_with(',');
    inner.match_indices(text.as_str()).any(|(at, found)| begins(at) && ends(at + found.len()))
}

fn set_plan(study: &Study, points: &[usize], targets: &mut Vec<Target>) -> Plan {
    let codes = outputs(study, points);
    let different: BTreeSet<i64> = codes.iter().copied().collect();
    if let (Some(&only), 1) = (different.first(), different.len()) {
        return Plan::Constant(only);
    }
    let mut set = Vec::new();
    for token in study.vocabulary() {
        let holds = |code: i64, token: Symbol| holds(Symbol::from_code(code).map_or("", Symbol::as_str), token);
        let holding: BTreeSet<i64> = different.iter().copied().filter(|&code| holds(code, token)).collect();
        let bits: Vec<i64> = codes.iter().map(|&code| i64::from(holding.contains(&code))).collect();
        match (bits.contains(&0), bits.contains(&1)) {
            (_, false) => {}
            (false, true) => set.push((token, None)),
            (true, true) => {
                let target = Target { is_bool: true, points: points.to_vec(), codes: bits };
                set.push((token, Some(push(targets, target))));
            }
        }
    }
    Plan::Set(set)
}

/// Splits off what ends a sequence; then the rest as a whole and, where it has few values, value by value.
fn value_plan(study: &Study, points: &[usize], read: &BTreeSet<i64>, targets: &mut Vec<Target>) -> Plan {
    let codes = outputs(study, points);
    let mut different: Vec<i64> = codes.clone();
    different.sort_unstable();
    different.dedup();
    if let [only] = different[..] {
        return Plan::Constant(only);
    }
    // Rare outputs are errors: they get no plan of their own.
    let frequent = |value: i64| 50 * codes.iter().filter(|&&code| code == value).count() >= codes.len();
    if let Some(&end) = different.iter().find(|&&value| !read.contains(&value) && frequent(value)) {
        let bits = codes.iter().map(|&code| i64::from(code == end)).collect();
        let target = push(targets, Target { is_bool: true, points: points.to_vec(), codes: bits });
        let rest: Vec<usize> = points.iter().copied().filter(|&point| study.output.codes[point] != end).collect();
        return Plan::Unless(end, target, Box::new(value_plan(study, &rest, read, targets)));
    }
    let whole = push(targets, Target { is_bool: false, points: points.to_vec(), codes: codes.clone() });
    let mut common: Vec<i64> = different.into_iter().filter(|&value| frequent(value)).collect();
    if common.len() > FEW || common.len() < 2 {
        return Plan::Value(whole);
    }
    common.sort_by_key(|&code| Symbol::from_code(code));
    let last = common.remove(0);
    let one_by_one = common.into_iter().rev().fold(Plan::Constant(last), |rest, value| {
        let bits = codes.iter().map(|&code| i64::from(code == value)).collect();
        let target = push(targets, Target { is_bool: true, points: points.to_vec(), codes: bits });
        Plan::Unless(value, target, Box::new(rest))
    });
    Plan::Either(Box::new(Plan::Value(whole)), Box::new(one_by_one))
}

impl Target {
    /// How many of the points a column has another value at, as far as `limit`.
    pub(super) fn errors(&self, codes: &[i64], limit: usize) -> usize {
        let mut errors = 0;
        for (points, wanted) in self.points.chunks(64).zip(self.codes.chunks(64)) {
            errors += points.iter().zip(wanted).filter(|&(&point, &code)| codes[point] != code).count();
            if errors > limit {
                return errors;
            }
        }
        errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_hold_whole_tokens() {
        let check = |list: &str, token: &str, expected: bool| {
            assert_eq!(holds(list, Symbol::new(token)), expected, "{list} {token}")
        };
        check("#json:[\"a\",\"ab\"]", "a", true);
        check("#json:[\"ab\"]", "a", false);
        check("#json:[\"ab\",\"<eos>\"]", "<eos>", true);
        check("#json:[]", "a", false);
        check("a", "a", false);
    }

    #[test]
    fn errors_stop_being_counted_beyond_a_limit() {
        let target = Target { is_bool: true, points: (0..200).collect(), codes: vec![1; 200] };
        let codes: Vec<i64> = (0..200).map(|i| i64::from(i % 2 == 0)).collect();
        assert_eq!(target.errors(&codes, 200), 100);
        assert!(target.errors(&codes, 5) > 5);
    }
}
