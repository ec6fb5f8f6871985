//! The tables of the weather station. Included by the example, by the tests of its job and by the
//! golden lines, so it needs no `std`.

use sochdb_wasmi::database::{ColumnType, Metric, SchemaError, TableSchema};

/// The tables that the plugin's documentation asks for, and one that it must not read.
pub fn schemas() -> Result<[TableSchema; 3], SchemaError> {
    let weather = TableSchema::new("weather")?
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
        .index("by_kind_precipitation", &["kind", "precipitation"])?;
    let monthly = TableSchema::new("monthly")?
        .column("month", ColumnType::Text)?
        .column("days", ColumnType::UInt)?
        .column("rain_total", ColumnType::Float)?
        .column("temp_max", ColumnType::Float)?
        .column("temp_min", ColumnType::Float)?
        .unique_index("by_month", &["month"])?;
    let payroll = TableSchema::new("payroll")?.column("salary", ColumnType::Int)?;
    Ok([weather, monthly, payroll])
}
