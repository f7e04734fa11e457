//! Tests of the bank over grammars.

use std::collections::BTreeMap;

use dsl::{Func, Grammar, Language, NonterminalId, Production, Term};
use samples::{Column, Sort};

use super::{Bank, BankConfig, BankError, ClassId, Limits, StopReason, Watch};
use crate::testing::{integers, interpret};

const X: [i64; 5] = [0, 1, 2, 5, -3];
const Y: [i64; 5] = [4, 1, -2, 0, 3];

fn leaf(term: Term) -> Production {
    Production::Leaf { term, cost: 1 }
}

fn apply(language: &Language, name: &str, args: &[NonterminalId]) -> Production {
    let func = Func::Op(language.operator(name).unwrap());
    Production::Apply { func, args: args.to_vec(), cost: 1 }
}

/// Sums of products, with a choice at the top: `S -> T | (ite B S S)`, `T -> F | (+ T F)`, `F -> x | y | (* F F)`,
/// `B -> (< F T)`.
fn layered(language: &Language) -> Grammar {
    let mut grammar = Grammar::default();
    let [s, t, f] = ["S", "T", "F"].map(|name| grammar.add(name, Sort::Int));
    let b = grammar.add("B", Sort::Bool);
    let mut set = |id: NonterminalId, productions| grammar.nonterminals[id.0 as usize].productions = productions;
    set(s, vec![Production::Chain(t), apply(language, "ite", &[b, s, s])]);
    set(t, vec![Production::Chain(f), apply(language, "+", &[t, f])]);
    set(f, vec![leaf(Term::var("x")), leaf(Term::var("y")), apply(language, "*", &[f, f])]);
    set(b, vec![apply(language, "<", &[f, t])]);
    grammar
}

fn variables(x: &[i64], y: &[i64]) -> Vec<(samples::Symbol, Column)> {
    [("x", x), ("y", y)].map(|(name, codes)| (name.into(), Column::new(Sort::Int, codes.to_vec()))).to_vec()
}

fn run(bank: &mut Bank<'_>, max_cost: u32) -> StopReason {
    bank.run(&Limits { max_candidates: 10_000_000, ..Limits::new(max_cost) }, &mut |_| Watch::Keep)
}

/// The least cost of each column of each nonterminal, by building every term.
fn brute_force(language: &Language, grammar: &Grammar, max: u32) -> BTreeMap<(NonterminalId, Vec<i64>), u32> {
    let mut terms: Vec<BTreeMap<u32, Vec<Term>>> = vec![BTreeMap::new(); grammar.nonterminals.len()];
    for cost in 1..=max {
        // As many rounds as there are nonterminals carry terms along every chain.
        for _ in 0..grammar.nonterminals.len() {
            for (i, nonterminal) in grammar.nonterminals.iter().enumerate() {
                let mut found: Vec<Term> = Vec::new();
                for production in &nonterminal.productions {
                    match production {
                        Production::Leaf { term, cost: own } if *own == cost => found.push(term.clone()),
                        Production::Chain(to) => {
                            found.extend(terms[to.0 as usize].get(&cost).cloned().unwrap_or_default());
                        }
                        Production::Apply { func, args, cost: own } => {
                            let mut partial: Vec<(u32, Vec<Term>)> = vec![(*own, Vec::new())];
                            for arg in args {
                                let mut longer = Vec::new();
                                for (spent, so_far) in &partial {
                                    for (more, choices) in
                                        terms[arg.0 as usize].range(..cost.saturating_sub(*spent) + 1)
                                    {
                                        for choice in choices {
                                            let args = so_far.iter().chain([choice]).cloned().collect();
                                            longer.push((spent + more, args));
                                        }
                                    }
                                }
                                partial = longer;
                            }
                            let whole = partial.into_iter().filter(|(spent, _)| *spent == cost);
                            found.extend(whole.map(|(_, args)| Term::app(func.clone(), args)));
                        }
                        _ => {}
                    }
                }
                let mut distinct: Vec<Term> = Vec::new();
                for term in found {
                    if !distinct.contains(&term) {
                        distinct.push(term);
                    }
                }
                terms[i].insert(cost, distinct);
            }
        }
    }
    let mut least = BTreeMap::new();
    for (i, by_cost) in terms.iter().enumerate() {
        for (cost, term) in by_cost.iter().flat_map(|(cost, terms)| terms.iter().map(move |term| (*cost, term))) {
            let codes = interpret(language, term, &[("x", &X), ("y", &Y)]);
            least.entry((NonterminalId(i as u32), codes)).or_insert(cost);
        }
    }
    least
}

fn contents(bank: &Bank<'_>) -> BTreeMap<(NonterminalId, Vec<i64>), u32> {
    bank.classes().map(|found| ((found.nonterminal, found.codes.to_vec()), found.cost)).collect()
}

#[test]
fn each_nonterminal_has_its_own_classes() {
    let language = integers();
    let grammar = layered(&language);
    let mut bank = Bank::new(&language, &BankConfig::from_grammar(grammar.clone(), variables(&X, &Y))).unwrap();
    assert_eq!(run(&mut bank, 6), StopReason::Cost);
    let expected = brute_force(&language, &grammar, 6);
    assert_eq!(contents(&bank), expected);
    for found in bank.classes() {
        let term = bank.term(found.id);
        assert_eq!(interpret(&language, &term, &[("x", &X), ("y", &Y)]), *found.codes);
        assert_eq!(bank.find_in(found.nonterminal, &found.codes), Some(found.id));
    }
    for id in (0..4).map(NonterminalId) {
        let costs: Vec<u32> = bank.classes_of(id).map(|found| found.cost).collect();
        assert!(costs.is_sorted());
        assert_eq!(costs.len(), expected.keys().filter(|(own, _)| *own == id).count());
    }
}

#[test]
fn chains_may_go_in_circles() {
    let language = integers();
    let mut grammar = Grammar::default();
    let [a, b, c] = ["A", "B", "C"].map(|name| grammar.add(name, Sort::Int));
    let mut set = |id: NonterminalId, productions| grammar.nonterminals[id.0 as usize].productions = productions;
    set(a, vec![Production::Chain(b), Production::Chain(a), leaf(Term::var("x"))]);
    set(b, vec![Production::Chain(c), leaf(Term::int(1))]);
    set(c, vec![Production::Chain(a), apply(&language, "+", &[a, b])]);
    let mut bank = Bank::new(&language, &BankConfig::from_grammar(grammar.clone(), variables(&X, &Y))).unwrap();
    run(&mut bank, 5);
    assert_eq!(contents(&bank), brute_force(&language, &grammar, 5));
    let of = |id| bank.classes_of(id).map(|found| found.codes.to_vec()).collect::<Vec<_>>();
    assert!(of(a).len() > 3);
    assert_eq!((of(a).len(), of(b).len()), (of(b).len(), of(c).len()), "each leads to the others");
}

#[test]
fn later_points_split_classes_of_every_nonterminal() {
    let language = integers();
    let grammar = layered(&language);
    let mut whole = Bank::new(&language, &BankConfig::from_grammar(grammar.clone(), variables(&X, &Y))).unwrap();
    run(&mut whole, 7);
    let mut config = BankConfig::from_grammar(grammar, variables(&X[..2], &Y[..2]));
    config.alternatives = u8::MAX;
    let mut grown = Bank::new(&language, &config).unwrap();
    run(&mut grown, 7);
    for point in 2..X.len() {
        let columns = [&X, &Y].map(|codes| Column::new(Sort::Int, vec![codes[point]]));
        grown.append_points(&columns, &mut |_| Watch::Keep).unwrap();
    }
    if !grown.is_forgetful() {
        assert_eq!(contents(&grown), contents(&whole));
    }
    let all = contents(&whole);
    assert!(contents(&grown).iter().all(|(class, cost)| all.get(class).is_some_and(|least| least <= cost)));
    let inputs = variables(&X, &Y).into_iter().map(|(_, column)| column).collect::<Vec<_>>();
    for found in grown.classes() {
        let term = grown.term(found.id);
        assert_eq!(interpret(&language, &term, &[("x", &X), ("y", &Y)]), *found.codes);
        assert_eq!(grown.evaluate(found.id, &inputs).unwrap(), *found.codes);
    }
}

#[test]
fn grammars_without_meaning_are_refused() {
    let language = integers();
    let refused = |production: Production| {
        let mut grammar = Grammar::default();
        grammar.add("S", Sort::Int);
        grammar.add("B", Sort::Bool);
        grammar.nonterminals[0].productions.push(production);
        Bank::new(&language, &BankConfig::from_grammar(grammar, variables(&X, &Y))).map(|_| ()).unwrap_err()
    };
    for production in [
        leaf(Term::var("z")),
        Production::Leaf { term: Term::var("x"), cost: 0 },
        Production::Chain(NonterminalId(1)),
        Production::Chain(NonterminalId(9)),
        apply(&language, "+", &[NonterminalId(0), NonterminalId(7)]),
        apply(&language, "+", &[]),
        apply(&language, "+", &[NonterminalId(0)]),
    ] {
        assert!(matches!(refused(production.clone()), BankError::Grammar { .. }), "{production:?}");
    }
}

#[test]
fn a_finite_grammar_closes() {
    let language = integers();
    let mut grammar = Grammar::default();
    let [s, x] = ["S", "X"].map(|name| grammar.add(name, Sort::Int));
    let mut set = |id: NonterminalId, productions| grammar.nonterminals[id.0 as usize].productions = productions;
    set(s, vec![apply(&language, "+", &[x, x]), Production::AnyConstant { cost: 1 }]);
    set(x, vec![leaf(Term::var("x")), leaf(Term::int(1))]);
    let mut bank = Bank::new(&language, &BankConfig::from_grammar(grammar, variables(&X, &Y))).unwrap();
    assert_eq!(run(&mut bank, 1_000), StopReason::Closed);
    assert_eq!(bank.classes_of(s).count(), 3);
    assert_eq!(bank.class(ClassId(0)).nonterminal, x);
}
