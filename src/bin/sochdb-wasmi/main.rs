//! The command line `sochdb-wasmi`: runs plugins, records and replays what they do, looks into them,
//! and begins new ones.
//!
//! One file for each command in `commands/`. A command makes a [`Report`](output::Report) or a
//! [`Failure`](report::failure::Failure) and prints nothing itself; `report/` says what goes where, and
//! with which exit code. `docs/cli.md` is for those who use it.
//!
//! Rooms, each above those after it: `commands`, `session` (a plugin that is called), `inputs`, `files`,
//! `report`, `formats`.

#![allow(clippy::result_large_err, reason = "a failure is made once and ends the program")]
// A new variant of a closed list must be decided on wherever the list is matched.
#![deny(clippy::wildcard_enum_match_arm)]

mod commands;
mod files;
mod formats;
mod inputs;
mod report;
mod session;

use clap::{CommandFactory, Parser, Subcommand};

use crate::{
    commands::{
        completions, db, inspect, man, minimise, new, record, replay, run, trace, watch, what_if,
    },
    files::signals,
    report::{
        output::{self, Report},
        verbosity::{self, Verbosity},
    },
};

const EXIT_CODES: &str = "\
Exit codes:
   0  success; a replay or a diff found no difference
   1  the attempt failed: the plugin trapped, returned an error, or would not load (inspect);
      something would be denied (what-if); the trace does not fail (minimise);
      the databases differ (db diff)
   2  the command line is invalid
   3  an input is refused: not a module, an invalid manifest, an input of another type
   4  a file could not be read or written

Of a replay or a trace diff, by the likely cause of the first divergence:
  10  different-input      14  memory     18  different-request
  11  different-answer     15  missing    19  different-setup
  12  plugin-changed       16  extra      20  time
  13  fuel                 17  truncated: the trace breaks off, everything before that is as recorded
  21  redaction: the plugin may depend on a redacted value

Of a trace:
  30  damaged: the chain is broken, events were moved, or it is not a trace
  31  recorded with another module than the given one
  32  cannot be replayed: digests only, redacted, no calls, another ABI version
  33  whole, but its last link is not the given one (trace verify)
  34  the plugin makes a host call that was not recorded

Data goes to stdout; logs, summaries and errors go to stderr. With --json, stdout is one
JSON object, also when the command fails, unless its options are invalid.";

/// What stands at the end of the help of a command.
macro_rules! example {
    ($example:literal) => {
        concat!("Example:\n  ", $example, "\n\nExit codes: sochdb-wasmi help exit-codes")
    };
}

/// Runs SochDB plugins (WebAssembly) on a desk, as a device would.
#[derive(Parser)]
#[command(version, after_help = "Exit codes: sochdb-wasmi help exit-codes", max_term_width = 100)]
struct Cli {
    /// Print one JSON object on stdout.
    #[arg(long, global = true)]
    json: bool,
    /// Print no summaries, logs of plugins or progress on stderr; errors stay.
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Print every host call on stderr, as it ends: time, function, table, result, rows and bytes.
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    verbose: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Calls an entry point of a plugin and reports what it cost.
    #[command(after_help = example!("sochdb-wasmi run weather.wasm month_report --input '\"2014-07\"' \\
      --manifest weather.toml --load weather=days.csv"))]
    Run(run::Arguments),
    /// Calls entry points and writes a trace, which can be replayed without tables and files.
    #[command(after_help = example!("sochdb-wasmi record weather.wasm --calls calls.jsonl --manifest weather.toml --out job.trace"))]
    Record(record::Arguments),
    /// Runs a plugin on the answers of a trace and reports where it diverges.
    #[command(after_help = example!("sochdb-wasmi replay job.trace --plugin weather.wasm"))]
    Replay(replay::Arguments),
    /// Reports which recorded calls another manifest would deny, or writes the narrowest manifest.
    #[command(after_help = example!("sochdb-wasmi what-if job.trace --manifest narrower.toml"))]
    WhatIf(what_if::Arguments),
    /// Shrinks a failing trace: fewer calls, rows and bytes, as long as it fails the same way.
    #[command(after_help = example!("sochdb-wasmi minimise failing.trace --plugin weather.wasm --out small.trace"))]
    Minimise(minimise::Arguments),
    /// Inspects traces.
    #[command(subcommand, after_help = example!("sochdb-wasmi trace show job.trace --function log_message --grep rejected"))]
    Trace(trace::Command),
    /// Shows what a database holds: a file of --db, or a dump of a device's flash.
    #[command(subcommand, after_help = example!("sochdb-wasmi db show weather.redb weather --where kind=rain"))]
    Db(db::Command),
    /// Describes a plugin, what it needs, and whether it loads.
    #[command(after_help = example!("sochdb-wasmi inspect weather.wasm --manifest weather.toml"))]
    Inspect(inspect::Arguments),
    /// Writes a plugin project that builds and passes its own test.
    #[command(after_help = example!("sochdb-wasmi new notes --path ../sochdb-wasmi"))]
    New(new::Arguments),
    /// Prints a script that completes commands and options in a shell.
    #[command(after_help = example!("sochdb-wasmi completions bash > ~/.local/share/bash-completion/completions/sochdb-wasmi"))]
    Completions(completions::Arguments),
    /// Prints a manual page, or writes all of them.
    #[command(after_help = example!("sochdb-wasmi man --out ~/.local/share/man/man1"))]
    Man(man::Arguments),
    /// Lists the exit codes.
    #[command(override_help = EXIT_CODES)]
    ExitCodes,
}

fn main() -> std::process::ExitCode {
    signals::install();
    let cli = Cli::parse();
    let json = cli.json;
    verbosity::set(match (cli.quiet, cli.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, false) => Verbosity::Usual,
        (false, true) => Verbosity::Verbose,
    });
    let outcome = match &cli.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Record(arguments) => record::record(arguments),
        Command::Replay(arguments) if arguments.watch => {
            return watch::watch(|| arguments.files(), || replay::replay(arguments), json);
        }
        Command::Replay(arguments) => replay::replay(arguments),
        Command::WhatIf(arguments) => what_if::run(arguments),
        Command::Minimise(arguments) => minimise::minimise(arguments),
        Command::Trace(command) => trace::run(command, json),
        Command::Db(command) => db::run(command, json),
        Command::Inspect(arguments) => inspect::inspect(arguments),
        Command::New(arguments) => new::new(arguments),
        Command::Man(arguments) => man::man(arguments, Cli::command()),
        Command::ExitCodes => Ok(exit_codes()),
        Command::Completions(arguments) => {
            Ok(completions::completions(arguments, &mut Cli::command()))
        }
    };
    output::finish(outcome, json)
}

fn exit_codes() -> Report {
    let lines: Vec<_> = EXIT_CODES.lines().collect();
    let json = serde_json::json!({ "exit_codes": lines });
    Report { data: format!("{EXIT_CODES}\n"), talk: String::new(), json, code: 0 }
}
