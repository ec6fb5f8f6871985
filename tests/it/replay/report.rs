//! What a report says to tools: names of fields, words and exit codes of causes.

use super::divergence::*;
use crate::watched;
use sochdb_wasmi::replay::{Cause, Replayer};
use watched::{THRESHOLD, watch_with};

#[test]
fn json_of_a_report_has_the_names_that_are_promised() {
    let lower = watch_with(&[(THRESHOLD, "10")]);
    let replayer = Replayer::new().with_plugin(&lower).with_changed_plugins();
    let replay = replayer.replay(scanned().as_slice()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&replay.to_json()).unwrap();
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(
        keys(&json),
        [
            "exact",
            "exit_code",
            "events",
            "calls",
            "divergences",
            "truncated",
            "fuel",
            "passed_over",
            "other_wasmi",
            "changed_plugins",
            "redacted",
            "redacted_outputs",
            "link"
        ]
    );
    assert_eq!((&json["exact"], &json["exit_code"]), (&false.into(), &12.into()));
    let report = &json["divergences"][0];
    assert_eq!(
        keys(report),
        [
            "event",
            "call",
            "plugin",
            "entry",
            "function",
            "field",
            "expected",
            "got",
            "cause",
            "explanation",
            "because",
            "before"
        ]
    );
    assert_eq!(report["cause"], "plugin-changed");
    assert_eq!(report["field"], "request.rows[0].value");
    assert_eq!(report["expected"]["value"], "345");
    assert_eq!(report["before"].as_array().unwrap().len(), 5);
    let alone: serde_json::Value = serde_json::from_str(&replay.divergences[0].to_json()).unwrap();
    assert_eq!(&alone, report);
}

#[test]
fn exit_codes_and_words_are_one_for_each_cause() {
    let mut codes: Vec<_> = Cause::ALL.iter().map(|cause| cause.exit_code()).collect();
    assert_eq!(codes, (10..=21).collect::<Vec<u8>>());
    codes.dedup();
    let words: std::collections::BTreeSet<_> = Cause::ALL.iter().map(|c| c.as_str()).collect();
    assert_eq!(words.len(), codes.len());
}
