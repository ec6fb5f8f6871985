//! Unknown names, as a request or an embedder gave them.

use core::fmt;

use crate::{
    abi::MAX_NAME_LEN,
    escaped::{Escaped, Quoted},
};

/// A name that a request or an embedder gave and that nothing here has. It need not be a
/// [`Name`](crate::abi::Name).
/// Kept up to [`MAX_NAME_LEN`] bytes, with the count of those behind.
#[derive(Clone, PartialEq, Eq)]
pub struct GivenName {
    shown: heapless::String<MAX_NAME_LEN, u8>,
    hidden: usize,
}

impl GivenName {
    pub(crate) fn new(text: &str) -> Self {
        let shown = text.get(..text.floor_char_boundary(MAX_NAME_LEN)).unwrap_or_default();
        let hidden = text.len().saturating_sub(shown.len());
        Self { shown: heapless::String::try_from(shown).unwrap_or_default(), hidden }
    }

    /// The name, or as much of it as is kept.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.shown
    }
}

impl fmt::Debug for GivenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// In quotes, with escapes, and with a mark of what is not shown.
impl fmt::Display for GivenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Quoted(Escaped::cut(self.as_str(), self.hidden)).fmt(f)
    }
}
