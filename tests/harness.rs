//! Finding, building and running the binary; copying model folders.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value as Json;

/// Says that a test was skipped, past the capture of passing tests' output.
macro_rules! skipped {
    ($($message:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "SKIPPED: {}", format_args!($($message)*));
    }};
}
pub(crate) use skipped;

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lie in the repository").to_path_buf()
}

/// One of the networks that the project ships.
pub(crate) fn network(name: &str) -> PathBuf {
    root().join("benchmarks/networks").join(name)
}

/// The two shipped networks: one recurrent, one with attention.
pub(crate) const NETWORKS: [&str; 2] = ["saturating_counter", "same_as_first"];

/// The binary, built in the profile of this test.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(given) = std::env::var_os("VENTRIS_BIN") {
            return given.into();
        }
        // target/<profile>/deps/e2e-<hash>
        let own = std::env::current_exe().expect("the test has a path");
        let profile = own.ancestors().nth(2).expect("tests run from the target folder");
        let target = profile.parent().expect("profiles lie in the target folder");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "-p", "ventris"]).current_dir(root()).arg("--target-dir").arg(target);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        if cfg!(feature = "vendored-z3") {
            build.args(["--features", "vendored-z3"]);
        }
        assert!(build.status().expect("cargo runs").success(), "the binary is built");
        profile.join(format!("ventris{}", std::env::consts::EXE_SUFFIX))
    })
}

/// What a run left behind.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Stdout as one JSON object.
    #[track_caller]
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in stdout {:?}, stderr {:?}", self.stdout, self.stderr))
    }

    /// Asserts an error as it should be: exit code 1, nothing on stdout, and a message that holds all of `parts`.
    #[track_caller]
    pub(crate) fn fails_with(&self, parts: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (1, ""), "stderr: {}", self.stderr);
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is not in: {}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }
}

/// Runs the binary.
pub(crate) fn ventris<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    let output = Command::new(binary()).args(args).output().expect("the binary runs");
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs the binary with arguments separated by spaces, and paths put in for `{0}`, `{1}`, ...
pub(crate) fn run(line: &str, paths: &[&Path]) -> Run {
    ventris(line.split_whitespace().map(|word| {
        let place = word.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match place.and_then(|place| place.parse::<usize>().ok()) {
            Some(place) => paths[place].as_os_str().to_owned(),
            None => word.into(),
        }
    }))
}

/// A copy of a shipped network that a test may spoil.
pub(crate) fn copy_of(name: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a temporary folder");
    for entry in std::fs::read_dir(network(name)).expect("the network is there") {
        let entry = entry.expect("readable");
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("copied");
    }
    copy
}

/// Writes a file into a folder and gives its path.
pub(crate) fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path
}

/// The words of a program text: names, operators, constants.
pub(crate) fn words(program: &str) -> Vec<&str> {
    program.split(|c: char| c.is_whitespace() || "()".contains(c)).filter(|word| !word.is_empty()).collect()
}
