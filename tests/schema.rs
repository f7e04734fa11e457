//! What `decipher` prints conforms to the published schema, checked by the part of JSON Schema that it uses.

use serde_json::{Value as Json, json};

use crate::harness::{NETWORKS, copy_of, network, root, run, write};

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

fn schema() -> Json {
    let text = std::fs::read_to_string(root().join("schema/decipher.schema.json")).expect("the schema is published");
    serde_json::from_str(&text).expect("the schema is JSON")
}

#[track_caller]
fn conforms(result: &Json) {
    let mut found = Vec::new();
    faults(&schema(), result, "", &mut found);
    assert!(found.is_empty(), "{found:#?}\n{result:#}");
}

#[test]
fn results_conform() {
    for name in NETWORKS {
        let out = tempfile::tempdir().expect("a temporary folder");
        conforms(&run("decipher {0} --out {1} --controls full --format json", &[&network(name), out.path()]).json());
    }
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
        faults(&schema(), &bad, "", &mut found);
        assert!(!found.is_empty(), "{pointer}");
    };
    spoil("/verdict", json!("maybe"));
    spoil("/evidence/agreement/inputs", json!(-1));
    spoil("/alignment", json!([{"subterm": "x"}]));
    spoil("/evidence/scrub/interval", json!([1.0]));
}
