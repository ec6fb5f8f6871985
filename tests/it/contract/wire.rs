//! The wire format is postcard's: every message is encoded by us and, as the same type in serde's
//! eyes, by the `postcard` crate. And no bytes, however hostile, do worse than an error.

use crate::mirror;
use std::time::Instant;

use mirror::*;
use sochdb_wasmi::abi::{
    self, HOST_FUNCTIONS, MAX_DEPTH, Seq, message,
    wire::{self, Wire, WireError, WireErrorKind, Writer},
};

pub(super) fn encoded<'a>(message: &impl Wire<'a>) -> Vec<u8> {
    let needed = match wire::encode(message, &mut []) {
        Ok(len) => len,
        Err(error) => error.needed,
    };
    let mut buffer = vec![0; needed];
    assert_eq!(wire::encode(message, &mut buffer), Ok(needed));
    buffer
}

/// All that must hold for a message.
pub(super) fn check<M: Mirror>(mirror: &M) {
    let bytes: &'static [u8] = postcard::to_allocvec(mirror).unwrap().leak();
    let ours = mirror.ours();
    assert_eq!(encoded(&ours), bytes, "{mirror:?}");
    let decoded: M::Ours = wire::decode(bytes).unwrap();
    assert_eq!(M::of(decoded), *mirror);
    assert_eq!(decoded, ours, "a decoded message equals the one that was sent");
    assert_eq!(encoded(&decoded), bytes, "a decoded message is encoded as it was");
    for cut in 0..bytes.len() {
        let error = wire::decode::<M::Ours>(&bytes[..cut]).unwrap_err();
        assert_eq!(error.kind, WireErrorKind::UnexpectedEnd);
        assert!(error.offset as usize <= cut);
    }
    let longer: &'static [u8] = [bytes, &[0]].concat().leak();
    let trailing =
        WireError { kind: WireErrorKind::TrailingBytes, offset: bytes.len().try_into().unwrap() };
    assert_eq!(wire::decode::<M::Ours>(longer), Err(trailing));
}

/// One value of each kind, and some of them inside others.
pub(super) fn every_value() -> Vec<Value> {
    let mut values = vec![
        Value::Null,
        Value::Bool(false),
        Value::Bool(true),
        Value::Int(i64::MIN),
        Value::Int(-1),
        Value::Int(i64::MAX),
        Value::UInt(0),
        Value::UInt(u64::MAX),
        Value::Float(-0.0),
        Value::Float(f64::INFINITY),
        Value::Float(1.5),
        Value::Text(String::new()),
        Value::Text("é\0".repeat(100)),
        Value::Binary(vec![]),
        Value::Binary((0..=255).collect()),
        Value::Ref { table: "weather".into(), id: 1 << 40 },
        Value::Array(vec![]),
        Value::Object(vec![]),
    ];
    values.push(Value::Array(values.clone()));
    values.push(Value::Object(values.iter().map(|value| ("n".into(), value.clone())).collect()));
    values.push(Value::Array((0..200).map(Value::Int).collect()));
    values
}

pub(super) fn names() -> Vec<String> {
    vec!["temperature".into(), String::new(), "é".into()]
}

pub(super) fn conditions() -> Vec<Condition> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    [Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual]
        .into_iter()
        .zip(every_value())
        .map(|(comparison, value)| Condition { column: "c".into(), comparison, value })
        .collect()
}

pub(super) fn selectors() -> [RowSelector; 5] {
    [
        RowSelector::One(u64::MAX),
        RowSelector::List(vec![]),
        RowSelector::List((0..300).collect()),
        RowSelector::Range { from: 0, until: None },
        RowSelector::Range { from: 128, until: Some(16384) },
    ]
}

#[test]
fn every_request_is_as_postcard_encodes_it() {
    let table = || "weather".to_owned();
    for rows in selectors() {
        for (format, limit) in [(Format::Rows, None), (Format::Toon, Some(u32::MAX))] {
            check(&ReadRequest {
                table: table(),
                rows: rows.clone(),
                columns: names(),
                limit,
                format,
            });
        }
        check(&DeleteRequest { table: table(), rows });
    }
    for mode in [WriteMode::Insert, WriteMode::Update, WriteMode::Upsert] {
        let rows = vec![
            NewRow { id: None, values: every_value() },
            NewRow { id: Some(300), values: vec![] },
        ];
        check(&WriteRequest { table: table(), mode, columns: names(), rows });
    }
    for columns in [None, Some(vec![]), Some(names())] {
        check(&SearchRequest {
            table: table(),
            column: "v".into(),
            query: vec![7; 300],
            k: 10,
            filter: conditions(),
            columns: columns.clone(),
        });
        for query in [
            IndexQuery::Point(every_value()),
            IndexQuery::Prefix(vec![]),
            IndexQuery::Range { lower: Bound::Unbounded, upper: Bound::Included(every_value()) },
            IndexQuery::Range { lower: Bound::Excluded(every_value()), upper: Bound::Unbounded },
        ] {
            for (reverse, after) in [(false, None), (true, Some(vec![1, 2, 3]))] {
                check(&LookupRequest {
                    table: table(),
                    index: "by_time".into(),
                    query: query.clone(),
                    reverse,
                    limit: Some(128),
                    after,
                    columns: columns.clone(),
                });
            }
        }
    }
    for kind in [MetricKind::Counter, MetricKind::Gauge, MetricKind::Histogram] {
        let labels = vec![("a".into(), "b".into()), (String::new(), "é".repeat(64))];
        check(&MetricRequest { kind, name: "seen".into(), labels, value: 1.5 });
    }
    for level in [LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error] {
        check(&LogRequest { level, message: "m".repeat(128) });
    }
    check(&ConfigRequest { key: "station".into() });
    check(&LastErrorRequest {});
    check(&CallRequest { plugin: "rules".into(), entry: "check".into(), input: vec![0xff; 200] });
}

#[test]
fn every_response_is_as_postcard_encodes_it() {
    let rows = || vec![Row { id: 1, values: every_value() }, Row { id: u64::MAX, values: vec![] }];
    check(&RowsResponse { rows: rows(), next: None });
    check(&RowsResponse { rows: vec![], next: Some(16384) });
    check(&ToonResponse { text: "t[1]{id}:\n  1".into(), next: Some(2) });
    check(&WriteResponse { ids: (0..200).map(|n| n * n * n).collect() });
    check(&DeleteResponse { count: 128 });
    check(&SearchResponse {
        hits: vec![
            Hit { id: 1, distance: f32::MIN_POSITIVE, values: every_value() },
            Hit { id: 2, distance: f32::INFINITY, values: vec![] },
        ],
    });
    check(&LookupResponse { rows: rows(), next: None });
    check(&LookupResponse { rows: vec![], next: Some(vec![0xff; 40]) });
    every_value().into_iter().for_each(|value| check(&ConfigResponse { value }));
    check(&LastErrorResponse { text: "no such table".into() });
}

#[test]
fn no_message_of_the_table_of_functions_is_left_out() {
    for function in HOST_FUNCTIONS {
        for name in [function.request, function.response] {
            let name = name.split(['<', ' ']).next().unwrap();
            // An output is as the plugin wrote it, and of no format.
            let raw = ["()", "CallResponse"].contains(&name);
            assert!(raw || MIRRORED.contains(&name), "{name}");
        }
    }
}

#[test]
fn every_value_is_as_postcard_encodes_it() {
    every_value().iter().for_each(check);
}

#[test]
fn integers_at_the_edges_of_their_length_are_as_postcard_encodes_them() {
    for bits in 0..64 {
        for value in [1_u64 << bits, (1 << bits) - 1, u64::MAX >> bits] {
            check(&value);
            check(&value.cast_signed());
            check(&value.cast_signed().wrapping_neg());
            if let Ok(value) = u32::try_from(value) {
                check(&value);
            }
        }
    }
}

const COUNTS: [usize; 8] = [0, 1, 127, 128, 129, 16_383, 16_384, 2_097_152];

#[test]
fn a_list_of_unknown_length_is_the_same_bytes_as_one_of_known_length() {
    for count in COUNTS {
        let items: Vec<bool> = (0..count).map(|index| index % 3 == 0).collect();
        let mut buffer = vec![0; count + 10];
        let mut writer = Writer::new(&mut buffer);
        writer.u8(0xaa);
        let list = writer.begin_list();
        items.iter().for_each(|item| writer.bool(*item));
        writer.end_list(list, count);
        writer.u8(0xbb);
        let len = writer.finish().unwrap();
        let expected = [&[0xaa][..], &encoded(&Seq::new(&items)), &[0xbb]].concat();
        assert_eq!(buffer[..len], expected, "{count} items");
    }
}

#[test]
fn a_list_that_does_not_fit_names_the_same_size_as_one_of_known_length() {
    for count in [0, 1, 127, 128, 200] {
        let items = vec![5_u64; count];
        let needed = encoded(&Seq::new(&items)).len();
        for capacity in 0..needed {
            let mut buffer = vec![0; capacity];
            let mut writer = Writer::new(&mut buffer);
            let list = writer.begin_list();
            items.iter().for_each(|item| writer.u64(*item));
            writer.end_list(list, count);
            assert_eq!(writer.finish().unwrap_err().needed, needed);
        }
    }
}

#[test]
fn bytes_are_inserted_where_the_mark_was() {
    let insert = |buffer: &mut [u8]| {
        let mut writer = Writer::new(buffer);
        writer.raw(b"ab");
        let mark = writer.mark();
        writer.raw(b"efg");
        writer.insert(mark, b"cd");
        writer.raw(b"h");
        writer.finish()
    };
    let mut buffer = [0; 8];
    assert_eq!(insert(&mut buffer), Ok(8));
    assert_eq!(&buffer, b"abcdefgh");
    for capacity in 0..8 {
        assert_eq!(insert(&mut vec![0; capacity]).unwrap_err().needed, 8);
    }
}

/// `levels` arrays, each the only item of the one around it.
pub(super) fn nested(levels: usize) -> Vec<u8> {
    let mut bytes = [7, 1].repeat(levels);
    bytes.push(0);
    bytes
}

#[test]
fn nesting_is_allowed_to_the_limit_and_refused_after_it() {
    let limit = usize::from(MAX_DEPTH);
    let bytes = nested(limit);
    let mut value: abi::Value<'_> = wire::decode(&bytes).unwrap();
    for _ in 0..limit {
        let abi::Value::Array(items) = value else { panic!("{value:?}") };
        value = items.iter().next().unwrap();
    }
    assert_eq!(value, abi::Value::Null);
    for levels in [limit + 1, limit + 2, 1 << 19] {
        let error = wire::decode::<abi::Value<'_>>(&nested(levels)).unwrap_err();
        assert_eq!(error.kind, WireErrorKind::TooDeep);
    }
    let objects = [8, 1, 1, b'k'].repeat(1 << 18);
    let error = wire::decode::<abi::Value<'_>>(&objects).unwrap_err();
    assert_eq!(error.kind, WireErrorKind::TooDeep);
}

#[test]
fn counts_that_the_bytes_do_not_hold_end_quickly() {
    let max = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let start = Instant::now();
    for rest in [&[][..], &[0; 1000]] {
        let bytes = [&max[..], rest].concat();
        assert!(wire::decode::<Seq<'_, abi::Value<'_>>>(&bytes).is_err());
        assert!(wire::decode::<Seq<'_, (&str, &str)>>(&bytes).is_err());
        assert!(wire::decode::<Seq<'_, message::NewRow<'_>>>(&bytes).is_err());
        assert!(wire::decode::<&[u8]>(&bytes).is_err());
        assert!(wire::decode::<&str>(&bytes).is_err());
    }
    assert!(start.elapsed().as_secs() < 5);
}
