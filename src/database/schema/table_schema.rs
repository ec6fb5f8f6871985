//! What a table's rows look like: columns, their types, and indexes over them.
//!
//! A schema never changes once its table exists. It is kept in the `catalog`; values are checked
//! against it in `table`.

use alloc::vec::Vec;
use core::fmt;

use super::bounds::{MAX_COLUMNS, MAX_DIMENSIONS, MAX_INDEX_COLUMNS, MAX_INDEXES};
use super::column_type::ColumnType;
use crate::{
    abi::{MAX_NAME_LEN, Name, NameError},
    database::vectors::DistanceMetric,
};

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub kind: ColumnType,
    /// Whether it may be null.
    pub nullable: bool,
}

/// An index of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: Name,
    /// Places of its columns in the schema, in the order that entries are sorted by.
    pub columns: heapless::Vec<u8, MAX_INDEX_COLUMNS, u8>,
    /// Whether two rows may not have the same values in its columns. Rows with a null in one of
    /// them are not compared, as in SQL.
    pub unique: bool,
}

/// Why a schema cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaError {
    /// A name is invalid.
    Name(NameError),
    /// Two columns have this name.
    DuplicateColumn(Name),
    /// Two indexes have this name.
    DuplicateIndex(Name),
    /// A table has more than [`MAX_COLUMNS`] columns.
    TooManyColumns,
    /// A table has more than [`MAX_INDEXES`] indexes.
    TooManyIndexes,
    /// A table has no columns.
    NoColumns,
    /// A vector column has no dimensions, or more than [`MAX_DIMENSIONS`].
    Dimensions {
        /// The column.
        column: Name,
        /// Its dimensions.
        dimensions: u16,
    },
    /// An index has no columns, or more than [`MAX_INDEX_COLUMNS`].
    IndexColumns {
        /// The index.
        index: Name,
        /// How many columns it has.
        columns: usize,
    },
    /// An index names a column that does not exist, twice, or of a type without an order.
    IndexColumn {
        /// The index.
        index: Name,
        /// The place of the column in it, from 0.
        place: usize,
    },
}

impl From<NameError> for SchemaError {
    fn from(error: NameError) -> Self {
        Self::Name(error)
    }
}

#[cfg(not(feature = "reasons"))]
impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the schema of a table is invalid")
    }
}

#[cfg(feature = "reasons")]
impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => error.fmt(f),
            Self::DuplicateColumn(name) => write!(f, "two columns are named {name}"),
            Self::DuplicateIndex(name) => write!(f, "two indexes are named {name}"),
            Self::TooManyColumns => write!(f, "a table has at most {MAX_COLUMNS} columns"),
            Self::TooManyIndexes => write!(f, "a table has at most {MAX_INDEXES} indexes"),
            Self::NoColumns => write!(f, "a table has at least one column"),
            Self::Dimensions { column, dimensions } => write!(
                f,
                "the vector column {column} has {dimensions} dimensions, 1 to {MAX_DIMENSIONS} \
                 are allowed"
            ),
            Self::IndexColumns { index, columns } => write!(
                f,
                "the index {index} has {columns} columns, 1 to {MAX_INDEX_COLUMNS} are allowed"
            ),
            Self::IndexColumn { index, place } => write!(
                f,
                "column {place} of the index {index} does not exist, is there twice, or has a \
                 type without an order"
            ),
        }
    }
}

impl core::error::Error for SchemaError {}

/// A table: its name, columns and indexes.
///
/// ```
/// use sochdb_wasmi::database::{ColumnType, TableSchema};
///
/// let days = TableSchema::new("days")?
///     .column("date", ColumnType::Text)?
///     .column("rain", ColumnType::Float)?
///     .unique_index("by_date", &["date"])?;
/// assert_eq!(days.name().as_str(), "days");
/// # Ok::<(), sochdb_wasmi::database::SchemaError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSchema {
    name: Name,
    columns: Vec<Column>,
    indexes: Vec<Index>,
}

impl TableSchema {
    /// A table without columns, to which columns and indexes are added.
    ///
    /// # Errors
    /// [`SchemaError::Name`].
    pub fn new(name: &str) -> Result<Self, SchemaError> {
        Ok(Self { name: Name::new(name)?, columns: Vec::new(), indexes: Vec::new() })
    }

    /// Adds a column that is never null.
    ///
    /// # Errors
    /// [`SchemaError`], for the name, the type, or one column too many.
    pub fn column(self, name: &str, kind: ColumnType) -> Result<Self, SchemaError> {
        self.with_column(name, kind, false)
    }

    /// Adds a column that may be null.
    ///
    /// # Errors
    /// [`SchemaError`], for the name, the type, or one column too many.
    pub fn nullable_column(self, name: &str, kind: ColumnType) -> Result<Self, SchemaError> {
        self.with_column(name, kind, true)
    }

    /// Adds a vector column that is never null.
    ///
    /// # Errors
    /// [`SchemaError`], for the name, the dimensions, or one column too many.
    pub fn vector(
        self,
        name: &str,
        dimensions: u16,
        metric: DistanceMetric,
    ) -> Result<Self, SchemaError> {
        self.with_column(name, ColumnType::Vector { dimensions, metric }, false)
    }

    pub(crate) fn with_column(
        mut self,
        name: &str,
        kind: ColumnType,
        nullable: bool,
    ) -> Result<Self, SchemaError> {
        let name = Name::new(name)?;
        if self.column_named(&name).is_some() {
            return Err(SchemaError::DuplicateColumn(name));
        }
        if self.columns.len() >= MAX_COLUMNS {
            return Err(SchemaError::TooManyColumns);
        }
        if let ColumnType::Vector { dimensions, .. } = kind
            && !(1..=MAX_DIMENSIONS).contains(&dimensions)
        {
            return Err(SchemaError::Dimensions { column: name, dimensions });
        }
        self.columns.push(Column { name, kind, nullable });
        Ok(self)
    }

    /// Adds an index over columns that were added before.
    ///
    /// # Errors
    /// [`SchemaError`], for the name, the columns, or one index too many.
    pub fn index(self, name: &str, columns: &[&str]) -> Result<Self, SchemaError> {
        self.with_index(name, columns, false)
    }

    /// Adds an index that no two rows may have the same values in, unless one of them is null.
    ///
    /// # Errors
    /// [`SchemaError`], for the name, the columns, or one index too many.
    pub fn unique_index(self, name: &str, columns: &[&str]) -> Result<Self, SchemaError> {
        self.with_index(name, columns, true)
    }

    fn with_index(self, name: &str, columns: &[&str], unique: bool) -> Result<Self, SchemaError> {
        let places = columns.iter().map(|column| self.column_named(column).unwrap_or(u8::MAX));
        let places: Vec<u8> = places.collect();
        self.with_index_places(name, &places, unique)
    }

    pub(crate) fn with_index_places(
        mut self,
        name: &str,
        columns: &[u8],
        unique: bool,
    ) -> Result<Self, SchemaError> {
        let name = Name::new(name)?;
        if self.index_named(&name).is_some() {
            return Err(SchemaError::DuplicateIndex(name));
        }
        if self.indexes.len() >= MAX_INDEXES {
            return Err(SchemaError::TooManyIndexes);
        }
        let places = match heapless::Vec::from_slice(columns) {
            Ok(places) if !places.is_empty() => places,
            _ => return Err(SchemaError::IndexColumns { index: name, columns: columns.len() }),
        };
        for (place, column) in columns.iter().enumerate() {
            let scalar = self.columns.get(usize::from(*column)).is_some_and(|c| c.kind.is_scalar());
            let twice = columns.iter().take(place).any(|earlier| earlier == column);
            if !scalar || twice {
                return Err(SchemaError::IndexColumn { index: name, place });
            }
        }
        self.indexes.push(Index { name, columns: places, unique });
        Ok(self)
    }

    /// The table's name.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// Its columns, in the order they were added.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Its indexes, in the order they were added.
    #[must_use]
    pub fn indexes(&self) -> &[Index] {
        &self.indexes
    }

    /// The name of the rows' ids where they stand beside the columns: `id`, or if a column has that
    /// name, the first of `_id`, `__id` and so on that no column has.
    #[must_use]
    pub fn id_name(&self) -> &'static str {
        // With 32 underscores it is longer than any column's name.
        const NAME: &str = "________________________________id";
        let at = (0..=MAX_NAME_LEN).rev();
        let mut names = at.filter_map(|at| NAME.get(at..));
        names.find(|name| self.column_named(name).is_none()).unwrap_or(NAME)
    }

    /// The place of the column of this name.
    #[must_use]
    pub fn column_named(&self, name: &str) -> Option<u8> {
        self.columns.iter().position(|column| column.name.as_str() == name).map(|at| at as u8)
    }

    /// The place of the index of this name.
    #[must_use]
    pub fn index_named(&self, name: &str) -> Option<u16> {
        self.indexes.iter().position(|index| index.name.as_str() == name).map(|at| at as u16)
    }
}
