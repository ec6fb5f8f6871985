//! Replays of traces: the plugin runs again, and the trace answers it in place of the database and the
//! clock. A plugin that does something else than was recorded is reported as a [`Divergence`].
//!
//! It runs plugins with [`host`](crate::host) and reads what [`trace`](crate::trace) defines. It
//! reads no files and prints nothing: the command line does.
//!
//! Rooms: `explain` (events and their differences in words), `run` (a replay), `tools` (what is made of
//! traces). Each uses those before it.

mod explain;
mod json;
mod run;
mod tools;

pub use explain::{Cause, Divergence, Line, Names, Side};
pub use run::{FuelDifference, NoAnswer, PassedOver, Replay, ReplayError, Replayer};
pub use tools::{
    Blessed, Denial, Diff, DiffError, DiffOptions, EntryStats, Failure, FunctionStats, InferError,
    Inference, Inferred, MinimiseError, Minimised, Minimiser, Progress, Refusal, Stats, Verified,
    WhatIf, audit_entries, diff, infer, stats, verify, what_if,
};
