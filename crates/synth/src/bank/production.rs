//! Productions: the leaves and the operator instances that a bank enumerates, compiled to loops over columns.

use std::sync::Arc;

use dsl::{Func, Language, Node, OpId, Term};
use rustc_hash::FxHashMap;
use samples::{Column, Sort, Symbol, UNDEFINED, Value, encode_value};

use super::primitive::Primitive;
use super::store::MAX_ARITY;

/// What a node of the bank applies.
#[derive(Clone, Debug)]
pub(crate) enum Head {
    /// A term without arguments.
    Leaf(Term),
    /// A function.
    Apply(Func),
}

/// A leaf, or one function at one choice of sorts.
#[derive(Debug)]
pub(crate) struct Production {
    pub(crate) head: Head,
    /// Sort indices of the arguments.
    pub(crate) params: Vec<u8>,
    pub(crate) result: u8,
    pub(crate) cost: u32,
    /// What an argument costs in addition where it is no constant.
    pub(crate) charges: Vec<u32>,
    pub(crate) commutative: bool,
    pub(crate) code: Code,
}

/// How the column of a node is computed.
#[derive(Debug)]
pub(crate) enum Code {
    /// A leaf: the column is given.
    Leaf,
    /// One loop.
    Primitive(Primitive),
    /// Several loops.
    Program(Program),
    /// A finite function.
    Table(FxHashMap<[i64; MAX_ARITY], i64>),
    /// Whatever `dsl` makes of it.
    Interpreted,
}

/// A straight-line program of loops: the compiled meaning of an operator.
#[derive(Debug)]
pub(crate) struct Program {
    steps: Vec<(Primitive, Vec<Operand>)>,
    result: Operand,
    condition: Option<Operand>,
}

#[derive(Clone, Copy, Debug)]
enum Operand {
    Param(usize),
    Step(usize),
    Constant(i64),
}

/// Buffers that running a program needs, kept between runs.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    steps: Vec<Vec<i64>>,
    constants: FxHashMap<i64, Vec<i64>>,
}

/// What interpreting a function needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) language: &'a Language,
    pub(crate) sorts: &'a [Sort],
}

impl Code {
    /// Compiles a function at some sorts.
    pub(crate) fn compile(language: &Language, func: &Func, params: &[Sort]) -> Self {
        match func {
            Func::Kernel(kernel) => match Primitive::of(*kernel, first_relevant(params)) {
                Some(primitive) => Self::Primitive(primitive),
                None => Self::Interpreted,
            },
            Func::Op(id) => Self::compile_operator(language, *id, params),
            Func::Table(table) if table.params.len() <= MAX_ARITY => {
                let entries = table.entries.iter().map(|(key, value)| {
                    let mut codes = [0; MAX_ARITY];
                    for (code, &value) in codes.iter_mut().zip(key) {
                        *code = encode_value(value);
                    }
                    (codes, encode_value(*value))
                });
                Self::Table(entries.collect())
            }
            Func::Table(_) | Func::Lambda(..) => Self::Interpreted,
        }
    }

    fn compile_operator(language: &Language, id: OpId, params: &[Sort]) -> Self {
        let operator = language.op(id);
        if operator.condition.is_none()
            && let Some(kernel) = operator.kernel()
            && let Some(primitive) = Primitive::of(kernel, first_relevant(params))
        {
            return Self::Primitive(primitive);
        }
        let mut compiler = Compiler { language, steps: Vec::new() };
        let scope: Vec<(Symbol, Operand, Sort)> = operator
            .params
            .iter()
            .zip(params)
            .enumerate()
            .map(|(i, ((name, _), &sort))| (*name, Operand::Param(i), sort))
            .collect();
        let Some((result, _)) = compiler.operator(id, &scope) else { return Self::Interpreted };
        let (result, condition) = result;
        Self::Program(Program { steps: compiler.steps, result, condition })
    }

    /// Computes the column of a function of columns.
    pub(crate) fn run(
        &self,
        production: &Production,
        context: &Context<'_>,
        args: &[&[i64]],
        scratch: &mut Scratch,
        out: &mut [i64],
    ) {
        match self {
            Self::Leaf => debug_assert!(false, "leaves are not computed"),
            Self::Primitive(primitive) => primitive.run(args, out),
            Self::Program(program) => program.run(args, scratch, out),
            Self::Table(entries) => {
                for (point, o) in out.iter_mut().enumerate() {
                    let mut key = [0; MAX_ARITY];
                    for (k, arg) in key.iter_mut().zip(args) {
                        *k = arg[point];
                    }
                    *o = entries.get(&key).copied().unwrap_or(UNDEFINED);
                }
            }
            Self::Interpreted => interpret(production, context, args, out),
        }
    }
}

/// The sort that selects between the versions of a kernel function: the last one tells `Int` from `Real` also in
/// `(ite Bool 'A 'A)`.
fn first_relevant(params: &[Sort]) -> Sort {
    params.last().copied().unwrap_or(Sort::Bool)
}

fn interpret(production: &Production, context: &Context<'_>, args: &[&[i64]], out: &mut [i64]) {
    let Head::Apply(func) = &production.head else { return out.fill(UNDEFINED) };
    let columns: Vec<Column> = args
        .iter()
        .zip(&production.params)
        .map(|(codes, &sort)| Column::new(context.sorts[sort as usize], codes.to_vec()))
        .collect();
    let refs: Vec<&Column> = columns.iter().collect();
    match dsl::apply(context.language, func, &refs) {
        Ok(column) if column.codes.len() == out.len() => out.copy_from_slice(&column.codes),
        _ => out.fill(UNDEFINED),
    }
}

impl Program {
    fn run(&self, args: &[&[i64]], scratch: &mut Scratch, out: &mut [i64]) {
        let n = out.len();
        while scratch.steps.len() < self.steps.len() {
            scratch.steps.push(Vec::new());
        }
        for operand in self.steps.iter().flat_map(|(_, operands)| operands).chain(&self.condition).chain([&self.result])
        {
            if let Operand::Constant(code) = operand {
                let column = scratch.constants.entry(*code).or_default();
                if column.len() < n {
                    column.resize(n, *code);
                }
            }
        }
        let Scratch { steps, constants } = scratch;
        for (i, (primitive, operands)) in self.steps.iter().enumerate() {
            let (done, rest) = steps.split_at_mut(i);
            let target = &mut rest[0];
            target.resize(n, 0);
            let mut inputs: [&[i64]; MAX_ARITY] = [&[]; MAX_ARITY];
            for (input, operand) in inputs.iter_mut().zip(operands) {
                *input = column(*operand, args, done, constants, n);
            }
            primitive.run(&inputs[..operands.len()], &mut target[..n]);
        }
        out.copy_from_slice(column(self.result, args, steps, constants, n));
        if let Some(condition) = self.condition {
            for (o, &holds) in out.iter_mut().zip(column(condition, args, steps, constants, n)) {
                if holds != 1 {
                    *o = UNDEFINED;
                }
            }
        }
    }
}

fn column<'a>(
    operand: Operand,
    args: &[&'a [i64]],
    steps: &'a [Vec<i64>],
    constants: &'a FxHashMap<i64, Vec<i64>>,
    n: usize,
) -> &'a [i64] {
    match operand {
        Operand::Param(i) => args[i],
        Operand::Step(i) => &steps[i][..n],
        Operand::Constant(code) => &constants[&code][..n],
    }
}

/// Turns meanings into steps; `None` where a meaning looks beyond single points or uses structural forms.
struct Compiler<'a> {
    language: &'a Language,
    steps: Vec<(Primitive, Vec<Operand>)>,
}

type Scope = [(Symbol, Operand, Sort)];

impl Compiler<'_> {
    /// Value and condition of an operator's meaning, and its sort.
    fn operator(&mut self, id: OpId, scope: &Scope) -> Option<((Operand, Option<Operand>), Sort)> {
        let operator = self.language.op(id);
        let (meaning, condition) = (operator.meaning.clone(), operator.condition.clone());
        let (value, sort) = self.term(&meaning, scope)?;
        let condition = match condition {
            Some(condition) => Some(self.term(&condition, scope)?.0),
            None => None,
        };
        Some(((value, condition), sort))
    }

    fn step(&mut self, primitive: Primitive, operands: Vec<Operand>) -> Operand {
        self.steps.push((primitive, operands));
        Operand::Step(self.steps.len() - 1)
    }

    fn term(&mut self, term: &Term, scope: &Scope) -> Option<(Operand, Sort)> {
        match term.node() {
            Node::Var(name) => {
                scope.iter().rev().find(|(n, _, _)| n == name).map(|&(_, operand, sort)| (operand, sort))
            }
            Node::Const(value) => Some((Operand::Constant(encode_value(*value)), value.sort()?)),
            Node::Let(bindings, body) => {
                let mut scope = scope.to_vec();
                for (name, bound) in bindings {
                    let (operand, sort) = self.term(bound, &scope)?;
                    scope.push((*name, operand, sort));
                }
                self.term(body, &scope)
            }
            Node::App(func, args) => {
                let args: Vec<(Operand, Sort)> = args.iter().map(|arg| self.term(arg, scope)).collect::<Option<_>>()?;
                self.apply(func, &args)
            }
            Node::Scan(_) | Node::Select { .. } => None,
        }
    }

    fn apply(&mut self, func: &Func, args: &[(Operand, Sort)]) -> Option<(Operand, Sort)> {
        let sorts: Vec<Sort> = args.iter().map(|&(_, sort)| sort).collect();
        match func {
            Func::Kernel(kernel) => {
                let primitive = Primitive::of(*kernel, first_relevant(&sorts))?;
                let operands = args.iter().map(|&(operand, _)| operand).collect();
                Some((self.step(primitive, operands), primitive.result(&sorts)))
            }
            Func::Op(id) => {
                let names: Vec<Symbol> = self.language.op(*id).params.iter().map(|(name, _)| *name).collect();
                let scope: Vec<(Symbol, Operand, Sort)> =
                    names.into_iter().zip(args).map(|(name, &(operand, sort))| (name, operand, sort)).collect();
                let ((value, condition), sort) = self.operator(*id, &scope)?;
                let Some(condition) = condition else { return Some((value, sort)) };
                // Undefined unless the condition is true, as a step: both branches of this `ite` that are not the value
                // are undefined.
                let undefined = Operand::Constant(UNDEFINED);
                Some((self.step(Primitive::Ite, vec![condition, value, undefined]), sort))
            }
            Func::Table(_) | Func::Lambda(..) => None,
        }
    }
}

/// A leaf of the search: a variable, a constant, or any term whose column is known.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// What stands for it in the terms found.
    pub term: Term,
    /// Its values.
    pub column: Column,
    /// What one use costs; at least 1.
    pub cost: u32,
}

impl Leaf {
    /// A variable at the language's price.
    pub fn variable(language: &Language, name: impl Into<Symbol>, column: Column) -> Self {
        Self { term: Term::var(name), column, cost: language.variable_cost.max(1) }
    }

    /// A constant at the language's price.
    pub fn constant(language: &Language, value: Value, n_points: usize) -> Option<Self> {
        Some(Self {
            term: Term::constant(value),
            column: Column::constant(value.sort()?, value, n_points),
            cost: language.constants.cost(value).max(1),
        })
    }
}

/// A function that a search may use beside the language's operators: a table, for instance.
#[derive(Clone, Debug)]
pub struct Extra {
    /// The function.
    pub func: Func,
    /// The sorts of its arguments.
    pub params: Vec<Sort>,
    /// The sort of its result.
    pub result: Sort,
    /// What one use costs; at least 1.
    pub cost: u32,
}

impl Extra {
    /// A table as a function to search with.
    pub fn table(table: Arc<dsl::Table>, cost: u32) -> Self {
        Self { params: table.params.clone(), result: table.result, func: Func::Table(table), cost }
    }
}
