//! Progress bars for long work, on terminals only: in a pipe nothing is drawn.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::quiet;

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

/// Nothing is drawn with `--quiet`.
fn drawn(bar: ProgressBar) -> ProgressBar {
    if quiet::is_set() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}
