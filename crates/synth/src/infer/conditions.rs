//! Conditions of candidates: variables that must have a value, and comparisons under which terms have equal values.

use samples::{Column, Sort, UNDEFINED};

use super::rewrite::{Condition, Equation};
use super::terms::{Head, TermId, Terms};
use super::workload::{Pair, Points, Workload, column, signature};

/// The fewest variables that must have a value for two terms to have equal values at all points.
pub(super) fn with_defined(terms: &Terms<'_>, points: &Points, (left, right): Pair) -> Option<Equation> {
    let columns = [left, right].map(|term| column(terms, points, term, &|_| None));
    let [Some(a), Some(b)] = columns else { return None };
    let differing: Vec<usize> = (0..points.len()).filter(|&point| a.codes[point] != b.codes[point]).collect();
    let vars: Vec<usize> = (0..terms.vars.len()).filter(|&v| terms.vars(left) >> v & 1 == 1).collect();
    let mut choices: Vec<u32> = (0..1_u32 << vars.len().min(12)).collect();
    choices.sort_by_key(|choice| (choice.count_ones(), *choice));
    let chosen = |choice: u32| vars.iter().enumerate().filter(move |(i, _)| choice >> i & 1 == 1).map(|(_, &var)| var);
    let suffices =
        |choice: u32| differing.iter().all(|&point| chosen(choice).any(|var| !points.is_defined(var, point)));
    let choice = choices.into_iter().find(|&choice| suffices(choice))?;
    Some(Equation { left, right, conditions: chosen(choice).map(Condition::Defined).collect() })
}

/// Points that a condition must hold at for its equations to be believed.
const LEAST_POINTS: usize = 12;
/// Terms that a single comparison is put before, and a pair of them.
const SIZE_ONE: u32 = 5;
const SIZE_TWO: u32 = 3;

/// A conjunction of comparisons, and the points at which it holds.
pub(super) struct Premise {
    pub(super) parts: Vec<TermId>,
    points: Vec<usize>,
}

impl Premise {
    /// The comparison, if it is a single one.
    pub(super) fn single(&self) -> Option<TermId> {
        match self.parts[..] {
            [part] => Some(part),
            _ => None,
        }
    }

    /// Whether another one, of the same variables, holds at all points where this one does.
    pub(super) fn seems_to_imply(&self, terms: &Terms<'_>, other: &Self) -> bool {
        let vars = |premise: &Self| premise.parts.iter().fold(0, |vars, &part| vars | terms.vars(part));
        vars(self) == vars(other) && self.points.iter().all(|point| other.points.binary_search(point).is_ok())
    }
}

/// Candidates that need a comparison to hold: terms with equal values at all points where it does.
pub(super) fn equations(
    terms: &Terms<'_>,
    premises: &[Premise],
    (small, large): (&Workload, &Workload),
) -> Vec<Equation> {
    let mut found = Vec::new();
    let mut all: Vec<(TermId, &Column)> = small.kept().chain(large.kept()).collect();
    all.sort_by(|(a, _), (b, _)| terms.compare(*a, *b));
    all.dedup_by_key(|(term, _)| *term);
    for premise in premises {
        let largest = if premise.parts.len() == 1 { SIZE_ONE } else { SIZE_TWO };
        let vars = premise.parts.iter().fold(0, |vars, &part| vars | terms.vars(part));
        let mut classes: rustc_hash::FxHashMap<(Sort, u64), TermId> = Default::default();
        for &(term, column) in &all {
            if terms.size(term) > largest {
                continue;
            }
            let codes: Vec<i64> = premise.points.iter().map(|&point| column.codes[point]).collect();
            if codes.iter().filter(|&&code| code != UNDEFINED).count() < LEAST_POINTS {
                continue;
            }
            let smaller = *classes.entry((column.sort, signature(&codes))).or_insert(term);
            // All variables of the conditions occur on the left: else they have no part in it.
            if smaller == term || vars & !terms.vars(term) != 0 {
                continue;
            }
            // What a comparison is good for: a term then has a value, or it is an atom's.
            let tells = terms.size(smaller) == 1 || !terms.is_total(term) || !terms.is_total(smaller);
            if tells {
                found.push(complete(terms, term, smaller, premise));
            }
        }
    }
    found
}

/// The equation with the variables that must have a value beside what the premise says.
fn complete(terms: &Terms<'_>, left: TermId, right: TermId, premise: &Premise) -> Equation {
    let mut conditions: Vec<Condition> = premise.parts.iter().map(|&part| Condition::Holds(part)).collect();
    let in_premise = premise.parts.iter().fold(0, |vars, &part| vars | terms.vars(part));
    let dropped = terms.vars(left) & !terms.vars(right) & !in_premise;
    conditions.extend((0..terms.vars.len()).filter(|v| dropped >> v & 1 == 1).map(Condition::Defined));
    Equation { left, right, conditions }
}

/// Comparisons of variables with each other and with constants, in few variables, and pairs of them; the weakest first.
pub(super) fn premises(terms: &Terms<'_>, workload: &Workload) -> Vec<Premise> {
    let mut singles: Vec<Premise> = Vec::new();
    for (term, column) in workload.kept() {
        let is_comparison = terms.sort(term) == Sort::Bool
            && terms.size(term) == 3
            && terms.vars(term) != 0
            && terms.children(term).iter().all(|&child| terms.sort(child) != Sort::Bool);
        if !is_comparison {
            continue;
        }
        let n = workload.n_total();
        let holds: Vec<usize> = (0..n).filter(|&point| column.codes[point] == 1).collect();
        if holds.len() < LEAST_POINTS || holds.len() == n || is_equation(terms, workload, term, &holds) {
            continue;
        }
        singles.push(Premise { parts: vec![term], points: holds });
    }
    let mut all: Vec<Premise> = Vec::new();
    for (i, a) in singles.iter().enumerate() {
        for b in &singles[i + 1..] {
            let both: Vec<usize> = a.points.iter().copied().filter(|point| b.points.contains(point)).collect();
            let is_stronger = both.len() < a.points.len().min(b.points.len());
            if is_stronger && both.len() >= LEAST_POINTS {
                all.push(Premise { parts: vec![a.parts[0], b.parts[0]], points: both });
            }
        }
    }
    singles.append(&mut all);
    // Renaming variables gives nothing new.
    singles.retain(|premise| {
        let mut seen = Vec::new();
        premise.parts.iter().for_each(|&part| terms.occurrences(part, &mut seen));
        seen.sort_unstable();
        let first = seen.first().copied().unwrap_or(0);
        let sort = terms.vars[first].1;
        let begins = terms.vars.iter().position(|(_, own)| *own == sort).unwrap_or(0);
        seen.iter().enumerate().all(|(i, &var)| var == begins + i)
    });
    singles.sort_by_key(|premise| (premise.parts.len(), std::cmp::Reverse(premise.points.len())));
    singles
}

/// Whether a comparison makes a variable equal to another atom: then it says no more than a substitution does.
fn is_equation(terms: &Terms<'_>, workload: &Workload, term: TermId, holds: &[usize]) -> bool {
    let columns: Vec<_> = workload
        .kept()
        .filter(|(atom, _)| terms.children(term).contains(atom) && !matches!(terms.head(*atom), Head::Op(_)))
        .collect();
    columns.iter().enumerate().any(|(i, (_, a))| {
        columns[i + 1..].iter().any(|(_, b)| holds.iter().all(|&point| a.codes[point] == b.codes[point]))
    })
}
