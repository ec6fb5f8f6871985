//! What the host counts itself, for each plugin.

use crate::host::report::CallReport;

/// What the host counts about one plugin. All only rise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostCounters {
    /// Calls of its entry points.
    pub calls: u64,
    /// Those that ended in a trap.
    pub traps: u64,
    /// Host calls that it was not granted.
    pub denied: u64,
    /// Host calls in all.
    pub host_calls: u64,
    /// Fuel used, its own and for host work.
    pub fuel: u64,
}

impl HostCounters {
    /// Adds a call of an entry point.
    pub(in crate::host) fn add(&mut self, report: &CallReport, trapped: bool) {
        self.calls += 1;
        self.traps += u64::from(trapped);
        self.denied += u64::from(report.denied);
        self.host_calls += u64::from(report.host_calls);
        self.fuel = self.fuel.saturating_add(report.fuel);
    }
}
