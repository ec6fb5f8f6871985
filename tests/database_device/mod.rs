//! A storage over a map of the standard library, for tests.

use std::{collections::BTreeMap, ops::Bound};

use sochdb_wasmi::database::{Batch, KeyRange, MAX_KEY_LEN, Storage, StorageError, Visit};

/// A storage of another kind: it shows that the seam needs no more than it says, and fails when
/// it is told to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Device {
    /// What it holds.
    pub entries: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Whether the next batch fails.
    pub failing: bool,
}

impl Storage for Device {
    fn get<R>(&self, key: &[u8], with: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, StorageError> {
        Ok(self.entries.get(key).map(|value| with(value)))
    }

    fn scan(
        &self,
        range: KeyRange<'_>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StorageError> {
        let upper = range.upper.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.entries.range::<[u8], _>((Bound::Included(range.lower), upper));
        let mut each = |(key, value): (&Vec<u8>, &Vec<u8>)| visit(key, value);
        let _ = if reverse {
            entries.rev().try_for_each(&mut each)
        } else {
            { entries }.try_for_each(&mut each)
        };
        Ok(())
    }

    fn admit(&self, _: &Batch<'_>) -> Result<(), StorageError> {
        Ok(())
    }

    fn apply(&mut self, batch: &Batch<'_>) -> Result<(), StorageError> {
        if self.failing {
            return Err(StorageError::Device { code: -5 });
        }
        let mut last = Vec::new();
        let (mut entries, mut bytes) = (0, 0);
        let (mut changes, mut written) = (0, 0);
        for entry in batch.entries() {
            assert!(last.as_slice() < entry.key, "keys do not rise");
            assert!(entry.key.len() <= MAX_KEY_LEN);
            last = entry.key.to_vec();
            changes += 1;
            written += (last.len() + entry.value.map_or(0, <[u8]>::len)) as u64;
            let old = match entry.value {
                Some(value) => {
                    assert_eq!(value[0], 1, "a value does not begin with its version");
                    entries += 1;
                    bytes += (last.len() + value.len()) as i64;
                    self.entries.insert(last.clone(), value.to_vec())
                }
                None => Some(self.entries.remove(&last).expect("a delete of nothing")),
            };
            entries -= i64::from(old.is_some());
            bytes -= old.map_or(0, |old| (last.len() + old.len()) as i64);
        }
        let totals = batch.totals();
        assert_eq!((totals.entries, totals.bytes), (entries, bytes));
        assert_eq!((totals.changes, totals.written), (changes, written));
        Ok(())
    }
}
