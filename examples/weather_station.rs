//! The main job: four years of Seattle weather go through a compiled plugin into real tables.
//!
//! `cargo run --release --example weather_station`
//!
//! The plugin (`examples/plugins/weather`, in Rust) validates and stores each day, keeps monthly
//! rollups, finds rainy spells by index and similar days by vector search, emits metrics and logs,
//! and reads its thresholds from its configuration. A second one (`examples/plugins/counter.wat`)
//! shares the database and shows the ABI without an SDK. Nothing here depends on the time of day,
//! so the report is the same on every run and every machine.

use serde::{Serialize, de::DeserializeOwned};
use sochdb_wasmi::{
    abi::Value,
    audit::PluginId,
    capability::{Capabilities, Globs},
    database::{
        ColumnType, Database, DatabaseError, MemoryLimits, Metric, SchemaError, TableSchema,
    },
    host::{CallError, Host, HostConfig, PluginConfig},
    limits::Limits,
};

#[path = "plugins/weather/src/types.rs"]
#[allow(dead_code, reason = "the plugin uses more of it")]
mod types;
use types::{
    Day, Denial, MAX_DAYS, MonthReport, Purge, Similar, SimilarQuery, Spell, SpellQuery, Summary,
};

const WEATHER: &str = include_str!("data/seattle-weather.csv");
const PLUGIN: &[u8] = include_bytes!("plugins/weather.wasm");
const COUNTER: &str = include_str!("plugins/counter.wat");

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut station = Station::new()?;
    println!("{:<34} {:>12} {:>6} {:>7}  result", "step", "fuel", "calls", "rows");

    let days = days();
    let mut summary = Summary { accepted: 0, rejected: 0 };
    for batch in days.chunks(MAX_DAYS) {
        let done: Summary = station.quiet("ingest", batch)?;
        summary.accepted += done.accepted;
        summary.rejected += done.rejected;
    }
    station.line(
        "ingest four years",
        &format!("{} days stored, {} rejected", summary.accepted, summary.rejected),
    );
    let bad =
        [Day { date: "2016-02-30", ..days[0] }, Day { wind: 500.0, date: "2016-01-01", ..days[0] }];
    let done: Summary = station.quiet("ingest", &bad[..])?;
    station.line("ingest two impossible days", &format!("{} rejected", done.rejected));

    let query = SpellQuery { min_days: 10, min_precipitation: 0.1, from: None, until: None };
    let spells: Vec<Spell> = station.quiet("rainy_spells", &query)?;
    station.line("rainy spells of 10 days or more", &format!("{} found", spells.len()));
    for spell in spells.iter().take(3) {
        println!(
            "{:61}  {} for {} days, {:.1} mm",
            "",
            spell.start.as_str(),
            spell.days,
            spell.total
        );
    }

    let query = SimilarQuery { date: "2015-07-19", k: 4 };
    let similar: Vec<Similar> = station.quiet("similar_days", &query)?;
    station.line("days most like 2015-07-19", &format!("{} found", similar.len()));
    for day in &similar {
        println!("{:61}  {} at distance {:.4}", "", day.date.as_str(), day.distance);
    }

    let month: MonthReport = station.quiet("month_report", "2015-11")?;
    station.line(
        "the rollup of 2015-11",
        &format!(
            "{} days, {:.1} mm, {} to {} °C",
            month.days, month.rain_total, month.temp_min, month.temp_max
        ),
    );

    let purged: u64 = station.quiet("purge", &Purge::Before::<Vec<u64>>("2013-01-01"))?;
    station.line("purge the first year", &format!("{purged} days deleted"));

    let spun = station.host.call(station.plugin, "spin", &[]).unwrap_err();
    station.line("a call that never ends", &format!("stopped and rolled back: {spun}"));

    let denial = station.host.call(station.plugin, "peek_secret", &[])?;
    let denial: Denial = postcard::from_bytes(denial.output)?;
    let text = format!("status {}: {}", denial.status, denial.message);
    station.line("read a table without the grant", &text);
    if let Some(entry) = station.host.audit().iter().rfind(|entry| entry.status == -1) {
        println!("\nThe audit entry of the denied call:\n  {}", station.host.describe(entry));
    }
    let audit = station.host.audit();
    println!("  {} entries were made, {} of them kept", audit.total(), audit.len());

    station.count_with_a_plugin_in_wat()?;
    let mut metrics = String::new();
    station.host.render_metrics(&mut metrics)?;
    println!("\nMetrics:\n{metrics}");
    station.host.database().check()?;
    Ok(())
}

/// A host with the weather plugin.
struct Station {
    host: Host,
    plugin: PluginId,
    /// Fuel, host calls and rows since the last line of the report.
    used: (u64, u32, u32),
}

impl Station {
    fn new() -> Result<Self, Failure> {
        let mut database = Database::in_memory(MemoryLimits::default());
        create_tables(&mut database)?;
        // A clock of its own, so that the report is the same everywhere: 10 µs per look.
        let mut now = 0;
        let clock = move || {
            now += 10;
            now
        };
        let mut host = Host::new(HostConfig::default(), database, clock);
        let tables = Globs::new(&["weather", "month*"])?;
        let capabilities = Capabilities {
            can_read_table: tables.clone(),
            can_write_table: tables,
            can_vector_search: true,
            can_index_search: true,
            ..Capabilities::default()
        };
        let limits =
            Limits { fuel_per_call: 20_000_000, deadline_ms: Some(1000), ..Limits::default() };
        let config = PluginConfig::new(capabilities)
            .with_limits(limits)
            .set("max_wind", 60.0)?
            .set("max_precipitation", 500.0)?
            .set("max_warnings", 5_u64)?;
        let plugin = host.load("weather", PLUGIN, &config)?;
        Ok(Self { host, plugin, used: (0, 0, 0) })
    }

    /// Calls an entry point with typed input and output.
    fn quiet<I: Serialize + ?Sized, O: DeserializeOwned>(
        &mut self,
        entry: &str,
        input: &I,
    ) -> Result<O, Failure> {
        let input = postcard::to_allocvec(input)?;
        let outcome =
            self.host.call(self.plugin, entry, &input).map_err(|error| named(entry, &error))?;
        self.used.0 += outcome.report.fuel;
        self.used.1 += outcome.report.host_calls;
        self.used.2 += outcome.report.rows;
        Ok(postcard::from_bytes(outcome.output)?)
    }

    /// Prints what a step took and gave.
    fn line(&mut self, step: &str, result: &str) {
        let (fuel, calls, rows) = std::mem::take(&mut self.used);
        println!("{step:<34} {fuel:>12} {calls:>6} {rows:>7}  {result}");
    }

    /// A second plugin on the same database: 100 lines of WAT, no SDK.
    fn count_with_a_plugin_in_wat(&mut self) -> Result<(), Failure> {
        let counters = TableSchema::new("counters")?.column("value", ColumnType::Int)?;
        self.host.database_mut().create_table(counters)?;
        let config = PluginConfig::new(Capabilities {
            can_read_table: Globs::new(&["counters"])?,
            can_write_table: Globs::new(&["counters"])?,
            ..Capabilities::default()
        });
        let counter = self.host.load("counter", &wat::parse_str(COUNTER)?, &config)?;
        for _ in 0..3 {
            self.host.call(counter, "increment", &[])?;
        }
        let value =
            self.host.database().get("counters", 1, |row| row.value(0) == Some(Value::Int(3)))?;
        println!("\nThe plugin in WAT counted to three: {}", value == Some(true));
        Ok(())
    }
}

fn named(entry: &str, error: &CallError) -> String {
    format!("{entry}: {error}")
}

/// The tables that the plugin's documentation asks for, and one that it must not read.
fn create_tables(database: &mut Database) -> Result<(), Failure> {
    let weather = || -> Result<TableSchema, SchemaError> {
        TableSchema::new("weather")?
            .column("date", ColumnType::Text)?
            .column("month", ColumnType::Text)?
            .column("precipitation", ColumnType::Float)?
            .column("temp_max", ColumnType::Float)?
            .column("temp_min", ColumnType::Float)?
            .column("wind", ColumnType::Float)?
            .column("kind", ColumnType::Text)?
            .vector("features", 4, Metric::Euclidean)?
            .unique_index("by_date", &["date"])?
            .index("by_month", &["month"])?
            .index("by_kind_precipitation", &["kind", "precipitation"])
    };
    let monthly = || -> Result<TableSchema, SchemaError> {
        TableSchema::new("monthly")?
            .column("month", ColumnType::Text)?
            .column("days", ColumnType::UInt)?
            .column("rain_total", ColumnType::Float)?
            .column("temp_max", ColumnType::Float)?
            .column("temp_min", ColumnType::Float)?
            .unique_index("by_month", &["month"])
    };
    let payroll = TableSchema::new("payroll")?.column("salary", ColumnType::Int)?;
    for schema in [weather()?, monthly()?, payroll] {
        database.create_table(schema)?;
    }
    let paid: Result<u64, DatabaseError> = database.insert("payroll", None, &[Value::Int(5000)]);
    paid?;
    Ok(())
}

/// The lines of the file as the plugin takes them.
fn days() -> Vec<Day<'static>> {
    // The file writes dates with slashes, the plugin wants them with dashes.
    let text: &'static str = WEATHER.replace('/', "-").leak();
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split(',');
            let mut next = || fields.next();
            let date = next()?;
            let mut number = || next()?.parse().ok();
            let (precipitation, temp_max, temp_min, wind) =
                (number()?, number()?, number()?, number()?);
            Some(Day { date, precipitation, temp_max, temp_min, wind, kind: next()? })
        })
        .collect()
}
