//! The store as a transaction sees it: what is pending laid over what is stored.

use core::ops::ControlFlow;

use crate::{
    database::{
        entries::{BatchEntry, KeyRange, Pending, StorageError},
        error::DatabaseError,
        storage::Storage,
    },
    meter::{Meter, PRICES},
};

/// A visitor of a scan, with the meter that the scan was given.
pub type TryVisit<'v> =
    dyn FnMut(&mut Meter, &[u8], &[u8]) -> Result<ControlFlow<()>, DatabaseError> + 'v;

/// A visitor of keys that have a value, and of keys that are to be deleted.
type EachKey<'v> = dyn FnMut(&[u8], Option<&[u8]>) -> ControlFlow<()> + 'v;

/// A store and the writes over it.
#[derive(Debug)]
pub struct View<'a, S> {
    /// What is stored.
    pub storage: &'a S,
    /// What is pending.
    pub pending: &'a Pending,
}

impl<S: Storage> View<'_, S> {
    /// Hands the value under `key` to `with`.
    #[inline]
    pub fn get<R>(
        &self,
        key: &[u8],
        with: impl FnOnce(&[u8]) -> R,
    ) -> Result<Option<R>, StorageError> {
        if !self.pending.is_empty()
            && let Some(written) = self.pending.get(key)
        {
            return Ok(written.map(with));
        }
        self.storage.get(key, with)
    }

    /// Hands keys and values of `range` to `visit` in order, until it breaks or fails.
    ///
    /// What is pending deletion is not handed out, but walked over, and paid for: a plugin could
    /// otherwise delete many rows and walk them again and again for nothing.
    #[inline(never)]
    pub fn try_scan(
        &self,
        range: KeyRange<'_>,
        reverse: bool,
        meter: &mut Meter,
        visit: &mut TryVisit<'_>,
    ) -> Result<(), DatabaseError> {
        if range.upper.is_some_and(|upper| range.lower >= upper) {
            return Ok(());
        }
        let mut outcome = Ok(());
        let mut each = |key: &[u8], value: Option<&[u8]>| {
            let visited = match value {
                Some(value) => visit(meter, key, value),
                None => meter
                    .charge(PRICES.row)
                    .map(|()| ControlFlow::Continue(()))
                    .map_err(DatabaseError::from),
            };
            visited.unwrap_or_else(|error| {
                outcome = Err(error);
                ControlFlow::Break(())
            })
        };
        if self.pending.is_empty() {
            self.storage.scan(range, reverse, &mut |key, value| each(key, Some(value)))?;
        } else if reverse {
            let mut writes = self.pending.range(range).rev();
            self.merge(range, true, &mut writes, &mut each)?;
        } else {
            let mut writes = self.pending.range(range);
            self.merge(range, false, &mut writes, &mut each)?;
        }
        outcome
    }

    fn merge<'w>(
        &self,
        range: KeyRange<'_>,
        reverse: bool,
        writes: &mut dyn Iterator<Item = BatchEntry<'w>>,
        visit: &mut EachKey<'_>,
    ) -> Result<(), StorageError> {
        let mut next = writes.next();
        let mut flow = ControlFlow::Continue(());
        self.storage.scan(range, reverse, &mut |key, value| {
            while let Some(write) = next {
                if write.key == key {
                    next = writes.next();
                    flow = visit(key, write.value);
                    return flow;
                }
                if (write.key < key) == reverse {
                    break;
                }
                next = writes.next();
                flow = visit(write.key, write.value);
                if flow.is_break() {
                    return flow;
                }
            }
            flow = visit(key, Some(value));
            flow
        })?;
        while let (true, Some(write)) = (flow.is_continue(), next) {
            next = writes.next();
            flow = visit(write.key, write.value);
        }
        Ok(())
    }
}
