//! The errors of the database, each with the place where it occurred, and the status
//! that a plugin sees for it.

use super::{corruption::Corruption, given_name::GivenName};
use crate::{
    abi::{Name, Status, wire::WireErrorKind},
    database::{
        entries::StorageError,
        schema::{ColumnType, SchemaError, TableId},
    },
    limits::LimitExceeded,
    meter::Exhausted,
};

/// Why the database did not do what it was asked to. Nothing of the statement is left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
// The tag is a word, so that the whole is moved by words: a kilobyte of flash.
#[repr(u32)]
pub enum DatabaseError {
    /// No table has this name.
    UnknownTable {
        /// The name.
        table: GivenName,
    },
    /// No table has this id.
    UnknownTableId(TableId),
    /// No column has this name.
    UnknownColumn {
        /// The table.
        table: Name,
        /// The name.
        column: GivenName,
    },
    /// No index has this name.
    UnknownIndex {
        /// The table.
        table: Name,
        /// The name.
        index: GivenName,
    },
    /// An update names a row that does not exist.
    NoSuchRow {
        /// The table.
        table: Name,
        /// The row.
        id: u64,
    },
    /// A table of this name exists.
    TableExists {
        /// The table.
        table: Name,
    },
    /// This cannot be done before the pending transaction is committed or rolled back.
    TransactionPending,
    /// A schema cannot be.
    Schema(SchemaError),
    /// A value has another type than its column.
    WrongType {
        /// The table.
        table: Name,
        /// The column.
        column: Name,
        /// The column's type.
        expected: ColumnType,
        /// The value's kind, in words.
        got: &'static str,
    },
    /// A column that may not be null has no value.
    MissingValue {
        /// The table.
        table: Name,
        /// The column.
        column: Name,
    },
    /// A vector has another length than its column says.
    WrongDimension {
        /// The table.
        table: Name,
        /// The column.
        column: Name,
        /// Bytes that a vector of the column has: four for each dimension.
        expected: u32,
        /// Bytes that were given.
        got: u32,
    },
    /// A component of a vector is infinite or no number.
    NotFinite {
        /// The table.
        table: Name,
        /// The column.
        column: Name,
    },
    /// A double is NaN.
    NotANumber {
        /// The table.
        table: Name,
        /// The column.
        column: Name,
    },
    /// A reference names a table by an invalid name.
    InvalidReference {
        /// The table.
        table: Name,
        /// The column.
        column: Name,
    },
    /// An array or object cannot be read back from its bytes, for instance as it is nested too
    /// deep.
    InvalidValue {
        /// The table.
        table: Name,
        /// The column.
        column: Name,
        /// What is wrong.
        error: WireErrorKind,
    },
    /// A row has more or fewer values than columns were named.
    WrongColumnCount {
        /// The table.
        table: Name,
        /// Columns.
        expected: u32,
        /// Values.
        got: u32,
    },
    /// A column is named twice.
    DuplicateColumn {
        /// The table.
        table: Name,
        /// The column.
        column: Name,
    },
    /// An inserted row has the id of one that exists.
    DuplicateId {
        /// The table.
        table: Name,
        /// The row.
        id: u64,
    },
    /// A row has the same values in a unique index as another.
    DuplicateUnique {
        /// The table.
        table: Name,
        /// The index.
        index: Name,
    },
    /// An updated or upserted row has no id.
    MissingId {
        /// The table.
        table: Name,
    },
    /// A new row is given an id above [`MAX_GIVEN_ID`](crate::abi::MAX_GIVEN_ID).
    IdNotAllowed {
        /// The table.
        table: Name,
        /// The id.
        id: u64,
    },
    /// All ids of a table were assigned.
    IdsExhausted {
        /// The table.
        table: Name,
    },
    /// A search for no rows.
    EmptyQuery {
        /// The table.
        table: Name,
    },
    /// A search in a column without vectors.
    NotAVector {
        /// The table.
        table: Name,
        /// The column.
        column: Name,
    },
    /// A condition orders values of a column that have no order, or compares arrays, objects or
    /// vectors with anything but null.
    NotComparable {
        /// The table.
        table: Name,
        /// The column.
        column: Name,
    },
    /// A filter has more conditions than are allowed.
    TooManyConditions {
        /// The table.
        table: Name,
        /// How many it has.
        got: u32,
    },
    /// An index query has more values than the index has columns.
    TooManyValues {
        /// The table.
        table: Name,
        /// The index.
        index: Name,
    },
    /// A prefix query without a text or binary value at its end.
    NotAPrefix {
        /// The table.
        table: Name,
        /// The index.
        index: Name,
    },
    /// A place to go on from that this query cannot have answered.
    BadCursor {
        /// The table.
        table: Name,
        /// The index.
        index: Name,
    },
    /// The values of a row are too long for an index.
    KeyTooLong {
        /// The table.
        table: Name,
        /// The index.
        index: Name,
        /// How long.
        limit: LimitExceeded,
    },
    /// The storage.
    Storage(StorageError),
    /// The fuel or a quota of the call.
    Exhausted(Exhausted),
    /// What is stored makes no sense.
    Corrupt(Corruption),
}

impl DatabaseError {
    /// What a plugin gets for it.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::UnknownTable { .. }
            | Self::UnknownTableId(_)
            | Self::UnknownColumn { .. }
            | Self::UnknownIndex { .. }
            | Self::NoSuchRow { .. } => Status::NotFound,
            Self::KeyTooLong { .. }
            | Self::IdsExhausted { .. }
            | Self::Exhausted(_)
            | Self::Storage(
                StorageError::Full(_) | StorageError::TooLarge(_) | StorageError::WornOut { .. },
            ) => Status::LimitExceeded,
            Self::TransactionPending | Self::Storage(_) | Self::Corrupt(_) => Status::Error,
            Self::TableExists { .. }
            | Self::Schema(_)
            | Self::WrongType { .. }
            | Self::MissingValue { .. }
            | Self::WrongDimension { .. }
            | Self::NotFinite { .. }
            | Self::NotANumber { .. }
            | Self::InvalidReference { .. }
            | Self::InvalidValue { .. }
            | Self::WrongColumnCount { .. }
            | Self::DuplicateColumn { .. }
            | Self::DuplicateId { .. }
            | Self::DuplicateUnique { .. }
            | Self::MissingId { .. }
            | Self::IdNotAllowed { .. }
            | Self::EmptyQuery { .. }
            | Self::NotAVector { .. }
            | Self::NotComparable { .. }
            | Self::TooManyConditions { .. }
            | Self::TooManyValues { .. }
            | Self::NotAPrefix { .. }
            | Self::BadCursor { .. } => Status::InvalidArgs,
        }
    }
}

impl From<StorageError> for DatabaseError {
    #[cold]
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<Exhausted> for DatabaseError {
    #[cold]
    fn from(error: Exhausted) -> Self {
        Self::Exhausted(error)
    }
}

impl From<SchemaError> for DatabaseError {
    #[cold]
    fn from(error: SchemaError) -> Self {
        Self::Schema(error)
    }
}

impl core::error::Error for DatabaseError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            // Their texts are the text of this.
            Self::Schema(error) => error.source(),
            Self::Storage(error) => error.source(),
            Self::KeyTooLong { limit, .. } => Some(limit),
            Self::UnknownTable { .. }
            | Self::UnknownTableId(_)
            | Self::UnknownColumn { .. }
            | Self::UnknownIndex { .. }
            | Self::NoSuchRow { .. }
            | Self::TableExists { .. }
            | Self::TransactionPending
            | Self::WrongType { .. }
            | Self::MissingValue { .. }
            | Self::WrongDimension { .. }
            | Self::NotFinite { .. }
            | Self::NotANumber { .. }
            | Self::InvalidReference { .. }
            | Self::InvalidValue { .. }
            | Self::WrongColumnCount { .. }
            | Self::DuplicateColumn { .. }
            | Self::DuplicateId { .. }
            | Self::DuplicateUnique { .. }
            | Self::MissingId { .. }
            | Self::IdNotAllowed { .. }
            | Self::IdsExhausted { .. }
            | Self::EmptyQuery { .. }
            | Self::NotAVector { .. }
            | Self::NotComparable { .. }
            | Self::TooManyConditions { .. }
            | Self::TooManyValues { .. }
            | Self::NotAPrefix { .. }
            | Self::BadCursor { .. }
            | Self::Exhausted(_)
            | Self::Corrupt(_) => None,
        }
    }
}

impl From<Corruption> for DatabaseError {
    fn from(corruption: Corruption) -> Self {
        Self::Corrupt(corruption)
    }
}
