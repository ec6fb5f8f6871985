//! How much a plugin may use, and the error that says which limit was reached.
//!
//! It does not count: [`Meter`](crate::meter::Meter) does during a host call, the interpreter and
//! its limiter do for the rest.

use core::fmt;

use crate::abi::wire::{Reader, Wire, WireError, Writer};

/// Limits of one plugin. All are per plugin; those that say so are per call of an entry point.
///
/// The defaults of memory, fuel and deadline are SochDB's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most linear memory, in bytes; more than 2 GiB is 2 GiB. Default 16 MiB.
    pub memory_bytes: u32,
    /// The most elements in a table of functions. Default 1,024.
    pub table_elements: u32,
    /// Fuel per call, for the plugin's code and the host's work together. Default 1,000,000.
    pub fuel_per_call: u64,
    /// Size of the interpreter's value stack, in bytes. Default 64 KiB.
    pub stack_bytes: u32,
    /// The deepest nesting of calls inside the plugin. Default 256.
    pub recursion: u32,
    /// The largest module, in bytes. Default 1 MiB. It bounds the time and the memory that loading
    /// takes, as fuel does not.
    pub module_bytes: u32,
    /// The most values that a function or a block may return. Default 32, and never more: each branch
    /// to such a block is code for all of them, which is RAM.
    pub results: u32,
    /// The most locals of a function, without its parameters. Default 10,000.
    pub locals: u32,
    /// Host calls per call. Default 100,000.
    pub host_calls: u32,
    /// Rows that host functions may visit, per call. Default 100,000.
    pub rows: u32,
    /// Bytes that host functions may move in requests, responses and rows, per call. Default 16 MiB.
    pub bytes: u64,
    /// Time per call, in milliseconds of the host's clock. Default 100; `None` for no deadline.
    pub deadline_ms: Option<u32>,
    /// Fuel that runs between two looks at the clock. Default 100,000.
    pub slice_fuel: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Limits {
    /// The defaults.
    pub const DEFAULT: Self = Self {
        memory_bytes: 16 << 20,
        table_elements: 1 << 10,
        fuel_per_call: 1_000_000,
        stack_bytes: 64 << 10,
        recursion: 256,
        module_bytes: 1 << 20,
        results: 32,
        locals: 10_000,
        host_calls: 100_000,
        rows: 100_000,
        bytes: 16 << 20,
        deadline_ms: Some(100),
        slice_fuel: 100_000,
    };

    /// SochDB's limits for a plugin that only observes: 4 MiB, 100,000 fuel, 10 ms.
    pub fn observability_only() -> Self {
        Self {
            memory_bytes: 4 << 20,
            fuel_per_call: 100_000,
            deadline_ms: Some(10),
            ..Self::default()
        }
    }

    /// SochDB's limits for a plugin that analyses tables: 64 MiB, 10,000,000 fuel, 1 s.
    pub fn read_only() -> Self {
        Self {
            memory_bytes: 64 << 20,
            fuel_per_call: 10_000_000,
            deadline_ms: Some(1000),
            ..Self::default()
        }
    }
}

/// In the order of the fields.
impl<'a> Wire<'a> for Limits {
    fn encode(&self, writer: &mut Writer<'_>) {
        let Self {
            memory_bytes,
            table_elements,
            fuel_per_call,
            stack_bytes,
            recursion,
            module_bytes,
            results,
            locals,
            host_calls,
            rows,
            bytes,
            deadline_ms,
            slice_fuel,
        } = *self;
        writer.u32(memory_bytes);
        writer.u32(table_elements);
        writer.u64(fuel_per_call);
        writer.u32(stack_bytes);
        writer.u32(recursion);
        writer.u32(module_bytes);
        writer.u32(results);
        writer.u32(locals);
        writer.u32(host_calls);
        writer.u32(rows);
        writer.u64(bytes);
        deadline_ms.encode(writer);
        writer.u64(slice_fuel);
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self {
            memory_bytes: reader.u32()?,
            table_elements: reader.u32()?,
            fuel_per_call: reader.u64()?,
            stack_bytes: reader.u32()?,
            recursion: reader.u32()?,
            module_bytes: reader.u32()?,
            results: reader.u32()?,
            locals: reader.u32()?,
            host_calls: reader.u32()?,
            rows: reader.u32()?,
            bytes: reader.u64()?,
            deadline_ms: Wire::decode(reader)?,
            slice_fuel: reader.u64()?,
        })
    }
}

/// Which limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::memory_bytes`].
    LinearMemory,
    /// [`Limits::table_elements`].
    TableElements,
    /// [`Limits::fuel_per_call`].
    Fuel,
    /// [`Limits::stack_bytes`] or [`Limits::recursion`]: the interpreter does not say which.
    StackOrRecursion,
    /// [`Limits::module_bytes`].
    ModuleSize,
    /// [`Limits::results`].
    Results,
    /// [`Limits::locals`].
    Locals,
    /// [`Limits::host_calls`].
    HostCalls,
    /// [`Limits::rows`].
    Rows,
    /// [`Limits::bytes`].
    Bytes,
    /// [`Limits::deadline_ms`].
    Deadline,
    /// Rows in the store.
    StoreRows,
    /// Bytes in the store.
    StoreBytes,
    /// Bytes in a key of the store: an index entry whose columns are too long.
    KeyBytes,
    /// Bytes of a row as it is stored, in a storage that cannot hold larger ones.
    ValueBytes,
    /// Series of metrics that the host keeps.
    MetricSeries,
    /// Exports of a module.
    Exports,
    /// Plugins that the host holds.
    Plugins,
}

impl Limit {
    /// The limit in words, with its unit.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LinearMemory => "bytes of linear memory",
            Self::TableElements => "table elements",
            Self::Fuel => "fuel per call",
            Self::StackOrRecursion => "stack height or recursion depth",
            Self::ModuleSize => "bytes of module",
            Self::Results => "results of a function or block",
            Self::Locals => "locals of a function",
            Self::HostCalls => "host calls per call",
            Self::Rows => "rows visited per call",
            Self::Bytes => "bytes moved per call",
            Self::Deadline => "milliseconds per call",
            Self::StoreRows => "rows in the store",
            Self::StoreBytes => "bytes in the store",
            Self::KeyBytes => "bytes of an index key",
            Self::ValueBytes => "bytes of a stored row",
            Self::MetricSeries => "metric series",
            Self::Exports => "exports of a module",
            Self::Plugins => "plugins",
        }
    }
}

/// A limit was reached: which, what it allows, and what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitExceeded {
    /// Which limit.
    pub limit: Limit,
    /// What it allows.
    pub allowed: u64,
    /// What was asked for, in all.
    pub asked: u64,
}

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} asked, {} allowed", self.asked, self.limit.as_str(), self.allowed)
    }
}

impl core::error::Error for LimitExceeded {}
