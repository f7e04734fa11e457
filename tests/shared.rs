//! Networks of the collection beside the repository, where it is there.

use std::path::PathBuf;

use crate::harness::{root, run, skipped};

fn collection() -> Option<PathBuf> {
    let folder = root().parent()?.join("shared/models");
    if folder.is_dir() {
        return Some(folder);
    }
    skipped!("there is no ../shared/models");
    None
}

#[test]
fn every_network_can_be_traced() {
    let Some(models) = collection() else { return };
    for family in ["rnn", "compiled", "trained"] {
        let Ok(entries) = std::fs::read_dir(models.join(family)) else { continue };
        let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        folders.retain(|folder| folder.join("config.json").exists());
        folders.sort();
        for folder in folders {
            let traced = run("trace {0} --json", &[&folder]);
            assert_eq!(traced.code, 0, "{}: {}", folder.display(), traced.stderr);
        }
    }
}

#[test]
fn a_few_networks_are_deciphered() {
    let Some(models) = collection() else { return };
    for name in ["rnn/rnn_sum_last2_numerical", "rnn/rnn_parity_last2_numerical", "compiled/acdc_tracr_reverse"] {
        let folder = models.join(name);
        let done = run("decipher {0} --format json --time-limit 120", &[&folder]);
        assert_eq!(done.code, 0, "{name}: {}", done.stderr);
        assert_eq!(done.json()["verdict"], "accepted", "{name}");
    }
}

#[test]
fn a_network_out_of_reach_is_undecided() {
    let Some(models) = collection() else { return };
    let Ok(entries) = std::fs::read_dir(models.join("trained")) else { return };
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.retain(|folder| folder.join("inputs.safetensors").exists());
    folders.sort();
    let Some(folder) = folders.first() else {
        skipped!("no trained transformer has inputs.safetensors");
        return;
    };
    let done = run("decipher {0} --format json --time-limit 60 --min-agreement 0.5", &[folder]);
    assert!(matches!(done.code, 0 | 3), "{}", done.stderr);
    assert!(!done.json()["reason"].as_str().unwrap_or_default().is_empty());
}
