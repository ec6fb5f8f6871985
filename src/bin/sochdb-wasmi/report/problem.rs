//! Errors in files of calls and of rows, with their texts. It reads no file.

use std::{fmt, io, path::PathBuf};

use sochdb_wasmi::{
    abi::Name,
    database::{DatabaseError, SchemaError, StorageError},
    limits::Limit,
};

use crate::formats::{
    csv_file::{CsvProblem, InLine},
    shape::{InputError, Shape},
};

/// The fields of a call.
pub const FIELDS: &str = "entry, input, input_hex, csv, rows, columns, delimiter";

/// Why a line is not a valid call.
#[derive(Debug)]
pub enum CallProblem {
    /// It is not JSON.
    Json(serde_json::Error),
    /// It is not an object.
    NoObject,
    /// It has a field that no call has.
    UnknownField(String),
    /// A column is named that the rows have no field for.
    UnknownColumn(String),
    /// A field is missing, or has a value that it cannot have.
    Field(&'static str, &'static str),
    /// How the entry point takes its input is not known.
    NoTypes(String),
    /// The input is not of the type of the entry point.
    Input(InputError),
    /// Rows are the input of an entry point that takes no list of objects.
    NoRows(Shape),
    /// A column of the file is missing.
    NoColumn { path: PathBuf, field: String, header: String, found: String },
    /// The file could not be read.
    Io { path: PathBuf, error: io::Error },
    /// The file is not CSV.
    Csv { path: PathBuf, error: InLine },
    /// A row is not of the type of the entry point.
    Row { path: PathBuf, line: u64, error: InputError },
    /// The file has no rows.
    NoCalls { path: PathBuf },
}

impl fmt::Display for CallProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "not JSON: {error}"),
            Self::NoObject => write!(f, "a call is an object with the fields {FIELDS}"),
            Self::UnknownField(name) => write!(f, "a call has no field {name:?}; it has {FIELDS}"),
            Self::UnknownColumn(name) => write!(f, "rows of this call have no field {name:?}"),
            Self::Field(name, takes) => write!(f, "{name:?} {takes}"),
            Self::NoTypes(entry) => write!(
                f,
                "how {entry:?} takes its input is not known: say it with --types, or give bytes \
                 with \"input_hex\""
            ),
            Self::Input(error) => error.fmt(f),
            Self::NoRows(shape) => write!(f, "rows are a list of objects, and it takes {shape}"),
            Self::NoColumn { path, field, header, found } => write!(
                f,
                "{field:?} comes from the column {header:?}, which {} does not have; its headers \
                 are {found}",
                path.display()
            ),
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Csv { path, error: InLine { line, problem } } => {
                write!(f, "{}: line {line}: {problem}", path.display())
            }
            Self::Row { path, line, error } => {
                write!(f, "{}: line {line}: {error}", path.display())
            }
            Self::NoCalls { path } => write!(f, "{} has no rows", path.display()),
        }
    }
}

/// Why a file, or a row of one, was not loaded.
#[derive(Debug)]
pub enum LoadProblem {
    /// It is not CSV, or rows have different numbers of cells.
    Csv(CsvProblem),
    /// A column of the table comes from a header that the file does not have.
    NoSuchHeader { column: Name, header: String, found: String },
    /// The columns of the file do not make a table.
    Schema { error: SchemaError, found: String },
    /// A cell is not a valid value for its column.
    Cell { column: String, problem: CellProblem },
    /// The database did not take the row.
    Database(DatabaseError),
}

impl fmt::Display for LoadProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Csv(problem) => problem.fmt(f),
            Self::NoSuchHeader { column, header, found } => write!(
                f,
                "the column {column} comes from {header:?}, which the file does not have; the \
                 headers are {found}"
            ),
            Self::Schema { error, found } => write!(f, "{error}; the headers are {found}"),
            Self::Cell { column, problem } => problem.write(f, column),
            Self::Database(error) => write!(f, "{error}{}", raised(error)),
        }
    }
}

impl std::error::Error for LoadProblem {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // Their texts are the whole text of this.
            Self::Csv(problem) => problem.source(),
            Self::Database(error) => error.source(),
            Self::NoSuchHeader { .. } | Self::Schema { .. } | Self::Cell { .. } => None,
        }
    }
}

/// Why a cell is not a value of its column.
#[derive(Debug, PartialEq)]
pub enum CellProblem {
    /// It is empty, and the column is not nullable.
    Empty,
    /// It is not written as values of the column's type are.
    Form { cell: String, kind: &'static str, form: &'static str },
    /// It is a number, and the column's type has none so large or so small.
    Range { cell: String, kind: &'static str, range: &'static str },
    /// It is a vector with more or fewer components than the column has dimensions.
    Dimensions { cell: String, expected: u16, found: usize },
    /// One component of a vector is not a number.
    Component { cell: String, component: String, number: usize },
    /// One component of a vector is too large, after division.
    ComponentRange { cell: String, component: String, number: usize },
}

/// How a vector is written.
pub const VECTOR: &str = "0.1 0.2, 0.1,0.2, 0.1;0.2 or [0.1, 0.2]";

impl CellProblem {
    /// The problem in words, with the name of the column.
    pub fn write(&self, f: &mut fmt::Formatter<'_>, column: &str) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "{column} is empty, and the column is not nullable"),
            Self::Form { cell, kind, form } => {
                write!(f, "{cell} is not a valid value for {column}, which takes {kind}: {form}")
            }
            Self::Range { cell, kind, range } => {
                write!(f, "{cell} is out of range for {column}, which takes {kind}: {range}")
            }
            Self::Dimensions { cell, expected, found } => write!(
                f,
                "the vector {cell} of {column} has {found} components, the column has {expected} \
                 dimensions; a vector is written as {VECTOR}"
            ),
            Self::Component { cell, component, number } => write!(
                f,
                "component {number} of the vector {cell} of {column}, {component}, is not a number; \
                 a vector is written as {VECTOR}"
            ),
            Self::ComponentRange { cell, component, number } => write!(
                f,
                "component {number} of the vector {cell} of {column}, {component}, is out of range: \
                 components have 32 bits, up to 3.4e38"
            ),
        }
    }
}

/// How the limit that was reached can be raised, for the end of a text.
pub const fn raised(error: &DatabaseError) -> &'static str {
    if let DatabaseError::Storage(StorageError::Full(exceeded)) = error {
        if let Limit::StoreRows = exceeded.limit {
            return "; --max-rows raises the limit";
        }
        if let Limit::StoreBytes = exceeded.limit {
            return "; --max-bytes raises the limit";
        }
    }
    ""
}
