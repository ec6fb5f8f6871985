//! Two traces compared, and one looked at: `diff`, `stats` and `verify`.

use crate::watched;
use sochdb_wasmi::{
    host::PluginConfig,
    replay::{Cause, Diff, DiffOptions, Divergence, diff, stats, verify},
    trace::{CallOut, Data, Event, HostCallEvent, Mode, Recorder, TraceError},
};
use watched::{THRESHOLD, Watched, edited, grants, int, limits, watch, watch_with};

/// A trace of `scan`, `tell`, `tell` over these values.
fn job(values: &[i64], told: &[i64], recorder: Recorder, wasm: &[u8]) -> Vec<u8> {
    let config = PluginConfig::new(grants()).with_limits(limits());
    let mut watched = Watched::with(wasm, values, config, recorder);
    watched.call("scan", &[]).unwrap();
    for &value in told {
        watched.call("tell", &int(value)).unwrap();
    }
    watched.trace()
}

const VALUES: &[i64] = &[12, 345, -7];

fn base() -> Vec<u8> {
    job(VALUES, &[1, 2, 3], Recorder::growing(), &watch())
}

fn compared(a: &[u8], b: &[u8]) -> Diff {
    diff(a, b, DiffOptions::default()).unwrap()
}

fn differs(a: &[u8], b: &[u8]) -> Divergence {
    compared(a, b).divergence.unwrap()
}

#[test]
fn trace_is_the_same_as_itself() {
    let found = compared(&base(), &base());
    assert!(found.is_same(), "{found:?}");
    assert_eq!(found.calls, 4);
    assert!(found.hosts.is_empty());
}

#[test]
fn digests_are_compared_with_bytes_and_with_digests() {
    let full = base();
    let digests = job(VALUES, &[1, 2, 3], Recorder::growing().with_digests_only(), &watch());
    let found = compared(&full, &digests);
    assert!(found.is_same(), "{found:?}");
    assert_eq!(found.hosts, ["mode: full and digest"]);
    assert!(compared(&digests, &digests).is_same());
    let other = Recorder::growing().with_digests_only();
    let other = job(&[12, 346, -7], &[1, 2, 3], other, &watch());
    for left in [&full, &digests] {
        let report = differs(left, &other);
        assert_eq!(report.cause, Cause::DifferentAnswer);
        assert_eq!(report.function.as_deref(), Some("soch_read"));
        assert_eq!(report.field.as_deref(), Some("response"));
        assert!(report.got.value.contains("digest"), "{report}");
    }
}

#[test]
fn different_answer_is_told_by_field() {
    let other = job(&[12, 345, 350], &[1, 2, 3], Recorder::growing(), &watch());
    let report = differs(&base(), &other);
    assert_eq!(report.cause, Cause::DifferentAnswer);
    assert_eq!(report.field.as_deref(), Some("response.rows[2].value"));
    assert_eq!((report.expected.value.as_str(), report.got.value.as_str()), ("-7", "350"));
    assert!(!report.before.is_empty());
}

#[test]
fn different_input_is_told() {
    let other = job(VALUES, &[1, 77, 3], Recorder::growing(), &watch());
    let report = differs(&base(), &other);
    assert_eq!((report.cause, report.call), (Cause::DifferentInput, 3));
    assert_eq!(report.field.as_deref(), Some("input[0]"));
}

#[test]
fn calls_are_aligned() {
    let base = base();
    let fewer = job(VALUES, &[1, 3], Recorder::growing(), &watch());
    let report = differs(&base, &fewer);
    assert_eq!((report.cause, report.call), (Cause::Missing, 3));
    let report = differs(&fewer, &base);
    assert_eq!((report.cause, report.call), (Cause::Extra, 3));
    // At the end there is nothing to align with.
    let shorter = job(VALUES, &[1, 2], Recorder::growing(), &watch());
    assert_eq!(differs(&base, &shorter).cause, Cause::Missing);
    assert_eq!(differs(&shorter, &base).cause, Cause::Extra);
}

#[test]
fn changed_plugin_is_said_and_its_first_other_request_too() {
    let other = job(VALUES, &[1, 2, 3], Recorder::growing(), &watch_with(&[(THRESHOLD, "301")]));
    let found = compared(&base(), &other);
    assert_eq!(found.changed_plugins, ["watch"]);
    assert!(found.divergence.is_none() && !found.is_same());

    let other = job(VALUES, &[1, 2, 3], Recorder::growing(), &watch_with(&[(THRESHOLD, "10")]));
    let report = differs(&base(), &other);
    assert_eq!(report.cause, Cause::Extra);
    let other = job(VALUES, &[1, 2, 3], Recorder::growing(), &watch_with(&[(THRESHOLD, "400")]));
    let report = differs(&base(), &other);
    assert_eq!((report.cause, report.field.as_deref()), (Cause::Missing, Some("function")));
}

#[test]
fn same_module_that_asks_something_else_is_a_different_request() {
    let trace = base();
    let other = edited(&trace, |_, event, put| match event {
        Event::HostCall(call) if call.function.name() == Some("log_message") => {
            let request = b"\x01\x07scammed";
            put(Event::HostCall(HostCallEvent { request: Data::Full(request), ..call }));
        }
        event => put(event),
    });
    let report = differs(&trace, &other);
    assert_eq!(report.cause, Cause::DifferentRequest);
    assert_eq!(report.field.as_deref(), Some("request.message"));
    assert_eq!(report.got.value, "\"scammed\"");
}

#[test]
fn fuel_and_time_come_last_and_can_be_ignored() {
    let trace = base();
    let later = edited(&trace, |_, event, put| match event {
        Event::HostCall(call) => {
            put(Event::HostCall(HostCallEvent { time_us: call.time_us + 7, ..call }))
        }
        Event::CallIn(call) => {
            put(Event::CallIn(sochdb_wasmi::trace::CallIn { time_us: call.time_us + 7, ..call }))
        }
        event => put(event),
    });
    assert_eq!(differs(&trace, &later).cause, Cause::Time);
    let ignore_time = DiffOptions { ignore_time: true, ..DiffOptions::default() };
    assert!(diff(&*trace, &*later, ignore_time).unwrap().is_same());

    let hungry = edited(&later, |_, event, put| match event {
        Event::CallOut(call) => {
            put(Event::CallOut(CallOut { fuel_left: call.fuel_left - 1, ..call }))
        }
        event => put(event),
    });
    let report = diff(&*trace, &*hungry, ignore_time).unwrap().divergence.unwrap();
    assert_eq!((report.cause, report.call), (Cause::Fuel, 1));
    let neither = DiffOptions { ignore_time: true, ignore_fuel: true };
    assert!(diff(&*trace, &*hungry, neither).unwrap().is_same());

    // What shows comes first, though the fuel differed before.
    let other = edited(&hungry, |_, event, put| match event {
        Event::CallOut(call) if call.output.len() > 1 => {
            put(Event::CallOut(CallOut { output: Data::Full(&[0; 3]), ..call }));
        }
        event => put(event),
    });
    let report = differs(&trace, &other);
    assert_eq!((report.cause, report.call), (Cause::DifferentRequest, 2));
    assert_eq!(report.field.as_deref(), Some("output[0]"));
}

#[test]
fn other_limits_are_another_setup() {
    let config = PluginConfig::new(grants());
    let mut watched = Watched::with(&watch(), VALUES, config, Recorder::growing());
    watched.call("scan", &[]).unwrap();
    let report = differs(&base(), &watched.trace());
    assert_eq!(report.cause, Cause::DifferentSetup);
    assert_eq!(report.field.as_deref(), Some("plugin watch: limits.fuel_per_call"));
}

#[test]
fn trace_that_breaks_off_is_compared_up_to_there() {
    let trace = base();
    let torn = &trace[..trace.len() - 50];
    let found = compared(&trace, torn);
    assert!(matches!(found.got_broken_off, Some(TraceError::Torn { .. })));
    assert_eq!(found.divergence.unwrap().cause, Cause::Truncated);
    let found = compared(torn, torn);
    assert!(found.is_same());
    let error = diff(&*trace, &b"no trace"[..], DiffOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "the second trace: the bytes do not begin as a trace does");
}

#[test]
fn diff_as_json_has_the_names_that_are_promised() {
    let other = job(VALUES, &[1, 77, 3], Recorder::growing(), &watch());
    let json: serde_json::Value =
        serde_json::from_str(&compared(&base(), &other).to_json()).unwrap();
    assert_eq!(json["same"], false);
    assert_eq!(json["divergence"]["cause"], "different-input");
    assert_eq!(json["changed_plugins"], serde_json::json!([]));
    assert_eq!(json["got_broken_off"], serde_json::Value::Null);
}

#[test]
fn stats_count_what_happened() {
    let config = PluginConfig::new(sochdb_wasmi::capability::Capabilities {
        can_write_table: Default::default(),
        ..grants()
    })
    .with_limits(limits());
    let mut watched = Watched::with(&watch(), &[1, 2, 3], config, Recorder::growing());
    watched.call("scan", &[]).unwrap();
    watched.call("tell", &int(5)).unwrap_err();
    watched.call("scan", &[]).unwrap();
    let fuel = watched.host.report(watched.plugin).unwrap().fuel;
    let trace = watched.trace();
    let found = stats(trace.as_slice()).unwrap();
    let function = |name: &str| found.functions.iter().find(|f| f.function == name).unwrap();
    let read = function("soch_read");
    assert_eq!((read.calls, read.rows, read.denied, read.failures), (2, 6, 0, 0));
    assert_eq!(read.bytes_in, 42);
    assert!(read.fuel > 0 && read.bytes_out > 0);
    let write = function("soch_write");
    assert_eq!((write.calls, write.rows, write.denied, write.failures), (1, 0, 1, 1));
    let entry = |name: &str| found.entries.iter().find(|e| e.entry == name).unwrap();
    let scan = entry("scan");
    assert_eq!((scan.calls, scan.failures, scan.host_calls), (2, 0, 4));
    assert_eq!((scan.fuel_min, scan.fuel_mean(), scan.fuel_max), (fuel, fuel, fuel));
    assert_eq!(scan.memory_bytes, 2 << 16);
    assert_eq!((entry("tell").calls, entry("tell").failures), (1, 1));
    let json: serde_json::Value = serde_json::from_str(&found.to_json()).unwrap();
    assert_eq!(json["entries"][0]["entry"], "scan");
    assert_eq!(json["functions"][0]["rows"], 6);

    let torn = stats(&trace[..trace.len() - 30]).unwrap();
    assert!(torn.broken_off.is_some());
    assert_eq!(stats(&b""[..]), Err(TraceError::Empty));
}

#[test]
fn verify_names_the_last_link_and_the_first_bad_event() {
    let mut trace = base();
    let found = verify(trace.as_slice()).unwrap();
    assert_eq!((found.calls, found.mode, found.ring), (4, Mode::Full, false));
    assert_eq!(found.bytes, trace.len() as u64);
    assert!(found.to_string().starts_with("whole: "));
    let json: serde_json::Value = serde_json::from_str(&found.to_json()).unwrap();
    assert_eq!(json["link"].as_str().unwrap().len(), 64);
    let middle = trace.len() / 2;
    trace[middle] ^= 1;
    let error = verify(trace.as_slice()).unwrap_err();
    assert!(!error.to_string().is_empty());
    assert!(verify(&trace[..10]).is_err());
}

/// "got nothing", of an answer with a row.
#[test]
fn answers_with_more_or_fewer_rows_are_told_with_their_rows() {
    let told = |a: &[i64], b: &[i64]| {
        let job = |values: &[i64]| job(values, &[], Recorder::growing(), &watch());
        let report = differs(&job(a), &job(b));
        let (expected, got) = (report.expected.value, report.got.value);
        (report.field.unwrap_or_default(), expected, got)
    };
    let texts = |field: &str, a: &str, b: &str| (field.to_owned(), a.to_owned(), b.to_owned());
    assert_eq!(told(&[], &[7]), texts("response.rows", "empty", "1 item: id = 1, value = 7"));
    assert_eq!(told(&[7], &[]), texts("response.rows", "1 item: id = 1, value = 7", "empty"));
    assert_eq!(
        told(&[7, 8], &[7]),
        texts("response.rows[1]", "id = 2, value = 8", "1 item: id = 1, value = 7")
    );
    assert_eq!(
        told(&[7], &[7, 8, 9]),
        texts("response.rows[1]", "1 item: id = 1, value = 7", "id = 2, value = 8")
    );
}

/// Two traces without calls were the same, whatever had been loaded.
#[test]
fn traces_without_calls_are_compared_by_what_was_loaded() {
    let load = |fuel| {
        let limits = sochdb_wasmi::limits::Limits { fuel_per_call: fuel, ..limits() };
        let config = PluginConfig::new(grants()).with_limits(limits);
        Watched::with(&watch(), &[], config, Recorder::growing()).trace()
    };
    assert!(compared(&load(5000), &load(5000)).is_same());
    let report = differs(&load(5000), &load(6000));
    assert_eq!(report.cause, Cause::DifferentSetup);
    assert_eq!(report.got.value, "6000");
}
