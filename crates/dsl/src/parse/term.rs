//! Terms from s-expressions: resolves names, leaves sorts to inference.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use samples::{Sort, Symbol, Value};

use crate::bits::Reshape;
use crate::diagnostic::{Diagnostic, Place, Source, Span};
use crate::grammar::placeholder;
use crate::infer::{Infer, after, count};
use crate::kernel::Kernel;
use crate::language::{Form, Language};
use crate::sexpr::{Kind, Sexpr, quote_symbol};
use crate::term::{Func, Node, Scan, Table, Term};

use super::{in_order, nearest, tail};

/// What a term may be made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    /// Operators of the language and the forms that it enables.
    Program,
    /// Kernel functions, else operators; every form.
    Meaning,
    /// Operators; names that mean nothing else are variables.
    Rule,
    /// As in rules, but operators must be there; `(Constant S)` and `(Variable S)` stand for any of theirs.
    Production,
    /// Operators of the language, else kernel functions; every form.
    Check,
}

/// Operators that a message names, where there are no more.
const NAMES_LIMIT: usize = 40;

/// What functions are called in other languages, and here.
const ELSEWHERE: [(&str, &str); 17] = [
    ("if", "ite"),
    ("==", "="),
    ("eq", "="),
    ("!=", "distinct"),
    ("&&", "and"),
    ("||", "or"),
    ("!", "not"),
    ("implies", "=>"),
    ("plus", "+"),
    ("add", "+"),
    ("minus", "-"),
    ("sub", "-"),
    ("times", "*"),
    ("mul", "*"),
    ("mod", "%"),
    ("div", "//"),
    ("%", "mod"),
];

/// Words that no operator can be called.
pub(super) const RESERVED: [&str; 9] = ["_", "let", "scan", "select", "lambda", "table", "true", "false", "none"];

/// Names that mean nothing for a reason that is known.
#[derive(Default)]
pub(super) struct Unknown {
    /// Their definition is wrong, which was reported.
    pub(super) names: FxHashSet<Symbol>,
    /// A file is missing or cannot be read, which was reported: any name may come from it.
    pub(super) anything: bool,
    /// Operators that were taken away, with the rules about them.
    pub(super) taken: FxHashSet<Symbol>,
    /// Where the operators of the files that are being read are defined, those below among them.
    pub(super) later: FxHashMap<Symbol, Place>,
}

impl Unknown {
    /// Whether it was reported that a name means nothing.
    pub(super) fn has(&self, name: Symbol) -> bool {
        self.anything || self.names.contains(&name)
    }
}

pub(super) struct TermParser<'a> {
    pub(super) language: &'a Language,
    pub(super) source: Source<'a>,
    mode: Mode,
    pub(super) problems: Vec<Diagnostic>,
    /// Operators that the language does not have; in rules no error.
    pub(super) missing: Vec<Diagnostic>,
    /// The operator whose definition this is.
    pub(super) defining: Option<Symbol>,
    /// Names that are not to be reported; in programs there are none.
    unknown: Option<&'a Unknown>,
    /// Names bound outside; in rules, those met.
    pub(super) variables: Vec<Symbol>,
    bound: Vec<Symbol>,
    tables: Vec<(Symbol, Arc<Table>)>,
    /// Names whose binding was wrong: their uses are not reported as well.
    pub(super) broken: Vec<Symbol>,
    spans: FxHashMap<usize, Span>,
    /// Keeps every term alive, so that addresses stay unique.
    kept: Vec<Term>,
}

impl<'a> TermParser<'a> {
    pub(super) fn new(language: &'a Language, source: Source<'a>, mode: Mode) -> Self {
        Self {
            language,
            source,
            mode,
            problems: Vec::new(),
            missing: Vec::new(),
            defining: None,
            unknown: None,
            variables: Vec::new(),
            bound: Vec::new(),
            tables: Vec::new(),
            broken: Vec::new(),
            spans: FxHashMap::default(),
            kept: Vec::new(),
        }
    }

    /// The same, which does not report again what is known of names.
    pub(super) fn beside(mut self, unknown: &'a Unknown) -> Self {
        self.unknown = Some(unknown);
        self
    }

    /// Whether it was reported already that a name means nothing.
    pub(super) fn is_reported(&self, name: Symbol) -> bool {
        self.broken.contains(&name) || self.unknown.is_some_and(|unknown| unknown.has(name))
    }

    /// What was wrong.
    pub(super) fn finish(self) -> Vec<Diagnostic> {
        in_order(self.problems)
    }

    pub(super) fn report(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        let report = self.source.report(span, message);
        self.problems.push(report);
        self.problems.last_mut().expect("just pushed")
    }

    /// Turns the errors of sort inference into diagnostics.
    pub(super) fn report_sorts(&mut self, infer: &Infer<'_>, whole: Span) {
        for error in &infer.errors {
            let span = self.spans.get(&error.address).copied().unwrap_or(whole);
            let mut report = self.source.report(span, error.message.clone());
            report.expected.clone_from(&error.expected);
            report.found.clone_from(&error.found);
            self.problems.push(report);
        }
    }

    fn make(&mut self, node: Node, span: Span) -> Term {
        let term = Term::new(node);
        self.spans.insert(term.address(), span);
        self.kept.push(term.clone());
        term
    }

    /// The value that an atom denotes; `None` for symbols that name no value.
    pub(super) fn value(&self, item: &Sexpr) -> Option<Value> {
        Some(match &item.kind {
            Kind::Int(value) => Value::Int(*value),
            Kind::Real(value) => Value::Real(*value),
            Kind::Text(text) => Value::Symbol(Symbol::new(text)),
            Kind::BitVec(width, bits) => Value::bit_vec(*width, *bits),
            Kind::List(items) => indexed_bits(items)?,
            Kind::Symbol(text) => match text.as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "none" => Value::Undefined,
                _ => {
                    let symbol = Symbol::new(text);
                    let owner = self.language.enums.iter().find(|e| e.values.contains(&symbol))?;
                    Value::Enum(owner.name, symbol)
                }
            },
            Kind::Keyword(_) => return None,
        })
    }

    /// A value, or a report of what stands there.
    pub(super) fn expect_value(&mut self, item: &Sexpr) -> Option<Value> {
        let any = "a number, a string, a bit-vector, true, false, none or a declared constructor";
        self.expect_value_such_as(item, any)
    }

    fn expect_value_such_as(&mut self, item: &Sexpr, expected: &str) -> Option<Value> {
        let value = self.value(item);
        let is_reported = item.symbol().is_some_and(|name| self.is_reported(Symbol::new(name)));
        if value.is_none() && !is_reported {
            let found = item.describe();
            let known = self.language.enums.iter().flat_map(|own| own.values.iter().map(|value| value.as_str()));
            let near = item.symbol().and_then(|name| nearest(name, known));
            let hint = near.map(|other| format!("did you mean {other}?"));
            let report = self.report(item.span, "a value belongs here");
            report.expected = Some(expected.to_owned());
            report.found = Some(found);
            report.hint = hint;
        }
        value
    }

    /// A sort by its name.
    pub(super) fn sort(&mut self, item: &Sexpr) -> Option<Sort> {
        if let Some(index) = indexed_sort(item) {
            return self.bit_vec_sort(index, item.span);
        }
        let sort = item.symbol().and_then(|name| match name {
            "Bool" => Some(Sort::Bool),
            "Int" => Some(Sort::Int),
            "Real" => Some(Sort::Real),
            "Symbol" => Some(Sort::Symbol),
            "Selector" => Some(Sort::Selector),
            _ => {
                let symbol = Symbol::new(name);
                self.language.enums.iter().any(|e| e.name == symbol).then_some(Sort::Enum(symbol))
            }
        });
        if sort.is_none() && !item.symbol().is_some_and(|name| self.is_reported(Symbol::new(name))) {
            let found = item.describe();
            let builtin = ["Bool", "Int", "Real", "Symbol", "Selector"];
            let known: Vec<&str> =
                builtin.into_iter().chain(self.language.enums.iter().map(|e| e.name.as_str())).collect();
            let near = item.symbol().and_then(|name| nearest(name, known.iter().copied()));
            let hint = near.map(|other| format!("did you mean {other}?"));
            let expected = format!("{}, (_ BitVec N)", known.join(", "));
            let report = self.report(item.span, "this is no sort");
            report.expected = Some(expected);
            report.found = Some(found);
            report.hint = hint;
        }
        sort
    }

    /// `(_ BitVec N)`, given N.
    fn bit_vec_sort(&mut self, index: &Sexpr, span: Span) -> Option<Sort> {
        let width = match index.kind {
            Kind::Int(width) => u8::try_from(width).ok().filter(|width| (1..=Sort::MAX_WIDTH).contains(width)),
            _ => None,
        };
        if width.is_none() {
            let found = index.describe();
            let report = self.report(span, "a bit-vector has a width");
            report.expected = Some(format!("(_ BitVec N) with N from 1 to {}", Sort::MAX_WIDTH));
            report.found = Some(found);
        }
        width.map(Sort::BitVec)
    }

    /// A term.
    pub(super) fn term(&mut self, item: &Sexpr) -> Option<Term> {
        match &item.kind {
            Kind::List(items) if indexed_bits(items).is_some() => {
                let value = self.value(item)?;
                Some(self.make(Node::Const(value), item.span))
            }
            Kind::List(items) => self.list(items, item.span),
            Kind::Keyword(_) => {
                let found = item.describe();
                self.report(item.span, "a term belongs here").found = Some(found);
                None
            }
            Kind::Symbol(text) => {
                let name = Symbol::new(text);
                if self.bound.contains(&name) || self.variables.contains(&name) {
                    return Some(self.make(Node::Var(name), item.span));
                }
                if let Some(value) = self.value(item) {
                    return Some(self.make(Node::Const(value), item.span));
                }
                if self.is_reported(name) {
                    return None;
                }
                if matches!(self.mode, Mode::Rule | Mode::Production) && !RESERVED.contains(&text.as_str()) {
                    self.variables.push(name);
                    return Some(self.make(Node::Var(name), item.span));
                }
                self.unknown_variable(text, item.span);
                None
            }
            Kind::Int(_) | Kind::Real(_) | Kind::BitVec(..) | Kind::Text(_) => {
                let value = self.value(item)?;
                Some(self.make(Node::Const(value), item.span))
            }
        }
    }

    fn unknown_variable(&mut self, text: &str, span: Span) {
        let mut known: Vec<&str> = self.variables.iter().chain(&self.bound).map(|name| name.as_str()).collect();
        known.dedup();
        let is_operator = self.language.operator(text).is_some();
        let hint = match nearest(text, known.iter().copied()) {
            _ if is_operator => format!("{text} is an operator: write ({text} ...)"),
            Some(other) => format!("did you mean {other}?"),
            None if known.is_empty() => "no variable is known here".to_owned(),
            None => format!("known here: {}", known.join(", ")),
        };
        self.report(span, format!("unknown variable {}", quote_symbol(text))).hint = Some(hint);
    }

    fn list(&mut self, items: &[Sexpr], span: Span) -> Option<Term> {
        let Some(head) = items.first() else {
            self.report(span, "an empty list is no term");
            return None;
        };
        if head.list().is_some_and(|list| list.first().and_then(Sexpr::symbol) == Some("_")) {
            let args: Vec<Option<Term>> = tail(items).iter().map(|arg| self.term(arg)).collect();
            let kernel = self.indexed(head, args.len())?;
            let args: Option<Vec<Term>> = args.into_iter().collect();
            return Some(self.make(Node::App(Func::Kernel(kernel), args?), span));
        }
        let Some(name) = head.symbol() else {
            let found = head.describe();
            let report = self.report(head.span, "a list begins with what is applied");
            report.expected = Some("an operator".to_owned());
            report.found = Some(found);
            return None;
        };
        match name {
            "Constant" | "Variable" if self.mode == Mode::Production => {
                let [_, sort] = items else {
                    self.report(span, format!("{name} takes a sort")).expected = Some(format!("({name} Int)"));
                    return None;
                };
                let name = placeholder(name, self.sort(sort)?);
                Some(self.make(Node::Var(name), span))
            }
            "let" => self.let_form(tail(items), span),
            "scan" => self.scan(tail(items), span),
            "select" => self.select(tail(items), span),
            "lambda" => {
                let report = self.report(span, "a lambda stands only as the predicate of a select");
                report.hint = Some("(select KEY QUERY (lambda (k q) BODY))".to_owned());
                None
            }
            "table" => {
                let report = self.report(span, "a table stands only in a let, which names it");
                report.hint = Some("(let ((t0 (table (Symbol) Int ((\"a\") 1)))) (t0 tokens))".to_owned());
                None
            }
            _ if self.is_variable(name) && self.func_is_unknown(name) => {
                let report = self.report(head.span, format!("the variable {} is applied", quote_symbol(name)));
                report.expected = Some("an operator first: (+ x 1)".to_owned());
                None
            }
            _ => {
                // Arguments first, so that all their errors are seen.
                let args: Vec<Option<Term>> = tail(items).iter().map(|arg| self.term(arg)).collect();
                let func = self.func(head, tail(items).len(), true);
                let args: Option<Vec<Term>> = args.into_iter().collect();
                let (func, args) = (func?, args?);
                Some(self.apply(func, args, span))
            }
        }
    }

    fn is_variable(&self, name: &str) -> bool {
        let name = Symbol::new(name);
        self.bound.contains(&name) || (self.mode != Mode::Rule && self.variables.contains(&name))
    }

    /// Whether a name is neither a function of the kernel nor an operator or a table.
    fn func_is_unknown(&self, name: &str) -> bool {
        self.language.operator(name).is_none()
            && !Kernel::names().any(|own| own == name)
            && self.tables.iter().all(|(own, _)| own.as_str() != name)
    }

    /// A kernel function with indices: `(_ extract 7 0)`.
    fn indexed(&mut self, head: &Sexpr, n_args: usize) -> Option<Kernel> {
        if !matches!(self.mode, Mode::Meaning | Mode::Check) {
            let report = self.report(head.span, "functions with indices stand in the meanings of operators alone");
            report.hint = Some("an operator that (define-fun ...) defines by it may stand here".to_owned());
            return None;
        }
        let Some(kernel) = Reshape::read(head).map(Kernel::Reshape) else {
            let report = self.report(head.span, "this is no function with indices");
            report.expected = Some(Reshape::INDEXED.map(|(_, shape)| shape).join(", "));
            return None;
        };
        if kernel.arity() != n_args {
            self.wrong_arity(head, &kernel.head(), &count(kernel.arity()), n_args);
            return None;
        }
        Some(kernel)
    }

    /// `(f a b c)` for `(f (f a b) c)` where the kernel has it.
    fn apply(&mut self, func: Func, args: Vec<Term>, span: Span) -> Term {
        match func {
            Func::Kernel(kernel) if args.len() > kernel.arity() && kernel.chains() => {
                let mut args = args.into_iter();
                let first = args.next().expect("more than two arguments");
                args.fold(first, |acc, arg| self.make(Node::App(Func::Kernel(kernel), vec![acc, arg]), span))
            }
            func => self.make(Node::App(func, args), span),
        }
    }

    /// What a name in function position stands for.
    fn func(&mut self, head: &Sexpr, n_args: usize, report_arity: bool) -> Option<Func> {
        let name = head.symbol()?;
        let symbol = Symbol::new(name);
        if let Some((_, table)) = self.tables.iter().rev().find(|(other, _)| *other == symbol) {
            return Some(Func::Table(table.clone()));
        }
        if self.broken.contains(&symbol) {
            return None;
        }
        let kernels: Vec<Kernel> = match self.mode {
            Mode::Meaning | Mode::Check => {
                Kernel::named(name).chain(Reshape::find(name, &[]).map(Kernel::Reshape)).collect()
            }
            Mode::Rule if name == Kernel::Defined.name() => vec![Kernel::Defined],
            _ => Vec::new(),
        };
        let operator = self.language.operator(name);
        let hidden = self.mode == Mode::Check && operator.is_some();
        if let Some(kernel) =
            kernels.iter().filter(|_| !hidden).find(|k| k.arity() == n_args || (k.chains() && n_args > k.arity()))
        {
            return Some(Func::Kernel(*kernel));
        }
        if let Some(id) = operator {
            let arity = self.language.op(id).params.len();
            if arity != n_args && report_arity {
                let names = self.language.op(id).params.iter().map(|(name, _)| name.as_str());
                let shape: Vec<&str> = std::iter::once(name).chain(names).collect();
                let expected = format!("{}: ({})", count(arity), shape.join(" "));
                self.wrong_arity(head, &quote_symbol(name), &expected, n_args);
                return None;
            }
            return Some(Func::Op(id));
        }
        if let Some(kernel) = kernels.first() {
            let expected = count(kernel.arity());
            self.wrong_arity(head, &quote_symbol(name), &expected, n_args);
            return None;
        }
        self.unknown_function(name, head.span);
        None
    }

    fn wrong_arity(&mut self, head: &Sexpr, name: &str, expected: &str, found: usize) {
        let report = self.report(head.span, format!("wrong number of arguments of {name}"));
        report.expected = Some(expected.to_owned());
        report.found = Some(count(found));
        if name == "-" && found == 1 {
            report.hint = Some("the operator neg changes the sign".to_owned());
        }
    }

    fn unknown_function(&mut self, name: &str, span: Span) {
        let symbol = Symbol::new(name);
        let was_taken = self.mode == Mode::Rule && self.unknown.is_some_and(|unknown| unknown.taken.contains(&symbol));
        if was_taken || self.is_reported(symbol) {
            return;
        }
        let mut report = self.source.report(span, format!("unknown operator {}", quote_symbol(name)));
        let order =
            "a meaning is made of the kernel's functions and of operators defined before, so that every program ends";
        let operators = self.language.operators.iter().map(|operator| operator.name.as_str());
        if self.defining == Some(symbol) {
            report.message = format!("{} is defined by itself", quote_symbol(name));
            report.hint = Some(format!("{order}; scan carries a state along a sequence"));
        } else if let Some(place) = self.unknown.and_then(|unknown| unknown.later.get(&symbol)) {
            report.hint = Some(format!("it is defined below, at {place}: move it up; {order}"));
        } else if let Some(shape) = Reshape::INDEXED.iter().find(|(own, _)| *own == name).map(|(_, shape)| shape) {
            report.hint = Some(format!("it has indices: ({shape} a), in the meaning of an operator"));
        } else if let Some(own) = self.spelt_here(name) {
            report.hint = Some(format!("did you mean {own}?"));
        } else if self.mode != Mode::Meaning && Kernel::named(name).next().is_some() {
            report.hint =
                Some(format!("the kernel has {name}: (define-fun {name} ...) makes it an operator of the language"));
        } else if let Some(other) = nearest(name, self.functions().into_iter()) {
            report.hint = Some(format!("did you mean {other}?"));
        } else if self.mode == Mode::Meaning {
            report.hint = Some(order.to_owned());
        } else {
            let known: Vec<&str> = operators.collect();
            report.expected = (known.len() <= NAMES_LIMIT).then(|| known.join(", ")).filter(|names| !names.is_empty());
        }
        match self.mode {
            // One report of a name is enough for a rule that is not used.
            Mode::Rule if self.missing.iter().any(|other| other.message == report.message) => {}
            Mode::Rule => self.missing.push(report),
            _ => self.problems.push(report),
        }
    }

    /// The functions that may stand here: operators, and in meanings those of the kernel.
    fn functions(&self) -> Vec<&'a str> {
        let kernel = Kernel::names().filter(|_| matches!(self.mode, Mode::Meaning | Mode::Check));
        self.language.operators.iter().map(|operator| operator.name.as_str()).chain(kernel).collect()
    }

    /// What a function of another language is called here.
    fn spelt_here(&self, name: &str) -> Option<&'static str> {
        let known = self.functions();
        ELSEWHERE.iter().find(|(other, own)| *other == name && known.contains(own)).map(|(_, own)| *own)
    }

    /// Reports a form that the language does not enable.
    fn form(&mut self, form: Form, span: Span) {
        if self.mode == Mode::Program && !self.language.has_form(form) {
            let name = form.name();
            self.report(span, format!("the language has no {name}")).hint =
                Some(format!("(form {name} :cost 1) in the DSL file enables it"));
        }
    }

    /// Lists of `(name VALUE ...)`, for let and scan.
    fn bindings<'s>(&mut self, item: Option<&'s Sexpr>, span: Span, shape: &str) -> Vec<(Symbol, &'s [Sexpr], Span)> {
        let Some(list) = item.and_then(Sexpr::list) else {
            let at = item.map_or(span, |item| item.span);
            self.report(at, "a list of bindings belongs here").expected = Some(format!("({shape} ...)"));
            return Vec::new();
        };
        let mut bindings = Vec::new();
        for entry in list {
            match entry.list().and_then(|parts| Some((parts.first()?.symbol()?, tail(parts)))) {
                Some((name, rest)) => bindings.push((Symbol::new(name), rest, entry.span)),
                None => {
                    let found = entry.describe();
                    let report = self.report(entry.span, "this is no binding");
                    report.expected = Some(shape.to_owned());
                    report.found = Some(found);
                }
            }
        }
        bindings
    }

    fn let_form(&mut self, items: &[Sexpr], span: Span) -> Option<Term> {
        let (n_bound, n_tables) = (self.bound.len(), self.tables.len());
        let mut bindings = Vec::new();
        let mut whole = true;
        for (name, rest, at) in self.bindings(items.first(), span, "(NAME TERM)") {
            let [value] = rest else {
                self.report(at, "this is no binding").expected = Some("(NAME TERM)".to_owned());
                self.broken.push(name);
                whole = false;
                continue;
            };
            if value.list().and_then(|l| l.first()?.symbol()) == Some("table") {
                self.form(Form::Table, value.span);
                match self.table(name, tail(value.list().unwrap_or(&[])), (value.span, "table")) {
                    Some(table) => self.tables.push((name, table)),
                    None => {
                        self.broken.push(name);
                        whole = false;
                    }
                }
            } else {
                let value = self.term(value);
                whole &= value.is_some();
                self.bound.push(name);
                bindings.extend(value.map(|value| (name, value)));
            }
        }
        if !bindings.is_empty() {
            self.form(Form::Let, span);
        }
        let body = match items {
            [_, body] => self.term(body),
            _ => {
                self.report(span, "a let has bindings and one body").expected =
                    Some("(let ((NAME TERM) ...) BODY)".to_owned());
                None
            }
        };
        self.bound.truncate(n_bound);
        self.tables.truncate(n_tables);
        let body = body.filter(|_| whole)?;
        Some(if bindings.is_empty() { body } else { self.make(Node::Let(bindings, body), span) })
    }

    fn scan(&mut self, items: &[Sexpr], span: Span) -> Option<Term> {
        self.form(Form::Scan, span);
        let bindings = self.bindings(items.first(), span, "(STATE INITIAL UPDATE)");
        let n_bound = self.bound.len();
        self.bound.extend(bindings.iter().map(|(name, _, _)| *name));
        let mut states: Vec<(Symbol, Value, Term)> = Vec::new();
        let mut whole = true;
        for (name, rest, at) in &bindings {
            if states.iter().any(|(other, _, _)| other == name) {
                self.report(*at, format!("the state {name} is there twice"));
            }
            if let [init, update] = rest {
                let (init, update) = (self.expect_value(init), self.term(update));
                whole &= init.is_some() && update.is_some();
                states.extend(init.zip(update).map(|(init, update)| (*name, init, update)));
            } else {
                self.report(*at, "this is no state").expected = Some("(STATE INITIAL UPDATE)".to_owned());
                whole = false;
            }
        }
        self.bound.extend(bindings.iter().map(|(name, _, _)| after(*name)));
        let outputs: Vec<Option<Term>> = tail(items).iter().map(|output| self.term(output)).collect();
        self.bound.truncate(n_bound);
        if outputs.is_empty() {
            self.report(span, "a scan without output").expected =
                Some("(scan ((STATE INITIAL UPDATE) ...) OUTPUT ...)".to_owned());
            return None;
        }
        let outputs: Option<Vec<Term>> = outputs.into_iter().collect();
        let outputs = outputs.filter(|_| whole)?;
        Some(self.make(Node::Scan(Scan { states, outputs }), span))
    }

    fn select(&mut self, items: &[Sexpr], span: Span) -> Option<Term> {
        self.form(Form::Select, span);
        let [key, query, pred] = items else {
            let report = self.report(span, "a select has a key, a query and a predicate");
            report.expected = Some("(select KEY QUERY PREDICATE)".to_owned());
            return None;
        };
        let (key, query) = (self.term(key), self.term(query));
        let pred = match &pred.kind {
            Kind::List(list) if list.first().and_then(Sexpr::symbol) == Some("lambda") => {
                self.lambda(tail(list), pred.span)
            }
            Kind::Symbol(_) => self.func(pred, 2, true),
            _ => {
                let found = pred.describe();
                let report = self.report(pred.span, "this is no predicate");
                report.expected = Some("an operator, a table or (lambda (k q) BODY)".to_owned());
                report.found = Some(found);
                None
            }
        };
        Some(self.make(Node::Select { key: key?, query: query?, pred: pred? }, span))
    }

    fn lambda(&mut self, items: &[Sexpr], span: Span) -> Option<Func> {
        self.form(Form::Lambda, span);
        let params: Option<Vec<Symbol>> =
            items.first().and_then(Sexpr::list).and_then(|l| l.iter().map(|p| p.symbol().map(Symbol::new)).collect());
        let (Some(params), [_, body]) = (params, items) else {
            self.report(span, "a lambda has two parameters and a body").expected =
                Some("(lambda (k q) BODY)".to_owned());
            return None;
        };
        if params.len() != 2 || params[0] == params[1] {
            self.report(items[0].span, "the predicate of a select has two parameters").expected =
                Some("(lambda (k q) BODY)".to_owned());
            return None;
        }
        // A lambda is a function of its parameters alone.
        let outer = (std::mem::take(&mut self.bound), std::mem::take(&mut self.variables));
        self.bound.clone_from(&params);
        let body = self.term(body);
        (self.bound, self.variables) = outer;
        Some(Func::Lambda(params, body?))
    }

    /// `(SORT ...) SORT ((KEY ...) VALUE) ...`, entries also in one list.
    ///
    /// `head` is what stands before them.
    pub(super) fn table(&mut self, name: Symbol, items: &[Sexpr], (span, head): (Span, &str)) -> Option<Arc<Table>> {
        let (Some(params), Some(result)) = (items.first().and_then(Sexpr::list), items.get(1)) else {
            // The sorts of the arguments are a list, if there is one only as well.
            let at = items.first().filter(|first| first.list().is_none()).map_or(span, |first| first.span);
            self.report(at, "this is no table").expected =
                Some(format!("({head} (SORT ...) SORT ((KEY ...) VALUE) ...)"));
            return None;
        };
        let params: Option<Vec<Sort>> = params.iter().map(|param| self.sort(param)).collect();
        let (params, result) = (params?, self.sort(result)?);
        if params.is_empty() || params.contains(&Sort::Selector) || result == Sort::Selector {
            self.report(items[0].span, "a table maps at least one scalar to a scalar");
            return None;
        }
        let mut entries: Vec<(Vec<Value>, Value)> = Vec::new();
        let mut seen: FxHashMap<Vec<(Option<Sort>, i64)>, Span> = FxHashMap::default();
        let n_problems = self.problems.len();
        for item in entry_items(&items[2..]) {
            let parts = item.list().and_then(|parts| match parts {
                [keys, value] => Some((keys.list()?, value)),
                _ => None,
            });
            let Some((keys, value)) = parts else {
                let found = item.describe();
                let report = self.report(item.span, "this is no entry of a table");
                report.expected = Some("((KEY ...) VALUE): one key stands in parentheses too".to_owned());
                report.found = Some(found);
                // Who writes one entry so writes all of them so.
                return None;
            };
            if keys.len() != params.len() {
                let found = keys.len().to_string();
                let report = self.report(item.span, "wrong number of keys");
                report.expected = Some(params.len().to_string());
                report.found = Some(found);
                continue;
            }
            let key: Option<Vec<Value>> =
                keys.iter().zip(&params).map(|(key, &sort)| self.value_of_sort(key, sort)).collect();
            let value = self.value_of_sort(value, result);
            let (Some(key), Some(value)) = (key, value) else { continue };
            let code = key.iter().map(|value| (value.sort(), samples::encode_value(*value))).collect();
            if let Some(first) = seen.insert(code, item.span) {
                let place = self.source.place(first);
                let report = self.report(item.span, "these arguments have an entry already");
                report.hint = Some(format!("the other one is at {place}"));
            }
            entries.push((key, value));
        }
        (self.problems.len() == n_problems).then(|| Arc::new(Table { name, params, result, entries }))
    }

    /// A value of a given sort, or none.
    pub(super) fn value_of_sort(&mut self, item: &Sexpr, sort: Sort) -> Option<Value> {
        let declared = self.language.enums.iter().find(|own| Sort::Enum(own.name) == sort);
        let members = declared.filter(|own| own.values.len() <= NAMES_LIMIT);
        let value = match members {
            Some(own) => {
                let names: Vec<&str> = own.values.iter().map(|value| value.as_str()).collect();
                self.expect_value_such_as(item, &format!("a value of the sort {sort}: {}", names.join(", ")))
            }
            None => self.expect_value(item),
        }?;
        match value.sort() {
            Some(found) if found != sort => {
                let report = self.report(item.span, "a value of another sort");
                report.expected = Some(sort.to_string());
                report.found = Some(found.to_string());
                if sort == Sort::Real && found == Sort::Int {
                    report.hint = Some("reals are written with a point".to_owned());
                }
                None
            }
            _ => Some(value),
        }
    }
}

/// N of `(_ BitVec N)`.
fn indexed_sort(item: &Sexpr) -> Option<&Sexpr> {
    match item.list()? {
        [underscore, name, index] if underscore.symbol() == Some("_") && name.symbol() == Some("BitVec") => Some(index),
        _ => None,
    }
}

/// `(_ bv15 8)`: 15 as a bit-vector of width 8.
fn indexed_bits(items: &[Sexpr]) -> Option<Value> {
    let [underscore, number, Sexpr { kind: Kind::Int(width), .. }] = items else { return None };
    let number: u64 = number.symbol()?.strip_prefix("bv")?.parse().ok()?;
    let width = u8::try_from(*width).ok().filter(|width| (1..=Sort::MAX_WIDTH).contains(width))?;
    let fits = number <= samples::mask(width);
    (underscore.symbol() == Some("_") && fits).then(|| Value::bit_vec(width, number))
}

/// The entries of a table: `((k) v) ((k) v)`, or all of them in one list.
fn entry_items(items: &[Sexpr]) -> &[Sexpr] {
    let grouped = |item: &Sexpr| {
        let list = item.list()?;
        // An entry is ((KEY ...) VALUE); a group is (((KEY ...) VALUE) ...): its first item is a list of lists.
        let first = list.first()?.list()?;
        (first.first()?.list().is_some()).then_some(())
    };
    match items {
        [only] if grouped(only).is_some() => only.list().unwrap_or(&[]),
        [only] if only.list().is_some_and(<[Sexpr]>::is_empty) => &[],
        _ => items,
    }
}
