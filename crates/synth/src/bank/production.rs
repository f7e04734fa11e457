//! Productions: the leaves and the operator instances that a bank enumerates, compiled to loops over columns.

use std::sync::Arc;

use dsl::{Func, Language, Node, OpId, Term};
use rustc_hash::FxHashMap;
use samples::{Column, Points, Sort, Symbol, UNDEFINED, Value, encode_value};

use super::primitive::Primitive;
use super::store::MAX_ARITY;

/// What a node of the bank applies.
#[derive(Clone, Debug)]
pub(crate) enum Head {
    /// A term without arguments.
    Leaf(Term),
    /// A function.
    Apply(Func),
    /// A term of another nonterminal, as it is.
    Chain,
}

/// A leaf, or one function at one choice of sorts.
#[derive(Debug)]
pub(crate) struct Production {
    pub(crate) head: Head,
    /// Nonterminals of the arguments.
    pub(crate) params: Vec<u16>,
    pub(crate) result: u16,
    pub(crate) cost: u32,
    /// What an argument costs in addition where it is no constant.
    pub(crate) charges: Vec<u32>,
    pub(crate) commutative: bool,
    pub(crate) code: Code,
}

impl Production {
    /// Terms of `to` taken for terms of `from`.
    pub(crate) fn chain(from: u16, to: u16) -> Self {
        let (head, code) = (Head::Chain, Code::Chain);
        Self { head, params: vec![to], result: from, cost: 0, charges: vec![0], commutative: false, code }
    }
}

/// How the column of a node is computed.
#[derive(Debug)]
pub(crate) enum Code {
    /// A leaf: the column is that of an input.
    Input(usize),
    /// The column of the argument.
    Chain,
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
    /// Columns of constants; programs have few.
    constants: Vec<(i64, Vec<i64>)>,
}

/// What interpreting a function needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) language: &'a Language,
    pub(crate) sorts: &'a [Sort],
    /// Where the sequences lie of which columns hold the points, in order, if functions may look along them.
    pub(crate) sequences: Option<&'a Points>,
}

impl Code {
    /// Compiles a function at some sorts.
    pub(crate) fn compile(language: &Language, func: &Func, params: &[Sort]) -> Self {
        match func {
            Func::Kernel(kernel) => match Primitive::of(*kernel, params) {
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
            && let Some(primitive) = Primitive::of(kernel, params)
        {
            return Self::Primitive(primitive);
        }
        if let Some(table) = operator.table() {
            return Self::compile(language, &Func::Table(table.clone()), params);
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
        let program = Program { steps: compiler.steps, result, condition };
        program.as_primitive().map_or(Self::Program(program), Self::Primitive)
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
            Self::Input(_) => debug_assert!(false, "leaves are not computed"),
            Self::Chain => out.copy_from_slice(args[0]),
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

fn interpret(production: &Production, context: &Context<'_>, args: &[&[i64]], out: &mut [i64]) {
    let Head::Apply(func) = &production.head else { return out.fill(UNDEFINED) };
    let columns: Vec<Column> = args
        .iter()
        .zip(&production.params)
        .map(|(codes, &sort)| Column::new(context.sorts[sort as usize], codes.to_vec()))
        .collect();
    let refs: Vec<&Column> = columns.iter().collect();
    let result = match context.sequences {
        Some(points) if points.len() == out.len() => dsl::apply_in(context.language, func, &refs, points, true),
        _ => dsl::apply(context.language, func, &refs),
    };
    match result {
        Ok(column) if column.codes.len() == out.len() => out.copy_from_slice(&column.codes),
        // Without arguments, points are all the same.
        Ok(column) if args.is_empty() && column.codes.len() == 1 => out.fill(column.codes[0]),
        _ => out.fill(UNDEFINED),
    }
}

impl Program {
    /// The one loop that does the same: quotient and remainder for positive divisors are common enough to have theirs.
    fn as_primitive(&self) -> Option<Primitive> {
        let [(function, args), (test, sides)] = &self.steps[..] else { return None };
        let (Operand::Step(0), Some(Operand::Step(1))) = (self.result, self.condition) else { return None };
        let positive = |param: usize| match (test, &sides[..]) {
            (Primitive::Gt, &[Operand::Param(i), Operand::Constant(0)])
            | (Primitive::Ge, &[Operand::Param(i), Operand::Constant(1)])
            | (Primitive::Lt, &[Operand::Constant(0), Operand::Param(i)])
            | (Primitive::Le, &[Operand::Constant(1), Operand::Param(i)]) => i == param,
            _ => false,
        };
        match (function, &args[..]) {
            (Primitive::Div, [Operand::Param(0), Operand::Param(1)]) if positive(1) => Some(Primitive::DivPositive),
            (Primitive::Mod, [Operand::Param(0), Operand::Param(1)]) if positive(1) => Some(Primitive::ModPositive),
            _ => None,
        }
    }

    fn run(&self, args: &[&[i64]], scratch: &mut Scratch, out: &mut [i64]) {
        let n = out.len();
        while scratch.steps.len() < self.steps.len() {
            scratch.steps.push(Vec::new());
        }
        for operand in self.steps.iter().flat_map(|(_, operands)| operands).chain(&self.condition).chain([&self.result])
        {
            let Operand::Constant(code) = *operand else { continue };
            match scratch.constants.iter_mut().find(|(known, _)| *known == code) {
                Some((_, column)) if column.len() >= n => {}
                Some((_, column)) => column.resize(n, code),
                None => scratch.constants.push((code, vec![code; n])),
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
    constants: &'a [(i64, Vec<i64>)],
    n: usize,
) -> &'a [i64] {
    match operand {
        Operand::Param(i) => args[i],
        Operand::Step(i) => &steps[i][..n],
        Operand::Constant(code) => {
            constants.iter().find(|(known, _)| *known == code).map_or(&[], |(_, column)| &column[..n])
        }
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
                let primitive = Primitive::of(*kernel, &sorts)?;
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

#[cfg(test)]
mod tests {
    use rand::Rng as _;
    use samples::{Symbol, UNDEFINED, rng};

    use super::*;

    /// Values of a sort: small, extreme, and undefined unless everything is to have a value.
    fn random_code(sort: Sort, total: bool, rng: &mut samples::Rng) -> i64 {
        if !total && rng.random_range(0..6) == 0 {
            return UNDEFINED;
        }
        match sort {
            Sort::Bool => rng.random_range(0..2),
            Sort::Int if rng.random_range(0..8) == 0 => [i64::MAX, i64::MIN + 1, 1 << 40][rng.random_range(0..3)],
            Sort::Int => rng.random_range(-4..=4),
            Sort::BitVec(width) => {
                let top = samples::mask(width);
                ([0, 1, top, top / 2, top / 2 + 1, rng.random()][rng.random_range(0..6)] & top) as i64
            }
            Sort::Real => encode_value(Value::Real(f64::from(rng.random_range(-6..=6)) / 4.0)),
            _ => Symbol::new(["a", "b", "c"][rng.random_range(0..3)]).code(),
        }
    }

    #[test]
    fn every_operator_means_what_the_evaluator_makes_of_it() {
        let include = |name: &str| Language::shipped(name).map(str::to_owned);
        let mut rng = rng(0, "operators");
        let (mut n_compiled, mut n_interpreted) = (0, 0);
        let shipped = Language::SHIPPED.iter().map(|name| (*name, Language::shipped(name).expect("shipped")));
        let frames = ("frames", include_str!("../../../../dsl/examples/frames.dsl"));
        for (name, text) in shipped.chain([frames]) {
            let language = Language::parse(name, text, &include).expect("shipped DSLs parse");
            // What may be undefined and what never is do not meet in one language.
            let total = language.has_bit_vectors();
            let sorts = match total {
                true => vec![Sort::Bool, Sort::BitVec(if name == "frames" { 8 } else { 7 }), Sort::BitVec(64)],
                false => vec![Sort::Bool, Sort::Int, Sort::Real, Sort::Symbol],
            };
            for (id, operator) in language.operators() {
                for (params, result) in operator.instances(&sorts).into_iter().filter(|(_, r)| *r != Sort::Selector) {
                    let columns: Vec<Column> = params
                        .iter()
                        .map(|&sort| Column::new(sort, (0..300).map(|_| random_code(sort, total, &mut rng)).collect()))
                        .collect();
                    let refs: Vec<&Column> = columns.iter().collect();
                    let Ok(expected) = dsl::apply(&language, &Func::Op(id), &refs) else { continue };
                    assert_eq!(expected.sort, result, "{}", operator.name);
                    let code = Code::compile(&language, &Func::Op(id), &params);
                    match code {
                        Code::Interpreted if total => panic!("{} over {params:?} has no loop", operator.name),
                        Code::Interpreted => n_interpreted += 1,
                        _ => n_compiled += 1,
                    }
                    let indices = (0..params.len() as u16).collect();
                    let head = Head::Apply(Func::Op(id));
                    let charges = vec![0; params.len()];
                    let production =
                        Production { head, params: indices, result: 0, cost: 1, charges, commutative: false, code };
                    let inputs: Vec<&[i64]> = columns.iter().map(|column| column.codes.as_slice()).collect();
                    let mut out = vec![0; 300];
                    let context = Context { language: &language, sorts: &params, sequences: None };
                    production.code.run(&production, &context, &inputs, &mut Scratch::default(), &mut out);
                    assert_eq!(out, expected.codes, "{} over {params:?}", operator.name);
                }
            }
        }
        assert!(n_compiled > 40, "{n_compiled}");
        assert!(n_interpreted < n_compiled / 4, "{n_interpreted}");
    }
}
