//! `run`: one call of an entry point, its output, and what it cost.

use std::{fmt::Write, path::PathBuf, time::Instant};

use clap::Args;
use serde_json::{Value, json};
use sochdb_wasmi::{
    abi::wire::WireError,
    database::{Database, MemoryLimits},
    host::{CallError, CallReport, Host, HostConfig, MonotonicClock},
    manifest::{Manifest, section},
};

use crate::{
    bytes::{from_hex, hex, printable},
    denials::{self, Denial},
    failure::Failure,
    files,
    load::{LoadArgument, load},
    logger,
    manifest::{self, ManifestArguments},
    output::Report,
    record, schema,
    shape::{self, Signature, TYPES_SECTION},
    summary::{Counter, Summary},
};

#[derive(Args)]
pub struct Arguments {
    /// The plugin: a WebAssembly module.
    plugin: PathBuf,
    /// The entry point to call.
    entry: String,
    /// The input as JSON, @FILE or @- for stdin. Needs types.
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// The input as bytes in hex.
    #[arg(long, value_name = "HEX", conflicts_with = "input")]
    input_hex: Option<String>,
    /// A file with the bytes of the input; - for stdin.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["input", "input_hex"])]
    input_bytes: Option<String>,
    /// What the entry point takes and gives: "INPUT -> OUTPUT", or @FILE with a line for each entry
    /// point. Otherwise from the module's section sochdb.types, if it has one.
    #[arg(long, value_name = "TYPES")]
    types: Option<String>,
    #[command(flatten)]
    manifest: ManifestArguments,
    /// Tables with their columns and indexes, in TOML.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Fills a table from a CSV file. A table that the schema does not have gets columns that all
    /// rows of the file fit.
    #[arg(long, value_name = "TABLE=FILE")]
    load: Vec<LoadArgument>,
    /// Writes a trace of the call, which can be replayed without tables and files.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// Calls the entry point.
pub fn run(arguments: &Arguments) -> Result<Report, Failure> {
    let Arguments { plugin: path, entry, .. } = arguments;
    let wasm = files::read(path)?;
    let given = arguments.manifest.read(path, &wasm)?;
    let granted_nothing = given.is_none();
    let manifest = match given.or_else(|| manifest::none(path)) {
        Some(manifest) => manifest,
        None => return Err(Failure::Usage { reason: "the plugin has no name".into() }),
    };
    let signature = signature(arguments, &wasm)?;
    let input = input(arguments, signature.as_ref())?;
    let mut talk = String::new();
    let (database, loaded) = tables(arguments, &mut talk)?;

    logger::install();
    let mut host = Host::new(HostConfig::default(), database, MonotonicClock::new());
    let counter = Counter::default();
    host.set_audit_sink(counter.clone());
    let plugin = manifest.load(&mut host, &wasm).map_err(Failure::Load)?;
    if let Some(path) = &arguments.record {
        record::begin(&mut host, path)?;
    }
    let started = Instant::now();
    let outcome = host.call(plugin, entry, &input).map(|outcome| outcome.output.to_vec());
    let elapsed_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    if let Err(
        error @ (CallError::NoSuchEntry { .. }
        | CallError::EntryType { .. }
        | CallError::InputTooLarge { .. }),
    ) = outcome
    {
        let entries = host.entries(plugin).map(str::to_owned).collect();
        return Err(Failure::Entry { error, entries });
    }
    if let Some(path) = &arguments.record {
        let events = record::end(&mut host, path)?;
        let _ = writeln!(talk, "{events} events recorded in {}", path.display());
    }
    let summary = counter.summary();
    let ran = Ran {
        entry,
        manifest: &manifest,
        granted_nothing,
        report: host.report(plugin).unwrap_or_default(),
        denials: denials::explain(&summary.denied, &manifest.config.capabilities),
        summary,
        loaded,
        elapsed_us,
    };
    Ok(ran.report(outcome, signature.as_ref(), talk))
}

/// What the entry point takes and gives, if that is known.
fn signature(arguments: &Arguments, wasm: &[u8]) -> Result<Option<Signature>, Failure> {
    let of = |text: &str| {
        let mut types = shape::types(text).map_err(Failure::Types)?;
        Ok(types.remove(&arguments.entry))
    };
    match &arguments.types {
        Some(types) if types.starts_with('@') => match of(&files::text_argument(types)?)? {
            Some(signature) => Ok(Some(signature)),
            None => Err(Failure::Usage {
                reason: format!("{} has no types of {:?}", &types[1..], arguments.entry),
            }),
        },
        Some(types) => shape::signature(types).map(Some).map_err(Failure::Types),
        None => {
            let path = &arguments.plugin;
            let text = section::find(wasm, TYPES_SECTION)
                .map_err(|error| Failure::Section { path: path.clone(), error })?;
            let Some(text) = text else { return Ok(None) };
            let text = std::str::from_utf8(text);
            of(text.map_err(|_| Failure::NotText { path: path.clone() })?)
        }
    }
}

/// The bytes of the input.
fn input(arguments: &Arguments, signature: Option<&Signature>) -> Result<Vec<u8>, Failure> {
    let syntax = |reason: String| Failure::InputSyntax { reason };
    if let Some(text) = &arguments.input_hex {
        return from_hex(text).ok_or_else(|| syntax("not bytes in hex".into()));
    }
    if let Some(file) = &arguments.input_bytes {
        return Ok(files::argument(&format!("@{file}"))?.1);
    }
    match (&arguments.input, signature) {
        (Some(json), Some(signature)) => {
            let json: Value = serde_json::from_str(&files::text_argument(json)?)
                .map_err(|error| syntax(format!("not JSON: {error}")))?;
            shape::encode(&signature.input, &json).map_err(Failure::Input)
        }
        (Some(_), None) => Err(Failure::Usage {
            reason: format!(
                "how {:?} takes its input is not known: say it with --types, or give bytes with \
                 --input-hex or --input-bytes",
                arguments.entry
            ),
        }),
        (None, Some(signature)) => match shape::encode(&signature.input, &Value::Null) {
            Ok(bytes) => Ok(bytes),
            Err(_) => Err(Failure::Usage {
                reason: format!("{:?} takes {}: give --input", arguments.entry, signature.input),
            }),
        },
        (None, None) => Ok(Vec::new()),
    }
}

/// A database with the tables of the schema and the rows of the files: table, rows.
fn tables(
    arguments: &Arguments,
    talk: &mut String,
) -> Result<(Database, Vec<(String, u64)>), Failure> {
    let mut database = Database::in_memory(MemoryLimits::default());
    let mut plans = match &arguments.schema {
        Some(path) => schema::read(path)?,
        None => Vec::new(),
    };
    let mut loaded = Vec::new();
    for argument in &arguments.load {
        let planned = plans.iter().position(|plan| **plan.schema.name() == *argument.table);
        let plan = planned.map(|at| plans.remove(at));
        let (rows, unused) = load(&mut database, argument, plan)?;
        for header in unused {
            let path = argument.path.display();
            let _ = writeln!(talk, "{path}: nothing is made of the column {header:?}");
        }
        loaded.push((argument.table.clone(), rows));
    }
    for plan in plans {
        database.create_table(plan.schema).map_err(Failure::Database)?;
    }
    Ok((database, loaded))
}

/// A call that was made.
struct Ran<'r> {
    entry: &'r str,
    manifest: &'r Manifest,
    granted_nothing: bool,
    report: CallReport,
    denials: Vec<Denial>,
    summary: Summary,
    loaded: Vec<(String, u64)>,
    elapsed_us: u64,
}

impl Ran<'_> {
    fn report(
        &self,
        outcome: Result<Vec<u8>, CallError>,
        signature: Option<&Signature>,
        mut talk: String,
    ) -> Report {
        let mut json = self.json();
        let failed = match outcome {
            Ok(output) => {
                let decoded = signature.map(|signature| shape::decode(&signature.output, &output));
                let (data, error) = shown(&output, decoded, &mut json);
                if let Some(error) = &error {
                    let message = format!("the output is not what the types say: {error}");
                    let _ = writeln!(talk, "error: {message}");
                    json["error"] = json!({ "kind": "output", "message": message });
                }
                self.talk(&mut talk);
                json["ok"] = error.is_none().into();
                return Report { data, talk, json, failed: error.is_some() };
            }
            Err(error) => error,
        };
        let _ = writeln!(talk, "error: {failed}");
        self.talk(&mut talk);
        json["error"] = json!({ "kind": kind(&failed), "message": failed.to_string() });
        if let CallError::Failed { code, .. } = failed {
            json["error"]["status"] = code.into();
        }
        Report { data: String::new(), talk, json, failed: true }
    }

    fn json(&self) -> Value {
        let CallReport { fuel, host_calls, denied, rows, bytes, slices, memory_bytes } =
            self.report;
        let denials = self.denials.iter().map(|denial| {
            json!({
                "function": denial.function, "table": denial.table.as_deref(),
                "times": denial.times, "capabilities": denial.lines,
            })
        });
        let loaded: serde_json::Map<_, _> =
            self.loaded.iter().map(|(table, rows)| (table.clone(), (*rows).into())).collect();
        json!({
            "plugin": self.manifest.name.as_str(),
            "entry": self.entry,
            "ok": false,
            "output": null,
            "error": null,
            "fuel": fuel,
            "fuel_limit": self.manifest.config.limits.fuel_per_call,
            "host_calls": host_calls,
            "functions": self.summary.json(),
            "denied": denied,
            "denials": denials.collect::<Vec<_>>(),
            "rows": rows,
            "bytes": bytes,
            "slices": slices,
            "memory_peak_bytes": memory_bytes,
            "loaded": loaded,
            "elapsed_us": self.elapsed_us,
        })
    }

    fn talk(&self, talk: &mut String) {
        let CallReport { fuel, host_calls, denied, rows, bytes, memory_bytes, .. } = self.report;
        let limits = &self.manifest.config.limits;
        let mut line = |name: &str, value: String| {
            let _ = writeln!(talk, "{name:<11} {value}");
        };
        for (table, rows) in &self.loaded {
            line("loaded", format!("{rows} rows into {table}"));
        }
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
        if self.granted_nothing {
            line("", "nothing is granted without --manifest".into());
        }
        for denial in &self.denials {
            let table = denial.table.as_deref().unwrap_or("?");
            let (function, times) = (denial.function, denial.times);
            line(
                "",
                format!(
                    "{function} on {table}, {times} in all; this in [capabilities] would allow it:"
                ),
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
        _ => "call",
    }
}
