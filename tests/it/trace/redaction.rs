//! Redacted values do not leave the device: no byte string of theirs is in the trace, whatever they
//! were quoted in, and a plugin that only passes them on replays exactly.

use crate::{support, tracing};
use sochdb_wasmi::{
    abi::{
        Capability, Seq, Value,
        message::{
            Bound, Comparison, Condition, ConfigRequest, Format, IndexQuery, LogLevel, LogRequest,
            LookupRequest, MetricKind, MetricRequest, NewRow, ReadRequest, RowSelector,
            RowsResponse, SearchRequest, WriteMode, WriteRequest,
        },
        wire,
    },
    database::{ColumnType, Database, DistanceMetric, Storage, TableSchema},
    host::{Host, HostCallResult, HostConfig, HostFunction, HostFunctionContext, PluginConfig},
    replay::ReplayError,
    trace::{Event, HostCallEvent, Recorder, Redaction},
};
use support::*;
use tracing::*;

pub(super) const NAME: &str = "Wilhelmina Quarkenbusch";
pub(super) const WARD: &str = "ward seven";
pub(super) const TOKEN: &str = "token-4711-of-the-clinic";
pub(super) const VECTOR: [f32; 4] = [0.123_456, -7.891, 3.333_33, 42.424_2];
pub(super) const WEIGHT: f64 = 61.234_567;

pub(super) fn patients() -> TableSchema {
    TableSchema::new("patients")
        .and_then(|table| table.column("name", ColumnType::Text))
        .and_then(|table| table.column("ward", ColumnType::Text))
        .and_then(|table| table.nullable_column("weight", ColumnType::Float))
        .and_then(|table| table.vector("face", 4, DistanceMetric::Euclidean))
        .and_then(|table| table.index("by_name", &["name"]))
        .and_then(|table| table.index("by_ward", &["ward", "name"]))
        .unwrap()
}

pub(super) fn hospital() -> Host {
    let mut database = Database::in_memory(Default::default());
    database.create_table(patients()).unwrap();
    database.create_table(items()).unwrap();
    for id in 1..9 {
        database.insert("patients", Some(id), &patient(&vector(&VECTOR))).unwrap();
    }
    let mut host = Host::new(HostConfig::default(), database, ticking());
    host.register("lab", Echo).unwrap();
    host
}

pub(super) fn patient(face: &[u8]) -> [Value<'_>; 4] {
    [Value::Text(NAME), Value::Text(WARD), Value::Float(WEIGHT), Value::Binary(face)]
}

pub(super) fn secret_config() -> PluginConfig {
    config().set("token", TOKEN).unwrap()
}

pub(super) fn redaction(key: &[u8]) -> Redaction {
    Redaction::new(key)
        .column("patients", "name")
        .column("patients", "weight")
        .column("patients", "face")
        .config_key("token")
}

/// Answers what it is asked.
pub(super) struct Echo;

impl<S: Storage> HostFunction<S> for Echo {
    fn name(&self) -> &str {
        "echo"
    }

    fn capability(&self) -> Capability<'_> {
        Capability::Always
    }

    fn execute(
        &mut self,
        _: &mut HostFunctionContext<'_, S>,
        request: &[u8],
        response: &mut [u8],
    ) -> HostCallResult {
        match response.get_mut(..request.len()) {
            Some(target) => {
                target.copy_from_slice(request);
                HostCallResult::Success(request.len())
            }
            None => HostCallResult::BufferTooSmall { needed: request.len() },
        }
    }
}

type Requests = Vec<(&'static str, Vec<u8>)>;

fn secret_message() -> String {
    format!("{NAME} weighs {WEIGHT} and has the {TOKEN}")
}

fn lookups(requests: &mut Requests) {
    let name = [Value::Text(NAME)];
    let both = [Value::Text(WARD), Value::Text(NAME)];
    let point = IndexQuery::Point(Seq::new(&name));
    let range = IndexQuery::Range {
        lower: Bound::Included(Seq::new(&both)),
        upper: Bound::Included(Seq::new(&both)),
    };
    for (index, query) in [("by_name", point), ("by_ward", range), ("by_nothing", point)] {
        for columns in [None, Some(Seq::empty()), Some(Seq::new(&["ward", "name"][..]))] {
            for after in [None, Some(NAME.as_bytes())] {
                let request = LookupRequest {
                    table: "patients",
                    index,
                    query,
                    reverse: false,
                    limit: Some(2),
                    after,
                    columns,
                };
                requests.push(("index_lookup", encoded(&request)));
            }
        }
    }
}

fn others(requests: &mut Requests, face: &[u8]) {
    let filter = [
        Condition { column: "name", comparison: Comparison::Equal, value: Value::Text(NAME) },
        Condition { column: "weight", comparison: Comparison::Equal, value: Value::Float(WEIGHT) },
    ];
    requests.push((
        "vector_search",
        encoded(&SearchRequest {
            table: "patients",
            column: "face",
            query: face,
            k: 3,
            filter: Seq::new(&filter),
            columns: Some(Seq::empty()),
        }),
    ));
    requests.push(("get_config", encoded(&ConfigRequest { key: "token" })));
    let message = secret_message();
    let level = LogLevel::Info;
    requests.push(("log_message", encoded(&LogRequest { level, message: &message })));
    let labels = [("who", NAME)];
    let (kind, labels) = (MetricKind::Gauge, Seq::new(&labels));
    let name = "weight";
    requests.push(("emit_metric", encoded(&MetricRequest { kind, name, labels, value: WEIGHT })));
}

/// Quotes the secrets in all that a plugin can ask and be answered.
fn talk(probe: &mut Probe) {
    let face = vector(&VECTOR);
    let values = patient(&face);
    let rows = [NewRow { id: Some(77), values: Seq::new(&values) }];
    let write = |table, mode| {
        let (columns, rows) = (Seq::empty(), Seq::new(&rows));
        encoded(&WriteRequest { table, mode, columns, rows })
    };
    let mut requests: Requests = vec![
        ("soch_write", write("patients", WriteMode::Insert)),
        // It is there now.
        ("soch_write", write("patients", WriteMode::Insert)),
        ("soch_write", write("patients", WriteMode::Upsert)),
    ];
    for format in [Format::Rows, Format::Toon] {
        for (rows, columns) in [
            (RowSelector::ALL, Seq::empty()),
            (RowSelector::One(3), Seq::new(&["weight", "name"][..])),
            (RowSelector::List(Seq::new(&[1, 2, 99])), Seq::new(&["face", "ward"])),
        ] {
            let request = ReadRequest { table: "patients", rows, columns, limit: Some(6), format };
            requests.push(("soch_read", encoded(&request)));
        }
    }
    lookups(&mut requests);
    others(&mut requests, &face);
    // What is no request of the function's at all.
    for function in ["soch_read", "soch_write", "get_config", "index_lookup"] {
        requests.push((function, secret_message().into_bytes()));
        let cut = write("patients", WriteMode::Insert);
        requests.push((function, cut[..cut.len() - 9].to_vec()));
    }
    for (function, request) in requests {
        for capacity in [RESPONSE_CAPACITY, 0, 90, 300] {
            probe.raw(function, &request, capacity);
        }
        let numbers = [REQUEST, request.len() as u32, RESPONSE, 150];
        let _ = probe.enter("explain", function, numbers, 1, &request);
        let _ = probe.enter("call_then_fail", function, numbers, 1, &request);
    }
}

pub(super) fn secrets() -> Vec<Vec<u8>> {
    let face = vector(&VECTOR);
    let mut secrets = vec![
        NAME.as_bytes().to_vec(),
        TOKEN.as_bytes().to_vec(),
        WEIGHT.to_le_bytes().to_vec(),
        WEIGHT.to_string().into_bytes(),
    ];
    // Parts too: half of a value that did not fit is half too much.
    secrets.extend(NAME.as_bytes().windows(8).map(<[u8]>::to_vec));
    secrets.extend(TOKEN.as_bytes().windows(8).map(<[u8]>::to_vec));
    secrets.extend(face.windows(8).map(<[u8]>::to_vec));
    secrets
}

pub(super) fn holds(trace: &[u8], secret: &[u8]) -> bool {
    trace.windows(secret.len()).any(|part| part == secret)
}

pub(super) fn trace_with(recorder: Recorder) -> Vec<u8> {
    let mut probe = Probe::with(hospital(), secret_config());
    probe.host.record(recorder);
    talk(&mut probe);
    let (trace, audit) = taken(&mut probe.host);
    assert_audit(&trace, &audit);
    trace
}

#[test]
fn no_redacted_value_is_in_the_trace_wherever_it_was_quoted() {
    let open = trace_with(Recorder::buffer(64 << 20));
    let trace = trace_with(Recorder::buffer(64 << 20).with_redaction(redaction(b"a key")));
    for secret in secrets() {
        assert!(holds(&open, &secret), "{:?} was not even asked for", secret.escape_ascii());
        assert!(!holds(&trace, &secret), "{:?}", secret.escape_ascii().to_string());
    }
    // What was not chosen is there, and the lengths of all host calls are the same.
    assert!(holds(&trace, WARD.as_bytes()));
    let lengths = |trace: &[u8]| -> Vec<usize> {
        let frames = frames(trace);
        let calls = frames
            .iter()
            .filter(|frame| matches!(event(payload(trace, frame)).1, Event::HostCall(_)));
        calls.map(|frame| frame.len()).collect()
    };
    assert_eq!(lengths(&trace), lengths(&open));
    // It is whole, and only to be compared.
    assert!(read_all(&trace).is_ok());
    assert_eq!(replayed(&trace).unwrap_err(), ReplayError::Redacted);
    let digests = Recorder::buffer(64 << 20).with_redaction(redaction(b"a key"));
    let digests = trace_with(digests.with_digests_only());
    assert!(secrets().iter().all(|secret| !holds(&digests, secret)));
}

#[test]
fn the_same_key_gives_the_same_trace_and_another_key_another() {
    let trace = |key: &[u8]| trace_with(Recorder::buffer(64 << 20).with_redaction(redaction(key)));
    assert!(trace(b"a key") == trace(b"a key"));
    let (one, other) = (trace(b"a key"), trace(b"another"));
    let answers = |trace: &[u8]| -> Vec<Vec<u8>> {
        host_calls(trace, |call| call.response.bytes().unwrap_or_default().to_vec())
    };
    let (one_answers, other_answers) = (answers(&one), answers(&other));
    assert_eq!(one_answers.len(), other_answers.len());
    let same = one_answers.iter().zip(&other_answers).filter(|(a, b)| a == b && a.len() > 40);
    assert_eq!(same.count(), 0);
}

pub(super) fn host_calls<R>(trace: &[u8], mut with: impl FnMut(&HostCallEvent<'_>) -> R) -> Vec<R> {
    frames(trace)
        .iter()
        .filter_map(|frame| match event(payload(trace, frame)).1 {
            Event::HostCall(call) => Some(with(&call)),
            _ => None,
        })
        .collect()
}

/// Every kind of value of every length has a pseudonym that is such a value and as long.
#[test]
fn a_pseudonym_is_a_value_of_the_same_kind_and_length() {
    let schema = TableSchema::new("kinds")
        .and_then(|table| table.column("flag", ColumnType::Bool))
        .and_then(|table| table.column("int", ColumnType::Int))
        .and_then(|table| table.column("uint", ColumnType::UInt))
        .and_then(|table| table.column("float", ColumnType::Float))
        .and_then(|table| table.column("text", ColumnType::Text))
        .and_then(|table| table.column("bytes", ColumnType::Binary))
        .unwrap();
    let columns = ["flag", "int", "uint", "float", "text", "bytes"];
    let mut database = Database::in_memory(Default::default());
    database.create_table(schema).unwrap();
    for bit in 0..64_u32 {
        let text = "é".repeat(bit as usize * 2);
        let row = [
            Value::Bool(bit % 2 == 0),
            Value::Int((1_i64 << bit).wrapping_neg()),
            Value::UInt(u64::MAX >> bit),
            Value::Float(1.5 / f64::from(bit + 1)),
            Value::Text(&text),
            Value::Binary(text.as_bytes()),
        ];
        database.insert("kinds", Some(u64::from(bit) + 1), &row).unwrap();
    }
    let host = Host::new(HostConfig::default(), database, ticking());
    let mut probe = Probe::with(host, config());
    let chosen = columns.iter().fold(Redaction::new(b"k"), |r, column| r.column("kinds", column));
    probe.host.record(Recorder::buffer(1 << 20).with_redaction(chosen));
    let mut plain = Vec::new();
    for id in 1..=64 {
        let rows = RowSelector::One(id);
        let (table, columns, limit, format) = ("kinds", Seq::empty(), None, Format::Rows);
        plain.push(probe.call("soch_read", &ReadRequest { table, rows, columns, limit, format }));
    }
    let (trace, _) = taken(&mut probe.host);
    let mut texts = std::collections::BTreeSet::new();
    let redacted = host_calls(&trace, |call| call.response.bytes().unwrap().to_vec());
    assert_eq!(redacted.len(), 64);
    for (answer, redacted) in plain.iter().zip(&redacted) {
        assert_eq!(answer.response.len(), redacted.len());
        let before: RowsResponse<'_> = answer.decode();
        let after: RowsResponse<'_> = wire::decode(redacted).unwrap();
        let (before, after) =
            (before.rows.iter().next().unwrap(), after.rows.iter().next().unwrap());
        assert_eq!(before.id, after.id);
        for (before, after) in before.values.iter().zip(after.values.iter()) {
            assert_eq!(before.kind(), after.kind());
            assert_eq!(encoded(&before).len(), encoded(&after).len());
            match (before, after) {
                (Value::Text(before), Value::Text(after)) if !before.is_empty() => {
                    assert_ne!(before, after);
                    texts.insert(after.to_string());
                }
                (_, Value::Float(after)) => assert!((1.0..2.0).contains(&after)),
                _ => {}
            }
        }
    }
    assert_eq!(texts.len(), 63, "different values, different pseudonyms");
}
