//! Reports as JSON, for tools: objects whose fields have the same names in every version.
//!
//! It writes and does not read. Numbers are written as they are, also those that a double does not
//! hold.

use alloc::string::String;
use core::fmt::{Display, Write};

/// An object that is being written.
#[derive(Debug, Default)]
pub(super) struct Json {
    text: String,
    /// Something stands before the next field or item.
    begun: bool,
}

impl Json {
    /// An object of the fields that `fields` writes.
    pub(super) fn object(fields: impl FnOnce(&mut Self)) -> String {
        let mut json = Self::default();
        json.braces('{', '}', fields);
        json.text
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.quoted(value);
    }

    pub(super) fn optional_text(&mut self, key: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(key, value),
            None => self.plain(key, "null"),
        }
    }

    /// A number, `true`, `false` or `null`.
    pub(super) fn plain(&mut self, key: &str, value: impl Display) {
        self.key(key);
        self.push(value);
    }

    pub(super) fn optional(&mut self, key: &str, value: Option<impl Display>) {
        match value {
            Some(value) => self.plain(key, value),
            None => self.plain(key, "null"),
        }
    }

    pub(super) fn nested(&mut self, key: &str, fields: impl FnOnce(&mut Self)) {
        self.key(key);
        self.braces('{', '}', fields);
    }

    pub(super) fn texts<T: AsRef<str>>(&mut self, key: &str, values: impl IntoIterator<Item = T>) {
        self.key(key);
        self.braces('[', ']', |json| {
            for value in values {
                json.separate();
                json.quoted(value.as_ref());
            }
        });
    }

    /// A list of objects.
    pub(super) fn objects<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        fields: impl Fn(&mut Self, T),
    ) {
        self.key(key);
        self.braces('[', ']', |json| {
            for item in items {
                json.separate();
                json.braces('{', '}', |json| fields(json, item));
            }
        });
    }

    fn key(&mut self, key: &str) {
        self.separate();
        self.quoted(key);
        self.text.push(':');
    }

    fn separate(&mut self) {
        if core::mem::replace(&mut self.begun, true) {
            self.text.push(',');
        }
    }

    fn braces(&mut self, open: char, close: char, inside: impl FnOnce(&mut Self)) {
        self.text.push(open);
        self.begun = false;
        inside(self);
        self.text.push(close);
        self.begun = true;
    }

    fn quoted(&mut self, value: &str) {
        self.text.push('"');
        for character in value.chars() {
            match character {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                control if control < ' ' => self.push(format_args!("\\u{:04x}", control as u32)),
                other => self.text.push(other),
            }
        }
        self.text.push('"');
    }

    fn push(&mut self, value: impl Display) {
        // Writing to a string does not fail.
        let _ = write!(self.text, "{value}");
    }
}

/// Bytes in hexadecimal, two digits each.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
