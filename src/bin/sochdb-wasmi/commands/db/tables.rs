//! `db tables` and `db stats`: schemas, and figures of the rows.

use std::{fmt::Write, ops::ControlFlow, path::Path};

use serde_json::{Value as Json, json};
use sochdb_wasmi::database::{Column, ColumnType, Index, TableSchema};

use crate::{
    inputs::database_file::{DatabaseFile, Table},
    report::{failure::Failure, output::Report},
};

/// Figures of the rows of a table.
#[derive(Default)]
struct Figures {
    rows: u64,
    bytes: u64,
    shortest: usize,
    longest: usize,
    ids: Option<(u64, u64)>,
}

impl Figures {
    fn of(table: &Table<'_>) -> Result<Self, Failure> {
        let mut figures = Self::default();
        table.rows(0, &mut |row| {
            figures.shortest = match figures.rows {
                0 => row.bytes,
                _ => figures.shortest.min(row.bytes),
            };
            figures.longest = figures.longest.max(row.bytes);
            figures.rows += 1;
            figures.bytes += row.bytes as u64;
            figures.ids = Some((figures.ids.map_or(row.id, |(first, _)| first), row.id));
            ControlFlow::Continue(())
        })?;
        Ok(figures)
    }
}

/// Lists the tables with their schemas.
pub fn tables(path: &Path) -> Result<Report, Failure> {
    let file = DatabaseFile::open(path)?;
    let (mut data, mut list) = (String::new(), Vec::new());
    for table in file.tables() {
        let Figures { rows, .. } = Figures::of(&table)?;
        let schema = table.schema;
        let columns: Vec<_> = schema.columns().iter().map(column).collect();
        let _ = writeln!(data, "{}: {rows} {}", schema.name(), plural(rows, "row"));
        for column in &columns {
            let _ = writeln!(data, "  {column}");
        }
        for index in schema.indexes() {
            let unique = if index.unique { "unique index" } else { "index" };
            let _ =
                writeln!(data, "  {unique} {}: {}", index.name, names(schema, index).join(", "));
        }
        list.push(json!({
            "table": schema.name().to_string(), "rows": rows,
            "columns": schema.columns().iter().map(column_json).collect::<Json>(),
            "indexes": schema.indexes().iter().map(|index| json!({
                "name": index.name.to_string(), "unique": index.unique,
                "columns": names(schema, index),
            })).collect::<Json>(),
        }));
    }
    Ok(Report { data, talk: none(&list), json: json!({ "tables": list }), code: 0 })
}

/// Counts and measures the rows.
pub fn stats(path: &Path) -> Result<Report, Failure> {
    let file = DatabaseFile::open(path)?;
    let titles = ["rows", "bytes", "shortest", "mean", "longest", "first id", "last id"];
    let (mut data, mut list) = (line(titles.map(String::from), "table"), Vec::new());
    for table in file.tables() {
        let Figures { rows, bytes, shortest, longest, ids } = Figures::of(&table)?;
        let mean = bytes.checked_div(rows).unwrap_or(0);
        let id = |id: Option<u64>| id.map_or_else(|| "-".into(), |id| id.to_string());
        let (first, last) = (ids.map(|ids| ids.0), ids.map(|ids| ids.1));
        let name = table.schema.name().to_string();
        let numbers = [rows, bytes, shortest as u64, mean, longest as u64];
        let [a, b, c, d, e] = numbers.map(|number| number.to_string());
        data += &line([a, b, c, d, e, id(first), id(last)], &name);
        list.push(json!({
            "table": name, "rows": rows, "bytes": bytes, "shortest_row": shortest,
            "mean_row": mean, "longest_row": longest, "first_id": first, "last_id": last,
        }));
    }
    Ok(Report { data, talk: none(&list), json: json!({ "tables": list }), code: 0 })
}

fn none(tables: &[Json]) -> String {
    if tables.is_empty() { "the database has no tables\n".into() } else { String::new() }
}

fn plural(count: u64, what: &str) -> String {
    if count == 1 { what.into() } else { format!("{what}s") }
}

fn line(cells: [String; 7], name: &str) -> String {
    let cells = cells.map(|cell| format!("{cell:>10}"));
    format!("{}  {name}\n", cells.join(" "))
}

fn names(schema: &TableSchema, index: &Index) -> Vec<String> {
    let columns = index.columns.iter().filter_map(|at| schema.columns().get(usize::from(*at)));
    columns.map(|column| column.name.to_string()).collect()
}

/// A column in words.
fn column(column: &Column) -> String {
    let mut text = format!("{} {}", column.name, column.kind.as_str());
    if let ColumnType::Vector { dimensions, metric } = column.kind {
        let _ = write!(text, " of {dimensions}, {}", metric.as_str());
    }
    if column.nullable {
        text += ", nullable";
    }
    text
}

fn column_json(column: &Column) -> Json {
    let mut object = json!({
        "name": column.name.to_string(), "type": column.kind.as_str(), "nullable": column.nullable,
    });
    if let ColumnType::Vector { dimensions, metric } = column.kind {
        object["dimensions"] = dimensions.into();
        object["metric"] = metric.as_str().into();
    }
    object
}
