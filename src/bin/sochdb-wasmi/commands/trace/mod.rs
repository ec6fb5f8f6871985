//! `trace …`: what is in a trace, whether it is whole, and how two of them differ.

mod audit;
mod command;
mod report;
mod show;

pub use command::{Command, run};
