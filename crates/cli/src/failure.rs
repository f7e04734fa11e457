//! Errors as they are shown: what is wrong, where, what was expected, what to do.

use std::fmt;
use std::path::Path;

/// Something that ends a command with exit code 1.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// A failure at a path.
    pub(crate) fn at(path: &Path, message: impl fmt::Display) -> Self {
        Self::new(format!("{}: {message}", path.display()))
    }

    /// What is wrong, to be said within another message.
    pub(crate) fn message(&self) -> &str {
        self.message.strip_prefix("error: ").unwrap_or(&self.message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if self.message.starts_with("error:") { "" } else { "error: " };
        write!(f, "{prefix}{}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

/// Diagnostics name their places themselves, and each says that it is an error.
impl From<dsl::Diagnostics> for Failure {
    fn from(diagnostics: dsl::Diagnostics) -> Self {
        Self::new(diagnostics.to_string())
    }
}
