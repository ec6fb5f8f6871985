//! The database: tables of typed rows with ids, ordered indexes and vector columns, over a small
//! [`Storage`].
//!
//! Whatever is written is pending until [`commit`](Database::commit) and seen by every read before
//! that; [`rollback`](Database::rollback) forgets it. A statement that fails leaves nothing of
//! itself. It knows no plugins: who may do what is decided above it, and what a call may use is
//! counted on the [`Meter`](crate::meter::Meter) that is passed in.

mod engine;
mod entries;
mod error;
#[cfg(feature = "flash")]
mod flash;
mod rows;
mod schema;
mod storage;
mod vectors;

pub use engine::{Database, IndexEntry, Neighbour, VisitEntry};
pub use entries::Savepoint;
pub use error::{Corruption, DatabaseError, GivenName};
#[cfg(feature = "flash")]
pub use flash::{FlashConfig, FlashStorage, Polled, SalvageReport, SalvagedFlash};
pub use rows::{Projection, StoredRow};
pub use schema::{
    Column, ColumnType, Index, MAX_COLUMNS, MAX_CONDITIONS, MAX_DIMENSIONS, MAX_INDEX_COLUMNS,
    MAX_INDEXES, SchemaError, TableId, TableSchema,
};
pub use storage::{
    Batch, BatchEntry, BatchTotals, Changes, ENTRY_OVERHEAD, KeyRange, MAX_KEY_LEN, MemoryLimits,
    MemoryStorage, Storage, StorageError, Visit,
};
#[cfg(feature = "redb")]
pub use storage::{Durability, RedbConfig, RedbStorage};
pub use vectors::DistanceMetric;

/// Where the storage on flash finds them.
#[cfg(feature = "flash")]
use self::{entries::key, storage::superblock};
