//! Limits, pages, ids and the text of a failure.

use super::*;

use sochdb_wasmi::abi::{MAX_ERROR_LEN, MAX_GIVEN_ID, message::LastErrorResponse};

fn read(rows: RowSelector<'_>, limit: Option<u32>, format: Format) -> ReadRequest<'_> {
    ReadRequest { table: "kinds", rows, columns: Seq::empty(), limit, format }
}

/// `soch_read` of an existing row with limit 0 was `NotFound`, and of a missing one an empty TOON table.
#[test]
fn limit_0_says_where_to_start_and_a_missing_row_is_not_found_in_any_format() {
    says("0 for no rows, only where to start, if there are any");
    says("the row of this id; `NotFound` if it is missing, with any limit and format");
    let mut page = Page::new();
    assert!(page.insert(5, "bool", Value::Null).status > 0);
    for format in [Format::Rows, Format::Toon] {
        for limit in [None, Some(0), Some(1)] {
            let missing = page.0.call("soch_read", &read(RowSelector::One(9), limit, format));
            assert_eq!(missing.failed(), NOT_FOUND, "{format:?} {limit:?}");
        }
    }
    let one = page.0.call("soch_read", &read(RowSelector::One(5), Some(0), Format::Rows));
    let one = one.decode::<RowsResponse<'_>>();
    assert_eq!((one.rows.len(), one.next), (0, Some(0)));
    let all = page.0.call("soch_read", &read(RowSelector::ALL, Some(0), Format::Rows));
    let all = all.decode::<RowsResponse<'_>>();
    assert_eq!((all.rows.len(), all.next), (0, Some(5)));
}

/// A row whose whole response is 6 bytes needed a capacity of 16.
#[test]
fn the_length_that_buffer_too_small_names_is_the_smallest_that_does() {
    says(
        "The length is exact: the same call succeeds with that capacity, and with no smaller one.",
    );
    let mut page = Page::new();
    for id in [5, 6] {
        assert!(page.insert(id, "text", Value::Text("some text")).status > 0);
    }
    let ids = [5, 6];
    for rows in [RowSelector::One(5), RowSelector::List(Seq::new(&ids)), RowSelector::ALL] {
        for format in [Format::Rows, Format::Toon] {
            let mut request = read(rows, None, format);
            let columns = ["text"];
            request.columns = Seq::new(&columns);
            let request = encoded(&request);
            let least = (0..100).find(|&len| page.0.raw("soch_read", &request, len).status >= 0);
            let least = least.expect("100 bytes are enough");
            for len in 4..least {
                assert_eq!(
                    page.0.raw("soch_read", &request, len).failed(),
                    Some(Status::BufferTooSmall),
                    "{rows:?} {format:?} {len} of {least}"
                );
            }
            let numbers = [REQUEST, request.len() as u32, support::RESPONSE, 4];
            let explained = page.0.enter("explain", "soch_read", numbers, 1, &request);
            let explained = explained.expect("a text").0;
            let text = explained.decode::<LastErrorResponse<'_>>().text;
            assert!(text.contains(&format!(" {least} bytes")), "{text}, {least}");
        }
    }
}

/// Inserting id 2^64-2 made every later assigned insert fail for good.
#[test]
fn no_given_id_leaves_a_table_without_ids_to_assign() {
    says(
        "A plugin may choose any id for a new row from 0 to 18446744069414584319 (2^64 - 2^32 - 1)",
    );
    assert_eq!(MAX_GIVEN_ID, 18_446_744_069_414_584_319);
    let mut page = Page::new();
    assert_eq!(page.insert(MAX_GIVEN_ID + 1, "bool", Value::Null).failed(), INVALID);
    assert!(page.insert(MAX_GIVEN_ID, "bool", Value::Null).status > 0);
    assert!(page.insert(0, "bool", Value::Null).status > 0);
    let assigned = page.write(WriteMode::Insert, &["bool"], &[(None, &[Value::Null])]);
    let ids: Vec<u64> = assigned.decode::<WriteResponse<'_>>().ids.iter().collect();
    assert_eq!(ids, [MAX_GIVEN_ID + 1]);
}

#[test]
fn the_text_of_a_failure_has_at_most_112_bytes() {
    says("Successful calls in between do not change it, nor does a `last_error` that fails.");
    assert_eq!(MAX_ERROR_LEN, 112);
    let mut page = Page::new();
    let name = "x".repeat(5000);
    let request = encoded(&ConfigRequest { key: &name });
    let numbers = [REQUEST, request.len() as u32, support::RESPONSE, RESPONSE_CAPACITY];
    let answer = page.0.enter("explain", "get_config", numbers, 1, &request).expect("a text").0;
    let text = answer.decode::<LastErrorResponse<'_>>().text;
    assert!(!text.is_empty() && text.len() <= MAX_ERROR_LEN, "{text}");
}
