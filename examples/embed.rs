//! The smallest host: a table, a compiled plugin that may read it, one call.
//!
//! `cargo run --example embed`

use sochdb_wasmi::{
    abi::Value,
    capability::Capabilities,
    database::{ColumnType, Database, MemoryLimits, TableSchema},
    host::{Host, HostConfig, MonotonicClock, PluginConfig},
};

const PLUGIN: &[u8] = include_bytes!("plugins/weather.wasm");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut database = Database::in_memory(MemoryLimits::default());
    let monthly = TableSchema::new("monthly")?
        .column("month", ColumnType::Text)?
        .column("days", ColumnType::UInt)?
        .column("rain_total", ColumnType::Float)?
        .column("temp_max", ColumnType::Float)?
        .column("temp_min", ColumnType::Float)?
        .unique_index("by_month", &["month"])?;
    database.create_table(monthly)?;
    let november = ["2015-11".into(), Value::UInt(30), 212.6.into(), 15.6.into(), (-3.8).into()];
    database.insert("monthly", None, &november)?;

    let mut host = Host::new(HostConfig::default(), database, MonotonicClock::new());
    let config = PluginConfig::new(Capabilities::read_only(&["monthly"])?);
    let plugin = host.load("weather", PLUGIN, &config)?;

    // Input and output are bytes. This plugin was written with the Rust SDK, which uses postcard.
    let outcome = host.call(plugin, "month_report", &postcard::to_allocvec("2015-11")?)?;
    let (days, rain, _, _): (u64, f64, f64, f64) = postcard::from_bytes(outcome.output)?;
    println!("{days} days with {rain} mm of rain, for {} fuel", outcome.report.fuel);

    // It asks for another table too. That is denied, and the audit log says so.
    host.call(plugin, "peek_secret", &[])?;
    for entry in host.audit().iter() {
        println!("  {}", host.describe(entry));
    }
    Ok(())
}
