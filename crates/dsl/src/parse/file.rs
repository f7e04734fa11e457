//! DSL files: one language from one text and what it includes.

use rustc_hash::FxHashMap;
use samples::{Sort, Symbol, Value};

use crate::diagnostic::{Diagnostic, Diagnostics, Place, Source, Span, line_starts};
use crate::eval::Tapes;
use crate::language::{ConstantGroup, Form, Language, OpId, Operator, Rule};
use crate::sexpr::{self, Kind, Sexpr, quote_symbol};
use crate::term::{Node, Term};
use crate::total::gap;
use crate::walk::{expansion, map_ops, mentions, op_uses};

use super::definition::{
    Attributes, FACTS, both, charges, check_definition, facts, in_range, parameters, range, rule_sorts, sort_or_range,
    unknown_sort,
};
use super::term::{Mode, RESERVED, TermParser, Unknown};
use super::{DEFINITIONS, REPORT_LIMIT, in_order, nearest, tail};

/// Includes within includes.
const INCLUDE_LIMIT: usize = 16;
/// Depth of a meaning, once operators in it are replaced by theirs: evaluation recurses that deep.
const DEPTH_LIMIT: usize = 1000;
/// Constants that a file may list.
const CONSTANT_LIMIT: usize = 20_000;
/// Kernel functions that an operator may stand for, once operators in its meaning are replaced by theirs.
const EXPANSION_LIMIT: usize = 100_000;

impl Language {
    /// Reads a DSL file. `include` gives the text of an included file by its name.
    ///
    /// # Errors
    /// Everything that is wrong, in order of place.
    pub fn parse(origin: &str, source: &str, include: &dyn Fn(&str) -> Option<String>) -> Result<Self, Diagnostics> {
        let mut builder = Builder {
            language: Self { variable_cost: 1, ..Self::default() },
            include,
            included: Vec::new(),
            problems: Vec::new(),
            unknown: Unknown::default(),
            open: Vec::new(),
            declared: FxHashMap::default(),
            expansions: Vec::new(),
            gaps: Vec::new(),
        };
        builder.file(Source::new(origin, source, &line_starts(source)), 0);
        builder.report_gaps();
        if builder.problems.is_empty() {
            let sizes = builder.expansions.iter().map(|(size, _)| *size);
            builder.language.tapes = Tapes::new(&builder.language, sizes);
            Ok(builder.language)
        } else {
            Err(Diagnostics { items: in_order(builder.problems) })
        }
    }

    /// Reads a DSL file that comes with the project.
    ///
    /// # Errors
    /// If there is none of that name; those that exist have no errors, which a test checks.
    pub fn load_shipped(name: &str) -> Result<Self, Diagnostics> {
        let Some(text) = Self::shipped(name) else {
            let source = Source::new(name, "", &[0]);
            let report = source.report(Span::default(), format!("no DSL named {name} is shipped"));
            return Err(Diagnostics { items: vec![report.hint(format!("there are {}", Self::SHIPPED.join(", ")))] });
        };
        Self::parse(name, text, &|name| Self::shipped(name).map(str::to_owned))
    }
}

pub(super) struct Builder<'a> {
    pub(super) language: Language,
    include: &'a dyn Fn(&str) -> Option<String>,
    included: Vec<String>,
    pub(super) problems: Vec<Diagnostic>,
    pub(super) unknown: Unknown,
    /// Names and texts of the files that are being read, each included by the one before.
    open: Vec<(String, String)>,
    /// Where sorts and constructors are declared.
    pub(super) declared: FxHashMap<Symbol, Place>,
    /// Kernel functions in the expanded meaning of each operator, and its depth.
    expansions: Vec<(usize, usize)>,
    /// Operators that may be without value, which a language with bit-vectors cannot have.
    gaps: Vec<(Symbol, Diagnostic)>,
}

impl Builder<'_> {
    fn file(&mut self, source: Source<'_>, depth: usize) {
        let mut problems = Vec::new();
        let items = sexpr::read(source, &mut problems);
        self.unknown.anything |= items.is_empty() && !problems.is_empty();
        let unread: Vec<usize> = problems.iter().map(|problem| source.byte(&problem.place)).collect();
        self.problems.append(&mut problems);
        self.open.push((source.origin.to_owned(), source.text.to_owned()));
        self.items(source, &items, &unread, depth);
        self.open.pop();
    }

    /// Reads definitions; `unread` are the bytes at which something was no text of this format.
    fn items(&mut self, source: Source<'_>, items: &[Sexpr], unread: &[usize], depth: usize) {
        let defined = items.iter().filter_map(|item| match item.list()? {
            [head, name, ..] if ["define-fun", "define-table"].contains(&head.symbol()?) => {
                Some((Symbol::new(name.symbol()?), source.place(item.span)))
            }
            _ => None,
        });
        self.unknown.later.extend(defined);
        for item in items {
            // The rest would not be shown, and reports on long lines take time.
            if self.problems.len() >= REPORT_LIMIT {
                return;
            }
            let Some((head, rest)) = item.list().and_then(|list| Some((list.first()?.symbol()?, tail(list)))) else {
                let report = source.report(item.span, "a DSL file is a list of definitions").found(item.describe());
                self.problems.push(report);
                continue;
            };
            if unread.iter().any(|byte| (item.span.start..item.span.end).contains(byte)) {
                self.broken_by(head, rest);
                continue;
            }
            let n_problems = self.problems.len();
            match head {
                "include" => self.include(source, item, rest, depth),
                "without" => self.without(source, rest),
                "causal" => self.causal(source, rest),
                "declare-datatype" => self.datatype(source, item, rest),
                "declare-sequence" => self.sequence(source, item, rest),
                "define-fun" => self.define_fun(source, item, rest),
                "define-table" => self.define_table(source, item, rest),
                "constants" => self.constants(source, item, rest),
                "variables" => self.variables(source, item, rest),
                "form" => self.form(source, item, rest),
                "rewrite" | "birewrite" => self.rewrite(source, item, rest, head == "birewrite"),
                "check" => self.check(source, rest, true),
                "fail" => self.check(source, rest, false),
                "grammar" => self.grammar(source, item, rest),
                "synth-fun" => self.synth_fun(source, item, rest),
                _ => self.unknown_definition(source, item, head, rest),
            }
            if self.problems.len() > n_problems {
                self.broken_by(head, rest);
            }
        }
    }

    /// Names that a wrong definition would have defined, so that their uses are not reported as well.
    fn broken_by(&mut self, head: &str, rest: &[Sexpr]) {
        let Some(name) = rest.first().and_then(Sexpr::symbol).map(Symbol::new) else { return };
        match head {
            "define-fun" | "define-table" if self.language.operator(name.as_str()).is_none() => {
                self.unknown.names.insert(name);
            }
            "grammar" if self.language.grammars.iter().all(|grammar| grammar.name != name) => {
                self.unknown.names.insert(name);
            }
            // What a datatype declares is what its text names: constructors, fields, testers.
            "declare-datatype" => {
                let mut names = vec![name];
                rest.iter().for_each(|item| names_in(item, &mut names));
                let testers: Vec<Symbol> = names.iter().map(|name| Symbol::new(&format!("{name}?"))).collect();
                self.unknown.names.extend(names.into_iter().chain(testers));
            }
            "declare-sequence" => {
                let parts = ["length", "first", "last", "rest", "push", "at"];
                self.unknown.names.extend(parts.map(|part| Symbol::new(&format!("{name}.{part}"))));
                self.unknown.names.insert(name);
            }
            _ => {}
        }
    }

    /// A parser of terms in the language so far, which is taken for the time being.
    pub(super) fn parser<'p>(&'p self, language: &'p Language, source: Source<'p>, mode: Mode) -> TermParser<'p> {
        TermParser::new(language, source, mode).beside(&self.unknown)
    }

    /// Bit-vectors always have a value, so that nothing may be undefined where they are used.
    fn report_gaps(&mut self) {
        if self.language.has_bit_vectors() {
            let gaps = std::mem::take(&mut self.gaps);
            let kept = gaps.into_iter().filter(|(name, _)| self.language.by_name.contains_key(name));
            self.problems.extend(kept.map(|(_, report)| report));
        }
    }

    fn unknown_definition(&mut self, source: Source<'_>, item: &Sexpr, head: &str, rest: &[Sexpr]) {
        let span = item.list().and_then(|list| list.first()).map_or(item.span, |head| head.span);
        let mut report = source.report(span, format!("unknown definition {head}")).expected(DEFINITIONS.join(", "));
        // Else one that has a word in common, such as define-fun for define.
        let shares = |own: &&str| own.split('-').any(|word| head.split('-').any(|other| word == other));
        let near = nearest(head, DEFINITIONS.into_iter()).or_else(|| DEFINITIONS.into_iter().find(shares));
        report.hint = near.map(|other| format!("did you mean {other}?")).or_else(|| other_format(head));
        self.problems.push(report);
        // What it was meant to define is not known: as of a definition that is wrong.
        self.broken_by(near.unwrap_or("define-fun"), rest);
    }

    pub(super) fn report(&mut self, source: Source<'_>, span: Span, message: &str, expected: &str) {
        self.problems.push(source.report(span, message).expected(expected));
    }

    /// Splits positional parts from keywords; every keyword must be one of those known.
    pub(super) fn attributes<'s>(
        &mut self,
        source: Source<'_>,
        items: &'s [Sexpr],
        known: &[&str],
    ) -> (&'s [Sexpr], Attributes<'s>) {
        let first = items.iter().position(|item| item.keyword().is_some()).unwrap_or(items.len());
        let (positional, mut rest) = items.split_at(first);
        let mut entries: Vec<(&str, Span, &[Sexpr])> = Vec::new();
        while let Some((item, after)) = rest.split_first() {
            let Some(key) = item.keyword() else { break };
            let end = after.iter().position(|item| item.keyword().is_some()).unwrap_or(after.len());
            if !known.contains(&key) {
                let expected = known.iter().map(|k| format!(":{k}")).collect::<Vec<_>>().join(", ");
                let near = nearest(key, known.iter().copied()).map(|other| format!("did you mean :{other}?"));
                let report = source.report(item.span, format!("unknown keyword :{key}")).expected(expected);
                self.problems.push(Diagnostic { hint: near, ..report });
            } else if entries.iter().any(|(other, _, _)| *other == key) {
                self.report(source, item.span, &format!("the keyword :{key} is there twice"), "one");
            }
            entries.push((key, item.span, &after[..end]));
            rest = &after[end..];
        }
        (positional, Attributes { entries })
    }

    /// The value of `:cost`, at least 1.
    pub(super) fn cost(&mut self, source: Source<'_>, attributes: &Attributes<'_>, default: u32) -> u32 {
        let Some((_, span, values)) = attributes.entries.iter().find(|(key, _, _)| *key == "cost") else {
            return default;
        };
        match values {
            [Sexpr { kind: Kind::Int(cost), .. }] if (1..=1_000_000).contains(cost) => *cost as u32,
            _ => {
                self.report(source, *span, "a cost is a whole number", ":cost N with N from 1 to 1000000");
                default
            }
        }
    }

    fn flag(&mut self, source: Source<'_>, attributes: &Attributes<'_>, key: &str) -> bool {
        let Some(values) = attributes.get(key) else { return false };
        if let Some(value) = values.first() {
            self.report(source, value.span, &format!("the keyword :{key} takes no value"), "nothing");
        }
        true
    }

    /// The name that a keyword gives.
    fn word(&mut self, source: Source<'_>, attributes: &Attributes<'_>, key: &str) -> Option<Symbol> {
        let (_, span, values) = attributes.entries.iter().find(|(own, _, _)| *own == key)?;
        match values {
            [Sexpr { kind: Kind::Symbol(name) | Kind::Text(name), .. }] => Some(Symbol::new(name)),
            _ => {
                self.report(source, *span, &format!(":{key} takes a name"), &format!(":{key} NAME"));
                None
            }
        }
    }

    fn include(&mut self, source: Source<'_>, item: &Sexpr, rest: &[Sexpr], depth: usize) {
        let [Sexpr { kind: Kind::Text(name), span }] = rest else {
            return self.report(source, item.span, "an include names one file", "(include \"integers\")");
        };
        let is_open = self.open.iter().any(|(own, _)| own == name);
        if self.included.contains(name) && !is_open {
            return;
        }
        if depth >= INCLUDE_LIMIT {
            return self.report(source, *span, "includes nested too deep", &format!("at most {INCLUDE_LIMIT}"));
        }
        self.included.push(name.clone());
        match (self.include)(name) {
            // The first file is known by another name than an include says.
            Some(text) if is_open || self.open.iter().any(|(_, own)| *own == text) => {
                let round =
                    self.open.iter().skip_while(|(own, of)| own != name && *of != text).map(|(own, _)| own.as_str());
                let round: Vec<&str> = round.chain([name.as_str()]).collect();
                let hint = "put what both files need into a third one, which both include";
                let report = source.report(*span, format!("{name} is being read already: includes go in a circle"));
                self.problems.push(report.found(round.join(" includes ")).hint(hint));
                self.unknown.anything = true;
            }
            Some(text) => self.file(Source::new(name, &text, &line_starts(&text)), depth + 1),
            None => {
                let near = nearest(name, Language::SHIPPED.into_iter()).map(|near| format!("did you mean {near}? "));
                let hint = format!(
                    "{}files are looked for beside the one that includes them, NAME or NAME.dsl; shipped are {}",
                    near.unwrap_or_default(),
                    Language::SHIPPED.join(", ")
                );
                self.problems.push(source.report(*span, format!("there is no DSL file {name}")).hint(hint));
                self.unknown.anything = true;
            }
        }
    }

    /// `(causal)`: programs see the positions up to their own alone.
    fn causal(&mut self, source: Source<'_>, rest: &[Sexpr]) {
        if let Some(more) = rest.first() {
            self.problems.push(source.report(more.span, "expected nothing after `causal`").found(more.describe()));
        }
        self.language.causal = true;
    }

    /// `(without NAME ...)`: takes operators away, and the rules about them.
    fn without(&mut self, source: Source<'_>, rest: &[Sexpr]) {
        for item in rest {
            let Some(id) = item.symbol().and_then(|name| self.language.operator(name)) else {
                if !item.symbol().is_some_and(|name| self.unknown.has(Symbol::new(name))) {
                    let report = source.report(item.span, "only an operator can be taken away").found(item.describe());
                    let hint = "operators are taken away after the include or definition that brings them";
                    self.problems.push(report.hint(hint));
                }
                continue;
            };
            let used_by = self
                .language
                .operators
                .iter()
                .find(|op| op_uses(&op.meaning, id) || op.condition.as_ref().is_some_and(|c| op_uses(c, id)));
            if let Some(user) = used_by {
                let hint = format!("take {} away first", user.name);
                self.problems.push(source.report(item.span, format!("{} is defined by it", user.name)).hint(hint));
                continue;
            }
            self.unknown.taken.insert(self.language.op(id).name);
            self.remove(id);
        }
    }

    fn remove(&mut self, id: OpId) {
        self.language
            .rules
            .retain(|rule| ![&rule.lhs, &rule.rhs].into_iter().chain(&rule.conditions).any(|term| op_uses(term, id)));
        self.language.operators.remove(id.0 as usize);
        self.expansions.remove(id.0 as usize);
        let renumber = |term: &Term| map_ops(term, &|op: OpId| if op.0 > id.0 { OpId(op.0 - 1) } else { op });
        for operator in &mut self.language.operators {
            operator.meaning = renumber(&operator.meaning);
            operator.condition = operator.condition.as_ref().map(renumber);
        }
        for check in &mut self.language.checks {
            check.term = renumber(&check.term);
        }
        for rule in &mut self.language.rules {
            rule.lhs = renumber(&rule.lhs);
            rule.rhs = renumber(&rule.rhs);
            rule.conditions = rule.conditions.iter().map(renumber).collect();
        }
        self.language.checks.retain(|check| !op_uses(&check.term, id));
        self.language.grammars.iter_mut().for_each(|grammar| grammar.remove(id));
        self.language.wanted.retain(|wanted| wanted.meaning.as_ref().is_none_or(|meaning| !op_uses(meaning, id)));
        for wanted in &mut self.language.wanted {
            wanted.meaning = wanted.meaning.as_ref().map(renumber);
        }
        self.language.by_name =
            self.language.operators.iter().enumerate().map(|(i, op)| (op.name, OpId(i as u32))).collect();
    }

    fn constants(&mut self, source: Source<'_>, item: &Sexpr, rest: &[Sexpr]) {
        let (positional, attributes) = self.attributes(source, rest, &["cost", "from-samples", "solve"]);
        let cost = self.cost(source, &attributes, 1);
        let from_samples = self.flag(source, &attributes, "from-samples");
        let solve = self.flag(source, &attributes, "solve");
        let Some((sort, items)) = positional.split_first() else {
            return self.report(source, item.span, "constants have a sort", "(constants Int 0 1 2 :cost 1)");
        };
        let language = std::mem::take(&mut self.language);
        let mut parser = self.parser(&language, source, Mode::Meaning);
        let mut values: Vec<Value> = Vec::new();
        if let Some(sort) = parser.sort(sort) {
            for item in items {
                match range(item) {
                    Some(Ok((lo, hi))) if sort == Sort::Int => values.extend((lo..=hi).map(Value::Int)),
                    Some(Ok(_)) => {
                        let report = parser.report(item.span, "a range holds integers");
                        report.expected = Some(format!("constants of the sort {sort}"));
                    }
                    Some(Err(problem)) => problem.report(&mut parser, item.span),
                    None => values.extend(parser.value_of_sort(item, sort)),
                }
            }
            if sort == Sort::Selector {
                parser.report(item.span, "selectors have no constants");
            }
            let listed: usize = language.constants.groups.iter().map(|group| group.values.len()).sum();
            if listed + values.len() > CONSTANT_LIMIT {
                values.clear();
                parser.report(item.span, "too many constants").expected = Some(format!("at most {CONSTANT_LIMIT}"));
            }
            let problems = parser.finish();
            self.language = language;
            self.problems.extend(problems);
            self.language.constants.groups.push(ConstantGroup { sort, values, cost, from_samples, solve });
        } else {
            let problems = parser.finish();
            self.language = language;
            self.problems.extend(problems);
        }
    }

    fn variables(&mut self, source: Source<'_>, item: &Sexpr, rest: &[Sexpr]) {
        let (positional, attributes) = self.attributes(source, rest, &["cost"]);
        if !positional.is_empty() {
            self.report(
                source,
                item.span,
                "the cost of variables is all that can be said of them",
                "(variables :cost 1)",
            );
        }
        self.language.variable_cost = self.cost(source, &attributes, 1);
    }

    fn form(&mut self, source: Source<'_>, item: &Sexpr, rest: &[Sexpr]) {
        let (positional, attributes) = self.attributes(source, rest, &["cost"]);
        let cost = self.cost(source, &attributes, 1);
        let name = match positional {
            [name] => name.symbol(),
            _ => None,
        };
        match Form::ALL.into_iter().find(|form| Some(form.name()) == name) {
            Some(form) => {
                self.language.forms.retain(|(own, _)| *own != form);
                self.language.forms.push((form, cost));
            }
            None => {
                let names = Form::ALL.map(Form::name).join(", ");
                let message = if positional.len() == 1 { "there is no such form" } else { "a form has one name" };
                self.report(source, item.span, message, &format!("(form NAME :cost N) with one of {names}"));
            }
        }
    }

    /// A name for an operator, unless it is taken.
    pub(super) fn new_name(&mut self, source: Source<'_>, item: Option<&Sexpr>, whole: Span) -> Option<Symbol> {
        let Some(name) = item.and_then(Sexpr::symbol) else {
            let span = item.map_or(whole, |item| item.span);
            self.report(
                source,
                span,
                "a definition begins with a name",
                "(define-fun NAME ((PARAM SORT) ...) SORT TERM)",
            );
            return None;
        };
        let span = item.map_or(whole, |item| item.span);
        self.free_name(source, name, span)
    }

    /// A name as a symbol, unless it is taken.
    pub(super) fn free_name(&mut self, source: Source<'_>, name: &str, span: Span) -> Option<Symbol> {
        if RESERVED.contains(&name) {
            self.report(source, span, &format!("the name {name} is taken by the language"), "another name");
            return None;
        }
        if let Some(id) = self.language.operator(name) {
            let place = self.language.op(id).place.clone();
            let report = source.report(span, format!("the operator {name} exists already"));
            // In one file one of the two is there by mistake; of an included one it may be meant.
            let without = format!("; (without {}) takes it away", quote_symbol(name));
            let remedy = if place.origin == source.origin { "" } else { without.as_str() };
            self.problems.push(report.hint(format!("it is defined at {place}{remedy}")));
            return None;
        }
        Some(Symbol::new(name))
    }

    fn define_fun(&mut self, source: Source<'_>, item: &Sexpr, rest: &[Sexpr]) {
        let known = [&["when", "cost", "charge", "total", "assumed"], &FACTS[..]].concat();
        let (positional, attributes) = self.attributes(source, rest, &known);
        let Some(name) = self.new_name(source, positional.first(), item.span) else { return };
        let [_, params, result, meaning] = positional else {
            let report = source.report(item.span, "this is no definition");
            let report = report.expected("(define-fun NAME ((PARAM SORT) ...) SORT TERM :cost N ...)");
            let found = match positional.len() {
                3 => "three parts: is the sort of the result missing?".to_owned(),
                n => format!("{n} parts before the keywords, where four belong"),
            };
            return self.problems.push(report.found(found));
        };
        let cost = self.cost(source, &attributes, 1);
        let total = self.flag(source, &attributes, "total");
        let language = std::mem::take(&mut self.language);
        let mut parser = self.parser(&language, source, Mode::Meaning);
        let (params, ranges) = parameters(&mut parser, params);
        let (result_sort, result_range) = sort_or_range(&mut parser, result);
        parser.variables = params.iter().map(|(name, _)| *name).collect();
        parser.defining = Some(name);
        let term = parser.term(meaning);
        let condition_item = attributes.get("when").and_then(|values| match values {
            [only] => Some(only),
            _ => None,
        });
        if attributes.get("when").is_some() && condition_item.is_none() {
            parser.report(item.span, "a condition is one term").expected = Some(":when TERM".to_owned());
        }
        let condition = condition_item.and_then(|item| parser.term(item));
        let is_known = params.iter().all(|(_, sort)| *sort != unknown_sort());
        if let (Some(result), Some(term), true) = (result_sort, &term, is_known) {
            check_definition(
                &mut parser,
                &language,
                &params,
                result,
                (term, meaning),
                (condition.as_ref(), condition_item),
            );
        }
        let charges = charges(&mut parser, &attributes, &params);
        let facts = facts(&mut parser, &attributes, &params, result_sort, item.span);
        let place = source.place(item.span);
        let problems = parser.finish();
        self.language = language;
        self.problems.extend(problems);
        let (Some(meaning), Some(result)) = (term, result_sort) else { return };
        let within = ranges.into_iter().map(|(name, range)| (Term::var(name), range));
        let within = within.chain(result_range.map(|range| (meaning.clone(), range)));
        let condition = within.map(|(term, range)| in_range(&term, range)).chain(condition).reduce(both);
        let operator = Operator { name, params, result, meaning, condition, cost, charges, facts, total, place };
        self.add(source, item.span, operator);
    }

    pub(super) fn add(&mut self, source: Source<'_>, span: Span, operator: Operator) {
        let mut memo = FxHashMap::default();
        let parts = [Some(&operator.meaning), operator.condition.as_ref()];
        let (mut size, mut depth) = (0_usize, 0);
        for part in parts.into_iter().flatten() {
            let (own_size, own_depth) = expansion(part, &self.expansions, &mut memo);
            size = size.saturating_add(own_size);
            depth = depth.max(own_depth);
        }
        if size > EXPANSION_LIMIT || depth > DEPTH_LIMIT {
            let expected = format!("at most {EXPANSION_LIMIT} kernel functions, nested at most {DEPTH_LIMIT} deep");
            let message = "the meaning is too large, once operators in it are replaced by theirs";
            return self.report(source, span, message, &expected);
        }
        self.expansions.push((size, depth));
        if let Some(gap) = gap(&operator.meaning, operator.condition.as_ref()) {
            let message = format!(
                "{} may be undefined, and in a language with bit-vectors everything has a value",
                operator.name
            );
            let report = source.report(span, message).found(gap);
            self.gaps.push((operator.name, report.hint(format!("(without {}) takes it away", operator.name))));
        }
        let id = OpId(self.language.operators.len() as u32);
        self.language.by_name.insert(operator.name, id);
        self.language.operators.push(operator);
    }

    /// `(define-table NAME (SORT ...) SORT ((KEY ...) VALUE) ...)`: an operator that is a finite function.
    fn define_table(&mut self, source: Source<'_>, item: &Sexpr, rest: &[Sexpr]) {
        let (positional, attributes) = self.attributes(source, rest, &["cost", "total"]);
        let cost = self.cost(source, &attributes, 1);
        let total = self.flag(source, &attributes, "total");
        let Some(name) = self.new_name(source, positional.first(), item.span) else { return };
        let language = std::mem::take(&mut self.language);
        let mut parser = self.parser(&language, source, Mode::Meaning);
        let table = parser.table(name, tail(positional), (item.span, "define-table NAME"));
        let problems = parser.finish();
        self.language = language;
        self.problems.extend(problems);
        let Some(table) = table else { return };
        self.add(source, item.span, Operator::of_table(table, cost, total, source.place(item.span)));
    }

    fn rewrite(&mut self, source: Source<'_>, item: &Sexpr, rest: &[Sexpr], both_ways: bool) {
        let (positional, attributes) = self.attributes(source, rest, &["when", "name", "ruleset", "assumed"]);
        let shape = "(rewrite NAME PATTERN REPLACEMENT :when (CONDITION ...)), the name may be left out";
        let (name, [lhs_item, rhs_item]) = match positional {
            [lhs, rhs] => (None, [lhs, rhs]),
            [Sexpr { kind: Kind::Symbol(name), .. }, lhs, rhs] => (Some(Symbol::new(name)), [lhs, rhs]),
            [name, _, _] => return self.report(source, name.span, "a name of a rule belongs here", shape),
            _ => return self.report(source, item.span, "this is no rule", shape),
        };
        let assumed = self.flag(source, &attributes, "assumed");
        let ruleset = self.word(source, &attributes, "ruleset");
        let place = source.place(item.span);
        let name = self.word(source, &attributes, "name").or(name).unwrap_or_else(|| name_by_place(&place));
        let symbol = name;
        if let Some(other) = self.language.rules.iter().find(|rule| rule.name == symbol) {
            let hint = format!("the other one is at {}", other.place);
            let report = source.report(item.span, format!("the rule {name} exists already"));
            return self.problems.push(report.hint(hint));
        }
        let language = std::mem::take(&mut self.language);
        let mut parser = self.parser(&language, source, Mode::Rule);
        let lhs = parser.term(lhs_item);
        let n_variables = parser.variables.len();
        let rhs = parser.term(rhs_item);
        let condition_items: &[Sexpr] = match attributes.get("when").unwrap_or(&[]) {
            [Sexpr { kind: Kind::List(list), .. }] if list.first().is_some_and(|first| first.list().is_some()) => list,
            items => items,
        };
        let conditions: Vec<Option<Term>> = condition_items.iter().map(|item| parser.term(item)).collect();
        if lhs.is_some() {
            let free: Vec<&str> = parser.variables[n_variables..].iter().map(|name| name.as_str()).collect();
            if !free.is_empty() {
                let free = free.join(", ");
                let report = parser.report(rhs_item.span, format!("the pattern does not bind {free}"));
                report.hint = Some("every variable of a rule occurs in its left side".to_owned());
            } else if both_ways && rhs.as_ref().is_some_and(|rhs| parser.variables.iter().any(|&v| !mentions(rhs, v))) {
                parser.report(rhs_item.span, "a rule for both ways has the same variables on both sides").hint =
                    Some("write rewrite".to_owned());
            }
        }
        if let Some(Node::Var(_)) = lhs.as_ref().map(Term::node) {
            parser.report(lhs_item.span, "a pattern that is a variable matches everything");
        }
        let conditions: Option<Vec<Term>> = conditions.into_iter().collect();
        let variables = parser.variables.clone();
        let mut params = Vec::new();
        if let (Some(lhs), Some(rhs), Some(conditions)) = (&lhs, &rhs, &conditions) {
            params = rule_sorts(&mut parser, &language, &variables, (lhs, rhs), conditions, item.span);
        }
        let missing = std::mem::take(&mut parser.missing);
        let problems = parser.finish();
        self.language = language;
        self.problems.extend(problems);
        if !missing.is_empty() {
            let unused = |mut report: Diagnostic| {
                report.message = format!("{}, so the rule {name} is not used", report.message);
                Diagnostic { is_warning: true, ..report }
            };
            self.language.warnings.extend(missing.into_iter().map(unused));
        } else if let (Some(lhs), Some(rhs), Some(conditions)) = (lhs, rhs, conditions) {
            self.language.rules.push(Rule {
                name: symbol,
                lhs,
                rhs,
                conditions,
                both_ways,
                params,
                ruleset,
                assumed,
                place,
            });
        }
    }
}

/// What to do with a text whose lists begin like this: commands of SyGuS-IF, or a program.
fn other_format(head: &str) -> Option<String> {
    let sygus = ["set-logic", "declare-var", "constraint", "assume", "inv-constraint", "check-synth", "set-option"];
    if sygus.contains(&head) {
        return Some("this is SyGuS-IF: `ventris synth FILE.sl` reads it".to_owned());
    }
    let is_form = Form::ALL.iter().any(|form| form.name() == head);
    is_form.then(|| "this is a program: `ventris run` and `ventris check` read it; `--dsl` takes languages".to_owned())
}

/// All names in a text.
fn names_in(item: &Sexpr, names: &mut Vec<Symbol>) {
    names.extend(item.symbol().map(Symbol::new));
    item.list().into_iter().flatten().for_each(|part| names_in(part, names));
}

/// The name of a rule that has none: its place, without folders.
fn name_by_place(place: &Place) -> Symbol {
    let file = place.origin.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = file.strip_suffix(".dsl").unwrap_or(file);
    Symbol::new(&format!("{stem}:{}:{}", place.line, place.column))
}
