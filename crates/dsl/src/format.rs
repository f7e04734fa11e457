//! The formatter of DSL files: layout only, comments kept.

use crate::diagnostic::{Diagnostics, Source, line_starts};
use crate::sexpr::{Kind, NESTING_LIMIT, TokenKind, quote_symbol, quote_text, tokens, write_bits, write_real};

/// Columns that a line keeps to where it can.
const WIDTH: usize = 100;

/// A DSL file in the project's layout: definitions begin at the margin and are broken at 100 columns, blank lines
/// between them are kept, one at most, and so is every comment. Formatting formatted text changes nothing.
///
/// # Errors
/// Text that cannot be read as s-expressions.
pub fn format(origin: &str, text: &str) -> Result<String, Diagnostics> {
    let lines = line_starts(text);
    let source = Source::new(origin, text, &lines);
    let mut problems = Vec::new();
    let mut stack: Vec<Vec<Piece>> = vec![Vec::new()];
    let mut opened = Vec::new();
    let mut last_end = 0;
    for token in tokens(source, &mut problems) {
        let breaks = text[last_end..token.span.start].matches('\n').count();
        last_end = token.span.end;
        let piece = match token.kind {
            TokenKind::Open if stack.len() > NESTING_LIMIT => {
                problems.push(source.report(token.span, format!("lists nested more than {NESTING_LIMIT} deep")));
                break;
            }
            TokenKind::Open => {
                opened.push((token.span, breaks));
                stack.push(Vec::new());
                continue;
            }
            TokenKind::Close => {
                let Some((_, breaks)) = opened.pop() else {
                    problems.push(source.report(token.span, "a closing parenthesis without its opening one"));
                    continue;
                };
                Piece { kind: PieceKind::List(stack.pop().unwrap_or_default()), breaks }
            }
            TokenKind::Comment => {
                let comment = text[token.span.start..token.span.end].trim_end().to_owned();
                Piece { kind: PieceKind::Comment(comment), breaks }
            }
            TokenKind::Atom(kind) => Piece { kind: PieceKind::Atom(atom(&kind)), breaks },
        };
        if let Some(pieces) = stack.last_mut() {
            pieces.push(piece);
        }
    }
    if let Some((span, _)) = opened.first() {
        problems.push(source.report(*span, "a parenthesis that is never closed"));
    }
    if !problems.is_empty() {
        return Err(Diagnostics { items: problems });
    }
    let mut out = String::new();
    for piece in stack.first().into_iter().flatten() {
        let beside = matches!(piece.kind, PieceKind::Comment(_)) && piece.breaks == 0 && !out.is_empty();
        if beside {
            out.push_str("  ");
        } else if !out.is_empty() {
            out.push_str(if piece.breaks > 1 { "\n\n" } else { "\n" });
        }
        piece.write(0, 0, &mut out);
    }
    if !out.is_empty() {
        out.push('\n');
    }
    Ok(out)
}

/// A piece of a file and the line breaks before it.
struct Piece {
    kind: PieceKind,
    breaks: usize,
}

enum PieceKind {
    Atom(String),
    Comment(String),
    List(Vec<Piece>),
}

fn atom(kind: &Kind) -> String {
    match kind {
        Kind::Symbol(text) => quote_symbol(text),
        Kind::Keyword(text) => format!(":{text}"),
        Kind::Int(value) => value.to_string(),
        Kind::Real(value) => write_real(*value),
        Kind::BitVec(width, bits) => write_bits(*width, *bits),
        Kind::Text(text) => quote_text(text),
        Kind::List(_) => String::new(),
    }
}

impl Piece {
    fn is_comment(&self) -> bool {
        matches!(self.kind, PieceKind::Comment(_))
    }

    fn keyword(&self) -> bool {
        matches!(&self.kind, PieceKind::Atom(text) if text.starts_with(':'))
    }

    /// The width on one line, if it is at most `limit`; comments take the rest of their line.
    fn width(&self, limit: usize) -> Option<usize> {
        let width = match &self.kind {
            PieceKind::Atom(text) => text.chars().count(),
            PieceKind::Comment(_) => return None,
            PieceKind::List(items) => {
                let mut sum = 1 + items.len().max(1);
                for item in items {
                    sum += item.width(limit.checked_sub(sum)?)?;
                }
                sum
            }
        };
        (width <= limit).then_some(width)
    }

    /// `column` is where it begins, `closing` how many parentheses follow.
    fn write(&self, column: usize, closing: usize, out: &mut String) {
        match &self.kind {
            PieceKind::Atom(text) | PieceKind::Comment(text) => out.push_str(text),
            PieceKind::List(items) => {
                let room = WIDTH.saturating_sub(column + closing);
                if self.width(room).is_some() { flat(items, out) } else { broken(items, column, closing, out) }
            }
        }
    }
}

fn flat(items: &[Piece], out: &mut String) {
    out.push('(');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        match &item.kind {
            PieceKind::List(items) => flat(items, out),
            PieceKind::Atom(text) | PieceKind::Comment(text) => out.push_str(text),
        }
    }
    out.push(')');
}

fn is_table(head: &str) -> bool {
    matches!(head, "define-table" | "table")
}

/// Items of a broken list that stay beside its head.
fn kept(items: &[Piece]) -> usize {
    match items.first().map(|item| &item.kind) {
        Some(PieceKind::Atom(head)) => match head.as_str() {
            "define-fun" => 4,
            "define-table" => 3,
            "table" => 2,
            _ => 1,
        },
        _ => 0,
    }
}

fn broken(items: &[Piece], column: usize, closing: usize, out: &mut String) {
    out.push('(');
    let is_list_of_lists = items.first().is_some_and(|item| matches!(item.kind, PieceKind::List(_)));
    let indent = if is_list_of_lists { column + 1 } else { column + 2 };
    let kept = kept(items);
    let fills = matches!(items, [Piece { kind: PieceKind::Atom(head), .. }, ..] if is_table(head));
    let mut after_comment = false;
    let mut on_keyword_line = false;
    for (i, item) in items.iter().enumerate() {
        let at = column_of(out);
        let closing = if i + 1 == items.len() { closing + 1 } else { 0 };
        let fits = |column: usize| item.width(WIDTH.saturating_sub(column + closing)).is_some();
        let beside = if item.is_comment() {
            item.breaks == 0 && !after_comment
        } else if after_comment {
            false
        } else if item.keyword() {
            // Keywords go on with the line of the keywords before, as far as it reaches.
            let with_value = items.get(i + 1).filter(|next| !next.keyword()).and_then(|next| next.width(WIDTH));
            let needed = item.width(WIDTH).unwrap_or(WIDTH) + 1 + with_value.map_or(0, |width| width + 1);
            on_keyword_line && at + needed + closing < WIDTH
        } else if on_keyword_line {
            fits(at + 1)
        } else {
            // Entries of tables fill lines.
            (i <= kept || (fills && i > kept + 1)) && fits(at + 1)
        };
        if i > 0 {
            if beside {
                out.push_str(if item.is_comment() { "  " } else { " " });
            } else {
                out.push('\n');
                out.push_str(&" ".repeat(indent));
            }
        }
        on_keyword_line |= item.keyword();
        item.write(column_of(out), closing, out);
        after_comment = item.is_comment();
    }
    if after_comment {
        out.push('\n');
        out.push_str(&" ".repeat(indent));
    }
    out.push(')');
}

fn column_of(out: &str) -> usize {
    out[out.rfind('\n').map_or(0, |i| i + 1)..].chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Language;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let formatted = format("test", text).expect("is read");
        assert_eq!(formatted, expected);
        assert_eq!(format("test", &formatted).expect("is read"), formatted);
    }

    #[test]
    fn comments_and_blank_lines_stay() {
        check("; a\n\n\n\n(form   scan) ; b\n(form let)", "; a\n\n(form scan)  ; b\n(form let)\n");
        check("(a ; why\n b)", "(a  ; why\n  b)\n");
        check("(a\n ; last\n )", "(a\n  ; last\n  )\n");
    }

    #[test]
    fn entries_of_tables_fill_lines() {
        let entries = |from: i64| (from..from + 9).map(|i| format!("(({i}) {i})")).collect::<Vec<_>>().join(" ");
        let (first, second) = (entries(10), entries(30));
        check(
            &format!("(define-table t (Int) Int {first} {second} ((80) 1) :cost 2)"),
            &format!("(define-table t (Int) Int\n  {first}\n  {second} ((80) 1)\n  :cost 2)\n"),
        );
    }

    #[test]
    fn long_definitions_are_broken() {
        let long = "x".repeat(60);
        check(
            &format!("(define-fun f ((a Int) (b Int)) Int (+ {long} b) :cost 2 :when (> b 0) :commutative)"),
            &format!("(define-fun f ((a Int) (b Int)) Int\n  (+ {long} b)\n  :cost 2 :when (> b 0) :commutative)\n"),
        );
    }

    #[test]
    fn shipped_files_are_formatted_and_formatting_keeps_their_meaning() {
        for name in Language::SHIPPED {
            let text = Language::shipped(name).expect("shipped");
            let formatted = format(name, text).expect("is read");
            assert_eq!(formatted, text, "dsl/{name}.dsl is not formatted");
            let scatter = |line: &str| match line.starts_with(';') {
                true => line.to_owned(),
                false => line.replace('(', " (\n; comment\n").replace(')', "\n)\n"),
            };
            let scattered: Vec<String> = text.lines().map(scatter).collect();
            let scattered = format(name, &scattered.join("\n")).expect("is read");
            assert_eq!(format(name, &scattered).expect("is read"), scattered);
            let language = |text: &str| {
                let mut language = Language::parse(name, text, &|name| Language::shipped(name).map(str::to_owned))
                    .expect("is a language");
                language.operators.iter_mut().for_each(|operator| operator.place = Default::default());
                language.rules.iter_mut().for_each(|rule| rule.place = Default::default());
                language.checks.iter_mut().for_each(|check| check.place = Default::default());
                language
            };
            assert_eq!(language(&scattered), language(text));
        }
    }
}
