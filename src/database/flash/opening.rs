//! Opening a region: finding the newest commit log, or making an empty store.

use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;

use super::{
    device::{Device, Page, Use},
    format::{ERASED, HEADER, LOG, MAGIC, PageHead, VERSION},
    loaded::Fence,
    store::{Place, Store},
};
use crate::database::{StorageError, superblock::Superblock};

/// What the pages of a region begin with.
#[derive(Default)]
struct Found {
    /// The page and the serial of the newest commit log.
    newest: Option<(u16, u32)>,
    /// Those of older ones.
    others: Vec<(u16, u32)>,
    /// The first bytes of a page that does not belong to a store.
    foreign: Option<[u8; HEADER]>,
}

impl<F: NorFlash> Store<F> {
    /// Reads everything that is known from flash.
    pub(super) fn reload(&mut self) -> Result<(), StorageError> {
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
            Some((page, serial)) => {
                self.replay(page, serial, &found.others)?;
                self.carry_on()
            }
            None if self.serial > 0 => Err(StorageError::Corrupt { at: None }),
            None => self.make(found.foreign),
        }
    }

    fn look_at(&mut self, page: u16, found: &mut Found) -> Result<(), StorageError> {
        let mut fixed = [0; HEADER];
        self.device.read(page, 0, &mut fixed)?;
        if self.device.used(page) != Use::Refused {
            self.device.set(page, Use::Free);
        }
        if !fixed.starts_with(&MAGIC) {
            found.foreign = found.foreign.or((fixed != [ERASED; HEADER]).then_some(fixed));
            return Ok(());
        }
        let mut low = [0; 128];
        let low = low.get_mut(..PageHead::low_len(&fixed)).unwrap_or_default();
        self.device.read(page, HEADER, low)?;
        let Some((head, _)) = PageHead::read(&fixed, low) else {
            found.foreign = found.foreign.or(Some(fixed));
            return Ok(());
        };
        if head.version != VERSION {
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
        match found.newest {
            Some((_, serial)) if serial > head.serial => found.others.push((page, head.serial)),
            older => {
                found.others.extend(older);
                found.newest = Some((page, head.serial));
            }
        }
        Ok(())
    }

    /// Makes an empty store in an erased region.
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
        for page in 1..self.device.pages.len() as u16 {
            if !self.device.is_erased(page, 0..Self::PAGE)? {
                return Err(StorageError::Foreign);
            }
            self.device.set(page, Use::Erased);
        }
        // A store begins on the first page, always with the same bytes: what a power failure leaves of
        // them has no bit cleared that they have set.
        let place = Place { page: 0, serial: 1, at: Device::<F>::aligned(HEADER) };
        self.serial = 1;
        let mut image = core::mem::take(&mut self.loaded.bytes);
        self.first_record(place, &Superblock::default(), &mut image);
        image.resize(Self::PAGE, ERASED);
        let begun = self.is_begun(&image);
        self.loaded.bytes = image;
        self.serial = 0;
        if !begun? {
            return Err(StorageError::Foreign);
        }
        if self.device.is_erased(0, 0..Self::PAGE)? {
            self.device.set(0, Use::Erased);
        } else {
            self.device.erase(0)?;
            self.device.pages.iter_mut().for_each(|page| *page = Page::new(page.used(), 0));
        }
        let held = Superblock::default();
        let mut image = core::mem::take(&mut self.loaded.bytes);
        let made = self.checkpoint(&held, &mut image);
        self.loaded.bytes = image;
        made
    }

    /// Whether the first page has only bits cleared that `image` has cleared.
    fn is_begun(&mut self, image: &[u8]) -> Result<bool, StorageError> {
        for (number, expected) in image.chunks(64).enumerate() {
            let mut found = [0; 64];
            let found = found.get_mut(..expected.len()).unwrap_or_default();
            self.device.read(0, number * 64, found)?;
            if found.iter().zip(expected).any(|(found, expected)| found & expected != *expected) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
