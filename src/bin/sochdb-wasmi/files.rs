//! Reading and writing files, with errors that name them.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use crate::failure::Failure;

/// The bytes of a file.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::Io { path: path.into(), error })
}

/// The text of a file.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path)?).map_err(|_| Failure::NotText { path: path.into() })
}

/// Writes a file, over the one that may be there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(path, bytes).map_err(|error| Failure::Io { path: path.into(), error })
}

/// The bytes of an argument: its own, or with `@` before it those of a file; `@-` is stdin.
pub fn argument(argument: &str) -> Result<(PathBuf, Vec<u8>), Failure> {
    match argument.strip_prefix('@') {
        None => Ok((PathBuf::from("argument"), argument.as_bytes().into())),
        Some("-") => {
            let path = PathBuf::from("stdin");
            let mut bytes = Vec::new();
            match io::stdin().read_to_end(&mut bytes) {
                Ok(_) => Ok((path, bytes)),
                Err(error) => Err(Failure::Io { path, error }),
            }
        }
        Some(path) => Ok((path.into(), read(Path::new(path))?)),
    }
}

/// As [`argument`], for a text.
pub fn text_argument(given: &str) -> Result<String, Failure> {
    let (path, bytes) = argument(given)?;
    String::from_utf8(bytes).map_err(|_| Failure::NotText { path })
}
