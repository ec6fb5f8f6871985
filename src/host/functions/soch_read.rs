//! `soch_read`: rows of a table by id, by list of ids, or by range.

use core::ops::ControlFlow;

use super::rows::{Page, PageEnd, RowList, Sheet, finish};
use crate::{
    abi::{
        Name, Value,
        message::{Format, ReadRequest, RowSelector},
        wire::{self, Mark, Reader, Writer, varint_len},
    },
    database::{MAX_COLUMNS, Projection, Storage, StoredRow, TableId},
    host::{
        access::{HostFunctionContext, WHOLE},
        boundary::HostCallFailure,
        toon::{ToonError, ToonTable},
    },
};

/// Reads rows of a table.
#[derive(Clone, Copy, Debug, Default)]
pub struct SochRead;

/// The most bytes of a continuation.
const MAX_TAIL: usize = tail(u64::MAX);

/// Bytes of a continuation at `next`.
const fn tail(next: u64) -> usize {
    1 + varint_len(next)
}

pub(in crate::host) fn soch_read<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    request: &[u8],
    response: &mut [u8],
) -> Result<usize, HostCallFailure> {
    match one_whole_row(request) {
        Some((table, id)) => {
            let table = context.check_read(table)?;
            read_one(context, table, id, response)
        }
        None => read(context, request, response),
    }
}

/// The request for all columns of one row, which is by far the commonest: its table and id. Any
/// other request, a malformed one too, is left to [`read`].
#[inline]
fn one_whole_row(request: &[u8]) -> Option<(&[u8], u64)> {
    let mut reader = Reader::new(request);
    let table = reader.bytes().ok()?;
    let one = reader.u8().ok()? == 0;
    let id = reader.u64().ok()?;
    // No columns named, no limit, as rows.
    (one && reader.rest() == [0, 0, 0]).then_some((table, id))
}

#[inline(never)]
fn read<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    request: &[u8],
    response: &mut [u8],
) -> Result<usize, HostCallFailure> {
    let request: ReadRequest<'_, &[u8]> = wire::decode(request)?;
    let table = context.readable(request.table)?;
    let projection = context.database.projection(table, &request.columns)?;
    match (request.format, request.rows) {
        (Format::Rows, rows) => {
            let mut list = RowList::begin(response);
            let mut page = Page::new(request.limit);
            let mut next = 0;
            let cut = each_row(context, table, rows, &mut |id, at, row| {
                let write = |list: &mut RowList<'_>| list.row(id, Some((row, &projection)));
                let offer = page.offer(&mut list, || tail(at), MAX_TAIL, write);
                if offer.resumes {
                    next = at;
                }
                offer.more
            });
            context.plugin.touched = list.written();
            let ended = page.end(&mut list, cut?)?;
            let next = (ended == PageEnd::GoesOn).then_some(next);
            context.record_rows(page.count());
            end(context, list.end(page.count()), next, page.taken_back())
        }
        (Format::Toon, _) => read_toon(context, table, &request, &projection, response),
    }
}

#[inline(always)]
fn read_one<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    table: TableId,
    id: u64,
    response: &mut [u8],
) -> Result<usize, HostCallFailure> {
    let mut writer = Writer::new(response);
    let found = context.database.read_row(table, id, context.meter, |row| {
        writer.len(1);
        writer.u64(id);
        row.encode(&Projection::All, &mut writer);
        writer.bool(false);
    })?;
    match found {
        Some(()) => {
            context.entry.rows = 1;
            match writer.finish() {
                Ok(len) => Ok(len),
                // What fits is paid for as the response; what does not was read all the same.
                Err(error) => {
                    context.meter.read_bytes(error.needed)?;
                    Err(error.into())
                }
            }
        }
        None => Err(no_row(id)),
    }
}

#[cold]
fn no_row(id: u64) -> HostCallFailure {
    HostCallFailure::not_found(format_args!("there is no row {id}"))
}

fn read_toon<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    table: TableId,
    request: &ReadRequest<'_, &[u8]>,
    projection: &Projection,
    response: &mut [u8],
) -> Result<usize, HostCallFailure> {
    let Some(schema) = context.database.schema(table) else {
        return Err(HostCallFailure::not_found("there is no such table"));
    };
    let columns = schema.columns();
    let (table_name, id_name) = (*schema.name(), schema.id_name());
    let places = projection.places(columns.len());
    let names: heapless::Vec<Name, MAX_COLUMNS> =
        places.clone().filter_map(|at| Some(columns.get(at)?.name)).collect();
    let mut writer = Writer::new(response);
    let names_of_columns = names.iter().map(|name| &**name);
    let table_of_rows = ToonTable::begin(&mut writer, &table_name, id_name, names_of_columns);
    let mut document = Document { table: table_of_rows, writer };
    let wanted = places.clone().fold(0_u32, |wanted, place| wanted | 1 << place);
    let mut page = Page::new(request.limit);
    let mut failure = None;
    let mut next = 0;
    let cut = each_row(context, table, request.rows, &mut |id, at, row| {
        // In one pass: reaching for each alone would pass over those before it again.
        let unpacked = row.unpack(wanted);
        let value = |at| unpacked.as_ref().and_then(|values| values.get(at).copied());
        let mut values = places.clone().map(|at| value(at).unwrap_or(Value::Null));
        let write = |document: &mut Document<'_>| {
            failure = document.table.row(&mut document.writer, id, &mut values).err();
        };
        let offer = page.offer(&mut document, || tail(at), MAX_TAIL, write);
        if offer.resumes {
            next = at;
        }
        offer.more && failure.is_none()
    });
    let written = document.written();
    // A row with a value that TOON does not have was taken back too.
    context.plugin.touched = if failure.is_some() { WHOLE } else { written };
    let cut = cut?;
    if let Some(ToonError { column, kind }) = failure {
        let column = names.get(column).map_or("?", |name| &**name);
        return Err(HostCallFailure::invalid(format_args!(
            "{table_name}.{column} has an {kind}, which a TOON table cannot hold"
        )));
    }
    let ended = page.end(&mut document, cut)?;
    let next = (ended == PageEnd::GoesOn).then_some(next);
    let rows = page.count();
    context.record_rows(rows);
    let Document { table, mut writer } = document;
    table.end(&mut writer);
    // Without rows the columns' names are taken back too.
    end(context, writer, next, if rows == 0 { written } else { page.taken_back() })
}

/// A TOON document and the response that it is written into.
struct Document<'b> {
    table: ToonTable,
    writer: Writer<'b>,
}

impl Sheet for Document<'_> {
    fn mark(&self) -> Mark {
        self.writer.mark()
    }

    fn rewind(&mut self, mark: Mark, count: usize) {
        self.table.rewind(&mut self.writer, mark, count);
    }

    fn len(&self, _count: usize) -> usize {
        self.table.ended_len(&self.writer)
    }

    fn written(&self) -> usize {
        self.writer.position()
    }

    fn capacity(&self) -> usize {
        self.writer.capacity()
    }
}

/// Takes a row by its id, where a page goes on that ends before it, and itself; whether to go on.
type TakeRow<'t> = dyn FnMut(u64, u64, &StoredRow<'_>) -> bool + 't;

/// Offers rows to `take` until it declines one. Returns whether it did.
///
/// # Errors
/// `NotFound` if one row is requested and does not exist; and those of reading.
fn each_row<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    table: TableId,
    rows: RowSelector<'_>,
    take: &mut TakeRow<'_>,
) -> Result<bool, HostCallFailure> {
    match rows {
        RowSelector::One(id) => {
            let mut found = false;
            let cut = each_of(context, table, [id].into_iter(), &mut |id, at, row| {
                found = true;
                take(id, at, row)
            })?;
            if found { Ok(cut) } else { Err(no_row(id)) }
        }
        RowSelector::List(ids) => each_of(context, table, ids.iter(), take),
        RowSelector::Range { from, until } => {
            let mut cut = false;
            context.database.scan_rows(table, from, until, context.meter, &mut |id, row| {
                cut = !take(id, id, &row);
                if cut { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            Ok(cut)
        }
    }
}

fn each_of<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    table: TableId,
    ids: impl Iterator<Item = u64>,
    take: &mut TakeRow<'_>,
) -> Result<bool, HostCallFailure> {
    for (at, id) in (0..).zip(ids) {
        let read = context
            .database
            .read_row(table, id, context.meter, |row| (take(id, at, &row), row.len()))?;
        if let Some((more, len)) = read {
            context.meter.read_bytes(len)?;
            if !more {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[inline]
fn end<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    mut writer: Writer<'_>,
    next: Option<u64>,
    taken_back: usize,
) -> Result<usize, HostCallFailure> {
    writer.bool(next.is_some());
    if let Some(next) = next {
        writer.u64(next);
    }
    let len = finish(writer)?;
    context.plugin.touched = taken_back;
    Ok(len)
}
