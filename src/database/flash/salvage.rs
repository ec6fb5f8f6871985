//! What is whole in a damaged region, in RAM. Nothing is written to the device, and nothing is repaired: a tool
//! copies what is here to a new store.
//!
//! If the commit log is whole, it says which pages count, and what is whole on them is exactly what was there.
//! If not, the pages themselves say how new they are, and what they say is taken from the newest to the oldest.

use alloc::{collections::BTreeMap, vec::Vec};
use core::ops::{ControlFlow, Range};

use embedded_storage::nor_flash::NorFlash;

use super::{
    device::Device,
    format::{HEADER, LEAF, Leaf, MAX_VALUE, PageHead},
    loaded::Loaded,
    mend,
    opening::Found,
    read::whole,
    store::Store,
};
use crate::database::storage::{Batch, KeyRange, Storage, StorageError, Visit};

/// What a page says of keys and parts of their values: `None` for what is deleted.
type Parts = BTreeMap<(Vec<u8>, u8), Option<(Vec<u8>, bool)>>;

/// What is whole in a damaged region of flash: a storage that can be read and not written.
#[derive(Debug)]
pub struct SalvagedFlash {
    entries: BTreeMap<Vec<u8>, Vec<u8>>,
    report: SalvageReport,
}

/// What of a region is not whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvageReport {
    /// Whether the commit log is whole. If not, what the last calls wrote may be missing, a call may be there
    /// in part, and what was deleted may be there again.
    pub log_is_whole: bool,
    /// Entries of the storage that there should be, by the commit log; `None` without one. A row is an entry, and so
    /// is each of its index entries.
    pub expected_entries: Option<u64>,
    /// Entries that were read.
    pub entries: u64,
    /// Values of which only a part was there; they are left out.
    pub incomplete: u64,
    /// Pages that could not be read, or of which a part is damaged, by their addresses.
    pub damaged_pages: Vec<u32>,
}

impl SalvagedFlash {
    /// Reads what is whole in the bytes `region` of `flash`. It writes nothing, and takes heap for all entries: it is
    /// for a tool with a dump of the region, or a device with RAM to spare.
    ///
    /// # Errors
    /// [`StorageError::Unsuitable`] for a region that cannot be one of a store; [`StorageError::Version`] for
    /// another version; [`StorageError::Foreign`] if there is no page of a store.
    pub fn read<F: NorFlash>(flash: F, region: Range<u32>) -> Result<Self, StorageError> {
        let mut store = Store::new(Device::new(flash, &region)?, 0);
        let mut report = SalvageReport::default();
        let mut found = Found::default();
        for page in 0..store.device.pages.len() as u16 {
            match store.look_at(page, &mut found) {
                Ok(()) => {}
                Err(StorageError::Device { .. }) => report.note(&store, page),
                Err(error) => return Err(error),
            }
        }
        if store.serial == 0 {
            return Err(StorageError::Foreign);
        }
        let parts = match found.newest {
            Some(log) if store.read_log(log).is_ok() => store.of_directory(&mut report),
            _ => store.of_all_pages(&mut report),
        };
        Ok(Self { entries: joined(parts, &mut report), report })
    }

    /// What is not whole.
    #[must_use]
    pub const fn report(&self) -> &SalvageReport {
        &self.report
    }
}

impl SalvageReport {
    fn note<F: NorFlash>(&mut self, store: &Store<F>, page: u16) {
        let address = store.device.address(page, 0);
        if let Err(place) = self.damaged_pages.binary_search(&address) {
            self.damaged_pages.insert(place, address);
        }
    }
}

impl<F: NorFlash> Store<F> {
    /// What the leaves that the commit log names say, and a batch that is not carried out.
    fn of_directory(&mut self, report: &mut SalvageReport) -> Parts {
        report.log_is_whole = true;
        report.expected_entries = Some(self.held.entries);
        let (mut parts, mut loaded) = (Parts::new(), Loaded::default());
        let leaves: Vec<_> = self.leaves.iter().chain(&self.journal).map(Leaf::read).collect();
        for (number, leaf) in leaves.into_iter().enumerate() {
            let journal = number >= self.leaves.len();
            if !journal && self.load_into(leaf, &mut loaded).is_err() {
                report.note(self, leaf.page);
            }
            let Some(head) = self.leaf_head(leaf.page) else {
                report.note(self, leaf.page);
                continue;
            };
            let end = if journal { head.entries_end } else { leaf.end };
            let found = self.parts_of(&head, end.into(), report);
            parts.extend(found);
        }
        parts
    }

    /// What all pages of the region say: of each key what the newest one does. What a newer page passed over
    /// between its keys was deleted.
    fn of_all_pages(&mut self, report: &mut SalvageReport) -> Parts {
        let mut heads: Vec<(u32, u16)> = Vec::new();
        for page in 0..self.device.pages.len() as u16 {
            if let Some(head) = self.leaf_head(page) {
                heads.push((head.serial, page));
            }
        }
        heads.sort_unstable_by(|one, other| other.cmp(one));
        let (mut parts, mut covered) = (Parts::new(), Vec::new());
        for (_, page) in heads {
            let Some(head) = self.leaf_head(page) else { continue };
            let found = self.parts_of(&head, Self::PAGE, report);
            let low = (head.low.bytes().to_vec(), head.low.chunk);
            let last = found.last_key_value().map(|(key, _)| key.clone());
            for (key, part) in found {
                let passed = covered.iter().any(|(low, last)| (low..=last).contains(&&key));
                if !passed {
                    parts.entry(key).or_insert(part);
                }
            }
            // The pages of a journal have an empty low key, and not all keys from there on.
            covered.extend(last.filter(|_| !low.0.is_empty()).map(|last| (low, last)));
        }
        parts
    }

    fn leaf_head(&mut self, page: u16) -> Option<PageHead> {
        let found = self.page_head(page, &mut [0; HEADER]).ok()??;
        Some(found.0).filter(|head| head.kind == LEAF && head.page == page)
    }

    /// The entries of a page that are whole, the later in the place of the earlier.
    fn parts_of(&mut self, head: &PageHead, end: usize, report: &mut SalvageReport) -> Parts {
        let mut parts = Parts::new();
        let mut bytes = alloc::vec![0; Self::PAGE];
        if self.device.read(head.page, 0, &mut bytes).is_err() {
            report.note(self, head.page);
            return parts;
        }
        let sorted_end = usize::from(head.entries_end);
        for range in [Self::entries_start(head)..sorted_end, Self::log_start(head)..end] {
            let (mut at, mut lost) = (range.start, false);
            while at < range.end.min(Self::PAGE) {
                let entry = bytes.get_mut(at..).unwrap_or_default();
                // Only at a place where an entry must be.
                if !lost && entry.first() != Some(&0xff) {
                    let _ = mend::whole_entry(head.serial, at, &head.low, entry);
                }
                let Some((read, key)) = whole(head, at, &bytes) else {
                    let erased = bytes.get(at) == Some(&0xff);
                    if !erased {
                        lost = true;
                        report.note(self, head.page);
                    }
                    at += 1;
                    continue;
                };
                lost = false;
                let until = at + read.len() - 4;
                let value = bytes.get(until - read.about.len..until).unwrap_or_default();
                let part = (value.to_vec(), read.about.more);
                let part = Some(part).filter(|_| !read.about.deleted);
                parts.insert((key.bytes().to_vec(), key.chunk), part);
                at += read.len();
            }
        }
        parts
    }
}

/// Whole values of their parts.
fn joined(parts: Parts, report: &mut SalvageReport) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut entries: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    // The key of the value that goes on, and the next part.
    let mut open: Option<(Vec<u8>, u8)> = None;
    let present = parts.into_iter().filter_map(|(key, part)| Some((key, part?)));
    for ((key, chunk), (value, more)) in present {
        let goes_on = open.take();
        if let Some((begun, _)) = goes_on.as_ref().filter(|(begun, _)| *begun != key) {
            entries.remove(begun);
            report.incomplete += 1;
        }
        let fits = chunk == 0 || goes_on.is_some_and(|(begun, next)| begun == key && next == chunk);
        if !fits {
            report.incomplete += u64::from(entries.remove(&key).is_some() || chunk == 1);
            continue;
        }
        entries.entry(key.clone()).or_default().extend_from_slice(&value);
        open = more.then(|| (key, chunk.saturating_add(1)));
    }
    if let Some((begun, _)) = open {
        entries.remove(&begun);
        report.incomplete += 1;
    }
    report.entries = entries.len() as u64;
    entries
}

impl Storage for SalvagedFlash {
    fn max_value_len(&self) -> u64 {
        MAX_VALUE as u64
    }

    fn get<R>(&self, key: &[u8], with: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, StorageError> {
        Ok(self.entries.get(key).map(|value| with(value)))
    }

    fn scan(
        &self,
        range: KeyRange<'_>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StorageError> {
        let inside = |key: &Vec<u8>| {
            key.as_slice() >= range.lower && range.upper.is_none_or(|upper| key.as_slice() < upper)
        };
        let mut hand = |(key, value): (&Vec<u8>, &Vec<u8>)| visit(key, value);
        let mut entries = self.entries.iter().filter(|(key, _)| inside(key));
        let _: ControlFlow<()> = if reverse {
            entries.rev().try_for_each(&mut hand)
        } else {
            entries.try_for_each(&mut hand)
        };
        Ok(())
    }

    fn admit(&self, batch: &Batch<'_>) -> Result<(), StorageError> {
        if batch.totals().changes == 0 {
            return Ok(());
        }
        Err(StorageError::Unsuitable { what: "what was salvaged can only be read" })
    }

    fn apply(&mut self, batch: &Batch<'_>) -> Result<(), StorageError> {
        self.admit(batch)
    }
}
