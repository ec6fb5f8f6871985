//! A plugin in Rust where RAM is short: `examples/plugins/freezer` with 16 KiB of memory, in a static
//! buffer, keeps a row for each of 100 measurements and reports on them.

#![no_std]
#![no_main]

extern crate alloc;

#[allow(dead_code, reason = "the job has more ways to fail")]
mod failure;
mod heap;
#[cfg_attr(target_arch = "arm", path = "cortex_m4.rs")]
#[cfg_attr(target_arch = "riscv32", path = "rv32.rs")]
mod machine;
mod memory;
mod panic;
mod part;
#[allow(dead_code, reason = "another program has the others")]
mod plugins;
mod stack;

use alloc::boxed::Box;

use semihosting::{println, process};
use sochdb_wasmi::{
    audit::PluginId,
    capability::{Capabilities, Globs},
    database::{ColumnType, Database, MemoryLimits, TableSchema},
    host::{CallError, Host, HostConfig, PluginConfig},
    limits::{Limit, LimitExceeded, Limits},
};

use crate::{
    failure::{Failure, check},
    memory::LinearMemory,
    plugins::FREEZER,
};

/// Bytes of the heap.
const HEAP_BYTES: usize = 128 << 10;

fn main(name: &str, clock: part::Clock) -> ! {
    heap::init();
    println!("{name}");
    part::run("freezer", run, clock);
    process::exit(0)
}

/// How many rows.
const ROWS: u32 = 100;

/// Bytes of the plugin's linear memory.
const MEMORY_BYTES: usize = 16 << 10;

static MEMORY: LinearMemory<MEMORY_BYTES> = LinearMemory::new();

/// Measures, runs out of fuel in the middle, and looks at what is there.
///
/// The steps are not inlined: what one needs of the stack is gone in the next.
fn run(clock: fn() -> u64) -> Result<(), Failure> {
    let mut host = host(clock)?;
    host.add_static_memory(MEMORY.take());
    let freezer = load(&mut host)?;
    let fuel = record(&mut host, freezer)?;
    never_ends(&mut host, freezer)?;
    report(&mut host, freezer, fuel)?;
    println!("used: freezer_memory {MEMORY_BYTES}");

    host.unload(freezer);
    let buffer = host.take_static_memory().map(|buffer| buffer.len());
    check(buffer == Some(MEMORY_BYTES), "the host did not give the memory back")
}

/// Records a measurement a minute and returns the fuel that it took.
#[inline(never)]
fn record(host: &mut Host, freezer: PluginId) -> Result<u64, Failure> {
    let mut fuel = 0;
    for minute in 0..ROWS {
        // Not a good freezer: it warms up for ten minutes, and is at -20 again.
        let hundredths = -2000 + 50 * (minute % 10).cast_signed();
        let input = postcard::to_allocvec(&(minute, hundredths))?;
        let outcome = host.call(freezer, "record", &input).map_err(Failure::call("record"))?;
        check(outcome.output == [1], "a reading was not kept")?;
        fuel += outcome.report.fuel;
    }
    check(host.database().storage().rows() == u64::from(ROWS), "there are not 100 rows")?;
    Ok(fuel)
}

/// Runs out of fuel, twice, as after each the plugin is made anew, in the same buffer.
#[inline(never)]
fn never_ends(host: &mut Host, freezer: PluginId) -> Result<(), Failure> {
    for _ in 0..2 {
        let forever = host.call(freezer, "wait", &[]).map(|_| ());
        let exhausted =
            matches!(forever, Err(CallError::Limit(LimitExceeded { limit: Limit::Fuel, .. })));
        check(exhausted, "a call that never ends did not run out of fuel")?;
    }
    Ok(())
}

#[inline(never)]
fn report(host: &mut Host, freezer: PluginId, fuel: u64) -> Result<(), Failure> {
    let input = postcard::to_allocvec(&(50_u32, 1000_u32, -1800_i32))?;
    let outcome = host.call(freezer, "report", &input).map_err(Failure::call("report"))?;
    let memory_bytes = outcome.report.memory_bytes;
    let report: (u32, i32, i32, i32, u32) = postcard::from_bytes(outcome.output)?;
    check(report == (50, -2000, -1550, -1775, 5), "the report says something else")?;
    check(memory_bytes as usize == MEMORY_BYTES, "the plugin's memory is not 16 KiB")?;
    println!("{ROWS} readings in a plugin with {memory_bytes} bytes of memory: {fuel} fuel");
    Ok(())
}

#[inline(never)]
fn load(host: &mut Host) -> Result<PluginId, Failure> {
    let config = config()?;
    Ok(FREEZER.load(host, &config)?)
}

/// On the heap, and made in a function of its own: what building it leaves on the stack is gone
/// before the plugin runs.
#[inline(never)]
fn host(clock: fn() -> u64) -> Result<Box<Host>, Failure> {
    let mut database = Database::in_memory(MemoryLimits { max_rows: 128, max_bytes: 16 << 10 });
    let readings = TableSchema::new("readings")?
        .column("minute", ColumnType::UInt)?
        .column("hundredths", ColumnType::Int)?;
    database.create_table(readings)?;
    database.commit()?;
    let sizes = HostConfig { audit_entries: 8, metric_series: 2, plugins: 1, log_bytes: 64 };
    Ok(Box::new(Host::new(sizes, database, clock)))
}

#[inline(never)]
fn config() -> Result<Box<PluginConfig>, Failure> {
    let tables = Globs::new(&["readings"])?;
    let granted = Capabilities {
        can_read_table: tables.clone(),
        can_write_table: tables,
        ..Capabilities::default()
    };
    let limits = Limits {
        memory_bytes: MEMORY_BYTES as u32,
        fuel_per_call: 200_000,
        stack_bytes: 2 << 10,
        deadline_ms: None,
        ..Limits::default()
    };
    Ok(Box::new(PluginConfig::new(granted).with_limits(limits).with_static_memory()))
}
