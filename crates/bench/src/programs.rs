//! Small networks built from programs, for tests and for the pages that explain: one for each construct that a reading
//! has to cope with.

use samples::rng;

use crate::attention::{AttentionBuilder, Basis, Condition};
use crate::folder::{Folder, FolderError};

/// A network with the name of its program.
pub type Named = (&'static str, fn() -> Result<Folder, FolderError>);

/// All networks of this module.
pub const ALL: [Named; 9] = [
    ("reverse", reverse),
    ("sort", sort),
    ("histogram", histogram),
    ("occurs_once", occurs_once),
    ("earlier_copies", earlier_copies),
    ("two_in_one_layer", two_in_one_layer),
    ("swap_halves", swap_halves),
    ("interleave", interleave),
    ("divisible", divisible),
];

const LETTERS: [&str; 4] = ["a", "b", "c", "d"];

fn letters() -> Vec<serde_json::Value> {
    LETTERS.iter().map(|&letter| letter.into()).collect()
}

fn numbers(values: impl IntoIterator<Item = usize>) -> Vec<serde_json::Value> {
    values.into_iter().map(Into::into).collect()
}

fn length(builder: &mut AttentionBuilder, layer: usize, indices: Basis) -> Basis {
    builder.count(layer, vec![Condition::new(indices, indices, |_, _| true)])
}

/// Copies from the position that a function of index and length names.
fn rearranged(name: &str, longest: usize, from: fn(usize, usize) -> usize) -> Result<Folder, FolderError> {
    let (mut builder, tokens, indices) = AttentionBuilder::new(&LETTERS, longest);
    let n = length(&mut builder, 0, indices);
    let source = builder.map(1, [n, indices], longest + 1, |n, i| n.filter(|&n| i < n).map_or(longest, |n| from(i, n)));
    let out = builder.aggregate(2, (indices, source), tokens, |key, query| key == query);
    builder.finish(name, out, &letters(), &mut rng(0, name))
}

/// The sequence backwards.
///
/// # Errors
/// Serialisation of the weights failed; so for all networks of this module.
pub fn reverse() -> Result<Folder, FolderError> {
    rearranged("reverse", 6, |i, n| n - 1 - i)
}

/// First and second half change places; the middle stays.
///
/// # Errors
/// See [`reverse`].
pub fn swap_halves() -> Result<Folder, FolderError> {
    rearranged("swap_halves", 8, |i, n| match (i < n / 2, i >= n - n / 2) {
        (true, _) => i + n - n / 2,
        (_, true) => i - (n - n / 2),
        _ => i,
    })
}

/// At even positions the token itself, at odd ones that of the mirrored position, as far as it is odd too.
///
/// # Errors
/// See [`reverse`].
pub fn interleave() -> Result<Folder, FolderError> {
    rearranged("interleave", 8, |i, n| if i % 2 == 0 { i } else { (n / 2 * 2).abs_diff(i) })
}

/// The tokens in order; equal ones as they come.
///
/// # Errors
/// See [`reverse`].
pub fn sort() -> Result<Folder, FolderError> {
    let (n_tokens, longest) = (4, 5);
    let (mut builder, tokens, indices) = AttentionBuilder::numeric(n_tokens, longest);
    let both = builder.map(0, [tokens, indices], n_tokens * longest, |token, i| token.unwrap_or(0) * longest + i);
    let rank = builder.count(1, vec![Condition::new(both, both, |key, query| key < query)]);
    let out = builder.aggregate(2, (rank, indices), tokens, |key, query| key == query);
    builder.finish("sort", out, &numbers(0..n_tokens), &mut rng(0, "sort"))
}

/// How often this token occurs.
///
/// # Errors
/// See [`reverse`].
pub fn histogram() -> Result<Folder, FolderError> {
    let (mut builder, tokens, _) = AttentionBuilder::new(&LETTERS, 6);
    let n = builder.count(0, vec![Condition::new(tokens, tokens, |key, query| key == query)]);
    builder.finish("histogram", n, &numbers(0..=6), &mut rng(0, "histogram"))
}

/// Whether this token occurs once only.
///
/// # Errors
/// See [`reverse`].
pub fn occurs_once() -> Result<Folder, FolderError> {
    let (mut builder, tokens, _) = AttentionBuilder::new(&LETTERS, 6);
    let n = builder.count(0, vec![Condition::new(tokens, tokens, |key, query| key == query)]);
    let once = builder.recode(1, n, 2, |n| usize::from(n == Some(1)));
    builder.finish("occurs_once", once, &[false.into(), true.into()], &mut rng(0, "occurs_once"))
}

/// How many positions before this one hold this token: two variables meet in the keys, and in the queries, of one head.
///
/// # Errors
/// See [`reverse`].
pub fn earlier_copies() -> Result<Folder, FolderError> {
    let (mut builder, tokens, indices) = AttentionBuilder::new(&LETTERS, 5);
    let same = Condition::new(tokens, tokens, |key, query| key == query);
    let before = Condition::new(indices, indices, |key, query| key < query);
    let n = builder.count(0, vec![same, before]);
    builder.finish("earlier_copies", n, &numbers(0..=5), &mut rng(0, "earlier_copies"))
}

/// Two functions of token and index from one layer of neurons, joined by the next: two variables in one read set.
///
/// # Errors
/// See [`reverse`].
pub fn two_in_one_layer() -> Result<Folder, FolderError> {
    let (mut builder, tokens, indices) = AttentionBuilder::new(&LETTERS, 6);
    let early = builder.map(0, [tokens, indices], 2, |token, i| usize::from(token.unwrap_or(0) < 2 && i < 3));
    let odd = builder.map(0, [tokens, indices], 2, |token, i| (token.unwrap_or(0) + i) % 2);
    let both = builder.map(1, [early, odd], 2, |early, odd| usize::from(early == Some(1) && odd == 1));
    builder.finish("two_in_one_layer", both, &[false.into(), true.into()], &mut rng(0, "two_in_one_layer"))
}

/// Whether this number is a multiple of the first one; false for multiples of 0.
///
/// # Errors
/// See [`reverse`].
pub fn divisible() -> Result<Folder, FolderError> {
    let (mut builder, tokens, indices) = AttentionBuilder::numeric(8, 5);
    let first = builder.aggregate(0, (indices, indices), tokens, |key, _| key == 0);
    let holds = builder.map(0, [first, tokens], 2, |first, token| match first {
        Some(first) if first > 0 => usize::from(token % first == 0),
        _ => 0,
    });
    builder.finish("divisible", holds, &[false.into(), true.into()], &mut rng(0, "divisible"))
}
