//! Bytes that are no plugin: each is refused with an error of its own, and the host is as before.

use crate::support;
use sochdb_wasmi::{
    abi::HOST_FUNCTIONS,
    host::{HostConfig, LoadError, NoClock, PluginConfig},
    limits::{Limit, LimitExceeded, Limits},
};
use support::{everything, host, probe_wasm, wat_plugin};

fn config() -> PluginConfig {
    PluginConfig::new(everything())
}

/// Loads bytes that must be refused, and shows that the host can still load a good plugin under
/// the same name.
fn refused_with(wasm: &[u8], config: &PluginConfig) -> LoadError {
    let mut host = host();
    let error = host.load("plugin", wasm, config).unwrap_err();
    assert_eq!(host.find("plugin"), None);
    let good = host.load("plugin", &probe_wasm(), &support_config()).unwrap();
    host.call(good, "count", &[]).unwrap();
    error
}

fn support_config() -> PluginConfig {
    PluginConfig::new(everything()).with_limits(support::roomy())
}

fn refused(wasm: &[u8]) -> LoadError {
    refused_with(wasm, &config())
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// A plugin whose descriptor has these five words, in a memory of one page.
fn with_descriptor(words: [u32; 5]) -> Vec<u8> {
    let bytes: String = words
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .map(|byte| format!("\\{byte:02x}"))
        .collect();
    wat(&format!(
        r#"(module (memory (export "memory") 1)
            (global (export "sochdb_plugin") i32 (i32.const 64)) (data (i32.const 64) "{bytes}"))"#
    ))
}

#[test]
fn bytes_that_are_not_wasm_are_named() {
    for bytes in [&b""[..], b"\0as", b"\x7fELF and so on", b"(module)"] {
        assert_eq!(refused(bytes), LoadError::NotWasm);
    }
}

#[test]
fn every_truncation_of_a_module_is_refused() {
    let wasm = probe_wasm();
    let mut host = host();
    for len in 4..wasm.len() {
        match host.load("plugin", &wasm[..len], &config()) {
            Err(LoadError::InvalidModule { .. } | LoadError::MissingExport { .. }) => {}
            // Cut between two sections, before the one that fills the descriptor.
            Err(LoadError::AbiVersion { found: 0 }) => {}
            Err(other) => panic!("cut at {len}: {other}"),
            // All that is missing are the names of functions, in a custom section (id 0).
            Ok(plugin) => {
                assert_eq!(wasm[len], 0, "cut at {len}");
                host.unload(plugin);
            }
        }
    }
}

#[test]
fn no_flipped_byte_of_a_module_panics_the_host() {
    let wasm = probe_wasm();
    let mut host = host();
    for at in 0..wasm.len() {
        let mut bytes = wasm.clone();
        bytes[at] ^= 0xff;
        if let Ok(plugin) = host.load("plugin", &bytes, &support_config()) {
            let _ = host.call(plugin, "call", &[0; 64]);
            host.unload(plugin);
        }
    }
}

#[test]
fn a_module_over_its_size_limit_is_refused_before_it_is_parsed() {
    let limits = Limits { module_bytes: 100, ..Limits::default() };
    let error = refused_with(&[0; 101], &config().with_limits(limits));
    let exceeded = LimitExceeded { limit: Limit::ModuleSize, allowed: 100, asked: 101 };
    assert_eq!(error, LoadError::Limit(exceeded));
}

#[test]
fn a_start_function_is_refused() {
    assert_eq!(refused(&wat_plugin("(func $begin) (start $begin)")), LoadError::StartFunction);
}

#[test]
fn an_import_that_is_no_host_function_is_named() {
    let error = refused(&wat(r#"(module (import "env" "abort" (func))
        (memory (export "memory") 1) (global (export "sochdb_plugin") i32 (i32.const 0)))"#));
    assert_eq!(error, LoadError::UnknownImport { module: "env".into(), name: "abort".into() });
}

#[test]
fn an_import_of_another_type_is_named() {
    for import in [
        "(func (param i32 i32 i32 i32))",
        "(func (param i64 i32 i32 i32) (result i32))",
        "(global i32)",
    ] {
        let error = refused(&wat(&format!(
            r#"(module (import "sochdb" "soch_read" {import})
                (memory (export "memory") 1) (global (export "sochdb_plugin") i32 (i32.const 0)))"#
        )));
        assert_eq!(
            error,
            LoadError::ImportType { module: "sochdb".into(), name: "soch_read".into() }
        );
    }
}

#[test]
fn a_missing_or_wrongly_typed_export_is_named() {
    let memory = r#"(memory (export "memory") 1)"#;
    let global = r#"(global (export "sochdb_plugin") i32 (i32.const 0))"#;
    assert_eq!(
        refused(&wat(&format!("(module {global})"))),
        LoadError::MissingExport { name: "memory" }
    );
    assert_eq!(
        refused(&wat(&format!("(module {memory})"))),
        LoadError::MissingExport { name: "sochdb_plugin" }
    );
    assert!(matches!(
        refused(&wat(&format!(r#"(module (func (export "memory")) {global})"#))),
        LoadError::ExportType { name: "memory", .. }
    ));
    for wrong in [
        "(global (export \"sochdb_plugin\") i64 (i64.const 0))",
        "(global (export \"sochdb_plugin\") (mut i32) (i32.const 0))",
        "(func (export \"sochdb_plugin\"))",
    ] {
        assert!(matches!(
            refused(&wat(&format!("(module {memory} {wrong})"))),
            LoadError::ExportType { name: "sochdb_plugin", .. }
        ));
    }
}

#[test]
fn a_descriptor_outside_linear_memory_is_refused() {
    for address in [65_536 - 19, 65_536, 0x7fff_ffff, -1_i32] {
        let error = refused(&wat(&format!(
            r#"(module (memory (export "memory") 1)
                (global (export "sochdb_plugin") i32 (i32.const {address})))"#
        )));
        let address = address.cast_unsigned();
        assert_eq!(error, LoadError::DescriptorOutOfBounds { address, memory_bytes: 65_536 });
    }
}

#[test]
fn an_unknown_abi_version_is_refused() {
    for version in [0, 2, u32::MAX] {
        let error = refused(&with_descriptor([version, 256, 256, 512, 256]));
        assert_eq!(error, LoadError::AbiVersion { found: version });
    }
}

#[test]
fn a_buffer_outside_linear_memory_is_refused() {
    let cases = [
        ([1, 65_536, 1, 512, 256], "Input Buffer"),
        ([1, 65_535, 2, 512, 256], "Input Buffer"),
        ([1, u32::MAX, u32::MAX, 512, 256], "Input Buffer"),
        ([1, 256, 256, 65_537, 0], "Output Buffer"),
        ([1, 256, 256, 512, u32::MAX], "Output Buffer"),
    ];
    for (words, wrong) in cases {
        match refused(&with_descriptor(words)) {
            LoadError::BufferOutOfBounds { buffer, memory_bytes: 65_536, .. } => {
                assert_eq!(buffer, wrong);
            }
            other => panic!("{words:?}: {other}"),
        }
    }
}

#[test]
fn buffers_that_overlap_are_refused() {
    for words in [
        [1, 256, 257, 512, 256],
        [1, 512, 256, 256, 257],
        [1, 60, 5, 512, 256],
        [1, 256, 256, 83, 1],
    ] {
        assert_eq!(refused(&with_descriptor(words)), LoadError::BuffersOverlap, "{words:?}");
    }
    // Side by side, and empty, is fine.
    for words in [[1, 256, 256, 512, 256], [1, 84, 10, 63, 1], [1, 70, 0, 70, 0]] {
        host().load("plugin", &with_descriptor(words), &config()).unwrap();
    }
}

#[test]
fn an_initial_memory_over_the_limit_is_named_with_both_sizes() {
    let limits = Limits { memory_bytes: 3 * 65_536, ..Limits::default() };
    let error = refused_with(&probe_wasm(), &config().with_limits(limits));
    let exceeded =
        LimitExceeded { limit: Limit::LinearMemory, allowed: 3 * 65_536, asked: 4 * 65_536 };
    assert_eq!(error, LoadError::Limit(exceeded));
}

#[test]
fn an_initial_table_over_the_limit_is_named_with_both_sizes() {
    // The probe's table has all host functions.
    let asked = HOST_FUNCTIONS.len() as u64;
    let limits = Limits { table_elements: 8, ..Limits::default() };
    let error = refused_with(&probe_wasm(), &config().with_limits(limits));
    let exceeded = LimitExceeded { limit: Limit::TableElements, allowed: 8, asked };
    assert_eq!(error, LoadError::Limit(exceeded));
}

#[test]
fn features_that_are_off_are_refused() {
    let modules = [
        "(memory 1)",
        "(func (param v128))",
        "(func (export \"f\") (result i32) (i32x4.extract_lane 0 (v128.const i32x4 1 2 3 4)))",
    ];
    for body in modules {
        let text = format!(
            r#"(module (memory (export "memory") 1)
                (global (export "sochdb_plugin") i32 (i32.const 0)) {body})"#
        );
        assert!(matches!(refused(&wat(&text)), LoadError::InvalidModule { .. }), "{body}");
    }
    let memory64 = r#"(module (memory (export "memory") i64 1)
        (global (export "sochdb_plugin") i32 (i32.const 0)))"#;
    assert!(matches!(refused(&wat(memory64)), LoadError::InvalidModule { .. }));
}

#[test]
fn a_plugin_may_use_pages_of_one_byte() {
    let text = r#"(module (memory (export "memory") 1000 (pagesize 1))
        (global (export "sochdb_plugin") i32 (i32.const 0))
        (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
        (func (export "run") (param i32) (result i32) (i32.const 0)))"#;
    let mut host = host();
    let limits = Limits { memory_bytes: 1000, ..Limits::default() };
    let plugin = host.load("small", &wat(text), &config().with_limits(limits)).unwrap();
    assert_eq!(host.call(plugin, "run", b"x").unwrap().report.memory_bytes, 1000);
}

#[test]
fn names_that_break_the_grammar_or_are_taken_are_refused() {
    let mut host = host();
    for name in ["", "a b", "1a", "na\u{ef}ve", &"x".repeat(33)] {
        let error = host.load(name, &probe_wasm(), &config()).unwrap_err();
        assert!(matches!(error, LoadError::Name(_)), "{name:?}: {error}");
    }
    host.load("probe", &probe_wasm(), &config()).unwrap();
    let error = host.load("probe", &probe_wasm(), &config()).unwrap_err();
    assert!(matches!(error, LoadError::NameTaken(_)));
}

#[test]
fn one_plugin_more_than_the_host_holds_is_refused() {
    let config_two = HostConfig { plugins: 2, ..HostConfig::default() };
    let database = sochdb_wasmi::database::Database::in_memory(Default::default());
    let mut host = sochdb_wasmi::host::Host::new(config_two, database, NoClock);
    let first = host.load("a", &probe_wasm(), &config()).unwrap();
    host.load("b", &probe_wasm(), &config()).unwrap();
    let exceeded = LimitExceeded { limit: Limit::Plugins, allowed: 2, asked: 3 };
    assert_eq!(host.load("c", &probe_wasm(), &config()), Err(LoadError::Limit(exceeded)));
    assert!(host.unload(first));
    assert!(!host.unload(first));
    let third = host.load("c", &probe_wasm(), &config()).unwrap();
    assert_ne!(third, first, "ids are not given again");
}
