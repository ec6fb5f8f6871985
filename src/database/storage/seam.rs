//! The seam between the engine and where bytes are kept: an ordered map from byte keys to byte
//! values, changed in batches that apply whole or not at all.
//!
//! The engine needs no more than this, so that a store on raw flash (an ordered, transactional
//! key-value log) or in a file can take the place of [`MemoryStorage`](crate::database::MemoryStorage)
//! without a change to it. Nothing here knows tables, rows or indexes.

use crate::database::entries::{BatchEntry, BatchTotals, KeyRange, Pending, StorageError, Visit};

/// Changes that are made together, one per key.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a>(&'a Pending);

impl<'a> Batch<'a> {
    pub(crate) const fn new(pending: &'a Pending) -> Self {
        Self(pending)
    }

    /// The changes, keys rising. Deletes name only keys that the store holds.
    pub fn entries(&self) -> impl Iterator<Item = BatchEntry<'a>> + use<'a> {
        self.0.changes()
    }

    /// What they come to. Costs nothing: the sums are kept as the batch grows.
    #[must_use]
    pub const fn totals(&self) -> BatchTotals {
        self.0.totals()
    }
}

/// Where a database keeps its bytes.
///
/// Keys are at most [`MAX_KEY_LEN`](crate::database::MAX_KEY_LEN) bytes long and ordered by their bytes. The engine holds `&mut`
/// only to [`apply`](Self::apply).
pub trait Storage {
    /// The longest value that the storage can hold, in bytes. A statement that writes a longer one
    /// fails with [`StorageError::TooLarge`].
    fn max_value_len(&self) -> u64 {
        u64::MAX
    }

    /// Hands the value under `key` to `with`, or returns `None` if the key is missing.
    ///
    /// # Errors
    /// [`StorageError`], never [`StorageError::Full`].
    fn get<R>(&self, key: &[u8], with: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, StorageError>;

    /// Hands keys and values of `range` to `visit`, keys rising (falling if `reverse`), until it
    /// breaks. `visit` does not call the storage again, which may hold its device borrowed.
    ///
    /// # Errors
    /// [`StorageError`], never [`StorageError::Full`].
    fn scan(
        &self,
        range: KeyRange<'_>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StorageError>;

    /// Says whether the batch would fit. It is asked after every statement with everything that is
    /// pending, so that a full store fails the statement and not the commit.
    ///
    /// # Errors
    /// [`StorageError::Full`] if it would not.
    fn admit(&self, batch: &Batch<'_>) -> Result<(), StorageError>;

    /// Makes all changes of the batch, or none. A storage that outlives the program has made them
    /// for good when it returns, unless it was told that it need not.
    ///
    /// # Errors
    /// [`StorageError`]; the store is as it was then.
    fn apply(&mut self, batch: &Batch<'_>) -> Result<(), StorageError>;
}

/// Writes `value` under `key` in `pending`, or deletes it for `None`.
///
/// # Errors
/// [`StorageError::TooLarge`] for a value that the storage cannot hold, and what it returns when it is
/// asked what it holds.
pub(crate) fn put<S: Storage>(
    storage: &S,
    pending: &mut Pending,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(), StorageError> {
    let stored_len = |key: &[u8]| storage.get(key, |value| value.len() as u64);
    pending.put(storage.max_value_len(), stored_len, key, value)
}
