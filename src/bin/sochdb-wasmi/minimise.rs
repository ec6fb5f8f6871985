//! `minimise`: a failing trace made small, and a test of it.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use serde_json::json;
use sochdb_wasmi::replay::{MinimiseError, Minimised, Minimiser};

use crate::{
    failure::Failure,
    files,
    output::{Report, plain},
    progress,
    replay::PluginArguments,
    trace_file::TraceFile,
};

#[derive(Args)]
pub struct Arguments {
    /// The trace.
    trace: PathBuf,
    #[command(flatten)]
    plugins: PluginArguments,
    /// The plugin that was recorded, if --plugin is a changed one that does something else.
    #[arg(long, value_name = "FILE")]
    recorded: Vec<PathBuf>,
    /// The small trace to write.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Writes a test in Rust that replays the small trace, for a package whose directory this is
    /// run in.
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
    /// How often the plugin may run.
    #[arg(long, value_name = "N", default_value_t = 2000)]
    tries: u32,
}

/// Makes the trace small.
pub fn minimise(arguments: &Arguments) -> Result<Report, Failure> {
    let Arguments { trace: path, out, .. } = arguments;
    let plugins = arguments.plugins.read()?;
    let mut minimiser = Minimiser::new(plugins.replayer()).with_tries(arguments.tries);
    let recorded =
        arguments.recorded.iter().map(|path| files::read(path)).collect::<Result<Vec<_>, _>>()?;
    if !recorded.is_empty() {
        let replayer = sochdb_wasmi::replay::Replayer::new();
        let replayer = recorded.iter().fold(replayer, |r, wasm| r.with_plugin(wasm));
        minimiser = minimiser.with_recorded(replayer);
    }
    let trace = TraceFile::open(path)?;
    let before = trace.len();
    let spinner = progress::spinner(format!("making {} smaller", path.display()));
    spinner.enable_steady_tick(Duration::from_millis(100));
    let minimised = minimiser.minimise(trace);
    spinner.finish_and_clear();
    let minimised = minimised.map_err(|error| {
        let path = path.clone();
        match error {
            MinimiseError::Replay(error) => Failure::Replay { path, error },
            error => Failure::Minimise { path, error },
        }
    })?;
    files::write(out, &minimised.trace)?;
    if let Some(test) = &arguments.test {
        files::write(test, test_file(arguments, &minimised, test).as_bytes())?;
    }
    Ok(report(arguments, &minimised, before))
}

fn report(arguments: &Arguments, minimised: &Minimised, before: u64) -> Report {
    let Minimised { trace, failure, calls_before, calls, tries, exhausted } = minimised;
    let data = format!("{failure}\n");
    let mut talk = format!(
        "{calls} of {calls_before} calls, {} of {before} bytes, in {} after {tries} tries\n",
        trace.len(),
        arguments.out.display()
    );
    if *exhausted {
        talk += "it might be smaller: there were not enough tries (--tries)\n";
    }
    if let Some(test) = &arguments.test {
        let _ = writeln!(talk, "a test of it is in {}", test.display());
    }
    let json = json!({
        "failure": failure.to_string(),
        "calls_before": calls_before,
        "calls": calls,
        "bytes_before": before,
        "bytes": trace.len(),
        "tries": tries,
        "exhausted": exhausted,
        "out": arguments.out.display().to_string(),
        "test": arguments.test.as_ref().map(|test| test.display().to_string()),
    });
    Report { data: plain(&data), talk, json, code: 0 }
}

/// The test. It has the plugin's path as seen from the test's own file.
fn test_file(arguments: &Arguments, minimised: &Minimised, test: &Path) -> String {
    // A divergence is one from the plugin that was recorded; the test is of the one that changed.
    let plugin = arguments.plugins.first();
    let up = test.parent().map_or(0, |parent| parent.components().count());
    let plugin = match (plugin.is_relative(), test.is_relative()) {
        (true, true) => format!("{}{}", "../".repeat(up), plugin.display()),
        _ => std::path::absolute(plugin).as_deref().unwrap_or(plugin).display().to_string(),
    };
    minimised.rust_test(&arguments.out.display().to_string(), &plugin)
}
