//! A table that exists: its schema, where its columns lie in a stored row, and the checks of names
//! and values against the schema.

use alloc::vec::Vec;

use super::layout::{Place, VECTOR_HEAD};
use crate::{
    abi::{Name, Value},
    database::{
        entries::{IndexKey, Key},
        error::{Corruption, DatabaseError, GivenName},
        schema::{Column, ColumnType, Index, TableId, TableSchema},
        vectors::{COMPONENT, distance},
    },
    limits::LimitExceeded,
};

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Its number.
    pub id: TableId,
    /// Its schema.
    pub schema: TableSchema,
    /// Where each column lies.
    pub places: Vec<Place>,
    /// Offset of the first value that is not a vector.
    pub values_at: usize,
    /// How many columns are not vectors.
    pub values: u8,
}

impl Table {
    /// Lays out the rows of a table.
    pub fn new(id: TableId, schema: TableSchema) -> Self {
        // After the version byte.
        let mut at = 1;
        let mut values = 0;
        let mut places = Vec::new();
        for column in schema.columns() {
            places.push(if let ColumnType::Vector { dimensions, .. } = column.kind {
                let place = Place::Vector { at, len: usize::from(dimensions) * COMPONENT };
                at += VECTOR_HEAD + usize::from(dimensions) * COMPONENT;
                place
            } else {
                values += 1;
                Place::Value(values - 1)
            });
        }
        // Without vectors the values are a list on the wire, whose count takes one byte.
        let values_at = if at == 1 { 2 } else { at };
        Self { id, schema, places, values_at, values }
    }

    /// Whether there are vector columns.
    #[inline]
    pub fn has_vectors(&self) -> bool {
        usize::from(self.values) != self.places.len()
    }

    /// The table's name, for an error.
    pub fn name(&self) -> Name {
        *self.schema.name()
    }

    /// A column by its name.
    ///
    /// # Errors
    /// [`DatabaseError::UnknownColumn`].
    pub fn column(&self, name: &str) -> Result<(usize, &Column), DatabaseError> {
        let mut columns = self.schema.columns().iter().enumerate();
        columns.find(|(_, column)| column.name.as_str() == name).ok_or_else(|| {
            DatabaseError::UnknownColumn { table: self.name(), column: GivenName::new(name) }
        })
    }

    /// An index by its name.
    ///
    /// # Errors
    /// [`DatabaseError::UnknownIndex`].
    pub fn index(&self, name: &str) -> Result<(u16, &Index), DatabaseError> {
        let place = self.schema.index_named(name);
        let found = place.and_then(|at| Some((at, self.schema.indexes().get(usize::from(at))?)));
        found.ok_or_else(|| DatabaseError::UnknownIndex {
            table: self.name(),
            index: GivenName::new(name),
        })
    }

    /// The error that a row cannot be read.
    #[cold]
    pub fn corrupt_row(&self, id: u64) -> DatabaseError {
        DatabaseError::Corrupt(Corruption::Row { table: self.name(), id })
    }

    /// The error that a key of an index is too long.
    #[cold]
    pub fn key_too_long(&self, index: &Index, limit: LimitExceeded) -> DatabaseError {
        DatabaseError::KeyTooLong { table: self.name(), index: index.name, limit }
    }

    /// Checks that `value` may be in `column`.
    ///
    /// # Errors
    /// [`DatabaseError`] says what is wrong with it.
    pub fn check_value(&self, column: &Column, value: &Value<'_>) -> Result<(), DatabaseError> {
        if value.is_null() && !column.nullable {
            let (table, column) = (self.name(), column.name);
            return Err(DatabaseError::MissingValue { table, column });
        }
        self.check_type(column, value)
    }

    /// Checks that `value` is of the type of `column`, or null.
    ///
    /// # Errors
    /// [`DatabaseError`] says what is wrong with it.
    pub fn check_type(&self, column: &Column, value: &Value<'_>) -> Result<(), DatabaseError> {
        let table = || self.name();
        let name = || column.name;
        if value.is_null() {
            return Ok(());
        }
        let expected = column.kind;
        if value.value_kind() != expected.value_kind() {
            let (table, column) = (table(), name());
            return Err(DatabaseError::WrongType { table, column, expected, got: value.kind() });
        }
        match expected {
            ColumnType::Float if value.as_float().is_some_and(f64::is_nan) => {
                Err(DatabaseError::NotANumber { table: table(), column: name() })
            }
            ColumnType::Ref => {
                if let Value::Ref { table: target, .. } = value
                    && Name::new(target).is_err()
                {
                    return Err(DatabaseError::InvalidReference { table: table(), column: name() });
                }
                Ok(())
            }
            ColumnType::Vector { dimensions, .. } => {
                self.check_vector(column, dimensions, value.as_binary().unwrap_or_default())
            }
            ColumnType::Bool
            | ColumnType::Int
            | ColumnType::UInt
            | ColumnType::Float
            | ColumnType::Text
            | ColumnType::Binary
            | ColumnType::Array
            | ColumnType::Object => Ok(()),
        }
    }

    /// Checks that `bytes` are a vector of `dimensions` for `column`.
    ///
    /// # Errors
    /// [`DatabaseError::WrongDimension`] or [`DatabaseError::NotFinite`].
    pub fn check_vector(
        &self,
        column: &Column,
        dimensions: u16,
        bytes: &[u8],
    ) -> Result<(), DatabaseError> {
        let expected = u32::from(dimensions) * COMPONENT as u32;
        let got = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let (table, name) = (|| self.name(), || column.name);
        if got != expected {
            return Err(DatabaseError::WrongDimension {
                table: table(),
                column: name(),
                expected,
                got,
            });
        }
        if !distance::all_finite(bytes) {
            return Err(DatabaseError::NotFinite { table: table(), column: name() });
        }
        Ok(())
    }

    /// Makes `key` that of a row with these values in an index. A missing value counts as null.
    ///
    /// # Errors
    /// [`DatabaseError::KeyTooLong`].
    pub fn index_key(
        &self,
        (number, index): (usize, &Index),
        id: u64,
        values: &[Value<'_>],
        key: &mut Key,
    ) -> Result<(), DatabaseError> {
        let mut key = IndexKey::begin(key, self.id.number(), number as u16);
        for &column in &index.columns {
            key.value(values.get(usize::from(column)).unwrap_or(&Value::Null));
        }
        key.id(id);
        key.finish().map_err(|limit| self.key_too_long(index, limit))
    }

    /// The norm that is stored with a vector of `column`.
    pub fn stored_norm(column: &Column, components: &[u8]) -> f32 {
        if let ColumnType::Vector { metric, .. } = column.kind {
            metric.stored_norm(components)
        } else {
            0.0
        }
    }
}
