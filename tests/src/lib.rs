//! End-to-end tests live in `main.rs` of this package; it has no library of its own.
