//! How much is printed on stderr: `--quiet` and `--verbose`. Set once, before a command runs.

use std::sync::OnceLock;

static VERBOSITY: OnceLock<Verbosity> = OnceLock::new();

/// How much is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// Only data and errors.
    Quiet,
    /// Summaries, logs of plugins and progress, too.
    Usual,
    /// And every host call, as it ends.
    Verbose,
}

/// From now on, so much is printed.
pub fn set(verbosity: Verbosity) {
    // It is set by `main` alone.
    let _ = VERBOSITY.set(verbosity);
}

/// How much is printed.
pub fn get() -> Verbosity {
    VERBOSITY.get().copied().unwrap_or(Verbosity::Usual)
}

/// Whether only data and errors are printed.
pub fn is_quiet() -> bool {
    get() == Verbosity::Quiet
}
