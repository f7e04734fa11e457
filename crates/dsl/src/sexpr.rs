//! S-expressions with source spans: the reader under DSL files and programs.
//!
//! Nesting and size are limited, so that no text can exhaust the stack or the memory.

use crate::diagnostic::{Diagnostic, Place, Source, Span, line_starts};

/// Lists within lists that are accepted.
pub(crate) const NESTING_LIMIT: usize = 256;
/// Bytes of text that are accepted.
const TEXT_LIMIT: usize = 16 << 20;
/// Problems after which reading stops.
const PROBLEM_LIMIT: usize = 100;

/// A piece of text that was read.
#[derive(Clone, PartialEq, Debug)]
pub struct Sexpr {
    /// What it is.
    pub kind: Kind,
    /// Where it stands.
    pub span: Span,
}

/// What an s-expression is.
#[derive(Clone, PartialEq, Debug)]
pub enum Kind {
    /// A name.
    Symbol(String),
    /// `:word`, without the colon.
    Keyword(String),
    /// A whole number.
    Int(i64),
    /// A number with a point or an exponent.
    Real(f64),
    /// `#x0f` or `#b0101`: width and bits.
    BitVec(u8, u64),
    /// `"text"`, without the quotes.
    Text(String),
    /// `( ... )`.
    List(Vec<Sexpr>),
}

impl Sexpr {
    /// The items, if it is a list.
    pub fn list(&self) -> Option<&[Self]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    /// What begins at a byte: it, or a part of it.
    fn starting_at(&self, byte: usize) -> Option<&Self> {
        if self.span.start == byte {
            return Some(self);
        }
        let inside = self.list().filter(|_| self.span.start < byte && byte < self.span.end);
        inside.into_iter().flatten().find_map(|item| item.starting_at(byte))
    }

    /// The name, if it is one.
    pub fn symbol(&self) -> Option<&str> {
        match &self.kind {
            Kind::Symbol(text) => Some(text),
            _ => None,
        }
    }

    /// The word, if it is a keyword.
    pub fn keyword(&self) -> Option<&str> {
        match &self.kind {
            Kind::Keyword(text) => Some(text),
            _ => None,
        }
    }

    /// What it is, for messages.
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Symbol(text) => format!("the symbol {}", quote_symbol(text)),
            Kind::Keyword(text) => format!("the keyword :{text}"),
            Kind::Int(value) => format!("the number {value}"),
            Kind::Real(value) => format!("the number {value:?}"),
            Kind::BitVec(width, bits) => format!("the bit-vector {}", write_bits(*width, *bits)),
            Kind::Text(text) => format!("the string {}", quote_text(text)),
            Kind::List(items) if items.is_empty() => "()".to_owned(),
            Kind::List(items) => match items[0].symbol() {
                Some(head) => format!("a list ({} ...)", quote_symbol(head)),
                None => "a list".to_owned(),
            },
        }
    }
}

/// A token and where it stands; comments are tokens too, for the formatter.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum TokenKind {
    Open,
    Close,
    Comment,
    Atom(Kind),
}

fn is_symbol_char(c: char) -> bool {
    c.is_alphanumeric() || "~!@$%^&*_-+=<>.?/'#{}[],`\\".contains(c)
}

/// A symbol as it is written: between bars where it would read as something else.
pub fn quote_symbol(text: &str) -> String {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let is_number = unsigned.starts_with(|c: char| c.is_ascii_digit());
    let plain = !text.is_empty() && text.chars().all(is_symbol_char) && !is_number && !is_bits(text);
    if plain { text.to_owned() } else { format!("|{}|", escape(text, '|')) }
}

/// A string literal as it is written.
pub(crate) fn quote_text(text: &str) -> String {
    format!("\"{}\"", escape(text, '"'))
}

fn escape(text: &str, delimiter: char) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c == delimiter => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
            c => out.push(c),
        }
    }
    out
}

/// A bit-vector as it is written: by hexadecimal digits where they fill the width, else bit by bit.
pub(crate) fn write_bits(width: u8, bits: u64) -> String {
    let n = usize::from(width);
    if n.is_multiple_of(4) { format!("#x{bits:0>digits$x}", digits = n / 4) } else { format!("#b{bits:0>n$b}") }
}

/// Whether a word can only be a bit-vector, as in SMT-LIB.
fn is_bits(word: &str) -> bool {
    word.starts_with("#x") || word.starts_with("#b")
}

/// The digits of a bit-vector and the bits that each stands for.
fn bit_digits(word: &str) -> Option<(&str, u32)> {
    let (digits, each) = match word.strip_prefix("#x") {
        Some(digits) => (digits, 4),
        None => (word.strip_prefix("#b")?, 1),
    };
    let are_digits = !digits.is_empty() && digits.chars().all(|c| c.is_digit(1 << each));
    are_digits.then_some((digits, each))
}

/// A real number as it is written: always with a point or an exponent.
pub(crate) fn write_real(value: f64) -> String {
    format!("{value:?}")
}

struct Lexer<'a> {
    source: Source<'a>,
    at: usize,
    problems: &'a mut Vec<Diagnostic>,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.source.text[self.at..].chars().next()
    }

    fn advance(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn next(&mut self) -> Option<Token> {
        while self.problems.len() < PROBLEM_LIMIT {
            while self.peek().is_some_and(char::is_whitespace) {
                self.advance();
            }
            let start = self.at;
            let kind = match self.advance()? {
                '(' => TokenKind::Open,
                ')' => TokenKind::Close,
                ';' => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.advance();
                    }
                    TokenKind::Comment
                }
                '"' => TokenKind::Atom(Kind::Text(self.delimited('"', start))),
                '|' => TokenKind::Atom(Kind::Symbol(self.delimited('|', start))),
                ':' => {
                    let word = self.word();
                    if word.is_empty() {
                        self.problem(start, "a colon without a keyword");
                        continue;
                    }
                    TokenKind::Atom(Kind::Keyword(word))
                }
                c if is_symbol_char(c) => {
                    self.at = start;
                    let word = self.word();
                    TokenKind::Atom(self.atom(word, start))
                }
                c => {
                    self.problem(start, format!("the character {c:?} has no meaning here"));
                    continue;
                }
            };
            return Some(Token { kind, span: Span { start, end: self.at } });
        }
        None
    }

    fn problem(&mut self, start: usize, message: impl Into<String>) {
        self.problems.push(self.source.report(Span { start, end: self.at }, message));
    }

    fn word(&mut self) -> String {
        let start = self.at;
        while self.peek().is_some_and(is_symbol_char) {
            self.advance();
        }
        self.source.text[start..self.at].to_owned()
    }

    fn atom(&mut self, word: String, start: usize) -> Kind {
        if let Some((digits, each)) = bit_digits(&word) {
            return self.bits(digits, each, start);
        }
        if is_bits(&word) {
            let problem = self.source.report(Span { start, end: self.at }, format!("{word} is no bit-vector"));
            let shape = "#x and hexadecimal digits, four bits each, or #b and the digits 0 and 1";
            self.problems.push(problem.expected(shape));
            return Kind::BitVec(1, 0);
        }
        let digits = word.strip_prefix('-').unwrap_or(&word);
        if !digits.starts_with(|c: char| c.is_ascii_digit()) {
            return Kind::Symbol(word);
        }
        if digits.bytes().all(|b| b.is_ascii_digit()) {
            // The least 64-bit number is the code of "undefined".
            match word.parse::<i64>() {
                Ok(value) if value != i64::MIN => return Kind::Int(value),
                _ => self.problem(start, "an integer beyond 64 bits"),
            }
            return Kind::Int(0);
        }
        match word.parse::<f64>() {
            Ok(value) if value.is_finite() => Kind::Real(value),
            _ => {
                self.problem(start, format!("{word} is not a number, and names do not begin with a digit"));
                Kind::Int(0)
            }
        }
    }

    fn bits(&mut self, digits: &str, each: u32, start: usize) -> Kind {
        let width = u8::try_from(digits.len()).ok().and_then(|n| n.checked_mul(each as u8));
        match width.filter(|width| *width <= samples::Sort::MAX_WIDTH) {
            Some(width) => Kind::BitVec(width, u64::from_str_radix(digits, 1 << each).unwrap_or(0)),
            None => {
                self.problem(start, "a bit-vector beyond 64 bits");
                Kind::BitVec(1, 0)
            }
        }
    }

    /// The rest of a string or of a symbol between bars.
    fn delimited(&mut self, delimiter: char, start: usize) -> String {
        let mut text = String::new();
        loop {
            match self.advance() {
                None => {
                    self.problem(start, format!("a {delimiter} that is never closed"));
                    return text;
                }
                Some(c) if c == delimiter => return text,
                Some('\\') => match self.advance() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some('u') => text.extend(self.unicode()),
                    Some(c) => text.push(c),
                    None => {}
                },
                Some(c) => text.push(c),
            }
        }
    }

    /// `{hex}` after `\u`.
    fn unicode(&mut self) -> Option<char> {
        let rest = &self.source.text[self.at..];
        let end = rest.char_indices().take(12).find(|&(_, c)| c == '}').map(|(i, _)| i);
        let start = self.at;
        let decoded = end.and_then(|end| {
            let hex = rest.get(1..end).filter(|_| rest.starts_with('{'))?;
            self.at += end + 1;
            u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)
        });
        if decoded.is_none() {
            self.problem(start, "an escape that is no character; write \\u{hex}");
        }
        decoded
    }
}

/// The tokens of a text, comments included.
pub(crate) fn tokens(source: Source<'_>, problems: &mut Vec<Diagnostic>) -> Vec<Token> {
    if source.text.len() > TEXT_LIMIT {
        problems.push(source.report(Span::default(), format!("a text of more than {TEXT_LIMIT} bytes")));
        return Vec::new();
    }
    let mut lexer = Lexer { source, at: 0, problems };
    std::iter::from_fn(|| lexer.next()).collect()
}

/// A diagnostic of what is written at a place of a text: the first line of it is underlined, or a keyword in it if one is
/// given and it is there.
pub fn report_at(text: &str, place: &Place, keyword: Option<&str>, message: impl Into<String>) -> Diagnostic {
    let lines = line_starts(text);
    let source = Source::new(&place.origin, text, &lines);
    let start = source.byte(place);
    let items = read(source, &mut Vec::new());
    let item = items.iter().find_map(|item| item.starting_at(start));
    let of_keyword = |item: &Sexpr| item.list()?.iter().find(|own| own.keyword() == keyword).map(|own| own.span);
    let span =
        item.map_or(Span { start, end: start }, |item| keyword.and_then(|_| of_keyword(item)).unwrap_or(item.span));
    source.report(span, message)
}

/// The s-expressions of a text; none where parentheses do not match, since what they enclose is a guess then. What
/// cannot be read is reported.
pub fn read(source: Source<'_>, problems: &mut Vec<Diagnostic>) -> Vec<Sexpr> {
    let mut top = Vec::new();
    let mut open: Vec<(usize, Vec<Sexpr>)> = Vec::new();
    for token in tokens(source, problems) {
        match token.kind {
            TokenKind::Comment => {}
            TokenKind::Open if open.len() >= NESTING_LIMIT => {
                problems.push(source.report(token.span, format!("lists nested more than {NESTING_LIMIT} deep")));
                return Vec::new();
            }
            TokenKind::Open => open.push((token.span.start, Vec::new())),
            TokenKind::Close => match open.pop() {
                None => {
                    let report = source.report(token.span, "a closing parenthesis without its opening one");
                    problems.push(match top.iter().rev().find(|item: &&Sexpr| item.list().is_some()) {
                        Some(last) => report.hint(closed_too_early(source, last)),
                        None => report,
                    });
                    return Vec::new();
                }
                Some((start, items)) => {
                    let list = Sexpr { kind: Kind::List(items), span: Span { start, end: token.span.end } };
                    open.last_mut().map_or(&mut top, |(_, items)| items).push(list);
                }
            },
            TokenKind::Atom(kind) => {
                open.last_mut().map_or(&mut top, |(_, items)| items).push(Sexpr { kind, span: token.span });
            }
        }
    }
    if let Some((start, _)) = open.first() {
        let span = Span { start: *start, end: start + 1 };
        let report = source.report(span, "a parenthesis that is never closed");
        // Definitions begin at the first column, as a rule: the next one that does is where it should have ended.
        let next = source.text[span.end..].find("\n(").map(|at| span.end + at + 1);
        problems.push(match next {
            Some(start) => {
                let line = source.place(Span { start, end: start }).line;
                report.hint(format!("is one missing before line {line}, where the next definition begins?"))
            }
            None => report,
        });
        return Vec::new();
    }
    top
}

/// Where the list before a closing parenthesis that is one too many began and ended.
fn closed_too_early(source: Source<'_>, last: &Sexpr) -> String {
    let (start, end) = (source.place(last.span), source.place(Span { start: last.span.end - 1, end: last.span.end }));
    format!("the list before it began at {}:{} and ended at {}:{}", start.line, start.column, end.line, end.column)
}
