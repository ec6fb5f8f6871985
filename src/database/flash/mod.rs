//! A storage on raw NOR flash: a list of leaves in key order, each a page with a log of its own, and a
//! commit log that says which entries count. `docs/flash-format.md` has the format and its invariants.
//!
//! This file has the storage as the engine sees it, and what is done after an error of the device. How
//! a commit is made is in `log`.

mod batch;
mod device;
mod format;
mod journal;
mod loaded;
mod log;
mod mend;
mod opening;
mod page;
mod polled;
mod read;
mod room;
mod salvage;
mod scan;
mod store;
mod write;

use core::{
    cell::{RefCell, RefMut},
    fmt, mem,
    ops::{ControlFlow, Range},
};

use embedded_storage::nor_flash::NorFlash;

use self::{
    device::Device,
    format::{HEADER, LEAF_BYTES, MAX_VALUE, OVERHEAD},
    loaded::{Fence, Loaded},
    opening::ATTEMPTS,
    page::Page,
    store::Store,
};
pub use self::{
    polled::Polled,
    salvage::{SalvageReport, SalvagedFlash},
};
use super::{
    key,
    storage::{Batch, KeyRange, Storage, StorageError, Visit},
    superblock::Superblock,
};
use crate::limits::{Limit, LimitExceeded};

/// Pages that hold no entries for good: the commit log, and what is written anew before the old one
/// is free.
const RESERVED_PAGES: u64 = 14;
/// Pages that only a batch which frees room may use.
const EMPTYING_PAGES: u64 = 4;
/// Low keys in RAM, if the user does not say how much RAM there is.
const FENCES: usize = 96;
/// Heap of a commit or a scan beside what is kept, at most.
const TRANSIENT: usize = 4096;

/// How a [`FlashStorage`] uses its device.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct FlashConfig {
    /// Bytes of heap that it takes at most; [`FlashStorage::least_ram`] and 2,688 for low keys of pages if it is
    /// `None`, which is the default.
    pub ram_bytes: Option<usize>,
    /// Whether everything that is written or erased is read back at once. A page that does not keep it is
    /// treated as one that refuses it, so no row is ever on it. It costs the reading. Without it, which is
    /// the default, one wrong bit in a page is corrected when it is read.
    pub verify_writes: bool,
}

/// A storage on raw NOR flash.
///
/// It takes a region of 24 to 256 whole pages. A page has 4,096 bytes, or is an erase block of 8 or 16
/// KiB; shorter erase blocks must divide it. Words of at most 32 bytes must be writable; none is
/// written twice between two erases. A row takes at most 4,096 bytes as it is stored.
///
/// A batch is on flash for good when `apply` returns. Reading writes nothing. If the device fails
/// while a batch is written, the region is read anew, to see which of both it holds; if that
/// fails too, everything that is asked tries it again first.
///
/// Pages wear out. What is on a page that refuses a write, or of which a bit is wrong, is moved, and the batch is
/// written elsewhere. A page that fails again after it was erased, or twice refuses to be erased, is retired for
/// good: [`retired_pages`](Self::retired_pages) counts them.
pub struct FlashStorage<F: NorFlash> {
    store: RefCell<Store<F>>,
    region: Range<u32>,
}

impl<F: NorFlash> FlashStorage<F> {
    /// Bytes of entries that a page holds at least when neighbours are packed: the next entry may
    /// not fit what is left.
    const PAGE_ROOM: u64 = (Store::<F>::ROOM - 400) as u64;

    /// The least RAM that a store in a region of so many bytes takes, in bytes of heap: the directory,
    /// a page, and what a commit or a scan takes beside them for its time. The stack and the storage
    /// itself come on top.
    #[must_use]
    pub const fn least_ram(region_bytes: u32) -> usize {
        let page = Device::<F>::PAGE;
        region_bytes as usize / page * (LEAF_BYTES + size_of::<Page>())
            + page
            + Loaded::most_entries(page) * size_of::<u16>()
            + TRANSIENT
    }

    /// Opens the store in the bytes `region` of `flash`, or makes one if they are all erased. It takes
    /// [`least_ram`](Self::least_ram) and 2,688 bytes for low keys of pages, which save reading.
    ///
    /// # Errors
    /// As [`open_with_ram`](Self::open_with_ram).
    pub fn open(flash: F, region: Range<u32>) -> Result<Self, StorageError> {
        Self::open_with(flash, region, FlashConfig::default())
    }

    /// Opens the store in the bytes `region` of `flash`, or makes one if they are all erased, and takes
    /// at most `ram_bytes` of heap. What is more than [`least_ram`](Self::least_ram) caches low
    /// keys: 28 bytes for each page, and looking a key up reads no page but the one that it is in.
    ///
    /// Opening writes if the last call was interrupted.
    ///
    /// # Errors
    /// [`StorageError::Foreign`] if there is something else; [`StorageError::Version`] for a store
    /// of another version; [`StorageError::Corrupt`]; [`StorageError::Unsuitable`] for a region or a
    /// device that cannot be used, or too little RAM; and [`StorageError::Device`]. Pass `&mut flash`
    /// to have the device back then.
    pub fn open_with_ram(
        flash: F,
        region: Range<u32>,
        ram_bytes: usize,
    ) -> Result<Self, StorageError> {
        Self::open_with(
            flash,
            region,
            FlashConfig { ram_bytes: Some(ram_bytes), ..Default::default() },
        )
    }

    /// Opens the store in the bytes `region` of `flash`, or makes one if they are all erased, and uses the
    /// device as `config` says.
    ///
    /// # Errors
    /// As [`open_with_ram`](Self::open_with_ram).
    pub fn open_with(
        flash: F,
        region: Range<u32>,
        config: FlashConfig,
    ) -> Result<Self, StorageError> {
        Self::with_device(Device::new(flash, &region)?, region, config)
    }

    fn with_device(
        mut device: Device<F>,
        region: Range<u32>,
        config: FlashConfig,
    ) -> Result<Self, StorageError> {
        let least = Self::least_ram(region.end.saturating_sub(region.start));
        let ram_bytes = config.ram_bytes.unwrap_or(least + FENCES * size_of::<Fence>());
        let Some(cache) = ram_bytes.checked_sub(least) else {
            let what = "the region needs more RAM: FlashStorage::least_ram says how much";
            return Err(StorageError::Unsuitable { what });
        };
        device.verify = config.verify_writes;
        let mut store = Store::new(device, cache / size_of::<Fence>());
        store.recover()?;
        store.stale = false;
        Ok(Self { store: RefCell::new(store), region })
    }

    /// Erases the bytes `region` of `flash`, whatever is in them, and makes an empty store there. Pages that
    /// cannot be erased are retired.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`StorageError::Device`] if a page that cannot be erased has a part of
    /// a store.
    pub fn format(flash: F, region: Range<u32>) -> Result<Self, StorageError> {
        let mut device = Device::new(flash, &region)?;
        for page in 0..device.pages.len() as u16 {
            if let Err(error) = device.erase(page) {
                let mut fixed = [0; HEADER];
                device.read(page, 0, &mut fixed)?;
                if mend::is_page(&fixed) {
                    return Err(error);
                }
            }
        }
        Self::with_device(device, region, FlashConfig::default())
    }

    /// Gives the device back.
    pub fn into_flash(self) -> Option<F> {
        Some(self.store.into_inner().device.flash)
    }

    /// Hands the device to `look`, for what it counts of itself; `None` while it is in use. Writing
    /// to the region would break the store.
    pub fn with_flash<R>(&self, look: impl FnOnce(&mut F) -> R) -> Option<R> {
        Some(look(&mut self.store.try_borrow_mut().ok()?.device.flash))
    }

    fn held(&self) -> Superblock {
        self.store.try_borrow().map_or_else(|_| Superblock::default(), |store| store.held)
    }

    /// Rows that it holds.
    pub fn rows(&self) -> u64 {
        self.held().rows
    }

    /// Bytes that its entries take on flash once old versions are gone.
    pub fn bytes(&self) -> u64 {
        self.store.try_borrow().map_or(0, |store| store.live())
    }

    /// The most bytes that entries may take: [`bytes`](Self::bytes) and those that a batch writes,
    /// together. It falls as pages are retired.
    pub fn capacity(&self) -> u64 {
        self.capacity_without(self.retired_pages().into())
    }

    fn capacity_without(&self, retired: u64) -> u64 {
        let pages =
            u64::from(self.region.end.saturating_sub(self.region.start)) / Device::<F>::PAGE as u64;
        pages.saturating_sub(RESERVED_PAGES + EMPTYING_PAGES + retired) * Self::PAGE_ROOM
    }

    /// Pages that failed and are not used any more.
    pub fn retired_pages(&self) -> u32 {
        self.store.try_borrow().map_or(0, |store| store.device.retired() as u32)
    }

    /// Reads everything, comparing checksums, and compares what is there with what should be.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`], or [`StorageError::Device`].
    pub fn verify(&self) -> Result<(), StorageError> {
        let held = self.held();
        let mut found = Superblock { batches: held.batches, ..Superblock::default() };
        let all = KeyRange { lower: &[], upper: None };
        self.scan(all, false, &mut |key, value| {
            found.entries += 1;
            found.rows += u64::from(key::is_row(key));
            found.bytes += key.len() as u64 + value.len() as u64;
            ControlFlow::Continue(())
        })?;
        if found == self.held() { Ok(()) } else { Err(StorageError::Corrupt { at: None }) }
    }

    fn fresh(&self) -> Result<RefMut<'_, Store<F>>, StorageError> {
        let mut store = self.store.try_borrow_mut().map_err(|_| StorageError::InUse)?;
        if store.stale {
            store.recover()?;
            store.stale = false;
        }
        Ok(store)
    }
}

impl<F: NorFlash> Storage for FlashStorage<F> {
    fn max_value_len(&self) -> u64 {
        MAX_VALUE as u64
    }

    fn get<R>(&self, key: &[u8], with: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, StorageError> {
        let mut store = self.fresh()?;
        let mut buffer = mem::take(&mut store.loaded.bytes);
        let found = store.get(key, &mut buffer);
        // `with` may use the storage.
        drop(store);
        let result = found.map(|found| found.then(|| with(&buffer)));
        if let Ok(mut store) = self.store.try_borrow_mut() {
            store.loaded.bytes = buffer;
        }
        result
    }

    fn scan(
        &self,
        range: KeyRange<'_>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StorageError> {
        if range.upper.is_some_and(|upper| range.lower >= upper) {
            return Ok(());
        }
        self.fresh()?.scan(range, reverse, visit)
    }

    fn admit(&self, batch: &Batch<'_>) -> Result<(), StorageError> {
        let totals = batch.totals();
        let overhead = OVERHEAD as u64 + 1;
        let batch_len = totals.written.saturating_add(totals.changes.saturating_mul(overhead));
        let added =
            totals.entries.saturating_mul(overhead.cast_signed()).saturating_add(totals.bytes);
        let (held, more) = if added > 0 {
            (self.bytes().saturating_add_signed(added), 0)
        } else {
            (self.bytes(), EMPTYING_PAGES * Self::PAGE_ROOM)
        };
        let asked = held.saturating_add(batch_len);
        let (allowed, retired) = (self.capacity() + more, self.retired_pages());
        if totals.changes > 0 && asked > allowed {
            if retired > 0 && asked <= self.capacity_without(0) + more {
                return Err(StorageError::WornOut { retired });
            }
            let limit = Limit::StoreBytes;
            return Err(StorageError::Full(LimitExceeded { limit, allowed, asked }));
        }
        Ok(())
    }

    fn apply(&mut self, batch: &Batch<'_>) -> Result<(), StorageError> {
        if batch.totals().changes == 0 {
            return Ok(());
        }
        self.admit(batch)?;
        let mut store = self.fresh()?;
        let after = store.held.after(batch);
        let mut attempts = 0;
        store.device.reconsider();
        loop {
            let faults = store.device.faults;
            let Err(error) = store.apply(batch) else { return Ok(()) };
            attempts += 1;
            // The device may have failed before the last word of the commit or after it.
            let read = store.recover();
            store.stale = read.is_err();
            if read.is_ok() && store.held == after {
                return Ok(());
            }
            let retired = store.device.retired() as u32;
            if matches!(error, StorageError::Full(_)) && retired > 0 {
                return Err(StorageError::WornOut { retired });
            }
            if matches!(error, StorageError::Device { .. }) {
                // A page failed: the others may do.
                if store.device.faults != faults && read.is_ok() && attempts < ATTEMPTS {
                    continue;
                }
                store.device.forgive();
                store.stale = true;
            }
            return Err(error);
        }
    }
}

impl<F: NorFlash> fmt::Debug for FlashStorage<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("FlashStorage");
        debug.field("region", &self.region).field("held", &self.held()).finish_non_exhaustive()
    }
}
