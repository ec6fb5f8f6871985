//! A storage on raw NOR flash, over the `ekv` crate: a log-structured merge tree whose commits
//! survive power failures. For devices without an operating system.
//!
//! What is asked of `ekv` is reads, forward cursors and commits of sorted keys. Here is what it
//! does not do: telling a torn commit from a corrupt one when a region is opened (`survey`), scans
//! that go backwards (`backwards`), and refusing in time what would not fit (`admit`). `docs/storage.md`
//! has the reasons for `ekv`, and the figures.

mod backwards;
mod format;
mod polled;
mod region;
mod survey;
mod tree;

use alloc::{boxed::Box, vec, vec::Vec};
use core::{
    cell::{Cell, Ref, RefCell, RefMut},
    fmt, mem,
    ops::Range,
};

use embedded_storage::nor_flash::NorFlash;

pub use self::polled::Polled;
use self::{
    format::{MAX_VALUE, PAGE, PAYLOAD, RECORD},
    polled::at_once,
    region::Region,
    tree::{Ekv, FIRST, commit, read, start, stop, verify, walk},
};
use super::{
    storage::{Batch, KeyRange, Storage, StorageError, Visit},
    superblock::Superblock,
};
use crate::limits::{Limit, LimitExceeded};

/// Pages that hold no entries: what `ekv` wants free before it writes, its two pages of file
/// tables, and pages of files that are not full while they are merged.
const RESERVED_PAGES: u32 = 16;
/// Pages that only a batch which frees room may use, so that a full store can be emptied.
const EMPTYING_PAGES: u32 = 4;
/// The fewest pages that leave some for entries.
const MIN_PAGES: u32 = RESERVED_PAGES + 2 * EMPTYING_PAGES;

enum State<F: NorFlash> {
    Running(Box<Ekv<F>>),
    /// The device failed. It is `None` only if `ekv` did not give it back, which it always does.
    Stopped(Option<F>),
}

/// A storage on raw NOR flash.
///
/// It takes a region of whole pages of 4,096 bytes: at least 24 of them (96 KiB), at most 256
/// (1 MiB). An erase block must be a page or divide one, and words of at most four bytes must be
/// writable. A row takes at most 4,096 bytes as it is stored.
///
/// A batch is on flash for good when `apply` returns. Reading writes nothing. If the device fails
/// while a batch is written, the region is opened anew, to see which of both it holds; if that
/// fails too, everything that is asked tries it again first.
pub struct FlashStorage<F: NorFlash> {
    state: RefCell<State<F>>,
    region: Range<u32>,
    held: Cell<Superblock>,
    /// A buffer for values, as long as the longest. Taken while it is in use.
    value: Cell<Vec<u8>>,
}

impl<F: NorFlash> FlashStorage<F> {
    /// Opens the store in the bytes `region` of `flash`, or makes one if they are all erased.
    ///
    /// # Errors
    /// [`StorageError::Foreign`] if there is something else, or a store of the other byte order;
    /// [`StorageError::Corrupt`], [`StorageError::Version`], [`StorageError::Unsuitable`] for a
    /// region or a device that cannot be used, and [`StorageError::Device`]. Pass `&mut flash` to
    /// have the device back then.
    pub fn open(flash: F, region: Range<u32>) -> Result<Self, StorageError> {
        let pages = Region::<F>::pages(&flash, &region)?;
        if pages < MIN_PAGES {
            return Err(StorageError::Unsuitable { what: "a region has at least 24 pages" });
        }
        let (database, held) = start(Region::new(flash, &region)).map_err(|(_, error)| error)?;
        Ok(Self {
            state: RefCell::new(State::Running(database)),
            region,
            held: Cell::new(held),
            value: Cell::new(vec![0; MAX_VALUE]),
        })
    }

    /// Erases the bytes `region` of `flash`, whatever is in them, and makes an empty store there.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn format(mut flash: F, region: Range<u32>) -> Result<Self, StorageError> {
        Region::<F>::pages(&flash, &region)?;
        flash.erase(region.start, region.end).map_err(|error| region::device(&error))?;
        Self::open(flash, region)
    }

    /// Gives the device back.
    pub fn into_flash(self) -> Option<F> {
        match self.state.into_inner() {
            State::Running(database) => stop(&database),
            State::Stopped(flash) => flash,
        }
    }

    /// Hands the device to `look`, for what it counts of itself; `None` while it fails. Writing to
    /// the region would break the store.
    pub fn with_flash<R>(&self, look: impl FnOnce(&mut F) -> R) -> Option<R> {
        let database = self.running().ok()?;
        let mut region = at_once(database.lock_flash()).ok()?;
        region.flash_mut().map(look)
    }

    /// Rows that it holds.
    pub const fn rows(&self) -> u64 {
        self.held.get().rows
    }

    /// Bytes that its entries take on flash once old versions are gone.
    pub const fn bytes(&self) -> u64 {
        let held = self.held.get();
        held.bytes.saturating_add(held.entries.saturating_mul(RECORD))
    }

    /// The most bytes that entries may take: [`bytes`](Self::bytes) and those that a batch writes,
    /// together.
    pub fn capacity(&self) -> u64 {
        let pages = (self.region.end.saturating_sub(self.region.start)) / PAGE;
        u64::from(pages.saturating_sub(RESERVED_PAGES + EMPTYING_PAGES)) * PAYLOAD
    }

    /// Reads everything, comparing checksums, and compares what is there with what should be.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or [`StorageError::Device`].
    pub fn verify(&self) -> Result<(), StorageError> {
        verify(&*self.running()?, &self.held.get())
    }

    /// The database, which is started again if the device failed before.
    fn running(&self) -> Result<Ref<'_, Ekv<F>>, StorageError> {
        // Whoever has it borrowed reads while reading, so it runs.
        if let Ok(state) = self.state.try_borrow_mut()
            && let State::Stopped(_) = *state
        {
            self.restart(state)?;
        }
        let state = self.state.try_borrow().map_err(|_| StorageError::InUse)?;
        Ref::filter_map(state, |state| match state {
            State::Running(database) => Some(&**database),
            State::Stopped(_) => None,
        })
        .map_err(|_| StorageError::InUse)
    }

    /// Stops the database and starts it again from what is on flash.
    fn restart(&self, mut state: RefMut<'_, State<F>>) -> Result<(), StorageError> {
        let flash = match mem::replace(&mut *state, State::Stopped(None)) {
            State::Running(database) => stop(&database),
            State::Stopped(flash) => flash,
        };
        let flash = flash.ok_or(StorageError::InUse)?;
        match start(Region::new(flash, &self.region)) {
            Ok((database, held)) => {
                *state = State::Running(database);
                self.held.set(held);
                Ok(())
            }
            Err((flash, error)) => {
                *state = State::Stopped(flash);
                Err(error)
            }
        }
    }
}

impl<F: NorFlash> Storage for FlashStorage<F> {
    fn max_value_len(&self) -> u64 {
        MAX_VALUE as u64
    }

    fn get<R>(&self, key: &[u8], with: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, StorageError> {
        let database = &*self.running()?;
        let mut buffer = self.value.take();
        // Taken by somebody who reads while reading.
        buffer.resize(MAX_VALUE, 0);
        let found = read(database, key, &mut buffer);
        let result = found.map(|len| len.map(|len| with(buffer.get(..len).unwrap_or_default())));
        self.value.set(buffer);
        result
    }

    fn scan(
        &self,
        range: KeyRange<'_>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StorageError> {
        let database = &*self.running()?;
        let lower = range.lower.max(FIRST);
        if range.upper.is_some_and(|upper| lower >= upper) {
            return Ok(());
        }
        let range = KeyRange { lower, upper: range.upper };
        let mut buffer = self.value.take();
        buffer.resize(MAX_VALUE, 0);
        let result = if reverse {
            backwards::scan(database, range, &mut buffer, visit)
        } else {
            walk(database, range, &mut buffer, visit)
        };
        self.value.set(buffer);
        result
    }

    fn admit(&self, batch: &Batch<'_>) -> Result<(), StorageError> {
        let totals = batch.totals();
        let batch_len = totals.written.saturating_add(totals.changes.saturating_mul(RECORD));
        let added =
            totals.entries.saturating_mul(RECORD.cast_signed()).saturating_add(totals.bytes);
        // Until old versions are merged away, a batch takes room beside what it replaces.
        let (held, allowed) = if added > 0 {
            (self.bytes().saturating_add_signed(added), self.capacity())
        } else {
            (self.bytes(), self.capacity() + u64::from(EMPTYING_PAGES) * PAYLOAD)
        };
        let asked = held.saturating_add(batch_len);
        if totals.changes > 0 && asked > allowed {
            let limit = Limit::StoreBytes;
            return Err(StorageError::Full(LimitExceeded { limit, allowed, asked }));
        }
        Ok(())
    }

    fn apply(&mut self, batch: &Batch<'_>) -> Result<(), StorageError> {
        if batch.totals().changes == 0 {
            return Ok(());
        }
        self.admit(batch)?;
        let after = self.held.get().after(batch);
        let written = commit(&*self.running()?, &after, batch.entries());
        let Err(error) = written else {
            self.held.set(after);
            return Ok(());
        };
        // The device may have failed before the last word of the commit or after it.
        self.restart(self.state.try_borrow_mut().map_err(|_| StorageError::InUse)?)?;
        if self.held.get() == after {
            return Ok(());
        }
        if let StorageError::Full(_) = error {
            // `ekv` needs more room than is reckoned with here. What it says has no numbers.
            let asked = self.bytes().saturating_add(batch.totals().written);
            let (limit, allowed) = (Limit::StoreBytes, self.capacity());
            return Err(StorageError::Full(LimitExceeded { limit, allowed, asked }));
        }
        Err(error)
    }
}

impl<F: NorFlash> fmt::Debug for FlashStorage<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("FlashStorage");
        debug.field("region", &self.region).field("held", &self.held.get()).finish_non_exhaustive()
    }
}
