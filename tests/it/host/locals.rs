//! Locals are zeroed at every call, and a plugin pays for that.

use std::fmt::Write;

use sochdb_wasmi::{
    host::{Host, PluginConfig},
    limits::Limits,
};

use crate::support::{everything, host, roomy, wat_plugin};

fn config() -> PluginConfig {
    let limits = Limits { locals: 60_000, stack_bytes: 1 << 20, ..roomy() };
    PluginConfig::new(everything()).with_limits(limits)
}

/// Declarations of `count` locals, of all types in turn.
fn locals(count: usize) -> String {
    let types = ["i32", "i64", "f32", "f64", "funcref"];
    (0..count).fold(String::from("(local"), |mut all, at| {
        write!(all, " {}", types[at % types.len()]).unwrap();
        all
    }) + ")"
}

/// A plugin whose `f` calls a function with these locals 100 times; returns what is in its first three,
/// and how often it ran. One store needs the other rewriting.
fn plugin(count: usize) -> Vec<u8> {
    let declared = locals(count);
    let sum = if count < 3 {
        "(i64.const 0)"
    } else {
        "(i64.add (local.get 2) (i64.add (i64.extend_i32_u (local.get 1)) (i64.extend_i32_u (i32.reinterpret_f32 (local.get 3)))))"
    };
    wat_plugin(&format!(
        r#"(global $runs (mut i32) (i32.const 0))
        (func $many (param $far i32) (result i64) {declared}
            (global.set $runs (i32.add (global.get $runs) (i32.const 1)))
            (if (i32.eqz (global.get $runs)) (then
                (i32.store offset=70000 (local.get $far) (local.get $far))))
            {sum})
        (func (export "f") (param i32) (result i32)
            (local $left i32)
            (local.set $left (i32.const 100))
            (loop $again
                (i64.store (i32.const 512)
                    (i64.or (i64.load (i32.const 512)) (call $many (local.get 0))))
                (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
            (i32.store (i32.const 520) (global.get $runs))
            (i32.const 12))"#
    ))
}

/// The fuel of one call, whose output is as it should be.
fn fuel(host: &mut Host, wasm: &[u8], config: &PluginConfig) -> u64 {
    let plugin = host.load("locals", wasm, config).unwrap();
    let outcome = host.call(plugin, "f", &[]).unwrap();
    assert_eq!(outcome.output, [0, 0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0]);
    let fuel = outcome.report.fuel;
    assert!(host.unload(plugin));
    fuel
}

/// 139 bytes that called an empty function of 4,000 locals over and over ran for 333 to 736 ms for the
/// default fuel, where a loop of `br` took 16: the interpreter zeroes locals for nothing.
#[test]
fn a_call_pays_for_every_256_locals_that_are_zeroed() {
    let mut host = host();
    let free = fuel(&mut host, &plugin(0), &config());
    let sum = fuel(&mut host, &plugin(3), &config()) - free;
    for count in [3, 100, 255, 256, 257, 511, 512, 1000, 4000, 10_000, 29_999] {
        let per_call = (fuel(&mut host, &plugin(count), &config()) - free - sum) / 100;
        assert_eq!(per_call, 8 * (count as u64 / 256), "{count} locals");
    }
}

#[test]
fn each_function_pays_for_its_own_locals_and_those_in_tail_position_too() {
    let wasm = |many: usize| {
        wat_plugin(&format!(
            r#"(type $f (func (result i32)))
            (table 1 1 funcref) (elem (i32.const 0) $last)
            (func $first (result i32) {} (return_call $second))
            (func $second (result i32) {} (return_call_indirect (type $f) (i32.const 0)))
            (func $few (result i32) {} (i32.const 12))
            (func $last (result i32) {} (call $few))
            (func (export "f") (param i32) (result i32)
                (i32.store (i32.const 520) (i32.const 100))
                (call $first))"#,
            locals(many),
            locals(2 * many),
            locals(40),
            locals(3 * many),
        ))
    };
    let mut host = host();
    let few = fuel(&mut host, &wasm(50), &config());
    let many = fuel(&mut host, &wasm(512), &config());
    assert_eq!(many - few, 8 * (2 + 4 + 6));
}

#[test]
fn static_memory_does_not_change_what_locals_cost() {
    let mut host = host();
    host.add_static_memory(Box::leak(vec![0; 1 << 16].into_boxed_slice()));
    let heap = fuel(&mut host, &plugin(4000), &config());
    let fixed = fuel(&mut host, &plugin(4000), &config().with_static_memory());
    assert_eq!(heap, fixed);
}

#[cfg(feature = "trusted")]
#[test]
fn a_trusted_plugin_pays_for_locals_like_a_validated_one() {
    use sha2::{Digest, Sha256};

    let wasm = plugin(4000);
    let mut host = host();
    let validated = fuel(&mut host, &wasm, &config());
    let hash = Sha256::digest(&wasm).into();
    // SAFETY: the plugin was validated in the line above.
    let plugin = unsafe { host.load_trusted("trusted", &wasm, &hash, &config()) }.unwrap();
    assert_eq!(host.call(plugin, "f", &[]).unwrap().report.fuel, validated);
}
