//! `record`: calls from a file into one trace, and what is in it.

use serde_json::json;

use super::{WEATHER, file, path, small_plugin, sochdb, weather_job};

fn record(test: &str, calls: &str, more: &[&str]) -> (super::Ran, String) {
    let plugin = small_plugin(test);
    let calls = file(test, "calls.jsonl", calls);
    let out = path(test, "out.trace");
    let ran = sochdb(&[&["record", &plugin, "--calls", &calls, "--out", &out], more].concat());
    (ran, out)
}

#[test]
fn calls_of_a_file_are_recorded_in_their_order_also_those_that_fail() {
    let calls = "{\"entry\": \"echo\", \"input_hex\": \"6869\"}\n\n{\"entry\": \"trap\"}\n{\"entry\": \"echo\"}\n";
    let (ran, trace) = record("record", calls, &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!((lines[0], lines[2]), ("echo: 6869", "echo: "));
    assert!(lines[1].starts_with("trap: error: "), "{}", lines[1]);

    let (ran, trace) = (record("record", calls, &["--json"]).0, trace);
    let report = ran.json();
    let calls = report["calls"].as_array().expect("a list");
    let ok: Vec<_> = calls.iter().map(|call| call["ok"].clone()).collect();
    assert_eq!(ok, [true, false, true]);
    assert_eq!(calls[1]["error"]["kind"], "trap");
    assert_eq!(report["recorded"]["trace"], json!(trace));
    // The link that was printed is the one that the trace has.
    let link = report["recorded"]["link"].as_str().expect("a link");
    assert_eq!(sochdb(&["trace", "verify", &trace, "--link", link]).code, 0);
}

#[test]
fn rows_of_a_csv_file_are_the_inputs_of_as_many_calls_as_they_need() {
    let trace = weather_job();
    let stats = sochdb(&["trace", "stats", &trace, "--json"]).json();
    let ingest = &stats["entries"][0];
    // 1,461 days, 64 at a time.
    assert_eq!((&ingest["entry"], &ingest["calls"]), (&json!("ingest"), &json!(23)));
    assert_eq!(ingest["failures"], 0);
    let weather = sochdb(&[
        "trace",
        "show",
        &trace,
        "--function",
        "soch_write",
        "--table",
        "weather",
        "--json",
    ])
    .json();
    assert_eq!(weather["events"].as_array().expect("a list").len(), 23);
}

#[test]
fn the_same_calls_without_a_clock_are_the_same_bytes() {
    let again = path("again", "weather.trace");
    let arguments = super::weather_arguments(&again);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    assert_eq!(sochdb(&arguments).code, 0);
    assert!(
        std::fs::read(again).expect("it was recorded")
            == std::fs::read(weather_job()).expect("it was recorded")
    );
}

#[test]
fn one_call_is_recorded_without_a_file_of_calls() {
    let (plugin, trace) = (small_plugin("one"), path("one", "one.trace"));
    let ran = sochdb(&["record", &plugin, "echo", "--input-hex", "00", "--out", &trace]);
    assert_eq!((ran.code, &*ran.stdout), (0, "echo: 00\n"));
    assert!(ran.stderr.contains("events recorded in"), "{}", ran.stderr);
    assert_eq!(sochdb(&["replay", &trace, "--plugin", &plugin]).code, 0);
}

#[test]
fn a_trace_of_digests_has_none_of_the_data_and_is_compared_and_not_replayed() {
    let calls = "{\"entry\": \"echo\", \"input_hex\": \"7365637265742d736563726574\"}\n";
    let (_, full) = record("digests_full", calls, &["--no-clock"]);
    let (ran, digests) = record("digests", calls, &["--no-clock", "--digests-only"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let contains = |path: &str| {
        let bytes = std::fs::read(path).expect("it was recorded");
        bytes.windows(6).any(|window| window == b"secret")
    };
    assert!(contains(&full) && !contains(&digests));
    assert_eq!(sochdb(&["trace", "diff", &full, &digests]).code, 0);
    let plugin = small_plugin("digests");
    let ran = sochdb(&["replay", &digests, "--plugin", &plugin, "--json"]);
    assert_eq!((ran.code, &*ran.error().0), (32, "digests"));
}

#[test]
fn a_redacted_column_is_not_in_the_trace_which_replays_all_the_same() {
    let key = file("redact", "key", [7; 32]);
    let manifest = "examples/plugins/weather.toml";
    let record = |name: &str, more: &[&str]| {
        let out = path("redact", name);
        let call = [
            "record",
            WEATHER,
            "wettest",
            "--input",
            "[\"rain\", 3]",
            "--types",
            "@examples/plugins/weather.types",
            "--schema",
            "examples/data/weather-schema.toml",
            "--load",
            "weather=examples/data/seattle-weather.csv",
            "--manifest",
            manifest,
            "--json",
            "--out",
            &*out,
        ];
        (sochdb(&[&call[..], more].concat()), out)
    };
    let contains = |path: &str| {
        let bytes = std::fs::read(path).expect("it was recorded");
        bytes.windows(10).any(|window| window == b"2012-11-19")
    };
    let (ran, plain) = record("plain.trace", &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let redact = ["--redact", "weather.date", "--redaction-key", &*key, "--keep-inputs"];
    let (ran, redacted) = record("redacted.trace", &redact);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(contains(&plain) && !contains(&redacted));
    assert_eq!(sochdb(&["replay", &redacted, "--plugin", WEATHER]).code, 0);
    // Without inputs nothing can be replayed.
    let (_, without) = record("without.trace", &redact[..4]);
    let ran = sochdb(&["replay", &without, "--plugin", WEATHER, "--json"]);
    assert_eq!((ran.code, &*ran.error().0), (32, "redacted"));

    let short = file("redact", "short", "password");
    for (redact, code, kind) in [
        (["--redact", "weather.dates", "--redaction-key", &*key], 3, "no_column"),
        (["--redact", "days.date", "--redaction-key", &*key], 3, "no_column"),
        (["--redact", "weather.date", "--redaction-key", &*short], 3, "redaction_key"),
        (["--redact", "weather.date", "--redaction-key", "nothing"], 4, "io"),
    ] {
        let (ran, out) = record("refused.trace", &redact);
        assert_eq!((ran.code, &*ran.error().0), (code, kind), "{redact:?}");
        assert!(!std::path::Path::new(&out).exists());
    }
    assert_eq!(record("refused.trace", &["--redact", "weather.date"]).0.code, 2);
}

#[test]
fn a_line_that_is_no_call_is_named_and_nothing_is_recorded() {
    let good = "{\"entry\": \"echo\"}\n";
    let csv = file("lines", "rows.csv", "a,b\n1,x\n300,y\n");
    let rows = |more: &str| format!("{{\"entry\": \"echo\", \"csv\": {csv:?}{more}}}");
    let list = "echo: [{a: u8, b: str}] -> ()";
    let cases = [
        ("{", list, "not JSON"),
        ("[]", list, "a call is an object"),
        ("{\"entry\": 1}", list, "is the name of an entry point"),
        ("{\"entry\": \"echo\", \"inputs\": 1}", list, "no field \"inputs\""),
        ("{\"entry\": \"echo\", \"input_hex\": \"0\"}", list, "is bytes in hex"),
        ("{\"entry\": \"echo\", \"input_hex\": \"\", \"input\": 1}", list, "is there once"),
        ("{\"entry\": \"echo\", \"rows\": 1}", list, "goes with \"csv\""),
        ("{\"entry\": \"echo\", \"input\": 1}", list, "input takes"),
        (&rows(""), list, "line 3: input.a takes u8, this is 300"),
        (&rows(", \"rows\": 0"), list, "1 or more"),
        (&rows(", \"columns\": {\"a\": 1}"), list, "has for each field"),
        (&rows(", \"columns\": {\"c\": {}}"), list, "no field \"c\""),
        (&rows(", \"columns\": {\"a\": {\"from\": \"z\"}}"), list, "does not have"),
        (&rows(""), "echo: u8 -> ()", "rows are a list of objects"),
    ];
    for (line, types, message) in cases {
        let types = format!("@{}", file("lines", "types", types));
        let (ran, out) = record("lines", &format!("{line}\n"), &["--types", &types, "--json"]);
        assert_eq!((ran.code, ran.error().0.as_str()), (3, "calls"), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(message), "{line}: {}", ran.stderr);
        assert!(!std::path::Path::new(&out).exists(), "{line}");
    }
    // A file that a line names and that is not there is one that could not be read.
    let line = "{\"entry\": \"echo\", \"csv\": \"nothing.csv\"}\n";
    let types = format!("@{}", file("lines", "types", list));
    let ran = record("lines", line, &["--types", &types, "--json"]).0;
    assert_eq!((ran.code, ran.error()), (4, ("io".into(), Some(1), None)), "{}", ran.stderr);
    assert!(ran.stderr.contains("nothing.csv: No such file"), "{}", ran.stderr);
    // The line counts from 1, blank ones too.
    let ran = record("lines", &format!("{good}\n{{"), &["--json"]).0;
    assert_eq!(ran.error(), ("calls".into(), Some(3), None));
    // An entry point that is not there, at the end of a file.
    let (ran, out) = record("lines", &format!("{good}{{\"entry\": \"nothing\"}}\n"), &["--json"]);
    assert_eq!((ran.code, ran.error().0.as_str()), (3, "entry"));
    assert!(!std::path::Path::new(&out).exists());
    // An input that does not fit, after one that does: the file that was there stays.
    let long = format!("{good}{{\"entry\": \"echo\", \"input_hex\": \"{}\"}}\n", "00".repeat(65));
    let (plugin, calls) = (small_plugin("lines"), file("lines", "calls.jsonl", long));
    let out = file("lines", "out.trace", "this stays");
    let arguments = ["record", &*plugin, "--calls", &*calls, "--out", &*out, "--json"];
    assert_eq!(sochdb(&arguments).error().0, "entry");
    let arguments = ["run", &*plugin, "nothing", "--record", &*out, "--json"];
    assert_eq!(sochdb(&arguments).error().0, "entry");
    assert_eq!(std::fs::read(&out).expect("it is there"), b"this stays");
    let ran = sochdb(&["record", WEATHER, "--calls", "nothing.jsonl", "--out", &out, "--json"]);
    assert_eq!((ran.code, ran.error().0.as_str()), (4, "io"));
}
