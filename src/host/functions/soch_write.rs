//! `soch_write`: inserts, updates or upserts rows, all of them or none.

use super::rows::finish;
use crate::{
    abi::{
        message::WriteRequest,
        wire::{self, Writer},
    },
    database::Storage,
    host::{HostCallResult, HostFunctionContext},
};

/// Writes rows of a table.
pub struct SochWrite;

pub(in crate::host) fn soch_write<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    request: &[u8],
    response: &mut [u8],
) -> Result<usize, HostCallResult> {
    let request: WriteRequest<'_, &[u8]> = wire::decode(request)?;
    let table = context.check_write(request.table)?;
    let savepoint = context.database.savepoint();
    let mut writer = Writer::new(response);
    writer.len(request.rows.len());
    let written = context.database.write(
        table,
        request.mode,
        &request.columns,
        &request.rows,
        context.meter,
        &mut |id| writer.u64(id),
    )?;
    // A response that does not fit fails the statement: the plugin would not learn the ids.
    let len = finish(writer).inspect_err(|_| context.database.rollback_to(savepoint))?;
    context.entry.rows = written;
    Ok(len)
}
