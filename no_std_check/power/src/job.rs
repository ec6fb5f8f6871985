//! The job: the days of the data file go in batch by batch, whatever happens, and are asked about
//! in the end. How far it came is what the database says.

use core::ops::ControlFlow;

use semihosting::println;
#[cfg(feature = "flash")]
use sochdb_wasmi::{
    abi::{
        Seq, Value,
        message::{NewRow, WriteMode},
    },
    database::KeyRange,
};
use sochdb_wasmi::{
    audit::PluginId,
    capability::{Capabilities, Globs},
    database::{Database, DatabaseError, Storage},
    host::{Host, HostConfig, NoClock, PluginConfig},
    meter::Meter,
};

use crate::{
    failure::{Failure, check},
    heap,
    plugin_limits::LIMITS,
    stack,
};

#[path = "../../../examples/station/tables.rs"]
mod tables;
#[path = "../../../examples/station/types.rs"]
#[allow(dead_code, reason = "the plugin uses more of it")]
mod types;
use types::{MonthReport, Purge};

/// Batches of five days each, as the plugin takes them.
const BATCHES: &[&[u8]] = include!(concat!(env!("OUT_DIR"), "/batches.rs"));
const BATCH: usize = 5;

const WEATHER: &[u8] = include_bytes!("../../../examples/plugins/weather.wasm");

/// Opens the database and does what is left of the job.
#[cfg(feature = "flash")]
pub fn run() -> Result<(), Failure> {
    use sochdb_wasmi::database::{FlashStorage, StorageError};

    use crate::kept::{self, BoardFlash};

    let (flash, starts) = kept::take();
    if starts == 0 {
        println!("Cortex-M4 (thumbv7em-none-eabihf), {} KiB of flash", kept::BYTES >> 10);
    }
    let before = heap::live();
    let mut storage = Err(StorageError::Foreign);
    let opening = stack::of(|| storage = FlashStorage::open(flash, 0..kept::BYTES as u32));
    let storage = storage.map_err(DatabaseError::from)?;
    let held = heap::live() - before;
    let database = Database::open(storage)?;
    database.check()?;
    let days = rows(&database, "weather")?;
    println!("start {starts}: {days} days are there");
    check(days % BATCH == 0, "a part of a call is there")?;
    let host = finish(database)?;
    check(BoardFlash::is_safe(starts), "the power failed less often than it should")?;
    host.database().storage().verify().map_err(DatabaseError::from)?;
    println!("used: stack_peak {}", stack::peak());
    println!("used: heap_peak {}", heap::peak());
    println!("used: storage_heap {held}");
    println!(
        "used: storage_state {}",
        size_of::<FlashStorage<BoardFlash>>() - size_of::<BoardFlash>()
    );
    println!("used: stack_of_opening {opening}");
    stacks(host)
}

/// What the operations of the storage take of the stack, each from where it is called.
#[cfg(feature = "flash")]
fn stacks<S: Storage + 'static>(mut host: Host<S>) -> Result<(), Failure> {
    let storage = host.database().storage();
    let all = KeyRange { lower: &[], upper: None };
    let mut done = Ok(());
    let get = stack::of(|| done = storage.get(&[1], |_| ()).map(drop));
    done.map_err(DatabaseError::from)?;
    println!("used: stack_of_get {get}");
    for (name, reverse) in [("scan", false), ("scan_backwards", true)] {
        let mut done = Ok(());
        let scan = stack::of(|| {
            done = storage.scan(all, reverse, &mut |_, _| ControlFlow::Continue(()));
        });
        done.map_err(DatabaseError::from)?;
        println!("used: stack_of_{name} {scan}");
    }
    // Enough calls to merge files several times.
    let mut commit = 0;
    for _ in 0..40 {
        let database = host.database_mut();
        let table = database.table_id("payroll").ok_or(Failure::Wrong("a table is missing"))?;
        let values = [Value::Int(1)];
        let rows = [NewRow { id: None, values: Seq::new(&values) }];
        let (columns, rows) = (Seq::new(&["salary"]), Seq::new(&rows));
        let meter = &mut Meter::unlimited();
        database.write(table, WriteMode::Insert, &columns, &rows, meter, &mut |_| ())?;
        let mut done = Ok(());
        commit = commit.max(stack::of(|| done = database.commit()));
        done?;
    }
    println!("used: stack_of_commit {commit}");
    Ok(())
}

/// Does the job in RAM.
#[cfg(not(feature = "flash"))]
pub fn run() -> Result<(), Failure> {
    use sochdb_wasmi::database::MemoryLimits;

    println!("Cortex-M4 (thumbv7em-none-eabihf), no flash");
    finish(Database::in_memory(MemoryLimits::default()))?;
    println!("used: stack_peak {}", stack::peak());
    println!("used: heap_peak {}", heap::peak());
    Ok(())
}

fn rows<S: Storage>(database: &Database<S>, table: &str) -> Result<usize, Failure> {
    let Some(table) = database.table_id(table) else { return Ok(0) };
    let mut count = 0;
    database.scan_rows(table, 0, None, &mut Meter::unlimited(), &mut |_, _| {
        count += 1;
        ControlFlow::Continue(())
    })?;
    Ok(count)
}

/// What is left of the job: tables, days, questions.
fn finish<S: Storage + 'static>(mut database: Database<S>) -> Result<Host<S>, Failure> {
    for schema in tables::schemas()? {
        if database.table_id(schema.name()).is_none() {
            database.create_table(schema)?;
        }
    }
    let first = rows(&database, "weather")? / BATCH;
    let sizes = HostConfig { audit_entries: 16, metric_series: 8, plugins: 1, log_bytes: 96 };
    let mut host = Host::new(sizes, database, NoClock);
    let tables = Globs::new(&["weather", "month*"])?;
    let granted = Capabilities {
        can_read_table: tables.clone(),
        can_write_table: tables,
        can_vector_search: true,
        can_index_search: true,
        ..Capabilities::default()
    };
    let config = PluginConfig::new(granted).with_limits(LIMITS);
    let weather = host.load("weather", WEATHER, &config)?;
    for batch in BATCHES.get(first..).unwrap_or_default() {
        host.call(weather, "ingest", batch).map_err(Failure::call("ingest"))?;
    }
    check(rows(host.database(), "weather")? == BATCHES.len() * BATCH, "not every day is there")?;
    for month in ["2012-01", "2012-02", "2012-03", "2012-04"] {
        let MonthReport { days, rain_total, temp_max, temp_min } =
            postcard::from_bytes(call(&mut host, weather, "month_report", &month)?)?;
        println!("{month}: {days} days, {rain_total:.1} mm, {temp_min:.1} to {temp_max:.1} °C");
    }
    let purge = Purge::Before::<alloc::vec::Vec<u64>>("2012-01-15");
    let purged: u64 = postcard::from_bytes(call(&mut host, weather, "purge", &purge)?)?;
    println!("purge two weeks: {purged} days deleted, {} left", rows(host.database(), "weather")?);
    host.database().check()?;
    Ok(host)
}

fn call<'h, S: Storage + 'static>(
    host: &'h mut Host<S>,
    plugin: PluginId,
    entry: &'static str,
    input: &(impl serde::Serialize + ?Sized),
) -> Result<&'h [u8], Failure> {
    let input = postcard::to_allocvec(input)?;
    let outcome = host.call(plugin, entry, &input).map_err(Failure::call(entry))?;
    Ok(outcome.output)
}
