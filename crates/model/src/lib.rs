//! Model folders to networks.
//!
//! A folder holds `config.json`, `model.safetensors`, `task.json` (what the weights do not say: the domain, and how
//! outputs are read) and, for domains that neither a range nor a vocabulary describes, `inputs.safetensors`. The
//! `model_type` of config.json chooses one of three families, each a builder of a computation graph.
//!
//! Files come from anywhere: whatever they hold, the answer is a network or a [`LoadError`], and no more memory is
//! taken than the files' own size allows. Everything works on bytes; [`load_dir`] alone touches the file system.

mod error;
mod gpt2;
mod hooked;
mod json;
mod meaningless;
mod rnn;
mod task;
mod tensors;
mod transformer;

use std::io::Read as _;
use std::path::Path;

use graph::Network;

use crate::json::At;
use crate::tensors::Tensors;

pub use error::{File, LoadError};
pub use meaningless::{Meaningless, meaningless, meaningless_weights};

/// The bytes of a model folder.
#[derive(Clone, Debug, Default)]
pub struct ModelFiles {
    /// config.json
    pub config: Vec<u8>,
    /// task.json
    pub task: Option<Vec<u8>>,
    /// model.safetensors
    pub weights: Vec<u8>,
    /// inputs.safetensors
    pub inputs: Option<Vec<u8>>,
}

/// Bytes that are accepted of a file. What is read takes more room than the file: a JSON list of digits about 40 times as
/// much, token ids of one byte 8 times.
fn limit(file: File) -> u64 {
    match file {
        File::Config => 1 << 20,
        File::Task => 1 << 22,
        File::Weights => 1 << 31,
        File::Inputs => 1 << 27,
    }
}

#[derive(Clone, Copy)]
enum Builder {
    Rnn,
    Hooked,
    Gpt2,
}

/// Builds the network that the files of a model folder describe.
///
/// # Errors
/// Whatever is wrong with the files; see [`LoadError`].
pub fn load(files: &ModelFiles) -> Result<Network, LoadError> {
    let sizes = [
        (File::Config, Some(&files.config)),
        (File::Task, files.task.as_ref()),
        (File::Weights, Some(&files.weights)),
        (File::Inputs, files.inputs.as_ref()),
    ];
    for (file, bytes) in sizes {
        check_size(file, bytes.map_or(0, |bytes| bytes.len() as u64))?;
    }
    let config = json::parse(File::Config, &files.config)?;
    let config = At::root(File::Config, &config);
    let builders = [("rnn", Builder::Rnn), ("hooked_transformer", Builder::Hooked), ("gpt2", Builder::Gpt2)];
    let builder = config.get("model_type").one_of(&builders)?;
    let task = files.task.as_ref().map(|bytes| json::parse(File::Task, bytes)).transpose()?;
    let task = task.as_ref().map(|task| At::root(File::Task, task));
    let weights = Tensors::parse(File::Weights, &files.weights)?;
    let inputs = files.inputs.as_ref().map(|bytes| Tensors::parse(File::Inputs, bytes)).transpose()?;
    match (builder, inputs) {
        (Builder::Gpt2, inputs) => gpt2::load(&config, task, inputs, weights),
        (_, Some(_)) => Err(config
            .get("model_type")
            .contradicts(File::Inputs.name(), "gpt2, the one family whose domain is given by recorded inputs")),
        (Builder::Rnn, None) => rnn::load(&config, task, weights),
        (Builder::Hooked, None) => hooked::load(&config, task, weights),
    }
}

/// Reads the files of a model folder.
///
/// # Errors
/// Files that are missing, unreadable or too large. A missing task.json is no error yet: [`load`] says what to write.
pub fn read_dir(folder: &Path) -> Result<ModelFiles, LoadError> {
    let needed = |file, help: &str| {
        let missing = || LoadError::MissingFile { file, help: help.to_owned() };
        read(folder, file)?.ok_or_else(missing)
    };
    Ok(ModelFiles {
        config: needed(
            File::Config,
            "a model folder holds config.json, whose model_type is rnn, hooked_transformer or gpt2; check the path",
        )?,
        task: read(folder, File::Task)?,
        weights: needed(File::Weights, "a model folder holds the weights as model.safetensors; check the path")?,
        inputs: read(folder, File::Inputs)?,
    })
}

/// Loads the network of a model folder.
///
/// # Errors
/// As for [`read_dir`] and [`load`].
pub fn load_dir(folder: &Path) -> Result<Network, LoadError> {
    load(&read_dir(folder)?)
}

fn check_size(file: File, found: u64) -> Result<(), LoadError> {
    let limit = limit(file);
    if found > limit { Err(LoadError::TooLarge { file, found, limit }) } else { Ok(()) }
}

/// A file's bytes, `None` where there is no such file.
fn read(folder: &Path, file: File) -> Result<Option<Vec<u8>>, LoadError> {
    let failed = |source| LoadError::Io { file, source };
    let path = folder.join(file.name());
    let handle = match std::fs::File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(failed)?,
    };
    let size = handle.metadata().map_err(failed)?.len();
    check_size(file, size)?;
    let mut bytes = Vec::new();
    // The size may be a lie (a device, a pipe): read no further than the limit.
    handle.take(limit(file) + 1).read_to_end(&mut bytes).map_err(failed)?;
    check_size(file, bytes.len() as u64)?;
    Ok(Some(bytes))
}
