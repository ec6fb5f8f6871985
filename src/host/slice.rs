//! What an embedder sees and decides between the slices of fuel of a call.

use crate::audit::PluginId;

/// A moment between two fuel slices of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FuelSlice {
    /// The running plugin.
    pub plugin: PluginId,
    /// How many slices have run.
    pub number: u32,
    /// Fuel used so far.
    pub fuel: u64,
    /// Time since the call began, in microseconds of the host's clock.
    pub elapsed_us: u64,
}

/// What the embedder wants after a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SliceDecision {
    /// Run the next slice.
    Continue,
    /// End the call; nothing that it wrote remains.
    Stop,
}

/// Called between fuel slices: feed a watchdog, yield to other tasks, or stop the call.
pub trait SliceHook: Send {
    /// Decides what happens after a slice.
    fn between_slices(&mut self, slice: &FuelSlice) -> SliceDecision;
}

impl<F: FnMut(&FuelSlice) -> SliceDecision + Send> SliceHook for F {
    fn between_slices(&mut self, slice: &FuelSlice) -> SliceDecision {
        self(slice)
    }
}
