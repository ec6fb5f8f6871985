//! What a transaction has written and not committed: a log over the store, newest entry of a key
//! first to be seen, taken back from the end by savepoints.
//!
//! It keeps its buffers from one transaction to the next. It does not read through to the store
//! beyond the length of what a write replaces; `view` merges the two.

use alloc::vec::Vec;

use super::{
    entry::{BatchEntry, BatchTotals, KeyRange, StorageError},
    key,
    order::{Order, Position},
};
use crate::limits::{Limit, LimitExceeded};

/// One write.
#[derive(Clone, Copy, Debug)]
struct Write {
    /// Where the key begins in `bytes`; the value follows it.
    at: usize,
    key_len: u8,
    /// Length of the value; `None` for a delete.
    value_len: Option<u64>,
    /// Length of the value in the store; `None` if the key is not there.
    stored_len: Option<u64>,
    /// The write to the same key before this one.
    before: Option<u32>,
}

impl Write {
    /// Bytes that a storage writes for it: none for a delete of what is not stored.
    fn cost(&self) -> Option<u64> {
        let len = self.value_len.or(self.stored_len.map(|_| 0))?;
        Some(len.saturating_add(self.key_len.into()))
    }
}

/// A place in a transaction that it can be rolled back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Savepoint {
    transaction: u64,
    writes: usize,
}

/// The writes of a transaction.
#[derive(Debug, Default)]
pub struct Pending {
    /// Which transaction this is, so that a savepoint of another is known.
    transaction: u64,
    bytes: Vec<u8>,
    log: Vec<Write>,
    /// The newest write of each key.
    newest: Order,
    totals: BatchTotals,
}

impl Pending {
    /// Whether nothing was written.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.log.is_empty()
    }

    /// What the writes come to.
    pub const fn totals(&self) -> BatchTotals {
        self.totals
    }

    fn write(&self, number: u32) -> Option<&Write> {
        self.log.get(number as usize)
    }

    fn key(&self, write: &Write) -> &[u8] {
        let end = write.at.saturating_add(write.key_len.into());
        self.bytes.get(write.at..end).unwrap_or_default()
    }

    fn value(&self, write: &Write) -> Option<&[u8]> {
        let len = usize::try_from(write.value_len?).ok()?;
        let start = write.at.saturating_add(write.key_len.into());
        self.bytes.get(start..start.saturating_add(len))
    }

    fn lower_bound(&self, key: &[u8]) -> Position {
        self.newest.lower_bound(|number| self.write(number).is_some_and(|w| self.key(w) < key))
    }

    fn newest(&self, position: Position, key: &[u8]) -> Option<(u32, &Write)> {
        let number = self.newest.get(position)?;
        let write = self.write(number)?;
        (self.key(write) == key).then_some((number, write))
    }

    /// What the transaction says about `key`: `None` for nothing, `Some(None)` that it is deleted.
    pub fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        let (_, write) = self.newest(self.lower_bound(key), key)?;
        Some(self.value(write))
    }

    /// The newest write of each key in `range`, keys rising.
    pub fn range(
        &self,
        range: KeyRange<'_>,
    ) -> impl DoubleEndedIterator<Item = BatchEntry<'_>> + use<'_> {
        let from = self.lower_bound(range.lower);
        let to = range.upper.map_or_else(|| self.newest.end(), |upper| self.lower_bound(upper));
        let writes = self.newest.between(from, to).filter_map(|number| self.write(number));
        writes.map(|write| BatchEntry {
            key: self.key(write),
            value: self.value(write),
            stored_len: write.stored_len,
        })
    }

    /// What a commit changes: the newest write of each key, but for deletes of what is not stored.
    pub fn changes(&self) -> impl Iterator<Item = BatchEntry<'_>> {
        let all = self.newest.between(self.lower_bound(&[]), self.newest.end());
        let writes = all.filter_map(|number| self.write(number));
        let writes = writes.filter(|w| w.value_len.is_some() || w.stored_len.is_some());
        writes.map(|write| BatchEntry {
            key: self.key(write),
            value: self.value(write),
            stored_len: write.stored_len,
        })
    }

    /// Writes `value` under `key`, or deletes it for `None`. `stored_len` looks up the length of what
    /// the store has under the key; a value may have `allowed` bytes.
    ///
    /// # Errors
    /// [`StorageError::TooLarge`], and what `stored_len` returns.
    pub fn put(
        &mut self,
        allowed: u64,
        stored_len: impl FnOnce(&[u8]) -> Result<Option<u64>, StorageError>,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), StorageError> {
        let value_len = value.map(|value| value.len() as u64);
        if let Some(asked) = value_len
            && asked > allowed
        {
            let limit = Limit::ValueBytes;
            return Err(StorageError::TooLarge(LimitExceeded { limit, allowed, asked }));
        }
        let position = self.lower_bound(key);
        let before = self.newest(position, key).map(|(number, write)| (number, *write));
        let stored_len = match before {
            Some((_, write)) => write.stored_len,
            None => stored_len(key)?,
        };
        let number = u32::try_from(self.log.len()).map_err(|_| {
            StorageError::Full(LimitExceeded {
                limit: Limit::StoreRows,
                allowed: u32::MAX.into(),
                asked: 1 << 32,
            })
        })?;
        let write = Write {
            at: self.bytes.len(),
            key_len: key.len() as u8,
            value_len,
            stored_len,
            before: before.map(|(number, _)| number),
        };
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value.unwrap_or_default());
        self.log.push(write);
        match before {
            Some(_) => self.newest.replace(position, number),
            None => self.newest.insert(position, number),
        }
        let previous = before.map_or(stored_len, |(_, write)| write.value_len);
        self.count(key, previous, write.value_len);
        self.weigh(before.map(|(_, write)| write), Some(write));
        Ok(())
    }

    /// Counts that a batch has another write of a key than before, or none.
    fn weigh(&mut self, from: Option<Write>, to: Option<Write>) {
        if let Some(cost) = from.and_then(|write| write.cost()) {
            self.totals.changes -= 1;
            self.totals.written -= cost;
        }
        if let Some(cost) = to.and_then(|write| write.cost()) {
            self.totals.changes += 1;
            self.totals.written += cost;
        }
    }

    /// Counts that the value under a key has another length, or is there or not.
    fn count(&mut self, key: &[u8], from: Option<u64>, to: Option<u64>) {
        let held = |len: Option<u64>| len.map_or(0, |len| len as i64 + key.len() as i64);
        let entries = i64::from(to.is_some()) - i64::from(from.is_some());
        self.totals.entries += entries;
        self.totals.rows += if key::is_row(key) { entries } else { 0 };
        self.totals.bytes += held(to) - held(from);
    }

    /// The present place.
    pub const fn savepoint(&self) -> Savepoint {
        Savepoint { transaction: self.transaction, writes: self.log.len() }
    }

    /// Takes back everything written since `savepoint`. A savepoint of another transaction, or of
    /// a part that was itself taken back, does nothing.
    pub fn rollback_to(&mut self, savepoint: Savepoint) {
        if savepoint.transaction != self.transaction {
            return;
        }
        while self.log.len() > savepoint.writes {
            let Some(write) = self.log.last().copied() else { return };
            let position = self.lower_bound(self.key(&write));
            match write.before {
                Some(before) => self.newest.replace(position, before),
                None => self.newest.remove(position),
            }
            let before = write.before.and_then(|before| self.write(before).copied());
            let previous = before.map_or(write.stored_len, |before| before.value_len);
            // The key is copied out, because counting changes the transaction that it lies in.
            let mut key = key::Key::new();
            let _ = key.extend_from_slice(self.key(&write));
            self.count(&key, write.value_len, previous);
            self.weigh(Some(write), before);
            self.bytes.truncate(write.at);
            self.log.pop();
        }
    }

    /// Forgets everything and begins the next transaction.
    pub fn clear(&mut self) {
        if self.log.is_empty() {
            return;
        }
        self.transaction = self.transaction.wrapping_add(1);
        self.bytes.clear();
        self.log.clear();
        self.newest.clear();
        self.totals = BatchTotals::default();
    }
}
