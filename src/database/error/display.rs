//! The texts of errors: the table and column or row that an error is about, then what is wrong.

use core::fmt;

use super::database_error::DatabaseError;
use crate::{
    abi::{MAX_GIVEN_ID, Name},
    database::schema::MAX_CONDITIONS,
    meter::Exhausted,
};

/// What an error is about.
enum Place<'e> {
    /// Nothing that has a name, or the text names it.
    None,
    /// What another error says; there is no more text.
    Other(&'e dyn fmt::Display),
    /// A table.
    Table(&'e Name),
    /// A column of a table.
    Column(&'e Name, &'e Name),
}

impl DatabaseError {
    const fn place(&self) -> Place<'_> {
        match self {
            Self::UnknownTable { .. }
            | Self::UnknownTableId(_)
            | Self::TableExists { .. }
            | Self::TransactionPending => Place::None,
            Self::Schema(error) => Place::Other(error),
            Self::Storage(error) => Place::Other(error),
            Self::Exhausted(Exhausted::Fuel(limit) | Exhausted::Quota(limit)) => {
                Place::Other(limit)
            }
            Self::Corrupt(corruption) => Place::Other(corruption),
            Self::UnknownColumn { table, .. }
            | Self::UnknownIndex { table, .. }
            | Self::NoSuchRow { table, .. }
            | Self::WrongColumnCount { table, .. }
            | Self::DuplicateId { table, .. }
            | Self::DuplicateUnique { table, .. }
            | Self::MissingId { table }
            | Self::IdNotAllowed { table, .. }
            | Self::IdsExhausted { table }
            | Self::EmptyQuery { table }
            | Self::TooManyConditions { table, .. }
            | Self::TooManyValues { table, .. }
            | Self::NotAPrefix { table, .. }
            | Self::BadCursor { table, .. }
            | Self::KeyTooLong { table, .. } => Place::Table(table),
            Self::WrongType { table, column, .. }
            | Self::MissingValue { table, column }
            | Self::WrongDimension { table, column, .. }
            | Self::NotFinite { table, column }
            | Self::NotANumber { table, column }
            | Self::InvalidReference { table, column }
            | Self::InvalidValue { table, column, .. }
            | Self::DuplicateColumn { table, column }
            | Self::NotAVector { table, column }
            | Self::NotComparable { table, column } => Place::Column(table, column),
        }
    }

    fn fmt_text(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTable { table } => write!(f, "there is no table {table}"),
            Self::UnknownTableId(table) => write!(f, "there is no table number {}", table.number()),
            Self::UnknownColumn { column, .. } => write!(f, "there is no column {column}"),
            Self::UnknownIndex { index, .. } => write!(f, "there is no index {index}"),
            Self::NoSuchRow { id, .. } => write!(f, "there is no row {id}"),
            Self::TableExists { table } => write!(f, "a table {table} exists"),
            Self::TransactionPending => write!(f, "a transaction is pending"),
            Self::WrongType { expected, got, .. } => {
                write!(f, "the column is {expected}, the value is {got}")
            }
            Self::MissingValue { .. } => write!(f, "the column may not be null"),
            Self::WrongDimension { expected, got, .. } => {
                let dimensions = expected / 4;
                write!(f, "a vector of {dimensions} dimensions has {expected} bytes, {got} given")
            }
            Self::NotFinite { .. } => write!(f, "a component is not finite"),
            Self::NotANumber { .. } => write!(f, "NaN is not a valid value"),
            Self::InvalidReference { .. } => write!(f, "the referenced table's name is invalid"),
            Self::InvalidValue { error, .. } => f.write_str(error.as_str()),
            Self::WrongColumnCount { expected, got, .. } => {
                write!(f, "{expected} columns are named, a row has {got} values")
            }
            Self::DuplicateColumn { .. } => write!(f, "the column is named twice"),
            Self::DuplicateId { id, .. } => write!(f, "row {id} exists"),
            Self::DuplicateUnique { index, .. } => {
                write!(f, "another row has the same values in the unique index {index}")
            }
            Self::MissingId { .. } => write!(f, "a row has no id; only inserts may"),
            Self::IdNotAllowed { id, .. } => {
                write!(
                    f,
                    "the id {id} is too high for a new row, at most {MAX_GIVEN_ID} is allowed"
                )
            }
            Self::IdsExhausted { .. } => write!(f, "all ids were assigned"),
            Self::EmptyQuery { .. } => write!(f, "a search for 0 rows"),
            Self::NotAVector { .. } => write!(f, "the column has no vectors"),
            Self::NotComparable { .. } => write!(f, "the column cannot be compared like this"),
            Self::TooManyConditions { got, .. } => {
                write!(f, "{got} conditions, {MAX_CONDITIONS} allowed")
            }
            Self::TooManyValues { index, .. } => {
                write!(f, "more values than the index {index} has columns")
            }
            Self::NotAPrefix { index, .. } => {
                write!(f, "a prefix query on the index {index} does not end in a text or binary")
            }
            Self::BadCursor { index, .. } => {
                write!(f, "this query on the index {index} cannot go on from there")
            }
            Self::KeyTooLong { index, limit, .. } => {
                write!(f, "values for the index {index} are too long: {limit}")
            }
            Self::Schema(_) | Self::Storage(_) | Self::Exhausted(_) | Self::Corrupt(_) => Ok(()),
        }
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place() {
            Place::None => {}
            Place::Other(error) => return error.fmt(f),
            Place::Table(table) => write!(f, "{table}: ")?,
            Place::Column(table, column) => write!(f, "{table}.{column}: ")?,
        }
        self.fmt_text(f)
    }
}
