//! Models: the values that make a satisfiable question true.

/// Values of the constants of a satisfiable question, as SMT-LIB text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Model {
    values: Vec<(String, String)>,
}

impl Model {
    /// Reads Z3's rendering: one `name -> value` per constant; function interpretations are skipped.
    pub(crate) fn parse(text: &str, hidden: &str) -> Self {
        let mut values = Vec::new();
        let mut rest = text;
        while let Some(arrow) = rest.find("->") {
            let name = rest[..arrow].trim().trim_matches('|').to_owned();
            let after = rest[arrow + 2..].trim_start();
            let end = value_end(after);
            let value = after[..end].split_whitespace().collect::<Vec<_>>().join(" ");
            if name != hidden && !value.starts_with('{') {
                values.push((name, value));
            }
            rest = &after[end..];
        }
        values.sort();
        Self { values }
    }

    /// The value of a constant as SMT-LIB text, such as `(- 3)` or `true`. Constants that do not matter may be absent.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The value of an integer constant, if it is present and fits.
    pub fn int(&self, name: &str) -> Option<i64> {
        let value = self.value(name)?;
        let (sign, digits) = match value.strip_prefix("(- ") {
            Some(rest) => ("-", rest.strip_suffix(')')?),
            None => ("", value),
        };
        format!("{sign}{digits}").parse().ok()
    }

    /// The value of a Boolean constant, if it is present.
    pub fn bool(&self, name: &str) -> Option<bool> {
        self.value(name)?.parse().ok()
    }

    /// The value of a real constant to the nearest double, if it is present and rational.
    pub fn real(&self, name: &str) -> Option<f64> {
        rational(self.value(name)?)
    }

    /// Names and values, ordered by name.
    pub fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }
}

/// A decimal, or `(- R)`, or `(/ R R)`.
fn rational(text: &str) -> Option<f64> {
    let text = text.trim();
    if let Some(inner) = text.strip_prefix('(').and_then(|t| t.strip_suffix(')')) {
        let inner = inner.trim();
        if let Some(negated) = inner.strip_prefix("- ") {
            return rational(negated).map(|r| -r);
        }
        let operands = inner.strip_prefix("/ ")?.trim_start();
        let split = value_end(operands);
        return Some(rational(&operands[..split])? / rational(&operands[split..])?);
    }
    text.trim_end_matches('?').parse().ok()
}

/// The length of the first s-expression, brace block or atom of `text`.
fn value_end(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut quoted = false;
    for (i, c) in text.char_indices() {
        match c {
            '|' => quoted = !quoted,
            _ if quoted => {}
            '(' | '{' => depth += 1,
            ')' | '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return i + c.len_utf8();
                }
            }
            _ if c.is_whitespace() && depth == 0 => return i,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_by_sort() {
        let model =
            Model::parse("b -> true\na -> (- 3)\nr -> (/ 1.0 4.0)\ns -> (- (/ 1.0\n  2.0))\nhide -> 1\n", "hide");
        assert_eq!(model.int("a"), Some(-3));
        assert_eq!(model.bool("b"), Some(true));
        assert_eq!(model.real("r"), Some(0.25));
        assert_eq!(model.real("s"), Some(-0.5));
        assert_eq!(model.value("hide"), None);
        assert_eq!(model.values().count(), 4);
    }

    #[test]
    fn functions_and_quoted_names_do_not_confuse() {
        let model = Model::parse("|a b| -> 7\nf -> {\n  1 -> 2\n  else -> 0\n}\nz -> red", "");
        assert_eq!(model.int("a b"), Some(7));
        assert_eq!(model.value("z"), Some("red"));
        assert_eq!(model.values().count(), 2);
    }
}
