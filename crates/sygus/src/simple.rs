//! Simple forms of terms.
//!
//! What constraints say comes with definitions expanded: sums of sums, `(- 0 x)`, comparisons with variables on both sides,
//! connectives of what is always true. Here sums get one addend for each part and comparisons one constant, and what is known
//! without any input is left out. Both forms mean the same for all inputs.

use dsl::{Func, Kernel, Node, Term};
use rustc_hash::FxHashMap;
use samples::Value;

use crate::theory::{self, apply};

/// Larger terms are left as they are.
const SIZE_LIMIT: u64 = 4000;

/// A term with the same values, of no more nodes as it is written ([`theory::joined_nodes`]), over linear arithmetic and
/// truth values; other functions are kept, with simple arguments.
pub(crate) fn simple(term: &Term) -> Term {
    if theory::tree_size(term) > SIZE_LIMIT {
        return term.clone();
    }
    simple_with(term, &mut FxHashMap::default())
}

fn simple_with(term: &Term, memo: &mut FxHashMap<usize, Term>) -> Term {
    let Node::App(func, args) = term.node() else { return term.clone() };
    if let Some(known) = memo.get(&term.address()) {
        return known.clone();
    }
    let args: Vec<Term> = args.iter().map(|arg| simple_with(arg, memo)).collect();
    let plain = Term::app(func.clone(), args);
    let new = match func {
        Func::Kernel(kernel) => by_rule(*kernel, &plain).unwrap_or(plain),
        _ => plain,
    };
    memo.insert(term.address(), new.clone());
    new
}

fn truth(value: bool) -> Term {
    Term::constant(Value::Bool(value))
}

fn known(term: &Term) -> Option<bool> {
    match term.node() {
        Node::Const(Value::Bool(value)) => Some(*value),
        _ => None,
    }
}

/// What an application whose arguments are simple amounts to; `None` if no rule is for it.
fn by_rule(kernel: Kernel, term: &Term) -> Option<Term> {
    let Node::App(_, args) = term.node() else { return None };
    let size = |term: &Term| (theory::joined_nodes(term), theory::nodes(term));
    // Of terms of one size people have chosen theirs.
    let is_smaller = |new: &Term| size(new) < size(term);
    match (kernel, args.as_slice()) {
        (Kernel::Not, [a]) => negated(a),
        (Kernel::And, [a, b]) => joined(true, a, b),
        (Kernel::Or, [a, b]) => joined(false, a, b),
        (Kernel::Implies, [a, b]) => match (known(a), known(b)) {
            (Some(true), _) => Some(b.clone()),
            (Some(false), _) | (_, Some(true)) => Some(truth(true)),
            (_, Some(false)) => negated(a),
            _ => (a == b).then(|| truth(true)),
        },
        (Kernel::Ite, [c, a, b]) => match known(c) {
            Some(true) => Some(a.clone()),
            Some(false) => Some(b.clone()),
            None => (a == b).then(|| a.clone()),
        },
        (Kernel::Eq, [a, b]) if a == b => Some(truth(true)),
        (Kernel::Eq, [a, b]) => match (known(a), known(b)) {
            (Some(true), _) => Some(b.clone()),
            (_, Some(true)) => Some(a.clone()),
            (Some(false), _) => negated(b),
            (_, Some(false)) => negated(a),
            _ if is_sum(a) || is_sum(b) => compared(kernel, a, b).filter(is_smaller),
            _ => None,
        },
        (Kernel::Le | Kernel::Lt | Kernel::Ge | Kernel::Gt, [a, b]) => compared(kernel, a, b).filter(is_smaller),
        (Kernel::Add | Kernel::Sub | Kernel::Mul | Kernel::Neg, _) => {
            Sum::of(term).map(|sum| sum.term()).filter(is_smaller)
        }
        _ => None,
    }
}

fn negated(term: &Term) -> Option<Term> {
    if let Some(value) = known(term) {
        return Some(truth(!value));
    }
    let Node::App(Func::Kernel(kernel), args) = term.node() else { return None };
    let opposite = match kernel {
        Kernel::Not => return Some(args[0].clone()),
        Kernel::Le => Kernel::Gt,
        Kernel::Lt => Kernel::Ge,
        Kernel::Ge => Kernel::Lt,
        Kernel::Gt => Kernel::Le,
        _ => return None,
    };
    Some(apply(opposite, args.clone()))
}

/// `(and a b)`, or `(or a b)`, by what leaves the other side as it is.
fn joined(unit: bool, a: &Term, b: &Term) -> Option<Term> {
    match (known(a), known(b)) {
        (Some(value), _) => Some(if value == unit { b.clone() } else { truth(value) }),
        (_, Some(value)) => Some(if value == unit { a.clone() } else { truth(value) }),
        _ => (a == b).then(|| a.clone()),
    }
}

/// Whether a term is visibly a sum, or a number.
fn is_sum(term: &Term) -> bool {
    match term.node() {
        Node::Const(value) => matches!(value, Value::Int(_)),
        Node::App(Func::Kernel(kernel), _) => {
            matches!(kernel, Kernel::Add | Kernel::Sub | Kernel::Mul | Kernel::Neg)
        }
        _ => false,
    }
}

/// A comparison with everything positive on the left and everything negative on the right.
fn compared(kernel: Kernel, a: &Term, b: &Term) -> Option<Term> {
    let (a, b) = (Sum::of(a)?, Sum::of(b)?);
    // As `difference >= 0`, or `= 0`.
    let (mut difference, strict) = match kernel {
        Kernel::Ge => (a.plus(&b, -1)?, false),
        Kernel::Gt => (a.plus(&b, -1)?, true),
        Kernel::Le => (b.plus(&a, -1)?, false),
        Kernel::Lt => (b.plus(&a, -1)?, true),
        _ => (a.plus(&b, -1)?, false),
    };
    if difference.parts.is_empty() {
        return Some(truth(match kernel {
            Kernel::Eq => difference.constant == 0,
            _ => difference.constant >= i64::from(strict),
        }));
    }
    let is_equation = kernel == Kernel::Eq;
    // Over the integers `a >= 1` is `a > 0`, and `a > -1` is `a >= 0`.
    let mut strict = strict;
    match (is_equation, strict, difference.constant) {
        (false, false, -1) => (difference.constant, strict) = (0, true),
        (false, true, 1) => (difference.constant, strict) = (0, false),
        _ => {}
    }
    let part = |is_left: bool| {
        let parts = difference.parts.iter().filter(|(_, factor)| (*factor > 0) == is_left);
        let parts = parts.map(|(atom, factor)| Some((atom.clone(), factor.checked_abs()?)));
        Some(Sum { parts: parts.collect::<Option<_>>()?, constant: 0 })
    };
    let (mut left, mut right) = (part(true)?, part(false)?);
    // The constant stands where it is alone, or else where it is positive.
    let is_left = left.parts.is_empty() || (!right.parts.is_empty() && difference.constant > 0);
    match is_left {
        true => left.constant = difference.constant,
        false => right.constant = difference.constant.checked_neg()?,
    }
    let kernel = match (is_equation, strict) {
        (true, _) => Kernel::Eq,
        (false, true) => Kernel::Gt,
        (false, false) => Kernel::Ge,
    };
    Some(apply(kernel, vec![left.term(), right.term()]))
}

/// A linear combination of terms that are no sums themselves.
#[derive(Clone, Default)]
struct Sum {
    /// Terms with their factors, none of them 0, in the order in which they come.
    parts: Vec<(Term, i64)>,
    constant: i64,
}

impl Sum {
    /// `None` where factors leave 64 bits.
    fn of(term: &Term) -> Option<Self> {
        let atom = || Self { parts: vec![(term.clone(), 1)], constant: 0 };
        Some(match term.node() {
            Node::Const(Value::Int(value)) => Self { parts: Vec::new(), constant: *value },
            Node::App(Func::Kernel(kernel), args) => match (kernel, args.as_slice()) {
                (Kernel::Add, [a, b]) => Self::of(a)?.plus(&Self::of(b)?, 1)?,
                (Kernel::Sub, [a, b]) => Self::of(a)?.plus(&Self::of(b)?, -1)?,
                (Kernel::Neg, [a]) => Self::default().plus(&Self::of(a)?, -1)?,
                (Kernel::Mul, [a, b]) => match (Self::of(a)?, Self::of(b)?) {
                    (factor, other) | (other, factor) if factor.parts.is_empty() => {
                        Self::default().plus(&other, factor.constant)?
                    }
                    _ => atom(),
                },
                _ => atom(),
            },
            _ => atom(),
        })
    }

    /// This and another one, times a factor.
    fn plus(mut self, other: &Self, by: i64) -> Option<Self> {
        for (atom, factor) in &other.parts {
            let factor = factor.checked_mul(by)?;
            match self.parts.iter_mut().find(|(own, _)| own == atom) {
                Some((_, known)) => *known = known.checked_add(factor)?,
                None => self.parts.push((atom.clone(), factor)),
            }
        }
        self.parts.retain(|(_, factor)| *factor != 0);
        self.constant = self.constant.checked_add(other.constant.checked_mul(by)?)?;
        Some(self)
    }

    /// The term, in as few nodes as sums take that are written with any number of addends.
    fn term(&self) -> Term {
        let number = |value: i64| Term::constant(Value::Int(value));
        let product = |atom: &Term, factor: i64| apply(Kernel::Mul, vec![number(factor), atom.clone()]);
        let is_alone = self.parts.len() == 1 && self.constant == 0;
        // What can only be subtracted; what is added; and what may be either: with a negative factor or number.
        let (mut taken, mut added, mut either) = (Vec::new(), Vec::new(), Vec::new());
        for (atom, factor) in &self.parts {
            // A variable twice takes less than 2 times it.
            let copies = if !is_alone && factor.unsigned_abs() == 2 && theory::nodes(atom) == 1 { 2 } else { 1 };
            match factor {
                1 => added.push(atom.clone()),
                -1 => taken.push(atom.clone()),
                2 if copies == 2 => added.extend([atom.clone(), atom.clone()]),
                -2 if copies == 2 => taken.extend([atom.clone(), atom.clone()]),
                _ if *factor > 0 || *factor == i64::MIN => added.push(product(atom, *factor)),
                _ => either.push((product(atom, *factor), product(atom, -factor))),
            }
        }
        match self.constant {
            0 if !self.parts.is_empty() => {}
            value if value >= 0 || value == i64::MIN => added.push(number(value)),
            value => either.push((number(value), number(-value))),
        }
        // Where nothing has to be subtracted no difference is needed; and something has to come first.
        if taken.is_empty() && added.len() != 1 {
            added.extend(either.drain(..).map(|(negative, _)| negative));
        } else if added.is_empty() && !either.is_empty() {
            added.push(either.remove(0).0);
        }
        taken.extend(either.into_iter().map(|(_, positive)| positive));
        let mut taken = taken.into_iter();
        let sum = added.into_iter().reduce(|a, b| apply(Kernel::Add, vec![a, b]));
        let first =
            sum.or_else(|| taken.next().map(|term| apply(Kernel::Neg, vec![term]))).unwrap_or_else(|| number(0));
        taken.fold(first, |sum, term| apply(Kernel::Sub, vec![sum, term]))
    }
}

#[cfg(test)]
mod tests {
    use dsl::{Language, sort_of};
    use rand::Rng as _;
    use samples::{Column, Rng, Sort, Symbol, rng};

    use super::*;
    use crate::spec::evaluate;

    const NAMES: [&str; 3] = ["x", "y", "z"];

    fn integer(depth: u32, rng: &mut Rng) -> Term {
        if depth == 0 {
            return match rng.random_range(0..2) {
                0 => Term::int(rng.random_range(-2..4)),
                _ => Term::var(NAMES[rng.random_range(0..3)]),
            };
        }
        let mut part = || integer(rng.random_range(0..depth), rng);
        let (a, b) = (part(), part());
        match rng.random_range(0..6) {
            0 | 1 => apply(Kernel::Add, vec![a, b]),
            2 => apply(Kernel::Sub, vec![a, b]),
            3 => apply(Kernel::Neg, vec![a]),
            4 => apply(Kernel::Mul, vec![Term::int(rng.random_range(-3..4)), a]),
            _ => apply(Kernel::Ite, vec![formula(depth - 1, rng), a, b]),
        }
    }

    fn formula(depth: u32, rng: &mut Rng) -> Term {
        if depth == 0 || rng.random_range(0..3) == 0 {
            let kernels = [Kernel::Eq, Kernel::Le, Kernel::Lt, Kernel::Ge, Kernel::Gt];
            let kernel = kernels[rng.random_range(0..kernels.len())];
            return apply(kernel, vec![integer(depth, rng), integer(depth, rng)]);
        }
        let (a, b) = (formula(depth - 1, rng), formula(depth - 1, rng));
        match rng.random_range(0..5) {
            0 => apply(Kernel::Not, vec![a]),
            1 => apply(Kernel::And, vec![a, b]),
            2 => apply(Kernel::Or, vec![a, b]),
            3 => apply(Kernel::Implies, vec![a, b]),
            _ => apply(Kernel::Eq, vec![a, b]),
        }
    }

    #[test]
    fn simple_forms_have_the_same_values_and_no_more_nodes() {
        let language = Language::default();
        let mut rng = rng(0, "simple forms");
        let vars: Vec<(Symbol, Column)> = NAMES
            .iter()
            .map(|name| {
                let codes = (0..40).map(|_| rng.random_range(-4..5)).collect();
                (Symbol::new(name), Column::new(Sort::Int, codes))
            })
            .collect();
        let mut n_smaller = 0;
        for _ in 0..2000 {
            let term = formula(4, &mut rng);
            let new = simple(&term);
            let text = |term: &Term| theory::print(term, &language);
            let values = |term: &Term| evaluate(term, &language, &vars, 40).expect("it has values").codes;
            assert_eq!(values(&term), values(&new), "{} is not {}", text(&term), text(&new));
            let nodes = [&new, &term].map(theory::joined_nodes);
            assert!(nodes[0] <= nodes[1], "{} is more than {}", text(&new), text(&term));
            assert_eq!(simple(&new), new, "{} is simple", text(&new));
            let sorts: Vec<(Symbol, Sort)> = vars.iter().map(|(name, column)| (*name, column.sort)).collect();
            assert_eq!(sort_of(&new, &language, &sorts), Ok(Sort::Bool));
            n_smaller += u32::from(nodes[0] < nodes[1]);
        }
        assert!(n_smaller > 1000, "most formulas have simpler forms, {n_smaller} had");
    }

    #[test]
    fn sums_and_comparisons_are_written_as_people_do() {
        let language = Language::default();
        let [x, y, z] = NAMES.map(Term::var);
        let sum = |a: &Term, b: &Term| apply(Kernel::Add, vec![a.clone(), b.clone()]);
        let difference = |a: &Term, b: &Term| apply(Kernel::Sub, vec![a.clone(), b.clone()]);
        let times = |factor: i64, a: &Term| apply(Kernel::Mul, vec![Term::int(factor), a.clone()]);
        let shown = |term: &Term| theory::print_joined(&simple(term), &language);
        let zero = Term::int(0);
        assert_eq!(shown(&sum(&x, &sum(&sum(&y, &x), &x))), "(+ (* 3 x) y)");
        assert_eq!(shown(&difference(&times(3, &x), &times(7, &sum(&y, &z)))), "(- (* 3 x) (* 7 (+ y z)))");
        assert_eq!(shown(&difference(&sum(&x, &y), &times(7, &z))), "(+ x y (* (- 7) z))");
        assert_eq!(shown(&difference(&zero, &x)), "(- x)");
        assert_eq!(shown(&sum(&x, &difference(&zero, &y))), "(- x y)");
        assert_eq!(shown(&difference(&zero, &sum(&x, &times(2, &y)))), "(- (- x) y y)");
        let at_least = |a: &Term, b: &Term| apply(Kernel::Ge, vec![a.clone(), b.clone()]);
        assert_eq!(shown(&at_least(&difference(&x, &y), &Term::int(1))), "(> x y)");
        assert_eq!(shown(&at_least(&difference(&zero, &x), &Term::int(3))), "(>= (- 3) x)");
        assert_eq!(shown(&at_least(&sum(&x, &y), &sum(&y, &x))), "true");
    }
}
