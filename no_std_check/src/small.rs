//! The smallest useful station: a plugin with 16 KiB of memory, in a static buffer, keeps a row of a
//! table for each of 100 counters. What this takes of RAM is what the budget is about.

use alloc::boxed::Box;

use semihosting::println;
use sochdb_wasmi::{
    capability::{Capabilities, Globs},
    database::{ColumnType, Database, MemoryLimits, TableSchema},
    host::{Host, HostConfig, PluginConfig},
    limits::Limits,
};

use crate::{
    failure::{Failure, check},
    memory::LinearMemory,
    plugins::COUNTER,
};

/// How many rows.
const ROWS: u8 = 100;

/// Bytes of the plugin's linear memory.
const MEMORY_BYTES: usize = 16 << 10;

static MEMORY: LinearMemory<MEMORY_BYTES> = LinearMemory::new();

/// Fills the table, counts one row up, and looks at what is there.
pub fn run(clock: fn() -> u64) -> Result<(), Failure> {
    let mut host = host(clock)?;
    host.add_static_memory(MEMORY.take());
    let config = config()?;
    let counter = COUNTER.load(&mut host, &config)?;
    drop(config);
    let mut fuel = 0;
    for id in (1..=ROWS).chain([7, 7]) {
        let outcome = host.call(counter, "increment", &[id]).map_err(Failure::call("increment"))?;
        fuel += outcome.report.fuel;
    }
    let memory_bytes = host.report(counter).map_or(0, |report| report.memory_bytes);
    check(memory_bytes as usize == MEMORY_BYTES, "the plugin's memory is not 16 KiB")?;
    let database = host.database();
    check(database.storage().rows() == u64::from(ROWS), "there are not 100 rows")?;
    let three = database.get("counters", 7, |row| row.value(0)?.as_uint())?;
    check(three.flatten() == Some(3), "counter 7 does not say 3")?;
    println!("{ROWS} counters in a plugin with {memory_bytes} bytes of memory: {fuel} fuel");
    println!("used: small_memory {MEMORY_BYTES}");
    host.unload(counter);
    let buffer = host.take_static_memory().map(|buffer| buffer.len());
    check(buffer == Some(MEMORY_BYTES), "the host did not give the memory back")
}

/// On the heap, and made in a function of its own: what building it leaves on the stack is gone
/// before the plugin runs.
#[inline(never)]
fn host(clock: fn() -> u64) -> Result<Box<Host>, Failure> {
    let mut database = Database::in_memory(MemoryLimits { max_rows: 128, max_bytes: 16 << 10 });
    database.create_table(TableSchema::new("counters")?.column("count", ColumnType::UInt)?)?;
    database.commit()?;
    let sizes = HostConfig { audit_entries: 16, metric_series: 4, plugins: 1, log_bytes: 64 };
    Ok(Box::new(Host::new(sizes, database, clock)))
}

#[inline(never)]
fn config() -> Result<Box<PluginConfig>, Failure> {
    let tables = Globs::new(&["counters"])?;
    let granted = Capabilities {
        can_read_table: tables.clone(),
        can_write_table: tables,
        ..Capabilities::default()
    };
    let limits =
        Limits { memory_bytes: MEMORY_BYTES as u32, stack_bytes: 4 << 10, ..Limits::default() };
    Ok(Box::new(PluginConfig::new(granted).with_limits(limits).with_static_memory()))
}
