//! Functions of the embedder's own in a trace: replayed without them.

use super::replay::*;
use crate::{support, tracing};
use sochdb_wasmi::{
    abi::{Capability, message::Format},
    database::Storage,
    host::{HostCallResult, HostFunction, HostFunctionContext, PluginConfig},
    trace::Recorder,
};
use support::*;
use tracing::*;

/// Writes the whole response, then fails as the request says.
struct Scribble;

impl<S: Storage> HostFunction<S> for Scribble {
    fn name(&self) -> &str {
        "scribble"
    }

    fn capability(&self) -> Capability<'_> {
        Capability::Named("lab.scribble")
    }

    fn execute(
        &mut self,
        context: &mut HostFunctionContext<'_, S>,
        request: &[u8],
        response: &mut [u8],
    ) -> HostCallResult {
        if let Err(stop) = context.charge(100) {
            return stop.into();
        }
        response.fill(0x5a);
        match request.first() {
            Some(0) => HostCallResult::Success(response.len()),
            Some(1) => HostCallResult::invalid("halfway"),
            Some(2) => HostCallResult::BufferTooSmall { needed: 1 << 20 },
            Some(3) => HostCallResult::Success(1 << 20),
            Some(4) => HostCallResult::denied("after all"),
            _ => HostCallResult::not_found("nothing"),
        }
    }
}

fn scribbling() -> Vec<u8> {
    wat::parse_str(
        r#"(module
            (import "lab" "scribble" (func $scribble (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
            (func (export "run") (param $len i32) (result i32)
                (i32.store (i32.const 512)
                    (call $scribble (i32.const 256) (local.get $len) (i32.const 1024) (i32.const 40)))
                (i32.const 4)))"#,
    )
    .unwrap()
}

/// A function that was registered while the host recorded was not in the trace: the plugin that
/// imported it could not be loaded in the replay.
#[test]
fn an_embedders_function_is_not_needed_to_replay_what_it_did() {
    for early in [true, false] {
        let mut host = host();
        if early {
            host.register("lab", Scribble).unwrap();
        }
        host.record(Recorder::buffer(1 << 20));
        if !early {
            host.register("lab", Scribble).unwrap();
        }
        let config = PluginConfig::new(everything()).with_limits(roomy());
        let plugin = host.load("scribbler", &scribbling(), &config).unwrap();
        let denied = host.load("denied", &scribbling(), &PluginConfig::default()).unwrap();
        for how in 0..6 {
            host.call(plugin, "run", &[how]).unwrap();
            host.call(denied, "run", &[how]).unwrap();
        }
        let (trace, audit) = taken(&mut host);
        let replay = assert_exact(&trace, &[&scribbling()]);
        assert_eq!(replay.calls, 12);
        assert_audit(&trace, &audit);
    }
}

/// A TOON document of no rows is shorter than what was written of it before: the bytes behind it were
/// not in the trace.
#[test]
fn an_answer_that_was_partly_taken_back_is_recorded_as_far_as_it_was_written() {
    recorded(config(), |probe| {
        probe.call("soch_read", &all_rows("items", Format::Toon));
        (1..9).for_each(|id| _ = probe.insert(id, "a bolt with a name", id as i64));
        for format in [Format::Rows, Format::Toon] {
            let request = encoded(&all_rows("items", format));
            (0..300).step_by(7).for_each(|capacity| _ = probe.raw("soch_read", &request, capacity));
        }
    });
}
