//! Reading and writing files, with errors that name them.

use std::{
    fs::{self, File},
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

/// How many bytes are read from a pipe, which may have no end.
const PIPE_BYTES: u64 = 1 << 30;

/// How many bytes are read from a character device: `/dev/zero` has no end.
const DEVICE_BYTES: u64 = 1 << 26;

/// The bytes of a file, which is read once; `-` is stdin.
pub fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    if !is_stdin(path) {
        return rest(&mut File::open(path)?, Vec::new());
    }
    if STDIN_IS_READ.swap(true, Ordering::Relaxed) {
        return Err(io::Error::other("stdin is read already, and can be read once"));
    }
    // Where there is no such name, it counts as a pipe.
    let most = fs::metadata("/dev/stdin").map_or(PIPE_BYTES, |found| most(&found));
    read_at_most(&mut io::stdin().lock(), most, Vec::new())
}

/// The bytes of an open file: those that were read of it already, and the rest.
pub fn rest(file: &mut File, read: Vec<u8>) -> io::Result<Vec<u8>> {
    let most = most(&file.metadata()?);
    read_at_most(file, most, read)
}

/// How many bytes are read from something: all of a file, which has a length.
fn most(found: &fs::Metadata) -> u64 {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if found.file_type().is_char_device() {
            return DEVICE_BYTES;
        }
    }
    // Reading a directory fails.
    if found.is_file() || found.is_dir() { u64::MAX } else { PIPE_BYTES }
}

fn read_at_most(from: &mut impl Read, most: u64, mut read: Vec<u8>) -> io::Result<Vec<u8>> {
    let more = Read::by_ref(from).take(most).read_to_end(&mut read)?;
    match more as u64 == most && from.read(&mut [0])? > 0 {
        true => Err(io::Error::other(format!(
            "it has more than {most} bytes, the most that is read from a pipe or a device: copy \
             it to a file"
        ))),
        false => Ok(read),
    }
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
    text(path.into(), read(path)?)
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
    text(path, bytes)
}

/// The text in a file, without the mark that some programs put before UTF-8.
fn text(path: PathBuf, bytes: Vec<u8>) -> Result<String, Failure> {
    let mut text = String::from_utf8(bytes).map_err(|_| Failure::NotText { path })?;
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(text)
}
