//! What can be wrong with a model folder. Every error names the file, the tensor or key, what was expected, what was
//! found, and what to do.

use std::fmt;

/// The file of a model folder that an error is about.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum File {
    /// config.json
    Config,
    /// task.json
    Task,
    /// model.safetensors
    Weights,
    /// inputs.safetensors
    Inputs,
}

impl File {
    /// The file's name in the folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "config.json",
            Self::Task => "task.json",
            Self::Weights => "model.safetensors",
            Self::Inputs => "inputs.safetensors",
        }
    }
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a model folder was not loaded. [`LoadError::help`] says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file that must be there is not.
    #[error("{file} is missing")]
    MissingFile {
        /// Which.
        file: File,
        /// What to write into it.
        help: String,
    },
    /// The operating system refused to read a file.
    #[error("{file} cannot be read: {source}")]
    Io {
        /// Which.
        file: File,
        /// Why.
        source: std::io::Error,
    },
    /// A file beyond the limit of its kind.
    #[error("{file} is too large: expected at most {limit} bytes, found {found}")]
    TooLarge {
        /// Which.
        file: File,
        /// Bytes found.
        found: u64,
        /// Bytes accepted.
        limit: u64,
    },
    /// A text file that is not UTF-8.
    #[error("{file} is not text: expected UTF-8, found the byte 0x{byte:02x} at offset {offset}")]
    NotText {
        /// Which.
        file: File,
        /// Where.
        offset: usize,
        /// The byte there.
        byte: u8,
    },
    /// A text file that is not JSON.
    #[error("{file} is not JSON: {message}")]
    Json {
        /// Which.
        file: File,
        /// What the parser says, with line and column.
        message: String,
    },
    /// A key that is absent or holds something else than it should.
    #[error("{file}: {key}: expected {expected}, found {found}")]
    Key {
        /// Which.
        file: File,
        /// The path to the key, as in `input.length`.
        key: String,
        /// What belongs there.
        expected: String,
        /// What is there, shortened.
        found: String,
        /// What to do, where it is not plain from what was expected.
        help: Option<String>,
    },
    /// Two statements that exclude each other.
    #[error("{file}: {key} is {found}, but {other} says {expected}")]
    Contradiction {
        /// The file of the first statement.
        file: File,
        /// Its key or tensor.
        key: String,
        /// What it says.
        found: String,
        /// Where the other statement is.
        other: String,
        /// What that one says.
        expected: String,
    },
    /// A tensor file whose header is wrong: truncated, overlapping, of impossible size.
    #[error("{file} is not a sound safetensors file: {message}")]
    Header {
        /// Which.
        file: File,
        /// What is wrong.
        message: String,
    },
    /// A tensor that must be there is not.
    #[error("{file}: the tensor {tensor} is missing: expected the shape {expected:?}")]
    MissingTensor {
        /// Which.
        file: File,
        /// The tensor's name.
        tensor: String,
        /// Its shape.
        expected: Vec<usize>,
        /// Tensors that are there.
        found: String,
    },
    /// A tensor that belongs to no part of the network.
    #[error("{file}: the tensor {tensor} {found:?} belongs to no part of the network that config.json describes")]
    UnexpectedTensor {
        /// Which.
        file: File,
        /// The tensor's name.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
    },
    /// A tensor of another shape.
    #[error("{file}: the tensor {tensor} has the wrong shape: expected {expected:?}, found {found:?}")]
    Shape {
        /// Which.
        file: File,
        /// The tensor's name.
        tensor: String,
        /// What config.json implies.
        expected: Vec<usize>,
        /// What is there.
        found: Vec<usize>,
    },
    /// A tensor of another kind of number.
    #[error("{file}: the tensor {tensor} has the wrong kind of numbers: expected {expected}, found {found}")]
    Dtype {
        /// Which.
        file: File,
        /// The tensor's name.
        tensor: String,
        /// Kinds that can be read.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A number that no network computes with.
    #[error(
        "{file}: the tensor {tensor} holds a number that is not finite: expected finite numbers, found {found} at index {index}"
    )]
    NotFinite {
        /// Which.
        file: File,
        /// The tensor's name.
        tensor: String,
        /// The first such number.
        found: f32,
        /// Its index in the flattened tensor.
        index: usize,
    },
    /// Recorded inputs that are none.
    #[error("{file}: {tensor}, row {row}: expected {expected}, found {found}")]
    Row {
        /// Which.
        file: File,
        /// The tensor's name.
        tensor: &'static str,
        /// The row of the tensor.
        row: usize,
        /// What belongs there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// More than this program loads.
    #[error("{file}: too many {what}: expected at most {limit}, found {found}")]
    Limit {
        /// Which.
        file: File,
        /// Of what.
        what: &'static str,
        /// Accepted.
        limit: usize,
        /// Found.
        found: usize,
    },
    /// A domain that no input can be drawn from.
    #[error("{file}: {source}")]
    Domain {
        /// Which.
        file: File,
        /// What is wrong.
        source: samples::DomainError,
    },
    /// The graph was not accepted; this is a fault of the loader.
    #[error("the network cannot be built: {0}")]
    Graph(#[from] graph::Error),
}

impl LoadError {
    /// The file that the error is about.
    pub fn file(&self) -> Option<File> {
        match self {
            Self::Graph(_) => None,
            Self::MissingFile { file, .. }
            | Self::Io { file, .. }
            | Self::TooLarge { file, .. }
            | Self::NotText { file, .. }
            | Self::Json { file, .. }
            | Self::Key { file, .. }
            | Self::Contradiction { file, .. }
            | Self::Header { file, .. }
            | Self::MissingTensor { file, .. }
            | Self::UnexpectedTensor { file, .. }
            | Self::Shape { file, .. }
            | Self::Dtype { file, .. }
            | Self::NotFinite { file, .. }
            | Self::Row { file, .. }
            | Self::Limit { file, .. }
            | Self::Domain { file, .. } => Some(*file),
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::MissingFile { help, .. } => help.clone(),
            Self::Key { help: Some(help), .. } => help.clone(),
            Self::Io { .. } => "check that the path is a model folder and that its files may be read".to_owned(),
            Self::TooLarge { .. } | Self::Limit { .. } => {
                "this program is for small networks; if the file is right, the network is out of its reach".to_owned()
            }
            Self::NotText { file, .. } | Self::Json { file, .. } => {
                format!("write {file} again as JSON in UTF-8; an interrupted copy is a common cause")
            }
            Self::Key { file, key, .. } => format!("correct {key} in {file}"),
            Self::Contradiction { file, key, other, .. } => format!("correct {key} in {file}, or {other}"),
            Self::Header { .. } => {
                "write the file again with the safetensors library; an interrupted copy is a common cause".to_owned()
            }
            Self::MissingTensor { found, .. } => {
                format!("check that config.json belongs to these weights, which hold {found}")
            }
            Self::UnexpectedTensor { .. } => {
                "correct config.json (is a layer missing there?), or remove the tensor from the file".to_owned()
            }
            Self::Shape { .. } => "check that config.json belongs to these weights".to_owned(),
            Self::Dtype { .. } => "convert the tensor and save the file again".to_owned(),
            Self::NotFinite { .. } => {
                "the training diverged or the file is damaged: there is nothing to decipher in such a network"
                    .to_owned()
            }
            Self::Row { .. } => {
                "write the sample inputs again: whole sequences, padded on the right, positions one after the other"
                    .to_owned()
            }
            Self::Domain { file, .. } => format!("correct input in {file}"),
            Self::Graph(_) => "please report this, with the model folder".to_owned(),
        }
    }
}
