//! The DSL decides: programs are written in the language given, whatever the engine could do.

use std::path::Path;

use crate::harness::{network, root, run, ventris, words, write};

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

#[test]
fn what_does_not_hold_is_underlined_in_the_file_that_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let base = "(include \"integers\")
(define-fun diff ((a Int) (b Int)) Int
  (- a b)
  :commutative)
(define-table t (Bool) Bool ((true) false) :total)
(rewrite wrong (- a b) (- b a))
(check (= 1 1) (= (diff 1 2) 1))
";
    write(folder.path(), "base.dsl", base);
    let own = write(folder.path(), "own.dsl", "(include \"base\")\n(rewrite fine (diff a a) 0 :when (defined a))\n");
    let checked = run("dsl check {0}", &[&own]);
    assert_eq!(checked.code, 3, "{}", checked.stderr);
    for shown in [
        " --> base:4:3\n  |\n4 |   :commutative)\n  |   ^^^^^^^^^^^^\n  = found: a = 1, b = 0: the left side is 1",
        " --> base:6:1\n  |\n6 | (rewrite wrong (- a b) (- b a))\n  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
        "\n5 | (define-table t (Bool) Bool ((true) false) :total)\n  |                                            ^^^^^^\n",
        "\n7 | (check (= 1 1) (= (diff 1 2) 1))\n  |                ^^^^^^^^^^^^^^^^\n  = found: false\n",
        "own.dsl: rules and facts that hold: 1, others: 0\n  proved      fine ",
        "\nbase, included: rules and facts that hold: 0, others: 2\n  unsound     diff-commutative ",
    ] {
        assert!(checked.stdout.contains(shown), "{shown}\n{}", checked.stdout);
    }
    let result = run("dsl check {0} --format json", &[&own]).json();
    let rules = result["rules"].as_array().expect("a list");
    assert!(rules.iter().all(|rule| rule["underlined"].is_string() == (rule["file"] == "base")), "{rules:?}");
}

#[test]
fn worked_examples_are_checked_and_run() {
    let examples = root().join("dsl/examples");
    for name in ["lights", "my_rasp", "registers", "frames"] {
        let file = examples.join(format!("{name}.dsl"));
        let checked = run("dsl check {0} --format json", &[&file]);
        assert_eq!(checked.code, 0, "{name}: {}{}", checked.stdout, checked.stderr);
        let result = checked.json();
        assert!(result["checks"].as_array().is_some_and(|all| all.iter().all(|check| check["passed"] == true)));
        assert!(result["operators"].as_array().is_some_and(|all| all.iter().all(|operator| operator["holds"] == true)));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = write(folder.path(), "p.dsl", "(at tokens indices (minus (minus (length) indices) 1))\n");
    let inputs = write(folder.path(), "inputs.jsonl", "[\"a\", \"b\", \"c\"]\n");
    let ran = run("run {0} {1} --dsl {2}", &[&program, &inputs, &examples.join("my_rasp.dsl")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "[\"c\",\"b\",\"a\"]\n"), "{}", ran.stderr);
}

#[test]
fn files_that_claim_too_much_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let datatype = "(declare-datatype Color ((red) (green)))\n";
    let hard = "(+ a (+ b c)) a :when ((= (+ (* a (* a a)) (* b (* b b))) (* c (* c c))) (< 5000 a) (< 5000 b))";
    for (text, code, found) in [
        ("(include \"integers\")\n(define-fun f ((a Int) (b Int)) Int (- a b) :commutative)", 3, "f-commutative"),
        ("(include \"integers\")\n(rewrite v (+ a 0) 7 :when ((< a 0) (< 0 a)))", 3, "vacuous"),
        (&format!("{datatype}(define-table t (Color) Bool ((red) true) :total)"), 3, "a1 = green"),
        (&format!("{datatype}(define-table t (Color) Bool ((red) true))"), 0, "partial"),
        ("(check (= 1 2))", 3, "FAILED"),
        ("(fail (= 1 2))", 0, "passed"),
        (&format!("(include \"integers\")\n(rewrite h {hard})"), 3, "undecided"),
        (&format!("(include \"integers\")\n(rewrite h {hard} :assumed)"), 0, "assumed     h"),
    ] {
        let checked = run("dsl check {0}", &[&write(folder.path(), "mine.dsl", text)]);
        assert_eq!(checked.code, code, "{text}: {}{}", checked.stdout, checked.stderr);
        assert!(checked.stdout.contains(found), "{text}: {}", checked.stdout);
    }
}

#[test]
fn a_rule_over_an_unknown_operator_is_an_error_of_its_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let typo = "(include \"integers\")\n(rewrite add-zero (plus a 0) a)\n";
    let file = write(folder.path(), "typo.dsl", typo);
    run("dsl check {0}", &[&file]).fails_with(&["unknown operator plus", "typo.dsl:2:20", "did you mean +?"]);
    // In an included file it may be meant for a larger language.
    let shared = write(folder.path(), "shared.dsl", "(include \"typo\")\n");
    let checked = run("dsl check {0}", &[&shared]);
    assert_eq!(checked.code, 0, "{}", checked.stderr);
    assert!(checked.stderr.starts_with("warning: unknown operator plus, so the rule add-zero is not used"));
}

#[test]
fn the_headline_of_a_check_counts_all_that_failed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = "(define-fun never ((a Int)) Int a :when (and (< a 0) (> a 0)))
(define-fun id ((a Int)) Int a)
(check (= (id 1) 1) (= (id 1) 2))
";
    let checked = run("dsl check {0}", &[&write(folder.path(), "mine.dsl", text)]);
    assert_eq!(checked.code, 3, "{}", checked.stderr);
    let headline = checked.stdout.lines().next().unwrap_or_default();
    assert!(headline.starts_with("NOT SOUND: ") && headline.contains(", 2 operators, "), "{headline}");
    assert!(headline.ends_with("; 1 operator refused; 2 tests: 1 passed, 1 failed"), "{headline}");
    assert!(
        checked.stdout.contains("error: the operator never never has a value\n") && checked.stdout.contains("^^^^^\n"),
        "{}",
        checked.stdout
    );
}

#[test]
fn files_of_other_kinds_are_recognised() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, text: &str| write(folder.path(), name, text);
    let dsl = file("mine.txt", "(include \"integers\")\n(synth-fun f ((x Int)) Int :means (+ x 1))\n");
    run("synth {0}", &[&dsl]).fails_with(&["only files called NAME.dsl are read as DSL files"]);
    let problem = file("problem.sl", "(set-logic LIA)\n(check-synth)\n");
    run("dsl check {0}", &[&problem]).fails_with(&["problem.sl:1:2", "this is SyGuS-IF"]);
    let program = file("program.dsl", "(scan ((s 0 (+ s x))) s')\n");
    run("dsl check {0}", &[&program]).fails_with(&["program.dsl:1:2", "this is a program"]);
    let language = file("language.dsl", "(include \"integers\")\n");
    run("check {0} {1}", &[&network("saturating_counter"), &language])
        .fails_with(&["a program is one term", "this is a DSL file"]);
    run("dsl check integer", &[]).fails_with(&["there is no such file", "integers"]);
    run("dsl fmt integers --write", &[]).fails_with(&["a shipped DSL is a part of ventris"]);
}

#[test]
fn inferred_rules_are_written_with_the_include_that_they_need() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let elsewhere = folder.path().join("out");
    std::fs::create_dir(&elsewhere).expect("made");
    let own = write(folder.path(), "own.dsl", "(define-fun flip ((a Bool)) Bool (not a))\n");
    for (dsl, out) in [
        (own.as_path(), folder.path().join("beside.dsl")),
        (own.as_path(), elsewhere.join("elsewhere.dsl")),
        (Path::new("booleans"), folder.path().join("of_shipped.dsl")),
    ] {
        let inferred = run("dsl infer {0} --size 2 --vars 1 --no-cache --out {1}", &[dsl, &out]);
        assert_eq!(inferred.code, 0, "{}", inferred.stderr);
        let checked = run("dsl check {0} --format json", &[&out]);
        assert_eq!((checked.code, checked.stderr.as_str()), (0, ""), "{}", out.display());
        let rules = checked.json()["rules"].as_array().map_or(0, Vec::len);
        assert!(rules > 0, "{}", out.display());
    }
}

#[test]
fn help_shows_the_reference() {
    let reference = std::fs::read_to_string(root().join("dsl/REFERENCE.md")).expect("is there");
    assert_eq!(run("help dsl", &[]).stdout, reference);
    let help = run("help run", &[]);
    assert!(help.code == 0 && help.stdout.contains("Usage:"), "{}", help.stdout);
}

#[test]
fn terms_are_simplified_and_the_chain_is_checked() {
    let term = "(+ (- x y) (+ y (* 1 x)))";
    let simple = ventris(["dsl", "simplify", "integers", term, "--vars", "x:Int,y:Int"]);
    assert_eq!((simple.code, simple.stdout.as_str()), (0, "(+ x x)\n"), "{}", simple.stderr);
    let explained =
        ventris(["dsl", "simplify", "integers", term, "--vars", "x:Int,y:Int", "--explain", "--format", "json"]);
    assert_eq!(explained.code, 0, "{}", explained.stderr);
    let result = explained.json();
    let part = &result["parts"][0];
    assert_eq!((&part["from"], &part["to"], &part["checked"]), (&term.into(), &"(+ x x)".into(), &true.into()));
    assert!(part["n_points"].as_u64().is_some_and(|n| n > 0), "{part}");
    let steps = part["steps"].as_array().expect("a list");
    assert_eq!(steps.last().expect("it changed")["term"], "(+ x x)");
    assert!(steps.iter().all(|step| step["status"] == "proved"), "{part}");
    let text =
        ventris(["dsl", "simplify", "bitvectors", "(bvand x x)", "--vars", "x:(_ BitVec 8)", "--explain"]).stdout;
    assert!(text.starts_with("x\n") && text.contains("bvand-idempotent") && text.contains("checked: "), "{text}");
}

#[test]
fn the_chain_from_one_form_to_another_is_shown_and_checked() {
    let chain = |to: &str, format: &str| {
        ventris(["dsl", "simplify", "integers", "(* 2 x)", "--to", to, "--vars", "x:Int,y:Int", "--format", format])
    };
    let text = chain("(+ x x)", "text");
    assert_eq!(text.code, 0, "{}", text.stderr);
    assert!(text.stdout.starts_with("(+ x x)\n\n  (* 2 x)\n") && text.stdout.contains("checked: "), "{}", text.stdout);
    // The longer form can be reached as well: it is not about what is simple.
    let longer = chain("(+ (+ x y) (- x y))", "json").json();
    assert_eq!((&longer["equal"], &longer["parts"][0]["checked"]), (&true.into(), &true.into()), "{longer}");
    let elsewhere = chain("(+ x y)", "json");
    assert_eq!((elsewhere.code, &elsewhere.json()["equal"]), (3, &false.into()), "{}", elsewhere.stdout);
    assert!(chain("(+ x y)", "text").stdout.contains("lead from (* 2 x) to it"));
}

#[test]
fn equal_parts_are_paid_for_once_on_demand() {
    let term = "(* (+ (+ x y) 0) (+ y x))";
    let shared =
        ventris(["dsl", "simplify", "recurrent", term, "--vars", "x:Int,y:Int", "--shared", "--format", "json"]);
    let result = shared.json();
    let simplified = result["simplified"].as_str().unwrap_or_default();
    assert!(simplified.starts_with("(let (("), "{}{}", shared.stdout, shared.stderr);
    // x, y, their sum, and its square: a product costs 2.
    assert_eq!(result["shared"]["cost"], 5.0, "{result}");
}

#[test]
fn rules_that_are_not_proved_are_used_on_demand_and_named() {
    let simplify = |rest: &[&str]| {
        let fixed = ["dsl", "simplify", "integers", "(% (+ (% x 3) y) 3)", "--vars", "x:Int,y:Int"];
        ventris(fixed.into_iter().chain(rest.iter().copied()))
    };
    let plain = simplify(&["--format", "json"]).json();
    assert_eq!((&plain["simplified"], &plain["rests_on"]), (&plain["term"], &serde_json::json!([])), "{plain}");
    let text = simplify(&["--unproved"]).stdout;
    assert!(
        text.starts_with("(% (+ x y) 3)\n") && text.contains("not proved:\n  mod-add-left  exhaustive  "),
        "{text}"
    );
    let named = simplify(&["--unproved", "--format", "json"]).json();
    let rules: Vec<&serde_json::Value> =
        named["rests_on"].as_array().into_iter().flatten().map(|r| &r["rule"]).collect();
    assert_eq!(rules, ["mod-add-left"], "{named}");
    let to = ["--to", "(% (+ x y) 3)"];
    assert_eq!(simplify(&to).code, 3);
    let chain = simplify(&[&to[..], &["--unproved"]].concat());
    assert!(chain.code == 0 && chain.stdout.contains("mod-add-left"), "{}", chain.stdout);
}

#[test]
fn terms_are_not_simplified_by_rules_that_do_not_hold() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dsl = "(include \"integers\")\n(rewrite wrong (- a b) 0)\n";
    let file = write(folder.path(), "mine.dsl", dsl);
    let file = file.to_str().expect("UTF-8");
    let simple = ventris(["dsl", "simplify", file, "(- x y)", "--vars", "x:Int,y:Int", "--explain"]);
    assert_eq!(simple.code, 0, "{}", simple.stderr);
    assert!(simple.stdout.starts_with("(- x y)\n") && simple.stdout.contains("1 not used"), "{}", simple.stdout);
    assert!(simple.stderr.contains("wrong was not shown to hold"), "{}", simple.stderr);
    for (vars, expected) in [("y", "NAME:SORT"), ("x:Foo", "this is no sort"), ("x:Int,x:Int", "twice"), ("x:Int", "y")]
    {
        ventris(["dsl", "simplify", "integers", "(- x y)", "--vars", vars]).fails_with(&[expected]);
    }
}
