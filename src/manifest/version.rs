//! Versions of plugins: checked for their grammar, never compared.

use alloc::boxed::Box;
use core::fmt;

/// The longest [`Version`], in bytes.
pub const MAX_VERSION_LEN: usize = 64;

/// A version as [semver](https://semver.org) writes it: three decimal numbers, then perhaps `-` or
/// `+` and more; at most [`MAX_VERSION_LEN`] bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(Box<str>);

/// A text is not a [`Version`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VersionError;

impl fmt::Display for VersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a version is three numbers and points, as 1.0.0, then perhaps - or + and letters, \
             digits, points and hyphens; at most {MAX_VERSION_LEN} bytes"
        )
    }
}

impl core::error::Error for VersionError {}

impl Version {
    /// Checks a version.
    ///
    /// # Errors
    /// [`VersionError`].
    pub fn new(text: &str) -> Result<Self, VersionError> {
        let (numbers, rest) = text
            .split_at_checked(text.find(['-', '+']).unwrap_or(text.len()))
            .ok_or(VersionError)?;
        let mut count = 0;
        for number in numbers.split('.') {
            let zeros = number.len() > 1 && number.starts_with('0');
            if number.is_empty() || zeros || !number.bytes().all(|b| b.is_ascii_digit()) {
                return Err(VersionError);
            }
            count += 1;
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'+');
        if count != 3
            || rest.len() == 1
            || !rest.bytes().all(allowed)
            || text.len() > MAX_VERSION_LEN
        {
            return Err(VersionError);
        }
        Ok(Self(text.into()))
    }

    /// The version as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
