//! What a host did, as bytes: the trace format of `docs/trace.md`, written event by event and read
//! back event by event.
//!
//! A trace is eight bytes of [`MAGIC`] and then frames: the length of the payload (`u32`, little
//! endian), eight bytes of [chain], and the payload, which is one [`Event`] in postcard's
//! format after its number. The same run writes the same bytes on every target.
//!
//! It knows no host and no interpreter. What is written when is [`host`](crate::host)'s, what a
//! trace is compared with is the replay's.

pub mod chain;
mod data;
mod error;
mod event;
mod host_call;
mod pseudonym;
mod reader;
mod recorder;
mod redaction;
mod ring;
mod sink;

pub use data::{Data, Digest, Stop};
pub use error::{RecordError, TraceError};
pub use event::{
    CallIn, CallOut, Checkpoint, End, Ending, Event, Function, Growth, GrowthRefusal, Header, Load,
    Mode, Slice, SliceEnd, Table, Unload,
};
pub use host_call::HostCallEvent;
pub(crate) use host_call::Usual;
pub use reader::{Entry, MAX_FRAME_LEN, TraceReader};
pub use recorder::Recorder;
pub use redaction::Redaction;
pub use sink::Sink;

/// Version of the format that recorders write. Readers read the older ones too.
pub const VERSION: u8 = 2;

/// The first bytes of every trace. The last one is the [`VERSION`].
pub const MAGIC: [u8; 8] = [b'S', b'O', b'C', b'H', b'T', b'R', b'C', VERSION];

/// The version of [`Limits`](crate::limits::Limits) in traces of a version that this crate reads.
const fn limits_version(trace: u8) -> Option<u8> {
    match trace {
        1 => Some(1),
        VERSION => Some(crate::limits::Limits::VERSION),
        _ => None,
    }
}

/// Bytes of a frame before its payload: the length and the check.
pub const FRAME_HEADER_LEN: usize = 4 + CHECK_LEN;

/// Bytes of the chain that stand in a frame.
pub const CHECK_LEN: usize = 8;

/// The features of this build that results may depend on: bit 0 for `deterministic`.
pub const FEATURES: u32 = cfg!(feature = "deterministic") as u32;

/// The version of wasmi whose fuel and results this build has.
pub const WASMI_VERSION: &str = "2.0.0";
