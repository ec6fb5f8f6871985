//! An upper bound of the RAM that a plugin can take, known before any of it is loaded.
//!
//! The factors bound what adversarial modules were measured to take (`tests/it/host/ram_bound.rs`) on 64-bit
//! targets, and are the same on every target.

use super::check::MAX_TABLES;
use crate::limits::Limits;

/// For each module: the instance, the interpreter's own lists, names and grants.
const FIXED: u64 = 16 << 10;
/// For each byte of a module, while it is compiled and after: the worst are loops in loops, without
/// anything in them. A compiler's code takes a twentieth.
const PER_BYTE: u64 = 160;
/// For each byte and each value that a block may return: a branch of four bytes copies all of them.
const PER_BYTE_AND_RESULT: u64 = 12;
/// For each local of a function.
const PER_LOCAL: u64 = 24;
/// Tables of a module, and an element of one.
const TABLES: u64 = MAX_TABLES as u64;
const PER_ELEMENT: u64 = 16;
/// A list that grows has twice the length that it needs, and the list before is there until all is
/// copied.
const GROWING: u64 = 3;
/// A call inside the plugin.
const PER_FRAME: u64 = 32;

/// The most RAM that a plugin under its limits takes, in bytes: bounds, also for modules that are
/// made to take much. Compiled from a usual language it takes a small part of `module`.
///
/// What belongs to the host is not in it: rows, the audit log, metrics, and the settings that the
/// plugin is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RamBound {
    /// Linear memory: three times the limit, as a memory that grows is copied. Nothing of it is on the
    /// heap if it is [static](crate::host::PluginConfig::with_static_memory), and a memory that does not
    /// grow has its size.
    pub memory: u64,
    /// Tables of functions.
    pub tables: u64,
    /// The interpreter's stacks, in a call.
    pub stacks: u64,
    /// The instance and what is there for each plugin.
    pub instance: u64,
    /// The module, compiled, and what compiling it takes. The compiler's lists stay for the next
    /// function, so it is the same while loading and after.
    pub module: u64,
}

impl RamBound {
    /// What of it stays of a version that was replaced, for [`Host::rollback`](crate::host::Host::rollback): the
    /// compiled module, without linear memory, tables and stacks. `None` above 2^64.
    #[must_use]
    pub const fn kept(&self) -> Option<u64> {
        self.instance.checked_add(self.module)
    }

    /// All of it; `None` above 2^64.
    #[must_use]
    pub const fn total(&self) -> Option<u64> {
        // None of these four is above 2^43.
        (self.memory + self.tables + self.stacks + self.instance).checked_add(self.module)
    }
}

impl Limits {
    /// The most RAM that a plugin of a module of so many bytes takes under these limits; `None` if no
    /// such module is loaded, as it is over [`Limits::module_bytes`], and above 2^64.
    ///
    /// It is large: [`Limits::results`], [`Limits::locals`] and the length of the module make it
    /// small. What a plugin that is known takes is best measured.
    ///
    /// ```
    /// use sochdb_wasmi::limits::Limits;
    ///
    /// const LIMITS: Limits = Limits {
    ///     memory_bytes: 16 << 10,
    ///     table_elements: 16,
    ///     stack_bytes: 4 << 10,
    ///     recursion: 32,
    ///     results: 1,
    ///     locals: 64,
    ///     ..Limits::DEFAULT
    /// };
    /// const BOUND: u64 = match LIMITS.ram_bound(4096) {
    ///     Some(bound) => bound.module + bound.instance + bound.stacks + bound.tables,
    ///     None => panic!("the module is too long"),
    /// };
    /// assert!(BOUND < 800 << 10);
    /// ```
    #[must_use]
    pub const fn ram_bound(&self, module_bytes: u32) -> Option<RamBound> {
        if module_bytes > self.module_bytes {
            return None;
        }
        let per_byte = PER_BYTE + PER_BYTE_AND_RESULT * self.results as u64;
        let Some(compiled) = per_byte.checked_mul(module_bytes as u64) else { return None };
        let Some(module) = compiled.checked_add(PER_LOCAL * self.locals as u64) else {
            return None;
        };
        Some(RamBound {
            memory: GROWING * self.memory_bytes as u64,
            tables: TABLES * PER_ELEMENT * self.table_elements as u64,
            stacks: GROWING * (self.stack_bytes as u64 + PER_FRAME * self.recursion as u64),
            instance: FIXED,
            module,
        })
    }
}
