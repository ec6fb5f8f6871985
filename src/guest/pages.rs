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

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;
    use crate::abi::{Status, Value, message::Row};

    const ERROR: CallError = CallError::new(Status::Error);

    /// What a function of the host would have been asked: the request at the front of `scratch`.
    fn asked<'a, T: Wire<'a>>(scratch: &'a [u8]) -> T {
        T::decode(&mut Reader::new(scratch)).expect("the scratch begins with a request")
    }

    #[test]
    fn the_place_to_go_on_is_in_the_request_of_the_next_page() {
        let next = [7; 40];
        let mut scratch = [0; 128];
        let page = LookupResponse { rows: Seq::empty(), next: Some(&next) };
        let len = wire::encode(&page, &mut scratch[60..]).expect("the page fits");
        let place = 60..60 + len;

        let key = [Value::UInt(1)];
        let mut lookup = Lookup::new(&mut scratch, "t", "i", IndexQuery::Point(Seq::new(&key)));
        lookup.state = lookup.state.go_on(page.next, &place);
        // There is no host here, so the page is asked for again: the place must not wear off.
        for _ in 0..3 {
            assert_eq!(lookup.fetch(), Err(ERROR));
            let request: LookupRequest<'_> = asked(lookup.scratch);
            assert_eq!(request.after, Some(&next[..]));
            assert_eq!(request.query, lookup.request.query);
        }
        lookup.state = lookup.state.go_on(None, &place);
        assert_eq!(lookup.fetch(), Ok(None));
    }

    #[test]
    fn a_scan_goes_on_where_the_page_says() {
        let mut scratch = [0; 64];
        let request = ReadRequest {
            table: "t",
            rows: RowSelector::ALL,
            columns: Seq::empty(),
            limit: None,
            format: crate::abi::message::Format::Rows,
        };
        let mut scan = Scan::new(&mut scratch, request, 5, Some(90)).page_limit(3);
        for from in [5, 42] {
            assert_eq!(scan.fetch(), Err(ERROR));
            let request: ReadRequest<'_> = asked(scan.scratch);
            assert_eq!(request.rows, RowSelector::Range { from, until: Some(90) });
            assert_eq!(request.limit, Some(3));
            scan.state = scan.state.go_on(Some(42), &(0..0));
        }
        scan.state = scan.state.go_on(None, &(0..0));
        assert_eq!(scan.fetch(), Ok(None));
    }

    #[test]
    fn every_row_of_a_page_is_handed_out_until_it_breaks() {
        let values = [Value::UInt(8), Value::Text("x")];
        let page = [1, 2, 3].map(|id| Row { id, values: Seq::new(&values) });
        let page = RowsResponse { rows: Seq::new(&page), next: Some(4) };
        let mut bytes = [0; 64];
        let len = wire::encode(&page, &mut bytes).expect("the page fits");

        for stop in 1..=4 {
            let mut seen = 0;
            let rest = rows::<CallError>(&bytes[..len], &mut |row| {
                seen += 1;
                assert_eq!((row.id(), row.take()), (seen, Ok(8_u64)));
                Ok(if seen == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            });
            let rest = rest.expect("the page decodes").map(|reader| reader.rest().to_vec());
            assert_eq!((seen, rest), if stop == 4 { (3, Some(vec![1, 4])) } else { (stop, None) });
        }
    }
}
