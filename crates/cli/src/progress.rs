//! Progress on stderr: a spinner on a terminal once work lasts over a second, log lines where asked for.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::Common;
use crate::output::to_stderr;

/// How long work may last in silence.
const PATIENCE: Duration = Duration::from_secs(1);

/// Shows what is going on, or keeps quiet.
pub(crate) struct Progress {
    start: Instant,
    verbose: bool,
    quiet: bool,
    bar: Mutex<Option<ProgressBar>>,
}

impl Progress {
    pub(crate) fn new(common: &Common) -> Self {
        Self { start: Instant::now(), verbose: common.verbose, quiet: common.quiet, bar: Mutex::new(None) }
    }

    /// Tells what is being done now.
    pub(crate) fn say(&self, message: &str) {
        if self.quiet {
            return;
        }
        if self.verbose {
            to_stderr(&format!("[{:7.2} s] {message}", self.start.elapsed().as_secs_f64()));
            return;
        }
        if self.start.elapsed() < PATIENCE {
            return;
        }
        let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = bar.get_or_insert_with(|| {
            // Draws on a terminal only.
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.set_message(message.to_owned());
    }

    /// Takes the spinner away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}
