//! What a specification asks at points: which values a function may have where it is applied.
//!
//! Constraints are split into conjuncts; a *valuation* gives values to the universal variables of one, and each application
//! of a function in it becomes a *point* of that function, with the arguments' values. Where a conjunct applies one
//! function once, every valuation says which values are right at its point.

use dsl::{Env, Func, Kernel, Language, Node, Term};
use rustc_hash::{FxHashMap, FxHashSet};
use samples::{Column, Points as Batch, Sort, Symbol};

use crate::accept::Shape;
use crate::problem::{Application, Problem};
use crate::theory;
use crate::values::Values;

/// Conjuncts that all speak of one function, each of one application.
#[derive(Debug)]
pub(crate) struct Pointwise<'p> {
    pub(crate) problem: &'p Problem,
    pub(crate) function: usize,
    /// The conjuncts as formulas.
    pub(crate) formulas: Vec<Term>,
    conjuncts: Vec<Conjunct>,
    /// Points by their arguments.
    index: FxHashMap<Vec<i64>, usize>,
    /// The value of each parameter at each point.
    pub(crate) columns: Vec<Column>,
    /// The values that are right at each point.
    pub(crate) accept: Vec<Values>,
    seen: FxHashSet<(usize, Vec<i64>)>,
}

/// A conjunct with its application.
#[derive(Debug)]
struct Conjunct {
    /// Variables that it mentions, by index.
    variables: Vec<usize>,
    shape: Shape,
    /// Terms over the variables: the arguments of the application, then the columns of the shape.
    terms: Vec<Term>,
    n_args: usize,
}

/// The conjuncts of formulas, `and`s taken apart.
pub(crate) fn conjuncts(formulas: &[Term]) -> Vec<Term> {
    let mut out = Vec::new();
    let mut stack: Vec<Term> = formulas.iter().rev().cloned().collect();
    while let Some(term) = stack.pop() {
        match term.node() {
            Node::App(Func::Kernel(Kernel::And), args) => stack.extend(args.iter().rev().cloned()),
            _ => out.push(term),
        }
    }
    out
}

/// The names of variables and applications that a term mentions, in order of occurrence.
pub(crate) fn names(term: &Term) -> Vec<Symbol> {
    let (mut out, mut seen) = (Vec::new(), FxHashSet::default());
    let mut stack = vec![term.clone()];
    while let Some(term) = stack.pop() {
        if !seen.insert(term.address()) {
            continue;
        }
        match term.node() {
            Node::Var(name) if !out.contains(name) => out.push(*name),
            Node::App(_, args) => stack.extend(args.iter().rev().cloned()),
            _ => {}
        }
    }
    out
}

impl<'p> Pointwise<'p> {
    /// The specification of one function; `None` if its conjuncts tie several applications together, or are not
    /// understood point by point.
    pub(crate) fn new(problem: &'p Problem, function: usize, formulas: &[Term]) -> Option<Self> {
        let conjuncts = formulas.iter().map(|formula| Conjunct::new(problem, formula)).collect::<Option<Vec<_>>>()?;
        let columns =
            problem.functions[function].params.iter().map(|(_, sort)| Column::new(*sort, Vec::new())).collect();
        let (index, seen) = (FxHashMap::default(), FxHashSet::default());
        let formulas = formulas.to_vec();
        Some(Self { problem, function, formulas, conjuncts, index, columns, accept: Vec::new(), seen })
    }

    pub(crate) fn sort(&self) -> Sort {
        self.problem.functions[self.function].sort
    }

    pub(crate) fn n_points(&self) -> usize {
        self.accept.len()
    }

    /// The variables that any conjunct mentions.
    pub(crate) fn variables(&self) -> Vec<(Symbol, Sort)> {
        let mentioned = |index: &usize| self.conjuncts.iter().any(|conjunct| conjunct.variables.contains(index));
        (0..self.problem.variables.len()).filter(mentioned).map(|index| self.problem.variables[index]).collect()
    }

    /// Adds what the conjuncts say at valuations of all of the problem's variables. Returns the points that are new or at
    /// which fewer values are right than before; `None` if a conjunct is not understood there.
    pub(crate) fn add(&mut self, valuations: &[Vec<i64>]) -> Option<Vec<usize>> {
        let mut changed = Vec::new();
        let sort = self.sort();
        for number in 0..self.conjuncts.len() {
            let conjunct = &self.conjuncts[number];
            let mut rows: Vec<&Vec<i64>> = Vec::new();
            for valuation in valuations {
                let own: Vec<i64> = conjunct.variables.iter().map(|&v| valuation[v]).collect();
                if self.seen.insert((number, own)) {
                    rows.push(valuation);
                }
            }
            if rows.is_empty() {
                continue;
            }
            let columns = conjunct.evaluate(self.problem, &rows)?;
            for row in 0..rows.len() {
                let args: Vec<i64> = columns[..conjunct.n_args].iter().map(|column| column.codes[row]).collect();
                // Where an argument or a condition leaves 64 bits, evaluation says nothing.
                if columns.iter().any(|column| column.sort.is_undefined(column.codes[row])) {
                    continue;
                }
                let codes = |index: usize| columns[conjunct.n_args + index].codes[row];
                let values = conjunct.shape.solve(sort, &codes)?;
                let point = match self.index.get(&args) {
                    Some(&point) => point,
                    None => {
                        let point = self.accept.len();
                        for (column, &code) in self.columns.iter_mut().zip(&args) {
                            column.codes.push(code);
                        }
                        self.accept.push(Values::all(sort));
                        self.index.insert(args, point);
                        point
                    }
                };
                let narrowed = self.accept[point].intersect(&values);
                if narrowed != self.accept[point] {
                    self.accept[point] = narrowed;
                    changed.push(point);
                }
            }
        }
        changed.sort_unstable();
        changed.dedup();
        Some(changed)
    }

    /// The columns of the parameters at some of the points.
    pub(crate) fn columns_at(&self, points: &[usize]) -> Vec<Column> {
        self.columns.iter().map(|column| column.select(points)).collect()
    }

    /// A point at which a value is asked for that no term can have.
    pub(crate) fn contradiction(&self) -> Option<usize> {
        self.accept.iter().position(Values::is_empty)
    }

    /// The values of terms over the parameters and the function's named constants at points.
    pub(crate) fn evaluate(&self, term: &Term, columns: &[Column]) -> Option<Column> {
        let function = &self.problem.functions[self.function];
        let n = columns.first().map_or(1, Column::n_points);
        evaluate(term, &self.problem.language, &function.bindings(columns, n), n)
    }
}

/// Terms over a function's parameters that formulas compare it with, or test: what a solution may well be made of.
pub(crate) fn hints(problem: &Problem, function: usize, formulas: &[Term]) -> Vec<Term> {
    let mut hints: Vec<Term> = Vec::new();
    for formula in formulas {
        let used = names(formula);
        let is_own = |own: &&Application| own.function == function && used.contains(&own.name);
        for application in problem.applications.iter().filter(is_own) {
            let mut params: FxHashMap<Symbol, Term> = FxHashMap::default();
            for (arg, (param, _)) in application.args.iter().zip(&problem.functions[function].params) {
                if let Node::Var(name) = arg.node() {
                    params.insert(*name, Term::var(*param));
                }
            }
            collect_hints(formula, &params, &mut hints);
        }
    }
    hints
}

/// All subterms that can be written over the parameters.
fn collect_hints(formula: &Term, params: &FxHashMap<Symbol, Term>, hints: &mut Vec<Term>) {
    /// Enough for any formula that a person wrote.
    const HINT_LIMIT: usize = 400;
    /// Larger terms are no part of a small solution.
    const HINT_SIZE: u64 = 300;
    let mut seen = FxHashSet::default();
    let mut stack = vec![formula.clone()];
    while let Some(term) = stack.pop() {
        if hints.len() >= HINT_LIMIT || !seen.insert(term.address()) {
            continue;
        }
        let Node::App(_, args) = term.node() else { continue };
        if theory::tree_size(&term) <= HINT_SIZE && names(&term).iter().all(|name| params.contains_key(name)) {
            let own = term.substitute(&|name| params.get(&name).cloned());
            if !hints.contains(&own) {
                hints.push(own);
            }
        }
        stack.extend(args.iter().rev().cloned());
    }
}

/// The values of a term.
pub(crate) fn evaluate(term: &Term, language: &Language, vars: &[(Symbol, Column)], n: usize) -> Option<Column> {
    let points = Batch::from_lengths(std::iter::repeat_n(1, n));
    dsl::eval(term, &Env { language, points: &points, vars, causal: false }).ok()
}

impl Conjunct {
    fn new(problem: &Problem, formula: &Term) -> Option<Self> {
        let used = names(formula);
        let mut applications = problem.applications.iter().filter(|own| used.contains(&own.name));
        let (Some(application), None) = (applications.next(), applications.next()) else { return None };
        let mut mentioned = used.clone();
        mentioned.extend(application.args.iter().flat_map(names));
        let is_application = |name: &Symbol| problem.applications.iter().any(|own| own.name == *name);
        if mentioned.iter().any(|name| is_application(name) && *name != application.name) {
            return None;
        }
        let indices = (0..problem.variables.len()).filter(|&v| mentioned.contains(&problem.variables[v].0));
        let sorts = sorts(problem);
        let sort_of = |term: &Term| dsl::sort_of(term, &problem.language, &sorts).unwrap_or(Sort::Int);
        let mut columns = Vec::new();
        let shape = Shape::new(formula, application.name, &sort_of, &mut columns)?;
        let mut terms = application.args.clone();
        let n_args = terms.len();
        terms.extend(columns);
        Some(Self { variables: indices.collect(), shape, terms, n_args })
    }

    fn evaluate(&self, problem: &Problem, rows: &[&Vec<i64>]) -> Option<Vec<Column>> {
        let column = |v: &usize| {
            let (name, sort) = problem.variables[*v];
            (name, Column::new(sort, rows.iter().map(|row| row[*v]).collect()))
        };
        let vars: Vec<(Symbol, Column)> = self.variables.iter().map(column).collect();
        self.terms.iter().map(|term| evaluate(term, &problem.language, &vars, rows.len())).collect()
    }
}

/// The sorts of variables and applications.
pub(crate) fn sorts(problem: &Problem) -> Vec<(Symbol, Sort)> {
    let applications = problem.applications.iter().map(|own| (own.name, problem.functions[own.function].sort));
    problem.variables.iter().copied().chain(applications).collect()
}
