//! The kernel's functions on whole columns.

use samples::{Sort, UNDEFINED, Value, encode_value};

use crate::bits::{BitOp, Reshape};
use crate::kernel::Kernel;

use super::{EvalError, Lane, Space};

/// Applies a kernel function; writes one code per point (several words for selectors).
pub(super) fn apply(
    kernel: Kernel,
    args: &[Lane<'_>],
    space: &Space<'_>,
    out: &mut Vec<i64>,
) -> Result<(Sort, usize), EvalError> {
    use Kernel::*;
    out.clear();
    if args.len() != kernel.arity() {
        return Err(EvalError::Arity { func: kernel.name().into(), expected: kernel.arity(), found: args.len() });
    }
    match kernel {
        Width | SelAnd | SelOr | SelNot => return super::select::apply(kernel, args, space, out),
        _ if kernel.is_aggregate() => return super::select::apply(kernel, args, space, out),
        _ => {}
    }
    if let Some(arg) = args.iter().find(|arg| arg.sort == Sort::Selector) {
        return Err(EvalError::WrongSort { func: kernel.name().into(), found: arg.sort });
    }
    if let Reshape(reshape) = kernel {
        return self::reshape(reshape, args, out).ok_or_else(|| EvalError::WrongSort {
            func: kernel.head(),
            found: args.first().map_or(Sort::Int, |arg| arg.sort),
        });
    }
    let sort = shared_sort(args);
    if let Sort::BitVec(width) = sort
        && let Some(result) = of_bits(kernel, width, args, out)
    {
        return Ok((result, 1));
    }
    let real = sort == Sort::Real;
    match kernel {
        Not => unary(args, out, |a| 1 - a),
        And => out.extend(pairs(args).map(|(a, b)| match (a, b) {
            (0, _) | (_, 0) => 0,
            (UNDEFINED, _) | (_, UNDEFINED) => UNDEFINED,
            _ => 1,
        })),
        Or => out.extend(pairs(args).map(|(a, b)| match (a, b) {
            (1, _) | (_, 1) => 1,
            (UNDEFINED, _) | (_, UNDEFINED) => UNDEFINED,
            _ => 0,
        })),
        Implies => out.extend(pairs(args).map(|(a, b)| match (a, b) {
            (0, _) | (_, 1) => 1,
            (UNDEFINED, _) | (_, UNDEFINED) => UNDEFINED,
            _ => 0,
        })),
        Xor | Distinct => binary(args, out, |a, b| i64::from(a != b)),
        Eq => binary(args, out, |a, b| i64::from(a == b)),
        Defined => out.extend(args[0].codes.iter().map(|&a| i64::from(a != UNDEFINED))),
        Ite => {
            let sort = shared_sort(&args[1..]);
            if matches!(sort, Sort::BitVec(_)) {
                // No language lets a condition of bit-vectors be undefined.
                choose(args, out);
                return Ok((sort, 1));
            }
            let branches = args[1].codes.iter().zip(args[2].codes);
            out.extend(args[0].codes.iter().zip(branches).map(|(&c, (&a, &b))| match c {
                UNDEFINED => UNDEFINED,
                0 => b,
                _ => a,
            }));
            return Ok((sort, 1));
        }
        Add if real => reals(args, out, |a, b| a + b),
        Sub if real => reals(args, out, |a, b| a - b),
        Mul if real => reals(args, out, |a, b| a * b),
        Min if real => reals(args, out, f64::min),
        Max if real => reals(args, out, f64::max),
        RealDiv => reals(args, out, |a, b| if b == 0.0 { f64::NAN } else { a / b }),
        Neg if real => real_unary(args, out, |a| -a),
        Abs if real => real_unary(args, out, f64::abs),
        Lt if real => real_test(args, out, |a, b| a < b),
        Le if real => real_test(args, out, |a, b| a <= b),
        Gt if real => real_test(args, out, |a, b| a > b),
        Ge if real => real_test(args, out, |a, b| a >= b),
        Add => binary(args, out, |a, b| a.checked_add(b).unwrap_or(UNDEFINED)),
        Sub => binary(args, out, |a, b| a.checked_sub(b).unwrap_or(UNDEFINED)),
        Mul => binary(args, out, |a, b| a.checked_mul(b).unwrap_or(UNDEFINED)),
        Div => binary(args, out, |a, b| a.checked_div_euclid(b).unwrap_or(UNDEFINED)),
        Mod => binary(args, out, |a, b| a.checked_rem_euclid(b).unwrap_or(UNDEFINED)),
        Min => binary(args, out, i64::min),
        Max => binary(args, out, i64::max),
        Lt => binary(args, out, |a, b| i64::from(a < b)),
        Le => binary(args, out, |a, b| i64::from(a <= b)),
        Gt => binary(args, out, |a, b| i64::from(a > b)),
        Ge => binary(args, out, |a, b| i64::from(a >= b)),
        Neg => unary(args, out, |a| -a),
        Abs => unary(args, out, i64::abs),
        Isqrt => unary(args, out, |a| if a < 0 { UNDEFINED } else { a.isqrt() }),
        ToReal => unary(args, out, |a| encode_value(Value::Real(a as f64))),
        Floor => unary(args, out, |a| {
            let floor = f64::from_bits(a as u64).floor();
            if floor.abs() < 9.2e18 { floor as i64 } else { UNDEFINED }
        }),
        Bits(_) | Reshape(_) => return Err(EvalError::WrongSort { func: kernel.name().into(), found: sort }),
        Number => super::texts::numbers(args[0], out),
        Numeral => super::texts::numerals(args[0], out),
        Append => super::texts::lists(args[0], args[1], out),
        Width | Copy | Mean | Least | Greatest | Mode | SelAnd | SelOr | SelNot => {}
    }
    let result = match kernel.signature().1 {
        crate::kernel::Slot::Sort(sort) => sort,
        crate::kernel::Slot::Class(_) => sort,
    };
    Ok((result, 1))
}

/// The sort of arguments that must agree. An argument that is undefined everywhere has no sort of its own, so that it
/// never decides.
fn shared_sort(args: &[Lane<'_>]) -> Sort {
    let Some(first) = args.first() else { return Sort::Int };
    if args.iter().all(|arg| arg.sort == first.sort) {
        return first.sort;
    }
    let defined = args.iter().find(|arg| arg.codes.iter().any(|&code| !arg.sort.is_undefined(code)));
    defined.unwrap_or(first).sort
}

/// Functions whose arguments are bit-vectors, every code of which is a value; `None` for other functions.
fn of_bits(kernel: Kernel, width: u8, args: &[Lane<'_>], out: &mut Vec<i64>) -> Option<Sort> {
    match kernel {
        Kernel::Eq => out.extend(pairs(args).map(|(a, b)| i64::from(a == b))),
        Kernel::Distinct => out.extend(pairs(args).map(|(a, b)| i64::from(a != b))),
        Kernel::Defined => out.extend(args[0].codes.iter().map(|_| 1)),
        Kernel::Bits(op) => {
            bits(op, width, args, out);
            return Some(if op.is_test() { Sort::Bool } else { Sort::BitVec(width) });
        }
        _ => return None,
    }
    Some(Sort::Bool)
}

fn bits(op: BitOp, width: u8, args: &[Lane<'_>], out: &mut Vec<i64>) {
    if op.is_unary() {
        out.extend(args[0].codes.iter().map(|&a| op.apply(width, a as u64, 0) as i64));
    } else {
        out.extend(pairs(args).map(|(a, b)| op.apply(width, a as u64, b as u64) as i64));
    }
}

/// `None` where the arguments are no bit-vectors of widths that go together.
fn reshape(reshape: Reshape, args: &[Lane<'_>], out: &mut Vec<i64>) -> Option<(Sort, usize)> {
    let widths: Vec<u8> = args.iter().map(|arg| crate::kernel::bit_width(arg.sort)).collect::<Option<_>>()?;
    let result = Sort::BitVec(reshape.width(&widths)?);
    if reshape.is_binary() {
        out.extend(pairs(args).map(|(a, b)| reshape.apply(&widths, a as u64, b as u64) as i64));
    } else {
        out.extend(args[0].codes.iter().map(|&a| reshape.apply(&widths, a as u64, 0) as i64));
    }
    Some((result, 1))
}

fn choose(args: &[Lane<'_>], out: &mut Vec<i64>) {
    let branches = args[1].codes.iter().zip(args[2].codes);
    out.extend(args[0].codes.iter().zip(branches).map(|(&c, (&a, &b))| if c == 1 { a } else { b }));
}

fn pairs<'a>(args: &'a [Lane<'_>]) -> impl Iterator<Item = (i64, i64)> + 'a {
    args[0].codes.iter().copied().zip(args[1].codes.iter().copied())
}

fn unary(args: &[Lane<'_>], out: &mut Vec<i64>, f: impl Fn(i64) -> i64) {
    out.extend(args[0].codes.iter().map(|&a| if a == UNDEFINED { UNDEFINED } else { f(a) }));
}

fn binary(args: &[Lane<'_>], out: &mut Vec<i64>, f: impl Fn(i64, i64) -> i64) {
    let strict = |(a, b)| if a == UNDEFINED || b == UNDEFINED { UNDEFINED } else { f(a, b) };
    out.extend(pairs(args).map(strict));
}

fn real_unary(args: &[Lane<'_>], out: &mut Vec<i64>, f: impl Fn(f64) -> f64) {
    unary(args, out, |a| encode_value(Value::Real(f(f64::from_bits(a as u64)))));
}

fn reals(args: &[Lane<'_>], out: &mut Vec<i64>, f: impl Fn(f64, f64) -> f64) {
    binary(args, out, |a, b| encode_value(Value::Real(f(f64::from_bits(a as u64), f64::from_bits(b as u64)))));
}

fn real_test(args: &[Lane<'_>], out: &mut Vec<i64>, f: impl Fn(f64, f64) -> bool) {
    binary(args, out, |a, b| i64::from(f(f64::from_bits(a as u64), f64::from_bits(b as u64))));
}
