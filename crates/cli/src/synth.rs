//! `ventris synth`: solve a SyGuS-IF problem.

use std::time::{Duration, Instant};

use smt::Solver;
use sygus::{Answer, Options, Problem};

use crate::args::{Common, SynthArgs};
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
    let answer = sygus::solve(&problem, &Options::new(common.seed), &mut Solver::new(), &is_late);
    progress.finish();
    output::to_stdout(&sygus::print(&problem, &answer))?;
    Ok(if matches!(answer, Answer::Solved(_)) { Status::Done } else { Status::NotEstablished })
}
