//! Finite sorts with parts: datatypes whose constructors have fields (tuples, options, unions), and sequences of bounded
//! length.
//!
//! A sort is the list of its values; constructors, selectors and the functions of sequences are tables over them. So
//! columns, exhaustive checks, SMT-LIB and Python need to know nothing of parts.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use samples::{Sort, Symbol, Value};

use crate::diagnostic::{Place, Source, Span};
use crate::kernel::Kernel;
use crate::language::{Enumeration, Facts, OpId, Operator, Rule, SortPattern};
use crate::sexpr::{Kind, Sexpr};
use crate::term::{Func, Table, Term};

use super::definition::range;
use super::file::Builder;
use super::term::{Mode, RESERVED};

/// Values of a sort with parts: every function of it lists them all.
const VALUES_LIMIT: usize = 1_000;

/// A place in a constructor: the values that may stand there.
struct Field {
    name: Symbol,
    span: Span,
    sort: Sort,
    values: Vec<Value>,
}

/// A constructor, with the values that it makes of every choice of its fields.
struct Constructor {
    name: Symbol,
    span: Span,
    fields: Vec<Field>,
    made: Vec<(Vec<Value>, Symbol)>,
}

impl Builder<'_> {
    /// `(declare-datatype NAME ((CONSTRUCTOR (FIELD SORT) ...) ...))`.
    pub(super) fn datatype(&mut self, source: Source<'_>, item: &Sexpr, rest: &[Sexpr]) {
        let shape = "(declare-datatype NAME ((CONSTRUCTOR (FIELD SORT) ...) ...))";
        let (rest, attributes) = self.attributes(source, rest, &["cost"]);
        let cost = self.cost(source, &attributes, 1);
        let [name, list] = rest else { return self.report(source, item.span, "this is no datatype", shape) };
        let (Some(sort), Some(items)) = (self.new_sort(source, name, shape), list.list()) else {
            if list.list().is_none() {
                self.report(source, list.span, "this is no list of constructors", shape);
            }
            return;
        };
        let mut constructors: Vec<Constructor> = Vec::new();
        let mut values: Vec<Symbol> = Vec::new();
        for item in items {
            let Some(mut constructor) = self.constructor(source, item) else { continue };
            let Some(combinations) = product(&constructor.fields, VALUES_LIMIT.saturating_sub(values.len())) else {
                let expected = format!("at most {VALUES_LIMIT}");
                return self.report(source, item.span, "a datatype has too many values", &expected);
            };
            constructor.made =
                combinations.into_iter().map(|key| (key.clone(), made(constructor.name, &key))).collect();
            for (_, value) in &constructor.made {
                let taken = values.contains(value) || self.language.enums.iter().any(|e| e.values.contains(value));
                if taken {
                    self.exists(source, item.span, "constructor", *value);
                } else {
                    self.declared.insert(*value, source.place(item.span));
                }
                values.push(*value);
            }
            constructors.push(constructor);
        }
        if items.is_empty() {
            self.report(source, list.span, "a datatype without values", shape);
        }
        self.language.enums.push(Enumeration { name: sort, values });
        let is_only = constructors.len() == 1;
        for constructor in constructors.iter().filter(|constructor| !constructor.fields.is_empty()) {
            self.functions(source, (sort, constructor), is_only, cost);
            if !is_only {
                self.tester(source, sort, (constructor, &constructors), cost);
            }
        }
    }

    fn new_sort(&mut self, source: Source<'_>, item: &Sexpr, shape: &str) -> Option<Symbol> {
        let Some(text) = item.symbol() else {
            self.report(source, item.span, "a sort has a name", shape);
            return None;
        };
        let taken = ["Bool", "Int", "Real", "Symbol", "Selector"].contains(&text)
            || self.language.enums.iter().any(|e| e.name.as_str() == text);
        if taken {
            self.exists(source, item.span, "sort", Symbol::new(text));
            return None;
        }
        self.declared.insert(Symbol::new(text), source.place(item.span));
        Some(Symbol::new(text))
    }

    /// Reports a sort or a constructor of a name that is taken.
    fn exists(&mut self, source: Source<'_>, span: Span, kind: &str, name: Symbol) {
        let report = source.report(span, format!("the {kind} {name} exists already")).expected("another name");
        self.problems.push(match self.declared.get(&name) {
            Some(place) => report.hint(format!("the other one is at {place}")),
            None => report.hint("it is built in"),
        });
    }

    fn constructor(&mut self, source: Source<'_>, item: &Sexpr) -> Option<Constructor> {
        let (name, fields) = match item.list() {
            Some([name, fields @ ..]) => (name.symbol(), fields),
            _ => (item.symbol(), &[][..]),
        };
        let Some(name) = name.filter(|name| !RESERVED.contains(name)) else {
            self.report(source, item.span, "this is no constructor", "(NAME (FIELD SORT) ...)");
            return None;
        };
        let fields = fields.iter().map(|field| self.field(source, field)).collect::<Option<Vec<_>>>()?;
        Some(Constructor { name: Symbol::new(name), span: item.span, fields, made: Vec::new() })
    }

    fn field(&mut self, source: Source<'_>, item: &Sexpr) -> Option<Field> {
        let parts = item.list().and_then(|parts| match parts {
            [name, sort] => Some((name.symbol()?, sort)),
            _ => None,
        });
        let Some((name, sort)) = parts else {
            self.report(source, item.span, "this is no field", "(NAME SORT)");
            return None;
        };
        let (sort, values) = self.finite(source, sort)?;
        Some(Field { name: Symbol::new(name), span: item.span, sort, values })
    }

    /// The values of a finite sort.
    fn finite(&mut self, source: Source<'_>, item: &Sexpr) -> Option<(Sort, Vec<Value>)> {
        match range(item) {
            Some(Ok((low, high))) => return Some((Sort::Int, (low..=high).map(Value::Int).collect())),
            Some(Err(problem)) => {
                let language = std::mem::take(&mut self.language);
                let mut parser = self.parser(&language, source, Mode::Meaning);
                problem.report(&mut parser, item.span);
                let problems = parser.finish();
                self.language = language;
                self.problems.extend(problems);
                return None;
            }
            None => {}
        }
        let declared = |name| self.language.enums.iter().find(|e| e.name.as_str() == name);
        match item.symbol() {
            Some("Bool") => return Some((Sort::Bool, [false, true].map(Value::Bool).to_vec())),
            Some(name) => {
                if let Some(found) = declared(name) {
                    let values = found.values.iter().map(|&value| Value::Enum(found.name, value)).collect();
                    return Some((Sort::Enum(found.name), values));
                }
            }
            None => {}
        }
        if item.symbol().is_some_and(|name| self.unknown.has(Symbol::new(name))) {
            return None;
        }
        let report = source.report(item.span, "parts of values have a finite sort").found(item.describe());
        self.problems.push(report.expected("Bool, a declared sort, or (range LOW HIGH)"));
        None
    }

    /// The constructor and its selectors, with the rules that the one undoes the others.
    fn functions(&mut self, source: Source<'_>, (sort, own): (Symbol, &Constructor), is_only: bool, cost: u32) {
        let value = |symbol: Symbol| Value::Enum(sort, symbol);
        let sorts: Vec<Sort> = own.fields.iter().map(|field| field.sort).collect();
        let entries = own.made.iter().map(|(key, symbol)| (key.clone(), value(*symbol))).collect();
        let place = (own.name, own.span);
        let Some(make) = self.finite_function(source, place, (sorts.clone(), Sort::Enum(sort)), entries, cost) else {
            return;
        };
        let arg = |i: usize| Symbol::new(&format!("a{}", i + 1));
        let args: Vec<Term> = (0..sorts.len()).map(|i| Term::var(arg(i))).collect();
        let params: Vec<(Symbol, SortPattern)> =
            sorts.iter().enumerate().map(|(i, &sort)| (arg(i), SortPattern::Sort(sort))).collect();
        let built = Term::op(make, args.clone());
        let whole = Term::var("p");
        let mut taken_apart: Vec<Term> = Vec::new();
        for (place, field) in own.fields.iter().enumerate() {
            let entries = own.made.iter().map(|(key, symbol)| (vec![value(*symbol)], key[place])).collect();
            let named = (field.name, field.span);
            let selector = self.finite_function(source, named, (vec![Sort::Enum(sort)], field.sort), entries, cost);
            let Some(selector) = selector else { return };
            taken_apart.push(Term::op(selector, vec![whole.clone()]));
            let sides = (Term::op(selector, vec![built.clone()]), args[place].clone());
            let defined = Term::app(Func::Kernel(Kernel::Defined), vec![built.clone()]);
            let name = format!("{}-of-{}", field.name, own.name);
            self.rule(source, (&name, field.span), sides, vec![defined], params.clone());
        }
        if is_only {
            let sides = (Term::op(make, taken_apart), whole);
            let params = vec![(Symbol::new("p"), SortPattern::Sort(Sort::Enum(sort)))];
            self.rule(source, (&format!("{}-of-its-parts", own.name), own.span), sides, Vec::new(), params);
        }
    }

    /// `CONSTRUCTOR?`: whether a value was made by it.
    fn tester(&mut self, source: Source<'_>, sort: Symbol, (own, all): (&Constructor, &[Constructor]), cost: u32) {
        let of = |constructor: &Constructor| constructor.name == own.name;
        let entries = all.iter().flat_map(|constructor| {
            let is_own = of(constructor);
            constructor.made.iter().map(move |(_, symbol)| (vec![Value::Enum(sort, *symbol)], Value::Bool(is_own)))
        });
        let name = Symbol::new(&format!("{}?", own.name));
        let signature = (vec![Sort::Enum(sort)], Sort::Bool);
        let _ = self.finite_function(source, (name, own.span), signature, entries.collect(), cost);
    }

    /// `(declare-sequence NAME SORT LENGTH)`: the sequences of up to so many values.
    pub(super) fn sequence(&mut self, source: Source<'_>, item: &Sexpr, rest: &[Sexpr]) {
        let shape = "(declare-sequence NAME SORT LENGTH)";
        let (rest, attributes) = self.attributes(source, rest, &["cost"]);
        let cost = self.cost(source, &attributes, 1);
        let [name, element, length] = rest else { return self.report(source, item.span, "this is no sequence", shape) };
        let Some(sort) = self.new_sort(source, name, shape) else { return };
        let Some((element, elements)) = self.finite(source, element) else { return };
        let longest = match length.kind {
            Kind::Int(length) => usize::try_from(length).ok(),
            _ => None,
        };
        let Some(all) = longest.and_then(|longest| sequences(&elements, longest)) else {
            let expected = format!("a length with which the sort has at most {VALUES_LIMIT} values");
            return self.report(source, length.span, "a sequence has a greatest length", &expected);
        };
        let named = |list: &[Value]| Value::Enum(sort, listed(sort, list));
        let values: Vec<Symbol> = all.iter().map(|list| listed(sort, list)).collect();
        if values.iter().collect::<FxHashSet<_>>().len() < values.len() {
            return self.report(source, item.span, "two sequences would have one name", "elements without commas");
        }
        self.language.enums.push(Enumeration { name: sort, values });
        let own = Sort::Enum(sort);
        let mut add = |name: &str, signature: (Vec<Sort>, Sort), entries: Vec<(Vec<Value>, Value)>| {
            let name = Symbol::new(&format!("{sort}.{name}"));
            let _ = self.finite_function(source, (name, item.span), signature, entries, cost);
        };
        let each = |f: &dyn Fn(&[Value]) -> Option<Value>| -> Vec<(Vec<Value>, Value)> {
            all.iter().filter_map(|list| Some((vec![named(list)], f(list)?))).collect()
        };
        add("length", (vec![own], Sort::Int), each(&|list| Some(Value::Int(list.len() as i64))));
        add("first", (vec![own], element), each(&|list| list.first().copied()));
        add("last", (vec![own], element), each(&|list| list.last().copied()));
        add("rest", (vec![own], own), each(&|list| list.get(1..).map(named)));
        let pushed = all.iter().filter_map(|list| list.split_last().map(|(&last, before)| (before, last, list)));
        let pushed = pushed.map(|(before, last, list)| (vec![named(before), last], named(list)));
        add("push", (vec![own, element], own), pushed.collect());
        let at = all.iter().flat_map(|list| list.iter().enumerate().map(move |(i, &value)| (list, i, value)));
        let at = at.map(|(list, i, value)| (vec![named(list), Value::Int(i as i64)], value));
        add("at", (vec![own, Sort::Int], element), at.collect());
    }

    /// An operator that is a finite function; `None` where its name is taken, which is reported.
    fn finite_function(
        &mut self,
        source: Source<'_>,
        (name, span): (Symbol, Span),
        (sorts, result): (Vec<Sort>, Sort),
        entries: Vec<(Vec<Value>, Value)>,
        cost: u32,
    ) -> Option<OpId> {
        let name = self.free_name(source, name.as_str(), span)?;
        if Kernel::find(name.as_str(), sorts.len()).is_some() {
            let message = format!("{name} is a function of the kernel");
            self.report(source, span, &message, "another name");
            return None;
        }
        let table = Arc::new(Table { name, params: sorts, result, entries });
        let id = OpId(u32::try_from(self.language.operators.len()).ok()?);
        self.add(source, span, Operator::of_table(table, cost, false, source.place(span)));
        Some(id)
    }

    fn rule(
        &mut self,
        source: Source<'_>,
        (name, span): (&str, Span),
        (lhs, rhs): (Term, Term),
        conditions: Vec<Term>,
        params: Vec<(Symbol, SortPattern)>,
    ) {
        let (name, place) = (Symbol::new(name), source.place(span));
        let rule = Rule { name, lhs, rhs, conditions, both_ways: false, params, ruleset: None, assumed: false, place };
        self.language.rules.push(rule);
    }
}

impl Operator {
    /// A finite function as an operator without facts.
    pub(super) fn of_table(table: Arc<Table>, cost: u32, total: bool, place: Place) -> Self {
        let params: Vec<(Symbol, SortPattern)> = (1..)
            .zip(&table.params)
            .map(|(i, &sort)| (Symbol::new(&format!("a{i}")), SortPattern::Sort(sort)))
            .collect();
        let args = params.iter().map(|(name, _)| Term::var(*name)).collect();
        Self {
            name: table.name,
            result: SortPattern::Sort(table.result),
            charges: vec![0; params.len()],
            params,
            meaning: Term::app(Func::Table(table), args),
            condition: None,
            cost,
            facts: Facts::default(),
            total,
            place,
        }
    }
}

/// All choices of values for some fields, the last changing fastest; `None` where there are more than `limit`.
fn product(fields: &[Field], limit: usize) -> Option<Vec<Vec<Value>>> {
    let n = fields.iter().try_fold(1_usize, |n, field| n.checked_mul(field.values.len()))?;
    let extended = |all: Vec<Vec<Value>>, field: &Field| {
        all.iter().flat_map(|key| field.values.iter().map(|&value| [&key[..], &[value]].concat())).collect()
    };
    (n <= limit).then(|| fields.iter().fold(vec![Vec::new()], extended))
}

/// All sequences of up to so many elements, the shorter ones first; `None` where there are too many.
fn sequences(elements: &[Value], longest: usize) -> Option<Vec<Vec<Value>>> {
    let mut all: Vec<Vec<Value>> = vec![Vec::new()];
    let mut from = 0;
    for _ in 0..longest {
        let next: Vec<Vec<Value>> = all[from..]
            .iter()
            .flat_map(|list| elements.iter().map(|&value| [&list[..], &[value]].concat()))
            .take(VALUES_LIMIT)
            .collect();
        from = all.len();
        all.extend(next);
        if all.len() > VALUES_LIMIT {
            return None;
        }
    }
    Some(all)
}

/// The name of the value that a constructor makes: its own name, with the fields in braces.
fn made(constructor: Symbol, fields: &[Value]) -> Symbol {
    if fields.is_empty() {
        return constructor;
    }
    Symbol::new(&format!("{constructor}{{{}}}", joined(fields)))
}

/// The name of a sequence: that of its sort, with the elements in brackets.
fn listed(sort: Symbol, elements: &[Value]) -> Symbol {
    Symbol::new(&format!("{sort}[{}]", joined(elements)))
}

fn joined(values: &[Value]) -> String {
    let text = |value: &Value| match value {
        Value::Enum(_, name) => name.to_string(),
        value => crate::print_value(*value),
    };
    values.iter().map(text).collect::<Vec<_>>().join(",")
}
