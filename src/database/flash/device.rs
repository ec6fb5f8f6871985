//! Pages of a flash driver: addresses, words, taking and erasing pages, and retiring those that fail. It
//! does not know what is in them.
//!
//! A page that refuses a write, or does not keep a bit, is closed: nothing more is written to it, and the store
//! moves what is on it. If that happens again after it was erased, it is retired. A page that refuses
//! an erase twice in a row is retired as soon as another page can be erased: until then the whole device
//! may be at fault.

use alloc::{vec, vec::Vec};
use core::ops::Range;

use embedded_storage::nor_flash::{NorFlash, NorFlashError, NorFlashErrorKind};

use super::{
    format::{ERASED, MAX_PAGE, MIN_PAGE},
    page::{Page, Use},
};
use crate::database::StorageError;
use crate::limits::{Limit, LimitExceeded};

/// The fewest pages of a region.
pub const MIN_PAGES: usize = 24;
/// The most pages: a checkpoint lists them all in one page.
pub const MAX_PAGES: usize = 256;
/// Pages that are kept erased, so that a call need not wait for an erase.
const READY: usize = 2;
/// Pages that are tried when one is taken.
const TRIES: usize = 16;
/// The code of an error of a device that accepted a write or an erase and holds something else.
const NOT_KEPT: i32 = 4;

/// A region of a flash.
pub struct Device<F> {
    /// The driver.
    pub flash: F,
    start: u32,
    /// Its pages.
    pub pages: Vec<Page>,
    /// Whether the next page to be taken is the one that was erased most often.
    pub worn: bool,
    /// How many free pages are left when pages are taken.
    pub floor: usize,
    /// How many pages were taken.
    pub taken: u32,
    /// Whether writes and erases are read back.
    pub verify: bool,
    /// How often a page failed.
    pub faults: u32,
    /// How many retired pages the commit log names.
    pub recorded: usize,
}

/// The device's error as ours: its kind is all that every driver says.
pub fn device(error: &impl NorFlashError) -> StorageError {
    let code = match error.kind() {
        NorFlashErrorKind::NotAligned => 1,
        NorFlashErrorKind::OutOfBounds => 2,
        NorFlashErrorKind::Other | _ => 3,
    };
    StorageError::Device { code }
}

impl<F: NorFlash> Device<F> {
    /// Bytes that are written at a time are a multiple of this.
    pub const WORD: usize = if F::WRITE_SIZE < 4 { 4 } else { F::WRITE_SIZE };

    /// Bytes of a page: an erase block, or several short ones.
    pub const PAGE: usize = if F::ERASE_SIZE > MIN_PAGE { F::ERASE_SIZE } else { MIN_PAGE };

    /// The region, if it can be used.
    ///
    /// # Errors
    /// [`StorageError::Unsuitable`].
    pub fn new(flash: F, region: &Range<u32>) -> Result<Self, StorageError> {
        let divides = |size: usize, whole: usize| size != 0 && whole.is_multiple_of(size);
        let bytes = region.end.saturating_sub(region.start) as usize;
        let what = if !divides(F::ERASE_SIZE, Self::PAGE) || Self::PAGE > MAX_PAGE {
            "an erase block neither divides 4,096 bytes nor has 8 or 16 KiB"
        } else if !Self::PAGE.is_power_of_two() {
            "an erase block is not a power of two"
        } else if !divides(F::WRITE_SIZE, Self::WORD) || Self::WORD > 32 {
            "words of at most 32 bytes cannot be written"
        } else if !divides(F::READ_SIZE, 4) {
            "words of four bytes cannot be read"
        } else if region.end as usize > flash.capacity() || region.start >= region.end {
            "the region is not inside it"
        } else if !divides(F::ERASE_SIZE, region.start as usize) || !divides(Self::PAGE, bytes) {
            "the region is not made of whole pages"
        } else if bytes > MAX_PAGES * Self::PAGE {
            "a region has at most 256 pages"
        } else if bytes < MIN_PAGES * Self::PAGE {
            "a region has at least 24 pages"
        } else {
            let pages = vec![Page::new(Use::Free, 0); bytes / Self::PAGE];
            return Ok(Self {
                flash,
                start: region.start,
                pages,
                worn: false,
                floor: 0,
                taken: 0,
                verify: false,
                faults: 0,
                recorded: 0,
            });
        };
        Err(StorageError::Unsuitable { what })
    }

    /// The first place at or after `at` where a word begins.
    pub const fn aligned(at: usize) -> usize {
        at.next_multiple_of(Self::WORD)
    }

    /// The address of a byte.
    pub const fn address(&self, page: u16, at: usize) -> u32 {
        self.start + page as u32 * Self::PAGE as u32 + at as u32
    }

    /// Reads bytes that need not be aligned.
    ///
    /// # Errors
    /// [`StorageError::Device`].
    pub fn read(&mut self, page: u16, at: usize, into: &mut [u8]) -> Result<(), StorageError> {
        let unit = F::READ_SIZE;
        let address = self.address(page, at);
        if (at | into.len()).is_multiple_of(unit) {
            return self.flash.read(address, into).map_err(|error| device(&error));
        }
        // At most four bytes, as `new` saw to it.
        let mut address = address;
        let mut rest = into;
        while !rest.is_empty() {
            let mut word = [0; 4];
            let skip = address as usize % unit;
            let word = word.get_mut(..unit).unwrap_or_default();
            self.flash.read(address - skip as u32, word).map_err(|error| device(&error))?;
            let len = rest.len().min(unit - skip);
            let (to, after) = rest.split_at_mut(len);
            to.copy_from_slice(word.get(skip..skip + len).unwrap_or_default());
            rest = after;
            address += len as u32;
        }
        Ok(())
    }

    /// Writes whole words.
    ///
    /// # Errors
    /// [`StorageError::Device`]; nothing is written to the page again until it is erased.
    pub fn write(&mut self, page: u16, at: usize, bytes: &[u8]) -> Result<(), StorageError> {
        let address = self.address(page, at);
        let written = self.flash.write(address, bytes).map_err(|error| device(&error));
        let kept = written.and_then(|()| {
            if !self.verify || self.holds(page, at, bytes)? {
                Ok(())
            } else {
                Err(StorageError::Device { code: NOT_KEPT })
            }
        });
        if kept.is_err() {
            self.fault(page);
        }
        kept
    }

    /// Whether these bytes are on a page.
    fn holds(&mut self, page: u16, at: usize, bytes: &[u8]) -> Result<bool, StorageError> {
        for (number, expected) in bytes.chunks(64).enumerate() {
            let mut found = [0; 64];
            let found = found.get_mut(..expected.len()).unwrap_or_default();
            self.read(page, at + number * 64, found)?;
            if found != expected {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether bytes are erased.
    ///
    /// # Errors
    /// [`StorageError::Device`].
    pub fn is_erased(&mut self, page: u16, range: Range<usize>) -> Result<bool, StorageError> {
        let mut buffer = [0; 64];
        for at in range.clone().step_by(64) {
            let part = buffer.get_mut(..range.end.min(at + 64) - at).unwrap_or_default();
            self.read(page, at, part)?;
            if part.iter().any(|&byte| byte != ERASED) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn page(&mut self, page: u16) -> Option<&mut Page> {
        self.pages.get_mut(usize::from(page))
    }

    /// Says what a page is used for.
    pub fn set(&mut self, page: u16, used: Use) {
        if let Some(page) = self.page(page) {
            page.set(used);
        }
    }

    /// What a page is used for.
    pub fn used(&self, page: u16) -> Use {
        self.pages.get(usize::from(page)).map_or(Use::Retired, |page| page.used())
    }

    /// Whether more may be written to a page that is in use.
    pub fn is_open(&self, page: u16) -> bool {
        let page = self.pages.get(usize::from(page));
        page.is_some_and(|page| page.used() == Use::Live && !page.is_closed())
    }

    /// Whether what is on a page is to be moved to another one.
    pub fn is_closed(&self, page: u16) -> bool {
        self.pages.get(usize::from(page)).is_some_and(|page| page.is_closed())
    }

    /// A page refused a write, or did not keep what was on it.
    pub fn fault(&mut self, page: u16) {
        self.faults = self.faults.wrapping_add(1);
        if let Some(page) = self.page(page) {
            page.strike();
        }
    }

    /// Nothing is on a page any more.
    pub fn release(&mut self, page: u16) {
        let Some(page) = self.page(page) else { return };
        match page.used() {
            Use::Refused | Use::Retired => {}
            Use::Free | Use::Erased | Use::Live | Use::Leaving if page.is_worn_out() => {
                page.set(Use::Retired);
            }
            Use::Free | Use::Erased | Use::Live | Use::Leaving => page.set(Use::Free),
        }
    }

    /// What refused to be erased in an earlier call is tried again.
    pub fn reconsider(&mut self) {
        for page in self.pages.iter_mut().filter(|page| page.used() == Use::Refused) {
            page.set(Use::Free);
        }
    }

    /// A call failed, so the device was at fault and not its pages: none is retired for it.
    pub fn forgive(&mut self) {
        self.pages.iter_mut().for_each(Page::forgive);
    }

    /// How many pages are retired.
    pub fn retired(&self) -> usize {
        self.count(Use::Retired)
    }

    /// How many pages are used for this.
    pub fn count(&self, used: Use) -> usize {
        self.pages.iter().filter(|page| page.used() == used).count()
    }

    /// Whether a page is retired that no commit log names.
    pub fn is_unrecorded(&self) -> bool {
        self.retired() > self.recorded
    }

    /// How often a page was erased.
    pub fn erases(&self, page: u16) -> u32 {
        self.pages.get(usize::from(page)).map_or(0, |page| page.erases())
    }

    /// Notes how often a page was erased, at least.
    pub fn note_erases(&mut self, page: u16, erases: u32) {
        if let Some(page) = self.page(page) {
            page.set_erases(erases.max(page.erases()));
        }
    }

    /// How many pages can be taken.
    pub fn free(&self) -> usize {
        let free = |page: &&Page| matches!(page.used(), Use::Free | Use::Erased);
        self.pages.iter().filter(free).count()
    }

    /// How often the page was erased that would be taken next; `None` if none is free.
    pub fn least_erases(&self) -> Option<u32> {
        let free = self.pages.iter().filter(|page| matches!(page.used(), Use::Free | Use::Erased));
        free.map(|page| page.erases()).min()
    }

    /// Takes the page that was erased least often (most often if `worn` says so), and erases it.
    ///
    /// # Errors
    /// [`StorageError::Full`] if none is free, or [`StorageError::Device`] if none can be erased.
    pub fn take(&mut self) -> Result<u16, StorageError> {
        let limit = Limit::StoreBytes;
        let mut failed = StorageError::Full(LimitExceeded { limit, allowed: 0, asked: 1 });
        if self.count(Use::Refused) > 0 {
            failed = StorageError::Device { code: 3 };
        }
        for _ in 0..TRIES {
            if self.free() <= self.floor {
                break;
            }
            let next = if self.worn {
                self.most()
            } else {
                self.ready().or_else(|| self.least(Use::Free))
            };
            let Some(page) = next else { break };
            if self.used(page) == Use::Free
                && let Err(error) = self.erase(page)
            {
                failed = error;
                continue;
            }
            self.set(page, Use::Live);
            self.taken = self.taken.wrapping_add(1);
            return Ok(page);
        }
        Err(failed)
    }

    /// The erased page that was erased least often, if it was not erased more often than one that
    /// would have to be.
    fn ready(&self) -> Option<u16> {
        let erased = self.least(Use::Erased)?;
        let free = self.least(Use::Free).map(|free| self.erases(free));
        free.is_none_or(|free| self.erases(erased) <= free.saturating_add(1)).then_some(erased)
    }

    fn numbered(&self) -> impl Iterator<Item = (u16, Page)> {
        (0..).zip(self.pages.iter().copied())
    }

    fn least(&self, used: Use) -> Option<u16> {
        let pages = self.numbered().filter(|(_, page)| page.used() == used);
        pages.min_by_key(|(_, page)| page.erases()).map(|(number, _)| number)
    }

    fn most(&self) -> Option<u16> {
        let free = |page: Page| matches!(page.used(), Use::Free | Use::Erased);
        let pages = self.numbered().filter(|(_, page)| free(*page));
        pages.max_by_key(|(_, page)| page.erases()).map(|(number, _)| number)
    }

    /// Erases the free page that was erased least often, if there is one, so that a call need not.
    pub fn prepare(&mut self) {
        let least = self.least(Use::Free).map_or(0, |page| self.erases(page));
        let ready = |page: &&Page| page.used() == Use::Erased && page.erases() <= least + 1;
        if self.pages.iter().filter(ready).count() < READY
            && let Some(page) = self.least(Use::Free)
        {
            // One that fails is not taken.
            let _ = self.erase(page);
        }
    }

    /// Erases a page; if that fails, once more.
    ///
    /// # Errors
    /// [`StorageError::Device`]; the page is retired then when another one can be erased.
    pub fn erase(&mut self, page: u16) -> Result<(), StorageError> {
        let erased = self.erase_once(page).or_else(|_| self.erase_once(page));
        let used = if erased.is_ok() { Use::Erased } else { Use::Refused };
        if let Some(page) = self.page(page) {
            page.set_erases(page.erases().saturating_add(1));
            page.set(if erased.is_ok() && page.is_worn_out() { Use::Retired } else { used });
        }
        if erased.is_err() {
            self.faults = self.faults.wrapping_add(1);
            return erased;
        }
        for page in self.pages.iter_mut().filter(|page| page.used() == Use::Refused) {
            page.set(Use::Retired);
        }
        Ok(())
    }

    fn erase_once(&mut self, page: u16) -> Result<(), StorageError> {
        let (from, to) = (self.address(page, 0), self.address(page, Self::PAGE));
        self.flash.erase(from, to).map_err(|error| device(&error))?;
        if self.verify && !self.is_erased(page, 0..Self::PAGE)? {
            return Err(StorageError::Device { code: NOT_KEPT });
        }
        Ok(())
    }

    /// What was leaving is free.
    pub fn leave(&mut self) {
        for page in 0..self.pages.len() as u16 {
            if self.used(page) == Use::Leaving {
                self.release(page);
            }
        }
    }
}
