//! Entries: the keys and values that a storage holds, and those that a transaction has not committed.
//!
//! This room knows the order of keys, but neither storages nor the layout of rows.

mod entry;
pub(super) mod key;
mod order;
mod pending;

pub use entry::{BatchEntry, BatchTotals, KeyRange, MAX_KEY_LEN, StorageError, Visit};
pub(super) use key::{INDEX_PREFIX_LEN, IndexKey, Key};
pub(super) use order::{Order, Position};
pub(super) use pending::Pending;
pub use pending::Savepoint;
