//! `record`: calls of a plugin's entry points, one after another, into one trace.

use std::{fmt::Write, path::PathBuf};

use clap::Args;
use serde_json::{Value, json};
use sochdb_wasmi::host::MonotonicClock;

use crate::{
    inputs::{
        call_file::{self, Call},
        call_input::InputArguments,
        entry_types::Types,
    },
    report::{
        failure::Failure,
        output::{Report, plain},
    },
    session::{
        call_report::Called,
        recorder_setup::{Recording, RecordingArguments},
        stage::{Stage, StageArguments},
    },
};

#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    stage: StageArguments,
    /// The entry point to call.
    #[arg(required_unless_present = "calls", conflicts_with = "calls")]
    entry: Option<String>,
    #[command(flatten)]
    input: InputArguments,
    /// A file with one call on each line, as a JSON object: {"entry": "ingest", "input": …}.
    #[arg(long, value_name = "FILE")]
    calls: Option<PathBuf>,
    /// The trace to write.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    recording: RecordingArguments,
    /// Stops the clock at 0, so that recording the same calls again writes the same bytes. No
    /// deadline passes then.
    #[arg(long)]
    no_clock: bool,
}

/// Makes the calls and records them.
pub fn record(arguments: &Arguments) -> Result<Report, Failure> {
    let wasm = arguments.stage.module()?;
    let types = arguments.stage.types(&wasm)?;
    let calls = calls(arguments, &types)?;
    let mut stage = match arguments.no_clock {
        true => arguments.stage.set(&wasm, || 0)?,
        false => arguments.stage.set(&wasm, MonotonicClock::new())?,
    };
    for Call { entry, input } in &calls {
        stage.check(entry, input)?;
    }
    let recording = Recording::begin(&mut stage, &arguments.out, &arguments.recording)?;
    let mut data = String::new();
    let made = make(&mut stage, &calls, &types, &mut data)?;
    let recorded = recording.end(&mut stage.host)?;
    let json = json!({
        "plugin": stage.manifest.name.as_str(),
        "recorded": recorded.json(),
        "loaded": stage.loaded_json(),
        "calls": made,
    });
    Ok(Report { data, talk: stage.talk() + &recorded.talk(), json, code: 0 })
}

/// The calls that are to be made.
fn calls(arguments: &Arguments, types: &Types) -> Result<Vec<Call>, Failure> {
    match (&arguments.calls, &arguments.entry) {
        (Some(_), _) if arguments.input.is_given() => {
            Err(Failure::Usage { reason: "the inputs are in the file of calls".into() })
        }
        (Some(path), _) => call_file::read(path, types),
        (None, Some(entry)) => {
            let input = arguments.input.bytes(entry, types.of(entry)?)?;
            Ok(vec![Call { entry: entry.clone(), input }])
        }
        (None, None) => Err(Failure::Usage { reason: "an entry point or --calls".into() }),
    }
}

fn make(
    stage: &mut Stage,
    calls: &[Call],
    types: &Types,
    data: &mut String,
) -> Result<Vec<Value>, Failure> {
    let mut made = Vec::new();
    for Call { entry, input } in calls {
        let called = Called::new(stage, entry, input)?;
        let signature = types.of(entry)?;
        let _ = writeln!(data, "{}", plain(&called.line(signature)));
        made.push(called.report(stage, signature).json);
    }
    Ok(made)
}
