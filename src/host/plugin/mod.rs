//! A plugin that is loaded: its store, its linear memory, and its host calls.
//!
//! This room knows how a plugin is made and answered, but not the host that has it.

mod buffers;
mod dispatch;
mod linear_memory;
pub(super) mod load;
mod shared;
mod state;

pub(super) use buffers::Buffers;
pub(super) use shared::Shared;
pub(super) use state::{Plugin, PluginState, reason};
