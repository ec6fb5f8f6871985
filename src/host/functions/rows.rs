//! How many rows a response holds: as many as fit it together with the continuation that is then due.
//! What `soch_read` and `index_lookup` share. It does not read rows, and does not know their format.

use crate::{
    abi::wire::{BufferTooSmall, Mark, OpenList, Writer},
    database::{Projection, StoredRow},
    host::boundary::HostCallFailure,
};

/// Bytes of a continuation that says that there is no more.
const NO_MORE: usize = 1;

/// A response that is being filled. Whether a continuation follows the last row that fits is known only
/// when the next row is there, so rows are added as long as they fit without one, and taken back to
/// the last place where a continuation fits if there are more.
pub(super) struct Page {
    limit: usize,
    /// Rows in the response.
    count: usize,
    /// Whether any continuation fits behind these rows.
    roomy: bool,
    /// The last place where the response can end with a continuation.
    resume: Option<(Mark, usize)>,
    /// The smallest capacity that holds a whole page, among those that are known to do.
    needed: usize,
    /// Bytes of the response that were written, if rows of them were taken back; else 0.
    taken_back: usize,
}

/// What the rows of a page are written into.
pub(super) trait Sheet {
    /// Where the next row begins.
    fn mark(&self) -> Mark;

    /// Takes back what was written since `mark`; `count` rows are left.
    fn rewind(&mut self, mark: Mark, count: usize);

    /// Bytes of the response if it ended with these `count` rows, without a continuation.
    fn len(&self, count: usize) -> usize;

    /// Bytes that were written so far, and those that did not fit.
    fn written(&self) -> usize;

    /// Bytes that the response may have.
    fn capacity(&self) -> usize;
}

/// What became of a row that was offered to a [`Page`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Offer {
    /// The response can end before this row, and go on from it.
    pub(super) resumes: bool,
    /// The next row is to be offered too.
    pub(super) more: bool,
}

/// How a page ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PageEnd {
    /// All rows are in it.
    Whole,
    /// It goes on from the last row whose [`Offer::resumes`] was true.
    GoesOn,
}

impl Page {
    pub(super) fn new(limit: Option<u32>) -> Self {
        let limit = limit.map_or(usize::MAX, |limit| limit as usize);
        Self { limit, count: 0, roomy: false, resume: None, needed: usize::MAX, taken_back: 0 }
    }

    /// Offers the next row, which `write` writes. A continuation at this row takes `tail` bytes, and
    /// one at the row behind it at most `next_tail`.
    #[inline]
    pub(super) fn offer<S: Sheet>(
        &mut self,
        sheet: &mut S,
        tail: impl FnOnce() -> usize,
        next_tail: usize,
        write: impl FnOnce(&mut S),
    ) -> Offer {
        let mark = sheet.mark();
        let mut offer = Offer { resumes: self.roomy, more: false };
        // A response without rows goes on only if none were asked for: a plugin would ask for ever.
        if !self.roomy && (self.count > 0 || self.limit == 0) {
            let len = sheet.len(self.count).saturating_add(tail());
            offer.resumes = len <= sheet.capacity();
            self.needed = self.needed.min(len);
        }
        if offer.resumes {
            self.resume = Some((mark, self.count));
        }
        if self.count >= self.limit {
            return offer;
        }
        write(sheet);
        self.count += 1;
        let (len, capacity) = (sheet.len(self.count), sheet.capacity());
        self.roomy = len.saturating_add(next_tail) <= capacity;
        offer.more = self.roomy || self.is_open(len.saturating_add(NO_MORE), capacity);
        offer
    }

    /// Whether the rows so far can still become a response, or tell what capacity would do.
    #[cold]
    fn is_open(&self, len: usize, capacity: usize) -> bool {
        len <= capacity || self.resume.is_none() && len < self.needed
    }

    /// Ends the page; `cut` if it is not known to be whole, as no further row was asked for.
    ///
    /// # Errors
    /// `BufferTooSmall` with the smallest capacity that would do.
    pub(super) fn end(
        &mut self,
        sheet: &mut impl Sheet,
        cut: bool,
    ) -> Result<PageEnd, HostCallFailure> {
        if !cut {
            let len = sheet.len(self.count).saturating_add(NO_MORE);
            if len <= sheet.capacity() {
                return Ok(PageEnd::Whole);
            }
            self.needed = self.needed.min(len);
        }
        let Some((mark, count)) = self.resume else {
            return Err(HostCallFailure::too_small(self.needed));
        };
        if self.count > count {
            self.taken_back = sheet.written();
        }
        self.count = count;
        sheet.rewind(mark, count);
        Ok(PageEnd::GoesOn)
    }

    /// Rows in the response.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// Bytes of the response that were written, if rows of them were taken back; else 0.
    pub(super) const fn taken_back(&self) -> usize {
        self.taken_back
    }
}

/// A list of rows in a response.
pub(super) struct RowList<'b> {
    writer: Writer<'b>,
    list: OpenList,
}

impl<'b> RowList<'b> {
    pub(super) fn begin(response: &'b mut [u8]) -> Self {
        let mut writer = Writer::new(response);
        let list = writer.begin_list();
        Self { writer, list }
    }

    /// Writes a row.
    #[inline]
    pub(super) fn row(&mut self, id: u64, row: Option<(&StoredRow<'_>, &Projection)>) {
        self.writer.u64(id);
        match row {
            Some((row, projection)) => row.encode(projection, &mut self.writer),
            None => self.writer.len(0),
        }
    }

    /// Ends the list, for what follows it.
    pub(super) fn end(self, count: usize) -> Writer<'b> {
        let Self { mut writer, list } = self;
        writer.end_list(list, count);
        writer
    }
}

impl Sheet for RowList<'_> {
    #[inline]
    fn mark(&self) -> Mark {
        self.writer.mark()
    }

    fn rewind(&mut self, mark: Mark, _count: usize) {
        self.writer.rewind(mark);
    }

    #[inline]
    fn len(&self, count: usize) -> usize {
        self.writer.position().saturating_add(Writer::list_overhead(count))
    }

    fn written(&self) -> usize {
        self.writer.position()
    }

    #[inline]
    fn capacity(&self) -> usize {
        self.writer.capacity()
    }
}

/// The length of a finished response.
#[inline]
pub(super) fn finish(writer: Writer<'_>) -> Result<usize, HostCallFailure> {
    writer.finish().map_err(|error: BufferTooSmall| error.into())
}
