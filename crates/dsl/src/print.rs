//! Terms as text: on one line, or indented.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use samples::{Sort, Symbol, Value};

use crate::language::Language;
use crate::sexpr::{quote_symbol, quote_text, write_bits, write_real};
use crate::term::{Func, Node, Table, Term};

/// A term on one line. [`crate::parse_term`] reads it back; tables are bound by a `let` around the whole.
pub fn print(term: &Term, language: &Language) -> String {
    let mut out = String::new();
    Printer::new(language, term).document(term).flat(&mut out);
    out
}

/// A term over several lines of at most 100 columns, where its parts allow.
pub fn pretty(term: &Term, language: &Language) -> String {
    let mut out = String::new();
    Printer::new(language, term).document(term).indented(0, 0, &mut out);
    out
}

/// A value as it is written in programs.
pub fn print_value(value: Value) -> String {
    match value {
        Value::Undefined => "none".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Int(i) => i.to_string(),
        Value::Real(r) => write_real(r),
        Value::BitVec { width, bits } => write_bits(width, bits),
        Value::Symbol(symbol) => quote_text(symbol.as_str()),
        Value::Enum(_, constructor) => quote_symbol(constructor.as_str()),
    }
}

/// Text to lay out.
pub(crate) enum Doc {
    Atom(String),
    /// A list, and how many items after the head stay on its line when it is broken.
    List(Vec<Self>, usize),
    /// A list like that, whose other items fill lines.
    Filled(Vec<Self>, usize),
}

/// The width that [`pretty`] keeps to where it can.
const WIDTH: usize = 100;

impl Doc {
    fn atom(text: impl Into<String>) -> Self {
        Self::Atom(text.into())
    }

    fn flat(&self, out: &mut String) {
        match self {
            Self::Atom(text) => out.push_str(text),
            Self::List(items, _) | Self::Filled(items, _) => {
                out.push('(');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(' ');
                    }
                    item.flat(out);
                }
                out.push(')');
            }
        }
    }

    /// The width on one line, if it is at most `limit`.
    fn width(&self, limit: usize) -> Option<usize> {
        let width = match self {
            Self::Atom(text) => text.chars().count(),
            Self::List(items, _) | Self::Filled(items, _) => {
                let mut sum = 1 + items.len().max(1);
                for item in items {
                    sum += item.width(limit.checked_sub(sum)?)?;
                }
                sum
            }
        };
        (width <= limit).then_some(width)
    }

    /// `column` is where it begins, `closing` how many parentheses follow it.
    fn indented(&self, column: usize, closing: usize, out: &mut String) {
        let room = WIDTH.saturating_sub(column + closing);
        let (items, kept) = match self {
            Self::List(items, kept) | Self::Filled(items, kept) if self.width(room).is_none() && !items.is_empty() => {
                (items, *kept)
            }
            _ => return self.flat(out),
        };
        out.push('(');
        let mut at = column + 1;
        // Lists of lists align their items, others indent what does not stay beside the head.
        let indent = if !matches!(items[0], Self::Atom(_)) { column + 1 } else { column + 2 };
        for (i, item) in items.iter().enumerate() {
            let closing = if i + 1 == items.len() { closing + 1 } else { 0 };
            let fits = |at: usize| item.width(WIDTH.saturating_sub(at + 1 + closing)).is_some();
            let fills = matches!(self, Self::Filled(..)) && i > kept + 1 && fits(at);
            if i > 0 && i > kept && !fills {
                out.push('\n');
                out.push_str(&" ".repeat(indent));
                at = indent;
            } else if i > 0 {
                out.push(' ');
                at += 1;
            }
            item.indented(at, closing, out);
            let line_start = out.rfind('\n').map_or(0, |i| i + 1);
            at = out[line_start..].chars().count();
        }
        out.push(')');
    }
}

struct Printer<'a> {
    language: &'a Language,
    /// Every table of the program and the name it is printed by, in order of first use.
    tables: Vec<(Arc<Table>, Symbol)>,
}

impl<'a> Printer<'a> {
    fn new(language: &'a Language, term: &Term) -> Self {
        let mut names: FxHashSet<Symbol> = FxHashSet::default();
        let mut found: Vec<Arc<Table>> = Vec::new();
        let mut seen: FxHashSet<usize> = FxHashSet::default();
        collect(term, &mut names, &mut found, &mut seen);
        let mut tables: Vec<(Arc<Table>, Symbol)> = Vec::new();
        for table in found {
            if tables.iter().any(|(other, _)| *other == table) {
                continue;
            }
            let taken = |name: Symbol| {
                names.contains(&name)
                    || language.operator(name.as_str()).is_some()
                    || tables.iter().any(|(_, other)| *other == name)
            };
            let mut name = table.name;
            let mut n = 1;
            while taken(name) {
                name = Symbol::new(&format!("{}_{n}", table.name));
                n += 1;
            }
            tables.push((table, name));
        }
        Self { language, tables }
    }

    /// A program: the tables first.
    fn document(&self, term: &Term) -> Doc {
        let mut bindings: Vec<Doc> = self.tables.iter().map(|(table, name)| self.table(table, *name)).collect();
        if bindings.is_empty() {
            return self.term(term);
        }
        let body = match term.node() {
            Node::Let(own, body) => {
                bindings.extend(own.iter().map(|(name, value)| self.binding(*name, value)));
                self.term(body)
            }
            _ => self.term(term),
        };
        Doc::List(vec![Doc::atom("let"), Doc::List(bindings, 0), body], 1)
    }

    fn table(&self, table: &Table, name: Symbol) -> Doc {
        let params = table.params.iter().map(|sort| sort_doc(*sort)).collect();
        let mut items = vec![Doc::atom("table"), Doc::List(params, 0), sort_doc(table.result)];
        items.extend(table.entries.iter().map(|(keys, value)| {
            let keys = keys.iter().map(|key| Doc::atom(print_value(*key))).collect();
            Doc::List(vec![Doc::List(keys, 0), Doc::atom(print_value(*value))], 1)
        }));
        Doc::List(vec![symbol(name), Doc::Filled(items, 2)], 1)
    }

    fn binding(&self, name: Symbol, value: &Term) -> Doc {
        Doc::List(vec![symbol(name), self.term(value)], 1)
    }

    fn term(&self, term: &Term) -> Doc {
        match term.node() {
            Node::Var(name) => symbol(*name),
            Node::Const(value) => Doc::Atom(print_value(*value)),
            Node::App(func, args) => {
                let mut items = vec![self.func(func)];
                items.extend(args.iter().map(|arg| self.term(arg)));
                Doc::List(items, usize::from(args.len() < 4))
            }
            Node::Let(bindings, body) => {
                let bindings = bindings.iter().map(|(name, value)| self.binding(*name, value)).collect();
                Doc::List(vec![Doc::atom("let"), Doc::List(bindings, 0), self.term(body)], 1)
            }
            Node::Scan(scan) => {
                let state = |(name, init, update): &(Symbol, Value, Term)| {
                    Doc::List(vec![symbol(*name), Doc::Atom(print_value(*init)), self.term(update)], 2)
                };
                let states = scan.states.iter().map(state).collect();
                let mut items = vec![Doc::atom("scan"), Doc::List(states, 0)];
                items.extend(scan.outputs.iter().map(|output| self.term(output)));
                Doc::List(items, 1)
            }
            Node::Select { key, query, pred } => {
                Doc::List(vec![Doc::atom("select"), self.term(key), self.term(query), self.func(pred)], 1)
            }
        }
    }

    fn func(&self, func: &Func) -> Doc {
        match func {
            Func::Op(id) => symbol(self.language.op(*id).name),
            Func::Kernel(kernel) => Doc::atom(kernel.head()),
            Func::Table(table) => {
                let name = self.tables.iter().find(|(other, _)| Arc::ptr_eq(other, table) || other == table);
                symbol(name.map_or(table.name, |(_, name)| *name))
            }
            Func::Lambda(params, body) => {
                let params = params.iter().map(|name| symbol(*name)).collect();
                Doc::List(vec![Doc::atom("lambda"), Doc::List(params, 1), self.term(body)], 1)
            }
        }
    }
}

/// A sort as it is written.
fn sort_doc(sort: Sort) -> Doc {
    match sort {
        Sort::BitVec(width) => Doc::List(vec![Doc::atom("_"), Doc::atom("BitVec"), Doc::atom(width.to_string())], 2),
        other => Doc::atom(quote_symbol(&other.to_string())),
    }
}

fn symbol(name: Symbol) -> Doc {
    Doc::Atom(quote_symbol(name.as_str()))
}

/// Bound names and tables of a term.
fn collect(term: &Term, names: &mut FxHashSet<Symbol>, tables: &mut Vec<Arc<Table>>, seen: &mut FxHashSet<usize>) {
    if !seen.insert(term.address()) {
        return;
    }
    let func = |func: &Func, names: &mut FxHashSet<Symbol>, tables: &mut Vec<_>, seen: &mut _| match func {
        Func::Table(table) => tables.push(table.clone()),
        Func::Lambda(params, body) => {
            names.extend(params);
            collect(body, names, tables, seen);
        }
        Func::Op(_) | Func::Kernel(_) => {}
    };
    match term.node() {
        Node::Var(name) => {
            names.insert(*name);
        }
        Node::Const(_) => {}
        Node::App(own, args) => {
            func(own, names, tables, seen);
            args.iter().for_each(|arg| collect(arg, names, tables, seen));
        }
        Node::Let(bindings, body) => {
            for (name, value) in bindings {
                names.insert(*name);
                collect(value, names, tables, seen);
            }
            collect(body, names, tables, seen);
        }
        Node::Scan(scan) => {
            for (name, _, update) in &scan.states {
                names.insert(*name);
                collect(update, names, tables, seen);
            }
            scan.outputs.iter().for_each(|output| collect(output, names, tables, seen));
        }
        Node::Select { key, query, pred } => {
            func(pred, names, tables, seen);
            collect(key, names, tables, seen);
            collect(query, names, tables, seen);
        }
    }
}

/// Every table of a term, each once, in order of first use.
pub fn tables(term: &Term) -> Vec<Arc<Table>> {
    let mut found = Vec::new();
    collect(term, &mut FxHashSet::default(), &mut found, &mut FxHashSet::default());
    let mut different: Vec<Arc<Table>> = Vec::new();
    let mut seen: FxHashMap<usize, ()> = FxHashMap::default();
    for table in found {
        if seen.insert(Arc::as_ptr(&table) as usize, ()).is_none() && !different.contains(&table) {
            different.push(table);
        }
    }
    different
}
