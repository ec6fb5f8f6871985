//! Calls that fuel or a deadline ended, replayed where neither can be compared: with a changed plugin,
//! or under another version of wasmi.
//!
//! Such calls were passed over: any plugin was "as recorded", also one that had no such entry point.

use crate::{support::*, tracing::*};
use sochdb_wasmi::{
    host::{CallError, PluginConfig},
    limits::Limits,
    replay::{Cause, Divergence, MinimiseError, Minimiser, Replay, ReplayError, Replayer},
    trace::{Data, Ending, Event, Recorder},
};

/// A plugin whose entry point `run` does `body`. `$log` logs one byte, `$config` asks for a value.
fn plugin(body: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
            (import "sochdb" "log_message" (func $message (param i32 i32 i32 i32) (result i32)))
            (import "sochdb" "get_config" (func $get (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0)
                "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
            (data (i32.const 1024) "\02\01x")
            (data (i32.const 1032) "\01k")
            (func $log (drop (call $message
                (i32.const 1024) (i32.const 3) (i32.const 0) (i32.const 0))))
            (func $config (drop (call $get
                (i32.const 1032) (i32.const 2) (i32.const 2048) (i32.const 64))))
            (func $spin (loop $again (br $again)))
            (func $work (param $times i32) (loop $again
                (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1))))))
            (func (export "run") (param i32) (result i32) {body}))"#
    ))
    .unwrap()
}

const LIMITS: Limits = Limits { fuel_per_call: 200_000, ..Limits::DEFAULT };

/// A trace of one call of `run`, which is ended by its fuel, or by its deadline after 100,000 fuel.
fn trace_of(wasm: &[u8], deadline: bool) -> Vec<u8> {
    let limits = match deadline {
        true => Limits { deadline_ms: Some(10), slice_fuel: 1000, ..LIMITS },
        false => Limits { deadline_ms: None, ..LIMITS },
    };
    let mut now = 0;
    let clock = move || {
        now += 100;
        now
    };
    let database = sochdb_wasmi::database::Database::in_memory(Default::default());
    let config = sochdb_wasmi::host::HostConfig::default();
    let mut host = sochdb_wasmi::host::Host::new(config, database, clock);
    let plugin = host.load("p", wasm, &PluginConfig::new(everything()).with_limits(limits));
    let plugin = plugin.unwrap();
    host.record(Recorder::growing());
    let error = host.call(plugin, "run", &[]).unwrap_err();
    assert!(matches!(error, CallError::Limit(_)));
    taken(&mut host).0
}

fn replay(trace: &[u8], wasm: &[u8]) -> Replay {
    Replayer::new().with_plugin(wasm).with_changed_plugins().replay(trace).unwrap()
}

/// What the replay of a call of `recorded` with `changed` finds, whatever ended the call.
#[track_caller]
fn found(recorded: &str, changed: &str) -> Replay {
    let [fuel, deadline] = [false, true]
        .map(|deadline| replay(&trace_of(&plugin(recorded), deadline), &plugin(changed)));
    let told = |replay: &Replay| {
        let causes = replay.divergences.iter().map(|found| (found.cause, found.field.clone()));
        (causes.collect::<Vec<_>>(), replay.passed_over.len())
    };
    assert_eq!(told(&fuel), told(&deadline), "{fuel}{deadline}");
    fuel
}

#[track_caller]
fn diverged(recorded: &str, changed: &str) -> Divergence {
    let replay = found(recorded, changed);
    assert!(!replay.is_exact() && !replay.agrees());
    assert_eq!(replay.exit_code(), Cause::PluginChanged.exit_code());
    let [divergence] = replay.divergences.as_slice() else { panic!("{replay}") };
    assert_eq!(divergence.cause, Cause::PluginChanged);
    divergence.clone()
}

const ENDLESS: &str = "(call $log) (call $spin) (i32.const 0)";

#[test]
fn a_plugin_without_the_entry_point_is_not_as_recorded() {
    let gone = wat_plugin("(func (export \"walk\") (param i32) (result i32) (i32.const 0))");
    for recorded in [ENDLESS, "(call $spin) (i32.const 0)"] {
        for deadline in [false, true] {
            let trace = trace_of(&plugin(recorded), deadline);
            let found = replay(&trace, &gone);
            let [divergence] = found.divergences.as_slice() else { panic!("{found}") };
            assert_eq!(divergence.field.as_deref(), Some("entry"));
            assert_eq!(divergence.expected.value, "the entry point run");
            assert_eq!(divergence.got.value, "the plugin exports no function \"run\"");
            assert_eq!(divergence.got.fuel_left, None, "it took no fuel");
            assert_eq!(divergence.event, position(&trace, "call in") as u64);
            assert!(!found.is_exact());

            // Nor is it where the trace breaks off.
            let begun = &trace[..frames(&trace)[divergence.event as usize].end];
            assert_eq!(replay(begun, &gone).divergences.len(), 1);
        }
    }
}

#[test]
fn a_plugin_that_does_the_same_is_compared_to_the_limit() {
    let same = plugin(&format!("(nop) (call $work (i32.const 7)) {ENDLESS}"));
    for deadline in [false, true] {
        let found = replay(&trace_of(&plugin(ENDLESS), deadline), &same);
        assert!(found.is_exact(), "{found}");
    }
    assert!(
        found(
            "(call $spin) (i32.const 0)",
            "(call $work (i32.const 100)) (call $spin) (i32.const 1)"
        )
        .is_exact()
    );
}

#[test]
fn a_call_that_ends_before_the_limit_is_told() {
    for (changed, got) in [
        ("(call $log) (i32.const 0)", "output"),
        ("(call $log) (i32.const -3)", "failed (the entry point returned -3)"),
        ("(call $log) (unreachable)", "trap (trap: wasm `unreachable` instruction executed)"),
    ] {
        let divergence = diverged(ENDLESS, changed);
        assert_eq!(divergence.field.as_deref(), Some("ending"));
        assert_eq!(divergence.got.value, got);
        assert!(divergence.expected.value.starts_with("limit"), "{divergence}");
    }
}

#[test]
fn other_requests_before_the_limit_are_told() {
    let divergence = diverged(ENDLESS, "(call $config) (call $spin) (i32.const 0)");
    assert_eq!(divergence.field.as_deref(), Some("function"));
    // One is left out: it spins without it, however long it is given.
    let divergence = diverged(ENDLESS, "(call $spin) (i32.const 0)");
    assert_eq!(divergence.field.as_deref(), Some("event"));
    assert!(divergence.expected.value.contains("log_message"), "{divergence}");
    // The plugin was mended: it does not spin any more and goes on.
    let divergence = diverged(ENDLESS, "(call $log) (call $config) (i32.const 0)");
    assert_eq!(divergence.function.as_deref(), Some("get_config"));
    diverged("(call $spin) (i32.const 0)", "(call $log) (i32.const 0)");
}

/// A plugin that asks in a loop, built again, comes a little further with the same fuel, or not as
/// far. What it asks then was not recorded: that is counted, and it is not exact.
#[test]
fn what_comes_after_the_recorded_limit_is_counted_and_told() {
    let asking = |work| {
        format!(
            "(loop $again (call $config) (call $work (i32.const {work})) (br $again)) (i32.const 0)"
        )
    };
    let dearer = found(&asking(300), &asking(400));
    assert!(dearer.is_exact(), "{dearer}");
    let cheaper = found(&asking(400), &asking(300));
    assert!(cheaper.agrees() && !cheaper.is_exact(), "{cheaper}");
    assert_eq!((cheaper.exit_code(), cheaper.passed_over.len()), (0, 1));
    let passed = &cheaper.passed_over[0];
    assert_eq!((passed.call, passed.plugin.as_str(), passed.entry.as_str()), (1, "p", "run"));
    assert!(passed.reason.starts_with("it calls get_config after #"), "{}", passed.reason);
    let text = cheaper.to_string();
    assert!(text.contains("1 call passed over: call 1 (p.run): it calls"), "{text}");
    assert!(text.contains("as recorded, as far as it could be compared"), "{text}");
    let json = cheaper.to_json();
    assert!(json.contains(r#""exact":false"#) && json.contains(r#""passed_over":[{"call":1,"#));
}

/// Under another version of wasmi the same module may end before a limit that it ran into.
#[test]
fn another_wasmi_is_compared_to_the_limit_too() {
    let wasm = plugin("(call $log) (call $work (i32.const 5000)) (i32.const 0)");
    let limits = Limits { fuel_per_call: 3_000, deadline_ms: None, ..LIMITS };
    let mut host = host();
    let config = PluginConfig::new(everything()).with_limits(limits);
    let loaded = host.load("p", &wasm, &config).unwrap();
    host.record(Recorder::growing());
    host.call(loaded, "run", &[]).unwrap_err();
    let trace = taken(&mut host).0;
    let other = changed(&trace, 0, |event| {
        if let Event::Header(header) = event {
            header.wasmi = "3.1.4";
        }
    });
    let replayer = Replayer::new().with_plugin(&wasm);
    assert!(replayer.replay(other.as_slice()).unwrap().is_exact());
    // As if that one had counted five times as much fuel.
    let at = position(&other, "call in");
    let other = changed(&other, at, |event| {
        if let Event::CallIn(call) = event {
            call.fuel *= 20;
        }
    });
    let found = replayer.replay(other.as_slice()).unwrap();
    assert!(found.agrees() && !found.is_exact(), "{found}");
    assert_eq!(
        found.passed_over[0].reason,
        "it ends with output, where it was ended by limit before"
    );
    // What it does before is compared.
    let at = position(&other, "host call");
    let wrong = changed(&other, at, |event| {
        if let Event::HostCall(call) = event {
            call.capacity += 1;
        }
    });
    assert!(!replayer.replay(wrong.as_slice()).unwrap().agrees());
}

/// Blessing left the call out: what could not be made was not recorded, and nobody missed it.
#[test]
fn blessing_a_plugin_without_the_entry_point_is_an_error() {
    let gone = wat_plugin("(func (export \"walk\") (param i32) (result i32) (i32.const 0))");
    let trace = trace_of(&plugin(ENDLESS), false);
    let error = Replayer::new().with_plugin(&gone).bless(trace.as_slice()).unwrap_err();
    let ReplayError::Refused { call: 1, entry, .. } = &error else { panic!("{error}") };
    assert_eq!(entry, "run");
    assert_eq!(
        error.to_string(),
        "call 1 (p.run) cannot be made: the plugin exports no function \"run\""
    );
}

/// The test that `minimise --test` wrote of a call that never ends passed whatever the plugin did.
#[test]
fn a_minimised_timeout_is_a_test_that_can_fail() {
    let wasm = plugin(ENDLESS);
    for deadline in [false, true] {
        let trace = trace_of(&wasm, deadline);
        let small = Minimiser::new(Replayer::new().with_plugin(&wasm)).minimise(trace.as_slice());
        let small = match small {
            Ok(small) => small.trace,
            // A deadline is not reached where nobody looks at a clock.
            Err(MinimiseError::DoesNotFail) if deadline => trace,
            Err(error) => panic!("{error}"),
        };
        assert!(replay(&small, &wasm).is_exact());
        let mended = plugin("(call $log) (i32.const 0)");
        assert!(!replay(&small, &mended).agrees());
    }
}

/// How a call ended whose writes could not be kept was not looked at: nor whether the plugin trapped.
#[test]
fn a_plugin_has_to_end_well_where_only_the_storage_failed() {
    let wasm = plugin("(call $log) (i32.const 2)");
    let mut host = host();
    let loaded = host.load("p", &wasm, &PluginConfig::new(everything())).unwrap();
    host.record(Recorder::growing());
    host.call(loaded, "run", &[]).unwrap();
    let trace = taken(&mut host).0;
    let at = position(&trace, "call out");
    let trace = changed(&trace, at, |event| {
        if let Event::CallOut(call) = event {
            let output = Data::Full(b"the storage failed");
            (call.ending, call.code, call.output) = (Ending::Commit, 0, output);
        }
    });
    assert!(replay(&trace, &wasm).is_exact());
    for body in ["(call $log) (unreachable)", "(call $log) (i32.const -4)"] {
        let found = replay(&trace, &plugin(body));
        let [divergence] = found.divergences.as_slice() else { panic!("{found}") };
        assert_eq!(divergence.field.as_deref(), Some("ending"));
    }
}

/// Two traps were one and the same, wherever they came from.
#[test]
fn a_trap_of_another_kind_is_told() {
    let trap = plugin("(call $log) (unreachable)");
    let mut host = host();
    let loaded = host.load("p", &trap, &PluginConfig::new(everything())).unwrap();
    host.record(Recorder::growing());
    host.call(loaded, "run", &[]).unwrap_err();
    let trace = taken(&mut host).0;
    assert!(replay(&trace, &plugin("(nop) (call $log) (unreachable)")).is_exact());
    let found = replay(&trace, &plugin("(call $log) (i32.div_s (i32.const 1) (i32.const 0))"));
    assert_eq!(found.divergences[0].field.as_deref(), Some("trap"), "{found}");
}

/// The recorded module was given beside the changed one, for another of the trace's plugins or by
/// mistake, and ran in its place: the change was never tried.
#[test]
fn a_named_plugin_takes_its_place_also_beside_the_recorded_one() {
    let (old, new) = (plugin(ENDLESS), plugin("(call $log) (i32.const 0)"));
    let trace = trace_of(&old, false);
    let replayer = Replayer::new().with_plugin(&old).with_named_plugin("p", &new);
    assert!(replayer.replay(trace.as_slice()).unwrap().is_exact());
    let found = replayer.with_changed_plugins().replay(trace.as_slice()).unwrap();
    assert!(!found.agrees() && found.changed_plugins == ["p"], "{found}");
}
