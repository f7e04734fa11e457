//! task.json: what the weights do not say. Only machine-readable fields are read; prose is for people.

use samples::{Batch, Decode, Domain, Elements, Symbol, Value};
use serde_json::Value as Json;

use crate::json::At;
use crate::tensors::Tensors;
use crate::{File, LoadError};

/// Numbers that an element may have.
const DIM: usize = 1024;
/// Integers of greater size are not exact in single precision.
const EXACT: i64 = 1 << 24;
/// Tokens of a vocabulary.
pub(crate) const VOCABULARY: usize = 1 << 17;
/// Elements of a sequence.
pub(crate) const LENGTH: usize = 4096;
/// Recorded inputs.
const RECORDED: usize = 1 << 20;

/// What to write where there is no task.json.
pub(crate) fn missing(family: &str) -> LoadError {
    let example = match family {
        "rnn" => {
            r#"{"input": {"kind": "integers", "dim": 1, "range": [0, 9], "encoding": "scalar", "length": 10}, "output": {"kind": "integers", "dim": 1, "decode": "round"}}"#
        }
        "gpt2" => {
            r#"{"input": {"kind": "tokens", "vocab": ["a", "b", "<bos>", "<pad>"], "special": {"bos": 2, "pad": 3}, "length": [1, 50]}, "output": {"kind": "next_token", "decode": "argmax"}} and inputs.safetensors with tokens, position_ids and scored [N, T]"#
        }
        _ => {
            r#"{"input": {"kind": "tokens", "vocab": ["BOS", "PAD", "a", "b"], "bos": "BOS", "pad": "PAD", "bos_id": 0, "pad_id": 1, "length": [1, 5], "constraint": null}, "output": {"kind": "categorical", "values": ["a", "b"], "decode": "argmax"}}"#
        }
    };
    let help = format!(
        "the weights do not say which inputs the network is meant for and how its outputs are read; write a task.json \
         such as {example}"
    );
    LoadError::MissingFile { file: File::Task, help }
}

/// How integers are fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feed {
    Scalar,
    OneHot,
}

/// A domain of integer sequences, for a network with `raw` outputs.
pub(crate) fn integers(task: &At, raw: usize) -> Result<(Domain, Feed), LoadError> {
    let (input, output) = (task.get("input"), task.get("output"));
    input.get("kind").one_of(&[("integers", ())])?;
    let dim = input.get("dim").count(1..=DIM)?;
    let range = input.get("range");
    let [lo, hi] = pair(&range, -EXACT..=EXACT)?;
    let feed = input.get("encoding").one_of(&[("scalar", Feed::Scalar), ("one_hot", Feed::OneHot)])?;
    let length = length(&input.get("length"))?;
    let at = output.get("kind");
    let (decode, n_outputs) = match at.one_of(&[("integers", 0), ("categorical", 1), ("numerical", 2)])? {
        0 => {
            output.get("decode").one_of(&[("round", ())])?;
            let n_outputs = output.get("dim").count(1..=DIM)?;
            if n_outputs != raw {
                return Err(output.get("dim").contradicts("output_dim in config.json", raw));
            }
            (Decode::Round, n_outputs)
        }
        1 => (categorical(&output, raw, "output_dim in config.json")?, 1),
        _ => (numerical(&output, raw, "output_dim in config.json")?, 1),
    };
    let domain = Domain { elements: Elements::Integers { dim, lo, hi }, length, decode, n_outputs };
    domain.validate().map_err(|source| LoadError::Domain { file: task.file, source })?;
    Ok((domain, feed))
}

/// A domain of token sequences described by a vocabulary, for a network with `n_tokens` token ids, `n_ctx` positions
/// and `raw` outputs.
pub(crate) fn tokens(task: &At, n_tokens: usize, n_ctx: usize, raw: usize) -> Result<Domain, LoadError> {
    let (input, output) = (task.get("input"), task.get("output"));
    input.get("kind").one_of(&[("tokens", ())])?;
    let list = vocabulary(&input, n_tokens)?;
    let bos = special(&input, list, "bos", "bos_id")?;
    let pad = special(&input, list, "pad", "pad_id")?;
    if bos.is_some() && bos == pad {
        return Err(input.get("pad").contradicts("input.bos in task.json", "the same token"));
    }
    let vocab = values(&input, list, |id| Some(id) == bos || Some(id) == pad)?;
    let at = input.get("constraint");
    let distinct = match at.value {
        None => false,
        Some(_) => at.one_of(&[("all tokens distinct", true)])?,
    };
    let at = input.get("length");
    let length = length(&at)?;
    if length.1 + usize::from(bos.is_some()) > n_ctx {
        let room = format!("{n_ctx} positions, BOS included");
        return Err(at.contradicts("n_ctx in config.json", room));
    }
    let decode = match output.get("kind").one_of(&[("categorical", true), ("numerical", false)])? {
        true => categorical(&output, raw, "d_vocab_out in config.json")?,
        false => numerical(&output, raw, "d_vocab_out in config.json")?,
    };
    let domain = Domain { elements: Elements::Tokens { vocab, bos, pad, distinct }, length, decode, n_outputs: 1 };
    domain.validate().map_err(|source| LoadError::Domain { file: task.file, source })?;
    Ok(domain)
}

/// A domain of a language model: what its recorded inputs show, or, without such, any sequence over the vocabulary.
pub(crate) fn language(
    task: &At,
    recorded: Option<Tensors>,
    n_tokens: usize,
    n_positions: usize,
) -> Result<Domain, LoadError> {
    let (input, output) = (task.get("input"), task.get("output"));
    input.get("kind").one_of(&[("tokens", ())])?;
    let list = vocabulary(&input, n_tokens)?;
    if let Some(other) = list.iter().find(|value| !value.is_string()) {
        return Err(At { value: Some(other), ..input.get("vocab") }.wrong("token strings"));
    }
    let vocab = values(&input, list, |_| false)?;
    let specials = input.get("special");
    let id = |name: &str| -> Result<Option<usize>, LoadError> {
        let at = specials.get(name);
        if at.is_absent() { Ok(None) } else { at.count(0..=n_tokens - 1).map(Some) }
    };
    let pad = id("pad")?;
    for name in ["bos", "sep", "eos"] {
        id(name)?;
    }
    let next = output.get("kind").one_of(&[("next_token", true), ("legal_next_tokens", false)])?;
    let at = output.get("decode");
    if next {
        at.one_of(&[("argmax", ())])?;
    } else if !at.text()?.starts_with("threshold_0") {
        return Err(at.wrong("\"threshold_0\""));
    }
    let decode = if next { Decode::NextToken } else { Decode::LegalTokens };
    let (elements, length) = match recorded {
        Some(tensors) => {
            let (inputs, scored) = recordings(tensors, pad, n_tokens, n_positions)?;
            let lengths = (0..inputs.n_sequences()).map(|row| inputs.length(row));
            let range = (lengths.clone().min().unwrap_or(1), lengths.max().unwrap_or(1));
            (Elements::Recorded { vocab, inputs, scored }, range)
        }
        None => {
            let at = input.get("length");
            let (min, max) = length(&at)?;
            if min > n_positions {
                return Err(at.contradicts("n_positions in config.json", n_positions));
            }
            (Elements::Tokens { vocab, bos: None, pad, distinct: false }, (min, max.min(n_positions)))
        }
    };
    let domain = Domain { elements, length, decode, n_outputs: 1 };
    domain.validate().map_err(|source| LoadError::Domain { file: task.file, source })?;
    Ok(domain)
}

/// Recorded inputs without their padding, and whether each point is scored.
fn recordings(
    mut tensors: Tensors,
    pad: Option<usize>,
    n_tokens: usize,
    n_positions: usize,
) -> Result<(Batch, Vec<bool>), LoadError> {
    let file = File::Inputs;
    let (rows, cols, tokens) = tensors.integers("tokens")?;
    let positions = tensors.integers("position_ids")?;
    let scored = tensors.integers("scored")?;
    tensors.finish(|_| false)?;
    for (name, (r, c, _)) in [("position_ids", &positions), ("scored", &scored)] {
        if (*r, *c) != (rows, cols) {
            let (tensor, expected, found) = (name.to_owned(), vec![rows, cols], vec![*r, *c]);
            return Err(LoadError::Shape { file, tensor, expected, found });
        }
    }
    if rows > RECORDED {
        return Err(LoadError::Limit { file, what: "recorded inputs", limit: RECORDED, found: rows });
    }
    if rows == 0 || cols == 0 {
        let (tensor, expected) = ("tokens", "at least one sequence of at least one token".to_owned());
        return Err(LoadError::Row { file, tensor, row: 0, expected, found: format!("{rows} by {cols} tokens") });
    }
    let (mut batch, mut counts) = (Batch::new(1), Vec::new());
    for row in 0..rows {
        let range = row * cols..(row + 1) * cols;
        let wrong = |tensor, expected: String, found: String| LoadError::Row { file, tensor, row, expected, found };
        let (tokens, positions) = (&tokens[range.clone()], &positions.2[range.clone()]);
        let is_pad = |id: &i64| usize::try_from(*id).is_ok_and(|id| Some(id) == pad);
        let length = tokens.iter().rposition(|id| !is_pad(id)).map_or(0, |last| last + 1);
        if length == 0 {
            return Err(wrong("tokens", "a token that is no padding".to_owned(), "padding alone".to_owned()));
        }
        let bad = |id: &&i64| usize::try_from(**id).map_or(true, |id| id >= n_tokens) || is_pad(id);
        if let Some(id) = tokens[..length].iter().find(bad) {
            let expected = format!("token ids within 0 to {}, padding at the end alone", n_tokens - 1);
            return Err(wrong("tokens", expected, id.to_string()));
        }
        let origin = positions[0];
        let fits = usize::try_from(origin).is_ok_and(|origin| origin.saturating_add(length) <= n_positions);
        if !fits {
            let expected = format!("positions within 0 to {}", n_positions - 1);
            return Err(wrong("position_ids", expected, format!("{length} positions from {origin} on")));
        }
        if let Some(at) = (0..length).find(|&at| positions[at] != origin + at as i64) {
            let expected = format!("{} at index {at}", origin + at as i64);
            return Err(wrong("position_ids", expected, positions[at].to_string()));
        }
        batch.push_at(&tokens[..length], origin);
        counts.extend(scored.2[range].iter().take(length).map(|&on| on != 0));
    }
    if !counts.contains(&true) {
        let expected = "an output that counts".to_owned();
        return Err(LoadError::Row { file, tensor: "scored", row: 0, expected, found: "none in any row".to_owned() });
    }
    Ok((batch, counts))
}

fn pair(at: &At, range: std::ops::RangeInclusive<i64>) -> Result<[i64; 2], LoadError> {
    let numbers: Option<Vec<i64>> = at.list()?.iter().map(Json::as_i64).collect();
    match numbers.as_deref() {
        Some(&[a, b]) if range.contains(&a) && range.contains(&b) && a <= b => Ok([a, b]),
        _ => Err(at.wrong(format!("[least, greatest] within {} to {}", range.start(), range.end()))),
    }
}

/// A length, or the least and the greatest one.
fn length(at: &At) -> Result<(usize, usize), LoadError> {
    if at.value.is_some_and(Json::is_number) {
        let length = at.count(1..=LENGTH)?;
        return Ok((length, length));
    }
    let [min, max] = pair(at, 1..=LENGTH as i64)?;
    Ok((min as usize, max as usize))
}

fn vocabulary<'a>(input: &At<'a>, n_tokens: usize) -> Result<&'a [Json], LoadError> {
    let at = input.get("vocab");
    let list = at.list()?;
    if list.len() != n_tokens {
        return Err(at.contradicts("the embedding in model.safetensors", format!("{n_tokens} tokens")));
    }
    Ok(list)
}

/// The id of a special token that is named by its value, its id or both.
fn special(input: &At, list: &[Json], name: &str, id: &str) -> Result<Option<usize>, LoadError> {
    let (at_name, at_id) = (input.get(name), input.get(id));
    let by_name = match at_name.value {
        None => None,
        Some(value) => match list.iter().position(|token| token == value) {
            None => return Err(at_name.wrong("a token of input.vocab")),
            place => place,
        },
    };
    if at_id.is_absent() {
        return Ok(by_name);
    }
    let given = at_id.count(0..=list.len().saturating_sub(1))?;
    match by_name {
        Some(found) if found != given => Err(at_id.contradicts(format!("input.{name} in task.json"), found)),
        _ => Ok(Some(given)),
    }
}

/// The values of all tokens: special ones are symbols, the others what [`Domain::atoms`] makes of them together.
fn values(input: &At, list: &[Json], is_special: impl Fn(usize) -> bool) -> Result<Vec<Value>, LoadError> {
    let body: Vec<Json> =
        list.iter().enumerate().filter(|(id, _)| !is_special(*id)).map(|(_, token)| token.clone()).collect();
    let (_, atoms) = Domain::atoms(&body);
    let mut seen = std::collections::BTreeSet::new();
    if let Some(twice) = atoms.iter().position(|atom| !seen.insert(samples::encode_value(*atom))) {
        return Err(At { value: Some(&body[twice]), ..input.get("vocab") }.wrong("every token once"));
    }
    let mut atoms = atoms.into_iter();
    let value = |(id, token): (usize, &Json)| match is_special(id) {
        true => Value::Symbol(Symbol::new(&token.as_str().map_or_else(|| format!("#json:{token}"), str::to_owned))),
        false => atoms.next().unwrap_or(Value::Undefined),
    };
    Ok(list.iter().enumerate().map(value).collect())
}

fn categorical(output: &At, raw: usize, other: &str) -> Result<Decode, LoadError> {
    output.get("decode").one_of(&[("argmax", ())])?;
    let at = output.get("values");
    let list = at.list()?;
    if list.len() != raw {
        return Err(at.contradicts(other, format!("{raw} values")));
    }
    Ok(Decode::Argmax(Domain::atoms(list).1))
}

fn numerical(output: &At, raw: usize, other: &str) -> Result<Decode, LoadError> {
    output.get("decode").one_of(&[("read", ()), ("number", ())])?;
    if raw != 1 {
        return Err(output.get("kind").contradicts(other, format!("{raw} outputs")));
    }
    Ok(Decode::Number)
}
