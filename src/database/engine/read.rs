//! Reading rows by id: one, or a range of them.

use core::ops::ControlFlow;

use super::database::Database;
use crate::{
    abi::Seq,
    database::{
        entries::{KeyRange, key},
        error::DatabaseError,
        rows::{Projection, StoredRow},
        schema::TableId,
        storage::Storage,
    },
    meter::Meter,
};

impl<S: Storage> Database<S> {
    /// The columns of these names, to be answered in this order; all columns for no names.
    ///
    /// # Errors
    /// [`DatabaseError::UnknownColumn`] or [`DatabaseError::DuplicateColumn`].
    pub fn projection(
        &self,
        table: TableId,
        columns: &Seq<'_, &str>,
    ) -> Result<Projection, DatabaseError> {
        Projection::new(self.table(table)?, columns)
    }

    /// Hands the row of this id to `with`, or returns `None` if the row is missing. Pays for finding
    /// the row, not for what `with` reads of it.
    ///
    /// # Errors
    /// [`DatabaseError`], for the table, the meter, or the storage.
    #[inline]
    pub fn read_row<R>(
        &self,
        table: TableId,
        id: u64,
        meter: &mut Meter,
        with: impl FnOnce(StoredRow<'_>) -> R,
    ) -> Result<Option<R>, DatabaseError> {
        let table = self.table(table)?;
        meter.visit_row()?;
        let row = self.view().get(&key::row(table.id.number(), id), |bytes| {
            StoredRow::new(table, bytes).map(with)
        })?;
        match row {
            Some(None) => Err(table.corrupt_row(id)),
            Some(found) => Ok(found),
            None => Ok(None),
        }
    }

    /// Hands the rows from one id to before another to `visit`, ids rising, until it breaks.
    /// `visit` must not read the database, whose storage may hold its device borrowed.
    ///
    /// # Errors
    /// [`DatabaseError`], for the table, the meter, or the storage. Rows before it were visited.
    pub fn scan_rows(
        &self,
        table: TableId,
        from: u64,
        until: Option<u64>,
        meter: &mut Meter,
        visit: &mut dyn FnMut(u64, StoredRow<'_>) -> ControlFlow<()>,
    ) -> Result<(), DatabaseError> {
        let table = self.table(table)?;
        let [lower, upper] = key::rows(table.id.number(), from, until);
        let range = KeyRange { lower: &lower, upper: Some(&upper) };
        meter.seek()?;
        self.view().try_scan(range, false, meter, &mut |meter, key, bytes| {
            meter.visit_row()?;
            let id = key::id(key);
            meter.read_bytes(bytes.len())?;
            let row = StoredRow::new(table, bytes).ok_or_else(|| table.corrupt_row(id))?;
            Ok(visit(id, row))
        })
    }

    /// Hands the row of this id to `with`, for the embedder: by the table's name and unmetered.
    ///
    /// # Errors
    /// [`DatabaseError`], for the table or the storage.
    pub fn get<R>(
        &self,
        table: &str,
        id: u64,
        with: impl FnOnce(StoredRow<'_>) -> R,
    ) -> Result<Option<R>, DatabaseError> {
        self.read_row(self.named(table)?, id, &mut Meter::unlimited(), with)
    }
}
