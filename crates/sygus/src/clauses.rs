//! What constraints ask of one truth-valued function, as clauses over the points at which it is applied.
//!
//! At a valuation of the variables a constraint allows some combinations of the function's values and forbids others.
//! Invariants give three kinds: points where it has to hold, points where it has not to, and pairs of points of which the
//! second holds if the first does (examples, counterexamples and implications: Garg et al., ICE, CAV 2014).

use rustc_hash::FxHashSet;

/// Values at points, all of which together are forbidden.
type Clause = Vec<(usize, bool)>;

/// Applications in one constraint, at most.
pub(crate) const APPLICATION_LIMIT: usize = 3;

/// Forbidden combinations of values, each once, those of one point first.
#[derive(Clone, Default, Debug)]
pub(crate) struct Clauses {
    single: Vec<(usize, bool)>,
    others: Vec<Clause>,
    seen: FxHashSet<Clause>,
}

/// Clauses as learners of conjunctions take them.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Examples {
    /// Points where the function holds.
    pub(crate) hold: Vec<usize>,
    /// Points where it does not.
    pub(crate) fail: Vec<usize>,
    /// Pairs of points: if it holds at the first, it does at the second.
    pub(crate) implied: Vec<(usize, usize)>,
}

impl Clauses {
    /// Adds what a constraint says of applications at some points; bit `i` of what is allowed is the value at the `i`-th.
    pub(crate) fn add(&mut self, points: &[usize], is_allowed: &dyn Fn(usize) -> bool) {
        let mut own: Vec<usize> = points.to_vec();
        own.sort_unstable();
        own.dedup();
        let bit =
            |values: usize, point: &usize| own.iter().position(|p| p == point).is_some_and(|i| values >> i & 1 == 1);
        // The values of the applications, given those of the points.
        let spread =
            |values: usize| (0..points.len()).map(|i| usize::from(bit(values, &points[i])) << i).sum::<usize>();
        let forbidden: Vec<usize> = (0..1 << own.len()).filter(|&values| !is_allowed(spread(values))).collect();
        let mut single: Vec<(usize, bool)> = Vec::new();
        for (i, &point) in own.iter().enumerate() {
            for value in [false, true] {
                let n = forbidden.iter().filter(|&&values| (values >> i & 1 == 1) == value).count();
                if n == 1 << (own.len() - 1) {
                    single.push((point, value));
                }
            }
        }
        for &literal in &single {
            if self.seen.insert(vec![literal]) {
                self.single.push(literal);
            }
        }
        for values in forbidden {
            let clause: Clause = own.iter().enumerate().map(|(i, &point)| (point, values >> i & 1 == 1)).collect();
            if !clause.iter().any(|literal| single.contains(literal)) && self.seen.insert(clause.clone()) {
                self.others.push(clause);
            }
        }
    }

    /// Whether a function with these codes at the points breaks no clause; `None` where that is not known because codes
    /// are undefined.
    pub(crate) fn admit(&self, codes: &[i64]) -> Option<bool> {
        let is = |&(point, value): &(usize, bool)| codes[point] == i64::from(value);
        let may_be = |literal: &(usize, bool)| is(literal) || !matches!(codes[literal.0], 0 | 1);
        if self.single.iter().any(is) || self.others.iter().any(|clause| clause.iter().all(is)) {
            return Some(false);
        }
        let is_known = !self.single.iter().any(may_be) && !self.others.iter().any(|clause| clause.iter().all(may_be));
        is_known.then_some(true)
    }

    /// As examples; `None` if some clause is neither a value nor an implication.
    pub(crate) fn examples(&self) -> Option<Examples> {
        let mut examples = Examples::default();
        for &(point, value) in &self.single {
            let own = if value { &mut examples.fail } else { &mut examples.hold };
            own.push(point);
        }
        for clause in &self.others {
            match clause.as_slice() {
                &[(from, true), (to, false)] | &[(to, false), (from, true)] => examples.implied.push((from, to)),
                _ => return None,
            }
        }
        Some(examples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_say_which_values_are_forbidden() {
        let mut clauses = Clauses::default();
        // The first application implies the second; at one point that says nothing.
        let implies = |values: usize| values & 1 == 0 || values & 2 != 0;
        clauses.add(&[4, 2], &implies);
        clauses.add(&[3, 3], &implies);
        clauses.add(&[1], &|values| values == 1);
        clauses.add(&[0, 2], &|values| values & 1 == 0);
        clauses.add(&[0, 2], &|values| values & 1 == 0);
        let expected = Examples { hold: vec![1], fail: vec![0], implied: vec![(4, 2)] };
        assert_eq!(clauses.examples(), Some(expected));
        let undefined = samples::UNDEFINED;
        assert_eq!(clauses.admit(&[0, 1, 1, 0, 1]), Some(true));
        assert_eq!(clauses.admit(&[0, undefined, 1, 0, 1]), None);
        assert_eq!(clauses.admit(&[1, undefined, 1, 1, 1]), Some(false));
        assert_eq!(clauses.admit(&[0, 1, 0, 0, 0]), Some(true));
        assert_eq!(clauses.admit(&[0, 1, 0, 0, 1]), Some(false));
        assert_eq!(clauses.admit(&[1, 1, 1, 1, 1]), Some(false));
        assert_eq!(clauses.admit(&[0, 0, 1, 1, 1]), Some(false));
        clauses.add(&[0, 1], &|values| values != 3);
        assert_eq!(clauses.examples(), None, "not both is no implication");
    }
}
