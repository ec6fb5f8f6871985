//! Traces that are whole and cannot be replayed: the reason is named.

use crate::{support, tracing};
use sochdb_wasmi::{
    abi::{Capability, HOST_FUNCTIONS},
    host::LoadError,
    replay::{ReplayError, Replayer},
    trace::{CallIn, Data, Event, Function, Load, Recorder, Unload},
};
use support::*;
use tracing::*;

// Replays.

#[track_caller]
fn assert_refused(trace: &[u8], expected: ReplayError) {
    assert_eq!(replayed(trace).unwrap_err(), expected);
}

#[test]
fn a_trace_without_calls_is_nothing_to_replay() {
    assert_refused(&recorded_without_calls(), ReplayError::NoCalls);
}

fn recorded_without_calls() -> Vec<u8> {
    let mut probe = ticking_probe(config());
    probe.host.record(Recorder::buffer(1 << 16));
    taken(&mut probe.host).0
}

#[test]
fn digests_cannot_be_replayed() {
    let mut probe = ticking_probe(config());
    probe.host.record(Recorder::buffer(1 << 16).with_digests_only());
    probe.read(1);
    let (trace, audit) = taken(&mut probe.host);
    assert_refused(&trace, ReplayError::NoAnswers);
    // But they hold the audit log, and are as many events.
    assert_audit(&trace, &audit);
    assert_eq!(audit.len(), 1);
}

/// Digests whose header says that they are a full trace.
#[test]
fn a_digest_in_a_full_trace_is_no_answer() {
    let trace = small_trace();
    let forged = changed(&trace, position(&trace, "call in"), |event| {
        if let Event::CallIn(call) = event {
            call.input = Data::Absent { len: 30 };
        }
    });
    assert_refused(&forged, ReplayError::NoAnswers);
    for data in [Data::Absent { len: 3 }, Data::Digest { len: 3, digest: Default::default() }] {
        let forged = changed(&trace, position(&trace, "host call"), |event| {
            if let Event::HostCall(call) = event {
                call.response = data;
            }
        });
        assert_refused(&forged, ReplayError::NoAnswers);
    }
}

#[test]
fn another_version_of_the_abi_is_refused() {
    let trace = small_trace();
    let other = changed(&trace, 0, |event| {
        if let Event::Header(header) = event {
            header.abi_version = 7;
        }
    });
    assert_refused(&other, ReplayError::AbiVersion { found: 7 });
}

#[test]
fn another_module_is_refused_by_its_hash() {
    let trace = small_trace();
    let mut other = probe_wasm();
    // A custom section without a name: the same code, another module.
    other.extend([0, 1, 0]);
    let error = Replayer::new().with_plugin(&other).replay(trace.as_slice()).unwrap_err();
    let hash = sochdb_wasmi::trace::chain::module_hash(&probe_wasm());
    let expected = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let wrong = ReplayError::WrongModule { plugin: "probe".into(), expected };
    assert_eq!(error, wrong);
    assert_eq!(Replayer::new().replay(trace.as_slice()).unwrap_err(), wrong);
    // Unless it was meant.
    let replayer = Replayer::new().with_plugin(&other).with_changed_plugins();
    let replay = replayer.replay(trace.as_slice()).unwrap();
    assert!(replay.is_exact());
    assert_eq!(replay.changed_plugins, ["probe"]);
}

#[test]
fn a_module_that_cannot_be_loaded_is_named() {
    let trace = small_trace();
    let at = position(&trace, "load");
    let other = changed(&trace, at, |event| {
        if let Event::Load(load) = event {
            load.limits.memory_bytes = 1;
        }
    });
    let error = replayed(&other).unwrap_err();
    let ReplayError::Load { plugin, error } = error else { panic!("{error}") };
    assert_eq!(plugin, "probe");
    assert!(matches!(*error, LoadError::Limit(_)), "{error}");
}

#[test]
fn a_function_that_cannot_be_registered_is_named() {
    let trace = small_trace();
    for (module, name) in [("sochdb", "soch_fly"), ("device", "no such name!")] {
        let mut forge = Forge::after(&trace, 2);
        let id = sochdb_wasmi::audit::FunctionId(HOST_FUNCTIONS.len() as u16);
        forge.event(&Event::Function(Function {
            id,
            module,
            name,
            capability: Capability::Always,
        }));
        forge.rest(&trace, 2);
        let error = replayed(&forge.trace).unwrap_err();
        assert!(matches!(error, ReplayError::Function(_)), "{error}");
    }
}

#[test]
fn events_that_cannot_stand_where_they_stand_are_named() {
    let trace = small_trace();
    let call = position(&trace, "call in");
    let of = |kind| {
        let frames = frames(&trace);
        payload(&trace, &frames[position(&trace, kind)])
    };
    // Outside calls.
    for what in ["host call", "call out"] {
        let mut forge = Forge::after(&trace, call);
        forge.event(&event(of(what)).1);
        forge.rest(&trace, call);
        assert_refused(&forge.trace, ReplayError::Misplaced { event: call as u64, what });
    }
    // In a call.
    let unload = numbered(0, &Event::Unload(Unload { plugin: Default::default() }));
    for what in ["call in", "load", "checkpoint", "table", "end", "unload"] {
        let mut forge = Forge::after(&trace, call + 1);
        forge.event(&event(if what == "unload" { &unload } else { of(what) }).1);
        forge.rest(&trace, call + 1);
        let found = call as u64 + 1;
        assert_refused(&forge.trace, ReplayError::Misplaced { event: found, what });
    }
}

#[test]
fn a_call_of_a_plugin_that_was_not_loaded_is_named() {
    let trace = small_trace();
    let at = position(&trace, "call in");
    let other = changed(&trace, at, |event| {
        if let Event::CallIn(CallIn { plugin, .. }) = event {
            plugin.0 = 12;
        }
    });
    assert_refused(&other, ReplayError::UnknownPlugin { event: at as u64, plugin: 12 });
    // After it was unloaded too.
    let mut forge = Forge::after(&trace, at);
    forge.event(&Event::Unload(Unload { plugin: Default::default() }));
    forge.rest(&trace, at);
    assert_refused(&forge.trace, ReplayError::UnknownPlugin { event: at as u64 + 1, plugin: 0 });
}

/// A plugin is not loaded under a number that another one has.
#[test]
fn a_plugin_that_is_loaded_twice_is_named() {
    let trace = small_trace();
    let at = position(&trace, "load");
    let mut forge = Forge::after(&trace, at + 1);
    let frames = frames(&trace);
    let (_, load) = event(payload(&trace, &frames[at]));
    let Event::Load(load) = load else { panic!() };
    forge.event(&Event::Load(Load { name: "other", ..load }));
    forge.rest(&trace, at + 1);
    let misplaced = ReplayError::Misplaced { event: at as u64 + 1, what: "load" };
    assert_refused(&forge.trace, misplaced);
}

/// Nothing is left over, nothing is made up.
#[test]
fn events_left_over_and_events_too_many_are_told_apart() {
    let trace = recorded(config(), |probe| {
        probe.read(1);
        probe.read(2);
    });
    let at = position(&trace, "host call");
    let (_, call) = event(payload(&trace, &frames(&trace)[at]));
    // An answer that nobody asked for.
    let mut forge = Forge::after(&trace, at + 1);
    forge.event(&call);
    forge.rest(&trace, at + 1);
    let replay = replayed(&forge.trace).unwrap();
    let [divergence] = replay.divergences.as_slice() else { panic!("{replay:?}") };
    assert_eq!(divergence.cause.as_str(), "missing");
    assert_eq!((divergence.event, divergence.call), (at as u64 + 1, 1));
    // A question without an answer.
    let mut forge = Forge::after(&trace, at);
    forge.rest(&trace, at + 1);
    let replay = replayed(&forge.trace).unwrap();
    let [divergence] = replay.divergences.as_slice() else { panic!("{replay:?}") };
    assert_eq!(divergence.cause.as_str(), "extra");
    assert_eq!((divergence.event, divergence.call), (at as u64, 1));
    assert_eq!(divergence.function.as_deref(), Some("soch_read"));
    assert!(!replay.is_exact());
}
