//! A plugin that is loaded: its store, its linear memory, and its host calls.
//!
//! This room knows how a plugin is made and answered, but not the host that has it.

#[cfg(feature = "hooks")]
mod batch;
mod buffers;
mod chain;
mod compiler;
mod dispatch;
mod linear_memory;
pub(super) mod load;
#[cfg(feature = "hooks")]
mod nested_call;
mod plugins;
mod state;

#[cfg(feature = "hooks")]
pub(super) use batch::{Change, MAX_ROWS, Rows, Scratch, append};
pub(super) use buffers::{Buffer, Buffers};
pub(super) use chain::Chain;
pub(super) use compiler::Compiler;
pub(super) use linear_memory::{imported, initial_bytes};
pub(super) use state::{Plugin, PluginState, Plugins, Previous, Shared, reason};
