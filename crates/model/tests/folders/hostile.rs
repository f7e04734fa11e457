//! Random damage to sound folders: the loader answers with a network or an error, and never panics.

use model::ModelFiles;
use proptest::prelude::*;

use crate::build::{Folder, gated, gpt2, hooked, rnn};

fn folders() -> Vec<Folder> {
    vec![rnn(), gated("elman", 1, 0), gated("lstm", 2, 0), hooked(), gpt2()]
}

fn damage(bytes: &mut Vec<u8>, kind: u8, at: usize, value: u8) {
    let at = at % bytes.len().max(1);
    match kind % 4 {
        0 if !bytes.is_empty() => bytes[at] = value,
        1 => bytes.truncate(at),
        2 => bytes.insert(at, value),
        _ => {
            let tail = bytes[at..].to_vec();
            bytes.extend(tail);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_are_answered(
        which in 0..5_usize,
        file in 0..4_usize,
        hits in prop::collection::vec((any::<u8>(), any::<usize>(), any::<u8>()), 1..4),
    ) {
        let mut files: ModelFiles = folders()[which].files();
        for (kind, at, value) in hits {
            match file {
                0 => damage(&mut files.config, kind, at, value),
                1 => damage(files.task.as_mut().expect("there"), kind, at, value),
                2 => damage(&mut files.weights, kind, at, value),
                _ => damage(files.inputs.get_or_insert_default(), kind, at, value),
            }
        }
        // Either answer is right; a network must run.
        if let Ok(network) = model::load(&files) {
            let batch = network.domain.sample(3, &mut samples::rng(0, "damaged"));
            network.outputs(&batch).expect("a network that loads runs");
        }
    }
}
