//! How one host call ended, and the way from every room's error to a status.

use core::fmt::{self, Write};

use crate::{
    abi::{
        Status,
        wire::{BufferTooSmall, WireError},
    },
    database::DatabaseError,
    host::metrics::MetricError,
    limits::LimitExceeded,
    meter::Exhausted,
};

/// The longest text of a failure, in bytes.
pub const MAX_MESSAGE_LEN: usize = crate::abi::MAX_ERROR_LEN;

/// The text of a failure: what, where and which limit.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Message(heapless::String<MAX_MESSAGE_LEN, u8>);

impl Message {
    /// A message of what `text` says, cut with a visible `…` at [`MAX_MESSAGE_LEN`].
    pub fn new(text: impl fmt::Display) -> Self {
        let mut message = Cut { text: heapless::String::new(), full: false };
        // A text that did not fit is marked as cut below.
        let _ = write!(message, "{text}");
        Self(message.text)
    }

    /// The message as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_str().is_empty()
    }
}

/// Takes what fits and ends it with `…` where it does not.
struct Cut {
    text: heapless::String<MAX_MESSAGE_LEN, u8>,
    full: bool,
}

impl fmt::Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        const MARK: char = '…';
        if self.full {
            return Err(fmt::Error);
        }
        for character in text.chars() {
            if self.text.push(character).is_err() {
                self.full = true;
                while self.text.len() + MARK.len_utf8() > MAX_MESSAGE_LEN {
                    self.text.pop();
                }
                let _ = self.text.push(MARK);
                // Ends the formatting: a text from a plugin may be megabytes long.
                return Err(fmt::Error);
            }
        }
        Ok(())
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// How a host function ended: SochDB's results, with the two statuses that this crate adds.
///
/// SochDB's `Ok` is `Success(0)`.
#[derive(Clone, Debug, PartialEq, Eq)]
// The tag is a word, as `DatabaseError`'s is.
#[repr(u32)]
#[non_exhaustive]
pub enum HostCallResult {
    /// Done; this many bytes of the response were written.
    Success(usize),
    /// The plugin was not granted this (-1).
    PermissionDenied(Message),
    /// There is no such row, table, column, index or key (-2).
    NotFound(Message),
    /// The request makes no sense (-3).
    InvalidArgs(Message),
    /// The request cannot be decoded (-3). The host's text says of which function it is.
    Malformed(WireError),
    /// The host could not do it (-4).
    Error(Message),
    /// The response needs this many bytes (-5).
    BufferTooSmall {
        /// Bytes that the whole response takes.
        needed: usize,
    },
    /// A limit is reached (-6).
    LimitExceeded(Message),
    /// The fuel of the call does not pay for the work: the call ends here, as it does when the
    /// plugin's own code runs out of fuel.
    OutOfFuel(LimitExceeded),
}

impl HostCallResult {
    /// What the plugin gets: a length, or a negative [`Status`].
    #[inline]
    #[must_use]
    pub fn status_code(&self) -> i32 {
        if let Self::Success(len) = self {
            i32::try_from(*len).unwrap_or(i32::MAX)
        } else {
            self.failure_code()
        }
    }

    #[cold]
    fn failure_code(&self) -> i32 {
        match self {
            Self::Success(_) => 0,
            Self::PermissionDenied(_) => Status::PermissionDenied.code(),
            Self::NotFound(_) => Status::NotFound.code(),
            Self::InvalidArgs(_) | Self::Malformed(_) => Status::InvalidArgs.code(),
            Self::Error(_) => Status::Error.code(),
            Self::BufferTooSmall { .. } => Status::BufferTooSmall.code(),
            Self::LimitExceeded(_) | Self::OutOfFuel(_) => Status::LimitExceeded.code(),
        }
    }

    /// A failure that says `text`.
    pub fn invalid(text: impl fmt::Display) -> Self {
        Self::InvalidArgs(Message::new(text))
    }

    /// A denial that says `text`.
    pub fn denied(text: impl fmt::Display) -> Self {
        Self::PermissionDenied(Message::new(text))
    }

    /// A miss that says `text`.
    pub fn not_found(text: impl fmt::Display) -> Self {
        Self::NotFound(Message::new(text))
    }

    /// An error of the host's that says `text`.
    pub fn failed(text: impl fmt::Display) -> Self {
        Self::Error(Message::new(text))
    }
}

/// Why a host function did not answer: a [`HostCallResult`] that is not a success, for functions that are
/// written with `?`. `Result<usize, HostCallFailure>` becomes the result by `into`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCallFailure(HostCallResult);

impl HostCallFailure {
    /// The request makes no sense, as `text` says.
    pub fn invalid(text: impl fmt::Display) -> Self {
        Self(HostCallResult::invalid(text))
    }

    /// The plugin was not granted this, as `text` says.
    pub fn denied(text: impl fmt::Display) -> Self {
        Self(HostCallResult::denied(text))
    }

    /// There is no such thing, as `text` says.
    pub fn not_found(text: impl fmt::Display) -> Self {
        Self(HostCallResult::not_found(text))
    }

    /// The host could not do it, as `text` says.
    pub fn failed(text: impl fmt::Display) -> Self {
        Self(HostCallResult::failed(text))
    }

    /// The response needs `needed` bytes.
    #[must_use]
    pub const fn too_small(needed: usize) -> Self {
        Self(HostCallResult::BufferTooSmall { needed })
    }
}

impl From<HostCallFailure> for HostCallResult {
    fn from(failure: HostCallFailure) -> Self {
        failure.0
    }
}

impl From<Result<usize, HostCallFailure>> for HostCallResult {
    fn from(result: Result<usize, HostCallFailure>) -> Self {
        match result {
            Ok(len) => Self::Success(len),
            Err(failure) => failure.0,
        }
    }
}

/// Errors that are a failure of the function that gets them. None of them becomes a success.
macro_rules! failures {
    ($($error:ty),*) => {$(
        impl From<$error> for HostCallFailure {
            #[cold]
            fn from(error: $error) -> Self {
                Self(error.into())
            }
        }
    )*};
}
failures!(WireError, BufferTooSmall, Exhausted, MetricError, LimitExceeded, DatabaseError);

impl From<WireError> for HostCallResult {
    #[cold]
    fn from(error: WireError) -> Self {
        Self::Malformed(error)
    }
}

impl From<BufferTooSmall> for HostCallResult {
    #[cold]
    fn from(error: BufferTooSmall) -> Self {
        Self::BufferTooSmall { needed: error.needed }
    }
}

impl From<Exhausted> for HostCallResult {
    #[cold]
    fn from(exhausted: Exhausted) -> Self {
        match exhausted {
            Exhausted::Fuel(exceeded) => Self::OutOfFuel(exceeded),
            Exhausted::Quota(exceeded) => Self::LimitExceeded(Message::new(exceeded)),
        }
    }
}

impl From<MetricError> for HostCallResult {
    #[cold]
    fn from(error: MetricError) -> Self {
        if let MetricError::Limit(exceeded) = error {
            exceeded.into()
        } else {
            Self::invalid(error)
        }
    }
}

impl From<LimitExceeded> for HostCallResult {
    #[cold]
    fn from(exceeded: LimitExceeded) -> Self {
        Self::LimitExceeded(Message::new(exceeded))
    }
}

impl From<DatabaseError> for HostCallResult {
    #[cold]
    fn from(error: DatabaseError) -> Self {
        if let DatabaseError::Exhausted(exhausted) = error {
            return exhausted.into();
        }
        let message = Message::new(&error);
        match error.status() {
            Status::PermissionDenied => Self::PermissionDenied(message),
            Status::NotFound => Self::NotFound(message),
            Status::InvalidArgs => Self::InvalidArgs(message),
            Status::LimitExceeded => Self::LimitExceeded(message),
            Status::Error | Status::BufferTooSmall => Self::Error(message),
        }
    }
}
