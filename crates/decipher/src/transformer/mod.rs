//! Reading transformers from their structure.

use graph::Network;

use crate::{Config, Error, Hypothesis};

/// Candidates for what a transformer computes, best first.
///
/// # Errors
/// Where the network cannot be run.
pub fn hypotheses(_network: &Network, _config: &Config) -> Result<Vec<Hypothesis>, Error> {
    Err(Error::Unsupported("transformers".to_owned()))
}
