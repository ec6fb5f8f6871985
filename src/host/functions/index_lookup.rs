//! `index_lookup`: point, prefix or range on a secondary index, in either direction.

use core::ops::ControlFlow;

use super::rows::{Page, PageEnd, RowList, Sheet, finish};
use crate::{
    abi::{
        Name,
        message::LookupRequest,
        wire::{self, varint_len},
    },
    database::{Corruption, DatabaseError, MAX_KEY_LEN, Storage, StoredRow, TableSchema},
    host::{access::HostFunctionContext, boundary::HostCallFailure},
};

/// Looks rows up in a secondary index.
#[derive(Clone, Copy, Debug, Default)]
pub struct IndexLookup;

pub(in crate::host) fn index_lookup<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    request: &[u8],
    response: &mut [u8],
) -> Result<usize, HostCallFailure> {
    let request: LookupRequest<'_, &[u8]> = wire::decode(request)?;
    let table = context.check_index_search(request.table)?;
    let projection = match &request.columns {
        Some(columns) => Some(context.database.projection(table, columns)?),
        None => None,
    };
    let LookupRequest { index, ref query, reverse, limit, after, .. } = request;
    let mut list = RowList::begin(response);
    let mut page = Page::new(limit);
    let mut cursors = Cursors::new(after.unwrap_or_default());
    let mut cut = false;
    let database = &*context.database;
    let found =
        database.lookup(table, index, query, reverse, after, context.meter, &mut |entry, meter| {
            let mut offer = |row: Option<&StoredRow<'_>>| {
                let row = row.zip(projection.as_ref());
                let (here, behind) = (tail(cursors.last()), tail(entry.cursor));
                page.offer(&mut list, || here, behind, |list| list.row(entry.id, row))
            };
            let offer = match projection {
                None => offer(None),
                Some(_) => {
                    let (offer, len) = database
                        .read_row(table, entry.id, meter, |row| (offer(Some(&row)), row.len()))?
                        .ok_or_else(|| stray_entry(database.schema(table), index, entry.id))?;
                    meter.read_bytes(len)?;
                    offer
                }
            };
            cursors.pass(offer.resumes, entry.cursor);
            cut = !offer.more;
            Ok(if cut { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        });
    context.plugin.touched = list.written();
    found?;
    let more = page.end(&mut list, cut)? == PageEnd::GoesOn;
    let mut writer = list.end(page.count());
    writer.bool(more);
    if more {
        writer.bytes(cursors.resume());
    }
    context.record_rows(page.count());
    let len = finish(writer)?;
    context.plugin.touched = page.taken_back();
    Ok(len)
}

/// Bytes of a continuation with this cursor.
const fn tail(cursor: &[u8]) -> usize {
    1 + varint_len(cursor.len() as u64) + cursor.len()
}

/// Where the response goes on, should it end: behind the last entry, or behind an earlier one.
struct Cursors {
    cursors: [heapless::Vec<u8, MAX_KEY_LEN>; 2],
    last: usize,
    resume: usize,
}

impl Cursors {
    /// Before the first entry, which is behind `after`.
    fn new(after: &[u8]) -> Self {
        // A cursor is part of a key, so it fits.
        let after = heapless::Vec::from_slice(after).unwrap_or_default();
        Self { cursors: [after, heapless::Vec::new()], last: 0, resume: 0 }
    }

    fn last(&self) -> &[u8] {
        self.cursors.get(self.last).map_or(&[], |cursor| cursor)
    }

    fn resume(&self) -> &[u8] {
        self.cursors.get(self.resume).map_or(&[], |cursor| cursor)
    }

    /// Goes behind an entry; if `resumes`, the response can end before it.
    fn pass(&mut self, resumes: bool, cursor: &[u8]) {
        if resumes {
            self.resume = self.last;
        }
        self.last = 1 - self.resume;
        if let Some(last) = self.cursors.get_mut(self.last) {
            last.clear();
            let _ = last.extend_from_slice(cursor);
        }
    }
}

/// The index names a row that is not there.
#[cold]
fn stray_entry(table: Option<&TableSchema>, index: &str, id: u64) -> DatabaseError {
    // The index is in the schema, so its name is one.
    let table = table.map(|schema| *schema.name()).unwrap_or_default();
    let index = Name::new(index).unwrap_or_default();
    DatabaseError::Corrupt(Corruption::StrayIndexEntry { table, index, id })
}
