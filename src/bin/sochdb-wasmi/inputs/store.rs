//! Where tables are: in RAM, in a file that stays, or in a dump of a device's flash.

use std::path::Path;

use sochdb_wasmi::database::{
    Batch, Database, DatabaseError, FlashStorage, KeyRange, MemoryLimits, MemoryStorage,
    RedbConfig, RedbStorage, SalvageReport, SalvagedFlash, Storage, StorageError, Visit,
};

use super::flash_dump::FlashDump;

/// The storage of a run.
pub enum Store {
    Memory(MemoryStorage),
    File(Box<RedbStorage>),
    Flash(Box<FlashStorage<FlashDump>>),
    Salvaged(Box<SalvagedFlash>),
}

impl Store {
    /// The database in the file at `path`, which is made if it is not there; one in RAM without.
    /// It holds at most so many rows and bytes, or as many as the storage does by default.
    pub fn open(
        path: Option<&Path>,
        max_rows: Option<u32>,
        max_bytes: Option<u64>,
    ) -> Result<Database<Self>, DatabaseError> {
        Database::open(match path {
            None => {
                let mut limits = MemoryLimits::default();
                limits.max_rows = max_rows.unwrap_or(limits.max_rows);
                limits.max_bytes = max_bytes.unwrap_or(limits.max_bytes);
                Self::Memory(MemoryStorage::new(limits))
            }
            Some(path) => {
                let mut config = RedbConfig::default();
                config.max_rows = max_rows.unwrap_or(config.max_rows);
                config.max_bytes = max_bytes.unwrap_or(config.max_bytes);
                Self::File(Box::new(RedbStorage::open(path, config)?))
            }
        })
    }

    /// The database in the bytes of a device's flash.
    pub fn of_flash(bytes: Vec<u8>) -> Result<Database<Self>, DatabaseError> {
        let end = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        // Opening makes a store in a region that is erased: there is nothing to look at.
        if bytes.iter().all(|byte| *byte == 0xff) {
            return Err(StorageError::Foreign.into());
        }
        let flash = FlashStorage::open(FlashDump(bytes), 0..end)?;
        Database::open(Self::Flash(Box::new(flash)))
    }

    /// What is whole in the bytes of a device's flash.
    pub fn salvaged(bytes: Vec<u8>) -> Result<(Database<Self>, SalvageReport), DatabaseError> {
        let end = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let salvaged = SalvagedFlash::read(FlashDump(bytes), 0..end)?;
        let report = salvaged.report().clone();
        Ok((Database::open(Self::Salvaged(Box::new(salvaged)))?, report))
    }
}

impl Storage for Store {
    fn max_value_len(&self) -> u64 {
        match self {
            Self::Memory(store) => store.max_value_len(),
            Self::File(store) => store.max_value_len(),
            Self::Flash(store) => store.max_value_len(),
            Self::Salvaged(store) => store.max_value_len(),
        }
    }

    fn get<R>(&self, key: &[u8], with: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, StorageError> {
        match self {
            Self::Memory(store) => store.get(key, with),
            Self::File(store) => store.get(key, with),
            Self::Flash(store) => store.get(key, with),
            Self::Salvaged(store) => store.get(key, with),
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
            Self::Flash(store) => store.scan(range, reverse, visit),
            Self::Salvaged(store) => store.scan(range, reverse, visit),
        }
    }

    fn admit(&self, batch: &Batch<'_>) -> Result<(), StorageError> {
        match self {
            Self::Memory(store) => store.admit(batch),
            Self::File(store) => store.admit(batch),
            Self::Flash(store) => store.admit(batch),
            Self::Salvaged(store) => store.admit(batch),
        }
    }

    fn apply(&mut self, batch: &Batch<'_>) -> Result<(), StorageError> {
        match self {
            Self::Memory(store) => store.apply(batch),
            Self::File(store) => store.apply(batch),
            Self::Flash(store) => store.apply(batch),
            Self::Salvaged(store) => store.apply(batch),
        }
    }
}
