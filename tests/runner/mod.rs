//! Starting programs that are built for the target, which need not be this machine.

use std::{env, ffi::OsStr, process::Command};

/// Starts a program of this build: by `SOCHDB_WASMI_RUNNER`, an emulator with its arguments, if that
/// is set, as `.ci/cross.sh` does. The kernel alone would not know what to do with the file.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let runner = env::var("SOCHDB_WASMI_RUNNER").unwrap_or_default();
    let mut words = runner.split_whitespace();
    let Some(emulator) = words.next() else { return Command::new(program) };
    let mut command = Command::new(emulator);
    command.args(words).arg(program);
    command
}

/// Whether programs of this build run in an emulator.
#[allow(dead_code, reason = "each test file uses a part")]
pub fn is_emulated() -> bool {
    env::var("SOCHDB_WASMI_RUNNER").is_ok_and(|runner| !runner.trim().is_empty())
}
