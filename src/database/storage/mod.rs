//! Storages: the [`Storage`] trait, and the implementations in RAM and in a file.
//!
//! A storage is an ordered map that applies batches whole. This room knows neither tables nor rows,
//! except that the one in RAM counts rows by their keys.

mod changes;
#[cfg(feature = "redb")]
mod file;
mod memory;
mod seam;
#[cfg(any(feature = "redb", feature = "flash"))]
pub(super) mod superblock;

pub use changes::Changes;
#[cfg(feature = "redb")]
pub use file::{Durability, RedbConfig, RedbStorage};
pub use memory::{ENTRY_OVERHEAD, MemoryLimits, MemoryStorage};
pub(super) use seam::put;
pub use seam::{Batch, Storage};

pub use super::entries::{BatchEntry, BatchTotals, KeyRange, MAX_KEY_LEN, StorageError, Visit};
