//! Calls of other plugins: by `call_plugin`, and as hooks.

use sochdb_wasmi::abi::message::{CallRequest, HookEvent};

use super::*;

/// A plugin whose entry point `nothing` answers nothing.
fn idle(probe: &mut Probe, event: Option<HookEvent>) {
    let config = PluginConfig::new(everything()).with_limits(unlimited());
    let config = match event {
        Some(event) => config.with_hook(event, "nothing", &["codes"]).unwrap(),
        None => config,
    };
    let nothing = r#"(func (export "nothing") (param i32) (result i32) (i32.const 0))"#;
    probe.host.load("idle", &wat_plugin(nothing), &config).unwrap();
}

#[test]
fn a_call_of_another_plugin_allocates_nothing() {
    let mut probe = probe();
    idle(&mut probe, None);
    let request = CallRequest { plugin: "idle", entry: "nothing", input: &[1, 2, 3] };
    probe.assert_none("call_plugin", &request, 0);
}

/// Each statement with hooks took its buffers anew.
#[test]
fn a_statement_with_hooks_allocates_nothing() {
    let values = [Value::Int(7)];
    let rows = [NewRow { id: Some(1), values: Seq::new(&values) }];
    let upsert = WriteRequest {
        table: "codes",
        mode: WriteMode::Upsert,
        columns: Seq::empty(),
        rows: Seq::new(&rows),
    };
    let delete = DeleteRequest { table: "codes", rows: RowSelector::One(99) };
    for event in HookEvent::ALL {
        let mut probe = probe();
        idle(&mut probe, Some(event));
        probe.assert_none("soch_write", &upsert, 0);
        probe.assert_none("soch_delete", &delete, 0);
    }
}
