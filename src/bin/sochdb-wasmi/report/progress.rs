//! Progress bars for long work, on terminals only: in a pipe nothing is drawn.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::verbosity;

/// A bar of so many steps, on stderr.
pub fn bar(steps: u64, doing: impl Into<String>) -> ProgressBar {
    let bar = drawn(ProgressBar::new(steps)).with_message(doing.into());
    match ProgressStyle::with_template("{msg} {bar:40} {percent}%") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Something that turns, on stderr, for what nobody knows the length of.
pub fn spinner(doing: impl Into<String>) -> ProgressBar {
    drawn(ProgressBar::new_spinner()).with_message(doing.into())
}

/// Does something that may take long, as a commit to a file does.
pub fn during<R>(doing: &'static str, work: impl FnOnce() -> R) -> R {
    let spinner = spinner(doing);
    spinner.enable_steady_tick(Duration::from_millis(100));
    let done = work();
    spinner.finish_and_clear();
    done
}

/// Nothing is drawn with `--quiet`.
fn drawn(bar: ProgressBar) -> ProgressBar {
    if verbosity::is_quiet() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}
