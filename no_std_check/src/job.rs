//! The job, step by step. Nothing in it knows which machine it is on.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use semihosting::println;
use serde::{Serialize, de::DeserializeOwned};
use sochdb_wasmi::{
    abi::Value,
    audit::PluginId,
    capability::{Capabilities, Globs},
    database::{Database, MemoryLimits},
    host::{CallError, FuelSlice, Host, HostConfig, PluginConfig, SliceDecision},
    limits::{Limit, LimitExceeded},
};

use crate::{
    decimal::Decimal,
    failure::{Failure, check},
    feed,
    memory::LinearMemory,
    own_function::ReadSensor,
    plugin_limits::LIMITS,
    plugins::{SENSOR, WEATHER},
    tally,
};

#[path = "../../examples/station/tables.rs"]
mod tables;
#[path = "../../examples/station/types.rs"]
#[allow(dead_code, reason = "the plugin uses more of it")]
pub mod types;
use types::{Day, Denial, MonthReport, Purge, Similar, SimilarQuery, Spell, SpellQuery, Summary};

/// A request of `soch_read` as the ABI lays it out: table, one row, its id, columns (a list of two),
/// no limit, answer as rows. Encoding it here would be code that no other part of a host needs.
const READ_DAY_20: &[u8] = b"\x07weather\x00\x14\x02\x04date\x04kind\x00\x00";

/// How many days are fed in one call.
const BATCH: usize = 16;

/// The linear memory of the weather plugin.
static MEMORY: LinearMemory<{ 64 << 10 }> = LinearMemory::new();

/// When the slice hook stops a call, in microseconds since its beginning.
static STOP_AFTER_US: AtomicU32 = AtomicU32::new(u32::MAX);

fn hook(slice: &FuelSlice) -> SliceDecision {
    if slice.elapsed_us > u64::from(STOP_AFTER_US.load(Relaxed)) {
        SliceDecision::Stop
    } else {
        SliceDecision::Continue
    }
}

/// Runs everything. The host and all it held are gone when this returns.
///
/// The steps are not inlined, or their frames would all be on the stack at once.
pub fn run(clock: fn() -> u64) -> Result<(), Failure> {
    let mut station = Station::new(clock)?;
    println!("{:<34} {:>9} {:>5} {:>5}  result", "step", "fuel", "calls", "rows");
    station.ingest()?;
    station.questions()?;
    station.refusals()?;
    station.sensor()?;
    station.every_function_was_called()?;
    #[cfg(feature = "roomy")]
    station.host.database().check()?;
    station.unload()
}

struct Station {
    host: Host,
    weather: PluginId,
    sensor: PluginId,
    /// Fuel, host calls and rows since the last line of the report.
    used: (u64, u32, u32),
}

impl Station {
    #[inline(never)]
    fn new(clock: fn() -> u64) -> Result<Self, Failure> {
        let sizes = HostConfig { audit_entries: 16, metric_series: 8, plugins: 2, log_bytes: 96 };
        let mut host = Host::new(sizes, database()?, clock);
        host.add_static_memory(MEMORY.take());
        host.register("board", ReadSensor)?;
        host.set_audit_sink(tally::Tally);
        host.set_slice_hook(hook);
        let weather = WEATHER.load(&mut host, &weather_config()?)?;
        let granted = Capabilities {
            can_read_table: Globs::new(&["weather"])?,
            can_call_host: Globs::named(&["board.*"])?,
            ..Capabilities::default()
        };
        let sensor = SENSOR.load(&mut host, &PluginConfig::new(granted).with_limits(LIMITS))?;
        Ok(Self { host, weather, sensor, used: (0, 0, 0) })
    }

    /// Calls an entry point of the weather plugin with typed input and output.
    fn call<I: Serialize + ?Sized, O: DeserializeOwned>(
        &mut self,
        entry: &'static str,
        input: &I,
    ) -> Result<O, Failure> {
        let input = postcard::to_allocvec(input)?;
        Ok(postcard::from_bytes(self.call_encoded(entry, &input)?)?)
    }

    /// What is the same for all types: once in the image.
    #[inline(never)]
    fn call_encoded(&mut self, entry: &'static str, input: &[u8]) -> Result<&[u8], Failure> {
        let outcome = self.host.call(self.weather, entry, input).map_err(Failure::call(entry))?;
        self.used.0 += outcome.report.fuel;
        self.used.1 += outcome.report.host_calls;
        self.used.2 += outcome.report.rows;
        Ok(outcome.output)
    }

    /// Prints what a step took and gave.
    ///
    /// A function, as `println!` is code for opening the output, writing and closing it.
    fn line(&mut self, step: &str, result: core::fmt::Arguments<'_>) {
        let (fuel, calls, rows) = core::mem::take(&mut self.used);
        println!("{step:<34} {fuel:>9} {calls:>5} {rows:>5}  {result}");
    }

    /// Prints a line that is part of a step's result.
    #[inline(never)]
    fn detail(step: &str, result: core::fmt::Arguments<'_>) {
        println!("{step:56}  {result}");
    }

    #[inline(never)]
    fn ingest(&mut self) -> Result<(), Failure> {
        let mut summary = Summary { accepted: 0, rejected: 0 };
        for batch in feed::batches(BATCH) {
            let days: Vec<Day<'_>> = batch.iter().map(feed::Line::day).collect();
            let done: Summary = self.call("ingest", &days)?;
            summary.accepted += done.accepted;
            summary.rejected += done.rejected;
        }
        check(summary.accepted as usize == feed::days(), "not every day was stored")?;
        let Summary { accepted, rejected } = summary;
        self.line("ingest", format_args!("{accepted} days stored, {rejected} rejected"));

        let day = Day {
            date: "2016-02-30",
            precipitation: 0.0,
            temp_max: 1.0,
            temp_min: 0.0,
            wind: 1.0,
            kind: "sun",
        };
        let bad = [day, Day { wind: 500.0, date: "2016-01-01", ..day }];
        let done: Summary = self.call("ingest", &bad[..])?;
        check(done.rejected == 2, "an impossible day was stored")?;
        self.line("ingest two impossible days", format_args!("{} rejected", done.rejected));
        Ok(())
    }

    #[inline(never)]
    fn questions(&mut self) -> Result<(), Failure> {
        let query = SpellQuery { min_days: 5, min_precipitation: 0.1, from: None, until: None };
        let spells: Vec<Spell> = self.call("rainy_spells", &query)?;
        self.line("rainy spells of 5 days or more", format_args!("{} found", spells.len()));
        for spell in spells.iter().take(3) {
            let Spell { start, days, total } = spell;
            let total = Decimal::<1>(*total);
            Self::detail("", format_args!("{} for {days} days, {total} mm", start.as_str()));
        }

        let query = SimilarQuery { date: "2012-02-14", k: 4 };
        let similar: Vec<Similar> = self.call("similar_days", &query)?;
        check(similar.len() == 4, "the vector search found too little")?;
        self.line("days most like 2012-02-14", format_args!("{} found", similar.len()));
        for day in &similar {
            let distance = Decimal::<4>(day.distance.into());
            Self::detail("", format_args!("{} at distance {distance}", day.date.as_str()));
        }

        let wettest: Vec<(types::Date, f64)> = self.call("wettest", &("rain", 3_u32))?;
        check(wettest.len() == 3, "the index found too little")?;
        self.line("the wettest days of rain", format_args!("{} found", wettest.len()));
        for (date, rain) in &wettest {
            let rain = Decimal::<1>(*rain);
            Self::detail("", format_args!("{} with {rain} mm", date.as_str()));
        }

        let MonthReport { days, rain_total, temp_max, temp_min } =
            self.call("month_report", "2012-02")?;
        check(days == 29, "the rollup counts other days than the calendar")?;
        let [rain, low, high] = [rain_total, temp_min, temp_max].map(Decimal::<1>);
        self.line(
            "the rollup of 2012-02",
            format_args!("{days} days, {rain} mm, {low} to {high} °C"),
        );

        let purged: u64 = self.call("purge", &Purge::Before::<Vec<u64>>("2012-01-15"))?;
        check(purged == 14, "the purge deleted other days than the calendar has")?;
        self.line("purge two weeks", format_args!("{purged} days deleted"));
        Ok(())
    }

    #[inline(never)]
    fn refusals(&mut self) -> Result<(), Failure> {
        let rows = self.host.database().storage().rows();
        let spun = self.host.call(self.weather, "spin", &[]).map(|_| ());
        let exhausted =
            matches!(spun, Err(CallError::Limit(LimitExceeded { limit: Limit::Fuel, .. })));
        check(exhausted, "a call that never ends did not run out of fuel")?;
        check(self.host.database().storage().rows() == rows, "its row is still there")?;
        self.line("a call that never ends", format_args!("out of fuel and rolled back"));

        STOP_AFTER_US.store(2000, Relaxed);
        let spun = self.host.call(self.weather, "spin", &[]).map(|_| ());
        STOP_AFTER_US.store(u32::MAX, Relaxed);
        check(matches!(spun, Err(CallError::Stopped)), "the hook did not stop a call in time")?;
        check(self.host.database().storage().rows() == rows, "its row is still there")?;
        self.line("the same, for 2 ms", format_args!("stopped by the hook and rolled back"));

        let denied = self
            .host
            .call(self.weather, "peek_secret", &[])
            .map_err(Failure::call("peek_secret"))?;
        let Denial { status, message } = postcard::from_bytes(denied.output)?;
        let refused = format_args!("status {status}: {message}");
        Self::detail("read a table without the grant", refused);
        check(status == -1, "a table was read without a grant")
    }

    #[inline(never)]
    fn sensor(&mut self) -> Result<(), Failure> {
        let outcome =
            self.host.call(self.sensor, "measure", &[2]).map_err(Failure::call("measure"))?;
        let hundredths = outcome.output.first_chunk().copied().map(i32::from_le_bytes);
        check(hundredths == Some(2200), "the thermometer says something else")?;
        let fuel = outcome.report.fuel;
        Self::detail("the board's thermometer", format_args!("22 °C, {fuel} fuel"));

        let outcome =
            self.host.call(self.sensor, "read", READ_DAY_20).map_err(Failure::call("read"))?;
        let date = b"2012-01-20";
        let found = outcome.output.windows(date.len()).any(|window| window == date);
        check(found, "the row of day 20 is another one")?;
        Self::detail("a row, read by the sensor's plugin", format_args!("day 20 is there"));
        Ok(())
    }

    #[inline(never)]
    fn every_function_was_called(&self) -> Result<(), Failure> {
        println!("\nHost functions, and how many calls succeeded:");
        let mut all = true;
        for (id, module, name, _) in self.host.registry().iter() {
            let count = tally::succeeded(id);
            // There is no other plugin here, and the feature `hooks` is off.
            all &= count > 0 || name == "call_plugin";
            println!("  {module}.{name} {count}");
        }
        if let Some(entry) = self.host.audit().iter().rfind(|entry| entry.status == -1) {
            println!("The denied call was of {}", entry.table.as_deref().unwrap_or_default());
        }
        check(all, "a host function was never called")
    }

    /// Whatever a plugin held is free once it is unloaded: loading one, calling it and unloading
    /// it leaves as many bytes as there were.
    #[inline(never)]
    fn unload(mut self) -> Result<(), Failure> {
        let (sensor, weather) = (self.sensor, self.weather);
        check(self.host.unload(sensor) && self.host.unload(weather), "a plugin was not there")?;
        let before = crate::heap::live();
        self.weather = WEATHER.load(&mut self.host, &weather_config()?)?;
        let held = crate::heap::live() - before;
        let _: MonthReport = self.call("month_report", "2012-03")?;
        self.host.unload(self.weather);
        let bound = LIMITS.ram_bound(WEATHER.len()).ok_or(Failure::Wrong("there is no bound"))?;
        let most = bound.tables + bound.instance + bound.module;
        check(held as u64 <= most, "the plugin holds more than the bound")?;
        println!("used: weather_bytes {held}");
        let buffer = self.host.take_static_memory().map_or(0, |buffer| buffer.len());
        println!("used: job_memory {buffer}");
        check(crate::heap::live() == before, "an unloaded plugin left something on the heap")
    }
}

fn weather_config() -> Result<PluginConfig, Failure> {
    let tables = Globs::new(&["weather", "month*"])?;
    let granted = Capabilities {
        can_read_table: tables.clone(),
        can_write_table: tables,
        can_vector_search: true,
        can_index_search: true,
        ..Capabilities::default()
    };
    Ok(PluginConfig::new(granted)
        .with_limits(LIMITS)
        .with_static_memory()
        .set("max_wind", 60.0)?
        .set("max_precipitation", 500.0)?
        .set("max_warnings", 5_u64)?)
}

/// The plugin's tables, and a row that it must not read.
#[inline(never)]
fn database() -> Result<Database, Failure> {
    let mut database = Database::in_memory(MemoryLimits { max_rows: 4096, max_bytes: 1 << 20 });
    for schema in tables::schemas()? {
        database.create_table(schema)?;
    }
    database.insert("payroll", None, &[Value::Int(5000)])?;
    database.commit()?;
    Ok(database)
}
