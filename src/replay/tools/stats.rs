//! What a trace holds: its chain, and figures of its calls and host calls.

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use core::fmt;

use embedded_io::Read;

use crate::{
    abi::Status,
    audit::PluginId,
    replay::{
        explain::names::Names,
        json::{Json, hex},
    },
    trace::{CallIn, CallOut, Ending, Event, HostCallEvent, Mode, TraceError, TraceReader},
};

/// What [`verify`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// Events.
    pub events: u64,
    /// Calls of entry points.
    pub calls: u64,
    /// Bytes.
    pub bytes: u64,
    /// What of requests and answers is there.
    pub mode: Mode,
    /// Whether a flight recorder kept it: earlier events may be gone.
    pub ring: bool,
    /// Number of the first event behind the header.
    pub first: u64,
    /// The last link of the chain: two traces with the same one are the same.
    pub link: [u8; 32],
}

impl Verified {
    /// For tools: one JSON object with the fields of this struct, `mode` in a word and `link` in
    /// hexadecimal.
    #[must_use]
    pub fn to_json(&self) -> String {
        Json::object(|json| {
            json.plain("events", self.events);
            json.plain("calls", self.calls);
            json.plain("bytes", self.bytes);
            json.text("mode", self.mode.as_str());
            json.plain("ring", self.ring);
            json.plain("first", self.first);
            json.text("link", &hex(&self.link));
        })
    }
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, calls, bytes, mode, .. } = self;
        writeln!(
            f,
            "whole: {events} events, {calls} calls, {bytes} bytes, {} mode",
            mode.as_str()
        )?;
        if self.ring {
            writeln!(f, "from a flight recorder, from event {} on", self.first)?;
        }
        write!(f, "last link {}", hex(&self.link))
    }
}

/// Checks the chain, the order, the clock and the end of a trace. It replays nothing.
///
/// # Errors
/// [`TraceError`] names the first event that is wrong.
pub fn verify<R: Read<Error: 'static>>(trace: R) -> Result<Verified, TraceError> {
    let mut reader = TraceReader::new(trace);
    let (mut events, mut calls, mut first) = (0, 0, None);
    let (mut mode, mut ring) = (Mode::Full, false);
    let mut bytes = 0;
    while let Some(entry) = reader.read()? {
        events += 1;
        bytes = entry.offset + entry.frame_len;
        if let Event::Header(header) = entry.event {
            (mode, ring) = (header.mode, header.ring);
        } else {
            first = first.or(Some(entry.number));
            calls += u64::from(matches!(entry.event, Event::CallIn(_)));
        }
    }
    let link = reader.finish()?;
    Ok(Verified { events, calls, bytes, mode, ring, first: first.unwrap_or(0), link })
}

/// Figures of one host function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionStats {
    /// Its name, with its module if it is not SochDB's.
    pub function: String,
    /// Host calls.
    pub calls: u64,
    /// Those that got a negative status.
    pub failures: u64,
    /// Those of them that were denied.
    pub denied: u64,
    /// Rows answered, written or deleted.
    pub rows: u64,
    /// Bytes of requests.
    pub bytes_in: u64,
    /// Bytes of responses.
    pub bytes_out: u64,
    /// Fuel for the host's work.
    pub fuel: u64,
}

/// Figures of one entry point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryStats {
    /// Name of the plugin.
    pub plugin: String,
    /// The entry point.
    pub entry: String,
    /// Calls.
    pub calls: u64,
    /// Those that did not end with an output.
    pub failures: u64,
    /// Host calls in them.
    pub host_calls: u64,
    /// The least fuel that a call took.
    pub fuel_min: u64,
    /// The most.
    pub fuel_max: u64,
    /// All of it.
    pub fuel: u64,
    /// The most linear memory after a call, in bytes.
    pub memory_bytes: u32,
}

impl EntryStats {
    /// Fuel of a call on average, rounded down.
    #[must_use]
    pub fn fuel_mean(&self) -> u64 {
        self.fuel.checked_div(self.calls).unwrap_or(0)
    }
}

/// Figures of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Events read.
    pub events: u64,
    /// By host function, those of SochDB first, in the order of their table.
    pub functions: Vec<FunctionStats>,
    /// By plugin and entry point, in the order of their names.
    pub entries: Vec<EntryStats>,
    /// Growths of linear memory that were refused.
    pub refused_growths: u64,
    /// Time from the first call's begin to the last clock reading, in microseconds.
    pub time_us: u64,
    /// Where the trace breaks off, if it does: the figures are of what is before.
    pub broken_off: Option<TraceError>,
}

impl Stats {
    /// For tools: one JSON object with the fields of this struct and of those in it; `broken_off`
    /// is a text or `null`, and entries have `fuel_mean` beside their fields.
    #[must_use]
    pub fn to_json(&self) -> String {
        Json::object(|json| {
            json.plain("events", self.events);
            json.objects("functions", &self.functions, |json, stats| {
                json.text("function", &stats.function);
                json.plain("calls", stats.calls);
                json.plain("failures", stats.failures);
                json.plain("denied", stats.denied);
                json.plain("rows", stats.rows);
                json.plain("bytes_in", stats.bytes_in);
                json.plain("bytes_out", stats.bytes_out);
                json.plain("fuel", stats.fuel);
            });
            json.objects("entries", &self.entries, |json, stats| {
                json.text("plugin", &stats.plugin);
                json.text("entry", &stats.entry);
                json.plain("calls", stats.calls);
                json.plain("failures", stats.failures);
                json.plain("host_calls", stats.host_calls);
                json.plain("fuel_min", stats.fuel_min);
                json.plain("fuel_mean", stats.fuel_mean());
                json.plain("fuel_max", stats.fuel_max);
                json.plain("fuel", stats.fuel);
                json.plain("memory_bytes", stats.memory_bytes);
            });
            json.plain("refused_growths", self.refused_growths);
            json.plain("time_us", self.time_us);
            let broken_off = self.broken_off.as_ref().map(|error| alloc::format!("{error}"));
            json.optional_text("broken_off", broken_off.as_deref());
        })
    }
}

impl FunctionStats {
    fn count(&mut self, call: &HostCallEvent<'_>, names: &Names) {
        self.function = names.function(call.function);
        self.calls += 1;
        self.failures += u64::from(call.status < 0);
        self.denied += u64::from(call.status == Status::PermissionDenied.code());
        self.rows += u64::from(call.rows);
        self.bytes_in += u64::from(call.request.len());
        self.bytes_out += u64::try_from(call.status).unwrap_or(0);
        self.fuel = self.fuel.saturating_add(call.fuel_host);
    }
}

impl EntryStats {
    fn count(&mut self, out: &CallOut<'_>, spent: u64) {
        self.fuel_min = if self.calls == 0 { spent } else { self.fuel_min.min(spent) };
        self.fuel_max = self.fuel_max.max(spent);
        self.fuel = self.fuel.saturating_add(spent);
        self.calls += 1;
        self.failures += u64::from(out.ending != Ending::Output);
        self.memory_bytes = self.memory_bytes.max(out.memory_bytes);
    }
}

/// Counts what a trace holds. A trace that breaks off is counted up to there.
///
/// # Errors
/// [`TraceError`], for anything else that is wrong with it.
pub fn stats<R: Read<Error: 'static>>(trace: R) -> Result<Stats, TraceError> {
    let mut reader = TraceReader::new(trace);
    let (mut names, mut stats) = (Names::default(), Stats::default());
    let mut functions = BTreeMap::<_, FunctionStats>::new();
    let mut entries = BTreeMap::<_, EntryStats>::new();
    let mut running: Option<(PluginId, String, u64)> = None;
    let mut around = Vec::new();
    let (mut started_us, mut time_us) = (None, 0);
    loop {
        let entry = match reader.read() {
            Ok(Some(entry)) => entry,
            Ok(None) => break reader.finish().map(|_| ())?,
            Err(error) if error.breaks_off() => break stats.broken_off = Some(error),
            Err(error) => return Err(error),
        };
        stats.events += 1;
        names.learn(&entry.event);
        match entry.event {
            Event::Nested(_) => around.push(running.take()),
            Event::CallIn(CallIn { plugin, entry, fuel, time_us: begun_us, .. }) => {
                running = Some((plugin, entry.into(), fuel));
                started_us = started_us.or(Some(begun_us));
                time_us = begun_us;
            }
            Event::HostCall(call) => {
                time_us = call.time_us;
                functions.entry(call.function).or_default().count(&call, &names);
                if let Some((plugin, entry, _)) = &running {
                    let key = (names.plugin(*plugin), entry.clone());
                    entries.entry(key).or_default().host_calls += 1;
                }
            }
            Event::Growth(_) => stats.refused_growths += 1,
            Event::Slice(slice) => time_us = slice.time_us,
            Event::CallOut(out) => {
                let Some((plugin, entry, fuel)) = running.take() else { continue };
                let of = entries.entry((names.plugin(plugin), entry)).or_default();
                of.count(&out, fuel.saturating_sub(out.fuel_left));
                running = around.pop().flatten();
            }
            Event::Header(_)
            | Event::Checkpoint(_)
            | Event::Function(_)
            | Event::Table(_)
            | Event::Load(_)
            | Event::Unload(_)
            | Event::Replace(_)
            | Event::Restore(_)
            | Event::End(_) => {}
        }
    }
    stats.functions = functions.into_values().collect();
    let named = |((plugin, entry), of)| EntryStats { plugin, entry, ..of };
    stats.entries = entries.into_iter().map(named).collect();
    stats.time_us = time_us.saturating_sub(started_us.unwrap_or(0));
    Ok(stats)
}
