//! Tests of extraction with sharing.

use dsl::{Language, Term};
use rand::Rng as _;
use samples::{Sort, rng};

use super::super::extract::{Edge, Make};
use super::super::{Equalities, Known, LanguageCost, RuleSet, SaturationLimits};
use super::{Choice, Dag, DagLimits, Graph, choose};

const TWINS: &str = "
    (form let :cost 1)
    (variables :cost 1)
    (define-fun + ((a Int) (b Int)) Int (+ a b) :cost 1)
    (define-fun up ((a Int)) Int (+ a 1) :cost 1)
    (define-fun down ((a Int)) Int (- a 1) :cost 1)
    (define-fun twice ((a Int)) Int (+ a a) :cost 3)
    (define-fun twice-up ((a Int)) Int (+ (+ a a) 1) :cost 3)
    (define-fun twice-down ((a Int)) Int (- (+ a a) 1) :cost 3)
    (rewrite up-twice (twice-up a) (up (twice a)))
    (rewrite down-twice (twice-down a) (down (twice a)))
";

/// The best sharing and the cheapest tree of a term.
fn both(text: &str, dsl: &str, limits: &DagLimits) -> (String, Dag, String) {
    let language = Language::parse("test", dsl, &|_| None).unwrap_or_else(|problems| panic!("{problems}"));
    let term = dsl::parse_term(text, &language, &[("x".into(), Sort::Int), ("t1".into(), Sort::Int)]).unwrap();
    let known = ["x", "t1"].map(|name| Known::input(name, Sort::Int));
    let mut store = Equalities::new(&language, &RuleSet::assumed(&language), &known);
    let id = store.add(&term);
    store.saturate(&SaturationLimits::new());
    let cost = LanguageCost(&language);
    let dag = store.dag(id, &cost, limits).unwrap();
    let tree = store.tree(id, &cost).unwrap().term;
    (dsl::print(&dag.term, &language), dag, dsl::print(&tree, &language))
}

#[test]
fn the_best_sharing_is_not_the_cheapest_tree() {
    let (text, dag, tree) = both("(+ (twice-up x) (twice-down x))", TWINS, &DagLimits::new());
    assert_eq!(tree, "(+ (twice-up x) (twice-down x))");
    assert_eq!(text, "(let ((t1 (twice x))) (+ (up t1) (down t1)))");
    assert_eq!((dag.cost, dag.is_optimal), (7_000, true));
}

#[test]
fn without_steps_the_answer_is_a_term_and_not_called_optimal() {
    let (text, dag, _) = both("(+ (twice-up x) (twice-down x))", TWINS, &DagLimits { max_steps: 0, max_classes: 500 });
    assert_eq!(text, "(+ (twice-up x) (twice-down x))");
    assert_eq!((dag.cost, dag.is_optimal), (8_000, false));
}

#[test]
fn a_language_without_bindings_repeats_what_is_shared() {
    let without = TWINS.replace("(form let :cost 1)", "");
    let (text, dag, _) = both("(+ (twice-up x) (twice-down x))", &without, &DagLimits::new());
    assert_eq!(text, "(+ (up (twice x)) (down (twice x)))");
    assert_eq!((dag.cost, dag.is_optimal), (7_000, true));
}

#[test]
fn bindings_of_bindings_come_in_order() {
    let (text, dag, _) = both("(+ (+ (up t1) (up t1)) (+ (up t1) (up t1)))", TWINS, &DagLimits::new());
    assert_eq!(text, "(let ((t2 (up t1)) (t3 (+ t2 t2))) (+ t3 t3))");
    assert_eq!(dag.cost, 4_000);
    let language = Language::parse("test", TWINS, &|_| None).unwrap();
    dsl::parse_term(&text, &language, &[("t1".into(), Sort::Int)]).unwrap();
}

/// Edges between a few classes, cycles and charges among them.
fn random_edges(n_classes: usize, rng: &mut samples::Rng) -> Vec<Edge> {
    let mut edges = Vec::new();
    for target in 0..n_classes {
        for _ in 0..rng.random_range(1..=3) {
            let sources: Vec<usize> =
                (0..rng.random_range(0..=3_usize)).map(|_| rng.random_range(0..n_classes)).collect();
            let charges = sources.iter().map(|_| rng.random_range(0..3)).collect();
            let leaf = if rng.random() { Term::int(1) } else { Term::var("v") };
            let make = if sources.is_empty() { Make::Leaf(leaf) } else { Make::Same };
            edges.push(Edge { target, sources, cost: rng.random_range(1..6), charges, make });
        }
    }
    edges
}

/// The least cost over all choices of one edge per class whatever.
fn brute_force(graph: &Graph<'_>, root: usize) -> Option<u64> {
    let n_all: usize = graph.of.iter().map(|edges| edges.len().max(1)).product();
    let mut best: Option<u64> = None;
    for code in 0..n_all {
        let mut rest = code;
        let mut choice = Choice::new();
        for (class, edges) in graph.of.iter().enumerate().filter(|(_, edges)| !edges.is_empty()) {
            choice.insert(class, edges[rest % edges.len()]);
            rest /= edges.len();
        }
        if is_finite(graph, &choice, root) {
            let cost = graph.cost(&choice, root);
            best = Some(best.map_or(cost, |least| least.min(cost)));
        }
    }
    best
}

/// Whether what a choice makes of a class is a finite term.
fn is_finite(graph: &Graph<'_>, choice: &Choice, root: usize) -> bool {
    let used = graph.used(choice, root);
    let place = |class: usize| used.iter().position(|&other| other == class);
    used.iter().all(|class| {
        let Some(&edge) = choice.get(class) else { return false };
        graph.edges[edge].sources.iter().all(|&source| place(source) < place(*class))
    })
}

#[test]
fn branch_and_bound_finds_what_trying_everything_finds() {
    let mut rng = rng(0, "sharing");
    let (mut n_finite, mut n_improved) = (0, 0);
    for _ in 0..400 {
        let n_classes = rng.random_range(2..=7);
        let edges = random_edges(n_classes, &mut rng);
        let graph = Graph::new(&edges, n_classes);
        let found = choose(&edges, n_classes, 0, &DagLimits::new());
        assert_eq!(found.as_ref().map(|found| found.cost), brute_force(&graph, 0));
        let Some(found) = found else { continue };
        assert!(found.is_optimal && is_finite(&graph, &found.choice, 0));
        assert_eq!(graph.cost(&found.choice, 0), found.cost);
        let greedy = choose(&edges, n_classes, 0, &DagLimits { max_steps: 0, max_classes: 0 }).unwrap();
        assert!(greedy.cost >= found.cost && is_finite(&graph, &greedy.choice, 0));
        n_finite += 1;
        n_improved += usize::from(greedy.cost > found.cost);
    }
    assert!(n_finite > 100 && n_improved > 0, "{n_finite} {n_improved}");
}
