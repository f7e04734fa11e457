//! `ventris run`: evaluate a program on inputs of one's own.

use std::path::Path;

use dsl::{Env, Language};
use samples::{Column, Domain, Points, Sort, Symbol, Value, encode_value};
use serde_json::Value as Json;

use crate::args::RunArgs;
use crate::failure::Failure;
use crate::{Status, language, output};

/// Prints the outputs of a program, one list per line of input.
///
/// # Errors
/// Files that cannot be read; inputs that are no lists, or not of the sort that the program takes.
pub(crate) fn run(args: &RunArgs) -> Result<Status, Failure> {
    let text = output::read_text(&args.program)?;
    let over_tokens = words(&text).any(|word| word == "tokens" || word == "indices");
    let lines = read_lines(&args.inputs)?;
    // A blank line is answered by one, so that the rows of both files stay beside each other.
    let blank: Vec<bool> = lines.iter().map(Option::is_none).collect();
    let lines: Vec<Vec<Json>> = lines.into_iter().map(Option::unwrap_or_default).collect();
    let points = Points::from_lengths(lines.iter().map(Vec::len));
    let vars = if over_tokens { tokens(&lines) } else { numbers(&args.inputs, &lines)? };
    let sorts: Vec<(Symbol, Sort)> = vars.iter().map(|(name, column)| (*name, column.sort)).collect();
    let read = |name: &str| -> Result<_, Failure> {
        let (language, _) = language::load(&args.dsl, name)?;
        let program = dsl::parse_program(&args.program.display().to_string(), &text, &language, &sorts)?;
        Ok((language, program))
    };
    // Which shipped language a program over tokens is in shows in its words: those of trained transformers have their own.
    let (language, program) = match read(if over_tokens { "rasp" } else { "recurrent" }) {
        Err(error) if over_tokens && args.dsl.is_empty() => read("sequences").map_err(|_| error)?,
        found => found?,
    };
    let causal = args.causal || language.causal;
    let columns =
        evaluate(&program, &language, &points, &vars, causal).map_err(|error| Failure::at(&args.program, error))?;
    let mut out = String::new();
    for (range, is_blank) in points.ranges().zip(blank) {
        if is_blank {
            out.push('\n');
            continue;
        }
        let value = |column: &Column, point: usize| match column.value(point) {
            // Recurrent networks say numbers: truth values stand for 1 and 0, as in program.py.
            Value::Bool(b) if !over_tokens => Json::from(u8::from(b)),
            value => report::value_json(value),
        };
        let at = |point: usize| -> Json {
            match columns.as_slice() {
                [one] => value(one, point),
                all => all.iter().map(|column| value(column, point)).collect(),
            }
        };
        out.push_str(&range.map(at).collect::<Json>().to_string());
        out.push('\n');
    }
    output::to_stdout(&out)?;
    Ok(Status::Done)
}

fn evaluate(
    program: &dsl::Term,
    language: &Language,
    points: &Points,
    vars: &[(Symbol, Column)],
    causal: bool,
) -> Result<Vec<Column>, dsl::EvalError> {
    dsl::eval_program(program, &Env { language, points, vars, causal })
}

/// The words of a program, comments and string literals apart.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| {
        let code = line.split(';').next().unwrap_or_default();
        code.split('"').step_by(2).flat_map(|part| part.split(|c: char| c.is_whitespace() || "()".contains(c)))
    })
}

/// The lists of a file, one per line; `None` for a blank line.
fn read_lines(path: &Path) -> Result<Vec<Option<Vec<Json>>>, Failure> {
    let text = output::read_text(path)?;
    let list = |(index, line): (usize, &str)| {
        let place = format!("{}:{}", path.display(), index + 1);
        if line.trim().is_empty() {
            return Ok(None);
        }
        match serde_json::from_str(line) {
            Ok(Json::Array(elements)) => Ok(Some(elements)),
            Ok(_) => Err(Failure::new(format!("{place}: expected a JSON list, found another value"))
                .hint("one sequence per line, such as [1, 0, 2]")),
            Err(error) => Err(Failure::new(format!("{place}: expected a JSON list: {error}"))
                .hint("one sequence per line, such as [1, 0, 2]")),
        }
    };
    text.lines().enumerate().map(list).collect()
}

/// The inputs `tokens` and `indices`.
fn tokens(lines: &[Vec<Json>]) -> Vec<(Symbol, Column)> {
    let elements: Vec<Json> = lines.iter().flatten().cloned().collect();
    let (sort, values) = Domain::atoms(&elements);
    let indices = lines.iter().flat_map(|line| 0..line.len() as i64).collect();
    vec![
        (Symbol::new("tokens"), Column::new(sort, values.into_iter().map(encode_value).collect())),
        (Symbol::new("indices"), Column::new(Sort::Int, indices)),
    ]
}

/// The inputs `x`, or `x0`, `x1`, ... where elements are lists.
fn numbers(path: &Path, lines: &[Vec<Json>]) -> Result<Vec<(Symbol, Column)>, Failure> {
    let dim = match lines.iter().flatten().next() {
        Some(Json::Array(element)) => Some(element.len()),
        _ => None,
    };
    let axes: Vec<String> = match dim {
        None | Some(1) => vec!["x".to_owned()],
        Some(dim) => (0..dim).map(|axis| format!("x{axis}")).collect(),
    };
    let mut columns = vec![Vec::new(); axes.len()];
    for (index, line) in lines.iter().enumerate() {
        for element in line {
            let parts: &[Json] = match element {
                Json::Array(parts) => parts,
                one => std::slice::from_ref(one),
            };
            let numbers: Option<Vec<i64>> = parts.iter().map(Json::as_i64).collect();
            let Some(numbers) = numbers.filter(|numbers| numbers.len() == axes.len()) else {
                let expected =
                    if axes.len() == 1 { "an integer".to_owned() } else { format!("{} integers", axes.len()) };
                return Err(Failure::new(format!(
                    "{}: sequence {}: expected {expected} per element, found {element}",
                    path.display(),
                    index + 1
                ))
                .hint("programs over tokens name `tokens`; this one takes integers"));
            };
            columns.iter_mut().zip(numbers).for_each(|(column, number)| column.push(encode_value(Value::Int(number))));
        }
    }
    Ok(axes.iter().zip(columns).map(|(name, codes)| (Symbol::new(name), Column::new(Sort::Int, codes))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_leave_out_comments_and_strings() {
        let found: Vec<&str> = words("(f \"tokens\" x) ; tokens\n(g y)").filter(|word| !word.is_empty()).collect();
        assert_eq!(found, ["f", "x", "g", "y"]);
    }
}
