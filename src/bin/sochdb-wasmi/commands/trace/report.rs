//! `trace report`: a trace as one page of HTML that needs no network, and where it diverges from another
//! trace or from what a plugin does now.
//!
//! The page is `report.html`; this makes its data. Nothing of a trace is HTML in the page: it is data in
//! JSON, which a script shows as text.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use sochdb_wasmi::{
    replay::{Diff, DiffError, DiffOptions, Divergence, Line, Names, Side, diff, stats},
    trace::{CallIn, CallOut, Ending, Event, HostCallEvent, TraceReader},
};

use crate::{
    commands::replay::{PluginArgument, PluginArguments},
    files::{self, trace_file::TraceFile},
    report::{
        failure::Failure,
        output::{Report, object, plain},
    },
};

/// The page, with a place for the data.
const PAGE: &str = include_str!("report.html");
const PLACE: &str = "@DATA@";

/// How much of the fields of an event is on the page.
const MOST_FIELDS: usize = 2048;

#[derive(Args)]
pub struct Arguments {
    /// The trace.
    trace: PathBuf,
    /// Another trace: the page shows where it parts from the first.
    #[arg(conflicts_with = "plugins")]
    other: Option<PathBuf>,
    /// Replays the trace with this plugin, changed or not: the page shows where it diverges. If several
    /// plugins changed, NAME says which one each file is.
    #[arg(long = "plugin", value_name = "[NAME=]FILE")]
    plugins: Vec<PluginArgument>,
    /// The page to write.
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
}

/// Writes the page.
pub fn report(arguments: &Arguments) -> Result<Report, Failure> {
    let Arguments { trace, other, plugins, out } = arguments;
    let stats = stats(TraceFile::open(trace)?);
    let stats = stats.map_err(|error| Failure::Trace { path: trace.clone(), error })?;
    let parted = match other {
        Some(other) => from_other(trace, other)?,
        None if !plugins.is_empty() => from_plugins(trace, plugins)?,
        None => None,
    };
    let mut page = Page::default();
    page.read(trace)?;
    let (events, calls) = (page.events.len(), page.calls.len());
    let data = json!({
        "title": trace.file_name().map(|name| name.to_string_lossy()),
        "summary": format!("{events} events, {calls} calls, {} µs", stats.time_us),
        "broken_off": stats.broken_off.as_ref().map(ToString::to_string),
        "stats": object(&stats.to_json()),
        "parted": parted.as_ref().map(|(source, divergence)| parting(source, divergence)),
        "functions": page.functions.0,
        "tables": page.tables.0,
        "kinds": page.kinds.0,
        "calls": page.calls,
        "events": page.events,
    });
    // No text of a trace may end the script that it stands in.
    let data = data.to_string().replace('<', "\\u003c");
    files::write(out, PAGE.replacen(PLACE, &data, 1).as_bytes())?;
    let at = parted.as_ref().map(|(_, divergence)| divergence.event);
    let mut talk = format!("{events} events, {calls} calls in {}\n", out.display());
    if let Some((source, Divergence { event, .. })) = &parted {
        talk += &format!("{source}: the first difference is at event {event}\n");
    }
    let json = json!({
        "page": out.display().to_string(), "events": events, "calls": calls, "parted_at": at,
    });
    Ok(Report { data: String::new(), talk: plain(&talk), json, code: 0 })
}

/// Where two traces part, and what the second is.
fn from_other(trace: &Path, other: &Path) -> Result<Option<(String, Divergence)>, Failure> {
    let (a, b) = (TraceFile::open(trace)?, TraceFile::open(other)?);
    let compared = diff(a, b, DiffOptions { ignore_time: true, ignore_fuel: false });
    let Diff { divergence, .. } = compared.map_err(|DiffError { second, error }| {
        Failure::Replay { path: if second { other } else { trace }.into(), error }
    })?;
    Ok(divergence.map(|divergence| (format!("compared with {}", other.display()), divergence)))
}

/// Where a replay with these plugins diverges, and which these are.
fn from_plugins(
    trace: &Path,
    plugins: &[PluginArgument],
) -> Result<Option<(String, Divergence)>, Failure> {
    let arguments = PluginArguments { plugins: plugins.to_vec() };
    arguments.check(&[trace.into()])?;
    let read = arguments.read()?;
    let replay = read.replayer().with_changed_plugins().replay(TraceFile::open(trace)?);
    let replay = replay.map_err(|error| Failure::Replay { path: trace.into(), error })?;
    let names: Vec<_> = arguments.paths().map(|path| path.display().to_string()).collect();
    let source = format!("replayed with {}", names.join(", "));
    Ok(replay.divergences.into_iter().next().map(|divergence| (source, divergence)))
}

/// A divergence for the page: both sides in lines.
fn parting(source: &str, divergence: &Divergence) -> Value {
    let lines = |side: &Side| {
        let mut lines: Vec<String> = side.value.lines().map(str::to_owned).collect();
        let hex: Vec<char> = side.hex.chars().collect();
        lines.extend(hex.chunks(64).map(|part| part.iter().collect()));
        lines.extend(side.fuel_left.map(|fuel| format!("{fuel} fuel left")));
        lines
    };
    let Divergence { event, call, plugin, entry, field, cause, because, before, .. } = divergence;
    let field = field.as_ref().map(|field| format!(", at {field}")).unwrap_or_default();
    let because = if because.is_empty() { String::new() } else { format!(": {because}") };
    json!({
        "source": source,
        "event": event,
        "text": format!("Call {call} ({plugin}.{entry}){field}. Likely: {}{because}", cause.explanation()),
        "expected": lines(&divergence.expected),
        "got": lines(&divergence.got),
        "before": before,
    })
}

/// What the page shows of the events.
#[derive(Default)]
struct Page {
    kinds: Words,
    functions: Words,
    tables: Words,
    events: Vec<Value>,
    calls: Vec<Value>,
}

/// Words that events name by their place.
#[derive(Default)]
struct Words(Vec<String>);

impl Words {
    fn place(&mut self, word: &str) -> usize {
        self.0.iter().position(|known| known == word).unwrap_or_else(|| {
            self.0.push(word.into());
            self.0.len() - 1
        })
    }
}

/// A call that has begun.
struct Open {
    number: u64,
    entry: String,
    first: u64,
    fuel: u64,
    host_fuel: u64,
    host_calls: u64,
}

impl Open {
    fn begun(number: u64, first: u64, call: &CallIn<'_>, names: &Names) -> Self {
        let entry = format!("{}.{}", names.plugin(call.plugin), call.entry);
        Self { number, entry, first, fuel: call.fuel, host_fuel: 0, host_calls: 0 }
    }

    fn ended(self, end: Option<&CallOut<'_>>, outcome: &str) -> Value {
        let Self { number, entry, first, fuel, host_fuel, host_calls } = self;
        let fuel = end.map_or(host_fuel, |end| fuel.saturating_sub(end.fuel_left));
        json!({
            "number": number, "entry": entry, "first": first, "fuel": fuel, "host_fuel": host_fuel,
            "host_calls": host_calls, "outcome": outcome,
            "failed": end.is_none_or(|end| end.ending != Ending::Output),
        })
    }
}

impl Page {
    /// Reads the events as far as the trace is whole.
    fn read(&mut self, path: &Path) -> Result<(), Failure> {
        let mut reader = TraceReader::new(TraceFile::open(path)?);
        let (mut names, mut calls, mut open) = (Names::default(), 0, None::<Open>);
        while let Ok(Some(entry)) = reader.read() {
            let (number, event) = (entry.number, &entry.event);
            names.learn(event);
            if let Event::CallIn(call) = event {
                calls += 1;
                open = Some(Open::begun(calls, number, call, &names));
            }
            let call = if open.is_some() { calls } else { 0 };
            let line = Line { number, event, names: &names }.to_string();
            self.add(number, call, event, &line, &names);
            if let (Some(open), Event::HostCall(call)) = (&mut open, event) {
                open.host_fuel = open.host_fuel.saturating_add(call.fuel_host);
                open.host_calls += 1;
            }
            if let Event::CallOut(end) = event
                && let Some(open) = open.take()
            {
                let outcome = line.split_once(": ").map_or("", |(_, outcome)| outcome);
                self.calls.push(open.ended(Some(end), outcome));
            }
        }
        self.calls.extend(open.map(|open| open.ended(None, "the trace breaks off")));
        Ok(())
    }

    fn add(&mut self, number: u64, call: u64, event: &Event<'_>, line: &str, names: &Names) {
        let (mut function, mut table, mut text) = (json!(-1), json!(-1), line.to_owned());
        let (mut status, mut fuel, mut rows) = (0, 0, 0);
        if let Event::HostCall(host_call) = event {
            let HostCallEvent { fuel_host, visited, .. } = *host_call;
            (status, fuel, rows) = (host_call.status.min(0), fuel_host, visited);
            function = self.functions.place(&names.function(host_call.function)).into();
            if let Some(name) = host_call.table {
                table = self.tables.place(name).into();
            }
            let request = names.request_line(host_call);
            if !request.is_empty() {
                text += &format!(": {request}");
            }
        }
        if let Event::CallOut(CallOut { ending, .. }) = event
            && *ending != Ending::Output
        {
            status = -4;
        }
        let fields: Vec<_> = names
            .fields(event)
            .into_iter()
            .map(|field| format!("{} = {}", field.path, field.value))
            .collect();
        let mut fields = fields.join("\n");
        if fields.len() > MOST_FIELDS {
            fields.truncate(fields.floor_char_boundary(MOST_FIELDS));
            fields.push('…');
        }
        let kind = self.kinds.place(event.as_str());

        self.events
            .push(json!([number, kind, call, function, table, status, fuel, rows, text, fields]));
    }
}
