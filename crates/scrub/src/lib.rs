//! Causal scrubbing, interchange interventions and controls.
