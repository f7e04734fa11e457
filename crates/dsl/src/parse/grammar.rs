//! Grammars in DSL files.

use samples::{Sort, Symbol};

use crate::diagnostic::{Source, Span};
use crate::grammar::{
    COUNT_LIMIT, Demand, GrammarDefinition, GrammarError, NonterminalDefinition, NonterminalId, Restriction, Used,
    placeholder,
};
use crate::infer::{Infer, Ty};
use crate::language::Language;
use crate::sexpr::{Kind, Sexpr};
use crate::term::Term;

use super::definition::Attributes;
use super::file::Builder;
use super::tail;
use super::term::{Mode, TermParser};

const SHAPE: &str = "(grammar NAME (NONTERMINAL SORT (TERM ...)) ...) or (grammar NAME :sort SORT)";
const RESTRICTIONS: [&str; 3] = ["must-use", "at-most", "no-nesting"];

impl Builder<'_> {
    /// `(grammar NAME (NONTERMINAL SORT (TERM ...) RESTRICTIONS) ... RESTRICTIONS)`.
    pub(super) fn grammar(&mut self, source: Source<'_>, item: &Sexpr, rest: &[Sexpr]) {
        let (positional, attributes) = self.attributes(source, rest, &["sort", "must-use", "at-most", "no-nesting"]);
        let Some(name) = positional.first().and_then(Sexpr::symbol).map(Symbol::new) else {
            return self.report(source, item.span, "this is no grammar", SHAPE);
        };
        if let Some(other) = self.language.grammars.iter().find(|other| other.name == name) {
            let hint = format!("the other one is at {}", other.place);
            let report = source.report(positional[0].span, format!("the grammar {name} exists already"));
            return self.problems.push(report.hint(hint));
        }
        let mut rows = Vec::new();
        for row in tail(positional) {
            let parts = row.list().map(|parts| self.attributes(source, parts, &RESTRICTIONS));
            match parts {
                Some(([name, sort, Sexpr { kind: Kind::List(terms), .. }], own)) if name.symbol().is_some() => {
                    rows.push((name, sort, &terms[..], own));
                }
                _ => self.report(source, row.span, "this is no nonterminal", "(NAME SORT (TERM ...))"),
            }
        }
        let language = std::mem::take(&mut self.language);
        let parser = self.parser(&language, source, Mode::Production);
        let mut reader = Reader { language: &language, parser, names: Vec::new(), vars: Vec::new() };
        let definition = reader.definition(name, item, &rows, &attributes);
        let problems = reader.parser.finish();
        self.language = language;
        self.problems.extend(problems);
        self.language.grammars.extend(definition);
    }
}

/// Name, sort, productions and restrictions of a nonterminal, as written.
type Row<'s> = (&'s Sexpr, &'s Sexpr, &'s [Sexpr], Attributes<'s>);

/// A production and what it is said to cost.
type Priced = (Term, Option<u32>);

struct Reader<'a> {
    language: &'a Language,
    parser: TermParser<'a>,
    /// Nonterminals, and what stands for constants and variables.
    names: Vec<(Symbol, Sort)>,
    /// Variables that productions mention, and the sorts that they must have.
    vars: Vec<(Symbol, Sort)>,
}

impl Reader<'_> {
    fn definition(
        &mut self,
        name: Symbol,
        item: &Sexpr,
        rows: &[Row<'_>],
        attributes: &Attributes<'_>,
    ) -> Option<GrammarDefinition> {
        let place = self.parser.source.place(item.span);
        let sort = self.sort(item, rows, attributes)?;
        let mut definition =
            GrammarDefinition { name, nonterminals: self.nonterminals(rows), sort, restrictions: Vec::new(), place };
        let terms = self.productions(rows);
        self.check_sorts(&terms, item.span);
        for (own, terms) in definition.nonterminals.iter_mut().zip(&terms) {
            own.productions = terms.iter().flatten().cloned().collect();
        }
        if self.parser.problems.is_empty() {
            self.check_productions(&definition, rows);
        }
        for (name, _, _, own) in rows {
            self.restrictions(own, name.symbol().map(Symbol::new), &mut definition);
        }
        self.restrictions(attributes, None, &mut definition);
        if self.parser.problems.is_empty()
            && let Err(error) = definition.build(self.language, &self.trial_variables(&definition))
        {
            self.parser.report(item.span, error.to_string());
        }
        self.parser.problems.is_empty().then_some(definition)
    }

    /// The sort of the grammar's terms: that of the start, or as `:sort` says.
    fn sort(&mut self, item: &Sexpr, rows: &[Row<'_>], attributes: &Attributes<'_>) -> Option<Sort> {
        match (rows.first(), attributes.get("sort")) {
            (Some((_, sort, _, _)), None) => self.parser.sort(sort),
            (None, Some([sort])) => self.parser.sort(sort),
            _ => {
                self.parser.report(item.span, "a grammar has nonterminals, or a sort").expected =
                    Some(SHAPE.to_owned());
                None
            }
        }
    }

    fn nonterminals(&mut self, rows: &[Row<'_>]) -> Vec<NonterminalDefinition> {
        let mut all: Vec<NonterminalDefinition> = Vec::new();
        for (name, sort, terms, _) in rows {
            let symbol = Symbol::new(name.symbol().unwrap_or_default());
            if all.iter().any(|other| other.name == symbol) {
                self.parser.report(name.span, format!("the nonterminal {symbol} is there twice"));
            }
            if terms.is_empty() {
                self.parser.report(name.span, format!("the nonterminal {symbol} has no production"));
            }
            // A sort that is wrong was reported; any other serves until then.
            let sort = self.parser.sort(sort).unwrap_or(Sort::Int);
            all.push(NonterminalDefinition { name: symbol, sort, productions: Vec::new() });
        }
        self.names = all.iter().map(|own| (own.name, own.sort)).collect();
        self.parser.variables = self.names.iter().map(|(name, _)| *name).collect();
        all
    }

    /// The terms of each row; `None` for those that are wrong.
    fn productions(&mut self, rows: &[Row<'_>]) -> Vec<Vec<Option<Priced>>> {
        rows.iter().map(|(_, _, terms, _)| terms.iter().map(|term| self.production(term)).collect()).collect()
    }

    /// A term, or `(! TERM :cost N)`.
    fn production(&mut self, item: &Sexpr) -> Option<Priced> {
        let Some(list) = item.list().filter(|list| list.first().and_then(Sexpr::symbol) == Some("!")) else {
            return Some((self.parser.term(item)?, None));
        };
        match list {
            [_, term, Sexpr { kind: Kind::Keyword(key), .. }, Sexpr { kind: Kind::Int(cost), .. }]
                if key == "cost" && (1..=1_000_000).contains(cost) =>
            {
                Some((self.parser.term(term)?, Some(*cost as u32)))
            }
            _ => {
                self.parser.report(item.span, "this is no production with a cost").expected =
                    Some("(! TERM :cost N) with N from 1 to 1000000".to_owned());
                None
            }
        }
    }

    /// Checks that every production has the sort of its nonterminal, and finds the sorts of variables.
    fn check_sorts(&mut self, terms: &[Vec<Option<Priced>>], whole: Span) {
        let mut infer = Infer::new(self.language);
        let mut sorts: Vec<Sort> = vec![Sort::Bool, Sort::Int, Sort::Real, Sort::Symbol];
        sorts.extend(self.names.iter().map(|(_, sort)| *sort));
        sorts.extend(self.language.enums.iter().map(|own| Sort::Enum(own.name)));
        sorts.extend(self.language.constants.groups.iter().map(|group| group.sort));
        for sort in sorts {
            for word in ["Constant", "Variable"] {
                infer.bind(placeholder(word, sort), Ty::Sort(sort));
            }
        }
        let free: Vec<Symbol> = self.parser.variables[self.names.len()..].to_vec();
        let types: Vec<Ty> = free.iter().map(|_| infer.fresh(None)).collect();
        free.iter().zip(&types).for_each(|(name, ty)| infer.bind(*name, *ty));
        self.names.iter().for_each(|(name, sort)| infer.bind(*name, Ty::Sort(*sort)));
        for ((_, sort), terms) in self.names.iter().zip(terms) {
            for (term, _) in terms.iter().flatten() {
                let found = infer.infer(term);
                infer.expect(term, found, Ty::Sort(*sort), || "the production".to_owned());
            }
        }
        self.parser.report_sorts(&infer, whole);
        self.vars =
            free.into_iter().zip(types).map(|(name, ty)| (name, infer.unifier.sort(ty).unwrap_or(Sort::Int))).collect();
    }

    /// What sorts alone do not say: costs, forms that have no place in a grammar.
    fn check_productions(&mut self, definition: &GrammarDefinition, rows: &[Row<'_>]) {
        let Ok(mut scratch) = definition.frame(self.language, &self.vars) else { return };
        for (index, (own, (_, _, items, _))) in (0..).zip(definition.nonterminals.iter().zip(rows)) {
            for ((term, cost), item) in own.productions.iter().zip(*items) {
                if let Err(error) = scratch.production(NonterminalId(index), term, self.language, &self.vars, *cost) {
                    let hint = matches!(error, GrammarError::Form { .. });
                    let report = self.parser.report(item.span, error.to_string());
                    report.hint = hint.then(|| "an operator that is defined by it may stand here".to_owned());
                }
            }
        }
    }

    fn restrictions(
        &mut self,
        attributes: &Attributes<'_>,
        within: Option<Symbol>,
        definition: &mut GrammarDefinition,
    ) {
        for (key, _, values) in attributes.entries.iter().filter(|(key, _, _)| RESTRICTIONS.contains(key)) {
            let items = match values {
                [Sexpr { kind: Kind::List(list), .. }]
                    if *key != "at-most" || list.iter().all(|i| i.list().is_some()) =>
                {
                    list
                }
                items => *items,
            };
            for item in items {
                if let Some(demand) = self.demand(key, item) {
                    definition.restrictions.push(Restriction { within, demand });
                }
            }
        }
    }

    fn demand(&mut self, key: &str, item: &Sexpr) -> Option<Demand> {
        match (key, item.list()) {
            ("must-use", None) => Some(Demand::MustUse(self.used(item)?)),
            ("at-most", Some([name, Sexpr { kind: Kind::Int(k), .. }])) if (0..=i64::from(COUNT_LIMIT)).contains(k) => {
                Some(Demand::AtMost(self.used(name)?, *k as u32))
            }
            ("no-nesting", None) => {
                let used = self.used(item)?;
                Some(Demand::NoNesting(used, used))
            }
            ("no-nesting", Some([outer, inner])) => Some(Demand::NoNesting(self.used(outer)?, self.used(inner)?)),
            _ => {
                self.parser.report(item.span, "this is no restriction").expected = Some(match key {
                    "must-use" => ":must-use (NAME ...)".to_owned(),
                    "at-most" => format!(":at-most ((NAME K) ...) with K from 0 to {COUNT_LIMIT}"),
                    _ => ":no-nesting (NAME (OUTER INNER) ...)".to_owned(),
                });
                None
            }
        }
    }

    /// An operator, else a variable.
    fn used(&mut self, item: &Sexpr) -> Option<Used> {
        let Some(name) = item.symbol() else {
            self.parser.report(item.span, "an operator or a variable belongs here").found = Some(item.describe());
            return None;
        };
        Some(self.language.operator(name).map_or_else(|| Used::Var(Symbol::new(name)), Used::Op))
    }

    /// The variables that productions mention, those that restrictions name, and one of every sort that
    /// `(Variable S)` may stand for: enough to see whether the restrictions leave a term.
    fn trial_variables(&self, definition: &GrammarDefinition) -> Vec<(Symbol, Sort)> {
        let mut vars = self.vars.clone();
        let sorts = [definition.sort].into_iter().chain(definition.nonterminals.iter().map(|own| own.sort));
        let sorts: Vec<Sort> = sorts.chain([Sort::Int, Sort::Bool, Sort::Symbol]).collect();
        for own in &definition.restrictions {
            let named = match own.demand {
                Demand::MustUse(a) | Demand::AtMost(a, _) => [a, a],
                Demand::NoNesting(a, b) => [a, b],
            };
            for used in named {
                if let Used::Var(name) = used
                    && self.vars.iter().all(|(other, _)| *other != name)
                {
                    // Of what sort it is only the inputs say: any that fits will do.
                    vars.extend(sorts.iter().map(|&sort| (name, sort)));
                }
            }
        }
        vars.extend(sorts.iter().map(|&sort| (placeholder("any", sort), sort)));
        vars
    }
}
