//! `get_config`: the plugin's own configuration, one key at a time.

use super::rows::finish;
use crate::{
    abi::{
        CALLER_KEY, Value,
        wire::{self, Writer},
    },
    database::Storage,
    escaped::quoted,
    host::{access::HostFunctionContext, boundary::HostCallFailure},
};

/// Reads the plugin's configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct GetConfig;

pub(in crate::host) fn get_config<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    request: &[u8],
    response: &mut [u8],
) -> Result<usize, HostCallFailure> {
    // The request is a `ConfigRequest`. Its key is taken as bytes and checked only if it is not found:
    // one that is found was set as text.
    let key: &[u8] = wire::decode(request)?;
    let Some(value) = context.plugin.settings.get(key) else {
        let key: &str = wire::decode(request)?;
        // A setting of this name would be the embedder's will.
        if let Some(caller) = context.plugin.caller.as_ref().filter(|_| key == CALLER_KEY) {
            return Ok(wire::encode(&Value::Text(caller.name()), response)?);
        }
        return Err(HostCallFailure::not_found(format_args!(
            "there is no setting {}",
            quoted(key)
        )));
    };
    // A setting is kept as the bytes of its value, which are the bytes of the response.
    let mut writer = Writer::new(response);
    writer.raw(value);
    finish(writer)
}
