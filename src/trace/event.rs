//! The events of a trace and their bytes: postcard's format, fields in the order of declaration.
//! `docs/trace.md` says what each means and gives an example of each.

use super::{
    data::{Data, Digest},
    format::{limits_version, renumbered},
    host_call::HostCallEvent,
};
use crate::{
    abi::{
        Capability, Seq,
        message::{messages, tags},
        wire::{Reader, Wire, WireError, WireErrorKind, Writer},
    },
    audit::{FunctionId, PluginId},
    limits::Limits,
};

tags! {
    /// What of requests and answers stands in a trace.
    pub enum Mode {
        /// Every byte: the trace can be replayed.
        Full = 0 => "full",
        /// Lengths and digests: small, and no data leaves the device. Such a trace can be compared
        /// with another one, but not replayed.
        Digest = 1 => "digest",
    }

    /// Why linear memory did not grow.
    pub enum GrowthRefusal {
        /// It would have passed [`Limits::memory_bytes`].
        Limit = 0 => "limit",
        /// The device had no memory for it.
        OutOfMemory = 1 => "out of memory",
    }

    /// What followed a slice of fuel.
    pub enum SliceEnd {
        /// The next slice.
        Continue = 0 => "continue",
        /// The slice hook stopped the call.
        Stopped = 1 => "stopped",
        /// The deadline had passed.
        Deadline = 2 => "deadline",
    }

    /// How a call of an entry point ended.
    pub enum Ending {
        /// With an output; its writes were kept.
        Output = 0 => "output",
        /// With a negative status.
        Failed = 1 => "failed",
        /// With a trap of the plugin's code.
        Trap = 2 => "trap",
        /// With a stack or a recursion too deep.
        StackOverflow = 3 => "stack overflow",
        /// Fuel or deadline ran out.
        Limit = 4 => "limit",
        /// The slice hook stopped it.
        Stopped = 5 => "stopped",
        /// A denied host call ended it.
        Denied = 6 => "denied",
        /// It reported more output than its buffer holds.
        OutputTooLarge = 7 => "output too large",
        /// Its writes could not be kept: the storage failed.
        Commit = 8 => "commit failed",
    }
}

messages! {
    /// The first event: what made the trace.
    pub struct Header<'a> {
        /// [`ABI_VERSION`](crate::abi::ABI_VERSION) of the host.
        pub abi_version: u32,
        /// Version of wasmi. Fuel is only the same under the same one.
        pub wasmi: &'a str,
        /// How plugins were compiled: 0 for when they were loaded. There is no other mode.
        pub compilation: u32,
        /// Features that results may depend on: bit 0 for `deterministic`.
        pub features: u32,
        /// Digest of the [`PRICES`](crate::meter::PRICES) of host work.
        pub prices: Digest,
        /// What of requests and answers is here.
        pub mode: Mode,
        /// Whether this is what a flight recorder kept: the events before the next one, a
        /// [`Checkpoint`], may be gone.
        pub ring: bool,
        /// Digest of the key of redacted values, if some are.
        pub redaction: Option<Digest>,
    }

    /// Every plugin restarts. What the host is made of follows: [`Function`]s, [`Table`]s and
    /// [`Load`]s.
    pub struct Checkpoint<'a> {
        /// The link before this frame's.
        pub previous: &'a [u8],
        /// How many entries the audit log had.
        pub audited: u64,
    }

    /// A host function that an embedder added.
    pub struct Function<'a> {
        /// Its number.
        pub id: FunctionId,
        /// The module that plugins import it from.
        pub module: &'a str,
        /// Its name.
        pub name: &'a str,
        /// What plugins need to call it.
        pub capability: Capability<'a>,
    }

    /// A table, so that answers can be read by name.
    pub struct Table<'a> {
        /// Its name.
        pub name: &'a str,
        /// Its columns in schema order.
        pub columns: Seq<'a, &'a str>,
    }

    /// A plugin was loaded, or replaced by this version.
    pub struct Load<'a> {
        /// Its number.
        pub plugin: PluginId,
        /// Its name.
        pub name: &'a str,
        /// SHA-256 of its module.
        pub module: &'a [u8],
        /// Its limits.
        pub limits: Limits,
        /// Whether a denial ends the call.
        pub trap_on_denied: bool,
        /// Digest of its grants.
        pub capabilities: Digest,
        /// Digest of its configuration.
        pub config: Digest,
    }

    /// A plugin was unloaded.
    pub struct Unload {
        /// Its number.
        pub plugin: PluginId,
    }

    /// The migration of the version that replaced a plugin's last one failed: the version before goes
    /// on, with the memory that it had.
    pub struct Restore {
        /// The plugin's number.
        pub plugin: PluginId,
    }

    /// The call that begins with the next event was made by a plugin inside its own call, which goes on
    /// after it, or is one of a hook.
    pub struct Nested {
        /// The plugin that called; `None` for a hook of the embedder's own write.
        pub caller: Option<PluginId>,
        /// How many calls are around the one that begins.
        pub depth: u32,
        /// When the embedder's call began, in microseconds of the clock: deadlines count from then.
        pub started_us: u64,
        /// The deadline of the embedder's call, in milliseconds.
        pub deadline_ms: Option<u32>,
    }

    /// An entry point was called.
    pub struct CallIn<'a> {
        /// The plugin.
        pub plugin: PluginId,
        /// The entry point.
        pub entry: &'a str,
        /// What it was given.
        pub input: Data<'a>,
        /// Fuel that it was given.
        pub fuel: u64,
        /// Whether the call ran in slices of [`Limits::slice_fuel`].
        pub sliced: bool,
        /// The clock, in microseconds.
        pub time_us: u64,
    }

    /// Linear memory did not grow.
    pub struct Growth {
        /// The size that was asked for, in bytes.
        pub asked: u64,
        /// Why not.
        pub refusal: GrowthRefusal,
    }

    /// A slice of fuel ended.
    pub struct Slice {
        /// The clock, in microseconds.
        pub time_us: u64,
        /// Fuel of the call that is left.
        pub fuel_left: u64,
        /// What followed.
        pub end: SliceEnd,
    }

    /// A call of an entry point ended.
    pub struct CallOut<'a> {
        /// How.
        pub ending: Ending,
        /// What the entry point returned; 0 if it did not.
        pub code: i32,
        /// The output, or the text of the failure.
        pub output: Data<'a>,
        /// Fuel that is left.
        pub fuel_left: u64,
        /// Linear memory, in bytes.
        pub memory_bytes: u32,
        /// Digest of linear memory, if the entry point returned and the recorder takes it.
        pub memory: Option<Digest>,
    }

    /// The last event: the recording was ended, not broken off.
    pub struct End {}
}

#[cfg(feature = "replay")]
mod inspect {
    //! The types of events that are no messages.

    use alloc::format;

    use super::{Capability, Data, Digest, FunctionId, PluginId};
    use crate::abi::inspect::{Fields, Inspect, hex};

    impl Inspect for Data<'_> {
        fn inspect(&self, fields: &mut Fields) {
            match self {
                Self::Full(bytes) => fields.leaf(hex(bytes)),
                Self::Digest { len, digest } => {
                    fields.leaf(format!("{len} bytes, digest {digest}"))
                }
                Self::Absent { len } => fields.leaf(format!("{len} bytes that are not in memory")),
            }
        }
    }

    impl Inspect for Capability<'_> {
        fn inspect(&self, fields: &mut Fields) {
            fields.leaf(self);
        }
    }

    impl Inspect for Digest {
        fn inspect(&self, fields: &mut Fields) {
            fields.leaf(self);
        }
    }

    impl Inspect for PluginId {
        fn inspect(&self, fields: &mut Fields) {
            fields.leaf(self.0);
        }
    }

    impl Inspect for FunctionId {
        fn inspect(&self, fields: &mut Fields) {
            match self.name() {
                Some(name) => fields.leaf(name),
                None => fields.leaf(self.0),
            }
        }
    }
}

/// Declares the events: the number of each is the byte before its fields.
macro_rules! events {
    ($($variant:ident($record:ty) = $number:literal => $word:literal,)*) => {
        /// One event of a trace.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each is documented where it is declared")]
        pub enum Event<'a> {
            $($variant($record),)*
        }

        impl Event<'_> {
            /// What happened, in words.
            pub const fn as_str(&self) -> &'static str {
                match self { $(Self::$variant(_) => $word,)* }
            }
        }

        #[cfg(feature = "replay")]
        impl crate::abi::inspect::Inspect for Event<'_> {
            fn inspect(&self, fields: &mut crate::abi::inspect::Fields) {
                match self { $(Self::$variant(record) => record.inspect(fields),)* }
            }
        }

        impl<'a> Wire<'a> for Event<'a> {
            #[inline]
            fn encode(&self, writer: &mut Writer<'_>) {
                match self { $(Self::$variant(record) => {
                    writer.u8($number);
                    record.encode(writer);
                })* }
            }

            fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
                Ok(match reader.u8()? {
                    $($number => Self::$variant(Wire::decode(reader)?),)*
                    _ => return Err(reader.error(WireErrorKind::UnknownVariant)),
                })
            }
        }
    };
}

events! {
    Header(Header<'a>) = 0 => "header",
    Checkpoint(Checkpoint<'a>) = 1 => "checkpoint",
    Function(Function<'a>) = 2 => "function",
    Table(Table<'a>) = 3 => "table",
    Load(Load<'a>) = 4 => "load",
    Unload(Unload) = 5 => "unload",
    CallIn(CallIn<'a>) = 6 => "call in",
    HostCall(HostCallEvent<'a>) = 7 => "host call",
    Growth(Growth) = 8 => "refused growth",
    Slice(Slice) = 9 => "slice",
    CallOut(CallOut<'a>) = 10 => "call out",
    End(End) = 11 => "end",
    Replace(Load<'a>) = 12 => "replace",
    Restore(Restore) = 13 => "restore",
    Nested(Nested) = 14 => "nested call",
}

impl<'a> Event<'a> {
    /// Takes an event of a trace of the given version from the front. Limits were added since the first
    /// one, and functions of SochDB's, which moved the numbers of an embedder's.
    pub(super) fn decode_version(version: u8, reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let limits = limits_version(version).unwrap_or(Limits::VERSION);
        let mut ahead = *reader;
        let event = match ahead.u8() {
            Ok(LOAD) => Self::Load,
            Ok(REPLACE) => Self::Replace,
            _ => {
                let mut event = Self::decode(reader)?;
                if let Self::HostCall(call) = &mut event {
                    call.function = renumbered(version, call.function);
                } else if let Self::Function(function) = &mut event {
                    function.id = renumbered(version, function.id);
                }
                return Ok(event);
            }
        };
        *reader = ahead;
        Ok(event(Load {
            plugin: Wire::decode(reader)?,
            name: Wire::decode(reader)?,
            module: Wire::decode(reader)?,
            limits: Limits::decode_version(limits, reader)?,
            trap_on_denied: Wire::decode(reader)?,
            capabilities: Wire::decode(reader)?,
            config: Wire::decode(reader)?,
        }))
    }
}

/// The numbers of [`Event::Load`] and [`Event::Replace`].
const LOAD: u8 = 4;
const REPLACE: u8 = 12;

/// A number, and the name of a named one.
impl<'a> Wire<'a> for Capability<'a> {
    fn encode(&self, writer: &mut Writer<'_>) {
        match self {
            Self::Always => writer.u8(0),
            Self::ReadTable => writer.u8(1),
            Self::WriteTable => writer.u8(2),
            Self::VectorSearch => writer.u8(3),
            Self::IndexSearch => writer.u8(4),
            Self::Named(name) => {
                writer.u8(5);
                writer.text(name);
            }
            Self::CallPlugin => writer.u8(6),
        }
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(match reader.u8()? {
            0 => Self::Always,
            1 => Self::ReadTable,
            2 => Self::WriteTable,
            3 => Self::VectorSearch,
            4 => Self::IndexSearch,
            5 => Self::Named(reader.text()?),
            6 => Self::CallPlugin,
            _ => return Err(reader.error(WireErrorKind::UnknownVariant)),
        })
    }
}
