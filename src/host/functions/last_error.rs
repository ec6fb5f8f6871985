//! `last_error`: the text of the plugin's last failed host call in this call, and nothing else.

use crate::{
    abi::{
        message::{LastErrorRequest, LastErrorResponse},
        wire,
    },
    database::Storage,
    host::{access::HostFunctionContext, boundary::HostCallFailure},
};

/// Reads the text of the last failure.
#[derive(Clone, Copy, Debug, Default)]
pub struct LastError;

pub(in crate::host) fn last_error<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    request: &[u8],
    response: &mut [u8],
) -> Result<usize, HostCallFailure> {
    let LastErrorRequest {} = wire::decode(request)?;
    let text = context.plugin.last_error.as_str();
    if text.is_empty() {
        return Err(HostCallFailure::not_found("no host call has failed"));
    }
    let len = wire::encode(&LastErrorResponse { text }, response)?;
    context.plugin.passes_over_call();
    Ok(len)
}
