//! Interned names and vocabulary atoms.

use std::fmt;
use std::sync::{Mutex, OnceLock};

use rustc_hash::FxHashMap;

/// An interned string: a name, or a value of a finite vocabulary.
///
/// Ids are handed out in order of first use, which depends on the schedule: never order or print by id. `Ord` compares
/// the text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Symbol(u32);

#[derive(Default)]
struct Interner {
    ids: FxHashMap<&'static str, u32>,
    texts: Vec<&'static str>,
}

fn interner() -> &'static Mutex<Interner> {
    static INTERNER: OnceLock<Mutex<Interner>> = OnceLock::new();
    INTERNER.get_or_init(Mutex::default)
}

impl Symbol {
    /// The symbol of `text`. Interned text is never freed; a process sees few distinct names.
    pub fn new(text: &str) -> Self {
        let mut interner = interner().lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(&id) = interner.ids.get(text) {
            return Self(id);
        }
        let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
        let id = u32::try_from(interner.texts.len()).expect("fewer than 2^32 distinct names");
        interner.texts.push(kept);
        interner.ids.insert(kept, id);
        Self(id)
    }

    /// The text.
    pub fn as_str(self) -> &'static str {
        interner().lock().unwrap_or_else(std::sync::PoisonError::into_inner).texts[self.0 as usize]
    }

    /// The value of a vocabulary that the symbol stands for, as JSON text: a string, or what follows `#json:`.
    pub fn json(self) -> String {
        if let Some(text) = self.as_str().strip_prefix("#json:") {
            return text.to_owned();
        }
        let mut text = String::from('"');
        for c in self.as_str().chars() {
            match c {
                '"' | '\\' => text.extend(['\\', c]),
                c if c.is_control() => text.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => text.push(c),
            }
        }
        text.push('"');
        text
    }

    /// The code of this symbol in a column.
    pub fn code(self) -> i64 {
        i64::from(self.0)
    }

    /// The symbol of a column code made by [`Symbol::code`]; `None` for any other number.
    pub fn from_code(code: i64) -> Option<Self> {
        let id = u32::try_from(code).ok()?;
        let interner = interner().lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        ((id as usize) < interner.texts.len()).then_some(Self(id))
    }
}

impl PartialOrd for Symbol {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Symbol {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        if self.0 == other.0 { std::cmp::Ordering::Equal } else { self.as_str().cmp(other.as_str()) }
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl From<&str> for Symbol {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}
