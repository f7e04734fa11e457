//! `ventris scrub`: does the network compute it this way?

use decipher::Mechanism;
use report::{HypothesisFile, SCHEMA, ScrubResult};
use scrub::Standing;

use crate::args::{Common, Format, ScrubArgs};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{Status, check, output, trace};

/// Scrubs a hypothesis from its file.
///
/// # Errors
/// A model or hypothesis that cannot be read; an alignment that cannot be tested on this network.
pub(crate) fn run(args: &ScrubArgs, common: &Common) -> Result<Status, Failure> {
    let progress = Progress::new(common);
    let network = trace::load_model(&args.model)?;
    let text = output::read_text(&args.hypothesis)?;
    let file: HypothesisFile = serde_json::from_str(&text).map_err(|error| {
        Failure::at(&args.hypothesis, error)
            .hint("expected a hypothesis.json as `ventris decipher --out DIR` writes it")
    })?;
    if file.schema != SCHEMA {
        return Err(Failure::at(&args.hypothesis, format!("expected schema {SCHEMA}, found {}", file.schema)));
    }
    let language = file.dsl.language()?;
    let hypothesis = file
        .hypothesis(&args.hypothesis.display().to_string(), &language, &network.domain.inputs())
        .map_err(|diagnostics| check::elsewhere(&network, diagnostics))?;
    progress.say("scrub");
    let config = decipher::Config {
        seed: common.seed,
        progress: &|message: &str| progress.say(message),
        ..decipher::Config::new(&language)
    };
    let judged = decipher::judge_claims(&network, &hypothesis, &config, &decipher::JudgeLimits::default());
    let scrub = judged.scrub.as_ref().map_err(|error| Failure::at(&args.hypothesis, error))?;
    progress.finish();
    let enough = scrub.interval.0 >= args.min_recovered;
    let (verdict, reason) = match (enough, scrub.controls.standing(), judged.mechanism) {
        (false, ..) => ("refuted", "the interval reaches below the fraction asked for"),
        (true, Standing::Reached, _) => {
            ("refuted", "enough is recovered, but controls without content recover as much")
        }
        (true, _, Mechanism::Verified) => (
            "accepted",
            "the interval lies above the fraction asked for, no control comes near, and interventions do what the program says",
        ),
        _ => (
            "undecided",
            "enough is recovered, but interventions do not show of every variable that it is where it is claimed",
        ),
    };
    let result = ScrubResult::new(&args.model.display().to_string(), (verdict, reason), &judged, scrub);
    output::to_stdout(&match common.format {
        Format::Json => output::json_text(&result)?,
        Format::Text => report::scrub_text(&result),
    })?;
    Ok(if verdict == "accepted" { Status::Done } else { Status::NotEstablished })
}
