//! `ventris synth`: solve a SyGuS-IF problem.

use std::time::{Duration, Instant};

use report::{SCHEMA, SynthFunction, SynthResult};
use smt::Solver;
use sygus::{Answer, BoundScope, Options, Problem, Solution};

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
    let problem = Problem::parse(&args.problem.display().to_string(), &text)?;
    let progress = Progress::new(common);
    progress.say("searching");
    let limit = common.time_limit.map(Duration::from_secs_f64);
    let is_late = || limit.is_some_and(|limit| start.elapsed() >= limit);
    let mut options = Options::new(common.seed);
    // One question may not outlast the limit by much either.
    options.solver.timeout_ms = limit.map(|limit| u32::try_from(limit.as_millis()).unwrap_or(u32::MAX).max(1));
    let answer = sygus::solve(&problem, &options, &mut Solver::in_one_context(), &is_late);
    progress.finish();
    output::to_stdout(&match common.format {
        Format::Text => sygus::print(&problem, &answer),
        Format::Json => output::json_text(&result(args, &problem, &answer))?,
    })?;
    Ok(if matches!(answer, Answer::Solved(_)) { Status::Done } else { Status::NotEstablished })
}

fn result(args: &SynthArgs, problem: &Problem, answer: &Answer) -> SynthResult {
    let (status, reason, solutions) = match answer {
        Answer::Solved(solutions) => ("solved", None, solutions.as_slice()),
        Answer::Infeasible(reason) => ("infeasible", Some(reason.clone()), [].as_slice()),
        Answer::Fail(reason) => ("fail", Some(reason.clone()), [].as_slice()),
    };
    let function = |(index, solution): (usize, &Solution)| SynthFunction {
        name: problem.functions[index].name.to_string(),
        definition: solution.definition(problem, index),
        evidence: "proved",
        nodes: solution.nodes(),
        cost: solution.cost,
        lower_bound: solution.lower_bound,
        bound_scope: match solution.scope {
            BoundScope::Grammar => "grammar",
            BoundScope::ConstantsTried => "constants_tried",
            BoundScope::TermsTried => "terms_tried",
        },
        candidates: solution.n_candidates,
        points: solution.n_points,
    };
    let functions = solutions.iter().enumerate().map(function).collect();
    SynthResult { schema: SCHEMA, file: args.problem.display().to_string(), status, reason, functions }
}
