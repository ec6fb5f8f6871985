//! Recorders: a buffer, a sink or a ring that events are written to while a host runs.

mod events;
mod frames;
mod recorder;
mod ring;
mod sink;

pub use recorder::Recorder;
pub use sink::Sink;
