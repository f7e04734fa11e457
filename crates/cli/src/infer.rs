//! `ventris dsl infer`: rules of a DSL from what its operators mean, kept for the next time.

use std::hash::Hasher as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dsl::Language;
use report::{InferResult, InferredRuleResult, SCHEMA};
use serde::{Deserialize, Serialize};
use smt::Solver;
use synth::{InferConfig, Inferred, Verdict};

use crate::args::{Common, Format, InferArgs};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{Status, language, output};

/// Infers, or takes what was inferred before for the same language and the same options.
///
/// # Errors
/// Files that cannot be read or written, and everything that is wrong in them.
pub(crate) fn run(args: &InferArgs, common: &Common) -> Result<Status, Failure> {
    let (origin, text) = language::text_of(&args.file)?;
    let (language, _) = language::parse(&origin, &text, &[language::folder(&args.file)])?;
    let config = InferConfig { variables: usize::from(args.vars), ..InferConfig::new(args.size) };
    let key = synth::infer_key(&language, &config);
    let kept = cache_file(args, &key);
    let found = match kept.as_deref().and_then(|file| recall(file, &key)) {
        Some(found) => found,
        None => {
            let found = infer(&language, &config, common);
            if let Some(file) = kept.filter(|_| !found.limits.iter().any(|limit| limit == "time")) {
                keep(&file, &key, &found);
            }
            found
        }
    };
    // Names are chosen last: those that the file has must not come again.
    let result = named(&language, InferResult { file: origin, ..found });
    let printed = match common.format {
        Format::Json => output::json_text(&result)?,
        Format::Text => report::infer_text(&result),
    };
    match &args.out {
        Some(file) if common.format == Format::Text => {
            // A file of its own, whose rules speak of the language's operators.
            output::write_whole(file, &format!("{}\n{printed}", include_of(&args.file, file)))?
        }
        Some(file) => output::write_whole(file, &printed)?,
        None => output::to_stdout(&printed)?,
    }
    Ok(Status::Done)
}

/// The include by which a file that is written finds a DSL: its name beside it or where it is shipped, else its path.
fn include_of(dsl: &Path, out: &Path) -> String {
    let whole = |path: &Path| std::fs::canonicalize(path).ok();
    let here = |path: &Path| {
        let folder = language::folder(path);
        if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder }
    };
    let name = match whole(dsl) {
        // Shipped.
        None => dsl.display().to_string(),
        Some(path) if whole(&here(dsl)) == whole(&here(out)) => {
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        }
        Some(path) => path.display().to_string(),
    };
    format!("(include {name:?})")
}

fn infer(language: &Language, config: &InferConfig, common: &Common) -> InferResult {
    let progress = Progress::new(common);
    let deadline = common.time_limit.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds.min(1e9)));
    let found = synth::infer(language, config, &mut Solver::new(), &mut |what| {
        progress.say(what);
        deadline.is_none_or(|deadline| Instant::now() < deadline)
    });
    progress.finish();
    result(language, &found)
}

/// What was found, without the names of the file and of the rules.
fn result(language: &Language, found: &Inferred) -> InferResult {
    let rule = |inferred: &synth::InferredRule| {
        let (status, detail) = match &inferred.verdict {
            Verdict::Proved { scope } => ("proved", scope.clone()),
            Verdict::Exhaustive { scope } => ("exhaustive", scope.clone()),
            other => ("undecided", format!("{other:?}")),
        };
        InferredRuleResult {
            name: String::new(),
            text: inferred.line(language, NAME),
            status: status.to_owned(),
            detail,
        }
    };
    InferResult {
        schema: SCHEMA,
        file: String::new(),
        rules: found.rules.iter().map(rule).collect(),
        candidates: found.n_candidates,
        derived: found.n_derived,
        refuted: found.n_refuted,
        undecided: found.n_undecided,
        limits: found.limits.iter().map(|limit| (*limit).to_owned()).collect(),
    }
}

/// Stands for the name of a rule until it has one: no rule's text holds it otherwise, since it would have to be quoted.
const NAME: &str = "(name)";

/// Numbered names that the language does not have yet.
fn named(language: &Language, mut result: InferResult) -> InferResult {
    let taken = |name: &str| language.rules.iter().any(|rule| rule.name.as_str() == name);
    let mut numbers = (1..).map(|number| format!("inferred-{number}")).filter(|name| !taken(name));
    for rule in &mut result.rules {
        rule.name = numbers.next().unwrap_or_default();
        rule.text = rule.text.replacen(NAME, &rule.name, 1);
    }
    result
}

/// What a file of the cache holds. The whole key is compared, so the file's name need not be unique.
#[derive(Serialize, Deserialize)]
struct Kept {
    key: String,
    checksum: String,
    result: InferResult,
}

fn cache_file(args: &InferArgs, key: &str) -> Option<PathBuf> {
    let folder = args.cache.clone().or_else(user_cache).filter(|_| !args.no_cache)?;
    Some(folder.join(format!("rules-{}.json", checksum(key))))
}

fn user_cache() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
    Some(folder.join("ventris"))
}

/// FNV-1a, which is the same on every machine and in every version.
#[derive(Clone, Copy)]
struct Fnv(u64);

impl std::hash::Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

fn checksum(text: &str) -> String {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    hasher.write(text.as_bytes());
    format!("{:016x}", hasher.finish())
}

/// What was kept for a key; a file that is damaged is passed over with a warning.
fn recall(file: &Path, key: &str) -> Option<InferResult> {
    let text = std::fs::read_to_string(file).ok()?;
    let whole = serde_json::from_str::<Kept>(&text).ok().filter(|kept| {
        kept.result.schema == SCHEMA
            && output::json_text(&kept.result).is_ok_and(|own| checksum(&format!("{}{own}", kept.key)) == kept.checksum)
    });
    match whole {
        Some(kept) => (kept.key == key).then_some(kept.result),
        None => {
            output::to_stderr(&format!("warning: {} is damaged; rules are inferred anew", file.display()));
            None
        }
    }
}

/// Keeps a result. Where that cannot be done it takes longer the next time, no more.
fn keep(file: &Path, key: &str, result: &InferResult) {
    let written = output::json_text(result).and_then(|own| {
        let kept = Kept { key: key.to_owned(), checksum: checksum(&format!("{key}{own}")), result: result.clone() };
        let folder = file.parent().unwrap_or(Path::new(""));
        std::fs::create_dir_all(folder).map_err(|error| Failure::at(folder, format!("cannot make: {error}")))?;
        output::write_whole(file, &output::json_text(&kept)?)
    });
    if let Err(failure) = written {
        output::to_stderr(&format!("warning: the rules are not kept for the next time: {}", failure.message()));
    }
}
