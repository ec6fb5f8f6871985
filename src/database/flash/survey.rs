//! Looking over a region before `ekv` does: what a power failure left half done is hidden from it,
//! what no power failure leaves is an error.
//!
//! `ekv` 1.0.0 takes a commit whose last words were torn for corruption, and a page of the file
//! table that was begun and never filled for an empty one. `tests/it/storage/flash_power.rs` cuts the power at
//! each such place.

use embedded_storage::nor_flash::NorFlash;

use super::{
    format::{
        CHUNK_HEADER, DATA_HEADER, ERASED, FILES, FileEntry, MAX_CHUNK, META_HEADER, PAGE,
        PageKind, checksum, chunk,
    },
    region::Region,
};
use crate::database::StorageError;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survey {
    /// Nothing: all is erased, or formatting had just begun.
    Erased {
        /// The first page that is erased.
        first: u32,
    },
    /// A store, everything in order.
    Sound,
    /// A store whose last commit a power failure has torn; or a flipped bit in an older one, which
    /// only reading everything tells from that.
    Odd,
}

/// How the chunks of a page end.
enum End {
    /// In erased bytes or at the end of the page.
    Clean,
    /// At this offset, in something that is no chunk, and no chunk comes after it.
    Torn(u32),
    /// With a chunk behind something that is none.
    Broken(u32),
}

impl<F: NorFlash> Region<F> {
    /// Looks the region over.
    ///
    /// # Errors
    /// [`StorageError::Foreign`], [`StorageError::Corrupt`] or [`StorageError::Device`].
    #[inline(never)]
    pub fn survey(&mut self) -> Result<Survey, StorageError> {
        let mut odd = false;
        loop {
            let (mut newest, mut older): (Option<(u32, u32)>, _) = (None, None);
            let mut entries = false;
            for page in 0..self.page_count() {
                let mut header = [0; DATA_HEADER];
                self.read_raw(page, 0, &mut header)?;
                match PageKind::of(page, &header) {
                    PageKind::Meta { .. } if self.is_hidden(page) => {}
                    PageKind::Meta { seq } => match newest {
                        Some((most, _)) if most > seq => older = older.max(Some(seq)),
                        Some((most, _)) if most == seq => {}
                        _ => {
                            older = older.max(newest.map(|(seq, _)| seq));
                            newest = Some((seq, page));
                        }
                    },
                    // A page of entries may be one that was never committed: the file table says
                    // which ones count.
                    PageKind::Data { .. } => entries = true,
                    PageKind::Other => {}
                }
            }
            let Some((seq, page)) = newest else {
                return if entries {
                    Err(StorageError::Corrupt { at: None })
                } else {
                    self.without_table()
                };
            };
            self.look_for_lost_table(seq)?;
            let start = self.address(page, 0);
            let at = |offset: u32| StorageError::Corrupt { at: Some((start + offset).into()) };
            match self.end_of_table(page)? {
                // Formatting writes a header without a chunk. Any other page of the file table has
                // at least one from the moment that it counts.
                (0, End::Clean) if seq == 1 => {}
                (0, End::Clean | End::Torn(_)) if seq > 1 => {
                    // It was begun when the one before was full, which is still there.
                    if older != seq.checked_sub(1) {
                        return Err(at(META_HEADER as u32));
                    }
                    self.hide(page);
                    odd = true;
                    continue;
                }
                (_, End::Clean) => {}
                (_, End::Torn(offset)) => {
                    self.tear(page, offset);
                    odd = true;
                }
                (_, End::Broken(offset)) => return Err(at(offset)),
            }
            for file in self.files(page)? {
                self.check_file(file)?;
            }
            return Ok(if odd { Survey::Odd } else { Survey::Sound });
        }
    }

    /// Looks for a newer page of the file table whose header was damaged. Its first chunk counts
    /// only once the header is written, so no power failure leaves a whole chunk under half a
    /// header.
    fn look_for_lost_table(&mut self, newest: u32) -> Result<(), StorageError> {
        for page in 0..self.page_count() {
            let mut header = [0; DATA_HEADER];
            self.read_raw(page, 0, &mut header)?;
            if PageKind::of(page, &header) == PageKind::Other
                && self.whole_chunk(page, META_HEADER as u32, &mut [0; MAX_CHUNK])?.is_some()
                && PageKind::mended(page, header).is_some_and(|seq| seq > newest)
            {
                return Err(StorageError::Corrupt { at: Some(self.address(page, 0).into()) });
            }
        }
        Ok(())
    }

    /// The files in the table on a page, as its whole chunks have them.
    fn files(&mut self, page: u32) -> Result<[FileEntry; FILES], StorageError> {
        let mut files = [FileEntry::default(); FILES];
        let mut at = META_HEADER as u32;
        let mut buffer = [0; MAX_CHUNK];
        while let Some(len) = self.whole_chunk(page, at, &mut buffer)? {
            // A later entry of a file takes the place of an earlier one.
            for bytes in buffer.get(..len).unwrap_or_default().as_chunks().0 {
                let (file, entry) = FileEntry::read(bytes);
                if let Some(place) = files.get_mut(file) {
                    *place = entry;
                }
            }
            at = after(at, len);
        }
        Ok(files)
    }

    /// Checks that the pages of a file are there, back from the last one, and that each ends as it
    /// was written. `ekv` would take a last chunk without its magic number for the file's end.
    fn check_file(&mut self, file: FileEntry) -> Result<(), StorageError> {
        let mut next = file.last;
        let mut above = None;
        while let Some(page) = next {
            let at = Some(self.address(page, 0).into());
            let corrupt = || StorageError::Corrupt { at };
            if page >= self.page_count() {
                return Err(StorageError::Corrupt { at: None });
            }
            let mut header = [0; DATA_HEADER];
            self.read_raw(page, 0, &mut header)?;
            let PageKind::Data { seq, previous } = PageKind::of(page, &header) else {
                return Err(corrupt());
            };
            let len = self.clean_len(page)?.ok_or_else(corrupt)?;
            let end = seq.checked_add(len).ok_or_else(corrupt)?;
            // Each page begins where the one before it ends, so this ends too.
            if len == 0 || above.is_some_and(|above| above != end) {
                return Err(corrupt());
            }
            above = Some(seq);
            next = previous.filter(|_| seq > file.first);
        }
        Ok(())
    }

    /// How many bytes the chunks of a page of entries hold; `None` if they end neither in erased
    /// bytes nor with the page.
    fn clean_len(&mut self, page: u32) -> Result<Option<u32>, StorageError> {
        let (mut at, mut sum) = (DATA_HEADER as u32, 0);
        while let Some(header) = self.chunk_header(page, at)? {
            let Some((len, _)) = chunk(&header) else {
                return Ok((header == [ERASED; CHUNK_HEADER]).then_some(sum));
            };
            sum += len as u32;
            at = after(at, len);
        }
        Ok(Some(sum))
    }

    /// The number of whole chunks in a page of the file table, and how they end.
    fn end_of_table(&mut self, page: u32) -> Result<(usize, End), StorageError> {
        let (mut at, mut count) = (META_HEADER as u32, 0);
        let mut buffer = [0; MAX_CHUNK];
        while let Some(len) = self.whole_chunk(page, at, &mut buffer)? {
            at = after(at, len);
            count += 1;
        }
        if self.is_erased(page, at)? {
            return Ok((count, End::Clean));
        }
        let mut later = at.saturating_add(4);
        while later < PAGE {
            if self.whole_chunk(page, later, &mut buffer)?.is_some_and(|len| len > 0) {
                return Ok((count, End::Broken(at)));
            }
            later += 4;
        }
        Ok((count, End::Torn(at)))
    }

    fn chunk_header(
        &mut self,
        page: u32,
        at: u32,
    ) -> Result<Option<[u8; CHUNK_HEADER]>, StorageError> {
        if at.saturating_add(CHUNK_HEADER as u32) > PAGE {
            return Ok(None);
        }
        let mut header = [0; CHUNK_HEADER];
        self.read_raw(page, at, &mut header)?;
        Ok(Some(header))
    }

    /// Reads the chunk at `at` and returns its length, if there is one and its checksum is right.
    fn whole_chunk(
        &mut self,
        page: u32,
        at: u32,
        buffer: &mut [u8; MAX_CHUNK],
    ) -> Result<Option<usize>, StorageError> {
        let Some((len, sum)) = self.chunk_header(page, at)?.as_ref().and_then(chunk) else {
            return Ok(None);
        };
        let data = at.saturating_add(CHUNK_HEADER as u32);
        let padded = buffer.get_mut(..len.next_multiple_of(4)).unwrap_or_default();
        if data.saturating_add(padded.len() as u32) > PAGE {
            return Ok(None);
        }
        self.read_raw(page, data, padded)?;
        let whole = checksum(padded.get(..len).unwrap_or_default()) == sum;
        Ok(whole.then_some(len))
    }

    /// Whether a page is erased from `from` on.
    fn is_erased(&mut self, page: u32, mut from: u32) -> Result<bool, StorageError> {
        let mut buffer = [0; 64];
        while from < PAGE {
            let len = (PAGE - from).min(64);
            let part = buffer.get_mut(..len as usize).unwrap_or_default();
            self.read_raw(page, from, part)?;
            if part.iter().any(|&byte| byte != ERASED) {
                return Ok(false);
            }
            from += len;
        }
        Ok(true)
    }

    /// A region without a file table: erased, but for headers that formatting began and did not
    /// finish, or not ours.
    fn without_table(&mut self) -> Result<Survey, StorageError> {
        let mut first = None;
        for page in 0..self.page_count() {
            if self.is_erased(page, 0)? {
                first = first.or(Some(page));
                continue;
            }
            let expected = PageKind::first_header(page, self.page_count());
            let mut found = [0; META_HEADER];
            self.read_raw(page, 0, &mut found)?;
            // Bits only fall, and those that have fallen are among those that had to.
            let mut both = found.iter().zip(&expected);
            let begun = both.all(|(found, expected)| found & expected == *expected);
            if !begun || !self.is_erased(page, META_HEADER as u32)? {
                return Err(StorageError::Foreign);
            }
        }
        first.map(|first| Survey::Erased { first }).ok_or(StorageError::Foreign)
    }
}

/// Where the next chunk begins.
const fn after(at: u32, len: usize) -> u32 {
    at.saturating_add((CHUNK_HEADER + len.next_multiple_of(4)) as u32)
}
