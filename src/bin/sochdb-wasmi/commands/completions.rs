//! `completions`: a script for a shell, made by `clap_complete`.

use clap::{Args, Command};
use clap_complete::Shell;
use serde_json::json;

use crate::report::output::Report;

#[derive(Args)]
pub struct Arguments {
    /// The shell.
    shell: Shell,
}

/// Makes the script.
pub fn completions(arguments: &Arguments, command: &mut Command) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, command, "sochdb-wasmi", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let json = json!({ "shell": arguments.shell.to_string(), "script": script });
    Report { data: script, talk: String::new(), json, code: 0 }
}
