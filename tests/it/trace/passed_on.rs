//! Plugins that pass redacted values on: their traces replay exactly, and a divergence from redaction says so.

use super::redaction::*;
use crate::{support, tracing};
use sochdb_wasmi::{
    abi::{
        Seq, Value,
        message::{
            ConfigRequest, Format, IndexQuery, LookupRequest, NewRow, ReadRequest, RowSelector,
            RowsResponse, WriteMode, WriteRequest,
        },
        wire,
    },
    replay::Cause,
    trace::{Data, Recorder},
};
use support::*;
use tracing::*;

/// The text of the plugin, with places for its requests.
macro_rules! passing_on_wat {
    () => {
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
                (i32.const 0)))"#
    };
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
        passing_on_wat!(),
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
