//! Work beside what is paid for it: every operator, and every host function with its worst requests, each
//! until its fuel or its request ends. `.ci/instructions-per-fuel` runs it under callgrind and compares.
//!
//! Prints a line for each case: its name and the fuel it used. What it measures runs in [`measured`],
//! which is where callgrind counts. The first case is the plain loop that others are compared with.

mod cases;

use cases::{database, operators, requests, requests::Case};
use sochdb_wasmi::{
    audit::PluginId,
    capability::{Capabilities, Globs},
    database::{Database, MemoryLimits},
    host::{Host, HostConfig, NoClock, PluginConfig},
    limits::Limits,
};

/// Fuel of a call: enough for the cost of the call itself not to count.
const FUEL: u64 = 30_000;

/// Callgrind counts in here alone.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
    std::hint::black_box(());
}

fn limits() -> Limits {
    Limits {
        fuel_per_call: FUEL,
        module_bytes: 16 << 20,
        memory_bytes: 64 << 20,
        host_calls: u32::MAX,
        rows: u32::MAX,
        bytes: u64::MAX,
        deadline_ms: None,
        ..Limits::default()
    }
}

/// Calls an entry point where it is counted, and prints what it used.
fn run(host: &mut Host, plugin: PluginId, name: &str, entry: &str, input: &[u8]) {
    let mut ended = String::new();
    measured(&mut || {
        // Most end without fuel.
        ended = match host.call(plugin, entry, input) {
            Ok(outcome) => format!(
                "status {}",
                i32::from_le_bytes(outcome.output.try_into().unwrap_or_default())
            ),
            Err(error) => error.to_string(),
        };
    });
    println!("{name}\t{}\t{ended}", host.report(plugin).expect("a plugin").fuel);
}

fn run_operators(only: &str) {
    for (name, module) in operators::all() {
        if name.contains(only) || name == operators::PLAIN_LOOP {
            let (mut host, plugin) = load_operators(&name, &module);
            run(&mut host, plugin, &name, "run", &[]);
        }
    }
    let (classes, module) = operators::classes();
    for class in classes {
        let name = format!("class {class}");
        if name.contains(only) {
            let (mut host, plugin) = load_operators(&name, &module);
            run(&mut host, plugin, &name, &class, &[]);
        }
    }
}

fn load_operators(name: &str, module: &[u8]) -> (Host, PluginId) {
    let database = Database::in_memory(MemoryLimits::default());
    let mut host = Host::new(HostConfig::default(), database, NoClock);
    let config = PluginConfig::default().with_limits(limits());
    match host.load("operators", module, &config) {
        Ok(plugin) => (host, plugin),
        Err(error) => panic!("{name}: {error}"),
    }
}

fn run_requests(only: &str) {
    let module = requests::module();
    for case in requests::all() {
        let name = format!("{}: {}", case.function, case.name);
        if name.contains(only) {
            run_request(&name, &case, &module, 64);
            if case.answers_rows() {
                run_request(&format!("{name}, large response"), &case, &module, 1 << 20);
            }
        }
    }
}

fn run_request(name: &str, case: &Case, module: &[u8], capacity: u32) {
    let mut host = Host::new(HostConfig::default(), database::filled(case), NoClock);
    let capabilities = Capabilities {
        can_read_table: Globs::new(case.readable).expect("globs"),
        can_write_table: Globs::new(&["*"]).expect("a glob"),
        can_vector_search: true,
        can_index_search: true,
        ..Capabilities::default()
    };
    let config = PluginConfig::new(capabilities).with_limits(limits());
    let config = config.set("key", 1.0).expect("a key");
    let plugin = host.load("requests", module, &config).expect("loads");
    let head = [(case.request.len() as u32).to_le_bytes(), capacity.to_le_bytes()].concat();
    run(&mut host, plugin, name, case.function, &[head, case.request.clone()].concat());
}

fn main() {
    // A part of the names, to look at some cases alone.
    let only = std::env::args().nth(1).unwrap_or_default();
    run_operators(&only);
    run_requests(&only);
}
