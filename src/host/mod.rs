//! The wasmi side.

pub mod logs;
pub mod metrics;
mod prometheus;
pub mod toon;
