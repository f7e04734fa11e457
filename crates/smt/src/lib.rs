//! A solver that takes SMT-LIB text.
