//! What a storage is given and returns: key ranges, entries, totals of a batch, errors. It knows neither
//! storages nor transactions.

use core::{fmt, ops::ControlFlow};

#[cfg(feature = "std")]
use crate::IoError;
use crate::limits::LimitExceeded;

/// The longest key that the engine writes or asks for, in bytes.
pub const MAX_KEY_LEN: usize = 128;

/// The keys of a scan, in the order of their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRange<'a> {
    /// The first key that is inside.
    pub lower: &'a [u8],
    /// The first key that is outside; `None` for no end.
    pub upper: Option<&'a [u8]>,
}

/// What a scan hands keys and values to, until it breaks.
pub type Visit<'v> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'v;

/// Why a storage did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageError {
    /// There is no room.
    Full(LimitExceeded),
    /// An entry is larger than any that the storage can hold.
    TooLarge(LimitExceeded),
    /// What was read is not what was written.
    Corrupt {
        /// Where, in the terms of the storage: an address or an offset; `None` if it does not say.
        at: Option<u64>,
    },
    /// What is there is something else than a store, or a store of another program.
    Foreign,
    /// The store was written in a format of another version.
    Version {
        /// The version that was found.
        found: u8,
    },
    /// The store is open elsewhere.
    InUse,
    /// The device cannot hold a store.
    Unsuitable {
        /// What about it does not suit.
        what: &'static str,
    },
    /// The device failed.
    Device {
        /// The device's own number for what went wrong.
        code: i32,
    },
    /// The device is worn out: pages that failed are not used any more, and those that are left have no
    /// room for it. What is there can be read, and deleted.
    WornOut {
        /// How many pages are retired.
        retired: u32,
    },
    /// The operating system failed.
    #[cfg(feature = "std")]
    Io(IoError),
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(limit) => write!(f, "the store is full: {limit}"),
            Self::TooLarge(limit) => write!(f, "an entry is too large for the store: {limit}"),
            Self::Corrupt { at: Some(at) } => write!(f, "the store is corrupt at {at:#x}"),
            Self::Corrupt { at: None } => write!(f, "the store is corrupt"),
            Self::Foreign => write!(f, "the device does not hold a store of sochdb-wasmi"),
            Self::Version { found } => write!(f, "the store has format version {found}"),
            Self::InUse => write!(f, "the store is open elsewhere"),
            Self::Unsuitable { what } => write!(f, "the device cannot hold a store: {what}"),
            Self::Device { code } => write!(f, "the store's device failed with code {code}"),
            Self::WornOut { retired } => {
                write!(f, "the store's device is worn out: {retired} pages failed and are retired")
            }
            #[cfg(feature = "std")]
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for StorageError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Full(limit) | Self::TooLarge(limit) => Some(limit),
            #[cfg(feature = "std")]
            Self::Io(error) => Some(error.error()),
            Self::Corrupt { .. }
            | Self::Foreign
            | Self::Version { .. }
            | Self::InUse
            | Self::Unsuitable { .. }
            | Self::WornOut { .. }
            | Self::Device { .. } => None,
        }
    }
}

/// What a batch adds to a store (negative: takes from it), against what the store holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchTotals {
    /// Entries.
    pub entries: i64,
    /// Those of the entries that are rows of tables.
    pub rows: i64,
    /// Bytes of keys and values.
    pub bytes: i64,
    /// How many entries the batch writes or deletes, whatever was there before.
    pub changes: u64,
    /// Bytes of keys and values that it writes, and of keys that it deletes.
    pub written: u64,
}

/// One entry of a [`Batch`](crate::database::Batch).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchEntry<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The value to put under it, or `None` to delete the key.
    pub value: Option<&'a [u8]>,
    /// Length of the value that the storage has under the key now, in bytes; `None` if it has none.
    pub stored_len: Option<u64>,
}
