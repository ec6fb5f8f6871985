//! Room: how many pages are free, merging and packing leaves until enough are, and levelling wear.
//! Each step is a commit of its own that changes no entry, so a power failure between two of them
//! does no harm.

use embedded_storage::nor_flash::NorFlash;

use super::{format::Leaf, store::Store};
use crate::database::StorageError;

/// Pages that are free before a batch is written, if it can be.
pub const FREE: usize = 8;
/// How many more erases than a leaf's page every free page has before the leaf moves.
const LAG: u32 = 2;
/// Free pages that packing two leaves takes: both anew, and a commit log.
const PACKING: usize = 3;
/// Free pages that a batch leaves.
pub const FLOOR: usize = 4;
/// The most neighbours that are merged at once.
const MERGED: usize = 8;

impl<F: NorFlash> Store<F> {
    /// Bytes of entries in a page that is full: what is left when the header has a long low key.
    pub(super) const ROOM: usize = Self::PAGE - 256;

    /// Bytes that entries take.
    pub(super) fn live(&self) -> u64 {
        self.leaves.iter().map(|leaf| u64::from(Leaf::read(leaf).live)).sum()
    }

    pub(super) fn live_of(&self, at: usize, count: usize) -> usize {
        let leaves = self.leaves.iter().skip(at).take(count);
        leaves.map(|leaf| usize::from(Leaf::read(leaf).live)).sum()
    }

    /// Merges and packs neighbours until so many pages are free, or no more can be.
    pub(super) fn make_room(&mut self, pages: usize) -> Result<(), StorageError> {
        for _ in 0..self.device.pages.len() {
            if self.device.free() >= pages {
                return Ok(());
            }
            let Some((at, count)) = self.mergeable() else { break };
            let even = self.live_of(at, count) / (count - 1) + 64;
            self.write_anew(at, count, &[], even)?;
            self.settle()?;
        }
        self.pack(pages)
    }

    /// A commit that changes no entry.
    fn settle(&mut self) -> Result<(), StorageError> {
        let held = self.held;
        self.commit(&held)
    }

    /// The fewest neighbours that take a page less when they are written anew.
    fn mergeable(&self) -> Option<(usize, usize)> {
        // They are new beside the old ones, and the commit log may be, too.
        let most = self.device.free().min(MERGED);
        (2..=most).find_map(|count| {
            let last = self.leaves.len().checked_sub(count)?;
            let sums = (0..=last).map(|at| (at, self.live_of(at, count)));
            let (at, least) = sums.min_by_key(|(_, sum)| *sum)?;
            (least + count * 64 <= (count - 1) * (Self::ROOM - 200)).then_some((at, count))
        })
    }

    /// Fills each leaf from its neighbour, from the first one to the last, until pages are free.
    fn pack(&mut self, pages: usize) -> Result<(), StorageError> {
        let mut at = 0;
        while at + 1 < self.leaves.len() && (PACKING..pages).contains(&self.device.free()) {
            let (before, leaves) = (self.live_of(at, 1), self.leaves.len());
            // One that is full stays as it is.
            if before + 500 < Self::ROOM {
                self.write_anew(at, 2, &[], Self::ROOM)?;
                self.settle()?;
            }
            // A pair that became one goes on to be filled.
            at += usize::from(self.leaves.len() >= leaves);
        }
        Ok(())
    }

    /// Moves a leaf whose page failed, and has the commit log name the pages that are retired.
    #[inline(never)]
    pub(super) fn tend(&mut self) -> Result<(), StorageError> {
        let failed = |leaf| self.device.is_closed(Leaf::read(leaf).page);
        if let Some(at) = self.leaves.iter().position(failed)
            && self.device.free() >= FLOOR
        {
            self.rewrite(at, 1, &[])?;
            self.settle()?;
        }
        if self.device.is_unrecorded() && self.device.free() > 0 { self.settle() } else { Ok(()) }
    }

    /// Moves the leaf whose page was erased least often, if every free page was erased more often.
    pub(super) fn level(&mut self) -> Result<(), StorageError> {
        let erases = |leaf| self.device.erases(Leaf::read(leaf).page);
        let least = self.leaves.iter().map(erases).enumerate().min_by_key(|(_, erases)| *erases);
        let (Some((at, erases)), Some(free)) = (least, self.device.least_erases()) else {
            return Ok(());
        };
        if free < erases.saturating_add(LAG) || self.device.free() < 4 {
            return Ok(());
        }
        self.device.worn = true;
        let moved = self.rewrite(at, 1, &[]);
        self.device.worn = false;
        moved?;
        self.settle()
    }
}
