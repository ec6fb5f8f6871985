//! Why a trace was not replayed at all.

use alloc::{boxed::Box, string::String};
use core::fmt;

use crate::{
    host::{LoadError, RegistryError},
    trace::TraceError,
};

/// Why a trace was not replayed. What a plugin does otherwise is no error but a
/// [`Divergence`](super::Divergence).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ReplayError {
    /// The bytes are no trace, or not a whole one.
    Trace(TraceError),
    /// The trace has no call of an entry point: there is nothing to replay.
    NoCalls,
    /// The trace holds digests in place of answers.
    NoAnswers,
    /// The trace's inputs are redacted.
    Redacted,
    /// The trace was recorded for another version of the ABI.
    AbiVersion {
        /// The version in its header.
        found: u32,
    },
    /// None of the given modules is the one that was recorded.
    WrongModule {
        /// Name of the plugin.
        plugin: String,
        /// SHA-256 of its module, in hexadecimal.
        expected: String,
    },
    /// The plugin cannot be loaded.
    Load {
        /// Its name.
        plugin: String,
        /// Why.
        error: Box<LoadError>,
    },
    /// A function that the trace names cannot be registered.
    Function(RegistryError),
    /// An event stands where none of its kind can.
    Misplaced {
        /// Its number.
        event: u64,
        /// What it is.
        what: &'static str,
    },
    /// A call names a plugin that the trace has not loaded.
    UnknownPlugin {
        /// Number of the event.
        event: u64,
        /// Number of the plugin.
        plugin: u16,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trace(error) => error.fmt(f),
            Self::NoCalls => write!(f, "the trace holds no call: there is nothing to replay"),
            Self::NoAnswers => {
                write!(f, "the trace holds digests in place of answers: it can only be compared")
            }
            Self::Redacted => {
                write!(f, "the trace's inputs are redacted: it can only be compared")
            }
            Self::AbiVersion { found } => {
                write!(f, "the trace was recorded for ABI version {found}")
            }
            Self::WrongModule { plugin, expected } => write!(
                f,
                "the trace was recorded with another module of {plugin}: its SHA-256 is {expected}"
            ),
            Self::Load { plugin, error } => write!(f, "{plugin} cannot be loaded: {error}"),
            Self::Function(error) => error.fmt(f),
            Self::Misplaced { event, what } => {
                write!(f, "event {event} is a {what}, which cannot stand there")
            }
            Self::UnknownPlugin { event, plugin } => {
                write!(f, "event {event} calls plugin {plugin}, which was not loaded")
            }
        }
    }
}

impl core::error::Error for ReplayError {}

impl From<TraceError> for ReplayError {
    fn from(error: TraceError) -> Self {
        Self::Trace(error)
    }
}
