//! What a replay says when something is otherwise: each cause, made to happen, and its whole report.

use crate::watched;
use sochdb_wasmi::{
    abi::{
        Seq, Value,
        message::{Row, RowsResponse},
    },
    host::PluginConfig,
    replay::{Cause, Divergence, Replay, ReplayError, Replayer},
    trace::{Data, Event, HostCallEvent, Recorder},
};
use watched::{THRESHOLD, Watched, edited, int, limits, watch, watch_with};

/// A trace of `scan` over values of which one is above the threshold, then of `tell`.
pub(super) fn scanned() -> Vec<u8> {
    let mut watched = Watched::new(&[12, 345, -7]);
    assert_eq!(watched.call("scan", &[]).unwrap(), [1]);
    watched.call("tell", &int(-40_000)).unwrap();
    watched.trace()
}

pub(super) fn replayed(trace: &[u8]) -> Replay {
    Replayer::new().with_plugin(&watch()).replay(trace).unwrap()
}

pub(super) fn diverged(trace: &[u8]) -> Divergence {
    let replay = replayed(trace);
    assert!(!replay.is_exact());
    replay.divergences.into_iter().next().unwrap()
}

/// The response of a read of `readings`.
pub(super) fn rows(values: &[i64]) -> Vec<u8> {
    let values: Vec<[Value<'_>; 1]> = values.iter().map(|&value| [Value::Int(value)]).collect();
    let rows: Vec<Row<'_>> =
        values.iter().zip(1..).map(|(values, id)| Row { id, values: Seq::new(values) }).collect();
    watched::encoded(&RowsResponse { rows: Seq::new(&rows), next: None })
}

#[test]
fn the_recorded_plugin_replays_exactly() {
    let replay = replayed(&scanned());
    assert!(replay.is_exact(), "{replay}");
    assert_eq!(replay.calls, 2);
    assert_eq!(replay.exit_code(), 0);
}

#[test]
fn changed_threshold_is_reported_whole() {
    let lower = watch_with(&[(THRESHOLD, "10")]);
    let replayer = Replayer::new().with_plugin(&lower).with_changed_plugins();
    let replay = replayer.replay(scanned().as_slice()).unwrap();
    assert_eq!(replay.changed_plugins, ["watch"]);
    let report = &replay.divergences[0];
    assert_eq!(report.cause, Cause::PluginChanged);
    let text = report.to_string();
    let expected = "\
diverged at event 9, in call 1 (watch.scan), soch_write, at request.rows[0].value
  expected  345  [999175 fuel left]
            06616c65727473000001000102b205
  got       12  [999295 fuel left]
            06616c6572747300000100010218
  likely    plugin-changed: the plugin is not the module that was recorded
  before it
    #4 table: alerts of 1 columns
    #5 table: secrets of 1 columns
    #6 load: watch is plugin 0, module MODULE…
    #7 call in: watch.scan with 0 bytes, 1000000 fuel, t=0us
    #8 host call: soch_read readings, 15 bytes, 3 rows, fuel 526 of 999972, t=0us
";
    let module: String = sochdb_wasmi::trace::chain::module_hash(&watch())[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(text, expected.replace("MODULE", &module), "{text}");
}

#[test]
fn edited_input_is_found_where_it_is_used() {
    let trace = edited(&scanned(), |_, event, put| match event {
        Event::CallIn(call) if call.entry == "tell" => {
            let other = int(-41_000);
            put(Event::CallIn(sochdb_wasmi::trace::CallIn { input: Data::Full(&other), ..call }));
        }
        event => put(event),
    });
    let report = diverged(&trace);
    assert_eq!(report.cause, Cause::DifferentInput);
    assert_eq!(report.because, "the value is in the input");
    assert_eq!((report.call, report.entry.as_str()), (2, "tell"));
    assert_eq!(report.field.as_deref(), Some("request.rows[0].value"));
    assert_eq!((report.expected.value.as_str(), report.got.value.as_str()), ("-40000", "-41000"));
}

#[test]
fn edited_answer_is_found_where_it_is_used() {
    let trace = edited(&scanned(), |_, event, put| match event {
        Event::HostCall(call) if call.function.name() == Some("soch_read") => {
            let response = rows(&[12, 8123, -7]);
            let status = response.len() as i32;
            put(Event::HostCall(HostCallEvent { response: Data::Full(&response), status, ..call }));
        }
        event => put(event),
    });
    let report = diverged(&trace);
    assert_eq!(report.cause, Cause::DifferentAnswer);
    assert_eq!(report.because, "the value is in the answer of soch_read, #8");
    assert_eq!(report.function.as_deref(), Some("soch_write"));
    assert_eq!(report.field.as_deref(), Some("request.rows[0].value"));
    assert_eq!((report.expected.value.as_str(), report.got.value.as_str()), ("345", "8123"));
    // The varint is as long, so the fuel is the same.
    assert_eq!(report.expected.fuel_left, report.got.fuel_left);
}

#[test]
fn answer_that_leads_elsewhere_is_the_likely_cause() {
    // Nothing is above the threshold any more: the plugin logs in place of writing.
    let trace = edited(&scanned(), |_, event, put| match event {
        Event::HostCall(call) if call.function.name() == Some("soch_read") => {
            let response = rows(&[12, 13, -7]);
            let status = response.len() as i32;
            put(Event::HostCall(HostCallEvent { response: Data::Full(&response), status, ..call }));
        }
        event => put(event),
    });
    let report = diverged(&trace);
    assert_eq!(report.field.as_deref(), Some("function"));
    assert_eq!(
        (report.expected.value.as_str(), report.got.value.as_str()),
        (
            "soch_write with table = \"alerts\", mode = insert, columns = empty, rows[0].id = none, \
             rows[0].value = 345",
            "log_message with level = info, message = \"scanned\""
        )
    );
    assert_eq!(report.cause, Cause::DifferentAnswer);
    assert_eq!(report.because, "everything was equal up to the answer of soch_read, #8");
}

#[test]
fn edited_output_is_compared_byte_by_byte() {
    let trace = edited(&scanned(), |_, event, put| match event {
        Event::CallOut(call) if call.output.len() == 1 => {
            put(Event::CallOut(sochdb_wasmi::trace::CallOut { output: Data::Full(&[2]), ..call }));
        }
        event => put(event),
    });
    let report = diverged(&trace);
    assert_eq!(report.field.as_deref(), Some("output[0]"));
    assert_eq!((report.expected.hex.as_str(), report.got.hex.as_str()), ("02", "01"));
    assert_eq!(report.expected.fuel_left, report.got.fuel_left);
}

#[test]
fn other_fuel_alone_is_fuel() {
    let trace = edited(&scanned(), |_, event, put| match event {
        Event::HostCall(call) if call.function.name() == Some("soch_write") => {
            put(Event::HostCall(HostCallEvent { fuel_left: call.fuel_left + 5, ..call }));
        }
        event => put(event),
    });
    let report = diverged(&trace);
    assert_eq!((report.cause, report.field.as_deref()), (Cause::Fuel, Some("fuel")));
    let (expected, got) = (report.expected.fuel_left.unwrap(), report.got.fuel_left.unwrap());
    assert_eq!(expected, got + 5);
    assert_eq!(report.expected.value, expected.to_string());
}

#[test]
fn other_memory_alone_is_memory() {
    let trace = edited(&scanned(), |_, event, put| match event {
        Event::CallOut(call) if call.output.len() == 1 => {
            let mut memory = call.memory.unwrap();
            memory.0[0] ^= 1;
            put(Event::CallOut(sochdb_wasmi::trace::CallOut { memory: Some(memory), ..call }));
        }
        event => put(event),
    });
    let report = diverged(&trace);
    assert_eq!(report.cause, Cause::Memory);
    assert_eq!(report.field.as_deref(), Some("digest of linear memory"));
}

#[test]
fn growth_that_was_not_refused_then_is_memory() {
    let mut watched = Watched::new(&[]);
    assert_eq!(watched.call("grow", &[70]).unwrap(), [0]);
    assert_eq!(watched.call("grow", &[3]).unwrap(), [1]);
    let trace = watched.trace();
    assert!(replayed(&trace).is_exact(), "{}", replayed(&trace));
    // The module allows 64 pages, so the interpreter refuses 70 without asking. Under narrower
    // limits it asks.
    let limits = sochdb_wasmi::limits::Limits { memory_bytes: 3 << 16, ..limits() };
    let config = PluginConfig::new(watched::grants()).with_limits(limits);
    let mut watched = Watched::with(&watch(), &[], config, Recorder::growing());
    assert_eq!(watched.call("grow", &[3]).unwrap(), [0]);
    let trace = watched.trace();
    assert!(replayed(&trace).is_exact(), "{}", replayed(&trace));
    let without = edited(&trace, |_, event, put| match event {
        Event::Growth(_) => {}
        event => put(event),
    });
    let report = diverged(&without);
    assert_eq!(report.cause, Cause::Memory);
    assert!(report.got.value.contains("growth of linear memory to 327680 bytes"), "{report}");
}

#[test]
fn event_too_many_is_missing_and_event_too_few_is_extra() {
    let trace = scanned();
    let doubled = edited(&trace, |_, event, put| {
        put(event);
        if matches!(event, Event::HostCall(call) if call.function.name() == Some("log_message")) {
            put(event);
        }
    });
    let report = diverged(&doubled);
    assert_eq!(report.cause, Cause::Missing);
    assert_eq!(report.function.as_deref(), Some("log_message"));
    assert!(report.got.value.starts_with("call out: output of 1 bytes"), "{report}");

    // Before the end the fuel tells that it was put there.
    let doubled = edited(&trace, |_, event, put| {
        put(event);
        if matches!(event, Event::HostCall(call) if call.function.name() == Some("soch_write")) {
            put(event);
        }
    });
    let report = diverged(&doubled);
    assert_eq!((report.cause, report.field.as_deref()), (Cause::Missing, Some("function")));
    assert_eq!(report.because, "the recording has this later, as #11");

    let dropped = edited(&trace, |_, event, put| match event {
        Event::HostCall(call) if call.function.name() == Some("log_message") => {}
        event => put(event),
    });
    let report = diverged(&dropped);
    assert_eq!(report.cause, Cause::Extra);
    assert_eq!(report.got.value, "a call of log_message");
    assert_eq!(report.field.as_deref(), Some("event"));
}

#[test]
fn replay_goes_on_after_a_divergence_when_asked() {
    let lower = watch_with(&[("i32.const 900) (i32.const 64)", "i32.const 900) (i32.const 63)")]);
    let replayer = Replayer::new().with_plugin(&lower).with_changed_plugins().with_divergences(9);
    let replay = replayer.replay(scanned().as_slice()).unwrap();
    let calls: Vec<_> = replay.divergences.iter().map(|report| report.call).collect();
    assert_eq!(calls, [1, 2]);
    assert_eq!(replay.divergences[0].field.as_deref(), Some("response capacity"));
}

#[test]
fn wrong_module_is_refused_by_name() {
    let other = watch_with(&[(THRESHOLD, "10")]);
    let error = Replayer::new().with_plugin(&other).replay(scanned().as_slice()).unwrap_err();
    assert!(matches!(&error, ReplayError::WrongModule { plugin, .. } if plugin == "watch"));
}

/// Only the slice's time said that the call began late: the replay took the time of the first slice
/// for the begin of the call, saw no time pass and missed the deadline.
#[test]
fn call_that_runs_into_its_deadline_without_host_calls_replays() {
    let mut now = 0;
    let mut watched = Watched::new(&[]);
    let database = sochdb_wasmi::database::Database::in_memory(Default::default());
    let mut host = sochdb_wasmi::host::Host::new(
        sochdb_wasmi::host::HostConfig::default(),
        database,
        move || {
            now += 60_000;
            now
        },
    );
    let spin = replay_spin();
    let plugin = host.load("spin", &spin, &PluginConfig::default()).unwrap();
    host.record(Recorder::growing());
    host.call(plugin, "spin", &[]).unwrap_err();
    watched.host = host;
    let trace = watched.trace();
    let replay = Replayer::new().with_plugin(&spin).replay(trace.as_slice()).unwrap();
    assert!(replay.is_exact(), "{replay}");
}

fn replay_spin() -> Vec<u8> {
    wat::parse_str(
        r#"(module
            (memory (export "memory") 1)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
            (func (export "spin") (param i32) (result i32) (loop $again (br $again)) (i32.const 0)))"#,
    )
    .unwrap()
}
