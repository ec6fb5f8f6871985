//! A plugin that makes one host call in a loop.

/// The module: its entry point `run` takes how often it calls `function`, with this request and room for a
/// response of `capacity` bytes, and answers the last status.
pub fn plugin(function: &str, request: &[u8], capacity: u32) -> Vec<u8> {
    let hex: String = request.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let len = request.len();
    wat::parse_str(format!(
        r#"(module
            (import "sochdb" "{function}" (func $f (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0) "\01\00\00\00" "\20\00\00\00" "\10\00\00\00" "\40\00\00\00" "\10\00\00\00")
            (data (i32.const 1024) "{hex}")
            (func (export "run") (param i32) (result i32)
                (local $left i32)
                (local.set $left (i32.load (i32.const 32)))
                (loop $again
                    (i32.store (i32.const 64) (call $f
                        (i32.const 1024) (i32.const {len}) (i32.const 8192) (i32.const {capacity})))
                    (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
                (i32.const 4)))"#
    ))
    .expect("a module")
}
