//! The `ventris` command: paths, the clock, the terminal and exit codes live here and nowhere else.
//!
//! Results go to stdout, everything else to stderr. Exit codes: 0 accepted, holds or done; 1 an error, with nothing on
//! stdout; 2 wrong usage; 3 not established.

mod args;
mod check;
mod decipher;
mod dsl;
mod failure;
mod find;
mod infer;
mod language;
mod output;
mod progress;
mod run;
mod scrub;
mod simplify;
mod synth;
mod trace;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Cli, Command};
use crate::failure::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How a command ended that did its work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Status {
    /// Accepted, holds, or done.
    Done,
    /// Refuted, undecided, unsound.
    NotEstablished,
}

fn main() -> ExitCode {
    if asks_for_reference(std::env::args_os().skip(1)) {
        return match output::to_stdout(::dsl::REFERENCE) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(1),
        };
    }
    // Usage errors leave with code 2, help and version with 0: clap's own rule.
    let cli = Cli::parse();
    match start(&cli) {
        Ok(Status::Done) => ExitCode::SUCCESS,
        Ok(Status::NotEstablished) => ExitCode::from(3),
        Err(failure) => {
            output::to_stderr(&failure.to_string());
            ExitCode::from(1)
        }
    }
}

/// Whether the command line is `help dsl`: the reference of the DSL format, where clap would show flags alone.
fn asks_for_reference(args: impl Iterator<Item = std::ffi::OsString>) -> bool {
    args.eq(["help", "dsl"])
}

fn start(cli: &Cli) -> Result<Status, Failure> {
    if let Some(threads) = cli.common.threads {
        // Results do not depend on it; a second pool cannot exist yet, so this fails only where threads cannot start.
        rayon::ThreadPoolBuilder::new()
            .num_threads(usize::from(threads))
            .build_global()
            .map_err(|error| Failure::new(format!("cannot start {threads} threads: {error}")))?;
    }
    match &cli.command {
        Command::Decipher(args) => decipher::run(args, &cli.common),
        Command::Trace(args) => trace::run(args, &cli.common),
        Command::Check(args) => check::run(args, &cli.common),
        Command::Scrub(args) => scrub::run(args, &cli.common),
        Command::Run(args) => run::run(args),
        Command::Synth(args) if args.problem.extension().is_some_and(|own| own == "dsl") => {
            find::run(args, &cli.common)
        }
        Command::Synth(args) => synth::run(args, &cli.common),
        Command::Dsl(args) => dsl::run(&args.command, &cli.common),
    }
}
