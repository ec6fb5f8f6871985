//! Why a trace could not be replayed.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;

use crate::{
    host::{LoadError, RegistryError},
    replay::explain::divergence::Divergence,
    trace::TraceError,
};

/// Why a trace was not replayed. A plugin that behaves differently is not an error but a
/// [`Divergence`](crate::replay::Divergence).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ReplayError {
    /// The bytes are no trace, or not a whole one.
    Trace(TraceError),
    /// The trace has no call of an entry point: there is nothing to replay.
    NoCalls,
    /// The trace holds digests in place of answers.
    NoAnswers,
    /// The trace's inputs are redacted, or it was to be made into a new trace and values in it are.
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
    /// The plugin asks something that has no recorded answer.
    NoAnswer(Box<NoAnswer>),
    /// A call cannot be made any more: its entry point is gone, or its input is too large.
    Refused {
        /// Number of the call, from 1.
        call: u64,
        /// Name of the plugin.
        plugin: String,
        /// The entry point.
        entry: String,
        /// Why.
        reason: String,
    },
    /// A trace that was made of another one does not replay exactly.
    Unstable(Box<Divergence>),
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
        plugin: u32,
    },
}

/// What a plugin asked that has no recorded answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoAnswer {
    /// Number of the call, from 1.
    pub call: u64,
    /// Name of the plugin.
    pub plugin: String,
    /// Its entry point.
    pub entry: String,
    /// The host function.
    pub function: String,
    /// The request, field by field, or in hexadecimal.
    pub request: String,
    /// The last events before, oldest first, a line each.
    pub before: Vec<String>,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, plugin, entry, function, request, before } = self;
        writeln!(f, "call {call} ({plugin}.{entry}) asks {function} what was not recorded in it:")?;
        write!(f, "  {request}")?;
        if !before.is_empty() {
            write!(f, "\n  before it")?;
        }
        before.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
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
                write!(f, "values of the trace are redacted: it can only be compared")
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
            Self::NoAnswer(asked) => asked.fmt(f),
            Self::Refused { call, plugin, entry, reason } => {
                write!(f, "call {call} ({plugin}.{entry}) cannot be made: {reason}")
            }
            Self::Unstable(divergence) => {
                write!(f, "the new trace does not replay exactly: {divergence}")
            }
            Self::Misplaced { event, what } => {
                write!(f, "event {event} is a {what}, which is not valid there")
            }
            Self::UnknownPlugin { event, plugin } => {
                write!(f, "event {event} calls plugin {plugin}, which was not loaded")
            }
        }
    }
}

impl core::error::Error for ReplayError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            // Their texts are the text of this.
            Self::Trace(error) => error.source(),
            Self::Function(error) => error.source(),
            Self::Load { error, .. } => Some(&**error),
            Self::NoCalls
            | Self::NoAnswers
            | Self::Redacted
            | Self::AbiVersion { .. }
            | Self::WrongModule { .. }
            | Self::NoAnswer(_)
            | Self::Refused { .. }
            | Self::Unstable(_)
            | Self::Misplaced { .. }
            | Self::UnknownPlugin { .. } => None,
        }
    }
}

impl From<TraceError> for ReplayError {
    fn from(error: TraceError) -> Self {
        Self::Trace(error)
    }
}
