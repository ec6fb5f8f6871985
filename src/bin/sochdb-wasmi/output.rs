//! Where what a command has to say goes: data to stdout, talk to stderr, and with `--json` one
//! object to stdout.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use serde_json::{Value, json};
use sochdb_wasmi::host::logs::Escaped;

use crate::failure::Failure;

/// What a command has to say when it was done, or was tried.
pub struct Report {
    /// What was asked for, for people: stdout.
    pub data: String,
    /// What belongs to it, for people: stderr.
    pub talk: String,
    /// All of it, for programs.
    pub json: Value,
    /// Whether what was asked failed.
    pub failed: bool,
}

/// Prints what a command has to say, and makes an exit code of it.
pub fn finish(outcome: Result<Report, Failure>, json: bool) -> ExitCode {
    let (written, code) = match outcome {
        Ok(report) => {
            let data = if json { line(&report.json) } else { report.data };
            let talk = if json { "" } else { &*report.talk };
            (print(&data, talk), u8::from(report.failed))
        }
        Err(failure) => {
            let object = json!({ "error": failure.json() });
            let data = if json { line(&object) } else { String::new() };
            // It may repeat a text of the module's or of a file's.
            let text = failure.to_string();
            let text = format!("error: {}\n", Escaped::new(&text, usize::MAX));
            (print(&data, &text), failure.code())
        }
    };
    match written {
        Ok(()) => ExitCode::from(code),
        // Whoever reads stdout has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(code),
        Err(_) => ExitCode::from(4),
    }
}

fn line(value: &Value) -> String {
    format!("{value:#}\n")
}

fn print(data: &str, talk: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(data.as_bytes())?;
    stdout.flush()?;
    io::stderr().lock().write_all(talk.as_bytes())
}
