//! `trace report`: the page of a trace. `.ci/report` clicks through pages in a browser.

use std::fs;

use serde_json::{Value, json};

use super::{WEATHER, changed_weather, file, path, sochdb, speaking_plugin, weather_job};

/// The data of a page.
fn data(page: &str) -> Value {
    let page = fs::read_to_string(page).expect("the page is there");
    let (_, data) = page.split_once("type=\"application/json\">").expect("the page has data");
    let (data, _) = data.split_once("</script>").expect("the data ends");
    serde_json::from_str(data).expect("the data is JSON")
}

#[test]
fn a_page_has_every_event_and_call_of_the_trace() {
    let (trace, out) = (weather_job(), path("report", "job.html"));
    let ran = sochdb(&["trace", "report", &trace, "--out", &out, "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let shown = sochdb(&["trace", "show", &trace, "--json"]).json();
    let events = shown["events"].as_array().expect("a list");
    let data = data(&out);
    assert_eq!(ran.json()["events"], events.len());
    for (event, on_page) in events.iter().zip(data["events"].as_array().expect("a list")) {
        assert_eq!(on_page[0], event["number"]);
        let line = event["line"].as_str().expect("a text");
        assert!(on_page[8].as_str().is_some_and(|text| text.starts_with(line)), "{on_page}");
    }
    // Fuel of the calls is what the figures have.
    let fuel = |list: &Value| -> u64 {
        list.as_array().expect("a list").iter().filter_map(|one| one["fuel"].as_u64()).sum()
    };
    assert_eq!(fuel(&data["calls"]), fuel(&data["stats"]["entries"]));
    assert_eq!(data["parted"], Value::Null);
    // The same trace is the same page.
    let again = path("report", "again.html");
    assert_eq!(sochdb(&["trace", "report", &trace, "--out", &again]).code, 0);
    assert_eq!(fs::read(&out).expect("a page"), fs::read(&again).expect("a page"));
}

#[test]
fn a_page_shows_where_a_changed_plugin_and_another_trace_part() {
    let (trace, out) = (weather_job(), path("report_parted", "parted.html"));
    let changed = changed_weather("report_parted");
    let ran = sochdb(&["trace", "report", &trace, "--plugin", &changed, "--out", &out, "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let replayed = sochdb(&["replay", &trace, "--plugin", &changed, "--changed", "--json"]).json();
    let event = &replayed["divergences"][0]["event"];
    assert!(event.is_u64(), "{replayed}");
    assert_eq!((&data(&out)["parted"]["event"], &ran.json()["parted_at"]), (event, event));
    let ran = sochdb(&["trace", "report", &trace, "--plugin", WEATHER, "--out", &out, "--json"]);
    assert_eq!((ran.code, &ran.json()["parted_at"]), (0, &Value::Null));
    // Two traces: of all calls, and of the first only.
    let one = path("report_parted", "one.trace");
    let calls = "[{\"entry\": \"peek_secret\"}]";
    let calls = file("report_parted", "one.jsonl", &calls[1..calls.len() - 1]);
    let ran = sochdb(&[
        "record",
        WEATHER,
        "--calls",
        &calls,
        "--manifest",
        "examples/plugins/weather.toml",
        "--types",
        "@examples/plugins/weather.types",
        "--schema",
        "examples/data/weather-schema.toml",
        "--no-clock",
        "--out",
        &one,
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(sochdb(&["trace", "report", &trace, &one, "--out", &out]).code, 0);
    let different = sochdb(&["trace", "diff", &trace, &one, "--json"]).json();
    assert_eq!(data(&out)["parted"]["event"], different["divergence"]["event"]);
}

// A plugin says what is logged. Its text stands in a script.
#[test]
fn a_text_of_a_plugin_is_no_markup_of_the_page() {
    let plugin = speaking_plugin("report_text", "p.wasm", "</script><script>alert(1)//");
    let (trace, out) = (path("report_text", "p.trace"), path("report_text", "p.html"));
    let ran = sochdb(&["record", &plugin, "speak", "--out", &trace]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!ran.stdout.contains("error"), "{}", ran.stdout);
    assert_eq!(sochdb(&["trace", "report", &trace, "--out", &out]).code, 0);
    let page = fs::read_to_string(&out).expect("the page is there");
    assert_eq!(page.matches("</script>").count(), 2);
    let said = data(&out)["events"].to_string();
    assert!(said.contains("</script><script>alert(1)//"), "{said}");
    // Nothing is fetched: the page opens from a disk, without a network.
    assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("src="));
}

#[test]
fn a_trace_that_breaks_off_has_a_page_that_says_so() {
    let whole = fs::read(weather_job()).expect("the trace is there");
    let torn = file("report_torn", "torn.trace", &whole[..whole.len() / 2]);
    let out = path("report_torn", "torn.html");
    let ran = sochdb(&["trace", "report", &torn, "--out", &out]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let data = data(&out);
    assert!(data["broken_off"].is_string(), "{}", data["broken_off"]);
    let calls = data["calls"].as_array().expect("a list");
    assert_eq!(calls.last().map(|call| &call["outcome"]), Some(&json!("the trace breaks off")));
    let text = file("report_torn", "text.trace", "not a trace");
    assert_eq!(sochdb(&["trace", "report", &text, "--out", &out]).code, 30);
    assert_eq!(sochdb(&["trace", "report", &torn, "--out", "no/such/page.html"]).code, 4);
}
