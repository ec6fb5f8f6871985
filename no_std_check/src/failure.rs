//! Why the job did not go as it must.

use core::fmt;

use sochdb_wasmi::{
    capability::GlobError,
    database::{DatabaseError, SchemaError},
    host::{CallError, KeyError, LoadError, RegistryError},
};

/// Why the job did not go as it must.
pub enum Failure {
    Capability(GlobError),
    Schema(SchemaError),
    Database(DatabaseError),
    Key(KeyError),
    Registry(RegistryError),
    Load(LoadError),
    /// An entry point, and why its call failed.
    Call(&'static str, CallError),
    Postcard(postcard::Error),
    /// A line of the file that is not a day.
    Line(usize),
    /// What is not as it must be.
    Wrong(&'static str),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capability(error) => error.fmt(f),
            Self::Schema(error) => error.fmt(f),
            Self::Database(error) => error.fmt(f),
            Self::Key(error) => error.fmt(f),
            Self::Registry(error) => error.fmt(f),
            Self::Load(error) => error.fmt(f),
            Self::Call(entry, error) => write!(f, "{entry}: {error}"),
            Self::Postcard(error) => error.fmt(f),
            Self::Line(number) => write!(f, "line {number} of the data is not a day"),
            Self::Wrong(what) => f.write_str(what),
        }
    }
}

/// Ends the run unless `condition` holds.
pub fn check(condition: bool, otherwise: &'static str) -> Result<(), Failure> {
    if condition { Ok(()) } else { Err(Failure::Wrong(otherwise)) }
}

macro_rules! from {
    ($($variant:ident: $error:ty;)*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        })*
    };
}
from! {
    Capability: GlobError;
    Schema: SchemaError;
    Database: DatabaseError;
    Key: KeyError;
    Registry: RegistryError;
    Load: LoadError;
    Postcard: postcard::Error;
}
