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
    database::{ColumnType, Database, Metric, Storage, TableSchema},
    host::{Host, HostCallResult, HostConfig, HostFunction, HostFunctionContext, PluginConfig},
    replay::{Cause, ReplayError},
    trace::{Data, Event, HostCallEvent, Recorder, Redaction},
};
use support::*;
use tracing::*;

const NAME: &str = "Wilhelmina Quarkenbusch";
const WARD: &str = "ward seven";
const TOKEN: &str = "token-4711-of-the-clinic";
const VECTOR: [f32; 4] = [0.123_456, -7.891, 3.333_33, 42.424_2];
const WEIGHT: f64 = 61.234_567;

fn patients() -> TableSchema {
    TableSchema::new("patients")
        .and_then(|table| table.column("name", ColumnType::Text))
        .and_then(|table| table.column("ward", ColumnType::Text))
        .and_then(|table| table.nullable_column("weight", ColumnType::Float))
        .and_then(|table| table.vector("face", 4, Metric::Euclidean))
        .and_then(|table| table.index("by_name", &["name"]))
        .and_then(|table| table.index("by_ward", &["ward", "name"]))
        .unwrap()
}

fn hospital() -> Host {
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

fn patient(face: &[u8]) -> [Value<'_>; 4] {
    [Value::Text(NAME), Value::Text(WARD), Value::Float(WEIGHT), Value::Binary(face)]
}

fn secret_config() -> PluginConfig {
    config().set("token", TOKEN).unwrap()
}

fn redaction(key: &[u8]) -> Redaction {
    Redaction::new(key)
        .column("patients", "name")
        .column("patients", "weight")
        .column("patients", "face")
        .config_key("token")
}

/// Answers what it is asked.
struct Echo;

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

/// Quotes the secrets in all that a plugin can ask and be answered.
fn talk(probe: &mut Probe) {
    let face = vector(&VECTOR);
    let values = patient(&face);
    let rows = [NewRow { id: Some(77), values: Seq::new(&values) }];
    let write = |table, mode| {
        let (columns, rows) = (Seq::empty(), Seq::new(&rows));
        encoded(&WriteRequest { table, mode, columns, rows })
    };
    let mut requests = vec![
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
    let filter = [
        Condition { column: "name", comparison: Comparison::Equal, value: Value::Text(NAME) },
        Condition { column: "weight", comparison: Comparison::Equal, value: Value::Float(WEIGHT) },
    ];
    requests.push((
        "vector_search",
        encoded(&SearchRequest {
            table: "patients",
            column: "face",
            query: &face,
            k: 3,
            filter: Seq::new(&filter),
            columns: Some(Seq::empty()),
        }),
    ));
    requests.push(("get_config", encoded(&ConfigRequest { key: "token" })));
    let message = format!("{NAME} weighs {WEIGHT} and has the {TOKEN}");
    let level = LogLevel::Info;
    requests.push(("log_message", encoded(&LogRequest { level, message: &message })));
    let labels = [("who", NAME)];
    let (kind, labels) = (MetricKind::Gauge, Seq::new(&labels));
    let name = "weight";
    requests.push(("emit_metric", encoded(&MetricRequest { kind, name, labels, value: WEIGHT })));
    // What is no request of the function's at all.
    for function in ["soch_read", "soch_write", "get_config", "index_lookup"] {
        requests.push((function, message.as_bytes().to_vec()));
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

fn secrets() -> Vec<Vec<u8>> {
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

fn holds(trace: &[u8], secret: &[u8]) -> bool {
    trace.windows(secret.len()).any(|part| part == secret)
}

fn trace_with(recorder: Recorder) -> Vec<u8> {
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

fn host_calls<R>(trace: &[u8], mut with: impl FnMut(&HostCallEvent<'_>) -> R) -> Vec<R> {
    frames(trace)
        .iter()
        .filter_map(|frame| match event(payload(trace, frame)).1 {
            Event::HostCall(call) => Some(with(&call)),
            _ => None,
        })
        .collect()
}

/// A plugin that reads a name, looks it up, writes it into another row, logs it and answers a length.
fn passing_on() -> Vec<u8> {
    let hex =
        |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("\\{byte:02x}")).collect() };
    let name = ["name"];
    let read = encoded(&ReadRequest {
        table: "patients",
        rows: RowSelector::One(1),
        columns: Seq::new(&name),
        limit: None,
        format: Format::Rows,
    });
    // Everything before the value, which is one byte for null.
    let null = [Value::Null];
    let rows = [NewRow { id: Some(2), values: Seq::new(&null) }];
    let mut write = encoded(&WriteRequest {
        table: "patients",
        mode: WriteMode::Update,
        columns: Seq::new(&name),
        rows: Seq::new(&rows),
    });
    write.pop();
    let lookup = encoded(&LookupRequest {
        table: "patients",
        index: "by_name",
        query: IndexQuery::Point(Seq::new(&null)),
        reverse: false,
        limit: None,
        after: None,
        columns: None,
    });
    // reverse, limit, after and columns are four zeros.
    let lookup = &lookup[..lookup.len() - 5];
    let config = encoded(&ConfigRequest { key: "token" });
    wat::parse_str(format!(
        r#"(module
            (import "sochdb" "soch_read" (func $read (param i32 i32 i32 i32) (result i32)))
            (import "sochdb" "soch_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "sochdb" "index_lookup" (func $lookup (param i32 i32 i32 i32) (result i32)))
            (import "sochdb" "get_config" (func $config (param i32 i32 i32 i32) (result i32)))
            (import "sochdb" "log_message" (func $log (param i32 i32 i32 i32) (result i32)))
            (import "lab" "echo" (func $echo (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
            (data (i32.const 1024) "{read}")
            (data (i32.const 2048) "{write}")
            (data (i32.const 3072) "{lookup}")
            (data (i32.const 4096) "{config}")
            (func $copy (param $to i32) (param $from i32) (param $len i32)
                (loop $again
                    (if (local.get $len) (then
                        (i32.store8 (local.get $to) (i32.load8_u (local.get $from)))
                        (local.set $to (i32.add (local.get $to) (i32.const 1)))
                        (local.set $from (i32.add (local.get $from) (i32.const 1)))
                        (local.set $len (i32.sub (local.get $len) (i32.const 1)))
                        (br $again)))))
            (func (export "run") (param i32) (result i32)
                (local $value i32)
                ;; The rows' count, the id, the values' count before it; no continuation behind it.
                (local.set $value (i32.sub
                    (call $read (i32.const 1024) (i32.const {read_len}) (i32.const 8192) (i32.const 900))
                    (i32.const 4)))
                (call $copy (i32.const {write_end}) (i32.const 8195) (local.get $value))
                (drop (call $write (i32.const 2048)
                    (i32.add (i32.const {write_len}) (local.get $value))
                    (i32.const 9216) (i32.const 100)))
                (call $copy (i32.const {lookup_end}) (i32.const 8195) (local.get $value))
                (i32.store (i32.add (i32.const {lookup_end}) (local.get $value)) (i32.const 0))
                (drop (call $lookup (i32.const 3072)
                    (i32.add (i32.const {lookup_len_4}) (local.get $value))
                    (i32.const 9216) (i32.const 500)))
                (drop (call $config (i32.const 4096) (i32.const {config_len})
                    (i32.const 10240) (i32.const 100)))
                ;; A level before the text of the value.
                (i32.store8 (i32.const 11264) (i32.const 1))
                (call $copy (i32.const 11265) (i32.const 8196) (local.get $value))
                (drop (call $log (i32.const 11264) (local.get $value) (i32.const 0) (i32.const 0)))
                (drop (call $echo (i32.const 8195) (local.get $value) (i32.const 12288) (i32.const 100)))
                (i32.store (i32.const 512) (local.get $value))
                (i32.const 4))
            ;; Does something else for a name that begins with W.
            (func (export "decide") (param i32) (result i32)
                (drop (call $read (i32.const 1024) (i32.const {read_len}) (i32.const 8192) (i32.const 900)))
                (if (i32.eq (i32.load8_u (i32.const 8197)) (i32.const 87)) (then
                    (drop (call $config (i32.const 4096) (i32.const {config_len})
                        (i32.const 10240) (i32.const 100)))))
                (i32.const 0)))"#,
        read = hex(&read),
        write = hex(&write),
        lookup = hex(lookup),
        config = hex(&config),
        read_len = read.len(),
        write_len = write.len(),
        write_end = 2048 + write.len(),
        lookup_end = 3072 + lookup.len(),
        lookup_len_4 = lookup.len() + 4,
        config_len = config.len(),
    ))
    .unwrap()
}

fn passed_on(entry: &str, recorder: Recorder) -> Vec<u8> {
    let wasm = passing_on();
    let mut host = hospital();
    let plugin = host.load("passing", &wasm, &secret_config()).unwrap();
    host.record(recorder);
    host.call(plugin, entry, b"an input").unwrap();
    let (trace, audit) = taken(&mut host);
    assert_audit(&trace, &audit);
    trace
}

#[test]
fn a_plugin_that_only_passes_values_on_replays_exactly() {
    let recorder = || Recorder::buffer(1 << 20).with_redaction(redaction(b"key").keep_inputs());
    let trace = passed_on("run", recorder());
    assert!(secrets().iter().all(|secret| !holds(&trace, secret)));
    let statuses = host_calls(&trace, |call| (call.function.name(), call.status < 0));
    assert_eq!(statuses.len(), 6);
    assert!(statuses.iter().all(|(_, failed)| !failed), "{statuses:?}");
    let replay = assert_exact(&trace, &[&passing_on()]);
    assert!(replay.redacted);
    // Equal values have equal pseudonyms, and are still texts.
    let quoted =
        host_calls(&trace, |call| match (call.function.name(), call.request, call.response) {
            (Some("soch_read"), _, Data::Full(bytes)) => {
                let rows: RowsResponse<'_> = wire::decode(bytes).unwrap();
                let row = rows.rows.iter().next().unwrap();
                let Some(Value::Text(text)) = row.values.iter().next() else { panic!() };
                Some(text.to_string())
            }
            (Some("soch_write"), Data::Full(bytes), _) => {
                let write: WriteRequest<'_> = wire::decode(bytes).unwrap();
                let row = write.rows.iter().next().unwrap();
                let Some(Value::Text(text)) = row.values.iter().next() else { panic!() };
                Some(text.to_string())
            }
            (Some("index_lookup"), Data::Full(bytes), _) => {
                let lookup: LookupRequest<'_> = wire::decode(bytes).unwrap();
                let IndexQuery::Point(values) = lookup.query else { panic!() };
                let Some(Value::Text(text)) = values.iter().next() else { panic!() };
                Some(text.to_string())
            }
            _ => None,
        });
    let quoted: Vec<_> = quoted.into_iter().flatten().collect();
    assert_eq!(quoted.len(), 3);
    assert!(quoted.iter().all(|text| *text == quoted[0] && text.len() == NAME.len()));
    // With outputs kept too, as this plugin's hold no value.
    let kept = redaction(b"key").keep_inputs().keep_outputs();
    let trace = passed_on("run", Recorder::buffer(1 << 20).with_redaction(kept));
    assert_exact(&trace, &[&passing_on()]);
}

#[test]
fn a_divergence_that_may_come_from_redaction_says_so() {
    let kept = redaction(b"key").keep_inputs();
    let trace = passed_on("decide", Recorder::buffer(1 << 20).with_redaction(kept));
    let wasm = passing_on();
    let replay =
        sochdb_wasmi::replay::Replayer::new().with_plugin(&wasm).replay(&trace[..]).unwrap();
    let [divergence] = replay.divergences.as_slice() else { panic!("{replay:?}") };
    assert_eq!(divergence.cause, Cause::Redaction);
    assert!(divergence.to_string().contains("redacted"));
    // Without redaction there is none.
    assert_exact(&passed_on("decide", Recorder::buffer(1 << 20)), &[&wasm]);
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
