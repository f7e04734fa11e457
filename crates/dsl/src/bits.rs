//! Bit-vector functions of the kernel, with SMT-LIB's names and meaning: all of them are total.

use samples::mask;

/// A function of bit-vectors of one width.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum BitOp {
    /// `(bvnot a)`.
    Not,
    /// `(bvneg a)`.
    Neg,
    /// `(bvand a b)`.
    And,
    /// `(bvor a b)`.
    Or,
    /// `(bvxor a b)`.
    Xor,
    /// `(bvnand a b)`.
    Nand,
    /// `(bvnor a b)`.
    Nor,
    /// `(bvxnor a b)`.
    Xnor,
    /// `(bvadd a b)`.
    Add,
    /// `(bvsub a b)`.
    Sub,
    /// `(bvmul a b)`.
    Mul,
    /// `(bvudiv a b)`: all ones for `b = 0`.
    Udiv,
    /// `(bvurem a b)`: `a` for `b = 0`.
    Urem,
    /// `(bvsdiv a b)`: rounds toward 0; for `b = 0` it is -1 for `a >= 0`, else 1.
    Sdiv,
    /// `(bvsrem a b)`: the remainder of [`BitOp::Sdiv`], with the sign of `a`; `a` for `b = 0`.
    Srem,
    /// `(bvsmod a b)`: the remainder with the sign of `b`; `a` for `b = 0`.
    Smod,
    /// `(bvshl a b)`: 0 where `b` is at least the width.
    Shl,
    /// `(bvlshr a b)`: 0 where `b` is at least the width.
    Lshr,
    /// `(bvashr a b)`: only copies of the sign where `b` is at least the width.
    Ashr,
    /// `(bvult a b)`.
    Ult,
    /// `(bvule a b)`.
    Ule,
    /// `(bvugt a b)`.
    Ugt,
    /// `(bvuge a b)`.
    Uge,
    /// `(bvslt a b)`.
    Slt,
    /// `(bvsle a b)`.
    Sle,
    /// `(bvsgt a b)`.
    Sgt,
    /// `(bvsge a b)`.
    Sge,
}

impl BitOp {
    /// Whether the result is a truth value.
    pub fn is_test(self) -> bool {
        self >= Self::Ult
    }

    /// Whether it takes one argument.
    pub fn is_unary(self) -> bool {
        matches!(self, Self::Not | Self::Neg)
    }

    /// Whether the order of the two arguments never matters.
    pub fn is_commutative(self) -> bool {
        use BitOp::*;
        matches!(self, And | Or | Xor | Nand | Nor | Xnor | Add | Mul)
    }

    /// The result on bit-vectors of a width, whose bits beyond it are 0: such a bit-vector, or 0 or 1 for tests.
    /// Functions of one argument pass over `b`.
    pub fn apply(self, width: u8, a: u64, b: u64) -> u64 {
        use BitOp::*;
        let mask = mask(width);
        let (x, y) = (signed(width, a), signed(width, b));
        let result = match self {
            Not => !a,
            Neg => a.wrapping_neg(),
            And => a & b,
            Or => a | b,
            Xor => a ^ b,
            Nand => !(a & b),
            Nor => !(a | b),
            Xnor => !(a ^ b),
            Add => a.wrapping_add(b),
            Sub => a.wrapping_sub(b),
            Mul => a.wrapping_mul(b),
            Udiv => a.checked_div(b).unwrap_or(u64::MAX),
            Urem => a.checked_rem(b).unwrap_or(a),
            Sdiv if b == 0 => {
                if x < 0 {
                    1
                } else {
                    u64::MAX
                }
            }
            Srem | Smod if b == 0 => a,
            Sdiv => x.wrapping_div(y) as u64,
            Srem => x.wrapping_rem(y) as u64,
            Smod => {
                let rest = x.wrapping_rem(y);
                (if rest != 0 && (rest < 0) != (y < 0) { rest + y } else { rest }) as u64
            }
            Shl => {
                if b < u64::from(width) {
                    a << b
                } else {
                    0
                }
            }
            Lshr => {
                if b < u64::from(width) {
                    a >> b
                } else {
                    0
                }
            }
            Ashr => (x >> b.min(63)) as u64,
            Ult => return u64::from(a < b),
            Ule => return u64::from(a <= b),
            Ugt => return u64::from(a > b),
            Uge => return u64::from(a >= b),
            Slt => return u64::from(x < y),
            Sle => return u64::from(x <= y),
            Sgt => return u64::from(x > y),
            Sge => return u64::from(x >= y),
        };
        result & mask
    }
}

/// The number that a bit-vector is in two's complement.
pub fn signed(width: u8, bits: u64) -> i64 {
    let unused = u32::from(samples::Sort::MAX_WIDTH.saturating_sub(width)).min(63);
    ((bits << unused) as i64) >> unused
}

#[cfg(test)]
mod tests {
    use super::BitOp::*;
    use super::*;

    /// SMT-LIB defines the signed functions by the unsigned ones, and these by numbers: held against that for every
    /// pair of small width.
    #[test]
    fn signed_functions_are_what_smt_lib_defines() {
        for width in 1..=5_u8 {
            let n = 1_u64 << width;
            let negative = |a: u64| a >> (width - 1) == 1;
            let neg = |a: u64| Neg.apply(width, a, 0);
            let abs = |a: u64| if negative(a) { neg(a) } else { a };
            for a in 0..n {
                for b in 0..n {
                    let quotient = Udiv.apply(width, abs(a), abs(b));
                    let expected = if negative(a) == negative(b) { quotient } else { neg(quotient) };
                    assert_eq!(Sdiv.apply(width, a, b), expected, "{a} sdiv {b} at {width}");
                    let rest = Urem.apply(width, abs(a), abs(b));
                    assert_eq!(Srem.apply(width, a, b), if negative(a) { neg(rest) } else { rest });
                    let smod = match (rest, negative(a), negative(b)) {
                        (0, ..) => 0,
                        (_, false, false) => rest,
                        (_, true, false) => Add.apply(width, neg(rest), b),
                        (_, false, true) => Add.apply(width, rest, b),
                        (_, true, true) => neg(rest),
                    };
                    assert_eq!(Smod.apply(width, a, b), smod, "{a} smod {b} at {width}");
                    assert_eq!(Slt.apply(width, a, b) == 1, signed(width, a) < signed(width, b));
                    assert_eq!(Shl.apply(width, a, b), if b < 64 { (a << b) % n } else { 0 });
                    assert_eq!(Lshr.apply(width, a, b), if b < 64 { a >> b } else { 0 });
                    let sign = if negative(a) { n - 1 } else { 0 };
                    let halved = (0..b.min(8)).fold(a, |a, _| a >> 1 | sign & n >> 1);
                    assert_eq!(Ashr.apply(width, a, b), halved, "{a} ashr {b} at {width}");
                }
            }
        }
    }

    #[test]
    fn the_widest_vectors_do_not_overflow() {
        let least = 1 << 63;
        assert_eq!(Sdiv.apply(64, least, u64::MAX), least);
        assert_eq!(Srem.apply(64, least, u64::MAX), 0);
        assert_eq!(Smod.apply(64, least, 3), 1);
        assert_eq!(Shl.apply(64, 1, 64), 0);
        assert_eq!(Ashr.apply(64, least, u64::MAX), u64::MAX);
        assert_eq!(Udiv.apply(1, 1, 0), 1);
    }
}
