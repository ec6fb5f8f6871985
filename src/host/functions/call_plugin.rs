//! `call_plugin`: an entry point of another plugin. It runs another plugin, which no function can do that works
//! in the context of one: the host answers it before it looks here, in `runtime/nested.rs`.

use crate::{
    database::Storage,
    host::{access::HostFunctionContext, boundary::HostCallFailure},
};

/// Calls another plugin.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallPlugin;

/// What is answered in a build that calls no plugins for plugins.
pub(in crate::host) fn call_plugin<S: Storage>(
    context: &mut HostFunctionContext<'_, S>,
    _request: &[u8],
    _response: &mut [u8],
) -> Result<usize, HostCallFailure> {
    Err(HostCallFailure::not_found(format_args!(
        "{} cannot call plugins: this host is built without the feature hooks",
        context.plugin()
    )))
}
