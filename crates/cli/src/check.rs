//! `ventris check`: is this program what the network computes? Does this proof hold?

use std::path::Path;
use std::time::{Duration, Instant};

use check::{CheckConfig, Conclusion};
use report::{AgreementEvidence, CheckResult, ProofCheckResult, ProofFile, SCHEMA};

use crate::args::{CheckArgs, Common, Format};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{Status, language, output, trace};

/// Compares a program with a network, or checks a proof about it.
///
/// # Errors
/// A model, DSL, program or proof that cannot be read; a program over other inputs than the network's.
pub(crate) fn run(args: &CheckArgs, common: &Common) -> Result<Status, Failure> {
    match (&args.proof, &args.program) {
        (Some(proof), _) => run_proof(args, proof, common),
        (None, Some(program)) => run_program(args, program, common),
        (None, None) => Err(Failure::new("a program or --proof FILE is wanted")),
    }
}

/// Checks a certificate against the network, from its file alone.
fn run_proof(args: &CheckArgs, path: &Path, common: &Common) -> Result<Status, Failure> {
    let progress = Progress::new(common);
    let network = trace::load_model(&args.model)?;
    let text = output::read_text(path)?;
    let hint = "expected a proof.json as `ventris decipher --out DIR` writes it";
    let file: ProofFile = serde_json::from_str(&text).map_err(|error| Failure::at(path, error).hint(hint))?;
    if file.schema != SCHEMA {
        return Err(Failure::at(path, format!("expected schema {SCHEMA}, found {}", file.schema)));
    }
    let language = file.dsl.language()?;
    let origin = format!("{}, program", path.display());
    let program = dsl::parse_program(&origin, &file.program, &language, &network.domain.inputs())
        .map_err(|diagnostics| elsewhere(&network, diagnostics))?;
    progress.say("check proof");
    let refused = match file.proof() {
        Ok(proof) => check::verify(&network, &program, &language, &proof).err().map(|refused| refused.to_string()),
        Err(reason) => Some(reason),
    };
    progress.finish();
    let holds = refused.is_none();
    let result = ProofCheckResult {
        schema: SCHEMA,
        model: args.model.display().to_string(),
        program: file.program,
        verdict: if holds { "holds" } else { "refused" },
        proof: serde_json::json!({ "kind": file.kind, "scope": file.scope, "arithmetic": file.arithmetic }),
        reason: refused,
    };
    output::to_stdout(&match common.format {
        Format::Json => output::json_text(&result)?,
        Format::Text => report::proof_check_text(&result),
    })?;
    Ok(if holds { Status::Done } else { Status::NotEstablished })
}

/// The failure of a program, in a file about a network, that cannot be read over the inputs of this one.
pub(crate) fn elsewhere(network: &graph::Network, diagnostics: dsl::Diagnostics) -> Failure {
    let inputs: Vec<String> = network.domain.inputs().iter().map(|(name, sort)| format!("{name} ({sort})")).collect();
    let hint = format!("the file may be about another network: the inputs of this one are {}", inputs.join(", "));
    Failure::from(diagnostics).hint(hint)
}

/// Runs program and network on the same inputs.
fn run_program(args: &CheckArgs, path: &Path, common: &Common) -> Result<Status, Failure> {
    let start = Instant::now();
    let progress = Progress::new(common);
    let network = trace::load_model(&args.model)?;
    let (language, _) = language::load(&args.dsl, language::shipped_for(network.family()))?;
    let text = output::read_text(path)?;
    let origin = path.display().to_string();
    let program = dsl::parse_program(&origin, &text, &language, &network.domain.inputs())?;
    let limit = common.time_limit.map(Duration::from_secs_f64);
    let deadline = move || limit.is_some_and(|limit| start.elapsed() >= limit.mul_f64(0.5));
    let config = CheckConfig {
        seed: common.seed,
        min_agreement: args.min_agreement,
        deadline: &deadline,
        ..CheckConfig::default()
    };
    progress.say("check");
    let agreement =
        check::agreement(&network, &program, &language, &config).map_err(|error| Failure::at(path, error))?;
    progress.finish();
    let conclusion = agreement.conclusion(args.min_agreement);
    let result = CheckResult {
        schema: SCHEMA,
        model: args.model.display().to_string(),
        program: dsl::print(&program, &language),
        verdict: match conclusion {
            Conclusion::Reached => "accepted",
            Conclusion::Open => "undecided",
            Conclusion::Missed => "refuted",
        },
        agreement: AgreementEvidence::new(&agreement, &network.domain),
    };
    output::to_stdout(&match common.format {
        Format::Json => output::json_text(&result)?,
        Format::Text => report::check_text(&result),
    })?;
    Ok(if conclusion == Conclusion::Reached { Status::Done } else { Status::NotEstablished })
}
