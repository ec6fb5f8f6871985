//! What a plugin logs reaches the logger harmless and cut.
#![cfg(feature = "host")]

use std::{cell::RefCell, sync::Once};

use log::{Level, LevelFilter, Log, Metadata, Record};
use proptest::prelude::*;
use sochdb_wasmi::{
    abi::message::LogLevel,
    host::logs::{Escaped, deliver},
};

type Line = (String, Level, String);

thread_local! {
    static LINES: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

struct Capture;

impl Log for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() != "quiet"
    }

    fn log(&self, record: &Record<'_>) {
        let line = (record.target().to_owned(), record.level(), record.args().to_string());
        LINES.with_borrow_mut(|lines| lines.push(line));
    }

    fn flush(&self) {}
}

fn delivered(target: &str, level: LogLevel, message: &str, max_len: usize) -> Vec<Line> {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        log::set_logger(&Capture).unwrap();
        log::set_max_level(LevelFilter::Debug);
    });
    deliver(target, level, message, max_len);
    LINES.take()
}

#[test]
fn levels_and_targets_arrive() {
    for (ours, theirs) in [
        (LogLevel::Debug, Level::Debug),
        (LogLevel::Info, Level::Info),
        (LogLevel::Warn, Level::Warn),
        (LogLevel::Error, Level::Error),
    ] {
        assert_eq!(
            delivered("sochdb::plugin::weather", ours, "hello", 100),
            [("sochdb::plugin::weather".to_owned(), theirs, "hello".to_owned())]
        );
    }
}

#[test]
fn a_logger_that_does_not_want_it_does_not_get_it() {
    assert_eq!(delivered("quiet", LogLevel::Error, "hello", 100), []);
}

#[test]
fn a_message_cannot_forge_a_line_or_colour_a_terminal() {
    let shown = |text| Escaped::new(text, 100).to_string();
    assert_eq!(shown("a\nERROR b\r\tc"), "a\\nERROR b\\r\\tc");
    assert_eq!(shown("\u{1b}[31m\0\u{7f}\u{9b}"), "\\u{1b}[31m\\u{0}\\u{7f}\\u{9b}");
    assert_eq!(shown("\u{2028}\u{202e}é日本"), "\\u{2028}\\u{202e}é日本");
    assert_eq!(shown(""), "");
}

#[test]
fn a_long_message_is_cut_between_characters_with_a_mark() {
    assert_eq!(Escaped::new("abcdef", 6).to_string(), "abcdef");
    assert_eq!(Escaped::new("abcdef", 4).to_string(), "abcd…[+2 bytes]");
    assert_eq!(Escaped::new("aéé", 2).to_string(), "a…[+4 bytes]");
    assert_eq!(Escaped::new("é", 0).to_string(), "…[+2 bytes]");
    assert_eq!(delivered("t", LogLevel::Info, "a\nbc", 2)[0].2, "a\\n…[+2 bytes]");
}

/// The length of a message was found by formatting it: 80 times the work that its fuel pays for, if all of it
/// was control characters. Now it is added up.
#[test]
fn the_length_of_a_message_is_that_of_its_text() {
    let texts = ["", "a", "a\nb\r\t", "\u{1}\u{1f}\u{7f}\u{85}", "\u{202e}\u{2066}é日😀", "\"\\"];
    for text in texts {
        for max_len in 0..=text.len() + 1 {
            let escaped = Escaped::new(text, max_len);
            assert_eq!(escaped.printed_len(), escaped.to_string().len(), "{text:?}, {max_len}");
        }
    }
    let long = "\u{1}".repeat(12_345);
    let escaped = Escaped::new(&long, 100);
    assert_eq!(escaped.printed_len(), escaped.to_string().len());
}

proptest! {
    #[test]
    fn what_is_shown_has_no_control_character(text: String, max_len in 0_usize..40) {
        let shown = Escaped::new(&text, max_len).to_string();
        prop_assert!(!shown.contains(char::is_control));
        prop_assert_eq!(Escaped::new(&text, max_len).printed_len(), shown.len());
        if text.len() <= max_len {
            prop_assert!(!shown.ends_with(" bytes]"));
        }
    }
}
