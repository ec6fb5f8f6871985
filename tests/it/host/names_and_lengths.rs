//! What holds wherever a name, a text or a length can stand: names that are too long, texts that are not
//! UTF-8, and the exact length of every response.

use crate::support;
use sochdb_wasmi::{
    abi::{
        Seq, Status, Value,
        message::{
            CallRequest, Comparison, Condition, DeleteRequest, Format, IndexQuery, LookupRequest,
            MetricKind, MetricRequest, NewRow, ReadRequest, RowSelector, SearchRequest, WriteMode,
            WriteRequest,
        },
    },
    host::PluginConfig,
};
use support::*;

/// Requests with one text each that is `name`, and whether it is the name of a metric or a label.
fn requests(name: &str) -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let place = vector(&[0.0; 3]);
    let columns = [name];
    let named = Seq::new(&columns);
    let values = [Value::Null];
    let row = [NewRow { id: Some(1), values: Seq::new(&values) }];
    let read = read_request(RowSelector::One(1));
    let search = SearchRequest {
        table: "items",
        column: "place",
        query: &place,
        k: 1,
        filter: Seq::empty(),
        columns: None,
    };
    let filter = [Condition { column: name, comparison: Comparison::Equal, value: Value::Null }];
    let lookup = lookup("by_name", IndexQuery::Point(Seq::empty()));
    let write = WriteRequest {
        table: "items",
        mode: WriteMode::Upsert,
        columns: Seq::new(&["name"]),
        rows: Seq::new(&row),
    };
    let labels = [(name, "x")];
    let metric =
        MetricRequest { kind: MetricKind::Gauge, name: "m", labels: Seq::empty(), value: 1.0 };
    let call = CallRequest { plugin: "probe", entry: "call", input: b"" };
    vec![
        ("table", "soch_read", encoded(&ReadRequest { table: name, ..read })),
        ("column", "soch_read", encoded(&ReadRequest { columns: named, ..read })),
        (
            "column",
            "soch_read",
            encoded(&ReadRequest { columns: named, format: Format::Toon, ..read }),
        ),
        ("table", "soch_write", encoded(&WriteRequest { table: name, ..write })),
        ("column", "soch_write", encoded(&WriteRequest { columns: named, ..write })),
        ("table", "soch_delete", encoded(&DeleteRequest { table: name, rows: RowSelector::ALL })),
        ("table", "vector_search", encoded(&SearchRequest { table: name, ..search })),
        ("column", "vector_search", encoded(&SearchRequest { column: name, ..search })),
        (
            "column",
            "vector_search",
            encoded(&SearchRequest { filter: Seq::new(&filter), ..search }),
        ),
        ("column", "vector_search", encoded(&SearchRequest { columns: Some(named), ..search })),
        ("table", "index_lookup", encoded(&LookupRequest { table: name, ..lookup })),
        ("index", "index_lookup", encoded(&LookupRequest { index: name, ..lookup })),
        ("column", "index_lookup", encoded(&LookupRequest { columns: Some(named), ..lookup })),
        ("metric", "emit_metric", encoded(&MetricRequest { name, ..metric })),
        ("label", "emit_metric", encoded(&MetricRequest { labels: Seq::new(&labels), ..metric })),
        ("setting", "get_config", encoded(&name)),
        ("plugin", "call_plugin", encoded(&CallRequest { plugin: name, ..call })),
    ]
}

/// A column or index name of 33 bytes was reported cut to 32, which can be the name of one that exists. Here is
/// every place where a request can have a name.
#[test]
fn a_name_that_is_too_long_is_never_reported_as_another_name() {
    let mut probe = Probe::new();
    assert!(probe.insert(1, "bolt", 5).status > 0);
    let (whole, n) = ("n".repeat(32), "n".repeat(31));
    for (long, shown) in [
        ("n".repeat(33), format!("\"{whole}…[+1 bytes]\"")),
        ("n".repeat(200), format!("\"{whole}…[+168 bytes]\"")),
        (format!("{n}é"), format!("\"{n}…[+2 bytes]\"")),
        ("é".repeat(40), format!("\"{}…[+48 bytes]\"", "é".repeat(16))),
    ] {
        for (what, function, request) in requests(&long) {
            let (status, text) = probe.explain(function, &request);
            // What a metric or a label is not called is said without its name.
            let (expected, contains) = match what {
                "metric" | "label" => (Status::InvalidArgs, "a name has "),
                _ => (Status::NotFound, &*shown),
            };
            assert_eq!(status, Some(expected), "{function} {what}: {text}");
            assert!(text.contains(contains), "{function} {what}: {text}");
            assert!(text.contains(what) || what == "metric", "{function} {what}: {text}");
        }
    }
}

/// `get_config` with a key that is not UTF-8 was NotFound of `""`. Here is every place where a request can have
/// a text.
#[test]
fn a_text_that_is_not_utf_8_is_invalid_wherever_it_stands() {
    let mut probe = Probe::new();
    assert!(probe.insert(1, "bolt", 5).status > 0);
    let name = "a_name_that_stands_here";
    let text = [Value::Text(name)];
    let fields = [(name, Value::Null)];
    let values = [
        Value::Text(name),
        Value::Array(Seq::new(&text)),
        Value::Object(Seq::new(&fields)),
        Value::Ref { table: name, id: 1 },
    ];
    let mut requests = requests(name);
    for value in &values {
        let row = [NewRow { id: Some(1), values: Seq::new(std::slice::from_ref(value)) }];
        let columns = ["name"];
        let write = WriteRequest {
            table: "items",
            mode: WriteMode::Update,
            columns: Seq::new(&columns),
            rows: Seq::new(&row),
        };
        requests.push(("value", "soch_write", encoded(&write)));
        let point = IndexQuery::Point(Seq::new(std::slice::from_ref(value)));
        requests.push(("value", "index_lookup", encoded(&lookup("by_name", point))));
        let filter = [Condition { column: "name", comparison: Comparison::Equal, value: *value }];
        let query = vector(&[0.0; 3]);
        let search = SearchRequest {
            table: "items",
            column: "place",
            query: &query,
            k: 1,
            filter: Seq::new(&filter),
            columns: None,
        };
        requests.push(("value", "vector_search", encoded(&search)));
    }
    let labels = [("l", name)];
    let metric =
        MetricRequest { kind: MetricKind::Gauge, name: "m", labels: Seq::new(&labels), value: 1.0 };
    requests.push(("value", "emit_metric", encoded(&metric)));
    let call = CallRequest { plugin: "probe", entry: name, input: b"" };
    requests.push(("entry", "call_plugin", encoded(&call)));
    for (what, function, mut request) in requests {
        let at = request.windows(name.len()).position(|part| part == name.as_bytes()).unwrap();
        for (byte, place) in [(0xff, 0), (0xc3, name.len() - 1), (0x80, 5)] {
            let before = std::mem::replace(&mut request[at + place], byte);
            let (status, text) = probe.explain(function, &request);
            assert_eq!(status, Some(Status::InvalidArgs), "{function} {what}: {text}");
            assert!(text.contains("not UTF-8"), "{function} {what}: {text}");
            request[at + place] = before;
        }
    }
}

/// A row whose whole answer is 6 bytes was refused with a capacity of 15. Here is every function with a response.
#[test]
fn every_function_fits_into_the_length_that_it_names_and_into_none_below() {
    let settings = PluginConfig::new(everything()).with_limits(roomy());
    let mut probe = Probe::with(host(), settings.set("key", "a text of a setting").unwrap());
    for id in [1, 200, 70_000] {
        assert!(probe.insert(id, "bolt", id as i64).status > 0);
    }
    let place = vector(&[0.0; 3]);
    let values = item("nut", 9, &place);
    let rows = [NewRow { id: Some(1 << 40), values: Seq::new(&values) }];
    let search = SearchRequest {
        table: "items",
        column: "place",
        query: &place,
        k: 3,
        filter: Seq::empty(),
        columns: Some(Seq::empty()),
    };
    let delete = DeleteRequest { table: "items", rows: RowSelector::One(1 << 40) };
    for (function, request) in [
        ("soch_read", encoded(&read_request(RowSelector::One(70_000)))),
        ("soch_read", encoded(&ReadRequest { limit: Some(0), ..read_request(RowSelector::ALL) })),
        ("vector_search", encoded(&search)),
        ("vector_search", encoded(&SearchRequest { columns: None, ..search })),
        (
            "index_lookup",
            encoded(&LookupRequest {
                limit: Some(0),
                ..lookup("by_stock", IndexQuery::Point(Seq::empty()))
            }),
        ),
        ("get_config", encoded(&"key")),
        ("soch_write", encoded(&insert_request(&rows))),
        ("soch_delete", encoded(&delete)),
    ] {
        // What fails does nothing, so that the same request is made again with one byte more.
        let mut named = None;
        for capacity in 0..200 {
            let answer = probe.raw(function, &request, capacity);
            if answer.failed().is_none() {
                assert_eq!(answer.response.len(), capacity as usize, "{function}");
                assert!(named.is_none_or(|named| named == capacity), "{function}: {named:?}");
                break;
            }
            assert_eq!(answer.failed(), Some(Status::BufferTooSmall), "{function} {capacity}");
            let (_, text) = probe.explain_into(function, &request, capacity);
            let needs = text.strip_prefix("the response needs ").unwrap();
            named = Some(needs.strip_suffix(" bytes").unwrap().parse::<u32>().unwrap());
            assert!(named > Some(capacity) && capacity < 199, "{function}: {text}");
        }
    }
}

impl Probe {
    /// As [`Probe::explain`], with a response of this capacity.
    fn explain_into(&mut self, name: &str, request: &[u8], capacity: u32) -> (i32, String) {
        let numbers = [REQUEST, request.len() as u32, RESPONSE, capacity];
        let answer = self.enter("explain", name, numbers, 1, request).unwrap().0;
        (answer.status, answer.decode::<&str>().to_string())
    }
}
