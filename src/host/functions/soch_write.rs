//! `soch_write`: inserts, updates or upserts rows, all of them or none.

use super::rows::finish;
use crate::{
    abi::{
        message::WriteRequest,
        wire::{self, Writer},
    },
    database::Storage,
    host::{access::HostFunctionContext, boundary::HostCallFailure},
};

/// Writes rows of a table.
#[derive(Clone, Copy, Debug, Default)]
pub struct SochWrite;

pub(in crate::host) fn soch_write<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    request: &[u8],
    response: &mut [u8],
) -> Result<usize, HostCallFailure> {
    let request: WriteRequest<'_, &[u8]> = wire::decode(request)?;
    let table = context.check_write(request.table)?;
    let mut writer = Writer::new(response);
    writer.len(request.rows.len());
    let written = context.database.write(
        table,
        request.mode,
        &request.columns,
        &request.rows,
        context.meter,
        &mut |id| writer.u64(id),
    );
    context.plugin.touched = writer.position();
    context.entry.rows = written?;
    // A response that does not fit fails the call, which rolls the rows back: the plugin would not
    // learn their ids.
    let len = finish(writer)?;
    context.plugin.touched = 0;
    Ok(len)
}
