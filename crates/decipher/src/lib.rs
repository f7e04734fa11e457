//! From a network to a verified program.
