//! Replays of traces: the plugin runs again, and the trace answers it in place of the database and the
//! clock. What the plugin does otherwise than was recorded is told as a [`Divergence`].
//!
//! It runs plugins with [`host`](crate::host) and reads what [`trace`](crate::trace) defines. It
//! reads no files and prints nothing: the command line does.

mod audit;
mod calls;
mod divergence;
mod error;
mod explain;
mod line;
mod names;
mod run;

pub use audit::audit_entries;
pub use divergence::{Cause, Divergence, Side};
pub use error::ReplayError;
pub use line::Line;
pub use names::Names;
pub use run::{FuelDifference, Replay, Replayer};
