//! `run`: one call of an entry point, its output, and what it cost.

use std::path::PathBuf;

use clap::Args;
use sochdb_wasmi::host::MonotonicClock;

use crate::{
    inputs::call_input::InputArguments,
    report::{failure::Failure, output::Report},
    session::{
        call_report::Called,
        recorder_setup::{Recording, RecordingArguments},
        stage::StageArguments,
    },
};

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    stage: StageArguments,
    /// The entry point to call.
    entry: String,
    #[command(flatten)]
    input: InputArguments,
    /// Writes a trace of the call, which can be replayed without tables and files.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    #[command(flatten)]
    recording: RecordingArguments,
}

/// Calls the entry point.
pub fn run(arguments: &Arguments) -> Result<Report, Failure> {
    let Arguments { stage, entry, .. } = arguments;
    if arguments.record.is_none() && arguments.recording.is_given() {
        return Err(Failure::Usage { reason: "that is for a trace: name it with --record".into() });
    }
    let wasm = stage.module()?;
    let types = stage.types(&wasm)?;
    let signature = types.of(entry)?;
    let input = arguments.input.bytes(entry, signature)?;
    let mut stage = stage.set(&wasm, MonotonicClock::new())?;
    stage.check(entry, &input)?;
    let recording = match &arguments.record {
        Some(path) => Some(Recording::begin(&mut stage, path, &arguments.recording)?),
        None => {
            stage.keep_rows()?;
            None
        }
    };
    let called = Called::new(&mut stage, entry, &input)?;
    let recorded = recording.map(|recording| recording.end(&mut stage.host)).transpose()?;
    let mut report = called.report(&stage, signature);
    report.json["plugin"] = stage.manifest.name.as_str().into();
    report.json["loaded"] = stage.loaded_json();
    report.talk.insert_str(0, &stage.talk());
    if let Some(recorded) = recorded {
        report.talk.insert_str(0, &recorded.talk());
        report.json["recorded"] = recorded.json();
    }
    Ok(report)
}
