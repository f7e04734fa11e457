//! The language of programs: sorts, operators, rules, terms.
