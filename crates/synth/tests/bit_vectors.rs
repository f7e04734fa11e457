//! Search over bit-vectors: every code is a value, the one that means "undefined" elsewhere included.

use dsl::{Env, Language, eval, parse_term, print};
use samples::{Column, Points, Sort, Symbol};
use synth::{BankConfig, Goal, Known, Leaf, Limits, RuleSet, SaturationLimits, SolveConfig, solve};

fn language(width: u8) -> Language {
    let one = if width == 64 { "#x0000000000000001" } else { "#x01" };
    let text = format!("(include \"bitvectors\")\n(constants (_ BitVec {width}) {one} :cost 1)");
    let include = |name: &str| Language::shipped(name).map(str::to_owned);
    Language::parse("test", &text, &include).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The column of a program over `x`.
fn values(language: &Language, program: &str, x: &Column) -> Column {
    let vars = [(Symbol::new("x"), x.clone())];
    let term = parse_term(program, language, &[(vars[0].0, x.sort)]).unwrap_or_else(|problems| panic!("{problems}"));
    let points = Points::from_lengths(vec![1; x.n_points()]);
    eval(&term, &Env { language, points: &points, vars: &vars, causal: false }).expect("evaluates")
}

#[track_caller]
fn check(width: u8, wanted: &str, cost: u32) {
    let language = language(width);
    let top = samples::mask(width);
    let bits = [0, 1, 2, 3, 6, 40, top, top - 1, top / 2, top / 2 + 1, top / 2 + 2, 0x5c & top];
    let x = Column::new(Sort::BitVec(width), bits.map(|bits| bits as i64).to_vec());
    let goal = Goal::where_defined(&values(&language, wanted, &x));
    assert!(goal.codes.iter().all(Option::is_some), "bit-vectors are never undefined");
    let config = BankConfig::new(&language, vec![Leaf::variable(&language, "x", x.clone())]);
    let found = solve(&language, &goal, &SolveConfig::new(config, Limits::new(9))).expect("runs").solution();
    let found = found.unwrap_or_else(|| panic!("{wanted} is not found"));
    let text = print(&found.term, &language);
    assert_eq!(values(&language, &text, &x).codes, values(&language, wanted, &x).codes, "{text}");
    assert!(dsl::cost(&found.term, &language) <= f64::from(cost), "{text}");
}

#[test]
fn tricks_with_bits_are_found() {
    for width in [8, 64] {
        let one = if width == 64 { "#x0000000000000001" } else { "#x01" };
        check(width, &format!("(bvand x (bvsub x {one}))"), 5);
        check(width, "(bvand x (bvneg x))", 4);
        check(width, &format!("(bvxor x (bvsub x {one}))"), 5);
        check(width, "(bvlshr (bvnot x) x)", 4);
        check(width, &format!("(bvult x {one})"), 3);
    }
}

#[test]
fn rules_simplify_terms_about_bits() {
    let language = language(64);
    let vars = [(Symbol::new("x"), Sort::BitVec(64)), (Symbol::new("y"), Sort::BitVec(64))];
    let check = |text: &str, expected: &str| {
        let term = parse_term(text, &language, &vars).unwrap_or_else(|problems| panic!("{problems}"));
        let rules = RuleSet::assumed(&language);
        let inputs = vars.map(|(name, sort)| Known::input(name, sort));
        let simple = synth::simplify(&term, &language, &rules, &inputs, &SaturationLimits::new());
        assert_eq!(print(&simple.term, &language), expected);
    };
    check("(bvsub (bvor x y) (bvand x y))", "(bvxor x y)");
    check("(bvnot (bvnor (bvand x y) x))", "x");
    check("(bvadd #xffffffffffffffff (bvshl #x0000000000000001 #x0000000000000003))", "#x0000000000000007");
}
