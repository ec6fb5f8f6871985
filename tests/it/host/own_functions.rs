//! Functions that an embedder adds: the same bounds, quota, audit and capability as SochDB's.

use crate::support;
use sochdb_wasmi::{
    abi::{Capability, Status},
    capability::{Capabilities, Globs},
    database::Storage,
    host::{
        CallError, HostCallResult, HostFunction, HostFunctionContext, PluginConfig, RegistryError,
    },
    limits::Limits,
};
use support::*;

/// Adds the bytes of the request; costs a thousand fuel.
struct Sum {
    calls: u32,
}

impl<S: Storage> HostFunction<S> for Sum {
    fn name(&self) -> &str {
        "sum"
    }

    fn capability(&self) -> Capability<'_> {
        Capability::Named("math.sum")
    }

    fn execute(
        &mut self,
        context: &mut HostFunctionContext<'_, S>,
        request: &[u8],
        response: &mut [u8],
    ) -> HostCallResult {
        if let Err(stop) = context.charge(1000) {
            return stop.into();
        }
        self.calls += 1;
        let sum: u32 = request.iter().map(|byte| u32::from(*byte)).sum::<u32>() + self.calls;
        match response.first_chunk_mut() {
            Some(place) => {
                *place = sum.to_le_bytes();
                HostCallResult::Success(4)
            }
            None => HostCallResult::BufferTooSmall { needed: 4 },
        }
    }
}

fn plugin() -> Vec<u8> {
    wat::parse_str(
        r#"(module
            (import "lab" "sum" (func $sum (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
            (func (export "run") (param $len i32) (result i32)
                (call $sum (i32.const 256) (local.get $len) (i32.const 512) (i32.const 256)))
            (func (export "out_of_bounds") (param $len i32) (result i32)
                (call $sum (i32.const 65530) (i32.const 7) (i32.const 512) (i32.const 256)))
            (func (export "loop") (param $len i32) (result i32)
                (loop $ever
                    (drop (call $sum (i32.const 256) (i32.const 1) (i32.const 512) (i32.const 256)))
                    (br $ever))
                (unreachable)))"#,
    )
    .unwrap()
}

fn granted() -> Capabilities {
    Capabilities { can_call_host: Globs::named(&["math.*"]).unwrap(), ..Capabilities::default() }
}

#[test]
fn an_embedders_function_is_called_like_any_other() {
    let mut host = host();
    let id = host.register("lab", Sum { calls: 0 }).unwrap();
    let plugin = host.load("lab", &plugin(), &PluginConfig::new(granted())).unwrap();
    assert_eq!(host.call(plugin, "run", &[1, 2, 3]).unwrap().output, 7_u32.to_le_bytes());
    assert_eq!(host.call(plugin, "run", &[1, 2, 3]).unwrap().output, 8_u32.to_le_bytes());
    let entry = host.audit().iter().last().unwrap();
    assert_eq!((entry.function, entry.status, entry.bytes_in), (id, 4, 3));
    assert!(host.describe(entry).to_string().contains("lab sum"));
}

#[test]
fn it_needs_its_capability_and_its_bounds() {
    let mut host = host();
    host.register("lab", Sum { calls: 0 }).unwrap();
    let denied = host.load("denied", &plugin(), &PluginConfig::default()).unwrap();
    let error = host.call(denied, "run", &[1]).unwrap_err();
    assert_eq!(error.status(), Some(Status::PermissionDenied));
    assert!(error.to_string().contains("math.sum"), "{error}");
    let plugin = host.load("granted", &plugin(), &PluginConfig::new(granted())).unwrap();
    let error = host.call(plugin, "out_of_bounds", &[]).unwrap_err();
    assert_eq!(error.status(), Some(Status::InvalidArgs));
}

#[test]
fn what_it_charges_ends_a_loop_of_it() {
    let mut host = host();
    host.register("lab", Sum { calls: 0 }).unwrap();
    let limits = Limits { fuel_per_call: 50_000, ..Limits::default() };
    let config = PluginConfig::new(granted()).with_limits(limits);
    let plugin = host.load("loop", &plugin(), &config).unwrap();
    assert!(matches!(host.call(plugin, "loop", &[]).unwrap_err(), CallError::Limit(_)));
    assert!(host.report(plugin).unwrap().host_calls < 50);
}

#[test]
fn the_module_sochdb_is_reserved_and_names_are_unique() {
    let mut host = host();
    assert_eq!(host.register("sochdb", Sum { calls: 0 }), Err(RegistryError::ReservedModule));
    assert!(matches!(host.register("l a b", Sum { calls: 0 }), Err(RegistryError::Name(_))));
    host.register("lab", Sum { calls: 0 }).unwrap();
    assert!(matches!(host.register("lab", Sum { calls: 0 }), Err(RegistryError::Duplicate { .. })));
}
