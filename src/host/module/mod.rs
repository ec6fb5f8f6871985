//! Modules before they are instantiated: checks, rewriting, the interpreter's configuration, and the RAM
//! that a plugin can take.
//!
//! This room knows no plugin that runs.

mod catch_panic;
mod check;
mod engine;
mod import_memory;
mod insertions;
mod locals;
mod operators;
mod ram_bound;

pub(super) use catch_panic::catch_panic;
pub use check::{MAX_EXPORTS, MAX_TABLES};
pub(super) use check::{check_code, check_sections};
pub(super) use engine::engine;
pub(super) use import_memory::import_memory;
pub use ram_bound::RamBound;
