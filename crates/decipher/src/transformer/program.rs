//! The graph of variables as a program: selects, counts, copies, means and look-ups of tables.

use std::sync::Arc;

use dsl::{Form, Func, Kernel, Language, Node, OpId, Table, Term};
use samples::{Sort, Symbol, Value, encode_value};

use super::labels::{Labels, sort_of_values};
use super::variables::{Dag, Origin, Select, VarId};

/// A term for each variable of the graph, and for the output.
pub(super) struct Program {
    /// The whole program.
    pub(super) term: Term,
    /// Its subterms with the variables that should carry them; no names of the program's `let` occur in these.
    pub(super) parts: Vec<Part>,
}

/// A subterm of a program.
pub(super) struct Part {
    /// The variable whose carrier should carry it.
    pub(super) variable: VarId,
    /// A term over the program's inputs alone.
    pub(super) term: Term,
    /// Whether it is the variable's own term, and not only what a reader makes of it.
    pub(super) own: bool,
}

/// A select: key, query and predicate.
pub(super) type Selection = (Term, Term, Func);

/// What a variable's term is replaced by, where something shorter than a table was found: over the names of natural
/// variables (see [`Printer::name`]).
#[derive(Clone, Default)]
pub(super) struct Expressions {
    /// Per variable: a term over names of other variables.
    pub(super) maps: Vec<Option<Term>>,
    /// Per variable with a select: the comparisons that must all hold.
    pub(super) selects: Vec<Option<Vec<Selection>>>,
    /// Per variable that takes a mean: the number averaged.
    pub(super) numbers: Vec<Option<Term>>,
    /// The output.
    pub(super) readout: Option<Term>,
}

/// The name by which an expression refers to a variable.
pub(super) fn name(id: VarId) -> Symbol {
    Symbol::new(&format!("v{id}"))
}

/// Writes the graph as a program of the language; `None` where the language lacks what it takes.
pub(super) fn program(dag: &Dag, labels: &Labels, language: &Language, found: &Expressions) -> Option<Program> {
    let mut printer = Printer {
        dag,
        labels,
        language,
        found,
        terms: vec![None; dag.variables.len()],
        counts: vec![0; dag.variables.len()],
        n_tables: 0,
    };
    let readout = printer.readout()?;
    Some(printer.finish(&readout))
}

struct Printer<'a> {
    dag: &'a Dag,
    labels: &'a Labels,
    language: &'a Language,
    found: &'a Expressions,
    /// The term of each variable over the names of others, once it is needed.
    terms: Vec<Option<Term>>,
    /// How often each name occurs.
    counts: Vec<usize>,
    n_tables: usize,
}

impl Printer<'_> {
    fn op(&self, kernel: Kernel) -> Option<OpId> {
        self.language.kernel_operator(kernel)
    }

    fn table(&mut self, params: Vec<Sort>, result: Sort, entries: Vec<(Vec<Value>, Value)>) -> Option<Func> {
        if !self.language.has_form(Form::Table) {
            return None;
        }
        let name = Symbol::new(&format!("t{}", self.n_tables));
        self.n_tables += 1;
        Some(Func::Table(Arc::new(Table { name, params, result, entries })))
    }

    /// A reference to a variable; its term is made when it is first referred to.
    fn refer(&mut self, id: VarId) -> Option<Term> {
        match &self.dag.variables[id].origin {
            Origin::Token => return Some(Term::var("tokens")),
            Origin::Position => return Some(Term::var("indices")),
            _ => {}
        }
        self.counts[id] += 1;
        if self.terms[id].is_none() {
            let term = self.variable(id)?;
            self.terms[id] = Some(term);
        }
        Some(Term::var(name(id)))
    }

    /// Makes the terms of what an expression refers to, and renames tokens and indices.
    fn adopt(&mut self, term: &Term) -> Option<Term> {
        for variable in variables_of(term) {
            let id = variable.as_str().strip_prefix('v').and_then(|digits| digits.parse::<VarId>().ok());
            if let Some(id) = id.filter(|&id| id < self.dag.variables.len()) {
                self.refer(id)?;
            }
        }
        Some(term.clone())
    }

    fn variable(&mut self, id: VarId) -> Option<Term> {
        let dag = self.dag;
        let variable = &dag.variables[id];
        if let Some(term) = self.found.maps.get(id).and_then(Option::as_ref) {
            return self.adopt(term);
        }
        match &variable.origin {
            Origin::Token => Some(Term::var("tokens")),
            Origin::Position => Some(Term::var("indices")),
            Origin::Width { select, exists } => {
                let selector = self.select(id, select)?;
                let width = Term::op(self.op(Kernel::Width)?, vec![selector]);
                if !exists {
                    return Some(width);
                }
                match self.op(Kernel::Lt) {
                    Some(less) => Some(Term::op(less, vec![Term::int(0), width])),
                    None => {
                        let longest = self.dag.sequences.iter().map(|range| range.len()).max().unwrap_or(0);
                        let entry = |n: usize| (vec![Value::Int(n as i64)], Value::Bool(n > 0));
                        let table = self.table(vec![Sort::Int], Sort::Bool, (0..=longest).map(entry).collect())?;
                        Some(Term::app(table, vec![width]))
                    }
                }
            }
            Origin::Copy { select, value } => {
                let selector = self.select(id, select)?;
                let value = self.refer(*value)?;
                Some(Term::op(self.op(Kernel::Copy)?, vec![selector, value]))
            }
            Origin::Mean { select, value, numbers, .. } => {
                let selector = self.select(id, select)?;
                let averaged = match self.found.numbers.get(id).and_then(Option::as_ref) {
                    Some(term) => self.adopt(term)?,
                    None => self.numbers(*value, numbers)?,
                };
                Some(Term::op(self.op(Kernel::Mean)?, vec![selector, averaged]))
            }
            Origin::Map { inputs, table } => {
                let mut tuples: Vec<(&Vec<u32>, &u32)> = table.iter().collect();
                tuples.sort();
                let entries = tuples
                    .into_iter()
                    .map(|(tuple, &class)| (tuple.clone(), self.labels[id][class as usize]))
                    .collect();
                self.look_up(inputs, entries, sort_of_values(&self.labels[id]))
            }
        }
    }

    /// A table applied to variables; entries are tuples of classes with values.
    fn look_up(&mut self, inputs: &[VarId], entries: Vec<(Vec<u32>, Value)>, result: Sort) -> Option<Term> {
        let labels = self.labels;
        if inputs.is_empty() {
            return Some(Term::constant(entries.first()?.1));
        }
        if let [input] = inputs
            && entries.iter().all(|(tuple, value)| same_value(labels[*input][tuple[0] as usize], *value))
        {
            return self.refer(*input);
        }
        let value_of = |tuple: &[u32]| -> Vec<Value> {
            inputs.iter().zip(tuple).map(|(&id, &class)| labels[id][class as usize]).collect()
        };
        let mut seen = rustc_hash::FxHashSet::default();
        let mut listed = Vec::new();
        for (tuple, value) in entries {
            let key = value_of(&tuple);
            // Classes that no label tells apart do not differ for any reader.
            if value != Value::Undefined && seen.insert(key.iter().map(|&v| encode_value(v)).collect::<Vec<_>>()) {
                listed.push((key, coerced(value, result)));
            }
        }
        let params = inputs.iter().map(|&id| sort_of_values(&labels[id])).collect();
        let table = self.table(params, result, listed)?;
        let args = inputs.iter().map(|&id| self.refer(id)).collect::<Option<Vec<_>>>()?;
        Some(Term::app(table, args))
    }

    /// The number that belongs to each class of a variable.
    fn numbers(&mut self, value: VarId, numbers: &[f64]) -> Option<Term> {
        let values: Vec<Value> = numbers.iter().map(|&n| super::labels::number(n)).collect();
        let result = sort_of_values(&values);
        let entries = values.into_iter().enumerate().map(|(class, value)| (vec![class as u32], value)).collect();
        self.look_up(&[value], entries, result)
    }

    fn select(&mut self, id: VarId, select: &Select) -> Option<Term> {
        if let Some(all) = self.found.selects.get(id).and_then(Option::as_ref) {
            let mut selector: Option<Term> = None;
            for (key, query, pred) in all {
                let (key, query) = (self.adopt(key)?, self.adopt(query)?);
                let next = Term::new(Node::Select { key, query, pred: pred.clone() });
                selector = Some(match selector {
                    None => next,
                    Some(before) => Term::op(self.op(Kernel::SelAnd)?, vec![before, next]),
                });
            }
            return selector;
        }
        let all = |value: bool| select.table.iter().flatten().all(|&chosen| chosen == value);
        if all(true) || all(false) {
            let eq = self.op(Kernel::Eq)?;
            let (key, query) = (Term::int(0), Term::int(i64::from(all(false))));
            return Some(Term::new(Node::Select { key, query, pred: Func::Op(eq) }));
        }
        if let Some(pred) = self.comparison(select) {
            let (key, query) = (self.refer(select.key?)?, self.refer(select.query?)?);
            return Some(Term::new(Node::Select { key, query, pred: Func::Op(pred) }));
        }
        let labels = self.labels;
        let value = |id: Option<VarId>, class: usize| id.map_or(Value::Int(0), |id| labels[id][class]);
        let sort = |id: Option<VarId>| id.map_or(Sort::Int, |id| sort_of_values(&labels[id]));
        let mut entries = Vec::new();
        let mut seen = rustc_hash::FxHashSet::default();
        for (q, row) in select.table.iter().enumerate() {
            for (k, _) in row.iter().enumerate().filter(|(_, chosen)| **chosen) {
                let key = vec![value(select.key, k), value(select.query, q)];
                if seen.insert((encode_value(key[0]), encode_value(key[1]))) {
                    entries.push((key, Value::Bool(true)));
                }
            }
        }
        let pred = self.table(vec![sort(select.key), sort(select.query)], Sort::Bool, entries)?;
        let mut side = |id: Option<VarId>| id.map_or(Some(Term::int(0)), |id| self.refer(id));
        let (key, query) = (side(select.key)?, side(select.query)?);
        Some(Term::new(Node::Select { key, query, pred }))
    }

    /// A comparison of key and query that is the select's table, if there is one.
    fn comparison(&self, select: &Select) -> Option<OpId> {
        let (key, query) = (&self.labels[select.key?], &self.labels[select.query?]);
        let (sort, other) = (sort_of_values(key), sort_of_values(query));
        if sort != other {
            return None;
        }
        let kernels = [Kernel::Eq, Kernel::Lt, Kernel::Le, Kernel::Gt, Kernel::Ge, Kernel::Distinct];
        kernels.into_iter().filter(|k| compares(*k, sort)).find_map(|kernel| {
            let holds = select
                .table
                .iter()
                .zip(query)
                .all(|(row, &q)| row.iter().zip(key).all(|(&chosen, &k)| compare(kernel, k, q) == chosen));
            holds.then(|| self.op(kernel)).flatten()
        })
    }

    fn readout(&mut self) -> Option<Term> {
        if let Some(term) = &self.found.readout {
            return self.adopt(term);
        }
        let readout = &self.dag.readout;
        let mut entries: Vec<(Vec<u32>, Value)> =
            readout.table.iter().map(|(tuple, &value)| (tuple.clone(), value)).collect();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        let values: Vec<Value> = entries.iter().map(|(_, value)| *value).collect();
        self.look_up(&readout.inputs, entries, sort_of_values(&values))
    }

    /// What a head's key, query and value are in its term, for those that have no term of their own.
    fn sides(&self, id: VarId, full: &Term, parts: &mut Vec<Part>) {
        let (select, value) = match &self.dag.variables[id].origin {
            Origin::Width { select, .. } => (select, None),
            Origin::Copy { select, value } | Origin::Mean { select, value, .. } => (select, Some(*value)),
            _ => return,
        };
        let Node::App(_, args) = full.node() else { return };
        let mut add = |variable: Option<VarId>, term: &Term| {
            if let Some(variable) = variable
                && self.terms[variable].is_none()
                && !matches!(term.node(), Node::Const(_))
            {
                parts.push(Part { variable, term: term.clone(), own: false });
            }
        };
        if let Some(Node::Select { key, query, .. }) = args.first().map(Term::node) {
            add(select.key, key);
            add(select.query, query);
        }
        if let Some(term) = args.get(1) {
            add(value, term);
        }
    }

    /// Names for what occurs more than once, the rest written in place.
    fn finish(self, readout: &Term) -> Program {
        let lets = self.language.has_form(Form::Let);
        let mut parts: Vec<Part> = Vec::new();
        let needed = self.dag.needed();
        let mut inline: rustc_hash::FxHashMap<Symbol, Term> = rustc_hash::FxHashMap::default();
        let mut whole: rustc_hash::FxHashMap<Symbol, Term> = rustc_hash::FxHashMap::default();
        for (id, variable) in self.dag.variables.iter().enumerate() {
            let natural = match variable.origin {
                Origin::Token => Some("tokens"),
                Origin::Position => Some("indices"),
                _ => None,
            };
            if let Some(natural) = natural {
                if needed[id] {
                    parts.push(Part { variable: id, term: Term::var(natural), own: true });
                }
                inline.insert(name(id), Term::var(natural));
                whole.insert(name(id), Term::var(natural));
            }
        }
        let mut bindings: Vec<(Symbol, Term)> = Vec::new();
        for (id, term) in self.terms.iter().enumerate() {
            let Some(term) = term else { continue };
            let full = term.substitute(&|name| whole.get(&name).cloned());
            whole.insert(name(id), full.clone());
            parts.push(Part { variable: id, term: full.clone(), own: true });
            self.sides(id, &full, &mut parts);
            let short = term.substitute(&|name| inline.get(&name).cloned());
            if self.counts[id] > 1 && lets && !matches!(short.node(), Node::Var(_) | Node::Const(_)) {
                let fresh = Symbol::new(&format!("v{}", bindings.len()));
                inline.insert(name(id), Term::var(fresh));
                bindings.push((fresh, short));
            } else {
                inline.insert(name(id), short);
            }
        }
        if let [input] = self.dag.readout.inputs[..]
            && self.terms[input].is_none()
        {
            parts.push(Part {
                variable: input,
                term: readout.substitute(&|name| whole.get(&name).cloned()),
                own: false,
            });
        }
        let body = readout.substitute(&|name| inline.get(&name).cloned());
        let term = if bindings.is_empty() { body } else { Term::new(Node::Let(bindings, body)) };
        Program { term, parts }
    }
}

/// The variables that occur in a term, each as often as it occurs.
fn variables_of(term: &Term) -> Vec<Symbol> {
    let mut all = Vec::new();
    walk(term, &mut all);
    all
}

fn walk(term: &Term, all: &mut Vec<Symbol>) {
    match term.node() {
        Node::Var(name) => all.push(*name),
        Node::App(_, args) => args.iter().for_each(|arg| walk(arg, all)),
        Node::Select { key, query, .. } => {
            walk(key, all);
            walk(query, all);
        }
        Node::Const(_) | Node::Let(..) | Node::Scan(_) => {}
    }
}

/// Whether a comparison takes values of a sort.
fn compares(kernel: Kernel, sort: Sort) -> bool {
    matches!(kernel, Kernel::Eq | Kernel::Distinct) || matches!(sort, Sort::Int | Sort::Real)
}

/// A comparison of two values, false where one is undefined.
pub(super) fn compare(kernel: Kernel, a: Value, b: Value) -> bool {
    if a == Value::Undefined || b == Value::Undefined {
        return false;
    }
    let equal = encode_value(a) == encode_value(b);
    let (x, y) = (a.as_f64().unwrap_or(0.0), b.as_f64().unwrap_or(0.0));
    match kernel {
        Kernel::Eq => equal,
        Kernel::Distinct => !equal,
        Kernel::Lt => x < y && !equal,
        Kernel::Le => x < y || equal,
        Kernel::Gt => x > y && !equal,
        Kernel::Ge => x > y || equal,
        _ => false,
    }
}

/// Whether two values are the same in any reader's eyes: numbers as numbers.
fn same_value(a: Value, b: Value) -> bool {
    match (a, b) {
        (Value::Int(_) | Value::Real(_), Value::Int(_) | Value::Real(_)) => {
            a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| (a - b).abs() < 1e-6)
        }
        _ => a == b,
    }
}

/// A value in a list of a sort: integers among reals are reals.
fn coerced(value: Value, sort: Sort) -> Value {
    match (value, sort) {
        (Value::Int(i), Sort::Real) => Value::Real(i as f64),
        _ => value,
    }
}
