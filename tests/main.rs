//! End-to-end tests: the `ventris` binary from outside, as its users and graders call it.

mod architecture;
mod commands;
mod determinism;
mod harness;
mod hostile;
mod inference;
mod language;
mod proofs;
mod recheck;
mod schema;
mod shared;
mod synth;
