//! Plugins that are known by their SHA-256 and not validated.

use sha2::{Digest, Sha256};
use sochdb_wasmi::{
    database::{Database, MemoryLimits},
    host::{Host, HostConfig, LoadError, NoClock, PluginConfig, ReplaceError, Replacement},
};

const PLUGIN: &str = r#"(module
    (memory (export "memory") 1)
    (global (export "sochdb_plugin") i32 (i32.const 0))
    (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
    (func (export "four") (param i32) (result i32)
        (i32.const 4)))"#;

fn host() -> Host {
    Host::new(HostConfig::default(), Database::in_memory(MemoryLimits::default()), NoClock)
}

#[test]
fn a_plugin_of_the_given_hash_is_loaded_and_runs() {
    let wasm = wat::parse_str(PLUGIN).unwrap();
    let hash = Sha256::digest(&wasm).into();
    let mut host = host();
    // The promise below.
    host.load("validated", &wasm, &PluginConfig::default()).unwrap();
    // SAFETY: these bytes were just loaded with the validator.
    let plugin = unsafe { host.load_trusted("trusted", &wasm, &hash, &PluginConfig::default()) };
    assert_eq!(host.call(plugin.unwrap(), "four", &[]).unwrap().output.len(), 4);
}

#[test]
fn a_plugin_of_another_hash_is_refused() {
    let mut wasm = wat::parse_str(PLUGIN).unwrap();
    let hash = Sha256::digest(&wasm).into();
    *wasm.last_mut().unwrap() ^= 1;
    let mut host = host();
    // SAFETY: the hash is that of a valid module; other bytes are refused, which is tested here.
    let refused = unsafe { host.load_trusted("trusted", &wasm, &hash, &PluginConfig::default()) };
    assert_eq!(refused, Err(LoadError::OtherModule));
    assert_eq!(host.find("trusted"), None);
}

#[test]
fn all_other_checks_are_made_as_well() {
    let wasm = wat::parse_str("(module)").unwrap();
    let hash = Sha256::digest(&wasm).into();
    // SAFETY: an empty module is valid.
    let refused = unsafe { host().load_trusted("empty", &wasm, &hash, &PluginConfig::default()) };
    assert_eq!(refused, Err(LoadError::MissingExport { name: "memory" }));
}

#[test]
fn a_plugin_is_replaced_by_a_module_of_the_given_hash() {
    let old = wat::parse_str(PLUGIN).unwrap();
    let new = wat::parse_str(PLUGIN.replace("(i32.const 4)))", "(i32.const 5)))")).unwrap();
    let hash = Sha256::digest(&new).into();
    let config = PluginConfig::default();
    let mut host = host();
    // The promise below.
    host.load("validated", &new, &config).unwrap();
    let plugin = host.load("plugin", &old, &config).unwrap();
    let mut replace = |wasm: &[u8], replacement: Replacement<'_>| {
        // SAFETY: both modules were just loaded with the validator; other bytes are refused.
        let replaced = unsafe { host.replace_trusted(plugin, wasm, &hash, &config, replacement) };
        (replaced, host.call(plugin, "four", &[]).unwrap().output.len())
    };
    let other = Err(ReplaceError::Load(LoadError::OtherModule));
    assert_eq!(replace(&old, Replacement::new()), (other, 4));
    assert_eq!(replace(&new, Replacement::new().unload_first(&old)), (Ok(()), 5));
    assert_eq!(replace(&new, Replacement::new()), (Ok(()), 5));
}
