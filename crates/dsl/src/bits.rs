//! Bit-vector functions of the kernel, with SMT-LIB's names and meaning: all of them are total.

use samples::mask;

use crate::sexpr::{Kind, Sexpr};

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

/// A function between bit-vectors of different widths, or one that takes numbers beside them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Reshape {
    /// `(concat a b)`: `a` above `b`.
    Concat,
    /// `(bvcomp a b)`: one bit, set where both are equal.
    Comp,
    /// `((_ extract HIGH LOW) a)`: the bits from `high` down to `low`.
    Extract {
        /// The highest bit taken, counted from 0.
        high: u8,
        /// The lowest.
        low: u8,
    },
    /// `((_ zero_extend N) a)`: so many zeros above.
    ZeroExtend(u8),
    /// `((_ sign_extend N) a)`: so many copies of the highest bit above.
    SignExtend(u8),
    /// `((_ rotate_left N) a)`.
    RotateLeft(u8),
    /// `((_ rotate_right N) a)`.
    RotateRight(u8),
    /// `((_ repeat N) a)`: so many copies, one after the other.
    Repeat(u8),
}

impl Reshape {
    /// The functions with indices, and how they are written.
    pub const INDEXED: [(&str, &str); 6] = [
        ("extract", "(_ extract I J)"),
        ("zero_extend", "(_ zero_extend N)"),
        ("sign_extend", "(_ sign_extend N)"),
        ("rotate_left", "(_ rotate_left N)"),
        ("rotate_right", "(_ rotate_right N)"),
        ("repeat", "(_ repeat N)"),
    ];

    /// The function with an SMT-LIB name and indices: `(_ NAME INDEX ...)`, or a name alone.
    pub fn find(name: &str, indices: &[i64]) -> Option<Self> {
        let indices: Vec<u8> = indices.iter().map(|&index| u8::try_from(index).ok()).collect::<Option<_>>()?;
        Some(match (name, indices.as_slice()) {
            ("concat", []) => Self::Concat,
            ("bvcomp", []) => Self::Comp,
            ("extract", &[high, low]) => Self::Extract { high, low },
            ("zero_extend", &[n]) => Self::ZeroExtend(n),
            ("sign_extend", &[n]) => Self::SignExtend(n),
            ("rotate_left", &[n]) => Self::RotateLeft(n),
            ("rotate_right", &[n]) => Self::RotateRight(n),
            ("repeat", &[n]) => Self::Repeat(n),
            _ => return None,
        })
    }

    /// The function that `(_ NAME INDEX ...)` is, in head position.
    pub fn read(head: &Sexpr) -> Option<Self> {
        let [underscore, name, indices @ ..] = head.list()? else { return None };
        if underscore.symbol() != Some("_") {
            return None;
        }
        let number = |item: &Sexpr| if let Kind::Int(value) = item.kind { Some(value) } else { None };
        let indices: Vec<i64> = indices.iter().map(number).collect::<Option<_>>()?;
        Self::find(name.symbol()?, &indices)
    }

    /// The name, without indices.
    pub fn name(self) -> &'static str {
        match self {
            Self::Concat => "concat",
            Self::Comp => "bvcomp",
            Self::Extract { .. } => "extract",
            Self::ZeroExtend(_) => "zero_extend",
            Self::SignExtend(_) => "sign_extend",
            Self::RotateLeft(_) => "rotate_left",
            Self::RotateRight(_) => "rotate_right",
            Self::Repeat(_) => "repeat",
        }
    }

    /// As it is written in head position.
    pub fn head(self) -> String {
        match self {
            Self::Concat | Self::Comp => self.name().to_owned(),
            Self::Extract { high, low } => format!("(_ extract {high} {low})"),
            Self::ZeroExtend(n)
            | Self::SignExtend(n)
            | Self::RotateLeft(n)
            | Self::RotateRight(n)
            | Self::Repeat(n) => format!("(_ {} {n})", self.name()),
        }
    }

    /// Whether it takes two arguments.
    pub fn is_binary(self) -> bool {
        matches!(self, Self::Concat | Self::Comp)
    }

    /// The width of the result; `None` where there is no such function of these widths, or its result is wider than
    /// bit-vectors are here.
    pub fn width(self, widths: &[u8]) -> Option<u8> {
        let width = match (self, widths) {
            (Self::Concat, &[a, b]) => a.checked_add(b)?,
            (Self::Comp, &[a, b]) => (a == b).then_some(1)?,
            (Self::Extract { high, low }, &[a]) => (low <= high && high < a).then(|| high - low + 1)?,
            (Self::ZeroExtend(n) | Self::SignExtend(n), &[a]) => a.checked_add(n)?,
            (Self::RotateLeft(_) | Self::RotateRight(_), &[a]) => a,
            (Self::Repeat(n), &[a]) => a.checked_mul(n)?,
            _ => return None,
        };
        (1..=samples::Sort::MAX_WIDTH).contains(&width).then_some(width)
    }

    /// What it takes, where [`Reshape::width`] says that it does not take these widths.
    pub fn demand(self, widths: &[u8]) -> String {
        match (self, widths) {
            (Self::Extract { high, low }, _) if low > high => {
                format!("the higher bit first: (_ extract {low} {high})")
            }
            (Self::Extract { .. }, &[width]) => {
                format!("bits that it has: {} down to 0, (_ extract I J) with {} >= I >= J", width - 1, width - 1)
            }
            (Self::Comp, _) => "two bit-vectors of one width".to_owned(),
            _ => format!("widths that give one of 1 to {}", samples::Sort::MAX_WIDTH),
        }
    }

    /// The result on bit-vectors of widths that [`Reshape::width`] admits. Functions of one argument pass over `b`.
    pub fn apply(self, widths: &[u8], a: u64, b: u64) -> u64 {
        let (Some(result), Some(&width)) = (self.width(widths), widths.first()) else { return 0 };
        let low_width = widths.last().map_or(0, |&w| u32::from(w));
        let rotated_left = |n: u8| {
            let n = n % width;
            if n == 0 { a } else { a << n | a >> (width - n) }
        };
        let bits = match self {
            // A shift by all 64 bits cannot be: the other part has one at least.
            Self::Concat => a << low_width | b,
            Self::Comp => u64::from(a == b),
            Self::Extract { low, .. } => a >> low,
            Self::ZeroExtend(_) => a,
            Self::SignExtend(_) => signed(width, a) as u64,
            Self::RotateLeft(n) => rotated_left(n),
            Self::RotateRight(n) => rotated_left(width - n % width),
            Self::Repeat(n) => (1..n).fold(a, |bits, _| bits << width | a),
        };
        bits & mask(result)
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

    /// Bits as text, the highest first: what the functions do is plain there.
    fn text(width: u8, bits: u64) -> String {
        (0..width).rev().map(|i| if bits >> i & 1 == 1 { '1' } else { '0' }).collect()
    }

    #[test]
    fn functions_between_widths_do_with_bits_what_their_names_say() {
        for width in 1..=5_u8 {
            for a in 0..1_u64 << width {
                let own = text(width, a);
                let apply = |f: Reshape| f.width(&[width]).map(|w| text(w, f.apply(&[width], a, 0)));
                for n in 0..=6_u8 {
                    let turned = |k: usize| [&own[k..], &own[..k]].concat();
                    let by = usize::from(n % width);
                    assert_eq!(apply(Reshape::RotateLeft(n)).as_ref(), Some(&turned(by)));
                    assert_eq!(apply(Reshape::RotateRight(n)), Some(turned((own.len() - by) % own.len())));
                    assert_eq!(apply(Reshape::ZeroExtend(n)), Some("0".repeat(n.into()) + &own));
                    assert_eq!(apply(Reshape::SignExtend(n)), Some(own[..1].repeat(n.into()) + &own));
                    assert_eq!(apply(Reshape::Repeat(n)), (n > 0).then(|| own.repeat(n.into())));
                    for low in 0..=6_u8 {
                        let range = usize::from(width.saturating_sub(n + 1))..usize::from(width - low.min(width));
                        let taken = (low <= n && n < width).then(|| own[range].to_owned());
                        assert_eq!(apply(Reshape::Extract { high: n, low }), taken, "{own} {n} {low}");
                    }
                }
                for b in 0..8 {
                    let both = Reshape::Concat.apply(&[width, 3], a, b);
                    assert_eq!(text(width + 3, both), own.clone() + &text(3, b));
                }
            }
        }
        assert_eq!(Reshape::Concat.width(&[60, 5]), None, "too wide");
        assert_eq!(Reshape::Concat.apply(&[32, 32], 1, 2), 1 << 32 | 2);
        assert_eq!(Reshape::SignExtend(32).apply(&[32], 1 << 31, 0), !0 << 31);
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
