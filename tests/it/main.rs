//! The tests of everything that does not own its process, in one program: they are built and linked
//! once. Modules are named as the rooms of `src`; the other directories of `tests` are what they
//! share.
//!
//! Programs of their own have: what replaces the allocator or the logger (`trace_memory`, `logs`),
//! kills itself (`redb_file`), or runs in release builds too (`golden`, `dispatch`, `calls`).

#![allow(clippy::duplicate_mod, reason = "the golden lines bring the station's tables and types")]

extern crate alloc;

#[cfg(feature = "cli")]
mod cli;
mod contract;
mod database;
mod host;
mod manifest;
#[cfg(feature = "replay")]
mod replay;
#[cfg(all(feature = "flash", feature = "redb"))]
mod storage;
#[cfg(feature = "replay")]
mod trace;

#[cfg(all(feature = "flash", feature = "redb"))]
#[path = "../all_storages/mod.rs"]
mod all_storages;
#[cfg(feature = "replay")]
#[path = "../golden/compare.rs"]
mod compare;
#[path = "../counting/mod.rs"]
mod counting;
#[path = "../database_device/mod.rs"]
mod database_device;
#[cfg(all(feature = "flash", feature = "redb"))]
#[path = "../durable/mod.rs"]
mod durable;
#[cfg(feature = "replay")]
#[path = "../golden/trace.rs"]
mod golden_trace;
#[cfg(feature = "replay")]
#[path = "../golden/lines.rs"]
#[allow(dead_code, reason = "only the watched job is needed here")]
mod lines;
#[path = "../mirror/mod.rs"]
mod mirror;
#[cfg(all(feature = "flash", feature = "redb"))]
#[path = "../nor_flash/mod.rs"]
mod nor_flash;
#[path = "../page/mod.rs"]
mod page;
#[path = "../random/mod.rs"]
mod random;
#[cfg(any(feature = "cli", feature = "replay"))]
#[path = "../runner/mod.rs"]
mod runner;
#[cfg(all(feature = "flash", feature = "redb"))]
#[path = "../sampling/mod.rs"]
mod sampling;
#[path = "../../examples/station/mod.rs"]
mod station;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "replay")]
#[path = "../tracing/mod.rs"]
mod tracing;
#[cfg(feature = "replay")]
#[path = "../watched/mod.rs"]
mod watched;
