//! Reads every compiled network of a folder, the shared collection if none is named: size, tables, circuit size and
//! seconds.
//!
//! `cargo run -p decipher --example compiled -- [NAME-PART] [-v] [--python FOLDER] [--models FOLDER]`

#![allow(clippy::print_stdout, reason = "an example prints")]

use std::path::Path;
use std::time::Instant;

use decipher::Config;

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let verbose = args.iter().any(|arg| arg == "-v");
    args.retain(|arg| arg != "-v");
    // A folder for the programs as Python.
    let mut option = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.drain(at..(at + 2).min(args.len())).next_back()
    };
    let out = option("--python");
    let models = option("--models");
    let only = args.first().cloned().unwrap_or_default();
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/models/compiled");
    let root = models.map_or(shared, |folder| Path::new(&folder).to_owned());
    let Ok(entries) = std::fs::read_dir(&root) else {
        println!("skipped: no {}", root.display());
        return;
    };
    let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    let language = dsl::Language::parse("rasp", dsl::Language::shipped("rasp").unwrap_or_default(), &|name| {
        dsl::Language::shipped(name).map(str::to_owned)
    });
    let language = match language {
        Ok(language) => language,
        Err(error) => return println!("{error}"),
    };
    let (mut solved, mut total) = (0, 0);
    for folder in folders {
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !name.contains(&only) {
            continue;
        }
        total += 1;
        let network = match model::load_dir(&folder) {
            Ok(network) => network,
            Err(error) => {
                println!("{name}: {error}");
                continue;
            }
        };
        let start = Instant::now();
        let progress = |text: &str| {
            if verbose {
                println!("    {:.2} {text}", start.elapsed().as_secs_f64());
            }
        };
        let config = Config { min_agreement: 0.999, progress: &progress, ..Config::new(&language) };
        match decipher::transformer::hypotheses(&network, &samples::Batch::new(1), &config) {
            Ok(found) => {
                solved += usize::from(!found.is_empty());
                let seconds = start.elapsed().as_secs_f64();
                match found.first() {
                    Some(best) => {
                        if let Some(out) = &out {
                            let text = dsl::print(&best.program, &language);
                            let term = dsl::parse_term(&text, &language, &network.domain.inputs());
                            let form = dsl::PythonOutput { integers: false, causal: network.is_causal() };
                            let python = term.map_err(|error| error.to_string()).and_then(|term| {
                                dsl::python(&term, &language, &network.domain.inputs(), form)
                                    .map_err(|error| error.to_string())
                            });
                            let written = python.and_then(|text| {
                                std::fs::write(Path::new(out).join(format!("{name}.py")), text)
                                    .map_err(|error| error.to_string())
                            });
                            if let Err(error) = written {
                                println!("{name}: {error}");
                            }
                        }
                        let tables: Vec<usize> =
                            dsl::tables(&best.program).iter().map(|table| table.entries.len()).collect();
                        let fit = best.alignment.iter().map(|a| a.fit).fold(1.0, f64::min);
                        let edges = best
                            .circuit
                            .iter()
                            .flatten()
                            .map(|(a, b)| format!("{a}>{b}"))
                            .collect::<Vec<_>>()
                            .join(",");
                        println!(
                            "{name}: size {} tables {tables:?} fit {fit:.3} {seconds:.2}s {} EDGES {edges} ",
                            dsl::size(&best.program, &language),
                            best.source
                        );
                        if verbose {
                            println!("{}", dsl::pretty(&best.program, &language));
                            for a in &best.alignment {
                                println!(
                                    "    {} {} {:.3} {}",
                                    a.site,
                                    a.readout,
                                    a.fit,
                                    dsl::print(&a.subterm, &language).chars().take(100).collect::<String>()
                                );
                            }
                        }
                    }
                    None => println!("{name}: nothing {seconds:.2}s"),
                }
            }
            Err(error) => println!("{name}: {error}"),
        }
    }
    println!("{solved} of {total}");
}
