//! How a trace fails, and why it could not be shrunk.

use alloc::{boxed::Box, string::String};
use core::fmt;

use crate::{
    replay::{
        explain::{
            cause::without_numbers,
            divergence::{Cause, Divergence},
        },
        run::{error::ReplayError, outcome::Ended},
    },
    trace::Ending,
};

/// The way in which a trace fails. Numbers in texts and places stand as `#`, because they change
/// when a trace gets smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// A call does not end with an output.
    Call {
        /// Name of the plugin.
        plugin: String,
        /// The entry point.
        entry: String,
        /// How the call ends.
        ending: Ending,
        /// What the entry point returns.
        code: i32,
        /// The text of the failure.
        reason: String,
    },
    /// A plugin does something else than the recorded one.
    Divergence {
        /// Name of the plugin.
        plugin: String,
        /// The entry point.
        entry: String,
        /// The host function, if it is about one.
        function: Option<String>,
        /// The field that differs.
        field: Option<String>,
        /// The likely cause.
        cause: Cause,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call { plugin, entry, reason, .. } => {
                write!(f, "{plugin}.{entry} fails: {reason}")
            }
            Self::Divergence { plugin, entry, function, field, cause } => {
                write!(f, "{plugin}.{entry} diverges")?;
                if let Some(function) = function {
                    write!(f, ", {function}")?;
                }
                if let Some(field) = field {
                    write!(f, ", at {field}")?;
                }
                write!(f, ": {}", cause.explanation())
            }
        }
    }
}

impl Failure {
    pub(super) fn of_call(ended: &Ended) -> Self {
        Self::Call {
            plugin: ended.plugin.clone(),
            entry: ended.entry.clone(),
            ending: ended.ending,
            code: ended.code,
            reason: without_numbers(&ended.reason),
        }
    }

    pub(super) fn of_divergence(divergence: &Divergence) -> Self {
        Self::Divergence {
            plugin: divergence.plugin.clone(),
            entry: divergence.entry.clone(),
            function: divergence.function.clone(),
            field: divergence.field.as_deref().map(without_numbers),
            cause: divergence.cause,
        }
    }
}

/// Why a trace was not made small.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum MinimiseError {
    /// It cannot be replayed at all.
    Replay(ReplayError),
    /// Every call ends with an output, and as it was recorded.
    DoesNotFail,
    /// A plugin diverges from the recorded one, which is needed to record the smaller trace:
    /// [`Minimiser::with_recorded`](crate::replay::Minimiser::with_recorded).
    NeedsRecorded(Box<Divergence>),
    /// The failure depends on more than the order of answers by function: it does not come again
    /// when the trace is run so.
    NotReproducible(Failure),
}

impl fmt::Display for MinimiseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replay(error) => error.fmt(f),
            Self::DoesNotFail => write!(f, "the trace does not fail: there is nothing to look for"),
            Self::NeedsRecorded(divergence) => write!(
                f,
                "the recorded plugin is needed beside the one that diverges: {divergence}"
            ),
            Self::NotReproducible(failure) => {
                write!(f, "the failure is not reproducible: {failure}")
            }
        }
    }
}

impl core::error::Error for MinimiseError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            // Its text is the text of this.
            Self::Replay(error) => error.source(),
            Self::DoesNotFail | Self::NeedsRecorded(_) | Self::NotReproducible(_) => None,
        }
    }
}

impl From<ReplayError> for MinimiseError {
    fn from(error: ReplayError) -> Self {
        Self::Replay(error)
    }
}
