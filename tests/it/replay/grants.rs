//! What a trace says about grants and limits: what others would have denied, and the narrowest ones.

use crate::{lines, watched};
use sochdb_wasmi::{
    abi::Status,
    capability::{Capabilities, Globs},
    host::{Host, PluginConfig},
    limits::{Limit, Limits},
    replay::{Denial, Refusal, infer, stats, what_if},
    trace::{Recorder, TraceError},
};
use watched::{Watched, grants, int, limits, watch};

fn scanned() -> Vec<u8> {
    let config = PluginConfig::new(grants()).with_limits(limits());
    let mut watched = Watched::with(&watch(), &[345, 12, 346], config, Recorder::growing());
    watched.call("scan", &[]).unwrap();
    watched.call("own", b"abc").unwrap();
    watched.call("tell", &int(7)).unwrap();
    watched.trace()
}

fn denials(config: &PluginConfig) -> Vec<Denial> {
    what_if(scanned().as_slice(), None, config).unwrap().denials
}

fn wide() -> PluginConfig {
    PluginConfig::new(grants()).with_limits(limits())
}

#[test]
fn what_was_granted_is_not_denied() {
    let found = what_if(scanned().as_slice(), Some("watch"), &wide()).unwrap();
    assert_eq!((found.calls, found.host_calls, found.denials.len()), (3, 6, 0));
    let other = what_if(scanned().as_slice(), Some("other"), &PluginConfig::default()).unwrap();
    assert_eq!((other.calls, other.denials.len()), (0, 0));
}

#[test]
fn every_missing_grant_is_named() {
    let found = denials(&PluginConfig::default().with_limits(limits()));
    let told: Vec<_> = found
        .iter()
        .map(|denial| (denial.call, denial.refusal.to_string(), denial.certain))
        .collect();
    let needs = |call, what: &str, certain| (call, format!("needs {what}"), certain);
    assert_eq!(
        told,
        [
            needs(1, "can_read_table for readings", true),
            needs(1, "can_write_table for alerts", false),
            needs(1, "can_write_table for alerts", false),
            needs(2, "the capability device.own", true),
            needs(3, "can_write_table for alerts", true),
        ]
    );
    assert_eq!(found[0].function.as_deref(), Some("soch_read"));
    assert_eq!(found[3].function.as_deref(), Some("device.own"));
    let text = found[1].to_string();
    assert!(
        text.ends_with("soch_write alerts: needs can_write_table for alerts (if it came so far)")
    );
}

/// What [`what_if`] says is what a host does under these limits.
#[test]
fn first_denial_of_a_limit_is_what_a_host_does() {
    let cases: [(Limits, Limit); 6] = [
        (Limits { fuel_per_call: 400, ..limits() }, Limit::Fuel),
        (Limits { host_calls: 2, ..limits() }, Limit::HostCalls),
        (Limits { rows: 2, ..limits() }, Limit::Rows),
        (Limits { rows: 4, ..limits() }, Limit::Rows),
        (Limits { bytes: 36, ..limits() }, Limit::Bytes),
        (Limits { bytes: 60, ..limits() }, Limit::Bytes),
    ];
    for (narrow, limit) in cases {
        let config = PluginConfig::new(grants()).with_limits(narrow);
        let found = denials(&config);
        let first = &found[0];
        assert!(first.certain && first.call == 1, "{first}");
        let Refusal::Limit(exceeded) = &first.refusal else { panic!("{first}") };
        assert_eq!(exceeded.limit, limit);
        assert!(exceeded.asked > exceeded.allowed);

        let mut watched = Watched::with(&watch(), &[345, 12, 346], config, Recorder::growing());
        watched.call("scan", &[]).unwrap_err();
        let log: Vec<_> = watched.host.audit().iter().map(|e| (e.function, e.status)).collect();
        let (function, status) = *log.last().unwrap();
        let denied_at = first.event - 7;
        assert_eq!(log.len() as u64, denied_at, "{first} {log:?}");
        assert_eq!(function.name(), first.function.as_deref());
        assert_eq!(status, Status::LimitExceeded.code(), "{limit:?}");
    }
}

#[test]
fn memory_and_plain_fuel_are_judged_at_the_end_of_the_call() {
    let found = denials(&wide().with_limits(Limits { memory_bytes: 65_536, ..limits() }));
    assert_eq!(found.len(), 3);
    let text = found[0].refusal.to_string();
    assert_eq!(text, "131072 bytes of linear memory asked, 65536 allowed");
    assert_eq!(found[0].function, None);
}

#[test]
fn deadline_is_judged_by_the_recorded_times() {
    let mut now = 0;
    let mut watched = Watched::new(&[345]);
    let database = core::mem::replace(
        watched.host.database_mut(),
        sochdb_wasmi::database::Database::in_memory(Default::default()),
    );
    let clock = move || {
        now += 30_000;
        now
    };
    let mut host = Host::new(Default::default(), database, clock);
    watched::register(&mut host);
    let plugin = host.load("watch", &watch(), &wide()).unwrap();
    host.record(Recorder::growing());
    host.call(plugin, "scan", &[]).unwrap();
    watched.host = host;
    let trace = watched.trace();
    let config = wide().with_limits(Limits { deadline_ms: Some(50), ..limits() });
    let found = what_if(trace.as_slice(), None, &config).unwrap();
    assert_eq!(found.denials.len(), 1);
    let text = found.denials[0].refusal.to_string();
    assert_eq!(text, "60 milliseconds per call asked, 50 allowed");
}

#[test]
fn denials_as_json_have_the_names_that_are_promised() {
    let config = PluginConfig::default().with_limits(Limits { rows: 2, ..limits() });
    let found = what_if(scanned().as_slice(), None, &config).unwrap();
    let json: serde_json::Value = serde_json::from_str(&found.to_json()).unwrap();
    assert_eq!(json["denials"][0]["refusal"], "needs can_read_table for readings");
    assert_eq!(json["denials"][0]["limit"], serde_json::Value::Null);
    assert_eq!(json["denials"][1]["limit"], "rows visited per call");
    assert_eq!(json["denials"][1]["allowed"], 2);
    assert_eq!(json["broken_off"], serde_json::Value::Null);
}

#[test]
fn narrowest_grants_are_inferred() {
    let found = infer([scanned().as_slice()]).unwrap();
    assert!(found.broken_off.is_empty());
    let [watch] = found.plugins.as_slice() else { panic!("{found:?}") };
    assert_eq!((watch.plugin.as_str(), watch.calls, watch.widened), ("watch", 3, false));
    assert_eq!(watch.config.capabilities, grants());
    assert_eq!(watch.entries.iter().collect::<Vec<_>>(), ["own", "scan", "tell"]);
    assert_eq!(watch.config.limits.host_calls, 4);
    assert_eq!(watch.config.limits.memory_bytes, 2 << 16);
    assert!(what_if(scanned().as_slice(), None, &watch.config).unwrap().denials.is_empty());
}

#[test]
fn each_inferred_limit_is_the_narrowest() {
    let trace = scanned();
    let config = infer([trace.as_slice()]).unwrap().plugins.remove(0).config;
    let narrower: [fn(&mut Limits); 5] = [
        |limits| limits.fuel_per_call -= 1,
        |limits| limits.host_calls -= 1,
        |limits| limits.rows -= 1,
        |limits| limits.bytes -= 1,
        |limits| limits.memory_bytes -= 1,
    ];
    for narrow in narrower {
        let mut config = config.clone();
        narrow(&mut config.limits);
        let found = what_if(trace.as_slice(), None, &config).unwrap();
        assert!(!found.denials.is_empty(), "{:?}", config.limits);
    }
    // And a host with them does what it did.
    let mut watched = Watched::with(&watch(), &[345, 12, 346], config, Recorder::growing());
    assert_eq!(watched.call("scan", &[]).unwrap(), [2]);
    assert_eq!(watched.call("own", b"abc").unwrap(), b"abcabc");
    watched.call("tell", &int(7)).unwrap();
}

#[test]
fn what_was_denied_is_not_granted() {
    let narrow = Capabilities { can_write_table: Globs::default(), ..grants() };
    let config = PluginConfig::new(narrow.clone()).with_limits(limits());
    let mut watched = Watched::with(&watch(), &[345], config, Recorder::growing());
    watched.call("scan", &[]).unwrap_err();
    let trace = watched.trace();
    let found = infer([trace.as_slice()]).unwrap();
    let granted = &found.plugins[0].config.capabilities;
    assert_eq!(granted.can_read_table, narrow.can_read_table);
    assert_eq!(granted.can_write_table, Globs::default());
    let found = what_if(trace.as_slice(), None, &found.plugins[0].config).unwrap();
    assert_eq!((found.denials.len(), found.new_denials().count()), (1, 0));
    assert!(found.denials[0].to_string().ends_with("(denied already)"));
}

#[test]
fn names_that_are_too_many_are_put_together_where_they_begin_alike() {
    let names = ["alpha", "beta", "delta", "eta", "gamma", "iota", "kappa", "month_1", "month_2"];
    let traces: Vec<Vec<u8>> = names
        .iter()
        .map(|name| {
            watched::edited(&scanned(), |_, event, put| match event {
                sochdb_wasmi::trace::Event::HostCall(call) if call.table.is_some() => {
                    let call = sochdb_wasmi::trace::HostCallEvent { table: Some(name), ..call };
                    put(sochdb_wasmi::trace::Event::HostCall(call));
                }
                event => put(event),
            })
        })
        .collect();
    let found = infer(traces.iter().map(Vec::as_slice)).unwrap();
    let watch = &found.plugins[0];
    assert!(watch.widened);
    let patterns: Vec<_> =
        watch.config.capabilities.can_read_table.as_slice().iter().map(|g| g.as_str()).collect();
    assert_eq!(patterns, ["alpha", "beta", "delta", "eta", "gamma", "iota", "kappa", "month_*"]);
    let eight = infer(traces.iter().skip(1).map(Vec::as_slice)).unwrap();
    assert!(!eight.plugins[0].widened);
}

#[test]
fn trace_that_breaks_off_is_taken_in_and_said() {
    let trace = scanned();
    let torn = &trace[..trace.len() - 40];
    let found = infer([&trace[..], torn]).unwrap();
    assert!(matches!(found.broken_off.as_slice(), [(1, TraceError::Torn { .. })]));
    let error = infer([&trace[..], &b""[..]]).unwrap_err();
    assert_eq!(error.to_string(), "trace 1: the trace is empty: there are no bytes");
    assert!(what_if(torn, None, &wide()).unwrap().broken_off.is_some());
}

/// The main job: with the inferred grants and limits nothing that it did would be denied, and
/// nothing is granted that its tables and searches did not need.
#[test]
fn inferred_manifest_of_the_main_job_allows_it() {
    let weather = include_bytes!("../../../examples/plugins/weather.wasm");
    let counter = wat::parse_str(include_str!("../../../examples/plugins/counter.wat")).unwrap();
    let mut recorder = Some(Recorder::growing().with_digests_only());
    let mut trace = Vec::new();
    let mut watch = |host: &mut Host, moment| match moment {
        lines::Moment::Begun => assert!(host.record(recorder.take().unwrap()).is_none()),
        lines::Moment::Ended => {
            host.stop_recording().unwrap().write_to(&mut trace).unwrap();
        }
    };
    let days = include_str!("../../../examples/data/seattle-weather.csv");
    lines::write_lines_watched(&mut String::new(), weather, &counter, days, &mut watch).unwrap();
    let found = infer([trace.as_slice()]).unwrap();
    let names: Vec<_> = found.plugins.iter().map(|plugin| plugin.plugin.as_str()).collect();
    assert_eq!(names, ["counter", "weather"]);
    let granted = &found.plugins[1].config.capabilities;
    assert_eq!(granted.can_read_table, Globs::new(&["monthly", "weather"]).unwrap());
    assert!(granted.can_index_search && granted.can_vector_search);
    for plugin in &found.plugins {
        let found = what_if(trace.as_slice(), Some(&plugin.plugin), &plugin.config).unwrap();
        assert_eq!(found.new_denials().count(), 0, "{:?}", found.new_denials().next());
        assert_eq!(found.calls, plugin.calls);
    }
    assert!(stats(trace.as_slice()).unwrap().entries.len() > 7);
}
