//! SMT-LIB text of scalar terms, definedness included.
//!
//! Every term has two formulas: its value, and whether it has one. Integers are unbounded here: that a result leaves 64
//! bits, which makes it undefined in evaluation, is not modelled. Reals are exact. Symbols are an uninterpreted sort
//! whose literals differ.

use std::fmt::Write as _;

use rustc_hash::FxHashMap;
use samples::{Sort, Symbol, Value};

use crate::infer::{SortError, Ty, value_sort};
use crate::kernel::Kernel;
use crate::language::{Language, Rule};
use crate::sexpr::write_bits;
use crate::term::{Func, Node, Table, Term};

/// Why a term has no SMT-LIB text.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SmtError {
    /// Selectors and scans are not scalar.
    #[error("{0} is not scalar, which SMT-LIB text is limited to")]
    NotScalar(String),
    /// A variable that was not declared.
    #[error("the variable {0} is not declared")]
    Unbound(Symbol),
    /// An operator of another language.
    #[error("an operator of another language")]
    MissingOperator,
    /// The term has no sort.
    #[error(transparent)]
    Sort(#[from] SortError),
}

/// A term in SMT-LIB: both parts are terms over what [`SmtScript::text`] declares and defines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SmtTerm {
    /// The value; of no meaning where the term is not defined.
    pub value: String,
    /// Whether there is a value; `true` where there always is.
    pub defined: String,
}

/// Declarations and definitions that encoded terms refer to. Equal subterms are defined once.
pub struct SmtScript<'a> {
    language: &'a Language,
    lines: Vec<String>,
    scope: Vec<(Symbol, SmtTerm, Sort)>,
    memo: Vec<FxHashMap<usize, (SmtTerm, Sort)>>,
    /// Keeps encoded terms alive, so that the addresses in `memo` stay theirs.
    kept: Vec<Term>,
    symbols: Vec<Symbol>,
    n_defined: usize,
}

impl<'a> SmtScript<'a> {
    /// A script that declares nothing.
    pub fn new(language: &'a Language) -> Self {
        Self {
            language,
            lines: Vec::new(),
            scope: Vec::new(),
            memo: vec![FxHashMap::default()],
            kept: Vec::new(),
            symbols: Vec::new(),
            n_defined: 0,
        }
    }

    /// Declares a variable. It is called `NAME` in the script; where it may be undefined, `NAME.defined` says whether it
    /// has a value. In a language with bit-vectors everything has one.
    ///
    /// # Errors
    /// Selectors are not scalar.
    pub fn declare(&mut self, name: Symbol, sort: Sort, may_be_undefined: bool) -> Result<(), SmtError> {
        let value = symbol(name.as_str());
        let sort_text = sort_name(sort)?;
        self.lines.push(format!("(declare-const {value} {sort_text})"));
        let mut defined = "true".to_owned();
        if may_be_undefined && !self.language.has_bit_vectors() {
            defined = symbol(&format!("{name}.defined"));
            self.lines.push(format!("(declare-const {defined} Bool)"));
        }
        self.scope.push((name, SmtTerm { value, defined }, sort));
        Ok(())
    }

    /// Adds a line, such as an assertion.
    pub fn push(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// The script so far: sorts, symbols, then declarations, definitions and lines in the order they were made.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for enumeration in &self.language.enums {
            let values: Vec<String> = enumeration.values.iter().map(|v| format!("({})", symbol(v.as_str()))).collect();
            let name = symbol(enumeration.name.as_str());
            let _ = writeln!(text, "(declare-datatypes (({name} 0)) (({})))", values.join(" "));
        }
        let _ = writeln!(text, "(declare-sort Symbol 0)");
        let names: Vec<String> = self.symbols.iter().map(|s| literal(*s)).collect();
        for name in &names {
            let _ = writeln!(text, "(declare-const {name} Symbol)");
        }
        if names.len() > 1 {
            let _ = writeln!(text, "(assert (distinct {}))", names.join(" "));
        }
        for line in &self.lines {
            let _ = writeln!(text, "{line}");
        }
        text
    }

    /// Encodes a term over the declared variables.
    ///
    /// # Errors
    /// Terms that are not scalar, or have variables that were not declared.
    pub fn encode(&mut self, term: &Term) -> Result<SmtTerm, SmtError> {
        // Sorts first, so that what follows may take them for granted.
        let mut infer = crate::infer::Infer::new(self.language);
        for (name, _, sort) in &self.scope {
            infer.bind(*name, Ty::Sort(*sort));
        }
        infer.infer(term);
        match infer.errors.into_iter().next() {
            Some(error) => Err(error.into()),
            None => {
                self.kept.push(term.clone());
                self.term(term).map(|(encoded, _)| encoded)
            }
        }
    }

    fn term(&mut self, term: &Term) -> Result<(SmtTerm, Sort), SmtError> {
        let address = term.address();
        if let Some(known) = self.memo.last().and_then(|frame| frame.get(&address)) {
            return Ok(known.clone());
        }
        let result = match term.node() {
            Node::Var(name) => {
                let found = self.scope.iter().rev().find(|(other, _, _)| other == name);
                found.map(|(_, term, sort)| (term.clone(), *sort)).ok_or(SmtError::Unbound(*name))?
            }
            Node::Const(value) => (self.constant(*value), value_sort(*value)),
            Node::App(func, args) => {
                let args = args.iter().map(|arg| self.term(arg)).collect::<Result<Vec<_>, SmtError>>()?;
                self.call(func, args)?
            }
            Node::Let(bindings, body) => {
                let depth = self.scope.len();
                self.memo.push(FxHashMap::default());
                let result = self.bindings(bindings).and_then(|()| self.term(body));
                self.memo.pop();
                self.scope.truncate(depth);
                result?
            }
            Node::Scan(_) => return Err(SmtError::NotScalar("scan".to_owned())),
            Node::Select { .. } => return Err(SmtError::NotScalar("select".to_owned())),
        };
        if let Some(frame) = self.memo.last_mut() {
            frame.insert(address, result.clone());
        }
        Ok(result)
    }

    fn bindings(&mut self, bindings: &[(Symbol, Term)]) -> Result<(), SmtError> {
        for (name, value) in bindings {
            let (term, sort) = self.term(value)?;
            self.scope.push((*name, term, sort));
            if let Some(frame) = self.memo.last_mut() {
                frame.clear();
            }
        }
        Ok(())
    }

    fn constant(&mut self, value: Value) -> SmtTerm {
        let text = match value {
            Value::Undefined => return SmtTerm { value: "0".to_owned(), defined: "false".to_owned() },
            Value::Bool(b) => b.to_string(),
            Value::Int(i) => integer(i),
            Value::Real(r) => real(r),
            Value::BitVec { width, bits } => write_bits(width, bits),
            Value::Symbol(s) => {
                if !self.symbols.contains(&s) {
                    self.symbols.push(s);
                }
                literal(s)
            }
            Value::Enum(_, constructor) => symbol(constructor.as_str()),
        };
        SmtTerm { value: text, defined: "true".to_owned() }
    }

    fn call(&mut self, func: &Func, args: Vec<(SmtTerm, Sort)>) -> Result<(SmtTerm, Sort), SmtError> {
        match func {
            Func::Kernel(kernel) => self.kernel(*kernel, &args),
            Func::Table(table) => self.table(table, &args),
            Func::Lambda(params, body) => self.inline(params.iter().copied(), args, body, None),
            Func::Op(id) => {
                let language = self.language;
                let operator = language.operators.get(id.0 as usize).ok_or(SmtError::MissingOperator)?;
                let params = operator.params.iter().map(|(name, _)| *name);
                self.inline(params, args, &operator.meaning, operator.condition.as_ref())
            }
        }
    }

    fn inline(
        &mut self,
        params: impl Iterator<Item = Symbol>,
        args: Vec<(SmtTerm, Sort)>,
        body: &Term,
        condition: Option<&Term>,
    ) -> Result<(SmtTerm, Sort), SmtError> {
        let params = params.zip(args).map(|(name, (term, sort))| (name, term, sort)).collect();
        let outer = std::mem::replace(&mut self.scope, params);
        self.memo.push(FxHashMap::default());
        let value = self.term(body);
        let condition = condition.map(|condition| self.term(condition)).transpose();
        self.memo.pop();
        self.scope = outer;
        let (mut value, sort) = value?;
        if let Some((condition, _)) = condition? {
            value.defined = conjunction([value.defined, condition.defined, condition.value]);
        }
        Ok((self.named(value, sort)?, sort))
    }

    /// Gives names to formulas that are no atoms, so that text stays linear in the number of different subterms.
    fn named(&mut self, term: SmtTerm, sort: Sort) -> Result<SmtTerm, SmtError> {
        let sort = sort_name(sort)?;
        Ok(SmtTerm { value: self.name('v', term.value, &sort), defined: self.name('d', term.defined, "Bool") })
    }

    fn name(&mut self, prefix: char, text: String, sort: &str) -> String {
        if !text.starts_with('(') || text.len() < 24 {
            return text;
        }
        self.n_defined += 1;
        let name = format!("{prefix}.{}", self.n_defined);
        self.lines.push(format!("(define-fun {name} () {sort} {text})"));
        name
    }

    fn kernel(&mut self, kernel: Kernel, args: &[(SmtTerm, Sort)]) -> Result<(SmtTerm, Sort), SmtError> {
        use Kernel::*;
        let value = |i: usize| args[i].0.value.as_str();
        let all_defined = || conjunction(args.iter().map(|(arg, _)| arg.defined.clone()));
        // `none` has any sort: the others decide.
        let class_sort = |args: &[(SmtTerm, Sort)]| {
            args.iter().find(|(arg, _)| arg.defined != "false").or(args.first()).map_or(Sort::Int, |(_, sort)| *sort)
        };
        let text = args.iter().map(|(arg, _)| arg.value.as_str()).collect::<Vec<_>>().join(" ");
        let plain = format!("({} {text})", kernel.head());
        let sort = match kernel.signature().1 {
            _ if matches!(kernel, Reshape(_)) => {
                let sort = kernel.reshaped(args.iter().map(|(_, sort)| *sort));
                sort.ok_or_else(|| SmtError::NotScalar(kernel.head()))?
            }
            crate::kernel::Slot::Sort(sort) => sort,
            crate::kernel::Slot::Class(_) if kernel == Ite => class_sort(&args[1..]),
            crate::kernel::Slot::Class(_) => class_sort(args),
        };
        let strict = !matches!(kernel, And | Or | Implies | Ite | Defined);
        let never = |arg: &(SmtTerm, Sort)| arg.0.defined == "false";
        if (strict && args.iter().any(never)) || (kernel == Ite && args.first().is_some_and(never)) {
            let value = placeholder(sort);
            return Ok((SmtTerm { value, defined: "false".to_owned() }, sort));
        }
        let (text, defined) = match kernel {
            And | Or | Implies => {
                let ((a, _), (b, _)) = (&args[0], &args[1]);
                let decided = |arg: &SmtTerm, truth: bool| {
                    let value = if truth { arg.value.clone() } else { negation(&arg.value) };
                    conjunction([arg.defined.clone(), value])
                };
                let (by_a, by_b) = match kernel {
                    And => (decided(a, false), decided(b, false)),
                    Or => (decided(a, true), decided(b, true)),
                    _ => (decided(a, false), decided(b, true)),
                };
                let both = conjunction([a.defined.clone(), b.defined.clone()]);
                if both == "true" {
                    (plain, both)
                } else {
                    let truth = match kernel {
                        And => conjunction([a.defined.clone(), a.value.clone(), b.defined.clone(), b.value.clone()]),
                        _ => disjunction([by_a.clone(), by_b.clone()]),
                    };
                    (truth, disjunction([both, by_a, by_b]))
                }
            }
            Ite => {
                let [(c, _), (a, _), (b, _)] = args else { return Err(SmtError::MissingOperator) };
                let shown = |own: &SmtTerm, other: &SmtTerm| {
                    // The placeholder of `none` has a sort that may not fit.
                    if own.defined == "false" { other.value.clone() } else { own.value.clone() }
                };
                let branch = if a.defined == b.defined {
                    a.defined.clone()
                } else {
                    format!("(ite {} {} {})", c.value, a.defined, b.defined)
                };
                let value = format!("(ite {} {} {})", c.value, shown(a, b), shown(b, a));
                (value, conjunction([c.defined.clone(), branch]))
            }
            Defined => (args[0].0.defined.clone(), "true".to_owned()),
            Div | Mod => (plain, conjunction([all_defined(), format!("(distinct {} 0)", value(1))])),
            RealDiv => (plain, conjunction([all_defined(), format!("(distinct {} 0.0)", value(1))])),
            Min => (format!("(ite (<= {0} {1}) {0} {1})", value(0), value(1)), all_defined()),
            Max => (format!("(ite (<= {0} {1}) {1} {0})", value(0), value(1)), all_defined()),
            Abs => {
                let zero = if sort == Sort::Real { "0.0" } else { "0" };
                (format!("(ite (>= {0} {zero}) {0} (- {0}))", value(0)), all_defined())
            }
            Isqrt => {
                self.n_defined += 1;
                let root = format!("r.{}", self.n_defined);
                self.lines.push(format!("(declare-const {root} Int)"));
                let a = value(0);
                self.lines.push(format!(
                    "(assert (=> (>= {a} 0) (and (>= {root} 0) (<= (* {root} {root}) {a}) (< {a} (* (+ {root} 1) (+ {root} 1))))))"
                ));
                (root, conjunction([all_defined(), format!("(>= {a} 0)")]))
            }
            Width | Copy | Mean | Least | Greatest | Mode | SelAnd | SelOr | SelNot | Number | Numeral | Append => {
                return Err(SmtError::NotScalar(kernel.name().to_owned()));
            }
            _ => (plain, all_defined()),
        };
        Ok((self.named(SmtTerm { value: text, defined }, sort)?, sort))
    }

    fn table(&mut self, table: &Table, args: &[(SmtTerm, Sort)]) -> Result<(SmtTerm, Sort), SmtError> {
        let mut value = None;
        let mut defined = "false".to_owned();
        for (keys, result) in table.entries.iter().rev() {
            let tests = keys.iter().zip(args).map(|(key, (arg, _))| match key {
                Value::Undefined => negation(&arg.defined),
                _ => {
                    let key = self.constant(*key);
                    conjunction([arg.defined.clone(), format!("(= {} {})", arg.value, key.value)])
                }
            });
            let tests: Vec<String> = tests.collect();
            let test = self.name('k', conjunction(tests), "Bool");
            let result = self.constant(*result);
            if result.defined == "true" {
                value = Some(match value {
                    None => result.value,
                    Some(rest) => format!("(ite {test} {} {rest})", result.value),
                });
            }
            defined = format!("(ite {test} {} {defined})", result.defined);
        }
        // A table without any value is undefined everywhere.
        let Some(value) = value else {
            return Ok((SmtTerm { value: "0".to_owned(), defined: "false".to_owned() }, table.result));
        };
        Ok((self.named(SmtTerm { value, defined }, table.result)?, table.result))
    }
}

/// The text that Z3 finds unsatisfiable exactly if a rule is sound at the sorts given for its variables: wherever its
/// conditions are true, both sides are undefined or both have the same value. Variables may be undefined.
///
/// # Errors
/// Rules about selectors and scans.
pub fn smt_rule(language: &Language, rule: &Rule, params: &[(Symbol, Sort)]) -> Result<String, SmtError> {
    let mut script = SmtScript::new(language);
    for &(name, sort) in params {
        script.declare(name, sort, true)?;
    }
    for condition in &rule.conditions {
        let condition = script.encode(condition)?;
        script.push(format!("(assert {})", conjunction([condition.defined, condition.value])));
    }
    let (lhs, rhs) = (script.encode(&rule.lhs)?, script.encode(&rule.rhs)?);
    script.push(format!("(assert {})", difference(&lhs, &rhs)));
    script.push("(check-sat)");
    Ok(script.text())
}

/// The text that Z3 finds unsatisfiable exactly if two terms over defined variables have the same values.
///
/// # Errors
/// Terms that are not scalar, or do not have the same sort.
pub fn smt_difference(
    language: &Language,
    vars: &[(Symbol, Sort)],
    left: &Term,
    right: &Term,
) -> Result<String, SmtError> {
    let mut script = SmtScript::new(language);
    for &(name, sort) in vars {
        script.declare(name, sort, false)?;
    }
    let (left, right) = (script.encode(left)?, script.encode(right)?);
    script.push(format!("(assert {})", difference(&left, &right)));
    script.push("(check-sat)");
    Ok(script.text())
}

/// Whether two terms differ: one is defined and the other is not, or both are and have different values.
fn difference(left: &SmtTerm, right: &SmtTerm) -> String {
    if left.defined == "false" || right.defined == "false" {
        return format!("(distinct {} {})", left.defined, right.defined);
    }
    let values = conjunction([left.defined.clone(), format!("(distinct {} {})", left.value, right.value)]);
    if left.defined == right.defined {
        return values;
    }
    disjunction([format!("(distinct {} {})", left.defined, right.defined), values])
}

fn conjunction(parts: impl IntoIterator<Item = String>) -> String {
    join("and", "true", "false", parts)
}

fn disjunction(parts: impl IntoIterator<Item = String>) -> String {
    join("or", "false", "true", parts)
}

fn join(head: &str, unit: &str, zero: &str, parts: impl IntoIterator<Item = String>) -> String {
    let mut kept: Vec<String> = Vec::new();
    for part in parts {
        if part == zero {
            return zero.to_owned();
        }
        if part != unit && !kept.contains(&part) {
            kept.push(part);
        }
    }
    match kept.len() {
        0 => unit.to_owned(),
        1 => kept.remove(0),
        _ => format!("({head} {})", kept.join(" ")),
    }
}

fn negation(text: &str) -> String {
    match text {
        "true" => "false".to_owned(),
        "false" => "true".to_owned(),
        _ => format!("(not {text})"),
    }
}

fn sort_name(sort: Sort) -> Result<String, SmtError> {
    match sort {
        Sort::Selector => Err(SmtError::NotScalar("a selector".to_owned())),
        Sort::Enum(name) => Ok(symbol(name.as_str())),
        other => Ok(other.to_string()),
    }
}

/// Some value, for what has none.
fn placeholder(sort: Sort) -> String {
    match sort {
        Sort::Bool => "false".to_owned(),
        Sort::Real => "0.0".to_owned(),
        Sort::BitVec(width) => write_bits(width, 0),
        _ => "0".to_owned(),
    }
}

fn integer(value: i64) -> String {
    if value < 0 { format!("(- {})", value.unsigned_abs()) } else { value.to_string() }
}

fn real(value: f64) -> String {
    // Display never uses an exponent.
    let mut digits = value.abs().to_string();
    if !digits.contains('.') {
        digits.push_str(".0");
    }
    if value < 0.0 { format!("(- {digits})") } else { digits }
}

/// A literal of the sort Symbol.
fn literal(value: Symbol) -> String {
    symbol(&format!("\"{value}\""))
}

/// A name as an SMT-LIB symbol.
fn symbol(text: &str) -> String {
    let simple = !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "~!@$%^&*_-+=<>.?/".contains(c))
        && !text.starts_with(|c: char| c.is_ascii_digit());
    if simple {
        return text.to_owned();
    }
    // Bars and backslashes cannot stand between bars.
    let mut quoted = String::from("|");
    for c in text.chars() {
        match c {
            '|' | '\\' => quoted.push_str(&format!("${:x}$", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('|');
    quoted
}
