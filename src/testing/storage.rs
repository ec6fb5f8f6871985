//! What every storage must do, compared with an ordered map. It knows nothing of tables.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use core::ops::ControlFlow;

use crate::database::{Changes, KeyRange, Storage, StorageError};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// Applies 200 batches of reproducible changes to an empty storage and compares it with an ordered map
/// after each: `get`, `scan` of ranges both ways, scans that stop, and that batches that are not admitted
/// change nothing.
///
/// # Errors
/// A text that says which batch showed the first difference, and which.
pub fn storage_conformance<S: Storage>(mut storage: S) -> Result<(), String> {
    let mut model = Model::new();
    let mut random = Random(1);
    compare(&storage, &model, &mut random).map_err(|error| format!("at first: {error}"))?;
    for number in 1..=200 {
        let failed = |error: StorageError| format!("batch {number}: {error}");
        let (mut changes, mut after) = (Changes::default(), model.clone());
        for _ in 0..1 + random.below(8) {
            let key = random.key();
            let value = random.value();
            // Deletes name only keys that the store holds, as the engine's do.
            let delete = random.below(3) == 0;
            changes.put(&storage, &key, (!delete).then_some(&*value)).map_err(failed)?;
            if delete {
                after.remove(&key);
            } else {
                after.insert(key, value);
            }
        }
        storage.admit(&changes.batch()).map_err(failed)?;
        compare(&storage, &model, &mut random)
            .map_err(|error| format!("batch {number}, admitted: {error}"))?;
        storage.apply(&changes.batch()).map_err(failed)?;
        model = after;
        compare(&storage, &model, &mut random)
            .map_err(|error| format!("batch {number}, applied: {error}"))?;
    }
    Ok(())
}

fn compare<S: Storage>(storage: &S, model: &Model, random: &mut Random) -> Result<(), String> {
    for _ in 0..8 {
        let key = random.key();
        let found = storage.get(&key, <[u8]>::to_vec).map_err(|error| format!("{error}"))?;
        if found.as_ref() != model.get(&key) {
            return Err(format!("get({key:?}) is {found:?}, not {:?}", model.get(&key)));
        }
    }
    for reverse in [false, true] {
        let [a, b] = [random.key(), random.key()];
        let (lower, upper) = if a <= b { (a, b) } else { (b, a) };
        scan(storage, model, (&[], None), reverse, usize::MAX)?;
        scan(storage, model, (&lower, None), reverse, usize::MAX)?;
        scan(storage, model, (&lower, Some(&upper)), reverse, usize::MAX)?;
        scan(storage, model, (&lower, Some(&upper)), reverse, 2)?;
    }
    Ok(())
}

fn scan<S: Storage>(
    storage: &S,
    model: &Model,
    (lower, upper): (&[u8], Option<&[u8]>),
    reverse: bool,
    most: usize,
) -> Result<(), String> {
    let inside = |key: &&Vec<u8>| &key[..] >= lower && upper.is_none_or(|upper| &key[..] < upper);
    let mut expected: Vec<(Vec<u8>, Vec<u8>)> = model
        .iter()
        .filter(|(key, _)| inside(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if reverse {
        expected.reverse();
    }
    expected.truncate(most);
    let mut found = Vec::new();
    let visited = storage.scan(KeyRange { lower, upper }, reverse, &mut |key, value| {
        found.push((key.to_vec(), value.to_vec()));
        if found.len() == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    visited.map_err(|error| format!("{error}"))?;
    if found == expected {
        return Ok(());
    }
    Err(format!(
        "scan from {lower:?} to {upper:?}, reverse {reverse}, at most {most}: {found:?}, not {expected:?}"
    ))
}

/// The same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % end
    }

    fn key(&mut self) -> Vec<u8> {
        let len = 1 + self.below(3);
        (0..len).map(|_| if self.below(2) == 0 { 1 } else { 0xff }).collect()
    }

    fn value(&mut self) -> Vec<u8> {
        let len = self.below(40);
        (0..len).map(|byte| byte as u8).collect()
    }
}
