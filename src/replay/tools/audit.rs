//! The audit log, from the trace: every host call has an entry, with the same numbers.

use alloc::vec::Vec;

use embedded_io::Read;

use crate::{
    abi::Name,
    audit::{AuditEntry, PluginId},
    trace::{Event, TraceError, TraceReader},
};

/// Who runs, and for whom.
#[derive(Clone, Copy, Default)]
struct Running {
    plugin: PluginId,
    caller: Option<PluginId>,
    depth: u8,
}

/// The audit entries of all host calls of a trace, as the host's log had them.
///
/// # Errors
/// [`TraceError`]: an audit log of half a trace would look like a whole one.
pub fn audit_entries<R: Read<Error: 'static>>(trace: R) -> Result<Vec<AuditEntry>, TraceError> {
    let mut reader = TraceReader::new(trace);
    let mut entries = Vec::new();
    let mut sequence = 0_u64;
    let mut running = Running::default();
    // Calls around the one that runs.
    let mut around = Vec::new();
    while let Some(entry) = reader.read()? {
        match entry.event {
            Event::Checkpoint(checkpoint) => sequence = checkpoint.audited,
            Event::Nested(nested) => {
                around.push(running);
                running.caller = nested.caller;
                running.depth = u8::try_from(nested.depth).unwrap_or(u8::MAX);
            }
            Event::CallIn(call) => running.plugin = call.plugin,
            Event::CallOut(_) => running = around.pop().unwrap_or_default(),
            Event::HostCall(call) => {
                sequence = sequence.wrapping_add(1);
                entries.push(AuditEntry {
                    sequence,
                    time_us: call.time_us,
                    plugin: running.plugin,
                    function: call.function,
                    table: call.table.and_then(|name| Name::plugin(name).ok()),
                    status: call.status,
                    rows: call.rows,
                    bytes_in: call.request.len(),
                    bytes_out: u32::try_from(call.status).unwrap_or(0),
                    caller: running.caller,
                    depth: running.depth,
                });
            }
            Event::Header(_)
            | Event::Function(_)
            | Event::Table(_)
            | Event::Load(_)
            | Event::Unload(_)
            | Event::Replace(_)
            | Event::Restore(_)
            | Event::Growth(_)
            | Event::Slice(_)
            | Event::End(_) => {}
        }
    }
    reader.finish()?;
    Ok(entries)
}
