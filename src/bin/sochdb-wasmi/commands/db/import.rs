//! `db import`: rows of CSV files into the tables of a database in a file.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::{
    report::{
        failure::Failure,
        output::{Report, plain},
        progress,
    },
    session::tables::TableArguments,
};

#[derive(Args)]
pub struct Arguments {
    /// The file of a --db, which is created if it is missing.
    database: PathBuf,
    #[command(flatten)]
    tables: TableArguments,
}

/// Adds the rows of all files, or none.
pub fn import(arguments: &Arguments) -> Result<Report, Failure> {
    let Arguments { database: path, tables } = arguments;
    if !tables.is_given() {
        let reason = "there is nothing to import: name rows with --load, or tables with --schema";
        return Err(Failure::Usage { reason: reason.into() });
    }
    let mut talk = String::new();
    let (mut database, loaded) = tables.open(Some(path), &mut talk)?;
    let failed = |error| Failure::Store { path: path.clone(), error };
    progress::during("writing rows", || database.commit()).map_err(failed)?;
    for (table, rows) in &loaded {
        talk += &format!("{rows} rows into {table}\n");
    }
    let loaded: Map<_, _> = loaded.into_iter().map(|(table, rows)| (table, rows.into())).collect();
    let json = json!({ "database": path.display().to_string(), "loaded": Value::Object(loaded) });
    Ok(Report { data: String::new(), talk: plain(&talk), json, code: 0 })
}
