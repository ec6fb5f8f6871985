//! The golden lines, computed on a machine without an operating system: the main job over all four
//! years, with the feature `record` its trace, and the plugin of every class of operators, on a native
//! stack that is measured. `run.sh` compares what it prints with `tests/golden/`, which every other
//! target is compared with too. With the feature `replay` it replays the traces of `tests/traces/`,
//! and fails unless the weather plugin does here what it did where they were recorded.
//!
//! It takes what RAM it needs: its limits are those of the test on a desk.

#![no_std]
#![no_main]

extern crate alloc;

#[allow(dead_code, reason = "the heap is not measured here")]
mod heap;
#[path = "../../tests/golden/lines.rs"]
#[cfg_attr(feature = "record", allow(dead_code, reason = "only the watched job is needed then"))]
mod lines;
#[cfg_attr(target_arch = "arm", path = "cortex_m4.rs")]
#[cfg_attr(target_arch = "riscv32", path = "rv32.rs")]
mod machine;
mod panic;
mod stack;
#[cfg(feature = "record")]
#[path = "../../tests/golden/trace.rs"]
mod trace;

use alloc::string::String;
use core::fmt::Write;

use lines::Failure;
use semihosting::{eprintln, println, process};
use sochdb_wasmi::{
    audit::PluginId,
    database::{Database, MemoryLimits},
    host::{Host, HostConfig, NoClock, PluginConfig},
    limits::Limits,
};

/// Bytes of the heap.
const HEAP_BYTES: usize = 2560 << 10;

const WEATHER: &[u8] = include_bytes!("../../examples/plugins/weather.wasm");
const COUNTER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/counter-page.wasm"));
const DAYS: &str = include_str!("../../examples/data/seattle-weather.csv");

/// `NATIVE_STACK`, and `CLASSES`: the name of each class of operators, and of its entry point.
mod operators {
    pub const PLUGIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/operators.wasm"));
    include!(concat!(env!("OUT_DIR"), "/operators.rs"));
}

type Clock = fn() -> u64;

fn main(name: &str, _: Clock) -> ! {
    heap::init();
    println!("{name}");
    match run() {
        Ok(()) => process::exit(0),
        Err(failure) => {
            eprintln!("{failure}");
            process::exit(1)
        }
    }
}

fn run() -> Result<(), Failure> {
    let mut text = String::new();
    #[cfg(not(feature = "record"))]
    lines::write_lines(&mut text, WEATHER, COUNTER, DAYS)?;
    #[cfg(feature = "record")]
    {
        let mut line = String::new();
        let mut watch = trace::watch(&mut line);
        lines::write_lines_watched(&mut text, WEATHER, COUNTER, DAYS, &mut watch)?;
        drop(watch);
        print(&line);
    }
    print(&text);
    #[cfg(feature = "replay")]
    replay()?;
    let whole = operators(Limits { deadline_ms: None, ..LIMITS })?;
    print(&whole);
    let slices = operators(Limits { deadline_ms: Some(u32::MAX), slice_fuel: 500, ..LIMITS })?;
    if slices == whole { Ok(()) } else { Err("slices change what operators compute".into()) }
}

#[cfg(feature = "replay")]
fn replay() -> Result<(), Failure> {
    const TRACES: [&[u8]; 3] = [
        include_bytes!("../../tests/traces/ends.trace"),
        include_bytes!("../../tests/traces/ingest.trace"),
        include_bytes!("../../tests/traces/queries.trace"),
    ];
    let replayer = sochdb_wasmi::replay::Replayer::new().with_plugin(WEATHER);
    for trace in TRACES {
        let replay = replayer.replay(trace)?;
        if !replay.is_exact() {
            return Err(alloc::format!("{replay}").into());
        }
    }
    Ok(())
}

/// A line at a time: what semihosting writes at once must not be long.
fn print(text: &str) {
    for line in text.lines() {
        println!("{line}");
    }
}

/// Those of `tests/dispatch.rs`.
const LIMITS: Limits =
    Limits { fuel_per_call: 1_000_000_000, deadline_ms: None, ..Limits::DEFAULT };

/// Runs every class of operators, and says what each computed and used. Fails if one of them takes
/// more native stack than it may.
fn operators(limits: Limits) -> Result<String, Failure> {
    let (mut host, plugin) = load(limits)?;
    let mut text = String::new();
    for (name, entry) in operators::CLASSES {
        stack::paint();
        let before = stack::peak();
        let outcome = host.call(plugin, entry, &[])?;
        let computed = outcome.output.first_chunk().copied().map_or(0, u64::from_le_bytes);
        writeln!(text, "{name}: {computed:016x} fuel {}", outcome.report.fuel)?;
        let used = stack::peak() - before;
        if used > operators::NATIVE_STACK {
            return Err(alloc::format!("{name}: {used} bytes of native stack").into());
        }
    }
    Ok(text)
}

#[inline(never)]
fn load(limits: Limits) -> Result<(Host, PluginId), Failure> {
    let database = Database::in_memory(MemoryLimits::default());
    let mut host = Host::new(HostConfig::default(), database, NoClock);
    let config = PluginConfig::default().with_limits(limits).set("greeting", "hello")?;
    let plugin = host.load("operators", operators::PLUGIN, &config)?;
    Ok((host, plugin))
}
