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

/// A language that comes with the project.
#[track_caller]
fn shipped(name: &str) -> Language {
    match Language::load_shipped(name) {
        Ok(language) => language,
        Err(problems) => panic!("{problems}"),
    }
}
