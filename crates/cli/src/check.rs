//! `ventris check`: is this program what the network computes?

use std::time::{Duration, Instant};

use check::CheckConfig;
use report::{AgreementEvidence, CheckResult, SCHEMA};

use crate::args::{CheckArgs, Common, Format};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{Status, language, output, trace};

/// Compares a program with a network.
///
/// # Errors
/// A model, DSL or program that cannot be read; a program over other inputs than the network's.
pub(crate) fn run(args: &CheckArgs, common: &Common) -> Result<Status, Failure> {
    let start = Instant::now();
    let progress = Progress::new(common);
    let network = trace::load_model(&args.model)?;
    let (language, _) = language::load(&args.dsl, language::shipped_for(network.family()))?;
    let text = output::read_text(&args.program)?;
    let origin = args.program.display().to_string();
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
        check::agreement(&network, &program, &language, &config).map_err(|error| Failure::at(&args.program, error))?;
    progress.finish();
    let holds = agreement.reaches(args.min_agreement);
    let result = CheckResult {
        schema: SCHEMA,
        model: args.model.display().to_string(),
        program: dsl::print(&program, &language),
        verdict: if holds { "accepted" } else { "refuted" },
        agreement: AgreementEvidence::new(&agreement, &network.domain),
    };
    output::to_stdout(&match common.format {
        Format::Json => output::json_text(&result)?,
        Format::Text => report::check_text(&result),
    })?;
    Ok(if holds { Status::Done } else { Status::NotEstablished })
}
