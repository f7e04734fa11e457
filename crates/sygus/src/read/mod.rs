//! Reading SyGuS-IF 2.1 (Padhi et al., arXiv 2312.06001): the commands of a file, in order.

mod grammar;
mod term;
mod weights;

use dsl::sexpr::{self, Kind, Sexpr, quote_symbol};
use dsl::{Diagnostic, Diagnostics, Facts, Grammar, Language, Operator, SortPattern, Source, Span, Term, line_starts};
use rustc_hash::FxHashMap;
use samples::{Sort, Symbol};

use crate::problem::{Application, Logic, Problem, ScriptItem, SynthFun};
use crate::theory;
use crate::weight::{Tariff, Weights};

use self::term::Scope;

/// Problems after which reading stops.
const REPORT_LIMIT: usize = 20;
/// Functions to find, and definitions, that a file may have.
const FUNCTION_LIMIT: usize = 1000;

impl Problem {
    /// Reads a SyGuS-IF file. `origin` names it in messages.
    ///
    /// # Errors
    /// Everything that is wrong or not supported, with its place.
    pub fn parse(origin: &str, text: &str) -> Result<Self, Diagnostics> {
        let lines = line_starts(text);
        let source = Source::new(origin, text, &lines);
        let mut problems = Vec::new();
        let commands = sexpr::read(source, &mut problems);
        let mut reader = Reader::new(source, text, problems);
        for command in &commands {
            if reader.problems.len() >= REPORT_LIMIT {
                break;
            }
            reader.command(command);
        }
        reader.finish(text.len())
    }
}

/// A `define-fun`: expanded in formulas, an operator in grammars.
struct Macro<'s> {
    params: Vec<(Symbol, Sort)>,
    sort: Sort,
    body: &'s Sexpr,
}

struct Reader<'s> {
    source: Source<'s>,
    text: &'s str,
    problems: Vec<Diagnostic>,
    problem: Problem,
    sorts: FxHashMap<String, Sort>,
    macros: FxHashMap<String, Macro<'s>>,
    /// The default values of [`Problem::weights`].
    default_weights: Vec<u32>,
    /// Applications of definitions that were expanded.
    n_expanded: usize,
    /// The name of the logic, where the file sets one.
    logic: Option<String>,
    /// Whether a solution was asked for.
    asked: bool,
}

impl<'s> Reader<'s> {
    fn new(source: Source<'s>, text: &'s str, problems: Vec<Diagnostic>) -> Self {
        let mut language = Language::default();
        language.variable_cost = 1;
        let problem = Problem {
            logic: Logic::default(),
            language,
            functions: Vec::new(),
            variables: Vec::new(),
            constraints: Vec::new(),
            assumptions: Vec::new(),
            applications: Vec::new(),
            weights: vec![Symbol::new("weight")],
            objective: None,
            weight_bounds: Vec::new(),
            warnings: Vec::new(),
            script: Vec::new(),
        };
        let (sorts, macros) = (FxHashMap::default(), FxHashMap::default());
        Self {
            source,
            text,
            problems,
            problem,
            sorts,
            macros,
            default_weights: vec![0],
            n_expanded: 0,
            logic: None,
            asked: false,
        }
    }

    fn finish(mut self, end: usize) -> Result<Problem, Diagnostics> {
        let span = Span { start: end.saturating_sub(1), end };
        if self.problem.functions.is_empty() && self.problems.is_empty() {
            self.report(span, "the file asks for no function", "(synth-fun NAME ((PARAMETER SORT) ...) SORT)");
        }
        if !self.asked && self.problems.is_empty() {
            self.report(span, "the file never asks for a solution", "(check-synth) at the end");
        }
        let targets = self.problem.targets();
        if self.problems.is_empty()
            && let Some(first) = targets.first()
            && !self.problem.charge(&Tariff::of_one(first))
        {
            self.report(span, "weights times their factors are too great", "smaller ones");
        }
        if self.problems.is_empty() { Ok(self.problem) } else { Err(Diagnostics { items: self.problems }) }
    }

    fn report(&mut self, span: Span, message: impl Into<String>, expected: impl Into<String>) {
        self.problems.push(self.source.report(span, message).expected(expected));
    }

    /// The weight attribute with a name.
    fn attribute(&self, name: &str) -> Option<usize> {
        self.problem.weights.iter().position(|own| own.as_str() == name)
    }

    fn slice(&self, span: Span) -> String {
        self.text.get(span.start..span.end).unwrap_or_default().to_owned()
    }

    fn command(&mut self, item: &'s Sexpr) {
        let Some((head, rest)) =
            item.list().and_then(|list| Some((list.first()?.symbol()?, list.get(1..).unwrap_or_default())))
        else {
            return self.report(item.span, "a SyGuS-IF file is a list of commands", "(COMMAND ...)");
        };
        if self.asked {
            return self.report(item.span, "a command after the solution was asked for", "one question a file");
        }
        match head {
            "set-logic" => self.set_logic(item, rest),
            "set-option" | "set-info" | "set-feature" => {}
            "define-sort" => self.define_sort(item, rest),
            "declare-var" => self.declare_var(item, rest),
            "define-fun" => self.define_fun(item, rest),
            "synth-fun" => self.synth_fun(item, rest),
            "constraint" => self.constraint(item, rest, false),
            "assume" => self.constraint(item, rest, true),
            "inv-constraint" => self.inv_constraint(item, rest),
            "chc-constraint" => self.chc_constraint(item, rest),
            "declare-weight" => weights::declare(self, item, rest),
            "optimize-synth" => {
                self.asked = true;
                self.problem.objective = weights::objective(self, item, rest);
            }
            "check-synth" => self.asked = true,
            _ => {
                let known = "set-logic, define-sort, declare-var, define-fun, synth-fun, constraint, assume, \
                             inv-constraint, chc-constraint, declare-weight, optimize-synth, check-synth";
                self.report(item.span, format!("the command {head} is not supported"), known);
            }
        }
    }

    fn set_logic(&mut self, item: &Sexpr, rest: &[Sexpr]) {
        let name = rest.first().and_then(Sexpr::symbol).unwrap_or_default();
        let base = ["PBE_", "Inv_", "CHC_"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
        self.problem.logic = match base {
            "LIA" => Logic { integers: true, ..Logic::default() },
            "NIA" => Logic { integers: true, nonlinear: true, ..Logic::default() },
            "BV" => Logic { bitvectors: true, ..Logic::default() },
            "Core" => Logic::default(),
            "ALL" => Logic { integers: true, nonlinear: true, bitvectors: true },
            _ => {
                let expected = "LIA, NIA, BV, Core or ALL";
                return self.report(item.span, format!("the logic {name} is not supported"), expected);
            }
        };
        self.logic = Some(base.to_owned());
    }

    /// Says, once, that the logic does not have what stands somewhere.
    fn warn(&mut self, span: Span, what: &str, hint: &str) {
        let Some(logic) = &self.logic else { return };
        let message = format!("the logic {logic} has no {what}; it is read all the same");
        if self.problem.warnings.iter().all(|known| known.message != message) {
            let warning = self.source.report(span, message).hint(hint);
            self.problem.warnings.push(Diagnostic { is_warning: true, ..warning });
        }
    }

    /// Says so where a formula, with definitions in place, goes beyond a linear logic.
    fn warn_of_products(&mut self, item: &Sexpr, formula: &Term) {
        let Logic { integers, nonlinear, .. } = self.problem.logic;
        if integers && !nonlinear && !theory::is_linear(formula) {
            self.warn(item.span, "products of unknowns, nor quotients by them", "(set-logic NIA) has them");
        }
    }

    fn sort(&mut self, item: &Sexpr) -> Option<Sort> {
        let sort = match &item.kind {
            Kind::Symbol(name) => match name.as_str() {
                "Bool" => Some(Sort::Bool),
                "Int" => Some(Sort::Int),
                _ => self.sorts.get(name).copied(),
            },
            Kind::List(items) => match items.as_slice() {
                [underscore, name, Sexpr { kind: Kind::Int(width), .. }]
                    if underscore.symbol() == Some("_") && name.symbol() == Some("BitVec") =>
                {
                    u8::try_from(*width).ok().filter(|width| (1..=Sort::MAX_WIDTH).contains(width)).map(Sort::BitVec)
                }
                _ => None,
            },
            _ => None,
        };
        let logic = self.problem.logic;
        match sort {
            Some(Sort::Int) if !logic.integers => self.warn(item.span, "integers", "(set-logic LIA) has them"),
            Some(Sort::BitVec(_)) if !logic.bitvectors => {
                self.warn(item.span, "bit-vectors", "(set-logic BV) has them");
            }
            _ => {}
        }
        if sort.is_none() {
            let report = self.source.report(item.span, "not a sort that is supported");
            let expected = "Bool, Int, (_ BitVec N) with N from 1 to 64, or a defined sort";
            self.problems.push(report.expected(expected).found(item.describe()));
        }
        sort
    }

    fn define_sort(&mut self, item: &Sexpr, rest: &[Sexpr]) {
        match rest {
            [name, Sexpr { kind: Kind::List(params), .. }, sort] if params.is_empty() => {
                let (Some(name), Some(sort)) = (name.symbol(), self.sort(sort)) else { return };
                self.sorts.insert(name.to_owned(), sort);
                self.keep(item);
            }
            _ => self.report(item.span, "a sort is defined without parameters", "(define-sort NAME () SORT)"),
        }
    }

    fn keep(&mut self, item: &Sexpr) {
        let text = self.slice(item.span);
        self.problem.script.push(ScriptItem::Text(text));
    }

    /// Whether a name is free; says so if it is not.
    fn is_new(&mut self, item: &Sexpr, name: &str) -> bool {
        let symbol = Symbol::new(name);
        let taken = self.macros.contains_key(name)
            || self.problem.functions.iter().any(|function| function.name == symbol)
            || self.problem.variables.iter().any(|(own, _)| *own == symbol)
            || theory::arity(name).is_some();
        if taken {
            self.report(item.span, format!("the name {name} is taken"), "another name");
        }
        !taken
    }

    fn declare_var(&mut self, item: &Sexpr, rest: &[Sexpr]) {
        let [name_item, sort] = rest else {
            return self.report(item.span, "a variable has a name and a sort", "(declare-var NAME SORT)");
        };
        let (Some(name), Some(sort)) = (name_item.symbol(), self.sort(sort)) else { return };
        if self.is_new(name_item, name) {
            self.add_variable(Symbol::new(name), sort);
        }
    }

    fn add_variable(&mut self, name: Symbol, sort: Sort) {
        self.problem.variables.push((name, sort));
        let name = quote_symbol(name.as_str());
        self.problem.script.push(ScriptItem::Text(format!("(declare-const {name} {sort})")));
    }

    fn params(&mut self, item: &Sexpr) -> Option<Vec<(Symbol, Sort)>> {
        let Some(items) = item.list() else {
            self.report(item.span, "parameters stand in a list", "((NAME SORT) ...)");
            return None;
        };
        items
            .iter()
            .map(|param| match param.list() {
                Some([name, sort]) => Some((Symbol::new(name.symbol()?), self.sort(sort)?)),
                _ => {
                    self.report(param.span, "a parameter has a name and a sort", "(NAME SORT)");
                    None
                }
            })
            .collect()
    }

    fn define_fun(&mut self, item: &'s Sexpr, rest: &'s [Sexpr]) {
        let [name_item, params, sort, body] = rest else {
            let expected = "(define-fun NAME ((PARAM SORT) ...) SORT TERM)";
            return self.report(item.span, "a definition has four parts", expected);
        };
        let (Some(name), Some(params), Some(sort)) = (name_item.symbol(), self.params(params), self.sort(sort)) else {
            return;
        };
        if !self.is_new(name_item, name) || self.macros.len() >= FUNCTION_LIMIT {
            return;
        }
        let n_applications = self.problem.applications.len();
        let scope: Scope = params.iter().map(|&(name, sort)| (name, Term::var(name), sort)).collect();
        let Some(meaning) = self.term_of_sort(body, &scope, sort) else { return };
        // What applies a function to find is expanded in formulas and has no meaning of its own.
        let is_plain = self.problem.applications.len() == n_applications;
        self.problem.applications.truncate(n_applications);
        if is_plain && !params.is_empty() {
            self.problem.language.define(Operator {
                name: Symbol::new(name),
                params: params.iter().map(|&(name, sort)| (name, SortPattern::Sort(sort))).collect(),
                result: SortPattern::Sort(sort),
                meaning,
                condition: None,
                cost: 1,
                charges: vec![0; params.len()],
                facts: Facts::default(),
                total: false,
                place: self.source.place(item.span),
            });
        }
        self.macros.insert(name.to_owned(), Macro { params, sort, body });
        self.keep(item);
    }

    fn synth_fun(&mut self, item: &'s Sexpr, rest: &'s [Sexpr]) {
        let [name_item, params, sort, grammar @ ..] = rest else {
            let expected = "(synth-fun NAME ((PARAM SORT) ...) SORT GRAMMAR)";
            return self.report(item.span, "not a function to find", expected);
        };
        let (Some(name), Some(params), Some(sort)) = (name_item.symbol(), self.params(params), self.sort(sort)) else {
            return;
        };
        if !self.is_new(name_item, name) || self.problem.functions.len() >= FUNCTION_LIMIT {
            return;
        }
        let mut function = SynthFun {
            name: Symbol::new(name),
            params,
            sort,
            grammar: Grammar::default(),
            weights: Weights::default(),
            has_grammar: !grammar.is_empty(),
            constants: Vec::new(),
        };
        if !grammar.is_empty() {
            self.grammar(item, grammar, &mut function);
        }
        self.problem.script.push(ScriptItem::Function(self.problem.functions.len()));
        self.problem.functions.push(function);
    }

    fn constraint(&mut self, item: &'s Sexpr, rest: &'s [Sexpr], assumed: bool) {
        let [formula] = rest else {
            return self.report(item.span, "a constraint is one formula", "(constraint TERM)");
        };
        if !assumed && let Some(bound) = weights::bound(self, formula) {
            return self.problem.weight_bounds.extend(bound);
        }
        let text = self.slice(formula.span);
        let Some(term) = self.term_of_sort(formula, &Scope::new(), Sort::Bool) else { return };
        self.warn_of_products(formula, &term);
        let (formulas, script) = if assumed {
            (&mut self.problem.assumptions, ScriptItem::Assumption(text))
        } else {
            (&mut self.problem.constraints, ScriptItem::Constraint(text))
        };
        formulas.push(term);
        self.problem.script.push(script);
    }

    /// `(inv-constraint S PRE TRANS POST)`: three implications over fresh variables.
    fn inv_constraint(&mut self, item: &'s Sexpr, rest: &'s [Sexpr]) {
        let names: Option<Vec<&str>> = rest.iter().map(Sexpr::symbol).collect();
        let expected = "(inv-constraint INVARIANT PRE TRANSITION POST), all of them known functions";
        let Some([inv, pre, trans, post]) = names.as_deref() else {
            return self.report(item.span, "an invariant constraint has four names", expected);
        };
        let symbol = Symbol::new(inv);
        let Some(function) = self.problem.functions.iter().find(|function| function.name == symbol) else {
            return self.report(item.span, format!("{inv} is no function to find"), expected);
        };
        let params = function.params.clone();
        let n = self.problem.variables.len();
        let now = self.fresh(&format!("now{n}"), &params);
        let next = self.fresh(&format!("next{n}"), &params);
        let [inv, pre, trans, post] = [inv, pre, trans, post].map(|name| quote_symbol(name));
        self.generated(item, format!("(=> ({pre} {now}) ({inv} {now}))"));
        self.generated(item, format!("(=> (and ({inv} {now}) ({trans} {now} {next})) ({inv} {next}))"));
        self.generated(item, format!("(=> ({inv} {now}) ({post} {now}))"));
    }

    /// New variables named after parameters; their names, as text.
    fn fresh(&mut self, prefix: &str, params: &[(Symbol, Sort)]) -> String {
        let mut names = Vec::new();
        for (name, sort) in params {
            let name = Symbol::new(&format!("{prefix}.{name}"));
            self.add_variable(name, *sort);
            names.push(quote_symbol(name.as_str()));
        }
        names.join(" ")
    }

    /// `(chc-constraint ((x S) ...) BODY HEAD)`.
    fn chc_constraint(&mut self, item: &'s Sexpr, rest: &'s [Sexpr]) {
        let [params, body, head] = rest else {
            return self.report(item.span, "not a Horn clause", "(chc-constraint ((NAME SORT) ...) BODY HEAD)");
        };
        let Some(params) = self.params(params) else { return };
        let names = self.fresh(&format!("chc{}", self.problem.variables.len()), &params);
        let pairs = params.iter().zip(names.split(' '));
        let bindings: Vec<String> =
            pairs.map(|((name, _), fresh)| format!("({} {fresh})", quote_symbol(name.as_str()))).collect();
        let implication = format!("(=> {} {})", self.slice(body.span), self.slice(head.span));
        let bound = format!("(let ({}) {implication})", bindings.join(" "));
        self.generated(item, if bindings.is_empty() { implication } else { bound });
    }

    /// A constraint that a command stands for; what is wrong with it is reported at the command.
    fn generated(&mut self, item: &Sexpr, text: String) {
        let lines = line_starts(&text);
        let items = sexpr::read(Source::new("", &text, &lines), &mut Vec::new());
        let before = self.problems.len();
        let term = items.first().and_then(|formula| self.term_of_sort(formula, &Scope::new(), Sort::Bool));
        let wrong = self.problems.drain(before..).next();
        if let Some(first) = wrong {
            self.report(item.span, first.message, first.expected.unwrap_or_default());
        } else if let Some(term) = term {
            self.warn_of_products(item, &term);
            self.problem.constraints.push(term);
            self.problem.script.push(ScriptItem::Constraint(text));
        }
    }

    /// The variable that stands for an application of a function to find.
    fn application(&mut self, function: usize, args: Vec<Term>) -> Term {
        let applications = &mut self.problem.applications;
        let known = applications.iter().find(|own| own.function == function && own.args == args);
        if let Some(known) = known {
            return Term::var(known.name);
        }
        // No file can name this: a symbol has no `|` in it.
        let name = Symbol::new(&format!("{}|{}", self.problem.functions[function].name, applications.len()));
        applications.push(Application { name, function, args });
        Term::var(name)
    }
}
