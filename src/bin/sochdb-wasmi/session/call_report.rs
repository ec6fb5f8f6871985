//! The report of one call: its output, its cost and its denials.

use std::{fmt::Write, time::Instant};

use serde_json::{Value, json};
use sochdb_wasmi::{
    abi::wire::WireError,
    database::{DatabaseError, StorageError},
    host::{CallError, CallReport},
};

use super::{
    denials::{self, Denial},
    stage::Stage,
    summary::Summary,
};
use crate::{
    formats::{
        bytes::{hex, printable},
        shape::{self, Signature},
    },
    report::{failure::Failure, output::Report, problem::raised},
};

/// A call that was made.
pub struct Called<'e> {
    entry: &'e str,
    outcome: Result<Vec<u8>, CallError>,
    report: CallReport,
    denials: Vec<Denial>,
    summary: Summary,
    elapsed_us: u64,
}

impl<'e> Called<'e> {
    /// Calls an entry point. A call that cannot begin is a failure.
    pub fn new(stage: &mut Stage, entry: &'e str, input: &[u8]) -> Result<Self, Failure> {
        stage.check(entry, input)?;
        let Stage { host, plugin, .. } = stage;
        let started = Instant::now();
        let outcome = host.call(*plugin, entry, input).map(|outcome| outcome.output.to_vec());
        let elapsed_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let summary = stage.counter.take();
        Ok(Self {
            entry,
            outcome,
            report: stage.host.report(stage.plugin).unwrap_or_default(),
            denials: denials::explain(&summary, &stage.manifest.config.capabilities),
            summary,
            elapsed_us,
        })
    }

    /// The report. Exit code 1 if the plugin failed.
    pub fn report(&self, stage: &Stage, signature: Option<&Signature>) -> Report {
        let mut json = self.json(stage);
        let mut talk = String::new();
        let failed = match &self.outcome {
            Ok(output) => {
                let decoded = signature.map(|signature| shape::decode(&signature.output, output));
                let (data, error) = shown(output, decoded, &mut json);
                if let Some(error) = &error {
                    let message = format!("the output is not what the types say: {error}");
                    let _ = writeln!(talk, "error: {message}");
                    json["error"] = json!({ "kind": "output", "message": message });
                }
                self.talk(stage, &mut talk);
                json["ok"] = error.is_none().into();
                return Report { data, talk, json, code: error.is_some().into() };
            }
            Err(error) => error,
        };
        let hint = if let CallError::Commit(error) = failed { raised(error) } else { "" };
        let message = format!("{failed}{hint}");
        let _ = writeln!(talk, "error: {message}");
        self.talk(stage, &mut talk);
        json["error"] = json!({ "kind": kind(failed), "message": message });
        if let CallError::Failed { code, .. } = failed {
            json["error"]["status"] = (*code).into();
        }
        // The plugin did its part; the file of --db could not be written.
        let unwritten = matches!(
            failed,
            CallError::Commit(DatabaseError::Storage(
                StorageError::Io(_) | StorageError::Device { .. },
            ))
        );
        let code = if unwritten { 4 } else { 1 };
        Report { data: String::new(), talk, json, code }
    }

    /// The call as one line: its output, or how it failed.
    pub fn line(&self, signature: Option<&Signature>) -> String {
        let entry = self.entry;
        match &self.outcome {
            Ok(output) => match signature.map(|s| shape::decode(&s.output, output)) {
                Some(Ok(value)) => format!("{entry}: {value}"),
                Some(Err(error)) => format!("{entry}: {} ({error})", hex(output)),
                None => format!("{entry}: {}", hex(output)),
            },
            Err(error) => format!("{entry}: error: {error}"),
        }
    }

    fn json(&self, stage: &Stage) -> Value {
        let CallReport { fuel, host_calls, denied, rows, bytes, slices, memory_bytes, .. } =
            self.report;
        let denials = self.denials.iter().map(|denial| {
            json!({
                "function": denial.function, "table": denial.table.as_deref(),
                "times": denial.times, "capabilities": denial.lines,
            })
        });
        json!({
            "entry": self.entry,
            "ok": false,
            "output": null,
            "error": null,
            "fuel": fuel,
            "fuel_limit": stage.manifest.config.limits.fuel_per_call,
            "host_calls": host_calls,
            "functions": self.summary.json(),
            "denied": denied,
            "denials": denials.collect::<Vec<_>>(),
            "rows": rows,
            "bytes": bytes,
            "slices": slices,
            "memory_peak_bytes": memory_bytes,
            "elapsed_us": self.elapsed_us,
        })
    }

    fn talk(&self, stage: &Stage, talk: &mut String) {
        let CallReport { fuel, host_calls, denied, rows, bytes, memory_bytes, .. } = self.report;
        let limits = &stage.manifest.config.limits;
        let mut line = |name: &str, value: String| {
            let _ = writeln!(talk, "{name:<11} {value}");
        };
        line("fuel", format!("{fuel} of {}", limits.fuel_per_call));
        line("host calls", format!("{host_calls}, {rows} rows visited, {bytes} bytes moved"));
        for (name, calls) in self.summary.functions() {
            let failed = match calls.failed {
                0 => String::new(),
                failed => format!(", failed {failed}"),
            };
            line("", format!("{name:<14} calls {}, rows {}{failed}", calls.calls, calls.rows));
        }
        line("memory", format!("{memory_bytes} bytes of {}", limits.memory_bytes));
        line("time", format!("{} µs", self.elapsed_us));
        if denied == 0 {
            return;
        }
        line("denied", format!("{denied} host calls"));
        if stage.granted_nothing {
            line("", "nothing is granted without --manifest".into());
        }
        for denial in &self.denials {
            let Denial { function, times, .. } = denial;
            let on = denial.table.map(|table| format!(" on {table}")).unwrap_or_default();
            line(
                "",
                format!("{function}{on}, {times} in all; this in [capabilities] would allow it:"),
            );
            for text in &denial.lines {
                line("", format!("  {text}"));
            }
        }
    }
}
/// The output for people, and in `json`; and why it could not be decoded, if it could not.
fn shown(
    output: &[u8],
    decoded: Option<Result<Value, WireError>>,
    json: &mut Value,
) -> (String, Option<WireError>) {
    json["output"] = json!({ "hex": hex(output), "bytes": output.len() });
    let mut raw = match output.is_empty() {
        true => String::new(),
        false => format!("{}\n", hex(output)),
    };
    if let Some(text) = printable(output) {
        json["output"]["text"] = text.into();
        if decoded.is_none() {
            raw += &format!("{text}\n");
        }
    }
    match decoded {
        None => (raw, None),
        Some(Err(error)) => (raw, Some(error)),
        Some(Ok(value)) => {
            let text = format!("{value:#}\n");
            json["output"]["value"] = value;
            (text, None)
        }
    }
}

/// A failed call as one word, for programs.
const fn kind(error: &CallError) -> &'static str {
    match error {
        CallError::OutputTooLarge { .. } => "output_too_large",
        CallError::Limit(_) => "limit",
        CallError::StackOverflow { .. } => "stack_overflow",
        CallError::Denied { .. } => "denied",
        CallError::Trap { .. } => "trap",
        CallError::Failed { .. } => "failed",
        CallError::Commit(_) => "commit",
        CallError::NoSuchPlugin(_)
        | CallError::TransactionPending
        | CallError::NoSuchEntry { .. }
        | CallError::EntryType { .. }
        | CallError::InputTooLarge { .. }
        | CallError::Stopped
        | CallError::Restart(_)
        | _ => "call",
    }
}
