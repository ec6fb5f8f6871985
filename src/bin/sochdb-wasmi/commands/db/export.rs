//! `db export`: a whole table, as CSV or as JSON Lines.

use std::{
    io::{self, BufWriter, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use serde_json::{Map, Value as Json, json};

use crate::{
    files::unfinished::{Interrupted, Unfinished},
    formats::column_value::{cell, json},
    inputs::database_file::{DatabaseFile, Row, Table},
    report::{failure::Failure, output::Report},
};

/// What a table is written as.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A header and a line for each row, as --load reads it.
    Csv,
    /// A JSON object for each row, on a line of its own.
    Jsonl,
}

#[derive(Args)]
pub struct Arguments {
    /// The file of a --db, or a dump of a device's flash.
    database: PathBuf,
    /// The table.
    table: String,
    /// What it is written as.
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// Where it is written. Default: stdout.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Writes the table.
pub fn export(arguments: &Arguments, json: bool) -> Result<Report, Failure> {
    let file = DatabaseFile::open(&arguments.database)?;
    let table = file.table(&arguments.table)?;
    let Some(path) = arguments.out.as_deref().filter(|path| *path != Path::new("-")) else {
        if json {
            let reason = "with --json, --out names the file that the table is written to".into();
            return Err(Failure::Usage { reason });
        }
        let (_, written) = write(&table, arguments.format, io::stdout().lock())?;
        return match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::Io { path: "stdout".into(), error })
            }
            Ok(()) | Err(_) => {
                Ok(Report { data: String::new(), talk: String::new(), json: Json::Null, code: 0 })
            }
        };
    };
    let io = |error| Failure::Io { path: path.into(), error };
    let out = Unfinished::begin(path, Interrupted::Removed).map_err(io)?;
    let (rows, written) = write(&table, arguments.format, out.handle().map_err(io)?)?;
    written.map_err(io)?;
    out.finish().map_err(io)?;
    let talk = format!("{rows} rows in {}\n", path.display());
    let json =
        json!({ "table": arguments.table, "rows": rows, "file": path.display().to_string() });
    Ok(Report { data: String::new(), talk, json, code: 0 })
}

/// Writes all rows; how many, and whether it could.
fn write(
    table: &Table<'_>,
    format: Format,
    out: impl Write,
) -> Result<(u64, io::Result<()>), Failure> {
    let mut out = BufWriter::new(out);
    let mut rows = 0;
    let id_name = table.schema.id_name();
    let names: Vec<_> = table.schema.columns().iter().map(|c| c.name.to_string()).collect();
    let mut written = match format {
        Format::Csv => line(&mut out, [id_name.to_owned()].into_iter().chain(names.clone())),
        Format::Jsonl => Ok(()),
    };
    table.rows(0, &mut |row| {
        if written.is_err() {
            return ControlFlow::Break(());
        }
        rows += 1;
        written = match format {
            Format::Csv => {
                let kinds = table.schema.columns().iter().map(|column| column.kind);
                let cells = row.values.iter().zip(kinds).map(|(value, kind)| cell(value, kind));
                line(&mut out, [row.id.to_string()].into_iter().chain(cells))
            }
            Format::Jsonl => writeln!(out, "{}", object(table, id_name, row)),
        };
        ControlFlow::Continue(())
    })?;
    Ok((rows, written.and_then(|()| out.flush())))
}

fn line(out: &mut impl Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().from_writer(out);
    writer.write_record(cells.map(String::into_bytes))?;
    writer.flush()
}

fn object(table: &Table<'_>, id_name: &str, row: &Row<'_>) -> Json {
    let mut object = Map::from_iter([(id_name.to_owned(), row.id.into())]);
    for (column, value) in table.schema.columns().iter().zip(row.values) {
        object.insert(column.name.to_string(), json(value, column.kind));
    }
    object.into()
}
