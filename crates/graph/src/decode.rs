//! Raw outputs as columns of values.

use samples::{Column, Decode, Domain, Sort, Symbol, UNDEFINED, Value, encode_value};

use crate::Matrix;
use crate::network::vocabulary;

/// Decodes raw outputs `[n_points, raw]` as the domain says.
pub(crate) fn columns(domain: &Domain, raw: &Matrix) -> Vec<Column> {
    let sort = domain.output_sort();
    let per_row = |code: &dyn Fn(&[f32]) -> i64| vec![Column::new(sort, raw.iter_rows().map(code).collect())];
    match &domain.decode {
        Decode::Round => {
            (0..raw.cols).map(|col| Column::new(sort, raw.iter_rows().map(|row| round(row[col])).collect())).collect()
        }
        Decode::Number => per_row(&|row| row.first().map_or(UNDEFINED, |&v| encode_value(Value::Real(v.into())))),
        Decode::Argmax(values) => {
            let codes: Vec<i64> = values.iter().map(|&value| encode_value(value)).collect();
            per_row(&|row| match largest(row) {
                Some((at, margin)) if margin >= Decode::TIE as f32 => codes.get(at).copied().unwrap_or(UNDEFINED),
                _ => UNDEFINED,
            })
        }
        Decode::NextToken => {
            let codes: Vec<i64> = vocabulary(domain).unwrap_or_default().iter().map(|&v| encode_value(v)).collect();
            per_row(&|row| largest(row).and_then(|(at, _)| codes.get(at).copied()).unwrap_or(UNDEFINED))
        }
        Decode::LegalTokens => {
            let names: Vec<String> = vocabulary(domain).unwrap_or_default().iter().map(|&v| json(v)).collect();
            vec![Column::new(Sort::Symbol, raw.iter_rows().map(|row| legal(row, &names)).collect())]
        }
    }
}

fn round(value: f32) -> i64 {
    // Beyond 2^53 a rounded number is no integer that anything computed on purpose.
    if value.is_finite() && value.abs() < 9.0e15 { value.round() as i64 } else { UNDEFINED }
}

/// The index of the largest number and how far it is above the next; `None` if a number is not a number.
fn largest(row: &[f32]) -> Option<(usize, f32)> {
    if row.iter().any(|v| v.is_nan()) {
        return None;
    }
    let (mut at, mut best, mut next) = (0, f32::NEG_INFINITY, f32::NEG_INFINITY);
    for (i, &v) in row.iter().enumerate() {
        if v > best {
            (at, next, best) = (i, best, v);
        } else {
            next = next.max(v);
        }
    }
    (!row.is_empty()).then_some((at, if next == f32::NEG_INFINITY { f32::INFINITY } else { best - next }))
}

/// The symbol `#json:["a","b"]` of the tokens with a positive output, in order of the vocabulary.
fn legal(row: &[f32], names: &[String]) -> i64 {
    if row.iter().any(|v| v.is_nan()) {
        return UNDEFINED;
    }
    let chosen: Vec<&str> = row.iter().zip(names).filter(|(v, _)| **v > 0.0).map(|(_, name)| name.as_str()).collect();
    Symbol::new(&format!("#json:[{}]", chosen.join(","))).code()
}

/// A vocabulary value as JSON text.
fn json(value: Value) -> String {
    match value {
        Value::Symbol(symbol) => symbol.json(),
        Value::Bool(b) => b.to_string(),
        Value::Int(i) => i.to_string(),
        Value::BitVec { bits, .. } => bits.to_string(),
        Value::Real(r) => format!("{r:?}"),
        Value::Enum(_, name) => name.to_string(),
        Value::Undefined => "null".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use samples::Elements;

    use super::*;

    fn domain(decode: Decode) -> Domain {
        let vocab = ["a", "\"b\""].iter().map(|t| Value::Symbol((*t).into())).collect();
        let elements = Elements::Tokens { vocab, bos: None, pad: None, distinct: false };
        Domain { elements, length: (1, 1), decode, n_outputs: 1 }
    }

    #[test]
    fn close_calls_do_not_count() {
        let domain = domain(Decode::Argmax(vec![Value::Int(7), Value::Int(8)]));
        let raw = Matrix::new(4, 2, vec![1.0, 0.0, 0.0, 0.0005, 0.0, f32::NAN, -2.0, -1.0]);
        assert_eq!(columns(&domain, &raw)[0].codes, [7, UNDEFINED, UNDEFINED, 8]);
    }

    #[test]
    fn numbers_round_and_overflow_is_undefined() {
        let raw = Matrix::new(2, 2, vec![1.4, -2.6, f32::INFINITY, 3.0e30]);
        let columns = columns(&domain(Decode::Round), &raw);
        assert_eq!((columns[0].codes[0], columns[1].codes[0]), (1, -3));
        assert_eq!((columns[0].codes[1], columns[1].codes[1]), (UNDEFINED, UNDEFINED));
    }

    #[test]
    fn legal_tokens_are_a_json_list() {
        let raw = Matrix::new(2, 2, vec![1.0, 0.5, -1.0, 0.0]);
        let column = &columns(&domain(Decode::LegalTokens), &raw)[0];
        let text = |point| Symbol::from_code(column.codes[point]).map(Symbol::as_str);
        assert_eq!((text(0), text(1)), (Some("#json:[\"a\",\"\\\"b\\\"\"]"), Some("#json:[]")));
    }
}
