//! The command line, as clap reads it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Deciphers small neural networks: finds the program that a network computes, says where in the network it lives, and
/// tests both claims.
///
/// Exit codes: 0 accepted, holds or done; 1 an error (nothing on stdout); 2 wrong usage; 3 not established (refuted,
/// undecided, unsound).
#[derive(Parser, Debug)]
#[command(name = "ventris", version, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of all commands.
#[derive(Args, Debug)]
pub(crate) struct Common {
    /// The seed of everything random: the same seed gives the same answer, on any number of threads
    #[arg(long, value_name = "N", default_value_t = 0, global = true)]
    pub(crate) seed: u64,
    /// Threads to use (default: one per core)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), global = true)]
    pub(crate) threads: Option<u16>,
    /// Give up searching after so many seconds and report what there is
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true, global = true)]
    pub(crate) time_limit: Option<f64>,
    /// How results are printed
    #[arg(long, value_enum, default_value_t = Format::Text, global = true)]
    pub(crate) format: Format,
    /// No progress on stderr
    #[arg(short, long, conflicts_with = "verbose", global = true)]
    pub(crate) quiet: bool,
    /// Log every step on stderr
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One JSON object
    Json,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Find the program that a network computes, and test it
    Decipher(DecipherArgs),
    /// Print the computation graph of a network
    Trace(TraceArgs),
    /// Is this program what the network computes? Does this proof hold?
    Check(CheckArgs),
    /// Does the network compute it this way?
    Scrub(ScrubArgs),
    /// Evaluate a program: one JSON list per line in, one out
    Run(RunArgs),
    /// Solve a SyGuS-IF problem, or find the functions that a DSL file asks for: print them, `infeasible` or `fail`
    Synth(SynthArgs),
    /// Work with DSL files; `ventris help dsl` is the reference of their format
    Dsl(DslArgs),
}

#[derive(Args, Debug)]
pub(crate) struct DecipherArgs {
    /// Folder with model.safetensors, config.json and task.json
    pub(crate) model: PathBuf,
    /// DSL files, or names of shipped DSLs, in place of the one shipped for this family of networks
    #[arg(long, value_name = "FILE")]
    pub(crate) dsl: Vec<PathBuf>,
    /// Folder for program.dsl, program.py, hypothesis.json, proof.json and result.json
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Least share of counted outputs (gpt2 networks: of whole sequences) on which program and network must agree
    #[arg(long, value_name = "A", default_value_t = 1.0, value_parser = share, allow_negative_numbers = true)]
    pub(crate) min_agreement: f64,
    /// Controls: those on recorded values, or beside them the whole procedure again on networks without meaning (weights drawn
    /// anew, permuted within tensors and within layers, a nonsense labelling); each then has a time limit of its own
    #[arg(long, value_enum, default_value_t = ControlLevel::Default)]
    pub(crate) controls: ControlLevel,
}

/// How many controls are run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum ControlLevel {
    /// On recorded values
    Default,
    /// On networks without meaning too
    Full,
}

#[derive(Args, Debug)]
pub(crate) struct TraceArgs {
    /// Folder with model.safetensors, config.json and task.json
    pub(crate) model: PathBuf,
    /// Print Graphviz DOT
    #[arg(long, conflicts_with = "json")]
    pub(crate) dot: bool,
    /// Print JSON, as --format json does
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    /// Folder with model.safetensors, config.json and task.json
    pub(crate) model: PathBuf,
    /// The program
    #[arg(required_unless_present = "proof")]
    pub(crate) program: Option<PathBuf>,
    /// Does this proof hold? A proof.json as `decipher --out` writes it, in place of a program
    #[arg(long, value_name = "FILE", conflicts_with_all = ["program", "dsl", "min_agreement"])]
    pub(crate) proof: Option<PathBuf>,
    /// DSL files, or names of shipped DSLs, in place of the one shipped for this family of networks
    #[arg(long, value_name = "FILE")]
    pub(crate) dsl: Vec<PathBuf>,
    /// Least share of counted outputs (gpt2 networks: of whole sequences) on which program and network must agree
    #[arg(long, value_name = "A", default_value_t = 1.0, value_parser = share, allow_negative_numbers = true)]
    pub(crate) min_agreement: f64,
}

#[derive(Args, Debug)]
pub(crate) struct ScrubArgs {
    /// Folder with model.safetensors, config.json and task.json
    pub(crate) model: PathBuf,
    /// A hypothesis.json as `decipher --out` writes it
    pub(crate) hypothesis: PathBuf,
    /// Least fraction of the behaviour that must be recovered
    #[arg(long, value_name = "R", default_value_t = 0.95, value_parser = share, allow_negative_numbers = true)]
    pub(crate) min_recovered: f64,
}

#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// The program
    pub(crate) program: PathBuf,
    /// One JSON list per line: the elements of a sequence
    pub(crate) inputs: PathBuf,
    /// DSL files, or names of shipped DSLs (default: the shipped one that has the program's inputs, `x` or `tokens`)
    #[arg(long, value_name = "FILE")]
    pub(crate) dsl: Vec<PathBuf>,
    /// Let selections see only elements up to their own, as in a network with causal attention; programs in a
    /// DSL that says `(causal)`, as the shipped `sequences` does, are run so anyhow
    #[arg(long)]
    pub(crate) causal: bool,
}

#[derive(Args, Debug)]
pub(crate) struct SynthArgs {
    /// A SyGuS-IF 2.1 file; or a DSL file, NAME.dsl, with functions to be found (synth-fun)
    pub(crate) problem: PathBuf,
    /// List all smallest solutions, mirror images aside, at most 200 (of SyGuS-IF problems: those with one function)
    #[arg(long)]
    pub(crate) all: bool,
    /// List the term of every size that is right at most inputs (of SyGuS-IF problems: those with one function)
    #[arg(long)]
    pub(crate) front: bool,
    /// Classes of equal terms that one bank may hold (default: 20 million)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    pub(crate) max_classes: Option<u32>,
    /// Memory of one bank, in MiB (default: 4,096; of DSL files 1,024)
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_memory: Option<u32>,
}

impl SynthArgs {
    /// What banks may hold, where that was said: classes and bytes.
    pub(crate) fn limit(&self, classes: &mut usize, bytes: &mut usize) {
        if let Some(most) = self.max_classes {
            *classes = most as usize;
        }
        if let Some(mib) = self.max_memory {
            *bytes = (mib as usize).saturating_mul(1 << 20);
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct DslArgs {
    #[command(subcommand)]
    pub(crate) command: DslCommand,
}

#[derive(Subcommand, Debug)]
pub(crate) enum DslCommand {
    /// Check every definition's sorts and every rule's soundness
    Check {
        /// A DSL file, or the name of a shipped DSL
        file: PathBuf,
    },
    /// Infer rewrite rules from what the operators mean
    Infer(InferArgs),
    /// Print a DSL file in its standard layout
    Fmt {
        /// A DSL file, or the name of a shipped DSL
        file: PathBuf,
        /// Write the file instead of printing
        #[arg(long)]
        write: bool,
    },
    /// Simplify a term by the rules of a DSL that hold
    Simplify(SimplifyArgs),
}

#[derive(Args, Debug)]
pub(crate) struct SimplifyArgs {
    /// A DSL file, or the name of a shipped DSL
    pub(crate) file: PathBuf,
    /// The term
    pub(crate) term: String,
    /// The variables of the term, as in `x:Int,p:Bool`: inputs, which have a value at every point
    #[arg(long, value_name = "NAME:SORT,...", value_delimiter = ',')]
    pub(crate) vars: Vec<String>,
    /// Print the chain of rules that leads from the term to the simpler one, and check it step by step
    #[arg(long)]
    pub(crate) explain: bool,
    /// Instead, print the chain of rules that leads from the term to this one; scans and lets stay as they are
    #[arg(long, value_name = "TERM")]
    pub(crate) to: Option<String>,
    /// Instead, pay for equal parts once and bind them by `let` where the DSL has it; scans and lets stay as they are
    #[arg(long, conflicts_with_all = ["explain", "to"])]
    pub(crate) shared: bool,
    /// Use rules too that are not proved, but held on all inputs of a stated scope or are assumed; the answer names those it rests on
    #[arg(long, conflicts_with = "shared")]
    pub(crate) unproved: bool,
}

#[derive(Args, Debug)]
pub(crate) struct InferArgs {
    /// A DSL file, or the name of a shipped DSL
    pub(crate) file: PathBuf,
    /// Atoms of the terms looked at over all operators; over two or three operators at a time three more
    #[arg(long, value_name = "K", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=8))]
    pub(crate) size: u32,
    /// Variables of each sort
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=6))]
    pub(crate) vars: u8,
    /// Write the rules to a file instead of printing them
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Folder where rules that were inferred before are kept (default: the user's cache folder)
    #[arg(long, value_name = "DIR", conflicts_with = "no_cache")]
    pub(crate) cache: Option<PathBuf>,
    /// Neither use nor keep what was inferred before
    #[arg(long)]
    pub(crate) no_cache: bool,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("expected a share between 0 and 1".to_owned()),
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err("expected a positive number of seconds".to_owned()),
    }
}
