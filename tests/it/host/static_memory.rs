//! Linear memory that the host gives to the plugin: on the heap, or in a buffer of the embedder's.

use crate::{counting, support};
use counting::live_bytes;
use sochdb_wasmi::{
    host::{CallError, Host, LoadError, PluginConfig},
    limits::{Limit, LimitExceeded, Limits},
};
use support::{everything, host, probe_wasm, roomy};

const PAGE: usize = 64 << 10;

/// A plugin that imports this memory. `grow` grows it by its input, a byte, and answers what `memory.grow`
/// said; `poke` writes 7 at 600 and adds one to a count at 604, `trap` does so and traps.
fn importing(memory: &str) -> Vec<u8> {
    plugin(&format!(r#"(import "env" "memory" (memory {memory}))"#))
}

/// The same plugin, which declares it.
fn declaring(memory: &str) -> Vec<u8> {
    plugin(&format!(r#"(memory (export "memory") {memory})"#))
}

fn plugin(memory: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
            {memory}
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\20\00\00\00")
            (func (export "grow") (param i32) (result i32)
                (i32.store (i32.const 512) (memory.grow (i32.load8_u (i32.const 256))))
                (i32.const 4))
            (func $poke (export "poke") (param i32) (result i32)
                (i32.store (i32.const 600) (i32.const 7))
                (i32.store (i32.const 604) (i32.add (i32.load (i32.const 604)) (i32.const 1)))
                (i32.store (i32.const 512) (i32.load (i32.const 604)))
                (i32.const 4))
            (func (export "trap") (param i32) (result i32)
                (drop (call $poke (i32.const 0))) (unreachable)))"#
    ))
    .unwrap()
}

fn buffer(len: usize) -> &'static mut [u8] {
    vec![0xee; len].leak()
}

fn config() -> PluginConfig {
    PluginConfig::new(everything()).with_limits(roomy()).with_static_memory()
}

fn host_with(buffers: &[usize]) -> Host {
    let mut host = host();
    buffers.iter().for_each(|&len| host.add_static_memory(buffer(len)));
    host
}

/// The lengths of the buffers that no plugin has.
fn free(host: &mut Host) -> Vec<usize> {
    let mut buffers = Vec::new();
    while let Some(buffer) = host.take_static_memory() {
        buffers.push(buffer);
    }
    let lengths = buffers.iter().map(|buffer| buffer.len()).collect();
    buffers.into_iter().for_each(|buffer| host.add_static_memory(buffer));
    lengths
}

fn number(output: &[u8]) -> i32 {
    i32::from_le_bytes(output.try_into().unwrap())
}

#[test]
fn an_imported_memory_is_on_the_heap_if_nothing_else_is_said() {
    let mut host = host();
    let config = PluginConfig::new(everything());
    let plugin = host.load("plugin", &importing("1"), &config).unwrap();
    assert_eq!(number(host.call(plugin, "poke", &[]).unwrap().output), 1);
    assert_eq!(number(host.call(plugin, "grow", &[3]).unwrap().output), 1);
    assert_eq!(host.report(plugin).unwrap().memory_bytes as usize, 4 * PAGE);
}

#[test]
fn what_a_plugin_writes_is_in_the_buffer_which_unloading_gives_back() {
    let mut host = host();
    let lent = buffer(2 * PAGE);
    let start = lent.as_ptr();
    host.add_static_memory(lent);
    let plugin = host.load("plugin", &importing("1"), &config()).unwrap();
    assert!(host.take_static_memory().is_none(), "the plugin has it");
    host.call(plugin, "poke", &[]).unwrap();
    host.unload(plugin);
    let lent = host.take_static_memory().unwrap();
    assert_eq!((lent.as_ptr(), lent.len()), (start, 2 * PAGE));
    assert_eq!(lent[600..608], [7, 0, 0, 0, 1, 0, 0, 0]);
    assert!(lent[1000..PAGE].iter().all(|&byte| byte == 0), "the memory began as zeros");
    assert!(lent[PAGE..].iter().all(|&byte| byte == 0xee), "what it did not ask for is untouched");
    assert!(host.take_static_memory().is_none());
}

#[test]
fn a_memory_that_the_module_declares_is_static_as_well() {
    let host_function = r#"(import "sochdb" "soch_read"
        (func (param i32 i32 i32 i32) (result i32)))"#;
    let types = "(type (func)) (type (func (param i32)))";
    let plain = [
        declaring("1"),
        plugin(&format!(r#"{types} {host_function} (memory (export "memory") 1 2)"#)),
        plugin(&format!(r#"{host_function} (memory (export "memory") 65536 (pagesize 1))"#)),
    ];
    for wasm in plain {
        // A custom section may be anywhere.
        let mut custom = wasm.clone();
        custom.splice(8..8, *b"\x00\x05\x04note");
        for wasm in [wasm, custom] {
            let mut host = host_with(&[PAGE]);
            let plugin = host.load("plugin", &wasm, &config()).unwrap();
            assert_eq!(free(&mut host), [0_usize; 0]);
            for expected in [1, 2] {
                let output = host.call(plugin, "poke", &[]).unwrap().output;
                assert_eq!(number(output), expected);
            }
            assert!(matches!(host.call(plugin, "trap", &[]), Err(CallError::Trap { .. })));
            assert_eq!(number(host.call(plugin, "poke", &[]).unwrap().output), 1);
            host.unload(plugin);
            let lent = host.take_static_memory().unwrap();
            assert_eq!(lent[600..608], [7, 0, 0, 0, 1, 0, 0, 0]);
        }
    }
}

#[test]
fn no_cut_or_flipped_module_panics_a_host_with_static_memory() {
    let wasm = probe_wasm();
    let mut host = host_with(&[4 * PAGE]);
    let cut = (0..wasm.len()).map(|len| wasm[..len].to_vec());
    let flipped = (0..wasm.len()).map(|at| {
        let mut bytes = wasm.clone();
        bytes[at] ^= 0xff;
        bytes
    });
    for bytes in cut.chain(flipped) {
        if let Ok(plugin) = host.load("plugin", &bytes, &config()) {
            let _ = host.call(plugin, "call", &[0; 64]);
            host.unload(plugin);
        }
        assert_eq!(free(&mut host), [4 * PAGE]);
    }
}

#[test]
fn the_memory_is_not_on_the_heap() {
    let wasm = declaring("16");
    let mut held = [PluginConfig::new(everything()).with_limits(roomy()), config()].map(|config| {
        let mut host = host_with(&[16 * PAGE]);
        let before = live_bytes();
        host.load("plugin", &wasm, &config).unwrap();
        live_bytes() - before
    });
    held[0] -= 16 * PAGE as i64;
    assert!(held[0].abs_diff(held[1]) < 256, "{held:?} besides the memory");
}

#[test]
fn it_grows_to_the_end_of_the_buffer_and_no_further() {
    let mut host = host_with(&[3 * PAGE + 100]);
    let plugin = host.load("plugin", &importing("1"), &config()).unwrap();
    let mut grow = |pages| number(host.call(plugin, "grow", &[pages]).unwrap().output);
    assert_eq!([grow(3), grow(1), grow(1), grow(1), grow(0)], [-1, 1, 2, -1, 3]);
    assert_eq!(host.report(plugin).unwrap().memory_bytes as usize, 3 * PAGE);
}

#[test]
fn it_grows_no_further_than_the_plugins_limit() {
    let mut host = host_with(&[4 * PAGE]);
    let limits = Limits { memory_bytes: 2 * PAGE as u32, ..roomy() };
    let plugin = host.load("plugin", &importing("1"), &config().with_limits(limits)).unwrap();
    let mut grow = |pages| number(host.call(plugin, "grow", &[pages]).unwrap().output);
    assert_eq!([grow(2), grow(1), grow(1)], [-1, 1, -1]);
}

#[test]
fn pages_of_one_byte_take_a_buffer_of_as_many() {
    let mut host = host_with(&[5000]);
    let plugin = host.load("plugin", &importing("4096 5000 (pagesize 1)"), &config()).unwrap();
    let mut grow = |bytes| number(host.call(plugin, "grow", &[bytes]).unwrap().output);
    assert_eq!([grow(200), grow(255), grow(255), grow(255)], [4096, 4296, 4551, -1]);
}

#[test]
fn after_a_trap_the_memory_is_as_after_loading_and_in_the_same_buffer() {
    let mut host = host_with(&[PAGE]);
    let plugin = host.load("plugin", &importing("1"), &config()).unwrap();
    for _ in 0..50 {
        for expected in [1, 2] {
            assert_eq!(number(host.call(plugin, "poke", &[]).unwrap().output), expected);
        }
        assert!(matches!(host.call(plugin, "trap", &[]), Err(CallError::Trap { .. })));
    }
    host.unload(plugin);
    assert_eq!(free(&mut host), [PAGE]);
}

#[test]
fn each_plugin_has_the_smallest_buffer_that_holds_its_memory() {
    let mut host = host_with(&[4 * PAGE, PAGE - 1, 2 * PAGE, PAGE]);
    let [one, two, three] = ["1", "2", "3"].map(importing);
    let a = host.load("a", &one, &config()).unwrap();
    assert_eq!(free(&mut host), [4 * PAGE, 2 * PAGE, PAGE - 1]);
    let b = host.load("b", &one, &config()).unwrap();
    assert_eq!(free(&mut host), [4 * PAGE, PAGE - 1]);
    let needed = 2 * PAGE as u64;
    let c = host.load("c", &three, &config()).unwrap();
    assert_eq!(host.load("d", &two, &config()), Err(LoadError::NoStaticMemory { needed }));
    // Each in its own: none writes where another does.
    for plugin in [a, b, c, a, b, c] {
        host.call(plugin, "poke", &[]).unwrap();
    }
    for plugin in [a, b, c] {
        assert_eq!(number(host.call(plugin, "poke", &[]).unwrap().output), 3);
    }
    host.unload(b);
    host.load("d", &two, &config()).unwrap();
    assert_eq!(free(&mut host), [PAGE - 1]);
}

#[test]
fn a_load_that_fails_says_why_and_leaves_the_buffer() {
    let page = PAGE as u64;
    let without =
        wat::parse_str(r#"(module (global (export "sochdb_plugin") i32 (i32.const 64)))"#);
    let other_version = wat::parse_str(
        r#"(module (import "env" "memory" (memory 1))
            (global (export "sochdb_plugin") i32 (i32.const 64)))"#,
    );
    let unknown_import = wat::parse_str(
        r#"(module (import "env" "memory" (memory 1)) (import "env" "other" (memory 1)))"#,
    );
    let out_of_bounds = wat::parse_str(
        r#"(module (import "env" "memory" (memory 1)) (data (i32.const 65535) "ab")
            (global (export "sochdb_plugin") i32 (i32.const 64)))"#,
    );
    let memory = LimitExceeded { limit: Limit::LinearMemory, allowed: 10 * page, asked: 11 * page };
    let limits = Limits { memory_bytes: 10 * PAGE as u32, ..roomy() };
    let config = config().with_limits(limits);
    let mut host = host_with(&[PAGE]);
    for (wasm, expected) in [
        (without.unwrap(), Some(LoadError::MissingExport { name: "memory" })),
        (declaring("2"), Some(LoadError::NoStaticMemory { needed: 2 * page })),
        (declaring("11"), Some(LoadError::Limit(memory))),
        (importing("2"), Some(LoadError::NoStaticMemory { needed: 2 * page })),
        (importing("0"), None),
        (importing("11"), Some(LoadError::Limit(memory))),
        (other_version.unwrap(), Some(LoadError::AbiVersion { found: 0 })),
        (unknown_import.unwrap(), None),
        (out_of_bounds.unwrap(), None),
    ] {
        let error = host.load("plugin", &wasm, &config).unwrap_err();
        if let Some(expected) = expected {
            assert_eq!(error, expected);
        }
        assert!(!error.to_string().is_empty());
        assert_eq!(free(&mut host), [PAGE], "{error}");
    }
    let plugin = host.load("plugin", &importing("1"), &config).unwrap();
    assert_eq!(number(host.call(plugin, "poke", &[]).unwrap().output), 1);
}

#[test]
fn an_import_of_memory_by_another_name_is_unknown() {
    let wasm = wat::parse_str(r#"(module (import "env" "mem" (memory 1)))"#).unwrap();
    assert!(host().load("plugin", &wasm, &PluginConfig::default()).is_err());
    let wasm = wat::parse_str(
        r#"(module (import "env" "mem" (memory 1)) (export "memory" (memory 0))
            (global (export "sochdb_plugin") i32 (i32.const 64)))"#,
    );
    assert_eq!(
        host().load("plugin", &wasm.unwrap(), &PluginConfig::default()),
        Err(LoadError::UnknownImport { module: "env".into(), name: "mem".into() })
    );
}
