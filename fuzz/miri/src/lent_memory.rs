//! Linear memory in a buffer of the embedder's, which goes from plugin to plugin: `src/host/plugin/buffers.rs` and
//! `linear_memory.rs`; and modules that are not validated, which are known by their SHA-256.

use sha2::{Digest, Sha256};
use sochdb_wasmi::{
    capability::Capabilities,
    database::{Database, MemoryLimits},
    host::{Host, HostConfig, NoClock, PluginConfig},
    limits::Limits,
};

/// A page of linear memory. `poke` counts at 604 and answers the count; `log` makes a host call; `trap` pokes and
/// traps; `grow` answers what `memory.grow` says.
fn module() -> Vec<u8> {
    wat::parse_str(
        r#"(module
            (import "sochdb" "log_message" (func $log (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\20\00\00\00")
            (data (i32.const 700) "\01\02hi")
            (func $poke (export "poke") (param i32) (result i32)
                (i32.store (i32.const 604) (i32.add (i32.load (i32.const 604)) (i32.const 1)))
                (i32.store (i32.const 512) (i32.load (i32.const 604)))
                (i32.const 4))
            (func (export "log") (param i32) (result i32)
                (call $log (i32.const 700) (i32.const 4) (i32.const 0) (i32.const 0)))
            (func (export "grow") (param i32) (result i32)
                (i32.store (i32.const 512) (memory.grow (i32.const 1)))
                (i32.const 4))
            (func (export "trap") (param i32) (result i32)
                (drop (call $poke (i32.const 0))) (unreachable)))"#,
    )
    .expect("it is a module")
}

fn host() -> Host {
    Host::new(HostConfig::default(), Database::in_memory(MemoryLimits::default()), NoClock)
}

/// Small: Miri looks at every byte of a stack.
fn config() -> PluginConfig {
    let limits =
        Limits { deadline_ms: None, stack_bytes: 4096, recursion: 16, ..Limits::default() };
    PluginConfig::new(Capabilities::default()).with_limits(limits).with_static_memory()
}

/// The count that `poke` answers.
fn poke(host: &mut Host, plugin: sochdb_wasmi::audit::PluginId) -> u8 {
    host.call(plugin, "poke", &[]).expect("it is called").output[0]
}

/// Two pages, so that memory can grow once; given back and freed, or Miri reports a leak.
fn lend(host: &mut Host) {
    host.add_static_memory(vec![0xee; 2 << 16].leak());
}

fn free(host: &mut Host) {
    let buffer = host.take_static_memory().expect("no plugin has it");
    assert_eq!(buffer.len(), 2 << 16);
    // SAFETY: it was leaked as a box of this length, and the host gave it up.
    drop(unsafe { Box::from_raw(buffer) });
    assert!(host.take_static_memory().is_none());
}

#[test]
fn a_lent_buffer_is_the_memory_of_one_plugin_after_another() {
    let (wasm, mut host) = (module(), host());
    lend(&mut host);
    for _ in 0..2 {
        let plugin = host.load("first", &wasm, &config()).expect("it is loaded");
        assert!(host.load("second", &wasm, &config()).is_err(), "there is one buffer");
        assert_eq!([poke(&mut host, plugin), poke(&mut host, plugin)], [1, 2]);
        host.call(plugin, "log", &[]).expect("it is called");
        assert_eq!(host.call(plugin, "grow", &[]).expect("it grows").output[0], 1);
        assert_eq!(host.call(plugin, "grow", &[]).expect("it does not").output[0], 0xff);
        assert_eq!(poke(&mut host, plugin), 3);
        assert!(host.unload(plugin));
    }
    free(&mut host);
}

#[test]
fn after_a_trap_the_buffer_is_the_memory_of_the_same_plugin_again() {
    let (wasm, mut host) = (module(), host());
    lend(&mut host);
    let plugin = host.load("plugin", &wasm, &config()).expect("it is loaded");
    for _ in 0..2 {
        assert_eq!(poke(&mut host, plugin), 1);
        assert!(host.call(plugin, "trap", &[]).is_err());
    }
    drop(host.load("plugin", b"no module", &config()));
    assert!(host.unload(plugin));
    free(&mut host);
}

#[test]
fn a_module_that_is_known_by_its_digest_runs_without_being_validated() {
    let (wasm, mut host) = (module(), host());
    let sha256 = Sha256::digest(&wasm).into();
    lend(&mut host);
    // SAFETY: the module was assembled here, and the other tests load it with a validator.
    let loaded = unsafe { host.load_trusted("plugin", &wasm, &sha256, &config()) };
    let plugin = loaded.expect("it is loaded");
    assert_eq!(poke(&mut host, plugin), 1);
    assert!(host.unload(plugin));
    free(&mut host);
}
