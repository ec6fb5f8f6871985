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

use alloc::{vec, vec::Vec};
use core::{
    cell::{Cell, Ref, RefCell, RefMut},
    fmt, mem,
    ops::{Bound, Range},
};

use ekv::{
    CommitError, Config, CursorError, Error, MountError, ReadError, ReadTransaction, WriteError,
};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embedded_storage::nor_flash::NorFlash;

pub use self::polled::Polled;
use self::{
    format::{MAX_VALUE, PAGE, PAYLOAD, RECORD},
    polled::at_once,
    region::Region,
    survey::Survey,
};
use super::{
    storage::{Batch, BatchEntry, KeyRange, MAX_KEY_LEN, Storage, StorageError, Visit},
    superblock::{MAX_LEN, Superblock},
};
use crate::limits::{Limit, LimitExceeded};

/// The key of the superblock. The engine's keys begin with a higher byte.
const ABOUT: &[u8] = &[0];
/// The first key that can be the engine's.
const FIRST: &[u8] = &[1];

/// Pages that hold no entries: what `ekv` wants free before it writes, its two pages of file
/// tables, and pages of files that are not full while they are merged.
const RESERVED_PAGES: u32 = 16;
/// Pages that only a batch which frees room may use, so that a full store can be emptied.
const EMPTYING_PAGES: u32 = 4;
/// The fewest pages that leave some for entries.
const MIN_PAGES: u32 = RESERVED_PAGES + 2 * EMPTYING_PAGES;

type Ekv<F> = ekv::Database<Region<F>, NoopRawMutex>;

enum State<F: NorFlash> {
    Running(Ekv<F>),
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
            State::Running(database) => stop(database),
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
            State::Running(database) => Some(database),
            State::Stopped(_) => None,
        })
        .map_err(|_| StorageError::InUse)
    }

    /// Stops the database and starts it again from what is on flash.
    fn restart(&self, mut state: RefMut<'_, State<F>>) -> Result<(), StorageError> {
        let flash = match mem::replace(&mut *state, State::Stopped(None)) {
            State::Running(database) => stop(database),
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
        if self.held.get() == after { Ok(()) } else { Err(error) }
    }
}

impl<F: NorFlash> fmt::Debug for FlashStorage<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("FlashStorage");
        debug.field("region", &self.region).field("held", &self.held.get()).finish_non_exhaustive()
    }
}

/// Opens what is in a region, or makes an empty store there if it is erased.
fn start<F: NorFlash>(
    mut region: Region<F>,
) -> Result<(Ekv<F>, Superblock), (Option<F>, StorageError)> {
    let survey = match region.survey() {
        Ok(survey) => survey,
        Err(error) => return Err((region.take(), error)),
    };
    // Where `ekv` begins to take pages depends on the seed, so that a device which is often
    // switched off does not wear out its first pages. The first look is only for the superblock.
    let mut seed = 0;
    if let Survey::Erased { first } = survey {
        region.refresh();
        seed = format::seed_for(first);
    }
    let database = Ekv::new(region, seeded(seed));
    let held = match first_look(&database, survey) {
        Ok(held) => held,
        Err(error) => return Err((stop(database), error)),
    };
    let region = at_once(database.lock_flash()).ok().and_then(|mut region| region.moved());
    drop(database);
    let Some(region) = region else { return Err((None, StorageError::InUse)) };
    // An odd factor, so that each page has its turn.
    let spread = (held.batches as u32).wrapping_mul(2_654_435_761);
    let database = Ekv::new(region, seeded(format::seed_for(spread)));
    match at_once(database.mount()).and_then(|mounted| mounted.map_err(StorageError::from)) {
        Ok(()) => Ok((database, held)),
        Err(error) => Err((stop(database), error)),
    }
}

fn seeded(seed: u32) -> Config {
    let mut config = Config::default();
    config.random_seed = seed;
    config
}

fn first_look<F: NorFlash>(database: &Ekv<F>, survey: Survey) -> Result<Superblock, StorageError> {
    if let Survey::Erased { .. } = survey {
        at_once(database.format())?.map_err(|ekv::FormatError::Flash(error)| error)?;
    }
    at_once(database.mount())??;
    let mut buffer = [0; MAX_LEN];
    let held = match read(database, ABOUT, &mut buffer)? {
        Some(len) => Superblock::decode(buffer.get(..len).unwrap_or_default())?,
        None => {
            // Formatted, and then the power failed; or somebody else's.
            let mut empty = true;
            let range = KeyRange { lower: &[], upper: None };
            walk(database, range, &mut vec![0; MAX_VALUE], &mut |_, _| {
                empty = false;
                core::ops::ControlFlow::Break(())
            })?;
            if !empty {
                return Err(StorageError::Foreign);
            }
            let none = Superblock::default();
            commit(database, &none, core::iter::empty())?;
            none
        }
    };
    if survey == Survey::Odd {
        verify(database, &held)?;
    }
    Ok(held)
}

/// Ends a database and gives its device back.
fn stop<F: NorFlash>(database: Ekv<F>) -> Option<F> {
    at_once(database.lock_flash()).ok()?.take()
}

fn read<F: NorFlash>(
    database: &Ekv<F>,
    key: &[u8],
    buffer: &mut [u8],
) -> Result<Option<usize>, StorageError> {
    let transaction = at_once(database.read_transaction())?;
    match at_once(transaction.read(key, buffer))? {
        Ok(len) => Ok(Some(len)),
        Err(ReadError::KeyNotFound | ReadError::KeyTooBig) => Ok(None),
        Err(ReadError::Flash(error)) => Err(error),
        Err(ReadError::Corrupted | ReadError::BufferTooSmall) => {
            Err(StorageError::Corrupt { at: None })
        }
    }
}

/// Hands the entries of a range to `visit`, keys rising.
fn walk<F: NorFlash>(
    database: &Ekv<F>,
    range: KeyRange<'_>,
    value: &mut [u8],
    visit: &mut Visit<'_>,
) -> Result<(), StorageError> {
    let transaction: ReadTransaction<'_, _, _> = at_once(database.read_transaction())?;
    let bounds =
        (Bound::Included(range.lower), range.upper.map_or(Bound::Unbounded, Bound::Excluded));
    let mut cursor = at_once(transaction.read_range(bounds))??;
    let mut key = [0; MAX_KEY_LEN];
    while let Some((key_len, value_len)) = at_once(cursor.next(&mut key, value))?? {
        let (key, value) = (key.get(..key_len), value.get(..value_len));
        if visit(key.unwrap_or_default(), value.unwrap_or_default()).is_break() {
            break;
        }
    }
    Ok(())
}

fn verify<F: NorFlash>(database: &Ekv<F>, held: &Superblock) -> Result<(), StorageError> {
    let mut found = Superblock { batches: held.batches, ..Superblock::default() };
    let all = KeyRange { lower: FIRST, upper: None };
    walk(database, all, &mut vec![0; MAX_VALUE], &mut |key, value| {
        found.entries += 1;
        found.rows += u64::from(super::key::is_row(key));
        found.bytes += key.len() as u64 + value.len() as u64;
        core::ops::ControlFlow::Continue(())
    })?;
    if found == *held { Ok(()) } else { Err(StorageError::Corrupt { at: None }) }
}

fn commit<'a, F: NorFlash>(
    database: &Ekv<F>,
    held: &Superblock,
    entries: impl Iterator<Item = BatchEntry<'a>>,
) -> Result<(), StorageError> {
    let mut transaction = at_once(database.write_transaction())?;
    // The lowest key first: `ekv` wants them in order.
    at_once(transaction.write(ABOUT, held.encode(&mut [0; MAX_LEN])))??;
    for BatchEntry { key, value } in entries {
        match value {
            Some(value) => at_once(transaction.write(key, value))??,
            None => at_once(transaction.delete(key))??,
        }
    }
    Ok(at_once(transaction.commit())??)
}

impl From<MountError<StorageError>> for StorageError {
    fn from(error: MountError<StorageError>) -> Self {
        match error {
            MountError::Flash(error) => error,
            MountError::Corrupted => Self::Corrupt { at: None },
        }
    }
}

impl From<Error<StorageError>> for StorageError {
    fn from(error: Error<StorageError>) -> Self {
        match error {
            Error::Flash(error) => error,
            Error::Corrupted => Self::Corrupt { at: None },
        }
    }
}

impl From<CursorError<StorageError>> for StorageError {
    fn from(error: CursorError<StorageError>) -> Self {
        match error {
            CursorError::Flash(error) => error,
            // No entry of ours is longer than the buffers.
            _ => Self::Corrupt { at: None },
        }
    }
}

impl From<WriteError<StorageError>> for StorageError {
    fn from(error: WriteError<StorageError>) -> Self {
        match error {
            WriteError::Flash(error) => error,
            // What is admitted fits, so the pages are not as they should be.
            _ => Self::Corrupt { at: None },
        }
    }
}

impl From<CommitError<StorageError>> for StorageError {
    fn from(error: CommitError<StorageError>) -> Self {
        match error {
            CommitError::Flash(error) => error,
            _ => Self::Corrupt { at: None },
        }
    }
}
