//! Opening a region: finding the newest commit log, or making an empty store.

use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;

use super::{
    device::Device,
    format::{ERASED, HEADER, LOG, OLDEST, VERSION},
    loaded::Fence,
    log::Log,
    page::Use,
    store::{Place, Store},
};
use crate::database::{StorageError, superblock::Superblock};

/// What the pages of a region begin with.
#[derive(Default)]
pub(super) struct Found {
    /// The newest commit log.
    pub(super) newest: Option<Log>,
    /// Older ones.
    others: Vec<Log>,
    /// The first bytes of a page that does not belong to a store.
    foreign: Option<[u8; HEADER]>,
}

/// How often a region is read again, and a batch is written again, if a page failed meanwhile.
pub const ATTEMPTS: usize = 4;

impl<F: NorFlash> Store<F> {
    /// Reads everything that is known from flash; again if a page failed while it was repaired.
    #[cold]
    #[inline(never)]
    pub(super) fn recover(&mut self) -> Result<(), StorageError> {
        self.stale = true;
        for _ in 1..ATTEMPTS {
            let faults = self.device.faults;
            match self.reload() {
                Err(StorageError::Device { .. }) if self.device.faults != faults => {}
                read => return read,
            }
        }
        self.reload()
    }

    /// Reads everything that is known from flash.
    fn reload(&mut self) -> Result<(), StorageError> {
        self.leaves.clear();
        self.journal.clear();
        self.done = 0;
        self.fences.fill(Fence::NONE);
        self.splices = Vec::new();
        self.many = false;
        self.log = Place::default();
        self.held = Superblock::default();
        self.serial = 0;
        (self.device.floor, self.device.worn) = (0, false);
        let mut found = Found::default();
        for page in 0..self.device.pages.len() as u16 {
            self.look_at(page, &mut found)?;
        }
        match found.newest {
            Some(log) => {
                self.replay(log, &found.others)?;
                self.carry_on()
            }
            None if self.serial > 0 => Err(StorageError::Corrupt { at: None }),
            None => self.make(found.foreign),
        }
    }

    pub(super) fn look_at(&mut self, page: u16, found: &mut Found) -> Result<(), StorageError> {
        let mut fixed = [0; HEADER];
        let head = self.page_head(page, &mut fixed)?;
        self.device.release(page);
        let Some((head, _)) = head else {
            found.foreign = found.foreign.or((fixed != [ERASED; HEADER]).then_some(fixed));
            return Ok(());
        };
        if !(OLDEST..=VERSION).contains(&head.version) {
            return Err(StorageError::Version { found: head.version });
        }
        self.device.note_erases(page, head.erases);
        self.serial = self.serial.max(head.serial);
        if head.kind != LOG || head.page != page {
            return Ok(());
        }
        if usize::from(head.pages) != self.device.pages.len() {
            return Err(StorageError::Unsuitable {
                what: "the store was made in a region of another length",
            });
        }
        let log = Log { page, serial: head.serial, version: head.version };
        match found.newest {
            Some(newest) if newest.serial > head.serial => found.others.push(log),
            older => {
                found.others.extend(older);
                found.newest = Some(log);
            }
        }
        Ok(())
    }

    /// Makes an empty store in an erased region.
    #[cold]
    #[inline(never)]
    fn make(&mut self, foreign: Option<[u8; HEADER]>) -> Result<(), StorageError> {
        // The first words of ekv's pages, which version 1 was made of.
        let ekv = |found: &[u8; HEADER]| {
            [0x1d81_bcde_u32, 0x7fcb_f35d].iter().any(|magic| {
                found.starts_with(&magic.to_le_bytes()) || found.starts_with(&magic.to_be_bytes())
            })
        };
        if foreign.as_ref().is_some_and(ekv) {
            return Err(StorageError::Version { found: 1 });
        }
        // A store begins always with the same bytes: what a power failure leaves of them has no bit
        // cleared that they have set. A page that refused some of them is passed over.
        self.serial = 1;
        let mut image = core::mem::take(&mut self.loaded.bytes);
        let fit = self.fit_pages(&mut image);
        self.loaded.bytes = image;
        self.serial = 0;
        fit?;
        if self.device.count(Use::Erased) == 0 {
            for page in 0..self.device.pages.len() as u16 {
                let _ = self.device.erase(page);
            }
        }
        self.device.pages.iter_mut().for_each(|page| page.set_erases(0));
        let held = Superblock::default();
        let mut image = core::mem::take(&mut self.loaded.bytes);
        let made = self.checkpoint(&held, &mut image);
        self.loaded.bytes = image;
        made
    }

    /// Sees to it that every page is erased or has what an interrupted making left.
    fn fit_pages(&mut self, image: &mut Vec<u8>) -> Result<(), StorageError> {
        for page in 0..self.device.pages.len() as u16 {
            if matches!(self.device.used(page), Use::Refused | Use::Retired) {
                continue;
            }
            if self.device.is_erased(page, 0..Self::PAGE)? {
                if !self.device.is_closed(page) {
                    self.device.set(page, Use::Erased);
                }
                continue;
            }
            let place = Place { page, serial: 1, at: Device::<F>::aligned(HEADER) };
            self.first_record(place, &Superblock::default(), image);
            image.resize(Self::PAGE, ERASED);
            if !self.is_begun(page, image)? {
                return Err(StorageError::Foreign);
            }
        }
        Ok(())
    }

    /// Whether a page has only bits cleared that `image` has cleared, but for one that may be stuck; and the
    /// header's only if the rest is whole.
    fn is_begun(&mut self, page: u16, image: &[u8]) -> Result<bool, StorageError> {
        let (mut wrong, mut unwritten, mut headed) = (0, 0, 0);
        for (number, expected) in image.chunks(HEADER).enumerate() {
            let mut found = [0; HEADER];
            let found = found.get_mut(..expected.len()).unwrap_or_default();
            self.device.read(page, number * HEADER, found)?;
            for (found, expected) in found.iter().zip(expected) {
                wrong += (!found & expected).count_ones();
                if number > 0 {
                    unwritten += (found & !expected).count_ones();
                } else {
                    headed += found.count_zeros();
                }
            }
        }
        Ok(wrong <= 1 && (headed <= 1 || unwritten <= 1))
    }
}
