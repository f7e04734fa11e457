//! Model folders, DSL files and arguments that are wrong: each gets its own clear error, and nothing on stdout.

use std::path::Path;

use crate::harness::{copy_of, network, run, write};

#[track_caller]
fn refused(spoil: impl FnOnce(&Path), parts: &[&str]) {
    let model = copy_of("saturating_counter");
    spoil(model.path());
    for command in ["decipher {0} --format json", "trace {0}"] {
        run(command, &[model.path()]).fails_with(parts);
    }
}

fn edit(folder: &Path, name: &str, from: &str, to: &str) {
    let path = folder.join(name);
    let text = std::fs::read_to_string(&path).expect("text");
    assert!(text.contains(from), "{from} is not in {text}");
    std::fs::write(path, text.replace(from, to)).expect("written");
}

#[test]
fn missing_things_are_named() {
    let nowhere = Path::new("/nonexistent/model");
    run("decipher {0}", &[nowhere]).fails_with(&["/nonexistent/model", "config.json"]);
    refused(|f| std::fs::remove_file(f.join("config.json")).expect("there"), &["config.json", "missing"]);
    refused(|f| std::fs::remove_file(f.join("model.safetensors")).expect("there"), &["model.safetensors", "missing"]);
    refused(|f| std::fs::remove_file(f.join("task.json")).expect("there"), &["task.json"]);
}

#[test]
fn broken_weights_are_told_apart() {
    let weights = "model.safetensors";
    refused(|f| _ = write(f, weights, ""), &[weights]);
    refused(|f| _ = write(f, weights, [0xff; 64]), &[weights]);
    let truncated = |f: &Path| {
        let bytes = std::fs::read(f.join(weights)).expect("there");
        std::fs::write(f.join(weights), &bytes[..bytes.len() - 8]).expect("written");
    };
    refused(truncated, &[weights]);
    let not_a_number = |f: &Path| {
        let mut bytes = std::fs::read(f.join(weights)).expect("there");
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        std::fs::write(f.join(weights), bytes).expect("written");
    };
    refused(not_a_number, &[weights]);
}

#[test]
fn contradictions_name_the_key() {
    refused(|f| _ = write(f, "config.json", "{"), &["config.json"]);
    refused(|f| _ = write(f, "config.json", "{\"model_type\": \"cnn\"}"), &["config.json", "model_type", "cnn"]);
    refused(|f| edit(f, "task.json", "\"length\": 12", "\"length\": 0"), &["task.json"]);
    refused(|f| edit(f, "task.json", "\"dim\": 1", "\"dim\": 3"), &["dim"]);
}

#[test]
fn languages_are_refused_at_the_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dsl = write(folder.path(), "mine.dsl", "(define-fun twice ((a Int)) Int\n  (+ a b))\n");
    let model = network("saturating_counter");
    run("decipher {0} --dsl {1}", &[&model, &dsl]).fails_with(&["mine.dsl:2:", "^"]);
    run("decipher {0} --dsl {1}", &[&model, &folder.path().join("none.dsl")]).fails_with(&["none.dsl"]);
    let program = write(folder.path(), "program.dsl", "(+ x zz)");
    run("check {0} {1}", &[&model, &program]).fails_with(&["program.dsl:1:", "zz"]);
    let hypothesis = write(folder.path(), "hypothesis.json", "{\"schema\": 1}");
    run("scrub {0} {1}", &[&model, &hypothesis]).fails_with(&["hypothesis.json"]);
}

#[test]
fn results_that_cannot_be_written_are_refused_before_the_work() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = write(folder.path(), "file", "");
    let start = std::time::Instant::now();
    run("decipher {0} --out {1}", &[&network("same_as_first"), &file.join("inside")]).fails_with(&["--out"]);
    assert!(start.elapsed().as_secs() < 20, "it worked before it looked");
}
