//! What is known of a region. What is done with it is in the other files: `batch` and `scan` are where the
//! storage begins.

use alloc::{vec, vec::Vec};

use embedded_storage::nor_flash::NorFlash;

use super::{
    device::Device,
    format::LEAF_BYTES,
    loaded::{Fence, Loaded},
};
use crate::database::superblock::Superblock;

/// Where the log goes on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// Its page.
    pub page: u16,
    /// The page's serial.
    pub serial: u32,
    /// Where the next record begins.
    pub at: usize,
}

/// What is known of a region.
pub struct Store<F> {
    pub(super) device: Device<F>,
    /// The directory.
    pub(super) leaves: Vec<[u8; LEAF_BYTES]>,
    /// The newest serial.
    pub(super) serial: u32,
    pub(super) log: Place,
    pub(super) held: Superblock,
    /// What was done to the directory since the last record, if it is not too much for one.
    pub(super) splices: Vec<u8>,
    /// Whether it is.
    pub(super) many: bool,
    /// A leaf, or what is written or read as one.
    pub(super) loaded: Loaded,
    /// A batch that is committed and not carried out yet: its pages, like leaves.
    pub(super) journal: Vec<[u8; LEAF_BYTES]>,
    /// Where in its first page the entries begin that are not carried out; 0 for all.
    pub(super) done: u16,
    /// Low keys of leaves.
    pub(super) fences: Vec<Fence>,
    /// The device failed: what is in RAM is to be read again.
    pub(super) stale: bool,
}

impl<F: NorFlash> Store<F> {
    /// Bytes of a page.
    pub(super) const PAGE: usize = Device::<F>::PAGE;

    /// What is known before a region is read, with so many low keys in RAM.
    pub(super) fn new(device: Device<F>, fences: usize) -> Self {
        Self {
            leaves: Vec::with_capacity(device.pages.len()),
            serial: 0,
            log: Place::default(),
            held: Superblock::default(),
            splices: Vec::new(),
            many: false,
            loaded: Loaded::new(Self::PAGE),
            journal: Vec::new(),
            done: 0,
            fences: vec![Fence::NONE; fences.min(device.pages.len())],
            stale: false,
            device,
        }
    }
}
