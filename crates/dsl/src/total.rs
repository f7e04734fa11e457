//! Which terms always have a value.
//!
//! Bit-vectors of 64 bits use all codes of a column, so that none is left to say "undefined". A language with bit-vectors
//! is therefore one in which everything has a value: its operators are made of total functions only, and its programs hold
//! neither `none` nor tables with gaps.

use samples::{Sort, Value};

use crate::kernel::{Kernel, SortClass};
use crate::language::{Language, Operator, SortPattern};
use crate::term::{Func, Node, Table, Term};
use crate::walk::children;

impl Language {
    /// Whether operators, tables or constants are about bit-vectors: then all terms have a value wherever their variables
    /// have one.
    pub fn has_bit_vectors(&self) -> bool {
        let about = |pattern: SortPattern| match pattern {
            SortPattern::Sort(sort) => is_bits(sort),
            SortPattern::Var(name) => SortPattern::class_of(name) == SortClass::BitVec,
        };
        let by_operator = |op: &Operator| op.params.iter().map(|(_, pattern)| *pattern).chain([op.result]).any(about);
        self.operators.iter().any(by_operator) || self.constants.groups.iter().any(|group| is_bits(group.sort))
    }
}

fn is_bits(sort: Sort) -> bool {
    matches!(sort, Sort::BitVec(_))
}

/// What in an operator can be without value although the arguments have one, where its own operators always do.
pub(crate) fn gap(meaning: &Term, condition: Option<&Term>) -> Option<String> {
    if condition.is_some() {
        return Some(":when".to_owned());
    }
    gap_in(meaning)
}

/// As [`gap`], in a term.
pub(crate) fn gap_in(term: &Term) -> Option<String> {
    let own = match term.node() {
        Node::Const(Value::Undefined) => Some("none".to_owned()),
        Node::Scan(scan) => scan.states.iter().any(|(_, init, _)| *init == Value::Undefined).then(|| "none".to_owned()),
        Node::App(func, _) => gap_of(func),
        // A selection passes over keys where the predicate has no value.
        _ => None,
    };
    own.or_else(|| children(term).into_iter().find_map(gap_in))
}

fn gap_of(func: &Func) -> Option<String> {
    match func {
        Func::Kernel(kernel) => is_partial(*kernel).then(|| kernel.name().to_owned()),
        Func::Table(table) => (!is_complete(table)).then(|| format!("the table {}", table.name)),
        // Operators are judged by themselves.
        Func::Op(_) => None,
        Func::Lambda(_, body) => gap_in(body),
    }
}

fn is_partial(kernel: Kernel) -> bool {
    use Kernel::*;
    matches!(kernel, Add | Sub | Mul | Div | Mod | Isqrt | Floor | RealDiv | Copy | Mean)
        || matches!(kernel, Least | Greatest | Mode | Number | Numeral | Append)
}

/// Whether a table has an entry for all arguments: the entries, which differ, are as many as the values.
fn is_complete(table: &Table) -> bool {
    let values = |sort: &Sort| match sort {
        Sort::Bool => Some(2),
        Sort::BitVec(width) => 1_usize.checked_shl(u32::from(*width)),
        _ => None,
    };
    let n_keys = table.params.iter().map(values).try_fold(1_usize, |product, n| product.checked_mul(n?));
    let defined =
        table.entries.iter().filter(|(keys, value)| !keys.contains(&Value::Undefined) && *value != Value::Undefined);
    n_keys == Some(defined.count())
}
