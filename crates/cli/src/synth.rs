//! `ventris synth`: solve a SyGuS-IF problem.

use std::time::{Duration, Instant};

use ::dsl::Term;
use ::synth::{BoundScope, Fit, Listing};
use report::{SCHEMA, SynthAll, SynthBound, SynthFit, SynthFunction, SynthResult};
use smt::Solver;
use sygus::{Answer, Options, Problem, Solution};

use crate::args::{Common, Format, SynthArgs};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{Status, output};

/// Solves a problem and prints the answer as SyGuS-IF.
///
/// # Errors
/// Files that cannot be read, and everything that is wrong or not supported in them.
pub(crate) fn run(args: &SynthArgs, common: &Common) -> Result<Status, Failure> {
    let start = Instant::now();
    let text = output::read_text(&args.problem)?;
    let problem = Problem::parse(&args.problem.display().to_string(), &text).map_err(|diagnostics| {
        let is_sl = args.problem.extension().is_some_and(|own| own == "sl");
        let hint = "only files called NAME.dsl are read as DSL files, all others as SyGuS-IF";
        if is_sl { diagnostics.into() } else { Failure::from(diagnostics).hint(hint) }
    })?;
    let progress = Progress::new(common);
    progress.say("searching");
    let limit = common.time_limit.map(Duration::from_secs_f64);
    let is_late = || limit.is_some_and(|limit| start.elapsed() >= limit);
    let mut options = Options::new(common.seed);
    args.limit(&mut options.limits.max_classes, &mut options.limits.max_bytes);
    // One question may not outlast the limit by much either.
    options.solver.timeout_ms = limit.map(|limit| u32::try_from(limit.as_millis()).unwrap_or(u32::MAX).max(1));
    let mut solver = Solver::in_one_context();
    if !common.quiet {
        problem.warnings.iter().for_each(|warning| output::to_stderr(&warning.to_string()));
    }
    let answer = sygus::solve(&problem, &options, &mut solver, &is_late);
    let listing = match &answer {
        Answer::Solved(solutions) if args.all || args.front => {
            progress.say("listing");
            Some(sygus::list(&problem, &solutions[0], &options, &mut solver, &is_late))
        }
        _ => None,
    };
    progress.finish();
    output::to_stdout(&match common.format {
        Format::Text => text_of(args, &problem, &answer, listing.as_ref()),
        Format::Json => output::json_text(&result(args, &problem, &answer, listing.as_ref()))?,
    })?;
    Ok(if matches!(answer, Answer::Solved(_)) { Status::Done } else { Status::NotEstablished })
}

/// What was listed, or why nothing was.
type Listed = Result<sygus::Listing, String>;

fn text_of(args: &SynthArgs, problem: &Problem, answer: &Answer, listing: Option<&Listed>) -> String {
    let (listing, solution) = match (listing, answer) {
        (Some(Ok(listing)), Answer::Solved(solutions)) => (listing, &solutions[0]),
        (Some(Err(reason)), _) => return format!("; not listed: {reason}\n{}", sygus::print(problem, answer)),
        _ => return sygus::print(problem, answer),
    };
    let all = if args.all { sygus::print_all(problem, solution, listing) } else { String::new() };
    let front = if args.front { sygus::print_front(problem, listing) } else { String::new() };
    all + &front
}

fn result(args: &SynthArgs, problem: &Problem, answer: &Answer, listing: Option<&Listed>) -> SynthResult {
    let not_listed = listing.and_then(|listing| listing.as_ref().err());
    let listing = listing.and_then(|listing| listing.as_ref().ok());
    let (status, reason, solutions) = match answer {
        Answer::Solved(solutions) => {
            ("solved", not_listed.map(|reason| format!("not listed: {reason}")), solutions.as_slice())
        }
        Answer::Infeasible(reason) => ("infeasible", Some(reason.clone()), [].as_slice()),
        Answer::Fail(unsolved) => ("fail", Some(unsolved.limit.clone()), [].as_slice()),
    };
    let name = |index: usize| problem.functions[index].name.to_string();
    let unsolved = match answer {
        Answer::Fail(unsolved) if unsolved.bound(problem).is_some() => vec![SynthBound {
            functions: unsolved.functions.iter().map(|&index| name(index)).collect(),
            lower_bound: unsolved.lower_bound,
            bound_scope: scope_word(unsolved.scope),
        }],
        _ => Vec::new(),
    };
    let function = |(index, solution): (usize, &Solution)| SynthFunction {
        name: name(index),
        definition: solution.definition(problem, index),
        evidence: "proved",
        nodes: solution.nodes(problem, index),
        cost: solution.cost,
        lower_bound: solution.lower_bound,
        bound_scope: scope_word(solution.scope),
        candidates: solution.n_candidates,
        points: solution.n_points,
        constants: None,
        all: None,
        front: None,
    };
    let functions = solutions.iter().enumerate().map(function).collect();
    let definition = |body: &Term| sygus::definition(problem, 0, body);
    let all = listing.filter(|_| args.all).map(|listing| all_of(listing, "proved", &definition));
    let front = listing.filter(|_| args.front).map(|listing| front_of(listing, &definition));
    SynthResult {
        schema: SCHEMA,
        file: args.problem.display().to_string(),
        status,
        reason,
        functions,
        unsolved,
        all,
        front,
    }
}

/// All solutions of a listing, of each of which so much is known.
pub(crate) fn all_of<E>(
    listing: &Listing<E>,
    evidence: &'static str,
    definition: &dyn Fn(&Term) -> String,
) -> SynthAll {
    SynthAll {
        definitions: listing.solutions.iter().map(|(term, _)| definition(term)).collect(),
        evidence,
        cost: listing.cost,
        stopped_by: listing.complete.clone().err(),
    }
}

/// The front of a listing.
pub(crate) fn front_of<E>(listing: &Listing<E>, definition: &dyn Fn(&Term) -> String) -> Vec<SynthFit> {
    let fit = |fit: &Fit| SynthFit {
        definition: definition(&fit.term),
        cost: fit.cost,
        right: fit.right,
        inputs: listing.n_points,
    };
    listing.front.iter().map(fit).collect()
}

/// The word for the terms that a bound speaks of.
pub(crate) fn scope_word(scope: BoundScope) -> &'static str {
    match scope {
        BoundScope::Grammar => "grammar",
        BoundScope::ConstantsTried => "constants_tried",
        BoundScope::TermsTried => "terms_tried",
    }
}
