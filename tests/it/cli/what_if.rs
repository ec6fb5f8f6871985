//! `what-if` and `minimise`.

use std::{fmt::Write as _, fs};

use serde_json::json;
use sochdb_wasmi::{
    limits::{LIMITS, Limits},
    manifest::Manifest,
};

use super::{
    WEATHER, changed_weather, file, path, small_plugin, sochdb, weather_arguments, weather_job,
};

#[test]
fn the_narrowest_manifest_is_one_and_allows_the_same_calls_again() {
    let ran = sochdb(&["what-if", &weather_job(), "--infer"]);
    assert_eq!((ran.code, &*ran.stderr), (0, ""));
    let manifest = Manifest::from_toml(&ran.stdout).expect("it is a manifest");
    assert!(!manifest.config.capabilities.can_read("payroll"), "what was denied is not granted");
    let narrow = file("infer", "narrow.toml", &ran.stdout);
    assert_eq!(sochdb(&["what-if", &weather_job(), "--manifest", &narrow]).code, 0);

    let again = path("infer", "again.trace");
    let mut arguments = weather_arguments(&again);
    for argument in &mut arguments {
        if argument == "examples/plugins/weather.toml" {
            argument.clone_from(&narrow);
        }
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let ran = sochdb(&[&arguments[..], &["--json"]].concat());
    let before = weather_arguments(&path("infer", "before.trace"));
    let before: Vec<_> = before.iter().map(String::as_str).collect();
    let before = sochdb(&[&before[..], &["--json"]].concat()).json();
    let outcomes = |report: &serde_json::Value| -> Vec<_> {
        let calls = report["calls"].as_array().expect("a list");
        calls.iter().map(|call| (call["output"].clone(), call["fuel"].clone())).collect()
    };
    assert_eq!(outcomes(&ran.json()), outcomes(&before));
}

/// `what-if --infer` wrote a hand-made list of limits and left out `results` and `locals`: the manifest
/// that it called the narrowest allowed 32 and 10,000 where the plugin had been loaded with 2 and 500.
#[test]
fn every_limit_that_a_trace_does_not_measure_is_inferred_as_it_was_loaded() {
    let grants = fs::read_to_string("examples/plugins/weather.toml").expect("it is there");
    let mut manifest = Manifest::from_toml(&grants).expect("a manifest");
    for (at, spec) in LIMITS.iter().enumerate() {
        if spec.usage.is_measured() {
            continue;
        }
        // Another value than the default, and still enough for the job.
        let value = match spec.of(&Limits::DEFAULT) {
            Some(default) if default < spec.max => default + 1 + at as u64,
            Some(default) => default - 1,
            None => spec.max,
        };
        spec.set(&mut manifest.config.limits, Some(value));
    }
    let loaded = manifest.config.limits;
    let mut text = grants.split("[resources]").next().expect("a beginning").to_owned();
    text += "[resources]\nfuel_limit = 20_000_000\n";
    for spec in LIMITS.iter().filter(|spec| !spec.usage.is_measured()) {
        let value = spec.of(&loaded).expect("it was set");
        writeln!(text, "{} = {value}", spec.key).expect("a String takes all");
    }
    let after = grants.split("[exports]").nth(1).expect("the rest");
    let narrow = file("infer_all", "narrow.toml", format!("{text}\n[exports]{after}"));
    let trace = path("infer_all", "narrow.trace");
    let mut arguments = weather_arguments(&trace);
    for argument in &mut arguments {
        if argument == "examples/plugins/weather.toml" {
            argument.clone_from(&narrow);
        }
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let recorded = sochdb(&arguments);
    assert!(recorded.code <= 1, "{}", recorded.stderr);
    let ran = sochdb(&["what-if", &trace, "--infer"]);
    assert_eq!((ran.code, &*ran.stderr), (0, ""));
    let inferred = Manifest::from_toml(&ran.stdout).expect("it is a manifest").config.limits;
    for spec in LIMITS {
        let (loaded, inferred) = (spec.of(&loaded), spec.of(&inferred));
        if spec.usage.is_measured() {
            assert!(inferred <= loaded.max(Some(20_000_000)), "{}", spec.field);
        } else {
            assert_eq!(inferred, loaded, "{}: {}", spec.field, ran.stdout);
        }
    }
}

#[test]
fn what_a_narrower_manifest_would_deny_is_listed_and_is_exit_code_1() {
    let manifest = "[plugin]\nname = \"weather\"\nversion = \"0.1.0\"\n[capabilities]\n\
        can_read_table = [\"weather\"]\ncan_write_table = [\"weather\", \"monthly\"]\n\
        can_index_search = true\n[resources]\nfuel_limit = 2_000_000\nno_timeout = true\n";
    let manifest = file("what_if", "narrow.toml", manifest);
    let ran = sochdb(&["what-if", &weather_job(), "--manifest", &manifest]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for text in [
        "needs can_index_search and can_read_table for monthly",
        "vector_search weather",
        "fuel",
        "soch_read payroll",
        "(denied already)",
    ] {
        assert!(ran.stdout.contains(text), "{text}\n{}", ran.stdout);
    }
    let report = sochdb(&["what-if", &weather_job(), "--manifest", &manifest, "--json"]).json();
    assert!(report["new_denials"].as_u64().is_some_and(|new| new > 24));
    assert_eq!(report["traces"][0]["host_calls"], 1724);
    let first = &report["traces"][0]["denials"][0];
    assert_eq!((&first["certain"], &first["table"]), (&json!(true), &json!("monthly")));
}

#[test]
fn a_manifest_of_another_plugin_is_refused_unless_the_plugin_is_named() {
    let manifest = "[plugin]\nname = \"other\"\nversion = \"0.1.0\"\n";
    let manifest = file("what_if_name", "other.toml", manifest);
    let arguments = ["what-if", &*weather_job(), "--manifest", &*manifest];
    let ran = sochdb(&[&arguments[..], &["--json"]].concat());
    assert_eq!((ran.code, &*ran.error().0), (3, "no_plugin"));
    assert!(ran.stderr.contains("it has weather"), "{}", ran.stderr);
    assert_eq!(sochdb(&[&arguments[..], &["--plugin", "weather"]].concat()).code, 1);
}

#[test]
fn a_divergence_is_made_small_and_becomes_a_test() {
    let (trace, changed) = (weather_job(), changed_weather("minimise"));
    let (small, test) = (path("minimise", "small.trace"), path("minimise", "small.rs"));
    let arguments = ["minimise", &*trace, "--plugin", &*changed, "--out", &*small, "--json"];
    let ran = sochdb(&arguments);
    assert_eq!((ran.code, &*ran.error().0), (31, "needs_recorded"));
    let more = ["--recorded", WEATHER, "--test", &*test, "--tries", "20"];
    let ran = sochdb(&[&arguments[..], &more].concat());
    let report = ran.json();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!((&report["calls_before"], &report["calls"]), (&json!(28), &json!(1)));
    assert!(report["bytes"].as_u64() < report["bytes_before"].as_u64());
    // It diverges as before, and the plugin that was recorded does not.
    assert_eq!(sochdb(&["replay", &small, "--plugin", &changed, "--changed"]).code, 12);
    assert_eq!(sochdb(&["replay", &small, "--plugin", WEATHER]).code, 0);
    let test = std::fs::read_to_string(test).expect("it was written");
    assert!(test.contains("#[test]") && test.contains("sochdb_wasmi::testing::replay_trace("));
    assert!(test.contains(&small) && test.contains(&changed), "{test}");
}

#[test]
fn a_call_that_fails_is_what_is_left_of_a_trace() {
    let plugin = small_plugin("minimise_call");
    let calls =
        "{\"entry\": \"echo\", \"input_hex\": \"00\"}\n".repeat(9) + "{\"entry\": \"trap\"}";
    let calls = file("minimise_call", "calls.jsonl", calls);
    let (trace, small) = (path("minimise_call", "a.trace"), path("minimise_call", "small.trace"));
    assert_eq!(sochdb(&["record", &plugin, "--calls", &calls, "--out", &trace]).code, 0);
    let ran = sochdb(&["minimise", &trace, "--plugin", &plugin, "--out", &small]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("small.trap fails"), "{}", ran.stdout);
    assert!(ran.stderr.starts_with("1 of 10 calls"), "{}", ran.stderr);

    let fine = path("minimise_call", "fine.trace");
    assert_eq!(sochdb(&["record", &plugin, "echo", "--out", &fine]).code, 0);
    let ran = sochdb(&["minimise", &fine, "--plugin", &plugin, "--out", &small, "--json"]);
    assert_eq!((ran.code, &*ran.error().0), (1, "does_not_fail"));
}

/// A search that is ended by a signal left no file, and off a terminal nothing said that it went on.
#[test]
fn the_best_trace_so_far_is_written_and_told_while_it_is_looked_for() {
    let (trace, changed) = (weather_job(), changed_weather("minimise_seconds"));
    let small = path("minimise_seconds", "small.trace");
    let arguments =
        ["minimise", &*trace, "--plugin", &*changed, "--recorded", WEATHER, "--out", &*small];
    let ran = sochdb(&[&arguments[..], &["--seconds", "0"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines: Vec<_> = ran.stderr.lines().collect();
    assert!(
        lines[0].starts_with("making ") && lines[0].contains(" bytes after 1 try"),
        "{lines:?}"
    );
    assert!(ran.stderr.contains("(--tries, --seconds)"), "{lines:?}");
    let replay = ["replay", &*small, "--plugin", WEATHER];
    assert_eq!(sochdb(&replay).code, 0);
}
