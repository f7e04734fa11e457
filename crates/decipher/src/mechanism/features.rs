//! The columns that a site may carry: what the program computes on its way, and the inputs.

use dsl::Term;
use samples::{Column, Partition, Symbol};

use super::flat::{Flat, Inputs};
use super::sample::Sample;
use crate::Error;

/// Where a column comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// An input of the program.
    Given,
    /// A step of the program.
    Program,
}

/// A column by name.
#[derive(Clone, Debug)]
pub(super) struct Feature {
    /// In the flat program, or the input's.
    pub(super) name: String,
    pub(super) step: Symbol,
    pub(super) term: Term,
    pub(super) kind: Kind,
    /// Whether the token at a point (and the part that the point plays) determines it.
    pub(super) local: bool,
}

/// The features of a program, inputs last, and their values on a sample; steps that tell the same points apart as an
/// earlier one are left out, and so are constants.
pub(super) fn features(flat: &Flat, sample: &Sample, inputs: Inputs<'_>) -> Result<(Vec<Feature>, Vec<Column>), Error> {
    let (columns, output) = flat.run(inputs, &[])?;
    let value = |name: Symbol| columns.iter().find(|(other, _)| *other == name).map(|(_, column)| column.clone());
    let tokens = value("tokens".into()).unwrap_or_else(|| output.clone());
    let by_token = sample.classes(&[&tokens]);
    let partition = |column: &Column| {
        let classes = sample.classes(&[column]);
        Partition::from_keys((0..sample.pool.n_cells()).map(|cell| classes.class_of(cell)))
    };
    let (mut features, mut values, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    let constant = Partition::from_keys((0..sample.pool.n_cells()).map(|cell| sample.roles.class_of(cell)));
    // The output first: it is the coarsest that a last site can carry.
    let steps = flat.steps.iter().map(|step| (step.name, step.term.clone(), Kind::Program)).rev();
    let given = ["tokens", "indices"].map(|name| (Symbol::new(name), Term::var(name), Kind::Given));
    for (step, term, kind) in steps.chain(given) {
        let Some(column) = value(step) else { continue };
        let own = partition(&column);
        if kind == Kind::Program && (own == constant || seen.contains(&own)) {
            continue;
        }
        let local = by_token.meet(&sample.classes(&[&column])).n_classes() == by_token.n_classes();
        seen.push(own);
        features.push(Feature { name: step.to_string(), step, term, kind, local });
        values.push(column);
    }
    Ok((features, values))
}

/// The values of features on another sample.
pub(super) fn values(features: &[Feature], flat: &Flat, inputs: Inputs<'_>) -> Result<Vec<Column>, Error> {
    let (columns, _) = flat.run(inputs, &[])?;
    let value = |feature: &Feature| {
        let found = columns.iter().find(|(name, _)| *name == feature.step).map(|(_, column)| column.clone());
        found.ok_or_else(|| Error::Term(format!("the column {} is missing", feature.name)))
    };
    features.iter().map(value).collect()
}
