//! `db show`: rows of a table, in columns.

use std::{ops::ControlFlow, path::PathBuf};

use clap::Args;
use serde_json::{Map, Value as Json, json};

use crate::{
    formats::column_value::{cell, json},
    inputs::{condition::Condition, database_file::DatabaseFile},
    report::{
        failure::Failure,
        output::{Report, plain},
    },
};

/// How much of a cell is shown, in characters.
const SHOWN: usize = 40;

#[derive(Args)]
pub struct Arguments {
    /// The file of a --db, or a dump of a device's flash.
    database: PathBuf,
    /// The table.
    table: String,
    /// Only rows whose column compares so with a value, as "kind=rain" or "temp_max>=30"; with =, !=,
    /// <, <=, > or >=. Given several times, all must hold. null is a value of nullable columns.
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<String>,
    /// Only rows with this id or a higher one.
    #[arg(long, value_name = "ID", default_value_t = 0)]
    from: u64,
    /// How many rows are shown.
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

/// Shows rows.
pub fn show(arguments: &Arguments) -> Result<Report, Failure> {
    let file = DatabaseFile::open(&arguments.database)?;
    let table = file.table(&arguments.table)?;
    let columns = table.schema.columns();
    let conditions: Vec<_> = arguments
        .conditions
        .iter()
        .map(|text| Condition::parse(text, table.schema))
        .collect::<Result<_, _>>()?;
    let id_name = table.schema.id_name();
    let titles = [id_name.to_owned()].into_iter().chain(columns.iter().map(|c| c.name.to_string()));
    let mut lines: Vec<Vec<String>> = vec![titles.collect()];
    let (mut rows, mut matching) = (Vec::new(), 0_usize);
    table.rows(arguments.from, &mut |row| {
        if !conditions.iter().all(|condition| condition.is_met(row.values)) {
            return ControlFlow::Continue(());
        }
        matching += 1;
        if rows.len() < arguments.limit {
            let mut object = Map::from_iter([(id_name.to_owned(), row.id.into())]);
            let mut line = vec![row.id.to_string()];
            for (column, value) in columns.iter().zip(row.values) {
                line.push(shown(&cell(value, column.kind)));
                object.insert(column.name.to_string(), json(value, column.kind));
            }
            lines.push(line);
            rows.push(Json::Object(object));
        }
        ControlFlow::Continue(())
    })?;
    let talk = match matching {
        0 => "no row matches\n".into(),
        _ if matching > rows.len() => {
            format!("{} of {matching} rows; --limit and --from show others\n", rows.len())
        }
        _ => String::new(),
    };
    let json = json!({ "table": arguments.table, "matching": matching, "rows": rows });
    Ok(Report { data: plain(&aligned(&lines)), talk, json, code: 0 })
}

/// A cell on one line, cut if it is long.
fn shown(text: &str) -> String {
    let text = text.replace('\n', "\\n");
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((at, _)) => text.get(..at).unwrap_or_default().to_owned() + "…",
    }
}

/// Lines of cells, each column as wide as its widest cell.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<_> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}
