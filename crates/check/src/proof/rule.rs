//! Programs with affine updates, read from their terms.

use std::collections::BTreeMap;

use dsl::{Func, Kernel, Node, Term};
use samples::{Symbol, Value};

use crate::{Machine, primed};

/// The greatest coefficient that is read.
const MAX_COEFFICIENT: i64 = 1 << 40;

/// An integer as an affine function of states, then inputs, then 1.
pub(super) type Row = Vec<i64>;

/// The affine rule of a machine: updates and outputs over (states before, inputs, 1).
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Rule {
    pub(super) n_states: usize,
    pub(super) n_inputs: usize,
    pub(super) updates: Vec<Row>,
    pub(super) outputs: Vec<Row>,
}

impl Rule {
    /// `None` where an update or output is no affine function of integers.
    pub(super) fn of(machine: &Machine<'_>) -> Option<Self> {
        let (n_states, n_inputs) = (machine.names().len(), machine.inputs().len());
        if machine.sorts().iter().any(|sort| *sort != samples::Sort::Int) {
            return None;
        }
        let unit = |at: usize| -> Row { (0..=n_states + n_inputs).map(|i| i64::from(i == at)).collect() };
        let mut names: BTreeMap<Symbol, Row> = BTreeMap::new();
        for (i, &name) in machine.names().iter().chain(machine.inputs()).enumerate() {
            names.insert(name, unit(i));
        }
        let read = |term: &Term, names: &BTreeMap<Symbol, Row>| affine(term, machine, names, n_states + n_inputs + 1);
        let updates: Vec<Row> = machine.updates().iter().map(|term| read(term, &names)).collect::<Option<_>>()?;
        for (&name, row) in machine.names().iter().zip(&updates) {
            names.insert(primed(name), row.clone());
        }
        let outputs = machine.outputs().iter().map(|term| read(term, &names)).collect::<Option<_>>()?;
        Some(Self { n_states, n_inputs, updates, outputs })
    }

    /// The rule with further states: outputs at the last element, which the hidden state carries because they are read
    /// from it, and the last element itself, as far as they do not follow from the other states. They start at 0.
    pub(super) fn extended(mut self) -> Self {
        let mut kept: Vec<Row> = self.updates.clone();
        let mut rows: Vec<Row> = Vec::new();
        let width = self.n_states + self.n_inputs + 1;
        let element = |at: usize| -> Row { (0..width).map(|i| i64::from(i == self.n_states + at)).collect() };
        let elements: Vec<Row> = (0..self.n_inputs).map(element).collect();
        for output in self.outputs.iter().chain(&elements) {
            let linear = |row: &Row| row[..row.len() - 1].to_vec();
            let before: Vec<Row> = kept.iter().map(linear).collect();
            let after: Vec<Row> = before.iter().cloned().chain([linear(output)]).collect();
            if rank(&after) > rank(&before) {
                kept.push(output.clone());
                rows.push(output.clone());
            }
        }
        let (n, more) = (self.n_states, rows.len());
        self.updates.extend(rows);
        for row in self.updates.iter_mut().chain(&mut self.outputs) {
            row.splice(n..n, std::iter::repeat_n(0, more));
        }
        self.n_states = n + more;
        self
    }

    /// The range of a row where states and inputs lie in ranges.
    pub(super) fn range(&self, row: &Row, states: &[[i64; 2]], input: [i64; 2]) -> [i128; 2] {
        let ranges = states.iter().copied().chain(std::iter::repeat_n(input, self.n_inputs)).chain([[1, 1]]);
        ranges.zip(row).fold([0, 0], |sum, ([lo, hi], &a)| {
            let ends = [i128::from(a) * i128::from(lo), i128::from(a) * i128::from(hi)];
            [sum[0] + ends[0].min(ends[1]), sum[1] + ends[0].max(ends[1])]
        })
    }
}

/// The rank of integer rows, by elimination over the numbers modulo a large prime: never more than the true rank.
fn rank(rows: &[Row]) -> usize {
    const P: i128 = (1 << 61) - 1;
    let mut rows: Vec<Vec<i128>> =
        rows.iter().map(|row| row.iter().map(|&v| i128::from(v).rem_euclid(P)).collect()).collect();
    let power = |base: i128| {
        let (mut result, mut base, mut left) = (1, base, P - 2);
        while left > 0 {
            if left & 1 == 1 {
                result = result * base % P;
            }
            base = base * base % P;
            left >>= 1;
        }
        result
    };
    let (mut rank, width) = (0, rows.first().map_or(0, Vec::len));
    for col in 0..width {
        let Some(pivot) = (rank..rows.len()).find(|&r| rows[r][col] != 0) else { continue };
        rows.swap(rank, pivot);
        let inverse = power(rows[rank][col]);
        let head = rows[rank].clone();
        for row in rows.iter_mut().skip(rank + 1) {
            let factor = row[col] * inverse % P;
            row.iter_mut().zip(&head).for_each(|(a, b)| *a = (*a - factor * b % P).rem_euclid(P));
        }
        rank += 1;
    }
    rank
}

/// A term as a row of `width` coefficients, operators replaced by their meanings.
fn affine(term: &Term, machine: &Machine<'_>, names: &BTreeMap<Symbol, Row>, width: usize) -> Option<Row> {
    let constant = |value: i64| -> Row { (0..width).map(|i| if i + 1 == width { value } else { 0 }).collect() };
    match term.node() {
        Node::Var(name) => names.get(name).cloned(),
        Node::Const(Value::Int(value)) => Some(constant(*value)),
        Node::Let(bindings, body) => {
            let mut inner = names.clone();
            for (name, value) in bindings {
                inner.insert(*name, affine(value, machine, &inner, width)?);
            }
            affine(body, machine, &inner, width)
        }
        Node::App(func, args) => {
            let args: Vec<Row> = args.iter().map(|arg| affine(arg, machine, names, width)).collect::<Option<_>>()?;
            match func {
                Func::Kernel(kernel) => apply(*kernel, &args),
                Func::Op(id) => {
                    let operator = machine.language().op(*id);
                    if operator.condition.is_some() || operator.params.len() != args.len() {
                        return None;
                    }
                    let inner = operator.params.iter().map(|(name, _)| *name).zip(args).collect();
                    affine(&operator.meaning, machine, &inner, width)
                }
                Func::Table(_) | Func::Lambda(..) => None,
            }
        }
        _ => None,
    }
}

fn apply(kernel: Kernel, args: &[Row]) -> Option<Row> {
    let is_constant = |row: &Row| row[..row.len() - 1].iter().all(|&a| a == 0);
    let small = |row: Row| row.iter().all(|a| a.abs() <= MAX_COEFFICIENT).then_some(row);
    let combine = |a: &Row, b: &Row, f: fn(i64, i64) -> Option<i64>| -> Option<Row> {
        a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect()
    };
    match (kernel, args) {
        (Kernel::Add, [a, b]) => combine(a, b, i64::checked_add).and_then(small),
        (Kernel::Sub, [a, b]) => combine(a, b, i64::checked_sub).and_then(small),
        (Kernel::Neg, [a]) => Some(a.iter().map(|v| -v).collect()),
        (Kernel::Mul, [a, b]) => {
            let (row, factor) = if is_constant(b) { (a, *b.last()?) } else { (b, *a.last()?) };
            if !is_constant(a) && !is_constant(b) {
                return None;
            }
            row.iter().map(|v| v.checked_mul(factor)).collect::<Option<Row>>().and_then(small)
        }
        _ => None,
    }
}
