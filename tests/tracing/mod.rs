//! Recording a probe, taking traces apart into frames, and forging them frame by frame.
#![allow(dead_code, reason = "each test file uses a part")]

use std::{ops::Range, sync::OnceLock};

use sochdb_wasmi::{
    abi::wire::{self, Reader, Wire, Writer},
    audit::AuditEntry,
    database::Database,
    host::{Clock, Host, HostConfig, PluginConfig},
    replay::{Replay, ReplayError, Replayer, audit_entries},
    trace::{
        CHECK_LEN, Event, FRAME_HEADER_LEN, MAGIC, Recorder, TraceError, TraceReader,
        chain::{self, Link},
    },
};

use crate::support::*;

/// A clock that goes on by 10 µs at every look, so that every event has a time of its own.
pub fn ticking() -> impl Clock + Send {
    let mut now = 0_u64;
    move || {
        now += 10;
        now
    }
}

/// A probe on [`items`] with a ticking clock, and nothing recorded.
pub fn ticking_probe(config: PluginConfig) -> Probe {
    ticking_probe_on(Database::in_memory(Default::default()), config)
}

pub fn ticking_probe_on(mut database: Database, config: PluginConfig) -> Probe {
    database.create_table(items()).unwrap();
    let host = Host::new(HostConfig::default(), database, ticking());
    Probe::with(host, config)
}

pub fn config() -> PluginConfig {
    PluginConfig::new(everything()).with_limits(roomy()).set("greeting", "hello").unwrap()
}

/// Ends the recording. The trace, and the audit entries of the host.
pub fn taken(host: &mut Host) -> (Vec<u8>, Vec<AuditEntry>) {
    let mut recorder = host.stop_recording().unwrap();
    assert_eq!(recorder.error(), None);
    let mut trace = Vec::new();
    recorder.write_to(&mut trace).unwrap();
    (trace, host.audit().iter().cloned().collect())
}

/// The trace of what `work` does with a probe.
pub fn recorded(config: PluginConfig, work: impl FnOnce(&mut Probe)) -> Vec<u8> {
    recorded_with(Recorder::buffer(8 << 20), ticking_probe(config), work)
}

/// Checks that the trace replays exactly, and that the audit log comes out of it.
#[track_caller]
pub fn recorded_with(
    recorder: Recorder,
    mut probe: Probe,
    work: impl FnOnce(&mut Probe),
) -> Vec<u8> {
    assert!(probe.host.record(recorder).is_none());
    work(&mut probe);
    let (trace, audit) = taken(&mut probe.host);
    assert_exact(&trace, &[&probe_wasm()]);
    assert_audit(&trace, &audit);
    trace
}

#[track_caller]
pub fn assert_audit(trace: &[u8], audit: &[AuditEntry]) {
    let derived = audit_entries(trace).unwrap();
    let common = derived.len().min(audit.len());
    assert_eq!(derived[derived.len() - common..], audit[audit.len() - common..]);
}

pub fn replayed(trace: &[u8]) -> Result<Replay, ReplayError> {
    let wasm = probe_wasm();
    Replayer::new().with_plugin(&wasm).replay(trace)
}

#[track_caller]
pub fn assert_exact(trace: &[u8], plugins: &[&[u8]]) -> Replay {
    let replayer = plugins.iter().fold(Replayer::new(), |r, wasm| r.with_plugin(wasm));
    let replay = replayer.replay(trace).unwrap();
    let told: String = replay.divergences.iter().map(ToString::to_string).collect();
    assert!(replay.is_exact(), "{told}{:?}", replay.broken_off);
    replay
}

/// Three calls of the probe, of all kinds of ends, that answer little.
pub fn small_trace() -> Vec<u8> {
    static TRACE: OnceLock<Vec<u8>> = OnceLock::new();
    let record = || {
        recorded(config(), |probe| {
            assert_eq!(probe.insert(1, "bolt", 3).status, 2);
            probe.read(1);
            probe.call_and("call_then_trap", "soch_read", &read_request(one(2)));
        })
    };
    TRACE.get_or_init(record).clone()
}

pub fn one(id: u64) -> sochdb_wasmi::abi::message::RowSelector<'static> {
    sochdb_wasmi::abi::message::RowSelector::One(id)
}

/// Where each frame lies.
pub fn frames(trace: &[u8]) -> Vec<Range<usize>> {
    let mut at = MAGIC.len();
    let mut frames = Vec::new();
    while let Some(len) = trace.get(at..at + 4) {
        let len = u32::from_le_bytes(len.try_into().unwrap()) as usize;
        frames.push(at..at + FRAME_HEADER_LEN + len);
        at += FRAME_HEADER_LEN + len;
    }
    assert_eq!(at, trace.len());
    frames
}

/// The payload of a frame: number and event.
pub fn payload<'t>(trace: &'t [u8], frame: &Range<usize>) -> &'t [u8] {
    &trace[frame.start + FRAME_HEADER_LEN..frame.end]
}

pub fn event(payload: &[u8]) -> (u64, Event<'_>) {
    let mut reader = Reader::new(payload);
    (reader.u64().unwrap(), Event::decode(&mut reader).unwrap())
}

pub fn kinds(trace: &[u8]) -> Vec<&'static str> {
    frames(trace).iter().map(|frame| event(payload(trace, frame)).1.as_str()).collect()
}

/// Writes frames whose chain is right, whatever they say.
pub struct Forge {
    pub trace: Vec<u8>,
    pub link: Link,
    pub next: u64,
}

impl Forge {
    pub fn new() -> Self {
        Self { trace: MAGIC.to_vec(), link: chain::START, next: 0 }
    }

    /// The first `count` frames of a trace.
    pub fn after(trace: &[u8], count: usize) -> Self {
        let mut forge = Self::new();
        for frame in &frames(trace)[..count] {
            forge.payload(payload(trace, frame));
        }
        forge
    }

    /// A frame around any bytes. Where it begins.
    pub fn payload(&mut self, payload: &[u8]) -> u64 {
        let offset = self.trace.len() as u64;
        self.link = chain::next(&self.link, payload);
        self.trace.extend((payload.len() as u32).to_le_bytes());
        self.trace.extend(chain::check(&self.link));
        self.trace.extend(payload);
        self.next += 1;
        offset
    }

    /// A frame with the next number. Where it begins.
    pub fn event(&mut self, event: &Event<'_>) -> u64 {
        let payload = numbered(self.next, event);
        self.payload(&payload)
    }

    /// All frames of a trace from one on, as `change` makes them, numbered anew.
    pub fn rest(&mut self, trace: &[u8], from: usize) -> &mut Self {
        for frame in &frames(trace)[from..] {
            let (_, event) = event(payload(trace, frame));
            self.event(&event);
        }
        self
    }
}

/// The trace with one event changed and everything behind it chained anew.
pub fn changed(trace: &[u8], at: usize, change: impl Fn(&mut Event<'_>)) -> Vec<u8> {
    let mut forge = Forge::after(trace, at);
    let frames = frames(trace);
    let (_, mut event) = event(payload(trace, &frames[at]));
    change(&mut event);
    forge.event(&event);
    forge.rest(trace, at + 1);
    forge.trace
}

pub fn numbered(number: u64, event: &Event<'_>) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 20];
    let mut writer = Writer::new(&mut buffer);
    writer.u64(number);
    event.encode(&mut writer);
    let len = writer.finish().unwrap();
    buffer.truncate(len);
    buffer
}

/// Number of the first event of this kind.
pub fn position(trace: &[u8], kind: &str) -> usize {
    kinds(trace).iter().position(|found| *found == kind).unwrap()
}

/// Reads a trace to its end, or to the first error.
pub fn read_all(trace: &[u8]) -> Result<u64, TraceError> {
    let mut reader = TraceReader::new(trace);
    let mut count = 0;
    while let Some(entry) = reader.read()? {
        assert!(entry.offset as usize + FRAME_HEADER_LEN <= trace.len());
        count += 1;
    }
    reader.finish()?;
    Ok(count)
}

/// How many bytes of the chain a frame shows.
pub const SHOWN: usize = CHECK_LEN;

pub fn decoded<'a, T: Wire<'a>>(bytes: &'a [u8]) -> T {
    wire::decode(bytes).unwrap()
}
