//! Answers that are longer than the scratch: pages that follow the response's `next`.

use core::ops::{ControlFlow, Range};

use super::{CallError, Fields, exchange, imports};
use crate::abi::{
    Seq,
    message::{IndexQuery, LookupRequest, LookupResponse, ReadRequest, RowSelector, RowsResponse},
    wire::{self, Reader, Wire, WireError},
};

/// Hands the rows at the front of `page` to `each`. Returns what is behind them, or `None` if `each`
/// broke.
fn rows<'p, E: From<CallError>>(
    page: &'p [u8],
    each: &mut impl FnMut(&mut Fields<'_>) -> Result<ControlFlow<()>, E>,
) -> Result<Option<Reader<'p>>, E> {
    let wrong = |error: WireError| E::from(error.into());
    let mut reader = Reader::new(page);
    for _ in 0..reader.u32().map_err(wrong)? {
        let mut fields = Fields::begin(reader).map_err(wrong)?;
        if each(&mut fields)?.is_break() {
            return Ok(None);
        }
        reader = fields.end().map_err(wrong)?;
    }
    Ok(Some(reader))
}

/// What [`Scan`] and [`Lookup`] do with the rows of all their pages.
macro_rules! every_row {
    () => {
        /// Hands every row of every page to `each`, until there is no more or `each` breaks.
        ///
        /// # Errors
        /// [`CallError`] of a page, and what `each` returns.
        pub fn try_for_each<E: From<CallError>>(
            mut self,
            mut each: impl FnMut(&mut Fields<'_>) -> Result<ControlFlow<()>, E>,
        ) -> Result<(), E> {
            while let Some(place) = self.fetch()? {
                let page = self.scratch.get(place.clone()).unwrap_or_default();
                let Some(mut reader) = rows(page, &mut each)? else {
                    break;
                };
                let next =
                    Wire::decode(&mut reader).map_err(|error: WireError| E::from(error.into()))?;
                self.state = self.state.go_on(next, &place);
            }
            Ok(())
        }
    };
}

/// The pages of a range of ids; [`Host::scan`](super::Host::scan) begins one.
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
    const fn go_on(self, next: Option<u64>, _: &Range<usize>) -> Self {
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

    /// At most this many rows in a page; otherwise as many as fit the scratch.
    #[must_use]
    pub const fn page_limit(mut self, rows: u32) -> Self {
        self.request.limit = Some(rows);
        self
    }

    /// Where in the scratch the next page is, or `None` after the last.
    fn fetch(&mut self) -> Result<Option<Range<usize>>, CallError> {
        let Some(from) = self.state.0 else {
            return Ok(None);
        };
        self.request.rows = RowSelector::Range { from, until: self.until };
        exchange::<imports::SochRead>(&self.request, self.scratch).map(Some)
    }

    /// The next page, or `None` after the last.
    ///
    /// # Errors
    /// [`CallError`]; the same page can be asked for again.
    pub fn next_page(&mut self) -> Result<Option<RowsResponse<'_>>, CallError> {
        let Some(place) = self.fetch()? else {
            return Ok(None);
        };
        let page: RowsResponse<'_> =
            wire::decode(self.scratch.get(place.clone()).unwrap_or_default())?;
        self.state = self.state.go_on(page.next, &place);
        Ok(Some(page))
    }

    every_row!();
}

/// The pages of an index lookup; [`Host::lookup`](super::Host::lookup) begins one.
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
    fn go_on(self, next: Option<&[u8]>, place: &Range<usize>) -> Self {
        let cursor_len = next.map_or(0, <[u8]>::len);
        Self { cursor: place.end.saturating_sub(cursor_len), cursor_len, done: next.is_none() }
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

    /// At most this many rows in a page; otherwise as many as fit the scratch.
    #[must_use]
    pub const fn page_limit(mut self, rows: u32) -> Self {
        self.request.limit = Some(rows);
        self
    }

    /// Where in the scratch the next page is, or `None` after the last.
    fn fetch(&mut self) -> Result<Option<Range<usize>>, CallError> {
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
            return Err(CallError::too_small(end));
        };
        let request =
            LookupRequest { after: (!cursor.is_empty()).then_some(&*cursor), ..self.request };
        exchange::<imports::IndexLookup>(&request, work).map(Some)
    }

    /// The next page, or `None` after the last.
    ///
    /// # Errors
    /// [`CallError`]; the same page can be asked for again.
    pub fn next_page(&mut self) -> Result<Option<LookupResponse<'_>>, CallError> {
        let Some(place) = self.fetch()? else {
            return Ok(None);
        };
        let page: LookupResponse<'_> =
            wire::decode(self.scratch.get(place.clone()).unwrap_or_default())?;
        self.state = self.state.go_on(page.next, &place);
        Ok(Some(page))
    }

    /// The first row, if there is any.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn first(mut self) -> Result<Option<Fields<'a>>, CallError> {
        self.request.limit = Some(1);
        let Some(place) = self.fetch()? else {
            return Ok(None);
        };
        let scratch: &'a [u8] = self.scratch;
        Ok(Fields::single(scratch.get(place).unwrap_or_default())?)
    }

    every_row!();
}
