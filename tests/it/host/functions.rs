//! The host functions end to end: encoded by a plugin, answered from real tables, decoded again.

use crate::support;
use sochdb_wasmi::abi::{
    Seq, Status, Value,
    message::{
        Bound, Comparison, Condition, DeleteRequest, DeleteResponse, Format, IndexQuery,
        LookupRequest, LookupResponse, NewRow, ReadRequest, RowSelector, RowsResponse,
        SearchRequest, SearchResponse, ToonResponse, WriteMode, WriteRequest, WriteResponse,
    },
};
use support::*;

/// Five items: bolt, bolt, nut, screw, washer with stock 10 to 50 at places 10 to 50.
fn stocked() -> Probe {
    let mut probe = Probe::new();
    for (id, name) in (1..).zip(["bolt", "bolt", "nut", "screw", "washer"]) {
        assert!(probe.insert(id, name, 10 * id as i64).status > 0);
    }
    probe
}

fn ids(answer: &Answer) -> Vec<u64> {
    answer.decode::<RowsResponse>().rows.iter().map(|row| row.id).collect()
}

fn found(probe: &mut Probe, request: &LookupRequest<'_>) -> Vec<u64> {
    let answer = probe.call("index_lookup", request);
    answer.decode::<LookupResponse>().rows.iter().map(|row| row.id).collect()
}

#[test]
fn one_row_comes_back_as_it_was_written() {
    let mut probe = stocked();
    let place = vector(&[30.0, 0.0, 0.0]);
    let answer = probe.read(3);
    let rows = answer.decode::<RowsResponse>();
    assert_eq!(rows.next, None);
    let row = rows.rows.iter().next().unwrap();
    assert_eq!(row.id, 3);
    assert!(row.values.iter().eq(item("nut", 30, &place)));
}

#[test]
fn the_hand_written_decoder_answers_as_the_general_one() {
    // All columns of one row take a decoder of their own; the same with a limit does not.
    let mut probe = stocked();
    for id in [1, 5, 6, 127, 128, u64::MAX] {
        let special = probe.call("soch_read", &read_request(RowSelector::One(id)));
        let general = ReadRequest { limit: Some(1), ..read_request(RowSelector::One(id)) };
        assert_eq!(special, probe.call("soch_read", &general), "row {id}");
    }
}

#[test]
fn a_list_of_ids_is_answered_in_its_order_without_the_missing() {
    let mut probe = stocked();
    let list = [5, 99, 1, 5];
    let request = read_request(RowSelector::List(Seq::new(&list)));
    assert_eq!(ids(&probe.call("soch_read", &request)), [5, 1, 5]);
    let limited = ReadRequest { limit: Some(2), ..request };
    let answer = probe.call("soch_read", &limited);
    assert_eq!(ids(&answer), [5, 1]);
    // Three ids were looked at; the fourth is still to come.
    assert_eq!(answer.decode::<RowsResponse>().next, Some(3));
}

#[test]
fn a_range_is_answered_by_rising_id_within_its_bounds_and_limit() {
    let mut probe = stocked();
    let range = |from, until| read_request(RowSelector::Range { from, until });
    assert_eq!(ids(&probe.call("soch_read", &range(2, Some(5)))), [2, 3, 4]);
    let limited = ReadRequest { limit: Some(2), ..range(2, None) };
    let answer = probe.call("soch_read", &limited);
    assert_eq!((ids(&answer), answer.decode::<RowsResponse>().next), (vec![2, 3], Some(4)));
    assert_eq!(ids(&probe.call("soch_read", &range(6, None))), [0; 0]);
    // A limit of none still says where to go on.
    let none = ReadRequest { limit: Some(0), ..range(2, None) };
    let answer = probe.call("soch_read", &none);
    assert_eq!((ids(&answer), answer.decode::<RowsResponse>().next), (vec![], Some(2)));
}

#[test]
fn a_projection_answers_its_columns_in_its_order() {
    let mut probe = stocked();
    let columns = ["stock", "name"];
    let request = ReadRequest { columns: Seq::new(&columns), ..read_request(RowSelector::One(2)) };
    let answer = probe.call("soch_read", &request);
    let row = answer.decode::<RowsResponse>().rows.iter().next().unwrap();
    assert!(row.values.iter().eq([Value::Int(20), Value::Text("bolt")]));
}

#[test]
fn toon_is_what_the_official_decoder_reads() {
    let mut probe = stocked();
    let columns = ["name", "stock", "price"];
    let mut from = 0;
    let mut rows = Vec::new();
    // A small buffer, so that it takes several answers.
    loop {
        let request = encoded(&ReadRequest {
            columns: Seq::new(&columns),
            format: Format::Toon,
            ..read_request(RowSelector::Range { from, until: None })
        });
        let answer = probe.raw("soch_read", &request, 96);
        let ToonResponse { text, next } = answer.decode();
        let document: serde_json::Value = toon_format::decode_default(text).unwrap();
        rows.extend(document["items"].as_array().unwrap().clone());
        match next {
            Some(next) => from = next,
            None => break,
        }
    }
    let expected: Vec<_> = (1..)
        .zip(["bolt", "bolt", "nut", "screw", "washer"])
        .map(|(id, name)| serde_json::json!({"id": id, "name": name, "stock": 10 * id, "price": null}))
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn assigned_ids_rise_and_are_never_given_again() {
    let mut probe = stocked();
    let place = vector(&[0.0; 3]);
    let write = |probe: &mut Probe, stock| {
        let values = item("rivet", stock, &place);
        let rows = [NewRow { id: None, values: Seq::new(&values) }];
        let answer = probe.call("soch_write", &insert_request(&rows));
        let WriteResponse { ids } = answer.decode();
        ids.iter().next().unwrap()
    };
    assert_eq!(write(&mut probe, 60), 6);
    let delete = DeleteRequest { table: "items", rows: RowSelector::One(6) };
    assert_eq!(probe.call("soch_delete", &delete).decode::<DeleteResponse>().count, 1);
    assert_eq!(probe.call("soch_delete", &delete).decode::<DeleteResponse>().count, 0);
    assert_eq!(write(&mut probe, 70), 7);
}

#[test]
fn update_changes_named_columns_and_upsert_inserts_what_is_missing() {
    let mut probe = stocked();
    let price = [Value::Float(2.5)];
    let rows = [NewRow { id: Some(3), values: Seq::new(&price) }];
    let columns = ["price"];
    let update = WriteRequest {
        table: "items",
        mode: WriteMode::Update,
        columns: Seq::new(&columns),
        rows: Seq::new(&rows),
    };
    assert!(probe.call("soch_write", &update).status > 0);
    let answer = probe.read(3);
    let row = answer.decode::<RowsResponse>().rows.iter().next().unwrap();
    let values: Vec<_> = row.values.iter().collect();
    assert_eq!((values[0], values[2]), (Value::Text("nut"), Value::Float(2.5)));

    let missing = [NewRow { id: Some(30), values: Seq::new(&price) }];
    let update = WriteRequest { rows: Seq::new(&missing), ..update };
    assert_eq!(probe.call("soch_write", &update).failed(), Some(Status::NotFound));
    let place = vector(&[1.0; 3]);
    let (old, new) = (item("nut", 31, &place), item("cog", 300, &place));
    let rows = [
        NewRow { id: Some(3), values: Seq::new(&old) },
        NewRow { id: Some(30), values: Seq::new(&new) },
    ];
    let upsert = WriteRequest { mode: WriteMode::Upsert, ..insert_request(&rows) };
    let answer = probe.call("soch_write", &upsert);
    assert!(answer.decode::<WriteResponse>().ids.iter().eq([3, 30]));
    probe.host.database().check().unwrap();
}

#[test]
fn an_index_answers_points_prefixes_and_ranges_both_ways() {
    let mut probe = stocked();
    let bolt = [Value::Text("bolt")];
    let point = lookup("by_name", IndexQuery::Point(Seq::new(&bolt)));
    assert_eq!(found(&mut probe, &point), [1, 2]);
    assert_eq!(found(&mut probe, &LookupRequest { reverse: true, ..point }), [2, 1]);
    let prefix = [Value::Text("s")];
    let prefix = lookup("by_name", IndexQuery::Prefix(Seq::new(&prefix)));
    assert_eq!(found(&mut probe, &prefix), [4]);
    let (low, high) = ([Value::Int(20)], [Value::Int(40)]);
    for (lower, upper, expected) in [
        (Bound::Included(Seq::new(&low)), Bound::Included(Seq::new(&high)), vec![2, 3, 4]),
        (Bound::Excluded(Seq::new(&low)), Bound::Excluded(Seq::new(&high)), vec![3]),
        (Bound::Unbounded, Bound::Excluded(Seq::new(&low)), vec![1]),
        (Bound::Excluded(Seq::new(&high)), Bound::Unbounded, vec![5]),
    ] {
        let range = lookup("by_stock", IndexQuery::Range { lower, upper });
        assert_eq!(found(&mut probe, &range), expected);
        let reversed: Vec<_> = expected.into_iter().rev().collect();
        assert_eq!(found(&mut probe, &LookupRequest { reverse: true, ..range }), reversed);
    }
}

#[test]
fn a_limit_of_no_rows_finds_none() {
    let mut probe = stocked();
    let all = lookup("by_stock", IndexQuery::Point(Seq::empty()));
    let answer = probe.call("index_lookup", &LookupRequest { limit: Some(0), ..all });
    let response: LookupResponse = answer.decode();
    assert_eq!((response.rows.len(), response.next), (0, Some(&[][..])));
}

#[test]
fn an_index_goes_on_where_it_stopped_also_when_its_rows_are_deleted() {
    let mut probe = stocked();
    let all = lookup("by_stock", IndexQuery::Point(Seq::empty()));
    let first = LookupRequest { limit: Some(2), columns: Some(Seq::new(&["name"])), ..all };
    let answer = probe.call("index_lookup", &first);
    let response: LookupResponse = answer.decode();
    let names: Vec<_> = response.rows.iter().flat_map(|row| row.values.iter()).collect();
    assert_eq!(names, [Value::Text("bolt"); 2]);
    let delete = DeleteRequest { table: "items", rows: RowSelector::List(Seq::new(&[1, 2, 3])) };
    probe.call("soch_delete", &delete);
    let rest = LookupRequest { after: response.next, ..all };
    assert_eq!(found(&mut probe, &rest), [4, 5]);
}

#[test]
fn a_search_orders_by_distance_then_id_and_filters_by_typed_conditions() {
    let mut probe = stocked();
    let query = vector(&[30.0, 0.0, 0.0]);
    let search = SearchRequest {
        table: "items",
        column: "place",
        query: &query,
        k: 3,
        filter: Seq::empty(),
        columns: Some(Seq::new(&["name"])),
    };
    let answer = probe.call("vector_search", &search);
    let response: SearchResponse = answer.decode();
    let hits: Vec<_> = response.hits.iter().map(|hit| (hit.id, hit.distance)).collect();
    // Rows 2 and 4 are equally far: the lower id comes first.
    assert_eq!(hits, [(3, 0.0), (2, 10.0), (4, 10.0)]);
    let names: Vec<_> = response.hits.iter().flat_map(|hit| hit.values.iter()).collect();
    assert_eq!(names, [Value::Text("nut"), Value::Text("bolt"), Value::Text("screw")]);

    let filter = [
        Condition { column: "name", comparison: Comparison::NotEqual, value: Value::Text("nut") },
        Condition { column: "stock", comparison: Comparison::Greater, value: Value::Int(20) },
    ];
    let filtered = SearchRequest { filter: Seq::new(&filter), columns: None, ..search };
    let answer = probe.call("vector_search", &filtered);
    let hits: Vec<_> = answer.decode::<SearchResponse>().hits.iter().map(|hit| hit.id).collect();
    assert_eq!(hits, [4, 5]);
}
