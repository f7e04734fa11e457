//! `ventris dsl`: check and format DSL files.

use std::path::Path;

use ::dsl::Language;
use ::synth::{
    CheckReport, Extent, OperatorReport, RuleReport, Verdict, VerifyLimits, check_language, check_operators, run_checks,
};
use report::{DslCheckResult, OperatorResult, RuleResult, SCHEMA, SelfTestResult};
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
    let (language, _) = language::parse(&origin, &text, &[language::folder(file)])?;
    language::warn(&language, common);
    progress.say("verifying every rule and fact");
    let (solver, limits) = (&mut Solver::new(), VerifyLimits::default());
    let rules = check_language(&language, solver, &limits);
    let operators = check_operators(&language, solver, &limits);
    let checks = run_checks(&language);
    progress.finish();
    let sound = rules.iter().all(|report| report.verdict.holds())
        && operators.iter().all(OperatorReport::holds)
        && checks.iter().all(|report| report.passed);
    let result = DslCheckResult {
        schema: SCHEMA,
        file: origin,
        n_operators: language.operators.len(),
        sound,
        rules: rules.iter().map(rule_result).collect(),
        operators: operators.iter().map(|report| operator_result(report, &language)).collect(),
        checks: checks.iter().map(|report| check_result(report, &language)).collect(),
    };
    output::to_stdout(&match common.format {
        Format::Json => output::json_text(&result)?,
        Format::Text => report::dsl_check_text(&result),
    })?;
    Ok(if sound { Status::Done } else { Status::NotEstablished })
}

pub(crate) fn rule_result(report: &RuleReport) -> RuleResult {
    let (status, detail) = match &report.verdict {
        Verdict::Proved { scope } => ("proved", scope.clone()),
        Verdict::Exhaustive { scope } => ("exhaustive", scope.clone()),
        Verdict::Assumed { reason } => ("assumed", format!("not proved: {reason}")),
        Verdict::Unsound { counterexample } => ("unsound", counterexample.to_string()),
        Verdict::Vacuous => ("vacuous", "its conditions are never true".to_owned()),
        Verdict::Undecided { reason } => ("undecided", reason.clone()),
    };
    let kind = if report.is_fact { "fact" } else { "rule" };
    RuleResult { name: report.rule.to_string(), kind, place: report.place.to_string(), status, detail }
}

fn operator_result(report: &OperatorReport, language: &Language) -> OperatorResult {
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
    let (name, place) = (report.name.to_string(), report.place.to_string());
    OperatorResult { name, place, status, detail, holds: report.holds() }
}

fn check_result(report: &CheckReport, language: &Language) -> SelfTestResult {
    SelfTestResult {
        kind: if report.check.holds { "check" } else { "fail" },
        term: ::dsl::print(&report.check.term, language),
        place: report.check.place.to_string(),
        value: report.value.clone(),
        passed: report.passed,
    }
}

fn format(file: &Path, write: bool) -> Result<Status, Failure> {
    let (origin, text) = language::text_of(file)?;
    let formatted = ::dsl::format(&origin, &text)?;
    if write {
        if formatted != text {
            output::write_whole(file, &formatted)?;
        }
    } else {
        output::to_stdout(&formatted)?;
    }
    Ok(Status::Done)
}
