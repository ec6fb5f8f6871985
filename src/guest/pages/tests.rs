//! Pages without a host: what is asked for, and what is handed out.

use super::*;
use crate::abi::{
    Status, Value,
    message::{Hit, Row, SearchResponse},
};

const ERROR: HostCallError = HostCallError::new(Status::Error);

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
    let hits =
        [(7, 0.5), (9, 1.5)].map(|(id, distance)| Hit { id, distance, values: Seq::new(&values) });
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
