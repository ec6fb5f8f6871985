//! How often each host function was called and succeeded: the audit entries, counted.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use sochdb_wasmi::audit::{AuditEntry, AuditSink, FunctionId};

static SUCCEEDED: [AtomicU32; 16] = [const { AtomicU32::new(0) }; 16];

/// Counts.
pub struct Tally;

impl AuditSink for Tally {
    fn record(&mut self, entry: &AuditEntry) {
        if entry.status >= 0
            && let Some(count) = SUCCEEDED.get(usize::from(entry.function.0))
        {
            count.fetch_add(1, Relaxed);
        }
    }
}

/// Calls of a function that succeeded.
pub fn succeeded(function: FunctionId) -> u32 {
    SUCCEEDED.get(usize::from(function.0)).map_or(0, |count| count.load(Relaxed))
}
