//! Why a plugin was not loaded, and why a call of it failed.

use alloc::{boxed::Box, string::String};
use core::fmt;

#[cfg(feature = "hooks")]
use crate::abi::message::HookEvent;
use crate::{
    abi::{ABI_VERSION, Name, NameError, Status},
    audit::PluginId,
    database::DatabaseError,
    escaped::quoted,
    limits::LimitExceeded,
};

/// What loading works with: an error in one word, as it goes through many hands.
pub(super) type Loading<T> = Result<T, Box<LoadError>>;

/// Why a plugin was not loaded. The host is as it was before.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum LoadError {
    /// The plugin's name breaks the grammar of [`Name`].
    Name(NameError),
    /// A plugin of this name is loaded.
    NameTaken(Name),
    /// The module size, the initial memory, a table or the number of plugins is over its limit.
    Limit(LimitExceeded),
    /// The bytes do not begin as a WebAssembly binary does.
    NotWasm,
    /// The module is truncated, malformed, invalid, or uses a feature that is off.
    InvalidModule {
        /// What the interpreter says.
        reason: String,
    },
    /// The interpreter panicked while it loaded the module, which is a fault of the interpreter's. Only
    /// with the feature `std` and where panics unwind; elsewhere such a panic ends the program.
    Interpreter {
        /// The panic's text.
        reason: String,
    },
    /// The plugin may need more RAM than [`PluginConfig::with_free_ram`](crate::host::PluginConfig::with_free_ram)
    /// says is free.
    NotEnoughRam {
        /// The most that it can take, by [`Limits::ram_bound`](crate::limits::Limits::ram_bound).
        needed: u64,
        /// What is free.
        free: u64,
    },
    /// The bytes have another SHA-256 than the one they were announced with.
    OtherModule,
    /// The module has a start function, which would run before the plugin is checked.
    StartFunction,
    /// A `block`, `loop` or `if` has parameters. The interpreter translates them wrongly, and the plugin
    /// would compute wrong values. Compilers do not write them unless they are asked to.
    BlockParameters {
        /// Where the operator is in the module, in bytes from its beginning.
        offset: u32,
    },
    /// The module imports something that is not in the registry.
    UnknownImport {
        /// Module of the import.
        module: String,
        /// Name of the import.
        name: String,
    },
    /// An import is not a function of four `i32` that returns an `i32`.
    ImportType {
        /// Module of the import.
        module: String,
        /// Name of the import.
        name: String,
    },
    /// An export that the ABI asks for is missing.
    MissingExport {
        /// Name of the export.
        name: &'static str,
    },
    /// An export that the ABI asks for has another type.
    ExportType {
        /// Name of the export.
        name: &'static str,
        /// The type it must have.
        expected: &'static str,
    },
    /// The descriptor does not lie in linear memory.
    DescriptorOutOfBounds {
        /// Its address.
        address: u32,
        /// Size of the linear memory.
        memory_bytes: u64,
    },
    /// The plugin was built for another version of the ABI.
    AbiVersion {
        /// The version in its descriptor.
        found: u32,
    },
    /// The Input or the Output Buffer does not lie in linear memory.
    BufferOutOfBounds {
        /// Which buffer.
        buffer: &'static str,
        /// Its address.
        ptr: u32,
        /// Its size.
        capacity: u32,
        /// Size of the linear memory.
        memory_bytes: u64,
    },
    /// The Input Buffer, the Output Buffer and the descriptor overlap.
    BuffersOverlap,
    /// No static buffer that is free holds the plugin's memory.
    NoStaticMemory {
        /// Bytes that the module asks for at first.
        needed: u64,
    },
    /// The plugin lacks the entry point of a hook.
    #[cfg(feature = "hooks")]
    HookEntry {
        /// The event of the hook.
        event: HookEvent,
        /// Name of the entry point.
        entry: Box<str>,
    },
    /// A hook is for tables that the plugin may not read.
    #[cfg(feature = "hooks")]
    HookDenied {
        /// The event of the hook.
        event: HookEvent,
        /// Name of its entry point.
        entry: Box<str>,
        /// The pattern of tables that no pattern of `can_read_table` covers.
        pattern: Box<str>,
    },
    /// The interpreter could not make an instance.
    Instantiation {
        /// What the interpreter says.
        reason: String,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(error) => write!(f, "plugin name: {error}"),
            Self::NameTaken(name) => write!(f, "a plugin named {name} is loaded already"),
            Self::Limit(exceeded) => write!(f, "limit exceeded: {exceeded}"),
            Self::NotWasm => write!(f, "the bytes are not a WebAssembly binary"),
            Self::OtherModule => write!(f, "the module is not the one of the given SHA-256"),
            Self::InvalidModule { reason } => write!(f, "invalid module: {reason}"),
            Self::Interpreter { reason } => write!(f, "the interpreter panicked: {reason}"),
            Self::NotEnoughRam { needed, free } => write!(
                f,
                "the plugin may need {needed} bytes of RAM under its limits, {free} are free"
            ),
            Self::StartFunction => write!(f, "the module has a start function"),
            Self::BlockParameters { offset } => write!(
                f,
                "the block at byte {offset} of the module has parameters, which are not supported"
            ),
            Self::UnknownImport { module, name } => {
                write!(f, "the module imports {module}.{name}, which is not a host function")
            }
            Self::ImportType { module, name } => write!(
                f,
                "the import {module}.{name} is not a function (i32, i32, i32, i32) -> i32"
            ),
            Self::MissingExport { name } => write!(f, "the module does not export {name}"),
            Self::ExportType { name, expected } => {
                write!(f, "the export {name} is not {expected}")
            }
            Self::DescriptorOutOfBounds { address, memory_bytes } => write!(
                f,
                "the descriptor at {address} is outside the linear memory of {memory_bytes} bytes"
            ),
            Self::AbiVersion { found } => write!(
                f,
                "the plugin was built for ABI version {found}, this host knows {ABI_VERSION}"
            ),
            Self::BufferOutOfBounds { buffer, ptr, capacity, memory_bytes } => write!(
                f,
                "the {buffer} of {capacity} bytes at {ptr} is outside the linear memory of \
                 {memory_bytes} bytes"
            ),
            Self::BuffersOverlap => {
                write!(f, "the Input Buffer, the Output Buffer and the descriptor overlap")
            }
            Self::NoStaticMemory { needed } => {
                write!(f, "no static buffer of {needed} bytes or more is free")
            }
            #[cfg(feature = "hooks")]
            Self::HookEntry { .. } | Self::HookDenied { .. } => self.fmt_hook(f),
            Self::Instantiation { reason } => write!(f, "no instance: {reason}"),
        }
    }
}

#[cfg(feature = "hooks")]
impl LoadError {
    /// The text of an error about a hook.
    fn fmt_hook(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::HookEntry { event, entry } = self {
            let (event, entry) = (event.as_str(), quoted(entry));
            write!(
                f,
                "the hook {event} is the entry point {entry}, and the module has no function \
                 (i32) -> i32 of that name"
            )?;
        }
        if let Self::HookDenied { event, entry, pattern } = self {
            let (event, entry) = (event.as_str(), quoted(entry));
            write!(
                f,
                "the hook {event} of the entry point {entry} is for the tables \"{pattern}\", and \
                 can_read_table does not cover them"
            )?;
        }
        Ok(())
    }
}

impl core::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Name(error) => Some(error),
            Self::Limit(exceeded) => Some(exceeded),
            Self::NameTaken(_)
            | Self::NotWasm
            | Self::InvalidModule { .. }
            | Self::Interpreter { .. }
            | Self::NotEnoughRam { .. }
            | Self::OtherModule
            | Self::StartFunction
            | Self::BlockParameters { .. }
            | Self::UnknownImport { .. }
            | Self::ImportType { .. }
            | Self::MissingExport { .. }
            | Self::ExportType { .. }
            | Self::DescriptorOutOfBounds { .. }
            | Self::AbiVersion { .. }
            | Self::BufferOutOfBounds { .. }
            | Self::BuffersOverlap
            | Self::NoStaticMemory { .. }
            | Self::Instantiation { .. } => None,
            #[cfg(feature = "hooks")]
            Self::HookEntry { .. } | Self::HookDenied { .. } => None,
        }
    }
}

impl From<LimitExceeded> for LoadError {
    fn from(exceeded: LimitExceeded) -> Self {
        Self::Limit(exceeded)
    }
}

/// Why a call of a plugin failed. Nothing that it wrote remains.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CallError {
    /// No plugin has this id.
    NoSuchPlugin(PluginId),
    /// The embedder's own writes are pending: commit them, or roll them back, first.
    TransactionPending,
    /// The plugin exports no function of this name.
    NoSuchEntry {
        /// The name.
        entry: String,
    },
    /// The export of this name is not a function `(i32) -> i32`.
    EntryType {
        /// The name.
        entry: String,
    },
    /// The input does not fit the plugin's Input Buffer.
    InputTooLarge {
        /// Bytes of input.
        len: usize,
        /// Bytes of the buffer.
        capacity: u32,
    },
    /// The plugin reported more output than its Output Buffer holds.
    OutputTooLarge {
        /// Bytes that it reported.
        len: u32,
        /// Bytes of the buffer.
        capacity: u32,
    },
    /// Fuel or deadline ran out.
    Limit(LimitExceeded),
    /// The plugin's calls nested deeper than the limits of stack height or recursion allow.
    StackOverflow {
        /// [`Limits::stack_bytes`](crate::limits::Limits::stack_bytes).
        stack_bytes: u32,
        /// [`Limits::recursion`](crate::limits::Limits::recursion).
        recursion: u32,
    },
    /// The slice hook stopped it.
    Stopped,
    /// A host call was denied, and the plugin was loaded to trap then.
    Denied {
        /// What was denied.
        reason: String,
    },
    /// The plugin's code trapped.
    Trap {
        /// What the interpreter says.
        reason: String,
    },
    /// The entry point returned a negative status.
    Failed {
        /// What it returned.
        code: i32,
        /// The text of the failed host call whose status this is. Empty if the plugin returned a
        /// status of its own: another one, or after further host calls than logs, metrics and
        /// `last_error`.
        last_error: String,
    },
    /// What the plugin wrote could not be kept.
    Commit(DatabaseError),
    /// The plugin could not be restarted after a trap.
    Restart(Box<LoadError>),
}

impl CallError {
    /// The status of an entry point that returned a negative one.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        if let Self::Failed { code, .. } = self { Some(Status::from_code(*code)) } else { None }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchPlugin(id) => write!(f, "there is no plugin {}", id.0),
            Self::TransactionPending => {
                write!(f, "writes from outside are pending: commit or roll back first")
            }
            Self::NoSuchEntry { entry } => {
                write!(f, "the plugin exports no function {}", quoted(entry))
            }
            Self::EntryType { entry } => {
                write!(f, "the export {} is not a function (i32) -> i32", quoted(entry))
            }
            Self::InputTooLarge { len, capacity } => {
                write!(f, "the input has {len} bytes, the Input Buffer {capacity}")
            }
            Self::OutputTooLarge { len, capacity } => {
                write!(f, "the plugin reported {len} bytes of output, its buffer has {capacity}")
            }
            Self::Limit(exceeded) => write!(f, "limit exceeded: {exceeded}"),
            Self::StackOverflow { stack_bytes, recursion } => write!(
                f,
                "stack overflow: more than {stack_bytes} bytes of stack or {recursion} nested calls"
            ),
            Self::Stopped => write!(f, "the slice hook stopped the call"),
            Self::Denied { reason } => write!(f, "denied: {reason}"),
            Self::Trap { reason } => write!(f, "trap: {reason}"),
            Self::Failed { code, last_error } if last_error.is_empty() => {
                write!(f, "the entry point returned {code}")
            }
            Self::Failed { code, last_error } => {
                write!(f, "the entry point returned {code}; its last host failure: {last_error}")
            }
            Self::Commit(error) => write!(f, "the call's writes could not be kept: {error}"),
            Self::Restart(error) => write!(f, "the plugin could not be restarted: {error}"),
        }
    }
}

impl core::error::Error for CallError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Limit(exceeded) => Some(exceeded),
            Self::Commit(error) => Some(error),
            Self::Restart(error) => Some(&**error),
            Self::NoSuchPlugin(_)
            | Self::TransactionPending
            | Self::NoSuchEntry { .. }
            | Self::EntryType { .. }
            | Self::InputTooLarge { .. }
            | Self::OutputTooLarge { .. }
            | Self::StackOverflow { .. }
            | Self::Stopped
            | Self::Denied { .. }
            | Self::Trap { .. }
            | Self::Failed { .. } => None,
        }
    }
}
