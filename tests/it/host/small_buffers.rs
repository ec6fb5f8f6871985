//! Responses that do not fit: how much they need, and what still works.

use super::bad_requests::*;
use crate::support;
use sochdb_wasmi::abi::{
    Seq, Status,
    message::{
        Format, IndexQuery, LookupRequest, LookupResponse, NewRow, ReadRequest, RowSelector,
        RowsResponse,
    },
};
use support::*;

#[test]
fn a_response_that_does_not_fit_says_how_much_it_needs_and_then_fits() {
    let mut probe = Probe::new();
    probe.insert(1, "bolt", 5);
    let place = vector(&[0.0; 3]);
    let requests = [
        ("soch_read", encoded(&read_request(RowSelector::One(1)))),
        ("soch_read", encoded(&read_request(RowSelector::ALL))),
        (
            "soch_read",
            encoded(&ReadRequest {
                format: Format::Toon,
                columns: Seq::new(&["name"]),
                ..read_request(RowSelector::ALL)
            }),
        ),
        ("vector_search", encoded(&search(&place, 1))),
        (
            "index_lookup",
            encoded(&LookupRequest {
                columns: Some(Seq::empty()),
                ..lookup("by_name", IndexQuery::Point(Seq::empty()))
            }),
        ),
    ];
    for (name, request) in &requests {
        for capacity in [0, 3, 4, 5] {
            let answer = probe.raw(name, request, capacity);
            assert_eq!(answer.failed(), Some(Status::BufferTooSmall), "{name}");
            if capacity >= 4 {
                let numbers = [REQUEST, request.len() as u32, RESPONSE, capacity];
                let bytes = input(function(name), numbers, 1, request);
                probe.host.call(probe.plugin, "call", &bytes).unwrap();
                let needed = needed_of(&mut probe);
                assert!(needed > capacity, "{name}");
                assert!(probe.raw(name, request, needed).status > 0, "{name} with {needed}");
            }
        }
    }
}

/// What the probe's last call left at the start of the response.
fn needed_of(probe: &mut Probe) -> u32 {
    let outcome = probe.host.call(probe.plugin, "peek", &[]).unwrap();
    u32::from_le_bytes(outcome.output[4..8].try_into().unwrap())
}

#[test]
fn a_write_whose_answer_does_not_fit_writes_nothing() {
    let mut probe = Probe::new();
    let place = vector(&[0.0; 3]);
    let values = item("bolt", 5, &place);
    let request = encoded(&write(&[], &[NewRow { id: Some(1), values: Seq::new(&values) }]));
    assert_eq!(probe.raw("soch_write", &request, 1).failed(), Some(Status::BufferTooSmall));
    assert_eq!(probe.read(1).failed(), Some(Status::NotFound));
}

#[test]
fn small_buffers_read_a_table_of_any_size() {
    let mut probe = Probe::new();
    for id in 1..=40 {
        assert!(probe.insert(id, "a name of some length", id as i64).status > 0);
    }
    let mut ids = Vec::new();
    let mut from = 0;
    loop {
        let request = encoded(&read_request(RowSelector::Range { from, until: None }));
        let answer = probe.raw("soch_read", &request, 256);
        let response: RowsResponse = answer.decode();
        ids.extend(response.rows.iter().map(|row| row.id));
        match response.next {
            Some(next) => from = next,
            None => break,
        }
    }
    assert_eq!(ids, (1..=40).collect::<Vec<_>>());

    let mut ids = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let request = encoded(&LookupRequest {
            after: after.as_deref(),
            columns: Some(Seq::empty()),
            ..lookup(
                "by_stock",
                IndexQuery::Range {
                    lower: sochdb_wasmi::abi::message::Bound::Unbounded,
                    upper: sochdb_wasmi::abi::message::Bound::Unbounded,
                },
            )
        });
        let answer = probe.raw("index_lookup", &request, 256);
        let response: LookupResponse = answer.decode();
        ids.extend(response.rows.iter().map(|row| row.id));
        match response.next {
            Some(next) => after = Some(next.to_vec()),
            None => break,
        }
    }
    assert_eq!(ids, (1..=40).collect::<Vec<_>>());
}
