//! What the weather plugin asks of its host: tables, grants, and the days of the data file in the
//! types that both sides share. Used by the example and by the tests of the same job.

use core::ops::ControlFlow;

use sochdb_wasmi::{
    abi::Value,
    capability::{Capabilities, GlobError, Globs},
    database::{Database, DatabaseError, MemoryLimits},
    meter::Meter,
};

mod tables;
#[allow(dead_code, reason = "the plugin uses more of it")]
pub mod types;
#[allow(unused_imports, reason = "for databases in other storages")]
pub use tables::schemas;
use types::Day;

/// The plugin as it was compiled: `examples/plugins/weather.wasm`.
pub const PLUGIN: &[u8] = include_bytes!("../plugins/weather.wasm");

/// A database with the plugin's tables, and one that it must not read.
pub fn database() -> Result<Database, DatabaseError> {
    let mut database = Database::in_memory(MemoryLimits::default());
    for schema in tables::schemas()? {
        database.create_table(schema)?;
    }
    database.insert("payroll", None, &[Value::Int(5000)])?;
    Ok(database)
}

/// What the plugin is granted: its own two tables, vector search and index search.
pub fn capabilities() -> Result<Capabilities, GlobError> {
    let tables = Globs::new(&["weather", "month*"])?;
    Ok(Capabilities {
        can_read_table: tables.clone(),
        can_write_table: tables,
        can_vector_search: true,
        can_index_search: true,
        ..Capabilities::default()
    })
}

/// The rows of a table, counted from outside.
pub fn count_rows(database: &Database, table: &str) -> Result<usize, DatabaseError> {
    let Some(table) = database.table_id(table) else { return Ok(0) };
    let mut count = 0;
    database.scan_rows(table, 0, None, &mut Meter::unlimited(), &mut |_, _| {
        count += 1;
        ControlFlow::Continue(())
    })?;
    Ok(count)
}

/// The lines of the data file, as the plugin takes them.
pub fn days() -> Vec<Day<'static>> {
    // The file writes dates with slashes, the plugin wants them with dashes.
    let text: &'static str = include_str!("../data/seattle-weather.csv").replace('/', "-").leak();
    text.lines().skip(1).filter_map(day).collect()
}

fn day(line: &'static str) -> Option<Day<'static>> {
    let mut fields = line.split(',');
    let date = fields.next()?;
    let mut number = || fields.next()?.parse().ok();
    let (precipitation, temp_max, temp_min, wind) = (number()?, number()?, number()?, number()?);
    Some(Day { date, precipitation, temp_max, temp_min, wind, kind: fields.next()? })
}
