//! `log_message`: a text for the embedder's log.

use crate::{
    abi::{message::LogRequest, wire},
    database::Storage,
    escaped::Escaped,
    host::{access::HostFunctionContext, boundary::HostCallFailure, logs},
};

/// Logs a message.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogMessage;

pub(in crate::host) fn log_message<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    request: &[u8],
    _response: &mut [u8],
) -> Result<usize, HostCallFailure> {
    let LogRequest { level, message } = wire::decode(request)?;
    // Counted whether or not a logger wants it, so that a call ends the same everywhere.
    context.meter.log(Escaped::new(message, context.log_bytes).printed_len())?;
    logs::deliver(&context.plugin.log_target, level, message, context.log_bytes);
    context.plugin.passes_over_call();
    Ok(0)
}
