//! The tables that a command begins with: those of a database, of a schema, and of files.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use sochdb_wasmi::database::Database;

use crate::{
    files,
    formats::csv_file::Delimiter,
    inputs::{
        csv_rows::{LoadArgument, Loading},
        schema::{self, Plan},
        store::Store,
    },
    report::failure::Failure,
};

/// The options of a command that adds tables and rows.
#[derive(Args)]
pub struct TableArguments {
    /// Tables with their columns and indexes, in TOML.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Adds the rows of a CSV file to a table; - is stdin. A table that is not there, and not in the
    /// schema, gets columns that all rows of the file fit.
    #[arg(long, value_name = "TABLE=FILE")]
    load: Vec<LoadArgument>,
    /// What separates the cells in the files of --load: a character, or tab. Default a comma.
    #[arg(long, value_name = "CHAR", requires = "load")]
    delimiter: Option<Delimiter>,
    /// How many rows the database may hold, all tables together. Default 100,000 in RAM, 1,000,000 in
    /// a file.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_rows: Option<u32>,
    /// How many bytes the database may hold. Default 64 MiB in RAM, 1 GiB in a file.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_bytes: Option<u64>,
}

/// Tables, and how many rows were added to each.
pub type Loaded = Vec<(String, u64)>;

impl TableArguments {
    /// Whether there are tables or rows to add.
    pub const fn is_given(&self) -> bool {
        self.schema.is_some() || !self.load.is_empty()
    }

    /// A database with the tables of the schema and the rows of the files, which are not committed yet:
    /// table, rows. If a file is refused, none has added a row.
    pub fn open(
        &self,
        db: Option<&Path>,
        talk: &mut String,
    ) -> Result<(Database<Store>, Loaded), Failure> {
        if db.is_some_and(files::is_stdin) {
            let reason = "--db is read and written, and stdin is read only: name a file".into();
            return Err(Failure::Usage { reason });
        }
        // First what can fail without a database: a file of --db that is not there is not made then.
        let delimiter = self.delimiter.unwrap_or_default();
        let files = self.load.iter().map(|argument| argument.file(delimiter));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        let mut plans = match &self.schema {
            Some(path) => schema::read(path)?,
            None => Vec::new(),
        };
        let mut database =
            Store::open(db, self.max_rows, self.max_bytes).map_err(|error| match db {
                Some(path) => Failure::Store { path: path.into(), error },
                None => Failure::Database(error),
            })?;
        let mut loadings: Vec<Loading<'_>> = Vec::new();
        for (argument, file) in self.load.iter().zip(files) {
            let is = |plan: &&Plan| **plan.schema.name() == *argument.table;
            let there = database.table_id(&argument.table).and_then(|id| database.schema(id));
            let plan = plans.iter().chain(loadings.iter().map(|l| &l.plan)).find(is).cloned();
            let plan = plan.or_else(|| there.map(Plan::of));
            let loading = Loading::new(argument, plan, file)?;
            for header in loading.unused()? {
                let path = argument.path.display();
                let _ = writeln!(talk, "{path}: nothing is made of the column {header:?}");
            }
            if !plans.iter().any(|plan| is(&plan)) {
                plans.push(loading.plan.clone());
            }
            loadings.push(loading);
        }
        create_missing(&mut database, plans)?;
        let mut loaded = Loaded::new();
        for (loading, LoadArgument { table, .. }) in loadings.iter().zip(&self.load) {
            let id = match database.table_id(table) {
                Some(id) => id,
                None => {
                    database.create_table(loading.plan.schema.clone()).map_err(Failure::Database)?
                }
            };
            let rows = loading.insert(&mut database, id)?;
            match loaded.iter_mut().find(|(known, _)| known == table) {
                Some((_, sum)) => *sum += rows,
                None => loaded.push((table.clone(), rows)),
            }
        }
        Ok((database, loaded))
    }
}

/// Makes the tables that are not there. One that is there with other columns or indexes is refused,
/// and none is made then.
fn create_missing(database: &mut Database<Store>, plans: Vec<Plan>) -> Result<(), Failure> {
    let mut missing = Vec::new();
    for Plan { schema, .. } in plans {
        match database.table_id(schema.name()).and_then(|id| database.schema(id)) {
            Some(there) if *there == schema => {}
            Some(_) => return Err(Failure::OtherTable { table: schema.name().to_string() }),
            None => missing.push(schema),
        }
    }
    for schema in missing {
        database.create_table(schema).map_err(Failure::Database)?;
    }
    Ok(())
}
