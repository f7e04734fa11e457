//! The worked examples of dsl/EXAMPLES.md: each is checked, a program of it evaluated, and a search run in its grammar.

use dsl::{Env, Grammar, Language, Term};
use rand::Rng as _;
use samples::{Column, Points, Sort, Symbol};
use smt::Solver;
use synth::{
    BankConfig, Goal, Limits, Outcome, SolveConfig, VerifyLimits, check_language, check_operators, run_checks, solve,
};

/// An example, with everything that it says of itself checked.
fn checked(name: &str, text: &str) -> Language {
    let language = Language::parse(name, text, &|_| None).unwrap_or_else(|problems| panic!("{problems}"));
    let (solver, limits) = (&mut Solver::new(), VerifyLimits::new());
    for report in check_language(&language, solver, &limits) {
        assert!(report.verdict.holds(), "{name}: {report:?}");
    }
    for report in check_operators(&language, solver, &limits) {
        assert!(report.holds(), "{name}: {report:?}");
    }
    let checks = run_checks(&language);
    assert!(!checks.is_empty() && checks.iter().all(|report| report.passed), "{checks:?}");
    assert_eq!(dsl::format(name, text).as_deref(), Ok(text), "{name} is formatted");
    language
}

fn lights() -> Language {
    checked("lights.dsl", include_str!("../../../dsl/examples/lights.dsl"))
}

fn my_rasp() -> Language {
    checked("my_rasp.dsl", include_str!("../../../dsl/examples/my_rasp.dsl"))
}

fn registers() -> Language {
    checked("registers.dsl", include_str!("../../../dsl/examples/registers.dsl"))
}

fn frames() -> Language {
    checked("frames.dsl", include_str!("../../../dsl/examples/frames.dsl"))
}

fn read(text: &str, language: &Language, vars: &[(Symbol, Column)]) -> Term {
    let vars: Vec<(Symbol, Sort)> = vars.iter().map(|(name, column)| (*name, column.sort)).collect();
    dsl::parse_term(text, language, &vars).unwrap_or_else(|problems| panic!("{problems}"))
}

fn values(term: &Term, language: &Language, points: &Points, vars: &[(Symbol, Column)]) -> Column {
    dsl::eval(term, &Env { language, points, vars, causal: false }).expect("evaluates")
}

/// The cheapest term of a grammar with the values of a goal.
fn search(language: &Language, grammar: &Grammar, vars: &[(Symbol, Column)], wanted: &Column) -> Term {
    let bank = BankConfig::from_grammar(grammar.clone(), vars.to_vec());
    let config = SolveConfig { reach_beyond: false, ..SolveConfig::new(bank, Limits::new(12)) };
    match solve(language, &Goal::exact(wanted), &config).expect("can be searched") {
        Outcome::Solved(solution) => solution.term,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_sort_of_ones_own_with_tables() {
    let language = lights();
    let lights = language.enums[0].values.clone();
    let sort = Sort::Enum(language.enums[0].name);
    let column = |of: &dyn Fn(usize) -> usize| Column::new(sort, (0..9).map(|i| lights[of(i)].code()).collect());
    let vars = [("l".into(), column(&|i| i % 3)), ("m".into(), column(&|i| i / 3))];
    let points = Points::from_lengths([9]);
    let wanted = values(&read("(choose (may_drive m) l (next l))", &language, &vars), &language, &points, &vars);
    let sorts: Vec<(Symbol, Sort)> = vars.iter().map(|(name, _)| (*name, sort)).collect();
    let grammar = language.grammar("controller", &sorts).expect("there").expect("not empty");
    let found = search(&language, &grammar, &vars, &wanted);
    assert!(grammar.derives(&found));
    assert_eq!(values(&found, &language, &points, &vars), wanted);
    assert_eq!(dsl::print(&found, &language), "(choose (may_drive m) l (next l))");
    let twice = "(choose (may_drive m) l (choose (may_drive l) m l))";
    assert!(!grammar.derives(&read(twice, &language, &vars)), "one decision only");
}

#[test]
fn a_rasp_dialect_of_ones_own() {
    let language = my_rasp();
    let lengths = [1_usize, 2, 3, 5];
    let points = Points::from_lengths(lengths);
    let ints = |of: &dyn Fn(usize, usize) -> i64| {
        let codes = lengths.iter().flat_map(|&n| (0..n).map(move |i| (i, n))).map(|(i, n)| of(i, n)).collect();
        Column::new(Sort::Int, codes)
    };
    let letters = ["a", "b", "c", "d", "e"].map(|text| Symbol::new(text).code());
    let tokens = Column::new(Sort::Symbol, ints(&|i, n| letters[(i * 2 + n) % 5]).codes);
    let reversed = Column::new(Sort::Symbol, ints(&|i, n| letters[((n - 1 - i) * 2 + n) % 5]).codes);
    let places: [(Symbol, Column); 2] =
        [("indices".into(), ints(&|i, _| i as i64)), ("n".into(), ints(&|_, n| n as i64))];
    let vars = [("tokens".into(), tokens), places[0].clone()];

    let target = language.grammar("target", &[("indices".into(), Sort::Int), ("n".into(), Sort::Int)]);
    let target = target.expect("there").expect("not empty");
    let place = search(&language, &target, &places, &ints(&|i, n| (n - 1 - i) as i64));
    assert!(target.derives(&place));

    // What was found, with the operator that counts positions in place of n, reverses the sequence.
    let place = dsl::print(&place, &language).replace(" n", " (length)");
    let program = read(&format!("(at tokens indices {place})"), &language, &vars);
    assert_eq!(values(&program, &language, &points, &vars), reversed, "{place}");

    let inputs = [("tokens".into(), Sort::Symbol), ("indices".into(), Sort::Int)];
    let glance = language.grammar("glance", &inputs).expect("there").expect("not empty");
    assert!(glance.derives(&program));
    let nested = "(if (equal tokens (at tokens indices 0)) tokens tokens)";
    assert!(!glance.derives(&read(nested, &language, &vars)), "an at within an if");
    let counted = values(&read("(count tokens)", &language, &vars), &language, &points, &vars);
    assert!(counted.codes.iter().all(|&count| count >= 1));
}

#[test]
fn bit_vectors_under_names_of_ones_own() {
    let language = registers();
    let sort = Sort::BitVec(8);
    let vars = [("r".into(), Column::new(sort, (0..256).collect()))];
    let points = Points::from_lengths([256]);
    let grammar = language.grammar("update", &[("r".into(), sort)]).expect("there").expect("not empty");
    let lowest_cleared = Column::new(sort, (0..256_i64).map(|r| r & (r - 1) & 0xff).collect());
    let found = search(&language, &grammar, &vars, &lowest_cleared);
    assert!(grammar.derives(&found));
    assert_eq!(values(&found, &language, &points, &vars), lowest_cleared);
    assert_eq!(dsl::print(&found, &language), "(keep (less_one r) r)");
    assert!(!grammar.derives(&read("(swap (less_one (swap r)))", &language, &vars)), "one swap only");
}

#[test]
fn bit_vectors_of_two_widths() {
    let language = frames();
    let mut rng = samples::rng(0, "frames");
    let mut random = |width: u8| -> Column {
        Column::new(Sort::BitVec(width), (0..40).map(|_| (rng.random::<u64>() & samples::mask(width)) as i64).collect())
    };
    let vars = [("f".into(), random(64)), ("b".into(), random(8))];
    let points = Points::from_lengths([40]);
    let sorts: Vec<(Symbol, Sort)> = vars.iter().map(|(name, column)| (*name, column.sort)).collect();
    let grammar = language.grammar("next", &sorts).expect("there").expect("not empty");
    let (f, b) = (&vars[0].1.codes, &vars[1].1.codes);
    let into_low = Column::new(Sort::BitVec(64), f.iter().zip(b).map(|(f, b)| f ^ b).collect());
    let found = search(&language, &grammar, &vars, &into_low);
    assert!(grammar.derives(&found));
    assert_eq!(values(&found, &language, &points, &vars), into_low);
    assert_eq!(dsl::print(&found, &language), "(xor (push (xor f f) b) f)");
    let report =
        Language::parse("wrong", "(define-fun f ((a (_ BitVec 8))) (_ BitVec 8) ((_ extract 8 1) a))", &|_| None);
    let text = report.expect_err("there is no bit 8").to_string();
    assert!(text.contains("(_ extract 8 1) does not apply here") && text.contains('^'), "{text}");
}
