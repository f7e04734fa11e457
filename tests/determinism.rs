//! The same seed gives the same bytes, on any number of threads.

use serde_json::Value as Json;

use crate::harness::{NETWORKS, network, run};

/// A result without what may differ: seconds and paths.
fn comparable(mut result: Json) -> String {
    let object = result.as_object_mut().expect("an object");
    assert!(object.remove("seconds").is_some() && object.remove("files").is_some());
    serde_json::to_string_pretty(object).expect("JSON")
}

#[test]
fn threads_do_not_change_a_byte() {
    for name in NETWORKS {
        let outcome = |threads: &str| {
            let out = tempfile::tempdir().expect("a temporary folder");
            let line = format!("decipher {{0}} --out {{1}} --format json --seed 7 --threads {threads}");
            let done = run(&line, &[&network(name), out.path()]);
            assert_eq!(done.code, 0, "{}", done.stderr);
            let files = ["program.dsl", "program.py", "hypothesis.json"]
                .map(|file| std::fs::read_to_string(out.path().join(file)).expect("written"));
            (comparable(done.json()), files)
        };
        let one = outcome("1");
        assert_eq!(one, outcome("2"), "{name}");
        assert_eq!(one, outcome("2"), "{name}, again");
    }
}
