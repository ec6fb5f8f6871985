//! Traces of statements with hooks: every call of a hook replays, alone and exactly.

use sochdb_wasmi::{
    abi::message::{HookAnswer, HookEvent, RowSelector},
    replay::{Replayer, audit_entries},
    trace::Recorder,
};

use super::{
    insert,
    plugin::{INPUT, Step, answers, config, host, plugin, row},
};

/// A hook's calls were not in the trace of the statement that they belong to, or were taken for calls that the
/// embedder had made with the hook's own deadline and fuel.
#[test]
fn calls_of_hooks_are_in_the_trace_and_replay() {
    let mut host = host();
    let goes_on = answers(&[HookAnswer::Continue]);
    let copy = Step::Must("soch_write", row("u", None, 5));
    let insertion = Step::Must("soch_write", row("t", None, 1));
    let modules = [
        ("checks", plugin(INPUT, &[("hook", &[goes_on])])),
        ("copies", plugin(INPUT, &[("hook", &[copy])])),
        ("writes", plugin(INPUT, &[("go", &[insertion])])),
        ("traps", plugin(INPUT, &[("hook", &[Step::Trap])])),
    ];
    let on = |event, table: &str| config().with_hook(event, "hook", &[table]).unwrap();
    host.record(Recorder::growing());
    host.load("checks", &modules[0].1, &on(HookEvent::BeforeInsert, "t")).unwrap();
    host.load("copies", &modules[1].1, &on(HookEvent::AfterInsert, "t")).unwrap();
    let writes = host.load("writes", &modules[2].1, &config()).unwrap();
    host.load("traps", &modules[3].1, &on(HookEvent::BeforeDelete, "t")).unwrap();

    host.call(writes, "go", &[]).unwrap();
    insert(&mut host, &[7]).unwrap();
    host.delete("t", RowSelector::One(1)).unwrap_err();
    host.call(writes, "go", &[]).unwrap();

    let mut trace = Vec::new();
    host.stop_recording().unwrap().write_to(&mut trace).unwrap();
    let mut replayer = Replayer::new();
    for (name, wasm) in &modules {
        replayer = replayer.with_named_plugin(name, wasm);
    }
    let replay = replayer.replay(trace.as_slice()).unwrap();
    assert_eq!(replay.divergences, []);
    // Each call of `go` and each insertion calls two hooks, and the deletion one.
    assert_eq!(replay.calls, 3 + 2 + 1 + 3);
    let audited: Vec<_> = host.audit().iter().cloned().collect();
    assert_eq!(audit_entries(trace.as_slice()).unwrap(), audited);
}
