//! What is asked of `ekv`: opening, reading, walking, committing.

use alloc::{boxed::Box, vec};
use core::ops::{Bound, ControlFlow};

use ekv::{
    CommitError, Config, CursorError, Error, FormatError, MountError, ReadError, WriteError,
};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embedded_storage::nor_flash::NorFlash;

use super::{
    format::{self, MAX_VALUE},
    polled::at_once,
    region::Region,
    survey::Survey,
};
use crate::database::{
    key,
    storage::{BatchEntry, KeyRange, MAX_KEY_LEN, StorageError, Visit},
    superblock::{MAX_LEN, Superblock},
};
use crate::limits::{Limit, LimitExceeded};

/// The key of the superblock. The engine's keys begin with a higher byte.
const ABOUT: &[u8] = &[0];
/// The first key that can be the engine's.
pub const FIRST: &[u8] = &[1];

/// A database of `ekv`, which nobody shares.
pub type Ekv<F> = ekv::Database<Region<F>, NoopRawMutex>;

/// A database that runs, and what it holds.
pub type Started<F> = (Box<Ekv<F>>, Superblock);

/// Opens what is in a region, or makes an empty store there if it is erased.
///
/// # Errors
/// The device, and why.
pub fn start<F: NorFlash>(mut region: Region<F>) -> Result<Started<F>, (Option<F>, StorageError)> {
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
    let mut database = boxed(region, seed);
    let held = match noticed(&database, first_look(&database, survey)) {
        Ok(held) => held,
        Err(error) => return Err((stop(&database), error)),
    };
    // An odd factor, so that each page has its turn.
    let spread = (held.batches as u32).wrapping_mul(2_654_435_761);
    let Some(region) = moved(&database) else { return Err((None, StorageError::InUse)) };
    drop(database);
    database = boxed(region, format::seed_for(spread));
    match noticed(&database, mount(&database)) {
        Ok(()) => Ok((database, held)),
        Err(error) => Err((stop(&database), error)),
    }
}

// The parts of opening are not inlined, or their frames and futures would all be on the stack at
// once: they take more of it than anything that comes after.

#[inline(never)]
fn boxed<F: NorFlash>(region: Region<F>, seed: u32) -> Box<Ekv<F>> {
    let mut config = Config::default();
    config.random_seed = seed;
    Box::new(Ekv::new(region, config))
}

#[inline(never)]
fn moved<F: NorFlash>(database: &Ekv<F>) -> Option<Region<F>> {
    at_once(database.lock_flash()).ok()?.moved()
}

#[inline(never)]
fn mount<F: NorFlash>(database: &Ekv<F>) -> Result<(), StorageError> {
    Ok(at_once(database.mount())??)
}

#[inline(never)]
fn format<F: NorFlash>(database: &Ekv<F>) -> Result<(), StorageError> {
    at_once(database.format())?.map_err(|FormatError::Flash(error)| error)?;
    noticed(database, Ok(()))
}

/// The result of an operation, or what the device did not do meanwhile: `ekv` is not told of some
/// of it, and takes some of it for corruption.
fn noticed<F: NorFlash, T>(
    database: &Ekv<F>,
    result: Result<T, StorageError>,
) -> Result<T, StorageError> {
    match failure(database) {
        Some(error) => Err(error),
        None => result,
    }
}

/// Out of line: what it needs of the stack does not lie there while an operation runs.
#[inline(never)]
fn failure<F: NorFlash>(database: &Ekv<F>) -> Option<StorageError> {
    match at_once(database.lock_flash()) {
        Ok(mut region) => region.failure(),
        Err(error) => Some(error),
    }
}

#[inline(never)]
fn is_empty<F: NorFlash>(database: &Ekv<F>) -> Result<bool, StorageError> {
    let mut empty = true;
    let range = KeyRange { lower: &[], upper: None };
    walk(database, range, &mut vec![0; MAX_VALUE], &mut |_, _| {
        empty = false;
        ControlFlow::Break(())
    })?;
    Ok(empty)
}

fn first_look<F: NorFlash>(database: &Ekv<F>, survey: Survey) -> Result<Superblock, StorageError> {
    if let Survey::Erased { .. } = survey {
        format(database)?;
    }
    mount(database)?;
    let mut buffer = [0; MAX_LEN];
    let held = match read(database, ABOUT, &mut buffer)? {
        Some(len) => Superblock::decode(buffer.get(..len).unwrap_or_default())?,
        // Formatted, and then the power failed.
        None if is_empty(database)? => {
            let none = Superblock::default();
            commit(database, &none, core::iter::empty())?;
            none
        }
        None => return Err(StorageError::Foreign),
    };
    if survey == Survey::Odd {
        verify(database, &held)?;
    }
    Ok(held)
}

/// Ends a database and gives its device back.
pub fn stop<F: NorFlash>(database: &Ekv<F>) -> Option<F> {
    at_once(database.lock_flash()).ok()?.take()
}

/// Reads the value under a key into `buffer`; returns its length.
///
/// # Errors
/// [`StorageError`].
#[inline(never)]
pub fn read<F: NorFlash>(
    database: &Ekv<F>,
    key: &[u8],
    buffer: &mut [u8],
) -> Result<Option<usize>, StorageError> {
    let read = at_once(at_once(database.read_transaction())?.read(key, buffer))?;
    let read = match read {
        Ok(len) => Ok(Some(len)),
        Err(ReadError::KeyNotFound | ReadError::KeyTooBig) => Ok(None),
        Err(ReadError::Flash(error)) => Err(error),
        Err(ReadError::Corrupted | ReadError::BufferTooSmall) => {
            Err(StorageError::Corrupt { at: None })
        }
    };
    noticed(database, read)
}

/// Hands the entries of a range to `visit`, keys rising.
///
/// # Errors
/// [`StorageError`].
#[inline(never)]
pub fn walk<F: NorFlash>(
    database: &Ekv<F>,
    range: KeyRange<'_>,
    value: &mut [u8],
    visit: &mut Visit<'_>,
) -> Result<(), StorageError> {
    let walked = cursor(database, range, value, visit);
    noticed(database, walked)
}

fn cursor<F: NorFlash>(
    database: &Ekv<F>,
    range: KeyRange<'_>,
    value: &mut [u8],
    visit: &mut Visit<'_>,
) -> Result<(), StorageError> {
    let transaction = at_once(database.read_transaction())?;
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

/// Reads everything and compares it with what should be there.
///
/// # Errors
/// [`StorageError::Corrupt`] if it is not, or [`StorageError::Device`].
#[inline(never)]
pub fn verify<F: NorFlash>(database: &Ekv<F>, held: &Superblock) -> Result<(), StorageError> {
    let mut found = Superblock { batches: held.batches, ..Superblock::default() };
    let all = KeyRange { lower: FIRST, upper: None };
    walk(database, all, &mut vec![0; MAX_VALUE], &mut |key, value| {
        found.entries += 1;
        found.rows += u64::from(key::is_row(key));
        found.bytes += key.len() as u64 + value.len() as u64;
        ControlFlow::Continue(())
    })?;
    if found == *held { Ok(()) } else { Err(StorageError::Corrupt { at: None }) }
}

/// Writes a superblock and entries whose keys rise, all or nothing.
///
/// # Errors
/// [`StorageError`]. What is on flash then is known when it was opened again.
#[inline(never)]
pub fn commit<'a, F: NorFlash>(
    database: &Ekv<F>,
    held: &Superblock,
    entries: impl Iterator<Item = BatchEntry<'a>>,
) -> Result<(), StorageError> {
    let committed = transaction(database, held, entries);
    noticed(database, committed)
}

fn transaction<'a, F: NorFlash>(
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
            CursorError::KeyBufferTooSmall
            | CursorError::ValueBufferTooSmall
            | CursorError::Corrupted => Self::Corrupt { at: None },
        }
    }
}

impl From<WriteError<StorageError>> for StorageError {
    fn from(error: WriteError<StorageError>) -> Self {
        match error {
            WriteError::Flash(error) => error,
            WriteError::Full => {
                Self::Full(LimitExceeded { limit: Limit::StoreBytes, allowed: 0, asked: 0 })
            }
            WriteError::NotSorted
            | WriteError::KeyTooBig
            | WriteError::ValueTooBig
            | WriteError::TransactionCanceled
            | WriteError::Corrupted => Self::Corrupt { at: None },
        }
    }
}

impl From<CommitError<StorageError>> for StorageError {
    fn from(error: CommitError<StorageError>) -> Self {
        match error {
            CommitError::Flash(error) => error,
            CommitError::TransactionCanceled | CommitError::Corrupted => Self::Corrupt { at: None },
        }
    }
}
