//! What a plugin takes of RAM stays under the number that its embedder is given before: also for
//! modules that are made to take much.

use crate::{counting, support};
use counting::peak_bytes;
use sochdb_wasmi::{
    host::{CallError, LoadError, PluginConfig},
    limits::{Limit, LimitExceeded, Limits},
};
use support::{everything, host, probe_wasm};

/// A module with something before its memory, which other things may refer to, and something behind.
fn module(before: &str, behind: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module {before}
            (memory (export "memory") 1)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
            {behind})"#
    ))
    .unwrap()
}

/// A module of one function with this code.
fn code(body: &str) -> Vec<u8> {
    module("", &format!(r#"(func (export "f") (param i32) (result i32) {body} (i32.const 0))"#))
}

/// A module of many functions of 10,000 locals and nothing else: 8 bytes each, and 39 `nop`s that pay
/// for the locals. As text it would be long.
fn functions_of_many_locals(count: usize) -> Vec<u8> {
    let wasm = module("", "(func)");
    let leb = |mut value: usize| {
        let mut bytes = Vec::new();
        while value > 127 {
            bytes.push(value as u8 | 128);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    };
    let section = |id: u8, item: &[u8]| {
        let content = [leb(count), item.repeat(count)].concat();
        [vec![id], leb(content.len()), content].concat()
    };
    let replaced = |wasm: &[u8], old: &[u8], new: &[u8]| {
        let at = wasm.windows(old.len()).position(|window| window == old).unwrap();
        [&wasm[..at], new, &wasm[at + old.len()..]].concat()
    };
    let wasm = replaced(&wasm, &[3, 2, 1, 0], &section(3, &[0]));
    let body = [&[5, 1][..], &leb(10_000), &[0x7e, 0x0b]].concat();
    replaced(&wasm, &[10, 4, 1, 2, 0, 0x0b], &section(10, &body))
}

/// Modules of about `n` bytes, each of much of one thing, in which nothing returns more than `results`
/// values.
fn modules(n: usize, results: usize) -> Vec<(&'static str, Vec<u8>)> {
    let mut modules = of_code(n, results);
    modules.extend(of_sections(n));
    modules
}

fn of_code(n: usize, results: usize) -> Vec<(&'static str, Vec<u8>)> {
    let types = "i32 ".repeat(results);
    let values = "(i32.const 1) ".repeat(results);
    let drops = "drop ".repeat(results);
    let twice = |first: &str, then: &str, bytes: usize| {
        code(&(first.repeat(n / bytes) + &then.repeat(n / bytes)))
    };
    let block = |inside: &str| code(&format!("(block (result {types}) {values} {inside}) {drops}"));
    let calls = |bytes: usize| "(call $g)".repeat(n / bytes) + &drops.repeat(n / bytes);
    let parameters = "(i32.const 0) ".repeat(500);
    vec![
        ("nothing", module("", "")),
        ("nested blocks", twice("block ", "end ", 3)),
        ("nested loops", twice("loop ", "end ", 3)),
        ("nested ifs", twice("local.get 0 if ", "else end ", 6)),
        ("loops", code(&"loop end ".repeat(n / 3))),
        ("ifs", code(&"local.get 0 if end ".repeat(n / 5))),
        ("branches", block(&"(br_if 0 (local.get 0)) ".repeat(n / 4))),
        ("table of branches", block(&format!("(br_table {} (local.get 0))", "0 ".repeat(n)))),
        ("operands", twice("local.get 0 ", "drop ", 3)),
        ("constants", twice("i64.const 0 ", "drop ", 3)),
        ("operators", code(&format!("local.get 0 {} drop", "i32.ctz ".repeat(n)))),
        (
            "calls",
            module(
                "",
                &format!("(func $g (result {types}) {values}) (func {})", calls(2 + results)),
            ),
        ),
        (
            "calls with parameters",
            module(
                "",
                &format!(
                    "(func $g (param {})) (func {})",
                    "i32 ".repeat(500),
                    format!("{parameters} (call $g)").repeat(n / 1002)
                ),
            ),
        ),
        (
            "stores far away",
            code(&"(i32.store offset=65536 (local.get 0) (local.get 0))".repeat(n / 9)),
        ),
        (
            "selects with a barrier",
            code(&format!(
                "{} {} drop",
                "local.get 0 ".repeat(n / 6 + 1),
                "local.get 0 i32.eqz select ".repeat(n / 6)
            )),
        ),
    ]
}

fn of_sections(n: usize) -> Vec<(&'static str, Vec<u8>)> {
    let exports: String =
        (0..990.min(n / 6)).map(|name| format!(r#"(export "{name:x}" (global 0))"#)).collect();
    vec![
        ("types", module(&"(type (func))".repeat(n / 3), "")),
        ("imports", module(&r#"(import "" "" (func))"#.repeat(n / 4), "")),
        ("functions", module("", &"(func)".repeat(n / 4))),
        ("globals", module("", &"(global i32 (i32.const 0))".repeat(n / 5))),
        ("exports", module("", &exports)),
        ("elements", module("", &format!("(func $g) (elem func {})", "$g ".repeat(n)))),
        ("lists of elements", module("", &"(elem func)".repeat(n / 4))),
        ("pieces of data", module("", &r#"(data "")"#.repeat(n / 2))),
        ("data", module("", &format!(r#"(data "{}")"#, "x".repeat(n)))),
        ("a table", module("", "(table 1024 funcref)")),
        ("tables", module("", &"(table 1024 funcref)".repeat(8))),
        ("locals", module("", &format!("(func (local {}))", "i64 ".repeat(1000)))),
        ("more locals", module("", &format!("(func (local {}))", "i64 ".repeat(10_000)))),
        ("functions of many locals", functions_of_many_locals(n / 8)),
        ("the probe", probe_wasm()),
        ("weather", include_bytes!("../../../examples/plugins/weather.wasm").to_vec()),
        ("freezer", include_bytes!("../../../examples/plugins/freezer.wasm").to_vec()),
    ]
}

#[test]
fn no_module_takes_more_than_the_bound() {
    let config = PluginConfig::new(everything());
    for (n, results) in [(300, 32), (3000, 1), (3000, 32), (33_000, 1), (33_000, 7), (33_000, 32)] {
        for (name, wasm) in modules(n, results) {
            let limits = Limits { results: results as u32, ..Limits::default() };
            let bound = limits.ram_bound(wasm.len() as u32).unwrap();
            let mut host = host();
            let config = config.clone().with_limits(limits);
            // The imports are refused, after they were read.
            let (peak, loaded) = peak_bytes(|| host.load("plugin", &wasm, &config));
            if !matches!(loaded, Err(LoadError::UnknownImport { .. })) {
                loaded.unwrap();
            }
            // All of these memories are as large as they become: one, or four pages.
            let memory = if name == "the probe" { 4 } else { 1 } * 65_536;
            let memory = if name == "freezer" { 16_384 } else { memory };
            let most = (bound.tables + bound.instance + bound.module) as i64;
            assert!(peak - memory <= most, "{name}: {} of {most}", peak - memory);
        }
    }
}

#[test]
fn no_memory_takes_more_than_the_bound_while_it_grows() {
    let wasm = code("(drop (memory.grow (i32.const 1)))");
    for pages in [2, 17, 64, 100] {
        let limits = Limits { memory_bytes: pages << 16, ..Limits::default() };
        let bound = limits.ram_bound(wasm.len() as u32).unwrap();
        let mut host = host();
        let config = PluginConfig::new(everything()).with_limits(limits);
        let (peak, memory_bytes) = peak_bytes(|| {
            let plugin = host.load("plugin", &wasm, &config).unwrap();
            for _ in 0..pages + 3 {
                host.call(plugin, "f", &[]).unwrap();
            }
            host.report(plugin).unwrap().memory_bytes
        });
        assert_eq!(memory_bytes, limits.memory_bytes);
        assert!(peak > i64::from(memory_bytes), "more was freed than was the plugin's own");
        assert!(peak as u64 <= bound.total().unwrap(), "{peak} of {bound:?}");
    }
}

#[test]
fn no_recursion_takes_more_than_the_bound() {
    for (stack_bytes, recursion) in [(16 << 20, 100_000), (64 << 10, 256), (3000, 1000), (1024, 1)]
    {
        for locals in ["", "(local i64 i64 i64 i64 i64 i64 i64 i64)"] {
            let wasm = module(
                "",
                &format!(
                    r#"(func $f (export "f") (param i32) (result i32) {locals}
                        (call $f (local.get 0)))"#
                ),
            );
            let limits =
                Limits { stack_bytes, recursion, fuel_per_call: 1 << 40, ..Limits::default() };
            let bound = limits.ram_bound(wasm.len() as u32).unwrap();
            let mut host = host();
            let config = PluginConfig::new(everything()).with_limits(limits);
            let plugin = host.load("plugin", &wasm, &config).unwrap();
            let (peak, failed) = peak_bytes(|| host.call(plugin, "f", &[]).unwrap_err());
            assert!(matches!(failed, CallError::StackOverflow { .. }));
            assert!(peak as u64 <= bound.stacks, "{peak} of {bound:?}");
        }
    }
}

#[test]
fn a_function_with_more_results_or_locals_than_allowed_is_refused() {
    let refused = |wasm: &[u8], limits| {
        let config = PluginConfig::new(everything()).with_limits(limits);
        host().load("plugin", wasm, &config).map(|_| ())
    };
    let limits = Limits { results: 2, locals: 5, ..Limits::default() };
    let exceeded =
        |limit, allowed, asked| Err(LoadError::Limit(LimitExceeded { limit, allowed, asked }));

    let pair = code("(block (result i32 i32) (i32.const 1) (i32.const 2)) drop drop");
    assert_eq!(refused(&pair, limits), Ok(()));
    let three = code("(block (result i32 i64 i32) unreachable) drop drop drop");
    assert_eq!(refused(&three, limits), exceeded(Limit::Results, 2, 3));
    let function = module("(type (func (param f64 f64 f64) (result f32 f32 f32 f32)))", "");
    assert_eq!(refused(&function, limits), exceeded(Limit::Results, 2, 4));

    let five = module("", "(func) (func (param i32 i32 i32) (local i32 i64 i64 f32 f32))");
    assert_eq!(refused(&five, limits), Ok(()));
    let six = module("", "(func) (func (local i32 i64 i64 f32 f32 f64)) (func)");
    assert_eq!(refused(&six, limits), exceeded(Limit::Locals, 5, 6));
}

#[test]
fn there_is_no_bound_for_a_module_that_is_not_loaded() {
    let limits = Limits { module_bytes: 5000, ..Limits::default() };
    assert!(limits.ram_bound(5000).is_some());
    assert_eq!(limits.ram_bound(5001), None);
    let all = u32::MAX;
    let boundless = Limits {
        memory_bytes: all,
        table_elements: all,
        stack_bytes: all,
        recursion: all,
        module_bytes: all,
        results: all,
        locals: all,
        ..limits
    };
    assert_eq!(boundless.ram_bound(all), None);
    let bound = Limits { results: 1, ..boundless }.ram_bound(all);
    assert!(bound.is_some_and(|bound| bound.total().is_some()));
}
