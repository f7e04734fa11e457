//! The last step without a product: terms whose head is found from the goal backwards.
//!
//! Two ways to go beyond the finished level of a bank at the price of look-ups. *Inversion*: for `(+ a b) = goal`, `b` is
//! known once `a` is, so one look-up per class replaces a pass over all pairs. *Unification*: for `(ite p a b)`, the
//! points where `a` has the goal's values and those where `b` has them must cover all points, and `p` has to tell them
//! apart (exact for one `ite`; Alur et al. 2017 learn trees of them).

use dsl::{Kernel, Language, OpId, Term};
use samples::{Sort, UNDEFINED};

use crate::bank::{Bank, ClassId};
use crate::goal::Goal;

/// A term built of classes by one more operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topped {
    /// The operator at the head.
    pub op: OpId,
    /// Its arguments.
    pub args: Vec<ClassId>,
    /// The cost of the whole.
    pub cost: u32,
}

impl Topped {
    /// The term.
    pub fn term(&self, bank: &Bank<'_>) -> Term {
        Term::op(self.op, self.args.iter().map(|&arg| bank.term(arg)).collect())
    }
}

/// The cheapest term below `bound` whose head is an invertible operator in `operators` (`+`, `-`, `*`, `xor`) over two
/// classes and that has the goal's values.
///
/// Needs a goal without points that do not matter; one look-up per class and operator.
pub fn invert(bank: &Bank<'_>, goal: &Goal, operators: &[OpId], bound: u32) -> Option<Topped> {
    let want: Vec<i64> = goal.codes.iter().map(|code| code.filter(|&c| c != UNDEFINED)).collect::<Option<_>>()?;
    let mut best: Option<Topped> = None;
    let mut need = vec![0; want.len()];
    for &op in operators {
        let operator = bank.language().op(op);
        let Some(kernel) = operator.kernel().filter(|_| operator.condition.is_none()) else { continue };
        let sort = if kernel == Kernel::Xor { Sort::Bool } else { Sort::Int };
        if goal.sort != sort || operator.charges.iter().any(|&charge| charge > 0) {
            continue;
        }
        for first in bank.classes().filter(|found| found.sort == sort) {
            let limit = best.as_ref().map_or(bound, |best| best.cost);
            if operator.cost + first.cost + 1 >= limit || !second(kernel, &first.codes, &want, &mut need) {
                continue;
            }
            let Some(id) = bank.find(sort, &need) else { continue };
            let cost = operator.cost + first.cost + bank.cost(id);
            if cost < limit {
                let mut args = vec![first.id, id];
                // The costlier argument first, as the bank has it, where the order does not matter.
                if kernel != Kernel::Sub && bank.cost(id) > first.cost {
                    args.swap(0, 1);
                }
                best = Some(Topped { op, args, cost });
            }
        }
    }
    best
}

/// Fills `need` with the second argument that makes the function yield `want`; false where there is none or many.
fn second(kernel: Kernel, first: &[i64], want: &[i64], need: &mut [i64]) -> bool {
    let solve = |a: i64, g: i64| -> Option<i64> {
        if a == UNDEFINED {
            return None;
        }
        match kernel {
            Kernel::Add => g.checked_sub(a),
            Kernel::Sub => a.checked_sub(g),
            Kernel::Mul => g.checked_rem(a).filter(|&rest| rest == 0).and_then(|_| g.checked_div(a)),
            Kernel::Xor => Some(a ^ g),
            _ => None,
        }
    };
    first.iter().zip(want).zip(need).all(|((&a, &g), n)| {
        solve(a, g).is_some_and(|b| {
            *n = b;
            b != UNDEFINED
        })
    })
}

/// How much work [`unify`] may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnifyLimits {
    /// Terms with different covers that are considered, cheapest first.
    pub max_terms: usize,
    /// Predicates that are considered, cheapest first.
    pub max_predicates: usize,
    /// Comparisons of a pair of terms with a predicate.
    pub max_checks: u64,
}

impl UnifyLimits {
    /// Enough for a tenth of a second.
    pub fn new() -> Self {
        Self { max_terms: 400, max_predicates: 50_000, max_checks: 20_000_000 }
    }
}

impl Default for UnifyLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// A set of points.
type Mask = Vec<u64>;

struct Cover {
    id: ClassId,
    cost: u32,
    mask: Mask,
}

struct Predicate {
    id: ClassId,
    cost: u32,
    holds: Mask,
    fails: Mask,
}

/// The operator that is `ite`, if it is among some operators.
pub fn ite_operator(language: &Language, operators: Option<&[OpId]>) -> Option<OpId> {
    let id = language.kernel_operator(Kernel::Ite)?;
    let plain = language.op(id).condition.is_none() && language.op(id).charges.iter().all(|&charge| charge == 0);
    (plain && operators.is_none_or(|operators| operators.contains(&id))).then_some(id)
}

/// The cheapest term `(ite p a b)` below `bound` over classes of the bank that has the goal's values.
///
/// Exact within the limits: of terms that fit at the same points or at fewer, only the cheapest can be a branch.
pub fn unify(bank: &Bank<'_>, goal: &Goal, ite: OpId, bound: u32, limits: &UnifyLimits) -> Option<Topped> {
    let own = bank.language().op(ite).cost;
    let care = mask(goal.codes.iter().map(Option::is_some));
    let terms = covers(bank, goal, limits);
    let predicates = predicates(bank, &care, limits);
    let cheapest_predicate = predicates.first()?.cost;
    let mut pairs: Vec<(u32, usize, usize)> = Vec::new();
    for (i, a) in terms.iter().enumerate() {
        for (j, b) in terms.iter().enumerate() {
            let cost = own + a.cost + b.cost;
            let all = a.mask.iter().zip(&b.mask).zip(&care).all(|((a, b), care)| care & !(a | b) == 0);
            if i != j && all && cost + cheapest_predicate < bound {
                pairs.push((cost, i, j));
            }
        }
    }
    pairs.sort_unstable();
    let mut best: Option<Topped> = None;
    let mut n_checks = 0;
    for (cost, i, j) in pairs {
        let (a, b) = (&terms[i], &terms[j]);
        let limit = best.as_ref().map_or(bound, |best| best.cost);
        if cost + cheapest_predicate >= limit || n_checks >= limits.max_checks {
            break;
        }
        let fits = |p: &&Predicate| {
            let words = a.mask.iter().zip(&b.mask).zip(&care).zip(p.holds.iter().zip(&p.fails));
            let mut words = words.map(|(((a, b), care), (holds, fails))| care & !((holds & a) | (fails & b)));
            words.all(|wrong| wrong == 0)
        };
        let affordable = predicates.partition_point(|p| cost + p.cost < limit);
        n_checks += affordable as u64;
        if let Some(p) = predicates[..affordable].iter().find(fits) {
            best = Some(Topped { op: ite, args: vec![p.id, a.id, b.id], cost: cost + p.cost });
        }
    }
    best
}

/// A set of points as bits, 64 in a word: point `i` is in it where the `i`-th truth value holds.
pub fn mask(bits: impl Iterator<Item = bool>) -> Vec<u64> {
    let mut words = Vec::new();
    for (i, bit) in bits.enumerate() {
        if i % 64 == 0 {
            words.push(0);
        }
        words[i / 64] |= u64::from(bit) << (i % 64);
    }
    words
}

/// Terms by the points where they fit the goal, without those that a cheaper one covers.
fn covers(bank: &Bank<'_>, goal: &Goal, limits: &UnifyLimits) -> Vec<Cover> {
    let mut all: Vec<Cover> = bank
        .classes()
        .filter(|found| found.sort == goal.sort)
        .filter_map(|found| {
            let fits = goal.codes.iter().zip(&*found.codes).map(|(want, have)| *want == Some(*have));
            let mask = mask(fits);
            mask.iter().any(|&word| word != 0).then_some(Cover { id: found.id, cost: found.cost, mask })
        })
        .collect();
    all.sort_by_key(|cover| (cover.cost, cover.id));
    let mut kept: Vec<Cover> = Vec::new();
    for cover in all {
        if kept.len() >= limits.max_terms {
            break;
        }
        let covered = |by: &Cover| cover.mask.iter().zip(&by.mask).all(|(own, other)| own & !other == 0);
        if !kept.iter().any(covered) {
            kept.push(cover);
        }
    }
    kept
}

/// Predicates that are defined wherever it matters, cheapest first.
fn predicates(bank: &Bank<'_>, care: &Mask, limits: &UnifyLimits) -> Vec<Predicate> {
    let mut all: Vec<Predicate> = bank
        .classes()
        .filter(|found| found.sort == Sort::Bool)
        .map(|found| Predicate {
            id: found.id,
            cost: found.cost,
            holds: mask(found.codes.iter().map(|&code| code == 1)),
            fails: mask(found.codes.iter().map(|&code| code == 0)),
        })
        .filter(|p| p.holds.iter().zip(&p.fails).zip(care).all(|((holds, fails), care)| care & !(holds | fails) == 0))
        .collect();
    all.sort_by_key(|predicate| (predicate.cost, predicate.id));
    all.truncate(limits.max_predicates);
    all
}
