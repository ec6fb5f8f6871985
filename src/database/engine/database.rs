//! A database over a storage: its tables, and transactions that begin with the first write and end
//! with a commit or a rollback. What reads and writes rows is in the files beside it.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use super::{
    neighbour::SearchScratch,
    statement::{FORMAT_VERSION, Statement, WriteScratch, encode_into},
    view::View,
};
use crate::{
    database::{
        entries::{KeyRange, Pending, Savepoint, key},
        error::{Corruption, DatabaseError, GivenName},
        rows::Table,
        schema::{SchemaError, TableId, TableSchema},
        storage::{self, Batch, MemoryLimits, MemoryStorage, Storage},
    },
    meter::Meter,
};

/// A database over a storage.
///
/// The embedder makes the tables and may read and write rows itself; plugins do through the host
/// functions.
///
/// ```
/// use sochdb_wasmi::{
///     abi::Value,
///     database::{ColumnType, Database, MemoryLimits, TableSchema},
/// };
///
/// let mut database = Database::in_memory(MemoryLimits::default());
/// database.create_table(TableSchema::new("notes")?.column("text", ColumnType::Text)?)?;
/// let id = database.insert("notes", None, &["buy milk".into()])?;
/// let is_there = database.get("notes", id, |row| row.value(0) == Some(Value::Text("buy milk")))?;
/// assert_eq!(is_there, Some(true));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Database<S = MemoryStorage> {
    pub(super) storage: S,
    pub(super) tables: Vec<Table>,
    pub(super) pending: Pending,
    /// The transaction is a plugin's call: only the host ends it.
    pub(super) held: bool,
    pub(super) writing: WriteScratch,
    pub(super) searching: SearchScratch,
}

impl Database<MemoryStorage> {
    /// An empty database in RAM.
    #[must_use]
    pub fn in_memory(limits: MemoryLimits) -> Self {
        Self::with_tables(MemoryStorage::new(limits), Vec::new())
    }
}

impl<S: Storage> Database<S> {
    /// Opens what is in a storage: a database that was kept there before, or an empty one.
    ///
    /// # Errors
    /// [`DatabaseError::Corrupt`] if the catalog cannot be read or is of another version, and
    /// [`DatabaseError::Storage`].
    pub fn open(storage: S) -> Result<Self, DatabaseError> {
        let mut tables = Vec::new();
        let catalog = KeyRange { lower: &key::FORMAT, upper: Some(&key::CATALOG_END) };
        let view = View { storage: &storage, pending: &Pending::default() };
        let mut formatted = false;
        view.try_scan(catalog, false, &mut Meter::unlimited(), &mut |_, key, value| {
            let body = match value.split_first() {
                Some((&FORMAT_VERSION, body)) => body,
                Some((&other, _)) => return Err(Corruption::FormatVersion(other).into()),
                None => return Err(Corruption::Catalog.into()),
            };
            // The key of the format sorts before those of the schemas.
            if key == key::FORMAT {
                formatted = true;
                return Ok(ControlFlow::Continue(()));
            }
            let number = key::catalog_table(key).filter(|&n| n as usize == tables.len());
            let schema = TableSchema::decode(body).filter(|schema| {
                !tables.iter().any(|table: &Table| table.schema.name() == schema.name())
            });
            match (formatted, number, schema) {
                (true, Some(number), Some(schema)) => {
                    tables.push(Table::new(TableId(number), schema));
                    Ok(ControlFlow::Continue(()))
                }
                _ => Err(Corruption::Catalog.into()),
            }
        })?;
        Ok(Self::with_tables(storage, tables))
    }

    fn with_tables(storage: S, tables: Vec<Table>) -> Self {
        Self {
            storage,
            tables,
            pending: Pending::default(),
            held: false,
            writing: WriteScratch::default(),
            searching: SearchScratch::default(),
        }
    }

    /// The storage.
    pub const fn storage(&self) -> &S {
        &self.storage
    }

    /// Closes the database, to open it again on another day. What is pending is forgotten.
    pub fn into_storage(self) -> S {
        self.storage
    }

    /// Makes a table, at once and for good.
    ///
    /// # Errors
    /// [`DatabaseError::TransactionPending`], [`DatabaseError::TableExists`], a schema without
    /// columns, or [`DatabaseError::Storage`]. Nothing is made then.
    pub fn create_table(&mut self, schema: TableSchema) -> Result<TableId, DatabaseError> {
        if self.has_pending() || self.held {
            return Err(DatabaseError::TransactionPending);
        }
        if schema.columns().is_empty() {
            return Err(SchemaError::NoColumns.into());
        }
        if self.table_id(schema.name()).is_some() {
            return Err(DatabaseError::TableExists { table: *schema.name() });
        }
        let id = u32::try_from(self.tables.len()).map_err(|_| Corruption::Catalog)?;
        let mut value = Vec::new();
        encode_into(&mut value, |writer| {
            writer.u8(FORMAT_VERSION);
            schema.encode(writer);
        });
        let format = Some([FORMAT_VERSION].as_slice());
        let written = match storage::put(&self.storage, &mut self.pending, &key::FORMAT, format) {
            Ok(()) => {
                storage::put(&self.storage, &mut self.pending, &key::catalog(id), Some(&value))
            }
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            self.rollback();
            return Err(error.into());
        }
        self.commit()?;
        self.tables.push(Table::new(TableId(id), schema));
        Ok(TableId(id))
    }

    /// The table of this name.
    pub fn table_id(&self, name: &str) -> Option<TableId> {
        self.tables.iter().find(|table| table.schema.name().as_str() == name).map(|table| table.id)
    }

    /// A table's schema.
    pub fn schema(&self, table: TableId) -> Option<&TableSchema> {
        self.tables.get(table.0 as usize).map(|table| &table.schema)
    }

    /// All tables, in the order they were made.
    pub fn tables(&self) -> impl Iterator<Item = (TableId, &TableSchema)> {
        self.tables.iter().map(|table| (table.id, &table.schema))
    }

    /// Whether something was written and neither committed nor rolled back.
    pub const fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Makes everything that is pending permanent. Nothing is pending afterwards.
    ///
    /// # Errors
    /// [`DatabaseError::Storage`]; what was pending is lost then, all of it.
    /// [`DatabaseError::TransactionPending`] inside a plugin's call, which only the host ends.
    pub fn commit(&mut self) -> Result<(), DatabaseError> {
        if self.held {
            return Err(DatabaseError::TransactionPending);
        }
        if self.pending.is_empty() {
            return Ok(());
        }
        let batch = Batch::new(&self.pending);
        let applied = match self.storage.admit(&batch) {
            Ok(()) => self.storage.apply(&batch),
            Err(error) => Err(error),
        };
        self.pending.clear();
        Ok(applied?)
    }

    /// Forgets everything that is pending.
    pub fn rollback(&mut self) {
        self.pending.clear();
    }

    /// Makes the transaction a plugin's call, or ends that.
    #[cfg(feature = "host")]
    pub(crate) const fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// The present place in the transaction.
    pub const fn savepoint(&self) -> Savepoint {
        self.pending.savepoint()
    }

    /// Forgets everything that was written since `savepoint`. One of a transaction that is over
    /// does nothing.
    pub fn rollback_to(&mut self, savepoint: Savepoint) {
        self.pending.rollback_to(savepoint);
    }

    #[inline]
    pub(super) fn table(&self, table: TableId) -> Result<&Table, DatabaseError> {
        self.tables.get(table.0 as usize).ok_or(DatabaseError::UnknownTableId(table))
    }

    pub(super) fn named(&self, table: &str) -> Result<TableId, DatabaseError> {
        let unknown = || DatabaseError::UnknownTable { table: GivenName::new(table) };
        self.table_id(table).ok_or_else(unknown)
    }

    #[inline]
    pub(super) const fn view(&self) -> View<'_, S> {
        View { storage: &self.storage, pending: &self.pending }
    }

    /// Runs a statement that writes. If it fails, or the store has no room for it, nothing of it
    /// stays.
    pub(super) fn statement<R>(
        &mut self,
        table: TableId,
        meter: &mut Meter,
        run: impl FnOnce(&mut Statement<'_, S>) -> Result<R, DatabaseError>,
    ) -> Result<R, DatabaseError> {
        let savepoint = self.savepoint();
        let Self { storage, pending, tables, writing: scratch, .. } = self;
        let table = tables.get(table.0 as usize).ok_or(DatabaseError::UnknownTableId(table))?;
        let outcome = run(&mut Statement { storage, pending, table, scratch, meter });
        let admitted = outcome.and_then(|result| {
            self.storage.admit(&Batch::new(&self.pending))?;
            Ok(result)
        });
        if admitted.is_err() {
            self.rollback_to(savepoint);
        }
        admitted
    }
}
