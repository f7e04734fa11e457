//! What leaves the process: stdout, stderr, and files that are there whole or not at all.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Prints a result.
///
/// # Errors
/// Where stdout cannot be written.
pub(crate) fn to_stdout(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        // Whoever closed the pipe has read enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| Failure::new(format!("cannot write to stdout: {error}"))),
    }
}

/// Prints a message; where even that fails nothing is left to do.
pub(crate) fn to_stderr(text: &str) {
    _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// An object as the one JSON document that a command prints.
///
/// # Errors
/// Numbers that JSON does not have, a fault of the engine.
pub(crate) fn json_text(object: &impl serde::Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(object);
    text.map(|text| text + "\n").map_err(|error| Failure::new(format!("the result cannot be written as JSON: {error}")))
}

/// Reads a text file.
///
/// # Errors
/// A file that is not there, cannot be read, or is no UTF-8.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::at(path, format!("cannot read: {error}")))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::at(path, format!("expected UTF-8 text, found other bytes at offset {at}"))
    })
}

/// A folder that results are written into.
pub(crate) struct OutFolder {
    path: PathBuf,
}

impl OutFolder {
    /// Makes the folder and makes sure, before any long work, that files can be written there.
    ///
    /// # Errors
    /// A folder that cannot be made or written to.
    pub(crate) fn prepare(path: &Path) -> Result<Self, Failure> {
        let hint = "--out needs a folder that can be written to";
        std::fs::create_dir_all(path)
            .map_err(|error| Failure::at(path, format!("cannot make the folder: {error}")).hint(hint))?;
        let probe = path.join(format!(".ventris-{}", std::process::id()));
        std::fs::write(&probe, b"")
            .and_then(|()| std::fs::remove_file(&probe))
            .map_err(|error| Failure::at(path, format!("cannot write into the folder: {error}")).hint(hint))?;
        Ok(Self { path: path.to_owned() })
    }

    /// Removes what an earlier run left under a name, so that old and new results are never mixed.
    pub(crate) fn clear(&self, name: &str) -> Result<(), Failure> {
        let path = self.path.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Failure::at(&path, format!("cannot replace: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// The path of a file in the folder, as text.
    pub(crate) fn path_of(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    /// Writes a file whole: under another name first, then renamed.
    ///
    /// # Errors
    /// A disk that is full or gone.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        write_whole(&self.path.join(name), text)
    }
}

/// Writes a file whole: beside its place first, then renamed.
///
/// # Errors
/// A disk that is full or gone, a folder that cannot be written to.
pub(crate) fn write_whole(path: &Path, text: &str) -> Result<(), Failure> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let part = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, path));
    written.map_err(|error| {
        _ = std::fs::remove_file(&part);
        Failure::at(path, format!("cannot write: {error}"))
    })
}
