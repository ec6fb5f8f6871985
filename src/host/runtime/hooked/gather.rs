//! The rows of a statement, read one by one: which there are, and what they are and become.

use core::ops::ControlFlow;

use super::failed::Failed;
use crate::{
    abi::{
        Seq, Value,
        message::{NewRow, WriteMode},
        wire::{Wire, Writer},
    },
    database::{Database, DatabaseError, MAX_COLUMNS, Projection, Storage, StoredRow, TableId},
    host::plugin::{Change, MAX_ROWS, Rows},
    meter::Meter,
};

/// The list of no values, which is no row.
fn no_row(writer: &mut Writer<'_>) {
    writer.len(0);
}

/// What a statement gives of a row.
#[derive(Clone, Copy)]
struct Given<'g> {
    targets: &'g Projection,
    columns: usize,
    row: &'g NewRow<'g>,
}

impl<'g> Given<'g> {
    /// Encodes the row that values become.
    fn over<'v>(self, mut values: [Value<'v>; MAX_COLUMNS], writer: &mut Writer<'_>)
    where
        'g: 'v,
    {
        let Self { targets, columns, row } = self;
        for (column, given) in targets.places(columns).zip(&row.values) {
            if let Some(value) = values.get_mut(column) {
                *value = given;
            }
        }
        Seq::new(values.get(..columns).unwrap_or_default()).encode(writer);
    }
}

/// Adds a row that is to be written, as it is stored and as it becomes. Returns what the statement does
/// to it.
pub fn written<S: Storage>(
    (database, meter): (&Database<S>, &mut Meter),
    (table, mode, targets): (TableId, WriteMode, &Projection),
    row: &NewRow<'_>,
    rows: &mut Rows,
) -> Result<Change, Failed> {
    let schema = database.schema(table).ok_or(DatabaseError::UnknownTableId(table))?;
    let (name, columns) = (*schema.name(), schema.columns().len());
    let expected = targets.places(columns).len();
    if row.values.len() != expected {
        let got = u32::try_from(row.values.len()).unwrap_or(u32::MAX);
        let expected = expected as u32;
        return Err(DatabaseError::WrongColumnCount { table: name, expected, got }.into());
    }
    let given = Given { targets, columns, row };
    let id = match (row.id, mode) {
        (None, WriteMode::Update | WriteMode::Upsert) => {
            return Err(DatabaseError::MissingId { table: name }.into());
        }
        (id, WriteMode::Insert) => {
            rows.push(id, |writer| given.over([Value::Null; MAX_COLUMNS], writer), no_row);
            return Ok(Change::Insert);
        }
        (Some(id), WriteMode::Update | WriteMode::Upsert) => id,
    };
    let found = database.read_row(table, id, meter, |stored| {
        let new = |writer: &mut Writer<'_>| given.over(all_values(&stored), writer);
        rows.push(Some(id), new, |writer| stored.encode(&Projection::All, writer));
        stored.len()
    })?;
    match (found, mode) {
        (Some(len), _) => {
            meter.read_bytes(len)?;
            Ok(Change::Update)
        }
        (None, WriteMode::Update) => Err(DatabaseError::NoSuchRow { table: name, id }.into()),
        (None, WriteMode::Insert | WriteMode::Upsert) => {
            rows.push(Some(id), |writer| given.over([Value::Null; MAX_COLUMNS], writer), no_row);
            Ok(Change::Insert)
        }
    }
}

/// The values of a row; null for what cannot be read, which writing it finds.
fn all_values<'r>(row: &StoredRow<'r>) -> [Value<'r>; MAX_COLUMNS] {
    let mut values = [Value::Null; MAX_COLUMNS];
    for (place, value) in values.iter_mut().zip(row.values()) {
        *place = value.unwrap_or(Value::Null);
    }
    values
}

/// Adds a row that is to be deleted, if there is one.
pub fn deleted<S: Storage>(
    (database, meter): (&Database<S>, &mut Meter),
    table: TableId,
    id: u64,
    rows: &mut Rows,
) -> Result<(), Failed> {
    let found = database.read_row(table, id, meter, |stored| {
        rows.push(Some(id), no_row, |writer| stored.encode(&Projection::All, writer));
        stored.len()
    })?;
    Ok(meter.read_bytes(found.unwrap_or(0))?)
}

/// Adds the first rows of a range that are to be deleted, as many as a batch has. Returns the id of the
/// last.
pub fn deleted_range<S: Storage>(
    (database, meter): (&Database<S>, &mut Meter),
    table: TableId,
    (from, until): (u64, u64),
    room: usize,
    rows: &mut Rows,
) -> Result<u64, Failed> {
    let mut last = from;
    database.scan_rows(table, from, Some(until), meter, &mut |id, stored| {
        rows.push(Some(id), no_row, |writer| stored.encode(&Projection::All, writer));
        last = id;
        match rows.len() < MAX_ROWS && rows.bytes() < room {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    })?;
    Ok(last)
}
