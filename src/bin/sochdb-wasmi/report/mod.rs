//! What a command reports, on which stream and with which exit code.

pub mod failure;
mod failure_text;
pub mod output;
pub mod problem;
pub mod progress;
pub mod verbosity;
