//! The sizes of a host.

/// Sizes of a host. All memory for these is taken when the host is made, but for metrics, which
/// take theirs as series appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostConfig {
    /// Entries that the audit log keeps. Default 256.
    pub audit_entries: usize,
    /// The most series of metrics, over all plugins. Default 256.
    pub metric_series: usize,
    /// The most plugins. Default 16.
    pub plugins: usize,
    /// The longest log message that is passed on, in bytes; longer ones are cut visibly.
    /// Default 512.
    pub log_bytes: usize,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self { audit_entries: 256, metric_series: 256, plugins: 16, log_bytes: 512 }
    }
}
