//! `ventris dsl`: check and format DSL files.

use std::path::Path;

use ::dsl::sexpr::report_at;
use ::dsl::{Diagnostic, Diagnostics, Language, Node, Place, Rule, Term};
use ::synth::{
    CheckReport, Extent, OperatorReport, RuleReport, Verdict, VerifyLimits, check_language, check_operators,
    check_rule, run_checks,
};
use report::{DslCheckResult, LanguageFile, OperatorResult, RuleResult, SCHEMA, SelfTestResult};
use samples::{Symbol, Value};
use smt::Solver;

use crate::args::{Common, DslCommand, Format};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{Status, infer, language, output, simplify};

/// Runs a subcommand.
///
/// # Errors
/// Files that cannot be read, and everything that is wrong in them.
pub(crate) fn run(command: &DslCommand, common: &Common) -> Result<Status, Failure> {
    match command {
        DslCommand::Check { file } => check(file, common),
        DslCommand::Infer(args) => infer::run(args, common),
        DslCommand::Fmt { file, write } => format(file, *write),
        DslCommand::Simplify(args) => simplify::run(args, common),
    }
}

fn check(file: &Path, common: &Common) -> Result<Status, Failure> {
    let progress = Progress::new(common);
    let (origin, text) = language::text_of(file)?;
    let (language, files) = language::parse(&origin, &text, &[language::folder(file)])?;
    // Rules of the file itself that nothing can come of are mistakes; those of included files may be for other languages.
    let unused = language.warnings.iter().filter(|warning| warning.place.origin == origin);
    let unused: Vec<Diagnostic> = unused.map(|warning| Diagnostic { is_warning: false, ..warning.clone() }).collect();
    if !unused.is_empty() {
        return Err(Diagnostics { items: unused }.into());
    }
    language::warn(&language, common);
    let texts = Texts { origin: &origin, files: &files };
    progress.say("verifying every rule and fact");
    let (solver, limits) = (&mut Solver::new(), VerifyLimits::default());
    let rules = check_language(&language, solver, &limits);
    let operators = check_operators(&language, solver, &limits);
    let nowhere: Vec<Symbol> = operators
        .iter()
        .filter(|report| matches!(report.extent, Extent::Partial { .. }))
        .filter(|report| is_nowhere(&language, report.name, solver, &limits))
        .map(|report| report.name)
        .collect();
    let checks = run_checks(&language);
    progress.finish();
    let sound = rules.iter().all(|report| report.verdict.holds())
        && operators.iter().all(OperatorReport::holds)
        && nowhere.is_empty()
        && checks.iter().all(|report| report.passed);
    let result = DslCheckResult {
        schema: SCHEMA,
        file: origin.clone(),
        n_operators: language.operators.len(),
        sound,
        rules: rules.iter().map(|report| rule_result(report, &texts)).collect(),
        operators: operators
            .iter()
            .map(|report| match nowhere.contains(&report.name) {
                true => nowhere_result(report, &texts),
                false => operator_result(report, &language, &texts),
            })
            .collect(),
        checks: checks.iter().map(|report| check_result(report, &language, &texts)).collect(),
    };
    output::to_stdout(&match common.format {
        Format::Json => output::json_text(&result)?,
        Format::Text => report::dsl_check_text(&result),
    })?;
    Ok(if sound { Status::Done } else { Status::NotEstablished })
}

/// Whether an operator is shown to have no value at all, as one whose condition is never true.
fn is_nowhere(language: &Language, name: Symbol, solver: &mut Solver, limits: &VerifyLimits) -> bool {
    let Some(id) = language.operator(name.as_str()) else { return false };
    let operator = language.op(id);
    let args = operator.params.iter().map(|(name, _)| Term::var(*name)).collect();
    let rule = Rule {
        name,
        lhs: Term::op(id, args),
        rhs: Term::new(Node::Const(Value::Undefined)),
        conditions: Vec::new(),
        both_ways: false,
        params: operator.params.clone(),
        ruleset: None,
        assumed: false,
        place: operator.place.clone(),
    };
    check_rule(language, &rule, solver, limits).is_proved()
}

fn nowhere_result(report: &OperatorReport, texts: &Texts<'_>) -> OperatorResult {
    let (name, place) = (report.name.to_string(), report.place.to_string());
    let (message, detail) = (format!("the operator {name} never has a value"), "proved for all arguments".to_owned());
    let underlined = texts.underline(&report.place, Some("when"), message, &detail);
    OperatorResult { name, place, status: "nowhere", detail, holds: false, underlined: Some(underlined) }
}

/// The texts that a language was read from.
struct Texts<'a> {
    origin: &'a str,
    files: &'a LanguageFile,
}

impl Texts<'_> {
    /// What is said of a place, with the place underlined, or a keyword at it.
    fn underline(&self, place: &Place, keyword: Option<&str>, message: String, found: &str) -> String {
        let included =
            || self.files.includes.iter().find(|(name, _)| *name == place.origin).map(|(_, text)| text.as_str());
        let text = match place.origin == self.origin {
            true => Some(self.files.root.as_str()),
            false => included().or_else(|| Language::shipped(&place.origin)),
        };
        report_at(text.unwrap_or_default(), place, keyword, message).found(found).to_string()
    }
}

/// The word for what is known of a rule, and the scope, the counterexample or the reason.
pub(crate) fn verdict_of(report: &RuleReport) -> (&'static str, String) {
    match &report.verdict {
        Verdict::Proved { scope } => ("proved", scope.clone()),
        Verdict::Exhaustive { scope } => ("exhaustive", scope.clone()),
        Verdict::Assumed { reason } => ("assumed", format!("not proved: {reason}")),
        Verdict::Unsound { counterexample } => ("unsound", counterexample.to_string()),
        Verdict::Vacuous => ("vacuous", "its conditions are never true".to_owned()),
        Verdict::Undecided { reason } => ("undecided", reason.clone()),
    }
}

fn rule_result(report: &RuleReport, texts: &Texts<'_>) -> RuleResult {
    let (status, detail) = verdict_of(report);
    let kind = if report.is_fact { "fact" } else { "rule" };
    let (name, file, place) = (report.rule.to_string(), report.place.origin.clone(), report.place.to_string());
    // Facts are called OPERATOR-FACT, and those of two sides OPERATOR-FACT-left too.
    let keyword = name.trim_end_matches("-left").rsplit('-').next().filter(|_| report.is_fact);
    let message = format!("the {kind} {name} is {status}");
    let underlined = (!report.verdict.holds()).then(|| texts.underline(&report.place, keyword, message, &detail));
    RuleResult { name, kind, file, place, status, detail, underlined }
}

fn operator_result(report: &OperatorReport, language: &Language, texts: &Texts<'_>) -> OperatorResult {
    let condition = language.operator(report.name.as_str()).and_then(|id| language.op(id).condition.clone());
    let condition = condition.map(|condition| format!("defined where {}; ", ::dsl::print(&condition, language)));
    let (status, detail) = match &report.extent {
        Extent::Total { proved: true, scope } => ("total", format!("proved: {scope}")),
        Extent::Total { proved: false, scope } => ("total", format!("exhaustive: {scope}")),
        Extent::Partial { witness } => {
            ("partial", format!("{}undefined for example at {witness}", condition.unwrap_or_default()))
        }
        Extent::Undecided { reason } => ("undecided", reason.clone()),
    };
    let (name, place, holds) = (report.name.to_string(), report.place.to_string(), report.holds());
    let message = format!("the operator {name} is said to be total, which is not shown");
    let underlined = (!holds).then(|| texts.underline(&report.place, Some("total"), message, &detail));
    OperatorResult { name, place, status, detail, holds, underlined }
}

fn check_result(report: &CheckReport, language: &Language, texts: &Texts<'_>) -> SelfTestResult {
    let (kind, wanted) = if report.check.holds { ("check", "true") } else { ("fail", "false, or no value") };
    let message = format!("a test of the file does not come to {wanted}");
    let place = &report.check.place;
    SelfTestResult {
        kind,
        term: ::dsl::print(&report.check.term, language),
        place: place.to_string(),
        value: report.value.clone(),
        passed: report.passed,
        underlined: (!report.passed).then(|| texts.underline(place, None, message, &report.value)),
    }
}

fn format(file: &Path, write: bool) -> Result<Status, Failure> {
    let (origin, text) = language::text_of(file)?;
    let formatted = ::dsl::format(&origin, &text)?;
    if write {
        if !file.exists() {
            return Err(Failure::at(file, "a shipped DSL is a part of ventris, and --write writes a file")
                .hint("without --write its text is printed, which can be kept in a file of one's own"));
        }
        if formatted != text {
            output::write_whole(file, &formatted)?;
        }
    } else {
        output::to_stdout(&formatted)?;
    }
    Ok(Status::Done)
}
