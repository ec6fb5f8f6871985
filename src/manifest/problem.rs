//! The errors of a document, each with its name, its place and its text.

use alloc::{string::String, vec::Vec};
use core::fmt;

use super::version::VersionError;
use crate::{
    abi::{MAX_DEPTH, NameError},
    capability::GlobError,
    database::SchemaError,
    host::{ConfigKeyError, HookError},
};

/// What is wrong with a document, and where. Lines and columns are counted from 1, columns in
/// characters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DocumentError {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a document. Field names are given as they are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// It is not TOML.
    Syntax {
        /// What the parser says.
        message: String,
    },
    /// A field that means nothing here.
    UnknownField {
        /// Its name.
        field: String,
        /// The fields that would.
        known: &'static [&'static str],
    },
    /// A field that must be there is not; the place is that of its table.
    MissingField {
        /// Its name.
        field: &'static str,
    },
    /// A value is of another type than its field.
    WrongType {
        /// The field.
        field: String,
        /// What it takes.
        expected: &'static str,
        /// The type of the value.
        found: &'static str,
    },
    /// A number is too small or too large for its field.
    OutOfRange {
        /// The field.
        field: String,
        /// The number as it is written.
        found: String,
        /// The least that is allowed.
        min: i128,
        /// The most that is allowed.
        max: i128,
    },
    /// Two fields say the same thing.
    Conflict {
        /// The second of them.
        field: &'static str,
        /// The first.
        with: &'static str,
    },
    /// A list names something twice.
    Duplicate {
        /// The field.
        field: String,
        /// What is there twice.
        value: String,
    },
    /// A text is not one of those that its field accepts.
    Choice {
        /// The field.
        field: String,
        /// The texts that it takes.
        choices: Vec<&'static str>,
    },
    /// The field asks for what this host cannot do.
    Unsupported {
        /// The field.
        field: String,
        /// Why, and what to do instead.
        why: &'static str,
    },
    /// A name is invalid.
    Name {
        /// The field.
        field: String,
        /// Why.
        error: NameError,
    },
    /// A pattern is invalid.
    Glob {
        /// The field.
        field: String,
        /// Why.
        error: GlobError,
    },
    /// The plugin's version is invalid.
    Version(VersionError),
    /// A configuration key is invalid.
    Key(ConfigKeyError),
    /// A table cannot have this column or index.
    Schema(SchemaError),
    /// A hook is not accepted.
    Hook {
        /// The field.
        field: String,
        /// Why.
        error: HookError,
    },
    /// `[config]` lacks a setting that `[config_schema]` requires.
    MissingSetting {
        /// The setting.
        key: String,
    },
    /// `[config]` has a setting that `[config_schema]` lacks.
    UnknownSetting {
        /// The setting.
        key: String,
    },
    /// Lists and objects are nested deeper than a value may be.
    TooDeep {
        /// The field.
        field: String,
    },
}

impl Problem {
    /// The problem as one word, for programs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "syntax",
            Self::UnknownField { .. } => "unknown_field",
            Self::MissingField { .. } => "missing_field",
            Self::WrongType { .. } => "wrong_type",
            Self::OutOfRange { .. } => "out_of_range",
            Self::Conflict { .. } => "conflict",
            Self::Duplicate { .. } => "duplicate",
            Self::Choice { .. } => "choice",
            Self::Unsupported { .. } => "unsupported",
            Self::Name { .. } => "name",
            Self::Glob { .. } => "glob",
            Self::Version(_) => "version",
            Self::Key(_) => "key",
            Self::Schema(_) => "schema",
            Self::Hook { .. } => "hook",
            Self::MissingSetting { .. } => "missing_setting",
            Self::UnknownSetting { .. } => "unknown_setting",
            Self::TooDeep { .. } => "too_deep",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { message } => write!(f, "not TOML: {message}"),
            Self::UnknownField { field, known } => {
                write!(f, "unknown field {field}; there are {}", known.join(", "))
            }
            Self::MissingField { field } => write!(f, "the field {field} is missing"),
            Self::WrongType { field, expected, found } => {
                write!(f, "{field} takes {expected}, this is {found}")
            }
            Self::OutOfRange { field, found, min, max } => {
                write!(f, "{field} is {found}, {min} to {max} are allowed")
            }
            Self::Conflict { field, with } => {
                write!(f, "{field} and {with} set the same thing: remove one of them")
            }
            Self::Duplicate { field, value } => write!(f, "{field} names {value} twice"),
            Self::Choice { field, choices } => {
                write!(f, "{field} takes one of {}", choices.join(", "))
            }
            Self::Unsupported { field, why } => write!(f, "{field} is not supported: {why}"),
            Self::Name { field, error } => write!(f, "{field}: {error}"),
            Self::Glob { field, error } => write!(f, "{field}: {error}"),
            Self::Version(error) => error.fmt(f),
            Self::Key(error) => error.fmt(f),
            Self::Schema(error) => error.fmt(f),
            Self::Hook { field, error } => write!(f, "{field}: {error}"),
            Self::MissingSetting { key } => {
                write!(f, "[config_schema] requires the setting {key}, and [config] lacks it")
            }
            Self::UnknownSetting { key } => {
                write!(f, "[config_schema] has no field for the setting {key}")
            }
            Self::TooDeep { field } => {
                write!(f, "{field} is nested deeper than {MAX_DEPTH} lists and objects")
            }
        }
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.problem)
    }
}

impl core::error::Error for DocumentError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.problem {
            Problem::Name { error, .. } => Some(error),
            Problem::Glob { error, .. } => Some(error),
            Problem::Version(error) => Some(error),
            Problem::Key(error) => Some(error),
            Problem::Schema(error) => Some(error),
            Problem::Hook { error, .. } => Some(error),
            Problem::Syntax { .. }
            | Problem::UnknownField { .. }
            | Problem::MissingField { .. }
            | Problem::WrongType { .. }
            | Problem::OutOfRange { .. }
            | Problem::Conflict { .. }
            | Problem::Duplicate { .. }
            | Problem::Choice { .. }
            | Problem::Unsupported { .. }
            | Problem::MissingSetting { .. }
            | Problem::UnknownSetting { .. }
            | Problem::TooDeep { .. } => None,
        }
    }
}
