//! What is known of a term's values without running it: sort, definedness, bounds, constants.
//!
//! The analysis of the e-graph, and the judge of the conditions of rules. Everything here holds for all inputs, as long
//! as integers do not leave their 64 bits: that is the scope in which rules are proved, too.

use dsl::{Func, Kernel, Language, Node, OpId, Term};
use samples::{Sort, Symbol, UNDEFINED, Value, encode_value};

use crate::bank::Primitive;

/// What is known of all values of a term. Bounds and constant speak of the values where there are any.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Abstract {
    pub(crate) sort: Sort,
    /// Whether there is a value at every point.
    pub(crate) defined: bool,
    /// The least value, of integers and truth values (0 and 1).
    pub(crate) low: Option<i64>,
    /// The greatest value, of integers and truth values.
    pub(crate) high: Option<i64>,
    /// The code of the only value.
    pub(crate) constant: Option<i64>,
}

impl Abstract {
    /// Nothing but the sort.
    pub(crate) fn top(sort: Sort) -> Self {
        let (low, high) = if sort == Sort::Bool { (Some(0), Some(1)) } else { (None, None) };
        Self { sort, defined: matches!(sort, Sort::BitVec(_)), low, high, constant: None }
    }

    /// Integers or truth values within bounds.
    pub(crate) fn range(sort: Sort, defined: bool, low: Option<i64>, high: Option<i64>) -> Self {
        let top = Self::top(sort);
        let low = low.max(top.low);
        let high = match (high, top.high) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let constant = low.filter(|_| low == high);
        Self { sort, defined, low, high, constant }
    }

    /// One value.
    pub(crate) fn constant(value: Value) -> Option<Self> {
        Some(Self::code(value.sort()?, encode_value(value)))
    }

    fn code(sort: Sort, code: i64) -> Self {
        let ordered = matches!(sort, Sort::Int | Sort::Bool).then_some(code);
        Self { sort, defined: true, low: ordered, high: ordered, constant: Some(code) }
    }

    /// Whether the value is true at every point.
    pub(crate) fn is_true(&self) -> bool {
        self.sort == Sort::Bool && self.defined && self.low == Some(1)
    }

    /// What holds of something of which both hold.
    pub(crate) fn meet(self, other: Self) -> Self {
        let high = match (self.high, other.high) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let low = self.low.max(other.low);
        let mut constant = self.constant.or(other.constant);
        if matches!(self.sort, Sort::Int | Sort::Bool) && low.is_some() && low == high {
            constant = low;
        }
        Self { sort: self.sort, defined: self.defined || other.defined, low, high, constant }
    }

    /// What holds of something that is one or the other.
    pub(crate) fn join(self, other: Self) -> Self {
        Self {
            sort: self.sort,
            defined: self.defined && other.defined,
            low: self.low.zip(other.low).map(|(a, b)| a.min(b)),
            high: self.high.zip(other.high).map(|(a, b)| a.max(b)),
            constant: self.constant.filter(|_| self.constant == other.constant),
        }
    }
}

/// Names and what is known of them.
type Scope = [(Symbol, Abstract)];

/// What is known of a term, given what is known of its variables; `None` where sorts are not known.
pub(crate) fn of_term(language: &Language, term: &Term, scope: &Scope) -> Option<Abstract> {
    match term.node() {
        Node::Var(name) => scope.iter().rev().find(|(n, _)| n == name).map(|(_, value)| *value),
        Node::Const(value) => Abstract::constant(*value),
        Node::App(func, args) => {
            let args: Vec<Abstract> = args.iter().map(|arg| of_term(language, arg, scope)).collect::<Option<_>>()?;
            of_application(language, func, &args)
        }
        Node::Let(bindings, body) => {
            let mut scope = scope.to_vec();
            for (name, bound) in bindings {
                let bound = of_term(language, bound, &scope)?;
                scope.push((*name, bound));
            }
            of_term(language, body, &scope)
        }
        Node::Select { .. } => Some(Abstract { defined: true, ..Abstract::top(Sort::Selector) }),
        Node::Scan(_) => None,
    }
}

/// What is known of a function's result.
pub(crate) fn of_application(language: &Language, func: &Func, args: &[Abstract]) -> Option<Abstract> {
    match func {
        Func::Kernel(kernel) => of_kernel(*kernel, args),
        Func::Op(id) => of_operator(language, *id, args),
        Func::Table(table) => {
            let mut values = table.entries.iter().map(|(_, value)| Abstract::constant(*value));
            let first = values.next().flatten().unwrap_or(Abstract::top(table.result));
            let all = values.try_fold(first, |all, value| value.map(|value| all.join(value)));
            Some(Abstract { defined: false, sort: table.result, ..all.unwrap_or(Abstract::top(table.result)) })
        }
        Func::Lambda(params, body) => {
            let scope: Vec<(Symbol, Abstract)> = params.iter().copied().zip(args.iter().copied()).collect();
            of_term(language, body, &scope)
        }
    }
}

fn of_operator(language: &Language, id: OpId, args: &[Abstract]) -> Option<Abstract> {
    let operator = language.op(id);
    let scope: Vec<(Symbol, Abstract)> =
        operator.params.iter().map(|(name, _)| *name).zip(args.iter().copied()).collect();
    let value = of_term(language, &operator.meaning, &scope)?;
    let Some(condition) = &operator.condition else { return Some(value) };
    let holds = of_term(language, condition, &scope).is_some_and(|condition| condition.is_true());
    Some(Abstract { defined: value.defined && holds, ..value })
}

fn of_kernel(kernel: Kernel, args: &[Abstract]) -> Option<Abstract> {
    if let Some(folded) = fold(kernel, args) {
        return Some(folded);
    }
    let all_defined = args.iter().all(|arg| arg.defined);
    let bool_range = |defined, low, high| Some(Abstract::range(Sort::Bool, defined, low, high));
    let sort = args.first()?.sort;
    let number = |defined, low: Option<i64>, high: Option<i64>| {
        let exact = sort == Sort::Int;
        Some(Abstract::range(sort, defined, low.filter(|_| exact), high.filter(|_| exact)))
    };
    let a = args[0];
    let b = args.get(1).copied().unwrap_or(a);
    match kernel {
        Kernel::Not => bool_range(a.defined, a.high.map(|h| 1 - h), a.low.map(|l| 1 - l)),
        Kernel::And => {
            let decided = [a, b].iter().any(|arg| arg.defined && arg.high == Some(0));
            bool_range(all_defined || decided, a.low.min(b.low), a.high.min(b.high))
        }
        Kernel::Or => {
            let decided = [a, b].iter().any(|arg| arg.defined && arg.low == Some(1));
            bool_range(all_defined || decided, a.low.max(b.low), a.high.max(b.high))
        }
        Kernel::Implies => {
            let not = of_kernel(Kernel::Not, &[a])?;
            of_kernel(Kernel::Or, &[not, b])
        }
        Kernel::Xor => bool_range(all_defined, None, None),
        Kernel::Eq | Kernel::Distinct => {
            let apart = matches!((a.low, b.high), (Some(l), Some(h)) if l > h)
                || matches!((b.low, a.high), (Some(l), Some(h)) if l > h)
                || matches!((a.constant, b.constant), (Some(x), Some(y)) if x != y);
            let known = apart.then_some(i64::from(kernel == Kernel::Distinct));
            bool_range(all_defined, known, known)
        }
        Kernel::Lt => compare(all_defined, a, b, true),
        Kernel::Gt => compare(all_defined, b, a, true),
        Kernel::Le => compare(all_defined, a, b, false),
        Kernel::Ge => compare(all_defined, b, a, false),
        Kernel::Ite => {
            let (yes, no) = (args[1], args[2]);
            let taken = if a.low == Some(1) {
                yes
            } else if a.high == Some(0) {
                no
            } else {
                yes.join(no)
            };
            Some(Abstract { defined: taken.defined && a.defined, ..taken })
        }
        Kernel::Defined => bool_range(true, a.defined.then_some(1), None),
        Kernel::Add => number(all_defined, sum(a.low, b.low), sum(a.high, b.high)),
        Kernel::Sub => number(all_defined, difference(a.low, b.high), difference(a.high, b.low)),
        Kernel::Neg => number(all_defined, a.high.and_then(i64::checked_neg), a.low.and_then(i64::checked_neg)),
        Kernel::Mul => {
            let (low, high) = product(a, b).unzip();
            number(all_defined, low, high)
        }
        Kernel::Abs => {
            let high = a.low.zip(a.high).and_then(|(l, h)| Some(l.checked_abs()?.max(h.checked_abs()?)));
            let low = a.low.filter(|&l| l > 0).or(Some(0));
            number(all_defined, low, high)
        }
        Kernel::Min => {
            let high = match (a.high, b.high) {
                (Some(x), Some(y)) => Some(x.min(y)),
                (x, y) => x.or(y),
            };
            number(all_defined, a.low.zip(b.low).map(|(x, y)| x.min(y)), high)
        }
        Kernel::Max => number(all_defined, a.low.max(b.low), a.high.zip(b.high).map(|(x, y)| x.max(y))),
        Kernel::Mod => {
            let defined = all_defined && excludes_zero(b);
            let bound = b.low.zip(b.high).and_then(|(l, h)| Some(l.checked_abs()?.max(h.checked_abs()?) - 1));
            let small = a.low.is_some_and(|l| l >= 0).then_some(a.high).flatten();
            let high = match (bound, small) {
                (Some(x), Some(y)) => Some(x.min(y)),
                (x, y) => x.or(y),
            };
            number(defined, Some(0), high)
        }
        Kernel::Div => {
            let defined = all_defined && excludes_zero(b);
            let positive = a.low.is_some_and(|l| l >= 0) && b.low.is_some_and(|l| l >= 1);
            number(defined, positive.then_some(0), a.high.filter(|_| positive))
        }
        Kernel::Isqrt => {
            let defined = all_defined && a.low.is_some_and(|l| l >= 0);
            number(defined, Some(0), a.high.filter(|&h| h >= 0).map(i64::isqrt))
        }
        Kernel::ToReal => Some(Abstract { defined: a.defined, ..Abstract::top(Sort::Real) }),
        Kernel::Floor => Some(Abstract { defined: a.defined, ..Abstract::top(Sort::Int) }),
        Kernel::RealDiv => {
            let nonzero = b.constant.is_some_and(|code| code != 0);
            Some(Abstract { defined: all_defined && nonzero, ..Abstract::top(Sort::Real) })
        }
        Kernel::Width => Some(Abstract::range(Sort::Int, true, Some(0), None)),
        Kernel::Copy => Some(Abstract { defined: false, ..b }),
        Kernel::Mean => Some(Abstract { defined: b.defined, ..Abstract::top(Sort::Real) }),
        Kernel::Least | Kernel::Greatest | Kernel::Mode => Some(Abstract { defined: false, ..b }),
        Kernel::Number => Some(Abstract::top(Sort::Int)),
        Kernel::Numeral | Kernel::Append => Some(Abstract::top(Sort::Symbol)),
        Kernel::SelAnd | Kernel::SelOr | Kernel::SelNot => {
            Some(Abstract { defined: true, ..Abstract::top(Sort::Selector) })
        }
        Kernel::Bits(op) if op.is_test() => bool_range(true, None, None),
        Kernel::Bits(_) => Some(Abstract::top(sort)),
        Kernel::Reshape(_) => kernel.reshaped(args.iter().map(|arg| arg.sort)).map(Abstract::top),
    }
}

/// The result of constants, by running the kernel function.
fn fold(kernel: Kernel, args: &[Abstract]) -> Option<Abstract> {
    let codes: Vec<i64> = args.iter().map(|arg| arg.constant.filter(|_| arg.defined)).collect::<Option<_>>()?;
    if let (Kernel::Bits(op), Sort::BitVec(width)) = (kernel, args[0].sort) {
        let second = codes.get(1).copied().unwrap_or(0);
        let sort = if op.is_test() { Sort::Bool } else { args[0].sort };
        return Some(Abstract::code(sort, op.apply(width, codes[0] as u64, second as u64) as i64));
    }
    let sorts: Vec<Sort> = args.iter().map(|arg| arg.sort).collect();
    let primitive = Primitive::of(kernel, &sorts)?;
    let columns: Vec<&[i64]> = codes.iter().map(std::slice::from_ref).collect();
    let mut out = [UNDEFINED];
    primitive.run(&columns, &mut out);
    (out[0] != UNDEFINED).then(|| Abstract::code(primitive.result(&sorts), out[0]))
}

fn compare(defined: bool, a: Abstract, b: Abstract, strictly: bool) -> Option<Abstract> {
    if a.sort != Sort::Int {
        return Some(Abstract::range(Sort::Bool, defined, None, None));
    }
    let holds = a.high.zip(b.low).is_some_and(|(h, l)| if strictly { h < l } else { h <= l });
    let fails = a.low.zip(b.high).is_some_and(|(l, h)| if strictly { l >= h } else { l > h });
    Some(Abstract::range(Sort::Bool, defined, holds.then_some(1), fails.then_some(0)))
}

fn sum(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    a?.checked_add(b?)
}

fn difference(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    a?.checked_sub(b?)
}

fn product(a: Abstract, b: Abstract) -> Option<(i64, i64)> {
    let (a, b) = ([a.low?, a.high?], [b.low?, b.high?]);
    let mut corners = Vec::with_capacity(4);
    for x in a {
        for y in b {
            corners.push(x.checked_mul(y)?);
        }
    }
    Some((*corners.iter().min()?, *corners.iter().max()?))
}

fn excludes_zero(a: Abstract) -> bool {
    a.low.is_some_and(|l| l > 0) || a.high.is_some_and(|h| h < 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bank::{Bank, BankConfig, Limits, Watch};
    use crate::testing::{integers, variable};

    /// Everything claimed of many terms holds of their values.
    #[test]
    fn claims_hold_of_values() {
        let language = integers();
        let (x, y): (Vec<i64>, Vec<i64>) = (-3..=5).flat_map(|x| (1..=4).map(move |y| (x, y))).unzip();
        let scope = [
            (Symbol::new("x"), Abstract::range(Sort::Int, true, Some(-3), Some(5))),
            (Symbol::new("y"), Abstract::range(Sort::Int, true, Some(1), Some(4))),
        ];
        let leaves = vec![variable(&language, "x", &x), variable(&language, "y", &y)];
        let mut bank = Bank::new(&language, &BankConfig::new(&language, leaves)).unwrap();
        bank.run(&Limits { max_candidates: 30_000, ..Limits::new(9) }, &mut |_| Watch::Keep);
        let (mut n_bounded, mut n_partial) = (0, 0);
        for found in bank.classes() {
            let mut terms = bank.alternatives(found.id);
            terms.push(bank.term(found.id));
            for term in terms {
                let known = of_term(&language, &term, &scope).expect("sorts are known");
                let text = dsl::print(&term, &language);
                assert_eq!(known.sort, found.sort, "{text}");
                n_bounded += usize::from(known.low.is_some() && known.high.is_some());
                n_partial += usize::from(!known.defined);
                for &code in &*found.codes {
                    if code == UNDEFINED {
                        assert!(!known.defined, "{text}");
                        continue;
                    }
                    assert!(known.low.is_none_or(|l| l <= code), "{text}: {known:?} {code}");
                    assert!(known.high.is_none_or(|h| h >= code), "{text}: {known:?} {code}");
                    assert!(known.constant.is_none_or(|c| c == code), "{text}: {known:?} {code}");
                }
            }
        }
        assert!(n_bounded > 1_000 && n_partial > 100, "{n_bounded} {n_partial}");
    }

    #[test]
    fn conditions_are_decided() {
        let language = integers();
        let scope = [(Symbol::new("x"), Abstract::range(Sort::Int, true, Some(0), Some(9)))];
        let holds = |text: &str| {
            let term = dsl::parse_term(text, &language, &[(Symbol::new("x"), Sort::Int)]).unwrap();
            of_term(&language, &term, &scope).is_some_and(|known| known.is_true())
        };
        assert!(holds("(< (% x 5) 5)"));
        assert!(holds("(< (+ (% x 5) 1) 6)"));
        assert!(holds("(= (% 7 5) 2)"));
        assert!(!holds("(< x 9)"));
        assert!(!holds("(< (// 3 x) 100)"), "undefined at 0");
    }
}
