//! The DSL decides: programs are written in the language given, whatever the engine could do.

use crate::harness::{network, root, run, words, write};

/// A shipped DSL with everything it includes in one text.
fn flattened(name: &str) -> String {
    let text = std::fs::read_to_string(root().join("dsl").join(format!("{name}.dsl"))).expect("shipped");
    let lines =
        text.lines().map(|line| match line.strip_prefix("(include \"").and_then(|rest| rest.split('"').next()) {
            Some(included) => flattened(included),
            None => format!("{line}\n"),
        });
    lines.collect()
}

/// A DSL text without the definition of an operator. Rules about it are passed over by the engine, with a warning.
fn without(dsl: &str, operator: &str) -> String {
    let head = format!("(define-fun {operator} ");
    let start = dsl.find(&head).expect("the operator is there");
    let mut depth = 0;
    let length = dsl[start..]
        .char_indices()
        .find_map(|(index, c)| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            (depth == 0).then_some(index + 1)
        })
        .expect("the definition ends");
    format!("{}{}", &dsl[..start], &dsl[start + length..])
}

/// Deciphers with a DSL; the program if accepted.
fn program(model: &str, dsl: &str) -> Option<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = write(folder.path(), "mine.dsl", dsl);
    let done = run("decipher {0} --dsl {1} --format json -q", &[&network(model), &file]);
    assert!(matches!(done.code, 0 | 3), "{}", done.stderr);
    let result = done.json();
    assert_eq!(done.code == 0, result["verdict"] == "accepted");
    (done.code == 0).then(|| result["program"].as_str().expect("a program").to_owned())
}

#[test]
fn programs_do_without_what_was_deleted() {
    let whole = flattened("recurrent");
    let full = program("saturating_counter", &whole).expect("solved with the shipped language");
    assert!(words(&full).contains(&"min"), "{full}");
    let mut left = whole;
    for operator in ["min", "max", "%", "ite"] {
        left = without(&left, operator);
        if let Some(found) = program("saturating_counter", &left) {
            assert!(!words(&found).contains(&operator), "{operator} was deleted and is in {found}");
        }
    }
}

#[test]
fn an_operator_of_ones_own_is_used_where_it_is_shorter() {
    let own = "(define-fun clamp ((a Int)) Int (ite (< a 0) 0 (ite (< 3 a) 3 a)) :cost 1)\n";
    let found = program("saturating_counter", &format!("{}{own}", flattened("recurrent"))).expect("solved");
    assert!(words(&found).contains(&"clamp"), "{found}");
}

#[test]
fn shipped_languages_are_sound_and_in_their_layout() {
    for name in ["booleans", "integers", "bitvectors", "recurrent", "rasp"] {
        let checked = run(&format!("dsl check {name} --format json"), &[]);
        assert_eq!(checked.code, 0, "{name}: {}{}", checked.stdout, checked.stderr);
        let result = checked.json();
        assert_eq!(result["sound"], true);
        let rules = result["rules"].as_array().expect("a list");
        assert!(!rules.is_empty() && rules.iter().all(|r| r["status"] == "proved" || r["status"] == "exhaustive"));
        let text = std::fs::read_to_string(root().join("dsl").join(format!("{name}.dsl"))).expect("shipped");
        assert_eq!(run(&format!("dsl fmt {name}"), &[]).stdout, text, "{name} is formatted");
    }
}

#[test]
fn an_unsound_rule_is_an_error_with_its_counterexample() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dsl = "(include \"integers\")\n(rewrite wrong (- a b) (- b a))\n";
    let file = write(folder.path(), "mine.dsl", dsl);
    let checked = run("dsl check {0} --format json", &[&file]);
    assert_eq!(checked.code, 3, "{}", checked.stderr);
    let result = checked.json();
    let wrong = result["rules"].as_array().expect("a list").iter().find(|r| r["name"] == "wrong").expect("reported");
    assert_eq!(wrong["status"], "unsound");
    assert!(wrong["detail"].as_str().is_some_and(|text| text.contains("a = ")), "{wrong}");
    assert!(wrong["place"].as_str().is_some_and(|text| text.contains("mine.dsl:2")), "{wrong}");
}
