//! From terms to tapes.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use samples::{Sort, Symbol, encode_value};

use crate::infer::{after, value_sort};
use crate::kernel::Kernel;
use crate::language::Language;
use crate::term::{Func, Node, Scan, Table, Term};

use super::EvalError;

/// The column that an instruction of a tape computes.
pub(super) type Reg = usize;

/// One step of a tape: one column.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Instr {
    /// A column from outside.
    Input(usize),
    /// One code everywhere.
    Const(Sort, i64),
    Kernel(Kernel, Vec<Reg>),
    /// A finite function, by its index on the tape.
    Table(usize, Vec<Reg>),
    /// The second where the first is true, else undefined.
    Guard(Reg, Reg),
    /// Key, query, and the predicate by its index on the tape.
    Select(Reg, Reg, usize),
    /// A scan by its index on the tape, and which of its outputs.
    Scan(usize, usize),
}

/// Instructions in an order in which every one comes after those it reads.
#[derive(Default)]
pub(super) struct Tape {
    pub(super) instrs: Vec<Instr>,
    pub(super) tables: Vec<Lookup>,
    pub(super) preds: Vec<Pred>,
    pub(super) scans: Vec<ScanPlan>,
    pub(super) outputs: Vec<Reg>,
}

impl Tape {
    /// Whether an input is read.
    pub(super) fn reads(&self, input: usize) -> bool {
        self.instrs.contains(&Instr::Input(input))
    }
}

/// A finite function on codes.
pub(super) struct Lookup {
    pub(super) result: Sort,
    pub(super) one: FxHashMap<i64, i64>,
    pub(super) two: FxHashMap<(i64, i64), i64>,
    pub(super) more: FxHashMap<Vec<i64>, i64>,
    pub(super) arity: usize,
    source: Arc<Table>,
}

impl Lookup {
    fn new(table: &Arc<Table>) -> Self {
        let arity = table.params.len();
        let mut lookup = Self {
            result: table.result,
            one: FxHashMap::default(),
            two: FxHashMap::default(),
            more: FxHashMap::default(),
            arity,
            source: table.clone(),
        };
        for (keys, value) in &table.entries {
            let keys: Vec<i64> = keys.iter().map(|key| encode_value(*key)).collect();
            let value = encode_value(*value);
            match keys[..] {
                [a] => drop(lookup.one.entry(a).or_insert(value)),
                [a, b] => drop(lookup.two.entry((a, b)).or_insert(value)),
                _ => drop(lookup.more.entry(keys).or_insert(value)),
            }
        }
        lookup
    }
}

/// The predicate of a select.
pub(super) enum Pred {
    /// A comparison of key and query.
    Compare(Kernel),
    /// A tape with key and query as inputs.
    Tape(Tape),
}

/// A scan: a tape for one step, and one for the outputs at all steps.
pub(super) struct ScanPlan {
    /// Sort and code of every initial value.
    pub(super) inits: Vec<(Sort, i64)>,
    /// Inputs: states, then imports.
    pub(super) step: Tape,
    pub(super) step_imports: Vec<Reg>,
    /// Inputs: states before, states after, then imports.
    pub(super) output: Tape,
    pub(super) output_imports: Vec<Reg>,
}

/// Where a value is: on the tape outside (0) or inside (1) of the scan that is being compiled.
#[derive(Clone, Copy)]
pub(super) struct Loc {
    depth: usize,
    reg: Reg,
}

#[derive(Default)]
struct Builder {
    tape: Tape,
    known: FxHashMap<Instr, Reg>,
    n_fixed: usize,
    imports: Vec<Reg>,
}

impl Builder {
    fn emit(&mut self, instr: Instr) -> Reg {
        if let Some(&reg) = self.known.get(&instr) {
            return reg;
        }
        self.tape.instrs.push(instr.clone());
        let reg = self.tape.instrs.len() - 1;
        self.known.insert(instr, reg);
        reg
    }
}

pub(super) struct Compiler<'a> {
    language: &'a Language,
    builders: Vec<Builder>,
    scope: Vec<(Symbol, Loc)>,
    /// By address; one frame per binder, since names mean something else under it.
    memo: Vec<FxHashMap<usize, Loc>>,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(language: &'a Language, vars: impl IntoIterator<Item = Symbol>) -> Self {
        let mut compiler =
            Self { language, builders: vec![Builder::default()], scope: Vec::new(), memo: vec![FxHashMap::default()] };
        for (i, name) in vars.into_iter().enumerate() {
            let reg = compiler.builders[0].emit(Instr::Input(i));
            compiler.scope.push((name, Loc { depth: 0, reg }));
        }
        compiler
    }

    /// A function of as many inputs as it has arguments.
    pub(super) fn function(language: &'a Language, func: &Func, n_args: usize) -> Result<Tape, EvalError> {
        let mut compiler = Self::new(language, []);
        let args = (0..n_args).map(|i| Loc { depth: 0, reg: compiler.builders[0].emit(Instr::Input(i)) }).collect();
        let output = compiler.call(func, args)?;
        Ok(compiler.finish(&[output]))
    }

    /// A selection by a predicate of the two inputs.
    pub(super) fn selection(language: &'a Language, pred: &Func) -> Result<Tape, EvalError> {
        let mut compiler = Self::new(language, []);
        let [key, query] = [0, 1].map(|i| compiler.builders[0].emit(Instr::Input(i)));
        let pred = compiler.pred(pred)?;
        let reg = compiler.builders[0].emit(Instr::Select(key, query, pred));
        Ok(compiler.finish(&[Loc { depth: 0, reg }]))
    }

    /// The tape, once everything is compiled.
    pub(super) fn finish(mut self, outputs: &[Loc]) -> Tape {
        let mut tape = self.builders.swap_remove(0).tape;
        tape.outputs = outputs.iter().map(|loc| loc.reg).collect();
        tape
    }

    /// The outputs of a program.
    pub(super) fn program(&mut self, term: &Term) -> Result<Vec<Loc>, EvalError> {
        match term.node() {
            Node::Scan(scan) => self.scan(scan),
            Node::Let(bindings, body) => self.under(|compiler| {
                compiler.bindings(bindings)?;
                compiler.program(body)
            }),
            _ => Ok(vec![self.term(term)?]),
        }
    }

    fn under<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T, EvalError>) -> Result<T, EvalError> {
        let depth = self.scope.len();
        self.memo.push(FxHashMap::default());
        let result = run(self);
        self.memo.pop();
        self.scope.truncate(depth);
        result
    }

    fn bindings(&mut self, bindings: &[(Symbol, Term)]) -> Result<(), EvalError> {
        for (name, value) in bindings {
            let loc = self.term(value)?;
            // A binding that hides a name changes what memoised terms mean.
            if self.scope.iter().any(|(other, _)| other == name)
                && let Some(frame) = self.memo.last_mut()
            {
                frame.clear();
            }
            self.scope.push((*name, loc));
        }
        Ok(())
    }

    fn term(&mut self, term: &Term) -> Result<Loc, EvalError> {
        let address = term.address();
        if let Some(&loc) = self.memo.last().and_then(|frame| frame.get(&address)) {
            return Ok(loc);
        }
        let loc = self.node(term)?;
        if let Some(frame) = self.memo.last_mut() {
            frame.insert(address, loc);
        }
        Ok(loc)
    }

    fn node(&mut self, term: &Term) -> Result<Loc, EvalError> {
        match term.node() {
            Node::Var(name) => {
                let found = self.scope.iter().rev().find(|(other, _)| other == name);
                found.map(|(_, loc)| *loc).ok_or(EvalError::Unbound(*name))
            }
            Node::Const(value) => {
                let instr = Instr::Const(value_sort(*value), encode_value(*value));
                Ok(Loc { depth: 0, reg: self.builders[0].emit(instr) })
            }
            Node::App(func, args) => {
                let args = args.iter().map(|arg| self.term(arg)).collect::<Result<Vec<Loc>, EvalError>>()?;
                self.call(func, args)
            }
            Node::Let(bindings, body) => self.under(|compiler| {
                compiler.bindings(bindings)?;
                compiler.term(body)
            }),
            Node::Scan(scan) => match self.scan(scan)?[..] {
                [loc] => Ok(loc),
                ref outputs => Err(EvalError::Outputs(outputs.len())),
            },
            Node::Select { key, query, pred } => {
                let (key, query) = (self.term(key)?, self.term(query)?);
                if key.depth + query.depth > 0 {
                    return Err(EvalError::NotPointwise("select".into()));
                }
                let pred = self.pred(pred)?;
                Ok(Loc { depth: 0, reg: self.builders[0].emit(Instr::Select(key.reg, query.reg, pred)) })
            }
        }
    }

    fn pred(&mut self, pred: &Func) -> Result<usize, EvalError> {
        use Kernel::{Distinct, Eq, Ge, Gt, Le, Lt};
        let kernel = super::direct(self.language, pred)?;
        let compiled = match kernel {
            Some(kernel @ (Eq | Distinct | Lt | Le | Gt | Ge)) => Pred::Compare(kernel),
            _ => Pred::Tape(Self::function(self.language, pred, 2)?),
        };
        let preds = &mut self.builders[0].tape.preds;
        preds.push(compiled);
        Ok(preds.len() - 1)
    }

    /// The register of a value on the tape of `depth`.
    fn at(&mut self, loc: Loc, depth: usize) -> Reg {
        if loc.depth == depth {
            return loc.reg;
        }
        if let constant @ Instr::Const(..) = self.builders[loc.depth].tape.instrs[loc.reg].clone() {
            return self.builders[depth].emit(constant);
        }
        let builder = &mut self.builders[depth];
        let index = builder.imports.iter().position(|&reg| reg == loc.reg).unwrap_or_else(|| {
            builder.imports.push(loc.reg);
            builder.imports.len() - 1
        });
        builder.emit(Instr::Input(builder.n_fixed + index))
    }

    fn call(&mut self, func: &Func, args: Vec<Loc>) -> Result<Loc, EvalError> {
        let depth = args.iter().map(|arg| arg.depth).max().unwrap_or(0);
        match func {
            Func::Kernel(kernel) => {
                if args.len() != kernel.arity() {
                    let (func, expected) = (kernel.name().to_owned(), kernel.arity());
                    return Err(EvalError::Arity { func, expected, found: args.len() });
                }
                if depth > 0 && !kernel.is_pointwise() {
                    return Err(EvalError::NotPointwise(kernel.name().into()));
                }
                let regs = args.iter().map(|&arg| self.at(arg, depth)).collect();
                Ok(Loc { depth, reg: self.builders[depth].emit(Instr::Kernel(*kernel, regs)) })
            }
            Func::Table(table) => {
                if args.len() != table.params.len() {
                    let (func, expected) = (table.name.to_string(), table.params.len());
                    return Err(EvalError::Arity { func, expected, found: args.len() });
                }
                let regs = args.iter().map(|&arg| self.at(arg, depth)).collect();
                let builder = &mut self.builders[depth];
                let known = builder.tape.tables.iter().position(|lookup| Arc::ptr_eq(&lookup.source, table));
                let index = known.unwrap_or_else(|| {
                    builder.tape.tables.push(Lookup::new(table));
                    builder.tape.tables.len() - 1
                });
                Ok(Loc { depth, reg: builder.emit(Instr::Table(index, regs)) })
            }
            Func::Lambda(params, body) => self.inline(params.iter().copied(), args, body, None, "lambda"),
            Func::Op(id) => {
                if let Some(kernel) = super::direct(self.language, func)? {
                    return self.call(&Func::Kernel(kernel), args);
                }
                let language = self.language;
                let operator = language.op(*id);
                let params = operator.params.iter().map(|(name, _)| *name);
                let condition = operator.condition.as_ref();
                self.inline(params, args, &operator.meaning, condition, operator.name.as_str())
            }
        }
    }

    /// A body over parameters; undefined unless the condition is true.
    fn inline(
        &mut self,
        params: impl ExactSizeIterator<Item = Symbol>,
        args: Vec<Loc>,
        body: &Term,
        condition: Option<&Term>,
        name: &str,
    ) -> Result<Loc, EvalError> {
        if params.len() != args.len() {
            return Err(EvalError::Arity { func: name.to_owned(), expected: params.len(), found: args.len() });
        }
        let outer = std::mem::replace(&mut self.scope, params.zip(args).collect());
        self.memo.push(FxHashMap::default());
        let result = self.guarded(body, condition);
        self.memo.pop();
        self.scope = outer;
        result
    }

    fn guarded(&mut self, body: &Term, condition: Option<&Term>) -> Result<Loc, EvalError> {
        let value = self.term(body)?;
        let Some(condition) = condition else { return Ok(value) };
        let condition = self.term(condition)?;
        let depth = value.depth.max(condition.depth);
        let (condition, value) = (self.at(condition, depth), self.at(value, depth));
        Ok(Loc { depth, reg: self.builders[depth].emit(Instr::Guard(condition, value)) })
    }

    fn scan(&mut self, scan: &Scan) -> Result<Vec<Loc>, EvalError> {
        // A scan within a scan sees what the outer one sees, not its state.
        let enclosing = self.builders.split_off(1);
        let outer = self.scope.clone();
        self.scope.retain(|(_, loc)| loc.depth == 0);
        let result = self.plan(scan);
        self.scope = outer;
        self.builders.truncate(1);
        self.builders.extend(enclosing);
        let plan = result?;
        let builder = &mut self.builders[0];
        builder.tape.scans.push(plan);
        let index = builder.tape.scans.len() - 1;
        let output = |k| Loc { depth: 0, reg: builder.emit(Instr::Scan(index, k)) };
        Ok((0..scan.outputs.len()).map(output).collect())
    }

    fn plan(&mut self, scan: &Scan) -> Result<ScanPlan, EvalError> {
        let names: Vec<Symbol> = scan.states.iter().map(|(name, _, _)| *name).collect();
        let updates: Vec<&Term> = scan.states.iter().map(|(_, _, update)| update).collect();
        let (step, step_imports) = self.inside(&names, &updates)?;
        let both: Vec<Symbol> = names.iter().copied().chain(names.iter().map(|&name| after(name))).collect();
        let (output, output_imports) = self.inside(&both, &scan.outputs.iter().collect::<Vec<_>>())?;
        let inits = scan.states.iter().map(|(_, init, _)| (value_sort(*init), encode_value(*init))).collect();
        Ok(ScanPlan { inits, step, step_imports, output, output_imports })
    }

    /// A tape whose first inputs are the names given; further inputs are what it imports.
    fn inside(&mut self, names: &[Symbol], terms: &[&Term]) -> Result<(Tape, Vec<Reg>), EvalError> {
        self.builders.push(Builder { n_fixed: names.len(), ..Builder::default() });
        let outputs = self.under(|compiler| {
            for (i, name) in names.iter().enumerate() {
                let reg = compiler.builders[1].emit(Instr::Input(i));
                compiler.scope.push((*name, Loc { depth: 1, reg }));
            }
            terms
                .iter()
                .map(|term| {
                    let loc = compiler.term(term)?;
                    Ok(compiler.at(loc, 1))
                })
                .collect::<Result<Vec<Reg>, EvalError>>()
        });
        let builder = self.builders.pop().unwrap_or_default();
        let mut tape = builder.tape;
        tape.outputs = outputs?;
        Ok((tape, builder.imports))
    }
}
