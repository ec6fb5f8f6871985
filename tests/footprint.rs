//! What a loaded plugin holds besides its linear memory, and that unloading gives all of it back.

mod counting;
mod support;

use core::fmt::Write;

use counting::live_bytes;
use sochdb_wasmi::{
    abi::{FunctionSpec, HOST_FUNCTIONS},
    audit::PluginId,
    host::{Host, PluginConfig},
};
use support::*;

/// The most that a plugin of 4 KB may hold.
const ALLOWED: i64 = 16 << 10;

const PAGE: i64 = 64 << 10;

/// A plugin of some 4 KB: every import, eight entry points, and functions behind them that compute,
/// branch, loop and call.
fn plugin_of_4_kb() -> Vec<u8> {
    const FUNCTIONS: usize = 28;
    const ENTRIES: usize = 8;
    let mut imports = String::new();
    for FunctionSpec { name, .. } in HOST_FUNCTIONS {
        let _ = writeln!(imports, r#"(import "sochdb" "{name}" (func ${name} (type $host)))"#);
    }
    let mut functions = String::new();
    for number in 0..FUNCTIONS {
        let export = match number {
            0..ENTRIES => format!(r#"(export "entry_{number}")"#),
            _ => String::new(),
        };
        let host_function = HOST_FUNCTIONS[number % HOST_FUNCTIONS.len()].name;
        let next = match number + ENTRIES {
            next @ 0..FUNCTIONS => format!("(call $f{next} (local.get $sum))"),
            _ => String::from("(local.get $sum)"),
        };
        let base = 1024 + 64 * number;
        let _ = writeln!(
            functions,
            r#"(func $f{number} {export} (param $len i32) (result i32)
              (local $at i32) (local $sum i32)
              (loop $more
                (local.set $sum (i32.add (local.get $sum)
                  (i32.mul (i32.load8_u (i32.add (local.get $at) (i32.const 256))) (i32.const 31))))
                (br_if $more (i32.lt_u
                  (local.tee $at (i32.add (local.get $at) (i32.const 1))) (local.get $len))))
              (if (i32.and (local.get $sum) (i32.const 1))
                (then (i32.store (i32.const {base}) (i32.shr_u (local.get $sum) (i32.const 3))))
                (else (local.set $sum (i32.xor (local.get $sum) (i32.const {base})))))
              (if (i32.lt_s (call ${host_function} (i32.const {base}) (i32.const 16)
                    (i32.const 8192) (i32.const 1024)) (i32.const 0))
                (then (return (i32.const -4))))
              (i32.store (i32.const 512) {next})
              (i32.const 4))"#
        );
    }
    wat::parse_str(format!(
        r#"(module
            (type $host (func (param i32 i32 i32 i32) (result i32)))
            {imports}
            (memory (export "memory") 1)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
            {functions}
            (func (export "trap") (param i32) (result i32) (unreachable)))"#
    ))
    .unwrap()
}

fn load(host: &mut Host, wasm: &[u8]) -> PluginId {
    let config = PluginConfig::new(everything()).with_limits(roomy());
    host.load("plugin", wasm, &config).unwrap()
}

/// A host that had a plugin before, so that its list of plugins has its size.
fn warm_host(wasm: &[u8]) -> Host {
    let mut host = host();
    let plugin = load(&mut host, wasm);
    host.unload(plugin);
    host
}

#[test]
fn a_loaded_plugin_of_4_kb_holds_less_than_16_kib_besides_its_memory() {
    let wasm = plugin_of_4_kb();
    assert!((3800..4500).contains(&wasm.len()), "{} bytes of module", wasm.len());
    let mut host = warm_host(&wasm);
    let before = live_bytes();
    let plugin = load(&mut host, &wasm);
    let held = live_bytes() - before - PAGE;
    assert!(host.find("plugin") == Some(plugin));
    assert!(held < ALLOWED, "{held} bytes for {} bytes of module", wasm.len());
}
