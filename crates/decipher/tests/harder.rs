//! Compiled networks, as they come and made harder to read: the same program, or none, never a wrong one.

use std::path::Path;

use bench::{Folder, Hardening, harden, programs};
use decipher::{Config, Hypothesis};
use dsl::{Env, Language};
use graph::Network;
use samples::rng;

fn language() -> Language {
    let include = |name: &str| Language::shipped(name).map(str::to_owned);
    Language::parse("rasp", Language::shipped("rasp").expect("shipped"), &include).expect("it parses")
}

fn network(folder: &Folder) -> Network {
    let files = model::ModelFiles {
        config: folder.config.clone().into_bytes(),
        task: Some(folder.task.clone().into_bytes()),
        weights: folder.weights.clone(),
        inputs: None,
    };
    model::load(&files).expect("it loads")
}

/// The shortest program found, if any.
fn read(network: &Network, language: &Language) -> Option<Hypothesis> {
    let config = Config { min_agreement: 0.999, ..Config::new(language) };
    decipher::transformer::hypotheses(network, &samples::Batch::new(1), &config).expect("it runs").into_iter().next()
}

/// The share of counted outputs on which a program agrees with a network, on inputs of its own.
fn agreement(network: &Network, hypothesis: &Hypothesis, language: &Language) -> f64 {
    let batch = network.domain.sample(500, &mut rng(99, "test: harder"));
    let (points, vars) = (batch.points(), network.domain.columns(&batch));
    let env = Env { language, points: &points, vars: &vars, causal: network.is_causal() };
    let have = dsl::eval(&hypothesis.program, &env).expect("it evaluates");
    let want = &network.outputs(&batch).expect("it runs")[0];
    let counted: Vec<usize> = (0..want.n_points()).filter(|&p| want.codes[p] != samples::UNDEFINED).collect();
    let decode = &network.domain.decode;
    let good = counted.iter().filter(|&&p| check::agrees(decode, want.value(p), have.value(p))).count();
    good as f64 / counted.len().max(1) as f64
}

fn text(hypothesis: &Hypothesis, language: &Language) -> String {
    dsl::print(&hypothesis.program, language)
}

fn edges(hypothesis: &Hypothesis) -> Vec<(String, String)> {
    hypothesis.circuit.clone().unwrap_or_default()
}

/// The harder network and what became of its heads.
fn harder(folder: &Folder, how: Hardening, seed: u64) -> (bench::Hardened, Network) {
    let mut rng = rng(seed, "test: harder");
    let hard = harden(&folder.weights, &folder.config, how, &mut rng).expect("it can be made harder");
    let network = network(&hard.clone().folder(&folder.task));
    (hard, network)
}

/// Reads all harder versions of a network; the plain program, and what was found under noise.
fn all_versions(name: &str, folder: &Folder, language: &Language) -> (String, Option<String>) {
    let plain = read(&network(folder), language).unwrap_or_else(|| panic!("{name} is read"));
    let program = text(&plain, language);
    let mut under_noise = None;
    for how in Hardening::ALL {
        let (hard, network) = harder(folder, how, 5);
        let found = read(&network, language);
        if let Hardening::Noise(_) = how {
            if let Some(found) = &found {
                let share = agreement(&network, found, language);
                assert!(share >= 0.995, "{name} with noise: {} agrees with {share}", text(found, language));
            }
            under_noise = found.map(|found| text(&found, language));
            continue;
        }
        let found = found.unwrap_or_else(|| panic!("{name} is read when {}", how.name()));
        assert_eq!(text(&found, language), program, "{name}, {}", how.name());
        let mut wanted: Vec<(String, String)> =
            edges(&plain).iter().flat_map(|(from, to)| hard.edges((from, to))).collect();
        wanted.sort();
        assert_eq!(edges(&found), wanted, "{name}, {}: circuit", how.name());
    }
    (program, under_noise)
}

#[test]
fn networks_of_our_own_are_read_in_every_version() {
    let language = language();
    let mut noisy = Vec::new();
    let mut programs_found = Vec::new();
    for (name, make) in programs::ALL {
        let (program, under_noise) = all_versions(name, &make().expect("it is built"), &language);
        if under_noise.as_ref() == Some(&program) {
            noisy.push(name);
        }
        programs_found.push(format!("{name}: {program}"));
    }
    insta::assert_snapshot!(programs_found.join("\n"));
    insta::assert_snapshot!(format!("the same program in spite of noise: {}", noisy.join(", ")));
}

#[test]
fn every_variable_moves_the_output_as_the_program_says() {
    let language = language();
    for (name, make) in [("reverse", programs::reverse as fn() -> _), ("sort", programs::sort)] {
        let network = network(&make().expect("it is built"));
        let found = read(&network, &language).expect("it is read");
        let claims = decipher::claims(&found);
        let config = scrub::ScrubConfig::default();
        let moved = scrub::interchange(&network, &language, &found.program, &claims, found.circuit.as_deref(), &config)
            .expect("it runs");
        let sites: std::collections::BTreeSet<&str> = claims.iter().map(|claim| claim.site.as_str()).collect();
        // Indices and lengths are the same on all inputs of a length, and yet are interchanged.
        assert!(sites.contains("pos_embed"), "{name}: {sites:?}");
        assert_eq!(moved.len(), sites.len(), "{name}: {moved:?}");
        for one in moved {
            assert!(one.changed >= 50 && one.changed_accuracy >= 0.99, "{name}: {one:?}");
        }
        // Every component on the way carries something that the program says.
        let carriers = found.circuit.iter().flatten().map(|(from, _)| from.as_str());
        assert!(carriers.into_iter().all(|carrier| sites.contains(carrier)), "{name}: {sites:?}");
        assert!(found.alignment.iter().all(|aligned| aligned.fit >= 0.99), "{name}: {:?}", found.alignment);
    }
}

#[test]
fn some_shared_networks_are_read_in_every_version() {
    use std::io::Write as _;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/models/compiled");
    if !root.is_dir() {
        let _ = writeln!(std::io::stderr(), "SKIPPED: there is no ../shared/models");
        return;
    }
    let language = language();
    for name in ["ib_case_38", "ib_case_61", "lib_shift_by_two", "lib_sort_unique_by_index"] {
        let read = |file: &str| std::fs::read(root.join(name).join(file)).expect("it is there");
        let text = |file: &str| String::from_utf8(read(file)).expect("text");
        let folder =
            Folder { weights: read("model.safetensors"), config: text("config.json"), task: text("task.json") };
        all_versions(name, &folder, &language);
    }
}
