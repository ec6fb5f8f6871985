//! Manifests in TOML: what they mean, and where each thing that is wrong with one is said to be.

use proptest::prelude::*;
use sochdb_wasmi::{
    abi::{Value, message::HookEvent},
    capability::{Capabilities, Globs},
    database::{Database, MemoryLimits},
    host::{Host, HostConfig, NoClock, OnDenied, PluginConfig},
    limits::{LIMITS, Limits},
    manifest::{
        Manifest, ManifestLoadError,
        document::{DocumentError, Problem},
    },
};

const WEATHER: &[u8] = include_bytes!("../../../examples/plugins/weather.wasm");

/// The least that is a manifest, and `more` from the fourth line on.
pub fn with(more: &str) -> Result<Manifest, DocumentError> {
    Manifest::from_toml(&format!("[plugin]\nname = \"notes\"\nversion = \"1.0.0\"\n{more}"))
}

/// The error of [`with`]: its line, column, word, and text.
pub fn wrong(more: &str) -> (u32, u32, &'static str, String) {
    let error = with(more).expect_err("the manifest is wrong");
    (error.line, error.column, error.problem.as_str(), error.to_string())
}

/// A manifest with every field.
const WHOLE: &str = r#"
[plugin]
name = "analytics"
version = "1.2.3-rc.1"
description = "Adds things up."
author = "somebody"
license = "MIT"
homepage = "https://example.org"
repository = "https://example.org/analytics"

[capabilities]
can_read_table = ["analytics_*", "metrics"]
can_write_table = ["analytics_results"]
can_vector_search = true
can_index_search = true
can_call_plugin = ["eu-*", "audit"]
can_call_host = ["sensor.*"]
on_denied = "trap"

[resources]
memory_limit_mb = 64
fuel_limit = 10_000_000
timeout_ms = 1000
table_elements = 0
stack_bytes = 0x8000
recursion = 64
module_bytes = 65536
results = 4
locals = 0
host_calls = 7
rows = 8
bytes = 9
slice_fuel = 10

[exports]
functions = ["b", "a"]

[hooks]
after_delete = [{ function = "b", tables = ["metrics"] }, "a"]
before_insert = ["b", "a"]
before_update = []
tables = ["analytics_*"]

[config]
limit = { uint = 5 }
offset = -5
factor = 1.5
text = "x"
flag = true
bytes = { binary = "00ff" }
"a.key with-more" = [1, { uint = 2 }]
"#;

#[test]
fn every_field_of_a_manifest_means_what_the_documentation_says() {
    let manifest = Manifest::from_toml(WHOLE).expect("the manifest is right");
    let capabilities = Capabilities {
        can_read_table: Globs::new(&["analytics_*", "metrics"]).expect("patterns"),
        can_write_table: Globs::new(&["analytics_results"]).expect("patterns"),
        can_vector_search: true,
        can_index_search: true,
        can_call_host: Globs::named(&["sensor.*"]).expect("patterns"),
        can_call_plugin: Globs::plugins(&["eu-*", "audit"]).expect("patterns"),
    };
    let limits = Limits {
        memory_bytes: 64 << 20,
        table_elements: 0,
        fuel_per_call: 10_000_000,
        stack_bytes: 0x8000,
        recursion: 64,
        module_bytes: 65536,
        results: 4,
        locals: 0,
        host_calls: 7,
        rows: 8,
        bytes: 9,
        deadline_ms: Some(1000),
        slice_fuel: 10,
        ..Limits::default()
    };
    let list = [Value::Int(1), Value::UInt(2)];
    let config = PluginConfig::new(capabilities)
        .with_limits(limits)
        .with_on_denied(OnDenied::Trap)
        .set("limit", 5_u64)
        .and_then(|config| config.set("offset", -5_i64))
        .and_then(|config| config.set("factor", 1.5))
        .and_then(|config| config.set("text", "x"))
        .and_then(|config| config.set("flag", true))
        .and_then(|config| config.set("bytes", &[0_u8, 255][..]))
        .and_then(|config| {
            config.set("a.key with-more", Value::Array(sochdb_wasmi::abi::Seq::new(&list)))
        })
        .expect("these are keys");
    let config = config
        .with_hook(HookEvent::BeforeInsert, "b", &["analytics_*"])
        .and_then(|config| config.with_hook(HookEvent::BeforeInsert, "a", &["analytics_*"]))
        .and_then(|config| config.with_hook(HookEvent::AfterDelete, "b", &["metrics"]))
        .and_then(|config| config.with_hook(HookEvent::AfterDelete, "a", &["analytics_*"]))
        .expect("these are hooks");
    assert_eq!(manifest.config, config);
    assert_eq!((&*manifest.name, manifest.version.as_str()), ("analytics", "1.2.3-rc.1"));
    assert_eq!(manifest.entries.iter().map(|e| &**e).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_manifest_without_sections_grants_nothing_and_has_the_default_limits() {
    let manifest = with("").expect("the manifest is right");
    assert_eq!(manifest.config, PluginConfig::default());
    assert!(manifest.entries.is_empty());
}

#[test]
fn settings_of_every_kind_can_be_written() {
    let manifest = with(
        r#"[config]
deep = { object = { a = 1, b = { array = [{ float = 2 }, { bool = false }] } } }
row = { ref = { table = "days", id = 7 } }
point = { vector = [1, -2.5] }
text = { text = "t" }
int = { int = -1 }
"#,
    )
    .expect("the manifest is right");
    let point: Vec<u8> = [1_f32, -2.5].iter().flat_map(|x| x.to_le_bytes()).collect();
    let inner = [Value::Float(2.0), Value::Bool(false)];
    let inner = Value::Array(sochdb_wasmi::abi::Seq::new(&inner));
    let fields = [("a", Value::Int(1)), ("b", inner)];
    let config = PluginConfig::default()
        .set("deep", Value::Object(sochdb_wasmi::abi::Seq::new(&fields)))
        .and_then(|config| config.set("row", Value::Ref { table: "days", id: 7 }))
        .and_then(|config| config.set("point", &point[..]))
        .and_then(|config| config.set("text", "t"))
        .and_then(|config| config.set("int", -1_i64))
        .expect("these are keys");
    assert_eq!(manifest.config, config);
}

/// The fields of `[resources]` were listed by hand, beside the limits that they give.
#[test]
fn every_limit_of_the_table_can_be_given_within_its_range_and_not_outside() {
    for spec in LIMITS {
        for value in [spec.min, spec.max] {
            let manifest = with(&format!("[resources]\n{} = {value}", spec.key)).expect("right");
            let mut expected = Limits::default();
            spec.set(&mut expected, Some(value));
            assert_eq!(spec.of(&expected), Some(value));
            assert_eq!(manifest.config.limits, expected, "{}", spec.field);
        }
        let outside = [i128::from(spec.min) - 1, i128::from(spec.max) + 1];
        for value in outside {
            let error = wrong(&format!("[resources]\n{} = {value}", spec.key));
            assert_eq!((error.0, error.2), (5, "out_of_range"), "{}: {value}", spec.field);
        }
        if let Some((key, shift)) = spec.scaled {
            let manifest = with(&format!("[resources]\n{key} = 3")).expect("right");
            assert_eq!(spec.of(&manifest.config.limits), Some(3 << shift));
        }
        if let Some(key) = spec.unlimited {
            let manifest = with(&format!("[resources]\n{key} = true")).expect("right");
            assert_eq!(spec.of(&manifest.config.limits), None);
        }
    }
}

#[test]
fn no_timeout_is_no_deadline() {
    let manifest = with("[resources]\nno_timeout = true").expect("the manifest is right");
    assert_eq!(manifest.config.limits.deadline_ms, None);
    let manifest = with("[resources]\nno_timeout = false\ntimeout_ms = 5").expect("right");
    assert_eq!(manifest.config.limits.deadline_ms, Some(5));
}

/// What is added to a manifest, and the line, the column and the word of the error.
const WRONG: [(&str, u32, u32, &str); 42] = [
    // Syntax, and types.
    ("[capabilities\n", 4, 14, "syntax"),
    ("[config]\na = 1\na = 2\n", 6, 1, "syntax"),
    ("[capabilities]\ncan_read_table = \"notes\"", 5, 18, "wrong_type"),
    ("[capabilities]\ncan_read_table = [\"notes\", 5]", 5, 28, "wrong_type"),
    ("[capabilities]\ncan_vector_search = 1", 5, 21, "wrong_type"),
    ("[resources]\nfuel_limit = 1.5", 5, 14, "wrong_type"),
    ("capabilities = true", 4, 1, "unknown_field"),
    ("[exports]\nfunctions = [[]]", 5, 14, "wrong_type"),
    // Fields that mean nothing.
    ("[capability]\n", 4, 2, "unknown_field"),
    ("[capabilities]\ncan_read_tables = []", 5, 1, "unknown_field"),
    ("[resources]\n  memory_mb = 1", 5, 3, "unknown_field"),
    ("[exports]\nfunction = []", 5, 1, "unknown_field"),
    ("[hooks]\nbefore_upsert = []", 5, 1, "unknown_field"),
    ("[config]\na = { uint64 = 5 }", 5, 7, "unknown_field"),
    ("[config]\na = { ref = { table = \"t\", row = 1 } }", 5, 28, "unknown_field"),
    // Patterns, names and keys.
    ("[capabilities]\ncan_read_table = [\"a\", \"b*c\"]", 5, 24, "glob"),
    ("[capabilities]\ncan_write_table = [\"\"]", 5, 20, "glob"),
    ("[capabilities]\ncan_call_host = [\"a b\"]", 5, 18, "glob"),
    (
        "[capabilities]\ncan_read_table = [\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"]",
        5,
        18,
        "glob",
    ),
    ("[config]\n\"\" = 1", 5, 1, "key"),
    ("[config]\na = { ref = { table = \"1\", id = 1 } }", 5, 23, "name"),
    // Limits.
    ("[resources]\nmemory_limit_mb = 0", 5, 19, "out_of_range"),
    ("[resources]\nmemory_limit_mb = 2049", 5, 19, "out_of_range"),
    ("[resources]\nmemory_limit_bytes = 2147483649", 5, 22, "out_of_range"),
    ("[resources]\nfuel_limit = -1", 5, 14, "out_of_range"),
    ("[resources]\nfuel_limit = 99999999999999999999", 5, 14, "out_of_range"),
    ("[resources]\ntimeout_ms = 4294967296", 5, 14, "out_of_range"),
    ("[resources]\nstack_bytes = 0", 5, 15, "out_of_range"),
    ("[config]\na = 9223372036854775808", 5, 5, "out_of_range"),
    ("[config]\na = { uint = -1 }", 5, 14, "out_of_range"),
    // Contradictions.
    ("[resources]\nmemory_limit_mb = 1\nmemory_limit_bytes = 9", 6, 1, "conflict"),
    ("[resources]\ntimeout_ms = 1\nno_timeout = true", 6, 1, "conflict"),
    ("[exports]\nfunctions = [\"a\", \"b\", \"a\"]", 5, 24, "duplicate"),
    // What this host cannot do.
    ("[config]\nsince = 2015-11-01", 5, 9, "unsupported"),
    ("[capabilities]\non_denied = \"ignore\"", 5, 13, "choice"),
    // Settings.
    ("[config]\na = { uint = 1, int = 1 }", 5, 5, "wrong_type"),
    ("[config]\na = { binary = \"0\" }", 5, 16, "wrong_type"),
    ("[config]\na = { binary = \"+1\" }", 5, 16, "wrong_type"),
    ("[config]\na = { vector = [\"1\"] }", 5, 17, "wrong_type"),
    ("[config]\na = [[[[[[[[[]]]]]]]]]", 5, 13, "too_deep"),
    ("[config]\na = { ref = { id = 1 } }", 5, 13, "missing_field"),
    ("[capabilities]\ncan_call_plugin = [\"9log\"]", 5, 20, "glob"),
];

#[test]
fn what_is_wrong_is_named_with_its_line_and_column() {
    for (more, line, column, problem) in WRONG {
        let (found_line, found_column, found, text) = wrong(more);
        assert_eq!((found_line, found_column, found), (line, column, problem), "{more}\n{text}");
        assert!(text.starts_with(&format!("line {line}, column {column}: ")), "{text}");
    }
}

#[test]
fn the_plugin_section_must_be_there_and_right() {
    let cases = [
        ("", 1, 1, "missing_field"),
        ("[plugin]\nversion = \"1.0.0\"", 1, 1, "missing_field"),
        ("\n[plugin]\nname = \"notes\"", 2, 1, "missing_field"),
        ("[plugin]\nname = \"my notes\"\nversion = \"1.0.0\"", 2, 8, "name"),
        ("[plugin]\nname = \"notes\"\nversion = \"1.0\"", 3, 11, "version"),
        (
            "[plugin]\nname = \"notes\"\nversion = \"1.0.0\"\nmin_kernel_version = \"0.1.0\"",
            4,
            1,
            "unsupported",
        ),
        ("[plugin]\nname = \"notes\"\nauthors = [\"a\"]", 3, 1, "unknown_field"),
        ("[plugin]\nname = \"notes\"\nauthor = [\"a\"]", 3, 10, "wrong_type"),
        ("plugin = 5", 1, 10, "wrong_type"),
    ];
    for (text, line, column, problem) in cases {
        let error = Manifest::from_toml(text).expect_err("the manifest is wrong");
        let found = (error.line, error.column, error.problem.as_str());
        assert_eq!(found, (line, column, problem), "{text}\n{error}");
    }
}

#[test]
fn the_first_wrong_line_is_the_one_that_is_named() {
    let (line, _, problem, _) =
        wrong("[resources]\nzebra = 1\nantelope = 1\n[capabilities]\nbear = 1");
    assert_eq!((line, problem), (5, "unknown_field"));
}

#[test]
fn columns_are_counted_in_characters() {
    let (line, column, problem, _) = wrong("[config]\n\"größe\" = { uint = -1 }");
    assert_eq!((line, column, problem), (5, 20, "out_of_range"));
}

#[test]
fn an_error_repeats_only_the_beginning_of_a_long_text_and_no_control_characters() {
    let long = "x".repeat(5000);
    let (_, _, _, text) = wrong(&format!("[resources]\n{long} = 1"));
    assert!(text.len() < 500, "{text}");
    let (_, _, _, text) = wrong("[resources]\n\"\\u001b[31m\" = 1");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn an_error_of_a_pattern_says_what_is_wrong_with_it() {
    let error = with("[capabilities]\ncan_read_table = [\"b*c\"]").expect_err("no pattern");
    let Problem::Glob { field, error } = error.problem else { panic!("{error}") };
    assert_eq!(field, "can_read_table");
    assert_eq!(error, sochdb_wasmi::capability::GlobError::StarInside { at: 1 });
}

#[test]
fn a_plugin_is_loaded_under_its_manifest_only_with_all_its_entry_points() {
    let database = Database::in_memory(MemoryLimits::default());
    let mut host = Host::new(HostConfig::default(), database, NoClock);
    let missing = with("[exports]\nfunctions = [\"ingest\", \"memory\"]").expect("right");
    let error = missing.load(&mut host, WEATHER).expect_err("memory is no entry point");
    assert_eq!(error, ManifestLoadError::MissingEntry { entry: "memory".into() });
    assert_eq!(host.plugins().count(), 0);

    let complete = with("[exports]\nfunctions = [\"ingest\", \"purge\"]").expect("right");
    let plugin = complete.load(&mut host, WEATHER).expect("the plugin has both");
    assert_eq!(host.find("notes"), Some(plugin));

    let small = with("[resources]\nmodule_bytes = 5").expect("right");
    assert!(matches!(small.load(&mut host, WEATHER), Err(ManifestLoadError::Load(_))));
}

/// Pieces of manifests, right and wrong.
const PIECES: &[&str] = &[
    "[plugin]",
    "[capabilities]",
    "[resources]",
    "[config]",
    "[hooks]",
    "[exports]",
    "name",
    "version",
    "can_read_table",
    "memory_limit_mb",
    "timeout_ms",
    "functions",
    "before_insert",
    "tables",
    "function",
    "x",
    "=",
    "=",
    "=",
    "\n",
    "\n",
    "\"a*\"",
    "\"1.0.0\"",
    "5",
    "-1",
    "1.5",
    "true",
    "[",
    "]",
    "{",
    "}",
    ",",
    ".",
    "uint",
    "\u{fc}",
];

proptest! {
    #![proptest_config(crate::random::cases())]

    #[test]
    fn garbage_is_an_error_with_a_place_and_never_a_panic(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40),
        noise in ".{0,40}",
        spaced: bool,
    ) {
        for text in [pieces.join(if spaced { " " } else { "" }), noise] {
            if let Err(error) = Manifest::from_toml(&text) {
                prop_assert!(error.line >= 1 && error.column >= 1);
                // The end of a text counts as a place, on a line of its own after the last feed.
                let lines = text.matches('\n').count() + 1;
                prop_assert!(error.line as usize <= lines, "{text:?} {error}");
            }
        }
    }
}
