//! A database that is looked at and not changed: the file of a `--db`, or a dump of a device's flash.

use std::{
    fs::File,
    io::{Read, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use sochdb_wasmi::{
    abi::Value,
    database::{Corruption, Database, DatabaseError, SalvageReport, TableId, TableSchema},
    meter::Meter,
};
use tempfile::NamedTempFile;

use super::store::Store;
use crate::{files, report::failure::Failure};

/// A file with a database.
pub struct DatabaseFile {
    pub path: PathBuf,
    pub database: Database<Store>,
    /// The file that a `--db` from a pipe was copied to; it is removed with this, after the database
    /// was closed.
    _copy: Option<NamedTempFile>,
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
    /// Opens a file that is there: none is made. `-` is stdin.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let io = |error| Failure::Io { path: path.into(), error };
        let failed = |error| Failure::Store { path: path.into(), error };
        let (mut bytes, mut in_place) = (Vec::new(), false);
        if files::is_stdin(path) {
            bytes = files::read(path)?;
        } else {
            let mut file = File::open(path).map_err(io)?;
            in_place = file.metadata().map_err(io)?.is_file();
            let beginning = Read::by_ref(&mut file).take(REDB.len() as u64);
            { beginning }.read_to_end(&mut bytes).map_err(io)?;
            if !in_place || bytes != REDB {
                bytes = files::rest(&mut file, bytes).map_err(io)?;
            }
        }
        let mut copy = None;
        let database = if !bytes.starts_with(REDB) {
            Store::of_flash(bytes).map_err(failed)?
        } else if in_place {
            Store::open(Some(path), None, None).map_err(failed)?
        } else {
            let mut file = NamedTempFile::new().map_err(io)?;
            file.write_all(&bytes).map_err(io)?;
            let database = Store::open(Some(file.path()), None, None).map_err(failed)?;
            copy = Some(file);
            database
        };
        Ok(Self { path: path.into(), database, _copy: copy })
    }

    /// What is whole in a damaged dump of flash. `-` is stdin.
    pub fn salvage(path: &Path) -> Result<(Self, SalvageReport), Failure> {
        let salvaged = Store::salvaged(files::read(path)?);
        let (database, report) =
            salvaged.map_err(|error| Failure::Store { path: path.into(), error })?;
        Ok((Self { path: path.into(), database, _copy: None }, report))
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
