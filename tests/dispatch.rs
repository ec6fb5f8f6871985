//! The interpreter runs on a small native stack, whatever a plugin does and for however long.
//!
//! wasmi's fast dispatch goes from one operator's handler to the next by calls in tail position,
//! which the compiler need not turn into jumps: where it does not, every operator that runs leaves
//! a frame behind, and a loop ends the process. The portable dispatch, which this crate asks for,
//! does not depend on it. So every class of operators runs [`TIMES`](operators::TIMES) times here,
//! on a stack that would not hold a frame of each. What they compute is compared with committed lines, which are
//! the same on every target: `BLESS=1 cargo test --test golden --test dispatch` writes them anew.

#[path = "golden/compare.rs"]
mod compare;
#[path = "golden/operators.rs"]
mod operators;
mod support;

use std::{fmt::Write, thread};

use operators::{NATIVE_STACK, classes, module};
use sochdb_wasmi::{
    audit::PluginId,
    host::{CallError, Host, PluginConfig},
    limits::{Limit, LimitExceeded, Limits},
};
use support::{everything, host, roomy, wat_plugin};

/// Runs `run` in a thread with a small stack. An overflow ends the process, and so fails the test.
fn on_a_small_stack<R: Send>(run: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| {
        let builder = thread::Builder::new().stack_size(NATIVE_STACK);
        builder.spawn_scoped(scope, run).unwrap().join().unwrap()
    })
}

fn load(wasm: &[u8], limits: Limits) -> (Host, PluginId) {
    let mut host = host();
    let config = PluginConfig::new(everything()).with_limits(limits);
    let config = config.set("greeting", "hello").unwrap();
    let plugin = host.load("operators", wasm, &config).unwrap();
    (host, plugin)
}

/// Runs all classes and says for each what it computed and what it used.
fn run_all(limits: Limits) -> Vec<(&'static str, u64, u64)> {
    let classes = classes();
    let (mut host, plugin) = load(&module(&classes), limits);
    on_a_small_stack(move || {
        let mut lines = Vec::new();
        for (name, _) in classes {
            let entry = name.replace(' ', "_");
            let outcome = match host.call(plugin, &entry, &[]) {
                Ok(outcome) => outcome,
                Err(error) => panic!("{name}: {error}"),
            };
            let computed = u64::from_le_bytes(outcome.output.try_into().unwrap());
            lines.push((name, computed, outcome.report.fuel));
        }
        lines
    })
}

#[test]
fn every_class_of_operators_runs_on_a_small_native_stack_with_the_committed_results() {
    let mut text = String::new();
    for (name, computed, fuel) in run_all(roomy()) {
        writeln!(text, "{name}: {computed:016x} fuel {fuel}").unwrap();
    }
    compare::compare("operators.txt", &text);
}

#[test]
fn going_on_after_thousands_of_slices_leaves_nothing_on_the_native_stack() {
    let slices = Limits { deadline_ms: Some(u32::MAX), slice_fuel: 500, ..roomy() };
    assert_eq!(run_all(slices), run_all(roomy()));
}

#[test]
fn recursion_ends_as_stack_overflow_at_any_limit() {
    let body = r#"
        (type $f (func (param i32) (result i32)))
        (table 2 2 funcref)
        (elem (i32.const 0) $even $odd)
        (func $down (export "direct") (param i32) (result i32)
            (i32.add (i32.const 1) (call $down (local.get 0))))
        (func $even (export "mutual") (param i32) (result i32)
            (i32.add (i32.const 1) (call $odd (local.get 0))))
        (func $odd (param i32) (result i32)
            (i32.add (i32.const 1) (call_indirect (type $f) (local.get 0) (i32.const 0))))
        (func $wide (export "wide") (param i32) (result i32)
            (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
            (local.set 1 (i64.extend_i32_u (local.get 0)))
            (i32.add (i32.wrap_i64 (local.get 1)) (call $wide (local.get 0))))"#;
    for (stack_bytes, recursion) in
        [(64 << 10, 256), (1 << 20, u32::MAX), (16 << 20, 1_000_000), (2 << 10, 10)]
    {
        let (mut host, plugin) =
            load(&wat_plugin(body), Limits { stack_bytes, recursion, ..roomy() });
        on_a_small_stack(move || {
            for entry in ["direct", "mutual", "wide"] {
                let error = host.call(plugin, entry, &[]).unwrap_err();
                assert_eq!(error, CallError::StackOverflow { stack_bytes, recursion }, "{entry}");
            }
        });
    }
}

#[test]
fn endless_tail_calls_end_with_the_fuel_and_not_with_a_stack() {
    let body = r#"
        (type $f (func (param i32) (result i32)))
        (table 1 1 funcref)
        (elem (i32.const 0) $again)
        (func $again (export "direct") (param i32) (result i32) (return_call $again (local.get 0)))
        (func $other (export "indirect") (param i32) (result i32)
            (return_call_indirect (type $f) (local.get 0) (i32.const 0)))"#;
    let (mut host, plugin) =
        load(&wat_plugin(body), Limits { fuel_per_call: 1_000_000, ..roomy() });
    on_a_small_stack(move || {
        for entry in ["direct", "indirect"] {
            let error = host.call(plugin, entry, &[]).unwrap_err();
            assert!(
                matches!(error, CallError::Limit(LimitExceeded { limit: Limit::Fuel, .. })),
                "{entry}: {error}"
            );
        }
    });
}

#[test]
fn traps_leave_nothing_on_the_native_stack() {
    let traps = [
        ("unreachable", "(unreachable)", "unreachable"),
        ("division", "(i32.div_u (i32.const 1) (local.get 0))", "divide by zero"),
        ("overflow", "(i32.div_s (i32.const 0x80000000) (i32.const -1))", "overflow"),
        ("load", "(i32.load (i32.const -4))", "out of bounds"),
        ("conversion", "(i32.trunc_f32_s (f32.const nan))", "invalid conversion"),
        ("element", "(call_indirect (type $f) (local.get 0) (i32.const 0))", "element"),
    ];
    let mut body = String::from("(type $f (func (param i32) (result i32))) (table 1 1 funcref)");
    for (name, code, _) in traps {
        write!(body, r#"(func (export "{name}") (param i32) (result i32) {code})"#).unwrap();
    }
    let (mut host, plugin) = load(&wat_plugin(&body), roomy());
    on_a_small_stack(move || {
        for _ in 0..200 {
            for (name, _, words) in traps {
                match host.call(plugin, name, &[]) {
                    Err(CallError::Trap { reason }) => {
                        assert!(reason.contains(words), "{name}: {reason}");
                    }
                    other => panic!("{name}: {other:?}"),
                }
            }
        }
    });
}
