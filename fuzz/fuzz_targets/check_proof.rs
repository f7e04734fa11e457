//! Any bytes as a proof file about one of two networks: it holds or is refused, never a panic.
//!
//! The first byte chooses the network. Questions to a solver are read and not asked.

#![no_main]

use std::sync::LazyLock;

use check::Regions;
use graph::Network;
use libfuzzer_sys::fuzz_target;
use model::ModelFiles;
use report::ProofFile;

macro_rules! network {
    ($name:literal) => {
        LazyLock::new(|| {
            let files = ModelFiles {
                config: include_bytes!(concat!("../../benchmarks/networks/", $name, "/config.json")).to_vec(),
                task: Some(include_bytes!(concat!("../../benchmarks/networks/", $name, "/task.json")).to_vec()),
                weights: include_bytes!(concat!("../../benchmarks/networks/", $name, "/model.safetensors")).to_vec(),
                inputs: None,
            };
            model::load(&files).expect("a network of this repository")
        })
    };
}

static RECURRENT: LazyLock<Network> = network!("saturating_counter");
static TRANSFORMER: LazyLock<Network> = network!("same_as_first");

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, rest)) = bytes.split_first() else { return };
    let network: &Network = if first % 2 == 0 { &RECURRENT } else { &TRANSFORMER };
    let Ok(file) = serde_json::from_slice::<ProofFile>(rest) else { return };
    let Ok(language) = file.dsl.language() else { return };
    let Ok(program) = dsl::parse_term(&file.program, &language, &network.domain.inputs()) else { return };
    match file.proof() {
        Err(reason) => assert!(!reason.is_empty()),
        Ok(proof) if matches!(proof.regions, Regions::Question(_)) => {}
        Ok(proof) => {
            if let Err(refused) = check::verify(network, &program, &language, &proof) {
                assert!(!refused.to_string().is_empty());
            }
        }
    }
});
