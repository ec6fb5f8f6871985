//! Checking that what is stored makes sense: for tests, and for an embedder after a power failure.

use super::{
    database::Database,
    delete::next_ids,
    lookup::{Entries, EntryRange, next_entries},
    write::next_id,
};
use crate::{
    database::{
        entries::{Key, key},
        error::{Corruption, DatabaseError},
        rows::{StoredRow, Table, stored_values},
        schema::Index,
        storage::Storage,
    },
    meter::Meter,
};

impl<S: Storage> Database<S> {
    /// Checks every row against its schema, that each is in all indexes of its table, that indexes
    /// name nothing else, and that ids to be assigned are free.
    ///
    /// # Errors
    /// [`DatabaseError::Corrupt`] names the first thing that is wrong.
    pub fn check(&self) -> Result<(), DatabaseError> {
        for table in &self.tables {
            let last = self.check_rows(table)?;
            if let Some(last) = last
                && next_id(&self.view(), table)? <= last
            {
                return Err(Corruption::Counter { table: table.name() }.into());
            }
            self.check_indexes(table)?;
        }
        Ok(())
    }

    /// Checks all rows; returns the last id.
    fn check_rows(&self, table: &Table) -> Result<Option<u64>, DatabaseError> {
        let mut from = 0;
        let mut last = None;
        loop {
            let ids = next_ids(&self.view(), table, from, None, &mut Meter::unlimited())?;
            for &id in &ids {
                self.check_row(table, id)?;
                last = Some(id);
                from = id.saturating_add(1);
            }
            if !ids.is_full() {
                return Ok(last);
            }
        }
    }

    fn check_row(&self, table: &Table, id: u64) -> Result<(), DatabaseError> {
        let sound = self.view().get(&key::row(table.id.number(), id), |bytes| {
            StoredRow::new(table, bytes).is_some_and(|row| row.is_sound())
        })?;
        if sound != Some(true) {
            return Err(table.corrupt_row(id));
        }
        let mut key = Key::new();
        for (number, index) in table.schema.indexes().iter().enumerate() {
            self.stored_index_key(table, (number, index), id, &mut key)?;
            if self.view().get(&key, |_| ())?.is_none() {
                let (table, index) = (table.name(), index.name);
                return Err(Corruption::MissingIndexEntry { table, index, id }.into());
            }
        }
        Ok(())
    }

    fn check_indexes(&self, table: &Table) -> Result<(), DatabaseError> {
        for (number, index) in table.schema.indexes().iter().enumerate() {
            let mut range = EntryRange::all(table.id, number as u16);
            let (mut entries, mut key) = (Entries::new(), Key::new());
            loop {
                let meter = &mut Meter::unlimited();
                next_entries(&self.view(), &range, false, meter, &mut entries)?;
                for entry in &entries {
                    let id = key::id(entry);
                    let found = self.stored_index_key(table, (number, index), id, &mut key)?;
                    if !found || key != *entry {
                        let (table, index) = (table.name(), index.name);
                        return Err(Corruption::StrayIndexEntry { table, index, id }.into());
                    }
                }
                match entries.last() {
                    Some(last) if entries.is_full() => range.go_on_after(last, false),
                    _ => break,
                }
            }
        }
        Ok(())
    }

    /// Makes `key` that of a stored row in an index; returns whether there is such a row.
    fn stored_index_key(
        &self,
        table: &Table,
        index: (usize, &Index),
        id: u64,
        key: &mut Key,
    ) -> Result<bool, DatabaseError> {
        let made = self.view().get(&key::row(table.id.number(), id), |bytes| {
            table.index_key(index, id, &stored_values(table, id, bytes)?, key)
        })?;
        Ok(made.transpose()?.is_some())
    }
}
