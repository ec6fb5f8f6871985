//! `trace`: what is in a trace, and how two differ.

use serde_json::json;

use super::{file, path, small_plugin, sochdb, weather_arguments, weather_job};

#[test]
fn events_are_listed_by_call_function_table_and_denial() {
    let trace = weather_job();
    let events = |more: &[&str]| {
        let ran = sochdb(&[&["trace", "show", &*trace, "--json"], more].concat());
        assert_eq!((ran.code, &*ran.stderr), (0, ""));
        let report = ran.json();
        assert_eq!(report["error"], json!(null));
        report["events"].as_array().expect("a list").clone()
    };
    assert_eq!(events(&[]).len(), 1787);
    let last = events(&["--call", "28"]);
    let words: Vec<_> = last.iter().map(|event| event["event"].clone()).collect();
    assert_eq!(words, ["call in", "host call", "host call", "call out"]);
    assert_eq!(events(&["--call", "28", "--table", "payroll"]).len(), 1);
    assert_eq!(events(&["--function", "vector_search"])[0]["table"], "weather");
    let denied = events(&["--denied", "--fields"]);
    assert_eq!((denied.len(), &denied[0]["status"]), (1, &json!(-1)));
    assert_eq!(denied[0]["fields"]["request.table"], "\"payroll\"");

    let ran = sochdb(&["trace", "show", &trace, "--denied"]);
    assert_eq!(
        ran.stdout,
        "#1783 host call: soch_read payroll, -1 (permission denied), fuel 46 of 19999184, t=0us: \
         rows.id=1 format=rows\n"
    );
    let ran = sochdb(&["trace", "show", &trace, "--function", "vector_search", "--fields"]);
    assert!(
        ran.stdout.contains("\n    response.hits[0].date = \"2015-07-19\"\n"),
        "{}",
        ran.stdout
    );
}

/// A listing had 1,484 lines that said "emit_metric, 0 bytes": which metric, which key and which text
/// were only found with --fields, and nothing searched them.
#[test]
fn a_line_of_a_host_call_has_the_names_keys_and_texts_of_its_request() {
    let trace = weather_job();
    let lines = |more: &[&str]| sochdb(&[&["trace", "show", &trace][..], more].concat()).stdout;
    let metrics = lines(&["--function", "emit_metric"]);
    assert!(metrics.lines().all(|line| line.contains(": kind=") && line.contains(" name=\"")));
    assert!(lines(&["--function", "get_config"]).contains(": key=\"max_wind\"\n"));
    let wanted = "name=\"days_accepted\"";
    let found = lines(&["--grep", wanted]);
    assert_eq!(found.lines().count(), metrics.lines().filter(|l| l.contains(wanted)).count());
    assert!(found.lines().count() > 0 && found.lines().all(|line| line.contains(wanted)));
    let deep = lines(&["--grep", "temp_max = 35.6", "--fields"]);
    assert!(deep.contains("temp_max = 35.6"), "{deep}");
    let none = sochdb(&["trace", "show", &trace, "--grep", "no such text"]);
    assert_eq!((none.code, &*none.stdout), (0, ""));
    assert!(none.stderr.starts_with("no event matches: the trace has 28 calls"), "{}", none.stderr);
}

#[test]
fn what_is_before_damage_is_listed() {
    let whole = std::fs::read(weather_job()).expect("it was recorded");
    let torn = file("show", "torn.trace", &whole[..1000]);
    let ran = sochdb(&["trace", "show", &torn]);
    assert_eq!(ran.code, 17);
    assert!(ran.stdout.starts_with("#0 header: ABI 1"), "{}", ran.stdout);
    assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    let ran = sochdb(&["trace", "show", &torn, "--json"]);
    assert_eq!((ran.code, &ran.json()["error"]["kind"]), (17, &json!("torn")));
}

#[test]
fn a_whole_trace_is_verified_by_its_last_link() {
    let trace = weather_job();
    let ran = sochdb(&["trace", "verify", &trace]);
    assert_eq!(ran.code, 0);
    assert!(ran.stdout.starts_with("whole: 1787 events, 28 calls"), "{}", ran.stdout);
    let link = sochdb(&["trace", "verify", &trace, "--json"]).json()["link"].clone();
    let link = link.as_str().expect("a link");
    assert_eq!(sochdb(&["trace", "verify", &trace, "--link", link]).code, 0);
    let other = link.replace(&link[..1], if link.starts_with('0') { "1" } else { "0" });
    let ran = sochdb(&["trace", "verify", &trace, "--link", &other, "--json"]);
    assert_eq!((ran.code, &*ran.error().0), (33, "other_trace"));
    assert_eq!(sochdb(&["trace", "verify", &trace, "--link", "00"]).code, 2);
}

#[test]
fn figures_are_by_entry_point_and_by_host_function() {
    let trace = weather_job();
    let stats = sochdb(&["trace", "stats", &trace, "--json"]).json();
    let functions = stats["functions"].as_array().expect("a list");
    let read = functions.iter().find(|of| of["function"] == "soch_read").expect("it was called");
    assert_eq!((&read["calls"], &read["denied"]), (&json!(1), &json!(1)));
    let ran = sochdb(&["trace", "stats", &trace]);
    assert_eq!((ran.code, &*ran.stderr), (0, ""));
    assert!(ran.stdout.contains("weather.rainy_spells"), "{}", ran.stdout);
}

#[test]
fn the_audit_log_of_a_trace_has_all_host_calls() {
    let trace = weather_job();
    let entries = sochdb(&["trace", "audit", &trace, "--json"]).json()["entries"].clone();
    let entries = entries.as_array().expect("a list");
    assert_eq!(entries.len(), 1724);
    let ran = sochdb(&["trace", "audit", &trace]);
    assert!(ran.stdout.ends_with(
        "#1723 t=0us weather soch_read table=payroll status=-1 (permission denied) rows=0 in=13 \
         out=0\n#1724 t=0us weather last_error status=49 (ok) rows=0 in=0 out=49\n"
    ));
    // Half a log would look like a whole one.
    let whole = std::fs::read(&trace).expect("it was recorded");
    let torn = file("audit", "torn.trace", &whole[..100_000]);
    let ran = sochdb(&["trace", "audit", &torn]);
    assert_eq!((ran.code, &*ran.stdout), (17, ""));
}

#[test]
fn two_traces_differ_in_the_first_thing_that_is_otherwise() {
    let trace = weather_job();
    let ran = sochdb(&["trace", "diff", &trace, &trace]);
    assert_eq!((ran.code, &*ran.stdout), (0, "28 calls compared: the same\n"));

    let plugin = small_plugin("diff");
    let record = |name: &str, input: &str| {
        let trace = path("diff", name);
        let arguments = ["record", &plugin, "echo", "--no-clock", "--input-hex", input, "--out"];
        assert_eq!(sochdb(&[&arguments[..], &[&trace]].concat()).code, 0);
        trace
    };
    let (a, b) = (record("a.trace", "0102"), record("b.trace", "0103"));
    let ran = sochdb(&["trace", "diff", &a, &b]);
    assert_eq!(ran.code, 10);
    assert!(ran.stdout.starts_with("1 call compared: they differ\n"), "{}", ran.stdout);
    let report = sochdb(&["trace", "diff", &a, &b, "--json"]).json();
    assert_eq!(report["divergence"]["field"], "input[1]");

    let missing = sochdb(&["trace", "diff", &a, "nothing.trace", "--json"]);
    assert_eq!((missing.code, &*missing.error().0), (4, "io"));
    let empty = file("diff", "empty.trace", "");
    let ran = sochdb(&["trace", "diff", &a, &empty, "--json"]);
    assert_eq!((ran.code, &ran.json()["error"]["file"]), (30, &json!(empty)));
}

#[test]
fn clock_readings_are_compared_unless_they_are_to_be_ignored() {
    let clocked = path("clock", "weather.trace");
    let mut arguments = weather_arguments(&clocked);
    arguments.retain(|argument| argument != "--no-clock");
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    assert_eq!(sochdb(&arguments).code, 0);
    assert_eq!(sochdb(&["trace", "diff", &weather_job(), &clocked]).code, 20);
    assert_eq!(sochdb(&["trace", "diff", &weather_job(), &clocked, "--ignore-time"]).code, 0);
}

// A filter that matched nothing printed nothing: a misspelt name looked like a plugin that did nothing.
#[test]
fn a_filter_that_matches_nothing_says_what_there_is() {
    let trace = weather_job();
    for filter in [["--function", "soch_reed"], ["--table", "whether"], ["--call", "29"]] {
        let ran = sochdb(&[&["trace", "show", &trace][..], &filter].concat());
        assert_eq!((ran.code, &*ran.stdout), (0, ""), "{filter:?}");
        for text in [
            "no event matches: the trace has 28 calls",
            "soch_read, soch_write",
            "payroll, weather",
        ] {
            assert!(ran.stderr.contains(text), "{text}: {}", ran.stderr);
        }
    }
    let ran = sochdb(&["trace", "show", &trace, "--table", "weather"]);
    assert_eq!(ran.stderr, "");
}

/// Two calls with different inputs read the same: their inputs were not shown.
#[test]
fn a_call_that_only_one_trace_has_is_shown_with_its_input() {
    let plugin = small_plugin("diff_input");
    let record = |name: &str, inputs: &[&str]| {
        let line = |input: &&str| format!("{{\"entry\": \"echo\", \"input_hex\": \"{input}\"}}\n");
        let calls: String = inputs.iter().map(line).collect();
        let calls = file("diff_input", &format!("{name}.jsonl"), calls);
        let trace = path("diff_input", name);
        let arguments = ["record", &plugin, "--calls", &calls, "--no-clock", "--out", &trace];
        assert_eq!(sochdb(&arguments).code, 0);
        trace
    };
    let (a, b) =
        (record("a.trace", &["0102", "0305", "0401"]), record("b.trace", &["0102", "0401"]));
    let ran = sochdb(&["trace", "diff", &a, &b]);
    assert_eq!(ran.code, 15);
    assert!(ran.stdout.contains("0305") && ran.stdout.contains("0401"), "{}", ran.stdout);
    // With types, as what they mean, and in place of a byte the field.
    let types = ["--types", "{kind: u8, value: i16} -> bytes", "--json"];
    let report = sochdb(&[&["trace", "diff", &a, &b][..], &types].concat()).json();
    let got = report["divergence"]["expected"]["value"].as_str().expect("a text");
    assert!(got.ends_with("input {\"kind\":3,\"value\":-3}"), "{got}");
    let c = record("c.trace", &["0102", "0307", "0401"]);
    let report = sochdb(&[&["trace", "diff", &a, &c][..], &types].concat()).json();
    let found = &report["divergence"];
    assert_eq!((&found["field"], &found["got"]["value"]), (&json!("input.value"), &json!("-4")));
    // And that the other trace has none of its entry point at all.
    let none = path("diff_input", "none.trace");
    assert_eq!(sochdb(&["record", &plugin, "trap", "--out", &none]).code, 0);
    let report = sochdb(&["trace", "diff", &a, &none, "--json"]).json();
    let because = &report["divergence"]["because"];
    assert_eq!(because, "the second trace has no call of small.echo at all");
}
