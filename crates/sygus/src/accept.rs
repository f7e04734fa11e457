//! Which values of a function make a formula true, everything else being known.
//!
//! A formula with one unknown is turned into the set of values of the unknown that satisfy it: comparisons of a linear
//! expression give ranges, connectives combine them. That covers what linear arithmetic, examples and reference
//! implementations ask for; other formulas are evaluated candidate by candidate.

use dsl::{Func, Kernel, Node, Term};
use rustc_hash::FxHashMap;
use samples::{Sort, Symbol, UNDEFINED, Value, encode_value};

use crate::values::Values;

/// A formula in one unknown; subterms without it are columns that are given.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// The value in a column.
    Column(usize),
    /// A constant.
    Code(i64),
    /// The unknown.
    Unknown,
    /// A function.
    Apply(Kernel, Sort, Vec<Shape>),
}

/// What a subterm is, as a function of the unknown.
enum Part {
    Code(i64),
    /// `factor * unknown + offset`, over the integers; the unknown itself at other sorts.
    Linear(i64, i64),
    /// A formula that is true for these values.
    True(Values),
}

impl Shape {
    /// Splits a formula: its largest subterms without the unknown are added to `columns` and stand as their index.
    pub(crate) fn new(
        term: &Term,
        unknown: Symbol,
        sort_of: &dyn Fn(&Term) -> Sort,
        columns: &mut Vec<Term>,
    ) -> Option<Self> {
        let mut mentions = FxHashMap::default();
        split(term, unknown, sort_of, columns, &mut mentions)
    }

    /// The values of the unknown, of a sort, that make the formula true; `None` where that cannot be said.
    pub(crate) fn solve(&self, sort: Sort, codes: &dyn Fn(usize) -> i64) -> Option<Values> {
        let solver = Solver { sort, codes };
        let part = solver.part(self)?;
        solver.truth(part).filter(|values| !values.is_unwieldy())
    }
}

fn mentions(term: &Term, unknown: Symbol, memo: &mut FxHashMap<usize, bool>) -> bool {
    if let Some(&known) = memo.get(&term.address()) {
        return known;
    }
    let found = match term.node() {
        Node::Var(name) => *name == unknown,
        Node::App(_, args) => args.iter().any(|arg| mentions(arg, unknown, memo)),
        _ => false,
    };
    memo.insert(term.address(), found);
    found
}

fn split(
    term: &Term,
    unknown: Symbol,
    sort_of: &dyn Fn(&Term) -> Sort,
    columns: &mut Vec<Term>,
    memo: &mut FxHashMap<usize, bool>,
) -> Option<Shape> {
    if let Node::Const(value) = term.node() {
        return Some(Shape::Code(encode_value(*value)));
    }
    if !mentions(term, unknown, memo) {
        let known = columns.iter().position(|own| own.same(term) || own == term);
        return Some(Shape::Column(known.unwrap_or_else(|| {
            columns.push(term.clone());
            columns.len() - 1
        })));
    }
    match term.node() {
        Node::Var(_) => Some(Shape::Unknown),
        Node::App(Func::Kernel(kernel), args) => {
            let sort = args.last().map_or(Sort::Bool, sort_of);
            let parts = args.iter().map(|arg| split(arg, unknown, sort_of, columns, memo)).collect::<Option<_>>()?;
            Some(Shape::Apply(*kernel, sort, parts))
        }
        _ => None,
    }
}

struct Solver<'a> {
    sort: Sort,
    codes: &'a dyn Fn(usize) -> i64,
}

impl Solver<'_> {
    fn part(&self, shape: &Shape) -> Option<Part> {
        match shape {
            Shape::Code(code) => Some(Part::Code(*code)),
            Shape::Column(index) => Some(Part::Code((self.codes)(*index))),
            Shape::Unknown if self.sort == Sort::Bool => Some(Part::True(Values::one(1))),
            Shape::Unknown => Some(Part::Linear(1, 0)),
            Shape::Apply(kernel, sort, args) => self.apply(*kernel, *sort, args),
        }
    }

    /// The values for which a formula is true.
    fn truth(&self, part: Part) -> Option<Values> {
        match part {
            Part::Code(1) => Some(Values::all(self.sort)),
            Part::Code(0) => Some(Values::none()),
            Part::True(values) => Some(values),
            _ => None,
        }
    }

    fn formula(&self, shape: &Shape) -> Option<Values> {
        self.truth(self.part(shape)?)
    }

    fn apply(&self, kernel: Kernel, sort: Sort, args: &[Shape]) -> Option<Part> {
        let not = |values: &Values| values.complement(self.sort);
        Some(match (kernel, args) {
            (Kernel::Not, [a]) => Part::True(not(&self.formula(a)?)),
            (Kernel::And, [a, b]) => {
                // Where one side is false the other need not be understood.
                let a = self.formula(a)?;
                if a.is_empty() { Part::True(a) } else { Part::True(a.intersect(&self.formula(b)?)) }
            }
            (Kernel::Or, [a, b]) => Part::True(self.formula(a)?.union(&self.formula(b)?, self.sort)),
            (Kernel::Implies, [a, b]) => {
                let a = self.formula(a)?;
                if a.is_empty() {
                    Part::True(Values::all(self.sort))
                } else {
                    Part::True(not(&a).union(&self.formula(b)?, self.sort))
                }
            }
            (Kernel::Xor, [a, b]) => Part::True(not(&self.same(&self.formula(a)?, &self.formula(b)?))),
            (Kernel::Ite, [c, a, b]) => self.choice(c, a, b)?,
            (Kernel::Eq, [a, b]) if sort == Sort::Bool => Part::True(self.same(&self.formula(a)?, &self.formula(b)?)),
            (Kernel::Distinct, [a, b]) if sort == Sort::Bool => {
                Part::True(not(&self.same(&self.formula(a)?, &self.formula(b)?)))
            }
            (Kernel::Eq, [a, b]) => Part::True(self.equal(a, b)?),
            (Kernel::Distinct, [a, b]) => Part::True(not(&self.equal(a, b)?)),
            (Kernel::Le, [a, b]) => Part::True(self.at_most(a, b)?),
            (Kernel::Ge, [a, b]) => Part::True(self.at_most(b, a)?),
            (Kernel::Lt, [a, b]) => Part::True(not(&self.at_most(b, a)?)),
            (Kernel::Gt, [a, b]) => Part::True(not(&self.at_most(a, b)?)),
            (Kernel::Add, [a, b]) => self.sum(a, b, 1)?,
            (Kernel::Sub, [a, b]) => self.sum(a, b, -1)?,
            (Kernel::Neg, [a]) => scaled(self.part(a)?, -1)?,
            (Kernel::Mul, [a, b]) => match (self.part(a)?, self.part(b)?) {
                (Part::Code(code), other) | (other, Part::Code(code)) if code != UNDEFINED => scaled(other, code)?,
                _ => return None,
            },
            _ => return None,
        })
    }

    /// The values for which two formulas agree.
    fn same(&self, a: &Values, b: &Values) -> Values {
        let (not_a, not_b) = (a.complement(self.sort), b.complement(self.sort));
        a.intersect(b).union(&not_a.intersect(&not_b), self.sort)
    }

    fn choice(&self, c: &Shape, a: &Shape, b: &Shape) -> Option<Part> {
        let c = self.formula(c)?;
        if c == Values::all(self.sort) {
            return self.part(a);
        }
        if c.is_empty() {
            return self.part(b);
        }
        let (a, b) = (self.formula(a)?, self.formula(b)?);
        Some(Part::True(c.intersect(&a).union(&c.complement(self.sort).intersect(&b), self.sort)))
    }

    /// `a + sign * b`.
    fn sum(&self, a: &Shape, b: &Shape, sign: i64) -> Option<Part> {
        let linear = |part| match part {
            Part::Code(code) if code != UNDEFINED => Some((0, code)),
            Part::Linear(factor, offset) if self.sort == Sort::Int => Some((factor, offset)),
            _ => None,
        };
        let (a, b) = (linear(self.part(a)?)?, linear(self.part(b)?)?);
        let factor = a.0.checked_add(b.0.checked_mul(sign)?)?;
        let offset = a.1.checked_add(b.1.checked_mul(sign)?)?;
        Some(if factor == 0 { Part::Code(offset) } else { Part::Linear(factor, offset) })
    }

    fn equal(&self, a: &Shape, b: &Shape) -> Option<Values> {
        let (a, b) = (self.part(a)?, self.part(b)?);
        match (a, b) {
            (Part::Code(x), Part::Code(y)) => self.truth(Part::Code(i64::from(x == y))),
            // Where the other side has no value, nothing can be said.
            (Part::Linear(factor, offset), Part::Code(code)) | (Part::Code(code), Part::Linear(factor, offset)) => {
                if self.sort != Sort::Int {
                    return Some(Values::one(code));
                }
                let rest = code.checked_sub(offset).filter(|_| code != UNDEFINED)?;
                Some(quotient(rest, factor)?.map_or_else(Values::none, Values::one))
            }
            (Part::Linear(f, o), Part::Linear(g, p)) if self.sort == Sort::Int => {
                let (factor, rest) = (f.checked_sub(g)?, p.checked_sub(o)?);
                Some(match factor {
                    0 if rest == 0 => Values::all(self.sort),
                    0 => Values::none(),
                    _ => quotient(rest, factor)?.map_or_else(Values::none, Values::one),
                })
            }
            (Part::Linear(..), Part::Linear(..)) => Some(Values::all(self.sort)),
            _ => None,
        }
    }

    /// The values for which `a <= b`, over the integers.
    fn at_most(&self, a: &Shape, b: &Shape) -> Option<Values> {
        let (a, b) = (self.part(a)?, self.part(b)?);
        let (factor, offset) = match (a, b) {
            (Part::Code(x), Part::Code(y)) if x != UNDEFINED && y != UNDEFINED => {
                return self.truth(Part::Code(i64::from(x <= y)));
            }
            (Part::Linear(f, o), Part::Code(y)) if y != UNDEFINED => (f, y.checked_sub(o)?),
            (Part::Code(x), Part::Linear(f, o)) if x != UNDEFINED => (f.checked_neg()?, o.checked_sub(x)?),
            (Part::Linear(f, o), Part::Linear(g, p)) => (f.checked_sub(g)?, p.checked_sub(o)?),
            _ => return None,
        };
        // factor * unknown <= offset
        Some(match factor {
            0 if offset >= 0 => Values::all(self.sort),
            0 => Values::none(),
            f if f > 0 => Values::range(i64::MIN + 1, bound(offset.div_euclid(f))?),
            f => Values::range(bound(offset.div_euclid(f.checked_neg()?).checked_neg()?)?, i64::MAX),
        })
    }
}

/// The number that is `factor` times the quotient, if it is one; `None` beyond 64 bits.
fn quotient(number: i64, factor: i64) -> Option<Option<i64>> {
    Some(if number.checked_rem(factor)? == 0 { Some(number.checked_div(factor)?) } else { None })
}

/// A bound of a range that goes on without end to one side, of which codes show a part: `None` where that is empty or all.
fn bound(code: i64) -> Option<i64> {
    (code > i64::MIN + 2 && code < i64::MAX - 1).then_some(code)
}

fn scaled(part: Part, by: i64) -> Option<Part> {
    match part {
        Part::Code(code) if code != UNDEFINED => code.checked_mul(by).map(Part::Code),
        Part::Linear(factor, offset) => {
            let (factor, offset) = (factor.checked_mul(by)?, offset.checked_mul(by)?);
            Some(if factor == 0 { Part::Code(offset) } else { Part::Linear(factor, offset) })
        }
        _ => None,
    }
}

/// The code of a truth value.
pub(crate) fn truth(value: bool) -> i64 {
    encode_value(Value::Bool(value))
}

#[cfg(test)]
mod tests {
    use dsl::{Language, sort_of};
    use rand::Rng as _;
    use samples::{Column, rng};

    use super::*;
    use crate::spec::evaluate;

    fn pick<T: Copy>(rng: &mut samples::Rng, choices: &[T]) -> T {
        choices[rng.random_range(0..choices.len())]
    }

    fn app(kernel: Kernel, sorts: &[Sort], depth: u32, rng: &mut samples::Rng) -> Term {
        Term::app(Func::Kernel(kernel), sorts.iter().map(|&sort| term(sort, depth - 1, rng)).collect())
    }

    /// A random term over `u` (the unknown) and `a`.
    fn term(sort: Sort, depth: u32, rng: &mut samples::Rng) -> Term {
        const I: Sort = Sort::Int;
        const B: Sort = Sort::Bool;
        let is_leaf = depth == 0 || rng.random_range(0..4) == 0;
        match (sort, is_leaf) {
            (Sort::Int, true) => match rng.random_range(0..4) {
                0 | 1 => Term::var("u"),
                2 => Term::var("a"),
                _ => Term::int(rng.random_range(-3..4)),
            },
            (_, true) => Term::constant(Value::Bool(rng.random_range(0..2) == 0)),
            (Sort::Int, false) => match rng.random_range(0..4) {
                0 => app(Kernel::Neg, &[I], depth, rng),
                1 => Term::app(Func::Kernel(Kernel::Mul), vec![Term::int(rng.random_range(-2..3)), Term::var("u")]),
                _ => app(pick(rng, &[Kernel::Add, Kernel::Sub]), &[I, I], depth, rng),
            },
            (_, false) => match rng.random_range(0..12) {
                0 => app(Kernel::Not, &[B], depth, rng),
                1 => app(Kernel::Ite, &[B, B, B], depth, rng),
                2..=5 => {
                    let kernel = pick(rng, &[Kernel::And, Kernel::Or, Kernel::Implies, Kernel::Xor]);
                    app(kernel, &[B, B], depth, rng)
                }
                _ => {
                    let kernels = [Kernel::Eq, Kernel::Distinct, Kernel::Le, Kernel::Lt, Kernel::Ge, Kernel::Gt];
                    app(pick(rng, &kernels), &[I, I], depth, rng)
                }
            },
        }
    }

    #[test]
    fn the_values_found_are_those_that_make_the_formula_true() {
        let language = Language::default();
        let mut rng = rng(0, "formulas in one unknown");
        let vars: [(Symbol, Sort); 2] = [("u".into(), Sort::Int), ("a".into(), Sort::Int)];
        let values: Vec<i64> = (-12..=12).collect();
        let mut n_solved = 0;
        for _ in 0..2000 {
            let formula = term(Sort::Bool, 4, &mut rng);
            let sort = |term: &Term| sort_of(term, &language, &vars).expect("well-sorted");
            let mut columns = Vec::new();
            let Some(shape) = Shape::new(&formula, "u".into(), &sort, &mut columns) else { continue };
            for a in [-2, 0, 5] {
                let known = [("a".into(), Column::new(Sort::Int, vec![a]))];
                let codes: Vec<i64> = columns
                    .iter()
                    .map(|term| evaluate(term, &language, &known, 1).expect("known terms have values").codes[0])
                    .collect();
                let Some(found) = shape.solve(Sort::Int, &|index| codes[index]) else { continue };
                let all = [
                    ("u".into(), Column::new(Sort::Int, values.clone())),
                    ("a".into(), Column::new(Sort::Int, vec![a; values.len()])),
                ];
                let truth = evaluate(&formula, &language, &all, values.len()).expect("it has a value");
                for (&value, &code) in values.iter().zip(&truth.codes) {
                    assert_eq!(
                        found.contains(value),
                        code == 1,
                        "{} at u = {value}, a = {a}",
                        crate::theory::print(&formula, &language)
                    );
                }
                n_solved += 1;
            }
        }
        assert!(n_solved > 3000, "most formulas are understood, {n_solved} were");
    }
}
