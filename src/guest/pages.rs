//! Answers that are longer than the scratch: pages that follow the response's `next`.

use core::ops::{ControlFlow, Range};

use super::{CallError, call, exchange, imports};
use crate::abi::{
    Seq,
    message::{
        IndexQuery, LookupRequest, LookupResponse, ReadRequest, Row, RowSelector, RowsResponse,
    },
    wire,
};

/// Hands each row of each page to `$each`, until there is no more or it breaks.
macro_rules! every_row {
    () => {
        /// Hands every row of every page to `each`, until there is no more or `each` breaks.
        ///
        /// # Errors
        /// [`CallError`] of a page, and what `each` returns.
        pub fn try_for_each<E: From<CallError>>(
            mut self,
            mut each: impl FnMut(Row<'_>) -> Result<ControlFlow<()>, E>,
        ) -> Result<(), E> {
            while let Some(page) = self.next_page()? {
                for row in page.rows.iter() {
                    if each(row)?.is_break() {
                        return Ok(());
                    }
                }
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
    next: Option<u64>,
    until: Option<u64>,
}

impl<'a> Scan<'a> {
    pub(super) const fn new(
        scratch: &'a mut [u8],
        request: ReadRequest<'a>,
        from: u64,
        until: Option<u64>,
    ) -> Self {
        Self { scratch, request, next: Some(from), until }
    }

    /// At most this many rows in a page; otherwise as many as fit the scratch.
    #[must_use]
    pub const fn page_limit(mut self, rows: u32) -> Self {
        self.request.limit = Some(rows);
        self
    }

    /// The next page, or `None` after the last.
    ///
    /// # Errors
    /// [`CallError`]; the same page can be asked for again.
    pub fn next_page(&mut self) -> Result<Option<RowsResponse<'_>>, CallError> {
        let Some(from) = self.next else {
            return Ok(None);
        };
        self.request.rows = RowSelector::Range { from, until: self.until };
        let page = call::<imports::SochRead>(&self.request, self.scratch)?;
        self.next = page.next;
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
    /// Where in the scratch the place to go on is, empty before the first page.
    cursor: Range<usize>,
    done: bool,
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
        Self { scratch, request, cursor: 0..0, done: false }
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

    /// The next page, or `None` after the last.
    ///
    /// # Errors
    /// [`CallError`]; the same page can be asked for again.
    pub fn next_page(&mut self) -> Result<Option<LookupResponse<'_>>, CallError> {
        if self.done {
            return Ok(None);
        }
        // The place to go on lies in the page before, where the next request and its response
        // will be. It is kept at the end of the scratch meanwhile, which needs no second buffer
        // and no limit on its length.
        let end = self.scratch.len();
        let tail = end.saturating_sub(self.cursor.len());
        if !self.cursor.is_empty() && self.cursor.end <= end {
            self.scratch.copy_within(self.cursor.clone(), tail);
            self.cursor = tail..end;
        }
        let Some((work, cursor)) = self.scratch.split_at_mut_checked(tail) else {
            return Err(CallError::too_small(end));
        };
        let request =
            LookupRequest { after: (!cursor.is_empty()).then_some(&*cursor), ..self.request };
        let place = exchange::<imports::IndexLookup>(&request, work)?;
        let page: LookupResponse<'_> = wire::decode(work.get(place.clone()).unwrap_or_default())?;
        match page.next {
            // It is the last field, so it is the end of the response.
            Some(next) => self.cursor = place.end.saturating_sub(next.len())..place.end,
            None => self.done = true,
        }
        Ok(Some(page))
    }

    /// The first row, if there is any.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn first(self) -> Result<Option<Row<'a>>, CallError> {
        let request = LookupRequest { limit: Some(1), ..self.request };
        let page = call::<imports::IndexLookup>(&request, self.scratch)?;
        Ok(page.rows.iter().next())
    }

    every_row!();
}
