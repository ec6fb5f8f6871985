//! New traces of changed plugins, made from old answers.

use crate::watched;
use sochdb_wasmi::{
    host::PluginConfig,
    limits::Limits,
    replay::{ReplayError, Replayer},
    trace::{CallOut, Event, Growth, GrowthRefusal, Load, Recorder, Redaction, TraceError},
};
use watched::{THRESHOLD, Watched, edited, grants, int, limits, watch, watch_with};

fn scanned() -> Vec<u8> {
    let config = PluginConfig::new(grants()).with_limits(limits());
    let mut watched = Watched::with(&watch(), &[345, 12, 346], config, Recorder::growing());
    watched.call("scan", &[]).unwrap();
    watched.host.checkpoint();
    watched.call("own", b"abc").unwrap();
    watched.call("tell", &int(7)).unwrap();
    watched.call("state", &[]).unwrap();
    watched.trace()
}

#[test]
fn unchanged_plugin_is_recorded_as_it_was_byte_for_byte() {
    let trace = scanned();
    let blessed = Replayer::new().with_plugin(&watch()).bless(trace.as_slice()).unwrap();
    assert!(blessed.trace == trace);
    assert_eq!((blessed.calls, blessed.changed_plugins.len()), (4, 0));
}

/// Refused growths were not recorded when a trace was replayed, so that a blessed trace of a plugin
/// at its memory's limit did not replay.
#[test]
fn refused_growth_is_recorded_again() {
    let narrow = Limits { memory_bytes: 3 << 16, ..limits() };
    let config = PluginConfig::new(grants()).with_limits(narrow);
    let mut watched = Watched::with(&watch(), &[], config, Recorder::growing());
    watched.call("grow", &[3]).unwrap();
    watched.call("grow", &[1]).unwrap();
    let trace = watched.trace();
    // As a device records it whose memory ran out: the interpreter takes fuel for a growth before
    // it asks for memory, one for 64 bytes.
    let mut first = true;
    let scarce = edited(&trace, |_, event, put| match event {
        Event::Load(load) => put(Event::Load(Load { limits: limits(), ..load })),
        Event::Growth(growth) => {
            let refusal = GrowthRefusal::OutOfMemory;
            put(Event::Growth(Growth { refusal, ..growth }));
        }
        Event::CallOut(call) if core::mem::take(&mut first) => {
            let fuel_left = call.fuel_left - (3 << 16) / 64;
            put(Event::CallOut(CallOut { fuel_left, ..call }));
        }
        event => put(event),
    });
    for trace in [trace, scarce] {
        let wasm = watch();
        let replayer = Replayer::new().with_plugin(&wasm);
        let replay = replayer.replay(trace.as_slice()).unwrap();
        assert!(replay.is_exact(), "{replay}");
        assert!(replayer.bless(trace.as_slice()).unwrap().trace == trace);
    }
}

#[test]
fn changed_plugin_that_asks_the_same_is_recorded_anew() {
    // Fewer alerts: what it does not ask any more is left out, and the log message needs no answer.
    let higher =
        watch_with(&[(THRESHOLD, "345"), ("scanned", "watched"), ("\\01\\07", "\\02\\07")]);
    let trace = scanned();
    let blessed = Replayer::new().with_plugin(&higher).bless(trace.as_slice()).unwrap();
    assert_eq!(blessed.changed_plugins, ["watch"]);
    assert!(blessed.trace.len() < trace.len());
    let replay = Replayer::new().with_plugin(&higher).replay(blessed.trace.as_slice()).unwrap();
    assert!(replay.is_exact(), "{replay}");
    assert!(replay.changed_plugins.is_empty());
    let error = Replayer::new().with_plugin(&watch()).replay(blessed.trace.as_slice());
    assert!(matches!(error, Err(ReplayError::WrongModule { .. })));
}

#[test]
fn request_without_a_recorded_answer_is_shown() {
    let lower = watch_with(&[(THRESHOLD, "10")]);
    let error = Replayer::new().with_plugin(&lower).bless(scanned().as_slice()).unwrap_err();
    let ReplayError::NoAnswer(asked) = &error else { panic!("{error}") };
    assert_eq!((asked.call, asked.entry.as_str()), (1, "scan"));
    assert_eq!(asked.function, "soch_write");
    assert!(asked.request.contains("table = \"alerts\""), "{error}");
    assert!(asked.request.contains("rows[0].value = 12"), "{error}");
    let text = error.to_string();
    assert!(text.starts_with("call 1 (watch.scan) asks soch_write what was not recorded in it:"));
    assert!(text.contains("before it"));
}

#[test]
fn trace_that_breaks_off_is_not_blessed() {
    let trace = scanned();
    let torn = &trace[..trace.len() - 40];
    let error = Replayer::new().with_plugin(&watch()).bless(torn).unwrap_err();
    assert!(matches!(error, ReplayError::Trace(TraceError::Torn { .. })), "{error}");
}

/// The new trace would hold pseudonyms as if they were values.
#[test]
fn redacted_trace_is_replayed_but_not_blessed() {
    let redaction = Redaction::new(b"a key").column("alerts", "value").keep_inputs();
    let config = PluginConfig::new(grants()).with_limits(limits());
    let recorder = Recorder::growing().with_redaction(redaction);
    let mut watched = Watched::with(&watch(), &[12], config, recorder);
    watched.call("scan", &[]).unwrap();
    let trace = watched.trace();
    let wasm = watch();
    let replayer = Replayer::new().with_plugin(&wasm);
    let replay = replayer.replay(trace.as_slice()).unwrap();
    assert!(replay.is_exact() && replay.redacted, "{replay}");
    assert_eq!(replayer.bless(trace.as_slice()).unwrap_err(), ReplayError::Redacted);
}
