//! `ventris dsl infer`: what it prints is accepted by `ventris dsl check`, and is kept for the next time.

use crate::harness::{run, write};

const TINY: &str = "\
(constants Bool false true :cost 1)
(define-fun not ((a Bool)) Bool (not a) :cost 1)
(define-fun and ((a Bool) (b Bool)) Bool (and a b) :cost 1)
(rewrite inferred-1 (not true) false)
";

#[test]
fn inferred_rules_are_sound_when_they_are_appended() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = write(folder.path(), "tiny.dsl", TINY);
    let done = run("dsl infer {0} --size 3 --no-cache", &[&file]);
    assert_eq!(done.code, 0, "{}", done.stderr);
    assert!(done.stdout.contains("(rewrite inferred-2 "), "names are new: {}", done.stdout);
    let whole = write(folder.path(), "whole.dsl", format!("{TINY}{}", done.stdout));
    let checked = run("dsl check {0} --format json", &[&whole]);
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    let n_lines = done.stdout.lines().filter(|line| line.starts_with('(')).count();
    assert!(n_lines >= 5);
    assert_eq!(checked.json()["rules"].as_array().map(Vec::len), Some(n_lines + 1));
}

#[test]
fn rules_are_kept_and_a_damaged_file_is_passed_over() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = write(folder.path(), "tiny.dsl", TINY);
    let cache = folder.path().join("cache");
    let infer = || run("dsl infer {0} --size 3 --format json --cache {1}", &[&file, &cache]);
    let first = infer();
    assert_eq!((first.code, first.stderr.as_str()), (0, ""));
    let kept: Vec<_> =
        std::fs::read_dir(&cache).expect("was made").map(|entry| entry.expect("is read").path()).collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(infer().stdout, first.stdout);
    let text = std::fs::read_to_string(&kept[0]).expect("is text");
    for damaged in [text.replacen("(not", "(and", 1), text[..text.len() / 2].to_owned()] {
        assert_ne!(damaged, text);
        std::fs::write(&kept[0], damaged).expect("is written");
        let again = infer();
        assert_eq!(again.stdout, first.stdout);
        assert!(again.stderr.contains("damaged"), "{}", again.stderr);
        assert_eq!(std::fs::read_to_string(&kept[0]).expect("is text"), text, "what was damaged is replaced");
    }
}
