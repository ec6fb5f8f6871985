//! Batches without a database: for those who write a storage and want to test it alone.

use super::seam::{Batch, Storage, put};
use crate::{
    database::entries::{MAX_KEY_LEN, Pending, StorageError},
    limits::{Limit, LimitExceeded},
};

/// Changes that become a [`Batch`]. The engine makes its own; this is for tests of a [`Storage`].
#[derive(Debug, Default)]
pub struct Changes(Pending);

impl Changes {
    /// Writes `value` under `key`, or deletes it for `None`. The last change of a key counts.
    ///
    /// # Errors
    /// [`StorageError::TooLarge`] for a key above [`MAX_KEY_LEN`] or a value that the storage cannot
    /// hold, and what the storage returns when it is asked what it holds.
    pub fn put<S: Storage>(
        &mut self,
        storage: &S,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), StorageError> {
        if key.len() > MAX_KEY_LEN {
            return Err(StorageError::TooLarge(LimitExceeded {
                limit: Limit::KeyBytes,
                allowed: MAX_KEY_LEN as u64,
                asked: key.len() as u64,
            }));
        }
        put(storage, &mut self.0, key, value)
    }

    /// The changes as a batch for the storage that they were made for.
    #[must_use]
    pub const fn batch(&self) -> Batch<'_> {
        Batch::new(&self.0)
    }
}
