//! Writes harder versions of a folder of compiled networks, in the same form, so that a grader can judge them:
//!
//! `cargo run -p bench --example harder -- MODELS OUT KIND [SEED]`
//!
//! KIND is one of rotated, sheared, heads, reordered, shared, unused, noise, or all. Each network goes to OUT/KIND/NAME
//! with its task.json; in truth.json, if there is one, the circuit's edges are renamed as the heads are.

use std::path::Path;

use bench::{Hardened, Hardening, harden};
use samples::rng;
use serde_json::Value;

#[expect(clippy::print_stderr, reason = "a command-line example reports what it wrote")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [models, out, kind, rest @ ..] = &args[..] else { return Err("usage: harder MODELS OUT KIND [SEED]".into()) };
    let seed: u64 = rest.first().map_or(Ok(0), |text| text.parse())?;
    let kinds: Vec<Hardening> = Hardening::ALL.into_iter().filter(|how| kind == "all" || how.name() == kind).collect();
    if kinds.is_empty() {
        return Err(format!("no such kind: {kind}").into());
    }
    let mut folders: Vec<_> = std::fs::read_dir(models)?.flatten().map(|entry| entry.path()).collect();
    folders.retain(|folder| folder.join("config.json").exists());
    folders.sort();
    for how in kinds {
        for folder in &folders {
            let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let text = |file: &str| std::fs::read_to_string(folder.join(file));
            let weights = std::fs::read(folder.join("model.safetensors"))?;
            let mut rng = rng(seed, &format!("harder: {name}"));
            let hard = harden(&weights, &text("config.json")?, how, &mut rng)?;
            let target = Path::new(out).join(how.name()).join(&name);
            std::fs::create_dir_all(&target)?;
            if let Ok(truth) = text("truth.json") {
                std::fs::write(target.join("truth.json"), renamed(&truth, &hard)?)?;
            }
            hard.folder(&text("task.json")?).write(&target)?;
        }
        eprintln!("{}: {} networks", how.name(), folders.len());
    }
    Ok(())
}

/// A truth.json with the circuit of the harder network.
fn renamed(truth: &str, hard: &Hardened) -> Result<String, Box<dyn std::error::Error>> {
    let mut truth: Value = serde_json::from_str(truth)?;
    let edges = truth["circuit"]["edges"].as_array().cloned().unwrap_or_default();
    let pair = |edge: &Value| Some((edge.get(0)?.as_str()?.to_owned(), edge.get(1)?.as_str()?.to_owned()));
    let edges = edges.iter().filter_map(pair).flat_map(|(from, to)| hard.edges((&from, &to)));
    truth["circuit"]["edges"] = edges.map(|(from, to)| serde_json::json!([from, to])).collect();
    Ok(truth.to_string())
}
