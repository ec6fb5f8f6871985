//! What is known of a region, and what is done with it: reading in order, and applying a batch. How a
//! batch becomes one that counts is in `log`.

use alloc::{vec, vec::Vec};
use core::{mem, ops::ControlFlow};

use embedded_storage::nor_flash::NorFlash;

use super::{
    device::Device,
    format::{CHUNK, Key, LEAF_BYTES, Leaf, MAX_ENTRY, OVERHEAD},
    log::Place,
    read::{Fence, Loaded},
    room::{FLOOR, FREE},
    write,
};
use crate::database::{
    storage::{Batch, KeyRange, MAX_KEY_LEN, StorageError, Visit},
    superblock::Superblock,
};

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

    /// The most pages that a batch takes as a journal.
    fn journal_pages(batch: &Batch<'_>) -> usize {
        let totals = batch.totals();
        let parts = totals.changes + totals.written / CHUNK as u64;
        let bytes = totals.written + parts * (OVERHEAD + MAX_KEY_LEN / 8) as u64;
        bytes as usize / (Self::ROOM - MAX_ENTRY) + 1
    }

    /// Applies a batch. When it returns, the batch is on flash for good.
    pub(super) fn apply(&mut self, batch: &Batch<'_>) -> Result<(), StorageError> {
        let taken = self.device.taken;
        self.make_room(FREE)?;
        let held = self.held.after(batch);
        self.device.floor = FLOOR;
        let changed = self.change(write::changes(batch));
        self.device.floor = 0;
        match changed {
            // More pages would be new at once than are free.
            Err(StorageError::Full(_)) => {
                self.reload()?;
                self.make_room(FREE + Self::journal_pages(batch))?;
                self.device.floor = FLOOR;
                let written = self.write_journal(write::changes(batch));
                self.device.floor = 0;
                written?;
                self.commit(&held)?;
                self.carry_on()?;
            }
            changed => {
                changed?;
                self.commit(&held)?;
            }
        }
        // A call that waited for no page has time to spare.
        if self.device.taken == taken {
            self.level()?;
        }
        self.device.prepare();
        Ok(())
    }

    /// Copies a value; returns whether there is one.
    pub(super) fn get(&mut self, key: &[u8], into: &mut Vec<u8>) -> Result<bool, StorageError> {
        into.clear();
        for chunk in 0..=u8::MAX {
            let Some(found) = self.find(&Key::new(key, chunk))? else {
                return if chunk == 0 {
                    Ok(false)
                } else {
                    Err(StorageError::Corrupt { at: None })
                };
            };
            into.extend_from_slice(found.value());
            if !found.about.more {
                break;
            }
        }
        Ok(true)
    }

    pub(super) fn scan(
        &mut self,
        range: KeyRange<'_>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StorageError> {
        if self.leaves.is_empty() {
            return Ok(());
        }
        let bounds = Bounds {
            lower: Key::new(range.lower, 0),
            upper: range.upper.map(|upper| Key::new(upper, 0)),
        };
        let mut at = match if reverse { bounds.upper.as_ref() } else { Some(&bounds.lower) } {
            Some(key) => self.locate(key)?,
            None => self.leaves.len() - 1,
        };
        let mut loaded = mem::take(&mut self.loaded);
        let mut parts = Vec::new();
        let mut done = Ok(());
        while let Some(leaf) = self.leaves.get(at).map(Leaf::read) {
            done = self.load_into(leaf, &mut loaded);
            if done.is_err() || bounds.walk(&loaded, reverse, &mut parts, visit).is_break() {
                break;
            }
            let next = if reverse { at.checked_sub(1) } else { Some(at + 1) };
            let Some(next) = next else { break };
            at = next;
        }
        self.loaded = loaded;
        done
    }
}

/// The keys of a scan.
struct Bounds {
    lower: Key,
    upper: Option<Key>,
}

impl Bounds {
    /// Hands out the entries of a leaf. `parts` has the value of one that is not whole yet.
    fn walk(
        &self,
        loaded: &Loaded,
        reverse: bool,
        parts: &mut Vec<u8>,
        visit: &mut Visit<'_>,
    ) -> ControlFlow<()> {
        for number in 0..loaded.order.len() {
            let number = if reverse { loaded.order.len() - 1 - number } else { number };
            let entry = loaded.order.get(number).copied().unwrap_or_default();
            let (key, about, value) = loaded.entry(entry);
            let above = self.upper.as_ref().is_some_and(|upper| key.order() >= upper.order());
            let below = key.order() < self.lower.order();
            if (above && !reverse) || (below && reverse) {
                return ControlFlow::Break(());
            }
            if above || below {
                continue;
            }
            if about.chunk == 0 && !about.more {
                visit(key.bytes(), value)?;
                continue;
            }
            // In both directions the first part that is seen makes the buffer as long as it must be.
            let from = usize::from(about.chunk) * CHUNK;
            if !about.more || parts.len() < from + value.len() {
                parts.reserve_exact((from + value.len()).saturating_sub(parts.len()));
                parts.resize(from + value.len(), 0);
            }
            if let Some(place) = parts.get_mut(from..from + value.len()) {
                place.copy_from_slice(value);
            }
            if if reverse { about.chunk == 0 } else { !about.more } {
                visit(key.bytes(), parts)?;
                parts.clear();
            }
        }
        ControlFlow::Continue(())
    }
}
