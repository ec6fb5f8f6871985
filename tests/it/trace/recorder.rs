//! The recorder: what it does when there is no room or the sink fails, that every place gets the same
//! frames, what a flight recorder keeps, and that an event asks for no memory.

use crate::{counting, support, tracing};
use std::sync::{Arc, Mutex};

use counting::allocations;
use embedded_io::{ErrorKind, ErrorType, Write};
use sochdb_wasmi::{
    host::PluginConfig,
    limits::Limits,
    trace::{Event, Header, MAGIC, MAX_FRAME_LEN, RecordError, Recorder, Redaction, TraceError},
};
use support::*;
use tracing::*;

/// Six calls with answers of different lengths.
pub(super) fn work(probe: &mut Probe) -> Vec<String> {
    let mut outcomes = Vec::new();
    for id in 1..4 {
        outcomes.push(format!("{:?}", probe.insert(id, &"x".repeat(id as usize * 20), id as i64)));
        outcomes.push(format!("{:?}", probe.read(id)));
    }
    outcomes
}

pub(super) fn trace_of(recorder: &mut Recorder) -> Vec<u8> {
    let mut trace = Vec::new();
    recorder.write_to(&mut trace).unwrap();
    trace
}

/// A sink that keeps what it gets and fails at its end, if it has one.
#[derive(Clone, Default)]
pub(super) struct Sink {
    pub(super) written: Arc<Mutex<Vec<u8>>>,
    pub(super) room: Option<usize>,
    pub(super) flushes: Arc<Mutex<u32>>,
}

impl ErrorType for Sink {
    type Error = ErrorKind;
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let mut written = self.written.lock().unwrap();
        // A few bytes at a time, as a serial port takes them.
        let count = bytes.len().min(7);
        if self.room.is_some_and(|room| written.len() + count > room) {
            return Err(ErrorKind::OutOfMemory);
        }
        written.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        *self.flushes.lock().unwrap() += 1;
        Ok(())
    }
}

#[test]
fn a_full_buffer_is_named_and_disturbs_nobody() {
    let mut plain = ticking_probe(config());
    plain.host.checkpoint();
    let undisturbed = work(&mut plain);
    let whole = {
        let mut probe = ticking_probe(config());
        probe.host.record(Recorder::buffer(1 << 20));
        work(&mut probe);
        taken(&mut probe.host).0
    };
    for capacity in (0..whole.len()).step_by(13).chain([whole.len() - 1]) {
        let mut probe = ticking_probe(config());
        probe.host.record(Recorder::buffer(capacity));
        assert_eq!(work(&mut probe), undisturbed);
        let mut recorder = probe.host.stop_recording().unwrap();
        assert_eq!(recorder.error(), Some(RecordError::Full { capacity }));
        let trace = trace_of(&mut recorder);
        assert!(whole.starts_with(&trace));
        if capacity < frames(&whole)[0].end {
            assert!(trace.is_empty() || trace == MAGIC, "{capacity}: {} bytes", trace.len());
            continue;
        }
        // It reads as what it is: whole so far, and not ended.
        let event = recorder.events() - 1;
        assert_eq!(read_all(&trace), Err(TraceError::Unfinished { event }));
        match replayed(&trace) {
            Ok(replay) => {
                assert!(replay.divergences.is_empty());
                assert_eq!(replay.broken_off, Some(TraceError::Unfinished { event }));
            }
            Err(error) => panic!("{error}"),
        }
    }
    let mut probe = ticking_probe(config());
    probe.host.record(Recorder::buffer(whole.len()));
    work(&mut probe);
    assert_eq!(taken(&mut probe.host).0, whole, "exactly enough is enough");
}

#[test]
fn every_sink_with_any_buffer_gets_the_same_frames() {
    let mut probe = ticking_probe(config());
    probe.host.record(Recorder::buffer(1 << 20));
    work(&mut probe);
    let (whole, _) = taken(&mut probe.host);
    let largest = frames(&whole).iter().map(|frame| frame.len()).max().unwrap();
    for capacity in [largest.max(frames(&whole)[0].end), largest + 50, 1000, 1 << 16] {
        let sink = Sink::default();
        let mut probe = ticking_probe(config());
        probe.host.record(Recorder::to(sink.clone(), capacity));
        work(&mut probe);
        let mut recorder = probe.host.stop_recording().unwrap();
        assert_eq!(recorder.error(), None, "a buffer of {capacity}");
        assert!(*sink.written.lock().unwrap() == whole, "a buffer of {capacity}");
        assert_eq!(*sink.flushes.lock().unwrap(), 1);
        assert!(trace_of(&mut recorder).is_empty(), "the sink has it");
        assert_eq!(recorder.last_link(), replayed(&whole).unwrap().link.unwrap());
    }
    // A ring has the same frames behind a header that says that it is one.
    let mut probe = ticking_probe(config());
    probe.host.record(Recorder::ring(1 << 16, 1 << 12));
    work(&mut probe);
    let (ring, _) = taken(&mut probe.host);
    let (ring_frames, whole_frames) = (frames(&ring), frames(&whole));
    assert_eq!(ring_frames.len(), whole_frames.len());
    for (at, (a, b)) in ring_frames.iter().zip(&whole_frames).enumerate() {
        match event(payload(&whole, b)) {
            (0, Event::Header(header)) => {
                let expected = (0, Event::Header(Header { ring: true, ..header }));
                assert_eq!(event(payload(&ring, a)), expected);
            }
            // It holds the link of the header.
            (1, Event::Checkpoint(_)) => {}
            _ => assert_eq!(payload(&ring, a), payload(&whole, b), "event {at}"),
        }
    }
}

#[test]
fn a_call_is_in_the_sink_when_it_has_ended() {
    let sink = Sink::default();
    let mut probe = ticking_probe(config());
    probe.host.record(Recorder::to(sink.clone(), 1 << 16));
    for calls in 1..5 {
        probe.read(1);
        let trace = sink.written.lock().unwrap().clone();
        let replay = replayed(&trace).unwrap();
        assert_eq!(replay.calls, calls);
        assert!(matches!(replay.broken_off, Some(TraceError::Unfinished { .. })));
    }
}

#[test]
fn a_sink_that_fails_is_named_and_disturbs_nobody() {
    let mut plain = ticking_probe(config());
    plain.host.checkpoint();
    let undisturbed = work(&mut plain);
    for room in [0, 5, 100, 300, 700] {
        let sink = Sink { room: Some(room), ..Sink::default() };
        let mut probe = ticking_probe(config());
        probe.host.record(Recorder::to(sink.clone(), 1 << 12));
        assert_eq!(work(&mut probe), undisturbed);
        let recorder = probe.host.stop_recording().unwrap();
        assert_eq!(recorder.error(), Some(RecordError::Sink(ErrorKind::OutOfMemory)));
        let written = sink.written.lock().unwrap().clone();
        // What reached the sink is whole up to where it broke off.
        match read_all(&written) {
            Err(TraceError::Empty | TraceError::Torn { .. } | TraceError::Unfinished { .. }) => {}
            other => panic!("{room}: {other:?}"),
        }
    }
}

#[test]
fn an_event_larger_than_the_buffer_is_named_with_what_it_needs() {
    let sink = Sink::default();
    let mut probe = ticking_probe(config());
    let capacity = 400;
    probe.host.record(Recorder::to(sink.clone(), capacity));
    probe.read(1);
    let message = "x".repeat(500);
    let level = sochdb_wasmi::abi::message::LogLevel::Info;
    let log = sochdb_wasmi::abi::message::LogRequest { level, message: &message };
    assert_eq!(probe.call("log_message", &log).status, 0);
    let recorder = probe.host.stop_recording().unwrap();
    let Some(RecordError::EventTooLarge { needed, capacity: 400 }) = recorder.error() else {
        panic!("{:?}", recorder.error())
    };
    assert!(needed > capacity + 100);
    let trace = sink.written.lock().unwrap().clone();
    assert!(matches!(read_all(&trace), Err(TraceError::Unfinished { .. })));
    assert_eq!(replayed(&trace).unwrap().calls, 1);
    // Not even the header.
    let torn = TraceError::Torn { event: 0, offset: MAGIC.len() as u64 };
    for (recorder, expected) in
        [(Recorder::to(sink.clone(), 20), TraceError::Empty), (Recorder::ring(1 << 12, 20), torn)]
    {
        let mut probe = ticking_probe(config());
        probe.host.record(recorder);
        probe.read(1);
        let mut recorder = probe.host.stop_recording().unwrap();
        assert!(matches!(recorder.error(), Some(RecordError::EventTooLarge { .. })));
        assert_eq!(read_all(&trace_of(&mut recorder)), Err(expected));
    }
}

// It takes half a GiB.
#[cfg(target_pointer_width = "64")]
/// A recorder for traces that no reader reads would be of no use.
#[test]
fn an_event_that_no_reader_takes_is_not_recorded() {
    let large = MAX_FRAME_LEN + 1000;
    let wasm = wat_plugin_with(large);
    let limits = Limits { memory_bytes: u32::MAX, bytes: u64::MAX, ..roomy() };
    let mut host = host();
    let plugin =
        host.load("large", &wasm, &PluginConfig::new(everything()).with_limits(limits)).unwrap();
    host.record(Recorder::buffer(MAX_FRAME_LEN as usize + (1 << 20)).without_memory_digest());
    host.call(plugin, "run", &[]).unwrap();
    let error = host.stop_recording().unwrap().error();
    assert!(matches!(error, Some(RecordError::EventTooLarge { .. })), "{error:?}");
}

#[cfg(target_pointer_width = "64")]
/// Asks `get_config` for a key that is very long.
fn wat_plugin_with(len: u32) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
            (import "sochdb" "get_config" (func $get (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") {})
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
            (func (export "run") (param i32) (result i32)
                (drop (call $get (i32.const 0) (i32.const {len}) (i32.const 0) (i32.const 0)))
                (i32.const 0)))"#,
        len / 65_536 + 1
    ))
    .unwrap()
}

#[test]
fn every_record_error_has_words_of_its_own() {
    let all = [
        RecordError::Full { capacity: 1 },
        RecordError::EventTooLarge { needed: 2, capacity: 1 },
        RecordError::Sink(ErrorKind::Other),
        RecordError::Unwound,
    ];
    let texts: std::collections::BTreeSet<_> = all.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), all.len());
}

#[test]
fn a_second_recorder_ends_the_first() {
    let mut probe = ticking_probe(config());
    assert!(probe.host.stop_recording().is_none());
    probe.host.record(Recorder::buffer(1 << 16));
    probe.read(1);
    let mut first = probe.host.record(Recorder::buffer(1 << 16)).unwrap();
    probe.read(2);
    assert_eq!(probe.host.recorder_mut().unwrap().error(), None);
    assert_exact(&trace_of(&mut first), &[&probe_wasm()]);
    assert_exact(&taken(&mut probe.host).0, &[&probe_wasm()]);
    assert_eq!(first.events(), frames(&trace_of(&mut first)).len() as u64);
}

/// The trace of a host that goes on recording, looked at in between.
#[test]
fn a_trace_can_be_written_out_while_it_is_recorded() {
    let mut probe = ticking_probe(config());
    probe.host.record(Recorder::buffer(1 << 16));
    let mut before = Vec::new();
    for calls in 1..6 {
        probe.read(1);
        let trace = trace_of(probe.host.recorder_mut().unwrap());
        assert!(trace.starts_with(&before));
        assert_eq!(replayed(&trace).unwrap().calls, calls);
        before = trace;
    }
    let (whole, _) = taken(&mut probe.host);
    assert!(whole.starts_with(&before));
    assert_exact(&whole, &[&probe_wasm()]);
}

// Memory.

/// How often one call of the probe with so many host calls allocates while it is recorded.
fn allocations_of(probe: &mut Probe, name: &str, times: u32, request: &[u8]) -> u64 {
    let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
    let bytes = input(function(name), numbers, times, request);
    let (count, outcome) =
        allocations(|| probe.host.call(probe.plugin, "repeat", &bytes).map(|_| ()));
    outcome.unwrap();
    count
}

#[test]
fn an_event_allocates_nothing() {
    let place = vector(&[1.0; 3]);
    let values = item("bolt", 1, &place);
    let rows = [sochdb_wasmi::abi::message::NewRow {
        id: Some(1),
        values: sochdb_wasmi::abi::Seq::new(&values),
    }];
    let mut upsert = insert_request(&rows);
    upsert.mode = sochdb_wasmi::abi::message::WriteMode::Upsert;
    let cases = [
        ("soch_read", encoded(&read_request(one(1)))),
        ("soch_read", encoded(&read_request(one(77)))),
        ("soch_write", encoded(&upsert)),
        ("get_config", encoded(&"greeting")),
        ("soch_read", b"malformed".to_vec()),
    ];
    let recorders: [fn() -> Recorder; 5] = [
        || Recorder::buffer(4 << 20),
        || Recorder::to(Forgetting, 4 << 10),
        || Recorder::ring(1 << 16, 4 << 10),
        || Recorder::buffer(4 << 20).with_digests_only(),
        || {
            let chosen = Redaction::new(b"key").column("items", "name").config_key("greeting");
            Recorder::buffer(4 << 20).with_redaction(chosen)
        },
    ];
    for recorder in recorders {
        for (name, request) in &cases {
            let mut probe = ticking_probe(config());
            probe.insert(1, "bolt", 1);
            probe.host.record(recorder());
            // The first call grows the buffers of the host.
            allocations_of(&mut probe, name, 1100, request);
            let few = allocations_of(&mut probe, name, 100, request);
            let many = allocations_of(&mut probe, name, 1100, request);
            assert_eq!(few, many, "{name}");
            assert_eq!(probe.host.stop_recording().unwrap().error(), None);
        }
    }
}

/// A sink that keeps nothing.
struct Forgetting;

impl ErrorType for Forgetting {
    type Error = ErrorKind;
}

impl Write for Forgetting {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}
