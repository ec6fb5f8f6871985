//! What is made of traces: differences, figures, audit entries, what-if, grants, new and smaller traces. All
//! but the last two read events and run nothing.

mod audit;
mod bless;
mod diff;
mod infer;
mod minimise;
mod needed;
mod stats;
mod usage;
mod what_if;

pub use audit::audit_entries;
pub use bless::Blessed;
pub use diff::{Diff, DiffError, DiffOptions, diff};
pub use infer::{InferError, Inference, Inferred, infer};
pub use minimise::{Failure, MinimiseError, Minimised, Minimiser, Progress};
pub use stats::{EntryStats, FunctionStats, Stats, Verified, stats, verify};
pub use what_if::{Denial, Refusal, WhatIf, what_if};
