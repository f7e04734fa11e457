//! How many terms are different: as they are written, up to the order of arguments, by the rules of a DSL, by their values.
//!
//! `cargo run -p synth --example rules_versus_observation` prints the table of docs/rules-versus-observation.md.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::Write as _;
use std::time::Instant;

use dsl::{Env, Func, Grammar, Language, OpId, Production, Term};
use rand::Rng as _;
use samples::{Column, Points, Sort, Symbol, Value, encode_value, rng};
use smt::Solver;
use synth::{
    Bank, BankConfig, Equalities, Known, Limits, RuleSet, SaturationLimits, SaturationStop, VerifyLimits, Watch,
    check_language,
};

/// A language cut down to one sort: what terms are made of.
struct Case {
    dsl: &'static str,
    sort: Sort,
    variables: &'static [&'static str],
    constants: Vec<Value>,
    operators: &'static [&'static str],
    /// The greatest number of atoms.
    max_size: usize,
}

/// Points at which terms are run, where there are more than so many.
const POINTS: usize = 64;

/// How far rules are applied.
const LIMITS: SaturationLimits = SaturationLimits { max_rounds: 8, max_nodes: 30_000, max_matches: 20_000 };

fn cases() -> [Case; 3] {
    let (bits, byte) = (|bits| Value::bit_vec(8, bits), Sort::BitVec(8));
    [
        Case {
            dsl: "booleans",
            sort: Sort::Bool,
            variables: &["p", "q", "r"],
            constants: Vec::new(),
            operators: &["not", "and", "or", "xor"],
            max_size: 6,
        },
        Case {
            dsl: "integers",
            sort: Sort::Int,
            variables: &["x", "y"],
            constants: vec![Value::Int(0), Value::Int(1)],
            operators: &["+", "-", "neg", "min", "max"],
            max_size: 5,
        },
        Case {
            dsl: "bitvectors",
            sort: byte,
            variables: &["x", "y"],
            constants: vec![bits(1)],
            operators: &["bvnot", "bvneg", "bvand", "bvor", "bvxor", "bvadd", "bvsub"],
            max_size: 5,
        },
    ]
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "| DSL | atoms | terms | up to order | by rules | by values | programs run | e-nodes | stop | time |"
    )?;
    writeln!(out, "|:--|--:|--:|--:|--:|--:|--:|--:|:--|--:|")?;
    for case in cases() {
        let language = Language::load_shipped(case.dsl)?;
        let reports = check_language(&language, &mut Solver::new(), &VerifyLimits::default());
        let rules = RuleSet::proved(&language, &reports);
        let space = Space::new(&case, &language)?;
        for size in 3..=case.max_size {
            let row = space.row(size, &rules)?;
            writeln!(out, "| {} | {size} | {row}", case.dsl)?;
        }
    }
    Ok(())
}

/// An operator with the number of its arguments and whether their order matters.
struct Shape {
    id: OpId,
    arity: usize,
    is_commutative: bool,
}

struct Space<'a> {
    language: &'a Language,
    case: &'a Case,
    shapes: Vec<Shape>,
    leaves: Vec<Term>,
    /// Values of the variables.
    columns: Vec<(Symbol, Column)>,
    points: Points,
}

impl<'a> Space<'a> {
    fn new(case: &'a Case, language: &'a Language) -> Result<Self, Box<dyn Error>> {
        let shape = |name: &&str| {
            let id = language.operator(name).ok_or_else(|| format!("{} has no operator {name}", case.dsl))?;
            let op = language.op(id);
            Ok::<Shape, String>(Shape { id, arity: op.params.len(), is_commutative: op.facts.commutative })
        };
        let shapes = case.operators.iter().map(shape).collect::<Result<_, _>>()?;
        let constants = case.constants.iter().map(|&value| Term::constant(value));
        let leaves = case.variables.iter().map(|&name| Term::var(name)).chain(constants).collect();
        let columns = columns(case);
        let points = Points::from_lengths([columns.first().map_or(0, |(_, column)| column.codes.len())]);
        Ok(Self { language, case, shapes, leaves, columns, points })
    }

    /// The number of terms of up to so many atoms.
    fn n_terms(&self, size: usize) -> u64 {
        let mut of_size = vec![0, self.leaves.len() as u64];
        for n in 2..=size {
            let of = |shape: &Shape| match shape.arity {
                1 => of_size[n - 1],
                _ => (1..n - 1).map(|left| of_size[left] * of_size[n - 1 - left]).sum(),
            };
            let sum = self.shapes.iter().map(of).sum();
            of_size.push(sum);
        }
        of_size.iter().sum()
    }

    /// One of all terms that differ in the order of arguments only.
    fn terms(&self, size: usize) -> Vec<Term> {
        let mut all: Vec<(usize, Term)> = self.leaves.iter().map(|leaf| (1, leaf.clone())).collect();
        for n in 2..=size {
            let mut new = Vec::new();
            for shape in &self.shapes {
                for (i, (of_left, left)) in all.iter().enumerate() {
                    if shape.arity == 1 && of_left + 1 == n {
                        new.push((n, Term::op(shape.id, vec![left.clone()])));
                    }
                    let first = if shape.is_commutative { i } else { 0 };
                    let rights =
                        all.iter().skip(first).filter(|(of_right, _)| shape.arity == 2 && of_left + of_right + 1 == n);
                    new.extend(rights.map(|(_, right)| (n, Term::op(shape.id, vec![left.clone(), right.clone()]))));
                }
            }
            all.extend(new);
        }
        all.into_iter().map(|(_, term)| term).collect()
    }

    fn row(&self, size: usize, rules: &RuleSet) -> Result<String, Box<dyn Error>> {
        let terms = self.terms(size);
        let values = terms.iter().map(|term| self.values(term)).collect::<Result<Vec<_>, _>>()?;
        let n_observed = values.iter().collect::<BTreeSet<_>>().len();
        let start = Instant::now();
        let (n_candidates, n_bank) = self.bank(size)?;
        let of_bank = start.elapsed().as_secs_f64();
        if n_bank != n_observed {
            return Err(format!("the bank has {n_bank} classes, but there are {n_observed}").into());
        }
        let start = Instant::now();
        let known: Vec<Known> = self.columns.iter().map(|(name, _)| Known::input(*name, self.case.sort)).collect();
        let mut store = Equalities::new(self.language, rules, &known);
        let ids: Vec<_> = terms.iter().map(|term| store.add(term)).collect();
        let stop = match store.saturate(&LIMITS) {
            SaturationStop::Saturated => "saturated",
            SaturationStop::Rounds => "rounds",
            SaturationStop::Nodes => "nodes",
        };
        let of_store = start.elapsed().as_secs_f64();
        let mut classes = BTreeMap::new();
        for (term, (&id, values)) in terms.iter().zip(ids.iter().zip(&values)) {
            if *classes.entry(store.class(id)).or_insert(values) != values {
                let text = dsl::print(term, self.language);
                return Err(format!("the rules merge {text} with a term of other values").into());
            }
        }
        let ratio = of_store / of_bank.max(1e-6);
        let (n_terms, n_ordered, n_rules, n_nodes) = (self.n_terms(size), terms.len(), classes.len(), store.n_nodes());
        Ok(format!(
            "{n_terms} | {n_ordered} | {n_rules} | {n_observed} | {n_candidates} | {n_nodes} | {stop} | {ratio:.0} |"
        ))
    }

    fn values(&self, term: &Term) -> Result<Vec<i64>, dsl::EvalError> {
        let env = Env { language: self.language, points: &self.points, vars: &self.columns, causal: false };
        Ok(dsl::eval(term, &env)?.codes)
    }

    /// The programs that a bank runs and the classes that it finds, with atoms for costs.
    fn bank(&self, size: usize) -> Result<(u64, usize), Box<dyn Error>> {
        let mut grammar = Grammar::default();
        let start = grammar.add("start", self.case.sort);
        for leaf in &self.leaves {
            grammar.push(start, Production::Leaf { term: leaf.clone(), cost: 1 })?;
        }
        for shape in &self.shapes {
            let (func, args) = (Func::Op(shape.id), vec![start; shape.arity]);
            grammar.push(start, Production::Apply { func, args, cost: 1 })?;
        }
        let mut bank = Bank::new(self.language, &BankConfig::from_grammar(grammar, self.columns.clone()))?;
        bank.run(&Limits::new(u32::try_from(size)?), &mut |_| Watch::Keep);
        Ok((bank.n_candidates(), bank.len()))
    }
}

/// All inputs where they are few, else random ones.
fn columns(case: &Case) -> Vec<(Symbol, Column)> {
    let mut rng = rng(0, "rules versus observation");
    let n_points = if case.sort == Sort::Bool { 1 << case.variables.len() } else { POINTS };
    let mut value = |variable: usize, point: usize| match case.sort {
        Sort::Bool => Value::Bool(point >> variable & 1 == 1),
        Sort::BitVec(width) => Value::bit_vec(width, rng.random()),
        _ => Value::Int(rng.random_range(-99..=99)),
    };
    let mut column = |variable: usize| {
        let codes = (0..n_points).map(|point| encode_value(value(variable, point))).collect();
        Column::new(case.sort, codes)
    };
    case.variables.iter().enumerate().map(|(i, &name)| (Symbol::new(name), column(i))).collect()
}
