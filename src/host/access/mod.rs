//! Who a plugin is and what it may do: its configuration, its identity, and the context through which
//! host functions ask for tables.

mod context;
#[cfg(feature = "hooks")]
mod hooks;
mod identity;
mod plugin_config;

pub use context::HostFunctionContext;
#[cfg(feature = "hooks")]
pub(crate) use hooks::Hooks;
#[cfg(feature = "hooks")]
pub use hooks::{Hook, HookError, MAX_HOOKS};
#[cfg(feature = "hooks")]
pub(super) use identity::Caller;
pub(super) use identity::{Identity, WHOLE};
pub use plugin_config::{ConfigKeyError, MAX_CONFIG_KEY_LEN, OnDenied, PluginConfig};
