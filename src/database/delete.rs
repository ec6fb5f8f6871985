//! Deleting rows by id, with their index entries.

use core::ops::ControlFlow;

use heapless::Vec;

use super::{
    Database, DatabaseError, Statement, Storage, StorageError, StoredRow, TableId, key,
    storage::KeyRange, table::IndexKeys, view::View,
};
use crate::{abi::message::RowSelector, meter::Meter};

/// How many ids of a range are looked up before work is done on them.
pub const CHUNK: usize = 64;

/// The ids of the rows that follow `from`, as many as fit. Collected, because a scan may hold the
/// storage, which the work on the rows needs.
pub fn next_ids<S: Storage>(
    view: &View<'_, S>,
    table: TableId,
    from: u64,
    until: Option<u64>,
) -> Result<Vec<u64, CHUNK>, StorageError> {
    let mut ids = Vec::new();
    let [lower, upper] = key::rows(table.number(), from, until);
    let range = KeyRange { lower: &lower, upper: Some(&upper) };
    view.scan(range, false, &mut |key, _| match ids.push(key::id(key)) {
        Ok(()) if !ids.is_full() => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    })?;
    Ok(ids)
}

impl<S: Storage> Database<S> {
    /// Deletes rows and returns how many. Ids without a row are passed over.
    ///
    /// # Errors
    /// [`DatabaseError`], for the table, the meter, or the storage. Nothing is deleted then.
    pub fn delete(
        &mut self,
        table: TableId,
        rows: &RowSelector<'_>,
        meter: &mut Meter,
    ) -> Result<u64, DatabaseError> {
        self.statement(table, meter, |statement| {
            let mut count = 0;
            match *rows {
                RowSelector::One(id) => count += u64::from(statement.delete_row(id)?),
                RowSelector::List(ids) => {
                    for id in &ids {
                        count += u64::from(statement.delete_row(id)?);
                    }
                }
                RowSelector::Range { mut from, until } => loop {
                    let ids = next_ids(&statement.view(), table, from, until)?;
                    for &id in &ids {
                        count += u64::from(statement.delete_row(id)?);
                    }
                    match ids.last() {
                        Some(last) if ids.is_full() => from = last.saturating_add(1),
                        _ => break,
                    }
                },
            }
            Ok(count)
        })
    }
}

impl<S: Storage> Statement<'_, S> {
    /// Deletes a row; returns whether there was one.
    fn delete_row(&mut self, id: u64) -> Result<bool, DatabaseError> {
        self.meter.visit_row()?;
        let table = self.table;
        let key = key::row(table.id.number(), id);
        let found = self.view().get(&key, |bytes| {
            if table.schema.indexes().is_empty() {
                return Ok(IndexKeys::new());
            }
            let row = StoredRow::new(table, bytes).ok_or_else(|| table.corrupt_row(id))?;
            table.index_keys(id, |column| row.value(column))
        })?;
        let Some(index_keys) = found.transpose()? else { return Ok(false) };
        for index_key in &index_keys {
            self.put(index_key, None)?;
        }
        self.put(&key, None)?;
        Ok(true)
    }
}
