//! Batches that need more new pages than are free: written to pages of their own first, committed, and
//! then carried out, a few entries with each commit. What is carried out twice is the same as once.

use core::mem;

use embedded_storage::nor_flash::NorFlash;

use super::{
    format::{EntryHead, Key, Leaf},
    page::Use,
    read::Found,
    room::{FLOOR, FREE},
    store::Store,
    write::Change,
};
use crate::database::StorageError;

/// Entries that are carried out with one commit, if there are pages for them.
const STEP: usize = 16;

impl<F: NorFlash> Store<F> {
    /// Writes a batch to pages of its own.
    pub(super) fn write_journal<'b>(
        &mut self,
        changes: impl Iterator<Item = Change<'b>>,
    ) -> Result<(), StorageError> {
        let mut writer = self.begin(Key::default())?;
        for change in changes {
            let len = EntryHead::of(&writer.head.low, &change.key(), change.about).len();
            if !writer.fits::<F>(len) {
                let next = self.begin(Key::default())?;
                let leaf = self.end(mem::replace(&mut writer, next))?;
                self.journal.push(leaf.bytes());
            }
            self.push(&mut writer, &change.key(), change.about, change.value)?;
        }
        let leaf = self.end(writer)?;
        self.journal.push(leaf.bytes());
        self.done = 0;
        Ok(())
    }

    /// Carries out what a journal says.
    pub(super) fn carry_on(&mut self) -> Result<(), StorageError> {
        if self.journal.is_empty() {
            return Ok(());
        }
        let (mut found, mut old) = (Found::default(), Found::default());
        while let Some(leaf) = self.journal.first().map(Leaf::read) {
            let (head, sum) = self.head(leaf.page)?;
            if sum != leaf.digest {
                return Err(self.corrupt(leaf.page, 0)());
            }
            let end = usize::from(head.entries_end);
            let mut at = usize::from(self.done).max(Self::entries_start(&head));
            while at < end {
                self.make_room(FREE)?;
                for _ in 0..STEP {
                    if at >= end {
                        break;
                    }
                    self.entry(leaf.page, &head, at, &mut found)?;
                    let replaces = self.find(&found.key, &mut old)?.then_some(old.about.len);
                    let (key, value) = (found.key.bytes(), found.value());
                    self.carry_out(&Change { key, value, about: found.about, replaces })?;
                    at += found.len();
                    if self.device.free() <= FLOOR {
                        break;
                    }
                }
                self.done = at as u16;
                let held = self.held;
                self.commit(&held)?;
            }
            self.device.set(leaf.page, Use::Leaving);
            self.journal.remove(0);
            self.done = 0;
            let held = self.held;
            self.commit(&held)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, change: &Change<'_>) -> Result<(), StorageError> {
        if change.about.deleted && change.replaces.is_none() {
            return Ok(());
        }
        self.change_all(&[*change])
    }
}
