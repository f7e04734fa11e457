//! Prints what is read from a compiled transformer, and the program that it becomes: the figures of docs/compiled.md.
//!
//! `cargo run -p decipher --example reading -- FOLDER`

#![allow(clippy::print_stdout, reason = "an example prints")]

use std::path::Path;

use decipher::Config;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: reading FOLDER")?;
    let network = model::load_dir(Path::new(&folder))?;
    let include = |name: &str| dsl::Language::shipped(name).map(str::to_owned);
    let rasp = dsl::Language::shipped("rasp").ok_or("no rasp.dsl")?;
    let language = dsl::Language::parse("rasp", rasp, &include).map_err(|error| error.to_string())?;
    let config = Config::new(&language);
    println!("{}", decipher::transformer::describe(&network, &config)?);
    for found in decipher::transformer::hypotheses(&network, &samples::Batch::new(1), &config)?.iter().take(1) {
        println!("{}\n", dsl::pretty(&found.program, &language));
        for aligned in &found.alignment {
            println!("{:9} {}", aligned.site, dsl::print(&aligned.subterm, &language));
        }
        println!();
        for (from, to) in found.circuit.iter().flatten() {
            println!("{from} -> {to}");
        }
    }
    Ok(())
}
