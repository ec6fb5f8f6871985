//! An error of the operating system inside an error of this crate: whole, comparable and cheap to
//! clone, which [`std::io::Error`] is not.

use core::fmt;
use std::{boxed::Box, io, path::Path, string::ToString, sync::Arc};

/// An [`io::Error`] with the file that it is about, if that is known.
///
/// Equal are errors of the same kind, number and text about the same file.
#[derive(Clone, Debug)]
pub struct IoError {
    path: Option<Box<Path>>,
    error: Arc<io::Error>,
}

impl IoError {
    /// An error about whatever the caller knows.
    #[must_use]
    pub fn new(error: io::Error) -> Self {
        Self { path: None, error: Arc::new(error) }
    }

    /// An error about the file at `path`.
    pub fn at(path: impl AsRef<Path>, error: io::Error) -> Self {
        Self { path: Some(path.as_ref().into()), ..Self::new(error) }
    }

    /// The same error, about the file at `path` if it names none.
    #[cfg(feature = "redb")]
    pub(crate) fn or_at(self, path: &Path) -> Self {
        Self { path: self.path.or_else(|| Some(path.into())), ..self }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What the operating system said.
    #[must_use]
    pub fn error(&self) -> &io::Error {
        &self.error
    }
}

impl PartialEq for IoError {
    fn eq(&self, other: &Self) -> bool {
        let Self { path, error } = other;
        self.path == *path
            && self.error.kind() == error.kind()
            && self.error.raw_os_error() == error.raw_os_error()
            && self.error.to_string() == error.to_string()
    }
}

impl Eq for IoError {}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{}: {}", path.display(), self.error),
            None => self.error.fmt(f),
        }
    }
}
