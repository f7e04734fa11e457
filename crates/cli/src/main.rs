//! The ventris command.
fn main() {}
