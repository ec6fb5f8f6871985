//! What a host did, as bytes: the trace format of `docs/trace.md`, written event by event and read
//! back event by event.
//!
//! A trace is eight bytes of [`MAGIC`] and then frames: the length of the payload (`u32`, little
//! endian), eight bytes of [chain], and the payload, which is one [`Event`] in postcard's
//! format after its number. The same run writes the same bytes on every target.
//!
//! It knows no host and no interpreter. What is written when is [`host`](crate::host)'s, what a
//! trace is compared with is the replay's.

#[doc(hidden)]
pub mod chain;
mod data;
mod error;
mod event;
mod format;
mod host_call;
mod reader;
mod record;
mod redaction;

pub use data::{Data, Digest, Stop};
pub use error::{RecordError, TraceError};
pub use event::{
    CallIn, CallOut, Checkpoint, End, Ending, Event, Function, Growth, GrowthRefusal, Header, Load,
    Mode, Nested, Restore, Slice, SliceEnd, Table, Unload,
};
pub use format::{
    CHECK_LEN, FEATURES, FRAME_HEADER_LEN, MAGIC, MAX_FRAME_LEN, VERSION, WASMI_VERSION,
};
pub use host_call::HostCallEvent;
pub(crate) use host_call::Usual;
pub use reader::{NumberedEvent, TraceReader};
pub use record::{Recorder, Sink};
pub use redaction::Redaction;
