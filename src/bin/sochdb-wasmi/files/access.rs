//! Reading and writing files, with errors that name them.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use super::unfinished;
use crate::report::failure::Failure;

/// Whether stdin was read: what is read a second time is nothing.
static STDIN_IS_READ: AtomicBool = AtomicBool::new(false);

/// Whether a path stands for stdin.
pub fn is_stdin(path: &Path) -> bool {
    ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].iter().any(|name| path == Path::new(name))
}

/// The bytes of a file, which is read once; `-` is stdin.
pub fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    if !is_stdin(path) {
        return fs::read(path);
    }
    if STDIN_IS_READ.swap(true, Ordering::Relaxed) {
        return Err(io::Error::other("stdin is read already, and can be read once"));
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The bytes of a file; `-` is stdin.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    bytes(path).map_err(|error| {
        let path = if is_stdin(path) { PathBuf::from("stdin") } else { path.into() };
        Failure::Io { path, error }
    })
}

/// The text of a file.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path)?).map_err(|_| Failure::NotText { path: path.into() })
}

/// Writes a file, over the one that may be there, whole or not at all.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    unfinished::write(path, bytes).map_err(|error| Failure::Io { path: path.into(), error })
}

/// The bytes of an argument: its own, or with `@` before it those of a file; `@-` is stdin.
pub fn argument(argument: &str) -> Result<(PathBuf, Vec<u8>), Failure> {
    match argument.strip_prefix('@') {
        None => Ok((PathBuf::from("argument"), argument.as_bytes().into())),
        Some("-") => Ok((PathBuf::from("stdin"), read(Path::new("-"))?)),
        Some(path) => Ok((path.into(), read(Path::new(path))?)),
    }
}

/// As [`argument`], for a text.
pub fn text_argument(given: &str) -> Result<String, Failure> {
    let (path, bytes) = argument(given)?;
    String::from_utf8(bytes).map_err(|_| Failure::NotText { path })
}
