//! Names of tables, columns, indexes, plugins and metrics: one grammar, one length limit.

use core::{borrow::Borrow, fmt, hash, ops::Deref};

/// The longest name, in bytes.
pub const MAX_NAME_LEN: usize = 32;

/// A name: an ASCII letter or `_`, then ASCII letters, digits or `_`, and in [the name of a
/// plugin](Self::plugin) also `-`; at most [`MAX_NAME_LEN`] bytes. A name that does not fit is rejected, never cut.
///
/// It is as large as the longest name, so that copying one takes two moves of fixed size.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Name {
    /// The name, then zeros: sorts as the text does, because no name has a zero in it.
    bytes: [u8; MAX_NAME_LEN],
    len: u8,
}

/// Why a name is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
                 (a digit may not be first; a plugin's name may have - too, not first)"
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
        Self::checked(text, false)
    }

    /// Checks the name of a plugin, which may have `-` after its first character.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn plugin(text: &str) -> Result<Self, NameError> {
        Self::checked(text, true)
    }

    fn checked(text: &str, hyphens: bool) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        let wrong = |(at, byte): (usize, u8)| {
            let letter = byte.is_ascii_alphabetic() || byte == b'_';
            let later = byte.is_ascii_digit() || hyphens && byte == b'-';
            !(letter || at > 0 && later)
        };
        if let Some((at, _)) = text.bytes().enumerate().find(|&pair| wrong(pair)) {
            return Err(NameError::Character { at });
        }
        let mut bytes = [0; MAX_NAME_LEN];
        match bytes.get_mut(..text.len()) {
            Some(place) => place.copy_from_slice(text.as_bytes()),
            None => return Err(NameError::TooLong { len: text.len() }),
        }
        Ok(Self { bytes, len: text.len() as u8 })
    }

    /// The name as bytes. Cheaper than as text: comparing names needs no more.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or_default()
    }

    /// Whether these are the bytes of the name. Names of 8 to 16 bytes, as most are, are compared
    /// as two words, which is cheaper than calling the comparison of any length.
    #[inline]
    #[must_use]
    pub fn is(&self, bytes: &[u8]) -> bool {
        let name = self.as_bytes();
        if name.len() != bytes.len() {
            return false;
        }
        match (name.first_chunk::<8>(), name.last_chunk(), bytes.first_chunk(), bytes.last_chunk())
        {
            (Some(a), Some(z), Some(first), Some(last)) if name.len() <= 16 => {
                word(a) == word(first) && word(z) == word(last)
            }
            _ => name == bytes,
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // A name is ASCII.
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

fn word(bytes: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*bytes)
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

/// As the text, because it can be borrowed as one.
impl hash::Hash for Name {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
