//! What a loaded plugin holds besides its linear memory, and that unloading gives all of it back.

use crate::{counting, support};
use core::fmt::Write;

use counting::live_bytes;
use sochdb_wasmi::{
    abi::{
        FunctionSpec, HOST_FUNCTIONS, Seq,
        message::{MetricKind, MetricRequest, RowSelector},
    },
    audit::PluginId,
    host::{CallError, Host, PluginConfig},
};
use support::*;

/// What a plugin may hold whatever its size. Measured on 64 bits: 6 KB for the instance and its
/// arenas, which wasmi makes for 32 items at once, and 2 KB to 4 KB more with a table and its
/// elements; 4 KB of buffers that wasmi's translator keeps for the next function; 2 KB for the list
/// of functions; 1 KB of names and grants; 1 KB of the interpreter's store.
const FIXED: i64 = 17 << 10;

/// What it may hold for each byte of its module. Compiled code is three to five times the size of
/// WebAssembly: each instruction takes 8 bytes and more.
const PER_BYTE: i64 = 6;

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

/// Bytes that a plugin holds besides its linear memory.
fn held(wasm: &[u8], pages: i64) -> i64 {
    let mut host = warm_host(wasm);
    let before = live_bytes();
    load(&mut host, wasm);
    live_bytes() - before - pages * PAGE
}

#[test]
fn besides_its_memory_a_plugin_holds_a_fixed_part_and_a_multiple_of_its_module() {
    let small = wat_plugin(r#"(func (export "entry") (param i32) (result i32) (i32.const 0))"#);
    let medium = plugin_of_4_kb();
    assert!((3800..4500).contains(&medium.len()), "{} bytes of module", medium.len());
    let weather = include_bytes!("../../../examples/plugins/weather.wasm").to_vec();
    for (wasm, pages) in [(small, 1), (probe_wasm(), 4), (medium, 1), (weather, 1)] {
        let (held, module) = (held(&wasm, pages), wasm.len() as i64);
        assert!(held > module, "{held} bytes for {module}: more was freed than is its own");
        assert!(held <= FIXED + PER_BYTE * module, "{held} bytes for {module} of module");
    }
}

#[test]
fn unloading_gives_back_every_byte() {
    let wasm = plugin_of_4_kb();
    let mut host = warm_host(&wasm);
    let before = live_bytes();
    for _ in 0..100 {
        let plugin = load(&mut host, &wasm);
        assert!(live_bytes() > before + PAGE);
        assert!(host.unload(plugin));
        assert_eq!(live_bytes(), before);
    }
}

#[test]
fn unloading_a_plugin_that_was_called_gives_back_every_byte() {
    let labels = Seq::new(&[("room", "attic")]);
    let (kind, name) = (MetricKind::Histogram, "seconds");
    let metric = encoded(&MetricRequest { kind, name, labels, value: 1.0 });
    let read = encoded(&read_request(RowSelector::ALL));
    let wasm = probe_wasm();
    let mut host = host();
    let mut cycle = || {
        let plugin = load(&mut host, &wasm);
        for (name, request) in [("emit_metric", &metric), ("soch_read", &read)] {
            let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
            host.call(plugin, "call", &input(function(name), numbers, 1, request)).unwrap();
        }
        assert!(host.unload(plugin));
        live_bytes()
    };
    // The first plugin grows the tables of metrics, which are the host's.
    let before = cycle();
    for _ in 0..20 {
        assert_eq!(cycle(), before);
    }
}

#[test]
fn a_module_that_is_refused_leaves_nothing() {
    let wasm = plugin_of_4_kb();
    let mut host = warm_host(&wasm);
    let import = r#"(module (import "sochdb" "nothing" (func)) (memory (export "memory") 1)
        (global (export "sochdb_plugin") i32 (i32.const 0)))"#;
    let unknown = wat::parse_str(import).unwrap();
    let config = PluginConfig::new(everything());
    let before = live_bytes();
    for module in [&wasm[..wasm.len() / 2], &unknown, b"\0asm\x01\0\0\0", b"no module"] {
        assert!(host.load("plugin", module, &config).is_err());
        assert_eq!(live_bytes(), before);
    }
}

#[test]
fn restarting_after_traps_holds_no_more_than_before() {
    let wasm = plugin_of_4_kb();
    let mut host = warm_host(&wasm);
    let plugin = load(&mut host, &wasm);
    let mut trap = || {
        assert!(matches!(host.call(plugin, "trap", &[]), Err(CallError::Trap { .. })));
        live_bytes()
    };
    // The first call makes the interpreter's stack, the second is the first after a restart.
    trap();
    let before = trap();
    for _ in 0..100 {
        assert_eq!(trap(), before);
    }
}
