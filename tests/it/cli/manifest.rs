//! `--manifest`: the errors of one reach the user with line and column, packed ones are taken too.

use super::{WEATHER, file, sochdb};

#[test]
fn what_is_wrong_with_a_manifest_is_named_with_file_line_and_column() {
    let cases = [
        (
            "[plugin]\nname = \"a\"\nversion = \"1.0.0\"\n[capabilities]\ncan_fly = true",
            5,
            1,
            "unknown_field",
        ),
        (
            "[plugin]\nname = \"a\"\nversion = \"1.0.0\"\n[capabilities]\ncan_read_table = [\"*a\"]",
            5,
            19,
            "glob",
        ),
        (
            "[plugin]\nname = \"a\"\nversion = \"1.0.0\"\n[resources]\nmemory_limit_mb = 4096",
            5,
            19,
            "out_of_range",
        ),
        ("[plugin]\nname = \"a\"\nversion = 1", 3, 11, "wrong_type"),
        ("[plugin]\nname = \"a b\"\nversion = \"1.0.0\"", 2, 8, "name"),
        ("[plugin]\nname = \"a\"\nversion = \"one\"", 3, 11, "version"),
        (
            "[plugin]\nname = \"a\"\nversion = \"1.0.0\"\n[hooks]\nafter_insert = [\"f\", \"f\"]",
            5,
            22,
            "duplicate",
        ),
        ("[plugin]\nname = \"a\"", 1, 1, "missing_field"),
        ("[plugin", 1, 8, "syntax"),
    ];
    for (text, line, column, kind) in cases {
        let path = file("manifests", "m.toml", text);
        for command in [&["run", WEATHER, "purge"][..], &["inspect", WEATHER]] {
            let ran = sochdb(&[command, &["--manifest", &path, "--json"]].concat());
            let expected = (kind.to_string(), Some(line), Some(column));
            assert_eq!((ran.code, ran.error()), (3, expected), "{text}\n{}", ran.stderr);
            assert_eq!(ran.json()["error"]["file"], path);
            let place = format!("{path}: line {line}, column {column}: ");
            assert!(ran.stderr.contains(&place), "{}", ran.stderr);
        }
    }
}

#[test]
fn a_packed_manifest_is_taken_as_the_one_it_was_made_of() {
    let packed = file("packed", "weather.bin", "");
    let toml = "examples/plugins/weather.toml";
    let ran = sochdb(&["inspect", WEATHER, "--manifest", toml, "--pack", &packed]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let limit = |manifest: &str| {
        let ran = sochdb(&["run", WEATHER, "peek_secret", "--manifest", manifest, "--json"]);
        ran.json()["fuel_limit"].clone()
    };
    assert_eq!((limit(toml), limit(&packed)), (20_000_000.into(), 20_000_000.into()));

    let mut bytes = std::fs::read(&packed).expect("it was written");
    bytes.pop();
    let cut = file("packed", "cut.bin", bytes);
    let ran = sochdb(&["run", WEATHER, "peek_secret", "--manifest", &cut, "--json"]);
    assert_eq!((ran.code, &*ran.error().0), (3, "packed_manifest"));
}

#[test]
fn a_manifest_in_the_module_counts_only_if_it_is_asked_for() {
    let whole = file("embedded", "weather.wasm", "");
    let toml = "examples/plugins/weather.toml";
    let ran = sochdb(&["inspect", WEATHER, "--manifest", toml, "--embed", &whole]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);

    let limit = |more: &[&str]| {
        let ran = sochdb(&[&["run", &*whole, "peek_secret", "--json"], more].concat());
        ran.json()["fuel_limit"].clone()
    };
    assert_eq!(limit(&[]), 1_000_000);
    assert_eq!(limit(&["--embedded"]), 20_000_000);
    let report = sochdb(&["inspect", &whole, "--json"]).json();
    assert_eq!(report["manifest"], serde_json::Value::Null);
    assert_eq!(report["carried_manifest"]["name"], "weather");
}
