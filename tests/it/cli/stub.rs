//! `--stub`: plugins that call functions of a device, run and recorded without the device.

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

use serde_json::json;

use super::{Ran, file, path, sochdb};

/// Reads a sensor of a board and returns what it answers, as four bytes. Tests at the same time have it once.
fn thermometer() -> String {
    static WRITTEN: OnceLock<String> = OnceLock::new();
    let wat = include_str!("../../../examples/plugins/thermometer.wat");
    let write = || file("stub", "thermometer.wasm", wat::parse_str(wat).expect("this is a module"));
    WRITTEN.get_or_init(write).clone()
}

/// What the device's own host asks for: the grant is not called as the function is.
fn manifest(grant: &str) -> String {
    static WRITTEN: AtomicU32 = AtomicU32::new(0);
    let name = format!("{}.toml", WRITTEN.fetch_add(1, Ordering::Relaxed));
    let text = format!(
        "[plugin]\nname = \"thermometer\"\nversion = \"1.0.0\"\n\
         [capabilities]\ncan_call_host = [\"{grant}\"]\n"
    );
    file("stub", &name, text)
}

fn measured(grant: &str, stub: &str) -> Ran {
    let (plugin, manifest) = (thermometer(), manifest(grant));
    sochdb(&[
        "run",
        &plugin,
        "measure",
        "--manifest",
        &manifest,
        "--input-hex",
        "02",
        "--stub",
        stub,
        "--json",
    ])
}

// A plugin with a function of its device could not be run, recorded or inspected on a desk at all:
// "imports board.read_sensor, which is not a host function".
#[test]
fn a_stub_answers_for_a_function_of_the_device() {
    for (stub, output) in [
        ("board.read_sensor=4e080000", "4e080000"),
        ("board.read_sensor=[78, 8, 0, 0] as [u8; 4]", "4e080000"),
    ] {
        let ran = measured("board.*", stub);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let report = ran.json();
        assert_eq!(report["output"]["hex"], output);
        assert_eq!(report["functions"]["board.read_sensor"]["calls"], 1);
    }
}

#[test]
fn a_stub_needs_the_grant_that_the_function_needs() {
    let ran = measured("board.sensor", "board.read_sensor:board.sensor=4e080000");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // The default is the name of the function.
    let ran = measured("board.sensor", "board.read_sensor=4e080000");
    let denials = &ran.json()["denials"];
    assert_eq!((ran.code, &denials[0]["function"]), (1, &json!("board.read_sensor")));
    let line = r#"can_call_host = ["board.sensor", "board.read_sensor"]"#;
    assert_eq!(denials[0]["capabilities"], json!([line]));
}

#[test]
fn a_stub_fails_with_the_status_that_it_is_given() {
    let ran = measured("board.*", "board.read_sensor=status -2");
    assert_eq!((ran.code, &ran.json()["error"]["status"]), (1, &json!(-2)));
    // The plugin's buffer has four bytes.
    let ran = measured("board.*", "board.read_sensor=0102030405");
    assert_eq!((ran.code, &ran.json()["error"]["status"]), (1, &json!(-5)));
}

#[test]
fn answers_of_a_file_and_of_a_trace_come_in_their_order() {
    let answers = file("stub", "answers.txt", "01000000\nstatus -4\n[3, 0, 0, 0] as [u8; 4]\n");
    let call = "{\"entry\": \"measure\", \"input_hex\": \"02\"}\n";
    let calls = file("stub", "calls.jsonl", call.repeat(4));
    let (plugin, manifest) = (thermometer(), manifest("board.sensor"));
    let record = |stub: &str, out: &str| {
        sochdb(&[
            "record",
            &plugin,
            "--calls",
            &calls,
            "--manifest",
            &manifest,
            "--no-clock",
            "--stub",
            stub,
            "--out",
            out,
        ])
    };
    let trace = path("stub", "first.trace");
    let ran = record(&format!("board.read_sensor:board.sensor=@{answers}"), &trace);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!((lines[0], lines[2]), ("measure: 01000000", "measure: 03000000"));
    assert!(lines[1].contains("-4"), "{}", lines[1]);
    assert!(lines[3].contains("has 3 answers and no more"), "{}", lines[3]);
    // The trace replays without the stub, and its answers, with their grant, make the same calls.
    assert_eq!(sochdb(&["replay", &trace, "--plugin", &plugin]).code, 0);
    let again = path("stub", "again.trace");
    let ran = record(&format!("board.read_sensor=from {trace}"), &again);
    assert_eq!(ran.stdout.lines().take(3).collect::<Vec<_>>(), lines[..3]);
}

#[test]
fn a_stub_that_is_not_one_is_named() {
    for (stub, said) in [
        ("read_sensor=00", "MODULE.FUNCTION=ANSWERS"),
        ("sochdb.soch_read=00", "SochDB's own functions"),
        ("board.read_sensor=0", "not bytes in hex"),
        ("board.read_sensor=status 7", "7 is not a status"),
        ("board.read_sensor=\"x\" as u8", "u8"),
        ("board.read_sensor=@missing.txt", "missing.txt"),
    ] {
        let ran = measured("board.*", stub);
        assert!(matches!(ran.code, 2 | 4) && ran.stderr.contains(said), "{stub}: {}", ran.stderr);
    }
    let trace = super::weather_job();
    let ran = measured("board.*", &format!("board.read_sensor=from {trace}"));
    assert_eq!((ran.code, &*ran.error().0), (2, "usage"));
    assert!(ran.stderr.contains("the host of this trace had no such function"), "{}", ran.stderr);
}

#[test]
fn inspect_loads_a_plugin_whose_functions_the_device_has() {
    let (plugin, manifest) = (thermometer(), manifest("board.*"));
    let ran = sochdb(&["inspect", &plugin, "--manifest", &manifest]);
    assert_eq!((ran.code, &*ran.stderr), (0, ""));
    assert!(ran.stdout.contains(", on a host that provides board.read_sensor"), "{}", ran.stdout);
    let report = sochdb(&["inspect", &plugin, "--manifest", &manifest, "--json"]).json();
    let needs = "can_call_host; the host has to provide it";
    assert_eq!(report["imports"], json!([{"name": "board.read_sensor", "needs": needs}]));
    assert_eq!(report["capabilities"], json!(["can_call_host"]));
}
