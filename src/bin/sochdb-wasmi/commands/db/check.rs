//! `db check`: whether rows and indexes fit the schemas and each other.

use std::path::Path;

use serde_json::json;

use crate::{
    inputs::database_file::DatabaseFile,
    report::{failure::Failure, output::Report, progress},
};

/// Checks a database; what is damaged is an error that names it.
pub fn check(path: &Path) -> Result<Report, Failure> {
    let file = DatabaseFile::open(path)?;
    let checked = progress::during("checking", || file.database.check());
    checked.map_err(|error| file.failure(error))?;
    let tables = file.tables().len();
    let data = format!("whole: {tables} {}\n", if tables == 1 { "table" } else { "tables" });
    Ok(Report { data, talk: String::new(), json: json!({ "tables": tables }), code: 0 })
}
