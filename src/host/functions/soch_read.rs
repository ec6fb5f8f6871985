//! `soch_read`: rows of a table by id, by list of ids, or by range.

use core::ops::ControlFlow;

use super::rows::{RowList, Taken, finish};
use crate::{
    abi::{
        Name, Value,
        message::{Format, ReadRequest, RowSelector},
        wire::{self, Reader, Writer, varint_len},
    },
    database::{MAX_COLUMNS, Projection, Storage, StoredRow, TableId},
    host::{
        HostCallResult, HostFunctionContext,
        context::WHOLE,
        toon::{ToonError, ToonTable},
    },
};

/// Reads rows of a table.
#[derive(Clone, Copy, Debug, Default)]
pub struct SochRead;

/// Bytes after the rows: the tag of the continuation and its longest value.
const TAIL: usize = 1 + varint_len(u64::MAX);

pub(in crate::host) fn soch_read<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    request: &[u8],
    response: &mut [u8],
) -> Result<usize, HostCallResult> {
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
) -> Result<usize, HostCallResult> {
    let request: ReadRequest<'_, &[u8]> = wire::decode(request)?;
    let table = context.readable(request.table)?;
    let projection = context.database.projection(table, &request.columns)?;
    match (request.format, request.rows) {
        (Format::Rows, rows) => {
            let mut writer = Writer::new(response);
            let mut list = RowList::begin(&mut writer, request.limit);
            let next = each_row(context, table, rows, &mut |id, row| {
                list.push(id, Some((row, &projection)), TAIL)
            });
            context.plugin.touched = list.written();
            let (next, taken_back) = (next?, list.taken_back());
            let (_, count) = list.end()?;
            if let (0, RowSelector::One(id)) = (count, rows) {
                return Err(no_row(id));
            }
            context.record_rows(count);
            end(context, writer, next, taken_back)
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
) -> Result<usize, HostCallResult> {
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
fn no_row(id: u64) -> HostCallResult {
    HostCallResult::not_found(format_args!("there is no row {id}"))
}

fn read_toon<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    table: TableId,
    request: &ReadRequest<'_, &[u8]>,
    projection: &Projection,
    response: &mut [u8],
) -> Result<usize, HostCallResult> {
    let Some(schema) = context.database.schema(table) else {
        return Err(HostCallResult::not_found("there is no such table"));
    };
    let columns = schema.columns();
    let table_name = *schema.name();
    let places = projection.places(columns.len());
    let names: heapless::Vec<Name, MAX_COLUMNS> =
        places.clone().filter_map(|at| Some(columns.get(at)?.name)).collect();
    let mut writer = Writer::new(response);
    let mut document = ToonTable::begin(&mut writer, &table_name, names.iter().map(|n| &**n));
    let limit = request.limit.map_or(usize::MAX, |limit| limit as usize);
    let mut failure = None;
    let mut needed = None;
    let mut taken_back = 0;
    let next = each_row(context, table, request.rows, &mut |id, row| {
        if document.rows() >= limit {
            return Taken::No;
        }
        // All values in one pass: reaching for each alone would pass over those before it again.
        let unpacked = row.unpack();
        let value = |at| unpacked.as_ref().and_then(|values| values.get(at).copied());
        let mut values = places.clone().map(|at| value(at).unwrap_or(Value::Null));
        if let Err(error) = document.row(&mut writer, id, &mut values) {
            failure = Some(error);
            return Taken::No;
        }
        if document.fits(&writer, TAIL) {
            return Taken::Yes;
        }
        taken_back = writer.position();
        needed = Some(taken_back + document.overhead(&writer) + TAIL);
        document.undo(&mut writer);
        Taken::No
    });
    let written = writer.position().max(taken_back);
    // A row with a value that TOON does not have was taken back too.
    context.plugin.touched = if failure.is_some() { WHOLE } else { written };
    let next = next?;
    if let Some(ToonError { column, kind }) = failure {
        let column = names.get(column).map_or("?", |name| &**name);
        return Err(HostCallResult::invalid(format_args!(
            "{table_name}.{column} has an {kind}, which a TOON table cannot hold"
        )));
    }
    let rows = document.rows();
    if let (0, Some(needed)) = (rows, needed) {
        return Err(HostCallResult::BufferTooSmall { needed });
    }
    context.record_rows(rows);
    document.end(&mut writer);
    // Without rows the columns' names are taken back too.
    end(context, writer, next, if rows == 0 { written } else { taken_back })
}

/// Offers rows to `take` until it declines one; says where to go on then.
fn each_row<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    table: TableId,
    rows: RowSelector<'_>,
    take: &mut dyn FnMut(u64, &StoredRow<'_>) -> Taken,
) -> Result<Option<u64>, HostCallResult> {
    match rows {
        RowSelector::One(id) => each_of(context, table, [id].into_iter(), take),
        RowSelector::List(ids) => each_of(context, table, ids.iter(), take),
        RowSelector::Range { from, until } => {
            let mut next = None;
            context.database.scan_rows(
                table,
                from,
                until,
                context.meter,
                &mut |id, row| match take(id, &row) {
                    Taken::Yes => ControlFlow::Continue(()),
                    Taken::No => {
                        next = Some(id);
                        ControlFlow::Break(())
                    }
                },
            )?;
            Ok(next)
        }
    }
}

fn each_of<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    table: TableId,
    ids: impl Iterator<Item = u64>,
    take: &mut dyn FnMut(u64, &StoredRow<'_>) -> Taken,
) -> Result<Option<u64>, HostCallResult> {
    for (at, id) in (0..).zip(ids) {
        let read = context
            .database
            .read_row(table, id, context.meter, |row| (take(id, &row), row.len()))?;
        if let Some((taken, len)) = read {
            context.meter.read_bytes(len)?;
            if taken == Taken::No {
                return Ok(Some(at));
            }
        }
    }
    Ok(None)
}

#[inline]
fn end<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    mut writer: Writer<'_>,
    next: Option<u64>,
    taken_back: usize,
) -> Result<usize, HostCallResult> {
    writer.bool(next.is_some());
    if let Some(next) = next {
        writer.u64(next);
    }
    let len = finish(writer)?;
    context.plugin.touched = taken_back;
    Ok(len)
}
