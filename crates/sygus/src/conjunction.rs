//! Conjunctions of given conditions that agree with examples, counterexamples and implications.
//!
//! All conditions that hold where the function has to hold together make the strongest conjunction; where that breaks an
//! implication, the second point has to hold too (Houdini: Flanagan and Leino, FME 2001). If the strongest one will do, a
//! small one is picked: cheap conditions that cut off the counterexamples, and of the implications that break then, the
//! first points.

use crate::clauses::Examples;

/// A set of points.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Points(Vec<u64>);

impl Points {
    /// Those below `n` that a predicate picks.
    pub(crate) fn new(n: usize, is_in: impl Fn(usize) -> bool) -> Self {
        let word = |w: usize| (64 * w..n.min(64 * w + 64)).filter(|&i| is_in(i)).map(|i| 1 << (i % 64)).sum();
        Self((0..n.div_ceil(64)).map(word).collect())
    }

    /// Points of one set or the other.
    pub(crate) fn or(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a | b).collect())
    }

    fn keep(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a &= b);
    }

    /// Whether a point is in it.
    pub(crate) fn contains(&self, point: usize) -> bool {
        self.0[point / 64] >> (point % 64) & 1 == 1
    }

    fn insert(&mut self, point: usize) {
        self.0[point / 64] |= 1 << (point % 64);
    }

    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a & !b == 0)
    }

    fn n_without(&self, other: &Self) -> u32 {
        self.0.iter().zip(&other.0).map(|(a, b)| (a & !b).count_ones()).sum()
    }
}

/// A condition: what it costs, and where it holds.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    pub(crate) cost: u32,
    pub(crate) holds: Points,
}

/// Where all conditions hold that hold at some points.
fn strongest(conditions: &[Condition], hold: &Points, n: usize) -> Points {
    let mut all = Points::new(n, |_| true);
    let own = conditions.iter().filter(|condition| hold.is_within(&condition.holds));
    own.for_each(|condition| all.keep(&condition.holds));
    all
}

/// Adds to the points where the function has to hold those that the strongest conjunction leads to; whether there are any.
pub(crate) fn step(conditions: &[Condition], hold: &mut Points, implied: &[(usize, usize)], n: usize) -> bool {
    let all = strongest(conditions, hold, n);
    let mut follow = implied.iter().filter(|&&(from, to)| all.contains(from) && !all.contains(to)).peekable();
    let is_any = follow.peek().is_some();
    follow.for_each(|&(_, to)| hold.insert(to));
    is_any
}

/// Few and cheap conditions whose conjunction agrees with the examples; `None` if no conjunction does.
pub(crate) fn choose(conditions: &[Condition], examples: &Examples, n: usize) -> Option<Vec<usize>> {
    let mut hold = Points::new(n, |i| examples.hold.contains(&i));
    while step(conditions, &mut hold, &examples.implied, n) {}
    let all = strongest(conditions, &hold, n);
    if examples.fail.iter().any(|&point| all.contains(point)) {
        return None;
    }
    let usable: Vec<usize> = (0..conditions.len()).filter(|&i| hold.is_within(&conditions[i].holds)).collect();
    let mut out = Points::new(n, |i| examples.fail.contains(&i));
    let mut chosen: Vec<usize> = Vec::new();
    loop {
        let all = conjunction(conditions, &chosen, n);
        let mut left = out.clone();
        left.keep(&all);
        if left.0.iter().any(|&word| word != 0) {
            // The least cost for each point that is cut off; joining costs one.
            let gain = |&i: &usize| left.n_without(&conditions[i].holds);
            let useful = usable.iter().copied().filter(|i| gain(i) > 0);
            let best = useful.min_by(|a, b| {
                let [of_a, of_b] = [a, b].map(|&i| u64::from(conditions[i].cost + 1));
                (of_a * u64::from(gain(b))).cmp(&(of_b * u64::from(gain(a)))).then(of_a.cmp(&of_b)).then(a.cmp(b))
            })?;
            chosen.push(best);
            continue;
        }
        // What follows from a point that may not hold must not hold there either: the strongest conjunction is proof that
        // this can be had.
        let broken = examples.implied.iter().filter(|&&(from, to)| all.contains(from) && !all.contains(to));
        let broken: Vec<usize> = broken.map(|&(from, _)| from).collect();
        if broken.is_empty() {
            return Some(thin(conditions, chosen, examples, n));
        }
        broken.into_iter().for_each(|point| out.insert(point));
    }
}

/// Leaves out conditions that are not needed, the most expensive first.
fn thin(conditions: &[Condition], mut chosen: Vec<usize>, examples: &Examples, n: usize) -> Vec<usize> {
    let agrees = |chosen: &[usize]| {
        let all = conjunction(conditions, chosen, n);
        let is_broken = |&(from, to): &(usize, usize)| all.contains(from) && !all.contains(to);
        !examples.fail.iter().any(|&point| all.contains(point)) && !examples.implied.iter().any(is_broken)
    };
    chosen.sort_by_key(|&i| (conditions[i].cost, i));
    for at in (0..chosen.len()).rev() {
        let dropped = chosen.remove(at);
        if !agrees(&chosen) {
            chosen.insert(at, dropped);
        }
    }
    chosen
}

fn conjunction(conditions: &[Condition], chosen: &[usize], n: usize) -> Points {
    let mut all = Points::new(n, |_| true);
    chosen.iter().for_each(|&i| all.keep(&conditions[i].holds));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Conditions `x >= bound`, each of its cost, over the points 0 to 9.
    fn at_least(bounds: &[(usize, u32)]) -> Vec<Condition> {
        bounds.iter().map(|&(low, cost)| Condition { cost, holds: Points::new(10, |x| x >= low) }).collect()
    }

    #[test]
    fn a_cheap_conjunction_agrees_with_the_examples() {
        let conditions = at_least(&[(1, 9), (2, 1), (3, 1), (4, 1)]);
        let examples = Examples { hold: vec![5], fail: vec![1], implied: vec![] };
        assert_eq!(choose(&conditions, &examples, 10), Some(vec![1]));
        // 2 must not hold if it leads to 1; and 3 has to hold if 5 leads there.
        let examples = Examples { implied: vec![(2, 1), (5, 3)], ..examples };
        assert_eq!(choose(&conditions, &examples, 10), Some(vec![2]));
    }

    #[test]
    fn what_examples_lead_to_may_leave_no_conjunction() {
        let conditions = at_least(&[(1, 1), (2, 1)]);
        let examples = Examples { hold: vec![5], fail: vec![1], implied: vec![(5, 4), (4, 1)] };
        assert_eq!(choose(&conditions, &examples, 10), None);
        let examples = Examples { fail: vec![0], ..examples };
        assert_eq!(choose(&conditions, &examples, 10), Some(vec![0]));
    }
}
