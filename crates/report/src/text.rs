//! Results for people: what is claimed first, then on what evidence, in words.

use std::fmt::Write as _;

use crate::result::{
    AgreementEvidence, CheckResult, CircuitEvidence, ControlsEvidence, CounterexampleReport, DecipherResult,
    DescriptionEvidence, DslCheckResult, FamilyEvidence, FullControl, InferResult, InterchangeEvidence,
    ProofCheckResult, RivalsEvidence, RuleResult, ScrubEvidence, ScrubResult, YardstickEvidence,
};

/// A deciphering. `pretty` is the program laid out over several lines.
pub fn decipher_text(result: &DecipherResult, pretty: Option<&str>, verbose: bool) -> String {
    let mut text = format!("{}\n\n", result.model);
    let _ = writeln!(text, "{}", headline(result));
    let _ = writeln!(text, "  {}", result.reason);
    if let (Some(pretty), Some(size)) = (pretty, result.size) {
        let title = match result.verdict {
            "accepted" => "Program",
            "refuted" => "Closest program (it is not what the network computes)",
            _ => "Program (not claimed)",
        };
        let _ = writeln!(text, "\n{title}, {}:\n", counted(size, "atom"));
        pretty.lines().for_each(|line| _ = writeln!(text, "    {line}"));
        if !result.tables.is_empty() {
            let list: Vec<String> =
                result.tables.iter().map(|t| format!("{} ({})", t.name, counted(t.entries, "entry"))).collect();
            let _ = writeln!(text, "\n  Left as tables, not explained further: {}", list.join(", "));
        }
    }
    alignment(&mut text, result, verbose);
    evidence(&mut text, result);
    let files = &result.files;
    let written: Vec<&str> = [&files.program, &files.python, &files.hypothesis, &files.proof, &files.result]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    if !written.is_empty() {
        let _ = writeln!(text, "\nFiles: {}", written.join(", "));
    }
    let s = &result.seconds;
    let _ = writeln!(
        text,
        "\nSeconds: trace {:.2}, synth {:.2}, check {:.2}, scrub {:.2} (of this controls {:.2})",
        s.trace, s.synth, s.check, s.scrub, s.controls
    );
    text
}

fn headline(result: &DecipherResult) -> &'static str {
    match (result.verdict, result.mechanism) {
        ("accepted", "verified") => "ACCEPTED, mechanism verified: this is what the network computes, and how.",
        ("accepted", "partial") => {
            "ACCEPTED, mechanism partly verified: this is what the network computes; how it does is shown for a part."
        }
        ("accepted", "undecided") => {
            "ACCEPTED, mechanism undecided: this is what the network computes; the time limit cut what shows how it does."
        }
        ("accepted", _) => {
            "ACCEPTED, mechanism unverified: this is what the network computes; that it computes it this way is not shown."
        }
        ("refuted", _) => "REFUTED: no program was found that does what the network does.",
        _ => "UNDECIDED: nothing is claimed about this network.",
    }
}

fn alignment(text: &mut String, result: &DecipherResult, verbose: bool) {
    if result.alignment.is_empty() {
        return;
    }
    let _ =
        writeln!(text, "\nWhere it seems to live (site of the network: part of the program, how it is read there):\n");
    let width = result.alignment.iter().map(|a| a.site.len()).max().unwrap_or(0);
    for aligned in &result.alignment {
        let term = shortened(&aligned.subterm, if verbose { usize::MAX } else { 80 });
        if aligned.fit > 0.0 {
            let percent = 100.0 * aligned.fit;
            let _ = writeln!(
                text,
                "    {:width$}  {term}  ({}, right on {percent:.1} % of held-out samples)",
                aligned.site, aligned.readout
            );
        } else {
            let _ = writeln!(text, "    {:width$}  {term}  (no site found)", "-");
        }
    }
    if let Some(circuit) = &result.circuit {
        let _ = writeln!(text, "\n  Circuit ({}):", counted(circuit.len(), "edge"));
        let edges: Vec<String> = circuit.iter().map(|(from, to)| format!("{from} -> {to}")).collect();
        edges.chunks(4).for_each(|line| _ = writeln!(text, "    {}", line.join("   ")));
    }
}

fn evidence(text: &mut String, result: &DecipherResult) {
    let evidence = &result.evidence;
    if evidence.agreement.is_none() && evidence.scrub.is_none() && evidence.yardstick.is_none() {
        return;
    }
    let _ = writeln!(text, "\nEvidence:\n");
    if let Some(agreement) = &evidence.agreement {
        agreement_lines(text, agreement);
    }
    if let Some(yardstick) = &evidence.yardstick {
        yardstick_lines(text, yardstick);
    }
    if let Some(errors) = evidence.errors.as_ref().filter(|errors| errors.wrong > 0) {
        let _ = writeln!(
            text,
            "  errors      {} of {} outputs differ, in {}; {}",
            errors.wrong,
            errors.outputs,
            counted(errors.sequences, "sequence"),
            errors.explanation
        );
    }
    if let Some(scrub) = &evidence.scrub {
        scrub_lines(text, scrub, evidence.controls.as_ref());
        missing_lines(text, &evidence.missing);
    } else if let Some(reason) = &evidence.scrub_skipped {
        let _ = writeln!(text, "  mechanism   not tested: {reason}");
    }
    evidence.interchange.iter().for_each(|interchange| interchange_line(text, interchange));
    full_control_lines(text, &evidence.full_controls);
    if let Some(beside) = &evidence.beside {
        let _ = writeln!(
            text,
            "  beside      {} of {} directions of the hidden state carry something beyond the program's state and outputs (up to {})",
            beside.unexplained,
            beside.directions,
            percent(beside.most)
        );
    }
    if let Some(description) = &evidence.description {
        description_lines(text, description);
    }
    if let Some(circuit) = &evidence.circuit {
        circuit_lines(text, circuit);
    }
    if let Some(rivals) = &evidence.rivals {
        rival_lines(text, result.program.as_deref().unwrap_or_default(), rivals);
    }
    proof_lines(text, result);
}

/// The least and the greatest of some shares.
fn range(values: impl Iterator<Item = Option<f64>>) -> String {
    let (lo, hi) = values.flatten().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
    if lo > hi { "not defined".to_owned() } else { format!("{lo:.3} to {hi:.3}") }
}

fn circuit_lines(text: &mut String, circuit: &CircuitEvidence) {
    let _ = writeln!(
        text,
        "  circuit     with the other {} ablated (zero, mean, resample) the circuit does {} of the work, the others\n              without it {}; {} of its {} edges do no more than most random ones",
        counted(circuit.all - circuit.edges, "edge"),
        range(circuit.ablations.iter().map(|a| a.faithfulness)),
        range(circuit.ablations.iter().map(|a| a.complement)),
        circuit.unneeded.len(),
        circuit.edges
    );
    let _ = writeln!(
        text,
        "              equivalent to the network: p = {:.3}; the others independent of it: p = {:.3} (small speaks against)",
        circuit.equivalence, circuit.independence
    );
}

fn description_lines(text: &mut String, description: &DescriptionEvidence) {
    let _ = writeln!(
        text,
        "  length      the program takes {:.0} bits, the alignment {:.0}, the outputs that they were held against {:.0}",
        description.program_bits, description.alignment_bits, description.data_bits
    );
    for reason in &description.over_rich {
        let _ = writeln!(text, "              too rich to be verified: {reason}");
    }
}

/// Rivals of the program `own`.
fn rival_lines(text: &mut String, own: &str, rivals: &RivalsEvidence) {
    let _ = writeln!(
        text,
        "  rivals      {} of {} other programs do the same on a sample; {} of these are shown to be equal",
        rivals.surviving, rivals.considered, rivals.equal
    );
    let short: Vec<String> = rivals.others.iter().map(|rival| shortened_where(&rival.program, own, 60)).collect();
    for (rival, program) in rivals.others.iter().zip(&short) {
        // Two that look the same when shortened are shown whole.
        let is_alone = short.iter().filter(|other| *other == program).count() == 1;
        let program = if is_alone { program } else { &rival.program };
        let _ = match (&rival.separated_by, &rival.rival) {
            (Some(c), Some(says)) => writeln!(
                text,
                "              {program}: differs on {} (network {}, program {}, rival {says}{})",
                shortened(&c.input.to_string(), 60),
                c.network,
                c.program,
                if rival.within == Some(false) { "; longer than the domain's inputs" } else { "" }
            ),
            _ => writeln!(
                text,
                "              {program}: no input was found that tells it from the program, among {}",
                counted(rival.none_in.unwrap_or_default(), "sequence")
            ),
        };
    }
}

fn proof_lines(text: &mut String, result: &DecipherResult) {
    let evidence = &result.evidence;
    let word = |proof: &serde_json::Value, key: &str| proof[key].as_str().unwrap_or_default().to_owned();
    match (&evidence.proof, &evidence.beyond) {
        (Some(proof), _) => {
            let (kind, scope, arithmetic) = (word(proof, "kind"), word(proof, "scope"), word(proof, "arithmetic"));
            let how = if arithmetic == "real" { "exact arithmetic" } else { "float32 in any order of summation" };
            let _ =
                writeln!(text, "  proof       network and program agree for {scope} ({how}):\n              {kind}");
            if let Some(scope) = proof["float32"].as_str() {
                let _ = writeln!(text, "              in float32 for {scope}");
            }
            if let Some(gap) = proof["gap"].as_f64() {
                let told = proof["margin"].as_f64().map(|m| {
                    format!(
                        "; outputs are told apart by {m:.2e}{}",
                        if arithmetic == "real" { "" } else { " beyond that" }
                    )
                });
                let told = told.unwrap_or_default();
                let _ = writeln!(text, "              single precision is within {gap:.2e} of exact arithmetic{told}");
                if let Some(note) = proof["gap_note"].as_str() {
                    let _ = writeln!(text, "              ({note})");
                }
            } else {
                let reason = word(proof, "gap_reason");
                let _ = writeln!(
                    text,
                    "              how far single precision is from exact arithmetic is not known: {reason}"
                );
            }
        }
        (None, Some(_)) => _ = writeln!(text, "  proof       none was found"),
        (None, None) => match &evidence.unproved {
            Some(reason) => _ = writeln!(text, "  proof       none was found: {reason}"),
            None => _ = writeln!(text, "  proof       none was attempted"),
        },
    }
    if let Some(solver) = &evidence.solver {
        let (answer, proved) = (word(solver, "answer"), word(solver, "proved"));
        let _ = match (solver["reason"].as_str(), solver["counterexample"]["input"].as_array()) {
            (Some(reason), _) => writeln!(text, "  solver      proved for {proved}; undecided {reason}"),
            (_, Some(_)) => {
                let c = &solver["counterexample"];
                writeln!(
                    text,
                    "  solver      proved for {proved}; the two differ on {} (network {}, program {}){}",
                    c["input"],
                    c["network"],
                    c["program"],
                    if answer == "differs" { "" } else { ", which another order of summation may not" }
                )
            }
            _ if answer == "proved" => writeln!(text, "  solver      proved for {proved}"),
            _ => writeln!(
                text,
                "  solver      proved for {proved}; on {} the two differ over the reals, but not as the network runs",
                solver["input"]
            ),
        };
    }
    let Some(beyond) = &evidence.beyond else { return };
    let _ = writeln!(
        text,
        "  beyond      {} of {} outputs agree on uniform inputs of {} elements",
        beyond.outputs - beyond.mismatches,
        beyond.outputs,
        beyond.length
    );
    if let Some(c) = &beyond.departure {
        let shortest = if beyond.shortest { "; no shorter input does, by the proof" } else { "" };
        let _ = writeln!(
            text,
            "              the network departs from the program on {} (network {}, program {}){shortest}",
            c.input, c.network, c.program
        );
    }
}

fn yardstick_lines(text: &mut String, y: &YardstickEvidence) {
    let _ = writeln!(
        text,
        "  yardstick   at other positions the network agrees with itself on {} of {} sequences: no program of tokens\n              alone can be expected to match it better",
        percent(y.self_agreement),
        y.sequences
    );
    if y.constant {
        let _ = writeln!(
            text,
            "              the network is constant: all outputs are the same, so that nothing is explained"
        );
    } else {
        let _ = writeln!(text, "              the outputs have an entropy of {:.2} bits", y.entropy);
    }
}

fn agreement_lines(text: &mut String, a: &AgreementEvidence) {
    let how = match a.kind {
        "exhaustive" => "every input of the domain",
        _ if a.unit == "sequences" => "the recorded inputs",
        _ => "fresh random inputs",
    };
    let _ = writeln!(
        text,
        "  behaviour   {} of {} {} agree, on {how} ({} sequences)",
        a.inputs - a.mismatches,
        a.inputs,
        a.unit,
        a.sequences
    );
    if !a.complete {
        let _ = writeln!(text, "              checking ended early: the agreement asked for was out of reach");
    } else if a.kind == "sampled" {
        let _ = writeln!(
            text,
            "              so at most {} of such sequences differ anywhere, with {} % confidence",
            percent(a.error_bound),
            100.0 * a.confidence
        );
    }
    if let Some(c) = &a.counterexample {
        counterexample(text, c);
    }
}

fn counterexample(text: &mut String, c: &CounterexampleReport) {
    let _ = writeln!(
        text,
        "              they differ on {} at element {} (from 0): network {}, program {}",
        c.input, c.position, c.network, c.program
    );
}

fn scrub_lines(text: &mut String, scrub: &ScrubEvidence, controls: Option<&ControlsEvidence>) {
    let _ = writeln!(
        text,
        "  mechanism   causal scrubbing recovers {:.3} of the behaviour (95 % interval {:.3} to {:.3}, {} sequences)",
        scrub.recovered, scrub.interval.0, scrub.interval.1, scrub.samples
    );
    let _ = writeln!(
        text,
        "              each site got its value from another input on which its part of the program has the same value;\n              {} of outputs stayed as they were",
        percent(scrub.matches)
    );
    if scrub.vacuous > 0.0 {
        let _ = writeln!(
            text,
            "              {} of samples had no other input to draw from: no evidence there",
            percent(scrub.vacuous)
        );
    }
    if let Some(controls) = controls {
        controls.families().for_each(|family| family_line(text, family));
    }
}

fn full_control_lines(text: &mut String, controls: &[FullControl]) {
    if controls.is_empty() {
        return;
    }
    let _ = writeln!(text, "  controls    the same procedure on networks without meaning:");
    for control in controls {
        let agreement = control.agreement.map_or(String::new(), |share| format!(", agreement {}", percent(share)));
        let same = if control.same_program { ", the same program" } else { "" };
        let _ = writeln!(
            text,
            "              {}: {}, mechanism {}{agreement}{same}",
            control.kind, control.verdict, control.mechanism
        );
    }
}

fn family_line(text: &mut String, family: &FamilyEvidence) {
    let rest = match family.dropped {
        0 => String::new(),
        n => format!("; {n} more say as much and were left out"),
    };
    let _ = match (family.exhaustive || family.few, family.draws) {
        (true, n) => writeln!(
            text,
            "  control     {}: {} of {} reach as much, {:.3} on average{rest}",
            family.kind,
            family.as_good,
            match (family.settled || family.ended_early, family.few) {
                (true, _) => format!("the first {n}"),
                (false, true) => format!("the {n} that could be drawn"),
                (false, false) => format!("all {n}"),
            },
            family.null_mean
        ),
        (false, n) => writeln!(
            text,
            "  control     {}: {:.3} on average of {n}, p = {:.3} ({:.3} after correction){rest}",
            family.kind, family.null_mean, family.p_value, family.corrected
        ),
    };
    if family.ended_early {
        let _ = writeln!(text, "              the time limit cut these before all were run");
    }
}

fn interchange_line(text: &mut String, i: &InterchangeEvidence) {
    let what = match (&i.variable, i.part) {
        (Some(variable), Some("direction")) => format!("{variable} in {}, along one direction,", i.site),
        (Some(variable), _) => format!("{variable} in {}, with the whole state,", i.site),
        (None, Some(_)) => format!("all of {}", i.site),
        (None, None) => i.site.clone(),
    };
    let site = &what;
    if i.inert {
        let _ = writeln!(
            text,
            "  exchange    {site} from anywhere: the program computes nothing from it; outputs stay as they are in {}",
            percent(i.accuracy)
        );
        return;
    }
    if i.changed == 0 {
        let _ = writeln!(
            text,
            "  exchange    {site}: by the program, exchanging it changes no output, so it is not tested"
        );
        return;
    }
    let _ = writeln!(
        text,
        "  exchange    {site} from another input: the output is what the program then says in {}; where that is another, {}",
        percent(i.accuracy),
        percent(i.changed_accuracy)
    );
}

/// What a check showed.
pub fn check_text(result: &CheckResult) -> String {
    let headline = match result.verdict {
        "accepted" => "HOLDS: program and network agree as far as asked.",
        "undecided" => {
            "UNDECIDED: they agree as far as asked on so few inputs that it is open whether they do so on others."
        }
        _ => "REFUTED: program and network differ.",
    };
    let mut text = format!("{headline}\n\n");
    agreement_lines(&mut text, &result.agreement);
    text
}

/// What checking a proof showed.
pub fn proof_check_text(result: &ProofCheckResult) -> String {
    let word = |key: &str| result.proof[key].as_str().unwrap_or_default().to_owned();
    match &result.reason {
        None => format!(
            "HOLDS: {} computes {} for {} ({}).\n  {}\n",
            result.model,
            result.program,
            word("scope"),
            word("arithmetic"),
            word("kind")
        ),
        Some(reason) => format!("REFUSED: the proof does not hold.\n  {reason}\n"),
    }
}

/// What scrubbing showed.
pub fn scrub_text(result: &ScrubResult) -> String {
    let headline = match result.verdict {
        "accepted" => "HOLDS: what the alignment says is all that matters to the outputs.",
        "undecided" => {
            "UNDECIDED: what the alignment says is enough for the outputs, but is not shown of every variable."
        }
        _ => "REFUTED: the alignment leaves out what matters, or is no better than its controls.",
    };
    let mut text = format!("{headline}\n  {}\n\n", result.reason);
    scrub_lines(&mut text, &result.scrub, Some(&result.controls));
    missing_lines(&mut text, &result.missing);
    result.interchange.iter().for_each(|interchange| interchange_line(&mut text, interchange));
    text
}

fn missing_lines(text: &mut String, missing: &[String]) {
    for missing in missing {
        let _ = writeln!(text, "  missing     {missing}");
    }
}

fn percent(share: f64) -> String {
    let value = 100.0 * share;
    if value == 0.0 || value >= 1.0 { format!("{value:.1} %") } else { format!("{value:.2e} %") }
}

/// A number of things, one or many.
fn counted(n: impl std::fmt::Display, thing: &str) -> String {
    let n = n.to_string();
    match (n.as_str(), thing.strip_suffix('y')) {
        ("1", _) => format!("1 {thing}"),
        (_, Some(stem)) => format!("{n} {stem}ies"),
        _ => format!("{n} {thing}s"),
    }
}

/// The part of a text in which it begins to differ from another one; a long text in common is left out before it.
fn shortened_where(text: &str, other: &str, limit: usize) -> String {
    let same = text.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let length = text.chars().count();
    // A third of what is shown is what comes before the difference.
    let skipped = same.saturating_sub(limit / 3).min(length.saturating_sub(limit - 3));
    if length <= limit || skipped == 0 {
        return shortened(text, limit);
    }
    let rest: String = text.chars().skip(skipped).collect();
    format!("...{}", shortened(&rest, limit - 3))
}

fn shortened(text: &str, limit: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= limit { line } else { line.chars().take(limit - 3).chain("...".chars()).collect() }
}

/// What verifying a DSL showed.
pub fn dsl_check_text(result: &DslCheckResult) -> String {
    let count = |status: &str| result.rules.iter().filter(|rule| rule.status == status).count();
    let headline = if result.sound { "SOUND" } else { "NOT SOUND" };
    let mut text = format!(
        "{headline}: {}, {}, {} rules and facts: {} proved, {} exhaustive over a stated scope, {} assumed, {} unsound, {} vacuous, {} undecided",
        result.file,
        counted(result.n_operators, "operator"),
        result.rules.len(),
        count("proved"),
        count("exhaustive"),
        count("assumed"),
        count("unsound"),
        count("vacuous"),
        count("undecided")
    );
    let n_wrong = result.operators.iter().filter(|operator| !operator.holds).count();
    if n_wrong > 0 {
        let _ = write!(text, "; {} refused", counted(n_wrong, "operator"));
    }
    let n_failed = result.checks.iter().filter(|check| !check.passed).count();
    if !result.checks.is_empty() {
        let n_passed = result.checks.len() - n_failed;
        let _ = write!(text, "; {}: {n_passed} passed, {n_failed} failed", counted(result.checks.len(), "test"));
    }
    text.push_str("\n\n");
    let underlined = result.rules.iter().filter_map(|rule| rule.underlined.as_ref());
    let underlined = underlined.chain(result.operators.iter().filter_map(|operator| operator.underlined.as_ref()));
    for shown in underlined.chain(result.checks.iter().filter_map(|check| check.underlined.as_ref())) {
        let _ = writeln!(text, "{shown}\n");
    }
    dsl_rules_text(result, &mut text);
    dsl_operators_text(result, &mut text);
    dsl_checks_text(result, &mut text);
    text
}

/// The rules and facts, file by file, that which was checked first.
fn dsl_rules_text(result: &DslCheckResult, text: &mut String) {
    let mut files = vec![result.file.as_str()];
    for rule in &result.rules {
        if !files.contains(&rule.file.as_str()) {
            files.push(&rule.file);
        }
    }
    let width = result.rules.iter().map(|rule| rule.name.len()).max().unwrap_or(0);
    for file in files {
        let own: Vec<&RuleResult> = result.rules.iter().filter(|rule| rule.file == file).collect();
        if own.is_empty() {
            continue;
        }
        let n_others = own.iter().filter(|rule| rule.underlined.is_some()).count();
        let included = if file == result.file { "" } else { ", included" };
        let _ =
            writeln!(text, "{file}{included}: rules and facts that hold: {}, others: {n_others}", own.len() - n_others);
        for rule in own {
            let _ = writeln!(text, "  {:10}  {:width$}  {}", rule.status, rule.name, rule.detail);
        }
    }
}

/// Where each operator has a value.
fn dsl_operators_text(result: &DslCheckResult, text: &mut String) {
    let _ = writeln!(text, "\nevery program ends: no operator is defined by itself\n");
    let width = result.operators.iter().map(|operator| operator.name.len()).max().unwrap_or(0);
    for operator in &result.operators {
        let _ = writeln!(text, "  {:10}  {:width$}  {}", operator.status, operator.name, operator.detail);
    }
}

/// The tests of a DSL file.
fn dsl_checks_text(result: &DslCheckResult, text: &mut String) {
    if !result.checks.is_empty() {
        text.push('\n');
    }
    for check in &result.checks {
        let status = if check.passed { "passed" } else { "FAILED" };
        let _ = writeln!(text, "  {status:10}  ({} {})", check.kind, check.term);
    }
}

/// Inferred rules, as text that can be appended to the DSL file.
pub fn infer_text(result: &InferResult) -> String {
    let mut text = format!(
        "; {} inferred for {}: {}, {} derived from others, {} refuted, {} undecided\n",
        counted(result.rules.len(), "rule"),
        result.file,
        counted(result.candidates, "candidate"),
        result.derived,
        result.refuted,
        result.undecided
    );
    for limit in &result.limits {
        let _ = writeln!(text, "; the limit of {limit} cut it short");
    }
    for rule in &result.rules {
        let _ = writeln!(text, "\n; {}: {}\n{}", rule.status, rule.detail, rule.text);
    }
    text
}
