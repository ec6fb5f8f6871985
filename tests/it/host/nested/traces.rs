//! Traces of plugins that call plugins.

use sochdb_wasmi::{
    capability::{Capabilities, Globs},
    host::{Host, PluginConfig},
    replay::{Replayer, audit_entries, infer, stats, what_if},
    trace::Recorder,
};

use super::{call, calls, insert, relays};
use crate::support::{relay_wasm, roomy};

/// A recorded run of chains of calls, some of which fail.
fn recorded(recorder: Recorder) -> (Host, Vec<u8>) {
    let (mut host, plugins) = relays(3);
    host.record(recorder);
    let a = plugins[0];
    for input in [
        calls("b", "call", &calls("c", "call", &insert(1))),
        calls("b", "call_then_trap", &calls("c", "call", &insert(2))),
        calls("c", "call_then_fail", &insert(3)),
        calls("nobody", "count", &[]),
        insert(4),
    ] {
        call(&mut host, a, &input);
    }
    let mut trace = Vec::new();
    host.stop_recording().unwrap().write_to(&mut trace).unwrap();
    (host, trace)
}

#[test]
fn a_trace_of_nested_calls_replays_and_its_tools_know_them() {
    let (host, trace) = recorded(Recorder::growing());
    let wasm = relay_wasm();
    let replayer = Replayer::new().with_plugin(&wasm);
    let replay = replayer.replay(trace.as_slice()).unwrap();
    assert_eq!(replay.divergences, []);
    assert_eq!(replay.calls, 5 + 2 + 2 + 1);

    let audited: Vec<_> = host.audit().iter().cloned().collect();
    assert_eq!(audit_entries(trace.as_slice()).unwrap(), audited);

    let inferred = infer([trace.as_slice()]).unwrap();
    let of_a = &inferred.plugins.iter().find(|plugin| plugin.plugin == "a").unwrap().config;
    assert_eq!(of_a.capabilities.can_call_plugin, Globs::plugins(&["b", "c", "nobody"]).unwrap());

    let counted = stats(trace.as_slice()).unwrap();
    let of_b = counted.entries.iter().find(|entry| entry.plugin == "b").unwrap();
    assert_eq!((of_b.entry.as_str(), of_b.calls, of_b.host_calls), ("call", 1, 1));

    let denied = what_if(
        trace.as_slice(),
        Some("b"),
        &PluginConfig::new(Capabilities::default()).with_limits(roomy()),
    )
    .unwrap();
    assert_eq!(denied.denials.len(), 2);
    assert!(denied.denials.iter().all(|denial| denial.plugin == "b"));
}

#[test]
fn a_trace_that_breaks_off_anywhere_in_nested_calls_replays_up_to_there() {
    let (_, trace) = recorded(Recorder::growing());
    let wasm = relay_wasm();
    let replayer = Replayer::new().with_plugin(&wasm);
    for cut in (trace.len() / 3..trace.len()).step_by(17) {
        if let Ok(replay) = replayer.replay(&trace[..cut]) {
            assert_eq!(replay.divergences, [], "cut at {cut}");
        }
    }
}
