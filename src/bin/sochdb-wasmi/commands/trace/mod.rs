//! `trace …`: what is in a trace, whether it is whole, and how two of them differ. No plugin runs.

mod audit;
mod command;
mod show;

pub use command::{Command, run};
