//! Inserting, updating and upserting rows, and keeping indexes in step with them.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use super::{
    database::Database,
    statement::{FORMAT_VERSION, Statement, encode_into},
    view::View,
};
use crate::{
    abi::{
        MAX_GIVEN_ID, Seq, Value,
        message::{NewRow, WriteMode},
    },
    database::{
        entries::{Key, KeyRange, key},
        error::{Corruption, DatabaseError},
        rows::{Projection, StoredRow, Table, Values, encode_row, stored_values},
        schema::{Index, MAX_COLUMNS, TableId},
        storage::{self, Storage},
    },
    meter::Meter,
};

/// The id of a table's first row, if it is assigned.
const FIRST_ID: u64 = 1;

impl<S: Storage> Database<S> {
    /// Writes rows, all or none, and hands their ids to `written` in order. Returns how many there
    /// are. If it fails, the ids handed out are void.
    ///
    /// `columns` names the columns that the rows give (all for no names); a new row has null in
    /// the others, an existing one keeps them. Rows are written one after another, so a unique
    /// index compares a row with those before it in the list. The row that a reference names need
    /// not exist.
    ///
    /// Assigned ids rise and are never assigned again, even if the row is deleted; an id that was
    /// given moves the next one past it. A new row is given at most [`MAX_GIVEN_ID`].
    ///
    /// # Errors
    /// [`DatabaseError`] names the table and the column. Nothing of the statement stays.
    pub fn write(
        &mut self,
        table: TableId,
        mode: WriteMode,
        columns: &Seq<'_, &str>,
        rows: &Seq<'_, NewRow<'_>>,
        meter: &mut Meter,
        written: &mut dyn FnMut(u64),
    ) -> Result<u32, DatabaseError> {
        self.statement(table, meter, |statement| {
            let targets = Projection::new(statement.table, columns)?;
            let counted = next_id(&statement.view(), statement.table)?;
            let mut next_id = counted;
            let mut count = 0;
            for row in rows {
                written(statement.write_row(mode, &targets, &row, &mut next_id)?);
                count += 1;
            }
            if next_id != counted {
                statement.set_next_id(next_id)?;
            }
            Ok(count)
        })
    }

    /// Inserts a row, for the embedder: by the table's name, unmetered, and committed at once.
    /// Returns its id.
    ///
    /// # Errors
    /// [`DatabaseError`]; also [`DatabaseError::TransactionPending`], as a commit would include
    /// what is pending.
    pub fn insert(
        &mut self,
        table: &str,
        id: Option<u64>,
        values: &[Value<'_>],
    ) -> Result<u64, DatabaseError> {
        let table = self.named(table)?;
        if self.has_pending() || self.held {
            return Err(DatabaseError::TransactionPending);
        }
        let rows = [NewRow { id, values: Seq::new(values) }];
        let mut assigned = 0;
        self.write(
            table,
            WriteMode::Insert,
            &Seq::empty(),
            &Seq::new(&rows),
            &mut Meter::unlimited(),
            &mut |id| assigned = id,
        )?;
        self.commit()?;
        Ok(assigned)
    }
}

impl<S: Storage> Database<S> {
    /// An id above those of all rows of a table.
    #[cfg(feature = "hooks")]
    pub(crate) fn next_id(&self, table: TableId) -> Result<u64, DatabaseError> {
        next_id(&self.view(), self.table(table)?)
    }
}

/// The id that the next row of a table without one gets.
pub fn next_id<S: Storage>(view: &View<'_, S>, table: &Table) -> Result<u64, DatabaseError> {
    let counter = view.get(&key::counter(table.id.number()), |value| match value {
        [FORMAT_VERSION, id @ ..] => Some(u64::from_be_bytes(id.try_into().ok()?)),
        _ => None,
    })?;
    match counter {
        None => Ok(FIRST_ID),
        Some(Some(next)) => Ok(next),
        Some(None) => Err(Corruption::Counter { table: table.name() }.into()),
    }
}

impl<S: Storage> Statement<'_, S> {
    fn set_next_id(&mut self, id: u64) -> Result<(), DatabaseError> {
        let [a, b, c, d, e, f, g, h] = id.to_be_bytes();
        let value = [FORMAT_VERSION, a, b, c, d, e, f, g, h];
        let key = key::counter(self.table.id.number());
        Ok(storage::put(self.storage, self.pending, &key, Some(&value))?)
    }

    fn write_row(
        &mut self,
        mode: WriteMode,
        targets: &Projection,
        row: &NewRow<'_>,
        next_id: &mut u64,
    ) -> Result<u64, DatabaseError> {
        let table = self.table;
        let expected = targets.places(table.places.len()).len();
        if row.values.len() != expected {
            return Err(DatabaseError::WrongColumnCount {
                table: table.name(),
                expected: expected as u32,
                got: u32::try_from(row.values.len()).unwrap_or(u32::MAX),
            });
        }
        self.meter.visit_row()?;
        let (id, exists) = self.target(mode, row.id, *next_id)?;

        // The buffers leave the statement while the row is built from one into the other.
        let old = core::mem::take(&mut self.scratch.old);
        let mut new = core::mem::take(&mut self.scratch.new);
        // The places of vectors are written whole, whatever the request says; the rest of the row
        // is what it says and what the old row had, both paid for already.
        let front = self.meter.move_bytes(table.values_at).map_err(DatabaseError::from);
        let built =
            front.and_then(|()| build_row(table, targets, row, exists.then_some(&old), &mut new));
        let outcome = built.and_then(|(len, values)| {
            let new = new.get(..len).unwrap_or_default();
            self.meter.move_bytes(new.len().saturating_sub(table.values_at))?;
            if !table.schema.indexes().is_empty() {
                self.write_index_entries(id, exists.then_some(&old), &values)?;
            }
            self.put(&key::row(table.id.number(), id), Some(new))
        });
        self.scratch.old = old;
        self.scratch.new = new;
        outcome?;
        // The highest id is never given and never assigned, so there is always a next one.
        *next_id = (*next_id).max(id.saturating_add(1));
        Ok(id)
    }

    /// The id to write to, and whether there is a row, which is copied to the scratch then unless
    /// the mode forbids one.
    fn target(
        &mut self,
        mode: WriteMode,
        given: Option<u64>,
        next_id: u64,
    ) -> Result<(u64, bool), DatabaseError> {
        let table = self.table;
        let id = match (given, mode) {
            (Some(id), _) => id,
            (None, WriteMode::Insert) if next_id == u64::MAX => {
                return Err(DatabaseError::IdsExhausted { table: table.name() });
            }
            // No row has the next id or one above it.
            (None, WriteMode::Insert) => return Ok((next_id, false)),
            (None, WriteMode::Update | WriteMode::Upsert) => {
                return Err(DatabaseError::MissingId { table: table.name() });
            }
        };
        let Self { storage, pending, scratch, meter, .. } = self;
        let view = View { storage: *storage, pending };
        let found = view.get(&key::row(table.id.number(), id), |bytes| {
            if mode != WriteMode::Insert {
                meter.read_bytes(bytes.len())?;
                scratch.old.clear();
                scratch.old.extend_from_slice(bytes);
            }
            Ok::<(), DatabaseError>(())
        })?;
        match (found.transpose()?, mode) {
            (Some(()), WriteMode::Insert) => {
                Err(DatabaseError::DuplicateId { table: table.name(), id })
            }
            (None, WriteMode::Update) => Err(DatabaseError::NoSuchRow { table: table.name(), id }),
            (None, _) if id > MAX_GIVEN_ID => {
                Err(DatabaseError::IdNotAllowed { table: table.name(), id })
            }
            (found, _) => Ok((id, found.is_some())),
        }
    }

    /// Brings the index entries of a row from its old values to the new ones.
    ///
    /// Not inlined: keys and values take a KB of stack, which a table without indexes does not need.
    #[inline(never)]
    fn write_index_entries(
        &mut self,
        id: u64,
        old: Option<&Vec<u8>>,
        values: &[Value<'_>],
    ) -> Result<(), DatabaseError> {
        let table = self.table;
        let old = old.map(|old| stored_values(table, id, old)).transpose()?;
        let (mut old_key, mut new_key) = (Key::new(), Key::new());
        for (number, index) in table.schema.indexes().iter().enumerate() {
            table.index_key((number, index), id, values, &mut new_key)?;
            if let Some(old) = &old {
                table.index_key((number, index), id, old, &mut old_key)?;
                if old_key == new_key {
                    continue;
                }
                self.put(&old_key, None)?;
            }
            let comparable =
                |&column: &u8| values.get(usize::from(column)).is_none_or(|v| !v.is_null());
            if index.unique && index.columns.iter().all(comparable) {
                self.check_unique(index, &new_key)?;
            }
            self.put(&new_key, Some(&[FORMAT_VERSION]))?;
        }
        Ok(())
    }

    /// Checks that no other row has the values of `key`.
    fn check_unique(&mut self, index: &Index, key: &Key) -> Result<(), DatabaseError> {
        self.meter.seek()?;
        let lower = key::without_id(key);
        let mut upper = key.clone();
        upper.truncate(lower.len());
        key::after_prefix(&mut upper);
        let range = KeyRange { lower, upper: Some(&upper) };
        let mut taken = false;
        let Self { storage, pending, meter, .. } = self;
        let view = View { storage: *storage, pending };
        view.try_scan(range, false, meter, &mut |_, found, _| {
            taken = key::id(found) != key::id(key);
            Ok(if taken { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        if taken {
            let (table, index) = (self.table.name(), index.name);
            return Err(DatabaseError::DuplicateUnique { table, index });
        }
        Ok(())
    }
}

/// Checks the values of a row and encodes it to the front of `new`; returns its length and its
/// values, those that it keeps from `old` included.
fn build_row<'v>(
    table: &'v Table,
    targets: &Projection,
    row: &NewRow<'v>,
    old: Option<&'v Vec<u8>>,
    new: &mut Vec<u8>,
) -> Result<(usize, Values<'v>), DatabaseError> {
    let columns = table.schema.columns();
    let mut values = [Value::Null; MAX_COLUMNS];
    if let Some(old) = old {
        values = stored_values(table, row.id.unwrap_or(0), old)?;
    }
    for (column, given) in targets.places(columns.len()).zip(&row.values) {
        if let Some(value) = values.get_mut(column) {
            *value = given;
        }
    }
    for (column, value) in columns.iter().zip(&values) {
        table.check_value(column, value)?;
    }
    let values_used = values.get(..columns.len()).unwrap_or_default();
    let len = encode_into(new, |writer| encode_row(table, values_used, writer));

    // Values that came over the wire were decoded and can be decoded again. Arrays and objects
    // that an embedder built may be nested deeper than any reader goes.
    if !row.values.is_decoded()
        && let Some(stored) = StoredRow::new(table, new.get(..len).unwrap_or_default())
    {
        for (column, value) in columns.iter().zip(stored.values()) {
            value.map_err(|error| DatabaseError::InvalidValue {
                table: table.name(),
                column: column.name,
                error: error.kind,
            })?;
        }
    }
    Ok((len, values))
}
