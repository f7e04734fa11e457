//! Tests of the bank as a whole.

use std::collections::HashMap;

use dsl::{Language, Term};
use samples::{Column, Sort, UNDEFINED};

use super::{Bank, BankConfig, Leaf, Limits, StopReason, Watch};
use crate::testing::{integers, interpret, language, variable};

const X: [i64; 6] = [0, 1, 2, 5, -3, 7];
const Y: [i64; 6] = [4, 1, -2, 0, 3, 7];

fn bank<'l>(language: &'l Language, operators: &[&str], x: &[i64], y: &[i64]) -> Bank<'l> {
    let leaves = vec![variable(language, "x", x), variable(language, "y", y)];
    Bank::new(language, &BankConfig::new(language, leaves).with_operators(language, operators)).unwrap()
}

fn run(bank: &mut Bank<'_>, max_cost: u32) -> StopReason {
    bank.run(&Limits { max_candidates: 10_000_000, ..Limits::new(max_cost) }, &mut |_| Watch::Keep)
}

/// Classes as (sort, values) with their costs.
fn contents(bank: &Bank<'_>) -> HashMap<(Sort, Vec<i64>), u32> {
    bank.classes().map(|found| ((found.sort, found.codes.to_vec()), found.cost)).collect()
}

/// Every term up to a cost, without any pruning, by values and cheapest cost.
fn brute_force(
    language: &Language,
    operators: &[&str],
    x: &[i64],
    y: &[i64],
    max: u32,
) -> HashMap<(Sort, Vec<i64>), u32> {
    let mut levels: Vec<Vec<(Sort, Term)>> = vec![Vec::new()];
    let leaves = [Term::var("x"), Term::var("y"), Term::int(0), Term::int(1), Term::int(2)];
    levels.push(leaves.map(|leaf| (Sort::Int, leaf)).to_vec());
    for cost in 2..=max as usize {
        let mut level = Vec::new();
        for name in operators {
            let id = language.operator(name).unwrap();
            let operator = language.op(id);
            for (params, result) in operator.instances(&[Sort::Int, Sort::Bool]) {
                let own = operator.cost as usize;
                let mut partial: Vec<(usize, Vec<Term>)> = vec![(own, Vec::new())];
                for (i, param) in params.iter().enumerate() {
                    let charge = operator.charges[i] as usize;
                    partial = partial
                        .iter()
                        .flat_map(|(spent, args)| {
                            let arguments =
                                levels.iter().enumerate().flat_map(|(c, terms)| terms.iter().map(move |t| (c, t)));
                            arguments
                                .filter(|(_, (sort, _))| sort == param)
                                .map(move |(c, (_, term))| {
                                    let constant = matches!(term.node(), dsl::Node::Const(_));
                                    let mut args = args.clone();
                                    args.push(term.clone());
                                    (spent + c + if constant { 0 } else { charge }, args)
                                })
                                .filter(|(spent, _)| *spent <= cost)
                                .collect::<Vec<_>>()
                        })
                        .collect();
                }
                for (spent, args) in partial {
                    if spent == cost {
                        level.push((result, Term::op(id, args)));
                    }
                }
            }
        }
        levels.push(level);
    }
    let mut seen = HashMap::new();
    for (cost, terms) in levels.iter().enumerate() {
        for (sort, term) in terms {
            let codes = interpret(language, term, &[("x", x), ("y", y)]);
            seen.entry((*sort, codes)).or_insert(cost as u32);
        }
    }
    seen
}

#[test]
fn finds_every_class_at_its_least_cost() {
    let language = integers();
    let operators = ["+", "-", "<", "ite", "//", "clamp", "="];
    let mut bank = bank(&language, &operators, &X, &Y);
    assert_eq!(run(&mut bank, 5), StopReason::Cost);
    assert_eq!(contents(&bank), brute_force(&language, &operators, &X, &Y, 5));
    assert_eq!(bank.complete_cost(), 5);
}

#[test]
fn terms_have_the_values_of_their_class() {
    let language = integers();
    let names: Vec<&str> = language.operators.iter().map(|operator| operator.name.as_str()).collect();
    let mut bank = bank(&language, &names, &X, &Y);
    run(&mut bank, 5);
    assert!(bank.len() > 500, "{}", bank.len());
    for found in bank.classes().filter(|found| found.id.0 % 7 == 0) {
        let term = bank.term(found.id);
        assert_eq!(
            interpret(&language, &term, &[("x", &X), ("y", &Y)]),
            *found.codes,
            "{}",
            dsl::print(&term, &language)
        );
        for (cost, other) in bank.priced_alternatives(found.id) {
            assert_eq!(interpret(&language, &other, &[("x", &X), ("y", &Y)]), *found.codes);
            assert_eq!(dsl::cost(&other, &language), f64::from(cost), "{}", dsl::print(&other, &language));
        }
        assert_eq!(dsl::cost(&term, &language), f64::from(found.cost), "{}", dsl::print(&term, &language));
    }
}

#[test]
fn later_points_give_the_same_classes_as_points_from_the_start() {
    let language = integers();
    let operators = ["+", "*", "<", "ite", "max"];
    let mut at_once = bank(&language, &operators, &X, &Y);
    run(&mut at_once, 6);
    let all = contents(&at_once);
    let (mut n_forgetful, mut n_whole) = (0, 0);
    let cases = [(2, None), (3, Some(60)), (4, Some(300)), (4, Some(600))];
    for ((first, pause), alternatives) in cases.into_iter().flat_map(|case| [0, 1, 4, u8::MAX].map(|cap| (case, cap))) {
        let leaves = vec![variable(&language, "x", &X[..first]), variable(&language, "y", &Y[..first])];
        let mut config = BankConfig::new(&language, leaves).with_operators(&language, &operators);
        config.alternatives = alternatives;
        let mut grown = Bank::new(&language, &config).unwrap();
        if let Some(max_candidates) = pause {
            // In the middle of a level.
            let limits = Limits { max_candidates, ..Limits::new(6) };
            let stop = grown.run(&limits, &mut |_| Watch::Keep);
            assert_eq!(stop, StopReason::Candidates, "{first}: {}", grown.n_candidates());
        } else {
            run(&mut grown, 6);
        }
        for point in first..X.len() {
            let columns = [&X, &Y].map(|codes| Column::new(Sort::Int, vec![codes[point]]));
            grown.append_points(&columns, &mut |_| Watch::Keep).unwrap();
        }
        run(&mut grown, 6);
        // What it has is right; of what it lacks it knows from which cost on.
        let own = contents(&grown);
        assert!(own.iter().all(|(class, cost)| all.get(class).is_some_and(|least| least <= cost)));
        let complete = grown.complete_cost();
        let lacks = all.iter().filter(|(class, least)| own.get(*class) != Some(*least));
        assert!(lacks.into_iter().all(|(_, &least)| least > complete), "{first} {pause:?} {alternatives}: {complete}");
        assert_eq!((grown.built_cost(), complete < 6), (6, grown.is_forgetful()));
        n_forgetful += usize::from(grown.is_forgetful());
        n_whole += usize::from(own == all);
        for found in grown.classes() {
            let codes = interpret(&language, &grown.term(found.id), &[("x", &X), ("y", &Y)]);
            assert_eq!(codes, *found.codes);
        }
    }
    assert!(n_forgetful > 0 && n_whole > 0, "{n_forgetful} {n_whole}");
}

#[test]
fn a_run_goes_on_where_the_last_one_ended() {
    let language = integers();
    let operators = ["+", "-", "*", "<", "ite"];
    let mut whole = bank(&language, &operators, &X, &Y);
    run(&mut whole, 6);
    let mut pieces = bank(&language, &operators, &X, &Y);
    let mut n_runs = 0;
    loop {
        let mut n_new = 0;
        let stop = pieces.run(&Limits { max_candidates: u64::MAX, ..Limits::new(6) }, &mut |_| {
            n_new += 1;
            if n_new == 100 { Watch::Stop } else { Watch::Keep }
        });
        n_runs += 1;
        if stop == StopReason::Cost {
            break;
        }
        assert_eq!(stop, StopReason::Watch);
    }
    assert!(n_runs > 3, "{n_runs}");
    assert_eq!(whole.n_candidates(), pieces.n_candidates());
    let terms = |bank: &Bank<'_>| bank.classes().map(|f| dsl::print(&bank.term(f.id), &language)).collect::<Vec<_>>();
    assert_eq!(terms(&whole), terms(&pieces));
}

#[test]
fn threads_do_not_change_what_is_found() {
    let language = integers();
    let found = |n_threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| {
            let mut bank = bank(&language, &["+", "-", "*", "<", "ite", "//"], &X, &Y);
            let mut stops = Vec::new();
            for (max_candidates, max_classes) in [(777, 10_000), (20_000, 1_000), (60_000, 100_000)] {
                stops.push(bank.run(&Limits { max_candidates, max_classes, ..Limits::new(9) }, &mut |_| Watch::Keep));
            }
            let classes: Vec<_> = bank.classes().map(|found| (found.codes.to_vec(), found.cost)).collect();
            let terms: Vec<_> =
                bank.classes().map(|found| (bank.term(found.id), bank.alternatives(found.id))).collect();
            (stops, bank.n_candidates(), classes, terms)
        })
    };
    let one = found(1);
    assert_eq!(one.0, [StopReason::Candidates, StopReason::Classes, StopReason::Candidates]);
    assert_eq!(one, found(2));
    assert_eq!(one, found(5));
}

#[test]
fn a_deadline_ends_a_run_that_can_go_on() {
    let language = integers();
    let asked = std::cell::Cell::new(0);
    let deadline = || asked.replace(asked.get() + 1) >= 5;
    let mut bank = bank(&language, &["+", "*"], &X, &Y);
    assert_eq!(bank.run_until(&Limits::new(7), &deadline, &mut |_| Watch::Keep), StopReason::Deadline);
    let n_classes = bank.len();
    assert_eq!(run(&mut bank, 7), StopReason::Cost);
    assert!(bank.len() > n_classes && n_classes > 0);
}

#[test]
fn limits_are_told_apart() {
    let language = integers();
    let limits = Limits::new(9);
    let stop = |limits: Limits| bank(&language, &["+", "*"], &X, &Y).run(&limits, &mut |_| Watch::Keep);
    assert_eq!(stop(Limits { max_classes: 50, ..limits }), StopReason::Classes);
    assert_eq!(stop(Limits { max_candidates: 50, ..limits }), StopReason::Candidates);
    assert_eq!(stop(Limits { max_bytes: 20_000, ..limits }), StopReason::Memory);
    assert_eq!(stop(Limits { max_cost: 3, ..limits }), StopReason::Cost);
}

#[test]
fn a_finite_language_closes() {
    let language = integers();
    let leaves = vec![variable(&language, "x", &X), variable(&language, "y", &Y)];
    let config =
        BankConfig::new(&language, leaves).with_operators(&language, &["min", "max"]).with_constants(&language, &[]);
    let mut bank = Bank::new(&language, &config).unwrap();
    assert_eq!(run(&mut bank, 1_000), StopReason::Closed);
    assert_eq!(bank.len(), 4, "x, y, their minimum and maximum");
}

#[test]
fn dropped_classes_are_not_built_upon() {
    let language = integers();
    let mut bank = bank(&language, &["+", "*"], &X, &Y);
    let drop_large = |codes: &[i64]| codes.iter().any(|code| code.abs() > 10);
    bank.run(&Limits::new(7), &mut |found| if drop_large(&found.codes) { Watch::Drop } else { Watch::Keep });
    let mut n_dropped = 0;
    for found in bank.classes() {
        n_dropped += usize::from(drop_large(&found.codes));
        if let dsl::Node::App(_, args) = bank.term(found.id).node() {
            for arg in args {
                assert!(!drop_large(&interpret(&language, arg, &[("x", &X), ("y", &Y)])));
            }
        }
    }
    assert!(n_dropped > 0);
}

#[test]
fn undefined_values_belong_to_the_signature() {
    let language = integers();
    let mut bank = bank(&language, &["//", "%"], &[1, 6, 0], &[0, 2, -1]);
    run(&mut bank, 5);
    let id = bank.find(Sort::Int, &[UNDEFINED, 3, UNDEFINED]).expect("x // y is there");
    assert_eq!(dsl::print(&bank.term(id), &language), "(// x y)");
    assert_eq!(bank.class(id).cost, 5, "an operator, two variables, and the charge for a divisor that is no constant");
}

#[test]
fn finite_functions_can_be_searched_with() {
    let language = language("(constants Int 0) (define-fun + ((a Int) (b Int)) Int (+ a b))");
    let table = std::sync::Arc::new(dsl::Table {
        name: "next".into(),
        params: vec![Sort::Int],
        result: Sort::Int,
        entries: [(0, 1), (1, 2), (2, 0)].map(|(a, b)| (vec![samples::Value::Int(a)], samples::Value::Int(b))).to_vec(),
    });
    let x = Leaf::variable(&language, "x", Column::new(Sort::Int, vec![0, 1, 2, 3]));
    let mut config = BankConfig::new(&language, vec![x]);
    config.extra.push(super::Extra::table(table, 1));
    let mut bank = Bank::new(&language, &config).unwrap();
    assert_eq!(run(&mut bank, 3), StopReason::Cost);
    let twice = bank.find(Sort::Int, &[2, 0, 1, UNDEFINED]).expect("applied twice");
    assert!(dsl::print(&bank.term(twice), &language).ends_with("(next (next x)))"));
}

#[test]
fn operators_that_look_along_sequences_are_enumerated_over_sequences() {
    let include = |name: &str| Language::shipped(name).map(str::to_owned);
    let language = Language::parse("sequences", &include("sequences").expect("shipped"), &include).expect("it parses");
    let points = samples::Points::from_lengths([3, 2]);
    let a = Leaf::variable(&language, "a", Column::new(Sort::Bool, vec![1, 0, 1, 0, 1]));
    let config =
        BankConfig::new(&language, vec![a.clone()]).with_operators(&language, &["count", "odd_count", "previous"]);
    let mut bank = Bank::new(&language, &config).expect("it can be set up").over_sequences(points);
    run(&mut bank, 3);
    let text = |sort, codes: &[i64]| bank.find(sort, codes).map(|id| dsl::print(&bank.term(id), &language));
    assert_eq!(text(Sort::Int, &[1, 1, 2, 0, 1]).as_deref(), Some("(count a)"));
    assert_eq!(text(Sort::Bool, &[1, 1, 0, 0, 1]).as_deref(), Some("(odd_count a)"));
    assert_eq!(text(Sort::Bool, &[UNDEFINED, 1, 0, UNDEFINED, 0]).as_deref(), Some("(previous a)"));
    // Without sequences nothing is before a point: such operators have no value.
    let mut flat = Bank::new(&language, &config).expect("it can be set up");
    run(&mut flat, 3);
    assert_eq!(flat.find(Sort::Int, &[1, 1, 2, 0, 1]), None);
    assert!(bank.append_points(std::slice::from_ref(&a.column), &mut |_| Watch::Keep).is_err());
}

#[test]
fn operators_without_arguments_are_leaves_that_points_do_not_change() {
    let text = "
        (constants Int 1 :cost 1)
        (define-fun seven () Int 7 :cost 2)
        (define-fun four () Int (isqrt 17) :cost 1)
        (define-fun length () Int (width (select 0 0 =)) :cost 3)
        (define-fun + ((a Int) (b Int)) Int (+ a b) :cost 1 :commutative)
        (grammar sums (Start Int (x (seven) (+ Start Start))))";
    let language = language(text);
    let x = variable(&language, "x", &[0, 1, 5]);
    let config = BankConfig::new(&language, vec![x.clone()]);
    let text = |bank: &Bank<'_>, codes: &[i64]| {
        let id = bank.find(Sort::Int, codes)?;
        Some((bank.cost(id), dsl::print(&bank.term(id), &language)))
    };
    let mut bank = Bank::new(&language, &config).expect("it can be set up");
    run(&mut bank, 4);
    assert_eq!(text(&bank, &[7, 8, 12]), Some((4, "(+ (seven) x)".to_owned())));
    assert_eq!(text(&bank, &[4, 5, 9]), Some((3, "(+ x (four))".to_owned())));
    bank.append_points(&[Column::new(Sort::Int, vec![-2])], &mut |_| Watch::Keep).expect("one column");
    assert_eq!(text(&bank, &[7, 8, 12, 5]), Some((4, "(+ (seven) x)".to_owned())));
    // What is as many as there are positions has a value only where there are sequences.
    assert_eq!(text(&bank, &[3, 3, 3, 3]), None);
    let mut along = Bank::new(&language, &config).expect("it can be set up");
    along = along.over_sequences(samples::Points::from_lengths([2, 1]));
    run(&mut along, 3);
    assert!(along.find(Sort::Int, &[1, 2, 1]).is_some(), "of those up to its own");
    let grammar = language.grammar("sums", &[("x".into(), Sort::Int)]).expect("it is there").expect("it derives terms");
    let config = BankConfig::from_grammar(grammar, vec![("x".into(), x.column)]);
    let mut bank = Bank::new(&language, &config).expect("it can be set up");
    run(&mut bank, 4);
    assert_eq!(text(&bank, &[7, 8, 12]), Some((4, "(+ (seven) x)".to_owned())));
}
