//! `ventris dsl simplify`: the simplest term that the rules of a DSL prove equal to a given one, and how.

use std::fmt::Write as _;

use ::dsl::Language;
use report::SCHEMA;
use samples::{Sort, Symbol};
use serde::Serialize;
use smt::Solver;
use synth::{
    Checked, Known, Part, RuleReport, RuleSet, SaturationLimits, SaturationStop, Simplified, Step, VerifyLimits,
    check_language, recheck, simplify, simplify_explained,
};

use crate::args::{Common, Format, SimplifyArgs};
use crate::dsl::rule_result;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{Status, language, output};

/// Prints a term that is simpler, with `--explain` also the chain of rules that leads to it.
///
/// # Errors
/// Files that cannot be read; everything that is wrong in them, in the term or in the variables.
pub(crate) fn run(args: &SimplifyArgs, common: &Common) -> Result<Status, Failure> {
    let progress = Progress::new(common);
    let (origin, text) = language::text_of(&args.file)?;
    let (language, _) = language::parse(&origin, &text, &[language::folder(&args.file)])?;
    let vars = variables(&args.vars, &language)?;
    let term = dsl::parse_term(&args.term, &language, &vars)?;
    progress.say("verifying every rule and fact");
    let reports = check_language(&language, &mut Solver::new(), &VerifyLimits::default());
    if !common.quiet {
        language.warnings.iter().for_each(|warning| output::to_stderr(&warning.to_string()));
        left_out(&reports).for_each(|name| output::to_stderr(&format!("warning: {name} was not shown to hold")));
    }
    progress.say("simplifying");
    let rules = RuleSet::from_reports(&language, &reports);
    let known: Vec<Known> = vars.iter().map(|&(name, sort)| Known::input(name, sort)).collect();
    let work = if args.explain { simplify_explained } else { simplify };
    let simple = work(&term, &language, &rules, &known, &SaturationLimits::new());
    progress.finish();
    let explained = args.explain.then(|| {
        let part = |part| part_result(part, &language, &rules, &reports);
        simple.parts.iter().map(part).collect::<Vec<PartResult>>()
    });
    let is_refused = explained.iter().flatten().any(|part| part.refused.is_some());
    let result = result(&term, &simple, explained, &language, &reports);
    output::to_stdout(&match common.format {
        Format::Json => output::json_text(&result)?,
        Format::Text => text_of(&result),
    })?;
    Ok(if is_refused { Status::NotEstablished } else { Status::Done })
}

/// The variables as they are declared on the command line.
fn variables(texts: &[String], language: &Language) -> Result<Vec<(Symbol, Sort)>, Failure> {
    let mut vars: Vec<(Symbol, Sort)> = Vec::with_capacity(texts.len());
    for text in texts {
        let expected = || {
            Failure::new(format!("--vars: expected NAME:SORT, found `{text}`"))
                .hint("declare variables as in --vars 'x:Int,p:Bool'")
        };
        let (name, sort) = text.split_once(':').ok_or_else(expected)?;
        let name = name.trim();
        let is_name = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || "()\";".contains(c));
        if !is_name {
            return Err(expected());
        }
        let name = Symbol::new(name);
        if vars.iter().any(|(other, _)| *other == name) {
            return Err(Failure::new(format!("--vars: {name} is declared twice")));
        }
        vars.push((name, dsl::parse_sort("--vars", sort, language)?));
    }
    Ok(vars)
}

/// What `ventris dsl simplify` prints.
#[derive(Serialize)]
struct SimplifyResult {
    schema: u32,
    term: String,
    simplified: String,
    /// Costs in the language.
    cost_before: f64,
    cost_after: f64,
    /// `saturated`: the rules have no more to say; `rounds` or `nodes`: that limit was reached.
    stop: &'static str,
    rules: RuleCounts,
    /// The parts of the term that were simplified each by itself; only where an explanation is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    parts: Option<Vec<PartResult>>,
}

/// On what the rules in use rest.
#[derive(Serialize)]
struct RuleCounts {
    proved: usize,
    exhaustive: usize,
    assumed: usize,
    /// Not used.
    left_out: usize,
}

#[derive(Serialize)]
struct PartResult {
    from: String,
    to: String,
    steps: Vec<StepResult>,
    /// Whether every step was checked, without the e-graph.
    checked: bool,
    /// Points at which the terms before and after each step were run.
    n_points: usize,
    /// Why the check refused the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

#[derive(Serialize)]
struct StepResult {
    rule: String,
    /// `forward` or `backward`.
    direction: &'static str,
    /// On what the rule rests: `proved`, `exhaustive` or `assumed`; `evaluated` for a part that has one value.
    status: &'static str,
    /// Which argument, which argument of that, and so on, counted from 0.
    position: Vec<usize>,
    /// The whole part after the step.
    term: String,
}

fn result(
    term: &dsl::Term,
    simple: &Simplified,
    parts: Option<Vec<PartResult>>,
    language: &Language,
    reports: &[RuleReport],
) -> SimplifyResult {
    let count = |status: &str| reports.iter().filter(|report| rule_result(report).status == status).count();
    SimplifyResult {
        schema: SCHEMA,
        term: dsl::print(term, language),
        simplified: dsl::print(&simple.term, language),
        cost_before: dsl::cost(term, language),
        cost_after: dsl::cost(&simple.term, language),
        stop: match simple.stop {
            SaturationStop::Saturated => "saturated",
            SaturationStop::Rounds => "rounds",
            SaturationStop::Nodes => "nodes",
        },
        rules: RuleCounts {
            proved: count("proved"),
            exhaustive: count("exhaustive"),
            assumed: count("assumed"),
            left_out: left_out(reports).count(),
        },
        parts,
    }
}

fn left_out(reports: &[RuleReport]) -> impl Iterator<Item = Symbol> + '_ {
    reports.iter().filter(|report| !report.verdict.holds()).map(|report| report.rule)
}

fn part_result(part: &Part, language: &Language, rules: &RuleSet, reports: &[RuleReport]) -> PartResult {
    let verdict = recheck(language, rules, &part.known, &part.from, &part.to, &part.steps);
    let Checked { n_points, .. } = verdict.clone().unwrap_or_default();
    PartResult {
        from: dsl::print(&part.from, language),
        to: dsl::print(&part.to, language),
        steps: part.steps.iter().map(|step| step_result(step, language, reports)).collect(),
        checked: verdict.is_ok(),
        n_points,
        refused: verdict.err().map(|error| error.to_string()),
    }
}

fn step_result(step: &Step, language: &Language, reports: &[RuleReport]) -> StepResult {
    let report = reports.iter().find(|report| report.rule == step.rule);
    StepResult {
        rule: step.rule.to_string(),
        direction: if step.forward { "forward" } else { "backward" },
        status: report.map_or("evaluated", |report| rule_result(report).status),
        position: step.position.clone(),
        term: dsl::print(&step.term, language),
    }
}

fn text_of(result: &SimplifyResult) -> String {
    let mut text = format!("{}\n", result.simplified);
    let Some(parts) = &result.parts else { return text };
    if parts.is_empty() {
        let _ = match result.stop {
            "saturated" => writeln!(text, "\nno rules make it simpler"),
            limit => writeln!(text, "\nnothing simpler was found within the limit of {limit}"),
        };
    }
    for part in parts {
        part_text(part, &mut text);
    }
    let RuleCounts { proved, exhaustive, assumed, left_out } = result.rules;
    let _ = writeln!(
        text,
        "\nrules: {proved} proved, {exhaustive} exhaustive over a stated scope, {assumed} assumed, {left_out} not used"
    );
    text
}

fn part_text(part: &PartResult, text: &mut String) {
    let _ = writeln!(text, "\n  {}", part.from);
    let width = part.steps.iter().map(|step| step.rule.chars().count()).max().unwrap_or(0);
    for step in &part.steps {
        let _ = writeln!(text, "  {:8}  {:width$}  {:10}  {}", step.direction, step.rule, step.status, step.term);
    }
    let _ = match &part.refused {
        Some(reason) => writeln!(text, "  the check refused the chain: {reason}"),
        None if part.n_points == 0 => writeln!(text, "  checked: every step is an instance of its rule; none was run"),
        None => writeln!(
            text,
            "  checked: every step is an instance of its rule, and keeps the value at {} random points",
            part.n_points
        ),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_that_leads_elsewhere_is_refused() -> Result<(), dsl::Diagnostics> {
        let language = Language::load_shipped("booleans")?;
        let rules = RuleSet::assumed(&language);
        let term = |text| dsl::parse_term(text, &language, &[("p".into(), Sort::Bool)]);
        let known = vec![Known::input("p", Sort::Bool)];
        let part = Part { from: term("(not (not p))")?, to: term("p")?, known, steps: Vec::new() };
        let result = part_result(&part, &language, &rules, &[]);
        assert!(!result.checked && result.refused.is_some());
        let mut text = String::new();
        part_text(&result, &mut text);
        assert!(text.contains("the check refused the chain: the chain ends at another term"), "{text}");
        Ok(())
    }
}
