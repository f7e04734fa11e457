//! The commands on the shipped networks, from a network to a program and back.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{NETWORKS, copy_of, network, root, run, skipped, words, write};

#[test]
fn shipped_networks_are_deciphered_and_their_files_hold() {
    for name in NETWORKS {
        let out = tempfile::tempdir().expect("a temporary folder");
        let model = network(name);
        let done = run("decipher {0} --out {1} --format json --time-limit 300", &[&model, out.path()]);
        assert_eq!(done.code, 0, "{}", done.stderr);
        let result = done.json();
        assert_eq!(result["verdict"], "accepted");
        assert_eq!(result["evidence"]["agreement"]["mismatches"], 0);
        assert_eq!(result["evidence"]["agreement"]["kind"], "exhaustive");
        assert!(result["evidence"]["scrub"]["recovered"].as_f64() > Some(0.99), "{result:#}");
        assert!(result["evidence"]["controls"]["p_value"].as_f64() <= Some(0.05), "{result:#}");
        let program = result["program"].as_str().expect("a program");
        let size = result["size"].as_u64().expect("a number");
        assert!(size > 1 && size <= words(program).len() as u64, "{size}: {program}");
        let saved = std::fs::read_to_string(out.path().join("result.json")).expect("result.json");
        assert_eq!(saved, done.stdout);

        let dsl = out.path().join("program.dsl");
        let checked = run("check {0} {1} --format json", &[&model, &dsl]);
        assert_eq!((checked.code, &checked.json()["verdict"]), (0, &json!("accepted")), "{}", checked.stderr);
        let scrubbed = run("scrub {0} {1} --format json", &[&model, &out.path().join("hypothesis.json")]);
        assert_eq!((scrubbed.code, &scrubbed.json()["verdict"]), (0, &json!("accepted")), "{}", scrubbed.stderr);
        assert_eq!(scrubbed.json()["scrub"], result["evidence"]["scrub"], "the same seed gives the same numbers");
    }
}

#[test]
fn a_mechanism_is_held_against_every_family_of_controls() {
    let result = run("decipher {0} --format json", &[&network("same_as_first")]).json();
    let controls = &result["evidence"]["controls"];
    assert_eq!((&result["mechanism"], &controls["beaten"]), (&json!("verified"), &json!(true)), "{controls:#}");
    for family in ["circuits", "alignments", "programs"] {
        assert_eq!(controls[family]["as_good"], 0, "{family}: {controls:#}");
        assert!(controls[family]["corrected"].as_f64() <= Some(0.05), "{family}: {controls:#}");
    }
    // Random terms for "is it the same token as the first?" now and then are that.
    assert!(controls["programs"]["dropped"].as_u64() > Some(0), "{controls:#}");
}

#[test]
fn full_controls_repeat_the_procedure_on_networks_without_meaning() {
    let result = run("decipher {0} --controls full --format json", &[&network("same_as_first")]).json();
    let full = result["evidence"]["full_controls"].as_array().expect("a list");
    let kinds: Vec<&str> = full.iter().filter_map(|control| control["kind"].as_str()).collect();
    assert_eq!(kinds.len(), 4, "{full:#?}");
    for control in full.iter().filter(|control| control["kind"] != "nonsense labelling") {
        assert_ne!(control["mechanism"], "verified", "{control:#}");
        assert_eq!(control["same_program"], false, "{control:#}");
    }
    // Whether two letters are the same does not depend on what they are called.
    let renamed = full.iter().find(|control| control["kind"] == "nonsense labelling").expect("it is there");
    assert_eq!((&renamed["verdict"], &renamed["same_program"]), (&json!("accepted"), &json!(true)), "{renamed:#}");
}

#[test]
fn the_text_report_says_first_what_is_shown() {
    let done = run("decipher {0} -q", &[&network("saturating_counter")]);
    assert_eq!(done.code, 0);
    assert_eq!(done.stderr, "", "quiet is quiet");
    let headline = done.stdout.lines().nth(2).unwrap_or_default();
    assert!(headline.starts_with("ACCEPTED, mechanism verified:"), "{headline}");
    assert!(done.stdout.contains("every input of the domain"));
}

/// Classes by name: a trained network that says which way one faces, deciphered to the end.
#[test]
fn a_recurrent_network_with_classes_is_deciphered() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let done = run("decipher {0} --out {1} --format json", &[&network("compass"), out.path()]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let result = done.json();
    assert_eq!((&result["verdict"], &result["mechanism"]), (&json!("accepted"), &json!("verified")), "{result:#}");
    assert_eq!(result["evidence"]["agreement"]["kind"], "exhaustive");
    let proof = out.path().join("proof.json");
    assert_eq!(run("check --proof {0} {1}", &[&proof, &network("compass")]).code, 0);

    // Left, left, ahead, right, right, right.
    let inputs = write(out.path(), "inputs.jsonl", "[-1,-1,0,1,1,1]\n");
    let ran = run("run {0} {1}", &[&out.path().join("program.dsl"), &inputs]);
    let faced = json!(["west", "south", "south", "west", "north", "east"]);
    assert_eq!((ran.code, ran.stdout), (0, format!("{faced}\n")), "{}", ran.stderr);
    if let Some(printed) = in_python(out.path(), "[-1, -1, 0, 1, 1, 1]") {
        assert_eq!(printed.replace('\'', "\""), faced.to_string().replace(',', ", "));
    }
}

/// What program.py in a folder says to an input; `None` without python3.
fn in_python(folder: &std::path::Path, input: &str) -> Option<String> {
    let script = format!("import sys; sys.path.insert(0, sys.argv[1]); import program; print(program.run({input}))");
    match std::process::Command::new("python3").args(["-B", "-c", &script]).arg(folder).output() {
        Ok(output) => {
            let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            assert!(!printed.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(printed)
        }
        Err(error) => {
            skipped!("program.py was not run, python3 is not there ({error})");
            None
        }
    }
}

/// One input, and what the counter says to it: up and down between 0 and 3.
const COUNTED: ([i64; 8], [i64; 8]) = ([1, 1, 1, 1, -1, 0, -1, 1], [1, 2, 3, 3, 2, 2, 1, 2]);

#[test]
fn programs_run_here_and_in_python() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let done = run("decipher {0} --out {1}", &[&network("saturating_counter"), out.path()]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let inputs = write(out.path(), "inputs.jsonl", format!("{}\n\n[]\n", json!(COUNTED.0)));
    let ran = run("run {0} {1}", &[&out.path().join("program.dsl"), &inputs]);
    assert_eq!((ran.code, ran.stdout), (0, format!("{}\n\n[]\n", json!(COUNTED.1))), "{}", ran.stderr);

    if let Some(printed) = in_python(out.path(), &format!("{:?}", COUNTED.0)) {
        assert_eq!(printed, format!("{:?}", COUNTED.1));
    }
    let text = std::fs::read_to_string(out.path().join("program.py")).expect("program.py");
    assert!(!text.contains("import") && !text.contains("print"), "{text}");
}

#[test]
fn inputs_over_tokens_run_too() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = write(folder.path(), "program.dsl", "(= tokens (aggregate (select indices 0 =) tokens)) ; first\n");
    let inputs = write(folder.path(), "inputs.jsonl", "[\"a\", \"b\", \"a\"]\n[\"c\"]\n");
    let ran = run("run {0} {1}", &[&program, &inputs]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "[true,false,true]\n[true]\n"), "{}", ran.stderr);
    // The last number of the same text before: in the language of causal networks only what came before counts, however
    // that language is named.
    let counts = write(folder.path(), "counts.dsl", "(successor (numeral (count (= tokens \"a\"))))\n");
    let own = write(folder.path(), "own.dsl", "(include \"sequences\")\n");
    let inputs = write(folder.path(), "letters.jsonl", "[\"a\", \"b\", \"a\"]\n");
    let plain = run("run {0} {1}", &[&counts, &inputs]);
    assert_eq!((plain.code, plain.stdout.as_str()), (0, "[\"2\",\"2\",\"3\"]\n"), "{}", plain.stderr);
    for dsl in [Path::new("sequences"), &root().join("dsl/sequences.dsl"), &own] {
        let ran = run("run {0} {1} --dsl {2}", &[&counts, &inputs, dsl]);
        assert_eq!((ran.code, ran.stdout), (0, plain.stdout.clone()), "{}: {}", dsl.display(), ran.stderr);
    }
    let seen = write(folder.path(), "seen.dsl", "(selector_width (select tokens \"a\" =))\n");
    for (says, widths) in [("", "[2,2,2]\n"), ("(causal)\n", "[1,1,2]\n")] {
        let own = write(folder.path(), "own.dsl", format!("(include \"rasp\")\n{says}"));
        assert_eq!(run("run {0} {1} --dsl {2}", &[&seen, &inputs, &own]).stdout, widths);
    }
    let bad = write(folder.path(), "bad.jsonl", "[1]\n{}\n");
    run("run {0} {1}", &[&program, &bad]).fails_with(&["bad.jsonl:2", "expected a JSON list"]);
}

#[test]
fn a_wrong_program_is_refuted_by_a_small_counterexample() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The counter that goes to 4.
    let wrong = write(folder.path(), "wrong.dsl", "(scan ((y 0 (min (max (+ y x) 0) 4))) y')");
    let refuted = run("check {0} {1} --format json", &[&network("saturating_counter"), &wrong]);
    assert_eq!(refuted.code, 3, "{}", refuted.stderr);
    let agreement = &refuted.json()["agreement"];
    assert_eq!(refuted.json()["verdict"], "refuted");
    // The domain has one length only, so the rest of the sequence is there, but simple.
    let small = json!({"input": [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0], "position": 3, "network": 3, "program": 4});
    assert_eq!(agreement["counterexample"], small);
}

#[test]
fn files_about_another_network_are_refused_as_such() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [counter, first] = NETWORKS.map(network);
    assert_eq!(run("decipher {0} --out {1} -q", &[&first, folder.path()]).code, 0);
    let hint = "the file may be about another network: the inputs of this one are x (Int)";
    let proof = run("check {0} --proof {1}", &[&counter, &folder.path().join("proof.json")]);
    proof.fails_with(&["unknown variable tokens", "proof.json, program:1:", hint]);
    let scrubbed = run("scrub {0} {1}", &[&counter, &folder.path().join("hypothesis.json")]);
    scrubbed.fails_with(&["unknown variable tokens", "hypothesis.json, program:1:", hint]);
    for stderr in [proof.stderr, scrubbed.stderr] {
        assert!(stderr.lines().all(|line| line.matches("error:").count() <= 1), "{stderr}");
    }
}

#[test]
fn traces_have_three_forms() {
    for name in NETWORKS {
        let model = network(name);
        let json = run("trace {0} --json", &[&model]).json();
        assert!(json["nodes"].as_array().is_some_and(|nodes| nodes.len() > 3), "{json:#}");
        assert_eq!(json, run("trace {0} --format json", &[&model]).json());
        assert!(run("trace {0} --dot", &[&model]).stdout.starts_with("digraph"));
        assert!(run("trace {0}", &[&model]).stdout.contains("parameters"));
    }
}

#[test]
fn a_network_exported_as_the_documentation_says_is_deciphered() {
    let text = std::fs::read_to_string(root().join("docs/models.md")).expect("the page is there");
    let script = text.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = folder.path().join("sum");
    let python = |args: &[&str]| Command::new("python3").args(args).output();
    if !python(&["-c", "import torch, safetensors.torch"]).is_ok_and(|out| out.status.success()) {
        skipped!("the export of docs/models.md: no python3 with torch and safetensors");
        return;
    }
    let path = write(folder.path(), "export.py", script);
    let exported = python(&[&path, &model].map(|path| path.to_str().expect("UTF-8"))).expect("python3 runs");
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let done = run("decipher {0} --format json", &[&model]).json();
    assert_eq!(done["program"], "(scan ((y 0 (+ y x))) y')", "{done}");
}

#[test]
fn a_network_whose_state_never_varies_is_deciphered() {
    let model = copy_of("saturating_counter");
    let path = model.path().join("model.safetensors");
    let mut bytes = std::fs::read(&path).expect("there");
    let header: [u8; 8] = bytes[..8].try_into().expect("eight bytes");
    let weights = 8 + u64::from_le_bytes(header) as usize;
    bytes[weights..].fill(0);
    std::fs::write(&path, bytes).expect("written");
    let done = run("decipher {0} --format json", &[model.path()]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let result = done.json();
    assert_eq!((&result["verdict"], &result["mechanism"]), (&"accepted".into(), &"unverified".into()), "{result}");
}

#[test]
fn usage_errors_have_a_code_of_their_own() {
    for line in [
        "",
        "decipher",
        "decipher x --no-such-flag",
        "nonsense",
        "decipher x --min-agreement 2",
        "decipher x --threads 0",
        "decipher x --threads 10000",
        "trace x --time-limit -1",
        "scrub x y --min-recovered -1",
    ] {
        let run = run(line, &[]);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "`{line}`: {}", run.stderr);
    }
    let late = run("trace x --time-limit -1", &[]).stderr;
    assert!(late.contains("expected a positive number of seconds"), "{late}");
    assert_eq!(run("--help", &[]).code, 0);
    assert_eq!(run("--version", &[]).code, 0);
}

#[test]
fn a_trained_transformer_is_deciphered_with_its_mechanism() {
    let out = tempfile::tempdir().expect("a temporary folder");
    let model = network("once_d");
    let done = run("decipher {0} --out {1} --format json --min-agreement 0.95", &[&model, out.path()]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    let result = done.json();
    assert_eq!((&result["verdict"], &result["mechanism"]), (&json!("accepted"), &json!("verified")), "{result:#}");
    let evidence = &result["evidence"];
    assert_eq!(evidence["agreement"]["unit"], "sequences");
    // The network has 80 recorded sequences, of which some are equal and stay together.
    assert_eq!(evidence["agreement"]["inputs"], 44, "half of the different ones are kept for judging");
    let variables = evidence["edges"]["variables"].as_array().expect("variables");
    assert!(!variables.is_empty());
    for variable in variables {
        assert!(variable["accuracy"].as_f64() > variable["by_chance"].as_f64(), "{variable}");
    }
    assert!(!evidence["edges"]["selectors"].as_array().expect("selectors").is_empty());

    // The file alone is judged as strictly, and does not stand with a claim about a site that carries something else.
    let path = out.path().join("hypothesis.json");
    let scrubbed = run("scrub {0} {1} --format json", &[&model, &path]);
    let judged = scrubbed.json();
    assert_eq!((scrubbed.code, &judged["verdict"]), (0, &json!("accepted")), "{judged:#}");
    assert_eq!((&judged["mechanism"], &judged["interchange"]), (&result["mechanism"], &evidence["interchange"]));
    let mut file: Value = serde_json::from_str(&std::fs::read_to_string(&path).expect("written")).expect("JSON");
    file["alignment"][0]["site"] = json!("pos_embed");
    let moved = write(out.path(), "moved.json", file.to_string());
    let scrubbed = run("scrub {0} {1} --format json", &[&model, &moved]);
    assert_eq!((scrubbed.code, &scrubbed.json()["verdict"]), (3, &json!("undecided")), "{}", scrubbed.stdout);

    // Programs in the language of sequences run without being told so.
    let inputs = write(out.path(), "inputs.jsonl", "[\"<bos>\", \"b\", \"d\"]\n");
    let ran = run("run {0} {1}", &[&out.path().join("program.dsl"), &inputs]);
    let lists = ["[\"a\",\"b\",\"d\"]", "[\"a\",\"b\",\"d\"]", "[\"b\",\"c\",\"<eos>\"]"];
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for list in lists {
        assert!(ran.stdout.replace("\\\"", "\"").contains(list), "{}", ran.stdout);
    }
}
