//! The tables of the weather station. Included by the example, by the tests of its job and by the
//! golden lines, so it needs no `std`.

use sochdb_wasmi::database::{ColumnType, DistanceMetric, SchemaError, TableSchema};

const WEATHER: [(&str, ColumnType); 8] = [
    ("date", ColumnType::Text),
    ("month", ColumnType::Text),
    ("precipitation", ColumnType::Float),
    ("temp_max", ColumnType::Float),
    ("temp_min", ColumnType::Float),
    ("wind", ColumnType::Float),
    ("kind", ColumnType::Text),
    ("features", ColumnType::Vector { dimensions: 4, metric: DistanceMetric::Euclidean }),
];

const MONTHLY: [(&str, ColumnType); 5] = [
    ("month", ColumnType::Text),
    ("days", ColumnType::UInt),
    ("rain_total", ColumnType::Float),
    ("temp_max", ColumnType::Float),
    ("temp_min", ColumnType::Float),
];

/// The tables that the plugin's documentation asks for, and one that it must not read.
pub fn schemas() -> Result<[TableSchema; 3], SchemaError> {
    let weather = table("weather", &WEATHER)?
        .unique_index("by_date", &["date"])?
        .index("by_month", &["month"])?
        .index("by_kind_precipitation", &["kind", "precipitation"])?;
    let monthly = table("monthly", &MONTHLY)?.unique_index("by_month", &["month"])?;
    let payroll = table("payroll", &[("salary", ColumnType::Int)])?;
    Ok([weather, monthly, payroll])
}

/// A loop, as each call of a builder is code.
fn table(name: &str, columns: &[(&str, ColumnType)]) -> Result<TableSchema, SchemaError> {
    let table = TableSchema::new(name)?;
    columns.iter().try_fold(table, |table, (name, kind)| table.column(name, *kind))
}
