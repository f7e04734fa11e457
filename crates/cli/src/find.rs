//! `ventris synth FILE.dsl`: the functions that a DSL file asks for.

use std::time::{Duration, Instant};

use ::synth::{BoundScope, Evidence, FindConfig, FindReport, Finding, Tried, find};
use dsl::{Language, Wanted};
use report::{SCHEMA, SynthConstants, SynthFunction, SynthResult};
use smt::Solver;

use crate::args::{Common, Format, SynthArgs};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::synth::scope_word;
use crate::{Status, language, output};

/// Finds every function of the file and prints it as a definition that the file can hold.
///
/// # Errors
/// Files that cannot be read, and everything that is wrong in them; files that ask for no function.
pub(crate) fn run(args: &SynthArgs, common: &Common) -> Result<Status, Failure> {
    let start = Instant::now();
    if args.all || args.front {
        return Err(Failure::new("--all and --front list solutions of SyGuS-IF problems alone".to_owned()));
    }
    let (origin, text) = language::text_of(&args.problem)?;
    let (language, _) = language::parse(&origin, &text, &[language::folder(&args.problem)])?;
    language::warn(&language, common);
    if language.wanted.is_empty() {
        return Err(Failure::at(&args.problem, "it asks for no function")
            .hint("(synth-fun NAME ((PARAM SORT) ...) SORT :means TERM) asks for one, see `ventris help dsl`"));
    }
    let progress = Progress::new(common);
    let (mut config, solver) = (FindConfig::new(common.seed), &mut Solver::new());
    args.limit(&mut config.limits.max_classes, &mut config.limits.max_bytes);
    let mut found = Vec::new();
    for (done, wanted) in language.wanted.iter().enumerate() {
        progress.say(&format!("searching {}", wanted.name));
        // Each function has its share of the time, and what those before it left.
        let share = (done + 1) as f64 / language.wanted.len() as f64;
        let limit = common.time_limit.map(|seconds| Duration::from_secs_f64(seconds * share));
        let is_late = || limit.is_some_and(|limit| start.elapsed() >= limit);
        let finding = find(&language, wanted, &config, solver, &is_late);
        found.push((
            wanted,
            finding.map_err(|error| Failure::new(format!("{}: {}: {error}", wanted.place, wanted.name)))?,
        ));
    }
    progress.finish();
    let is_solved = found.iter().all(|(_, found)| matches!(found.finding, Finding::Solved { .. }));
    output::to_stdout(&match common.format {
        Format::Text => found.iter().map(|(wanted, finding)| text_of(&language, wanted, finding)).collect::<String>(),
        Format::Json => output::json_text(&result(origin, &language, &found))?,
    })?;
    Ok(if is_solved { Status::Done } else { Status::NotEstablished })
}

fn text_of(language: &Language, wanted: &Wanted, report: &FindReport) -> String {
    let name = wanted.name;
    let tried = constants_of(report).map_or_else(String::new, |tried| format!("; {}\n", sentence(&tried)));
    match &report.finding {
        Finding::Infeasible(reason) => format!("; {name}: infeasible: {reason}\n"),
        Finding::Fail { limit, lower_bound } => {
            format!("; {name}: fail, stopped by: {limit}; {}\n{tried}", bound(wanted, report.scope, *lower_bound))
        }
        Finding::Solved { term, cost, lower_bound, evidence, .. } => {
            let (_, said) = evidence_of(evidence);
            let least = if cost == lower_bound { "minimal: " } else { "" };
            let bound = bound(wanted, report.scope, *lower_bound);
            format!("; {name}: {said}; cost {cost}, {least}{bound}\n{tried}{}\n", definition(language, wanted, term))
        }
    }
}

/// What is known of cheaper terms.
fn bound(wanted: &Wanted, scope: BoundScope, lower_bound: u32) -> String {
    let terms = match (wanted.grammar, scope) {
        (Some(name), BoundScope::Grammar) => format!("the grammar {name}"),
        (Some(name), _) => format!("the grammar {name} with the constants tried"),
        (None, _) => "the operators and constants tried".to_owned(),
    };
    format!("no term of {terms} costs less than {lower_bound}")
}

/// The constants that were tried beside those listed, where there may be others.
fn constants_of(report: &FindReport) -> Option<SynthConstants> {
    let Tried { constants, n_holes, n_shapes, n_asked } = &report.tried;
    let is_open = report.scope != BoundScope::Grammar && (!constants.is_empty() || *n_shapes > 0);
    is_open.then(|| SynthConstants {
        tried: constants.iter().map(|value| dsl::print_value(*value)).collect(),
        shapes: *n_shapes,
        holes: *n_holes,
        asked: *n_asked,
    })
}

fn sentence(constants: &SynthConstants) -> String {
    let SynthConstants { tried, shapes, holes, asked } = constants;
    let others = if tried.is_empty() { String::new() } else { format!(", {}", tried.join(" ")) };
    let solved = match holes {
        0 => String::new(),
        _ => format!("; up to {holes} at once solved for in {shapes} shapes, by the solver in {asked}"),
    };
    format!("constants tried: those listed{others}{solved}")
}

/// The word and the sentence for what is known.
fn evidence_of(evidence: &Evidence) -> (&'static str, String) {
    match evidence {
        Evidence::Exhaustive(n) => ("exhaustive", format!("right at all {n} inputs")),
        Evidence::Proved(scope) => ("proved", format!("proved: {scope}")),
        Evidence::Bounded(scope) => ("bounded", format!("right at all inputs of a scope: {scope}")),
        Evidence::Sampled(n) => ("sampled", format!("right at {n} inputs, more is not known")),
    }
}

fn definition(language: &Language, wanted: &Wanted, term: &dsl::Term) -> String {
    let params: Vec<String> = wanted
        .params
        .iter()
        .map(|param| match param.range {
            Some((low, high)) => format!("({} (range {low} {high}))", param.name),
            None => format!("({} {})", param.name, param.sort),
        })
        .collect();
    format!("(define-fun {} ({}) {} {})", wanted.name, params.join(" "), wanted.result, dsl::print(term, language))
}

fn result(file: String, language: &Language, found: &[(&Wanted, FindReport)]) -> SynthResult {
    let mut functions = Vec::new();
    let (mut status, mut reasons) = ("solved", Vec::new());
    for (wanted, report) in found {
        match &report.finding {
            Finding::Solved { term, cost, lower_bound, evidence, n_candidates, n_points } => {
                functions.push(SynthFunction {
                    name: wanted.name.to_string(),
                    definition: definition(language, wanted, term),
                    evidence: evidence_of(evidence).0,
                    nodes: dsl::size(term, language),
                    cost: *cost,
                    lower_bound: *lower_bound,
                    bound_scope: scope_word(report.scope),
                    candidates: *n_candidates,
                    points: *n_points,
                    constants: constants_of(report),
                });
            }
            Finding::Infeasible(reason) => {
                status = "infeasible";
                reasons.push(format!("{}: {reason}", wanted.name));
            }
            Finding::Fail { limit, .. } => {
                status = if status == "infeasible" { status } else { "fail" };
                let tried = constants_of(report).map_or_else(String::new, |tried| format!("; {}", sentence(&tried)));
                reasons.push(format!("{}: stopped by: {limit}{tried}", wanted.name));
            }
        }
    }
    let reason = (!reasons.is_empty()).then(|| reasons.join("; "));
    SynthResult { schema: SCHEMA, file, status, reason, functions, all: None, front: None }
}
