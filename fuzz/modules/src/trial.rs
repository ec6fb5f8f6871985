//! One module: what it is by its seed, whether the host takes it as it must, and what it answers.

use std::sync::Mutex;

use sochdb_wasmi::{
    capability::Capabilities,
    database::{Database, MemoryLimits},
    host::{CallError, Host, HostConfig, LoadError, NoClock, PluginConfig},
    limits::Limits,
};

use crate::{
    generator::{self, Expected},
    plugins::{flipped, mutated, smith},
    random::Random,
};

/// The module that is being tried, for the panic hook.
static TRIED: Mutex<(u64, Vec<u8>)> = Mutex::new((0, Vec::new()));

/// What is counted.
pub const KINDS: [&str; 6] = [
    "flipped",
    "of wasm-smith",
    "of wasm-mutate",
    "generated and run to an answer",
    "generated and run to a trap",
    "generated and refused",
];

/// Of so many modules, how many are of a kind: `one` says it.
const SHARES: usize = 32;

/// Keeps the module that is being tried.
pub fn keep() {
    if let Ok(tried) = TRIED.lock() {
        let written = std::fs::write("failed.wasm", &tried.1);
        eprintln!("seed {}: {} bytes in failed.wasm ({written:?})", tried.0, tried.1.len());
    }
}

pub fn new_host() -> Host {
    Host::new(HostConfig::default(), Database::in_memory(MemoryLimits::default()), NoClock)
}

fn config() -> PluginConfig {
    let limits = Limits { fuel_per_call: 1_000_000, deadline_ms: None, ..Limits::default() };
    PluginConfig::new(Capabilities::default()).with_limits(limits)
}

/// Tries one module, and returns its kind.
pub fn one(host: &mut Host, seed: u64) -> usize {
    let mut random = random_of(seed);
    match random.below(SHARES) {
        0..=9 => {
            let wasm = flipped(&mut random);
            load(host, seed, &wasm);
            0
        }
        10..=13 => {
            if let Some(wasm) = smith(&mut random) {
                load(host, seed, &wasm);
            }
            1
        }
        // It takes ten times as long as the others.
        14 => {
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
                Expected::Refused => 5,
            }
        }
    }
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
    random.below(SHARES);
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
        Err(error) => match (expected, &error) {
            (None, _) | (Some(Expected::Refused), LoadError::BlockParameters { .. }) => {
                return Ok(());
            }
            (Some(_), _) => return Err(format!("refused: {error}")),
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
