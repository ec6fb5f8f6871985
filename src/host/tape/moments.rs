//! The moments of a plugin's life that a host shows its tape: loading, the begin and end of a call, host
//! calls.

#![cfg_attr(not(feature = "replay"), allow(dead_code, reason = "only a replay uses all of it"))]

use alloc::boxed::Box;

use super::module_hash::ModuleHash;
use crate::{
    audit::{AuditEntry, AuditLog, FunctionId, PluginId},
    host::{access::Identity, boundary::Arguments, error::CallError},
    limits::Limits,
    meter::Meter,
};

/// A plugin that was loaded.
pub(in crate::host) struct Loaded<'p> {
    pub(in crate::host) identity: &'p Identity,
    pub(in crate::host) hash: &'p ModuleHash,
    pub(in crate::host) limits: Limits,
    pub(in crate::host) trap_on_denied: bool,
}

/// A call that a plugin makes of another one.
#[cfg_attr(not(feature = "hooks"), allow(dead_code, reason = "no plugin calls another one"))]
pub(in crate::host) struct Nesting {
    pub(in crate::host) caller: Option<PluginId>,
    /// How many calls are around it.
    pub(in crate::host) depth: u8,
    /// When the embedder's call began.
    pub(in crate::host) started_us: u64,
    /// Its deadline.
    pub(in crate::host) deadline_ms: Option<u32>,
}

/// Rows visited and bytes moved so far by the call around a nested one.
pub(in crate::host) type Used = (u32, u64);

/// A call of an entry point that begins.
pub(in crate::host) struct Begun<'c> {
    pub(in crate::host) plugin: PluginId,
    pub(in crate::host) entry: &'c str,
    pub(in crate::host) input: &'c [u8],
    pub(in crate::host) fuel: u64,
    /// Whether somebody looks between slices of fuel.
    pub(in crate::host) sliced: bool,
    pub(in crate::host) time_us: u64,
}

/// A call of an entry point that is over.
pub(in crate::host) struct Ended<'c> {
    /// The length of its output, or why nothing is kept of it.
    pub(in crate::host) kept: &'c Result<u32, CallError>,
    /// The output; empty for a call that failed.
    pub(in crate::host) output: &'c [u8],
    /// Linear memory.
    pub(in crate::host) memory: &'c [u8],
    /// Whether the entry point returned, so that its memory is worth a digest.
    pub(in crate::host) completed: bool,
    pub(in crate::host) memory_bytes: u32,
    pub(in crate::host) fuel_limit: u64,
    pub(in crate::host) fuel_used: u64,
}

/// A host call, with everything that an answer from a tape changes.
pub(in crate::host) struct HostCall<'c> {
    pub(in crate::host) function: FunctionId,
    pub(in crate::host) arguments: Arguments,
    pub(in crate::host) linear_memory: &'c mut [u8],
    /// Fuel that was left before the call.
    pub(in crate::host) fuel_before: u64,
    pub(in crate::host) identity: &'c mut Identity,
    pub(in crate::host) meter: &'c mut Meter,
    /// Its last entry is this call's, once there is an answer.
    pub(in crate::host) audit: &'c mut AuditLog<Box<[AuditEntry]>>,
    /// Host calls of the plugin's call that were denied.
    pub(in crate::host) denied: &'c mut u32,
}

/// What a tape says about a growth of linear memory.
#[derive(Clone, Copy)]
pub(in crate::host) enum Grown {
    /// It was allowed.
    Allowed,
    /// It was refused.
    Refused(Refusal),
}

/// Why linear memory did not grow.
#[derive(Clone, Copy)]
pub(in crate::host) enum Refusal {
    /// By a limit.
    Limit,
    /// There was no memory.
    OutOfMemory,
}
