//! The columns that a site may carry: what the program computes on its way, and the inputs.

use dsl::{Kernel, Language, Operator, Term};
use samples::{Column, Partition, Sort, Symbol, Value, decode_code};
use scrub::Classes;

use super::flat::{Flat, Inputs};
use super::sample::{POSITIONS, Sample};
use crate::Error;

/// Where a column comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// An input of the program.
    Given,
    /// A step of the program.
    Program,
    /// What the language says of single tokens: how finely a site may tell inputs apart that the program does not.
    Bank,
}

/// A column by name.
#[derive(Clone, Debug)]
pub(super) struct Feature {
    /// In the flat program, or the input's.
    pub(super) name: String,
    pub(super) step: Symbol,
    /// Later steps that tell the same points apart: what replaces this one replaces them.
    pub(super) same: Vec<Symbol>,
    pub(super) term: Term,
    pub(super) kind: Kind,
    /// Whether the token at a point (and the part that the point plays) determines it.
    pub(super) local: bool,
    /// Whether it is a step of the program that the absolute position (and the part) determines.
    pub(super) placed: bool,
}

/// The features of a program, inputs last, and their values on a sample; steps that tell the same points apart as an
/// earlier one are left out, and so are constants.
pub(super) fn features(flat: &Flat, sample: &Sample, inputs: Inputs<'_>) -> Result<(Vec<Feature>, Vec<Column>), Error> {
    let (columns, output) = flat.run(inputs, &[])?;
    let value = |name: Symbol| columns.iter().find(|(other, _)| *other == name).map(|(_, column)| column.clone());
    let tokens = value("tokens".into()).unwrap_or_else(|| output.clone());
    let by_token = sample.classes(&[&tokens]);
    let by_position = value(POSITIONS.into()).map(|column| sample.classes(&[&column]));
    let partition = |column: &Column| {
        let classes = sample.classes(&[column]);
        Partition::from_keys((0..sample.pool.n_cells()).map(|cell| classes.class_of(cell)))
    };
    let (mut features, mut values, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    let constant = Partition::from_keys((0..sample.pool.n_cells()).map(|cell| sample.roles.class_of(cell)));
    // The output first: it is the coarsest that a last site can carry.
    let steps = flat.steps.iter().map(|step| (step.name, step.term.clone(), Kind::Program)).rev();
    let given = ["tokens", "indices"].map(|name| (Symbol::new(name), Term::var(name), Kind::Given));
    let mut bank = Vec::new();
    for (place, term) in tests(inputs.language, &tokens).into_iter().enumerate() {
        bank.push((Symbol::new(&format!("bank {place}")), term, Kind::Bank));
    }
    let inputs_own: Vec<Partition> = ["tokens", "indices"]
        .iter()
        .filter_map(|name| value(Symbol::new(name)))
        .map(|column| partition(&column))
        .collect();
    for (step, term, kind) in steps.chain(given).chain(bank) {
        let column = match kind {
            Kind::Bank => Some(inputs.eval(&term, inputs.vars)?),
            _ => value(step),
        };
        let Some(column) = column else { continue };
        let own = partition(&column);
        // A step that says no more and no less than an input is that input, which is no variable.
        if kind == Kind::Program && inputs_own.contains(&own) {
            continue;
        }
        if kind != Kind::Given && (own == constant || seen.contains(&own)) {
            // What holds the same on these inputs is one variable under several names.
            if let (Kind::Program, Some(place)) = (kind, seen.iter().position(|other| *other == own)) {
                let feature: &mut Feature = &mut features[place];
                feature.same.push(step);
            }
            continue;
        }
        let determined = |by: &Classes| by.meet(&sample.classes(&[&column])).n_classes() == by.n_classes();
        let placed = kind == Kind::Program && by_position.as_ref().is_some_and(determined);
        let local = determined(&by_token);
        seen.push(own);
        features.push(Feature { name: step.to_string(), step, same: Vec::new(), term, kind, local, placed });
        values.push(column);
    }
    Ok((features, values))
}

/// Tokens that are asked about at most; larger alphabets are not.
const ALPHABET: usize = 6;

/// Every operator from a truth value to a number, of every test for one token.
fn tests(language: &Language, tokens: &Column) -> Vec<Term> {
    let mut seen = tokens.codes.clone();
    seen.sort_unstable();
    seen.dedup();
    let Some(equal) = language.kernel_operator(Kernel::Eq) else { return Vec::new() };
    if seen.len() > ALPHABET {
        return Vec::new();
    }
    // Codes of symbols depend on the order in which they were met: their texts do not.
    let mut values: Vec<Value> = seen.into_iter().map(|code| decode_code(tokens.sort, code)).collect();
    values.sort_by_key(|value| format!("{value:?}"));
    let counts = |operator: &Operator| {
        operator.params.len() == 1
            && operator.params[0].1.admits(Sort::Bool)
            && !operator.params[0].1.admits(Sort::Int)
            && operator.result.admits(Sort::Int)
            && !operator.result.admits(Sort::Bool)
    };
    let operators = language.operators().filter(|(_, operator)| counts(operator)).map(|(id, _)| id);
    let test = |value: &Value| Term::op(equal, vec![Term::var("tokens"), Term::constant(*value)]);
    operators
        .flat_map(|id| values.iter().map(move |value| Term::op(id, vec![test(value)])).collect::<Vec<_>>())
        .collect()
}

/// The values of features on another sample.
pub(super) fn values(features: &[Feature], flat: &Flat, inputs: Inputs<'_>) -> Result<Vec<Column>, Error> {
    let (columns, _) = flat.run(inputs, &[])?;
    let value = |feature: &Feature| {
        if feature.kind == Kind::Bank {
            return inputs.eval(&feature.term, inputs.vars);
        }
        let found = columns.iter().find(|(name, _)| *name == feature.step).map(|(_, column)| column.clone());
        found.ok_or_else(|| Error::Term(format!("the column {} is missing", feature.name)))
    };
    features.iter().map(value).collect()
}
