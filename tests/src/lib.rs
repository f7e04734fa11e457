//! End-to-end tests live in `main.rs` of this package.
