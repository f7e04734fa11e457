//! `ventris decipher`: the main job.

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use decipher::{JudgeLimits, Outcome, Stage, Verdict};
use dsl::{Language, PythonOutput};
use graph::Network;
use model::{Meaningless, ModelFiles};
use report::{DecipherResult, Files, FullControl, HypothesisFile, LanguageFile, ProofFile, Seconds};
use samples::Sort;

use crate::args::{Common, ControlLevel, DecipherArgs, Format};
use crate::failure::Failure;
use crate::output::OutFolder;
use crate::progress::Progress;
use crate::{Status, language, output, trace};

const PROGRAM: &str = "program.dsl";
const PYTHON: &str = "program.py";
const HYPOTHESIS: &str = "hypothesis.json";
const PROOF: &str = "proof.json";
const RESULT: &str = "result.json";

/// Deciphers a network and prints what was found.
///
/// # Errors
/// A model or DSL that cannot be read, a folder that cannot be written to.
pub(crate) fn run(args: &DecipherArgs, common: &Common) -> Result<Status, Failure> {
    let start = Instant::now();
    let out = args.out.as_deref().map(OutFolder::prepare).transpose()?;
    if let Some(out) = &out {
        [PROGRAM, PYTHON, HYPOTHESIS, PROOF, RESULT].iter().try_for_each(|name| out.clear(name))?;
    }
    let progress = Progress::new(common);
    let files = trace::read_model(&args.model)?;
    let network = model::load(&files).map_err(|error| Failure::at(&args.model, &error).hint(error.help()))?;
    let (language, language_file) = language::load(&args.dsl, language::shipped_for(network.family()))?;
    let mut seconds = Seconds { trace: start.elapsed().as_secs_f64(), ..Seconds::default() };

    let clock = Clock::new(start, common.time_limit.map(Duration::from_secs_f64));
    let (deadline, controls_late) = (|| clock.search_is_over(), || clock.controls_are_over());
    let say = |message: &str| progress.say(message);
    let config = decipher::Config {
        seed: common.seed,
        deadline: &deadline,
        controls_late: &controls_late,
        min_agreement: args.min_agreement,
        progress: &say,
        ..decipher::Config::new(&language)
    };
    let stages = RefCell::new(Vec::new());
    let outcome = decipher::decipher(&network, &config, &JudgeLimits::default(), &|stage| {
        stages.borrow_mut().push((stage, Instant::now()));
    })
    .map_err(|error| Failure::at(&args.model, error))?;
    for (index, (stage, begin)) in stages.borrow().iter().enumerate() {
        let end = stages.borrow().get(index + 1).map_or_else(Instant::now, |next| next.1);
        let spent = (end - *begin).as_secs_f64();
        match stage {
            Stage::Synth => seconds.synth += spent,
            Stage::Check => seconds.check += spent,
            Stage::Scrub => seconds.scrub += spent,
        }
    }
    seconds.controls = clock.of_controls().as_secs_f64();
    let full = match args.controls {
        ControlLevel::Default => Vec::new(),
        ControlLevel::Full => full_controls(&files, &outcome, &config, args, common)?,
    };
    progress.finish();

    let files = match &out {
        Some(out) => write_files(out, &network, &outcome, &language, &language_file)?,
        None => Files::default(),
    };
    let model = args.model.display().to_string();
    let result = DecipherResult::new(&model, &network.domain, &outcome, &language, seconds, files).with_controls(full);
    let json = output::json_text(&result)?;
    if let Some(out) = &out {
        out.write(RESULT, &json)?;
    }
    let text = match common.format {
        Format::Json => json,
        Format::Text => {
            let pretty = outcome.hypothesis.as_ref().map(|h| dsl::pretty(&h.program, &language));
            report::decipher_text(&result, pretty.as_deref(), common.verbose)
        }
    };
    output::to_stdout(&text)?;
    Ok(if outcome.verdict == Verdict::Accepted { Status::Done } else { Status::NotEstablished })
}

/// The whole procedure again on networks without meaning, each with a time limit of its own.
fn full_controls(
    files: &ModelFiles,
    outcome: &Outcome,
    config: &decipher::Config<'_>,
    args: &DecipherArgs,
    common: &Common,
) -> Result<Vec<FullControl>, Failure> {
    let mut found = Vec::new();
    for how in Meaningless::ALL {
        (config.progress)(&format!("controls: {}", how.name()));
        let network = match model::meaningless(files, how, common.seed) {
            Ok(Some(network)) => network,
            Ok(None) => continue,
            Err(error) => return Err(Failure::at(&args.model, &error).hint(error.help())),
        };
        let clock = Clock::new(Instant::now(), common.time_limit.map(Duration::from_secs_f64));
        let (deadline, controls_late) = (|| clock.search_is_over(), || clock.controls_are_over());
        let config = decipher::Config { deadline: &deadline, controls_late: &controls_late, ..config.clone() };
        let other = decipher::decipher(&network, &config, &JudgeLimits::default(), &|_| {});
        found.push(FullControl::new(how.name(), other.as_ref(), outcome, config.language));
    }
    Ok(found)
}

/// What may take how long.
struct Clock {
    start: Instant,
    limit: Option<Duration>,
    /// When the first control began and when the last one was at work: controls ask again and again whether they are over.
    controls: Mutex<Option<(Instant, Instant)>>,
}

impl Clock {
    fn new(start: Instant, limit: Option<Duration>) -> Self {
        Self { start, limit, controls: Mutex::new(None) }
    }

    /// Searching ends before the limit, so that judging and writing end within it.
    fn search_is_over(&self) -> bool {
        self.limit.is_some_and(|limit| self.start.elapsed() >= limit.mul_f64(0.8))
    }

    /// Controls have until the limit: how many are run is no question of time, so that what they say depends on no machine.
    fn controls_are_over(&self) -> bool {
        let now = Instant::now();
        let mut controls = self.controls.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, last) = controls.get_or_insert((now, now));
        *last = now.max(*last);
        self.limit.is_some_and(|limit| now - self.start >= limit)
    }

    /// How long controls took.
    fn of_controls(&self) -> Duration {
        let controls = self.controls.lock().unwrap_or_else(PoisonError::into_inner);
        controls.map_or(Duration::ZERO, |(begin, last)| last - begin)
    }
}

/// Writes program and hypothesis. Only an accepted program is written as one: a closest miss is in the result alone.
fn write_files(
    out: &OutFolder,
    network: &Network,
    outcome: &Outcome,
    language: &Language,
    language_file: &LanguageFile,
) -> Result<Files, Failure> {
    let mut files = Files { result: Some(out.path_of(RESULT)), ..Files::default() };
    let Some(hypothesis) = &outcome.hypothesis else { return Ok(files) };
    if outcome.verdict != Verdict::Accepted {
        return Ok(files);
    }
    let program = format!("{}\n", dsl::pretty(&hypothesis.program, language));
    out.write(PROGRAM, &program)?;
    files.program = Some(out.path_of(PROGRAM));
    let form = PythonOutput { integers: network.domain.output_sort() == Sort::Int, causal: network.is_causal() };
    let python = dsl::python(&hypothesis.program, language, &network.domain.inputs(), form)
        .map_err(|error| Failure::new(format!("the program cannot be written in Python: {error}")))?;
    out.write(PYTHON, &python)?;
    files.python = Some(out.path_of(PYTHON));
    out.write(HYPOTHESIS, &output::json_text(&HypothesisFile::new(hypothesis, language, language_file))?)?;
    files.hypothesis = Some(out.path_of(HYPOTHESIS));
    if let Some(proof) = &outcome.proof {
        let file = ProofFile::new(&proof.best, &hypothesis.program, language, language_file);
        out.write(PROOF, &output::json_text(&file)?)?;
        files.proof = Some(out.path_of(PROOF));
    }
    Ok(files)
}
