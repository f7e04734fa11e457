//! Reads every recurrent network of a folder and prints the program found for each, its size, its agreement and the
//! time it took: `cargo run -p decipher --example recurrent -- FOLDER [NAME-PART] [--dsl FILE]`.

use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use decipher::{Config, Limits, hypotheses};
use dsl::Language;
use samples::rng;

fn language(file: Option<&str>) -> Result<Language, String> {
    let include = |name: &str| Language::shipped(name).map(str::to_owned);
    let parsed = match file {
        Some(path) => Language::parse(path, &std::fs::read_to_string(path).map_err(|e| e.to_string())?, &include),
        None => Language::parse("recurrent", Language::shipped("recurrent").unwrap_or_default(), &include),
    };
    parsed.map_err(|diagnostics| diagnostics.to_string())
}

fn line(folder: &Path, language: &Language) -> Result<String, String> {
    let network = model::load_dir(folder).map_err(|e| e.to_string())?;
    let start = Instant::now();
    let late = || start.elapsed().as_secs() >= 55;
    let noisy = std::env::var_os("VERBOSE").is_some();
    let config = Config {
        language,
        seed: 1,
        limits: Limits::default(),
        deadline: &late,
        controls_late: &|| false,
        min_agreement: 0.999,
        progress: &|what| {
            if noisy {
                let _ = writeln!(std::io::stderr(), "  {:6.2} s  {what}", start.elapsed().as_secs_f64());
            }
        },
    };
    let found = hypotheses(&network, &samples::Batch::new(network.domain.dim()), &config).map_err(|e| e.to_string())?;
    let seconds = start.elapsed().as_secs_f64();
    let Some(best) = found.first() else { return Ok(format!("{seconds:6.2} s  nothing")) };
    let domain = &network.domain;
    let batch = domain.sample_uniform(2000, &mut rng(99, "example"));
    let outputs = network.outputs(&batch).map_err(|e| e.to_string())?;
    let (points, vars) = (batch.points(), domain.columns(&batch));
    let env = dsl::Env { language, points: &points, vars: &vars, causal: true };
    let columns = dsl::eval_program(&best.program, &env).map_err(|e| e.to_string())?;
    let pairs = columns.iter().zip(&outputs).flat_map(|(a, b)| a.codes.iter().zip(&b.codes));
    let (mut n, mut right) = (0, 0);
    for (a, b) in pairs {
        n += 1;
        right += usize::from(a == b);
    }
    let sites: Vec<String> = best.alignment.iter().map(|a| format!("{} {:.3}", a.readout, a.fit)).collect();
    Ok(format!(
        "{seconds:6.2} s  size {:3}  cost {:5.1}  agreement {:.4}  {}  [{}]  {}{}",
        dsl::size(&best.program, language),
        dsl::cost(&best.program, language),
        right as f64 / f64::from(n.max(1)),
        best.source,
        sites.join(", "),
        dsl::print(&best.program, language).replace('\n', " "),
        if found.len() > 1 { format!("  (+{})", found.len() - 1) } else { String::new() },
    ))
}

fn main() -> Result<(), String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let dsl = args.iter().position(|a| a == "--dsl").and_then(|i| args.get(i + 1));
    let language = language(dsl.map(String::as_str))?;
    let folder = args.first().ok_or("a folder is wanted")?;
    let part = args.get(1).filter(|a| *a != "--dsl").map_or("", String::as_str);
    let mut names: Vec<_> = std::fs::read_dir(folder).map_err(|e| e.to_string())?.flatten().map(|e| e.path()).collect();
    names.sort();
    let mut out = std::io::stdout();
    for path in names {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if path.join("config.json").exists() && name.contains(part) {
            let text = line(&path, &language).unwrap_or_else(|e| format!("error: {e}"));
            writeln!(out, "{name:38} {text}").map_err(|e| e.to_string())?;
        }
    }
    Ok(())
}
