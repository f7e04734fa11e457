//! What the commands print as JSON conforms to the published schemas, checked by the part of JSON Schema that they use.

use serde_json::{Value as Json, json};

use crate::harness::{NETWORKS, copy_of, network, root, run, ventris, write};

/// The places where a value does not conform.
fn faults(schema: &Json, value: &Json, at: &str, found: &mut Vec<String>) {
    let Some(rules) = schema.as_object() else {
        if schema == &json!(false) {
            found.push(format!("{at}: nothing is allowed here"));
        }
        return;
    };
    for (rule, wanted) in rules {
        let holds = match rule.as_str() {
            "type" => {
                let is = |name: &Json| match name.as_str() {
                    Some("object") => value.is_object(),
                    Some("array") => value.is_array(),
                    Some("string") => value.is_string(),
                    Some("boolean") => value.is_boolean(),
                    Some("null") => value.is_null(),
                    Some("integer") => value.is_u64() || value.is_i64(),
                    Some("number") => value.is_number(),
                    _ => panic!("{at}: unknown type {name}"),
                };
                wanted.as_array().map_or_else(|| is(wanted), |any| any.iter().any(is))
            }
            "$ref" => {
                let (file, pointer) = wanted.as_str().and_then(|text| text.split_once('#')).expect("FILE#POINTER");
                let other = published(file.strip_suffix(".schema.json").expect("a schema"));
                faults(other.pointer(pointer).expect("the place is there"), value, at, found);
                true
            }
            "const" => value == wanted,
            "enum" => wanted.as_array().is_some_and(|any| any.contains(value)),
            "minimum" => value.as_f64().zip(wanted.as_f64()).is_none_or(|(v, least)| v >= least),
            "maximum" => value.as_f64().zip(wanted.as_f64()).is_none_or(|(v, most)| v <= most),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= wanted.as_u64().unwrap_or(0)),
            "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= wanted.as_u64().unwrap_or(0)),
            "required" => value.as_object().is_none_or(|object| {
                wanted.as_array().into_iter().flatten().all(|key| object.contains_key(key.as_str().unwrap_or_default()))
            }),
            "properties" => {
                for (key, inner) in value.as_object().into_iter().flatten() {
                    match wanted.get(key) {
                        Some(schema) => faults(schema, inner, &format!("{at}/{key}"), found),
                        None if rules.get("additionalProperties") == Some(&json!(false)) => {
                            found.push(format!("{at}: unknown key {key}"));
                        }
                        None => {}
                    }
                }
                true
            }
            "items" => {
                for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
                    faults(wanted, inner, &format!("{at}/{index}"), found);
                }
                true
            }
            "$schema" | "$id" | "title" | "description" | "additionalProperties" => true,
            other => panic!("{at}: the test does not know the keyword {other}"),
        };
        if !holds {
            found.push(format!("{at}: {rule} {wanted} does not hold for {value}"));
        }
    }
}

fn published(name: &str) -> Json {
    let path = root().join("schema").join(format!("{name}.schema.json"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("the schema is published")).expect("the schema is JSON")
}

#[track_caller]
fn conforms_to(name: &str, result: &Json) {
    let mut found = Vec::new();
    faults(&published(name), result, "", &mut found);
    assert!(found.is_empty(), "{name}: {found:#?}\n{result:#}");
}

#[track_caller]
fn conforms(result: &Json) {
    conforms_to("decipher", result);
}

#[test]
fn results_conform() {
    for name in NETWORKS {
        let out = tempfile::tempdir().expect("a temporary folder");
        conforms(&run("decipher {0} --out {1} --controls full --format json", &[&network(name), out.path()]).json());
    }
}

#[test]
fn what_the_other_commands_print_of_networks_conforms() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in NETWORKS {
        let (model, out) = (network(name), folder.path().join(name));
        assert_eq!(run("decipher {0} --out {1} -q", &[&model, &out]).code, 0);
        conforms_to("trace", &run("trace {0} --json", &[&model]).json());
        conforms_to("check", &run("check {0} {1} --format json", &[&model, &out.join("program.dsl")]).json());
        conforms_to(
            "check-proof",
            &run("check {0} --proof {1} --format json", &[&model, &out.join("proof.json")]).json(),
        );
        conforms_to("scrub", &run("scrub {0} {1} --format json", &[&model, &out.join("hypothesis.json")]).json());
    }
    let wrong = write(folder.path(), "wrong.dsl", "(scan ((y 0 (min (max (+ y x) 0) 4))) y')");
    let refuted = run("check {0} {1} --format json", &[&network("saturating_counter"), &wrong]);
    assert_eq!(refuted.code, 3, "{}", refuted.stderr);
    conforms_to("check", &refuted.json());
}

#[test]
fn what_is_printed_of_languages_and_problems_conforms() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, text: &str| write(folder.path(), name, text);
    let faulty = "(define-fun f ((a Int)) Int (div 1 a) :total)
(define-fun never ((a Int)) Int a :when (< a a))
(rewrite wrong (f a) a)
(check (= (f 1) 2) (= (f 1) 1))
(fail (= (f 1) 2))
";
    let faulty = run("dsl check {0} --format json", &[&file("faulty.dsl", faulty)]);
    assert_eq!(faulty.code, 3, "{}", faulty.stderr);
    conforms_to("dsl-check", &faulty.json());
    conforms_to("dsl-check", &run("dsl check booleans --format json", &[]).json());
    let tiny = file("tiny.dsl", "(define-fun not ((a Bool)) Bool (not a))\n(constants Bool true)\n");
    conforms_to("dsl-infer", &run("dsl infer {0} --size 3 --vars 2 --no-cache --format json", &[&tiny]).json());
    for options in [&["--explain"][..], &["--shared"], &["--to", "x"], &["--unproved"]] {
        let fixed = ["dsl", "simplify", "integers", "(+ x (* 0 x))", "--vars", "x:Int", "--format", "json"];
        conforms_to("dsl-simplify", &ventris(fixed.into_iter().chain(options.iter().copied())).json());
    }
    let wanted = "(include \"integers\")
(constants Int 0 1 :cost 1 :solve)
(grammar lines (Start Int ((+ (* (Constant Int) x) (Constant Int)))))
(synth-fun fee ((x Int)) Int :grammar lines :examples ((1) 1048) ((2) 1085) ((5) 1196))
";
    let wanted = file("wanted.dsl", wanted);
    for options in ["", "--all", "--front"] {
        conforms_to("synth", &run(&format!("synth {{0}} --format json {options}"), &[&wanted]).json());
    }
    let problem = |constraint: &str| {
        format!(
            "(set-logic LIA)\n(synth-fun f ((x Int) (y Int)) Int ((S Int)) ((S Int (x y (+ S S)))))
(declare-var x Int)\n(declare-var y Int)\n(constraint {constraint})\n(check-synth)\n"
        )
    };
    let solved = file("solved.sl", &problem("(= (f x y) (+ x y))"));
    conforms_to("synth", &run("synth {0} --all --front --format json", &[&solved]).json());
    let stopped =
        run("synth {0} --max-classes 2 --format json", &[&file("hard.sl", &problem("(= (f x y) (* 5 (+ x y)))"))]);
    assert_eq!((stopped.code, &stopped.json()["status"]), (3, &json!("fail")), "{}", stopped.stdout);
    conforms_to("synth", &stopped.json());
    let infeasible = file("infeasible.sl", &problem("(= (f x y) (+ (f x y) 1))"));
    conforms_to("synth", &run("synth {0} --format json", &[&infeasible]).json());
}

#[test]
fn undecided_and_refuted_results_conform() {
    // A language in which nothing can be said.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dsl = write(folder.path(), "poor.dsl", "(define-fun not ((a Bool)) Bool (not a))\n");
    let model = copy_of("saturating_counter");
    let done = run("decipher {0} --dsl {1} --format json", &[model.path(), &dsl]);
    assert_eq!(done.code, 3, "{}", done.stderr);
    assert_ne!(done.json()["verdict"], "accepted");
    conforms(&done.json());
}

#[test]
fn the_checker_finds_faults() {
    let good = run("decipher {0} --format json", &[&network("saturating_counter")]).json();
    let spoil = |pointer: &str, value: Json| {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect("there") = value;
        let mut found = Vec::new();
        faults(&published("decipher"), &bad, "", &mut found);
        assert!(!found.is_empty(), "{pointer}");
    };
    spoil("/verdict", json!("maybe"));
    spoil("/evidence/agreement/inputs", json!(-1));
    spoil("/alignment", json!([{"subterm": "x"}]));
    spoil("/evidence/scrub/interval", json!([1.0]));
}
