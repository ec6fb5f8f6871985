//! The arithmetic of vectors: metrics, distances and the square root under them.
//!
//! Every result has the same bits on every target. This room knows neither rows nor searches.

pub(super) mod distance;
mod metric;
mod square_root;

pub(super) use distance::{COMPONENT, Distance, Query};
pub use metric::DistanceMetric;
pub(super) use square_root::sqrt;
