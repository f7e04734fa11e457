//! Names, literals and helper functions of Python text.

use samples::{Symbol, Value};

/// A function that is written out before `run` where it is used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Helper {
    Both,
    Either,
    Implies,
    Quotient,
    Remainder,
    Root,
    Rounded,
    Select,
    Copy,
    CopyReal,
    Mean,
    Signed,
    Divided,
    Remains,
    Modulo,
    Least,
    Greatest,
    Mode,
    Number,
    Numeral,
    Append,
}

impl Helper {
    pub(super) const ALL: [Self; 21] = [
        Self::Both,
        Self::Either,
        Self::Implies,
        Self::Quotient,
        Self::Remainder,
        Self::Root,
        Self::Rounded,
        Self::Select,
        Self::Copy,
        Self::CopyReal,
        Self::Mean,
        Self::Signed,
        Self::Divided,
        Self::Remains,
        Self::Modulo,
        Self::Least,
        Self::Greatest,
        Self::Mode,
        Self::Number,
        Self::Numeral,
        Self::Append,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Either => "either",
            Self::Implies => "implies",
            Self::Quotient => "quotient",
            Self::Remainder => "remainder",
            Self::Root => "root",
            Self::Rounded => "rounded",
            Self::Select => "select",
            Self::Copy => "copy",
            Self::CopyReal => "copy_real",
            Self::Mean => "mean",
            Self::Signed => "signed",
            Self::Divided => "signed_quotient",
            Self::Remains => "signed_remainder",
            Self::Modulo => "signed_modulo",
            Self::Least => "least",
            Self::Greatest => "greatest",
            Self::Mode => "mode",
            Self::Number => "number",
            Self::Numeral => "numeral",
            Self::Append => "append",
        }
    }

    /// Helpers that the text of this one calls.
    pub(super) fn needs(self) -> &'static [Self] {
        match self {
            Self::CopyReal => &[Self::Mean, Self::Rounded],
            Self::Mean => &[Self::Rounded],
            Self::Divided | Self::Remains | Self::Modulo => &[Self::Signed],
            _ => &[],
        }
    }

    pub(super) fn text(self, causal: bool) -> &'static str {
        match self {
            Self::Both => {
                "def both(a, b):\n    if a is False or b is False:\n        return False\n    return None if a is None or b is None else True"
            }
            Self::Either => {
                "def either(a, b):\n    if a is True or b is True:\n        return True\n    return None if a is None or b is None else False"
            }
            Self::Implies => {
                "def implies(a, b):\n    if a is False or b is True:\n        return True\n    return None if a is None or b is None else False"
            }
            Self::Quotient => {
                "def quotient(a, b):\n    if b == 0:\n        return None\n    return a // b if b > 0 else -(a // -b)"
            }
            Self::Remainder => "def remainder(a, b):\n    return None if b == 0 else a % abs(b)",
            Self::Root => {
                "def root(a):\n    if a < 0:\n        return None\n    low, high = 0, a + 1\n    while high - low > 1:\n        middle = (low + high) // 2\n        if middle * middle <= a:\n            low = middle\n        else:\n            high = middle\n    return low"
            }
            Self::Rounded => "def rounded(value):\n    return float(\"%.12g\" % value)",
            Self::Select if causal => {
                "def select(keys, queries, predicate):\n    \"\"\"The positions selected at each position, none beyond it.\"\"\"\n    return [[j for j in range(i + 1) if predicate(keys[j], q)] for i, q in enumerate(queries)]"
            }
            Self::Select => {
                "def select(keys, queries, predicate):\n    \"\"\"The positions selected at each position.\"\"\"\n    return [[j for j, k in enumerate(keys) if predicate(k, q)] for q in queries]"
            }
            Self::Copy => {
                "def copy(chosen, values):\n    \"\"\"The value at the positions chosen, if it is the same at all of them.\"\"\"\n    found = [values[j] for j in chosen]\n    return found[0] if found and all(value == found[0] for value in found) else None"
            }
            Self::CopyReal => {
                "def copy_real(chosen, values):\n    \"\"\"The mean of the values at the positions chosen.\"\"\"\n    return mean(chosen, values) if chosen else None"
            }
            Self::Signed => {
                "def signed(a, width):\n    \"\"\"The number that a bit-vector is in two's complement.\"\"\"\n    return a - (1 << width) if a >> (width - 1) else a"
            }
            Self::Divided => {
                "def signed_quotient(a, b, width):\n    a, b = signed(a, width), signed(b, width)\n    if b == 0:\n        return 1 if a < 0 else (1 << width) - 1\n    quotient = abs(a) // abs(b)\n    return (quotient if (a < 0) == (b < 0) else -quotient) & ((1 << width) - 1)"
            }
            Self::Remains => {
                "def signed_remainder(a, b, width):\n    a, b = signed(a, width), signed(b, width)\n    rest = abs(a) % abs(b) if b else abs(a)\n    return (-rest if a < 0 else rest) & ((1 << width) - 1)"
            }
            Self::Modulo => {
                "def signed_modulo(a, b, width):\n    a, b = signed(a, width), signed(b, width)\n    return (a % b if b else a) & ((1 << width) - 1)"
            }
            Self::Least => {
                "def least(chosen, values):\n    \"\"\"The least value at the positions chosen.\"\"\"\n    return min((values[j] for j in chosen if values[j] is not None), default=None)"
            }
            Self::Greatest => {
                "def greatest(chosen, values):\n    \"\"\"The greatest value at the positions chosen.\"\"\"\n    return max((values[j] for j in chosen if values[j] is not None), default=None)"
            }
            Self::Mode => {
                "def mode(chosen, values):\n    \"\"\"The most frequent value at the positions chosen; of several the first.\"\"\"\n    counts = {}\n    for j in chosen:\n        if values[j] is not None:\n            counts.setdefault(repr(values[j]), [0, values[j]])[0] += 1\n    return max(counts.values(), key=lambda count: count[0], default=(0, None))[1]"
            }
            Self::Number => {
                "def number(a):\n    \"\"\"The integer that a text writes.\"\"\"\n    if not isinstance(a, str) or len(a) > 7 or not a.isascii() or not a.removeprefix(\"-\").isdecimal():\n        return None\n    return int(a) if str(int(a)) == a and abs(int(a)) < 1000000 else None"
            }
            Self::Numeral => {
                "def numeral(a):\n    \"\"\"The text that writes an integer.\"\"\"\n    return str(a) if abs(a) < 1000000 else None"
            }
            Self::Append => "def append(items, item):\n    return items + [item] if isinstance(items, list) else None",
            Self::Mean => {
                "def mean(chosen, values):\n    \"\"\"The mean of the values at the positions chosen, 0 if there are none.\"\"\"\n    found = [values[j] for j in chosen]\n    if any(value is None for value in found):\n        return None\n    return rounded(sum(found) / len(found)) if found else 0.0"
            }
        }
    }
}

/// Words that cannot be names.
const KEYWORDS: [&str; 47] = [
    "False",
    "None",
    "True",
    "and",
    "as",
    "assert",
    "async",
    "await",
    "break",
    "class",
    "continue",
    "def",
    "del",
    "elif",
    "else",
    "except",
    "finally",
    "for",
    "from",
    "global",
    "if",
    "import",
    "in",
    "is",
    "lambda",
    "nonlocal",
    "not",
    "or",
    "pass",
    "raise",
    "return",
    "try",
    "while",
    "with",
    "yield",
    "abs",
    "all",
    "any",
    "enumerate",
    "float",
    "int",
    "len",
    "list",
    "max",
    "min",
    "range",
    "sum",
];

/// A Python name like the text.
pub(super) fn identifier(text: &str) -> String {
    let mut name: String = text
        .replace('\'', "_next")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' })
        .collect();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        name.insert_str(0, "v_");
    }
    if name.chars().all(|c| c == '_') {
        name = "f".to_owned();
    }
    if KEYWORDS.contains(&name.as_str()) || name == "repr" {
        name.push('_');
    }
    name
}

/// Whether a line of Python has a name as a word of its own.
pub(super) fn mentions(line: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.match_indices(name)
        .any(|(at, _)| !line[..at].ends_with(is_word) && !line[at + name.len()..].starts_with(is_word))
}

/// A value as Python; numbers with the digits that results of arithmetic are rounded to, so that they can equal them.
pub(super) fn literal(value: Value) -> String {
    match value {
        Value::Undefined => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Int(i) => i.to_string(),
        Value::Real(r) => format!("{:?}", format!("{r:.11e}").parse().unwrap_or(r)),
        Value::BitVec { bits, .. } => format!("{bits:#x}"),
        Value::Symbol(symbol) => symbol_literal(symbol),
        Value::Enum(_, constructor) => string(constructor.as_str()),
    }
}

/// A vocabulary atom: a string, or the JSON value that `#json:` introduces.
fn symbol_literal(symbol: Symbol) -> String {
    symbol.as_str().strip_prefix("#json:").map_or_else(|| string(symbol.as_str()), json)
}

/// Whether a value may be a list or dictionary in Python, or collide with another as a dictionary key.
pub(super) fn is_json(value: Value) -> bool {
    matches!(value, Value::Symbol(symbol) if symbol.as_str().starts_with("#json:"))
}

fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => out.push_str(&unicode(c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn unicode(code: u32) -> String {
    if code <= 0xffff { format!("\\u{code:04x}") } else { format!("\\U{code:08x}") }
}

/// JSON text as a Python literal.
fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c == '"' {
            let (decoded, length) = json_string(rest);
            out.push_str(&string(&decoded));
            rest = &rest[length..];
        } else if let Some((word, python)) = [("true", "True"), ("false", "False"), ("null", "None")]
            .into_iter()
            .find(|(word, _)| rest.starts_with(word))
        {
            out.push_str(python);
            rest = &rest[word.len()..];
        } else {
            out.push(c);
            if c == ',' || c == ':' {
                out.push(' ');
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// The text of a JSON string at the beginning of `text`, and its length with quotes.
fn json_string(text: &str) -> (String, usize) {
    let mut units: Vec<u16> = Vec::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (String::from_utf16_lossy(&units), at + 1),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
                    units.push(u16::from_str_radix(&digits, 16).unwrap_or(0xfffd));
                }
                Some('n') => units.push(10),
                Some('t') => units.push(9),
                Some('r') => units.push(13),
                Some('b') => units.push(8),
                Some('f') => units.push(12),
                Some(c) => units.extend(c.encode_utf16(&mut [0; 2]).iter()),
                None => break,
            },
            c => units.extend(c.encode_utf16(&mut [0; 2]).iter()),
        }
    }
    (String::from_utf16_lossy(&units), text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_becomes_python() {
        let check = |json: &str, python: &str| {
            assert_eq!(literal(Value::Symbol(Symbol::new(&format!("#json:{json}")))), python);
        };
        check(r#"{"tuple":[1,"true",null]}"#, r#"{"tuple": [1, "true", None]}"#);
        check("true", "True");
        check("-1.5", "-1.5");
        check(r#""a\ud83d\ude00\/""#, "\"a\u{1f600}/\"");
        assert_eq!(literal(Value::Symbol("a\"b".into())), r#""a\"b""#);
        // What "%.12g" makes of the same number.
        assert_eq!(literal(Value::Real(1.0 / 6.0)), "0.166666666667");
        assert_eq!(literal(Value::Real(-0.5)), "-0.5");
    }
}
