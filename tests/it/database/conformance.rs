//! A storage from outside is tested alone: batches are made without a database.

use std::{collections::BTreeMap, ops::ControlFlow};

use sochdb_wasmi::{
    database::{
        Batch, Changes, KeyRange, MAX_KEY_LEN, MemoryStorage, Storage, StorageError, Visit,
    },
    testing::storage_conformance,
};

/// A storage of an embedder. `forgets` is a fault: it ignores deletes.
#[derive(Default)]
struct Map {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    forgets: bool,
}

impl Storage for Map {
    fn get<R>(&self, key: &[u8], with: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, StorageError> {
        Ok(self.entries.get(key).map(|value| with(value)))
    }

    fn scan(
        &self,
        range: KeyRange<'_>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StorageError> {
        let inside = |key: &[u8]| key >= range.lower && range.upper.is_none_or(|upper| key < upper);
        let mut entries: Vec<_> = self.entries.iter().filter(|(key, _)| inside(key)).collect();
        if reverse {
            entries.reverse();
        }
        for (key, value) in entries {
            if visit(key, value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn admit(&self, _: &Batch<'_>) -> Result<(), StorageError> {
        Ok(())
    }

    fn apply(&mut self, batch: &Batch<'_>) -> Result<(), StorageError> {
        for entry in batch.entries() {
            match entry.value {
                Some(value) => drop(self.entries.insert(entry.key.into(), value.into())),
                None if self.forgets => {}
                None => drop(self.entries.remove(entry.key)),
            }
        }
        Ok(())
    }
}

/// The test of storages knew three types by name, and nobody outside could make a batch.
#[test]
fn any_storage_can_be_tested_alone_and_a_fault_is_found() {
    assert_eq!(storage_conformance(Map::default()), Ok(()));
    assert_eq!(storage_conformance(MemoryStorage::default()), Ok(()));
    let error = storage_conformance(Map { forgets: true, ..Map::default() }).unwrap_err();
    assert!(error.starts_with("batch "), "{error}");
}

#[test]
fn a_key_that_is_too_long_for_a_batch_is_refused() {
    let (storage, mut changes) = (Map::default(), Changes::default());
    let error = changes.put(&storage, &[1; MAX_KEY_LEN + 1], Some(b"x")).unwrap_err();
    assert!(matches!(error, StorageError::TooLarge(_)), "{error}");
    assert_eq!(changes.batch().entries().count(), 0);
}
