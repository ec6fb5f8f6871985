//! What is shown of an event, as a line and field by field.

use crate::tracing::*;
use sochdb_wasmi::{
    abi::HOST_FUNCTIONS,
    replay::{Line, Names},
    trace::{Event, TraceReader},
};

/// The host calls of a trace: each as a line, and its field `request.malformed`.
fn shown(trace: &[u8]) -> Vec<(String, Option<String>)> {
    let (mut names, mut shown) = (Names::default(), Vec::new());
    let mut reader = TraceReader::new(trace);
    while let Some(entry) = reader.read().unwrap() {
        names.learn(&entry.event);
        if let Event::HostCall(_) = entry.event {
            let line = Line { number: entry.number, event: &entry.event, names: &names };
            let fields = names.fields(&entry.event);
            let reason = fields.into_iter().find(|field| field.path == "request.malformed");
            shown.push((line.to_string(), reason.map(|field| field.value)));
        }
    }
    shown
}

/// A request that its function could not decode was shown as bytes, and what was wrong with it was
/// for the reader to find.
#[test]
fn a_malformed_request_is_shown_with_what_is_wrong_with_it() {
    let trace = recorded(config(), |probe| {
        for function in HOST_FUNCTIONS {
            probe.raw(function.name, &[0x80], 64);
        }
        probe.raw("soch_read", b"\x05items\x09", 64);
        probe.raw("get_config", b"\x02\xff\xff", 64);
        probe.read(1);
    });
    let shown = shown(&trace);
    let (last, malformed) = shown.split_last().unwrap();
    assert_eq!(last.1, None);
    for (line, reason) in &malformed[..HOST_FUNCTIONS.len()] {
        assert!(line.contains("-3 (invalid arguments; the request is malformed: "), "{line}");
        assert!(line.contains(reason.as_deref().expect(line)), "{line}");
    }
    let [(_, variant), (_, utf8)] = &malformed[HOST_FUNCTIONS.len()..] else { panic!() };
    let variant = variant.as_deref().unwrap();
    assert!(variant.starts_with("an enumeration has no variant of this number"), "{variant}");
    assert_eq!(utf8.as_deref(), Some("a text is not UTF-8 (at byte 3)"));
}

/// The text of a failure had a backslash before each quotation mark, and escapes for umlauts.
#[test]
fn the_text_of_a_failure_is_shown_as_it_is() {
    let trace = recorded(config(), |probe| drop(probe.read(1)));
    let at = position(&trace, "call out");
    let trace = changed(&trace, at, |event| {
        if let Event::CallOut(call) = event {
            let text = "no \"Füllstand\"\u{1b}[2J".as_bytes();
            (call.ending, call.output) =
                (sochdb_wasmi::trace::Ending::Failed, sochdb_wasmi::trace::Data::Full(text));
        }
    });
    let event = event(payload(&trace, &frames(&trace)[at])).1;
    let names = Names::default();
    let line = Line { number: 0, event: &event, names: &names }.to_string();
    assert!(line.contains("failed (no \"Füllstand\"\\u{1b}[2J)"), "{line}");
}
