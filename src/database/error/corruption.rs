//! Corruption: contents of a store that the database never wrote, found by opening, reading or checking it.

use core::fmt;

use crate::abi::Name;

/// What in the store is not as the database left it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Corruption {
    /// The store was written in a format of another version.
    FormatVersion(u8),
    /// A schema cannot be read, or tables are missing.
    Catalog,
    /// The counter of a table's row ids.
    Counter {
        /// The table.
        table: Name,
    },
    /// A row cannot be read, or its values are not what the schema says.
    Row {
        /// The table.
        table: Name,
        /// The row.
        id: u64,
    },
    /// A row has no entry in an index.
    MissingIndexEntry {
        /// The table.
        table: Name,
        /// The index.
        index: Name,
        /// The row.
        id: u64,
    },
    /// An index has an entry that no row is found by.
    StrayIndexEntry {
        /// The table.
        table: Name,
        /// The index.
        index: Name,
        /// The row that it names.
        id: u64,
    },
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FormatVersion(version) => write!(f, "the store has format version {version}"),
            Self::Catalog => write!(f, "the catalog of tables cannot be read"),
            Self::Counter { table } => write!(f, "{table}: the counter of ids is wrong"),
            Self::Row { table, id } => write!(f, "{table}: row {id} cannot be read"),
            Self::MissingIndexEntry { table, index, id } => {
                write!(f, "{table}: row {id} is not in the index {index}")
            }
            Self::StrayIndexEntry { table, index, id } => {
                write!(f, "{table}: the index {index} has a wrong entry for row {id}")
            }
        }
    }
}
