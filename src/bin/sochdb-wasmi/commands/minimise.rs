//! `minimise`: shrinks a failing trace and writes a test from it.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Args;
use serde_json::json;
use sochdb_wasmi::replay::{MinimiseError, Minimised, Minimiser, Progress};

use super::replay::PluginArguments;
use crate::{
    files::{
        self,
        trace_file::{Source, TraceFile},
    },
    report::{
        failure::Failure,
        output::{Report, plain},
        progress,
    },
};

#[derive(Args)]
pub struct Arguments {
    /// The trace.
    trace: PathBuf,
    #[command(flatten)]
    plugins: PluginArguments,
    /// The recorded plugin, if --plugin is a changed one that diverges from it.
    #[arg(long, value_name = "FILE")]
    recorded: Vec<PathBuf>,
    /// The small trace to write.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Writes a test in Rust that replays the small trace, for a package whose directory this is
    /// run in.
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
    /// How many times plugins may run.
    #[arg(long, value_name = "N", default_value_t = 2000)]
    tries: u32,
    /// How long to look for a smaller trace.
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
}

/// Traces below this length are made small before anybody wonders.
const LONG: u64 = 64 << 10;

/// How often it says how far it is where nothing is drawn.
const EVERY: Duration = Duration::from_secs(2);

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
    arguments.plugins.check(std::slice::from_ref(path))?;
    let trace = TraceFile::open(path)?;
    let before = trace.len();
    let (minimised, unwritten) = search(arguments, &minimiser, trace);
    if let Some(failure) = unwritten {
        return Err(failure);
    }
    let minimised = minimised.map_err(|error| {
        let path = path.clone();
        if let MinimiseError::Replay(error) = error {
            Failure::Replay { path, error }
        } else {
            Failure::Minimise { path, error }
        }
    })?;
    files::write(out, &minimised.trace)?;
    if let Some(test) = &arguments.test {
        files::write(test, test_file(arguments, &minimised, test).as_bytes())?;
    }
    Ok(report(arguments, &minimised, before))
}

/// Looks for a smaller trace. Each that is found is written at once, so that there is one when this is
/// ended early; what went wrong with that is the second.
fn search(
    arguments: &Arguments,
    minimiser: &Minimiser<'_>,
    trace: TraceFile<Source>,
) -> (Result<Minimised, MinimiseError>, Option<Failure>) {
    let Arguments { trace: path, out, seconds, .. } = arguments;
    let doing = format!("making {} smaller", path.display());
    let spinner = progress::spinner(doing.clone());
    spinner.enable_steady_tick(Duration::from_millis(100));
    let drawn = io::stderr().is_terminal();
    let long = trace.len() >= LONG;
    let (begun, mut said) = (Instant::now(), Instant::now());
    let mut unwritten = None;
    let minimised = minimiser.minimise_watched(trace, &mut |progress| {
        let Progress { tries, calls, bytes, .. } = *progress;
        let tries = if tries == 1 { "1 try".into() } else { format!("{tries} tries") };
        let so_far = format!("{doing}: {calls} calls, {bytes} bytes after {tries}");
        if drawn {
            spinner.set_message(so_far);
        } else if (long && progress.trace.is_some()) || said.elapsed() >= EVERY {
            said = Instant::now();
            // Nobody reads it: then it is not said.
            let _ = writeln!(io::stderr(), "{}", plain(&so_far));
        }
        if let Some(trace) = progress.trace
            && let Err(failure) = files::write(out, trace)
        {
            unwritten = Some(failure);
            return ControlFlow::Break(());
        }
        match seconds {
            Some(seconds) if begun.elapsed() >= Duration::from_secs(*seconds) => {
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    });
    spinner.finish_and_clear();
    (minimised, unwritten)
}

fn report(arguments: &Arguments, minimised: &Minimised, before: u64) -> Report {
    let Minimised { trace, failure, calls_before, calls, tries, exhausted, .. } = minimised;
    let data = format!("{failure}\n");
    let mut talk = format!(
        "{calls} of {calls_before} calls, {} of {before} bytes, in {} after {tries} tries\n",
        trace.len(),
        arguments.out.display()
    );
    if *exhausted {
        talk +=
            "it might be smaller: there were not enough tries or seconds (--tries, --seconds)\n";
    }
    if let Some(test) = &arguments.test {
        let _ = writeln!(talk, "the test is in {}", test.display());
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

/// The test. It has the plugins' paths as seen from the test's own file.
fn test_file(arguments: &Arguments, minimised: &Minimised, test: &Path) -> String {
    // A divergence is one from the plugin that was recorded; the test is of the one that changed.
    let up = test.parent().map_or(0, |parent| parent.components().count());
    let seen = |plugin: &Path| match (plugin.is_relative(), test.is_relative()) {
        (true, true) => format!("{}{}", "../".repeat(up), plugin.display()),
        _ => std::path::absolute(plugin).as_deref().unwrap_or(plugin).display().to_string(),
    };
    let plugins: Vec<String> = arguments.plugins.paths().map(seen).collect();
    minimised.rust_test_of(&arguments.out.display().to_string(), &plugins)
}
