//! One series: its bounds, its key and its numbers. It does not know how series are found or printed.

use alloc::boxed::Box;

use crate::{abi::message::MetricKind, audit::PluginId};

/// The most labels of a series.
pub const MAX_LABELS: usize = 8;

/// The longest value of a label, in bytes.
pub const MAX_LABEL_VALUE: usize = 128;

/// Upper bounds of a histogram's buckets, inclusive; one more bucket holds what is above. These
/// are the defaults of Prometheus' clients, made for seconds.
pub const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The beginning of names that plugins may not use, because the host's own metrics have it.
pub const RESERVED_PREFIX: &str = "sochdb_";

#[derive(Debug)]
pub(super) struct Series {
    /// Of plugin and key.
    pub(super) hash: u64,
    pub(super) plugin: PluginId,
    pub(super) plugin_name: Box<str>,
    /// The request without its value.
    pub(super) key: Box<[u8]>,
    pub(super) data: Data,
}

#[derive(Debug)]
pub(super) enum Data {
    Counter(f64),
    Gauge(f64),
    Histogram(Box<Histogram>),
}

#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// Observations in each of [`BUCKETS`] alone, not in those below it.
    pub(super) buckets: [u64; BUCKETS.len()],
    pub(super) count: u64,
    pub(super) sum: f64,
}

impl Data {
    pub(super) fn new(kind: MetricKind) -> Self {
        match kind {
            MetricKind::Counter => Self::Counter(0.0),
            MetricKind::Gauge => Self::Gauge(0.0),
            MetricKind::Histogram => Self::Histogram(Box::default()),
        }
    }

    pub(super) fn add(&mut self, value: f64) {
        match self {
            // Rises to the highest double and stays there: infinity is not a count.
            Self::Counter(total) => *total = finite(*total + value),
            Self::Gauge(last) => *last = value,
            Self::Histogram(histogram) => {
                let bucket = BUCKETS.partition_point(|&bound| bound < value);
                if let Some(count) = histogram.buckets.get_mut(bucket) {
                    *count = count.saturating_add(1);
                }
                histogram.count = histogram.count.saturating_add(1);
                histogram.sum = finite(histogram.sum + value);
            }
        }
    }
}

/// The largest double in place of infinity, on its side.
fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::MAX.copysign(value) }
}
