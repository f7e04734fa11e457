//! From text to terms and languages.

mod check;
mod datatype;
mod definition;
mod file;
mod grammar;
mod term;
mod wanted;

use samples::{Sort, Symbol};

use crate::diagnostic::{Diagnostic, Diagnostics, Source, Span, line_starts};
use crate::infer::{Infer, Ty};
use crate::language::Language;
use crate::sexpr::{self, Sexpr};
use crate::term::{Func, Node, Term};
use crate::total::gap_in;
use crate::walk::children;

use self::term::{Mode, TermParser};

/// Reads a program over the variables given: one term, with the operators of the language.
///
/// # Errors
/// Everything that is wrong: unreadable text, unknown names, forms that the language does not have, sorts that do not
/// fit.
pub fn parse_term(text: &str, language: &Language, vars: &[(Symbol, Sort)]) -> Result<Term, Diagnostics> {
    parse_program("program", text, language, vars)
}

/// Reads a program as [`parse_term`] does; `origin` names the text in messages.
///
/// # Errors
/// As [`parse_term`].
pub fn parse_program(
    origin: &str,
    text: &str,
    language: &Language,
    vars: &[(Symbol, Sort)],
) -> Result<Term, Diagnostics> {
    let lines = line_starts(text);
    let source = Source::new(origin, text, &lines);
    let mut problems = Vec::new();
    let items = sexpr::read(source, &mut problems);
    if !problems.is_empty() {
        return Err(Diagnostics { items: in_order(problems) });
    }
    let is_definition = |item: &Sexpr| {
        let head = item.list().and_then(|list| list.first()?.symbol());
        head.is_some_and(|head| DEFINITIONS.contains(&head) && language.operator(head).is_none())
    };
    let is_language = items.iter().any(is_definition);
    let ([item], false) = (&items[..], is_language) else {
        let span = items.get(1).map_or(Span { start: 0, end: 0 }, |item| item.span);
        let found = if is_language { "a definition".to_owned() } else { format!("{} terms", items.len()) };
        let report = source.report(span, "a program is one term").found(found);
        let hint = "this is a DSL file, a language: `ventris dsl check` reads it, and `--dsl` of other commands";
        return Err(Diagnostics { items: vec![if is_language { report.hint(hint) } else { report }] });
    };
    let mut parser = TermParser::new(language, source, Mode::Program);
    parser.variables = vars.iter().map(|(name, _)| *name).collect();
    let term = parser.term(item);
    let mut infer = Infer::new(language);
    for &(name, sort) in vars {
        infer.bind(name, Ty::Sort(sort));
    }
    if let Some(term) = &term {
        infer.program(term);
    }
    parser.report_sorts(&infer, item.span);
    if let Some(term) = &term {
        check_bits(&mut parser, (term, item.span), vars);
    }
    match (term, parser.finish()) {
        (Some(term), items) if items.is_empty() => Ok(term),
        (_, items) => Err(Diagnostics { items }),
    }
}

/// Reads the name of a sort; `origin` names the text in messages.
///
/// # Errors
/// Text that is no sort of the language.
pub fn parse_sort(origin: &str, text: &str, language: &Language) -> Result<Sort, Diagnostics> {
    let lines = line_starts(text);
    let source = Source::new(origin, text, &lines);
    let mut problems = Vec::new();
    let items = sexpr::read(source, &mut problems);
    let mut parser = TermParser::new(language, source, Mode::Program);
    let sort = match &items[..] {
        [item] if problems.is_empty() => parser.sort(item),
        _ => None,
    };
    problems.extend(parser.finish());
    match sort {
        Some(sort) if problems.is_empty() => Ok(sort),
        _ if problems.is_empty() => {
            let report = source.report(Span { start: 0, end: 0 }, "a sort is one name");
            Err(Diagnostics { items: vec![report.found(format!("{} terms", items.len()))] })
        }
        _ => Err(Diagnostics { items: in_order(problems) }),
    }
}

/// Bit-vectors always have a value: programs about them are made of what has one.
fn check_bits(parser: &mut TermParser<'_>, (term, span): (&Term, Span), vars: &[(Symbol, Sort)]) {
    let has_bits = parser.language.has_bit_vectors();
    let with_bits = vars.iter().any(|(_, sort)| matches!(sort, Sort::BitVec(_))) || holds_bits(term);
    if with_bits && !has_bits {
        parser.report(span, "the language has no bit-vectors").hint =
            Some("(include \"bitvectors\") makes it one that has".to_owned());
    }
    if has_bits && let Some(gap) = gap_in(term) {
        let report = parser.report(span, "a part of the program may be undefined");
        report.expected = Some("what always has a value, in a language with bit-vectors".to_owned());
        report.found = Some(gap);
    }
}

fn holds_bits(term: &Term) -> bool {
    let is_bits = |sort: Option<Sort>| matches!(sort, Some(Sort::BitVec(_)));
    let own = match term.node() {
        Node::Const(value) => is_bits(value.sort()),
        Node::App(Func::Table(table), _) => is_bits(Some(table.result)),
        Node::Scan(scan) => scan.states.iter().any(|(_, init, _)| is_bits(init.sort())),
        _ => false,
    };
    own || children(term).into_iter().any(holds_bits)
}

/// What lists of a DSL file begin with.
const DEFINITIONS: [&str; 16] = [
    "include",
    "without",
    "causal",
    "declare-datatype",
    "declare-sequence",
    "define-fun",
    "define-table",
    "constants",
    "variables",
    "form",
    "rewrite",
    "birewrite",
    "grammar",
    "synth-fun",
    "check",
    "fail",
];

/// Reports of one text that are kept.
const REPORT_LIMIT: usize = 100;

/// Sorts by place: different passes report in different order.
fn in_order(mut items: Vec<Diagnostic>) -> Vec<Diagnostic> {
    items.sort_by(|a, b| {
        (&a.place.origin, a.place.line, a.place.column).cmp(&(&b.place.origin, b.place.line, b.place.column))
    });
    items.dedup();
    items.truncate(REPORT_LIMIT);
    items
}

/// The rest of a list after its head.
fn tail(items: &[Sexpr]) -> &[Sexpr] {
    items.get(1..).unwrap_or(&[])
}

/// The known name that is nearest to one that is not known, for hints: edit distance at most 2 and less than its length.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|other| (distance(name, other), other))
        .filter(|&(d, other)| d <= 2 && d < name.chars().count().min(other.chars().count()))
        .min()
        .map(|(_, other)| other)
}

/// Levenshtein distance, given up beyond 64 characters.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
