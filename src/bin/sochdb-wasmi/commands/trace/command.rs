//! The commands of `trace` and their options.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use sochdb_wasmi::replay::{Cause, Diff, DiffError, DiffOptions, Stats, diff, stats, verify};

use super::{audit, report, show};
use crate::{
    files::trace_file::TraceFile,
    formats::bytes::from_hex,
    inputs::entry_types::TypeArguments,
    report::{
        failure::Failure,
        output::{Report, object, plain},
    },
};

#[derive(Subcommand)]
pub enum Command {
    /// Lists the events, a line each.
    Show(show::Arguments),
    /// Tells the first difference of two traces.
    Diff(DiffArguments),
    /// Checks that a trace is whole and was not changed.
    Verify(VerifyArguments),
    /// Counts calls, host calls, rows, bytes and fuel.
    Stats(TraceArgument),
    /// Lists the host calls as the host's audit log had them.
    Audit(TraceArgument),
    /// Writes a page for a browser: calls, fuel, tables, denials, logs, and every event.
    Report(report::Arguments),
}

#[derive(Args)]
pub struct TraceArgument {
    /// The trace.
    trace: PathBuf,
}

#[derive(Args)]
pub struct DiffArguments {
    /// The trace that is expected.
    expected: PathBuf,
    /// The one that it is compared with.
    got: PathBuf,
    /// Does not compare clock readings.
    #[arg(long)]
    ignore_time: bool,
    /// Does not compare fuel, and where slices end.
    #[arg(long)]
    ignore_fuel: bool,
    #[command(flatten)]
    types: TypeArguments,
}

#[derive(Args)]
pub struct VerifyArguments {
    /// The trace.
    trace: PathBuf,
    /// The last link that it must have, as `record` printed it: then it is that trace and no other.
    #[arg(long, value_name = "HEX")]
    link: Option<String>,
}

/// Does what was asked for.
pub fn run(command: &Command, json: bool) -> Result<Report, Failure> {
    match command {
        Command::Show(arguments) => show::show(arguments, json),
        Command::Diff(arguments) => difference(arguments),
        Command::Verify(arguments) => check(arguments),
        Command::Stats(arguments) => count(&arguments.trace),
        Command::Audit(arguments) => audit::audit(&arguments.trace, json),
        Command::Report(arguments) => report::report(arguments),
    }
}

fn difference(arguments: &DiffArguments) -> Result<Report, Failure> {
    let DiffArguments { expected, got, ignore_time, ignore_fuel, types } = arguments;
    let types = types.read([])?;
    let options = DiffOptions { ignore_time: *ignore_time, ignore_fuel: *ignore_fuel };
    let (a, b) = (TraceFile::open(expected)?, TraceFile::open(got)?);
    let mut diff = diff(a, b, options).map_err(|DiffError { second, error }| {
        let path = if second { got } else { expected }.clone();
        Failure::Replay { path, error }
    })?;
    if let Some(divergence) = &mut diff.divergence {
        types.name_field(divergence);
    }
    let code = match &diff {
        Diff { divergence: Some(divergence), .. } => divergence.cause.exit_code(),
        Diff { changed_plugins, .. } if !changed_plugins.is_empty() => {
            Cause::PluginChanged.exit_code()
        }
        Diff { expected_broken_off: None, got_broken_off: None, .. } => 0,
        _ => Cause::Truncated.exit_code(),
    };
    let (data, json) = (plain(&text(&diff)), object(&diff.to_json()));
    Ok(Report { data, talk: String::new(), json, code })
}

fn text(diff: &Diff) -> String {
    let mut text = match diff.calls {
        1 => "1 call compared".into(),
        calls => format!("{calls} calls compared"),
    };
    for host in &diff.hosts {
        text += &format!(", {host}");
    }
    if !diff.changed_plugins.is_empty() {
        text += &format!(", changed: {}", diff.changed_plugins.join(", "));
    }
    text += if diff.divergence.is_none() { ": the same\n" } else { ": they differ\n" };
    for (which, broken_off) in
        [("first", &diff.expected_broken_off), ("second", &diff.got_broken_off)]
    {
        if let Some(error) = broken_off {
            text += &format!("of the {which}, {error}\n");
        }
    }
    if let Some(divergence) = &diff.divergence {
        text += &divergence.to_string();
    }
    text
}

fn check(arguments: &VerifyArguments) -> Result<Report, Failure> {
    let VerifyArguments { trace: path, link } = arguments;
    let wanted = match link {
        None => None,
        Some(text) => match from_hex(text).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) {
            Some(link) => Some(link),
            None => return Err(Failure::Usage { reason: "a link is 32 bytes in hex".into() }),
        },
    };
    let verified = verify(TraceFile::open(path)?)
        .map_err(|error| Failure::Trace { path: path.clone(), error })?;
    if wanted.is_some_and(|wanted| wanted != verified.link) {
        return Err(Failure::OtherTrace { path: path.clone(), link: verified.link });
    }
    let (data, json) = (format!("{verified}\n"), object(&verified.to_json()));
    Ok(Report { data, talk: String::new(), json, code: 0 })
}

fn count(path: &Path) -> Result<Report, Failure> {
    let stats = stats(TraceFile::open(path)?)
        .map_err(|error| Failure::Trace { path: path.into(), error })?;
    // Figures of a part of a trace are true of that part.
    let talk = match &stats.broken_off {
        Some(error) => format!("{}: {error}\n", path.display()),
        None => String::new(),
    };
    let (data, json) = (figures(&stats), object(&stats.to_json()));
    Ok(Report { data, talk, json, code: 0 })
}

/// Figures as two tables, with names of functions and entry points last.
fn figures(stats: &Stats) -> String {
    let mut text = format!(
        "{} events in {} µs, {} growths of memory refused\n\n",
        stats.events, stats.time_us, stats.refused_growths
    );
    let titles =
        ["calls", "failed", "host calls", "least fuel", "mean fuel", "most fuel", "memory"];
    text += &row(titles.map(String::from), "entry point");
    for of in &stats.entries {
        let numbers = [of.calls, of.failures, of.host_calls, of.fuel_min, of.fuel_mean()];
        let [a, b, c, d, e] = numbers.map(|number| number.to_string());
        let (most, memory) = (of.fuel_max.to_string(), of.memory_bytes.to_string());
        text += &row([a, b, c, d, e, most, memory], &format!("{}.{}", of.plugin, of.entry));
    }
    text += "\n";
    let titles = ["calls", "failed", "denied", "rows", "bytes in", "bytes out", "fuel"];
    text += &row(titles.map(String::from), "host function");
    for of in &stats.functions {
        let numbers =
            [of.calls, of.failures, of.denied, of.rows, of.bytes_in, of.bytes_out, of.fuel];
        text += &row(numbers.map(|number| number.to_string()), &of.function);
    }
    plain(&text)
}

fn row(numbers: [String; 7], name: &str) -> String {
    let cells = numbers.map(|number| format!("{number:>10}"));
    format!("{}  {name}\n", cells.join(" "))
}
