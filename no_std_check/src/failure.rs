//! Why the job did not go as it must.

use alloc::boxed::Box;
use core::fmt;

use sochdb_wasmi::{
    capability::GlobError,
    database::{DatabaseError, SchemaError},
    host::{CallError, ConfigKeyError, LoadError, RegistryError},
};

/// Why the job did not go as it must. Small, as every step returns one.
#[cfg_attr(not(feature = "reasons"), allow(dead_code, reason = "only the step is printed"))]
pub enum Failure {
    Database(Box<DatabaseError>),
    Load(Box<LoadError>),
    /// An entry point, and why its call failed.
    Call(&'static str, Box<CallError>),
    /// What is not as it must be.
    Wrong(&'static str),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => error.fmt(f),
            #[cfg(feature = "reasons")]
            Self::Load(error) => error.fmt(f),
            #[cfg(not(feature = "reasons"))]
            Self::Load(_) => f.write_str("a plugin was not loaded"),
            #[cfg(feature = "reasons")]
            Self::Call(entry, error) => write!(f, "{entry}: {error}"),
            #[cfg(not(feature = "reasons"))]
            Self::Call(entry, _) => write!(f, "{entry} failed"),
            Self::Wrong(what) => f.write_str(what),
        }
    }
}

impl Failure {
    /// For `map_err`: the call of an entry point failed.
    pub fn call(entry: &'static str) -> impl FnOnce(CallError) -> Self {
        move |error| Self::Call(entry, Box::new(error))
    }
}

/// Ends the run unless `condition` holds.
pub fn check(condition: bool, otherwise: &'static str) -> Result<(), Failure> {
    if condition { Ok(()) } else { Err(Failure::Wrong(otherwise)) }
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        Self::Database(Box::new(error))
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::Load(Box::new(error))
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
    ConfigKeyError: "a configuration key is wrong";
    RegistryError: "the host function cannot be added";
    postcard::Error: "a message does not encode or decode";
}
