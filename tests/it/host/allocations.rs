//! A host call allocates nothing once the buffers it works in have the size that they need.
//!
//! Each case is made 100 and 1,100 times in one call of the probe plugin; both must ask the
//! allocator as often, so that a thousand more host calls ask not once.

mod others;

use crate::{counting, support};
use core::fmt::{self, Write};

use counting::allocations;
use sochdb_wasmi::{
    abi::{
        Seq, Value,
        message::{
            Bound, Comparison, Condition, ConfigRequest, DeleteRequest, Format, IndexQuery,
            LastErrorRequest, LogLevel, LogRequest, LookupRequest, MetricKind, MetricRequest,
            NewRow, ReadRequest, RowSelector, SearchRequest, WriteMode, WriteRequest,
        },
        wire::Wire,
    },
    capability::{Capabilities, Globs},
    database::{ColumnType, TableSchema},
    host::PluginConfig,
    limits::Limits,
};
use support::*;

const FEW: u32 = 100;
const MANY: u32 = 1100;
const ROWS: u64 = 100;

fn unlimited() -> Limits {
    Limits {
        fuel_per_call: u64::MAX / 2,
        rows: u32::MAX,
        bytes: u64::MAX,
        host_calls: u32::MAX,
        ..roomy()
    }
}

/// A probe that may do everything but with the table `secret`, over [`ROWS`] items.
fn probe() -> Probe {
    probe_with(unlimited())
}

fn probe_with(limits: Limits) -> Probe {
    let mut host = host();
    for name in ["secret", "codes"] {
        let table = TableSchema::new(name).unwrap().column("code", ColumnType::Int).unwrap();
        host.database_mut().create_table(table).unwrap();
    }
    for id in 1..=ROWS {
        let place = vector(&[id as f32, 1.0, (id % 7) as f32]);
        let name = format!("item {}", id % 10);
        let values = [
            Value::Text(&name),
            Value::Int(id as i64),
            Value::Float(id as f64 / 4.0),
            Value::Binary(&place),
        ];
        host.database_mut().insert("items", Some(id), &values).unwrap();
    }
    let items = Globs::new(&["items", "codes", "nowhere"]).unwrap();
    let capabilities =
        Capabilities { can_read_table: items.clone(), can_write_table: items, ..everything() };
    let config =
        PluginConfig::new(capabilities).with_limits(limits).set("greeting", "hello").unwrap();
    Probe::with(host, config)
}

impl Probe {
    /// How often one call of the entry `repeat` allocates, and the status of its last host call.
    fn repeat(&mut self, name: &str, numbers: [u32; 4], times: u32, request: &[u8]) -> (u64, i32) {
        let input = input(function(name), numbers, times, request);
        let (count, outcome) = allocations(|| {
            self.host.call(self.plugin, "repeat", &input).map(|o| o.output.to_vec())
        });
        let output = outcome.unwrap();
        (count, i32::from_le_bytes(output.try_into().unwrap()))
    }

    #[track_caller]
    fn assert_numbers(&mut self, name: &str, numbers: [u32; 4], request: &[u8], expected: i32) {
        // The first call grows buffers to what many host calls in one call need.
        self.repeat(name, numbers, MANY, request);
        let (few, _) = self.repeat(name, numbers, FEW, request);
        let (many, status) = self.repeat(name, numbers, MANY, request);
        assert_eq!(status.min(0), expected, "{name} answered {status}");
        assert_eq!(few, many, "{name}: allocations of {FEW} and of {MANY} host calls");
    }

    /// The call, which ends with this status (0 for any success), allocates nothing.
    #[track_caller]
    fn assert_none<'a>(&mut self, name: &str, request: &impl Wire<'a>, expected: i32) {
        let request = encoded(request);
        let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
        self.assert_numbers(name, numbers, &request, expected);
    }
}

const ALL: ReadRequest<'_> = ReadRequest {
    table: "items",
    rows: RowSelector::ALL,
    columns: Seq::empty(),
    limit: None,
    format: Format::Rows,
};

#[test]
fn reading_allocates_nothing() {
    let mut probe = probe();
    let one = ReadRequest { rows: RowSelector::One(5), ..ALL };
    let list = ReadRequest { rows: RowSelector::List(Seq::new(&[1, 50, 7, 999, 2])), ..ALL };
    let some = ReadRequest { limit: Some(20), columns: Seq::new(&["stock", "name"]), ..ALL };
    for rows in [one, list, some, ALL] {
        probe.assert_none("soch_read", &rows, 0);
        probe.assert_none("soch_read", &ReadRequest { format: Format::Toon, ..rows }, 0);
    }
    probe.assert_none("soch_read", &ReadRequest { rows: RowSelector::One(999), ..ALL }, -2);
}

#[test]
fn changing_rows_allocates_nothing() {
    let mut probe = probe();
    let place = vector(&[9.0; 3]);
    let stock = [Value::Int(1000)];
    let whole = [Value::Text("a bolt"), Value::Int(2000), Value::Null, Value::Binary(&place)];
    let three = [10, 11, 12].map(|id| NewRow { id: Some(id), values: Seq::new(&[Value::Null]) });
    let mut write = |mode, columns: &[&str], rows: &[NewRow<'_>], status| {
        let request =
            WriteRequest { table: "items", mode, columns: Seq::new(columns), rows: Seq::new(rows) };
        probe.assert_none("soch_write", &request, status);
    };
    let row = |id, values| [NewRow { id: Some(id), values: Seq::new(values) }];
    write(WriteMode::Update, &["stock"], &row(4, &stock), 0);
    write(WriteMode::Update, &[], &row(5, &whole), 0);
    write(WriteMode::Upsert, &["price"], &three, 0);
    // An id that is taken, a value of a unique index that is taken, no such row, another type.
    write(WriteMode::Insert, &[], &row(5, &whole), -3);
    write(WriteMode::Update, &["stock"], &row(6, &stock), -3);
    write(WriteMode::Update, &["stock"], &row(999, &stock), -2);
    write(WriteMode::Update, &["name"], &row(4, &stock), -3);
}

/// So the count is not zero for want of counting.
#[test]
fn inserting_rows_does_allocate() {
    let mut probe = probe();
    let rows = [NewRow { id: None, values: Seq::new(&[Value::Int(7)]) }];
    let request = encoded(&WriteRequest {
        table: "codes",
        mode: WriteMode::Insert,
        columns: Seq::empty(),
        rows: Seq::new(&rows),
    });
    let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
    let (count, status) = probe.repeat("soch_write", numbers, MANY, &request);
    // Each row takes a buffer of its own in the store.
    assert!(status > 0 && count >= MANY.into(), "{count}");
}

#[test]
fn deleting_rows_that_are_not_there_allocates_nothing() {
    let mut probe = probe();
    for rows in [RowSelector::One(999), RowSelector::Range { from: 500, until: None }] {
        probe.assert_none("soch_delete", &DeleteRequest { table: "items", rows }, 0);
    }
}

#[test]
fn deleting_rows_allocates_nothing() {
    let mut probe = probe();
    let mut delete = |count: u64| {
        for id in 1001..1001 + count {
            let place = vector(&[1.0; 3]);
            let values = item("bolt", id as i64, &place);
            probe.host.database_mut().insert("items", Some(id), &values).unwrap();
        }
        let rows = RowSelector::Range { from: 1001, until: Some(1001 + count) };
        let request = encoded(&DeleteRequest { table: "items", rows });
        let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
        let (count, status) = probe.repeat("soch_delete", numbers, 1, &request);
        assert!(status > 0);
        count
    };
    // Both sizes, because a transaction takes its buffers from those of the ones before.
    delete(MANY.into());
    delete(FEW.into());
    assert_eq!(delete(FEW.into()), delete(MANY.into()));
}

#[test]
fn searching_vectors_allocates_nothing() {
    let mut probe = probe();
    let query = vector(&[3.0, 1.0, 4.0]);
    let cheap =
        [Condition { column: "price", comparison: Comparison::Less, value: Value::Float(10.0) }];
    let plain = SearchRequest {
        table: "items",
        column: "place",
        query: &query,
        k: 10,
        filter: Seq::empty(),
        columns: None,
    };
    probe.assert_none("vector_search", &plain, 0);
    let columns = Some(Seq::new(&["name", "place"]));
    let filtered = SearchRequest { filter: Seq::new(&cheap), columns, ..plain };
    probe.assert_none("vector_search", &filtered, 0);
    probe.assert_none("vector_search", &SearchRequest { column: "name", ..plain }, -3);
    probe.assert_none("vector_search", &SearchRequest { query: &query[..8], ..plain }, -3);
}

#[test]
fn looking_up_an_index_allocates_nothing() {
    let mut probe = probe();
    let (name, beginning, stock) =
        ([Value::Text("item 3")], [Value::Text("item")], [Value::Int(20)]);
    let range =
        IndexQuery::Range { lower: Bound::Excluded(Seq::new(&stock)), upper: Bound::Unbounded };
    for (index, query) in [
        ("by_name", IndexQuery::Point(Seq::new(&name))),
        ("by_name", IndexQuery::Prefix(Seq::new(&beginning))),
        ("by_stock", IndexQuery::Point(Seq::new(&stock))),
        ("by_stock", range),
    ] {
        for (columns, reverse, limit) in
            [(None, false, None), (Some(Seq::empty()), true, None), (None, true, Some(3))]
        {
            let table = "items";
            let request =
                LookupRequest { table, index, query, reverse, limit, after: None, columns };
            probe.assert_none("index_lookup", &request, 0);
        }
    }
    let (query, columns) = (range, None);
    let none = LookupRequest {
        table: "items",
        index: "by_smell",
        query,
        reverse: false,
        limit: None,
        after: None,
        columns,
    };
    probe.assert_none("index_lookup", &none, -2);
}

#[test]
fn metrics_of_known_series_allocate_nothing() {
    let mut probe = probe();
    let labels = [("room", "kitchen"), ("shelf", "3")];
    for (kind, name) in [
        (MetricKind::Counter, "things"),
        (MetricKind::Gauge, "level"),
        (MetricKind::Histogram, "seconds"),
    ] {
        for labels in [&labels[..0], &labels] {
            let request = MetricRequest { kind, name, labels: Seq::new(labels), value: 0.3 };
            probe.assert_none("emit_metric", &request, 0);
        }
    }
    let labels = [("shelf", "3"), ("room", "kitchen")];
    let request = MetricRequest {
        kind: MetricKind::Counter,
        name: "things",
        labels: Seq::new(&labels),
        value: 1.0,
    };
    probe.assert_none("emit_metric", &request, -3);
}

/// A logger that formats every message and keeps nothing of it.
struct Formats;

/// Takes any text.
struct Nowhere;

impl Write for Nowhere {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        Ok(())
    }
}

impl log::Log for Formats {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let _ = write!(Nowhere, "{} {}", record.target(), record.args());
    }

    fn flush(&self) {}
}

#[test]
fn logging_allocates_nothing() {
    log::set_logger(&Formats).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let mut probe = probe();
    let long = "a line\nand \u{202e}one more\0".repeat(100);
    for message in ["short", &long] {
        probe.assert_none("log_message", &LogRequest { level: LogLevel::Warn, message }, 0);
    }
}

#[test]
fn configuration_and_the_last_error_allocate_nothing() {
    let mut probe = probe();
    probe.assert_none("get_config", &ConfigRequest { key: "greeting" }, 0);
    probe.assert_none("get_config", &ConfigRequest { key: "farewell" }, -2);
    // Nothing failed before.
    probe.assert_none("last_error", &LastErrorRequest {}, -2);
}

#[test]
fn denied_calls_allocate_nothing() {
    let mut probe = probe();
    let secret = ReadRequest { table: "secret", ..ALL };
    probe.assert_none("soch_read", &secret, -1);
    probe.assert_none("soch_read", &ReadRequest { table: "not_a_table", ..ALL }, -1);
    probe.assert_none("soch_read", &ReadRequest { table: "nowhere", ..ALL }, -2);
    let delete = DeleteRequest { table: "secret", rows: RowSelector::ALL };
    probe.assert_none("soch_delete", &delete, -1);
}

#[test]
fn malformed_calls_allocate_nothing() {
    let mut probe = probe();
    for name in ["soch_read", "soch_write", "vector_search", "index_lookup", "emit_metric"] {
        let numbers = [REQUEST, 5, RESPONSE, RESPONSE_CAPACITY];
        probe.assert_numbers(name, numbers, b"\x05itemz", -3);
        probe.assert_numbers(name, [MEMORY - 2, 5, RESPONSE, 16], &[], -3);
        probe.assert_numbers(name, [REQUEST, 64, REQUEST + 10, 64], &[0; 128], -3);
    }
    let request = encoded(&ALL);
    let small = [REQUEST, request.len() as u32, RESPONSE, 8];
    probe.assert_numbers("soch_read", small, &request, -5);
}

#[test]
fn calls_over_a_quota_allocate_nothing() {
    let mut probe = probe_with(Limits { host_calls: 10, ..unlimited() });
    probe.assert_none("soch_read", &ALL, -6);
    let mut probe = probe_with(Limits { rows: 10, ..unlimited() });
    probe.assert_none("soch_read", &ALL, -6);
}

#[test]
fn a_whole_call_of_a_plugin_allocates_nothing() {
    let mut probe = probe();
    let request = encoded(&ALL);
    let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
    let input = input(function("soch_read"), numbers, 1, &request);
    let mut call = || allocations(|| probe.host.call(probe.plugin, "call", &input).is_ok());
    // The first one makes the interpreter's stack.
    call();
    assert_eq!(call(), (0, true));
}
