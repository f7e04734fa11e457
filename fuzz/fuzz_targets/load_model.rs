//! Any bytes as a model folder: the loader answers with a network or an error, and a network runs.
//!
//! The input is three lengths (u16, little-endian) of config.json, task.json and inputs.safetensors, then these files,
//! then model.safetensors. A length of 65535 means that the file is not there.

#![no_main]

use libfuzzer_sys::fuzz_target;
use model::ModelFiles;

fn split(bytes: &[u8]) -> Option<ModelFiles> {
    let (lengths, mut rest) = bytes.split_at_checked(6)?;
    let mut take = |index: usize| {
        let length = u16::from_le_bytes([lengths[2 * index], lengths[2 * index + 1]]);
        (length != u16::MAX).then(|| {
            let (file, tail) = rest.split_at(usize::from(length).min(rest.len()));
            rest = tail;
            file.to_vec()
        })
    };
    let (config, task, inputs) = (take(0).unwrap_or_default(), take(1), take(2));
    Some(ModelFiles { config, task, inputs, weights: rest.to_vec() })
}

fuzz_target!(|bytes: &[u8]| {
    let Some(files) = split(bytes) else { return };
    match model::load(&files) {
        Err(error) => assert!(!error.to_string().is_empty() && !error.help().is_empty()),
        Ok(network) => {
            // Long sequences and wide alphabets are sound but slow.
            let small = network.domain.length.0 <= 16 && network.domain.alphabet().len() <= 1 << 12;
            if small {
                let length = network.domain.length.0;
                let batch = network.domain.sample_of_length(2, length, &mut samples::rng(0, "fuzz"));
                network.outputs(&batch).expect("a network that loads runs");
                let graph = network.graph(2);
                assert_eq!(graph.describe().lines().count(), graph.n_nodes() + 1);
            }
        }
    }
});
