//! Kernel functions as loops over columns: the hot path of enumeration.
//!
//! The meaning of an operator is defined in `dsl`; what stands here is the same meaning for the functions that operators
//! are mostly made of, specialised by sort and compiled to loops. A test holds every loop against `dsl`'s evaluator.

use dsl::{BitOp, Kernel, Reshape};
use samples::{Sort, UNDEFINED, Value, encode_value};

/// A kernel function on codes of known sorts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Primitive {
    Not,
    And,
    Or,
    Xor,
    Implies,
    Eq,
    Distinct,
    Ite,
    Defined,
    Add,
    Sub,
    Mul,
    Neg,
    Div,
    Mod,
    /// `div` where the divisor is positive, else undefined.
    DivPositive,
    /// `mod` where the divisor is positive, else undefined.
    ModPositive,
    Abs,
    Min,
    Max,
    Lt,
    Le,
    Gt,
    Ge,
    Isqrt,
    RealAdd,
    RealSub,
    RealMul,
    RealNeg,
    RealAbs,
    RealMin,
    RealMax,
    RealLt,
    RealLe,
    RealGt,
    RealGe,
    RealDiv,
    ToReal,
    Floor,
    /// A function of bit-vectors of a width, every code of which is a value.
    Bits(BitOp, u8),
    /// A function of bit-vectors of some widths, that of the last argument twice where there is one argument.
    Reshape(Reshape, [u8; 2]),
    /// Equality of bit-vectors.
    BitsEq,
    /// Difference of bit-vectors.
    BitsDistinct,
}

const FALSE: i64 = 0;
const TRUE: i64 = 1;

fn unary(out: &mut [i64], a: &[i64], f: impl Fn(i64) -> i64) {
    for (o, &a) in out.iter_mut().zip(a) {
        let value = f(a);
        *o = if a == UNDEFINED { UNDEFINED } else { value };
    }
}

/// A function that is undefined where an argument is.
fn strict(out: &mut [i64], a: &[i64], b: &[i64], f: impl Fn(i64, i64) -> i64) {
    for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
        let value = f(a, b);
        *o = if a == UNDEFINED || b == UNDEFINED { UNDEFINED } else { value };
    }
}

/// A function that sees undefined arguments.
fn lenient(out: &mut [i64], a: &[i64], b: &[i64], f: impl Fn(i64, i64) -> i64) {
    for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
        *o = f(a, b);
    }
}

fn or(a: i64, b: i64) -> i64 {
    if a == TRUE || b == TRUE {
        TRUE
    } else if a == UNDEFINED || b == UNDEFINED {
        UNDEFINED
    } else {
        FALSE
    }
}

fn and(a: i64, b: i64) -> i64 {
    if a == FALSE || b == FALSE {
        FALSE
    } else if a == UNDEFINED || b == UNDEFINED {
        UNDEFINED
    } else {
        TRUE
    }
}

fn not(a: i64) -> i64 {
    if a == UNDEFINED { UNDEFINED } else { a ^ 1 }
}

/// What overflows is undefined, which happens to be the code that is out of range.
fn checked(result: (i64, bool)) -> i64 {
    if result.1 { UNDEFINED } else { result.0 }
}

/// A function of bit-vectors: the frequent ones as loops of their own.
fn bits(op: BitOp, width: u8, args: &[&[i64]], out: &mut [i64]) {
    let mask = samples::mask(width);
    let (a, b) = (args[0], args[args.len() - 1]);
    match op {
        BitOp::Not => total(out, a, b, |a, _| !a & mask),
        BitOp::Neg => total(out, a, b, |a, _| a.wrapping_neg() & mask),
        BitOp::And => total(out, a, b, |a, b| a & b),
        BitOp::Or => total(out, a, b, |a, b| a | b),
        BitOp::Xor => total(out, a, b, |a, b| a ^ b),
        BitOp::Add => total(out, a, b, |a, b| a.wrapping_add(b) & mask),
        BitOp::Sub => total(out, a, b, |a, b| a.wrapping_sub(b) & mask),
        BitOp::Mul => total(out, a, b, |a, b| a.wrapping_mul(b) & mask),
        BitOp::Shl => {
            let width = u64::from(width);
            total(out, a, b, |a, b| if b < width { a.wrapping_shl(b as u32) & mask } else { 0 });
        }
        BitOp::Lshr => {
            let width = u64::from(width);
            total(out, a, b, |a, b| if b < width { a.wrapping_shr(b as u32) } else { 0 });
        }
        BitOp::Ult => total(out, a, b, |a, b| u64::from(a < b)),
        BitOp::Ule => total(out, a, b, |a, b| u64::from(a <= b)),
        other => total(out, a, b, |a, b| other.apply(width, a, b)),
    }
}

/// A function of codes that are all values.
fn total(out: &mut [i64], a: &[i64], b: &[i64], f: impl Fn(u64, u64) -> u64) {
    for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
        *o = f(a as u64, b as u64) as i64;
    }
}

fn real(code: i64) -> f64 {
    f64::from_bits(code as u64)
}

fn code(value: f64) -> i64 {
    encode_value(Value::Real(value))
}

fn divide(a: i64, b: i64, f: impl Fn(i64, i64) -> i64) -> i64 {
    if b == 0 || a == UNDEFINED || b == UNDEFINED { UNDEFINED } else { f(a, b) }
}

fn by_positive(a: i64, b: i64, f: impl Fn(i64, i64) -> i64) -> i64 {
    if b <= 0 || a == UNDEFINED { UNDEFINED } else { f(a, b) }
}

fn floor(value: f64) -> i64 {
    let floor = value.floor();
    // Beyond 2^63 there is no such integer; the cast below is exact within.
    if floor.abs() < 9.2e18 { floor as i64 } else { UNDEFINED }
}

impl Primitive {
    /// Computes the column of results. The arguments have the length of `out`.
    pub(crate) fn run(self, args: &[&[i64]], out: &mut [i64]) {
        match self {
            Self::Not => unary(out, args[0], not),
            Self::And => lenient(out, args[0], args[1], and),
            Self::Or => lenient(out, args[0], args[1], or),
            Self::Xor => strict(out, args[0], args[1], |a, b| a ^ b),
            Self::Implies => lenient(out, args[0], args[1], |a, b| or(not(a), b)),
            Self::Eq => strict(out, args[0], args[1], |a, b| i64::from(a == b)),
            Self::Distinct => strict(out, args[0], args[1], |a, b| i64::from(a != b)),
            Self::Ite => {
                for (((o, &c), &a), &b) in out.iter_mut().zip(args[0]).zip(args[1]).zip(args[2]) {
                    let taken = if c == TRUE { a } else { b };
                    *o = if c == UNDEFINED { UNDEFINED } else { taken };
                }
            }
            Self::Defined => {
                for (o, &a) in out.iter_mut().zip(args[0]) {
                    *o = i64::from(a != UNDEFINED);
                }
            }
            Self::Add => strict(out, args[0], args[1], |a, b| checked(a.overflowing_add(b))),
            Self::Sub => strict(out, args[0], args[1], |a, b| checked(a.overflowing_sub(b))),
            Self::Mul => strict(out, args[0], args[1], |a, b| checked(a.overflowing_mul(b))),
            Self::Neg => unary(out, args[0], i64::wrapping_neg),
            Self::Div => lenient(out, args[0], args[1], |a, b| divide(a, b, i64::div_euclid)),
            Self::Mod => lenient(out, args[0], args[1], |a, b| divide(a, b, i64::rem_euclid)),
            Self::DivPositive => lenient(out, args[0], args[1], |a, b| by_positive(a, b, i64::div_euclid)),
            Self::ModPositive => lenient(out, args[0], args[1], |a, b| by_positive(a, b, i64::rem_euclid)),
            Self::Abs => unary(out, args[0], i64::wrapping_abs),
            Self::Min => strict(out, args[0], args[1], i64::min),
            Self::Max => strict(out, args[0], args[1], i64::max),
            Self::Lt => strict(out, args[0], args[1], |a, b| i64::from(a < b)),
            Self::Le => strict(out, args[0], args[1], |a, b| i64::from(a <= b)),
            Self::Gt => strict(out, args[0], args[1], |a, b| i64::from(a > b)),
            Self::Ge => strict(out, args[0], args[1], |a, b| i64::from(a >= b)),
            Self::Isqrt => unary(out, args[0], |a| if a < 0 { UNDEFINED } else { a.isqrt() }),
            Self::RealAdd => strict(out, args[0], args[1], |a, b| code(real(a) + real(b))),
            Self::RealSub => strict(out, args[0], args[1], |a, b| code(real(a) - real(b))),
            Self::RealMul => strict(out, args[0], args[1], |a, b| code(real(a) * real(b))),
            Self::RealNeg => unary(out, args[0], |a| code(-real(a))),
            Self::RealAbs => unary(out, args[0], |a| code(real(a).abs())),
            Self::RealMin => strict(out, args[0], args[1], |a, b| code(real(a).min(real(b)))),
            Self::RealMax => strict(out, args[0], args[1], |a, b| code(real(a).max(real(b)))),
            Self::RealLt => strict(out, args[0], args[1], |a, b| i64::from(real(a) < real(b))),
            Self::RealLe => strict(out, args[0], args[1], |a, b| i64::from(real(a) <= real(b))),
            Self::RealGt => strict(out, args[0], args[1], |a, b| i64::from(real(a) > real(b))),
            Self::RealGe => strict(out, args[0], args[1], |a, b| i64::from(real(a) >= real(b))),
            Self::RealDiv => strict(out, args[0], args[1], |a, b| code(real(a) / real(b))),
            Self::ToReal => unary(out, args[0], |a| code(a as f64)),
            Self::Floor => unary(out, args[0], |a| floor(real(a))),
            Self::Bits(op, width) => bits(op, width, args, out),
            Self::Reshape(reshape, widths) => {
                let widths = &widths[..args.len().min(2)];
                total(out, args[0], args[args.len() - 1], |a, b| reshape.apply(widths, a, b));
            }
            Self::BitsEq => total(out, args[0], args[1], |a, b| u64::from(a == b)),
            Self::BitsDistinct => total(out, args[0], args[1], |a, b| u64::from(a != b)),
        }
    }

    /// Whether the order of two arguments never matters, whatever they are.
    pub(crate) fn is_commutative(self) -> bool {
        if let Self::Bits(op, _) = self {
            return op.is_commutative();
        }
        matches!(
            self,
            Self::And
                | Self::Or
                | Self::Xor
                | Self::Eq
                | Self::Distinct
                | Self::Add
                | Self::Mul
                | Self::Min
                | Self::Max
                | Self::RealAdd
                | Self::RealMul
                | Self::RealMin
                | Self::RealMax
                | Self::BitsEq
                | Self::BitsDistinct
        )
    }

    /// The loop for a kernel function of arguments of these sorts, if there is one: what looks beyond a point has none.
    pub(crate) fn of(kernel: Kernel, sorts: &[Sort]) -> Option<Self> {
        // The last one tells `Int` from `Real` also in `(ite Bool 'A 'A)`.
        let sort = sorts.last().copied().unwrap_or(Sort::Bool);
        let primitive = match kernel {
            Kernel::Not => Self::Not,
            Kernel::And => Self::And,
            Kernel::Or => Self::Or,
            Kernel::Xor => Self::Xor,
            Kernel::Implies => Self::Implies,
            Kernel::Eq => Self::Eq,
            Kernel::Distinct => Self::Distinct,
            Kernel::Ite => Self::Ite,
            Kernel::Defined => Self::Defined,
            Kernel::Add => Self::Add,
            Kernel::Sub => Self::Sub,
            Kernel::Mul => Self::Mul,
            Kernel::Neg => Self::Neg,
            Kernel::Div => Self::Div,
            Kernel::Mod => Self::Mod,
            Kernel::Abs => Self::Abs,
            Kernel::Min => Self::Min,
            Kernel::Max => Self::Max,
            Kernel::Lt => Self::Lt,
            Kernel::Le => Self::Le,
            Kernel::Gt => Self::Gt,
            Kernel::Ge => Self::Ge,
            Kernel::Isqrt => Self::Isqrt,
            Kernel::ToReal => Self::ToReal,
            Kernel::Floor => Self::Floor,
            Kernel::RealDiv => Self::RealDiv,
            Kernel::Width | Kernel::SelAnd | Kernel::SelOr | Kernel::SelNot => return None,
            Kernel::Copy | Kernel::Mean | Kernel::Least | Kernel::Greatest | Kernel::Mode => return None,
            Kernel::Number | Kernel::Numeral | Kernel::Append => return None,
            Kernel::Reshape(reshape) => match (sorts.first(), sort) {
                (Some(&Sort::BitVec(first)), Sort::BitVec(last)) => Self::Reshape(reshape, [first, last]),
                _ => return None,
            },
            Kernel::Bits(op) => match sort {
                Sort::BitVec(width) => Self::Bits(op, width),
                _ => return None,
            },
        };
        // Every code of a bit-vector is a value: what asks for undefined ones has a version of its own, or none.
        if matches!(sort, Sort::BitVec(_)) {
            return match primitive {
                Self::Bits(..) | Self::Reshape(..) | Self::Ite => Some(primitive),
                Self::Eq => Some(Self::BitsEq),
                Self::Distinct => Some(Self::BitsDistinct),
                _ => None,
            };
        }
        Some(if sort == Sort::Real { primitive.on_reals() } else { primitive })
    }

    /// The sort of the result, given the sorts of the arguments.
    pub(crate) fn result(self, args: &[Sort]) -> Sort {
        match self {
            Self::Ite => args[1],
            Self::Bits(op, _) if !op.is_test() => args[0],
            Self::Reshape(reshape, widths) => {
                // A function that a term applies has a width: its sort was checked.
                Sort::BitVec(reshape.width(&widths[..args.len().min(2)]).unwrap_or(1))
            }
            Self::Add | Self::Sub | Self::Mul | Self::Neg | Self::Abs | Self::Min | Self::Max => args[0],
            Self::Div | Self::Mod | Self::DivPositive | Self::ModPositive | Self::Isqrt | Self::Floor => Sort::Int,
            Self::RealAdd
            | Self::RealSub
            | Self::RealMul
            | Self::RealNeg
            | Self::RealAbs
            | Self::RealMin
            | Self::RealMax
            | Self::RealDiv
            | Self::ToReal => Sort::Real,
            _ => Sort::Bool,
        }
    }

    /// The version of a numeric function for reals.
    fn on_reals(self) -> Self {
        match self {
            Self::Add => Self::RealAdd,
            Self::Sub => Self::RealSub,
            Self::Mul => Self::RealMul,
            Self::Neg => Self::RealNeg,
            Self::Abs => Self::RealAbs,
            Self::Min => Self::RealMin,
            Self::Max => Self::RealMax,
            Self::Lt => Self::RealLt,
            Self::Le => Self::RealLe,
            Self::Gt => Self::RealGt,
            Self::Ge => Self::RealGe,
            other => other,
        }
    }
}
