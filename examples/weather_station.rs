//! The main job: four years of Seattle weather go through a compiled plugin into real tables.
//!
//! `cargo run --release --example weather_station`
//!
//! The plugin (`examples/plugins/weather`, in Rust) validates and stores each day, keeps monthly
//! rollups, finds rainy spells by index and similar days by vector search, emits metrics and logs,
//! and reads its thresholds from its configuration. A second one (`examples/plugins/counter.wat`)
//! shares the database and shows the ABI without an SDK. Nothing here depends on the time of day,
//! so the report is the same on every run and every machine. `tests/it/host/weather_job.rs` checks every
//! answer against the data file.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use serde::{Serialize, de::DeserializeOwned};
use sochdb_wasmi::{
    abi::{HOST_FUNCTIONS, Value, message::RowsResponse, wire},
    audit::{AuditEntry, AuditSink, PluginId},
    capability::{Capabilities, Globs},
    database::{ColumnType, TableSchema},
    host::{CallError, CallReport, Host, HostConfig, PluginConfig},
    limits::Limits,
};

mod station;
use station::types::{
    Date, Day, Denial, MAX_DAYS, MonthReport, Purge, Similar, SimilarQuery, Spell, SpellQuery,
    Summary,
};

const COUNTER: &str = include_str!("plugins/counter.wat");

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    log::set_logger(&LOG)?;
    log::set_max_level(log::LevelFilter::Info);
    let calls = Calls::default();
    let mut station = Station::new(calls.clone())?;
    println!("{:<32} {:>10} {:>6} {:>6}  result", "step", "fuel", "calls", "rows");
    station.store()?;
    station.ask()?;
    station.misbehave()?;
    station.count_with_a_plugin_in_wat()?;
    station.purge()?;

    println!("\nThe weather plugin's denied call in the audit log:");
    let audit = station.host.audit();
    for entry in audit.iter().filter(|entry| entry.status == -1) {
        println!("  {}", station.host.describe(entry));
    }
    println!("  {} calls were audited, the last {} are kept", audit.total(), audit.len());
    println!("\nCalls of each host function, as an audit sink counted them:");
    for (function, count) in HOST_FUNCTIONS.iter().zip(calls.0.iter()) {
        println!("  {:<14} {:>6}", function.name, count.load(Ordering::Relaxed));
    }
    let mut metrics = String::new();
    station.host.render_metrics(&mut metrics)?;
    println!("\nMetrics, as Prometheus reads them:\n{metrics}");
    station.host.database().check()?;
    println!("Every row and index entry of the database was checked: consistent.");
    Ok(())
}

/// A host with the weather plugin.
struct Station {
    host: Host,
    plugin: PluginId,
    /// What the calls since the last line of the report used.
    used: CallReport,
}

impl Station {
    fn new(calls: Calls) -> Result<Self, Failure> {
        // A clock of its own, so that the report is the same everywhere: 10 µs per look.
        let mut now = 0;
        let clock = move || {
            now += 10;
            now
        };
        let mut host = Host::new(HostConfig::default(), station::database()?, clock);
        host.set_audit_sink(calls);
        let limits =
            Limits { fuel_per_call: 20_000_000, deadline_ms: Some(1000), ..Limits::default() };
        let config = PluginConfig::new(station::capabilities()?)
            .with_limits(limits)
            .set("max_wind", 60.0)?
            .set("max_precipitation", 500.0)?
            .set("max_warnings", 5_u64)?;
        let plugin = host.load("weather", station::PLUGIN, &config)?;
        Ok(Self { host, plugin, used: CallReport::default() })
    }

    /// Calls an entry point and adds up what it used, whether it succeeds or not.
    fn call(&mut self, plugin: PluginId, entry: &str, input: &[u8]) -> Result<Vec<u8>, CallError> {
        let output = self.host.call(plugin, entry, input).map(|outcome| outcome.output.to_vec());
        let report = self.host.report(plugin).unwrap_or_default();
        self.used.fuel += report.fuel;
        self.used.host_calls += report.host_calls;
        self.used.rows += report.rows;
        output
    }

    /// Calls an entry point of the weather plugin, with typed input and output.
    fn weather<I: Serialize + ?Sized, O: DeserializeOwned>(
        &mut self,
        entry: &str,
        input: &I,
    ) -> Result<O, Failure> {
        let output = self.call(self.plugin, entry, &postcard::to_allocvec(input)?)?;
        Ok(postcard::from_bytes(&output)?)
    }

    /// Prints what a step used and gave, and what plugins logged meanwhile.
    fn line(&mut self, step: &str, result: &str) {
        let CallReport { fuel, host_calls, rows, .. } = std::mem::take(&mut self.used);
        println!("{step:<32} {fuel:>10} {host_calls:>6} {rows:>6}  {result}");
        for line in LOG.take() {
            detail(&line);
        }
    }

    fn store(&mut self) -> Result<(), Failure> {
        let days = station::days();
        let mut all = Summary { accepted: 0, rejected: 0 };
        for batch in days.chunks(MAX_DAYS) {
            let done: Summary = self.weather("ingest", batch)?;
            all.accepted += done.accepted;
            all.rejected += done.rejected;
        }
        let result = format!("{} days stored, {} rejected", all.accepted, all.rejected);
        self.line("ingest four years", &result);

        let impossible = Day { date: "2016-02-30", ..days[0] };
        let stormy = Day { date: "2016-01-01", wind: 500.0, ..days[0] };
        let done: Summary = self.weather("ingest", &[impossible, stormy][..])?;
        self.line("ingest two impossible days", &format!("{} rejected", done.rejected));
        Ok(())
    }

    fn ask(&mut self) -> Result<(), Failure> {
        let query = SpellQuery { min_days: 14, min_precipitation: 0.1, from: None, until: None };
        let spells: Vec<Spell> = self.weather("rainy_spells", &query)?;
        self.line("rainy spells of two weeks", &format!("{} found", spells.len()));
        for Spell { start, days, total } in &spells {
            detail(&format!("{}, {days} days, {total:.1} mm", start.as_str()));
        }

        let wettest: Vec<(Date, f64)> = self.weather("wettest", &("rain", 3_u32))?;
        self.line("the three wettest days of rain", &format!("{} found", wettest.len()));
        for (date, rain) in &wettest {
            detail(&format!("{}, {rain:.1} mm", date.as_str()));
        }

        let query = SimilarQuery { date: "2015-07-19", k: 3 };
        let similar: Vec<Similar> = self.weather("similar_days", &query)?;
        self.line("days most like 2015-07-19", &format!("{} found", similar.len()));
        for day in &similar {
            detail(&format!("{}, at distance {:.4}", day.date.as_str(), day.distance));
        }

        let MonthReport { days, rain_total, temp_max, temp_min } =
            self.weather("month_report", "2015-11")?;
        let result = format!("{days} days, {rain_total:.1} mm, {temp_min} to {temp_max} °C");
        self.line("the rollup of 2015-11", &result);
        Ok(())
    }

    /// A call that never ends, and one that asks for what it was not granted.
    fn misbehave(&mut self) -> Result<(), Failure> {
        let before = self.days_stored()?;
        // It writes a row for 1970-01-01 first; the fuel ends it, and the row goes with it.
        let Err(error) = self.call(self.plugin, "spin", &[]) else {
            return Err("a call that never ends came back".into());
        };
        self.line("a call that never ends", &error.to_string());
        let after = self.days_stored()?;
        detail(&format!("days in the table before {before}, after {after}: rolled back"));
        if before != after {
            return Err("the call that was stopped left a row".into());
        }

        let output = self.call(self.plugin, "peek_secret", &[])?;
        let denial: Denial = postcard::from_bytes(&output)?;
        self.line("read a table without a grant", &format!("status {}", denial.status));
        detail(denial.message);
        Ok(())
    }

    /// A second plugin on the same database, made by hand without an SDK.
    fn count_with_a_plugin_in_wat(&mut self) -> Result<(), Failure> {
        let counters = TableSchema::new("counters")?.column("count", ColumnType::UInt)?;
        self.host.database_mut().create_table(counters)?;
        let config = PluginConfig::new(Capabilities {
            can_read_table: Globs::new(&["counters"])?,
            can_write_table: Globs::new(&["counters"])?,
            ..Capabilities::default()
        });
        let counter = self.host.load("counter", &wat::parse_str(COUNTER)?, &config)?;
        for _ in 0..3 {
            self.call(counter, "increment", &[7])?;
        }
        let output = self.call(counter, "count", &[7])?;
        let rows: RowsResponse<'_> = wire::decode(&output).map_err(|error| error.to_string())?;
        let count = rows.rows.iter().find_map(|row| row.values.iter().next());
        let Some(Value::UInt(count)) = count else { return Err("no counter came back".into()) };
        self.line("counter 7 of the plugin in WAT", &format!("{count} after three increments"));
        Ok(())
    }

    fn purge(&mut self) -> Result<(), Failure> {
        let count: u64 = self.weather("purge", &Purge::Before::<Vec<u64>>("2013-01-01"))?;
        let left = self.days_stored()?;
        self.line("purge the first year", &format!("{count} days deleted, {left} left"));
        Ok(())
    }

    /// Days in the table, counted from outside and not by the plugin.
    fn days_stored(&self) -> Result<usize, Failure> {
        station::count_rows(self.host.database(), "weather").map_err(Failure::from)
    }
}

/// A line below a step.
fn detail(text: &str) {
    println!("{:59}{text}", "");
}

/// An audit sink that counts the calls of each host function.
#[derive(Clone, Default)]
struct Calls(Arc<[AtomicU32; HOST_FUNCTIONS.len()]>);

impl AuditSink for Calls {
    fn record(&mut self, entry: &AuditEntry) {
        if let Some(count) = self.0.get(usize::from(entry.function.0)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A logger that keeps the lines until the step that they belong to is printed.
struct Lines(Mutex<Vec<String>>);

static LOG: Lines = Lines(Mutex::new(Vec::new()));

impl Lines {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl log::Log for Lines {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("sochdb::plugin::")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = format!("[{} {}] {}", record.level(), record.target(), record.args());
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    }

    fn flush(&self) {}
}
