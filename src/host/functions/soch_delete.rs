//! `soch_delete`: deletes rows by id, by list of ids, or by range.

use crate::{
    abi::{
        message::{DeleteRequest, DeleteResponse},
        wire,
    },
    database::Storage,
    host::{access::HostFunctionContext, boundary::HostCallFailure},
};

/// Deletes rows of a table.
#[derive(Clone, Copy, Debug, Default)]
pub struct SochDelete;

pub(in crate::host) fn soch_delete<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    request: &[u8],
    response: &mut [u8],
) -> Result<usize, HostCallFailure> {
    let request: DeleteRequest<'_, &[u8]> = wire::decode(request)?;
    let table = context.check_write(request.table)?;
    let count = context.database.delete(table, &request.rows, context.meter)?;
    context.entry.rows = u32::try_from(count).unwrap_or(u32::MAX);
    Ok(wire::encode(&DeleteResponse { count }, response)?)
}
