//! Where the tables of a run are: in RAM, or in a file that stays.

use std::path::Path;

use sochdb_wasmi::database::{
    Batch, Database, DatabaseError, KeyRange, MemoryLimits, MemoryStorage, RedbConfig, RedbStorage,
    Storage, StorageError, Visit,
};

/// The storage of a run.
pub enum Store {
    Memory(MemoryStorage),
    File(Box<RedbStorage>),
}

impl Store {
    /// The database in the file at `path`, which is made if it is not there; one in RAM without.
    pub fn open(path: Option<&Path>) -> Result<Database<Self>, DatabaseError> {
        Database::open(match path {
            None => Self::Memory(MemoryStorage::new(MemoryLimits::default())),
            Some(path) => Self::File(Box::new(RedbStorage::open(path, RedbConfig::default())?)),
        })
    }
}

impl Storage for Store {
    fn max_value_len(&self) -> u64 {
        match self {
            Self::Memory(store) => store.max_value_len(),
            Self::File(store) => store.max_value_len(),
        }
    }

    fn get<R>(&self, key: &[u8], with: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, StorageError> {
        match self {
            Self::Memory(store) => store.get(key, with),
            Self::File(store) => store.get(key, with),
        }
    }

    fn scan(
        &self,
        range: KeyRange<'_>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StorageError> {
        match self {
            Self::Memory(store) => store.scan(range, reverse, visit),
            Self::File(store) => store.scan(range, reverse, visit),
        }
    }

    fn admit(&self, batch: &Batch<'_>) -> Result<(), StorageError> {
        match self {
            Self::Memory(store) => store.admit(batch),
            Self::File(store) => store.admit(batch),
        }
    }

    fn apply(&mut self, batch: &Batch<'_>) -> Result<(), StorageError> {
        match self {
            Self::Memory(store) => store.apply(batch),
            Self::File(store) => store.apply(batch),
        }
    }
}
