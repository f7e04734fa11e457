//! DSL files: those given on the command line, what they include, and the shipped ones.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use dsl::Language;
use graph::Family;
use report::LanguageFile;

use crate::args::Common;
use crate::failure::Failure;
use crate::output::{self, read_text};

/// The shipped DSL of a family of networks.
pub(crate) fn shipped_for(family: Family) -> &'static str {
    match family {
        Family::Rnn => "recurrent",
        Family::HookedTransformer => "rasp",
        Family::Gpt2 => "sequences",
    }
}

/// The language of some DSL files, or of the shipped DSL of this name where none is given; and its text, so that it can
/// be written beside what was found with it.
///
/// # Errors
/// Files that cannot be read; everything that is wrong in them.
pub(crate) fn load(files: &[PathBuf], default: &str) -> Result<(Language, LanguageFile), Failure> {
    if let [file] = files {
        let (origin, text) = text_of(file)?;
        return parse(&origin, &text, &[folder(file)]);
    }
    if files.is_empty() {
        let root = Language::shipped(default).unwrap_or_default();
        return parse(default, root, &[]);
    }
    for file in files {
        text_of(file)?;
    }
    let root: String = files.iter().map(|file| format!("(include {:?})\n", file.display().to_string())).collect();
    let mut folders = vec![PathBuf::new()];
    folders.extend(files.iter().map(|file| folder(file)));
    parse("command line", &root, &folders)
}

/// A DSL file, or a shipped DSL by its name.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn text_of(file: &Path) -> Result<(String, String), Failure> {
    let name = file.display().to_string();
    match Language::shipped(&name) {
        Some(text) if !file.exists() => Ok((name, text.to_owned())),
        _ if !file.exists() => Err(Failure::at(file, "there is no such file")
            .hint(format!("a DSL file, or the name of a shipped DSL: {}", Language::SHIPPED.join(", ")))),
        _ => Ok((name, read_text(file)?)),
    }
}

/// Reads a language, its includes beside the file or shipped.
///
/// # Errors
/// Everything that is wrong with the text.
pub(crate) fn parse(origin: &str, root: &str, folders: &[PathBuf]) -> Result<(Language, LanguageFile), Failure> {
    let included = RefCell::new(Vec::<(String, String)>::new());
    let folders = RefCell::new(folders.to_vec());
    let include = |name: &str| {
        let found = folders.borrow().iter().find_map(|own| {
            let paths = [own.join(name), own.join(format!("{name}.dsl"))];
            paths.into_iter().find_map(|path| Some((std::fs::read_to_string(&path).ok()?, folder(&path))))
        });
        let found = found.map(|(text, own)| {
            // What an included file includes may lie beside it.
            if !folders.borrow().contains(&own) {
                folders.borrow_mut().push(own);
            }
            text
        });
        if let Some(text) = &found
            && included.borrow().iter().all(|(known, _)| known != name)
        {
            included.borrow_mut().push((name.to_owned(), text.clone()));
        }
        found.or_else(|| Language::shipped(name).map(str::to_owned))
    };
    let language = Language::parse(origin, root, &include)?;
    Ok((language, LanguageFile { root: root.to_owned(), includes: included.into_inner() }))
}

/// Says what is questionable in a language, unless nothing is to be said.
pub(crate) fn warn(language: &Language, common: &Common) {
    if !common.quiet {
        language.warnings.iter().for_each(|warning| output::to_stderr(&warning.to_string()));
    }
}

/// The folder that a file lies in.
pub(crate) fn folder(file: &Path) -> PathBuf {
    file.parent().map(Path::to_path_buf).unwrap_or_default()
}
