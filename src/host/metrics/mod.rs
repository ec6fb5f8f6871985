//! The metrics that plugins emit, and their text form for Prometheus.
//!
//! It stores numbers and prints them; it serves no HTTP and asks no clock. The host's own counters
//! are plain numbers that the host keeps ([`HostCounters`]); they are only printed here.

mod counters;
mod error;
mod prometheus;
mod series;
mod store;

pub use counters::HostCounters;
pub use error::MetricError;
pub use series::{BUCKETS, MAX_LABEL_VALUE, MAX_LABELS, RESERVED_PREFIX};
pub use store::Metrics;
