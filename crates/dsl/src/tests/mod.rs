//! Tests of the crate as a whole.

mod evaluation;
mod generate;
mod limits;
mod messages;
mod properties;
mod reference;
mod rules;
mod solver;

use crate::Language;

/// A language that comes with the project, or the example whose widths change.
#[track_caller]
fn shipped(name: &str) -> Language {
    let example = || Language::parse(name, include_str!("../../../../dsl/examples/frames.dsl"), &|_| None);
    match if name == "frames" { example() } else { Language::load_shipped(name) } {
        Ok(language) => language,
        Err(problems) => panic!("{problems}"),
    }
}
