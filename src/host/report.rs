//! What one call of an entry point consumed.

/// What a call of a plugin used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallReport {
    /// Fuel, for the plugin's code and the host's work.
    pub fuel: u64,
    /// Host calls that were answered; those over the limit are not counted.
    pub host_calls: u32,
    /// Host calls that were denied.
    pub denied: u32,
    /// Rows and index entries that host functions visited.
    pub rows: u32,
    /// Bytes that host functions moved.
    pub bytes: u64,
    /// Slices that it ran in.
    pub slices: u32,
    /// Linear memory after it, in bytes.
    pub memory_bytes: u32,
}
