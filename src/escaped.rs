//! Texts of unknown origin, safe to print: in log lines and in the texts of errors. It cuts and
//! escapes; it does not know who reads them.

use core::fmt::{self, Write};

use crate::abi::MAX_NAME_LEN;

/// A text of unknown origin, displayed so that it stays on its line and changes nothing around
/// it: line feed, carriage return and tab are shown as `\n`, `\r` and `\t`, other control
/// characters, line separators and marks that reorder text as `\u{..}`.
///
/// What is over the length is replaced by `…[+N bytes]`. The length and `N` count bytes of the
/// text as it was given, so the display of a text full of control characters is longer.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a> {
    shown: &'a str,
    hidden: usize,
}

impl<'a> Escaped<'a> {
    /// At most the first `max_len` bytes of `text`; a character is kept whole or not at all.
    #[must_use]
    pub fn new(text: &'a str, max_len: usize) -> Self {
        let (shown, hidden) =
            text.split_at_checked(text.floor_char_boundary(max_len)).unwrap_or((text, ""));
        Self { shown, hidden: hidden.len() }
    }

    /// A text that was cut already, by `hidden` bytes.
    pub(crate) const fn cut(shown: &'a str, hidden: usize) -> Self {
        Self { shown, hidden }
    }

    /// How many bytes it is as it is displayed: what a log message of a plugin's counts for.
    #[cfg(feature = "host")]
    #[must_use]
    pub fn printed_len(&self) -> usize {
        // Without a way out in the middle, so that the compiler looks at many bytes at a time.
        let plain = |all: bool, byte: u8| all & (b' '..=b'~').contains(&byte);
        if self.hidden == 0 && self.shown.bytes().fold(true, plain) {
            return self.shown.len();
        }
        let shown = self.shown.chars().map(|char| match char {
            '\n' | '\r' | '\t' => 2,
            other if unsafe_to_print(other) => "\\u{}".len() + hexadecimal_digits(other),
            other => other.len_utf8(),
        });
        let hidden = match self.hidden.checked_ilog10() {
            Some(log) => "…[+ bytes]".len() + log as usize + 1,
            None => 0,
        };
        shown.sum::<usize>().saturating_add(hidden)
    }
}

/// Digits of a character's number in hexadecimal.
#[cfg(feature = "host")]
const fn hexadecimal_digits(char: char) -> usize {
    let bits = u32::BITS - (char as u32 | 1).leading_zeros();
    bits.div_ceil(4) as usize
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut plain = 0;
        for (at, char) in self.shown.char_indices().filter(|(_, char)| unsafe_to_print(*char)) {
            f.write_str(self.shown.get(plain..at).unwrap_or_default())?;
            escape(f, char)?;
            plain = at + char.len_utf8();
        }
        f.write_str(self.shown.get(plain..).unwrap_or_default())?;
        match self.hidden {
            0 => Ok(()),
            hidden => write!(f, "…[+{hidden} bytes]"),
        }
    }
}

fn escape(f: &mut fmt::Formatter<'_>, char: char) -> fmt::Result {
    match char {
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        other => write!(f, "\\u{{{:x}}}", u32::from(other)),
    }
}

fn unsafe_to_print(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text of a plugin's in quotes, cut to the length of a name and escaped.
#[cfg_attr(not(feature = "host"), allow(dead_code, reason = "only hosts quote plugins"))]
pub(crate) fn quoted(text: &str) -> Quoted<'_> {
    Quoted(Escaped::new(text, MAX_NAME_LEN))
}

/// A text of unknown origin in quotes, cut and escaped.
pub(crate) struct Quoted<'a>(pub(crate) Escaped<'a>);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        self.0.fmt(f)?;
        f.write_char('"')
    }
}
