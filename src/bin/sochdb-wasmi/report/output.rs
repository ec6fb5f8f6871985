//! Where a command's output goes: data to stdout, diagnostics to stderr, and with `--json` one
//! object to stdout.

use std::{
    io::{self, BufWriter, StdoutLock, Write},
    process::ExitCode,
};

use serde_json::{Value, json};
use sochdb_wasmi::host::logs::Escaped;

use super::{failure::Failure, verbosity};

/// What a command has to say when it was done, or was tried.
pub struct Report {
    /// What was asked for, for people: stdout.
    pub data: String,
    /// What belongs to it, for people: stderr.
    pub talk: String,
    /// All of it, for programs; null if it was printed while it was made.
    pub json: Value,
    /// The exit code: not 0 if what was asked failed, or found something.
    pub code: u8,
}

/// Prints what a command has to say, and makes an exit code of it.
pub fn finish(outcome: Result<Report, Failure>, json: bool) -> ExitCode {
    let code = match &outcome {
        Ok(report) => report.code,
        Err(failure) => failure.code(),
    };
    match show(outcome, json) {
        Ok(()) => ExitCode::from(code),
        // Whoever reads stdout has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(code),
        Err(error) => {
            unwritten(&error);
            ExitCode::from(4)
        }
    }
}

/// Says that stdout could not be written.
pub fn unwritten(error: &io::Error) {
    // If stderr cannot be written either, nobody can be told.
    let _ = writeln!(io::stderr().lock(), "error: stdout: {error}");
}

/// Prints what a command has to say.
pub fn show(outcome: Result<Report, Failure>, json: bool) -> io::Result<()> {
    let (data, talk) = match outcome {
        // It was printed while it was made.
        Ok(report) if report.json.is_null() => (String::new(), talk(report.talk, report.code)),
        Ok(report) if json => (line(&report.json), String::new()),
        Ok(report) => (report.data, talk(report.talk, report.code)),
        Err(failure) => {
            let object = json!({ "error": failure.json() });
            let data = if json { line(&object) } else { String::new() };
            (data, error(&failure))
        }
    };
    let mut stdout = io::stdout().lock();
    stdout.write_all(data.as_bytes())?;
    stdout.flush()?;
    // The exit code says how it went, whether anybody reads this or not.
    let _ = io::stderr().lock().write_all(talk.as_bytes());
    Ok(())
}

/// An object that the library wrote.
pub fn object(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| json!({ "error": error.to_string() }))
}

/// A line on stderr for who waits; nothing with `--quiet`.
pub fn note(text: &str) {
    if !verbosity::is_quiet() {
        // Nobody can be told that stderr is closed.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

/// What belongs to the data; with `--quiet` only of what failed.
fn talk(talk: String, code: u8) -> String {
    if code == 0 && verbosity::is_quiet() { String::new() } else { talk }
}

fn line(value: &Value) -> String {
    format!("{value:#}\n")
}

fn error(failure: &Failure) -> String {
    // It may repeat a text of the module's or of a file's.
    format!("error: {}\n", plain(&failure.to_string()))
}

/// Lines without anything that changes what is around them on a terminal.
pub fn plain(text: &str) -> String {
    let lines: Vec<_> =
        text.split('\n').map(|line| Escaped::new(line, usize::MAX).to_string()).collect();
    lines.join("\n")
}

/// A list that is too long to be kept until its end: printed item by item, a line for each, and
/// with `--json` an object of which it is a field.
pub struct Listing {
    out: BufWriter<StdoutLock<'static>>,
    json: bool,
    empty: bool,
    failed: Option<io::Error>,
}

impl Listing {
    /// Begins the list that is called `name`.
    pub fn begin(name: &str, json: bool) -> Self {
        let out = BufWriter::new(io::stdout().lock());
        let mut listing = Self { out, json, empty: true, failed: None };
        if json {
            listing.write(&format!("{{\n  {}: [", Value::from(name)));
        }
        listing
    }

    /// One more item. Whether anybody reads further.
    pub fn item(&mut self, text: impl FnOnce() -> String, json: impl FnOnce() -> Value) -> bool {
        if self.json {
            let comma = if self.empty { "" } else { "," };
            self.write(&format!("{comma}\n    {}", json()));
        } else {
            self.write(&plain(&text()));
            self.write("\n");
        }
        self.empty = false;
        self.failed.is_none()
    }

    /// Ends the list, with why it is not whole if it is not.
    pub fn end(mut self, outcome: Result<(), Failure>) -> Report {
        let (value, talk, code) = match &outcome {
            Ok(()) => (Value::Null, String::new(), 0),
            Err(failure) => (failure.json(), error(failure), failure.code()),
        };
        if self.json {
            self.write(&format!("\n  ],\n  \"error\": {value}\n}}\n"));
        }
        let written = self.failed.map_or_else(|| self.out.flush(), Err);
        let code = match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                unwritten(&error);
                4
            }
            Ok(()) | Err(_) => code,
        };
        Report { data: String::new(), talk, json: Value::Null, code }
    }

    fn write(&mut self, text: &str) {
        if self.failed.is_none() {
            self.failed = self.out.write_all(text.as_bytes()).err();
        }
    }
}
