//! Reading keys of a JSON file with errors that name the place.

use std::ops::RangeInclusive;

use serde_json::Value;

use crate::{File, LoadError};

/// A place in a JSON file: a value, or the absence of one.
#[derive(Clone, Debug)]
pub(crate) struct At<'a> {
    pub(crate) file: File,
    pub(crate) path: String,
    pub(crate) value: Option<&'a Value>,
}

/// Parses a JSON file whose root is an object.
pub(crate) fn parse(file: File, bytes: &[u8]) -> Result<Value, LoadError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        LoadError::NotText { file, offset, byte: bytes.get(offset).copied().unwrap_or(0) }
    })?;
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| LoadError::Json { file, message: error.to_string() })?;
    if !value.is_object() {
        return Err(At { file, path: "the file".to_owned(), value: Some(&value) }.wrong("an object"));
    }
    Ok(value)
}

impl<'a> At<'a> {
    pub(crate) fn root(file: File, value: &'a Value) -> Self {
        Self { file, path: String::new(), value: Some(value) }
    }

    /// The value under a key; absent and `null` are the same.
    pub(crate) fn get(&self, key: &str) -> Self {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        let value = self.value.and_then(|value| value.get(key)).filter(|value| !value.is_null());
        Self { file: self.file, path, value }
    }

    pub(crate) fn is_absent(&self) -> bool {
        self.value.is_none()
    }

    /// What is there, in short.
    pub(crate) fn found(&self) -> String {
        let Some(value) = self.value else { return "nothing".to_owned() };
        let text = match value {
            Value::Array(list) if list.len() > 8 => format!("a list of {} entries", list.len()),
            Value::Object(map) if map.len() > 4 => format!("an object of {} keys", map.len()),
            value => value.to_string(),
        };
        match text.char_indices().nth(80) {
            Some((cut, _)) => format!("{}...", &text[..cut]),
            None => text,
        }
    }

    pub(crate) fn wrong(&self, expected: impl Into<String>) -> LoadError {
        LoadError::Key {
            file: self.file,
            key: self.path.clone(),
            expected: expected.into(),
            found: self.found(),
            help: None,
        }
    }

    pub(crate) fn contradicts(&self, other: impl Into<String>, expected: impl ToString) -> LoadError {
        LoadError::Contradiction {
            file: self.file,
            key: self.path.clone(),
            found: self.found(),
            other: other.into(),
            expected: expected.to_string(),
        }
    }

    /// A count within a range.
    pub(crate) fn count(&self, range: RangeInclusive<usize>) -> Result<usize, LoadError> {
        let number = self.value.and_then(Value::as_u64).and_then(|number| usize::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        number.ok_or_else(|| self.wrong(format!("an integer within {} to {}", range.start(), range.end())))
    }

    /// A finite number.
    pub(crate) fn number(&self) -> Result<f64, LoadError> {
        let number = self.value.and_then(Value::as_f64).filter(|number| number.is_finite());
        number.ok_or_else(|| self.wrong("a number"))
    }

    pub(crate) fn text(&self) -> Result<&'a str, LoadError> {
        self.value.and_then(Value::as_str).ok_or_else(|| self.wrong("a string"))
    }

    pub(crate) fn list(&self) -> Result<&'a [Value], LoadError> {
        self.value.and_then(Value::as_array).map(Vec::as_slice).ok_or_else(|| self.wrong("a list"))
    }

    /// A truth value; `default` where there is none.
    pub(crate) fn flag(&self, default: bool) -> Result<bool, LoadError> {
        match self.value {
            None => Ok(default),
            Some(value) => value.as_bool().ok_or_else(|| self.wrong("true or false")),
        }
    }

    /// One of several names.
    pub(crate) fn one_of<T: Copy>(&self, names: &[(&str, T)]) -> Result<T, LoadError> {
        let found = self.value.and_then(Value::as_str);
        let chosen = names.iter().find(|(name, _)| Some(*name) == found);
        chosen.map(|(_, value)| *value).ok_or_else(|| {
            let list: Vec<String> = names.iter().map(|(name, _)| format!("{name:?}")).collect();
            self.wrong(list.join(" or "))
        })
    }

    /// Fails unless the key is absent or holds this.
    pub(crate) fn must_be(&self, value: &Value, why: &str) -> Result<(), LoadError> {
        match self.value {
            None => Ok(()),
            Some(found) if found == value => Ok(()),
            Some(_) => Err(self.wrong(format!("{value} ({why})"))),
        }
    }
}
