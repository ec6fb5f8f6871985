//! Answers that are longer than the scratch: pages that follow the response's `next`.

use core::ops::{ControlFlow, Range};

use super::{Fields, HostCallError, exchange, imports};
use crate::abi::{
    Seq,
    message::{IndexQuery, LookupRequest, LookupResponse, ReadRequest, RowSelector, RowsResponse},
    wire::{self, Reader, Wire},
};

/// The page that is being handed out. Its bytes stay in the scratch; this says how far one is.
///
/// It is none of the code that is generic over what a plugin does with a row, so a plugin has it once
/// and not once for each of its loops.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Page {
    /// Where the page ends in the scratch; 0 before the first page.
    end: usize,
    /// Bytes of it behind the rows that were handed out.
    rest: usize,
    /// Rows that were not.
    left: u32,
}

impl Page {
    /// The page at `place`.
    pub(super) fn begin(scratch: &[u8], place: &Range<usize>) -> Result<Self, HostCallError> {
        let mut reader = Reader::new(scratch.get(place.clone()).unwrap_or_default());
        let left = reader.u32()?;
        Ok(Self { end: place.end, rest: reader.rest().len(), left })
    }

    /// What was not handed out yet.
    #[inline(never)]
    fn reader<'p>(&self, scratch: &'p [u8]) -> Reader<'p> {
        let start = self.end.saturating_sub(self.rest);
        Reader::new(scratch.get(start..self.end).unwrap_or_default())
    }

    /// The next row, if the page is one of rows.
    fn row<'p>(&mut self, scratch: &'p [u8]) -> Result<Option<Fields<'p>>, HostCallError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        Ok(Some(Fields::begin(self.reader(scratch))?))
    }

    /// The next hit, if it is an answer of hits: its distance and its columns.
    pub(super) fn hit<'p>(
        &mut self,
        scratch: &'p [u8],
    ) -> Result<Option<(f32, Fields<'p>)>, HostCallError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        Ok(Some(Fields::begin_hit(self.reader(scratch))?))
    }

    /// Goes behind the row whose columns these are.
    pub(super) fn pass(&mut self, fields: &mut Fields<'_>) -> Result<(), HostCallError> {
        self.rest = fields.skip()?.len();
        Ok(())
    }
}

/// What [`Scan`] and [`Lookup`] do with the rows of all their pages.
macro_rules! every_row {
    () => {
        /// The next row, of the next page if this one has no more.
        ///
        /// Not inlined: the interpreter's compiler keeps buffers of the size of a plugin's largest
        /// function, which would be the plugin's loop with all of this in it.
        #[inline(never)]
        fn row(&mut self, page: &mut Page) -> Result<Option<Fields<'_>>, HostCallError> {
            while page.left == 0 {
                if page.end > 0 {
                    let next = Wire::decode(&mut page.reader(self.scratch))?;
                    self.state = self.state.go_on(next, page.end);
                }
                let Some(place) = self.fetch()? else {
                    return Ok(None);
                };
                *page = Page::begin(self.scratch, &place)?;
            }
            page.row(self.scratch)
        }

        /// Hands every row of every page to `each`, until there is no more or `each` breaks.
        ///
        /// # Errors
        /// [`HostCallError`] of a page, and what `each` returns.
        pub fn try_for_each<E: From<HostCallError>>(
            mut self,
            mut each: impl FnMut(&mut Fields<'_>) -> Result<ControlFlow<()>, E>,
        ) -> Result<(), E> {
            let mut page = Page::default();
            while let Some(mut fields) = self.row(&mut page)? {
                if each(&mut fields)?.is_break() {
                    break;
                }
                page.pass(&mut fields)?;
            }
            Ok(())
        }
    };
}

/// The pages of a range of ids; [`HostHandle::scan`](super::HostHandle::scan) begins one.
#[derive(Debug)]
pub struct Scan<'a> {
    scratch: &'a mut [u8],
    request: ReadRequest<'a>,
    until: Option<u64>,
    state: ScanState,
}

/// The id to go on from, if there is more.
#[derive(Clone, Copy, Debug)]
struct ScanState(Option<u64>);

impl ScanState {
    const fn go_on(self, next: Option<u64>, _: usize) -> Self {
        Self(next)
    }
}

impl<'a> Scan<'a> {
    pub(super) const fn new(
        scratch: &'a mut [u8],
        request: ReadRequest<'a>,
        from: u64,
        until: Option<u64>,
    ) -> Self {
        Self { scratch, request, until, state: ScanState(Some(from)) }
    }

    /// At most this many rows in a page, at least 1: pages of no rows would never end. Default: as many
    /// as fit the scratch.
    #[must_use]
    pub const fn page_limit(mut self, rows: u32) -> Self {
        self.request.limit = Some(if rows == 0 { 1 } else { rows });
        self
    }

    /// Where in the scratch the next page is, or `None` after the last.
    fn fetch(&mut self) -> Result<Option<Range<usize>>, HostCallError> {
        let Some(from) = self.state.0 else {
            return Ok(None);
        };
        self.request.rows = RowSelector::Range { from, until: self.until };
        exchange::<imports::SochRead>(&self.request, self.scratch).map(Some)
    }

    /// The next page, or `None` after the last.
    ///
    /// # Errors
    /// [`HostCallError`]; the same page can be asked for again.
    pub fn next_page(&mut self) -> Result<Option<RowsResponse<'_>>, HostCallError> {
        let Some(place) = self.fetch()? else {
            return Ok(None);
        };
        let page: RowsResponse<'_> =
            wire::decode(self.scratch.get(place.clone()).unwrap_or_default())?;
        self.state = self.state.go_on(page.next, place.end);
        Ok(Some(page))
    }

    every_row!();
}

/// The pages of an index lookup; [`HostHandle::lookup`](super::HostHandle::lookup) begins one.
///
/// Without further options the rows have ids only.
#[derive(Debug)]
pub struct Lookup<'a> {
    scratch: &'a mut [u8],
    request: LookupRequest<'a>,
    state: LookupState,
}

/// Where in the scratch the place to go on is (empty before the first page), and whether the last
/// page was had.
#[derive(Clone, Copy, Debug)]
struct LookupState {
    cursor: usize,
    cursor_len: usize,
    done: bool,
}

impl LookupState {
    /// After the page at `place`. Its `next` is its last field, so it is the end of the page.
    fn go_on(self, next: Option<&[u8]>, end: usize) -> Self {
        let cursor_len = next.map_or(0, <[u8]>::len);
        Self { cursor: end.saturating_sub(cursor_len), cursor_len, done: next.is_none() }
    }
}

impl<'a> Lookup<'a> {
    pub(super) const fn new(
        scratch: &'a mut [u8],
        table: &'a str,
        index: &'a str,
        query: IndexQuery<'a>,
    ) -> Self {
        let request = LookupRequest {
            table,
            index,
            query,
            reverse: false,
            limit: None,
            after: None,
            columns: None,
        };
        Self { scratch, request, state: LookupState { cursor: 0, cursor_len: 0, done: false } }
    }

    /// Rows with these columns, all of them if the list is empty.
    #[must_use]
    pub const fn columns(mut self, columns: &'a [&'a str]) -> Self {
        self.request.columns = Some(Seq::new(columns));
        self
    }

    /// From the last entry to the first.
    #[must_use]
    pub const fn reverse(mut self) -> Self {
        self.request.reverse = true;
        self
    }

    /// At most this many rows in a page, at least 1: pages of no rows would never end. Default: as many
    /// as fit the scratch.
    #[must_use]
    pub const fn page_limit(mut self, rows: u32) -> Self {
        self.request.limit = Some(if rows == 0 { 1 } else { rows });
        self
    }

    /// Where in the scratch the next page is, or `None` after the last.
    fn fetch(&mut self) -> Result<Option<Range<usize>>, HostCallError> {
        let LookupState { cursor, cursor_len, done } = self.state;
        if done {
            return Ok(None);
        }
        // The place to go on lies in the page before, where the next request and its response
        // will be. It is kept at the end of the scratch meanwhile, which needs no second buffer
        // and no limit on its length.
        let end = self.scratch.len();
        let tail = end.saturating_sub(cursor_len);
        if cursor <= tail {
            self.scratch.copy_within(cursor..cursor + cursor_len, tail);
            self.state.cursor = tail;
        }
        let Some((work, cursor)) = self.scratch.split_at_mut_checked(tail) else {
            return Err(HostCallError::too_small(end));
        };
        let request =
            LookupRequest { after: (!cursor.is_empty()).then_some(&*cursor), ..self.request };
        let place = exchange::<imports::IndexLookup>(&request, work);
        // The scratch must hold the place to go on beside the request and the response.
        place.map(Some).map_err(|error| HostCallError {
            needed: if error.needed == 0 {
                0
            } else {
                error.needed.saturating_add(cursor_len as u32)
            },
            ..error
        })
    }

    /// The next page, or `None` after the last.
    ///
    /// # Errors
    /// [`HostCallError`]; the same page can be asked for again.
    pub fn next_page(&mut self) -> Result<Option<LookupResponse<'_>>, HostCallError> {
        let Some(place) = self.fetch()? else {
            return Ok(None);
        };
        let page: LookupResponse<'_> =
            wire::decode(self.scratch.get(place.clone()).unwrap_or_default())?;
        self.state = self.state.go_on(page.next, place.end);
        Ok(Some(page))
    }

    /// The first row, if there is any.
    ///
    /// # Errors
    /// [`HostCallError`].
    pub fn first(mut self) -> Result<Option<Fields<'a>>, HostCallError> {
        self.request.limit = Some(1);
        let Some(place) = self.fetch()? else {
            return Ok(None);
        };
        let scratch: &'a [u8] = self.scratch;
        Ok(Fields::single(Reader::new(scratch.get(place).unwrap_or_default()))?)
    }

    every_row!();
}

#[cfg(test)]
mod tests;
