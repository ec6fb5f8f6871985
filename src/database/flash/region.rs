//! The pages that `ekv` sees: bytes of a flash driver, but for what a power failure left half
//! done, which `survey` found and which reads as erased.

use core::ops::Range;

use ekv::flash::{Flash, PageID};
use embedded_storage::nor_flash::{NorFlash, NorFlashError, NorFlashErrorKind};

use super::format::{ERASED, MAX_PAGES, PAGE, WORD};
use crate::database::StorageError;

/// Pages of a flash driver.
pub struct Region<F> {
    /// `None` only when it was moved on to another region.
    flash: Option<F>,
    start: u32,
    pages: u32,
    /// Pages whose header reads as erased: one bit for each.
    hidden: [u32; MAX_PAGES as usize / 32],
    /// From where on a page reads as erased: the page and the offset.
    torn: Option<(u32, u32)>,
    /// The next page that `ekv` wants to erase is erased. Doing it again is not only for nothing:
    /// an erase that is cut short leaves anything, and a region that is not ours yet must not
    /// look like somebody else's.
    fresh: bool,
    /// The code of the refusal, if the device refused a write or an erase. `ekv` panics if it hears of some of them, so it
    /// sees a success instead, and nothing is written, erased or read any more. Who commits asks for
    /// this error and opens the region again: it is as after a power failure at that place.
    refused: Option<u8>,
    /// The code of a read that failed. `ekv` takes some reads that fail for corruption.
    unread: Option<u8>,
}

impl<F: NorFlash> Region<F> {
    /// How many pages there are in `region`.
    ///
    /// # Errors
    /// [`StorageError::Unsuitable`] if it or the driver cannot be used.
    pub fn pages(flash: &F, region: &Range<u32>) -> Result<u32, StorageError> {
        let divides = |size: usize, whole: u32| size != 0 && (whole as usize).is_multiple_of(size);
        let what = if !divides(F::ERASE_SIZE, PAGE) {
            "an erase block is not a part of 4,096 bytes"
        } else if !divides(F::WRITE_SIZE, WORD) || !divides(F::READ_SIZE, WORD) {
            "words of four bytes cannot be read and written"
        } else if region.end as usize > flash.capacity() || region.start >= region.end {
            "the region is not inside it"
        } else if !divides(F::ERASE_SIZE, region.start)
            || !(region.end - region.start).is_multiple_of(PAGE)
        {
            "the region is not made of whole pages"
        } else if region.end - region.start > MAX_PAGES * PAGE {
            "a region has at most 1 MiB"
        } else {
            return Ok((region.end - region.start) / PAGE);
        };
        Err(StorageError::Unsuitable { what })
    }

    /// The region, which `pages` found to be one.
    pub fn new(flash: F, region: &Range<u32>) -> Self {
        Self {
            flash: Some(flash),
            start: region.start,
            pages: region.end.saturating_sub(region.start) / PAGE,
            hidden: [0; _],
            torn: None,
            fresh: false,
            refused: None,
            unread: None,
        }
    }

    /// How many pages it has.
    pub const fn page_count(&self) -> u32 {
        self.pages
    }

    /// The address of a byte of a page.
    pub const fn address(&self, page: u32, offset: u32) -> u32 {
        self.start.saturating_add(page.saturating_mul(PAGE)).saturating_add(offset)
    }

    /// The driver.
    pub const fn flash_mut(&mut self) -> Option<&mut F> {
        self.flash.as_mut()
    }

    /// Takes the driver out. What is asked of the region after that fails.
    pub const fn take(&mut self) -> Option<F> {
        self.flash.take()
    }

    /// The region as it is, for another user. What is asked of this one after that fails.
    pub fn moved(&mut self) -> Option<Self> {
        let flash = Some(self.flash.take()?);
        let (refused, unread) = (self.refused.take(), self.unread.take());
        let Self { start, pages, hidden, torn, fresh, .. } = *self;
        Some(Self { flash, start, pages, hidden, torn, fresh, refused, unread })
    }

    /// What the device did not do since the last question, though `ekv` may not have been told so.
    pub fn failure(&mut self) -> Option<StorageError> {
        self.refused.or_else(|| self.unread.take()).map(failed)
    }

    /// Says that the next page to be erased is erased.
    pub const fn refresh(&mut self) {
        self.fresh = true;
    }

    /// Lets a page's header read as erased until the page is erased.
    pub fn hide(&mut self, page: u32) {
        if let Some(bits) = self.hidden.get_mut(page as usize / 32) {
            *bits |= 1 << (page % 32);
        }
    }

    /// Whether a page is hidden.
    pub fn is_hidden(&self, page: u32) -> bool {
        self.hidden.get(page as usize / 32).is_some_and(|bits| bits >> (page % 32) & 1 == 1)
    }

    /// Lets the chunk header at `offset` of a page read as erased until the page is erased.
    pub const fn tear(&mut self, page: u32, offset: u32) {
        self.torn = Some((page, offset));
    }

    /// Reads bytes as they are.
    ///
    /// # Errors
    /// [`StorageError::Device`].
    pub fn read_raw(
        &mut self,
        page: u32,
        offset: u32,
        into: &mut [u8],
    ) -> Result<(), StorageError> {
        let address = self.address(page, offset);
        let flash = self.flash.as_mut().ok_or(StorageError::InUse)?;
        flash.read(address, into).map_err(|error| {
            let code = code(&error);
            self.unread = Some(code);
            failed(code)
        })
    }
}

/// The device's error as ours: its kind is all that every driver says.
pub fn device(error: &impl NorFlashError) -> StorageError {
    failed(code(error))
}

fn code(error: &impl NorFlashError) -> u8 {
    match error.kind() {
        NorFlashErrorKind::NotAligned => 1,
        NorFlashErrorKind::OutOfBounds => 2,
        NorFlashErrorKind::Other | _ => 3,
    }
}

fn failed(code: u8) -> StorageError {
    StorageError::Device { code: code.into() }
}

impl<F: NorFlash> Flash for Region<F> {
    type Error = StorageError;

    fn page_count(&self) -> usize {
        self.pages as usize
    }

    async fn erase(&mut self, page: PageID) -> Result<(), StorageError> {
        if core::mem::take(&mut self.fresh) {
            return Ok(());
        }
        if self.refused.is_some() {
            return Ok(());
        }
        let page = page.index() as u32;
        let (from, to) = (self.address(page, 0), self.address(page, PAGE));
        let flash = self.flash.as_mut().ok_or(StorageError::InUse)?;
        if let Err(error) = flash.erase(from, to) {
            self.refused = Some(code(&error));
            return Ok(());
        }
        if let Some(bits) = self.hidden.get_mut(page as usize / 32) {
            *bits &= !(1 << (page % 32));
        }
        self.torn = self.torn.filter(|(torn, _)| *torn != page);
        Ok(())
    }

    async fn read(
        &mut self,
        page: PageID,
        offset: usize,
        data: &mut [u8],
    ) -> Result<(), StorageError> {
        if let Some(code) = self.refused {
            return Err(failed(code));
        }
        let (page, offset) = (page.index() as u32, offset as u32);
        if (offset == 0 && self.is_hidden(page)) || self.torn == Some((page, offset)) {
            data.fill(ERASED);
            // The rest of the page is dirty: whoever looks for room must see that.
            if let Some(last) = data.last_mut().filter(|_| offset != 0) {
                *last = 0;
            }
            return Ok(());
        }
        self.read_raw(page, offset, data)
    }

    async fn write(
        &mut self,
        page: PageID,
        offset: usize,
        data: &[u8],
    ) -> Result<(), StorageError> {
        let address = self.address(page.index() as u32, offset as u32);
        if self.refused.is_some() {
            return Ok(());
        }
        let flash = self.flash.as_mut().ok_or(StorageError::InUse)?;
        self.refused = flash.write(address, data).err().map(|error| code(&error));
        Ok(())
    }
}
