//! Names of tables, columns, indexes, plugins and metrics: one grammar, one length limit.

use core::{borrow::Borrow, fmt, ops::Deref};

use heapless::String;

/// The longest name, in bytes.
pub const MAX_NAME_LEN: usize = 32;

/// A name: an ASCII letter or `_`, then ASCII letters, digits or `_`; at most [`MAX_NAME_LEN`]
/// bytes. A name that does not fit is rejected, never cut.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Name(String<MAX_NAME_LEN, u8>);

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// It has no characters.
    Empty,
    /// It is longer than [`MAX_NAME_LEN`].
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// A character is not allowed at this byte.
    Character {
        /// Offset of the character.
        at: usize,
    },
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "a name is empty"),
            Self::TooLong { len } => {
                write!(f, "a name has {len} bytes, at most {MAX_NAME_LEN} are allowed")
            }
            Self::Character { at } => write!(
                f,
                "a name has a character at byte {at} that is not an ASCII letter, digit or _ \
                 (a digit may not be first)"
            ),
        }
    }
}

impl core::error::Error for NameError {}

impl Name {
    /// Checks a name.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong and where.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        let wrong = |(at, byte): (usize, u8)| {
            let letter = byte.is_ascii_alphabetic() || byte == b'_';
            !(letter || at > 0 && byte.is_ascii_digit())
        };
        if let Some((at, _)) = text.bytes().enumerate().find(|&pair| wrong(pair)) {
            return Err(NameError::Character { at });
        }
        String::try_from(text).map(Self).map_err(|_| NameError::TooLong { len: text.len() })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl TryFrom<&str> for Name {
    type Error = NameError;

    fn try_from(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}
