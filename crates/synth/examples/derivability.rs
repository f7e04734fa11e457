//! Which hand-written rules and facts of a shipped DSL follow from the rules that are inferred for it.
//!
//! `cargo run -p synth --example derivability -- booleans [SIZE [SECONDS]]`

use std::io::Write as _;
use std::time::Instant;

use dsl::Language;
use smt::Solver;
use synth::{InferConfig, RuleSet, SaturationLimits, derives, infer};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let name = args.first().map_or("booleans", String::as_str);
    let size = args.get(1).and_then(|text| text.parse().ok()).unwrap_or(4);
    let limit = args.get(2).and_then(|text| text.parse().ok()).unwrap_or(f64::INFINITY);
    let language = Language::load_shipped(name).unwrap_or_else(|problems| panic!("{problems}"));
    let mut out = std::io::stdout();
    let start = Instant::now();
    let mut say = |what: &str| {
        let _ = writeln!(std::io::stderr(), "[{:6.1} s] {what}", start.elapsed().as_secs_f64());
        start.elapsed().as_secs_f64() < limit
    };
    let found = infer(&language, &InferConfig::new(size), &mut Solver::new(), &mut say);
    let seconds = start.elapsed().as_secs_f64();
    for (i, inferred) in found.rules.iter().enumerate() {
        let _ = writeln!(out, "{}", inferred.line(&language, &format!("inferred-{}", i + 1)));
    }
    let limits = SaturationLimits { max_rounds: 8, max_nodes: 20_000, max_matches: 2_000 };
    let facts = language.operators().flat_map(|(id, _)| language.fact_rules(id));
    let rules: Vec<dsl::Rule> = facts.chain(language.rules.iter().cloned()).collect();
    let (set, none) = (found.rule_set(), RuleSet::empty());
    let (mut n_derived, mut n_folded) = (0, 0);
    for rule in &rules {
        let folded = derives(&language, &none, rule, &limits);
        let derived = folded || derives(&language, &set, rule, &limits);
        n_folded += usize::from(folded);
        n_derived += usize::from(derived);
        if !derived {
            let _ = writeln!(out, "not derived: {}", rule.name);
        }
    }
    let _ = writeln!(
        out,
        "{name}, size {size}: {} rules inferred in {seconds:.0} s from {} candidates ({} derived, {} refuted, {} undecided; limits {:?}); {n_derived} of {} hand-written rules and facts derived, {n_folded} of them by folding alone",
        found.rules.len(),
        found.n_candidates,
        found.n_derived,
        found.n_refuted,
        found.n_undecided,
        found.limits,
        rules.len(),
    );
}
