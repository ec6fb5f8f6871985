//! What a plugin may do, what happens when it asks for more, and the record of both.

use crate::support;
use std::sync::{Arc, Mutex};

use sochdb_wasmi::{
    abi::{
        Seq, Status, Value,
        message::{
            DeleteRequest, IndexQuery, LogLevel, LogRequest, LookupRequest, MetricKind,
            MetricRequest, NewRow, ReadRequest, RowSelector, SearchRequest,
        },
    },
    audit::{AuditEntry, AuditSink},
    capability::{Capabilities, Globs},
    database::{ColumnType, TableSchema},
    host::{CallError, OnDenied, PluginConfig},
    limits::{Limit, LimitExceeded, Limits},
};
use support::*;

/// One valid request of each function that needs a capability.
fn requests() -> Vec<(&'static str, Vec<u8>)> {
    let place = vector(&[0.0; 3]);
    let values = item("bolt", 1, &place);
    let rows = [NewRow { id: None, values: Seq::new(&values) }];
    vec![
        ("soch_read", encoded(&read_request(RowSelector::ALL))),
        ("soch_write", encoded(&insert_request(&rows))),
        ("soch_delete", encoded(&DeleteRequest { table: "items", rows: RowSelector::One(1) })),
        (
            "vector_search",
            encoded(&SearchRequest {
                table: "items",
                column: "place",
                query: &place,
                k: 1,
                filter: Seq::empty(),
                columns: None,
            }),
        ),
        (
            "index_lookup",
            encoded(&LookupRequest {
                table: "items",
                index: "by_name",
                query: IndexQuery::Point(Seq::empty()),
                reverse: false,
                limit: None,
                after: None,
                columns: None,
            }),
        ),
    ]
}

fn allowed(capabilities: Capabilities) -> Vec<&'static str> {
    let mut probe = Probe::with_capabilities(capabilities);
    requests()
        .into_iter()
        .filter(|(name, request)| {
            let answer = probe.raw(name, request, RESPONSE_CAPACITY);
            assert!(answer.status >= 0 || answer.failed() == Some(Status::PermissionDenied));
            answer.status >= 0
        })
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn without_grants_only_the_harmless_functions_work() {
    assert_eq!(allowed(Capabilities::default()), [""; 0]);
    let mut probe = Probe::with_capabilities(Capabilities::observability_only());
    assert_eq!(probe.raw("emit_metric", b"\x00\x05hello\x00\0\0\0\0\0\0\xf0\x3f", 0).status, 0);
    assert_eq!(probe.raw("log_message", b"\x00\x02hi", 0).status, 0);
    assert_eq!(probe.raw("get_config", b"\x01k", 9).failed(), Some(Status::NotFound));
}

#[test]
fn each_function_needs_exactly_its_capability() {
    let globs = |patterns: &[&str]| Globs::new(patterns).unwrap();
    let none = Capabilities::default();
    let read = Capabilities { can_read_table: globs(&["items"]), ..none.clone() };
    let write = Capabilities { can_write_table: globs(&["it*"]), ..none.clone() };
    assert_eq!(allowed(read.clone()), ["soch_read"]);
    assert_eq!(allowed(write), ["soch_write", "soch_delete"]);
    let vectors = Capabilities { can_vector_search: true, ..read.clone() };
    assert_eq!(allowed(vectors), ["soch_read", "vector_search"]);
    let index = Capabilities { can_index_search: true, ..read };
    assert_eq!(allowed(index), ["soch_read", "index_lookup"]);
    // Search without read on the table is not enough.
    let blind = Capabilities { can_vector_search: true, can_index_search: true, ..none };
    assert_eq!(allowed(blind), [""; 0]);
    assert_eq!(
        allowed(Capabilities::read_only(&["items"]).unwrap()),
        ["soch_read", "vector_search", "index_lookup"]
    );
}

#[test]
fn a_plugin_cannot_tell_a_missing_table_from_one_it_may_not_read() {
    let mut probe = Probe::with_capabilities(Capabilities::read_only(&["weather"]).unwrap());
    let denied = |probe: &mut Probe, table: &str| {
        let request = encoded(&ReadRequest { table, ..read_request(RowSelector::ALL) });
        probe.explain("soch_read", &request)
    };
    let (exists, text) = denied(&mut probe, "items");
    let (missing, same_text) = denied(&mut probe, "nothing");
    assert_eq!((exists, missing), (Some(Status::PermissionDenied), Some(Status::PermissionDenied)));
    // Nor from what last_error says.
    assert_eq!(text.replace("items", "nothing"), same_text);
    let (granted, _) = denied(&mut probe, "weather");
    assert_eq!(granted, Some(Status::NotFound));
}

#[test]
fn a_table_that_is_made_later_is_found_then() {
    let mut probe = Probe::new();
    let request = encoded(&ReadRequest { table: "later", ..read_request(RowSelector::ALL) });
    for _ in 0..2 {
        assert_eq!(probe.explain("soch_read", &request).0, Some(Status::NotFound));
    }
    let schema = TableSchema::new("later").unwrap().column("n", ColumnType::Int).unwrap();
    probe.host.database_mut().create_table(schema).unwrap();
    assert!(probe.raw("soch_read", &request, 100).status > 0);
}

#[test]
fn a_denied_call_can_end_the_plugins_call() {
    let config = PluginConfig::new(Capabilities::default())
        .with_limits(roomy())
        .with_on_denied(OnDenied::Trap);
    let mut probe = Probe::with(host(), config);
    let (name, request) = requests().remove(0);
    let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
    match probe.enter("call", name, numbers, 1, &request).unwrap_err() {
        CallError::Denied { reason } => {
            assert!(reason.contains("can_read_table"), "{reason}");
            assert!(reason.contains("items"), "{reason}");
        }
        other => panic!("{other}"),
    }
    let entry = probe.host.audit().iter().last().unwrap();
    assert_eq!(entry.status, Status::PermissionDenied.code());
}

#[test]
fn every_call_leaves_one_audit_entry_the_denied_and_malformed_too() {
    let mut probe = Probe::with_capabilities(Capabilities::read_only(&["items"]).unwrap());
    let [read, write, ..] = &requests()[..] else { panic!() };
    probe.raw(read.0, &read.1, 100);
    probe.raw(write.0, &write.1, 100);
    probe.raw("soch_read", b"\xff", 100);
    probe.raw("soch_read", &read.1, 0xffff_ffff);
    let entries: Vec<AuditEntry> = probe.host.audit().iter().cloned().collect();
    let table = |entry: &AuditEntry| entry.table.as_ref().map(|name| name.to_string());
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| {
            (
                entry.sequence,
                entry.function.name().unwrap(),
                table(entry),
                entry.status,
                entry.bytes_in,
                entry.bytes_out,
            )
        })
        .collect();
    let items = || Some("items".to_string());
    assert_eq!(
        seen,
        [
            (1, "soch_read", items(), 2, read.1.len() as u32, 2),
            (2, "soch_write", items(), -1, write.1.len() as u32, 0),
            (3, "soch_read", None, -3, 1, 0),
            (4, "soch_read", None, -3, read.1.len() as u32, 0),
        ]
    );
    let line = probe.host.describe(&entries[1]).to_string();
    assert!(line.contains("probe soch_write table=items status=-1 (permission denied)"), "{line}");
}

/// A plugin without grants could push its own denial out of the audit log with 256 log messages.
#[test]
fn a_plugin_cannot_push_its_own_denial_out_of_the_audit_log() {
    let mut probe = Probe::with_capabilities(Capabilities::default());
    let denied = read_request(RowSelector::One(1));
    assert_eq!(probe.call("soch_read", &denied).failed(), Some(Status::PermissionDenied));
    let message = encoded(&LogRequest { level: LogLevel::Info, message: "hi" });
    let numbers = [REQUEST, message.len() as u32, RESPONSE, 0];
    probe.enter("repeat", "log_message", numbers, 900, &message).unwrap();
    let first = probe.host.audit().iter().next().unwrap();
    assert_eq!((first.sequence, first.status), (1, Status::PermissionDenied.code()));
    assert_eq!(first.table.as_deref(), Some("items"));
    assert_eq!(probe.host.audit().iter().count(), 256);
}

/// A plugin without grants wrote 27 MB of escaped log lines in one call. Messages are limited for each
/// call, and so are their bytes as they are printed: a control character of one byte takes five.
#[test]
fn log_messages_are_limited_by_number_and_by_bytes_as_they_are_printed() {
    let refused = |limits: Limits, message: &str, times: u32, expected: &str| {
        let config = PluginConfig::new(Capabilities::default()).with_limits(limits);
        let mut probe = Probe::with(host(), config);
        let request = encoded(&LogRequest { level: LogLevel::Info, message });
        let numbers = [REQUEST, request.len() as u32, RESPONSE, 0];
        // Each call has all of it again.
        for _ in 0..2 {
            let answer = |times: u32, probe: &mut Probe| {
                probe.enter("repeat", "log_message", numbers, times, &request).unwrap().0.status
            };
            assert_eq!(answer(times, &mut probe), 0);
            assert_eq!(answer(times + 1, &mut probe), Status::LimitExceeded.code());
        }
        let quota = LimitExceeded { limit: Limit::LogMessages, allowed: 0, asked: 1 };
        let none = Limits { log_messages: 0, ..limits };
        let config = PluginConfig::new(Capabilities::default()).with_limits(none);
        let (status, text) = Probe::with(host(), config).explain("log_message", &request);
        assert_eq!((status, text), (Some(Status::LimitExceeded), quota.to_string()));
        let none = Limits { log_bytes: 0, ..limits };
        let config = PluginConfig::new(Capabilities::default()).with_limits(none);
        let (status, text) = Probe::with(host(), config).explain("log_message", &request);
        assert_eq!((status, text), (Some(Status::LimitExceeded), expected.to_owned()));
    };
    let text = |asked: u64| LimitExceeded { limit: Limit::LogBytes, allowed: 0, asked }.to_string();
    refused(Limits { log_messages: 7, ..roomy() }, "hello", 7, &text(5));
    refused(Limits { log_bytes: 50, ..roomy() }, "hello", 10, &text(5));
    refused(Limits { log_bytes: 50, ..roomy() }, "\u{1}", 10, &text(5));
    refused(Limits { log_bytes: 50, ..roomy() }, "\u{202e}", 6, &text(8));
    // 512 bytes are kept of each message, and the mark of the cut is counted.
    let long = "a".repeat(600);
    refused(Limits { log_bytes: 2 * 526, ..roomy() }, &long, 2, &text(526));
    // The defaults bound one call to 64 KiB.
    let long = "\u{1}".repeat(512);
    refused(Limits::default(), &long, (64 << 10) / (512 * 5), &text(512 * 5));
}

/// One plugin took all series of metrics, and the metrics of all others were dropped.
#[test]
fn one_plugin_cannot_take_the_metric_series_of_all() {
    let mut probe = Probe::with_capabilities(Capabilities::default());
    let other = probe.host.load("other", &probe_wasm(), &PluginConfig::default()).unwrap();
    let emit = |probe: &mut Probe, name: &str| {
        let request =
            MetricRequest { kind: MetricKind::Gauge, name, labels: Seq::new(&[]), value: 1.0 };
        probe.explain("emit_metric", &encoded(&request))
    };
    let series = Limits::DEFAULT.metric_series;
    for at in 0..series {
        assert_eq!(emit(&mut probe, &format!("m{at}")).0, None);
    }
    let exceeded = LimitExceeded {
        limit: Limit::PluginMetricSeries,
        allowed: series.into(),
        asked: u64::from(series) + 1,
    };
    let (status, text) = emit(&mut probe, "one_more");
    assert_eq!(status, Some(Status::LimitExceeded));
    assert!(text.contains(&exceeded.to_string()), "{text}");
    // A known one goes on, and the other plugin has its own.
    assert_eq!(emit(&mut probe, "m0").0, None);
    probe.plugin = other;
    assert_eq!(emit(&mut probe, "m0").0, None);
    let mut text = String::new();
    probe.host.render_metrics(&mut text).unwrap();
    assert!(text.contains("\nsochdb_metric_series_dropped_total 2\n"), "{text}");
}

#[test]
fn audit_counts_rows_and_the_sink_gets_what_the_ring_forgets() {
    struct Sink(Arc<Mutex<Vec<AuditEntry>>>);
    impl AuditSink for Sink {
        fn record(&mut self, entry: &AuditEntry) {
            self.0.lock().unwrap().push(entry.clone());
        }
    }
    let streamed = Arc::new(Mutex::new(Vec::new()));
    let mut probe = Probe::new();
    probe.host.set_audit_sink(Sink(streamed.clone()));
    for id in 1..=300 {
        probe.insert(id, "bolt", id as i64);
    }
    probe.call("soch_read", &ReadRequest { limit: Some(12), ..read_request(RowSelector::ALL) });
    let audit = probe.host.audit();
    assert_eq!((audit.len(), audit.overwritten()), (256, 45));
    assert_eq!(audit.iter().last().unwrap().rows, 12);
    let streamed = streamed.lock().unwrap();
    assert_eq!(streamed.len(), 301);
    assert!(streamed.iter().zip(1..).all(|(entry, sequence)| entry.sequence == sequence));
    assert_eq!(streamed.last(), audit.iter().last());
}

#[test]
fn config_is_the_plugins_own_and_typed() {
    let config = |threshold: f64| {
        PluginConfig::default().with_limits(roomy()).set("threshold", threshold).unwrap()
    };
    let mut probe = Probe::with(host(), config(1.5));
    let other = probe.host.load("other", &probe_wasm(), &config(2.5)).unwrap();
    let value = |probe: &mut Probe| match probe.raw("get_config", b"\x09threshold", 100).decode() {
        Value::Float(value) => value,
        other => panic!("{other:?}"),
    };
    assert_eq!(value(&mut probe), 1.5);
    probe.plugin = other;
    assert_eq!(value(&mut probe), 2.5);
    assert!(PluginConfig::default().set("", 1_i64).is_err());
    assert!(PluginConfig::default().set(&"k".repeat(65), 1_i64).is_err());
}
