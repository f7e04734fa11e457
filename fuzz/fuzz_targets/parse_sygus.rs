//! Any text as a SyGuS-IF problem: a problem or diagnostics, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sygus::Problem;

fuzz_target!(|text: &str| {
    if let Err(problems) = Problem::parse("fuzz", text) {
        assert!(!problems.items.is_empty() && !problems.to_string().is_empty());
    }
});
