//! `run`: input, output, cost, denials, and calls that fail.

use serde_json::json;

use super::{Ran, WEATHER, file, small_plugin, sochdb, speaking_plugin};
use crate::runner;

/// The arguments of a run of the weather plugin on the weather of Seattle.
const SEATTLE: &[&str] = &[
    "--manifest",
    "examples/plugins/weather.toml",
    "--types",
    "@examples/plugins/weather.types",
    "--schema",
    "examples/data/weather-schema.toml",
    "--load",
    "weather=examples/data/seattle-weather.csv",
];

fn weather(entry: &str, more: &[&str]) -> Ran {
    sochdb(&[&["run", WEATHER, entry], more, SEATTLE].concat())
}

#[test]
fn the_weather_plugin_answers_from_the_file_as_the_example_does_after_ingesting_it() {
    let input = r#"{"min_days": 14, "min_precipitation": 0.1}"#;
    let ran = weather("rainy_spells", &["--input", input, "--json"]);
    assert_eq!((ran.code, &*ran.stderr), (0, ""));
    let report = ran.json();
    // These are the lines of the report of examples/weather_station.rs.
    assert_eq!(
        report["output"]["value"],
        json!([
            {"start": "2012-03-09", "days": 14, "total": 121.3},
            {"start": "2012-12-09", "days": 19, "total": 117.59999999999998},
            {"start": "2014-02-08", "days": 18, "total": 153.20000000000002},
            {"start": "2015-11-30", "days": 14, "total": 178.8},
        ])
    );
    assert_eq!(report["ok"], true);
    assert_eq!(report["error"], json!(null));
    assert_eq!(report["loaded"], json!({"weather": 1461}));
    assert_eq!(report["functions"]["index_lookup"]["rows"], 1461);
    assert_eq!(report["memory_peak_bytes"], 65536);

    // Vectors: the schema makes of each day what the plugin makes of it.
    let ran = weather("similar_days", &["--input", r#"{"date": "2015-07-19", "k": 3}"#, "--json"]);
    let days: Vec<_> = ran.json()["output"]["value"].as_array().expect("a list").clone();
    let dates: Vec<_> = days.iter().map(|day| day["date"].clone()).collect();
    assert_eq!(dates, ["2015-07-30", "2015-07-02", "2015-07-18"]);
}

#[test]
fn two_runs_differ_in_nothing_but_time() {
    let run = || {
        let mut report = weather("wettest", &["--input", r#"["rain", 3]"#, "--json"]).json();
        assert!(report["elapsed_us"].take().is_u64());
        report
    };
    assert_eq!(run(), run());
}

#[test]
fn a_batch_of_json_is_ingested() {
    let day = |date: &str, wind: f64| {
        json!({"date": date, "precipitation": 1.5, "temp_max": 9.0, "temp_min": 3.0,
               "wind": wind, "kind": "rain"})
    };
    let days = json!([day("2016-01-01", 3.0), day("2016-01-02", 500.0), day("2016-02-30", 3.0)]);
    let path = file("ingest", "days.json", days.to_string());
    let ran = weather("ingest", &["--input", &format!("@{path}")]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let output: serde_json::Value =
        serde_json::from_str(&ran.stdout).expect("stdout is the output");
    assert_eq!(output, json!({"accepted": 1, "rejected": 2}));
    // Logs and the summary are talk.
    assert!(ran.stderr.contains("[WARN weather] "), "{}", ran.stderr);
    for word in ["fuel", "host calls", "soch_write", "memory", "time", "loaded"] {
        assert!(ran.stderr.contains(word), "{word}\n{}", ran.stderr);
    }
}

#[test]
fn nothing_of_a_progress_bar_is_in_a_pipe() {
    let ran = weather("wettest", &["--input", r#"["rain", 3]"#]);
    assert!(!ran.stderr.contains(['\r', '\u{1b}', '%']), "{}", ran.stderr);
    assert!(!ran.stderr.contains("loading"), "{}", ran.stderr);
}

#[test]
fn without_a_manifest_every_call_is_denied_and_the_lines_that_would_allow_it_are_named() {
    let denied = |entry, types, input| {
        let ran = sochdb(&["run", WEATHER, entry, "--types", types, "--input", input, "--json"]);
        (ran.code, ran.json())
    };
    let (code, report) = denied("peek_secret", "() -> {status: i32, message: str}", "null");
    assert_eq!((code, &report["output"]["value"]["status"]), (0, &json!(-1)));
    let allow = json!(["can_read_table = [\"payroll\"]"]);
    assert_eq!(
        report["denials"],
        json!([{"function": "soch_read", "table": "payroll", "times": 1, "capabilities": allow}])
    );

    let (code, report) =
        denied("similar_days", "{date: str, k: u32} -> ()", r#"{"date":"a","k":1}"#);
    assert_eq!((code, &report["error"]["kind"]), (1, &json!("failed")));
    assert_eq!(report["error"]["status"], -1);
    assert_eq!(
        report["denials"][0]["capabilities"],
        json!(["can_read_table = [\"weather\"]", "can_index_search = true"])
    );

    let ran = sochdb(&["run", WEATHER, "peek_secret"]);
    assert!(ran.stderr.contains("nothing is granted without --manifest"), "{}", ran.stderr);
    assert!(ran.stderr.contains("can_read_table = [\"payroll\"]"), "{}", ran.stderr);
}

#[test]
fn the_line_that_would_allow_a_call_keeps_what_is_granted_already() {
    let ran = weather("peek_secret", &["--json"]);
    assert_eq!(
        ran.json()["denials"][0]["capabilities"],
        json!(["can_read_table = [\"weather\", \"month*\", \"payroll\"]"])
    );
}

#[test]
fn with_the_lines_that_were_named_the_call_is_allowed() {
    let manifest = "[plugin]\nname = \"weather\"\nversion = \"0.1.0\"\n[capabilities]\n";
    let path = file("allowed", "m.toml", format!("{manifest}can_read_table = [\"payroll\"]"));
    let ran = sochdb(&["run", WEATHER, "peek_secret", "--manifest", &path, "--json"]);
    assert_eq!(ran.json()["denied"], 0);
}

#[test]
fn bytes_go_in_and_out_as_they_are_where_no_types_are_known() {
    let plugin = small_plugin("bytes");
    let ran = sochdb(&["run", &plugin, "echo", "--input-hex", "68 69"]);
    assert_eq!((ran.code, &*ran.stdout), (0, "6869\nhi\n"));
    let ran = sochdb(&["run", &plugin, "echo", "--input-hex", "00ff"]);
    assert_eq!((ran.code, &*ran.stdout), (0, "00ff\n"));
    let bytes = file("bytes", "input", [1, 2, 3]);
    let ran = sochdb(&["run", &plugin, "echo", "--input-bytes", &bytes, "--json"]);
    assert_eq!(ran.json()["output"], json!({"hex": "010203", "bytes": 3}));
    let ran = sochdb(&["run", &plugin, "echo"]);
    assert_eq!((ran.code, &*ran.stdout), (0, ""));
}

#[test]
fn types_of_the_module_are_used_and_those_of_the_command_line_come_first() {
    let plugin = small_plugin("types");
    let wasm = std::fs::read(&plugin).expect("the plugin is there");
    let section = sochdb_wasmi::manifest::section::embed;
    let typed =
        section(&wasm, "sochdb.types", b"echo: (u32, str) -> (u32, str)").expect("a module");
    let typed = file("types", "typed.wasm", typed);
    let ran = sochdb(&["run", &typed, "echo", "--input", r#"[300, "hi"]"#, "--json"]);
    assert_eq!(ran.json()["output"]["value"], json!([300, "hi"]));
    let ran = sochdb(&["run", &typed, "echo", "--input", "7", "--types", "u8 -> u8", "--json"]);
    assert_eq!(ran.json()["output"]["value"], 7);
}

#[test]
fn a_call_that_fails_is_exit_code_1_and_says_how() {
    let plugin = small_plugin("fails");
    let manifest = file(
        "fails",
        "m.toml",
        "[plugin]\nname = \"small\"\nversion = \"1.0.0\"\n[resources]\nfuel_limit = 5000\nno_timeout = true",
    );
    for (entry, kind) in
        [("trap", "trap"), ("spin", "limit"), ("fail", "failed"), ("boast", "output_too_large")]
    {
        let arguments = ["run", &plugin, entry, "--manifest", &manifest];
        let ran = sochdb(&[&arguments[..], &["--json"]].concat());
        let report = ran.json();
        assert_eq!((ran.code, &report["error"]["kind"]), (1, &json!(kind)), "{entry}");
        assert_eq!((&report["ok"], &report["output"]), (&json!(false), &json!(null)));
        assert!(report["fuel"].as_u64().is_some_and(|fuel| fuel > 0), "{entry}");
        // And for people: nothing on stdout, the error and the summary on stderr.
        let ran = sochdb(&arguments);
        assert_eq!((ran.code, &*ran.stdout), (1, ""), "{entry}");
        assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains("fuel"), "{}", ran.stderr);
    }
}

#[test]
fn an_output_that_is_not_what_the_types_say_is_exit_code_1_with_its_bytes() {
    let plugin = small_plugin("output");
    let arguments = ["run", &plugin, "echo", "--types", "u8 -> (u8, u8)", "--input", "5"];
    let ran = sochdb(&[&arguments[..], &["--json"]].concat());
    assert_eq!((ran.code, &ran.json()["error"]["kind"]), (1, &json!("output")));
    assert_eq!(ran.json()["output"]["hex"], "05");
    assert_eq!(sochdb(&arguments).stdout, "05\n");
}

#[test]
fn what_is_given_and_refused_is_exit_code_3_and_named() {
    let plugin = small_plugin("refused");
    let text = file("refused", "text.wasm", "not a module");
    let cut = &std::fs::read(WEATHER).expect("the plugin is there")[..2000];
    let cut = file("refused", "cut.wasm", cut);
    let with_types = |types: &'static str, input: &'static str| {
        vec!["run", &*plugin, "echo", "--types", types, "--input", input]
    };
    let long = "00".repeat(65);
    let cases = [
        (vec!["run", &*text, "echo"], "not_wasm"),
        (vec!["run", &*cut, "ingest"], "section"),
        (vec!["run", &*plugin, "nothing"], "entry"),
        (vec!["run", &*plugin, "other"], "entry"),
        (vec!["run", &*plugin, "echo", "--input-hex", &long], "entry"),
        (vec!["run", &*plugin, "echo", "--input-hex", "0"], "input_syntax"),
        (with_types("u8 -> u8", "{"), "input_syntax"),
        (with_types("u8 -> u8", "256"), "input"),
        (with_types("u8 -> u9", "1"), "types"),
    ];
    for (mut arguments, kind) in cases {
        arguments.push("--json");
        let ran = sochdb(&arguments);
        assert_eq!((ran.code, &*ran.error().0), (3, kind), "{arguments:?}\n{}", ran.stderr);
    }
    let ran = sochdb(&["run", &plugin, "nothing"]);
    assert!(ran.stderr.contains("it has boast, echo, fail, spin, trap"), "{}", ran.stderr);
    let ran = sochdb(&["run", &plugin, "echo", "--types", "u8 ->\n u9", "--json"]);
    assert_eq!(ran.error(), ("types".into(), Some(2), Some(2)));
}

#[test]
fn an_input_that_cannot_be_made_into_bytes_is_a_wrong_command_line() {
    let plugin = small_plugin("usage");
    let types = file("usage", "t.types", "other: () -> ()");
    let types = format!("@{types}");
    let cases: [&[&str]; 4] =
        [&["--input", "1"], &["--types", "u8 -> u8"], &["--types", &types], &["--embedded"]];
    for more in cases {
        let ran = sochdb(&[&["run", &*plugin, "echo", "--json"], more].concat());
        assert_eq!((ran.code, &*ran.error().0), (2, "usage"), "{more:?}");
    }
}

// Of two fields of one name the last one counted, without a word; of an f32 1e39 was refused and 1e-50 was 0;
// `--input -1` was an unexpected argument, and a mark before UTF-8 an unexpected character.
#[test]
fn inputs_lose_no_field_and_no_number() {
    let plugin = small_plugin("strict");
    let run = |types: &str, input: &str| {
        sochdb(&["run", &plugin, "echo", "--types", types, "--input", input, "--json"])
    };
    for (types, input) in [
        ("{a: u8} -> {a: u8}", r#"{"a": 1, "a": 2}"#),
        ("value -> value", r#"{"object": {"a": null, "a": true}}"#),
        ("[{a: u8}] -> ()", r#"[{"a": 1}, {"a": 1, "a": 1}]"#),
    ] {
        let ran = run(types, input);
        assert_eq!((ran.code, ran.error().0.as_str()), (3, "input_syntax"), "{input}");
        assert!(ran.stderr.contains("the field \"a\" is there twice"), "{}", ran.stderr);
    }
    for input in ["1e-50", "1e39", "-1e39"] {
        assert_eq!(run("f32 -> f32", input).error().0, "input", "{input}");
    }
    for (types, input) in [
        ("f32 -> f32", "1e-45"),
        ("f64 -> f64", "-0.5"),
        ("i8 -> i8", "-128"),
        ("value -> value", r#"{"object": {"a": null, "b": [true, "x", {"int": -1}]}}"#),
    ] {
        let ran = run(types, input);
        assert_eq!(ran.code, 0, "{input}: {}", ran.stderr);
        let expected: serde_json::Value = serde_json::from_str(input).expect("it is JSON");
        assert_eq!(ran.json()["output"]["value"], expected, "{input}");
    }
    let twice = "{\"entry\": \"echo\", \"entry\": \"trap\"}\n";
    let (calls, out) = (file("strict", "twice.jsonl", twice), file("strict", "t.trace", ""));
    let ran = sochdb(&["record", &plugin, "--calls", &calls, "--out", &out, "--json"]);
    assert_eq!(ran.error(), ("calls".into(), Some(1), None), "{}", ran.stderr);
    assert!(ran.stderr.contains("the field \"entry\" is there twice"), "{}", ran.stderr);
    let calls = "\u{feff}{\"entry\": \"echo\", \"input\": 7}\r\n";
    let calls = file("strict", "calls.jsonl", calls);
    let types = format!("@{}", file("strict", "t.types", "\u{feff}echo: u8 -> u8\r\n"));
    let arguments = ["record", &plugin, "--calls", &calls, "--types", &types, "--out", &out];
    let ran = sochdb(&arguments);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "echo: 7\n"), "{}", ran.stderr);
}

#[test]
fn a_recorded_run_replays_without_its_tables() {
    let trace = file("record", "spells.trace", "");
    let input = r#"{"min_days": 14, "min_precipitation": 0.1}"#;
    let ran = weather("rainy_spells", &["--input", input, "--record", &trace]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("events recorded in"), "{}", ran.stderr);
    let wasm = std::fs::read(WEATHER).expect("the plugin is there");
    let trace = std::fs::read(trace).expect("the trace was written");
    let replayer = sochdb_wasmi::replay::Replayer::new().with_plugin(&wasm);
    let replay = replayer.replay(trace.as_slice()).expect("the trace is whole");
    assert!(replay.is_exact() && replay.calls == 1, "{replay:?}");

    let ran = weather("rainy_spells", &["--input", input, "--record", "no/such/dir", "--json"]);
    assert_eq!((ran.code, &*ran.error().0), (4, "io"));
}

// All messages of all plugins were printed, whatever RUST_LOG said.
#[test]
fn messages_are_printed_as_far_as_rust_log_wants_them() {
    let plugin = speaking_plugin("rust_log", "greeter.wasm", "hello");
    let said = |wanted: &str| {
        let output = runner::command(env!("CARGO_BIN_EXE_sochdb-wasmi"))
            .args(["run", &plugin, "speak"])
            .env("RUST_LOG", wanted)
            .output()
            .expect("the program starts");
        (output.status.code(), String::from_utf8(output.stderr).expect("output is UTF-8"))
    };
    for (wanted, printed) in [
        ("", true),
        ("info", true),
        ("warn", false),
        ("warn,sochdb::plugin::greeter=debug", true),
        ("sochdb::plugin::greeter=off", false),
    ] {
        let (code, stderr) = said(wanted);
        assert_eq!((code, stderr.contains("hello")), (Some(0), printed), "{wanted}: {stderr}");
    }
    let (code, stderr) = said("sochdb::plugin::greeter=loud");
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("RUST_LOG"), "{stderr}");
}
