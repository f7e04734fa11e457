//! Functions that a search is to find: `synth-fun` in DSL files.

use samples::{Sort, Symbol, Value};

use crate::diagnostic::Source;
use crate::language::{SortPattern, Wanted, WantedParam};
use crate::sexpr::{Kind, Sexpr};

use super::definition::{Attributes, check_definition, parameters, sort_or_range};
use super::file::Builder;
use super::term::{Mode, TermParser};

const SHAPE: &str = "(synth-fun NAME ((PARAM SORT) ...) SORT :means TERM) or (synth-fun NAME ((PARAM SORT) ...) SORT :examples ((VALUE ...) VALUE) ...)";

impl Builder<'_> {
    /// `(synth-fun NAME ((PARAM SORT) ...) SORT :grammar NAME :means TERM)`, or with `:examples ((VALUE ...) VALUE) ...`.
    pub(super) fn synth_fun(&mut self, source: Source<'_>, item: &Sexpr, rest: &[Sexpr]) {
        let (positional, attributes) = self.attributes(source, rest, &["grammar", "means", "examples"]);
        let [name_item, params, result] = positional else {
            return self.report(source, item.span, "this is no function to be found", SHAPE);
        };
        let Some(name) = self.new_name(source, Some(name_item), item.span) else { return };
        if let Some(other) = self.language.wanted.iter().find(|other| other.name == name) {
            let hint = format!("the other one is at {}", other.place);
            let report = source.report(name_item.span, format!("the function {name} is to be found already"));
            return self.problems.push(report.hint(hint));
        }
        let language = std::mem::take(&mut self.language);
        let mut parser = self.parser(&language, source, Mode::Meaning);
        let (patterns, ranges) = parameters(&mut parser, params);
        let (result_pattern, _) = sort_or_range(&mut parser, result);
        parser.variables = patterns.iter().map(|(name, _)| *name).collect();
        let fixed = |pattern: SortPattern| if let SortPattern::Sort(sort) = pattern { Some(sort) } else { None };
        let sorts: Option<Vec<Sort>> = patterns.iter().map(|(_, pattern)| fixed(*pattern)).collect();
        let is_searched = |sort: &Sort| *sort != Sort::Selector;
        let signature = sorts.zip(result_pattern.and_then(fixed));
        let signature =
            signature.filter(|(sorts, result)| !sorts.is_empty() && sorts.iter().chain([result]).all(is_searched));
        if signature.is_none() && parser.problems.is_empty() {
            parser.report(item.span, "a function to be found has parameters and a result of fixed sorts").expected =
                Some("at least one parameter; sorts of values, no sort variables and no selectors".to_owned());
        }
        let mut meaning = None;
        let mut examples = Vec::new();
        if let (Some((sorts, result)), Some(pattern)) = (&signature, result_pattern) {
            match (attributes.get("means"), attributes.get("examples")) {
                (Some([term_item]), None) => {
                    meaning = parser.term(term_item);
                    if let Some(term) = &meaning {
                        check_definition(&mut parser, &language, &patterns, pattern, (term, term_item), (None, None));
                    }
                }
                (None, Some(rows)) if !rows.is_empty() => {
                    examples = rows.iter().filter_map(|row| example(&mut parser, row, sorts, *result)).collect();
                }
                _ => {
                    let report = parser.report(item.span, "a function to be found has a meaning, or examples");
                    report.expected = Some(SHAPE.to_owned());
                }
            }
        }
        let grammar = signature.as_ref().and_then(|(_, result)| grammar(&mut parser, &attributes, *result));
        let place = source.place(item.span);
        let problems = parser.finish();
        self.language = language;
        let fits = problems.is_empty();
        self.problems.extend(problems);
        let Some((sorts, result)) = signature.filter(|_| fits) else { return };
        let range = |name: Symbol| ranges.iter().find(|(own, _)| *own == name).map(|(_, range)| *range);
        let param = |(&(name, _), sort): (&(Symbol, SortPattern), Sort)| WantedParam { name, sort, range: range(name) };
        let params = patterns.iter().zip(sorts).map(param).collect();
        self.language.wanted.push(Wanted { name, params, result, grammar, meaning, examples, place });
    }
}

/// `((VALUE ...) VALUE)`.
fn example(parser: &mut TermParser<'_>, row: &Sexpr, sorts: &[Sort], result: Sort) -> Option<(Vec<Value>, Value)> {
    let shape = || Some(format!("((VALUE ...) VALUE) with {} arguments", sorts.len()));
    match row.list() {
        Some([Sexpr { kind: Kind::List(keys), .. }, value]) if keys.len() == sorts.len() => {
            let keys: Vec<Option<Value>> =
                keys.iter().zip(sorts).map(|(key, &sort)| parser.value_of_sort(key, sort)).collect();
            let value = parser.value_of_sort(value, result);
            Some((keys.into_iter().collect::<Option<_>>()?, value?))
        }
        _ => {
            parser.report(row.span, "this is no example").expected = shape();
            None
        }
    }
}

/// The grammar that is named, which builds terms of the result's sort.
fn grammar(parser: &mut TermParser<'_>, attributes: &Attributes<'_>, result: Sort) -> Option<Symbol> {
    let (_, span, values) = attributes.entries.iter().find(|(key, _, _)| *key == "grammar")?;
    let known = &parser.language.grammars;
    let name = match values {
        [name] => name.symbol(),
        _ => None,
    };
    let found = name.and_then(|name| known.iter().find(|grammar| grammar.name.as_str() == name));
    match found.map(|grammar| (grammar.name, grammar.sort)) {
        Some((name, sort)) if sort == result => Some(name),
        Some((_, sort)) => {
            let report = parser.report(*span, "the grammar builds terms of another sort");
            report.expected = Some(result.to_string());
            report.found = Some(sort.to_string());
            None
        }
        None => {
            if name.is_some_and(|name| parser.is_reported(Symbol::new(name))) {
                return None;
            }
            let names: Vec<&str> = known.iter().map(|grammar| grammar.name.as_str()).collect();
            let expected = if names.is_empty() { "(grammar NAME ...) before".to_owned() } else { names.join(", ") };
            parser.report(*span, "there is no such grammar").expected = Some(expected);
            None
        }
    }
}
