//! What a plugin did becomes a trace, and the trace runs again without the database.
//!
//! `cargo run --features replay --example record_replay`

use sochdb_wasmi::{
    capability::{Capabilities, Globs},
    database::{ColumnType, Database, MemoryLimits, TableSchema},
    host::{Host, HostConfig, NoClock, PluginConfig},
    replay::Replayer,
    trace::Recorder,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let plugin = wat::parse_str(include_str!("plugins/counter.wat"))?;
    let mut database = Database::in_memory(MemoryLimits::default());
    database.create_table(TableSchema::new("counters")?.column("count", ColumnType::UInt)?)?;
    let mut host = Host::new(HostConfig::default(), database, NoClock);
    let tables = Globs::named(&["counters"])?;
    let granted = Capabilities {
        can_read_table: tables.clone(),
        can_write_table: tables,
        ..Capabilities::default()
    };
    let counter = host.load("counter", &plugin, &PluginConfig::new(granted))?;

    host.record(Recorder::growing());
    for _ in 0..3 {
        host.call(counter, "increment", &[7])?;
    }
    let mut recorder = host.stop_recording().ok_or("nothing was recorded")?;
    let mut trace = Vec::new();
    recorder.write_to(&mut trace)?;
    println!("{} bytes of trace", trace.len());

    // The answers come from the trace: no table, no rows, no clock. The same module does the same.
    let replay = Replayer::new().with_plugin(&plugin).replay(&trace[..])?;
    println!("{replay}");
    assert!(replay.is_exact());
    Ok(())
}
