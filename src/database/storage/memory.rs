//! The default storage: everything in RAM, with hard limits on rows and bytes.
//!
//! Point reads go through a hash table, scans through an ordered list; both hold numbers of slots
//! in one arena. Nothing here survives the process, and nothing observable depends on hashes.
//!
//! The hash is fixed, so that every run does the same work. An attacker who controls row ids can force
//! collisions; a probe then looks at up to [`MemoryLimits::max_rows`] tags.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use hashbrown::HashTable;

use super::seam::{Batch, Storage};
use crate::{
    database::entries::{BatchEntry, KeyRange, Order, Position, StorageError, Visit, key},
    limits::{Limit, LimitExceeded},
};

/// Bytes that an entry is charged on top of its key and value: what its slot, hash and place in
/// the order take on a 64-bit target. Fixed, so that a store is full at the same row everywhere.
pub const ENTRY_OVERHEAD: u64 = 32;

/// The most rows that there is room for from the start.
const MAX_FEW: u32 = 256;

/// How much a [`MemoryStorage`] may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Rows of all tables. Default 100,000.
    pub max_rows: u32,
    /// Bytes of keys and values of rows, indexes, schemas and counters, and [`ENTRY_OVERHEAD`] for
    /// each. Default 64 MiB.
    pub max_bytes: u64,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self { max_rows: 100_000, max_bytes: 64 << 20 }
    }
}

/// A key and its value in one buffer, so that a read touches one place in memory.
#[derive(Debug)]
struct Slot {
    bytes: Vec<u8>,
    key_len: u8,
}

impl Slot {
    #[inline]
    fn split(&self) -> (&[u8], &[u8]) {
        self.bytes.split_at_checked(self.key_len.into()).unwrap_or_default()
    }

    #[inline]
    fn key(&self) -> &[u8] {
        self.split().0
    }
}

/// A storage in RAM.
#[derive(Debug)]
pub struct MemoryStorage {
    limits: MemoryLimits,
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_key: HashTable<u32>,
    order: Order,
    rows: u64,
    bytes: u64,
    /// Capacity of buffers beyond what they hold. Kept for the next write, up to an eighth of
    /// `max_bytes`.
    slack: u64,
}

impl MemoryStorage {
    /// An empty storage.
    #[must_use]
    pub fn new(limits: MemoryLimits) -> Self {
        // A list that grows is copied, and leaves a hole of its size: much where RAM is short.
        let few = if limits.max_rows <= MAX_FEW { limits.max_rows as usize } else { 0 };
        Self {
            limits,
            slots: Vec::with_capacity(few),
            free: Vec::new(),
            by_key: HashTable::new(),
            order: Order::default(),
            rows: 0,
            bytes: 0,
            slack: 0,
        }
    }

    /// Rows that it holds.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes that it holds, counted as [`MemoryLimits::max_bytes`] counts them.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    #[inline]
    fn find(&self, key: &[u8]) -> Option<u32> {
        let same = |&slot: &u32| {
            self.slots.get(slot as usize).is_some_and(|slot| same_key(slot.key(), key))
        };
        self.by_key.find(hash(key), same).copied()
    }

    fn lower_bound(&self, key: &[u8]) -> Position {
        self.order
            .lower_bound(|slot| self.slots.get(slot as usize).is_some_and(|slot| slot.key() < key))
    }

    fn put(&mut self, key: &[u8], value: &[u8]) {
        if let Some(found) = self.find(key) {
            self.fill(found, key, value);
            return;
        }
        let position = self.lower_bound(key);
        let slot = self.free.pop().unwrap_or_else(|| {
            // `admit` keeps the count of entries below the bytes that they are charged.
            let slot = self.slots.len() as u32;
            self.slots.push(Slot { bytes: Vec::new(), key_len: 0 });
            slot
        });
        self.fill(slot, key, value);
        self.order.insert(position, slot);
        let slots = &self.slots;
        self.by_key.insert_unique(hash(key), slot, |&slot| {
            slots.get(slot as usize).map_or(0, |slot| hash(slot.key()))
        });
        self.rows += u64::from(key::is_row(key));
    }

    fn fill(&mut self, number: u32, key: &[u8], value: &[u8]) {
        let Some(slot) = self.slots.get_mut(number as usize) else { return };
        self.bytes -= charged(&slot.bytes);
        self.slack -= spare(&slot.bytes);
        slot.bytes.clear();
        slot.bytes.reserve_exact(key.len().saturating_add(value.len()));
        slot.bytes.extend_from_slice(key);
        slot.bytes.extend_from_slice(value);
        slot.key_len = key.len() as u8;
        self.bytes += charged(&slot.bytes);
        self.bound_slack(number);
    }

    fn delete(&mut self, key: &[u8]) {
        let Some(number) = self.find(key) else { return };
        let position = self.lower_bound(key);
        self.order.remove(position);
        if let Ok(entry) = self.by_key.find_entry(hash(key), |&slot| slot == number) {
            entry.remove();
        }
        if let Some(slot) = self.slots.get_mut(number as usize) {
            self.bytes -= charged(&slot.bytes);
            self.slack -= spare(&slot.bytes);
            slot.bytes.clear();
            slot.key_len = 0;
        }
        self.bound_slack(number);
        self.free.push(number);
        self.rows -= u64::from(key::is_row(key));
    }

    /// Keeps a slot's unused capacity, or gives it back if too much is kept already. Without this
    /// a plugin could make every slot hold the capacity of the largest row it ever held.
    fn bound_slack(&mut self, number: u32) {
        let Some(slot) = self.slots.get_mut(number as usize) else { return };
        if self.slack.saturating_add(spare(&slot.bytes)) > self.limits.max_bytes / 8 {
            slot.bytes.shrink_to_fit();
        }
        self.slack += spare(&slot.bytes);
    }
}

impl Default for MemoryStorage {
    fn default() -> Self {
        Self::new(MemoryLimits::default())
    }
}

/// What an entry counts against the limit; an empty buffer is no entry.
const fn charged(bytes: &[u8]) -> u64 {
    if bytes.is_empty() { 0 } else { bytes.len() as u64 + ENTRY_OVERHEAD }
}

const fn spare(bytes: &Vec<u8>) -> u64 {
    (bytes.capacity() - bytes.len()) as u64
}

impl Storage for MemoryStorage {
    #[inline]
    fn get<R>(&self, key: &[u8], with: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, StorageError> {
        let slot = self.find(key).and_then(|slot| self.slots.get(slot as usize));
        Ok(slot.map(|slot| with(slot.split().1)))
    }

    fn scan(
        &self,
        range: KeyRange<'_>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StorageError> {
        let from = self.lower_bound(range.lower);
        let to = range.upper.map_or_else(|| self.order.end(), |upper| self.lower_bound(upper));
        let slots = self.order.between(from, to);
        let mut each = |number: u32| match self.slots.get(number as usize) {
            Some(slot) => {
                let (key, value) = slot.split();
                visit(key, value)
            }
            None => ControlFlow::Continue(()),
        };
        // A break is the visitor's wish and no error.
        let _ = if reverse {
            slots.rev().try_for_each(&mut each)
        } else {
            { slots }.try_for_each(&mut each)
        };
        Ok(())
    }

    fn admit(&self, batch: &Batch<'_>) -> Result<(), StorageError> {
        let totals = batch.totals();
        let added = totals
            .bytes
            .saturating_add(totals.entries.saturating_mul(ENTRY_OVERHEAD.cast_signed()));
        // A batch that frees room is let through even if the store is over a limit.
        let check = |limit, held: u64, added: i64, allowed: u64| {
            let asked = held.saturating_add_signed(added);
            if added > 0 && asked > allowed {
                return Err(StorageError::Full(LimitExceeded { limit, allowed, asked }));
            }
            Ok(())
        };
        check(Limit::StoreRows, self.rows, totals.rows, self.limits.max_rows.into())?;
        // Slots are numbered in 32 bits, whatever `max_bytes` allows.
        let allowed = self.limits.max_bytes.min(u64::from(u32::MAX) * ENTRY_OVERHEAD);
        check(Limit::StoreBytes, self.bytes, added, allowed)
    }

    fn apply(&mut self, batch: &Batch<'_>) -> Result<(), StorageError> {
        self.admit(batch)?;
        for BatchEntry { key, value, .. } in batch.entries() {
            match value {
                Some(value) => self.put(key, value),
                None => self.delete(key),
            }
        }
        Ok(())
    }
}

/// Eight bytes as a number, the same on every target.
#[inline]
fn word(bytes: Option<&[u8; 8]>) -> u64 {
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Two overlapping words hold all of a key of 8 to 16 bytes, such as a row's.
#[inline]
fn ends(key: &[u8]) -> (u64, u64) {
    (word(key.first_chunk()), word(key.last_chunk()))
}

#[inline]
fn same_key(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if (8..=16).contains(&a.len()) { ends(a) == ends(b) } else { a == b }
}

/// A multiplication folded to 64 bits, as in wyhash; the odd constants are wyhash's.
#[inline]
fn mix(a: u64, b: u64) -> u64 {
    let product =
        u128::from(a ^ 0xa076_1d64_78bd_642f).wrapping_mul(u128::from(b ^ 0xe703_7ed1_a0b4_28db));
    (product as u64) ^ ((product >> 64) as u64)
}

#[inline]
fn hash(key: &[u8]) -> u64 {
    let (first, last) = ends(key);
    if (8..=16).contains(&key.len()) { mix(first, last) } else { long_hash(key) }
}

fn long_hash(key: &[u8]) -> u64 {
    let (words, tail) = key.as_chunks::<8>();
    let state =
        words.iter().fold(key.len() as u64, |state, bytes| mix(state, u64::from_le_bytes(*bytes)));
    let tail = tail.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
    mix(state, tail)
}

#[cfg(test)]
mod tests {
    use super::{MemoryLimits, MemoryStorage};
    use crate::database::{
        entries::Pending,
        storage::{self, Batch, Storage},
    };

    #[test]
    fn shrinking_and_deleting_large_values_gives_their_memory_back() {
        let limits = MemoryLimits { max_rows: 100, max_bytes: 64 << 10 };
        let mut storage = MemoryStorage::new(limits);
        let large = [7; 16 << 10];
        for key in 0..90u8 {
            for value in [Some(large.as_slice()), Some(&[1]), None, Some(&[2])] {
                let mut pending = Pending::default();
                storage::put(&storage, &mut pending, &[3, key], value).unwrap();
                storage.apply(&Batch::new(&pending)).unwrap();
            }
        }
        let held: usize = storage.slots.iter().map(|slot| slot.bytes.capacity()).sum();
        let used: usize = storage.slots.iter().map(|slot| slot.bytes.len()).sum();
        assert_eq!(storage.slack, (held - used) as u64);
        assert!(storage.slack <= limits.max_bytes / 8, "{}", storage.slack);
        assert_eq!((storage.rows(), storage.bytes()), (90, 90 * (2 + 1 + 32)));
    }
}
