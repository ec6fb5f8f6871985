//! The errors of traces, while they are written and when they are read.

use core::fmt;

use embedded_io::ErrorKind;

use super::format::VERSION;
#[cfg(feature = "std")]
use crate::IoError;
use crate::abi::wire::WireError;

/// Why a recorder recorded no further. The plugins' calls are not disturbed by it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// The buffer of the whole trace is full.
    Full {
        /// Its size in bytes.
        capacity: usize,
    },
    /// One event is larger than the buffer that events are made in.
    EventTooLarge {
        /// Bytes that it takes.
        needed: usize,
        /// Bytes of the buffer, or of the longest frame that is read.
        capacity: usize,
    },
    /// The sink failed.
    Sink(ErrorKind),
    /// The sink failed with an error of the operating system.
    #[cfg(feature = "std")]
    Io(IoError),
    /// A panic of the embedder's left a call that was being recorded.
    Unwound,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { capacity } => {
                write!(f, "the trace does not fit its buffer of {capacity} bytes")
            }
            Self::EventTooLarge { needed, capacity } => {
                write!(f, "an event takes {needed} bytes, the recorder's buffer has {capacity}")
            }
            Self::Sink(kind) => write!(f, "the trace's sink failed: {kind}"),
            #[cfg(feature = "std")]
            Self::Io(error) => write!(f, "the trace could not be written: {error}"),
            Self::Unwound => write!(f, "a panic left a call that was being recorded"),
        }
    }
}

impl core::error::Error for RecordError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Sink(kind) => Some(kind),
            #[cfg(feature = "std")]
            Self::Io(error) => Some(error.error()),
            Self::Full { .. } | Self::EventTooLarge { .. } | Self::Unwound => None,
        }
    }
}

/// Why bytes are not a trace, or where they stop being one. Events are counted from 0, the header.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceError {
    /// There are no bytes at all.
    Empty,
    /// The bytes do not begin with [`MAGIC`](super::MAGIC).
    NotATrace,
    /// The format has another version.
    Version {
        /// The version that was found.
        found: u8,
    },
    /// The source failed.
    Source(ErrorKind),
    /// The source failed with an error of the operating system.
    #[cfg(feature = "std")]
    Io(IoError),
    /// The trace breaks off inside this event. The events before it are whole.
    Torn {
        /// Number of the event that is not whole.
        event: u64,
        /// Offset of its frame in bytes.
        offset: u64,
    },
    /// The trace ends after this event, which is whole, without saying that it ends.
    Unfinished {
        /// Number of the last event.
        event: u64,
    },
    /// The event is not the one that was written here: it or one before it was changed.
    BrokenChain {
        /// Number of the first bad event.
        event: u64,
        /// Offset of its frame in bytes.
        offset: u64,
    },
    /// Another event of the trace stands here: events were moved, doubled or taken out.
    Reordered {
        /// Number of the event that belongs here.
        expected: u64,
        /// Number of the one that is here.
        found: u64,
    },
    /// A second trace, or a second header, begins here.
    DuplicatedHeader {
        /// Number of the event that belongs here.
        event: u64,
    },
    /// The first event is not a header.
    NoHeader,
    /// The event cannot be decoded though its check is right: it was written by another program.
    Malformed {
        /// Number of the event.
        event: u64,
        /// What is wrong.
        error: WireError,
    },
    /// The frame says that it is longer than any frame is.
    FrameTooLarge {
        /// Number of the event.
        event: u64,
        /// Its length in bytes.
        len: u32,
    },
    /// Bytes are left after the end.
    AfterEnd {
        /// Their offset.
        offset: u64,
    },
    /// The clock went back.
    ClockWentBack {
        /// Number of the event.
        event: u64,
        /// The time before, in microseconds.
        before_us: u64,
        /// The time of the event.
        time_us: u64,
    },
}

impl TraceError {
    /// Whether the trace only breaks off: what is before is whole and can be used.
    #[must_use]
    pub const fn breaks_off(&self) -> bool {
        matches!(self, Self::Torn { event: 1.., .. } | Self::Unfinished { .. })
    }
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "the trace is empty: there are no bytes"),
            Self::NotATrace => write!(f, "the bytes do not begin as a trace does"),
            Self::Version { found } => {
                write!(f, "the trace has format version {found}, this build reads 1 to {}", VERSION)
            }
            Self::Source(kind) => write!(f, "the trace could not be read: {kind}"),
            #[cfg(feature = "std")]
            Self::Io(error) => write!(f, "the trace could not be read: {error}"),
            Self::Torn { event, offset } => write!(
                f,
                "the trace breaks off inside event {event}, at byte {offset}; what is before it \
                 is whole"
            ),
            Self::Unfinished { event } => {
                write!(f, "the trace stops after event {event} without an end")
            }
            Self::BrokenChain { event, offset } => write!(
                f,
                "the chain is broken at event {event}, at byte {offset}: it is not what was \
                 recorded here"
            ),
            Self::Reordered { expected, found } => {
                write!(f, "event {found} is in the place of event {expected}")
            }
            Self::DuplicatedHeader { event } => {
                write!(f, "a second header is in the place of event {event}")
            }
            Self::NoHeader => write!(f, "the first event is not a header"),
            Self::Malformed { event, error } => write!(f, "event {event} is malformed: {error}"),
            Self::FrameTooLarge { event, len } => {
                write!(f, "event {event} claims {len} bytes, which no event has")
            }
            Self::AfterEnd { offset } => {
                write!(f, "bytes are left after the end, at byte {offset}")
            }
            Self::ClockWentBack { event, before_us, time_us } => write!(
                f,
                "the clock went back from {before_us} to {time_us} microseconds at event {event}"
            ),
        }
    }
}

impl core::error::Error for TraceError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Source(kind) => Some(kind),
            #[cfg(feature = "std")]
            Self::Io(error) => Some(error.error()),
            Self::Malformed { error, .. } => Some(error),
            Self::Empty
            | Self::NotATrace
            | Self::Version { .. }
            | Self::Torn { .. }
            | Self::Unfinished { .. }
            | Self::BrokenChain { .. }
            | Self::Reordered { .. }
            | Self::DuplicatedHeader { .. }
            | Self::NoHeader
            | Self::FrameTooLarge { .. }
            | Self::AfterEnd { .. }
            | Self::ClockWentBack { .. } => None,
        }
    }
}

/// Why a sink could not be written: with what the operating system said, if it said something.
#[cfg(feature = "std")]
pub(super) fn unwritten<E: embedded_io::Error + 'static>(error: E) -> RecordError {
    match of_the_system(error) {
        Ok(error) => RecordError::Io(error),
        Err(kind) => RecordError::Sink(kind),
    }
}

/// Why a sink could not be written.
#[cfg(not(feature = "std"))]
pub(super) fn unwritten<E: embedded_io::Error>(error: E) -> RecordError {
    RecordError::Sink(error.kind())
}

/// Why a source could not be read: with what the operating system said, if it said something.
#[cfg(feature = "std")]
pub(super) fn unreadable<E: embedded_io::Error + 'static>(error: E) -> TraceError {
    match of_the_system(error) {
        Ok(error) => TraceError::Io(error),
        Err(kind) => TraceError::Source(kind),
    }
}

/// Why a source could not be read.
#[cfg(not(feature = "std"))]
pub(super) fn unreadable<E: embedded_io::Error>(error: E) -> TraceError {
    TraceError::Source(error.kind())
}

/// The error, if it is the operating system's, or its kind.
#[cfg(feature = "std")]
fn of_the_system<E: embedded_io::Error + 'static>(error: E) -> Result<IoError, ErrorKind> {
    let kind = error.kind();
    let error: alloc::boxed::Box<dyn core::any::Any> = alloc::boxed::Box::new(error);
    match error.downcast::<std::io::Error>() {
        Ok(error) => Ok(IoError::new(*error)),
        Err(_) => Err(kind),
    }
}
