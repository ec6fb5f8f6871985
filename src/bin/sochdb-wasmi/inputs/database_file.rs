//! A database that is looked at and not changed: the file of a `--db`, or a dump of a device's flash.

use std::{
    fs::File,
    io::{self, Read},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use sochdb_wasmi::{
    abi::Value,
    database::{Corruption, Database, DatabaseError, TableId, TableSchema},
    meter::Meter,
};

use super::store::Store;
use crate::report::failure::Failure;

/// A file with a database.
pub struct DatabaseFile {
    pub path: PathBuf,
    pub database: Database<Store>,
}

/// A table of it.
#[derive(Clone, Copy)]
pub struct Table<'d> {
    pub file: &'d DatabaseFile,
    pub id: TableId,
    pub schema: &'d TableSchema,
}

/// How a file of `--db` begins.
const REDB: &[u8; 4] = b"redb";

impl DatabaseFile {
    /// Opens a file that is there: none is made.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let io = |error| Failure::Io { path: path.into(), error };
        let mut file = File::open(path).map_err(io)?;
        if file.metadata().map_err(io)?.is_dir() {
            return Err(io(io::ErrorKind::IsADirectory.into()));
        }
        let mut beginning = Vec::new();
        Read::by_ref(&mut file).take(REDB.len() as u64).read_to_end(&mut beginning).map_err(io)?;
        let opened = if beginning == REDB {
            Store::open(Some(path), None, None)
        } else {
            file.read_to_end(&mut beginning).map_err(io)?;
            Store::of_flash(beginning)
        };
        let database = opened.map_err(|error| Failure::Store { path: path.into(), error })?;
        Ok(Self { path: path.into(), database })
    }

    /// Its tables, by name.
    pub fn tables(&self) -> Vec<Table<'_>> {
        let mut tables: Vec<_> =
            self.database.tables().map(|(id, schema)| Table { file: self, id, schema }).collect();
        tables.sort_by(|a, b| a.schema.name().cmp(b.schema.name()));
        tables
    }

    /// The table of this name.
    pub fn table(&self, name: &str) -> Result<Table<'_>, Failure> {
        let tables = self.tables();
        let found = tables.iter().find(|table| **table.schema.name() == *name).copied();
        found.ok_or_else(|| Failure::NoTable {
            path: self.path.clone(),
            table: name.into(),
            tables: tables.iter().map(|table| table.schema.name().to_string()).collect(),
        })
    }

    /// An error of this file.
    pub fn failure(&self, error: DatabaseError) -> Failure {
        Failure::Store { path: self.path.clone(), error }
    }
}

/// A row: its id, its bytes in the store, and its values in the order of the columns.
pub struct Row<'r> {
    pub id: u64,
    pub bytes: usize,
    pub values: &'r [Value<'r>],
}

impl Table<'_> {
    /// Hands the rows from an id on to `visit`, ids rising, until it breaks.
    pub fn rows(
        &self,
        from: u64,
        visit: &mut dyn FnMut(&Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        let mut damaged = None;
        let database = &self.file.database;
        let scanned =
            database.scan_rows(self.id, from, None, &mut Meter::unlimited(), &mut |id, row| {
                match row.values().collect::<Result<Vec<_>, _>>() {
                    Ok(values) => visit(&Row { id, bytes: row.len(), values: &values }),
                    Err(_) => {
                        damaged = Some(id);
                        ControlFlow::Break(())
                    }
                }
            });
        scanned.map_err(|error| self.file.failure(error))?;
        match damaged {
            None => Ok(()),
            Some(id) => {
                let table = *self.schema.name();
                Err(self.file.failure(DatabaseError::Corrupt(Corruption::Row { table, id })))
            }
        }
    }
}
