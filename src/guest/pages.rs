//! Answers that are longer than the scratch: pages that follow the response's `next`.

use core::ops::{ControlFlow, Range};

use super::{CallError, Fields, exchange, imports};
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
    pub(super) fn begin(scratch: &[u8], place: &Range<usize>) -> Result<Self, CallError> {
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
    fn row<'p>(&mut self, scratch: &'p [u8]) -> Result<Option<Fields<'p>>, CallError> {
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
    ) -> Result<Option<(f32, Fields<'p>)>, CallError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        Ok(Some(Fields::begin_hit(self.reader(scratch))?))
    }

    /// Goes behind the row whose columns these are.
    pub(super) fn pass(&mut self, fields: &mut Fields<'_>) -> Result<(), CallError> {
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
        fn row(&mut self, page: &mut Page) -> Result<Option<Fields<'_>>, CallError> {
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
        /// [`CallError`] of a page, and what `each` returns.
        pub fn try_for_each<E: From<CallError>>(
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
        self.state = self.state.go_on(page.next, place.end);
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
        let place = exchange::<imports::IndexLookup>(&request, work);
        // The scratch must hold the place to go on beside the request and the response.
        place.map(Some).map_err(|error| CallError {
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
    /// [`CallError`]; the same page can be asked for again.
    pub fn next_page(&mut self) -> Result<Option<LookupResponse<'_>>, CallError> {
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
    /// [`CallError`].
    pub fn first(mut self) -> Result<Option<Fields<'a>>, CallError> {
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
mod tests {
    use super::*;
    use crate::abi::{
        Status, Value,
        message::{Hit, Row, SearchResponse},
    };

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
        lookup.state = lookup.state.go_on(page.next, place.end);
        // There is no host here, so the page is asked for again: the place must not wear off.
        for _ in 0..3 {
            assert_eq!(lookup.fetch(), Err(ERROR));
            let request: LookupRequest<'_> = asked(lookup.scratch);
            assert_eq!(request.after, Some(&next[..]));
            assert_eq!(request.query, lookup.request.query);
        }
        lookup.state = lookup.state.go_on(None, place.end);
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
            scan.state = scan.state.go_on(Some(42), 0);
        }
        scan.state = scan.state.go_on(None, 0);
        assert_eq!(scan.fetch(), Ok(None));
    }

    #[test]
    fn every_row_of_a_page_is_handed_out() {
        let values = [Value::UInt(8), Value::Text("x")];
        let page = [1, 2, 3].map(|id| Row { id, values: Seq::new(&values) });
        let page = RowsResponse { rows: Seq::new(&page), next: Some(4) };
        let mut bytes = [0; 64];
        let len = wire::encode(&page, &mut bytes).expect("the page fits");

        let mut place = Page::begin(&bytes, &(0..len)).expect("the page decodes");
        for id in 1..=3 {
            let mut row = place.row(&bytes).expect("the row decodes").expect("there is a row");
            // The second column of each is left, and passed over.
            assert_eq!((row.id(), row.take()), (id, Ok(8_u64)));
            assert_eq!(place.pass(&mut row), Ok(()));
        }
        assert!(place.row(&bytes).expect("the page decodes").is_none());
        assert_eq!(place.reader(&bytes).rest(), [1, 4]);

        // A page that is cut anywhere is an error, and hands out nothing else.
        for cut in 0..len {
            let rows = Page::begin(&bytes, &(0..cut)).and_then(|mut page| {
                let mut seen = 0;
                while let Some(mut row) = page.row(&bytes)? {
                    page.pass(&mut row)?;
                    seen += 1;
                }
                Ok((seen, page.reader(&bytes).rest().len()))
            });
            assert!(matches!(rows, Err(ERROR) | Ok((3, 0..2))), "{cut}: {rows:?}");
        }
    }

    #[test]
    fn every_hit_is_handed_out_with_its_distance() {
        let values = [Value::Text("x")];
        let hits = [(7, 0.5), (9, 1.5)].map(|(id, distance)| Hit {
            id,
            distance,
            values: Seq::new(&values),
        });
        let mut bytes = [0; 64];
        let response = SearchResponse { hits: Seq::new(&hits) };
        let len = wire::encode(&response, &mut bytes).expect("the answer fits");
        let mut place = Page::begin(&bytes, &(0..len)).expect("the answer decodes");
        for hit in hits {
            let (distance, mut row) =
                place.hit(&bytes).expect("the hit decodes").expect("there is a hit");
            assert_eq!((row.id(), distance, row.take()), (hit.id, hit.distance, Ok("x")));
            assert_eq!(place.pass(&mut row), Ok(()));
        }
        assert!(place.hit(&bytes).expect("the answer decodes").is_none());
    }
}
