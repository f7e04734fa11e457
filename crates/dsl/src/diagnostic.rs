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
    /// The source line.
    pub excerpt: String,
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
pub(crate) struct Source<'a> {
    pub(crate) origin: &'a str,
    pub(crate) text: &'a str,
}

impl Source<'_> {
    /// Line and column of a byte.
    pub(crate) fn place(&self, span: Span) -> Place {
        let start = self.floor(span.start);
        let before = &self.text[..start];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Place {
            origin: self.origin.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
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
    pub(crate) fn report(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        let (start, end) = (self.floor(span.start), self.floor(span.end.max(span.start)));
        let line_start = self.text[..start].rfind('\n').map_or(0, |i| i + 1);
        let line_end = self.text[start..].find('\n').map_or(self.text.len(), |i| start + i);
        let excerpt = self.text[line_start..line_end].trim_end().to_owned();
        let width = self.text[start..end.clamp(start, line_end)].chars().count().max(1);
        Diagnostic {
            place: self.place(span),
            excerpt,
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
    pub(crate) fn expected(mut self, text: impl Into<String>) -> Self {
        self.expected = Some(text.into());
        self
    }

    pub(crate) fn found(mut self, text: impl Into<String>) -> Self {
        self.found = Some(text.into());
        self
    }

    pub(crate) fn hint(mut self, text: impl Into<String>) -> Self {
        self.hint = Some(text.into());
        self
    }
}

/// Columns of source text that are shown: a line of a generated file may have megabytes.
const EXCERPT_COLUMNS: usize = 120;

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = self.place.column - 1;
        let skipped = column.saturating_sub(EXCERPT_COLUMNS - 40);
        let excerpt: String = self.excerpt.chars().skip(skipped).take(EXCERPT_COLUMNS).collect();
        let lead: String = excerpt.chars().take(column - skipped).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let width = self.width.clamp(1, EXCERPT_COLUMNS - (column - skipped).min(EXCERPT_COLUMNS - 1));
        let number = self.place.line.to_string();
        let gutter = " ".repeat(number.len());
        writeln!(f, "{}: {}", if self.is_warning { "warning" } else { "error" }, self.message)?;
        writeln!(f, "{gutter}--> {}", self.place)?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{number} | {excerpt}")?;
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
