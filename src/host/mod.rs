//! The wasmi side: loading plugins, calling them, answering their host calls.
//!
//! A [`Host`] holds one database and any number of plugins. While a plugin runs it is lent what
//! they share (database, registry, audit log, metrics, clock), so calls on one host run one at a
//! time and need no lock.
//!
//! It does not know how rows are stored ([`crate::database`]) nor how messages are encoded
//! ([`crate::abi`]).

// Without either there is no function that loads a plugin.
#![cfg_attr(
    not(any(feature = "validate", feature = "trusted")),
    allow(dead_code, unused_imports, reason = "nothing is ever loaded")
)]

mod access;
mod boundary;
mod clock;
mod error;
pub(crate) mod functions;
#[doc(hidden)]
pub mod logs;
pub mod metrics;
mod module;
mod plugin;
mod registry;
mod replacement;
mod report;
mod runtime;
mod slice;
pub(crate) mod tape;
#[doc(hidden)]
pub mod toon;

pub use access::{ConfigKeyError, HostFunctionContext, MAX_CONFIG_KEY_LEN, OnDenied, PluginConfig};
#[cfg(feature = "hooks")]
pub use access::{Hook, HookError, MAX_HOOKS};
pub use boundary::{HostCallFailure, HostCallResult, MAX_MESSAGE_LEN, Message};
#[cfg(feature = "std")]
pub use clock::MonotonicClock;
pub use clock::{Clock, NoClock};
pub use error::{CallError, LoadError};
pub use module::{MAX_EXPORTS, MAX_TABLES, RamBound};
pub use registry::{HostFunction, HostFunctionRegistry, RegistryError};
pub use replacement::{ReplaceError, Replacement};
pub use report::CallReport;
#[cfg(feature = "hooks")]
pub use runtime::WriteError;
pub use runtime::{Host, HostConfig, Outcome};
pub use slice::{FuelSlice, SliceDecision, SliceHook};
