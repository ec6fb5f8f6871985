//! The record that a durable storage keeps about itself beside its entries: that it is a store of this crate,
//! its format and its totals. It is written with every batch, so it is always consistent with the entries.
//!
//! Its version covers how entries are kept on the device; what is in them has versions of its own:
//! the catalog, each counter and index entry, and each row begin with one.

use super::seam::Batch;
#[cfg(feature = "redb")]
use crate::{
    abi::wire::{Reader, WireError, Writer},
    database::entries::StorageError,
    limits::{Limit, LimitExceeded},
};

/// The first bytes of every superblock.
#[cfg(feature = "redb")]
const MAGIC: [u8; 4] = *b"SoDB";
/// Version of the format of durable storages.
#[cfg(feature = "redb")]
pub const STORE_VERSION: u8 = 1;
/// The longest superblock: magic, version and four numbers of up to ten bytes.
#[cfg(feature = "redb")]
pub const MAX_LEN: usize = MAGIC.len() + 1 + 4 * 10;

/// What a storage holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Superblock {
    /// Batches that were ever applied.
    pub batches: u64,
    /// Entries.
    pub entries: u64,
    /// Those of the entries that are rows.
    pub rows: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
}

impl Superblock {
    /// Writes it to `buffer` and returns the bytes.
    #[cfg(feature = "redb")]
    pub fn encode<'b>(&self, buffer: &'b mut [u8; MAX_LEN]) -> &'b [u8] {
        let mut writer = Writer::new(buffer);
        writer.raw(&MAGIC);
        writer.u8(STORE_VERSION);
        for number in [self.batches, self.entries, self.rows, self.bytes] {
            writer.u64(number);
        }
        let len = writer.position();
        buffer.get(..len).unwrap_or_default()
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`StorageError::Foreign`], [`StorageError::Version`], or [`StorageError::Corrupt`] if the
    /// numbers cannot be read.
    #[cfg(feature = "redb")]
    pub fn decode(bytes: &[u8]) -> Result<Self, StorageError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(StorageError::Foreign)?;
        let (&found, rest) = rest.split_first().ok_or(StorageError::Foreign)?;
        if found != STORE_VERSION {
            return Err(StorageError::Version { found });
        }
        let numbers = || -> Result<Self, WireError> {
            let mut reader = Reader::new(rest);
            let mut next = || reader.u64();
            let (batches, entries, rows, bytes) = (next()?, next()?, next()?, next()?);
            reader.finish()?;
            Ok(Self { batches, entries, rows, bytes })
        };
        numbers().map_err(|_| StorageError::Corrupt { at: None })
    }

    /// What the storage holds once `batch` is applied.
    pub fn after(&self, batch: &Batch<'_>) -> Self {
        let totals = batch.totals();
        Self {
            batches: self.batches.saturating_add(1),
            entries: self.entries.saturating_add_signed(totals.entries),
            rows: self.rows.saturating_add_signed(totals.rows),
            bytes: self.bytes.saturating_add_signed(totals.bytes),
        }
    }

    /// Says whether `batch` fits, of which `overhead` bytes are charged for each entry. One that
    /// frees room does, even if the storage is over a limit.
    ///
    /// # Errors
    /// [`StorageError::Full`].
    #[cfg(feature = "redb")]
    pub fn admit(
        &self,
        batch: &Batch<'_>,
        max_rows: u64,
        max_bytes: u64,
        overhead: u64,
    ) -> Result<(), StorageError> {
        let totals = batch.totals();
        let after = self.after(batch);
        if totals.rows > 0 && after.rows > max_rows {
            let (limit, asked) = (Limit::StoreRows, after.rows);
            return Err(StorageError::Full(LimitExceeded { limit, allowed: max_rows, asked }));
        }
        let added =
            totals.bytes.saturating_add(totals.entries.saturating_mul(overhead.cast_signed()));
        let asked = after.bytes.saturating_add(after.entries.saturating_mul(overhead));
        if added > 0 && asked > max_bytes {
            let limit = Limit::StoreBytes;
            return Err(StorageError::Full(LimitExceeded { limit, allowed: max_bytes, asked }));
        }
        Ok(())
    }
}
