//! What is wrong with a text, and where: messages with the source line, a caret, what was expected and a hint.

use std::fmt;

/// Bytes `start .. end` of a source text.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// Where something was written.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Place {
    /// The name of the text: a file, or a shipped DSL.
    pub origin: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.origin, self.line, self.column)
    }
}

/// One thing that is wrong with a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// Where it begins.
    pub place: Place,
    /// The source line, or the part of a long one around the place.
    pub excerpt: String,
    /// Characters of the line before the excerpt.
    pub skipped: usize,
    /// Characters to underline, from the column on.
    pub width: usize,
    /// A lowercase fragment.
    pub message: String,
    /// What would have been right.
    pub expected: Option<String>,
    /// What stands there.
    pub found: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether the text is accepted all the same.
    pub is_warning: bool,
}

/// Everything that is wrong with a text, in order of place. Never empty as an error.
#[derive(Clone, PartialEq, Eq, Default, Debug, thiserror::Error)]
pub struct Diagnostics {
    /// In order of place.
    pub items: Vec<Diagnostic>,
}

/// A named text, to point into.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    pub(crate) origin: &'a str,
    pub(crate) text: &'a str,
    /// Where each line begins.
    lines: &'a [usize],
}

/// Where each line of a text begins.
pub fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect()
}

impl<'a> Source<'a> {
    /// `lines` as [`line_starts`] gives them.
    pub fn new(origin: &'a str, text: &'a str, lines: &'a [usize]) -> Self {
        Self { origin, text, lines }
    }

    /// The line of a byte, from 0, and where it begins.
    fn line(&self, byte: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|&start| start <= byte).saturating_sub(1);
        (line, self.lines.get(line).copied().unwrap_or(0))
    }

    /// Line and column of a span.
    pub fn place(&self, span: Span) -> Place {
        let start = self.floor(span.start);
        let (line, line_start) = self.line(start);
        let column = self.text[line_start..start].chars().count() + 1;
        Place { origin: self.origin.to_owned(), line: line + 1, column }
    }

    /// The byte at which a place of this text is.
    pub(crate) fn byte(&self, place: &Place) -> usize {
        let line_start = self.lines.get(place.line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let line = self.text.get(line_start..).unwrap_or_default();
        line.char_indices().nth(place.column.saturating_sub(1)).map_or(self.text.len(), |(i, _)| line_start + i)
    }

    /// The greatest character boundary that is not beyond `byte`.
    fn floor(&self, byte: usize) -> usize {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    }

    /// A diagnostic at a span.
    pub fn report(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        let (start, end) = (self.floor(span.start), self.floor(span.end.max(span.start)));
        let (_, line_start) = self.line(start);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |i| start + i);
        let place = self.place(span);
        let skipped = (place.column - 1).saturating_sub(EXCERPT_COLUMNS - 40);
        let excerpt: String = self.text[line_start..line_end].chars().skip(skipped).take(EXCERPT_COLUMNS).collect();
        let width = self.text[start..end.clamp(start, line_end)].chars().take(EXCERPT_COLUMNS).count().max(1);
        Diagnostic {
            place,
            excerpt: excerpt.trim_end().to_owned(),
            skipped,
            width,
            message: message.into(),
            expected: None,
            found: None,
            hint: None,
            is_warning: false,
        }
    }
}

impl Diagnostic {
    /// The same, saying what would have been right.
    pub fn expected(mut self, text: impl Into<String>) -> Self {
        self.expected = Some(text.into());
        self
    }

    /// The same, saying what stands there.
    pub fn found(mut self, text: impl Into<String>) -> Self {
        self.found = Some(text.into());
        self
    }

    /// The same, saying what to do about it.
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hint = Some(text.into());
        self
    }
}

/// Characters of source text that are kept: a line of a generated file may have megabytes.
const EXCERPT_COLUMNS: usize = 120;

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = (self.place.column - 1).saturating_sub(self.skipped);
        let keep_tabs = |c: char| if c == '\t' { '\t' } else { ' ' };
        let lead: String = self.excerpt.chars().chain(std::iter::repeat(' ')).take(column).map(keep_tabs).collect();
        let width = self.width.clamp(1, EXCERPT_COLUMNS - column.min(EXCERPT_COLUMNS - 1));
        let number = self.place.line.to_string();
        let gutter = " ".repeat(number.len());
        writeln!(f, "{}: {}", if self.is_warning { "warning" } else { "error" }, self.message)?;
        writeln!(f, "{gutter}--> {}", self.place)?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{number} | {}", self.excerpt)?;
        write!(f, "{gutter} | {lead}{}", "^".repeat(width))?;
        for (label, text) in [("expected", &self.expected), ("found", &self.found), ("hint", &self.hint)] {
            if let Some(text) = text {
                write!(f, "\n{gutter} = {label}: {text}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, item) in self.items.iter().enumerate() {
            let gap = if i == 0 { "" } else { "\n\n" };
            write!(f, "{gap}{item}")?;
        }
        Ok(())
    }
}
