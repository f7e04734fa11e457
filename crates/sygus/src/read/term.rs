//! SMT-LIB terms: names, literals, `let`, functions of the theories, of the file, and those to find.

use dsl::sexpr::{Kind, Sexpr};
use dsl::{Kernel, Term};
use samples::{Sort, Symbol, Value};

use crate::theory::{self, Arity};

use super::Reader;

/// Names in scope, with what they stand for; the last one counts.
pub(super) type Scope = Vec<(Symbol, Term, Sort)>;

/// Applications of the file's functions within each other that are expanded.
const DEPTH_LIMIT: usize = 64;
/// Applications of the file's functions that are expanded in all.
const EXPANSION_LIMIT: usize = 200_000;
/// Nodes of a formula, once definitions and lets are expanded.
const SIZE_LIMIT: u64 = 100_000;

type Typed = (Term, Sort);

impl Reader<'_> {
    /// A term of a sort; `None`, with a report, if it is not.
    pub(super) fn term_of_sort(&mut self, item: &Sexpr, scope: &Scope, sort: Sort) -> Option<Term> {
        let (term, found) = self.term(item, scope, 0)?;
        if found != sort {
            let report = self.source.report(item.span, "a term of another sort");
            self.problems.push(report.expected(sort.to_string()).found(found.to_string()));
            return None;
        }
        if theory::tree_size(&term) > SIZE_LIMIT {
            self.report(
                item.span,
                "too large a term, once definitions and lets are expanded",
                format!("{SIZE_LIMIT} nodes"),
            );
            return None;
        }
        Some(term)
    }

    pub(super) fn term(&mut self, item: &Sexpr, scope: &Scope, depth: usize) -> Option<Typed> {
        if let Some(value) = literal(item) {
            return Some((Term::constant(value), value.sort()?));
        }
        match &item.kind {
            Kind::Symbol(name) => self.name(item, name, scope, depth),
            Kind::List(items) => match items.split_first() {
                Some((head, rest)) => self.list(item, head, rest, scope, depth),
                None => {
                    self.report(item.span, "an empty list is no term", "(FUNCTION TERM ...)");
                    None
                }
            },
            _ => {
                self.report(item.span, format!("{} is no term of these theories", item.describe()), "a term");
                None
            }
        }
    }

    fn name(&mut self, item: &Sexpr, name: &str, scope: &Scope, depth: usize) -> Option<Typed> {
        let symbol = Symbol::new(name);
        if let Some((_, term, sort)) = scope.iter().rev().find(|(own, _, _)| *own == symbol) {
            return Some((term.clone(), *sort));
        }
        if let Some(&(_, sort)) = self.problem.variables.iter().find(|(own, _)| *own == symbol) {
            return Some((Term::var(symbol), sort));
        }
        self.call(item, name, Vec::new(), depth)
    }

    fn list(&mut self, item: &Sexpr, head: &Sexpr, rest: &[Sexpr], scope: &Scope, depth: usize) -> Option<Typed> {
        if let Some(kernel) = theory::indexed(head) {
            let args: Vec<Typed> = rest.iter().map(|arg| self.term(arg, scope, depth)).collect::<Option<_>>()?;
            return self.typed(item, &kernel.head(), &args, |_, args| Some(theory::apply(kernel, args.to_vec())));
        }
        let Some(name) = head.symbol() else {
            self.report(head.span, "not a function that is supported", "a name");
            return None;
        };
        match (name, rest) {
            ("!", [term, ..]) => return self.term(term, scope, depth),
            ("let", [Sexpr { kind: Kind::List(bindings), .. }, body]) => {
                return self.bindings(bindings, body, scope, depth);
            }
            ("forall" | "exists", _) => {
                self.report(item.span, "quantifiers are not supported", "a formula without them");
                return None;
            }
            _ => {}
        }
        let args: Vec<Typed> = rest.iter().map(|arg| self.term(arg, scope, depth)).collect::<Option<_>>()?;
        self.call(item, name, args, depth)
    }

    fn bindings(&mut self, bindings: &[Sexpr], body: &Sexpr, scope: &Scope, depth: usize) -> Option<Typed> {
        let mut inner = scope.clone();
        for binding in bindings {
            let Some([name, value]) = binding.list() else {
                self.report(binding.span, "a binding has a name and a term", "(NAME TERM)");
                return None;
            };
            let name = Symbol::new(name.symbol()?);
            let (term, sort) = self.term(value, scope, depth)?;
            inner.push((name, term, sort));
        }
        self.term(body, &inner, depth)
    }

    fn call(&mut self, item: &Sexpr, name: &str, args: Vec<Typed>, depth: usize) -> Option<Typed> {
        let symbol = Symbol::new(name);
        if let Some(index) = self.problem.functions.iter().position(|function| function.name == symbol) {
            let function = &self.problem.functions[index];
            let (sort, wanted) = (function.sort, function.params.clone());
            self.check_args(item, name, &args, &wanted)?;
            let args = args.into_iter().map(|(term, _)| term).collect();
            return Some((self.application(index, args), sort));
        }
        if let Some(known) = self.macros.get(name) {
            let (params, sort, body) = (known.params.clone(), known.sort, known.body);
            self.check_args(item, name, &args, &params)?;
            self.n_expanded += 1;
            if depth >= DEPTH_LIMIT || self.n_expanded > EXPANSION_LIMIT {
                let expected = format!("{DEPTH_LIMIT} within each other, {EXPANSION_LIMIT} in all");
                self.report(item.span, "too many applications of definitions", expected);
                return None;
            }
            let scope: Scope = params.iter().zip(args).map(|(&(name, sort), (term, _))| (name, term, sort)).collect();
            return self.term(body, &scope, depth + 1).map(|(term, _)| (term, sort));
        }
        self.theory(item, name, &args)
    }

    fn check_args(&mut self, item: &Sexpr, name: &str, args: &[Typed], params: &[(Symbol, Sort)]) -> Option<()> {
        let found: Vec<Sort> = args.iter().map(|(_, sort)| *sort).collect();
        let wanted: Vec<Sort> = params.iter().map(|(_, sort)| *sort).collect();
        if found == wanted {
            return Some(());
        }
        let report = self.source.report(item.span, format!("{name} does not take these arguments"));
        self.problems.push(report.expected(show(&wanted)).found(show(&found)));
        None
    }

    /// A function of the theories, or `None` with a report.
    fn theory(&mut self, item: &Sexpr, name: &str, args: &[Typed]) -> Option<Typed> {
        let Some(arity) = theory::arity(name) else {
            let hint = format!("functions of the theories are {}", theory::names().collect::<Vec<_>>().join(" "));
            self.problems.push(self.source.report(item.span, format!("{name} is unknown")).hint(hint));
            return None;
        };
        self.typed(item, name, args, |reader, args| reader.spread(item, name, arity, args))
    }

    /// The term that `build` makes of arguments, if it has a sort; else `None`, with a report.
    fn typed(
        &mut self,
        item: &Sexpr,
        name: &str,
        args: &[Typed],
        build: impl Fn(&mut Self, &[Term]) -> Option<Term>,
    ) -> Option<Typed> {
        // The sorts are checked on a term of the same shape without what stands below.
        let vars: Vec<(Symbol, Sort)> =
            args.iter().enumerate().map(|(i, (_, sort))| (Symbol::new(&format!("argument {i}")), *sort)).collect();
        let shape: Vec<Term> = vars.iter().map(|&(name, _)| Term::var(name)).collect();
        let shape = build(self, &shape)?;
        match dsl::sort_of(&shape, &self.problem.language, &vars) {
            Ok(sort) => {
                let args: Vec<Term> = args.iter().map(|(term, _)| term.clone()).collect();
                Some((build(self, &args)?, sort))
            }
            Err(error) => {
                let found: Vec<Sort> = vars.iter().map(|(_, sort)| *sort).collect();
                let report = self.source.report(item.span, format!("{name} does not take these arguments: {error}"));
                self.problems.push(report.found(show(&found)));
                None
            }
        }
    }

    /// The binary applications that one of any number of arguments stands for.
    fn spread(&mut self, item: &Sexpr, name: &str, arity: Arity, args: &[Term]) -> Option<Term> {
        if let Some(kernel) = theory::function(name, args.len()) {
            return Some(theory::apply(kernel, args.to_vec()));
        }
        let binary = theory::function(name, 2).filter(|_| arity != Arity::Fixed && args.len() > 2);
        let Some(kernel) = binary else {
            self.report(item.span, format!("{name} does not take {} arguments", args.len()), "another number");
            return None;
        };
        Some(theory::spread(kernel, arity, args))
    }
}

fn show(sorts: &[Sort]) -> String {
    format!("({})", sorts.iter().map(Sort::to_string).collect::<Vec<_>>().join(" "))
}

/// A literal; `(- 3)` is one.
pub(super) fn literal(item: &Sexpr) -> Option<Value> {
    match &item.kind {
        Kind::Int(value) => Some(Value::Int(*value)),
        Kind::BitVec(width, bits) => Some(Value::bit_vec(*width, *bits)),
        Kind::Symbol(name) if name == "true" => Some(Value::Bool(true)),
        Kind::Symbol(name) if name == "false" => Some(Value::Bool(false)),
        Kind::List(items) => match items.as_slice() {
            [minus, Sexpr { kind: Kind::Int(value), .. }] if minus.symbol() == Some(Kernel::Neg.name()) => {
                value.checked_neg().map(Value::Int)
            }
            [underscore, name, Sexpr { kind: Kind::Int(width), .. }] if underscore.symbol() == Some("_") => {
                let digits = name.symbol()?.strip_prefix("bv")?;
                let width = u8::try_from(*width).ok().filter(|width| (1..=Sort::MAX_WIDTH).contains(width))?;
                Some(Value::bit_vec(width, digits.parse().ok()?))
            }
            _ => None,
        },
        _ => None,
    }
}
