//! Compiled networks whose program is known: what is proved of them, and what never is.

use bench::{Folder, programs};
use samples::rng;

use super::*;
use crate::{CheckConfig, agreement, mutants, verify as check_proof};

fn loaded(folder: &Folder) -> Network {
    let files = model::ModelFiles {
        config: folder.config.clone().into_bytes(),
        task: Some(folder.task.clone().into_bytes()),
        weights: folder.weights.clone(),
        inputs: None,
    };
    model::load(&files).expect("it loads")
}

fn language() -> Language {
    Language::load_shipped("rasp").expect("shipped")
}

fn term(text: &str, network: &Network) -> Term {
    dsl::parse_term(text, &language(), &network.domain.inputs()).expect("sound")
}

fn proved(network: &Network, text: &str) -> Result<Proof, Refused> {
    follow(network, &term(text, network), &language(), &|| false)
}

const REVERSE: &str = "(aggregate (select indices (- (selector_width (select 0 0 =)) (+ indices 1)) =) tokens)";
const SORT: &str = "(aggregate (select (selector_width (select (+ (* 5 tokens) indices) (+ (* 5 tokens) indices) <)) indices =) tokens)";
const FIRST: &str = "(= tokens (aggregate (select indices 0 =) tokens))";
const HISTOGRAM: &str = "(selector_width (select tokens tokens =))";
const ONCE: &str = "(= (selector_width (select tokens tokens =)) 1)";

/// A network that the project ships.
fn same_as_first() -> Network {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benchmarks/networks/same_as_first");
    model::load_dir(std::path::Path::new(folder)).expect("it loads")
}

/// A network, its program, and within what single precision is proved to be, if it is: the steep ramps by which those of
/// the bench count may lose more, summed in the worst order, than there is between two counts. (What the ramps have in common
/// cancels; but these networks turn their stream, and what a head is off by is not known to lie along what it writes.)
fn cases() -> [(Network, &'static str, Option<f64>); 5] {
    [
        (loaded(&programs::sort().expect("made")), SORT, None),
        (same_as_first(), FIRST, Some(0.1)),
        (loaded(&programs::reverse().expect("made")), REVERSE, None),
        (loaded(&programs::histogram().expect("made")), HISTOGRAM, Some(0.1)),
        (loaded(&programs::occurs_once().expect("made")), ONCE, Some(0.6)),
    ]
}

#[test]
fn compiled_networks_are_proved() {
    for (network, text, single) in cases() {
        let proof = proved(&network, text).expect(text);
        let arithmetic = if single.is_some() { Arithmetic::Float32 } else { Arithmetic::Real };
        assert_eq!((proof.arithmetic, proof.length), (arithmetic, Some(network.domain.length.1)), "{text}");
        let Regions::Classes(classes) = proof.regions else { panic!("classes were expected") };
        assert!(
            proof.gap.is_ok_and(|gap| 0.0 < gap && single.is_none_or(|most| gap < most)),
            "{text}: {:?}",
            proof.gap
        );
        assert!(classes.margin > 0.0 && classes.cells > 0, "{text}: {classes:?}");
        assert_eq!(check_proof(&network, &term(text, &network), &language(), &proof), Ok(()));
    }
}

/// All programs with one change that behave otherwise on some input, which running all of them shows.
#[test]
fn mutants_of_a_program_are_never_proved() {
    let language = language();
    let mut n_wrong = 0;
    for (network, text, _) in cases() {
        for mutant in mutants(&term(text, &network), &language, &network.domain) {
            let config = CheckConfig { min_agreement: 1.0, ..CheckConfig::default() };
            let Ok(found) = agreement(&network, &mutant.term, &language, &config) else { continue };
            if found.mismatches > 0 {
                n_wrong += 1;
                let proof = follow(&network, &mutant.term, &language, &|| false);
                assert!(proof.is_err(), "{}", dsl::print(&mutant.term, &language));
            }
        }
    }
    assert!(n_wrong >= 20, "{n_wrong} mutants");
}

/// Networks with one weight of a component changed such that an output changes: the old program is not proved of them.
#[test]
fn networks_with_another_output_are_not_proved() {
    let folder = programs::histogram().expect("made");
    let program = HISTOGRAM;
    let mut n_wrong = 0;
    let mut rng = rng(0, "weights");
    for _ in 0..40 {
        let mut changed = folder.clone();
        // The numbers stand behind the header.
        let header = u64::from_le_bytes(changed.weights[..8].try_into().expect("8 bytes")) as usize + 8;
        let at = header + 4 * rand::Rng::random_range(&mut rng, 0..(changed.weights.len() - header) / 4);
        let old = f32::from_le_bytes(changed.weights[at..at + 4].try_into().expect("4 bytes"));
        let new = old + if old.abs() > 0.05 { -2.0 * old } else { 3.0 };
        changed.weights[at..at + 4].copy_from_slice(&new.to_le_bytes());
        let network = loaded(&changed);
        let config = CheckConfig::default();
        let found = agreement(&network, &term(program, &network), &language(), &config).expect("runs");
        if found.mismatches > 0 {
            n_wrong += 1;
            assert!(proved(&network, program).is_err());
        }
    }
    assert!(n_wrong >= 5, "{n_wrong} networks");
}

#[test]
fn what_was_changed_in_a_proof_is_refused() {
    let (network, text) = (same_as_first(), FIRST);
    let proof = proved(&network, text).expect("proved");
    let Regions::Classes(classes) = proof.regions.clone() else { panic!("classes were expected") };
    let with = |classes: Classes| Proof { regions: Regions::Classes(classes), ..proof.clone() };
    for wrong in [
        Proof { length: None, ..proof.clone() },
        Proof { length: Some(7), ..proof.clone() },
        Proof { gap: proof.gap.map(|gap| gap / 2.0), ..proof.clone() },
        Proof { gap: Ok(f64::NAN), ..proof.clone() },
        with(Classes { margin: classes.margin * 2.0, ..classes }),
        with(Classes { cells: classes.cells + 1, ..classes }),
    ] {
        assert!(check_proof(&network, &term(text, &network), &language(), &wrong).is_err(), "{wrong:?}");
    }
    let other = term("(!= tokens (aggregate (select indices 0 =) tokens))", &network);
    assert!(check_proof(&network, &other, &language(), &proof).is_err());
    assert!(follow(&network, &term(text, &network), &language(), &|| true).is_err(), "no time, no proof");
}

/// What the network puts out on any input lies within one of the cells of its position.
#[test]
fn outputs_lie_where_they_are_said_to_lie() {
    let folders = [programs::reverse(), programs::histogram(), programs::sort(), programs::interleave()];
    for folder in folders {
        let network = loaded(&folder.expect("made"));
        let subject = Subject::new(&network).expect("it can be followed");
        for length in network.domain.length.0..=subject.longest {
            let mut atoms = Atoms::default();
            let mut net = subject.net(length, true, MAX_WORK);
            let batch = network.domain.sample_of_length(60, length, &mut rng(7, "cells"));
            let raw = network.raw_outputs(&batch).expect("runs");
            for at in 0..length {
                let seen = net.value(subject.output, at + 1, &mut atoms).expect("followed");
                for row in 0..60 {
                    let y = raw.row(row * length + at);
                    let holds = |cell: usize| {
                        let (center, radius) = seen.cell(cell);
                        y.iter().zip(center.iter().zip(radius)).all(|(&y, (c, r))| (f64::from(y) - c).abs() <= *r)
                    };
                    assert!((0..seen.n_cells()).any(holds), "position {at} of {length}, input {row}");
                }
            }
        }
    }
}

/// Ranks are told to be those of one key each only where they come from an order of all keys.
#[test]
fn keys_that_share_a_rank_are_not_taken_for_sorted() {
    let network = loaded(&programs::sort().expect("made"));
    // Equal tokens have equal ranks here: nothing has the next one.
    let tied = "(aggregate (select (selector_width (select tokens tokens <)) indices =) tokens)";
    assert!(proved(&network, SORT).is_ok());
    assert!(proved(&network, tied).is_err());
}
