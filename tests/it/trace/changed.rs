//! Traces whose events were changed: the replay finds the first difference and names its cause.

use super::replay::*;
use crate::{support, tracing};
use sochdb_wasmi::{
    limits::Limits,
    replay::{Cause, Replay, Replayer},
    trace::{Data, Digest, Event, Recorder},
};
use support::*;
use tracing::*;

fn two_reads() -> Vec<u8> {
    let limits = Limits { fuel_per_call: 40_000, ..roomy() };
    recorded(with_limits(limits), |probe| {
        probe.insert(1, "bolt", 3);
        probe.read(1);
        probe.host.call(probe.plugin, "count", &[]).unwrap();
        probe.call_and("spin", "soch_read", &read_request(one(1)));
        probe.host.call(probe.plugin, "count", &[]).unwrap();
    })
}

fn nth(trace: &[u8], kind: &str, n: usize) -> usize {
    let kinds = kinds(trace);
    kinds.iter().enumerate().filter(|(_, found)| **found == kind).nth(n).unwrap().0
}

#[track_caller]
fn diverged(trace: &[u8]) -> (Cause, u64, u64, Option<String>) {
    let replay = replayed(trace).unwrap();
    let [divergence] = replay.divergences.as_slice() else { panic!("{replay:?}") };
    assert!(!replay.is_exact());
    (divergence.cause, divergence.event, divergence.call, divergence.field.clone())
}

#[test]
fn another_answer_is_found_in_the_output() {
    let trace = two_reads();
    let at = nth(&trace, "host call", 1);
    let other = changed(&trace, at, |event| {
        if let Event::HostCall(call) = event {
            call.response = Data::Full(&[9; 20]);
        }
    });
    let end = nth(&trace, "call out", 1) as u64;
    assert_eq!(diverged(&other), (Cause::DifferentAnswer, end, 2, Some("output[4]".into())));
}

#[test]
fn another_input_is_found_in_the_first_host_call() {
    let trace = two_reads();
    let at = nth(&trace, "call in", 1);
    let request = encoded(&read_request(one(2)));
    let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
    let bytes = input(function("soch_read"), numbers, 1, &request);
    let frames = frames(&trace);
    let mut forge = Forge::after(&trace, at);
    let (_, begin) = event(payload(&trace, &frames[at]));
    let Event::CallIn(begin) = begin else { panic!() };
    forge.event(&Event::CallIn(sochdb_wasmi::trace::CallIn { input: Data::Full(&bytes), ..begin }));
    forge.rest(&trace, at + 1);
    let (cause, event, call, field) = diverged(&forge.trace);
    assert_eq!((cause, event, call), (Cause::DifferentInput, at as u64 + 1, 2));
    assert_eq!(field.as_deref(), Some("request.rows.id"));
}

#[test]
fn other_fuel_is_found_where_it_first_differs() {
    let trace = two_reads();
    let at = nth(&trace, "host call", 1);
    let other = changed(&trace, at, |event| {
        if let Event::HostCall(call) = event {
            call.fuel_left -= 1;
        }
    });
    assert_eq!(diverged(&other), (Cause::Fuel, at as u64, 2, Some("fuel".into())));
    let at = nth(&trace, "call out", 0);
    let other = changed(&trace, at, |event| {
        if let Event::CallOut(call) = event {
            call.fuel_left -= 1;
        }
    });
    assert_eq!(diverged(&other), (Cause::Fuel, at as u64, 1, Some("fuel".into())));
}

#[test]
fn another_linear_memory_is_found_by_its_digest() {
    let trace = two_reads();
    let at = nth(&trace, "call out", 1);
    let other = changed(&trace, at, |event| {
        if let Event::CallOut(call) = event {
            call.memory = Some(Digest::of(b"another"));
        }
    });
    let (cause, event, call, _) = diverged(&other);
    assert_eq!((cause, event, call), (Cause::Memory, at as u64, 2));
    // Without digests it is not.
    let mut probe = ticking_probe(config());
    probe.host.record(Recorder::buffer(1 << 20).without_memory_digest());
    probe.read(1);
    let (trace, _) = taken(&mut probe.host);
    assert_exact(&trace, &[&probe_wasm()]);
    assert!(events(&trace).iter().all(|e| !matches!(e, Event::CallOut(c) if c.memory.is_some())));
}

/// Fuel under another interpreter: told, not failed. What ended for lack of it, or of time, is
/// passed over, and the plugin begins anew after it as it did then.
#[test]
fn another_version_of_wasmi_may_count_fuel_otherwise() {
    let trace = two_reads();
    let mut other = changed(&trace, 0, |event| {
        if let Event::Header(header) = event {
            header.wasmi = "3.1.4";
        }
    });
    for (kind, n) in [("call out", 0), ("host call", 1), ("call out", 2)] {
        other = changed(&other, nth(&other, kind, n), |event| match event {
            Event::CallOut(call) => call.fuel_left -= 5,
            Event::HostCall(call) => call.fuel_left -= 5,
            _ => {}
        });
    }
    let Replay { calls, divergences, fuel, other_wasmi, .. } = replayed(&other).unwrap();
    assert!(divergences.is_empty(), "{divergences:?}");
    assert_eq!((calls, other_wasmi.as_deref()), (5, Some("3.1.4")));
    let told: Vec<_> = fuel.iter().map(|f| (f.call, f.recorded - f.replayed)).collect();
    assert_eq!(told, [(1, 5), (3, 5)]);
    // The same fuel under this one is a divergence.
    let same = changed(&other, 0, |event| {
        if let Event::Header(header) = event {
            header.wasmi = sochdb_wasmi::trace::WASMI_VERSION;
        }
    });
    assert_eq!(diverged(&same).0, Cause::Fuel);
}

#[test]
fn a_replay_goes_on_after_a_divergence_if_it_is_asked_to() {
    let trace = two_reads();
    let mut other = trace.clone();
    for n in 0..3 {
        other = changed(&other, nth(&other, "call out", n), |event| {
            if let Event::CallOut(call) = event {
                call.fuel_left -= 1;
            }
        });
    }
    let wasm = probe_wasm();
    let replayer = Replayer::new().with_plugin(&wasm);
    assert_eq!(replayer.replay(&other[..]).unwrap().divergences.len(), 1);
    let replay = replayer.with_divergences(9).replay(&other[..]).unwrap();
    assert_eq!((replay.divergences.len(), replay.calls), (3, 5));
}
