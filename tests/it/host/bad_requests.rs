//! Host calls that make no sense: each gets its status and a text, and changes nothing.

use crate::support;
use sochdb_wasmi::{
    abi::{
        Capability, HOST_FUNCTIONS, Seq, Status, Value,
        message::{
            Comparison, Condition, IndexQuery, NewRow, ReadRequest, RowSelector, SearchRequest,
            SearchResponse, WriteMode, WriteRequest,
        },
        wire,
    },
    database::MemoryStorage,
    host::{HostCallFailure, HostCallResult, HostFunction, HostFunctionContext, PluginConfig},
    limits::Limits,
};
use support::*;

pub(super) fn search<'a>(query: &'a [u8], k: u32) -> SearchRequest<'a> {
    SearchRequest { table: "items", column: "place", query, k, filter: Seq::empty(), columns: None }
}

pub(super) fn write<'a>(columns: &'a [&'a str], rows: &'a [NewRow<'a>]) -> WriteRequest<'a> {
    let columns = Seq::new(columns);
    WriteRequest { table: "items", mode: WriteMode::Insert, columns, rows: Seq::new(rows) }
}

#[test]
fn every_edge_of_i32_as_pointer_or_length_is_refused_or_harmless() {
    let mut probe = Probe::new();
    probe.insert(1, "bolt", 5);
    let edges = [
        0,
        1,
        3,
        MEMORY - 1,
        MEMORY,
        MEMORY + 1,
        0x7fff_fffe,
        0x7fff_ffff,
        0x8000_0000,
        0x8000_0001,
        0xffff_0000,
        0xffff_fffe,
        0xffff_ffff,
    ];
    let request = encoded(&read_request(RowSelector::One(1)));
    let len = request.len() as u32;
    for edge in edges {
        let outside = |ptr: u32, len: u32| u64::from(ptr) + u64::from(len) > u64::from(MEMORY);
        for numbers in [
            [edge, len, RESPONSE, RESPONSE_CAPACITY],
            [REQUEST, edge, RESPONSE, RESPONSE_CAPACITY],
            [REQUEST, len, edge, 16],
            [REQUEST, len, RESPONSE, edge],
            [edge, edge, edge, edge],
        ] {
            let (answer, _) = probe.enter("call", "soch_read", numbers, 1, &request).unwrap();
            let [request_ptr, request_len, response_ptr, capacity] = numbers;
            if outside(request_ptr, request_len) || outside(response_ptr, capacity) {
                assert_eq!(answer.failed(), Some(Status::InvalidArgs), "{numbers:x?}");
            }
        }
    }
    assert!(probe.read(1).status > 0);
}

#[test]
fn a_request_over_the_response_region_is_refused() {
    let mut probe = Probe::new();
    let request = encoded(&read_request(RowSelector::One(1)));
    let len = request.len() as u32;
    for response in [REQUEST, REQUEST + len - 1, REQUEST - 99] {
        let numbers = [REQUEST, len, response, 100];
        let (answer, _) = probe.enter("call", "soch_read", numbers, 1, &request).unwrap();
        assert_eq!(answer.failed(), Some(Status::InvalidArgs));
        let (explained, _) = probe.enter("explain", "soch_read", numbers, 1, &request).unwrap();
        assert!(explained.decode::<&str>().contains("overlap"));
    }
}

#[test]
fn truncated_trailing_and_random_requests_are_invalid_for_every_function() {
    let mut probe = Probe::new();
    let place = vector(&[0.0; 3]);
    let values = item("bolt", 5, &place);
    let rows = [NewRow { id: None, values: Seq::new(&values) }];
    let requests = [
        ("soch_read", encoded(&read_request(RowSelector::ALL))),
        ("soch_write", encoded(&write(&[], &rows))),
        ("vector_search", encoded(&search(&place, 1))),
        ("index_lookup", encoded(&lookup("by_name", IndexQuery::Point(Seq::empty())))),
    ];
    for (name, request) in &requests {
        for len in 0..request.len() {
            let answer = probe.raw(name, &request[..len], RESPONSE_CAPACITY);
            assert_eq!(answer.failed(), Some(Status::InvalidArgs), "{name} cut at {len}");
        }
        let mut longer = request.clone();
        longer.push(0);
        let (status, text) = probe.explain(name, &longer);
        assert_eq!(status, Some(Status::InvalidArgs));
        assert!(text.contains("left after the message"), "{text}");
    }
    let mut state = 1_u32;
    for round in 0..2000 {
        let bytes: Vec<u8> = (0..round % 60)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        for spec in sochdb_wasmi::abi::HOST_FUNCTIONS {
            probe.raw(spec.name, &bytes, 100);
        }
    }
    assert_eq!(probe.read(1).failed(), Some(Status::NotFound), "nothing was written");
}

#[test]
fn values_nested_too_deep_are_refused() {
    let mut probe = Probe::new();
    // A write whose one value is an array in an array in an array …
    let mut request = b"\x05items\x00\x00\x01\x00\x01".to_vec();
    request.extend(std::iter::repeat_n([7, 1], 20_000).flatten());
    request.push(0);
    let (status, text) = probe.explain("soch_write", &request);
    assert_eq!(status, Some(Status::InvalidArgs));
    assert!(text.contains("nested too deep"), "{text}");
}

#[test]
fn names_that_are_not_utf8_are_refused() {
    let mut probe = Probe::new();
    let (status, text) = probe.explain("soch_read", b"\x03\xff\xfe\xfd\x00\x01\x00\x00\x00");
    assert_eq!(status, Some(Status::InvalidArgs));
    assert!(text.contains("not UTF-8"), "{text}");
}

#[test]
fn unknown_tables_columns_and_indexes_are_not_found_and_named() {
    let mut probe = Probe::new();
    probe.insert(1, "bolt", 5);
    let place = vector(&[0.0; 3]);
    let columns = ["colour"];
    let unknown_column =
        ReadRequest { columns: Seq::new(&columns), ..read_request(RowSelector::One(1)) };
    let filter =
        [Condition { column: "colour", comparison: Comparison::Equal, value: Value::Null }];
    let cases: [(&str, Vec<u8>, &str); 7] = [
        (
            "soch_read",
            encoded(&ReadRequest { table: "nothing", ..read_request(RowSelector::ALL) }),
            "nothing",
        ),
        ("soch_read", encoded(&unknown_column), "colour"),
        ("soch_write", encoded(&write(&["colour"], &[])), "colour"),
        (
            "vector_search",
            encoded(&SearchRequest { column: "colour", ..search(&place, 1) }),
            "colour",
        ),
        (
            "vector_search",
            encoded(&SearchRequest { filter: Seq::new(&filter), ..search(&place, 1) }),
            "colour",
        ),
        (
            "index_lookup",
            encoded(&lookup("by_colour", IndexQuery::Point(Seq::empty()))),
            "by_colour",
        ),
        ("soch_read", encoded(&read_request(RowSelector::One(77))), "77"),
    ];
    for (name, request, word) in cases {
        let (status, text) = probe.explain(name, &request);
        assert_eq!(status, Some(Status::NotFound), "{name}: {text}");
        assert!(text.contains(word), "{text:?} does not name {word}");
    }
}

#[test]
fn rows_that_break_the_schema_are_refused_with_table_and_column() {
    let mut probe = Probe::new();
    probe.insert(1, "bolt", 5);
    let place = vector(&[0.0; 3]);
    let short = vector(&[0.0; 2]);
    let nan = vector(&[0.0, f32::NAN, 0.0]);
    let infinite = vector(&[0.0, f32::INFINITY, 0.0]);
    let good = item("nut", 6, &place);
    let with = |at: usize, value| {
        let mut values = good;
        values[at] = value;
        values
    };
    let cases = [
        (with(1, Value::Text("six")), "stock"),
        (with(0, Value::Null), "name"),
        (with(1, Value::Int(5)), "by_stock"),
        (with(2, Value::Float(f64::NAN)), "price"),
        (with(3, Value::Binary(&short)), "place"),
        (with(3, Value::Binary(&nan)), "place"),
        (with(3, Value::Binary(&infinite)), "place"),
    ];
    for (values, word) in cases {
        // A good row before it: all are written, or none.
        let others = item("washer", 7, &place);
        let rows = [
            NewRow { id: Some(10), values: Seq::new(&others) },
            NewRow { id: Some(11), values: Seq::new(&values) },
        ];
        let (status, text) = probe.explain("soch_write", &encoded(&write(&[], &rows)));
        assert_eq!(status, Some(Status::InvalidArgs), "{text}");
        assert!(text.contains("items") && text.contains(word), "{text:?} does not name {word}");
        assert_eq!(probe.read(10).failed(), Some(Status::NotFound));
    }
    probe.host.database().check().unwrap();
}

#[test]
fn vector_queries_that_make_no_sense_are_refused() {
    let mut probe = Probe::new();
    probe.insert(1, "bolt", 5);
    probe.insert(2, "nut", 6);
    let place = vector(&[5.0, 0.0, 0.0]);
    for (query, k) in [
        (place.clone(), 0),
        (vector(&[0.0; 2]), 1),
        (vector(&[0.0, f32::NAN, 0.0]), 1),
        (vector(&[f32::NEG_INFINITY, 0.0, 0.0]), 1),
        (vec![0; 11], 1),
        (vec![], 1),
    ] {
        assert_eq!(
            probe.call("vector_search", &search(&query, k)).failed(),
            Some(Status::InvalidArgs)
        );
    }
    // More than there are is all there are.
    let answer = probe.call("vector_search", &search(&place, u32::MAX));
    let hits: Vec<_> =
        answer.decode::<SearchResponse>().hits.iter().map(|hit| (hit.id, hit.distance)).collect();
    assert_eq!(hits, [(1, 0.0), (2, 1.0)]);
}

#[test]
fn every_function_a_hundred_thousand_times_leaves_the_host_in_order() {
    let limits = Limits {
        host_calls: 200_000,
        rows: u32::MAX,
        bytes: u64::MAX,
        fuel_per_call: u64::MAX / 2,
        deadline_ms: None,
        ..Limits::default()
    };
    let mut probe = Probe::with(
        host(),
        sochdb_wasmi::host::PluginConfig::new(everything()).with_limits(limits),
    );
    probe.insert(1, "bolt", 5);
    let place = vector(&[0.0; 3]);
    let update = [Value::Int(9)];
    let rows = [NewRow { id: Some(1), values: Seq::new(&update) }];
    let requests = [
        ("soch_read", encoded(&read_request(RowSelector::One(1)))),
        (
            "soch_write",
            encoded(&WriteRequest { mode: WriteMode::Update, ..write(&["stock"], &rows) }),
        ),
        (
            "soch_delete",
            encoded(&sochdb_wasmi::abi::message::DeleteRequest {
                table: "items",
                rows: RowSelector::One(99),
            }),
        ),
        ("vector_search", encoded(&search(&place, 1))),
        ("index_lookup", encoded(&lookup("by_name", IndexQuery::Point(Seq::empty())))),
        ("emit_metric", b"\x00\x05hello\x00\0\0\0\0\0\0\xf0\x3f".to_vec()),
        ("log_message", b"\x00\x02hi".to_vec()),
        ("get_config", b"\x01k".to_vec()),
        ("last_error", vec![]),
    ];
    for (name, request) in &requests {
        let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
        let (_, report) = probe.enter("repeat", name, numbers, 100_000, request).unwrap();
        assert_eq!(report.host_calls, 100_000, "{name}");
    }
    assert!(probe.read(1).status > 0);
    probe.host.database().check().unwrap();
    let audit = probe.host.audit();
    assert_eq!(audit.total(), 900_000 + 2);
    assert_eq!(audit.overwritten(), audit.total() - audit.len() as u64);
}

/// A function of the embedder's that decodes its request with `?`.
struct Sensor;

impl HostFunction<MemoryStorage> for Sensor {
    fn name(&self) -> &str {
        "read_sensor"
    }

    fn capability(&self) -> Capability<'_> {
        Capability::Always
    }

    fn execute(
        &mut self,
        _context: &mut HostFunctionContext<'_, MemoryStorage>,
        request: &[u8],
        _response: &mut [u8],
    ) -> HostCallResult {
        let decode = || -> Result<usize, HostCallFailure> {
            let _: &str = wire::decode(request)?;
            Ok(0)
        };
        decode().into()
    }
}

/// "the request is malformed" did not say whose: a plugin that logs the text after several host calls
/// left its author to guess.
#[test]
fn a_malformed_request_is_told_with_the_name_of_its_function() {
    let mut probe = Probe::new();
    for function in HOST_FUNCTIONS.iter().filter(|function| function.name != "last_error") {
        let (status, text) = probe.explain(function.name, &[0x80]);
        assert_eq!(status, Some(Status::InvalidArgs));
        let expected = format!("the request of {} is malformed: ", function.name);
        assert!(text.starts_with(&expected), "{text}");
    }
    let (_, text) = probe.explain("soch_read", b"\x02\xff\xff\x00\x01\x00\x00\x00");
    assert_eq!(text, "the request of soch_read is malformed: a text is not UTF-8 (at byte 3)");

    let wasm = wat::parse_str(
        r#"(module
            (import "board" "read_sensor" (func $read (param i32 i32 i32 i32) (result i32)))
            (import "sochdb" "last_error" (func $why (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0)
                "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
            (data (i32.const 900) "\80")
            (func (export "run") (param i32) (result i32)
            (drop (call $read (i32.const 900) (i32.const 1) (i32.const 0) (i32.const 0)))
            (call $why (i32.const 0) (i32.const 0) (i32.const 512) (i32.const 256))))"#,
    )
    .unwrap();
    let mut host = host();
    host.register("board", Sensor).unwrap();
    let plugin = host.load("own", &wasm, &PluginConfig::default()).unwrap();
    let outcome = host.call(plugin, "run", &[]).unwrap();
    let text: &str = wire::decode(outcome.output).unwrap();
    assert!(text.starts_with("the request of read_sensor is malformed: the bytes end"), "{text}");
}
