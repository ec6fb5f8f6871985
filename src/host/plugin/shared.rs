//! What all plugins of a host share. A plugin has it while it runs, the host between calls.

use alloc::boxed::Box;

#[cfg(feature = "replay")]
use crate::host::tape::Player;
use crate::{
    audit::{AuditEntry, AuditLog, AuditSink},
    database::{Database, Storage},
    host::{clock::Clock, metrics::Metrics, registry::HostFunctionRegistry},
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
    #[cfg(feature = "record")]
    pub(crate) recorder: Option<Box<crate::trace::Recorder>>,
    /// Tables may have been made that the recorder does not know of.
    #[cfg(feature = "record")]
    pub(crate) tables_changed: bool,
    /// Answers in place of the functions and the clock.
    #[cfg(feature = "replay")]
    pub(crate) player: Option<Box<Player>>,
}

#[cfg(not(feature = "replay"))]
impl<S: Storage> Shared<S> {
    pub(crate) fn now_us(&mut self) -> u64 {
        self.clock.now_us()
    }
}
