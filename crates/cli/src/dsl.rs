//! `ventris dsl`: check and format DSL files.

use std::path::Path;

use ::synth::{RuleReport, Verdict, VerifyLimits, check_language};
use report::{DslCheckResult, RuleResult, SCHEMA};
use smt::Solver;

use crate::args::{Common, DslCommand, Format};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{Status, language, output};

/// Runs a subcommand.
///
/// # Errors
/// Files that cannot be read, and everything that is wrong in them.
pub(crate) fn run(command: &DslCommand, common: &Common) -> Result<Status, Failure> {
    match command {
        DslCommand::Check { file } => check(file, common),
        DslCommand::Fmt { file, write } => format(file, *write),
    }
}

fn check(file: &Path, common: &Common) -> Result<Status, Failure> {
    let progress = Progress::new(common);
    let (origin, text) = language::text_of(file)?;
    let (language, _) = language::parse(&origin, &text, &[language::folder(file)])?;
    if !common.quiet {
        language.warnings.iter().for_each(|warning| output::to_stderr(&warning.to_string()));
    }
    progress.say("verifying every rule and fact");
    let reports = check_language(&language, &mut Solver::new(), &VerifyLimits::default());
    progress.finish();
    let sound = reports.iter().all(|report| report.verdict.holds());
    let rules: Vec<RuleResult> = reports.iter().map(rule_result).collect();
    let result = DslCheckResult { schema: SCHEMA, file: origin, n_operators: language.operators.len(), sound, rules };
    output::to_stdout(&match common.format {
        Format::Json => output::json_text(&result)?,
        Format::Text => report::dsl_check_text(&result),
    })?;
    Ok(if sound { Status::Done } else { Status::NotEstablished })
}

fn rule_result(report: &RuleReport) -> RuleResult {
    let (status, detail) = match &report.verdict {
        Verdict::Proved { scope } => ("proved", scope.clone()),
        Verdict::Exhaustive { scope } => ("exhaustive", scope.clone()),
        Verdict::Unsound { counterexample } => ("unsound", counterexample.to_string()),
        Verdict::Vacuous => ("vacuous", "its conditions are never true".to_owned()),
        Verdict::Undecided { reason } => ("undecided", reason.clone()),
    };
    let kind = if report.is_fact { "fact" } else { "rule" };
    RuleResult { name: report.rule.to_string(), kind, place: report.place.to_string(), status, detail }
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
