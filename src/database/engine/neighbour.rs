//! The results of a search, and the buffers that it keeps for the next one.

use alloc::vec::Vec;
use core::cmp::Ordering;

/// A row that a search found.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Neighbour {
    /// Its id.
    pub id: u64,
    /// Its distance from the query; never a NaN.
    pub distance: f32,
}

/// Nearer first, then the lower id.
impl Ord for Neighbour {
    fn cmp(&self, other: &Self) -> Ordering {
        self.distance.total_cmp(&other.distance).then(self.id.cmp(&other.id))
    }
}

impl PartialOrd for Neighbour {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Neighbour {}

/// Buffers of a search, kept for the next.
#[derive(Debug, Default)]
pub(super) struct SearchScratch {
    pub(super) query: Vec<f32>,
    /// What the last search found.
    pub(super) neighbours: Vec<Neighbour>,
}
