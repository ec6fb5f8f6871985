//! The result of a search for a smaller trace, and its progress.

use alloc::{string::String, vec::Vec};

use super::failure::Failure;

/// A trace that was made small.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Minimised {
    /// Its bytes. It replays exactly with the plugins that fail; for a divergence, with those that
    /// were recorded.
    pub trace: Vec<u8>,
    /// How it fails, as the trace that it was made of does.
    pub failure: Failure,
    /// Calls of the old trace.
    pub calls_before: u64,
    /// Calls that are left.
    pub calls: u64,
    /// How often plugins ran.
    pub tries: u32,
    /// There were not enough tries, or the search was ended: it might be smaller.
    pub exhausted: bool,
    /// The plugins of the small trace by name, and which of the plugins that fail each is: its place in
    /// the order in which they were added to the [`Replayer`](crate::replay::Replayer).
    pub plugins: Vec<(String, usize)>,
}

/// How a search for a smaller trace goes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Progress<'t> {
    /// How often plugins ran so far.
    pub tries: u32,
    /// Calls of the smallest whole trace so far.
    pub calls: u64,
    /// Its length in bytes.
    pub bytes: usize,
    /// The trace, if it is a new one. It fails as the old one does: whoever may be ended at any
    /// moment keeps it.
    pub trace: Option<&'t [u8]>,
}
