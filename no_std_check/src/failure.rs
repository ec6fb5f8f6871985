//! Why the job did not go as it must.

use core::fmt;

use sochdb_wasmi::{
    capability::GlobError,
    database::{DatabaseError, SchemaError},
    host::{CallError, KeyError, LoadError, RegistryError},
};

/// Why the job did not go as it must.
pub enum Failure {
    Database(DatabaseError),
    Load(LoadError),
    /// An entry point, and why its call failed.
    Call(&'static str, CallError),
    /// What is not as it must be.
    Wrong(&'static str),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => error.fmt(f),
            Self::Load(error) => error.fmt(f),
            Self::Call(entry, error) => write!(f, "{entry}: {error}"),
            Self::Wrong(what) => f.write_str(what),
        }
    }
}

/// Ends the run unless `condition` holds.
pub fn check(condition: bool, otherwise: &'static str) -> Result<(), Failure> {
    if condition { Ok(()) } else { Err(Failure::Wrong(otherwise)) }
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

/// Errors of what is written in this program: the text of each would be flash for nothing.
macro_rules! wrong {
    ($($error:ty: $text:literal;)*) => {
        $(impl From<$error> for Failure {
            fn from(_: $error) -> Self {
                Self::Wrong($text)
            }
        })*
    };
}
wrong! {
    GlobError: "a pattern of names is wrong";
    SchemaError: "a schema is wrong";
    KeyError: "a configuration key is wrong";
    RegistryError: "the host function cannot be added";
    postcard::Error: "a message does not encode or decode";
}
