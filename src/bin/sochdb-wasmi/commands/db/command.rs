//! The commands of `db`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{check, convert, difference, export, import, show, tables};
use crate::report::{failure::Failure, output::Report};

#[derive(Subcommand)]
pub enum Command {
    /// Lists the tables with their columns, indexes and numbers of rows.
    Tables(DatabaseArgument),
    /// Shows rows of a table.
    Show(show::Arguments),
    /// Writes a table as CSV, which --load reads, or as a JSON object for each row.
    Export(export::Arguments),
    /// Adds the rows of CSV files to the tables of a file of --db.
    Import(import::Arguments),
    /// Checks every row against its schema, and every index against the rows.
    Check(DatabaseArgument),
    /// Counts the rows and bytes of each table, and measures its rows.
    Stats(DatabaseArgument),
    /// Writes a database as a file of --db, or as the bytes of a device's flash.
    Convert(convert::Arguments),
    /// Compares two databases, table by table and row by row.
    Diff(difference::Arguments),
}

#[derive(Args)]
pub struct DatabaseArgument {
    /// The file of a --db, or a dump of a device's flash.
    #[arg(value_name = "DATABASE")]
    pub database: PathBuf,
}

/// Runs a command.
pub fn run(command: &Command, json: bool) -> Result<Report, Failure> {
    match command {
        Command::Tables(argument) => tables::tables(&argument.database),
        Command::Show(arguments) => show::show(arguments),
        Command::Export(arguments) => export::export(arguments, json),
        Command::Import(arguments) => import::import(arguments),
        Command::Check(argument) => check::check(&argument.database),
        Command::Stats(argument) => tables::stats(&argument.database),
        Command::Convert(arguments) => convert::convert(arguments),
        Command::Diff(arguments) => difference::difference(arguments, json),
    }
}
