//! Statements in batches.

use super::{failed::Failed, fire::fire, gather};
use crate::{
    abi::{
        Builtin, Seq,
        message::{DeleteRequest, DeleteResponse, NewRow, RowSelector, WriteMode, WriteRequest},
        wire::{self, Writer},
    },
    audit::AuditEntry,
    database::{Database, DatabaseError, Savepoint, Storage, TableId},
    host::{
        access::HostFunctionContext,
        boundary::{Entered, HostCallFailure, HostCallResult},
        functions,
        plugin::{Change, MAX_ROWS, PluginState, Scratch, Shared},
    },
    meter::Meter,
};

/// Answers `soch_write` and `soch_delete` of a host with hooks. Returns how many rows were written, too.
pub(in crate::host::runtime) fn change<S: Storage + 'static>(
    caller: &mut PluginState<S>,
    function: Builtin,
    request: &[u8],
    response: &mut [u8],
) -> (Entered, u32) {
    let mut rows = 0;
    let answered = match function {
        Builtin::SochWrite => write(caller, request, response, &mut rows),
        Builtin::SochDelete => delete(caller, request, response, &mut rows),
        Builtin::SochRead
        | Builtin::VectorSearch
        | Builtin::IndexLookup
        | Builtin::EmitMetric
        | Builtin::LogMessage
        | Builtin::GetConfig
        | Builtin::LastError
        | Builtin::CallPlugin => Err(Failed::Answer(HostCallResult::failed("no statement"))),
    };
    match answered {
        Ok(len) => (Entered::Answer(HostCallResult::Success(len)), rows),
        Err(failed) => (failed.into_entered(), 0),
    }
}

/// What a function of the host works with, for the checks that it makes.
fn in_context<S: Storage, R>(
    caller: &mut PluginState<S>,
    run: impl FnOnce(&mut HostFunctionContext<'_, S>) -> Result<R, HostCallFailure>,
) -> Result<(R, u32), Failed> {
    let PluginState { shared, identity, meter, .. } = caller;
    let Some(Shared { database, metrics, log_bytes, .. }) = shared.as_deref_mut() else {
        return Err(Failed::Answer(HostCallResult::failed("nothing is shared")));
    };
    let mut entry = AuditEntry::default();
    let result = run(&mut HostFunctionContext {
        plugin: identity,
        database,
        metrics,
        meter,
        entry: &mut entry,
        log_bytes: *log_bytes,
    })?;
    Ok((result, entry.rows))
}

fn write<S: Storage + 'static>(
    caller: &mut PluginState<S>,
    request: &[u8],
    response: &mut [u8],
    written: &mut u32,
) -> Result<usize, Failed> {
    let decoded: WriteRequest<'_, &[u8]> = wire::decode(request).map_err(HostCallFailure::from)?;
    let (table, _) = in_context(caller, |context| context.check_write(decoded.table))?;
    if !is_watched(caller, table) {
        let (len, rows) =
            in_context(caller, |context| functions::soch_write(context, request, response))?;
        *written = rows;
        return Ok(len);
    }
    let WriteRequest { mode, columns, rows, .. } = decoded;
    statement(caller, |caller, scratch| {
        write_rows(caller, table, mode, &columns, &mut rows.iter(), scratch)?;
        let mut writer = Writer::new(response);
        writer.len(scratch.ids.len());
        scratch.ids.iter().for_each(|id| writer.u64(*id));
        // A response that does not fit fails the call: the plugin would not learn the ids.
        let len = writer.finish().map_err(HostCallFailure::from)?;
        caller.meter.move_bytes(len)?;
        *written = u32::try_from(scratch.ids.len()).unwrap_or(u32::MAX);
        Ok(len)
    })
}

fn delete<S: Storage + 'static>(
    caller: &mut PluginState<S>,
    request: &[u8],
    response: &mut [u8],
    deleted: &mut u32,
) -> Result<usize, Failed> {
    let decoded: DeleteRequest<'_, &[u8]> = wire::decode(request).map_err(HostCallFailure::from)?;
    let (table, _) = in_context(caller, |context| context.check_write(decoded.table))?;
    if !is_watched(caller, table) {
        let (len, rows) =
            in_context(caller, |context| functions::soch_delete(context, request, response))?;
        *deleted = rows;
        return Ok(len);
    }
    statement(caller, |caller, scratch| {
        let count = delete_rows(caller, table, &decoded.rows, scratch)?;
        let response = wire::encode(&DeleteResponse { count }, response);
        let len = response.map_err(HostCallFailure::from)?;
        caller.meter.move_bytes(len)?;
        *deleted = u32::try_from(count).unwrap_or(u32::MAX);
        Ok(len)
    })
}

/// Whether any hook is for the table.
fn is_watched<S: Storage>(caller: &PluginState<S>, table: TableId) -> bool {
    let Some(shared) = caller.shared.as_deref() else { return false };
    let Some(schema) = shared.database.schema(table) else { return false };
    let mut hooks = (0..shared.plugins.len()).flat_map(|at| shared.plugins.hooks(at));
    hooks.any(|hook| hook.tables().matches(schema.name()))
}

/// Runs a statement. If it fails, nothing of it stays, nor of what hooks wrote in it.
pub fn statement<S: Storage + 'static, R>(
    caller: &mut PluginState<S>,
    run: impl FnOnce(&mut PluginState<S>, &mut Scratch) -> Result<R, Failed>,
) -> Result<R, Failed> {
    let savepoint = savepoint(caller);
    let spare = caller.shared.as_deref_mut().and_then(|shared| shared.scratch.pop());
    let mut scratch = spare.unwrap_or_default();
    scratch.ids.clear();
    let result = run(caller, &mut scratch);
    if let Some(shared) = caller.shared.as_deref_mut() {
        shared.scratch.push(scratch);
    }
    if result.is_err()
        && let (Some(shared), Some(savepoint)) = (caller.shared.as_deref_mut(), savepoint)
    {
        shared.database.rollback_to(savepoint);
    }
    result
}

fn savepoint<S: Storage>(caller: &PluginState<S>) -> Option<Savepoint> {
    caller.shared.as_deref().map(|shared| shared.database.savepoint())
}

/// The database and the meter of who makes the statement.
pub fn parts<S: Storage>(
    caller: &mut PluginState<S>,
) -> Result<(&mut Database<S>, &mut Meter), Failed> {
    match (caller.shared.as_deref_mut(), &mut caller.meter) {
        (Some(shared), meter) => Ok((&mut shared.database, meter)),
        (None, _) => Err(Failed::Answer(HostCallResult::failed("nothing is shared"))),
    }
}

/// Writes rows. Their ids are in `scratch` then, without those of rows that a hook skipped.
pub fn write_rows<S: Storage + 'static>(
    caller: &mut PluginState<S>,
    table: TableId,
    mode: WriteMode,
    columns: &Seq<'_, &str>,
    given: &mut dyn Iterator<Item = NewRow<'_>>,
    scratch: &mut Scratch,
) -> Result<(), Failed> {
    let targets = parts(caller)?.0.projection(table, columns)?;
    let room = largest_room(caller);
    let mut batch = None;
    scratch.rows.clear();
    for row in given {
        let again = row.id.is_some_and(|id| mode != WriteMode::Insert && scratch.rows.has(id));
        let full = scratch.rows.len() >= MAX_ROWS || scratch.rows.bytes() >= room;
        if let Some(change) = batch.filter(|_| again || full) {
            finish(caller, table, (change, mode), scratch)?;
            batch = None;
        }
        let (database, meter) = parts(caller)?;
        let (told, rows) = ((table, mode, &targets), &mut scratch.rows);
        let change = gather::written((database, meter), told, &row, rows)?;
        if let Some(before) = batch.filter(|before| *before != change) {
            scratch.rows.pop();
            finish(caller, table, (before, mode), scratch)?;
            // What the batch and its hooks wrote may have changed the row.
            let (database, meter) = parts(caller)?;
            let rows = &mut scratch.rows;
            batch = Some(gather::written((database, meter), told, &row, rows)?);
            continue;
        }
        batch = Some(change);
    }
    match batch {
        Some(change) => finish(caller, table, (change, mode), scratch),
        None => Ok(()),
    }
}

/// The largest Input Buffer of a plugin, or the least that a batch may have.
fn largest_room<S: Storage>(caller: &PluginState<S>) -> usize {
    let Some(shared) = caller.shared.as_deref() else { return 0 };
    let rooms = shared.plugins.iter().map(|plugin| plugin.descriptor.input_capacity as usize);
    rooms.max().unwrap_or(0)
}

/// Brings a batch through the hooks and the database. The rows of the scratch are gone then.
fn finish<S: Storage + 'static>(
    caller: &mut PluginState<S>,
    table: TableId,
    (change, mode): (Change, WriteMode),
    scratch: &mut Scratch,
) -> Result<(), Failed> {
    fire(caller, table, change.before(), scratch)?;
    if !scratch.rows.is_empty() {
        store(caller, table, (change, mode), scratch)?;
        fire(caller, table, change.after(), scratch)?;
    }
    scratch.rows.clear();
    Ok(())
}

/// Writes or deletes the rows of a batch.
fn store<S: Storage>(
    caller: &mut PluginState<S>,
    table: TableId,
    (change, mode): (Change, WriteMode),
    scratch: &mut Scratch,
) -> Result<(), Failed> {
    let (database, meter) = parts(caller)?;
    let Scratch { rows, ids, batch_ids, .. } = scratch;
    batch_ids.clear();
    if change == Change::Delete {
        batch_ids.extend(rows.ids().flatten());
        let selected = RowSelector::List(Seq::new(batch_ids));
        let deleted = database.delete(table, &selected, meter)?;
        // Those that a hook deleted are gone, too.
        debug_assert!(deleted <= batch_ids.len() as u64);
    } else {
        let written = rows.written().map_err(HostCallFailure::from)?;
        let all = Seq::empty();
        database.write(table, mode, &all, &written, meter, &mut |id| batch_ids.push(id))?;
        rows.set_ids(batch_ids);
    }
    ids.extend_from_slice(batch_ids);
    Ok(())
}

/// Deletes rows, and returns how many.
pub fn delete_rows<S: Storage + 'static>(
    caller: &mut PluginState<S>,
    table: TableId,
    selected: &RowSelector<'_>,
    scratch: &mut Scratch,
) -> Result<u64, Failed> {
    scratch.rows.clear();
    let one;
    let mut listed = match selected {
        RowSelector::One(id) => {
            one = [*id];
            Seq::new(&one).iter()
        }
        RowSelector::List(ids) => ids.iter(),
        RowSelector::Range { from, until } => {
            return delete_range(caller, table, (*from, *until), scratch);
        }
    };
    let room = largest_room(caller);
    let batch = (Change::Delete, WriteMode::Update);
    loop {
        let next = listed.next();
        let full = scratch.rows.len() >= MAX_ROWS || scratch.rows.bytes() >= room;
        if next.is_none_or(|id| full || scratch.rows.has(id)) {
            finish(caller, table, batch, scratch)?;
        }
        let Some(id) = next else { return Ok(scratch.ids.len() as u64) };
        let (database, meter) = parts(caller)?;
        gather::deleted((database, meter), table, id, &mut scratch.rows)?;
    }
}

/// Deletes the rows of a range of ids that are there when the statement begins: those that hooks insert
/// behind them are not among them.
fn delete_range<S: Storage + 'static>(
    caller: &mut PluginState<S>,
    table: TableId,
    (mut from, until): (u64, Option<u64>),
    scratch: &mut Scratch,
) -> Result<u64, Failed> {
    let batch = (Change::Delete, WriteMode::Update);
    let end = parts(caller)?.0.next_id(table)?;
    let until = until.map_or(end, |until| until.min(end));
    let room = largest_room(caller);
    while from < until {
        let (database, meter) = parts(caller)?;
        let rows = &mut scratch.rows;
        let last = gather::deleted_range((database, meter), table, (from, until), room, rows)?;
        if scratch.rows.is_empty() {
            break;
        }
        finish(caller, table, batch, scratch)?;
        from = last.saturating_add(1);
    }
    Ok(scratch.ids.len() as u64)
}

/// The error of a table that does not exist.
pub fn unknown<S: Storage>(database: &Database<S>, table: &str) -> Result<TableId, DatabaseError> {
    let unknown = || DatabaseError::UnknownTable { table: crate::database::GivenName::new(table) };
    database.table_id(table).ok_or_else(unknown)
}
