//! `vector_search`: the k rows nearest to a query.

use super::rows::finish;
use crate::{
    abi::{
        message::SearchRequest,
        wire::{self, Writer},
    },
    database::Storage,
    host::{
        access::{HostFunctionContext, WHOLE},
        boundary::HostCallFailure,
    },
};

/// Searches a vector column.
#[derive(Clone, Copy, Debug, Default)]
pub struct VectorSearch;

pub(in crate::host) fn vector_search<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    request: &[u8],
    response: &mut [u8],
) -> Result<usize, HostCallFailure> {
    let request: SearchRequest<'_, &[u8]> = wire::decode(request)?;
    let table = context.check_vector_search(request.table)?;
    let projection = match &request.columns {
        Some(columns) => Some(context.database.projection(table, columns)?),
        None => None,
    };
    let SearchRequest { column, query, k, filter, .. } = request;
    context.database.search(table, column, query, k, &filter, context.meter)?;

    // What fails halfway may have written a part.
    context.plugin.touched = WHOLE;
    let neighbours = context.database.neighbours();
    let mut writer = Writer::new(response);
    writer.len(neighbours.len());
    for neighbour in neighbours {
        writer.u64(neighbour.id);
        writer.f32(neighbour.distance);
        match &projection {
            Some(projection) => {
                let found =
                    context.database.read_row(table, neighbour.id, context.meter, |row| {
                        row.encode(projection, &mut writer);
                        row.len()
                    })?;
                match found {
                    Some(len) => context.meter.read_bytes(len)?,
                    None => writer.len(0),
                }
            }
            None => writer.len(0),
        }
    }
    context.entry.rows = u32::try_from(neighbours.len()).unwrap_or(u32::MAX);
    let len = finish(writer)?;
    context.plugin.touched = 0;
    Ok(len)
}
