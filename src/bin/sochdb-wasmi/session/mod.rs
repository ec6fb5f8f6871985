//! A plugin on a host with tables from files: what is set up before its calls, and what is reported of each.

pub mod call_report;
mod denials;
mod logger;
pub mod recorder_setup;
pub mod stage;
mod summary;
pub mod tables;
