//! Agreement of a program with a network.
