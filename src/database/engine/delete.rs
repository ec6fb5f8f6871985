//! Deleting rows by id, with their index entries.

use core::ops::ControlFlow;

use heapless::Vec;

use super::{database::Database, statement::Statement, view::View};
use crate::{
    abi::message::RowSelector,
    database::{
        entries::{Key, KeyRange, key},
        error::DatabaseError,
        rows::{Table, stored_values},
        schema::TableId,
        storage::Storage,
    },
    meter::Meter,
};

/// How many ids of a range are looked up before work is done on them.
pub const CHUNK: usize = 64;

/// The ids of the rows that follow `from`, as many as fit. Collected, because a scan may hold the
/// storage, which the work on the rows needs.
pub fn next_ids<S: Storage>(
    view: &View<'_, S>,
    table: &Table,
    from: u64,
    until: Option<u64>,
    meter: &mut Meter,
) -> Result<Vec<u64, CHUNK>, DatabaseError> {
    let mut ids = Vec::new();
    let [lower, upper] = key::rows(table.id.number(), from, until);
    let range = KeyRange { lower: &lower, upper: Some(&upper) };
    view.try_scan(range, false, meter, &mut |_, key, _| {
        // Callers go on after the last id, which must not lead them back.
        let id = key::row_id(key).ok_or_else(|| table.corrupt_row(key::id(key)))?;
        let pushed = ids.push(id).is_ok() && !ids.is_full();
        Ok(if pushed { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
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
                    statement.meter.seek()?;
                    let Statement { storage, pending, meter, table, .. } = &mut *statement;
                    let view = View { storage: *storage, pending };
                    let ids = next_ids(&view, table, from, until, meter)?;
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
        let indexes = table.schema.indexes();
        let Self { storage, pending, scratch, meter, .. } = self;
        let view = View { storage: *storage, pending };
        let found = view.get(&key, |bytes| {
            if !indexes.is_empty() {
                meter.read_bytes(bytes.len())?;
                scratch.old.clear();
                scratch.old.extend_from_slice(bytes);
            }
            Ok::<(), DatabaseError>(())
        })?;
        let Some(()) = found.transpose()? else { return Ok(false) };
        if !indexes.is_empty() {
            self.delete_index_entries(id)?;
        }
        self.put(&key, None)?;
        Ok(true)
    }

    /// Deletes the entries of the row in the scratch from all indexes.
    ///
    /// Not inlined: the values take a KB of stack, which a table without indexes does not need.
    #[inline(never)]
    fn delete_index_entries(&mut self, id: u64) -> Result<(), DatabaseError> {
        let table = self.table;
        // The row leaves the statement while its entries are deleted.
        let row = core::mem::take(&mut self.scratch.old);
        let deleted = stored_values(table, id, &row).and_then(|values| {
            let mut key = Key::new();
            table.schema.indexes().iter().enumerate().try_for_each(|index| {
                table.index_key(index, id, &values, &mut key)?;
                self.put(&key, None)
            })
        });
        self.scratch.old = row;
        deleted
    }
}
