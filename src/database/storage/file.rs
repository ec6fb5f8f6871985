//! A storage in a file, over the `redb` crate: a B-tree with copies on write, whose commits survive
//! the process and power failures.
//!
//! `redb` provides an ordered map and commits. The limits of a file, and whether it is a store of this crate,
//! are decided here.

use std::{fs, io, path::Path};

use alloc::{boxed::Box, string::ToString};

use core::ops::Bound;

use redb::{Builder, ReadOnlyTable, ReadableDatabase, TableDefinition, TableError};

use super::{
    memory::ENTRY_OVERHEAD,
    seam::{Batch, Storage},
    superblock::{MAX_LEN, Superblock},
};
use crate::{
    IoError,
    database::entries::{BatchEntry, KeyRange, StorageError, Visit},
};

/// The entries of the database.
const ENTRIES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("entries");
/// The superblock, under the key 0.
const ABOUT: TableDefinition<'_, u8, &[u8]> = TableDefinition::new("sochdb-wasmi");

/// When what a call wrote is safe from a power failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// When the call returns. Each call that writes waits for the disk once.
    #[default]
    EachCall,
    /// When [`RedbStorage::flush`] returns, or the storage is closed. A power failure or a killed
    /// process before that takes back the calls since the last flush, whole ones: the database is
    /// then the one after some earlier call. Many times faster where calls are short.
    Flush,
}

/// How a [`RedbStorage`] works, and how much it may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedbConfig {
    /// Rows of all tables. Default 1,000,000.
    pub max_rows: u32,
    /// Bytes of keys and values of rows, indexes, schemas and counters, and [`ENTRY_OVERHEAD`] for
    /// each. Default 1 GiB. The file is larger, by what its pages do not fill and by the copies of
    /// changed pages: reckon with two to three times as much.
    pub max_bytes: u64,
    /// Memory for pages of the file, in bytes. Default 16 MiB.
    pub cache_bytes: usize,
    /// When calls are safe. Default [`Durability::EachCall`].
    pub durability: Durability,
    /// Whether opening reads the whole file and compares all checksums. Default true. Without it a
    /// file that was changed from outside may be trusted.
    pub verify: bool,
}

impl Default for RedbConfig {
    fn default() -> Self {
        Self {
            max_rows: 1_000_000,
            max_bytes: 1 << 30,
            cache_bytes: 16 << 20,
            durability: Durability::EachCall,
            verify: true,
        }
    }
}

/// A storage in a file.
///
/// After a [`StorageError::Io`] the file has to be closed and opened again; until then every
/// write fails, and reads see what was there before it.
pub struct RedbStorage {
    /// The entries as the last batch left them. Kept open: finding the root of the tree anew would
    /// cost a read more than the read itself.
    entries: ReadOnlyTable<&'static [u8], &'static [u8]>,
    database: redb::Database,
    held: Superblock,
    config: RedbConfig,
    path: Box<Path>,
}

impl RedbStorage {
    /// Opens the file at `path`, or makes one if there is none. A new file appears there only when
    /// it is complete, and never in the place of one that another process made meanwhile.
    ///
    /// # Errors
    /// [`StorageError::Foreign`] for a file of something else, [`StorageError::Version`] for one of
    /// another version of this crate, [`StorageError::Corrupt`], [`StorageError::InUse`] while it is
    /// open elsewhere, and [`StorageError::Io`] with what the operating system said about which file.
    pub fn open(path: impl AsRef<Path>, config: RedbConfig) -> Result<Self, StorageError> {
        let path = path.as_ref();
        Self::open_or_make(path, config).map_err(|error| at(path, error))
    }

    fn open_or_make(path: &Path, config: RedbConfig) -> Result<Self, StorageError> {
        let mut builder = Builder::new();
        builder.set_cache_size(config.cache_bytes);
        if !path.try_exists().map_err(failed_io)? {
            create(&builder, path)?;
        }
        builder.set_check_integrity_on_open(config.verify);
        let database = builder.open(path).map_err(opening)?;
        let snapshot = database.begin_read().map_err(failed)?;
        let about = snapshot.open_table(ABOUT).map_err(missing)?;
        let block = about.get(0).map_err(failed)?.ok_or(StorageError::Foreign)?;
        let held = Superblock::decode(block.value())?;
        let entries = snapshot.open_table(ENTRIES).map_err(missing)?;
        Ok(Self { entries, database, held, config, path: path.into() })
    }

    /// Rows that it holds.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.held.rows
    }

    /// Bytes that it holds, counted as [`RedbConfig::max_bytes`] counts them.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.held.bytes.saturating_add(self.held.entries.saturating_mul(ENTRY_OVERHEAD))
    }

    /// Makes everything that was committed safe from a power failure. With
    /// [`Durability::EachCall`] it already is.
    ///
    /// # Errors
    /// [`StorageError::Io`].
    pub fn flush(&self) -> Result<(), StorageError> {
        self.commit_all().map_err(|error| at(&self.path, error))
    }

    fn commit_all(&self) -> Result<(), StorageError> {
        // Such a commit takes those before it along.
        let mut transaction = self.database.begin_write().map_err(failed)?;
        transaction.set_durability(redb::Durability::Immediate).map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    /// Makes the changes of a batch and takes a new look at the entries.
    fn commit(&mut self, batch: &Batch<'_>) -> Result<(), StorageError> {
        let held = self.held.after(batch);
        let mut transaction = self.database.begin_write().map_err(failed)?;
        let durability = match self.config.durability {
            Durability::EachCall => redb::Durability::Immediate,
            Durability::Flush => redb::Durability::None,
        };
        transaction.set_durability(durability).map_err(failed)?;
        {
            let mut entries = transaction.open_table(ENTRIES).map_err(missing)?;
            for BatchEntry { key, value, .. } in batch.entries() {
                match value {
                    Some(value) => drop(entries.insert(key, value).map_err(failed)?),
                    None => drop(entries.remove(key).map_err(failed)?),
                }
            }
            let mut about = transaction.open_table(ABOUT).map_err(missing)?;
            about.insert(0, held.encode(&mut [0; MAX_LEN])).map_err(failed)?;
        }
        transaction.commit().map_err(failed)?;
        self.held = held;
        let snapshot = self.database.begin_read().map_err(failed)?;
        self.entries = snapshot.open_table(ENTRIES).map_err(missing)?;
        Ok(())
    }
}

impl Storage for RedbStorage {
    fn get<R>(&self, key: &[u8], with: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, StorageError> {
        let found = self.entries.get(key).map_err(|error| at(&self.path, failed(error)))?;
        Ok(found.map(|value| with(value.value())))
    }

    fn scan(
        &self,
        range: KeyRange<'_>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StorageError> {
        let upper = range.upper.map_or(Bound::Unbounded, Bound::Excluded);
        if range.upper.is_some_and(|upper| range.lower >= upper) {
            return Ok(());
        }
        let failed = |error| at(&self.path, failed(error));
        let mut entries =
            self.entries.range::<&[u8]>((Bound::Included(range.lower), upper)).map_err(failed)?;
        while let Some(entry) = if reverse { entries.next_back() } else { entries.next() } {
            let (key, value) = entry.map_err(failed)?;
            if visit(key.value(), value.value()).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn admit(&self, batch: &Batch<'_>) -> Result<(), StorageError> {
        let RedbConfig { max_rows, max_bytes, .. } = self.config;
        self.held.admit(batch, max_rows.into(), max_bytes, ENTRY_OVERHEAD)
    }

    fn apply(&mut self, batch: &Batch<'_>) -> Result<(), StorageError> {
        self.admit(batch)?;
        self.commit(batch).map_err(|error| at(&self.path, error))
    }
}

impl Drop for RedbStorage {
    fn drop(&mut self) {
        if self.config.durability == Durability::Flush {
            // There is nobody to tell. Who must know calls `flush`.
            let _ = self.flush();
        }
    }
}

impl core::fmt::Debug for RedbStorage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { held, config, .. } = self;
        let mut debug = f.debug_struct("RedbStorage");
        debug.field("held", held).field("config", config).finish_non_exhaustive()
    }
}

/// Makes an empty store beside `path`, under a name that nobody else has, and gives it its name, so
/// that whatever happens there is either no file or a store.
///
/// If there is a file by then, it stays: another process made a store, and may have it open.
fn create(builder: &Builder, path: &Path) -> Result<(), StorageError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push(".");
    let mut beside = tempfile::Builder::new();
    beside.prefix(&prefix).suffix(".new");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As of any new file: the umask is taken off.
        beside.permissions(fs::Permissions::from_mode(0o666));
    }
    // It is removed when it is dropped without its name.
    let beside = beside.tempfile_in(directory).map_err(failed_io)?;
    fill(builder, beside.path())?;
    match beside.persist_noclobber(path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(failed_io(error.error)),
    }
    #[cfg(unix)]
    {
        // The name in the directory must survive too.
        let directory = fs::File::open(directory);
        directory.and_then(|directory| directory.sync_all()).map_err(failed_io)?;
    }
    Ok(())
}

/// Makes an empty store in an empty file.
fn fill(builder: &Builder, path: &Path) -> Result<(), StorageError> {
    let database = builder.create(path).map_err(opening)?;
    let transaction = database.begin_write().map_err(failed)?;
    transaction.open_table(ENTRIES).map_err(missing)?;
    {
        let mut about = transaction.open_table(ABOUT).map_err(missing)?;
        about.insert(0, Superblock::default().encode(&mut [0; MAX_LEN])).map_err(failed)?;
    }
    transaction.commit().map_err(failed)?;
    database.close().map_err(opening)
}

/// The error, about this file if it names none.
fn at(path: &Path, error: StorageError) -> StorageError {
    if let StorageError::Io(error) = error { StorageError::Io(error.or_at(path)) } else { error }
}

fn failed_io(error: io::Error) -> StorageError {
    StorageError::Io(IoError::new(error))
}

/// What `redb` says about a file that does not open.
#[expect(clippy::wildcard_enum_match_arm, reason = "the list of another crate, which grows")]
fn opening(error: redb::DatabaseError) -> StorageError {
    match error {
        redb::DatabaseError::DatabaseAlreadyOpen => StorageError::InUse,
        redb::DatabaseError::UpgradeRequired(found) => StorageError::Version { found },
        redb::DatabaseError::Storage(redb::StorageError::Io(error))
            if error.kind() == io::ErrorKind::InvalidData =>
        {
            StorageError::Foreign
        }
        other => failed(other),
    }
}

/// What it says about a table that does not: a store has them all.
fn missing(error: TableError) -> StorageError {
    if let TableError::Storage(error) = error { failed(error) } else { StorageError::Foreign }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the list of another crate, which grows")]
fn failed(error: impl Into<redb::Error>) -> StorageError {
    match error.into() {
        redb::Error::Corrupted(_) => StorageError::Corrupt { at: None },
        redb::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            StorageError::Corrupt { at: None }
        }
        redb::Error::Io(error) => failed_io(error),
        // The file was not the cause, or no longer is: that is said in its own words.
        other => failed_io(io::Error::other(other.to_string())),
    }
}
