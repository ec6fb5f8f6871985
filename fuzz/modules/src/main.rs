//! Loads modules until something goes wrong: byte flips of plugins, modules of wasm-smith and wasm-mutate,
//! and valid plugins of every operator that the host accepts, whose answers and traps are compared.
//!
//!     cargo run --manifest-path fuzz/modules/Cargo.toml -- --seconds 60 --seed 1
//!     cargo run --release --manifest-path fuzz/modules/Cargo.toml -- --cases 10000000
//!
//! The first is with debug assertions, the second without. Whatever happens, the seed of the case is
//! printed; `--cases 1 --seed SEED` runs it again, and its module is in `failed.wasm`.

mod bulk;
mod calls;
mod code;
mod generator;
mod machine;
mod operators;
mod random;
mod statements;
mod writer;

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use arbitrary::Unstructured;
use generator::Expected;
use random::Random;
use sochdb_wasmi::{
    capability::Capabilities,
    database::{Database, MemoryLimits},
    host::{CallError, Host, HostConfig, LoadError, NoClock, PluginConfig},
    limits::Limits,
};

const PLUGINS: [&[u8]; 4] = [
    include_bytes!("../../../examples/plugins/weather.wasm"),
    include_bytes!("../../../examples/plugins/freezer.wasm"),
    include_bytes!("../../../tests/it/host/modules_found/valid-for.wasm"),
    include_bytes!("../../../tests/it/host/modules_found/smith-19076.wasm"),
];

/// The module that is being tried, for the panic hook.
static TRIED: Mutex<(u64, Vec<u8>)> = Mutex::new((0, Vec::new()));

fn main() {
    let (mut cases, mut seconds, mut seed) = (u64::MAX, u64::MAX, 1);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        let place = match name.as_str() {
            "--cases" => &mut cases,
            "--seconds" => &mut seconds,
            "--seed" => &mut seed,
            _ => usage(&name),
        };
        *place = value.unwrap_or_else(|| usage(&name));
    }
    if cases == u64::MAX && seconds == u64::MAX {
        usage("--cases or --seconds");
    }
    std::panic::set_hook(Box::new(|info| {
        eprintln!("{info}");
        keep();
    }));
    let begun = Instant::now();
    let mut host = new_host();
    let mut counts = [0_u64; KINDS.len()];
    let mut done = 0;
    while done < cases && begun.elapsed() < Duration::from_secs(seconds.min(1 << 40)) {
        let case = seed.wrapping_add(done);
        done += 1;
        let kind = one(&mut host, case);
        counts[kind] += 1;
        if done.is_multiple_of(10_000) {
            host = new_host();
        }
    }
    let counts: Vec<String> =
        KINDS.iter().zip(counts).map(|(kind, count)| format!("{count} {kind}")).collect();
    println!(
        "{done} modules from seed {seed}: {}; debug assertions: {}",
        counts.join(", "),
        cfg!(debug_assertions)
    );
}

/// What is counted.
const KINDS: [&str; 5] = [
    "flipped",
    "of wasm-smith",
    "of wasm-mutate",
    "generated and run to an answer",
    "generated and run to a trap",
];

fn usage(what: &str) -> ! {
    eprintln!("{what}: give --cases N or --seconds N, and --seed N");
    std::process::exit(2);
}

fn keep() {
    if let Ok(tried) = TRIED.lock() {
        let written = std::fs::write("failed.wasm", &tried.1);
        eprintln!("seed {}: {} bytes in failed.wasm ({written:?})", tried.0, tried.1.len());
    }
}

fn new_host() -> Host {
    Host::new(HostConfig::default(), Database::in_memory(MemoryLimits::default()), NoClock)
}

fn config() -> PluginConfig {
    let limits = Limits { fuel_per_call: 1_000_000, deadline_ms: None, ..Limits::default() };
    PluginConfig::new(Capabilities::default()).with_limits(limits)
}

/// Tries one module, and returns its kind.
fn one(host: &mut Host, seed: u64) -> usize {
    let mut random = random_of(seed);
    match random.below(8) {
        0 | 1 => {
            let wasm = flipped(&mut random);
            load(host, seed, &wasm);
            0
        }
        2 => {
            if let Some(wasm) = smith(&mut random) {
                load(host, seed, &wasm);
            }
            1
        }
        3 => {
            let wasm = mutated(&mut random);
            load(host, seed, &wasm);
            2
        }
        _ => {
            let program = generator::program(&mut random, &mut |_| {});
            if let Err(what) = check(host, seed, &program.wasm, Some(&program.expected)) {
                eprintln!("{what}");
                smaller(seed);
            }
            match program.expected {
                Expected::Output(_) => 3,
                Expected::Trap(_) => 4,
            }
        }
    }
}

/// A plugin changed by wasm-mutate, which keeps it valid. What it answers then is not compared: the
/// changes that are to keep it do not keep the bits of a NaN.
fn mutated(random: &mut Random) -> Vec<u8> {
    let mut wasm = plugin(random);
    for _ in 0..1 + random.below(4) {
        let mut mutate = wasm_mutate::WasmMutate::default();
        mutate.seed(random.next()).fuel(100).preserve_semantics(random.one_in(2));
        let mut next = None;
        if let Ok(mut mutations) = mutate.run(&wasm) {
            next = mutations.next().and_then(Result::ok);
        }
        if let Some(next) = next {
            wasm = next;
        }
    }
    wasm
}

/// A plugin to be changed: a committed one, or a generated one.
fn plugin(random: &mut Random) -> Vec<u8> {
    match PLUGINS.get(random.below(PLUGINS.len() + 2)) {
        Some(plugin) => plugin.to_vec(),
        None => generator::program(random, &mut |_| {}).wasm,
    }
}

/// A plugin with some bytes changed, moved or cut.
fn flipped(random: &mut Random) -> Vec<u8> {
    let mut wasm = plugin(random);
    for _ in 0..1 + random.below(4) {
        let at = random.below(wasm.len());
        match random.below(5) {
            0 => wasm[at] ^= 1 << random.below(8),
            1 => wasm[at] = random.next() as u8,
            2 => wasm[at] = wasm[random.below(wasm.len())],
            3 => {
                wasm.remove(at);
            }
            _ => wasm.insert(at, random.next() as u8),
        }
    }
    wasm
}

fn smith(random: &mut Random) -> Option<Vec<u8>> {
    let bytes: Vec<u8> =
        (0..64 + random.below(512)).flat_map(|_| random.next().to_le_bytes()).collect();
    let config = wasm_smith::Config {
        simd_enabled: false,
        relaxed_simd_enabled: false,
        memory64_enabled: false,
        max_memories: 1,
        gc_enabled: false,
        exceptions_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        shared_everything_threads_enabled: false,
        allow_start_export: false,
        max_imports: 0,
        ..wasm_smith::Config::default()
    };
    let module = wasm_smith::Module::new(config, &mut Unstructured::new(&bytes)).ok()?;
    Some(module.to_bytes())
}

fn load(host: &mut Host, seed: u64, wasm: &[u8]) {
    if let Err(what) = check(host, seed, wasm, None) {
        eprintln!("{what}");
        keep();
        std::process::exit(1);
    }
}

/// Leaves statements out of a generated program for as long as it fails, and ends.
fn smaller(seed: u64) -> ! {
    let mut left_out = 0;
    for statement in 0..16 {
        let less = left_out | 1 << statement;
        if try_without(seed, less).is_err() {
            left_out = less;
        }
    }
    eprintln!("without the statements {left_out:#b}: {:?}", try_without(seed, left_out));
    keep();
    std::process::exit(1);
}

fn try_without(seed: u64, left_out: u32) -> Result<(), String> {
    let mut random = random_of(seed);
    random.below(8);
    let program = generator::program_without(&mut random, left_out, &mut |_| {});
    check(&mut new_host(), seed, &program.wasm, Some(&program.expected))
}

fn random_of(seed: u64) -> Random {
    Random::new(seed.wrapping_mul(0xd129_0d3f_a1b5_cb5d))
}

/// Loads a module, calls what it exports, and compares the answer if there is one to compare with.
fn check(
    host: &mut Host,
    seed: u64,
    wasm: &[u8],
    expected: Option<&Expected>,
) -> Result<(), String> {
    if let Ok(mut tried) = TRIED.lock() {
        tried.0 = seed;
        tried.1.clear();
        tried.1.extend_from_slice(wasm);
    }
    let plugin = match host.load("plugin", wasm, &config()) {
        Ok(plugin) => plugin,
        Err(LoadError::Interpreter { reason }) => {
            return Err(format!("the interpreter panicked: {reason}"));
        }
        Err(error) => match expected {
            None => return Ok(()),
            Some(_) => return Err(format!("refused: {error}")),
        },
    };
    match expected {
        None => {
            let entries: Vec<String> = host.entries(plugin).take(3).map(String::from).collect();
            for entry in entries {
                let _ = host.call(plugin, &entry, &[0; 8]);
            }
        }
        Some(expected) => {
            let called = host.call(plugin, "f", &[]);
            let same = match (&called, expected) {
                (Ok(outcome), Expected::Output(output)) => outcome.output == &output[..],
                (Err(CallError::Trap { reason }), Expected::Trap(trap)) => {
                    reason.contains(trap.words())
                }
                _ => false,
            };
            if !same {
                return Err(format!("expected {expected:?}, got {called:?}"));
            }
        }
    }
    host.unload(plugin);
    Ok(())
}
