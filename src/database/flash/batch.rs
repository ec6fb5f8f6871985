//! Applying a batch: at once if there are pages for it, through a journal otherwise.

use embedded_storage::nor_flash::NorFlash;

use super::{
    format::{CHUNK, MAX_ENTRY, OVERHEAD},
    room::{FLOOR, FREE},
    store::Store,
    write,
};
use crate::database::storage::{Batch, MAX_KEY_LEN, StorageError};

impl<F: NorFlash> Store<F> {
    /// The most pages that a batch takes as a journal.
    fn journal_pages(batch: &Batch<'_>) -> usize {
        let totals = batch.totals();
        let parts = totals.changes + totals.written / CHUNK as u64;
        let bytes = totals.written + parts * (OVERHEAD + MAX_KEY_LEN / 8) as u64;
        bytes as usize / (Self::ROOM - MAX_ENTRY) + 1
    }

    /// Applies a batch. When it returns, the batch is on flash for good.
    pub(super) fn apply(&mut self, batch: &Batch<'_>) -> Result<(), StorageError> {
        let taken = self.device.taken;
        self.make_room(FREE)?;
        let held = self.held.after(batch);
        self.device.floor = FLOOR;
        let changed = self.change(write::changes(batch));
        self.device.floor = 0;
        match changed {
            // More pages would be new at once than are free.
            Err(StorageError::Full(_)) => {
                self.recover()?;
                self.make_room(FREE + Self::journal_pages(batch))?;
                self.device.floor = FLOOR;
                let written = self.write_journal(write::changes(batch));
                self.device.floor = 0;
                written?;
                self.commit(&held)?;
                self.carry_on()?;
            }
            changed => {
                changed?;
                self.commit(&held)?;
            }
        }
        // A call that waited for no page has time to spare.
        if self.device.taken == taken {
            self.level()?;
        }
        self.device.prepare();
        self.tend()
    }
}
