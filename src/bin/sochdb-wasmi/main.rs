//! The command line `sochdb-wasmi`: runs plugins, looks into them, and begins new ones.
//!
//! One file for each command. A command makes a [`Report`](output::Report) or a
//! [`Failure`](failure::Failure) and prints nothing itself; what goes where, and which exit code
//! that is, is in `output.rs` and `failure.rs`. `docs/cli.md` is for those who use it.

#![allow(clippy::result_large_err, reason = "a failure is made once and ends the program")]

mod bytes;
mod denials;
mod failure;
mod files;
mod inspect;
mod load;
mod logger;
mod manifest;
mod module;
mod new;
mod output;
mod record;
mod run;
mod schema;
mod shape;
mod summary;

use clap::{Parser, Subcommand};

const EXIT_CODES: &str = "\
Exit codes:
  0  it was done
  1  it was tried and failed: the plugin trapped, returned an error, or would not load (inspect)
  2  the command line is wrong
  3  what was given is refused: not a module, a bad manifest, an input of another type
  4  a file could not be read or written

Data goes to stdout; logs, summaries and errors go to stderr. With --json, stdout is one
JSON object, also when the command fails, unless its options could not be understood.";

/// Runs SochDB plugins (WebAssembly) on a desk, as a device would.
#[derive(Parser)]
#[command(version, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    /// Answer one JSON object on stdout.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Calls an entry point of a plugin and says what it cost.
    #[command(after_help = EXIT_CODES)]
    Run(run::Arguments),
    /// Says what a plugin is made of, what it asks for, and whether it would load.
    #[command(after_help = EXIT_CODES)]
    Inspect(inspect::Arguments),
    /// Writes a plugin project that builds and passes its own test at once.
    #[command(after_help = EXIT_CODES)]
    New(new::Arguments),
}

fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Inspect(arguments) => inspect::inspect(arguments),
        Command::New(arguments) => new::new(arguments),
    };
    output::finish(outcome, cli.json)
}
