//! The kernel: the few functions whose meaning is built in. Everything else is defined in DSL files by means of them.
//!
//! The names and the meaning are SMT-LIB's where SMT-LIB has the function. All are partial: a result beyond 64 bits, a
//! division by zero, an empty selection to copy from are undefined, and undefined arguments make undefined results,
//! except where the table of [`Kernel`] says otherwise.

use std::fmt;

use samples::Sort;

use crate::bits::{BitOp, Reshape};

/// A function of the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Kernel {
    /// `(not a)`.
    Not,
    /// `(and a b)`: false if either is false, even where the other is undefined.
    And,
    /// `(or a b)`: true if either is true, even where the other is undefined.
    Or,
    /// `(xor a b)`.
    Xor,
    /// `(=> a b)`: true if `a` is false or `b` is true, even where the other is undefined.
    Implies,
    /// `(= a b)`, at any scalar sort.
    Eq,
    /// `(distinct a b)`, at any scalar sort.
    Distinct,
    /// `(ite c a b)`: only the branch taken need be defined.
    Ite,
    /// `(defined a)`: whether `a` has a value; itself always defined.
    Defined,
    /// `(+ a b)`.
    Add,
    /// `(- a b)`.
    Sub,
    /// `(* a b)`.
    Mul,
    /// `(- a)`.
    Neg,
    /// `(div a b)`: the quotient whose remainder lies in `0 .. |b|`; undefined for `b = 0`.
    Div,
    /// `(mod a b)`: the remainder in `0 .. |b|`; undefined for `b = 0`.
    Mod,
    /// `(abs a)`.
    Abs,
    /// `(min a b)`.
    Min,
    /// `(max a b)`.
    Max,
    /// `(< a b)`.
    Lt,
    /// `(<= a b)`.
    Le,
    /// `(> a b)`.
    Gt,
    /// `(>= a b)`.
    Ge,
    /// `(isqrt a)`: the greatest integer whose square is at most `a`; undefined below 0.
    Isqrt,
    /// `(to_real a)`.
    ToReal,
    /// `(to_int a)`: the greatest integer that is at most `a`.
    Floor,
    /// `(/ a b)` on reals; undefined for `b = 0`.
    RealDiv,
    /// `(width s)`: how many positions are selected.
    Width,
    /// `(copy s v)`: the value of `v` at the positions selected, if it is the same at all of them. Reals that differ
    /// give their mean, as RASP's aggregate does. Undefined for an empty selection and where a value is.
    Copy,
    /// `(mean s v)`: the mean of `v` over the positions selected, truth values counting as 0 and 1; 0 for an empty
    /// selection, undefined where a value is.
    Mean,
    /// `(least s v)`: the least of the values at the positions selected, undefined ones passed over.
    Least,
    /// `(greatest s v)`: the greatest of them.
    Greatest,
    /// `(mode s v)`: the value that stands at most of the positions selected, undefined ones passed over; of several
    /// that are as frequent the one that comes first.
    Mode,
    /// `(number a)`: the integer that a symbol's text writes in decimal digits, as [`Kernel::Numeral`] writes it.
    Number,
    /// `(numeral a)`: the symbol that writes an integer of at most six digits.
    Numeral,
    /// `(append l a)`: the JSON list that the symbol `l` is, with `a` at its end; undefined where `l` is none.
    Append,
    /// `(sel_and s t)`: the positions in both.
    SelAnd,
    /// `(sel_or s t)`: the positions in either.
    SelOr,
    /// `(sel_not s)`: the other positions (in a causal context, of those up to this one).
    SelNot,
    /// A function of bit-vectors.
    Bits(BitOp),
    /// A function of bit-vectors whose result's width depends on those of its arguments, or that has indices.
    Reshape(Reshape),
}

/// The sorts that a position in a signature admits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SortClass {
    /// Every sort but `Selector`.
    Scalar,
    /// `Int` and `Real`.
    Numeric,
    /// `Bool`, `Int` and `Real`: what a mean can be taken of.
    Measure,
    /// Bit-vectors of every width.
    BitVec,
}

impl SortClass {
    /// Whether a sort belongs to the class.
    pub fn admits(self, sort: Sort) -> bool {
        match self {
            Self::Scalar => sort != Sort::Selector,
            Self::Numeric => matches!(sort, Sort::Int | Sort::Real),
            Self::Measure => matches!(sort, Sort::Bool | Sort::Int | Sort::Real),
            Self::BitVec => matches!(sort, Sort::BitVec(_)),
        }
    }

    /// The sorts that belong to both classes, if there are any.
    pub(crate) fn meet(self, other: Self) -> Option<Self> {
        Some(match (self, other) {
            (one, another) if one == another => one,
            (Self::Scalar, narrow) | (narrow, Self::Scalar) => narrow,
            (Self::BitVec, _) | (_, Self::BitVec) => return None,
            _ => Self::Numeric,
        })
    }
}

impl fmt::Display for SortClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scalar => "a scalar",
            Self::Numeric => "Int or Real",
            Self::Measure => "Bool, Int or Real",
            Self::BitVec => "a bit-vector",
        })
    }
}

/// A place in the signature of a kernel function; all `Class` places of one signature are the same sort.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Slot {
    Sort(Sort),
    Class(SortClass),
}

/// Every kernel function, with its name and its signature.
const TABLE: &[(Kernel, &str, &[Slot], Slot)] = {
    use Kernel::*;
    const B: Slot = Slot::Sort(Sort::Bool);
    const I: Slot = Slot::Sort(Sort::Int);
    const R: Slot = Slot::Sort(Sort::Real);
    const S: Slot = Slot::Sort(Sort::Selector);
    const Y: Slot = Slot::Sort(Sort::Symbol);
    const A: Slot = Slot::Class(SortClass::Scalar);
    const N: Slot = Slot::Class(SortClass::Numeric);
    const M: Slot = Slot::Class(SortClass::Measure);
    const V: Slot = Slot::Class(SortClass::BitVec);
    &[
        (Not, "not", &[B], B),
        (And, "and", &[B, B], B),
        (Or, "or", &[B, B], B),
        (Xor, "xor", &[B, B], B),
        (Implies, "=>", &[B, B], B),
        (Eq, "=", &[A, A], B),
        (Distinct, "distinct", &[A, A], B),
        (Ite, "ite", &[B, A, A], A),
        (Defined, "defined", &[A], B),
        (Add, "+", &[N, N], N),
        (Sub, "-", &[N, N], N),
        (Mul, "*", &[N, N], N),
        (Neg, "-", &[N], N),
        (Div, "div", &[I, I], I),
        (Mod, "mod", &[I, I], I),
        (Abs, "abs", &[N], N),
        (Min, "min", &[N, N], N),
        (Max, "max", &[N, N], N),
        (Lt, "<", &[N, N], B),
        (Le, "<=", &[N, N], B),
        (Gt, ">", &[N, N], B),
        (Ge, ">=", &[N, N], B),
        (Isqrt, "isqrt", &[I], I),
        (ToReal, "to_real", &[I], R),
        (Floor, "to_int", &[R], I),
        (RealDiv, "/", &[R, R], R),
        (Width, "width", &[S], I),
        (Copy, "copy", &[S, A], A),
        (Mean, "mean", &[S, M], R),
        (Least, "least", &[S, N], N),
        (Greatest, "greatest", &[S, N], N),
        (Mode, "mode", &[S, A], A),
        (Number, "number", &[Y], I),
        (Numeral, "numeral", &[I], Y),
        (Append, "append", &[Y, Y], Y),
        (SelAnd, "sel_and", &[S, S], S),
        (SelOr, "sel_or", &[S, S], S),
        (SelNot, "sel_not", &[S], S),
        (Bits(BitOp::Not), "bvnot", &[V], V),
        (Bits(BitOp::Neg), "bvneg", &[V], V),
        (Bits(BitOp::And), "bvand", &[V, V], V),
        (Bits(BitOp::Or), "bvor", &[V, V], V),
        (Bits(BitOp::Xor), "bvxor", &[V, V], V),
        (Bits(BitOp::Nand), "bvnand", &[V, V], V),
        (Bits(BitOp::Nor), "bvnor", &[V, V], V),
        (Bits(BitOp::Xnor), "bvxnor", &[V, V], V),
        (Bits(BitOp::Add), "bvadd", &[V, V], V),
        (Bits(BitOp::Sub), "bvsub", &[V, V], V),
        (Bits(BitOp::Mul), "bvmul", &[V, V], V),
        (Bits(BitOp::Udiv), "bvudiv", &[V, V], V),
        (Bits(BitOp::Urem), "bvurem", &[V, V], V),
        (Bits(BitOp::Sdiv), "bvsdiv", &[V, V], V),
        (Bits(BitOp::Srem), "bvsrem", &[V, V], V),
        (Bits(BitOp::Smod), "bvsmod", &[V, V], V),
        (Bits(BitOp::Shl), "bvshl", &[V, V], V),
        (Bits(BitOp::Lshr), "bvlshr", &[V, V], V),
        (Bits(BitOp::Ashr), "bvashr", &[V, V], V),
        (Bits(BitOp::Ult), "bvult", &[V, V], B),
        (Bits(BitOp::Ule), "bvule", &[V, V], B),
        (Bits(BitOp::Ugt), "bvugt", &[V, V], B),
        (Bits(BitOp::Uge), "bvuge", &[V, V], B),
        (Bits(BitOp::Slt), "bvslt", &[V, V], B),
        (Bits(BitOp::Sle), "bvsle", &[V, V], B),
        (Bits(BitOp::Sgt), "bvsgt", &[V, V], B),
        (Bits(BitOp::Sge), "bvsge", &[V, V], B),
    ]
};

impl Kernel {
    /// All of them but those with a family of instances, [`Kernel::Reshape`].
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    fn row(self) -> (Self, &'static str, &'static [Slot], Slot) {
        // How widths go together the table cannot say: `infer` asks the function itself.
        const V: Slot = Slot::Class(SortClass::BitVec);
        const ONE: &[Slot] = &[V];
        const TWO: &[Slot] = &[V, V];
        if let Self::Reshape(reshape) = self {
            return (self, reshape.name(), if reshape.is_binary() { TWO } else { ONE }, V);
        }
        // A test checks that the table has every other function.
        *TABLE.iter().find(|row| row.0 == self).unwrap_or(&TABLE[0])
    }

    /// How it is written where it is applied: its name, with indices where it has some.
    pub fn head(self) -> String {
        match self {
            Self::Reshape(reshape) => reshape.head(),
            _ => self.name().to_owned(),
        }
    }

    /// The name in DSL files, without indices.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The number of arguments.
    pub fn arity(self) -> usize {
        self.row().2.len()
    }

    /// The sorts of the arguments and of the result; of [`Kernel::Reshape`] they are not what the slots say.
    pub(crate) fn signature(self) -> (&'static [Slot], Slot) {
        (self.row().2, self.row().3)
    }

    /// The names that need no indices.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|row| row.1).chain([Reshape::Concat.name(), Reshape::Comp.name()])
    }

    /// The functions with this name: `-` has two, of one and of two arguments.
    pub(crate) fn named(name: &str) -> impl Iterator<Item = Self> + '_ {
        TABLE.iter().filter(move |row| row.1 == name).map(|row| row.0)
    }

    /// The function with this name and number of arguments.
    pub fn find(name: &str, arity: usize) -> Option<Self> {
        let plain = Reshape::find(name, &[]).map(Self::Reshape);
        Self::named(name).chain(plain).find(|kernel| kernel.arity() == arity)
    }

    /// The sort of the result of a [`Kernel::Reshape`], given those of its arguments; `None` where it does not apply to them.
    pub fn reshaped(self, args: impl IntoIterator<Item = Sort>) -> Option<Sort> {
        let Self::Reshape(reshape) = self else { return None };
        let widths: Vec<u8> = args.into_iter().map(bit_width).collect::<Option<_>>()?;
        reshape.width(&widths).map(Sort::BitVec)
    }

    /// What a [`Kernel::Reshape`] takes, where it does not apply to bit-vectors of these sorts.
    pub(crate) fn reshape_demand(self, args: impl IntoIterator<Item = Sort>) -> String {
        let Self::Reshape(reshape) = self else { return String::new() };
        reshape.demand(&args.into_iter().filter_map(bit_width).collect::<Vec<_>>())
    }

    /// Whether it makes one value of those at the positions of a selection.
    pub fn is_aggregate(self) -> bool {
        matches!(self, Self::Copy | Self::Mean | Self::Least | Self::Greatest | Self::Mode)
    }

    /// Whether `(f a b c)` may be written for `(f (f a b) c)`.
    pub(crate) fn chains(self) -> bool {
        matches!(
            self,
            Self::And | Self::Or | Self::Add | Self::Mul | Self::Min | Self::Max | Self::SelAnd | Self::SelOr
        )
    }

    /// Whether the result at a point depends on the arguments at that point alone.
    pub fn is_pointwise(self) -> bool {
        !matches!(self, Self::Copy | Self::Mean | Self::Least | Self::Greatest | Self::Mode | Self::SelNot)
    }
}

/// The width of a bit-vector sort.
pub(crate) fn bit_width(sort: Sort) -> Option<u8> {
    match sort {
        Sort::BitVec(width) => Some(width),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_of_arguments_tell_functions_apart() {
        for row in TABLE {
            assert_eq!(row.0.name(), row.1);
            assert_eq!(Kernel::find(row.1, row.2.len()), Some(row.0));
        }
    }
}
