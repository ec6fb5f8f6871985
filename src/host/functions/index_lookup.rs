//! `index_lookup`: point, prefix or range on a secondary index, in either direction.

use core::ops::ControlFlow;

use super::rows::{RowList, Taken, finish};
use crate::{
    abi::{
        Name,
        message::LookupRequest,
        wire::{self, Writer, varint_len},
    },
    database::{Corruption, DatabaseError, MAX_KEY_LEN, Storage, TableSchema},
    host::{HostCallResult, HostFunctionContext},
};

/// Looks rows up in a secondary index.
#[derive(Clone, Copy, Debug, Default)]
pub struct IndexLookup;

pub(in crate::host) fn index_lookup<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    request: &[u8],
    response: &mut [u8],
) -> Result<usize, HostCallResult> {
    let request: LookupRequest<'_, &[u8]> = wire::decode(request)?;
    let table = context.check_index_search(request.table)?;
    let projection = match &request.columns {
        Some(columns) => Some(context.database.projection(table, columns)?),
        None => None,
    };
    let LookupRequest { index, ref query, reverse, limit, after, .. } = request;
    let mut writer = Writer::new(response);
    let mut list = RowList::begin(&mut writer, limit);
    // The cursor of the last row in the response, in case there is more.
    let mut cursor = heapless::Vec::<u8, MAX_KEY_LEN>::new();
    let mut more = false;
    let database = &*context.database;
    let found =
        database.lookup(table, index, query, reverse, after, context.meter, &mut |entry, meter| {
            let tail = 1 + varint_len(entry.cursor.len() as u64) + entry.cursor.len();
            let taken = match &projection {
                None => list.push(entry.id, None, tail),
                Some(projection) => {
                    let (taken, len) = database
                        .read_row(table, entry.id, meter, |row| {
                            (list.push(entry.id, Some((&row, projection)), tail), row.len())
                        })?
                        .ok_or_else(|| stray_entry(database.schema(table), index, entry.id))?;
                    meter.read_bytes(len)?;
                    taken
                }
            };
            if taken == Taken::No {
                more = true;
                return Ok(ControlFlow::Break(()));
            }
            cursor.clear();
            // A cursor is part of a key, so it fits.
            let _ = cursor.extend_from_slice(entry.cursor);
            Ok(ControlFlow::Continue(()))
        });
    context.plugin.touched = list.written();
    found?;
    let taken_back = list.taken_back();
    let (_, count) = list.end()?;
    // Who asked for no rows has no row to go on behind.
    let more = more && count > 0;
    writer.bool(more);
    if more {
        writer.bytes(&cursor);
    }
    context.record_rows(count);
    let len = finish(writer)?;
    context.plugin.touched = taken_back;
    Ok(len)
}

/// The index names a row that is not there.
#[cold]
fn stray_entry(table: Option<&TableSchema>, index: &str, id: u64) -> DatabaseError {
    // The index is in the schema, so its name is one.
    let table = table.map(|schema| *schema.name()).unwrap_or_default();
    let index = Name::new(index).unwrap_or_default();
    DatabaseError::Corrupt(Corruption::StrayIndexEntry { table, index, id })
}
