//! Flight recorders: rings that keep the end of a recording.

use super::recorder::*;
use crate::{support, tracing};
use sochdb_wasmi::{
    database::Database,
    host::{Host, HostConfig, PluginConfig},
    limits::Limits,
    replay::ReplayError,
    trace::{Event, FRAME_HEADER_LEN, Header, RecordError, Recorder, TraceError},
};
use support::*;
use tracing::*;

// The flight recorder.

#[test]
fn what_a_ring_keeps_begins_at_a_checkpoint_and_replays_exactly() {
    for (kept, every) in [(600, 1), (1000, 2), (2000, 3), (3333, 1), (5000, 4)] {
        let mut probe = ticking_probe(config());
        probe.host.record(Recorder::ring(kept, 1 << 12));
        let mut lost_before = 0;
        for call in 0..60_u64 {
            if call % every == 0 {
                probe.host.checkpoint();
            }
            probe.insert(call, &"x".repeat((call % 7) as usize * 9), call as i64);
            let recorder = probe.host.recorder_mut().unwrap();
            assert_eq!(recorder.error(), None);
            let (lost, events) = (recorder.lost(), recorder.events());
            assert!(lost >= lost_before);
            lost_before = lost;
            let trace = trace_of(recorder);
            let kinds = kinds(&trace);
            let header = frames(&trace)[0].end;
            assert!(trace.len() <= header + kept);
            assert_eq!(lost + kinds.len() as u64, events, "with {kept} bytes after call {call}");
            if kinds.len() > 1 && call % 5 == 0 {
                assert_eq!(kinds[..2], ["header", "checkpoint"]);
                let replay = replayed(&trace).unwrap();
                assert!(replay.divergences.is_empty(), "{:?}", replay.divergences);
                assert!(matches!(replay.broken_off, Some(TraceError::Unfinished { .. })));
            }
        }
        assert!(lost_before > 100);
        let (trace, audit) = taken(&mut probe.host);
        // The end may have pushed the last checkpoint out; nothing is replayed then, and it says so.
        if kinds(&trace).len() > 1 {
            let replay = assert_exact(&trace, &[&probe_wasm()]);
            assert!(replay.calls > 0);
            assert_audit(&trace, &audit);
        } else {
            assert_eq!(read_all(&trace), Err(TraceError::Unfinished { event: 0 }));
        }
    }
}

/// More than the ring holds came after the last checkpoint: all of it is forgotten, up to the next.
#[test]
fn a_ring_that_was_overrun_is_empty_until_the_next_checkpoint() {
    let mut probe = ticking_probe(config());
    probe.host.record(Recorder::ring(700, 1 << 12));
    for id in 0..20 {
        probe.insert(id, "a name of some length, so that it is soon full", id as i64);
    }
    let recorder = probe.host.recorder_mut().unwrap();
    assert_eq!((recorder.error(), recorder.lost()), (None, recorder.events() - 1));
    let trace = trace_of(recorder);
    assert_eq!(kinds(&trace), ["header"]);
    assert_eq!(read_all(&trace), Err(TraceError::Unfinished { event: 0 }));
    assert_eq!(replayed(&trace).unwrap().broken_off, Some(TraceError::Unfinished { event: 0 }));
    probe.host.checkpoint();
    probe.read(1);
    let (trace, audit) = taken(&mut probe.host);
    assert_eq!(assert_exact(&trace, &[&probe_wasm()]).calls, 1);
    assert_audit(&trace, &audit);
}

#[test]
fn a_ring_without_room_keeps_its_header() {
    let mut probe = ticking_probe(config());
    probe.host.record(Recorder::ring(0, 1 << 12));
    work(&mut probe);
    probe.host.checkpoint();
    let mut recorder = probe.host.stop_recording().unwrap();
    assert_eq!(recorder.error(), None);
    let trace = trace_of(&mut recorder);
    assert_eq!(kinds(&trace), ["header"]);
    assert_eq!(recorder.lost(), recorder.events() - 1);
    assert!(matches!(
        replayed(&trace),
        Ok(replay) if replay.broken_off == Some(TraceError::Unfinished { event: 0 })
    ));
}

/// A ring remembers 64 checkpoints. With more of them it forgets the oldest, though there was room.
#[test]
fn more_checkpoints_than_a_ring_remembers_do_no_harm() {
    let mut probe = ticking_probe(config());
    probe.host.record(Recorder::ring(1 << 20, 1 << 12));
    for _ in 0..200 {
        probe.host.checkpoint();
    }
    probe.read(1);
    let recorder = probe.host.recorder_mut().unwrap();
    assert!(recorder.lost() > 0);
    let (trace, _) = taken(&mut probe.host);
    assert_eq!(assert_exact(&trace, &[&probe_wasm()]).calls, 1);
}

/// A recorder that had stopped, since an event was larger than its buffer, went on taking
/// checkpoints. The 65th made the ring forget the last events that it had: all of the evidence, in
/// the case that a flight recorder is for.
#[test]
fn a_flight_recorder_that_stopped_keeps_what_it_has() {
    let mut probe = ticking_probe(config());
    probe.host.record(Recorder::ring(1 << 16, 1 << 10));
    work(&mut probe);
    probe.raw("log_message", &[7; 2000], 0);
    let recorder = probe.host.recorder_mut().unwrap();
    assert!(matches!(recorder.error(), Some(RecordError::EventTooLarge { .. })));
    let (stopped, lost) = (trace_of(recorder), recorder.lost());
    assert!(kinds(&stopped).len() > 10);
    for _ in 0..200 {
        probe.host.checkpoint();
        probe.read(1);
        let recorder = probe.host.recorder_mut().unwrap();
        assert!(trace_of(recorder) == stopped, "it lost something");
        assert_eq!(recorder.lost(), lost);
    }
    assert!(replayed(&stopped).unwrap().divergences.is_empty());
}

/// What was recorded of the call that a panic left, and of an event that no reader takes, stayed in
/// the buffer: a ring or a sink never got it.
#[test]
fn a_recorder_that_stops_sends_on_what_it_has() {
    let mut traces = Vec::new();
    let sink = Sink::default();
    for recorder in [
        Recorder::buffer(1 << 16),
        Recorder::ring(1 << 16, 1 << 12),
        Recorder::to(sink.clone(), 1 << 12),
    ] {
        let mut looks = 0;
        let clock = move || {
            looks += 1;
            if looks == 6 {
                std::panic::resume_unwind(Box::new("the clock's own"));
            }
            looks
        };
        let mut database = Database::in_memory(Default::default());
        database.create_table(items()).unwrap();
        let host = Host::new(HostConfig::default(), database, clock);
        let limits = Limits { slice_fuel: 2_000, deadline_ms: Some(9), ..roomy() };
        let mut probe = Probe::with(host, PluginConfig::new(everything()).with_limits(limits));
        probe.host.record(recorder);
        probe.read(1);
        let request = encoded(&read_request(one(1)));
        let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
        let bytes = input(function("soch_read"), numbers, 1, &request);
        let call = std::panic::AssertUnwindSafe(|| {
            probe.host.call(probe.plugin, "call_then_spin", &bytes).map(|_| ())
        });
        assert!(std::panic::catch_unwind(call).is_err());
        let mut recorder = probe.host.stop_recording().unwrap();
        assert_eq!(recorder.error(), Some(RecordError::Unwound));
        traces.push(trace_of(&mut recorder));
    }
    traces[2] = sink.written.lock().unwrap().clone();
    let kinds: Vec<_> = traces.iter().map(|trace| kinds(trace)).collect();
    assert_eq!(kinds[0].iter().filter(|kind| **kind == "host call").count(), 2);
    assert_eq!(kinds[0], kinds[1]);
    assert_eq!(kinds[0], kinds[2]);
}

#[test]
fn a_ring_whose_beginning_was_changed_is_found() {
    let mut probe = ticking_probe(config());
    probe.host.record(Recorder::ring(1500, 1 << 12));
    for call in 0..20 {
        probe.host.checkpoint();
        probe.insert(call, "a bolt", call as i64);
    }
    let (trace, _) = taken(&mut probe.host);
    let frames = frames(&trace);
    // Without its checkpoint.
    let without = [&trace[..frames[0].end], &trace[frames[1].end..]].concat();
    assert!(matches!(read_all(&without), Err(TraceError::Reordered { expected: 1, .. })));
    // With another link before it.
    let mut other = trace.clone();
    other[frames[1].start + FRAME_HEADER_LEN + 6] ^= 1;
    assert!(matches!(read_all(&other), Err(TraceError::BrokenChain { .. })));
    // As a whole trace.
    let whole = changed_header(&trace);
    assert!(matches!(read_all(&whole), Err(TraceError::Reordered { expected: 1, .. })));
    assert!(matches!(replayed(&whole), Err(ReplayError::Trace(_))));
}

/// The header says that nothing is missing.
fn changed_header(trace: &[u8]) -> Vec<u8> {
    let (_, header) = event(payload(trace, &frames(trace)[0]));
    let Event::Header(header) = header else { panic!() };
    let mut forge = Forge::new();
    forge.event(&Event::Header(Header { ring: false, ..header }));
    [&forge.trace, &trace[frames(trace)[0].end..]].concat()
}
