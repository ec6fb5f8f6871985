//! Replays of traces: the plugin runs again, and the trace answers it in place of the database and the
//! clock. What the plugin does otherwise than was recorded is told as a [`Divergence`].
//!
//! It runs plugins with [`host`](crate::host) and reads what [`trace`](crate::trace) defines. It
//! reads no files and prints nothing: the command line does.

mod audit;
mod bless;
mod call;
mod cause;
mod compare;
mod diff;
mod divergence;
mod error;
mod explain;
mod field_difference;
mod fields;
mod infer;
mod json;
mod limited;
mod line;
mod load;
mod minimise;
mod names;
mod outcome;
mod replayer;
mod run;
mod session;
mod stats;
mod steps;
mod usage;
mod what_if;

pub use audit::audit_entries;
pub use bless::Blessed;
pub use diff::{Diff, DiffError, DiffOptions, diff};
pub use divergence::{Cause, Divergence, Side};
pub use error::{NoAnswer, ReplayError};
pub use infer::{InferError, Inference, Inferred, infer};
pub use line::Line;
pub use minimise::{Failure, MinimiseError, Minimised, Minimiser, Progress};
pub use names::Names;
pub use outcome::{FuelDifference, PassedOver, Replay};
pub use replayer::Replayer;
pub use stats::{EntryStats, FunctionStats, Stats, Verified, stats, verify};
pub use what_if::{Denial, Refusal, WhatIf, what_if};
