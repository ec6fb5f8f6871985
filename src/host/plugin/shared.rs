//! What all plugins of a host share. A plugin has it while it runs, the host between calls.

use alloc::boxed::Box;

use crate::{
    audit::{AuditEntry, AuditLog, AuditSink},
    database::{Database, Storage},
    host::{clock::Clock, metrics::Metrics, registry::HostFunctionRegistry, tape::Tape},
};

/// What all plugins of a host share.
pub(crate) struct Shared<S: Storage> {
    pub(crate) database: Database<S>,
    pub(crate) registry: HostFunctionRegistry<S>,
    pub(crate) audit: AuditLog<Box<[AuditEntry]>>,
    pub(crate) audit_sink: Option<Box<dyn AuditSink + Send>>,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Box<dyn Clock + Send>,
    pub(crate) log_bytes: usize,
    /// Records what plugins ask and are answered, or answers in place of the functions and the clock.
    pub(crate) tape: Tape,
}

impl<S: Storage> Shared<S> {
    /// The clock, or what it was when the call was recorded.
    pub(crate) fn now_us(&mut self) -> u64 {
        match self.tape.playing.now_us() {
            Some(now_us) => now_us,
            None => self.clock.now_us(),
        }
    }
}
