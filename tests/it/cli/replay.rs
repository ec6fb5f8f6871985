//! `replay`: what a changed plugin does otherwise, and an exit code for everything.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    process::Stdio,
    sync::mpsc,
    time::Duration,
};

use serde_json::json;

use super::{
    WEATHER, changed_weather, directory, file, path, runner, small_plugin, sochdb, weather_job,
};

#[test]
fn an_unchanged_plugin_replays_exactly_without_tables_and_files() {
    let trace = weather_job();
    let ran = sochdb(&["replay", &trace, "--plugin", WEATHER]);
    assert_eq!((ran.code, &*ran.stdout), (0, "28 calls in 1787 events: as recorded\n"));
    let report = sochdb(&["replay", &trace, "--plugin", WEATHER, "--json"]).json();
    assert_eq!((&report["exact"], &report["calls"]), (&json!(true), &json!(28)));
    assert_eq!(report["trace"], json!(trace));
}

#[test]
fn a_changed_plugin_is_refused_unless_that_is_what_is_asked_for() {
    let (trace, changed) = (weather_job(), changed_weather("changed"));
    let ran = sochdb(&["replay", &trace, "--plugin", &changed, "--json"]);
    assert_eq!((ran.code, &*ran.error().0), (31, "wrong_module"));

    let arguments = ["replay", &*trace, "--plugin", &*changed, "--changed"];
    let ran = sochdb(&arguments);
    assert_eq!((ran.code, &*ran.stderr), (12, ""));
    for text in ["diverged at event 303, in call 4", "weather.ingest", "rejected 2012-09-07"] {
        assert!(ran.stdout.contains(text), "{}", ran.stdout);
    }
    let report = sochdb(&[&arguments[..], &["--keep-going", "100", "--json"]].concat()).json();
    assert_eq!((&report["exit_code"], &report["calls"]), (&json!(12), &json!(28)));
    let divergences = report["divergences"].as_array().expect("a list");
    assert!(divergences.len() > 1);
    assert_eq!(divergences[0]["cause"], "plugin-changed");

    // By its name in the trace, as one does if there are several.
    let named = format!("weather={changed}");
    assert_eq!(sochdb(&["replay", &trace, "--plugin", &named, "--changed"]).code, 12);
    let other = format!("other={changed}");
    assert_eq!(sochdb(&["replay", &trace, "--plugin", &other, "--changed"]).code, 31);
}

#[test]
fn every_damage_has_its_exit_code_and_its_name() {
    let whole = std::fs::read(weather_job()).expect("it was recorded");
    let mut changed = whole.clone();
    changed[200_000] ^= 1;
    let cases: [(&str, Vec<u8>, i32, &str); 6] = [
        ("empty", Vec::new(), 30, "empty"),
        ("text", b"not a trace at all".to_vec(), 30, "not_a_trace"),
        ("changed", changed, 30, "broken_chain"),
        ("twice", [&whole[..], &whole[..]].concat(), 30, "duplicated_header"),
        ("more", [&whole[..], b"x"].concat(), 30, "after_end"),
        ("version", [&whole[..7], &[9], &whole[8..]].concat(), 30, "trace_version"),
    ];
    for (name, bytes, code, kind) in cases {
        let trace = file("damage", name, bytes);
        for command in [
            &["replay", &trace, "--plugin", WEATHER][..],
            &["trace", "verify", &trace],
            &["trace", "stats", &trace],
        ] {
            let ran = sochdb(&[command, &["--json"]].concat());
            assert_eq!((ran.code, &*ran.error().0), (code, kind), "{command:?}");
        }
    }
}

#[test]
fn a_torn_trace_is_replayed_up_to_there_and_says_so() {
    let whole = std::fs::read(weather_job()).expect("it was recorded");
    let torn = file("torn", "torn.trace", &whole[..200_000]);
    let ran = sochdb(&["replay", &torn, "--plugin", WEATHER]);
    assert_eq!(ran.code, 17);
    assert!(ran.stdout.contains("the trace breaks off"), "{}", ran.stdout);
    let report = sochdb(&["replay", &torn, "--plugin", WEATHER, "--json"]).json();
    assert_eq!((&report["exact"], &report["divergences"]), (&json!(false), &json!([])));
    assert!(report["calls"].as_u64().is_some_and(|calls| calls > 5));
    assert_eq!(report["truncated"]["cause"], "truncated");
    let ran = sochdb(&["trace", "verify", &torn, "--json"]);
    assert_eq!((ran.code, &*ran.error().0), (17, "torn"));
}

#[test]
fn a_corpus_is_replayed_in_the_order_of_names_and_its_first_failure_is_the_exit_code() {
    let corpus = directory("corpus");
    let _ = (path("corpus", "c.trace"), path("corpus", "d.trace"));
    let (plugin, trace) = (small_plugin("corpus"), path("corpus", "b.trace"));
    assert_eq!(sochdb(&["record", &plugin, "echo", "--out", &trace]).code, 0);
    let corpus = corpus.to_str().expect("the path is UTF-8");
    let replay = || sochdb(&["replay", "--corpus", corpus, "--plugin", &plugin]);
    let ran = replay();
    assert_eq!((ran.code, &*ran.stderr), (0, "1 of 1 traces as recorded\n"));

    let whole = std::fs::read(&trace).expect("it was recorded");
    file("corpus", "c.trace", &whole[..whole.len() - 1]);
    file("corpus", "d.trace", "");
    let ran = replay();
    assert_eq!((ran.code, &*ran.stderr), (17, "1 of 3 traces as recorded\n"));
    let names: Vec<_> = ["b.trace: ", "c.trace: ", "d.trace: error: "]
        .map(|name| ran.stdout.find(name).expect("each trace is told of"))
        .into();
    assert!(names.is_sorted());
    let report = sochdb(&["replay", "--corpus", corpus, "--plugin", &plugin, "--json"]).json();
    assert_eq!((&report["exact"], &report["exit_code"]), (&json!(false), &json!(17)));
    assert_eq!(report["traces"][2]["error"]["kind"], "empty");

    let empty = directory("corpus_empty");
    let empty = empty.to_str().expect("the path is UTF-8");
    let ran = sochdb(&["replay", "--corpus", empty, "--plugin", &plugin, "--json"]);
    assert_eq!((ran.code, &*ran.error().0), (3, "no_traces"));
}

#[test]
fn a_watched_replay_comes_again_when_the_plugin_changes() {
    let trace = weather_job();
    let plugin = file("watch", "weather.wasm", std::fs::read(WEATHER).expect("it is there"));
    let mut child = runner::command(env!("CARGO_BIN_EXE_sochdb-wasmi"))
        .args(["replay", &trace, "--plugin", &plugin, "--changed", "--watch"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let stdout = child.stdout.take().expect("it is piped");
    let stderr = child.stderr.take().expect("it is piped");
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    // Far longer than it takes: only a replay that never comes waits so long.
    let next = |text: &str| loop {
        let line = lines.recv_timeout(Duration::from_secs(120)).expect("it goes on");
        if line.contains(text) {
            break;
        }
    };
    next("as recorded");
    let changed = std::fs::read(changed_weather("watch_changed")).expect("it is there");
    std::fs::write(&plugin, changed).expect("it can be written");
    next("rejected 2012-09-07");
    std::fs::write(&plugin, "not a module").expect("it can be written");
    std::thread::sleep(Duration::from_secs(1));
    std::fs::write(&plugin, std::fs::read(WEATHER).expect("it is there"))
        .expect("it can be written");
    next("as recorded");
    child.kill().expect("it runs until it is ended");
    child.wait().expect("it was ended");
    // It says what it waits for: nothing on the screen had told a waiting replay from one that hangs.
    let notes = std::io::read_to_string(stderr).expect("it is text");
    let waiting = format!("waiting for a change of {trace} or {plugin}; Ctrl-C ends it");
    assert!(notes.contains(&waiting), "{notes}");
}

// A plugin under a name that the trace does not have was passed over, and the replay said that it did
// not know the module, or was as recorded with another.
#[test]
fn a_name_that_no_plugin_of_the_trace_has_is_an_error() {
    let trace = weather_job();
    let plugin = format!("wheather={WEATHER}");
    let out = path("wrong_name", "small.trace");
    for arguments in [
        &["replay", &trace, "--plugin", &plugin][..],
        &["replay", &trace, "--plugin", &plugin, "--plugin", WEATHER],
        &["minimise", &trace, "--plugin", &plugin, "--out", &out],
    ] {
        let ran = sochdb(&[arguments, &["--json"]].concat());
        assert_eq!((ran.code, &*ran.error().0), (31, "no_plugin"), "{arguments:?}");
        let text = "no plugin is called \"wheather\" in the trace; it has weather";
        assert!(ran.stderr.contains(text), "{}", ran.stderr);
    }
    let plugin = format!("weather={WEATHER}");
    assert_eq!(sochdb(&["replay", &trace, "--plugin", &plugin]).code, 0);
}

/// An output that differed was told by its byte, though the types of the entry point were known.
#[test]
fn an_output_that_differs_is_told_by_its_field() {
    let plugin = |name: &str, value: &str| {
        let text = format!(
            r#"(module
                (memory (export "memory") 1)
                (global (export "sochdb_plugin") i32 (i32.const 0))
                (data (i32.const 0)
                    "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
                (data (i32.const 512) "{value}")
                (func (export "run") (param i32) (result i32) (i32.const 4))
                (@custom "sochdb.types" "run: () -> {{kind: u8, list: [u8]}}"))"#
        );
        file("typed", name, wat::parse_str(text).expect("a module"))
    };
    let old = plugin("old.wasm", r"\07\02\05\06");
    let trace = path("typed", "a.trace");
    assert_eq!(sochdb(&["record", &old, "run", "--out", &trace]).code, 0);
    let replay = |wasm: &str, more: &[&str]| {
        let arguments = ["replay", &*trace, "--plugin", wasm, "--changed", "--json"];
        let found = sochdb(&[&arguments[..], more].concat()).json()["divergences"][0].clone();
        let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
        (text(&found["field"]), text(&found["expected"]["value"]), text(&found["got"]["value"]))
    };
    let told = |field: &str, a: &str, b: &str| (field.to_owned(), a.to_owned(), b.to_owned());
    let item = plugin("item.wasm", r"\07\02\05\09");
    assert_eq!(replay(&item, &[]), told("output.list[1]", "6", "9"));
    let given = ["--types", "() -> (u8, [i16])"];
    assert_eq!(replay(&item, &given), told("output[1][1]", "3", "-5"));
    // What is not of the type is told by its byte.
    let wrong = plugin("wrong.wasm", r"\07\09\05\06");
    assert_eq!(replay(&wrong, &[]), told("output[1]", "0x02", "0x09"));
}

/// Whoever looked for what a change does to the last call of a job had every call before it reported.
#[test]
fn one_call_is_replayed_after_those_before_it_and_reported_alone() {
    let trace = weather_job();
    let replay = |plugin: &str, more: &[&str]| {
        sochdb(&[&["replay", &trace, "--plugin", plugin, "--json"][..], more].concat())
    };
    let ran = replay(WEATHER, &["--call", "28"]);
    assert_eq!((ran.code, &ran.json()["calls"]), (0, &json!(28)), "{}", ran.stdout);
    let changed = changed_weather("one_call");
    let all = replay(&changed, &["--changed", "--keep-going", "1000"]).json();
    let all = all["divergences"].as_array().expect("a list").clone();
    let diverging: BTreeSet<u64> = all.iter().filter_map(|found| found["call"].as_u64()).collect();
    assert!(diverging.len() > 1, "{diverging:?}");
    for call in [1, 2, 5, 12, 27] {
        let ran = replay(&changed, &["--changed", "--call", &call.to_string()]).json();
        let found = ran["divergences"].as_array().expect("a list");
        assert_eq!((found.is_empty(), &ran["calls"]), (!diverging.contains(&call), &json!(call)));
        assert!(found.iter().all(|found| found["call"] == json!(call)));
    }
    let ran = replay(WEATHER, &["--call", "29"]);
    assert_eq!((ran.code, &*ran.error().0), (2, "usage"));
    assert_eq!(replay(WEATHER, &["--call", "0"]).code, 2);
}
