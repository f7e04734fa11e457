//! Grammars of functions to find.

use dsl::sexpr::{Kind, Sexpr};
use dsl::{Func, Node, NonterminalId, Term};
use samples::{Sort, Symbol, Value};

use crate::problem::SynthFun;
use crate::theory;

use super::Reader;
use super::term::literal;

/// The greatest weight of a production.
const WEIGHT_LIMIT: u32 = 1000;

impl Reader<'_> {
    /// `((N S) ...) ((N S (TERM ...)) ...)`; the first list may be missing, as in older files.
    pub(super) fn grammar(&mut self, item: &Sexpr, parts: &[Sexpr], function: &mut SynthFun) {
        let expected = "((NONTERMINAL SORT) ...) ((NONTERMINAL SORT (TERM ...)) ...)";
        let groups = parts.last().and_then(Sexpr::list).filter(|groups| !groups.is_empty() && parts.len() <= 2);
        let Some(groups) = groups else {
            return self.report(item.span, "a grammar lists its nonterminals", expected);
        };
        let mut headed = Vec::new();
        for group in groups {
            let Some([name_item, sort, Sexpr { kind: Kind::List(productions), .. }]) = group.list() else {
                return self.report(group.span, "a nonterminal has a name, a sort and productions", expected);
            };
            let (Some(name), Some(sort)) = (name_item.symbol(), self.sort(sort)) else { return };
            let name = Symbol::new(name);
            if function.grammar.nonterminals.iter().any(|own| own.name == name) {
                return self.report(
                    name_item.span,
                    format!("the nonterminal {name} is there twice"),
                    "one group for each",
                );
            }
            headed.push((function.grammar.add(name, sort), productions));
        }
        if let [declared, _] = parts {
            self.compare_declarations(declared, function);
        }
        let found = function.grammar.nonterminals[0].sort;
        if found != function.sort {
            let report = self.source.report(groups[0].span, "the first nonterminal has not the function's sort");
            self.problems.push(report.expected(function.sort.to_string()).found(found.to_string()));
            return;
        }
        for (id, productions) in headed {
            for production in productions {
                self.production(production, id, function);
            }
        }
    }

    fn compare_declarations(&mut self, declared: &Sexpr, function: &SynthFun) {
        let Some(params) = self.params(declared) else { return };
        let own: Vec<(Symbol, Sort)> = function.grammar.nonterminals.iter().map(|n| (n.name, n.sort)).collect();
        if params != own {
            self.report(declared.span, "the nonterminals declared are not those listed", "the same names and sorts");
        }
    }

    fn production(&mut self, item: &Sexpr, id: NonterminalId, function: &mut SynthFun) {
        let Some((item, weights)) = self.weighted(item) else { return };
        if let Some(sort) = class(item, "Variable") {
            let Some(sort) = self.sort(sort) else { return };
            let params: Vec<Symbol> = function.params.iter().filter(|p| p.1 == sort).map(|p| p.0).collect();
            for name in params {
                self.add(item, &Term::var(name), id, &weights, function);
            }
            return;
        }
        let Some(term) = self.pattern(item, function) else { return };
        self.add(item, &term, id, &weights, function);
    }

    fn add(&mut self, item: &Sexpr, term: &Term, id: NonterminalId, weights: &[u32], function: &mut SynthFun) {
        let mut vars = function.params.clone();
        vars.extend(function.constants.iter().filter_map(|(name, value)| Some((*name, value.sort()?))));
        let is_nonterminal = |name: Symbol| function.grammar.nonterminals.iter().any(|own| own.name == name);
        let n_parts = n_parts(term, &is_nonterminal);
        let is_weighted = weights.iter().any(|&weight| weight > 0);
        if n_parts == 0 && is_weighted {
            return self.report(item.span, "a nonterminal alone has no weight", "weights on terms");
        }
        let cost = (n_parts > 0).then_some(n_parts);
        if let Err(error) = function.grammar.production(id, term, &self.problem.language, &vars, cost) {
            return self.report(item.span, error.to_string(), "a term of the nonterminal's sort");
        }
        if is_weighted {
            let place = function.grammar.nonterminal(id).productions.len() - 1;
            function.weights.insert((id, place), weights.to_vec());
        }
    }

    /// The term of a production: parameters, nonterminals by name, constants, functions of the theories and of the file.
    fn pattern(&mut self, item: &Sexpr, function: &mut SynthFun) -> Option<Term> {
        if let Some(value) = literal(item) {
            return Some(Term::constant(value));
        }
        if let Some(sort) = class(item, "Constant") {
            let sort = self.sort(sort)?;
            let id = function.grammar.any_constant(sort, 1);
            return Some(Term::var(function.grammar.nonterminal(id).name));
        }
        match &item.kind {
            Kind::Symbol(name) => self.pattern_name(item, name, function),
            Kind::List(items) if !items.is_empty() => {
                if let Some(kernel) = theory::indexed(&items[0]) {
                    let args: Option<Vec<Term>> = items[1..].iter().map(|arg| self.pattern(arg, function)).collect();
                    return Some(theory::apply(kernel, args?));
                }
                let Some(name) = items[0].symbol() else {
                    self.report(items[0].span, "not a function that is supported", "a name");
                    return None;
                };
                let args: Vec<Term> =
                    items[1..].iter().map(|arg| self.pattern(arg, function)).collect::<Option<_>>()?;
                self.pattern_call(item, name, args)
            }
            _ => {
                self.report(item.span, format!("{} is no term of these theories", item.describe()), "a term");
                None
            }
        }
    }

    fn pattern_name(&mut self, item: &Sexpr, name: &str, function: &mut SynthFun) -> Option<Term> {
        let symbol = Symbol::new(name);
        let known = function.params.iter().any(|(own, _)| *own == symbol)
            || function.grammar.nonterminals.iter().any(|own| own.name == symbol);
        if !known && !function.constants.iter().any(|(own, _)| *own == symbol) {
            let value = self.constant_definition(item, name)?;
            function.constants.push((symbol, value));
        }
        Some(Term::var(symbol))
    }

    /// The value of a definition without parameters.
    fn constant_definition(&mut self, item: &Sexpr, name: &str) -> Option<Value> {
        if !self.macros.get(name).is_some_and(|known| known.params.is_empty()) {
            let expected = "a parameter, a nonterminal or a defined constant";
            self.report(item.span, format!("{name} is unknown here"), expected);
            return None;
        }
        let (term, _) = self.term(item, &Vec::new(), 0)?;
        let value = theory::closed_value(&term, &self.problem.language);
        if value.is_none() {
            self.report(item.span, format!("{name} is no constant"), "a definition without variables");
        }
        value
    }

    fn pattern_call(&mut self, item: &Sexpr, name: &str, args: Vec<Term>) -> Option<Term> {
        if let Some(id) = self.problem.language.operator(name) {
            return Some(Term::app(Func::Op(id), args));
        }
        if let Some(kernel) = theory::function(name, args.len()) {
            return Some(theory::apply(kernel, args));
        }
        // Written with more than two arguments: printed with two, which is the same term.
        if let (Some(theory::Arity::Left), Some(kernel)) = (theory::arity(name), theory::function(name, 2))
            && args.len() > 2
        {
            return Some(theory::spread(kernel, theory::Arity::Left, &args));
        }
        self.report(item.span, format!("{name} of {} arguments is unknown here", args.len()), "a known function");
        None
    }

    /// A production and its weights: `(! TERM :weight 3)`.
    fn weighted<'i>(&mut self, item: &'i Sexpr) -> Option<(&'i Sexpr, Vec<u32>)> {
        let mut weights = self.default_weights.clone();
        let Some([bang, term, attributes @ ..]) = item.list() else { return Some((item, weights)) };
        if bang.symbol() != Some("!") {
            return Some((item, weights));
        }
        for pair in attributes.chunks(2) {
            let weight = match pair {
                [key, Sexpr { kind: Kind::Int(number), .. }] => {
                    let number = u32::try_from(*number).ok().filter(|&number| number <= WEIGHT_LIMIT);
                    key.keyword().and_then(|name| self.attribute(name)).zip(number)
                }
                _ => None,
            };
            let Some((attribute, number)) = weight else {
                let expected = format!(":NAME N with a weight that is declared and N at most {WEIGHT_LIMIT}");
                self.report(pair[0].span, "not a weight", expected);
                return None;
            };
            weights[attribute] = number;
        }
        Some((term, weights))
    }
}

/// The sort of `(NAME SORT)`.
fn class<'i>(item: &'i Sexpr, name: &str) -> Option<&'i Sexpr> {
    match item.list() {
        Some([head, sort]) if head.symbol() == Some(name) => Some(sort),
        _ => None,
    }
}

/// Functions, variables and constants of a production, nonterminals apart.
fn n_parts(term: &Term, is_nonterminal: &dyn Fn(Symbol) -> bool) -> u32 {
    match term.node() {
        Node::Var(name) => u32::from(!is_nonterminal(*name)),
        Node::App(_, args) => args.iter().fold(1, |sum, arg| sum + n_parts(arg, is_nonterminal)),
        _ => 1,
    }
}
