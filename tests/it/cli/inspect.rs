//! `inspect`: what a module is, and whether it would load.

use std::fs;

use serde_json::json;

use super::{WEATHER, file, small_plugin, sochdb};

#[test]
fn the_weather_plugin_is_described_as_its_documentation_does() {
    let ran =
        sochdb(&["inspect", WEATHER, "--manifest", "examples/plugins/weather.toml", "--json"]);
    assert_eq!((ran.code, &*ran.stderr), (0, ""));
    let report = ran.json();
    assert_eq!((&report["loads"], &report["abi_version"]), (&json!(true), &json!(1)));
    let names: Vec<_> =
        report["entries"].as_array().expect("a list").iter().map(|e| &e["name"]).collect();
    assert_eq!(names.len(), 8);
    assert!(names.contains(&&json!("rainy_spells")));
    assert_eq!(report["buffers"]["input"]["bytes"], 4096);
    assert_eq!(report["buffers"]["output"]["bytes"], 2048);
    let memory = json!({"initial_bytes": 65536, "maximum_bytes": 65536, "page_bytes": 65536});
    assert_eq!(report["memory"], memory);
    let mut capabilities: Vec<_> = report["capabilities"].as_array().expect("a list").clone();
    capabilities.sort_by_key(ToString::to_string);
    assert_eq!(
        capabilities,
        ["can_index_search", "can_read_table", "can_vector_search", "can_write_table"]
    );
    // Contents of sections, and nothing else but their headers and the eight bytes before them.
    let size = fs::metadata(WEATHER).expect("the plugin is there").len();
    assert_eq!(report["module_bytes"], size);
    let sections = report["sections"].as_array().expect("a list");
    let contents: u64 = sections.iter().filter_map(|section| section["bytes"].as_u64()).sum();
    assert!(contents < size && size <= contents + 8 + 6 * sections.len() as u64, "{contents}");
}

#[test]
fn the_hooks_of_a_manifest_are_shown() {
    let text = "[plugin]\nname = \"notes\"\nversion = \"1.0.0\"\n[capabilities]\n\
                can_read_table = [\"days\", \"month*\"]\n[hooks]\nafter_delete = [\"purge\"]\n\
                before_insert = [{ function = \"ingest\", tables = [\"month*\"] }]\n";
    let manifest = file("hooks", "hooks.toml", text);
    let ran = sochdb(&["inspect", WEATHER, "--manifest", &manifest]);
    let lines: Vec<_> = ran.stdout.lines().filter(|line| line.contains("_insert ")).collect();
    assert_eq!(lines, ["hooks         before_insert ingest: month*"], "{}", ran.stdout);
    assert!(ran.stdout.contains("after_delete purge: all tables that it may read\n"));
    let report = sochdb(&["inspect", WEATHER, "--manifest", &manifest, "--json"]).json();
    let hooks = json!([
        { "event": "before_insert", "entry": "ingest", "tables": ["month*"] },
        { "event": "after_delete", "entry": "purge", "tables": [] },
    ]);
    assert_eq!((&report["loads"], &report["hooks"]), (&json!(true), &hooks));
    // A hook that cannot be is why it does not load.
    let manifest = file("hooks", "hooks.toml", text.replace("ingest", "nothing"));
    let ran = sochdb(&["inspect", WEATHER, "--manifest", &manifest]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("the hook before_insert is the entry point \"nothing\""));
}

#[test]
fn pages_of_one_byte_and_imports_of_every_kind_are_described() {
    let wat = r#"(module
        (import "sochdb" "soch_write" (func (param i32 i32 i32 i32) (result i32)))
        (import "sochdb" "vector_search" (func (param i32) (result i32)))
        (import "env" "clock" (func (result i64)))
        (memory (export "memory") 4096 8192 (pagesize 1))
        (global (export "sochdb_plugin") i32 (i32.const 0)))"#;
    let plugin = file("imports", "p.wasm", wat::parse_str(wat).expect("this is a module"));
    let ran = sochdb(&["inspect", &plugin, "--json"]);
    let report = ran.json();
    assert_eq!((ran.code, &report["loads"]), (1, &json!(false)));
    assert!(report["error"].as_str().is_some_and(|error| error.contains("vector_search")));
    let memory = json!({"initial_bytes": 4096, "maximum_bytes": 8192, "page_bytes": 1});
    assert_eq!(report["memory"], memory);
    assert_eq!(
        report["imports"],
        json!([
            {"name": "sochdb.soch_write", "needs": "can_write_table"},
            {"name": "sochdb.vector_search", "needs": "refused: it has another type"},
            {"name": "env.clock", "needs": "refused: no host function has this type"},
        ])
    );
    // For people it says the same, on stdout.
    let ran = sochdb(&["inspect", &plugin]);
    assert!(ran.stdout.starts_with("loads         no, without a manifest"), "{}", ran.stdout);
}

#[test]
fn a_plugin_that_the_manifest_has_no_room_for_does_not_load_and_nothing_is_embedded() {
    let plugin = small_plugin("small");
    let manifest = |resources: &str| {
        let text = format!("[plugin]\nname = \"a\"\nversion = \"1.0.0\"\n{resources}");
        file("small", "m.toml", text)
    };
    let path = manifest("[resources]\nmemory_limit_bytes = 65535");
    let target = super::directory("small").join("out.wasm");
    let _ = fs::remove_file(&target);
    let target = target.to_str().expect("the path is UTF-8");
    let ran = sochdb(&["inspect", &plugin, "--manifest", &path, "--embed", target, "--json"]);
    let report = ran.json();
    assert_eq!((ran.code, &report["loads"], &report["written"]), (1, &json!(false), &json!([])));
    let error = "limit exceeded: 65536 bytes of linear memory asked, 65535 allowed";
    assert_eq!(report["error"], error);
    assert!(!fs::exists(target).expect("the directory can be read"));

    let path = manifest("[exports]\nfunctions = [\"missing\"]");
    let ran = sochdb(&["inspect", &plugin, "--manifest", &path]);
    assert!(ran.code == 1 && ran.stdout.contains("\"missing\""), "{}", ran.stdout);

    let path = manifest("[exports]\nfunctions = [\"echo\"]");
    let ran = sochdb(&["inspect", &plugin, "--manifest", &path, "--embed", target]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    let wasm = fs::read(target).expect("it was written");
    assert!(wasm.starts_with(&fs::read(&plugin).expect("the plugin is there")));
}

#[test]
fn what_is_no_module_is_exit_code_3() {
    let text = file("none", "text.wasm", "not a module");
    let cut = &fs::read(WEATHER).expect("the plugin is there")[..2000];
    let cut = file("none", "cut.wasm", cut);
    for path in [text, cut] {
        let ran = sochdb(&["inspect", &path, "--json"]);
        assert_eq!((ran.code, &*ran.error().0), (3, "not_wasm"), "{path}");
    }
}

#[test]
fn names_of_a_module_do_not_reach_a_terminal_as_they_are() {
    let wat = "(module (import \"env\" \"a\\1b[2Jb\" (func (param i32)))
        (memory (export \"memory\") 1) (func (export \"c\\1b[2Jd\") (param i32) (result i32) (i32.const 0))
        (@custom \"e\\1b[2Jf\" \"\"))";
    let plugin = file("escapes", "p.wasm", wat::parse_str(wat).expect("this is a module"));
    let inspected = sochdb(&["inspect", &plugin]);
    let ran = sochdb(&["run", &plugin, "c"]);
    assert_eq!((inspected.code, ran.code), (1, 3));
    for text in [inspected.stdout, inspected.stderr, ran.stdout, ran.stderr] {
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
    let report = sochdb(&["inspect", &plugin, "--json"]);
    assert!(!report.stdout.contains('\u{1b}'));
    assert_eq!(report.json()["entries"][0]["name"], "c\u{1b}[2Jd");
}
