//! Filling a response with as many rows as fit. What `soch_read` and `index_lookup` share.

use crate::{
    abi::wire::{BufferTooSmall, Mark, OpenList, Writer},
    database::{Projection, StoredRow},
    host::HostCallResult,
};

/// A list of rows that grows until the buffer is full or the limit is reached.
pub(super) struct RowList<'w, 'b> {
    pub(super) writer: &'w mut Writer<'b>,
    list: OpenList,
    count: usize,
    limit: usize,
    /// What the first row that did not fit would have needed.
    needed: Option<usize>,
    /// Where the row that was taken back ended.
    taken_back: usize,
}

/// Whether a row was taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is in the response.
    Yes,
    /// It is not, and no further one will be: the response goes on from it.
    No,
}

impl<'w, 'b> RowList<'w, 'b> {
    pub(super) fn begin(writer: &'w mut Writer<'b>, limit: Option<u32>) -> Self {
        let list = writer.begin_list();
        let limit = limit.map_or(usize::MAX, |limit| limit as usize);
        Self { writer, list, count: 0, limit, needed: None, taken_back: 0 }
    }

    /// Whether the limit is reached, so that a further row only tells where to go on.
    pub(super) const fn is_full(&self) -> bool {
        self.count >= self.limit
    }

    /// Adds a row if it fits with `tail` bytes after the list.
    #[inline]
    pub(super) fn push(
        &mut self,
        id: u64,
        row: Option<(&StoredRow<'_>, &Projection)>,
        tail: usize,
    ) -> Taken {
        if self.is_full() {
            return Taken::No;
        }
        let mark = self.writer.mark();
        self.writer.u64(id);
        match row {
            Some((row, projection)) => row.encode(projection, self.writer),
            None => self.writer.len(0),
        }
        self.keep_if_fits(mark, tail)
    }

    #[inline]
    fn keep_if_fits(&mut self, mark: Mark, tail: usize) -> Taken {
        let overhead = Writer::list_overhead(self.count + 1);
        if self.writer.fits(overhead + tail) {
            self.count += 1;
            return Taken::Yes;
        }
        self.needed = Some(self.writer.position() + overhead + tail);
        self.taken_back = self.writer.position();
        self.writer.rewind(mark);
        Taken::No
    }

    /// Bytes of the response that were written so far, those of a row that was taken back included.
    pub(super) fn written(&self) -> usize {
        self.writer.position().max(self.taken_back)
    }

    /// Bytes that were written up to the end of the row that was taken back; 0 if none was.
    pub(super) const fn taken_back(&self) -> usize {
        self.taken_back
    }

    /// Ends the list.
    ///
    /// # Errors
    /// [`HostCallResult::BufferTooSmall`] if not even one row fitted: an empty answer with a
    /// continuation would make a plugin ask for ever.
    pub(super) fn end(self) -> Result<(&'w mut Writer<'b>, usize), HostCallResult> {
        if self.count == 0
            && let Some(needed) = self.needed
        {
            return Err(HostCallResult::BufferTooSmall { needed });
        }
        self.writer.end_list(self.list, self.count);
        Ok((self.writer, self.count))
    }
}

/// The length of a finished response.
#[inline]
pub(super) fn finish(writer: Writer<'_>) -> Result<usize, HostCallResult> {
    writer.finish().map_err(|error: BufferTooSmall| error.into())
}
