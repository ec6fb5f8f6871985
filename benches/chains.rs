//! Calls of entry points that do nothing: the embedder's, and those that a plugin makes of another one.

use super::looped;
use sochdb_wasmi::{
    abi::{message::CallRequest, wire},
    audit::PluginId,
    capability::{Capabilities, Globs},
    database::{Database, MemoryLimits},
    host::{Host, HostConfig, NoClock, PluginConfig},
    limits::Limits,
};

/// A caller, `run`, that calls `nothing` of another plugin in a loop.
pub struct Chain {
    host: Host,
    caller: PluginId,
    callee: PluginId,
}

impl Chain {
    /// Loads both.
    pub fn new() -> Self {
        let database = Database::in_memory(MemoryLimits::default());
        let mut host = Host::new(HostConfig::default(), database, NoClock);
        let limits = Limits {
            fuel_per_call: u64::MAX / 4,
            host_calls: u32::MAX,
            bytes: u64::MAX,
            deadline_ms: None,
            ..Limits::default()
        };
        let grants = Capabilities {
            can_call_plugin: Globs::plugins(&["callee"]).expect("a pattern"),
            ..Capabilities::default()
        };
        let config = PluginConfig::new(grants).with_limits(limits);
        let caller = host.load("caller", &caller(), &config).expect("loads");
        let callee = host.load("callee", &callee(), &config).expect("loads");
        Self { host, caller, callee }
    }

    /// Makes the call from the embedder, `times` times.
    pub fn from_embedder(&mut self, times: u32) {
        for _ in 0..times {
            self.host.call(self.callee, "nothing", &[]).expect("runs");
        }
    }

    /// Makes the call from the other plugin, `times` times.
    pub fn from_plugin(&mut self, times: u32) {
        let outcome = self.host.call(self.caller, "run", &times.to_le_bytes()).expect("runs");
        assert_eq!(outcome.output, [0; 4], "the last call failed");
    }
}

impl Default for Chain {
    fn default() -> Self {
        Self::new()
    }
}

fn callee() -> Vec<u8> {
    wat::parse_str(
        r#"(module
            (memory (export "memory") 1)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0) "\01\00\00\00" "\20\00\00\00" "\10\00\00\00" "\40\00\00\00" "\10\00\00\00")
            (func (export "nothing") (param i32) (result i32) (i32.const 0)))"#,
    )
    .expect("a module")
}

fn caller() -> Vec<u8> {
    let request = CallRequest { plugin: "callee", entry: "nothing", input: &[] };
    let mut bytes = [0; 64];
    let len = wire::encode(&request, &mut bytes).expect("fits");
    looped::plugin("call_plugin", &bytes[..len], 16)
}
