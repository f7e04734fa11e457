//! The dependencies between crates are those that ARCHITECTURE.md draws.

use std::collections::BTreeMap;
use std::path::Path;

/// Crate → the workspace crates that it depends on.
type Edges = BTreeMap<String, Vec<String>>;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The edges drawn in ARCHITECTURE.md: indented lines `name : dependency ...`.
fn drawn() -> Edges {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is in the repository");
    let line = |line: &str| {
        let (name, dependencies) = line.strip_prefix("    ")?.split_once(':').or(Some((line.trim(), "")))?;
        let sorted: std::collections::BTreeSet<String> = dependencies.split_whitespace().map(str::to_owned).collect();
        Some((name.trim().to_owned(), sorted.into_iter().collect()))
    };
    text.lines().filter_map(line).collect()
}

/// The edges of the manifests, development dependencies apart.
fn built() -> Edges {
    let mut edges = Edges::new();
    let folders = std::fs::read_dir(root().join("crates")).expect("crates/ is in the repository");
    for folder in folders.flatten() {
        let manifest = std::fs::read_to_string(folder.path().join("Cargo.toml")).expect("every crate has a manifest");
        let field =
            |key: &str| manifest.lines().find_map(|l| l.strip_prefix(key)?.trim().strip_prefix('=').map(str::trim));
        let name = field("name").expect("every crate has a name").trim_matches('"').to_owned();
        let section = manifest.split("\n[dependencies]").nth(1).unwrap_or("");
        let section = section.split("\n[").next().unwrap_or("");
        let names = section.lines().filter_map(|l| l.split(['.', ' ', '=']).next()).filter(|n| !n.is_empty());
        edges.insert(name, names.map(str::to_owned).collect());
    }
    let own: Vec<String> = edges.keys().cloned().collect();
    for dependencies in edges.values_mut() {
        dependencies.retain(|d| own.contains(d));
        dependencies.sort();
    }
    edges
}

#[test]
fn crates_know_only_what_the_architecture_says() {
    assert_eq!(built(), drawn(), "left: the manifests; right: ARCHITECTURE.md");
}

#[test]
fn nothing_is_known_downstream() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is in the repository");
    let order: Vec<String> = text
        .lines()
        .filter_map(|l| l.strip_prefix("    "))
        .map(|l| l.split(':').next().unwrap_or(l).trim().to_owned())
        .collect();
    for (name, dependencies) in built() {
        let place = |n: &String| order.iter().position(|o| o == n);
        for dependency in dependencies {
            assert!(place(&dependency) < place(&name), "{name} knows {dependency}, which lies downstream of it");
        }
    }
}
