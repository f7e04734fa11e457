//! Explains how a causal transformer computes a program: `mechanism MODEL PROGRAM`, for tables and for looking closer.

use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let network = model::load_dir(std::path::Path::new(&args[1])).expect("a model folder");
    let language = dsl::Language::load_shipped("sequences").expect("it is shipped");
    let program = dsl::parse_term(&args[2], &language, &network.domain.inputs()).expect("a program");
    let start = Instant::now();
    let verbose = std::env::var("VERBOSE").is_ok();
    let config = decipher::Config {
        language: &language,
        seed: 0,
        limits: decipher::Limits::default(),
        deadline: &|| start.elapsed().as_secs() > 300,
        min_agreement: 0.5,
        progress: &|text| {
            if verbose {
                eprintln!("{:6.1} {text}", start.elapsed().as_secs_f64());
            }
        },
    };
    let found = decipher::mechanism::explain(&network, &program, &config).expect("it can be run");
    println!(
        "{:?} {:.1}s edges {}/{} exact {:?}",
        found.mechanism,
        start.elapsed().as_secs_f64(),
        found.circuit.len(),
        found.n_edges,
        found.exact
    );
    for reason in &found.reasons {
        println!("  - {reason}");
    }
    for effect in &found.scrubs {
        println!(
            "  scrub rec {:.4} seq {:.4} pos {:.4} tail {:.3} worst {:.3} n {}",
            effect.recovered, effect.sequence_matches, effect.matches, effect.tail, effect.worst, effect.sequences
        );
    }
    println!("  tree {:?}", found.treeified.map(|e| (e.recovered, e.sequence_matches)));
    println!(
        "  controls {:?}\n  circuits {:?} vacuous {:.3}",
        found.controls,
        found.circuits,
        found.classes.vacuous_share()
    );
    for carried in &found.carried {
        let (edges, terms) = (&carried.edges, &carried.terms);
        let terms: Vec<String> = terms.iter().map(|t| dsl::print(t, &language)).collect();
        println!("  {edges:?}: {}", terms.join(" | "));
    }
    for site in &found.sites {
        let terms: Vec<String> = site.terms.iter().map(|t| dsl::print(t, &language)).collect();
        println!(
            "  {} IIA {:.3} ({} of {} changed) {} {}",
            if site.passes { "OK " } else { "no " },
            site.interchange.changed_accuracy,
            site.interchange.changed,
            site.interchange.outputs,
            site.writers.join("+"),
            terms.join(" | ")
        );
    }
}
