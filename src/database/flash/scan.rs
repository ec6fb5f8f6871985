//! Reading values, one by its key or many in order.

use alloc::vec::Vec;
use core::{mem, ops::ControlFlow};

use embedded_storage::nor_flash::NorFlash;

use super::{
    format::{CHUNK, Key, Leaf},
    loaded::Loaded,
    read::Found,
    store::Store,
};
use crate::database::storage::{KeyRange, StorageError, Visit};

impl<F: NorFlash> Store<F> {
    /// Copies a value; returns whether there is one.
    pub(super) fn get(&mut self, key: &[u8], into: &mut Vec<u8>) -> Result<bool, StorageError> {
        into.clear();
        let mut found = Found::default();
        for chunk in 0..=u8::MAX {
            if !self.find(&Key::new(key, chunk), &mut found)? {
                return if chunk == 0 {
                    Ok(false)
                } else {
                    Err(StorageError::Corrupt { at: None })
                };
            }
            into.extend_from_slice(found.value());
            if !found.about.more {
                break;
            }
        }
        Ok(true)
    }

    pub(super) fn scan(
        &mut self,
        range: KeyRange<'_>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StorageError> {
        if self.leaves.is_empty() {
            return Ok(());
        }
        let bounds = Bounds {
            lower: Key::new(range.lower, 0),
            upper: range.upper.map(|upper| Key::new(upper, 0)),
        };
        let mut at = match if reverse { bounds.upper.as_ref() } else { Some(&bounds.lower) } {
            Some(key) => self.locate(key)?,
            None => self.leaves.len() - 1,
        };
        let mut loaded = mem::take(&mut self.loaded);
        let mut parts = Vec::new();
        let mut done = Ok(());
        while let Some(leaf) = self.leaves.get(at).map(Leaf::read) {
            done = self.load_into(leaf, &mut loaded);
            if done.is_err() || bounds.walk(&loaded, reverse, &mut parts, visit).is_break() {
                break;
            }
            let next = if reverse { at.checked_sub(1) } else { Some(at + 1) };
            let Some(next) = next else { break };
            at = next;
        }
        self.loaded = loaded;
        done
    }
}

/// The keys of a scan.
struct Bounds {
    lower: Key,
    upper: Option<Key>,
}

impl Bounds {
    /// Hands out the entries of a leaf. `parts` has the value of one that is not whole yet.
    fn walk(
        &self,
        loaded: &Loaded,
        reverse: bool,
        parts: &mut Vec<u8>,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        for number in 0..loaded.order.len() {
            let number = if reverse { loaded.order.len() - 1 - number } else { number };
            let entry = loaded.order.get(number).copied().unwrap_or_default();
            let (key, about, value) = loaded.entry(entry);
            let above = self.upper.as_ref().is_some_and(|upper| key.order() >= upper.order());
            let below = key.order() < self.lower.order();
            if (above && !reverse) || (below && reverse) {
                return ControlFlow::Break(());
            }
            if above || below {
                continue;
            }
            if about.chunk == 0 && !about.more {
                visit(key.bytes(), value)?;
                continue;
            }
            // In both directions the first part that is seen makes the buffer as long as it must be.
            let from = usize::from(about.chunk) * CHUNK;
            if !about.more || parts.len() < from + value.len() {
                parts.reserve_exact((from + value.len()).saturating_sub(parts.len()));
                parts.resize(from + value.len(), 0);
            }
            if let Some(place) = parts.get_mut(from..from + value.len()) {
                place.copy_from_slice(value);
            }
            if if reverse { about.chunk == 0 } else { !about.more } {
                visit(key.bytes(), parts)?;
                parts.clear();
            }
        }
        ControlFlow::Continue(())
    }
}
