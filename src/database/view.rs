//! The store as a transaction sees it: what is pending laid over what is stored.

use core::ops::ControlFlow;

use super::{
    error::DatabaseError,
    pending::Pending,
    storage::{BatchEntry, KeyRange, Storage, StorageError, Visit},
};

/// A visitor of a scan that may fail.
pub type TryVisit<'v> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, DatabaseError> + 'v;

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

    /// Hands keys and values of `range` to `visit` in order, until it breaks.
    pub fn scan(
        &self,
        range: KeyRange<'_>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StorageError> {
        if range.upper.is_some_and(|upper| range.lower >= upper) {
            return Ok(());
        }
        if self.pending.is_empty() {
            return self.storage.scan(range, reverse, visit);
        }
        let mut writes = self.pending.range(range);
        if reverse {
            self.merge(range, true, &mut writes.rev(), visit)
        } else {
            self.merge(range, false, &mut writes, visit)
        }
    }

    /// Like [`scan`](Self::scan), for a visitor that may fail.
    pub fn try_scan(
        &self,
        range: KeyRange<'_>,
        reverse: bool,
        visit: &mut TryVisit<'_>,
    ) -> Result<(), DatabaseError> {
        let mut outcome = Ok(());
        self.scan(range, reverse, &mut |key, value| {
            visit(key, value).unwrap_or_else(|error| {
                outcome = Err(error);
                ControlFlow::Break(())
            })
        })?;
        outcome
    }

    fn merge<'w>(
        &self,
        range: KeyRange<'_>,
        reverse: bool,
        writes: &mut dyn Iterator<Item = BatchEntry<'w>>,
        visit: &mut Visit<'_>,
    ) -> Result<(), StorageError> {
        let mut next = writes.next();
        let mut flow = ControlFlow::Continue(());
        self.storage.scan(range, reverse, &mut |key, value| {
            while let Some(write) = next {
                if write.key == key {
                    next = writes.next();
                    flow = write.value.map_or(flow, |value| visit(key, value));
                    return flow;
                }
                if (write.key < key) == reverse {
                    break;
                }
                next = writes.next();
                if let Some(value) = write.value {
                    flow = visit(write.key, value);
                    if flow.is_break() {
                        return flow;
                    }
                }
            }
            flow = visit(key, value);
            flow
        })?;
        while let (true, Some(write)) = (flow.is_continue(), next) {
            next = writes.next();
            if let Some(value) = write.value {
                flow = visit(write.key, value);
            }
        }
        Ok(())
    }
}
