//! `last_error` and the texts of failures: which one a plugin reads, how long it is, and who is blamed.

use crate::support;
use sochdb_wasmi::{
    abi::{
        HOST_FUNCTIONS, MAX_ERROR_LEN, Seq, Status,
        message::{IndexQuery, LookupRequest, ReadRequest, RowSelector},
        wire,
    },
    host::{CallError, Message, PluginConfig},
};
use support::*;

#[test]
fn last_error_is_the_text_of_the_last_failure_and_nothing_else() {
    let mut probe = Probe::new();
    assert_eq!(probe.raw("last_error", b"", 100).failed(), Some(Status::NotFound));
    let (status, text) = probe.explain("soch_read", &encoded(&read_request(RowSelector::One(5))));
    assert_eq!((status, text.as_str()), (Some(Status::NotFound), "there is no row 5"));
    // It does not outlive the call.
    assert_eq!(probe.raw("last_error", b"", 100).failed(), Some(Status::NotFound));
}

/// A plugin in WAT that imports every host function under its name, with `body` for the rest.
fn importing_plugin(body: &str) -> Vec<u8> {
    let import = |name: &str| {
        let kind = "(param i32 i32 i32 i32) (result i32)";
        format!("(import \"sochdb\" \"{name}\" (func ${name} {kind}))")
    };
    let imports: String = HOST_FUNCTIONS.iter().map(|function| import(function.name)).collect();
    wat::parse_str(format!(
        r#"(module {imports}
            (memory (export "memory") 1)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
            {body})"#
    ))
    .unwrap()
}

/// A text that did not fit was replaced by "the response needs 28 bytes", and where nothing had failed
/// the second question was answered by the failure of the first.
#[test]
fn asking_for_the_last_error_never_changes_it() {
    // Calls soch_read with the input as its request, then last_error in all the ways that fail, then
    // answers last_error.
    let mut probe = Probe::new();
    let plugin = importing_plugin(
        r#"(func $fail_to_ask
             (drop (call $last_error (i32.const 0) (i32.const 0) (i32.const 512) (i32.const 3)))
             (drop (call $last_error (i32.const 0) (i32.const 0) (i32.const 512) (i32.const 17)))
             (drop (call $last_error (i32.const 0) (i32.const 1) (i32.const 512) (i32.const 256)))
             (drop (call $last_error (i32.const 0) (i32.const 0) (i32.const 65536) (i32.const 1))))
           (func (export "after_a_failure") (param i32) (result i32)
             (drop (call $soch_read (i32.const 256) (local.get 0) (i32.const 768) (i32.const 0)))
             (call $fail_to_ask)
             (call $last_error (i32.const 0) (i32.const 0) (i32.const 512) (i32.const 18)))
           (func (export "after_none") (param i32) (result i32)
             (call $fail_to_ask)
             (call $last_error (i32.const 0) (i32.const 0) (i32.const 512) (i32.const 256)))"#,
    );
    let config = PluginConfig::new(everything()).with_limits(roomy());
    let plugin = probe.host.load("asking", &plugin, &config).unwrap();
    let request = encoded(&read_request(RowSelector::One(5)));
    let outcome = probe.host.call(plugin, "after_a_failure", &request).unwrap();
    assert_eq!(wire::decode::<&str>(outcome.output), Ok("there is no row 5"));
    match probe.host.call(plugin, "after_none", &[]) {
        Err(CallError::Failed { code: -2, last_error }) => assert_eq!(last_error, ""),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_text_of_the_greatest_length_is_answered_whole() {
    let name = "n".repeat(32);
    let long = "x".repeat(MAX_ERROR_LEN);
    for len in MAX_ERROR_LEN - 3..=MAX_ERROR_LEN {
        assert_eq!(Message::new(&long[..len]).as_str(), &long[..len]);
    }
    let cut = Message::new(format_args!("{long}{name}"));
    assert_eq!(cut.as_str(), format!("{}…", &long[..MAX_ERROR_LEN - 3]));
    let wide = "é".repeat(MAX_ERROR_LEN);
    assert_eq!(Message::new(format_args!("x{wide}")).as_str().len(), MAX_ERROR_LEN);
}

/// Entry points that fail after a host call failed, each in its own way.
const BLAMING: &str = r#"
           (data (i32.const 1024) "\03\02no")
           (data (i32.const 1040) "\00\01n\00\00\00\00\00\00\00\f0\3f")
           (data (i32.const 1060) "\04none")
           (data (i32.const 1070) "\05known")
           (func $fail (param i32) (result i32)
             (call $soch_read (i32.const 256) (local.get 0) (i32.const 768) (i32.const 200)))
           (func $report (param i32)
             (if (i32.ne (local.get 0)
               (call $log_message (i32.const 1024) (i32.const 4) (i32.const 0) (i32.const 0))) (then (unreachable)))
             (if (i32.ne (local.get 0)
               (call $emit_metric (i32.const 1040) (i32.const 12) (i32.const 0) (i32.const 0))) (then (unreachable))))
           (func (export "pass_on") (param i32) (result i32) (call $fail (local.get 0)))
           (func (export "report_and_pass_on") (param i32) (result i32)
             (local $status i32)
             (local.set $status (call $fail (local.get 0)))
             (call $report (i32.const 0))
             (drop (call $last_error (i32.const 0) (i32.const 0) (i32.const 768) (i32.const 200)))
             (drop (call $last_error (i32.const 0) (i32.const 0) (i32.const 768) (i32.const 2)))
             (local.get $status))
           (func (export "another_status") (param i32) (result i32)
             (drop (call $fail (local.get 0)))
             (i32.const -4))
           (func (export "unknown_status") (param i32) (result i32)
             (drop (call $fail (local.get 0)))
             (i32.const -7))
           (func (export "go_on_then_fail_alike") (param i32) (result i32)
             (drop (call $fail (local.get 0)))
             (drop (call $get_config (i32.const 1070) (i32.const 6) (i32.const 768) (i32.const 200)))
             (i32.const -2))
           (func (export "fail_twice") (param i32) (result i32)
             (drop (call $fail (local.get 0)))
             (call $get_config (i32.const 1060) (i32.const 5) (i32.const 768) (i32.const 200)))"#;

/// "its last host failure: ..." stood behind a status of the plugin's own that had nothing to do with it.
#[test]
fn a_failure_is_blamed_only_for_the_status_that_was_passed_on() {
    let mut probe = Probe::new();
    // The input is the request of a soch_read that finds no row: -2.
    let plugin = importing_plugin(BLAMING);
    let config = PluginConfig::new(everything()).with_limits(roomy()).set("known", 1_i64).unwrap();
    let plugin = probe.host.load("blaming", &plugin, &config).unwrap();
    let request = encoded(&read_request(RowSelector::One(5)));
    for (entry, expected, text) in [
        ("pass_on", -2, "there is no row 5"),
        ("report_and_pass_on", -2, "there is no row 5"),
        ("another_status", -4, ""),
        ("unknown_status", -7, ""),
        ("go_on_then_fail_alike", -2, ""),
        ("fail_twice", -2, "there is no setting \"none\""),
        // Nothing is left of the call before.
        ("another_status", -4, ""),
    ] {
        match probe.host.call(plugin, entry, &request) {
            Err(CallError::Failed { code, last_error }) => {
                assert_eq!((code, last_error.as_str()), (expected, text), "{entry}");
            }
            other => panic!("{entry}: {other:?}"),
        }
    }
    let failed = CallError::Failed { code: -7, last_error: String::new() };
    assert_eq!(failed.status(), Some(Status::Error));
    assert_eq!(failed.to_string(), "the entry point returned -7");
}

/// A key that is not UTF-8 was "there is no setting \"\"", which sends its author looking for a setting.
#[test]
fn a_text_that_is_not_utf_8_is_invalid_in_every_function() {
    let mut probe = Probe::new();
    for (function, request) in [
        ("get_config", &b"\x02\xff\xfe"[..]),
        ("get_config", b"\x03a\xffb"),
        ("log_message", b"\x01\x01\xff"),
        ("emit_metric", b"\x00\x01\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
        ("soch_read", b"\x01\xff\x00\x01\x00\x00\x00"),
        ("soch_read", b"\x05items\x00\x01\x01\x01\xff\x00\x00"),
        ("soch_write", b"\x01\xff\x00\x00\x00"),
        ("soch_delete", b"\x01\xff\x00\x01"),
        ("index_lookup", b"\x05items\x01\xff\x00\x00\x00\x00\x00\x00"),
        ("vector_search", b"\x05items\x01\xff\x00\x01\x00\x00"),
    ] {
        let (status, text) = probe.explain(function, request);
        assert_eq!(status, Some(Status::InvalidArgs), "{function}: {text}");
        assert!(text.contains("a text is not UTF-8"), "{function}: {text}");
    }
}

/// A name of 33 bytes was reported cut to 32, which can be the name of a column that exists.
#[test]
fn a_name_that_is_too_long_is_reported_as_cut() {
    let mut probe = Probe::new();
    let name = "n".repeat(40);
    for len in [32, 33, 40] {
        let columns = [&name[..len]];
        let shown = match len {
            32 => format!("\"{}\"", &name[..32]),
            _ => format!("\"{}…[+{} bytes]\"", &name[..32], len - 32),
        };
        let column =
            ReadRequest { columns: Seq::new(&columns), ..read_request(RowSelector::One(5)) };
        let (status, text) = probe.explain("soch_read", &encoded(&column));
        assert_eq!(status, Some(Status::NotFound));
        assert_eq!(text, format!("items: there is no column {shown}"));
        let index = LookupRequest {
            index: columns[0],
            ..lookup("by_name", IndexQuery::Point(Seq::empty()))
        };
        let (status, text) = probe.explain("index_lookup", &encoded(&index));
        assert_eq!(
            (status, text),
            (Some(Status::NotFound), format!("items: there is no index {shown}"))
        );
        let table = ReadRequest { table: columns[0], ..read_request(RowSelector::One(5)) };
        let (status, text) = probe.explain("soch_read", &encoded(&table));
        assert_eq!(status, Some(Status::NotFound));
        assert!(text.starts_with(&format!("there is no table {shown}")), "{text}");
    }
}
